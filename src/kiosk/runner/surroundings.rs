//! Reacts to hours, heat, and reloaded settings.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Kiosk;
use crate::kiosk::gallery::Caps;
use crate::kiosk::gallery_worker::Task;
use crate::kiosk::heat::Pace;
use crate::kiosk::rules;
use crate::kiosk::schedule::{Calendar, Quiet, Wakefulness};
use crate::kiosk::settings::Settings;
use crate::kiosk::state::Input;

/// How often the temperature is read.
const THERMOMETER: Duration = Duration::from_secs(5);
/// Longest time between two checks of the hours.
const HOURS: Duration = Duration::from_secs(60);

impl Kiosk {
    /// Checks hours and heat.
    pub(super) fn check_surroundings(&mut self) {
        let now = self.clock.now();
        if now >= self.hours_due {
            let ago = |at: Option<Duration>| at.map(|at| now.saturating_sub(at));
            let quiet = Quiet {
                start: Some(now),
                press: ago(self.last_press),
                motion: ago(self.last_motion),
            };
            let outlook = self.calendar.outlook(Timestamp::now(), quiet);
            let hours = match outlook.state {
                _ if self.once => Wakefulness::Awake,
                _ if self.is_switched_off => Wakefulness::Asleep,
                state => state,
            };
            self.hours_due = now + outlook.lasts.unwrap_or(HOURS).min(HOURS);
            self.input(Input::Hours(hours));
        }
        if now >= self.heat_due {
            self.heat_due = now + THERMOMETER;
            let before = self.heat.pace();
            let pace = self.heat.take(self.thermometer.read());
            if pace != before {
                log::warn!(
                    "{}",
                    if pace == Pace::Normal {
                        "cool again: drawing at the normal pace"
                    } else {
                        "warm: drawing slower or not at all"
                    }
                );
                self.drawing_worker.set_pace(pace);
                self.input(Input::Pace(pace));
            }
        }
    }

    /// Reloads the settings. Invalid settings are logged and the old ones stay.
    pub(super) fn reload(&mut self) {
        let Some(file) = self.file.clone() else { return };
        self.supervisor.reloading();
        if let Err(error) = self.load_settings(&file) {
            log::error!("the settings stay as they were: {error}");
        }
        self.supervisor.ready("showing pictures", Instant::now());
    }

    fn load_settings(&mut self, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let mut settings = Settings::load(file)?;
        (self.overrides)(&mut settings);
        let rules = self.rule_options.rules(&settings)?;
        if needs_restart(&settings, &self.settings) {
            log::warn!("changes to displays, buttons, font and gallery folder need a restart of the kiosk");
        }
        log::info!("{}: reloaded", file.display());
        self.machine.set_rules(rules);
        self.settings = settings;
        self.apply_settings();
        Ok(())
    }

    fn apply_settings(&mut self) {
        let settings = &self.settings;
        self.calendar = Calendar::new(&settings.schedule);
        self.heat.set_limits(&settings.heat);
        self.drawing_worker.set_settings(rules::worker_settings(settings, &self.pack));
        self.gallery_worker.ask(Task::Limit(Caps::from(&settings.gallery)));
        self.outputs.iter_mut().for_each(|output| output.restyle(&settings.look));
        self.set_brightness();
        (self.hours_due, self.heat_due) = (Duration::ZERO, Duration::ZERO);
    }
}

/// Whether the change needs a restart.
fn needs_restart(one: &Settings, other: &Settings) -> bool {
    (&one.display, &one.status, &one.buttons, &one.font) != (&other.display, &other.status, &other.buttons, &other.font)
        || one.gallery.folder != other.gallery.folder
}
