//! Pins through `rppal`, which accesses the registers of a Raspberry Pi directly: the second choice.
//!
//! Its author retired it in July 2025 (README of golemparts/rppal), so it does not know newer boards; the kernel's character
//! device comes first. Owns the pins, which report from a thread of the library.
//! Never run on a real board by this project; the conversion of edges to signals is tested in `pins`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rppal::gpio::{Error, Gpio, InputPin, Trigger};

use super::SignalSender;
use super::pins::{Edges, Pins, Pull};

/// Debounce time of the library for buttons and motion sensors.
const DEBOUNCE: Duration = Duration::from_millis(5);

/// An error of `rppal`.
#[derive(Debug, thiserror::Error)]
pub enum RppalError {
    /// No Raspberry Pi, or one that the library does not know.
    #[error("rppal does not know this board; use the kernel's GPIO driver instead (driver = \"character-device\" in the settings)")]
    UnknownBoard,
    /// No permission to open the registers.
    #[error("{0}: permission denied; add this user to the group 'gpio' (`sudo usermod -aG gpio $USER`, then log in again)")]
    Permission(String),
    /// The pin is in use by this program.
    #[error("pin gpio{0} is used twice")]
    Twice(u8),
    /// There is no such pin.
    #[error("there is no pin gpio{0} on this board")]
    NoPin(u32),
    /// Anything else.
    #[error("rppal: {0}")]
    Failed(String),
}

impl From<Error> for RppalError {
    fn from(error: Error) -> RppalError {
        match error {
            Error::UnknownModel => RppalError::UnknownBoard,
            Error::PermissionDenied(path) => RppalError::Permission(path),
            Error::PinUsed(pin) => RppalError::Twice(pin),
            Error::PinNotAvailable(pin) => RppalError::NoPin(pin.into()),
            other => RppalError::Failed(other.to_string()),
        }
    }
}

/// Listens to pins. Dropping it ends that and restores the pins.
pub struct Rppal {
    _pins: Vec<InputPin>,
}

impl Rppal {
    /// Listens to pins, by their BCM numbers, and sends what they do.
    ///
    /// # Errors
    /// If this is no known Raspberry Pi, a pin is absent or in use, or this user may not open them.
    pub fn open(pins: Pins, sender: SignalSender) -> Result<Rppal, RppalError> {
        let gpio = Gpio::new()?;
        let lines: Vec<u32> = pins.uses().into_iter().map(|(line, _)| line).collect();
        let edges = Arc::new(Mutex::new(Edges::new(pins.clone())));
        let open = |line: u32| -> Result<InputPin, RppalError> {
            let pin = gpio.get(u8::try_from(line).map_err(|_| RppalError::NoPin(line))?)?;
            let mut pin = match pins.pull(line) {
                Pull::Up => pin.into_input_pullup(),
                Pull::Down => pin.into_input_pulldown(),
                Pull::None => pin.into_input(),
            };
            let debounce = pins.is_debounced(line).then_some(DEBOUNCE);
            let (edges, sender) = (edges.clone(), sender.clone());
            pin.set_async_interrupt(Trigger::Both, debounce, move |event| {
                let at = Instant::now();
                let mut edges = edges.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(signal) = edges.edge(line, event.trigger == Trigger::RisingEdge, at) {
                    // If nobody listens any more the program is about to end.
                    sender.send(signal, at);
                }
            })?;
            Ok(pin)
        };
        Ok(Rppal {
            _pins: lines.into_iter().map(open).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_to_do() {
        let error = RppalError::from(Error::PermissionDenied("/dev/gpiomem".into())).to_string();
        assert!(error.contains("/dev/gpiomem") && error.contains("group 'gpio'"), "{error}");
        assert!(RppalError::from(Error::UnknownModel).to_string().contains("character-device"));
        assert!(matches!(RppalError::from(Error::PinUsed(5)), RppalError::Twice(5)));
    }
}
