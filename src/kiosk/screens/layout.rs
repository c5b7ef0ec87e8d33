//! Where things are, by proportion: the card with the picture, the label beside or below it, and the four legends along
//! the edge that the buttons are at.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use serde::{Deserialize, Serialize};

/// The edge along which the four buttons are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edge {
    /// Below the panel, from left to right.
    #[default]
    Bottom,
    /// Left of the panel, from top to bottom.
    Left,
    /// Right of the panel, from top to bottom.
    Right,
}

impl Edge {
    /// The edge in a mirror.
    pub fn mirrored(self) -> Edge {
        match self {
            Edge::Bottom => Edge::Bottom,
            Edge::Left => Edge::Right,
            Edge::Right => Edge::Left,
        }
    }
}

/// What fits on a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A few lines of words.
    Tiny,
    /// A picture with a line of words.
    Small,
    /// A picture and a label below it.
    Tall,
    /// A picture and a label beside it.
    Wide,
}

/// Where things are, in pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What fits.
    pub class: Class,
    /// Size of running text.
    pub text: u32,
    /// Size of the legends: on a panel of 7 inches with 800×480 pixels capitals of 8 mm.
    pub legend: u32,
    /// Space around things.
    pub margin: i32,
    /// The whole panel.
    pub panel: Rectangle,
    /// All but the legends.
    pub body: Rectangle,
    /// The square with the picture.
    pub card: Rectangle,
    /// The words about it.
    pub label: Rectangle,
    /// The legends.
    pub legends: [Rectangle; 4],
}

/// A rectangle by its left, top, right and bottom edges; the latter two are not in it.
pub fn sides(left: i32, top: i32, right: i32, bottom: i32) -> Rectangle {
    let size = Size::new((right - left).max(0) as u32, (bottom - top).max(0) as u32);
    Rectangle::new(Point::new(left, top), size)
}

/// Right and bottom edges, not in the rectangle.
pub fn end(area: &Rectangle) -> Point {
    area.top_left + Point::new(area.size.width as i32, area.size.height as i32)
}

/// A smaller or larger rectangle around the same centre.
pub fn inset(area: &Rectangle, by: i32) -> Rectangle {
    let end = end(area);
    sides(area.top_left.x + by, area.top_left.y + by, end.x - by, end.y - by)
}

/// The largest square in the middle of a rectangle.
pub fn square(area: &Rectangle) -> Rectangle {
    let side = area.size.width.min(area.size.height);
    let spare = area.size - Size::new_equal(side);
    Rectangle::new(area.top_left + spare / 2, Size::new_equal(side))
}

impl Layout {
    /// The layout of a panel with its buttons along an edge; `legends` is whether there is room for their labels.
    pub fn new(size: Size, edge: Edge, legends: bool) -> Layout {
        let (width, height) = (size.width as i32, size.height as i32);
        let short = width.min(height);
        let class = match short {
            ..100 => Class::Tiny,
            100..300 => Class::Small,
            _ if height > width => Class::Tall,
            _ => Class::Wide,
        };
        let (text, legend) = match class {
            Class::Tiny | Class::Small => (((short as u32 + 80) / 25).max(11), (short as u32 / 16).max(10)),
            Class::Tall | Class::Wide => ((short as u32 / 16).min(64), (short as u32 * 29 / 200).min(112)),
        };
        let margin = (short / 24).max(if class == Class::Tiny { 1 } else { 6 });
        let panel = Rectangle::new(Point::zero(), size);
        let (body, legends) = with_legends(&panel, class, edge, (text as i32, legend as i32), legends);
        let mut layout = Layout {
            class,
            text,
            legend,
            margin,
            panel,
            body,
            card: body,
            label: body,
            legends,
        };
        layout.place_card();
        layout
    }

    /// The layout of a panel that is drawn mirrored. The buttons stay where they are: A is on the left all the same.
    #[must_use]
    pub fn for_mirror(mut self) -> Layout {
        let [first, .., last] = self.legends;
        if first.top_left.y == last.top_left.y {
            self.legends.reverse();
        }
        self
    }

    /// A panel without legends, which a picture fills as far as its label allows.
    pub fn full(size: Size) -> Layout {
        let mut layout = Layout::new(size, Edge::Bottom, false);
        let (width, height, margin) = (size.width as i32, size.height as i32, layout.margin);
        match layout.class {
            Class::Tiny => {}
            Class::Wide => {
                let side = height.min(width * 3 / 5);
                layout.card = sides(0, (height - side) / 2, side, (height + side) / 2);
                layout.label = sides(side + margin / 2, margin, width - margin, height - margin);
            }
            Class::Small if width > height + 60 => {
                layout.card = sides(0, 0, height, height);
                layout.label = sides(height + margin / 2, margin, width - margin, height - margin);
            }
            Class::Small | Class::Tall => {
                let lines = if layout.class == Class::Small {
                    layout.text as i32 * 3
                } else {
                    height / 4
                };
                let side = width.min(height - lines);
                layout.card = sides((width - side) / 2, 0, (width + side) / 2, side);
                layout.label = sides(margin, side, width - margin, height - margin / 2);
            }
        }
        layout
    }

    /// Whether words have a column or a block of their own, not a line below the picture.
    pub fn has_column(&self) -> bool {
        self.class != Class::Small || self.label.size.height >= 60
    }

    /// Whether the label is beside the card, not below it.
    pub fn is_beside(&self) -> bool {
        self.label.top_left.x >= end(&self.card).x
    }

    /// Where words beside a picture end.
    pub fn words_end(&self) -> i32 {
        end(&self.card).y.min(end(&self.label).y) - self.margin / 2
    }

    /// Gives up room for something of this height, which it returns: the lower end of the words, or of everything, so that neither
    /// the picture nor the words are covered.
    pub fn reserve(&mut self, height: i32, has_words: bool) -> Rectangle {
        let gap = self.margin / 2;
        if has_words && self.has_column() {
            let (start, end) = (self.label.top_left, end(&self.label));
            self.label = sides(start.x, start.y, end.x, end.y - height - gap);
            return sides(start.x, end.y - height, end.x, end.y);
        }
        let (start, end) = (self.body.top_left, end(&self.body));
        self.body = sides(start.x, start.y, end.x, end.y - height - gap);
        self.place_card();
        sides(start.x + gap, end.y - height, end.x - gap, end.y)
    }

    /// Width of what [`Layout::reserve`] would return.
    pub fn reserved_width(&self, has_words: bool) -> i32 {
        if has_words && self.has_column() {
            self.label.size.width as i32
        } else {
            self.body.size.width as i32 - self.margin
        }
    }

    /// A size of text relative to running text, in hundredths.
    pub fn sized(&self, hundredths: u32) -> u32 {
        (self.text * hundredths / 100).max(10)
    }

    fn place_card(&mut self) {
        let inner = inset(&self.body, self.margin);
        let (start, end) = (inner.top_left, end(&inner));
        let gap = self.margin * 3 / 2;
        match self.class {
            Class::Tiny => {}
            Class::Small if self.body.size.width > self.body.size.height + 60 => self.beside(&inner, gap),
            Class::Small => {
                let line = self.text as i32 * 3 / 2;
                let area = sides(start.x, start.y - self.margin / 2, end.x, end.y - line);
                self.card = square(&area);
                self.label = sides(start.x, end.y - line, end.x, end.y + self.margin / 2);
            }
            Class::Tall => {
                // The label has two fifths of the height at least.
                let side = inner.size.width.min(inner.size.height * 3 / 5) as i32;
                let left = start.x + (inner.size.width as i32 - side) / 2;
                self.card = sides(left, start.y, left + side, start.y + side);
                self.label = sides(start.x, start.y + side + gap, end.x, end.y);
            }
            Class::Wide => self.beside(&inner, gap),
        }
    }

    fn beside(&mut self, inner: &Rectangle, gap: i32) {
        let (start, end) = (inner.top_left, end(inner));
        let side = inner.size.height.min(inner.size.width * 3 / 5) as i32;
        let top = start.y + (inner.size.height as i32 - side) / 2;
        self.card = sides(start.x, top, start.x + side, top + side);
        self.label = sides(start.x + side + gap, start.y, end.x, end.y);
    }

    /// Four squares that share the card, A and B above C and D.
    pub fn quarters(&self) -> [Rectangle; 4] {
        let gap = (self.margin * 2 / 3).max(2);
        let side = (self.card.size.width as i32 - gap) / 2;
        std::array::from_fn(|index| {
            let (column, row) = ((index % 2) as i32, (index / 2) as i32);
            let corner = self.card.top_left + Point::new(column, row) * (side + gap);
            Rectangle::new(corner, Size::new_equal(side as u32))
        })
    }
}

/// Body and legends: a strip along the edge, in four equal parts.
fn with_legends(panel: &Rectangle, class: Class, edge: Edge, (text, legend): (i32, i32), legends: bool) -> (Rectangle, [Rectangle; 4]) {
    let (width, height) = (panel.size.width as i32, panel.size.height as i32);
    if !legends {
        return (*panel, [Rectangle::zero(); 4]);
    }
    let strip = match (class, edge) {
        (Class::Tiny, _) => 9,
        (Class::Small, Edge::Bottom) => legend * 3 / 2 + 2,
        // Half of the letters' badges is above it.
        (_, Edge::Bottom) => legend * 23 / 20,
        (Class::Small, _) => text * 5,
        _ => width / 4,
    };
    let edge = if class == Class::Tiny { Edge::Bottom } else { edge };
    let part = |whole: i32, index: i32| whole * index / 4;
    let legends = std::array::from_fn(|index| {
        let index = index as i32;
        match edge {
            Edge::Bottom => sides(part(width, index), height - strip, part(width, index + 1), height),
            Edge::Left => sides(0, part(height, index), strip, part(height, index + 1)),
            Edge::Right => sides(width - strip, part(height, index), width, part(height, index + 1)),
        }
    });
    let body = match edge {
        Edge::Bottom => sides(0, 0, width, height - strip),
        Edge::Left => sides(strip, 0, width, height),
        Edge::Right => sides(0, 0, width - strip, height),
    };
    (body, legends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_covers_neither_picture_nor_words() {
        for (width, height) in [(240, 240), (320, 240), (800, 480), (480, 800), (1920, 1080), (600, 448)] {
            let size = Size::new(width, height);
            for mut layout in [
                Layout::new(size, Edge::Bottom, true),
                Layout::new(size, Edge::Left, true),
                Layout::full(size),
            ] {
                let before = layout.clone();
                let area = layout.reserve(layout.text as i32 * 3, true);
                let others = [layout.card, layout.label].into_iter().chain(layout.legends);
                assert!(
                    others.into_iter().all(|other| other.intersection(&area).is_zero_sized()),
                    "{size:?}"
                );
                assert_eq!(area.intersection(&layout.panel), area);
                assert!(layout.card == before.card || !before.has_column(), "the picture stays where it was");
            }
        }
    }

    #[test]
    fn everything_is_on_the_panel_and_nothing_overlaps() {
        for (width, height) in [
            (128, 64),
            (128, 128),
            (240, 240),
            (320, 240),
            (240, 320),
            (800, 480),
            (480, 800),
            (1920, 1080),
            (600, 448),
        ] {
            for edge in [Edge::Bottom, Edge::Left, Edge::Right] {
                let layout = Layout::new(Size::new(width, height), edge, true);
                let areas = [layout.card, layout.label].into_iter().chain(layout.legends);
                for area in areas.clone() {
                    assert_eq!(area.intersection(&layout.panel), area, "{width}×{height} {edge:?}");
                    assert!(area.size.width >= 8 && area.size.height >= 8, "{width}×{height} {edge:?} {area:?}");
                }
                for legend in layout.legends {
                    assert!(layout.body.intersection(&legend).is_zero_sized());
                }
                if layout.class != Class::Tiny {
                    assert!(layout.card.intersection(&layout.label).is_zero_sized(), "{width}×{height} {edge:?}");
                    assert!(
                        layout.card.size.width * 3 >= width.min(height),
                        "{width}×{height} {edge:?} {:?}",
                        layout.card
                    );
                }
            }
        }
    }
}
