//! One picture with its label, or the code to take it home.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use qrcode::{Color, EcLevel, QrCode};

use super::attract::label;
use super::canvas::Canvas;
use super::layout::{Layout, end, inset, square};
use crate::kiosk::state::{Code, Shown};
use crate::kiosk::text::{Align, Fonts};

/// Clear modules around a code (ISO/IEC 18004 §5.3.8).
const QUIET: u32 = 4;

pub fn draw(canvas: &mut Canvas, layout: &Layout, shown: &Shown, favourite: bool, code: Option<&Code>, place: Option<(usize, usize)>) {
    match code {
        Some(code) => take_home(canvas, &layout.card, code.text()),
        None => canvas.card(&layout.card, Some(shown), 255),
    }
    let used = label(canvas, layout, shown, favourite);
    let small = !layout.has_column();
    if let (Some(code), false) = (code, small) {
        command(canvas, layout, &used, code);
    }
    if let Some((place, of)) = place {
        let (size, faint) = (layout.sized(80), canvas.theme.faint);
        let at = if small {
            Point::new(end(&layout.label).x, layout.label.top_left.y + 3)
        } else {
            Point::new(end(&layout.label).x, layout.label.top_left.y + layout.margin / 2)
        };
        canvas.line(
            &format!("{place} / {of}"),
            size,
            at,
            layout.label.size.width as i32,
            Align::Right,
            faint,
        );
    }
}

/// A code without a picture.
pub fn code_alone(canvas: &mut Canvas, layout: &Layout, code: &Code) {
    take_home(canvas, &layout.card, code.text());
    let area = layout.label;
    let edge = if layout.is_beside() { end(&area).y } else { area.top_left.y };
    let nothing = Rectangle::new(Point::new(area.top_left.x, edge), Size::zero());
    if layout.has_column() {
        command(canvas, layout, &nothing, code);
    }
}

/// Small pictures in a row: at the upper end of words beside a picture, else at the lower end.
pub fn around(canvas: &mut Canvas, layout: &Layout, pictures: &[Option<Shown>], here: usize) {
    let area = layout.label;
    if pictures.len() < 2 || !layout.has_column() {
        return;
    }
    let (gap, count) = (layout.margin / 3, pictures.len().max(4) as i32);
    let side = ((area.size.width as i32 + gap) / count - gap).min(layout.text as i32 * 4);
    let top = if layout.is_beside() {
        area.top_left.y + layout.text as i32 * 3 / 2
    } else {
        end(&area).y - side - gap
    };
    let accent = canvas.theme.accent;
    for (index, shown) in pictures.iter().enumerate() {
        let corner = Point::new(area.top_left.x + index as i32 * (side + gap), top);
        let card = Rectangle::new(corner, Size::new_equal(side.max(0) as u32));
        if index == here {
            let width = (gap / 2).max(2);
            canvas.rounded(&inset(&card, -width), canvas.radius(&card) + width, accent);
        }
        canvas.card(&card, shown.as_ref(), 255);
    }
}

fn qr_code(text: &str) -> Option<QrCode> {
    let code = |level| QrCode::with_error_correction_level(text, level);
    code(EcLevel::M).or_else(|_| code(EcLevel::L)).ok()
}

/// Whether a code has a pixel for each of its modules.
pub fn code_fits(area: &Rectangle, text: &str) -> bool {
    qr_code(text).is_some_and(|code| code.width() as u32 + QUIET * 2 <= square(area).size.width)
}

/// The code in the place of the picture, black on white, as large as whole pixels allow.
pub fn take_home(canvas: &mut Canvas, area: &Rectangle, text: &str) {
    // A code is not found in a mirror.
    canvas.upright(area, |canvas, area| take_home_upright(canvas, area, text));
}

fn take_home_upright(canvas: &mut Canvas, area: &Rectangle, text: &str) {
    canvas.fill(area, super::Rgb::WHITE);
    let Some(code) = qr_code(text) else { return };
    let modules = code.width() as u32;
    let scale = (square(area).size.width / (modules + QUIET * 2)).max(1);
    let side = modules * scale;
    let corner = area.top_left + (area.size - Size::new_equal(side)) / 2;
    for (index, colour) in code.to_colors().into_iter().enumerate() {
        if colour == Color::Dark {
            let (x, y) = (index as u32 % modules, index as u32 / modules);
            let at = corner + Point::new((x * scale) as i32, (y * scale) as i32);
            canvas.fill(&Rectangle::new(at, Size::new_equal(scale)), super::Rgb::BLACK);
        }
    }
}

/// What to do with the code, and the command itself for those who would rather type it.
fn command(canvas: &mut Canvas, layout: &Layout, used: &Rectangle, code: &Code) {
    let (large, size) = (layout.sized(110), layout.sized(72));
    let (ink, faint) = (canvas.theme.ink, canvas.theme.faint);
    let area = layout.label;
    let mut at = if !layout.is_beside() {
        Point::new(area.top_left.x, end(used).y + layout.margin / 2)
    } else {
        Point::new(area.top_left.x, area.top_left.y + layout.margin / 2)
    };
    let width = area.size.width as i32;
    at.y += canvas.lines(&code.invitation, large, at, width, 3, Align::Left, ink) + layout.margin / 2;
    let below = if layout.is_beside() { used.top_left.y } else { end(&area).y };
    let room = (below - at.y) / Fonts::line_height(size);
    canvas.lines(&code.command, size, at, width, room.clamp(0, 5) as usize, Align::Left, faint);
}
