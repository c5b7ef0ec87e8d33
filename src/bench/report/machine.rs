//! The machine in a report: board, processor and power meter.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::bench::energy::Idle;
use crate::device::board::Board;
use crate::device::power::{Accuracy, Sample};
use crate::device::processor;
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
    /// Commit that the program was built from, if it was told when it was built.
    #[serde(default)]
    pub commit: Option<String>,
    /// The compiler that built it.
    #[serde(default)]
    pub compiler: Option<String>,
    /// Features of the processor, as the system names them.
    #[serde(default)]
    pub processor_flags: Option<String>,
    /// Whether the clock may exceed its nominal rate (turbo, boost).
    #[serde(default)]
    pub turbo: Option<bool>,
    /// The cores that the program may run on, such as `0-3`.
    #[serde(default)]
    pub affinity: Option<String>,
}

impl Machine {
    /// The machine whose system's files are below `root`.
    pub fn read(root: &Path, engine_kernel: String) -> Machine {
        let board = Board::read(root);
        let line = |file: &str, name: &str| {
            let text = processor::text(&root.join(file))?;
            let value = text
                .lines()
                .find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name));
            value.map(|(_, value)| value.trim().to_owned())
        };
        Machine {
            board: board.to_string(),
            architecture: std::env::consts::ARCH.into(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: board.memory.map(|kibibytes| kibibytes * 1024),
            processor: board.processor,
            kernel: processor::text(&root.join("proc/sys/kernel/osrelease")),
            engine_kernel,
            commit: option_env!("INKSTONE_COMMIT").map(str::to_owned),
            compiler: option_env!("INKSTONE_COMPILER").map(str::to_owned),
            processor_flags: line("proc/cpuinfo", "flags").or_else(|| line("proc/cpuinfo", "Features")),
            turbo: turbo(root),
            affinity: line("proc/self/status", "Cpus_allowed_list"),
        }
    }
}

/// What the drivers `acpi-cpufreq` and `cpufreq-dt` (`boost`) or `intel_pstate` (`no_turbo`) say.
fn turbo(root: &Path) -> Option<bool> {
    let read = |file: &str| processor::text(&root.join("sys/devices/system/cpu").join(file));
    let boost = read("cpufreq/boost").map(|text| text == "1");
    boost.or_else(|| read("intel_pstate/no_turbo").map(|text| text == "0"))
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
