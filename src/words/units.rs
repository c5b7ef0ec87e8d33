//! The words of a prompt, and where they stand in it. Depends on nothing.

use std::ops::Range;

const BREAKS: &str = ",;:!?\n()[]{}、，。；：！？（）「」…";
const EDGES: &[char] = &['.', '\'', '’', '"', '“', '”', '„', '«', '»', '-', '*', '_', '~', '/', '\\', '|'];

/// A word, or a character of a script without spaces.
pub(super) struct Unit {
    pub place: Range<usize>,
    /// In lower case, without marks at either end.
    pub key: String,
    /// Punctuation stands before it.
    pub broken: bool,
    /// One character of such a script.
    pub single: bool,
}

/// The units of a prompt, in their order.
pub(super) fn units(prompt: &str) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let (mut start, mut broken) = (None, false);
    let mut push = |place: Range<usize>, single, broken: &mut bool| {
        let written = &prompt[place.clone()];
        let trimmed = written.trim_start_matches(EDGES);
        let begin = place.end - trimmed.len();
        let trimmed = trimmed.trim_end_matches(EDGES);
        // What is nothing but marks stays whole.
        let place = if trimmed.is_empty() { place } else { begin..begin + trimmed.len() };
        let key = prompt[place.clone()].to_lowercase().replace('’', "'");
        let broken = std::mem::take(broken);
        units.push(Unit {
            place,
            key,
            broken,
            single,
        });
    };
    for (place, character) in prompt.char_indices() {
        let end = place + character.len_utf8();
        let stop = character == '.' && prompt[end..].chars().next().is_none_or(char::is_whitespace);
        let breaks = stop || BREAKS.contains(character);
        let single = is_unspaced(character);
        if breaks || single || character.is_whitespace() {
            if let Some(start) = start.take() {
                push(start..place, false, &mut broken);
            }
            broken |= breaks;
            if single {
                push(place..end, true, &mut broken);
            }
        } else {
            start.get_or_insert(place);
        }
    }
    if let Some(start) = start {
        push(start..prompt.len(), false, &mut broken);
    }
    units
}

/// Han, kana: scripts that put no space between words.
fn is_unspaced(character: char) -> bool {
    matches!(character, '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// Units as an entry of the list.
pub(super) fn written_as_entry(units: &[Unit]) -> String {
    let mut text = String::new();
    for (index, unit) in units.iter().enumerate() {
        if index > 0 && !(unit.single && units[index - 1].single) {
            text.push(' ');
        }
        text.push_str(&unit.key);
    }
    text
}
