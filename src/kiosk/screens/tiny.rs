//! Panels of a few lines: text only, as on a status display.

use embedded_graphics::mono_font::iso_8859_1::{FONT_5X8, FONT_6X10};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Baseline, Text};

use super::canvas::Canvas;
use super::drawing::bar;
use super::layout::{Layout, end, sides};
use crate::kiosk::state::{Scene, View};
use crate::kiosk::text::Align;

/// Height of a line of words.
const LINE: i32 = 13;

pub fn draw(canvas: &mut Canvas, layout: &Layout, view: &View) {
    let (head, lines, done) = words(view);
    let width = layout.panel.size.width as i32;
    let mut top = 0;
    if !head.is_empty() {
        let row = Rectangle::new(Point::zero(), Size::new(width as u32, LINE as u32));
        let (ink, ground) = (canvas.theme.ink, canvas.theme.ground);
        canvas.fill(&row, ink);
        write(canvas, &head, Point::new(2, 1), width - 4, ground);
        top = LINE + 2;
    }
    let bottom = end(&layout.body).y;
    let notice = view
        .notice
        .iter()
        .flat_map(|notice| canvas.fonts.wrap(notice, 12, width - 4, 2))
        .collect::<Vec<_>>();
    for line in lines.iter().chain(&notice).filter(|line| !line.is_empty()) {
        if top + LINE > bottom - if done.is_some() { 8 } else { 0 } {
            break;
        }
        let ink = canvas.theme.ink;
        write(canvas, line, Point::new(2, top), width - 4, ink);
        top += LINE;
    }
    if let Some(done) = done {
        bar(canvas, &sides(2, bottom - 7, width - 2, bottom - 1), done);
    }
    legends(canvas, layout, view);
}

/// A heading, lines below it, and how much is done.
fn words(view: &View) -> (String, Vec<String>, Option<u32>) {
    match &view.scene {
        Scene::Dark => (String::new(), Vec::new(), None),
        Scene::Attract { shown, coming, call } => {
            let shown = coming
                .as_ref()
                .filter(|(_, there)| *there > 127)
                .map(|(shown, _)| shown)
                .or(shown.as_ref());
            let mut lines = shown.map_or(Vec::new(), |shown| vec![shown.title.clone(), shown.style.clone()]);
            lines.push(call.clone());
            ("inkstone".into(), lines, None)
        }
        Scene::Choose { wheel, choice, .. } => {
            let rest = [Some(choice.style.clone()), choice.colour.clone(), choice.several.clone()];
            let rest: Vec<String> = rest.into_iter().flatten().collect();
            let after = wheel.after.first().cloned().unwrap_or_default();
            (wheel.word.clone(), vec![rest.join(" · "), after], None)
        }
        Scene::Menu { lines, at } => {
            let line = |by: usize| {
                lines
                    .get((at + by) % lines.len().max(1))
                    .map(|(name, value)| format!("{name}: {value}"))
            };
            (line(0).unwrap_or_default(), (1..3).filter_map(line).collect(), None)
        }
        Scene::Keyboard { text, hint, rows, at } => {
            let keys = rows.concat();
            let sign = |index: usize| keys.get(index).map_or(' ', |key| if *key == '\u{8}' { '<' } else { *key });
            let around: String = (at.saturating_sub(3)..at + 5)
                .map(|index| {
                    if index == *at {
                        format!("[{}]", sign(index))
                    } else {
                        sign(index).to_string()
                    }
                })
                .collect();
            let head = if text.is_empty() { hint } else { text };
            (head.clone(), vec![around], None)
        }
        Scene::Paper { title, style, hint, .. } => (title.clone(), vec![style.clone(), hint.clone()], None),
        Scene::Drawing {
            title,
            style,
            left,
            doing,
            done,
            ..
        } => {
            let left = if left.is_empty() { doing } else { left };
            (title.clone(), vec![format!("{style}  {left}")], Some(*done))
        }
        Scene::Four {
            title,
            pictures,
            at,
            picked,
            question,
        } => {
            let chosen = at
                .filter(|_| *picked)
                .and_then(|at| Some((pictures.get(at)?, super::LETTERS.get(at)?)));
            let line = chosen.map_or_else(|| "A  B  C  D".to_owned(), |(shown, letter)| format!("{letter}: {}", shown.style));
            (title.clone(), vec![line, question.clone()], None)
        }
        Scene::Picture {
            shown, favourite, place, ..
        } => {
            let heart = if *favourite { "* " } else { "" };
            let place = place.map_or_else(String::new, |(place, of)| format!("{place} / {of}"));
            (format!("{heart}{}", shown.title), vec![shown.style.clone(), place], None)
        }
        Scene::Code(code) => (String::new(), vec![code.command.clone()], None),
        Scene::Message { text } => (String::new(), vec![text.clone()], None),
    }
}

/// Whole words: where one does not fit, the first of several, or as much as there is room for.
fn legends(canvas: &mut Canvas, layout: &Layout, view: &View) {
    let ink = canvas.theme.ink;
    for (area, legend) in layout.legends.iter().zip(&view.legends) {
        let (at, width) = (area.top_left + Point::new(1, 1), area.size.width as i32 - 1);
        let fit = |words: &str| words.chars().count() as i32 * 5 <= width;
        if !fits(legend, &FONT_5X8) {
            canvas.line(legend, 10, at - Point::new(0, 2), width, Align::Left, ink);
            continue;
        }
        let first = legend.split(' ').next().unwrap_or_default();
        let whole = [legend.as_str(), first].into_iter().find(|words| fit(words));
        let cut = || legend.chars().take((width / 5).max(1) as usize).collect();
        dots(canvas, &whole.map_or_else(cut, str::to_owned), at, &FONT_5X8, ink);
    }
}

/// Words in a font made of dots where it has their letters, else in any.
fn write(canvas: &mut Canvas, text: &str, at: Point, width: i32, colour: super::Rgb) {
    if fits(text, &FONT_6X10) {
        let most = (width / 6).max(1) as usize;
        let cut: String = text.chars().take(most).collect();
        dots(canvas, &cut, at + Point::new(0, 1), &FONT_6X10, colour);
    } else {
        canvas.line(text, 13, at - Point::new(0, 1), width, Align::Left, colour);
    }
}

fn fits(text: &str, font: &MonoFont) -> bool {
    // Characters that the bitmap font lacks are drawn as its question mark.
    let fallback = font.glyph_mapping.index('?');
    text.chars()
        .all(|letter| letter == '?' || font.glyph_mapping.index(letter) != fallback)
}

fn dots(canvas: &mut Canvas, text: &str, at: Point, font: &MonoFont, colour: super::Rgb) {
    let size = Size::new(text.chars().count() as u32 * font.character_size.width, font.character_size.height);
    canvas.upright(&Rectangle::new(at, size), |canvas, area| {
        let Ok(_) = Text::with_baseline(text, area.top_left, MonoTextStyle::new(font, colour), Baseline::Top).draw(canvas.frame);
    });
}
