//! Animations: APNG, which every browser shows, with transparency; and GIF, with 256 colours a picture and transparency without degrees. Both
//! run for ever, and carry the record as single pictures do.
//!
//! Owns both encodings. Depends on the crates `png` and `image`, and on `png` and `xmp` beside it for the record.

use super::image_file::{Format, ImageFileError};
use super::png::{self, PngError};
use super::{Background, Picture, Provenance, xmp};
use ::png as codec;
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, RgbaImage};
use std::time::Duration;

/// A picture, and how long it is shown.
pub type Timed<'a> = (&'a Picture, Duration);

/// How fast the colours of a GIF picture are chosen, from 1, which looks best, to 30.
const SPEED: i32 = 1;
/// Programs show pictures of a GIF that are shorter than this for a tenth of a second.
const SHORTEST_OF_GIF: Duration = Duration::from_millis(20);
/// Of less opacity, a pixel of a GIF is transparent.
const OPAQUE: u8 = 128;

/// Encodes pictures of one size as an animated PNG file. Programs that know no animations show the first.
///
/// # Errors
/// If there is no picture, they differ in size, or the record cannot be encoded.
pub fn encode_png(frames: &[Timed], provenance: Option<&Provenance>) -> Result<Vec<u8>, PngError> {
    let failed = |fault: codec::EncodingError| PngError::Encode(fault.to_string());
    let (first, _) = frames
        .first()
        .ok_or_else(|| PngError::Encode("an animation needs a picture".into()))?;
    let texts = provenance.map_or(Ok(Vec::new()), png::texts)?;
    let mut bytes = Vec::new();
    let mut encoder = png::encoder(&mut bytes, first, &texts).map_err(failed)?;
    let count = u32::try_from(frames.len()).unwrap_or(u32::MAX);
    encoder.set_animated(count, 0).map_err(failed)?;
    encoder.set_blend_op(codec::BlendOp::Source).map_err(failed)?;
    let mut writer = encoder.write_header().map_err(failed)?;
    for (picture, time) in frames {
        let milliseconds = u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
        writer.set_frame_delay(milliseconds, 1000).map_err(failed)?;
        writer.write_image_data(picture.pixels()).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// Encodes pictures of one size as a GIF file. What is less than half opaque becomes transparent, the rest is put on `matte`.
///
/// # Errors
/// If a side is longer than 65,535 pixels, or the record cannot be encoded.
pub fn encode_gif(frames: &[Timed], matte: [u8; 3], provenance: Option<&Provenance>) -> Result<Vec<u8>, ImageFileError> {
    let failed = |problem: String| ImageFileError::Encode {
        format: Format::Gif,
        problem,
    };
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, SPEED);
    encoder.set_repeat(Repeat::Infinite).map_err(|error| failed(error.to_string()))?;
    for (picture, time) in frames {
        let pixels = hard_edged(picture, matte);
        let image =
            RgbaImage::from_raw(picture.width(), picture.height(), pixels).ok_or_else(|| failed("its pixels are missing".into()))?;
        let delay = Delay::from_saturating_duration((*time).max(SHORTEST_OF_GIF));
        let frame = image::Frame::from_parts(image, 0, 0, delay);
        encoder.encode_frame(frame).map_err(|error| failed(error.to_string()))?;
    }
    drop(encoder);
    if let Some(record) = provenance {
        let json = record.to_json().map_err(|error| failed(error.to_string()))?;
        insert_packet(&mut bytes, &xmp::write_with_record(record, &json));
    }
    Ok(bytes)
}

/// Pixels that are opaque or transparent.
fn hard_edged(picture: &Picture, matte: [u8; 3]) -> Vec<u8> {
    let flat = Background::Colour(matte).apply(picture);
    let pairs = picture.pixels().as_chunks::<4>().0.iter().zip(flat.pixels().as_chunks::<4>().0);
    pairs.flat_map(|(own, flat)| if own[3] < OPAQUE { [0; 4] } else { *flat }).collect()
}

/// Puts an XMP packet behind the header of a GIF file, as the XMP specification has it (part 3, 1.1.2): a block that old programs skip by taking
/// its letters for lengths, and the 258 bytes that lead all of them to its end.
fn insert_packet(gif: &mut Vec<u8>, packet: &str) {
    let table = gif.get(10).filter(|flags| *flags & 0x80 != 0);
    let header = 13 + table.map_or(0, |flags| 3 << ((flags & 7) + 1));
    let mut block = b"\x21\xff\x0bXMP DataXMP".to_vec();
    block.extend(packet.as_bytes());
    block.push(1);
    block.extend((0..=255).rev());
    block.push(0);
    if header <= gif.len() {
        gif.splice(header..header, block);
    }
}

#[cfg(test)]
mod tests {
    use super::super::image_file;
    use super::super::provenance::tests::example;
    use super::*;
    use image::AnimationDecoder;
    use image::codecs::gif::GifDecoder;
    use std::io::Cursor;

    fn pictures() -> [Picture; 2] {
        [[255, 0, 0, 255], [0, 0, 255, 100]].map(|colour| Picture::filled(5, 3, colour).unwrap())
    }

    fn timed(pictures: &[Picture; 2]) -> [Timed<'_>; 2] {
        [
            (&pictures[0], Duration::from_millis(40)),
            (&pictures[1], Duration::from_millis(1500)),
        ]
    }

    #[test]
    fn a_png_animation_holds_all_pictures_their_times_and_the_record() {
        let pictures = pictures();
        let record = example(&pictures[0]);
        let bytes = encode_png(&timed(&pictures), Some(&record)).unwrap();
        let mut reader = codec::Decoder::new(Cursor::new(&bytes)).read_info().unwrap();
        assert_eq!(reader.info().animation_control().unwrap().num_frames, 2);
        for (picture, time) in timed(&pictures) {
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut pixels).unwrap();
            let control = reader.info().frame_control().unwrap();
            assert_eq!(
                (pixels.as_slice(), control.delay_num as u128, control.delay_den),
                (picture.pixels(), time.as_millis(), 1000)
            );
            assert_eq!(
                (control.blend_op, control.dispose_op),
                (codec::BlendOp::Source, codec::DisposeOp::None)
            );
        }
        let back = png::decode(&bytes).unwrap();
        assert_eq!(
            (back.picture, back.provenance, back.ai_marked),
            (pictures[0].clone(), Some(record), true)
        );
        assert_eq!(
            encode_png(&timed(&pictures), None).unwrap(),
            encode_png(&timed(&pictures), None).unwrap()
        );
    }

    #[test]
    fn a_gif_holds_them_with_hard_edges() {
        let pictures = pictures();
        let record = example(&pictures[0]);
        let bytes = encode_gif(&timed(&pictures), [255; 3], Some(&record)).unwrap();
        let frames = GifDecoder::new(Cursor::new(&bytes))
            .unwrap()
            .into_frames()
            .collect_frames()
            .unwrap();
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0].buffer().get_pixel(0, 0).0, [255, 0, 0, 255]);
        assert_eq!(frames[1].buffer().get_pixel(4, 2).0[3], 0);
        let time = |index: usize| Duration::from(frames[index].delay()).as_millis();
        assert_eq!((time(0), time(1)), (40, 1500));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gif");
        std::fs::write(&path, &bytes).unwrap();
        let back = image_file::read(&path).unwrap();
        assert_eq!(
            (back.provenance, back.ai_marked),
            (
                Some(Provenance {
                    picture_sha256: String::new(),
                    ..record
                }),
                true
            )
        );
    }

    #[test]
    fn pixels_of_half_the_opacity_are_put_on_the_matte() {
        let edge = Picture::new(3, 1, vec![255, 0, 0, 255, 255, 0, 0, 128, 255, 0, 0, 127]).unwrap();
        assert_eq!(hard_edged(&edge, [255; 3])[8..], [0; 4]);
        assert_eq!(hard_edged(&edge, [255; 3])[..4], [255, 0, 0, 255]);
        let mixed = &hard_edged(&edge, [255; 3])[4..8];
        assert!(mixed[0] == 255 && mixed[1].abs_diff(127) < 2 && mixed[3] == 255, "{mixed:?}");
    }

    #[test]
    fn no_picture_is_no_animation() {
        assert!(encode_png(&[], None).unwrap_err().to_string().contains("needs a picture"));
        let [one, _] = pictures();
        let other = Picture::filled(4, 4, [0; 4]).unwrap();
        assert!(encode_png(&[(&one, Duration::ZERO), (&other, Duration::ZERO)], None).is_err());
    }
}
