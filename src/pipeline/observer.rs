//! Watching a picture while it is generated: progress, previews and cancelling. Depends on [`crate::picture`] and on
//! `attention`.

use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;

use super::attention::AttentionMaps;
use crate::picture::Picture;

/// A part of the work on one picture. All families use these: what has no prompt has no `Encode`, a one-step generator has one
/// `Step`, an autoregressive model one a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The prompt is encoded. Written `text_encoder`.
    Encode,
    /// A denoising step (or a token), counted from 1 over all objects of the picture. Written `step 1`.
    Step(usize),
    /// The result becomes a picture. Written `decoder`.
    Decode,
    /// A part of the picture is enlarged, counted from 1 over all parts and objects. Written `enlarger 1`.
    Enlarge(usize),
}

impl Phase {
    /// Whether it is a step.
    pub fn is_step(self) -> bool {
        matches!(self, Phase::Step(_))
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Phase::Encode => out.write_str("text_encoder"),
            Phase::Step(number) => write!(out, "step {number}"),
            Phase::Decode => out.write_str("decoder"),
            Phase::Enlarge(number) => write!(out, "enlarger {number}"),
        }
    }
}

/// Text that names no [`Phase`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a phase")]
pub struct UnknownPhase(String);

impl FromStr for Phase {
    type Err = UnknownPhase;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Phase, UnknownPhase> {
        let number = |name: &str| text.strip_prefix(name)?.parse().ok();
        match text {
            "text_encoder" => Ok(Phase::Encode),
            "decoder" => Ok(Phase::Decode),
            _ => {
                let numbered = number("step ").map(Phase::Step).or_else(|| number("enlarger ").map(Phase::Enlarge));
                numbered.ok_or_else(|| UnknownPhase(text.to_owned()))
            }
        }
    }
}

impl serde::Serialize for Phase {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One phase is done.
pub struct Progress<'a> {
    /// The phase.
    pub phase: Phase,
    /// Phases done, this one included.
    pub done: usize,
    /// Phases of the whole picture.
    pub total: usize,
    /// Steps of the whole picture: of all its objects together.
    pub steps: usize,
    pub(super) preview: &'a dyn Fn() -> Option<Picture>,
}

impl Progress<'_> {
    /// The current estimate of the clean picture (x₀), at the denoiser's size. `None` outside denoising steps and for models
    /// that denoise latents. It is computed by this call.
    pub fn preview(&self) -> Option<Picture> {
        (self.preview)()
    }
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Progress({}, {} of {})", self.phase, self.done, self.total)
    }
}

/// Is told after every phase, from the thread that generates.
///
/// Closures are observers:
///
/// ```
/// use std::ops::ControlFlow;
/// use inkstone::pipeline::{Observer, Progress};
///
/// let mut print = |progress: &Progress| {
///     eprintln!("{} ({} of {})", progress.phase, progress.done, progress.total);
///     ControlFlow::Continue(())
/// };
/// let observer: &mut dyn Observer = &mut print;
/// ```
pub trait Observer {
    /// Called after every phase. [`ControlFlow::Break`] cancels the picture:
    /// [`PipelineError::Interrupted`](super::PipelineError::Interrupted).
    fn progress(&mut self, progress: &Progress<'_>) -> ControlFlow<()>;

    /// Whether [`Observer::attention`] is to be called, for which every attention of the denoiser is computed once more. No by default.
    fn wants_attention(&self) -> bool {
        false
    }

    /// Called once an object was denoised, with the weights that its pixels gave to the rows of its text; not by models that have no
    /// attention to words. Does nothing by default.
    fn attention(&mut self, _object: usize, _maps: &AttentionMaps) {}
}

impl<F: FnMut(&Progress<'_>) -> ControlFlow<()>> Observer for F {
    fn progress(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
        self(progress)
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn progress(&mut self, _: &Progress<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_read_as_they_are_written() {
        for phase in [Phase::Encode, Phase::Step(1), Phase::Step(256), Phase::Decode, Phase::Enlarge(35)] {
            assert_eq!(phase.to_string().parse(), Ok(phase));
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.to_string());
        }
        for text in ["", "step", "step x", "step -1", "enlarger", "png"] {
            assert_eq!(text.parse::<Phase>(), Err(UnknownPhase(text.to_owned())));
        }
    }
}
