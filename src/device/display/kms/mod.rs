//! The kernel's mode setting, DRM/KMS: HDMI, DSI, and every panel that has a DRM driver. The frame is drawn into one of
//! two buffers in memory while the other is shown.
//!
//! | file | what it owns |
//! |---|---|
//! | `card` | the cards, what is connected to them, and the choice of a mode |
//! | `output` | one connected display: its buffers, page flips and power |

mod card;
mod output;

use std::path::Path;
use std::time::{Duration, Instant};

use embedded_graphics::primitives::Rectangle;

pub use self::card::{Connector, connectors};
use self::output::Output;
use super::backlight::{self, Backlight};
use super::{Colours, DisplayError, Frame, ModeWish, Panel, Rotation, Screen};
use crate::device::buttons::Signal;

/// How often it is checked whether the display is still there, or there again.
const CHECK: Duration = Duration::from_secs(1);

/// Which display, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The connector's name, as `HDMI-A-1`. Without one the first that something is connected to.
    pub connector: Option<String>,
    /// The mode. Without one the display's preferred.
    pub mode: Option<ModeWish>,
    /// How the display is turned.
    pub rotation: Rotation,
}

/// A display. One that is unplugged makes [`Screen::present`] and [`Screen::signals`] fail until it is there again.
pub struct Kms {
    wish: Wish,
    /// `None` while nothing is connected.
    output: Option<Output>,
    panel: Panel,
    backlight: Option<Backlight>,
    brightness: f32,
    checked: Instant,
    /// Why there is no output.
    problem: DisplayError,
}

impl Kms {
    /// Shows black on a display.
    ///
    /// # Errors
    /// If there is no card, nothing is connected, the connector or the mode does not exist, the card belongs to a group
    /// that this user is not in, or another program, as a desktop, has it.
    pub fn open(wish: Wish) -> Result<Kms, DisplayError> {
        let output = Output::open(&wish)?;
        let panel = panel(&output);
        Ok(Kms {
            wish,
            panel,
            output: Some(output),
            backlight: Backlight::find(Path::new(backlight::FOLDER)),
            brightness: 1.0,
            checked: Instant::now(),
            problem: DisplayError::failed("kms", "nothing is connected"),
        })
    }

    /// Notices that the display was unplugged or plugged in again, at most once a second.
    fn follow_connection(&mut self) {
        if self.checked.elapsed() < CHECK {
            return;
        }
        self.checked = Instant::now();
        match &self.output {
            Some(output) => {
                if let Err(problem) = output.check() {
                    self.lose(problem);
                }
            }
            None => self.reopen(),
        }
    }

    fn lose(&mut self, problem: DisplayError) {
        log::warn!("{problem}");
        self.output = None;
        self.problem = problem;
    }

    fn reopen(&mut self) {
        match Output::open(&self.wish) {
            Ok(mut output) => {
                output.dim(self.software_brightness());
                self.panel = panel(&output);
                log::info!("{} is there again", self.panel.name);
                self.output = Some(output);
            }
            Err(error) => log::debug!("{error}"),
        }
    }

    /// How bright colours are drawn: as they are where the light itself is dimmed.
    fn software_brightness(&self) -> f32 {
        if self.backlight.is_some() { 1.0 } else { self.brightness }
    }

    /// Does something with the display that is connected, which is given up when that fails.
    fn with_output(&mut self, act: impl FnOnce(&mut Output) -> Result<(), DisplayError>) -> Result<(), DisplayError> {
        let Some(output) = &mut self.output else {
            return Err(self.problem.clone());
        };
        act(output).inspect_err(|problem| self.lose(problem.clone()))
    }

    fn power_light(&self, on: bool) {
        if let Some(Err(error)) = self.backlight.as_ref().map(|light| light.power(on)) {
            log::warn!("{}: the backlight cannot be switched: {error}", self.panel.name);
        }
    }
}

fn panel(output: &Output) -> Panel {
    Panel {
        name: format!("kms {}", output.name()),
        size: output.size(),
        colours: Colours::Full,
        refresh: Duration::ZERO,
        minimum_interval: Duration::ZERO,
    }
}

impl Screen for Kms {
    fn panel(&self) -> &Panel {
        &self.panel
    }

    fn present(&mut self, frame: &Frame, damage: Rectangle) -> Result<(), DisplayError> {
        self.follow_connection();
        let asleep = self.output.as_ref().is_some_and(Output::is_asleep);
        self.with_output(|output| output.present(frame, damage))?;
        if asleep {
            self.power_light(true);
        }
        Ok(())
    }

    fn sleep(&mut self) -> Result<(), DisplayError> {
        self.power_light(false);
        self.with_output(Output::sleep)
    }

    fn dim(&mut self, brightness: f32) -> Result<(), DisplayError> {
        self.brightness = brightness;
        if let Some(light) = &self.backlight {
            return light.set(brightness).map_err(|error| DisplayError::failed(&self.panel.name, error));
        }
        self.with_output(|output| {
            output.dim(brightness);
            Ok(())
        })
    }

    fn signals(&mut self) -> Result<Vec<Signal>, DisplayError> {
        self.follow_connection();
        if self.output.is_some() {
            Ok(Vec::new())
        } else {
            Err(self.problem.clone())
        }
    }
}
