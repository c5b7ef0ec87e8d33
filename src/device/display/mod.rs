//! Displays: everything is drawn into one [`Frame`], and a [`Screen`] shows it on a panel.
//!
//! | file | what it owns |
//! |---|---|
//! | `frame`, `pixels`, `rotation` | the frame, and its pixels as a panel's memory holds them |
//! | `driver`, `drivers` | a row of the driver table, and the table: parsing, finding and opening displays |
//! | `kind`, `settings`, `mode_request` | which display, and how it is connected, as settings hold it |
//! | `kms`, `framebuffer`, `window`, `terminal`, `png_folder`, `spi_tft`, `epaper`, `ssd1306` | one display each, with its row |
//! | `wires`, `backlight`, `device_file` | what several of them share |
//!
//! No code outside a display's own file knows the display by name: what it can do is in its row ([`Driver`]) and in its
//! [`Screen`] and [`Panel`]. `examples/own_display.rs` adds a display from another crate.

#[cfg(target_os = "linux")]
pub mod backlight;
#[cfg(unix)]
pub mod device_file;
mod driver;
mod drivers;
#[cfg(all(feature = "e-paper", target_os = "linux"))]
pub mod epaper;
mod frame;
#[cfg(all(target_os = "linux", feature = "framebuffer"))]
pub mod framebuffer;
mod kind;
#[cfg(all(target_os = "linux", feature = "kms"))]
pub mod kms;
mod mode_request;
mod pixels;
pub mod png_folder;
mod rotation;
mod settings;
#[cfg(all(target_os = "linux", feature = "spi-tft"))]
pub mod spi_tft;
#[cfg(all(feature = "status-display", target_os = "linux"))]
pub mod ssd1306;
#[cfg(unix)]
pub mod terminal;
#[cfg(all(target_os = "linux", feature = "window"))]
pub mod window;
#[cfg(all(target_os = "linux", any(feature = "e-paper", feature = "spi-tft")))]
mod wires;

pub use driver::{Auto, Detail, Device, Driver, Found, Open, Pin, Presence};
pub use drivers::{Drivers, open};
pub use frame::{Frame, union};
pub use kind::{DisplayKind, DisplayKindError};
pub use mode_request::{ModeRequest, ModeRequestError};
pub use pixels::{Channel, PixelLayout, PixelWriter};
pub use rotation::{Rotation, RotationError};
pub use settings::{DisplaySettings, Gpio};

use std::path::PathBuf;
use std::time::Duration;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::buttons::Signal;

/// The colours that a panel shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Colours {
    /// 24 bits a pixel.
    Full,
    /// 16 bits a pixel: five of red, six of green, five of blue.
    HighColour,
    /// These alone, as they look on the panel, in sRGB.
    Palette(Vec<[u8; 3]>),
    /// On and off.
    Mono,
}

/// The properties of a panel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Panel {
    /// Driver and model, for people: `kms HDMI-A-1`, `e-paper inky-impression-7-3`.
    pub name: String,
    /// Width and height in pixels as the panel is mounted, that is after rotation.
    pub size: Size,
    /// How it is mounted. Its touch screen is turned with it.
    pub rotation: Rotation,
    /// Its colours.
    pub colours: Colours,
    /// How long a full refresh takes; zero if a frame shows at once.
    pub refresh: Duration,
    /// The shortest time between refreshes that does the panel no harm.
    pub minimum_interval: Duration,
}

impl Panel {
    /// A panel of 24-bit colours that shows a frame at once.
    pub fn new(name: impl Into<String>, size: Size) -> Panel {
        Panel {
            name: name.into(),
            size,
            rotation: Rotation::None,
            colours: Colours::Full,
            refresh: Duration::ZERO,
            minimum_interval: Duration::ZERO,
        }
    }

    /// Mounted in another way; the size is the one after rotation.
    #[must_use]
    pub fn with_rotation(self, rotation: Rotation) -> Panel {
        Panel { rotation, ..self }
    }

    /// With other colours.
    #[must_use]
    pub fn with_colours(self, colours: Colours) -> Panel {
        Panel { colours, ..self }
    }

    /// With a refresh that takes time, and the shortest time between two of them.
    #[must_use]
    pub fn with_refresh(self, refresh: Duration, minimum_interval: Duration) -> Panel {
        Panel {
            refresh,
            minimum_interval,
            ..self
        }
    }

    /// Whether a refresh takes too long for anything to move: half a second or more.
    pub fn has_slow_refresh(&self) -> bool {
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
        let problem = format!(
            "the frame has {}x{} pixels, the panel {}x{}",
            given.width, given.height, own.width, own.height
        );
        Err(DisplayError::failed(&self.name, problem))
    }
}

/// A panel that shows frames.
pub trait Screen {
    /// The panel's properties. The size of a window or terminal may change: ask before each frame.
    fn panel(&self) -> &Panel;

    /// Shows a frame of the panel's size. Only the part within `damage` differs from the previous frame; a driver may update
    /// more. Wakes a sleeping panel. A frame of another size, as after a window was resized, is clipped.
    ///
    /// # Errors
    /// If the panel was disconnected, does not answer in time or reports an error. A later call may succeed; its damage has
    /// to be the whole frame, since the panel's contents are lost.
    fn present(&mut self, frame: &Frame, damage: Rectangle) -> Result<(), DisplayError>;

    /// Columns and lines of a display that writes text itself, with one pixel a column and two a line, as terminals without graphics do;
    /// by default there are none.
    fn text_grid(&self) -> Option<Size> {
        None
    }

    /// Shows a frame with text over it, on a display with a [`Screen::text_grid`]; by default without the text.
    ///
    /// # Errors
    /// As [`Screen::present`].
    fn present_text(&mut self, frame: &Frame, _text: &[TextRun]) -> Result<(), DisplayError> {
        self.present(frame, frame.bounding_box())
    }

    /// Whether what was shown is gone since the last call, as on a terminal that something else wrote to while the program was
    /// stopped: then the whole frame has to be presented again.
    fn has_lost_contents(&mut self) -> bool {
        false
    }

    /// Turns the panel off, or black if it cannot be turned off, until the next [`Screen::present`].
    ///
    /// # Errors
    /// As [`Screen::present`].
    fn sleep(&mut self) -> Result<(), DisplayError>;

    /// Sets the brightness, from 0 to 1. Without a dimmable backlight colours are darkened instead; e-paper ignores it. It may
    /// affect only frames that are presented from now on: present the whole frame again.
    ///
    /// # Errors
    /// As [`Screen::present`].
    fn dim(&mut self, _brightness: f32) -> Result<(), DisplayError> {
        Ok(())
    }

    /// Whether the display itself has keys or a pointer, as windows and terminals have, so that [`Screen::signals`] has to be
    /// called often.
    fn has_input(&self) -> bool {
        false
    }

    /// The display's own input since the last call: keys and pointer of a window, keys of a terminal. Never blocks.
    ///
    /// # Errors
    /// As [`Screen::present`].
    fn signals(&mut self) -> Result<Vec<Signal>, DisplayError> {
        Ok(Vec::new())
    }
}

/// Text on a line of a display that writes text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextRun {
    /// Column and line of its first character, from 0.
    pub at: Point,
    /// The text, without control characters that are acted upon.
    pub text: String,
    /// Its colour.
    pub colour: Rgb888,
    /// The colour behind it.
    pub ground: Rgb888,
}

/// Why a display does not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisplayError {
    /// There is no such display.
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
    /// The panel was disconnected, or an operation failed.
    #[error("{display}: {problem}")]
    Failed {
        /// The display.
        display: String,
        /// What happened.
        problem: String,
    },
}

impl DisplayError {
    /// [`DisplayError::Failed`] with what went wrong.
    pub fn failed(display: impl Into<String>, problem: impl std::fmt::Display) -> DisplayError {
        DisplayError::Failed {
            display: display.into(),
            problem: problem.to_string(),
        }
    }

    /// [`DisplayError::Absent`] with what is missing and what to do.
    pub fn absent(display: impl Into<String>, problem: impl std::fmt::Display, advice: impl Into<String>) -> DisplayError {
        DisplayError::Absent {
            display: display.into(),
            problem: problem.to_string(),
            advice: advice.into(),
        }
    }
}

/// A frame in which adjacent pixels differ and no two edges are alike.
#[cfg(test)]
pub(crate) fn test_pattern(size: Size) -> Frame {
    let mut frame = Frame::new(size);
    let rgba: Vec<u8> = (0..size.height)
        .flat_map(|y| (0..size.width).flat_map(move |x| [(x * 7 + y) as u8, (y * 5) as u8 ^ x as u8, (x + 3 * y) as u8, 255]))
        .collect();
    frame.blend(&rgba, size.width, embedded_graphics::prelude::Point::zero());
    frame
}
