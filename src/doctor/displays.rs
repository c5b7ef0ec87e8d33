//! Which displays a machine has, and whether the display of the settings would work. What there is to check is in the row of
//! the display's driver: nothing here knows a display by name.
//!
//! On this machine the drivers themselves list what there is. For the tree of another machine it is read from
//! `/sys/class/drm/cardN-CONNECTOR/status` and `modes` (the kernel's `Documentation/gpu/drm-uapi.rst`, sysfs) and from device
//! files.

use std::path::{Path, PathBuf};

use super::machine::{Access, Machine};
use super::{Finding, Severity, access};
use crate::device::display::{Auto, DisplayError, DisplaySettings, Driver, Drivers, Found, Presence};
use crate::kiosk::settings::Settings;

/// The words of a problem that a group membership solves.
const DENIED: &str = "permission denied";

pub(super) fn examine(machine: &Machine, settings: &Settings) -> Vec<Finding> {
    let drivers = Drivers::shipped();
    let found = list(machine, &drivers);
    let mut findings = vec![listed(&found), examine_display(machine, &settings.display, &drivers, &found)];
    findings.extend(settings.status.as_ref().map(|status| second(machine, status, &drivers, &found)));
    findings
}

/// What `doctor` reports about one display and the machine's displays: for programs that add drivers of their own.
pub(super) fn examine_one(machine: &Machine, display: &DisplaySettings, drivers: &Drivers) -> Vec<Finding> {
    let found = list(machine, drivers);
    vec![listed(&found), examine_display(machine, display, drivers, &found)]
}

/// The kiosk does without a second display that does not work.
fn second(machine: &Machine, status: &DisplaySettings, drivers: &Drivers, found: &[Found]) -> Finding {
    let finding = examine_display(machine, status, drivers, found);
    Finding {
        check: "status-display",
        severity: finding.severity.min(Severity::Warning),
        ..finding
    }
}

fn listed(found: &[Found]) -> Finding {
    let line = |found: &Found| match &found.problem {
        Some(problem) => format!("{} ({problem})", found.kind),
        None => found.kind.clone(),
    };
    let lines: Vec<String> = found.iter().map(line).collect();
    let entries: Vec<serde_json::Value> = found
        .iter()
        .map(|found| serde_json::json!({ "kind": found.kind, "about": found.about, "problem": found.problem }))
        .collect();
    Finding::ok("displays", lines.join(", ")).figure("found", entries)
}

fn list(machine: &Machine, drivers: &Drivers) -> Vec<Found> {
    if machine.is_this() {
        return drivers.list();
    }
    let found = drivers.listed().into_iter().map(|(kind, driver)| match driver.presence() {
        Presence::Connectors(_) => connectors(machine, driver),
        Presence::DeviceFiles { prefix, group } => device_files(machine, &kind, prefix, group),
        Presence::Folder(_) => vec![Found::usable(kind, driver.about())],
        // Those of another machine cannot be seen from here.
        Presence::Session { .. } | Presence::Terminal(_) | Presence::Unknown => Vec::new(),
    });
    found.flatten().collect()
}

fn device_files(machine: &Machine, kind: &str, prefix: &str, group: &str) -> Vec<Found> {
    let file = |path: PathBuf| Found {
        kind: kind.to_owned(),
        about: path.display().to_string(),
        problem: problem(machine, &path, group).map(|(problem, _)| problem),
    };
    machine.devices(prefix).into_iter().map(file).collect()
}

fn connectors(machine: &Machine, driver: &Driver) -> Vec<Found> {
    let folders = machine.names("sys/class/drm", "card").into_iter();
    let connector = |folder: String| {
        let (card, name) = folder.split_once('-')?;
        let about = |file: &str| machine.text(format!("sys/class/drm/{folder}/{file}"));
        let card = PathBuf::from(format!("/dev/dri/{card}"));
        let denied = problem(machine, &card, "video").map(|(problem, _)| problem);
        let absent = (about("status")? != "connected").then(|| "nothing is connected".to_owned());
        Some(Found {
            kind: format!("{}:{name}", driver.name()),
            about: format!("{} {}", card.display(), about("modes").unwrap_or_default().replace('\n', " ")),
            problem: denied.or(absent),
        })
    };
    folders.filter_map(connector).collect()
}

/// Why a device file cannot be used, and what to do.
fn problem(machine: &Machine, path: &Path, group: &str) -> Option<(String, String)> {
    match machine.access(path, true) {
        Access::Granted => None,
        Access::Denied(owner) => Some((format!("{}: {DENIED}", path.display()), access::advice(machine, owner, group))),
        Access::Absent => Some((format!("{}: there is no such device", path.display()), enable(machine, group))),
    }
}

/// What to do about an absent device of a group: how to enable the bus or the graphics driver on a Raspberry Pi.
fn enable(machine: &Machine, group: &str) -> String {
    let line = match group {
        "spi" => "dtparam=spi=on",
        "i2c" => "dtparam=i2c_arm=on",
        "video" => "dtoverlay=vc4-kms-v3d",
        "gpio" => return "this machine has no GPIO lines: choose another display".into(),
        _ => return "connect it, or name the device file that it has".into(),
    };
    let file = machine.firmware_file();
    if machine.firmware_setting(line) {
        format!("{file} has the line {line} already: restart the board")
    } else {
        format!("add the line {line} to {file}, as `inkstone-board` does for the panels that it supports, and restart the board")
    }
}

fn examine_display(machine: &Machine, display: &DisplaySettings, drivers: &Drivers, found: &[Found]) -> Finding {
    let finding = match display.kind.driver() {
        Some(driver) => chosen(machine, display, driver, found),
        None => automatic(machine, drivers, found),
    };
    finding.figure("kind", display.kind.to_string())
}

fn chosen(machine: &Machine, display: &DisplaySettings, driver: &Driver, found: &[Found]) -> Finding {
    if let Err(error) = driver.check(display) {
        return invalid(&error);
    }
    match driver.presence() {
        Presence::Connectors(_) => connector(driver, display.kind.detail(), found, machine),
        Presence::DeviceFiles { .. } => devices(machine, display),
        Presence::Session { absent, advice, .. } => session(driver, found, absent, advice),
        Presence::Terminal(_) => Finding::note("display", "the terminal that the kiosk is started in"),
        Presence::Folder(folder) => folder_of_pictures(machine, &folder(display)),
        Presence::Unknown => Finding::note(
            "display",
            format!("{}: nothing is known about it before it is opened", display.kind),
        ),
    }
}

fn invalid(error: &DisplayError) -> Finding {
    match error {
        DisplayError::Absent { display, problem, advice } => {
            Finding::fault("display", format!("{display}: {problem}")).fix(advice.as_str())
        }
        other => Finding::fault("display", other.to_string()),
    }
}

/// As `auto` looks for displays. A missing permission is a fault, since nobody looks at the folder of pictures that `auto` falls
/// back to.
fn automatic(machine: &Machine, drivers: &Drivers, found: &[Found]) -> Finding {
    let tried = |driver: &Driver| matches!(driver.auto(), Auto::If(_));
    let names: Vec<&str> = drivers.iter().filter(|driver| tried(driver)).map(Driver::name).collect();
    let screens = || found.iter().filter(|found| names.contains(&name(found)));
    if let Some(usable) = screens().find(|found| found.problem.is_none()) {
        return Finding::ok("display", format!("{}: {}", usable.kind, usable.about));
    }
    if let Some(problem) = screens().find_map(denied) {
        return Finding::fault("display", problem).fix(access::advice(machine, None, "video"));
    }
    Finding::warning(
        "display",
        "there is none; pictures would be written to the folder `frames`, where nobody looks",
    )
    .fix("plug one in, or name a panel on SPI or I2C in [display] of the settings")
}

/// The driver's name of something that was found.
fn name(found: &Found) -> &str {
    found.kind.split(':').next().unwrap_or_default()
}

fn denied(found: &Found) -> Option<&str> {
    found.problem.as_deref().filter(|problem| problem.contains(DENIED))
}

fn connector(driver: &Driver, requested: Option<&str>, found: &[Found], machine: &Machine) -> Finding {
    let all = || found.iter().filter(|found| name(found) == driver.name());
    let is_requested = |found: &&Found| {
        let connector = found.kind.split_once(':').map(|(_, connector)| connector);
        connector.is_some_and(|connector| requested.is_none_or(|requested| requested.eq_ignore_ascii_case(connector)))
    };
    if let Some(usable) = all().filter(is_requested).find(|found| found.problem.is_none()) {
        return Finding::ok("display", format!("{}: {}", usable.kind, usable.about));
    }
    if let Some(problem) = all().find_map(denied) {
        return Finding::fault("display", problem).fix(access::advice(machine, None, "video"));
    }
    let kind = requested.map_or(driver.name().to_owned(), |requested| format!("{}:{requested}", driver.name()));
    let connectors: Vec<&str> = all().map(|found| found.kind.as_str()).collect();
    if connectors.is_empty() {
        return Finding::fault("display", format!("{kind}: no graphics card has a connector")).fix(enable(machine, "video"));
    }
    Finding::fault(
        "display",
        format!("{kind}: nothing is connected; the connectors are {}", connectors.join(", ")),
    )
    .fix("plug the display in before the board starts; for a display that is switched on later, add video=HDMI-A-1:D to cmdline.txt")
}

fn session(driver: &Driver, found: &[Found], absent: &str, advice: &str) -> Finding {
    match found.iter().find(|found| name(found) == driver.name()) {
        Some(found) => Finding::ok("display", format!("{}: {}", found.kind, found.about)),
        None => Finding::fault("display", absent).fix(advice),
    }
}

fn folder_of_pictures(machine: &Machine, folder: &Path) -> Finding {
    // A relative path is relative to the working directory, which is one of this machine.
    let place = if folder.is_absolute() {
        folder.to_owned()
    } else {
        std::env::current_dir().unwrap_or_default().join(folder)
    };
    let existing = place.ancestors().find(|folder| machine.path(folder).is_dir());
    match existing.map(|existing| machine.access(existing, true)) {
        Some(Access::Granted) => Finding::ok("display", format!("a folder of pictures, {}", folder.display())),
        _ => Finding::fault(
            "display",
            format!("{}: {} may not write there", folder.display(), machine.user().name),
        )
        .fix("choose another folder"),
    }
}

/// The device files of a display, and the chip of its pins, have to exist and be permitted.
fn devices(machine: &Machine, display: &DisplaySettings) -> Finding {
    let mut needed: Vec<(PathBuf, &str)> = display
        .devices()
        .iter()
        .map(|device| (device.path().to_owned(), device.group()))
        .collect();
    if !display.pins().is_empty() {
        needed.insert(needed.len().min(1), (gpio_chip(machine, display), "gpio"));
    }
    if let Some((problem, fix)) = needed.iter().find_map(|(path, group)| problem(machine, path, group)) {
        return Finding::fault("display", format!("{}: {problem}", display.kind)).fix(fix);
    }
    let paths: Vec<String> = needed.iter().map(|(path, _)| path.display().to_string()).collect();
    Finding::ok(
        "display",
        format!(
            "{} on {}; whether a panel answers shows only when it is drawn on",
            display.kind,
            paths.join(", ")
        ),
    )
}

/// The chip of the display's pins.
fn gpio_chip(machine: &Machine, display: &DisplaySettings) -> PathBuf {
    let header = || super::buttons::header_chip(machine).map(|(chip, _)| chip);
    display.chip.clone().or_else(header).unwrap_or_else(|| "/dev/gpiochip0".into())
}
