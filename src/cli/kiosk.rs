//! `inkstone kiosk`: arguments and the settings file become settings, and these a kiosk that runs.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;

use super::locate::PackArgument;
use super::{CliError, output};
use crate::device::buttons::Script;
use crate::device::display::{DisplayKind, Drivers, ModeRequest, Rotation};
use crate::kiosk::settings::Settings;
use crate::kiosk::{Kiosk, KioskError, Options};

/// Where packages put the settings.
const SETTINGS: &str = "/etc/inkstone/kiosk.toml";

/// Arguments of `kiosk`.
#[derive(Clone, Debug, Args)]
#[command(after_help = KEYS)]
pub struct Arguments {
    /// Settings file; /etc/inkstone/kiosk.toml by default if it exists. SIGHUP reloads it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long, value_name = "KIND", help = format!("Display: {}.", Drivers::shipped().syntax()))]
    display: Option<DisplayKind>,
    /// Size in pixels, before rotation, such as 800x480.
    #[arg(long, value_name = "WxH")]
    size: Option<ModeRequest>,
    /// Rotation of the display: 0, 90, 180 or 270.
    #[arg(long, value_name = "DEGREES", value_parser = rotation)]
    rotation: Option<Rotation>,
    /// Plays a file of timed presses in simulated time, then exits.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Draws, shows and keeps one picture, then exits: for boards that a timer switches on.
    #[arg(long)]
    once: bool,
    /// Seed of the first picture; random by default.
    #[arg(long)]
    seed: Option<u64>,
    /// Folder of the gallery.
    #[arg(long, value_name = "DIR")]
    gallery: Option<PathBuf>,
    #[command(flatten)]
    pack: PackArgument,
    /// Threads that draw; one per core by default.
    #[arg(long)]
    threads: Option<usize>,
    /// Makes a new token for the owner's page and shows it on the panel, if [remote] is enabled in the settings; the earlier one ends.
    #[cfg(feature = "remote")]
    #[arg(long)]
    new_token: bool,
}

const KEYS: &str = "Four buttons do everything: A word, B style, C draw, D menu; hold them to go backwards. On keyboards they \
    are F1 to F4, with the arrows, Enter and Escape; typed letters make a prompt.";

fn rotation(text: &str) -> Result<Rotation, String> {
    let degrees: u16 = text.parse().map_err(|_| "use 0, 90, 180 or 270".to_owned())?;
    Rotation::try_from(degrees).map_err(|error| error.to_string())
}

/// Runs `kiosk`.
pub fn run(arguments: &Arguments) -> Result<(), CliError> {
    let (mut settings, file) = settings(arguments)?;
    apply(arguments, &mut settings);
    let script = arguments.script.as_deref().map(Script::read).transpose().map_err(usage)?;
    let again = arguments.clone();
    let options = Options::new(arguments.pack.folder())
        .file(file)
        .overrides(move |settings| apply(&again, settings))
        .script(script)
        .once(arguments.once);
    #[cfg(feature = "remote")]
    let options = options.source(crate::remote::source(arguments.new_token));
    let kiosk = Kiosk::new(settings, options)?;
    let _held = (kiosk.is_in_terminal() && std::io::stderr().is_terminal()).then(output::hold_log);
    Ok(kiosk.run()?)
}

impl From<KioskError> for CliError {
    fn from(error: KioskError) -> CliError {
        match error {
            KioskError::Display(error) => CliError::Display(error.to_string()),
            KioskError::Thread(error) => CliError::Output(error),
            KioskError::NothingKept => CliError::NothingKept,
            other => usage(other),
        }
    }
}

fn usage(error: impl std::fmt::Display) -> CliError {
    CliError::Usage(error.to_string())
}

fn settings(arguments: &Arguments) -> Result<(Settings, Option<PathBuf>), CliError> {
    settings_of(arguments.config.as_deref())
}

/// The settings of a file, by default those of the package, and the file.
pub(super) fn settings_of(file: Option<&Path>) -> Result<(Settings, Option<PathBuf>), CliError> {
    let usual = Path::new(SETTINGS);
    let file = match file {
        Some(file) => Some(file.to_owned()),
        None => usual.is_file().then(|| usual.to_owned()),
    };
    let settings = file.as_deref().map_or_else(|| Ok(Settings::default()), Settings::load);
    Ok((settings.map_err(usage)?, file))
}

/// Command line options override the settings file.
fn apply(arguments: &Arguments, settings: &mut Settings) {
    if let Some(kind) = &arguments.display {
        settings.display.kind = kind.clone();
    }
    settings.display.size = arguments.size.or(settings.display.size);
    settings.display.rotation = arguments.rotation.unwrap_or(settings.display.rotation);
    settings.pack = arguments.pack.pack.clone().or(settings.pack.take());
    settings.threads = arguments.threads.unwrap_or(settings.threads);
    settings.draw.seed = arguments.seed.or(settings.draw.seed);
    settings.gallery.folder = arguments.gallery.clone().or(settings.gallery.folder.take());
}
