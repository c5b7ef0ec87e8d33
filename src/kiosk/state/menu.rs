//! More to choose from than four buttons hold: a list of lines, each with a value.

use std::time::Duration;

use super::choose::Choose;
use super::desk::Desk;
use super::gallery::Gallery;
use super::view::Scene;
use super::wish::{AtOnce, around, around_or_none};
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
    Gallery,
}

impl Line {
    fn phrase(self) -> Phrase {
        match self {
            Line::Colour => Phrase::Colour,
            Line::Kind => Phrase::Kind,
            Line::Pictures => Phrase::Pictures,
            Line::Care => Phrase::Care,
            Line::Language => Phrase::Language,
            Line::Gallery => Phrase::Gallery,
        }
    }

    fn value(self, desk: &Desk) -> String {
        let (language, wish) = (desk.language, &desk.wish);
        let named = |name: Option<&str>| name.map_or(language.say(Phrase::Any), |name| language.name(name)).to_owned();
        match self {
            Line::Colour => named(wish.colour.and_then(|colour| desk.rules.colours.get(colour)).map(String::as_str)),
            Line::Kind => named(
                wish.category
                    .and_then(|category| desk.rules.subjects.categories().get(category).copied()),
            ),
            Line::Pictures => language.say(wish.at_once.phrase()).to_owned(),
            Line::Care => steps(desk).get(wish.step).map_or_else(String::new, usize::to_string),
            Line::Language => language.own_name().to_owned(),
            Line::Gallery => desk.kept.len().to_string(),
        }
    }

    fn turn(self, desk: &mut Desk, by: i32) {
        let subjects = desk.rules.subjects.clone();
        match self {
            Line::Colour => desk.wish.colour = around_or_none(desk.wish.colour, by, desk.rules.colours.len()),
            Line::Kind => desk.wish.turn_category(by, &subjects),
            Line::Pictures => desk.wish.at_once = turned(&AtOnce::ALL, desk.wish.at_once, by),
            Line::Care => desk.wish.step = around(desk.wish.step, by, steps(desk).len()),
            Line::Language => desk.language = turned(&Language::shown().collect::<Vec<_>>(), desk.language, by),
            Line::Gallery => {}
        }
    }
}

fn steps(desk: &Desk) -> &[usize] {
    desk.skills.as_ref().map_or(&[], |skills| &skills.steps)
}

fn turned<T: Copy + PartialEq>(all: &[T], value: T, by: i32) -> T {
    let at = all.iter().position(|other| *other == value).unwrap_or(0);
    all.get(around(at, by, all.len())).copied().unwrap_or(value)
}

impl Menu {
    fn lines(desk: &Desk) -> Vec<Line> {
        let all = [Line::Colour, Line::Kind, Line::Pictures, Line::Care, Line::Language, Line::Gallery];
        let is_there = |line: &Line| match line {
            Line::Colour => !desk.rules.colours.is_empty(),
            Line::Kind => desk.rules.subjects.categories().len() > 1,
            Line::Care => steps(desk).len() > 1,
            Line::Pictures | Line::Language | Line::Gallery => true,
        };
        all.into_iter().filter(is_there).collect()
    }

    fn line(&self, desk: &Desk) -> Line {
        Menu::lines(desk).get(self.at).copied().unwrap_or(Line::Gallery)
    }
}

impl Mode for Menu {
    fn press(&mut self, desk: &mut Desk, button: Button, gesture: Gesture, now: Duration) -> Next {
        let held = matches!(gesture, Gesture::Long | Gesture::Hold);
        let by = if held { -1 } else { 1 };
        let count = Menu::lines(desk).len();
        let gallery = self.line(desk) == Line::Gallery;
        match button {
            Button::A => self.at = around(self.at, by, count),
            Button::Next => self.at = around(self.at, 1, count),
            Button::Previous => self.at = around(self.at, -1, count),
            Button::B | Button::Confirm if gallery => return go(Gallery::default()),
            Button::B => self.line(desk).turn(desk, by),
            // A wheel has no second button: its press changes the line, and Back leads away.
            Button::Confirm => self.line(desk).turn(desk, 1),
            Button::C | Button::D | Button::Back => return go(Choose::resume(now)),
        }
        None
    }

    fn is_patient(&self) -> bool {
        true
    }

    fn scene(&self, desk: &Desk, _now: Duration) -> Scene {
        let line = |line: Line| (desk.language.say(line.phrase()).to_owned(), line.value(desk));
        Scene::Menu {
            lines: Menu::lines(desk).into_iter().map(line).collect(),
            at: self.at,
        }
    }

    fn legends(&self, desk: &Desk) -> [Option<Phrase>; 4] {
        let second = if self.line(desk) == Line::Gallery {
            Phrase::Open
        } else {
            Phrase::Change
        };
        [Phrase::Next, second, Phrase::Done, Phrase::Back].map(Some)
    }
}
