//! Which display to use and how it is connected, as plain data that a settings file holds. Every driver reads the fields that
//! concern it and has defaults for those that are absent.

use std::path::PathBuf;

use embedded_graphics::prelude::Size;

use super::{Device, DisplayKind, ModeRequest, Pin, Rotation};

/// What drives the pins and the bus of a panel on SPI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gpio {
    /// The kernel's device files, which every board has.
    #[default]
    Kernel,
    /// The registers of Raspberry Pis up to the 5, by way of `rppal`.
    Rppal,
}

/// A display and how it is connected. Absent fields have the defaults of the display's driver.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DisplaySettings {
    /// Which display.
    pub kind: DisplayKind,
    /// KMS: the mode. Window, folder and SPI panel: width and height in pixels, before rotation.
    pub size: Option<ModeRequest>,
    /// How the panel and its touch screen are mounted. Windows, terminals and folders are not rotated: choose another size.
    pub rotation: Rotation,
    /// Window: whether it covers the whole screen.
    pub fullscreen: bool,
    /// SPI and e-paper: the bus and its chip select, by default `/dev/spidev0.0`.
    pub spi: Option<PathBuf>,
    /// SPI and e-paper: the clock in Hz.
    pub speed: Option<u32>,
    /// SPI: what drives the pins.
    pub gpio: Gpio,
    /// SPI and e-paper: the GPIO chip, by default that of the pin header.
    pub chip: Option<PathBuf>,
    /// SPI and e-paper: the pin that is low for commands and high for data.
    pub data_command: Option<u32>,
    /// SPI and e-paper: the reset pin.
    pub reset: Option<u32>,
    /// E-paper: the pin that tells that the panel is busy.
    pub busy: Option<u32>,
    /// SPI: the pin of the backlight.
    pub backlight: Option<u32>,
    /// E-paper: the chip select pin, where the SPI controller does not drive it.
    pub chip_select: Option<u32>,
    /// SPI: where the visible part begins in the controller's memory, in pixels.
    pub offset: Option<[u32; 2]>,
    /// SPI: whether the panel is wired blue, green, red.
    pub blue_first: Option<bool>,
    /// SPI: whether the panel inverts its colours.
    pub inverted: Option<bool>,
    /// SSD1306 and the EEPROM of an Inky: the I²C bus, by default `/dev/i2c-1`.
    pub i2c: Option<PathBuf>,
    /// SSD1306: the address on the bus.
    pub address: Option<u8>,
    /// E-paper: from 0, inks as the pure colours that they are named after, to 1, inks as they look; see
    /// [`crate::picture::dither::Dithering::saturation`].
    pub saturation: Option<f32>,
}

impl DisplaySettings {
    /// A display of a kind with the driver's defaults.
    pub fn new(kind: DisplayKind) -> DisplaySettings {
        DisplaySettings {
            kind,
            ..DisplaySettings::default()
        }
    }

    /// The SPI bus with its chip select.
    pub fn spi_bus(&self) -> PathBuf {
        self.spi.clone().unwrap_or_else(|| "/dev/spidev0.0".into())
    }

    /// The I²C bus.
    pub fn i2c_bus(&self) -> PathBuf {
        self.i2c.clone().unwrap_or_else(|| "/dev/i2c-1".into())
    }

    /// The requested size, or another.
    pub fn size_or(&self, default: Size) -> Size {
        self.size.map_or(default, |request| request.size)
    }

    /// The device files that the display is driven through, without the GPIO chip of its pins. None for `auto` and for
    /// drivers that were not built.
    pub fn devices(&self) -> Vec<Device> {
        self.kind.driver().map(|driver| driver.devices(self)).unwrap_or_default()
    }

    /// The GPIO lines that the display occupies and what for, defaults included. None for `auto` and for drivers that were
    /// not built.
    pub fn pins(&self) -> Vec<Pin> {
        self.kind.driver().map(|driver| driver.pins(self)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_written() {
        let text = "kind = \"spi:gc9a01\"\nrotation = 90\nsize = \"240x240\"\ndata_command = 9\ngpio = \"rppal\"\noffset = [0, 0]\n";
        let settings: DisplaySettings = toml::from_str(text).unwrap();
        assert_eq!((settings.kind.name(), settings.kind.detail()), ("spi", Some("gc9a01")));
        assert_eq!(settings.size_or(Size::zero()), Size::new(240, 240));
        assert_eq!(
            toml::from_str::<DisplaySettings>(&toml::to_string(&settings).unwrap()).unwrap(),
            settings
        );
        assert_eq!(toml::from_str::<DisplaySettings>("").unwrap(), DisplaySettings::default());
        for (wrong, expected) in [
            ("kind = \"kmss\"", "did you mean 'kms'"),
            ("rotaton = 90", "unknown field"),
            ("rotation = 45", "use 0, 90, 180 or 270"),
            ("size = \"big\"", "write 1280x720"),
        ] {
            let error = toml::from_str::<DisplaySettings>(wrong).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
