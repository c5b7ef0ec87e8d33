//! Processor time of the whole machine and of this process, and page faults.
//!
//! * `proc/stat`, the line `cpu`: time of all cores in ticks (`proc_stat(5)`).
//! * `getrusage(2)` of this process.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::text;

/// Page faults of this process since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageFaults {
    /// Faults that read from storage.
    pub major: u64,
    /// Faults served from memory.
    pub minor: u64,
}

/// Processor time since an arbitrary point in time, the sum over all cores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Time spent on any work, in seconds.
    pub busy: f64,
    /// Time spent on any work or idle, in seconds.
    pub total: f64,
    /// Time taken by the hypervisor for other machines, in seconds.
    pub stolen: f64,
    /// Time spent on this process, in seconds.
    pub own: f64,
    /// Page faults of this process.
    pub faults: PageFaults,
}

/// What others used between two readings, as fractions of all cores' time in 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OtherLoad {
    /// Other processes and the kernel.
    pub processes: f64,
    /// Other virtual machines.
    pub stolen: f64,
}

impl Load {
    /// The current values, with `proc/stat` read below `root`; `None` if the system does not have it.
    pub fn now(root: &Path) -> Option<Load> {
        let stat = text(&root.join("proc/stat"))?;
        let (busy, total, stolen) = ticks(&stat)?;
        let (own, faults) = own();
        let second = ticks_per_second();
        Some(Load {
            busy: busy / second,
            total: total / second,
            stolen: stolen / second,
            own: own.as_secs_f64(),
            faults,
        })
    }

    /// What others used between an earlier reading and this one; `None` if the interval is too short to tell.
    pub fn others_since(self, earlier: Load) -> Option<OtherLoad> {
        let total = self.total - earlier.total;
        if total < 10.0 / ticks_per_second() {
            return None;
        }
        let others = (self.busy - earlier.busy) - (self.own - earlier.own);
        Some(OtherLoad {
            processes: (others / total).clamp(0.0, 1.0),
            stolen: ((self.stolen - earlier.stolen) / total).clamp(0.0, 1.0),
        })
    }
}

/// Busy, total and stolen ticks: user, nice, system, idle, iowait, irq, softirq, steal.
fn ticks(stat: &str) -> Option<(f64, f64, f64)> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Vec<f64> = line.split_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, idle, waiting, interrupts, soft, stolen] = *fields.as_slice() else {
        return None;
    };
    let busy = user + nice + system + interrupts + soft;
    Some((busy, busy + idle + waiting + stolen, stolen))
}

fn ticks_per_second() -> f64 {
    // SAFETY: sysconf takes a number and touches no memory of ours.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    if ticks > 0 { ticks as f64 } else { 100.0 }
}

/// Processor time and page faults of this process.
fn own() -> (Duration, PageFaults) {
    // SAFETY: all-zero bytes are a valid `rusage`, a struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live `rusage` that the kernel fills.
    let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    if result != 0 {
        return Default::default();
    }
    let time = |time: libc::timeval| Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64);
    let faults = PageFaults {
        major: usage.ru_majflt as u64,
        minor: usage.ru_minflt as u64,
    };
    (time(usage.ru_utime) + time(usage.ru_stime), faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_told_apart() {
        let stat = "cpu  100 10 40 800 50 5 5 90 7 0\ncpu0 1 2 3 4 5 6 7 8\n";
        assert_eq!(ticks(stat), Some((160.0, 1100.0, 90.0)));
        assert_eq!(ticks("cpu  1 2 x"), None);
    }

    #[test]
    fn others_are_what_is_left() {
        let load = |busy, total, stolen, own| Load {
            busy,
            total,
            stolen,
            own,
            faults: PageFaults::default(),
        };
        let others = load(30.0, 120.0, 4.0, 12.0).others_since(load(10.0, 20.0, 2.0, 2.0)).unwrap();
        assert_eq!((others.processes, others.stolen), (0.1, 0.02));
        assert_eq!(load(1.0, 20.0, 0.0, 1.0).others_since(load(1.0, 20.0, 0.0, 1.0)), None);
    }

    #[test]
    fn this_process_works_and_faults() {
        let before = Load::now("/".as_ref()).unwrap();
        let block = vec![1u8; 64 << 20];
        let mut sum = std::hint::black_box(&block).iter().map(|&byte| u64::from(byte)).sum::<u64>();
        while own().0.as_secs_f64() < before.own + 0.05 {
            sum = std::hint::black_box(sum + 1);
        }
        let after = Load::now("/".as_ref()).unwrap();
        assert!(after.own >= before.own + 0.05 && after.total > before.total, "{before:?} {after:?}");
        assert!(after.faults.minor > before.faults.minor, "{before:?} {after:?}");
    }
}
