//! Jobs for the drawing worker, their updates, and how long their stages take.

use std::sync::Arc;
use std::time::Duration;

use crate::picture::{Picture, Provenance};
use crate::pipeline::Variation;
use crate::words::Ambiguity;

/// One picture of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The prompt.
    pub prompt: String,
    /// The pack's name of the style; `None` if the prompt or the pack chooses it, or the pack has none.
    pub style: Option<String>,
    /// Denoising steps.
    pub steps: usize,
    /// Seed of the noise.
    pub seed: u64,
    /// How far the noise is moved towards that of other seeds.
    pub variations: Vec<Variation>,
    /// What a visitor has drawn by hand, lines on paper, to start from.
    pub sketch: Option<Arc<Picture>>,
}

impl Item {
    /// The command that draws the same picture, for the QR code on the screen.
    pub fn command(&self) -> String {
        // Within double quotes a shell expands or ends at these characters only.
        let prompt: String = self.prompt.chars().fold(String::new(), |mut text, letter| {
            if matches!(letter, '"' | '\\' | '$' | '`') {
                text.push('\\');
            }
            text.push(letter);
            text
        });
        let style = self.style.as_ref().map_or(String::new(), |style| format!(" --style {style}"));
        let variation = |variation: &Variation| format!(" --variation {variation}");
        let variations: String = self.variations.iter().map(variation).collect();
        format!(
            "inkstone generate \"{prompt}\"{style} --seed {}{variations} --steps {}",
            self.seed, self.steps
        )
    }
}

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An example for the slide show while nothing is kept.
    Example,
    /// A quick sketch of the current choice.
    Sketch,
    /// A visitor's picture.
    Picture,
    /// Several pictures to choose from.
    Several,
    /// Pictures that lead from the first item to the second, without these two.
    Morph,
}

/// Pictures that are drawn one after another.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Counts up. Updates carry it, and a later job replaces an earlier one.
    pub number: u64,
    /// Its purpose.
    pub purpose: Purpose,
    /// The pictures.
    pub items: Vec<Item>,
    /// Whether a visitor is to be asked which of several things a word means, instead of drawing the first.
    pub asks: bool,
}

/// A finished picture.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedPicture {
    /// The item that was drawn.
    pub item: Item,
    /// The picture, at the pack's size.
    pub picture: Arc<Picture>,
    /// Its provenance record.
    pub provenance: Arc<Provenance>,
}

/// A picture between two others.
#[derive(Clone, Debug, PartialEq)]
pub struct MorphFrame {
    /// The picture.
    pub picture: Arc<Picture>,
    /// Its share of the time, of 1 for all.
    pub share: f32,
}

impl FinishedPicture {
    /// A picture that something else drew, by its record.
    pub fn of_record(picture: Arc<Picture>, provenance: Arc<Provenance>) -> FinishedPicture {
        FinishedPicture {
            item: Item {
                prompt: provenance.prompt.clone(),
                style: provenance.style.clone(),
                steps: provenance.steps as usize,
                seed: provenance.seed,
                variations: Variation::of_record(&provenance),
                sketch: None,
            },
            picture,
            provenance,
        }
    }

    /// The command that draws it again; `None` if its prompt, style and seed are not enough for that.
    pub fn command(&self) -> Option<String> {
        let is_enough = self.item.sketch.is_none() && !self.provenance.needs_more_than_words();
        is_enough.then(|| self.item.command())
    }
}

/// A stage of one item of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum JobStage {
    /// The prompt was encoded.
    Text,
    /// A denoising step is done.
    Step {
        /// Steps done.
        done: usize,
        /// Total steps.
        of: usize,
        /// The current estimate of the clean picture.
        preview: Option<Arc<Picture>>,
    },
    /// The picture is finished.
    Finished(FinishedPicture),
    /// The pictures of a morph are finished, and the job with them.
    Morphed(Arc<Vec<MorphFrame>>),
    /// Nothing in the prompt is known; the job ends. With names of things that are near it.
    Unknown(Vec<String>),
    /// A word names several things, and the job asks; it ends.
    Ambiguous(Ambiguity),
    /// It could not be drawn; the job ends.
    Failed(String),
}

/// An update of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobUpdate {
    /// Number of the job.
    pub job: u64,
    /// Index of the item.
    pub item: usize,
    /// What happened.
    pub stage: JobStage,
}

/// Moving averages of how long the stages take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    text: Option<Duration>,
    step: Option<Duration>,
    decoding: Option<Duration>,
}

impl StageTimes {
    /// Records the duration of a stage.
    pub fn record(&mut self, stage: &JobStage, took: Duration) {
        let slot = match stage {
            JobStage::Text => &mut self.text,
            JobStage::Step { .. } => &mut self.step,
            JobStage::Finished(_) => &mut self.decoding,
            JobStage::Morphed(_) | JobStage::Failed(_) | JobStage::Unknown(_) | JobStage::Ambiguous(_) => return,
        };
        // Half new, half old: one slow step does not change the estimate much.
        *slot = Some(slot.map_or(took, |old| (old + took) / 2));
    }

    /// Remaining time of an item after `done` of `of` steps; `None` before any step was measured. `text` is whether its prompt
    /// is not yet encoded.
    pub fn left(&self, text: bool, done: usize, of: usize) -> Option<Duration> {
        let steps = self.step? * u32::try_from(of.saturating_sub(done)).unwrap_or(u32::MAX);
        let words = if text { self.text.unwrap_or_default() } else { Duration::ZERO };
        Some(words + steps + self.decoding.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_safe_to_paste() {
        let mut item = Item {
            prompt: "red fox".into(),
            style: Some("flat".into()),
            steps: 4,
            seed: 7,
            variations: Vec::new(),
            sketch: None,
        };
        assert_eq!(item.command(), "inkstone generate \"red fox\" --style flat --seed 7 --steps 4");
        item.prompt = "a \"$HOME\" `x` \\".into();
        item.style = None;
        assert_eq!(item.command(), r#"inkstone generate "a \"\$HOME\" \`x\` \\" --seed 7 --steps 4"#);
    }

    #[test]
    fn the_time_left_is_measured() {
        let mut stage_times = StageTimes::default();
        assert_eq!(stage_times.left(true, 0, 4), None);
        let step = JobStage::Step {
            done: 1,
            of: 4,
            preview: None,
        };
        stage_times.record(&JobStage::Text, Duration::from_millis(30));
        stage_times.record(&step, Duration::from_millis(100));
        assert_eq!(stage_times.left(true, 0, 4), Some(Duration::from_millis(430)));
        stage_times.record(&step, Duration::from_millis(300));
        assert_eq!(stage_times.left(false, 2, 4), Some(Duration::from_millis(400)));
        assert_eq!(stage_times.left(false, 9, 4), Some(Duration::ZERO));
    }
}
