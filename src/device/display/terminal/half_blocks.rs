//! Two pixels in each character, one above the other: the upper has the foreground colour of `▀`, the lower the background
//! colour; or text. Only characters that changed are sent.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use unicode_width::UnicodeWidthChar;

use super::super::{Frame, TextRun};
use crate::picture::preview::{Colours, nearest};

/// Pixels of a character cell.
pub const CELL: Size = Size::new(1, 2);

/// A colour of the terminal: 24 bits, or an index of xterm's palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TerminalColour {
    True([u8; 3]),
    Palette(u8),
}

/// What a character cell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// The upper and the lower pixel.
    Pixels([TerminalColour; 2]),
    /// A letter, its colour and the one behind it, and how many columns it takes.
    Letter(char, [TerminalColour; 2], u32),
    /// The rest of a letter of two columns.
    Rest,
}

/// The characters that the terminal shows.
pub struct HalfBlocks {
    colours: Colours,
    grid: Size,
    /// Letters over the pixels, by cell.
    letters: BTreeMap<u32, Cell>,
    /// `None` for characters of unknown contents.
    shown: Vec<Option<Cell>>,
}

impl HalfBlocks {
    /// Characters in these colours.
    pub fn new(colours: Colours) -> HalfBlocks {
        HalfBlocks {
            colours,
            grid: Size::zero(),
            letters: BTreeMap::new(),
            shown: Vec::new(),
        }
    }

    /// Follows the number of columns and lines. What they show is unknown then.
    pub fn resize(&mut self, grid: Size) {
        self.grid = grid;
        self.shown = vec![None; grid.width as usize * grid.height as usize];
    }

    /// Takes the text that is over all further frames.
    pub fn write(&mut self, runs: &[TextRun]) {
        self.letters.clear();
        for run in runs {
            let colours = [run.colour, run.ground].map(|colour| self.colour(colour));
            let (mut column, line) = (run.at.x.max(0) as u32, run.at.y.max(0) as u32);
            for letter in run.text.chars() {
                let width = letter.width().unwrap_or(0) as u32;
                if width == 0 || line >= self.grid.height || column + width > self.grid.width {
                    continue;
                }
                let cell = line * self.grid.width + column;
                self.letters.insert(cell, Cell::Letter(letter, colours, width));
                if width > 1 {
                    self.letters.insert(cell + 1, Cell::Rest);
                }
                column += width;
            }
        }
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
            let index = line * self.grid.width + column;
            let cell = self.letters.get(&index).copied().unwrap_or_else(|| self.cell(frame, column, line));
            let shown = &mut self.shown[index as usize];
            if *shown != Some(cell) {
                *shown = Some(cell);
                pen.draw(out, [column, line], cell);
            }
        }
    }

    fn cell(&self, frame: &Frame, column: u32, line: u32) -> Cell {
        Cell::Pixels([0, 1].map(|half| {
            let at = Point::new(column as i32, (line * 2 + half) as i32);
            self.colour(frame.colour(at).unwrap_or_default())
        }))
    }

    fn colour(&self, colour: Rgb888) -> TerminalColour {
        let colour = [colour.r(), colour.g(), colour.b()];
        match self.colours {
            Colours::True => TerminalColour::True(colour),
            Colours::Palette256 => TerminalColour::Palette(nearest(colour)),
        }
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
    fn draw(&mut self, out: &mut Vec<u8>, at: [u32; 2], cell: Cell) {
        let (letter, [upper, lower], width) = match cell {
            // Drawn with the letter that it belongs to.
            Cell::Rest => return,
            Cell::Pixels(pixels) => (if pixels[0] == pixels[1] { ' ' } else { '▀' }, pixels, 1),
            Cell::Letter(letter, colours, width) => (letter, colours, width),
        };
        let [column, line] = at;
        if self.at.is_none() {
            // Terminals with synchronized output show nothing until it is complete.
            out.extend_from_slice(b"\x1b[?2026h");
        }
        if self.at != Some(at) {
            let _ = write!(out, "\x1b[{};{}H", line + 1, column + 1);
        }
        self.at = Some([column + width, line]);
        if self.background != Some(lower) {
            select(out, 48, lower);
            self.background = Some(lower);
        }
        if letter != ' ' && self.foreground != Some(upper) {
            select(out, 38, upper);
            self.foreground = Some(upper);
        }
        out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
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
