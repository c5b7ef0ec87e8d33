//! Heat: reads the board's temperature and whether its firmware throttles it, and decides when to draw slower or not at
//! all. Owns reading below a root folder and the decision, which is pure; depends on the form of the settings.

use std::fs;
use std::path::{Path, PathBuf};

use super::settings::HeatSettings;

/// Thermal zones of the kernel (`Documentation/driver-api/thermal/sysfs-api.rst`): `temp` in thousandths of a °C.
const ZONES: &str = "sys/class/thermal";
/// The firmware's throttling state on a Raspberry Pi, a hexadecimal number (`drivers/firmware/raspberrypi.c`).
const THROTTLED: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";
/// Where boards with another device tree have it, below each of these folders' `soc:firmware`.
const PLATFORM: &str = "sys/devices/platform";
/// Bits of the throttling state that tell of now (the documentation of `vcgencmd get_throttled`): under-voltage,
/// frequency capped, throttled, soft temperature limit. The bits from 16 on tell of the time since the start.
const UNDER_VOLTAGE: u32 = 1;
const CAPPED: u32 = 1 << 1;
const THROTTLED_NOW: u32 = 1 << 2;
const SOFT_LIMIT: u32 = 1 << 3;
/// Temperatures outside this, in °C, are no temperatures of a board: sensors that are off report such.
const PLAUSIBLE: std::ops::RangeInclusive<f32> = -40.0..=150.0;

/// What the board says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// The hottest zone, in °C; nothing where no zone tells.
    pub celsius: Option<f32>,
    /// Whether the firmware holds the processor back because of heat right now.
    pub throttled: bool,
    /// Whether the supply's voltage is too low right now: a weaker supply or cable than the board needs.
    pub under_voltage: bool,
}

/// Reads below a root folder.
#[derive(Clone, Debug)]
pub struct Thermometer {
    root: PathBuf,
}

impl Thermometer {
    /// `root` is `/`, or a folder with the same tree.
    pub fn new(root: &Path) -> Thermometer {
        Thermometer { root: root.to_owned() }
    }

    /// What the board says now. What it does not say is left out; a zone that does not answer is passed over.
    pub fn read(&self) -> Reading {
        let state = self.throttling().unwrap_or_default();
        Reading {
            celsius: self.zones().reduce(f32::max),
            // A weak supply caps the frequency as well; that is not heat.
            throttled: state & SOFT_LIMIT != 0 || state & UNDER_VOLTAGE == 0 && state & (CAPPED | THROTTLED_NOW) != 0,
            under_voltage: state & UNDER_VOLTAGE != 0,
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

    fn throttling(&self) -> Option<u32> {
        let usual = fs::read_to_string(self.root.join(THROTTLED)).ok();
        let text = usual.or_else(|| {
            let folders = fs::read_dir(self.root.join(PLATFORM)).into_iter().flatten().flatten();
            let mut files = folders.map(|folder| folder.path().join("soc:firmware/get_throttled"));
            files.find_map(|file| fs::read_to_string(file).ok())
        })?;
        let text = text.trim();
        u32::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
    }
}

/// The pace of drawing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// As asked for.
    #[default]
    Normal,
    /// With fewer steps, one at a time, and pauses between pictures.
    Slower,
    /// Not at all.
    Paused,
}

impl Pace {
    /// The number of steps to use of those that the pack has (ascending): the next smaller one unless the pace is normal.
    pub fn steps(self, asked: usize, known: &[usize]) -> usize {
        let smaller = known.iter().copied().filter(|&steps| steps < asked).max();
        match self {
            Pace::Normal => asked,
            Pace::Slower | Pace::Paused => smaller.unwrap_or(asked),
        }
    }
}

/// Decides the pace from readings, with hysteresis, so that the pace does not change with every reading.
#[derive(Clone, Debug)]
pub struct HeatPolicy {
    limits: HeatSettings,
    pace: Pace,
}

impl HeatPolicy {
    /// Begins at the normal pace.
    pub fn new(limits: &HeatSettings) -> HeatPolicy {
        HeatPolicy {
            limits: limits.clone(),
            pace: Pace::Normal,
        }
    }

    /// Sets new limits, as when the settings are reloaded; the pace stays until the next reading.
    pub fn set_limits(&mut self, limits: &HeatSettings) {
        self.limits = limits.clone();
    }

    /// The pace as of the last reading.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Takes a reading, one every few seconds, and returns the pace. A throttled board draws slower whatever its temperature;
    /// without a temperature only throttling counts.
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

    /// A tree in the form that the kernel documents; none was recorded on a board.
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
    fn throttling_is_told_from_a_weak_supply() {
        let state = |text: &str| {
            let reading = read(&[(THROTTLED, text)]);
            (reading.throttled, reading.under_voltage)
        };
        assert_eq!(state("0\n"), (false, false));
        assert_eq!(state("0x0"), (false, false));
        assert_eq!(state("80008"), (true, false), "soft limit now");
        assert_eq!(state("e0006"), (true, false), "throttled now");
        assert_eq!(state("50005"), (false, true), "throttled for want of voltage");
        assert_eq!(state("5000d"), (true, true), "both");
        assert_eq!(state("f0000"), (false, false), "all of it in the past");
        assert_eq!(state("what"), (false, false));
        let elsewhere = "sys/devices/platform/axi/soc:firmware/get_throttled";
        assert!(read(&[(elsewhere, "8")]).throttled);
    }

    fn paces(policy: &mut HeatPolicy, celsius: &[f32]) -> Vec<Pace> {
        let reading = |celsius: &f32| Reading {
            celsius: Some(*celsius),
            ..Reading::default()
        };
        celsius.iter().map(|celsius| policy.take(reading(celsius))).collect()
    }

    #[test]
    fn a_pace_ends_only_when_it_is_cooler_by_the_margin() {
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
    fn what_the_firmware_says_counts_without_a_temperature_too() {
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
