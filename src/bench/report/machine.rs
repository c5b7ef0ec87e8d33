//! What a report says of the machine: board, processor and power meter.

use serde::{Deserialize, Serialize};

use crate::bench::energy::Idle;
use crate::device::power::{Accuracy, Sample};
use crate::device::processor::load::OtherLoad;
use crate::device::processor::{State, Throttling};

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
