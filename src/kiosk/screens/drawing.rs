//! The preview of a picture, progress, and remaining time.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::attract::title_size;
use super::canvas::Canvas;
use super::layout::{Layout, end, inset, sides};
use crate::kiosk::state::{Scene, Shown};
use crate::kiosk::text::{Align, Fonts};

pub fn draw(canvas: &mut Canvas, layout: &Layout, scene: &Scene) {
    let Scene::Drawing {
        title,
        style,
        pictures,
        at,
        done,
        left,
        doing,
    } = scene
    else {
        return;
    };
    if let [picture] = pictures.as_slice() {
        one(canvas, &layout.card, picture.as_ref(), true);
    } else {
        for (index, (area, picture)) in layout.quarters().iter().zip(pictures).enumerate() {
            one(canvas, area, picture.as_ref(), index == *at);
        }
    }
    let left = if left.is_empty() { doing } else { left };
    let area = layout.label;
    let (ink, faint) = (canvas.theme.ink, canvas.theme.faint);
    let width = area.size.width as i32;
    let thick = (layout.text as i32 / 3).max(3);
    if !layout.has_column() {
        canvas.line(title, layout.sized(110), area.top_left, width * 3 / 5, Align::Left, ink);
        let at = Point::new(end(&area).x, area.top_left.y + 1);
        canvas.line(left, layout.sized(92), at, width * 2 / 5, Align::Right, faint);
        let bottom = end(&layout.card).y;
        bar(
            canvas,
            &sides(layout.card.top_left.x + 8, bottom - thick - 6, end(&layout.card).x - 8, bottom - 6),
            *done,
        );
        return;
    }
    let (large, small) = (title_size(layout), layout.sized(95));
    let lines = canvas.fonts.wrap(title, large, width, 2).len() as i32;
    let height = lines * Fonts::line_height(large) + Fonts::line_height(small) * 3 + layout.margin * 2 + thick;
    let top = if layout.is_beside() {
        layout.words_end() - height
    } else {
        area.top_left.y
    };
    let mut at = Point::new(area.top_left.x, top);
    at.y += canvas.lines(title, large, at, width, 2, Align::Left, ink);
    at.y += canvas.line(style, small, at, width, Align::Left, faint) + layout.margin;
    bar(canvas, &Rectangle::new(at, Size::new(width as u32, thick as u32)), *done);
    at.y += thick + layout.margin / 2;
    canvas.line(left, small, at, width, Align::Left, faint);
}

/// A card with the preview of a picture; a ring before there is one.
fn one(canvas: &mut Canvas, area: &Rectangle, picture: Option<&Shown>, current: bool) {
    canvas.card(area, picture, 255);
    if picture.is_none() {
        let colour = if current { canvas.theme.accent } else { canvas.theme.faint };
        canvas.ring(&inset(area, area.size.width as i32 * 3 / 8), colour);
    }
}

/// Progress in thousandths.
pub fn bar(canvas: &mut Canvas, area: &Rectangle, done: u32) {
    let (line, accent, ground) = (canvas.theme.line, canvas.theme.accent, canvas.theme.ground);
    let radius = area.size.height as i32 / 2;
    if canvas.theme.crisp {
        canvas.framed(area, radius, 1, line, ground);
    } else {
        canvas.rounded(area, radius, line);
    }
    let width = (area.size.width * done.min(1000) / 1000).max(area.size.height);
    if done > 0 {
        canvas.rounded(&Rectangle::new(area.top_left, Size::new(width, area.size.height)), radius, accent);
    }
}
