//! A thread that samples a meter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::PowerMeter;

/// Maximum latency of a stop.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// A power sample, relative to the sampler's origin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds since the origin.
    pub seconds: f64,
    /// Watts.
    pub watts: f64,
}

/// The samples of a meter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// In order of time.
    pub samples: Vec<Sample>,
    /// Number of readings that failed.
    pub failures: u64,
    /// Error of the first failed reading.
    pub first_failure: Option<String>,
}

/// The sampling thread.
pub struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Trace>,
}

impl Sampler {
    /// Starts sampling; times are relative to `origin`.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(meter: Box<dyn PowerMeter>, origin: Instant) -> std::io::Result<Sampler> {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = stop.clone();
        let thread = std::thread::Builder::new()
            .name("power-meter".into())
            .spawn(move || sample(meter, origin, &asked))?;
        Ok(Sampler { stop, thread })
    }

    /// Ends the thread and returns its samples.
    pub fn stop(self) -> Trace {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap_or_default()
    }
}

fn sample(mut meter: Box<dyn PowerMeter>, origin: Instant, stop: &AtomicBool) -> Trace {
    let interval = Duration::from_secs_f64(1.0 / meter.rate().max(1e-3));
    let mut trace = Trace::default();
    let mut next = Instant::now();
    while !stop.load(Ordering::Acquire) {
        match meter.read() {
            Ok(reading) => {
                let seconds = match reading.at.checked_duration_since(origin) {
                    Some(time) => time.as_secs_f64(),
                    None => -(origin - reading.at).as_secs_f64(),
                };
                // The meter's clock may step back, but the integral needs ordered times.
                if trace.samples.last().is_none_or(|last| seconds > last.seconds) && reading.watts.is_finite() {
                    trace.samples.push(Sample {
                        seconds,
                        watts: reading.watts,
                    });
                }
            }
            Err(error) => {
                trace.failures += 1;
                trace.first_failure.get_or_insert_with(|| error.to_string());
            }
        }
        next = (next + interval).max(Instant::now());
        while !stop.load(Ordering::Acquire) && Instant::now() < next {
            std::thread::sleep((next - Instant::now().min(next)).min(LONGEST_WAIT));
        }
    }
    trace
}

#[cfg(test)]
mod tests {
    use super::super::{Accuracy, PowerError, Reading};
    use super::*;

    /// A ramp of one watt per second with occasional errors.
    struct Ramp {
        started: Instant,
        asked: u32,
    }

    impl PowerMeter for Ramp {
        fn name(&self) -> String {
            "ramp".into()
        }
        fn measures(&self) -> String {
            "time".into()
        }
        fn rate(&self) -> f64 {
            200.0
        }
        fn accuracy(&self) -> Accuracy {
            Accuracy::default()
        }
        fn read(&mut self) -> Result<Reading, PowerError> {
            self.asked += 1;
            if self.asked.is_multiple_of(5) {
                return Err(PowerError::meter("ramp", "on purpose"));
            }
            let at = Instant::now();
            Ok(Reading {
                at,
                watts: (at - self.started).as_secs_f64(),
            })
        }
    }

    #[test]
    fn samples_have_their_times_and_failures_are_counted() {
        let started = Instant::now();
        let sampler = Sampler::start(Box::new(Ramp { started, asked: 0 }), started).unwrap();
        std::thread::sleep(Duration::from_millis(400));
        let trace = sampler.stop();
        assert!(trace.samples.len() >= 8, "{}", trace.samples.len());
        for pair in trace.samples.windows(2) {
            assert!(pair[1].seconds > pair[0].seconds);
        }
        assert!(trace.samples.iter().all(|sample| (sample.seconds - sample.watts).abs() < 1e-6));
        assert!(trace.failures >= 2 && trace.first_failure.as_deref() == Some("ramp: on purpose"));
    }
}
