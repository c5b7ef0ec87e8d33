//! A visitor draws with a finger, and the picture of it is drawn again and again meanwhile: at first in few steps, and in as many as
//! usual once the finger rests.

use std::sync::Arc;
use std::time::Duration;

use embedded_graphics::prelude::Point;

use super::choose::Choose;
use super::job::{FinishedPicture, Item, JobStage, JobUpdate, Purpose};
use super::picture::OnePicture;
use super::selection::around;
use super::shared::Shared;
use super::strokes::Strokes;
use super::view::{Scene, Shown};
use super::{Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;
use crate::picture::{Picture, Resampling};

/// How long the finger rests before the picture is drawn in all its steps.
const REST: Duration = Duration::from_millis(700);

/// A state of the paper, and whether it is drawn in all steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attempt {
    version: u64,
    is_fine: bool,
}

#[derive(Default)]
pub(super) struct ByHand {
    strokes: Strokes,
    paper: Option<Arc<Picture>>,
    /// Counts the changes of paper and style.
    version: u64,
    is_down: bool,
    changed: Duration,
    /// What is being drawn, and what was tried last, with or without a picture.
    drawing: Option<Attempt>,
    tried: Option<Attempt>,
    /// The latest picture, with the number of its job.
    drawn: Option<(u64, FinishedPicture)>,
}

impl ByHand {
    fn change(&mut self, now: Duration) {
        self.version += 1;
        self.changed = now;
        self.paper = self.strokes.paper().map(Arc::new);
    }

    /// What is to be drawn next, if anything: few steps of a paper that has changed, all of one that has not for a while.
    fn wanted(&self, now: Duration) -> Option<Attempt> {
        let attempt = |is_fine| Attempt {
            version: self.version,
            is_fine,
        };
        let is_tried = |is_fine| self.tried == Some(attempt(is_fine));
        match self.strokes.is_empty() {
            true => None,
            false if !is_tried(false) && !is_tried(true) => Some(attempt(false)),
            false => (!self.is_down && !is_tried(true) && now >= self.changed + REST).then(|| attempt(true)),
        }
    }

    fn item(&self, shared: &Shared, is_fine: bool) -> Option<Item> {
        let usual = shared.item()?;
        let all = &shared.choices.as_ref()?.steps;
        // A single step would begin with nothing but noise.
        let few = all.iter().find(|steps| **steps > 1).or(all.first()).copied()?;
        Some(Item {
            steps: if is_fine { usual.steps.max(few) } else { few },
            sketch: self.strokes.sketch().map(Arc::new),
            ..usual
        })
    }

    /// Draws what is wanted, unless something is being drawn.
    fn go_on(&mut self, shared: &mut Shared, now: Duration) {
        let Some(attempt) = self.wanted(now).filter(|_| self.drawing.is_none()) else {
            return;
        };
        if let Some(phrase) = shared.blocked_by() {
            return shared.hint(phrase, now);
        }
        let Some(item) = self.item(shared, attempt.is_fine) else { return };
        if !shared.allows(&item.prompt) {
            return shared.hint(Phrase::Refused, now);
        }
        shared.start_job(Purpose::Sketch, vec![item], now);
        self.drawing = Some(attempt);
    }

    /// What is being drawn is not wanted any more: it ends within a step, and the latest paper is drawn.
    fn start_over(&mut self, shared: &mut Shared, now: Duration) {
        if self.drawing.take_if(|drawing| drawing.version != self.version).is_some() {
            shared.cancel();
        }
        self.go_on(shared, now);
    }

    fn done(&mut self, shared: &mut Shared, now: Duration) -> Next {
        let Some((job, finished)) = self.drawn.take() else {
            shared.hint(Phrase::PaperHint, now);
            return None;
        };
        shared.cancel();
        let keep = shared.rules.keep_all;
        if keep {
            shared.keep(job, 0, finished.clone(), false);
        }
        go(OnePicture::new(job, 0, finished, keep))
    }

    fn turn_style(&mut self, shared: &mut Shared, by: i32, now: Duration) {
        let styles = shared.choices.as_ref().map_or(0, |choices| choices.styles.len());
        shared.selection.style = around(shared.selection.style, by, styles);
        self.change(now);
        self.start_over(shared, now);
    }

    fn wipe(&mut self, shared: &mut Shared, all: bool, now: Duration) {
        match all {
            true => self.strokes.clear(),
            false => self.strokes.undo(),
        }
        if self.strokes.is_empty() {
            self.drawn = None;
        }
        self.change(now);
        self.start_over(shared, now);
    }
}

impl Mode for ByHand {
    fn press(&mut self, shared: &mut Shared, button: Button, gesture: Gesture, now: Duration) -> Next {
        let is_held = matches!(gesture, Gesture::Long | Gesture::Hold);
        match button {
            Button::A => self.wipe(shared, !is_held, now),
            Button::B | Button::Next => self.turn_style(shared, if is_held { -1 } else { 1 }, now),
            Button::Previous => self.turn_style(shared, -1, now),
            Button::C | Button::Confirm => return self.done(shared, now),
            Button::D | Button::Back => {
                shared.cancel();
                return go(Choose::resume(now));
            }
        }
        None
    }

    fn finger(&mut self, shared: &mut Shared, at: Option<Point>, is_down: bool, now: Duration) -> Next {
        let was_down = self.is_down;
        // A finger that came down beside the paper does not draw.
        self.is_down = is_down && (was_down || at.is_some());
        match at {
            Some(at) if is_down && !was_down => {
                self.strokes.begin(at);
                self.change(now);
                self.start_over(shared, now);
            }
            Some(at) if was_down && self.strokes.extend(at) => self.change(now),
            _ => {}
        }
        // A stroke that ends is drawn at once; while it goes on, what is being drawn comes to its end.
        if was_down && !is_down {
            self.changed = now;
            self.start_over(shared, now);
        } else {
            self.go_on(shared, now);
        }
        None
    }

    fn tick(&mut self, shared: &mut Shared, now: Duration) -> Next {
        self.go_on(shared, now);
        None
    }

    fn job_update(&mut self, shared: &mut Shared, update: &JobUpdate, now: Duration) -> Next {
        match &update.stage {
            JobStage::Text | JobStage::Step { .. } => return None,
            JobStage::Finished(finished) => self.drawn = Some((update.job, finished.clone())),
            // A dot is no drawing yet.
            JobStage::Failed(problem) => log::info!("{problem}"),
            JobStage::Unknown(_) | JobStage::Ambiguous(_) | JobStage::Morphed(_) => {}
        }
        shared.end_job();
        self.tried = self.drawing.take();
        self.go_on(shared, now);
        None
    }

    fn deadline(&self, _shared: &Shared, now: Duration) -> Option<Duration> {
        let is_waiting = self.drawing.is_none() && !self.is_down && !self.strokes.is_empty();
        let rests = self.changed + REST;
        (is_waiting && self.wanted(rests).is_some() && rests > now).then_some(rests)
    }

    fn times_out(&self) -> bool {
        true
    }

    fn scene(&self, shared: &Shared, _now: Duration) -> Scene {
        let (title, style) = shared.item().map_or_else(Default::default, |item| {
            (shared.title(&item), shared.style_name(shared.style_of(&item)))
        });
        let paper = self.paper.clone().map(|picture| Shown {
            picture,
            title: String::new(),
            style: String::new(),
            resampling: Resampling::Smooth,
        });
        Scene::Paper {
            paper: paper.filter(|_| !self.strokes.is_empty()),
            shown: self.drawn.as_ref().map(|(_, finished)| shared.finished(finished)),
            title,
            style,
            hint: shared.language.say(Phrase::PaperHint).to_owned(),
        }
    }

    fn legends(&self, _shared: &Shared) -> [Option<Phrase>; 4] {
        [Phrase::Clear, Phrase::Style, Phrase::Done, Phrase::Back].map(Some)
    }
}
