//! The power management chip of the Raspberry Pi 5, read by `vcgencmd pmic_read_adc`.
//!
//! Each line is a rail's current or voltage, in one of two formats, depending on the firmware's version:
//!
//! ```text
//! VDD_CORE_A current(7)=0.70610450A          VDD_CORE_A=1.2340A
//! VDD_CORE_V volt(15)=0.88120000V            VDD_CORE_V=0.8750V
//! ```
//!
//! The sum of volts times amperes over the rails that have both is what the chip delivers. The 5 V that goes to USB, HATs
//! and the fan does not pass through it, nor do its own losses show. A fit to a meter at the plug has been published
//! (jfikar, *RPi5-power*): 1.1451 × sum + 0.5879 W; it is applied only on request, and the source's name says so.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use super::{Accuracy, PowerError, PowerMeter, Reading};
use crate::device::vcgencmd::Vcgencmd;

const COMMAND: &str = "pmic_read_adc";
/// The published fit: factor and offset in watts.
const FIT: (f64, f64) = (1.1451, 0.5879);

/// The chip.
#[derive(Debug)]
pub struct Pmic {
    program: Vcgencmd,
    fit: bool,
}

impl Pmic {
    /// Reads the chip once, by `vcgencmd` below `root`; `fit` applies the published fit to the power at the plug.
    ///
    /// # Errors
    /// If there is no `vcgencmd`, or its answer has no rails: only the Raspberry Pi 5 has this chip.
    pub fn open(root: &Path, fit: bool) -> Result<Pmic, PowerError> {
        let program =
            Vcgencmd::find(root).ok_or_else(|| PowerError::meter("pmic", "no vcgencmd found; only the Raspberry Pi 5 has this meter"))?;
        let pmic = Pmic { program, fit };
        pmic.sum().map(|_| pmic)
    }

    fn sum(&self) -> Result<f64, PowerError> {
        let answer = self
            .program
            .ask(&[COMMAND])
            .map_err(|error| PowerError::meter("pmic", format!("{error}; only the Raspberry Pi 5 has this meter")))?;
        sum_of_rails(&answer).ok_or_else(|| {
            PowerError::meter(
                "pmic",
                format!("`vcgencmd {COMMAND}` names no rail with current and voltage; only the Raspberry Pi 5 has this meter"),
            )
        })
    }
}

/// Watts of all rails that have both a current and a voltage.
fn sum_of_rails(answer: &str) -> Option<f64> {
    let (mut amperes, mut volts) = (BTreeMap::new(), BTreeMap::new());
    for line in answer.lines() {
        let Some((left, value)) = line.trim().split_once('=') else {
            continue;
        };
        let Some(name) = left.split_whitespace().next() else { continue };
        let rail = name.strip_suffix("_A").or_else(|| name.strip_suffix("_V")).unwrap_or(name);
        let reading = |unit: char| value.trim().strip_suffix(unit)?.parse::<f64>().ok();
        if let Some(current) = reading('A') {
            amperes.insert(rail.to_owned(), current);
        } else if let Some(voltage) = reading('V') {
            volts.insert(rail.to_owned(), voltage);
        }
    }
    let rails = amperes.iter().filter_map(|(rail, current)| Some(current * volts.get(rail)?));
    rails.reduce(|sum, watts| sum + watts)
}

impl PowerMeter for Pmic {
    fn name(&self) -> String {
        if self.fit { "pmic,fit=wall".into() } else { "pmic".into() }
    }

    fn measures(&self) -> String {
        if self.fit {
            format!(
                "an estimate of the power at the plug: {} × the sum of the power chip's rails + {} W (the fit of jfikar, RPi5-power)",
                FIT.0, FIT.1
            )
        } else {
            "the rails of the Raspberry Pi 5's power chip, without its losses, USB, HATs and fan".into()
        }
    }

    /// Each reading starts a process, so a higher rate would be a measurable load.
    fn rate(&self) -> f64 {
        4.0
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy {
            gain: None,
            offset_watts: 0.0,
            resolution_watts: 0.001,
            stated_by: "no source: the manufacturer does not specify the error".into(),
        }
    }

    fn read(&mut self) -> Result<Reading, PowerError> {
        let started = Instant::now();
        let sum = self.sum()?;
        let (factor, more) = if self.fit { FIT } else { (1.0, 0.0) };
        Ok(Reading {
            at: started + started.elapsed() / 2,
            watts: factor * sum + more,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    #[test]
    fn both_forms_give_the_same() {
        let older = " 3V3_SYS_A current(1)=0.50000000A\n VDD_CORE_A current(7)=2.00000000A\n 3V3_SYS_V volt(9)=3.30000000V\n \
                     VDD_CORE_V volt(15)=0.90000000V\n EXT5V_V volt(24)=5.15000000V\n BATT_V volt(25)=0.00000000V\n";
        let other = "3V3_SYS_V=3.3V\n3V3_SYS_A=0.5A\nVDD_CORE_V=0.9V\nVDD_CORE_A=2.0A\nEXT5V_V=5.15V\n";
        let voltage = "RAIL_A current(7)=2.0A\nRAIL_A voltage(7)=1.725V\n";
        for answer in [older, other, voltage] {
            assert!((sum_of_rails(answer).unwrap() - 3.45).abs() < 1e-9, "{answer}");
        }
        for answer in ["", "EXT5V_V volt(24)=5.1V", "x=y=z\n=\nA=1A"] {
            assert_eq!(sum_of_rails(answer), None, "{answer}");
        }
    }

    #[test]
    fn the_fit_is_applied_only_where_asked_for() {
        let mut plain = Pmic::open(&tree("pi5"), false).unwrap();
        let sum = plain.read().unwrap().watts;
        assert!((sum - 2.2).abs() < 0.3, "{sum}");
        let mut fitted = Pmic::open(&tree("pi5"), true).unwrap();
        assert!((fitted.read().unwrap().watts - (1.1451 * sum + 0.5879)).abs() < 1e-9);
        assert!(plain.measures().contains("without its losses") && fitted.measures().contains("jfikar"));
    }

    #[test]
    fn other_boards_have_no_such_chip() {
        for (name, words) in [("pi4", "only the Raspberry Pi 5"), ("pc", "no vcgencmd found")] {
            let error = Pmic::open(&tree(name), false).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
