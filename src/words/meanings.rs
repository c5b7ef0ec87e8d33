//! Words that name several things: "cricket" is an insect and a game. Owns which words those are, and the prompts that ask for one
//! of their things; depends on the reader.

use serde::Serialize;

use super::lexicon::Concept;
use super::{Language, Reader, Reading, Role, Span, WordsError};

/// Most things to choose from.
const MOST: usize = 4;

/// A word of a prompt that names several things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Ambiguity {
    /// The word, as it was typed.
    pub text: String,
    /// What it may mean: at least two things, first the one that is drawn.
    pub meanings: Vec<Meaning>,
}

impl Ambiguity {
    /// A word and what it may mean: names, and the prompts that ask for them.
    #[cfg(test)]
    pub fn new<const N: usize>(text: &str, meanings: [(&str, &str); N]) -> Ambiguity {
        let meaning = |(name, prompt): (&str, &str)| Meaning {
            name: name.into(),
            prompt: prompt.into(),
        };
        Ambiguity {
            text: text.into(),
            meanings: meanings.into_iter().map(meaning).collect(),
        }
    }
}

/// One of the things that a word may mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Meaning {
    /// What it is called, in the prompt's language; with the English name where two things are called the same.
    pub name: String,
    /// The prompt that asks for it, with all else that was asked for.
    pub prompt: String,
}

impl Reader {
    /// The first word of a prompt that names several things which the model has learned, and what it may mean; `None` if the
    /// prompt is clear. `reading` is what [`Reader::read`] made of the prompt.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn ambiguity(&self, prompt: &str, reading: &Reading, preferred: Option<Language>) -> Result<Option<Ambiguity>, WordsError> {
        for span in reading.spans.iter().filter(|span| span.role == Role::Object) {
            let mut found: Vec<(Concept, Meaning)> = Vec::new();
            for concept in self.things(span, reading.language.unwrap_or_default()) {
                if let Some(meaning) = self.meaning(prompt, reading, span, &concept, preferred)? {
                    found.push((concept, meaning));
                }
            }
            if found.len() > 1 {
                return Ok(Some(Ambiguity {
                    text: span.text.clone(),
                    meanings: told_apart(found),
                }));
            }
        }
        Ok(None)
    }

    /// The things that a word names, the one that it was read as first.
    fn things(&self, span: &Span, language: Language) -> Vec<Concept<'_>> {
        let mut things: Vec<Concept> = Vec::new();
        let mut concepts: Vec<Concept> = self.meanings(&span.text, language);
        concepts.sort_by_key(|concept| Some(concept.id) != span.value.as_deref());
        for concept in concepts.into_iter().filter(Concept::is_learned) {
            if things.iter().all(|thing| head(thing.text) != head(concept.text)) {
                things.push(concept);
            }
        }
        let is_read = things.first().is_some_and(|thing| Some(thing.id) == span.value.as_deref());
        // One thing is clear, and the rest need not be looked up.
        things.truncate(if is_read && things.len() > 1 { MOST } else { 0 });
        things
    }

    /// The prompt with a thing in a word's place, if it reads as nothing but that.
    fn meaning(
        &self,
        prompt: &str,
        reading: &Reading,
        span: &Span,
        concept: &Concept,
        preferred: Option<Language>,
    ) -> Result<Option<Meaning>, WordsError> {
        let wanted = |id: &str| {
            if Some(id) == span.value.as_deref() {
                concept.id.to_owned()
            } else {
                id.to_owned()
            }
        };
        let wanted: Vec<(String, u32)> = reading
            .objects
            .iter()
            .map(|object| (wanted(&object.concept), object.count))
            .collect();
        for name in [
            self.name(concept, reading.language.unwrap_or_default()),
            concept.plain,
            concept.text,
        ] {
            let asked = format!("{}{name}{}", &prompt[..span.place.start], &prompt[span.place.end..]);
            let read = self.read(&asked, preferred)?;
            let objects = read.objects.iter().map(|object| (object.concept.clone(), object.count));
            if objects.eq(wanted.iter().cloned()) && read.remarks.len() <= reading.remarks.len() && read.negative == reading.negative {
                return Ok(Some(Meaning {
                    name: name.to_owned(),
                    prompt: asked,
                }));
            }
        }
        Ok(None)
    }

    fn name<'a>(&'a self, concept: &Concept<'a>, language: Language) -> &'a str {
        let named = self.named(language).find(|(other, _)| other.id == concept.id);
        named.map_or(concept.plain, |(_, name)| name)
    }
}

/// The noun that a thing's name ends with, in the singular: eyes are as an eye, an old man is a man.
fn head(text: &str) -> &str {
    let last = text.split(' ').next_back().unwrap_or(text);
    last.strip_suffix('s').unwrap_or(last)
}

/// The meanings, with the English name where two are called the same.
fn told_apart(found: Vec<(Concept, Meaning)>) -> Vec<Meaning> {
    let names: Vec<String> = found.iter().map(|(_, meaning)| meaning.name.clone()).collect();
    let is_double = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
    let tell = |(concept, meaning): (Concept, Meaning)| match is_double(&meaning.name) {
        true => Meaning {
            name: format!("{} ({})", meaning.name, concept.text),
            ..meaning
        },
        false => meaning,
    };
    found.into_iter().map(tell).collect()
}
