//! Scripts whose letters join, stack, or run from right to left: Arabic and Devanagari. Owns their fonts, which glyphs a line consists of
//! and their order; depends on `harfrust` and `unicode-bidi`. Fonts are read when the first such line is drawn.

use std::ops::Range;

use harfrust::{Buffer, Direction, Font, ShapeOptions, ShaperFont, shape};
use unicode_bidi::BidiInfo;

/// Parts of Noto Sans Arabic and Noto Sans Devanagari.
const ARABIC: &[u8] = include_bytes!("fonts/arabic.ttf");
const DEVANAGARI: &[u8] = include_bytes!("fonts/devanagari.ttf");

/// A script that needs shaping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Script {
    Arabic,
    Devanagari,
}

impl Script {
    fn of(letter: char) -> Option<Script> {
        match letter {
            '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => Some(Script::Arabic),
            '\u{900}'..='\u{97f}' => Some(Script::Devanagari),
            _ => None,
        }
    }

    /// Its font.
    pub fn font(self) -> &'static [u8] {
        match self {
            Script::Arabic => ARABIC,
            Script::Devanagari => DEVANAGARI,
        }
    }
}

/// A glyph of a line. Lengths are in ems.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    pub script: Script,
    /// Its index in the font.
    pub id: u16,
    pub advance: f32,
    /// From the pen to the right, and up.
    pub offset: [f32; 2],
}

/// What a line consists of, from the left.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// A letter that stands by itself.
    Letter(char),
    /// A glyph of a script that is shaped.
    Glyph(Placed),
}

/// Whether a text has letters that need shaping.
pub fn is_needed(text: &str) -> bool {
    text.chars().any(|letter| Script::of(letter).is_some())
}

/// Whether a text runs from right to left: its first letter says so.
pub fn is_right_to_left(text: &str) -> bool {
    is_needed(text)
        && BidiInfo::new(text, None)
            .paragraphs
            .first()
            .is_some_and(|paragraph| paragraph.level.is_rtl())
}

/// The fonts, once they were read.
#[derive(Default)]
pub struct Shaper {
    arabic: Option<Font>,
    devanagari: Option<Font>,
}

impl Shaper {
    /// The pieces of a line, in the order in which they are seen.
    pub fn pieces(&mut self, text: &str) -> Vec<Piece> {
        let order = BidiInfo::new(text, None);
        let mut pieces = Vec::new();
        for paragraph in &order.paragraphs {
            let (levels, runs) = order.visual_runs(paragraph, paragraph.range.clone());
            for run in runs {
                let is_backwards = levels.get(run.start).is_some_and(|level| level.is_rtl());
                let mut parts = parts(text, run);
                if is_backwards {
                    parts.reverse();
                }
                for (range, script) in parts {
                    self.part(&text[range], script, is_backwards, &mut pieces);
                }
            }
        }
        pieces
    }

    fn part(&mut self, text: &str, script: Option<Script>, is_backwards: bool, pieces: &mut Vec<Piece>) {
        match script {
            Some(script) => pieces.extend(self.shaped(text, script, is_backwards).into_iter().map(Piece::Glyph)),
            None if is_backwards => pieces.extend(text.chars().rev().map(mirrored).map(Piece::Letter)),
            None => pieces.extend(text.chars().map(Piece::Letter)),
        }
    }

    /// The glyphs of a text of one script; none if its font is broken, which a test excludes.
    fn shaped(&mut self, text: &str, script: Script, is_backwards: bool) -> Vec<Placed> {
        let slot = match script {
            Script::Arabic => &mut self.arabic,
            Script::Devanagari => &mut self.devanagari,
        };
        if slot.is_none() {
            *slot = Font::new(script.font(), 0);
        }
        let Some(font) = slot else { return Vec::new() };
        let mut buffer = Buffer::new();
        buffer.push_str(text);
        buffer.set_direction(if is_backwards {
            Direction::RightToLeft
        } else {
            Direction::LeftToRight
        });
        buffer.guess_segment_properties();
        if shape(&ShaperFont::new(font), &mut buffer, ShapeOptions::default()).is_err() {
            return Vec::new();
        }
        let em = f32::from(font.units_per_em().max(1));
        let placed = |(info, place): (&harfrust::GlyphInfo, &harfrust::GlyphPosition)| Placed {
            script,
            id: u16::try_from(info.glyph_id).unwrap_or_default(),
            advance: place.x_advance as f32 / em,
            offset: [place.x_offset as f32 / em, place.y_offset as f32 / em],
        };
        buffer.glyph_infos().iter().zip(buffer.glyph_positions()).map(placed).collect()
    }
}

/// Parts of one script each. Spaces and joiners belong to the script before them.
fn parts(text: &str, run: Range<usize>) -> Vec<(Range<usize>, Option<Script>)> {
    let mut parts: Vec<(Range<usize>, Option<Script>)> = Vec::new();
    for (at, letter) in text[run.clone()].char_indices() {
        let (start, end) = (run.start + at, run.start + at + letter.len_utf8());
        let script = Script::of(letter);
        match parts.last_mut() {
            Some((range, before)) if *before == script || (matches!(letter, ' ' | '\u{200c}' | '\u{200d}') && before.is_some()) => {
                range.end = end
            }
            _ => parts.push((start..end, script)),
        }
    }
    parts
}

/// A bracket as it is seen from the other side.
fn mirrored(letter: char) -> char {
    match letter {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '«' => '»',
        '»' => '«',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<u16> {
        let glyph = |piece: &Piece| match piece {
            Piece::Glyph(placed) => Some(placed.id),
            Piece::Letter(_) => None,
        };
        Shaper::default().pieces(text).iter().filter_map(glyph).collect()
    }

    #[test]
    fn arabic_letters_join_and_run_from_right_to_left() {
        // The same letter alone, and at the beginning, in the middle and at the end of a word.
        let (alone, word) = (ids("ب"), ids("ببب"));
        assert_eq!((alone.len(), word.len()), (1, 3));
        assert!(word.iter().all(|id| *id != alone[0]), "{word:?} {alone:?}");
        assert!(word[0] != word[1] && word[1] != word[2]);
        // The last letter is the leftmost.
        assert_eq!(ids("بت").last(), ids("بب").last());
        assert!(is_right_to_left("تفاحة red") && !is_right_to_left("red تفاحة") && !is_right_to_left("हिन्दी"));
    }

    #[test]
    fn hindi_marks_stand_where_they_are_read() {
        // The sign of the short i is written after its consonant and stands before it.
        let (ka, ki) = (ids("क"), ids("कि"));
        assert_eq!((ki.len(), ki[1]), (2, ka[0]));
        // Two consonants with a virama between them are one.
        assert_eq!(ids("क्ष").len(), 1);
    }

    #[test]
    fn lines_of_several_scripts_are_in_the_order_in_which_they_are_seen() {
        let pieces = Shaper::default().pieces("ab (تفاحة)");
        let letters: String = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Letter(letter) => *letter,
                Piece::Glyph(_) => '_',
            })
            .collect();
        assert_eq!(letters, "ab (_____)");
        let letters = Shaper::default().pieces("تفاحة! 2");
        assert_eq!(letters.first(), Some(&Piece::Letter('2')));
    }

    #[test]
    fn the_fonts_have_every_letter_of_the_subjects() {
        use crate::kiosk::settings::Language;
        let tsv = include_str!("subjects.tsv");
        for (language, font) in [(Language::Ar, Script::Arabic), (Language::Hi, Script::Devanagari)] {
            let column = 1 + Language::ALL.iter().position(|other| *other == language).unwrap();
            for line in tsv.lines().filter(|line| !line.starts_with('#')).skip(1) {
                let name = line.split('\t').nth(column).unwrap();
                assert!(is_known(name, font), "{name}");
            }
        }
        for text in [include_str!("phrases.toml"), include_str!("names.toml")] {
            for (section, font) in [("[hi]", Script::Devanagari), ("[ar]", Script::Arabic)] {
                let (_, rest) = text.split_once(section).unwrap();
                for line in rest.split("\n[").next().unwrap().lines() {
                    assert!(is_known(line, font), "{line}");
                }
            }
        }
    }

    fn is_known(text: &str, script: Script) -> bool {
        Shaper::default().pieces(text).iter().all(|piece| match piece {
            Piece::Glyph(placed) => placed.id != 0 && placed.script == script,
            Piece::Letter(letter) => letter.is_ascii() || matches!(letter, '’' | '…'),
        })
    }
}
