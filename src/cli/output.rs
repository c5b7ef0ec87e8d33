//! Standard output and error: results, messages and progress.

use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::CliError;

/// Sends log messages to standard error, those of `default` levels unless RUST_LOG says otherwise: `warning: …`, without what a
/// terminal would act upon.
pub fn log_to_stderr(default: &str) {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(default))
        .format(|out, record| {
            let text = printable(&record.args().to_string());
            let line = match record.level() {
                log::Level::Error => format!("error: {text}"),
                log::Level::Warn => format!("warning: {text}"),
                level => format!("{}: {}: {text}", level.as_str().to_lowercase(), record.target()),
            };
            #[cfg(feature = "remote")]
            crate::remote::log_lines::add(&line);
            match HELD.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                Some(held) => {
                    held.push_back(line);
                    if held.len() > MOST_HELD {
                        held.pop_front();
                    }
                    Ok(())
                }
                None => writeln!(out, "{line}"),
            }
        })
        .init();
}

/// Log messages that wait until the terminal is free.
static HELD: Mutex<Option<VecDeque<String>>> = Mutex::new(None);
/// Most of them; older ones are dropped.
const MOST_HELD: usize = 200;

/// Holds log messages back for as long as this lives, then writes them.
#[cfg(feature = "kiosk")]
#[must_use]
pub struct HeldLog(());

/// Holds log messages back while a terminal shows something else.
#[cfg(feature = "kiosk")]
pub fn hold_log() -> HeldLog {
    HELD.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
    HeldLog(())
}

#[cfg(feature = "kiosk")]
impl Drop for HeldLog {
    fn drop(&mut self) {
        let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
        held.into_iter().flatten().for_each(|line| message(&line));
    }
}

/// Most characters of a message: what it quotes may be a file of megabytes without a line break.
const LONGEST_MESSAGE: usize = 4000;

/// Writes a line to standard error. Errors are ignored, since there is nowhere to report them.
pub fn message(text: &str) {
    let _ = match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => writeln!(std::io::stderr(), "{}…", printable(&text[..end])),
        None => writeln!(std::io::stderr(), "{}", printable(text)),
    };
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

/// A path as text: what is not UTF-8 in it becomes U+FFFD.
pub fn path(path: &Path) -> String {
    path.display().to_string()
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
