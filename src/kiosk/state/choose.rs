//! The choose screen: a wheel of words, styles, or text from a keyboard. The current choice is sketched as soon as the visitor
//! hesitates.

use std::time::Duration;

use super::attract::Attract;
use super::drawing::Drawing;
use super::gallery::Gallery;
use super::job::{Item, JobStage, JobUpdate, Purpose};
use super::keyboard::Keyboard;
use super::menu::Menu;
use super::message::Message;
use super::selection::{AtOnce, Typed, around};
use super::shared::Shared;
use super::view::{Choice, Scene, Shown, Wheel};
use super::{Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

/// How long a visitor hesitates before a sketch is drawn.
const HESITATION: Duration = Duration::from_millis(400);
/// Words shown before and after the selected one.
const NEIGHBOURS: i32 = 2;

pub(super) struct Choose {
    changed: Duration,
    sketch: Option<(Shown, Item)>,
    sketching: Option<Item>,
    deferred: Deferred,
}

/// Presses during loading, which are replayed once the pack is open.
#[derive(Default)]
struct Deferred {
    styles: i32,
    draw: bool,
}

impl Choose {
    /// A new picture: a new seed, the same words.
    pub fn enter(shared: &mut Shared, now: Duration) -> Choose {
        shared.selection.typed = None;
        shared.selection.seed = shared.next_seed();
        Choose::resume(now)
    }

    /// Returns from the menu or from a cancelled drawing with the selection unchanged.
    pub fn resume(now: Duration) -> Choose {
        Choose {
            changed: now,
            sketch: None,
            sketching: None,
            deferred: Deferred::default(),
        }
    }

    fn turn_style(&mut self, shared: &mut Shared, by: i32) {
        if shared.is_starting() {
            self.deferred.styles += by;
            return;
        }
        let styles = shared.choices.as_ref().map_or(0, |choices| choices.styles.len());
        shared.selection.style = around(shared.selection.style, by, styles);
    }

    fn changed(&mut self, shared: &mut Shared, now: Duration) -> Next {
        self.changed = now;
        shared.forget_unknown();
        self.deferred.draw = false;
        if self.sketching.take().is_some() {
            shared.cancel();
        }
        None
    }

    /// The item to sketch now, unless it is sketched already.
    fn to_sketch(&self, shared: &Shared) -> Option<Item> {
        let mut item = shared.item().filter(|_| shared.may_sketch())?;
        item.steps = shared.choices.as_ref()?.steps.first().copied()?;
        let there = self.sketch.as_ref().is_some_and(|(_, sketched)| *sketched == item);
        (!there && self.sketching.as_ref() != Some(&item)).then_some(item)
    }

    fn draw(&mut self, shared: &mut Shared, now: Duration) -> Next {
        if let Some(phrase) = shared.blocked_by() {
            shared.hint(phrase, now);
            self.deferred.draw = phrase == Phrase::Starting;
            return (phrase == Phrase::PackTrouble).then(|| Box::new(Message { phrase }) as Box<dyn Mode>);
        }
        shared.forget_unknown();
        let prompt = shared.selection.prompt(&shared.rules.subjects, &shared.rules.colours);
        if !shared.allows(&prompt) {
            shared.hint(Phrase::Refused, now);
            return None;
        }
        Drawing::start(shared, now)
    }

    fn wheel(shared: &Shared) -> Wheel {
        if let Some(typed) = &shared.selection.typed {
            return Choose::typed(typed);
        }
        let places = shared.selection.places(&shared.rules.subjects);
        let at = places.iter().position(|place| *place == shared.selection.subject).unwrap_or(0);
        let word = |by: i32| {
            let subject = shared.rules.subjects.get(places[around(at, by, places.len())]);
            subject.name(shared.language).to_owned()
        };
        Wheel {
            before: (-NEIGHBOURS..0).map(word).collect(),
            word: word(0),
            after: (1..=NEIGHBOURS).map(word).collect(),
        }
    }

    /// A typed text alone, or what an ambiguous word of it may mean.
    fn typed(typed: &Typed) -> Wheel {
        let names: Vec<&String> = match &typed.question {
            Some((ambiguity, _)) => ambiguity.meanings.iter().map(|meaning| &meaning.name).collect(),
            None => vec![&typed.text],
        };
        let at = typed.question.as_ref().map_or(0, |(_, at)| *at);
        let words = |names: &[&String]| names.iter().map(|name| (*name).clone()).collect();
        Wheel {
            before: words(&names[..at]),
            word: names[at].clone(),
            after: words(&names[at + 1..]),
        }
    }

    fn choice(shared: &Shared) -> Choice {
        let style = shared
            .choices
            .as_ref()
            .and_then(|choices| choices.styles.get(shared.selection.style));
        let colour = shared.selection.colour.and_then(|colour| shared.rules.colours.get(colour));
        Choice {
            style: shared.style_name(style.map(String::as_str)),
            colour: colour.map(|colour| shared.language.name(colour).to_owned()),
            patch: colour.cloned(),
            several: (shared.selection.at_once != AtOnce::One).then(|| shared.language.say(shared.selection.at_once.phrase()).to_owned()),
        }
    }
}

impl AtOnce {
    /// Its name in the interface.
    pub(super) fn phrase(self) -> Phrase {
        match self {
            AtOnce::One => Phrase::One,
            AtOnce::Four => Phrase::Four,
            AtOnce::FourStyles => Phrase::FourStyles,
        }
    }
}

impl Mode for Choose {
    fn press(&mut self, shared: &mut Shared, button: Button, gesture: Gesture, now: Duration) -> Next {
        let held = matches!(gesture, Gesture::Long | Gesture::Hold);
        let by = if held { -1 } else { 1 };
        let subjects = shared.rules.subjects.clone();
        match button {
            Button::A => shared.selection.turn_subject(by, &subjects),
            Button::Next => shared.selection.turn_subject(1, &subjects),
            Button::Previous => shared.selection.turn_subject(-1, &subjects),
            Button::B => self.turn_style(shared, by),
            Button::C | Button::Confirm => return self.draw(shared, now),
            Button::D if held => {
                shared.cancel();
                return go(Gallery::default());
            }
            Button::D => {
                shared.cancel();
                return go(Menu::default());
            }
            Button::Back => {
                shared.cancel();
                return go(Attract::default());
            }
        }
        self.changed(shared, now)
    }

    fn character(&mut self, shared: &mut Shared, letter: char, now: Duration) -> Next {
        if shared.type_letter(letter) {
            self.changed(shared, now)
        } else {
            None
        }
    }

    fn text(&mut self, shared: &mut Shared, text: &str, now: Duration) -> Next {
        if shared.type_text(text) { self.changed(shared, now) } else { None }
    }

    fn edit(&mut self, shared: &mut Shared) -> Next {
        go(Keyboard::enter(shared))
    }

    fn refresh(&mut self, shared: &mut Shared, now: Duration) -> Next {
        if shared.is_starting() {
            return None;
        }
        let deferred = std::mem::take(&mut self.deferred);
        if deferred.styles != 0 {
            self.turn_style(shared, deferred.styles);
        }
        if deferred.draw { self.draw(shared, now) } else { None }
    }

    fn tick(&mut self, shared: &mut Shared, now: Duration) -> Next {
        if now >= self.changed + HESITATION
            && let Some(item) = self.to_sketch(shared)
            && shared.allows(&item.prompt)
        {
            shared.start_job(Purpose::Sketch, vec![item.clone()], now);
            self.sketching = Some(item);
        }
        None
    }

    fn job_update(&mut self, shared: &mut Shared, update: &JobUpdate, now: Duration) -> Next {
        match &update.stage {
            JobStage::Finished(finished) => {
                self.sketch = Some((shared.finished(finished), finished.item.clone()));
                self.sketching = None;
                shared.end_job();
            }
            JobStage::Ambiguous(ambiguity) => {
                shared.end_job();
                self.changed(shared, now);
                shared.ask(ambiguity, now);
            }
            JobStage::Failed(_) | JobStage::Unknown(_) => shared.end_job(),
            JobStage::Text | JobStage::Step { .. } | JobStage::Morphed(_) => {}
        }
        None
    }

    fn deadline(&self, shared: &Shared, _now: Duration) -> Option<Duration> {
        let item = self.to_sketch(shared)?;
        shared.allows(&item.prompt).then_some(self.changed + HESITATION)
    }

    fn times_out(&self) -> bool {
        true
    }

    fn scene(&self, shared: &Shared, _now: Duration) -> Scene {
        let current = shared.item();
        let is_current = |sketched: &Item| {
            current
                .as_ref()
                .is_some_and(|item| (&item.prompt, &item.style) == (&sketched.prompt, &sketched.style))
        };
        let categories = shared.rules.subjects.categories();
        let typed = shared.selection.typed.as_ref();
        let kind = shared.selection.category.and_then(|category| categories.get(category).copied());
        Scene::Choose {
            wheel: Choose::wheel(shared),
            typed: typed.is_some_and(|typed| typed.question.is_none()),
            kind: match typed.and_then(|typed| typed.question.as_ref()) {
                Some((ambiguity, _)) => format!("{} · {}", ambiguity.text, shared.language.say(Phrase::Pick)),
                None => kind.map_or_else(String::new, |kind| shared.language.name(kind).to_owned()),
            },
            choice: Choose::choice(shared),
            sketch: self.sketch.as_ref().map(|(shown, item)| (shown.clone(), is_current(item))),
        }
    }

    fn legends(&self, _shared: &Shared) -> [Option<Phrase>; 4] {
        [Phrase::Word, Phrase::Style, Phrase::Draw, Phrase::Menu].map(Some)
    }
}
