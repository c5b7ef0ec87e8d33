//! The page cache: dropping a file from it, and counting what is in it.
//!
//! `posix_fadvise(2)` with `POSIX_FADV_DONTNEED` drops a file's clean pages that no process has mapped, and needs no
//! permission. `mincore(2)` tells which pages are in memory.

use std::fs::File;
use std::path::Path;

use rustix::fs::{Advice, fadvise};

/// The size of a file, and how much of it is in the page cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cached {
    /// The file's length.
    pub bytes: u64,
    /// Bytes in the page cache.
    pub resident: u64,
}

/// Drops a file from the page cache as far as possible, and counts what is left.
///
/// # Errors
/// If the file cannot be read.
pub fn drop_file(path: &Path) -> std::io::Result<Cached> {
    let file = File::open(path)?;
    // Dirty pages are not dropped.
    let _ = file.sync_data();
    fadvise(&file, 0, None, Advice::DontNeed)?;
    cached(&file)
}

fn cached(file: &File) -> std::io::Result<Cached> {
    let bytes = file.metadata()?.len();
    if bytes == 0 {
        return Ok(Cached::default());
    }
    // SAFETY: the mapping is never read, so changes of the file do not matter.
    let map = unsafe { memmap2::Mmap::map(file)? };
    // SAFETY: sysconf takes an integer and accesses no memory of ours.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(1) as usize;
    let mut pages = vec![0u8; map.len().div_ceil(page)];
    // SAFETY: the mapping begins at a page and is `map.len()` bytes long; `pages` has a byte for each of its pages.
    let result = unsafe { libc::mincore(map.as_ptr().cast_mut().cast(), map.len(), pages.as_mut_ptr().cast()) };
    if result != 0 {
        return Err(std::io::Error::last_os_error());
    }
    let resident = pages.iter().filter(|&&page| page & 1 == 1).count() * page;
    Ok(Cached {
        bytes,
        resident: (resident as u64).min(bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_file_is_in_memory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![1; 100_000]).unwrap();
        std::fs::read(file.path()).unwrap();
        let all = Cached {
            bytes: 100_000,
            resident: 100_000,
        };
        assert_eq!(cached(&File::open(file.path()).unwrap()).unwrap(), all);
        // File systems in memory drop nothing, others everything.
        let dropped = drop_file(file.path()).unwrap();
        assert!(dropped.bytes == 100_000 && dropped.resident <= 100_000);
        assert!(drop_file("/nonexistent".as_ref()).is_err());
    }
}
