//! Which pins an e-paper panel is wired to, and opening what is behind them.

use std::path::PathBuf;

use gpiocdev::line::Value;
use linux_embedded_hal::Delay;

use super::link::{Connection, Lines, Link};
use super::models::Model;
use crate::device::display::DisplayError;
use crate::device::display::wires::{self, Chip, WiringError};

/// The kind of panel, for people.
const PANEL: &str = "e-paper panel";
/// The fastest SPI clock, in Hz.
const FASTEST: u32 = 20_000_000;

/// The devices and pins of a panel. Pins are line numbers of the GPIO chip: on a Raspberry Pi the BCM numbers.
///
/// ```
/// use inkstone::device::display::epaper::{Model, Wiring};
/// let wiring = Wiring::of(Model::Waveshare73F).with_reset(16).with_supply(None);
/// assert!(wiring.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wiring {
    /// The SPI device.
    pub spi: PathBuf,
    /// The GPIO chip; without one that of the pin header.
    #[serde(default)]
    pub chip: Option<PathBuf>,
    /// Low for commands, high for data.
    pub data_command: u32,
    /// Resets while low.
    pub reset: u32,
    /// Low while the panel is busy.
    pub busy: u32,
    /// Chip select, where the SPI controller does not drive it (`dtoverlay=spi0-0cs`).
    #[serde(default)]
    pub chip_select: Option<u32>,
    /// Power supply of the panel, on boards that switch it.
    #[serde(default)]
    pub supply: Option<u32>,
    /// SPI clock in Hz.
    pub speed: u32,
}

impl Wiring {
    /// How a panel is wired when its board sits on the pin header of a Raspberry Pi. Waveshare: `epdconfig.py` of
    /// waveshareteam/e-Paper (reset 17, data/command 25, busy 24, supply 18); Inky: `inky_e673.py` of pimoroni/inky
    /// (reset 27, data/command 22, busy 17).
    pub fn of(model: Model) -> Wiring {
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

    /// Another SPI device.
    pub fn with_spi(self, spi: impl Into<PathBuf>) -> Wiring {
        Wiring { spi: spi.into(), ..self }
    }

    /// Another GPIO chip than that of the pin header.
    pub fn with_chip(self, chip: impl Into<PathBuf>) -> Wiring {
        Wiring {
            chip: Some(chip.into()),
            ..self
        }
    }

    /// Another data/command pin.
    pub fn with_data_command(self, data_command: u32) -> Wiring {
        Wiring { data_command, ..self }
    }

    /// Another reset pin.
    pub fn with_reset(self, reset: u32) -> Wiring {
        Wiring { reset, ..self }
    }

    /// Another busy pin.
    pub fn with_busy(self, busy: u32) -> Wiring {
        Wiring { busy, ..self }
    }

    /// A chip select pin, or none.
    pub fn with_chip_select(self, chip_select: Option<u32>) -> Wiring {
        Wiring { chip_select, ..self }
    }

    /// A supply pin, or none.
    pub fn with_supply(self, supply: Option<u32>) -> Wiring {
        Wiring { supply, ..self }
    }

    /// Another SPI clock in Hz.
    pub fn with_speed(self, speed: u32) -> Wiring {
        Wiring { speed, ..self }
    }

    /// Its pins and what they are for.
    pub fn pins(&self) -> Vec<(u32, &'static str)> {
        let always = [(self.data_command, "data/command"), (self.reset, "reset"), (self.busy, "busy")];
        let sometimes = [
            self.chip_select.map(|pin| (pin, "chip select")),
            self.supply.map(|pin| (pin, "supply")),
        ];
        always.into_iter().chain(sometimes.into_iter().flatten()).collect()
    }

    /// Whether the pins can be.
    ///
    /// # Errors
    /// If a pin is used twice or the clock is impossible.
    pub fn check(&self) -> Result<(), WiringError> {
        wires::check(PANEL, &self.pins(), self.speed, FASTEST)
    }

    /// Opens the devices. Never run with a real panel by this project.
    ///
    /// # Errors
    /// If the pins cannot be, a device is absent or in use, or this user may not open it.
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
    fn makers_wirings_are_possible() {
        for model in Model::ALL {
            assert_eq!(Wiring::of(model).check(), Ok(()), "{}", model.name());
        }
    }

    #[test]
    fn pins_used_twice_are_named() {
        let error = Wiring::of(Model::Inky73).with_busy(22).check().unwrap_err().to_string();
        assert_eq!(error, "pin 22 of the e-paper panel is used twice, for data/command and busy");
        let error = Wiring::of(Model::Inky73)
            .with_chip_select(Some(8))
            .with_supply(Some(8))
            .check()
            .unwrap_err();
        assert!(matches!(
            error,
            WiringError::Twice {
                pin: 8,
                first: "chip select",
                second: "supply",
                ..
            }
        ));
        let error = Wiring::of(Model::Inky73).with_speed(5).check().unwrap_err().to_string();
        assert!(error.contains("5 Hz") && error.contains("from 100000 to 20000000 Hz"), "{error}");
    }

    #[test]
    fn an_absent_spi_device_says_how_to_switch_it_on() {
        let folder = tempfile::tempdir().unwrap();
        let wiring = Wiring::of(Model::Waveshare73F).with_spi(folder.path().join("spidev0.0"));
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

    #[test]
    fn settings_are_read_by_their_names() {
        let wiring = Wiring::of(Model::Inky57);
        assert_eq!(toml::from_str::<Wiring>(&toml::to_string(&wiring).unwrap()).unwrap(), wiring);
        assert!(toml::from_str::<Wiring>("spi = '/dev/spidev0.0'\ndata-command = 1\nreset = 2\nbusy = 3\nspeed = 4\npower = 5").is_err());
    }
}
