//! Makes a pack's lexicon from a table of words. Owns reading the one and writing the other; the format of both is
//! [`inkstone::words`]'s.

use std::path::Path;

use inkstone::atomic_file;

use crate::error::{Error, Result};
use crate::files;

/// Largest table that is read, in bytes.
const LARGEST: u64 = 256 << 20;

/// Compiles the table in a file and writes the lexicon to another, whole or not at all.
///
/// # Errors
/// For a table that cannot be read or has an invalid line, and for a lexicon that cannot be written.
pub fn make(table: &Path, out: &Path, force: bool) -> Result<()> {
    let missing = "there is no such file: make one with `python -m pictogram.lexicon`";
    let length = std::fs::metadata(table).map_err(Error::reading(table, missing))?.len();
    if length > LARGEST {
        return Err(Error::input(
            table,
            format!("the table has {length} bytes; at most {LARGEST} are read"),
        ));
    }
    let text = files::text(table, LARGEST, missing)?;
    let lexicon = inkstone::words::compile(&text).map_err(|error| Error::input(table, error.to_string()))?;
    let named = format!("{} ", out.display());
    atomic_file::write(out, &lexicon, force).map_err(|error| Error::Target {
        path: out.to_owned(),
        problem: error.to_string().trim_start_matches(&named).to_owned(),
    })
}
