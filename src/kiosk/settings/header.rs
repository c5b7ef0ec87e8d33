//! Lines of the 40-pin header: who uses which, so that no two parts of the settings take the same.

use super::{ButtonSettings, Settings};

/// Lines that the header of a Raspberry Pi has: 0 to this.
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
    /// Lines that fields name.
    pub(super) fn named_lines(&self) -> Vec<Use> {
        let display = &self.display;
        let pins = [
            ("dc", display.dc),
            ("reset", display.reset),
            ("busy", display.busy),
            ("backlight", display.backlight),
            ("chip_select", display.chip_select),
        ];
        let mut uses: Vec<Use> = pins
            .iter()
            .filter_map(|&(name, pin)| field(&format!("display.{name}"), pin?))
            .collect();
        for (name, keys) in self.buttons.lists() {
            let lines = keys.iter().enumerate().filter_map(|(index, key)| Some((index, line(key)?)));
            uses.extend(lines.map(|(index, line)| named(&format!("buttons.{name}[{index}]"), line)));
        }
        let encoder = self.buttons.encoder.iter().flatten().enumerate();
        uses.extend(encoder.filter_map(|(index, &pin)| field(&format!("buttons.encoder[{index}]"), pin)));
        uses.extend(self.buttons.motion.and_then(|pin| field("buttons.motion", pin)));
        uses
    }

    /// Lines of buses that the displays take, as the header of a Raspberry Pi has them.
    pub(super) fn bus_lines(&self) -> Vec<Use> {
        let mut uses = Vec::new();
        let kind = self.display.kind.as_str();
        if kind.starts_with("spi") || kind.starts_with("epaper") {
            let taken = |line: u32, purpose: &str| Use {
                line,
                field: "display.spi".into(),
                purpose: format!("{purpose} of {}, which display.kind = \"{kind}\" uses", self.display.spi),
            };
            let (clock, data, selects) = if self.display.spi.contains("spidev1.") {
                (21, 20, [18, 17, 16])
            } else {
                (11, 10, [8, 7, 0])
            };
            uses.extend([taken(clock, "the clock"), taken(data, "the data line")]);
            let number = self.display.spi.rsplit('.').next().and_then(|number| number.parse::<usize>().ok());
            if self.display.chip_select.is_none()
                && let Some(&select) = number.and_then(|number| selects.get(number)).filter(|&&select| select > 0)
            {
                uses.push(taken(select, "the chip select"));
            }
        }
        if self.status.kind != "none" && self.status.i2c == "/dev/i2c-1" {
            let taken = |line: u32, purpose: &str| Use {
                line,
                field: "status.i2c".into(),
                purpose: format!(
                    "{purpose} of {}, which status.kind = \"{}\" uses",
                    self.status.i2c, self.status.kind
                ),
            };
            uses.extend([taken(2, "the data line"), taken(3, "the clock")]);
        }
        uses
    }

    /// Takes lines away from lists of keys that nobody wrote where something else uses them.
    pub(super) fn give_way(&mut self) {
        let usual = ButtonSettings::default();
        let mut taken: Vec<u32> = self.bus_lines().into_iter().map(|taken| taken.line).collect();
        let mut own = self.clone();
        for (list, (_, usual)) in own.buttons.lists_mut().into_iter().zip(usual.lists()) {
            if list == usual {
                list.clear();
            }
        }
        taken.extend(own.named_lines().into_iter().map(|named| named.line));
        for (list, (_, usual)) in self.buttons.lists_mut().into_iter().zip(usual.lists()) {
            if list == usual {
                list.retain(|key| line(key).is_none_or(|line| !taken.contains(&line)));
            }
        }
    }
}

fn field(path: &str, line: u8) -> Option<Use> {
    Some(named(path, line.into()))
}

fn named(path: &str, line: u32) -> Use {
    Use {
        line,
        field: path.to_owned(),
        purpose: format!("the line of {path}"),
    }
}
