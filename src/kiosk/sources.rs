//! Sources of events: one function and one row of `TABLE` each. Owns starting them; depends on the drivers of buttons and
//! on the kiosk's [`Handle`].
//!
//! A source listens on a thread of its own and sends what it hears through the handle. Two inputs are no sources because the
//! main loop itself has to read them: the keys of windows and terminals, which belong to the thread that draws, and scripts,
//! which replace the clock.

use std::any::Any;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::Handle;
use super::drawing_worker::Lender;
use super::settings::{ButtonDriver, ButtonSettings, Settings};
use crate::device::buttons::encoder::EncoderPins;
use crate::device::buttons::{Bindings, Pins};
use crate::device::display::Panel;

/// What a source is started with.
pub struct SourceContext<'a> {
    /// The settings of the kiosk.
    pub settings: &'a Settings,
    /// The main display, in whose pixels touches are reported; `None` without one.
    pub panel: Option<&'a Panel>,
    /// Where events go.
    pub kiosk: &'a Handle,
    /// The pipeline, for sources that draw.
    pub lender: Lender,
    /// The file that the settings came from.
    pub file: Option<&'a Path>,
    /// Folder of the pack.
    pub pack: &'a Path,
}

/// Whatever keeps a source listening. Dropping it ends that.
pub type Guard = Box<dyn Any>;

/// A started source; `None` where there is nothing to listen to.
///
/// # Errors
/// Why it does not work. The kiosk logs that and goes on without the source.
pub type Started = Result<Option<Guard>, Box<dyn Error>>;

type Start = Box<dyn FnOnce(&SourceContext<'_>) -> Started>;

/// A source of events that is not started yet.
pub struct Source {
    name: String,
    start: Start,
}

impl Source {
    /// A source by its name in the log and the function that starts it, which must not block.
    pub fn new(name: &str, start: impl FnOnce(&SourceContext<'_>) -> Started + 'static) -> Source {
        Source {
            name: name.to_owned(),
            start: Box::new(start),
        }
    }

    /// Starts it. A source that does not work is left out with a warning: a kiosk without buttons still shows pictures.
    pub(super) fn start(self, context: &SourceContext<'_>) -> Option<Guard> {
        let started = (self.start)(context);
        started.unwrap_or_else(|error| {
            log::warn!("{}: {error}", self.name);
            None
        })
    }
}

/// A row of the table: a name for the log and the function that starts the source.
type Row = (&'static str, fn(&SourceContext<'_>) -> Started);

/// The sources of every kiosk.
const TABLE: [Row; 3] = [
    ("input devices", input_devices),
    ("buttons on pins", pins),
    ("unix signals", unix_signals),
];

/// All sources of this build: input devices, pins, and the signals SIGINT, SIGTERM and SIGHUP.
pub fn all() -> Vec<Source> {
    TABLE.into_iter().map(|(name, start)| Source::new(name, start)).collect()
}

/// Keyboards, remote controls and touch screens.
#[cfg(all(feature = "evdev", target_os = "linux"))]
fn input_devices(context: &SourceContext<'_>) -> Started {
    use crate::device::buttons::evdev::{InputDevices, InputOptions};
    let options = InputOptions {
        folder: "/dev/input".into(),
        devices: context.settings.buttons.devices.clone(),
        grab: context.settings.buttons.grabs(),
        frame: context.panel.map(|panel| panel.size).unwrap_or_default(),
        rotation: context.panel.map(|panel| panel.rotation).unwrap_or_default(),
    };
    let devices = InputDevices::open(options, context.kiosk.signals())?;
    Ok(Some(Box::new(devices)))
}

#[cfg(not(all(feature = "evdev", target_os = "linux")))]
fn input_devices(_: &SourceContext<'_>) -> Started {
    Ok(None)
}

/// Buttons, encoder and motion sensor on GPIO lines: by the kernel's character device, or by `rppal` if the kernel has none,
/// unless the settings name a driver. A line that another program uses is not taken from it through the registers.
fn pins(context: &SourceContext<'_>) -> Started {
    let settings = &context.settings.buttons;
    let pins = pins_of(settings)?;
    if pins.uses().is_empty() {
        return Ok(None);
    }
    let by_kernel = match settings.driver {
        ButtonDriver::CharacterDevice => true,
        ButtonDriver::Rppal => false,
        ButtonDriver::Auto => has_chip(),
    };
    let opened = if by_kernel {
        character_device(context, pins)
    } else {
        registers(context, pins)
    };
    opened.or_else(|error| if is_expected(settings) { Err(error) } else { quietly(&error) })
}

/// A desktop has no pins, which is worth a line of information and no warning.
fn quietly(error: &dyn std::fmt::Display) -> Started {
    log::info!("buttons on pins: {error}");
    Ok(None)
}

/// Whether pins should work: on a board, or where someone chose their driver or chip.
fn is_expected(settings: &ButtonSettings) -> bool {
    let is_chosen = settings.driver != ButtonDriver::Auto || settings.chip != "auto";
    is_chosen || crate::device::board::Board::read("/".as_ref()).model.is_some()
}

fn pins_of(settings: &ButtonSettings) -> Result<Pins, Box<dyn Error>> {
    let encoder = |[a, b]: [u8; 2]| EncoderPins { a: a.into(), b: b.into() };
    Ok(Pins {
        buttons: Bindings::try_from(settings)?.pins(),
        encoders: settings.encoder.map(encoder).into_iter().collect(),
        motion: settings.motion.map(u32::from).into_iter().collect(),
        pull: settings.pull,
    })
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
fn character_device(context: &SourceContext<'_>, pins: Pins) -> Started {
    use crate::device::buttons::character_device::CharacterDevice;
    let chip = &context.settings.buttons.chip;
    let chip = (chip != "auto").then(|| chip.into());
    let lines = CharacterDevice::open(chip, pins, context.kiosk.signals())?;
    Ok(Some(Box::new(lines)))
}

#[cfg(not(all(feature = "gpio", target_os = "linux")))]
fn character_device(_: &SourceContext<'_>, _: Pins) -> Started {
    Ok(None)
}

#[cfg(all(feature = "rppal", target_os = "linux"))]
fn registers(context: &SourceContext<'_>, pins: Pins) -> Started {
    use crate::device::buttons::rppal::Rppal;
    let pins = Rppal::open(pins, context.kiosk.signals())?;
    Ok(Some(Box::new(pins)))
}

#[cfg(not(all(feature = "rppal", target_os = "linux")))]
fn registers(_: &SourceContext<'_>, _: Pins) -> Started {
    Ok(None)
}

/// A flag that SIGINT or SIGTERM sets; a second one ends the process at once.
///
/// # Errors
/// If the system does not let the signals be caught.
pub(super) fn stop_flag() -> std::io::Result<Arc<AtomicBool>> {
    let is_asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 130, is_asked.clone())?;
        flag::register(signal, is_asked.clone())?;
    }
    Ok(is_asked)
}

/// SIGINT and SIGTERM stop the kiosk in order, a second one at once; SIGHUP reads the settings again.
fn unix_signals(context: &SourceContext<'_>) -> Started {
    stop_flag()?;
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let guard = SignalGuard(signals.handle());
    let kiosk = context.kiosk.clone();
    std::thread::Builder::new().name("unix signals".into()).spawn(move || {
        for signal in signals.forever() {
            let sent = if signal == SIGHUP { kiosk.reload() } else { kiosk.stop() };
            if sent.is_err() {
                return;
            }
        }
    })?;
    Ok(Some(Box::new(guard)))
}

/// Ends the thread that waits for signals.
struct SignalGuard(signal_hook::iterator::Handle);

impl Drop for SignalGuard {
    fn drop(&mut self) {
        self.0.close();
    }
}
