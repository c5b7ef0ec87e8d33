//! What the words of a prompt have of the maps of attention: which rows of the text are a word's, and its map as large as the picture. Owns
//! that matching; depends on the request as it was resolved and on `attention`.

use std::ops::Range;

use serde::Serialize;

use super::attention::AttentionMaps;
use super::resolved::{Resolved, Text};
use super::{PipelineError, together};
use crate::picture::scale::resize;
use crate::picture::{Picture, Resampling};
use crate::words::{Role, Span};

/// What pixels looked at while a picture was denoised: means over its places, heads, layers, steps and objects, which add up to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Attention {
    /// Maps that were averaged: attention operators, once a step and object.
    pub maps: usize,
    /// The tokens of the prompt.
    pub prompt: f64,
    /// Other rows that go with the text: its start and end, padding, the style's.
    pub other_rows: f64,
    /// The picture itself; 0 where pixels look at the text alone.
    pub pixels: f64,
}

/// Why there is no attention to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoAttention {
    /// The denoiser, if there is one, has no attention to the rows of a text.
    #[error("this model has no attention to words")]
    Absent,
    /// Emphasis mixes texts, whose rows are no words any more.
    #[error("emphasis mixes several texts here, and what pixels look at is no single word")]
    Mixed,
}

/// What a word has of the attention.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WordAttention {
    /// Its part of the attention that goes to the prompt's tokens, from 0 to 1.
    pub share: f64,
    /// How much each pixel of the picture looks at it, in rows: 0 where it does least, 255 where it does most.
    pub map: Vec<u8>,
}

/// The maps of all objects of a picture, with the texts that they belong to.
pub(super) struct Attended<'a> {
    resolved: &'a Resolved,
    text: &'a Text,
    objects: &'a [AttentionMaps],
    /// Sides of the picture.
    sides: (u32, u32),
}

impl<'a> Attended<'a> {
    /// # Errors
    /// Why nothing can be told.
    pub fn new(resolved: &'a Resolved, objects: &'a [AttentionMaps], picture: &Picture) -> Result<Attended<'a>, NoAttention> {
        let [text] = resolved.texts() else { return Err(NoAttention::Mixed) };
        let is_seen = objects.len() == text.ids().len() && objects.iter().all(|maps| maps.seen() > 0);
        is_seen.then_some(()).ok_or(NoAttention::Absent)?;
        Ok(Attended {
            resolved,
            text,
            objects,
            sides: (picture.width(), picture.height()),
        })
    }

    /// Where the attention goes.
    pub fn summary(&self) -> Attention {
        let count = self.objects.len() as f64;
        let (mut prompt, mut rows) = (0.0, 0.0);
        for (object, maps) in self.objects.iter().enumerate() {
            prompt += self.weight(object, &self.prompt_rows(object)) / count;
            rows += self.weight(object, &(0..maps.rows()).collect::<Vec<_>>()) / count;
        }
        Attention {
            maps: self.objects.iter().map(AttentionMaps::seen).sum(),
            prompt,
            other_rows: rows - prompt,
            pixels: (1.0 - rows).max(0.0),
        }
    }

    /// What a word of the prompt has of it; nothing if the word is not among what the model was given.
    ///
    /// # Errors
    /// If pictures cannot be made of the maps.
    pub fn of_word(&self, prompt: &str, place: &Range<usize>, span: Option<&Span>) -> Result<Option<WordAttention>, PipelineError> {
        let rows: Vec<Vec<usize>> = (0..self.objects.len())
            .map(|object| self.rows(object, prompt, place, span))
            .collect();
        if rows.iter().all(Vec::is_empty) {
            return Ok(None);
        }
        let all: f64 = (0..rows.len()).map(|object| self.weight(object, &self.prompt_rows(object))).sum();
        let own: f64 = rows.iter().enumerate().map(|(object, rows)| self.weight(object, rows)).sum();
        Ok(Some(WordAttention {
            share: own / all.max(f64::MIN_POSITIVE),
            map: self.map(&rows)?,
        }))
    }

    /// The mean weight of rows of an object's text.
    fn weight(&self, object: usize, rows: &[usize]) -> f64 {
        let map = self.objects[object].of_rows(rows);
        map.iter().map(|value| f64::from(*value)).sum::<f64>() / map.len() as f64
    }

    fn places(&self, object: usize) -> &[Range<usize>] {
        self.text.prompt.places.get(object).map_or(&[], Vec::as_slice)
    }

    /// The rows of an object's text that are tokens of the prompt.
    fn prompt_rows(&self, object: usize) -> Vec<usize> {
        (0..)
            .zip(self.places(object))
            .filter(|(_, place)| !place.is_empty())
            .map(|(row, _)| row)
            .collect()
    }

    /// The text that an object's tokens are of.
    fn encoded(&self, object: usize) -> &str {
        let objects = self.resolved.objects();
        objects.get(object).map_or_else(|| self.resolved.read_as(), String::as_str)
    }

    /// The rows of an object's text that a word of the prompt became.
    fn rows(&self, object: usize, prompt: &str, place: &Range<usize>, span: Option<&Span>) -> Vec<usize> {
        let text = self.encoded(object);
        let found = match span {
            Some(span) if span.role == Role::Object => self.thing(text, span),
            Some(span) => said(text, span).into_iter().collect(),
            None => {
                let typed = &prompt[place.clone()];
                let before = std::iter::successors(word(prompt, typed, 0), |found| next(prompt, typed, found));
                let number = before.take_while(|found| found.start < place.start).count();
                word(text, typed, number).into_iter().collect()
            }
        };
        let touches = |place: &Range<usize>| {
            let place = trimmed(text, place);
            found
                .iter()
                .any(|part: &Range<usize>| place.start < part.end && part.start < place.end)
        };
        (0..)
            .zip(self.places(object))
            .filter(|(_, place)| touches(place))
            .map(|(row, _)| row)
            .collect()
    }

    /// Of an object's text what is left for its thing: all but the words for number, colour, size and mood.
    fn thing(&self, text: &str, span: &Span) -> Vec<Range<usize>> {
        let reading = self.resolved.reading();
        let of_span = |concept: &String| span.value.as_ref() == Some(concept);
        let drawn = reading
            .objects
            .iter()
            .find(|drawn| of_span(&drawn.concept) && text.contains(&drawn.text));
        if drawn.is_none() && self.objects.len() > 1 {
            return Vec::new();
        }
        let others = reading
            .spans
            .iter()
            .filter(|other| !matches!(other.role, Role::Object | Role::Unknown));
        let mut others: Vec<Range<usize>> = others.filter_map(|other| said(text, other)).collect();
        others.sort_by_key(|place| place.start);
        let (mut left, mut end) = (Vec::new(), 0);
        for place in others {
            left.push(trimmed(text, &(end..place.start.max(end))));
            end = place.end.max(end);
        }
        left.push(trimmed(text, &(end..text.len())));
        left
    }

    /// The map of rows of each object's text, as the picture shows the objects.
    fn map(&self, rows: &[Vec<usize>]) -> Result<Vec<u8>, PipelineError> {
        let maps: Vec<Vec<f32>> = self.objects.iter().zip(rows).map(|(object, rows)| object.of_rows(rows)).collect();
        let looked = || maps.iter().zip(rows).filter(|(_, rows)| !rows.is_empty()).flat_map(|(map, _)| map);
        let (least, most) = looked().fold((f32::MAX, 0f32), |(least, most), value| (least.min(*value), most.max(*value)));
        let shown = |value: f32| ((value - least).max(0.0) / (most - least).max(f32::MIN_POSITIVE) * 255.0).round() as u8;
        let pictures = self.objects.iter().zip(&maps).map(|(object, map)| {
            let (width, height) = object.sides();
            let mut pixels: Vec<u8> = map
                .iter()
                .flat_map(|value| [[shown(*value); 3].as_slice(), &[255]].concat())
                .collect();
            if self.objects.len() > 1 {
                // What lies around several objects has the colour of the first corner.
                pixels[..3].fill(0);
            }
            let small = Picture::new(width as u32, height as u32, pixels)?;
            resize(&small, self.sides.0, self.sides.1, Resampling::Smooth)
        });
        let picture = together(self.resolved.rows(), pictures.collect::<Result<_, _>>()?, None)?;
        Ok(picture.pixels().as_chunks::<4>().0.iter().map(|pixel| pixel[0]).collect())
    }
}

/// Where a text has what a part of the prompt means, or its very word.
fn said(text: &str, span: &Span) -> Option<Range<usize>> {
    let meant = span.value.as_deref().and_then(|value| word(text, value, 0));
    meant.or_else(|| word(text, &span.text, 0))
}

/// A part of a text without spaces at its ends, which tokens have.
fn trimmed(text: &str, part: &Range<usize>) -> Range<usize> {
    let Some(inner) = text.get(part.clone()) else { return part.clone() };
    let start = part.start + inner.len() - inner.trim_start().len();
    start..start + inner.trim().len()
}

/// Where a word stands in a text, in lower or upper case, for the time of this number; not as a part of a longer word.
fn word(text: &str, sought: &str, number: usize) -> Option<Range<usize>> {
    (0..number).try_fold(next(text, sought, &(0..0))?, |found, _| next(text, sought, &found))
}

/// The same behind a place.
fn next(text: &str, sought: &str, behind: &Range<usize>) -> Option<Range<usize>> {
    let mut starts = text[behind.end..].char_indices().map(|(start, _)| behind.end + start);
    starts.find_map(|start| {
        let found = text
            .get(start..start + sought.len())
            .filter(|found| !sought.is_empty() && found.eq_ignore_ascii_case(sought))?;
        let end = start + found.len();
        let joins = |letter: Option<char>, own: Option<char>| {
            letter
                .zip(own)
                .is_some_and(|(one, other)| one.is_alphanumeric() && other.is_alphanumeric())
        };
        let is_part =
            joins(text[..start].chars().next_back(), found.chars().next()) || joins(text[end..].chars().next(), found.chars().next_back());
        (!is_part).then_some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_as_wholes() {
        assert_eq!(word("a cat on a mat", "a", 1), Some(9..10));
        assert_eq!(word("a cat on a mat", "at", 0), None);
        assert_eq!(word("Red apple", "red", 0), Some(0..3));
        assert_eq!(word("red apple", "red", 1), None);
        assert_eq!((word("cat", "", 0), word("", "cat", 0)), (None, None));
        assert_eq!(word("été", "t", 0), None);
        assert_eq!((trimmed("a blue cat", &(1..6)), trimmed("a b", &(1..2))), (2..6, 2..2));
    }
}
