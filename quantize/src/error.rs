//! What can go wrong, and which exit code it means.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error that names the place and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the input is missing or invalid.
    #[error("{}: {problem}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A field of the manifest is wrong.
    #[error("{}: {field}: {problem}", path.display())]
    Field {
        /// The manifest.
        path: PathBuf,
        /// The field, such as `stages.denoiser.inputs[0].shape`.
        field: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The engine does not accept the manifest.
    #[error(transparent)]
    Manifest(#[from] inkstone::pack::PackError),
    /// The engine does not accept the finished pack.
    #[error(transparent)]
    Engine(inkstone::engine::EngineError),
    /// The finished pack generates no picture.
    #[error("the pack cannot generate a picture: {0}")]
    Generate(String),
    /// A node of a graph is not supported.
    #[error("{}: node `{node}` ({operator}): {problem}", path.display())]
    Node {
        /// The graph's file.
        path: PathBuf,
        /// Name of the node.
        node: String,
        /// Operator of the node.
        operator: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The definition of one of our operators is not in ONNX's syntax.
    #[error("the definition of operator {operator} is wrong at `{place}`")]
    Definition {
        /// The operator.
        operator: &'static str,
        /// The rest of the line that does not fit.
        place: String,
    },
    /// The target must not be written.
    #[error("{}: {problem}", path.display())]
    Target {
        /// The target.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A file beside the pack cannot be written.
    #[error(transparent)]
    Write(#[from] inkstone::atomic_file::WriteError),
    /// The options cannot be followed.
    #[error("{0}")]
    Usage(String),
    /// The machine failed: disk full, no permission, device gone.
    #[error("{}: cannot {action}: {source}", path.display())]
    Machine {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// Whether the input or the usage is at fault, and not the machine.
    pub fn is_input(&self) -> bool {
        match self {
            // Another folder would help, as in the other program.
            Error::Machine { source, .. } => matches!(
                source.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::NotADirectory
            ),
            Error::Definition { .. } => false,
            Error::Engine(error) => error.is_input_fault(),
            Error::Write(error) => error.is_input_fault(),
            _ => true,
        }
    }

    /// 2 for wrong usage or input, 1 for a failing machine.
    pub fn exit_code(&self) -> u8 {
        if self.is_input() { 2 } else { 1 }
    }

    /// An [`Error::Usage`].
    pub(crate) fn usage(problem: impl Into<String>) -> Error {
        Error::Usage(problem.into())
    }

    /// An [`Error::Input`].
    pub(crate) fn input(path: &Path, problem: impl Into<String>) -> Error {
        Error::Input {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    /// An [`Error::Field`].
    pub(crate) fn field(path: &Path, field: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::Field {
            path: path.to_owned(),
            field: field.into(),
            problem: problem.into(),
        }
    }

    /// An [`Error::Machine`].
    pub(crate) fn machine(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Machine { path, action, source }
    }

    /// An [`Error::Input`] for a file that is missing, an [`Error::Machine`] for anything else.
    pub(crate) fn reading(path: &Path, missing: &str) -> impl FnOnce(std::io::Error) -> Error {
        let (path, problem) = (path.to_owned(), missing.to_owned());
        move |source| match source.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Error::Input { path, problem },
            std::io::ErrorKind::InvalidInput | std::io::ErrorKind::FileTooLarge | std::io::ErrorKind::IsADirectory => Error::Input {
                path,
                problem: source.to_string(),
            },
            _ => Error::Machine {
                path,
                action: "read",
                source,
            },
        }
    }
}
