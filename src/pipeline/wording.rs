//! From the prompts of a request to the texts that are encoded: choices are taken, emphasis is read, the style is found, and the pack's words
//! are looked up.
//!
//! Emphasis has one of two forms. A pack with a lexicon is given names that it has learned, not the prompt's tokens: there the prompt is moved
//! away from the same prompt without the emphasised words, or towards it, as far as the weight says. In other packs the text encoder's rows of
//! the emphasised tokens are multiplied, as the AUTOMATIC1111 web interface does.
//!
//! Owns these decisions. Depends on `template`, `emphasis`, `prompt` and `styles`.

use super::emphasis::{self, Emphasised};
use super::error::MOST_PARTS;
use super::prompt::PromptReader;
use super::resolved::Text;
use super::styles;
use super::template::Resolver;
use super::{Note, Part, Pipeline, PipelineError, Prompt, PromptKey, REMEMBERED, Request, notes, style_of, unknown_prompt};
use crate::pack::Style;
use crate::words::Language;

/// Numbers the choices of a negative prompt.
const NEGATIVE: u32 = u32::MAX;

/// The prompts of a request after all choices.
pub(super) struct Wording {
    /// Those that have a share, with their weights as they were given.
    pub parts: Vec<Part>,
    /// What is not to be drawn.
    pub negative: Option<String>,
    /// The prompts before their choices, if there were any.
    pub template: Option<String>,
}

impl Wording {
    /// Takes the choices of a request by its seed, unless its prompts are literal.
    ///
    /// # Errors
    /// If a template or a word list is not well formed, or a weight is none.
    pub fn of(request: &Request, seed: u64, is_literal: bool) -> Result<Wording, PipelineError> {
        let mut resolver = Resolver::new(seed, request.words.as_deref());
        let mut resolve = |text: &str, part: u32| match request.literal || is_literal {
            true => Ok(text.to_owned()),
            false => resolver.resolve(text, part),
        };
        let templates = parts(request)?;
        let mut parts = templates.clone();
        for (part, number) in parts.iter_mut().zip(0..) {
            part.prompt = resolve(&part.prompt, number)?;
        }
        let negative = request.negative.as_deref().map(|text| resolve(text, NEGATIVE));
        let template = (parts != templates).then(|| super::resolved::label(&templates));
        Ok(Wording {
            negative: negative.transpose()?,
            parts,
            template,
        })
    }
}

/// The prompts of a request that have a share.
fn parts(request: &Request) -> Result<Vec<Part>, PipelineError> {
    if request.parts.is_empty() {
        return Ok(vec![Part::new(&request.prompt, 1.0)]);
    }
    if request.parts.len() > MOST_PARTS {
        return Err(PipelineError::ManyParts(request.parts.len()));
    }
    let wrong = |part: &Part| PipelineError::Weight {
        prompt: part.prompt.clone(),
        weight: part.weight,
    };
    // Sums of these are numbers, too.
    let is_weight = |weight: f32| (0.0..=1e6).contains(&weight);
    if let Some(part) = request.parts.iter().find(|part| !is_weight(part.weight)) {
        return Err(wrong(part));
    }
    let with_share: Vec<Part> = request.parts.iter().filter(|part| part.weight > 0.0).cloned().collect();
    match with_share.first() {
        None => Err(wrong(&request.parts[0])),
        Some(_) => Ok(with_share),
    }
}

/// What was read of a request's prompts.
pub(super) struct Read<'a> {
    /// The prompt, or the first of several.
    pub prompt: Prompt,
    /// The style that is asked for by name, else that of the first.
    pub style: Option<&'a Style>,
    pub texts: Vec<Text>,
    pub negative: Vec<Text>,
    pub notes: Vec<Note>,
}

/// One prompt of a request, as it was read.
struct ReadPart<'a> {
    prompt: Prompt,
    style: Option<&'a Style>,
    texts: Vec<Text>,
    notes: Vec<Note>,
}

impl Pipeline {
    /// Reads the prompts of a request. The tokenizer is in memory only while this runs.
    pub(super) fn read<'a>(&mut self, wording: &Wording, request: &Request, styles: &'a [Style]) -> Result<Read<'a>, PipelineError> {
        if wording.parts.len() > 1 && !self.capabilities.mixes_texts {
            return Err(PipelineError::NoBlend(wording.parts.len()));
        }
        let mut reader = None;
        let mut parts: Vec<ReadPart> = Vec::new();
        for part in &wording.parts {
            let first = parts.first().and_then(|first| first.style).map(|style| style.name.as_str());
            let style = part.style.as_deref().or(request.style.as_deref()).or(first);
            parts.push(self.read_part(part, style, request, styles, &mut reader)?);
        }
        check_arrangements(&wording.parts, &parts)?;
        let unwanted: Vec<String> = parts.iter().flat_map(|part| part.prompt.reading.negative.clone()).collect();
        let asked = request.style.as_deref().map(str::trim);
        let asked = styles
            .iter()
            .find(|style| asked.is_some_and(|name| style.name.eq_ignore_ascii_case(name)));
        let style = asked.or(parts.first().and_then(|part| part.style));
        let (negative, unused) = self.negative(&unwanted, wording.negative.as_deref(), style, request, &mut reader)?;
        let sum: f32 = wording.parts.iter().map(|part| part.weight).sum();
        let mut texts = Vec::new();
        let mut notes: Vec<Note> = Vec::new();
        for (part, read) in wording.parts.iter().zip(&parts) {
            texts.extend(read.texts.iter().cloned().map(|text| Text {
                weight: text.weight * (part.weight / sum),
                ..text
            }));
            let fresh: Vec<Note> = read.notes.iter().filter(|note| !notes.contains(note)).cloned().collect();
            notes.extend(fresh);
        }
        notes.extend(unused);
        let prompt = parts.swap_remove(0).prompt;
        Ok(Read {
            prompt,
            style,
            texts,
            negative,
            notes,
        })
    }

    /// Reads one of the prompts, in a style if one is asked for by name.
    fn read_part<'a>(
        &mut self,
        part: &Part,
        style: Option<&str>,
        request: &Request,
        styles: &'a [Style],
        reader: &mut Option<PromptReader>,
    ) -> Result<ReadPart<'a>, PipelineError> {
        let emphasised = match request.literal {
            true => Emphasised::plain(&part.prompt),
            false => emphasis::parse(&part.prompt)?,
        };
        // Words that ask for a part's own style are taken from it, as they are from a prompt by itself.
        let by_words = styles::choose(styles, None, &emphasised.text)?;
        let is_own = part.style.is_some() && by_words.asked && by_words.style.map(|style| style.name.as_str()) == part.style.as_deref();
        let style = style.filter(|_| !is_own);
        let chosen = styles::choose(styles, style, &emphasised.text)?;
        let is_whole = chosen.prompt == emphasised.text;
        let mut prompt = self.read_whole(&chosen.prompt, request, reader)?;
        let (drawn, learned) = style_of(styles, chosen, &prompt.reading);
        let mut notes = notes(&prompt, drawn, learned);
        let without = |text: &str| Ok(styles::choose(styles, style, text)?.prompt);
        let text = Text::new(prompt.clone(), 1.0, drawn);
        let (texts, unused) = self.emphasise(text, &emphasised, is_whole, &without, request, reader)?;
        notes.extend(unused);
        // Its prompts lack the words that chose the style.
        prompt.ambiguity = prompt.ambiguity.filter(|_| is_whole);
        Ok(ReadPart {
            prompt,
            style: drawn,
            texts,
            notes,
        })
    }

    /// A prompt as it is drawn: read, or guessed if the request says so.
    fn read_whole(&mut self, text: &str, request: &Request, reader: &mut Option<PromptReader>) -> Result<Prompt, PipelineError> {
        if !self.capabilities.has_prompt {
            return Ok(Prompt::unread(text));
        }
        if text.is_empty() {
            return Err(PipelineError::EmptyPrompt);
        }
        let prompt = self.read_one(text, request.language, reader)?;
        match prompt.reading.is_known() {
            true => Ok(prompt),
            false if !request.guess => Err(unknown_prompt(text, prompt)),
            false => Ok(Prompt {
                is_guess: true,
                ..self.whole(text, reader)?
            }),
        }
    }

    /// The texts that an emphasised one is made of, and what of the emphasis has no effect. `is_whole` is whether the text is all of the
    /// prompt; `without_style` takes from another one what was taken from it.
    fn emphasise(
        &mut self,
        mut text: Text,
        emphasised: &Emphasised,
        is_whole: bool,
        without_style: &dyn Fn(&str) -> Result<String, PipelineError>,
        request: &Request,
        reader: &mut Option<PromptReader>,
    ) -> Result<(Vec<Text>, Vec<Note>), PipelineError> {
        let limits = self.pack.manifest().prompt.as_ref();
        let by_rows = is_whole && limits.is_some_and(|limits| limits.lexicon.is_none());
        let mut compared = Vec::new();
        let mut notes = Vec::new();
        if emphasised.spans.is_empty() || !self.capabilities.has_prompt {
            return Ok((vec![text], notes));
        }
        if by_rows && self.capabilities.mixes_texts {
            text.emphasise(emphasised);
            return Ok((vec![text], notes));
        }
        for span in &emphasised.spans {
            let rest = without_style(&emphasised.without(span))?;
            let other = self.read_or_empty(&rest, request.language, reader)?;
            let (ids, rows) = (&text.prompt.ids, rows(&text.prompt));
            if other.ids == *ids || rows != self::rows(&other) || !self.capabilities.mixes_texts {
                let words = emphasised.text[span.place.clone()].trim().to_owned();
                notes.push(Note::EmphasisUnused { text: words });
                continue;
            }
            compared.push(Text {
                prompt: other,
                weight: 1.0 - span.weight,
                ..text.clone()
            });
        }
        text.weight -= compared.iter().map(|other| other.weight).sum::<f32>();
        Ok(([vec![text], compared].concat(), notes))
    }

    /// A prompt of which nothing may be left.
    fn read_or_empty(
        &mut self,
        text: &str,
        language: Option<Language>,
        reader: &mut Option<PromptReader>,
    ) -> Result<Prompt, PipelineError> {
        if !text.trim().is_empty() {
            match self.read_one(text, language, reader) {
                Ok(read) if read.reading.is_known() => return Ok(read),
                Ok(_) | Err(PipelineError::EmptyPrompt) => {}
                Err(error) => return Err(error),
            }
        }
        self.whole("", reader)
    }

    /// What guidance moves away from: what the request says, and what its prompts say shall not be there.
    fn negative(
        &mut self,
        unwanted: &[String],
        asked: Option<&str>,
        style: Option<&Style>,
        request: &Request,
        reader: &mut Option<PromptReader>,
    ) -> Result<(Vec<Text>, Vec<Note>), PipelineError> {
        if !self.capabilities.has_prompt {
            return Ok((vec![Text::new(Prompt::unread(""), 1.0, style)], Vec::new()));
        }
        let emphasised = match asked {
            Some(text) if !request.literal => emphasis::parse(text)?,
            text => Emphasised::plain(text.unwrap_or_default()),
        };
        let asked = Some(emphasised.text.as_str()).filter(|text| !text.is_empty());
        if let (Some(text), true) = (asked, unwanted.is_empty()) {
            let read = self.read_one(text, request.language, reader)?;
            let prompt = match read.reading.is_known() {
                true => read,
                false => self.whole(text, reader)?,
            };
            let text = Text::new(prompt, 1.0, style);
            return self.emphasise(text, &emphasised, true, &|text| Ok(text.to_owned()), request, reader);
        }
        let all: Vec<&str> = asked.into_iter().chain(unwanted.iter().map(String::as_str)).collect();
        let prompt = self.whole(&all.join(", "), reader)?;
        Ok((vec![Text::new(prompt, 1.0, style)], Vec::new()))
    }

    /// A prompt that is remembered, or is read by `reader`, which is loaded if it is not there yet.
    fn read_one(&mut self, text: &str, language: Option<Language>, reader: &mut Option<PromptReader>) -> Result<Prompt, PipelineError> {
        self.remembered((text.to_owned(), Some(language)), reader, |reader| reader.read(text, language))
    }

    /// A text as the text encoder takes it.
    fn whole(&mut self, text: &str, reader: &mut Option<PromptReader>) -> Result<Prompt, PipelineError> {
        self.remembered((text.to_owned(), None), reader, |reader| reader.whole(text))
    }

    fn remembered(
        &mut self,
        key: PromptKey,
        reader: &mut Option<PromptReader>,
        read: impl FnOnce(&PromptReader) -> Result<Prompt, PipelineError>,
    ) -> Result<Prompt, PipelineError> {
        let Some(limits) = &self.pack.manifest().prompt else {
            return Ok(Prompt::unread(&key.0));
        };
        if let Some((_, prompt)) = self.prompts.iter().find(|(known, _)| *known == key) {
            return Ok(prompt.clone());
        }
        let reader = match reader {
            Some(reader) => reader,
            none => none.insert(PromptReader::load(&self.pack, limits)?),
        };
        let prompt = read(reader)?;
        self.prompts.truncate(REMEMBERED - 1);
        self.prompts.insert(0, (key, prompt.clone()));
        Ok(prompt)
    }
}

/// The rows that several things of a prompt stand in; nothing if it is drawn as a whole.
fn rows(prompt: &Prompt) -> (usize, Option<&Vec<Vec<usize>>>) {
    (
        prompt.ids.len(),
        prompt.reading.arrangement.as_ref().map(|arrangement| &arrangement.rows),
    )
}

/// Things are drawn one by one: what is mixed must be the same number of things in the same places.
fn check_arrangements(parts: &[Part], read: &[ReadPart]) -> Result<(), PipelineError> {
    let mut pairs = parts.iter().zip(read);
    let Some((first, drawn)) = pairs.next() else { return Ok(()) };
    match pairs.find(|(_, other)| rows(&other.prompt) != rows(&drawn.prompt)) {
        None => Ok(()),
        Some((other, _)) => Err(PipelineError::Arrangement {
            first: first.prompt.clone(),
            other: other.prompt.clone(),
        }),
    }
}
