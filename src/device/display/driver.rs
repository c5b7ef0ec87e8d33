//! The row that a display driver adds to the driver table: its name, what may follow the name, how the display is found and
//! opened, and what it occupies on the board. Knows no particular display.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{DisplayError, DisplaySettings, Screen};

/// Opens a display, or says why that fails.
pub type Open = fn(&DisplaySettings) -> Result<Box<dyn Screen>, DisplayError>;

/// A GPIO line and what it is for: `(25, "data/command")`. On a Raspberry Pi lines have the BCM numbers.
pub type Pin = (u32, &'static str);

/// A kind of display: one row of the driver table ([`Drivers`](super::Drivers)).
///
/// ```
/// use inkstone::device::display::{Detail, Device, Driver, Presence};
/// # use inkstone::device::display::{DisplayError, DisplaySettings, Screen};
/// # fn open(_: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> { Err(DisplayError::failed("flipdot", "not connected")) }
///
/// static FLIPDOT: Driver = Driver::new("flipdot", open, Presence::DeviceFiles { prefix: "/dev/ttyUSB", group: "dialout" })
///     .with_about("flip-dot panels on a serial line")
///     .with_detail(Detail::optional("FILE"))
///     .with_pins(|settings| vec![(settings.reset.unwrap_or(17), "supply")]);
/// assert_eq!(FLIPDOT.syntax(), "flipdot[:FILE]");
/// ```
#[derive(Clone, Copy)]
pub struct Driver {
    name: &'static str,
    about: &'static str,
    detail: Detail,
    missing_feature: Option<&'static str>,
    presence: Presence,
    auto: Auto,
    open: Open,
    check: fn(&DisplaySettings) -> Result<(), DisplayError>,
    devices: fn(&DisplaySettings) -> Vec<Device>,
    pins: fn(&DisplaySettings) -> Vec<Pin>,
}

/// What may follow a driver's name and a colon in settings: `HDMI-A-1` of `kms:HDMI-A-1`.
#[derive(Clone, Copy)]
pub enum Detail {
    /// Nothing.
    None,
    /// One of these words.
    OneOf {
        /// The words.
        words: &'static [&'static str],
        /// Whether there has to be one.
        required: bool,
    },
    /// A text that the driver reads.
    Text {
        /// What it is, for help: `CONNECTOR`.
        placeholder: &'static str,
        /// Whether there has to be one.
        required: bool,
        /// A value, for error messages about a missing one.
        example: &'static str,
        /// Why a text is not accepted.
        check: fn(&str) -> Result<(), String>,
    },
    /// Anything or nothing, since the driver that would check it was not built.
    Unchecked,
}

impl Detail {
    /// An optional text; `placeholder` stands for it in help.
    pub const fn optional(placeholder: &'static str) -> Detail {
        Detail::Text {
            placeholder,
            required: false,
            example: placeholder,
            check: |_| Ok(()),
        }
    }

    /// What is wrong with a detail or its absence.
    pub(super) fn check(&self, driver: &str, detail: Option<&str>) -> Result<(), String> {
        match (*self, detail) {
            (_, Some("")) => Err("nothing follows the colon".into()),
            (Detail::Unchecked | Detail::None, None) | (Detail::Unchecked, Some(_)) => Ok(()),
            (Detail::None, Some(_)) => Err(format!("'{driver}' takes nothing after a colon")),
            (Detail::OneOf { required: false, .. } | Detail::Text { required: false, .. }, None) => Ok(()),
            (Detail::OneOf { words, .. }, None) => Err(missing(driver, words.first().unwrap_or(&""))),
            (Detail::Text { example, .. }, None) => Err(missing(driver, example)),
            (Detail::OneOf { words, .. }, Some(text)) if words.contains(&text) => Ok(()),
            (Detail::OneOf { words, .. }, Some(text)) => {
                let hint = match crate::suggest::nearest(text, words.iter().copied()) {
                    Some(word) => format!("; did you mean '{driver}:{word}'?"),
                    None => String::new(),
                };
                Err(format!("the choices are {}{hint}", words.join(", ")))
            }
            (Detail::Text { check, .. }, Some(text)) => check(text),
        }
    }
}

fn missing(driver: &str, example: &str) -> String {
    format!("'{driver}' needs a value after a colon, as in '{driver}:{example}'")
}

/// How a display shows that it is there: what `inkstone doctor` lists and checks.
#[derive(Clone, Copy)]
pub enum Presence {
    /// As a connector of a graphics card. The function lists those of this machine.
    Connectors(fn() -> Vec<Found>),
    /// As a device file, or a bus that has one.
    DeviceFiles {
        /// The beginning of the file's name, which a digit follows: `/dev/fb`.
        prefix: &'static str,
        /// The group that may open the file.
        group: &'static str,
    },
    /// As part of the user's session, such as a desktop.
    Session {
        /// Lists what this session has.
        find: fn() -> Vec<Found>,
        /// The problem if that is nothing.
        absent: &'static str,
        /// What to do then.
        advice: &'static str,
    },
    /// As the terminal that the program is started in.
    Terminal(fn() -> Vec<Found>),
    /// Always, as a folder that pictures are written to: the function tells which.
    Folder(fn(&DisplaySettings) -> PathBuf),
    /// Not known: the driver was not built.
    Unknown,
}

/// Whether the display `auto` tries a driver.
#[derive(Clone, Copy)]
pub enum Auto {
    /// It does not: nothing tells that such a display is connected.
    Never,
    /// In the order of the table, if the function says so.
    If(fn() -> bool),
    /// If no other display could be opened.
    LastResort,
}

/// A device file that a display is driven through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// An SPI bus with its chip select: `/dev/spidev0.0`.
    Spi(PathBuf),
    /// An I²C bus: `/dev/i2c-1`.
    I2c(PathBuf),
    /// Any other.
    File {
        /// The file.
        path: PathBuf,
        /// The group that may open it.
        group: &'static str,
    },
}

impl Device {
    /// The device file.
    pub fn path(&self) -> &Path {
        match self {
            Device::Spi(path) | Device::I2c(path) | Device::File { path, .. } => path,
        }
    }

    /// The group that may open it, by the names of Debian and Raspberry Pi OS.
    pub fn group(&self) -> &'static str {
        match self {
            Device::Spi(_) => "spi",
            Device::I2c(_) => "i2c",
            Device::File { group, .. } => group,
        }
    }
}

/// A display, or a bus for one, that a machine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What to write in settings for it: `kms:HDMI-A-1`.
    pub kind: String,
    /// What is known of it: its modes, or its device file.
    pub about: String,
    /// Why it cannot be used now.
    pub problem: Option<String>,
}

impl Found {
    /// A display that can be used.
    pub fn usable(kind: impl Into<String>, about: impl Into<String>) -> Found {
        Found {
            kind: kind.into(),
            about: about.into(),
            problem: None,
        }
    }
}

impl Driver {
    /// A driver that takes nothing after its name, needs no devices and is not tried by `auto`.
    pub const fn new(name: &'static str, open: Open, presence: Presence) -> Driver {
        Driver {
            name,
            about: "",
            detail: Detail::None,
            missing_feature: None,
            presence,
            auto: Auto::Never,
            open,
            check: |_| Ok(()),
            devices: |_| Vec::new(),
            pins: |_| Vec::new(),
        }
    }

    /// A driver that this program was built without. Its name is known, so that the error can say which Cargo feature it
    /// needs.
    pub const fn not_built(name: &'static str, feature: &'static str) -> Driver {
        let open: Open = |settings| Err(DisplayError::failed(settings.kind.to_string(), "not built"));
        Driver {
            detail: Detail::Unchecked,
            missing_feature: Some(feature),
            ..Driver::new(name, open, Presence::Unknown)
        }
    }

    /// What it drives, in a few words.
    pub const fn with_about(self, about: &'static str) -> Driver {
        Driver { about, ..self }
    }

    /// What may follow its name.
    pub const fn with_detail(self, detail: Detail) -> Driver {
        Driver { detail, ..self }
    }

    /// Whether `auto` tries it.
    pub const fn with_auto(self, auto: Auto) -> Driver {
        Driver { auto, ..self }
    }

    /// What can be found wrong with settings without opening anything.
    pub const fn with_check(self, check: fn(&DisplaySettings) -> Result<(), DisplayError>) -> Driver {
        Driver { check, ..self }
    }

    /// The device files that it opens, defaults included. The GPIO chip of its pins is not among them.
    pub const fn with_devices(self, devices: fn(&DisplaySettings) -> Vec<Device>) -> Driver {
        Driver { devices, ..self }
    }

    /// The GPIO lines that it occupies, defaults included.
    pub const fn with_pins(self, pins: fn(&DisplaySettings) -> Vec<Pin>) -> Driver {
        Driver { pins, ..self }
    }

    /// Its name in settings: `kms`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it drives, in a few words.
    pub const fn about(&self) -> &'static str {
        self.about
    }

    /// What may follow its name.
    pub const fn detail(&self) -> Detail {
        self.detail
    }

    /// How to write it in settings: `kms[:CONNECTOR]`, `spi:st7789|ili9341|gc9a01`.
    pub fn syntax(&self) -> String {
        let (detail, required) = match self.detail {
            Detail::None | Detail::Unchecked => return self.name.to_owned(),
            Detail::OneOf { words, required } => (words.join("|"), required),
            Detail::Text { placeholder, required, .. } => (placeholder.to_owned(), required),
        };
        if required {
            format!("{}:{detail}", self.name)
        } else {
            format!("{}[:{detail}]", self.name)
        }
    }

    /// The Cargo feature that this program would have to be built with to have this driver; `None` if it has it.
    pub const fn missing_feature(&self) -> Option<&'static str> {
        self.missing_feature
    }

    /// How its displays show that they are there.
    pub const fn presence(&self) -> Presence {
        self.presence
    }

    /// Whether `auto` tries it.
    pub const fn auto(&self) -> Auto {
        self.auto
    }

    /// Checks settings as far as that is possible without opening anything.
    ///
    /// # Errors
    /// If the driver was not built, or there is no such display.
    pub fn check(&self, settings: &DisplaySettings) -> Result<(), DisplayError> {
        match self.missing_feature {
            Some(feature) => Err(DisplayError::absent(
                settings.kind.to_string(),
                "this program was built without it",
                format!("build it on Linux with `--features {feature}`, or choose another display"),
            )),
            None => (self.check)(settings),
        }
    }

    /// Opens a display.
    ///
    /// # Errors
    /// If the driver was not built, or the display is absent, may not be opened, or does not support the settings.
    pub fn open(&self, settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
        self.check(settings)?;
        (self.open)(settings)
    }

    /// The device files that a display with these settings is driven through, without the GPIO chip of its pins.
    pub fn devices(&self, settings: &DisplaySettings) -> Vec<Device> {
        (self.devices)(settings)
    }

    /// The GPIO lines that a display with these settings occupies.
    pub fn pins(&self, settings: &DisplaySettings) -> Vec<Pin> {
        (self.pins)(settings)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Driver({})", self.syntax())
    }
}
