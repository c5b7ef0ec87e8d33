//! Devices that this user has no permission to open, and the command that grants it.

use super::Finding;
use super::machine::{Access, Machine};

/// Prefixes of device files, whether they are written to, and the group that owns them on Debian and Raspberry Pi OS.
const DEVICES: [(&str, bool, &str); 7] = [
    ("/dev/dri/card", true, "video"),
    ("/dev/dri/renderD", true, "render"),
    ("/dev/fb", true, "video"),
    ("/dev/gpiochip", true, "gpio"),
    ("/dev/spidev", true, "spi"),
    ("/dev/i2c-", true, "i2c"),
    ("/dev/input/event", false, "input"),
];

pub(super) fn examine(machine: &Machine) -> Finding {
    let (mut closed, mut groups) = (Vec::new(), Vec::new());
    for (beginning, write, usual) in DEVICES {
        let denied = |path: &std::path::PathBuf| match machine.access(path, write) {
            Access::Denied(group) => Some(group.unwrap_or_else(|| usual.to_owned())),
            Access::Absent | Access::Granted => None,
        };
        if let Some(group) = machine.devices(beginning).iter().find_map(denied) {
            closed.push(format!("{beginning}*"));
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
    }
    let user = &machine.user().name;
    let finding = if closed.is_empty() {
        Finding::ok("permissions", format!("{user} can open every device"))
    } else {
        Finding::warning("permissions", format!("{user} has no permission to open {}", closed.join(", ")))
            .fix(format!("{}, then log in again", join_groups(&groups, user)))
    };
    finding.figure("user", user.as_str()).figure("groups", groups)
}

/// The command that adds a user to groups.
pub(super) fn join_groups(groups: &[String], user: &str) -> String {
    format!("sudo usermod -aG {} {user}", groups.join(","))
}

/// The fix for one device file that cannot be opened.
#[cfg(feature = "kiosk")]
pub(super) fn advice(machine: &Machine, group: Option<String>, usual: &str) -> String {
    let group = group.unwrap_or_else(|| usual.to_owned());
    format!("{}, then log in again", join_groups(&[group], &machine.user().name))
}
