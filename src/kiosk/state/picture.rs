//! One finished picture: again, vary, keep, take home.

use std::time::Duration;

use super::choose::Choose;
use super::desk::Desk;
use super::drawing::Drawing;
use super::order::Drawn;
use super::view::Scene;
use super::{Effect, Mode, Next, Outcome, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

pub(super) struct OnePicture {
    order: u64,
    piece: usize,
    drawn: Drawn,
    /// Whether it was asked to be kept, and so has or will have a name in the gallery.
    asked: bool,
    pub favourite: bool,
    /// Whether the gallery knows about `favourite`.
    told: bool,
    code: bool,
}

impl OnePicture {
    pub fn new(order: u64, piece: usize, drawn: Drawn, asked: bool) -> OnePicture {
        OnePicture {
            order,
            piece,
            drawn,
            asked,
            favourite: false,
            told: true,
            code: false,
        }
    }

    fn toggle(&mut self, desk: &mut Desk, now: Duration) {
        self.favourite = !self.favourite;
        if self.favourite {
            desk.hint(Phrase::KeptForGood, now);
        }
        if self.asked {
            self.told = false;
            self.tell(desk);
        } else {
            self.asked = true;
            desk.keep(self.order, self.piece, self.drawn.clone(), self.favourite);
        }
    }

    /// Tells the gallery about the mark, once the picture has a name there.
    fn tell(&mut self, desk: &mut Desk) {
        if self.told {
            return;
        }
        if let Some(&Outcome::Kept(number)) = desk.outcome(self.order, self.piece) {
            desk.effects.push(Effect::Favourite(number, self.favourite));
            self.told = true;
        }
    }
}

impl Mode for OnePicture {
    fn press(&mut self, desk: &mut Desk, button: Button, gesture: Gesture, now: Duration) -> Next {
        if desk.once || gesture == Gesture::Hold {
            return None;
        }
        match button {
            Button::A => return Drawing::again(desk, &self.drawn.piece.clone(), now),
            Button::B => return Drawing::vary(desk, &self.drawn.piece.clone(), now),
            Button::C | Button::Confirm => self.toggle(desk, now),
            Button::D if !self.code && gesture != Gesture::Long => self.code = true,
            Button::D | Button::Back | Button::Next | Button::Previous => return go(Choose::enter(desk, now)),
        }
        None
    }

    fn character(&mut self, desk: &mut Desk, letter: char, now: Duration) -> Next {
        let choose = Choose::enter(desk, now);
        desk.type_letter(letter);
        go(choose)
    }

    fn news(&mut self, desk: &mut Desk, _now: Duration) -> Next {
        self.tell(desk);
        if desk.outcome(self.order, self.piece) == Some(&Outcome::NotKept) {
            (self.asked, self.favourite, self.told) = (false, false, true);
        }
        if desk.once && desk.outcome(self.order, self.piece).is_some() {
            desk.effects.push(Effect::Quit);
        }
        None
    }

    fn is_patient(&self) -> bool {
        true
    }

    fn scene(&self, desk: &Desk, _now: Duration) -> Scene {
        Scene::Picture {
            shown: desk.shown(&self.drawn.piece, &self.drawn.picture),
            favourite: self.favourite,
            code: self.code.then(|| self.drawn.piece.command()),
            place: None,
        }
    }

    fn legends(&self, desk: &Desk) -> [Option<Phrase>; 4] {
        if desk.once {
            return [None; 4];
        }
        let keep = if self.favourite { Phrase::Kept } else { Phrase::Keep };
        let last = if self.code { Phrase::New } else { Phrase::TakeHome };
        [Phrase::Again, Phrase::Vary, keep, last].map(Some)
    }
}
