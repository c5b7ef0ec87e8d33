//! File names from prompts. Depends on nothing.

/// Maximum length of a name in characters.
const NAME_LENGTH: usize = 48;

/// A file name for a prompt: its letters and digits in any script, joined by hyphens.
pub fn file_name(prompt: &str) -> String {
    let words = prompt
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let name: String = words
        .collect::<Vec<_>>()
        .join("-")
        .to_lowercase()
        .chars()
        .take(NAME_LENGTH)
        .collect();
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
        assert!(file_name(&"long ".repeat(100)).chars().count() <= NAME_LENGTH);
    }
}
