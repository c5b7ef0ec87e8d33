//! The wires of panels on SPI: the bus through Linux's spidev, single lines through the kernel's GPIO character device as pins
//! of `embedded-hal`, and checks of pins and clock.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use embedded_hal::digital::{self, InputPin, OutputPin};
use gpiocdev::Request;
use gpiocdev::line::{Bias, Value};
use linux_embedded_hal::SpidevDevice;
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};

use super::{DisplayError, Pin, device_file};
use crate::device::lines::{self, LineError};

/// What to do if there is no SPI device.
pub const ADVICE: &str = "switch SPI on: dtparam=spi=on in /boot/firmware/config.txt, then restart";
/// The slowest SPI clock, in Hz.
const SLOWEST: u32 = 100_000;

/// Invalid pins, or an invalid clock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WiringError {
    /// One pin has two purposes.
    #[error("pin {pin} of the {panel} is used twice, for {first} and {second}")]
    Twice {
        /// The kind of panel.
        panel: &'static str,
        /// The pin.
        pin: u32,
        /// One purpose.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// The clock is out of range for this kind of panel.
    #[error("an SPI clock of {speed} Hz is out of range for the {panel}: it must be from {} to {} Hz", possible.start(), possible.end())]
    Speed {
        /// The kind of panel.
        panel: &'static str,
        /// The clock, in Hz.
        speed: u32,
        /// The range, in Hz.
        possible: RangeInclusive<u32>,
    },
}

/// Checks that no pin is used twice, and that the clock is not higher than `fastest`, in Hz.
///
/// # Errors
/// If that is not so.
pub fn check(panel: &'static str, pins: &[Pin], speed: u32, fastest: u32) -> Result<(), WiringError> {
    for (index, &(pin, second)) in pins.iter().enumerate() {
        if let Some(&(_, first)) = pins[..index].iter().find(|(other, _)| *other == pin) {
            return Err(WiringError::Twice { panel, pin, first, second });
        }
    }
    let possible = SLOWEST..=fastest;
    if possible.contains(&speed) {
        Ok(())
    } else {
        Err(WiringError::Speed { panel, speed, possible })
    }
}

/// Opens an SPI device in mode 0 with eight bits a word; `speed` in Hz. This project never ran it with a real panel.
///
/// # Errors
/// If it is absent, may not be opened, or is not an SPI device.
pub fn open_spi(path: &Path, speed: u32) -> Result<SpidevDevice, DisplayError> {
    let problem = |error: &std::io::Error| device_file::explain(error, path, "spi", ADVICE);
    let mut spi = SpidevDevice::open(path).map_err(|error| problem(error.inner()))?;
    let options = SpidevOptions::new()
        .bits_per_word(8)
        .max_speed_hz(speed)
        .mode(SpiModeFlags::SPI_MODE_0)
        .build();
    spi.configure(&options).map_err(|error| problem(&error))?;
    Ok(spi)
}

/// The GPIO chip that a panel's pins are lines of.
pub struct Chip {
    panel: &'static str,
    path: PathBuf,
}

impl Chip {
    /// The chip at a path; by default that of the pin header.
    ///
    /// # Errors
    /// If no chip with the header's lines is found, or it may not be opened.
    pub fn find(panel: &'static str, path: Option<&Path>) -> Result<Chip, DisplayError> {
        let path = path.map_or_else(lines::header_chip, |path| Ok(path.to_owned()));
        let path = path.map_err(|error| line_error(panel, error))?;
        Ok(Chip { panel, path })
    }

    /// An output line with its first level.
    ///
    /// # Errors
    /// If it is in use, or there is none of that number.
    pub fn output(&self, number: u32, value: Value) -> Result<Line, DisplayError> {
        let request = lines::request(&self.path, &[number], |builder| {
            builder.with_line(number).as_output(value);
        });
        request.map(Line).map_err(|error| line_error(self.panel, error))
    }

    /// An input line with a pull-up, so that an absent panel always reads as idle, which drivers detect.
    ///
    /// # Errors
    /// As [`Chip::output`].
    pub fn input(&self, number: u32) -> Result<Line, DisplayError> {
        let request = lines::request(&self.path, &[number], |builder| {
            builder.with_line(number).as_input().with_bias(Bias::PullUp);
        });
        request.map(Line).map_err(|error| line_error(self.panel, error))
    }
}

fn line_error(panel: &str, error: LineError) -> DisplayError {
    match error {
        LineError::Permission { chip } => DisplayError::Permission {
            path: chip,
            group: "gpio".into(),
        },
        other => DisplayError::failed(panel, other),
    }
}

/// One line of the GPIO character device. It is released when dropped.
pub struct Line(Request);

/// An error of the kernel as an error of `embedded-hal`.
#[derive(Debug)]
pub struct PinError(
    #[allow(dead_code, reason = "used through Debug, which is all that embedded-hal requires of an error")] gpiocdev::Error,
);

impl digital::Error for PinError {
    fn kind(&self) -> digital::ErrorKind {
        digital::ErrorKind::Other
    }
}

impl digital::ErrorType for Line {
    type Error = PinError;
}

impl OutputPin for Line {
    fn set_low(&mut self) -> Result<(), PinError> {
        self.0.set_lone_value(Value::Inactive).map(drop).map_err(PinError)
    }

    fn set_high(&mut self) -> Result<(), PinError> {
        self.0.set_lone_value(Value::Active).map(drop).map_err(PinError)
    }
}

impl InputPin for Line {
    fn is_high(&mut self) -> Result<bool, PinError> {
        self.0.lone_value().map(|value| value == Value::Active).map_err(PinError)
    }

    fn is_low(&mut self) -> Result<bool, PinError> {
        self.is_high().map(|high| !high)
    }
}
