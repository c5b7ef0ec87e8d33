//! What can be wrong with a pack's lexicon, or with the tables that one is made from.

use std::path::PathBuf;

/// A lexicon that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WordsError {
    /// The file cannot be read.
    #[error("{}: cannot read the lexicon: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is no lexicon, or a damaged one.
    #[error("{}: the lexicon cannot be used: {problem}; copy the pack again, or make it anew with `inkstone-quantize WORDS.tsv`", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A line of a table is invalid.
    #[error("line {line}: {problem}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
}
