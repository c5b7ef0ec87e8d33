//! One finished picture: again, vary, keep, take home.

use std::time::Duration;

use super::choose::Choose;
use super::drawing::Drawing;
use super::job::FinishedPicture;
use super::morphing::Morphing;
use super::shared::Shared;
use super::view::{Code, Scene};
use super::{Effect, KeepOutcome, Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

pub(super) struct OnePicture {
    job: u64,
    item: usize,
    finished: FinishedPicture,
    /// Whether it was kept, and so has or will have a number in the gallery.
    asked: bool,
    pub favourite: bool,
    /// Whether the gallery was told about `favourite`.
    told: bool,
    code: Option<Code>,
}

impl OnePicture {
    pub fn new(job: u64, item: usize, finished: FinishedPicture, asked: bool) -> OnePicture {
        OnePicture {
            job,
            item,
            finished,
            asked,
            favourite: false,
            told: true,
            code: None,
        }
    }

    /// A picture that was drawn elsewhere, with its number in the gallery if it was kept.
    pub fn of_elsewhere(shared: &mut Shared, finished: FinishedPicture, number: Option<u64>) -> OnePicture {
        let job = shared.adopt(number);
        OnePicture::new(job, 0, finished, number.is_some())
    }

    fn toggle(&mut self, shared: &mut Shared, now: Duration) {
        self.favourite = !self.favourite;
        if self.favourite {
            shared.hint(Phrase::KeptForGood, now);
        }
        if self.asked {
            self.told = false;
            self.tell(shared);
        } else {
            self.asked = true;
            shared.keep(self.job, self.item, self.finished.clone(), self.favourite);
        }
    }

    /// Its number in the gallery, if it is there.
    fn number(&self, shared: &Shared) -> Option<u64> {
        match shared.outcome(self.job, self.item) {
            Some(KeepOutcome::Kept(number)) => Some(*number),
            _ => None,
        }
    }

    fn can_be_taken_home(&self, shared: &Shared) -> bool {
        self.finished.command().is_some() || shared.links.is_some()
    }

    /// Tells the gallery about `favourite`, once the picture has a number there.
    fn tell(&mut self, shared: &mut Shared) {
        if self.told {
            return;
        }
        if let Some(&KeepOutcome::Kept(number)) = shared.outcome(self.job, self.item) {
            shared.effects.push(Effect::Favourite(number, self.favourite));
            self.told = true;
        }
    }
}

impl Mode for OnePicture {
    fn press(&mut self, shared: &mut Shared, button: Button, gesture: Gesture, now: Duration) -> Next {
        if shared.once || gesture == Gesture::Hold {
            return None;
        }
        match button {
            Button::A => return Drawing::again(shared, &self.finished.item.clone(), now),
            Button::B if gesture == Gesture::Long => return Morphing::of_picture(shared, self.finished.clone(), self.number(shared), now),
            Button::B => return Drawing::vary(shared, &self.finished.item.clone(), now),
            Button::C | Button::Confirm => self.toggle(shared, now),
            Button::D if self.code.is_none() && gesture != Gesture::Long && self.can_be_taken_home(shared) => {
                self.code = Some(shared.code(&self.finished));
            }
            Button::D | Button::Back | Button::Next | Button::Previous => return go(Choose::enter(shared, now)),
        }
        None
    }

    fn character(&mut self, shared: &mut Shared, letter: char, now: Duration) -> Next {
        let choose = Choose::enter(shared, now);
        shared.type_letter(letter);
        go(choose)
    }

    fn refresh(&mut self, shared: &mut Shared, _now: Duration) -> Next {
        self.tell(shared);
        if shared.outcome(self.job, self.item) == Some(&KeepOutcome::NotKept) {
            (self.asked, self.favourite, self.told) = (false, false, true);
        }
        if shared.once && shared.outcome(self.job, self.item).is_some() {
            shared.effects.push(Effect::Quit);
        }
        None
    }

    fn times_out(&self) -> bool {
        true
    }

    fn scene(&self, shared: &Shared, _now: Duration) -> Scene {
        Scene::Picture {
            shown: shared.finished(&self.finished),
            favourite: self.favourite,
            code: self.code.clone(),
            place: None,
            around: Vec::new(),
            here: 0,
        }
    }

    fn legends(&self, shared: &Shared) -> [Option<Phrase>; 4] {
        if shared.once {
            return [None; 4];
        }
        let keep = if self.favourite { Phrase::Kept } else { Phrase::Keep };
        let last = if self.code.is_some() || !self.can_be_taken_home(shared) {
            Phrase::New
        } else {
            Phrase::TakeHome
        };
        [Phrase::Again, Phrase::Vary, keep, last].map(Some)
    }
}
