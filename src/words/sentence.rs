//! What a prompt is about: things with what is said of each, and how they stand to each other. Owns the grammar that people use in
//! prompts; depends on the words' roles.
//!
//! A prompt is read in clauses, which end at punctuation and at relations. A clause is about one thing, with its number, colour,
//! size and mood on either side; two nouns without anything between them are a compound, of which one is the thing. In Japanese,
//! Korean and Hindi, and where Chinese puts 的 behind it, what stands before a relation says where the thing behind it is.

use super::lexicon::{ConceptId, Lexicon, Sense};
use super::normalise::is_emoji;
use super::roles::{Part, Word};
use super::vocabulary::{Kind, Language, PLACES, Relation};

/// Things of a prompt, in its order.
#[derive(Debug, Default)]
pub(super) struct Sentence {
    pub things: Vec<Thing>,
    /// Words that say something which nothing is done about, in order.
    pub dropped: Vec<usize>,
}

/// A thing that the prompt is about.
#[derive(Clone, Debug)]
pub(super) struct Thing {
    /// The word that names it.
    pub word: usize,
    pub concept: ConceptId,
    pub count: Count,
    pub colour: Option<(u16, usize)>,
    pub size: Option<(u16, usize)>,
    pub mood: Option<(u16, usize)>,
    /// How it stands to the thing before it; nothing for the first one.
    pub link: Option<Link>,
    pub fate: Fate,
    /// The thing that was meant, if the model has learned another that is hardly different.
    pub twin_of: Option<ConceptId>,
}

/// How many of a thing are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Untold,
    Exactly(u32),
    Many,
}

/// A relation to the thing before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub relation: Relation,
    /// The word that says so; nothing for a comma.
    pub word: Option<usize>,
    /// The thing before says something of this one, not the other way round.
    pub is_reversed: bool,
}

/// What becomes of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Drawn,
    /// It cannot be drawn together with the thing that it belongs to.
    Dropped,
    /// It is not to be drawn.
    Negated,
    /// The model has not learned it.
    Unlearned,
}

/// Words between two borders: a clause, or a part of one that is about one thing.
#[derive(Default)]
struct Group {
    objects: Vec<usize>,
    number: Option<usize>,
    modifiers: Vec<usize>,
    border: Option<Link>,
    /// The number stood behind the thing: another thing begins another group.
    is_closed: bool,
}

impl Sentence {
    /// Reads words in their roles.
    pub fn of(words: &[Word], language: Language, lexicon: &Lexicon, text: &dyn Fn(usize) -> String) -> Sentence {
        let mut groups = Grouping {
            words,
            language,
            text,
            groups: vec![Group::default()],
        };
        groups.run();
        let groups = groups.groups;
        let mut sentence = Sentence::default();
        let mut pending: Vec<usize> = Vec::new();
        let mut border = None;
        for group in groups {
            border = stronger(border, group.border);
            if group.objects.is_empty() {
                let said: Vec<usize> = group.number.into_iter().chain(group.modifiers).collect();
                // "A cat but not black": what is refused is not said of the cat.
                if border.is_some_and(|link| link.relation == Relation::Without) && !said.is_empty() && !sentence.things.is_empty() {
                    sentence.dropped.extend(said);
                    border = None;
                    continue;
                }
                match sentence.things.last_mut() {
                    Some(thing) => sentence.dropped.extend(said.into_iter().filter(|&word| !thing.take(word, words))),
                    None => pending.extend(said),
                }
                continue;
            }
            sentence.add(group, border.take(), &mut pending, words, language, text);
        }
        sentence.dropped.extend(pending);
        // "猫はいらない", "कुत्ता नहीं": what is refused stands before the word that says so, and nothing behind it.
        if let Some(thing) = sentence.things.last_mut()
            && border.is_some_and(|link| link.relation == Relation::Without && link.is_reversed)
        {
            thing.fate = Fate::Negated;
        }
        if sentence.things.is_empty() {
            sentence.things.extend(place(words, lexicon));
        }
        sentence.combine(lexicon);
        sentence.forget_repetitions();
        sentence.resolve(lexicon);
        sentence.dropped.sort_unstable();
        sentence.dropped.dedup();
        sentence
    }

    /// Adds the thing of a group.
    fn add(
        &mut self,
        group: Group,
        border: Option<Link>,
        pending: &mut Vec<usize>,
        words: &[Word],
        language: Language,
        text: &dyn Fn(usize) -> String,
    ) {
        let mut objects = group.objects;
        let mut border = border;
        // "wearing a hat 的 cat": the relation says something of the last thing.
        let prefixed = self.things.is_empty() && objects.len() > 1 && border.is_some_and(|link| !link.relation.is_list());
        if prefixed && (language.is_postpositional() || language.tag() == "zh") {
            let first = objects.remove(0);
            self.things.push(Thing::new(first, words, None));
            border = border.map(|link| Link { is_reversed: true, ..link });
        }
        let is_strong = |&&word: &&usize| words[word].note.is_none() && words[word].sense.is_some_and(|sense| sense.kind < Kind::Keyword);
        let mut heads = objects.iter().filter(is_strong);
        let head = if language.is_head_first() && !is_genitive_before(&objects, words, text) {
            heads.next()
        } else {
            heads.next_back()
        };
        let head = head.or(objects.last()).copied().unwrap_or_default();
        let mut thing = Thing::new(head, words, border);
        thing.count = several_signs(&objects, words, text).unwrap_or(thing.count);
        let others = objects.iter().filter(|&&word| words[word].part != words[head].part);
        self.dropped.extend(others);
        for word in pending.drain(..).chain(group.number).chain(group.modifiers) {
            if !thing.take(word, words) {
                self.dropped.push(word);
            }
        }
        self.things.push(thing);
    }

    /// A thing with a colour or a mood may be a thing by itself.
    fn combine(&mut self, lexicon: &Lexicon) {
        for thing in &mut self.things {
            if let Some((value, _)) = thing.colour
                && let Some(made) = lexicon.combined(thing.concept, Kind::Colour, value)
            {
                (thing.concept, thing.colour) = (made, None);
            }
            if let Some((value, _)) = thing.mood
                && let Some(made) = lexicon.combined(thing.concept, Kind::Mood, value)
            {
                (thing.concept, thing.mood) = (made, None);
            }
        }
    }

    /// A thing that is only named again is one: "fire engine, a fire engine!".
    fn forget_repetitions(&mut self) {
        let mut index = 1;
        while index < self.things.len() {
            let thing = &self.things[index];
            let is_plain = thing.link.is_none_or(|link| link.word.is_none()) && matches!(thing.count, Count::Untold | Count::Exactly(1));
            if is_plain && self.things[..index].iter().any(|known| known.is_like(thing)) {
                self.things.remove(index);
            } else {
                index += 1;
            }
        }
    }

    /// Decides what becomes of each thing.
    fn resolve(&mut self, lexicon: &Lexicon) {
        for index in 1..self.things.len() {
            let Some(link) = self.things[index].link else { continue };
            let complement = if link.is_reversed { index - 1 } else { index };
            let inherited = self.things[index - 1].fate;
            match link.relation {
                // "with a hat and a scarf", "without a hat or a scarf".
                Relation::And | Relation::Or
                    if link.word.is_some() && self.things[index - 1].link.is_some_and(|link| !link.is_reversed) =>
                {
                    self.things[index].fate = inherited;
                }
                Relation::And | Relation::Or | Relation::Beside | Relation::Between | Relation::On | Relation::Under => {}
                Relation::Without => self.things[complement].fate = Fate::Negated,
                Relation::With | Relation::In | Relation::Behind | Relation::InFrontOf => self.things[complement].fate = Fate::Dropped,
            }
        }
        if let Some(first) = self.things.first_mut()
            && first
                .link
                .is_some_and(|link| link.relation == Relation::Without && !link.is_reversed)
        {
            first.fate = Fate::Negated;
        }
        for thing in self.things.iter_mut().filter(|thing| thing.count == Count::Exactly(0)) {
            thing.fate = Fate::Negated;
        }
        for thing in &mut self.things {
            let is_learned = lexicon.concept(thing.concept).is_some_and(|concept| concept.is_learned());
            if !is_learned && thing.fate == Fate::Drawn {
                match lexicon.combined(thing.concept, Kind::Near, 0) {
                    Some(twin) => (thing.concept, thing.twin_of) = (twin, Some(thing.concept)),
                    None => thing.fate = Fate::Unlearned,
                }
            }
        }
        if !self.things.iter().any(|thing| thing.fate == Fate::Drawn) {
            let can = |thing: &&mut Thing| {
                thing.fate == Fate::Dropped && lexicon.concept(thing.concept).is_some_and(|concept| concept.is_learned())
            };
            if let Some(thing) = self.things.iter_mut().find(can) {
                thing.fate = Fate::Drawn;
            }
        }
    }
}

/// Whether Chinese, Japanese, Korean or Hindi puts the thing behind what says more about it; in others "of" does not change which
/// noun is the thing.
fn is_genitive_before(objects: &[usize], words: &[Word], text: &dyn Fn(usize) -> String) -> bool {
    let Some((&first, &last)) = objects.first().zip(objects.last()) else {
        return false;
    };
    (first..last).any(|word| words[word].part == Part::Filler && is_genitive(&text(word)))
}

fn is_genitive(text: &str) -> bool {
    matches!(text, "の" | "的" | "之" | "의" | "का" | "की" | "के")
}

/// A place as a thing, where nothing else is asked for: "it's raining".
fn place(words: &[Word], lexicon: &Lexicon) -> Option<Thing> {
    let is_thing = |sense: &Sense| sense.language == Some(Language::ENGLISH) && !sense.is_stem;
    let concept = |name: &str| {
        lexicon
            .senses(lexicon.find(name)?)
            .filter(is_thing)
            .find_map(|sense| sense.concept())
    };
    words.iter().enumerate().find_map(|(index, word)| match word.part {
        Part::Place(value) => Some(Thing {
            concept: concept(PLACES.get(usize::from(value))?)?,
            ..Thing::new(index, words, None)
        }),
        _ => None,
    })
}

/// How often one emoji stands behind itself.
fn several_signs(objects: &[usize], words: &[Word], text: &dyn Fn(usize) -> String) -> Option<Count> {
    let first = words[*objects.first()?].part;
    let is_sign = |&word: &usize| words[word].part == first && text(word).chars().next().is_some_and(is_emoji);
    let count = objects.iter().filter(|word| is_sign(word)).count();
    (count > 1).then_some(Count::Exactly(count as u32))
}

/// The link that says more.
fn stronger(one: Option<Link>, other: Option<Link>) -> Option<Link> {
    match (one, other) {
        (Some(one), Some(other)) if other.word.is_none() || (one.word.is_some() && other.relation.is_list()) => Some(one),
        (one, other) => other.or(one),
    }
}

impl Thing {
    fn new(word: usize, words: &[Word], link: Option<Link>) -> Thing {
        let concept = match words[word].part {
            Part::Object(concept) => concept,
            _ => ConceptId(0),
        };
        let is_dual = words[word].sense.is_some_and(|sense| sense.kind == Kind::Dual);
        Thing {
            word,
            concept,
            count: if is_dual { Count::Exactly(2) } else { Count::Untold },
            colour: None,
            size: None,
            mood: None,
            link,
            fate: Fate::Drawn,
            twin_of: None,
        }
    }

    /// Whether another thing is the same, as far as is said of it.
    fn is_like(&self, other: &Thing) -> bool {
        let same = |one: Option<(u16, usize)>, other: Option<(u16, usize)>| {
            other.is_none_or(|(other, _)| one.is_some_and(|(one, _)| one == other))
        };
        self.concept == other.concept && same(self.colour, other.colour) && same(self.size, other.size) && same(self.mood, other.mood)
    }

    /// Takes what a word says of the thing; whether there was room for it.
    fn take(&mut self, word: usize, words: &[Word]) -> bool {
        let place = match words[word].part {
            Part::Number(number) => {
                let is_free = matches!(self.count, Count::Untold | Count::Exactly(1))
                    || number.is_none_or(|number| self.count == Count::Exactly(number));
                if is_free {
                    self.count = number.map_or(Count::Many, Count::Exactly);
                }
                return is_free;
            }
            Part::Colour(value) => (&mut self.colour, value),
            Part::Size(value) => (&mut self.size, value),
            Part::Mood(value) => (&mut self.mood, value),
            _ => return false,
        };
        let (free, value) = place;
        let same = free.is_none_or(|(known, _)| known == value);
        free.get_or_insert((value, word));
        same
    }
}

/// Puts words into groups.
struct Grouping<'a> {
    words: &'a [Word],
    language: Language,
    text: &'a dyn Fn(usize) -> String,
    groups: Vec<Group>,
}

impl Grouping<'_> {
    fn run(&mut self) {
        for index in 0..self.words.len() {
            let word = &self.words[index];
            if word.is_broken {
                self.border(Link {
                    relation: Relation::And,
                    word: None,
                    is_reversed: false,
                });
            }
            match word.part {
                Part::Relation(relation) => {
                    let is_reversed = self.is_reversed(index, relation);
                    self.border(Link {
                        relation,
                        word: Some(index),
                        is_reversed,
                    });
                }
                Part::Number(_) => self.number(index),
                Part::Object(_) => self.object(index),
                Part::Colour(_) | Part::Size(_) | Part::Mood(_) => self.modifier(index),
                Part::Unknown => self.unknown(index),
                Part::Place(_) | Part::Style(_) | Part::Filler => {}
            }
        }
    }

    fn last(&mut self) -> &mut Group {
        if self.groups.is_empty() {
            self.groups.push(Group::default());
        }
        let last = self.groups.len() - 1;
        &mut self.groups[last]
    }

    /// Begins another group, if the last one is not empty.
    fn border(&mut self, link: Link) {
        let last = self.last();
        if last.objects.is_empty() && last.number.is_none() && last.modifiers.is_empty() {
            last.border = stronger(last.border, Some(link));
        } else {
            self.groups.push(Group {
                border: Some(link),
                ..Group::default()
            });
        }
    }

    fn list(&mut self) {
        self.border(Link {
            relation: Relation::And,
            word: None,
            is_reversed: false,
        });
    }

    fn number(&mut self, index: usize) {
        let is_behind = !self.last().objects.is_empty() && self.last().number.is_none();
        if !is_behind {
            if self.last().number.is_some() && !self.last().objects.is_empty() {
                self.list();
            }
            self.last().number.get_or_insert(index);
            return;
        }
        let more = self.words[index + 1..]
            .iter()
            .take_while(|word| !word.is_broken && !matches!(word.part, Part::Relation(_)));
        let before_thing = more.clone().any(|word| matches!(word.part, Part::Object(_)));
        if before_thing && !matches!(self.language.tag(), "ja" | "ko") {
            self.list();
            self.last().number = Some(index);
        } else {
            self.last().number = Some(index);
            self.last().is_closed = true;
        }
    }

    fn object(&mut self, index: usize) {
        let last = self.last();
        let is_closed = last.is_closed;
        if let Some(&before) = last.objects.last()
            && (is_closed || self.is_listed(before, index))
        {
            self.list();
        }
        self.last().objects.push(index);
    }

    /// What is not known and stands between two things is mostly what the first does with the second: "grandma baking cookies".
    fn unknown(&mut self, index: usize) {
        let is_verbal = !matches!(self.language.tag(), "zh" | "ja" | "ko" | "hi" | "de");
        let is_behind_thing = !self.last().objects.is_empty();
        let more = self.words[index + 1..]
            .iter()
            .take_while(|word| !word.is_broken && !matches!(word.part, Part::Relation(_)));
        if is_verbal && is_behind_thing && more.clone().any(|word| matches!(word.part, Part::Object(_))) {
            self.border(Link {
                relation: Relation::With,
                word: Some(index),
                is_reversed: false,
            });
        }
    }

    /// What is said between two things is said of the one behind it where it is not said of the one before.
    fn modifier(&mut self, index: usize) {
        self.last().modifiers.push(index);
    }

    /// Whether two things in one clause are told one after the other, instead of being one compound.
    fn is_listed(&self, before: usize, index: usize) -> bool {
        let between = &self.words[before + 1..index];
        let is_sign = |word: usize| (self.text)(word).chars().next().is_some_and(is_emoji);
        if is_sign(before) || is_sign(index) {
            return self.words[before].part != self.words[index].part;
        }
        let asides = || (before + 1..index).filter(|&word| self.words[word].part == Part::Filler);
        match self.language.tag() {
            "zh" | "ja" | "ko" | "hi" => {
                let is_genitive = asides().any(|word| is_genitive(&(self.text)(word)));
                let is_spaced = self.words[index].is_spaced && self.language.tag() != "hi";
                !is_genitive && (!between.is_empty() || is_spaced)
            }
            _ => false,
        }
    }

    /// Whether what stands before a relation says something of what stands behind it.
    fn is_reversed(&self, index: usize, relation: Relation) -> bool {
        if relation.is_list() {
            return false;
        }
        let text = (self.text)(index);
        match self.language.tag() {
            "ja" | "ko" => true,
            "hi" => relation != Relation::Without || !matches!(text.as_str(), "बिना" | "बगैर" | "बग़ैर" | "बिना किसी" | "ना" | "न"),
            "zh" => {
                let is_followed = self
                    .words
                    .get(index + 1)
                    .is_some_and(|next| next.part == Part::Filler && is_genitive(&(self.text)(index + 1)));
                text.ends_with('的') && text != "的" || is_followed
            }
            _ => false,
        }
    }
}
