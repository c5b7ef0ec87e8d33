//! What can be wrong with a request for a picture.

use crate::engine::EngineError;
use crate::pack::PackError;

/// A picture that cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum DiffusionError {
    /// The prompt has no words.
    #[error("the prompt is empty; say what to draw, for example \"a smiling cat\"")]
    EmptyPrompt,
    /// The prompt is too long.
    #[error("the prompt has {characters} characters; this pack reads at most {most}")]
    LongPrompt {
        /// Characters of the prompt.
        characters: usize,
        /// Characters that the pack accepts.
        most: usize,
    },
    /// The pack has no such style.
    #[error("there is no style '{name}'; this pack draws {}", known.join(", "))]
    UnknownStyle {
        /// The style asked for.
        name: String,
        /// The pack's styles.
        known: Vec<String>,
    },
    /// The pack has no such schedule.
    #[error("{steps} steps are not possible; this pack draws in {} steps", list(known))]
    Steps {
        /// Steps asked for.
        steps: usize,
        /// Numbers of steps that the pack has schedules for.
        known: Vec<usize>,
    },
    /// The guidance is out of range.
    #[error("guidance {guidance} is not between 0 and {most}, which is what this pack takes")]
    Guidance {
        /// Guidance asked for.
        guidance: f32,
        /// Largest guidance of the pack.
        most: f32,
    },
    /// The tokenizer cannot be read or fails on a prompt.
    #[error("{}: {problem}", file.display())]
    Tokenizer {
        /// The tokenizer's file.
        file: std::path::PathBuf,
        /// The tokenizers library's reason.
        problem: String,
    },
    /// The list of words cannot be read.
    #[error("{}, line {line}: {problem}", file.display())]
    Words {
        /// The list's file.
        file: std::path::PathBuf,
        /// The line, from 1; 0 where the file itself is at fault.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The planes that came out make no picture.
    #[error(transparent)]
    Picture(#[from] crate::picture::PictureError),
    /// The observer asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A stage cannot be loaded or run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The pack is not usable.
    #[error(transparent)]
    Pack(#[from] PackError),
}

fn list(steps: &[usize]) -> String {
    steps.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

impl DiffusionError {
    /// Whether the input is at fault and not the machine: exit code 2 rather than 1.
    pub fn is_input_fault(&self) -> bool {
        match self {
            DiffusionError::Engine(error) => error.is_input_fault(),
            DiffusionError::Pack(error) => error.is_input_fault(),
            DiffusionError::Interrupted | DiffusionError::Picture(_) => false,
            _ => true,
        }
    }
}
