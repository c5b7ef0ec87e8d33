//! The weights file in memory: mapped read-only, so that its pages are shared, clean and given back under
//! pressure. The only place that may map files.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use super::PackError;

/// A mapped weights file.
pub struct Weights {
    path: PathBuf,
    map: Mmap,
}

impl Weights {
    /// Maps the file, which must have `bytes` bytes.
    ///
    /// # Errors
    /// If the file cannot be opened or mapped, or its size is another one.
    pub fn map(path: &Path, bytes: u64) -> Result<Weights, PackError> {
        let file = File::open(path).map_err(|error| PackError::io(path, error))?;
        let found = file.metadata().map_err(|error| PackError::io(path, error))?.len();
        if found != bytes {
            return Err(PackError::Size {
                file: path.to_path_buf(),
                expected: bytes,
                found,
            });
        }
        // SAFETY: the mapping is private and read-only, and nothing in this process writes the file. Another
        // process that cuts the file while it is mapped can raise SIGBUS; packs are replaced by renaming a
        // whole folder, never by writing in place.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| PackError::io(path, error))?;
        // Stages read their tensors in the order of the file. Without this advice, pages that a layer has read more than
        // once outlive the next layer's when memory is short, and those are read from the disk several times.
        #[cfg(unix)]
        map.advise(memmap2::Advice::Sequential)
            .map_err(|error| PackError::io(path, error))?;
        Ok(Weights {
            path: path.to_path_buf(),
            map,
        })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the mapping.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether the file is empty.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The bytes of a range, or nothing where it reaches past the end.
    pub fn bytes(&self, range: Range<usize>) -> Option<&[u8]> {
        self.map.get(range)
    }
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "Weights({}, {} bytes)", self.path.display(), self.len())
    }
}

/// Some int8 weights inside the mapping. Clones share the mapping; two slices are equal when they are the same
/// bytes of the same mapping.
#[derive(Clone, Debug)]
pub struct WeightSlice {
    weights: Arc<Weights>,
    range: Range<usize>,
}

impl WeightSlice {
    /// The slice of a range, or nothing where it reaches past the end.
    pub fn new(weights: &Arc<Weights>, range: Range<usize>) -> Option<WeightSlice> {
        weights.bytes(range.clone())?;
        Some(WeightSlice {
            weights: weights.clone(),
            range,
        })
    }

    /// The weights.
    pub fn as_slice(&self) -> &[i8] {
        let bytes = &self.weights.map[self.range.clone()];
        // SAFETY: u8 and i8 have the same size, alignment and validity, and the borrow keeps the mapping.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<i8>(), bytes.len()) }
    }
}

impl PartialEq for WeightSlice {
    fn eq(&self, other: &WeightSlice) -> bool {
        Arc::ptr_eq(&self.weights, &other.weights) && self.range == other.range
    }
}

impl Eq for WeightSlice {}
