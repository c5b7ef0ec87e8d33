//! Resident memory of this process as Linux counts it: private pages, which only the process can free, and file-backed pages
//! (the program and the mapped weights), which the kernel drops under pressure and reads again.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// Resident memory in bytes.
///
/// ```
/// if let Some(memory) = inkstone::process::Memory::now() {
///     println!("{} MiB private", memory.private_bytes >> 20);
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Heap, stacks and other anonymous pages.
    pub private_bytes: u64,
    /// Pages of mapped files.
    pub mapped_bytes: u64,
}

impl Memory {
    /// The current values; `None` on systems without `/proc`.
    pub fn now() -> Option<Memory> {
        Memory::read(Path::new("/proc/self/status"))
    }

    /// The sum of both.
    pub fn resident_bytes(self) -> u64 {
        self.private_bytes + self.mapped_bytes
    }

    /// Reads a file in the format of `/proc/PID/status`.
    pub fn read(status: &Path) -> Option<Memory> {
        let text = std::fs::read_to_string(status).ok()?;
        let kibibytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        };
        Some(Memory {
            private_bytes: kibibytes("RssAnon")? * 1024,
            mapped_bytes: kibibytes("RssFile")? * 1024,
        })
    }
}

/// The maximum of several samples, for private and mapped memory separately.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeakMemory(Memory);

impl PeakMemory {
    /// Takes a sample.
    pub fn sample(&mut self) {
        if let Some(now) = Memory::now() {
            self.0.private_bytes = self.0.private_bytes.max(now.private_bytes);
            self.0.mapped_bytes = self.0.mapped_bytes.max(now.mapped_bytes);
        }
    }

    /// The maximum so far.
    pub fn peak(&self) -> Memory {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let status = folder.path().join("status");
        std::fs::write(&status, "Name:\tx\nVmRSS:\t  50 kB\nRssAnon:\t   8124 kB\nRssFile:\t  11000 kB\n").unwrap();
        assert_eq!(
            Memory::read(&status),
            Some(Memory {
                private_bytes: 8124 << 10,
                mapped_bytes: 11_000 << 10
            })
        );
        std::fs::write(&status, "Name:\tx\n").unwrap();
        assert_eq!(Memory::read(&status), None);
    }
}
