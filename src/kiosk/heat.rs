//! Heat: the board's temperature and throttling, and the decision when to draw slower or pause. The decision is a pure function
//! of readings and settings. Depends on [`crate::device::processor`] for throttling and on the form of the settings.

use std::fs;
use std::path::{Path, PathBuf};

use super::settings::HeatSettings;
use crate::device::processor::ThrottlingSource;

/// Thermal zones of the kernel (`Documentation/driver-api/thermal/sysfs-api.rst`): `temp` in thousandths of a °C.
const ZONES: &str = "sys/class/thermal";
/// Temperatures in °C outside this range are errors: sensors that are switched off report such values.
const PLAUSIBLE: std::ops::RangeInclusive<f32> = -40.0..=150.0;

/// Temperature and throttling at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// The hottest zone, in °C; `None` if no zone has a plausible value.
    pub celsius: Option<f32>,
    /// Whether the firmware currently slows the processor down because of heat.
    pub throttled: bool,
}

/// Reads temperature and throttling below a root folder.
#[derive(Clone, Debug)]
pub struct Thermometer {
    root: PathBuf,
    throttling: Option<ThrottlingSource>,
}

impl Thermometer {
    /// `root` is `/`, or a folder with the same tree.
    pub fn new(root: &Path) -> Thermometer {
        Thermometer {
            root: root.to_owned(),
            throttling: ThrottlingSource::find_file(root),
        }
    }

    /// The current reading. Zones that cannot be read are skipped.
    pub fn read(&self) -> Reading {
        let throttling = self.throttling.as_ref().and_then(ThrottlingSource::read);
        Reading {
            celsius: self.zones().reduce(f32::max),
            throttled: throttling.is_some_and(|throttling| throttling.is_hot()),
        }
    }

    fn zones(&self) -> impl Iterator<Item = f32> {
        let zones = fs::read_dir(self.root.join(ZONES)).into_iter().flatten().flatten();
        zones
            .filter(|zone| zone.file_name().as_encoded_bytes().starts_with(b"thermal_zone"))
            .filter_map(|zone| fs::read_to_string(zone.path().join("temp")).ok()?.trim().parse::<i32>().ok())
            .map(|thousandths| thousandths as f32 / 1000.0)
            .filter(|celsius| PLAUSIBLE.contains(celsius))
    }
}

/// How fast pictures are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// As requested.
    #[default]
    Normal,
    /// With fewer steps, one picture at a time, and a pause between pictures.
    Slower,
    /// Not at all.
    Paused,
}

impl Pace {
    /// The number of steps to use instead of `requested`: at a slower pace the next smaller one of `available`.
    pub fn steps(self, requested: usize, available: &[usize]) -> usize {
        let smaller = available.iter().copied().filter(|&steps| steps < requested).max();
        match self {
            Pace::Normal => requested,
            Pace::Slower | Pace::Paused => smaller.unwrap_or(requested),
        }
    }
}

/// Decides the pace from readings, with hysteresis: a slower pace ends only when the temperature is below the limit by a margin.
#[derive(Clone, Debug)]
pub struct HeatPolicy {
    limits: HeatSettings,
    pace: Pace,
}

impl HeatPolicy {
    /// Starts at the normal pace.
    pub fn new(limits: &HeatSettings) -> HeatPolicy {
        HeatPolicy {
            limits: limits.clone(),
            pace: Pace::Normal,
        }
    }

    /// Changes the limits; the pace stays until the next reading.
    pub fn set_limits(&mut self, limits: &HeatSettings) {
        self.limits = limits.clone();
    }

    /// The pace after the last reading.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Takes a reading, expected every few seconds, and returns the pace. A throttled board draws slower at any temperature.
    pub fn take(&mut self, reading: Reading) -> Pace {
        let reached = |limit: f32, held: bool| {
            let limit = if held { limit - self.limits.margin } else { limit };
            reading.celsius.is_some_and(|celsius| celsius > limit)
        };
        self.pace = if reached(self.limits.pause_above, self.pace == Pace::Paused) {
            Pace::Paused
        } else if reading.throttled || reached(self.limits.slower_above, self.pace >= Pace::Slower) {
            Pace::Slower
        } else {
            Pace::Normal
        };
        self.pace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree in the documented format; not recorded on a board.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn read(files: &[(&str, &str)]) -> Reading {
        Thermometer::new(tree(files).path()).read()
    }

    #[test]
    fn the_hottest_zone_counts() {
        let reading = read(&[
            ("sys/class/thermal/thermal_zone0/temp", "48312\n"),
            ("sys/class/thermal/thermal_zone1/temp", "61500\n"),
            ("sys/class/thermal/thermal_zone2/temp", "-274000\n"),
            ("sys/class/thermal/thermal_zone3/temp", "no answer\n"),
            ("sys/class/thermal/thermal_zone4/type", "cpu-thermal\n"),
            ("sys/class/thermal/cooling_device0/temp", "99000\n"),
        ]);
        assert_eq!(reading.celsius, Some(61.5));
        assert_eq!(read(&[]), Reading::default());
        assert_eq!(read(&[("sys/class/thermal/thermal_zone0/temp", "-3500")]).celsius, Some(-3.5));
    }

    #[test]
    fn throttling_by_heat_counts() {
        let throttled = |text| read(&[("sys/devices/platform/soc/soc:firmware/get_throttled", text)]).throttled;
        assert_eq!(["0", "80008", "50005", "what"].map(throttled), [false, true, false, false]);
    }

    fn paces(policy: &mut HeatPolicy, celsius: &[f32]) -> Vec<Pace> {
        let reading = |celsius: &f32| Reading {
            celsius: Some(*celsius),
            ..Reading::default()
        };
        celsius.iter().map(|celsius| policy.take(reading(celsius))).collect()
    }

    #[test]
    fn a_pace_ends_only_below_the_limit_by_the_margin() {
        use Pace::{Normal, Paused, Slower};
        let limits = HeatSettings {
            slower_above: 70.0,
            pause_above: 80.0,
            margin: 5.0,
        };
        let mut policy = HeatPolicy::new(&limits);
        let celsius = [60.0, 70.0, 70.1, 66.0, 65.1, 65.0, 70.0, 80.1, 76.0, 75.0, 79.0, 64.9, 85.0, 40.0];
        let expected = [
            Normal, Normal, Slower, Slower, Slower, Normal, Normal, Paused, Paused, Slower, Slower, Normal, Paused, Normal,
        ];
        assert_eq!(paces(&mut policy, &celsius), expected);
    }

    #[test]
    fn small_changes_around_a_limit_change_the_pace_once() {
        let mut policy = HeatPolicy::new(&HeatSettings::default());
        let limit = HeatSettings::default().slower_above;
        let noise: Vec<f32> = (0..1000)
            .map(|index| limit + (index * 7919 % 97) as f32 / 97.0 * 4.0 - 2.0)
            .collect();
        let paces = paces(&mut policy, &noise);
        assert_eq!(paces.windows(2).filter(|pair| pair[0] != pair[1]).count(), 1);
    }

    #[test]
    fn throttling_counts_without_a_temperature() {
        let mut policy = HeatPolicy::new(&HeatSettings::default());
        let throttled = Reading {
            throttled: true,
            ..Reading::default()
        };
        assert_eq!(policy.take(throttled), Pace::Slower);
        assert_eq!(policy.take(Reading::default()), Pace::Normal);
        assert_eq!(policy.pace(), Pace::Normal);
        policy.set_limits(&HeatSettings {
            pause_above: 30.0,
            slower_above: 30.0,
            ..HeatSettings::default()
        });
        assert_eq!(paces(&mut policy, &[31.0]), [Pace::Paused]);
    }

    #[test]
    fn slower_means_fewer_steps() {
        assert_eq!(Pace::Slower.steps(4, &[1, 2, 4]), 2);
        assert_eq!(Pace::Slower.steps(2, &[1, 2, 4]), 1);
        assert_eq!(Pace::Slower.steps(1, &[1, 2, 4]), 1);
        assert_eq!(Pace::Normal.steps(4, &[1, 2, 4]), 4);
    }
}
