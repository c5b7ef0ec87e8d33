//! Prompts from standard input, one a line. Depends on nothing.

use std::io::{BufRead, Read};

use super::CliError;

/// Longest line, in bytes.
const LONGEST_LINE: u64 = 64 << 10;

/// The lines of an input that are not empty.
pub struct Prompts<Input> {
    input: Input,
    number: usize,
}

impl<Input: BufRead> Prompts<Input> {
    pub fn new(input: Input) -> Prompts<Input> {
        Prompts { input, number: 0 }
    }

    /// The number of the last line that was read, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// If it is not UTF-8, longer than 64 KiB, or cannot be read.
    pub fn next_line(&mut self) -> Result<Option<String>, CliError> {
        loop {
            let mut line = Vec::new();
            let length = self.input.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut line)?;
            self.number += 1;
            let wrong = |problem: String| CliError::Usage(format!("standard input, line {}: {problem}", self.number));
            if length as u64 > LONGEST_LINE {
                return Err(wrong(format!("it is longer than {LONGEST_LINE} bytes")));
            }
            if length == 0 {
                return Ok(None);
            }
            let text = String::from_utf8(line).map_err(|_| wrong("it is not UTF-8".into()))?;
            let text = text.trim_end_matches(['\n', '\r']);
            if !text.trim().is_empty() {
                return Ok(Some(text.to_owned()));
            }
        }
    }
}
