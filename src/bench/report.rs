//! The report of a run: what `--json` writes and `--compare` reads. `schema.md` beside this file documents every field; a
//! test holds a real report against it.
//!
//! | file | what it owns |
//! |---|---|
//! | `machine` | board, processor and power meter over the run |
//! | `results` | times, memory and energy of each configuration |
//! | `quality` | what the pack's card says of its pictures |
//! | `reading` | reading a report, and what can be wrong with it |

mod machine;
mod quality;
mod reading;
mod results;

pub use machine::{Machine, MeterRecord, Moment, PowerRecord, ProcessorRecord};
pub use quality::{Quality, quality};
pub use reading::ReportError;
pub use results::{ColdResult, ConfigurationResult, EnergyMethod, EnergyResult, FaultRates, StageResult};

use serde::{Deserialize, Serialize};

use super::energy::Window;
use super::plan::Plan;

/// Name of the format.
pub const SCHEMA: &str = "inkstone-bench";
/// Its version: raised when a field changes its meaning or goes.
pub const SCHEMA_VERSION: u32 = 1;
/// The stage that is everything from the request to the written picture.
pub const WHOLE: &str = "picture";

/// A run and everything that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the program.
    pub version: String,
    /// The command that repeats the run.
    pub command: String,
    /// When it began, in seconds since 1970-01-01 UTC.
    pub started_unix: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether the figures can be relied upon, and why not.
    pub validity: Validity,
    /// The model.
    pub pack: PackRecord,
    /// What was drawn.
    pub request: RequestRecord,
    /// How it was measured.
    pub plan: Plan,
    /// On what.
    pub machine: Machine,
    /// The processor before, during and after.
    pub processor: ProcessorRecord,
    /// The power meter.
    pub power: PowerRecord,
    /// Why instructions and cycles were not counted, where they were not.
    pub counters_absent: Option<String>,
    /// One for each configuration of the plan, in its order.
    pub results: Vec<ConfigurationResult>,
    /// When each picture was drawn.
    pub pictures: Vec<PictureTime>,
    /// What the model's card says of its pictures by steps.
    pub quality: Vec<Quality>,
}

/// Whether a run can be relied upon.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Validity {
    /// No reason speaks against it.
    pub valid: bool,
    /// What speaks against it.
    pub reasons: Vec<String>,
    /// What should be known but does not make it invalid.
    pub notes: Vec<String>,
}

/// The pack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PackRecord {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its manifest, which names all its bytes.
    pub sha256: String,
    /// Bytes of all its files.
    pub bytes: u64,
}

/// What was drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The prompt.
    pub prompt: String,
    /// The style.
    pub style: Option<String>,
    /// Seed of the noise.
    pub seed: u64,
    /// Strength of guidance.
    pub guidance: f32,
}

/// When a picture was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureTime {
    /// Index of its configuration.
    pub configuration: usize,
    /// Its round.
    pub round: usize,
    /// From the request to the written picture.
    #[serde(flatten)]
    pub window: Window,
}

/// A report as tests of its neighbours need one: two configurations, a hundred pictures of each, a meter.
#[cfg(test)]
pub(super) mod example;
