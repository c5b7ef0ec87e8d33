//! What words can mean: languages, roles, and the values of those roles. Depends on nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A language that prompts are read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Language(u8);

/// BCP 47 tags, in the order in which languages are tried.
const LANGUAGES: [&str; 12] = ["en", "zh", "es", "fr", "de", "ja", "ko", "pt", "ru", "ar", "hi", "it"];

impl Language {
    /// English.
    pub const ENGLISH: Language = Language(0);
    /// Number of languages.
    pub const COUNT: usize = LANGUAGES.len();

    /// Every language.
    pub fn all() -> impl Iterator<Item = Language> {
        (0..LANGUAGES.len() as u8).map(Language)
    }

    /// The language of a tag such as `de` or `pt-BR`, or of a locale such as `de_CH.UTF-8`; nothing for a language that is not
    /// read.
    pub fn of(tag: &str) -> Option<Language> {
        let tag = tag.split(['-', '_', '.', '@']).next()?;
        let place = LANGUAGES.iter().position(|known| known.eq_ignore_ascii_case(tag))?;
        Some(Language(place as u8))
    }

    /// The BCP 47 tag.
    pub fn tag(self) -> &'static str {
        LANGUAGES[self.index()]
    }

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }

    pub(super) fn from_index(index: usize) -> Option<Language> {
        (index < LANGUAGES.len()).then_some(Language(index as u8))
    }

    fn is(self, tags: &[&str]) -> bool {
        tags.contains(&self.tag())
    }

    /// Whether what a thing is like, or where it is, stands before it together with the word that says so: "teburu no ue no neko".
    pub(super) fn is_postpositional(self) -> bool {
        self.is(&["ja", "ko", "hi"])
    }

    /// Whether the first of two nouns is the thing, and the second says which.
    pub(super) fn is_head_first(self) -> bool {
        self.is(&["es", "fr", "pt", "it", "ar", "ru"])
    }

    /// Whether compounds are written as one word of any length.
    pub(super) fn has_closed_compounds(self) -> bool {
        self.is(&["de"])
    }
}

impl fmt::Display for Language {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.tag())
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(tag: &str) -> Result<Language, String> {
        Language::of(tag).ok_or_else(|| format!("prompts are read in {}", LANGUAGES.join(", ")))
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.tag())
    }
}

/// What a word does in a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// A thing.
    Object,
    /// Its colour.
    Colour,
    /// How many.
    Number,
    /// Its size or shape.
    Size,
    /// Its mood, or what it does.
    Mood,
    /// A place, a season, a time of day.
    Place,
    /// How it is drawn.
    Style,
    /// Where two things are, or what they have to do with each other.
    Relation,
    /// What is not to be drawn.
    Negation,
    /// Asks for nothing: "please", "a picture of", articles, particles, counters.
    Filler,
    /// Not in the lexicon.
    Unknown,
}

impl Role {
    /// The role in lower case, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Role::Object => "object",
            Role::Colour => "colour",
            Role::Number => "number",
            Role::Size => "size",
            Role::Mood => "mood",
            Role::Place => "place",
            Role::Style => "style",
            Role::Relation => "relation",
            Role::Negation => "negation",
            Role::Filler => "filler",
            Role::Unknown => "unknown",
        }
    }
}

/// How a word was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Found {
    /// As it is written.
    Exact,
    /// As a plural, a dual or another form, or by its stem.
    Inflected,
    /// As another word, spelling or script for the same thing.
    Synonym,
    /// As a word that is used of the thing.
    Keyword,
    /// As a compound of which the last part is known, or as words without a space between them.
    Compound,
    /// With typing mistakes.
    Correction,
    /// As the nearest thing that the model has learned.
    Nearest,
    /// Not at all.
    Unknown,
}

impl Found {
    /// How, in lower case, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Found::Exact => "exact",
            Found::Inflected => "inflected",
            Found::Synonym => "synonym",
            Found::Keyword => "keyword",
            Found::Compound => "compound",
            Found::Correction => "correction",
            Found::Nearest => "nearest",
            Found::Unknown => "unknown",
        }
    }
}

/// What a form in the lexicon is, as its tables say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A thing's name, the word that most people type.
    Name,
    Plural,
    /// Two of a thing, in one word.
    Dual,
    /// A synonym, a diminutive, another spelling or script.
    Also,
    /// The name in Unicode's annotations.
    Label,
    /// A keyword in Unicode's annotations.
    Keyword,
    /// A word whose thing has no pictures, and the nearest that has.
    Nearest,
    /// The same, but too far to be drawn: for advice alone. Its value is a list of things.
    Near,
    Colour,
    Number,
    Size,
    Mood,
    Place,
    Style,
    Relation,
    Filler,
    Article,
    Measure,
    Classifier,
    Particle,
}

/// Kinds by their names in tables.
pub(super) const KINDS: [(&str, Kind); 20] = [
    ("name", Kind::Name),
    ("plural", Kind::Plural),
    ("dual", Kind::Dual),
    ("also", Kind::Also),
    ("label", Kind::Label),
    ("keyword", Kind::Keyword),
    ("nearest", Kind::Nearest),
    ("near", Kind::Near),
    ("colour", Kind::Colour),
    ("number", Kind::Number),
    ("size", Kind::Size),
    ("mood", Kind::Mood),
    ("place", Kind::Place),
    ("style", Kind::Style),
    ("relation", Kind::Relation),
    ("filler", Kind::Filler),
    ("article", Kind::Article),
    ("measure", Kind::Measure),
    ("classifier", Kind::Classifier),
    ("particle", Kind::Particle),
];

impl Kind {
    pub fn index(self) -> u32 {
        self as u32
    }

    pub fn from_index(index: u32) -> Option<Kind> {
        Some(KINDS.get(index as usize)?.1)
    }

    pub fn is_object(self) -> bool {
        self <= Kind::Nearest
    }

    /// Whether words of this kind are names and forms of names, not keywords.
    pub fn is_name(self) -> bool {
        self < Kind::Keyword
    }

    /// Whether words of this kind stand beside any thing and are none.
    pub fn is_function(self) -> bool {
        matches!(self, Kind::Number | Kind::Relation | Kind::Filler | Kind::Article | Kind::Particle)
    }

    /// The words that the kind's values have; empty for things and for what has no values.
    pub fn values(self) -> &'static [&'static str] {
        match self {
            Kind::Colour => &COLOURS,
            Kind::Number => &NUMBERS,
            Kind::Size => &SIZES,
            Kind::Mood => &MOODS,
            Kind::Place => &PLACES,
            Kind::Style => &STYLES,
            Kind::Relation => &RELATIONS,
            _ => &[],
        }
    }

    /// How a form of this kind is told to have been found.
    pub fn found(self) -> Found {
        match self {
            Kind::Plural | Kind::Dual => Found::Inflected,
            Kind::Also => Found::Synonym,
            Kind::Keyword => Found::Keyword,
            Kind::Nearest => Found::Nearest,
            _ => Found::Exact,
        }
    }
}

pub(super) const COLOURS: [&str; 16] = [
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
    "black",
    "white",
    "gray",
    "gold",
    "silver",
    "light",
    "dark",
    "colourful",
];
/// Numbers that are words of their own; the last one is none.
pub(super) const NUMBERS: [&str; 13] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "many"];
pub(super) const SIZES: [&str; 6] = ["small", "big", "tall", "long", "fat", "thin"];
pub(super) const MOODS: [&str; 9] = [
    "happy",
    "sad",
    "angry",
    "sleeping",
    "surprised",
    "scared",
    "in_love",
    "crying",
    "laughing",
];
pub(super) const PLACES: [&str; 22] = [
    "night",
    "day",
    "sunset",
    "morning",
    "snow",
    "rain",
    "beach",
    "sea",
    "underwater",
    "forest",
    "desert",
    "meadow",
    "garden",
    "mountain",
    "space",
    "city",
    "street",
    "sky",
    "winter",
    "summer",
    "autumn",
    "spring",
];
pub(super) const STYLES: [&str; 11] = [
    "line",
    "pixel",
    "flat",
    "3d",
    "ink",
    "blob",
    "watercolour",
    "cartoon",
    "sketch",
    "sticker",
    "icon",
];
pub(super) const RELATIONS: [&str; 11] = [
    "and",
    "or",
    "beside",
    "between",
    "on",
    "under",
    "behind",
    "in_front_of",
    "in",
    "with",
    "without",
];

/// What stands between two things. In the order of [`RELATIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    And,
    Or,
    Beside,
    Between,
    On,
    Under,
    Behind,
    InFrontOf,
    In,
    With,
    Without,
}

impl Relation {
    pub fn from_index(index: usize) -> Option<Relation> {
        use Relation::*;
        [And, Or, Beside, Between, On, Under, Behind, InFrontOf, In, With, Without]
            .get(index)
            .copied()
    }

    pub fn name(self) -> &'static str {
        RELATIONS[self as usize]
    }

    /// Whether the two things are told one after the other, of which none is more than the other.
    pub fn is_list(self) -> bool {
        matches!(self, Relation::And | Relation::Or)
    }
}
