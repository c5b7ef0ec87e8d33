//! The storage device of the pack, and its read speed.
//!
//! * `/proc/self/mountinfo` (`proc(5)`): device and mount point are its third and fifth fields, type and source follow ` - `.
//! * `/sys/dev/block/MAJOR:MINOR/uevent`: `DEVNAME`; `/sys/block/NAME/queue/rotational` and, for cards,
//!   `/sys/block/mmcblk0/device/type`: `SD` or `MMC` (the kernel's `Documentation/driver-api/mmc/mmc-dev-attrs.rst`).
//! * `/proc/self/io`, `read_bytes`: what was read from storage, not from the page cache (`proc(5)`).

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Finding;
use super::machine::Machine;
use crate::pack::WEIGHTS;

/// Limits of the measurement.
const LONGEST: Duration = Duration::from_secs(2);
const MOST: u64 = 64 << 20;
const BLOCK: usize = 1 << 20;
/// Slower cards are defective or unsuitable, in MiB/s: class 10 guarantees 10 MB/s.
const SLOW: f64 = 8.0;

/// The file system that a path is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Its mount point.
    pub point: PathBuf,
    /// Its type: `ext4`, `overlay`, `tmpfs`.
    pub file_system: String,
    /// Its device number, such as `179:2`.
    device: String,
    /// The mounted device.
    source: String,
}

impl Mount {
    /// The file system of a path: the longest matching mount point, the last of equal ones.
    pub fn of(machine: &Machine, path: &Path) -> Option<Mount> {
        let text = machine.text("proc/self/mountinfo")?;
        let mounts = text.lines().filter_map(Mount::parse);
        mounts
            .filter(|mount| path.starts_with(&mount.point))
            .max_by_key(|mount| mount.point.as_os_str().len())
    }

    /// Whether its content is lost at a restart.
    #[cfg_attr(not(feature = "kiosk"), allow(dead_code, reason = "only kiosks keep pictures"))]
    pub fn forgets(&self) -> bool {
        ["overlay", "tmpfs", "ramfs"].contains(&self.file_system.as_str())
    }

    fn parse(line: &str) -> Option<Mount> {
        let (before, after) = line.split_once(" - ")?;
        let before: Vec<&str> = before.split(' ').collect();
        let mut after = after.split(' ');
        Some(Mount {
            point: before.get(4)?.replace("\\040", " ").into(),
            device: (*before.get(2)?).to_owned(),
            file_system: after.next()?.to_owned(),
            source: after.next()?.to_owned(),
        })
    }

    /// The disk's name without the partition number: `mmcblk0`.
    fn disk(&self, machine: &Machine) -> String {
        let event = machine.text(format!("sys/dev/block/{}/uevent", self.device)).unwrap_or_default();
        let name = event.lines().find_map(|line| line.strip_prefix("DEVNAME="));
        let name = name.unwrap_or_else(|| self.source.trim_start_matches("/dev/"));
        let blocks = machine.names("sys/block", "");
        let disk = blocks
            .iter()
            .filter(|disk| name.starts_with(disk.as_str()))
            .max_by_key(|disk| disk.len());
        disk.map_or(name, String::as_str).to_owned()
    }
}

/// The kind of a disk, for messages.
fn kind(machine: &Machine, disk: &str) -> &'static str {
    let about = |file: &str| machine.text(format!("sys/block/{disk}/{file}"));
    if disk.starts_with("mmcblk") {
        return match about("device/type").as_deref() {
            Some("MMC") => "eMMC",
            _ => "SD card",
        };
    }
    match (disk, about("removable").as_deref(), about("queue/rotational").as_deref()) {
        (name, ..) if name.starts_with("nvme") => "NVMe disk",
        (name, ..) if name.starts_with("vd") || name.starts_with("xvd") => "virtual disk",
        (_, Some("1"), _) => "USB stick",
        (_, _, Some("1")) => "hard disk",
        (_, _, Some("0")) => "solid-state disk",
        _ => "storage",
    }
}

/// The result of the measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Speed {
    bytes: u64,
    time: Duration,
    /// Bytes that came from storage, if known.
    fetched: Option<u64>,
}

impl Speed {
    fn mebibytes_per_second(self) -> f64 {
        self.bytes as f64 / 1_048_576.0 / self.time.as_secs_f64().max(1e-9)
    }

    /// Whether at least 90 % came from storage.
    fn is_from_storage(self) -> Option<bool> {
        self.fetched.map(|fetched| fetched >= self.bytes / 10 * 9)
    }
}

pub(super) fn examine(machine: &Machine, pack: &Path) -> Finding {
    let place = fs::canonicalize(pack).unwrap_or_else(|_| pack.to_owned());
    let mount = Mount::of(machine, &place);
    let disk = mount.as_ref().map(|mount| mount.disk(machine)).unwrap_or_default();
    let on = match &mount {
        Some(mount) => format!("{} {disk} ({})", kind(machine, &disk), mount.file_system),
        None => "unknown device".into(),
    };
    let measured = machine.is_this().then(|| measure(&place.join(WEIGHTS)).ok()).flatten();
    let finding = match measured {
        None => Finding::note("storage", format!("{on}; speed not measured")),
        Some(speed) => judged(&on, speed),
    };
    let rounded = measured.map(|speed| speed.mebibytes_per_second().round());
    finding
        .figure("device", disk.as_str())
        .figure("kind", kind(machine, &disk))
        .figure("read_mib_per_second", rounded)
        .figure("from_storage", measured.and_then(Speed::is_from_storage))
}

fn judged(on: &str, speed: Speed) -> Finding {
    let rate = speed.mebibytes_per_second();
    let read = format!("{on}: {rate:.0} MiB/s over {} MiB of the pack's weights", speed.bytes >> 20);
    match speed.is_from_storage() {
        Some(true) if rate < SLOW => {
            Finding::warning("storage", format!("{read}, from storage; that is slow")).fix("copy the pack to a card of class A1 or faster")
        }
        Some(true) => Finding::ok("storage", format!("{read}, from storage")),
        Some(false) => Finding::note(
            "storage",
            format!("{read}, mostly from the page cache: the speed of the storage is unknown"),
        ),
        None => Finding::note("storage", format!("{read}; unknown how much of it came from the page cache")),
    }
}

/// Reads a file for up to two seconds, after dropping it from the page cache. Pages that another process has mapped stay there,
/// so what came from storage is counted.
fn measure(path: &Path) -> std::io::Result<Speed> {
    let mut file = File::open(path)?;
    forget(&file);
    let (before, start) = (fetched(), Instant::now());
    let (mut bytes, mut block) = (0, vec![0; BLOCK]);
    while bytes < MOST && start.elapsed() < LONGEST {
        match file.read(&mut block)? {
            0 => break,
            read => bytes += read as u64,
        }
    }
    let time = start.elapsed();
    let fetched = fetched().zip(before).map(|(after, before)| after.saturating_sub(before));
    Ok(Speed { bytes, time, fetched })
}

#[cfg(all(feature = "kiosk", target_os = "linux"))]
fn forget(file: &File) {
    if let Err(error) = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed) {
        log::debug!("the page cache is not dropped: {error}");
    }
}

#[cfg(not(all(feature = "kiosk", target_os = "linux")))]
fn forget(_: &File) {}

/// Bytes that this process has read from storage so far.
fn fetched() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/io").ok()?;
    text.lines().find_map(|line| line.strip_prefix("read_bytes:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    #[test]
    fn the_longest_mount_point_holds_a_path() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        let mounts = "22 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw\n\
                      30 22 0:25 / /run rw - tmpfs tmpfs rw\n\
                      40 22 8:1 / /media/my\\040stick rw - vfat /dev/sda1 rw\nbroken\n";
        fs::write(root.path().join("proc/self/mountinfo"), mounts).unwrap();
        let machine = Machine::new(root.path());
        let of = |path: &str| Mount::of(&machine, path.as_ref()).unwrap();
        assert_eq!((of("/srv/pack").device.as_str(), of("/run/x").forgets()), ("179:2", true));
        assert_eq!(of("/media/my stick/pack").source, "/dev/sda1");
        assert_eq!(of("/runner").file_system, "ext4");
        assert_eq!(of("/srv").disk(&machine), "mmcblk0p2");
        fs::create_dir_all(root.path().join("sys/block/mmcblk0/device")).unwrap();
        assert_eq!(of("/srv").disk(&machine), "mmcblk0");
        assert_eq!(kind(&machine, "mmcblk0"), "SD card");
        fs::write(root.path().join("sys/block/mmcblk0/device/type"), "MMC\n").unwrap();
        assert_eq!(kind(&machine, "mmcblk0"), "eMMC");
    }

    #[test]
    fn what_came_from_memory_is_no_speed_of_the_card() {
        let speed = |fetched, seconds| Speed {
            bytes: 20 << 20,
            time: Duration::from_secs(seconds),
            fetched,
        };
        let severity = |speed| judged("SD card", speed).severity;
        assert_eq!(severity(speed(Some(20 << 20), 1)), Severity::Ok);
        assert_eq!(severity(speed(Some(20 << 20), 10)), Severity::Warning);
        assert_eq!(severity(speed(Some(0), 1)), Severity::Note);
        assert_eq!(severity(speed(None, 1)), Severity::Note);
    }

    #[test]
    fn a_file_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights");
        fs::write(&file, vec![1; 3 << 20]).unwrap();
        assert_eq!(measure(&file).unwrap().bytes, 3 << 20);
        assert!(measure(&folder.path().join("absent")).is_err());
    }
}
