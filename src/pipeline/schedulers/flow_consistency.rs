//! Multistep consistency sampling (Song et al., arXiv 2303.01469, algorithm 1) on the straight lines of rectified flow: each
//! step takes the model's clean estimate and noises it anew, for models that were distilled to jump to the end.

use super::flow_euler::FlowTimes;
use super::{Noise, Sampler, SchedulerEntry};
use crate::pack::Prediction;

/// This scheduler's row.
pub const ENTRY: SchedulerEntry = SchedulerEntry {
    name: "flow-consistency",
    predictions: &[Prediction::Picture, Prediction::Velocity],
    needs_noise_schedule: false,
    sampler: |sampling, steps| Some(Box::new(FlowConsistency(FlowTimes::of(sampling, steps)?))),
};

struct FlowConsistency(FlowTimes);

impl Sampler for FlowConsistency {
    fn mixture(&self, step: usize) -> (f32, f32) {
        self.0.mixture(step)
    }

    fn time(&self, step: usize) -> f32 {
        self.0.around(step).0
    }

    fn clean(&self, step: usize, noisy: &[f32], predicted: &[f32]) -> Vec<f32> {
        self.0.clean(step, noisy, predicted)
    }

    fn step(&self, step: usize, noisy: &mut [f32], predicted: &[f32], noise: Noise<'_>) {
        let estimate = self.clean(step, noisy, predicted);
        let (_, end) = self.0.around(step);
        if end >= 1.0 {
            noisy.copy_from_slice(&estimate);
            return;
        }
        let fresh = noise();
        for ((x, clean), fresh) in noisy.iter_mut().zip(estimate).zip(fresh) {
            *x = clean * end + fresh * (1.0 - end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sampling;
    use super::*;

    #[test]
    fn steps_noise_the_estimate_anew_and_the_last_does_not() {
        let mut sampling = sampling("flow-consistency", Prediction::Picture);
        sampling.schedules.insert("2".into(), vec![0.0, 0.75, 1.0]);
        let sampler = (ENTRY.sampler)(&sampling, 2).unwrap();
        let mut x = vec![3.0, -2.0];
        sampler.step(0, &mut x, &[0.5, 1.0], &mut || vec![2.0, -2.0]);
        assert_eq!(x, [0.5 * 0.75 + 0.5, 0.75 - 0.5]);
        sampler.step(1, &mut x, &[0.25, 0.5], &mut || panic!("the last step asked for noise"));
        assert_eq!(x, [0.25, 0.5]);
    }
}
