//! Where values lie: in memory, or in a mapped file, whose pages the system can take back. A model of gigabytes is quantized in far less
//! memory than it has. Depends on the library's mapping alone.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::{Deref, Range};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use half::{bf16, f16};
use inkstone::pack::{WeightSlice, Weights};

use crate::files;
use crate::tensor::DecodeError;

/// Smaller values are copied, in bytes: a mapping would cost more.
const LEAST_MAPPED: usize = 1 << 14;

/// Floats in memory or in a mapped file.
#[derive(Clone, Debug)]
pub struct Floats(Place);

#[derive(Clone, Debug)]
enum Place {
    Memory(Vec<f32>),
    /// 32-bit floats, aligned, little-endian.
    File(Bytes),
    /// 16-bit ones, widened when they are first read.
    Half(Bytes, Half, OnceLock<Vec<f32>>),
}

/// A type of 16-bit floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// IEEE binary16.
    F16,
    /// bfloat16.
    Bf16,
}

impl Half {
    /// Little-endian bytes as 32-bit floats.
    pub fn widen(self, bytes: &[u8]) -> Vec<f32> {
        let bits = bytes.as_chunks().0.iter().map(|&bytes| u16::from_le_bytes(bytes));
        match self {
            Half::F16 => bits.map(|bits| f16::from_bits(bits).to_f32()).collect(),
            Half::Bf16 => bits.map(|bits| bf16::from_bits(bits).to_f32()).collect(),
        }
    }
}

impl Floats {
    /// Number of floats; reads none of them.
    pub fn count(&self) -> usize {
        match &self.0 {
            Place::Memory(values) => values.len(),
            Place::File(bytes) => bytes.len() / size_of::<f32>(),
            Place::Half(bytes, ..) => bytes.len() / size_of::<u16>(),
        }
    }

    /// 32-bit floats as little-endian bytes.
    pub fn of_bytes(bytes: Bytes) -> Floats {
        let is_mapped = matches!(bytes, Bytes::File { .. }) && cfg!(target_endian = "little");
        if is_mapped && bytemuck::try_cast_slice::<u8, f32>(&bytes).is_ok() {
            return Floats(Place::File(bytes));
        }
        bytes
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect::<Vec<_>>()
            .into()
    }

    /// 16-bit floats as little-endian bytes.
    pub fn of_half(bytes: Bytes, half: Half) -> Floats {
        match bytes {
            Bytes::Memory(bytes) => half.widen(&bytes).into(),
            file => Floats(Place::Half(file, half, OnceLock::new())),
        }
    }
}

impl From<Vec<f32>> for Floats {
    fn from(values: Vec<f32>) -> Floats {
        Floats(Place::Memory(values))
    }
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Place::Memory(values) => values,
            // Its alignment was checked when it was made.
            Place::File(bytes) => bytemuck::cast_slice(bytes),
            Place::Half(bytes, half, widened) => widened.get_or_init(|| half.widen(bytes)),
        }
    }
}

impl PartialEq for Floats {
    fn eq(&self, other: &Floats) -> bool {
        self.count() == other.count() && **self == **other
    }
}

/// Quantized weights in memory or in a mapped file.
#[derive(Clone, Debug)]
pub enum Int8s {
    /// In memory.
    Memory(Vec<i8>),
    /// In a file.
    File(WeightSlice),
}

impl From<Vec<i8>> for Int8s {
    fn from(values: Vec<i8>) -> Int8s {
        Int8s::Memory(values)
    }
}

impl Deref for Int8s {
    type Target = [i8];

    fn deref(&self) -> &[i8] {
        match self {
            Int8s::Memory(values) => values,
            Int8s::File(slice) => slice.as_slice(),
        }
    }
}

impl PartialEq for Int8s {
    fn eq(&self, other: &Int8s) -> bool {
        **self == **other
    }
}

/// Bytes of a tensor.
#[derive(Clone, Debug)]
pub enum Bytes {
    /// In memory.
    Memory(Vec<u8>),
    /// In a file.
    File {
        /// The file.
        file: Arc<Weights>,
        /// Where in it; not past its end.
        range: Range<usize>,
    },
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Memory(bytes) => bytes,
            Bytes::File { file, range } => file.bytes(range.clone()).unwrap_or_default(),
        }
    }
}

impl Bytes {
    /// The bytes as a vector, copied if they lie in a file.
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Bytes::Memory(bytes) => bytes,
            file => file.to_vec(),
        }
    }
}

/// The files beside a graph that hold its large tensors, mapped when they are first read.
#[derive(Debug)]
pub struct ExternalFiles {
    folder: PathBuf,
    mapped: BTreeMap<String, Arc<Weights>>,
}

impl ExternalFiles {
    /// Those in a graph's folder.
    pub fn new(folder: &Path) -> ExternalFiles {
        ExternalFiles {
            folder: folder.to_owned(),
            mapped: BTreeMap::new(),
        }
    }

    /// `length` bytes at `offset` of a file.
    ///
    /// # Errors
    /// For a place outside of the graph's folder or behind the file's end, and if the machine fails to read.
    pub fn read(&mut self, location: &str, offset: u64, length: usize) -> Result<Bytes, DecodeError> {
        let path = self.path(location)?;
        let mut file = File::open(&path)?;
        let size = file.metadata()?.len();
        let end = offset.checked_add(length as u64).filter(|end| *end <= size);
        let Some(end) = end else {
            return Err(format!("needs {length} bytes at {offset} of `{location}`, which has only {size}: copy the file again").into());
        };
        if length >= LEAST_MAPPED
            && let Some(file) = self.map(location, &path, size)
            && let (Ok(start), Ok(end)) = (usize::try_from(offset), usize::try_from(end))
        {
            return Ok(Bytes::File { file, range: start..end });
        }
        let mut bytes = vec![0; length];
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut bytes)?;
        Ok(Bytes::Memory(bytes))
    }

    fn path(&self, location: &str) -> Result<PathBuf, DecodeError> {
        let is_plain = |component| matches!(component, Component::Normal(_) | Component::CurDir);
        if !Path::new(location).components().all(is_plain) {
            return Err(format!("has external data at `{location}`, which lies outside the model's folder").into());
        }
        let path = self.folder.join(location);
        if !files::is_there(&path) {
            return Err(DecodeError::Missing(location.to_owned()));
        }
        let is_usable = files::root(&self.folder).and_then(|root| files::check(&path, &root));
        is_usable.map_err(|error| format!("has external data that cannot be read: {error}"))?;
        Ok(path)
    }

    /// The mapping of a file; nothing where the system has no room for it, and it has to be read.
    fn map(&mut self, location: &str, path: &Path, size: u64) -> Option<Arc<Weights>> {
        if let Some(known) = self.mapped.get(location) {
            return Some(known.clone()).filter(|known| known.len() as u64 == size);
        }
        let mapped = Arc::new(Weights::map(path, size).ok()?);
        self.mapped.insert(location.to_owned(), mapped.clone());
        Some(mapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_floats_are_mapped_wherever_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<f32> = (0..10_000).map(|index| index as f32 / 7.0).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let halves: Vec<u8> = values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect();
        // The second begins at no multiple of four.
        std::fs::write(folder.path().join("w"), [&bytes[..], &[7], &bytes[..], &halves[..]].concat()).unwrap();
        let mut files = ExternalFiles::new(folder.path());
        let mut read = |offset, length| files.read("w", offset as u64, length).unwrap();
        let (aligned, odd) = (read(0, bytes.len()), read(bytes.len() + 1, bytes.len()));
        assert!(matches!(aligned, Bytes::File { .. }) && matches!(odd, Bytes::File { .. }));
        let (aligned, odd) = (Floats::of_bytes(aligned), Floats::of_bytes(odd));
        assert!(matches!(aligned.0, Place::File(_)) && matches!(odd.0, Place::Memory(_)));
        assert_eq!((&*aligned, &*odd), (&*values, &*values));
        let half = Floats::of_half(read(2 * bytes.len() + 1, halves.len()), Half::F16);
        assert_eq!(half.count(), values.len());
        assert!(
            half.iter()
                .zip(&values)
                .all(|(half, value)| *half == f16::from_f32(*value).to_f32())
        );
        assert!(matches!(read(0, 16), Bytes::Memory(_)));
        let behind = files.read("w", 1 << 40, 20_000).unwrap_err();
        assert!(matches!(behind, DecodeError::Tensor(problem) if problem.contains("copy the file again")));
    }
}
