//! This process: its resident memory and its allocator. Depends on nothing else in this crate.

pub mod allocator;
mod memory;

pub use memory::{Memory, PeakMemory};
