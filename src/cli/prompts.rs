//! Prompts from standard input or a file, one a line. Depends on nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, StdinLock};
use std::path::Path;

use super::CliError;

/// Longest line, in bytes.
const LONGEST_LINE: u64 = 64 << 10;

/// The lines of an input that are not empty.
pub struct Prompts<Input> {
    input: Input,
    name: String,
    number: usize,
}

impl Prompts<StdinLock<'_>> {
    /// Those of standard input.
    pub fn of_stdin() -> Self {
        Prompts {
            input: std::io::stdin().lock(),
            name: "standard input".into(),
            number: 0,
        }
    }
}

impl Prompts<BufReader<File>> {
    /// Those of a file, or of what else can be read under its name.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn of_file(option: &str, file: &Path) -> Result<Self, CliError> {
        let wrong = |problem: String| CliError::Usage(format!("{option} {}: {problem}", file.display()));
        if file.is_dir() {
            return Err(wrong("it is a folder; a file is needed".into()));
        }
        Ok(Prompts {
            input: BufReader::new(File::open(file).map_err(|error| wrong(error.to_string()))?),
            name: file.display().to_string(),
            number: 0,
        })
    }
}

impl<Input: BufRead> Prompts<Input> {
    /// Where the last line that was read is, for messages.
    pub fn place(&self) -> String {
        format!("{}, line {}", self.name, self.number)
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
            let wrong = |problem: String| CliError::Usage(format!("{}: {problem}", self.place()));
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
