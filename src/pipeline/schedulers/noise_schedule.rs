//! What follows from a manifest's noise schedule: what is left of the picture at each time of training (ᾱ), which times are used, and the
//! share of noise in units of the picture's (σ) there. Shared by the schedulers that are not of flows.

use std::f64::consts::FRAC_PI_2;

use crate::pack::{Betas, NoiseSchedule, Prediction, Spacing};
use crate::pipeline::elementary::sine_and_cosine;

/// Largest β of a cosine schedule.
const LARGEST_BETA: f64 = 0.999;

/// ᾱ of each time.
pub fn alphas(schedule: &NoiseSchedule) -> Vec<f64> {
    let count = schedule.train_steps;
    let (start, end) = (schedule.beta_start, schedule.beta_end);
    let between = |start: f64, end: f64, time: usize| match count {
        1 => start,
        _ => start + (end - start) * time as f64 / (count - 1) as f64,
    };
    let beta = |time: usize| match schedule.betas {
        Betas::Linear => between(start, end, time),
        Betas::ScaledLinear => between(start.sqrt(), end.sqrt(), time).powi(2),
        Betas::Cosine => (1.0 - cosine(time + 1, count) / cosine(time, count)).min(LARGEST_BETA),
    };
    let mut left = 1.0;
    let mut alphas: Vec<f64> = (0..count)
        .map(|time| {
            left *= 1.0 - beta(time);
            left
        })
        .collect();
    if schedule.zero_terminal_snr {
        make_last_pure_noise(&mut alphas);
    }
    alphas
}

/// What is left of the picture by a squared cosine.
fn cosine(time: usize, count: usize) -> f64 {
    let share = time as f64 / count as f64;
    sine_and_cosine((share + 0.008) / 1.008 * FRAC_PI_2).1.powi(2)
}

/// Moves and stretches √ᾱ so that the last is 0 and the first stays.
fn make_last_pure_noise(alphas: &mut [f64]) {
    let (Some(first), Some(last)) = (alphas.first().map(|alpha| alpha.sqrt()), alphas.last().map(|alpha| alpha.sqrt())) else {
        return;
    };
    for alpha in alphas {
        *alpha = ((alpha.sqrt() - last) * first / (first - last)).powi(2);
    }
}

/// The timesteps of a picture in `steps` steps, descending; `None` if the schedule has too few. `is_whole` rounds fractional ones.
pub fn times(schedule: &NoiseSchedule, steps: usize, is_whole: bool) -> Option<Vec<f64>> {
    let count = schedule.train_steps;
    if steps == 0 || steps > count {
        return None;
    }
    let time = |step: usize| match schedule.spacing {
        Spacing::Leading => ((steps - 1 - step) * (count / steps) + schedule.offset) as f64,
        Spacing::Trailing => rounded(count as f64 - step as f64 * count as f64 / steps as f64) - 1.0,
        Spacing::Linspace if steps == 1 => 0.0,
        Spacing::Linspace => (count - 1) as f64 * (steps - 1 - step) as f64 / (steps - 1) as f64,
    };
    let times: Vec<f64> = (0..steps)
        .map(|step| if is_whole { rounded(time(step)) } else { time(step) })
        .collect();
    let fits = |time: &f64| (0.0..=(count - 1) as f64).contains(time);
    times.iter().all(fits).then_some(times)
}

/// The nearest whole number, of two the even one, as numpy rounds.
fn rounded(value: f64) -> f64 {
    value.round_ties_even()
}

/// How much of the picture and of noise there is where ᾱ of the picture is left.
pub fn mixture(alpha: f64) -> (f32, f32) {
    (alpha.sqrt() as f32, (1.0 - alpha).sqrt() as f32)
}

/// The clean estimate (x₀) that a prediction stands for, as multiples of the noisy value and of the prediction, where ᾱ of the picture is
/// left in it.
pub fn clean(prediction: Prediction, alpha: f64) -> (f64, f64) {
    let (picture, noise) = (alpha.sqrt(), (1.0 - alpha).sqrt());
    match prediction {
        Prediction::Epsilon => (1.0 / picture, -noise / picture),
        Prediction::V => (picture, -noise),
        Prediction::Picture | Prediction::Velocity => (0.0, 1.0),
    }
}

/// The noise (ε) that a prediction stands for, likewise.
pub fn noise(prediction: Prediction, alpha: f64) -> (f64, f64) {
    let (picture, noise) = (alpha.sqrt(), (1.0 - alpha).sqrt());
    match prediction {
        Prediction::Epsilon => (0.0, 1.0),
        Prediction::V => (noise, picture),
        Prediction::Picture | Prediction::Velocity => (1.0 / noise, -picture / noise),
    }
}

/// `x · one + y · other`, for each.
pub fn combined(x: &[f32], y: &[f32], (one, other): (f64, f64)) -> Vec<f32> {
    let (one, other) = (one as f32, other as f32);
    x.iter().zip(y).map(|(x, y)| x * one + y * other).collect()
}

/// Timesteps and their sigmas, the ratio of noise to picture, for the Euler schedulers (Karras et al., arXiv 2206.00364).
pub struct Sigmas {
    times: Vec<f64>,
    /// One more than there are times: the last is 0.
    sigmas: Vec<f64>,
    prediction: Prediction,
    noise_scale: f64,
}

impl Sigmas {
    /// How much of the picture and of noise a step begins with.
    pub fn mixture(&self, step: usize) -> (f32, f32) {
        (1.0, self.sigmas[step] as f32)
    }

    /// The timesteps and sigmas of a picture in `steps` steps; `None` if the schedule has too few.
    pub fn of(schedule: &NoiseSchedule, prediction: Prediction, steps: usize) -> Option<Sigmas> {
        let times = times(schedule, steps, false)?;
        let mut alphas = alphas(schedule);
        if schedule.zero_terminal_snr {
            // σ of pure noise is infinite: diffusers takes this one.
            *alphas.last_mut()? = 2f64.powi(-24);
        }
        let sigma = |time: usize| ((1.0 - alphas[time]) / alphas[time]).sqrt();
        let at = |time: &f64| {
            let (below, share) = (time.floor() as usize, time.fract());
            let above = (below + 1).min(alphas.len() - 1);
            sigma(below) * (1.0 - share) + sigma(above) * share
        };
        let mut sigmas: Vec<f64> = times.iter().map(at).collect();
        let largest = sigmas.iter().copied().fold(0.0, f64::max);
        sigmas.push(0.0);
        let noise_scale = match schedule.spacing {
            Spacing::Linspace | Spacing::Trailing => largest,
            Spacing::Leading => (largest * largest + 1.0).sqrt(),
        };
        Some(Sigmas {
            times,
            sigmas,
            prediction,
            noise_scale,
        })
    }

    pub fn noise_scale(&self) -> f32 {
        self.noise_scale as f32
    }

    pub fn time(&self, step: usize) -> f32 {
        self.times[step] as f32
    }

    /// σ before and after a step.
    pub fn around(&self, step: usize) -> (f64, f64) {
        (self.sigmas[step], self.sigmas[step + 1])
    }

    pub fn input_scale(&self, step: usize) -> f32 {
        let sigma = self.sigmas[step];
        (1.0 / (sigma * sigma + 1.0).sqrt()) as f32
    }

    pub fn clean(&self, step: usize, noisy: &[f32], predicted: &[f32]) -> Vec<f32> {
        let sigma = self.sigmas[step];
        let square = sigma * sigma + 1.0;
        let shares = match self.prediction {
            Prediction::Epsilon => (1.0, -sigma),
            Prediction::V => (1.0 / square, -sigma / square.sqrt()),
            Prediction::Picture | Prediction::Velocity => (0.0, 1.0),
        };
        combined(noisy, predicted, shares)
    }

    /// Moves from a step's σ to another one, away from the clean estimate.
    pub fn walk(&self, step: usize, noisy: &mut [f32], predicted: &[f32], end: f64) {
        let clean = self.clean(step, noisy, predicted);
        let rate = (end / self.sigmas[step]) as f32;
        noisy.iter_mut().zip(clean).for_each(|(x, clean)| *x = clean + (*x - clean) * rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_numbers_of_steps_have_no_times() {
        let mut schedule: NoiseSchedule = toml::from_str(
            "train_steps = 1000\nbeta_start = 0.00085\nbeta_end = 0.012\nbetas = 'scaled-linear'\nspacing = 'leading'\noffset = 1",
        )
        .unwrap();
        assert_eq!(times(&schedule, 4, true), Some(vec![751.0, 501.0, 251.0, 1.0]));
        assert_eq!(times(&schedule, 0, true), None);
        assert_eq!(times(&schedule, 1001, true), None);
        // 999 and one more is beyond the last time.
        assert_eq!(times(&schedule, 1000, true), None);
        schedule.spacing = Spacing::Trailing;
        assert_eq!(times(&schedule, 4, true), Some(vec![999.0, 749.0, 499.0, 249.0]));
        schedule.spacing = Spacing::Linspace;
        assert_eq!(times(&schedule, 3, false), Some(vec![999.0, 499.5, 0.0]));
        assert_eq!(times(&schedule, 1, false), Some(vec![0.0]));
    }
}
