//! Attract mode, while no visitor is there: a slow slide show of kept pictures, or of the examples while nothing is kept, which fade or
//! become one another.

use std::time::Duration;

use super::choose::Choose;
use super::job::{FinishedPicture, JobStage, JobUpdate, Purpose};
use super::message::Message;
use super::passage::Passage;
use super::shared::Shared;
use super::view::Scene;
use super::{Effect, Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

/// Time between two frames of a fade.
const FRAME: Duration = Duration::from_millis(100);
/// Delay after a picture that could not be read.
const RETRY: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(super) struct Attract {
    current: Option<FinishedPicture>,
    /// The picture that fades in, and since when.
    coming: Option<(FinishedPicture, Duration)>,
    /// The latest slide.
    at: Option<Slide>,
    waiting: Option<u64>,
    next: Duration,
    /// Whether the next picture was loaded before its time, so that a morph to it can be drawn.
    is_ahead: bool,
    /// How the current picture becomes the next one, where it does not fade, and since when.
    passage: Option<(Passage, Option<Duration>)>,
    /// The next picture, if there is no morph to it and its time has not come.
    held: Option<FinishedPicture>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slide {
    Kept(u64),
    Example(usize),
}

impl Attract {
    /// All slides, in order.
    fn slides(shared: &Shared) -> Vec<Slide> {
        let favourites = shared.rules.only_favourites && shared.kept.iter().any(|entry| entry.favourite);
        let kept = shared.kept.iter().filter(|entry| entry.favourite || !favourites);
        let kept: Vec<Slide> = kept.map(|entry| Slide::Kept(entry.number)).collect();
        if kept.is_empty() {
            (0..shared.examples.len()).map(Slide::Example).collect()
        } else {
            kept
        }
    }

    /// Advances to the next picture.
    fn advance(&mut self, shared: &mut Shared, now: Duration) {
        let slides = Attract::slides(shared);
        let at = self.at.as_ref().and_then(|at| slides.iter().position(|slide| slide == at));
        let next = at.map_or(0, |at| (at + 1) % slides.len().max(1));
        self.is_ahead = Attract::looks_ahead(shared) && now < self.next;
        if !self.is_ahead {
            self.next = now + shared.rules.shown;
        }
        let Some(slide) = slides.get(next).filter(|_| at != Some(next)) else {
            return;
        };
        self.at = Some(*slide);
        match slide {
            Slide::Kept(number) => {
                self.waiting = Some(*number);
                shared.effects.push(Effect::Load(*number));
            }
            Slide::Example(index) => {
                let example = shared.examples[*index].clone();
                self.receive(shared, example, now);
            }
        }
    }

    /// Whether the next picture is loaded before its time: for a morph, whose pictures take a while, and if nothing else is being drawn.
    fn looks_ahead(shared: &Shared) -> bool {
        shared.rules.morphs && shared.may_sketch() && shared.stage_began().is_none()
    }

    /// Takes a picture that has been loaded: a morph to it is drawn, or it waits for its time, or fades in.
    fn receive(&mut self, shared: &mut Shared, finished: FinishedPicture, now: Duration) {
        let from = self.current.clone().filter(|_| self.is_ahead && Attract::looks_ahead(shared));
        self.passage = from.and_then(|from| Some((Passage::start(shared, &from, &finished, now)?, None)));
        if self.passage.is_some() {
            return;
        }
        if self.is_ahead && now < self.next {
            self.held = Some(finished);
        } else {
            self.show(shared, finished, now);
        }
    }

    /// Goes on with a morph: begins it when the picture was shown long enough, and ends it.
    fn pass(&mut self, shared: &Shared, now: Duration) {
        let Some((passage, began)) = &mut self.passage else { return };
        match began {
            None if passage.has_failed() => {
                self.held = Some(passage.to().clone());
                self.passage = None;
            }
            None if passage.is_ready() && now >= self.next => *began = Some(now),
            Some(since) if now >= *since + passage.length() => {
                self.current = Some(passage.to().clone());
                self.passage = None;
                self.next = now + shared.rules.shown;
            }
            _ => {}
        }
    }

    fn show(&mut self, shared: &Shared, finished: FinishedPicture, now: Duration) {
        if self.current.is_none() || shared.rules.fade.is_zero() {
            self.current = Some(finished);
        } else {
            self.coming = Some((finished, now));
        }
        self.next = now + shared.rules.shown + shared.rules.fade;
    }

    /// When the next picture is to be loaded.
    fn due(&self, shared: &Shared) -> Duration {
        if Attract::looks_ahead(shared) {
            self.next.saturating_sub(shared.rules.shown)
        } else {
            self.next
        }
    }

    /// Draws the missing examples while there is nothing else to show.
    fn draw_examples(shared: &mut Shared, now: Duration) {
        let missing = shared
            .examples_to_draw()
            .split_off(shared.examples.len().min(shared.examples_to_draw().len()));
        let nothing_kept = shared.is_kept_known && shared.kept.is_empty();
        if nothing_kept && !missing.is_empty() && shared.stage_began().is_none() && shared.blocked_by().is_none() {
            shared.start_job(Purpose::Example, missing, now);
        }
    }

    /// Goes to the choose screen, or to a message if the pack cannot be read.
    pub fn leave(shared: &mut Shared, now: Duration) -> Next {
        shared.cancel();
        match shared.blocked_by() {
            Some(Phrase::PackTrouble) => go(Message {
                phrase: Phrase::PackTrouble,
            }),
            _ => go(Choose::enter(shared, now)),
        }
    }
}

impl Mode for Attract {
    fn press(&mut self, shared: &mut Shared, _button: Button, _gesture: Gesture, now: Duration) -> Next {
        Attract::leave(shared, now)
    }

    fn character(&mut self, shared: &mut Shared, letter: char, now: Duration) -> Next {
        shared.selection.typed = None;
        shared.type_letter(letter);
        let typed = shared.selection.typed.take();
        let next = Attract::leave(shared, now);
        shared.selection.typed = typed;
        next
    }

    fn tick(&mut self, shared: &mut Shared, now: Duration) -> Next {
        if let Some((finished, _)) = self.coming.take_if(|(_, since)| now >= *since + shared.rules.fade) {
            self.current = Some(finished);
        }
        self.pass(shared, now);
        if now >= self.next
            && let Some(held) = self.held.take()
        {
            self.show(shared, held, now);
        }
        let is_free = self.coming.is_none() && self.waiting.is_none() && self.passage.is_none() && self.held.is_none();
        if is_free && now >= self.due(shared) {
            self.advance(shared, now);
        }
        None
    }

    fn job_update(&mut self, shared: &mut Shared, update: &JobUpdate, now: Duration) -> Next {
        if let Some((passage, _)) = &mut self.passage {
            passage.update(shared, update);
            self.pass(shared, now);
            return None;
        }
        match &update.stage {
            JobStage::Finished(finished) => {
                shared.examples.push(finished.clone());
                if shared.examples.len() >= shared.examples_to_draw().len() {
                    shared.end_job();
                }
                if self.current.is_none() {
                    self.advance(shared, now);
                }
            }
            JobStage::Failed(_) | JobStage::Unknown(_) | JobStage::Ambiguous(_) | JobStage::Morphed(_) => shared.end_job(),
            JobStage::Text | JobStage::Step { .. } => {}
        }
        None
    }

    fn loaded(&mut self, shared: &mut Shared, number: u64, finished: Option<&FinishedPicture>, now: Duration) {
        if self.waiting != Some(number) {
            return;
        }
        self.waiting = None;
        match finished {
            Some(finished) => self.receive(shared, finished.clone(), now),
            None if self.is_ahead => self.next = now + RETRY + shared.rules.shown,
            None => self.next = now + RETRY,
        }
    }

    fn refresh(&mut self, shared: &mut Shared, now: Duration) -> Next {
        Attract::draw_examples(shared, now);
        if self.current.is_none() && self.waiting.is_none() {
            self.advance(shared, now);
        }
        None
    }

    fn deadline(&self, shared: &Shared, now: Duration) -> Option<Duration> {
        if let Some((_, since)) = &self.coming {
            let frames = now.saturating_sub(*since).as_millis() / FRAME.as_millis() + 1;
            let frame = *since + FRAME * u32::try_from(frames).unwrap_or(u32::MAX);
            return Some(frame.min(*since + shared.rules.fade).max(now));
        }
        if let Some((passage, began)) = &self.passage {
            let frame = began.and_then(|since| Some(since + passage.at(shared, now.saturating_sub(since))?.1));
            let end = began.map(|since| since + passage.length());
            return frame
                .or(end)
                .or((passage.is_ready() || passage.has_failed()).then_some(self.next.max(now)));
        }
        if self.held.is_some() {
            return Some(self.next.max(now));
        }
        let more = Attract::slides(shared).len() > usize::from(self.current.is_some());
        (self.waiting.is_none() && more).then(|| self.due(shared).max(now))
    }

    fn scene(&self, shared: &Shared, now: Duration) -> Scene {
        let opacity = |since: Duration| {
            let part = now.saturating_sub(since).as_secs_f32() / shared.rules.fade.as_secs_f32().max(0.001);
            let part = part.clamp(0.0, 1.0);
            // Slow at both ends.
            (part * part * (3.0 - 2.0 * part) * 255.0) as u8
        };
        let shown = |finished: &FinishedPicture| shared.finished(finished);
        let passing = self.passage.as_ref().and_then(|(passage, began)| {
            let since = (*began)?;
            passage.at(shared, now.saturating_sub(since)).map(|(shown, _)| shown)
        });
        Scene::Attract {
            shown: passing.or_else(|| self.current.as_ref().map(shown)),
            coming: self.coming.as_ref().map(|(finished, since)| (shown(finished), opacity(*since))),
            call: shared.language.say(Phrase::PressAButton).to_owned(),
        }
    }

    fn legends(&self, _shared: &Shared) -> [Option<Phrase>; 4] {
        [None; 4]
    }
}
