//! The keyboard below what was typed.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::canvas::Canvas;
use super::choose::typed;
use super::layout::{Layout, end, inset, sides};
use crate::kiosk::shaping;
use crate::kiosk::text::{Align, Fonts};

/// Columns of the space bar and of the backspace.
const WIDE: [i32; 2] = [5, 2];
/// The backspace.
const BACKSPACE: char = '\u{8}';

/// Height of what was typed.
fn head(layout: &Layout) -> i32 {
    layout.text as i32 * 2 + layout.margin / 2
}

/// The area of each key, with its letter, row by row.
fn keys(layout: &Layout, rows: &[Vec<char>]) -> Vec<(Rectangle, char)> {
    let inner = inset(&layout.body, layout.margin / 2);
    let top = inner.top_left.y + head(layout);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(1).max(1) as i32;
    let width = inner.size.width as i32 / columns;
    let height = (end(&inner).y - top).max(0) / rows.len().max(1) as i32;
    let mut all = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let spans: Vec<i32> = match row.as_slice() {
            [' ', BACKSPACE] => WIDE.to_vec(),
            letters => vec![1; letters.len()],
        };
        let mut left = inner.center().x - spans.iter().sum::<i32>() * width / 2;
        for (letter, span) in row.iter().zip(spans) {
            let place = Point::new(left, top + index as i32 * height);
            all.push((Rectangle::new(place, Size::new((span * width) as u32, height as u32)), *letter));
            left += span * width;
        }
    }
    all
}

pub fn draw(canvas: &mut Canvas, layout: &Layout, (text, hint): (&str, &str), rows: &[Vec<char>], at: usize) {
    let inner = inset(&layout.body, layout.margin);
    let (start, corner) = (inner.top_left, end(&inner));
    let area = sides(
        start.x,
        start.y - layout.margin / 2,
        corner.x,
        start.y + head(layout) - layout.margin,
    );
    let (ink, line, faint, ground) = (canvas.theme.ink, canvas.theme.line, canvas.theme.faint, canvas.theme.ground);
    if text.is_empty() {
        let size = layout.sized(120);
        let top = area.center().y - Fonts::line_height(size) / 2;
        let (left, align) = if shaping::is_right_to_left(hint) {
            (corner.x, Align::Right)
        } else {
            (start.x, Align::Left)
        };
        canvas.line(hint, size, Point::new(left, top), area.size.width as i32, align, faint);
    } else {
        typed(canvas, layout, &area, text);
    }
    for (index, (key, letter)) in keys(layout, rows).into_iter().enumerate() {
        let plate = inset(&key, (layout.margin / 8).max(1));
        let (accent, on_accent) = (canvas.theme.accent, canvas.theme.on_accent);
        let radius = layout.margin / 3;
        let colour = if index == at { on_accent } else { ink };
        match (index == at, canvas.theme.crisp) {
            (true, _) => canvas.rounded(&plate, radius, accent),
            (false, true) => canvas.framed(&plate, radius, 1, line, ground),
            (false, false) => canvas.rounded(&plate, radius, line),
        }
        let size = (plate.size.height.min(plate.size.width * 3 / 2) * 11 / 20).max(8);
        let sign = if letter == BACKSPACE { '←' } else { letter };
        let top = plate.center().y - Fonts::line_height(size) / 2;
        let width = plate.size.width as i32;
        canvas.line(
            &sign.to_string(),
            size,
            Point::new(plate.center().x, top),
            width,
            Align::Centre,
            colour,
        );
    }
}

/// The letter under a finger.
pub fn touched(layout: &Layout, rows: &[Vec<char>], at: Point) -> Option<char> {
    let keys = keys(layout, rows);
    keys.iter().find(|(area, _)| area.contains(at)).map(|(_, letter)| *letter)
}
