//! Files that are either complete or absent: written under a temporary name in the same folder, synced to the disk and
//! renamed. A crash, a full disk or a power cut never leaves a half-written file under its final name.
//!
//! Owns the temporary names and the errors of writing a file. Depends on nothing else in this crate.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use thiserror::Error;

/// Prefix and suffix of temporary names.
const TEMPORARY: (&str, &str) = (".inkstone-", ".tmp");

/// Why a file could not be written. [`WriteError::is_input_fault`] tells the user's mistakes from the machine's failures.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file exists and may not be replaced.
    #[error("{} exists already (use --force to replace it)", .0.display())]
    Exists(PathBuf),
    /// The path is a folder, a device or a pipe.
    #[error("{} is not a regular file and is not replaced", .0.display())]
    NotAFile(PathBuf),
    /// The folder is missing or not writable, or the name is invalid.
    #[error("{} cannot be written: {reason}", path.display())]
    CannotWrite {
        /// The file that was to be written.
        path: PathBuf,
        /// What prevents it.
        reason: &'static str,
    },
    /// The disk is full, or the user's quota is used up.
    #[error("{} cannot be written: the disk is full", .0.display())]
    DiskFull(PathBuf),
    /// The file would be larger than the file system or the process's limit allows.
    #[error("{} cannot be written: files may not be as large as that here (ulimit -f)", .0.display())]
    SizeLimit(PathBuf),
    /// The storage failed.
    #[error("writing {} failed: {source}", path.display())]
    Failed {
        /// The file that was to be written.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl WriteError {
    /// True if another name or folder would help (exit code 2), false if the machine failed (exit code 1).
    pub fn is_input_fault(&self) -> bool {
        matches!(self, Self::Exists(_) | Self::NotAFile(_) | Self::CannotWrite { .. })
    }

    fn new(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if let Some(reason) = obstacle(source.kind()) {
            return Self::CannotWrite { path, reason };
        }
        match source.kind() {
            ErrorKind::AlreadyExists => Self::Exists(path),
            ErrorKind::IsADirectory => Self::NotAFile(path),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull(path),
            ErrorKind::FileTooLarge => Self::SizeLimit(path),
            _ => Self::Failed { path, source },
        }
    }
}

/// What another name or folder would fix. In our words, because the system's would name the temporary file.
fn obstacle(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::NotFound => Some("its folder does not exist or accepts no files"),
        ErrorKind::PermissionDenied => Some("permission denied"),
        ErrorKind::ReadOnlyFilesystem => Some("the file system is read-only"),
        ErrorKind::NotADirectory => Some("its parent is not a folder"),
        ErrorKind::InvalidFilename | ErrorKind::InvalidInput => Some("the name is invalid"),
        _ => None,
    }
}

/// Writes `bytes` to `path` and waits until file and name are on the disk. A symbolic link is followed. The file's
/// permissions are those that the user's mask gives to new files.
///
/// # Errors
/// If the file exists and `overwrite` is false, if the path is something other than a regular file, if the folder is missing
/// or not writable, or if the disk is full or fails. An existing file is then unchanged, and no new one is left.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("report.json");
/// inkstone::atomic_file::write(&path, b"{}", false)?;
/// assert!(inkstone::atomic_file::write(&path, b"[]", false).is_err());
/// assert_eq!(std::fs::read(&path)?, b"{}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write(path: &Path, bytes: &[u8], overwrite: bool) -> Result<(), WriteError> {
    let target = target(path, overwrite)?;
    replace(&target, bytes, overwrite, EVERYBODY).map_err(|source| WriteError::new(&target, source))
}

/// As [`write()`], but nobody except the user may read the file, at no time.
///
/// # Errors
/// As [`write()`] without `overwrite`.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let target = target(path, false)?;
    replace(&target, bytes, false, OWNER).map_err(|source| WriteError::new(&target, source))
}

/// Checks that [`write()`] may write to `path`, before anything is computed for it.
///
/// # Errors
/// As [`write()`], as far as that is known beforehand: the file exists, is not a regular file, or its folder is missing.
pub fn check(path: &Path, overwrite: bool) -> Result<(), WriteError> {
    let target = target(path, overwrite)?;
    match fs::metadata(folder_of(&target)) {
        Ok(folder) if folder.is_dir() => Ok(()),
        Ok(_) => Err(WriteError::new(path, ErrorKind::NotADirectory.into())),
        Err(source) => Err(WriteError::new(path, source)),
    }
}

/// A temporary name with this text in it.
#[cfg(feature = "kiosk")]
pub(crate) fn temporary_name(text: &str) -> String {
    format!("{}{text}{}", TEMPORARY.0, TEMPORARY.1)
}

/// Whether a file name is one of the temporary names of [`write()`], left behind by a killed process or a power cut.
pub fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(TEMPORARY.0.as_bytes()) && name.ends_with(TEMPORARY.1.as_bytes())
}

/// Waits until the names in a folder are on the disk. Does nothing on systems that cannot sync folders.
///
/// # Errors
/// If the storage fails.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    let synced = match File::open(folder) {
        Ok(folder) if cfg!(unix) => folder.sync_all(),
        _ => return Ok(()),
    };
    match synced {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            log::debug!("{}: this file system cannot sync folders: {error}", folder.display());
            Ok(())
        }
        other => other,
    }
}

/// The folder that a path is in: `.` for a bare name.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The file to replace: `path`, or the target of a symbolic link.
fn target(path: &Path, overwrite: bool) -> Result<PathBuf, WriteError> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(WriteError::NotAFile(path.to_owned())),
        Ok(_) if !overwrite => Err(WriteError::Exists(path.to_owned())),
        Ok(_) => fs::canonicalize(path).map_err(|source| WriteError::new(path, source)),
        // A link that leads nowhere.
        Err(_) if !overwrite && path.is_symlink() => Err(WriteError::Exists(path.to_owned())),
        Err(_) => Ok(path.to_owned()),
    }
}

fn replace(target: &Path, bytes: &[u8], overwrite: bool, mode: u32) -> io::Result<()> {
    let folder = folder_of(target);
    let mut file = temporary(folder, mode)?;
    write_synced(file.as_file_mut(), bytes)?;
    if overwrite {
        file.persist(target)?;
        sync_folder(folder)
    } else {
        file.persist_noclobber(target)?;
        sync_folder(folder).inspect_err(|_| drop(fs::remove_file(target)))
    }
}

/// Who may read and write a file, before the user's mask.
const EVERYBODY: u32 = 0o666;
const OWNER: u32 = 0o600;

#[cfg_attr(not(unix), allow(unused_variables, reason = "only Unix has modes"))]
fn temporary(folder: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY.0).suffix(TEMPORARY.1);
    // By default only the owner may read temporary files.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    builder.tempfile_in(folder)
}

fn write_synced(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use tempfile::{TempDir, tempdir};

    fn names(folder: &TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn existing_files_are_replaced_only_if_asked() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        for error in [write(&path, b"new", false).unwrap_err(), check(&path, false).unwrap_err()] {
            assert!(matches!(error, WriteError::Exists(_)) && error.is_input_fault(), "{error}");
            assert!(error.to_string().contains("--force"), "{error}");
        }
        assert_eq!((fs::read(&path).unwrap(), names(&folder).len()), (b"old".to_vec(), 1));
        check(&path, true).unwrap();
        write(&path, b"new", true).unwrap();
        assert_eq!((fs::read(&path).unwrap(), names(&folder).len()), (b"new".to_vec(), 1));
    }

    #[test]
    fn one_of_several_concurrent_writers_wins() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("a");
        let won = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8).map(|_| scope.spawn(|| replace(&path, b"x", false, EVERYBODY))).collect();
            writers.into_iter().filter_map(|writer| writer.join().unwrap().ok()).count()
        });
        assert_eq!((won, names(&folder).len()), (1, 1));
        let late = WriteError::new(&path, replace(&path, b"y", false, EVERYBODY).unwrap_err());
        assert!(matches!(late, WriteError::Exists(_)), "{late}");
        assert_eq!((fs::read(&path).unwrap(), names(&folder).len()), (b"x".to_vec(), 1));
    }

    #[test]
    fn invalid_paths_are_input_faults_and_leave_nothing_behind() {
        let folder = tempdir().unwrap();
        fs::write(folder.path().join("file"), "old").unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        let long = "x".repeat(300);
        for name in [
            "missing/a",
            "file/a",
            "folder",
            "folder/",
            "folder/..",
            "new/",
            "file/",
            &long,
            "nul\0",
        ] {
            for overwrite in [false, true] {
                let error = write(&folder.path().join(name), b"x", overwrite).unwrap_err();
                assert!(error.is_input_fault(), "{name:?}: {error:?}");
                assert!(!error.to_string().contains(TEMPORARY.0), "{error}");
            }
        }
        for name in ["missing/a", "file/a", "folder"] {
            assert!(check(&folder.path().join(name), true).unwrap_err().is_input_fault(), "{name}");
        }
        assert_eq!(names(&folder), ["file", "folder"]);
        assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path().join("folder")).unwrap().count(), 0);
        assert!(write(Path::new(""), b"x", true).unwrap_err().is_input_fault());
        let device = write(Path::new("/dev/null"), b"x", true).unwrap_err();
        assert!(matches!(device, WriteError::NotAFile(_)), "{device:?}");
    }

    #[test]
    fn a_full_disk_is_the_machines_failure() {
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        let error = WriteError::new(Path::new("a"), write_synced(&mut full, b"x").unwrap_err());
        assert!(matches!(error, WriteError::DiskFull(_)) && !error.is_input_fault(), "{error:?}");
        assert_eq!(error.to_string(), "a cannot be written: the disk is full");
    }

    #[test]
    fn links_are_followed_and_permissions_are_the_usual_ones() {
        let folder = tempdir().unwrap();
        let [file, link, plain] = ["a", "link", "plain"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        File::create(&plain).unwrap();
        symlink("a", &link).unwrap();
        symlink("nowhere", folder.path().join("broken link")).unwrap();
        assert!(matches!(
            check(&folder.path().join("broken link"), false),
            Err(WriteError::Exists(_))
        ));
        assert!(matches!(write(&link, b"new", false), Err(WriteError::Exists(_))));
        write(&link, b"new", true).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("a"));
        assert_eq!(fs::read(&file).unwrap(), b"new");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&file), mode(&plain));
    }

    #[test]
    fn temporary_names_are_recognised() {
        let folder = tempdir().unwrap();
        let file = temporary(folder.path(), EVERYBODY).unwrap();
        assert!(is_temporary(file.path().file_name().unwrap()));
        for name in [".inkstone-", ".inkstone-a", "a.tmp", "inkstone-a.tmp", ".inkstone-a.tmp.png", ""] {
            assert!(!is_temporary(name.as_ref()), "{name}");
        }
    }

    #[test]
    fn folders_that_cannot_be_synced_are_no_error() {
        sync_folder(Path::new("/proc/self")).unwrap();
        sync_folder(Path::new("/nonexistent")).unwrap();
    }
}
