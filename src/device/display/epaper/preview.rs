//! What an e-paper panel would show, on another display.
//!
//! Owns [`Preview`], a [`Screen`] that passes frames on in the panel's inks, dithered as for the panel itself.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::screen::Options;
use crate::device::buttons::Signal;
use crate::device::display::{DisplayError, Frame, Panel, Screen};
use crate::picture::dither::{Appearance, Ditherer};
use embedded_graphics::pixelcolor::Rgb888;

/// A display that plays an e-paper panel: its inks, its name, its slowness as far as others ask for it.
pub struct Preview<Inner> {
    inner: Inner,
    panel: Panel,
    ditherer: Ditherer,
    appearance: Appearance,
}

impl<Inner: Screen> Preview<Inner> {
    /// Plays a panel on a display of the same size.
    ///
    /// # Errors
    /// If the display has another size.
    pub fn new(inner: Inner, options: Options, appearance: Appearance) -> Result<Self, DisplayError> {
        let panel = Panel {
            name: format!("preview of {} on {}", options.panel().name, inner.panel().name),
            ..options.panel()
        };
        if inner.panel().size != panel.size {
            return Err(DisplayError::Failed {
                display: panel.name,
                problem: format!("it has {} pixels and the panel {}", inner.panel().size, panel.size),
            });
        }
        Ok(Preview {
            inner,
            panel,
            ditherer: Ditherer::new(options.palette, options.dithering),
            appearance,
        })
    }
}

impl<Inner> Preview<Inner> {
    /// The display that plays the panel.
    pub fn inner(&self) -> &Inner {
        &self.inner
    }
}

impl<Inner: Screen> Screen for Preview<Inner> {
    fn panel(&self) -> &Panel {
        &self.panel
    }

    fn present(&mut self, frame: &Frame, _damage: Rectangle) -> Result<(), DisplayError> {
        let shown = inked(frame, &self.ditherer, self.appearance);
        // Error diffusion carries a change anywhere to the right and below.
        self.inner.present(&shown, shown.bounding_box())
    }

    fn sleep(&mut self) -> Result<(), DisplayError> {
        self.inner.sleep()
    }

    fn dim(&mut self, brightness: f32) -> Result<(), DisplayError> {
        self.inner.dim(brightness)
    }

    fn signals(&mut self) -> Result<Vec<Signal>, DisplayError> {
        self.inner.signals()
    }
}

/// A frame in the inks of a panel.
pub fn inked(frame: &Frame, ditherer: &Ditherer, appearance: Appearance) -> Frame {
    let colours = match appearance {
        Appearance::Measured => ditherer.palette().measured(),
        Appearance::Adapted => ditherer.palette().adapted(),
    };
    let dithered = ditherer.rgb(frame.size().width, frame.bytes());
    let mut shown = Frame::new(frame.size());
    let colour = |&ink: &u8| {
        let [red, green, blue] = colours.get(ink as usize).copied().unwrap_or_default();
        Rgb888::new(red, green, blue)
    };
    let Ok(()) = shown.fill_contiguous(&frame.bounding_box(), dithered.inks().iter().map(colour));
    shown
}
