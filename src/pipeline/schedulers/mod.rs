//! Schedulers: from a prediction to the next noisy picture or latent. One file and one row of [`SCHEDULERS`] each. Depend on
//! the manifest's `[sampling]` table alone; they compute on flat slices and know no shapes.
//!
//! Those of flows run over times from 0 (noise) to 1 (clean), as in rectified flow; `consistency` over standard deviations of the noise. The
//! others run over the times that a model was trained
//! for, down from the last one, and do what diffusers' classes of the same names do, step by step from the same noise.

mod consistency;
mod ddim;
mod euler;
mod euler_ancestral;
mod flow_consistency;
mod flow_euler;
mod lcm;
mod noise_schedule;
#[cfg(test)]
mod tests;

use crate::pack::{MOST_STEPS, Prediction, Sampling};

/// Fresh numbers of the standard normal distribution, as many as a noisy picture has.
pub type Noise<'a> = &'a mut dyn FnMut() -> Vec<f32>;

/// The steps of one picture.
pub trait Sampler {
    /// By how much noise of the standard normal distribution is multiplied, to be what the first step begins with.
    fn noise_scale(&self) -> f32 {
        1.0
    }

    /// How much of the clean picture or latent, and of noise of the standard normal distribution, a step begins with: what denoising
    /// starts from there if there is a picture already.
    fn mixture(&self, step: usize) -> (f32, f32);

    /// The model's time at a step, numbered from 0.
    fn time(&self, step: usize) -> f32;

    /// By how much the noisy picture is multiplied before the model gets it.
    fn input_scale(&self, _step: usize) -> f32 {
        1.0
    }

    /// The current estimate of the clean picture or latent (x₀) that a prediction stands for.
    fn clean(&self, step: usize, noisy: &[f32], predicted: &[f32]) -> Vec<f32>;

    /// Moves `noisy` from the beginning of a step to its end. A deterministic scheduler never asks for noise.
    fn step(&self, step: usize, noisy: &mut [f32], predicted: &[f32], noise: Noise<'_>);
}

/// A scheduler that manifests may name.
pub struct SchedulerEntry {
    /// Its name in `sampling.scheduler`.
    pub name: &'static str,
    /// The predictions that it takes.
    pub predictions: &'static [Prediction],
    /// Whether the manifest needs a `[sampling.noise]` table, not times by number of steps.
    pub needs_noise_schedule: bool,
    /// A sampler for a number of steps; `None` if the manifest has no schedule for it.
    pub sampler: fn(&Sampling, steps: usize) -> Option<Box<dyn Sampler>>,
}

/// Every scheduler.
pub static SCHEDULERS: &[SchedulerEntry] = &[
    flow_euler::ENTRY,
    flow_consistency::ENTRY,
    consistency::ENTRY,
    euler::ENTRY,
    euler_ancestral::ENTRY,
    ddim::ENTRY,
    lcm::ENTRY,
];

impl SchedulerEntry {
    /// The numbers of steps that pictures can be made in, ascending.
    pub fn steps(&self, sampling: &Sampling) -> Vec<usize> {
        if !self.needs_noise_schedule {
            return sampling.steps();
        }
        (1..=MOST_STEPS)
            .filter(|&steps| (self.sampler)(sampling, steps).is_some())
            .collect()
    }
}

/// Numbers of steps in words: "1, 2, 4", "1 to 100".
pub fn list(steps: &[usize]) -> String {
    let runs = steps.chunk_by(|one, next| one + 1 == *next).flat_map(|run| match run {
        [first, _, .., last] => vec![format!("{first} to {last}")],
        run => run.iter().map(usize::to_string).collect(),
    });
    runs.collect::<Vec<_>>().join(", ")
}

/// The scheduler of a name.
pub fn find(name: &str) -> Option<&'static SchedulerEntry> {
    SCHEDULERS.iter().find(|entry| entry.name == name)
}

/// Classifier-free guidance (Ho & Salimans, arXiv 2207.12598): moves the prediction away from the one for the negative prompt.
/// A guidance of 1 leaves it, 0 replaces it.
pub fn guide(predicted: &mut [f32], negative: &[f32], guidance: f32) {
    predicted
        .iter_mut()
        .zip(negative)
        .for_each(|(with, without)| *with = without + (*with - without) * guidance);
}
