//! The gallery as clients see it: kept pictures page by page, their files and records, and what the owner does with them. Each operation reads
//! the folder anew, since the kiosk and other programs use it too. Depends on the kiosk's gallery.

use std::path::PathBuf;
use std::sync::Arc;

use axum::http::StatusCode;
use serde::Serialize;

use super::refusal::Refusal;
use crate::bounded_file;
use crate::kiosk::gallery::{Caps, Entry, Gallery, GalleryError, Kept, Logged};
use crate::picture::{Picture, Provenance, png};

/// Largest file that is sent, in bytes.
const LARGEST: u64 = 64 << 20;

/// A folder of pictures.
#[derive(Clone, Debug)]
pub struct Pictures {
    folder: PathBuf,
    caps: Caps,
    logged: Arc<Logged>,
}

/// A kept picture as it is listed.
#[derive(Debug, Serialize)]
pub struct Listed {
    pub number: u64,
    pub favourite: bool,
    pub bytes: u64,
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl Pictures {
    pub fn new(folder: PathBuf, caps: Caps) -> Pictures {
        Pictures {
            folder,
            caps,
            logged: Arc::default(),
        }
    }

    fn look(&self) -> Gallery {
        Gallery::look(&self.folder, self.caps, &self.logged)
    }

    /// Keeps a picture. Blocks on the disk.
    pub fn keep(&self, picture: &Picture, provenance: &Provenance) -> Kept {
        if let Err(error) = std::fs::create_dir_all(&self.folder) {
            return Kept::NotKept(format!("{}: {error}", self.folder.display()));
        }
        self.look().keep(picture, provenance)
    }

    /// The newest ones, or those before a number, and how many there are.
    pub fn list(&self, before: Option<u64>, most: usize, favourites: bool) -> (usize, Vec<Listed>) {
        let gallery = self.look();
        let chosen = |entry: &&Entry| !favourites || entry.is_favourite();
        let all = gallery.entries().iter().filter(chosen).count();
        let earlier = gallery.entries().iter().rev().filter(chosen);
        let earlier = earlier.filter(|entry| before.is_none_or(|before| entry.number() < before));
        (all, earlier.take(most).map(|entry| self.listed(entry)).collect())
    }

    fn listed(&self, entry: &Entry) -> Listed {
        let record = png::record(&self.folder.join(entry.file_name())).ok().flatten();
        Listed {
            number: entry.number(),
            favourite: entry.is_favourite(),
            bytes: entry.bytes(),
            url: format!("/api/v1/gallery/{}", entry.number()),
            prompt: record
                .as_ref()
                .map(|record| record.prompt.clone())
                .filter(|prompt| !prompt.is_empty()),
            style: record.as_ref().and_then(|record| record.style.clone()),
            seed: record.map(|record| record.seed),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.look().entries().len()
    }

    /// A picture's file.
    pub fn file(&self, number: u64) -> Result<Vec<u8>, Refusal> {
        let gallery = self.look();
        let entry = gallery.entries().iter().find(|entry| entry.number() == number);
        let entry = entry.ok_or_else(|| gone(number))?;
        let path = self.folder.join(entry.file_name());
        bounded_file::read(&path, LARGEST).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => gone(number),
            _ => Refusal::internal(error),
        })
    }

    /// Sets or clears a favourite mark.
    pub fn set_favourite(&self, number: u64, favourite: bool) -> Result<(), Refusal> {
        Ok(self.look().set_favourite(number, favourite)?)
    }

    /// Takes a picture out of the gallery, into a folder beside it.
    pub fn hide(&self, number: u64) -> Result<(), Refusal> {
        Ok(self.look().hide(number)?)
    }

    /// Deletes a picture.
    pub fn remove(&self, number: u64) -> Result<(), Refusal> {
        Ok(self.look().remove(number)?)
    }
}

fn gone(number: u64) -> Refusal {
    Refusal::not_found(GalleryError::Gone(number).to_string())
}

impl From<GalleryError> for Refusal {
    fn from(error: GalleryError) -> Refusal {
        match error {
            GalleryError::Gone(_) => Refusal::not_found(error.to_string()),
            GalleryError::File { .. } | GalleryError::Folder { .. } => {
                log::error!("{error}");
                Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "storage", error.to_string())
            }
            GalleryError::Picture(_) => Refusal::internal(error),
        }
    }
}
