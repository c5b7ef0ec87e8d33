//! E-paper as a [`Screen`]: a thread dithers frames and refreshes the panel when that is allowed.
//!
//! Owns that thread. Presenting takes only as long as copying the frame, so that buttons respond during a refresh of half a
//! minute; of several waiting frames only the last is shown. The next call returns errors of the thread.

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

/// Measures the temperature of the room or the panel in °C, if it is known; not that of the processor.
pub type Thermometer = Box<dyn FnMut() -> Option<f32> + Send>;

/// Options of an e-paper panel; [`Options::new`] has the defaults.
pub struct Options {
    /// The panel.
    pub model: Model,
    /// How it is mounted.
    pub rotation: Rotation,
    /// How pictures are dithered.
    pub dithering: Dithering,
    /// The colours of its inks: measured ones, or the model's palette.
    pub palette: Palette,
    /// When black and white panels refresh only a part.
    pub partial: PartialRefresh,
    /// The shortest time between refreshes; by default as the vendor advises.
    pub minimum_interval: Duration,
    /// A thermometer: no refresh above 35 °C or below 0 °C.
    pub thermometer: Option<Thermometer>,
}

impl Options {
    /// The defaults for a panel.
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

    /// The panel's properties.
    pub fn panel(&self) -> Panel {
        let (size, is_mono) = (self.model.size(), self.palette.inks().len() == 2);
        let colours = if is_mono {
            Colours::Mono
        } else {
            Colours::Palette(self.palette.measured())
        };
        Panel::new(format!("e-paper {}", self.model.name()), self.rotation.size(size))
            .with_rotation(self.rotation)
            .with_colours(colours)
            .with_refresh(self.model.specification().duration, self.minimum_interval)
    }
}

/// The state that the thread and the screen share.
#[derive(Default)]
struct State {
    waiting: Option<Frame>,
    working: bool,
    /// Why the waiting frame may not be shown yet.
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
    /// The state. It is consistent even if a thread panicked while holding it: each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An e-paper panel.
///
/// When it is dropped, it waits for the end of a refresh: a panel that is interrupted during a refresh keeps a half-drawn
/// picture, and some fail until their power is cut (`_refresh_wait` in `inky_el133uf1.py` of pimoroni/inky).
pub struct EPaper {
    panel: Panel,
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

impl EPaper {
    /// Takes a panel's wires and starts the thread.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(options: Options, link: Box<dyn Link>) -> Result<EPaper, DisplayError> {
        let (panel, shared) = (options.panel(), Arc::new(Shared::default()));
        let mut worker = Worker::new(options, link, shared.clone());
        let handle = thread::Builder::new()
            .name("e-paper".into())
            .spawn(move || worker.run())
            .map_err(|error| DisplayError::Failed {
                display: panel.name.clone(),
                problem: format!("cannot start a thread: {error}"),
            })?;
        Ok(EPaper {
            panel,
            shared,
            worker: Some(handle),
        })
    }

    /// Why the last frame is not shown yet: too soon after the previous one, too cold, too hot. `None` if it is being shown or
    /// was shown.
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

    /// Waits for the end of a refresh, and for a frame that may be shown at once. The panel itself sleeps between refreshes.
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
            rotation: [options.rotation, options.model.specification().rotation],
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
            (inks, width) = pixels::rotate(&inks, width, rotation);
        }
        let refresh = self.driver.show(&inks, self.guard.is_stale(Instant::now()))?;
        if refresh != Refresh::None {
            self.guard.refreshed(Instant::now());
        }
        Ok(())
    }
}
