//! Finds what may have been meant by what no form covers. Owns when a word is taken apart, put together or corrected; depends on
//! the pieces of a prompt, compounds and corrections.

use super::compounds;
use super::corrections;
use super::lexicon::Lexicon;
use super::normalise::{Gap, Letter, Script};
use super::roles::Read;
use super::segments::{Cut, Piece};
use super::vocabulary::{Kind, Language};

/// Fewest letters of a word that is corrected although the prompt says what to draw without it: a short word may as well be one
/// that just is not in the lexicon.
const LONG: usize = 6;
/// Most words that are tried to be corrected in a prompt.
const MOST: usize = 6;

/// Replaces pieces that no form covers by what may have been meant. Returns where, and how.
pub(super) fn mend(lexicon: &Lexicon, letters: &[Letter], cut: &mut Cut) -> Vec<(usize, Read)> {
    cut.pieces = without_fragments(lexicon, letters, std::mem::take(&mut cut.pieces), &cut.close);
    let mut mended = Vec::new();
    let (mut index, mut tried) = (0, 0);
    while index < cut.pieces.len() && tried < MOST {
        let piece = &cut.pieces[index];
        if !piece.senses.is_empty() || letters[piece.start].script == Script::Digit {
            index += 1;
            continue;
        }
        let start = piece.start;
        if let Some(parts) = compounds::parts(lexicon, letters, piece, &cut.close) {
            mended.extend(parts.iter().map(|part| (part.start, Read::Compound)));
            let count = parts.len();
            cut.pieces.splice(index..=index, parts);
            index += count;
            continue;
        }
        tried += 1;
        if correct(lexicon, letters, cut, index) {
            mended.push((start, Read::Corrected));
        }
        index += 1;
    }
    mended
}

/// Corrects a piece, if a form is near enough.
fn correct(lexicon: &Lexicon, letters: &[Letter], cut: &mut Cut, index: usize) -> bool {
    let piece = &cut.pieces[index];
    let word = &letters[piece.start..piece.end];
    let is_thing = |piece: &Piece| piece.senses.iter().any(|sense| sense.kind < Kind::Keyword);
    let is_alphabet = !word[0].script.is_unspaced() && word[0].script != Script::Katakana;
    if is_alphabet && word.len() < LONG && cut.pieces.iter().any(is_thing) {
        return false;
    }
    let Some(found) = corrections::nearest(lexicon, word, &cut.close) else {
        return false;
    };
    if let Some(language) = found.sense.language {
        cut.language = language;
        cut.close = vec![language];
    }
    let senses = lexicon
        .find(&found.key)
        .map(|value| lexicon.senses(value).filter(|sense| !sense.is_stem).collect())
        .unwrap_or_default();
    cut.pieces[index].senses = corrections::in_language(senses, found.sense, cut.language);
    true
}

/// Puts together what is left of a mistyped word where words have no spaces: letters that no form covers, and beside them forms that
/// are too short to be meant.
fn without_fragments(lexicon: &Lexicon, letters: &[Letter], pieces: Vec<Piece>, languages: &[Language]) -> Vec<Piece> {
    let mut whole: Vec<Piece> = Vec::with_capacity(pieces.len());
    let adjoins = |before: &Piece, piece: &Piece| {
        let (one, other) = (&letters[before.start], &letters[piece.start]);
        other.gap == Gap::Within && one.script == other.script && matches!(one.script, Script::Kana | Script::Hangul | Script::Han)
    };
    let mut rest = pieces.as_slice();
    while let Some(first) = rest.first() {
        let length = 1 + rest.windows(2).take_while(|pair| adjoins(&pair[0], &pair[1])).count();
        let (run, behind) = rest.split_at(length);
        rest = behind;
        if run.len() == 1 {
            whole.push(first.clone());
            continue;
        }
        for group in run.chunk_by(|one, other| is_fragment(letters, one) && is_fragment(letters, other)) {
            let (start, end) = (group[0].start, group[group.len() - 1].end);
            // Han characters are words by themselves.
            let is_whole =
                || letters[start].script != Script::Han || corrections::nearest(lexicon, &letters[start..end], languages).is_some();
            if is_broken_word(group) && is_whole() {
                whole.push(Piece {
                    start,
                    end,
                    senses: Vec::new(),
                    by_stem: false,
                });
            } else {
                whole.extend_from_slice(group);
            }
        }
    }
    whole
}

/// Whether a piece may be part of another word: what no form covers, and short forms.
fn is_fragment(letters: &[Letter], piece: &Piece) -> bool {
    let shortest = if letters[piece.start].script == Script::Han { 1 } else { 2 };
    piece.senses.is_empty() || piece.end - piece.start <= shortest
}

/// Whether pieces next to each other are no words of their own: one is unknown, or two are things of one letter.
fn is_broken_word(group: &[Piece]) -> bool {
    let is_letter = |piece: &Piece| piece.end == piece.start + 1 && piece.senses.iter().all(|sense| sense.kind.is_object());
    let unknown = group.iter().any(|piece| piece.senses.is_empty());
    let letters = group.iter().filter(|piece| is_letter(piece)).count();
    group.len() > 1 && (unknown || letters >= 2)
}
