//! Measurement: what pictures cost in time, memory and energy, the way MLPerf and EEMBC ask for it.
//!
//! [`Memory`] and [`PeakMemory`] depend on nothing. The rest (feature `power`, Linux) may use everything but
//! `cli`:
//!
//! * `plan` says what is measured and in which order; `run` draws and times it; `cold` starts new processes.
//! * `watch` reads the processor meanwhile; `energy` integrates what the power meter told.
//! * `validity` says what speaks against a run; `statistics` has quantiles and tests.
//! * `report` is what a run becomes; `table`, `html` and `compare` show it.

#[cfg(all(feature = "power", target_os = "linux"))]
pub mod cold;
#[cfg(all(feature = "power", target_os = "linux"))]
pub mod compare;
#[cfg(all(feature = "power", target_os = "linux"))]
pub mod energy;
#[cfg(all(feature = "power", target_os = "linux"))]
pub mod html;
mod memory;
#[cfg(all(feature = "power", target_os = "linux"))]
mod page_cache;
#[cfg(all(feature = "power", target_os = "linux"))]
pub mod plan;
#[cfg(all(feature = "power", target_os = "linux"))]
pub mod report;
#[cfg(all(feature = "power", target_os = "linux"))]
pub mod run;
#[cfg(all(feature = "power", target_os = "linux"))]
pub mod statistics;
#[cfg(all(feature = "power", target_os = "linux"))]
pub mod table;
#[cfg(all(feature = "power", target_os = "linux"))]
pub mod validity;
#[cfg(all(feature = "power", target_os = "linux"))]
pub mod watch;

pub use memory::{Memory, PeakMemory};
