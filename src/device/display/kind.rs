//! A kind of display as it is written in settings and on the command line: a driver's name, and a detail that may follow it.

use std::fmt;
use std::str::FromStr;

use super::{Driver, Drivers};

/// A kind of display: `auto`, or a driver with its detail, such as `kms:HDMI-A-1`.
///
/// [`FromStr`] and settings files know the drivers that ship; [`Drivers::parse`] also those that a program added.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DisplayKind {
    /// `None` for `auto`.
    driver: Option<&'static Driver>,
    detail: Option<String>,
}

impl DisplayKind {
    /// The name of the kind that takes the first display that can be opened.
    pub(super) const AUTO_NAME: &str = "auto";

    pub(super) fn new(driver: &'static Driver, detail: Option<&str>) -> DisplayKind {
        DisplayKind {
            driver: Some(driver),
            detail: detail.map(str::to_owned),
        }
    }

    /// Whether it is `auto`: the first display that can be opened.
    pub fn is_auto(&self) -> bool {
        self.driver.is_none()
    }

    /// The driver; `None` for `auto`.
    pub fn driver(&self) -> Option<&'static Driver> {
        self.driver
    }

    /// The driver's name, or `auto`.
    pub fn name(&self) -> &'static str {
        self.driver.map_or(DisplayKind::AUTO_NAME, Driver::name)
    }

    /// What follows the colon.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

impl PartialEq for DisplayKind {
    fn eq(&self, other: &DisplayKind) -> bool {
        (self.name(), self.detail()) == (other.name(), other.detail())
    }
}

impl Eq for DisplayKind {}

/// Text that is not a kind of display.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisplayKindError {
    /// There is no driver of that name.
    #[error("there is no display '{given}'{}", hint(nearest.as_deref(), known))]
    Unknown {
        /// What was given.
        given: String,
        /// The driver whose name is nearest, if one is near.
        nearest: Option<String>,
        /// The names of all drivers.
        known: String,
    },
    /// The driver does not accept what follows the colon.
    #[error("invalid display '{given}': {problem}")]
    Detail {
        /// What was given.
        given: String,
        /// What is wrong.
        problem: String,
    },
}

fn hint(nearest: Option<&str>, known: &str) -> String {
    match nearest {
        Some(name) => format!("; did you mean '{name}'?"),
        None => format!(". There are {known}"),
    }
}

impl FromStr for DisplayKind {
    type Err = DisplayKindError;

    fn from_str(text: &str) -> Result<DisplayKind, DisplayKindError> {
        Drivers::shipped().parse(text)
    }
}

impl fmt::Display for DisplayKind {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())?;
        self.detail().map_or(Ok(()), |detail| write!(formatter, ":{detail}"))
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
