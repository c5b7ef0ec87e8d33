//! A display with what is on it: what changed is drawn and presented, and a display that fails is tried again.

use std::time::Duration;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::screens::{Look, Painter};
use super::settings::LookSettings;
use super::state::{Scene, View};
use crate::device::buttons::Signal;
use crate::device::display::{DisplayError, Frame, Screen};

/// How long a display that failed is left alone.
const RETRY: Duration = Duration::from_secs(5);

/// A display.
pub struct Output {
    screen: Box<dyn Screen>,
    /// How it is to look.
    pub look: Look,
    /// What is shown, and where the next view is painted.
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

    /// The panel's size, in pixels.
    pub fn size(&self) -> Size {
        self.screen.panel().size
    }

    /// Whether nothing can move on it.
    pub fn is_slow(&self) -> bool {
        self.screen.panel().is_slow()
    }

    /// Whether keys come in by way of it, so that it has to be asked for them.
    pub fn has_keys(&self) -> bool {
        matches!(self.screen.panel().name.as_str(), "window" | "terminal")
    }

    /// When it is tried again, where it failed.
    pub fn retry(&self) -> Option<Duration> {
        self.gone
    }

    /// Whether it failed and was not seen to work since.
    pub fn is_gone(&self) -> bool {
        self.gone.is_some()
    }

    /// Shows a view, where that is not what is shown already.
    pub fn show(&mut self, painter: &mut Painter, view: &View, now: Duration) {
        if self.gone.is_some_and(|retry| now < retry) || view.scene == Scene::Dark {
            return;
        }
        let view = if self.screen.panel().is_slow() { still(view) } else { view.clone() };
        let size = self.size();
        if self.shown.as_ref() == Some(&view) && self.frame.size() == size {
            return;
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

    /// Paints a view into the frame; answers what is now other than what is shown.
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

    /// Takes on another look.
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

    /// What came in by way of the display.
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

/// What a panel shows on which nothing can move: a drawing from its beginning to its end is one picture, and so is a change.
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
        Scene::Attract { shown, coming } => {
            if let Some((coming, _)) = coming.take() {
                *shown = Some(coming);
            }
        }
        _ => {}
    }
    view
}

/// The place of a touch within a frame: nothing outside it.
pub fn within(size: Size, at: Point) -> bool {
    Rectangle::new(Point::zero(), size).contains(at)
}
