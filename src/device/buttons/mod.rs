//! Buttons, wheels, touch and motion. A source reports [`Signal`]s, raw and by the names of its lines and keys; what they
//! mean is decided in one place, from settings and the clock, and comes out as [`Event`]s.
//!
//! Drivers for pins, in the order in which they are tried: the kernel's character device, which is maintained and works on
//! every board, then `rppal`, which its author retired in July 2025.

pub mod bindings;
#[cfg(all(feature = "gpio", target_os = "linux"))]
pub mod character_device;
pub mod encoder;
#[cfg(all(feature = "evdev", target_os = "linux"))]
pub mod evdev;
pub mod gestures;
pub mod motion;
pub mod pins;
#[cfg(all(feature = "rppal", target_os = "linux"))]
pub mod rppal;
pub mod script;

pub use bindings::{BindingError, Bindings};
pub use gestures::{Gestures, Timing};
pub use pins::{PinUsedTwice, Pins, Pull, check_uses};
pub use script::{Script, ScriptError};

use std::time::Instant;

use embedded_graphics::prelude::Point;

/// Something that a source saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// A key or line was pressed or let go: `gpio5`, `KEY_ENTER`, `escape`.
    Key {
        /// Name by which the settings know it.
        name: String,
        /// Whether it is down now.
        pressed: bool,
    },
    /// A key that is only heard of when it is pressed, as in a terminal.
    Tap(String),
    /// A letter was typed.
    Character(char),
    /// A wheel was turned by so many notches, clockwise where positive.
    Turn(i32),
    /// A finger or pointer, in pixels of the frame.
    Touch {
        /// Where.
        at: Point,
        /// Whether it is down now.
        pressed: bool,
    },
    /// Someone moved in front of the motion sensor.
    Motion,
    /// The window was closed, or the terminal went away.
    Closed,
}

/// A signal and when it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// The signal.
    pub signal: Signal,
    /// When it came.
    pub at: Instant,
}

/// The buttons of the kiosk. Four are enough for everything; keyboards and remote controls may have the others too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Button {
    /// The first: another word.
    A,
    /// The second: another style.
    B,
    /// The third: draw.
    C,
    /// The fourth: keep.
    D,
    /// Towards the beginning of a list.
    Previous,
    /// Towards the end of a list.
    Next,
    /// Take what is chosen.
    Confirm,
    /// Away from here.
    Back,
}

/// How a button was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gesture {
    /// Pressed and let go.
    Short,
    /// Twice in short succession.
    Double,
    /// Held for a while; reported while it is still down.
    Long,
    /// Still held: again and again after [`Gesture::Long`].
    Hold,
}

/// What a visitor did.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A button.
    Press(Button, Gesture),
    /// A wheel, in notches.
    Turn(i32),
    /// A touch that was let go where it began, in pixels of the frame.
    Touch(Point, Gesture),
    /// A letter was typed.
    Character(char),
    /// Someone is there.
    Motion,
    /// The window was closed.
    Closed,
}
