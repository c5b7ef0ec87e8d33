//! Files that are either whole or not there: written under another name, synced, renamed, the folder synced.

use super::PngError;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How the names of files begin and end that are not finished yet.
const TEMPORARY: (&str, &str) = (".inkstone-", ".tmp");

/// Writes a file to `target`, which [`target`] gave.
pub(super) fn place(target: &Path, bytes: &[u8], overwrite: bool) -> Result<(), PngError> {
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    replace(target, folder, bytes, overwrite).map_err(|source| PngError::writing(target, source))
}

/// Whether a file of this name is one that [`write`](super::write) left unfinished when the process or the power was cut.
pub fn is_unfinished(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(TEMPORARY.0.as_bytes()) && name.ends_with(TEMPORARY.1.as_bytes())
}

/// The file to write to: `path`, or what a symbolic link there leads to.
pub(super) fn target(path: &Path, overwrite: bool) -> Result<PathBuf, PngError> {
    match fs::metadata(path) {
        Ok(there) if !there.is_file() => Err(PngError::NotAFile(path.to_owned())),
        Ok(_) if !overwrite => Err(PngError::Exists(path.to_owned())),
        Ok(_) => fs::canonicalize(path).map_err(|source| PngError::writing(path, source)),
        Err(_) => Ok(path.to_owned()),
    }
}

/// Puts a file with these bytes in place of `target`, or leaves everything as it was.
pub(super) fn replace(target: &Path, folder: &Path, bytes: &[u8], overwrite: bool) -> io::Result<()> {
    let mut file = temporary(folder)?;
    pour(file.as_file_mut(), bytes)?;
    if overwrite {
        file.persist(target)?;
        sync_folder(folder)
    } else {
        file.persist_noclobber(target)?;
        sync_folder(folder).inspect_err(|_| drop(fs::remove_file(target)))
    }
}

/// An empty file with a name of its own, readable by whom the user's mask allows.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY.0).suffix(TEMPORARY.1);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Writes everything and waits until it is on the disk.
pub(super) fn pour(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// Waits until a folder's names are on the disk, where folders can be opened and synced at all.
///
/// # Errors
/// When the storage fails.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    let synced = match File::open(folder) {
        Ok(folder) if cfg!(unix) => folder.sync_all(),
        _ => return Ok(()),
    };
    match synced {
        Err(fault) if matches!(fault.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            log::debug!("the folder {} cannot be synced: {fault}", folder.display());
            Ok(())
        }
        other => other,
    }
}
