//! `--sign`, and what `verify` says of signed files, in programs that were built with it. Owns that choice, so that other commands need not know
//! it.

use std::path::Path;

use serde_json::Value;
#[cfg(feature = "content-credentials")]
use serde_json::json;

use super::CliError;
use super::generate::Drawing;
#[cfg(feature = "content-credentials")]
use crate::credentials::{self, Checked, Key, State};
use crate::picture::{Format, Provenance};

/// What signs pictures, if anything does.
#[derive(Default)]
pub struct Signing {
    #[cfg(feature = "content-credentials")]
    key: Option<Key>,
}

#[cfg(feature = "content-credentials")]
impl Signing {
    /// The key that the options name.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(arguments: &Drawing) -> Result<Signing, CliError> {
        let key = arguments.sign.as_deref().map(Key::read).transpose()?;
        Ok(Signing { key })
    }

    /// Whether pictures are signed.
    pub fn is_wanted(&self) -> bool {
        self.key.is_some()
    }

    /// The file, signed if that is wanted.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn apply(&self, file: Vec<u8>, format: Format, made: &Provenance) -> Result<Vec<u8>, CliError> {
        match &self.key {
            Some(key) => Ok(key.sign(&file, format, made)?),
            None => Ok(file),
        }
    }
}

/// What a picture file's Content Credentials say, if it has some and this program can check them.
#[cfg(feature = "content-credentials")]
pub struct Credentials(Option<Checked>);

#[cfg(feature = "content-credentials")]
impl Credentials {
    /// Those of a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(file: &Path) -> Result<Credentials, CliError> {
        let bytes = std::fs::read(file)?;
        let format = Format::of(&bytes);
        Ok(Credentials(format.and_then(|format| credentials::check(&bytes, format))))
    }

    /// Whether there are any.
    pub fn are_there(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the file is as somebody has signed it.
    pub fn is_intact(&self) -> bool {
        self.0.as_ref().is_some_and(|checked| checked.state != State::Tampered)
    }

    /// What is wrong with them.
    pub fn problem(&self) -> Option<String> {
        let checked = self.0.as_ref().filter(|checked| checked.state == State::Tampered)?;
        // That nobody vouches for the name is no change.
        let faults = checked.faults.iter().filter(|fault| *fault != credentials::UNTRUSTED);
        let faults: Vec<&str> = faults.map(String::as_str).collect();
        Some(format!(
            "its Content Credentials do not fit: the file was changed after it was signed ({})",
            faults.join(", ")
        ))
    }

    /// The end of a sentence about a file that is clean.
    pub fn in_words(&self) -> String {
        let Some(checked) = &self.0 else { return String::new() };
        let name = checked
            .signed_by
            .as_deref()
            .unwrap_or("somebody without a name")
            .replace(char::is_control, "\u{fffd}");
        match checked.state {
            State::Trusted => format!("; signed by {name}, whose certificate is on a trust list"),
            _ => format!("; signed by {name}, whose certificate is on no trust list: nobody vouches for the name"),
        }
    }

    /// Adds them to a report.
    pub fn report(&self, report: &mut Value) {
        report["content_credentials"] = self.0.as_ref().map_or(
            Value::Null,
            |checked| json!({ "state": checked.state, "signed_by": checked.signed_by, "faults": checked.faults }),
        );
    }
}

/// Those that a program cannot check which was built without.
#[cfg(not(feature = "content-credentials"))]
pub struct Credentials;

#[cfg(not(feature = "content-credentials"))]
#[allow(
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "with credentials there is something to tell"
)]
impl Credentials {
    pub fn of(_: &Path) -> Result<Credentials, CliError> {
        Ok(Credentials)
    }

    pub fn are_there(&self) -> bool {
        false
    }

    pub fn is_intact(&self) -> bool {
        false
    }

    pub fn problem(&self) -> Option<String> {
        None
    }

    pub fn in_words(&self) -> String {
        String::new()
    }

    pub fn report(&self, _: &mut Value) {}
}

#[cfg(not(feature = "content-credentials"))]
#[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "with keys it may fail")]
impl Signing {
    /// Nothing signs.
    ///
    /// # Errors
    /// None.
    pub fn of(_: &Drawing) -> Result<Signing, CliError> {
        Ok(Signing::default())
    }

    /// Whether pictures are signed: never.
    pub fn is_wanted(&self) -> bool {
        false
    }

    /// The file as it is.
    ///
    /// # Errors
    /// None.
    pub fn apply(&self, file: Vec<u8>, _: Format, _: &Provenance) -> Result<Vec<u8>, CliError> {
        Ok(file)
    }
}
