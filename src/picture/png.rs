//! PNG files: writing them so that a file is either whole or not there, and reading them with limits.
//!
//! Owns the files and the chunks in them. Depends on [`Picture`] and on what `provenance`, `parameters` and `xmp` make
//! of a record. A written picture carries three text chunks: `inkstone` (the record as JSON), `parameters` (the same
//! for other programs) and `XML:com.adobe.xmp` (with the IPTC mark of a picture that a trained model made).

use super::{MAX_PIXELS, Picture, PictureError, Provenance, parameters, xmp};
use ::png as codec;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
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
    let target = target(path, overwrite)?;
    let bytes = encode(picture, provenance)?;
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    replace(&target, folder, &bytes, overwrite).map_err(|source| PngError::writing(path, source))
}

/// Reads a picture file and the record in it.
///
/// # Errors
/// When the file cannot be read, is no PNG picture, is damaged or cut short, or has more than 64 million pixels.
pub fn read(path: &Path) -> Result<PngContents, PngError> {
    let cannot = |source| PngError::CannotRead {
        path: path.to_owned(),
        source,
    };
    // Asked before opening: a pipe would wait for its other end.
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(cannot(io::Error::new(ErrorKind::InvalidInput, "it is not a file")));
    }
    let file = File::open(path).map_err(cannot)?;
    decode_from(BufReader::new(file)).map_err(|error| match error {
        Failure::Storage(source) => PngError::Read {
            path: path.to_owned(),
            source,
        },
        Failure::Fault(fault) => PngError::Bad {
            path: path.to_owned(),
            fault,
        },
    })
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

/// The file to write to: `path`, or what a symbolic link there leads to.
fn target(path: &Path, overwrite: bool) -> Result<PathBuf, PngError> {
    match fs::metadata(path) {
        Ok(there) if !there.is_file() => Err(PngError::NotAFile(path.to_owned())),
        Ok(_) if !overwrite => Err(PngError::Exists(path.to_owned())),
        Ok(_) => fs::canonicalize(path).map_err(|source| PngError::writing(path, source)),
        Err(_) => Ok(path.to_owned()),
    }
}

/// Puts a file with these bytes in place of `target`, or leaves everything as it was.
fn replace(target: &Path, folder: &Path, bytes: &[u8], overwrite: bool) -> io::Result<()> {
    let mut file = temporary(folder)?;
    pour(file.as_file_mut(), bytes)?;
    if overwrite {
        file.persist(target)?;
        sync_folder(folder)
    } else {
        file.persist_noclobber(target)?;
        sync_folder(folder).inspect_err(|_| drop(fs::remove_file(target)))
    }
}

/// An empty file with a name of its own, readable by whom the user's mask allows.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".inkstone-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Writes everything and waits until it is on the disk.
fn pour(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// Waits until a folder's names are on the disk, where folders can be opened and synced at all.
fn sync_folder(folder: &Path) -> io::Result<()> {
    let synced = match File::open(folder) {
        Ok(folder) if cfg!(unix) => folder.sync_all(),
        _ => return Ok(()),
    };
    match synced {
        Err(fault) if matches!(fault.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            log::debug!("the folder {} cannot be synced: {fault}", folder.display());
            Ok(())
        }
        other => other,
    }
}

/// Why reading stopped.
enum Failure {
    Storage(io::Error),
    Fault(Fault),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<codec::DecodingError> for Failure {
    fn from(error: codec::DecodingError) -> Self {
        match error {
            codec::DecodingError::IoError(source) if source.kind() == ErrorKind::UnexpectedEof => Fault::Truncated.into(),
            codec::DecodingError::IoError(source) => Self::Storage(source),
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
mod tests {
    use super::super::{provenance::tests::example, verify};
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use tempfile::{TempDir, tempdir};

    fn drawing() -> Picture {
        let pixel = |at: u32| {
            [
                (at * 7 % 256) as u8,
                (at / 3 % 256) as u8,
                (at * at % 251) as u8,
                (at * 5 % 256) as u8,
            ]
        };
        Picture::new(40, 30, (0..1200).flat_map(pixel).collect()).unwrap()
    }

    fn names(folder: &TempDir) -> Vec<String> {
        fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    fn encoded(
        width: u32,
        height: u32,
        colour: codec::ColorType,
        depth: codec::BitDepth,
        data: &[u8],
        text: Option<(&str, &str)>,
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = codec::Encoder::new(&mut bytes, width, height);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if colour == codec::ColorType::Indexed {
            encoder.set_palette(vec![255, 0, 0, 0, 0, 255]);
            encoder.set_trns(vec![255, 0]);
        }
        if let Some((keyword, text)) = text {
            encoder.add_ztxt_chunk(keyword.into(), text.into()).unwrap();
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        bytes
    }

    #[test]
    fn a_picture_and_its_record_survive_a_file() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("苹果 1.png");
        let record = example(&drawing());
        write(&drawing(), &path, Some(&record), false).unwrap();
        assert_eq!(names(&folder), ["苹果 1.png"]);
        let back = read(&path).unwrap();
        assert_eq!(
            back,
            PngContents {
                picture: drawing(),
                provenance: Some(record.clone()),
                record_fault: None,
                ai_marked: true
            }
        );
        assert!(verify(&back.picture, &record));
        assert_eq!(
            fs::read(&path).unwrap(),
            encode(&drawing(), Some(&record)).unwrap(),
            "the same bytes every time"
        );
    }

    #[test]
    fn a_picture_without_a_record_has_none() {
        let back = decode(&encode(&drawing(), None).unwrap()).unwrap();
        assert_eq!(
            back,
            PngContents {
                picture: drawing(),
                provenance: None,
                record_fault: None,
                ai_marked: false
            }
        );
    }

    #[test]
    fn an_existing_file_is_replaced_only_when_told() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("a.png");
        fs::write(&path, "old").unwrap();
        let error = write(&drawing(), &path, None, false).unwrap_err();
        assert!(
            matches!(error, PngError::Exists(_)) && error.is_input_fault() && error.to_string().contains("--force"),
            "{error}"
        );
        assert_eq!((fs::read(&path).unwrap(), names(&folder).len()), (b"old".to_vec(), 1));
        write(&drawing(), &path, None, true).unwrap();
        assert_eq!((read(&path).unwrap().picture, names(&folder).len()), (drawing(), 1));
    }

    #[test]
    fn of_two_writers_one_wins_and_the_other_is_told() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("a.png");
        let won = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8).map(|_| scope.spawn(|| replace(&path, folder.path(), b"x", false))).collect();
            writers.into_iter().filter_map(|writer| writer.join().unwrap().ok()).count()
        });
        assert_eq!((won, names(&folder).len()), (1, 1));
        let late = PngError::writing(&path, replace(&path, folder.path(), b"y", false).unwrap_err());
        assert!(matches!(late, PngError::Exists(_)), "{late}");
        assert_eq!((fs::read(&path).unwrap(), names(&folder).len()), (b"x".to_vec(), 1));
    }

    #[test]
    fn impossible_places_are_input_faults_and_leave_nothing_behind() {
        let folder = tempdir().unwrap();
        fs::write(folder.path().join("file"), "old").unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        let long = "x".repeat(300);
        for name in [
            "missing/a.png",
            "file/a.png",
            "folder",
            "folder/",
            "folder/..",
            "new/",
            "file/",
            &long,
            "nul\0.png",
        ] {
            for overwrite in [false, true] {
                let error = write(&drawing(), &folder.path().join(name), None, overwrite).unwrap_err();
                assert!(error.is_input_fault(), "{name:?}: {error:?}");
                assert!(!error.to_string().contains(".inkstone-"), "{error}");
            }
        }
        let mut left = names(&folder);
        left.sort();
        assert_eq!(left, ["file", "folder"]);
        assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path().join("folder")).unwrap().count(), 0);
        assert!(write(&drawing(), Path::new(""), None, true).unwrap_err().is_input_fault());
        let device = write(&drawing(), Path::new("/dev/null"), None, true).unwrap_err();
        assert!(matches!(device, PngError::NotAFile(_)), "{device:?}");
    }

    #[test]
    fn a_full_disk_is_the_machine_s_fault() {
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        let error = PngError::writing(Path::new("a.png"), pour(&mut full, b"x").unwrap_err());
        assert!(matches!(error, PngError::DiskFull(_)) && !error.is_input_fault(), "{error:?}");
        assert_eq!(error.to_string(), "a.png cannot be written: the disk is full");
    }

    #[test]
    fn a_link_is_followed_and_a_file_is_readable_as_usual() {
        let folder = tempdir().unwrap();
        let (file, link, plain) = (
            folder.path().join("a.png"),
            folder.path().join("link.png"),
            folder.path().join("plain"),
        );
        fs::write(&file, "old").unwrap();
        File::create(&plain).unwrap();
        symlink("a.png", &link).unwrap();
        assert!(matches!(write(&drawing(), &link, None, false), Err(PngError::Exists(_))));
        write(&drawing(), &link, None, true).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("a.png"));
        assert_eq!(read(&file).unwrap().picture, drawing());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&file), mode(&plain));
    }

    #[test]
    fn cut_files_are_errors() {
        let bytes = encode(&drawing(), Some(&example(&drawing()))).unwrap();
        for end in (0..bytes.len()).step_by(97).chain(bytes.len() - 16..bytes.len()) {
            let error = decode(&bytes[..end]).unwrap_err();
            let fault = if end == 0 { Fault::NotPng } else { Fault::Truncated };
            assert!(
                matches!(&error, PngError::Bad { fault: found, .. } if *found == fault),
                "{end}: {error:?}"
            );
        }
    }

    #[test]
    fn damaged_files_never_pass_for_the_picture() {
        let bytes = encode(&drawing(), Some(&example(&drawing()))).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            match decode(&damaged) {
                Ok(back) => assert_eq!(back.picture, drawing(), "only the record or the colour space can be lost, at {at}"),
                Err(error) => assert!(error.is_input_fault(), "{at}: {error:?}"),
            }
        }
    }

    #[test]
    fn other_files_are_not_read() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("a.png");
        for content in ["", "GIF89a", "a text that is longer than any signature", "\u{89}PNG"] {
            fs::write(&path, content).unwrap();
            let error = read(&path).unwrap_err();
            assert!(
                matches!(error, PngError::Bad { fault: Fault::NotPng, .. }) && error.to_string().contains("a.png"),
                "{error:?}"
            );
        }
        for path in [folder.path().to_owned(), folder.path().join("missing.png"), "/dev/zero".into()] {
            let error = read(&path).unwrap_err();
            assert!(matches!(error, PngError::CannotRead { .. }) && error.is_input_fault(), "{error:?}");
        }
    }

    #[test]
    fn huge_pictures_are_refused_before_they_are_unpacked() {
        let mut bytes = encode(&Picture::filled(1, 1, [0; 4]).unwrap(), None).unwrap();
        bytes[16..24].copy_from_slice(&[0, 0, 0x20, 1, 0, 0, 0x20, 0]);
        let crc = bytes[12..29].iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
            })
        });
        bytes[29..33].copy_from_slice(&(!crc).to_be_bytes());
        let error = decode(&bytes).unwrap_err();
        assert!(
            matches!(
                error,
                PngError::Bad {
                    fault: Fault::TooLarge,
                    ..
                }
            ),
            "{error:?}"
        );
    }

    #[test]
    fn other_programs_pictures_become_rgba() {
        use codec::{BitDepth::*, ColorType::*};
        for (colour, depth, data, pixels) in [
            (Rgb, Eight, vec![1, 2, 3, 4, 5, 6], [1, 2, 3, 255, 4, 5, 6, 255]),
            (Grayscale, Eight, vec![7, 9], [7, 7, 7, 255, 9, 9, 9, 255]),
            (Grayscale, One, vec![0b0100_0000], [0, 0, 0, 255, 255, 255, 255, 255]),
            (GrayscaleAlpha, Eight, vec![7, 8, 9, 10], [7, 7, 7, 8, 9, 9, 9, 10]),
            (
                Rgba,
                Sixteen,
                vec![1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0],
                [1, 2, 3, 4, 5, 6, 7, 8],
            ),
            (Indexed, One, vec![0b0100_0000], [255, 0, 0, 255, 0, 0, 255, 0]),
        ] {
            let back = decode(&encoded(2, 1, colour, depth, &data, None)).unwrap();
            assert_eq!(back.picture.pixels(), pixels, "{colour:?} {depth:?}");
        }
    }

    #[test]
    fn a_record_is_read_from_parameters_where_the_own_one_is_missing_or_damaged() {
        let rgb = |keyword, text| {
            decode(&encoded(
                1,
                1,
                codec::ColorType::Rgb,
                codec::BitDepth::Eight,
                &[0; 3],
                Some((keyword, text)),
            ))
            .unwrap()
        };
        let told = rgb(PARAMETERS, "a cat\nSteps: 2, Seed: 5").provenance.unwrap();
        assert_eq!((told.prompt.as_str(), told.steps, told.seed), ("a cat", 2, 5));
        let damaged = rgb(RECORD, "{\"prompt\": 3}");
        assert!(damaged.provenance.is_none() && damaged.record_fault.unwrap().contains("string"));
        let texts = [(RECORD, "{".to_owned()), (PARAMETERS, "a dog\nSteps: 2, Seed: 6".to_owned())];
        let both = decode(&encode_with(&drawing(), &texts).unwrap()).unwrap();
        assert_eq!((both.provenance.unwrap().seed, both.record_fault.is_some()), (6, true));
    }

    #[test]
    fn a_text_that_unpacks_to_more_than_allowed_is_passed_over() {
        let bomb = "Steps: 1, Seed: 1, Model: ".to_owned() + &"a".repeat(MAX_TEXT);
        let bytes = encoded(
            1,
            1,
            codec::ColorType::Rgb,
            codec::BitDepth::Eight,
            &[0; 3],
            Some((PARAMETERS, &bomb)),
        );
        assert!(bytes.len() < MAX_TEXT / 50, "well packed: {}", bytes.len());
        assert_eq!(decode(&bytes).unwrap().provenance, None);
    }
}
