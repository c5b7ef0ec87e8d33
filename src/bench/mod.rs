//! Measurement: what this process costs. Depends on nothing.

mod memory;

pub use memory::{Memory, PeakMemory};
