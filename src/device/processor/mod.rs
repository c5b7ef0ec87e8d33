//! The processor while it works: clock, governor, temperature, throttling, load, and its own counters.
//!
//! Owns reading these from the kernel's files below a root folder, `/` on a board, and [`counters`] from
//! `perf_event_open`. Depends on [`super::vcgencmd`].
//!
//! * `sys/devices/system/cpu/cpuN/cpufreq/{scaling_cur_freq,scaling_governor}`: kHz and a name (kernel documentation,
//!   *CPU Performance Scaling*).
//! * `sys/class/thermal/thermal_zoneN/{type,temp}`: millidegrees (kernel documentation, *Generic Thermal Sysfs*).
//! * `sys/class/hwmon/hwmonN/fan1_input` of the fans named `pwmfan` or `cooling_fan`: revolutions a minute. The numbers of
//!   hwmon devices change between starts, so that names decide.

pub mod counters;
pub mod load;
pub mod throttling;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use load::Load;
pub use throttling::{Throttling, ThrottlingSource};

/// Zones that tell the processor's temperature, best first; the first zone of all where none of them is there.
const ZONES: [&str; 4] = ["cpu-thermal", "x86_pkg_temp", "cpu_thermal", "soc-thermal"];
const FANS: [&str; 2] = ["pwmfan", "cooling_fan"];

/// The processor at one moment. What the system does not tell is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Clock of the fastest core, in MHz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub megahertz: Option<f64>,
    /// Governors of the clock, without repeats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub governors: Vec<String>,
    /// Temperature in degrees Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub celsius: Option<f64>,
    /// Throttling, as the firmware or the processor counts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttling: Option<Throttling>,
    /// The fan's revolutions a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fan_rpm: Option<f64>,
    /// The load averages over 1, 5 and 15 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_averages: Option<[f64; 3]>,
}

/// A processor whose files have been found.
#[derive(Clone, Debug)]
pub struct Processor {
    root: PathBuf,
    policies: Vec<PathBuf>,
    zone: Option<PathBuf>,
    fan: Option<PathBuf>,
    throttling: Option<ThrottlingSource>,
}

impl Processor {
    /// Looks for the files below `root`.
    pub fn find(root: &Path) -> Processor {
        let cores = numbered(&root.join("sys/devices/system/cpu"), "cpu");
        Processor {
            policies: cores
                .into_iter()
                .map(|core| core.join("cpufreq"))
                .filter(|policy| policy.is_dir())
                .collect(),
            zone: zone(root),
            fan: fan(root),
            throttling: ThrottlingSource::find(root),
            root: root.to_owned(),
        }
    }

    /// Reads everything that is there.
    pub fn state(&self) -> State {
        let mut state = self.quick_state();
        for policy in &self.policies {
            match text(&policy.join("scaling_governor")) {
                Some(governor) if !state.governors.contains(&governor) => state.governors.push(governor),
                _ => {}
            }
        }
        state.throttling = self.throttling();
        state.load_averages = load::averages(&self.root);
        state
    }

    /// Reads what costs no more than a few files: clock, temperature, fan.
    pub fn quick_state(&self) -> State {
        let megahertz = self
            .policies
            .iter()
            .filter_map(|policy| Some(number(&policy.join("scaling_cur_freq"))? / 1e3));
        State {
            megahertz: megahertz.reduce(f64::max),
            celsius: self.zone.as_ref().and_then(|zone| Some(number(&zone.join("temp"))? / 1e3)),
            fan_rpm: self.fan.as_ref().and_then(|fan| number(fan)),
            ..State::default()
        }
    }

    /// Reads throttling alone.
    pub fn throttling(&self) -> Option<Throttling> {
        self.throttling.as_ref().and_then(ThrottlingSource::read)
    }
}

fn zone(root: &Path) -> Option<PathBuf> {
    let zones = numbered(&root.join("sys/class/thermal"), "thermal_zone");
    let named = |wanted: &&str| zones.iter().find(|zone| text(&zone.join("type")).as_deref() == Some(wanted));
    ZONES.iter().find_map(named).or(zones.first()).cloned()
}

fn fan(root: &Path) -> Option<PathBuf> {
    let devices = numbered(&root.join("sys/class/hwmon"), "hwmon");
    let is_fan = |device: &&PathBuf| text(&device.join("name")).is_some_and(|name| FANS.contains(&name.as_str()));
    let fan = devices.iter().find(is_fan)?.join("fan1_input");
    fan.is_file().then_some(fan)
}

/// The folders `PREFIX0`, `PREFIX1`, … of a folder, by their numbers.
pub(crate) fn numbered(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// A file's text without white space around it.
pub(crate) fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// A file's number.
pub(crate) fn number(path: &Path) -> Option<f64> {
    text(path)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees").join(name)
    }

    #[test]
    fn a_pi_5_tells_clock_temperature_fan_and_throttling() {
        let state = Processor::find(&tree("pi5")).state();
        assert_eq!(
            (state.megahertz, state.celsius, state.fan_rpm),
            (Some(2400.0), Some(54.9), Some(3054.0))
        );
        assert_eq!(state.governors, ["ondemand"]);
        assert_eq!(state.throttling, Some(Throttling::Firmware { bits: 0 }));
    }

    #[test]
    fn a_zero_2_w_has_no_fan_and_a_pi_4_was_throttled() {
        let state = Processor::find(&tree("zero2w")).state();
        assert_eq!((state.megahertz, state.celsius, state.fan_rpm), (Some(1000.0), Some(47.236), None));
        let state = Processor::find(&tree("pi4")).state();
        assert_eq!(state.throttling, Some(Throttling::Firmware { bits: 0x50005 }));
    }

    #[test]
    fn a_pc_prefers_the_package_to_the_board() {
        let state = Processor::find(&tree("pc")).state();
        assert_eq!((state.megahertz, state.celsius), (Some(3600.0), Some(61.0)));
        assert_eq!(state.throttling, Some(Throttling::Events { count: 12 }));
    }

    #[test]
    fn an_empty_root_tells_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Processor::find(folder.path()).state(), State::default());
    }

    #[test]
    fn numbers_count_and_do_not_sort_as_words() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["cpu10", "cpu2", "cpufreq", "cpu0"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let names: Vec<_> = numbered(folder.path(), "cpu")
            .iter()
            .map(|path| path.file_name().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["cpu0", "cpu2", "cpu10"]);
    }
}
