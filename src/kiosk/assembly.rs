//! From settings to a kiosk: opens displays and fonts, starts the workers, and builds everything that the main loop needs.
//! Owns [`Options`] and [`Kiosk::new`]; depends on everything else of the kiosk.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::drawing_worker::DrawingWorker;
use super::gallery::Caps;
use super::gallery_worker::GalleryWorker;
use super::handle::{Arrivals, Incoming};
use super::heat::{HeatPolicy, Thermometer};
use super::output::Output;
use super::rules::{self, RulesError};
use super::runner::{Clock, Kiosk};
use super::schedule::Calendar;
use super::screens::Painter;
use super::settings::{ButtonSettings, Settings, SettingsError};
use super::sources::{self, Source};
use super::state::{Machine, Rules};
use super::supervisor::Supervisor;
use super::text::{FontError, Fonts};
use super::views::LatestView;
use crate::device::buttons::{BindingError, Bindings, Gestures, Script, Timing};
use crate::device::display::{self, DisplayError, Screen};
use crate::pack::Pack;

/// Seed of scripts if none is given.
const SCRIPT_SEED: u64 = 1;

/// Changes settings after their file was read, as command line options do.
type Overrides = Box<dyn Fn(&mut Settings)>;

/// What a kiosk needs besides its settings.
pub struct Options {
    pub(super) pack: PathBuf,
    pub(super) file: Option<PathBuf>,
    pub(super) overrides: Overrides,
    pub(super) screens: Vec<Box<dyn Screen>>,
    pub(super) sources: Vec<Source>,
    pub(super) script: Option<Script>,
    pub(super) once: bool,
    pub(super) sketches: bool,
}

impl Options {
    /// Draws with the pack in this folder unless the settings name another one; opens the displays of the settings and
    /// listens to all sources.
    pub fn new(pack: impl Into<PathBuf>) -> Options {
        Options {
            pack: pack.into(),
            file: None,
            overrides: Box::new(|_| {}),
            screens: Vec::new(),
            sources: sources::all(),
            script: None,
            once: false,
            sketches: true,
        }
    }

    /// The file that the settings came from: named in errors, and read again on [`super::Handle::reload`].
    #[must_use]
    pub fn file(mut self, file: Option<PathBuf>) -> Options {
        self.file = file;
        self
    }

    /// Changes the settings each time after their file was read again, as command line options do.
    #[must_use]
    pub fn overrides(mut self, overrides: impl Fn(&mut Settings) + 'static) -> Options {
        self.overrides = Box::new(overrides);
        self
    }

    /// Shows on this display instead of those of the settings. May be called several times; the first display is the main
    /// one.
    #[must_use]
    pub fn screen(mut self, screen: Box<dyn Screen>) -> Options {
        self.screens.push(screen);
        self
    }

    /// Listens to these sources instead of [`sources::all`].
    #[must_use]
    pub fn sources(mut self, sources: Vec<Source>) -> Options {
        self.sources = sources;
        self
    }

    /// Listens to one more source.
    #[must_use]
    pub fn source(mut self, source: Source) -> Options {
        self.sources.push(source);
        self
    }

    /// Plays a script in simulated time, without any source, and ends.
    #[must_use]
    pub fn script(mut self, script: Option<Script>) -> Options {
        self.script = script;
        self
    }

    /// Draws one picture, shows and keeps it, and ends.
    #[must_use]
    pub fn once(mut self, once: bool) -> Options {
        self.once = once;
        self
    }

    /// Whether a quick picture of the current choice is drawn while a visitor hesitates; by default it is, on displays that
    /// are fast enough.
    #[must_use]
    pub fn sketches(mut self, sketches: bool) -> Options {
        self.sketches = sketches;
        self
    }
}

/// Why a kiosk cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KioskError {
    /// The settings ask for something that the pack does not have.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A file that the settings name is invalid.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The font cannot be used.
    #[error(transparent)]
    Font(#[from] FontError),
    /// The keys of the buttons are invalid.
    #[error(transparent)]
    Bindings(#[from] BindingError),
    /// The main display cannot be opened.
    #[error(transparent)]
    Display(#[from] DisplayError),
    /// The system gives no thread.
    #[error("no thread could be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The kiosk was to draw and keep one picture, and did not.
    #[error("no picture was drawn and kept")]
    NothingKept,
}

/// What the rules of the state machine are made from besides the settings; the same for as long as the kiosk runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct RuleOptions {
    pub seed: u64,
    /// Whether nothing can move on the main display.
    pub still: bool,
    pub sketches: bool,
}

impl RuleOptions {
    pub fn rules(&self, settings: &Settings) -> Result<Rules, RulesError> {
        let rules = rules::rules(settings, self.seed, self.still)?;
        let sketch = rules.sketch && self.sketches;
        Ok(Rules { sketch, ..rules })
    }
}

impl Kiosk {
    /// Opens displays and gallery and starts to open the pack. Nothing is shown and no source is started before
    /// [`Kiosk::run`]. Windows belong to the thread that opened them, so call both from the same one.
    ///
    /// # Errors
    /// If the main display cannot be opened, or the settings are invalid for this machine or pack. A pack that cannot be read is
    /// no error: the kiosk shows kept pictures and tries again.
    pub fn new(settings: Settings, options: Options) -> Result<Kiosk, KioskError> {
        let pack = settings.pack.as_deref().unwrap_or(&options.pack);
        if let Ok(pack) = Pack::open(pack) {
            settings.check_pack(pack.manifest(), options.file.as_deref())?;
        }
        let fonts = match (&options.script, &settings.font) {
            // The same letters on every machine.
            (Some(_), None) => Fonts::own(),
            (_, font) => Fonts::find(font.as_deref())?,
        };
        let outputs = outputs(options.screens, &settings)?;
        let rule_options = RuleOptions {
            seed: seed(&settings, options.script.is_some()),
            still: outputs.first().is_some_and(Output::is_slow),
            sketches: options.sketches,
        };
        let gestures = Gestures::new(Bindings::try_from(&settings.buttons)?, timing(&settings.buttons), []);
        let machine = Machine::new(rule_options.rules(&settings)?);
        let latest_view = Arc::new(LatestView::default());
        let (handle, arrivals) = Arrivals::new(latest_view.clone());
        // A worker that cannot send has outlived the kiosk.
        let (from_drawing, from_gallery) = (handle.clone(), handle.clone());
        let drawing_worker = DrawingWorker::start(rules::worker_settings(&settings, &options.pack), move |event| {
            from_drawing.send(Incoming::Drawing(event)).ok();
        })?;
        let gallery_worker = GalleryWorker::start(settings.gallery_folder(), Caps::from(&settings.gallery), move |event| {
            from_gallery.send(Incoming::Gallery(event)).ok();
        })?;
        let start = Instant::now();
        let clock = match &options.script {
            Some(_) => Clock::Simulated {
                start,
                now: Duration::ZERO,
            },
            None => Clock::Real(start),
        };
        Ok(Kiosk {
            machine,
            drawing_worker,
            gallery_worker,
            calendar: Calendar::new(&settings.schedule),
            heat: HeatPolicy::new(&settings.heat),
            thermometer: Thermometer::new(Path::new("/")),
            supervisor: Supervisor::from_environment(),
            handle,
            arrivals,
            latest_view,
            clock,
            effects: VecDeque::new(),
            last_press: None,
            last_motion: None,
            is_switched_off: false,
            night: false,
            brightness: 1.0,
            hours_due: Duration::ZERO,
            heat_due: Duration::ZERO,
            drawing: None,
            ending: false,
            outputs,
            painter: Painter::new(fonts),
            gestures,
            rule_options,
            settings,
            file: options.file,
            overrides: options.overrides,
            pack: options.pack,
            sources: options.sources,
            script: options.script,
            once: options.once,
            kept: false,
        })
    }
}

impl Kiosk {
    /// Whether a terminal is one of its displays, in which nothing else should be written while it runs.
    pub fn is_in_terminal(&self) -> bool {
        self.outputs.iter().any(|output| output.panel().name == "terminal")
    }
}

/// The given displays, or else that of the settings with the small one beside it. A small one that does not work is left out.
fn outputs(given: Vec<Box<dyn Screen>>, settings: &Settings) -> Result<Vec<Output>, DisplayError> {
    let output = |screen: Box<dyn Screen>| Output::new(screen, &settings.look);
    if !given.is_empty() {
        return Ok(given.into_iter().map(output).collect());
    }
    let main = display::open(&settings.display)?;
    let status = settings.status.as_ref().map(display::open);
    let status = status.and_then(|opened| opened.inspect_err(|error| log::error!("{error}")).ok());
    Ok(std::iter::once(main).chain(status).map(output).collect())
}

fn seed(settings: &Settings, scripted: bool) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let random = || std::hash::RandomState::new().build_hasher().finish() & 0xffff;
    settings.draw.seed.unwrap_or_else(|| if scripted { SCRIPT_SEED } else { random() })
}

fn timing(settings: &ButtonSettings) -> Timing {
    let milliseconds = |time: u32| Duration::from_millis(time.into());
    Timing {
        debounce: milliseconds(settings.debounce),
        double: milliseconds(settings.double),
        long: milliseconds(settings.long),
        ..Timing::default()
    }
}
