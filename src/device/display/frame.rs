//! The picture in memory that everything is drawn to.

use std::convert::Infallible;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::pixelcolor::raw::ToBytes;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// Bytes of a pixel.
const PIXEL: usize = 3;

/// A picture of red, green and blue bytes, rows from the top: the [`DrawTarget`] of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    size: Size,
    bytes: Vec<u8>,
}

impl Frame {
    /// A black frame.
    pub fn new(size: Size) -> Frame {
        Frame {
            size,
            bytes: vec![0; size.width as usize * size.height as usize * PIXEL],
        }
    }

    /// Width × height × 3 bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One row of an area, three bytes a pixel, clipped to the frame.
    pub fn row(&self, y: i32, area: &Rectangle) -> &[u8] {
        let area = area.intersection(&self.bounding_box());
        if !area.rows().contains(&y) {
            return &[];
        }
        &self.bytes[self.span(y, &area)]
    }

    /// The colour at a point; `None` outside the frame.
    pub fn colour(&self, point: Point) -> Option<Rgb888> {
        let pixel = self.row(point.y, &Rectangle::new(point, Size::new_equal(1)));
        let &[red, green, blue] = pixel else { return None };
        Some(Rgb888::new(red, green, blue))
    }

    /// Blends an RGBA picture (straight alpha, rows of `width` pixels) over the frame, with its top left corner at a point. It is
    /// clipped to the frame.
    pub fn blend(&mut self, rgba: &[u8], width: u32, at: Point) {
        let pixels = rgba.as_chunks::<4>().0;
        if width == 0 {
            return;
        }
        for (y, row) in pixels.chunks_exact(width as usize).enumerate() {
            let (Ok(y), line) = (i32::try_from(y), Rectangle::new(at, Size::new(width, pixels.len() as u32 / width))) else {
                return;
            };
            let visible = line.intersection(&self.bounding_box());
            if !visible.rows().contains(&(at.y + y)) {
                continue;
            }
            let skipped = (visible.top_left.x - at.x) as usize;
            let span = self.span(at.y + y, &visible);
            for (under, over) in self.bytes[span].as_chunks_mut::<PIXEL>().0.iter_mut().zip(&row[skipped..]) {
                *under = std::array::from_fn(|channel| mix(under[channel], over[channel], over[3]));
            }
        }
    }

    /// Draws a cross-fade of two RGBA pictures of equal size (straight alpha, rows of `width` pixels), each over the colour
    /// `ground`, with the top left corner at a point. `there` is the weight of the second, of 255.
    pub fn cross_fade(&mut self, [one, other]: [&[u8]; 2], width: u32, at: Point, there: u8, ground: Rgb888) {
        if width == 0 {
            return;
        }
        let ground = ground.to_be_bytes();
        let rows = |pixels: &'_ [u8]| pixels.len() / 4 / width as usize;
        let size = Size::new(width, rows(one).min(rows(other)) as u32);
        let visible = Rectangle::new(at, size).intersection(&self.bounding_box());
        for y in visible.rows() {
            let row = (y - at.y) as usize * width as usize + (visible.top_left.x - at.x) as usize;
            let pairs = one.as_chunks::<4>().0[row..].iter().zip(&other.as_chunks::<4>().0[row..]);
            let span = self.span(y, &visible);
            for (under, (one, other)) in self.bytes[span].as_chunks_mut::<PIXEL>().0.iter_mut().zip(pairs) {
                let over = |pixel: &[u8; 4], channel: usize| mix(ground[channel], pixel[channel], pixel[3]);
                *under = std::array::from_fn(|channel| mix(over(one, channel), over(other, channel), there));
            }
        }
    }

    /// The smallest rectangle that contains every pixel that differs from another frame; the whole frame if their sizes differ.
    pub fn difference(&self, other: &Frame) -> Rectangle {
        if self.size != other.size {
            return self.bounding_box();
        }
        let line = (self.size.width as usize * PIXEL).max(1);
        let rows = || self.bytes.chunks_exact(line).zip(other.bytes.chunks_exact(line)).enumerate();
        let mut found: Option<[usize; 4]> = None;
        for (y, (a, b)) in rows().filter(|(_, (a, b))| a != b) {
            let differs = |index: &usize| a[*index] != b[*index];
            let [left, top, right, _] = found.unwrap_or([self.size.width as usize, y, 0, y]);
            // Only what may widen the rectangle is compared byte by byte.
            let (inner, outer) = (left * PIXEL, (right * PIXEL).min(line));
            let first = if a[..inner] == b[..inner] { None } else { (0..inner).find(differs) };
            let last = if a[outer..] == b[outer..] {
                None
            } else {
                (outer..line).rev().find(differs)
            };
            let (left, right) = (first.map_or(left, |at| at / PIXEL), last.map_or(right, |at| at / PIXEL));
            found = Some([left, top, right, y]);
        }
        found.map_or(Rectangle::zero(), |[left, top, right, bottom]| {
            Rectangle::with_corners(Point::new(left as i32, top as i32), Point::new(right as i32, bottom as i32))
        })
    }

    fn span(&self, y: i32, area: &Rectangle) -> std::ops::Range<usize> {
        let start = (y as usize * self.size.width as usize + area.top_left.x as usize) * PIXEL;
        start..start + area.size.width as usize * PIXEL
    }
}

/// The smallest rectangle that contains two others, either of which may be empty.
pub fn union(one: Rectangle, other: Rectangle) -> Rectangle {
    match (one.bottom_right(), other.bottom_right()) {
        (Some(end), Some(other_end)) => {
            let begin = one.top_left.component_min(other.top_left);
            Rectangle::with_corners(begin, end.component_max(other_end))
        }
        (Some(_), None) => one,
        (None, _) => other,
    }
}

/// Blends a byte of one colour over another, rounded to nearest.
fn mix(under: u8, over: u8, alpha: u8) -> u8 {
    let (under, over, alpha) = (u32::from(under), u32::from(over), u32::from(alpha));
    ((under * (255 - alpha) + over * alpha + 127) / 255) as u8
}

impl OriginDimensions for Frame {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Frame {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let frame = self.bounding_box();
        for Pixel(point, colour) in pixels {
            if frame.contains(point) {
                let span = self.span(point.y, &Rectangle::new(point, Size::new_equal(1)));
                self.bytes[span].copy_from_slice(&colour.to_be_bytes());
            }
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, colour: Rgb888) -> Result<(), Infallible> {
        let area = area.intersection(&self.bounding_box());
        if area.is_zero_sized() {
            return Ok(());
        }
        // The first row is filled pixel by pixel, the others are copies of it.
        let first = self.span(area.top_left.y, &area);
        self.bytes[first.clone()].as_chunks_mut::<PIXEL>().0.fill(colour.to_be_bytes());
        for y in area.rows().skip(1) {
            let to = self.span(y, &area).start;
            self.bytes.copy_within(first.clone(), to);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawing_is_cut_off_at_the_edges() {
        let mut frame = Frame::new(Size::new(4, 3));
        frame
            .fill_solid(&Rectangle::new(Point::new(-2, 1), Size::new(4, 9)), Rgb888::new(1, 2, 3))
            .unwrap();
        frame
            .draw_iter([Pixel(Point::new(9, 9), Rgb888::WHITE), Pixel(Point::new(3, 0), Rgb888::RED)])
            .unwrap();
        assert_eq!(frame.colour(Point::new(1, 2)), Some(Rgb888::new(1, 2, 3)));
        assert_eq!(frame.colour(Point::new(2, 2)), Some(Rgb888::BLACK));
        assert_eq!(frame.colour(Point::new(3, 0)), Some(Rgb888::RED));
        assert_eq!(frame.colour(Point::new(4, 0)), None);
        assert_eq!(frame.colour(Point::new(0, -1)), None);
    }

    #[test]
    fn pictures_are_mixed_by_their_alpha_and_cut_off() {
        let mut frame = Frame::new(Size::new(3, 2));
        frame.clear(Rgb888::new(100, 100, 100)).unwrap();
        let picture = [[0, 0, 0, 0], [200, 0, 100, 128], [9, 9, 9, 255], [255, 255, 255, 255]].concat();
        frame.blend(&picture, 2, Point::new(-1, 1));
        assert_eq!(frame.colour(Point::new(0, 1)), Some(Rgb888::new(150, 50, 100)));
        assert_eq!(frame.colour(Point::new(1, 1)), Some(Rgb888::new(100, 100, 100)));
        frame.blend(&picture, 2, Point::new(2, -1));
        assert_eq!(frame.colour(Point::new(2, 0)), Some(Rgb888::new(9, 9, 9)));
        frame.blend(&picture, 2, Point::new(50, 50));
    }

    #[test]
    fn a_change_is_one_picture_at_its_beginning_and_the_other_at_its_end() {
        let ground = Rgb888::new(200, 100, 50);
        let one: Vec<u8> = (0..24).map(|at| (at * 37 % 256) as u8).collect();
        let other: Vec<u8> = (0..24).map(|at| (at * 91 % 256) as u8).collect();
        let alone = |picture: &[u8], at| {
            let mut frame = Frame::new(Size::new(4, 3));
            frame.fill_solid(&Rectangle::new(at, Size::new(3, 2)), ground).unwrap();
            frame.blend(picture, 3, at);
            frame
        };
        for at in [Point::new(1, 1), Point::new(-1, 0), Point::new(2, 2), Point::new(9, 9)] {
            let step = |there| {
                let mut frame = Frame::new(Size::new(4, 3));
                frame.cross_fade([&one, &other], 3, at, there, ground);
                frame
            };
            assert_eq!(step(0), alone(&one, at));
            assert_eq!(step(255), alone(&other, at));
            let (first, last, middle) = (step(0), step(255), step(128));
            for ((first, last), middle) in first.bytes().iter().zip(last.bytes()).zip(middle.bytes()) {
                assert!(middle.abs_diff(first.midpoint(*last)) <= 1);
            }
        }
    }

    #[test]
    fn differences_are_the_smallest_rectangle() {
        let one = Frame::new(Size::new(10, 8));
        let mut other = one.clone();
        assert_eq!(one.difference(&other), Rectangle::zero());
        other
            .draw_iter([Pixel(Point::new(7, 2), Rgb888::RED), Pixel(Point::new(3, 5), Rgb888::BLUE)])
            .unwrap();
        assert_eq!(one.difference(&other), Rectangle::new(Point::new(3, 2), Size::new(5, 4)));
        assert_eq!(one.difference(&Frame::new(Size::new(2, 2))), one.bounding_box());
    }

    #[test]
    fn empty_areas_add_nothing_to_others() {
        let area = Rectangle::new(Point::new(5, 6), Size::new(2, 3));
        assert_eq!(union(area, Rectangle::zero()), area);
        assert_eq!(union(Rectangle::new(Point::new(90, 90), Size::zero()), area), area);
        let other = Rectangle::new(Point::new(1, 8), Size::new(1, 4));
        assert_eq!(union(area, other), Rectangle::new(Point::new(1, 6), Size::new(6, 6)));
    }
}
