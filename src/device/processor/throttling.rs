//! Throttling: what the firmware of Raspberry Pis reports about under-voltage and heat, and what x86 processors count. The only
//! reader of either: the kiosk, `bench` and `doctor` use it.
//!
//! * `get_throttled` of the firmware's device below `sys/devices/platform` (the Raspberry Pi kernel's
//!   `drivers/firmware/raspberrypi.c`; hexadecimal without a prefix), or else `vcgencmd get_throttled`; bits as in the
//!   Raspberry Pi documentation, *vcgencmd*.
//! * `sys/devices/system/cpu/cpuN/thermal_throttle/core_throttle_count` (kernel, `arch/x86/kernel/cpu/mce/therm_throt.c`).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{number, numbered, text};
use crate::device::vcgencmd::Vcgencmd;

/// Names of bits 0 to 3, the current state. Bits 16 to 19 are set if it occurred at any time since boot.
const NAMES: [&str; 4] = ["under-voltage", "frequency capped", "throttled", "soft temperature limit"];
const UNDER_VOLTAGE: u32 = 1;
const FREQUENCY_CAPPED: u32 = 1 << 1;
const THROTTLED: u32 = 1 << 2;
const SOFT_LIMIT: u32 = 1 << 3;
/// How far the bits since boot are above those of now.
const SINCE_BOOT: u32 = 16;

/// Buses are children of this folder. Their names depend on the device tree: `soc`, on a Raspberry Pi 5 `soc@107c000000`.
const PLATFORM: &str = "sys/devices/platform";

/// Throttling at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub enum Throttling {
    /// The firmware's bits: 0 under-voltage, 1 frequency capped, 2 throttled, 3 soft temperature limit; 16 to 19 the same at
    /// any time since boot.
    Firmware {
        /// All bits.
        bits: u32,
    },
    /// How often the cores were throttled since boot.
    Events {
        /// The sum over all cores.
        count: u64,
    },
}

impl Throttling {
    /// The firmware's current states, by name. Counted events are never current.
    pub fn now(self) -> Vec<&'static str> {
        names(self.bits())
    }

    /// The states that occurred since boot, by name, as far as the firmware reports them.
    pub fn since_boot(self) -> Vec<&'static str> {
        names(self.bits() >> SINCE_BOOT)
    }

    /// Whether the supply voltage is too low now.
    pub fn is_under_voltage(self) -> bool {
        self.bits() & UNDER_VOLTAGE != 0
    }

    /// Whether the supply voltage is too low now or was at any time since boot.
    pub fn was_under_voltage(self) -> bool {
        (self.bits() | self.bits() >> SINCE_BOOT) & UNDER_VOLTAGE != 0
    }

    /// Whether the processor is slowed down now because of heat. Under-voltage caps and throttles as well, so these bits count
    /// only without it.
    pub fn is_hot(self) -> bool {
        let bits = self.bits();
        bits & SOFT_LIMIT != 0 || bits & UNDER_VOLTAGE == 0 && bits & (FREQUENCY_CAPPED | THROTTLED) != 0
    }

    /// What happened between an earlier reading and this one: bits that are set now or have been set since, or events.
    pub fn since(self, earlier: Throttling) -> Vec<String> {
        match (self, earlier) {
            (Throttling::Firmware { bits }, Throttling::Firmware { bits: before }) => {
                let happened = bits | (bits & !before) >> SINCE_BOOT;
                names(happened).into_iter().map(String::from).collect()
            }
            (Throttling::Events { count }, Throttling::Events { count: before }) if count > before => {
                vec![format!("throttled {} times", count - before)]
            }
            _ => Vec::new(),
        }
    }

    fn bits(self) -> u32 {
        match self {
            Throttling::Firmware { bits } => bits,
            Throttling::Events { .. } => 0,
        }
    }
}

/// Names of the lowest four bits that are set.
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
    /// Looks for a source below `root`, `/` on a board. May run `vcgencmd` from there.
    pub fn find(root: &Path) -> Option<ThrottlingSource> {
        let program = || {
            let program = Vcgencmd::find(root)?;
            program.throttled().is_ok().then_some(ThrottlingSource::Program(program))
        };
        file(root).or_else(program).or_else(|| counters(root))
    }

    /// Looks for a source below `root` that starts no program: safe for another machine's tree, and cheap to read often.
    pub fn find_file(root: &Path) -> Option<ThrottlingSource> {
        file(root).or_else(|| counters(root))
    }

    /// The current state; `None` if the source does not answer.
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

/// The file `BUS/soc:firmware/get_throttled` or `BUS/BUS:firmware/get_throttled`, of the first bus that has one.
fn file(root: &Path) -> Option<ThrottlingSource> {
    let entries = std::fs::read_dir(root.join(PLATFORM)).into_iter().flatten().flatten();
    let mut buses: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    buses.sort();
    let files = buses.iter().flat_map(|bus| {
        let name = bus.file_name().unwrap_or_default().to_string_lossy().into_owned();
        ["soc".to_owned(), name].map(|name| bus.join(format!("{name}:firmware/get_throttled")))
    });
    files.into_iter().find(|file| file.is_file()).map(ThrottlingSource::File)
}

fn counters(root: &Path) -> Option<ThrottlingSource> {
    let cores = numbered(&root.join("sys/devices/system/cpu"), "cpu");
    let files = cores.into_iter().map(|core| core.join("thermal_throttle/core_throttle_count"));
    let files: Vec<PathBuf> = files.filter(|file| file.is_file()).collect();
    (!files.is_empty()).then_some(ThrottlingSource::Counters(files))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firmware(bits: u32) -> Throttling {
        Throttling::Firmware { bits }
    }

    #[test]
    fn bits_of_now_and_since_boot_have_names() {
        assert_eq!(firmware(0x5).now(), ["under-voltage", "throttled"]);
        assert_eq!(firmware(0xA_0000).since_boot(), ["frequency capped", "soft temperature limit"]);
        assert!(firmware(0xF_0000).now().is_empty() && firmware(0xF).since_boot().is_empty());
    }

    #[test]
    fn differences_leave_out_what_happened_before() {
        assert!(firmware(0x50000).since(firmware(0x50000)).is_empty());
        assert_eq!(firmware(0x5_0000).since(firmware(0x1_0000)), ["throttled"]);
        // Set before, during and after.
        assert_eq!(firmware(0x8_0008).since(firmware(0x8_0008)), ["soft temperature limit"]);
        let events = |count| Throttling::Events { count };
        assert!(events(7).since(events(7)).is_empty());
        assert_eq!(events(9).since(events(7)), ["throttled 2 times"]);
        assert!(events(9).since(firmware(0)).is_empty());
    }

    #[test]
    fn heat_is_distinguished_from_a_weak_supply() {
        let state = |bits| (firmware(bits).is_hot(), firmware(bits).is_under_voltage());
        assert_eq!(state(0), (false, false));
        assert_eq!(state(0x80008), (true, false), "soft limit now");
        assert_eq!(state(0xe0006), (true, false), "throttled now");
        assert_eq!(state(0x50005), (false, true), "throttled because of under-voltage");
        assert_eq!(state(0x5000d), (true, true), "both");
        assert_eq!(state(0xf0000), (false, false), "all of it in the past");
        assert!(firmware(0x1_0000).was_under_voltage() && firmware(1).was_under_voltage() && !firmware(0xe_000e).was_under_voltage());
    }

    fn tree(file: &str, text: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
        root
    }

    #[test]
    fn the_file_is_found_on_every_bus_and_is_hexadecimal() {
        for (bus, text, bits) in [
            ("soc/soc:firmware", "50005\n", 0x50005),
            ("soc@107c000000/soc@107c000000:firmware", "0x8\n", 8),
            ("axi/soc:firmware", "0", 0),
        ] {
            let root = tree(&format!("{PLATFORM}/{bus}/get_throttled"), text);
            for source in [ThrottlingSource::find(root.path()), ThrottlingSource::find_file(root.path())] {
                assert_eq!(source.unwrap().read(), Some(firmware(bits)), "{bus}");
            }
        }
        let root = tree(&format!("{PLATFORM}/soc/soc:firmware/get_throttled"), "many");
        assert_eq!(ThrottlingSource::find(root.path()).unwrap().read(), None);
    }

    #[test]
    #[cfg(unix)]
    fn programs_are_started_only_if_asked() {
        use std::os::unix::fs::PermissionsExt;
        let root = tree("usr/bin/vcgencmd", "#!/bin/sh\necho throttled=0x4\n");
        let program = root.path().join("usr/bin/vcgencmd");
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(ThrottlingSource::find_file(root.path()).is_none());
        assert_eq!(ThrottlingSource::find(root.path()).unwrap().read(), Some(firmware(4)));
    }
}
