//! A display and its contents: draws and presents what changed, and retries a display that failed.

use std::time::Duration;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::screens::{Look, Painter};
use super::settings::LookSettings;
use super::state::{Scene, View};
use crate::device::buttons::Signal;
use crate::device::display::{DisplayError, Frame, Panel, Screen};

/// Delay before a failed display is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// A display.
pub struct Output {
    screen: Box<dyn Screen>,
    /// Its colours and the edge of its buttons.
    pub look: Look,
    /// The shown frame, and the one that the next view is painted into.
    frame: Frame,
    next: Frame,
    shown: Option<View>,
    gone: Option<Duration>,
}

impl Output {
    /// A display on which nothing was shown yet.
    pub fn new(screen: Box<dyn Screen>, look: &LookSettings) -> Output {
        Output {
            look: Look::of(screen.panel(), look),
            frame: Frame::new(Size::zero()),
            next: Frame::new(Size::zero()),
            screen,
            shown: None,
            gone: None,
        }
    }

    /// The panel.
    pub fn panel(&self) -> &Panel {
        self.screen.panel()
    }

    /// The panel's size, in pixels.
    pub fn size(&self) -> Size {
        self.screen.panel().size
    }

    /// Columns and lines, if it writes text itself.
    pub fn text_grid(&self) -> Option<Size> {
        self.screen.text_grid()
    }

    /// Whether nothing can move on it.
    pub fn is_slow(&self) -> bool {
        self.screen.panel().has_slow_refresh()
    }

    /// Whether it has input of its own, such as keys, that must be polled.
    pub fn has_keys(&self) -> bool {
        self.screen.has_input()
    }

    /// When it is tried again; `None` while it works.
    pub fn retry(&self) -> Option<Duration> {
        self.gone
    }

    /// Whether it failed and has not worked since.
    pub fn is_gone(&self) -> bool {
        self.gone.is_some()
    }

    /// Shows a view unless it is shown already.
    pub fn show(&mut self, painter: &mut Painter, view: &View, now: Duration) {
        if self.screen.has_lost_contents() {
            self.shown = None;
        }
        if self.gone.is_some_and(|retry| now < retry) || view.scene == Scene::Dark {
            return;
        }
        let view = if self.screen.panel().has_slow_refresh() {
            still(view)
        } else {
            view.clone()
        };
        let size = self.size();
        if self.shown.as_ref() == Some(&view) && self.frame.size() == size {
            return;
        }
        if let Some(grid) = self.screen.text_grid() {
            if self.frame.size() != size {
                self.frame = Frame::new(size);
            }
            let text = painter.paint_page(&view, &self.look, grid, &mut self.frame);
            return match self.screen.present_text(&self.frame, &text) {
                Ok(()) => (self.shown, self.gone) = (Some(view), None),
                Err(error) => self.failed(&error, now),
            };
        }
        let damage = self.paint(painter, &view, size);
        if damage.is_zero_sized() {
            self.shown = Some(view);
            return;
        }
        match self.screen.present(&self.frame, damage) {
            Ok(()) => (self.shown, self.gone) = (Some(view), None),
            Err(error) => self.failed(&error, now),
        }
    }

    /// Paints a view into the frame; returns the area that changed.
    fn paint(&mut self, painter: &mut Painter, view: &View, size: Size) -> Rectangle {
        let before = self.shown.as_ref().filter(|_| self.frame.size() == size);
        if let Some(area) = before.and_then(|before| painter.repaint(before, view, &self.look, &mut self.frame)) {
            return area;
        }
        if self.next.size() != size {
            self.next = Frame::new(size);
        }
        painter.paint(view, &self.look, &mut self.next);
        let damage = match before {
            Some(_) => self.next.difference(&self.frame),
            None => self.next.bounding_box(),
        };
        std::mem::swap(&mut self.frame, &mut self.next);
        damage
    }

    /// Applies new look settings.
    pub fn restyle(&mut self, settings: &LookSettings) {
        let look = Look::of(self.screen.panel(), settings);
        if look != self.look {
            (self.look, self.shown) = (look, None);
        }
    }

    /// Switches the panel off until something is shown.
    pub fn sleep(&mut self, now: Duration) {
        self.shown = None;
        if let Err(error) = self.screen.sleep() {
            self.failed(&error, now);
        }
    }

    /// Brightness from 0 to 1.
    pub fn dim(&mut self, brightness: f32, now: Duration) {
        self.shown = None;
        if let Err(error) = self.screen.dim(brightness) {
            self.failed(&error, now);
        }
    }

    /// Input that came in through the display.
    pub fn signals(&mut self, now: Duration) -> Vec<Signal> {
        if self.gone.is_some() {
            return Vec::new();
        }
        self.screen.signals().unwrap_or_else(|error| {
            self.failed(&error, now);
            Vec::new()
        })
    }

    fn failed(&mut self, error: &DisplayError, now: Duration) {
        if self.gone.is_none() {
            log::error!("{error}");
        }
        (self.gone, self.shown) = (Some(now + RETRY), None);
    }
}

/// The view for panels that are too slow for anything to move: without progress and fades.
fn still(view: &View) -> View {
    let mut view = view.clone();
    match &mut view.scene {
        Scene::Drawing {
            pictures, at, done, left, ..
        } => {
            pictures.fill(None);
            (*at, *done) = (0, 0);
            left.clear();
        }
        Scene::Attract { shown, coming, .. } => {
            if let Some((coming, _)) = coming.take() {
                *shown = Some(coming);
            }
        }
        _ => {}
    }
    view
}

/// Whether a touch is within a frame of this size.
pub fn within(size: Size, at: Point) -> bool {
    Rectangle::new(Point::zero(), size).contains(at)
}
