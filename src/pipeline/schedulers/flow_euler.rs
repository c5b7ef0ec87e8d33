//! Euler's method along the straight lines of rectified flow (Liu et al., arXiv 2209.03003). Deterministic.

use super::{Noise, Sampler, SchedulerEntry};
use crate::pack::{Prediction, Sampling};

/// This scheduler's row.
pub const ENTRY: SchedulerEntry = SchedulerEntry {
    name: "flow-euler",
    predictions: &[Prediction::Picture, Prediction::Velocity],
    needs_noise_schedule: false,
    sampler: |sampling, steps| Some(Box::new(FlowEuler(FlowTimes::of(sampling, steps)?))),
};

/// The times of a flow, one more than there are steps, and what the model predicts.
pub struct FlowTimes {
    times: Vec<f32>,
    prediction: Prediction,
}

impl FlowTimes {
    /// The manifest's times for a number of steps.
    pub fn of(sampling: &Sampling, steps: usize) -> Option<FlowTimes> {
        Some(FlowTimes {
            times: sampling.schedule(steps)?.to_vec(),
            prediction: sampling.prediction,
        })
    }

    /// How much of the picture and of noise a step begins with.
    pub fn mixture(&self, step: usize) -> (f32, f32) {
        (self.times[step], 1.0 - self.times[step])
    }

    /// Times before and after a step.
    pub fn around(&self, step: usize) -> (f32, f32) {
        (self.times[step], self.times[step + 1])
    }

    /// The clean picture.
    pub fn clean(&self, step: usize, noisy: &[f32], predicted: &[f32]) -> Vec<f32> {
        match self.prediction {
            Prediction::Velocity => {
                let left = 1.0 - self.times[step];
                noisy.iter().zip(predicted).map(|(x, velocity)| x + velocity * left).collect()
            }
            _ => predicted.to_vec(),
        }
    }
}

struct FlowEuler(FlowTimes);

impl Sampler for FlowEuler {
    fn mixture(&self, step: usize) -> (f32, f32) {
        self.0.mixture(step)
    }

    fn time(&self, step: usize) -> f32 {
        self.0.around(step).0
    }

    fn clean(&self, step: usize, noisy: &[f32], predicted: &[f32]) -> Vec<f32> {
        self.0.clean(step, noisy, predicted)
    }

    fn step(&self, step: usize, noisy: &mut [f32], predicted: &[f32], _: Noise<'_>) {
        let (start, end) = self.0.around(step);
        let (pairs, is_velocity) = (noisy.iter_mut().zip(predicted), self.0.prediction == Prediction::Velocity);
        if is_velocity {
            pairs.for_each(|(x, velocity)| *x += velocity * (end - start));
        } else {
            let rate = (end - start) / (1.0 - start);
            pairs.for_each(|(x, picture)| *x += (picture - *x) * rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(noisy: &mut [f32], predicted: &[f32], prediction: Prediction, times: [f32; 2]) {
        let times = FlowTimes {
            times: times.to_vec(),
            prediction,
        };
        FlowEuler(times).step(0, noisy, predicted, &mut || panic!("a deterministic scheduler asked for noise"));
    }

    #[test]
    fn the_last_step_lands_on_the_picture() {
        let mut x = vec![3.0, -2.0];
        step(&mut x, &[0.5, 0.25], Prediction::Picture, [0.75, 1.0]);
        assert_eq!(x, [0.5, 0.25]);
    }

    #[test]
    fn both_predictions_walk_the_same_line_to_the_same_picture() {
        let (noise, picture) = ([1.0, -1.0], [0.0, 1.0]);
        let velocity: Vec<f32> = noise.iter().zip(&picture).map(|(n, p)| p - n).collect();
        let (mut a, mut b) = (noise.to_vec(), noise.to_vec());
        step(&mut a, &picture, Prediction::Picture, [0.0, 0.25]);
        step(&mut b, &velocity, Prediction::Velocity, [0.0, 0.25]);
        assert_eq!(a, b);
        for (prediction, predicted) in [(Prediction::Velocity, velocity.as_slice()), (Prediction::Picture, &picture)] {
            let times = FlowTimes {
                times: vec![0.0, 0.25],
                prediction,
            };
            assert_eq!(times.clean(0, &noise, predicted), picture);
        }
    }
}
