//! The devices and pins that an e-paper panel is connected to, and opening them.

use std::path::PathBuf;

use gpiocdev::line::Value;
use linux_embedded_hal::Delay;

use super::link::{Connection, Lines, Link};
use super::models::Model;
use crate::device::display::wires::{self, Chip, WiringError};
use crate::device::display::{DisplayError, Pin};

/// The kind of panel in messages.
const PANEL: &str = "e-paper panel";
/// The fastest SPI clock, in Hz.
const FASTEST: u32 = 20_000_000;

/// The devices and pins of a panel. Pins are line numbers of the GPIO chip: on a Raspberry Pi the BCM numbers.
///
/// ```
/// use inkstone::device::display::epaper::{Model, Wiring};
/// let wiring = Wiring { reset: 16, supply: None, ..Wiring::new(Model::Waveshare73F) };
/// assert!(wiring.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// The SPI device.
    pub spi: PathBuf,
    /// The GPIO chip; by default that of the pin header.
    pub chip: Option<PathBuf>,
    /// Low for commands, high for data.
    pub data_command: u32,
    /// Resets while low.
    pub reset: u32,
    /// Low while the panel is busy.
    pub busy: u32,
    /// Chip select, where the SPI controller does not drive it (`dtoverlay=spi0-0cs`).
    pub chip_select: Option<u32>,
    /// Power supply of the panel, on boards that switch it.
    pub supply: Option<u32>,
    /// SPI clock in Hz.
    pub speed: u32,
}

impl Wiring {
    /// The wiring of a panel whose board sits on the pin header of a Raspberry Pi. Waveshare: `epdconfig.py` of
    /// waveshareteam/e-Paper (reset 17, data/command 25, busy 24, supply 18); Inky: `inky_e673.py` of pimoroni/inky
    /// (reset 27, data/command 22, busy 17).
    pub fn new(model: Model) -> Wiring {
        let (data_command, reset, busy, supply) = if model.is_inky() {
            (22, 27, 17, None)
        } else {
            (25, 17, 24, Some(18))
        };
        Wiring {
            spi: "/dev/spidev0.0".into(),
            chip: None,
            data_command,
            reset,
            busy,
            chip_select: None,
            supply,
            speed: model.speed(),
        }
    }

    /// Its pins and what they are for.
    pub fn pins(&self) -> Vec<Pin> {
        let required = [(self.data_command, "data/command"), (self.reset, "reset"), (self.busy, "busy")];
        let optional = [
            self.chip_select.map(|pin| (pin, "chip select")),
            self.supply.map(|pin| (pin, "supply")),
        ];
        required.into_iter().chain(optional.into_iter().flatten()).collect()
    }

    /// Checks the pins and the clock.
    ///
    /// # Errors
    /// If a pin is used twice or the clock is out of range.
    pub fn check(&self) -> Result<(), WiringError> {
        wires::check(PANEL, &self.pins(), self.speed, FASTEST)
    }

    /// Opens the devices. This project never ran it with a real panel.
    ///
    /// # Errors
    /// If pins or clock are invalid, a device is absent or in use, or this user may not open it.
    pub fn open(&self) -> Result<Box<dyn Link>, DisplayError> {
        self.check()
            .map_err(|error| DisplayError::failed(self.spi.display().to_string(), error))?;
        let spi = wires::open_spi(&self.spi, self.speed)?;
        let chip = Chip::find("e-paper", self.chip.as_deref())?;
        let lines = Lines {
            data_command: chip.output(self.data_command, Value::Inactive)?,
            reset: chip.output(self.reset, Value::Active)?,
            busy: chip.input(self.busy)?,
            chip_select: self.chip_select.map(|line| chip.output(line, Value::Active)).transpose()?,
            supply: self.supply.map(|line| chip.output(line, Value::Inactive)).transpose()?,
        };
        Ok(Box::new(Connection::new(spi, lines, Delay)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wirings_of_vendors_are_valid() {
        for model in Model::ALL {
            assert_eq!(Wiring::new(model).check(), Ok(()), "{}", model.name());
        }
    }

    #[test]
    fn pins_used_twice_are_named() {
        let inky = || Wiring::new(Model::Inky73);
        let error = Wiring { busy: 22, ..inky() }.check().unwrap_err().to_string();
        assert_eq!(error, "pin 22 of the e-paper panel is used twice, for data/command and busy");
        let twice = Wiring {
            chip_select: Some(8),
            supply: Some(8),
            ..inky()
        };
        let error = twice.check().unwrap_err();
        assert!(matches!(
            error,
            WiringError::Twice {
                pin: 8,
                first: "chip select",
                second: "supply",
                ..
            }
        ));
        let error = Wiring { speed: 5, ..inky() }.check().unwrap_err().to_string();
        assert!(error.contains("5 Hz") && error.contains("from 100000 to 20000000 Hz"), "{error}");
    }

    #[test]
    fn an_absent_spi_device_says_how_to_switch_it_on() {
        let folder = tempfile::tempdir().unwrap();
        let wiring = Wiring {
            spi: folder.path().join("spidev0.0"),
            ..Wiring::new(Model::Waveshare73F)
        };
        let error = wiring.open().err().unwrap().to_string();
        assert!(
            error.contains("spidev0.0: there is no such device") && error.contains("dtparam=spi=on"),
            "{error}"
        );
        std::fs::write(folder.path().join("spidev0.0"), "").unwrap();
        let error = wiring.open().err().unwrap();
        assert!(
            matches!(&error, DisplayError::Failed { display, .. } if display.ends_with("spidev0.0")),
            "{error}"
        );
    }
}
