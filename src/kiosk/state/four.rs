//! Four pictures: A to D pick one, then A varies it, B enlarges it, C keeps it, D goes back to picking.

use std::time::Duration;

use super::choose::Choose;
use super::desk::Desk;
use super::drawing::Drawing;
use super::order::Drawn;
use super::picture::OnePicture;
use super::view::Scene;
use super::wish::around;
use super::{Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

pub(super) struct Four {
    order: u64,
    drawn: Vec<Drawn>,
    kept: Vec<bool>,
    at: Option<usize>,
    picked: bool,
}

impl Four {
    pub fn new(order: u64, drawn: Vec<Drawn>) -> Four {
        Four {
            order,
            kept: vec![false; drawn.len()],
            drawn,
            at: None,
            picked: false,
        }
    }

    fn pick(&mut self, at: usize) -> Next {
        if at < self.drawn.len() {
            (self.at, self.picked) = (Some(at), true);
        }
        None
    }

    fn enlarge(&mut self, desk: &mut Desk, at: usize) -> Next {
        let drawn = self.drawn.get(at)?.clone();
        if desk.rules.keep_all && !self.kept[at] {
            desk.keep(self.order, at, drawn.clone(), false);
        }
        let asked = desk.rules.keep_all || self.kept[at];
        let mut picture = OnePicture::new(self.order, at, drawn, asked);
        picture.favourite = self.kept[at];
        go(picture)
    }

    fn keep(&mut self, desk: &mut Desk, at: usize, now: Duration) -> Next {
        if !std::mem::replace(self.kept.get_mut(at)?, true) {
            desk.keep(self.order, at, self.drawn[at].clone(), true);
        }
        desk.hint(Phrase::KeptForGood, now);
        None
    }

    fn with_picked(&mut self, desk: &mut Desk, button: Button, at: usize, now: Duration) -> Next {
        match button {
            Button::A => Drawing::vary(desk, &self.drawn.get(at)?.piece.clone(), now),
            Button::B | Button::Confirm => self.enlarge(desk, at),
            Button::C => self.keep(desk, at, now),
            Button::D | Button::Back => {
                self.picked = false;
                None
            }
            Button::Next | Button::Previous => self.move_on(button),
        }
    }

    fn move_on(&mut self, button: Button) -> Next {
        let by = if button == Button::Next { 1 } else { -1 };
        let start = if by > 0 { self.drawn.len() - 1 } else { 0 };
        self.at = Some(around(self.at.unwrap_or(start), by, self.drawn.len()));
        None
    }
}

impl Mode for Four {
    fn press(&mut self, desk: &mut Desk, button: Button, gesture: Gesture, now: Duration) -> Next {
        if gesture == Gesture::Hold {
            return None;
        }
        if let Some(at) = self.at.filter(|_| self.picked) {
            return self.with_picked(desk, button, at, now);
        }
        match button {
            Button::A => self.pick(0),
            Button::B => self.pick(1),
            Button::C => self.pick(2),
            Button::D => self.pick(3),
            Button::Confirm => self.pick(self.at.unwrap_or(0)),
            Button::Next | Button::Previous => self.move_on(button),
            Button::Back => go(Choose::enter(desk, now)),
        }
    }

    fn is_patient(&self) -> bool {
        true
    }

    fn scene(&self, desk: &Desk, _now: Duration) -> Scene {
        let title = self.drawn.first().map_or_else(String::new, |drawn| desk.title(&drawn.piece));
        Scene::Four {
            title,
            pictures: self.drawn.iter().map(|drawn| desk.shown(&drawn.piece, &drawn.picture)).collect(),
            at: self.at,
            picked: self.picked,
        }
    }

    fn legends(&self, _desk: &Desk) -> [Option<Phrase>; 4] {
        let kept = self.at.is_some_and(|at| self.kept.get(at) == Some(&true));
        let keep = if kept { Phrase::Kept } else { Phrase::Keep };
        if self.picked {
            [Phrase::Vary, Phrase::Large, keep, Phrase::Back].map(Some)
        } else {
            [None; 4]
        }
    }
}
