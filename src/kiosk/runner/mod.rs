//! The main loop: brings events, worker results, hours and heat to the state machine, carries out the effects that it returns,
//! shows its view, and sleeps until the next thing is due. Owns [`Kiosk`]; depends on everything else of the kiosk.
//!
//! | file | what it owns |
//! |---|---|
//! | `clock` | real or simulated time |
//! | `effects` | carrying out the effects of the state machine |
//! | `surroundings` | hours, heat, and settings that are read again |
//! | `script` | a script in simulated time |

mod clock;
mod effects;
mod script;
mod surroundings;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) use self::clock::Clock;
use super::artist::{self, Artist};
use super::assembly::RuleOptions;
use super::curator::Curator;
use super::handle::{Arrivals, Handle, Incoming};
use super::heat::{HeatPolicy, Thermometer};
use super::output::{Output, within};
use super::schedule::Calendar;
use super::screens::{Painter, touched};
use super::settings::Settings;
use super::sources::{Guard, Source, SourceContext};
use super::state::{DrawRequest, Effect, Input, Machine, Report, Scene};
use super::supervisor::Supervisor;
use super::views::LatestView;
use crate::device::buttons::{Event, Gestures, Script, Signal};

/// How often a window or terminal is asked for keys.
const POLL: Duration = Duration::from_millis(20);

/// Arrivals that are taken before the display and the clock are looked at again.
const AT_ONCE: usize = 64;

/// A kiosk. [`Kiosk::new`] makes one from settings, [`Kiosk::run`] runs it on the current thread, and a [`Handle`] reaches it
/// from others.
pub struct Kiosk {
    pub(super) machine: Machine,
    /// Before the workers, which may wait to be heard when they are dropped.
    pub(super) arrivals: Arrivals,
    pub(super) artist: Artist,
    pub(super) curator: Curator,
    pub(super) calendar: Calendar,
    pub(super) heat: HeatPolicy,
    pub(super) thermometer: Thermometer,
    pub(super) supervisor: Supervisor,
    pub(super) handle: Handle,
    pub(super) latest_view: Arc<LatestView>,
    pub(super) clock: Clock,
    pub(super) effects: VecDeque<Effect>,
    /// When the last press and the last motion came.
    pub(super) quiet: [Option<Duration>; 2],
    /// Whether it is night, and how bright the displays are.
    pub(super) night: bool,
    pub(super) brightness: f32,
    pub(super) hours_due: Duration,
    pub(super) heat_due: Duration,
    /// The order that is being drawn, and when its last report came.
    pub(super) drawing: Option<(u64, Duration)>,
    pub(super) ending: bool,
    /// Displays, the main one first.
    pub(super) outputs: Vec<Output>,
    pub(super) painter: Painter,
    pub(super) gestures: Gestures,
    pub(super) rule_options: RuleOptions,
    pub(super) settings: Settings,
    /// The file that the settings came from.
    pub(super) file: Option<PathBuf>,
    /// Applied after the file was read again.
    pub(super) overrides: Box<dyn Fn(&mut Settings)>,
    /// Folder of the pack by default.
    pub(super) pack: PathBuf,
    /// Started by [`Kiosk::run`].
    pub(super) sources: Vec<Source>,
    pub(super) script: Option<Script>,
    pub(super) once: bool,
}

impl Kiosk {
    /// A handle to this kiosk for other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until it is stopped. What was to be kept by then is kept.
    pub fn run(&mut self) {
        let script = self.script.take();
        let listening = if script.is_none() { self.start_sources() } else { Vec::new() };
        self.prepare();
        self.show();
        self.supervisor.ready("showing pictures", Instant::now());
        match script {
            Some(script) => self.play(&script),
            None => self.live(),
        }
        self.supervisor.stopping("stopped");
        self.artist.cancel();
        self.keep_the_rest();
        if !self.once && !self.clock.is_simulated() {
            let now = self.clock.now();
            self.outputs.iter_mut().for_each(|output| output.sleep(now));
        }
        self.latest_view.end();
        drop(listening);
    }

    fn start_sources(&mut self) -> Vec<Guard> {
        let context = SourceContext {
            settings: &self.settings,
            frame: self.outputs.first().map(Output::size).unwrap_or_default(),
            kiosk: &self.handle,
        };
        self.sources.drain(..).filter_map(|source| source.start(&context)).collect()
    }

    /// In simulated time, and for a single picture, nothing may depend on how long gallery and pack take to open: waits for both.
    fn prepare(&mut self) {
        self.set_brightness();
        if !self.once && !self.clock.is_simulated() {
            return;
        }
        self.await_curator();
        let is_pack = |incoming: &Incoming| matches!(incoming, Incoming::Drawing(artist::News::Pack(_)));
        if let Some(pack) = self.arrivals.first(is_pack) {
            self.take(pack);
        }
        if self.once {
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
            let mut wait = sleep;
            for _ in 0..AT_ONCE {
                let Some(incoming) = self.arrivals.next_within(wait) else { break };
                self.take(incoming);
                wait = Duration::ZERO;
            }
            self.poll();
            self.tick();
            self.supervisor.turned(Instant::now());
        }
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Signal { output, signal, at } => self.signal(output, &signal, at),
            Incoming::Event(event, at) => self.event(event, at),
            Incoming::Request(request, at) => self.request(request, at),
            Incoming::Drawing(artist::News::Pack(skills)) => self.tell(Input::Pack(skills)),
            Incoming::Drawing(artist::News::Report(report)) => self.report(report),
            Incoming::Gallery(news) => self.hear(news),
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

    fn signal(&mut self, output: usize, signal: &Signal, at: Instant) {
        for event in self.gestures.signal(output, signal, at) {
            self.event(event, at);
        }
    }

    fn event(&mut self, event: Event, at: Instant) {
        match &event {
            Event::Motion => self.quiet[1] = Some(self.clock.since_start(at)),
            _ => self.quiet[0] = Some(self.clock.since_start(at)),
        }
        self.hours_due = Duration::ZERO;
        if matches!(event, Event::Text(_)) {
            self.look_around();
        }
        if let Some(event) = self.under_the_finger(event) {
            self.tell(Input::Event(event));
        }
    }

    /// A press only wakes a kiosk that is asleep. A request is also carried out, as a text is, so the hours come first.
    fn request(&mut self, request: DrawRequest, at: Instant) {
        self.quiet[0] = Some(self.clock.since_start(at));
        self.hours_due = Duration::ZERO;
        self.look_around();
        self.tell(Input::Request(request));
    }

    /// A touch becomes the button under it.
    fn under_the_finger(&self, event: Event) -> Option<Event> {
        let Event::Touch { output, at, gesture } = event else {
            return Some(event);
        };
        let output = self.outputs.get(output)?;
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
        self.latest_view.publish(&view);
        for output in &mut self.outputs {
            output.show(&mut self.painter, &view, now);
        }
        let gone = self.outputs.first().is_some_and(Output::is_gone);
        self.tell(Input::DisplayGone(gone));
        self.supervisor.status(status(&view.scene));
    }

    /// Keys and touches that come in through the displays themselves: windows and terminals.
    fn poll(&mut self) {
        let now = self.clock.now();
        for index in 0..self.outputs.len() {
            let signals = self.outputs[index].signals(now);
            let at = Instant::now();
            for signal in signals {
                self.signal(index, &signal, at);
            }
        }
    }

    /// What became due by the clock alone.
    fn tick(&mut self) {
        let now = self.clock.now();
        let at = self.clock.start() + now;
        for event in self.gestures.tick(at) {
            self.event(event, at);
        }
        if self.machine.deadline(now).is_some_and(|due| due <= now) {
            self.tell(Input::Tick);
        }
    }

    fn machine_due(&self) -> Option<Duration> {
        let now = self.clock.now();
        let gestures = self.gestures.deadline().map(|due| self.clock.since_start(due));
        [self.machine.deadline(now), gestures].into_iter().flatten().min()
    }

    fn next_due(&self) -> Duration {
        let now = self.clock.now();
        let retry = self.outputs.iter().filter_map(Output::retry).min();
        let feed = self.supervisor.longest_sleep().map(|sleep| now + sleep);
        let poll = self.outputs.iter().any(Output::has_keys).then(|| now + POLL);
        let due = [self.machine_due(), retry, feed, poll].into_iter().flatten();
        due.chain([self.hours_due, self.heat_due]).min().unwrap_or(now + POLL)
    }
}

impl Drop for Kiosk {
    fn drop(&mut self) {
        self.latest_view.end();
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
