//! The kernel's mode setting, DRM/KMS: HDMI, DSI, and every panel that has a DRM driver. Frames are drawn to one of two
//! buffers while the other is shown.
//!
//! | file | what it owns |
//! |---|---|
//! | `card` | the graphics cards, their connectors, and the choice of a mode |
//! | `output` | one connected display: its buffers, page flips and power |

mod card;
mod output;

use std::path::Path;
use std::time::{Duration, Instant};

use embedded_graphics::primitives::Rectangle;

pub use self::card::{Connector, connectors};
use self::output::Output;
use super::backlight::{self, Backlight};
use super::{Auto, Detail, DisplayError, DisplaySettings, Driver, Found, Frame, ModeRequest, Panel, Presence, Rotation, Screen};
use crate::device::buttons::Signal;

/// How often the connection is checked.
const CHECK: Duration = Duration::from_secs(1);

/// The row of the driver table.
pub(super) const DRIVER: Driver = Driver::new("kms", open, Presence::Connectors(found))
    .with_about("HDMI, DSI and panels with a DRM driver")
    .with_detail(Detail::optional("CONNECTOR"))
    .with_auto(Auto::If(|| true));

fn open(settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
    let request = OutputRequest {
        connector: settings.kind.detail().map(str::to_owned),
        mode: settings.size,
        rotation: settings.rotation,
    };
    Ok(Box::new(Kms::open(request)?))
}

/// All connectors, then the cards that this user may not open.
fn found() -> Vec<Found> {
    let connectors = connectors().into_iter().map(|connector| Found {
        kind: format!("kms:{}", connector.name),
        about: format!("{} {}", connector.card.display(), connector.modes.join(" "))
            .trim_end()
            .to_owned(),
        problem: (!connector.connected).then(|| "nothing is connected".to_owned()),
    });
    let denied = card::denied().into_iter().map(|(path, error)| Found {
        kind: "kms".into(),
        about: path.display().to_string(),
        problem: Some(error.to_string()),
    });
    connectors.chain(denied).collect()
}

/// Which display to open, and in which mode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputRequest {
    /// The connector's name, such as `HDMI-A-1`; by default the first connector with a display.
    pub connector: Option<String>,
    /// The mode; by default the one that the display prefers.
    pub mode: Option<ModeRequest>,
    /// How the display is mounted.
    pub rotation: Rotation,
}

/// A display. While it is unplugged, [`Screen::present`] and [`Screen::signals`] fail.
pub struct Kms {
    request: OutputRequest,
    /// `None` while nothing is connected.
    output: Option<Output>,
    panel: Panel,
    backlight: Option<Backlight>,
    brightness: f32,
    checked: Instant,
    /// Why `output` is `None`.
    problem: DisplayError,
}

impl Kms {
    /// Opens a display and shows black.
    ///
    /// # Errors
    /// If there is no card, nothing is connected, the connector or the mode does not exist, the card belongs to a group
    /// that this user is not in, or another program, such as a desktop, uses it.
    pub fn open(request: OutputRequest) -> Result<Kms, DisplayError> {
        let output = Output::open(&request)?;
        let panel = panel(&output);
        Ok(Kms {
            request,
            panel,
            output: Some(output),
            backlight: Backlight::find(Path::new(backlight::FOLDER)),
            brightness: 1.0,
            checked: Instant::now(),
            problem: DisplayError::failed("kms", "nothing is connected"),
        })
    }

    /// Checks, at most once a second, whether the display was unplugged or plugged in again.
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
        match Output::open(&self.request) {
            Ok(mut output) => {
                output.dim(self.software_brightness());
                self.panel = panel(&output);
                log::info!("{} is connected again", self.panel.name);
                self.output = Some(output);
            }
            Err(error) => log::debug!("{error}"),
        }
    }

    /// The brightness that colours are drawn with: full if the backlight itself is dimmed.
    fn software_brightness(&self) -> f32 {
        if self.backlight.is_some() { 1.0 } else { self.brightness }
    }

    /// Uses the connected display; if that fails, it counts as unplugged.
    fn with_output(&mut self, act: impl FnOnce(&mut Output) -> Result<(), DisplayError>) -> Result<(), DisplayError> {
        let Some(output) = &mut self.output else {
            return Err(self.problem.clone());
        };
        act(output).inspect_err(|problem| self.lose(problem.clone()))
    }

    fn power_light(&self, on: bool) {
        if let Some(Err(error)) = self.backlight.as_ref().map(|light| light.power(on)) {
            log::warn!("{}: cannot switch the backlight: {error}", self.panel.name);
        }
    }
}

fn panel(output: &Output) -> Panel {
    Panel::new(format!("kms {}", output.name()), output.size()).with_rotation(output.rotation())
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
