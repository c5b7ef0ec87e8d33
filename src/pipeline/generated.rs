//! What comes out: the picture, what was decided about it, and what there is to say. Depends on [`crate::picture`] and on its
//! neighbours' phases.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::observer::Phase;
use crate::picture::{Picture, Provenance};
use crate::words::{Ambiguity, Found, Remark};

/// A generated picture.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Generated {
    /// The picture at the requested size, on the requested background.
    pub picture: Picture,
    /// What was drawn: the prompt after all choices, as [`Resolved::prompt`](super::Resolved::prompt).
    pub prompt: String,
    /// What made it; to be written into its file.
    pub provenance: Provenance,
    /// What was dropped, approximated or chosen.
    pub notes: Vec<Note>,
    /// Wall-clock time of every phase, in order. Resizing and the background are not in it.
    pub timings: Vec<PhaseTime>,
}

/// How long a phase took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseTime {
    /// The phase.
    pub phase: Phase,
    /// Wall-clock time.
    pub time: Duration,
}

/// What a user should know about how a request was understood. [`Display`](fmt::Display) gives one sentence for people;
/// JSON has a `kind`, the fields, and that sentence as `message` (see [`Note::to_json`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Note {
    /// A part of the prompt was not drawn.
    Dropped {
        /// That part.
        text: String,
        /// What was drawn.
        drawn: String,
    },
    /// A word was drawn as the nearest that the model has learned.
    Approximated {
        /// The word.
        text: String,
        /// What was drawn.
        drawn: String,
    },
    /// A word was read as another: a typing mistake, or a word that is only used of the thing.
    ReadAs {
        /// The word.
        text: String,
        /// What it was read as.
        read: String,
    },
    /// A word is not known, and was left out.
    Unknown {
        /// The word.
        text: String,
        /// Names of things that are near it; may be empty.
        nearest: Vec<String>,
    },
    /// The model has not learned a thing, and it was left out.
    NotLearned {
        /// The thing, as it was typed.
        text: String,
        /// Its name, in English.
        name: String,
        /// Names of things that are near it; may be empty.
        nearest: Vec<String>,
    },
    /// More things were asked for than a picture has room for.
    Limited {
        /// What was asked for.
        text: String,
        /// How many were drawn.
        drawn: u32,
    },
    /// A word names several things, and one of them was drawn.
    Ambiguous {
        /// The word.
        text: String,
        /// What was drawn.
        drawn: String,
        /// The other things that it names.
        others: Vec<String>,
    },
    /// Nothing in the prompt is known; it was drawn all the same.
    Guessed {
        /// The prompt.
        text: String,
    },
    /// The model reads no prompt.
    PromptUnused {
        /// The prompt.
        text: String,
    },
    /// Emphasis has no effect: the model draws the same without these words, or draws things one by one.
    EmphasisUnused {
        /// The words.
        text: String,
    },
    /// What is not to be drawn has no effect without guidance.
    NegativeUnused {
        /// The negative prompt.
        text: String,
    },
    /// No style was asked for, and the pack's default is not one that the model has learned the object in.
    StyleChosen {
        /// The style.
        style: String,
    },
    /// The prompt has more tokens than the text encoder takes.
    Truncated {
        /// Tokens that the text encoder takes.
        tokens: usize,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Dropped { text, drawn } => {
                write!(out, "drew only \"{drawn}\"; this model cannot combine it with \"{text}\"")
            }
            Note::Approximated { text, drawn } => {
                write!(out, "drew \"{drawn}\" for \"{text}\": the nearest that this model has learned")
            }
            Note::ReadAs { text, read } => write!(out, "read \"{text}\" as {read}"),
            Note::Unknown { text, nearest } if nearest.is_empty() => write!(out, "left out \"{text}\": this model does not know it"),
            Note::Unknown { text, nearest } => {
                write!(
                    out,
                    "left out \"{text}\": this model does not know it; nearest: {}",
                    nearest.join(", ")
                )
            }
            Note::NotLearned { text, nearest, .. } if nearest.is_empty() => write!(out, "not learned yet: {text}"),
            Note::NotLearned { text, nearest, .. } => write!(out, "not learned yet: {text}; nearest: {}", nearest.join(", ")),
            Note::Limited { text, drawn } => write!(out, "drew {drawn} of \"{text}\": a picture has room for nine things"),
            Note::Ambiguous { text, drawn, others } => {
                write!(out, "drew \"{text}\" as {drawn}; it may also mean {}", others.join(", "))
            }
            Note::PromptUnused { text } => write!(out, "\"{text}\" has no effect: this model reads no prompt"),
            Note::EmphasisUnused { text } => write!(
                out,
                "\"{text}\" cannot be emphasised in this prompt: it is drawn as strongly as without brackets"
            ),
            Note::NegativeUnused { text } => {
                write!(out, "nothing keeps \"{text}\" out of the picture unless the guidance is above 1")
            }
            Note::Guessed { text } => write!(out, "guessed: nothing in \"{text}\" is known to this model"),
            Note::StyleChosen { style } => write!(out, "drew in the style '{style}', the one that this model has learned it in"),
            Note::Truncated { tokens } => write!(out, "the prompt is too long: read its first {tokens} tokens"),
        }
    }
}

impl Note {
    /// What a reader remarks about a prompt.
    pub(super) fn of(remark: &Remark) -> Note {
        match remark.clone() {
            Remark::ReadAs {
                text,
                read: drawn,
                found: Found::Nearest,
            } => Note::Approximated { text, drawn },
            Remark::ReadAs { text, read, .. } => Note::ReadAs { text, read },
            Remark::Dropped { text, drawn } => Note::Dropped { text, drawn },
            Remark::Unknown { text, nearest } => Note::Unknown { text, nearest },
            Remark::NotLearned { text, name, nearest } => Note::NotLearned { text, name, nearest },
            Remark::Limited { text, drawn } => Note::Limited { text, drawn },
        }
    }

    /// What there is to say about a word that names several things.
    pub(super) fn of_ambiguity(ambiguity: &Ambiguity) -> Option<Note> {
        let mut names = ambiguity.meanings.iter().map(|meaning| meaning.name.clone());
        Some(Note::Ambiguous {
            text: ambiguity.text.clone(),
            drawn: names.next()?,
            others: names.collect(),
        })
    }

    /// The note as JSON, with the sentence for people as `message`.
    pub fn to_json(&self) -> serde_json::Value {
        let mut value = serde_json::json!(self);
        value["message"] = self.to_string().into();
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_sentences_and_json() {
        let note = Note::Dropped {
            text: "riding a horse".into(),
            drawn: "astronaut".into(),
        };
        assert_eq!(
            note.to_string(),
            "drew only \"astronaut\"; this model cannot combine it with \"riding a horse\""
        );
        let json = note.to_json();
        assert_eq!((&json["kind"], &json["drawn"]), (&"dropped".into(), &"astronaut".into()));
        assert_eq!(json["message"], note.to_string());
    }
}
