//! The program that runs the kiosk: it brings signals, reports, hours and heat to the state machine, carries out what that
//! answers, shows what is to be seen, and sleeps until the next thing is due. Depends on everything else of the kiosk.
//!
//! | file | what it owns |
//! |---|---|
//! | `clock` | real or simulated time |
//! | `inbox` | what comes in from other threads |
//! | `effects` | carrying out what the state machine asks for |
//! | `surroundings` | hours, heat, and settings that are read again |
//! | `script` | a script in simulated time |

mod clock;
mod effects;
mod inbox;
mod script;
mod surroundings;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::clock::Clock;
pub use self::inbox::Inbox;
use self::inbox::{Arrivals, Incoming};
use super::artist::{self, Artist};
use super::curator::Curator;
use super::gallery::Caps;
use super::heat::{HeatPolicy, Thermometer};
use super::output::{Output, within};
use super::rules;
use super::schedule::Calendar;
use super::screens::{Painter, touched};
use super::settings::Settings;
use super::state::{Effect, Input, Machine, Report, Rules, Scene};
use super::supervisor::Supervisor;
use crate::device::buttons::{Event, Gestures, Script, Signal};

/// How often a window or terminal is asked for keys.
const POLL: Duration = Duration::from_millis(20);

/// What the kiosk is started with.
pub struct Parts {
    /// The settings, and the file that they came from.
    pub settings: Settings,
    /// That file, read again on [`Inbox::reload`].
    pub file: Option<PathBuf>,
    /// What goes before the file, as options of the command line do.
    pub options: Box<dyn Fn(&mut Settings)>,
    /// The folder of the pack where the settings name none.
    pub pack: PathBuf,
    /// Rules of the state machine.
    pub rules: Rules,
    /// Displays, the main one first.
    pub outputs: Vec<Output>,
    /// Draws on them.
    pub painter: Painter,
    /// What keys and pins mean.
    pub gestures: Gestures,
    /// Runs this in simulated time and ends.
    pub script: Option<Script>,
    /// Draws one picture, keeps it and ends.
    pub once: bool,
}

/// The kiosk.
pub struct Runner {
    machine: Machine,
    parts: Parts,
    artist: Artist,
    curator: Curator,
    calendar: Calendar,
    heat: HeatPolicy,
    thermometer: Thermometer,
    supervisor: Supervisor,
    inbox: Inbox,
    arrivals: Arrivals,
    clock: Clock,
    effects: VecDeque<Effect>,
    quiet: [Option<Duration>; 2],
    /// Whether it is night, and how bright the displays are.
    night: bool,
    brightness: f32,
    hours_due: Duration,
    heat_due: Duration,
    /// The order that is being drawn, and when its last report came.
    drawing: Option<(u64, Duration)>,
    ending: bool,
}

impl Runner {
    /// Opens the gallery and starts to draw; nothing is shown before [`Runner::run`].
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn new(parts: Parts) -> std::io::Result<Runner> {
        let (inbox, arrivals) = Arrivals::new();
        let (from_artist, from_curator) = (inbox.clone(), inbox.clone());
        let studio = rules::studio(&parts.settings, &parts.pack);
        // Whoever finds nobody listening has outlived the kiosk.
        let artist = Artist::start(studio, move |said| {
            from_artist.send(Incoming::Artist(said));
        })?;
        let caps = Caps::from(&parts.settings.gallery);
        let folder = parts.settings.gallery_folder();
        let curator = Curator::start(folder, caps, move |said| {
            from_curator.send(Incoming::Curator(said));
        })?;
        let start = Instant::now();
        let clock = match &parts.script {
            Some(_) => Clock::Simulated {
                start,
                now: Duration::ZERO,
            },
            None => Clock::Real(start),
        };
        Ok(Runner {
            machine: Machine::new(parts.rules.clone()),
            artist,
            curator,
            calendar: Calendar::new(&parts.settings.schedule),
            heat: HeatPolicy::new(&parts.settings.heat),
            thermometer: Thermometer::new(Path::new("/")),
            supervisor: Supervisor::from_environment(),
            inbox,
            arrivals,
            clock,
            effects: VecDeque::new(),
            quiet: [None; 2],
            night: false,
            brightness: 1.0,
            hours_due: Duration::ZERO,
            heat_due: Duration::ZERO,
            drawing: None,
            ending: false,
            parts,
        })
    }

    /// Where other threads send what they have.
    pub fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }

    /// Runs until someone ends it. What was to be kept by then is kept.
    pub fn run(&mut self) {
        self.prepare();
        self.show();
        self.supervisor.ready("showing pictures", Instant::now());
        match self.parts.script.take() {
            Some(script) => self.play(&script),
            None => self.live(),
        }
        self.supervisor.stopping("stopped");
        self.artist.cancel();
        self.keep_the_rest();
        if !self.parts.once && !self.clock.is_simulated() {
            let now = self.clock.now();
            self.parts.outputs.iter_mut().for_each(|output| output.sleep(now));
        }
    }

    /// What is kept and what the pack can do is told before anything else where nothing may depend on how long that takes.
    fn prepare(&mut self) {
        self.set_brightness();
        if !self.parts.once && !self.clock.is_simulated() {
            return;
        }
        self.await_curator();
        let is_pack = |incoming: &Incoming| matches!(incoming, Incoming::Artist(artist::News::Pack(_)));
        if let Some(pack) = self.arrivals.first(is_pack) {
            self.take(pack);
        }
        if self.parts.once {
            let effects = self.machine.draw_once(self.clock.now());
            self.effects.extend(effects);
        }
    }

    /// In real time.
    fn live(&mut self) {
        while !self.ending {
            self.look_around();
            self.settle();
            if self.ending {
                return;
            }
            let sleep = self.next_due().saturating_sub(self.clock.now());
            let mut arrived = self.arrivals.next_within(sleep);
            while let Some(incoming) = arrived {
                self.take(incoming);
                arrived = self.arrivals.next_within(Duration::ZERO);
            }
            self.poll();
            self.tick();
            self.supervisor.turned(Instant::now());
        }
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Signal(timed) => self.signal(&timed.signal, timed.at),
            Incoming::Artist(artist::News::Pack(skills)) => self.tell(Input::Pack(skills)),
            Incoming::Artist(artist::News::Report(report)) => self.report(report),
            Incoming::Curator(news) => self.hear(news),
            Incoming::Stop => self.ending = true,
            Incoming::Reload => self.reload(),
        }
    }

    fn report(&mut self, report: Report) {
        let now = self.clock.now();
        self.supervisor.step(Instant::now());
        if let Some((order, last)) = &mut self.drawing
            && *order == report.order
        {
            *last = now;
        }
        self.tell(Input::Report(report));
        self.rest_when_drawn();
    }

    fn signal(&mut self, signal: &Signal, at: Instant) {
        let events = self.parts.gestures.signal(signal, at);
        self.events(events, at);
    }

    fn events(&mut self, events: Vec<Event>, at: Instant) {
        for event in events {
            match &event {
                Event::Motion => self.quiet[1] = Some(self.clock.since_start(at)),
                _ => self.quiet[0] = Some(self.clock.since_start(at)),
            }
            self.hours_due = Duration::ZERO;
            if let Some(event) = self.under_the_finger(event) {
                self.tell(Input::Event(event));
            }
        }
    }

    /// Touches become the buttons that lie under them.
    fn under_the_finger(&self, event: Event) -> Option<Event> {
        let Event::Touch(at, gesture) = event else { return Some(event) };
        let output = self.parts.outputs.first()?;
        let view = self.machine.view(self.clock.now());
        let button = within(output.size(), at).then(|| touched(&view, output.size(), output.look.edge, at))?;
        button.map(|button| Event::Press(button, gesture))
    }

    fn tell(&mut self, input: Input) {
        let effects = self.machine.handle(input, self.clock.now());
        self.effects.extend(effects);
    }

    /// Shows what there is to see, then does what is to be done, until nothing is.
    fn settle(&mut self) {
        self.show();
        while !self.ending
            && let Some(effect) = self.effects.pop_front()
        {
            self.carry_out(effect);
            if self.effects.is_empty() {
                self.show();
            }
        }
    }

    fn show(&mut self) {
        let now = self.clock.now();
        let view = self.machine.view(now);
        for output in &mut self.parts.outputs {
            output.show(&mut self.parts.painter, &view, now);
        }
        let gone = self.parts.outputs.first().is_some_and(Output::is_gone);
        self.tell(Input::DisplayGone(gone));
        self.supervisor.status(status(&view.scene));
    }

    /// Keys of windows and terminals.
    fn poll(&mut self) {
        let now = self.clock.now();
        let signals: Vec<Signal> = self.parts.outputs.iter_mut().flat_map(|output| output.signals(now)).collect();
        let at = Instant::now();
        for signal in signals {
            self.signal(&signal, at);
        }
    }

    /// What became due by the clock alone.
    fn tick(&mut self) {
        let now = self.clock.now();
        let at = self.clock.start() + now;
        let events = self.parts.gestures.tick(at);
        self.events(events, at);
        if self.machine.deadline(now).is_some_and(|due| due <= now) {
            self.tell(Input::Tick);
        }
    }

    fn machine_due(&self) -> Option<Duration> {
        let now = self.clock.now();
        let gestures = self.parts.gestures.deadline().map(|due| self.clock.since_start(due));
        [self.machine.deadline(now), gestures].into_iter().flatten().min()
    }

    fn next_due(&self) -> Duration {
        let now = self.clock.now();
        let retry = self.parts.outputs.iter().filter_map(Output::retry).min();
        let feed = self.supervisor.longest_sleep().map(|sleep| now + sleep);
        let poll = self.parts.outputs.iter().any(Output::has_keys).then(|| now + POLL);
        let due = [self.machine_due(), retry, feed, poll].into_iter().flatten();
        due.chain([self.hours_due, self.heat_due]).min().unwrap_or(now + POLL)
    }
}

/// A few words for the service manager.
fn status(scene: &Scene) -> &'static str {
    match scene {
        Scene::Dark => "asleep",
        Scene::Attract { .. } => "showing pictures",
        Scene::Drawing { .. } => "drawing",
        Scene::Choose { .. } | Scene::Menu { .. } => "someone is choosing",
        Scene::Four { .. } | Scene::Picture { .. } => "someone is looking",
        Scene::Message { .. } => "something is wrong; see the log",
    }
}
