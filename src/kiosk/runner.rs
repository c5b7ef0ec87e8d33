//! The program that runs the kiosk: it brings signals, reports, hours and heat to the state machine, carries out what that
//! answers, shows what is to be seen, and sleeps until the next thing is due. Depends on everything else of the kiosk.
//!
//! Scripts run in simulated time: nothing waits but for the drawing, whose every report takes `STAGE`, so that the same
//! script, seed and pack always show the same frames.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::artist::{Artist, News};
use super::gallery::{Caps, Gallery, Kept};
use super::heat::{HeatPolicy, Pace, Thermometer};
use super::output::{Output, within};
use super::rules;
use super::schedule::{Calendar, Quiet, Wakefulness};
use super::screens::{Painter, touched};
use super::settings::Settings;
use super::state::{Drawn, Effect, Entry, Input, Machine, Outcome, Piece, Report, Rules, Scene};
use super::supervisor::Supervisor;
use crate::device::buttons::{Event, Gestures, Script, Signal, Timed};

/// How often a window or terminal is asked for keys.
const POLL: Duration = Duration::from_millis(20);
/// How often the temperature is read.
const THERMOMETER: Duration = Duration::from_secs(5);
/// Longest time between two looks at the hours.
const HOURS: Duration = Duration::from_secs(60);
/// What every stage of a drawing takes in simulated time.
const STAGE: Duration = Duration::from_millis(400);
/// How long the last frame of a script stands.
const AFTER: Duration = Duration::from_secs(1);

/// What comes in from other threads.
enum Incoming {
    Signal(Timed),
    News(News),
    Stop,
    Reload,
}

/// Where other threads send what they have.
#[derive(Clone)]
pub struct Inbox(Sender<Incoming>);

impl Inbox {
    /// A sender of signals. They are handed on by a thread that ends when all of its senders are gone.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn signals(&self) -> std::io::Result<Sender<Timed>> {
        let (sender, receiver) = mpsc::channel();
        let inbox = self.0.clone();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for timed in receiver {
                if inbox.send(Incoming::Signal(timed)).is_err() {
                    return;
                }
            }
        })?;
        Ok(sender)
    }

    /// Ends the kiosk in order. False where it has ended already.
    pub fn stop(&self) -> bool {
        self.0.send(Incoming::Stop).is_ok()
    }

    /// Reads the settings again. False where the kiosk has ended already.
    pub fn reload(&self) -> bool {
        self.0.send(Incoming::Reload).is_ok()
    }
}

/// What the kiosk is started with.
pub struct Parts {
    /// The settings, and the file that they came from.
    pub settings: Settings,
    /// That file, read again on [`Inbox::reload`].
    pub file: Option<PathBuf>,
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
    gallery: Gallery,
    calendar: Calendar,
    heat: HeatPolicy,
    thermometer: Thermometer,
    supervisor: Supervisor,
    inbox: Receiver<Incoming>,
    sender: Sender<Incoming>,
    clock: Clock,
    effects: VecDeque<Effect>,
    quiet: [Option<Duration>; 2],
    hours_due: Duration,
    heat_due: Duration,
    /// The order that is being drawn, and when its last report came.
    drawing: Option<(u64, Duration)>,
    ending: bool,
}

/// Real or simulated time since the start.
enum Clock {
    Real(Instant),
    Simulated { start: Instant, now: Duration },
}

impl Clock {
    fn now(&self) -> Duration {
        match self {
            Clock::Real(start) => start.elapsed(),
            Clock::Simulated { now, .. } => *now,
        }
    }

    fn start(&self) -> Instant {
        match self {
            Clock::Real(start) | Clock::Simulated { start, .. } => *start,
        }
    }

    fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.start())
    }

    fn is_simulated(&self) -> bool {
        matches!(self, Clock::Simulated { .. })
    }
}

impl Runner {
    /// Opens the gallery and starts to draw; nothing is shown before [`Runner::run`].
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn new(parts: Parts) -> std::io::Result<Runner> {
        let (sender, inbox) = mpsc::channel();
        let news = sender.clone();
        let studio = rules::studio(&parts.settings, &parts.pack);
        // A receiver that is gone has ended the kiosk.
        let artist = Artist::start(studio, move |said| drop(news.send(Incoming::News(said))))?;
        let start = Instant::now();
        let clock = match &parts.script {
            Some(_) => Clock::Simulated {
                start,
                now: Duration::ZERO,
            },
            None => Clock::Real(start),
        };
        let caps = Caps::from(&parts.settings.gallery);
        Ok(Runner {
            machine: Machine::new(parts.rules.clone()),
            artist,
            gallery: Gallery::open(&parts.settings.gallery_folder(), caps),
            calendar: Calendar::new(&parts.settings.schedule),
            heat: HeatPolicy::new(&parts.settings.heat),
            thermometer: Thermometer::new(Path::new("/")),
            supervisor: Supervisor::from_environment(),
            inbox,
            sender,
            clock,
            effects: VecDeque::new(),
            quiet: [None; 2],
            hours_due: Duration::ZERO,
            heat_due: Duration::ZERO,
            drawing: None,
            ending: false,
            parts,
        })
    }

    /// Where other threads send what they have.
    pub fn inbox(&self) -> Inbox {
        Inbox(self.sender.clone())
    }

    /// Runs until someone ends it.
    pub fn run(&mut self) {
        if let Err(error) = self.gallery.check() {
            log::error!("{error}");
        }
        self.tell_gallery();
        self.wait_for_pack();
        if self.parts.once {
            let effects = self.machine.draw_once(self.clock.now());
            self.effects.extend(effects);
        }
        self.show();
        self.supervisor.ready("showing pictures", Instant::now());
        match self.parts.script.take() {
            Some(script) => self.play(&script),
            None => self.live(),
        }
        self.supervisor.stopping("stopped");
        self.artist.cancel();
        if !self.parts.once && !self.clock.is_simulated() {
            let now = self.clock.now();
            self.parts.outputs.iter_mut().for_each(|output| output.sleep(now));
        }
    }

    /// What the pack can do is told before anything else where nothing may depend on how long that takes.
    fn wait_for_pack(&mut self) {
        if !self.parts.once && !self.clock.is_simulated() {
            return;
        }
        while let Ok(incoming) = self.inbox.recv() {
            let is_pack = matches!(incoming, Incoming::News(News::Pack(_)));
            self.take(incoming);
            if is_pack || self.ending {
                return;
            }
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
            match self.inbox.recv_timeout(sleep) {
                Ok(incoming) => self.take(incoming),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Ok(incoming) = self.inbox.try_recv() {
                self.take(incoming);
            }
            self.poll();
            self.tick();
            self.supervisor.turned(Instant::now());
        }
    }

    /// A script in simulated time: the clock jumps from one thing to the next.
    fn play(&mut self, script: &Script) {
        let mut steps = script.steps().iter().peekable();
        let end = script.length() + AFTER;
        self.settle();
        while !self.ending {
            let signal = steps.peek().map(|(at, _)| *at);
            let report = self.drawing.map(|(_, last)| last + STAGE);
            let due = [signal, report, self.machine_due()].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= end || report.is_some()) else {
                return;
            };
            self.set_clock(due);
            if report == Some(due) {
                self.await_report();
            } else if signal == Some(due)
                && let Some((_, signal)) = steps.next()
            {
                let at = self.clock.start() + due;
                self.signal(signal, at);
            }
            self.tick();
            self.settle();
        }
    }

    fn set_clock(&mut self, to: Duration) {
        if let Clock::Simulated { now, .. } = &mut self.clock {
            *now = to.max(*now);
        }
    }

    /// Waits for the next report of what is being drawn.
    fn await_report(&mut self) {
        let Some((order, _)) = self.drawing else { return };
        while let Ok(incoming) = self.inbox.recv() {
            let is_it = matches!(&incoming, Incoming::News(News::Report(report)) if report.order == order);
            self.take(incoming);
            if is_it || self.ending {
                return;
            }
        }
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Signal(timed) => self.signal(&timed.signal, timed.at),
            Incoming::News(News::Pack(skills)) => self.tell(Input::Pack(skills)),
            Incoming::News(News::Report(report)) => self.report(report),
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

    /// Shows what there is to see, then does what is to be done, until nothing is: a press is seen before a card is written.
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

    fn carry_out(&mut self, effect: Effect) {
        let now = self.clock.now();
        match effect {
            Effect::Draw(order) => {
                self.drawing = Some((order.number, now));
                self.supervisor.drawing(Instant::now());
                self.artist.draw(order);
            }
            Effect::Cancel => {
                self.artist.cancel();
                self.at_rest();
            }
            Effect::Keep {
                order,
                piece,
                drawn,
                favourite,
            } => self.keep(order, piece, &drawn, favourite),
            Effect::Favourite(number, favourite) => {
                if let Err(error) = self.gallery.set_favourite(number, favourite) {
                    log::error!("{error}");
                }
                self.tell_gallery();
            }
            Effect::Load(number) => self.load(number),
            Effect::Sleep => self.parts.outputs.iter_mut().for_each(|output| output.sleep(now)),
            Effect::Dim(night) => {
                let brightness = if night {
                    self.parts.settings.schedule.night_brightness
                } else {
                    1.0
                };
                self.parts.outputs.iter_mut().for_each(|output| output.dim(brightness, now));
            }
            Effect::Quit => self.ending = true,
        }
        self.rest_when_drawn();
    }

    fn rest_when_drawn(&mut self) {
        if !self.machine.is_drawing() && self.drawing.is_some() {
            self.at_rest();
        }
    }

    /// Nothing is being drawn any more.
    fn at_rest(&mut self) {
        self.drawing = None;
        self.supervisor.drawn(Instant::now());
    }

    fn keep(&mut self, order: u64, piece: usize, drawn: &Drawn, favourite: bool) {
        let outcome = match self.gallery.keep(&drawn.picture, &drawn.provenance) {
            Kept::Kept(number) => {
                if favourite && let Err(error) = self.gallery.set_favourite(number, true) {
                    log::error!("{error}");
                }
                Outcome::Kept(number)
            }
            Kept::NotKept(reason) => {
                log::error!("a picture is not kept: {reason}");
                Outcome::NotKept
            }
        };
        self.tell_gallery();
        self.tell(Input::Kept(order, piece, outcome));
    }

    fn load(&mut self, number: u64) {
        let loaded = self.gallery.load(number).inspect_err(|error| log::error!("{error}")).ok();
        let damaged = loaded.is_none();
        let drawn = loaded.map(|contents| {
            let provenance = contents.provenance.unwrap_or_default();
            Drawn {
                piece: Piece {
                    prompt: provenance.prompt.clone(),
                    style: provenance.style.clone(),
                    steps: provenance.steps as usize,
                    seed: provenance.seed,
                },
                picture: contents.picture.into(),
                provenance: provenance.into(),
            }
        });
        self.tell(Input::Loaded(number, drawn));
        if damaged {
            self.tell_gallery();
        }
    }

    fn tell_gallery(&mut self) {
        let entry = |entry: &super::gallery::Entry| Entry {
            number: entry.number(),
            favourite: entry.is_favourite(),
        };
        let kept = self.gallery.entries().iter().rev().map(entry).collect();
        self.tell(Input::Gallery(kept));
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

    /// Hours and heat.
    fn look_around(&mut self) {
        let now = self.clock.now();
        if now >= self.hours_due {
            let ago = |at: Option<Duration>| at.map(|at| now.saturating_sub(at));
            let quiet = Quiet {
                press: ago(self.quiet[0]),
                motion: ago(self.quiet[1]),
            };
            let outlook = self.calendar.outlook(Timestamp::now(), quiet);
            let hours = if self.parts.once { Wakefulness::Awake } else { outlook.state };
            self.hours_due = now + outlook.lasts.unwrap_or(HOURS).min(HOURS);
            self.tell(Input::Hours(hours));
        }
        if now >= self.heat_due {
            self.heat_due = now + THERMOMETER;
            let before = self.heat.pace();
            let pace = self.heat.take(self.thermometer.read());
            if pace != before {
                log::warn!(
                    "{}",
                    if pace == Pace::Normal {
                        "cool again"
                    } else {
                        "warm: drawing slower or not at all"
                    }
                );
                self.tell(Input::Pace(pace));
            }
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

    fn reload(&mut self) {
        let Some(file) = self.parts.file.clone() else { return };
        self.supervisor.reloading();
        match self.parts.settings.reload(&file) {
            Ok(_) => self.apply_settings(),
            Err(error) => log::error!("the settings stay as they were: {error}"),
        }
        self.supervisor.ready("showing pictures", Instant::now());
    }

    fn apply_settings(&mut self) {
        let settings = &self.parts.settings;
        match rules::rules(settings, self.parts.rules.seed, self.parts.rules.fade.is_zero()) {
            Ok(rules) => {
                self.machine.set_rules(rules.clone());
                self.parts.rules = rules;
            }
            Err(error) => log::error!("{error}"),
        }
        self.gallery.set_caps(Caps::from(&settings.gallery));
        self.calendar = Calendar::new(&settings.schedule);
        self.heat.set_limits(&settings.heat);
        self.artist.set_studio(rules::studio(settings, &self.parts.pack));
        (self.hours_due, self.heat_due) = (Duration::ZERO, Duration::ZERO);
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
