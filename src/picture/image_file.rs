//! Picture files in the formats that people have: PNG, JPEG, WebP, and the first frame of a GIF. Reading applies the Exif
//! orientation and is limited in file size and pixels; writing is atomic and keeps the provenance.
//!
//! Owns the choice of format and everything but PNG, which [`super::png`] does. Depends on the crates `image` and `image-webp`,
//! on [`Picture`], and on `xmp` for the record: JPEG and WebP files carry it in their XMP packet, with the IPTC mark.

use super::{MAX_PIXELS, Picture, PictureError, PngError, Provenance, png, xmp};
use crate::atomic_file::{self, WriteError};
use image::codecs::{gif::GifDecoder, jpeg::JpegDecoder, jpeg::JpegEncoder, webp::WebPDecoder};
use image::metadata::Orientation;
use image::{ColorType, ExtendedColorType, ImageDecoder, ImageError, RgbaImage, imageops};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// Largest JPEG, WebP or GIF file that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// JPEG quality, 1 to 100: artefacts are not visible at normal size.
const QUALITY: u8 = 92;
/// Keyword of the JPEG segment with an XMP packet (XMP specification, part 3).
const XMP_SEGMENT: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP; written lossless.
    WebP,
    /// GIF; written as an animation alone ([`super::animation`]).
    Gif,
}

impl Format {
    /// The format that a file of this name is written in, by its extension.
    ///
    /// # Errors
    /// [`ImageFileError::Extension`] for any other extension.
    ///
    /// ```
    /// use inkstone::picture::image_file::Format;
    /// assert_eq!(Format::for_writing("apple.JPG".as_ref())?, Format::Jpeg);
    /// assert!(Format::for_writing("apple.gif".as_ref()).is_err());
    /// # Ok::<(), inkstone::picture::ImageFileError>(())
    /// ```
    pub fn for_writing(path: &Path) -> Result<Format, ImageFileError> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "png" => Ok(Format::Png),
            "jpg" | "jpeg" => Ok(Format::Jpeg),
            "webp" => Ok(Format::WebP),
            _ => Err(ImageFileError::Extension(path.to_owned())),
        }
    }

    /// The media type, such as `image/png`.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Png => "image/png",
            Format::Jpeg => "image/jpeg",
            Format::WebP => "image/webp",
            Format::Gif => "image/gif",
        }
    }

    /// Whether files of this format can be transparent.
    pub fn has_alpha(self) -> bool {
        self != Format::Jpeg
    }

    /// Whether files of this format hold exactly the pixels that were written.
    pub fn is_lossless(self) -> bool {
        matches!(self, Format::Png | Format::WebP)
    }

    /// The format of a file that begins with these bytes.
    pub(crate) fn of(begin: &[u8]) -> Option<Format> {
        match begin {
            [0x89, b'P', b'N', b'G', ..] => Some(Format::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
            [b'G', b'I', b'F', b'8', ..] => Some(Format::Gif),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Format::Png => "PNG",
            Format::Jpeg => "JPEG",
            Format::WebP => "WebP",
            Format::Gif => "GIF",
        })
    }
}

/// Why a picture file could not be read or written. [`ImageFileError::is_input_fault`] tells the user's mistakes from the
/// machine's failures.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImageFileError {
    /// A PNG file could not be read or encoded.
    #[error(transparent)]
    Png(#[from] PngError),
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
    /// The content is none of the formats that are read.
    #[error("{} is not a picture that can be read; supported are PNG, JPEG, WebP and GIF", .0.display())]
    Unsupported(PathBuf),
    /// The content is truncated or corrupt.
    #[error("{}: the {format} picture is {problem}", path.display())]
    Bad {
        /// The file that was read.
        path: PathBuf,
        /// Its format.
        format: Format,
        /// `truncated`, or `corrupt` and the decoder's message.
        problem: String,
    },
    /// The file is larger than 64 MiB or has more than [`MAX_PIXELS`].
    #[error("{}: the picture is too large: at most {} million pixels and {} MiB are accepted", .0.display(), MAX_PIXELS >> 20, MAX_BYTES >> 20)]
    TooLarge(PathBuf),
    /// The name does not say in which format to write.
    #[error("{}: pictures are written as PNG, JPEG or WebP; use a name that ends in .png, .jpg or .webp", .0.display())]
    Extension(PathBuf),
    /// JPEG files cannot be transparent.
    #[error("{}: JPEG has no transparency; choose a background, or write PNG or WebP", .0.display())]
    Transparent(PathBuf),
    /// The picture or its record cannot be encoded.
    #[error("the picture cannot be encoded as {format}: {problem}")]
    Encode {
        /// The format.
        format: Format,
        /// What is wrong.
        problem: String,
    },
}

impl ImageFileError {
    /// True if another name, folder or file would help (exit code 2), false if the machine failed (exit code 1).
    pub fn is_input_fault(&self) -> bool {
        match self {
            Self::Png(error) => error.is_input_fault(),
            Self::Write(error) => error.is_input_fault(),
            Self::Encode { .. } => false,
            _ => true,
        }
    }
}

/// The contents of a picture file.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureFile {
    /// The picture; of an animation the first frame.
    pub picture: Picture,
    /// What made it; `None` if the file has no record.
    ///
    /// [`Provenance::picture_sha256`] is empty if the record cannot tell: in lossy files, and if only the `parameters` text of
    /// a PNG file is left.
    pub provenance: Option<Provenance>,
    /// Why the `inkstone` record of the file is invalid.
    pub record_fault: Option<String>,
    /// Whether the file's XMP says that a trained model made the picture, entirely or in part (IPTC).
    pub ai_marked: bool,
    /// Whether it says so of a part alone.
    pub ai_composite: bool,
    /// Whether a PNG file is an animation: its record says nothing of the frames after the first.
    pub animated: bool,
}

impl Picture {
    /// Reads a picture file: PNG, JPEG, WebP, or the first frame of a GIF, upright by its Exif orientation. Embedded colour
    /// profiles are ignored.
    ///
    /// # Errors
    /// If the file cannot be read, has another format, is truncated, corrupt or larger than 64 MiB, or has more than
    /// [`MAX_PIXELS`].
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("red.webp");
    /// use inkstone::picture::Picture;
    ///
    /// Picture::filled(4, 2, [255, 0, 0, 255])?.save(&path, None)?;
    /// let picture = Picture::open(&path)?;
    /// assert_eq!((picture.width(), picture.height()), (4, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Picture, ImageFileError> {
        read(path.as_ref()).map(|file| file.picture)
    }

    /// Writes a picture file, as PNG, JPEG or lossless WebP by the name's extension, with the record of what made it. Replaces an
    /// existing file. [`write()`] does not.
    ///
    /// # Errors
    /// If the extension is none of these, if a JPEG picture has transparent pixels, or if the file cannot be written.
    pub fn save<'a>(&self, path: impl AsRef<Path>, provenance: impl Into<Option<&'a Provenance>>) -> Result<(), ImageFileError> {
        write(self, path.as_ref(), provenance.into(), true)
    }
}

/// Reads a picture file and its record.
///
/// # Errors
/// As [`Picture::open`].
pub fn read(path: &Path) -> Result<PictureFile, ImageFileError> {
    let cannot = |source| ImageFileError::CannotRead {
        path: path.to_owned(),
        source,
    };
    // Checked before opening: opening a pipe waits for its other end.
    let metadata = fs::metadata(path).map_err(cannot)?;
    if !metadata.is_file() {
        return Err(cannot(io::Error::new(ErrorKind::InvalidInput, "not a regular file")));
    }
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(cannot)?;
    Read::take(&mut file, 16).read_to_end(&mut bytes).map_err(cannot)?;
    match Format::of(&bytes) {
        None => Err(ImageFileError::Unsupported(path.to_owned())),
        Some(Format::Png) => Ok(png::read(path)?),
        Some(_) if metadata.len() > MAX_BYTES => Err(ImageFileError::TooLarge(path.to_owned())),
        Some(format) => {
            Read::take(&mut file, MAX_BYTES).read_to_end(&mut bytes).map_err(cannot)?;
            decode(format, &bytes).map_err(|fault| fault.of(path, format))
        }
    }
}

/// Reads a picture and its record from the bytes of a file; `name` is what errors call it, and `max_pixels` the most that it may have, up to
/// [`MAX_PIXELS`].
///
/// # Errors
/// As [`Picture::open`].
pub fn from_bytes(bytes: &[u8], name: &Path, max_pixels: u64) -> Result<PictureFile, ImageFileError> {
    let format = Format::of(bytes).ok_or_else(|| ImageFileError::Unsupported(name.to_owned()))?;
    let (width, height) = sides(format, bytes).map_err(|fault| fault.of(name, format))?;
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(ImageFileError::TooLarge(name.to_owned()));
    }
    match format {
        Format::Png => match png::decode(bytes) {
            Err(PngError::Bad { fault, .. }) => Err(PngError::Bad {
                path: name.to_owned(),
                fault,
            }
            .into()),
            read => Ok(read?),
        },
        _ => decode(format, bytes).map_err(|fault| fault.of(name, format)),
    }
}

/// Width and height by a file's header alone.
fn sides(format: Format, bytes: &[u8]) -> Result<(u32, u32), Fault> {
    match format {
        // After the signature, length and type of the first chunk (PNG, 11.2.1).
        Format::Png => {
            let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
            number(16).zip(number(20)).ok_or(Fault::Truncated)
        }
        Format::Jpeg => Ok(JpegDecoder::new(Cursor::new(bytes))?.dimensions()),
        Format::WebP => {
            let file = complete_webp(bytes).ok_or(Fault::Truncated)?;
            Ok(WebPDecoder::new(Cursor::new(file))?.dimensions())
        }
        Format::Gif => Ok(GifDecoder::new(Cursor::new(bytes))?.dimensions()),
    }
}

/// The bytes of a picture file of this format, with the record of what made it.
///
/// # Errors
/// If the format is none that is written, or the picture has transparent pixels and the format none.
pub fn to_bytes(picture: &Picture, format: Format, provenance: Option<&Provenance>) -> Result<Vec<u8>, ImageFileError> {
    let is_transparent = || picture.pixels().chunks_exact(4).any(|pixel| pixel[3] < 255);
    match format {
        Format::Jpeg if is_transparent() => Err(ImageFileError::Transparent("a JPEG picture".into())),
        Format::Jpeg => encode_jpeg(picture, provenance),
        Format::WebP => encode_webp(picture, provenance),
        Format::Png | Format::Gif => Ok(png::encode(picture, provenance)?),
    }
}

/// Writes a picture file, as PNG, JPEG or lossless WebP by the name's extension, atomically.
///
/// # Errors
/// As [`Picture::save`], and if the file exists and `overwrite` is false.
pub fn write(picture: &Picture, path: &Path, provenance: Option<&Provenance>, overwrite: bool) -> Result<(), ImageFileError> {
    Ok(atomic_file::write(path, &encode(picture, path, provenance)?, overwrite)?)
}

/// The bytes of a picture file, in the format that the extension of its name says.
///
/// # Errors
/// As [`Picture::save`], of what does not concern the disk.
pub fn encode(picture: &Picture, path: &Path, provenance: Option<&Provenance>) -> Result<Vec<u8>, ImageFileError> {
    to_bytes(picture, Format::for_writing(path)?, provenance).map_err(|error| match error {
        ImageFileError::Transparent(_) => ImageFileError::Transparent(path.to_owned()),
        error => error,
    })
}

/// The picture upright, if its Exif block says how the camera was held.
pub(super) fn upright(picture: Picture, exif: Option<&[u8]>) -> Result<Picture, PictureError> {
    match exif.and_then(Orientation::from_exif_chunk) {
        Some(orientation) => turned(picture, orientation),
        None => Ok(picture),
    }
}

/// Why the bytes of a file are not a picture.
enum Fault {
    Truncated,
    TooLarge,
    Corrupt(String),
}

impl Fault {
    fn of(self, path: &Path, format: Format) -> ImageFileError {
        let bad = |problem| ImageFileError::Bad {
            path: path.to_owned(),
            format,
            problem,
        };
        match self {
            Fault::TooLarge => ImageFileError::TooLarge(path.to_owned()),
            Fault::Truncated => bad("truncated".into()),
            Fault::Corrupt(problem) => bad(format!("corrupt: {problem}")),
        }
    }
}

impl From<ImageError> for Fault {
    fn from(error: ImageError) -> Fault {
        match error {
            ImageError::Limits(_) => Fault::TooLarge,
            ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => Fault::Truncated,
            other => Fault::Corrupt(other.to_string()),
        }
    }
}

impl From<PictureError> for Fault {
    fn from(error: PictureError) -> Fault {
        match error {
            PictureError::TooLarge { .. } => Fault::TooLarge,
            other => Fault::Corrupt(other.to_string()),
        }
    }
}

fn decode(format: Format, bytes: &[u8]) -> Result<PictureFile, Fault> {
    // The decoders of JPEG and WebP do not report truncation.
    match format {
        Format::Jpeg if !is_complete_jpeg(bytes) => Err(Fault::Truncated),
        Format::Jpeg => decode_with(JpegDecoder::new(Cursor::new(bytes))?, format),
        Format::WebP => {
            let file = complete_webp(bytes).ok_or(Fault::Truncated)?;
            decode_with(WebPDecoder::new(Cursor::new(file))?, format)
        }
        Format::Gif | Format::Png => decode_with(GifDecoder::new(Cursor::new(bytes))?, format),
    }
}

fn decode_with(mut decoder: impl ImageDecoder, format: Format) -> Result<PictureFile, Fault> {
    let (width, height) = decoder.dimensions();
    super::area(width, height)?;
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MAX_PIXELS * 8);
    decoder.set_limits(limits)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let packet = decoder.xmp_metadata().ok().flatten();
    let colours = decoder.color_type();
    let mut pixels = vec![0; usize::try_from(decoder.total_bytes()).map_err(|_| Fault::TooLarge)?];
    decoder.read_image(&mut pixels)?;
    let picture = Picture::new(width, height, rgba(colours, pixels)?)?;
    let packet = packet
        .map(|packet| String::from_utf8_lossy(&packet).into_owned())
        .unwrap_or_default();
    let (mut provenance, record_fault) = match xmp::record(&packet).map(|json| Provenance::from_json(&json)) {
        None => (None, None),
        Some(Ok(record)) => (Some(record), None),
        Some(Err(fault)) => (None, Some(fault.to_string())),
    };
    if let Some(record) = provenance.as_mut().filter(|_| !format.is_lossless()) {
        record.picture_sha256.clear();
    }
    Ok(PictureFile {
        picture: turned(picture, orientation)?,
        provenance,
        record_fault,
        ai_marked: xmp::is_marked(&packet),
        ai_composite: xmp::is_composite(&packet),
        animated: false,
    })
}

/// Straight RGBA from the layouts that the decoders deliver.
fn rgba(colours: ColorType, pixels: Vec<u8>) -> Result<Vec<u8>, Fault> {
    match colours {
        ColorType::Rgba8 => Ok(pixels),
        ColorType::Rgb8 => Ok(opaque(pixels.as_chunks().0.iter().copied())),
        ColorType::L8 => Ok(opaque(pixels.iter().map(|&grey| [grey; 3]))),
        other => Err(Fault::Corrupt(format!("unsupported pixel format {other:?}"))),
    }
}

/// Of a known number of colours, so that no more memory is taken than they need.
fn opaque(colours: impl ExactSizeIterator<Item = [u8; 3]>) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(colours.len() * 4);
    colours.for_each(|[red, green, blue]| pixels.extend([red, green, blue, 255]));
    pixels
}

fn turned(picture: Picture, orientation: Orientation) -> Result<Picture, PictureError> {
    let (width, height) = (picture.width, picture.height);
    let Some(image) = RgbaImage::from_raw(width, height, Arc::unwrap_or_clone(picture.pixels)) else {
        return Err(PictureError::Empty { width, height });
    };
    let image = match orientation {
        Orientation::NoTransforms => image,
        Orientation::Rotate90 => imageops::rotate90(&image),
        Orientation::Rotate180 => imageops::rotate180(&image),
        Orientation::Rotate270 => imageops::rotate270(&image),
        Orientation::FlipHorizontal => imageops::flip_horizontal(&image),
        Orientation::FlipVertical => imageops::flip_vertical(&image),
        Orientation::Rotate90FlipH => imageops::flip_horizontal(&imageops::rotate90(&image)),
        Orientation::Rotate270FlipH => imageops::flip_horizontal(&imageops::rotate270(&image)),
    };
    Picture::new(image.width(), image.height(), image.into_raw())
}

/// Whether a JPEG file has an end-of-image marker after its first scan (ITU-T T.81, B.1.1).
fn is_complete_jpeg(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        if marker == START_OF_SCAN {
            return bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9]);
        }
        at += match marker {
            // Fill bytes before a marker.
            0xff => 1,
            _ => 2 + usize::from(u16::from_be_bytes([high, low])),
        };
    }
    false
}

/// A WebP file without what follows it; `None` if the file or one of its chunks is shorter than it says. The decoder allocates
/// as many bytes as a chunk says that it has.
fn complete_webp(bytes: &[u8]) -> Option<&[u8]> {
    /// What an animation's frame holds before its own chunks, in bytes.
    const FRAME_HEADER: usize = 16;
    let file = bytes.get(..chunk_length(bytes)?.checked_add(8)?)?;
    let mut rest = file.get(12..)?;
    while rest.len() >= 8 {
        let length = chunk_length(rest)?;
        rest[8..].get(..length)?;
        let read = if rest.starts_with(b"ANMF") {
            length.min(FRAME_HEADER)
        } else {
            length
        };
        rest = rest.get(8 + read.next_multiple_of(2)..).unwrap_or_default();
    }
    Some(file)
}

/// What a RIFF chunk says that it holds, in bytes.
fn chunk_length(chunk: &[u8]) -> Option<usize> {
    let length: [u8; 4] = chunk.get(4..8)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(length)).ok()
}

fn encode_jpeg(picture: &Picture, provenance: Option<&Provenance>) -> Result<Vec<u8>, ImageFileError> {
    let failed = |problem: String| ImageFileError::Encode {
        format: Format::Jpeg,
        problem,
    };
    let colours: Vec<u8> = picture
        .pixels
        .chunks_exact(4)
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect();
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY)
        .encode(&colours, picture.width, picture.height, ExtendedColorType::Rgb8)
        .map_err(|error| failed(error.to_string()))?;
    let Some(record) = provenance else { return Ok(bytes) };
    // The pixels of the file are not those that were hashed.
    let record = Provenance {
        picture_sha256: String::new(),
        ..record.clone()
    };
    let packet = packet(&record, Format::Jpeg)?;
    let length = u16::try_from(2 + XMP_SEGMENT.len() + packet.len()).map_err(|_| failed("the record is longer than 64 KiB".into()))?;
    let segment = [&[0xff, 0xe1], &length.to_be_bytes()[..], XMP_SEGMENT, packet.as_bytes()].concat();
    // After the JFIF segment, which has to be the first.
    let first = 4 + usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
    bytes.splice(first..first, segment);
    Ok(bytes)
}

fn encode_webp(picture: &Picture, provenance: Option<&Provenance>) -> Result<Vec<u8>, ImageFileError> {
    let mut bytes = Vec::new();
    let mut encoder = image_webp::WebPEncoder::new(&mut bytes);
    if let Some(record) = provenance {
        encoder.set_xmp_metadata(packet(record, Format::WebP)?.into_bytes());
    }
    encoder
        .encode(&picture.pixels, picture.width, picture.height, image_webp::ColorType::Rgba8)
        .map_err(|error| ImageFileError::Encode {
            format: Format::WebP,
            problem: error.to_string(),
        })?;
    Ok(bytes)
}

/// The XMP packet of a record, with the record itself.
fn packet(record: &Provenance, format: Format) -> Result<String, ImageFileError> {
    let json = record.to_json().map_err(|error| ImageFileError::Encode {
        format,
        problem: error.to_string(),
    })?;
    Ok(xmp::write_with_record(record, &json))
}

#[cfg(test)]
mod tests;
