//! Pictures, and everything that is done with a finished one.
//!
//! This file owns [`Picture`] itself: its pixels, the conversion from and to a network's values, and its checksum. Each other
//! file owns one operation:
//!
//! | file | what it does |
//! |---|---|
//! | [`animation`] | writes moving pictures: APNG and GIF |
//! | [`arrangement`] | places several pictures in one, each smaller |
//! | [`background`] | puts a colour or a gradient behind a picture |
//! | [`bleed`](fn@bleed) | spreads colours over transparent pixels, for textures, and cleans edges |
//! | [`descriptor`](mod@descriptor) | describes a picture by a few numbers, to find similar ones |
//! | [`dither`] | reduces a picture to the inks of an e-paper panel |
//! | [`extended`] | puts a picture on a larger canvas, whose border is filled part by part |
//! | [`scale`] | enlarges and shrinks, smoothly or in whole pixels |
//! | [`image_file`] | reads PNG, JPEG, WebP and GIF files, writes PNG, JPEG and WebP |
//! | [`png`] | reads and writes PNG files with their provenance |
//! | [`file_name`] | derives a file name from a prompt |
//! | [`provenance`] | the record of what made a picture, stored in its file |
//! | [`preview`] | shows a picture in a terminal |
//! | [`sketch`] | makes a clean drawing of lines on paper |
//! | `sixel` | Sixel graphics, for previews and for the terminal as a display |
//! | [`sheet`] | places several pictures in a grid, to look at or as sprites |
//!
//! May depend on nothing else in this crate except [`crate::atomic_file`]: it knows no packs, no models and no devices.
//! Everything that determines a pixel is integer arithmetic or single additions, multiplications and divisions of `f32`, which
//! give the same bytes on every processor.

pub mod animation;
pub mod arrangement;
pub mod background;
mod bleed;
mod colours;
pub mod descriptor;
pub mod dither;
pub mod extended;
pub mod fitted;
pub mod image_file;
mod naming;
pub(crate) mod parameters;
pub mod png;
pub mod preview;
pub mod provenance;
pub mod scale;
pub mod sheet;
pub(crate) mod sixel;
pub mod sketch;
mod xmp;

pub use arrangement::arranged;
pub use background::{Background, BackgroundError};
pub use bleed::{bleed, clean_edges};
pub use extended::Margins;
pub use image_file::{Format, ImageFileError, PictureFile};
pub use naming::file_name;
pub use png::PngError;
pub use preview::{Colours, PreviewError, Protocol};
pub use provenance::{Provenance, verify};
pub use scale::{Resampling, ScaleError};
pub use sheet::{Frame, SheetError, SpriteSheet, contact_sheet};
pub use sketch::SketchError;
#[doc(hidden)]
pub use xmp::escape as escape_xml;

use std::sync::Arc;

use sha2::{Digest, Sha256};
use thiserror::Error;

/// Maximum number of pixels of a picture: 64 Mi, 256 MiB of memory.
pub const MAX_PIXELS: u64 = 64 * 1024 * 1024;

/// Why values or bytes do not make a picture.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PictureError {
    /// A side is zero.
    #[error("a picture of {width}×{height} pixels is empty")]
    Empty {
        /// Requested width in pixels.
        width: u32,
        /// Requested height in pixels.
        height: u32,
    },
    /// More than [`MAX_PIXELS`].
    #[error("a picture of {width}×{height} pixels is too large: at most {} million pixels are accepted", MAX_PIXELS / (1024 * 1024))]
    TooLarge {
        /// Requested width in pixels.
        width: u32,
        /// Requested height in pixels.
        height: u32,
    },
    /// The data does not fill the picture exactly.
    #[error("a picture of {width}×{height} pixels needs {expected} values, but there are {given}")]
    Length {
        /// Requested width in pixels.
        width: u32,
        /// Requested height in pixels.
        height: u32,
        /// Width × height × channels.
        expected: usize,
        /// Number of values given.
        given: usize,
    },
    /// Pictures that cannot be arranged on one page.
    #[error("only pictures of the same size can be arranged on one page, in up to three rows of up to three")]
    Arrangement,
}

/// An RGBA picture with 8 bits per channel: rows from the top, pixels from the left. Alpha is straight: colours are not
/// multiplied by it. Always at least 1×1 and at most [`MAX_PIXELS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    /// Shared by copies, of which there are many: a photograph has more bytes than anything else in memory.
    pixels: Arc<Vec<u8>>,
}

impl Picture {
    /// A picture of straight RGBA bytes, `width` × `height` × 4 of them.
    ///
    /// # Errors
    /// If a side is zero, the picture exceeds [`MAX_PIXELS`] or `pixels` has another length.
    pub fn new(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self, PictureError> {
        check_length(width, height, 4, pixels.len())?;
        Ok(Self {
            width,
            height,
            pixels: Arc::new(pixels),
        })
    }

    /// A picture of one straight RGBA colour.
    ///
    /// # Errors
    /// If a side is zero or the picture exceeds [`MAX_PIXELS`].
    pub fn filled(width: u32, height: u32, colour: [u8; 4]) -> Result<Self, PictureError> {
        let pixels = area(width, height)?;
        Ok(Self {
            width,
            height,
            pixels: Arc::new(colour.repeat(pixels)),
        })
    }

    /// A picture from a network's output: four planes of `width` × `height` values in -1..=1, red, green and blue
    /// multiplied by alpha, then alpha.
    ///
    /// Values outside the range are clamped, NaN counts as -1. Pixels whose alpha rounds to 0 become transparent black.
    ///
    /// # Errors
    /// If a side is zero, the picture exceeds [`MAX_PIXELS`] or `channels` has another length.
    pub fn from_premultiplied(channels: &[f32], width: u32, height: u32) -> Result<Self, PictureError> {
        let area = check_length(width, height, 4, channels.len())?;
        let mut pixels = Vec::with_capacity(channels.len());
        for at in 0..area {
            let plane = |channel: usize| fraction(channels[channel * area + at]);
            pixels.extend(straight([plane(0), plane(1), plane(2)], plane(3)));
        }
        Picture::new(width, height, pixels)
    }

    /// An opaque picture from a network's output: three planes of `width` × `height` values in -1..=1, red, green,
    /// blue. Values outside the range are clamped, NaN counts as -1.
    ///
    /// # Errors
    /// If a side is zero, the picture exceeds [`MAX_PIXELS`] or `channels` has another length.
    pub fn from_rgb(channels: &[f32], width: u32, height: u32) -> Result<Self, PictureError> {
        let area = check_length(width, height, 3, channels.len())?;
        let mut pixels = Vec::with_capacity(area * 4);
        for at in 0..area {
            let plane = |channel: usize| byte(fraction(channels[channel * area + at]));
            pixels.extend([plane(0), plane(1), plane(2), 255]);
        }
        Picture::new(width, height, pixels)
    }

    /// An opaque picture from one plane of brightness in -1..=1.
    ///
    /// # Errors
    /// If the number of values is not width × height, or a side is 0.
    pub fn from_gray(values: &[f32], width: u32, height: u32) -> Result<Self, PictureError> {
        check_length(width, height, 1, values.len())?;
        let pixels = values
            .iter()
            .map(|&value| byte(fraction(value)))
            .flat_map(|gray| [gray, gray, gray, 255]);
        Ok(Self {
            width,
            height,
            pixels: Arc::new(pixels.collect()),
        })
    }

    /// The inverse of [`Picture::from_premultiplied`]: four planes in -1..=1, colour multiplied by alpha.
    pub fn to_premultiplied(&self) -> Vec<f32> {
        let area = self.pixels.len() / 4;
        let mut channels = vec![0.0; area * 4];
        for (at, pixel) in self.pixels.chunks_exact(4).enumerate() {
            let alpha = f32::from(pixel[3]) / 255.0;
            for channel in 0..3 {
                channels[channel * area + at] = f32::from(pixel[channel]) / 255.0 * alpha * 2.0 - 1.0;
            }
            channels[3 * area + at] = alpha * 2.0 - 1.0;
        }
        channels
    }

    /// The inverse of [`Picture::from_rgb`]: three planes in -1..=1. Alpha is ignored: apply a [`Background`] to a transparent
    /// picture first.
    pub fn to_rgb(&self) -> Vec<f32> {
        let area = self.pixels.len() / 4;
        let mut channels = vec![0.0; area * 3];
        for (at, pixel) in self.pixels.chunks_exact(4).enumerate() {
            for channel in 0..3 {
                channels[channel * area + at] = f32::from(pixel[channel]) / 255.0 * 2.0 - 1.0;
            }
        }
        channels
    }

    /// One plane of brightness in -1..=1, as televisions weigh colours (Rec. 601). Alpha is ignored.
    pub fn to_gray(&self) -> Vec<f32> {
        let gray = |pixel: &[u8; 4]| {
            let [red, green, blue, _] = pixel.map(u32::from);
            ((299 * red + 587 * green + 114 * blue) as f32 / 255_000.0) * 2.0 - 1.0
        };
        self.pixels.as_chunks().0.iter().map(gray).collect()
    }

    /// Width in pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All bytes: `width` × `height` × 4, straight RGBA.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The same, to be changed; copies of the picture stay as they are.
    fn pixels_mut(&mut self) -> &mut Vec<u8> {
        Arc::make_mut(&mut self.pixels)
    }

    /// One pixel's red, green, blue and alpha; `None` outside the picture.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 4]> {
        if x >= self.width || y >= self.height {
            return None;
        }
        let at = (y as usize * self.width as usize + x as usize) * 4;
        self.pixels.get(at..at + 4)?.try_into().ok()
    }

    /// The part from column `x` and row `y` on, `width` × `height`; what lies outside of the picture is transparent.
    ///
    /// # Errors
    /// If a side is zero or the part exceeds [`MAX_PIXELS`].
    pub fn cut(&self, x: u32, y: u32, width: u32, height: u32) -> Result<Self, PictureError> {
        check_sides(width, height)?;
        let pixel = |index: u64| {
            let (column, row) = (index % u64::from(width), index / u64::from(width));
            let at = |start: u32, offset: u64| u32::try_from(u64::from(start) + offset).ok();
            let found = at(x, column).zip(at(y, row)).and_then(|(x, y)| self.pixel(x, y));
            found.unwrap_or_default()
        };
        let pixels = (0..u64::from(width) * u64::from(height)).flat_map(pixel).collect();
        Picture::new(width, height, pixels)
    }

    /// SHA-256 of width and height (32 bits each, little-endian) and all bytes, in 64 lower-case hexadecimal digits. It does not
    /// depend on how a file compresses the picture.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.width.to_le_bytes());
        hash.update(self.height.to_le_bytes());
        hash.update(self.pixels.as_slice());
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Rows from the top, `width` × 4 bytes each.
    fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.pixels.chunks_exact(self.width as usize * 4)
    }
}

/// Checks the sides of a picture to be made.
///
/// # Errors
/// If a side is zero or the picture would exceed [`MAX_PIXELS`].
pub fn check_sides(width: u32, height: u32) -> Result<(), PictureError> {
    area(width, height).map(drop)
}

/// The number of pixels, checked.
fn area(width: u32, height: u32) -> Result<usize, PictureError> {
    match u64::from(width) * u64::from(height) {
        0 => Err(PictureError::Empty { width, height }),
        area if area > MAX_PIXELS => Err(PictureError::TooLarge { width, height }),
        area => Ok(area as usize),
    }
}

/// The number of pixels, if `given` is that number times `channels`.
fn check_length(width: u32, height: u32, channels: usize, given: usize) -> Result<usize, PictureError> {
    let area = area(width, height)?;
    let expected = area * channels;
    if given == expected {
        Ok(area)
    } else {
        Err(PictureError::Length {
            width,
            height,
            expected,
            given,
        })
    }
}

/// From -1..=1 to 0..=1, clamped; NaN becomes 0.
fn fraction(value: f32) -> f32 {
    let fraction = (value + 1.0) * 0.5;
    if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) }
}

/// From 0..=1 to the nearest byte, halves upwards.
fn byte(fraction: f32) -> u8 {
    (fraction * 255.0 + 0.5) as u8
}

/// A straight RGBA pixel from premultiplied fractions.
fn straight(colour: [f32; 3], alpha: f32) -> [u8; 4] {
    match byte(alpha) {
        0 => [0; 4],
        visible => {
            let [red, green, blue] = colour.map(|value| byte((value / alpha).min(1.0)));
            [red, green, blue, visible]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn premultiplied_planes_become_straight_pixels() {
        // Opaque orange, half-transparent white, invisible, and numbers out of range.
        let planes = [
            [1.0, 0.0, 1.0, 7.0],
            [0.0, 0.0, 1.0, f32::NAN],
            [-1.0, 0.0, 1.0, -7.0],
            [1.0, 0.0, -1.0 + 1.9 / 510.0, 7.0],
        ];
        let picture = Picture::from_premultiplied(&planes.concat(), 2, 2).unwrap();
        assert_eq!(
            picture.pixels(),
            [[255, 128, 0, 255], [255, 255, 255, 128], [0, 0, 0, 0], [255, 0, 0, 255]].concat()
        );
    }

    #[test]
    fn every_colour_and_alpha_survives_a_round_trip() {
        let pixels = (0..=255u8)
            .flat_map(|alpha| (0..=255u8).flat_map(move |value| [value, 255 - value, value / 2, alpha]))
            .collect();
        let picture = Picture::new(256, 256, pixels).unwrap();
        let back = Picture::from_premultiplied(&picture.to_premultiplied(), 256, 256).unwrap();
        for (before, after) in picture.pixels().chunks(4).zip(back.pixels().chunks(4)) {
            assert_eq!(after, if before[3] == 0 { &[0; 4] } else { before });
        }
    }

    #[test]
    fn rgb_planes_survive_a_round_trip() {
        let pixels = (0..=255u8).flat_map(|value| [value, 255 - value, value / 3, 255]).collect();
        let picture = Picture::new(16, 16, pixels).unwrap();
        assert_eq!(Picture::from_rgb(&picture.to_rgb(), 16, 16).unwrap(), picture);
    }

    #[test]
    fn wrong_lengths_and_sides_are_refused() {
        assert_eq!(Picture::new(0, 4, vec![]), Err(PictureError::Empty { width: 0, height: 4 }));
        assert_eq!(
            Picture::new(65536, 65536, vec![]),
            Err(PictureError::TooLarge {
                width: 65536,
                height: 65536
            })
        );
        assert_eq!(
            Picture::new(2, 2, vec![0; 15]),
            Err(PictureError::Length {
                width: 2,
                height: 2,
                expected: 16,
                given: 15
            })
        );
        assert!(Picture::from_premultiplied(&[0.0; 12], 2, 2).is_err());
        assert!(Picture::from_rgb(&[0.0; 16], 2, 2).is_err());
        assert!(Picture::from_gray(&[0.0; 5], 2, 2).is_err());
        let gray = Picture::from_gray(&[-1.0, 2.0], 2, 1).unwrap();
        assert_eq!(gray.pixels(), [0, 0, 0, 255, 255, 255, 255, 255]);
        assert_eq!(gray.to_gray(), [-1.0, 1.0]);
        assert!(Picture::filled(u32::MAX, u32::MAX, [0; 4]).is_err());
    }

    #[test]
    fn pixels_outside_are_none() {
        let picture = Picture::new(2, 1, vec![1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        assert_eq!(picture.pixel(1, 0), Some([5, 6, 7, 8]));
        assert_eq!(picture.pixel(2, 0), None);
        assert_eq!(picture.pixel(0, 1), None);
        assert_eq!(picture.pixel(u32::MAX, u32::MAX), None);
    }

    #[test]
    fn the_checksum_includes_sides_and_pixels() {
        // printf '\2\0\0\0\1\0\0\0\1\2\3\4\5\6\7\10' | sha256sum
        let wide = Picture::new(2, 1, vec![1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        assert_eq!(wide.sha256(), "5edafcdc512a3bd9296c32e7db7bcbfbc5f83c87a1909702fa0f20a67f27341f");
        let tall = Picture::new(1, 2, vec![1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        assert_ne!(tall.sha256(), wide.sha256());
    }
}
