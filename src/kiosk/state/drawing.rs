//! A picture, or four, are being drawn: every step is shown, and any button cancels.

use std::time::Duration;

use super::choose::Choose;
use super::four::Four;
use super::job::{FinishedPicture, Item, Job, JobStage, JobUpdate, Purpose};
use super::message::Message;
use super::picture::OnePicture;
use super::request::DrawRequest;
use super::selection::{AtOnce, four, four_alike};
use super::shared::Shared;
use super::view::{Scene, Shown};
use super::{Effect, Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

/// A press this soon after the one that started the drawing is not meant to cancel it.
const BOUNCE: Duration = Duration::from_millis(250);
/// How often the remaining time is updated.
const SECOND: Duration = Duration::from_secs(1);

pub(super) struct Drawing {
    job: Job,
    began: Duration,
    finished: Vec<Option<FinishedPicture>>,
    preview: Option<Shown>,
    at: usize,
    /// Whether the prompt of the current item was encoded, and its finished steps.
    text: bool,
    done: usize,
}

impl Drawing {
    /// Draws the selection.
    pub fn start(shared: &mut Shared, now: Duration) -> Next {
        let Some(item) = shared.item() else {
            return Drawing::blocked(shared, now);
        };
        match shared.selection.at_once {
            AtOnce::One => Drawing::start_job(shared, Purpose::Picture, vec![item], now),
            _ if shared.once => Drawing::start_job(shared, Purpose::Picture, vec![item], now),
            several => {
                let styles = shared.choices.as_ref().map_or(Vec::new(), |choices| choices.styles.clone());
                let item = match several {
                    AtOnce::FourStyles => Item {
                        style: shared.style_of(&item).map(str::to_owned),
                        ..item
                    },
                    _ => item,
                };
                Drawing::start_job(shared, Purpose::Several, four(&item, several, &styles), now)
            }
        }
    }

    /// Draws the same item with a new seed.
    pub fn again(shared: &mut Shared, item: &Item, now: Duration) -> Next {
        let seed = shared.next_seed();
        let items = vec![Item {
            seed,
            variations: Vec::new(),
            ..item.clone()
        }];
        Drawing::start_job(shared, Purpose::Picture, items, now)
    }

    /// Draws four pictures like that of an item, whose noise is moved towards that of the next seeds.
    pub fn vary(shared: &mut Shared, item: &Item, now: Duration) -> Next {
        let next = item.variations.last().map_or(item.seed, |variation| variation.seed);
        Drawing::start_job(shared, Purpose::Several, four_alike(item, next.wrapping_add(1)), now)
    }

    /// Draws a request, once the pack is open.
    pub fn request(shared: &mut Shared, request: DrawRequest, now: Duration) -> Next {
        if shared.blocked_by().is_some() {
            shared.pending = shared.is_starting().then_some(request);
            return Drawing::blocked(shared, now);
        }
        if !shared.allows(request.prompt()) {
            shared.hint(Phrase::Refused, now);
            return None;
        }
        match shared.requested(&request) {
            Some(item) => Drawing::start_job(shared, Purpose::Picture, vec![item], now),
            None => {
                shared.hint(Phrase::Failed, now);
                None
            }
        }
    }

    fn start_job(shared: &mut Shared, purpose: Purpose, items: Vec<Item>, now: Duration) -> Next {
        if shared.blocked_by().is_some() {
            return Drawing::blocked(shared, now);
        }
        let job = shared.start_job(purpose, items, now);
        go(Drawing {
            began: now,
            finished: vec![None; job.items.len()],
            preview: None,
            at: 0,
            text: false,
            done: 0,
            job,
        })
    }

    fn blocked(shared: &mut Shared, now: Duration) -> Next {
        let phrase = shared.blocked_by().unwrap_or(Phrase::Failed);
        if shared.once {
            shared.effects.push(Effect::Quit);
            return go(Message { phrase });
        }
        shared.hint(phrase, now);
        None
    }

    /// Goes back to the words, and says why.
    fn give_up(shared: &mut Shared, phrase: Phrase, names: Vec<String>, now: Duration) -> Next {
        shared.end_job();
        shared.hint_with(phrase, names, now);
        if shared.once {
            shared.effects.push(Effect::Quit);
        }
        go(Choose::resume(now))
    }

    fn finish(&mut self, shared: &mut Shared) -> Next {
        shared.end_job();
        let number = self.job.number;
        let mut finished: Vec<FinishedPicture> = self.finished.iter_mut().filter_map(Option::take).collect();
        if self.job.purpose == Purpose::Several {
            return go(Four::new(number, finished));
        }
        let finished = finished.pop()?;
        let keep = shared.rules.keep_all || shared.once;
        if keep {
            shared.keep(number, 0, finished.clone(), false);
        }
        go(OnePicture::new(number, 0, finished, keep))
    }

    /// Remaining time; `None` before any step was measured.
    fn left(&self, shared: &Shared, now: Duration) -> Option<Duration> {
        let steps = |item: usize| self.job.items.get(item).map_or(0, |item| item.steps);
        let current = shared.stage_times.left(!self.text, self.done, steps(self.at))?;
        let later = (self.at + 1..self.job.items.len()).filter_map(|item| shared.stage_times.left(true, 0, steps(item)));
        let whole = current + later.sum::<Duration>();
        let spent = now.saturating_sub(shared.stage_began().unwrap_or(now));
        Some(whole.saturating_sub(spent))
    }

    fn left_in_words(&self, shared: &Shared, now: Duration) -> String {
        match self.left(shared, now).map(|left| left.as_millis().div_ceil(1000)) {
            None => String::new(),
            Some(0..=1) => shared.language.say(Phrase::ReadySoon).to_owned(),
            Some(seconds @ 2..=99) => shared.language.say_number(Phrase::SecondsLeft, seconds as u64),
            Some(seconds) => shared.language.say_number(Phrase::MinutesLeft, (seconds as u64).div_ceil(60)),
        }
    }

    /// Progress in thousandths; text encoder and decoder count as one step each.
    fn thousandths(&self) -> u32 {
        let item = |item: &Item| item.steps + 2;
        let all: usize = self.job.items.iter().map(item).sum();
        let before: usize = self.job.items.iter().take(self.at).map(item).sum();
        let done = before + usize::from(self.text) + self.done;
        u32::try_from(done * 1000 / all.max(1)).unwrap_or(1000)
    }
}

impl Mode for Drawing {
    fn press(&mut self, shared: &mut Shared, _button: Button, gesture: Gesture, now: Duration) -> Next {
        if shared.once || gesture == Gesture::Hold || now < self.began + BOUNCE {
            return None;
        }
        shared.cancel();
        go(Choose::resume(now))
    }

    /// Text is ignored while a picture is drawn.
    fn text(&mut self, _shared: &mut Shared, _text: &str, _now: Duration) -> Next {
        None
    }

    fn job_update(&mut self, shared: &mut Shared, update: &JobUpdate, now: Duration) -> Next {
        match &update.stage {
            JobStage::Text => self.text = true,
            JobStage::Step { done, preview, .. } => {
                self.done = *done;
                let item = self.job.items.get(update.item)?;
                self.preview = preview.as_ref().map(|picture| shared.shown(item, picture)).or(self.preview.take());
            }
            JobStage::Finished(finished) => {
                *self.finished.get_mut(update.item)? = Some(finished.clone());
                (self.at, self.text, self.done, self.preview) = (update.item + 1, false, 0, None);
                if self.at == self.job.items.len() {
                    return self.finish(shared);
                }
            }
            JobStage::Morphed(_) => {}
            JobStage::Unknown(names) => {
                let phrase = if names.is_empty() { Phrase::Unknown } else { Phrase::UnknownNear };
                return Drawing::give_up(shared, phrase, names.clone(), now);
            }
            JobStage::Ambiguous(ambiguity) => {
                shared.end_job();
                shared.ask(ambiguity, now);
                return go(Choose::resume(now));
            }
            JobStage::Failed(problem) => {
                log::error!("{problem}");
                return Drawing::give_up(shared, Phrase::Failed, Vec::new(), now);
            }
        }
        None
    }

    fn deadline(&self, shared: &Shared, now: Duration) -> Option<Duration> {
        // Slow panels show no seconds.
        let moves = !shared.rules.fade.is_zero() && self.left(shared, now).is_some();
        moves.then(|| now + SECOND)
    }

    fn scene(&self, shared: &Shared, now: Duration) -> Scene {
        let show = |index: usize| match &self.finished[index] {
            Some(finished) => Some(shared.finished(finished)),
            None if index == self.at => self.preview.clone(),
            None => None,
        };
        let first = &self.job.items[0];
        let current = self.job.items.get(self.at).unwrap_or(first);
        Scene::Drawing {
            title: shared.title(first),
            style: shared.style_name(shared.style_of(current)),
            pictures: (0..self.job.items.len()).map(show).collect(),
            at: self.at,
            done: self.thousandths(),
            left: self.left_in_words(shared, now),
            doing: shared.language.say(Phrase::Drawing).to_owned(),
        }
    }

    fn legends(&self, shared: &Shared) -> [Option<Phrase>; 4] {
        [None, None, None, (!shared.once).then_some(Phrase::Cancel)]
    }
}
