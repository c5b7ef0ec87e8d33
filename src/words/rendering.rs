//! What the text encoder gets for a sentence, how its objects are laid out, and what there is to say. Depends on the sentence.

use super::arrangement::{Arrangement, Placed, arrange};
use super::lexicon::{Concept, Lexicon};
use super::normalise::{Letter, key};
use super::roles::{Part, Word};
use super::sentence::{Count, Fate, Link, Sentence, Thing};
use super::vocabulary::{COLOURS, Kind, Language, MOODS, PLACES, Relation, SIZES, STYLES};
use super::{AskedStyle, Found, Object, Reading, Remark, Span, found_of, place_of, role_of};

/// Most objects of a picture.
const MOST: u32 = 9;
/// How many are drawn of "many".
const MANY: u32 = 5;
/// Colours that captions do not name, and those that come nearest.
const NEAR_COLOURS: [(&str, &str); 2] = [("gold", "yellow"), ("silver", "gray")];
/// The first so many colours, and the size, that captions name; and the mood that they do not.
const LEARNED_COLOURS: usize = 11;
const LEARNED_SIZE: &str = "small";
const UNLEARNED_MOOD: &str = "in_love";
/// Words for moods that captions have as well.
const LEARNED_MOODS: [&str; 5] = ["smiling", "sleepy", "grinning", "winking", "smiley"];
const NUMBERS: [&str; 10] = ["", "", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// A prompt whose words have roles.
pub(super) struct Prompt<'a> {
    pub lexicon: &'a Lexicon,
    pub text: &'a str,
    pub letters: &'a [Letter],
    pub words: &'a [Word],
    /// Where things without a picture were taken apart: first letter, and the one behind the last.
    pub apart: &'a [(usize, usize)],
    pub language: Language,
    /// The language that names of other things are told in.
    pub advice: Language,
}

/// The reading of a prompt.
pub(super) fn render(prompt: &Prompt) -> Reading {
    let sentence = Sentence::of(prompt.words, prompt.language, prompt.lexicon, &|word| prompt.typed(word, word));
    let mut writer = Writer {
        prompt,
        remarks: Vec::new(),
        lost: Vec::new(),
        drawn: Vec::new(),
    };
    writer.things(&sentence);
    writer.finish(&sentence)
}

impl Prompt<'_> {
    /// What was typed from one word to another.
    fn typed(&self, first: usize, last: usize) -> String {
        let place = place_of(self.letters, self.words[first].start, self.words[last].end);
        self.text[place].to_owned()
    }

    fn concept(&self, thing: &Thing) -> Concept<'_> {
        // The lexicon gives no sense whose concept it lacks.
        self.lexicon.concept(thing.concept).unwrap_or(Concept {
            id: "",
            text: "",
            coloured: "",
            plain: "",
            plural: "",
            style: None,
        })
    }

    fn span(&self, word: &Word) -> Span {
        let place = place_of(self.letters, word.start, word.end);
        let concept = match word.part {
            Part::Object(id) => self.lexicon.concept(id),
            _ => None,
        };
        let named = |values: &[&str], value: u16| values.get(usize::from(value)).map(|value| (*value).to_owned());
        let value = match word.part {
            Part::Object(_) => concept.map(|concept| concept.id.to_owned()),
            Part::Colour(value) => named(&COLOURS, value),
            Part::Number(number) => Some(number.map_or("many".to_owned(), |number| number.to_string())),
            Part::Size(value) => named(&SIZES, value),
            Part::Mood(value) => named(&MOODS, value),
            Part::Place(value) => named(&PLACES, value),
            Part::Style(value) => named(&STYLES, value),
            Part::Relation(relation) => Some(relation.name().to_owned()),
            Part::Filler | Part::Unknown => None,
        };
        Span {
            text: self.text[place.clone()].to_owned(),
            place,
            role: role_of(word.part),
            value,
            name: concept.map(|concept| concept.plain.to_owned()),
            found: found_of(word),
        }
    }
}

/// A thing that is drawn, in the encoder's words.
struct Drawn<'a> {
    thing: &'a Thing,
    text: String,
    /// As part of a sentence: "two red cats".
    phrase: String,
    count: u32,
}

struct Writer<'a> {
    prompt: &'a Prompt<'a>,
    remarks: Vec<Remark>,
    /// Words that are not drawn, from the first to the last of each stretch.
    lost: Vec<(usize, usize)>,
    drawn: Vec<Drawn<'a>>,
}

impl<'a> Writer<'a> {
    fn things(&mut self, sentence: &'a Sentence) {
        let mut room = MOST;
        for thing in &sentence.things {
            match thing.fate {
                Fate::Drawn => room -= self.draw(thing, room),
                Fate::Dropped => self.lost.push(stretch(thing)),
                Fate::Negated => {}
                Fate::Unlearned => {
                    let name = self.prompt.concept(thing).plain.to_owned();
                    let text = self.prompt.typed(thing.word, thing.word);
                    let nearest = self.near(&name);
                    self.remarks.push(Remark::NotLearned { text, name, nearest });
                }
            }
        }
        self.lost.extend(sentence.dropped.iter().map(|&word| (word, word)));
    }

    /// Draws a thing as often as there is room, and returns how often.
    fn draw(&mut self, thing: &'a Thing, room: u32) -> u32 {
        if room == 0 {
            self.lost.push(stretch(thing));
            return 0;
        }
        if let Some(meant) = thing.twin_of.and_then(|id| self.prompt.lexicon.concept(id)) {
            let read = self.prompt.concept(thing).plain.to_owned();
            self.remarks.push(Remark::ReadAs {
                text: meant.plain.to_owned(),
                read,
                found: Found::Nearest,
            });
        }
        let asked = match thing.count {
            Count::Untold => 1,
            Count::Exactly(number) => number.max(1),
            Count::Many => MANY.min(room.max(1)),
        };
        let count = asked.min(room);
        if count < asked {
            let text = self.prompt.typed(thing.word, thing.word);
            self.remarks.push(Remark::Limited { text, drawn: count });
        }
        if count > 0 {
            let (text, phrase) = self.texts(thing, count);
            self.drawn.push(Drawn {
                thing,
                text,
                phrase,
                count,
            });
        }
        count
    }

    /// The encoder's text for one of a thing, and the phrase for all of them.
    fn texts(&mut self, thing: &Thing, count: u32) -> (String, String) {
        let concept = self.prompt.concept(thing);
        let colour = thing.colour.and_then(|(value, word)| self.colour(value, word));
        let size = thing.size.and_then(|(value, word)| self.size(value, word));
        let mood = thing.mood.and_then(|(value, word)| self.mood(value, word));
        let noun = if colour.is_some() { concept.coloured } else { concept.text };
        let modifiers: Vec<String> = [size, mood, colour].into_iter().flatten().collect();
        let with = |noun: &str| modifiers.iter().map(String::as_str).chain([noun]).collect::<Vec<_>>().join(" ");
        let phrase = match NUMBERS.get(count as usize) {
            Some(number) if count > 1 => format!("{number} {}", with(&several(noun, &concept))),
            _ => with(noun),
        };
        (with(noun), phrase)
    }

    fn colour(&mut self, value: u16, word: usize) -> Option<String> {
        let name = *COLOURS.get(usize::from(value))?;
        if usize::from(value) < LEARNED_COLOURS {
            return Some(name.to_owned());
        }
        let near = NEAR_COLOURS
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, near)| (*near).to_owned());
        match &near {
            Some(near) => self.remarks.push(Remark::ReadAs {
                text: self.prompt.typed(word, word),
                read: near.clone(),
                found: Found::Nearest,
            }),
            None => self.lost.push((word, word)),
        }
        near
    }

    fn size(&mut self, value: u16, word: usize) -> Option<String> {
        let name = *SIZES.get(usize::from(value))?;
        if name != LEARNED_SIZE {
            self.lost.push((word, word));
            return None;
        }
        Some(name.to_owned())
    }

    fn mood(&mut self, value: u16, word: usize) -> Option<String> {
        let typed = &self.prompt.words[word];
        let typed: String = self.prompt.letters[typed.start..typed.end]
            .iter()
            .map(|letter| letter.value)
            .collect();
        if LEARNED_MOODS.contains(&typed.as_str()) {
            return Some(typed);
        }
        let learned = MOODS
            .get(usize::from(value))
            .filter(|name| **name != UNLEARNED_MOOD)
            .map(|name| (*name).to_owned());
        if learned.is_none() {
            self.lost.push((word, word));
        }
        learned
    }

    fn finish(mut self, sentence: &Sentence) -> Reading {
        let prompt = self.prompt;
        self.places();
        self.unknown(sentence);
        self.read_as(sentence);
        self.apart();
        let text = self.text();
        self.dropped(&text);
        let arrangement = self.arrangement();
        let styles: Vec<usize> = (0..prompt.words.len())
            .filter(|&index| matches!(prompt.words[index].part, Part::Style(_)))
            .collect();
        let style = styles.first().map(|&index| {
            let last = styles.iter().zip(index..).take_while(|(style, place)| **style == *place).count() - 1;
            AskedStyle {
                name: prompt.span(&prompt.words[index]).value.unwrap_or_default(),
                text: prompt.typed(index, index + last),
            }
        });
        let negative = sentence
            .things
            .iter()
            .filter(|thing| thing.fate == Fate::Negated)
            .map(|thing| prompt.concept(thing));
        Reading {
            language: Some(prompt.language),
            spans: prompt.words.iter().map(|word| prompt.span(word)).collect(),
            objects: self.drawn.iter().map(|drawn| self.object(drawn)).collect(),
            learned_style: self
                .drawn
                .first()
                .and_then(|drawn| prompt.concept(drawn.thing).style)
                .map(str::to_owned),
            negative: negative
                .map(|concept| if concept.is_learned() { concept.text } else { concept.plain }.to_owned())
                .collect(),
            remarks: self.remarks,
            arrangement,
            style,
            text,
        }
    }

    fn object(&self, drawn: &Drawn) -> Object {
        Object {
            concept: self.prompt.concept(drawn.thing).id.to_owned(),
            text: drawn.text.clone(),
            count: drawn.count,
        }
    }

    /// Places are understood, but pictures have none.
    fn places(&mut self) {
        let is_place = |word: &Word| matches!(word.part, Part::Place(_));
        let drawn: Vec<usize> = self.drawn.iter().map(|drawn| drawn.thing.word).collect();
        let places = self
            .prompt
            .words
            .iter()
            .enumerate()
            .filter(|(index, word)| is_place(word) && !drawn.contains(index));
        self.lost.extend(places.map(|(index, _)| (index, index)));
    }

    fn unknown(&mut self, sentence: &Sentence) {
        let joins = |index: usize| {
            sentence
                .things
                .iter()
                .any(|thing| thing.fate == Fate::Dropped && thing.link.is_some_and(|link| link.word == Some(index)))
        };
        for (index, word) in self.prompt.words.iter().enumerate().filter(|(_, word)| word.part == Part::Unknown) {
            if joins(index) {
                continue;
            }
            let near = word.sense.filter(|sense| sense.kind == Kind::Near);
            let nearest = near.map(|sense| self.names(sense.value)).unwrap_or_default();
            // Words that follow each other, as "exquisitely xylographed", are told together.
            let is_next = index > 0 && self.prompt.words[index - 1].part == Part::Unknown && !word.is_broken && nearest.is_empty();
            if let Some(Remark::Unknown { text, nearest }) = self.remarks.last_mut().filter(|_| is_next)
                && nearest.is_empty()
            {
                text.push(' ');
                text.push_str(&self.prompt.text[place_of(self.prompt.letters, word.start, word.end)]);
                continue;
            }
            self.remarks.push(Remark::Unknown {
                text: self.prompt.typed(index, index),
                nearest,
            });
        }
    }

    /// Names of the things that are nearest to one that the model has not learned, by its English name.
    fn near(&self, name: &str) -> Vec<String> {
        let lexicon = self.prompt.lexicon;
        let senses = lexicon.find(&key(name, lexicon.variants())).map(|value| lexicon.senses(value));
        let near = senses.and_then(|mut senses| senses.find(|sense| sense.kind == Kind::Near));
        near.map(|sense| self.names(sense.value)).unwrap_or_default()
    }

    /// Names of a list of the nearest things.
    fn names(&self, list: u16) -> Vec<String> {
        let near = self.prompt.lexicon.near(list);
        near.filter_map(|id| self.prompt.lexicon.name_or_plain(id, self.prompt.advice))
            .collect()
    }

    /// Tells of words that are drawn, or kept from being drawn, and were read as others.
    fn read_as(&mut self, sentence: &Sentence) {
        for (index, word) in self.prompt.words.iter().enumerate() {
            let found = found_of(word);
            let is_told = match word.part {
                Part::Filler | Part::Unknown | Part::Place(_) => false,
                _ => matches!(found, Found::Keyword | Found::Correction | Found::Nearest),
            };
            if !is_told || sentence.dropped.contains(&index) {
                continue;
            }
            let span = self.prompt.span(word);
            let read = span.name.or(span.value).unwrap_or_default();
            self.remarks.push(Remark::ReadAs {
                text: span.text,
                read,
                found,
            });
        }
    }

    /// Tells of things without a picture, as a goldfish, that are drawn as what their names say: a red fish.
    fn apart(&mut self) {
        for &(start, end) in self.prompt.apart {
            let parts = self.prompt.words.iter().filter(|word| word.start >= start && word.end <= end);
            let names = parts.map(|word| self.prompt.span(word));
            let mut names: Vec<String> = names.filter_map(|span| span.name.or(span.value)).collect();
            // English has the thing last.
            let is_thing = |name: &String| self.drawn.iter().any(|drawn| self.prompt.concept(drawn.thing).plain == name);
            names.sort_by_key(is_thing);
            self.remarks.push(Remark::ReadAs {
                text: self.prompt.text[place_of(self.prompt.letters, start, end)].to_owned(),
                read: names.join(" "),
                found: Found::Nearest,
            });
        }
    }

    /// What is drawn, as a phrase.
    fn text(&self) -> String {
        if let [drawn] = self.drawn.as_slice() {
            return self.as_typed(drawn).unwrap_or_else(|| drawn.phrase.clone());
        }
        let mut text = String::new();
        for drawn in &self.drawn {
            let link = drawn.thing.link.filter(|_| !text.is_empty());
            let between = match link.map(|link| link.relation) {
                None => "",
                Some(Relation::On) => " on ",
                Some(Relation::Under) => " under ",
                Some(_) => " and ",
            };
            text = match link {
                Some(link) if link.is_reversed && is_above(link).is_some() => format!("{}{between}{text}", drawn.phrase),
                _ => format!("{text}{between}{}", drawn.phrase),
            };
        }
        text
    }

    /// The prompt itself, if it is what the text encoder has learned but for an English article.
    fn as_typed(&self, drawn: &Drawn) -> Option<String> {
        let typed = self.prompt.text.trim().to_lowercase();
        let rest = ["a ", "an ", "the ", "one "]
            .into_iter()
            .find_map(|article| typed.strip_prefix(article))?;
        (rest == drawn.text.to_lowercase() && drawn.count == 1).then_some(typed)
    }

    fn dropped(&mut self, drawn: &str) {
        if drawn.is_empty() {
            return;
        }
        let mut lost = std::mem::take(&mut self.lost);
        lost.sort_unstable();
        lost.dedup();
        let mut joined: Vec<(usize, usize)> = Vec::new();
        for (first, last) in lost {
            match joined.last_mut() {
                Some((_, end)) if first <= *end + 1 => *end = (*end).max(last),
                _ => joined.push((first, last)),
            }
        }
        self.remarks.extend(joined.into_iter().map(|(first, last)| Remark::Dropped {
            text: self.prompt.typed(first, last),
            drawn: drawn.to_owned(),
        }));
    }

    fn arrangement(&self) -> Option<Arrangement> {
        let places = self.drawn.iter().map(|drawn| Placed {
            text: drawn.text.clone(),
            count: drawn.count as usize,
            above: drawn.thing.link.and_then(is_above),
        });
        arrange(&places.collect::<Vec<_>>())
    }
}

/// More than one of a thing, in English.
fn several(noun: &str, concept: &Concept) -> String {
    if noun == concept.plain && !concept.plural.is_empty() {
        return concept.plural.to_owned();
    }
    match noun.as_bytes() {
        _ if noun.split(' ').count() > 2 => format!("of {noun}"),
        [.., b's' | b'x'] | [.., b'c' | b's', b'h'] => format!("{noun}es"),
        [.., before, b'y'] if !b"aeiou".contains(before) => format!("{}ies", &noun[..noun.len() - 1]),
        _ => format!("{noun}s"),
    }
}

/// The words from a relation to the thing that it joins to another.
fn stretch(thing: &Thing) -> (usize, usize) {
    let relation = thing.link.filter(|link| !link.is_reversed).and_then(|link| link.word);
    let words = relation.into_iter().chain([thing.word]);
    (words.clone().min().unwrap_or(thing.word), words.max().unwrap_or(thing.word))
}

/// Whether a thing stands above the one before it; nothing where both stand side by side.
fn is_above(link: Link) -> Option<bool> {
    match link.relation {
        Relation::On => Some(link.is_reversed),
        Relation::Under => Some(!link.is_reversed),
        _ => None,
    }
}
