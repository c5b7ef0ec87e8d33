//! Two pixels in each character, one above the other: the upper has the foreground colour of `▀`, the lower the background
//! colour. Only characters that changed are sent.

use std::io::Write;
use std::ops::Range;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::super::Frame;
use crate::picture::preview::{Colours, nearest};

/// Pixels of a character cell.
pub const CELL: Size = Size::new(1, 2);

/// A colour of the terminal: 24 bits, or an index of xterm's palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TerminalColour {
    True([u8; 3]),
    Palette(u8),
}

/// The upper and the lower pixel.
type Cell = [TerminalColour; 2];

/// The characters that the terminal shows.
pub struct HalfBlocks {
    colours: Colours,
    grid: Size,
    /// `None` for characters of unknown contents.
    shown: Vec<Option<Cell>>,
}

impl HalfBlocks {
    /// Characters in these colours.
    pub fn new(colours: Colours) -> HalfBlocks {
        HalfBlocks {
            colours,
            grid: Size::zero(),
            shown: Vec::new(),
        }
    }

    /// Follows the number of columns and lines. What they show is unknown then.
    pub fn resize(&mut self, grid: Size) {
        self.grid = grid;
        self.shown = vec![None; grid.width as usize * grid.height as usize];
    }

    /// Appends the bytes that update the terminal to a frame. Characters of unknown contents count as damaged.
    pub fn draw(&mut self, frame: &Frame, damage: Rectangle, out: &mut Vec<u8>) {
        let unknown = self.shown.contains(&None);
        let area = if unknown {
            frame.bounding_box()
        } else {
            damage.intersection(&frame.bounding_box())
        };
        let (columns, rows) = (area.columns(), area.rows());
        let lines = (rows.start.max(0) as u32 / 2)..(rows.end.max(0) as u32).div_ceil(2).min(self.grid.height);
        let columns = (columns.start.max(0) as u32)..(columns.end.max(0) as u32).min(self.grid.width);
        let mut pen = Pen::default();
        for line in lines {
            self.draw_line(frame, line, columns.clone(), &mut pen, out);
        }
        pen.finish(out);
    }

    fn draw_line(&mut self, frame: &Frame, line: u32, columns: Range<u32>, pen: &mut Pen, out: &mut Vec<u8>) {
        for column in columns {
            let cell = self.cell(frame, column, line);
            let shown = &mut self.shown[(line * self.grid.width + column) as usize];
            if *shown != Some(cell) {
                *shown = Some(cell);
                pen.draw(out, [column, line], cell);
            }
        }
    }

    fn cell(&self, frame: &Frame, column: u32, line: u32) -> Cell {
        [0, 1].map(|half| {
            let at = Point::new(column as i32, (line * 2 + half) as i32);
            let colour = frame.colour(at).unwrap_or_default();
            let colour = [colour.r(), colour.g(), colour.b()];
            match self.colours {
                Colours::True => TerminalColour::True(colour),
                Colours::Palette256 => TerminalColour::Palette(nearest(colour)),
            }
        })
    }
}

/// The state that the terminal was left in.
#[derive(Default)]
struct Pen {
    /// Column and line of the next character.
    at: Option<[u32; 2]>,
    foreground: Option<TerminalColour>,
    background: Option<TerminalColour>,
}

impl Pen {
    /// Draws one character. Writing to a vector cannot fail.
    fn draw(&mut self, out: &mut Vec<u8>, at: [u32; 2], [upper, lower]: Cell) {
        let [column, line] = at;
        if self.at.is_none() {
            // Terminals with synchronized output show nothing until it is complete.
            out.extend_from_slice(b"\x1b[?2026h");
        }
        if self.at != Some(at) {
            let _ = write!(out, "\x1b[{};{}H", line + 1, column + 1);
        }
        self.at = Some([column + 1, line]);
        if self.background != Some(lower) {
            select(out, 48, lower);
            self.background = Some(lower);
        }
        if upper == lower {
            out.push(b' ');
            return;
        }
        if self.foreground != Some(upper) {
            select(out, 38, upper);
            self.foreground = Some(upper);
        }
        out.extend_from_slice("▀".as_bytes());
    }

    /// Resets the colours.
    fn finish(self, out: &mut Vec<u8>) {
        if self.at.is_some() {
            out.extend_from_slice(b"\x1b[0m\x1b[?2026l");
        }
    }
}

/// Selects the foreground (38) or background (48).
fn select(out: &mut Vec<u8>, ground: u8, colour: TerminalColour) {
    let _ = match colour {
        TerminalColour::True([red, green, blue]) => write!(out, "\x1b[{ground};2;{red};{green};{blue}m"),
        TerminalColour::Palette(number) => write!(out, "\x1b[{ground};5;{number}m"),
    };
}
