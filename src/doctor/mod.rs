//! `inkstone doctor`: checks a machine, its settings and its pack, and reports whether a kiosk would run and how to fix what
//! prevents it. Owns the checks, their findings and the report; may depend on everything except the command line.
//!
//! All system files are read below a root folder, `/` on a board, so that trees of other boards can be examined. Nothing is
//! changed, and nothing is drawn on a panel.
//!
//! # The report as JSON
//!
//! `inkstone doctor --json` prints one object, [`Report`]. `doctor` is the version of this schema, 1: fields may
//! be added under the same version, but none is renamed or removed. `findings` is in the order of the table. Each finding has
//! `check` (a stable name), `severity` (`ok`, `note`, `warning`, `fault`), `says` and optionally `fix`, both for people, and
//! `figures`, whose names end with their units (`_mib`, `_milliseconds`). The checks are:
//!
//! | check | about | figures |
//! |---|---|---|
//! | `board` | name, chip | `model`, `chip`, `revision`, `is_raspberry_pi` |
//! | `processor` | cores and their features | `cores`, `core`, `features` |
//! | `kernel` | the int8 kernel | `kernel`, `available`, `forced` |
//! | `system` | 32-bit programs on a 64-bit processor | `program_bits` |
//! | `settings` | the settings file and the files that it refers to | `file` |
//! | `pack` | every file against its checksum | `name`, `version`, `sha256`, `bytes` |
//! | `self-test` | draws a picture and compares it | `compared`, `picture_sha256`, `milliseconds`, `stages`, `usual_milliseconds` |
//! | `memory` | whether pack and program fit into memory | `total_mib`, `available_mib`, `private_mib`, `weights_mib` |
//! | `swap` | swap areas | `swap_mib`, `kinds` |
//! | `storage` | the storage device of the pack | `device`, `kind`, `read_mib_per_second`, `from_storage` |
//! | `gallery` | whether pictures can be kept | `folder`, `free_mib`, `file_system` |
//! | `displays` | all displays | `found` |
//! | `display` | the display of the settings | `kind` |
//! | `status-display` | the second display of the settings, if any | `kind` |
//! | `buttons` | GPIO lines, keyboards, touch screens | `lines`, `chip`, `devices` |
//! | `sensors` | temperature, power, motion | `celsius`, `power`, `motion_line` |
//! | `permissions` | devices that this user cannot open | `user`, `groups` |
//! | `supply` | under-voltage and throttling | `flags` |
//! | `clock` | whether the time is set | `has_rtc`, `synchronized` |
//!
//! `would_run` is true if no finding is a fault; the exit code is then 0, otherwise 1.

mod access;
mod finding;
mod health;
mod machine;
mod memory;
mod pack;
mod processor;
mod storage;

#[cfg(feature = "kiosk")]
mod buttons;
#[cfg(feature = "kiosk")]
mod displays;
#[cfg(feature = "kiosk")]
mod gallery;
#[cfg(feature = "kiosk")]
mod sensors;
#[cfg(feature = "kiosk")]
mod settings;

pub use finding::{Finding, Report, Severity};

use std::path::PathBuf;

use machine::Machine;

/// What is examined.
#[derive(Clone, Debug)]
pub struct Examination {
    /// The root folder of the system, `/` for this one.
    pub root: PathBuf,
    /// The pack's folder from the command line.
    pub asked_pack: Option<PathBuf>,
    /// The pack's folder if neither the command line nor the settings have one.
    pub usual_pack: PathBuf,
    /// The settings file; by default `/etc/inkstone/kiosk.toml` below the root, if it exists.
    pub config: Option<PathBuf>,
}

/// Runs all checks. `progress` receives the number of the pack's bytes checked so far and in total.
pub fn examine(examination: &Examination, progress: &mut dyn FnMut(u64, u64)) -> Report {
    let machine = Machine::new(&examination.root);
    let mut findings = processor::examine(&machine);
    #[cfg(feature = "kiosk")]
    let (settings, about_settings) = settings::load(&machine, examination.config.as_deref());
    #[cfg(feature = "kiosk")]
    let (named, threads) = (settings.pack.clone(), settings.threads);
    #[cfg(not(feature = "kiosk"))]
    let (named, threads) = (None::<PathBuf>, 0);
    let folder = examination
        .asked_pack
        .clone()
        .or(named)
        .unwrap_or_else(|| examination.usual_pack.clone());
    // First, before the pack is in the page cache.
    let storage = storage::examine(&machine, &folder);
    let (opened, about_pack) = pack::check(&folder, progress);
    let drawn = opened.as_ref().map(|opened| pack::draw(opened, threads));
    let need = drawn.as_ref().map_or_else(memory::Need::default, |(_, need)| *need);
    #[cfg(feature = "kiosk")]
    findings.push(settings::check(&settings, about_settings, opened.as_deref()));
    #[cfg(not(feature = "kiosk"))]
    findings.push(without_kiosk());
    findings.push(about_pack);
    findings.extend(drawn.map(|(finding, _)| finding));
    findings.extend(memory::examine(&machine, need));
    findings.push(storage);
    #[cfg(feature = "kiosk")]
    {
        findings.push(gallery::examine(&machine, &settings));
        findings.extend(displays::examine(&machine, &settings));
        findings.push(buttons::examine(&machine, &settings));
        findings.push(sensors::examine(&machine, &settings));
    }
    findings.push(access::examine(&machine));
    findings.extend(health::examine(&machine, &folder));
    Report::new(examination.root.clone(), folder, findings)
}

/// What [`examine`] reports about the displays of a machine and about one of them, for programs that add display drivers of
/// their own: the findings `displays` and `display`. `root` is the root folder of the system, `/` for this one.
#[cfg(feature = "kiosk")]
pub fn examine_display(
    root: &std::path::Path,
    display: &crate::device::display::DisplaySettings,
    drivers: &crate::device::display::Drivers,
) -> Vec<Finding> {
    displays::examine_one(&Machine::new(root), display, drivers)
}

#[cfg(not(feature = "kiosk"))]
fn without_kiosk() -> Finding {
    Finding::fault("settings", "this program was built without the kiosk").fix("build it with `--features kiosk`")
}
