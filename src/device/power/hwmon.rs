//! Power meters by the kernel's drivers: `power1_input` in µW, else `curr1_input` in mA times `in1_input` in mV (kernel
//! documentation, *Naming and data format standards for sysfs files* of hwmon; *ina2xx*).

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Accuracy, PowerError, PowerMeter, Reading, integer};
use crate::device::processor::{number, numbered, text};

const FIX: &str = "hwmon files are for everyone; ask who changed that";
/// Names of drivers whose chips meter a board's supply, by how they begin. Others meter a part, such as a graphics card.
const METERS: &str = "ina";

/// What is read.
#[derive(Clone, Debug)]
enum Quantity {
    Power(PathBuf),
    CurrentAndVoltage(PathBuf, PathBuf),
}

/// A meter of the kernel.
#[derive(Debug)]
pub struct Hwmon {
    device: String,
    quantity: Quantity,
    rate: f64,
}

impl Hwmon {
    /// The meter named `device` below `root`; the first that meters a board's supply where no name is given.
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
                    // Milliseconds between two conversions, where the driver tells.
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
            (None, true) => "no hwmon device has a power".to_owned(),
            (None, false) => format!(
                "no hwmon device meters the board's supply; there is {}, which is used where it is named",
                seen.join(", ")
            ),
            (Some(device), true) => format!("there is no hwmon device '{device}' with a power, nor any other"),
            (Some(device), false) => format!("there is no hwmon device '{device}' with a power; there is {}", seen.join(", ")),
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
        format!("what flows through the chip {} by the kernel's driver ({how})", self.device)
    }

    fn rate(&self) -> f64 {
        self.rate
    }

    fn accuracy(&self) -> Accuracy {
        // Steps: the ina2xx driver's power at its usual calibration, and 1 mA at 5 V.
        let (gain, sheet) = match self.device.as_str() {
            "ina219" | "ina220" => (Some(0.02), "the data sheet SBOS448, without the tolerance of the shunt"),
            "ina226" => (Some(0.002), "the data sheet SBOS547, without the tolerance of the shunt"),
            "ina260" => (Some(0.006), "the data sheet SBOS656"),
            _ => (None, "nobody: the kernel does not tell a meter's error"),
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
        assert!(error.contains("amdgpu, which is used where it is named"), "{error}");
        assert!((Hwmon::open(&tree("pc"), Some("amdgpu")).unwrap().read().unwrap().watts - 31.0).abs() < 1e-9);
        let error = Hwmon::open(&tree("pc"), Some("ina219")).unwrap_err().to_string();
        assert!(error.contains("'ina219'") && error.contains("there is amdgpu"), "{error}");
        assert!(Hwmon::open("/nonexistent".as_ref(), None).is_err());
    }
}
