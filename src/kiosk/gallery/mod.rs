//! Kept pictures: a folder of PNG files that a person can look through with any file manager, `000012-red-fox.png`, and
//! `000012-red-fox.favourite.png` where somebody marked it. Owns the files of such names in that folder and no others.
//! Depends on [`crate::picture`] for the files.
//!
//! The folder is all there is: no index that could differ from it. The number at the beginning of a name is the order in
//! which pictures were kept, whatever the clock said. A file appears under its name only when it is whole and on the disk,
//! and a mark is one renaming, so that neither a cut of power nor a kill loses or tears what was kept.

mod names;
mod scan;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use self::names::Name;
use crate::atomic_file::{self, WriteError};
use crate::picture::{Picture, PictureFile, PngError, Provenance, png};

/// Folder for pictures that cannot be read, inside the gallery's.
pub const DAMAGED: &str = "damaged";
/// Room that is made beyond what a picture needs when the disk is full, in bytes: names and tables of the file system.
const SLACK: u64 = 64 << 10;
/// Numbers that are tried when another program takes the next one.
const ATTEMPTS: u64 = 16;

/// How much is kept at most.
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
}

impl Entry {
    /// The number in its name; higher ones were kept later.
    pub fn number(&self) -> u64 {
        self.name.number()
    }

    /// Whether somebody marked it.
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

/// What became of a picture that was to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Kept {
    /// It is safe on the disk under this number.
    Kept(u64),
    /// It is not, for this reason; nothing is left of it on the disk. The next one may be.
    NotKept(String),
}

/// What cannot be done with a kept picture.
#[derive(Debug, thiserror::Error)]
pub enum GalleryError {
    /// There is none of this number, or not any more.
    #[error("picture {0} is not in the gallery any more")]
    Gone(u64),
    /// Its file could not be read. Where that is the file's fault it is in [`DAMAGED`] now.
    #[error(transparent)]
    Picture(#[from] PngError),
    /// The folder cannot be made, or not be written to.
    #[error("{}: pictures cannot be kept here: {source}; see [gallery] folder in the settings", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Its file could not be renamed or removed.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The gallery.
#[derive(Debug)]
pub struct Gallery {
    folder: PathBuf,
    caps: Caps,
    /// In the order of their numbers.
    entries: Vec<Entry>,
    bytes: u64,
    next: u64,
    /// The folder, locked while this gallery lives, so that no second kiosk tidies it up.
    lock: Option<scan::Lock>,
}

impl Gallery {
    /// Reads a folder; makes it where it is missing. A folder that cannot be read or made is an empty gallery for now:
    /// [`Gallery::check`] says why, and every [`Gallery::keep`] tries again.
    ///
    /// Removes what an earlier run left unfinished and sets unreadable pictures aside in [`DAMAGED`].
    pub fn open(folder: &Path, caps: Caps) -> Gallery {
        let mut gallery = Gallery {
            folder: folder.to_owned(),
            caps,
            entries: Vec::new(),
            bytes: 0,
            next: 1,
            lock: None,
        };
        gallery.read();
        gallery
    }

    fn read(&mut self) {
        if let Err(fault) = fs::create_dir_all(&self.folder) {
            log::warn!("{}: {fault}", self.folder.display());
        }
        self.lock = None;
        self.lock = scan::lock(&self.folder);
        let found = scan::scan(&self.folder, self.lock.is_some());
        self.next = found.next;
        self.bytes = found.entries.iter().map(Entry::bytes).sum();
        self.entries = found.entries;
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether pictures can be kept: writes to the folder and takes it back.
    ///
    /// # Errors
    /// If the folder is not there or may not be written to.
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

    /// Bytes of all of them.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes other caps. What is too much then goes with the next picture that is kept.
    pub fn set_caps(&mut self, caps: Caps) {
        self.caps = caps;
    }

    /// Keeps a picture. Where that is more than the caps allow, or the disk is full, the oldest go that nobody marked.
    /// Takes as long as the disk does: on a memory card up to a second.
    pub fn keep(&mut self, picture: &Picture, provenance: &Provenance) -> Kept {
        let kept = png::encode(picture, Some(provenance))
            .map_err(|fault| fault.to_string())
            .and_then(|bytes| self.keep_encoded(&bytes, &crate::picture::file_name(&provenance.prompt)));
        kept.map_or_else(Kept::NotKept, Kept::Kept)
    }

    fn keep_encoded(&mut self, bytes: &[u8], words: &str) -> Result<u64, String> {
        let size = bytes.len() as u64;
        let favourites = || self.entries.iter().filter(|entry| entry.is_favourite());
        if favourites().map(Entry::bytes).sum::<u64>() + size > self.caps.bytes || favourites().count() >= self.caps.pictures {
            return Err("the favourites alone fill the gallery; raise max_megabytes or max_pictures in the settings".into());
        }
        let name = match self.write(bytes, words) {
            Err(WriteError::DiskFull(_)) => {
                self.make_room(2 * size + SLACK);
                self.write(bytes, words)
            }
            // The folder is gone, as when a memory stick was pulled out, or another kiosk took the numbers.
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
        self.entries.push(Entry { name, bytes: size });
        self.keep_to_caps(number);
        Ok(number)
    }

    /// Writes a file under the next number that is free.
    fn write(&self, bytes: &[u8], words: &str) -> Result<Name, WriteError> {
        let mut result = Err(WriteError::Exists(self.folder.clone()));
        for number in self.next..self.next + ATTEMPTS {
            let name = Name::new(number, words);
            result = atomic_file::write(&self.folder.join(name.to_string()), bytes, false).map(|()| name);
            if !matches!(result, Err(WriteError::Exists(_))) {
                break;
            }
        }
        result
    }

    /// Frees at least so many bytes as far as there are pictures that nobody marked.
    fn make_room(&mut self, bytes: u64) {
        let enough = self.bytes.saturating_sub(bytes);
        while self.bytes > enough && self.remove_oldest(None) {}
    }

    fn keep_to_caps(&mut self, newest: u64) {
        while (self.bytes > self.caps.bytes || self.entries.len() > self.caps.pictures) && self.remove_oldest(Some(newest)) {}
    }

    /// Removes the oldest picture that nobody marked, other than `newest`; false where there is none or it cannot be removed.
    fn remove_oldest(&mut self, newest: Option<u64>) -> bool {
        let mut removable = self
            .entries
            .iter()
            .filter(|entry| !entry.is_favourite() && Some(entry.number()) != newest);
        let Some(number) = removable.next().map(Entry::number) else {
            return false;
        };
        let removed = self.remove(number);
        if let Err(fault) = &removed {
            log::warn!("{fault}");
        }
        removed.is_ok()
    }

    /// Removes a picture.
    ///
    /// # Errors
    /// If it is gone already or the file cannot be removed.
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

    /// Marks a picture as a favourite, or takes the mark away. On success the mark is safe on the disk.
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
            Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is another file of this name")),
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
    /// If it is gone or cannot be read. A damaged one is set aside in [`DAMAGED`] and is not in the gallery any more.
    pub fn load(&mut self, number: u64) -> Result<PictureFile, GalleryError> {
        let index = self.index(number)?;
        let path = self.path(&self.entries[index]);
        let read = png::read(&path);
        match &read {
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
        self.entries
            .binary_search_by_key(&number, Entry::number)
            .map_err(|_| GalleryError::Gone(number))
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        self.folder.join(entry.file_name())
    }

    fn forget(&mut self, index: usize) {
        self.bytes -= self.entries.remove(index).bytes;
    }
}

#[cfg(test)]
mod tests;
