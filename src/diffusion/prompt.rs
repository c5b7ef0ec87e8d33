//! Prompts: what is accepted, which style the words ask for, and the tokens of the text encoder.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokenizers::Tokenizer;

use super::DiffusionError;
use super::wording::{Reading, Wording};
use crate::pack::{self, Pack, Style};

/// A prompt as the text encoder takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    ids: Vec<i64>,
    /// Those of things that are drawn by themselves.
    things: Vec<Vec<i64>>,
    reading: Reading,
}

impl Prompt {
    /// Token ids of the whole prompt, as many as the pack's text encoder takes.
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// Token ids of what is drawn by itself: of the whole prompt, or of each of the things that [`Prompt::rows`] puts together.
    pub fn things(&self) -> &[Vec<i64>] {
        if self.things.is_empty() {
            std::slice::from_ref(&self.ids)
        } else {
            &self.things
        }
    }

    /// The rows in which things stand, from above, each with its things' numbers; none where the prompt is drawn as a whole.
    pub fn rows(&self) -> &[Vec<usize>] {
        self.reading.arrangement.as_ref().map_or(&[], |arrangement| &arrangement.rows)
    }

    /// What each of several things was read as; nothing where the prompt is drawn as a whole.
    pub fn names_of_things(&self) -> &[String] {
        self.reading.arrangement.as_ref().map_or(&[], |arrangement| &arrangement.things)
    }

    /// What was read: the prompt, or what is left of it where the pack lists the words that it has learned.
    pub fn text(&self) -> &str {
        &self.reading.text
    }

    /// Words of the prompt that are drawn as others, the nearest that the pack has learned, and those.
    pub fn nearest(&self) -> &BTreeMap<String, String> {
        &self.reading.nearest
    }

    /// Parts of the prompt that the pack has not learned and that are not drawn.
    pub fn unread(&self) -> &[String] {
        &self.reading.unread
    }

    /// The style to draw in: the chosen one, or where nobody asked for it that in which the pack has learned what it has not learned
    /// in its default style; the log tells of that.
    pub fn style<'a>(&self, styles: &'a [Style], chosen: &Chosen<'a>) -> Option<&'a Style> {
        let learned = self.reading.style.as_ref().filter(|_| !chosen.asked);
        let learned = learned.and_then(|name| styles.iter().find(|style| style.name == *name));
        if let Some(style) = learned {
            log::warn!(
                "this is drawn in the style '{}', the one in which this pack has learned it",
                style.name
            );
        }
        learned.or(chosen.style)
    }
}

/// A style and a prompt, from what somebody wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen<'a> {
    /// The style; none where the pack has none.
    pub style: Option<&'a Style>,
    /// The prompt without the words that named the style.
    pub prompt: String,
    /// Whether somebody asked for the style, and it is not only the pack's default.
    pub asked: bool,
}

/// A pack's tokenizer and limits. It holds more memory than a whole step of denoising: read the prompts first, and
/// drop it before the stages are loaded.
pub struct PromptReader {
    tokenizer: Tokenizer,
    wording: Option<Wording>,
    file: PathBuf,
    limits: pack::Prompt,
}

impl PromptReader {
    /// Reads the pack's tokenizer and its list of words.
    ///
    /// # Errors
    /// If the pack makes no pictures from text, or its tokenizer or its list cannot be read.
    pub fn load(pack: &Pack) -> Result<PromptReader, DiffusionError> {
        let limits = pack.text_to_picture()?.prompt.clone();
        let file = pack.folder().join(&limits.tokenizer);
        let tokenizer = Tokenizer::from_file(&file).map_err(|error| DiffusionError::Tokenizer {
            file: file.clone(),
            problem: error.to_string(),
        })?;
        let wording = limits.words.as_ref().map(|name| Wording::load(&pack.folder().join(name)));
        let wording = wording.transpose()?;
        Ok(PromptReader {
            tokenizer,
            wording,
            file,
            limits,
        })
    }

    /// The tokens of what somebody asks for.
    ///
    /// # Errors
    /// If the text has no words or more characters than the pack reads, or the tokenizer fails.
    pub fn read(&self, text: &str) -> Result<Prompt, DiffusionError> {
        let characters = text.chars().count();
        if characters > self.limits.max_characters {
            return Err(DiffusionError::LongPrompt {
                characters,
                most: self.limits.max_characters,
            });
        }
        if text.chars().all(|character| character.is_whitespace() || character.is_control()) {
            return Err(DiffusionError::EmptyPrompt);
        }
        let reading = match &self.wording {
            Some(wording) => wording.read(text),
            None => Reading::whole(text),
        };
        if reading.text != text {
            log::info!("the prompt is read as \"{}\"", reading.text);
        }
        if let Some(arrangement) = &reading.arrangement {
            log::info!("drawn one by one: \"{}\"", arrangement.things.join("\", \""));
        }
        for (word, nearest) in &reading.nearest {
            log::warn!("\"{word}\" is drawn as \"{nearest}\", the nearest that this pack has learned");
        }
        for part in &reading.unread {
            log::warn!("\"{part}\" is left out: this pack has not learned to draw it together with the rest");
        }
        self.tokens(reading)
    }

    /// The empty prompt, from which guidance moves away where nothing else is said.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn nothing(&self) -> Result<Prompt, DiffusionError> {
        self.tokens(Reading::whole(""))
    }

    fn tokens(&self, reading: Reading) -> Result<Prompt, DiffusionError> {
        let things = reading.arrangement.iter().flat_map(|arrangement| &arrangement.things);
        Ok(Prompt {
            ids: self.encode(&reading.text)?,
            things: things.map(|thing| self.encode(thing)).collect::<Result<_, _>>()?,
            reading,
        })
    }

    /// Token ids of a text, cut or filled up to the pack's number.
    fn encode(&self, text: &str) -> Result<Vec<i64>, DiffusionError> {
        let encoding = self.tokenizer.encode(text, true).map_err(|error| DiffusionError::Tokenizer {
            file: self.file.clone(),
            problem: error.to_string(),
        })?;
        let mut ids: Vec<i64> = encoding.get_ids().iter().map(|&id| i64::from(id)).collect();
        if ids.len() > self.limits.max_tokens {
            log::warn!(
                "the prompt has {} tokens; the pack reads the first {}",
                ids.len(),
                self.limits.max_tokens
            );
        }
        ids.resize(self.limits.max_tokens, i64::from(self.limits.padding));
        Ok(ids)
    }
}

/// The style of a request, and the prompt without the words that named it.
///
/// An `asked` style wins. Otherwise phrases of several words (`pixel art`) count anywhere in the prompt, single
/// words (`3d`) only where they stand alone between commas, so that `3d glasses` stay glasses. Failing that it
/// is the pack's default, or none where the pack has no styles.
///
/// # Errors
/// If the pack has no style of the asked name.
pub fn choose_style<'a>(styles: &'a [Style], asked: Option<&str>, prompt: &str) -> Result<Chosen<'a>, DiffusionError> {
    let chosen = |style, prompt: String, asked| Chosen { style, prompt, asked };
    if let Some(name) = asked {
        let style = styles.iter().find(|style| style.name.eq_ignore_ascii_case(name.trim()));
        let unknown = || DiffusionError::UnknownStyle {
            name: name.into(),
            known: styles.iter().map(|style| style.name.clone()).collect(),
        };
        return Ok(chosen(Some(style.ok_or_else(unknown)?), prompt.to_owned(), true));
    }
    let mut phrases: Vec<(&Style, &str)> = styles
        .iter()
        .flat_map(|style| style.words.iter().map(move |word| (style, word.as_str())))
        .collect();
    phrases.sort_by_key(|(_, phrase)| std::cmp::Reverse(phrase.len()));
    for (style, phrase) in phrases {
        if let Some(rest) = without_phrase(prompt, phrase) {
            return Ok(chosen(Some(style), rest, true));
        }
    }
    Ok(chosen(styles.iter().find(|style| style.default), prompt.to_owned(), false))
}

/// The prompt without a phrase and without the commas and the "in" that led to it; nothing where the phrase is
/// not there. A prompt that is nothing but the phrase stays.
fn without_phrase(prompt: &str, phrase: &str) -> Option<String> {
    let lower = prompt.to_lowercase();
    // Lower case can change lengths in a few scripts; places in `lower` would then not be places in `prompt`.
    if lower.len() != prompt.len() {
        return None;
    }
    let phrase = phrase.to_lowercase();
    let place = lower
        .match_indices(&phrase)
        .map(|(place, _)| place)
        .find(|&place| stands_alone(&lower, place, &phrase))?;
    let before = prompt[..place].trim_end_matches(|c: char| c == ',' || c.is_whitespace());
    let before = before.strip_suffix(" in").or(before.strip_suffix(" as")).unwrap_or(before);
    let after = prompt[place + phrase.len()..].trim_start_matches(|c: char| c == ',' || c.is_whitespace());
    let rest = match (before.trim(), after.trim()) {
        ("", "") => return Some(prompt.to_owned()),
        ("", text) | (text, "") => text.to_owned(),
        (before, after) => format!("{before}, {after}"),
    };
    Some(rest)
}

fn stands_alone(text: &str, place: usize, phrase: &str) -> bool {
    let (before, after) = (&text[..place], &text[place + phrase.len()..]);
    if phrase.contains(' ') {
        return !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric);
    }
    let (before, after) = (before.trim_end(), after.trim_start());
    (before.is_empty() || before.ends_with(',')) && (after.is_empty() || after.starts_with(','))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn styles() -> Vec<Style> {
        let style = |name: &str, id, words: &[&str], default| Style {
            name: name.into(),
            id,
            words: words.iter().map(|word| (*word).into()).collect(),
            default,
        };
        vec![
            style("3d", 1, &["3d style", "3d"], true),
            style("pixel", 9, &["pixel art", "pixel"], false),
        ]
    }

    #[test]
    fn words_choose_styles() {
        let styles = styles();
        for (prompt, style, rest) in [
            ("a smiling cat, 3d style", "3d", "a smiling cat"),
            ("a smiling cat", "3d", "a smiling cat"),
            ("pixel art dragon", "pixel", "dragon"),
            ("a dragon in pixel art", "pixel", "a dragon"),
            ("Pixel, a red dragon", "pixel", "a red dragon"),
            ("cat, pixel art, with a hat", "pixel", "cat, with a hat"),
            ("pixel glasses", "3d", "pixel glasses"),
            ("pixel arts", "3d", "pixel arts"),
            ("pixel art", "pixel", "pixel art"),
            ("İstanbul, pixel art", "3d", "İstanbul, pixel art"),
            ("红苹果, pixel", "pixel", "红苹果"),
        ] {
            let chosen = choose_style(&styles, None, prompt).unwrap();
            assert_eq!(
                (chosen.style.unwrap().name.as_str(), chosen.prompt.as_str()),
                (style, rest),
                "{prompt}"
            );
            assert_eq!(chosen.asked, style == "pixel" || rest != prompt, "{prompt}");
        }
    }

    #[test]
    fn an_asked_style_wins_and_must_be_known() {
        let styles = styles();
        let chosen = choose_style(&styles, Some("PIXEL"), "cat, 3d").unwrap();
        assert_eq!((chosen.style.unwrap().name.as_str(), chosen.asked), ("pixel", true));
        let error = choose_style(&styles, Some("oil"), "cat").unwrap_err();
        assert_eq!(error.to_string(), "there is no style 'oil'; this pack draws 3d, pixel");
        let chosen = choose_style(&[], None, "cat").unwrap();
        assert_eq!((chosen.style, chosen.asked), (None, false));
    }

    #[test]
    fn a_learned_style_takes_the_place_of_the_default_alone() {
        let styles = styles();
        let prompt = |style: Option<&str>| Prompt {
            ids: vec![],
            things: vec![],
            reading: Reading {
                style: style.map(str::to_owned),
                ..Reading::whole("hydra")
            },
        };
        for (learned, asked, style) in [
            (Some("pixel"), None, "pixel"),
            (Some("pixel"), Some("3d"), "3d"),
            (Some("oil"), None, "3d"),
            (None, None, "3d"),
        ] {
            let chosen = choose_style(&styles, asked, "hydra").unwrap();
            assert_eq!(
                prompt(learned).style(&styles, &chosen).unwrap().name,
                style,
                "{learned:?} {asked:?}"
            );
        }
    }
}
