//! The kiosk as a state machine: inputs go in, effects and views come out. Pure: it knows no device, no clock and no file, so
//! that every session can be replayed in a test.
//!
//! | mode | what it does | A | B | C | D |
//! |---|---|---|---|---|---|
//! | `attract` | slide show of kept pictures; any button starts | | | | |
//! | `choose` | words and style; text can be typed | word | style | draw | menu |
//! | `menu` | colour, kind, number, steps, language, gallery, keyboard | next | change | done | back |
//! | `keyboard` | letters on the screen | next | type | done | back |
//! | `drawing` | each step's preview; any button cancels | cancel | cancel | cancel | cancel |
//! | `four` | choose one of four, then act on it | vary | large | keep | back |
//! | `picture` | the finished picture | again | vary | keep | take home, new |
//! | `gallery` | kept pictures one by one | next | again | keep | back |
//! | `by_hand` | a finger draws, and the picture of it is drawn meanwhile | clear | style | done | back |
//! | `morphing` | a picture becomes another and back | next | | | back |
//! | `asleep` | the panel is off | | | | |
//! | `invitation` | a code that leads elsewhere | back | back | back | back |
//! | `message` | a problem that prevents drawing | back | back | back | back |
//!
//! Held buttons go backwards; held, Vary and Again of a picture lead to `morphing`. Wheels and arrow keys move, Confirm acts as C or a press of the wheel, Back leaves the screen.

mod asleep;
mod attract;
mod by_hand;
mod choose;
mod drawing;
mod four;
mod gallery;
mod invitation;
mod job;
mod keyboard;
mod menu;
mod message;
mod morphing;
mod passage;
mod picture;
mod request;
mod selection;
mod shared;
mod strokes;
#[cfg(test)]
mod tests;
mod view;

use std::time::Duration;

use embedded_graphics::prelude::Point;

pub use job::{FinishedPicture, Item, Job, JobStage, JobUpdate, MorphFrame, Purpose, StageTimes};
pub use passage::FRAMES as MORPH_FRAMES;
pub use request::{DrawRequest, RequestError};
pub use selection::{AtOnce, PackChoices, Selection};
pub use shared::{Allows, GalleryEntry, Links, Rules};
pub use strokes::PAPER;
pub use view::{Choice, Code, Scene, Shown, View, Wheel};

use super::heat::Pace;
use super::language::Phrase;
use super::schedule::Wakefulness;
use crate::device::buttons::{Button, Event, Gesture};
use shared::Shared;

/// Whether a picture was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeepOutcome {
    /// Kept under this number.
    Kept(u64),
    /// Not kept: the disk is full or not writable.
    NotKept,
}

/// What lies under a finger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A button, or what does the same.
    Button(Button),
    /// Words, which are to be typed.
    Words,
    /// A key of the keyboard on the screen.
    Letter(char),
}

/// An input of the state machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A visitor did something. Touches are [`Input::Touch`].
    Event(Event),
    /// A visitor touched something on the screen.
    Touch(Target, Gesture),
    /// Where a finger is on the paper, in thousandths of its sides, if it is there; and whether it is down.
    Finger(Option<Point>, bool),
    /// A whole request for a picture.
    Request(DrawRequest),
    /// The time of [`Machine::deadline`] has come.
    Tick,
    /// An update of a job.
    JobUpdate(JobUpdate),
    /// The result of [`Effect::Keep`], by job and item.
    Kept(u64, usize, KeepOutcome),
    /// The contents of the gallery, newest first.
    Gallery(Vec<GalleryEntry>),
    /// The result of [`Effect::Load`]; `None` if the file is damaged or gone.
    Loaded(u64, Option<FinishedPicture>),
    /// What the pack offers; `None` if it cannot be read.
    Pack(Option<PackChoices>),
    /// Whether the kiosk should be awake.
    Hours(Wakefulness),
    /// How fast the temperature allows drawing.
    Pace(Pace),
    /// Whether the main display has failed.
    DisplayGone(bool),
    /// A picture that was drawn elsewhere, and its number in the gallery.
    Show(FinishedPicture, Option<u64>),
    /// A code to show until a button is pressed.
    Invite(Code),
}

/// An effect that the main loop carries out.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Run a job in place of the running one.
    Draw(Job),
    /// Cancel the running job.
    Cancel,
    /// Keep a picture; the answer is [`Input::Kept`].
    Keep {
        /// Number of the job.
        job: u64,
        /// Index of the item in the job.
        item: usize,
        /// The picture.
        finished: FinishedPicture,
        /// Whether it is a favourite.
        favourite: bool,
    },
    /// Set or clear a picture's favourite mark; the answer is [`Input::Gallery`].
    Favourite(u64, bool),
    /// Read a kept picture; the answer is [`Input::Loaded`].
    Load(u64),
    /// Switch the panel off until something is shown again.
    Sleep,
    /// Use the night brightness (true) or the day brightness.
    Dim(bool),
    /// End the program.
    Quit,
}

/// A screen and its behaviour. Each method may return the mode that replaces it.
trait Mode {
    fn press(&mut self, shared: &mut Shared, button: Button, gesture: Gesture, now: Duration) -> Next;
    /// A wheel was turned: each notch is a press of Next or Previous.
    fn turn(&mut self, shared: &mut Shared, by: i32, now: Duration) -> Next {
        let button = if by > 0 { Button::Next } else { Button::Previous };
        (0..by.unsigned_abs().min(64)).find_map(|_| self.press(shared, button, Gesture::Short, now))
    }
    fn character(&mut self, _shared: &mut Shared, _letter: char, _now: Duration) -> Next {
        None
    }
    /// A whole text was entered, which replaces the typed one. By default it leads to the choose screen.
    fn text(&mut self, shared: &mut Shared, text: &str, now: Duration) -> Next {
        shared.selection.typed = None;
        if shared.once || !shared.type_text(text) {
            return None;
        }
        let typed = shared.selection.typed.take();
        let next = attract::Attract::leave(shared, now);
        shared.selection.typed = typed;
        next
    }
    /// The words were touched, to type others.
    fn edit(&mut self, _shared: &mut Shared) -> Next {
        None
    }
    /// A finger came down on the paper, moved on it, or was lifted.
    fn finger(&mut self, _shared: &mut Shared, _at: Option<Point>, _is_down: bool, _now: Duration) -> Next {
        None
    }
    fn tick(&mut self, _shared: &mut Shared, _now: Duration) -> Next {
        None
    }
    fn job_update(&mut self, _shared: &mut Shared, _update: &JobUpdate, _now: Duration) -> Next {
        None
    }
    fn loaded(&mut self, _shared: &mut Shared, _number: u64, _finished: Option<&FinishedPicture>, _now: Duration) {}
    /// Shared state may have changed: gallery, pack or pace. Also called when the mode begins.
    fn refresh(&mut self, _shared: &mut Shared, _now: Duration) -> Next {
        None
    }
    /// When [`Mode::tick`] is due.
    fn deadline(&self, _shared: &Shared, _now: Duration) -> Option<Duration> {
        None
    }
    /// Whether it returns to [`attract`] when nothing is pressed for a while.
    fn times_out(&self) -> bool {
        false
    }
    fn scene(&self, shared: &Shared, now: Duration) -> Scene;
    fn legends(&self, shared: &Shared) -> [Option<Phrase>; 4];
}

type Next = Option<Box<dyn Mode>>;

fn go(mode: impl Mode + 'static) -> Next {
    Some(Box::new(mode))
}

/// The state machine. Times are since its start.
pub struct Machine {
    shared: Shared,
    mode: Box<dyn Mode>,
    touched: Duration,
    hours: Wakefulness,
    /// Whether the night brightness was asked for.
    night: bool,
}

impl Machine {
    /// Starts in attract mode; the contents of gallery and pack come as inputs.
    pub fn new(rules: Rules) -> Machine {
        Machine {
            shared: Shared::new(rules),
            mode: Box::new(attract::Attract::default()),
            touched: Duration::ZERO,
            hours: Wakefulness::Awake,
            night: false,
        }
    }

    /// Draws one picture, keeps it and ends: for kiosks that a timer switches on.
    pub fn draw_once(&mut self, now: Duration) -> Vec<Effect> {
        self.shared.once = true;
        let next = drawing::Drawing::start(&mut self.shared, now);
        self.change(next, now);
        std::mem::take(&mut self.shared.effects)
    }

    /// Replaces the rules, as after the settings were reloaded. The current screen stays.
    pub fn set_rules(&mut self, rules: Rules) {
        self.shared.set_rules(rules);
    }

    /// Sets where visitors find the pictures that are shown.
    pub fn set_links(&mut self, links: Links) {
        self.shared.links = Some(links);
    }

    /// Handles an input and returns the effects to carry out.
    pub fn handle(&mut self, input: Input, now: Duration) -> Vec<Effect> {
        self.shared.age_hint();
        let next = match input {
            Input::Event(event) => self.event(event, now),
            Input::Touch(target, gesture) => self.touch(target, gesture, now),
            Input::Finger(at, is_down) => {
                self.touched = now;
                self.mode.finger(&mut self.shared, at, is_down, now)
            }
            Input::Request(request) => self.request(request, now),
            Input::Tick => self.tick(now),
            Input::JobUpdate(update) => self.job_update(&update, now),
            Input::Loaded(number, finished) => {
                self.mode.loaded(&mut self.shared, number, finished.as_ref(), now);
                None
            }
            Input::Hours(hours) => self.set_hours(hours, now),
            Input::Show(finished, number) => self.show(finished, number, now),
            Input::Invite(code) => self.is_free(now).then(|| Box::new(invitation::Invitation(code)) as Box<dyn Mode>),
            other => {
                self.shared.apply(other);
                let next = self.mode.refresh(&mut self.shared, now);
                let pending = self.shared.pending.take();
                pending.and_then(|request| self.request(request, now)).or(next)
            }
        };
        self.change(next, now);
        std::mem::take(&mut self.shared.effects)
    }

    /// When [`Input::Tick`] is due unless another input comes before.
    pub fn deadline(&self, now: Duration) -> Option<Duration> {
        let idle = self.mode.times_out().then(|| self.touched + self.shared.rules.idle);
        let notice = self.shared.notice_ends();
        [self.mode.deadline(&self.shared, now), idle, notice].into_iter().flatten().min()
    }

    /// Whether a job is running.
    pub fn is_drawing(&self) -> bool {
        self.shared.stage_began().is_some()
    }

    /// What a screen shows now.
    pub fn view(&self, now: Duration) -> View {
        let language = self.shared.language;
        View {
            scene: self.mode.scene(&self.shared, now),
            legends: self
                .mode
                .legends(&self.shared)
                .map(|legend| legend.map_or_else(String::new, |phrase| language.say(phrase).into())),
            notice: self.shared.notice(now, self.mode.times_out()),
            is_right_to_left: language.is_right_to_left(),
        }
    }

    fn event(&mut self, event: Event, now: Duration) -> Next {
        match event {
            Event::Closed => {
                self.shared.cancel();
                self.shared.effects.push(Effect::Quit);
                return None;
            }
            Event::Motion | Event::Touch { .. } => return None,
            Event::Press(..) | Event::Turn(_) | Event::Character(_) | Event::Text(_) => self.touched = now,
        }
        match event {
            // Only buttons that move through a list repeat while they are held.
            Event::Press(button, Gesture::Hold) if !matches!(button, Button::A | Button::B | Button::Previous | Button::Next) => None,
            Event::Press(button, gesture) => self.mode.press(&mut self.shared, button, gesture, now),
            Event::Turn(by) => self.mode.turn(&mut self.shared, by, now),
            Event::Character(letter) => self.mode.character(&mut self.shared, letter, now),
            Event::Text(text) => self.mode.text(&mut self.shared, &text, now),
            Event::Closed | Event::Motion | Event::Touch { .. } => None,
        }
    }

    fn touch(&mut self, target: Target, gesture: Gesture, now: Duration) -> Next {
        self.shared.has_touch = true;
        match target {
            Target::Button(button) => self.event(Event::Press(button, gesture), now),
            Target::Letter(letter) => self.event(Event::Character(letter), now),
            Target::Words => {
                self.touched = now;
                self.mode.edit(&mut self.shared)
            }
        }
    }

    /// Draws a request, unless the kiosk is asleep or draws a single picture.
    fn request(&mut self, request: DrawRequest, now: Duration) -> Next {
        if self.shared.once || self.mode.scene(&self.shared, now) == Scene::Dark {
            log::warn!("a request is refused: the kiosk is asleep or draws a single picture");
            return None;
        }
        self.touched = now;
        drawing::Drawing::request(&mut self.shared, request, now)
    }

    /// Whether no visitor is in the middle of something.
    fn is_free(&self, now: Duration) -> bool {
        !self.shared.once && self.mode.scene(&self.shared, now).gives_way()
    }

    /// Shows a picture that was drawn elsewhere.
    fn show(&mut self, finished: FinishedPicture, number: Option<u64>, now: Duration) -> Next {
        if !self.is_free(now) {
            return None;
        }
        self.touched = now;
        // An example that is being drawn.
        self.shared.cancel();
        go(picture::OnePicture::of_elsewhere(&mut self.shared, finished, number))
    }

    fn tick(&mut self, now: Duration) -> Next {
        self.shared.forget_hint(now);
        if self.mode.times_out() && now >= self.touched + self.shared.rules.idle {
            self.shared.cancel();
            return self.rest(now);
        }
        self.mode.tick(&mut self.shared, now)
    }

    fn job_update(&mut self, update: &JobUpdate, now: Duration) -> Next {
        if !self.shared.is_running(update.job) {
            return None;
        }
        self.shared.record_stage(update, now);
        self.mode.job_update(&mut self.shared, update, now)
    }

    fn set_hours(&mut self, hours: Wakefulness, now: Duration) -> Next {
        let night = hours == Wakefulness::Dimmed;
        // A panel that goes to sleep does not flash before.
        if hours != Wakefulness::Asleep && night != self.night {
            self.night = night;
            self.shared.effects.push(Effect::Dim(night));
        }
        let woken = self.hours == Wakefulness::Asleep && hours != Wakefulness::Asleep;
        self.hours = hours;
        // Visitors who are choosing or waiting for a picture are not interrupted; sleep follows when they have left.
        let resting = matches!(self.mode.scene(&self.shared, now), Scene::Attract { .. } | Scene::Dark);
        if woken || (hours == Wakefulness::Asleep && resting) {
            return self.rest(now);
        }
        None
    }

    /// Goes to sleep or to the slide show, when no visitor is there.
    fn rest(&mut self, _now: Duration) -> Next {
        if self.hours == Wakefulness::Asleep {
            self.shared.cancel();
            self.shared.effects.push(Effect::Sleep);
            return go(asleep::Asleep);
        }
        go(attract::Attract::default())
    }

    /// Changes the mode and lets it begin.
    fn change(&mut self, mut next: Next, now: Duration) {
        while let Some(mode) = next {
            // A drawing may take longer than the idle time, which begins when the visitor sees the result.
            if mode.times_out() && !self.mode.times_out() {
                self.touched = now;
            }
            self.mode = mode;
            self.shared.drop_old_hint();
            if matches!(self.mode.scene(&self.shared, now), Scene::Attract { .. } | Scene::Dark) {
                self.shared.end_visit();
            }
            next = self.mode.refresh(&mut self.shared, now);
            if next.is_none() && self.hours == Wakefulness::Asleep && matches!(self.mode.scene(&self.shared, now), Scene::Attract { .. }) {
                next = self.rest(now);
            }
        }
    }
}
