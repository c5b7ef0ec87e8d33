//! `inkstone kiosk`: settings and options become a running kiosk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use clap::Args;

use super::CliError;
use super::locate::PackArgument;
use crate::device::buttons::bindings::canonical;
use crate::device::buttons::{Bindings, Button, Gestures, Pins, Script, Timed, Timing};
use crate::device::display::{self, DisplayKind, DisplaySettings, Drivers, ModeRequest, Rotation, Screen};
use crate::kiosk::output::Output;
use crate::kiosk::rules;
use crate::kiosk::runner::{Inbox, Parts, Runner};
use crate::kiosk::screens::Painter;
use crate::kiosk::settings::{ButtonDriver, ButtonSettings, Settings};
use crate::kiosk::text::Fonts;
use crate::pack::Pack;

/// Where packages put the settings.
const SETTINGS: &str = "/etc/inkstone/kiosk.toml";
/// Seed of scripts for which none is given.
const SCRIPT_SEED: u64 = 1;

/// Arguments of `kiosk`.
#[derive(Clone, Debug, Args)]
#[command(after_help = KEYS)]
pub struct Arguments {
    /// Settings; /etc/inkstone/kiosk.toml where nothing is said and it is there. SIGHUP reads them again.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long, value_name = "KIND", help = format!("Where to show: {}.", Drivers::shipped().syntax()))]
    display: Option<DisplayKind>,
    /// Size in pixels, before rotation, such as 800x480.
    #[arg(long, value_name = "WxH")]
    size: Option<ModeRequest>,
    /// How the display is turned: 0, 90, 180 or 270.
    #[arg(long, value_name = "DEGREES", value_parser = rotation)]
    rotation: Option<Rotation>,
    /// Plays a file of timed presses in simulated time, and ends.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Draws one picture, shows and keeps it, and ends: for boards that a timer switches on.
    #[arg(long)]
    once: bool,
    /// Seed of the first picture; a random one where nothing is said.
    #[arg(long)]
    seed: Option<u64>,
    /// Folder where pictures are kept.
    #[arg(long, value_name = "DIR")]
    gallery: Option<PathBuf>,
    #[command(flatten)]
    pack: PackArgument,
    /// Threads that draw; as many as there are cores where nothing is said.
    #[arg(long)]
    threads: Option<usize>,
}

const KEYS: &str = "Four buttons do everything: A word, B style, C draw, D menu; held, they go backwards. On keyboards they \
    are F1 to F4, with the arrows, Enter and Escape; letters are what is drawn.";

fn rotation(text: &str) -> Result<Rotation, String> {
    let degrees: u16 = text.parse().map_err(|_| "use 0, 90, 180 or 270".to_owned())?;
    Rotation::try_from(degrees).map_err(|error| error.to_string())
}

/// Runs `kiosk`.
pub fn run(arguments: &Arguments) -> Result<(), CliError> {
    let (mut settings, file) = settings(arguments)?;
    apply(arguments, &mut settings);
    let folder = arguments.pack.folder();
    if let Ok(pack) = Pack::open(settings.pack.as_deref().unwrap_or(&folder)) {
        settings.check_pack(pack.manifest(), file.as_deref()).map_err(usage)?;
    }
    let script = arguments.script.as_deref().map(Script::read).transpose().map_err(usage)?;
    let fonts = match (&script, &settings.font) {
        // The same letters on every machine.
        (Some(_), None) => Fonts::own(),
        (_, font) => Fonts::find(font.as_deref()).map_err(usage)?,
    };
    let screen = display::open(&settings.display).map_err(|error| CliError::Display(error.to_string()))?;
    let still = screen.panel().has_slow_refresh();
    let size = screen.panel().size;
    let seed = seed(&settings, script.is_some());
    let outputs = outputs(screen, &settings);
    let gestures = gestures(&settings.buttons)?;
    let parts = Parts {
        rules: rules::rules(&settings, seed, still).map_err(usage)?,
        file,
        options: {
            let arguments = arguments.clone();
            Box::new(move |settings| apply(&arguments, settings))
        },
        pack: folder,
        outputs,
        painter: Painter::new(fonts),
        gestures,
        script,
        once: arguments.once,
        settings,
    };
    let buttons = parts.settings.buttons.clone();
    let scripted = parts.script.is_some();
    let mut runner = Runner::new(parts)?;
    let inbox = runner.inbox();
    let sources = if scripted {
        Vec::new()
    } else {
        sources(&buttons, size, inbox.signals()?)
    };
    let signals = if scripted { None } else { listen(inbox)? };
    runner.run();
    if let Some(signals) = signals {
        signals.close();
    }
    drop(sources);
    Ok(())
}

fn usage(error: impl std::fmt::Display) -> CliError {
    CliError::Usage(error.to_string())
}

fn settings(arguments: &Arguments) -> Result<(Settings, Option<PathBuf>), CliError> {
    let usual = Path::new(SETTINGS);
    let file = match &arguments.config {
        Some(file) => Some(file.clone()),
        None => usual.is_file().then(|| usual.to_owned()),
    };
    let settings = file.as_deref().map_or_else(|| Ok(Settings::default()), Settings::load);
    Ok((settings.map_err(usage)?, file))
}

/// Options go before what the file says.
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

fn seed(settings: &Settings, scripted: bool) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let random = || std::hash::RandomState::new().build_hasher().finish() & 0xffff;
    settings.draw.seed.unwrap_or_else(|| if scripted { SCRIPT_SEED } else { random() })
}

/// The display, and the small one beside it where there is one. A small one that does not work is left out.
fn outputs(screen: Box<dyn Screen>, settings: &Settings) -> Vec<Output> {
    let output = |screen: Box<dyn Screen>| Output::new(screen, &settings.look);
    let open = |status: &DisplaySettings| display::open(status).inspect_err(|error| log::error!("{error}")).ok();
    let status = settings.status.as_ref().and_then(open);
    std::iter::once(screen).chain(status).map(output).collect()
}

fn gestures(settings: &ButtonSettings) -> Result<Gestures, CliError> {
    let milliseconds = |time: u32| std::time::Duration::from_millis(time.into());
    let timing = Timing {
        debounce: milliseconds(settings.debounce),
        double: milliseconds(settings.double),
        long: milliseconds(settings.long),
        ..Timing::default()
    };
    Ok(Gestures::new(bindings(settings)?, timing, std::iter::empty::<Button>()))
}

fn bindings(settings: &ButtonSettings) -> Result<Bindings, CliError> {
    let keys = [
        ("a", &settings.a),
        ("b", &settings.b),
        ("c", &settings.c),
        ("d", &settings.d),
        ("previous", &settings.previous),
        ("next", &settings.next),
        ("confirm", &settings.confirm),
        ("back", &settings.back),
    ];
    // The kernel's name of a key and that of a window are the same key.
    let once = |keys: &Vec<String>| {
        keys.iter()
            .map(|key| canonical(key))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    };
    let table: BTreeMap<String, Vec<String>> = keys.into_iter().map(|(name, keys)| (name.to_owned(), once(keys))).collect();
    Bindings::try_from(table).map_err(usage)
}

/// Whatever is listened to; it ends when this is dropped.
type Source = Box<dyn std::any::Any>;

/// Pins and input devices. Those that do not work are left out with a line in the log: a kiosk without buttons still shows
/// pictures.
fn sources(settings: &ButtonSettings, frame: embedded_graphics::prelude::Size, sender: Sender<Timed>) -> Vec<Source> {
    let input = devices(settings, frame, sender.clone());
    let pins = bindings(settings).map(|bindings| bindings.pins()).unwrap_or_default();
    let pins = Pins {
        buttons: pins,
        encoders: settings.encoder.map(|[a, b]| encoder(a.into(), b.into())).into_iter().collect(),
        motion: settings.motion.map(u32::from).into_iter().collect(),
        pull: settings.pull,
    };
    input.into_iter().chain(lines(settings, pins, &sender)).collect()
}

fn encoder(a: u32, b: u32) -> crate::device::buttons::encoder::EncoderPins {
    crate::device::buttons::encoder::EncoderPins { a, b }
}

#[cfg(all(feature = "evdev", target_os = "linux"))]
fn devices(settings: &ButtonSettings, frame: embedded_graphics::prelude::Size, sender: Sender<Timed>) -> Option<Source> {
    use crate::device::buttons::evdev::{InputDevices, InputOptions};
    let options = InputOptions {
        folder: "/dev/input".into(),
        devices: settings.devices.clone(),
        grab: settings.grabs(),
        frame,
    };
    let opened = InputDevices::open(options, sender).inspect_err(|error| log::warn!("{error}"));
    opened.ok().map(|devices| Box::new(devices) as Source)
}

#[cfg(not(all(feature = "evdev", target_os = "linux")))]
fn devices(_: &ButtonSettings, _: embedded_graphics::prelude::Size, _: Sender<Timed>) -> Option<Source> {
    None
}

/// The kernel's character device, or `rppal` where the kernel has none, unless the settings name one. A line that something
/// else uses is not taken from it by way of the registers.
fn lines(settings: &ButtonSettings, pins: Pins, sender: &Sender<Timed>) -> Option<Source> {
    if pins.uses().is_empty() {
        return None;
    }
    let kernel = || character_device(settings, pins.clone(), sender.clone());
    match settings.driver {
        ButtonDriver::CharacterDevice => kernel(),
        ButtonDriver::Rppal => registers(settings, pins, sender.clone()),
        ButtonDriver::Auto if has_chip() => kernel(),
        ButtonDriver::Auto => registers(settings, pins, sender.clone()),
    }
}

/// Buttons that do nothing are worth a warning on a board, or where someone chose their driver; a desktop has none.
#[cfg(all(any(feature = "gpio", feature = "rppal"), target_os = "linux"))]
fn tell_of_pins(settings: &ButtonSettings, error: &dyn std::fmt::Display) {
    let is_chosen = settings.driver != ButtonDriver::Auto || settings.chip != "auto";
    let is_board = || crate::device::board::Board::read(Path::new("/")).model.is_some();
    let level = if is_chosen || is_board() {
        log::Level::Warn
    } else {
        log::Level::Info
    };
    log::log!(level, "buttons on pins do nothing: {error}");
}

#[cfg(all(feature = "gpio", target_os = "linux"))]
fn has_chip() -> bool {
    use crate::device::lines::{LineError, header_chip};
    !matches!(header_chip(), Err(LineError::NoChips))
}

#[cfg(not(all(feature = "gpio", target_os = "linux")))]
fn has_chip() -> bool {
    false
}

#[cfg(all(feature = "gpio", target_os = "linux"))]
fn character_device(settings: &ButtonSettings, pins: Pins, sender: Sender<Timed>) -> Option<Source> {
    use crate::device::buttons::character_device::CharacterDevice;
    let chip = (settings.chip != "auto").then(|| PathBuf::from(&settings.chip));
    let opened = CharacterDevice::open(chip, pins, sender).inspect_err(|error| tell_of_pins(settings, error));
    opened.ok().map(|lines| Box::new(lines) as Source)
}

#[cfg(not(all(feature = "gpio", target_os = "linux")))]
fn character_device(_: &ButtonSettings, _: Pins, _: Sender<Timed>) -> Option<Source> {
    None
}

#[cfg(all(feature = "rppal", target_os = "linux"))]
fn registers(settings: &ButtonSettings, pins: Pins, sender: Sender<Timed>) -> Option<Source> {
    use crate::device::buttons::rppal::Rppal;
    let opened = Rppal::open(pins, sender).inspect_err(|error| tell_of_pins(settings, error));
    opened.ok().map(|pins| Box::new(pins) as Source)
}

#[cfg(not(all(feature = "rppal", target_os = "linux")))]
fn registers(_: &ButtonSettings, _: Pins, _: Sender<Timed>) -> Option<Source> {
    None
}

/// SIGTERM and SIGINT end the kiosk in order, SIGHUP reads the settings again. The second SIGINT or SIGTERM ends at once.
fn listen(inbox: Inbox) -> Result<Option<signal_hook::iterator::Handle>, CliError> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 130, asked.clone())?;
        flag::register(signal, asked.clone())?;
    }
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let handle = signals.handle();
    std::thread::Builder::new().name("unix signals".into()).spawn(move || {
        for signal in signals.forever() {
            let heard = if signal == SIGHUP { inbox.reload() } else { inbox.stop() };
            if !heard {
                return;
            }
        }
    })?;
    Ok(Some(handle))
}
