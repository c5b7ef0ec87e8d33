//! File names from prompts. Depends on nothing.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Maximum length of a name in characters.
const NAME_LENGTH: usize = 48;
/// Invisible characters within words of Hindi, Persian and others.
const JOINERS: [char; 3] = ['\u{200b}', '\u{200c}', '\u{200d}'];

/// A file name for a prompt: its letters, with their combining marks, and digits in any script, joined by hyphens and composed
/// (Unicode normalization form C).
pub fn file_name(prompt: &str) -> String {
    let composed: String = prompt.nfc().filter(|letter| !JOINERS.contains(letter)).collect();
    let is_part = |letter: char| letter.is_alphanumeric() || is_combining_mark(letter);
    let words = composed.split(|letter: char| !is_part(letter)).filter(|word| !word.is_empty());
    let lower = words.collect::<Vec<_>>().join("-").to_lowercase();
    let mut name: String = lower.chars().take(NAME_LENGTH).collect();
    // A letter is not cut from its marks.
    if lower.chars().nth(NAME_LENGTH).is_some_and(is_combining_mark) {
        name.truncate(name.trim_end_matches(is_combining_mark).len());
        name.pop();
    }
    let name = name.trim_end_matches('-');
    if name.is_empty() { "picture".into() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_prompts() {
        assert_eq!(file_name("a smiling cat, 3d style"), "a-smiling-cat-3d-style");
        assert_eq!(file_name("../..//etc/passwd"), "etc-passwd");
        assert_eq!(file_name("红苹果!"), "红苹果");
        assert_eq!(file_name("!!!"), "picture");
        assert_eq!(file_name("तीन बिल्लियाँ"), "तीन-बिल्लियाँ");
        assert_eq!(file_name("แม่"), "แม่");
        assert_eq!(file_name("pin\u{303}ata"), "pi\u{f1}ata");
        assert_eq!(file_name("क्\u{200d}ष"), "क्ष");
        let long = format!("{}बि", "x".repeat(NAME_LENGTH - 1));
        assert_eq!(file_name(&long), "x".repeat(NAME_LENGTH - 1));
        assert!(file_name(&"long ".repeat(100)).chars().count() <= NAME_LENGTH);
    }
}
