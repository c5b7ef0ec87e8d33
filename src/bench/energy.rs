//! Energy of a picture: the integral of power over the time in which it was drawn, and its error.
//!
//! Power between two samples is taken as a straight line (trapezoid rule). The error has three parts that do not depend on
//! each other, so that their squares add:
//!
//! * the meter's: gain × energy and offset × time, as its maker states them, added to each other since both are systematic;
//! * the step of its readings: uniform within one step, step/√12 for each sample (Bennett, *Spectra of quantized signals*,
//!   1948), times the sample's share of the time;
//! * the rate: how much the integral changes when every other sample is left out, the larger of both ways to do so. Power
//!   that moves faster than the meter samples shows as this.
//!
//! For the net energy the gain counts on the difference alone, and the standard error of the idle power is added.

use serde::{Deserialize, Serialize};

use crate::device::power::{Accuracy, Sample};

/// Fewest samples within a window whose energy is stated.
pub const FEWEST: usize = 10;

/// A span of time, in seconds since the run's origin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Begin.
    pub start: f64,
    /// End, not before the begin.
    pub end: f64,
}

impl Window {
    /// Its length in seconds.
    pub fn seconds(self) -> f64 {
        self.end - self.start
    }
}

/// Power while nothing is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Idle {
    /// Mean, in watts.
    pub watts: f64,
    /// Standard deviation of the samples, in watts.
    pub standard_deviation: f64,
    /// Number of samples.
    pub samples: usize,
    /// How long it was measured, in seconds.
    pub seconds: f64,
}

impl Idle {
    /// The idle power within a window; nothing with fewer than [`FEWEST`] samples.
    pub fn of(samples: &[Sample], window: Window) -> Option<Idle> {
        let watts: Vec<f64> = within(samples, window).iter().map(|sample| sample.watts).collect();
        let summary = super::statistics::Summary::of(&watts).filter(|summary| summary.n >= FEWEST)?;
        Some(Idle {
            watts: summary.mean,
            standard_deviation: summary.standard_deviation,
            samples: summary.n,
            seconds: window.seconds(),
        })
    }
}

/// An energy with its error, in joules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Joules {
    /// Everything that was drawn.
    pub gross: f64,
    /// Its error; without the meter's own where its maker states none.
    pub gross_error: f64,
    /// What was drawn above the idle power; nothing where that was not measured.
    pub net: Option<f64>,
    /// Its error.
    pub net_error: Option<f64>,
    /// Samples within the time.
    pub samples: usize,
}

/// The energy of windows together. Nothing where they hold fewer than [`FEWEST`] samples, or samples do not reach over each
/// of them.
pub fn energy(samples: &[Sample], windows: &[Window], idle: Option<Idle>, accuracy: &Accuracy) -> Option<Joules> {
    let seconds: f64 = windows.iter().map(|window| window.seconds()).sum();
    let count = windows.iter().map(|&window| within(samples, window).len()).sum();
    if count < FEWEST {
        return None;
    }
    let gross: f64 = windows.iter().map(|&window| integral(samples, window)).sum::<Option<f64>>()?;
    let thinned = |first: usize| {
        let half: Vec<Sample> = samples.iter().skip(first).step_by(2).copied().collect();
        windows.iter().map(|&window| integral(&half, window)).sum::<Option<f64>>()
    };
    let changes = [0, 1].map(|first| thinned(first).map_or(gross.abs(), |joules| (joules - gross).abs()));
    let rate = changes[0].max(changes[1]);
    let step = accuracy.resolution_watts / 12f64.sqrt() * seconds / (count as f64).sqrt();
    let gain = accuracy.gain.unwrap_or(0.0);
    let meter = |joules: f64| gain * joules.abs() + accuracy.offset_watts * seconds;
    let net = idle.map(|idle| gross - idle.watts * seconds);
    let net_error = idle.zip(net).map(|(idle, net)| {
        let uncertain = idle.standard_deviation / (idle.samples as f64).sqrt() * seconds;
        // An offset is in the idle power too and cancels.
        root_of_squares(&[gain * net.abs(), step, rate, uncertain])
    });
    Some(Joules {
        gross,
        gross_error: root_of_squares(&[meter(gross), step, rate]),
        net,
        net_error,
        samples: count,
    })
}

fn root_of_squares(parts: &[f64]) -> f64 {
    parts.iter().map(|part| part * part).sum::<f64>().sqrt()
}

/// Samples within a window, its ends included.
pub fn within(samples: &[Sample], window: Window) -> &[Sample] {
    let start = samples.partition_point(|sample| sample.seconds < window.start);
    let end = samples.partition_point(|sample| sample.seconds <= window.end);
    &samples[start..end.max(start)]
}

/// The integral of power over a window, in joules; nothing where samples do not begin before it and end after it.
fn integral(samples: &[Sample], window: Window) -> Option<f64> {
    let inside = within(samples, window);
    let points = std::iter::once(interpolated(samples, window.start)?)
        .chain(inside.iter().copied())
        .chain(std::iter::once(interpolated(samples, window.end)?));
    let points: Vec<Sample> = points.collect();
    let areas = points
        .windows(2)
        .map(|pair| f64::midpoint(pair[0].watts, pair[1].watts) * (pair[1].seconds - pair[0].seconds));
    Some(areas.sum())
}

/// The power at a time between two samples.
fn interpolated(samples: &[Sample], seconds: f64) -> Option<Sample> {
    let after = samples.partition_point(|sample| sample.seconds < seconds);
    let right = samples.get(after)?;
    if right.seconds == seconds {
        return Some(*right);
    }
    let left = samples.get(after.checked_sub(1)?)?;
    let share = (seconds - left.seconds) / (right.seconds - left.seconds);
    Some(Sample {
        seconds,
        watts: left.watts + share * (right.watts - left.watts),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(count: usize, interval: f64, power: impl Fn(f64) -> f64) -> Vec<Sample> {
        let at = |index: usize| {
            let seconds = index as f64 * interval;
            Sample {
                seconds,
                watts: power(seconds),
            }
        };
        (0..count).map(at).collect()
    }

    fn window(start: f64, end: f64) -> Window {
        Window { start, end }
    }

    fn exact() -> Accuracy {
        Accuracy {
            gain: Some(0.0),
            ..Accuracy::default()
        }
    }

    fn close(left: f64, right: f64, within: f64) {
        assert!((left - right).abs() <= within, "{left} {right}");
    }

    #[test]
    fn constants_and_ramps_are_exact() {
        let constant = sampled(101, 0.1, |_| 2.5);
        let joules = energy(&constant, &[window(1.03, 4.57)], None, &exact()).unwrap();
        close(joules.gross, 2.5 * 3.54, 1e-9);
        close(joules.gross_error, 0.0, 1e-9);
        // 3 W/s from 1.05 s to 2.05 s: 1.5 × (2.05² − 1.05²).
        let ramp = sampled(101, 0.1, |seconds| 3.0 * seconds);
        let joules = energy(&ramp, &[window(1.05, 2.05)], None, &exact()).unwrap();
        close(joules.gross, 1.5 * (2.05f64.powi(2) - 1.05f64.powi(2)), 1e-9);
        assert_eq!(joules.samples, 10);
    }

    #[test]
    fn a_wave_is_within_its_stated_error() {
        // 2 + sin(2πt) over 0.25 s..1.1 s: the integral of the sine is −(cos(2π·1.1) − cos(2π·0.25))/2π.
        let tau = std::f64::consts::TAU;
        let wave = |seconds: f64| 2.0 + (tau * seconds).sin();
        let exactly = 2.0 * 0.85 - ((tau * 1.1).cos() - (tau * 0.25).cos()) / tau;
        for interval in [0.005, 0.02, 0.05] {
            let joules = energy(&sampled(500, interval, wave), &[window(0.25, 1.1)], None, &exact()).unwrap();
            assert!(
                (joules.gross - exactly).abs() <= joules.gross_error + 1e-9,
                "{interval}: {joules:?} {exactly}"
            );
            assert!(joules.gross_error < 0.05 * exactly, "{joules:?}");
        }
    }

    #[test]
    fn net_is_above_idle_and_errors_add_as_stated() {
        let samples = sampled(400, 0.05, |seconds| if seconds < 10.0 { 2.0 } else { 5.0 });
        let idle = Idle::of(&samples, window(0.0, 9.0)).unwrap();
        assert_eq!((idle.watts, idle.standard_deviation), (2.0, 0.0));
        let accuracy = Accuracy {
            gain: Some(0.01),
            offset_watts: 0.002,
            resolution_watts: 0.012,
            stated_by: String::new(),
        };
        let joules = energy(&samples, &[window(11.0, 13.0)], Some(idle), &accuracy).unwrap();
        close(joules.gross, 10.0, 1e-9);
        close(joules.net.unwrap(), 6.0, 1e-9);
        let step = 0.012 / 12f64.sqrt() * 2.0 / (joules.samples as f64).sqrt();
        close(joules.gross_error, ((0.1f64 + 0.004).powi(2) + step * step).sqrt(), 1e-9);
        close(joules.net_error.unwrap(), (0.06f64.powi(2) + step * step).sqrt(), 1e-9);
    }

    #[test]
    fn windows_add_up() {
        let samples = sampled(200, 0.1, |_| 4.0);
        let joules = energy(&samples, &[window(1.0, 2.0), window(5.0, 5.5)], None, &exact()).unwrap();
        close(joules.gross, 6.0, 1e-9);
    }

    #[test]
    fn too_little_is_nothing() {
        let samples = sampled(50, 0.1, |_| 1.0);
        assert_eq!(energy(&samples, &[window(1.0, 1.5)], None, &exact()), None);
        // Samples end at 4.9 s.
        assert_eq!(energy(&samples, &[window(1.0, 5.5)], None, &exact()), None);
        assert_eq!(energy(&[], &[window(0.0, 1.0)], None, &exact()), None);
        assert_eq!(Idle::of(&samples, window(0.0, 0.5)), None);
    }
}
