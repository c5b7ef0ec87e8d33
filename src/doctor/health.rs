//! Power supply and clock.
//!
//! Throttling is read by [`ThrottlingSource`]. For the clock: `/sys/class/rtc`, and `/run/systemd/timesync/synchronized`, which
//! systemd-timesyncd creates (its manual page).

use std::path::Path;
use std::time::SystemTime;

use super::Finding;
use super::machine::Machine;
use crate::device::processor::{Throttling, ThrottlingSource};
use crate::pack::MANIFEST;

pub(super) fn examine(machine: &Machine, pack: &Path) -> Vec<Finding> {
    let mut findings: Vec<Finding> = supply(machine).into_iter().collect();
    let written = std::fs::metadata(pack.join(MANIFEST)).and_then(|metadata| metadata.modified()).ok();
    findings.push(clock(machine, written, SystemTime::now()));
    findings
}

/// Whether the supply is sufficient; nothing on machines whose firmware does not report it.
fn supply(machine: &Machine) -> Option<Finding> {
    // Programs of another machine's tree are not run.
    let source = if machine.is_this() {
        ThrottlingSource::find(machine.root())
    } else {
        ThrottlingSource::find_file(machine.root())
    };
    let Throttling::Firmware { bits } = source?.read()? else {
        return None;
    };
    Some(judge(Throttling::Firmware { bits }).figure("flags", format!("0x{bits:x}")))
}

fn judge(throttling: Throttling) -> Finding {
    let fix = if throttling.was_under_voltage() {
        "use the manufacturer's power supply and a short, thick cable; under-voltage corrupts memory cards"
    } else {
        "improve the cooling: add a heat sink or more air flow"
    };
    let (now, earlier) = (throttling.now(), throttling.since_boot());
    match (now.is_empty(), earlier.is_empty()) {
        (true, true) => Finding::ok("supply", "no under-voltage or throttling since boot"),
        (false, _) => Finding::warning("supply", format!("now: {}", now.join(", "))).fix(fix),
        (true, false) => Finding::warning("supply", format!("since boot: {}", earlier.join(", "))).fix(fix),
    }
}

/// A clock earlier than the pack's files was never set.
fn clock(machine: &Machine, pack_written: Option<SystemTime>, now: SystemTime) -> Finding {
    let has_rtc = !machine.names("sys/class/rtc", "rtc").is_empty();
    let synchronized = machine.path("run/systemd/timesync/synchronized").exists();
    let finding = if pack_written.is_some_and(|written| now < written) {
        Finding::warning(
            "clock",
            "the clock is earlier than the pack's files, so it was never set; schedules and dates will be wrong",
        )
        .fix("connect to a network once, add a real-time clock, or run `sudo date -s '2026-01-31 12:00'`")
    } else if synchronized {
        Finding::ok("clock", "synchronized over the network")
    } else if has_rtc {
        Finding::ok("clock", "kept by a real-time clock")
    } else {
        Finding::note(
            "clock",
            "no real-time clock, and not synchronized over the network; wrong after a power cut",
        )
        .fix("connect to a network, or add a real-time clock (dtoverlay=i2c-rtc,ds3231)")
    };
    finding.figure("has_rtc", has_rtc).figure("synchronized", synchronized)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;
    use std::time::Duration;

    #[test]
    fn states_of_now_and_since_boot_are_reported() {
        let judged = |bits| judge(Throttling::Firmware { bits });
        assert_eq!(judged(0).severity, Severity::Ok);
        let now = judged(0x50005);
        assert_eq!(
            (now.severity, now.says.as_str()),
            (Severity::Warning, "now: under-voltage, throttled")
        );
        let earlier = judged(0x80000);
        assert_eq!(earlier.says, "since boot: soft temperature limit");
        assert!(earlier.fix.unwrap().contains("heat sink"));
        assert!(judged(0x10000).fix.unwrap().contains("power supply"));
    }

    #[test]
    fn a_clock_earlier_than_the_pack_was_never_set() {
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
