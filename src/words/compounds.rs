//! Words that were written together: compounds, and words between which the space is missing. Depends on the lexicon.

use super::lexicon::{Lexicon, Sense};
use super::normalise::{Letter, Script};
use super::segments::Piece;
use super::vocabulary::{Kind, Language};

/// Shortest part, in letters.
const SHORTEST: usize = 3;
/// Most parts.
const MOST: usize = 3;

/// The known parts that a word is made of, without a letter left over; nothing where it cannot be cut so, or names no thing.
///
/// In languages with closed compounds letters may stand between two parts ("Geburtstag-s-kuchen").
pub(super) fn parts(lexicon: &Lexicon, letters: &[Letter], piece: &Piece, languages: &[Language]) -> Option<Vec<Piece>> {
    let is_alphabet = matches!(
        letters[piece.start].script,
        Script::Latin | Script::Cyrillic | Script::Arabic | Script::Devanagari
    );
    if !is_alphabet || piece.end - piece.start < 2 * SHORTEST {
        return None;
    }
    languages.iter().find_map(|&language| {
        let search = Search {
            lexicon,
            letters,
            language,
        };
        let parts = search.parts(piece.start, piece.end, MOST)?;
        parts
            .iter()
            .any(|part| part.senses.iter().any(|sense| sense.kind.is_object()))
            .then_some(parts)
    })
}

struct Search<'a> {
    lexicon: &'a Lexicon,
    letters: &'a [Letter],
    language: Language,
}

impl Search<'_> {
    fn parts(&self, start: usize, end: usize, most: usize) -> Option<Vec<Piece>> {
        if let Some(senses) = self.senses(start, end) {
            return Some(vec![Piece {
                start,
                end,
                senses,
                by_stem: false,
            }]);
        }
        if most == 1 {
            return None;
        }
        // The longest first part first.
        (start + 2..=end.saturating_sub(SHORTEST)).rev().find_map(|middle| {
            let senses = self.senses(start, middle)?;
            let rest = self
                .parts(middle, end, most - 1)
                .or_else(|| self.behind_link(middle, end, most - 1))?;
            let first = Piece {
                start,
                end: rest[0].start,
                senses,
                by_stem: false,
            };
            Some(std::iter::once(first).chain(rest).collect())
        })
    }

    /// The parts behind a letter or two that only join.
    fn behind_link(&self, start: usize, end: usize, most: usize) -> Option<Vec<Piece>> {
        if !self.language.has_closed_compounds() {
            return None;
        }
        ["s", "es", "n", "en", "er", "e"]
            .into_iter()
            .filter(|link| self.text(start, (start + link.len()).min(end)) == **link)
            .find_map(|link| {
                (end > start + link.len() + SHORTEST)
                    .then(|| self.parts(start + link.len(), end, most))
                    .flatten()
            })
    }

    fn text(&self, start: usize, end: usize) -> String {
        self.letters[start..end].iter().map(|letter| letter.value).collect()
    }

    /// What a part may mean: things by name, what is said of them, and, where it is short, articles and the like.
    fn senses(&self, start: usize, end: usize) -> Option<Vec<Sense>> {
        let is_short = end - start < SHORTEST;
        let counts = |sense: &Sense| {
            let is_word = !sense.is_stem
                && if is_short {
                    sense.kind == Kind::Article
                } else {
                    is_part(sense.kind)
                };
            is_word && sense.language.is_none_or(|other| other == self.language)
        };
        let senses: Vec<Sense> = self
            .lexicon
            .senses(self.lexicon.find(&self.text(start, end))?)
            .filter(counts)
            .collect();
        (!senses.is_empty()).then_some(senses)
    }
}

fn is_part(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Keyword | Kind::Nearest | Kind::Near | Kind::Particle | Kind::Relation | Kind::Place | Kind::Classifier
    )
}
