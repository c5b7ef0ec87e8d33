//! Measurement: what pictures cost in time, memory and energy, the way MLPerf and EEMBC ask for it.
//!
//! [`Memory`] and [`PeakMemory`] depend on nothing. The rest (feature `power`, Linux) may use everything but
//! `cli`:
//!
//! * `plan` says what is measured and in which order; `run` draws and times it; `cold` starts new processes.
//! * `watch` reads the processor meanwhile; `energy` integrates what the power meter told.
//! * `validity` says what speaks against a run; `statistics` has quantiles and tests.
//! * `report` is what a run becomes; `table`, `html` and `compare` show it.

mod memory;

/// All that needs Linux and the feature; its modules lie in this folder and are this module's.
#[cfg(all(feature = "power", target_os = "linux"))]
#[path = "."]
mod measuring {
    pub mod cold;
    pub mod compare;
    pub mod energy;
    pub mod html;
    mod page_cache;
    pub mod plan;
    pub mod report;
    pub mod run;
    pub mod statistics;
    pub mod table;
    pub mod validity;
    pub mod watch;
}

#[cfg(all(feature = "power", target_os = "linux"))]
pub use measuring::*;
pub use memory::{Memory, PeakMemory};
