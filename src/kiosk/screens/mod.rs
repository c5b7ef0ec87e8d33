//! What the kiosk looks like: a [`View`] becomes a frame, on any panel from 128×64 dots to 1920×1080 pixels. One file a
//! scene; [`layout`] says where things are, [`theme`] in which colours. Depends on the state machine's views, on
//! [`crate::kiosk::text`] and on frames; knows no driver.

mod attract;
mod canvas;
mod choose;
mod drawing;
mod four;
pub mod layout;
mod menu;
mod message;
mod picture;
#[cfg(test)]
mod tests;
pub mod theme;
mod tiny;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

pub use layout::Edge;
use layout::{Class, Layout, end};
pub use theme::Theme;

use super::settings::LookSettings;
use super::state::{Scene, Shown, View};
use super::text::{Align, Fonts};
use crate::device::buttons::Button;
use crate::device::display::{Frame, Panel};
use canvas::{Canvas, Scaled};

/// The look of a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Its colours.
    pub theme: Theme,
    /// The edge with its buttons.
    pub edge: Edge,
}

impl Look {
    /// The look of a panel, as close to the settings as its colours allow.
    pub fn of(panel: &Panel, settings: &LookSettings) -> Look {
        Look {
            theme: Theme::of(panel, settings.theme),
            edge: settings.legend,
        }
    }
}

/// Draws views. Holds fonts, drawn letters and scaled pictures.
pub struct Painter {
    fonts: Fonts,
    scaled: Scaled,
}

impl Painter {
    /// A painter that writes with these fonts.
    pub fn new(fonts: Fonts) -> Painter {
        Painter {
            fonts,
            scaled: Scaled::default(),
        }
    }

    /// Draws a view over the whole frame.
    pub fn paint(&mut self, view: &View, look: &Look, frame: &mut Frame) {
        let layout = layout_of(view, frame.size(), look.edge);
        let mut canvas = Canvas {
            frame,
            fonts: &mut self.fonts,
            scaled: &mut self.scaled,
            theme: &look.theme,
        };
        canvas.fill(&layout.panel, look.theme.ground);
        match &view.scene {
            Scene::Dark => canvas.fill(&layout.panel, Rgb::BLACK),
            _ if layout.class == Class::Tiny => tiny::draw(&mut canvas, &layout, view),
            scene => {
                draw(&mut canvas, &layout, scene);
                legends(&mut canvas, &layout, view);
                notice(&mut canvas, &layout, view);
            }
        }
    }

    /// Draws the next step of a fade into the frame with the previous step, if nothing else differs. Returns the area that was
    /// drawn; `None` if the whole view must be painted.
    pub fn repaint(&mut self, before: &View, view: &View, look: &Look, frame: &mut Frame) -> Option<Rectangle> {
        let ((one, other, there), (one_before, other_before, there_before)) = (change(view)?, change(before)?);
        let layout = layout_of(view, frame.size(), look.edge);
        let is_same = (one, other) == (one_before, other_before)
            && attract::is_over_half(there) == attract::is_over_half(there_before)
            && layout.class != Class::Tiny;
        let mut canvas = Canvas {
            frame,
            fonts: &mut self.fonts,
            scaled: &mut self.scaled,
            theme: &look.theme,
        };
        is_same.then(|| canvas.change(&layout.card, one, other, there))
    }
}

/// The two pictures of a fade, and the opacity of the second. `None` if the view shows more than these and their label.
fn change(view: &View) -> Option<(&Shown, &Shown, u8)> {
    match &view.scene {
        Scene::Attract {
            shown: Some(shown),
            coming: Some((coming, there)),
        } if view.notice.is_none() => Some((shown, coming, *there)),
        _ => None,
    }
}

type Rgb = embedded_graphics::pixelcolor::Rgb888;

/// The slide show has the whole panel; everything else has legends.
fn layout_of(view: &View, size: Size, edge: Edge) -> Layout {
    let without = matches!(view.scene, Scene::Attract { .. } | Scene::Dark);
    Layout::new(size, edge, !without)
}

fn draw(canvas: &mut Canvas, layout: &Layout, scene: &Scene) {
    match scene {
        Scene::Dark => {}
        Scene::Attract { shown, coming } => attract::draw(canvas, layout, shown.as_ref(), coming.as_ref()),
        Scene::Choose {
            wheel,
            typed,
            kind,
            choice,
            sketch,
        } => choose::draw(
            canvas,
            layout,
            &choose::Chosen {
                wheel,
                typed: *typed,
                kind,
                choice,
            },
            sketch.as_ref(),
        ),
        Scene::Menu { lines, at } => menu::draw(canvas, layout, lines, *at),
        Scene::Drawing { .. } => drawing::draw(canvas, layout, scene),
        Scene::Four {
            title,
            pictures,
            at,
            picked,
        } => four::draw(canvas, layout, title, pictures, *at, *picked),
        Scene::Picture {
            shown,
            favourite,
            code,
            place,
        } => picture::draw(canvas, layout, shown, *favourite, code.as_deref(), *place),
        Scene::Message { text } => message::draw(canvas, layout, text),
    }
}

/// The letters on the buttons.
const LETTERS: [&str; 4] = ["A", "B", "C", "D"];

/// Labels of the buttons: a word, and a round key with its letter if there is room.
fn legends(canvas: &mut Canvas, layout: &Layout, view: &View) {
    let text = layout.sized(if layout.class == Class::Small { 92 } else { 88 });
    for ((area, legend), letter) in layout.legends.iter().zip(&view.legends).zip(LETTERS) {
        if legend.is_empty() || area.is_zero_sized() {
            continue;
        }
        let (middle, width) = (area.center(), area.size.width as i32);
        let top = middle.y - Fonts::line_height(text) / 2 + 1;
        let (ink, accent, on_accent) = (canvas.theme.ink, canvas.theme.accent, canvas.theme.on_accent);
        let key = text as i32 * 3 / 2;
        let gap = text as i32 / 2;
        let words = canvas.fonts.width(legend, text);
        if layout.class == Class::Small || key + gap + words > width - gap {
            canvas.line(legend, text, Point::new(middle.x, top), width - 4, Align::Centre, ink);
            continue;
        }
        let left = middle.x - (key + gap + words) / 2;
        let round = Rectangle::new(Point::new(left, middle.y - key / 2), Size::new_equal(key as u32));
        canvas.rounded(&round, key / 2, accent);
        canvas.line(letter, text, Point::new(left + key / 2, top), key, Align::Centre, on_accent);
        canvas.line(legend, text, Point::new(left + key + gap, top), words + 1, Align::Left, ink);
    }
}

/// A hint or a warning, over the lower edge of the body.
fn notice(canvas: &mut Canvas, layout: &Layout, view: &View) {
    let Some(text) = &view.notice else { return };
    let size = layout.sized(90);
    let (pad, most) = (size as i32 * 3 / 4, layout.body.size.width as i32 - layout.margin * 2);
    let lines = canvas.fonts.wrap(text, size, most - pad * 2, 3);
    let widths: Vec<i32> = lines.iter().map(|line| canvas.fonts.width(line, size)).collect();
    let width = widths.into_iter().max().unwrap_or(0) + pad * 2;
    let height = lines.len() as i32 * Fonts::line_height(size) + pad;
    let bottom = end(&layout.body).y - layout.margin / 2;
    let middle = layout.body.center().x;
    let area = layout::sides(middle - width / 2, bottom - height, middle + (width + 1) / 2, bottom);
    let (accent, on_accent) = (canvas.theme.accent, canvas.theme.on_accent);
    canvas.rounded(&area, pad, accent);
    for (index, line) in lines.iter().enumerate() {
        let top = area.top_left.y + pad / 2 + index as i32 * Fonts::line_height(size);
        canvas.line(line, size, Point::new(middle, top), most, Align::Centre, on_accent);
    }
}

/// The button at a point of a panel of this size that shows this view.
pub fn touched(view: &View, size: Size, edge: Edge, at: Point) -> Option<Button> {
    const BUTTONS: [Button; 4] = [Button::A, Button::B, Button::C, Button::D];
    let layout = layout_of(view, size, edge);
    let within = |areas: &[Rectangle; 4]| areas.iter().position(|area| area.contains(at)).map(|index| BUTTONS[index]);
    if let Some(button) = within(&layout.legends) {
        return Some(button);
    }
    match &view.scene {
        Scene::Dark | Scene::Attract { .. } | Scene::Message { .. } => Some(Button::Confirm),
        Scene::Choose { .. } => Some(choose::touched(&layout, at)),
        Scene::Four { picked: false, .. } => within(&layout.quarters()),
        Scene::Menu { .. } => Some(menu::touched(&layout, at)),
        Scene::Picture { place: Some(_), .. } => Some(if at.x < layout.panel.center().x {
            Button::Previous
        } else {
            Button::Next
        }),
        Scene::Picture { .. } | Scene::Four { .. } | Scene::Drawing { .. } => None,
    }
}
