//! A quick check for truncated PNG files that decodes nothing.

use super::{Failure, Fault, PngError, check_signature, open};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Checks the first and last bytes of a file: the PNG signature, the header with a size that can be read, and the end chunk.
/// Corruption in between is found by [`read`](super::read) only.
///
/// # Errors
/// As [`read`](super::read).
pub fn check_ends(path: &Path) -> Result<(), PngError> {
    let mut file = open(path)?;
    check_ends_of(&mut file).map_err(|failure| failure.of(path))
}

fn check_ends_of(file: &mut File) -> Result<(), Failure> {
    const HEADER: &[u8] = b"\0\0\0\x0dIHDR";
    const END: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";
    let mut begin = BufReader::with_capacity(64, &mut *file);
    check_signature(&mut begin)?;
    let mut header = [0; 24];
    begin.read_exact(&mut header).map_err(Failure::reading)?;
    let side = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if &header[8..16] != HEADER {
        return Err(Fault::Corrupt("the header is missing".into()).into());
    }
    crate::picture::area(side(16), side(20))?;
    let mut end = [0; 12];
    file.seek(SeekFrom::End(-12)).map_err(Failure::Storage)?;
    file.read_exact(&mut end).map_err(Failure::reading)?;
    if end == END { Ok(()) } else { Err(Fault::Truncated.into()) }
}
