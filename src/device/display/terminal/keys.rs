//! Decoding of what a terminal sends when keys are pressed: UTF-8, control characters, and the escape sequences of ECMA-48
//! and xterm (`ctlseqs`), with the mouse in SGR form. Sequences may arrive in pieces; decoding never blocks.

use std::time::{Duration, Instant};

/// The longest time between an escape character and the rest of its sequence; after that it was the Escape key. The terminal
/// sends a sequence at once, so that its parts arrive together even over a network.
const ESCAPE_TIMEOUT: Duration = Duration::from_millis(30);
/// Longer than any sequence, in bytes.
const MAX_SEQUENCE: usize = 32;

/// Something that was pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key by name: `enter`, `left`, `a`, `1`.
    Key(String),
    /// A typed character.
    Character(char),
    /// The left mouse button at a character, counted from zero.
    Mouse {
        /// From the left.
        column: u32,
        /// From the top.
        line: u32,
        /// Whether it is down now.
        pressed: bool,
    },
}

/// A decoder with the bytes of an incomplete sequence.
#[derive(Debug, Default)]
pub struct Keys {
    pending: Vec<u8>,
    since: Option<Instant>,
}

/// The meaning of the first bytes.
enum Step {
    /// This many bytes are these inputs.
    Inputs(usize, Vec<Input>),
    /// More bytes are needed.
    Incomplete,
}

impl Keys {
    /// Decodes bytes; returns what they complete.
    pub fn feed(&mut self, bytes: &[u8], now: Instant) -> Vec<Input> {
        self.pending.extend_from_slice(bytes);
        self.since = Some(now);
        let mut inputs = Vec::new();
        while !self.pending.is_empty() {
            match step(&self.pending) {
                Step::Inputs(used, found) => {
                    inputs.extend(found);
                    self.pending.drain(..used);
                }
                Step::Incomplete if self.pending.len() > MAX_SEQUENCE => self.pending.clear(),
                Step::Incomplete => break,
            }
        }
        inputs
    }

    /// Decodes an incomplete sequence to which nothing was added for a while: its escape character was the Escape key.
    pub fn wait(&mut self, now: Instant) -> Vec<Input> {
        let late = self.since.is_some_and(|since| now.duration_since(since) >= ESCAPE_TIMEOUT);
        if self.pending.is_empty() || !late {
            return Vec::new();
        }
        let pending = std::mem::take(&mut self.pending);
        match pending.split_first() {
            Some((0x1b, rest)) => [vec![key("escape")], self.feed(rest, now)].concat(),
            _ => Vec::new(),
        }
    }
}

fn step(bytes: &[u8]) -> Step {
    match bytes {
        [0x1b, b'[', rest @ ..] => control_sequence(rest, 2),
        [0x1b, b'O', last, ..] => Step::Inputs(3, final_key(*last).into_iter().map(key).collect()),
        [0x1b] | [0x1b, b'O'] => Step::Incomplete,
        [0x1b, ..] => Step::Inputs(1, vec![key("escape")]),
        [0x08 | 0x7f, ..] => Step::Inputs(1, vec![key("backspace"), Input::Character('\u{8}')]),
        [byte, ..] if byte.is_ascii_control() => Step::Inputs(1, control(*byte).into_iter().map(key).collect()),
        _ => character(bytes),
    }
}

fn key(name: &str) -> Input {
    Input::Key(name.to_owned())
}

fn control(byte: u8) -> Option<&'static str> {
    match byte {
        b'\r' | b'\n' => Some("enter"),
        b'\t' => Some("tab"),
        _ => None,
    }
}

/// A character of one to four bytes. Those of ASCII are keys, too.
fn character(bytes: &[u8]) -> Step {
    let length = match bytes[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if bytes.len() < length {
        return Step::Incomplete;
    }
    let found = std::str::from_utf8(&bytes[..length]).ok().and_then(|text| text.chars().next());
    match found {
        Some(' ') => Step::Inputs(1, vec![key("space"), Input::Character(' ')]),
        Some(letter) if letter.is_ascii() => {
            let name = letter.to_ascii_lowercase().to_string();
            Step::Inputs(1, vec![Input::Key(name), Input::Character(letter)])
        }
        Some(letter) => Step::Inputs(length, vec![Input::Character(letter)]),
        None => Step::Inputs(1, Vec::new()),
    }
}

/// Parameters and a final byte, which `before` bytes precede.
fn control_sequence(bytes: &[u8], before: usize) -> Step {
    // The Linux console sends its first five function keys as `ESC [ [ A` to `ESC [ [ E`.
    if let [b'[', rest @ ..] = bytes {
        let Some(last) = rest.first() else { return Step::Incomplete };
        let number = last.wrapping_sub(b'A') + 1;
        let inputs = (1..=5).contains(&number).then(|| Input::Key(format!("f{number}")));
        return Step::Inputs(before + 2, inputs.into_iter().collect());
    }
    let Some(end) = bytes.iter().position(|byte| (0x40..=0x7e).contains(byte)) else {
        return Step::Incomplete;
    };
    let parameters = std::str::from_utf8(&bytes[..end]).unwrap_or_default();
    let input = match (bytes[end], parameters.strip_prefix('<')) {
        (last @ (b'M' | b'm'), Some(mouse)) => mouse_button(mouse, last == b'M'),
        (b'~', _) => numbered_key(parameters).map(key),
        // A reply of the terminal to a query.
        (_, None) if parameters.starts_with(['?', '>', '=']) => None,
        (last, None) => final_key(last).map(key),
        _ => None,
    };
    Step::Inputs(before + end + 1, input.into_iter().collect())
}

fn final_key(last: u8) -> Option<&'static str> {
    Some(match last {
        b'A' => "up",
        b'B' => "down",
        b'C' => "right",
        b'D' => "left",
        b'F' => "end",
        b'H' => "home",
        b'M' => "enter",
        b'P' => "f1",
        b'Q' => "f2",
        b'R' => "f3",
        b'S' => "f4",
        b'Z' => "tab",
        _ => return None,
    })
}

fn numbered_key(parameters: &str) -> Option<&'static str> {
    Some(match parameters.split(';').next()? {
        "1" | "7" => "home",
        "2" => "insert",
        "3" => "delete",
        "4" | "8" => "end",
        "5" => "page-up",
        "6" => "page-down",
        "11" => "f1",
        "12" => "f2",
        "13" => "f3",
        "14" => "f4",
        "15" => "f5",
        "17" => "f6",
        "18" => "f7",
        "19" => "f8",
        "20" => "f9",
        "21" => "f10",
        "23" => "f11",
        "24" => "f12",
        _ => return None,
    })
}

/// `button;column;line`, counted from one. Only the left button's own presses: no wheel, no movement.
fn mouse_button(parameters: &str, pressed: bool) -> Option<Input> {
    let mut numbers = parameters.split(';').map(str::parse::<u32>);
    let (button, column, line) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    let modifiers = 4 | 8 | 16;
    (button & !modifiers == 0).then_some(Input::Mouse {
        column: column.saturating_sub(1),
        line: line.saturating_sub(1),
        pressed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(parts: &[&[u8]]) -> Vec<Input> {
        let (mut keys, now) = (Keys::default(), Instant::now());
        parts.iter().flat_map(|part| keys.feed(part, now)).collect()
    }

    fn names(bytes: &[u8]) -> Vec<String> {
        let name = |input| match input {
            Input::Key(name) => Some(name),
            _ => None,
        };
        fed(&[bytes]).into_iter().filter_map(name).collect()
    }

    #[test]
    fn keys_have_names() {
        for (bytes, name) in [
            (&b"\r"[..], "enter"),
            (b"\n", "enter"),
            (b"\x7f", "backspace"),
            (b"\t", "tab"),
            (b" ", "space"),
            (b"A", "a"),
            (b"7", "7"),
            (b"\x1b[A", "up"),
            (b"\x1bOB", "down"),
            (b"\x1b[1;5C", "right"),
            (b"\x1b[D", "left"),
            (b"\x1b[H", "home"),
            (b"\x1b[4~", "end"),
            (b"\x1b[3~", "delete"),
            (b"\x1b[5;2~", "page-up"),
            (b"\x1bOP", "f1"),
            (b"\x1b[[E", "f5"),
            (b"\x1b[24~", "f12"),
        ] {
            assert_eq!(names(bytes), [name], "{bytes:?}");
        }
        for nothing in [&b"\x1b[200~"[..], b"\x1b[?1;2c", b"\x01", b"\xff", b"\x1b[[x"] {
            assert_eq!(fed(&[nothing]), [], "{nothing:?}");
        }
    }

    #[test]
    fn letters_of_every_script_come_whole() {
        let both = |text: &str| text.chars().map(Input::Character).collect::<Vec<_>>();
        assert_eq!(fed(&["苹".as_bytes(), "ü🍎".as_bytes()]), both("苹ü🍎"));
        let bytes = "苹".as_bytes();
        assert_eq!(fed(&[&bytes[..1], &bytes[1..2], &bytes[2..]]), both("苹"));
        assert_eq!(fed(&[b"\x7f"]), [key("backspace"), Input::Character('\u{8}')]);
        assert_eq!(fed(&[b"Q"]), [Input::Key("q".to_owned()), Input::Character('Q')]);
    }

    #[test]
    fn sequences_may_come_in_pieces_and_escape_alone_is_a_key() {
        assert_eq!(fed(&[b"\x1b", b"[", b"A"]), [key("up")]);
        let (mut keys, begin) = (Keys::default(), Instant::now());
        assert_eq!(keys.feed(b"\x1b", begin), []);
        assert_eq!(keys.wait(begin + ESCAPE_TIMEOUT / 2), []);
        assert_eq!(keys.wait(begin + ESCAPE_TIMEOUT), [key("escape")]);
        assert_eq!(keys.wait(begin + ESCAPE_TIMEOUT * 2), []);
        assert_eq!(names(b"\x1b\x1b[B"), ["escape", "down"]);
        assert_eq!(names(b"\x1bx"), ["escape", "x"]);
    }

    #[test]
    fn endless_sequences_are_dropped() {
        let (mut keys, now) = (Keys::default(), Instant::now());
        assert_eq!(keys.feed(&[b"\x1b[".to_vec(), vec![b'1'; 40]].concat(), now), []);
        assert_eq!(keys.feed(b"\r", now), [key("enter")]);
    }

    #[test]
    fn the_mouse_counts_from_zero() {
        let mouse = |pressed| Input::Mouse {
            column: 11,
            line: 6,
            pressed,
        };
        assert_eq!(fed(&[b"\x1b[<0;12;7M\x1b[<0;12;7m"]), [mouse(true), mouse(false)]);
        for other in [
            &b"\x1b[<2;12;7M"[..],
            b"\x1b[<64;1;1M",
            b"\x1b[<32;1;1M",
            b"\x1b[<0;;M",
            b"\x1b[<0;1M",
        ] {
            assert_eq!(fed(&[other]), [], "{other:?}");
        }
    }
}
