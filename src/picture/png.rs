//! PNG files with provenance: written atomically, read with limits.
//!
//! Owns the text chunks. Depends on [`Picture`], on [`crate::atomic_file`], and on `provenance`, `parameters` and `xmp` for
//! the texts. A written picture carries three text chunks: `inkstone` (the record as JSON), `parameters` (the same for
//! other programs) and `XML:com.adobe.xmp` (with the IPTC mark of a picture that a trained model made).

mod ends;

pub use ends::check_ends;

use super::{MAX_PIXELS, Picture, PictureError, PictureFile, Provenance, image_file, parameters, xmp};
use crate::atomic_file::{self, WriteError};
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

/// Why a PNG file could not be written or read. [`PngError::is_input_fault`] tells the user's mistakes from the machine's
/// failures.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PngError {
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The file is missing, is a folder, or permission is denied.
    #[error("{} cannot be read: {source}", path.display())]
    CannotRead {
        /// The file that was to be read.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The storage failed while reading.
    #[error("reading {} failed: {source}", path.display())]
    Read {
        /// The file that was to be read.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The content is not a valid PNG picture.
    #[error("{}: {fault}", path.display())]
    Bad {
        /// The file that was read; `<memory>` for [`decode`].
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The picture or its record cannot be encoded.
    #[error("the picture cannot be encoded as PNG: {0}")]
    Encode(String),
}

/// What is wrong with a PNG file.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It has no PNG signature.
    #[error("not a PNG picture")]
    NotPng,
    /// It ends early.
    #[error("the PNG picture is truncated")]
    Truncated,
    /// Its content is invalid.
    #[error("the PNG picture is corrupt: {0}")]
    Corrupt(String),
    /// It has more than [`MAX_PIXELS`].
    #[error("the PNG picture is too large: at most {} million pixels are accepted", MAX_PIXELS / (1024 * 1024))]
    TooLarge,
}

impl PngError {
    /// True if another name, folder or file would help (exit code 2), false if the machine failed (exit code 1).
    pub fn is_input_fault(&self) -> bool {
        match self {
            Self::Write(error) => error.is_input_fault(),
            Self::CannotRead { .. } | Self::Bad { .. } => true,
            Self::Read { .. } | Self::Encode(_) => false,
        }
    }
}

/// Encodes a picture as PNG. The same picture and record always give the same bytes.
///
/// # Errors
/// [`PngError::Encode`], if the record's guidance is not a finite number.
pub fn encode(picture: &Picture, provenance: Option<&Provenance>) -> Result<Vec<u8>, PngError> {
    let texts = provenance.map_or(Ok(Vec::new()), texts)?;
    encode_with(picture, &texts).map_err(|fault| PngError::Encode(fault.to_string()))
}

/// Writes a picture file, atomically (see [`atomic_file::write`]).
///
/// # Errors
/// If the file exists and `overwrite` is false, if it cannot be written, or if the disk is full.
pub fn write(picture: &Picture, path: &Path, provenance: Option<&Provenance>, overwrite: bool) -> Result<(), PngError> {
    Ok(atomic_file::write(path, &encode(picture, provenance)?, overwrite)?)
}

/// Reads a picture file and the record in it.
///
/// # Errors
/// If the file cannot be read, is not a PNG picture, is corrupt or truncated, or has more than [`MAX_PIXELS`].
pub fn read(path: &Path) -> Result<PictureFile, PngError> {
    decode_from(BufReader::new(open(path)?)).map_err(|failure| failure.of(path))
}

/// Reads the record in a picture file, without its pixels. Only a record before the pixels is found, which is where this program
/// writes it.
///
/// # Errors
/// As [`read`].
pub fn record(path: &Path) -> Result<Option<Provenance>, PngError> {
    let read = |file| -> Result<Option<Provenance>, Failure> { Ok(provenance(begun(BufReader::new(file))?.info()).0) };
    read(open(path)?).map_err(|failure| failure.of(path))
}

fn open(path: &Path) -> Result<File, PngError> {
    let cannot = |source| PngError::CannotRead {
        path: path.to_owned(),
        source,
    };
    // Checked before opening: opening a pipe waits for its other end.
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(cannot(io::Error::new(ErrorKind::InvalidInput, "not a regular file")));
    }
    File::open(path).map_err(cannot)
}

/// Reads a picture and its record from the bytes of a PNG file.
///
/// # Errors
/// As [`read`], without the file.
pub fn decode(bytes: &[u8]) -> Result<PictureFile, PngError> {
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
pub(super) fn texts(record: &Provenance) -> Result<Vec<(&'static str, String)>, PngError> {
    let json = record.to_json().map_err(|fault| PngError::Encode(fault.to_string()))?;
    Ok(vec![
        (RECORD, json),
        (PARAMETERS, parameters::write(record)),
        (XMP, xmp::write(record)),
    ])
}

fn encode_with(picture: &Picture, texts: &[(&str, String)]) -> Result<Vec<u8>, codec::EncodingError> {
    let mut bytes = Vec::new();
    let mut writer = encoder(&mut bytes, picture, texts)?.write_header()?;
    writer.write_image_data(&picture.pixels)?;
    writer.finish()?;
    Ok(bytes)
}

/// An encoder for pictures as large as this one, with text chunks.
pub(super) fn encoder<'a>(
    bytes: &'a mut Vec<u8>,
    picture: &Picture,
    texts: &[(&str, String)],
) -> Result<codec::Encoder<'a, &'a mut Vec<u8>>, codec::EncodingError> {
    let mut encoder = codec::Encoder::new(bytes, picture.width, picture.height);
    encoder.set_color(codec::ColorType::Rgba);
    encoder.set_depth(codec::BitDepth::Eight);
    encoder.set_source_srgb(codec::SrgbRenderingIntent::Perceptual);
    for (keyword, text) in texts {
        encoder.add_itxt_chunk((*keyword).to_owned(), text.clone())?;
    }
    Ok(encoder)
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

/// A picture that is read up to its pixels, and is not too large.
fn begun<Bytes: BufRead + Seek>(mut bytes: Bytes) -> Result<codec::Reader<Bytes>, Failure> {
    check_signature(&mut bytes)?;
    let mut decoder = codec::Decoder::new(bytes);
    decoder.set_transformations(codec::Transformations::normalize_to_color8() | codec::Transformations::ALPHA);
    let header = decoder.read_header_info()?;
    super::area(header.width, header.height)?;
    Ok(decoder.read_info()?)
}

fn decode_from(bytes: impl BufRead + Seek) -> Result<PictureFile, Failure> {
    let mut reader = begun(bytes)?;
    let (width, height) = (reader.info().width, reader.info().height);
    let mut pixels = vec![0; reader.output_buffer_size().ok_or(Fault::TooLarge)?];
    let frame = reader.next_frame(&mut pixels)?;
    reader.finish()?;
    if frame.color_type == codec::ColorType::GrayscaleAlpha {
        pixels = pixels
            .chunks_exact(2)
            .flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]])
            .collect();
    }
    let info = reader.info();
    let picture = image_file::upright(Picture::new(width, height, pixels)?, info.exif_metadata.as_deref())?;
    Ok(contents(picture, info))
}

/// Distinguishes other files from truncated or corrupt PNG files.
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

/// The picture and what the text chunks say about it.
fn contents(picture: Picture, info: &codec::Info) -> PictureFile {
    let packet = text(info, XMP).unwrap_or_default();
    let (provenance, record_fault) = provenance(info);
    PictureFile {
        picture,
        provenance,
        record_fault,
        ai_marked: xmp::is_marked(&packet),
        ai_composite: xmp::is_composite(&packet),
        animated: info.animation_control.is_some_and(|animation| animation.num_frames > 1),
    }
}

/// The record, and what is wrong with it.
fn provenance(info: &codec::Info) -> (Option<Provenance>, Option<String>) {
    let (record, fault) = match text(info, RECORD).map(|json| Provenance::from_json(&json)) {
        None => (None, None),
        Some(Ok(record)) => (Some(record), None),
        Some(Err(fault)) => (None, Some(fault.to_string())),
    };
    (
        record.or_else(|| text(info, PARAMETERS).and_then(|text| parameters::read(&text))),
        fault,
    )
}

/// The first text with this keyword, in any of the three kinds of text chunks.
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
