//! Euler's method over the shares of noise (Karras et al., arXiv 2206.00364, algorithm 2 without added noise), as
//! `EulerDiscreteScheduler` of diffusers. Deterministic.

use super::noise_schedule::Sigmas;
use super::{Noise, Sampler, SchedulerEntry};
use crate::pack::Prediction;

/// This scheduler's row.
pub const ENTRY: SchedulerEntry = SchedulerEntry {
    name: "euler",
    predictions: &[Prediction::Epsilon, Prediction::V, Prediction::Picture],
    needs_noise_schedule: true,
    sampler: |sampling, steps| Some(Box::new(Euler(Sigmas::of(sampling.noise.as_ref()?, sampling.prediction, steps)?))),
};

struct Euler(Sigmas);

impl Sampler for Euler {
    fn noise_scale(&self) -> f32 {
        self.0.noise_scale()
    }

    fn mixture(&self, step: usize) -> (f32, f32) {
        self.0.mixture(step)
    }

    fn time(&self, step: usize) -> f32 {
        self.0.time(step)
    }

    fn input_scale(&self, step: usize) -> f32 {
        self.0.input_scale(step)
    }

    fn clean(&self, step: usize, noisy: &[f32], predicted: &[f32]) -> Vec<f32> {
        self.0.clean(step, noisy, predicted)
    }

    fn step(&self, step: usize, noisy: &mut [f32], predicted: &[f32], _: Noise<'_>) {
        let (_, end) = self.0.around(step);
        self.0.walk(step, noisy, predicted, end);
    }
}
