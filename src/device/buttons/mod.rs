//! Buttons, wheels, touch and motion. A driver sends raw [`Signal`]s through a [`SignalSender`]; [`Gestures`] turns them
//! into [`Event`]s by the settings and the clock. Depends on nothing but the names of keys.
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

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use embedded_graphics::prelude::Point;

use crate::suggest::did_you_mean;

/// Something that a source saw, before it is known what it means.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Signal {
    /// A key or line was pressed or released. [`Signal::key`] makes one from any spelling.
    Key {
        /// Canonical name of the key or line, as [`bindings::canonical`] returns it: `gpio5`, `enter`, `escape`.
        name: String,
        /// Whether it is down now.
        pressed: bool,
    },
    /// A key whose release is not reported, as in a terminal, by its canonical name.
    Tap(String),
    /// A character was typed; the backspace key is U+0008. Comes after its key, if that is reported too.
    Character(char),
    /// A wheel was turned by this many notches, positive clockwise.
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

impl Signal {
    /// A key or line by any of its names, such as `KEY_ENTER`, `enter` or `gpio5`.
    pub fn key(name: &str, pressed: bool) -> Signal {
        Signal::Key {
            name: bindings::canonical(name),
            pressed,
        }
    }
}

/// A signal and when it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// The signal.
    pub signal: Signal,
    /// When it came.
    pub at: Instant,
}

/// Where drivers send signals. Clones send to the same receiver, from any thread.
#[derive(Clone)]
pub struct SignalSender(Arc<dyn Fn(Timed) -> bool + Send + Sync>);

impl SignalSender {
    /// A sender that calls a function. The function must not block; it returns false once nobody listens any more.
    pub fn new(receive: impl Fn(Timed) -> bool + Send + Sync + 'static) -> SignalSender {
        SignalSender(Arc::new(receive))
    }

    /// Sends a signal. Returns false once nobody listens any more: the driver may then end.
    pub fn send(&self, signal: Signal, at: Instant) -> bool {
        (self.0)(Timed { signal, at })
    }
}

impl From<Sender<Timed>> for SignalSender {
    fn from(sender: Sender<Timed>) -> SignalSender {
        SignalSender::new(move |timed| sender.send(timed).is_ok())
    }
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
    /// The fourth: menu.
    D,
    /// Towards the beginning of a list.
    Previous,
    /// Towards the end of a list.
    Next,
    /// Accept the selection.
    Confirm,
    /// Leave the current screen.
    Back,
}

impl Button {
    /// All buttons.
    pub const ALL: [Button; 8] = [
        Button::A,
        Button::B,
        Button::C,
        Button::D,
        Button::Previous,
        Button::Next,
        Button::Confirm,
        Button::Back,
    ];

    /// The name in settings and scripts, such as `a` or `previous`.
    pub const fn name(self) -> &'static str {
        match self {
            Button::A => "a",
            Button::B => "b",
            Button::C => "c",
            Button::D => "d",
            Button::Previous => "previous",
            Button::Next => "next",
            Button::Confirm => "confirm",
            Button::Back => "back",
        }
    }
}

impl std::str::FromStr for Button {
    type Err = UnknownButton;

    fn from_str(name: &str) -> Result<Button, UnknownButton> {
        let found = Button::ALL.into_iter().find(|button| button.name() == name);
        found.ok_or_else(|| UnknownButton { name: name.to_owned() })
    }
}

/// No button has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no button '{name}'{}", did_you_mean(name, &Button::ALL.map(Button::name)))]
pub struct UnknownButton {
    /// The name.
    pub name: String,
}

/// How a button was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gesture {
    /// Pressed and released.
    Short,
    /// Twice in quick succession.
    Double,
    /// Held down; reported while it is still down.
    Long,
    /// Still held down: repeats after [`Gesture::Long`].
    Hold,
}

/// What a visitor did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A button.
    Press(Button, Gesture),
    /// A wheel, in notches.
    Turn(i32),
    /// A touch that ended where it began.
    Touch {
        /// Index of the display that was touched; 0 is the main one.
        output: usize,
        /// Where, in pixels of that display's frame.
        at: Point,
        /// How.
        gesture: Gesture,
    },
    /// A character was typed.
    Character(char),
    /// A whole text was entered elsewhere, such as on a phone. It replaces what was typed before.
    Text(String),
    /// Someone is there.
    Motion,
    /// The window was closed.
    Closed,
}
