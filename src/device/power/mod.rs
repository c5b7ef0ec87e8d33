//! Meters of electric power, each behind [`PowerMeter`], and the thread that samples one.
//!
//! | source | what it is |
//! |---|---|
//! | [`pmic`] | the power chip of the Raspberry Pi 5 |
//! | [`ina`] | INA219, INA226 and INA260 on an I²C bus |
//! | [`hwmon`] | the same and others by the kernel's drivers |
//! | [`supply`] | batteries and chargers that the kernel knows |
//! | [`rapl`] | energy counters of x86 processors |
//! | [`stream`] | a serial meter, or a file that a meter's program writes |
//! | [`constant`] | a figure that someone measured elsewhere |
//!
//! [`marker`] is the other way round: it tells a meter outside when a picture is drawn.
//!
//! Owns finding and reading meters. Depends on [`super::vcgencmd`] and on the standard names of hwmon folders in
//! [`super::processor`]. None of the meters was run on the hardware that it is for: the tests use trees and byte
//! exchanges written from the documentation.

pub mod constant;
pub mod hwmon;
pub mod ina;
pub mod marker;
pub mod pmic;
pub mod rapl;
pub mod sampler;
mod source;
pub mod stream;
pub mod supply;

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

pub use sampler::{Sample, Sampler, Trace};
pub use source::{Detection, PowerSource, detect};

/// What is known of a meter's error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Largest error as a share of the reading; nothing where the maker states none.
    pub gain: Option<f64>,
    /// Largest error that does not depend on the reading, in watts.
    pub offset_watts: f64,
    /// Smallest difference that a reading can show, in watts.
    pub resolution_watts: f64,
    /// Who states this.
    pub stated_by: String,
}

/// A power at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// When the power was drawn; the middle of the time that the meter averages over, where that is known.
    pub at: Instant,
    /// Power in watts; negative where current flows back.
    pub watts: f64,
}

/// A meter of electric power.
pub trait PowerMeter: Send {
    /// The source as it is written for `--power`.
    fn name(&self) -> String;

    /// What it measures, and what not.
    fn measures(&self) -> String;

    /// How often a new reading is worth asking for, in Hz; the rate that was reached is counted by the sampler.
    fn rate(&self) -> f64;

    /// What is known of its error.
    fn accuracy(&self) -> Accuracy;

    /// The next reading. A meter that sends by itself waits for it.
    ///
    /// # Errors
    /// If the meter does not answer or tells nothing that is a power.
    fn read(&mut self) -> Result<Reading, PowerError>;
}

/// A meter that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PowerError {
    /// The words for `--power` name no meter.
    #[error("--power {source_text}: {problem}")]
    Source {
        /// What was given.
        source_text: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A file is missing or has another form.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file may not be read.
    #[error("{}: permission denied; {fix}", path.display())]
    Permission {
        /// The file.
        path: PathBuf,
        /// What gives the permission.
        fix: String,
    },
    /// The meter answered nothing useful.
    #[error("{meter}: {problem}")]
    Meter {
        /// The meter.
        meter: String,
        /// What happened.
        problem: String,
    },
}

impl PowerError {
    /// Whether what was asked for is at fault rather than the meter.
    pub fn is_input_fault(&self) -> bool {
        matches!(self, PowerError::Source { .. })
    }

    fn file(path: &Path, problem: impl Into<String>) -> PowerError {
        PowerError::File {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    fn meter(meter: &str, problem: impl Into<String>) -> PowerError {
        PowerError::Meter {
            meter: meter.to_owned(),
            problem: problem.into(),
        }
    }
}

/// A file's whole number; `fix` says what gives the permission to read it.
fn integer(path: &Path, fix: &str) -> Result<i64, PowerError> {
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => PowerError::Permission {
            path: path.to_owned(),
            fix: fix.to_owned(),
        },
        _ => PowerError::file(path, error.to_string()),
    })?;
    let number = text.trim().parse();
    number.map_err(|_| PowerError::file(path, format!("'{}' is no whole number", text.trim())))
}

#[cfg(test)]
pub(crate) fn tree(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees").join(name)
}
