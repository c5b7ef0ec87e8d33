//! Devices on pins: buttons, encoders, motion sensors.
//!
//! Owns [`Pins`] and the pure conversion of edges to signals, which both GPIO drivers share. Depends on neither.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Signal;
use super::encoder::{EncoderPins, Quadrature};
use super::motion::MotionSensor;

/// Bias of a line while nothing drives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pull {
    /// The board, up: buttons connect the line to ground.
    #[default]
    Up,
    /// The board, down: buttons connect the line to 3.3 V.
    Down,
    /// A resistor outside, up.
    None,
}

/// Lines of the GPIO chip, on a Raspberry Pi by their BCM numbers, and what is on them. Encoders connect their line to
/// ground; motion sensors drive theirs high.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pins {
    /// Buttons.
    pub buttons: Vec<u32>,
    /// Rotary encoders.
    pub encoders: Vec<EncoderPins>,
    /// Motion sensors.
    pub motion: Vec<u32>,
    /// Bias of the lines of buttons; a press drives them the other way.
    pub pull: Pull,
}

/// A pin that is used twice.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[error("pin gpio{pin} is used twice: by {first} and by {second}")]
pub struct PinUsedTwice {
    /// The line.
    pub pin: u32,
    /// One use.
    pub first: String,
    /// The other.
    pub second: String,
}

/// How long a motion sensor is ignored after a report.
const HOLD_OFF: Duration = Duration::from_secs(2);

impl Pins {
    /// Each line and what uses it.
    pub fn uses(&self) -> Vec<(u32, String)> {
        let buttons = self.buttons.iter().map(|&pin| (pin, "a button".to_owned()));
        let encoders = self
            .encoders
            .iter()
            .flat_map(|pins| [(pins.a, "an encoder".to_owned()), (pins.b, "an encoder".to_owned())]);
        let motion = self.motion.iter().map(|&pin| (pin, "a motion sensor".to_owned()));
        buttons.chain(encoders).chain(motion).collect()
    }

    /// Bias of a line.
    pub fn pull(&self, line: u32) -> Pull {
        if self.buttons.contains(&line) {
            self.pull
        } else if self.motion.contains(&line) {
            Pull::Down
        } else {
            Pull::Up
        }
    }

    /// Whether a line is debounced. Those of encoders are not: their state machine tolerates bounces, and quick turns must not be
    /// lost.
    pub fn is_debounced(&self, line: u32) -> bool {
        !self.encoders.iter().any(|pair| pair.a == line || pair.b == line)
    }
}

/// Checks that no line is used twice by buttons, displays or anything else.
///
/// # Errors
/// The first line that is.
pub fn check_uses(uses: impl IntoIterator<Item = (u32, String)>) -> Result<(), PinUsedTwice> {
    let mut seen = BTreeMap::new();
    for (pin, second) in uses {
        if let Some(first) = seen.insert(pin, second.clone()) {
            return Err(PinUsedTwice { pin, first, second });
        }
    }
    Ok(())
}

/// Turns edges of lines into signals.
#[derive(Clone, Debug)]
pub struct Edges {
    pins: Pins,
    encoders: Vec<Quadrature>,
    motion: Vec<MotionSensor>,
}

impl Edges {
    /// For these pins, all at rest.
    pub fn new(pins: Pins) -> Edges {
        Edges {
            encoders: vec![Quadrature::default(); pins.encoders.len()],
            motion: vec![MotionSensor::new(HOLD_OFF); pins.motion.len()],
            pins,
        }
    }

    /// The signal of an edge of a line.
    pub fn edge(&mut self, line: u32, high: bool, at: Instant) -> Option<Signal> {
        if self.pins.buttons.contains(&line) {
            return Some(Signal::Key {
                name: format!("gpio{line}"),
                pressed: high == (self.pins.pull == Pull::Down),
            });
        }
        if let Some(index) = self.pins.motion.iter().position(|&pin| pin == line) {
            return self.motion[index].line(high, at).then_some(Signal::Motion);
        }
        let index = self.pins.encoders.iter().position(|pins| pins.a == line || pins.b == line)?;
        self.encoders[index]
            .line(self.pins.encoders[index].a == line, !high)
            .map(Signal::Turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins() -> Pins {
        toml::from_str("buttons = [5, 6]\nencoders = [{ a = 17, b = 27 }]\nmotion = [4]").unwrap()
    }

    #[test]
    fn edges_become_signals() {
        let (mut edges, now) = (Edges::new(pins()), Instant::now());
        let key = |pressed| {
            Some(Signal::Key {
                name: "gpio5".into(),
                pressed,
            })
        };
        assert_eq!(edges.edge(5, false, now), key(true), "a button pulls its line low");
        assert_eq!(edges.edge(5, true, now), key(false));
        let turned = [(17, false), (27, false), (17, true), (27, true)].map(|(line, high)| edges.edge(line, high, now));
        assert_eq!(turned, [None, None, None, Some(Signal::Turn(1))]);
        let back = [(27, false), (17, false), (27, true), (17, true)].map(|(line, high)| edges.edge(line, high, now));
        assert_eq!(back[3], Some(Signal::Turn(-1)));
        assert_eq!(edges.edge(4, true, now), Some(Signal::Motion));
        assert_eq!(edges.edge(4, false, now), None);
        assert_eq!(edges.edge(9, true, now), None, "a line that nothing is on");
    }

    #[test]
    fn buttons_that_connect_to_the_supply_are_pressed_when_high() {
        let mut pins = pins();
        assert_eq!([5, 17, 4].map(|line| pins.pull(line)), [Pull::Up, Pull::Up, Pull::Down]);
        assert_eq!([5, 17, 4].map(|line| pins.is_debounced(line)), [true, false, true]);
        pins.pull = Pull::Down;
        assert_eq!([5, 17, 4].map(|line| pins.pull(line)), [Pull::Down, Pull::Up, Pull::Down]);
        let pressed = |pressed| {
            Some(Signal::Key {
                name: "gpio5".into(),
                pressed,
            })
        };
        let (mut edges, now) = (Edges::new(pins), Instant::now());
        assert_eq!([true, false].map(|high| edges.edge(5, high, now)), [pressed(true), pressed(false)]);
    }

    #[test]
    fn lines_used_twice_are_named() {
        assert_eq!(check_uses(pins().uses()), Ok(()));
        let display = [(25, "e-paper data/command".to_owned()), (17, "e-paper reset".to_owned())];
        let error = check_uses(pins().uses().into_iter().chain(display)).unwrap_err();
        assert_eq!(error.to_string(), "pin gpio17 is used twice: by an encoder and by e-paper reset");
    }
}
