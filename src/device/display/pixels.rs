//! Conversion of a frame to the pixels in a panel's memory: any channel order and depth, rotated, one area at a time.
//! Arithmetic on slices; knows no device.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::{Frame, Rotation};

/// The bits of one colour in a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The lowest bit, counted from the least significant bit of the pixel.
    pub offset: u32,
    /// Bits, 1 to 16.
    pub length: u32,
}

impl Channel {
    /// The channel's bits for a byte, rounded to nearest and shifted to their place.
    fn bits(self, value: u8) -> u32 {
        let most = (1u32 << self.length) - 1;
        ((u32::from(value) * most + 127) / 255) << self.offset
    }
}

/// How a panel's memory holds a pixel: two to four bytes in the processor's byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelLayout {
    /// Bytes of a pixel: 2, 3 or 4.
    pub bytes: usize,
    /// Red, green and blue.
    pub channels: [Channel; 3],
    /// Bits that are set in every pixel, such as those of an alpha channel.
    pub filler: u32,
}

impl PixelLayout {
    /// 32 bits: eight unused, then eight each of red, green and blue (`XR24` of the kernel's `drm_fourcc.h`).
    pub const XRGB8888: PixelLayout = PixelLayout::new(4, [(16, 8), (8, 8), (0, 8)]);
    /// 16 bits: five of red, six of green, five of blue (`RG16`).
    pub const RGB565: PixelLayout = PixelLayout::new(2, [(11, 5), (5, 6), (0, 5)]);

    /// A layout from the bytes of a pixel and the offset and length of red, green and blue in bits.
    pub const fn new(bytes: usize, channels: [(u32, u32); 3]) -> PixelLayout {
        let [(red, reds), (green, greens), (blue, blues)] = channels;
        let channels = [
            Channel { offset: red, length: reds },
            Channel {
                offset: green,
                length: greens,
            },
            Channel {
                offset: blue,
                length: blues,
            },
        ];
        PixelLayout {
            bytes,
            channels,
            filler: 0,
        }
    }

    /// Whether a pixel has two to four bytes and every colour fits in it.
    pub fn is_valid(&self) -> bool {
        let fits = |channel: &Channel| {
            let end = channel.offset.checked_add(channel.length);
            (1..=16).contains(&channel.length) && end.is_some_and(|end| end as usize <= self.bytes * 8)
        };
        (2..=4).contains(&self.bytes) && self.channels.iter().all(fits)
    }
}

/// Writes frames to a panel's memory.
#[derive(Clone, Debug)]
pub struct PixelWriter {
    layout: PixelLayout,
    /// Size of the memory in pixels.
    memory: Size,
    /// Bytes from one row of the memory to the next.
    stride: usize,
    rotation: Rotation,
    /// The bits for every value of red, green and blue.
    tables: Box<[[u32; 256]; 3]>,
}

impl PixelWriter {
    /// A writer for a memory of `memory` pixels with rows that are `stride` bytes apart.
    pub fn new(layout: PixelLayout, memory: Size, stride: usize, rotation: Rotation) -> PixelWriter {
        let mut writer = PixelWriter {
            layout,
            memory,
            stride,
            rotation,
            tables: Box::new([[0; 256]; 3]),
        };
        writer.dim(1.0);
        writer
    }

    /// Darkens what is written from now on, from 1 (unchanged) to 0 (black). For panels without a dimmable backlight.
    pub fn dim(&mut self, brightness: f32) {
        let brightness = brightness.clamp(0.0, 1.0);
        for (table, channel) in self.tables.iter_mut().zip(self.layout.channels) {
            for (value, bits) in (0..=255u8).zip(table.iter_mut()) {
                *bits = channel.bits((f32::from(value) * brightness + 0.5) as u8);
            }
        }
        for bits in &mut self.tables[0] {
            *bits |= self.layout.filler;
        }
    }

    /// How frames are rotated.
    pub fn rotation(&self) -> Rotation {
        self.rotation
    }

    /// The size of frames: the memory's, rotated.
    pub fn size(&self) -> Size {
        self.rotation.size(self.memory)
    }

    /// Bytes of the whole memory.
    pub fn length(&self) -> usize {
        self.stride * self.memory.height as usize
    }

    /// Writes an area of a frame and returns the area of the memory that was written. Both are clipped to the frame and the
    /// memory.
    pub fn write(&self, frame: &Frame, area: Rectangle, memory: &mut [u8]) -> Rectangle {
        let area = area
            .intersection(&frame.bounding_box())
            .intersection(&Rectangle::new(Point::zero(), self.size()));
        let target = self.rotation.area(area, self.memory);
        match self.layout.bytes {
            2 => self.rows::<2>(frame, target, memory),
            3 => self.rows::<3>(frame, target, memory),
            _ => self.rows::<4>(frame, target, memory),
        }
        target
    }

    fn rows<const BYTES: usize>(&self, frame: &Frame, target: Rectangle, memory: &mut [u8]) {
        let (left, width) = (target.top_left.x as usize, target.size.width as usize);
        for y in target.rows() {
            let start = y as usize * self.stride + left * BYTES;
            let Some(row) = memory.get_mut(start..start + width * BYTES) else {
                return;
            };
            self.row(frame, Point::new(left as i32, y), row.as_chunks_mut::<BYTES>().0);
        }
    }

    /// Fills a row of memory that begins at a point. By rotation its pixels are a row of the frame, forwards or backwards, or
    /// a column, upwards or downwards.
    fn row<const BYTES: usize>(&self, frame: &Frame, at: Point, row: &mut [[u8; BYTES]]) {
        let pixels = frame.bytes().as_chunks::<3>().0;
        let (line, x, y) = (frame.size().width as usize, at.x as usize, at.y as usize);
        let (width, height) = (self.memory.width as usize, self.memory.height as usize);
        match self.rotation {
            Rotation::None => self.fill(row, &pixels[y * line + x..]),
            Rotation::Half => self.fill(row, pixels[..(height - 1 - y) * line + width - x].iter().rev()),
            Rotation::Quarter => {
                let column = pixels[..(width - 1 - x) * line + y + 1].iter().rev().step_by(line);
                self.fill(row, column);
            }
            Rotation::ThreeQuarters => {
                let column = pixels[x * line + height - 1 - y..].iter().step_by(line);
                self.fill(row, column);
            }
        }
    }

    fn fill<'a, const BYTES: usize>(&self, row: &mut [[u8; BYTES]], pixels: impl IntoIterator<Item = &'a [u8; 3]>) {
        let [reds, greens, blues] = &*self.tables;
        for (bytes, &[red, green, blue]) in row.iter_mut().zip(pixels) {
            let word = reds[usize::from(red)] | greens[usize::from(green)] | blues[usize::from(blue)];
            *bytes = native(word);
        }
    }
}

/// The low bytes of a word, in the processor's byte order.
fn native<const BYTES: usize>(word: u32) -> [u8; BYTES] {
    let bytes = word.to_ne_bytes();
    let skipped = if cfg!(target_endian = "big") { 4 - BYTES } else { 0 };
    std::array::from_fn(|at| bytes[skipped + at])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROTATIONS: [Rotation; 4] = [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters];

    /// A frame of pixels that all differ.
    fn numbered(size: Size) -> Frame {
        let mut frame = Frame::new(size);
        let rgba: Vec<u8> = (0..size.width * size.height)
            .flat_map(|at| [(at * 37 % 251) as u8, (at * 11 + 5) as u8, (at * 101 % 241) as u8, 255])
            .collect();
        frame.blend(&rgba, size.width, Point::zero());
        frame
    }

    /// A pixel of the memory as a word.
    fn word(memory: &[u8], writer: &PixelWriter, at: Point) -> u32 {
        let bytes = writer.layout.bytes;
        let start = at.y as usize * writer.stride + at.x as usize * bytes;
        let mut word = [0; 4];
        word[..bytes].copy_from_slice(&memory[start..start + bytes]);
        u32::from_le_bytes(word)
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn every_pixel_lies_where_the_rotation_says_in_every_layout() {
        let memory_size = Size::new(7, 5);
        let layouts = [
            (PixelLayout::XRGB8888, 4),
            (PixelLayout::RGB565, 6),
            (PixelLayout::new(3, [(0, 8), (8, 8), (16, 8)]), 1),
            (PixelLayout::new(2, [(10, 5), (5, 5), (0, 5)]), 0),
            (PixelLayout::new(4, [(20, 10), (10, 10), (0, 10)]), 0),
        ];
        for (layout, padding) in layouts {
            assert!(layout.is_valid());
            for rotation in ROTATIONS {
                let stride = 7 * layout.bytes + padding;
                let writer = PixelWriter::new(layout, memory_size, stride, rotation);
                let frame = numbered(writer.size());
                let mut memory = vec![0xEE; writer.length()];
                assert_eq!(
                    writer.write(&frame, frame.bounding_box(), &mut memory),
                    Rectangle::new(Point::zero(), memory_size)
                );
                for point in frame.bounding_box().points() {
                    let expected = frame.colour(point).map(|colour| {
                        let parts = [colour.r(), colour.g(), colour.b()];
                        layout.channels.iter().zip(parts).fold(0, |word, (channel, value)| {
                            let most = f64::from((1u32 << channel.length) - 1);
                            word | ((f64::from(value) / 255.0 * most).round() as u32) << channel.offset
                        })
                    });
                    let found = word(&memory, &writer, rotation.point(point, memory_size));
                    assert_eq!(Some(found), expected, "{layout:?} {rotation} {point}");
                }
                for row in memory.chunks(stride) {
                    assert!(
                        row[7 * layout.bytes..].iter().all(|&byte| byte == 0xEE),
                        "what lies between rows is kept"
                    );
                }
            }
        }
    }

    #[test]
    fn only_the_area_is_written() {
        for rotation in ROTATIONS {
            let writer = PixelWriter::new(PixelLayout::RGB565, Size::new(9, 6), 18, rotation);
            let frame = numbered(writer.size());
            let (mut memory, mut whole) = (vec![0; 108], vec![0; 108]);
            writer.write(&frame, frame.bounding_box(), &mut whole);
            let target = writer.write(&frame, Rectangle::new(Point::new(2, 3), Size::new(90, 2)), &mut memory);
            for point in Rectangle::new(Point::zero(), Size::new(9, 6)).points() {
                let expected = if target.contains(point) { word(&whole, &writer, point) } else { 0 };
                assert_eq!(word(&memory, &writer, point), expected, "{rotation} {point}");
            }
            assert!(writer.write(&frame, Rectangle::zero(), &mut memory).is_zero_sized());
        }
    }

    #[test]
    fn frames_of_another_size_are_cut_off() {
        for rotation in ROTATIONS {
            for size in [Size::new(3, 20), Size::new(20, 3), Size::new(30, 30), Size::new(0, 0)] {
                let writer = PixelWriter::new(PixelLayout::XRGB8888, Size::new(9, 6), 36, rotation);
                let frame = numbered(size);
                let mut memory = vec![0; writer.length()];
                writer.write(&frame, frame.bounding_box(), &mut memory);
                for point in frame
                    .bounding_box()
                    .intersection(&Rectangle::new(Point::zero(), writer.size()))
                    .points()
                {
                    let colour = frame.colour(point).unwrap();
                    let expected = u32::from(colour.r()) << 16 | u32::from(colour.g()) << 8 | u32::from(colour.b());
                    assert_eq!(word(&memory, &writer, rotation.point(point, writer.memory)), expected);
                }
            }
        }
    }

    #[test]
    fn dimming_and_filler() {
        let layout = PixelLayout {
            filler: 0xFF00_0000,
            ..PixelLayout::XRGB8888
        };
        let mut writer = PixelWriter::new(layout, Size::new(1, 1), 4, Rotation::None);
        let mut frame = Frame::new(Size::new(1, 1));
        frame.blend(&[200, 100, 3, 255], 1, Point::zero());
        let mut memory = vec![0; 4];
        for (brightness, expected) in [(1.0, 0xFFC8_6403u32), (0.5, 0xFF64_3202), (0.0, 0xFF00_0000), (7.0, 0xFFC8_6403)] {
            writer.dim(brightness);
            writer.write(&frame, frame.bounding_box(), &mut memory);
            assert_eq!(memory, expected.to_ne_bytes(), "{brightness}");
        }
    }

    #[test]
    fn invalid_layouts_are_detected() {
        for (bytes, channels) in [
            (1, [(5, 3), (2, 3), (0, 2)]),
            (2, [(16, 8), (8, 8), (0, 8)]),
            (4, [(u32::MAX, 8), (8, 8), (0, 8)]),
            (4, [(0, 0), (8, 8), (0, 8)]),
            (4, [(0, 24), (0, 8), (0, 8)]),
        ] {
            assert!(!PixelLayout::new(bytes, channels).is_valid(), "{bytes} {channels:?}");
        }
    }
}
