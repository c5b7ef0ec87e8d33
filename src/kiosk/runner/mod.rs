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

use embedded_graphics::prelude::Point;

pub(super) use self::clock::Clock;
use super::assembly::{KioskError, RuleOptions};
use super::drawing_worker::{self, DrawingWorker};
use super::gallery_worker::{GalleryWorker, Task};
use super::handle::{Arrivals, Handle, Incoming};
use super::heat::{HeatPolicy, Thermometer};
use super::output::{Output, within};
use super::schedule::Calendar;
use super::screens::{Painter, on_paper, touched, touched_page};
use super::settings::Settings;
use super::sources::{Guard, Source, SourceContext, stop_flag};
use super::state::{DrawRequest, Effect, Input, JobUpdate, Machine, Scene};
use super::supervisor::Supervisor;
use super::views::LatestView;
use crate::device::buttons::{Event, Gestures, Script, Signal};

/// How often a window or terminal is asked for keys.
const POLL: Duration = Duration::from_millis(20);

/// Incoming events that are handled before displays and clock are served again.
const AT_ONCE: usize = 64;

/// A kiosk. [`Kiosk::new`] makes one from settings, [`Kiosk::run`] runs it on the current thread, and a [`Handle`] reaches it
/// from others.
pub struct Kiosk {
    pub(super) machine: Machine,
    /// Declared before the workers: dropped first.
    pub(super) arrivals: Arrivals,
    pub(super) drawing_worker: DrawingWorker,
    pub(super) gallery_worker: GalleryWorker,
    pub(super) calendar: Calendar,
    pub(super) heat: HeatPolicy,
    pub(super) thermometer: Thermometer,
    pub(super) supervisor: Supervisor,
    pub(super) handle: Handle,
    pub(super) latest_view: Arc<LatestView>,
    pub(super) clock: Clock,
    pub(super) effects: VecDeque<Effect>,
    pub(super) last_press: Option<Duration>,
    pub(super) last_motion: Option<Duration>,
    /// Whether the display was switched off from elsewhere.
    pub(super) is_switched_off: bool,
    /// Whether night brightness applies, and the current brightness.
    pub(super) night: bool,
    pub(super) brightness: f32,
    pub(super) hours_due: Duration,
    pub(super) heat_due: Duration,
    /// The running job, and when its last update came.
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
    /// Whether a picture was kept.
    pub(super) kept: bool,
}

impl Kiosk {
    /// A handle to this kiosk for other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until it is stopped. Pictures that are to be kept by then are kept when this returns.
    ///
    /// # Errors
    /// [`KioskError::NothingKept`] if it was to draw and keep one picture, and did not.
    pub fn run(mut self) -> Result<(), KioskError> {
        let script = self.script.take();
        // A script has no sources, and is stopped in order all the same.
        let is_stopped = script.as_ref().and_then(|_| stop_flag().ok()).unwrap_or_default();
        let listening = if script.is_none() { self.start_sources() } else { Vec::new() };
        self.prepare();
        if script.is_none() {
            self.check_surroundings();
        }
        self.show();
        self.supervisor.ready("showing pictures", Instant::now());
        match script {
            Some(script) => self.play(&script, &is_stopped),
            None => self.live(),
        }
        self.supervisor.stopping("stopped");
        self.drawing_worker.cancel();
        self.flush_gallery_tasks();
        if !self.once && !self.clock.is_simulated() {
            let now = self.clock.now();
            self.outputs.iter_mut().for_each(|output| output.sleep(now));
        }
        self.latest_view.end();
        drop(listening);
        if self.once && !self.kept {
            Err(KioskError::NothingKept)
        } else {
            Ok(())
        }
    }

    fn start_sources(&mut self) -> Vec<Guard> {
        let context = SourceContext {
            settings: &self.settings,
            panel: self.outputs.first().map(Output::panel),
            kiosk: &self.handle,
            lender: self.drawing_worker.lender(),
            file: self.file.as_deref(),
            pack: self.settings.pack.as_deref().unwrap_or(&self.pack),
        };
        self.sources.drain(..).filter_map(|source| source.start(&context)).collect()
    }

    /// Waits for gallery and pack, so that simulated time and single pictures do not depend on how long these take to open.
    fn prepare(&mut self) {
        self.set_brightness();
        if !self.once && !self.clock.is_simulated() {
            return;
        }
        self.await_gallery();
        let is_pack = |incoming: &Incoming| matches!(incoming, Incoming::Drawing(drawing_worker::DrawingEvent::Pack(_)));
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
            self.check_surroundings();
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
            Incoming::Drawing(drawing_worker::DrawingEvent::Pack(choices)) => self.input(Input::Pack(choices)),
            Incoming::Drawing(drawing_worker::DrawingEvent::Job(update)) => self.job_update(update),
            Incoming::Gallery(event) => self.gallery_event(event),
            Incoming::Show(finished, number) => {
                // As a press does, this wakes a display that sleeps for want of visitors.
                self.last_press = Some(self.clock.now());
                self.hours_due = Duration::ZERO;
                self.check_surroundings();
                self.input(Input::Show(finished, number));
            }
            Incoming::GalleryChanged => {
                self.gallery_worker.ask(Task::Reread);
            }
            Incoming::Links(links) => self.machine.set_links(links),
            Incoming::Switch(on) => {
                if on {
                    self.last_press = Some(self.clock.now());
                }
                (self.is_switched_off, self.hours_due) = (!on, Duration::ZERO);
            }
            Incoming::Invite(code) => self.input(Input::Invite(code)),
            Incoming::Stop => self.ending = true,
            Incoming::Reload => self.reload(),
        }
    }

    fn job_update(&mut self, update: JobUpdate) {
        let now = self.clock.now();
        self.supervisor.step(Instant::now());
        if let Some((job, last)) = &mut self.drawing
            && *job == update.job
        {
            *last = now;
        }
        self.input(Input::JobUpdate(update));
        self.check_job_ended();
    }

    fn signal(&mut self, output: usize, signal: &Signal, at: Instant) {
        if let Signal::Touch { at: place, pressed } = signal {
            self.finger(output, *place, *pressed, at);
        }
        for event in self.gestures.signal(output, signal, at) {
            self.event(event, at);
        }
    }

    /// A finger on the paper, if one is shown, draws.
    fn finger(&mut self, output: usize, place: Point, is_down: bool, at: Instant) {
        let view = self.machine.view(self.clock.now());
        let Some(output) = self.outputs.get(output).filter(|output| output.text_grid().is_none()) else {
            return;
        };
        if matches!(view.scene, Scene::Paper { .. }) {
            let place = on_paper(&view, output.size(), output.look.edge, place);
            self.last_press = Some(self.clock.since_start(at));
            self.input(Input::Finger(place, is_down));
        }
    }

    fn event(&mut self, event: Event, at: Instant) {
        match &event {
            Event::Motion => self.last_motion = Some(self.clock.since_start(at)),
            _ => {
                self.last_press = Some(self.clock.since_start(at));
                self.is_switched_off = false;
            }
        }
        self.hours_due = Duration::ZERO;
        if matches!(event, Event::Text(_)) {
            self.check_surroundings();
        }
        if let Some(input) = self.under_the_finger(event) {
            self.input(input);
        }
    }

    /// A press only wakes a kiosk that is asleep. A request is also carried out, as a text is, so the hours come first.
    fn request(&mut self, request: DrawRequest, at: Instant) {
        self.last_press = Some(self.clock.since_start(at));
        self.hours_due = Duration::ZERO;
        self.check_surroundings();
        self.input(Input::Request(request));
    }

    /// A touch becomes what is under it.
    fn under_the_finger(&self, event: Event) -> Option<Input> {
        let Event::Touch { output, at, gesture } = event else {
            return Some(Input::Event(event));
        };
        let output = self.outputs.get(output)?;
        let view = self.machine.view(self.clock.now());
        let target = match output.text_grid() {
            Some(grid) => touched_page(&view, grid, at),
            None => within(output.size(), at).then(|| touched(&view, output.size(), output.look.edge, at))?,
        };
        target.map(|target| Input::Touch(target, gesture))
    }

    /// Brightness is set at once, so that the next frame has it; the other effects come after that frame.
    fn input(&mut self, input: Input) {
        for effect in self.machine.handle(input, self.clock.now()) {
            match effect {
                Effect::Dim(_) => self.carry_out(effect),
                later => self.effects.push_back(later),
            }
        }
    }

    /// Shows the view and carries out effects until there are none.
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
        self.input(Input::DisplayGone(gone));
        self.supervisor.status(status(&view.scene));
    }

    /// Reads keys and touches from displays that have their own input: windows and terminals.
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

    /// Handles what is due by the clock.
    fn tick(&mut self) {
        let now = self.clock.now();
        let at = self.clock.start() + now;
        for event in self.gestures.tick(at) {
            self.event(event, at);
        }
        if self.machine.deadline(now).is_some_and(|due| due <= now) {
            self.input(Input::Tick);
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
        Scene::Choose { .. } | Scene::Keyboard { .. } | Scene::Menu { .. } | Scene::Paper { .. } => "someone is choosing",
        Scene::Four { .. } | Scene::Picture { .. } => "someone is looking",
        Scene::Code(_) => "showing a code",
        Scene::Message { .. } => "something is wrong; see the log",
    }
}
