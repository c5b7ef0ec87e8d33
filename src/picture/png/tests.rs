//! Writing and reading files, valid and corrupt, and their text chunks.

use super::super::{provenance::tests::example, verify};
use super::*;
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
        PictureFile {
            picture: drawing(),
            provenance: Some(record.clone()),
            record_fault: None,
            ai_marked: true,
            ai_composite: false,
            animated: false,
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
        PictureFile {
            picture: drawing(),
            provenance: None,
            record_fault: None,
            ai_marked: false,
            ai_composite: false,
            animated: false,
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
        matches!(error, PngError::Write(WriteError::Exists(_))) && error.is_input_fault(),
        "{error}"
    );
    assert_eq!((fs::read(&path).unwrap(), names(&folder).len()), (b"old".to_vec(), 1));
    write(&drawing(), &path, None, true).unwrap();
    assert_eq!((read(&path).unwrap().picture, names(&folder).len()), (drawing(), 1));
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
fn truncated_files_are_found_by_their_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let whole = encode(&drawing(), None).unwrap();
    fs::write(&path, &whole).unwrap();
    check_ends(&path).unwrap();
    let fault = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        match check_ends(&path) {
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
    assert!(matches!(check_ends(folder.path()), Err(PngError::CannotRead { .. })));
}
