//! Strokes of a finger on paper, and the picture of them. Owns their shape; depends on [`Picture`].

use embedded_graphics::prelude::Point;

use crate::picture::Picture;

/// Side of the paper in the coordinates of strokes: a thousandth of a side is 1.
pub const PAPER: i32 = 1000;
/// Most points of all strokes together; further ones are dropped.
const MOST: usize = 8192;
/// Side of the picture in pixels, and what lies around the paper in it: a sketch is told from a table by what stands at its edges.
const SIDE: i32 = 256;
const AROUND: i32 = 24;
/// Half of the width of a line, in pixels.
const BRUSH: i32 = 3;
const WHITE: [u8; 4] = [255; 4];
const INK: [u8; 4] = [24, 24, 28, 255];

/// What was drawn on a sheet of paper.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strokes(Vec<Vec<Point>>);

impl Strokes {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A finger comes down.
    pub fn begin(&mut self, at: Point) {
        if self.has_room() {
            self.0.push(vec![at]);
        }
    }

    /// It moves. Returns whether that changes the stroke.
    pub fn extend(&mut self, at: Point) -> bool {
        let has_room = self.has_room();
        let Some(stroke) = self.0.last_mut() else { return false };
        let moves = has_room && stroke.last() != Some(&at);
        if moves {
            stroke.push(at);
        }
        moves
    }

    /// Takes the last stroke back.
    pub fn undo(&mut self) {
        self.0.pop();
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn has_room(&self) -> bool {
        self.0.iter().map(Vec::len).sum::<usize>() < MOST
    }

    /// The sheet, as it is shown.
    pub fn paper(&self) -> Option<Picture> {
        self.drawn(0)
    }

    /// The sheet with white around it, as it is read for a sketch.
    pub fn sketch(&self) -> Option<Picture> {
        self.drawn(AROUND)
    }

    fn drawn(&self, around: i32) -> Option<Picture> {
        let side = SIDE + 2 * around;
        let mut pixels = WHITE.repeat((side * side) as usize);
        let on_picture = |point: &Point| *point * SIDE / PAPER + Point::new_equal(around);
        for stroke in &self.0 {
            let points: Vec<Point> = stroke.iter().map(on_picture).collect();
            for (from, to) in points.iter().zip(points.iter().skip(1).chain(points.last())) {
                line(&mut pixels, side, *from, *to);
            }
        }
        Picture::new(side as u32, side as u32, pixels).ok()
    }
}

/// A line with round ends.
fn line(pixels: &mut [u8], side: i32, from: Point, to: Point) {
    let way = to - from;
    let steps = way.x.abs().max(way.y.abs()).max(1);
    for step in 0..=steps {
        dot(pixels, side, from + way * step / steps);
    }
}

fn dot(pixels: &mut [u8], side: i32, at: Point) {
    for down in -BRUSH..=BRUSH {
        for across in -BRUSH..=BRUSH {
            let (x, y) = (at.x + across, at.y + down);
            let is_inside = (0..side).contains(&x) && (0..side).contains(&y);
            if is_inside && across * across + down * down <= BRUSH * BRUSH + 1 {
                let start = ((y * side + x) * 4) as usize;
                pixels[start..start + 4].copy_from_slice(&INK);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dark(picture: &Picture) -> usize {
        picture.pixels().chunks(4).filter(|pixel| pixel[0] < 128).count()
    }

    #[test]
    fn strokes_are_lines_on_paper() {
        let mut strokes = Strokes::default();
        assert!(!strokes.extend(Point::new(5, 5)), "no finger is down");
        strokes.begin(Point::new(500, 100));
        let dot = dark(&strokes.paper().unwrap());
        assert!(dot > 20, "a tap is a dot");
        assert!(strokes.extend(Point::new(500, 900)) && !strokes.extend(Point::new(500, 900)));
        let paper = strokes.paper().unwrap();
        assert_eq!(
            (paper.width(), paper.pixel(128, 128), paper.pixel(100, 128)),
            (256, Some(INK), Some(WHITE))
        );
        let sketch = strokes.sketch().unwrap();
        assert_eq!((sketch.width(), sketch.pixel(152, 152)), (304, Some(INK)));
        assert_eq!(dark(&sketch), dark(&paper));
        strokes.begin(Point::new(-500, 3000));
        strokes.extend(Point::new(0, 1000));
        strokes.undo();
        assert_eq!(strokes.paper(), Some(paper));
        strokes.clear();
        assert!(strokes.is_empty() && dark(&strokes.paper().unwrap()) == 0);
    }

    #[test]
    fn scribbling_does_not_fill_memory() {
        let mut strokes = Strokes::default();
        for index in 0..2 * MOST as i32 {
            strokes.begin(Point::new(index % 7, 0));
        }
        assert!(!strokes.extend(Point::new(900, 900)));
        assert_eq!(strokes.0.len(), MOST);
    }
}
