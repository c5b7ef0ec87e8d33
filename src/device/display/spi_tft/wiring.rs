//! The devices and pins that a panel on SPI is connected to, and opening them: through the kernel's spidev and GPIO character
//! device, or through `rppal`, which drives the pins of Raspberry Pis by their registers.

#[cfg(feature = "rppal")]
use std::path::Path;
use std::path::PathBuf;

use gpiocdev::line::Value;
use linux_embedded_hal::{Delay, SpidevDevice};

use super::{Connection, PanelConfig, link, start};
use crate::device::display::wires::{self, ADVICE, Chip, Line, WiringError};
use crate::device::display::{DisplayError, DisplaySettings, Gpio, Pin, Screen, device_file};

/// The kind of panel in messages.
const PANEL: &str = "SPI panel";
/// The fastest SPI clock, in Hz.
const FASTEST: u32 = 125_000_000;

/// The devices and pins of a panel. Pins are line numbers of the GPIO chip: on a Raspberry Pi the BCM numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// The SPI device.
    pub spi: PathBuf,
    /// What drives the pins.
    pub gpio: Gpio,
    /// The GPIO chip; by default that of the pin header.
    pub chip: Option<PathBuf>,
    /// Low for commands, high for data.
    pub data_command: u32,
    /// Resets while low.
    pub reset: Option<u32>,
    /// Lights the panel while high.
    pub backlight: Option<u32>,
    /// SPI clock in Hz.
    pub speed: u32,
}

impl Default for Wiring {
    /// Waveshare's SPI panels on the pin header of a Raspberry Pi (data/command 25, reset 27, backlight 18), at a clock
    /// that all of them support.
    fn default() -> Wiring {
        Wiring {
            spi: "/dev/spidev0.0".into(),
            gpio: Gpio::Kernel,
            chip: None,
            data_command: 25,
            reset: Some(27),
            backlight: Some(18),
            speed: 40_000_000,
        }
    }
}

impl Wiring {
    /// The wiring that settings describe.
    pub(super) fn of(settings: &DisplaySettings) -> Wiring {
        let default = Wiring::default();
        Wiring {
            spi: settings.spi_bus(),
            gpio: settings.gpio,
            chip: settings.chip.clone(),
            data_command: settings.data_command.unwrap_or(default.data_command),
            reset: settings.reset.or(default.reset),
            backlight: settings.backlight.or(default.backlight),
            speed: settings.speed.unwrap_or(default.speed),
        }
    }

    /// Its pins and what they are for.
    pub fn pins(&self) -> Vec<Pin> {
        let optional = [self.reset.map(|pin| (pin, "reset")), self.backlight.map(|pin| (pin, "backlight"))];
        std::iter::once((self.data_command, "data/command"))
            .chain(optional.into_iter().flatten())
            .collect()
    }

    /// Checks the pins and the clock.
    ///
    /// # Errors
    /// If a pin is used twice or the clock is out of range.
    pub fn check(&self) -> Result<(), WiringError> {
        wires::check(PANEL, &self.pins(), self.speed, FASTEST)
    }

    /// Opens the devices and initializes the panel.
    pub(super) fn open(&self, config: PanelConfig) -> Result<Box<dyn Screen>, DisplayError> {
        self.check()
            .map_err(|error| DisplayError::failed(format!("spi:{}", config.model.name()), error))?;
        // The libraries' own errors name neither the group nor the setting.
        drop(device_file::open(&self.spi, "spi", ADVICE)?);
        match self.gpio {
            Gpio::Kernel => start(config, self.by_kernel()?, Delay),
            #[cfg(feature = "rppal")]
            Gpio::Rppal => start(config, self.by_rppal()?, Delay),
            #[cfg(not(feature = "rppal"))]
            Gpio::Rppal => Err(DisplayError::absent(
                "rppal",
                "this program was built without it",
                "build it with `--features rppal`, or set gpio = \"kernel\"",
            )),
        }
    }

    fn by_kernel(&self) -> Result<Connection<SpidevDevice, Line>, DisplayError> {
        let spi = wires::open_spi(&self.spi, self.speed)?;
        let chip = Chip::find("spi panel", self.chip.as_deref())?;
        let line = |number, value| chip.output(number, value);
        Ok(Connection {
            spi,
            data_command: line(self.data_command, Value::Inactive)?,
            reset: self.reset.map(|number| line(number, Value::Active)).transpose()?,
            backlight: self.backlight.map(|number| line(number, Value::Inactive)).transpose()?,
            max_transfer: link::longest_transfer(),
        })
    }

    #[cfg(feature = "rppal")]
    fn by_rppal(&self) -> Result<Connection<rppal::spi::SimpleHalSpiDevice, rppal::gpio::OutputPin>, DisplayError> {
        use rppal::spi::{Mode, SimpleHalSpiDevice, Spi};
        let failed = |error: &dyn std::fmt::Display| DisplayError::failed("rppal", error);
        let (bus, select) = rppal_bus(&self.spi).ok_or_else(|| {
            let problem = "rppal supports /dev/spidev0.0 to /dev/spidev6.2";
            DisplayError::absent(self.spi.display().to_string(), problem, "use one of them, or set gpio = \"kernel\"")
        })?;
        let spi = Spi::new(bus, select, self.speed, Mode::Mode0).map_err(|error| failed(&error))?;
        let gpio = rppal::gpio::Gpio::new().map_err(|error| failed(&error))?;
        let pin = |number: u32| {
            let number = u8::try_from(number).unwrap_or(u8::MAX);
            gpio.get(number).map_err(|error| failed(&format!("pin {number}: {error}")))
        };
        Ok(Connection {
            spi: SimpleHalSpiDevice::new(spi),
            data_command: pin(self.data_command)?.into_output_low(),
            reset: self.reset.map(pin).transpose()?.map(|pin| pin.into_output_high()),
            backlight: self.backlight.map(pin).transpose()?.map(|pin| pin.into_output_low()),
            max_transfer: link::longest_transfer(),
        })
    }
}

/// The bus and the chip select of `/dev/spidev0.1`.
#[cfg(feature = "rppal")]
fn rppal_bus(device: &Path) -> Option<(rppal::spi::Bus, rppal::spi::SlaveSelect)> {
    use rppal::spi::{Bus, SlaveSelect};
    let (bus, select) = device.to_str()?.strip_prefix("/dev/spidev")?.split_once('.')?;
    let buses = [Bus::Spi0, Bus::Spi1, Bus::Spi2, Bus::Spi3, Bus::Spi4, Bus::Spi5, Bus::Spi6];
    let selects = [SlaveSelect::Ss0, SlaveSelect::Ss1, SlaveSelect::Ss2];
    let (bus, select) = (bus.parse::<usize>().ok()?, select.parse::<usize>().ok()?);
    Some((*buses.get(bus)?, *selects.get(select)?))
}

#[cfg(test)]
mod tests {
    use super::super::Model;
    use super::*;

    #[test]
    fn pins_used_twice_and_clocks_are_checked() {
        assert_eq!(Wiring::default().check(), Ok(()));
        let twice = Wiring {
            backlight: Some(25),
            ..Wiring::default()
        };
        let error = twice.check().unwrap_err().to_string();
        assert_eq!(error, "pin 25 of the SPI panel is used twice, for data/command and backlight");
        let slow = Wiring {
            speed: 9600,
            ..Wiring::default()
        };
        assert!(matches!(slow.check(), Err(WiringError::Speed { speed: 9600, .. })));
    }

    #[test]
    fn absent_and_wrong_devices_are_errors() {
        let config = PanelConfig::new(Model::St7789);
        let folder = tempfile::tempdir().unwrap();
        for gpio in [Gpio::Kernel, Gpio::Rppal] {
            let wiring = Wiring {
                spi: folder.path().join("spidev0.0"),
                gpio,
                ..Wiring::default()
            };
            let error = wiring.open(config).err().unwrap().to_string();
            assert!(error.contains("no such device") && error.contains("dtparam=spi=on"), "{error}");
            std::fs::write(&wiring.spi, "").unwrap();
            assert!(wiring.open(config).is_err());
            std::fs::remove_file(&wiring.spi).unwrap();
        }
    }

    #[test]
    #[cfg(feature = "rppal")]
    fn rppal_buses_are_parsed() {
        assert!(rppal_bus(Path::new("/dev/spidev0.1")).is_some());
        for other in ["/dev/spidev9.0", "/dev/spidev0.7", "/dev/spi0", "/dev/spidevx.y"] {
            assert!(rppal_bus(Path::new(other)).is_none());
        }
    }
}
