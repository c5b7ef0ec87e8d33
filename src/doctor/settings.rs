//! The settings, and the files that they refer to.

use std::path::{Path, PathBuf};

use super::Finding;
use super::machine::Machine;
use crate::kiosk::rules;
use crate::kiosk::settings::Settings;
use crate::kiosk::text::Fonts;
use crate::pack::Pack;

/// Where packages install the settings.
const USUAL: &str = "/etc/inkstone/kiosk.toml";

/// The file of the settings, and what is wrong with it.
pub(super) struct Loaded {
    file: Option<PathBuf>,
    problem: Option<String>,
}

/// Loads the settings; the defaults if there is no valid file.
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

/// Checks the settings against this machine and the pack.
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
            .fix("correct the line; docs/reference/settings.md and the comments in /etc/inkstone/kiosk.toml explain every setting"),
        (None, Some(file)) => Finding::ok("settings", format!("{} is valid", file.display())),
        (None, None) => Finding::ok("settings", format!("{USUAL} does not exist; defaults are used")),
    };
    finding.figure("file", file.map(|file| file.display().to_string()))
}
