//! Energy counters of x86 processors: `energy_uj` below `/sys/class/powercap/intel-rapl:N`, also on
//! AMD processors. A counter counts µJ and wraps around at `max_energy_range_uj` (kernel documentation, *Power Capping Framework*).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Accuracy, PowerError, PowerMeter, Reading, integer};
use crate::device::processor::{number, text};

const FIX: &str = "`sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj` lets every user read it until the next start";
/// Energy of one count of the processor: 2⁻¹⁴ J (Intel SDM, `MSR_RAPL_POWER_UNIT`), in joules.
const STEP: f64 = 1.0 / 16384.0;
const RATE: f64 = 20.0;

/// One counter.
#[derive(Debug)]
struct Zone {
    file: PathBuf,
    range: f64,
    last: f64,
}

impl Zone {
    fn joules_since_last(&mut self) -> Result<f64, PowerError> {
        let now = integer(&self.file, FIX)? as f64;
        let counted = difference(self.last, now, self.range);
        self.last = now;
        Ok(counted * 1e-6)
    }
}

/// The difference from `last` to `now` of a counter that wraps around at `range`.
fn difference(last: f64, now: f64, range: f64) -> f64 {
    if now >= last { now - last } else { now + range - last }
}

/// The counters of whole processors, or of one zone.
#[derive(Debug)]
pub struct Rapl {
    zone: Option<String>,
    zones: Vec<Zone>,
    read: Instant,
}

impl Rapl {
    /// Finds the zone of that name, such as `psys` or `core`, below `root`, or by default all processor packages.
    ///
    /// # Errors
    /// If there is none or it cannot be read.
    pub fn open(root: &Path, zone: Option<&str>) -> Result<Rapl, PowerError> {
        let class = root.join("sys/class/powercap");
        let mut folders: Vec<PathBuf> = std::fs::read_dir(&class)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("intel-rapl:"))
            .map(|entry| entry.path())
            .collect();
        folders.sort();
        let mut zones = Vec::new();
        let mut names = Vec::new();
        for folder in folders {
            let Some(name) = text(&folder.join("name")) else { continue };
            if zone.map_or(name.starts_with("package"), |zone| zone == name) {
                let file = folder.join("energy_uj");
                zones.push(Zone {
                    last: integer(&file, FIX)? as f64,
                    range: number(&folder.join("max_energy_range_uj")).unwrap_or(2f64.powi(32)),
                    file,
                });
            }
            names.push(name);
        }
        if zones.is_empty() {
            let there = if names.is_empty() { "none".into() } else { names.join(", ") };
            let problem = format!("no energy counter '{}'; available: {there}", zone.unwrap_or("package"));
            return Err(PowerError::file(&class, problem));
        }
        Ok(Rapl {
            zone: zone.map(String::from),
            zones,
            read: Instant::now(),
        })
    }
}

impl PowerMeter for Rapl {
    fn name(&self) -> String {
        self.zone.as_ref().map_or("rapl".into(), |zone| format!("rapl:{zone}"))
    }

    fn measures(&self) -> String {
        match &self.zone {
            Some(zone) => format!("the energy of the processor's zone '{zone}', as counted by the processor"),
            None => "the processor's energy, as counted by the processor: without memory, storage, screen and the supply's losses".into(),
        }
    }

    fn rate(&self) -> f64 {
        RATE
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy {
            gain: None,
            offset_watts: 0.0,
            resolution_watts: STEP * RATE,
            stated_by: "no source: the manufacturer does not specify the error".into(),
        }
    }

    /// The mean power since the last reading, at the middle of the interval.
    fn read(&mut self) -> Result<Reading, PowerError> {
        // Counters are updated every millisecond; shorter intervals would be noise.
        let least = Duration::from_millis(10);
        std::thread::sleep(least.saturating_sub(self.read.elapsed()));
        let joules = self.zones.iter_mut().map(Zone::joules_since_last).sum::<Result<f64, _>>()?;
        let time = self.read.elapsed();
        let at = self.read + time / 2;
        self.read += time;
        Ok(Reading {
            at,
            watts: joules / time.as_secs_f64(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    #[test]
    fn a_counter_that_starts_anew_goes_on() {
        assert_eq!(difference(100.0, 350.0, 1000.0), 250.0);
        assert_eq!(difference(900.0, 150.0, 1000.0), 250.0);
    }

    #[test]
    fn joules_over_time_are_watts() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sys/class/powercap/intel-rapl:0");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("name"), "package-0\n").unwrap();
        std::fs::write(folder.join("max_energy_range_uj"), "262143328850\n").unwrap();
        std::fs::write(folder.join("energy_uj"), "262143000000\n").unwrap();
        let mut meter = Rapl::open(root.path(), None).unwrap();
        let started = meter.read;
        std::thread::sleep(Duration::from_millis(40));
        // 0.328850 J to the end of the range and 0.671150 J from its start.
        std::fs::write(folder.join("energy_uj"), "671150\n").unwrap();
        let reading = meter.read().unwrap();
        let time = (reading.at - started).as_secs_f64() * 2.0;
        assert!((reading.watts * time - 1.0).abs() < 1e-6, "{reading:?} over {time} s");
    }

    #[test]
    fn zones_have_names() {
        assert_eq!(Rapl::open(&tree("pc"), None).unwrap().zones.len(), 1);
        assert_eq!(Rapl::open(&tree("pc"), Some("core")).unwrap().name(), "rapl:core");
        let error = Rapl::open(&tree("pc"), Some("gpu")).unwrap_err().to_string();
        assert!(error.contains("no energy counter 'gpu'; available: package-0, core"), "{error}");
        assert!(Rapl::open(&tree("pi4"), None).is_err());
        let denied = PowerError::Permission {
            path: "/sys/class/powercap/intel-rapl:0/energy_uj".into(),
            fix: FIX.into(),
        };
        assert!(denied.to_string().contains("chmod a+r"));
    }
}
