//! Which board this is: its name, its maker's revision code, its memory.
//!
//! Owns reading these from the kernel's files under a root folder, `/` on a board. Depends on nothing else.
//!
//! * `/proc/device-tree/model`: the name, ended by a zero byte (Devicetree Specification, *model*).
//! * `/proc/device-tree/system/linux,revision` and the line `Revision` of `/proc/cpuinfo`: the revision code of Raspberry
//!   Pi boards (Raspberry Pi documentation, *Raspberry Pi revision codes*).
//! * `/proc/meminfo`, the line `MemTotal`, in KiB.

use std::fmt;
use std::path::Path;

/// What is known of a board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    /// Its name, as `Raspberry Pi 4 Model B Rev 1.4`; without one this is no board with a device tree, such as a desktop.
    pub model: Option<String>,
    /// The revision code, on Raspberry Pis.
    pub revision: Option<Revision>,
    /// The processor's name where the kernel tells it.
    pub processor: Option<String>,
    /// Memory that programs can use, in KiB.
    pub memory: Option<u64>,
}

/// The revision code of a Raspberry Pi.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision(pub u32);

impl Revision {
    /// The type field of new-style codes: 0x11 is the Pi 4 B, 0x12 the Zero 2 W, 0x17 the Pi 5.
    pub fn kind(self) -> Option<u32> {
        self.is_new_style().then_some(self.0 >> 4 & 0xFF)
    }

    /// The chip.
    pub fn chip(self) -> Option<&'static str> {
        let number = self.is_new_style().then_some(self.0 >> 12 & 0xF)?;
        ["BCM2835", "BCM2836", "BCM2837", "BCM2711", "BCM2712"]
            .get(number as usize)
            .copied()
    }

    /// Memory that is fitted, in MiB.
    pub fn memory(self) -> Option<u32> {
        let number = self.is_new_style().then_some(self.0 >> 20 & 0x7)?;
        Some(256 << number)
    }

    fn is_new_style(self) -> bool {
        self.0 >> 23 & 1 == 1
    }
}

impl Board {
    /// Reads what the kernel tells under a root folder. What cannot be read is not known.
    pub fn read(root: &Path) -> Board {
        let text = |path: &str| {
            std::fs::read(root.join(path))
                .ok()
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let processors = text("proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| field(&processors, name);
        let model = text("proc/device-tree/model").map(|model| {
            model
                .trim_matches(|letter: char| letter == '\0' || letter.is_whitespace())
                .to_owned()
        });
        let cells = std::fs::read(root.join("proc/device-tree/system/linux,revision")).ok();
        let revision = cells.and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        Board {
            model: model.filter(|model| !model.is_empty()).or_else(|| field("Model")),
            revision: revision.or_else(|| u32::from_str_radix(&field("Revision")?, 16).ok()).map(Revision),
            processor: field("model name").or_else(|| field("Hardware")),
            memory: self::field(&text("proc/meminfo").unwrap_or_default(), "MemTotal")
                .and_then(|line| line.split(' ').next()?.parse().ok()),
        }
    }

    /// Whether it is a Raspberry Pi.
    pub fn is_raspberry_pi(&self) -> bool {
        self.model.as_ref().is_some_and(|model| model.starts_with("Raspberry Pi"))
    }
}

/// The value of a line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let values = text.lines().filter_map(|line| line.split_once(':'));
    let mut found = values
        .filter(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().to_owned());
    found.next().filter(|value| !value.is_empty())
}

impl fmt::Display for Board {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.model.as_deref().or(self.processor.as_deref()).unwrap_or("unknown board");
        out.write_str(name)?;
        if let Some(chip) = self.revision.and_then(Revision::chip) {
            write!(out, ", {chip}")?;
        }
        match self.memory {
            Some(memory) => write!(out, ", {} MiB", memory / 1024),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree written from the documented formats, not recorded from a board.
    fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        root
    }

    #[test]
    fn a_raspberry_pi_tells_its_model_revision_and_memory() {
        let root = tree(&[
            ("proc/device-tree/model", b"Raspberry Pi Zero 2 W Rev 1.0\0"),
            ("proc/device-tree/system/linux,revision", &[0x00, 0x90, 0x21, 0x20]),
            (
                "proc/cpuinfo",
                b"processor\t: 0\nBogoMIPS\t: 38.40\n\nRevision\t: 902120\nSerial\t\t: 0\nModel\t\t: other\n",
            ),
            ("proc/meminfo", b"MemTotal:         426980 kB\nMemFree:          100 kB\n"),
        ]);
        let board = Board::read(root.path());
        assert_eq!(board.model.as_deref(), Some("Raspberry Pi Zero 2 W Rev 1.0"));
        let revision = board.revision.unwrap();
        assert_eq!(
            (revision.kind(), revision.chip(), revision.memory()),
            (Some(0x12), Some("BCM2837"), Some(512))
        );
        assert_eq!(board.to_string(), "Raspberry Pi Zero 2 W Rev 1.0, BCM2837, 416 MiB");
        assert!(board.is_raspberry_pi());
    }

    #[test]
    fn revision_codes_are_taken_apart() {
        // Examples of the documentation's table: 3 B, 4 B with 4 GB, 5 with 8 GB; and an old one.
        let parts = |code| (Revision(code).kind(), Revision(code).chip(), Revision(code).memory());
        assert_eq!(parts(0xA0_2082), (Some(0x08), Some("BCM2837"), Some(1024)));
        assert_eq!(parts(0xC0_3111), (Some(0x11), Some("BCM2711"), Some(4096)));
        assert_eq!(parts(0xD0_4170), (Some(0x17), Some("BCM2712"), Some(8192)));
        assert_eq!(parts(0x000E), (None, None, None));
    }

    #[test]
    fn cpuinfo_is_enough() {
        let root = tree(&[(
            "proc/cpuinfo",
            b"processor\t: 0\nHardware\t: BCM2835\nRevision\t: c03111\nModel\t\t: Raspberry Pi 4 Model B Rev 1.1\n",
        )]);
        let board = Board::read(root.path());
        assert_eq!(board.model.as_deref(), Some("Raspberry Pi 4 Model B Rev 1.1"));
        assert_eq!(board.revision, Some(Revision(0xC0_3111)));
        assert_eq!(board.processor.as_deref(), Some("BCM2835"));
        assert_eq!(board.memory, None);
    }

    #[test]
    fn other_machines_are_no_raspberry_pi() {
        let desktop = tree(&[
            ("proc/cpuinfo", b"model name\t: A Processor @ 3 GHz\n"),
            ("proc/meminfo", b"MemTotal: 16000000 kB\n"),
        ]);
        let board = Board::read(desktop.path());
        assert_eq!(board.to_string(), "A Processor @ 3 GHz, 15625 MiB");
        assert!(!board.is_raspberry_pi());
        let garbage = tree(&[
            ("proc/device-tree/model", b"\0\0"),
            ("proc/cpuinfo", b"\xff\xfe:\nRevision: zz\n"),
            ("proc/meminfo", b"MemTotal: many"),
        ]);
        assert_eq!(Board::read(garbage.path()), Board::default());
        assert_eq!(Board::read("/nonexistent".as_ref()).to_string(), "unknown board");
        // This machine, whatever it is.
        assert!(Board::read("/".as_ref()).memory.is_some_and(|memory| memory > 1024));
    }
}
