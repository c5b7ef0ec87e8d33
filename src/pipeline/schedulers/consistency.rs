//! Multistep consistency sampling (Song et al., arXiv 2303.01469, algorithm 1) for models that take the noise's standard deviation as their
//! time, as those of Karras et al. (arXiv 2206.00364) do: each step takes the model's clean estimate and adds fresh noise to it, less every
//! time.

use super::{Noise, Sampler, SchedulerEntry};
use crate::pack::Prediction;

/// This scheduler's row.
pub const ENTRY: SchedulerEntry = SchedulerEntry {
    name: "consistency",
    predictions: &[Prediction::Picture],
    needs_noise_schedule: false,
    sampler: |sampling, steps| Some(Box::new(Consistency(sampling.sigmas(steps)?.to_vec()))),
};

/// Standard deviations of the noise at each step.
struct Consistency(Vec<f32>);

impl Sampler for Consistency {
    fn noise_scale(&self) -> f32 {
        self.0[0]
    }

    fn mixture(&self, step: usize) -> (f32, f32) {
        (1.0, self.0[step])
    }

    fn time(&self, step: usize) -> f32 {
        self.0[step]
    }

    fn clean(&self, _: usize, _: &[f32], predicted: &[f32]) -> Vec<f32> {
        predicted.to_vec()
    }

    fn step(&self, step: usize, noisy: &mut [f32], predicted: &[f32], noise: Noise<'_>) {
        noisy.copy_from_slice(predicted);
        if let Some(sigma) = self.0.get(step + 1) {
            noisy.iter_mut().zip(noise()).for_each(|(value, fresh)| *value += fresh * sigma);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sampling;
    use super::*;

    #[test]
    fn steps_add_less_and_less_noise_and_the_last_adds_none() {
        let mut sampling = sampling("consistency", Prediction::Picture);
        sampling.sigmas.insert("2".into(), vec![80.0, 24.5]);
        let sampler = (ENTRY.sampler)(&sampling, 2).unwrap();
        assert_eq!((sampler.noise_scale(), sampler.time(1)), (80.0, 24.5));
        let mut x = vec![70.0, -100.0];
        sampler.step(0, &mut x, &[0.5, 1.0], &mut || vec![2.0, -2.0]);
        assert_eq!(x, [49.5, -48.0]);
        sampler.step(1, &mut x, &[0.25, 0.5], &mut || panic!("the last step asked for noise"));
        assert_eq!(x, [0.25, 0.5]);
        assert!((ENTRY.sampler)(&sampling, 3).is_none());
    }
}
