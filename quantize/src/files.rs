//! Which files of a model are read: regular ones of a bounded size, that lie within the model. Links may lead from a Hugging Face cache's
//! snapshot into its blobs, and nowhere else. Depends on nothing but errors.

use std::path::{Path, PathBuf};

use inkstone::bounded_file;

use crate::error::{Error, Result};

/// What links may lead to: the model's own folder, or the cache that it is part of.
///
/// # Errors
/// If the folder cannot be found.
pub fn root(folder: &Path) -> Result<PathBuf> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let own = folder.canonicalize().map_err(|error| unreachable(folder, &error))?;
    let is_cache = |above: &&Path| {
        let named = above.file_name().and_then(std::ffi::OsStr::to_str);
        named.is_some_and(|name| name.starts_with("models--")) && own.starts_with(above.join("snapshots"))
    };
    let cache = own.ancestors().find(is_cache).map(Path::to_owned);
    Ok(cache.unwrap_or(own))
}

/// Checks that a file is a regular one within a root.
///
/// # Errors
/// If it is missing, leads nowhere or out of the root, or is no regular file.
pub fn check(file: &Path, root: &Path) -> Result<()> {
    let target = file.canonicalize().map_err(|error| unreachable(file, &error))?;
    if !target.starts_with(root) {
        let problem = format!("leads to {}, outside of the model: copy the file here", target.display());
        return Err(Error::input(file, problem));
    }
    let kind = bounded_file::check(file, u64::MAX);
    kind.map(drop).map_err(Error::reading(file, "there is no such file"))
}

/// Reads a text file of at most `most` bytes; `missing` is what is said of one that is not there.
///
/// # Errors
/// If it cannot be read, is larger, or is not UTF-8.
pub fn text(file: &Path, most: u64, missing: &str) -> Result<String> {
    let bytes = bounded_file::read(file, most).map_err(Error::reading(file, missing))?;
    String::from_utf8(bytes).map_err(|_| Error::input(file, "is not UTF-8 text: save it as UTF-8"))
}

/// Whether there is anything of this name, be it a link that leads nowhere.
pub fn is_there(file: &Path) -> bool {
    file.symlink_metadata().is_ok()
}

fn unreachable(file: &Path, error: &std::io::Error) -> Error {
    let problem = match file.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => format!("is a link that leads nowhere ({error}): download the file again"),
        _ => format!("cannot be found: {error}"),
    };
    Error::input(file, problem)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_lead_into_the_model_or_its_cache() {
        let folder = tempfile::tempdir().unwrap();
        let snapshot = folder.path().join("models--someone--small/snapshots/0123");
        std::fs::create_dir_all(&snapshot).unwrap();
        let blob = folder.path().join("models--someone--small/blobs");
        std::fs::create_dir(&blob).unwrap();
        std::fs::write(blob.join("a"), "a").unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        for (name, target) in [
            ("in", "../../blobs/a"),
            ("out", "../../../secret"),
            ("nowhere", "x"),
            ("loop", "loop"),
            ("folder", "../../blobs"),
        ] {
            symlink(target, snapshot.join(name)).unwrap();
        }
        let root = root(&snapshot).unwrap();
        assert!(check(&snapshot.join("in"), &root).is_ok());
        for (name, words) in [
            ("out", "outside of the model"),
            ("nowhere", "leads nowhere"),
            ("loop", "leads nowhere"),
            ("folder", "is a folder"),
            ("missing", "cannot be found"),
        ] {
            let error = check(&snapshot.join(name), &root).unwrap_err();
            assert!(error.is_input() && error.to_string().contains(words), "{name}: {error}");
        }
        assert!(is_there(&snapshot.join("nowhere")) && !is_there(&snapshot.join("missing")));
    }
}
