//! Denoising diffusion implicit models (Song et al., arXiv 2010.02502) without added noise, as `DDIMScheduler` of diffusers. In one step
//! it gives the clean estimate at the last time of training, as one-step models such as SDXS are sampled. Deterministic.

use super::noise_schedule::{alphas, clean, combined, mixture, noise, times};
use super::{Noise, Sampler, SchedulerEntry};
use crate::pack::{Prediction, Sampling};

/// This scheduler's row.
pub const ENTRY: SchedulerEntry = SchedulerEntry {
    name: "ddim",
    predictions: &[Prediction::Epsilon, Prediction::V, Prediction::Picture],
    needs_noise_schedule: true,
    sampler: |sampling, steps| Some(Box::new(Ddim::of(sampling, steps)?)),
};

struct Ddim {
    times: Vec<f64>,
    /// ᾱ before and after each step.
    alphas: Vec<[f64; 2]>,
    prediction: Prediction,
    clip: Option<f32>,
}

impl Ddim {
    fn of(sampling: &Sampling, steps: usize) -> Option<Ddim> {
        let schedule = sampling.noise.as_ref()?;
        let (times, alphas) = (times(schedule, steps, true)?, alphas(schedule));
        let last = if schedule.final_alpha_one { 1.0 } else { alphas[0] };
        let stride = schedule.train_steps / steps;
        let around = |time: &f64| {
            let time = *time as usize;
            [alphas[time], time.checked_sub(stride).map_or(last, |next| alphas[next])]
        };
        let around: Vec<[f64; 2]> = times.iter().map(around).collect();
        // Nothing follows from a prediction of the noise where there is nothing else.
        let is_defined = sampling.prediction != Prediction::Epsilon || around.iter().all(|[alpha, _]| *alpha > 0.0);
        is_defined.then_some(Ddim {
            times,
            alphas: around,
            prediction: sampling.prediction,
            clip: schedule.clip,
        })
    }
}

impl Sampler for Ddim {
    fn mixture(&self, step: usize) -> (f32, f32) {
        mixture(self.alphas[step][0])
    }

    fn time(&self, step: usize) -> f32 {
        self.times[step] as f32
    }

    fn clean(&self, step: usize, noisy: &[f32], predicted: &[f32]) -> Vec<f32> {
        let mut estimate = combined(noisy, predicted, clean(self.prediction, self.alphas[step][0]));
        if let Some(clip) = self.clip {
            estimate.iter_mut().for_each(|value| *value = value.clamp(-clip, clip));
        }
        estimate
    }

    fn step(&self, step: usize, noisy: &mut [f32], predicted: &[f32], _: Noise<'_>) {
        let [start, end] = self.alphas[step];
        let (clean, noise) = (
            self.clean(step, noisy, predicted),
            combined(noisy, predicted, noise(self.prediction, start)),
        );
        noisy.copy_from_slice(&combined(&clean, &noise, (end.sqrt(), (1.0 - end).sqrt())));
    }
}
