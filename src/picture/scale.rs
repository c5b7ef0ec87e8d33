//! Enlarging and shrinking pictures.
//!
//! Owns both kinds of resampling: smooth (Catmull-Rom on premultiplied colours, so that transparent pixels do not bleed into their
//! neighbours) and whole pixels (for sprites). Depends on [`Picture`] only. All of it is integer arithmetic with weights of 14 bits,
//! because a scaled picture has to be the same on every processor, which libraries with float kernels do not guarantee.

use super::{Picture, PictureError};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use thiserror::Error;

/// Valid lengths of the longest side, in pixels.
pub const SIZES: RangeInclusive<u32> = 8..=4096;

/// One in the fixed-point weights.
const ONE: i32 = 1 << 14;

/// The resampling filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resampling {
    /// Catmull-Rom: sharp and smooth, for drawings and photographs.
    #[default]
    Smooth,
    /// Nearest neighbour, for sprites. At an integer multiple of the old size every old pixel becomes a square.
    Nearest,
}

/// Why a picture cannot have the requested size.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ScaleError {
    /// Outside [`SIZES`].
    #[error("a size of {0} pixels is not possible: from {low} to {high} pixels are accepted", low = SIZES.start(), high = SIZES.end())]
    Size(u32),
    /// The sides are invalid.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// Scales a picture so that its longest side has `size` pixels (8 to 4096); the other side keeps the aspect ratio and is at least
/// one pixel.
///
/// # Errors
/// If `size` is outside [`SIZES`].
pub fn scale(picture: &Picture, size: u32, resampling: Resampling) -> Result<Picture, ScaleError> {
    if !SIZES.contains(&size) {
        return Err(ScaleError::Size(size));
    }
    let (width, height) = sides((picture.width, picture.height), size);
    Ok(resize(picture, width, height, resampling)?)
}

/// Width and height of a picture of these sides whose longest side is made `size` pixels.
pub fn sides((width, height): (u32, u32), size: u32) -> (u32, u32) {
    let longest = width.max(height);
    let side = |old: u32| proportional(old, size, longest);
    (side(width), side(height))
}

/// Scales a picture to exactly these sides, in pixels.
///
/// # Errors
/// If a side is zero or the result exceeds [`super::MAX_PIXELS`].
pub fn resize(picture: &Picture, width: u32, height: u32, resampling: Resampling) -> Result<Picture, PictureError> {
    super::area(width, height)?;
    if (width, height) == (picture.width, picture.height) {
        return Ok(picture.clone());
    }
    let pixels = match resampling {
        Resampling::Smooth => smooth(picture, width, height),
        Resampling::Nearest => whole_pixels(picture, width, height),
    };
    Picture::new(width, height, pixels)
}

/// `old` × `numerator` / `denominator`, rounded to nearest, at least 1.
pub(super) fn proportional(old: u32, numerator: u32, denominator: u32) -> u32 {
    let denominator = u64::from(denominator).max(1);
    let side = (u64::from(old) * u64::from(numerator) + denominator / 2) / denominator;
    u32::try_from(side).unwrap_or(u32::MAX).max(1)
}

/// The index of the old pixel under the centre of each new one.
fn whole_pixels(picture: &Picture, width: u32, height: u32) -> Vec<u8> {
    let under =
        |new: u32, new_side: u32, old_side: u32| ((2 * u64::from(new) + 1) * u64::from(old_side) / (2 * u64::from(new_side))) as u32;
    let columns: Vec<u32> = (0..width).map(|x| under(x, width, picture.width)).collect();
    let mut pixels = Vec::with_capacity(width as usize * height as usize * 4);
    for y in (0..height).map(|y| under(y, height, picture.height)) {
        pixels.extend(columns.iter().filter_map(|&x| picture.pixel(x, y)).flatten());
    }
    pixels
}

/// The filter taps of a new pixel: the index of the first old pixel, and the weights, which sum to [`ONE`].
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// Catmull-Rom in both directions: rows first, keeping only those that the next new row needs.
fn smooth(picture: &Picture, width: u32, height: u32) -> Vec<u8> {
    let columns = taps(picture.width, width);
    let mut old_rows = picture.rows().map(|row| across(row, &columns));
    let mut window: VecDeque<Vec<i32>> = VecDeque::new();
    let mut dropped = 0;
    let mut pixels = Vec::with_capacity(width as usize * height as usize * 4);
    for taps in taps(picture.height, height) {
        while dropped < taps.first {
            if window.pop_front().is_none() {
                old_rows.next();
            }
            dropped += 1;
        }
        let missing = taps.weights.len().saturating_sub(window.len());
        window.extend(old_rows.by_ref().take(missing));
        pixels.extend(down(&window, &taps.weights).chunks_exact(4).flat_map(straight));
    }
    pixels
}

/// One old row at its new width: colours times alpha, and alpha times 255, so the maximum is 65025.
fn across(row: &[u8], columns: &[Taps]) -> Vec<i32> {
    let full: Vec<[i32; 4]> = row.chunks_exact(4).map(premultiplied).collect();
    let mut new = Vec::with_capacity(columns.len() * 4);
    for taps in columns {
        let mut sum = [ONE / 2; 4];
        for (pixel, weight) in full.iter().skip(taps.first).zip(&taps.weights) {
            sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value * weight);
        }
        new.extend(sum.map(|sum| sum >> 14));
    }
    new
}

/// The weighted sum of rows.
fn down(rows: &VecDeque<Vec<i32>>, weights: &[i32]) -> Vec<i32> {
    let mut sums = vec![ONE / 2; rows.front().map_or(0, Vec::len)];
    for (row, weight) in rows.iter().zip(weights) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * weight);
    }
    sums.iter_mut().for_each(|sum| *sum >>= 14);
    sums
}

/// A premultiplied pixel with values up to 65025.
fn premultiplied(pixel: &[u8]) -> [i32; 4] {
    let alpha = i32::from(pixel[3]);
    [
        i32::from(pixel[0]) * alpha,
        i32::from(pixel[1]) * alpha,
        i32::from(pixel[2]) * alpha,
        255 * alpha,
    ]
}

/// The straight pixel of premultiplied values, which may have overshot.
fn straight(products: &[i32]) -> [u8; 4] {
    let alpha = products[3].clamp(0, 65025);
    match ((alpha + 127) / 255) as u8 {
        0 => [0; 4],
        visible => {
            let colour = |product: i32| ((product.clamp(0, alpha) * 255 + alpha / 2) / alpha) as u8;
            [colour(products[0]), colour(products[1]), colour(products[2]), visible]
        }
    }
}

/// The taps of all new pixels along one side. Edge pixels repeat beyond the edges.
fn taps(old: u32, new: u32) -> Vec<Taps> {
    let step = f64::from(old) / f64::from(new);
    let reach = step.max(1.0);
    (0..new)
        .map(|at| tap((f64::from(at) + 0.5) * step - 0.5, reach, old as usize - 1))
        .collect()
}

/// The taps around `centre`, in old pixels; `reach` is the number of old pixels per unit of the curve.
fn tap(centre: f64, reach: f64, last: usize) -> Taps {
    let inside = |at: f64| (at.max(0.0) as usize).min(last);
    let (low, high) = ((centre - 2.0 * reach).ceil(), (centre + 2.0 * reach).floor());
    let (first, end) = (inside(low), inside(high));
    let mut shares = vec![0.0; end - first + 1];
    for at in low as i64..=high as i64 {
        shares[inside(at as f64) - first] += catmull_rom((at as f64 - centre) / reach);
    }
    Taps {
        first,
        weights: fixed_point(&shares),
    }
}

/// Weights that sum to exactly [`ONE`]; the rounding error goes to the largest.
fn fixed_point(shares: &[f64]) -> Vec<i32> {
    let total: f64 = shares.iter().sum();
    let mut weights: Vec<i32> = shares
        .iter()
        .map(|share| (share / total * f64::from(ONE) + 0.5).floor() as i32)
        .collect();
    let rest = ONE - weights.iter().sum::<i32>();
    if let Some(largest) = weights.iter_mut().max_by_key(|weight| **weight) {
        *largest += rest;
    }
    weights
}

/// The Catmull-Rom curve: 1 at 0, 0 at all other integers and beyond 2.
fn catmull_rom(distance: f64) -> f64 {
    let x = distance.abs();
    match x {
        x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(width: u32, height: u32) -> Picture {
        let pixel = |x: u32, y: u32| {
            [
                (x * 37 % 256) as u8,
                (y * 91 % 256) as u8,
                ((x ^ y) * 16 % 256) as u8,
                ((x + y) * 29 % 256) as u8,
            ]
        };
        Picture::new(
            width,
            height,
            (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect(),
        )
        .unwrap()
    }

    #[test]
    fn the_longest_side_gets_the_size() {
        let wide = checked(60, 20);
        for resampling in [Resampling::Smooth, Resampling::Nearest] {
            let large = scale(&wide, 300, resampling).unwrap();
            assert_eq!((large.width(), large.height()), (300, 100));
            let small = scale(&wide, 8, resampling).unwrap();
            assert_eq!((small.width(), small.height()), (8, 3));
            let line = scale(&checked(1, 500), 8, resampling).unwrap();
            assert_eq!((line.width(), line.height()), (1, 8));
            assert_eq!(scale(&wide, 60, resampling).unwrap(), wide, "the same size changes nothing");
        }
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for size in [0, 7, 4097, u32::MAX] {
            let message = scale(&checked(2, 2), size, Resampling::Smooth).unwrap_err().to_string();
            assert!(message.contains("from 8 to 4096"), "{message}");
        }
        assert!(resize(&checked(2, 2), 0, 5, Resampling::Smooth).is_err());
        assert!(resize(&checked(2, 2), u32::MAX, 5, Resampling::Nearest).is_err());
    }

    #[test]
    fn one_colour_stays_that_colour() {
        for colour in [[255, 255, 255, 255], [12, 200, 77, 255], [250, 3, 99, 40], [5, 5, 5, 1]] {
            for size in [8, 13, 100, 257] {
                let same = scale(&Picture::filled(32, 32, colour).unwrap(), size, Resampling::Smooth).unwrap();
                assert!(same.pixels().chunks(4).all(|pixel| pixel == colour), "{colour:?} at {size}");
            }
        }
    }

    #[test]
    fn transparent_pixels_lend_no_colour() {
        let mut pixels = [0, 255, 0, 0].repeat(64);
        pixels[4 * 27..4 * 28].copy_from_slice(&[255, 0, 0, 255]);
        let large = scale(&Picture::new(8, 8, pixels).unwrap(), 64, Resampling::Smooth).unwrap();
        let visible: Vec<&[u8]> = large.pixels().chunks(4).filter(|pixel| pixel[3] > 0).collect();
        assert!(visible.len() > 64, "the dot was enlarged");
        assert!(
            visible.iter().all(|pixel| pixel[..3] == [255, 0, 0]),
            "no green from the transparent surroundings"
        );
    }

    #[test]
    fn smooth_follows_the_curve() {
        // Between 0 and 255 a quarter of a pixel from each: the curve's values at ±0.25, ±0.75, ±1.25 and ±1.75.
        let edge = Picture::new(
            4,
            1,
            [[0, 0, 0, 255], [0, 0, 0, 255], [255, 255, 255, 255], [255, 255, 255, 255]].concat(),
        )
        .unwrap();
        let large = resize(&edge, 8, 1, Resampling::Smooth).unwrap();
        let reds: Vec<u8> = large.pixels().chunks(4).map(|pixel| pixel[0]).collect();
        assert_eq!(reds, [0, 0, 0, 52, 203, 255, 255, 255]);
    }

    #[test]
    fn shrinking_averages() {
        let checks = Picture::new(
            64,
            64,
            (0..4096)
                .flat_map(|at| if (at + at / 64) % 2 == 0 { [255; 4] } else { [0, 0, 0, 255] })
                .collect(),
        );
        let grey = scale(&checks.unwrap(), 8, Resampling::Smooth).unwrap();
        assert!(
            grey.pixels().chunks(4).all(|pixel| (126..=129).contains(&pixel[0])),
            "{:?}",
            &grey.pixels()[..16]
        );
    }

    #[test]
    fn the_bytes_of_a_smooth_picture_never_change() {
        let sums: Vec<String> = [20, 77, 9]
            .iter()
            .map(|&size| scale(&checked(40, 31), size, Resampling::Smooth).unwrap().sha256())
            .collect();
        assert_eq!(sums, GOLDEN);
    }

    #[test]
    fn whole_pixels_become_squares() {
        let small = checked(8, 8);
        let large = scale(&small, 40, Resampling::Nearest).unwrap();
        for (x, y) in (0..40).flat_map(|y| (0..40).map(move |x| (x, y))) {
            assert_eq!(large.pixel(x, y), small.pixel(x / 5, y / 5));
        }
        assert_eq!(scale(&large, 8, Resampling::Nearest).unwrap(), small);
    }

    const GOLDEN: [&str; 3] = [
        "baac8905c63bfe2b3b2b7bb471a94a8c17c303d53adf20294707ea8424d19230",
        "3a695f4b6b1158f9c3e383eb3a4ad709829ad2a68bef0b4f38f3b914cd6b060c",
        "4e82e1efadceb692dc2a240ffb70870a0344344b3292f5956ac05038eb3bae64",
    ];
}
