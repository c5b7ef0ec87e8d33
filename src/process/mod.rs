//! This process: its resident memory, its allocator, and its panics. Depends on nothing else in this crate.

pub mod allocator;
mod memory;
pub mod panics;

pub use memory::{Memory, PeakMemory};
