//! Which style a request asks for. Depends on the manifest's styles alone.

use super::PipelineError;
use crate::pack::Style;

/// A style, and the prompt without the words that named it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chosen<'a> {
    /// The style; `None` if the pack has none.
    pub style: Option<&'a Style>,
    /// The prompt without the words that named the style.
    pub prompt: String,
    /// Whether the user asked for the style, and it is not just the pack's default.
    pub asked: bool,
}

impl<'a> Chosen<'a> {
    /// With the style that the prompt's words ask for, unless another one was asked for by name or by the manifest's words.
    pub fn or_asked(self, styles: &'a [Style], asked: Option<&str>) -> Chosen<'a> {
        let asked = asked
            .filter(|_| !self.asked)
            .and_then(|name| styles.iter().find(|style| style.name == name));
        match asked {
            Some(style) => Chosen {
                style: Some(style),
                asked: true,
                ..self
            },
            None => self,
        }
    }

    /// The style to draw in: the chosen one or, if the user did not ask for it, the one named `learned` that the model has
    /// learned the object in.
    pub fn or_learned(&self, styles: &'a [Style], learned: Option<&str>) -> Option<&'a Style> {
        let learned = learned.filter(|_| !self.asked);
        let learned = learned.and_then(|name| styles.iter().find(|style| style.name == name));
        learned.or(self.style)
    }
}

/// The style of a request, and the prompt without the words that named it.
///
/// The style `asked` for by name wins. Otherwise phrases of several words (`pixel art`) count anywhere in the prompt, single
/// words (`3d`) only alone between commas, so that `3d glasses` stay glasses. Otherwise it is the pack's default, or `None` if
/// the pack has no styles.
///
/// # Errors
/// If the pack has no style of that name.
pub(super) fn choose<'a>(styles: &'a [Style], asked: Option<&str>, prompt: &str) -> Result<Chosen<'a>, PipelineError> {
    let chosen = |style, prompt: String, asked| Chosen { style, prompt, asked };
    if let Some(name) = asked {
        let style = styles.iter().find(|style| style.name.eq_ignore_ascii_case(name.trim()));
        let unknown = || PipelineError::UnknownStyle {
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

/// The prompt without a phrase and without the commas and the "in" before it; `None` if it does not contain the phrase. A
/// prompt that is nothing but the phrase stays.
fn without_phrase(prompt: &str, phrase: &str) -> Option<String> {
    let lower = prompt.to_lowercase();
    // Lower case can change lengths in a few scripts; offsets in `lower` would then not be offsets in `prompt`.
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
            resampling: crate::picture::Resampling::Smooth,
            default,
        };
        vec![
            style("3d", 1, &["3d style", "3d"], true),
            style("pixel", 9, &["pixel art", "pixel"], false),
        ]
    }

    #[test]
    fn words_chooses() {
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
            let chosen = choose(&styles, None, prompt).unwrap();
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
        let chosen = choose(&styles, Some("PIXEL"), "cat, 3d").unwrap();
        assert_eq!((chosen.style.unwrap().name.as_str(), chosen.asked), ("pixel", true));
        let error = choose(&styles, Some("oil"), "cat").unwrap_err();
        assert_eq!(error.to_string(), "unknown style 'oil'; this pack has 3d, pixel");
        let chosen = choose(&[], None, "cat").unwrap();
        assert_eq!((chosen.style, chosen.asked), (None, false));
    }

    #[test]
    fn a_learned_style_takes_the_place_of_the_default_alone() {
        let styles = styles();
        for (learned, asked, style) in [
            (Some("pixel"), None, "pixel"),
            (Some("pixel"), Some("3d"), "3d"),
            (Some("oil"), None, "3d"),
            (None, None, "3d"),
        ] {
            let chosen = choose(&styles, asked, "hydra").unwrap();
            assert_eq!(chosen.or_learned(&styles, learned).unwrap().name, style, "{learned:?} {asked:?}");
        }
    }
}
