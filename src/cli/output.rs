//! Standard output and error: results, messages, progress and pictures in the terminal.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::CliError;
use crate::picture::{Background, Picture, contact_sheet, preview};

/// Widest preview, in characters.
const PREVIEW_COLUMNS: u32 = 64;

/// Writes a line to standard error. Errors are ignored, since there is nowhere to report them.
pub fn message(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(text));
}

/// Writes a line to standard output.
pub fn result(text: &str) -> Result<(), CliError> {
    Ok(writeln!(std::io::stdout(), "{}", printable(text))?)
}

/// A text without what a terminal would act upon: prompts come from anywhere.
pub fn printable(text: &str) -> String {
    let acts = |letter: char| {
        letter.is_control() && !matches!(letter, '\n' | '\t') || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|letter| if acts(letter) { '\u{fffd}' } else { letter }).collect()
}

/// Writes a value as JSON to standard output.
pub fn json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::other)?;
    result(&text)
}

/// A progress bar with the remaining time on standard error; hidden if that is not a terminal.
pub fn progress(total: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

/// Shows pictures side by side if standard output is a terminal that can display them.
pub fn show(pictures: &[Picture]) -> Result<(), CliError> {
    let stdout = std::io::stdout();
    let Some(protocol) = preview::detect(|name| std::env::var(name).ok(), stdout.is_terminal()) else {
        return Ok(());
    };
    let width = terminal_columns(&stdout).unwrap_or(PREVIEW_COLUMNS);
    let columns = u32::try_from(pictures.len()).unwrap_or(u32::MAX).min(4);
    let sheet = contact_sheet(pictures, columns, 2, &Background::Transparent)?;
    let bytes = preview::render(&sheet, protocol, width.min(PREVIEW_COLUMNS * columns))?;
    Ok(stdout.lock().write_all(&bytes)?)
}

/// The width of the terminal in characters, if it is known.
#[cfg(unix)]
fn terminal_columns(terminal: &impl std::os::fd::AsFd) -> Option<u32> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    Some(u32::from(size.ws_col)).filter(|&columns| columns > 0)
}

#[cfg(not(unix))]
fn terminal_columns(_: &std::io::Stdout) -> Option<u32> {
    None
}
