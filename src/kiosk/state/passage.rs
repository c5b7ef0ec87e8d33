//! Pictures that lead from one to another: drawn ahead by a job, one at a time and at leisure, then shown like a film. Owns when each is
//! shown; depends on jobs.

use std::sync::Arc;
use std::time::Duration;

use super::job::{FinishedPicture, JobStage, JobUpdate, MorphFrame, Purpose};
use super::shared::Shared;
use super::view::Shown;

/// Pictures between two others.
pub const FRAMES: usize = 14;
/// How long all of them are shown together, and the least time of each.
const LENGTH: Duration = Duration::from_millis(2800);
const SHORTEST: Duration = Duration::from_millis(100);

enum State {
    Drawing { job: u64, done: usize },
    Ready(Arc<Vec<MorphFrame>>),
    Failed,
}

/// A way from one picture to another.
pub struct Passage {
    ends: [FinishedPicture; 2],
    state: State,
}

impl Passage {
    /// Draws the pictures between two. Nothing if one of them cannot be drawn again: by a prompt that is not told, or on another picture.
    pub fn start(shared: &mut Shared, from: &FinishedPicture, to: &FinishedPicture, now: Duration) -> Option<Passage> {
        let ends = [from.clone(), to.clone()];
        if ends.iter().any(|end| !is_drawn_by_words(end) || !shared.allows(&end.item.prompt)) {
            return None;
        }
        let items = ends.iter().map(|end| end.item.clone()).collect();
        let job = shared.start_job(Purpose::Morph, items, now).number;
        Some(Passage {
            ends,
            state: State::Drawing { job, done: 0 },
        })
    }

    /// Takes an update of its job.
    pub fn update(&mut self, shared: &mut Shared, update: &JobUpdate) {
        let State::Drawing { job, done } = &mut self.state else { return };
        if *job != update.job {
            return;
        }
        match &update.stage {
            JobStage::Text | JobStage::Finished(_) => return,
            JobStage::Step { done: drawn, .. } => {
                *done = *drawn;
                return;
            }
            JobStage::Morphed(frames) if !frames.is_empty() => self.state = State::Ready(frames.clone()),
            JobStage::Failed(problem) => {
                log::warn!("{problem}");
                self.state = State::Failed;
            }
            JobStage::Morphed(_) | JobStage::Unknown(_) | JobStage::Ambiguous(_) => self.state = State::Failed,
        }
        shared.end_job();
    }

    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready(_))
    }

    pub fn has_failed(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    /// How many of its pictures are drawn, in thousandths.
    pub fn thousandths(&self) -> u32 {
        match &self.state {
            State::Drawing { done, .. } => (done * 1000 / FRAMES).min(1000) as u32,
            State::Ready(_) | State::Failed => 1000,
        }
    }

    /// The picture that it leads to.
    pub fn to(&self) -> &FinishedPicture {
        &self.ends[1]
    }

    /// How long its pictures are shown.
    pub fn length(&self) -> Duration {
        self.times().last().copied().unwrap_or_default()
    }

    /// When each of its pictures ends, from the first one's beginning.
    fn times(&self) -> Vec<Duration> {
        let State::Ready(frames) = &self.state else { return Vec::new() };
        let mut end = Duration::ZERO;
        let ends = frames.iter().map(|frame| {
            end += LENGTH.mul_f32(frame.share.clamp(0.0, 1.0)).max(SHORTEST);
            end
        });
        ends.collect()
    }

    /// What is shown at a time after the first picture's beginning, and until when; nothing behind the last.
    pub fn at(&self, shared: &Shared, time: Duration) -> Option<(Shown, Duration)> {
        let times = self.times();
        let index = times.iter().position(|end| time < *end)?;
        Some((self.shown(shared, index)?, times[index]))
    }

    /// The same on the way back.
    pub fn backwards(&self, shared: &Shared, time: Duration) -> Option<(Shown, Duration)> {
        let (times, length) = (self.times(), self.length());
        let left = length.checked_sub(time).filter(|left| !left.is_zero())?;
        let index = times.iter().position(|end| left <= *end)?;
        let begins = index.checked_sub(1).map_or(Duration::ZERO, |before| times[before]);
        Some((self.shown(shared, index)?, length - begins))
    }

    fn shown(&self, shared: &Shared, index: usize) -> Option<Shown> {
        let State::Ready(frames) = &self.state else { return None };
        // The nearer end's style says how it is scaled.
        let near = shared.finished(&self.ends[usize::from(index * 2 >= frames.len())]);
        Some(Shown {
            picture: frames.get(index)?.picture.clone(),
            ..near
        })
    }
}

/// Whether a picture's words, style and seed are all that it was drawn from.
fn is_drawn_by_words(finished: &FinishedPicture) -> bool {
    let record = &finished.provenance;
    let is_told = !finished.item.prompt.trim().is_empty() && finished.item.sketch.is_none();
    is_told && !record.needs_more_than_words()
}
