//! What there is to show on, and whether the display that the settings name is among it.
//!
//! On this machine the kiosk's own probe tells. Of another machine's tree: `/sys/class/drm/cardN-CONNECTOR/status` and
//! `modes` (the kernel's `Documentation/gpu/drm-uapi.rst`, sysfs), and device files.

use std::path::{Path, PathBuf};

use super::machine::{Access, Machine};
use super::{Finding, Severity, access};
use crate::device::display::probe::{self, Found};
use crate::device::display::{DisplayKind, DisplaySettings};
use crate::kiosk::settings::Settings;

const FRAMEBUFFER: &str = "/dev/fb0";

pub(super) fn examine(machine: &Machine, settings: &Settings) -> Vec<Finding> {
    let found = if machine.is_this() { probe::list() } else { list(machine) };
    let chosen = chosen(machine, &settings.display, &found);
    let second = settings.status.as_ref().map(|status| {
        let finding = chosen_second(machine, status, &found);
        finding.figure("kind", status.kind.to_string())
    });
    let mut findings = vec![told(&found), chosen.figure("kind", settings.display.kind.to_string())];
    findings.extend(second);
    findings
}

/// A kiosk leaves a second display out that does not work.
fn chosen_second(machine: &Machine, status: &DisplaySettings, found: &[Found]) -> Finding {
    let finding = chosen(machine, status, found);
    Finding {
        check: "status-display",
        severity: finding.severity.min(Severity::Warning),
        ..finding
    }
}

fn told(found: &[Found]) -> Finding {
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

fn list(machine: &Machine) -> Vec<Found> {
    let mut found = connectors(machine);
    let kinds = [
        ("framebuffer", "/dev/fb", "video"),
        ("spi or epaper", "/dev/spidev", "spi"),
        ("ssd1306", "/dev/i2c-", "i2c"),
    ];
    for (kind, beginning, group) in kinds {
        found.extend(machine.devices(beginning).into_iter().map(|path| Found {
            kind: kind.to_owned(),
            about: path.display().to_string(),
            problem: problem(machine, &path, group).map(|(problem, _)| problem),
        }));
    }
    found.push(Found {
        kind: "png".into(),
        about: "a folder of pictures".into(),
        problem: None,
    });
    found
}

fn connectors(machine: &Machine) -> Vec<Found> {
    let folders = machine.names("sys/class/drm", "card").into_iter();
    let connector = |folder: String| {
        let (card, name) = folder.split_once('-')?;
        let about = |file: &str| machine.text(format!("sys/class/drm/{folder}/{file}"));
        let card = PathBuf::from(format!("/dev/dri/{card}"));
        let denied = problem(machine, &card, "video").map(|(problem, _)| problem);
        let absent = (about("status")? != "connected").then(|| "nothing is connected".to_owned());
        Some(Found {
            kind: format!("kms:{name}"),
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
        Access::Denied(owner) => Some((
            format!("{}: permission denied", path.display()),
            access::advice(machine, owner, group),
        )),
        Access::Absent => Some((format!("{}: there is no such device", path.display()), switch_on(machine, group))),
    }
}

/// How the bus that a group owns is switched on.
fn switch_on(machine: &Machine, group: &str) -> String {
    let (line, file) = match group {
        "spi" => ("dtparam=spi=on", machine.firmware_file()),
        "i2c" => ("dtparam=i2c_arm=on", machine.firmware_file()),
        _ => ("dtoverlay=vc4-kms-v3d", machine.firmware_file()),
    };
    if machine.firmware_setting(line) {
        format!("{file} has the line {line} already: restart the board")
    } else {
        format!("add the line {line} to {file}, as `inkstone-board` does for the panels that it lists, and restart the board")
    }
}

fn chosen(machine: &Machine, display: &DisplaySettings, found: &[Found]) -> Finding {
    if let Some(feature) = missing_feature(&display.kind) {
        return Finding::fault("display", format!("{}: this program was built without it", display.kind))
            .fix(format!("build it with `--features {feature}`, or choose another display"));
    }
    match &display.kind {
        DisplayKind::Auto => automatic(machine, found),
        DisplayKind::Kms(connector) => kms(connector.as_deref(), found, machine),
        DisplayKind::Framebuffer(path) => {
            let path = path.as_deref().unwrap_or(Path::new(FRAMEBUFFER));
            devices(machine, display, vec![(path.to_owned(), "video")])
        }
        DisplayKind::Window(_) => named(
            found,
            "window",
            "there is no desktop (DISPLAY is not set)",
            "log in to the desktop, or choose kms",
        ),
        DisplayKind::Terminal(_) => Finding::note("display", "the terminal that the kiosk is started in"),
        DisplayKind::Png(folder) => folder_of_pictures(machine, folder.as_deref()),
        DisplayKind::Spi(_) => devices(machine, display, vec![(display.spi_or_usual(), "spi"), header(machine, display)]),
        DisplayKind::EPaper(model) => epaper(machine, display, model),
        DisplayKind::Ssd1306 => devices(machine, display, vec![(display.i2c_or_usual(), "i2c")]),
    }
}

fn missing_feature(kind: &DisplayKind) -> Option<&'static str> {
    let (built, feature) = match kind {
        DisplayKind::Kms(_) => (cfg!(feature = "kms"), "kms"),
        DisplayKind::Framebuffer(_) => (cfg!(feature = "framebuffer"), "framebuffer"),
        DisplayKind::Window(_) => (cfg!(feature = "window"), "window"),
        DisplayKind::Spi(_) => (cfg!(feature = "spi-tft"), "spi-tft"),
        DisplayKind::EPaper(_) => (cfg!(feature = "e-paper"), "e-paper"),
        DisplayKind::Ssd1306 => (cfg!(feature = "status-display"), "status-display"),
        DisplayKind::Auto | DisplayKind::Terminal(_) | DisplayKind::Png(_) => (true, ""),
    };
    (!built).then_some(feature)
}

/// As the kiosk looks: KMS, framebuffer, window, terminal. What is only forbidden ends it, since a folder of pictures is
/// nothing that anybody looks at.
fn automatic(machine: &Machine, found: &[Found]) -> Finding {
    let screens = ["kms", "framebuffer", "window", "terminal"];
    let is_screen = |found: &&Found| screens.iter().any(|kind| found.kind.starts_with(kind));
    let usable = found.iter().filter(is_screen).find(|found| found.problem.is_none());
    let forbidden = found
        .iter()
        .filter(is_screen)
        .find_map(|found| found.problem.as_ref().filter(|problem| problem.contains("permission denied")));
    match (usable, forbidden) {
        (Some(usable), _) => Finding::ok("display", format!("{}: {}", usable.kind, usable.about)),
        (None, Some(problem)) => Finding::fault("display", problem.as_str()).fix(access::advice(machine, None, "video")),
        (None, None) => Finding::warning(
            "display",
            "none is there; pictures would go into the folder `frames`, where nobody looks",
        )
        .fix("plug one in, or name a panel on SPI or I2C in [display] of the settings"),
    }
}

fn kms(wanted: Option<&str>, found: &[Found], machine: &Machine) -> Finding {
    let is_wanted = |found: &&Found| {
        let name = found.kind.strip_prefix("kms:");
        name.is_some_and(|name| wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(name)))
    };
    let asked = wanted.map_or("kms".to_owned(), |wanted| format!("kms:{wanted}"));
    let all: Vec<&Found> = found.iter().filter(|found| found.kind.starts_with("kms")).collect();
    if let Some(usable) = found.iter().filter(is_wanted).find(|found| found.problem.is_none()) {
        return Finding::ok("display", format!("{}: {}", usable.kind, usable.about));
    }
    if let Some(problem) = all
        .iter()
        .find_map(|found| found.problem.as_ref().filter(|problem| problem.contains("permission denied")))
    {
        return Finding::fault("display", problem.as_str()).fix(access::advice(machine, None, "video"));
    }
    if all.is_empty() {
        return Finding::fault("display", format!("{asked}: no graphics card has a connector")).fix(switch_on(machine, "video"));
    }
    let there: Vec<&str> = all.iter().map(|found| found.kind.as_str()).collect();
    Finding::fault(
        "display",
        format!("{asked}: nothing is connected there; the connectors are {}", there.join(", ")),
    )
    .fix("plug the display in before the board starts; for a display that is switched on later add video=HDMI-A-1:D to cmdline.txt")
}

fn named(found: &[Found], kind: &str, absent: &str, fix: &str) -> Finding {
    match found.iter().find(|found| found.kind == kind) {
        Some(found) => Finding::ok("display", format!("{kind}: {}", found.about)),
        None => Finding::fault("display", absent).fix(fix),
    }
}

fn folder_of_pictures(machine: &Machine, folder: Option<&Path>) -> Finding {
    let folder = folder.unwrap_or(Path::new("frames"));
    // A relative one is below the folder that the kiosk is started in, which is this machine's.
    let place = if folder.is_absolute() {
        folder.to_owned()
    } else {
        std::env::current_dir().unwrap_or_default().join(folder)
    };
    let there = place.ancestors().find(|folder| machine.path(folder).is_dir());
    match there.map(|there| machine.access(there, true)) {
        Some(Access::Granted) => Finding::ok("display", format!("a folder of pictures, {}", folder.display())),
        _ => Finding::fault(
            "display",
            format!("{}: {} may not write there", folder.display(), machine.user().name),
        )
        .fix("choose another folder"),
    }
}

fn epaper(machine: &Machine, display: &DisplaySettings, model: &str) -> Finding {
    #[cfg(all(target_os = "linux", feature = "e-paper"))]
    {
        use crate::device::display::epaper::Model;
        let names = Model::ALL.map(Model::name);
        if model != "inky" && !names.contains(&model) {
            return Finding::fault("display", format!("epaper:{model}: there is no such model"))
                .fix(format!("write inky, {}", names.join(", ")));
        }
    }
    let mut needed = vec![(display.spi_or_usual(), "spi"), header(machine, display)];
    // An Inky is asked what it is.
    needed.extend((model == "inky").then(|| (display.i2c_or_usual(), "i2c")));
    devices(machine, display, needed)
}

/// The chip of the header's lines.
fn header(machine: &Machine, display: &DisplaySettings) -> (PathBuf, &'static str) {
    let chip = display
        .chip
        .clone()
        .or_else(|| super::buttons::header_chip(machine).map(|(chip, _)| chip));
    (chip.unwrap_or_else(|| "/dev/gpiochip0".into()), "gpio")
}

/// Every device that a display needs has to be there and be permitted.
fn devices(machine: &Machine, display: &DisplaySettings, needed: Vec<(PathBuf, &str)>) -> Finding {
    let problem = needed.iter().find_map(|(path, group)| problem(machine, path, group));
    match problem {
        Some((problem, fix)) => Finding::fault("display", format!("{}: {problem}", display.kind)).fix(fix),
        None => {
            let paths: Vec<String> = needed.iter().map(|(path, _)| path.display().to_string()).collect();
            let says = format!(
                "{} by {}; whether the panel answers is seen only when it is drawn on",
                display.kind,
                paths.join(", ")
            );
            Finding::ok("display", says)
        }
    }
}
