//! Shapes with smooth edges, pictures and lines of text, drawn into the frame.

use std::sync::Arc;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::layout::{end, inset, square};
use super::theme::Theme;
use crate::device::display::Frame;
use crate::kiosk::state::Shown;
use crate::kiosk::text::{Align, Fonts, Ink, blend_coverage};
use crate::picture::{Picture, Resampling, scale};

/// Scaled pictures that are kept: one with the small ones around it, or two of a change.
const KEPT: usize = 7;
/// Bytes of scaled pictures above which no more than the two of a change are kept.
const KEPT_BYTES: usize = 3 << 19;

/// Pictures at the sizes they are shown at, the latest last.
#[derive(Default)]
pub struct Scaled {
    pictures: Vec<(Arc<Picture>, u32, Resampling, Arc<Picture>)>,
}

impl Scaled {
    /// The picture scaled to this many pixels on its longest side.
    fn get(&mut self, shown: &Shown, side: u32) -> Option<Arc<Picture>> {
        let is_it = |(original, size, resampling, _): &(Arc<Picture>, u32, Resampling, Arc<Picture>)| {
            Arc::ptr_eq(original, &shown.picture) && (*size, *resampling) == (side, shown.resampling)
        };
        if let Some(at) = self.pictures.iter().position(is_it) {
            let found = self.pictures.remove(at);
            let scaled = found.3.clone();
            self.pictures.push(found);
            return Some(scaled);
        }
        let scaled = Arc::new(scale::scale(&shown.picture, side, shown.resampling).ok()?);
        self.pictures.push((shown.picture.clone(), side, shown.resampling, scaled.clone()));
        while self.pictures.len() > KEPT || self.pictures.len() > 2 && self.bytes() > KEPT_BYTES {
            self.pictures.remove(0);
        }
        Some(scaled)
    }

    fn bytes(&self) -> usize {
        self.pictures.iter().map(|(_, _, _, scaled)| scaled.pixels().len()).sum()
    }
}

/// The frame with what is needed to draw into it.
pub struct Canvas<'a> {
    pub frame: &'a mut Frame,
    pub fonts: &'a mut Fonts,
    pub scaled: &'a mut Scaled,
    pub theme: &'a Theme,
    /// Whether everything is drawn where it is in a mirror, as for languages that are written from right to left. Pictures and
    /// letters are not mirrored themselves.
    pub is_mirrored: bool,
}

impl Canvas<'_> {
    /// A plain rectangle.
    pub fn fill(&mut self, area: &Rectangle, colour: Rgb888) {
        let area = self.on_frame(area);
        let Ok(()) = self.frame.fill_solid(&area, colour);
    }

    /// Where an area is in the frame.
    fn on_frame(&self, area: &Rectangle) -> Rectangle {
        if self.is_mirrored {
            mirrored(area, self.frame.size())
        } else {
            *area
        }
    }

    /// Where a text begins, ends or has its middle in the frame.
    fn anchor(&self, at: Point, align: Align) -> (Point, Align) {
        if !self.is_mirrored {
            return (at, align);
        }
        let align = match align {
            Align::Left => Align::Right,
            Align::Centre => Align::Centre,
            Align::Right => Align::Left,
        };
        (Point::new(self.frame.size().width as i32 - at.x, at.y), align)
    }

    /// Draws what must not be mirrored, in the area of the frame where it is.
    pub fn upright(&mut self, area: &Rectangle, draw: impl FnOnce(&mut Canvas, &Rectangle)) {
        let area = self.on_frame(area);
        let mut canvas = Canvas {
            frame: self.frame,
            fonts: self.fonts,
            scaled: self.scaled,
            theme: self.theme,
            is_mirrored: false,
        };
        draw(&mut canvas, &area);
    }

    /// A rectangle with round corners.
    pub fn rounded(&mut self, area: &Rectangle, radius: i32, colour: Rgb888) {
        self.upright(area, |canvas, area| canvas.rounded_upright(area, radius, colour));
    }

    fn rounded_upright(&mut self, area: &Rectangle, radius: i32, colour: Rgb888) {
        let radius = radius.min(area.size.width.min(area.size.height) as i32 / 2).max(0);
        let corner = radius as u32;
        let inner = area.size.saturating_sub(Size::new_equal(corner * 2));
        let middle = Rectangle::new(area.top_left + Point::new(0, radius), Size::new(area.size.width, inner.height));
        let column = |y: i32| Rectangle::new(Point::new(area.top_left.x + radius, y), Size::new(inner.width, corner));
        self.fill(&middle, colour);
        self.fill(&column(area.top_left.y), colour);
        self.fill(&column(end(area).y - radius), colour);
        for (right, bottom) in [(false, false), (true, false), (false, true), (true, true)] {
            let distance = |at: i32, far: bool| if far { f64::from(at) + 0.5 } else { f64::from(radius - at) - 0.5 };
            let covered = |index: i32| {
                let (x, y) = (distance(index % radius, right), distance(index / radius, bottom));
                let outside = (x * x + y * y).sqrt() - f64::from(radius);
                ((0.5 - outside).clamp(0.0, 1.0) * 255.0) as u8
            };
            let coverage: Vec<u8> = (0..radius * radius).map(covered).collect();
            let place = Point::new(
                if right { end(area).x - radius } else { area.top_left.x },
                if bottom { end(area).y - radius } else { area.top_left.y },
            );
            self.cover(&coverage, radius as usize, place, colour);
        }
    }

    /// The border of a rounded rectangle, of this width in pixels, filled with another colour.
    pub fn framed(&mut self, area: &Rectangle, radius: i32, width: i32, edge: Rgb888, inside: Rgb888) {
        self.rounded(area, radius, edge);
        self.rounded(&inset(area, width), radius - width, inside);
    }

    /// A heart in a square.
    pub fn heart(&mut self, area: &Rectangle, colour: Rgb888) {
        let (area, side) = (self.on_frame(area), area.size.width as i32);
        // (x² + y² − 1)³ − x²y³ ≤ 0, sixteen samples a pixel.
        let inside = |x: f64, y: f64| (x * x + y * y - 1.0).powi(3) - x * x * y * y * y <= 0.0;
        let covered = |index: i32| {
            let place = |at: i32, sample: i32| (f64::from(at) + (f64::from(sample) + 0.5) / 4.0) / f64::from(side) * 2.6 - 1.3;
            let hits = (0..16)
                .filter(|sample| inside(place(index % side, sample % 4), -place(index / side, sample / 4)))
                .count();
            (hits * 255 / 16) as u8
        };
        let coverage: Vec<u8> = (0..side * side).map(covered).collect();
        self.cover(&coverage, side as usize, area.top_left, colour);
    }

    /// A ring in a square, as the first stroke of a brush.
    pub fn ring(&mut self, area: &Rectangle, colour: Rgb888) {
        let (area, side) = (self.on_frame(area), f64::from(area.size.width));
        let covered = |index: u32| {
            let x = f64::from(index % area.size.width) + 0.5 - side / 2.0;
            let y = f64::from(index / area.size.width) + 0.5 - side / 2.0;
            // The stroke is thick where it begins, on the right, and thin where it ends.
            let turn = (y.atan2(x) / std::f64::consts::TAU).rem_euclid(1.0);
            let half = side * (0.055 - 0.045 * turn);
            let off = ((x * x + y * y).sqrt() - side * 0.43).abs() - half;
            let gap = turn > 0.955;
            if gap { 0 } else { ((0.5 - off).clamp(0.0, 1.0) * 255.0) as u8 }
        };
        let coverage: Vec<u8> = (0..area.size.width * area.size.height).map(covered).collect();
        self.cover(&coverage, area.size.width as usize, area.top_left, colour);
    }

    fn ink(&self, colour: Rgb888) -> Ink {
        Ink {
            colour,
            crisp: self.theme.crisp,
        }
    }

    fn cover(&mut self, coverage: &[u8], width: usize, at: Point, colour: Rgb888) {
        if width > 0 {
            let ink = self.ink(colour);
            blend_coverage(self.frame, coverage, width, at, ink);
        }
    }

    /// One line, truncated at this many pixels; returns its height.
    pub fn line(&mut self, text: &str, size: u32, at: Point, width: i32, align: Align, colour: Rgb888) -> i32 {
        let fitting = self.fonts.fit(text, size, width);
        let (ink, (at, align)) = (self.ink(colour), self.anchor(at, align));
        self.fonts.draw(self.frame, &fitting, size, at, align, ink);
        Fonts::line_height(size)
    }

    /// One line with narrower letters; see [`Fonts::squeeze`].
    pub fn squeezed(&mut self, text: &str, (size, narrow): (u32, u32), at: Point, align: Align, colour: Rgb888) {
        let (ink, (at, align)) = (self.ink(colour), self.anchor(at, align));
        self.fonts.draw_narrow(self.frame, text, (size, narrow), at, align, ink);
    }

    /// Lines wrapped at this many pixels; returns their height.
    #[expect(
        clippy::too_many_arguments,
        reason = "text, size, place, width, number, side and colour are all different things"
    )]
    pub fn lines(&mut self, text: &str, size: u32, at: Point, width: i32, most: usize, align: Align, colour: Rgb888) -> i32 {
        let mut height = 0;
        for line in self.fonts.wrap(text, size, width, most) {
            height += self.line(&line, size, at + Point::new(0, height), width, align, colour);
        }
        height
    }

    /// A card with a picture on it, with an opacity of `strength` of 255.
    pub fn card(&mut self, area: &Rectangle, shown: Option<&Shown>, strength: u8) {
        self.empty_card(area);
        if let Some(shown) = shown {
            self.picture(area, shown, strength);
        }
    }

    /// A card with nothing on it.
    pub fn empty_card(&mut self, area: &Rectangle) {
        let radius = self.radius(area);
        let (card, width) = (self.theme.card, (area.size.width as i32 / 240).max(1));
        match self.theme.edge {
            Some(edge) => self.framed(area, radius, width, edge, card),
            None => self.rounded(area, radius, card),
        }
    }

    /// How round a card's corners are.
    pub fn radius(&self, area: &Rectangle) -> i32 {
        if self.theme.crisp {
            3
        } else {
            (area.size.width as i32 / 28).max(3)
        }
    }

    /// A picture in the middle of a card, with an opacity of `strength` of 255.
    pub fn picture(&mut self, area: &Rectangle, shown: &Shown, strength: u8) {
        let Some((scaled, at)) = self.placed(area, shown) else { return };
        let weaker = |pixel: &[u8]| [pixel[0], pixel[1], pixel[2], weaken(pixel[3], strength)];
        if strength == 255 {
            self.frame.blend(scaled.pixels(), scaled.width(), at);
        } else {
            let pixels: Vec<u8> = scaled.pixels().chunks_exact(4).flat_map(weaker).collect();
            self.frame.blend(&pixels, scaled.width(), at);
        }
    }

    /// One picture on its way to another on an empty card, or over a step before: `there` of 255 of the other is there, and
    /// what is in both stays. Returns the area that was drawn.
    pub fn change(&mut self, area: &Rectangle, one: &Shown, other: &Shown, there: u8) -> Rectangle {
        let card = self.theme.card;
        let pictures = self.placed(area, one).zip(self.placed(area, other));
        let Some(((one_scaled, at), (other_scaled, other_at))) = pictures else {
            return Rectangle::zero();
        };
        let (width, size) = (one_scaled.width(), Size::new(one_scaled.width(), one_scaled.height()));
        if at == other_at && size == Size::new(other_scaled.width(), other_scaled.height()) {
            self.frame
                .cross_fade([one_scaled.pixels(), other_scaled.pixels()], width, at, there, card);
            return Rectangle::new(at, size);
        }
        let room = room(area);
        self.fill(&room, card);
        self.picture(area, one, 255 - there);
        self.picture(area, other, there);
        self.on_frame(&room)
    }

    /// A picture at the size of a card less its margin, and where it goes in the frame.
    fn placed(&mut self, area: &Rectangle, shown: &Shown) -> Option<(Arc<Picture>, Point)> {
        let room = room(&self.on_frame(area));
        // Sprites are enlarged by whole pixels, so that all of them have the same size.
        let own = shown.picture.width().max(shown.picture.height());
        let side = if shown.resampling == Resampling::Nearest && room.size.width >= own {
            room.size.width / own * own
        } else {
            room.size.width
        };
        let scaled = self.scaled.get(shown, side)?;
        let size = Size::new(scaled.width(), scaled.height());
        Some((scaled, room.top_left + (room.size - size) / 2))
    }
}

/// Where an area is in a mirror, on a panel of this size.
pub fn mirrored(area: &Rectangle, panel: Size) -> Rectangle {
    let left = panel.width as i32 - end(area).x;
    Rectangle::new(Point::new(left, area.top_left.y), area.size)
}

/// Where on a card pictures are.
pub fn room(card: &Rectangle) -> Rectangle {
    square(&inset(card, (card.size.width as i32 / 32).max(2)))
}

/// `value` × `strength` / 255.
fn weaken(value: u8, strength: u8) -> u8 {
    (u16::from(value) * u16::from(strength) / 255) as u8
}
