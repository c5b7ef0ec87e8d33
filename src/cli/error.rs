//! Every way a command can end badly, and its exit code.

use crate::pack::PackError;
use crate::picture::{PngError, PreviewError, SheetError};
use crate::pipeline::PipelineError;

/// A command that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A pack that cannot be used.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A picture that cannot be generated.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A picture file that cannot be written or read.
    #[error(transparent)]
    Png(#[from] PngError),
    /// Pictures that cannot be shown together.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// A picture that cannot be shown.
    #[error(transparent)]
    Preview(#[from] PreviewError),
    /// Invalid arguments.
    #[error("{0}")]
    Usage(String),
    /// A display that cannot be opened.
    #[error("{0}")]
    Display(String),
    /// A file that does not hold what its record says.
    #[error("{0}")]
    Mismatch(String),
    /// Output that cannot be written.
    #[error("{0}")]
    Output(#[from] std::io::Error),
    /// `doctor` found what keeps a kiosk from running.
    #[error("a kiosk would not run here; each FAULT above says what to do")]
    Unfit,
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl CliError {
    /// 2 where the input is at fault, 130 after Ctrl-C, else 1.
    pub fn exit_code(&self) -> u8 {
        let input = match self {
            CliError::Interrupted | CliError::Pipeline(PipelineError::Interrupted) => return 130,
            CliError::Pack(error) => error.is_input_fault(),
            CliError::Pipeline(error) => error.is_input_fault(),
            CliError::Png(error) => error.is_input_fault(),
            CliError::Usage(_) | CliError::Mismatch(_) => true,
            CliError::Display(_) | CliError::Unfit | CliError::Sheet(_) | CliError::Preview(_) | CliError::Output(_) => false,
        };
        if input { 2 } else { 1 }
    }
}
