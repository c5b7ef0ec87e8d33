//! Schedulers: from a prediction to the next noisy picture or latent. One file and one row of [`SCHEDULERS`] each. Depend on
//! the manifest's prediction type alone; they compute on flat slices and know no shapes.
//!
//! Times run from 0 (noise) to 1 (clean), as in rectified flow.

mod flow_consistency;
mod flow_euler;

use crate::pack::Prediction;

pub use flow_consistency::FlowConsistency;
pub use flow_euler::FlowEuler;

/// One denoising step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Time before the step, at least 0.
    pub start: f32,
    /// Time after it, above `start` and at most 1.
    pub end: f32,
    /// What the model predicts.
    pub prediction: Prediction,
}

/// How a step is made.
pub trait Scheduler: Send + Sync {
    /// Moves `noisy` from the step's start to its end. `noise` gives as many fresh numbers of the standard normal distribution
    /// as `noisy` has; a deterministic scheduler never calls it.
    fn step(&self, noisy: &mut [f32], predicted: &[f32], step: Step, noise: &mut dyn FnMut() -> Vec<f32>);
}

/// A scheduler that manifests may name.
pub struct SchedulerEntry {
    /// Its name in `sampling.scheduler`.
    pub name: &'static str,
    /// Itself.
    pub scheduler: &'static dyn Scheduler,
}

/// Every scheduler.
pub static SCHEDULERS: &[SchedulerEntry] = &[
    SchedulerEntry {
        name: "flow-euler",
        scheduler: &FlowEuler,
    },
    SchedulerEntry {
        name: "flow-consistency",
        scheduler: &FlowConsistency,
    },
];

/// The scheduler of a name.
pub fn find(name: &str) -> Option<&'static dyn Scheduler> {
    let entry = SCHEDULERS.iter().find(|entry| entry.name == name);
    entry.map(|entry| entry.scheduler)
}

/// The current estimate of the clean picture or latent (x₀) that a prediction stands for.
pub fn clean(noisy: &[f32], predicted: &[f32], step: Step) -> Vec<f32> {
    match step.prediction {
        Prediction::Picture => predicted.to_vec(),
        Prediction::Velocity => noisy
            .iter()
            .zip(predicted)
            .map(|(x, velocity)| x + velocity * (1.0 - step.start))
            .collect(),
    }
}

/// Classifier-free guidance (Ho & Salimans, arXiv 2207.12598): moves the prediction away from the one for the negative prompt.
/// A guidance of 1 leaves it, 0 replaces it.
pub fn guide(predicted: &mut [f32], negative: &[f32], guidance: f32) {
    predicted
        .iter_mut()
        .zip(negative)
        .for_each(|(with, without)| *with = without + (*with - without) * guidance);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_unique() {
        for entry in SCHEDULERS {
            assert!(find(entry.name).is_some());
            assert_eq!(SCHEDULERS.iter().filter(|other| other.name == entry.name).count(), 1);
        }
        assert!(find("euler-a").is_none());
    }

    #[test]
    fn both_predictions_stand_for_the_same_clean_picture() {
        let (noise, picture) = ([1.0, -1.0], [0.0, 1.0]);
        let velocity: Vec<f32> = noise.iter().zip(&picture).map(|(n, p)| p - n).collect();
        let step = |prediction| Step {
            start: 0.0,
            end: 0.25,
            prediction,
        };
        assert_eq!(clean(&noise, &velocity, step(Prediction::Velocity)), picture);
        assert_eq!(clean(&noise, &picture, step(Prediction::Picture)), picture);
    }

    #[test]
    fn guidance_of_one_changes_nothing() {
        let mut with = vec![0.25, -0.5];
        guide(&mut with, &[9.0, 9.0], 1.0);
        assert_eq!(with, [0.25, -0.5]);
        guide(&mut with, &[0.0, 0.0], 2.0);
        assert_eq!(with, [0.5, -1.0]);
    }
}
