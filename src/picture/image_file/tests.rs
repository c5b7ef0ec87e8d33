//! Files of every format: written, read, turned, truncated, mutated.

use super::super::{provenance::tests::example, verify};
use super::*;
use image::ImageEncoder;
use image::codecs::gif::GifEncoder;

/// Smooth colours, so that JPEG artefacts stay small.
fn drawing(alpha: bool) -> Picture {
    let pixel = |at: u32| {
        let (x, y) = (at % 48, at / 48);
        let opacity = if alpha { (x * 5) as u8 } else { 255 };
        [(x * 5) as u8, (y * 7) as u8, (255 - x * 2 - y) as u8, opacity]
    };
    Picture::new(48, 32, (0..48 * 32).flat_map(pixel).collect()).unwrap()
}

/// A different colour in each quadrant: red, green / blue, white.
fn quadrants() -> Picture {
    const COLOURS: [[u8; 4]; 4] = [[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255], [255; 4]];
    let pixel = |at: u32| COLOURS[usize::from(at % 32 >= 16) + 2 * usize::from(at / 32 >= 8)];
    Picture::new(32, 16, (0..32 * 16).flat_map(pixel).collect()).unwrap()
}

fn gif(picture: &Picture) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    let colours = ExtendedColorType::Rgba8;
    encoder.encode(&picture.pixels, picture.width, picture.height, colours).unwrap();
    drop(encoder);
    bytes
}

fn files() -> [(Format, Vec<u8>); 3] {
    let picture = drawing(false);
    let record = example(&picture);
    [
        (Format::Jpeg, encode_jpeg(&picture, Some(&record)).unwrap()),
        (Format::WebP, encode_webp(&picture, Some(&record)).unwrap()),
        (Format::Gif, gif(&picture)),
    ]
}

/// The largest difference of any byte.
fn difference(one: &Picture, other: &Picture) -> u8 {
    assert_eq!((one.width, one.height), (other.width, other.height));
    let pairs = one.pixels.iter().zip(other.pixels.iter());
    pairs.map(|(one, other)| one.abs_diff(*other)).max().unwrap()
}

#[test]
fn pictures_and_records_survive_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for (name, alpha, most) in [("a.png", true, 0), ("a.webp", true, 0), ("a.jpg", false, 12), ("b.JPEG", false, 12)] {
        let (path, picture) = (folder.path().join(name), drawing(alpha));
        let record = example(&picture);
        picture.save(&path, &record).unwrap();
        let back = read(&path).unwrap();
        assert!(
            difference(&back.picture, &picture) <= most,
            "{name}: {}",
            difference(&back.picture, &picture)
        );
        assert!(back.ai_marked && back.record_fault.is_none(), "{name}");
        let provenance = back.provenance.unwrap();
        let lossless = most == 0;
        assert_eq!(verify(&back.picture, &provenance), lossless, "{name}");
        let expected = if lossless { record.picture_sha256.clone() } else { String::new() };
        assert_eq!(
            provenance,
            Provenance {
                picture_sha256: expected,
                ..record
            }
        );
        assert_eq!(Picture::open(&path).unwrap(), back.picture);
    }
}

#[test]
fn files_without_a_record_have_none() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jpg", "a.webp"] {
        let path = folder.path().join(name);
        drawing(false).save(&path, None).unwrap();
        let file = read(&path).unwrap();
        assert!(
            file.provenance.is_none() && file.record_fault.is_none() && !file.ai_marked,
            "{name}"
        );
    }
    let path = folder.path().join("a.gif");
    fs::write(&path, gif(&quadrants())).unwrap();
    let file = read(&path).unwrap();
    assert_eq!((file.picture, file.provenance), (quadrants(), None));
}

#[test]
fn grey_jpegs_and_opaque_webps_become_rgba() {
    let mut bytes = Vec::new();
    JpegEncoder::new(&mut bytes).encode(&[77; 64], 8, 8, ExtendedColorType::L8).unwrap();
    let picture = decode(Format::Jpeg, &bytes).ok().unwrap().picture;
    let [red, green, blue, alpha] = picture.pixel(3, 3).unwrap();
    assert!(red == green && green == blue && red.abs_diff(77) < 4 && alpha == 255);
    let mut bytes = Vec::new();
    let encoder = image_webp::WebPEncoder::new(&mut bytes);
    encoder.encode(&[1, 2, 3], 1, 1, image_webp::ColorType::Rgb8).unwrap();
    assert_eq!(decode(Format::WebP, &bytes).ok().unwrap().picture.pixels(), [1, 2, 3, 255]);
}

/// A TIFF structure with the tag `Orientation` (Exif 2.32, 4.6.4).
fn exif(orientation: u8) -> Vec<u8> {
    let entry = [0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
    [&b"II*\0\x08\0\0\0\x01\0"[..], &entry, &[0; 4]].concat()
}

#[test]
fn every_orientation_is_made_upright() {
    let (picture, [red, green, blue, white]) = (quadrants(), [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255; 3]]);
    let colours: Vec<u8> = picture.pixels.chunks(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    // Left upper, right upper, left lower, right lower, by the definition of each value.
    for (orientation, expected) in [
        (1, [red, green, blue, white]),
        (2, [green, red, white, blue]),
        (3, [white, blue, green, red]),
        (4, [blue, white, red, green]),
        (5, [red, blue, green, white]),
        (6, [blue, red, white, green]),
        (7, [white, green, blue, red]),
        (8, [green, white, red, blue]),
    ] {
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 100);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.encode(&colours, 32, 16, ExtendedColorType::Rgb8).unwrap();
        let jpeg = decode(Format::Jpeg, &bytes).ok().unwrap().picture;
        let turned = upright(picture.clone(), Some(&exif(orientation))).unwrap();
        assert!(difference(&jpeg, &turned) < 8, "{orientation}");
        let size = if orientation < 5 { (32, 16) } else { (16, 32) };
        assert_eq!((turned.width, turned.height), size);
        let corners = [(0, 0), (size.0 - 1, 0), (0, size.1 - 1), (size.0 - 1, size.1 - 1)];
        let found = corners.map(|(x, y)| turned.pixel(x, y).unwrap());
        assert_eq!(found, expected.map(|[red, green, blue]| [red, green, blue, 255]), "{orientation}");
    }
    for broken in [&b""[..], b"II*\0", &exif(0), &exif(9)] {
        assert_eq!(upright(picture.clone(), Some(broken)).unwrap(), picture);
    }
}

#[test]
fn png_files_are_made_upright_too() {
    let (picture, mut bytes) = (quadrants(), Vec::new());
    let mut info = ::png::Info::with_size(32, 16);
    (info.color_type, info.bit_depth) = (::png::ColorType::Rgba, ::png::BitDepth::Eight);
    info.exif_metadata = Some(exif(6).into());
    let mut writer = ::png::Encoder::with_info(&mut bytes, info).unwrap().write_header().unwrap();
    writer.write_image_data(&picture.pixels).unwrap();
    writer.finish().unwrap();
    let read = png::decode(&bytes).unwrap().picture;
    assert_eq!(read, upright(picture, Some(&exif(6))).unwrap());
}

#[test]
fn truncated_files_are_errors() {
    for (format, bytes) in files() {
        // A GIF file may end with its first frame.
        let tail = if format == Format::Gif { 24 } else { 2 };
        for end in (0..bytes.len() - tail).step_by(7).chain(bytes.len() - 40..bytes.len() - tail) {
            assert!(decode(format, &bytes[..end]).is_err(), "{format} of {end} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn mutated_files_are_errors_or_pictures() {
    for (format, bytes) in files() {
        for round in 0..400_usize {
            let mut mutated = bytes.clone();
            for change in 0..=round % 3 {
                let at = (round * 7919 + change * 104_729) % bytes.len();
                mutated[at] = (round * 31 + change * 17) as u8;
            }
            let _ = decode(format, &mutated);
        }
    }
}

#[test]
fn webp_chunks_longer_than_the_file_are_refused() {
    let [_, (_, webp), _] = files();
    let chunk = |name: &[u8; 4], length: u32, content: &[u8]| [&name[..], &length.to_le_bytes(), content].concat();
    let file = |extra: &[u8]| {
        let mut file = [&webp[..], extra].concat();
        let length = file.len() as u32 - 8;
        file[4..8].copy_from_slice(&length.to_le_bytes());
        file
    };
    let frame = chunk(b"XMP ", u32::MAX, b"");
    for extra in [
        chunk(b"XMP ", 1, b""),
        chunk(b"EXIF", u32::MAX, b"Exif"),
        chunk(b"none", 1 << 31, b""),
        chunk(b"ANMF", 24, &[&[0; 16], &frame[..]].concat()),
    ] {
        assert!(matches!(decode(Format::WebP, &file(&extra)), Err(Fault::Truncated)));
    }
    for extra in [chunk(b"none", 3, b"abc\0"), chunk(b"none", 3, b"abc"), b"none".to_vec()] {
        assert!(decode(Format::WebP, &file(&extra)).is_ok());
    }
    assert!(
        decode(Format::WebP, &[&webp[..], &frame].concat()).is_ok(),
        "what follows the file is not read"
    );
}

#[test]
fn huge_pictures_are_refused_before_they_are_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let huge = |format: Format, bytes: &[u8]| {
        let path = folder.path().join(format.to_string());
        fs::write(&path, bytes).unwrap();
        let error = read(&path).unwrap_err();
        assert!(
            matches!(error, ImageFileError::TooLarge(_)) && error.is_input_fault(),
            "{format}: {error}"
        );
    };
    let [(_, mut jpeg), _, (_, mut gif)] = files();
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xff);
    huge(Format::Jpeg, &jpeg);
    gif[6..10].fill(0xff);
    huge(Format::Gif, &gif);
    let sides = [0xff, 0x3f, 0, 0xff, 0x3f, 0];
    let extended = [&b"VP8X\x0a\0\0\0\0\0\0\0"[..], &sides, b"VP8L\x08\0\0\0\x2f\xff\xff\xff\x0f\0\0\0"].concat();
    let length = (4 + extended.len() as u32).to_le_bytes();
    huge(Format::WebP, &[&b"RIFF"[..], &length, b"WEBP", &extended].concat());

    let path = folder.path().join("long.jpg");
    fs::write(&path, [0xff, 0xd8, 0xff, 0xe0]).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
    assert!(matches!(read(&path), Err(ImageFileError::TooLarge(_))));
}

#[test]
fn other_files_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.jpg");
    for content in [&b""[..], b"BM\x1e\0\0\0", b"RIFF\0\0\0\0WAVE", b"just a text that is long enough"] {
        fs::write(&path, content).unwrap();
        let error = read(&path).unwrap_err();
        assert!(
            matches!(error, ImageFileError::Unsupported(_)) && error.is_input_fault(),
            "{error:?}"
        );
        let message = error.to_string();
        assert!(
            message.contains("notes.jpg") && message.contains("PNG, JPEG, WebP and GIF"),
            "{message}"
        );
    }
    for path in [folder.path().to_owned(), folder.path().join("missing.jpg")] {
        assert!(matches!(read(&path), Err(ImageFileError::CannotRead { .. })), "{}", path.display());
    }
}

#[test]
fn writing_is_refused_where_the_format_cannot_hold_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["a.gif", "a", "a.png.bak", ".png"] {
        let error = drawing(false).save(path(name), None).unwrap_err();
        assert!(matches!(error, ImageFileError::Extension(_)) && error.is_input_fault(), "{name}");
    }
    let error = drawing(true).save(path("a.jpg"), None).unwrap_err();
    assert!(
        matches!(error, ImageFileError::Transparent(_)) && error.to_string().contains("background"),
        "{error}"
    );
    let record = Provenance {
        prompt: "x".repeat(70_000),
        guidance: 1.0,
        ..Provenance::default()
    };
    let error = drawing(false).save(path("a.jpg"), &record).unwrap_err();
    assert!(error.to_string().contains("64 KiB"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    write(&drawing(false), &path("a.webp"), None, false).unwrap();
    let again = write(&drawing(false), &path("a.webp"), None, false).unwrap_err();
    assert!(matches!(again, ImageFileError::Write(WriteError::Exists(_))), "{again}");
    assert!(!Format::Jpeg.has_alpha() && Format::WebP.has_alpha());
}
