//! Four pictures with the letters of the buttons that select them.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::LETTERS;
use super::attract::{label, title_size};
use super::canvas::Canvas;
use super::layout::{Layout, inset};
use crate::kiosk::state::Shown;
use crate::kiosk::text::{Align, Fonts};

/// Opacity of pictures that are not selected, of 255.
const ASIDE: u8 = 80;

/// What there is to choose from.
pub struct Offer<'a> {
    pub title: &'a str,
    pub pictures: &'a [Shown],
    /// Asks which one; empty once one is picked.
    pub question: &'a str,
}

pub fn draw(canvas: &mut Canvas, layout: &Layout, offer: &Offer, at: Option<usize>, picked: bool) {
    let pictures = offer.pictures;
    let (accent, on_accent) = (canvas.theme.accent, canvas.theme.on_accent);
    for (index, (area, shown)) in layout.quarters().iter().zip(pictures).enumerate() {
        let here = at == Some(index);
        if here {
            let width = (layout.margin / 4).max(2);
            canvas.rounded(&inset(area, -width), canvas.radius(area) + width, accent);
        }
        canvas.card(area, Some(shown), if picked && !here { ASIDE } else { 255 });
        badge(
            canvas,
            layout,
            area,
            LETTERS[index],
            if here {
                (accent, on_accent)
            } else {
                (canvas.theme.ground, canvas.theme.ink)
            },
        );
    }
    let chosen = at.and_then(|at| pictures.get(at)).filter(|_| picked);
    match chosen {
        Some(shown) => {
            label(canvas, layout, shown, false);
        }
        None if !layout.has_column() => {
            let at = Point::new(layout.label.center().x, layout.label.top_left.y);
            let ink = canvas.theme.ink;
            let words = [offer.title, offer.question].join(" · ");
            canvas.line(&words, layout.sized(110), at, layout.label.size.width as i32, Align::Centre, ink);
        }
        None => invite(canvas, layout, offer),
    }
}

/// The question, the title, and the styles if they differ.
fn invite(canvas: &mut Canvas, layout: &Layout, offer: &Offer) {
    let Offer { title, pictures, question } = offer;
    let area = layout.label;
    let (large, small) = (title_size(layout), layout.sized(95));
    let (ink, faint, near) = (canvas.theme.ink, canvas.theme.faint, canvas.theme.near());
    let differ = pictures.iter().any(|shown| shown.style != pictures[0].style);
    let styles: Vec<String> = if differ {
        pictures
            .iter()
            .zip(LETTERS)
            .map(|(shown, letter)| format!("{letter}  {}", shown.style))
            .collect()
    } else {
        pictures.first().map(|shown| shown.style.clone()).into_iter().collect()
    };
    let width = area.size.width as i32;
    let lines = canvas.fonts.wrap(title, large, width, 2).len() as i32;
    let asked = canvas.fonts.wrap(question, large, width, 2).len() as i32;
    let height = (lines + asked) * Fonts::line_height(large) + styles.len() as i32 * Fonts::line_height(small) + layout.margin / 2;
    let top = if layout.is_beside() {
        layout.words_end() - height
    } else {
        area.top_left.y
    };
    let mut at = Point::new(area.top_left.x, top);
    at.y += canvas.lines(question, large, at, width, 2, Align::Left, near);
    at.y += canvas.lines(title, large, at, width, 2, Align::Left, ink) + layout.margin / 2;
    for style in styles {
        at.y += canvas.line(&style, small, at, width, Align::Left, faint);
    }
}

/// A letter in the upper left corner of a card.
fn badge(canvas: &mut Canvas, layout: &Layout, area: &Rectangle, letter: &str, colours: (super::Rgb, super::Rgb)) {
    let size = layout.sized(80);
    let side = size * 3 / 2;
    let round = Rectangle::new(area.top_left + Point::new_equal(layout.margin / 4), Size::new_equal(side));
    canvas.rounded(&round, side as i32 / 2, colours.0);
    let top = round.center().y - Fonts::line_height(size) / 2 + 1;
    canvas.line(
        letter,
        size,
        Point::new(round.center().x, top),
        side as i32,
        Align::Centre,
        colours.1,
    );
}
