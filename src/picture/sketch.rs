//! Sketches: lines on paper, photographed or drawn, cleaned so that a model can start from them. Owns telling ink from paper, and how the
//! drawing is placed, thickened and filled; depends on [`Picture`], [`Background`] and [`super::scale`].
//!
//! The paper's brightness is estimated block by block and divided out, so that shadows do not count; what is then darker than a threshold that
//! separates the two best (Otsu, IEEE Transactions on Systems, Man, and Cybernetics 9, 1979) is ink. Specks and what stands at the edges, such
//! as a table beside the paper, are dropped. The rest is moved to the middle, its lines become as thick as those of pictograms, and areas that
//! they enclose are filled. All of it is integer arithmetic.

use std::collections::VecDeque;

use super::scale::{Resampling, resize, scale, sides};
use super::{Background, Picture, PictureError};
use thiserror::Error;

/// Longest side at which the photograph is looked at, and the side of the result, in pixels.
const WORKING: u32 = 768;
const SIDE: u32 = 256;
/// Blocks of paper along the longest side, and the brightness of a block's paper: so many in a hundred of its pixels are darker.
const BLOCKS: u32 = 32;
const PAPER_PERCENTILE: usize = 90;
/// Bounds of the threshold between ink and paper, where paper is 255.
const LEAST: usize = 110;
const MOST: usize = 215;
/// The mean ink must be so much darker than paper, of 255.
const CONTRAST: u32 = 40;
/// Ink of less than one part in so many of the longest side, squared, is a speck; what lies along the picture's edges for more than one part in so
/// many is no line, but a table, or a shadow.
const SPECK: u32 = 150;
const ALONG: u32 = 16;
/// The margin on every side and the thickness of lines, in parts of a thousand of the result's side.
const MARGIN: u32 = 70;
const LINE: u32 = 40;
/// Colour of lines, and of what they enclose.
const INK: [u8; 4] = [24, 24, 28, 255];
const FILL: [u8; 4] = [246, 240, 228, 255];

/// Why a picture is no sketch.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum SketchError {
    /// Nothing is darker than the paper.
    #[error("no lines are found in the sketch: draw with a darker pen, on plain paper, and let the drawing fill most of the picture")]
    NoLines,
    /// The picture cannot have another size.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// The drawing of a sketch, 256 × 256 pixels: dark lines and light areas on nothing, in the middle. Light lines on a dark ground are taken as
/// dark ones.
///
/// # Errors
/// If no lines are found.
pub fn cleaned(photograph: &Picture) -> Result<Picture, SketchError> {
    let on_paper = Background::Colour([255; 3]).apply(&shrunk(photograph)?);
    let grey = Plane::of(&on_paper);
    let mut ink = grey.or_inverted().flattened().ink()?;
    ink.drop_what_is_no_line();
    let drawing = ink.in_the_middle()?;
    drawing.painted()
}

/// A picture that is not larger than what is looked at.
fn shrunk(picture: &Picture) -> Result<Picture, PictureError> {
    if picture.width.max(picture.height) <= WORKING {
        return Ok(picture.clone());
    }
    let (width, height) = sides((picture.width, picture.height), WORKING);
    resize(picture, width, height, Resampling::Smooth)
}

/// Values of pixels, in rows.
struct Plane {
    width: usize,
    height: usize,
    values: Vec<u8>,
}

impl Plane {
    /// Brightness, as televisions weigh colours.
    fn of(picture: &Picture) -> Plane {
        let grey = |pixel: &[u8; 4]| {
            let [red, green, blue, _] = pixel.map(u32::from);
            ((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8
        };
        Plane {
            width: picture.width as usize,
            height: picture.height as usize,
            values: picture.pixels.as_chunks().0.iter().map(grey).collect(),
        }
    }

    /// Dark on light: inverted if most of it is dark, as a blackboard is.
    fn or_inverted(mut self) -> Plane {
        if percentile(self.values.clone(), 50) < 80 {
            self.values.iter_mut().for_each(|value| *value = 255 - *value);
        }
        self
    }

    /// The same with the paper's brightness divided out: paper is 255.
    fn flattened(mut self) -> Plane {
        let block = (self.width.max(self.height) / BLOCKS as usize).max(4);
        let paper = self.paper(block);
        for (index, value) in self.values.iter_mut().enumerate() {
            let brightness = paper.between(index % self.width, index / self.width, block).max(1);
            *value = (u32::from(*value) * 255 / brightness).min(255) as u8;
        }
        self
    }

    /// The paper's brightness in square blocks with sides of `block` pixels. Blocks full of ink get that of the brightest block around them.
    fn paper(&self, block: usize) -> Plane {
        let (width, height) = (self.width.div_ceil(block), self.height.div_ceil(block));
        let of_block = |index: usize| {
            let (left, top) = (index % width * block, index / width * block);
            let rows = (top..(top + block).min(self.height)).map(|row| row * self.width);
            let pixels = rows.flat_map(|start| &self.values[start + left..start + (left + block).min(self.width)]);
            percentile(pixels.copied().collect(), PAPER_PERCENTILE)
        };
        let mut paper = Plane {
            width,
            height,
            values: (0..width * height).map(of_block).collect(),
        };
        let brightest = paper.brightest_around(3);
        for (value, around) in paper.values.iter_mut().zip(brightest) {
            if u32::from(*value) * 10 < u32::from(around) * 7 {
                *value = around;
            }
        }
        paper
    }

    /// The largest value within so many columns and rows of each.
    fn brightest_around(&self, reach: usize) -> Vec<u8> {
        let largest = |index: usize| {
            let (x, y) = (index % self.width, index / self.width);
            let columns = x.saturating_sub(reach)..(x + reach + 1).min(self.width);
            let rows = y.saturating_sub(reach)..(y + reach + 1).min(self.height);
            let values = rows.flat_map(|row| &self.values[row * self.width..][columns.clone()]);
            values.copied().max().unwrap_or(255)
        };
        (0..self.values.len()).map(largest).collect()
    }

    /// The value at a pixel of a plane whose values each stand for the middle of a block, linearly between them.
    fn between(&self, x: usize, y: usize, block: usize) -> u32 {
        let place = |at: usize, side: usize| {
            let doubled = (2 * at + 1).saturating_sub(block);
            let first = (doubled / (2 * block)).min(side - 1);
            (first, (first + 1).min(side - 1), doubled % (2 * block))
        };
        let ((left, right, across), (top, bottom, down)) = (place(x, self.width), place(y, self.height));
        let at = |x: usize, y: usize| usize::from(self.values[y * self.width + x]);
        let row = |y: usize| at(left, y) * (2 * block - across) + at(right, y) * across;
        ((row(top) * (2 * block - down) + row(bottom) * down) / (4 * block * block)) as u32
    }

    /// What is ink.
    fn ink(&self) -> Result<Ink, SketchError> {
        let mut counts = [0u64; 256];
        self.values.iter().for_each(|&value| counts[usize::from(value)] += 1);
        let threshold = otsu(&counts).clamp(LEAST, MOST);
        let (number, sum) = (0..threshold).fold((0, 0), |(number, sum), value| {
            (number + counts[value], sum + counts[value] * value as u64)
        });
        if number == 0 || sum / number + u64::from(CONTRAST) > 255 {
            return Err(SketchError::NoLines);
        }
        Ok(Ink {
            width: self.width,
            height: self.height,
            is_ink: self.values.iter().map(|&value| usize::from(value) < threshold).collect(),
        })
    }
}

fn percentile(mut values: Vec<u8>, percent: usize) -> u8 {
    let place = values.len().saturating_sub(1) * percent / 100;
    if values.is_empty() {
        255
    } else {
        *values.select_nth_unstable(place).1
    }
}

/// The threshold whose two sides differ most.
fn otsu(counts: &[u64; 256]) -> usize {
    let all: u64 = counts.iter().sum();
    let whole: u64 = counts.iter().zip(0..).map(|(count, value)| count * value).sum();
    let (mut below, mut sum, mut best) = (0u64, 0u64, (0u128, 0));
    for (value, &count) in counts.iter().enumerate() {
        below += count;
        sum += count * value as u64;
        let above = all - below;
        if below == 0 || above == 0 {
            continue;
        }
        // (mean below - mean above)² · below · above, with everything multiplied by the squares of both numbers.
        let difference = u128::from((sum * above).abs_diff((whole - sum) * below));
        let between = difference / u128::from(below) * difference / u128::from(above);
        best = best.max((between, value + 1));
    }
    best.1
}

/// Which pixels are ink, in rows.
struct Ink {
    width: usize,
    height: usize,
    is_ink: Vec<bool>,
}

/// Ink that hangs together.
#[derive(Default)]
struct Part {
    pixels: Vec<usize>,
    /// How many of them are at the picture's edges.
    at_edges: usize,
}

impl Ink {
    /// The pixels beside and diagonal to one.
    fn around(&self, index: usize) -> impl Iterator<Item = usize> + use<> {
        let (width, height, x, y) = (self.width, self.height, index % self.width, index / self.width);
        let rows = y.saturating_sub(1)..(y + 2).min(height);
        rows.flat_map(move |row| (x.saturating_sub(1)..(x + 2).min(width)).map(move |column| row * width + column))
            .filter(move |&next| next != index)
    }

    /// What hangs together.
    fn parts(&self) -> Vec<Part> {
        let mut is_seen = vec![false; self.is_ink.len()];
        let mut parts = Vec::new();
        for start in 0..self.is_ink.len() {
            if !self.is_ink[start] || is_seen[start] {
                continue;
            }
            let mut part = Part::default();
            let mut open = vec![start];
            is_seen[start] = true;
            while let Some(index) = open.pop() {
                part.at_edges += usize::from(self.is_at_edge(index));
                part.pixels.push(index);
                for next in self.around(index) {
                    if self.is_ink[next] && !is_seen[next] {
                        is_seen[next] = true;
                        open.push(next);
                    }
                }
            }
            parts.push(part);
        }
        parts
    }

    fn is_at_edge(&self, index: usize) -> bool {
        let (x, y) = (index % self.width, index / self.width);
        x == 0 || y == 0 || x + 1 == self.width || y + 1 == self.height
    }

    /// Specks, and what lies along the picture's edges.
    fn drop_what_is_no_line(&mut self) {
        let longest = self.width.max(self.height);
        let speck = (longest / SPECK as usize).pow(2).max(1);
        let is_foreign = |part: &Part| part.at_edges > longest / ALONG as usize;
        for part in self.parts() {
            if part.pixels.len() <= speck || is_foreign(&part) {
                part.pixels.into_iter().for_each(|index| self.is_ink[index] = false);
            }
        }
    }

    /// The drawing alone, in the middle of a square with margins.
    fn in_the_middle(&self) -> Result<Ink, SketchError> {
        let places = || (0..self.is_ink.len()).filter(|&index| self.is_ink[index]);
        let ends = |values: &mut dyn Iterator<Item = usize>| {
            values.fold(None, |ends: Option<(usize, usize)>, value| {
                Some(ends.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
            })
        };
        let columns = ends(&mut places().map(|index| index % self.width)).ok_or(SketchError::NoLines)?;
        let rows = ends(&mut places().map(|index| index / self.width)).ok_or(SketchError::NoLines)?;
        let (width, height) = (columns.1 - columns.0 + 1, rows.1 - rows.0 + 1);
        let longest = width.max(height);
        let margin = (longest * MARGIN as usize / (1000 - 2 * MARGIN as usize)).max(1);
        let side = longest + 2 * margin;
        let mut square = vec![0; side * side * 4];
        let (left, top) = ((side - width) / 2, (side - height) / 2);
        for index in places() {
            let (x, y) = (index % self.width - columns.0 + left, index / self.width - rows.0 + top);
            square[(y * side + x) * 4..][..4].fill(255);
        }
        let edge = u32::try_from(side).unwrap_or(u32::MAX);
        // Twice the result's side, so that lines have smooth edges in the end.
        let drawn = resize(&Picture::new(edge, edge, square)?, 2 * SIDE, 2 * SIDE, Resampling::Smooth)?;
        Ok(Ink {
            width: 2 * SIDE as usize,
            height: 2 * SIDE as usize,
            is_ink: drawn.pixels.as_chunks::<4>().0.iter().map(|pixel| pixel[3] > 96).collect(),
        })
    }

    /// Lines of a pictogram's thickness, and what they enclose.
    fn painted(&self) -> Result<Picture, SketchError> {
        let wanted = self.width * LINE as usize / 1000;
        let lines = self.thickened(wanted.saturating_sub(self.thickness()) / 2);
        let outside = lines.outside();
        let pixels = lines
            .is_ink
            .iter()
            .zip(outside)
            .flat_map(|(&is_ink, is_outside)| match (is_ink, is_outside) {
                (true, _) => INK,
                (false, true) => [0; 4],
                (false, false) => FILL,
            });
        let side = u32::try_from(self.width).unwrap_or(u32::MAX);
        let large = Picture::new(side, side, pixels.collect())?;
        Ok(scale(&large, SIDE, Resampling::Smooth).map_err(|_| PictureError::Arrangement)?)
    }

    /// The mean thickness of lines: their area by half their border.
    fn thickness(&self) -> usize {
        let area = self.is_ink.iter().filter(|&&is_ink| is_ink).count();
        let is_border = |&index: &usize| self.is_ink[index] && self.around(index).any(|next| !self.is_ink[next]);
        let border = (0..self.is_ink.len()).filter(is_border).count();
        2 * area / border.max(1)
    }

    /// The ink, dilated by `reach` pixels with an octagon.
    fn thickened(&self, reach: usize) -> Ink {
        // A border of places that are far away, so that every place has eight neighbours.
        let (stride, far) = (self.width + 2, u32::MAX / 2);
        let mut distance = vec![far; stride * (self.height + 2)];
        let place = |index: usize| (index / self.width + 1) * stride + index % self.width + 1;
        for index in (0..self.is_ink.len()).filter(|&index| self.is_ink[index]) {
            distance[place(index)] = 0;
        }
        let rows = || (1..=self.height).map(|row| row * stride + 1..row * stride + 1 + self.width);
        rows().for_each(|row| row.for_each(|at| relax(&mut distance, at, stride)));
        rows()
            .rev()
            .for_each(|row| row.rev().for_each(|at| relax(&mut distance, at, stride)));
        let reach = u32::try_from(5 * reach).unwrap_or(far - 1);
        Ink {
            is_ink: rows().flat_map(|row| &distance[row]).map(|distance| *distance <= reach).collect(),
            ..*self
        }
    }

    /// What is reached from the edges without crossing a line.
    fn outside(&self) -> Vec<bool> {
        let mut is_outside = vec![false; self.is_ink.len()];
        let is_start = |&index: &usize| self.is_at_edge(index) && !self.is_ink[index];
        let mut open: VecDeque<usize> = (0..self.is_ink.len()).filter(is_start).collect();
        open.iter().for_each(|&index| is_outside[index] = true);
        while let Some(index) = open.pop_front() {
            // Beside alone: a diagonal line is closed.
            let (x, y) = (index % self.width, index / self.width);
            let beside = [
                (x > 0).then(|| index - 1),
                (x + 1 < self.width).then_some(index + 1),
                (y > 0).then(|| index - self.width),
                (y + 1 < self.height).then_some(index + self.width),
            ];
            for next in beside.into_iter().flatten() {
                if !is_outside[next] && !self.is_ink[next] {
                    is_outside[next] = true;
                    open.push_back(next);
                }
            }
        }
        is_outside
    }
}

/// A place is as far as the nearest of its neighbours and one step: 5 beside, 7 diagonally.
fn relax(distance: &mut [u32], at: usize, stride: usize) {
    let nearest = |places: [usize; 4]| places.into_iter().fold(u32::MAX / 2, |least, place| least.min(distance[place]));
    let beside = nearest([at - 1, at + 1, at - stride, at + stride]) + 5;
    let diagonal = nearest([at - stride - 1, at - stride + 1, at + stride - 1, at + stride + 1]) + 7;
    distance[at] = distance[at].min(beside).min(diagonal);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A circle of a pen's brightness on paper, with a speck, and a dark table at the left edge.
    fn photograph(paper: impl Fn(u32, u32) -> u32, pen: u32) -> Picture {
        let grey = |x: u32, y: u32| {
            let (across, down) = (f64::from(x) - 200.0, f64::from(y) - 140.0);
            let is_pen = ((across * across + down * down).sqrt() - 70.0).abs() < 2.0;
            match (x, y) {
                (0..=24, _) => 20,
                (330, 40) => 0,
                _ if is_pen => pen,
                _ => paper(x, y),
            }
        };
        let places = (0..300).flat_map(|y| (0..400).map(move |x| (x, y)));
        let pixels = places.flat_map(|(x, y)| [[grey(x, y) as u8; 3].as_slice(), &[255]].concat());
        Picture::new(400, 300, pixels.collect()).unwrap()
    }

    fn shaded(x: u32, y: u32) -> u32 {
        230 - x / 4 - y / 6
    }

    #[test]
    fn a_photographed_circle_becomes_a_filled_one_in_the_middle() {
        let drawn = cleaned(&photograph(shaded, 60)).unwrap();
        assert_eq!((drawn.width(), drawn.height()), (SIDE, SIDE));
        assert_eq!(drawn.pixel(128, 128), Some(FILL));
        for corner in [(2, 2), (253, 2), (2, 253), (253, 253), (128, 5), (5, 128)] {
            assert_eq!(drawn.pixel(corner.0, corner.1), Some([0; 4]), "{corner:?}");
        }
        // The circle's outer edge is at the margin, its line as thick as it should be.
        let column: Vec<[u8; 4]> = (0..128).map(|y| drawn.pixel(128, y).unwrap()).collect();
        let line = column.iter().filter(|pixel| **pixel == INK).count();
        assert!((7..=13).contains(&line), "{line} pixels thick");
        let outer = column.iter().position(|pixel| pixel[3] > 0).unwrap();
        assert!((8..=20).contains(&outer), "begins at {outer}");
    }

    #[test]
    fn chalk_on_a_board_is_the_same_drawing() {
        let board = photograph(|_, _| 40, 220);
        let drawn = cleaned(&board).unwrap();
        assert_eq!((drawn.pixel(128, 128), drawn.pixel(3, 3)), (Some(FILL), Some([0; 4])));
    }

    #[test]
    fn lines_on_nothing_need_no_paper() {
        let mut pixels = vec![0; 64 * 64 * 4];
        for at in 10..54 {
            for (x, y) in [(at, 10), (at, 53), (10, at), (53, at)] {
                pixels[(y * 64 + x) * 4 + 3] = 255;
            }
        }
        let drawn = cleaned(&Picture::new(64, 64, pixels).unwrap()).unwrap();
        assert_eq!((drawn.pixel(128, 128), drawn.pixel(2, 128)), (Some(FILL), Some([0; 4])));
    }

    #[test]
    fn paper_without_lines_is_told() {
        for picture in [
            Picture::filled(300, 200, [230, 228, 220, 255]).unwrap(),
            Picture::filled(1, 1, [0; 4]).unwrap(),
            Picture::filled(40, 40, [0, 0, 0, 255]).unwrap(),
        ] {
            assert_eq!(cleaned(&picture), Err(SketchError::NoLines));
        }
    }

    #[test]
    fn the_same_photograph_gives_the_same_bytes() {
        let one = cleaned(&photograph(shaded, 60)).unwrap();
        assert_eq!(one, cleaned(&photograph(shaded, 60)).unwrap());
    }
}
