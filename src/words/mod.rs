//! What a prompt asks for, in words that a pack's text encoder has learned. Owns the pack's word list; knows no model and
//! depends only on [`crate::picture`], for how many objects fit into one picture.
//!
//! A text encoder that was trained on names of objects and little else takes "a cute picture of a cat, please" for six
//! objects. [`Reader::read`] reduces it to the cat, by the rules of the pack's word list: filler words are removed; so is
//! what an object does, holds or wears, unless the whole phrase is a known name; so is every word that no training caption
//! has together with the object. A keyword by itself becomes the name it stands for; a word that was not learned becomes the
//! nearest one that was. All other prompts stay as they are, to the byte. Several objects ("two cats and a dog") are
//! separated, so that each can be drawn by itself.

mod arrangement;
mod error;
mod lexicon;
mod units;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

pub use arrangement::Arrangement;
pub use error::WordsError;
use lexicon::{Entry, Kind, Lexicon, Relation};
use units::{Unit, units, written_as_entry};

/// Most units of an entry.
const LONGEST: usize = 16;
/// Ends by which an unknown word may be more than one of a known thing, in English, Spanish, French and Portuguese; in German, where the
/// list says nothing else; and the fewest bytes of what is left.
const PLURALS: [&str; 2] = ["s", "es"];
const GERMAN_PLURALS: [&str; 3] = ["e", "n", "en"];
const SHORTEST: usize = 3;

/// A prompt as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the text encoder gets.
    pub text: String,
    /// Words that were replaced, by the nearest word that the pack has learned.
    pub nearest: BTreeMap<String, String>,
    /// Parts of the prompt that ask for something which the pack has not learned, in order.
    pub unread: Vec<String>,
    /// The prompt's objects, if there are several that can be drawn one by one.
    pub arrangement: Option<Arrangement>,
    /// A style that the first object was learned in, if it was learned neither in the pack's default style nor in a similar one.
    pub style: Option<String>,
}

impl Reading {
    /// The prompt as it is.
    pub fn whole(prompt: &str) -> Reading {
        Reading {
            text: prompt.to_owned(),
            nearest: BTreeMap::new(),
            unread: Vec::new(),
            arrangement: None,
            style: None,
        }
    }
}

/// Reads prompts by a pack's word list.
pub struct Reader {
    lexicon: Lexicon,
}

/// Units that are one entry, or one unit that is none.
#[derive(Clone)]
struct Span<'a> {
    units: &'a [Unit],
    entry: Option<Entry<'a>>,
    /// Read instead of what is written: a word without its affix, the nearest, or the name.
    instead: Option<&'a str>,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Kept,
    /// Dropped, and nothing is lost.
    Dropped,
    /// Dropped although it says something.
    Unread,
}

impl Span<'_> {
    fn kind(&self) -> Option<Kind> {
        self.entry.map(|entry| entry.kind)
    }

    /// Whether it is something to draw, as far as the list knows it.
    fn is_caption(&self) -> bool {
        matches!(self.kind(), Some(Kind::Thing | Kind::Word))
    }

    fn is_kept(&self) -> bool {
        self.fate == Fate::Kept
    }

    /// Kept as what stands between two things.
    fn relation(&self) -> Option<Relation> {
        match self.kind() {
            Some(Kind::Relation(relation)) if self.is_kept() => Some(relation),
            _ => None,
        }
    }

    /// Says how many.
    fn number(&self) -> Option<usize> {
        match self.kind() {
            Some(Kind::Number(number)) => Some(number),
            _ => None,
        }
    }

    fn broken(&self) -> bool {
        self.units[0].broken
    }

    fn is_changed(&self) -> bool {
        self.instead.is_some() || (!self.is_kept() && self.kind() != Some(Kind::Article))
    }
}

impl Reader {
    /// Loads a word list.
    ///
    /// # Errors
    /// If the file cannot be read or a line is invalid; the error names the line.
    pub fn load(file: &Path) -> Result<Reader, WordsError> {
        let lexicon = Lexicon::load(file)?;
        Ok(Reader { lexicon })
    }

    /// The prompt without what asks for nothing and without what no picture was learned for.
    ///
    /// Words that the list does not have stay where they are all there is to draw, and where they look like a form of an
    /// attribute, as "roten" of "rote".
    pub fn read(&self, prompt: &str) -> Reading {
        let units = units(prompt);
        let mut spans = self.spans(&units);
        cut(&mut spans);
        self.drop_unknown(&mut spans);
        groups(&mut spans).for_each(drop_strangers);
        drop_loose_relations(&mut spans);
        name_alone(&mut spans);
        let something = spans
            .iter()
            .any(|span| span.is_kept() && (span.entry.is_none() || span.is_caption()));
        if !something {
            return Reading::whole(prompt);
        }
        let (arrangement, style) = (self.arrangement(prompt, &spans), self.style(&spans));
        if !spans.iter().any(Span::is_changed) {
            return Reading {
                arrangement,
                style,
                ..Reading::whole(prompt)
            };
        }
        Reading {
            text: rebuilt(prompt, &spans),
            nearest: nearest(prompt, &spans),
            unread: unread(prompt, &spans),
            arrangement,
            style,
        }
    }

    /// The style that the list tells for a group of words.
    fn style(&self, spans: &[Span]) -> Option<String> {
        let mut groups = spans.chunk_by(|_, next| is_of_same_group(next));
        groups
            .find_map(|group| self.lexicon.style(&shared_concepts(group)))
            .map(str::to_owned)
    }

    /// The prompt as entries, at each place the longest that the list has.
    fn spans<'a>(&'a self, mut units: &'a [Unit]) -> Vec<Span<'a>> {
        let mut spans = Vec::new();
        while !units.is_empty() {
            let span = self.longest(units).unwrap_or_else(|| self.bare(&units[..1]));
            units = &units[span.units.len()..];
            spans.push(span);
        }
        spans
    }

    fn longest<'a>(&'a self, units: &'a [Unit]) -> Option<Span<'a>> {
        let mut behind = units.iter().take(LONGEST).skip(1);
        let length = behind
            .position(|unit| unit.broken)
            .map_or(units.len().min(LONGEST), |place| place + 1);
        (1..=length).rev().find_map(|length| {
            let units = &units[..length];
            let entry = self.lexicon.find(&written_as_entry(units));
            let entry = entry.filter(|entry| entry.kind != Kind::Affix)?;
            Some(Span {
                units,
                entry: Some(entry),
                instead: entry.nearest,
                fate: Fate::Kept,
            })
        })
    }

    /// A unit that is no entry; where it is one with an affix, or more than one of a thing, that entry.
    fn bare<'a>(&'a self, units: &'a [Unit]) -> Span<'a> {
        let word = units[0].key.as_str();
        let is_affix = |part| self.lexicon.find(part).is_some_and(|entry| entry.kind == Kind::Affix);
        let middles = word.char_indices().skip(1).map(|(middle, _)| word.split_at(middle));
        let splits = middles.flat_map(|(before, behind)| [(before, behind), (behind, before)]);
        let known = splits
            .filter(|(affix, _)| is_affix(affix))
            .find_map(|(_, rest)| Some((self.lexicon.find(rest)?, rest)));
        let of_end = |end: &&str| self.thing(word.strip_suffix(*end)?);
        let german = || {
            GERMAN_PLURALS
                .iter()
                .filter_map(of_end)
                .find(|(entry, _)| entry.concepts.is_empty())
        };
        let several = || PLURALS.iter().find_map(of_end).or_else(german);
        let (entry, instead) = known.or_else(several).unzip();
        Span {
            units,
            entry,
            instead,
            fate: Fate::Kept,
        }
    }

    /// The entry of a thing, with its word.
    fn thing<'a>(&'a self, word: &'a str) -> Option<(Entry<'a>, &'a str)> {
        let entry = self.lexicon.find(word)?;
        (entry.kind == Kind::Thing && word.len() >= SHORTEST).then_some((entry, word))
    }

    /// Leaves out words that the list does not have, where something else is left.
    fn drop_unknown(&self, spans: &mut [Span]) {
        if !spans.iter().any(|span| span.is_kept() && span.is_caption()) {
            return;
        }
        for span in spans.iter_mut().filter(|span| span.is_kept() && span.entry.is_none()) {
            let unit = &span.units[0];
            // Where no spaces tell the end of a word, an unknown character may belong to the known ones beside it.
            if !unit.single && !self.lexicon.resembles_attribute(&unit.key) {
                span.fate = Fate::Unread;
            }
        }
    }
}

/// Drops what asks for nothing, and what belongs to a thing before it.
fn cut(spans: &mut [Span]) {
    let (mut things, mut unknown, mut cutting) = (false, false, false);
    for index in 0..spans.len() {
        let joins = is_before_article(&spans[index..]);
        let span = &mut spans[index];
        cutting &= !span.broken();
        cutting |= match span.kind() {
            Some(Kind::Join) => things || unknown,
            Some(Kind::Link) => things,
            _ => things && joins,
        };
        things |= !cutting && span.kind() == Some(Kind::Thing);
        unknown |= span.entry.is_none() && !span.units[0].single;
        span.fate = match span.kind() {
            _ if cutting => Fate::Unread,
            Some(Kind::Article | Kind::Aside | Kind::Join | Kind::Link | Kind::Affix) => Fate::Dropped,
            Some(Kind::Thing | Kind::Word | Kind::Attribute | Kind::Number(_) | Kind::Colour | Kind::Relation(_)) | None => Fate::Kept,
        };
    }
}

/// Whether an unknown word comes first and an article follows it, as in "fighting a dragon": it joins two things.
fn is_before_article(spans: &[Span]) -> bool {
    let [first, second, ..] = spans else { return false };
    first.entry.is_none() && second.kind() == Some(Kind::Article) && !second.broken()
}

/// The spans between relations, numbers and punctuation.
fn groups<'a, 'b>(spans: &'b mut [Span<'a>]) -> impl Iterator<Item = &'b mut [Span<'a>]> {
    spans.chunk_by_mut(|_, next| is_of_same_group(next))
}

/// Whether a span goes on with the group of the one before it.
fn is_of_same_group(span: &Span) -> bool {
    !matches!(span.kind(), Some(Kind::Relation(_) | Kind::Number(_))) && !span.broken()
}

/// What the list says of a group's words that are to be drawn.
fn to_draw<'a>(group: &[Span<'a>]) -> impl DoubleEndedIterator<Item = Entry<'a>> {
    let kept = group.iter().filter(|span| span.is_kept() && span.is_caption());
    kept.filter_map(|span| span.entry)
}

/// The concepts that have all words of a group that are kept; none where the list does not tell those of one.
fn shared_concepts<'a>(group: &[Span<'a>]) -> Vec<&'a str> {
    let mut words = to_draw(group);
    let Some(first) = words.next() else { return Vec::new() };
    let others: Vec<Entry> = words.collect();
    let concepts = first.concepts.split(' ');
    concepts.filter(|concept| others.iter().all(|entry| entry.has(concept))).collect()
}

/// Leaves out words that are in no caption together with the last thing of their group, where the list tells of all of them.
fn drop_strangers(group: &mut [Span]) {
    let words = || to_draw(group);
    let Some(thing) = words().rfind(|entry| entry.kind == Kind::Thing) else {
        return;
    };
    if words().any(|word| word.concepts.is_empty()) {
        return;
    }
    for span in group.iter_mut().filter(|span| span.is_kept() && span.is_caption()) {
        if span.entry.is_some_and(|word| !word.is_known_with(&thing)) {
            span.fate = Fate::Unread;
        }
    }
}

/// Drops relations without something on either side.
fn drop_loose_relations(spans: &mut [Span]) {
    let mut kept: Vec<&mut Span> = spans.iter_mut().filter(|span| span.is_kept()).collect();
    let is_relation: Vec<bool> = kept.iter().map(|span| span.relation().is_some()).collect();
    let is_other = |place: Option<usize>| place.and_then(|place| is_relation.get(place)).is_some_and(|relation| !relation);
    for (place, span) in kept.iter_mut().enumerate().filter(|(place, _)| is_relation[*place]) {
        if !is_other(place.checked_sub(1)) || !is_other(Some(place + 1)) {
            span.fate = Fate::Dropped;
        }
    }
}

/// Puts the name of what is meant in the place of words beside which there are numbers and the like alone; not in lists of words,
/// which say together what is meant.
fn name_alone(spans: &mut [Span]) {
    let begins = |group: &&mut [Span]| group.iter().find(|span| span.is_kept()).map(|span| span.relation().is_some());
    if groups(spans).filter_map(|group| begins(&group)).skip(1).any(|related| !related) {
        return;
    }
    for group in groups(spans) {
        if let Some(word) = only_word(group) {
            word.instead = word.entry.and_then(|entry| entry.name).or(word.instead);
        }
    }
}

/// The word of a group beside which there are numbers and the like alone.
fn only_word<'a, 'b>(group: &'b mut [Span<'a>]) -> Option<&'b mut Span<'a>> {
    let beside = |kind| matches!(kind, Some(Kind::Attribute | Kind::Number(_) | Kind::Relation(_)));
    let mut words = group.iter_mut().filter(|span| span.is_kept() && !beside(span.kind()));
    let word = words.next()?;
    words.next().is_none().then_some(word)
}

/// What is kept, as it was written, with commas where punctuation was.
fn rebuilt(prompt: &str, spans: &[Span]) -> String {
    let mut text = String::new();
    let (mut broken, mut single) = (false, false);
    for span in spans {
        broken |= span.broken();
        if !span.is_kept() {
            continue;
        }
        if !text.is_empty() {
            text.push_str(match (broken, single && span.units[0].single) {
                (true, _) => ", ",
                (false, true) => "",
                (false, false) => " ",
            });
        }
        text.push_str(span.instead.unwrap_or(written(prompt, std::slice::from_ref(span))));
        (broken, single) = (false, span.units[span.units.len() - 1].single);
    }
    text
}

/// What stands in the prompt for some spans, at least one.
fn written<'a>(prompt: &'a str, spans: &[Span]) -> &'a str {
    let units = || spans.iter().flat_map(|span| span.units);
    let ends = units().next().zip(units().last());
    ends.map_or("", |(first, last)| &prompt[first.place.start..last.place.end])
}

fn nearest(prompt: &str, spans: &[Span]) -> BTreeMap<String, String> {
    let kept = spans.iter().filter(|span| span.is_kept());
    kept.filter_map(|span| {
        Some((
            written(prompt, std::slice::from_ref(span)).to_owned(),
            span.entry?.nearest?.to_owned(),
        ))
    })
    .collect()
}

fn unread(prompt: &str, spans: &[Span]) -> Vec<String> {
    let is_lost = |span: &Span| span.fate == Fate::Unread;
    spans
        .chunk_by(|one, other| is_lost(one) && is_lost(other) && !other.broken())
        .filter(|chunk| is_lost(&chunk[0]))
        .map(|chunk| written(prompt, chunk).to_owned())
        .collect()
}
