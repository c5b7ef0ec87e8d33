//! The machine that is examined: the kernel's files below a root folder, and whether this user can open devices.
//! Depends on nothing else in this crate.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the firmware's settings are: from Debian 12 on, and before.
#[cfg(feature = "kiosk")]
const FIRMWARE_SETTINGS: [&str; 2] = ["boot/firmware/config.txt", "boot/config.txt"];

/// A system below a root folder.
pub(super) struct Machine {
    root: PathBuf,
    user: User,
}

/// The user who runs the checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct User {
    /// The login name, or the user id if it has none.
    pub name: String,
    id: u32,
    groups: Vec<u32>,
}

/// Whether a file can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The file does not exist.
    Absent,
    /// It can be opened.
    Granted,
    /// Permission denied. The group that has the permission, unless that is root's.
    Denied(Option<String>),
}

impl Machine {
    pub fn new(root: &Path) -> Machine {
        let mut machine = Machine {
            root: root.to_owned(),
            user: User::default(),
        };
        machine.user = machine.read_user();
        machine
    }

    /// Whether it is the machine that this program runs on.
    pub fn is_this(&self) -> bool {
        self.root == Path::new("/")
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn user(&self) -> &User {
        &self.user
    }

    /// The path of one of its files, given the absolute path there.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The trimmed text of a file; `None` if it cannot be read.
    pub fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let bytes = fs::read(self.path(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// Names in a folder with a prefix, in natural order: `card2` before `card10`.
    pub fn names(&self, folder: &str, beginning: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.starts_with(beginning)).collect();
        names.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
        names
    }

    /// Device files whose names are a prefix followed by a digit: `/dev/spidev0.0`.
    pub fn devices(&self, beginning: &str) -> Vec<PathBuf> {
        let (folder, beginning) = beginning.rsplit_once('/').unwrap_or(("", beginning));
        let numbered = |name: &String| name[beginning.len()..].starts_with(|first: char| first.is_ascii_digit());
        let names = self.names(folder, beginning).into_iter().filter(numbered);
        names.map(|name| Path::new(folder).join(name)).collect()
    }

    /// Whether this user can read a file and, if `write` is set, write it.
    pub fn access(&self, path: &Path, write: bool) -> Access {
        let file = self.path(path);
        let Ok(metadata) = fs::metadata(&file) else {
            return Access::Absent;
        };
        if self.may(&file, &metadata, write) {
            return Access::Granted;
        }
        Access::Denied(self.owning_group(&metadata))
    }

    /// Asks the kernel, which also considers access control lists.
    #[cfg(all(feature = "kiosk", unix))]
    fn may(&self, file: &Path, metadata: &fs::Metadata, write: bool) -> bool {
        use rustix::fs::Access as Wanted;
        let wanted = if write {
            Wanted::READ_OK | Wanted::WRITE_OK
        } else {
            Wanted::READ_OK
        };
        if self.is_this() {
            rustix::fs::access(file, wanted).is_ok()
        } else {
            self.user.may(metadata, write)
        }
    }

    #[cfg(not(all(feature = "kiosk", unix)))]
    fn may(&self, _: &Path, metadata: &fs::Metadata, write: bool) -> bool {
        self.user.may(metadata, write)
    }

    #[cfg(unix)]
    fn owning_group(&self, metadata: &fs::Metadata) -> Option<String> {
        use std::os::unix::fs::MetadataExt;
        let (groups, id) = (self.text("etc/group")?, metadata.gid());
        let mut named = groups.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, number) = (fields.next()?, fields.nth(1)?.parse::<u32>().ok()?);
            (number == id && id != 0).then(|| name.to_owned())
        });
        named.next()
    }

    #[cfg(not(unix))]
    fn owning_group(&self, _: &fs::Metadata) -> Option<String> {
        None
    }

    /// Reads `/proc/self/status` (`proc(5)`: `Uid` real, effective, saved, file system) and `/etc/passwd`.
    fn read_user(&self) -> User {
        let status = self.text("proc/self/status").unwrap_or_default();
        let numbers = |name: &str| -> Vec<u32> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let words = line.unwrap_or_default().split_whitespace();
            words.filter_map(|word| word.parse().ok()).collect()
        };
        let id = numbers("Uid").get(1).copied().unwrap_or_default();
        let groups = numbers("Gid").get(1).copied().into_iter().chain(numbers("Groups")).collect();
        let passwords = self.text("etc/passwd").unwrap_or_default();
        let named = passwords.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, number) = (fields.next()?, fields.nth(1)?.parse::<u32>().ok()?);
            (number == id).then(|| name.to_owned())
        });
        User {
            name: named.unwrap_or_else(|| id.to_string()),
            id,
            groups,
        }
    }

    /// Whether the firmware's settings, or a file that they include, contain a line that is not a comment.
    #[cfg(feature = "kiosk")]
    pub fn firmware_setting(&self, line: &str) -> bool {
        let Some(file) = FIRMWARE_SETTINGS.iter().find(|file| self.path(file).is_file()) else {
            return false;
        };
        let text = self.text(file).unwrap_or_default();
        let beside = |name: &str| self.text(Path::new(file).with_file_name(name.trim()));
        let included = text.lines().filter_map(|written| written.trim().strip_prefix("include "));
        let texts: Vec<String> = included.filter_map(beside).collect();
        let mut lines = text.lines().chain(texts.iter().flat_map(|text| text.lines()));
        lines.any(|written| written.trim() == line)
    }

    /// The path of the firmware's settings, for messages.
    #[cfg(feature = "kiosk")]
    pub fn firmware_file(&self) -> String {
        let there = FIRMWARE_SETTINGS.iter().find(|file| self.path(file).is_file());
        format!("/{}", there.unwrap_or(&FIRMWARE_SETTINGS[0]))
    }
}

impl User {
    #[cfg(unix)]
    fn may(&self, metadata: &fs::Metadata, write: bool) -> bool {
        use std::os::unix::fs::MetadataExt;
        let wanted = if write { 0o6 } else { 0o4 };
        let place = match (metadata.uid() == self.id, self.groups.contains(&metadata.gid())) {
            (true, _) => 6,
            (false, true) => 3,
            (false, false) => 0,
        };
        self.id == 0 || metadata.mode() >> place & wanted == wanted
    }

    #[cfg(not(unix))]
    fn may(&self, _: &fs::Metadata, _: bool) -> bool {
        true
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    /// A tree with a device with these permissions, and a user who is in these groups.
    fn tree(mode: u32, groups: &str) -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().unwrap();
        for folder in ["dev", "etc", "proc/self"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let device = root.path().join("dev/spidev0.0");
        fs::write(&device, "").unwrap();
        fs::set_permissions(&device, fs::Permissions::from_mode(mode)).unwrap();
        let status = format!("Uid:\t4242\t4242\t4242\t4242\nGid:\t4242\t4242\t4242\t4242\nGroups:\t{groups}\n");
        fs::write(root.path().join("proc/self/status"), status).unwrap();
        fs::write(
            root.path().join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\npi:x:4242:4242::/home/pi:/bin/sh\n",
        )
        .unwrap();
        let group = fs::metadata(&device).unwrap().gid();
        fs::write(root.path().join("etc/group"), format!("root:x:0:\nspi:x:{group}:\n")).unwrap();
        let machine = Machine::new(root.path());
        (root, machine)
    }

    #[test]
    fn modes_and_groups_decide() {
        let device = Path::new("/dev/spidev0.0");
        let (root, machine) = tree(0o660, "10 20");
        let group = fs::metadata(root.path().join("dev/spidev0.0")).unwrap().gid();
        // Joining root's group is not advised.
        let advice = (group != 0).then(|| "spi".to_owned());
        assert_eq!(machine.access(device, true), Access::Denied(advice));
        assert_eq!(machine.user().name, "pi");
        assert_eq!(machine.access("/dev/spidev0.1".as_ref(), true), Access::Absent);
        let (_root, machine) = tree(0o660, &format!("10 {group}"));
        assert_eq!(machine.access(device, true), Access::Granted);
        let (_root, machine) = tree(0o644, "");
        assert_eq!(machine.access(device, false), Access::Granted);
        assert!(matches!(machine.access(device, true), Access::Denied(_)));
    }

    #[test]
    fn devices_are_listed_in_the_order_of_their_numbers() {
        let (root, machine) = tree(0o600, "");
        for name in ["i2c-10", "i2c-2", "i2c-x", "spidev0.1"] {
            fs::write(root.path().join("dev").join(name), "").unwrap();
        }
        assert_eq!(machine.devices("/dev/i2c-"), [Path::new("/dev/i2c-2"), Path::new("/dev/i2c-10")]);
        assert_eq!(machine.devices("/dev/spidev").len(), 2);
        assert_eq!(machine.devices("/dev/dri/card"), Vec::<PathBuf>::new());
    }

    #[test]
    #[cfg(feature = "kiosk")]
    fn comments_are_no_settings() {
        let (root, machine) = tree(0o600, "");
        assert_eq!(machine.firmware_file(), "/boot/firmware/config.txt");
        fs::create_dir_all(root.path().join("boot")).unwrap();
        fs::write(root.path().join("boot/config.txt"), "#dtparam=i2c_arm=on\n dtparam=spi=on\n").unwrap();
        assert_eq!(machine.firmware_file(), "/boot/config.txt");
        assert!(machine.firmware_setting("dtparam=spi=on") && !machine.firmware_setting("dtparam=i2c_arm=on"));
        fs::write(root.path().join("boot/inkstone.txt"), "[all]\ndtparam=i2c_arm=on\n").unwrap();
        assert!(!machine.firmware_setting("dtparam=i2c_arm=on"));
        fs::write(root.path().join("boot/config.txt"), "dtparam=spi=on\ninclude inkstone.txt\n").unwrap();
        assert!(machine.firmware_setting("dtparam=spi=on") && machine.firmware_setting("dtparam=i2c_arm=on"));
    }
}
