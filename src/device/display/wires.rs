//! The wires of panels on SPI: the bus by Linux's spidev, single lines by the kernel's GPIO character device as pins of
//! `embedded-hal`, and whether pins and clock can be.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use embedded_hal::digital::{self, InputPin, OutputPin};
use gpiocdev::Request;
use gpiocdev::line::{Bias, Value};
use linux_embedded_hal::SpidevDevice;
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};

use super::{DisplayError, device_file};
use crate::device::lines::{self, LineError};

/// What to do where there is no SPI device.
pub const ADVICE: &str = "switch SPI on: dtparam=spi=on in /boot/firmware/config.txt, then restart";
/// The slowest SPI clock, in Hz.
const SLOWEST: u32 = 100_000;

/// Pins or a clock that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WiringError {
    /// Two purposes for one pin.
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
    /// A clock that no panel of the kind takes.
    #[error("an SPI clock of {speed} Hz is not possible for the {panel}: from {} to {} Hz are accepted", possible.start(), possible.end())]
    Speed {
        /// The kind of panel.
        panel: &'static str,
        /// The clock, in Hz.
        speed: u32,
        /// Clocks that are, in Hz.
        possible: RangeInclusive<u32>,
    },
}

/// Whether no pin is used twice and a clock is possible, of which `fastest` is the highest, in Hz.
///
/// # Errors
/// If not.
pub fn check(panel: &'static str, pins: &[(u32, &'static str)], speed: u32, fastest: u32) -> Result<(), WiringError> {
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

/// Opens an SPI device in mode 0 with bytes of eight bits; `speed` in Hz. Never run with a real panel by this project.
///
/// # Errors
/// If it is absent, may not be opened or is none.
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
    /// This one, or that of the pin header.
    ///
    /// # Errors
    /// If there is none with a header's lines, or it may not be opened.
    pub fn find(panel: &'static str, path: Option<&Path>) -> Result<Chip, DisplayError> {
        let path = path.map_or_else(lines::header_chip, |path| Ok(path.to_owned()));
        let path = path.map_err(|error| line_error(panel, error))?;
        Ok(Chip { panel, path })
    }

    /// A line that is driven, at first low or high.
    ///
    /// # Errors
    /// If it is in use, or there is none of that number.
    pub fn output(&self, number: u32, value: Value) -> Result<Line, DisplayError> {
        let request = lines::request(&self.path, &[number], |builder| {
            builder.with_line(number).as_output(value);
        });
        request.map(Line).map_err(|error| line_error(self.panel, error))
    }

    /// A line that is read. With a pull-up, so that a panel that is not there reads as idle for ever, which drivers notice.
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

/// One line of the GPIO character device. It goes back to the kernel when dropped.
pub struct Line(Request);

/// An error of the kernel as one of `embedded-hal`.
#[derive(Debug)]
pub struct PinError(#[allow(dead_code, reason = "shown by Debug, which is all that embedded-hal asks of an error")] gpiocdev::Error);

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
