//! Multistep consistency sampling (Song et al., arXiv 2303.01469, algorithm 1) on the straight lines of rectified flow: each
//! step takes the model's clean estimate and noises it anew, for models that were distilled to jump to the end.

use super::{Scheduler, Step, clean};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct FlowConsistency;

impl Scheduler for FlowConsistency {
    fn step(&self, noisy: &mut [f32], predicted: &[f32], step: Step, noise: &mut dyn FnMut() -> Vec<f32>) {
        let estimate = clean(noisy, predicted, step);
        if step.end >= 1.0 {
            noisy.copy_from_slice(&estimate);
            return;
        }
        let fresh = noise();
        for ((x, clean), fresh) in noisy.iter_mut().zip(estimate).zip(fresh) {
            *x = clean * step.end + fresh * (1.0 - step.end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::Prediction;

    #[test]
    fn steps_noise_the_estimate_anew_and_the_last_does_not() {
        let mut x = vec![3.0, -2.0];
        let mut step = Step {
            start: 0.0,
            end: 0.75,
            prediction: Prediction::Picture,
        };
        FlowConsistency.step(&mut x, &[0.5, 1.0], step, &mut || vec![2.0, -2.0]);
        assert_eq!(x, [0.5 * 0.75 + 0.5, 0.75 - 0.5]);
        (step.start, step.end) = (0.75, 1.0);
        FlowConsistency.step(&mut x, &[0.25, 0.5], step, &mut || panic!("the last step asked for noise"));
        assert_eq!(x, [0.25, 0.5]);
    }
}
