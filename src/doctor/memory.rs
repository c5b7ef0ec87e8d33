//! Memory and swap, compared with what the pack and the program need.
//!
//! * `/proc/meminfo` in KiB (`proc(5)`); `MemAvailable` is what programs can allocate without swapping.
//! * `/proc/swaps`: one line per swap area; compressed memory is `/dev/zram*` (`Documentation/admin-guide/blockdev/zram.rst`).

use super::Finding;
use super::machine::Machine;

/// Private memory of a kiosk with a small pack, in bytes; used if no picture could be drawn to measure it.
const USUAL_PRIVATE: u64 = 40 << 20;
/// Additional private memory of a display and its fonts, in bytes: two frames of 1920×1080.
const KIOSK: u64 = 20 << 20;

/// What drawing needs, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// Mapped weights, whose pages the kernel may drop and read again.
    pub weights: u64,
    /// Private memory.
    pub private: u64,
}

impl Default for Need {
    fn default() -> Need {
        Need {
            weights: 0,
            private: USUAL_PRIVATE,
        }
    }
}

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Memory {
    total: u64,
    available: u64,
    swap: u64,
}

impl Memory {
    fn parse(text: &str) -> Memory {
        let kibibytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
            number.unwrap_or_default() * 1024
        };
        Memory {
            total: kibibytes("MemTotal"),
            available: kibibytes("MemAvailable"),
            swap: kibibytes("SwapTotal"),
        }
    }
}

pub(super) fn mebibytes(bytes: u64) -> u64 {
    bytes >> 20
}

pub(super) fn examine(machine: &Machine, need: Need) -> Vec<Finding> {
    let memory = Memory::parse(&machine.text("proc/meminfo").unwrap_or_default());
    if memory.total == 0 {
        return vec![Finding::note("memory", "the amount of memory is unknown")];
    }
    vec![enough(memory, need), swap(machine, memory)]
}

fn enough(memory: Memory, need: Need) -> Finding {
    let private = need.private + KIOSK;
    let (free, private_mib, weights) = (mebibytes(memory.available), mebibytes(private), mebibytes(need.weights));
    let fits = format!(
        "{free} of {} MiB are free; a kiosk needs {private_mib} MiB",
        mebibytes(memory.total)
    );
    let finding = if memory.available < private && memory.total < private {
        Finding::fault("memory", format!("{fits}, more than there is")).fix("use a smaller pack or a board with more memory")
    } else if memory.available < private {
        Finding::warning("memory", format!("{fits}; it would be swapped or killed"))
            .fix("close other programs, or use the Lite system without a desktop")
    } else if memory.available < private + need.weights {
        Finding::warning(
            "memory",
            format!("{fits} and the weights {weights} MiB more, which will be read from storage repeatedly"),
        )
        .fix("close other programs, or use the Lite system without a desktop")
    } else {
        Finding::ok(
            "memory",
            format!("{fits} and the weights {weights} MiB that can be dropped and read again"),
        )
    };
    finding
        .figure("total_mib", mebibytes(memory.total))
        .figure("available_mib", free)
        .figure("private_mib", private_mib)
        .figure("weights_mib", weights)
}

fn swap(machine: &Machine, memory: Memory) -> Finding {
    let areas = machine.text("proc/swaps").unwrap_or_default();
    let names = areas.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    let kind = |name: &str| if name.contains("zram") { "zram" } else { "disk" };
    let mut kinds: Vec<&str> = names.map(kind).collect();
    kinds.dedup();
    let size = mebibytes(memory.swap);
    let finding = match kinds.as_slice() {
        [] if memory.total < 1 << 30 => {
            Finding::note("swap", "none; if memory runs out, the kernel kills programs").fix("sudo apt install systemd-zram-generator")
        }
        [] => Finding::ok("swap", "none, and memory is sufficient"),
        kinds if kinds.contains(&"disk") => Finding::note(
            "swap",
            format!("{size} MiB, partly in a file or partition, which wears out memory cards"),
        )
        .fix("prefer compressed memory: sudo apt install systemd-zram-generator"),
        _ => Finding::ok("swap", format!("{size} MiB in compressed memory (zram)")),
    };
    finding.figure("swap_mib", size).figure("kinds", kinds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    fn severity(available: u64, need: Need) -> Severity {
        let memory = Memory {
            total: 512 << 20,
            available: available << 20,
            swap: 0,
        };
        enough(memory, need).severity
    }

    #[test]
    fn memory_is_weighed_against_the_need() {
        let need = |private: u64, weights: u64| Need {
            private: private << 20,
            weights: weights << 20,
        };
        assert_eq!(severity(200, need(30, 21)), Severity::Ok);
        assert_eq!(severity(60, need(30, 21)), Severity::Warning);
        assert_eq!(severity(20, need(30, 21)), Severity::Warning);
        assert_eq!(severity(200, need(600, 900)), Severity::Fault);
    }

    #[test]
    fn meminfo_is_read() {
        let memory = Memory::parse("MemTotal:         426980 kB\nMemAvailable:   300000 kB\nSwapTotal:        102396 kB\n");
        assert_eq!(
            (memory.total, memory.available, memory.swap),
            (426_980 << 10, 300_000 << 10, 102_396 << 10)
        );
        assert_eq!(Memory::parse("MemTotal: many"), Memory::default());
    }
}
