//! Cuts a prompt into words that the lexicon has. Owns how forms are looked up, and how a prompt's language and the cheapest cut
//! are chosen; depends on letters, stems, and the lexicon.
//!
//! Every form that begins somewhere in the prompt is an edge from where it begins to where it ends; each has a cost by how it was
//! found, and what no form covers has a high one. The cheapest path through the edges (Viterbi 1967) is sought once for each
//! language, and the language with the cheapest path is the prompt's.

use super::keys::Encoder;
use super::lexicon::{Lexicon, Sense};
use super::normalise::{Gap, Letter, Script, accented};
use super::stems::{LONGEST_ENDING, Stems, stem_of};
use super::vocabulary::{Kind, Language, Relation};

/// Longest form, in letters.
const LONGEST: usize = 48;
/// Most words of a form that is looked up by its stem.
const STEMMED_WORDS: usize = 1;

/// Cost of any form: of two cuts the one with fewer forms is better.
const FORM: u32 = 20;
/// What a stem costs more than a form.
const BY_STEM: u32 = 6;
/// What a word of another language costs more.
const FOREIGN: u32 = 30;
/// Cost of a word that no form covers, and of such a letter where words have no spaces.
const UNKNOWN_WORD: u32 = 120;
const UNKNOWN_LETTER: u32 = 52;
/// How much more a cut may cost in a language that the prompt may as well be in.
const CLOSE: u32 = 12;
/// What a language costs more for each name of the user's language that is none in it.
const OWN_NAME: u32 = 240;
/// Fewest letters of such a name.
const LONG_NAME: usize = 4;
/// What the language that the user has costs less.
const PREFERRED: u32 = 5;

/// A form found in the prompt.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    /// First letter, and the one behind the last.
    pub start: usize,
    pub end: usize,
    pub senses: Vec<Sense>,
    pub by_stem: bool,
    /// In none of the scripts of most languages, so that a short word is no other language's.
    is_in_other_script: bool,
}

/// A stretch of the prompt, and what it may mean in the prompt's language; no senses if no form covers it.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub start: usize,
    pub end: usize,
    pub senses: Vec<Sense>,
    pub by_stem: bool,
}

impl Piece {
    /// Whether it is a thing's name in a language, and not a short one, which may be any language's.
    fn is_name_of(&self, language: Language) -> bool {
        let is_name = |sense: &Sense| matches!(sense.kind, Kind::Name | Kind::Plural | Kind::Also) && sense.language == Some(language);
        self.end - self.start >= LONG_NAME && !self.by_stem && self.senses.iter().any(is_name)
    }

    /// Whether it is the same thing's name in its own language.
    fn is_same_name(&self, name: &Piece, language: Language) -> bool {
        let is_own = |sense: &&Sense| sense.language.is_none_or(|own| own == language);
        let concept = |piece: &Piece| piece.senses.iter().find_map(|sense| sense.concept());
        (self.start, self.end) == (name.start, name.end)
            && self
                .senses
                .iter()
                .filter(is_own)
                .any(|sense| sense.concept().is_some() && sense.concept() == concept(name))
    }
}

/// The cheapest cut of a prompt.
#[derive(Debug)]
pub(super) struct Cut {
    pub language: Language,
    /// Languages in which the cut costs about as much, the prompt's among them: all where no word tells.
    pub close: Vec<Language>,
    pub pieces: Vec<Piece>,
    /// Where things without a picture were taken apart into others: first letter, and the one behind the last.
    pub apart: Vec<(usize, usize)>,
}

impl Edge {
    /// What the edge costs in a language; nothing if it means nothing there.
    fn cost(&self, language: Language) -> Option<u32> {
        let cost = self.senses.iter().filter_map(|sense| self.sense_cost(sense, language)).min()?;
        Some(FORM + cost + if self.by_stem { BY_STEM } else { 0 })
    }

    fn sense_cost(&self, sense: &Sense, language: Language) -> Option<u32> {
        let kind = kind_cost(sense.kind);
        match sense.language {
            Some(other) if other != language => self.is_known_abroad(sense).then_some(kind + FOREIGN),
            _ => Some(kind),
        }
    }

    /// Whether the word is taken for what it is in another language: things alone, and no short words.
    fn is_known_abroad(&self, sense: &Sense) -> bool {
        let is_word = matches!(sense.kind, Kind::Name | Kind::Plural | Kind::Also | Kind::Colour);
        is_word && !self.by_stem && (self.end - self.start >= 4 || self.is_in_other_script)
    }

    /// What it means in a language, or abroad if it means nothing there.
    fn senses_in(&self, language: Language) -> Vec<Sense> {
        let here = |sense: &&Sense| sense.language.is_none_or(|other| other == language);
        let mut senses: Vec<Sense> = self.senses.iter().filter(here).copied().collect();
        if senses.is_empty() {
            senses = self.senses.iter().filter(|sense| self.is_known_abroad(sense)).copied().collect();
        }
        senses.sort_by_key(|sense| kind_cost(sense.kind));
        senses
    }
}

/// What a kind costs more than a name.
fn kind_cost(kind: Kind) -> u32 {
    match kind {
        Kind::Also | Kind::Label | Kind::Particle | Kind::Classifier => 1,
        Kind::Keyword | Kind::Nearest => 8,
        Kind::Near => 6,
        Kind::Measure => 2,
        _ => 0,
    }
}

/// Looks prompts up in a lexicon.
pub(super) struct Segmenter<'a> {
    pub lexicon: &'a Lexicon,
    pub stems: &'a Stems,
}

impl Segmenter<'_> {
    /// The cheapest cut of all languages; `preferred`, or English, wins where two cost about the same.
    pub fn cut(&self, letters: &[Letter], preferred: Option<Language>) -> Cut {
        let is_told = preferred.is_some();
        let preferred = preferred.unwrap_or_default();
        let starts = starts(letters);
        let mut edges = Vec::new();
        let inner = self.inner_starts(letters);
        let begins = |at: usize| starts[at] || inner.contains(&at);
        for start in (0..letters.len()).filter(|&at| begins(at)) {
            // What is not written with a space may end in the middle of its own word alone.
            let in_word = |end: usize| letters[start + 1..end].iter().all(|letter| letter.gap == Gap::Within);
            self.forms(letters, start, &|at| starts[at] || inner.contains(&at) && in_word(at), &mut edges);
            if starts[start] && !letters[start].script.is_unspaced() {
                self.stemmed(letters, start, &mut edges);
            }
        }
        let languages = Language::all().map(|language| {
            let (cost, pieces) = cheapest(letters, &edges, &starts, language);
            let unlearned = pieces.iter().filter(|piece| self.is_unlearned(piece)).count() as u32;
            let cost = 2 * cost + unlearned + PREFERRED - if language == preferred { PREFERRED } else { 0 };
            (cost, language, pieces)
        });
        let mut cuts: Vec<_> = languages.collect();
        self.keep_names(&mut cuts, preferred, is_told);
        let least = cuts.iter().map(|(cost, ..)| *cost).min().unwrap_or_default();
        let mut close: Vec<Language> = cuts
            .iter()
            .filter(|(cost, ..)| *cost <= least + CLOSE)
            .map(|(_, language, _)| *language)
            .collect();
        // Where nothing tells, what is preferred comes first.
        close.sort_by_key(|language| *language != preferred);
        let best = cuts.into_iter().min_by_key(|(cost, language, _)| (*cost, language.index()));
        let (_, language, pieces) = best.unwrap_or_default();
        let mut apart = Vec::new();
        let pieces = pieces.into_iter().flat_map(|piece| {
            let (place, is_thing) = ((piece.start, piece.end), self.is_unlearned(&piece));
            let parts = self.taken_apart(letters, &edges, &starts, piece, language);
            apart.extend((is_thing && parts.len() > 1).then_some(place));
            parts
        });
        let pieces = pieces.collect();
        Cut {
            language,
            close,
            pieces,
            apart,
        }
    }

    /// Makes languages dearer in which a name of the language that the user has is something else: "tree" is no Italian "tre e".
    fn keep_names(&self, cuts: &mut [(u32, Language, Vec<Piece>)], preferred: Language, is_told: bool) {
        let own = cuts.iter().find(|(_, language, _)| *language == preferred && is_told);
        let names: Vec<Piece> = own.map_or_else(Vec::new, |(_, _, pieces)| {
            pieces.iter().filter(|piece| piece.is_name_of(preferred)).cloned().collect()
        });
        for (cost, language, pieces) in cuts.iter_mut().filter(|(_, language, _)| *language != preferred) {
            let is_kept = |name: &&Piece| pieces.iter().any(|piece| piece.is_same_name(name, *language));
            let lost = names.iter().filter(|name| !is_kept(name)).count() as u32;
            *cost += lost * OWN_NAME;
        }
    }

    /// The parts of a thing that the model has not learned, or of what there is only advice for, if they are a learned thing and what says something of it: a "blue cat" is a
    /// breed, and a cat that is blue.
    fn taken_apart(&self, letters: &[Letter], edges: &[Edge], starts: &[bool], piece: Piece, language: Language) -> Vec<Piece> {
        let is_advice = !piece.senses.is_empty() && piece.senses.iter().all(|sense| sense.kind == Kind::Near);
        if !(is_advice || self.is_unlearned(&piece)) || piece.end - piece.start < 2 {
            return vec![piece];
        }
        let moved = |edge: &Edge| Edge {
            start: edge.start - piece.start,
            end: edge.end - piece.start,
            ..edge.clone()
        };
        let is_part = |edge: &&Edge| edge.start >= piece.start && edge.end <= piece.end && edge.end - edge.start < piece.end - piece.start;
        let inner: Vec<Edge> = edges.iter().filter(is_part).map(moved).collect();
        let (range, place) = (piece.start..piece.end, piece.start);
        let (_, parts) = cheapest(&letters[range.clone()], &inner, &starts[range], language);
        let says = |part: &&Piece| {
            part.senses
                .iter()
                .any(|sense| matches!(sense.kind, Kind::Colour | Kind::Size | Kind::Mood))
        };
        let is_learned = |part: &Piece| {
            let sense = part.senses.first().filter(|sense| sense.kind < Kind::Keyword);
            let concept = sense.and_then(|sense| self.lexicon.concept(sense.concept()?));
            concept.is_some_and(|concept| concept.is_learned())
        };
        let things = parts.iter().filter(|part| !says(part)).collect::<Vec<_>>();
        if parts.len() < 2 || things.len() != 1 || !is_learned(things[0]) {
            return vec![piece];
        }
        let back = |part: Piece| Piece {
            start: part.start + place,
            end: part.end + place,
            ..part
        };
        parts.into_iter().map(back).collect()
    }

    /// The forms that begin at a letter.
    fn forms(&self, letters: &[Letter], start: usize, may_start: &dyn Fn(usize) -> bool, edges: &mut Vec<Edge>) {
        let map = self.lexicon.map();
        let (mut node, mut out) = (map.root(), fst::raw::Output::zero());
        let (mut encoder, mut bytes) = (Encoder::default(), Vec::with_capacity(4));
        let (mut crosses, mut is_spaced) = (false, false);
        for (length, letter) in letters[start..].iter().take(LONGEST).enumerate() {
            crosses |= length > 0 && letter.gap == Gap::Break;
            bytes.clear();
            encoder.push(letter.value, &mut bytes);
            for &byte in &bytes {
                let Some(index) = node.find_input(byte) else { return };
                let step = node.transition(index);
                out = out.cat(step.out);
                node = map.node(step.addr);
            }
            let end = start + length + 1;
            is_spaced |= length > 0 && letter.gap >= Gap::Space;
            if node.is_final() && (end == letters.len() || may_start(end)) {
                let value = out.cat(node.final_output()).value();
                // Only names that have punctuation themselves go on behind it: "family: man, boy".
                let counts = |sense: &Sense| {
                    let is_whole = sense.kind == Kind::Label || !crosses;
                    let is_apart = is_spaced && (sense.is_solid || !sense.is_spaced && self.is_joined(&letters[start..end]));
                    is_whole && !is_apart && !sense.is_stem
                };
                let senses = self.lexicon.senses(value).filter(counts).collect();
                let senses = self.as_accented(letters, start, end, senses);
                edges.extend((!senses.is_empty()).then_some(Edge {
                    start,
                    end,
                    senses,
                    by_stem: false,
                    is_in_other_script: letters[start].script != Script::Latin,
                }));
            }
        }
    }

    /// Whether the first or the last of several words is one that stands beside any thing, as an article does, and the rest is a thing:
    /// "mi niño" is no "minino".
    fn is_joined(&self, letters: &[Letter]) -> bool {
        let is_spaced = |letter: &Letter| letter.gap >= Gap::Space;
        let first = letters.iter().skip(1).position(is_spaced).map_or(letters.len(), |place| place + 1);
        let last = letters.iter().rposition(is_spaced).unwrap_or_default();
        let languages = |word: &[Letter], is_it: fn(Kind) -> bool| {
            let key: String = word.iter().map(|letter| letter.value).collect();
            let senses = self.lexicon.find(&key).map(|value| self.lexicon.senses(value));
            let found = senses.into_iter().flatten().filter(|sense| is_it(sense.kind) && !sense.is_stem);
            found.filter_map(|sense| sense.language).collect::<Vec<_>>()
        };
        let is_joined = |word: &[Letter], rest: &[Letter]| {
            let beside = languages(word, Kind::is_function);
            !beside.is_empty() && languages(rest, Kind::is_name).iter().any(|language| beside.contains(language))
        };
        is_joined(&letters[..first], &letters[first..]) || is_joined(&letters[last..], &letters[..last])
    }

    /// Whether a piece is a thing that the model has not learned: where another language has a learned one, that is meant.
    fn is_unlearned(&self, piece: &Piece) -> bool {
        let concept = piece.senses.first().and_then(|sense| self.lexicon.concept(sense.concept()?));
        concept.is_some_and(|concept| !concept.is_learned())
    }

    /// The senses of what is written with the same accents, where names differ by them alone: "coco" and "cocô".
    fn as_accented(&self, letters: &[Letter], start: usize, end: usize, senses: Vec<Sense>) -> Vec<Sense> {
        let names = senses.iter().filter(|sense| sense.kind == Kind::Name).count();
        if names < 2 || !letters[start..end].iter().any(|letter| letter.accent.is_some()) {
            return senses;
        }
        let key = accented(&letters[start..end]);
        let exact = self.lexicon.find(&key).map(|value| self.lexicon.senses(value).collect());
        exact.unwrap_or(senses)
    }

    /// What the stems of the words that begin at a letter mean, by language.
    fn stemmed(&self, letters: &[Letter], start: usize, edges: &mut Vec<Edge>) {
        let mut end = start;
        for _ in 0..STEMMED_WORDS {
            let word = word_end(letters, end);
            if word == end || (end > start && letters[end].gap == Gap::Break) {
                return;
            }
            end = word;
            for language in languages_of(letters[start].script) {
                edges.extend(self.by_stem(letters, start, end, language));
            }
            if end == letters.len() {
                return;
            }
        }
    }

    fn by_stem(&self, letters: &[Letter], start: usize, end: usize, language: Language) -> Option<Edge> {
        let stem = stem_of(self.stems, language, &letters[start..end])?;
        let ending = (end - start).saturating_sub(stem.chars().count());
        // The Arabic stemmer takes "and" off, which is a word by itself.
        let word = || letters[start..end].iter().map(|letter| letter.value);
        let loses_and = letters[start].value == 'و' && !stem.chars().zip(word()).all(|(one, other)| one == other);
        if ending > LONGEST_ENDING || loses_and {
            return None;
        }
        let is_word =
            |sense: &Sense| sense.language == Some(language) && !matches!(sense.kind, Kind::Keyword | Kind::Near | Kind::Particle);
        let senses: Vec<Sense> = self.lexicon.senses(self.lexicon.find(&stem)?).filter(is_word).collect();
        (!senses.is_empty()).then_some(Edge {
            start,
            end,
            senses,
            by_stem: true,
            is_in_other_script: letters[start].script != Script::Latin,
        })
    }

    /// Where, inside of words, a part may begin or end: behind and before the particles that Arabic joins to words.
    fn inner_starts(&self, letters: &[Letter]) -> Vec<usize> {
        let mut inner = Vec::new();
        let mut start = 0;
        while start < letters.len() {
            let end = word_end(letters, start);
            if letters[start].script == Script::Arabic && end - start > 2 {
                // "And a mouth" has three letters.
                inner.extend((letters[start].value == 'و').then_some(start + 1));
                inner.extend((start + 1..(start + 5).min(end - 2)).filter(|&at| self.is_affix(&letters[start..at])));
                inner.extend((end.saturating_sub(4).max(start + 2)..end).filter(|&at| self.is_affix(&letters[at..end])));
            }
            start = end;
        }
        inner
    }

    fn is_affix(&self, letters: &[Letter]) -> bool {
        let key: String = letters.iter().map(|letter| letter.value).collect();
        let joins = |sense: Sense| {
            matches!(sense.kind, Kind::Particle | Kind::Article) || sense.kind == Kind::Relation && sense.value == Relation::And as u16
        };
        self.lexicon.find(&key).is_some_and(|value| self.lexicon.senses(value).any(joins))
    }
}

/// Whether a form may begin at each letter.
pub(super) fn starts(letters: &[Letter]) -> Vec<bool> {
    let begins = |(at, letter): (usize, &Letter)| {
        letter.gap != Gap::Within || letter.script.is_unspaced() || at > 0 && letters[at - 1].script.is_unspaced()
    };
    letters.iter().enumerate().map(begins).collect()
}

/// Where the word ends that begins at a letter.
pub(super) fn word_end(letters: &[Letter], start: usize) -> usize {
    let behind = letters.iter().skip(start + 1).position(|letter| letter.gap != Gap::Within);
    behind.map_or(letters.len(), |length| start + 1 + length)
}

/// The languages that have stemmers for a script.
fn languages_of(script: Script) -> impl Iterator<Item = Language> {
    let tags: &[&str] = match script {
        Script::Latin => &["en", "es", "fr", "de", "pt", "it"],
        Script::Cyrillic => &["ru"],
        Script::Arabic => &["ar"],
        _ => &[],
    };
    tags.iter().filter_map(|tag| Language::of(tag))
}

impl Default for Language {
    fn default() -> Language {
        Language::ENGLISH
    }
}

/// The cheapest path in a language, and its cost.
fn cheapest(letters: &[Letter], edges: &[Edge], starts: &[bool], language: Language) -> (u32, Vec<Piece>) {
    // The cost up to each letter, and the edge that ends there: none for what is unknown.
    let mut best: Vec<(u32, usize, Option<usize>)> = vec![(u32::MAX, 0, None); letters.len() + 1];
    best[0].0 = 0;
    let mut by_start = edges.iter().enumerate().peekable();
    for at in 0..letters.len() {
        let so_far = best[at].0;
        let mut reach = |end: usize, cost: u32, edge: Option<usize>| {
            let total = so_far.saturating_add(cost);
            if total < best[end].0 {
                best[end] = (total, at, edge);
            }
        };
        while let Some((index, edge)) = by_start.next_if(|(_, edge)| edge.start == at) {
            if so_far != u32::MAX
                && let Some(cost) = edge.cost(language)
            {
                reach(edge.end, cost, Some(index));
            }
        }
        if so_far == u32::MAX {
            continue;
        }
        if letters[at].script.is_unspaced() {
            reach(at + 1, UNKNOWN_LETTER, None);
        } else if starts[at] {
            let end = word_end(letters, at);
            // A letter behind an apostrophe is part of the word before it: "cat's".
            let is_ending = letters[at].gap == Gap::Joint && end == at + 1;
            let is_known = is_ending || letters[at].script == Script::Digit;
            reach(end, if is_known { FORM } else { UNKNOWN_WORD }, None);
        } else {
            reach(word_end(letters, at), UNKNOWN_WORD, None);
        }
    }
    (best[letters.len()].0, path(letters, edges, &best, language))
}

/// The pieces of the path; unknown letters that follow each other are one piece.
fn path(letters: &[Letter], edges: &[Edge], best: &[(u32, usize, Option<usize>)], language: Language) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut end = letters.len();
    while end > 0 {
        let (_, start, edge) = best[end];
        let (senses, by_stem) = edge.map_or((Vec::new(), false), |edge| (edges[edge].senses_in(language), edges[edge].by_stem));
        match pieces.last_mut() {
            Some(next) if edge.is_none() && next.senses.is_empty() && letters[next.start].gap <= Gap::Seam => next.start = start,
            _ => pieces.push(Piece {
                start,
                end,
                senses,
                by_stem,
            }),
        }
        end = start;
    }
    pieces.reverse();
    pieces
}
