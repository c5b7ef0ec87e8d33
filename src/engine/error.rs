//! What can go wrong between a checked pack and a running graph.

use crate::pack::PackError;

/// A stage that cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The pack is not usable.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// `INKSTONE_KERNEL` names no kernel of this processor.
    #[error("INKSTONE_KERNEL is '{name}': this processor runs {}", known.join(", "))]
    Kernel {
        /// The name.
        name: String,
        /// Names of the kernels that this processor can run.
        known: Vec<&'static str>,
    },
    /// The thread pool could not be started.
    #[error("threads could not be started: {problem}")]
    Threads {
        /// The system's reason.
        problem: String,
    },
    /// A graph that this engine cannot run.
    #[error("{}: {problem}", file.display())]
    Graph {
        /// The graph's file.
        file: std::path::PathBuf,
        /// The node and what is wrong with it.
        problem: String,
    },
    /// A state that does not fit its stage.
    #[error("stage '{stage}': {problem}")]
    State {
        /// The stage.
        stage: String,
        /// The port and what is wrong with it.
        problem: String,
    },
    /// An operator failed while a graph ran.
    #[error("stage '{stage}' failed: {problem}")]
    Run {
        /// The stage.
        stage: String,
        /// The node and what is wrong with it.
        problem: String,
    },
}

impl EngineError {
    /// Whether the input is at fault and not the machine: exit code 2 rather than 1.
    pub fn is_input_fault(&self) -> bool {
        match self {
            EngineError::Pack(error) => error.is_input_fault(),
            EngineError::Kernel { .. } | EngineError::Graph { .. } | EngineError::State { .. } => true,
            EngineError::Threads { .. } | EngineError::Run { .. } => false,
        }
    }
}
