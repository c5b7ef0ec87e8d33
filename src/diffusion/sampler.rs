//! The arithmetic of one denoising step, on flat slices.

use crate::pack::Prediction;

/// Moves `noisy` from time `start` to `end` (0 noise, 1 picture) by one Euler step along the straight-line flow
/// (Liu et al., arXiv 2209.03003).
pub fn euler_step(noisy: &mut [f32], predicted: &[f32], prediction: Prediction, start: f32, end: f32) {
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

/// Classifier-free guidance (Ho & Salimans, arXiv 2207.12598): moves the prediction away from the one for the
/// other text. 1 leaves it, 0 replaces it.
pub fn guide(predicted: &mut [f32], other: &[f32], guidance: f32) {
    predicted
        .iter_mut()
        .zip(other)
        .for_each(|(with, without)| *with = without + (*with - without) * guidance);
}

/// The clean picture that a prediction stands for.
pub fn clean_picture(noisy: &[f32], predicted: &[f32], prediction: Prediction, start: f32) -> Vec<f32> {
    match prediction {
        Prediction::Picture => predicted.to_vec(),
        Prediction::Velocity => noisy
            .iter()
            .zip(predicted)
            .map(|(x, velocity)| x + velocity * (1.0 - start))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_lands_on_the_picture() {
        let mut x = vec![3.0, -2.0];
        euler_step(&mut x, &[0.5, 0.25], Prediction::Picture, 0.75, 1.0);
        assert_eq!(x, [0.5, 0.25]);
    }

    #[test]
    fn both_predictions_walk_the_same_line() {
        let (noise, picture) = ([1.0, -1.0], [0.0, 1.0]);
        let velocity: Vec<f32> = noise.iter().zip(&picture).map(|(n, p)| p - n).collect();
        let (mut a, mut b) = (noise.to_vec(), noise.to_vec());
        euler_step(&mut a, &picture, Prediction::Picture, 0.0, 0.25);
        euler_step(&mut b, &velocity, Prediction::Velocity, 0.0, 0.25);
        assert_eq!(a, b);
        assert_eq!(clean_picture(&noise, &velocity, Prediction::Velocity, 0.0), picture);
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
