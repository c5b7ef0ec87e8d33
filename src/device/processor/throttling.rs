//! Throttling: what the firmware of Raspberry Pis says of under-voltage and heat, and what x86 processors count.
//!
//! * `sys/devices/platform/soc/soc:firmware/get_throttled` (the Raspberry Pi kernel's firmware driver; hexadecimal without
//!   a prefix), where it is absent `vcgencmd get_throttled`; bits by Raspberry Pi documentation, *vcgencmd*.
//! * `sys/devices/system/cpu/cpuN/thermal_throttle/core_throttle_count` (kernel, `arch/x86/kernel/cpu/mce/therm_throt.c`).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{number, numbered, text};
use crate::device::vcgencmd::Vcgencmd;

/// Names of the bits 0 to 3; 16 places higher they say that it has happened since the start.
const NAMES: [&str; 4] = ["under-voltage", "clock capped", "throttled", "soft temperature limit"];

/// Below the root; the second is that of Raspberry Pi 5 kernels, whose bus has another address.
const FILES: [&str; 2] = [
    "sys/devices/platform/soc/soc:firmware/get_throttled",
    "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled",
];

/// Throttling at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub enum Throttling {
    /// The firmware's bits: 0 under-voltage, 1 clock capped, 2 throttled, 3 soft temperature limit; 16 to 19 the same at
    /// any time since the start.
    Firmware {
        /// All bits.
        bits: u32,
    },
    /// How often the cores were throttled since the start.
    Events {
        /// The sum over all cores.
        count: u64,
    },
}

impl Throttling {
    /// What is wrong now, by the firmware.
    pub fn now(self) -> Vec<&'static str> {
        match self {
            Throttling::Firmware { bits } => names(bits),
            Throttling::Events { .. } => Vec::new(),
        }
    }

    /// What happened between an earlier reading and this one: bits that are set now or have been set since, or events.
    pub fn since(self, earlier: Throttling) -> Vec<String> {
        match (self, earlier) {
            (Throttling::Firmware { bits }, Throttling::Firmware { bits: before }) => {
                let happened = bits & 0xF | (bits & !before) >> 16 & 0xF;
                names(happened).into_iter().map(String::from).collect()
            }
            (Throttling::Events { count }, Throttling::Events { count: before }) if count > before => {
                vec![format!("throttled {} times", count - before)]
            }
            _ => Vec::new(),
        }
    }
}

fn names(bits: u32) -> Vec<&'static str> {
    let set = NAMES.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    set.map(|(_, name)| *name).collect()
}

/// Where throttling is read.
#[derive(Clone, Debug)]
pub enum ThrottlingSource {
    /// A file of the firmware's driver.
    File(PathBuf),
    /// The firmware's own program, started for each reading.
    Program(Vcgencmd),
    /// Counters of x86 cores.
    Counters(Vec<PathBuf>),
}

impl ThrottlingSource {
    /// Looks for a source below `root`.
    pub fn find(root: &Path) -> Option<ThrottlingSource> {
        let file = FILES.iter().map(|file| root.join(file)).find(|file| file.is_file());
        let counters = || {
            let cores = numbered(&root.join("sys/devices/system/cpu"), "cpu");
            let files = cores.into_iter().map(|core| core.join("thermal_throttle/core_throttle_count"));
            let files: Vec<PathBuf> = files.filter(|file| file.is_file()).collect();
            (!files.is_empty()).then_some(ThrottlingSource::Counters(files))
        };
        let program = || {
            let program = Vcgencmd::find(root)?;
            program.throttled().is_ok().then_some(ThrottlingSource::Program(program))
        };
        file.map(ThrottlingSource::File).or_else(program).or_else(counters)
    }

    /// Reads it now.
    pub fn read(&self) -> Option<Throttling> {
        match self {
            ThrottlingSource::File(file) => {
                let bits = u32::from_str_radix(text(file)?.trim_start_matches("0x"), 16).ok()?;
                Some(Throttling::Firmware { bits })
            }
            ThrottlingSource::Program(program) => program.throttled().ok().map(|bits| Throttling::Firmware { bits }),
            ThrottlingSource::Counters(files) => {
                let count = files.iter().filter_map(|file| number(file)).sum::<f64>();
                Some(Throttling::Events { count: count as u64 })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firmware(bits: u32) -> Throttling {
        Throttling::Firmware { bits }
    }

    #[test]
    fn bits_that_are_set_or_became_sticky_happened() {
        assert_eq!(firmware(0x5).now(), ["under-voltage", "throttled"]);
        // Sticky from before the run: nothing happened during it.
        assert!(firmware(0x50000).since(firmware(0x50000)).is_empty());
        assert_eq!(firmware(0x5_0000).since(firmware(0x1_0000)), ["throttled"]);
        // Set before, during and after.
        assert_eq!(firmware(0x8_0008).since(firmware(0x8_0008)), ["soft temperature limit"]);
    }

    #[test]
    fn events_are_differences() {
        let events = |count| Throttling::Events { count };
        assert!(events(7).since(events(7)).is_empty());
        assert_eq!(events(9).since(events(7)), ["throttled 2 times"]);
        assert!(events(9).since(firmware(0)).is_empty());
    }

    #[test]
    fn the_file_is_hexadecimal_with_or_without_prefix() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILES[0]);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        for (text, bits) in [("50005\n", 0x50005), ("0x8\n", 8)] {
            std::fs::write(&file, text).unwrap();
            let source = ThrottlingSource::find(folder.path()).unwrap();
            assert_eq!(source.read(), Some(firmware(bits)));
        }
        std::fs::write(&file, "many").unwrap();
        assert_eq!(ThrottlingSource::File(file).read(), None);
    }
}
