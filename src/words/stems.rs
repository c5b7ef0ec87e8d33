//! Stems of words, by the Snowball algorithms (Porter 2001). Depends on the letters of prompts.

use rust_stemmers::{Algorithm, Stemmer};

use super::normalise::{Gap, Letter};
use super::vocabulary::Language;

/// Words that are shorter have no stem: of what is left nothing could be told.
const SHORTEST: usize = 4;
/// Most letters that an ending may have: where more is cut off, little tells what the word was.
pub(super) const LONGEST_ENDING: usize = 4;

/// The stemmers of all languages that have one.
pub(super) struct Stems {
    stemmers: [Option<Stemmer>; Language::COUNT],
}

impl Default for Stems {
    fn default() -> Stems {
        let mut languages = Language::all();
        Stems {
            stemmers: std::array::from_fn(|_| languages.next().and_then(algorithm).map(Stemmer::create)),
        }
    }
}

fn algorithm(language: Language) -> Option<Algorithm> {
    Some(match language.tag() {
        "ar" => Algorithm::Arabic,
        "de" => Algorithm::German,
        "en" => Algorithm::English,
        "es" => Algorithm::Spanish,
        "fr" => Algorithm::French,
        "it" => Algorithm::Italian,
        "pt" => Algorithm::Portuguese,
        "ru" => Algorithm::Russian,
        _ => return None,
    })
}

/// The stems of words, one after the other without spaces; nothing where the language has no stemmer, or a single word is too
/// short. Words are folded before they are stemmed, in the lexicon as in prompts.
pub(super) fn stem_of(stems: &Stems, language: Language, letters: &[Letter]) -> Option<String> {
    let stemmer = stems.stemmers[language.index()].as_ref()?;
    if letters.len() < SHORTEST {
        return None;
    }
    let mut stem = String::new();
    for word in letters.chunk_by(|_, next| next.gap == Gap::Within) {
        let word: String = word.iter().map(|letter| letter.value).collect();
        stem.push_str(&stemmer.stem(&word));
    }
    Some(stem)
}
