//! Kept pictures, one by one.

use std::sync::Arc;
use std::time::Duration;

use super::choose::Choose;
use super::desk::{Desk, Entry};
use super::drawing::Drawing;
use super::view::{Scene, Shown};
use super::wish::around;
use super::{Effect, Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;
use crate::picture::Picture;

#[derive(Default)]
pub(super) struct Gallery {
    at: usize,
    name: Option<String>,
    shown: Option<Shown>,
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
        let name = self.entry(desk).map(|entry| entry.name.clone());
        if name != self.name
            && let Some(name) = &name
        {
            desk.effects.push(Effect::Load(name.clone()));
        }
        self.name = name;
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
                let piece = self.entry(desk)?.piece.clone();
                return Drawing::again(desk, &piece, now);
            }
            Button::C | Button::Confirm => {
                let entry = self.entry(desk)?;
                let mark = Effect::Favourite(entry.name.clone(), !entry.favourite);
                desk.effects.push(mark);
            }
            Button::D | Button::Back => return go(Choose::enter(desk, now)),
            Button::B => {}
        }
        None
    }

    fn loaded(&mut self, desk: &mut Desk, name: &str, picture: Option<&Arc<Picture>>, _now: Duration) {
        let entry = self.entry(desk).filter(|entry| entry.name == name);
        if let (Some(entry), Some(picture)) = (entry, picture) {
            self.shown = Some(desk.shown(&entry.piece, picture));
        }
    }

    fn news(&mut self, desk: &mut Desk, _now: Duration) -> Next {
        // A mark renames a picture, and caps take some away: what is shown stays where it can be found again.
        let same = desk.kept.iter().position(|entry| Some(&entry.name) == self.name.as_ref());
        self.at = same.unwrap_or(self.at).min(desk.kept.len().saturating_sub(1));
        self.load(desk);
        None
    }

    fn is_patient(&self) -> bool {
        true
    }

    fn scene(&self, desk: &Desk, _now: Duration) -> Scene {
        match (&self.shown, self.entry(desk)) {
            (_, None) => Scene::Message {
                text: desk.language.say(Phrase::NothingKept).to_owned(),
            },
            (None, Some(_)) => Scene::Message { text: String::new() },
            (Some(shown), Some(entry)) => Scene::Picture {
                shown: shown.clone(),
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
