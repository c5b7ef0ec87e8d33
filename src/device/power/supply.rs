//! Batteries and chargers with a kernel driver: `power_now` in µW, or else `voltage_now` in µV times `current_now` in µA
//! (kernel documentation, `Documentation/ABI/testing/sysfs-class-power`).
//!
//! Drivers disagree about the sign of a battery's current, so its `status` is decisive: while a battery discharges, it delivers
//! what the device draws. While it charges, the device's power is unknown and readings are errors.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Accuracy, PowerError, PowerMeter, Reading, integer};
use crate::device::processor::text;

const FIX: &str = "power_supply files are normally readable by everyone; check their permissions";

/// A supply.
#[derive(Debug)]
pub struct Supply {
    name: String,
    folder: PathBuf,
    is_battery: bool,
}

impl Supply {
    /// Finds the supply `name` below `root`, or by default the first that shows what the device draws.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(root: &Path, name: Option<&str>) -> Result<Supply, PowerError> {
        let class = root.join("sys/class/power_supply");
        let mut names: Vec<String> = std::fs::read_dir(&class)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        let mut problems = Vec::new();
        for candidate in names.iter().filter(|candidate| name.is_none_or(|name| name == **candidate)) {
            let folder = class.join(candidate);
            let mut supply = Supply {
                name: candidate.clone(),
                is_battery: text(&folder.join("type")).as_deref() == Some("Battery"),
                folder,
            };
            match supply.read() {
                Ok(_) => return Ok(supply),
                Err(error) => problems.push(error.to_string()),
            }
        }
        Err(match (name, problems.is_empty()) {
            (Some(name), true) => PowerError::file(
                &class,
                format!(
                    "no supply '{name}'; available: {}",
                    if names.is_empty() { "none".into() } else { names.join(", ") }
                ),
            ),
            (None, true) => PowerError::file(&class, "no supply found"),
            (_, false) => PowerError::file(&class, problems.join("; ")),
        })
    }

    fn watts(&self) -> Result<f64, PowerError> {
        let power = self.folder.join("power_now");
        if power.is_file() {
            return Ok(integer(&power, FIX)? as f64 * 1e-6);
        }
        let of = |name: &str| integer(&self.folder.join(name), FIX);
        Ok(of("voltage_now")? as f64 * 1e-6 * of("current_now")? as f64 * 1e-6)
    }
}

impl PowerMeter for Supply {
    fn name(&self) -> String {
        format!("supply:{}", self.name)
    }

    fn measures(&self) -> String {
        if self.is_battery {
            format!("the power of the battery {} while it discharges", self.name)
        } else {
            format!("the power of the supply {}", self.name)
        }
    }

    /// Fuel gauges update about once per second.
    fn rate(&self) -> f64 {
        2.0
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy {
            gain: None,
            offset_watts: 0.0,
            resolution_watts: 0.001,
            stated_by: "no source: the kernel does not report the error of gauges".into(),
        }
    }

    fn read(&mut self) -> Result<Reading, PowerError> {
        let watts = self.watts()?;
        let watts = if self.is_battery {
            let status = text(&self.folder.join("status")).unwrap_or_default();
            if status != "Discharging" {
                let problem =
                    format!("the battery's status is '{status}', but the power is known only while it discharges; unplug the charger");
                return Err(PowerError::meter(&self.name(), problem));
            }
            watts.abs()
        } else {
            watts
        };
        Ok(Reading { at: Instant::now(), watts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supply(root: &Path, name: &str, files: &[(&str, &str)]) {
        let folder = root.join("sys/class/power_supply").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (file, text) in files {
            std::fs::write(folder.join(file), text).unwrap();
        }
    }

    #[test]
    fn microvolts_and_microamperes_of_either_sign_become_watts() {
        let root = tempfile::tempdir().unwrap();
        supply(root.path(), "AC", &[("type", "Mains\n"), ("online", "0\n")]);
        let battery = [
            ("type", "Battery\n"),
            ("status", "Discharging\n"),
            ("voltage_now", "3700000\n"),
            ("current_now", "-500000\n"),
        ];
        supply(root.path(), "BAT0", &battery);
        let mut meter = Supply::open(root.path(), None).unwrap();
        assert_eq!(meter.name(), "supply:BAT0");
        assert!((meter.read().unwrap().watts - 1.85).abs() < 1e-9);
        supply(root.path(), "BAT0", &[("power_now", "6500000\n")]);
        assert!((meter.read().unwrap().watts - 6.5).abs() < 1e-9);
        supply(root.path(), "BAT0", &[("status", "Charging\n")]);
        let error = meter.read().unwrap_err().to_string();
        assert!(error.contains("'Charging'") && error.contains("unplug"), "{error}");
        assert!(Supply::open(root.path(), Some("BAT0")).is_err());
        let error = Supply::open(root.path(), Some("BAT7")).unwrap_err().to_string();
        assert!(error.contains("no supply 'BAT7'; available: AC, BAT0"), "{error}");
    }

    #[test]
    fn a_usb_supply_tells_what_it_delivers() {
        let root = tempfile::tempdir().unwrap();
        let usb = [("type", "USB\n"), ("voltage_now", "5100000\n"), ("current_now", "640000\n")];
        supply(root.path(), "usb", &usb);
        assert!((Supply::open(root.path(), None).unwrap().read().unwrap().watts - 3.264).abs() < 1e-9);
        supply(root.path(), "usb", &[("current_now", "much")]);
        let error = Supply::open(root.path(), None).unwrap_err().to_string();
        assert!(error.contains("current_now: 'much' is no whole number"), "{error}");
    }
}
