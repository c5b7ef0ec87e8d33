//! The names of a window's keys, the same as in a terminal: `enter`, `escape`, `left`, `page-up`, `f1`, `a`, `1`.

use winit::event::KeyEvent;
use winit::keyboard::{Key, NamedKey};
use winit::platform::modifier_supplement::KeyEventExtModifierSupplement;

/// The name of an event's key without modifiers; `None` for keys that the desktop does not know.
pub fn name(event: &KeyEvent) -> Option<String> {
    match event.key_without_modifiers() {
        Key::Named(key) => Some(named(key)),
        Key::Character(text) if text == " " => Some("space".to_owned()),
        Key::Character(text) => Some(text.to_lowercase()),
        Key::Unidentified(_) | Key::Dead(_) => None,
    }
}

/// winit's name in kebab case; arrows by their directions alone.
fn named(key: NamedKey) -> String {
    let library = format!("{key:?}");
    let mut name = String::new();
    for letter in library.strip_prefix("Arrow").unwrap_or(&library).chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_terminals() {
        let keys = [
            (NamedKey::Enter, "enter"),
            (NamedKey::Escape, "escape"),
            (NamedKey::ArrowLeft, "left"),
            (NamedKey::ArrowDown, "down"),
            (NamedKey::PageUp, "page-up"),
            (NamedKey::Backspace, "backspace"),
            (NamedKey::Space, "space"),
            (NamedKey::F11, "f11"),
            (NamedKey::AudioVolumeUp, "audio-volume-up"),
        ];
        for (key, expected) in keys {
            assert_eq!(named(key), expected);
        }
    }
}
