//! The results of a configuration: times, memory, energy, cold starts.

use serde::{Deserialize, Serialize};

use crate::bench::plan::Configuration;
use crate::bench::statistics::Summary;
use crate::device::processor::counters::Counts;
use crate::device::processor::load::PageFaults;
use crate::process::Memory;

/// The results of one configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigurationResult {
    /// The configuration.
    pub configuration: Configuration,
    /// SHA-256 of the picture; more than one if pictures differed.
    pub picture_sha256: Vec<String>,
    /// Stages in order; the last is [`WHOLE`](super::WHOLE).
    pub stages: Vec<StageResult>,
    /// Pictures a second while nothing else was done, writing them included.
    #[serde(default)]
    pub pictures_per_second: Option<f64>,
    /// Peak memory of a process of its own that draws one picture.
    pub memory: Option<Memory>,
    /// Page faults per picture.
    pub page_faults: Option<FaultRates>,
    /// Instructions and cycles per picture, all threads, user mode only.
    pub counts: Option<Counts>,
    /// Energy per picture.
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

/// Page faults per picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultRates {
    /// Faults served from storage.
    pub major: f64,
    /// Faults served from memory.
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
    /// The time of each picture, in order.
    pub samples: Vec<f64>,
}

/// How an energy was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnergyMethod {
    /// Each picture separately: the meter is fast enough.
    EachPicture,
    /// Blocks of pictures, including the time between pictures: the meter is too slow for single ones.
    BlocksOfPictures,
}

/// Energy per picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnergyResult {
    /// How it was measured.
    pub method: EnergyMethod,
    /// Number of pictures averaged.
    pub pictures: usize,
    /// Number of samples.
    pub samples: usize,
    /// Joules per picture.
    pub gross_joules: f64,
    /// Their error; includes the meter's if that is specified.
    pub gross_error: f64,
    /// Joules per picture above the idle power.
    pub net_joules: Option<f64>,
    /// Their error.
    pub net_error: Option<f64>,
    /// Gross joules of single pictures, if the meter is fast enough.
    pub spread: Option<Summary>,
}

/// Cold starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColdResult {
    /// What was done to the page cache before each start.
    pub page_cache: String,
    /// Total size of the pack's files in bytes.
    pub bytes: u64,
    /// Maximum number of these bytes that were left in the page cache before a start.
    pub resident_bytes: u64,
    /// From the start of the process until the text is encoded and the first step begins, in milliseconds.
    pub to_first_step: Summary,
    /// From the start of the process until the first step is done, in milliseconds.
    pub to_first_step_done: Summary,
    /// From the start of the process until it has written the picture and ended, in milliseconds.
    pub to_picture: Summary,
}
