//! Packs: a folder that holds a model. Owns the manifest, the mapped weights, the graphs as read and every
//! check of them; depends on no other module of Inkstone but [`crate::picture`], for how a style's pictures are resized.
//!
//! [`Pack::open`] is the fast check that every run makes: the manifest's fields, the size of every file, the
//! checksums of the small ones, and every tensor's place in the weights file. [`Pack::verify`] also reads the
//! weights file through its checksum.

mod checksum;
mod error;
mod graph;
mod manifest;
mod weights;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bounded_file;

pub use checksum::{sha256_of_bytes, sha256_of_file};
pub use error::PackError;
pub use graph::{DOMAIN, ExternalTensor, Graph};
pub use manifest::*;
pub use weights::{WeightSlice, Weights};

/// Files up to this size are checked against their checksum whenever a pack is opened, in bytes.
const ALWAYS_CHECKED: u64 = 4 << 20;

/// Largest index of training pictures, in bytes.
const LARGEST_INDEX: u64 = 8 << 20;

/// A model folder whose manifest and files have passed the fast check.
#[derive(Debug)]
pub struct Pack {
    folder: PathBuf,
    manifest: Manifest,
    sha256: String,
    weights: Arc<Weights>,
}

impl Pack {
    /// Opens the pack in `folder` and maps its weights.
    ///
    /// # Errors
    /// If the folder is no pack, a manifest field is missing, unknown or out of range, a file is missing, has
    /// another size than the manifest says or, for the small ones, another checksum.
    pub fn open(folder: &Path) -> Result<Pack, PackError> {
        let path = folder.join(MANIFEST);
        let text =
            bounded_file::read_text(&path, bounded_file::TEXT).map_err(|error| PackError::manifest_unreadable(folder, &path, error))?;
        let manifest = Manifest::parse(&text, &path)?;
        let index = manifest.training.as_ref().map(|training| training.index.as_str());
        for (name, record) in &manifest.files {
            check_size(&folder.join(name), record)?;
            // The index of training pictures is checked by the few who read it.
            if record.bytes <= ALWAYS_CHECKED && name != WEIGHTS && Some(name.as_str()) != index {
                check_sum(&folder.join(name), record, &mut |_| ())?;
            }
        }
        let weights = Arc::new(Weights::map(&folder.join(WEIGHTS), manifest.files[WEIGHTS].bytes)?);
        Ok(Pack {
            folder: folder.to_path_buf(),
            sha256: sha256_of_bytes(text.as_bytes()),
            manifest,
            weights,
        })
    }

    /// Checks every file against its checksum and every graph against the manifest. `progress` receives the
    /// bytes read since its last call, [`Pack::bytes`] in all.
    ///
    /// # Errors
    /// The first difference found.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<(), PackError> {
        for (name, record) in &self.manifest.files {
            check_sum(&self.folder.join(name), record, progress)?;
        }
        self.manifest.stages.keys().try_for_each(|stage| self.graph(stage).map(drop))
    }

    /// Reads a stage's graph and checks its ports and its tensors' places.
    ///
    /// # Errors
    /// If the manifest has no such stage or the graph does not fit manifest or weights file.
    pub fn graph(&self, stage: &str) -> Result<Graph, PackError> {
        let record = self
            .manifest
            .stages
            .get(stage)
            .ok_or_else(|| PackError::field(&self.manifest_path(), "stages", format!("the pack has no stage '{stage}'")))?;
        Graph::read(&self.folder.join(&record.graph), record, self.manifest.limits, &self.weights)
    }

    /// Reads the index of training pictures through its checksum, if the pack has one.
    ///
    /// # Errors
    /// If it cannot be read, has more than 8 MiB, or another checksum than the manifest says.
    pub fn training_index(&self) -> Result<Option<(PathBuf, Vec<u8>)>, PackError> {
        let Some(training) = &self.manifest.training else { return Ok(None) };
        let file = self.folder.join(&training.index);
        let bytes = bounded_file::read(&file, LARGEST_INDEX).map_err(|error| PackError::io(&file, error))?;
        let (expected, found) = (&self.manifest.files[&training.index].sha256, sha256_of_bytes(&bytes));
        if *expected == found {
            return Ok(Some((file, bytes)));
        }
        let expected = expected.clone();
        Err(PackError::Checksum { file, expected, found })
    }

    /// The pack's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The checked manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the manifest, which holds the checksums of all other files: names the pack's very bytes.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The mapped weights file.
    pub fn weights(&self) -> &Arc<Weights> {
        &self.weights
    }

    /// Bytes of all files that the manifest lists.
    pub fn bytes(&self) -> u64 {
        self.manifest.files.values().map(|record| record.bytes).sum()
    }

    /// The manifest's file, for errors.
    pub fn manifest_path(&self) -> PathBuf {
        self.folder.join(MANIFEST)
    }
}

fn check_size(path: &Path, record: &FileRecord) -> Result<(), PackError> {
    let found = bounded_file::check(path, u64::MAX).map_err(|error| PackError::io(path, error))?;
    if found == record.bytes {
        return Ok(());
    }
    Err(PackError::Size {
        file: path.to_path_buf(),
        expected: record.bytes,
        found,
    })
}

fn check_sum(path: &Path, record: &FileRecord, progress: &mut dyn FnMut(u64)) -> Result<(), PackError> {
    let found = sha256_of_file(path, progress).map_err(|error| PackError::io(path, error))?;
    if found == record.sha256 {
        return Ok(());
    }
    Err(PackError::Checksum {
        file: path.to_path_buf(),
        expected: record.sha256.clone(),
        found,
    })
}
