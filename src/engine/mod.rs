//! The engine: runs a pack's graphs through tract with int8 arithmetic straight from the mapping. Depends on
//! [`crate::pack`] alone.
//!
//! * [`Engine`] is a thread pool; [`Stage`] is one graph made ready to run in it.
//! * `adapter` is the only place that knows tract's operator traits; `bind` turns the graph's nodes into
//!   operators, and `fuse` makes neighbours of convolutions part of them.
//! * `operators` holds the operators, one a file: plain functions from slices to slices.
//! * `int8` quantizes activations and multiplies them with mapped weights; [`kernels`] are the micro-kernels.
//! * `lanes` and `arithmetic` are the float side: loops as wide as the processor allows whose results do not
//!   depend on how wide that is.
//!
//! Integer sums are exact, and float steps use a fixed order, no fused multiply-add and our own `exp`, so the
//! same graph gives the same bits on every processor and with every number of threads.

mod adapter;
mod arithmetic;
mod bind;
mod error;
mod fuse;
mod int8;
pub mod kernels;
mod lanes;
mod operators;
mod stage;

pub use error::EngineError;
pub use stage::{Stage, Value};

use kernels::Kernel;

/// A thread pool and the micro-kernel that all stages share.
pub struct Engine {
    pool: rayon::ThreadPool,
    kernel: &'static dyn Kernel,
}

impl Engine {
    /// An engine with a number of threads; 0 takes as many as there are cores.
    ///
    /// # Errors
    /// If threads cannot be started or `INKSTONE_KERNEL` names no kernel of this processor.
    pub fn new(threads: usize) -> Result<Engine, EngineError> {
        let kernel = kernels::select()?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("inkstone-{index}"))
            .build()
            .map_err(|error| EngineError::Threads {
                problem: error.to_string(),
            })?;
        Ok(Engine { pool, kernel })
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// The micro-kernel in use.
    pub fn kernel(&self) -> &'static dyn Kernel {
        self.kernel
    }
}
