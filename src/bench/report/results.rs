//! What a report says of each configuration: times, memory, energy, cold starts.

use serde::{Deserialize, Serialize};

use crate::bench::plan::Configuration;
use crate::bench::statistics::Summary;
use crate::device::processor::counters::Counts;
use crate::device::processor::load::PageFaults;
use crate::process::Memory;

/// What one configuration cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigurationResult {
    /// The configuration.
    pub configuration: Configuration,
    /// SHA-256 of the picture; more than one if pictures differed.
    pub picture_sha256: Vec<String>,
    /// Stages in order; the last is [`WHOLE`](super::WHOLE).
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
