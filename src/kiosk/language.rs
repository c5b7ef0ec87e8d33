//! Phrases of the interface and names of things, in the languages of the pack. Owns the tables `phrases.toml` and
//! `names.toml`; depends on [`super::settings`] for the list of languages.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

pub use super::settings::Language;

impl Language {
    /// Whether it is written from right to left, so that screens are mirrored for it.
    pub fn is_right_to_left(self) -> bool {
        self == Language::Ar
    }

    /// The language's own name.
    pub fn own_name(self) -> &'static str {
        match self {
            Language::En => "English",
            Language::Zh => "中文",
            Language::Es => "español",
            Language::Fr => "français",
            Language::De => "Deutsch",
            Language::Ja => "日本語",
            Language::Ko => "한국어",
            Language::Pt => "português",
            Language::Ru => "русский",
            Language::Ar => "العربية",
            Language::Hi => "हिन्दी",
            Language::It => "italiano",
        }
    }
}

/// All phrases of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the English table says what each one is")]
pub enum Phrase {
    PressAButton,
    Word,
    Style,
    Draw,
    Menu,
    Cancel,
    Again,
    Vary,
    Keep,
    Kept,
    TakeHome,
    New,
    Large,
    Back,
    Next,
    Change,
    Done,
    Colour,
    Kind,
    Pictures,
    Care,
    Language,
    Gallery,
    Open,
    Any,
    One,
    Four,
    FourStyles,
    Drawing,
    SecondsLeft,
    MinutesLeft,
    ReadySoon,
    Starting,
    Pick,
    Scan,
    ScanLink,
    OwnerPage,
    KeptForGood,
    NotKept,
    PackTrouble,
    DisplayTrouble,
    Pause,
    Slower,
    Failed,
    Refused,
    Unknown,
    UnknownNear,
    NothingKept,
    ByHand,
    Clear,
    PaperHint,
    Morph,
    MorphNeedsTwo,
    TypeOrTurn,
    Type,
}

type Tables<Key> = BTreeMap<Language, BTreeMap<Key, String>>;

static PHRASES: LazyLock<Tables<Phrase>> = LazyLock::new(|| table(include_str!("phrases.toml")));
static NAMES: LazyLock<Tables<String>> = LazyLock::new(|| table(include_str!("names.toml")));

/// Parses an embedded table; a test checks both.
fn table<Key: Ord + for<'a> Deserialize<'a>>(text: &str) -> Tables<Key> {
    toml::from_str(text).unwrap_or_default()
}

fn find<'a, Key: Ord>(tables: &'a Tables<Key>, language: Language, key: &Key) -> Option<&'a str> {
    let english = || tables.get(&Language::En)?.get(key);
    tables
        .get(&language)
        .and_then(|table| table.get(key))
        .or_else(english)
        .map(String::as_str)
}

impl Language {
    /// The text of a phrase; in English if the language lacks it.
    pub fn say(self, phrase: Phrase) -> &'static str {
        find(&PHRASES, self, &phrase).unwrap_or_default()
    }

    /// [`Language::say`] with a number in it.
    pub fn say_number(self, phrase: Phrase, number: u64) -> String {
        self.say(phrase).replace("{}", &number.to_string())
    }

    /// [`Language::say`] with names in it.
    pub fn say_names(self, phrase: Phrase, names: &[String]) -> String {
        self.say(phrase).replace("{}", &names.join(", "))
    }

    /// The name of a colour, category or style; unchanged if no table has it.
    pub fn name(self, thing: &str) -> &str {
        find(&NAMES, self, &thing.to_owned()).unwrap_or(thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_is_complete_and_others_know_nothing_more() {
        let english = &PHRASES[&Language::En];
        assert_eq!(english.len(), Phrase::Type as usize + 1);
        assert!(PHRASES.values().flat_map(BTreeMap::keys).all(|phrase| english.contains_key(phrase)));
        let names = &NAMES[&Language::En];
        assert!(NAMES.values().flat_map(BTreeMap::keys).all(|name| names.contains_key(name)));
    }

    #[test]
    fn no_language_lacks_anything() {
        for language in Language::ALL {
            let phrases = PHRASES[&Language::En].keys().filter(|key| !PHRASES[&language].contains_key(key));
            assert_eq!(phrases.collect::<Vec<_>>(), Vec::<&Phrase>::new(), "{language:?}");
            let names = NAMES[&Language::En].keys().filter(|key| !NAMES[&language].contains_key(*key));
            assert_eq!(names.collect::<Vec<_>>(), Vec::<&String>::new(), "{language:?}");
            assert_ne!(language.say(Phrase::Keep), language.say(Phrase::Kept), "{language:?}");
        }
    }

    #[test]
    fn numbers_and_names_survive_translation() {
        for table in PHRASES.values() {
            for (phrase, text) in table {
                let counts = matches!(phrase, Phrase::SecondsLeft | Phrase::MinutesLeft | Phrase::UnknownNear);
                assert_eq!(text.contains("{}"), counts, "{text}");
            }
        }
        assert_eq!(Language::De.say_number(Phrase::SecondsLeft, 7), "noch 7 s");
    }

    #[test]
    fn what_a_language_lacks_is_english() {
        assert_eq!(Language::Zh.say(Phrase::Draw), "作画");
        assert_eq!(Language::Ar.say(Phrase::Draw), "ارسم");
        assert_eq!(
            find(
                &BTreeMap::from([(Language::En, BTreeMap::from([(1, "one".into())]))]),
                Language::Ar,
                &1
            ),
            Some("one")
        );
        assert_eq!(Language::It.name("oil-painting"), "oil-painting");
    }
}
