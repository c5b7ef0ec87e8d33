//! The menu: a list of settings that do not fit on four buttons, each with a value.

use std::time::Duration;

use super::by_hand::ByHand;
use super::choose::Choose;
use super::gallery::Gallery;
use super::keyboard::Keyboard;
use super::morphing::Morphing;
use super::selection::{AtOnce, around, around_or_none};
use super::shared::Shared;
use super::view::Scene;
use super::{Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::{Language, Phrase};

#[derive(Default)]
pub(super) struct Menu {
    at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Colour,
    Kind,
    Pictures,
    Care,
    Language,
    ByHand,
    Gallery,
    Morph,
    Type,
}

impl Line {
    fn phrase(self) -> Phrase {
        match self {
            Line::Colour => Phrase::Colour,
            Line::Kind => Phrase::Kind,
            Line::Pictures => Phrase::Pictures,
            Line::Care => Phrase::Care,
            Line::Language => Phrase::Language,
            Line::ByHand => Phrase::ByHand,
            Line::Gallery => Phrase::Gallery,
            Line::Morph => Phrase::Morph,
            Line::Type => Phrase::Type,
        }
    }

    /// Whether it leads to another screen, instead of having values.
    fn opens(self) -> bool {
        matches!(self, Line::ByHand | Line::Gallery | Line::Morph | Line::Type)
    }

    fn value(self, shared: &Shared) -> String {
        let (language, selection) = (shared.language, &shared.selection);
        let named = |name: Option<&str>| name.map_or(language.say(Phrase::Any), |name| language.name(name)).to_owned();
        match self {
            Line::Colour => named(
                selection
                    .colour
                    .and_then(|colour| shared.rules.colours.get(colour))
                    .map(String::as_str),
            ),
            Line::Kind => named(
                selection
                    .category
                    .and_then(|category| shared.rules.subjects.categories().get(category).copied()),
            ),
            Line::Pictures => language.say(selection.at_once.phrase()).to_owned(),
            Line::Care => steps(shared).get(selection.step).map_or_else(String::new, usize::to_string),
            Line::Language => language.own_name().to_owned(),
            Line::Gallery => shared.kept.len().to_string(),
            Line::ByHand | Line::Morph => String::new(),
            Line::Type => selection.typed.as_ref().map_or_else(String::new, |typed| typed.text.clone()),
        }
    }

    fn turn(self, shared: &mut Shared, by: i32) {
        let subjects = shared.rules.subjects.clone();
        match self {
            Line::Colour => shared.selection.colour = around_or_none(shared.selection.colour, by, shared.rules.colours.len()),
            Line::Kind => shared.selection.turn_category(by, &subjects),
            Line::Pictures => shared.selection.at_once = turned(&AtOnce::ALL, shared.selection.at_once, by),
            Line::Care => shared.selection.step = around(shared.selection.step, by, steps(shared).len()),
            Line::Language => shared.language = turned(&Language::ALL, shared.language, by),
            Line::ByHand | Line::Gallery | Line::Morph | Line::Type => {}
        }
    }
}

fn steps(shared: &Shared) -> &[usize] {
    shared.choices.as_ref().map_or(&[], |choices| &choices.steps)
}

fn turned<T: Copy + PartialEq>(all: &[T], value: T, by: i32) -> T {
    let at = all.iter().position(|other| *other == value).unwrap_or(0);
    all.get(around(at, by, all.len())).copied().unwrap_or(value)
}

impl Menu {
    fn lines(shared: &Shared) -> Vec<Line> {
        let all = [
            Line::Colour,
            Line::Kind,
            Line::Pictures,
            Line::Care,
            Line::Language,
            Line::ByHand,
            Line::Gallery,
            Line::Morph,
            Line::Type,
        ];
        let is_there = |line: &Line| match line {
            Line::Colour => !shared.rules.colours.is_empty(),
            Line::Kind => shared.rules.subjects.categories().len() > 1,
            Line::Care => steps(shared).len() > 1,
            Line::ByHand => shared.may_draw_by_hand(),
            Line::Morph => shared.rules.sketch && shared.kept.len() > 1,
            Line::Pictures | Line::Language | Line::Gallery | Line::Type => true,
        };
        all.into_iter().filter(is_there).collect()
    }

    /// The screen that a line leads to.
    fn open(&self, shared: &mut Shared, now: Duration) -> Next {
        match self.line(shared) {
            Line::ByHand => go(ByHand::default()),
            Line::Morph => Morphing::of_kept(shared, now),
            Line::Gallery => go(Gallery::default()),
            Line::Type => go(Keyboard::enter(shared)),
            _ => None,
        }
    }

    fn line(&self, shared: &Shared) -> Line {
        Menu::lines(shared).get(self.at).copied().unwrap_or(Line::Gallery)
    }
}

impl Mode for Menu {
    fn press(&mut self, shared: &mut Shared, button: Button, gesture: Gesture, now: Duration) -> Next {
        let held = matches!(gesture, Gesture::Long | Gesture::Hold);
        let by = if held { -1 } else { 1 };
        let count = Menu::lines(shared).len();
        let opens = self.line(shared).opens();
        match button {
            Button::A => self.at = around(self.at, by, count),
            Button::Next => self.at = around(self.at, 1, count),
            Button::Previous => self.at = around(self.at, -1, count),
            Button::B | Button::Confirm if opens => return self.open(shared, now),
            Button::B => self.line(shared).turn(shared, by),
            // A wheel has no second button: its press changes the line, and Back leads away.
            Button::Confirm => self.line(shared).turn(shared, 1),
            Button::C | Button::D | Button::Back => return go(Choose::resume(now)),
        }
        None
    }

    fn times_out(&self) -> bool {
        true
    }

    fn scene(&self, shared: &Shared, _now: Duration) -> Scene {
        let line = |line: Line| (shared.language.say(line.phrase()).to_owned(), line.value(shared));
        Scene::Menu {
            lines: Menu::lines(shared).into_iter().map(line).collect(),
            at: self.at,
        }
    }

    fn legends(&self, shared: &Shared) -> [Option<Phrase>; 4] {
        let second = if self.line(shared).opens() { Phrase::Open } else { Phrase::Change };
        [Phrase::Next, second, Phrase::Done, Phrase::Back].map(Some)
    }
}
