//! Lines of the 40-pin header: what uses which, so that no two parts of the settings use the same.

use std::path::Path;

use super::{ButtonSettings, Settings};
use crate::device::display::{Device, DisplaySettings};

/// The last line on the header of a Raspberry Pi.
pub(super) const LAST_LINE: u8 = 27;

/// A line that something uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// The line.
    pub line: u32,
    /// Path of the field that takes it.
    pub field: String,
    /// What for.
    pub purpose: String,
}

/// The line of a key such as `gpio5`.
pub(super) fn line(key: &str) -> Option<u32> {
    let digits = key.strip_prefix("gpio").or_else(|| key.strip_prefix("GPIO"))?;
    digits.parse().ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_digit()))
}

impl ButtonSettings {
    /// The lists of keys by the names of their fields.
    pub fn lists(&self) -> [(&'static str, &Vec<String>); 8] {
        [
            ("a", &self.a),
            ("b", &self.b),
            ("c", &self.c),
            ("d", &self.d),
            ("previous", &self.previous),
            ("next", &self.next),
            ("confirm", &self.confirm),
            ("back", &self.back),
        ]
    }

    fn lists_mut(&mut self) -> [&mut Vec<String>; 8] {
        [
            &mut self.a,
            &mut self.b,
            &mut self.c,
            &mut self.d,
            &mut self.previous,
            &mut self.next,
            &mut self.confirm,
            &mut self.back,
        ]
    }
}

impl Settings {
    /// Lines that displays, buttons, encoder and sensor use.
    pub(super) fn lines(&self) -> Vec<Use> {
        let mut uses = display_lines("display", &self.display);
        uses.extend(self.status.iter().flat_map(|status| display_lines("status", status)));
        for (name, keys) in self.buttons.lists() {
            let lines = keys.iter().enumerate().filter_map(|(index, key)| Some((index, line(key)?)));
            uses.extend(lines.map(|(index, line)| named(format!("buttons.{name}[{index}]"), line)));
        }
        let encoder = self.buttons.encoder.iter().flatten().enumerate();
        uses.extend(encoder.map(|(index, &pin)| named(format!("buttons.encoder[{index}]"), pin.into())));
        uses.extend(self.buttons.motion.map(|pin| named("buttons.motion".into(), pin.into())));
        uses
    }

    /// Lines of the buses that the displays use, as on the header of a Raspberry Pi.
    pub(super) fn bus_lines(&self) -> Vec<Use> {
        let displays = [("display", Some(&self.display)), ("status", self.status.as_ref())];
        displays
            .into_iter()
            .flat_map(|(table, display)| display.map(|display| bus_lines(table, display)).unwrap_or_default())
            .collect()
    }

    /// Removes lines that something else uses from lists of keys that have their defaults.
    pub(super) fn give_way(&mut self) {
        let usual = ButtonSettings::default();
        let mut taken: Vec<u32> = self.bus_lines().into_iter().map(|taken| taken.line).collect();
        let mut own = self.clone();
        for (list, (_, usual)) in own.buttons.lists_mut().into_iter().zip(usual.lists()) {
            if list == usual {
                list.clear();
            }
        }
        taken.extend(own.lines().into_iter().map(|named| named.line));
        for (list, (_, usual)) in self.buttons.lists_mut().into_iter().zip(usual.lists()) {
            if list == usual {
                list.retain(|key| line(key).is_none_or(|line| !taken.contains(&line)));
            }
        }
    }
}

fn named(field: String, line: u32) -> Use {
    Use {
        line,
        purpose: format!("the line of {field}"),
        field,
    }
}

/// Lines that a display uses itself; defaults are attributed to the field `kind`.
fn display_lines(table: &str, display: &DisplaySettings) -> Vec<Use> {
    let set = [
        ("data/command", "data_command", display.data_command),
        ("reset", "reset", display.reset),
        ("busy", "busy", display.busy),
        ("backlight", "backlight", display.backlight),
        ("chip select", "chip_select", display.chip_select),
    ];
    let pins = display.pins().into_iter();
    let described = pins.map(|(line, purpose)| {
        let field = set.iter().find(|(name, _, pin)| *name == purpose && pin.is_some());
        match field {
            Some((_, field, _)) => named(format!("{table}.{field}"), line),
            None => Use {
                line,
                field: format!("{table}.kind"),
                purpose: format!("the {purpose} line of {}", display.kind),
            },
        }
    });
    described.collect()
}

/// Lines of the buses that a display is driven through, as the header of a Raspberry Pi has them.
fn bus_lines(table: &str, display: &DisplaySettings) -> Vec<Use> {
    let devices = display.devices().into_iter();
    devices.flat_map(|device| device_lines(table, display, &device)).collect()
}

fn device_lines(table: &str, display: &DisplaySettings, device: &Device) -> Vec<Use> {
    let taken = |bus: &Path, field: &str, line: u32, part: &str| Use {
        line,
        field: format!("{table}.{field}"),
        purpose: format!("the {part} of {}, which {} uses", bus.display(), display.kind),
    };
    match device {
        Device::Spi(spi) => {
            let (clock, data, selects) = if spi.to_string_lossy().contains("spidev1.") {
                (21, 20, &[18, 17, 16][..])
            } else {
                (11, 10, &[8, 7][..])
            };
            let number = spi.extension().and_then(|number| number.to_str()?.parse::<usize>().ok());
            let select = number
                .and_then(|number| selects.get(number))
                .filter(|_| display.chip_select.is_none());
            let wires = [(clock, "clock"), (data, "data line")]
                .into_iter()
                .chain(select.map(|&line| (line, "chip select")));
            wires.map(|(line, part)| taken(spi, "spi", line, part)).collect()
        }
        Device::I2c(i2c) if i2c.as_path() == Path::new("/dev/i2c-1") => {
            vec![taken(i2c, "i2c", 2, "data line"), taken(i2c, "i2c", 3, "clock")]
        }
        Device::I2c(_) | Device::File { .. } => Vec::new(),
    }
}
