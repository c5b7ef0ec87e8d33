//! `inkstone key`: a key of one's own, with which pictures are signed.

use std::path::PathBuf;

use clap::Args;

use super::{CliError, output};
use crate::credentials::Key;

/// Arguments of `key`.
#[derive(Debug, Args)]
#[command(
    after_help = "The certificate is signed by the key itself: whoever checks a picture sees the name and that the file is unchanged, and that nobody else vouches for \
    the name. Keep the file to yourself: who has it can sign as you."
)]
pub struct Arguments {
    /// File to write: an Ed25519 key and its certificate, as PEM. A file that exists is not replaced.
    file: PathBuf,
    /// The name on the certificate: yours, or that of an installation.
    #[arg(long, value_name = "NAME")]
    name: String,
}

/// Runs `key`.
pub fn run(arguments: &Arguments) -> Result<(), CliError> {
    Key::create(&arguments.file, &arguments.name)?;
    output::result(&arguments.file.display().to_string())
}
