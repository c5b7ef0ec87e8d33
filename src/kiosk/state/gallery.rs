//! Kept pictures, one by one, with small ones of their neighbours.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::choose::Choose;
use super::drawing::Drawing;
use super::job::FinishedPicture;
use super::morphing::Morphing;
use super::selection::around;
use super::shared::{GalleryEntry, Shared};
use super::view::{Scene, Shown};
use super::{Effect, Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;
use crate::picture::scale::scale;

/// Small pictures on the screen.
const AROUND: usize = 5;
/// Small pictures that are remembered.
const REMEMBERED: usize = 3 * AROUND;
/// Their longest side, in pixels.
const SMALL: u32 = 128;

#[derive(Default)]
pub(super) struct Gallery {
    at: usize,
    /// The number of the picture that is loaded, and the picture once it was read.
    number: Option<u64>,
    finished: Option<FinishedPicture>,
    /// By number, the latest last; `None` for a picture that could not be read.
    small: Vec<(u64, Option<Shown>)>,
    /// The small picture that is being loaded.
    awaited: Option<u64>,
}

impl Gallery {
    /// Indices of the small pictures on the screen.
    fn around(&self, shared: &Shared) -> Range<usize> {
        let count = shared.kept.len();
        let first = self.at.saturating_sub(AROUND / 2).min(count.saturating_sub(AROUND));
        first..count.min(first + AROUND)
    }

    /// Loads the next small picture that is missing, once the large one is there.
    fn load_small(&mut self, shared: &mut Shared) {
        if self.awaited.is_some() || self.finished.is_none() {
            return;
        }
        let mut numbers = self.around(shared).map(|at| shared.kept[at].number);
        self.awaited = numbers.find(|number| self.small.iter().all(|(known, _)| known != number));
        shared.effects.extend(self.awaited.map(Effect::Load));
    }

    fn remember(&mut self, shared: &Shared, number: u64, finished: Option<&FinishedPicture>) {
        let small = finished.map(|finished| shared.finished(finished)).and_then(|shown| {
            let longest = shown.picture.width().max(shown.picture.height());
            let picture = if longest <= SMALL {
                shown.picture
            } else {
                Arc::new(scale(&shown.picture, SMALL, shown.resampling).ok()?)
            };
            Some(Shown { picture, ..shown })
        });
        self.small.retain(|(known, _)| *known != number);
        self.small.push((number, small));
        if self.small.len() > REMEMBERED {
            self.small.remove(0);
        }
    }

    fn entry<'a>(&self, shared: &'a Shared) -> Option<&'a GalleryEntry> {
        shared.kept.get(self.at)
    }

    fn small_of(&self, number: u64) -> Option<Shown> {
        self.small.iter().find(|(known, _)| *known == number)?.1.clone()
    }

    fn move_by(&mut self, shared: &mut Shared, by: i32) {
        self.at = around(self.at, by, shared.kept.len());
        self.load(shared);
    }

    /// Loads the current picture unless it is loaded already.
    fn load(&mut self, shared: &mut Shared) {
        let number = self.entry(shared).map(|entry| entry.number);
        if number != self.number
            && let Some(number) = number
        {
            shared.effects.push(Effect::Load(number));
        }
        self.number = number;
        self.load_small(shared);
    }
}

impl Mode for Gallery {
    fn press(&mut self, shared: &mut Shared, button: Button, gesture: Gesture, now: Duration) -> Next {
        let held = matches!(gesture, Gesture::Long | Gesture::Hold);
        match button {
            Button::A => self.move_by(shared, if held { -1 } else { 1 }),
            Button::Next => self.move_by(shared, 1),
            Button::Previous => self.move_by(shared, -1),
            Button::B if gesture == Gesture::Long => {
                let first = self.finished.clone()?;
                return Morphing::of_picture(shared, first, self.number, now);
            }
            Button::B if gesture != Gesture::Hold => {
                let item = self.finished.as_ref()?.item.clone();
                return Drawing::again(shared, &item, now);
            }
            Button::C | Button::Confirm => {
                let entry = self.entry(shared)?;
                let mark = Effect::Favourite(entry.number, !entry.favourite);
                shared.effects.push(mark);
            }
            Button::D | Button::Back => return go(Choose::enter(shared, now)),
            Button::B => {}
        }
        None
    }

    fn loaded(&mut self, shared: &mut Shared, number: u64, finished: Option<&FinishedPicture>, _now: Duration) {
        if self.number == Some(number) && finished.is_some() {
            self.finished = finished.cloned();
        }
        self.remember(shared, number, finished);
        self.awaited = self.awaited.filter(|awaited| *awaited != number);
        self.load_small(shared);
    }

    fn refresh(&mut self, shared: &mut Shared, _now: Duration) -> Next {
        // Entries are added and removed: the shown picture stays selected.
        let same = shared.kept.iter().position(|entry| Some(entry.number) == self.number);
        self.at = same.unwrap_or(self.at).min(shared.kept.len().saturating_sub(1));
        self.load(shared);
        None
    }

    fn times_out(&self) -> bool {
        true
    }

    fn scene(&self, shared: &Shared, _now: Duration) -> Scene {
        match (&self.finished, self.entry(shared)) {
            (_, None) => Scene::Message {
                text: shared.language.say(Phrase::NothingKept).to_owned(),
            },
            (None, Some(_)) => Scene::Message { text: String::new() },
            (Some(finished), Some(entry)) => Scene::Picture {
                around: self.around(shared).map(|at| self.small_of(shared.kept[at].number)).collect(),
                here: self.at - self.around(shared).start,
                shown: shared.finished(finished),
                favourite: entry.favourite,
                code: None,
                place: Some((self.at + 1, shared.kept.len())),
            },
        }
    }

    fn legends(&self, shared: &Shared) -> [Option<Phrase>; 4] {
        let Some(entry) = self.entry(shared) else {
            return [None, None, None, Some(Phrase::Back)];
        };
        let keep = if entry.favourite { Phrase::Kept } else { Phrase::Keep };
        [Phrase::Next, Phrase::Again, keep, Phrase::Back].map(Some)
    }
}
