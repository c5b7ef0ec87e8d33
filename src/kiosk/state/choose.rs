//! Someone is choosing: a wheel of words, styles, or letters from a keyboard. What is chosen is sketched as soon as they
//! hesitate.

use std::time::Duration;

use super::attract::Attract;
use super::desk::Desk;
use super::drawing::Drawing;
use super::gallery::Gallery;
use super::menu::Menu;
use super::message::Message;
use super::order::{Piece, Purpose, Report, Stage};
use super::view::{Choice, Scene, Shown, Wheel};
use super::wish::{AtOnce, around};
use super::{Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

/// How long someone hesitates before a sketch is drawn.
const HESITATION: Duration = Duration::from_millis(400);
/// Words shown before and after the chosen one.
const NEIGHBOURS: i32 = 2;

pub(super) struct Choose {
    changed: Duration,
    sketch: Option<(Shown, Piece)>,
    ordered: Option<Piece>,
    early: Early,
}

/// What was pressed before the pack was there, and is done when it is.
#[derive(Default)]
struct Early {
    styles: i32,
    draw: bool,
}

impl Choose {
    /// A new picture: another seed, the words as they were.
    pub fn enter(desk: &mut Desk, now: Duration) -> Choose {
        desk.wish.typed = None;
        desk.wish.seed = desk.next_seed();
        Choose::resume(now)
    }

    /// Back from the menu or from a drawing that was cancelled, with everything as it was.
    pub fn resume(now: Duration) -> Choose {
        Choose {
            changed: now,
            sketch: None,
            ordered: None,
            early: Early::default(),
        }
    }

    fn turn_style(&mut self, desk: &mut Desk, by: i32) {
        if desk.is_starting() {
            self.early.styles += by;
            return;
        }
        let styles = desk.skills.as_ref().map_or(0, |skills| skills.styles.len());
        desk.wish.style = around(desk.wish.style, by, styles);
    }

    fn changed(&mut self, desk: &mut Desk, now: Duration) -> Next {
        self.changed = now;
        self.early.draw = false;
        if self.ordered.take().is_some() {
            desk.cancel();
        }
        None
    }

    /// What would be sketched now, where it is not there already.
    fn to_sketch(&self, desk: &Desk) -> Option<Piece> {
        let mut piece = desk.piece().filter(|_| desk.may_sketch())?;
        piece.steps = desk.skills.as_ref()?.steps.first().copied()?;
        let there = self.sketch.as_ref().is_some_and(|(_, sketched)| *sketched == piece);
        (!there && self.ordered.as_ref() != Some(&piece)).then_some(piece)
    }

    fn draw(&mut self, desk: &mut Desk, now: Duration) -> Next {
        if let Some(phrase) = desk.hindrance() {
            desk.hint(phrase, now);
            self.early.draw = phrase == Phrase::Starting;
            return (phrase == Phrase::PackTrouble).then(|| Box::new(Message { phrase }) as Box<dyn Mode>);
        }
        let prompt = desk.wish.prompt(&desk.rules.subjects, &desk.rules.colours);
        if !desk.allows(&prompt) {
            desk.hint(Phrase::Refused, now);
            return None;
        }
        Drawing::start(desk, now)
    }

    fn wheel(desk: &Desk) -> Wheel {
        if let Some(typed) = &desk.wish.typed {
            return Wheel {
                before: Vec::new(),
                word: typed.clone(),
                after: Vec::new(),
            };
        }
        let places = desk.wish.places(&desk.rules.subjects);
        let at = places.iter().position(|place| *place == desk.wish.subject).unwrap_or(0);
        let word = |by: i32| {
            let subject = desk.rules.subjects.get(places[around(at, by, places.len())]);
            subject.name(desk.language).to_owned()
        };
        Wheel {
            before: (-NEIGHBOURS..0).map(word).collect(),
            word: word(0),
            after: (1..=NEIGHBOURS).map(word).collect(),
        }
    }

    fn choice(desk: &Desk) -> Choice {
        let style = desk.skills.as_ref().and_then(|skills| skills.styles.get(desk.wish.style));
        let colour = desk.wish.colour.and_then(|colour| desk.rules.colours.get(colour));
        Choice {
            style: desk.style_name(style.map(String::as_str)),
            colour: colour.map(|colour| desk.language.name(colour).to_owned()),
            patch: colour.cloned(),
            several: (desk.wish.at_once != AtOnce::One).then(|| desk.language.say(desk.wish.at_once.phrase()).to_owned()),
        }
    }
}

impl AtOnce {
    /// How it is called.
    pub(super) fn phrase(self) -> Phrase {
        match self {
            AtOnce::One => Phrase::One,
            AtOnce::Four => Phrase::Four,
            AtOnce::FourStyles => Phrase::FourStyles,
        }
    }
}

impl Mode for Choose {
    fn press(&mut self, desk: &mut Desk, button: Button, gesture: Gesture, now: Duration) -> Next {
        let held = matches!(gesture, Gesture::Long | Gesture::Hold);
        let by = if held { -1 } else { 1 };
        let subjects = desk.rules.subjects.clone();
        match button {
            Button::A => desk.wish.turn_subject(by, &subjects),
            Button::Next => desk.wish.turn_subject(1, &subjects),
            Button::Previous => desk.wish.turn_subject(-1, &subjects),
            Button::B => self.turn_style(desk, by),
            Button::C | Button::Confirm => return self.draw(desk, now),
            Button::D if held => {
                desk.cancel();
                return go(Gallery::default());
            }
            Button::D => {
                desk.cancel();
                return go(Menu::default());
            }
            Button::Back => {
                desk.cancel();
                return go(Attract::default());
            }
        }
        self.changed(desk, now)
    }

    fn character(&mut self, desk: &mut Desk, letter: char, now: Duration) -> Next {
        if desk.type_letter(letter) { self.changed(desk, now) } else { None }
    }

    fn text(&mut self, desk: &mut Desk, text: &str, now: Duration) -> Next {
        if desk.type_text(text) { self.changed(desk, now) } else { None }
    }

    fn news(&mut self, desk: &mut Desk, now: Duration) -> Next {
        if desk.is_starting() {
            return None;
        }
        let early = std::mem::take(&mut self.early);
        if early.styles != 0 {
            self.turn_style(desk, early.styles);
        }
        if early.draw { self.draw(desk, now) } else { None }
    }

    fn tick(&mut self, desk: &mut Desk, now: Duration) -> Next {
        if now >= self.changed + HESITATION
            && let Some(piece) = self.to_sketch(desk)
            && desk.allows(&piece.prompt)
        {
            desk.order(Purpose::Sketch, vec![piece.clone()], now);
            self.ordered = Some(piece);
        }
        None
    }

    fn report(&mut self, desk: &mut Desk, report: &Report, _now: Duration) -> Next {
        match &report.stage {
            Stage::Finished(drawn) => {
                self.sketch = Some((desk.shown(&drawn.piece, &drawn.picture), drawn.piece.clone()));
                self.ordered = None;
                desk.finished();
            }
            Stage::Failed(_) => desk.finished(),
            Stage::Text | Stage::Step { .. } => {}
        }
        None
    }

    fn deadline(&self, desk: &Desk, _now: Duration) -> Option<Duration> {
        let piece = self.to_sketch(desk)?;
        desk.allows(&piece.prompt).then_some(self.changed + HESITATION)
    }

    fn is_patient(&self) -> bool {
        true
    }

    fn scene(&self, desk: &Desk, _now: Duration) -> Scene {
        let current = desk.piece();
        let is_current = |sketched: &Piece| {
            current
                .as_ref()
                .is_some_and(|piece| (&piece.prompt, &piece.style) == (&sketched.prompt, &sketched.style))
        };
        let categories = desk.rules.subjects.categories();
        let kind = desk.wish.category.and_then(|category| categories.get(category).copied());
        Scene::Choose {
            wheel: Choose::wheel(desk),
            typed: desk.wish.typed.is_some(),
            kind: kind.map_or_else(String::new, |kind| desk.language.name(kind).to_owned()),
            choice: Choose::choice(desk),
            sketch: self.sketch.as_ref().map(|(shown, piece)| (shown.clone(), is_current(piece))),
        }
    }

    fn legends(&self, _desk: &Desk) -> [Option<Phrase>; 4] {
        [Phrase::Word, Phrase::Style, Phrase::Draw, Phrase::Menu].map(Some)
    }
}
