//! What a visitor has selected: word, style, colour, number and steps, and how each is advanced.

use super::job::Item;
use crate::kiosk::subjects::Subjects;
use crate::pipeline::Variation;
use crate::words::{Ambiguity, Meaning};

/// How many pictures at once, and what differs between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtOnce {
    /// One.
    #[default]
    One,
    /// Four with different seeds.
    Four,
    /// Four with different styles and the same seed.
    FourStyles,
}

impl AtOnce {
    /// All, in the order of the menu.
    pub const ALL: [AtOnce; 3] = [AtOnce::One, AtOnce::Four, AtOnce::FourStyles];
}

/// What a pack offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackChoices {
    /// Names of the styles to choose from; empty if the pack has none.
    pub styles: Vec<String>,
    /// Index of the default style.
    pub style: usize,
    /// Whether the prompt may choose another style than the default: not if the settings choose or restrict styles.
    pub style_is_open: bool,
    /// Names of all styles of the pack, offered or not, whose pictures are scaled by [`crate::picture::Resampling::Nearest`].
    pub nearest: Vec<String>,
    /// Possible numbers of steps, ascending; at least one.
    pub steps: Vec<usize>,
    /// Index of the default number.
    pub step: usize,
    /// Whether it can start from a picture.
    pub takes_pictures: bool,
}

/// What is typed, instead of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The text.
    pub text: String,
    /// Whether the visitor is to be asked what an ambiguous word of it means.
    pub asks: bool,
    /// What an ambiguous word of it may mean, and which of that is selected.
    pub question: Option<(Ambiguity, usize)>,
}

impl Typed {
    /// A text that nothing was asked about.
    pub fn new(text: impl Into<String>) -> Typed {
        Typed {
            text: text.into(),
            asks: true,
            question: None,
        }
    }

    /// The prompt: the text, or what the visitor said that it means.
    fn prompt(&self) -> &str {
        self.meaning().map_or(&self.text, |meaning| &meaning.prompt)
    }

    fn meaning(&self) -> Option<&Meaning> {
        let (ambiguity, at) = self.question.as_ref()?;
        ambiguity.meanings.get(*at)
    }
}

/// The selection. Indices are always within their lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Index of the subject.
    pub subject: usize,
    /// Index of the category; `None` for all.
    pub category: Option<usize>,
    /// Typed text, which replaces the subject.
    pub typed: Option<Typed>,
    /// Index of the style.
    pub style: usize,
    /// Index of the colour; `None` for any.
    pub colour: Option<usize>,
    /// How many pictures at once.
    pub at_once: AtOnce,
    /// Index of the number of steps.
    pub step: usize,
    /// Seed of the picture.
    pub seed: u64,
}

/// The index `at` moved by `by` in a list of this length, wrapping around.
pub fn around(at: usize, by: i32, length: usize) -> usize {
    let length = i64::try_from(length).unwrap_or(i64::MAX).max(1);
    let moved = i64::try_from(at).unwrap_or(0) + i64::from(by);
    usize::try_from(moved.rem_euclid(length)).unwrap_or(0)
}

/// As [`around`], with `None` as one more choice.
pub fn around_or_none(at: Option<usize>, by: i32, length: usize) -> Option<usize> {
    around(at.map_or(0, |at| at + 1), by, length + 1).checked_sub(1)
}

impl Selection {
    /// Moves by `by` subjects within the category, or by as many meanings of an ambiguous text. Any other typed text is discarded
    /// instead.
    pub fn turn_subject(&mut self, by: i32, subjects: &Subjects) {
        if let Some((ambiguity, at)) = self.typed.as_mut().and_then(|typed| typed.question.as_mut()) {
            *at = around(*at, by, ambiguity.meanings.len());
            return;
        }
        let places = self.places(subjects);
        let at = places.iter().position(|place| *place == self.subject).unwrap_or(0);
        let by = if self.typed.take().is_some() { 0 } else { by };
        self.subject = places[around(at, by, places.len())];
    }

    /// Moves by `by` categories, and selects the first word there.
    pub fn turn_category(&mut self, by: i32, subjects: &Subjects) {
        self.category = around_or_none(self.category, by, subjects.categories().len());
        self.subject = self.places(subjects)[0];
        self.typed = None;
    }

    /// Indices of the subjects on the wheel; never empty.
    pub fn places(&self, subjects: &Subjects) -> Vec<usize> {
        let category = self.category.and_then(|category| subjects.categories().get(category).copied());
        let places = subjects.of(category);
        if places.is_empty() { vec![0] } else { places }
    }

    /// The prompt.
    pub fn prompt(&self, subjects: &Subjects, colours: &[String]) -> String {
        let words = self
            .typed
            .as_ref()
            .map_or_else(|| subjects.get(self.subject).prompt(), Typed::prompt)
            .trim();
        match self.colour.and_then(|colour| colours.get(colour)) {
            Some(colour) if !words.is_empty() => format!("{colour} {words}"),
            _ => words.to_owned(),
        }
    }

    /// The item of this selection. Typed text may ask for a style itself, as long as the visitor has not chosen one.
    pub fn item(&self, subjects: &Subjects, colours: &[String], choices: &PackChoices) -> Item {
        let is_open = choices.style_is_open && self.typed.is_some() && self.style == choices.style;
        Item {
            prompt: self.prompt(subjects, colours),
            style: choices.styles.get(self.style).filter(|_| !is_open).cloned(),
            steps: choices.steps.get(self.step).copied().unwrap_or(1),
            seed: self.seed,
            variations: Vec::new(),
            sketch: None,
        }
    }
}

/// Four variations of an item, by seed or style.
pub fn four(item: &Item, at_once: AtOnce, styles: &[String]) -> Vec<Item> {
    let start = item
        .style
        .as_ref()
        .and_then(|style| styles.iter().position(|other| other == style))
        .unwrap_or(0);
    let other = |index: usize| match at_once {
        AtOnce::FourStyles if styles.len() > 1 => Item {
            style: Some(styles[(start + index) % styles.len()].clone()),
            ..item.clone()
        },
        _ => Item {
            seed: item.seed.wrapping_add(index as u64),
            ..item.clone()
        },
    };
    (0..4).map(other).collect()
}

/// Most variations of variations that a picture remembers. Beyond them the last one is replaced.
const REMEMBERED: usize = 8;

/// Four pictures like that of an item, by the noise of seeds from a first one on.
pub fn four_alike(item: &Item, first: u64) -> Vec<Item> {
    let known = &item.variations[..item.variations.len().min(REMEMBERED - 1)];
    let alike = |index: u64| {
        let mut variations = known.to_vec();
        variations.push(Variation::new(first.wrapping_add(index), Variation::STRENGTH));
        Item {
            variations,
            ..item.clone()
        }
    };
    (0..4).map(alike).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_turned_around_in_both_directions() {
        assert_eq!((around(0, -1, 3), around(2, 1, 3), around(1, 7, 3), around(0, 5, 0)), (2, 0, 2, 0));
        assert_eq!(around_or_none(None, 1, 2), Some(0));
        assert_eq!(around_or_none(Some(1), 1, 2), None);
        assert_eq!(around_or_none(None, -1, 2), Some(1));
    }

    #[test]
    fn words_turn_within_their_category() {
        let subjects = Subjects::shipped().unwrap();
        let mut selection = Selection::default();
        selection.turn_category(-1, &subjects);
        assert_eq!(subjects.get(selection.subject).category, "places");
        selection.turn_subject(-1, &subjects);
        assert_eq!(subjects.get(selection.subject).prompt(), "circus tent");
        selection.turn_subject(1, &subjects);
        assert_eq!(subjects.get(selection.subject).prompt(), "house");
        selection.typed = Some(Typed::new("blue whale"));
        selection.turn_subject(1, &subjects);
        assert_eq!((subjects.get(selection.subject).prompt(), selection.typed), ("house", None));
    }

    #[test]
    fn four_differ_in_seed_or_style() {
        let styles = ["3d", "flat", "ink"].map(String::from);
        let item = Item {
            prompt: "fox".into(),
            style: Some("flat".into()),
            steps: 4,
            seed: u64::MAX,
            variations: Vec::new(),
            sketch: None,
        };
        let seeds: Vec<u64> = four(&item, AtOnce::Four, &styles).iter().map(|item| item.seed).collect();
        assert_eq!(seeds, [u64::MAX, 0, 1, 2]);
        let alike = four_alike(&item, 8);
        assert!(alike.iter().all(|other| other.seed == item.seed));
        assert_eq!(alike[3].variations, [Variation::new(11, Variation::STRENGTH)]);
        let again = four_alike(&alike[3], 12);
        assert_eq!(
            again[0].variations.iter().map(|variation| variation.seed).collect::<Vec<_>>(),
            [11, 12]
        );
        let many = (0..20).fold(item.clone(), |item, seed| four_alike(&item, seed)[0].clone());
        assert_eq!(many.variations.len(), REMEMBERED);
        let four = four(&item, AtOnce::FourStyles, &styles);
        let styles: Vec<&str> = four.iter().filter_map(|item| item.style.as_deref()).collect();
        assert_eq!(styles, ["flat", "ink", "3d", "flat"]);
    }
}
