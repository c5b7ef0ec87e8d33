//! Letters: from the kiosk's own small font, which has all of its own words, and from fonts of the system for what
//! visitors type beyond them. Owns finding fonts, measuring, breaking and drawing lines; depends on
//! [`crate::device::display::Frame`] alone.
//!
//! Files are mapped, and a font is read from its mapping whenever a letter is drawn for the first time; drawn letters are
//! kept, at most `KEPT_BYTES` of them. So a Chinese font of 5 MB costs well under 1 MiB of private memory. Lines with letters that need
//! shaping are made of glyphs by `shaping`.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use ab_glyph::{Font, FontRef, GlyphId, PxScale, PxScaleFont, ScaleFont};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use memmap2::Mmap;

use super::shaping::{self, Piece, Script, Shaper};
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
/// The usual width of letters, in hundredths.
const USUAL: u32 = 100;
/// The narrowest letters that are easily read.
const NARROWEST: u32 = 55;
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

/// What is drawn at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sign {
    Letter(char),
    Glyph(Script, u16),
}

/// The fonts, and the letters drawn so far.
pub struct Fonts {
    faces: Vec<Face>,
    shaper: Shaper,
    /// By sign, size, and width in hundredths of the usual one.
    drawn: HashMap<(Sign, u32, u32), Glyph>,
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
            shaper: Shaper::default(),
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
        self.signs(text, size)
            .into_iter()
            .map(|(_, advance, _)| advance)
            .sum::<f32>()
            .ceil() as i32
    }

    /// The text, truncated with an ellipsis to a width in pixels.
    pub fn fit(&mut self, text: &str, size: u32, width: i32) -> String {
        if self.width(text, size) <= width {
            return text.to_owned();
        }
        let mut cut = text.to_owned();
        while cut.pop().is_some() {
            let shorter = format!("{}{ELLIPSIS}", cut.trim_end());
            if self.width(&shorter, size) <= width {
                return shorter;
            }
        }
        ELLIPSIS.to_string()
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
        let is_shaped = shaping::is_needed(text);
        for (at, letter) in text.char_indices() {
            if letter.is_whitespace() || before.is_some_and(|before| is_wide(before) || is_wide(letter)) && !hangs(letter) {
                last_break = Some(at);
            }
            used = if is_shaped {
                self.width(&text[..at + letter.len_utf8()], size) as f32
            } else {
                used + self.glyph(letter, size).advance
            };
            if used.ceil() as i32 > width && at > 0 {
                return last_break.filter(|place| *place > 0).unwrap_or(at);
            }
            before = Some(letter);
        }
        text.len()
    }

    /// The size, up to `size`, and the width of letters, in hundredths of the usual one, with which a line has at most this many
    /// pixels: letters become narrower first, since height is what is read from afar.
    pub fn squeeze(&mut self, text: &str, size: u32, room: i32) -> (u32, u32) {
        let (width, room) = (self.width(text, size).max(1) as u32, room.max(1) as u32);
        let narrow = (room * USUAL / width).clamp(NARROWEST, USUAL);
        let size = if width * narrow > room * USUAL {
            size * room * USUAL / (width * narrow)
        } else {
            size
        };
        (size.max(8), narrow)
    }

    /// Draws one line with its top at a point that is at the left, in the middle or at the right of it.
    pub fn draw(&mut self, frame: &mut Frame, text: &str, size: u32, at: Point, align: Align, ink: Ink) {
        self.draw_narrow(frame, text, (size, USUAL), at, align, ink);
    }

    /// As [`Fonts::draw`], with letters that have `narrow` hundredths of their usual width.
    pub fn draw_narrow(&mut self, frame: &mut Frame, text: &str, (size, narrow): (u32, u32), at: Point, align: Align, ink: Ink) {
        let width = self.width(text, size) * narrow as i32 / USUAL as i32;
        let left = match align {
            Align::Left => at.x,
            Align::Centre => at.x - width / 2,
            Align::Right => at.x - width,
        };
        let mut pen = left as f32;
        let part = narrow as f32 / USUAL as f32;
        for (sign, advance, [right, up]) in self.signs(text, size) {
            let glyph = self.shaped(sign, size, narrow);
            let place = Point::new(
                (pen + right * part).round() as i32 + glyph.left,
                at.y + glyph.top - up.round() as i32,
            );
            pen += advance * part;
            if glyph.width > 0 {
                blend_coverage(frame, &glyph.coverage, glyph.width, place, ink);
            }
        }
    }

    /// The signs of a line from the left, how far each moves the pen, and where it goes from there: to the right and up.
    fn signs(&mut self, text: &str, size: u32) -> Vec<(Sign, f32, [f32; 2])> {
        if !shaping::is_needed(text) {
            let letter = |letter| (Sign::Letter(letter), self.glyph(letter, size).advance, [0.0; 2]);
            return text.chars().map(letter).collect();
        }
        let em = em(size);
        let pieces = self.shaper.pieces(text);
        let sign = |piece| match piece {
            Piece::Letter(letter) => (Sign::Letter(letter), self.glyph(letter, size).advance, [0.0; 2]),
            Piece::Glyph(placed) => (
                Sign::Glyph(placed.script, placed.id),
                placed.advance * em,
                placed.offset.map(|offset| offset * em),
            ),
        };
        pieces.into_iter().map(sign).collect()
    }

    fn glyph(&mut self, letter: char, size: u32) -> &Glyph {
        self.shaped(Sign::Letter(letter), size, USUAL)
    }

    fn shaped(&mut self, sign: Sign, size: u32, narrow: u32) -> &Glyph {
        let key = (sign, size, narrow);
        if !self.drawn.contains_key(&key) {
            if self.bytes > KEPT_BYTES {
                (self.drawn, self.bytes) = (HashMap::new(), 0);
            }
            let glyph = self.rasterize(sign, size, narrow);
            self.bytes += glyph.coverage.len() + size_of::<Glyph>();
            self.drawn.insert(key, glyph);
        }
        &self.drawn[&key]
    }

    fn rasterize(&self, sign: Sign, size: u32, narrow: u32) -> Glyph {
        let part = narrow as f32 / USUAL as f32;
        let found = match sign {
            Sign::Letter(letter) => {
                let scale = PxScale {
                    x: size as f32 * part,
                    y: size as f32,
                };
                let in_face = |face: &Face| face.with(|font| rasterize(font, letter, scale)).flatten();
                self.faces.iter().find_map(in_face)
            }
            Sign::Glyph(script, id) => rasterize_glyph(script, id, size, part),
        };
        // What no font has is an empty box, as wide as a wide letter.
        found.unwrap_or_else(|| missing(size))
    }
}

/// The em of the own font at a size, in pixels: ab_glyph's sizes are from the ascent to the descent.
fn em(size: u32) -> f32 {
    size as f32 * 2048.0 / 2401.0
}

/// A glyph of a script that is shaped, on the baseline of the own font.
fn rasterize_glyph(script: Script, id: u16, size: u32, part: f32) -> Option<Glyph> {
    let font = FontRef::try_from_slice(script.font()).ok()?;
    let pixels = em(size) / font.units_per_em()? * font.height_unscaled();
    let scale = PxScale {
        x: pixels * part,
        y: pixels,
    };
    let baseline = size as f32 * 1918.0 / 2401.0;
    Some(outlined(&font, font.as_scaled(scale), GlyphId(id), baseline))
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
fn rasterize(font: &FontRef, letter: char, scale: PxScale) -> Option<Glyph> {
    let id = font.glyph_id(letter);
    if id.0 == 0 {
        return None;
    }
    let scaled = font.as_scaled(scale);
    Some(outlined(font, scaled, id, scaled.ascent()))
}

/// The coverage of a glyph whose baseline is at a distance from the top of the line.
fn outlined(font: &FontRef, scaled: PxScaleFont<&FontRef>, id: GlyphId, baseline: f32) -> Glyph {
    let mut glyph = Glyph {
        advance: scaled.h_advance(id),
        left: 0,
        top: 0,
        width: 0,
        coverage: Vec::new(),
    };
    if let Some(outline) = font.outline_glyph(id.with_scale(scaled.scale())) {
        let bounds = outline.px_bounds();
        glyph.left = bounds.min.x as i32;
        glyph.top = (baseline + bounds.min.y).round() as i32;
        glyph.width = bounds.width() as usize;
        glyph.coverage = vec![0; glyph.width * bounds.height() as usize];
        outline.draw(|x, y, value| {
            if let Some(pixel) = glyph.coverage.get_mut(y as usize * glyph.width + x as usize) {
                *pixel = (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
            }
        });
    }
    glyph
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
        let names = Language::ALL
            .into_iter()
            .flat_map(|language| (0..subjects.count()).map(move |index| (language, index)));
        let mut text: String = names.map(|(language, index)| subjects.get(index).name(language)).collect();
        text.push_str(include_str!("phrases.toml"));
        text.push_str(include_str!("names.toml"));
        text.extend(Language::ALL.into_iter().map(Language::own_name));
        let has = |letter: &char| fonts.faces[0].with(|font| font.glyph_id(*letter).0 != 0).unwrap();
        let is_own = |letter: &char| !letter.is_control() && !shaping::is_needed(letter.encode_utf8(&mut [0; 4]));
        let missing: String = text.chars().filter(is_own).filter(|letter| !has(letter)).collect();
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
    fn lines_of_arabic_and_hindi_are_drawn_broken_and_cut() {
        let mut fonts = Fonts::own();
        let blank = Frame::new(Size::new(400, 60));
        for text in ["تفاحة حمراء", "red تفاحة", "हिन्दी में लाल सेब"] {
            let mut frame = blank.clone();
            fonts.draw(&mut frame, text, 32, Point::new(8, 8), Align::Left, WHITE);
            let drawn = frame.difference(&blank);
            let width = fonts.width(text, 32);
            assert!((drawn.size.width as i32 - width).abs() <= 8, "{text}: {drawn:?} {width}");
            assert!(drawn.top_left.y >= 4 && drawn.bottom_right().unwrap().y < 58, "{text}: {drawn:?}");
            let cut = fonts.fit(text, 32, width * 2 / 3);
            assert!(cut.ends_with('…') && fonts.width(&cut, 32) <= width * 2 / 3);
            assert_eq!(fonts.wrap(text, 32, width - 1, 9).join(" "), text);
        }
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
