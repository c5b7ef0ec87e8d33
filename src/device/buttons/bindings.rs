//! Which keys and pins press which buttons.
//!
//! Owns [`Bindings`], the names of keys, and the errors about invalid ones. Depends on nothing else.
//!
//! A key has one canonical name wherever it comes from: `enter`, `escape`, `left`, `f1`, `1`, `space`, as windows and
//! terminals name it. The kernel's names (`KEY_ENTER`, `KEY_ESC`, `KEY_F1`) are accepted for the same keys. A pin is `gpio5`:
//! line 5 of the chip behind the pin header, on a Raspberry Pi the BCM number.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Button, UnknownButton};
use crate::suggest::did_you_mean;

/// The last line of the 40 pins of a Raspberry Pi; 0 and 1 belong to the EEPROM of boards that sit on them.
const HEADER: std::ops::RangeInclusive<u32> = 2..=27;

/// Names of keys besides single characters and `f1` to `f24`.
const NAMES: [&str; 40] = [
    "enter",
    "escape",
    "left",
    "right",
    "up",
    "down",
    "space",
    "tab",
    "backspace",
    "delete",
    "insert",
    "home",
    "end",
    "page-up",
    "page-down",
    "menu",
    "ok",
    "select",
    "back",
    "home-page",
    "play-pause",
    "next-song",
    "previous-song",
    "volume-up",
    "volume-down",
    "mute",
    "power",
    "sleep",
    "kp-enter",
    "btn-0",
    "btn-1",
    "btn-2",
    "btn-3",
    "btn-4",
    "btn-south",
    "btn-east",
    "btn-north",
    "btn-west",
    "btn-start",
    "btn-select",
];

/// Names of the kernel that differ from ours.
const KERNEL_NAMES: [(&str, &str); 9] = [
    ("esc", "escape"),
    ("pageup", "page-up"),
    ("pagedown", "page-down"),
    ("homepage", "home-page"),
    ("playpause", "play-pause"),
    ("nextsong", "next-song"),
    ("previoussong", "previous-song"),
    ("volumeup", "volume-up"),
    ("volumedown", "volume-down"),
];

/// An invalid binding.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindingError {
    /// No button of that name.
    #[error(transparent)]
    Button(#[from] UnknownButton),
    /// No key of that name.
    #[error("button {button}: there is no key '{key}'{} (pins are written gpio5, kernel keys KEY_ENTER)", did_you_mean(key, &NAMES))]
    Key {
        /// The button.
        button: &'static str,
        /// The name.
        key: String,
    },
    /// One key bound to two buttons.
    #[error("'{key}' is bound twice, to {first} and to {second}")]
    Twice {
        /// The key or pin.
        key: String,
        /// One button.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A pin that is not on the header.
    #[error(
        "button {button}: pin {pin} is not on the header: gpio2 to gpio27 are, by their BCM numbers (gpio0 and gpio1 belong to the EEPROM)"
    )]
    Pin {
        /// The button.
        button: &'static str,
        /// The line.
        pin: u32,
    },
}

/// Keys and pins of each button. Written as a table: `a = ["gpio5", "f1", "1"]`. A button that is not named keeps its
/// defaults; an empty list unbinds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Vec<String>>", into = "BTreeMap<String, Vec<String>>")]
pub struct Bindings {
    keys: BTreeMap<Button, Vec<String>>,
}

impl Default for Bindings {
    /// Buttons A to D are the four of Inky boards (pins 5, 6, 16 and 24: `buttons.py` of pimoroni/inky), `f1` to `f4` and
    /// the digits; letters are left for typing.
    fn default() -> Self {
        let keys = [
            (Button::A, &["gpio5", "f1", "1"][..]),
            (Button::B, &["gpio6", "f2", "2"]),
            (Button::C, &["gpio16", "f3", "3"]),
            (Button::D, &["gpio24", "f4", "4"]),
            (Button::Previous, &["left", "up", "page-up"]),
            (Button::Next, &["right", "down", "page-down"]),
            (Button::Confirm, &["enter", "kp-enter", "ok"]),
            (Button::Back, &["escape", "back"]),
        ];
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Bindings {
            keys: keys.map(|(button, names)| (button, owned(names))).into(),
        }
    }
}

impl TryFrom<BTreeMap<String, Vec<String>>> for Bindings {
    type Error = BindingError;

    fn try_from(table: BTreeMap<String, Vec<String>>) -> Result<Bindings, BindingError> {
        let mut bindings = Bindings::default();
        check_twice(&table)?;
        for (name, keys) in table {
            let button: Button = name.parse()?;
            let keys = keys.iter().map(|key| checked(button.name(), key)).collect::<Result<Vec<_>, _>>()?;
            // An explicit binding takes the key from buttons that have it by default only.
            bindings
                .keys
                .values_mut()
                .for_each(|others| others.retain(|other| !keys.contains(other)));
            bindings.keys.insert(button, keys);
        }
        Ok(bindings)
    }
}

impl From<Bindings> for BTreeMap<String, Vec<String>> {
    fn from(bindings: Bindings) -> Self {
        bindings
            .keys
            .into_iter()
            .map(|(button, keys)| (button.name().to_owned(), keys))
            .collect()
    }
}

impl Bindings {
    /// The button of a key or pin, by its [`canonical`] name. `button-a` is always button A, and so on.
    pub fn button(&self, key: &str) -> Option<Button> {
        if let Some(direct) = key.strip_prefix("button-") {
            return direct.parse().ok();
        }
        let is_bound = |(_, keys): &(&Button, &Vec<String>)| keys.iter().any(|bound| bound == key);
        self.keys.iter().find(is_bound).map(|(&button, _)| button)
    }

    /// The pins that are bound, as line numbers.
    pub fn pins(&self) -> Vec<u32> {
        self.keys.values().flatten().filter_map(|key| pin(key)).collect()
    }
}

/// The canonical name of a key: `KEY_PAGEUP` and `Page-Up` are `page-up`.
pub fn canonical(key: &str) -> String {
    let lower = key.trim().to_lowercase().replace('_', "-");
    let bare = lower.strip_prefix("key-").unwrap_or(&lower);
    KERNEL_NAMES
        .iter()
        .find(|(kernel, _)| *kernel == bare)
        .map_or(bare, |(_, ours)| ours)
        .to_owned()
}

/// The line of a name such as `gpio5`.
pub fn pin(key: &str) -> Option<u32> {
    key.strip_prefix("gpio")?.parse().ok()
}

fn check_twice(table: &BTreeMap<String, Vec<String>>) -> Result<(), BindingError> {
    let known = |name: &str| name.parse().map_or("?", Button::name);
    let mut seen: Vec<(String, &'static str)> = Vec::new();
    for (name, keys) in table {
        for key in keys.iter().map(|key| canonical(key)) {
            if let Some((key, first)) = seen.iter().find(|(other, _)| *other == key) {
                return Err(BindingError::Twice {
                    key: key.clone(),
                    first,
                    second: known(name),
                });
            }
            seen.push((key, known(name)));
        }
    }
    Ok(())
}

fn checked(button: &'static str, key: &str) -> Result<String, BindingError> {
    let key = canonical(key);
    if let Some(pin) = pin(&key) {
        return if HEADER.contains(&pin) {
            Ok(key)
        } else {
            Err(BindingError::Pin { button, pin })
        };
    }
    let function = key
        .strip_prefix('f')
        .and_then(|number| number.parse::<u8>().ok())
        .is_some_and(|number| (1..=24).contains(&number));
    if key.chars().count() == 1 || function || NAMES.contains(&key.as_str()) {
        return Ok(key);
    }
    Err(BindingError::Key { button, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Settings {
        buttons: Bindings,
    }

    fn read(text: &str) -> Result<Bindings, String> {
        toml::from_str::<Settings>(&format!("[buttons]\n{text}"))
            .map(|settings| settings.buttons)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn keys_have_one_name_wherever_they_come_from() {
        for (given, name) in [
            ("KEY_ENTER", "enter"),
            ("KEY_ESC", "escape"),
            ("Page-Up", "page-up"),
            ("KEY_PAGEUP", "page-up"),
            ("KEY_1", "1"),
        ] {
            assert_eq!(canonical(given), name);
        }
        let bindings = Bindings::default();
        assert_eq!(bindings.button(&canonical("KEY_F2")), Some(Button::B));
        assert_eq!(bindings.button("gpio24"), Some(Button::D));
        assert_eq!(bindings.button("button-back"), Some(Button::Back));
        assert_eq!(bindings.button("a"), None, "letters are for typing");
        assert_eq!(bindings.pins(), [5, 6, 16, 24]);
    }

    #[test]
    fn settings_change_single_buttons() {
        let bindings = read("a = ['gpio17', 'KEY_SPACE']\nback = []").unwrap();
        assert_eq!(bindings.button("gpio17"), Some(Button::A));
        assert_eq!(bindings.button("space"), Some(Button::A));
        assert_eq!(bindings.button("gpio5"), None);
        assert_eq!(bindings.button("escape"), None);
        assert_eq!(bindings.button("f2"), Some(Button::B));
        let moved = read("next = ['1']").unwrap();
        assert_eq!(moved.button("1"), Some(Button::Next), "taken from the default of a");
        assert_eq!(moved.button("f1"), Some(Button::A));
        let text = toml::to_string(&moved).unwrap();
        assert_eq!(toml::from_str::<Bindings>(&text).unwrap(), moved);
    }

    #[test]
    fn wrong_names_are_named() {
        let error = read("previuos = ['left']").unwrap_err();
        assert!(error.contains("there is no button 'previuos'; did you mean 'previous'?"), "{error}");
        let error = read("a = ['entre']").unwrap_err();
        assert!(
            error.contains("button a: there is no key 'entre'; did you mean 'enter'?"),
            "{error}"
        );
        let error = read("c = ['gpio40']").unwrap_err();
        assert!(error.contains("button c: pin 40 is not on the header"), "{error}");
        assert!(read("c = ['gpio0']").is_err());
        let error = read("a = ['gpio5']\nb = ['GPIO5']").unwrap_err();
        assert!(error.contains("'gpio5' is bound twice, to a and to b"), "{error}");
    }
}
