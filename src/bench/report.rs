//! The report of a run: what `--json` writes and `--compare` reads. `schema.md` documents every field, and a
//! test checks a real report against it.
//!
//! | file | what it owns |
//! |---|---|
//! | `machine` | board, processor and power meter over the run |
//! | `results` | times, memory and energy of each configuration |
//! | `quality` | figures from the pack's model card |
//! | `reading` | reading a report |

mod machine;
mod quality;
mod reading;
mod results;

pub use machine::{Machine, MeterRecord, PowerRecord, ProcessorRecord, ProcessorSample};
pub use quality::{Quality, quality};
pub use reading::ReportError;
pub use results::{ColdResult, ConfigurationResult, EnergyMethod, EnergyResult, FaultRates, StageResult};

use serde::{Deserialize, Serialize};

use super::energy::Interval;
use super::plan::Plan;

/// Name of the format.
pub const SCHEMA: &str = "inkstone-bench";
/// Its version: incremented when a field changes its meaning or is removed.
pub const SCHEMA_VERSION: u32 = 1;
/// The stage that includes everything from the request to the written picture.
pub const WHOLE: &str = "picture";

/// The stage that includes everything from the request to the picture in memory, without writing it.
pub const INFERENCE: &str = "inference";

/// The report of a run.
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
    /// When it started, in seconds since 1970-01-01 UTC.
    pub started_unix: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether the figures can be trusted.
    pub validity: Validity,
    /// The model.
    pub pack: PackRecord,
    /// What was drawn.
    pub request: RequestRecord,
    /// How it was measured.
    pub plan: Plan,
    /// The machine.
    pub machine: Machine,
    /// The processor before, during and after the run.
    pub processor: ProcessorRecord,
    /// The power meter.
    pub power: PowerRecord,
    /// Why instructions and cycles were not counted, if they were not.
    pub counters_absent: Option<String>,
    /// One for each configuration, in the order of the plan.
    pub results: Vec<ConfigurationResult>,
    /// When each picture was drawn.
    pub pictures: Vec<PictureTime>,
    /// Figures from the model card, by number of steps.
    pub quality: Vec<Quality>,
}

/// Whether a run can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Validity {
    /// True without any reason.
    pub valid: bool,
    /// Why it is invalid.
    pub reasons: Vec<String>,
    /// Remarks that do not make it invalid.
    pub notes: Vec<String>,
}

/// The pack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PackRecord {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its manifest, which has the checksums of all files.
    pub sha256: String,
    /// Total size of its files in bytes.
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
    pub window: Interval,
}

/// A report for tests: two configurations, a hundred pictures of each, a meter.
#[cfg(test)]
pub(super) mod example;
