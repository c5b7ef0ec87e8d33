//! Rectangles of pixels in Kitty's graphics protocol (<https://sw.kovidgoyal.net/kitty/graphics-protocol/>): what changed,
//! extended to whole characters, becomes a PNG over what was there. A whole frame replaces all earlier pictures.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::super::Frame;
use super::cells;
use crate::picture::{Picture, PictureError, PreviewError, png};

/// The greatest width of a frame in pixels; the terminal enlarges it.
const MAX_WIDTH: u32 = 1024;
/// The most rectangles over a whole frame before another whole frame replaces them.
const MAX_PATCHES: u32 = 32;
/// The most payload bytes in one command.
const CHUNK: usize = 4096;

/// A terminal with Kitty's graphics protocol: its size and the pictures that it shows.
pub struct Kitty {
    grid: Size,
    cell: Size,
    /// Id of the last picture; ids count up.
    number: u32,
    /// Id of the oldest picture that is still shown.
    oldest: u32,
    /// Whether the oldest picture is a whole frame of the current size.
    is_complete: bool,
}

impl Kitty {
    /// A terminal of unknown size that shows nothing yet.
    pub fn new() -> Kitty {
        Kitty {
            grid: Size::zero(),
            cell: Size::new_equal(1),
            number: 0,
            oldest: 1,
            is_complete: false,
        }
    }

    /// Pixels of a frame in a character.
    pub fn cell(&self) -> Size {
        self.cell
    }

    /// Follows the number of columns and lines, and the pixels that they cover.
    pub fn resize(&mut self, grid: Size, pixels: Size) {
        let scale = pixels.width.div_ceil(MAX_WIDTH).max(1);
        let cell = |pixels: u32, cells: u32| (pixels / cells.max(1) / scale).max(1);
        self.cell = Size::new(cell(pixels.width, grid.width), cell(pixels.height, grid.height));
        self.grid = grid;
        self.is_complete = false;
    }

    /// Appends the bytes that update the terminal to a frame.
    ///
    /// # Errors
    /// If the rectangle cannot be encoded as PNG.
    pub fn draw(&mut self, frame: &Frame, damage: Rectangle, out: &mut Vec<u8>) -> Result<(), PreviewError> {
        let whole = Rectangle::new(Point::zero(), self.grid);
        let is_whole = !self.is_complete || self.number - self.oldest >= MAX_PATCHES;
        let cells = if is_whole {
            whole
        } else {
            cells(damage, self.cell).intersection(&whole)
        };
        if cells.is_zero_sized() {
            return Ok(());
        }
        let png = png::encode(&self.cut(frame, cells)?, None)?;
        self.number += 1;
        show(out, &png, self.number, cells);
        if cells == whole {
            for old in self.oldest..self.number {
                // Writing to a vector cannot fail, here and below.
                let _ = write!(out, "\x1b_Ga=d,d=I,i={old},q=2\x1b\\");
            }
            (self.oldest, self.is_complete) = (self.number, true);
        }
        Ok(())
    }

    /// The pixels of some characters, black outside the frame.
    fn cut(&self, frame: &Frame, cells: Rectangle) -> Result<Picture, PictureError> {
        let size = cells.size.component_mul(self.cell);
        let top_left = cells.top_left.component_mul(Point::zero() + self.cell);
        let area = Rectangle::new(top_left, size);
        let mut pixels = Vec::with_capacity(size.width as usize * size.height as usize * 4);
        for y in area.rows() {
            let row = frame.row(y, &area).as_chunks::<3>().0;
            let filled = row.iter().flat_map(|&[red, green, blue]| [red, green, blue, 255]);
            pixels.extend(filled.chain([0, 0, 0, 255].into_iter().cycle()).take(size.width as usize * 4));
        }
        Picture::new(size.width, size.height, pixels)
    }
}

/// Transmits and shows (`a=T`) a PNG (`f=100`) over some characters, without moving the cursor (`C=1`) and without a response
/// (`q=2`), in chunks of which all but the last announce more (`m=1`).
fn show(out: &mut Vec<u8>, png: &[u8], number: u32, cells: Rectangle) {
    let _ = write!(out, "\x1b[{};{}H", cells.top_left.y + 1, cells.top_left.x + 1);
    let payload = STANDARD.encode(png);
    let last = payload.len().div_ceil(CHUNK).saturating_sub(1);
    let Size { width, height } = cells.size;
    for (at, chunk) in payload.as_bytes().chunks(CHUNK).enumerate() {
        out.extend_from_slice(b"\x1b_G");
        if at == 0 {
            let _ = write!(out, "a=T,f=100,q=2,C=1,i={number},c={width},r={height},");
        }
        let _ = write!(out, "m={};", u8::from(at < last));
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\x1b\\");
    }
}
