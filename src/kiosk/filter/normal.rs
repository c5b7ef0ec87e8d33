//! The many ways of writing one word brought to one: case, width, accents, look-alike letters, digits for letters, letters
//! spaced out or repeated. Depends on Unicode's tables alone.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Signs that stand for letters, and for which.
const SIGNS: [(char, &str); 11] = [
    ('0', "o"),
    ('1', "il"),
    ('3', "e"),
    ('4', "a"),
    ('5', "s"),
    ('7', "t"),
    ('8', "b"),
    ('@', "a"),
    ('$', "s"),
    ('!', "i"),
    ('|', "il"),
];
/// Cyrillic and Greek letters that look like Latin ones.
const ALIKE: [(char, char); 18] = [
    ('а', 'a'),
    ('в', 'b'),
    ('е', 'e'),
    ('і', 'i'),
    ('к', 'k'),
    ('м', 'm'),
    ('о', 'o'),
    ('р', 'p'),
    ('с', 'c'),
    ('т', 't'),
    ('у', 'y'),
    ('х', 'x'),
    ('ѕ', 's'),
    ('α', 'a'),
    ('ε', 'e'),
    ('ι', 'i'),
    ('ο', 'o'),
    ('υ', 'u'),
];
/// Small capitals and the letters that they are; NFKC leaves them as they are.
const SMALL_CAPITALS: [(char, char); 24] = [
    ('ᴀ', 'a'),
    ('ʙ', 'b'),
    ('ᴄ', 'c'),
    ('ᴅ', 'd'),
    ('ᴇ', 'e'),
    ('ꜰ', 'f'),
    ('ɢ', 'g'),
    ('ʜ', 'h'),
    ('ɪ', 'i'),
    ('ᴊ', 'j'),
    ('ᴋ', 'k'),
    ('ʟ', 'l'),
    ('ᴍ', 'm'),
    ('ɴ', 'n'),
    ('ᴏ', 'o'),
    ('ᴘ', 'p'),
    ('ʀ', 'r'),
    ('ꜱ', 's'),
    ('ᴛ', 't'),
    ('ᴜ', 'u'),
    ('ᴠ', 'v'),
    ('ᴡ', 'w'),
    ('ʏ', 'y'),
    ('ᴢ', 'z'),
];
/// First letters of alphabets in white on black circles and squares, and of the regional indicators that flags are made of.
const ENCLOSED: [u32; 3] = [0x1f150, 0x1f170, 0x1f1e6];
/// The most ways in which one word is read.
const MOST_READINGS: usize = 64;

/// The text in compatible, composed form (NFKC), in small letters, without invisible characters and without what Arabic
/// may write or leave out.
pub(super) fn fold(text: &str) -> String {
    let visible = text.nfkc().map(plain_letter).filter(|letter| !is_invisible(*letter));
    let small = visible.flat_map(char::to_lowercase).flat_map(|letter| match letter {
        'ß' => ['s', 's'].into_iter().take(2),
        'ς' => ['σ', ' '].into_iter().take(1),
        other => [other, ' '].into_iter().take(1),
    });
    small.nfc().collect()
}

/// The letter that a small capital or an enclosed letter stands for.
fn plain_letter(letter: char) -> char {
    if let Some((_, plain)) = SMALL_CAPITALS.iter().find(|(capital, _)| *capital == letter) {
        return *plain;
    }
    let place = ENCLOSED
        .iter()
        .find_map(|first| u32::from(letter).checked_sub(*first).filter(|place| *place < 26));
    place.and_then(|place| char::from_u32(u32::from('a') + place)).unwrap_or(letter)
}

fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
        // Fillers of Hangul and Khmer, and the letters of tags.
        || matches!(letter, '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' | '\u{e0000}'..='\u{e007f}')
        || matches!(letter, '\u{640}' | '\u{64b}'..='\u{652}' | '\u{670}' | '\u{fe00}'..='\u{fe0f}')
}

/// Without the accents of Latin, Greek and Cyrillic letters.
pub(super) fn without_accents(word: &str) -> String {
    let is_accent = |letter: &char| matches!(letter, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}');
    word.nfd().filter(|letter| !is_accent(letter)).nfc().collect()
}

/// Whether words in this letter's script are written without spaces between.
pub(super) fn is_without_spaces(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{323af}')
}

fn is_sign(letter: char) -> bool {
    matches!(letter, '@' | '$' | '!' | '|')
}

/// The words of a folded text, including signs that may replace letters. Three or more single letters in a row are also joined
/// to a word.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = pieces(text).map(str::to_owned).collect();
    words.extend(joined_letters(text, 3));
    words
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let inside = |letter: char| letter.is_alphanumeric() || is_combining_mark(letter) || is_sign(letter);
    text.split(move |letter| !inside(letter)).filter(|word| !word.is_empty())
}

/// Runs of at least `least` single letters of a folded text, joined to words.
pub(super) fn joined_letters(text: &str, least: usize) -> Vec<String> {
    let pieces: Vec<&str> = pieces(text).collect();
    let alone = pieces.chunk_by(|one, other| one.chars().count() == 1 && other.chars().count() == 1);
    alone.filter(|letters| letters.len() >= least).map(<[&str]>::concat).collect()
}

/// The ways in which a word of [`words`] can be read.
pub(super) fn readings(word: &str) -> Vec<String> {
    let bare = word.trim_matches(is_sign);
    // A number beside a word is no part of it.
    let letters = word.trim_matches(|letter: char| !letter.is_alphabetic());
    let mut readings = vec![bare.to_owned(), letters.to_owned()];
    readings.extend([word, bare].into_iter().flat_map(letters_for_signs));
    let latin: Vec<String> = readings.iter().filter_map(|reading| as_latin(reading)).collect();
    readings.extend(latin);
    let article: Vec<String> = readings
        .iter()
        .filter_map(|reading| reading.strip_prefix("ال"))
        .map(str::to_owned)
        .collect();
    readings.extend(article);
    let shorter: Vec<String> = readings
        .iter()
        .flat_map(|reading| [1, 2].map(|most| repeated(reading, most)))
        .collect();
    readings.extend(shorter);
    let plain: Vec<String> = readings.iter().map(|reading| without_accents(reading)).collect();
    readings.extend(plain);
    readings.retain(|reading| !reading.is_empty());
    readings.sort_unstable();
    readings.dedup();
    readings
}

/// With letters for the signs, where letters and signs are mixed.
fn letters_for_signs(word: &str) -> Vec<String> {
    if !word.chars().any(char::is_alphabetic) {
        return Vec::new();
    }
    let mut all = vec![String::new()];
    for letter in word.chars() {
        let meant = SIGNS.iter().find(|(sign, _)| *sign == letter).map(|(_, letters)| *letters);
        let choices: Vec<char> = meant.map_or(vec![letter], |letters| letters.chars().collect());
        let fewer = if all.len() * choices.len() > MOST_READINGS {
            1
        } else {
            choices.len()
        };
        all = all
            .iter()
            .flat_map(|begin| choices[..fewer].iter().map(move |choice| format!("{begin}{choice}")))
            .collect();
    }
    all
}

/// In Latin letters, where Latin letters are mixed with others that look the same.
fn as_latin(word: &str) -> Option<String> {
    let alike = |letter: char| ALIKE.iter().find(|(other, _)| *other == letter).map(|(_, latin)| *latin);
    let mixed = word.chars().any(|letter| letter.is_ascii_alphabetic()) && word.chars().any(|letter| alike(letter).is_some());
    mixed.then(|| word.chars().map(|letter| alike(letter).unwrap_or(letter)).collect())
}

/// The word with letters that are repeated three times or more reduced to `most`.
fn repeated(word: &str, most: usize) -> String {
    let letters: Vec<char> = word.chars().collect();
    let runs = letters.chunk_by(|one, other| one == other);
    runs.flat_map(|run| if run.len() > 2 { &run[..most] } else { run }).collect()
}
