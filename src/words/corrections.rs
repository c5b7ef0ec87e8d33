//! Corrects typing mistakes: the forms of a lexicon that are a few edits away from a word. Owns what counts as an edit; depends on
//! the lexicon.
//!
//! The map is walked depth first with one row of the edit distance's table a letter (Damerau's, in which two letters that changed
//! places are one edit), as a Levenshtein automaton would (Schulz and Mihov 2002); a branch ends where no entry of the row is small
//! enough. The number of steps is limited, so that no word takes long.

use std::ops::Range;

use super::keys::{Alphabets, Decoded, Decoder};
use super::lexicon::{ConceptId, Lexicon, Sense};
use super::normalise::{Letter, Script};
use super::vocabulary::{Kind, Language};

/// Most steps of a search.
const STEPS: usize = 400_000;
/// Letters that have to be the same where more edits than usual are made.
const ALIKE: usize = 2;
/// Longest word that is corrected, in letters.
const LONGEST: usize = 32;

/// A form that may have been meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub key: String,
    pub sense: Sense,
    pub edits: u8,
}

/// Number of edits that are corrected in a word: one from four letters on, two from seven. Characters that stand for a syllable or
/// a word count as two letters.
pub(super) fn most_edits(letters: &[Letter]) -> u8 {
    let Some(first) = letters.first() else { return 0 };
    let weight = if first.script.is_unspaced() { 2 } else { 1 };
    match (letters.len() * weight, first.script) {
        (_, Script::Digit | Script::Emoji | Script::Other) => 0,
        (length, Script::Han | Script::Hangul) => u8::from(length >= 6),
        (_, Script::Kana | Script::Katakana) => match letters.len() {
            6.. => 2,
            4.. => 1,
            _ => 0,
        },
        (7.., _) => 2,
        (4.., _) => 1,
        _ => 0,
    }
}

/// The best form for a word in one of some languages, of which the first counts most; things and what is said of them, not
/// keywords.
///
/// One edit more than usual is corrected where both sound alike: "pisa" for pizza, "rhinosorus" for rhinoceros.
pub(super) fn nearest(lexicon: &Lexicon, letters: &[Letter], languages: &[Language]) -> Option<Candidate> {
    let (first, length) = (letters.first()?.value, letters.len());
    if length == 2 && letters[0].script == Script::Han {
        return other_character(lexicon, letters, languages);
    }
    let most = most_edits(letters);
    let sound = sound(letters.iter().map(|letter| letter.value));
    let place = |language: Option<Language>| language.map_or(Some(0), |language| languages.iter().position(|&known| known == language));
    let rank = |found: Candidate| {
        let place = place(found.sense.language)?;
        let difference = distance(&sound, &self::sound(found.key.chars()));
        let is_alike = letters[0].script == Script::Latin && difference <= if length < 8 { 0 } else { length / 5 };
        if found.edits > most && !is_alike {
            return None;
        }
        let other_letter = !found.key.starts_with(first);
        let edits = usize::from(found.edits);
        let edits = edits + 2 * difference.min(edits) + usize::from(other_letter);
        Some((
            (
                edits,
                place,
                found.sense.kind,
                found.key.chars().count().abs_diff(length),
                found.key.clone(),
            ),
            found,
        ))
    };
    let extra = u8::from(most > 0 && letters[0].script == Script::Latin);
    // A word that sounds alike may be one edit further away: what is nearer only ends the search if nothing can be better.
    let mut best = None;
    for edits in 1..=most + extra {
        best = search(lexicon, letters, edits, edits > most)
            .into_iter()
            .filter_map(&rank)
            .min_by(|(one, _), (other, _)| one.cmp(other));
        if best.as_ref().is_some_and(|((score, ..), _)| *score <= usize::from(edits) + 1) {
            break;
        }
    }
    best.map(|(_, found)| found)
}

/// A word as it sounds, roughly, in the languages with Latin letters: letters that are mixed up are one, and doubled ones single.
fn sound(letters: impl Iterator<Item = char>) -> Vec<char> {
    let letters: Vec<char> = letters.collect();
    let mut sound: Vec<char> = Vec::with_capacity(letters.len());
    for (place, &letter) in letters.iter().enumerate() {
        let next = letters.get(place + 1).copied().unwrap_or(' ');
        let before = place.checked_sub(1).map_or(' ', |before| letters[before]);
        let heard = match letter {
            'h' if !matches!(before, 'c' | 's') => continue,
            'h' | 'x' => 'x',
            'c' | 's' if next == 'h' => continue,
            'c' if matches!(next, 'e' | 'i' | 'y') => 's',
            'c' | 'q' => 'k',
            'u' if before == 'q' => continue,
            'p' if next == 'h' => 'f',
            'z' => 's',
            'v' | 'w' => 'b',
            'y' | 'j' => 'i',
            letter => letter,
        };
        if sound.last() != Some(&heard) {
            sound.push(heard);
        }
    }
    sound
}

/// Edits between two words, without letters that changed places.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, letter) in one.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], place + 1);
        for (index, typed) in other.iter().enumerate() {
            let edits = (diagonal + usize::from(letter != typed))
                .min(row[index] + 1)
                .min(row[index + 1] + 1);
            diagonal = std::mem::replace(&mut row[index + 1], edits);
        }
    }
    row[other.len()]
}

/// The only word of two Han characters that begins with the first one of a word that is none.
fn other_character(lexicon: &Lexicon, letters: &[Letter], languages: &[Language]) -> Option<Candidate> {
    let is_meant = |found: &Candidate| {
        let mut characters = found.key.chars();
        let begins = characters.next() == Some(letters[0].value) && characters.count() == 1;
        begins && found.sense.kind.is_object() && found.sense.language.is_some_and(|language| languages.contains(&language))
    };
    let mut found = search(lexicon, letters, 1, false).into_iter().filter(is_meant);
    let only = found.next()?;
    found.all(|other| other.sense.value == only.sense.value).then_some(only)
}

/// Things whose names look like a word that is none, best first: one edit more than what is corrected.
pub(super) fn similar(lexicon: &Lexicon, letters: &[Letter], language: Language) -> Vec<ConceptId> {
    let most = most_edits(letters);
    let found = if most == 0 {
        Vec::new()
    } else {
        search(lexicon, letters, most + 1, true)
    };
    let is_learned = |id: &ConceptId| lexicon.name(*id, language).is_some();
    let mut things: Vec<(u8, String, ConceptId)> = found
        .into_iter()
        .filter(|found| found.sense.language == Some(language) && found.sense.kind < Kind::Label)
        .filter_map(|found| Some((found.edits, found.key, found.sense.concept().filter(is_learned)?)))
        .collect();
    things.sort();
    things.into_iter().map(|(_, _, id)| id).collect()
}

/// The forms that are so many edits away; `begin_alike` if their first letters have to be the same.
fn search(lexicon: &Lexicon, letters: &[Letter], most: u8, begin_alike: bool) -> Vec<Candidate> {
    if most == 0 || letters.len() > LONGEST {
        return Vec::new();
    }
    let word: Vec<char> = letters.iter().map(|letter| letter.value).collect();
    let mut search = Search {
        lexicon,
        alphabets: Alphabets::of(&word),
        word,
        most,
        begin_alike,
        steps: STEPS,
        key: Vec::new(),
        rows: vec![std::array::from_fn(|place| place as u8)],
        bytes: Vec::with_capacity(4),
        found: Vec::new(),
    };
    let root = lexicon.map().root().addr();
    search.walk(root, fst::raw::Output::zero(), Decoder::default());
    search.found
}

/// A row of the table of edits: of each beginning of the word, how many edits make it what was walked.
type Row = [u8; LONGEST + 1];

struct Search<'a> {
    lexicon: &'a Lexicon,
    word: Vec<char>,
    /// Letters of others are no typing mistakes.
    alphabets: Alphabets,
    most: u8,
    begin_alike: bool,
    steps: usize,
    /// The letters that were walked, and the rows before and behind each.
    key: Vec<char>,
    rows: Vec<Row>,
    /// Bytes of the letter that is followed.
    bytes: Vec<u8>,
    found: Vec<Candidate>,
}

impl Search<'_> {
    /// Goes on from a node; `decoder` has what is not a letter yet.
    fn walk(&mut self, node: fst::raw::CompiledAddr, out: fst::raw::Output, decoder: Decoder) {
        let lexicon = self.lexicon;
        let node = lexicon.map().node(node);
        let edits = self.rows[self.rows.len() - 1][self.word.len()];
        if decoder.is_complete() && node.is_final() && edits <= self.most {
            self.accept(out.cat(node.final_output()).value(), edits);
        }
        if self.key.len() > LONGEST + 2 {
            return;
        }
        if let Some(window) = self.only_letters().filter(|_| decoder.is_complete()) {
            for at in window.clone() {
                let letter = self.word[at];
                if !self.word[window.start..at].contains(&letter) {
                    self.follow(&node, out, decoder, letter);
                }
            }
            return;
        }
        for step in node.transitions() {
            if decoder.is_complete() && !self.alphabets.have(step.inp) {
                continue;
            }
            if self.steps == 0 {
                return;
            }
            self.steps -= 1;
            let mut decoder = decoder;
            match decoder.push(step.inp) {
                Decoded::Letter(letter) => self.walk_letter(letter, step.addr, out.cat(step.out), decoder),
                Decoded::Pending => self.walk(step.addr, out.cat(step.out), decoder),
                Decoded::Invalid => {}
            }
        }
    }

    /// Goes on behind a letter, unless that leads too far away.
    fn walk_letter(&mut self, letter: char, node: fst::raw::CompiledAddr, out: fst::raw::Output, decoder: Decoder) {
        if let Some(row) = self.row(letter) {
            self.key.push(letter);
            self.rows.push(row);
            self.walk(node, out, decoder);
            self.rows.pop();
            self.key.pop();
        }
    }

    /// Goes on along a letter, if the map has it there.
    fn follow(&mut self, node: &fst::raw::Node, mut out: fst::raw::Output, mut decoder: Decoder, letter: char) {
        if self.steps == 0 {
            return;
        }
        self.steps -= 1;
        let lexicon = self.lexicon;
        self.bytes.clear();
        decoder.encoder().push(letter, &mut self.bytes);
        let mut step = *node;
        for &byte in &self.bytes {
            let Some(index) = step.find_input(byte) else { return };
            let transition = step.transition(index);
            out = out.cat(transition.out);
            decoder.push(byte);
            step = lexicon.map().node(transition.addr);
        }
        self.walk_letter(letter, step.addr(), out, decoder);
    }

    /// The places in the word of the letters that may come next, where no edit is left or none is allowed. `None` if any letter
    /// may come.
    fn only_letters(&self) -> Option<Range<usize>> {
        let (length, most) = (self.key.len(), usize::from(self.most));
        if self.begin_alike && length < ALIKE {
            return Some(length.min(self.word.len())..(length + 1).min(self.word.len()));
        }
        let row = &self.rows[self.rows.len() - 1];
        let end = (length + most).min(self.word.len());
        let start = length.saturating_sub(most).min(end);
        let is_spent = row[start..=end].iter().all(|&edits| edits >= self.most);
        is_spent.then(|| start..(end + 1).min(self.word.len()))
    }

    /// The table's next row, for a letter behind those that were walked; nothing if too many edits are in all of it. Another first
    /// letter counts twice: hardly anybody mistypes it.
    fn row(&self, letter: char) -> Option<Row> {
        if self.begin_alike && self.key.len() < ALIKE && self.word.get(self.key.len()) != Some(&letter) {
            return None;
        }
        let before = &self.rows[self.rows.len() - 1];
        let other = 1 + u8::from(self.key.is_empty());
        let (length, most) = (self.key.len() + 1, usize::from(self.most));
        let mut row = [u8::MAX; LONGEST + 1];
        row[0] = before[0].saturating_add(1);
        let mut least = row[0];
        // Beginnings that are much shorter or longer are too many edits away.
        for at in length.saturating_sub(most + 1)..self.word.len().min(length + most) {
            let typed = self.word[at];
            let changed = if typed == letter { 0 } else { other };
            let inserted = before[at + 1].min(row[at]).saturating_add(1);
            let mut edits = before[at].saturating_add(changed).min(inserted);
            let swapped = at > 0 && self.key.last() == Some(&typed) && self.word[at - 1] == letter;
            if swapped {
                edits = edits.min(self.rows[self.rows.len() - 2][at - 1].saturating_add(1));
            }
            row[at + 1] = edits;
            least = least.min(edits);
        }
        (least <= self.most).then_some(row)
    }

    fn accept(&mut self, value: u64, edits: u8) {
        let key = &self.key;
        let short = key.len() < 3 && key.first().is_none_or(|&first| first <= '\u{3000}');
        if short {
            return;
        }
        let is_word = |sense: &Sense| {
            sense.kind < Kind::Label || matches!(sense.kind, Kind::Label | Kind::Colour | Kind::Size | Kind::Mood | Kind::Filler)
        };
        let key: String = key.iter().collect();
        self.found.extend(
            self.lexicon
                .senses(value)
                .filter(|sense| !sense.is_stem && is_word(sense))
                .map(|sense| Candidate {
                    key: key.clone(),
                    sense,
                    edits,
                }),
        );
    }
}

/// The senses of a form that was meant: those of the language in which it was found.
pub(super) fn in_language(senses: Vec<Sense>, found: Sense, language: Language) -> Vec<Sense> {
    let mut here: Vec<Sense> = senses
        .into_iter()
        .filter(|sense| sense.language.is_none_or(|other| other == language))
        .collect();
    if here.is_empty() {
        here.push(found);
    }
    here
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fst::Streamer;

    use super::super::normalise;
    use super::*;

    /// Edits that make one word another, letters that changed places as one, and another first letter as two (Damerau 1964, without
    /// further edits between letters that changed places).
    fn edits(key: &[char], word: &[char]) -> usize {
        let mut table = vec![vec![0; word.len() + 1]; key.len() + 1];
        for at in 0..=key.len() {
            for place in 0..=word.len() {
                table[at][place] = match (at, place) {
                    (0, _) => place,
                    (_, 0) => at,
                    _ => {
                        let other = if at == 1 { 2 } else { 1 };
                        let changed = if key[at - 1] == word[place - 1] { 0 } else { other };
                        let near = (table[at - 1][place] + 1).min(table[at][place - 1] + 1);
                        let mut least = near.min(table[at - 1][place - 1] + changed);
                        if at > 1 && place > 1 && key[at - 1] == word[place - 2] && key[at - 2] == word[place - 1] {
                            least = least.min(table[at - 2][place - 2] + 1);
                        }
                        least
                    }
                };
            }
        }
        table[key.len()][word.len()]
    }

    /// Every key of a lexicon.
    fn keys(lexicon: &Lexicon) -> Vec<Vec<char>> {
        let mut stream = lexicon.map().stream();
        let mut keys = Vec::new();
        while let Some((bytes, _)) = stream.next() {
            let mut decoder = Decoder::default();
            keys.push(
                bytes
                    .iter()
                    .filter_map(|&byte| match decoder.push(byte) {
                        Decoded::Letter(letter) => Some(letter),
                        _ => None,
                    })
                    .collect(),
            );
        }
        keys
    }

    #[test]
    fn a_search_finds_what_a_look_at_every_form_finds() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram/words.lexicon");
        let lexicon = Lexicon::open(&file).unwrap();
        let keys = keys(&lexicon);
        let words = [
            "buterfly",
            "elefnat",
            "hous",
            "katse",
            "бобочка",
            "собкаа",
            "فراشه",
            "तितलि",
            "ちょうち",
            "チューリプ",
            "고얌이",
            "自行",
            "xqzt",
            "cafe猫",
        ];
        for word in words {
            let letters = normalise::letters(word, lexicon.variants());
            let values: Vec<char> = letters.iter().map(|letter| letter.value).collect();
            for most in 1..=2 {
                let mut found: Vec<String> = search(&lexicon, &letters, most, false).into_iter().map(|found| found.key).collect();
                found.sort();
                found.dedup();
                let alphabets = Alphabets::of(&values);
                let is_near = |key: &&Vec<char>| {
                    let is_alike = key.iter().all(|&letter| alphabets.with(&[letter]) == alphabets);
                    is_alike && key.len().abs_diff(values.len()) <= 2 && edits(key, &values) <= usize::from(most)
                };
                let near = keys.iter().filter(is_near).map(|key| key.iter().collect::<String>());
                let mut wanted: Vec<String> = near.filter(|key| is_taken(&lexicon, key)).collect();
                wanted.sort();
                assert_eq!(found, wanted, "{word}, {most}");
            }
        }
    }

    /// Whether a form is one that is corrected to.
    fn is_taken(lexicon: &Lexicon, key: &str) -> bool {
        let is_word = |sense: &Sense| {
            let is_said = matches!(sense.kind, Kind::Label | Kind::Colour | Kind::Size | Kind::Mood | Kind::Filler);
            !sense.is_stem && (sense.kind < Kind::Label || is_said)
        };
        let is_long = key.chars().count() >= 3 || key.starts_with(|first| first > '\u{3000}');
        is_long
            && lexicon
                .find(key)
                .is_some_and(|value| lexicon.senses(value).any(|sense| is_word(&sense)))
    }
}
