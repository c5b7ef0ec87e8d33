//! Euler's method that goes a little too far in each step and adds fresh noise for it (ancestral sampling), as
//! `EulerAncestralDiscreteScheduler` of diffusers.

use super::noise_schedule::Sigmas;
use super::{Noise, Sampler, SchedulerEntry};
use crate::pack::Prediction;

/// This scheduler's row.
pub const ENTRY: SchedulerEntry = SchedulerEntry {
    name: "euler-ancestral",
    predictions: &[Prediction::Epsilon, Prediction::V, Prediction::Picture],
    needs_noise_schedule: true,
    sampler: |sampling, steps| {
        Some(Box::new(EulerAncestral(Sigmas::of(
            sampling.noise.as_ref()?,
            sampling.prediction,
            steps,
        )?)))
    },
};

struct EulerAncestral(Sigmas);

impl Sampler for EulerAncestral {
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

    fn step(&self, step: usize, noisy: &mut [f32], predicted: &[f32], noise: Noise<'_>) {
        let (start, end) = self.0.around(step);
        let added = (end * end * (start * start - end * end) / (start * start)).max(0.0).sqrt();
        self.0.walk(step, noisy, predicted, (end * end - added * added).max(0.0).sqrt());
        if added > 0.0 {
            let fresh = noise();
            noisy.iter_mut().zip(fresh).for_each(|(x, fresh)| *x += fresh * added as f32);
        }
    }
}
