//! What a prompt asks for: text → spans with roles → things → what the text encoder gets. Owns the reader and the lexicon of a pack;
//! knows no model and depends only on [`crate::picture`], for how many objects fit into one picture.
//!
//! [`Reader::read`] works in stages, one file each:
//!
//! 1. `normalise`: the prompt as folded letters, each with its place in the prompt;
//! 2. `segments`: the cheapest cut into forms that the lexicon has, and the prompt's language;
//! 3. `mending`: what no form covers is taken apart (`compounds`) or corrected (`corrections`);
//! 4. `roles`: what each word does ([`Role`]), where it may do several things;
//! 5. `sentence`: things with what is said of each, and how they stand to each other;
//! 6. `rendering`: the text encoder's text, the arrangement of several objects, and remarks about what is not drawn.
//!
//! `meanings` finds words that name several things, and the prompts that ask for each of them.
//!
//! A prompt is never handed to the text encoder as it was typed: what it gets are the names that it has learned, so that "caballos",
//! "лошади" and "horses" are one prompt. The lexicon (`lexicon`) is one memory-mapped file, made by [`compile`] from a table that
//! `models/train/pictogram/lexicon.py` gathers.

mod arrangement;
mod compile;
mod compounds;
mod corrections;
mod error;
mod keys;
mod lexicon;
mod meanings;
mod mending;
mod normalise;
mod rendering;
mod roles;
mod segments;
mod sentence;
mod stems;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use arrangement::Arrangement;
pub use compile::compile;
pub use error::WordsError;
pub use lexicon::Concept;
pub use meanings::{Ambiguity, Meaning};
pub use vocabulary::{Found, Language, Role};

use lexicon::Lexicon;
use normalise::Letter;
use roles::{Part, Word};
use segments::Segmenter;
use stems::Stems;

/// A prompt as it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reading {
    /// What is drawn, in the words that the model has learned: "two cats and robot". Empty if nothing of the prompt can be drawn.
    pub text: String,
    /// The prompt's language; nothing if there is no lexicon.
    pub language: Option<Language>,
    /// The prompt's words, in order.
    pub spans: Vec<Span>,
    /// The things that are drawn, in the order of the prompt.
    pub objects: Vec<Object>,
    /// How several objects are laid out; nothing if there is one.
    pub arrangement: Option<Arrangement>,
    /// The drawing style that the prompt asks for in words.
    pub style: Option<AskedStyle>,
    /// A style that the first object was learned in, if it was learned neither in the pack's default style nor in a similar one.
    pub learned_style: Option<String>,
    /// The names of what is not to be drawn: "without a hat".
    pub negative: Vec<String>,
    /// What there is to say about words that were read as others, or are not drawn.
    pub remarks: Vec<Remark>,
}

/// A stretch of the prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Span {
    /// As it was typed.
    pub text: String,
    /// Its bytes in the prompt.
    pub place: Range<usize>,
    /// What it does.
    pub role: Role,
    /// What it means: the identifier of a concept, or `red`, `3`, `night`; nothing for fillers and for what is unknown.
    pub value: Option<String>,
    /// The name of the concept, in English.
    pub name: Option<String>,
    /// How it was found.
    pub found: Found,
}

/// A thing that is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Object {
    /// Identifier of its concept.
    pub concept: String,
    /// What the text encoder gets for one of it.
    pub text: String,
    /// How many are drawn.
    pub count: u32,
}

/// A style that a prompt asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AskedStyle {
    /// Its name: `pixel`, `watercolour`. The pack may not have it.
    pub name: String,
    /// The words that ask for it, as they were typed.
    pub text: String,
}

/// What there is to say about how a prompt was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Remark {
    /// A word was read as another: a typing mistake, a word that is only used of the thing, or the nearest thing.
    ReadAs {
        /// As it was typed.
        text: String,
        /// The name of what it was read as.
        read: String,
        /// How it was found.
        found: Found,
    },
    /// A part of the prompt was understood, but cannot be drawn with the rest.
    Dropped {
        /// That part.
        text: String,
        /// What is drawn.
        drawn: String,
    },
    /// A word is not in the lexicon.
    Unknown {
        /// As it was typed.
        text: String,
        /// Names of things that are near it by meaning or by spelling.
        nearest: Vec<String>,
    },
    /// The model has learned no picture of a thing that the lexicon knows.
    NotLearned {
        /// As it was typed.
        text: String,
        /// The thing's name.
        name: String,
        /// Names of things that are near it.
        nearest: Vec<String>,
    },
    /// More things were asked for than a picture has room for.
    Limited {
        /// As it was typed.
        text: String,
        /// How many are drawn.
        drawn: u32,
    },
}

impl Reading {
    /// A prompt that is not read: without a lexicon it is drawn as it is.
    pub fn whole(prompt: &str) -> Reading {
        Reading {
            text: prompt.to_owned(),
            language: None,
            spans: Vec::new(),
            objects: Vec::new(),
            arrangement: None,
            style: None,
            learned_style: None,
            negative: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// Whether anything of the prompt can be drawn.
    pub fn is_known(&self) -> bool {
        !self.text.is_empty()
    }
}

/// Most things that are suggested instead of a prompt.
const SUGGESTED: usize = 3;

/// Reads prompts by a pack's lexicon.
pub struct Reader {
    file: PathBuf,
    lexicon: Lexicon,
    stems: Stems,
}

impl Reader {
    /// Maps a lexicon and checks it.
    ///
    /// # Errors
    /// If the file cannot be read or is no lexicon.
    pub fn open(file: &Path) -> Result<Reader, WordsError> {
        Ok(Reader {
            file: file.to_owned(),
            lexicon: Lexicon::open(file)?,
            stems: Stems::default(),
        })
    }

    /// A reader for a lexicon in memory, such as [`compile`] makes.
    ///
    /// # Errors
    /// If the bytes are no lexicon.
    pub fn of_bytes(bytes: Vec<u8>) -> Result<Reader, WordsError> {
        let file = PathBuf::from("lexicon");
        let lexicon = Lexicon::of_bytes(bytes).map_err(|problem| WordsError::Invalid {
            file: file.clone(),
            problem,
        })?;
        Ok(Reader {
            file,
            lexicon,
            stems: Stems::default(),
        })
    }

    /// Reads a prompt. `preferred` is the language that it is taken for where its words do not tell.
    ///
    /// # Errors
    /// If the lexicon turns out to be damaged in a way that its checksum does not tell.
    pub fn read(&self, prompt: &str, preferred: Option<Language>) -> Result<Reading, WordsError> {
        // The map's checksum is right, but a malicious pack may lie beneath it, and `fst` panics at what is no map.
        catch_unwind(AssertUnwindSafe(|| self.read_unguarded(prompt, preferred))).map_err(|_| WordsError::Invalid {
            file: self.file.clone(),
            problem: "its map leads nowhere".into(),
        })
    }

    fn read_unguarded(&self, prompt: &str, preferred: Option<Language>) -> Reading {
        let letters = normalise::letters(prompt, self.lexicon.variants());
        if letters.is_empty() {
            return Reading {
                text: String::new(),
                ..Reading::whole(prompt)
            };
        }
        let segmenter = Segmenter {
            lexicon: &self.lexicon,
            stems: &self.stems,
        };
        let mut cut = segmenter.cut(&letters, preferred);
        let mended = mending::mend(&self.lexicon, &letters, &mut cut);
        let mut words = roles::decide(&letters, &cut.pieces, cut.language);
        for word in &mut words {
            word.note = mended.iter().find(|(start, _)| *start == word.start).map(|(_, note)| note.clone());
        }
        rendering::render(&rendering::Prompt {
            lexicon: &self.lexicon,
            text: prompt,
            letters: &letters,
            words: &words,
            apart: &cut.apart,
            language: cut.language,
            advice: preferred.unwrap_or(cut.language),
        })
    }

    /// Names of things to ask for instead of a prompt of which nothing can be drawn, at most three: things that are near it by
    /// meaning, then by spelling; in the preferred language, else in the prompt's.
    pub fn suggestions(&self, reading: &Reading, preferred: Option<Language>) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for remark in &reading.remarks {
            if let Remark::Unknown { nearest, .. } | Remark::NotLearned { nearest, .. } = remark {
                names.extend(nearest.iter().cloned());
            }
            if let Remark::Unknown { text, nearest } = remark
                && nearest.is_empty()
            {
                let letters = normalise::letters(text, self.lexicon.variants());
                let similar = corrections::similar(&self.lexicon, &letters, reading.language.unwrap_or_default());
                let language = preferred.or(reading.language).unwrap_or_default();
                names.extend(similar.into_iter().filter_map(|id| self.lexicon.name_or_plain(id, language)));
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names.truncate(SUGGESTED);
        names
    }

    /// The things that the model has learned and that have a name in a language, with that name, in the lexicon's order.
    pub fn named(&self, language: Language) -> impl Iterator<Item = (Concept<'_>, &str)> {
        self.lexicon
            .concepts()
            .filter_map(move |id| Some((self.lexicon.concept(id)?, self.lexicon.name(id, language)?)))
    }

    /// The things that a word names in a language, best first.
    pub fn meanings(&self, word: &str, language: Language) -> Vec<Concept<'_>> {
        let senses = self
            .lexicon
            .find(&normalise::key(word, self.lexicon.variants()))
            .map(|value| self.lexicon.senses(value).collect::<Vec<_>>());
        let senses = senses.unwrap_or_default().into_iter();
        let is_name = |sense: &lexicon::Sense| sense.kind < vocabulary::Kind::Keyword && !sense.is_stem;
        let strong = senses.filter(|sense| is_name(sense) && sense.language.is_none_or(|other| other == language));
        strong.filter_map(|sense| self.lexicon.concept(sense.concept()?)).collect()
    }
}

/// The bytes of the prompt that letters stand for.
fn place_of(letters: &[Letter], start: usize, end: usize) -> Range<usize> {
    letters[start].place.start..letters[end - 1].place.end
}

/// The role that a part is told as.
fn role_of(part: Part) -> Role {
    match part {
        Part::Object(_) => Role::Object,
        Part::Colour(_) => Role::Colour,
        Part::Number(_) => Role::Number,
        Part::Size(_) => Role::Size,
        Part::Mood(_) => Role::Mood,
        Part::Place(_) => Role::Place,
        Part::Style(_) => Role::Style,
        Part::Relation(vocabulary::Relation::Without) => Role::Negation,
        Part::Relation(_) => Role::Relation,
        Part::Filler => Role::Filler,
        Part::Unknown => Role::Unknown,
    }
}

/// How a word was found.
fn found_of(word: &Word) -> Found {
    match (&word.note, word.part, word.sense) {
        (Some(roles::Read::Corrected), ..) => Found::Correction,
        (Some(roles::Read::Compound), ..) => Found::Compound,
        (None, Part::Unknown, _) => Found::Unknown,
        (None, _, Some(sense)) => match sense.kind.found() {
            Found::Exact | Found::Synonym if word.by_stem => Found::Inflected,
            found => found,
        },
        (None, _, None) => Found::Exact,
    }
}
