//! Supply and clock.
//!
//! * The firmware's throttling state on a Raspberry Pi, a hexadecimal number in `get_throttled` of the firmware's device
//!   (`drivers/firmware/raspberrypi.c`); its bits are those of `vcgencmd get_throttled` (Raspberry Pi documentation).
//! * `/sys/class/rtc`, and `/run/systemd/timesync/synchronized`, which systemd-timesyncd makes (its manual page).

use std::path::Path;
use std::time::SystemTime;

use super::Finding;
use super::machine::Machine;
use crate::pack::MANIFEST;

/// Bits of now; those of the time since the start are sixteen higher.
const STATES: [(u32, &str); 4] = [
    (0, "under-voltage"),
    (1, "the frequency is capped"),
    (2, "throttled"),
    (3, "the soft temperature limit is reached"),
];
const SINCE_START: u32 = 16;

pub(super) fn examine(machine: &Machine, pack: &Path) -> Vec<Finding> {
    let mut findings: Vec<Finding> = supply(machine).into_iter().collect();
    let written = std::fs::metadata(pack.join(MANIFEST)).and_then(|about| about.modified()).ok();
    findings.push(clock(machine, written, SystemTime::now()));
    findings
}

fn supply(machine: &Machine) -> Option<Finding> {
    let folders = machine.names("sys/devices/platform", "soc").into_iter();
    let mut states = folders.filter_map(|folder| machine.text(format!("sys/devices/platform/{folder}/soc:firmware/get_throttled")));
    let text = states.next()?;
    let flags = u32::from_str_radix(text.strip_prefix("0x").unwrap_or(&text), 16).ok()?;
    Some(judged(flags).figure("flags", format!("0x{flags:x}")))
}

fn judged(flags: u32) -> Finding {
    let set = |first: u32| {
        let states = STATES.iter().filter(move |(bit, _)| flags >> (first + bit) & 1 == 1);
        states.map(|(_, name)| *name).collect::<Vec<_>>()
    };
    let (now, earlier) = (set(0), set(SINCE_START));
    let under_voltage = (flags | flags >> SINCE_START) & 1 == 1;
    let fix = if under_voltage {
        "use the maker's power supply and a short, thick cable; under-voltage ends in broken cards"
    } else {
        "give it air or a heat sink"
    };
    match (now.is_empty(), earlier.is_empty()) {
        (true, true) => Finding::ok("supply", "neither under-voltage nor throttling since the start"),
        (false, _) => Finding::warning("supply", format!("right now: {}", now.join(", "))).fix(fix),
        (true, false) => Finding::warning("supply", format!("since the start there was: {}", earlier.join(", "))).fix(fix),
    }
}

/// A clock that is behind the pack's own files was never set.
fn clock(machine: &Machine, pack_written: Option<SystemTime>, now: SystemTime) -> Finding {
    let has_rtc = !machine.names("sys/class/rtc", "rtc").is_empty();
    let synchronized = machine.path("run/systemd/timesync/synchronized").exists();
    let finding = if pack_written.is_some_and(|written| now < written) {
        Finding::warning(
            "clock",
            "the clock is behind the pack's own files, so nobody has set it; hours and dates will be wrong",
        )
        .fix("connect it to a network once, fit a real-time clock, or `sudo date -s '2026-01-31 12:00'`")
    } else if synchronized {
        Finding::ok("clock", "set by the network")
    } else if has_rtc {
        Finding::ok("clock", "kept by a real-time clock")
    } else {
        Finding::note(
            "clock",
            "there is no real-time clock and the network has not set the time; after a power cut it is wrong",
        )
        .fix("connect it to a network or fit a real-time clock (dtoverlay=i2c-rtc,ds3231)")
    };
    finding.figure("has_rtc", has_rtc).figure("synchronized", synchronized)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;
    use std::time::Duration;

    #[test]
    fn flags_tell_of_now_and_of_earlier() {
        assert_eq!(judged(0).severity, Severity::Ok);
        let now = judged(0x50005);
        assert_eq!(
            (now.severity, now.says.as_str()),
            (Severity::Warning, "right now: under-voltage, throttled")
        );
        let earlier = judged(0x80000);
        assert_eq!(earlier.says, "since the start there was: the soft temperature limit is reached");
        assert!(earlier.fix.unwrap().contains("heat sink"));
        assert!(judged(0x10000).fix.unwrap().contains("power supply"));
    }

    #[test]
    fn a_clock_behind_the_pack_was_never_set() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::new(root.path());
        let now = SystemTime::now();
        let written = |ago: i64| {
            let apart = Duration::from_secs(ago.unsigned_abs());
            Some(if ago > 0 { now - apart } else { now + apart })
        };
        assert_eq!(clock(&machine, written(60), now).severity, Severity::Note);
        assert_eq!(clock(&machine, written(-60), now).severity, Severity::Warning);
        std::fs::create_dir_all(root.path().join("sys/class/rtc/rtc0")).unwrap();
        assert_eq!(clock(&machine, written(60), now).severity, Severity::Ok);
        assert_eq!(clock(&machine, None, now).severity, Severity::Ok);
    }
}
