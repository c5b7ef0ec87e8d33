//! Four pictures: A to D pick one, then A varies it, B enlarges it, C keeps it, D goes back to picking.

use std::time::Duration;

use super::choose::Choose;
use super::drawing::Drawing;
use super::job::FinishedPicture;
use super::morphing::Morphing;
use super::picture::OnePicture;
use super::selection::around;
use super::shared::Shared;
use super::view::Scene;
use super::{Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

pub(super) struct Four {
    job: u64,
    finished: Vec<FinishedPicture>,
    kept: Vec<bool>,
    at: Option<usize>,
    picked: bool,
}

impl Four {
    pub fn new(job: u64, finished: Vec<FinishedPicture>) -> Four {
        Four {
            job,
            kept: vec![false; finished.len()],
            finished,
            at: None,
            picked: false,
        }
    }

    fn pick(&mut self, at: usize) -> Next {
        if at < self.finished.len() {
            (self.at, self.picked) = (Some(at), true);
        }
        None
    }

    fn enlarge(&mut self, shared: &mut Shared, at: usize) -> Next {
        let finished = self.finished.get(at)?.clone();
        if shared.rules.keep_all && !self.kept[at] {
            shared.keep(self.job, at, finished.clone(), false);
        }
        let asked = shared.rules.keep_all || self.kept[at];
        let mut picture = OnePicture::new(self.job, at, finished, asked);
        picture.favourite = self.kept[at];
        go(picture)
    }

    fn keep(&mut self, shared: &mut Shared, at: usize, now: Duration) -> Next {
        if !std::mem::replace(self.kept.get_mut(at)?, true) {
            shared.keep(self.job, at, self.finished[at].clone(), true);
        }
        shared.hint(Phrase::KeptForGood, now);
        None
    }

    fn with_picked(&mut self, shared: &mut Shared, button: Button, at: usize, now: Duration) -> Next {
        match button {
            Button::A => Drawing::vary(shared, &self.finished.get(at)?.item.clone(), now),
            Button::B | Button::Confirm => self.enlarge(shared, at),
            Button::C => self.keep(shared, at, now),
            Button::D | Button::Back => {
                self.picked = false;
                None
            }
            Button::Next | Button::Previous => self.move_on(button),
        }
    }

    fn move_on(&mut self, button: Button) -> Next {
        let by = if button == Button::Next { 1 } else { -1 };
        let start = if by > 0 { self.finished.len() - 1 } else { 0 };
        self.at = Some(around(self.at.unwrap_or(start), by, self.finished.len()));
        None
    }
}

impl Mode for Four {
    fn press(&mut self, shared: &mut Shared, button: Button, gesture: Gesture, now: Duration) -> Next {
        if gesture == Gesture::Hold {
            return None;
        }
        if let Some(at) = self.at.filter(|_| self.picked && button == Button::A && gesture == Gesture::Long) {
            return Morphing::of_several(shared, self.finished.clone(), at, now);
        }
        if let Some(at) = self.at.filter(|_| self.picked) {
            return self.with_picked(shared, button, at, now);
        }
        match button {
            Button::A => self.pick(0),
            Button::B => self.pick(1),
            Button::C => self.pick(2),
            Button::D => self.pick(3),
            Button::Confirm => self.pick(self.at.unwrap_or(0)),
            Button::Next | Button::Previous => self.move_on(button),
            Button::Back => go(Choose::enter(shared, now)),
        }
    }

    fn times_out(&self) -> bool {
        true
    }

    fn scene(&self, shared: &Shared, _now: Duration) -> Scene {
        let title = self
            .finished
            .first()
            .map_or_else(String::new, |finished| shared.title(&finished.item));
        Scene::Four {
            title,
            pictures: self.finished.iter().map(|finished| shared.finished(finished)).collect(),
            at: self.at,
            picked: self.picked,
            question: if self.picked {
                String::new()
            } else {
                shared.language.say(Phrase::Pick).to_owned()
            },
        }
    }

    fn legends(&self, _shared: &Shared) -> [Option<Phrase>; 4] {
        let kept = self.at.is_some_and(|at| self.kept.get(at) == Some(&true));
        let keep = if kept { Phrase::Kept } else { Phrase::Keep };
        if self.picked {
            [Phrase::Vary, Phrase::Large, keep, Phrase::Back].map(Some)
        } else {
            [None; 4]
        }
    }
}
