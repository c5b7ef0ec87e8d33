//! Power meters with a kernel driver: `power1_input` in µW, or else `curr1_input` in mA times `in1_input` in mV (kernel
//! documentation, *Naming and data format standards for sysfs files* of hwmon; *ina2xx*).

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Accuracy, PowerError, PowerMeter, Reading, integer};
use crate::device::processor::{number, numbered, text};

const FIX: &str = "hwmon files are normally readable by everyone; check their permissions";
/// Prefixes of the names of drivers whose chips measure a board's supply. Others measure a part, such as a graphics card.
const METERS: &str = "ina";

/// The quantity that is read.
#[derive(Clone, Debug)]
enum Quantity {
    Power(PathBuf),
    CurrentAndVoltage(PathBuf, PathBuf),
}

/// A power meter with a kernel driver.
#[derive(Debug)]
pub struct Hwmon {
    device: String,
    quantity: Quantity,
    rate: f64,
}

impl Hwmon {
    /// Finds the meter named `device` below `root`, or by default the first that measures a board's supply.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(root: &Path, device: Option<&str>) -> Result<Hwmon, PowerError> {
        let class = root.join("sys/class/hwmon");
        let mut seen = Vec::new();
        for folder in numbered(&class, "hwmon") {
            let Some(name) = text(&folder.join("name")) else { continue };
            let wanted = device.map_or(name.starts_with(METERS), |device| device == name);
            if let Some(quantity) = quantity(&folder) {
                if wanted {
                    // Milliseconds between conversions, if the driver reports it.
                    let interval = number(&folder.join("update_interval")).filter(|&interval| interval > 0.0);
                    return Ok(Hwmon {
                        device: name,
                        quantity,
                        rate: interval.map_or(20.0, |interval| (1e3 / interval).clamp(1.0, 100.0)),
                    });
                }
                seen.push(name);
            }
        }
        let problem = match (device, seen.is_empty()) {
            (None, true) => "no hwmon device measures power".to_owned(),
            (None, false) => format!(
                "no hwmon device measures the board's supply; select {} by name to use it",
                seen.join(", ")
            ),
            (Some(device), true) => format!("no hwmon device '{device}' measures power, and no other does"),
            (Some(device), false) => format!("no hwmon device '{device}' measures power; available: {}", seen.join(", ")),
        };
        Err(PowerError::file(&class, problem))
    }
}

fn quantity(folder: &Path) -> Option<Quantity> {
    let file = |name: &str| Some(folder.join(name)).filter(|file| file.is_file());
    file("power1_input")
        .map(Quantity::Power)
        .or_else(|| Some(Quantity::CurrentAndVoltage(file("curr1_input")?, file("in1_input")?)))
}

impl PowerMeter for Hwmon {
    fn name(&self) -> String {
        format!("hwmon:{}", self.device)
    }

    fn measures(&self) -> String {
        let how = match self.quantity {
            Quantity::Power(_) => "power1_input",
            Quantity::CurrentAndVoltage(..) => "curr1_input × in1_input",
        };
        format!("the power through the chip {}, by its kernel driver ({how})", self.device)
    }

    fn rate(&self) -> f64 {
        self.rate
    }

    fn accuracy(&self) -> Accuracy {
        // Resolution: that of the ina2xx driver at its default calibration, and 1 mA at 5 V.
        let (gain, sheet) = match self.device.as_str() {
            "ina219" | "ina220" => (Some(0.02), "the data sheet SBOS448, without the tolerance of the shunt"),
            "ina226" => (Some(0.002), "the data sheet SBOS547, without the tolerance of the shunt"),
            "ina260" => (Some(0.006), "the data sheet SBOS656"),
            _ => (None, "no source: the kernel does not report the error of meters"),
        };
        Accuracy {
            gain,
            offset_watts: 0.0,
            resolution_watts: match self.quantity {
                Quantity::Power(_) => 0.02,
                Quantity::CurrentAndVoltage(..) => 0.005,
            },
            stated_by: sheet.into(),
        }
    }

    fn read(&mut self) -> Result<Reading, PowerError> {
        let watts = match &self.quantity {
            Quantity::Power(file) => integer(file, FIX)? as f64 * 1e-6,
            Quantity::CurrentAndVoltage(current, voltage) => integer(current, FIX)? as f64 * integer(voltage, FIX)? as f64 * 1e-6,
        };
        Ok(Reading { at: Instant::now(), watts })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    #[test]
    fn microwatts_and_milliamperes_become_watts() {
        let mut meter = Hwmon::open(&tree("zero2w"), None).unwrap();
        assert_eq!(meter.name(), "hwmon:ina219");
        assert!((meter.read().unwrap().watts - 1.62).abs() < 1e-9);
        assert!((meter.rate() - 100.0).abs() < 1e-9);
        let mut meter = Hwmon::open(&tree("pi4"), Some("ina260")).unwrap();
        assert!((meter.read().unwrap().watts - 5.2 * 0.61).abs() < 1e-9);
        assert!(meter.measures().contains("curr1_input × in1_input"));
    }

    #[test]
    fn a_graphics_card_is_no_board() {
        let error = Hwmon::open(&tree("pc"), None).unwrap_err().to_string();
        assert!(error.contains("select amdgpu by name"), "{error}");
        assert!((Hwmon::open(&tree("pc"), Some("amdgpu")).unwrap().read().unwrap().watts - 31.0).abs() < 1e-9);
        let error = Hwmon::open(&tree("pc"), Some("ina219")).unwrap_err().to_string();
        assert!(error.contains("'ina219'") && error.contains("available: amdgpu"), "{error}");
        assert!(Hwmon::open("/nonexistent".as_ref(), None).is_err());
    }
}
