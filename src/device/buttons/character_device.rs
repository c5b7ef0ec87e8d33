//! Pins through the kernel's GPIO character device: the first choice, on every board.
//!
//! It is maintained, works on all Raspberry Pis and on other boards, debounces in the kernel and releases lines even when the
//! process is killed; `rppal`, the second choice, was retired by its author in July 2025.
//! Owns one thread. Never run on a real board by this project; the conversion of edges to signals is tested in `pins`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gpiocdev::Request;
use gpiocdev::line::{Bias, EdgeDetection, EdgeEvent, EdgeKind};

use super::SignalSender;
use super::pins::{Edges, Pins, Pull};
use crate::device::lines::{self, LineError};

/// Debounce time of the kernel.
const DEBOUNCE: Duration = Duration::from_millis(5);

/// How often the thread checks whether it should end.
const PATIENCE: Duration = Duration::from_millis(200);

/// Listens to pins. Dropping it ends the thread and releases the lines.
pub struct CharacterDevice {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl CharacterDevice {
    /// Listens to pins of a chip, by default that of the pin header, and sends what they do.
    ///
    /// # Errors
    /// If a chip or line is absent or in use, or this user may not open it.
    pub fn open(chip: Option<PathBuf>, pins: Pins, sender: SignalSender) -> Result<CharacterDevice, LineError> {
        let chip = chip.map_or_else(lines::header_chip, Ok)?;
        let all: Vec<u32> = pins.uses().into_iter().map(|(pin, _)| pin).collect();
        let request = lines::request(&chip, &all, |builder| configure(builder, &pins))?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut listener = Listener {
            request,
            edges: Edges::new(pins),
            sender,
            stop: stop.clone(),
        };
        let thread = thread::Builder::new().name("gpio".into()).spawn(move || listener.run());
        let thread = thread.map_err(|error| LineError::Failed {
            chip,
            problem: format!("no thread could be started: {error}"),
        })?;
        Ok(CharacterDevice {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for CharacterDevice {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("gpio: its thread panicked");
        }
    }
}

fn configure(builder: &mut gpiocdev::request::Builder, pins: &Pins) {
    for (line, _) in pins.uses() {
        let bias = match pins.pull(line) {
            Pull::Up => Bias::PullUp,
            Pull::Down => Bias::PullDown,
            Pull::None => Bias::Disabled,
        };
        builder
            .with_line(line)
            .as_input()
            .with_bias(bias)
            .with_edge_detection(EdgeDetection::BothEdges);
        if pins.is_debounced(line) {
            builder.with_debounce_period(DEBOUNCE);
        }
    }
}

struct Listener {
    request: Request,
    edges: Edges,
    sender: SignalSender,
    stop: Arc<AtomicBool>,
}

impl Listener {
    fn run(&mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let event = match self.request.wait_edge_event(PATIENCE) {
                Ok(false) => continue,
                Ok(true) => self.request.read_edge_event(),
                Err(error) => Err(error),
            };
            match event {
                Ok(event) if self.send(&event) => {}
                Ok(_) => return,
                Err(error) => return log::error!("gpio: {error}; buttons on pins stop working"),
            }
        }
    }

    /// Returns whether anyone still listens.
    fn send(&mut self, event: &EdgeEvent) -> bool {
        let at = Instant::now();
        let signal = self.edges.edge(event.offset, event.kind == EdgeKind::Rising, at);
        signal.is_none_or(|signal| self.sender.send(signal, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_that_is_absent_is_named() {
        let (sender, _receiver) = std::sync::mpsc::channel();
        let error = CharacterDevice::open(Some("/dev/gpiochip77".into()), Pins::default(), sender.into())
            .err()
            .unwrap();
        assert!(
            matches!(&error, LineError::NoChip { chip, .. } if chip.ends_with("gpiochip77")),
            "{error}"
        );
    }
}
