//! The weights file in memory: mapped read-only, so that its pages are shared, clean and given back under
//! pressure.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

#[cfg(not(miri))]
use memmap2::Mmap;

use super::PackError;
#[cfg(miri)]
use read::Mmap;

/// A mapped weights file.
pub struct Weights {
    path: PathBuf,
    file: File,
    state: State,
    map: Mmap,
}

/// What changes when a file is written to.
#[derive(PartialEq, Eq)]
struct State {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl State {
    fn of(file: &File) -> std::io::Result<State> {
        let metadata = file.metadata()?;
        Ok(State {
            bytes: metadata.len(),
            // Some systems keep no such time.
            modified: metadata.modified().ok(),
        })
    }
}

impl Weights {
    /// Maps the file, which must have `bytes` bytes.
    ///
    /// # Errors
    /// If the file cannot be opened or mapped, or its size is another one.
    pub fn map(path: &Path, bytes: u64) -> Result<Weights, PackError> {
        let file = File::open(path).map_err(|error| PackError::io(path, error))?;
        let state = State::of(&file).map_err(|error| PackError::io(path, error))?;
        if state.bytes != bytes {
            return Err(PackError::Size {
                file: path.to_path_buf(),
                expected: bytes,
                found: state.bytes,
            });
        }
        // SAFETY: the mapping is private and read-only, and nothing in this process writes the file. Another
        // process that cuts the file while a stage runs can raise SIGBUS; before each run `check` refuses a file
        // that was written to. Packs are replaced by renaming a whole folder, never by writing in place.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| PackError::io(path, error))?;
        // Stages read their tensors in the order of the file. Without this advice, pages that a layer has read more than
        // once outlive the next layer's when memory is short, and those are read from the disk several times.
        #[cfg(unix)]
        map.advise(memmap2::Advice::Sequential)
            .map_err(|error| PackError::io(path, error))?;
        Ok(Weights {
            path: path.to_path_buf(),
            file,
            state,
            map,
        })
    }

    /// Checks that the file is as it was when it was mapped.
    ///
    /// # Errors
    /// If its size or the time of its last change is another one.
    pub fn check(&self) -> Result<(), PackError> {
        match State::of(&self.file) {
            Ok(now) if now == self.state => Ok(()),
            Ok(_) => Err(PackError::Changed { file: self.path.clone() }),
            Err(error) => Err(PackError::io(&self.path, error)),
        }
    }

    /// Makes ready for a run that reads from `start` on, front to back. Reads one byte there.
    ///
    /// Linux reads ahead of a mapping's reader only after a miss that it takes for the next of a sequence: one at the file's
    /// start, or just behind what was last read by a call (`page_cache_sync_ra` in `mm/readahead.c`). After any other miss the
    /// reader waits for a block, and at its end for the next.
    ///
    /// # Errors
    /// If the file cannot be read there.
    pub fn read_ahead_from(&self, start: usize) -> Result<(), PackError> {
        #[cfg(unix)]
        std::os::unix::fs::FileExt::read_exact_at(&self.file, &mut [0], start as u64).map_err(|error| PackError::io(&self.path, error))?;
        Ok(())
    }

    /// Gives the pages in memory back to the system; they are read again when they are needed.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn give_back(&self) -> Result<(), PackError> {
        // SAFETY: the mapping is private, read-only and backed by the file: a page read again holds what it held.
        #[cfg(unix)]
        unsafe { self.map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) }.map_err(|error| PackError::io(&self.path, error))?;
        Ok(())
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

/// In place of a mapping under Miri, which maps no files.
#[cfg(miri)]
mod read {
    use std::fs::File;
    use std::io::{Read, Result};

    pub struct Mmap(Vec<u8>);

    impl Mmap {
        pub unsafe fn map(mut file: &File) -> Result<Mmap> {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(Mmap(bytes))
        }

        pub fn advise(&self, _: memmap2::Advice) -> Result<()> {
            Ok(())
        }

        pub unsafe fn unchecked_advise(&self, _: memmap2::UncheckedAdvice) -> Result<()> {
            Ok(())
        }
    }

    impl std::ops::Deref for Mmap {
        type Target = [u8];

        fn deref(&self) -> &[u8] {
            &self.0
        }
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

    /// Where it begins in the file.
    pub fn start(&self) -> usize {
        self.range.start
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    #[cfg_attr(miri, ignore = "Miri sets no file's time")]
    fn a_file_written_to_while_mapped_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.bin");
        std::fs::write(&path, [0; 64]).unwrap();
        let weights = Weights::map(&path, 64).unwrap();
        weights.check().unwrap();
        // Replacing it by renaming leaves the mapped one as it was.
        std::fs::write(folder.path().join("new"), [1; 32]).unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        weights.check().unwrap();

        let file = File::options().write(true).open(&path).unwrap();
        let weights = Weights::map(&path, 32).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(1)).unwrap();
        assert!(matches!(weights.check(), Err(PackError::Changed { .. })));
        let weights = Weights::map(&path, 32).unwrap();
        weights.read_ahead_from(16).unwrap();
        file.set_len(16).unwrap();
        let message = weights.read_ahead_from(16).unwrap_err().to_string();
        assert!(message.contains("weights.bin"), "{message}");
        let message = weights.check().unwrap_err().to_string();
        assert!(message.contains("weights.bin: the file was changed"), "{message}");
    }
}
