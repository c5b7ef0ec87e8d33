//! Meters of electric power, each behind [`PowerMeter`], and the thread that samples one.
//!
//! | source | what it is |
//! |---|---|
//! | [`pmic`] | the power chip of the Raspberry Pi 5 |
//! | [`ina`] | INA219, INA226 and INA260 on an I²C bus |
//! | [`hwmon`] | the same and others, with a kernel driver |
//! | [`supply`] | batteries and chargers with a kernel driver |
//! | [`rapl`] | energy counters of x86 processors |
//! | [`stream`] | a serial meter, or a file written by a meter's program |
//! | [`constant`] | a constant measured elsewhere |
//!
//! [`marker`] is an output: it shows external instruments when a picture is drawn.
//!
//! Owns finding and reading meters. Depends on [`super::vcgencmd`] and on the standard names of hwmon folders in
//! [`super::processor`]. None of the meters was tested on its hardware: the tests use trees and byte
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

/// The specified error of a meter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Maximum error as a fraction of the reading; `None` if not specified.
    pub gain: Option<f64>,
    /// Maximum error independent of the reading, in watts.
    pub offset_watts: f64,
    /// Resolution in watts.
    pub resolution_watts: f64,
    /// Source of the specification.
    pub stated_by: String,
}

/// A power sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Time of the sample; the middle of the meter's averaging interval, if that is known.
    pub at: Instant,
    /// Power in watts; negative if current flows backwards.
    pub watts: f64,
}

/// A meter of electric power.
pub trait PowerMeter: Send {
    /// The source in the syntax of `--power`.
    fn name(&self) -> String;

    /// What it measures, and what it does not.
    fn measures(&self) -> String;

    /// Recommended sampling rate in Hz; the sampler counts the achieved rate.
    fn rate(&self) -> f64;

    /// Its specified error.
    fn accuracy(&self) -> Accuracy;

    /// The next reading; blocks if the meter sends on its own.
    ///
    /// # Errors
    /// If the meter does not answer or its answer is invalid.
    fn read(&mut self) -> Result<Reading, PowerError>;
}

/// Why a meter cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PowerError {
    /// The value of `--power` is invalid.
    #[error("--power {source_text}: {problem}")]
    Source {
        /// The value.
        source_text: String,
        /// What is wrong, and what is accepted.
        problem: String,
    },
    /// A file is missing or invalid.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Permission denied.
    #[error("{}: permission denied; {fix}", path.display())]
    Permission {
        /// The file.
        path: PathBuf,
        /// How to get the permission.
        fix: String,
    },
    /// The meter gave no valid answer.
    #[error("{meter}: {problem}")]
    Meter {
        /// The meter.
        meter: String,
        /// What happened.
        problem: String,
    },
}

impl PowerError {
    /// Whether the input is at fault, not the machine.
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

/// The integer in a file; `fix` says how to get permission to read it.
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
