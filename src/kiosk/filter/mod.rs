//! The word filter: prompts with blocked words are refused. Owns the list (`words.txt`), how words are matched and the text of
//! the refusal; depends on the settings.
//!
//! Whole words are matched, so that "Essex", "cocktail" and "grape" pass; in Chinese and Japanese, which have no spaces, any
//! occurrence. The list is a matter of taste and never complete: owners add words in a file and allow others.

mod normal;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::settings::{FilterSettings, Language};
use crate::bounded_file;

/// The default list.
const WORDS: &str = include_str!("words.txt");
/// Largest file of additional words, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// An invalid file of additional words.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// It is missing or cannot be read.
    #[error("{}: cannot read the words of [filter]: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is too large to be a list of words.
    #[error("{}: the file is larger than {MAX_FILE} bytes", .0.display())]
    TooLarge(PathBuf),
    /// An entry is invalid.
    #[error("{}:{line}: '{entry}': {problem}", file.display())]
    Entry {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The entry.
        entry: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// A blocked word in a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The matching entry of the list.
    pub entry: String,
    /// The matching words of the prompt, in lower case.
    pub found: String,
}

/// The filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    whole: HashSet<String>,
    beginnings: Vec<String>,
    rows: Vec<Vec<String>>,
    anywhere: Vec<String>,
    harmless: Vec<Vec<String>>,
    harmless_anywhere: Vec<String>,
}

impl Filter {
    /// The default list, with the words of the owner's file and without those that are allowed. A disabled filter passes
    /// everything.
    ///
    /// # Errors
    /// If the owner's file cannot be read or has an invalid entry.
    pub fn new(settings: &FilterSettings) -> Result<Filter, FilterError> {
        let mut filter = Filter::default();
        if !settings.enabled {
            return Ok(filter);
        }
        filter.add_all(WORDS, Path::new("words.txt"))?;
        if let Some(file) = &settings.words {
            filter.add_all(&read(file)?, file)?;
        }
        for word in &settings.allowed {
            filter.allow(word);
        }
        Ok(filter)
    }

    fn add_all(&mut self, text: &str, file: &Path) -> Result<(), FilterError> {
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            self.add(line).map_err(|problem| FilterError::Entry {
                file: file.to_owned(),
                line: index + 1,
                entry: line.to_owned(),
                problem,
            })?;
        }
        Ok(())
    }

    fn add(&mut self, entry: &str) -> Result<(), &'static str> {
        if let Some(words) = entry.strip_prefix('!') {
            self.allow(words);
            return Ok(());
        }
        let folded = normal::fold(entry.trim_end_matches('*'));
        let mut words: Vec<String> = normal::words(&folded);
        if folded.contains('*') {
            return Err("a * is allowed only at the end of an entry");
        }
        if folded.chars().any(normal::is_without_spaces) {
            self.anywhere.push(folded);
        } else if entry.ends_with('*') {
            match &words[..] {
                [word] if word.chars().count() > 1 => self.beginnings.push(word.clone()),
                _ => return Err("a * must follow a single word of at least two letters"),
            }
        } else {
            match words.len() {
                0 => return Err("it has no letters"),
                1 => drop(self.whole.insert(words.remove(0))),
                _ => self.rows.push(words),
            }
        }
        Ok(())
    }

    /// Removes an entry from the list, and allows these words in prompts.
    fn allow(&mut self, text: &str) {
        let folded = normal::fold(text.trim());
        let words = normal::words(&folded);
        self.anywhere.retain(|entry| *entry != folded);
        self.rows.retain(|entry| *entry != words);
        if folded.chars().any(normal::is_without_spaces) {
            self.harmless_anywhere.push(folded);
        } else if !words.is_empty() {
            self.harmless.push(words);
        }
    }

    /// The first blocked word of a prompt. Logs it without the rest of the prompt.
    pub fn check(&self, prompt: &str) -> Option<Hit> {
        let hit = self.find(prompt);
        if let Some(hit) = &hit {
            log::warn!("not drawn: '{}' in a prompt matches '{}' of the word filter", hit.found, hit.entry);
        }
        hit
    }

    fn find(&self, prompt: &str) -> Option<Hit> {
        let mut text = normal::fold(prompt);
        for harmless in &self.harmless_anywhere {
            text = text.replace(harmless.as_str(), " ");
        }
        self.find_anywhere(&text).or_else(|| {
            let words = self.without_harmless(normal::words(&text));
            let readings: Vec<Vec<String>> = words.iter().map(|word| normal::readings(word)).collect();
            self.find_words(&words, &readings).or_else(|| self.find_rows(&words, &readings))
        })
    }

    fn find_anywhere(&self, text: &str) -> Option<Hit> {
        let spaced_out = normal::joined_letters(text, 2);
        let is_there = |entry: &&String| text.contains(*entry) || spaced_out.iter().any(|word| word.contains(*entry));
        let entry = self.anywhere.iter().find(is_there)?;
        Some(Hit {
            entry: entry.clone(),
            found: entry.clone(),
        })
    }

    /// The words without the allowed sequences.
    fn without_harmless(&self, words: Vec<String>) -> Vec<String> {
        let mut left = Vec::with_capacity(words.len());
        let mut at = 0;
        while at < words.len() {
            let bare = |word: &String| word.trim_matches(|letter: char| !letter.is_alphanumeric()).to_owned();
            let here =
                |row: &&Vec<String>| words[at..].len() >= row.len() && row.iter().zip(&words[at..]).all(|(one, other)| *one == bare(other));
            match self.harmless.iter().filter(here).map(Vec::len).max() {
                Some(length) => at += length,
                None => {
                    left.push(words[at].clone());
                    at += 1;
                }
            }
        }
        left
    }

    fn find_words(&self, words: &[String], readings: &[Vec<String>]) -> Option<Hit> {
        words.iter().zip(readings).find_map(|(word, readings)| {
            let whole = readings.iter().find_map(|reading| self.whole.get(reading).cloned());
            let beginning = || {
                self.beginnings
                    .iter()
                    .find(|begin| readings.iter().any(|reading| reading.starts_with(*begin)))
            };
            Some(Hit {
                entry: whole.or_else(|| beginning().map(|begin| format!("{begin}*")))?,
                found: word.clone(),
            })
        })
    }

    fn find_rows(&self, words: &[String], readings: &[Vec<String>]) -> Option<Hit> {
        self.rows.iter().find_map(|row| {
            // The last word may stand in the plural.
            let last = row.len() - 1;
            let is_there = |index: usize, word: &String, readings: &Vec<String>| {
                readings.contains(word) || (index == last && readings.iter().any(|reading| reading.strip_suffix('s') == Some(word)))
            };
            let matches = |at: &usize| {
                let mut pairs = row.iter().zip(&readings[*at..]).enumerate();
                pairs.all(|(index, (word, readings))| is_there(index, word, readings))
            };
            let at = (0..(readings.len() + 1).saturating_sub(row.len())).find(matches)?;
            Some(Hit {
                entry: row.join(" "),
                found: words[at..at + row.len()].join(" "),
            })
        })
    }
}

fn read(file: &Path) -> Result<String, FilterError> {
    let fail = |source| FilterError::Read {
        file: file.to_owned(),
        source,
    };
    bounded_file::read_text(file, MAX_FILE).map_err(|error| match error.kind() {
        std::io::ErrorKind::FileTooLarge => FilterError::TooLarge(file.to_owned()),
        _ => fail(error),
    })
}

/// The friendly text that visitors see instead of a picture, without the blocked word.
pub fn refusal(language: Language) -> &'static str {
    match language {
        Language::En => "I would rather draw something else. What shall it be?",
        Language::Zh => "我想画点别的。换一个吧？",
        Language::Es => "Prefiero dibujar otra cosa. ¿Qué te apetece?",
        Language::Fr => "Je préfère dessiner autre chose. Une autre idée ?",
        Language::De => "Ich zeichne lieber etwas anderes. Was soll es sein?",
        Language::Ja => "ほかのものを描きたいです。何にしましょうか？",
        Language::Ko => "다른 것을 그리고 싶어요. 무엇을 그릴까요?",
        Language::Pt => "Prefiro desenhar outra coisa. O que vai ser?",
        Language::Ru => "Я лучше нарисую что-нибудь другое. Что именно?",
        Language::Ar => "أفضّل أن أرسم شيئًا آخر. ماذا تختار؟",
        Language::Hi => "मैं कुछ और बनाना चाहूँगा। क्या बनाएँ?",
        Language::It => "Preferisco disegnare altro. Che cosa vuoi?",
    }
}

#[cfg(test)]
mod tests;
