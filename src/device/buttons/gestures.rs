//! Gestures: debounced short, double, long and held presses; touches; typed characters.
//!
//! Owns [`Gestures`], a pure state machine: each signal comes with its time, and the owner calls it again at
//! [`Gestures::deadline`]. Depends on [`Bindings`] only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use embedded_graphics::prelude::Point;

use super::bindings::{Bindings, canonical};
use super::{Button, Event, Gesture, Signal};

/// Durations that tell gestures apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Changes within this time after a change of a key are bounces.
    pub debounce: Duration,
    /// A second press within this time after the first makes a double press.
    pub double: Duration,
    /// A press of at least this is long.
    pub long: Duration,
    /// Interval at which a held button repeats.
    pub hold: Duration,
    /// Pixels that a finger may move during a touch.
    pub tolerance: i32,
}

impl Default for Timing {
    fn default() -> Self {
        let milliseconds = Duration::from_millis;
        Timing {
            debounce: milliseconds(15),
            double: milliseconds(300),
            long: milliseconds(600),
            hold: milliseconds(150),
            tolerance: 24,
        }
    }
}

/// One key or pin. A change takes effect at once and further ones within the debounce time do not, so that a press is never
/// delayed; the state at the end of that time then takes effect.
#[derive(Clone, Copy, Debug)]
struct Key {
    believed: bool,
    seen: bool,
    quiet_from: Instant,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Held; how much of that was reported.
    Down { next: Instant, is_long: bool, is_second: bool },
    /// Released, but a second press may follow.
    Once { until: Instant },
}

#[derive(Clone, Copy, Debug)]
struct Finger {
    began: Point,
    at: Point,
    since: Instant,
    is_long: bool,
}

/// Turns signals into events.
#[derive(Clone, Debug)]
pub struct Gestures {
    bindings: Bindings,
    timing: Timing,
    doubles: BTreeSet<Button>,
    keys: BTreeMap<String, Key>,
    buttons: BTreeMap<Button, State>,
    /// The key that was tapped last, until its character comes.
    tapped: Option<String>,
    /// At most one finger for each output.
    fingers: BTreeMap<usize, Finger>,
}

impl Gestures {
    /// Only `doubles` wait for a second press; short presses of other buttons are reported as soon as the button is released.
    pub fn new(bindings: Bindings, timing: Timing, doubles: impl IntoIterator<Item = Button>) -> Gestures {
        Gestures {
            bindings,
            timing,
            doubles: doubles.into_iter().collect(),
            keys: BTreeMap::new(),
            buttons: BTreeMap::new(),
            tapped: None,
            fingers: BTreeMap::new(),
        }
    }

    /// The events of a signal that came at `at` from the display at index `output` (0 where it came from no display), after
    /// everything that was due before it.
    pub fn signal(&mut self, output: usize, signal: &Signal, at: Instant) -> Vec<Event> {
        let mut events = self.tick(at);
        match signal {
            Signal::Key { name, pressed } => self.key(name, *pressed, at, &mut events),
            Signal::Tap(name) => {
                events.extend(self.bindings.button(name).map(|button| Event::Press(button, Gesture::Short)));
                self.tapped = Some(name.clone());
            }
            Signal::Character(letter) => events.extend(self.character(*letter)),
            Signal::Turn(notches) => events.push(Event::Turn(*notches)),
            Signal::Touch { at: place, pressed } => events.extend(self.touch(output, *place, *pressed, at)),
            Signal::Motion => events.push(Event::Motion),
            Signal::Closed => events.push(Event::Closed),
        }
        events
    }

    /// The events that are due by now.
    pub fn tick(&mut self, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        // In order of time: a long press may be due before a key settles, or after.
        while let Some(due) = self.deadline().filter(|due| *due <= now) {
            self.settle(due, &mut events);
            self.buttons_due(due, &mut events);
            self.fingers_due(due, &mut events);
        }
        events
    }

    /// When to call [`Gestures::tick`] next unless a signal comes before.
    pub fn deadline(&self) -> Option<Instant> {
        let keys = self.keys.values().filter(|key| key.seen != key.believed).map(|key| key.quiet_from);
        let buttons = self.buttons.values().map(|state| match *state {
            State::Down { next, .. } => next,
            State::Once { until } => until,
        });
        let fingers = self.fingers.values().filter(|finger| !finger.is_long);
        let fingers = fingers.map(|finger| finger.since + self.timing.long);
        keys.chain(buttons).chain(fingers).min()
    }

    fn key(&mut self, name: &str, pressed: bool, at: Instant, events: &mut Vec<Event>) {
        let key = self.keys.entry(name.to_owned()).or_insert(Key {
            believed: false,
            seen: false,
            quiet_from: at,
        });
        key.seen = pressed;
        if key.believed != pressed && at >= key.quiet_from {
            (key.believed, key.quiet_from) = (pressed, at + self.timing.debounce);
            self.change(name, pressed, at, events);
        }
    }

    /// Applies the states that keys settled on.
    fn settle(&mut self, now: Instant, events: &mut Vec<Event>) {
        let settled = |(_, key): &(&String, &mut Key)| key.seen != key.believed && key.quiet_from <= now;
        let mut changes = Vec::new();
        for (name, key) in self.keys.iter_mut().filter(settled) {
            (key.believed, key.quiet_from) = (key.seen, now + self.timing.debounce);
            changes.push((name.clone(), key.believed));
        }
        for (name, pressed) in changes {
            self.change(&name, pressed, now, events);
        }
    }

    fn change(&mut self, name: &str, pressed: bool, at: Instant, events: &mut Vec<Event>) {
        let Some(button) = self.bindings.button(name) else { return };
        let others_down = self
            .keys
            .iter()
            .any(|(other, key)| other != name && key.believed && self.bindings.button(other) == Some(button));
        if others_down {
            return;
        }
        let state = self.buttons.remove(&button);
        if pressed {
            let is_second = matches!(state, Some(State::Once { .. }));
            self.buttons.insert(
                button,
                State::Down {
                    next: at + self.timing.long,
                    is_long: false,
                    is_second,
                },
            );
            return;
        }
        match state {
            Some(State::Down {
                is_long: false,
                is_second: true,
                ..
            }) => events.push(Event::Press(button, Gesture::Double)),
            Some(State::Down { is_long: false, .. }) if self.doubles.contains(&button) => {
                self.buttons.insert(
                    button,
                    State::Once {
                        until: at + self.timing.double,
                    },
                );
            }
            Some(State::Down { is_long: false, .. }) => events.push(Event::Press(button, Gesture::Short)),
            _ => {}
        }
    }

    fn buttons_due(&mut self, now: Instant, events: &mut Vec<Event>) {
        let (long, hold) = (Gesture::Long, self.timing.hold.max(Duration::from_millis(1)));
        self.buttons.retain(|&button, state| match state {
            State::Once { until } if *until <= now => {
                events.push(Event::Press(button, Gesture::Short));
                false
            }
            State::Down { next, is_long, is_second } if *next <= now => {
                if *is_second && !*is_long {
                    events.push(Event::Press(button, Gesture::Short));
                }
                events.push(Event::Press(button, if *is_long { Gesture::Hold } else { long }));
                (*next, *is_long) = (*next + hold, true);
                true
            }
            _ => true,
        });
    }

    /// A typed character, unless its key is a button. Keyboards report the key before its character, other sources the character only.
    fn character(&mut self, letter: char) -> Option<Event> {
        let name = match letter {
            ' ' => "space".to_owned(),
            '\u{8}' | '\u{7f}' => "backspace".to_owned(),
            letter => canonical(&letter.to_string()),
        };
        let is_tapped = self.tapped.take().is_some_and(|tapped| tapped == name);
        match self.bindings.button(&name) {
            Some(_) if is_tapped || self.keys.get(&name).is_some_and(|key| key.seen) => None,
            Some(button) => Some(Event::Press(button, Gesture::Short)),
            None => Some(Event::Character(letter)),
        }
    }

    fn touch(&mut self, output: usize, place: Point, pressed: bool, at: Instant) -> Option<Event> {
        let Some(finger) = self.fingers.get_mut(&output) else {
            let began = Finger {
                began: place,
                at: place,
                since: at,
                is_long: false,
            };
            if pressed {
                self.fingers.insert(output, began);
            }
            return None;
        };
        finger.at = place;
        if pressed {
            return None;
        }
        let finger = self.fingers.remove(&output)?;
        (!finger.is_long && near(finger.began, place, self.timing.tolerance)).then_some(Event::Touch {
            output,
            at: finger.began,
            gesture: Gesture::Short,
        })
    }

    fn fingers_due(&mut self, now: Instant, events: &mut Vec<Event>) {
        let Timing { long, tolerance, .. } = self.timing;
        let due = |finger: &Finger| !finger.is_long && now >= finger.since + long;
        for (&output, finger) in self.fingers.iter_mut().filter(|(_, finger)| due(finger)) {
            finger.is_long = true;
            if near(finger.began, finger.at, tolerance) {
                events.push(Event::Touch {
                    output,
                    at: finger.began,
                    gesture: Gesture::Long,
                });
            }
        }
    }
}

fn near(one: Point, other: Point, tolerance: i32) -> bool {
    (one.x - other.x).abs() <= tolerance && (one.y - other.y).abs() <= tolerance
}

#[cfg(test)]
mod tests;
