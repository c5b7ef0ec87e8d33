//! What a visitor wishes for: word, style, colour, number and care, and how each is turned to the next.

use super::order::Piece;
use crate::kiosk::subjects::Subjects;

/// How many pictures at once, and what differs between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtOnce {
    /// One.
    #[default]
    One,
    /// Four of different seeds.
    Four,
    /// Four of different styles and the same seed.
    FourStyles,
}

impl AtOnce {
    /// All, in the order of the menu.
    pub const ALL: [AtOnce; 3] = [AtOnce::One, AtOnce::Four, AtOnce::FourStyles];
}

/// What can be asked of a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skills {
    /// Styles to choose from, by name; none where the pack has none.
    pub styles: Vec<String>,
    /// The usual style's place among them.
    pub style: usize,
    /// Numbers of steps, fewest first; at least one.
    pub steps: Vec<usize>,
    /// The usual number's place among them.
    pub step: usize,
}

/// What is chosen. Numbers are places in lists, always within them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Place among all subjects.
    pub subject: usize,
    /// Place among the categories, where only one is turned through.
    pub category: Option<usize>,
    /// Words that were typed take the subject's place.
    pub typed: Option<String>,
    /// Place among the styles.
    pub style: usize,
    /// Place among the colours, where one is wished for.
    pub colour: Option<usize>,
    /// How many.
    pub at_once: AtOnce,
    /// Place among the numbers of steps.
    pub step: usize,
    /// Seed of the picture.
    pub seed: u64,
}

/// `at` moved by so many places around a list.
pub fn around(at: usize, by: i32, length: usize) -> usize {
    let length = i64::try_from(length).unwrap_or(i64::MAX).max(1);
    let moved = i64::try_from(at).unwrap_or(0) + i64::from(by);
    usize::try_from(moved.rem_euclid(length)).unwrap_or(0)
}

/// As [`around`], with nothing chosen as one place more.
pub fn around_or_none(at: Option<usize>, by: i32, length: usize) -> Option<usize> {
    around(at.map_or(0, |at| at + 1), by, length + 1).checked_sub(1)
}

impl Wish {
    /// Another word: `by` places on among those of the category. Typed words give way to the wheel.
    pub fn turn_subject(&mut self, by: i32, subjects: &Subjects) {
        let places = self.places(subjects);
        let at = places.iter().position(|place| *place == self.subject).unwrap_or(0);
        let by = if self.typed.take().is_some() { 0 } else { by };
        self.subject = places[around(at, by, places.len())];
    }

    /// Another category, and its first word.
    pub fn turn_category(&mut self, by: i32, subjects: &Subjects) {
        self.category = around_or_none(self.category, by, subjects.categories().len());
        self.subject = self.places(subjects)[0];
        self.typed = None;
    }

    /// The subjects that are turned through; never none.
    pub fn places(&self, subjects: &Subjects) -> Vec<usize> {
        let category = self.category.and_then(|category| subjects.categories().get(category).copied());
        let places = subjects.of(category);
        if places.is_empty() { vec![0] } else { places }
    }

    /// The words for the model.
    pub fn prompt(&self, subjects: &Subjects, colours: &[String]) -> String {
        let words = self.typed.as_deref().unwrap_or_else(|| subjects.get(self.subject).prompt()).trim();
        match self.colour.and_then(|colour| colours.get(colour)) {
            Some(colour) if !words.is_empty() => format!("{colour} {words}"),
            _ => words.to_owned(),
        }
    }

    /// One picture of it.
    pub fn piece(&self, subjects: &Subjects, colours: &[String], skills: &Skills) -> Piece {
        Piece {
            prompt: self.prompt(subjects, colours),
            style: skills.styles.get(self.style).cloned(),
            steps: skills.steps.get(self.step).copied().unwrap_or(1),
            seed: self.seed,
        }
    }
}

/// Four pictures that differ from one in seed or style.
pub fn four(piece: &Piece, at_once: AtOnce, styles: &[String]) -> Vec<Piece> {
    let start = piece
        .style
        .as_ref()
        .and_then(|style| styles.iter().position(|other| other == style))
        .unwrap_or(0);
    let other = |index: usize| match at_once {
        AtOnce::FourStyles if styles.len() > 1 => Piece {
            style: Some(styles[(start + index) % styles.len()].clone()),
            ..piece.clone()
        },
        _ => Piece {
            seed: piece.seed.wrapping_add(index as u64),
            ..piece.clone()
        },
    };
    (0..4).map(other).collect()
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
        let mut wish = Wish::default();
        wish.turn_category(-1, &subjects);
        assert_eq!(subjects.get(wish.subject).category, "places");
        wish.turn_subject(-1, &subjects);
        assert_eq!(subjects.get(wish.subject).prompt(), "circus tent");
        wish.turn_subject(1, &subjects);
        assert_eq!(subjects.get(wish.subject).prompt(), "house");
        wish.typed = Some("blue whale".into());
        wish.turn_subject(1, &subjects);
        assert_eq!((subjects.get(wish.subject).prompt(), wish.typed), ("house", None));
    }

    #[test]
    fn four_differ_in_seed_or_style() {
        let styles = ["3d", "flat", "ink"].map(String::from);
        let piece = Piece {
            prompt: "fox".into(),
            style: Some("flat".into()),
            steps: 4,
            seed: u64::MAX,
        };
        let seeds: Vec<u64> = four(&piece, AtOnce::Four, &styles).iter().map(|piece| piece.seed).collect();
        assert_eq!(seeds, [u64::MAX, 0, 1, 2]);
        let four = four(&piece, AtOnce::FourStyles, &styles);
        let styles: Vec<&str> = four.iter().filter_map(|piece| piece.style.as_deref()).collect();
        assert_eq!(styles, ["flat", "ink", "3d", "flat"]);
    }
}
