//! The kiosk as a state machine: what visitors do goes in, what is to be done and to be seen comes out. Pure: it knows no
//! device, no clock and no file, so that every evening of a kiosk can be played in a test.
//!
//! | mode | what it does | A | B | C | D |
//! |---|---|---|---|---|---|
//! | `attract` | kept pictures change slowly; any button leads on | | | | |
//! | `choose` | words, style; letters can be typed | word | style | draw | menu |
//! | `menu` | colour, kind, number, steps, language, gallery | next | change | done | back |
//! | `drawing` | each step's preview; any button cancels | cancel | cancel | cancel | cancel |
//! | `four` | pick one of four, then what to do with it | vary | large | keep | back |
//! | `picture` | the picture | again | vary | keep | take home, new |
//! | `gallery` | kept pictures one by one | next | again | keep | back |
//! | `asleep` | the panel is off | | | | |
//! | `message` | something is wrong that no picture can be drawn with | back | back | back | back |
//!
//! Held buttons go backwards. Wheels and arrow keys turn, Confirm is what C or the wheel's press does, Back leads away.

mod asleep;
mod attract;
mod choose;
mod desk;
mod drawing;
mod four;
mod gallery;
mod menu;
mod message;
mod order;
mod picture;
mod request;
#[cfg(test)]
mod tests;
mod view;
mod wish;

use std::time::Duration;

pub use desk::{Allows, Entry, Rules};
pub use order::{Drawn, Measured, Order, Piece, Purpose, Report, Stage};
pub use request::{DrawRequest, RequestError};
pub use view::{Choice, Scene, Shown, View, Wheel};
pub use wish::{AtOnce, Skills, Wish};

use super::heat::Pace;
use super::language::Phrase;
use super::schedule::Wakefulness;
use crate::device::buttons::{Button, Event, Gesture};
use desk::Desk;

/// What became of a picture that was to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is kept under a number.
    Kept(u64),
    /// It is not, because the disk is full or cannot be written.
    NotKept,
}

/// What the machine is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A visitor did something. Touches are turned into buttons before, by what lies under the finger.
    Event(Event),
    /// A picture is asked for as a whole.
    Request(DrawRequest),
    /// It is as late as [`Machine::deadline`] said.
    Tick,
    /// News of a drawing.
    Report(Report),
    /// What became of a picture, by its order and its place in it.
    Kept(u64, usize, Outcome),
    /// What is kept now, newest first.
    Gallery(Vec<Entry>),
    /// A kept picture that was asked for; nothing where its file is damaged or gone.
    Loaded(u64, Option<Drawn>),
    /// What the pack can do; nothing where it is broken.
    Pack(Option<Skills>),
    /// Whether one should be awake.
    Hours(Wakefulness),
    /// How warm it is, and so how fast one may draw.
    Pace(Pace),
    /// Whether the main display is gone.
    DisplayGone(bool),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Draw, instead of whatever is being drawn.
    Draw(Order),
    /// Stop drawing.
    Cancel,
    /// Keep a picture; the answer is [`Input::Kept`].
    Keep {
        /// The order's number.
        order: u64,
        /// Its place in the order.
        piece: usize,
        /// The picture.
        drawn: Drawn,
        /// Whether it is kept for good.
        favourite: bool,
    },
    /// Mark a kept picture as one that is kept for good, or no longer; the answer is [`Input::Gallery`].
    Favourite(u64, bool),
    /// Read a kept picture; the answer is [`Input::Loaded`].
    Load(u64),
    /// Switch the panel off until something is shown again.
    Sleep,
    /// Use the brightness of the night, or that of the day.
    Dim(bool),
    /// End the program.
    Quit,
}

/// What the kiosk is doing. Every method may answer with the mode that takes its place.
trait Mode {
    fn press(&mut self, desk: &mut Desk, button: Button, gesture: Gesture, now: Duration) -> Next;
    /// A wheel was turned: as so many presses of Next or Previous.
    fn turn(&mut self, desk: &mut Desk, by: i32, now: Duration) -> Next {
        let button = if by > 0 { Button::Next } else { Button::Previous };
        (0..by.unsigned_abs().min(64)).find_map(|_| self.press(desk, button, Gesture::Short, now))
    }
    fn character(&mut self, _desk: &mut Desk, _letter: char, _now: Duration) -> Next {
        None
    }
    /// A whole text was entered, in place of what is typed. Whoever shows something else goes to where words are chosen.
    fn text(&mut self, desk: &mut Desk, text: &str, now: Duration) -> Next {
        desk.wish.typed = None;
        if desk.once || !desk.type_text(text) {
            return None;
        }
        let typed = desk.wish.typed.take();
        let next = attract::Attract::leave(desk, now);
        desk.wish.typed = typed;
        next
    }
    fn tick(&mut self, _desk: &mut Desk, _now: Duration) -> Next {
        None
    }
    fn report(&mut self, _desk: &mut Desk, _report: &Report, _now: Duration) -> Next {
        None
    }
    fn loaded(&mut self, _desk: &mut Desk, _number: u64, _drawn: Option<&Drawn>, _now: Duration) {}
    /// Something that it shows may have changed: the gallery, the pack, the warmth.
    fn news(&mut self, _desk: &mut Desk, _now: Duration) -> Next {
        None
    }
    /// When [`Mode::tick`] should be called.
    fn deadline(&self, _desk: &Desk, _now: Duration) -> Option<Duration> {
        None
    }
    /// Whether it waits for visitors and so gives way to [`attract`] when there are none.
    fn is_patient(&self) -> bool {
        false
    }
    fn scene(&self, desk: &Desk, now: Duration) -> Scene;
    fn legends(&self, desk: &Desk) -> [Option<Phrase>; 4];
}

type Next = Option<Box<dyn Mode>>;

fn go(mode: impl Mode + 'static) -> Next {
    Some(Box::new(mode))
}

/// The machine. Times are since its start.
pub struct Machine {
    desk: Desk,
    mode: Box<dyn Mode>,
    touched: Duration,
    hours: Wakefulness,
}

impl Machine {
    /// Nobody is there yet; what is kept and what the pack can do comes as input.
    pub fn new(rules: Rules) -> Machine {
        Machine {
            desk: Desk::new(rules),
            mode: Box::new(attract::Attract::default()),
            touched: Duration::ZERO,
            hours: Wakefulness::Awake,
        }
    }

    /// Draws one picture by itself, keeps it and ends: for kiosks that a timer switches on.
    pub fn draw_once(&mut self, now: Duration) -> Vec<Effect> {
        self.desk.once = true;
        let next = drawing::Drawing::start(&mut self.desk, now);
        self.change(next, now);
        std::mem::take(&mut self.desk.effects)
    }

    /// Takes new rules, as after the settings were read again. What is being shown stays.
    pub fn set_rules(&mut self, rules: Rules) {
        self.desk.set_rules(rules);
    }

    /// Takes an input and answers what is to be done.
    pub fn handle(&mut self, input: Input, now: Duration) -> Vec<Effect> {
        let next = match input {
            Input::Event(event) => self.event(event, now),
            Input::Request(request) => self.request(request, now),
            Input::Tick => self.tick(now),
            Input::Report(report) => self.report(&report, now),
            Input::Loaded(number, drawn) => {
                self.mode.loaded(&mut self.desk, number, drawn.as_ref(), now);
                None
            }
            Input::Hours(hours) => self.set_hours(hours, now),
            other => {
                self.desk.learn(other);
                let next = self.mode.news(&mut self.desk, now);
                let pending = self.desk.pending.take();
                pending.and_then(|request| self.request(request, now)).or(next)
            }
        };
        self.change(next, now);
        std::mem::take(&mut self.desk.effects)
    }

    /// When [`Input::Tick`] is due, if nothing else happens.
    pub fn deadline(&self, now: Duration) -> Option<Duration> {
        let idle = self.mode.is_patient().then(|| self.touched + self.desk.rules.idle);
        let notice = self.desk.notice_ends();
        [self.mode.deadline(&self.desk, now), idle, notice].into_iter().flatten().min()
    }

    /// Whether something is being drawn, asked for or not.
    pub fn is_drawing(&self) -> bool {
        self.desk.stage_began().is_some()
    }

    /// What is to be seen.
    pub fn view(&self, now: Duration) -> View {
        let language = self.desk.wish_language();
        View {
            scene: self.mode.scene(&self.desk, now),
            legends: self
                .mode
                .legends(&self.desk)
                .map(|legend| legend.map_or_else(String::new, |phrase| language.say(phrase).into())),
            notice: self.desk.notice(now, self.mode.is_patient()),
        }
    }

    fn event(&mut self, event: Event, now: Duration) -> Next {
        match event {
            Event::Closed => {
                self.desk.cancel();
                self.desk.effects.push(Effect::Quit);
                return None;
            }
            Event::Motion | Event::Touch { .. } => return None,
            Event::Press(..) | Event::Turn(_) | Event::Character(_) | Event::Text(_) => self.touched = now,
        }
        match event {
            // Only turning goes on and on while a button is held.
            Event::Press(button, Gesture::Hold) if !matches!(button, Button::A | Button::B | Button::Previous | Button::Next) => None,
            Event::Press(button, gesture) => self.mode.press(&mut self.desk, button, gesture, now),
            Event::Turn(by) => self.mode.turn(&mut self.desk, by, now),
            Event::Character(letter) => self.mode.character(&mut self.desk, letter, now),
            Event::Text(text) => self.mode.text(&mut self.desk, &text, now),
            Event::Closed | Event::Motion | Event::Touch { .. } => None,
        }
    }

    /// Draws what is requested, unless the kiosk is asleep or draws one picture alone.
    fn request(&mut self, request: DrawRequest, now: Duration) -> Next {
        if self.desk.once || self.mode.scene(&self.desk, now) == Scene::Dark {
            log::warn!("a request is refused: the kiosk is asleep or draws a single picture");
            return None;
        }
        self.touched = now;
        drawing::Drawing::request(&mut self.desk, request, now)
    }

    fn tick(&mut self, now: Duration) -> Next {
        self.desk.forget_hint(now);
        if self.mode.is_patient() && now >= self.touched + self.desk.rules.idle {
            self.desk.cancel();
            return self.rest(now);
        }
        self.mode.tick(&mut self.desk, now)
    }

    fn report(&mut self, report: &Report, now: Duration) -> Next {
        if !self.desk.is_running(report.order) {
            return None;
        }
        self.desk.measure(report, now);
        self.mode.report(&mut self.desk, report, now)
    }

    fn set_hours(&mut self, hours: Wakefulness, now: Duration) -> Next {
        if (hours == Wakefulness::Dimmed) != (self.hours == Wakefulness::Dimmed) {
            self.desk.effects.push(Effect::Dim(hours == Wakefulness::Dimmed));
        }
        let woken = self.hours == Wakefulness::Asleep && hours != Wakefulness::Asleep;
        self.hours = hours;
        // Someone who is choosing or waiting for a picture is not left in the dark; sleep comes when nobody is there.
        let resting = matches!(self.mode.scene(&self.desk, now), Scene::Attract { .. } | Scene::Dark);
        if woken || (hours == Wakefulness::Asleep && resting) {
            return self.rest(now);
        }
        None
    }

    /// What is done when nobody is there.
    fn rest(&mut self, _now: Duration) -> Next {
        if self.hours == Wakefulness::Asleep {
            self.desk.cancel();
            self.desk.effects.push(Effect::Sleep);
            return go(asleep::Asleep);
        }
        go(attract::Attract::default())
    }

    /// Changes the mode and lets the new one begin.
    fn change(&mut self, mut next: Next, now: Duration) {
        while let Some(mode) = next {
            self.mode = mode;
            next = self.mode.news(&mut self.desk, now);
            if next.is_none() && self.hours == Wakefulness::Asleep && matches!(self.mode.scene(&self.desk, now), Scene::Attract { .. }) {
                next = self.rest(now);
            }
        }
    }
}
