//! PNG files: writing them so that a file is either whole or not there, and reading them with limits.
//!
//! Owns the files and the chunks in them. Depends on [`Picture`] and on what `provenance`, `parameters` and `xmp` make
//! of a record. A written picture carries three text chunks: `inkstone` (the record as JSON), `parameters` (the same
//! for other programs) and `XML:com.adobe.xmp` (with the IPTC mark of a picture that a trained model made).

mod glance;
mod place;

pub use glance::glance;
pub use place::{is_unfinished, sync_folder};

use super::{MAX_PIXELS, Picture, PictureError, Provenance, parameters, xmp};
use ::png as codec;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Text chunk with the record as JSON.
const RECORD: &str = "inkstone";
/// Text chunk with the record as plain text.
const PARAMETERS: &str = "parameters";
/// Text chunk with the XMP packet; the keyword is Adobe's.
const XMP: &str = "XML:com.adobe.xmp";
/// The most memory, in bytes, for one text chunk that is compressed in the file.
const MAX_TEXT: usize = 4 << 20;
/// Why a picture could not be written or read. [`PngError::is_input_fault`] tells the user's part from the machine's.
#[derive(Debug, Error)]
pub enum PngError {
    /// The file is there already and may not be replaced.
    #[error("{} exists already (use --force to replace it)", .0.display())]
    Exists(PathBuf),
    /// The name belongs to a folder, a device or a pipe, which no picture may replace.
    #[error("{} is not a file, so no picture can be written there", .0.display())]
    NotAFile(PathBuf),
    /// The folder is missing or may not be written to, or the name is not possible.
    #[error("{} cannot be written: {reason}", path.display())]
    CannotWrite {
        /// The file that was to be written.
        path: PathBuf,
        /// What is in the way.
        reason: &'static str,
    },
    /// No room left, or none left for this user.
    #[error("{} cannot be written: the disk is full", .0.display())]
    DiskFull(PathBuf),
    /// The storage failed while writing.
    #[error("writing {} failed: {source}", path.display())]
    Write {
        /// The file that was to be written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is missing, is a folder or may not be read.
    #[error("{} cannot be read: {source}", path.display())]
    CannotRead {
        /// The file that was to be read.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The storage failed while reading.
    #[error("reading {} failed: {source}", path.display())]
    Read {
        /// The file that was to be read.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The bytes are no PNG picture, or a damaged one.
    #[error("{}: {fault}", path.display())]
    Bad {
        /// The file that was read; `<memory>` for [`decode`].
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The picture or its record could not be put into PNG form.
    #[error("the picture cannot be put into PNG form: {0}")]
    Encode(String),
}

/// What is wrong with a PNG file.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It does not begin like one.
    #[error("this is not a PNG picture")]
    NotPng,
    /// It ends early.
    #[error("the PNG picture is cut short")]
    Truncated,
    /// Something in it is wrong.
    #[error("the PNG picture is damaged: {0}")]
    Corrupt(String),
    /// It would take more memory than is allowed.
    #[error("the PNG picture is too large: at most {} million pixels are accepted", MAX_PIXELS / (1024 * 1024))]
    TooLarge,
}

impl PngError {
    /// True where the user can mend it by another name, folder or file (exit code 2); false where the machine failed
    /// (exit code 1).
    pub fn is_input_fault(&self) -> bool {
        match self {
            Self::Exists(_) | Self::NotAFile(_) | Self::CannotWrite { .. } | Self::CannotRead { .. } | Self::Bad { .. } => true,
            Self::DiskFull(_) | Self::Write { .. } | Self::Read { .. } | Self::Encode(_) => false,
        }
    }

    /// Sorts a failure to write.
    fn writing(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if let Some(reason) = obstacle(source.kind()) {
            return Self::CannotWrite { path, reason };
        }
        match source.kind() {
            ErrorKind::AlreadyExists => Self::Exists(path),
            ErrorKind::IsADirectory => Self::NotAFile(path),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::DiskFull(path),
            _ => Self::Write { path, source },
        }
    }
}

/// What another name or folder would mend. Said here, because the system's words would name the temporary file.
fn obstacle(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::NotFound => Some("its folder does not exist or takes no files"),
        ErrorKind::PermissionDenied => Some("permission denied"),
        ErrorKind::ReadOnlyFilesystem => Some("the file system is read-only"),
        ErrorKind::NotADirectory => Some("a part of the name that should be a folder is none"),
        ErrorKind::InvalidFilename | ErrorKind::InvalidInput => Some("the name is not possible"),
        _ => None,
    }
}

/// What a PNG file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct PngContents {
    /// The picture; of an animation the first one.
    pub picture: Picture,
    /// What made it: the `inkstone` record, or, where that is missing or damaged, what `parameters` tells (then
    /// [`Provenance::picture_sha256`] is empty). `None` where neither is there.
    pub provenance: Option<Provenance>,
    /// Why an `inkstone` record that is there could not be read.
    pub record_fault: Option<String>,
    /// Whether the file's XMP says that a trained model made the picture, wholly or in part (IPTC).
    pub ai_marked: bool,
}

/// The picture as the bytes of a PNG file. The same picture and record always give the same bytes.
///
/// # Errors
/// [`PngError::Encode`], when the record's guidance is not a finite number.
pub fn encode(picture: &Picture, provenance: Option<&Provenance>) -> Result<Vec<u8>, PngError> {
    let texts = provenance.map_or(Ok(Vec::new()), texts)?;
    encode_with(picture, &texts).map_err(|fault| PngError::Encode(fault.to_string()))
}

/// Writes a picture file. Until it is whole and safe on the disk it has another name (`.inkstone-….tmp`) in the same
/// folder; a file that was there before stays as it was until then. A symbolic link is followed.
///
/// # Errors
/// When the file exists and `overwrite` is false, when it cannot be written, and when the disk is full. Nothing new is
/// left behind then.
pub fn write(picture: &Picture, path: &Path, provenance: Option<&Provenance>, overwrite: bool) -> Result<(), PngError> {
    let target = place::target(path, overwrite)?;
    place::place(&target, &encode(picture, provenance)?, overwrite)
}

impl Picture {
    /// Writes a PNG file with its record, replacing a file that is there.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, provenance: &Provenance) -> Result<(), PngError> {
        write(self, path.as_ref(), Some(provenance), true)
    }
}

/// Writes what [`encode`] gave, as `write` does.
///
/// # Errors
/// As `write`.
pub fn write_encoded(bytes: &[u8], path: &Path, overwrite: bool) -> Result<(), PngError> {
    place::place(&place::target(path, overwrite)?, bytes, overwrite)
}

/// Reads a picture file and the record in it.
///
/// # Errors
/// When the file cannot be read, is no PNG picture, is damaged or cut short, or has more than 64 million pixels.
pub fn read(path: &Path) -> Result<PngContents, PngError> {
    decode_from(BufReader::new(open(path)?)).map_err(|failure| failure.of(path))
}

fn open(path: &Path) -> Result<File, PngError> {
    let cannot = |source| PngError::CannotRead {
        path: path.to_owned(),
        source,
    };
    // Asked before opening: a pipe would wait for its other end.
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(cannot(io::Error::new(ErrorKind::InvalidInput, "it is not a file")));
    }
    File::open(path).map_err(cannot)
}

/// Reads a picture and its record from the bytes of a PNG file.
///
/// # Errors
/// As [`read`], without the file.
pub fn decode(bytes: &[u8]) -> Result<PngContents, PngError> {
    let bad = |fault| PngError::Bad {
        path: "<memory>".into(),
        fault,
    };
    decode_from(Cursor::new(bytes)).map_err(|error| match error {
        Failure::Storage(source) => bad(Fault::Corrupt(source.to_string())),
        Failure::Fault(fault) => bad(fault),
    })
}

/// The three text chunks of a record: keyword and text.
fn texts(record: &Provenance) -> Result<Vec<(&'static str, String)>, PngError> {
    let json = record.to_json().map_err(|fault| PngError::Encode(fault.to_string()))?;
    Ok(vec![
        (RECORD, json),
        (PARAMETERS, parameters::write(record)),
        (XMP, xmp::write(record)),
    ])
}

fn encode_with(picture: &Picture, texts: &[(&str, String)]) -> Result<Vec<u8>, codec::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = codec::Encoder::new(&mut bytes, picture.width, picture.height);
    encoder.set_color(codec::ColorType::Rgba);
    encoder.set_depth(codec::BitDepth::Eight);
    encoder.set_source_srgb(codec::SrgbRenderingIntent::Perceptual);
    for (keyword, text) in texts {
        encoder.add_itxt_chunk((*keyword).to_owned(), text.clone())?;
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&picture.pixels)?;
    writer.finish()?;
    Ok(bytes)
}

/// Why reading stopped.
enum Failure {
    Storage(io::Error),
    Fault(Fault),
}

impl Failure {
    fn reading(source: io::Error) -> Self {
        match source.kind() {
            ErrorKind::UnexpectedEof => Fault::Truncated.into(),
            _ => Self::Storage(source),
        }
    }

    fn of(self, path: &Path) -> PngError {
        let path = path.to_owned();
        match self {
            Self::Storage(source) => PngError::Read { path, source },
            Self::Fault(fault) => PngError::Bad { path, fault },
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<codec::DecodingError> for Failure {
    fn from(error: codec::DecodingError) -> Self {
        match error {
            codec::DecodingError::IoError(source) => Self::reading(source),
            codec::DecodingError::LimitsExceeded => Fault::TooLarge.into(),
            other => Fault::Corrupt(other.to_string()).into(),
        }
    }
}

impl From<PictureError> for Failure {
    fn from(error: PictureError) -> Self {
        match error {
            PictureError::TooLarge { .. } => Fault::TooLarge.into(),
            other => Fault::Corrupt(other.to_string()).into(),
        }
    }
}

fn decode_from(mut bytes: impl BufRead + Seek) -> Result<PngContents, Failure> {
    check_signature(&mut bytes)?;
    let mut decoder = codec::Decoder::new(bytes);
    decoder.set_transformations(codec::Transformations::normalize_to_color8() | codec::Transformations::ALPHA);
    let header = decoder.read_header_info()?;
    let (width, height) = (header.width, header.height);
    super::area(width, height)?;
    let mut reader = decoder.read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or(Fault::TooLarge)?];
    let frame = reader.next_frame(&mut pixels)?;
    reader.finish()?;
    if frame.color_type == codec::ColorType::GrayscaleAlpha {
        pixels = pixels
            .chunks_exact(2)
            .flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]])
            .collect();
    }
    Ok(contents(Picture::new(width, height, pixels)?, reader.info()))
}

/// Tells other files from cut or damaged PNG files.
fn check_signature(bytes: &mut (impl BufRead + Seek)) -> Result<(), Failure> {
    const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
    let mut begin = Vec::new();
    Read::take(&mut *bytes, SIGNATURE.len() as u64)
        .read_to_end(&mut begin)
        .map_err(Failure::Storage)?;
    match begin {
        begin if begin == SIGNATURE => bytes.rewind().map_err(Failure::Storage),
        begin if SIGNATURE.starts_with(&begin) && !begin.is_empty() => Err(Fault::Truncated.into()),
        _ => Err(Fault::NotPng.into()),
    }
}

/// The picture with what the text chunks say about it.
fn contents(picture: Picture, info: &codec::Info) -> PngContents {
    let ai_marked = text(info, XMP).is_some_and(|packet| xmp::is_marked(&packet));
    let (record, record_fault) = match text(info, RECORD).map(|json| Provenance::from_json(&json)) {
        None => (None, None),
        Some(Ok(record)) => (Some(record), None),
        Some(Err(fault)) => (None, Some(fault.to_string())),
    };
    let provenance = record.or_else(|| text(info, PARAMETERS).and_then(|text| parameters::read(&text)));
    PngContents {
        picture,
        provenance,
        record_fault,
        ai_marked,
    }
}

/// The first text with this keyword, of whichever of the three kinds of text chunks.
fn text(info: &codec::Info, keyword: &str) -> Option<String> {
    if let Some(chunk) = info.utf8_text.iter().find(|chunk| chunk.keyword == keyword) {
        let mut chunk = chunk.clone();
        chunk.decompress_text_with_limit(MAX_TEXT).ok()?;
        return chunk.get_text().ok();
    }
    if let Some(chunk) = info.uncompressed_latin1_text.iter().find(|chunk| chunk.keyword == keyword) {
        return Some(chunk.text.clone());
    }
    let mut chunk = info.compressed_latin1_text.iter().find(|chunk| chunk.keyword == keyword)?.clone();
    chunk.decompress_text_with_limit(MAX_TEXT).ok()?;
    chunk.get_text().ok()
}

#[cfg(all(test, unix))]
mod tests;
