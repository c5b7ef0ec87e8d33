//! Letters: from the kiosk's own small font, which has all of its own words, and from fonts of the system for what
//! visitors type beyond them. Owns finding fonts, measuring, breaking and drawing lines; depends on
//! [`crate::device::display::Frame`] alone.
//!
//! Files are mapped, and a font is read from its mapping whenever a letter is drawn for the first time; drawn letters are
//! kept, at most `KEPT_BYTES` of them. So a Chinese font of 5 MB costs well under 1 MiB of private memory. Letters that need
//! shaping (Arabic, Devanagari) come out unjoined; the interface is not set in them.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use ab_glyph::{Font, FontRef, PxScale, ScaleFont};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use memmap2::Mmap;

use crate::bounded_file;
use crate::device::display::Frame;

/// Largest font that is mapped, in bytes.
const LARGEST: u64 = 256 << 20;

/// The part of WenQuanYi Micro Hei that the kiosk's own words need.
const OWN: &[u8] = include_bytes!("fonts/kiosk.ttf");
/// Where systems keep fonts with many letters: Debian's fonts-wqy-microhei, fonts-noto-cjk, fonts-dejavu-core and others.
const PLACES: [&str; 7] = [
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
];
/// Most bytes of drawn letters that are kept.
const KEPT_BYTES: usize = 512 * 1024;
/// The sign for what was cut off.
const ELLIPSIS: char = '…';

/// What letters are drawn with.
#[derive(Clone, Copy, Debug)]
pub struct Ink {
    /// Their colour.
    pub colour: Rgb888,
    /// Without shades, for panels that have none.
    pub crisp: bool,
}

/// An invalid font.
#[derive(Debug, thiserror::Error)]
pub enum FontError {
    /// It cannot be read.
    #[error("font {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is not a font.
    #[error("font {0}: not a TrueType or OpenType font")]
    Bad(PathBuf),
}

/// Where a line is put within its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At the left.
    Left,
    /// In the middle.
    Centre,
    /// At the right.
    Right,
}

/// A drawn letter: coverage 0 to 255, rows from the top, and where it goes from the pen's place.
struct Glyph {
    advance: f32,
    left: i32,
    top: i32,
    width: usize,
    coverage: Vec<u8>,
}

/// The fonts, and the letters drawn so far.
pub struct Fonts {
    faces: Vec<Face>,
    drawn: HashMap<(char, u32), Glyph>,
    bytes: usize,
}

enum Face {
    Own,
    Mapped(Mmap),
}

impl Face {
    fn with<R>(&self, work: impl FnOnce(&FontRef) -> R) -> Option<R> {
        let bytes = match self {
            Face::Own => OWN,
            Face::Mapped(map) => map,
        };
        FontRef::try_from_slice_and_index(bytes, 0).ok().map(|font| work(&font))
    }
}

impl Fonts {
    /// Only the kiosk's own font: the same glyphs on every machine.
    pub fn own() -> Fonts {
        Fonts {
            faces: vec![Face::Own],
            drawn: HashMap::new(),
            bytes: 0,
        }
    }

    /// The owner's font before all others, if there is one, then the kiosk's own, then what the system has.
    ///
    /// # Errors
    /// If the owner's font cannot be read or is not a font.
    pub fn find(owners: Option<&Path>) -> Result<Fonts, FontError> {
        let mut fonts = Fonts::own();
        if let Some(path) = owners {
            fonts.faces.insert(0, map(path)?);
        }
        fonts.faces.extend(PLACES.iter().filter_map(|path| map(Path::new(path)).ok()));
        Ok(fonts)
    }

    /// Height of a line of text of a size, in pixels.
    pub fn line_height(size: u32) -> i32 {
        (size * 5 / 4) as i32
    }

    /// Width of a line in pixels.
    pub fn width(&mut self, text: &str, size: u32) -> i32 {
        text.chars().map(|letter| self.glyph(letter, size).advance).sum::<f32>().ceil() as i32
    }

    /// The text, truncated with an ellipsis to a width in pixels.
    pub fn fit(&mut self, text: &str, size: u32, width: i32) -> String {
        if self.width(text, size) <= width {
            return text.to_owned();
        }
        let room = width as f32 - self.glyph(ELLIPSIS, size).advance;
        let mut used = 0.0;
        let mut cut: String = text
            .chars()
            .take_while(|letter| {
                used += self.glyph(*letter, size).advance;
                used <= room
            })
            .collect();
        cut.truncate(cut.trim_end().len());
        cut.push(ELLIPSIS);
        cut
    }

    /// The text wrapped to lines of a width in pixels, at most `most` of them; the last is truncated if the text does not fit.
    /// Breaks at spaces, and anywhere between Chinese and Japanese letters and in words that are too long.
    pub fn wrap(&mut self, text: &str, size: u32, width: i32, most: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() && lines.len() < most {
            if lines.len() + 1 == most {
                lines.push(self.fit(rest, size, width));
                break;
            }
            let end = self.line_end(rest, size, width);
            lines.push(rest[..end].trim_end().to_owned());
            rest = rest[end..].trim_start();
        }
        lines
    }

    /// Where the first line ends, in bytes; always after the first letter.
    fn line_end(&mut self, text: &str, size: u32, width: i32) -> usize {
        let (mut used, mut last_break) = (0.0, None);
        let mut before: Option<char> = None;
        for (at, letter) in text.char_indices() {
            if letter.is_whitespace() || before.is_some_and(|before| is_wide(before) || is_wide(letter)) && !hangs(letter) {
                last_break = Some(at);
            }
            used += self.glyph(letter, size).advance;
            if used.ceil() as i32 > width && at > 0 {
                return last_break.filter(|place| *place > 0).unwrap_or(at);
            }
            before = Some(letter);
        }
        text.len()
    }

    /// Draws one line with its top at a point that is at the left, in the middle or at the right of it.
    pub fn draw(&mut self, frame: &mut Frame, text: &str, size: u32, at: Point, align: Align, ink: Ink) {
        let width = self.width(text, size);
        let left = match align {
            Align::Left => at.x,
            Align::Centre => at.x - width / 2,
            Align::Right => at.x - width,
        };
        let mut pen = left as f32;
        for letter in text.chars() {
            let glyph = self.glyph(letter, size);
            let place = Point::new(pen.round() as i32 + glyph.left, at.y + glyph.top);
            pen += glyph.advance;
            if glyph.width > 0 {
                blend_coverage(frame, &glyph.coverage, glyph.width, place, ink);
            }
        }
    }

    fn glyph(&mut self, letter: char, size: u32) -> &Glyph {
        let key = (letter, size);
        if !self.drawn.contains_key(&key) {
            if self.bytes > KEPT_BYTES {
                (self.drawn, self.bytes) = (HashMap::new(), 0);
            }
            let glyph = self.rasterize(letter, size);
            self.bytes += glyph.coverage.len() + size_of::<Glyph>();
            self.drawn.insert(key, glyph);
        }
        &self.drawn[&key]
    }

    fn rasterize(&self, letter: char, size: u32) -> Glyph {
        let in_face = |face: &Face| face.with(|font| rasterize(font, letter, size)).flatten();
        let found = self.faces.iter().find_map(in_face);
        // What no font has is an empty box, as wide as a wide letter.
        found.unwrap_or_else(|| missing(size))
    }
}

fn map(path: &Path) -> Result<Face, FontError> {
    let read = |source| FontError::Read {
        path: path.to_owned(),
        source,
    };
    bounded_file::check(path, LARGEST).map_err(read)?;
    let file = File::open(path).map_err(read)?;
    // SAFETY: the mapping is only read. Fonts are replaced by renaming, as package managers do; one that is cut short
    // while it is mapped would end the program, as it would any that maps fonts.
    let map = unsafe { Mmap::map(&file) }.map_err(read)?;
    let face = Face::Mapped(map);
    face.with(|_| ()).ok_or_else(|| FontError::Bad(path.to_owned()))?;
    Ok(face)
}

/// The letter, where the font has it.
fn rasterize(font: &FontRef, letter: char, size: u32) -> Option<Glyph> {
    let id = font.glyph_id(letter);
    if id.0 == 0 {
        return None;
    }
    let scaled = font.as_scaled(PxScale::from(size as f32));
    let mut glyph = Glyph {
        advance: scaled.h_advance(id),
        left: 0,
        top: 0,
        width: 0,
        coverage: Vec::new(),
    };
    if let Some(outline) = scaled.outline_glyph(scaled.scaled_glyph(letter)) {
        let bounds = outline.px_bounds();
        glyph.left = bounds.min.x as i32;
        glyph.top = (scaled.ascent() + bounds.min.y).round() as i32;
        glyph.width = bounds.width() as usize;
        glyph.coverage = vec![0; glyph.width * bounds.height() as usize];
        outline.draw(|x, y, value| {
            if let Some(pixel) = glyph.coverage.get_mut(y as usize * glyph.width + x as usize) {
                *pixel = (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
            }
        });
    }
    Some(glyph)
}

fn missing(size: u32) -> Glyph {
    let (width, height) = ((size as usize * 2 / 3).max(3), (size as usize * 3 / 4).max(3));
    let edge = |index: usize| {
        let (x, y) = (index % width, index / width);
        x == 0 || y == 0 || x + 1 == width || y + 1 == height
    };
    Glyph {
        advance: width as f32 + 2.0,
        left: 1,
        top: (size / 8) as i32,
        width,
        coverage: (0..width * height).map(|index| if edge(index) { 255 } else { 0 }).collect(),
    }
}

/// Letters between which a line may be broken: Chinese characters, kana and full-width signs.
fn is_wide(letter: char) -> bool {
    matches!(letter, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}')
}

/// Signs that do not begin a line.
fn hangs(letter: char) -> bool {
    matches!(
        letter,
        '。' | '，' | '、' | '！' | '？' | '：' | '；' | '）' | '」' | 'ー' | '.' | ',' | '!' | '?' | ':' | ';' | ')'
    )
}

/// Mixes a colour into the frame by coverage.
pub(super) fn blend_coverage(frame: &mut Frame, coverage: &[u8], width: usize, at: Point, ink: Ink) {
    let colour = ink.colour;
    let alpha = |value: u8| match (ink.crisp, value) {
        (true, 0..128) => 0,
        (true, _) => 255,
        (false, value) => value,
    };
    let rgba: Vec<u8> = coverage
        .iter()
        .flat_map(|value| [colour.r(), colour.g(), colour.b(), alpha(*value)])
        .collect();
    frame.blend(&rgba, width as u32, at);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kiosk::language::Language;
    use crate::kiosk::subjects::Subjects;

    const WHITE: Ink = Ink {
        colour: Rgb888::WHITE,
        crisp: false,
    };

    #[test]
    fn the_own_font_has_every_word_of_the_kiosk() {
        let fonts = Fonts::own();
        let subjects = Subjects::shipped().unwrap();
        let names = Language::shown().flat_map(|language| (0..subjects.count()).map(move |index| (language, index)));
        let mut text: String = names.map(|(language, index)| subjects.get(index).name(language)).collect();
        text.push_str(include_str!("phrases.toml"));
        text.push_str(include_str!("names.toml"));
        text.extend(Language::shown().map(Language::own_name));
        let has = |letter: &char| fonts.faces[0].with(|font| font.glyph_id(*letter).0 != 0).unwrap();
        let missing: String = text.chars().filter(|letter| !letter.is_control() && !has(letter)).collect();
        assert_eq!(missing, "");
    }

    #[test]
    fn lines_are_as_wide_as_what_is_drawn_and_cut_off_where_they_end() {
        let mut fonts = Fonts::own();
        let mut frame = Frame::new(Size::new(300, 40));
        let blank = frame.clone();
        fonts.draw(&mut frame, "red fox 红狐狸", 24, Point::new(5, 5), Align::Left, WHITE);
        let drawn = frame.difference(&blank);
        let width = fonts.width("red fox 红狐狸", 24);
        assert!((drawn.size.width as i32 - width).abs() <= 4, "{drawn:?} {width}");
        assert!(drawn.top_left.y >= 5 && drawn.bottom_right().unwrap().y <= 5 + Fonts::line_height(24));
        let cut = fonts.fit("a very long title indeed", 24, 100);
        assert!(cut.ends_with('…') && fonts.width(&cut, 24) <= 100, "{cut}");
        assert_eq!(fonts.fit("short", 12, 100), "short");
    }

    #[test]
    fn lines_break_at_spaces_and_between_chinese_letters() {
        let mut fonts = Fonts::own();
        let width = fonts.width("Drawing goes", 16);
        assert_eq!(fonts.wrap("Drawing goes on when", 16, width, 9), ["Drawing goes", "on when"]);
        let width = fonts.width("磁盘已满", 16);
        assert_eq!(fonts.wrap("磁盘已满，未能保存", 16, width, 9), ["磁盘已", "满，未能", "保存"]);
        let lines = fonts.wrap("unbreakablewordwithoutanyspace", 16, 60, 3);
        assert_eq!(lines.len(), 3);
        assert!(lines[2].ends_with('…'));
        assert!(lines.iter().all(|line| fonts.width(line, 16) <= 60), "{lines:?}");
        assert!(fonts.wrap("  ", 16, 60, 3).is_empty());
    }

    #[test]
    fn crisp_letters_have_no_shades() {
        let mut fonts = Fonts::own();
        let mut frame = Frame::new(Size::new(60, 20));
        fonts.draw(&mut frame, "狐 fox", 12, Point::zero(), Align::Left, Ink { crisp: true, ..WHITE });
        let shades: std::collections::BTreeSet<u8> = frame.bytes().iter().copied().collect();
        assert_eq!(shades.into_iter().collect::<Vec<_>>(), [0, 255]);
    }

    #[test]
    fn fonts_that_are_none_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.ttf");
        std::fs::write(&path, "no font").unwrap();
        assert!(matches!(Fonts::find(Some(&path)), Err(FontError::Bad(_))));
        assert!(matches!(Fonts::find(Some(Path::new("/nowhere.ttf"))), Err(FontError::Read { .. })));
        assert!(Fonts::find(None).is_ok());
    }

    #[test]
    fn letters_that_no_font_has_are_boxes_and_memory_is_bounded() {
        let mut fonts = Fonts::own();
        assert!(fonts.width("\u{10ffff}", 20) > 5);
        for size in 8..160 {
            fonts.width("abcdefghijklmnopqrstuvwxyz", size);
            assert!(fonts.bytes <= KEPT_BYTES + 160 * 160 + 64);
        }
    }
}
