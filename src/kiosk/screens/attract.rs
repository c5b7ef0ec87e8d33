//! A picture on the wall with a label beside it, as in a museum.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::canvas::Canvas;
use super::layout::{Class, Layout, end, sides};
use crate::kiosk::state::Shown;
use crate::kiosk::text::{Align, Fonts};

/// Shown before there is a picture.
const NAME: &str = "inkstone";

/// The panel is filled with the colour of cards. `call` asks visitors to begin.
pub fn draw(canvas: &mut Canvas, layout: &Layout, shown: Option<&Shown>, coming: Option<&(Shown, u8)>, call: &str) {
    self::call(canvas, layout, call);
    let Some(shown) = shown else {
        nothing(canvas, layout);
        return;
    };
    match coming {
        None => canvas.picture(&layout.card, shown, 255),
        Some((coming, there)) => {
            canvas.change(&layout.card, shown, coming, *there);
        }
    }
    let titled = coming.filter(|(_, there)| is_over_half(*there)).map_or(shown, |(coming, _)| coming);
    label(canvas, layout, titled, false);
}

/// Whether the opacity of a picture, of 255, is so high that the label is its own.
pub fn is_over_half(there: u8) -> bool {
    there > 127
}

/// On a plate above the label beside a picture, else below it.
fn call(canvas: &mut Canvas, layout: &Layout, text: &str) {
    let (area, size) = (layout.label, layout.sized(if layout.class == Class::Small { 92 } else { 110 }));
    // A notice may have taken the room.
    if text.is_empty() || area.is_zero_sized() || (area.size.height as i32) < layout.text as i32 * 2 {
        return;
    }
    let (accent, on_accent) = (canvas.theme.accent, canvas.theme.on_accent);
    let pad = if layout.has_column() { size as i32 / 2 } else { 2 };
    let lines = canvas.fonts.wrap(text, size, area.size.width as i32 - pad * 2, 2);
    let width = lines.iter().map(|line| canvas.fonts.width(line, size)).max().unwrap_or(0) + pad * 2;
    let height = lines.len() as i32 * Fonts::line_height(size) + pad;
    let left = if layout.is_beside() {
        area.top_left.x
    } else {
        area.center().x - width / 2
    };
    let top = if layout.is_beside() {
        area.top_left.y
    } else {
        end(&area).y - height
    };
    canvas.rounded(&sides(left, top, left + width, top + height), pad, accent);
    for (index, line) in lines.iter().enumerate() {
        let at = Point::new(left + pad, top + pad / 2 + index as i32 * Fonts::line_height(size));
        canvas.line(line, size, at, width, Align::Left, on_accent);
    }
}

fn nothing(canvas: &mut Canvas, layout: &Layout) {
    let card = layout.card;
    let ring = super::layout::inset(&card, card.size.width as i32 / 4);
    let accent = canvas.theme.accent;
    canvas.ring(&ring, accent);
    let (size, ink) = (layout.sized(160), canvas.theme.ink);
    let area = layout.label;
    match layout.class {
        Class::Wide => {
            let top = area.center().y - Fonts::line_height(size) / 2;
            canvas.line(
                NAME,
                size,
                Point::new(area.top_left.x, top),
                area.size.width as i32,
                Align::Left,
                ink,
            );
        }
        _ => {
            let at = Point::new(area.center().x, area.top_left.y);
            canvas.line(NAME, layout.sized(120), at, area.size.width as i32, Align::Centre, ink);
        }
    }
}

/// Title and style, with a heart for favourites. Beside a picture they are aligned with its lower edge.
pub fn label(canvas: &mut Canvas, layout: &Layout, shown: &Shown, heart: bool) -> Rectangle {
    let area = layout.label;
    let (ink, faint, accent) = (canvas.theme.ink, canvas.theme.faint, canvas.theme.accent);
    let width = area.size.width as i32;
    if !layout.has_column() {
        let size = layout.sized(110);
        let words = canvas.fonts.fit(&shown.title, size, width - size as i32 * 3);
        canvas.line(
            &words,
            size,
            Point::new(area.center().x, area.top_left.y),
            width,
            Align::Centre,
            ink,
        );
        if heart {
            let left = area.center().x + canvas.fonts.width(&words, size) / 2 + size as i32 / 3;
            canvas.heart(
                &Rectangle::new(Point::new(left, area.top_left.y + 2), Size::new_equal(size)),
                accent,
            );
        }
        return area;
    }
    let (large, small) = (title_size(layout), layout.sized(95));
    let lines = canvas.fonts.wrap(&shown.title, large, width, 3);
    let title_height = lines.len() as i32 * Fonts::line_height(large);
    let rule = (layout.margin / 8).max(2);
    let height = title_height + layout.margin + Fonts::line_height(small);
    let top = if layout.is_beside() {
        layout.words_end() - height
    } else {
        area.top_left.y
    };
    let left = area.top_left.x;
    let mut at = Point::new(left, top);
    for line in &lines {
        at.y += canvas.line(line, large, at, width, Align::Left, ink);
    }
    at.y += layout.margin / 3;
    canvas.fill(&Rectangle::new(at, Size::new(large * 2, rule as u32)), accent);
    at.y += layout.margin / 2 + rule;
    canvas.line(&shown.style, small, at, width, Align::Left, faint);
    if heart {
        let style = canvas.fonts.width(&shown.style, small);
        let gap = if style > 0 { style + small as i32 } else { 0 };
        canvas.heart(&Rectangle::new(at + Point::new(gap, 2), Size::new_equal(small)), accent);
    }
    Rectangle::new(Point::new(left, top), Size::new(area.size.width, height as u32))
}

/// Size of a title on a label.
pub fn title_size(layout: &Layout) -> u32 {
    layout.sized(if layout.class == Class::Small { 130 } else { 185 })
}
