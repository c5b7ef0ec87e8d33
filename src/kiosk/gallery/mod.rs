//! The gallery: a folder of PNG files that any file manager can show, `000012-red-fox.png`, and
//! `000012-red-fox.favourite.png` for favourites. Owns the files with such names in that folder that this program made; other PNG
//! files there are shown, and never deleted or moved.
//! Depends on [`crate::picture`] for the files.
//!
//! There is no index that could differ from the folder. The number at the beginning of a name counts kept pictures,
//! independent of the clock. A file appears under its name only once it is complete and synced, and a favourite is marked by
//! one rename, so that neither a power cut nor a kill loses or truncates a kept picture.

mod names;
mod scan;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::names::Name;
pub use self::scan::Logged;
use crate::atomic_file::{self, WriteError};
use crate::picture::{Picture, PictureFile, PngError, Provenance, png};

/// Folder for damaged pictures, inside the gallery.
pub const DAMAGED: &str = "damaged";
/// Folder for pictures that the owner has hidden, inside the gallery.
pub const HIDDEN: &str = "hidden";
/// Bytes that are freed beyond the size of a picture when the disk is full, for file system metadata.
const SLACK: u64 = 64 << 10;
/// Numbers that are tried if another program has taken the next one.
const ATTEMPTS: u64 = 16;

/// Limits of the gallery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Bytes of all pictures together.
    pub bytes: u64,
    /// Number of pictures.
    pub pictures: usize,
}

impl From<&super::settings::GallerySettings> for Caps {
    fn from(settings: &super::settings::GallerySettings) -> Caps {
        Caps {
            bytes: u64::from(settings.max_megabytes) * 1_000_000,
            pictures: settings.max_pictures as usize,
        }
    }
}

/// A kept picture, without its pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    name: Name,
    bytes: u64,
    /// Whether somebody else made it.
    is_other: bool,
}

impl Entry {
    /// The number in its name; higher ones were kept later. Pictures that somebody else made have numbers above all of these and come
    /// first.
    pub fn number(&self) -> u64 {
        self.name.number()
    }

    /// Whether it is a favourite.
    pub fn is_favourite(&self) -> bool {
        self.name.is_favourite()
    }

    /// The name of its file.
    pub fn file_name(&self) -> String {
        self.name.to_string()
    }

    /// The size of its file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Whether a picture was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Kept {
    /// It is synced to disk under this number.
    Kept(u64),
    /// It was not, for this reason, and nothing of it is left on the disk. A later one may be kept.
    NotKept(String),
}

/// A failed operation on the gallery.
#[derive(Debug, thiserror::Error)]
pub enum GalleryError {
    /// There is no picture of this number, or no longer.
    #[error("picture {0} is no longer in the gallery")]
    Gone(u64),
    /// Its file could not be read. A damaged file was moved to [`DAMAGED`].
    #[error(transparent)]
    Picture(#[from] PngError),
    /// The folder cannot be created or written to.
    #[error("{}: cannot keep pictures here: {source}; see [gallery] folder in the settings", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Its file could not be renamed or removed.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// The gallery.
#[derive(Debug)]
pub struct Gallery {
    folder: PathBuf,
    caps: Caps,
    /// Those of others, then those that were kept, in the order of their numbers.
    entries: Vec<Entry>,
    /// Size of those that were kept.
    bytes: u64,
    next: u64,
    /// Lock on the folder, so that no second kiosk cleans it up.
    lock: Option<scan::Lock>,
    logged: Arc<Logged>,
}

impl Gallery {
    /// Reads a folder, and creates it if it is missing. If that fails the gallery is empty for now: [`Gallery::check`] returns
    /// why, and each [`Gallery::keep`] tries again.
    ///
    /// Removes unfinished files of an earlier run and moves damaged pictures to [`DAMAGED`].
    pub fn open(folder: &Path, caps: Caps) -> Gallery {
        let mut gallery = Gallery {
            folder: folder.to_owned(),
            caps,
            entries: Vec::new(),
            bytes: 0,
            next: 1,
            lock: None,
            logged: Arc::default(),
        };
        gallery.read();
        gallery
    }

    /// Reads a folder that somebody else looks after: nothing is created, removed or moved. What is in `logged` is not logged again.
    pub fn look(folder: &Path, caps: Caps, logged: &Arc<Logged>) -> Gallery {
        let found = scan::scan(folder, false, logged);
        let mut gallery = Gallery {
            folder: folder.to_owned(),
            caps,
            entries: found.entries,
            bytes: 0,
            next: found.next,
            lock: None,
            logged: logged.clone(),
        };
        gallery.bytes = gallery.kept().map(Entry::bytes).sum();
        gallery
    }

    fn read(&mut self) {
        if let Err(fault) = fs::create_dir_all(&self.folder) {
            log::warn!("{}: {fault}", self.folder.display());
        }
        self.lock = None;
        self.lock = scan::lock(&self.folder);
        let found = scan::scan(&self.folder, self.lock.is_some(), &self.logged);
        self.next = found.next;
        self.entries = found.entries;
        self.bytes = self.kept().map(Entry::bytes).sum();
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads the folder again, in which others may have kept or removed pictures.
    pub fn read_again(&mut self) {
        self.read();
    }

    /// Checks that pictures can be kept, by writing a temporary file.
    ///
    /// # Errors
    /// If the folder is missing or not writable.
    pub fn check(&self) -> Result<(), GalleryError> {
        tempfile::tempfile_in(&self.folder)
            .map(drop)
            .map_err(|source| GalleryError::Folder {
                path: self.folder.clone(),
                source,
            })
    }

    /// All kept pictures, the oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Those that the kiosk kept.
    fn kept(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.is_other)
    }

    /// Size of all pictures that the kiosk kept, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sets new limits, which apply from the next kept picture on.
    pub fn set_caps(&mut self, caps: Caps) {
        self.caps = caps;
    }

    /// Keeps a picture. Beyond the limits, or when the disk is full, the oldest pictures that are not favourites are deleted.
    /// Blocks on the disk: on a memory card up to a second.
    pub fn keep(&mut self, picture: &Picture, provenance: &Provenance) -> Kept {
        let kept = png::encode(picture, Some(provenance))
            .map_err(|fault| fault.to_string())
            .and_then(|bytes| self.keep_encoded(&bytes, &crate::picture::file_name(&provenance.prompt)));
        kept.map_or_else(Kept::NotKept, Kept::Kept)
    }

    fn keep_encoded(&mut self, bytes: &[u8], words: &str) -> Result<u64, String> {
        let size = bytes.len() as u64;
        let favourites = || self.kept().filter(|entry| entry.is_favourite());
        if favourites().map(Entry::bytes).sum::<u64>() + size > self.caps.bytes || favourites().count() >= self.caps.pictures {
            return Err("favourites fill the gallery; raise max_megabytes or max_pictures in the settings".into());
        }
        let name = match self.write(bytes, words) {
            Err(WriteError::DiskFull(_)) => {
                self.make_room(2 * size + SLACK);
                self.write(bytes, words)
            }
            // The folder is gone, as when a USB stick was unplugged, or another kiosk has taken the numbers.
            Err(WriteError::CannotWrite { .. } | WriteError::Exists(_)) => {
                self.read();
                self.write(bytes, words)
            }
            other => other,
        };
        let name = name.map_err(|fault| fault.to_string())?;
        let number = name.number();
        self.next = number + 1;
        self.bytes += size;
        self.entries.push(Entry {
            name,
            bytes: size,
            is_other: false,
        });
        self.keep_to_caps(number);
        Ok(number)
    }

    /// Writes a file under the next number that is free.
    fn write(&self, bytes: &[u8], words: &str) -> Result<Name, WriteError> {
        let mut result = Err(WriteError::Exists(self.folder.clone()));
        for number in self.next..self.next + ATTEMPTS {
            let name = Name::new(number, words);
            result = match claim(&self.folder, number) {
                Ok(_claim) if is_taken(&self.folder, number) => continue,
                Ok(_claim) => atomic_file::write(&self.folder.join(name.to_string()), bytes, false).map(|()| name),
                Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => continue,
                // A disk that is full or gone is told by the picture itself.
                Err(_) => atomic_file::write(&self.folder.join(name.to_string()), bytes, false).map(|()| name),
            };
            if !matches!(result, Err(WriteError::Exists(_))) {
                break;
            }
        }
        result
    }

    /// Deletes the oldest pictures that are not favourites until this many bytes are free.
    fn make_room(&mut self, bytes: u64) {
        let enough = self.bytes.saturating_sub(bytes);
        while self.bytes > enough && self.remove_oldest(None) {}
    }

    fn keep_to_caps(&mut self, newest: u64) {
        while (self.bytes > self.caps.bytes || self.kept().count() > self.caps.pictures) && self.remove_oldest(Some(newest)) {}
    }

    /// Deletes the oldest picture that is neither a favourite nor `newest`; returns whether there is one less.
    fn remove_oldest(&mut self, newest: Option<u64>) -> bool {
        let is_removable = |entry: &&Entry| !entry.is_favourite() && Some(entry.number()) != newest;
        let oldest = self.kept().find(is_removable).map(Entry::number);
        let Some(number) = oldest else { return false };
        if self.disown(number) {
            return true;
        }
        let removed = self.remove(number);
        if let Err(fault) = &removed {
            log::warn!("{fault}");
        }
        removed.is_ok()
    }

    /// Counts a picture as somebody else's if this program did not make it; returns whether that is so.
    fn disown(&mut self, number: u64) -> bool {
        let Ok(index) = self.index(number) else { return false };
        let path = self.path(&self.entries[index]);
        // A file that cannot be read is not known to be somebody else's.
        let Ok(record) = png::record(&path) else { return false };
        if record.is_some_and(|record| record.is_own()) {
            return false;
        }
        log::warn!("{}: is not deleted, since this program did not make it", path.display());
        self.entries[index].is_other = true;
        self.bytes -= self.entries[index].bytes;
        true
    }

    /// Removes a picture.
    ///
    /// # Errors
    /// If it is gone already or the file cannot be deleted.
    pub fn remove(&mut self, number: u64) -> Result<(), GalleryError> {
        let index = self.index(number)?;
        let path = self.path(&self.entries[index]);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(GalleryError::File { path, source }),
            _ => {
                self.forget(index);
                Ok(())
            }
        }
    }

    /// Moves a picture to [`HIDDEN`].
    ///
    /// # Errors
    /// If it is gone already or cannot be moved.
    pub fn hide(&mut self, number: u64) -> Result<(), GalleryError> {
        let index = self.index(number)?;
        let (from, folder) = (self.path(&self.entries[index]), self.folder.join(HIDDEN));
        let to = folder.join(self.entries[index].file_name());
        let moved = fs::create_dir_all(&folder).and_then(|()| fs::rename(&from, &to));
        match moved {
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                self.forget(index);
                Err(GalleryError::Gone(number))
            }
            Err(source) => Err(GalleryError::File { path: to, source }),
            Ok(()) => {
                self.forget(index);
                atomic_file::sync_folder(&folder).map_err(|source| GalleryError::File { path: to, source })
            }
        }
    }

    /// Sets or clears the favourite mark of a picture. On success the mark is synced to disk.
    ///
    /// # Errors
    /// If the picture is gone, or its file cannot be renamed.
    pub fn set_favourite(&mut self, number: u64, favourite: bool) -> Result<(), GalleryError> {
        let index = self.index(number)?;
        let from = self.path(&self.entries[index]);
        let name = self.entries[index].name.marked(favourite);
        let to = self.folder.join(name.to_string());
        if from == to {
            return Ok(());
        }
        let free = match to.symlink_metadata() {
            Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file of this name exists")),
            Err(_) => Ok(()),
        };
        match free.and_then(|()| fs::rename(&from, &to)) {
            Ok(()) => self.entries[index].name = name,
            Err(source) if source.kind() == io::ErrorKind::NotFound && from.symlink_metadata().is_err() => {
                self.forget(index);
                return Err(GalleryError::Gone(number));
            }
            Err(source) => return Err(GalleryError::File { path: to, source }),
        }
        atomic_file::sync_folder(&self.folder).map_err(|source| GalleryError::File { path: to, source })
    }

    /// Reads a kept picture.
    ///
    /// # Errors
    /// If it is gone or cannot be read. A damaged one is moved to [`DAMAGED`] and leaves the gallery.
    pub fn load(&mut self, number: u64) -> Result<PictureFile, GalleryError> {
        let index = self.index(number)?;
        let path = self.path(&self.entries[index]);
        let read = png::read(&path);
        match &read {
            Err(PngError::Bad { .. }) if self.entries[index].is_other => self.forget(index),
            Err(PngError::Bad { .. }) => {
                scan::set_aside(&self.folder, &self.entries[index].file_name());
                self.forget(index);
            }
            Err(PngError::CannotRead { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                self.forget(index);
                return Err(GalleryError::Gone(number));
            }
            _ => {}
        }
        Ok(read?)
    }

    fn index(&self, number: u64) -> Result<usize, GalleryError> {
        let index = self.entries.iter().position(|entry| entry.number() == number);
        index.ok_or(GalleryError::Gone(number))
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        self.folder.join(entry.file_name())
    }

    fn forget(&mut self, index: usize) {
        let entry = self.entries.remove(index);
        if !entry.is_other {
            self.bytes -= entry.bytes;
        }
    }
}

/// A number that no other process takes while this lives: an empty file, which is removed in the end, and is locked so that a process
/// that tidies the folder leaves it there.
type Claim = (tempfile::TempPath, fs::File);

/// Claims a number among all processes that keep pictures here.
fn claim(folder: &Path, number: u64) -> io::Result<Claim> {
    let path = folder.join(atomic_file::temporary_name(&format!("number-{number}")));
    let file = fs::File::create_new(&path)?;
    // Some network file systems have no locks. It may have been tidied away before it was locked.
    let is_lost = matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)) || !path.try_exists()?;
    if is_lost {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    Ok((tempfile::TempPath::try_from_path(path)?, file))
}

/// Whether a picture of this number exists.
fn is_taken(folder: &Path, number: u64) -> bool {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.file_name());
    names
        .filter_map(|name| Name::read(name.to_str()?))
        .any(|name| name.number() == number)
}

#[cfg(test)]
mod tests;
