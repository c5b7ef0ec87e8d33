//! A message without a picture.

use embedded_graphics::prelude::*;

use super::canvas::Canvas;
use super::layout::{Layout, inset};
use crate::kiosk::text::{Align, Fonts};

pub fn draw(canvas: &mut Canvas, layout: &Layout, text: &str) {
    let area = inset(&layout.body, layout.margin * 2);
    let size = layout.sized(130);
    let ink = canvas.theme.ink;
    let width = area.size.width as i32;
    let count = canvas.fonts.wrap(text, size, width, 5).len() as i32;
    let top = area.center().y - count * Fonts::line_height(size) / 2;
    canvas.lines(text, size, Point::new(area.center().x, top), width, 5, Align::Centre, ink);
}
