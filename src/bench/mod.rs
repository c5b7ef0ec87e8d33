//! Measurement: what pictures cost in time, memory and energy, after the methods of MLPerf and EEMBC (feature `power`, Linux).
//! May depend on everything except `cli`.
//!
//! * [`plan`]: what is measured, and in which order; [`run`] draws and times it; [`cold`] starts new processes.
//! * [`monitor`]: samples the processor during a run; [`energy`]: integrates the power meter's samples.
//! * [`validity`]: whether a run can be trusted; [`statistics`]: quantiles and tests.
//! * [`report`]: the result of a run; [`table`], [`html`] and [`compare`] present it.

pub mod cold;
pub mod compare;
pub mod energy;
pub mod export;
pub mod html;
pub mod monitor;
mod page_cache;
pub mod plan;
pub mod report;
pub mod run;
pub mod statistics;
pub mod table;
pub mod validity;
