//! The engine: runs a pack's graphs through tract with int8 arithmetic straight from the mapped weights. Depends on
//! [`crate::pack`] alone.
//!
//! [`Engine`] is a thread pool; [`Stage`] is one graph, loaded and ready to run in it, [`Stages`] are those of a pack; [`State`] holds
//! what a stage keeps between runs. The private modules:
//!
//! * `adapter` is the only place that knows tract's operator traits; `reader` turns the graph's nodes into
//!   operators, `fuse` fuses quantized layers with adjacent operators, and `lower` replaces those of tract's that only move floats.
//! * `sizes` finds how large everything will be and refuses what goes beyond the limits, before tract sees a graph.
//! * `program` is a graph as a list of operators; `arena` is the one block that their values lie in, planned ahead.
//! * [`operators`] holds the operators, one a file: plain functions from slices to slices, listed in one table.
//! * `int8` quantizes activations and multiplies them with mapped weights; `kernels` are the micro-kernels.
//! * `watching` tells the weights of attention operators, and what int8 layers read, to whoever asks.
//! * `parallel` splits work and hands it to the threads.
//! * `simd` and `arithmetic` are the float side: loops as wide as the processor allows whose results do not
//!   depend on how wide that is; `transpose` transposes matrices; `geometry` is that of convolutions.
//!
//! Integer sums are exact, and float steps use a fixed order, one rounding for every multiplication with an addition,
//! and our own `exp`, so the same graph gives the same bits on every processor and with every number of threads.

mod adapter;
mod arena;
mod arithmetic;
mod error;
mod fuse;
mod geometry;
mod int8;
mod kernels;
mod lower;
#[doc(hidden)]
pub mod operators;
mod parallel;
mod program;
mod reader;
mod simd;
mod sizes;
mod stage;
mod stages;
#[cfg(test)]
mod testing;
mod transpose;
mod value;
mod watching;

pub use error::EngineError;
#[doc(hidden)]
pub use sizes::is_read;
pub use stage::{Stage, State};
pub use stages::{Residency, Stages};
pub use value::{Input, Value};
pub use watching::{ActivationWatch, AttentionWatch};

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arena::Arena;
use kernels::Kernel;

/// Iterations of an idle thread before it yields its core.
const LOOKS: usize = 1 << 10;

/// A thread pool, and the micro-kernel of the stages that it loads. Choosing the kernel and reserving memory for activations happen once
/// here.
pub struct Engine {
    pool: rayon::ThreadPool,
    kernel: &'static dyn Kernel,
    /// Reused from run to run; a stage that runs at the same time as another has its own.
    arena: Mutex<Arena>,
    activations: Option<Arc<dyn ActivationWatch>>,
}

impl Engine {
    /// An engine with a number of threads; 0 for as many as there are cores.
    ///
    /// # Errors
    /// If threads cannot be started or `INKSTONE_KERNEL` names no kernel of this processor.
    pub fn new(threads: usize) -> Result<Engine, EngineError> {
        Engine::of(threads, kernels::select()?)
    }

    /// An engine with a number of threads and the micro-kernel of a name, one of [`kernels()`]: for tests, which compare kernels.
    ///
    /// # Errors
    /// If threads cannot be started or this processor has no such kernel.
    #[doc(hidden)]
    pub fn with_kernel(threads: usize, kernel: &str) -> Result<Engine, EngineError> {
        Engine::of(threads, kernels::by_name(Some(kernel.to_owned()))?)
    }

    fn of(threads: usize, kernel: &'static dyn Kernel) -> Result<Engine, EngineError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("inkstone-{index}"))
            .build()
            .map_err(|error| EngineError::Threads {
                problem: error.to_string(),
            })?;
        crate::process::allocator::raise_mmap_threshold();
        Ok(Engine {
            pool,
            kernel,
            arena: Mutex::default(),
            activations: None,
        })
    }

    /// Tells a watch what the int8 layers of every stage read that the engine runs from now on. The outputs are the same.
    pub fn watch_activations(&mut self, watch: Arc<dyn ActivationWatch>) {
        self.activations = Some(watch);
    }

    fn activations(&self) -> Option<&dyn ActivationWatch> {
        self.activations.as_deref()
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs work in the pool. Until it is done the pool's other threads stay awake, since waking one takes as long as many operators
    /// do; afterwards they sleep.
    fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        if self.threads() == 1 {
            return self.pool.install(work);
        }
        let done = &AtomicBool::new(false);
        self.pool.scope(|scope| {
            // Set also when the work panics: the scope waits for the others.
            let _end = SetWhenDropped(done);
            let own = rayon::current_thread_index();
            scope.spawn_broadcast(move |_, thread| {
                if Some(thread.index()) != own {
                    stay_awake(done);
                }
            });
            work()
        })
    }

    /// Lends the arena to a run.
    fn with_arena<R>(&self, work: impl FnOnce(&mut Arena) -> R) -> R {
        let kept = || self.arena.lock().unwrap_or_else(PoisonError::into_inner);
        let mut arena = std::mem::take(&mut *kept());
        let result = work(&mut arena);
        *kept() = arena;
        result
    }

    /// Name of the micro-kernel in use, such as `avx512-vnni`.
    pub fn kernel(&self) -> &'static str {
        self.kernel.name()
    }
}

/// Names of the int8 micro-kernels that this processor can run, fastest first; the last one runs on every processor.
pub fn kernels() -> Vec<&'static str> {
    kernels::available().iter().map(|kernel| kernel.name()).collect()
}

/// Name of the micro-kernel that [`Engine::new`] takes: the fastest, unless the environment variable `INKSTONE_KERNEL` names
/// another.
///
/// # Errors
/// If `INKSTONE_KERNEL` names no kernel of this processor.
pub fn selected_kernel() -> Result<&'static str, EngineError> {
    Ok(kernels::select()?.name())
}

struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Takes work from the pool until `done`.
fn stay_awake(done: &AtomicBool) {
    let mut idle = 0;
    while !done.load(Ordering::Acquire) {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            idle = 0;
        } else if idle < LOOKS {
            idle += 1;
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
}

/// Shapes and seeds that a test of many goes through. Under Miri each takes seconds.
#[cfg(test)]
pub(crate) const AT_MOST: usize = if cfg!(miri) { 2 } else { usize::MAX };

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    #[test]
    #[cfg_attr(miri, ignore = "Rayon's waiting threads take hours")]
    fn work_is_shared_and_its_result_comes_back() {
        for threads in 1..=3 {
            let engine = Engine::new(threads).unwrap();
            let sum = engine.run(|| (0..1000u32).into_par_iter().map(|value| rayon::join(|| value, || 1).0).sum::<u32>());
            assert_eq!((sum, engine.threads()), (499_500, threads));
        }
    }

    #[test]
    fn kernels_are_chosen_by_name() {
        for name in kernels() {
            assert_eq!(Engine::with_kernel(1, name).unwrap().kernel(), name);
        }
        let error = Engine::with_kernel(1, "abacus").err().unwrap();
        assert!(error.is_input_fault() && error.to_string().contains("portable"), "{error}");
    }

    #[test]
    fn work_that_panics_leaves_no_thread_waiting() {
        let engine = Engine::new(2).unwrap();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| engine.run(|| panic!("on purpose"))));
        assert!(caught.is_err());
        assert_eq!(engine.run(|| 7), 7);
    }
}
