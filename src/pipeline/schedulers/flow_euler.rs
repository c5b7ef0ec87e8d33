//! Euler's method along the straight lines of rectified flow (Liu et al., arXiv 2209.03003). Deterministic.

use super::{Scheduler, Step};
use crate::pack::Prediction;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct FlowEuler;

impl Scheduler for FlowEuler {
    fn step(&self, noisy: &mut [f32], predicted: &[f32], step: Step, _: &mut dyn FnMut() -> Vec<f32>) {
        let Step { start, end, prediction } = step;
        match prediction {
            Prediction::Picture => {
                let rate = (end - start) / (1.0 - start);
                noisy.iter_mut().zip(predicted).for_each(|(x, picture)| *x += (picture - *x) * rate);
            }
            Prediction::Velocity => noisy
                .iter_mut()
                .zip(predicted)
                .for_each(|(x, velocity)| *x += velocity * (end - start)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(noisy: &mut [f32], predicted: &[f32], prediction: Prediction, start: f32, end: f32) {
        let step = Step { start, end, prediction };
        FlowEuler.step(noisy, predicted, step, &mut || panic!("a deterministic scheduler asked for noise"));
    }

    #[test]
    fn the_last_step_lands_on_the_picture() {
        let mut x = vec![3.0, -2.0];
        step(&mut x, &[0.5, 0.25], Prediction::Picture, 0.75, 1.0);
        assert_eq!(x, [0.5, 0.25]);
    }

    #[test]
    fn both_predictions_walk_the_same_line() {
        let (noise, picture) = ([1.0, -1.0], [0.0, 1.0]);
        let velocity: Vec<f32> = noise.iter().zip(&picture).map(|(n, p)| p - n).collect();
        let (mut a, mut b) = (noise.to_vec(), noise.to_vec());
        step(&mut a, &picture, Prediction::Picture, 0.0, 0.25);
        step(&mut b, &velocity, Prediction::Velocity, 0.0, 0.25);
        assert_eq!(a, b);
    }
}
