//! The settings: one TOML file, all of it optional. Owns their structure, defaults, the checks that need no device, and errors
//! that point into the file. Depends on [`super::schedule`] for times, on the settings of displays, and on the names of keys.
//!
//! `kiosk.toml` beside this module documents every field and equals the defaults ([`EXAMPLE`]).

mod check;
mod faults;
mod fields;
mod header;
mod remote;

pub use faults::{Fault, SettingsError};
pub use fields::{
    AttractSettings, BatterySettings, ButtonDriver, ButtonSettings, DrawSettings, FilterSettings, GallerySettings, HeatSettings, Language,
    LookSettings, ScheduleSettings, ThemeName,
};
pub use remote::{MqttSettings, RemoteSettings};

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::bounded_file;
use crate::device::display::DisplaySettings;
use crate::pack::Manifest;

/// A settings file that explains every field and has the default values.
pub const EXAMPLE: &str = include_str!("../kiosk.toml");

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Language of the interface and of the subjects.
    pub language: Language,
    /// Folder of the pack that draws; by default the shipped one.
    pub pack: Option<PathBuf>,
    /// Threads that draw; 0 for one per core.
    pub threads: usize,
    /// TrueType or OpenType file for all text; by default the kiosk looks for one.
    pub font: Option<PathBuf>,
    /// The display.
    pub display: DisplaySettings,
    /// A second, small display that shows the status, such as an SSD1306.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<DisplaySettings>,
    /// Colours, and where the buttons are.
    pub look: LookSettings,
    /// Buttons, wheel and motion sensor.
    pub buttons: ButtonSettings,
    /// How pictures are drawn.
    pub draw: DrawSettings,
    /// The slide show while no visitor is there.
    pub attract: AttractSettings,
    /// When the kiosk is awake.
    pub schedule: ScheduleSettings,
    /// Where pictures are kept.
    pub gallery: GallerySettings,
    /// The word filter.
    pub filter: FilterSettings,
    /// What happens when the board gets hot.
    pub heat: HeatSettings,
    /// Running from a battery: `inkstone kiosk --once`.
    pub battery: BatterySettings,
    /// Phones, programs and other frames in the network.
    pub remote: RemoteSettings,
    /// Home Assistant and other clients of a broker.
    pub mqtt: MqttSettings,
}

impl Settings {
    /// Reads and checks a file. Paths in it that are not absolute are relative to its folder.
    ///
    /// # Errors
    /// If the file cannot be read, is not TOML, or a field is unknown, mistyped, out of range or in conflict with another.
    pub fn load(file: &Path) -> Result<Settings, SettingsError> {
        let text = bounded_file::read_text(file, bounded_file::TEXT).map_err(|source| SettingsError::Read {
            file: file.to_owned(),
            source,
        })?;
        let mut settings = Settings::parse(&text, file)?;
        settings.resolve(file.parent().unwrap_or(Path::new("")));
        Ok(settings)
    }

    /// Reads and checks the text of a file; `file` is named in errors.
    ///
    /// # Errors
    /// As [`Settings::load`], without the file.
    pub fn parse(text: &str, file: &Path) -> Result<Settings, SettingsError> {
        let mut settings: Settings = toml::from_str(text).map_err(|error| SettingsError::syntax(file, text, &error))?;
        settings.give_way();
        SettingsError::gather(file, text, settings.check())?;
        Ok(settings)
    }

    /// Checks that the pack has the steps, guidance and styles of the settings. `file` is the file that was loaded, if any.
    ///
    /// # Errors
    /// If the pack lacks one of them.
    pub fn check_pack(&self, manifest: &Manifest, file: Option<&Path>) -> Result<(), SettingsError> {
        let text = file
            .and_then(|file| bounded_file::read_text(file, bounded_file::TEXT).ok())
            .unwrap_or_default();
        SettingsError::gather(file.unwrap_or(Path::new("the settings")), &text, check::pack(self, manifest))
    }

    /// Folder of the gallery: the one that is set, else the state folder that systemd gives the service, else
    /// `inkstone/gallery` in the user's data folder (XDG base directories), else, with a warning, in the current one.
    pub fn gallery_folder(&self) -> PathBuf {
        if let Some(folder) = &self.gallery.folder {
            return folder.clone();
        }
        let state = state_folder().unwrap_or_else(|| {
            log::warn!("HOME is not set: pictures are kept in the current folder; choose another with [gallery] folder or --gallery");
            "inkstone".into()
        });
        state.join("gallery")
    }

    /// Folder of what the remote remembers: `remote` in the state folder of the service or the user's data folder, else `.remote` in the
    /// gallery.
    pub fn remote_folder(&self) -> PathBuf {
        state_folder().map_or_else(|| self.gallery_folder().join(".remote"), |state| state.join("remote"))
    }

    fn resolve(&mut self, folder: &Path) {
        let paths = [
            &mut self.pack,
            &mut self.font,
            &mut self.draw.subjects,
            &mut self.gallery.folder,
            &mut self.filter.words,
            &mut self.mqtt.password_file,
        ];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
}

/// The state folder that systemd gives the service, else `inkstone` in the user's data folder (XDG base directories).
fn state_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || variable("HOME").map(|home| home.join(".local/share"));
    let data = || variable("XDG_DATA_HOME").or_else(home).map(|data| data.join("inkstone"));
    variable("STATE_DIRECTORY").or_else(data)
}

#[cfg(test)]
mod tests;
