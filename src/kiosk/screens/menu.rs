//! A list of lines with their values.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::canvas::Canvas;
use super::layout::{Layout, end, inset, sides};
use crate::device::buttons::Button;
use crate::kiosk::text::{Align, Fonts};

/// The list's area and the height of a line.
fn list(layout: &Layout, count: usize) -> (Rectangle, i32) {
    let inner = inset(&layout.body, layout.margin);
    let most = layout.text as i32 * 24;
    let spare = (inner.size.width as i32 - most).max(0) / 2;
    let area = sides(inner.top_left.x + spare, inner.top_left.y, end(&inner).x - spare, end(&inner).y);
    let height = (area.size.height as i32 / count.max(1) as i32).min(layout.text as i32 * 5 / 2);
    (area, height)
}

pub fn draw(canvas: &mut Canvas, layout: &Layout, lines: &[(String, String)], at: usize) {
    let (area, height) = list(layout, lines.len());
    let size = layout.sized(110).min((height * 2 / 3).max(10) as u32);
    let (ink, faint, accent, on_accent) = (canvas.theme.ink, canvas.theme.faint, canvas.theme.accent, canvas.theme.on_accent);
    let first = area.center().y - height * lines.len() as i32 / 2;
    let pad = size as i32;
    for (index, (name, value)) in lines.iter().enumerate() {
        let top = first + height * index as i32;
        let row = sides(area.top_left.x, top, end(&area).x, top + height - 2);
        let (words, worth) = if index == at { (on_accent, on_accent) } else { (ink, faint) };
        if index == at {
            canvas.rounded(&row, height / 3, accent);
        }
        let text_top = row.center().y - Fonts::line_height(size) / 2 + 1;
        let half = row.size.width as i32 / 2 - pad;
        canvas.line(name, size, Point::new(row.top_left.x + pad, text_top), half, Align::Left, words);
        canvas.line(value, size, Point::new(end(&row).x - pad, text_top), half, Align::Right, worth);
    }
}

/// The upper half of the list goes back, the lower half on.
pub fn touched(layout: &Layout, at: Point) -> Button {
    if at.y < layout.body.center().y {
        Button::Previous
    } else {
        Button::Next
    }
}
