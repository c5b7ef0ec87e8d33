//! Querying a terminal's capabilities. It has to be in raw mode: its replies arrive as if they were typed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use embedded_graphics::prelude::Size;

use super::is_readable_within;

/// The size of a character in pixels (xterm's `CSI 16 t`), then the primary device attributes (DA1, `CSI c`), which every
/// terminal reports, so that its reply ends the waiting.
const QUERY: &[u8] = b"\x1b[16t\x1b[c";
/// The most bytes that are read for a reply.
const MAX_REPLY: usize = 4096;
/// The device attribute of Sixel graphics.
const SIXEL: &str = "4";

/// The reply of a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Whether it has Sixel graphics.
    pub has_sixel: bool,
    /// Pixels of a character, if it reports them.
    pub cell: Option<Size>,
    /// The bytes between the replies: keys.
    pub typed: Vec<u8>,
}

/// Sends the query and waits for the reply, at most as long as `timeout`.
///
/// # Errors
/// If the terminal was closed.
pub fn query(mut tty: &File, timeout: Duration) -> io::Result<Reply> {
    tty.write_all(QUERY)?;
    let deadline = Instant::now() + timeout;
    let mut bytes = Vec::new();
    let mut buffer = [0; 256];
    while bytes.len() < MAX_REPLY && is_readable_within(tty, deadline.saturating_duration_since(Instant::now()))? {
        let count = tty.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..count]);
        let (reply, is_complete) = parse(&bytes);
        if is_complete {
            return Ok(reply);
        }
    }
    Ok(parse(&bytes).0)
}

/// Separates the replies from other bytes, and tells whether the last one is among them.
fn parse(bytes: &[u8]) -> (Reply, bool) {
    let mut reply = Reply::default();
    let mut is_complete = false;
    let mut at = 0;
    while at < bytes.len() {
        match sequence(&bytes[at..]) {
            Some((length, parameters, b'c')) if parameters.starts_with('?') => {
                reply.has_sixel = parameters.split([';', '?']).any(|attribute| attribute == SIXEL);
                (is_complete, at) = (true, at + length);
            }
            Some((length, parameters, b't')) if parameters.starts_with("6;") => {
                reply.cell = cell(parameters);
                at += length;
            }
            _ => {
                reply.typed.push(bytes[at]);
                at += 1;
            }
        }
    }
    (reply, is_complete)
}

/// The control sequence at the beginning of some bytes: its length, its parameters and its final byte.
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
    fn replies_are_found_among_keys() {
        let reply = |has_sixel, cell, typed: &str| Reply {
            has_sixel,
            cell,
            typed: typed.into(),
        };
        let cell = Some(Size::new(8, 16));
        for (bytes, expected, is_complete) in [
            ("\x1b[6;16;8t\x1b[?62;4;22c", reply(true, cell, ""), true),
            ("a\x1b[6;16;8t\x1b[A\x1b[?64;1;9;15;22c\r", reply(false, cell, "a\x1b[A\r"), true),
            ("\x1b[?4c", reply(true, None, ""), true),
            ("\x1b[?1;2c", reply(false, None, ""), true),
            ("\x1b[?62;14;44c", reply(false, None, ""), true),
            ("\x1b[6;0;8t", reply(false, None, ""), false),
            ("\x1b[6;16", reply(false, None, "\x1b[6;16"), false),
            ("", Reply::default(), false),
        ] {
            assert_eq!(parse(bytes.as_bytes()), (expected, is_complete), "{bytes:?}");
        }
    }
}
