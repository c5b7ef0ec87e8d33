//! The report of a run: what `--json` writes and `--compare` reads. `schema.md` beside this file documents every field; a
//! test holds a real report against it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::energy::{Idle, Window};
use super::memory::Memory;
use super::plan::{Configuration, Plan};
use super::statistics::Summary;
use crate::device::power::{Accuracy, Sample};
use crate::device::processor::counters::Counts;
use crate::device::processor::load::{OtherLoad, PageFaults};
use crate::device::processor::{State, Throttling};

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

/// What it ran on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The board, or the processor of a PC.
    pub board: String,
    /// The processor.
    pub processor: Option<String>,
    /// The architecture that the program was built for.
    pub architecture: String,
    /// Cores that the program may use.
    pub cores: usize,
    /// Memory that programs can use, in bytes.
    pub memory_bytes: Option<u64>,
    /// Release of the operating system's kernel.
    pub kernel: Option<String>,
    /// The engine's int8 kernel.
    pub engine_kernel: String,
}

/// The processor over the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessorRecord {
    /// Before.
    pub before: State,
    /// After.
    pub after: State,
    /// While pictures were drawn and between them.
    pub timeline: Vec<Moment>,
    /// How busy others were while pictures were drawn; nothing where the system does not tell.
    pub others: Option<OtherLoad>,
}

/// The processor at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// Seconds since the run's origin.
    pub seconds: f64,
    /// Clock of the fastest core, in MHz.
    pub megahertz: Option<f64>,
    /// Temperature in degrees Celsius.
    pub celsius: Option<f64>,
    /// The fan's revolutions a minute.
    pub fan_rpm: Option<f64>,
    /// Throttling.
    pub throttling: Option<Throttling>,
}

/// The power meter, or why there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PowerRecord {
    /// The meter.
    pub meter: Option<MeterRecord>,
    /// Why meters that were looked for cannot be used.
    pub why_not: Vec<String>,
    /// What it told, in order.
    pub samples: Vec<Sample>,
    /// The idle power.
    pub idle: Option<Idle>,
    /// The GPIO line that was high while a picture was drawn.
    pub marker_line: Option<u32>,
}

/// A meter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeterRecord {
    /// As for `--power`.
    pub name: String,
    /// What it measures, and what not.
    pub measures: String,
    /// Readings a second that were reached.
    pub rate_hz: f64,
    /// Its error as stated.
    pub accuracy: Accuracy,
    /// Readings that failed.
    pub failures: u64,
    /// Why the first of them did.
    pub first_failure: Option<String>,
}

/// What one configuration cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigurationResult {
    /// The configuration.
    pub configuration: Configuration,
    /// SHA-256 of the picture; more than one if pictures differed.
    pub picture_sha256: Vec<String>,
    /// Stages in order; the last is [`WHOLE`].
    pub stages: Vec<StageResult>,
    /// Largest readings while its pictures were drawn.
    pub memory: Option<Memory>,
    /// Page faults a picture.
    pub page_faults: Option<FaultRates>,
    /// Instructions and cycles a picture, all threads, without the kernel's.
    pub counts: Option<Counts>,
    /// Energy a picture.
    pub energy: Option<EnergyResult>,
    /// Cold starts.
    pub cold: Option<ColdResult>,
}

impl ConfigurationResult {
    /// The stage of that name.
    pub fn stage(&self, name: &str) -> Option<&StageResult> {
        self.stages.iter().find(|stage| stage.stage == name)
    }
}

/// Page faults a picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultRates {
    /// That read from storage.
    pub major: f64,
    /// That did not.
    pub minor: f64,
}

impl FaultRates {
    /// Faults divided by pictures.
    pub fn new(faults: PageFaults, pictures: usize) -> FaultRates {
        let pictures = pictures.max(1) as f64;
        FaultRates {
            major: faults.major as f64 / pictures,
            minor: faults.minor as f64 / pictures,
        }
    }
}

/// Times of one stage, in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageResult {
    /// `text_encoder`, `step 1`, …, `decoder`, `png` or `picture`.
    pub stage: String,
    /// Their figures.
    pub milliseconds: Summary,
    /// The median of each round.
    pub round_medians: Vec<f64>,
    /// Each picture's, in order.
    pub samples: Vec<f64>,
}

/// How an energy was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnergyMethod {
    /// The meter is fast enough for every picture by itself.
    EachPicture,
    /// Only blocks of pictures hold enough samples; the time between two pictures of a block is in it.
    BlocksOfPictures,
}

/// Energy a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnergyResult {
    /// How it was found.
    pub method: EnergyMethod,
    /// Pictures that it is the mean of.
    pub pictures: usize,
    /// Samples in their time.
    pub samples: usize,
    /// Joules a picture.
    pub gross_joules: f64,
    /// Their error; see the meter's accuracy for whether its own is in it.
    pub gross_error: f64,
    /// Joules a picture above the idle power.
    pub net_joules: Option<f64>,
    /// Their error.
    pub net_error: Option<f64>,
    /// Gross joules of single pictures, where the meter is fast enough.
    pub spread: Option<Summary>,
}

/// Starts of new processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColdResult {
    /// What was done to the page cache before each.
    pub page_cache: String,
    /// Bytes of the pack's files.
    pub bytes: u64,
    /// Of these, in memory after that, the most before any start.
    pub resident_bytes: u64,
    /// From the start of the process until the text is encoded and the first step begins, in milliseconds.
    pub to_first_step: Summary,
    /// From the start of the process until the first step is done, in milliseconds.
    pub to_first_step_done: Summary,
    /// From the start of the process until it has written the picture and ended, in milliseconds.
    pub to_picture: Summary,
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

/// What the model's card says of pictures of so many steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Denoising steps.
    pub steps: usize,
    /// Share of pictures whose own caption is nearest among all.
    pub retrieval_at_1: Option<f64>,
    /// Share of pictures whose own caption is among the five nearest.
    pub retrieval_at_5: Option<f64>,
    /// Fréchet distance to real pictures.
    pub frechet_distance: Option<f64>,
}

/// A report that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file cannot be read.
    #[error("{file}: {problem}")]
    File {
        /// The file.
        file: String,
        /// What happened.
        problem: String,
    },
    /// It is something else.
    #[error("{file}: this is no report of `inkstone bench --json`: {problem}")]
    Form {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// It was written by another version.
    #[error("{file}: the report has version {found} of its schema; this program reads version {SCHEMA_VERSION}: measure again")]
    Version {
        /// The file.
        file: String,
        /// Its version.
        found: u64,
    },
}

impl Report {
    /// Reads a report.
    ///
    /// # Errors
    /// If the file cannot be read, is no report, or has another version.
    pub fn read(path: &Path) -> Result<Report, ReportError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ReportError::File {
            file: file.clone(),
            problem: error.to_string(),
        })?;
        let form = |problem: String| ReportError::Form {
            file: file.clone(),
            problem,
        };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| form(error.to_string()))?;
        if value["schema"] != SCHEMA {
            return Err(form(format!("'schema' is not '{SCHEMA}'")));
        }
        let version = value["schema_version"].as_u64().unwrap_or_default();
        if version != u64::from(SCHEMA_VERSION) {
            return Err(ReportError::Version { file, found: version });
        }
        serde_json::from_value(value).map_err(|error| form(error.to_string()))
    }
}

/// What the card's `figures.json` says of the shipped int8 model's pictures by steps, in the order of steps; nothing where
/// there is no card of that form.
pub fn quality(pack_folder: &Path) -> Vec<Quality> {
    let text = std::fs::read_to_string(pack_folder.join("card/figures.json")).unwrap_or_default();
    let figures: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let groups = figures["asked"].as_object().into_iter().flatten();
    let mut found: Vec<Quality> = groups
        .filter_map(|(name, figures)| {
            Some(Quality {
                steps: name.strip_prefix("int8_")?.strip_suffix("_steps")?.parse().ok()?,
                retrieval_at_1: figures["r1"].as_f64(),
                retrieval_at_5: figures["r5"].as_f64(),
                frechet_distance: figures["frechet"].as_f64(),
            })
        })
        .collect();
    found.sort_by_key(|quality| quality.steps);
    found
}

/// A report as tests of its neighbours need one: two configurations, a hundred pictures of each, a meter.
#[cfg(test)]
#[path = "report/example.rs"]
pub(super) mod example;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_card_has_figures_by_steps() {
        let found = quality(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram"));
        let steps: Vec<usize> = found.iter().map(|quality| quality.steps).collect();
        assert_eq!(steps, [1, 2, 4]);
        assert!(found.iter().all(|quality| quality.retrieval_at_1.is_some_and(|share| share > 0.3)));
        assert!(quality("/nonexistent".as_ref()).is_empty());
    }

    #[test]
    fn other_files_are_no_reports() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        for (text, words) in [
            ("{", "no report"),
            ("[1]", "'schema' is not"),
            ("{\"schema\":\"inkstone-bench\",\"schema_version\":9}", "version 9"),
            ("{\"schema\":\"inkstone-bench\",\"schema_version\":1}", "missing field"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Report::read(&path).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("x.json"), "{error}");
        }
        assert!(Report::read(&folder.path().join("absent")).is_err());
    }
}
