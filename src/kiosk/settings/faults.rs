//! Errors of a settings file: each with line, column, the text of the line and, for misspelt names, the nearest valid name.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::suggest::did_you_mean;

/// Characters of a line that are shown around a fault.
const EXCERPT: usize = 120;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field as a path, such as `display.dc` or `buttons.a[1]`; empty for syntax errors.
    pub field: String,
    /// What is wrong and what to do.
    pub problem: String,
    /// Where in the file, if it is there.
    pub place: Option<Place>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The whole line.
    pub text: String,
}

/// Why settings could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is missing or not readable.
    #[error("{}: cannot read the settings: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file has invalid contents.
    #[error("{}", list(file, faults))]
    Invalid {
        /// The file.
        file: PathBuf,
        /// All faults; at least one.
        faults: Vec<Fault>,
    },
}

impl SettingsError {
    /// An error of the TOML parser.
    pub(super) fn syntax(file: &Path, text: &str, error: &toml::de::Error) -> SettingsError {
        let place = error.span().map(|span| Place::at(text, span.start));
        let fault = Fault {
            field: String::new(),
            problem: plain(error.message()),
            place,
        };
        SettingsError::Invalid {
            file: file.to_owned(),
            faults: vec![fault],
        }
    }

    /// An error with all problems and their places, if there are any. A problem is a field's path and a text.
    pub(super) fn gather(file: &Path, text: &str, problems: Vec<(String, String)>) -> Result<(), SettingsError> {
        if problems.is_empty() {
            return Ok(());
        }
        let fault = |(field, problem): (String, String)| Fault {
            place: locate(text, &field).map(|span| Place::at(text, span.start)),
            field,
            problem,
        };
        Err(SettingsError::Invalid {
            file: file.to_owned(),
            faults: problems.into_iter().map(fault).collect(),
        })
    }
}

impl Place {
    fn at(text: &str, offset: usize) -> Place {
        let offset = text.floor_char_boundary(offset);
        let begin = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[offset..].find('\n').map_or(text.len(), |length| offset + length);
        Place {
            line: text[..begin].matches('\n').count() + 1,
            column: text[begin..offset].chars().count() + 1,
            text: text[begin..end].trim_end().to_owned(),
        }
    }
}

impl Place {
    /// The part of the line around the place, and the characters in it before the place.
    fn excerpt(&self) -> (String, usize) {
        let before = self.column - 1;
        let first = before.saturating_sub(EXCERPT / 2);
        let mut rest = self.text.chars().skip(first);
        let mut excerpt: String = rest.by_ref().take(EXCERPT).collect();
        if rest.next().is_some() {
            excerpt.push('…');
        }
        if first == 0 {
            return (excerpt, before);
        }
        (format!("…{excerpt}"), before - first + 1)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(formatter, "{}: ", self.field)?;
        }
        formatter.write_str(&self.problem)?;
        let Some(place) = &self.place else { return Ok(()) };
        let number = place.line.to_string();
        let (excerpt, indent) = place.excerpt();
        let width = number.len();
        write!(formatter, "\n  {number} | {excerpt}\n  {:width$} | {:indent$}^", "", "")
    }
}

fn list(file: &Path, faults: &[Fault]) -> String {
    let line = |fault: &Fault| match &fault.place {
        Some(place) => format!("{}:{}:{}: {fault}", file.display(), place.line, place.column),
        None => format!("{}: {fault}", file.display()),
    };
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The parser's message in the style of the other errors. Serde's list of valid names, "unknown field `x`, expected one of `a`,
/// `b`", becomes the nearest name, or all of them if none is near.
fn plain(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown ") else {
        return message.replace('`', "'");
    };
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let Some(wrong) = quoted.next() else { return message.to_owned() };
    let known: Vec<&str> = quoted.collect();
    let kind = if rest.starts_with("field") { "field" } else { "value" };
    format!("unknown {kind} '{wrong}'{}", did_you_mean(wrong, &known))
}

/// The location of a field's value in a text.
fn locate(text: &str, field: &str) -> Option<Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut names = field.split('.').peekable();
    while let Some(name) = names.next() {
        let (name, index) = match name.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
            None => (name, None),
        };
        let value = table.get(name)?;
        match (value.get_ref(), index) {
            (DeValue::Table(inner), None) if names.peek().is_some() => table = inner,
            (DeValue::Array(values), Some(index)) => return Some(values.get(index).map_or_else(|| value.span(), |value| value.span())),
            _ => return Some(value.span()),
        }
    }
    None
}
