//! E-paper as a [`Screen`]: frames are handed to a thread that dithers them and refreshes the panel when it may.
//!
//! Owns that thread. Presenting takes as long as copying the frame, so that buttons stay alive during the half minute of
//! a refresh; of frames that wait only the last is shown. What went wrong in the thread is the result of the next call.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::driver::{Driver, PartialRefresh, Refresh};
use super::guard::{Guard, Permission};
use super::link::Link;
use super::models::Model;
use super::pixels;
use crate::device::buttons::Signal;
use crate::device::display::{Colours, DisplayError, Frame, Panel, Rotation, Screen};
use crate::picture::dither::{Ditherer, Dithering, Palette};

/// Tells the temperature of the room or the panel in °C, where it is known. The processor's own is no measure of it.
pub type Thermometer = Box<dyn FnMut() -> Option<f32> + Send>;

/// What is chosen about an e-paper panel. Public fields, all with sensible values from [`Options::new`].
pub struct Options {
    /// The panel.
    pub model: Model,
    /// How it is turned.
    pub rotation: Rotation,
    /// How pictures are dithered.
    pub dithering: Dithering,
    /// What its inks look like, where that was measured; else the model's own palette.
    pub palette: Palette,
    /// When black and white panels refresh a part only.
    pub partial: PartialRefresh,
    /// Shortest time between refreshes; the maker's advice unless changed.
    pub minimum_interval: Duration,
    /// A thermometer, if there is one: no refresh above 35 °C or below 0 °C.
    pub thermometer: Option<Thermometer>,
}

impl Options {
    /// What suits a panel.
    pub fn new(model: Model) -> Options {
        Options {
            model,
            rotation: Rotation::None,
            dithering: Dithering::default(),
            palette: model.palette(),
            partial: PartialRefresh::default(),
            minimum_interval: model.specification().minimum_interval,
            thermometer: None,
        }
    }

    /// What the panel is.
    pub fn panel(&self) -> Panel {
        let (size, is_mono) = (self.model.size(), self.palette.inks().len() == 2);
        Panel {
            name: format!("e-paper {}", self.model.name()),
            size: self.rotation.size(size),
            colours: if is_mono {
                Colours::Mono
            } else {
                Colours::Palette(self.palette.measured())
            },
            refresh: self.model.specification().duration,
            minimum_interval: self.minimum_interval,
        }
    }
}

/// What the thread and the screen tell each other.
#[derive(Default)]
struct State {
    waiting: Option<Frame>,
    working: bool,
    /// Why the waiting frame cannot be shown yet.
    held: Option<Permission>,
    closing: bool,
    failure: Option<DisplayError>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    /// The state. A thread that panicked while holding it left it whole: each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An e-paper panel.
///
/// When it is dropped, a refresh that is under way is finished first, which takes as long as it takes: a panel that is
/// cut off within a refresh keeps a half-drawn picture, and some keep a fault until their power is removed
/// (`_refresh_wait` in `inky_el133uf1.py` of pimoroni/inky).
pub struct EPaper {
    panel: Panel,
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

impl EPaper {
    /// Starts a panel on its wires.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(options: Options, link: Box<dyn Link>) -> Result<EPaper, DisplayError> {
        let (panel, shared) = (options.panel(), Arc::new(Shared::default()));
        let mut worker = Worker::new(options, link, shared.clone());
        let handle = thread::Builder::new()
            .name("e-paper".into())
            .spawn(move || worker.run())
            .map_err(|error| DisplayError::Failed {
                display: panel.name.clone(),
                problem: format!("no thread could be started: {error}"),
            })?;
        Ok(EPaper {
            panel,
            shared,
            worker: Some(handle),
        })
    }

    /// Why the last frame is not shown yet: too soon after the one before, too cold, too hot. Nothing while it is being
    /// shown or is.
    pub fn held(&self) -> Option<Permission> {
        self.shared.lock().held
    }

    fn failure(&self) -> Result<(), DisplayError> {
        self.shared.lock().failure.take().map_or(Ok(()), Err)
    }
}

impl Screen for EPaper {
    fn panel(&self) -> &Panel {
        &self.panel
    }

    fn present(&mut self, frame: &Frame, _damage: Rectangle) -> Result<(), DisplayError> {
        self.panel.check_size(frame)?;
        self.shared.lock().waiting = Some(frame.clone());
        self.shared.changed.notify_all();
        self.failure()
    }

    /// Waits for a refresh that is under way, and for a frame that may be shown at once. The panel itself sleeps whenever
    /// it is not being refreshed.
    fn sleep(&mut self) -> Result<(), DisplayError> {
        let unsettled = |state: &mut State| state.working || (state.waiting.is_some() && state.held.is_none());
        drop(self.shared.changed.wait_while(self.shared.lock(), unsettled));
        self.failure()
    }

    fn signals(&mut self) -> Result<Vec<Signal>, DisplayError> {
        self.failure().map(|()| Vec::new())
    }
}

impl Drop for EPaper {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        if self.worker.take().is_some_and(|worker| worker.join().is_err()) {
            log::error!("{}: its thread panicked", self.panel.name);
        }
    }
}

/// The thread's side.
struct Worker {
    shared: Arc<Shared>,
    driver: Driver,
    ditherer: Ditherer,
    guard: Guard,
    thermometer: Option<Thermometer>,
    rotation: [Rotation; 2],
}

impl Worker {
    fn new(options: Options, link: Box<dyn Link>, shared: Arc<Shared>) -> Worker {
        Worker {
            shared,
            driver: Driver::new(options.model, link, options.partial),
            ditherer: Ditherer::new(options.palette, options.dithering),
            guard: Guard::new(options.minimum_interval),
            thermometer: options.thermometer,
            rotation: [options.rotation, options.model.specification().turned],
        }
    }

    fn run(&mut self) {
        while let Some(frame) = self.next() {
            let shown = self.show(&frame);
            let mut state = self.shared.lock();
            state.working = false;
            if let Err(error) = shown {
                state.failure = Some(error);
            }
            self.shared.changed.notify_all();
        }
    }

    /// The next frame, as soon as it may be shown; nothing when the screen is closed.
    fn next(&mut self) -> Option<Frame> {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        loop {
            if state.closing {
                return None;
            }
            if state.waiting.is_none() {
                state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let permission = self
                .guard
                .ask(Instant::now(), self.thermometer.as_mut().and_then(|thermometer| thermometer()));
            let pause = match permission {
                Permission::Now => {
                    (state.held, state.working) = (None, true);
                    return state.waiting.take();
                }
                Permission::In(pause) => pause,
                Permission::NotAt(celsius, pause) => {
                    if !matches!(state.held, Some(Permission::NotAt(..))) {
                        log::warn!("{}: no refresh at {celsius:.1} °C; waiting", self.driver.display());
                    }
                    pause
                }
            };
            state.held = Some(permission);
            shared.changed.notify_all();
            state = shared.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn show(&mut self, frame: &Frame) -> Result<(), DisplayError> {
        let dithered = self.ditherer.rgb(frame.size().width, frame.bytes());
        let (mut inks, mut width) = (dithered.inks().to_vec(), frame.size().width as usize);
        for rotation in self.rotation {
            (inks, width) = pixels::turn(&inks, width, rotation);
        }
        let refresh = self.driver.show(&inks, self.guard.is_stale(Instant::now()))?;
        if refresh != Refresh::None {
            self.guard.refreshed(Instant::now());
        }
        Ok(())
    }
}
