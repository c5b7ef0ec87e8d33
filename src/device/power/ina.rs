//! INA219, INA226 and INA260 of Texas Instruments on an I²C bus.
//!
//! Registers, bits and units are those of the data sheets SBOS448 (INA219), SBOS547 (INA226) and SBOS656 (INA260). Power is
//! bus voltage times current; the chips' power register holds the same with a coarser step and no sign.

use std::path::{Path, PathBuf};
use std::time::Instant;

use embedded_hal::i2c::I2c;

use super::{Accuracy, PowerError, PowerMeter, Reading};

const CONFIGURATION: u8 = 0x00;
const SHUNT_CURRENT: u8 = 0x01;
const BUS_VOLTAGE: u8 = 0x02;
const CURRENT: u8 = 0x04;
const CALIBRATION: u8 = 0x05;
const MANUFACTURER: u8 = 0xFE;
const DIE: u8 = 0xFF;
/// "TI", in the manufacturer register of the INA226 and INA260.
const TEXAS_INSTRUMENTS: u16 = 0x5449;

/// The chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// 12 bits, up to 26 V.
    Ina219,
    /// 16 bits, up to 36 V.
    Ina226,
    /// 16 bits, up to 36 V and 15 A, with a built-in shunt.
    Ina260,
}

impl Chip {
    /// Its name in `--power`.
    pub fn name(self) -> &'static str {
        match self {
            Chip::Ina219 => "ina219",
            Chip::Ina226 => "ina226",
            Chip::Ina260 => "ina260",
        }
    }

    /// Continuous conversion of both quantities, averaged over 8 (INA219, 8.5 ms) or 4 (the others, 8.8 ms) conversions; for
    /// the INA219 a range of 32 V and 320 mV.
    fn configuration(self) -> u16 {
        match self {
            Chip::Ina219 => 0x3DDF,
            Chip::Ina226 => 0x4327,
            Chip::Ina260 => 0x6327,
        }
    }

    /// Volts of one step of the bus voltage.
    fn volts_a_step(self) -> f64 {
        match self {
            Chip::Ina219 => 4e-3,
            Chip::Ina226 | Chip::Ina260 => 1.25e-3,
        }
    }

    /// The constant of the calibration register: value = constant / (amperes per step × ohms).
    fn calibration(self) -> f64 {
        match self {
            Chip::Ina219 => 0.04096,
            Chip::Ina226 | Chip::Ina260 => 0.00512,
        }
    }

    /// Largest voltage over the shunt.
    fn shunt_volts(self) -> f64 {
        match self {
            Chip::Ina219 => 0.32,
            Chip::Ina226 | Chip::Ina260 => 0.08192,
        }
    }

    fn die(self) -> Option<u16> {
        match self {
            Chip::Ina219 => None,
            Chip::Ina226 => Some(0x226),
            Chip::Ina260 => Some(0x227),
        }
    }
}

/// How a chip is wired.
#[derive(Clone, Debug, PartialEq)]
pub struct Wiring {
    /// Which chip.
    pub chip: Chip,
    /// The bus, such as `/dev/i2c-1`.
    pub bus: PathBuf,
    /// The chip's address, 0x40 to 0x4f.
    pub address: u8,
    /// The shunt in ohms; not used by the INA260, which has a built-in one.
    pub shunt: f64,
    /// The maximum current in amperes, which determines the resolution; by default what the shunt allows.
    pub most: Option<f64>,
    /// Factor for all readings, from a calibration with a better meter.
    pub gain: f64,
}

impl Wiring {
    /// Amperes of one step of the current register, rounded to what the calibration register can express.
    fn amperes_a_step(&self) -> (f64, u16) {
        if self.chip == Chip::Ina260 {
            return (1.25e-3, 0);
        }
        let most = self.most.unwrap_or(self.chip.shunt_volts() / self.shunt);
        let constant = self.chip.calibration();
        // Bit 0 of the INA219's register cannot be set.
        let highest = if self.chip == Chip::Ina219 { 65534.0 } else { 32767.0 };
        let mut register = (constant * 32768.0 / (most * self.shunt)).floor().clamp(2.0, highest) as u16;
        if self.chip == Chip::Ina219 {
            register &= !1;
        }
        (constant / (f64::from(register) * self.shunt), register)
    }
}

/// A chip on a bus.
#[derive(Debug)]
pub struct Ina<B> {
    bus: B,
    wiring: Wiring,
    amperes_a_step: f64,
    last_volts: f64,
}

impl Ina<linux_embedded_hal::I2cdev> {
    /// Opens the bus and configures the chip.
    ///
    /// # Errors
    /// If the bus is missing or cannot be opened, or no such chip answers.
    pub fn open(wiring: Wiring) -> Result<Self, PowerError> {
        let bus = linux_embedded_hal::I2cdev::new(&wiring.bus).map_err(|error| bus_error(&wiring.bus, error.into()))?;
        Ina::new(bus, wiring)
    }
}

fn bus_error(bus: &Path, error: std::io::Error) -> PowerError {
    match error.kind() {
        std::io::ErrorKind::NotFound => PowerError::file(
            bus,
            "no such I2C bus; on a Raspberry Pi, enable it by dtparam=i2c_arm=on in /boot/firmware/config.txt",
        ),
        std::io::ErrorKind::PermissionDenied => PowerError::Permission {
            path: bus.to_owned(),
            fix: "add this user to the group 'i2c': sudo usermod -aG i2c $USER, then log in again".into(),
        },
        _ => PowerError::file(bus, error.to_string()),
    }
}

impl<B: I2c> Ina<B> {
    /// Checks the chip, and writes its configuration and its calibration, if it has one.
    ///
    /// # Errors
    /// If it does not answer or is another chip.
    pub fn new(bus: B, wiring: Wiring) -> Result<Ina<B>, PowerError> {
        let (amperes_a_step, calibration) = wiring.amperes_a_step();
        let mut ina = Ina {
            bus,
            wiring,
            amperes_a_step,
            last_volts: 5.0,
        };
        ina.identify()?;
        ina.write(CONFIGURATION, ina.wiring.chip.configuration())?;
        if ina.wiring.chip != Chip::Ina260 {
            ina.write(CALIBRATION, calibration)?;
        }
        Ok(ina)
    }

    /// The INA226 and INA260 have identification registers; the INA219 does not.
    fn identify(&mut self) -> Result<(), PowerError> {
        let Some(die) = self.wiring.chip.die() else { return Ok(()) };
        let (manufacturer, found) = (self.register(MANUFACTURER)?, self.register(DIE)?);
        if manufacturer == TEXAS_INSTRUMENTS && found >> 4 == die {
            return Ok(());
        }
        let problem = format!("the chip identifies itself as 0x{manufacturer:04x} 0x{found:04x}, which is another one");
        Err(PowerError::meter(&self.name(), problem))
    }

    fn failed(&self, error: B::Error) -> PowerError {
        PowerError::meter(
            &self.name(),
            format!("{error:?}; check wiring and address: `i2cdetect` lists the chips that answer"),
        )
    }

    fn register(&mut self, register: u8) -> Result<u16, PowerError> {
        let mut bytes = [0; 2];
        let answer = self.bus.write_read(self.wiring.address, &[register], &mut bytes);
        answer.map_err(|error| self.failed(error))?;
        Ok(u16::from_be_bytes(bytes))
    }

    fn write(&mut self, register: u8, value: u16) -> Result<(), PowerError> {
        let [high, low] = value.to_be_bytes();
        let answer = self.bus.write(self.wiring.address, &[register, high, low]);
        answer.map_err(|error| self.failed(error))
    }

    /// Volts and amperes.
    fn volts_and_amperes(&mut self) -> Result<(f64, f64), PowerError> {
        let chip = self.wiring.chip;
        let bus = self.register(BUS_VOLTAGE)?;
        let steps = if chip == Chip::Ina219 {
            // Bit 0: the current does not fit its register.
            if bus & 1 == 1 {
                return Err(PowerError::meter(
                    &self.name(),
                    "the current exceeds the calibrated range; set a larger max=",
                ));
            }
            bus >> 3
        } else {
            bus
        };
        let current = if chip == Chip::Ina260 { SHUNT_CURRENT } else { CURRENT };
        let amperes = f64::from(self.register(current)?.cast_signed()) * self.amperes_a_step;
        Ok((f64::from(steps) * chip.volts_a_step(), amperes))
    }
}

impl<B: I2c + Send> PowerMeter for Ina<B> {
    fn name(&self) -> String {
        self.name()
    }

    fn measures(&self) -> String {
        match self.wiring.chip {
            Chip::Ina260 => "the power through the INA260's built-in shunt".into(),
            chip => format!(
                "the power through a shunt of {} ohm at the {}",
                self.wiring.shunt,
                chip.name().to_uppercase()
            ),
        }
    }

    /// A conversion of both takes 8.5 to 8.8 ms.
    fn rate(&self) -> f64 {
        100.0
    }

    fn accuracy(&self) -> Accuracy {
        // Largest gain errors over temperature of current and bus voltage, added. Data sheets, tables of electrical
        // characteristics.
        let (gain, sheet) = match self.wiring.chip {
            Chip::Ina219 => (0.01 + 0.01, "SBOS448 (grade A), without the tolerance of the shunt"),
            Chip::Ina226 => (0.001 + 0.001, "SBOS547, without the tolerance of the shunt"),
            Chip::Ina260 => (0.005 + 0.001, "SBOS656"),
        };
        Accuracy {
            gain: Some(gain),
            offset_watts: 0.0,
            resolution_watts: self.amperes_a_step * self.last_volts,
            stated_by: format!("the data sheet {sheet}"),
        }
    }

    fn read(&mut self) -> Result<Reading, PowerError> {
        let (volts, amperes) = self.volts_and_amperes()?;
        self.last_volts = volts;
        Ok(Reading {
            at: Instant::now(),
            watts: volts * amperes * self.wiring.gain,
        })
    }
}

impl<B> Ina<B> {
    fn name(&self) -> String {
        let Wiring { chip, bus, address, .. } = &self.wiring;
        format!("{}:{}@{address:#x}", chip.name(), bus.display())
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    use super::*;

    fn wiring(chip: Chip, shunt: f64, most: Option<f64>) -> Wiring {
        Wiring {
            chip,
            bus: "/dev/i2c-1".into(),
            address: 0x40,
            shunt,
            most,
            gain: 1.0,
        }
    }

    fn asked(register: u8, answer: u16) -> Transaction {
        Transaction::write_read(0x40, vec![register], answer.to_be_bytes().to_vec())
    }

    fn written(register: u8, value: u16) -> Transaction {
        let [high, low] = value.to_be_bytes();
        Transaction::write(0x40, vec![register, high, low])
    }

    #[test]
    fn an_ina219_is_calibrated_as_its_data_sheet_calculates() {
        // The data sheet's design example: 100 µA a step and 0.1 ohm make 4096 = 0x1000; 3.2768 A at most.
        let wiring = wiring(Chip::Ina219, 0.1, Some(3.2768));
        assert_eq!(wiring.amperes_a_step().1, 0x1000);
        let mut bus = Mock::new(&[
            written(CONFIGURATION, 0x3DDF),
            written(CALIBRATION, 0x1000),
            // 5.12 V: 1280 steps of 4 mV, shifted by 3; conversion ready is bit 1. 0.75 A: 7500 steps.
            asked(BUS_VOLTAGE, 1280 << 3 | 2),
            asked(CURRENT, 7500),
            // A negative current of 10 mA.
            asked(BUS_VOLTAGE, 1280 << 3),
            asked(CURRENT, (-100i16).cast_unsigned()),
            // Overflow.
            asked(BUS_VOLTAGE, 1280 << 3 | 1),
        ]);
        let mut ina = Ina::new(bus.clone(), wiring).unwrap();
        assert!((ina.read().unwrap().watts - 3.84).abs() < 1e-9);
        assert!((ina.read().unwrap().watts + 0.0512).abs() < 1e-9);
        assert!(ina.read().unwrap_err().to_string().contains("larger max="));
        assert!((ina.accuracy().resolution_watts - 512e-6).abs() < 1e-12);
        bus.done();
    }

    #[test]
    fn an_ina226_says_what_it_is_and_a_gain_corrects_it() {
        let mut wiring = wiring(Chip::Ina226, 0.002, Some(16.384));
        wiring.gain = 1.02;
        // 0.5 mA a step: 0.00512 / (0.0005 × 0.002) = 5120.
        assert_eq!(wiring.amperes_a_step().1, 5120);
        let mut bus = Mock::new(&[
            asked(MANUFACTURER, 0x5449),
            asked(DIE, 0x2260),
            written(CONFIGURATION, 0x4327),
            written(CALIBRATION, 5120),
            asked(BUS_VOLTAGE, 4000),
            asked(CURRENT, 1000),
        ]);
        let mut ina = Ina::new(bus.clone(), wiring).unwrap();
        assert!((ina.read().unwrap().watts - 5.0 * 0.5 * 1.02).abs() < 1e-9);
        bus.done();
    }

    #[test]
    fn an_ina260_needs_no_calibration_and_others_are_refused() {
        let start = [asked(MANUFACTURER, 0x5449), asked(DIE, 0x2270), written(CONFIGURATION, 0x6327)];
        let readings = [asked(BUS_VOLTAGE, 4160), asked(SHUNT_CURRENT, 400)];
        let mut bus = Mock::new(&[&start[..], &readings[..]].concat());
        let mut ina = Ina::new(bus.clone(), wiring(Chip::Ina260, 0.0, None)).unwrap();
        assert!((ina.read().unwrap().watts - 5.2 * 0.5).abs() < 1e-9);
        bus.done();
        let mut bus = Mock::new(&[asked(MANUFACTURER, 0x5449), asked(DIE, 0x2260)]);
        let error = Ina::new(bus.clone(), wiring(Chip::Ina260, 0.0, None)).unwrap_err().to_string();
        assert!(error.contains("0x5449 0x2260, which is another"), "{error}");
        bus.done();
    }

    #[test]
    fn a_chip_that_does_not_answer_is_said() {
        use embedded_hal::i2c::ErrorKind;
        let lost = Transaction::write(0x40, vec![CONFIGURATION, 0x3D, 0xDF]).with_error(ErrorKind::Other);
        let mut bus = Mock::new(&[lost]);
        let error = Ina::new(bus.clone(), wiring(Chip::Ina219, 0.1, None)).unwrap_err().to_string();
        assert!(error.contains("ina219:/dev/i2c-1@0x40") && error.contains("i2cdetect"), "{error}");
        bus.done();
        let mut absent = wiring(Chip::Ina219, 0.1, None);
        absent.bus = "/nonexistent/i2c-1".into();
        let error = Ina::open(absent).err().unwrap().to_string();
        assert!(error.contains("i2c_arm=on"), "{error}");
    }
}
