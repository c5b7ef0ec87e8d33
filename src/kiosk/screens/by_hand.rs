//! The paper that a finger draws on, and beside it the picture of what was drawn.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::canvas::{Canvas, room};
use super::layout::{Layout, end, sides};
use crate::kiosk::state::Shown;
use crate::kiosk::text::{Align, Fonts};

/// What is written beside the paper.
pub struct Words<'a> {
    pub title: &'a str,
    pub style: &'a str,
    pub hint: &'a str,
}

pub fn draw(canvas: &mut Canvas, layout: &Layout, paper: Option<&Shown>, shown: Option<&Shown>, words: &Words) {
    canvas.empty_card(&layout.card);
    let sheet = room(&layout.card);
    match paper {
        Some(paper) => canvas.picture(&layout.card, paper, 255),
        None => empty(canvas, layout, &sheet, words.hint),
    }
    if layout.has_column() {
        beside(canvas, layout, shown, words);
    } else if let Some(shown) = shown {
        // The last third of the sheet's sides.
        let side = sheet.size.width / 3;
        let corner = end(&sheet) - Point::new_equal(side as i32);
        canvas.card(&Rectangle::new(corner, Size::new_equal(side)), Some(shown), 255);
    }
}

/// White paper with what to do on it.
fn empty(canvas: &mut Canvas, layout: &Layout, sheet: &Rectangle, hint: &str) {
    canvas.fill(sheet, Rgb888::WHITE);
    let (size, width) = (layout.sized(100), sheet.size.width as i32 - layout.margin);
    let lines = canvas.fonts.wrap(hint, size, width, 4);
    let mut at = sheet.center() - Point::new(0, lines.len() as i32 * Fonts::line_height(size) / 2);
    for line in &lines {
        at.y += canvas.line(line, size, at, width, Align::Centre, Rgb888::BLACK);
    }
}

/// Words, and below them the picture.
fn beside(canvas: &mut Canvas, layout: &Layout, shown: Option<&Shown>, words: &Words) {
    let (start, corner) = (layout.label.top_left, end(&layout.label));
    let (ink, faint) = (canvas.theme.ink, canvas.theme.faint);
    let (large, small) = (layout.sized(120), layout.sized(90));
    let width = layout.label.size.width as i32;
    let mut at = start;
    at.y += canvas.line(words.title, large, at, width, Align::Left, ink);
    at.y += canvas.line(words.style, small, at, width, Align::Left, faint) + layout.margin / 3;
    let side = width.min(corner.y - at.y).max(0);
    if side > layout.margin {
        let card = sides(start.x, at.y, start.x + side, at.y + side);
        canvas.card(&card, shown, 255);
    }
}
