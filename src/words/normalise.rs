//! A prompt as letters that can be looked up: normalized, folded, without what nobody means by typing it. Depends on nothing.
//!
//! Unicode's compatibility normalization (NFKC) comes first, so that composed, decomposed, full-width and half-width characters
//! are the same. Then everything is folded that people leave out or mix up: case; accents of Latin and Greek letters and ё; hamza,
//! teh marbuta and vowel marks of Arabic; nukta and chandrabindu of Devanagari; katakana, which become hiragana; traditional Chinese characters, which become simplified ones; letters that
//! are repeated for emphasis; digits of all scripts, which become ASCII. Invisible characters and emoji modifiers vanish. What is
//! looked up has neither spaces nor hyphens nor apostrophes, so that "ice cream", "ice-cream" and "icecream" are one key; a
//! [`Gap`] before each letter tells what stood there.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, compose, is_combining_mark};

/// What stands before a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    /// Nothing: the letter belongs to the same word.
    Within,
    /// The script or kind of character changes: "3cats".
    Seam,
    /// A hyphen or an apostrophe.
    Joint,
    /// A space, or a quotation mark.
    Space,
    /// Punctuation, or the beginning of the prompt.
    Break,
}

/// Kinds of characters that words do not mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    Latin,
    Cyrillic,
    Arabic,
    Devanagari,
    Hangul,
    Kana,
    /// Letters that are looked up as kana, but begin and end words.
    Katakana,
    Han,
    Digit,
    Emoji,
    Other,
}

impl Script {
    fn of(letter: char) -> Script {
        match letter {
            '0'..='9' => Script::Digit,
            'a'..='z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Script::Latin,
            '\u{400}'..='\u{52f}' => Script::Cyrillic,
            '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => Script::Arabic,
            '\u{900}'..='\u{97f}' => Script::Devanagari,
            '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7a3}' | '\u{3130}'..='\u{318f}' => Script::Hangul,
            '\u{3041}'..='\u{3096}' | '\u{30fc}' | '\u{3099}'..='\u{309f}' => Script::Kana,
            '\u{30a1}'..='\u{30fb}' => Script::Katakana,
            '\u{3005}'..='\u{3007}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => Script::Han,
            letter if is_emoji(letter) => Script::Emoji,
            _ => Script::Other,
        }
    }

    /// Whether words are written without spaces, so that one may begin at any letter.
    pub fn is_unspaced(self) -> bool {
        matches!(self, Script::Han | Script::Kana | Script::Hangul)
    }

    /// Whether a letter typed three times is an emphasis.
    fn is_alphabet(self) -> bool {
        matches!(self, Script::Latin | Script::Cyrillic | Script::Arabic | Script::Devanagari)
    }
}

/// A folded letter, and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub value: char,
    pub script: Script,
    pub gap: Gap,
    /// Bytes of the prompt.
    pub place: Range<usize>,
    /// The accent that was left out.
    pub accent: Option<char>,
}

/// Characters that are written instead of others: traditional Chinese ones, and the simplified ones that they are looked up as.
/// Ascending pairs.
pub(super) type Variants = [[u16; 2]];

/// The letters of a prompt.
pub(super) fn letters(prompt: &str, variants: &Variants) -> Vec<Letter> {
    let mut writer = Writer {
        variants,
        letters: Vec::new(),
        gap: Gap::Break,
    };
    let mut rest = prompt;
    while let Some(first) = rest.chars().next() {
        let start = prompt.len() - rest.len();
        let length = cluster(rest, first);
        writer.write(&rest[..length], start..start + length, rest[length..].chars().next());
        rest = &rest[length..];
    }
    merged_nasals(without_emphasis(writer.letters))
}

/// The key of a word among others that differ by accents alone: with its accent behind each letter that has one.
pub(super) fn accented(letters: &[Letter]) -> String {
    letters
        .iter()
        .flat_map(|letter| std::iter::once(letter.value).chain(letter.accent))
        .collect()
}

/// What an entry of the lexicon is stored under.
pub(super) fn key(text: &str, variants: &Variants) -> String {
    letters(text, variants).iter().map(|letter| letter.value).collect()
}

/// Length in bytes of the first character with all that combines with it.
fn cluster(text: &str, first: char) -> usize {
    let joins = |before: char, letter: char| {
        canonical_combining_class(letter) != 0
            || is_combining_mark(letter)
            || matches!(letter, '\u{ff9e}' | '\u{ff9f}' | '\u{20e3}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
            || completes_syllable(before, letter)
            || (letter == '\u{200d}' && is_emoji(before) || before == '\u{200d}' && is_emoji(letter))
    };
    let mut before = first;
    let mut visible = first;
    for (place, letter) in text.char_indices().skip(1) {
        let is_part = joins(before, letter) || (letter == '\u{200d}' && is_emoji(visible));
        // Devanagari's vowel signs are combining marks and letters of their own; long clusters are no characters.
        if !is_part || place > 64 {
            return place;
        }
        before = letter;
        if is_emoji(letter) {
            visible = letter;
        }
    }
    text.len()
}

fn is_jamo(letter: char) -> bool {
    ('\u{1100}'..='\u{11ff}').contains(&letter)
}

/// Whether a Hangul letter belongs to the syllable of the one before it.
fn completes_syllable(before: char, letter: char) -> bool {
    let is_vowel = |letter| ('\u{1160}'..='\u{11a7}').contains(&letter);
    let is_final = |letter| ('\u{11a8}'..='\u{11ff}').contains(&letter);
    match before {
        '\u{1100}'..='\u{115f}' => is_vowel(letter),
        before if is_vowel(before) => is_final(letter),
        '\u{ac00}'..='\u{d7a3}' => is_final(letter),
        _ => false,
    }
}

/// Pictographs, and the signs of which Unicode has pictographs.
pub(super) fn is_emoji(letter: char) -> bool {
    matches!(letter,
        '\u{1f000}'..='\u{1f3fa}' | '\u{1f400}'..='\u{1faff}' | '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{25a0}'..='\u{27bf}'
        | '\u{2900}'..='\u{297f}' | '\u{2b00}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{a9}' | '\u{ae}'
        | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{24c2}' | '\u{20e3}')
}

/// Folds clusters one after the other.
struct Writer<'a> {
    variants: &'a Variants,
    letters: Vec<Letter>,
    gap: Gap,
}

impl Writer<'_> {
    fn write(&mut self, cluster: &str, place: Range<usize>, next: Option<char>) {
        let first = cluster.chars().next().unwrap_or(' ');
        if is_emoji(first) || cluster.contains('\u{20e3}') {
            return self.emoji(cluster, &place);
        }
        for letter in cluster.nfkc().flat_map(char::to_lowercase).nfd() {
            self.fold(letter, &place, next);
        }
    }

    fn emoji(&mut self, cluster: &str, place: &Range<usize>) {
        self.gap = self.gap.max(Gap::Space);
        for letter in cluster
            .chars()
            .filter(|&letter| is_emoji(letter) || letter == '\u{200d}' || letter.is_ascii())
        {
            self.push(letter, Script::Emoji, place);
        }
        if self.letters.last().is_some_and(|letter| letter.value == '\u{200d}') {
            self.letters.pop();
        }
        self.gap = Gap::Space;
    }

    /// One character of canonical decomposition, in lower case.
    fn fold(&mut self, letter: char, place: &Range<usize>, next: Option<char>) {
        match letter {
            _ if is_ignored(letter) => {}
            // "1.5" and "½" are no whole numbers, and not two of them.
            '.' | ',' if self.is_behind_digit() && next.is_some_and(char::is_numeric) => self.push('.', Script::Digit, place),
            '\u{2044}' if self.is_behind_digit() => self.push('.', Script::Digit, place),
            '-' | '‐' | '‑' | '–' | '—' | '−' => {
                let joins = self.gap < Gap::Space && next.is_some_and(|next| next.is_alphanumeric());
                self.gap = self.gap.max(if joins { Gap::Joint } else { Gap::Space });
            }
            '\'' | '’' | '‘' | 'ʼ' | '`' | '´' | '׳' => self.gap = self.gap.max(Gap::Joint),
            '.' if next.is_some_and(|next| next.is_alphanumeric()) && self.gap < Gap::Space => self.gap = self.gap.max(Gap::Joint),
            '&' | '+' => {
                self.gap = self.gap.max(Gap::Space);
                self.push(letter, Script::Other, place);
                self.gap = Gap::Space;
            }
            _ if is_break(letter) => self.gap = Gap::Break,
            _ => self.letter(letter, place),
        }
    }

    fn is_behind_digit(&self) -> bool {
        self.gap == Gap::Within && self.letters.last().is_some_and(|last| last.script == Script::Digit)
    }

    fn letter(&mut self, letter: char, place: &Range<usize>) {
        if let Some(folded) = ligature(letter) {
            return folded.chars().for_each(|letter| self.push(letter, Script::Latin, place));
        }
        let script = Script::of(letter);
        let Some(letter) = folded(
            letter,
            self.letters.last().filter(|_| self.gap == Gap::Within).map(|last| last.value),
        ) else {
            if let ('\u{300}'..='\u{36f}', Some(last)) = (letter, self.letters.last_mut()) {
                last.accent = Some(letter);
            }
            return;
        };
        if let ('\u{306}', Some(last)) = (letter, self.letters.last_mut()) {
            last.value = 'й';
        } else if let ('\u{3099}' | '\u{309a}', Some(last)) = (letter, self.letters.last_mut()) {
            last.value = compose(last.value, letter).unwrap_or(last.value);
        } else if is_jamo(letter) {
            self.jamo(letter, place);
        } else if letter.is_alphanumeric() || is_combining_mark(letter) || letter == 'ー' {
            let after_katakana = letter == 'ー' && self.letters.last().is_some_and(|last| last.script == Script::Katakana);
            let script = match script {
                _ if after_katakana => Script::Katakana,
                Script::Katakana => script,
                _ => Script::of(letter),
            };
            self.push(self.simplified(letter), script, place);
        } else {
            self.gap = self.gap.max(Gap::Space);
        }
    }

    fn simplified(&self, letter: char) -> char {
        let code = u16::try_from(u32::from(letter)).unwrap_or_default();
        let found = self.variants.binary_search_by_key(&code, |[from, _]| *from);
        found
            .ok()
            .and_then(|place| char::from_u32(u32::from(self.variants[place][1])))
            .unwrap_or(letter)
    }

    /// Hangul decomposes into letters, of which only whole syllables are looked up.
    fn jamo(&mut self, letter: char, place: &Range<usize>) {
        let last = self
            .letters
            .last_mut()
            .filter(|last| self.gap == Gap::Within && last.place == *place);
        match last.and_then(|last| Some((compose(last.value, letter)?, last))) {
            Some((syllable, last)) => last.value = syllable,
            None => self.push(letter, Script::Hangul, place),
        }
    }

    fn push(&mut self, value: char, script: Script, place: &Range<usize>) {
        let changes = self.letters.last().is_some_and(|last| last.script != script);
        let gap = match self.gap {
            Gap::Within if changes => Gap::Seam,
            gap => gap,
        };
        self.gap = Gap::Within;
        self.letters.push(Letter {
            value,
            script,
            gap,
            place: place.clone(),
            accent: None,
        });
    }
}

/// Characters that are not seen, or only change how others look.
fn is_ignored(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180e}' | '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{640}')
}

fn is_break(letter: char) -> bool {
    matches!(
        letter,
        ',' | ';'
            | '!'
            | '?'
            | '\n'
            | '\r'
            | '('
            | ')'
            | '['
            | ']'
            | '{'
            | '}'
            | '/'
            | '|'
            | '\\'
            | '.'
            | '…'
            | '、'
            | '。'
            | '・'
            | '·'
            | '،'
            | '؛'
            | '؟'
            | '।'
            | '॥'
            | '¿'
            | '¡'
            | '「'
            | '」'
            | '『'
            | '』'
    )
}

fn ligature(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ı' => "i",
        _ => return None,
    })
}

/// A letter without what is left out or mixed up; nothing for marks that are dropped. `before` is the letter of the same word.
fn folded(letter: char, before: Option<char>) -> Option<char> {
    Some(match letter {
        // й is a letter, not и with an accent.
        '\u{306}' if before == Some('и') => letter,
        '\u{300}'..='\u{36f}' => return None,
        '\u{622}' | '\u{623}' | '\u{625}' | '\u{671}' => 'ا',
        '\u{629}' => 'ه',
        '\u{649}' | '\u{6cc}' => 'ي',
        '\u{6a9}' => 'ك',
        '\u{6af}' => 'ك',
        '\u{64b}'..='\u{65f}' | '\u{670}' => return None,
        '\u{93c}' => return None,
        '\u{901}' => '\u{902}',
        '\u{30a1}'..='\u{30f4}' => char::from_u32(letter as u32 - 0x60)?,
        '〜' | '～' => 'ー',
        letter if letter.is_numeric() => return Some(digit(letter).unwrap_or(letter)),
        letter => letter,
    })
}

/// A decimal digit of any script as an ASCII digit.
fn digit(letter: char) -> Option<char> {
    const ZEROS: [u32; 20] = [
        0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0x1040, 0x17e0,
        0x1810, 0xff10,
    ];
    let zero = ZEROS.into_iter().find(|zero| (*zero..zero + 10).contains(&(letter as u32)))?;
    char::from_digit(letter as u32 - zero, 10)
}

/// Letters that are typed three times or more are typed once.
fn without_emphasis(letters: Vec<Letter>) -> Vec<Letter> {
    let same = |one: &Letter, other: &Letter| one.value == other.value && other.gap == Gap::Within && one.script.is_alphabet();
    let mut kept: Vec<Letter> = Vec::with_capacity(letters.len());
    for run in letters.chunk_by(same) {
        let count = if run.len() >= 3 { 1 } else { run.len() };
        kept.extend_from_slice(&run[..count]);
        if let (Some(last), Some(end)) = (kept.last_mut(), run.last()) {
            last.place.end = end.place.end;
        }
    }
    kept
}

/// Devanagari writes a nasal before a consonant as a letter or as a dot.
fn merged_nasals(letters: Vec<Letter>) -> Vec<Letter> {
    const VIRAMA: char = '\u{94d}';
    let is_consonant = |letter: &Letter| ('\u{915}'..='\u{939}').contains(&letter.value);
    let mut kept: Vec<Letter> = Vec::with_capacity(letters.len());
    let mut rest = letters.into_iter().peekable();
    while let Some(letter) = rest.next() {
        let nasal = kept.last().is_some_and(|last| matches!(last.value, 'ङ' | 'ञ' | 'ण' | 'न' | 'म'));
        let joins = letter.value == VIRAMA && nasal && rest.peek().is_some_and(is_consonant);
        match kept.last_mut() {
            Some(last) if joins => {
                last.value = '\u{902}';
                last.place.end = letter.place.end;
            }
            _ => kept.push(letter),
        }
    }
    kept
}
