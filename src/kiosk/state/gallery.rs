//! Kept pictures, one by one.

use std::time::Duration;

use super::choose::Choose;
use super::desk::{Desk, Entry};
use super::drawing::Drawing;
use super::order::Drawn;
use super::view::Scene;
use super::wish::around;
use super::{Effect, Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

#[derive(Default)]
pub(super) struct Gallery {
    at: usize,
    /// The picture that was asked for, and it once it is there.
    number: Option<u64>,
    drawn: Option<Drawn>,
}

impl Gallery {
    fn entry<'a>(&self, desk: &'a Desk) -> Option<&'a Entry> {
        desk.kept.get(self.at)
    }

    fn move_by(&mut self, desk: &mut Desk, by: i32) {
        self.at = around(self.at, by, desk.kept.len());
        self.load(desk);
    }

    /// Asks for the picture where it is another than before.
    fn load(&mut self, desk: &mut Desk) {
        let number = self.entry(desk).map(|entry| entry.number);
        if number != self.number
            && let Some(number) = number
        {
            desk.effects.push(Effect::Load(number));
        }
        self.number = number;
    }
}

impl Mode for Gallery {
    fn press(&mut self, desk: &mut Desk, button: Button, gesture: Gesture, now: Duration) -> Next {
        let held = matches!(gesture, Gesture::Long | Gesture::Hold);
        match button {
            Button::A => self.move_by(desk, if held { -1 } else { 1 }),
            Button::Next => self.move_by(desk, 1),
            Button::Previous => self.move_by(desk, -1),
            Button::B if gesture != Gesture::Hold => {
                let piece = self.drawn.as_ref()?.piece.clone();
                return Drawing::again(desk, &piece, now);
            }
            Button::C | Button::Confirm => {
                let entry = self.entry(desk)?;
                let mark = Effect::Favourite(entry.number, !entry.favourite);
                desk.effects.push(mark);
            }
            Button::D | Button::Back => return go(Choose::enter(desk, now)),
            Button::B => {}
        }
        None
    }

    fn loaded(&mut self, _desk: &mut Desk, number: u64, drawn: Option<&Drawn>, _now: Duration) {
        if self.number == Some(number) && drawn.is_some() {
            self.drawn = drawn.cloned();
        }
    }

    fn news(&mut self, desk: &mut Desk, _now: Duration) -> Next {
        // Pictures come and go: what is shown stays, wherever it is now.
        let same = desk.kept.iter().position(|entry| Some(entry.number) == self.number);
        self.at = same.unwrap_or(self.at).min(desk.kept.len().saturating_sub(1));
        self.load(desk);
        None
    }

    fn is_patient(&self) -> bool {
        true
    }

    fn scene(&self, desk: &Desk, _now: Duration) -> Scene {
        match (&self.drawn, self.entry(desk)) {
            (_, None) => Scene::Message {
                text: desk.language.say(Phrase::NothingKept).to_owned(),
            },
            (None, Some(_)) => Scene::Message { text: String::new() },
            (Some(drawn), Some(entry)) => Scene::Picture {
                shown: desk.shown(&drawn.piece, &drawn.picture),
                favourite: entry.favourite,
                code: None,
                place: Some((self.at + 1, desk.kept.len())),
            },
        }
    }

    fn legends(&self, desk: &Desk) -> [Option<Phrase>; 4] {
        let Some(entry) = self.entry(desk) else {
            return [None, None, None, Some(Phrase::Back)];
        };
        let keep = if entry.favourite { Phrase::Kept } else { Phrase::Keep };
        [Phrase::Next, Phrase::Again, keep, Phrase::Back].map(Some)
    }
}
