//! Checks that types alone cannot express: ranges, lines used twice, unknown names.

use std::collections::BTreeMap;

use super::header::LAST_LINE;
use super::{ButtonDriver, Settings};
use crate::pack::Manifest;
use crate::picture::Background;
use crate::suggest::{did_you_mean, nearest};

/// A field's path and what is wrong with it.
pub(super) type Problem = (String, String);

/// The most lines of a GPIO chip that is named.
const CHIP_LINES: u32 = 512;

impl Settings {
    /// All problems that need neither pack nor device to find.
    pub(super) fn check(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        problems.require(self.threads <= 1024, "threads", || "must be at most 1024".into());
        self.check_displays(&mut problems);
        self.check_buttons(&mut problems);
        self.check_lines(&mut problems);
        self.check_drawing(&mut problems);
        self.check_times(&mut problems);
        self.check_gallery(&mut problems);
        self.check_heat(&mut problems);
        self.check_remote(&mut problems);
        problems.0
    }

    fn check_displays(&self, problems: &mut Problems) {
        let displays = [("display", Some(&self.display)), ("status", self.status.as_ref())];
        for (table, display) in displays.into_iter().filter_map(|(table, display)| Some((table, display?))) {
            if let Some(saturation) = display.saturation {
                problems.range(saturation, 0.0, 1.0, &format!("{table}.saturation"), "");
            }
            if let Some(speed) = display.speed {
                problems.range(speed, 100_000, 125_000_000, &format!("{table}.speed"), " Hz");
            }
            if let Some(address) = display.address {
                problems.range(address, 3, 0x77, &format!("{table}.address"), "");
            }
        }
        let chosen = self.status.as_ref().is_none_or(|status| !status.kind.is_auto());
        problems.require(chosen, "status.kind", || {
            "a second display is not detected automatically; write ssd1306".into()
        });
    }

    fn check_buttons(&self, problems: &mut Problems) {
        let buttons = &self.buttons;
        problems.range(buttons.debounce, 0, 200, "buttons.debounce", " ms");
        problems.range(buttons.long, 200, 5000, "buttons.long", " ms");
        problems.range(buttons.double, 100, 1000, "buttons.double", " ms");
        for (index, device) in buttons.devices.iter().enumerate() {
            let field = format!("buttons.devices[{index}]");
            problems.require(device.starts_with("/dev/input"), &field, || {
                "expected an input device such as /dev/input/by-id/usb-…-event-kbd; `ls /dev/input/by-*` lists them".into()
            });
        }
        let mut owners: BTreeMap<&str, String> = BTreeMap::new();
        for (name, keys) in buttons.lists() {
            for (index, key) in keys.iter().enumerate() {
                let field = format!("buttons.{name}[{index}]");
                problems.require(!key.trim().is_empty(), &field, || "the name of a key must not be empty".into());
                let is_line = super::header::line(key).is_some();
                if let Some(owner) = owners.insert(key, field.clone()).filter(|_| !is_line) {
                    problems.add(&field, format!("the key '{key}' is also bound by {owner}"));
                }
            }
        }
    }

    fn check_lines(&self, problems: &mut Problems) {
        let chip = self.buttons.chip.as_str();
        let on_header = chip == "auto" || chip.ends_with("gpiochip0") || self.buttons.driver == ButtonDriver::Rppal;
        let mut uses = self.bus_lines();
        for named in self.lines() {
            let last = if on_header || named.field.starts_with("display") {
                u32::from(LAST_LINE)
            } else {
                CHIP_LINES - 1
            };
            if named.line > last {
                problems.add(&named.field, format!("there is no GPIO {}; the header has 0 to {last}", named.line));
            } else if on_header && named.line < 2 {
                let problem = format!("GPIO {} is reserved for the EEPROM of add-on boards; use another one", named.line);
                problems.add(&named.field, problem);
            } else if let Some(other) = uses.iter().find(|other| other.line == named.line) {
                problems.add(
                    &named.field,
                    format!("GPIO {} is already {}; use another one", named.line, other.purpose),
                );
            }
            uses.push(named);
        }
    }

    fn check_drawing(&self, problems: &mut Problems) {
        let draw = &self.draw;
        problems.require(matches!(draw.at_once, 1 | 4), "draw.at_once", || {
            format!("must be 1 or 4, not {}", draw.at_once)
        });
        if let Err(fault) = draw.background.parse::<Background>() {
            problems.add("draw.background", fault.to_string());
        }
        if let Some(style) = draw
            .style
            .as_ref()
            .filter(|style| !draw.styles.is_empty() && !draw.styles.contains(style))
        {
            problems.add("draw.style", format!("'{style}' is not in draw.styles"));
        }
        let attract = &self.attract;
        problems.range(attract.idle, 5, 86_400, "attract.idle", " s");
        problems.range(attract.seconds, 1, 86_400, "attract.seconds", " s");
        let half = attract.seconds as f32 / 2.0;
        problems.require((0.0..=half).contains(&attract.fade), "attract.fade", || {
            format!("{} is not between 0 and {half}, half of attract.seconds", attract.fade)
        });
        problems.range(self.battery.show, 0, 86_400, "battery.show", " s");
    }

    fn check_times(&self, problems: &mut Problems) {
        let schedule = &self.schedule;
        problems.range(schedule.sleep_after, 0, 10_080, "schedule.sleep_after", " minutes");
        problems.range(schedule.wake_for, 0, 1440, "schedule.wake_for", " minutes");
        for (field, brightness) in [
            ("schedule.day_brightness", schedule.day_brightness),
            ("schedule.night_brightness", schedule.night_brightness),
        ] {
            problems.require(brightness > 0.0 && brightness <= 1.0, field, || {
                format!("{brightness} must be above 0 and up to 1; to switch the display off set hours in [schedule]")
            });
        }
        if let Some(name) = schedule.time_zone.as_deref().filter(|name| jiff::tz::TimeZone::get(name).is_err()) {
            let zones: Vec<String> = jiff::tz::db().available().map(|zone| zone.as_str().to_owned()).collect();
            let advice = if zones.is_empty() {
                "; this system has no time zones: install tzdata".into()
            } else {
                nearest(name, zones.iter().map(String::as_str)).map_or_else(
                    || "; expected a name such as Europe/Berlin or Asia/Shanghai".into(),
                    |near| format!("; did you mean '{near}'?"),
                )
            };
            problems.add("schedule.time_zone", format!("there is no time zone '{name}'{advice}"));
        }
    }

    fn check_gallery(&self, problems: &mut Problems) {
        problems.range(self.gallery.max_megabytes, 1, 1_000_000, "gallery.max_megabytes", " MB");
        problems.range(self.gallery.max_pictures, 1, 1_000_000, "gallery.max_pictures", "");
        for (index, word) in self.filter.allowed.iter().enumerate() {
            let field = format!("filter.allowed[{index}]");
            problems.require(!word.trim().is_empty(), &field, || "a word must not be empty".into());
        }
    }

    fn check_remote(&self, problems: &mut Problems) {
        let remote = &self.remote;
        problems.range(remote.per_minute, 1, 1000, "remote.per_minute", "");
        problems.range(remote.waiting, 1, 256, "remote.waiting", "");
        problems.range(remote.at_once, 1, 16, "remote.at_once", "");
        problems.range(remote.max_size, 8, 4096, "remote.max_size", " px");
        problems.range(remote.link_minutes, 1, 1440, "remote.link_minutes", " minutes");
        if let Some(url) = &remote.url {
            let is_web = url.starts_with("http://") || url.starts_with("https://");
            let is_plain = url.chars().all(|letter| letter.is_ascii_graphic());
            problems.require(is_web && is_plain, "remote.url", || {
                format!("'{url}' must begin with http:// or https://, and have no spaces")
            });
        }
        let named = |name: &String| !name.trim().is_empty() && name.chars().count() <= 60 && !name.contains(char::is_control);
        problems.require(remote.name.as_ref().is_none_or(named), "remote.name", || {
            "must have 1 to 60 letters".into()
        });
        for (index, host) in remote.hosts.iter().enumerate() {
            let is_host = !host.is_empty() && host.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-".contains(letter));
            problems.require(is_host, &format!("remote.hosts[{index}]"), || {
                format!("'{host}' must be a host name without a port, such as frame.example")
            });
        }
        let prefix = &self.mqtt.discovery;
        let is_topic = !prefix.is_empty() && !prefix.contains(|letter: char| letter.is_control() || "+# ".contains(letter));
        problems.require(is_topic, "mqtt.discovery", || {
            format!("'{prefix}' is not a topic: it must not be empty or contain +, # or spaces")
        });
        if let Some(broker) = &self.mqtt.broker {
            problems.require(self.mqtt.address().is_some(), "mqtt.broker", || {
                format!("'{broker}' must be a host name, with :PORT where that is not 1883")
            });
        }
    }

    fn check_heat(&self, problems: &mut Problems) {
        let heat = &self.heat;
        problems.range(heat.slower_above, 30.0, 110.0, "heat.slower_above", " °C");
        problems.range(heat.pause_above, 30.0, 110.0, "heat.pause_above", " °C");
        problems.range(heat.margin, 1.0, 30.0, "heat.margin", " °C");
        problems.require(heat.slower_above <= heat.pause_above, "heat.pause_above", || {
            format!("{} is below heat.slower_above, {}", heat.pause_above, heat.slower_above)
        });
    }
}

/// Settings that the pack does not support.
pub(super) fn pack(settings: &Settings, manifest: &Manifest) -> Vec<Problem> {
    let mut problems = Problems::default();
    let draw = &settings.draw;
    if let (Some(steps), Some(sampling)) = (draw.steps, &manifest.sampling) {
        problems.require(sampling.schedule(steps).is_some(), "draw.steps", || {
            let known: Vec<String> = sampling.steps().iter().map(usize::to_string).collect();
            format!(
                "the pack {} has no schedule of {steps} steps; it has {}",
                manifest.name,
                known.join(", ")
            )
        });
    }
    if let (Some(guidance), Some(sampling)) = (draw.guidance, &manifest.sampling) {
        problems.range(guidance, 0.0, sampling.max_guidance, "draw.guidance", "");
    }
    let names: Vec<&str> = manifest.styles.iter().map(|style| style.name.as_str()).collect();
    let named = draw
        .styles
        .iter()
        .enumerate()
        .map(|(index, style)| (format!("draw.styles[{index}]"), style));
    for (field, style) in named.chain(draw.style.iter().map(|style| ("draw.style".to_owned(), style))) {
        problems.known(style, &names, &field);
    }
    problems.0
}

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, field: &str, problem: String) {
        self.0.push((field.to_owned(), problem));
    }

    fn require(&mut self, holds: bool, field: &str, problem: impl FnOnce() -> String) {
        if !holds {
            self.add(field, problem());
        }
    }

    fn range<T: PartialOrd + std::fmt::Display>(&mut self, value: T, least: T, most: T, field: &str, unit: &str) {
        self.require((&least..=&most).contains(&&value), field, || {
            format!("{value}{unit} is not between {least} and {most}{unit}")
        });
    }

    fn known(&mut self, name: &str, known: &[&str], field: &str) {
        self.require(known.contains(&name), field, || {
            format!("there is no '{name}'{}", did_you_mean(name, known))
        });
    }
}
