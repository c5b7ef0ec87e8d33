//! `inkstone serve`: the remote without a kiosk, until it is interrupted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::kiosk::settings_of;
use super::locate::PackArgument;
use super::{CliError, interrupt, output};
use crate::remote::{Options, RemoteError, Standalone};

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Settings file, of which [remote], [draw], [filter] and [gallery] count; /etc/inkstone/kiosk.toml by default if it exists.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on; 0.0.0.0:7860 by default. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Folder of the gallery.
    #[arg(long, value_name = "DIR")]
    gallery: Option<PathBuf>,
    #[command(flatten)]
    pack: PackArgument,
    /// Threads that draw; one per core by default.
    #[arg(long)]
    threads: Option<usize>,
    /// Makes a new token for the owner's page; the earlier one ends.
    #[arg(long)]
    new_token: bool,
}

/// How often an interruption is looked for.
const POLL: Duration = Duration::from_millis(50);

/// Runs `serve`.
pub fn run(arguments: &Arguments) -> Result<(), CliError> {
    let (mut settings, file) = settings_of(arguments.config.as_deref())?;
    settings.remote.listen = arguments.listen.unwrap_or(settings.remote.listen);
    settings.gallery.folder = arguments.gallery.clone().or(settings.gallery.folder.take());
    settings.threads = arguments.threads.unwrap_or(settings.threads);
    let pack = arguments.pack.pack.clone().or(settings.pack.take());
    let pack = pack.unwrap_or_else(|| arguments.pack.folder());
    // A pack that cannot be used is told at once, instead of to every client.
    let pipeline = crate::Pipeline::open(&pack)?;
    let checked = settings.check_pack(pipeline.pack().manifest(), file.as_deref());
    checked.map_err(|error| CliError::Usage(error.to_string()))?;
    drop(pipeline);
    interrupt::listen();
    let options = Options {
        settings,
        file,
        new_token: arguments.new_token,
    };
    let standalone = Standalone::start(options, &pack)?;
    let remote = standalone.remote();
    output::result(&format!("listening on {}", remote.url()))?;
    if let Some(owner) = remote.owner_url() {
        output::result(&format!("owner's page, shown this once: {owner}"))?;
    }
    while !interrupt::requested() {
        std::thread::sleep(POLL);
    }
    // A server that was asked to stop has not failed.
    Ok(())
}

impl From<RemoteError> for CliError {
    fn from(error: RemoteError) -> CliError {
        match error {
            RemoteError::Thread(error) => CliError::Output(error),
            RemoteError::Filter(error) => CliError::Usage(error.to_string()),
            other => CliError::Server(other.to_string()),
        }
    }
}
