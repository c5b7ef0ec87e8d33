//! A thread that samples the processor's state during a run, twice per second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::report::ProcessorSample;
use crate::device::processor::Processor;

/// Time between samples: long enough not to affect the run.
const INTERVAL: Duration = Duration::from_millis(500);
/// Maximum latency of a stop.
const NAP: Duration = Duration::from_millis(20);

/// The sampling thread.
pub struct ProcessorMonitor {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<ProcessorSample>>,
}

impl ProcessorMonitor {
    /// Starts sampling; times are relative to `origin`.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(processor: Processor, origin: Instant) -> std::io::Result<ProcessorMonitor> {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = stop.clone();
        let thread = std::thread::Builder::new().name("processor-monitor".into()).spawn(move || {
            let mut samples = Vec::new();
            while !asked.load(Ordering::Acquire) {
                samples.push(sample(&processor, origin));
                let next = Instant::now() + INTERVAL;
                while !asked.load(Ordering::Acquire) && Instant::now() < next {
                    std::thread::sleep(NAP);
                }
            }
            samples.push(sample(&processor, origin));
            samples
        })?;
        Ok(ProcessorMonitor { stop, thread })
    }

    /// Takes a last sample and ends the thread.
    pub fn stop(self) -> Vec<ProcessorSample> {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap_or_default()
    }
}

fn sample(processor: &Processor, origin: Instant) -> ProcessorSample {
    let state = processor.quick_state();
    ProcessorSample {
        seconds: origin.elapsed().as_secs_f64(),
        megahertz: state.megahertz,
        celsius: state.celsius,
        fan_rpm: state.fan_rpm,
        throttling: processor.throttling(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_state_are_sampled() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees/pi4");
        let origin = Instant::now();
        let monitor = ProcessorMonitor::start(Processor::find(&root), origin).unwrap();
        std::thread::sleep(Duration::from_millis(60));
        let samples = monitor.stop();
        assert!(samples.len() >= 2 && samples[0].celsius == Some(81.303), "{samples:?}");
        assert!(samples.last().unwrap().seconds >= 0.06 && samples[0].throttling.is_some());
    }
}
