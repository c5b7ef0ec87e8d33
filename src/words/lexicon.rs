//! A pack's word list: its entries and what it says about them. Depends only on the errors of its parent.

use std::ops::Range;
use std::path::Path;

use super::WordsError;

/// An unknown word that shares at least this many letters with an attribute, and this share of its own, is a form of it.
const ALIKE: (usize, f32) = (3, 0.6);

/// What an entry of the list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word of captions that the text encoder was trained on.
    Thing,
    /// A word of captions by which nothing is called.
    Word,
    /// A size, a place: says more about a thing.
    Attribute,
    /// N of a thing.
    Number(usize),
    /// A colour. Keywords of a thing were learned with colours and are drawn in them better than the thing's name.
    Colour,
    /// Stands between two things, as "and" and "next to" do.
    Relation(Relation),
    Article,
    /// Asks for nothing: "a picture of", "cute".
    Aside,
    /// What follows belongs to what stands before: "with", "wearing".
    Join,
    /// The same after a thing; after a word that is unknown the thing follows: "of".
    Link,
    /// Before or behind a word, without a space: "l'".
    Affix,
}

/// Where the thing before a relation is, seen from the one behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// Not told: both are one picture.
    Untold,
    Beside,
    Above,
    Below,
}

impl Kind {
    /// The kind that a line's tag says.
    fn of(tag: &str) -> Kind {
        match tag.as_bytes().first() {
            Some(b'#') => Kind::Word,
            _ => Kind::named(tag).unwrap_or(Kind::Thing),
        }
    }

    fn named(name: &str) -> Option<Kind> {
        Some(match name {
            "attribute" => Kind::Attribute,
            "colour" => Kind::Colour,
            "relation" => Kind::Relation(Relation::Untold),
            "beside" => Kind::Relation(Relation::Beside),
            "above" => Kind::Relation(Relation::Above),
            "below" => Kind::Relation(Relation::Below),
            "article" => Kind::Article,
            "aside" => Kind::Aside,
            "join" => Kind::Join,
            "link" => Kind::Link,
            "affix" => Kind::Affix,
            _ => {
                return name
                    .strip_prefix("number ")?
                    .parse()
                    .ok()
                    .filter(|&number| number > 0)
                    .map(Kind::Number);
            }
        })
    }
}

/// What the list says of an entry.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub kind: Kind,
    /// The numbers of its concepts, with spaces between them; empty where the list does not tell.
    pub concepts: &'a str,
    /// For what was not learned, the nearest thing.
    pub nearest: Option<&'a str>,
    /// The name of the thing that the word alone means.
    pub name: Option<&'a str>,
}

impl Entry<'_> {
    /// Whether one concept has both.
    pub fn is_known_with(&self, other: &Entry) -> bool {
        self.concepts.split(' ').any(|concept| other.has(concept))
    }

    /// Whether a concept has it.
    pub fn has(&self, concept: &str) -> bool {
        self.concepts.split(' ').any(|number| number == concept)
    }
}

/// A pack's list of words.
///
/// Lines of an entry and, but for things, a tab and its [`Kind`], or `=` and the nearest thing of one that was not learned;
/// ascending by the entries' bytes. `@` before a thing's numbers, `#` before a word's: those of the concepts in whose captions it
/// is, ascending; where the list tells them, words that share none with the thing beside them are left out. Behind `~` is the name
/// that stands for a word where nothing else says what is meant. Entries are in lower case, with one space between words, none
/// between characters of scripts that have none, and without punctuation. A relation is `beside`, `above` or `below` where things that
/// stand so are drawn one by one, and so are several of a thing where its number is `number N`.
///
/// A line of `^` and a style's name has the numbers of the concepts that were learned in this style, and neither in the pack's
/// default style nor in one much like it.
pub(super) struct Lexicon {
    text: String,
    /// The lines of styles.
    styles: Vec<Range<usize>>,
}

/// Begins the line of a style.
const STYLE: char = '^';

impl Lexicon {
    /// Reads a list.
    ///
    /// # Errors
    /// If the file cannot be read or a line is not what it has to be; with the line's number.
    pub fn load(file: &Path) -> Result<Lexicon, WordsError> {
        let failed = |line, problem: String| WordsError {
            file: file.to_owned(),
            line,
            problem,
        };
        let text = std::fs::read_to_string(file).map_err(|error| failed(0, error.to_string()))?;
        Lexicon::parse(text).map_err(|(line, problem)| failed(line, problem))
    }

    /// The list of a text, or the number of the first line that is at fault and why.
    pub fn parse(text: String) -> Result<Lexicon, (usize, String)> {
        let (mut last, mut begin, mut styles) = ("", 0, Vec::new());
        for (index, line) in text.split_terminator('\n').enumerate() {
            let (entry, tag) = line.split_once('\t').unwrap_or((line, ""));
            if entry <= last {
                return Err((
                    index + 1,
                    format!("`{entry}` is not behind `{last}`: sort the lines by their bytes"),
                ));
            }
            if entry.starts_with(STYLE) {
                if tag.split(' ').any(|number| number.parse::<u32>().is_err()) {
                    return Err((
                        index + 1,
                        format!("behind `{entry}` stand the numbers of concepts, with a space between two"),
                    ));
                }
                styles.push(begin..begin + line.len());
            } else if !tag.is_empty() && !tag.starts_with(['=', '@', '#', '~']) && Kind::named(tag).is_none() {
                return Err((index + 1, format!("`{tag}` is no kind of word")));
            }
            last = entry;
            begin += line.len() + 1;
        }
        Ok(Lexicon { text, styles })
    }

    /// What the list says of an entry, where it has it.
    pub fn find(&self, entry: &str) -> Option<Entry<'_>> {
        let tag = self.tag(entry).filter(|_| !entry.starts_with(STYLE))?;
        let nearest = tag.strip_prefix('=');
        // What stands in for a word has concepts of its own.
        let concepts = nearest.and_then(|nearest| self.tag(nearest)).unwrap_or(tag);
        let concepts = concepts.split('~').next().unwrap_or_default();
        Some(Entry {
            kind: Kind::of(tag),
            concepts: concepts.strip_prefix(['@', '#']).unwrap_or_default(),
            nearest,
            name: tag.split_once('~').map(|(_, name)| name),
        })
    }

    /// The style in which the first of some concepts was learned, where none of them was in the default style or one like it.
    pub fn style(&self, concepts: &[&str]) -> Option<&str> {
        let mut styles = concepts.iter().map(|concept| self.style_of(concept));
        let first = styles.next()??;
        styles.all(|style| style.is_some()).then_some(first)
    }

    fn style_of(&self, concept: &str) -> Option<&str> {
        let mut lines = self.styles.iter().filter_map(|line| self.text[line.clone()].split_once('\t'));
        let (style, _) = lines.find(|(_, concepts)| concepts.split(' ').any(|number| number == concept))?;
        style.strip_prefix(STYLE)
    }

    /// What stands behind the tab in an entry's line.
    fn tag(&self, entry: &str) -> Option<&str> {
        let bytes = self.text.as_bytes();
        let (mut low, mut high) = (0, bytes.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let begin = bytes[low..middle]
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(low, |place| low + place + 1);
            let end = bytes[middle..high]
                .iter()
                .position(|&byte| byte == b'\n')
                .map_or(high, |place| middle + place);
            let line = &self.text[begin..end];
            let (found, tag) = line.split_once('\t').unwrap_or((line, ""));
            match found.cmp(entry) {
                std::cmp::Ordering::Equal => return Some(tag),
                std::cmp::Ordering::Less => low = end + 1,
                std::cmp::Ordering::Greater => high = begin,
            }
        }
        None
    }

    /// Whether an unknown word looks like a form of an attribute or a colour, as "roten" of "rote".
    pub fn resembles_attribute(&self, word: &str) -> bool {
        let attributes = self
            .text
            .lines()
            .filter_map(|line| line.strip_suffix("\tattribute").or(line.strip_suffix("\tcolour")));
        let enough = ALIKE.0.max((word.chars().count() as f32 * ALIKE.1).ceil() as usize);
        attributes.into_iter().any(|attribute| {
            let same = word.chars().zip(attribute.chars()).take_while(|(one, other)| one == other);
            same.count() >= enough
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_found_and_nothing_else() {
        let text = "a\tarticle\ncar\t@2 5~automobile\ncat\nman in tuxedo\t@7\nsails\t#1\nvan\t=car\n猫\n";
        let lexicon = Lexicon::parse(text.to_owned()).unwrap();
        for line in text.lines() {
            let (entry, tag) = line.split_once('\t').unwrap_or((line, ""));
            assert_eq!(lexicon.find(entry).map(|entry| entry.kind), Some(Kind::of(tag)), "{entry}");
        }
        for other in ["", "c", "ca", "cats", "zebra", "man in", "\n", "\t", "cat\n"] {
            assert!(lexicon.find(other).is_none(), "{other}");
        }
        let [car, van] = ["car", "van"].map(|entry| lexicon.find(entry).unwrap());
        assert_eq!((car.concepts, car.name, car.nearest), ("2 5", Some("automobile"), None));
        assert_eq!((van.concepts, van.name, van.nearest), ("2 5", None, Some("car")));
    }

    #[test]
    fn numbers_and_relations_say_what_they_are() {
        for (tag, kind) in [
            ("number 3", Kind::Number(3)),
            ("above", Kind::Relation(Relation::Above)),
            ("relation", Kind::Relation(Relation::Untold)),
        ] {
            assert_eq!(Kind::named(tag), Some(kind), "{tag}");
        }
        for tag in ["number", "number 0", "number -1", "number two", "number 99999999999999999999999"] {
            assert_eq!(Kind::named(tag), None, "{tag}");
        }
    }

    #[test]
    fn styles_are_told_by_concepts_and_are_no_words() {
        let lexicon = Lexicon::parse("^line\t4\n^noto\t2 33\ncat\t@3\nharp\t@33\n".to_owned()).unwrap();
        for (concepts, style) in [
            (&["33"][..], Some("noto")),
            (&["2", "33"], Some("noto")),
            (&["4", "33"], Some("line")),
            (&["33", "3"], None),
            (&["3"], None),
            (&[], None),
            (&[""], None),
        ] {
            assert_eq!(lexicon.style(concepts), style, "{concepts:?}");
        }
        assert!(lexicon.find("^noto").is_none());
        assert_eq!(lexicon.find("harp").map(|entry| entry.concepts), Some("33"));
    }

    #[test]
    fn a_list_that_is_not_sorted_or_has_unknown_kinds_is_told_by_line() {
        for (text, line) in [
            ("b\na\n", 2),
            ("a\na\n", 2),
            ("a\nb\tverb\n", 2),
            ("\n", 1),
            ("^noto\n", 1),
            ("^noto\t1\r\n猫\n", 1),
            ("^noto\t1 b\n", 1),
        ] {
            assert_eq!(Lexicon::parse(text.to_owned()).err().map(|error| error.0), Some(line), "{text:?}");
        }
    }
}
