//! What is asked of the one who draws, what comes back, and how long it takes.

use std::sync::Arc;
use std::time::Duration;

use crate::picture::{Picture, Provenance};

/// One picture to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The words for the model.
    pub prompt: String,
    /// Style by the pack's name; none where the pack has none.
    pub style: Option<String>,
    /// Denoising steps.
    pub steps: usize,
    /// Seed of the noise.
    pub seed: u64,
}

impl Piece {
    /// The command that draws the same at home, which the code on the screen holds.
    pub fn command(&self) -> String {
        // Within double quotes a shell leaves everything alone but these.
        let prompt: String = self.prompt.chars().fold(String::new(), |mut text, letter| {
            if matches!(letter, '"' | '\\' | '$' | '`') {
                text.push('\\');
            }
            text.push(letter);
            text
        });
        let style = self.style.as_ref().map_or(String::new(), |style| format!(" --style {style}"));
        format!("inkstone generate \"{prompt}\"{style} --seed {} --steps {}", self.seed, self.steps)
    }
}

/// What a drawing is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Something to look at while nothing is kept.
    Example,
    /// A quick look at what is being chosen.
    Sketch,
    /// A visitor's picture.
    Picture,
    /// Several to pick one of.
    Several,
}

/// Pictures to draw one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Counts up: reports name it, and a later order takes the place of an earlier one.
    pub number: u64,
    /// What it is for.
    pub purpose: Purpose,
    /// The pictures.
    pub pieces: Vec<Piece>,
}

/// A picture that was drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// What was asked for.
    pub piece: Piece,
    /// The picture, at the pack's size.
    pub picture: Arc<Picture>,
    /// The record that is kept with it.
    pub provenance: Arc<Provenance>,
}

/// How far the drawing of one piece is.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// The words are read.
    Text,
    /// A step is done.
    Step {
        /// Steps done.
        done: usize,
        /// Steps in all.
        of: usize,
        /// What the model has in mind.
        preview: Option<Arc<Picture>>,
    },
    /// The picture is there.
    Finished(Drawn),
    /// It could not be drawn; the order ends here.
    Failed(String),
}

/// News of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The order.
    pub order: u64,
    /// Which of its pieces.
    pub piece: usize,
    /// What happened.
    pub stage: Stage,
}

/// How long the stages took of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    text: Option<Duration>,
    step: Option<Duration>,
    decoding: Option<Duration>,
}

impl Measured {
    /// Learns from a stage that took so long.
    pub fn learn(&mut self, stage: &Stage, took: Duration) {
        let slot = match stage {
            Stage::Text => &mut self.text,
            Stage::Step { .. } => &mut self.step,
            Stage::Finished(_) => &mut self.decoding,
            Stage::Failed(_) => return,
        };
        // Half new, half old: one slow step does not frighten anyone.
        *slot = Some(slot.map_or(took, |old| (old + took) / 2));
    }

    /// Time left of a piece after `done` of `of` steps, and none where no step was ever measured. `text` tells whether the
    /// words are still to be read.
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
        let mut piece = Piece {
            prompt: "red fox".into(),
            style: Some("flat".into()),
            steps: 4,
            seed: 7,
        };
        assert_eq!(piece.command(), "inkstone generate \"red fox\" --style flat --seed 7 --steps 4");
        piece.prompt = "a \"$HOME\" `x` \\".into();
        piece.style = None;
        assert_eq!(piece.command(), r#"inkstone generate "a \"\$HOME\" \`x\` \\" --seed 7 --steps 4"#);
    }

    #[test]
    fn the_time_left_is_measured() {
        let mut measured = Measured::default();
        assert_eq!(measured.left(true, 0, 4), None);
        let step = Stage::Step {
            done: 1,
            of: 4,
            preview: None,
        };
        measured.learn(&Stage::Text, Duration::from_millis(30));
        measured.learn(&step, Duration::from_millis(100));
        assert_eq!(measured.left(true, 0, 4), Some(Duration::from_millis(430)));
        measured.learn(&step, Duration::from_millis(300));
        assert_eq!(measured.left(false, 2, 4), Some(Duration::from_millis(400)));
        assert_eq!(measured.left(false, 9, 4), Some(Duration::ZERO));
    }
}
