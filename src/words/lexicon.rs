//! The lexicon of a pack: a memory-mapped file of forms, what they mean, and things. Owns the file's layout, which
//! [`compile`](super::compile) writes; depends on the vocabulary.
//!
//! All numbers are little-endian. After [`MAGIC`] come the lengths of the sections as `u32`, then the sections, each padded to
//! four bytes:
//!
//! 1. an `fst::Map` from [`keys`] of normalized forms to a sense or a list of senses;
//! 2. the lists: a count and so many senses, all `u32`;
//! 3. concepts, [`CONCEPT_WORDS`] words each;
//! 4. combinations: a concept, a kind and a value that make another concept, three words each, ascending;
//! 5. variants: pairs of characters as `u16`, the first of which is looked up as the second, ascending;
//! 6. strings, each a length in two bytes and UTF-8. Others refer to them by their place.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

use crate::bounded_file;

use super::normalise::Variants;
use super::vocabulary::{Kind, Language};
use super::{WordsError, keys};

pub(super) const MAGIC: &[u8; 8] = b"INKWORD1";
pub(super) const SECTIONS: usize = 6;
pub(super) const CONCEPT_WORDS: usize = 7;
/// Largest file that is read, in bytes.
const LARGEST: u64 = 16 << 20;

/// Number of a thing in a lexicon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ConceptId(pub u16);

/// One meaning of a form: in which language it means what. Packed into 28 bits: language, kind, flags, value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Sense {
    /// Nothing for what is the same in all languages.
    pub language: Option<Language>,
    pub kind: Kind,
    /// A concept, or the index of one of the kind's values.
    pub value: u16,
    /// Of a stem, which is no word by itself.
    pub is_stem: bool,
    /// Written with a space by some, beside which stands what stands beside any thing: "one o'clock".
    pub is_spaced: bool,
    /// Of a compound that means something else than its parts, a colour and a thing: a bluebird is no blue bird.
    pub is_solid: bool,
}

/// Language of what is the same in all.
const ANY: u32 = 15;

impl Sense {
    pub fn packed(self) -> u32 {
        let language = self.language.map_or(ANY, |language| language.index() as u32);
        language
            | self.kind.index() << 4
            | u32::from(self.is_stem) << 9
            | u32::from(self.is_solid) << 10
            | u32::from(self.value) << 11
            | u32::from(self.is_spaced) << 27
    }

    fn unpacked(bits: u32) -> Option<Sense> {
        let language = match bits & 15 {
            ANY => None,
            index => Some(Language::from_index(index as usize)?),
        };
        Some(Sense {
            language,
            kind: Kind::from_index(bits >> 4 & 31)?,
            value: (bits >> 11) as u16,
            is_stem: bits >> 9 & 1 == 1,
            is_solid: bits >> 10 & 1 == 1,
            is_spaced: bits >> 27 & 1 == 1,
        })
    }

    /// The concept of a thing.
    pub fn concept(self) -> Option<ConceptId> {
        self.kind.is_object().then_some(ConceptId(self.value))
    }
}

/// A thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concept<'a> {
    /// Its identifier in the training data: code points, the name of a picture, or `many:` and a name.
    pub id: &'a str,
    /// What the text encoder gets for it; empty for a thing of which the model has learned no picture.
    pub text: &'a str,
    /// What the text encoder gets beside a colour.
    pub coloured: &'a str,
    /// The name that most people use.
    pub plain: &'a str,
    /// The plural of the plain name, in English.
    pub plural: &'a str,
    /// The style that it was learned in, if that is neither the pack's default style nor one like it.
    pub style: Option<&'a str>,
}

impl Concept<'_> {
    /// Whether the model has learned a picture of it.
    pub fn is_learned(&self) -> bool {
        !self.text.is_empty()
    }
}

/// A mapped lexicon, checked when it was opened.
pub(super) struct Lexicon {
    bytes: Bytes,
    map: fst::raw::Fst<Section>,
    /// Where the other sections are.
    places: [(usize, usize); SECTIONS],
    variants: Vec<[u16; 2]>,
}

/// What a lexicon is read from.
#[derive(Clone)]
enum Bytes {
    Mapped(Arc<Mmap>),
    Owned(Arc<Vec<u8>>),
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }
}

/// A part of it.
struct Section {
    bytes: Bytes,
    start: usize,
    end: usize,
}

impl AsRef<[u8]> for Section {
    fn as_ref(&self) -> &[u8] {
        &self.bytes.as_ref()[self.start..self.end]
    }
}

/// Whether a map has this form: a version, a type, nodes, the number of keys and the address of the root, both as `u64`, and a
/// checksum. `Fst::new` panics on a 32-bit system if one of the two does not fit into 32 bits.
fn is_map(bytes: &[u8]) -> bool {
    let number = |at: Option<usize>| Some(u64::from_le_bytes(*bytes.get(at?..)?.first_chunk()?));
    let from_end = |distance| bytes.len().checked_sub(distance);
    let fits = |number: Option<u64>| number.is_some_and(|number| u32::try_from(number).is_ok());
    number(Some(0)) == Some(fst::raw::VERSION) && fits(number(from_end(20))) && fits(number(from_end(12)))
}

impl Lexicon {
    /// Maps and checks a lexicon.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what it has to be.
    pub fn open(path: &Path) -> Result<Lexicon, WordsError> {
        let read = |source| WordsError::Read { file: path.into(), source };
        let length = bounded_file::check(path, u64::MAX).map_err(read)?;
        if length > LARGEST {
            return Err(WordsError::Invalid {
                file: path.into(),
                problem: format!("it has {length} bytes; a lexicon has at most {LARGEST}"),
            });
        }
        let file = File::open(path).map_err(read)?;
        // SAFETY: the mapping is private and read-only. Packs are replaced by renaming a whole folder, never by writing in place;
        // a file that another process cuts short would end the program, as with any mapped file.
        let map = unsafe { Mmap::map(&file) }.map_err(read)?;
        Lexicon::of(Bytes::Mapped(Arc::new(map))).map_err(|problem| WordsError::Invalid {
            file: path.into(),
            problem,
        })
    }

    /// A lexicon in memory.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_bytes(bytes: Vec<u8>) -> Result<Lexicon, String> {
        Lexicon::of(Bytes::Owned(Arc::new(bytes)))
    }

    fn of(bytes: Bytes) -> Result<Lexicon, String> {
        let places = sections(bytes.as_ref())?;
        let (start, end) = places[0];
        let section = Section {
            bytes: bytes.clone(),
            start,
            end,
        };
        if !is_map(section.as_ref()) {
            return Err("its map is damaged".into());
        }
        let map = fst::raw::Fst::new(section).map_err(|error| format!("its map is damaged: {error}"))?;
        map.verify().map_err(|error| format!("its map is damaged: {error}"))?;
        let (start, end) = places[4];
        let pairs = bytes.as_ref()[start..end].as_chunks::<4>().0.iter();
        let variants = pairs
            .map(|[a, b, c, d]| [u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d])])
            .collect();
        let lexicon = Lexicon {
            bytes,
            map,
            places,
            variants,
        };
        lexicon.check()?;
        Ok(lexicon)
    }

    /// Checks what the sections say of each other, so that nothing else has to.
    fn check(&self) -> Result<(), String> {
        let concepts = self.words(2);
        let rows = [
            (concepts.len(), 4 * CONCEPT_WORDS),
            (self.words(3).len(), 12),
            (self.words(4).len(), 4),
        ];
        if rows.iter().any(|(length, row)| !length.is_multiple_of(*row)) {
            return Err("a table ends in the middle of a row".into());
        }
        match words_of(concepts).find(|&place| self.string(place).is_none()) {
            Some(place) => Err(format!("there is no string at {place}")),
            None if self.count() > usize::from(u16::MAX) => Err(format!("it has {} things; at most {} fit", self.count(), u16::MAX)),
            None => Ok(()),
        }
    }

    fn words(&self, section: usize) -> &[u8] {
        let (start, end) = self.places[section];
        &self.bytes.as_ref()[start..end]
    }

    /// A word of a section.
    fn word(&self, section: usize, index: usize) -> Option<u32> {
        let bytes = self.words(section).get(4 * index..4 * index + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    fn string(&self, place: u32) -> Option<&str> {
        let strings = self.words(5).get(place as usize..)?;
        let (length, rest) = strings.split_first_chunk()?;
        std::str::from_utf8(rest.get(..usize::from(u16::from_le_bytes(*length)))?).ok()
    }

    /// Number of things.
    pub fn count(&self) -> usize {
        self.words(2).len() / (4 * CONCEPT_WORDS)
    }

    /// Every thing.
    pub fn concepts(&self) -> impl Iterator<Item = ConceptId> {
        (0..self.count() as u16).map(ConceptId)
    }

    /// A thing; nothing for a number that is none.
    pub fn concept(&self, id: ConceptId) -> Option<Concept<'_>> {
        let field = |index| self.string(self.word(2, usize::from(id.0) * CONCEPT_WORDS + index)?);
        Some(Concept {
            id: field(0)?,
            text: field(1)?,
            coloured: field(2)?,
            plain: field(3)?,
            plural: field(4)?,
            style: field(5).filter(|style| !style.is_empty()),
        })
    }

    /// The name of a thing in a language; nothing if the lexicon has none.
    pub fn name(&self, id: ConceptId, language: Language) -> Option<&str> {
        let names = self.string(self.word(2, usize::from(id.0) * CONCEPT_WORDS + CONCEPT_WORDS - 1)?)?;
        names.split('\t').nth(language.index()).filter(|name| !name.is_empty())
    }

    /// The name of a thing in a language, or in English if the lexicon has none.
    pub fn name_or_plain(&self, id: ConceptId, language: Language) -> Option<String> {
        let plain = self.concept(id)?.plain;
        Some(self.name(id, language).unwrap_or(plain).to_owned())
    }

    /// What a thing is with a colour or a mood, where that is a thing by itself: a black cat.
    pub fn combined(&self, id: ConceptId, kind: Kind, value: u16) -> Option<ConceptId> {
        let wanted = (u32::from(id.0) << 5 | kind.index(), u32::from(value));
        let count = self.words(3).len() / 12;
        let row = |index: usize| Some((self.word(3, 3 * index)?, self.word(3, 3 * index + 1)?));
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low.midpoint(high);
            match row(middle)?.cmp(&wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return self.word(3, 3 * middle + 2).map(|made| ConceptId(made as u16)),
            }
        }
        None
    }

    /// The meanings that a value of the map stands for, those of stems included.
    pub fn senses(&self, value: u64) -> impl Iterator<Item = Sense> + '_ {
        let single = (value & 1 == 1).then_some((value >> 1) as u32);
        let start = (value >> 1) as usize;
        let count = if single.is_some() {
            0
        } else {
            self.word(1, start).unwrap_or(0).min(64) as usize
        };
        let listed = (0..count).filter_map(move |index| self.word(1, start + 1 + index));
        single
            .into_iter()
            .chain(listed)
            .filter_map(Sense::unpacked)
            .filter(|sense| match sense.concept() {
                Some(id) => usize::from(id.0) < self.count(),
                None => true,
            })
    }

    /// The things of a list of the nearest.
    pub fn near(&self, place: u16) -> impl Iterator<Item = ConceptId> + '_ {
        let start = usize::from(place);
        let count = self.word(1, start).unwrap_or(0).min(8) as usize;
        let listed = (0..count).filter_map(move |index| self.word(1, start + 1 + index));
        listed.map(|id| ConceptId(id as u16)).filter(|id| usize::from(id.0) < self.count())
    }

    /// The value of a key.
    pub fn find(&self, key: &str) -> Option<u64> {
        self.map.get(keys::encoded(key)).map(fst::raw::Output::value)
    }

    /// Characters that are looked up as others.
    pub fn variants(&self) -> &Variants {
        &self.variants
    }

    /// The map, to walk through.
    pub fn map(&self) -> &fst::raw::Fst<impl AsRef<[u8]>> {
        &self.map
    }
}

/// Where the sections are, in bytes.
fn sections(bytes: &[u8]) -> Result<[(usize, usize); SECTIONS], String> {
    let header = MAGIC.len() + 4 * SECTIONS;
    if bytes.len() < header || !bytes.starts_with(MAGIC) {
        return Err("it is not a lexicon: it does not begin as one".into());
    }
    let mut start = header;
    let mut places = [(0, 0); SECTIONS];
    for (place, length) in places.iter_mut().zip(words_of(&bytes[MAGIC.len()..header])) {
        let end = start + length as usize;
        if end > bytes.len() {
            return Err(format!("it ends after {} bytes, in the middle of a section", bytes.len()));
        }
        *place = (start, end);
        start = end.next_multiple_of(4);
    }
    Ok(places)
}

fn words_of(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word))
}
