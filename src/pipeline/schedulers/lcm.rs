//! Multistep sampling of latent consistency models (Luo et al., arXiv 2310.04378), as `LCMScheduler` of diffusers: each step takes the
//! clean estimate, mixed with the noisy latent by the boundary condition, and noises it anew for the next time.

use super::noise_schedule::{alphas, clean, combined, mixture};
use super::{Noise, Sampler, SchedulerEntry};
use crate::pack::{Prediction, Sampling};

/// This scheduler's row.
pub const ENTRY: SchedulerEntry = SchedulerEntry {
    name: "lcm",
    predictions: &[Prediction::Epsilon, Prediction::V, Prediction::Picture],
    needs_noise_schedule: true,
    sampler: |sampling, steps| Some(Box::new(Lcm::of(sampling, steps)?)),
};

/// Standard deviation of the data in the boundary condition.
const DEVIATION: f64 = 0.5;

struct Lcm {
    times: Vec<usize>,
    alphas: Vec<f64>,
    prediction: Prediction,
    clip: Option<f32>,
    time_scaling: f64,
}

impl Lcm {
    fn of(sampling: &Sampling, steps: usize) -> Option<Lcm> {
        let schedule = sampling.noise.as_ref()?;
        let stride = schedule.train_steps / schedule.original_steps;
        if steps == 0 || steps > schedule.original_steps {
            return None;
        }
        // Of the times that the model was distilled at, from the last one down, as many at equal distances.
        let time = |step: usize| (schedule.original_steps - step * schedule.original_steps / steps) * stride - 1;
        let times: Vec<usize> = (0..steps).map(time).collect();
        let all = alphas(schedule);
        let alphas: Vec<f64> = times.iter().map(|&time| all[time]).collect();
        let is_defined = sampling.prediction != Prediction::Epsilon || alphas.iter().all(|alpha| *alpha > 0.0);
        is_defined.then_some(Lcm {
            times,
            alphas,
            prediction: sampling.prediction,
            clip: schedule.clip,
            time_scaling: schedule.time_scaling,
        })
    }
}

impl Sampler for Lcm {
    fn mixture(&self, step: usize) -> (f32, f32) {
        mixture(self.alphas[step])
    }

    fn time(&self, step: usize) -> f32 {
        self.times[step] as f32
    }

    fn clean(&self, step: usize, noisy: &[f32], predicted: &[f32]) -> Vec<f32> {
        let mut estimate = combined(noisy, predicted, clean(self.prediction, self.alphas[step]));
        if let Some(clip) = self.clip {
            estimate.iter_mut().for_each(|value| *value = value.clamp(-clip, clip));
        }
        let scaled = self.times[step] as f64 * self.time_scaling;
        let square = scaled * scaled + DEVIATION * DEVIATION;
        combined(&estimate, noisy, (scaled / square.sqrt(), DEVIATION * DEVIATION / square))
    }

    fn step(&self, step: usize, noisy: &mut [f32], predicted: &[f32], noise: Noise<'_>) {
        let estimate = self.clean(step, noisy, predicted);
        let next = match self.alphas.get(step + 1) {
            Some(&alpha) => combined(&estimate, &noise(), (alpha.sqrt(), (1.0 - alpha).sqrt())),
            None => estimate,
        };
        noisy.copy_from_slice(&next);
    }
}
