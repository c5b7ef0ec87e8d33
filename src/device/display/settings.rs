//! Which display is wanted and how it is attached, as plain data that a settings file can hold. Knows every kind of display
//! by name, also those that this program was built without.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use embedded_graphics::prelude::Size;

use super::{ModeWish, Rotation};

/// Controllers of SPI panels.
const SPI_PANELS: [&str; 3] = ["st7789", "ili9341", "gc9a01"];

/// Every kind as it is written, for suggestions and help.
const KINDS: [&str; 15] = [
    "auto",
    "kms",
    "framebuffer",
    "window",
    "terminal",
    "terminal:sixel",
    "terminal:kitty",
    "terminal:blocks",
    "png",
    "spi:st7789",
    "spi:ili9341",
    "spi:gc9a01",
    "epaper:inky",
    "epaper:MODEL",
    "ssd1306",
];

/// A kind of display.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DisplayKind {
    /// Whatever is there: KMS, the framebuffer, a window, the terminal, a folder, in this order.
    #[default]
    Auto,
    /// DRM/KMS: `kms`, or `kms:HDMI-A-1` with a connector.
    Kms(Option<String>),
    /// The kernel's framebuffer: `framebuffer`, or `framebuffer:/dev/fb1`.
    Framebuffer(Option<PathBuf>),
    /// A window on a desktop: `window`, or `window:480x800`.
    Window(Option<ModeWish>),
    /// The terminal that the program was started in: `terminal` finds out what it can show, `terminal:sixel` and so on say.
    Terminal(TerminalPictures),
    /// A folder of PNG files: `png` (the folder `frames`), or `png:FOLDER`.
    Png(Option<PathBuf>),
    /// A small colour panel on SPI: `spi:st7789`, `spi:ili9341`, `spi:gc9a01`.
    Spi(String),
    /// E-paper: `epaper:MODEL`; `epaper:inky` asks an Inky which it is.
    EPaper(String),
    /// An SSD1306 on I²C.
    Ssd1306,
}

/// How a terminal shows pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TerminalPictures {
    /// The best that the environment or the terminal itself tells of.
    #[default]
    Auto,
    /// Sixel graphics.
    Sixel,
    /// Kitty's protocol.
    Kitty,
    /// Half blocks, two pixels in each character.
    Blocks,
}

/// Text that names no kind of display.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisplayKindError {
    /// There is none of that name.
    #[error("there is no display '{given}'; did you mean '{nearest}'? There are {}", KINDS.join(", "))]
    Unknown {
        /// What was given.
        given: String,
        /// The kind that is written most like it.
        nearest: &'static str,
    },
    /// What follows the colon is not what the kind needs.
    #[error("the display '{given}' cannot be: {problem}")]
    Detail {
        /// What was given.
        given: String,
        /// What is wrong.
        problem: String,
    },
}

impl FromStr for DisplayKind {
    type Err = DisplayKindError;

    fn from_str(text: &str) -> Result<DisplayKind, DisplayKindError> {
        let (kind, detail) = text.split_once(':').map_or((text, None), |(kind, detail)| (kind, Some(detail)));
        let wrong = |problem: String| DisplayKindError::Detail {
            given: text.to_owned(),
            problem,
        };
        match (kind, detail) {
            (_, Some("")) => Err(wrong("nothing follows the colon".into())),
            ("auto", None) => Ok(DisplayKind::Auto),
            ("terminal", None) => Ok(DisplayKind::Terminal(TerminalPictures::Auto)),
            ("terminal", Some("sixel")) => Ok(DisplayKind::Terminal(TerminalPictures::Sixel)),
            ("terminal", Some("kitty")) => Ok(DisplayKind::Terminal(TerminalPictures::Kitty)),
            ("terminal", Some("blocks")) => Ok(DisplayKind::Terminal(TerminalPictures::Blocks)),
            ("terminal", Some(_)) => Err(wrong(format!(
                "there are sixel, kitty and blocks; did you mean '{}'?",
                nearest(text)
            ))),
            ("ssd1306", None) => Ok(DisplayKind::Ssd1306),
            ("auto" | "ssd1306", Some(_)) => Err(wrong(format!("'{kind}' takes nothing after a colon"))),
            ("kms", connector) => Ok(DisplayKind::Kms(connector.map(str::to_owned))),
            ("framebuffer", path) => Ok(DisplayKind::Framebuffer(path.map(PathBuf::from))),
            ("png", folder) => Ok(DisplayKind::Png(folder.map(PathBuf::from))),
            ("window", size) => {
                let size = size.map(str::parse).transpose();
                size.map(DisplayKind::Window)
                    .map_err(|error: super::ModeWishError| wrong(error.to_string()))
            }
            ("spi" | "epaper", None) => Err(wrong(format!("'{kind}' needs a panel after a colon, as in '{}'", nearest(kind)))),
            ("spi", Some(panel)) if SPI_PANELS.contains(&panel) => Ok(DisplayKind::Spi(panel.to_owned())),
            ("spi", Some(_)) => Err(wrong(format!(
                "there are {}; did you mean '{}'?",
                SPI_PANELS.join(", "),
                nearest(text)
            ))),
            ("epaper", Some(model)) => Ok(DisplayKind::EPaper(model.to_owned())),
            _ => Err(DisplayKindError::Unknown {
                given: text.to_owned(),
                nearest: nearest(text),
            }),
        }
    }
}

impl fmt::Display for DisplayKind {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let (kind, detail) = match self {
            DisplayKind::Auto => ("auto", None),
            DisplayKind::Terminal(TerminalPictures::Auto) => ("terminal", None),
            DisplayKind::Terminal(TerminalPictures::Sixel) => ("terminal", Some("sixel".into())),
            DisplayKind::Terminal(TerminalPictures::Kitty) => ("terminal", Some("kitty".into())),
            DisplayKind::Terminal(TerminalPictures::Blocks) => ("terminal", Some("blocks".into())),
            DisplayKind::Ssd1306 => ("ssd1306", None),
            DisplayKind::Kms(connector) => ("kms", connector.clone()),
            DisplayKind::Framebuffer(path) => ("framebuffer", path.as_ref().map(|path| path.display().to_string())),
            DisplayKind::Png(folder) => ("png", folder.as_ref().map(|path| path.display().to_string())),
            DisplayKind::Window(size) => ("window", size.map(|size| size.to_string())),
            DisplayKind::Spi(panel) => ("spi", Some(panel.clone())),
            DisplayKind::EPaper(model) => ("epaper", Some(model.clone())),
        };
        formatter.write_str(kind)?;
        detail.map_or(Ok(()), |detail| write!(formatter, ":{detail}"))
    }
}

impl TryFrom<String> for DisplayKind {
    type Error = DisplayKindError;

    fn try_from(text: String) -> Result<DisplayKind, DisplayKindError> {
        text.parse()
    }
}

impl From<DisplayKind> for String {
    fn from(kind: DisplayKind) -> String {
        kind.to_string()
    }
}

/// The kind that is written most like a text.
fn nearest(text: &str) -> &'static str {
    let apart = |kind: &&&str| distance(text.split(':').next().unwrap_or(text), kind.split(':').next().unwrap_or(kind));
    let alike = KINDS.iter().map(|kind| (apart(&kind), distance(text, kind), *kind)).min();
    alike.map_or("auto", |(_, _, kind)| kind)
}

/// Letters to change, add or leave out to make one text of another (Levenshtein 1965).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, candidate) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *candidate);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

/// Which library sets the pins and writes to the bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gpio {
    /// The kernel's devices: every board.
    #[default]
    Kernel,
    /// `rppal`: Raspberry Pis up to the 5.
    Rppal,
}

/// A display and how it is attached. What is left out is as usual for its kind.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DisplaySettings {
    /// Which display.
    pub kind: DisplayKind,
    /// KMS: the mode. Window, folder and SPI panel: width and height, before rotation.
    pub size: Option<ModeWish>,
    /// How it is turned. Windows, terminals and folders are not: choose another size.
    pub rotation: Rotation,
    /// Window: over the whole screen.
    pub fullscreen: bool,
    /// SPI and e-paper: the bus and its chip select, `/dev/spidev0.0`.
    pub spi: Option<PathBuf>,
    /// SPI and e-paper: the clock in Hz.
    pub speed: Option<u32>,
    /// SPI: who sets the pins.
    pub gpio: Gpio,
    /// SPI and e-paper: the GPIO chip; without one that of the pin header.
    pub chip: Option<PathBuf>,
    /// SPI and e-paper: the pin that tells data from commands.
    pub data_command: Option<u32>,
    /// SPI and e-paper: the pin that resets.
    pub reset: Option<u32>,
    /// E-paper: the pin that tells that the panel is busy.
    pub busy: Option<u32>,
    /// SPI: the pin of the light.
    pub backlight: Option<u32>,
    /// E-paper: the pin that selects the controller, where SPI does not do that.
    pub chip_select: Option<u32>,
    /// SPI: where the visible part begins in the controller's memory, in pixels.
    pub offset: Option<[u32; 2]>,
    /// SPI: whether blue comes first in the panel's wiring.
    pub blue_first: Option<bool>,
    /// SPI: whether the panel shows the opposite of what it is sent.
    pub inverted: Option<bool>,
    /// SSD1306 and the Inky's memory: the bus, `/dev/i2c-1`.
    pub i2c: Option<PathBuf>,
    /// SSD1306: the address on the bus.
    pub address: Option<u8>,
    /// E-paper: 0 takes the inks for the pure colours that they are named by, 1 for what they look like, as
    /// [`crate::picture::dither::Dithering::saturation`].
    pub saturation: Option<f32>,
}

impl DisplaySettings {
    /// A display of a kind, attached as usual.
    pub fn of(kind: DisplayKind) -> DisplaySettings {
        DisplaySettings {
            kind,
            ..DisplaySettings::default()
        }
    }

    /// The bus of a panel on SPI, and its chip select.
    pub fn spi_or_usual(&self) -> PathBuf {
        self.spi.clone().unwrap_or_else(|| "/dev/spidev0.0".into())
    }

    /// The bus of a display on I²C.
    pub fn i2c_or_usual(&self) -> PathBuf {
        self.i2c.clone().unwrap_or_else(|| "/dev/i2c-1".into())
    }

    /// The size that is asked for, or another.
    pub fn size_or(&self, otherwise: Size) -> Size {
        self.size.map_or(otherwise, |wish| wish.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_and_written() {
        for text in [
            "auto",
            "kms",
            "kms:HDMI-A-1",
            "framebuffer",
            "framebuffer:/dev/fb1",
            "window",
            "window:480x800",
            "terminal",
            "terminal:sixel",
            "terminal:kitty",
            "terminal:blocks",
            "png",
            "png:some/folder:1",
            "spi:st7789",
            "spi:ili9341",
            "spi:gc9a01",
            "epaper:inky",
            "epaper:waveshare-7.3-f",
            "ssd1306",
        ] {
            let kind: DisplayKind = text.parse().unwrap();
            assert_eq!(kind.to_string(), text);
        }
    }

    #[test]
    fn mistakes_are_answered_with_the_nearest_kind() {
        let message = |text: &str| text.parse::<DisplayKind>().unwrap_err().to_string();
        for (text, expected) in [
            ("kmss", "did you mean 'kms'?"),
            ("framebufer:/dev/fb1", "did you mean 'framebuffer'?"),
            ("windows", "did you mean 'window'?"),
            ("", "did you mean"),
            ("tty", "There are auto, kms"),
            ("spi:st7735", "did you mean 'spi:st7789'?"),
            ("spi:gc9a1", "did you mean 'spi:gc9a01'?"),
            ("spi", "as in 'spi:"),
            ("epaper", "as in 'epaper:inky'"),
            ("window:wide", "'wide' is no display mode"),
            ("kms:", "nothing follows the colon"),
            ("ssd1306:0", "takes nothing after a colon"),
            ("terminal:sixels", "did you mean 'terminal:sixel'?"),
        ] {
            assert!(message(text).contains(expected), "{text}: {}", message(text));
        }
    }

    #[test]
    fn distances_are_levenshtein_s() {
        for (one, other, expected) in [("", "kms", 3), ("kitten", "sitting", 3), ("kms", "kms", 0), ("ab", "ba", 2)] {
            assert_eq!(distance(one, other), expected);
            assert_eq!(distance(other, one), expected);
        }
    }

    #[test]
    fn a_settings_file_holds_them() {
        let text = "kind = \"spi:gc9a01\"\nrotation = 90\nsize = \"240x240\"\ndata_command = 9\ngpio = \"rppal\"\noffset = [0, 0]\n";
        let settings: DisplaySettings = toml::from_str(text).unwrap();
        assert_eq!(settings.kind, DisplayKind::Spi("gc9a01".into()));
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
            ("size = \"big\"", "write one as 1280x720"),
        ] {
            let error = toml::from_str::<DisplaySettings>(wrong).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
