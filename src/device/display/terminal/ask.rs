//! Asking a terminal what it can do. It has to be in raw mode: its answers come as if they were typed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use embedded_graphics::prelude::Size;

use super::is_readable_within;

/// The size of a character in pixels (xterm's `CSI 16 t`), then the primary device attributes (DA1, `CSI c`), which every
/// terminal answers and which so end what is to be waited for.
const QUESTION: &[u8] = b"\x1b[16t\x1b[c";
/// The most bytes that are read for answers.
const MOST: usize = 4096;
/// The device attribute of Sixel graphics.
const SIXEL: &str = "4";

/// What a terminal has answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Whether it has Sixel graphics.
    pub has_sixel: bool,
    /// Pixels of a character, where it tells.
    pub cell: Option<Size>,
    /// What else came meanwhile: keys.
    pub rest: Vec<u8>,
}

/// Asks, and waits for so long at most.
///
/// # Errors
/// If the terminal is gone.
pub fn ask(mut tty: &File, patience: Duration) -> io::Result<Answer> {
    tty.write_all(QUESTION)?;
    let deadline = Instant::now() + patience;
    let mut bytes = Vec::new();
    let mut some = [0; 256];
    while bytes.len() < MOST && is_readable_within(tty, deadline.saturating_duration_since(Instant::now()))? {
        let count = tty.read(&mut some)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&some[..count]);
        let (answer, is_all) = read(&bytes);
        if is_all {
            return Ok(answer);
        }
    }
    Ok(read(&bytes).0)
}

/// Takes the answers out of what came, and tells whether the last one was there.
fn read(bytes: &[u8]) -> (Answer, bool) {
    let mut answer = Answer::default();
    let mut is_all = false;
    let mut at = 0;
    while at < bytes.len() {
        match sequence(&bytes[at..]) {
            Some((length, parameters, b'c')) if parameters.starts_with('?') => {
                answer.has_sixel = parameters.split([';', '?']).any(|attribute| attribute == SIXEL);
                (is_all, at) = (true, at + length);
            }
            Some((length, parameters, b't')) if parameters.starts_with("6;") => {
                answer.cell = cell(parameters);
                at += length;
            }
            _ => {
                answer.rest.push(bytes[at]);
                at += 1;
            }
        }
    }
    (answer, is_all)
}

/// The control sequence that bytes begin with: its length, its parameters and its last byte.
fn sequence(bytes: &[u8]) -> Option<(usize, &str, u8)> {
    let rest = bytes.strip_prefix(b"\x1b[")?;
    let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte))?;
    Some((end + 3, std::str::from_utf8(&rest[..end]).ok()?, rest[end]))
}

/// `6;height;width`
fn cell(parameters: &str) -> Option<Size> {
    let mut numbers = parameters.split(';').skip(1).map(|number| number.parse::<u32>().ok());
    let (height, width) = (numbers.next()??, numbers.next()??);
    (height > 0 && width > 0).then_some(Size::new(width, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_found_among_keys() {
        let answer = |has_sixel, cell, rest: &str| Answer {
            has_sixel,
            cell,
            rest: rest.into(),
        };
        let cell = Some(Size::new(8, 16));
        for (bytes, expected, is_all) in [
            ("\x1b[6;16;8t\x1b[?62;4;22c", answer(true, cell, ""), true),
            ("a\x1b[6;16;8t\x1b[A\x1b[?64;1;9;15;22c\r", answer(false, cell, "a\x1b[A\r"), true),
            ("\x1b[?4c", answer(true, None, ""), true),
            ("\x1b[?1;2c", answer(false, None, ""), true),
            ("\x1b[?62;14;44c", answer(false, None, ""), true),
            ("\x1b[6;0;8t", answer(false, None, ""), false),
            ("\x1b[6;16", answer(false, None, "\x1b[6;16"), false),
            ("", Answer::default(), false),
        ] {
            assert_eq!(read(bytes.as_bytes()), (expected, is_all), "{bytes:?}");
        }
    }
}
