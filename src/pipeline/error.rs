//! What can be wrong with a request or a pack, and what can fail while a picture is generated.

use std::path::PathBuf;

use super::schedulers;
use crate::bounded_file;
use crate::engine::EngineError;
use crate::pack::PackError;
use crate::picture::{PictureError, ScaleError};
use crate::words::WordsError;

/// A picture that cannot be generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The prompt has no words.
    #[error("the prompt is empty; say what to draw, for example \"a smiling cat\"")]
    EmptyPrompt,
    /// A prompt's brackets or braces are not well formed.
    #[error("{}", misspelt(prompt, *at, problem))]
    Syntax {
        /// The prompt.
        prompt: String,
        /// Where, in bytes; nothing if it is about all of it.
        at: Option<usize>,
        /// What is wrong.
        problem: String,
    },
    /// A prompt takes a line of a word list, and no folder of lists is given.
    #[error("'{name}' names a word list, but no folder of lists is given")]
    NoWordLists {
        /// The list.
        name: String,
    },
    /// A word list cannot be used.
    #[error("{}: {problem}", file.display())]
    WordList {
        /// Its file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Prompts are to be mixed, and the model draws one at a time.
    #[error("this pack draws one prompt at a time: it cannot mix {0}")]
    NoBlend(usize),
    /// A weight is not one, or there is none above 0.
    #[error("invalid weight: \"{prompt}\" has {weight}; weights are numbers from 0 to 1,000,000, and one of them must be above 0")]
    Weight {
        /// The prompt.
        prompt: String,
        /// Its weight.
        weight: f32,
    },
    /// A morph is not possible.
    #[error("invalid morph: {0}")]
    Morph(String),
    /// Too many prompts are to be mixed.
    #[error("{0} prompts cannot be mixed: at most {MOST_PARTS} can")]
    ManyParts(usize),
    /// Prompts that are mixed show several things each, but not as many, or not in the same places.
    #[error(
        "\"{first}\" and \"{other}\" cannot be mixed: several things are drawn one by one, and both must have as many in the same places"
    )]
    Arrangement {
        /// A prompt.
        first: String,
        /// One that does not go with it.
        other: String,
    },
    /// The noise cannot be moved.
    #[error("this pack cannot vary pictures: its model has noise of its own")]
    NoVariation,
    /// A variation's strength is out of range, or there are too many.
    #[error("invalid variation: {0}")]
    Variation(String),
    /// A picture cannot be drawn again by its record.
    #[error("the picture cannot be drawn again: {0}")]
    Record(String),
    /// Nothing in the prompt is something that the pack can draw.
    #[error("{}", unknown(prompt, *is_known, name.as_deref(), nearest))]
    UnknownPrompt {
        /// The prompt.
        prompt: String,
        /// Whether the lexicon knows all of its words, but none that names a thing: "red".
        is_known: bool,
        /// The thing that the prompt is about, if the lexicon knows it and the model has not learned it.
        name: Option<String>,
        /// Names of things that are near it by meaning or by spelling, at most three.
        nearest: Vec<String>,
    },
    /// The prompt is too long.
    #[error("the prompt has {characters} characters; this pack reads at most {max}")]
    LongPrompt {
        /// Characters of the prompt.
        characters: usize,
        /// Characters that the pack accepts.
        max: usize,
    },
    /// The pack has no such style.
    #[error("unknown style '{name}'; this pack has {}", if known.is_empty() { "no styles".to_owned() } else { known.join(", ") })]
    UnknownStyle {
        /// The style asked for.
        name: String,
        /// The pack's styles.
        known: Vec<String>,
    },
    /// The pack cannot draw in this number of steps.
    #[error("invalid number of steps: {steps}; this pack draws in {} steps", schedulers::list(known))]
    Steps {
        /// Steps asked for.
        steps: usize,
        /// Numbers of steps that the pack has schedules for.
        known: Vec<usize>,
    },
    /// The guidance is out of range.
    #[error("invalid guidance: {guidance} is not between 0 and {max}, the largest that this pack takes")]
    Guidance {
        /// Guidance asked for.
        guidance: f32,
        /// Largest guidance of the pack.
        max: f32,
    },
    /// The pack has no condition of this name.
    #[error("unknown input '{name}'; this pack {}", if known.is_empty() { "takes none".to_owned() } else { format!("takes {}", known.join(", ")) })]
    UnknownCondition {
        /// The name.
        name: String,
        /// Names of the pack's conditions.
        known: Vec<String>,
    },
    /// A number is not one that the pack takes for a condition.
    #[error("input '{name}': {value} {problem}")]
    Condition {
        /// The condition's name.
        name: String,
        /// The number.
        value: f64,
        /// What is wrong with it.
        problem: String,
    },
    /// The pack takes no pictures.
    #[error("this pack cannot start from a picture: it has no encoder; export the model with models/export/export.py --encoder")]
    NoPictures,
    /// A picture is given to start from, and the prompt is of several things, which are drawn one by one.
    #[error("a picture to start from takes a prompt of one thing, but this one asks for {count}: ask for one, such as \"{first}\"")]
    SeveralObjects {
        /// How many.
        count: usize,
        /// The prompt of the first.
        first: String,
    },
    /// The strength is out of range.
    #[error("invalid strength: {0} is not between 0 and 1")]
    Strength(f32),
    /// The mask has another shape than the picture.
    #[error("the mask has {}×{} pixels, the picture {}×{}: scale or cut the mask to the same proportions", mask[0], mask[1], picture[0], picture[1])]
    Mask {
        /// Width and height of the mask.
        mask: [u32; 2],
        /// Width and height of the picture.
        picture: [u32; 2],
    },
    /// A picture with what is to be drawn beyond its sides is too large.
    #[error("the picture cannot be extended: {0}")]
    Extended(#[source] PictureError),
    /// A picture is to be extended, and has a mask.
    #[error("a picture that is extended is kept as it is and takes no mask; draw on it first and extend the result")]
    ExtendedMask,
    /// An invalid size.
    #[error(transparent)]
    Size(#[from] ScaleError),
    /// The tokenizer cannot be read or fails on a prompt.
    #[error("{}: {problem}", file.display())]
    Tokenizer {
        /// The tokenizer's file.
        file: PathBuf,
        /// The tokenizers library's reason.
        problem: String,
    },
    /// The lexicon cannot be used.
    #[error(transparent)]
    Words(#[from] WordsError),
    /// A stage's output is not a picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The observer cancelled.
    #[error("interrupted")]
    Interrupted,
    /// A library that reads the pack, or Inkstone itself, panicked.
    #[error("{}: {problem}; check the pack with `inkstone verify`, and report it if that says nothing", pack.display())]
    Panic {
        /// The pack's folder.
        pack: PathBuf,
        /// What the panic said.
        problem: String,
    },
    /// A stage cannot be loaded or run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The pack is not usable.
    #[error(transparent)]
    Pack(#[from] PackError),
}

/// Most prompts that are mixed.
pub(super) const MOST_PARTS: usize = 64;
/// Most letters of a prompt that are shown with what is wrong with it.
const SHOWN: usize = 24;

fn misspelt(prompt: &str, at: Option<usize>, problem: &str) -> String {
    let Some((before, rest)) = at.and_then(|at| prompt.split_at_checked(at)) else {
        return format!("the prompt: {problem}");
    };
    let shown: String = rest.chars().take(SHOWN).collect();
    let more = if rest.chars().nth(SHOWN).is_some() { "…" } else { "" };
    format!("the prompt, character {}: {problem}: \"{shown}{more}\"", before.chars().count() + 1)
}

fn unknown(prompt: &str, is_known: bool, name: Option<&str>, nearest: &[String]) -> String {
    let problem = match name {
        Some(name) => format!("not learned yet: {name}"),
        None if is_known => format!("\"{prompt}\" names nothing to draw"),
        None => format!("nothing in \"{prompt}\" is known to this model"),
    };
    match nearest {
        [] => problem,
        names => format!("{problem}; nearest: {}", names.join(", ")),
    }
}

impl PipelineError {
    /// Whether the input is at fault and not the machine: exit code 2 rather than 1.
    pub fn is_input_fault(&self) -> bool {
        match self {
            PipelineError::Engine(error) => error.is_input_fault(),
            PipelineError::Pack(error) => error.is_input_fault(),
            PipelineError::Words(WordsError::Read { source, .. }) => bounded_file::is_input_fault(source),
            PipelineError::Interrupted | PipelineError::Picture(_) | PipelineError::Panic { .. } => false,
            _ => true,
        }
    }
}
