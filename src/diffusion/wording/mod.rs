//! What a prompt asks for, in words that a pack's text encoder has learned. Owns the pack's list of words; depends on
//! nothing else.
//!
//! A text encoder that has read the names of things, and little else, takes "a cute picture of a cat, please" for six
//! things. [`Wording::read`] leaves the cat. What it does is what the pack's list says, in whatever languages that has:
//! words that ask for nothing go, what a thing is said to do, hold or be in goes unless the whole is a known name, and
//! so does what no caption has together with the thing. A keyword by itself becomes the name of what it means, a word that
//! was not learned the nearest that was. All other prompts are left as they are, to the byte.

mod lexicon;
mod units;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::Path;

use lexicon::{Entry, Kind, Lexicon};
use units::{Unit, units, written_as_entry};

use super::DiffusionError;

/// Most units of an entry.
const LONGEST: usize = 16;

/// A prompt as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the text encoder gets.
    pub text: String,
    /// Words that have become the nearest which the pack has learned, and those.
    pub nearest: Vec<(String, String)>,
    /// Parts of the prompt that say something which the pack has not learned, in their order.
    pub unread: Vec<String>,
}

impl Reading {
    /// Nothing is left out.
    pub fn whole(prompt: &str) -> Reading {
        Reading {
            text: prompt.to_owned(),
            nearest: Vec::new(),
            unread: Vec::new(),
        }
    }
}

/// Reads prompts with a pack's list of words.
pub struct Wording {
    lexicon: Lexicon,
}

/// Units that are one entry, or one unit that is none.
struct Span<'a> {
    units: Range<usize>,
    entry: Option<Entry<'a>>,
    /// Read instead of what is written: a word without its affix, or the nearest.
    instead: Option<String>,
}

impl Span<'_> {
    fn kind(&self) -> Option<Kind> {
        self.entry.map(|entry| entry.kind)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Kept,
    /// Dropped, and nothing is lost.
    Dropped,
    /// Dropped although it says something.
    Unread,
}

impl Wording {
    /// Reads a list.
    ///
    /// # Errors
    /// If the file cannot be read or a line is not what it has to be; with the line's number.
    pub fn load(file: &Path) -> Result<Wording, DiffusionError> {
        let lexicon = Lexicon::load(file)?;
        Ok(Wording { lexicon })
    }

    /// The prompt without what asks for nothing and without what no picture was learned for.
    ///
    /// Words that the list does not have stay where they are all there is to draw, and where they look like a form of an
    /// attribute, as "roten" of "rote".
    pub fn read(&self, prompt: &str) -> Reading {
        let units = units(prompt);
        let mut spans = self.spans(&units);
        let fates = self.fates(&units, &spans);
        name_alone(&units, &mut spans, &fates);
        let kept = |span: &Span| matches!(span.kind(), Some(Kind::Thing | Kind::Word) | None);
        let something = spans.iter().zip(&fates).any(|(span, &fate)| fate == Fate::Kept && kept(span));
        let other = |span: &Span, fate: Fate| span.instead.is_some() || (fate != Fate::Kept && span.kind() != Some(Kind::Article));
        let changed = spans.iter().zip(&fates).any(|(span, &fate)| other(span, fate));
        if !something || !changed {
            return Reading::whole(prompt);
        }
        Reading {
            text: rebuilt(prompt, &units, &spans, &fates),
            nearest: nearest(prompt, &units, &spans, &fates),
            unread: unread(prompt, &units, &spans, &fates),
        }
    }

    /// The prompt as entries, at each place the longest that the list has.
    fn spans(&self, units: &[Unit]) -> Vec<Span<'_>> {
        let (mut spans, mut begin) = (Vec::new(), 0);
        while begin < units.len() {
            let span = self.longest(units, begin).unwrap_or_else(|| self.bare(units, begin));
            begin = span.units.end;
            spans.push(span);
        }
        spans
    }

    fn longest(&self, units: &[Unit], begin: usize) -> Option<Span<'_>> {
        let part = &units[begin..units.len().min(begin + LONGEST)];
        let length = part
            .iter()
            .skip(1)
            .position(|unit| unit.broken)
            .map_or(part.len(), |place| place + 1);
        (1..=length).rev().find_map(|length| {
            let entry = self.lexicon.find(&written_as_entry(&part[..length]));
            let entry = entry.filter(|entry| entry.kind != Kind::Affix)?;
            Some(Span {
                units: begin..begin + length,
                entry: Some(entry),
                instead: entry.nearest.map(str::to_owned),
            })
        })
    }

    /// A unit that is no entry; where it is one with an affix, that entry.
    fn bare(&self, units: &[Unit], place: usize) -> Span<'_> {
        let word = &units[place].key;
        let is_affix = |part: &str| self.lexicon.find(part).is_some_and(|entry| entry.kind == Kind::Affix);
        let rest = word.char_indices().skip(1).find_map(|(middle, _)| {
            let (before, behind) = word.split_at(middle);
            let rests = [(before, behind), (behind, before)];
            rests
                .into_iter()
                .find_map(|(affix, rest)| is_affix(affix).then(|| Some((self.lexicon.find(rest)?, rest.to_owned()))).flatten())
        });
        let (entry, instead) = rest.unzip();
        Span {
            units: place..place + 1,
            entry,
            instead,
        }
    }

    fn fates(&self, units: &[Unit], spans: &[Span]) -> Vec<Fate> {
        let mut fates = cut(units, spans);
        let known = |span: &Span| matches!(span.kind(), Some(Kind::Thing | Kind::Word));
        if spans.iter().zip(&fates).any(|(span, &fate)| fate == Fate::Kept && known(span)) {
            for (span, fate) in spans.iter().zip(&mut fates) {
                let unit = &units[span.units.start];
                // Where no spaces tell the end of a word, an unknown character may belong to the known ones beside it.
                if *fate == Fate::Kept && span.entry.is_none() && !unit.single && !self.lexicon.resembles_attribute(&unit.key) {
                    *fate = Fate::Unread;
                }
            }
        }
        drop_strangers(units, spans, &mut fates);
        drop_loose_relations(spans, &mut fates);
        fates
    }
}

/// Without what asks for nothing, and without what belongs to a thing before it.
fn cut(units: &[Unit], spans: &[Span]) -> Vec<Fate> {
    let (mut things, mut unknown, mut cutting) = (false, false, false);
    let fate = |(index, span): (usize, &Span)| {
        cutting &= !units[span.units.start].broken;
        cutting |= match span.kind() {
            Some(Kind::Join) => things || unknown,
            Some(Kind::Link) => things,
            _ => things && is_before_article(units, &spans[index..]),
        };
        things |= !cutting && span.kind() == Some(Kind::Thing);
        unknown |= span.entry.is_none() && !units[span.units.start].single;
        match span.kind() {
            _ if cutting => Fate::Unread,
            Some(Kind::Article | Kind::Aside | Kind::Join | Kind::Link | Kind::Affix) => Fate::Dropped,
            Some(Kind::Thing | Kind::Word | Kind::Attribute | Kind::Colour | Kind::Relation) | None => Fate::Kept,
        }
    };
    spans.iter().enumerate().map(fate).collect()
}

/// The spans between relations and punctuation that are kept, by their places.
fn groups(units: &[Unit], spans: &[Span], fates: &[Fate]) -> Vec<Vec<usize>> {
    let begins = |index: usize| spans[index].kind() == Some(Kind::Relation) || units[spans[index].units.start].broken;
    let places: Vec<usize> = (0..spans.len()).collect();
    let groups = places.chunk_by(|_, next| !begins(*next));
    let kept = |group: &[usize]| group.iter().copied().filter(|&index| fates[index] == Fate::Kept).collect();
    groups.map(kept).collect()
}

/// Leaves out words that are in no caption together with the last thing of their group, where the list tells of all of them.
fn drop_strangers(units: &[Unit], spans: &[Span], fates: &mut [Fate]) {
    for group in groups(units, spans, fates) {
        let last = group.iter().rev().find(|&&index| spans[index].kind() == Some(Kind::Thing));
        let Some(thing) = last.and_then(|&index| spans[index].entry) else {
            continue;
        };
        let words = |index: &usize| spans[*index].entry.filter(|entry| matches!(entry.kind, Kind::Thing | Kind::Word));
        if group.iter().filter_map(words).any(|word| word.concepts.is_empty()) {
            continue;
        }
        for index in group {
            if words(&index).is_some_and(|word| !word.is_known_with(&thing)) {
                fates[index] = Fate::Unread;
            }
        }
    }
}

/// Puts the name of what is meant in the place of words beside which there are numbers and the like alone; not in lists of words,
/// which say together what is meant.
fn name_alone(units: &[Unit], spans: &mut [Span], fates: &[Fate]) {
    let mut groups = groups(units, spans, fates);
    groups.retain(|group| !group.is_empty());
    let related = |group: &Vec<usize>| spans[group[0]].kind() == Some(Kind::Relation);
    if groups.iter().skip(1).any(|group| !related(group)) {
        return;
    }
    for group in groups {
        let mut words = group
            .into_iter()
            .filter(|&index| !matches!(spans[index].kind(), Some(Kind::Attribute | Kind::Relation)));
        let (Some(index), None) = (words.next(), words.next()) else {
            continue;
        };
        if let Some(name) = spans[index].entry.and_then(|entry| entry.name) {
            spans[index].instead = Some(name.to_owned());
        }
    }
}

/// Whether an unknown word comes first and an article follows it, as in "fighting a dragon": it joins two things.
fn is_before_article(units: &[Unit], spans: &[Span]) -> bool {
    let [first, second, ..] = spans else { return false };
    first.entry.is_none() && second.kind() == Some(Kind::Article) && !units[second.units.start].broken
}

/// Relations without something on either side.
fn drop_loose_relations(spans: &[Span], fates: &mut [Fate]) {
    let kept: Vec<usize> = (0..spans.len()).filter(|&index| fates[index] == Fate::Kept).collect();
    let relation = |index: &usize| spans[*index].kind() == Some(Kind::Relation);
    for (place, index) in kept.iter().enumerate().filter(|(_, index)| relation(index)) {
        let before = place.checked_sub(1).is_some_and(|before| !relation(&kept[before]));
        let behind = kept.get(place + 1).is_some_and(|behind| !relation(behind));
        if !before || !behind {
            fates[*index] = Fate::Dropped;
        }
    }
}

/// What is kept, as it was written, with commas where punctuation was.
fn rebuilt(prompt: &str, units: &[Unit], spans: &[Span], fates: &[Fate]) -> String {
    let mut text = String::new();
    let (mut broken, mut single) = (false, false);
    for (span, &fate) in spans.iter().zip(fates) {
        let (first, last) = (&units[span.units.start], &units[span.units.end - 1]);
        broken |= first.broken;
        if fate != Fate::Kept {
            continue;
        }
        if !text.is_empty() {
            text.push_str(match (broken, single && first.single) {
                (true, _) => ", ",
                (false, true) => "",
                (false, false) => " ",
            });
        }
        text.push_str(span.instead.as_deref().unwrap_or(written(prompt, units, &span.units)));
        (broken, single) = (false, last.single);
    }
    text
}

fn written<'a>(prompt: &'a str, units: &[Unit], range: &Range<usize>) -> &'a str {
    &prompt[units[range.start].place.start..units[range.end - 1].place.end]
}

fn nearest(prompt: &str, units: &[Unit], spans: &[Span], fates: &[Fate]) -> Vec<(String, String)> {
    let kept = spans.iter().zip(fates).filter(|(_, fate)| **fate == Fate::Kept);
    kept.filter_map(|(span, _)| Some((span, span.entry?.nearest?)))
        .map(|(span, nearest)| (written(prompt, units, &span.units).to_owned(), nearest.to_owned()))
        .collect()
}

fn unread(prompt: &str, units: &[Unit], spans: &[Span], fates: &[Fate]) -> Vec<String> {
    let lost: Vec<(&Span, bool)> = spans.iter().zip(fates).map(|(span, &fate)| (span, fate == Fate::Unread)).collect();
    lost.chunk_by(|one, other| one.1 && other.1 && !units[other.0.units.start].broken)
        .filter(|chunk| chunk[0].1)
        .map(|chunk| {
            let whole = chunk[0].0.units.start..chunk[chunk.len() - 1].0.units.end;
            written(prompt, units, &whole).to_owned()
        })
        .collect()
}
