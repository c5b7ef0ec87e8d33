//! The machine in a report: board, processor and power meter.

use serde::{Deserialize, Serialize};

use crate::bench::energy::Idle;
use crate::device::power::{Accuracy, Sample};
use crate::device::processor::load::OtherLoad;
use crate::device::processor::{State, Throttling};

/// The machine of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The board, or the processor of a PC.
    pub board: String,
    /// The processor.
    pub processor: Option<String>,
    /// The architecture of the program.
    pub architecture: String,
    /// Cores available to the program.
    pub cores: usize,
    /// Memory available to programs, in bytes.
    pub memory_bytes: Option<u64>,
    /// Release of the operating system's kernel.
    pub kernel: Option<String>,
    /// The engine's int8 kernel.
    pub engine_kernel: String,
}

/// The processor over the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessorRecord {
    /// Before the run.
    pub before: State,
    /// After the run.
    pub after: State,
    /// Samples during the run.
    pub timeline: Vec<ProcessorSample>,
    /// Load by others while pictures were drawn, if known.
    pub others: Option<OtherLoad>,
}

/// A sample of the processor's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessorSample {
    /// Seconds since the start of the run.
    pub seconds: f64,
    /// Clock of the fastest core, in MHz.
    pub megahertz: Option<f64>,
    /// Temperature in degrees Celsius.
    pub celsius: Option<f64>,
    /// The fan's speed in revolutions per minute.
    pub fan_rpm: Option<f64>,
    /// Throttling.
    pub throttling: Option<Throttling>,
}

/// The power meter, or why there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PowerRecord {
    /// The meter.
    pub meter: Option<MeterRecord>,
    /// Why no meter could be used.
    pub why_not: Vec<String>,
    /// Its samples, in order.
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
    /// What it measures, and what it does not.
    pub measures: String,
    /// Achieved readings per second.
    pub rate_hz: f64,
    /// Its specified error.
    pub accuracy: Accuracy,
    /// Number of failed readings.
    pub failures: u64,
    /// Error of the first failed reading.
    pub first_failure: Option<String>,
}
