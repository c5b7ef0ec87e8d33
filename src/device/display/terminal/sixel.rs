//! Rectangles of pixels as Sixel graphics: what changed, extended to whole characters, is drawn over what was there.
//!
//! A terminal has 256 colour registers. 216 are a cube of six levels a channel, between which an ordered dither pattern that is
//! fixed to the frame mixes; the others are the plain colours that were seen first, which are shown exactly. Registers keep
//! their colours until a whole frame is drawn, for terminals that repaint old pixels when a register changes. Choosing the best
//! palette for every rectangle would take longer than a frame may last.

use std::collections::HashMap;
use std::io::Write;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::super::Frame;
use super::cells;
use crate::picture::sixel::{self, Colour, REGISTERS};

/// Levels a channel of the cube.
const LEVELS: usize = 6;
/// Colours of the cube.
const CUBE: usize = LEVELS * LEVELS * LEVELS;
/// Plain colours besides it.
const PLAIN: usize = REGISTERS - CUBE;
/// The least number of equal pixels in a row that make their colour plain.
const RUN: usize = 12;
/// Thresholds of the dither pattern in sixty-fourths (B. E. Bayer, 1973).
const PATTERN: [[u8; 8]; 8] = [
    [0, 32, 8, 40, 2, 34, 10, 42],
    [48, 16, 56, 24, 50, 18, 58, 26],
    [12, 44, 4, 36, 14, 46, 6, 38],
    [60, 28, 52, 20, 62, 30, 54, 22],
    [3, 35, 11, 43, 1, 33, 9, 41],
    [51, 19, 59, 27, 49, 17, 57, 25],
    [15, 47, 7, 39, 13, 45, 5, 37],
    [63, 31, 55, 23, 61, 29, 53, 21],
];

/// A terminal with Sixel graphics: its size and its registers.
pub struct Sixel {
    grid: Size,
    cell: Size,
    plain: HashMap<Colour, u8>,
    is_complete: bool,
}

impl Sixel {
    /// A terminal of unknown size that shows nothing yet.
    pub fn new() -> Sixel {
        Sixel {
            grid: Size::zero(),
            cell: Size::new_equal(1),
            plain: HashMap::new(),
            is_complete: false,
        }
    }

    /// Pixels of a frame in a character.
    pub fn cell(&self) -> Size {
        self.cell
    }

    /// Columns, and lines that are drawn on.
    pub fn grid(&self) -> Size {
        self.grid
    }

    /// Follows the number of columns and lines, and the pixels of a character. The last line stays empty: a picture that
    /// touches it may make the terminal scroll.
    pub fn resize(&mut self, grid: Size, cell: Size) {
        self.grid = Size::new(grid.width, grid.height.saturating_sub(1).max(1));
        self.cell = cell.component_max(Size::new_equal(1));
        self.is_complete = false;
    }

    /// Appends the bytes that update the terminal to a frame.
    pub fn draw(&mut self, frame: &Frame, damage: Rectangle, out: &mut Vec<u8>) {
        let whole = Rectangle::new(Point::zero(), self.grid);
        let cells = if self.is_complete {
            cells(damage, self.cell).intersection(&whole)
        } else {
            whole
        };
        if cells == whole {
            self.plain.clear();
        }
        let cell = Point::zero() + self.cell;
        let area = Rectangle::new(cells.top_left.component_mul(cell), cells.size.component_mul(self.cell));
        let area = area.intersection(&frame.bounding_box());
        if area.is_zero_sized() {
            return;
        }
        self.is_complete = true;
        self.find_plain(frame, &area);
        let mut colours: [Colour; REGISTERS] = std::array::from_fn(cube);
        for (colour, register) in &self.plain {
            colours[usize::from(*register)] = *colour;
        }
        // Writing to a vector cannot fail.
        let _ = write!(out, "\x1b[{};{}H", cells.top_left.y + 1, cells.top_left.x + 1);
        let row = |y: u32| self.registers(frame, area.top_left.y + y as i32, &area);
        sixel::encode([area.size.width, area.size.height], &colours, row, out);
    }

    /// Gives registers to plain colours while some are free.
    fn find_plain(&mut self, frame: &Frame, area: &Rectangle) {
        for y in area.rows() {
            for run in frame.row(y, area).as_chunks::<3>().0.chunk_by(|one, other| one == other) {
                let next = self.plain.len();
                if run.len() >= RUN && next < PLAIN && !self.plain.contains_key(&run[0]) {
                    self.plain.insert(run[0], (CUBE + next) as u8);
                }
            }
        }
    }

    /// The register of every pixel in a row.
    fn registers(&self, frame: &Frame, y: i32, area: &Rectangle) -> Vec<Option<u8>> {
        let row = frame.row(y, area).as_chunks::<3>().0;
        let pattern = &PATTERN[y as usize % 8];
        let mut last: Option<(Colour, Option<u8>)> = None;
        let mut register = |x: usize, colour: &Colour| {
            let plain = match last {
                Some((same, plain)) if same == *colour => plain,
                _ => self.plain.get(colour).copied(),
            };
            last = Some((*colour, plain));
            plain.unwrap_or_else(|| mixed(*colour, pattern[(x + area.top_left.x as usize) % 8]))
        };
        row.iter().enumerate().map(|(x, colour)| Some(register(x, colour))).collect()
    }
}

/// The colour of a register of the cube.
fn cube(register: usize) -> Colour {
    let level = |step: usize| (step % LEVELS * 255 / (LEVELS - 1)) as u8;
    [level(register / (LEVELS * LEVELS)), level(register / LEVELS), level(register)]
}

/// The register of the cube for a colour where the pattern has a threshold.
fn mixed(colour: Colour, threshold: u8) -> u8 {
    let step = |value: u8| (usize::from(value) * (LEVELS - 1) * 64 / 255 + usize::from(threshold)) / 64;
    let [red, green, blue] = colour.map(step);
    ((red * LEVELS + green) * LEVELS + blue) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_has_every_threshold_once_and_its_mean_is_the_colour() {
        let mut all: Vec<u8> = PATTERN.concat();
        all.sort_unstable();
        assert_eq!(all, (0..64).collect::<Vec<u8>>());
        for value in 0..=255 {
            let mean = (0..64)
                .map(|threshold| u32::from(cube(usize::from(mixed([value; 3], threshold)))[1]))
                .sum::<u32>()
                / 64;
            assert!(mean.abs_diff(value.into()) <= 1, "{value}: {mean}");
        }
    }

    #[test]
    fn bands_are_these_characters() {
        let mut frame = Frame::new(Size::new(5, 8));
        let red = Rectangle::new(Point::new(1, 0), Size::new(4, 7));
        frame.fill_solid(&red, embedded_graphics::pixelcolor::Rgb888::RED).unwrap();
        let mut sixel = Sixel::new();
        sixel.resize(Size::new(5, 3), Size::new(1, 4));
        let mut out = Vec::new();
        sixel.draw(&frame, Rectangle::zero(), &mut out);
        let expected = "\x1b[1;1H\x1bP0;1q\"1;1;5;8#0;2;0;0;0#0~$#180;2;100;0;0#180?!4~$-#0B!4A$#180?!4@$-\x1b\\";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
