//! Energy: the integral of power over time, and its error.
//!
//! Power is interpolated linearly between samples (trapezoid rule). The error has three independent parts, whose squares add:
//!
//! * the meter's: gain × energy and offset × time, as specified, added to each other because both are systematic;
//! * the resolution of its readings: uniform within one step, step/√12 for each sample (Bennett, *Spectra of quantized signals*,
//!   1948), times the sample's part of the time;
//! * the sampling rate: how much the integral changes if every other sample is left out, the larger of both ways to do so.
//!   This shows power that varies faster than the meter samples.
//!
//! For the net energy the gain applies to the difference only, and the standard error of the idle power is added.

use serde::{Deserialize, Serialize};

use crate::device::power::{Accuracy, Sample};

/// Minimum number of samples within an interval.
pub const FEWEST: usize = 10;

/// An interval of time, in seconds since the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Start.
    pub start: f64,
    /// End, not before the start.
    pub end: f64,
}

impl Interval {
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
    /// Duration of the measurement, in seconds.
    pub seconds: f64,
}

impl Idle {
    /// The idle power within an interval; `None` with fewer than [`FEWEST`] samples.
    pub fn of(samples: &[Sample], window: Interval) -> Option<Idle> {
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
    /// Total energy.
    pub gross: f64,
    /// Its error; without the meter's if that is not specified.
    pub gross_error: f64,
    /// Energy above the idle power, if that was measured.
    pub net: Option<f64>,
    /// Its error.
    pub net_error: Option<f64>,
    /// Samples within the time.
    pub samples: usize,
}

/// The total energy of intervals. `None` if they contain fewer than [`FEWEST`] samples, or samples do not cover each of them.
pub fn energy(samples: &[Sample], windows: &[Interval], idle: Option<Idle>, accuracy: &Accuracy) -> Option<Joules> {
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

/// Samples within an interval, including its ends.
pub fn within(samples: &[Sample], window: Interval) -> &[Sample] {
    let start = samples.partition_point(|sample| sample.seconds < window.start);
    let end = samples.partition_point(|sample| sample.seconds <= window.end);
    &samples[start..end.max(start)]
}

/// The integral of power over an interval, in joules; `None` if the samples do not cover it.
fn integral(samples: &[Sample], window: Interval) -> Option<f64> {
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

    fn window(start: f64, end: f64) -> Interval {
        Interval { start, end }
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
