//! Nobody is there: kept pictures change slowly into one another; the examples while nothing is kept.

use std::time::Duration;

use super::choose::Choose;
use super::desk::Desk;
use super::message::Message;
use super::order::{Drawn, Purpose, Report, Stage};
use super::view::{Scene, Shown};
use super::{Effect, Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

/// Time between two pictures of a change.
const FRAME: Duration = Duration::from_millis(100);
/// Wait after a picture that could not be read.
const RETRY: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(super) struct Attract {
    current: Option<Shown>,
    coming: Option<(Shown, Duration)>,
    /// The picture that was taken last.
    at: Option<Place>,
    waiting: Option<u64>,
    next: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Kept(u64),
    Example(usize),
}

impl Attract {
    /// What is shown, in order.
    fn places(desk: &Desk) -> Vec<Place> {
        let favourites = desk.rules.only_favourites && desk.kept.iter().any(|entry| entry.favourite);
        let kept = desk.kept.iter().filter(|entry| entry.favourite || !favourites);
        let kept: Vec<Place> = kept.map(|entry| Place::Kept(entry.number)).collect();
        if kept.is_empty() {
            (0..desk.examples.len()).map(Place::Example).collect()
        } else {
            kept
        }
    }

    /// On to the next picture.
    fn advance(&mut self, desk: &mut Desk, now: Duration) {
        let places = Attract::places(desk);
        let at = self.at.as_ref().and_then(|at| places.iter().position(|place| place == at));
        let next = at.map_or(0, |at| (at + 1) % places.len().max(1));
        self.next = now + desk.rules.shown;
        let Some(place) = places.get(next).filter(|_| at != Some(next)) else {
            return;
        };
        self.at = Some(*place);
        match place {
            Place::Kept(number) => {
                self.waiting = Some(*number);
                desk.effects.push(Effect::Load(*number));
            }
            Place::Example(index) => {
                let drawn = &desk.examples[*index];
                self.show(desk, desk.shown(&drawn.piece, &drawn.picture), now);
            }
        }
    }

    fn show(&mut self, desk: &Desk, shown: Shown, now: Duration) {
        if self.current.is_none() || desk.rules.fade.is_zero() {
            self.current = Some(shown);
        } else {
            self.coming = Some((shown, now));
        }
        self.next = now + desk.rules.shown + desk.rules.fade;
    }

    /// Draws the examples that are missing, as long as there is nothing else to show.
    fn draw_examples(desk: &mut Desk, now: Duration) {
        let missing = desk
            .examples_to_draw()
            .split_off(desk.examples.len().min(desk.examples_to_draw().len()));
        let nothing_kept = desk.is_kept_known && desk.kept.is_empty();
        if nothing_kept && !missing.is_empty() && desk.stage_began().is_none() && desk.hindrance().is_none() {
            desk.order(Purpose::Example, missing, now);
        }
    }

    /// Goes to where words are chosen, or says that there is no pack.
    pub fn leave(desk: &mut Desk, now: Duration) -> Next {
        desk.cancel();
        match desk.hindrance() {
            Some(Phrase::PackTrouble) => go(Message {
                phrase: Phrase::PackTrouble,
            }),
            _ => go(Choose::enter(desk, now)),
        }
    }
}

impl Mode for Attract {
    fn press(&mut self, desk: &mut Desk, _button: Button, _gesture: Gesture, now: Duration) -> Next {
        Attract::leave(desk, now)
    }

    fn character(&mut self, desk: &mut Desk, letter: char, now: Duration) -> Next {
        desk.wish.typed = None;
        desk.type_letter(letter);
        let typed = desk.wish.typed.take();
        let next = Attract::leave(desk, now);
        desk.wish.typed = typed;
        next
    }

    fn tick(&mut self, desk: &mut Desk, now: Duration) -> Next {
        if let Some((shown, _)) = self.coming.take_if(|(_, since)| now >= *since + desk.rules.fade) {
            self.current = Some(shown);
        }
        if self.coming.is_none() && self.waiting.is_none() && now >= self.next {
            self.advance(desk, now);
        }
        None
    }

    fn report(&mut self, desk: &mut Desk, report: &Report, now: Duration) -> Next {
        match &report.stage {
            Stage::Finished(drawn) => {
                desk.examples.push(drawn.clone());
                if desk.examples.len() >= desk.examples_to_draw().len() {
                    desk.finished();
                }
                if self.current.is_none() {
                    self.advance(desk, now);
                }
            }
            Stage::Failed(_) => desk.finished(),
            Stage::Text | Stage::Step { .. } => {}
        }
        None
    }

    fn loaded(&mut self, desk: &mut Desk, number: u64, drawn: Option<&Drawn>, now: Duration) {
        if self.waiting != Some(number) {
            return;
        }
        self.waiting = None;
        match drawn {
            Some(drawn) => self.show(desk, desk.shown(&drawn.piece, &drawn.picture), now),
            None => self.next = now + RETRY,
        }
    }

    fn news(&mut self, desk: &mut Desk, now: Duration) -> Next {
        Attract::draw_examples(desk, now);
        if self.current.is_none() && self.waiting.is_none() {
            self.advance(desk, now);
        }
        None
    }

    fn deadline(&self, desk: &Desk, now: Duration) -> Option<Duration> {
        if let Some((_, since)) = &self.coming {
            let frames = now.saturating_sub(*since).as_millis() / FRAME.as_millis() + 1;
            let frame = *since + FRAME * u32::try_from(frames).unwrap_or(u32::MAX);
            return Some(frame.min(*since + desk.rules.fade).max(now));
        }
        let more = Attract::places(desk).len() > usize::from(self.current.is_some());
        (self.waiting.is_none() && more).then_some(self.next)
    }

    fn scene(&self, desk: &Desk, now: Duration) -> Scene {
        let there = |since: Duration| {
            let part = now.saturating_sub(since).as_secs_f32() / desk.rules.fade.as_secs_f32().max(0.001);
            let part = part.clamp(0.0, 1.0);
            // Slow at both ends.
            (part * part * (3.0 - 2.0 * part) * 255.0) as u8
        };
        Scene::Attract {
            shown: self.current.clone(),
            coming: self.coming.as_ref().map(|(shown, since)| (shown.clone(), there(*since))),
        }
    }

    fn legends(&self, _desk: &Desk) -> [Option<Phrase>; 4] {
        [None; 4]
    }
}
