//! Displays: everything is drawn into one [`Frame`], and a [`Screen`] shows it on a panel. One driver a file.

#[cfg(target_os = "linux")]
pub mod backlight;
#[cfg(unix)]
pub mod device_file;
#[cfg(all(feature = "e-paper", target_os = "linux"))]
pub mod epaper;
pub mod folder;
mod frame;
#[cfg(all(target_os = "linux", feature = "framebuffer"))]
pub mod framebuffer;
#[cfg(all(target_os = "linux", feature = "kms"))]
pub mod kms;
mod mode_wish;
mod pixels;
pub mod probe;
mod rotation;
mod settings;
#[cfg(all(target_os = "linux", feature = "spi-tft"))]
pub mod spi_tft;
#[cfg(all(feature = "status-display", target_os = "linux"))]
pub mod status;
#[cfg(unix)]
pub mod terminal;
#[cfg(all(target_os = "linux", feature = "window"))]
pub mod window;
#[cfg(all(target_os = "linux", any(feature = "e-paper", feature = "spi-tft")))]
mod wires;

pub use frame::{Frame, union};
pub use mode_wish::{ModeWish, ModeWishError};
pub use pixels::{Channel, PixelLayout, PixelWriter};
pub use rotation::{Rotation, RotationError};
pub use settings::{DisplayKind, DisplayKindError, DisplaySettings, Gpio, TerminalPictures};

use std::path::PathBuf;
use std::time::Duration;

use embedded_graphics::prelude::Size;
use embedded_graphics::primitives::Rectangle;

use super::buttons::Signal;

/// The colours that a panel shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Colours {
    /// 24 bits a pixel.
    Full,
    /// 16 bits a pixel: five of red, six of green, five of blue.
    HighColour,
    /// These alone, as they look on the panel, sRGB.
    Palette(Vec<[u8; 3]>),
    /// On and off.
    Mono,
}

/// What a panel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    /// Driver and model, for people: `kms HDMI-A-1`, `e-paper inky-impression-7-3`.
    pub name: String,
    /// Width and height as it is looked at, in pixels: after rotation.
    pub size: Size,
    /// Its colours.
    pub colours: Colours,
    /// How long one full refresh takes; zero where a frame is seen at once.
    pub refresh: Duration,
    /// Shortest time from one refresh to the next that does the panel no harm.
    pub minimum_interval: Duration,
}

impl Panel {
    /// Whether a refresh takes so long that nothing can move.
    pub fn is_slow(&self) -> bool {
        self.refresh >= Duration::from_millis(500)
    }

    /// Refuses frames of another size than the panel's.
    #[cfg(all(target_os = "linux", any(feature = "e-paper", feature = "status-display")))]
    fn check_size(&self, frame: &Frame) -> Result<(), DisplayError> {
        use embedded_graphics::prelude::OriginDimensions;
        let (given, own) = (frame.size(), self.size);
        if given == own {
            return Ok(());
        }
        let problem = format!("a frame of {given} pixels was given to a panel of {own}");
        Err(DisplayError::failed(&self.name, problem))
    }
}

/// A panel that shows frames.
pub trait Screen {
    /// What the panel is. Its size may change (a window): ask before each drawing.
    fn panel(&self) -> &Panel;

    /// Shows a frame of the panel's size. Only the part within `damage` differs from the frame shown before; a driver may
    /// show more. Wakes a sleeping panel. A frame of another size, as when a window has just been enlarged, is cut off.
    ///
    /// # Errors
    /// If the panel is gone, does not answer in time or refuses. A later call may succeed; it must present the whole frame
    /// anew, since what was shown is lost.
    fn present(&mut self, frame: &Frame, damage: Rectangle) -> Result<(), DisplayError>;

    /// Switches the panel off, as far as it can be, until the next [`Screen::present`].
    ///
    /// # Errors
    /// As [`Screen::present`].
    fn sleep(&mut self) -> Result<(), DisplayError>;

    /// Brightness from 0 to 1. Panels whose light cannot be dimmed show darker colours instead, and e-paper does nothing.
    /// It may show only in what is presented from then on: present the whole frame again.
    ///
    /// # Errors
    /// As [`Screen::present`].
    fn dim(&mut self, _brightness: f32) -> Result<(), DisplayError> {
        Ok(())
    }

    /// What came in by way of the display itself: a window's keys and pointer, a terminal's keys. Never waits.
    ///
    /// # Errors
    /// As [`Screen::present`].
    fn signals(&mut self) -> Result<Vec<Signal>, DisplayError> {
        Ok(Vec::new())
    }
}

/// A display that does not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisplayError {
    /// There is none of that kind.
    #[error("{display}: {problem}; {advice}")]
    Absent {
        /// The kind of display, or its device file.
        display: String,
        /// What is missing.
        problem: String,
        /// What to do.
        advice: String,
    },
    /// The device file may not be opened.
    #[error("{path}: permission denied; add this user to the group '{group}' (`sudo usermod -aG {group} $USER`, then log in again)")]
    Permission {
        /// The device file.
        path: PathBuf,
        /// The group that owns it.
        group: String,
    },
    /// The panel did not answer in time.
    #[error("{display}: no answer within {seconds} s; check the cable and the pins")]
    Timeout {
        /// The display.
        display: String,
        /// Seconds waited.
        seconds: u64,
    },
    /// The panel was there and is gone, or an operation failed.
    #[error("{display}: {problem}")]
    Failed {
        /// The display.
        display: String,
        /// What happened.
        problem: String,
    },
}

impl DisplayError {
    /// [`DisplayError::Failed`] of whatever an operation said.
    pub fn failed(display: impl Into<String>, problem: impl std::fmt::Display) -> DisplayError {
        DisplayError::Failed {
            display: display.into(),
            problem: problem.to_string(),
        }
    }

    /// [`DisplayError::Absent`], with what to do.
    pub fn absent(display: impl Into<String>, problem: impl std::fmt::Display, advice: impl Into<String>) -> DisplayError {
        DisplayError::Absent {
            display: display.into(),
            problem: problem.to_string(),
            advice: advice.into(),
        }
    }
}

/// A frame in which neighbours differ and all edges can be told apart.
#[cfg(test)]
pub(crate) fn test_pattern(size: Size) -> Frame {
    let mut frame = Frame::new(size);
    let rgba: Vec<u8> = (0..size.height)
        .flat_map(|y| (0..size.width).flat_map(move |x| [(x * 7 + y) as u8, (y * 5) as u8 ^ x as u8, (x + 3 * y) as u8, 255]))
        .collect();
    frame.blend(&rgba, size.width, embedded_graphics::prelude::Point::zero());
    frame
}
