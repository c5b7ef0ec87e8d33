//! Shows pixels on an e-paper panel: wakes it, sends them, refreshes, and turns it off again.
//!
//! Owns the order of these steps and the waiting; the commands come from the panel's specification. Knows no threads and no
//! clock other than the pauses of its [`Link`].

use std::time::Duration;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::link::{Link, LinkError};
use super::models::{Coding, Model, Specification};
use super::pixels;
use super::tables::Step;
use crate::device::display::DisplayError;

/// How often the busy line is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The longest time that a controller may be busy, except with a refresh.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest time from the refresh command to a busy line. Without this check an absent panel, whose line is pulled up,
/// would look like one that has finished.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// The time after which a partial refresh has certainly begun.
const PARTIAL_START: Duration = Duration::from_millis(50);

/// Commands that the controllers share.
mod command {
    pub const POWER_OFF: u8 = 0x02;
    pub const POWER_ON: u8 = 0x04;
    pub const DEEP_SLEEP: (u8, &[u8]) = (0x07, &[0xA5]);
    pub const OLD_PIXELS: u8 = 0x10;
    pub const REFRESH: u8 = 0x12;
    pub const NEW_PIXELS: u8 = 0x13;
    pub const WINDOW: u8 = 0x90;
    pub const WINDOW_ON: u8 = 0x91;
    pub const WINDOW_OFF: u8 = 0x92;
}

/// When black and white panels refresh only a part, without the flashing of a full refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialRefresh {
    /// How many may follow each other before a full refresh clears the ghosting. Zero turns partial refreshes off.
    pub max_consecutive: u32,
    /// The largest part in percent of the panel.
    pub max_percent: u32,
}

impl Default for PartialRefresh {
    /// Five, as Waveshare advises, of at most half the panel.
    fn default() -> Self {
        PartialRefresh {
            max_consecutive: 5,
            max_percent: 50,
        }
    }
}

/// How a picture was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// The whole panel.
    Full,
    /// This part of its memory.
    Partial(Rectangle),
    /// Not at all: the panel shows it already.
    None,
}

/// A panel on its wires. Between refreshes it is in deep sleep and without power.
pub struct Driver {
    model: Model,
    specification: Specification,
    link: Box<dyn Link>,
    partial: PartialRefresh,
    consecutive: u32,
    shown: Option<Vec<u8>>,
}

impl Driver {
    /// Takes the wires. Sends nothing yet.
    pub fn new(model: Model, link: Box<dyn Link>, partial: PartialRefresh) -> Driver {
        Driver {
            specification: model.specification(),
            model,
            link,
            partial,
            consecutive: 0,
            shown: None,
        }
    }

    /// Shows a picture: the index of an ink for each pixel of the panel's memory, rows from the top. `always` refreshes even if
    /// the panel shows it already. Blocks until the refresh has finished.
    ///
    /// # Errors
    /// [`DisplayError::Timeout`] if the panel does not answer, [`DisplayError::Failed`] if a wire does not work. The next
    /// call begins with a reset.
    pub fn show(&mut self, inks: &[u8], always: bool) -> Result<Refresh, DisplayError> {
        let pixels = pixels::encode(inks, &self.specification);
        let refresh = self.choose(&pixels, always);
        let old = self.shown.take();
        match refresh {
            Refresh::None => {
                self.shown = old;
                return Ok(refresh);
            }
            Refresh::Full => self.run(|driver| driver.full(&pixels, old.as_deref()))?,
            Refresh::Partial(part) => self.run(|driver| driver.part(&pixels, old.as_deref(), part))?,
        }
        self.consecutive = if refresh == Refresh::Full { 0 } else { self.consecutive + 1 };
        self.shown = Some(pixels);
        Ok(refresh)
    }

    fn choose(&self, pixels: &[u8], always: bool) -> Refresh {
        let Some(shown) = &self.shown else { return Refresh::Full };
        if always {
            return Refresh::Full;
        }
        if shown == pixels {
            return Refresh::None;
        }
        let Coding::Bits { .. } = self.specification.coding else {
            return Refresh::Full;
        };
        let memory = self.specification.memory;
        let part = pixels::changed_bits(shown, pixels, memory);
        let area = |size: Size| u64::from(size.width) * u64::from(size.height);
        let small = area(part.size) * 100 <= area(memory) * u64::from(self.partial.max_percent);
        if small && self.consecutive < self.partial.max_consecutive {
            Refresh::Partial(part)
        } else {
            Refresh::Full
        }
    }

    /// Runs an operation; if it fails, turns the panel off as far as possible.
    fn run(&mut self, operation: impl FnOnce(&mut Driver) -> Result<(), DisplayError>) -> Result<(), DisplayError> {
        let done = operation(self);
        if done.is_err() {
            // Each may fail as well: the first error tells what is wrong.
            let _ = self.link.send(command::POWER_OFF, &[0x00]);
            let _ = self.link.send(command::DEEP_SLEEP.0, command::DEEP_SLEEP.1);
            let _ = self.link.supply(false);
        }
        done
    }

    fn full(&mut self, pixels: &[u8], old: Option<&[u8]>) -> Result<(), DisplayError> {
        self.wake()?;
        match self.specification.coding {
            Coding::Codes(_) => self.send(command::OLD_PIXELS, pixels)?,
            Coding::Bits { .. } => {
                let unknown = vec![0xFF; pixels.len()];
                self.send(command::OLD_PIXELS, old.unwrap_or(&unknown))?;
                self.send(command::NEW_PIXELS, pixels)?;
            }
        }
        self.refresh()?;
        self.wait(true, BUSY_TIMEOUT)?;
        self.finish()
    }

    fn part(&mut self, pixels: &[u8], old: Option<&[u8]>, part: Rectangle) -> Result<(), DisplayError> {
        let (Coding::Bits { partial }, Some(old)) = (self.specification.coding, old) else {
            return self.full(pixels, old);
        };
        self.wake()?;
        // Deep sleep has cleared the controller's memory, which has to hold what the panel shows.
        self.send(command::OLD_PIXELS, old)?;
        self.send(command::NEW_PIXELS, old)?;
        self.steps(partial)?;
        self.send(command::WINDOW_ON, &[])?;
        self.send(command::WINDOW, &pixels::window(part))?;
        self.send(command::NEW_PIXELS, &pixels::cut_bits(pixels, self.specification.memory, part))?;
        self.refresh()?;
        // It may be too short for a busy processor to notice; an absent panel was detected by the last full refresh.
        self.link.pause(PARTIAL_START);
        self.wait(false, self.specification.longest)?;
        self.send(command::WINDOW_OFF, &[])?;
        self.finish()
    }

    /// Turns the power on, resets and initializes the controller.
    fn wake(&mut self) -> Result<(), DisplayError> {
        self.wire(|link| link.supply(true))?;
        let reset = self.specification.reset;
        for _ in 0..reset.pulses {
            self.level(false, reset.high)?;
            self.level(true, reset.low)?;
        }
        self.level(false, reset.high)?;
        self.ready()?;
        self.steps(self.specification.initialise)
    }

    fn level(&mut self, low: bool, milliseconds: u64) -> Result<(), DisplayError> {
        self.wire(|link| link.reset(low))?;
        self.link.pause(Duration::from_millis(milliseconds));
        Ok(())
    }

    fn refresh(&mut self) -> Result<(), DisplayError> {
        self.send(command::POWER_ON, &[])?;
        self.link.pause(POLL_INTERVAL);
        self.ready()?;
        self.steps(self.specification.prepare)?;
        self.send(command::REFRESH, self.specification.refresh)
    }

    /// Waits for the end of the refresh, then turns the power off and enters deep sleep.
    fn finish(&mut self) -> Result<(), DisplayError> {
        self.wait(false, self.specification.longest)?;
        self.steps(self.specification.finish)?;
        self.send(command::DEEP_SLEEP.0, command::DEEP_SLEEP.1)?;
        self.wire(|link| link.supply(false))
    }

    fn steps(&mut self, steps: &[Step]) -> Result<(), DisplayError> {
        for step in steps {
            match *step {
                Step::Send(command, data) => self.send(command, data)?,
                Step::Pause(milliseconds) => self.link.pause(Duration::from_millis(milliseconds)),
                Step::Ready => {
                    self.link.pause(POLL_INTERVAL);
                    self.ready()?;
                }
            }
        }
        Ok(())
    }

    fn ready(&mut self) -> Result<(), DisplayError> {
        self.wait(false, READY_TIMEOUT)
    }

    /// Waits until the controller is busy or not.
    fn wait(&mut self, busy: bool, at_most: Duration) -> Result<(), DisplayError> {
        let mut waited = Duration::ZERO;
        while self.wire(|link| link.is_busy())? != busy {
            if waited >= at_most {
                return Err(DisplayError::Timeout {
                    display: self.display(),
                    seconds: at_most.as_secs(),
                });
            }
            self.link.pause(POLL_INTERVAL);
            waited += POLL_INTERVAL;
        }
        Ok(())
    }

    fn send(&mut self, command: u8, data: &[u8]) -> Result<(), DisplayError> {
        self.wire(|link| link.send(command, data))
    }

    fn wire<T>(&mut self, work: impl FnOnce(&mut dyn Link) -> Result<T, LinkError>) -> Result<T, DisplayError> {
        work(self.link.as_mut()).map_err(|error| DisplayError::Failed {
            display: self.display(),
            problem: error.to_string(),
        })
    }

    /// Its name in messages.
    pub fn display(&self) -> String {
        format!("e-paper {}", self.model.name())
    }
}
