//! The processor while pictures are drawn: a thread that looks twice a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::report::Moment;
use crate::device::processor::Processor;

/// Time between two looks: rare enough to cost nothing that shows.
const INTERVAL: Duration = Duration::from_millis(500);
/// Longest that a stop waits.
const NAP: Duration = Duration::from_millis(20);

/// The thread.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Moment>>,
}

impl Watch {
    /// Starts to look; times count from `origin`.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub fn start(processor: Processor, origin: Instant) -> std::io::Result<Watch> {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = stop.clone();
        let thread = std::thread::Builder::new().name("processor-watch".into()).spawn(move || {
            let mut moments = Vec::new();
            while !asked.load(Ordering::Acquire) {
                moments.push(moment(&processor, origin));
                let next = Instant::now() + INTERVAL;
                while !asked.load(Ordering::Acquire) && Instant::now() < next {
                    std::thread::sleep(NAP);
                }
            }
            moments.push(moment(&processor, origin));
            moments
        })?;
        Ok(Watch { stop, thread })
    }

    /// Looks once more and ends the thread.
    pub fn stop(self) -> Vec<Moment> {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap_or_default()
    }
}

fn moment(processor: &Processor, origin: Instant) -> Moment {
    let state = processor.quick_state();
    Moment {
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
    fn looks_at_the_begin_and_at_the_end() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees/pi4");
        let origin = Instant::now();
        let watch = Watch::start(Processor::find(&root), origin).unwrap();
        std::thread::sleep(Duration::from_millis(60));
        let moments = watch.stop();
        assert!(moments.len() >= 2 && moments[0].celsius == Some(81.303), "{moments:?}");
        assert!(moments.last().unwrap().seconds >= 0.06 && moments[0].throttling.is_some());
    }
}
