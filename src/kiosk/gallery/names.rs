//! File names of kept pictures: `000012-red-fox.png`, `000012-red-fox.favourite.png`; and of pictures that others put beside them.

use std::fmt;

/// Least number of digits.
const DIGITS: usize = 6;
/// Numbers from here on are of pictures that others made.
pub(super) const OTHERS: u64 = u64::MAX / 2;
const ENDING: &str = ".png";
const MARK: &str = ".favourite";

/// A file name of that form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    number: u64,
    /// Digits and words, as in `000012-red-fox`.
    stem: String,
    favourite: bool,
}

impl Name {
    /// The name of a new picture; `words` must be valid in a file name.
    pub fn new(number: u64, words: &str) -> Name {
        Name {
            number,
            stem: format!("{number:0DIGITS$}-{words}"),
            favourite: false,
        }
    }

    /// The name of somebody else's picture, `holiday.png`, with the number that it goes by; `None` if it does not end in `.png`.
    pub fn of_other(number: u64, name: &str) -> Option<Name> {
        let stem = name.strip_suffix(ENDING).filter(|stem| !stem.is_empty())?;
        let (stem, favourite) = stem.strip_suffix(MARK).map_or((stem, false), |stem| (stem, true));
        Some(Name {
            number,
            stem: stem.to_owned(),
            favourite,
        })
    }

    /// The same picture under another number.
    pub fn renumbered(&self, number: u64) -> Name {
        let words = self.stem.split_once('-').map_or(self.stem.as_str(), |(_, words)| words);
        Name {
            favourite: self.favourite,
            ..Name::new(number, words)
        }
    }

    /// Parses a name; `None` if it has another form.
    pub fn read(name: &str) -> Option<Name> {
        let stem = name.strip_suffix(ENDING)?;
        let (stem, favourite) = stem.strip_suffix(MARK).map_or((stem, false), |stem| (stem, true));
        let (digits, words) = stem.split_once('-')?;
        let plain = digits.len() >= DIGITS && digits.bytes().all(|digit| digit.is_ascii_digit()) && !words.is_empty();
        Some(Name {
            number: digits.parse().ok().filter(|&number| plain && number < OTHERS)?,
            stem: stem.to_owned(),
            favourite,
        })
    }

    pub fn number(&self) -> u64 {
        self.number
    }

    pub fn is_favourite(&self) -> bool {
        self.favourite
    }

    /// The same with or without the mark.
    pub fn marked(&self, favourite: bool) -> Name {
        Name { favourite, ..self.clone() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.favourite { MARK } else { "" };
        write!(formatter, "{}{mark}{ENDING}", self.stem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_they_are_written() {
        for name in [
            "000012-red-fox.png",
            "000012-red-fox.favourite.png",
            "1000000-红苹果.png",
            "000001-a.b.c.png",
        ] {
            assert_eq!(Name::read(name).unwrap().to_string(), name);
        }
        let name = Name::new(12, "red-fox");
        assert_eq!(
            (name.number(), name.is_favourite(), name.to_string().as_str()),
            (12, false, "000012-red-fox.png")
        );
        assert_eq!(name.marked(true).to_string(), "000012-red-fox.favourite.png");
        assert_eq!(name.marked(true).marked(false), name);
    }

    #[test]
    fn other_peoples_names_stay_as_they_are() {
        let name = Name::of_other(7, "Holiday 2.favourite.png").unwrap();
        assert_eq!((name.number(), name.is_favourite()), (7, true));
        assert_eq!(name.marked(false).to_string(), "Holiday 2.png");
        assert_eq!(Name::of_other(7, "holiday.jpg"), None);
        let name = Name::read("000012-red-fox.favourite.png").unwrap();
        assert_eq!(name.renumbered(30).to_string(), "000030-red-fox.favourite.png");
    }

    #[test]
    fn other_names_are_other_peoples() {
        let others = [
            "holiday.png",
            "12-red-fox.png",
            "000012.png",
            "000012-.png",
            "000012-red-fox.PNG",
            "000012-red-fox.jpg",
            "+00012-red-fox.png",
            "99999999999999999999-x.png",
            ".inkstone-abc.tmp",
            "",
        ];
        for name in others {
            assert_eq!(Name::read(name), None, "{name}");
        }
    }
}
