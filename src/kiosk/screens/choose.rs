//! The wheel of words beside a sketch of the current choice.

use std::sync::LazyLock;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::canvas::Canvas;
use super::layout::{Class, Layout, end, inset, sides};
use crate::device::buttons::Button;
use crate::kiosk::shaping;
use crate::kiosk::state::{Choice, Shown, Target, Wheel};
use crate::kiosk::text::{Align, Fonts};
use crate::picture::Background;

/// Opacity of a sketch that is not of the current choice, of 255.
const STALE: u8 = 70;

/// The current choice.
pub struct Chosen<'a> {
    pub wheel: &'a Wheel,
    pub typed: bool,
    pub kind: &'a str,
    pub choice: &'a Choice,
}

pub fn draw(canvas: &mut Canvas, layout: &Layout, chosen: &Chosen, sketch: Option<&(Shown, bool)>) {
    canvas.empty_card(&layout.card);
    match sketch {
        Some((shown, true)) => canvas.picture(&layout.card, shown, 255),
        Some((shown, false)) => canvas.picture(&layout.card, shown, STALE),
        None => {
            let line = if canvas.theme.crisp {
                canvas.theme.line
            } else {
                blend(canvas.theme.card, canvas.theme.faint)
            };
            canvas.ring(&inset(&layout.card, layout.card.size.width as i32 / 4), line);
        }
    }
    if !layout.has_column() {
        small(canvas, layout, chosen);
        return;
    }
    let below = if layout.class == Class::Tall { 0 } else { layout.margin };
    let area = layout.label;
    let chips = layout.text as i32 * 2;
    let wheel_area = sides(area.top_left.x, area.top_left.y + below, end(&area).x, end(&area).y - chips - below);
    if chosen.typed {
        typed(canvas, layout, &wheel_area, &chosen.wheel.word);
    } else {
        wheel(canvas, layout, &wheel_area, chosen);
    }
    let at = Point::new(area.top_left.x, end(&area).y - chips);
    choice(canvas, layout, at, chosen.choice);
}

fn blend(one: Rgb888, other: Rgb888) -> Rgb888 {
    let mix = |one: u8, other: u8| ((u16::from(one) * 3 + u16::from(other)) / 4) as u8;
    Rgb888::new(mix(one.r(), other.r()), mix(one.g(), other.g()), mix(one.b(), other.b()))
}

/// The selected word in the middle, its neighbours above and below, fainter with distance.
fn wheel(canvas: &mut Canvas, layout: &Layout, area: &Rectangle, chosen: &Chosen) {
    let (ink, near, faint) = (canvas.theme.ink, canvas.theme.near(), canvas.theme.faint);
    let (large, narrow) = word_size(canvas, layout, area, &chosen.wheel.word);
    let small = layout.sized(if layout.class == Class::Wide { 135 } else { 105 });
    let (left, width) = (area.top_left.x, area.size.width as i32);
    let middle = area.center().y;
    let word_top = middle - Fonts::line_height(large) / 2;
    let step = Fonts::line_height(small) * 11 / 10;
    canvas.squeezed(&chosen.wheel.word, (large, narrow), Point::new(left, word_top), Align::Left, ink);
    let gap = layout.margin / 2;
    let room = (word_top - area.top_left.y - gap) / step.max(1);
    for (index, word) in chosen.wheel.before.iter().rev().enumerate().take(room.max(0) as usize) {
        let top = word_top - gap - step * (index as i32 + 1);
        canvas.line(
            word,
            small,
            Point::new(left, top),
            width,
            Align::Left,
            if index == 0 { near } else { faint },
        );
    }
    let below = word_top + Fonts::line_height(large) + gap;
    let room = (end(area).y - below) / step.max(1);
    for (index, word) in chosen.wheel.after.iter().enumerate().take(room.max(0) as usize) {
        let top = below + step * index as i32 + (step - Fonts::line_height(small));
        canvas.line(
            word,
            small,
            Point::new(left, top),
            width,
            Align::Left,
            if index == 0 { near } else { faint },
        );
    }
    if !chosen.kind.is_empty() && layout.class == Class::Wide {
        canvas.line(
            chosen.kind,
            layout.sized(90),
            area.top_left - Point::new(0, layout.margin),
            width,
            Align::Left,
            faint,
        );
    }
}

/// As large as the word fits, and how narrow its letters have to be.
fn word_size(canvas: &mut Canvas, layout: &Layout, area: &Rectangle, word: &str) -> (u32, u32) {
    let sizes = if layout.class == Class::Wide {
        [230, 200, 170, 145, 120]
    } else {
        [160, 150, 140, 130, 120]
    };
    let sizes = sizes.map(|hundredths| layout.sized(hundredths));
    let fits = |size: &u32| canvas.fonts.width(word, *size) <= area.size.width as i32;
    let size = sizes.into_iter().find(fits).unwrap_or(sizes[4]);
    canvas.fonts.squeeze(word, size, area.size.width as i32)
}

/// What was typed, with a bar where the next letter goes.
pub fn typed(canvas: &mut Canvas, layout: &Layout, area: &Rectangle, text: &str) {
    let size = layout.sized(if text.chars().count() > 24 { 120 } else { 160 });
    let (ink, accent) = (canvas.theme.ink, canvas.theme.accent);
    let (bar, height) = ((size as i32 / 12).max(2), Fonts::line_height(size));
    let width = area.size.width as i32 - bar * 3;
    let most = (area.size.height as i32 / height).max(1);
    let all = canvas.fonts.wrap(text, size, width, usize::MAX);
    // The end is what one is typing.
    let lines = &all[all.len().saturating_sub(most as usize)..];
    let mut top = area.center().y - height * lines.len() as i32 / 2;
    let is_backwards = shaping::is_right_to_left(text) != canvas.is_mirrored;
    let (start, align) = if is_backwards {
        (end(area).x, Align::Right)
    } else {
        (area.top_left.x, Align::Left)
    };
    for line in lines {
        canvas.line(line, size, Point::new(start, top), width, align, ink);
        top += height;
    }
    let used = lines.last().map_or(0, |line| canvas.fonts.width(line, size));
    let left = if is_backwards { start - used - bar * 2 } else { start + used + bar };
    let at = Point::new(left, top - height + 1);
    canvas.fill(&Rectangle::new(at, Size::new(bar as u32, size)), accent);
}

/// Style, colour and number on small plates.
fn choice(canvas: &mut Canvas, layout: &Layout, at: Point, choice: &Choice) {
    let size = layout.sized(88);
    let mut left = at.x;
    let right = end(&layout.label).x;
    let colour = choice.colour.as_deref().map(|name| (name, choice.patch.as_deref()));
    let plates = [
        Some((choice.style.as_str(), None)),
        colour,
        choice.several.as_deref().map(|text| (text, None)),
    ];
    for (text, patch) in plates.into_iter().flatten().filter(|(text, _)| !text.is_empty()) {
        left += plate(canvas, Point::new(left, at.y), right - left, size, text, patch) + size as i32 / 2;
    }
}

/// A plate with a word and an optional colour patch; returns its width.
fn plate(canvas: &mut Canvas, at: Point, room: i32, size: u32, text: &str, patch: Option<&str>) -> i32 {
    let (line, ink, ground) = (canvas.theme.line, canvas.theme.ink, canvas.theme.ground);
    let pad = size as i32 * 2 / 3;
    let height = Fonts::line_height(size) + pad;
    let dot = patch.map_or(0, |_| size as i32 + pad / 2);
    let width = canvas.fonts.width(text, size) + pad * 2 + dot;
    if width > room {
        return 0;
    }
    let area = Rectangle::new(at, Size::new(width as u32, height as u32));
    if canvas.theme.crisp {
        canvas.framed(&area, height / 2, 1, line, ground);
    } else {
        canvas.rounded(&area, height / 2, line);
    }
    if let Some(patch) = patch {
        let round = Rectangle::new(at + Point::new(pad, (height - size as i32) / 2), Size::new_equal(size));
        canvas.rounded(&round, size as i32 / 2, paint(patch));
    }
    canvas.line(text, size, at + Point::new(pad + dot, pad / 2), width, Align::Left, ink);
    width
}

/// The colour of an English word, softened like the colours of the pictures; grey for unknown words.
fn paint(name: &str) -> Rgb888 {
    static SOFT: LazyLock<[(&str, [u8; 3]); 6]> = LazyLock::new(|| {
        [
            ("red", [222, 56, 49]),
            ("green", [63, 153, 73]),
            ("blue", [56, 112, 214]),
            ("yellow", [250, 204, 60]),
            ("orange", [244, 137, 44]),
            ("purple", [136, 78, 180]),
        ]
    });
    let soft = SOFT.iter().find(|(word, _)| *word == name).map(|(_, colour)| *colour);
    let [red, green, blue] = soft.unwrap_or_else(|| match name.parse() {
        Ok(Background::Colour(colour)) => colour,
        _ => [128; 3],
    });
    Rgb888::new(red, green, blue)
}

/// On small panels the word is below the card, followed by everything else.
fn small(canvas: &mut Canvas, layout: &Layout, chosen: &Chosen) {
    let area = layout.label;
    let size = layout.sized(110);
    let (ink, faint) = (canvas.theme.ink, canvas.theme.faint);
    let rest: Vec<&str> = [
        Some(chosen.choice.style.as_str()),
        chosen.choice.colour.as_deref(),
        chosen.choice.several.as_deref(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let width = area.size.width as i32;
    let word = canvas.fonts.fit(&chosen.wheel.word, size, width * 3 / 5);
    let used = canvas.line(&word, size, area.top_left, width, Align::Left, ink);
    let room = width - canvas.fonts.width(&word, size) - size as i32;
    let small = layout.sized(92);
    let at = Point::new(end(&area).x, area.top_left.y + (used - Fonts::line_height(small)));
    canvas.line(&rest.join(" · "), small, at, room, Align::Right, faint);
}

/// The upper part of the wheel turns it back, the lower part on; the selected word is for typing; the card draws.
pub fn touched(layout: &Layout, at: Point) -> Target {
    let label = layout.label;
    if layout.card.contains(at) {
        return Target::Button(Button::Confirm);
    }
    if !layout.has_column() {
        let is_left = at.x < layout.panel.center().x;
        return match (label.contains(at), is_left) {
            (true, _) => Target::Words,
            (false, true) => Target::Button(Button::Previous),
            (false, false) => Target::Button(Button::Next),
        };
    }
    let part = label.size.height as i32 / 3;
    match at.y - label.top_left.y {
        above if above < part => Target::Button(Button::Previous),
        within if within < part * 2 => Target::Words,
        _ => Target::Button(Button::Next),
    }
}
