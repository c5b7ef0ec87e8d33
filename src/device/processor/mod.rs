//! The processor at run time: clock, governor, temperature, throttling, load, and hardware counters.
//!
//! Owns reading these from the kernel's files below a root folder, `/` on a board, and (Linux) `counters` from
//! `perf_event_open`. Depends on [`super::vcgencmd`].
//!
//! * `sys/devices/system/cpu/cpuN/cpufreq/{scaling_cur_freq,scaling_governor}`: kHz and a name (kernel documentation,
//!   *CPU Performance Scaling*).
//! * `sys/class/thermal/thermal_zoneN/{type,temp}`: millidegrees (kernel documentation, *Generic Thermal Sysfs*).
//! * `sys/class/hwmon/hwmonN/fan1_input` of the fans named `pwmfan` or `cooling_fan`: revolutions per minute. The numbers of
//!   hwmon devices differ between boots, so fans are found by name.
//! * `proc/loadavg` (`proc_loadavg(5)`).

#[cfg(target_os = "linux")]
pub mod counters;
#[cfg(target_os = "linux")]
pub mod load;
pub mod throttling;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
pub use load::Load;
pub use throttling::{Throttling, ThrottlingSource};

/// Thermal zones of processors, best first; without any of them the first zone is used.
const ZONES: [&str; 4] = ["cpu-thermal", "x86_pkg_temp", "cpu_thermal", "soc-thermal"];
const FANS: [&str; 2] = ["pwmfan", "cooling_fan"];

/// The processor at one moment. Values that the system does not provide are `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Clock of the fastest core, in MHz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub megahertz: Option<f64>,
    /// Governors of the clock, without duplicates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub governors: Vec<String>,
    /// Temperature in degrees Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub celsius: Option<f64>,
    /// Throttling as reported by the firmware or counted by the processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttling: Option<Throttling>,
    /// The fan's speed in revolutions per minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fan_rpm: Option<f64>,
    /// The load averages over 1, 5 and 15 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_averages: Option<[f64; 3]>,
}

/// The files that describe the processor.
#[derive(Clone, Debug)]
pub struct Processor {
    root: PathBuf,
    policies: Vec<PathBuf>,
    zone: Option<PathBuf>,
    fan: Option<PathBuf>,
    throttling: Option<ThrottlingSource>,
}

impl Processor {
    /// Finds the files below `root`.
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

    /// Reads all values.
    pub fn state(&self) -> State {
        let mut state = self.quick_state();
        for policy in &self.policies {
            match text(&policy.join("scaling_governor")) {
                Some(governor) if !state.governors.contains(&governor) => state.governors.push(governor),
                _ => {}
            }
        }
        state.throttling = self.throttling();
        state.load_averages = load_averages(&self.root);
        state
    }

    /// Reads the values that are cheap to read: clock, temperature, fan.
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

    /// Reads throttling only.
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

/// The entries `PREFIX0`, `PREFIX1`, … of a folder, in numerical order.
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

/// The trimmed text of a file.
pub(crate) fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The number in a file.
pub(crate) fn number(path: &Path) -> Option<f64> {
    text(path)?.parse().ok()
}

/// The load averages over 1, 5 and 15 minutes.
fn load_averages(root: &Path) -> Option<[f64; 3]> {
    let text = text(&root.join("proc/loadavg"))?;
    let mut numbers = text.split(' ').map_while(|number| number.parse().ok());
    Some([numbers.next()?, numbers.next()?, numbers.next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees").join(name)
    }

    #[test]
    fn a_pi_5_has_clock_temperature_fan_and_throttling() {
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
    fn the_package_zone_of_a_pc_is_preferred() {
        let state = Processor::find(&tree("pc")).state();
        assert_eq!((state.megahertz, state.celsius), (Some(3600.0), Some(61.0)));
        assert_eq!(state.throttling, Some(Throttling::Events { count: 12 }));
    }

    #[test]
    fn an_empty_root_has_no_values() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Processor::find(folder.path()).state(), State::default());
    }

    #[test]
    fn entries_are_in_numerical_order() {
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
