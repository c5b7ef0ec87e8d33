//! Writing and reading files, whole and broken, and what they carry.

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

fn encoded(width: u32, height: u32, colour: codec::ColorType, depth: codec::BitDepth, data: &[u8], text: Option<(&str, &str)>) -> Vec<u8> {
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
        let writers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| place::replace(&path, folder.path(), b"x", false)))
            .collect();
        writers.into_iter().filter_map(|writer| writer.join().unwrap().ok()).count()
    });
    assert_eq!((won, names(&folder).len()), (1, 1));
    let late = PngError::writing(&path, place::replace(&path, folder.path(), b"y", false).unwrap_err());
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
    let error = PngError::writing(Path::new("a.png"), place::pour(&mut full, b"x").unwrap_err());
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

#[test]
fn a_glance_tells_whole_files_from_cut_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let whole = encode(&drawing(), None).unwrap();
    fs::write(&path, &whole).unwrap();
    glance(&path).unwrap();
    let fault = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        match glance(&path) {
            Err(PngError::Bad { fault, .. }) => fault,
            other => panic!("{other:?}"),
        }
    };
    for length in [0, 1, 7] {
        assert!(matches!(fault(&whole[..length]), Fault::NotPng | Fault::Truncated), "{length}");
    }
    for length in [8, 20, 31, 33, 60, whole.len() - 1] {
        assert_eq!(fault(&whole[..length]), Fault::Truncated, "{length}");
    }
    assert_eq!(fault(&[&whole[..], b"more"].concat()), Fault::Truncated);
    assert_eq!(fault(b"GIF89a and so on and on and on and on"), Fault::NotPng);
    let mut huge = whole.clone();
    huge[16..24].fill(0x7f);
    assert_eq!(fault(&huge), Fault::TooLarge);
    huge[12..16].copy_from_slice(b"tEXt");
    assert!(matches!(fault(&huge), Fault::Corrupt(_)));
    assert!(matches!(glance(folder.path()), Err(PngError::CannotRead { .. })));
}

#[test]
fn unfinished_files_are_known_by_their_names() {
    for (name, expected) in [
        (".inkstone-Ab12.tmp", true),
        ("inkstone-Ab12.tmp", false),
        (".inkstone-Ab12.png", false),
    ] {
        assert_eq!(is_unfinished(name.as_ref()), expected, "{name}");
    }
}
