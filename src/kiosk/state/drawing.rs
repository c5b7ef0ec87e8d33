//! A picture, or four, are being drawn: every step is shown, any button cancels.

use std::time::Duration;

use super::choose::Choose;
use super::desk::Desk;
use super::four::Four;
use super::message::Message;
use super::order::{Drawn, Order, Piece, Purpose, Report, Stage};
use super::picture::OnePicture;
use super::request::DrawRequest;
use super::view::{Scene, Shown};
use super::wish::{AtOnce, four};
use super::{Effect, Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

/// A press so soon after the one that ordered the picture is not meant to cancel it.
const BOUNCE: Duration = Duration::from_millis(250);
/// The words about the time left change so often.
const SECOND: Duration = Duration::from_secs(1);

pub(super) struct Drawing {
    order: Order,
    began: Duration,
    drawn: Vec<Option<Drawn>>,
    preview: Option<Shown>,
    at: usize,
    /// Whether the words of the current piece are read, and its steps that are done.
    text: bool,
    done: usize,
}

impl Drawing {
    /// Draws what is wished for.
    pub fn start(desk: &mut Desk, now: Duration) -> Next {
        let Some(piece) = desk.piece() else {
            return Drawing::hindered(desk, now);
        };
        match desk.wish.at_once {
            AtOnce::One => Drawing::order(desk, Purpose::Picture, vec![piece], now),
            _ if desk.once => Drawing::order(desk, Purpose::Picture, vec![piece], now),
            several => {
                let styles = desk.skills.as_ref().map_or(Vec::new(), |skills| skills.styles.clone());
                Drawing::order(desk, Purpose::Several, four(&piece, several, &styles), now)
            }
        }
    }

    /// Draws the same with another seed.
    pub fn again(desk: &mut Desk, piece: &Piece, now: Duration) -> Next {
        let seed = desk.next_seed();
        let pieces = vec![Piece { seed, ..piece.clone() }];
        Drawing::order(desk, Purpose::Picture, pieces, now)
    }

    /// Draws four with the seeds that follow.
    pub fn vary(desk: &mut Desk, piece: &Piece, now: Duration) -> Next {
        let next = Piece {
            seed: piece.seed.wrapping_add(1),
            ..piece.clone()
        };
        Drawing::order(desk, Purpose::Several, four(&next, AtOnce::Four, &[]), now)
    }

    /// Draws what is requested as a whole, once the pack is open.
    pub fn request(desk: &mut Desk, request: DrawRequest, now: Duration) -> Next {
        if desk.hindrance().is_some() {
            desk.pending = desk.is_starting().then_some(request);
            return Drawing::hindered(desk, now);
        }
        if !desk.allows(request.prompt()) {
            desk.hint(Phrase::Refused, now);
            return None;
        }
        match desk.requested(&request) {
            Some(piece) => Drawing::order(desk, Purpose::Picture, vec![piece], now),
            None => {
                desk.hint(Phrase::Failed, now);
                None
            }
        }
    }

    fn order(desk: &mut Desk, purpose: Purpose, pieces: Vec<Piece>, now: Duration) -> Next {
        if desk.hindrance().is_some() {
            return Drawing::hindered(desk, now);
        }
        let order = desk.order(purpose, pieces, now);
        go(Drawing {
            began: now,
            drawn: vec![None; order.pieces.len()],
            preview: None,
            at: 0,
            text: false,
            done: 0,
            order,
        })
    }

    fn hindered(desk: &mut Desk, now: Duration) -> Next {
        let phrase = desk.hindrance().unwrap_or(Phrase::Failed);
        if desk.once {
            desk.effects.push(Effect::Quit);
            return go(Message { phrase });
        }
        desk.hint(phrase, now);
        None
    }

    fn finish(&mut self, desk: &mut Desk) -> Next {
        desk.finished();
        let number = self.order.number;
        let mut drawn: Vec<Drawn> = self.drawn.iter_mut().filter_map(Option::take).collect();
        if self.order.purpose == Purpose::Several {
            return go(Four::new(number, drawn));
        }
        let drawn = drawn.pop()?;
        let keep = desk.rules.keep_all || desk.once;
        if keep {
            desk.keep(number, 0, drawn.clone(), false);
        }
        go(OnePicture::new(number, 0, drawn, keep))
    }

    /// Time left, where steps were measured before.
    fn left(&self, desk: &Desk, now: Duration) -> Option<Duration> {
        let steps = |piece: usize| self.order.pieces.get(piece).map_or(0, |piece| piece.steps);
        let current = desk.measured.left(!self.text, self.done, steps(self.at))?;
        let later = (self.at + 1..self.order.pieces.len()).filter_map(|piece| desk.measured.left(true, 0, steps(piece)));
        let whole = current + later.sum::<Duration>();
        let spent = now.saturating_sub(desk.stage_began().unwrap_or(now));
        Some(whole.saturating_sub(spent))
    }

    fn left_in_words(&self, desk: &Desk, now: Duration) -> String {
        match self.left(desk, now).map(|left| left.as_millis().div_ceil(1000)) {
            None => String::new(),
            Some(0..=1) => desk.language.say(Phrase::ReadySoon).to_owned(),
            Some(seconds @ 2..=99) => desk.language.say_number(Phrase::SecondsLeft, seconds as u64),
            Some(seconds) => desk.language.say_number(Phrase::MinutesLeft, (seconds as u64).div_ceil(60)),
        }
    }

    /// Thousandths that are done: words and decoder count as a step each.
    fn thousandths(&self) -> u32 {
        let piece = |piece: &Piece| piece.steps + 2;
        let all: usize = self.order.pieces.iter().map(piece).sum();
        let before: usize = self.order.pieces.iter().take(self.at).map(piece).sum();
        let done = before + usize::from(self.text) + self.done;
        u32::try_from(done * 1000 / all.max(1)).unwrap_or(1000)
    }
}

impl Mode for Drawing {
    fn press(&mut self, desk: &mut Desk, _button: Button, gesture: Gesture, now: Duration) -> Next {
        if desk.once || gesture == Gesture::Hold || now < self.began + BOUNCE {
            return None;
        }
        desk.cancel();
        go(Choose::resume(now))
    }

    /// Nothing that is typed disturbs a drawing.
    fn text(&mut self, _desk: &mut Desk, _text: &str, _now: Duration) -> Next {
        None
    }

    fn report(&mut self, desk: &mut Desk, report: &Report, now: Duration) -> Next {
        match &report.stage {
            Stage::Text => self.text = true,
            Stage::Step { done, preview, .. } => {
                self.done = *done;
                let piece = self.order.pieces.get(report.piece)?;
                self.preview = preview.as_ref().map(|picture| desk.shown(piece, picture)).or(self.preview.take());
            }
            Stage::Finished(drawn) => {
                *self.drawn.get_mut(report.piece)? = Some(drawn.clone());
                (self.at, self.text, self.done, self.preview) = (report.piece + 1, false, 0, None);
                if self.at == self.order.pieces.len() {
                    return self.finish(desk);
                }
            }
            Stage::Failed(problem) => {
                log::error!("{problem}");
                desk.finished();
                desk.hint(Phrase::Failed, now);
                if desk.once {
                    desk.effects.push(Effect::Quit);
                }
                return go(Choose::resume(now));
            }
        }
        None
    }

    fn deadline(&self, desk: &Desk, now: Duration) -> Option<Duration> {
        // Panels that cannot move show no seconds.
        let moves = !desk.rules.fade.is_zero() && self.left(desk, now).is_some();
        moves.then(|| now + SECOND)
    }

    fn scene(&self, desk: &Desk, now: Duration) -> Scene {
        let show = |(index, piece): (usize, &Piece)| match &self.drawn[index] {
            Some(drawn) => Some(desk.shown(piece, &drawn.picture)),
            None if index == self.at => self.preview.clone(),
            None => None,
        };
        let first = &self.order.pieces[0];
        let current = self.order.pieces.get(self.at).unwrap_or(first);
        Scene::Drawing {
            title: desk.title(first),
            style: desk.style_name(current.style.as_deref()),
            pictures: self.order.pieces.iter().enumerate().map(show).collect(),
            at: self.at,
            done: self.thousandths(),
            left: self.left_in_words(desk, now),
        }
    }

    fn legends(&self, desk: &Desk) -> [Option<Phrase>; 4] {
        [None, None, None, (!desk.once).then_some(Phrase::Cancel)]
    }
}
