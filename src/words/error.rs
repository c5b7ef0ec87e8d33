//! What can be wrong with a pack's word list.

use std::path::PathBuf;

/// A word list that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}, line {line}: {problem}", file.display())]
pub struct WordsError {
    /// The list's file.
    pub file: PathBuf,
    /// The line, from 1; 0 if the file itself cannot be read.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}
