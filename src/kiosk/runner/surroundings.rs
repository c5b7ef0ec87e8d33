//! What changes around the kiosk: hours, heat, and settings that are read again.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Kiosk;
use crate::kiosk::curator::Task;
use crate::kiosk::gallery::Caps;
use crate::kiosk::heat::Pace;
use crate::kiosk::rules;
use crate::kiosk::schedule::{Calendar, Quiet, Wakefulness};
use crate::kiosk::settings::Settings;
use crate::kiosk::state::Input;

/// How often the temperature is read.
const THERMOMETER: Duration = Duration::from_secs(5);
/// Longest time between two looks at the hours.
const HOURS: Duration = Duration::from_secs(60);

impl Kiosk {
    /// Hours and heat.
    pub(super) fn look_around(&mut self) {
        let now = self.clock.now();
        if now >= self.hours_due {
            let ago = |at: Option<Duration>| at.map(|at| now.saturating_sub(at));
            let quiet = Quiet {
                press: ago(self.quiet[0]),
                motion: ago(self.quiet[1]),
            };
            let outlook = self.calendar.outlook(Timestamp::now(), quiet);
            let hours = if self.once { Wakefulness::Awake } else { outlook.state };
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

    /// Reads the settings again. Whatever is wrong with them, the old ones stay.
    pub(super) fn reload(&mut self) {
        let Some(file) = self.file.clone() else { return };
        self.supervisor.reloading();
        if let Err(error) = self.read_again(&file) {
            log::error!("the settings stay as they were: {error}");
        }
        self.supervisor.ready("showing pictures", Instant::now());
    }

    fn read_again(&mut self, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let mut settings = Settings::load(file)?;
        (self.overrides)(&mut settings);
        let rules = self.rule_options.rules(&settings)?;
        if needs_a_start(&settings, &self.settings) {
            log::warn!("other displays, buttons, fonts and gallery folders take effect when the kiosk is started again");
        }
        log::info!("{}: read again", file.display());
        self.machine.set_rules(rules);
        self.settings = settings;
        self.apply_settings();
        Ok(())
    }

    fn apply_settings(&mut self) {
        let settings = &self.settings;
        self.calendar = Calendar::new(&settings.schedule);
        self.heat.set_limits(&settings.heat);
        self.artist.set_studio(rules::studio(settings, &self.pack));
        self.curator.ask(Task::Limit(Caps::from(&settings.gallery)));
        self.outputs.iter_mut().for_each(|output| output.restyle(&settings.look));
        self.set_brightness();
        (self.hours_due, self.heat_due) = (Duration::ZERO, Duration::ZERO);
    }
}

/// Whether settings differ in what is opened once.
fn needs_a_start(one: &Settings, other: &Settings) -> bool {
    (&one.display, &one.status, &one.buttons, &one.font) != (&other.display, &other.status, &other.buttons, &other.font)
        || one.gallery.folder != other.gallery.folder
}
