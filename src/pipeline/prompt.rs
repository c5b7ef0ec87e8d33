//! Prompts as the text encoder takes them: limits, the lexicon, and token ids. Depends on [`crate::words`] and on the
//! tokenizers library.

use std::ops::Range;
use std::path::PathBuf;

use tokenizers::Tokenizer;
use tokenizers::models::ModelWrapper;
use tokenizers::utils::truncation::TruncationParams;

use super::PipelineError;
use crate::bounded_file;
use crate::pack::{self, Pack, PackError};
use crate::words::{Ambiguity, Language, Reader, Reading};

/// Largest tokenizer that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// A prompt that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prompt {
    /// Token ids: one row of `max_tokens` for each object that is drawn by itself.
    pub ids: Vec<Vec<i64>>,
    /// How many of each row are the text's; padding follows.
    pub token_counts: Vec<usize>,
    /// The bytes of the text that each token of each row stands for; nothing for special tokens.
    pub places: Vec<Vec<Range<usize>>>,
    /// What was understood.
    pub reading: Reading,
    /// Tokens that the text encoder takes, if the prompt has more.
    pub truncated: Option<usize>,
    /// Names of things to ask for instead, if nothing of the prompt can be drawn.
    pub suggested: Vec<String>,
    /// A word that names several things.
    pub ambiguity: Option<Ambiguity>,
    /// Whether it is drawn although nothing of it is known.
    pub is_guess: bool,
}

impl Prompt {
    /// A prompt for a model that reads none.
    pub fn unread(text: &str) -> Prompt {
        Prompt::of(Reading::whole(text))
    }

    /// A reading without token ids.
    pub fn of(reading: Reading) -> Prompt {
        Prompt {
            ids: vec![Vec::new()],
            token_counts: vec![0],
            places: vec![Vec::new()],
            reading,
            truncated: None,
            suggested: Vec::new(),
            ambiguity: None,
            is_guess: false,
        }
    }
}

/// A pack's tokenizer, lexicon and limits. Holds more memory than a denoising step: it should be dropped before the stages
/// are loaded.
pub(super) struct PromptReader {
    tokenizer: Tokenizer,
    words: Option<Reader>,
    file: PathBuf,
    limits: pack::Prompt,
}

impl PromptReader {
    /// Loads the tokenizer and the lexicon.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn load(pack: &Pack, limits: &pack::Prompt) -> Result<PromptReader, PipelineError> {
        let file = pack.folder().join(&limits.tokenizer);
        let failed = |error: tokenizers::Error| PipelineError::Tokenizer {
            file: file.clone(),
            problem: error.to_string(),
        };
        let bytes = bounded_file::read(&file, LARGEST).map_err(|error| PackError::io(&file, error))?;
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(failed)?;
        // The library truncates before it adds special tokens, so that an end token stays.
        let truncation = TruncationParams {
            max_length: limits.max_tokens,
            ..TruncationParams::default()
        };
        tokenizer.with_truncation(Some(truncation)).map_err(failed)?;
        // Prompts are padded by the manifest, and the same prompt has the same tokens every time.
        tokenizer.with_padding(None);
        if let ModelWrapper::BPE(model) = tokenizer.get_model()
            && model.dropout.is_some()
        {
            let mut model = model.clone();
            model.dropout = None;
            tokenizer.with_model(model);
        }
        let words = limits.lexicon.as_ref().map(|name| Reader::open(&pack.folder().join(name)));
        Ok(PromptReader {
            tokenizer,
            words: words.transpose()?,
            file,
            limits: limits.clone(),
        })
    }

    /// Reads what a person wrote.
    ///
    /// # Errors
    /// If the text has no words or more characters than the pack reads, or the tokenizer fails.
    pub fn read(&self, text: &str, language: Option<Language>) -> Result<Prompt, PipelineError> {
        check_length(text, &self.limits)?;
        if text.chars().all(|character| character.is_whitespace() || character.is_control()) {
            return Err(PipelineError::EmptyPrompt);
        }
        let Some(words) = &self.words else {
            return self.tokens(Reading::whole(text));
        };
        let reading = words.read(text, language)?;
        if reading.text != text {
            log::info!("the prompt is read as \"{}\"", reading.text);
        }
        let suggested = if reading.is_known() {
            Vec::new()
        } else {
            words.suggestions(&reading, language)
        };
        Ok(Prompt {
            suggested,
            ambiguity: words.ambiguity(text, &reading, language)?,
            ..self.tokens(reading)?
        })
    }

    /// A text as the text encoder takes it, without reading it.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn whole(&self, text: &str) -> Result<Prompt, PipelineError> {
        self.tokens(Reading::whole(text))
    }

    fn tokens(&self, reading: Reading) -> Result<Prompt, PipelineError> {
        let objects = match &reading.arrangement {
            Some(arrangement) => arrangement.objects.as_slice(),
            None => std::slice::from_ref(&reading.text),
        };
        let encoded = objects.iter().map(|text| self.encode(text)).collect::<Result<Vec<_>, _>>()?;
        let is_truncated = encoded.iter().any(|encoded| encoded.is_truncated);
        Ok(Prompt {
            token_counts: encoded.iter().map(|encoded| encoded.count).collect(),
            places: encoded.iter().map(|encoded| encoded.places.clone()).collect(),
            ids: encoded.into_iter().map(|encoded| encoded.ids).collect(),
            truncated: is_truncated.then_some(self.limits.max_tokens),
            suggested: Vec::new(),
            ambiguity: None,
            is_guess: false,
            reading,
        })
    }

    fn encode(&self, text: &str) -> Result<Encoded, PipelineError> {
        let encoding = self.tokenizer.encode(text, true).map_err(|error| PipelineError::Tokenizer {
            file: self.file.clone(),
            problem: error.to_string(),
        })?;
        let mut ids: Vec<i64> = encoding.get_ids().iter().map(|&id| i64::from(id)).collect();
        let count = ids.len().min(self.limits.max_tokens);
        ids.resize(self.limits.max_tokens, i64::from(self.limits.padding));
        let mut places: Vec<_> = encoding.get_offsets().iter().map(|&(start, end)| start..end).collect();
        places.truncate(count);
        Ok(Encoded {
            ids,
            count,
            places,
            is_truncated: !encoding.get_overflowing().is_empty(),
        })
    }
}

/// A text as tokens.
struct Encoded {
    /// Padded to the pack's number.
    ids: Vec<i64>,
    /// How many are the text's.
    count: usize,
    /// The bytes of the text that each of them stands for.
    places: Vec<Range<usize>>,
    /// Whether tokens were cut off.
    is_truncated: bool,
}

/// Checks that a prompt is not longer than the pack reads.
///
/// # Errors
/// If it is.
pub(super) fn check_length(text: &str, limits: &pack::Prompt) -> Result<(), PipelineError> {
    let (characters, max) = (text.chars().count(), limits.max_characters);
    if characters > max {
        return Err(PipelineError::LongPrompt { characters, max });
    }
    Ok(())
}
