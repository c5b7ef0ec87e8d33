//! The errors of all commands, and their exit codes.

use crate::atomic_file::WriteError;
use crate::pack::PackError;
use crate::picture::{ImageFileError, PngError, PreviewError, SheetError};
use crate::pipeline::PipelineError;

/// The exit code for wrong usage or input.
pub const INPUT_FAULT: u8 = 2;

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A pack that cannot be used.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A key that cannot be used, or a picture that cannot be signed.
    #[cfg(feature = "content-credentials")]
    #[error(transparent)]
    Credentials(#[from] crate::credentials::CredentialsError),
    /// A picture that cannot be generated.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A file that cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A PNG file that cannot be written or read.
    #[error(transparent)]
    Png(#[from] PngError),
    /// A picture file of any format that cannot be written or read.
    #[error(transparent)]
    ImageFile(#[from] ImageFileError),
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
    /// A server that cannot be started.
    #[error("{0}")]
    Server(String),
    /// A picture that differs from its record.
    #[error("{0}")]
    Mismatch(String),
    /// Output that cannot be written.
    #[error("{0}")]
    Output(#[from] std::io::Error),
    /// A comparison of two reports that is not to be accepted.
    #[error("the second run is worse, or cannot be compared:\n  {0}")]
    Regression(String),
    /// `doctor` found a reason why a kiosk would not run.
    #[error("a kiosk would not run here; each FAULT above says what to do")]
    Unfit,
    /// Some of several paths, each of which was told.
    #[error("{failed} of {all} are at fault")]
    Several {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
        /// The lowest exit code of them.
        code: u8,
    },
    /// `kiosk --once` drew and kept no picture.
    #[error("no picture was drawn and kept")]
    NothingKept,
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl CliError {
    /// Whether standard output was closed by whoever read it, such as `head`.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, CliError::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// What to do about it, where the error itself does not say.
    pub fn hint(&self) -> Option<&'static str> {
        let CliError::Pipeline(error) = self else { return None };
        match error {
            PipelineError::UnknownPrompt { .. } => {
                Some("`inkstone list subjects --search TEXT` finds what is known; --guess draws the prompt all the same")
            }
            PipelineError::Syntax { .. } => Some("a backslash makes a bracket or brace part of the text: \\{, \\(, \\["),
            PipelineError::NoWordLists { .. } => {
                Some("--words DIR names the folder of word lists; a backslash makes a brace part of the text: \\{")
            }
            _ => None,
        }
    }

    /// 2 if the input is at fault, 130 after Ctrl-C, otherwise 1.
    pub fn exit_code(&self) -> u8 {
        let input = match self {
            CliError::Interrupted | CliError::Pipeline(PipelineError::Interrupted) => return 130,
            CliError::Several { code, .. } => return *code,
            CliError::Pack(error) => error.is_input_fault(),
            CliError::Pipeline(error) => error.is_input_fault(),
            CliError::Write(error) => error.is_input_fault(),
            #[cfg(feature = "content-credentials")]
            CliError::Credentials(error) => error.is_input_fault(),
            CliError::Png(error) => error.is_input_fault(),
            CliError::ImageFile(error) => error.is_input_fault(),
            CliError::Usage(_) | CliError::Mismatch(_) => true,
            CliError::Display(_)
            | CliError::Server(_)
            | CliError::Unfit
            | CliError::Regression(_)
            | CliError::NothingKept
            | CliError::Sheet(_)
            | CliError::Preview(_)
            | CliError::Output(_) => false,
        };
        if input { INPUT_FAULT } else { 1 }
    }
}
