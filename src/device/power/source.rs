//! Parsing of `--power`, and detection of a meter.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::constant::Constant;
use super::hwmon::Hwmon;
use super::ina::{Chip, Ina, Wiring};
use super::pmic::Pmic;
use super::rapl::Rapl;
use super::stream::{Columns, Stream};
use super::supply::Supply;
use super::{PowerError, PowerMeter};

const KNOWN: &str = "auto, none, pmic[,fit=wall], ina219:BUS@ADDRESS[,shunt=OHM][,max=AMPERES][,gain=FACTOR], ina226:…, ina260:…, \
                     hwmon[:NAME], supply[:NAME], rapl[:ZONE], csv:FILE[,columns=time/watts], serial:DEVICE[,baud=115200][,columns=…], constant:WATTS";

/// Shunt of common INA219 and INA226 boards, in ohms.
const USUAL_SHUNT: f64 = 0.1;
const USUAL_BUS: &str = "/dev/i2c-1";
const USUAL_ADDRESS: u8 = 0x40;
const USUAL_BAUD: u32 = 115_200;

/// A requested meter.
#[derive(Clone, Debug, PartialEq)]
pub enum PowerSource {
    /// The first that is detected.
    Auto,
    /// None.
    None,
    /// The power chip of the Raspberry Pi 5; whether the published fit is applied.
    Pmic(bool),
    /// A chip on an I²C bus.
    Ina(Wiring),
    /// A meter with a kernel driver, by name.
    Hwmon(Option<String>),
    /// A battery or charger, by name.
    Supply(Option<String>),
    /// The processor's energy counters, by name of the zone.
    Rapl(Option<String>),
    /// A growing file.
    Csv(PathBuf, Columns),
    /// A serial device, and its speed in baud.
    Serial(PathBuf, u32, Columns),
    /// Constant watts.
    Constant(f64),
}

impl PowerSource {
    /// Opens the meter, its files below `root`; none for [`PowerSource::None`].
    ///
    /// # Errors
    /// If the requested meter cannot be used. With `auto`, the detection says why none was found.
    pub fn open(&self, root: &Path) -> Result<Detection, PowerError> {
        let meter: Box<dyn PowerMeter> = match self {
            PowerSource::Auto => return Ok(detect(root)),
            PowerSource::None => {
                return Ok(Detection {
                    meter: None,
                    why_not: vec!["--power none".into()],
                });
            }
            PowerSource::Pmic(fit) => Box::new(Pmic::open(root, *fit)?),
            PowerSource::Ina(wiring) => Box::new(Ina::open(wiring.clone())?),
            PowerSource::Hwmon(name) => Box::new(Hwmon::open(root, name.as_deref())?),
            PowerSource::Supply(name) => Box::new(Supply::open(root, name.as_deref())?),
            PowerSource::Rapl(zone) => Box::new(Rapl::open(root, zone.as_deref())?),
            PowerSource::Csv(path, columns) => Box::new(Stream::file(path, columns.clone())?),
            PowerSource::Serial(path, baud, columns) => Box::new(Stream::serial(path, *baud, columns.clone())?),
            PowerSource::Constant(watts) => Box::new(Constant { watts: *watts }),
        };
        Ok(Detection {
            meter: Some(meter),
            why_not: Vec::new(),
        })
    }
}

/// The result of the detection.
pub struct Detection {
    /// The meter.
    pub meter: Option<Box<dyn PowerMeter>>,
    /// Why others, which have precedence, cannot be used.
    pub why_not: Vec<String>,
}

/// Detects a meter below `root`, in order of how much of the board they measure. I²C buses are not searched: writing to an unknown
/// chip can do harm. Constants and files are never chosen.
pub fn detect(root: &Path) -> Detection {
    let mut why_not = Vec::new();
    let mut chosen: Option<Box<dyn PowerMeter>> = None;
    let mut consider = |found: Result<Box<dyn PowerMeter>, PowerError>| match found {
        Ok(meter) if chosen.is_none() => chosen = Some(meter),
        Ok(_) => {}
        Err(error) if chosen.is_none() => why_not.push(error.to_string()),
        Err(_) => {}
    };
    consider(Hwmon::open(root, None).map(boxed));
    consider(Supply::open(root, None).map(boxed));
    consider(Pmic::open(root, false).map(boxed));
    consider(Rapl::open(root, None).map(boxed));
    Detection { meter: chosen, why_not }
}

fn boxed<M: PowerMeter + 'static>(meter: M) -> Box<dyn PowerMeter> {
    Box::new(meter)
}

/// The parts of `KIND:WHERE,key=value,…`.
struct Words<'a> {
    kind: &'a str,
    place: Option<&'a str>,
    options: Vec<(&'a str, &'a str)>,
}

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Result<Words<'a>, String> {
        let mut parts = text.split(',');
        let first = parts.next().unwrap_or_default();
        let (kind, place) = first.split_once(':').map_or((first, None), |(kind, place)| (kind, Some(place)));
        let options = parts.map(|part| {
            part.split_once('=')
                .ok_or_else(|| format!("'{part}' is no option; options are key=value"))
        });
        Ok(Words {
            kind,
            place: place.filter(|place| !place.is_empty()),
            options: options.collect::<Result<_, _>>()?,
        })
    }

    /// Removes an option and returns its value.
    fn take<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, String> {
        let Some(at) = self.options.iter().position(|(name, _)| *name == key) else {
            return Ok(None);
        };
        let (_, value) = self.options.remove(at);
        let parsed = value.parse().map_err(|_| format!("{key}={value}: invalid value"));
        parsed.map(Some)
    }

    fn positive(&mut self, key: &str) -> Result<Option<f64>, String> {
        match self.take::<f64>(key)? {
            Some(value) if !(value.is_finite() && value > 0.0) => Err(format!("{key}={value}: must be above 0")),
            value => Ok(value),
        }
    }

    fn columns(&mut self) -> Result<Columns, String> {
        match self.options.iter().position(|(name, _)| *name == "columns") {
            Some(at) => self.options.remove(at).1.parse(),
            None => Ok(Columns::time_and_watts()),
        }
    }

    fn needs_place(&self, what: &str) -> Result<PathBuf, String> {
        self.place
            .map(PathBuf::from)
            .ok_or_else(|| format!("give {what} after a colon, as in {}:…", self.kind))
    }

    fn place_refused(&self) -> Result<(), String> {
        self.place.map_or(Ok(()), |place| {
            Err(format!("'{}' takes nothing after a colon, '{place}' was given", self.kind))
        })
    }

    fn end(&self) -> Result<(), String> {
        self.options
            .first()
            .map_or(Ok(()), |(name, _)| Err(format!("'{}' has no option '{name}'", self.kind)))
    }
}

fn wiring(words: &mut Words, chip: Chip) -> Result<Wiring, String> {
    let place = words.place.unwrap_or(USUAL_BUS);
    let (bus, address) = match place.split_once('@') {
        Some((bus, address)) => {
            let digits = address.strip_prefix("0x").unwrap_or(address);
            let parsed = u8::from_str_radix(digits, 16)
                .ok()
                .filter(|address| (0x40..=0x4F).contains(address));
            let parsed = parsed.ok_or_else(|| format!("'{address}' is no address of such a chip: 0x40 to 0x4f"))?;
            (if bus.is_empty() { USUAL_BUS } else { bus }, parsed)
        }
        None => (place, USUAL_ADDRESS),
    };
    let shunt = words.positive("shunt")?;
    let most = words.positive("max")?;
    if chip == Chip::Ina260 && (shunt.is_some() || most.is_some()) {
        return Err("the INA260 has a built-in shunt: shunt= and max= do not apply".into());
    }
    Ok(Wiring {
        chip,
        bus: bus.into(),
        address,
        shunt: shunt.unwrap_or(USUAL_SHUNT),
        most,
        gain: words.positive("gain")?.unwrap_or(1.0),
    })
}

fn parse(text: &str) -> Result<PowerSource, String> {
    let mut words = Words::of(text)?;
    let name = words.place.map(String::from);
    let source = match words.kind {
        "auto" => words.place_refused().map(|()| PowerSource::Auto)?,
        "none" => words.place_refused().map(|()| PowerSource::None)?,
        "pmic" => {
            words.place_refused()?;
            match words.take::<String>("fit")?.as_deref() {
                None => PowerSource::Pmic(false),
                Some("wall") => PowerSource::Pmic(true),
                Some(other) => return Err(format!("fit={other}: the only fit is 'wall'")),
            }
        }
        "ina219" => PowerSource::Ina(wiring(&mut words, Chip::Ina219)?),
        "ina226" => PowerSource::Ina(wiring(&mut words, Chip::Ina226)?),
        "ina260" => PowerSource::Ina(wiring(&mut words, Chip::Ina260)?),
        "hwmon" => PowerSource::Hwmon(name),
        "supply" => PowerSource::Supply(name),
        "rapl" => PowerSource::Rapl(name),
        "csv" => PowerSource::Csv(words.needs_place("the file")?, words.columns()?),
        "serial" => {
            let device = words.needs_place("the device")?;
            let baud = words.take("baud")?.unwrap_or(USUAL_BAUD);
            PowerSource::Serial(device, baud, words.columns()?)
        }
        "constant" => {
            let watts = name.as_deref().unwrap_or_default();
            let parsed = watts.parse::<f64>().ok().filter(|watts| watts.is_finite() && *watts >= 0.0);
            PowerSource::Constant(parsed.ok_or_else(|| format!("'{watts}' is not a power; give watts, as in constant:2.5"))?)
        }
        _ => return Err(format!("unknown source; known are {KNOWN}")),
    };
    words.end()?;
    Ok(source)
}

impl FromStr for PowerSource {
    type Err = PowerError;

    fn from_str(text: &str) -> Result<PowerSource, PowerError> {
        parse(text).map_err(|problem| PowerError::Source {
            source_text: text.to_owned(),
            problem,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    #[test]
    fn words_become_sources() {
        let source = |text: &str| text.parse::<PowerSource>().unwrap();
        assert_eq!(source("auto"), PowerSource::Auto);
        assert_eq!(source("pmic,fit=wall"), PowerSource::Pmic(true));
        assert_eq!(source("hwmon:ina219"), PowerSource::Hwmon(Some("ina219".into())));
        assert_eq!(source("constant:2.5"), PowerSource::Constant(2.5));
        let PowerSource::Ina(wiring) = source("ina219:/dev/i2c-3@0x41,shunt=0.01,max=5,gain=1.02") else {
            panic!("another source")
        };
        assert_eq!(
            (wiring.bus.to_str(), wiring.address, wiring.shunt),
            (Some("/dev/i2c-3"), 0x41, 0.01)
        );
        assert_eq!((wiring.most, wiring.gain), (Some(5.0), 1.02));
        let PowerSource::Ina(wiring) = source("ina226:@45") else {
            panic!("another source")
        };
        assert_eq!((wiring.bus.to_str(), wiring.address), (Some("/dev/i2c-1"), 0x45));
        let serial = PowerSource::Serial("/dev/ttyUSB0".into(), 9600, "volts/amps".parse().unwrap());
        assert_eq!(source("serial:/dev/ttyUSB0,baud=9600,columns=volts/amps"), serial);
    }

    #[test]
    fn other_words_are_refused() {
        for (text, words) in [
            ("", "known are auto"),
            ("volcano", "known are auto"),
            ("none:x", "takes nothing after a colon"),
            ("pmic,fit=moon", "the only fit"),
            ("pmic,shunt=1", "no option 'shunt'"),
            ("ina219:/dev/i2c-1@0x20", "0x40 to 0x4f"),
            ("ina219,shunt=0", "above 0"),
            ("ina219,shunt=x", "invalid value"),
            ("ina260,shunt=0.1", "built-in"),
            ("csv", "give the file"),
            ("csv:x,columns=hour", "volts and amps"),
            ("serial:/dev/x,baud=-1", "invalid value"),
            ("constant:-1", "watts"),
            ("constant", "watts"),
            ("rapl,x", "options are key=value"),
        ] {
            let error = text.parse::<PowerSource>().unwrap_err();
            assert!(error.is_input_fault() && error.to_string().contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn each_tree_has_the_meter_that_it_should() {
        let found = |name: &str| detect(&tree(name));
        let name = |detection: Detection| detection.meter.map(|meter| meter.name());
        assert_eq!(name(found("zero2w")).as_deref(), Some("hwmon:ina219"));
        assert_eq!(name(found("pi5")).as_deref(), Some("pmic"));
        assert_eq!(name(found("pc")).as_deref(), Some("rapl"));
        let empty = tempfile::tempdir().unwrap();
        let nothing = detect(empty.path());
        assert!(nothing.meter.is_none() && nothing.why_not.len() == 4, "{:?}", nothing.why_not);
    }
}
