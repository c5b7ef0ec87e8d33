//! A picture becomes another and back, for as long as somebody looks.

use std::time::Duration;

use super::choose::Choose;
use super::job::{FinishedPicture, JobUpdate};
use super::passage::Passage;
use super::selection::around;
use super::shared::Shared;
use super::view::{Scene, Shown};
use super::{Effect, Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

/// How long each of the two pictures is shown.
const STAY: Duration = Duration::from_millis(1500);

pub(super) struct Morphing {
    /// The two pictures, once they are there.
    ends: [Option<FinishedPicture>; 2],
    /// The kept pictures that are waited for.
    awaited: [Option<u64>; 2],
    /// Pictures that the second one may be, and which it is: kept ones by number, and those of a drawing of four.
    others: Others,
    at: usize,
    passage: Option<Passage>,
    /// When the film began.
    began: Option<Duration>,
}

/// What a picture may become.
enum Others {
    Kept,
    Here(Vec<FinishedPicture>),
}

impl Morphing {
    /// From the newest kept picture to the one before, once there are two.
    pub fn of_kept(shared: &mut Shared, now: Duration) -> Next {
        Morphing::between(shared, None, 0, now)
    }

    /// From a picture to the kept one behind it in the gallery; to the newest if it is not kept, or not yet.
    pub fn of_picture(shared: &mut Shared, first: FinishedPicture, kept: Option<u64>, now: Duration) -> Next {
        let place = shared.kept.iter().position(|entry| Some(entry.number) == kept);
        let place = place.unwrap_or(shared.kept.len().saturating_sub(1));
        Morphing::between(shared, Some(first), place, now)
    }

    fn between(shared: &mut Shared, first: Option<FinishedPicture>, place: usize, now: Duration) -> Next {
        let is_alone = shared.kept.len() < if first.is_some() { 1 } else { 2 };
        if is_alone || !shared.rules.sketch {
            shared.hint(Phrase::MorphNeedsTwo, now);
            return None;
        }
        let mut awaited = [None, None];
        if first.is_none() {
            awaited[0] = shared.kept.get(place).map(|entry| entry.number);
            shared.effects.extend(awaited[0].map(Effect::Load));
        }
        let mut morphing = Morphing {
            ends: [first, None],
            awaited,
            others: Others::Kept,
            at: place,
            passage: None,
            began: None,
        };
        morphing.turn(shared, 1, now);
        go(morphing)
    }

    /// From one of several pictures to the others.
    pub fn of_several(shared: &mut Shared, pictures: Vec<FinishedPicture>, at: usize, now: Duration) -> Next {
        let first = pictures.get(at).cloned()?;
        let mut morphing = Morphing {
            ends: [Some(first), None],
            awaited: [None, None],
            others: Others::Here(pictures),
            at,
            passage: None,
            began: None,
        };
        morphing.turn(shared, 1, now);
        go(morphing)
    }

    /// Another second picture.
    fn turn(&mut self, shared: &mut Shared, by: i32, now: Duration) {
        shared.cancel();
        (self.passage, self.began, self.ends[1]) = (None, None, None);
        match &self.others {
            Others::Here(pictures) => {
                self.at = around(self.at, by, pictures.len());
                self.ends[1] = pictures.get(self.at).cloned();
            }
            Others::Kept => {
                self.at = around(self.at, by, shared.kept.len());
                self.awaited[1] = shared.kept.get(self.at).map(|entry| entry.number);
                shared.effects.extend(self.awaited[1].map(Effect::Load));
            }
        }
        self.go_on(shared, now);
    }

    /// Draws the way from one to the other, once both are there.
    fn go_on(&mut self, shared: &mut Shared, now: Duration) {
        let [Some(first), Some(second)] = &self.ends else { return };
        if self.passage.is_some() {
            return;
        }
        if let Some(phrase) = shared.blocked_by() {
            return shared.hint(phrase, now);
        }
        self.passage = Passage::start(shared, first, second, now);
        if self.passage.is_none() {
            shared.hint(Phrase::Failed, now);
        }
    }

    /// What is shown now, and until when.
    fn shown(&self, shared: &Shared, now: Duration) -> Option<(Shown, Option<Duration>)> {
        let first = self.ends[0].as_ref()?;
        let (Some(passage), Some(began)) = (self.passage.as_ref().filter(|passage| passage.is_ready()), self.began) else {
            return Some((shared.finished(first), None));
        };
        let length = passage.length();
        let whole = 2 * (STAY + length);
        let spent = now.saturating_sub(began);
        let rounds = u32::try_from(spent.as_millis() / whole.as_millis().max(1)).unwrap_or(u32::MAX);
        let start = began + whole * rounds;
        let time = now.saturating_sub(start);
        if time < STAY {
            return Some((shared.finished(first), Some(start + STAY)));
        }
        if time < STAY + length {
            let (shown, until) = passage.at(shared, time - STAY)?;
            return Some((shown, Some(start + STAY + until)));
        }
        if time < 2 * STAY + length {
            return Some((shared.finished(passage.to()), Some(start + 2 * STAY + length)));
        }
        let (shown, until) = passage.backwards(shared, time - 2 * STAY - length)?;
        Some((shown, Some(start + 2 * STAY + length + until)))
    }

    fn title(&self, shared: &Shared) -> String {
        let titles = self.ends.iter().flatten().map(|end| shared.title(&end.item));
        titles.collect::<Vec<_>>().join(" → ")
    }
}

impl Mode for Morphing {
    fn press(&mut self, shared: &mut Shared, button: Button, gesture: Gesture, now: Duration) -> Next {
        let is_held = matches!(gesture, Gesture::Long | Gesture::Hold);
        match button {
            Button::A => self.turn(shared, if is_held { -1 } else { 1 }, now),
            Button::Next | Button::Confirm => self.turn(shared, 1, now),
            Button::Previous => self.turn(shared, -1, now),
            Button::D | Button::Back => {
                shared.cancel();
                return go(Choose::enter(shared, now));
            }
            Button::B | Button::C => {}
        }
        None
    }

    fn job_update(&mut self, shared: &mut Shared, update: &JobUpdate, now: Duration) -> Next {
        let passage = self.passage.as_mut()?;
        passage.update(shared, update);
        if passage.has_failed() {
            shared.hint(Phrase::Failed, now);
        }
        if passage.is_ready() && self.began.is_none() {
            self.began = Some(now);
        }
        None
    }

    fn loaded(&mut self, shared: &mut Shared, number: u64, finished: Option<&FinishedPicture>, now: Duration) {
        for (end, awaited) in self.ends.iter_mut().zip(&mut self.awaited) {
            if *awaited == Some(number) {
                (*end, *awaited) = (finished.cloned(), None);
            }
        }
        self.go_on(shared, now);
    }

    fn deadline(&self, shared: &Shared, now: Duration) -> Option<Duration> {
        self.shown(shared, now)?.1
    }

    fn times_out(&self) -> bool {
        true
    }

    fn scene(&self, shared: &Shared, now: Duration) -> Scene {
        let Some((shown, _)) = self.shown(shared, now) else {
            return Scene::Message { text: String::new() };
        };
        let title = self.title(shared);
        match &self.passage {
            Some(passage) if !passage.is_ready() && !passage.has_failed() => Scene::Drawing {
                title,
                style: shown.style.clone(),
                pictures: vec![Some(shown)],
                at: 0,
                done: passage.thousandths(),
                left: String::new(),
                doing: shared.language.say(Phrase::Drawing).to_owned(),
            },
            _ => Scene::Picture {
                shown: Shown { title, ..shown },
                favourite: false,
                code: None,
                place: None,
                around: Vec::new(),
                here: 0,
            },
        }
    }

    fn legends(&self, _shared: &Shared) -> [Option<Phrase>; 4] {
        [Some(Phrase::Next), None, None, Some(Phrase::Back)]
    }
}
