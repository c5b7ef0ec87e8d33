//! Makes a lexicon from a table in text. Owns the table's format; depends on the lexicon's layout, the vocabulary and on how
//! prompts are normalized and stemmed, so that what is stored is what will be looked up.
//!
//! Each line is a row of fields with tabs between them; empty lines and lines that begin with `#` are passed over.
//!
//! | row | fields |
//! |---|---|
//! | `concept` | identifier, the text encoder's text (empty: no picture was learned), the same beside a colour, plain name, its plural, style (empty: any) |
//! | `name` | concept, language, name |
//! | `form` | language (`*`: all), kind, value, form; the value is a concept's identifier or one of the kind's values (`-`: it has none) |
//! | `combined` | concept, `colour` or `mood`, value, the concept that both make |
//! | `same` | a concept without a picture, and one that is hardly different and has one |
//! | `variant` | a character, and the one that it is looked up as; before all forms, ascending |
//! | `near` | language, word, identifiers with `\|` between them: the nearest things of what has no picture |
//!
//! Concepts come before what names them. Of a form that means several things in a language the first row counts most.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::WordsError;
use super::keys::encoded;
use super::lexicon::{CONCEPT_WORDS, MAGIC, SECTIONS, Sense};
use super::normalise::{Gap, Letter, Script, accented, key, letters};
use super::stems::{LONGEST_ENDING, Stems, stem_of};
use super::vocabulary::{KINDS, Kind, Language};

/// Most meanings of a form.
const MOST_SENSES: usize = 48;
/// Most words of a form that is found by its stem.
const STEMMED_WORDS: usize = 1;
/// Longest form or name, in bytes.
const LONGEST_STRING: usize = 255;

/// Makes a lexicon of a table.
///
/// # Errors
/// For a line that is no row, or names what is not there; with its number.
pub fn compile(table: &str) -> Result<Vec<u8>, WordsError> {
    let mut tables = Tables::default();
    for (index, line) in table.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split('\t').collect();
        tables
            .row(&fields)
            .map_err(|problem| WordsError::Line { line: index + 1, problem })?;
    }
    tables.bytes().map_err(|error| WordsError::Invalid {
        file: "lexicon".into(),
        problem: error.to_string(),
    })
}

/// By key and language, names with their accents.
type Accented = BTreeMap<(Vec<u8>, usize), Vec<(String, Sense)>>;

#[derive(Default)]
struct Tables {
    stems: Stems,
    strings: Strings,
    ids: HashMap<String, u16>,
    concepts: Vec<[u32; CONCEPT_WORDS]>,
    names: BTreeMap<(u16, usize), String>,
    combined: BTreeMap<(u32, u32), u32>,
    forms: BTreeMap<Vec<u8>, Vec<Sense>>,
    /// Names by key, with their accents.
    accented: Accented,
    /// Of a stem the senses of what it is the stem of.
    stemmed: BTreeMap<Vec<u8>, Vec<Sense>>,
    lists: Lists,
    variants: Vec<[u16; 2]>,
    /// Forms that are found by their stems.
    inflected: Vec<(Vec<u8>, Sense)>,
    /// Forms of one word, and of several, by language.
    single: BTreeMap<(String, usize), bool>,
    /// Keys of several words, by language, with where the first of these ends and the last begins, in bytes.
    spaced: BTreeSet<(String, usize, [usize; 2])>,
    /// Words for colours and sizes, by language.
    coloured: BTreeSet<(String, usize)>,
}

impl Tables {
    fn row(&mut self, fields: &[&str]) -> Result<(), String> {
        match *fields {
            ["concept", id, text, coloured, plain, plural, style] => self.concept(id, [text, coloured, plain, plural, style]),
            ["name", id, language, name] => {
                let key = (self.id(id)?, language_of(language)?.index());
                if name.len() > LONGEST_STRING || name.contains('\t') {
                    return Err(format!("the name is too long: {name}"));
                }
                self.names.insert(key, name.to_owned());
                Ok(())
            }
            ["form", language, kind, value, form] => self.form(language, kind, value, form),
            ["combined", id, kind, value, made] => {
                let kind = kind_of(kind)?;
                let key = (u32::from(self.id(id)?) << 5 | kind.index(), u32::from(value_of(kind, value)?));
                let made = self.id(made)?;
                self.combined.insert(key, u32::from(made));
                Ok(())
            }
            ["variant", from, to] => self.variant(from, to),
            ["same", id, other] => {
                let key = (u32::from(self.id(id)?) << 5 | Kind::Near.index(), 0);
                let other = self.id(other)?;
                self.combined.insert(key, u32::from(other));
                Ok(())
            }
            ["near", language, word, ids] => {
                let ids = ids
                    .split('|')
                    .filter(|id| !id.is_empty())
                    .map(|id| Ok(u32::from(self.id(id)?)))
                    .collect::<Result<Vec<u32>, String>>()?;
                let place = u16::try_from(self.lists.add(&ids)).map_err(|_| "there are too many lists of the nearest things".to_owned())?;
                self.add(language_of(language).map(Some)?, Kind::Near, place, word)
            }
            _ => Err(format!("it is no row of a lexicon's table: {}", fields.join(" "))),
        }
    }

    fn concept(&mut self, id: &str, fields: [&str; 5]) -> Result<(), String> {
        let number = u16::try_from(self.concepts.len()).map_err(|_| "there are too many concepts".to_owned())?;
        if self.ids.insert(id.to_owned(), number).is_some() {
            return Err(format!("the concept {id} is there already"));
        }
        let mut row = [0; CONCEPT_WORDS];
        for (place, text) in row.iter_mut().zip([id].iter().chain(&fields)) {
            *place = self.strings.add(text)?;
        }
        self.concepts.push(row);
        Ok(())
    }

    fn variant(&mut self, from: &str, to: &str) -> Result<(), String> {
        let code = |text: &str| {
            let mut letters = text.chars();
            let code = letters.next().and_then(|letter| u16::try_from(u32::from(letter)).ok());
            code.filter(|_| letters.next().is_none())
                .ok_or_else(|| format!("{text} is not one character of Unicode's first plane"))
        };
        let pair = [code(from)?, code(to)?];
        if self.variants.last().is_some_and(|last| last[0] >= pair[0]) || !self.forms.is_empty() {
            return Err(format!("{from} is out of order: variants come before forms and ascend"));
        }
        self.variants.push(pair);
        Ok(())
    }

    fn id(&self, id: &str) -> Result<u16, String> {
        self.ids.get(id).copied().ok_or_else(|| format!("there is no concept {id}"))
    }

    fn form(&mut self, language: &str, kind: &str, value: &str, form: &str) -> Result<(), String> {
        let language = if language == "*" { None } else { Some(language_of(language)?) };
        let kind = kind_of(kind)?;
        let value = if kind.is_object() {
            self.id(value)?
        } else {
            value_of(kind, value)?
        };
        self.add(language, kind, value, form)
    }

    fn add(&mut self, language: Option<Language>, kind: Kind, value: u16, form: &str) -> Result<(), String> {
        let sense = Sense {
            language,
            kind,
            value,
            is_stem: false,
            is_spaced: false,
            // Advice for a word is none for two: bluefish and blue fish.
            is_solid: kind == Kind::Near && !form.contains(' '),
        };
        let key = key(form, &self.variants);
        // What is nothing but marks cannot be looked up; lists are read by their marks.
        if key.is_empty() {
            return Ok(());
        }
        if key.len() > LONGEST_STRING {
            return Err(format!("the form is too long: {form}"));
        }
        let stem = language.filter(|_| is_stemmed(kind)).and_then(|language| self.stem(language, form));
        if stem.as_ref().is_some_and(|stem| self.is_inflected_name(stem, &key, sense)) {
            self.inflected.push((encoded(&key), sense));
            return Ok(());
        }
        insert(self.forms.entry(encoded(&key)).or_default(), sense);
        if let Some(language) = language {
            let letters = letters(form, &self.variants);
            let is_single = letters.iter().skip(1).all(|letter| letter.gap == Gap::Within);
            if let Some(ends) = ends(&letters) {
                self.spaced.insert((key.clone(), language.index(), ends));
            }
            let entry = self.single.entry((key.clone(), language.index())).or_insert(true);
            *entry &= is_single;
            if matches!(kind, Kind::Colour | Kind::Size) {
                self.coloured.insert((key.clone(), language.index()));
            }
        }
        if let Some(language) = language.filter(|_| kind == Kind::Name) {
            let accented = accented(&letters(form, &self.variants));
            self.accented
                .entry((encoded(&key), language.index()))
                .or_default()
                .push((accented, sense));
        }
        if language.is_some_and(|language| language.tag() == "de") && form.contains(['ä', 'ö', 'ü', 'Ä', 'Ö', 'Ü']) {
            let spelt = [("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("Ä", "Ae"), ("Ö", "Oe"), ("Ü", "Ue")];
            let form = spelt.iter().fold(form.to_owned(), |form, (from, to)| form.replace(from, to));
            insert(
                self.forms
                    .entry(encoded(&super::normalise::key(&form, &self.variants)))
                    .or_default(),
                sense,
            );
        }
        if language.is_some_and(|language| language.tag() == "ar") && key.ends_with('ه') && form.ends_with('ة') && kind.is_object() {
            // Before a suffix, as in "my bicycle".
            let joined = format!("{}ت", &key[..key.len() - 'ه'.len_utf8()]);
            insert(self.forms.entry(encoded(&joined)).or_default(), Sense { is_stem: false, ..sense });
        }
        if let Some((stem, _)) = stem {
            insert(self.stemmed.entry(stem).or_default(), Sense { is_stem: true, ..sense });
        }
        Ok(())
    }

    /// The key of a form's stem, and how many letters shorter than the form the stem is; nothing for long forms.
    fn stem(&self, language: Language, form: &str) -> Option<(Vec<u8>, usize)> {
        let letters = letters(form, &self.variants);
        let words = letters.iter().filter(|letter| letter.gap != Gap::Within).count();
        if words > STEMMED_WORDS || letters.iter().any(|letter| letter.script == Script::Digit) {
            return None;
        }
        let stem = stem_of(&self.stems, language, &letters)?;
        Some((encoded(&stem), letters.len().saturating_sub(stem.chars().count())))
    }

    /// Whether a form is found as well by its stem, which is that of the thing's name and of no other's.
    fn is_inflected_name(&self, (stem, ending): &(Vec<u8>, usize), key: &str, sense: Sense) -> bool {
        let named = self.stemmed.get(stem).map_or(&[][..], Vec::as_slice);
        let mut named = named
            .iter()
            .filter(|known| known.kind == Kind::Name && known.language == sense.language);
        let is_alone = matches!((named.next(), named.next()), (Some(known), None) if known.value == sense.value);
        is_alone && matches!(sense.kind, Kind::Plural | Kind::Also) && *ending <= LONGEST_ENDING && !self.forms.contains_key(&encoded(key))
    }

    /// The file.
    ///
    /// # Errors
    /// If `fst` refuses a key; keys are in order.
    fn bytes(mut self) -> Result<Vec<u8>, fst::Error> {
        let mut forms = std::mem::take(&mut self.forms);
        for (key, mut senses) in std::mem::take(&mut self.stemmed) {
            // A stem that is a form of the same thing is found as that.
            let known = forms.entry(key).or_default();
            senses.retain(|sense| !known.iter().any(|known| same_meaning(known, sense)));
            known.append(&mut senses);
        }
        for (key, sense) in std::mem::take(&mut self.inflected) {
            // Where the form is another thing's as well, its own thing has to be found there.
            if let Some(senses) = forms.get_mut(&key).filter(|senses| {
                senses.iter().any(|known| {
                    (matches!(known.kind, Kind::Also | Kind::Label | Kind::Colour | Kind::Filler | Kind::Measure)
                        || known.kind.is_function())
                        && known.language == sense.language
                })
            }) {
                insert(senses, sense);
            }
        }
        mark_solid(&mut forms, &self.single, &self.coloured);
        mark_spaced(&mut forms, &self.spaced);
        tell_apart(&mut forms, std::mem::take(&mut self.accented));
        let mut map = fst::MapBuilder::memory();
        for (key, senses) in &forms {
            let value = match senses.as_slice() {
                [sense] => u64::from(sense.packed()) << 1 | 1,
                senses => (self.lists.add(&senses.iter().map(|sense| sense.packed()).collect::<Vec<_>>()) as u64) << 1,
            };
            map.insert(key, value)?;
        }
        let map = map.into_inner()?;
        for (id, concept) in self.concepts.iter_mut().enumerate() {
            let name = |language| self.names.get(&(id as u16, language)).map_or("", String::as_str);
            let names: Vec<&str> = (0..Language::COUNT).map(name).collect();
            let names = names.join("\t");
            // Names were checked when their rows were read, and twelve of them fit.
            concept[CONCEPT_WORDS - 1] = self.strings.add(names.trim_end()).unwrap_or_default();
        }
        let combined: Vec<u32> = self.combined.iter().flat_map(|(key, made)| [key.0, key.1, *made]).collect();
        Ok(joined([
            map,
            little_endian(&self.lists.words),
            little_endian(self.concepts.as_flattened()),
            little_endian(&combined),
            self.variants.iter().flatten().flat_map(|code| code.to_le_bytes()).collect(),
            self.strings.bytes,
        ]))
    }
}

/// Where in the key the first of several words ends and the last begins, in bytes.
fn ends(letters: &[Letter]) -> Option<[usize; 2]> {
    let is_spaced = |letter: &Letter| letter.gap > Gap::Within;
    let first = letters.iter().skip(1).position(is_spaced)? + 1;
    let last = letters.iter().rposition(is_spaced).filter(|&last| last > 0)?;
    let bytes = |letters: &[Letter]| letters.iter().map(|letter| letter.value.len_utf8()).sum();
    Some([bytes(&letters[..first]), bytes(&letters[..last])])
}

/// Whether forms of a kind are found by their stems, too.
fn is_stemmed(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Name | Kind::Plural | Kind::Also | Kind::Colour | Kind::Size | Kind::Mood
    )
}

/// Marks compounds of one word whose parts are a colour and a thing.
fn mark_solid(forms: &mut BTreeMap<Vec<u8>, Vec<Sense>>, single: &BTreeMap<(String, usize), bool>, coloured: &BTreeSet<(String, usize)>) {
    let is_thing = |forms: &BTreeMap<Vec<u8>, Vec<Sense>>, key: &str, language: usize| {
        let senses = forms.get(&encoded(key)).map_or(&[][..], Vec::as_slice);
        senses
            .iter()
            .any(|sense| sense.kind < Kind::Keyword && !sense.is_stem && sense.language.is_some_and(|known| known.index() == language))
    };
    let is_compound = |forms: &BTreeMap<Vec<u8>, Vec<Sense>>, key: &str, language: usize| {
        let mut cuts = key.char_indices().skip(1).map(|(place, _)| key.split_at(place));
        cuts.any(|(first, rest)| coloured.contains(&(first.to_owned(), language)) && is_thing(forms, rest, language))
    };
    for ((key, language), _) in single.iter().filter(|(_, is_single)| **is_single) {
        if key.is_ascii() && is_compound(forms, key, *language) {
            let senses = forms.get_mut(&encoded(key)).into_iter().flatten();
            senses
                .filter(|sense| sense.kind.is_object() && sense.language.is_some_and(|known| known.index() == *language))
                .for_each(|sense| sense.is_solid = true);
        }
    }
}

/// Marks forms of several words that might be taken for a thing and what stands beside any thing: "no entry".
fn mark_spaced(forms: &mut BTreeMap<Vec<u8>, Vec<Sense>>, spaced: &BTreeSet<(String, usize, [usize; 2])>) {
    for (key, language, [first, last]) in spaced {
        let is_own = |sense: &Sense| sense.language.is_some_and(|known| known.index() == *language);
        let languages = |word: &str, is_it: fn(Kind) -> bool| {
            let senses = forms.get(&encoded(word)).map_or(&[][..], Vec::as_slice);
            let found = senses.iter().filter(|sense| is_it(sense.kind) && !sense.is_stem);
            found.filter_map(|sense| sense.language).collect::<Vec<_>>()
        };
        let is_joined = |word: &str, rest: &str| {
            let beside = languages(word, Kind::is_function);
            !beside.is_empty() && languages(rest, Kind::is_name).iter().any(|language| beside.contains(language))
        };
        if is_joined(&key[..*first], &key[*first..]) || is_joined(&key[*last..], &key[..*last]) {
            let senses = forms.get_mut(&encoded(key)).into_iter().flatten();
            senses.filter(|sense| is_own(sense)).for_each(|sense| sense.is_spaced = true);
        }
    }
}

/// Stores names that differ by accents alone with their accents as well, and first of all under what has none the one that has
/// none.
fn tell_apart(forms: &mut BTreeMap<Vec<u8>, Vec<Sense>>, accented: Accented) {
    for ((key, _), names) in accented {
        let differ = |(name, sense): &(String, Sense)| *name != names[0].0 && sense.value != names[0].1.value;
        if !names.iter().any(differ) {
            continue;
        }
        for (name, sense) in names.into_iter().rev() {
            let exact = encoded(&name);
            let senses = forms.entry(exact.clone()).or_default();
            if exact == key {
                senses.retain(|known| *known != sense);
            }
            senses.insert(0, sense);
        }
    }
}

/// Whether both stand for the same, so that one of them is enough.
fn same_meaning(one: &Sense, other: &Sense) -> bool {
    let same = one.kind == other.kind || one.kind.is_object() && other.kind.is_object();
    same && one.value == other.value && (one.language == other.language || one.language.is_none())
}

fn insert(senses: &mut Vec<Sense>, sense: Sense) {
    if senses.len() < MOST_SENSES && !senses.iter().any(|known| same_meaning(known, &sense)) {
        senses.push(sense);
    }
}

/// The sections with the header.
fn joined(sections: [Vec<u8>; SECTIONS]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    sections
        .iter()
        .for_each(|section| bytes.extend((section.len() as u32).to_le_bytes()));
    for section in sections {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(section);
    }
    bytes
}

fn little_endian(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn language_of(tag: &str) -> Result<Language, String> {
    tag.parse()
}

fn kind_of(name: &str) -> Result<Kind, String> {
    let known = KINDS.iter().find(|(known, _)| *known == name);
    known.map(|(_, kind)| *kind).ok_or_else(|| format!("there is no kind {name}"))
}

fn value_of(kind: Kind, value: &str) -> Result<u16, String> {
    if kind.values().is_empty() {
        return Ok(0);
    }
    let place = kind.values().iter().position(|known| *known == value);
    place
        .map(|place| place as u16)
        .ok_or_else(|| format!("{value} is none of {}", kind.values().join(", ")))
}

/// Strings, each once.
#[derive(Default)]
struct Strings {
    bytes: Vec<u8>,
    places: HashMap<String, u32>,
}

impl Strings {
    fn add(&mut self, text: &str) -> Result<u32, String> {
        if let Some(place) = self.places.get(text) {
            return Ok(*place);
        }
        let length = u16::try_from(text.len()).map_err(|_| format!("the text is too long: {text}"))?;
        let place = self.bytes.len() as u32;
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(text.as_bytes());
        self.places.insert(text.to_owned(), place);
        Ok(place)
    }
}

/// Lists of words, each once.
#[derive(Default)]
struct Lists {
    words: Vec<u32>,
    places: HashMap<Vec<u32>, usize>,
}

impl Lists {
    fn add(&mut self, list: &[u32]) -> usize {
        if let Some(place) = self.places.get(list) {
            return *place;
        }
        let place = self.words.len();
        self.words.push(list.len() as u32);
        self.words.extend(list);
        self.places.insert(list.to_vec(), place);
        place
    }
}
