//! Decides what each word does in its prompt. Owns the rules by which a word that may be several things becomes one; depends on
//! the pieces of a prompt.
//!
//! "Orange" is a colour beside a fish and a fruit alone; "snow" is where a cat is, and what is drawn where nothing else is asked
//! for; a Korean counter counts behind a number alone. A word is what modifies a thing where there is a thing to be modified.

use super::lexicon::{ConceptId, Sense};
use super::normalise::{Gap, Letter, Script};
use super::segments::Piece;
use super::vocabulary::{Kind, Language, Relation};

/// A word and what it does.
#[derive(Clone, Debug)]
pub(super) struct Word {
    /// First letter, and the one behind the last.
    pub start: usize,
    pub end: usize,
    pub part: Part,
    /// The sense that was chosen; nothing for what is unknown.
    pub sense: Option<Sense>,
    pub by_stem: bool,
    /// Punctuation stands before it.
    pub is_broken: bool,
    /// A space stands before it.
    pub is_spaced: bool,
    /// Set for what was read as another word.
    pub note: Option<Read>,
}

/// A word that was not found as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Corrected,
    Compound,
}

/// What a word does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Object(ConceptId),
    Colour(u16),
    /// How many; nothing for an indefinite number.
    Number(Option<u32>),
    Size(u16),
    Mood(u16),
    Place(u16),
    Style(u16),
    Relation(Relation),
    Filler,
    Unknown,
}

/// A kind, and what a word of it does.
type Modifier = (Kind, fn(u16) -> Part);

/// What a piece may be.
struct Options<'a> {
    senses: &'a [Sense],
}

impl Options<'_> {
    fn of(&self, kind: Kind) -> Option<Sense> {
        self.senses.iter().find(|sense| sense.kind == kind).copied()
    }

    fn object(&self) -> Option<Sense> {
        self.senses.iter().find(|sense| sense.kind.is_object()).copied()
    }

    /// A thing by its name or a form of it, not by a keyword; nor an article, as French "des", which are dice too.
    fn is_strong(&self) -> bool {
        self.object().is_some_and(|sense| sense.kind < Kind::Keyword) && self.of(Kind::Article).is_none()
    }

    /// Nothing but a thing.
    fn is_pure(&self) -> bool {
        self.is_strong() && self.senses.iter().all(|sense| sense.kind.is_object() || sense.kind == Kind::Near)
    }

    fn relation(&self) -> Option<Relation> {
        let relations = self.senses.iter().filter(|sense| sense.kind == Kind::Relation);
        relations
            .filter_map(|sense| Relation::from_index(usize::from(sense.value)))
            .min_by_key(|relation| match relation {
                Relation::And => 0,
                Relation::Without => 1,
                Relation::With => 2,
                other => 3 + *other as usize,
            })
    }
}

/// Decides for every piece.
pub(super) fn decide(letters: &[Letter], pieces: &[Piece], language: Language) -> Vec<Word> {
    let options: Vec<Options> = pieces.iter().map(|piece| Options { senses: &piece.senses }).collect();
    let clauses = clauses(letters, pieces, &options);
    let mut words: Vec<Word> = Vec::with_capacity(pieces.len());
    for (index, piece) in pieces.iter().enumerate() {
        let context = Context {
            options: &options,
            clauses: &clauses,
            index,
            language,
        };
        let behind_number = words
            .iter()
            .rev()
            .find(|word| word.part != Part::Filler)
            .is_some_and(|word| matches!(word.part, Part::Number(_)));
        let (part, sense) = context.part(letters, piece, behind_number);
        words.push(Word {
            start: piece.start,
            end: piece.end,
            part,
            sense,
            by_stem: piece.by_stem,
            is_broken: letters[piece.start].gap == Gap::Break && piece.start > 0,
            is_spaced: letters[piece.start].gap >= Gap::Space,
            note: None,
        });
    }
    forget_numbers_in_words(letters, &mut words);
    words
}

/// "Two-headed": a number that is joined to what is not known is part of it.
fn forget_numbers_in_words(letters: &[Letter], words: &mut [Word]) {
    for index in 1..words.len() {
        let is_joined = letters[words[index].start].gap == Gap::Joint && words[index].part == Part::Unknown;
        if is_joined && matches!(words[index - 1].part, Part::Number(_)) {
            words[index - 1].part = Part::Unknown;
        }
    }
}

/// The number of each piece's clause: what lies between punctuation and relations.
fn clauses(letters: &[Letter], pieces: &[Piece], options: &[Options]) -> Vec<usize> {
    let mut clause = 0;
    let mut numbers = Vec::with_capacity(pieces.len());
    for (piece, options) in pieces.iter().zip(options) {
        let relation = options.relation().is_some() && !options.is_strong();
        if letters[piece.start].gap == Gap::Break || relation {
            clause += 1;
        }
        numbers.push(clause);
    }
    numbers
}

struct Context<'a> {
    options: &'a [Options<'a>],
    clauses: &'a [usize],
    index: usize,
    language: Language,
}

impl Context<'_> {
    /// Whether another piece of the same clause is surely a thing.
    fn has_thing_beside(&self) -> bool {
        self.others()
            .any(|index| self.clauses[index] == self.clauses[self.index] && self.options[index].is_pure())
    }

    /// Whether another piece is surely a thing.
    fn has_thing(&self) -> bool {
        self.others().any(|index| self.options[index].is_pure())
    }

    /// Whether the piece's clause is one of a list, joined to others by "and" on one side and by nothing else on the other: what stands
    /// alone there is a thing.
    fn is_listed(&self) -> bool {
        let clause = self.clauses[self.index];
        let joint = |clause: usize| {
            let first = self.clauses.iter().position(|&other| other == clause);
            first.and_then(|index| self.options[index].relation())
        };
        let (before, behind) = (joint(clause), joint(clause + 1));
        let is_list = |relation: Option<Relation>| relation.is_none_or(|relation| relation == Relation::And);
        is_list(before) && is_list(behind) && (before.is_some() || behind.is_some())
    }

    /// Whether another piece is the thing that this one says something of.
    fn is_aside(&self, options: &Options) -> bool {
        self.has_thing_beside() || self.has_thing() && !(options.is_strong() && self.is_listed())
    }

    fn others(&self) -> impl Iterator<Item = usize> {
        (0..self.options.len()).filter(|&index| index != self.index)
    }

    /// Whether, of the pieces of its clause that may be things, this one is where the thing stands.
    fn is_head(&self) -> bool {
        let mut alike =
            (0..self.options.len()).filter(|&index| self.clauses[index] == self.clauses[self.index] && self.options[index].is_strong());
        let head = if self.language.is_head_first() {
            alike.next()
        } else {
            alike.next_back()
        };
        head == Some(self.index)
    }

    /// Whether the piece modifies a thing instead of being one.
    fn modifies(&self) -> bool {
        let options = &self.options[self.index];
        options.object().is_none()
            || self.has_thing_beside()
            || options.is_strong() && !self.is_head()
            || !options.is_strong() && (self.has_object_beside() || self.has_strong())
    }

    /// Whether another piece of the same clause may be a thing.
    fn has_object_beside(&self) -> bool {
        self.others()
            .any(|index| self.clauses[index] == self.clauses[self.index] && self.options[index].object().is_some())
    }

    fn part(&self, letters: &[Letter], piece: &Piece, behind_number: bool) -> (Part, Option<Sense>) {
        let options = &self.options[self.index];
        let is_digits = letters[piece.start..piece.end].iter().all(|letter| letter.script == Script::Digit);
        // "The letter A" names something; an article stands before a thing.
        let is_last = self.index > 0 && self.index + 1 == self.options.len();
        if is_last && options.of(Kind::Article).is_some() && options.object().is_none() {
            return (Part::Unknown, None);
        }
        if options.senses.is_empty() || is_digits && (self.options.len() > 1 || !options.is_strong()) {
            return unknown(letters, piece);
        }
        if behind_number
            && let Some(sense) = options.of(Kind::Classifier).or(options.of(Kind::Measure))
            && (!options.is_strong() || self.has_thing_beside() || !self.is_listed() && self.has_thing())
        {
            return (Part::Filler, Some(sense));
        }
        let object = options.object().map(|sense| (Part::Object(ConceptId(sense.value)), Some(sense)));
        if options.is_strong() && !self.others().any(|index| self.options[index].object().is_some()) {
            return object.unwrap_or((Part::Unknown, None));
        }
        let chosen = self.modifier(options).or(object);
        chosen
            .or_else(|| filler(options))
            .unwrap_or((Part::Unknown, options.senses.first().copied()))
    }

    /// What the piece says of a thing, where it does.
    fn modifier(&self, options: &Options) -> Option<(Part, Option<Sense>)> {
        let value = |sense: Sense| sense.value;
        if let Some(sense) = options
            .of(Kind::Number)
            .filter(|_| !options.is_strong() || !self.is_listed() || self.has_object_beside())
        {
            let number = if value(sense) == 12 {
                None
            } else {
                Some(u32::from(value(sense)) + 1)
            };
            return Some((Part::Number(number), Some(sense)));
        }
        if let Some(relation) = options.relation()
            && (!options.is_strong() || self.has_thing_beside())
        {
            return Some((Part::Relation(relation), options.of(Kind::Relation)));
        }
        let kinds: [Modifier; 3] = [(Kind::Colour, Part::Colour), (Kind::Size, Part::Size), (Kind::Mood, Part::Mood)];
        for (kind, part) in kinds {
            if let Some(sense) = options.of(kind).filter(|_| self.modifies()) {
                return Some((part(value(sense)), Some(sense)));
            }
        }
        let kinds: [Modifier; 2] = [(Kind::Style, Part::Style), (Kind::Place, Part::Place)];
        for (kind, part) in kinds {
            if let Some(sense) = options
                .of(kind)
                .filter(|_| options.object().is_none() || self.is_aside(options) || !options.is_strong() && self.has_strong())
            {
                return Some((part(value(sense)), Some(sense)));
            }
        }
        let is_aside = options
            .object()
            .is_none_or(|_| self.is_aside(options) || !options.is_strong() && self.has_strong());
        // "A box of cats", but "a cat in a box"; counters count behind numbers alone.
        let counts = |kind: Kind| match kind {
            Kind::Classifier => options.object().is_none(),
            Kind::Measure => !options.is_strong() || self.has_thing_beside(),
            _ => true,
        };
        filler(options).filter(|(_, sense)| is_aside && sense.is_none_or(|sense| counts(sense.kind)))
    }

    fn has_strong(&self) -> bool {
        self.others().any(|index| self.options[index].is_strong())
    }
}

fn filler(options: &Options) -> Option<(Part, Option<Sense>)> {
    let kinds = [Kind::Filler, Kind::Article, Kind::Measure, Kind::Particle, Kind::Classifier];
    kinds
        .into_iter()
        .find_map(|kind| options.of(kind))
        .map(|sense| (Part::Filler, Some(sense)))
}

/// What a piece without senses is: digits are a number, and a letter behind an apostrophe belongs to the word before it.
fn unknown(letters: &[Letter], piece: &Piece) -> (Part, Option<Sense>) {
    let text: String = letters[piece.start..piece.end].iter().map(|letter| letter.value).collect();
    if let Ok(number) = text.parse::<u32>() {
        return (Part::Number(Some(number)), None);
    }
    let is_ending = letters[piece.start].gap == Gap::Joint && piece.end == piece.start + 1;
    (if is_ending { Part::Filler } else { Part::Unknown }, None)
}
