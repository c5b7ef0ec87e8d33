//! The settings, and the files that they name.

use std::path::{Path, PathBuf};

use super::Finding;
use super::machine::Machine;
use crate::kiosk::rules;
use crate::kiosk::settings::Settings;
use crate::kiosk::text::Fonts;
use crate::pack::Pack;

/// Where packages put the settings.
const USUAL: &str = "/etc/inkstone/kiosk.toml";

/// Where the settings came from, and what is wrong with their file.
pub(super) struct Loaded {
    file: Option<PathBuf>,
    problem: Option<String>,
}

/// The settings; the defaults where there is no file or it cannot be used.
pub(super) fn load(machine: &Machine, config: Option<&Path>) -> (Settings, Loaded) {
    let usual = machine.path(USUAL);
    let file = config.map(Path::to_owned).or_else(|| usual.is_file().then_some(usual));
    let (settings, problem) = match file.as_deref().map(Settings::load) {
        None => (Settings::default(), None),
        Some(Ok(settings)) => (settings, None),
        Some(Err(error)) => (Settings::default(), Some(error.to_string())),
    };
    (settings, Loaded { file, problem })
}

/// Checks what the settings name against this machine and the pack.
pub(super) fn check(settings: &Settings, loaded: Loaded, pack: Option<&Pack>) -> Finding {
    let Loaded { file, problem } = loaded;
    let problem = problem
        .or_else(|| {
            let manifest = pack?.manifest();
            settings.check_pack(manifest, file.as_deref()).err().map(|error| error.to_string())
        })
        .or_else(|| Fonts::find(settings.font.as_deref()).err().map(|error| error.to_string()))
        .or_else(|| rules::rules(settings, 1, false).err().map(|error| error.to_string()));
    let finding = match (problem, &file) {
        (Some(problem), _) => Finding::fault("settings", problem)
            .fix("correct the line; docs/reference/settings.md and /etc/inkstone/kiosk.toml explain every field"),
        (None, Some(file)) => Finding::ok("settings", format!("{}: valid", file.display())),
        (None, None) => Finding::ok("settings", format!("there is no {USUAL}; all settings have their defaults")),
    };
    finding.figure("file", file.map(|file| file.display().to_string()))
}
