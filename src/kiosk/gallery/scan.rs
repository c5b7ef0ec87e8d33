//! Reading a gallery's folder: names, sizes, and the first and last bytes of each file.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry, File};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::names::{Name, OTHERS};
use super::{DAMAGED, Entry};
use crate::atomic_file;
use crate::picture::{PngError, png};

/// What a folder holds.
pub(super) struct Found {
    /// Whole pictures in the order of their numbers.
    pub entries: Vec<Entry>,
    /// A number above all that were seen.
    pub next: u64,
}

/// A folder that is locked for this process for as long as this lives.
#[derive(Debug)]
pub(super) struct Lock(File);

#[cfg(test)]
impl Lock {
    pub(super) fn file(&self) -> &File {
        &self.0
    }
}

impl Drop for Lock {
    /// Closing the file is not enough: a program that is being started has it open, too, until it has begun.
    fn drop(&mut self) {
        if let Err(fault) = self.0.unlock() {
            log::debug!("cannot unlock the folder of the gallery: {fault}");
        }
    }
}

/// Locks the folder for this process; `None` if it cannot be opened or another process holds the lock.
pub(super) fn lock(folder: &Path) -> Option<Lock> {
    let file = File::open(folder).ok()?;
    match file.try_lock() {
        Ok(()) => Some(Lock(file)),
        Err(fs::TryLockError::WouldBlock) => {
            log::warn!(
                "{}: another kiosk uses this gallery; unfinished files are left as they are",
                folder.display()
            );
            None
        }
        // Some network file systems have no locks; another kiosk is unlikely.
        Err(fs::TryLockError::Error(_)) => Some(Lock(file)),
    }
}

/// Why files of a folder are not shown, as it was logged. A folder is read again and again; each fault is logged once for as long as it is
/// there.
#[derive(Debug, Default)]
pub struct Logged(Mutex<BTreeSet<String>>);

impl Logged {
    fn log(&self, faults: BTreeSet<String>) {
        for fault in self.replace(faults) {
            log::warn!("{fault}");
        }
    }

    /// Takes the faults of the latest reading, and returns those that the one before did not have.
    fn replace(&self, faults: BTreeSet<String>) -> Vec<String> {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = faults.difference(&logged).cloned().collect();
        *logged = faults;
        new
    }
}

/// Reads the folder. Where it is this process's own (`tidy`), unfinished files are removed, damaged pictures set aside, and of two
/// pictures with one number the later one gets another.
pub(super) fn scan(folder: &Path, tidy: bool, logged: &Logged) -> Found {
    let mut found = Found {
        entries: Vec::new(),
        next: 1,
    };
    let files = match fs::read_dir(folder) {
        Ok(files) => files,
        Err(fault) => {
            logged.log([format!("{}: {fault}", folder.display())].into());
            return found;
        }
    };
    let mut faults = BTreeSet::new();
    let mut others = Vec::new();
    for file in files.flatten() {
        let is_link = file.file_type().is_ok_and(|kind| kind.is_symlink());
        if atomic_file::is_temporary(&file.file_name()) {
            if tidy {
                remove_unfinished(&file);
            }
        } else if let Some(name) = file.file_name().to_str().and_then(Name::read).filter(|_| !is_link) {
            found.next = found.next.max(name.number() + 1);
            found.entries.extend(entry(folder, &file, name, tidy, &mut faults));
        } else {
            others.push(file);
        }
    }
    found
        .entries
        .sort_by_cached_key(|entry| (entry.number(), entry.file_name().to_owned()));
    tell_apart(folder, &mut found, tidy, &mut faults);
    others.sort_by_key(DirEntry::file_name);
    let others = others.iter().zip(OTHERS..);
    let others = others.filter_map(|(file, number)| other(file, number, &mut faults));
    let own = std::mem::take(&mut found.entries);
    found.entries = others.chain(own).collect();
    logged.log(faults);
    found
}

fn entry(folder: &Path, file: &DirEntry, name: Name, tidy: bool, faults: &mut BTreeSet<String>) -> Option<Entry> {
    let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
    match png::check_ends(&file.path()) {
        Ok(()) => Some(Entry {
            name,
            bytes: metadata.len(),
            is_other: false,
        }),
        Err(PngError::Bad { fault, .. }) if tidy => {
            log::warn!("{}: {fault}", file.path().display());
            set_aside(folder, &name.to_string());
            None
        }
        Err(fault) => {
            faults.insert(fault.to_string());
            None
        }
    }
}

/// A picture, or a link to one, that somebody else put into the folder. A file that is none is among the faults.
fn other(file: &DirEntry, number: u64, faults: &mut BTreeSet<String>) -> Option<Entry> {
    let path = file.path();
    let metadata = fs::metadata(&path);
    if metadata.as_ref().is_ok_and(fs::Metadata::is_dir) || file.file_name().as_encoded_bytes().starts_with(b".") {
        return None;
    }
    let name = file.file_name().to_str().and_then(|name| Name::of_other(number, name));
    let Some(name) = name else {
        faults.insert(format!(
            "{}: is not shown: the gallery shows files whose names end in .png",
            path.display()
        ));
        return None;
    };
    match png::check_ends(&path) {
        Ok(()) => Some(Entry {
            name,
            bytes: metadata.map_or(0, |metadata| metadata.len()),
            is_other: true,
        }),
        Err(fault) => {
            faults.insert(format!("{}: is not shown: {fault}", path.display()));
            None
        }
    }
}

/// Of two pictures with one number, which two kiosks have written, the later one gets the next number, or is left out if the folder is
/// another kiosk's.
fn tell_apart(folder: &Path, found: &mut Found, tidy: bool, faults: &mut BTreeSet<String>) {
    let mut index = 1;
    while index < found.entries.len() {
        if found.entries[index].number() != found.entries[index - 1].number() {
            index += 1;
            continue;
        }
        let mut entry = found.entries.remove(index);
        let name = entry.name.renumbered(found.next);
        let (old, new) = (folder.join(entry.file_name()), folder.join(name.to_string()));
        let renamed = if tidy {
            fs::rename(&old, &new)
        } else {
            Err(io::ErrorKind::ResourceBusy.into())
        };
        match renamed {
            Ok(()) => {
                log::warn!("{}: has the number of another picture, and is now {}", old.display(), new.display());
                entry.name = name;
                found.next += 1;
                found.entries.push(entry);
            }
            Err(fault) => {
                faults.insert(format!(
                    "{}: has the number of another picture, and is not shown: {fault}",
                    old.display()
                ));
            }
        }
    }
}

/// Removes what a process left unfinished, unless one holds it: a number that it has claimed.
fn remove_unfinished(file: &DirEntry) {
    let is_file = file.file_type().is_ok_and(|kind| kind.is_file());
    let is_held = || {
        matches!(
            File::open(file.path()).map(|file| file.try_lock()),
            Ok(Err(fs::TryLockError::WouldBlock))
        )
    };
    if is_file
        && !is_held()
        && let Err(fault) = fs::remove_file(file.path())
    {
        log::warn!("{}: {fault}", file.path().display());
    }
}

/// Moves a file into [`DAMAGED`], under a new name if its name is taken.
pub(super) fn set_aside(folder: &Path, name: &str) {
    let damaged = folder.join(DAMAGED);
    let free = |index: u32| {
        let target = if index == 0 {
            damaged.join(name)
        } else {
            damaged.join(format!("{index}-{name}"))
        };
        target.symlink_metadata().is_err().then_some(target)
    };
    let moved = fs::create_dir_all(&damaged).and_then(|()| match (0..1000).find_map(free) {
        Some(target) => fs::rename(folder.join(name), target),
        None => Err(io::Error::new(io::ErrorKind::AlreadyExists, "there are too many damaged pictures")),
    });
    match moved {
        Ok(()) => log::warn!("{}: {name} is damaged and was moved to {DAMAGED}/", folder.display()),
        Err(fault) => log::warn!(
            "{}: {name} is damaged and could not be moved to {DAMAGED}/: {fault}",
            folder.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_logged_once_for_as_long_as_it_is_there() {
        let faults = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<BTreeSet<_>>();
        let logged = Logged::default();
        assert_eq!(logged.replace(faults(&["a", "b"])), ["a", "b"]);
        assert_eq!(logged.replace(faults(&["a", "b", "c"])), ["c"]);
        assert!(logged.replace(faults(&["a", "c"])).is_empty());
        assert_eq!(logged.replace(faults(&["a", "b"])), ["b"]);
    }

    #[test]
    fn what_is_not_shown_is_known_after_the_first_reading() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.txt"), "milk").unwrap();
        fs::write(folder.path().join("torn.png"), "\u{89}PNG").unwrap();
        fs::write(folder.path().join("000001-cat.png"), "\u{89}PNG").unwrap();
        let logged = Logged::default();
        for _ in 0..2 {
            assert!(scan(folder.path(), false, &logged).entries.is_empty());
            let faults = logged.0.lock().unwrap();
            assert_eq!(faults.len(), 3, "{faults:?}");
            for name in ["notes.txt", "torn.png", "000001-cat.png"] {
                assert!(faults.iter().any(|fault| fault.contains(name)), "{faults:?}");
            }
        }
    }
}
