//! What can be wrong with a pack. Every message names the file, the field and what to do.

use std::path::{Path, PathBuf};

use crate::bounded_file::is_input_fault;

/// A pack that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The folder holds no manifest.
    #[error("{}: no pack here ({} is missing); name a pack's folder or one that `inkstone list packs` shows, with --pack or INKSTONE_PACK for commands that draw", folder.display(), super::MANIFEST)]
    NoPack {
        /// The folder asked for.
        folder: PathBuf,
    },
    /// The manifest is not valid TOML or has missing, unknown or mistyped fields.
    #[error("{}: {problem}", file.display())]
    Manifest {
        /// The manifest.
        file: PathBuf,
        /// Line, column and problem, as the TOML parser tells them.
        problem: String,
    },
    /// A field of the manifest has an invalid value.
    #[error("{}: field '{field}': {problem}", file.display())]
    Field {
        /// The manifest.
        file: PathBuf,
        /// The field's path, such as `sampling.schedules.4`.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file's size differs from the manifest's.
    #[error("{}: {found} bytes where the manifest says {expected}; the file was cut or changed: copy the pack again", file.display())]
    Size {
        /// The file.
        file: PathBuf,
        /// Bytes by the manifest.
        expected: u64,
        /// Bytes on disk.
        found: u64,
    },
    /// A file's content differs from the manifest's checksum.
    #[error("{}: SHA-256 is {found} where the manifest says {expected}; the file was changed: copy the pack again", file.display())]
    Checksum {
        /// The file.
        file: PathBuf,
        /// Checksum by the manifest.
        expected: String,
        /// Checksum of the file.
        found: String,
    },
    /// A mapped file was written to after it was opened.
    #[error("{}: the file was changed while it is in use; start again, and replace packs by renaming whole folders", file.display())]
    Changed {
        /// The file.
        file: PathBuf,
    },
    /// A graph that does not fit the manifest, the weights file or this engine.
    #[error("{}: {problem}", file.display())]
    Graph {
        /// The graph's file.
        file: PathBuf,
        /// The node, tensor or port, and what is wrong with it.
        problem: String,
    },
    /// A file that cannot be opened or read.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl PackError {
    pub(crate) fn field(file: &Path, field: &str, problem: String) -> PackError {
        PackError::Field {
            file: file.to_path_buf(),
            field: field.to_owned(),
            problem,
        }
    }

    pub(crate) fn graph(file: &Path, problem: impl Into<String>) -> PackError {
        PackError::Graph {
            file: file.to_path_buf(),
            problem: problem.into(),
        }
    }

    pub(crate) fn io(file: &Path, source: std::io::Error) -> PackError {
        PackError::Io {
            file: file.to_path_buf(),
            source,
        }
    }

    pub(crate) fn manifest_unreadable(folder: &Path, file: &Path, source: std::io::Error) -> PackError {
        match source.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => PackError::NoPack {
                folder: folder.to_path_buf(),
            },
            std::io::ErrorKind::InvalidData => PackError::Manifest {
                file: file.to_path_buf(),
                problem: "the manifest is not UTF-8 text".into(),
            },
            _ => PackError::io(file, source),
        }
    }

    /// Whether the input is at fault and not the machine: exit code 2 rather than 1.
    pub fn is_input_fault(&self) -> bool {
        match self {
            PackError::Io { source, .. } => is_input_fault(source),
            _ => true,
        }
    }
}
