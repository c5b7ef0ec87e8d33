//! From inks to the bytes of a panel's memory. Arithmetic only.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::models::{Coding, Specification};
use crate::device::display::Rotation;

/// White: the second ink of every palette.
const WHITE: u8 = 1;

/// The bytes of a panel's memory from the index of an ink for each pixel. Missing pixels are white.
pub(super) fn encode(inks: &[u8], specification: &Specification) -> Vec<u8> {
    let pixels = specification.memory.width as usize * specification.memory.height as usize;
    let ink = |at: usize| inks.get(at).copied().unwrap_or(WHITE);
    match specification.coding {
        Coding::Codes(codes) => {
            let code = |at: usize| codes.get(ink(at) as usize).copied().unwrap_or(WHITE);
            (0..pixels).step_by(2).map(|at| code(at) << 4 | code(at + 1)).collect()
        }
        Coding::Bits { .. } => {
            let byte = |at: usize| (0..8).fold(0, |byte, bit| byte << 1 | u8::from(ink(at + bit) == WHITE));
            (0..pixels).step_by(8).map(byte).collect()
        }
    }
}

/// The smallest part, in whole bytes across, in which two memories of one bit a pixel differ.
pub(super) fn changed_bits(old: &[u8], new: &[u8], memory: Size) -> Rectangle {
    let line = memory.width as usize / 8;
    let places = old
        .iter()
        .zip(new)
        .enumerate()
        .filter(|(_, (old, new))| old != new)
        .map(|(at, _)| (at % line, at / line));
    let bounds = places.fold(None, |bounds: Option<[usize; 4]>, (x, y)| {
        let [left, top, right, bottom] = bounds.unwrap_or([x, y, x, y]);
        Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
    });
    bounds.map_or(Rectangle::zero(), |[left, top, right, bottom]| {
        let corner = |x: usize, y: usize| Point::new(x as i32, y as i32);
        Rectangle::with_corners(corner(left * 8, top), corner(right * 8 + 7, bottom))
    })
}

/// The bytes of a part of a memory of one bit a pixel. It begins and ends with whole bytes.
pub(super) fn cut_bits(pixels: &[u8], memory: Size, part: Rectangle) -> Vec<u8> {
    let line = memory.width as usize / 8;
    let (left, width) = (part.top_left.x as usize / 8, part.size.width as usize / 8);
    let rows = pixels
        .chunks_exact(line)
        .skip(part.top_left.y as usize)
        .take(part.size.height as usize);
    rows.flat_map(|row| &row[left..left + width]).copied().collect()
}

/// The data of the window command: first and last column, first and last row, two bytes each, and to scan inside and
/// outside of it (UC8179 data sheet, PTL).
pub(super) fn window(part: Rectangle) -> Vec<u8> {
    let last = part.bottom_right().unwrap_or(part.top_left);
    let ends = [part.top_left.x, last.x, part.top_left.y, last.y];
    ends.iter().flat_map(|&end| (end as u16).to_be_bytes()).chain([0x01]).collect()
}

/// Rotates rows of `width` pixels clockwise; returns them and their new width.
pub(super) fn rotate(inks: &[u8], width: usize, rotation: Rotation) -> (Vec<u8>, usize) {
    let size = Size::new(width as u32, (inks.len() / width.max(1)) as u32);
    let memory = rotation.size(size);
    let mut rotated = vec![WHITE; inks.len()];
    for (&ink, point) in inks.iter().zip(Rectangle::new(Point::zero(), size).points()) {
        let place = rotation.point(point, memory);
        rotated[place.y as usize * memory.width as usize + place.x as usize] = ink;
    }
    (rotated, memory.width as usize)
}
