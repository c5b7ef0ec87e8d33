//! What the kiosk looks like: a [`View`] becomes a frame, on any panel from 128×64 dots to 1920×1080 pixels. One file a
//! scene; [`layout`] says where things are, [`theme`] in which colours. Depends on the state machine's views, on
//! [`crate::kiosk::text`] and on frames; knows no driver.

mod attract;
mod by_hand;
mod canvas;
mod choose;
mod drawing;
mod four;
mod keyboard;
pub mod layout;
mod menu;
mod message;
mod page;
mod picture;
#[cfg(test)]
mod tests;
pub mod theme;
mod tiny;

use std::borrow::Cow;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

pub use layout::Edge;
use layout::{Class, Layout, end};
pub use theme::Theme;

use super::settings::LookSettings;
use super::state::{PAPER, Scene, Shown, Target, View};
use super::text::{Align, Fonts};
use crate::device::buttons::Button;
use crate::device::display::{Frame, Panel, TextRun};
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
        let mut layout = layout_of(view, frame.size(), look.edge);
        let notice = if layout.class == Class::Tiny {
            None
        } else {
            Notice::reserve(&mut self.fonts, &mut layout, view)
        };
        let theme = theme_of(view, &look.theme, layout.class);
        let mut canvas = Canvas {
            frame,
            fonts: &mut self.fonts,
            scaled: &mut self.scaled,
            theme: &theme,
            is_mirrored: is_mirrored(view),
        };
        canvas.fill(&layout.panel, theme.ground);
        match &view.scene {
            Scene::Dark => canvas.fill(&layout.panel, Rgb::BLACK),
            _ if layout.class == Class::Tiny => tiny::draw(&mut canvas, &layout, view),
            scene => {
                draw(&mut canvas, &layout, scene);
                legends(&mut canvas, &layout, view);
                notice.iter().for_each(|notice| notice.draw(&mut canvas));
            }
        }
    }

    /// Draws a view for a display that writes text itself, never mirrored: pictures over the whole frame, which has one pixel a column and two a
    /// line. Returns the words.
    pub fn paint_page(&mut self, view: &View, look: &Look, grid: Size, frame: &mut Frame) -> Vec<TextRun> {
        let mut canvas = Canvas {
            frame,
            fonts: &mut self.fonts,
            scaled: &mut self.scaled,
            theme: &look.theme,
            is_mirrored: false,
        };
        page::draw(&mut canvas, grid, view)
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
            is_mirrored: is_mirrored(view),
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
            ..
        } if view.notice.is_none() => Some((shown, coming, *there)),
        _ => None,
    }
}

type Rgb = embedded_graphics::pixelcolor::Rgb888;

/// The slide show has the whole panel; everything else has legends.
fn layout_of(view: &View, size: Size, edge: Edge) -> Layout {
    let is_mirrored = is_mirrored(view);
    let edge = if is_mirrored { edge.mirrored() } else { edge };
    let layout = match view.scene {
        Scene::Attract { .. } => Layout::full(size),
        Scene::Dark => Layout::new(size, edge, false),
        _ => Layout::new(size, edge, true),
    };
    if is_mirrored { layout.for_mirror() } else { layout }
}

/// Whether a view is drawn mirrored. Keyboards have their keys in the same order everywhere.
fn is_mirrored(view: &View) -> bool {
    view.is_right_to_left && !matches!(view.scene, Scene::Keyboard { .. })
}

/// The slide show is one large card.
fn theme_of<'a>(view: &View, theme: &'a Theme, class: Class) -> Cow<'a, Theme> {
    match view.scene {
        Scene::Attract { .. } if class != Class::Tiny => Cow::Owned(theme.over_card()),
        _ => Cow::Borrowed(theme),
    }
}

fn draw(canvas: &mut Canvas, layout: &Layout, scene: &Scene) {
    match scene {
        Scene::Dark => {}
        Scene::Attract { shown, coming, call } => attract::draw(canvas, layout, shown.as_ref(), coming.as_ref(), call),
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
        Scene::Keyboard { text, hint, rows, at } => keyboard::draw(canvas, layout, (text, hint), rows, *at),
        Scene::Menu { lines, at } => menu::draw(canvas, layout, lines, *at),
        Scene::Paper {
            paper,
            shown,
            title,
            style,
            hint,
        } => {
            let words = by_hand::Words { title, style, hint };
            by_hand::draw(canvas, layout, paper.as_ref(), shown.as_ref(), &words);
        }
        Scene::Drawing { .. } => drawing::draw(canvas, layout, scene),
        Scene::Four {
            title,
            pictures,
            at,
            picked,
            question,
        } => four::draw(canvas, layout, &four::Offer { title, pictures, question }, *at, *picked),
        Scene::Picture {
            shown,
            favourite,
            code,
            place,
            around,
            here,
        } => {
            picture::draw(canvas, layout, shown, *favourite, code.as_ref(), *place);
            picture::around(canvas, layout, around, *here);
        }
        Scene::Code(code) => picture::code_alone(canvas, layout, code),
        Scene::Message { text } => message::draw(canvas, layout, text),
    }
}

/// What is at a point of a display that writes text itself.
pub fn touched_page(view: &View, grid: Size, at: Point) -> Option<Target> {
    page::touched(view, grid, at)
}

/// The buttons.
const BUTTONS: [Button; 4] = [Button::A, Button::B, Button::C, Button::D];
/// The letters on the buttons.
const LETTERS: [&str; 4] = ["A", "B", "C", "D"];

/// Labels of the buttons: a word, and the button's letter on a badge, above the word or before it. All words have the same size.
fn legends(canvas: &mut Canvas, layout: &Layout, view: &View) {
    let is_small = layout.class == Class::Small;
    let (side, gap) = badge_size(layout);
    let room = |area: &Rectangle| area.size.width as i32 - if is_small { side + gap * 3 } else { layout.legend as i32 / 5 };
    let shown: Vec<(&Rectangle, &str, &str)> = (layout.legends.iter().zip(&view.legends).zip(LETTERS))
        .map(|((area, legend), letter)| (area, legend.as_str(), letter))
        .filter(|(area, legend, _)| !legend.is_empty() && !area.is_zero_sized())
        .collect();
    let size = shown
        .iter()
        .map(|(area, legend, _)| canvas.fonts.squeeze(legend, layout.legend, room(area)).0);
    let size = size.min().unwrap_or(layout.legend);
    for (area, legend, letter) in shown {
        let squeezed = canvas.fonts.squeeze(legend, size, room(area));
        if is_small {
            inline(canvas, layout, area, (legend, squeezed), letter);
        } else {
            stacked(canvas, layout, area, (legend, squeezed), letter);
        }
    }
}

/// Diameter of the badge of a legend, and its distance from the word.
fn badge_size(layout: &Layout) -> (i32, i32) {
    let size = layout.legend as i32;
    if layout.class == Class::Small {
        (size * 11 / 10, (size / 5).max(2))
    } else {
        (size * 45 / 100, size / 12)
    }
}

/// Height of a capital of this size, and what is above it in a line, in pixels.
fn capital(size: u32) -> (i32, i32) {
    (size as i32 * 61 / 100, size as i32 * 19 / 100)
}

/// The badge above the word. Below the body half of it is over the lower margin.
fn stacked(canvas: &mut Canvas, layout: &Layout, area: &Rectangle, (legend, squeezed): (&str, (u32, u32)), letter: &str) {
    let (side, gap) = badge_size(layout);
    let (height, above) = capital(squeezed.0);
    let centre = area.center();
    let is_below = area.top_left.y >= end(&layout.body).y;
    let top = if is_below {
        area.top_left.y - side / 2
    } else {
        centre.y - (side + gap + height) / 2
    };
    badge(canvas, Point::new(centre.x, top + side / 2), side, letter);
    let ink = canvas.theme.ink;
    canvas.squeezed(legend, squeezed, Point::new(centre.x, top + side + gap - above), Align::Centre, ink);
}

/// The badge before the word.
fn inline(canvas: &mut Canvas, layout: &Layout, area: &Rectangle, (legend, (size, narrow)): (&str, (u32, u32)), letter: &str) {
    let (side, gap) = badge_size(layout);
    let words = canvas.fonts.width(legend, size) * narrow as i32 / 100;
    let (left, middle) = (area.center().x - (side + gap + words) / 2, area.center().y);
    badge(canvas, Point::new(left + side / 2, middle), side, letter);
    let top = middle - Fonts::line_height(size) / 2 + 1;
    let ink = canvas.theme.ink;
    canvas.squeezed(legend, (size, narrow), Point::new(left + side + gap, top), Align::Left, ink);
}

/// A button's letter on a disc.
fn badge(canvas: &mut Canvas, centre: Point, side: i32, letter: &str) {
    let (accent, on_accent) = (canvas.theme.accent, canvas.theme.on_accent);
    let disc = Rectangle::new(centre - Point::new_equal(side / 2), Size::new_equal(side as u32));
    canvas.rounded(&disc, side / 2, accent);
    let size = (side as u32 * 4 / 5).max(8);
    let (height, above) = capital(size);
    let top = disc.top_left.y + (side - height) / 2 - above;
    canvas.line(letter, size, Point::new(disc.center().x, top), side * 2, Align::Centre, on_accent);
}

/// Lines of a hint or a warning, and where they go.
struct Notice {
    lines: Vec<String>,
    size: u32,
    area: Rectangle,
}

impl Notice {
    /// Makes room for the view's notice.
    fn reserve(fonts: &mut Fonts, layout: &mut Layout, view: &View) -> Option<Notice> {
        let text = view.notice.as_ref()?;
        let has_words = !matches!(view.scene, Scene::Menu { .. } | Scene::Message { .. } | Scene::Keyboard { .. });
        let size = layout.sized(90);
        let pad = size as i32 * 3 / 4;
        let lines = fonts.wrap(text, size, layout.reserved_width(has_words) - pad * 2, 5);
        let height = lines.len() as i32 * Fonts::line_height(size) + pad;
        let area = layout.reserve(height, has_words);
        Some(Notice { lines, size, area })
    }

    fn draw(&self, canvas: &mut Canvas) {
        let pad = self.size as i32 * 3 / 4;
        let (accent, on_accent) = (canvas.theme.accent, canvas.theme.on_accent);
        canvas.rounded(&self.area, pad, accent);
        let mut at = Point::new(self.area.center().x, self.area.top_left.y + pad / 2);
        for line in &self.lines {
            at.y += canvas.line(line, self.size, at, self.area.size.width as i32, Align::Centre, on_accent);
        }
    }
}

/// Where a point of a panel of this size is on the paper of this view, in thousandths of its sides; nothing beside it.
pub fn on_paper(view: &View, size: Size, edge: Edge, at: Point) -> Option<Point> {
    let layout = layout_of(view, size, edge);
    let paper = canvas::room(&layout.card);
    let paper = if is_mirrored(view) { canvas::mirrored(&paper, size) } else { paper };
    let side = paper.size.width.max(1) as i32;
    paper.contains(at).then(|| (at - paper.top_left) * PAPER / side)
}

/// What is at a point of a panel of this size that shows this view.
pub fn touched(view: &View, size: Size, edge: Edge, at: Point) -> Option<Target> {
    let layout = layout_of(view, size, edge);
    let at = if is_mirrored(view) {
        canvas::mirrored(&Rectangle::new(at, Size::new_equal(1)), size).top_left
    } else {
        at
    };
    let within = |areas: &[Rectangle; 4]| areas.iter().position(|area| area.contains(at)).map(|index| BUTTONS[index]);
    if let Some(button) = within(&layout.legends) {
        return Some(Target::Button(button));
    }
    let button = match &view.scene {
        Scene::Dark | Scene::Attract { .. } | Scene::Code(_) | Scene::Message { .. } => Some(Button::Confirm),
        Scene::Choose { .. } => return Some(choose::touched(&layout, at)),
        Scene::Keyboard { rows, .. } => return keyboard::touched(&layout, rows, at).map(Target::Letter),
        Scene::Four { picked: false, .. } => within(&layout.quarters()),
        Scene::Menu { .. } => Some(menu::touched(&layout, at)),
        Scene::Picture { place: Some(_), .. } => Some(if at.x < layout.panel.center().x {
            Button::Previous
        } else {
            Button::Next
        }),
        Scene::Picture { .. } | Scene::Four { .. } | Scene::Drawing { .. } | Scene::Paper { .. } => None,
    };
    button.map(Target::Button)
}
