//! Hardware counters of instructions and cycles of this process (`perf_event_open(2)`).
//!
//! Threads that are started later inherit the counters: open them before the engine.

use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;

use serde::{Deserialize, Serialize};

/// `PERF_TYPE_HARDWARE` of `include/uapi/linux/perf_event.h`.
const HARDWARE: u32 = 0;
/// `PERF_COUNT_HW_CPU_CYCLES` and `PERF_COUNT_HW_INSTRUCTIONS`.
const CYCLES: u64 = 0;
const INSTRUCTIONS: u64 = 1;
/// `PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING`.
const TIMES: u64 = 3;
/// Bits of the flags word: `inherit`, `exclude_kernel`, `exclude_hv`.
const FLAGS: u64 = 1 << 1 | 1 << 5 | 1 << 6;
/// `PERF_FLAG_FD_CLOEXEC`.
const CLOSE_ON_EXEC: libc::c_ulong = 8;

/// The first version of `perf_event_attr`, 64 bytes, which every kernel accepts.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    config1: u64,
}

/// Counts since the counters were opened, in user mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Instructions.
    pub instructions: f64,
    /// Cycles.
    pub cycles: f64,
}

impl Counts {
    /// The difference to an earlier reading.
    pub fn since(self, earlier: Counts) -> Counts {
        Counts {
            instructions: self.instructions - earlier.instructions,
            cycles: self.cycles - earlier.cycles,
        }
    }
}

/// Open counters.
#[derive(Debug)]
pub struct Counters {
    instructions: File,
    cycles: File,
}

/// Why instructions and cycles cannot be counted.
#[derive(Debug, thiserror::Error)]
pub enum CountersError {
    /// The kernel's settings do not permit it.
    #[error("permission denied: `sudo sysctl kernel.perf_event_paranoid=2` lets every user count instructions")]
    Permission,
    /// The processor, or the virtual machine, has no such counters.
    #[error("this processor or virtual machine has no instruction counters")]
    Absent,
    /// The kernel was built without them.
    #[error("this kernel has no perf events")]
    Kernel,
    /// Anything else.
    #[error("perf_event_open: {0}")]
    Other(std::io::Error),
}

impl Counters {
    /// Opens counters of this thread and of all threads that it starts later.
    ///
    /// # Errors
    /// If the kernel does not allow it or the processor has none.
    pub fn open() -> Result<Counters, CountersError> {
        Ok(Counters {
            instructions: open(INSTRUCTIONS)?,
            cycles: open(CYCLES)?,
        })
    }

    /// Reads both. If the kernel multiplexed the counters, counts are extrapolated to the total time.
    ///
    /// # Errors
    /// If the kernel does not answer.
    pub fn read(&mut self) -> std::io::Result<Counts> {
        Ok(Counts {
            instructions: read(&mut self.instructions)?,
            cycles: read(&mut self.cycles)?,
        })
    }
}

fn open(config: u64) -> Result<File, CountersError> {
    let attributes = Attributes {
        kind: HARDWARE,
        size: u32::try_from(std::mem::size_of::<Attributes>()).unwrap_or(64),
        config,
        read_format: TIMES,
        flags: FLAGS,
        ..Attributes::default()
    };
    // SAFETY: the kernel reads `size` bytes of the live struct; the other arguments are plain numbers.
    let descriptor = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            0 as libc::pid_t,
            -1 as libc::c_int,
            -1 as libc::c_int,
            CLOSE_ON_EXEC,
        )
    };
    if descriptor < 0 {
        return Err(meaning(std::io::Error::last_os_error()));
    }
    // SAFETY: the kernel has just created this descriptor, and nothing else owns it.
    Ok(unsafe { File::from_raw_fd(descriptor as libc::c_int) })
}

fn meaning(error: std::io::Error) -> CountersError {
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => CountersError::Permission,
        Some(libc::ENOENT | libc::EOPNOTSUPP | libc::ENODEV) => CountersError::Absent,
        Some(libc::ENOSYS) => CountersError::Kernel,
        _ => CountersError::Other(error),
    }
}

fn read(file: &mut File) -> std::io::Result<f64> {
    let mut bytes = [0; 24];
    file.read_exact(&mut bytes)?;
    let word = |at: usize| u64::from_ne_bytes(std::array::from_fn(|byte| bytes[8 * at + byte])) as f64;
    let (count, enabled, running) = (word(0), word(1), word(2));
    Ok(if running > 0.0 { count * enabled / running } else { count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_version_of_the_struct_has_64_bytes() {
        assert_eq!(std::mem::size_of::<Attributes>(), 64);
    }

    /// Counts a thread's work if counting is possible; otherwise the error has the reason.
    #[test]
    fn work_of_threads_is_counted_or_there_is_a_reason() {
        match Counters::open() {
            Ok(mut counters) => {
                let before = counters.read().unwrap();
                let work = || (0..10_000_000u64).fold(0, |sum, value| std::hint::black_box(sum ^ value));
                std::thread::spawn(work).join().unwrap();
                let counts = counters.read().unwrap().since(before);
                assert!(counts.instructions > 1e7 && counts.cycles > 1e5, "{counts:?}");
            }
            Err(CountersError::Other(error)) => panic!("{error}"),
            Err(error) => assert!(error.to_string().len() > 10),
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        let said = |number| meaning(std::io::Error::from_raw_os_error(number)).to_string();
        assert!(said(libc::EACCES).contains("perf_event_paranoid"));
        assert!(said(libc::ENOENT).contains("virtual machine"));
        assert!(said(libc::ENOSYS).contains("kernel"));
        assert!(said(libc::EINVAL).contains("perf_event_open"));
    }
}
