//! Which pixels each word of a prompt decides, by leaving it out: the picture is drawn again without the word, from the same noise, and compared
//! (occlusion, Zeiler & Fergus, arXiv 1311.2901, with words in the place of patches). Owns the words and the comparison.
//!
//! Beside that it tells where pixels looked at the word while the picture was denoised (`attention`), which is another thing: what a network
//! looks at need not be what it would draw otherwise. And it names the training pictures that the picture is most similar to (`nearest`).

use std::ops::{ControlFlow, Range};

use super::attended::{Attended, Attention, NoAttention, WordAttention};
use super::attention::AttentionMaps;
use super::nearest::{Nearest, nearest};
use super::{Generated, Observer, Pipeline, PipelineError, Progress, Request, Resolved, emphasis};
use crate::picture::{Background, Picture};
use crate::words::{Role, Span};

/// Most words of a prompt that are left out, one by one.
pub const MOST_WORDS: usize = 32;
/// A pixel has changed if one of its channels differs by this much, of 255.
const CHANGED: u8 = 24;

/// A picture with what decided it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The picture.
    pub generated: Generated,
    /// The estimate after each step, at the denoiser's size; empty for models that have none.
    pub estimates: Vec<Picture>,
    /// The prompt's words, in their order, without those that ask for nothing.
    pub words: Vec<WordEffect>,
    /// Where pixels looked, or why there is nothing to tell.
    pub attention: Result<Attention, NoAttention>,
    /// The training pictures that the picture is most similar to; nothing if the pack has no index of them.
    pub nearest: Option<Nearest>,
}

/// What a word of the prompt decides.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WordEffect {
    /// The word, or words that belong together, as they were typed.
    pub text: String,
    /// Its bytes in the prompt.
    pub place: Range<usize>,
    /// What is drawn without it; nothing if the rest of the prompt names nothing to draw.
    pub without: Option<String>,
    /// How much each pixel of the picture differs without it, from 0 to 255, in rows.
    pub map: Vec<u8>,
    /// The share of the picture's pixels that differ visibly, from 0 to 1.
    pub changed: f64,
    /// The word's share of the differences of all words, from 0 to 1.
    pub share: f64,
    /// What it has of the attention; nothing if the model has none, or was not given the word.
    pub attention: Option<WordAttention>,
}

impl Pipeline {
    /// Generates a picture, and again without each of the first 32 words of its prompt. The observer is told of all these pictures, one
    /// after another.
    ///
    /// # Errors
    /// As [`Pipeline::generate_with`].
    pub fn explain_with(&mut self, request: &Request, observer: &mut dyn Observer) -> Result<Explanation, PipelineError> {
        let resolved = self.resolve(request)?;
        // Choices are taken once, not anew for every part of the prompt.
        let request = Request {
            prompt: resolved.prompt(),
            ..request.clone().seed(resolved.seed())
        };
        let mut estimates = Estimates {
            observer,
            pictures: Vec::new(),
            attention: Vec::new(),
        };
        let generated = self.generate_with(&request, &mut estimates)?;
        let (estimates, maps) = (estimates.pictures, estimates.attention);
        let attended = Attended::new(&resolved, &maps, &generated.picture);
        let mut words = Vec::new();
        for (place, span) in words_of(&request.prompt, &resolved.reading().spans).into_iter().take(MOST_WORDS) {
            let (rest, role) = (without(&request.prompt, &place), span.map(|span| span.role));
            let attention = match &attended {
                Ok(attended) => attended.of_word(&request.prompt, &place, span)?,
                Err(_) => None,
            };
            let (read, picture) = match self.generate_part(&request, &resolved, &rest, role, observer)? {
                Some((read, picture)) => (Some(read), Some(picture)),
                None => (None, None),
            };
            let map = difference(&generated.picture, picture.as_ref());
            words.push(WordEffect {
                text: request.prompt[place.clone()].to_owned(),
                place,
                without: read,
                changed: map.iter().filter(|&&difference| difference >= CHANGED).count() as f64 / map.len() as f64,
                share: map.iter().map(|&difference| f64::from(difference)).sum(),
                map,
                attention,
            });
        }
        let sum: f64 = words.iter().map(|word| word.share).sum();
        words.iter_mut().for_each(|word| word.share /= sum.max(1.0));
        Ok(Explanation {
            attention: attended.map(|attended| attended.summary()),
            nearest: self.nearest(&request, &generated.picture, observer)?,
            generated,
            estimates,
            words,
        })
    }

    /// The training pictures that a picture is most similar to: without background and at the pack's own size, as those are.
    fn nearest(&mut self, request: &Request, picture: &Picture, observer: &mut dyn Observer) -> Result<Option<Nearest>, PipelineError> {
        if self.pack.manifest().training.is_none() {
            return Ok(None);
        }
        if request.size.is_none() && request.background == Background::Transparent {
            return Ok(nearest(&self.pack, picture)?);
        }
        let plain = Request {
            size: None,
            background: Background::Transparent,
            ..request.clone()
        };
        let plain = self.generate_with(&plain, observer)?.picture;
        Ok(nearest(&self.pack, &plain)?)
    }

    /// The picture of what is left of a prompt, and how that is read; nothing if it names nothing to draw.
    fn generate_part(
        &mut self,
        request: &Request,
        resolved: &Resolved,
        rest: &str,
        role: Option<Role>,
        observer: &mut dyn Observer,
    ) -> Result<Option<(String, Picture)>, PipelineError> {
        let objects = resolved.reading().spans.iter().filter(|span| span.role == Role::Object).count();
        // What is left would be read as something else that nobody asked for: "blue" alone as blueberries.
        if role == Some(Role::Object) && objects == 1 {
            return Ok(None);
        }
        let mut part = Request {
            prompt: rest.to_owned(),
            ..request.clone()
        };
        // Another word may suggest another style; only words for a style may change it.
        if !matches!(role, None | Some(Role::Style)) {
            part.style = resolved.style().map(str::to_owned);
        }
        let drawn = self.resolve(&part).and_then(|read| {
            let generated = self.generate_with(&part, observer)?;
            Ok((read.read_as().to_owned(), generated.picture))
        });
        match drawn {
            Ok(drawn) => Ok(Some(drawn)),
            Err(PipelineError::EmptyPrompt | PipelineError::UnknownPrompt { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Keeps the estimates of a picture that is being generated, and where its pixels look.
struct Estimates<'a> {
    observer: &'a mut dyn Observer,
    pictures: Vec<Picture>,
    attention: Vec<AttentionMaps>,
}

impl Observer for Estimates<'_> {
    fn progress(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
        self.pictures.extend(progress.preview());
        self.observer.progress(progress)
    }

    fn wants_attention(&self) -> bool {
        true
    }

    fn attention(&mut self, _: usize, maps: &AttentionMaps) {
        self.attention.push(maps.clone());
    }
}

/// The places of a prompt's words, in order: those that its reading tells, and others as they are written.
fn words_of<'a>(prompt: &str, spans: &'a [Span]) -> Vec<(Range<usize>, Option<&'a Span>)> {
    let (mut words, mut end) = (Vec::new(), 0);
    for span in spans {
        // The reading may be of the prompt without its words for a style.
        let Some(at) = prompt[end..].find(&span.text).filter(|_| !span.text.is_empty()) else {
            continue;
        };
        words.extend(written(prompt, end..end + at).map(|place| (place, None)));
        let place = end + at..end + at + span.text.len();
        end = place.end;
        if span.role != Role::Filler {
            words.push((place, Some(span)));
        }
    }
    words.extend(written(prompt, end..prompt.len()).map(|place| (place, None)));
    // How strong a word is to be is no word.
    let numbers = emphasis::numbers(prompt);
    words.retain(|(place, _)| !numbers.iter().any(|number| number.start <= place.start && place.end <= number.end));
    words
}

/// The words of a part of a prompt: letters and digits with nothing but those between.
fn written(prompt: &str, part: Range<usize>) -> impl Iterator<Item = Range<usize>> + '_ {
    let is_gap = |letter: char| letter.is_whitespace() || letter.is_ascii_punctuation();
    let mut start = part.start;
    prompt[part].split(is_gap).filter_map(move |piece| {
        let place = start..start + piece.len();
        // Behind a piece lies one letter that parts it from the next.
        start = place.end + prompt[place.end..].chars().next().map_or(0, char::len_utf8);
        (!place.is_empty()).then_some(place)
    })
}

/// A prompt without a part of it, without the spaces and commas that would be left double, and without brackets that would be left empty.
fn without(prompt: &str, place: &Range<usize>) -> String {
    let is_gap = |letter: char| letter.is_whitespace() || letter == ',';
    let (mut before, mut after) = (&prompt[..place.start], &prompt[place.end..]);
    for (open, close) in [('(', ')'), ('[', ']')] {
        let inner = after.trim_start_matches(|letter: char| letter.is_ascii_digit() || matches!(letter, ':' | '.'));
        if let (Some(outside), Some(rest)) = (before.strip_suffix(open), inner.strip_prefix(close)) {
            (before, after) = (outside, rest);
        }
    }
    let (before, after) = (before.trim_end_matches(is_gap), after.trim_start_matches(is_gap));
    match (before.is_empty(), after.is_empty()) {
        (true, _) => after.to_owned(),
        (_, true) => before.to_owned(),
        _ => format!("{before} {after}"),
    }
}

/// How much each pixel differs from another picture's, as it is seen on any background; from nothing, if there is none or it has other sides.
fn difference(picture: &Picture, other: Option<&Picture>) -> Vec<u8> {
    let other = other.filter(|other| (other.width(), other.height()) == (picture.width(), picture.height()));
    let pixels = |picture: &Picture| -> Vec<[u8; 4]> { picture.pixels().as_chunks().0.to_vec() };
    let others = other.map_or_else(|| vec![[0; 4]; picture.pixels().len() / 4], pixels);
    let pairs = picture.pixels().as_chunks::<4>().0.iter().zip(others);
    let differs = |(&one, other): (&[u8; 4], [u8; 4])| {
        let [one, other] = [one, other].map(|pixel| {
            let times_alpha = |value: u8| (u32::from(value) * u32::from(pixel[3]) + 127) / 255;
            [
                times_alpha(pixel[0]),
                times_alpha(pixel[1]),
                times_alpha(pixel[2]),
                u32::from(pixel[3]),
            ]
        });
        let largest = one.iter().zip(other).map(|(one, other)| one.abs_diff(other)).max();
        largest.unwrap_or(0) as u8
    };
    pairs.map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(prompt: &str) -> Vec<&str> {
        words_of(prompt, &[]).into_iter().map(|(place, _)| &prompt[place]).collect()
    }

    #[test]
    fn words_are_found_where_they_are_written() {
        assert_eq!(places("a red apple, 3d style"), ["a", "red", "apple", "3d", "style"]);
        assert_eq!(places("  红苹果 "), ["红苹果"]);
        assert!(places(" ,; ").is_empty());
        assert_eq!(places("a (red:1.25) cat at 9:30"), ["a", "red", "cat", "at", "9", "30"]);
    }

    #[test]
    fn a_word_is_left_out_with_its_gap() {
        let prompt = "a red apple, 3d style";
        assert_eq!(without(prompt, &(2..5)), "a apple, 3d style");
        assert_eq!(without(prompt, &(6..11)), "a red 3d style");
        assert_eq!(without(prompt, &(0..1)), "red apple, 3d style");
        assert_eq!(without(prompt, &(13..21)), "a red apple");
        assert_eq!(without("cat", &(0..3)), "");
        assert_eq!(without("a (red:1.3) cat", &(3..6)), "a cat");
        assert_eq!(without("[red] cat", &(1..4)), "cat");
    }

    #[test]
    fn differences_are_as_seen() {
        let picture = Picture::new(3, 1, vec![255, 0, 0, 255, 9, 9, 9, 0, 100, 100, 100, 255]).unwrap();
        let other = Picture::new(3, 1, vec![255, 0, 0, 255, 200, 9, 9, 0, 100, 130, 100, 255]).unwrap();
        assert_eq!(difference(&picture, Some(&other)), [0, 0, 30]);
        assert_eq!(difference(&picture, None), [255, 0, 255]);
    }
}
