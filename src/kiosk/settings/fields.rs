//! The tables of the settings file: one struct per table with its defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::device::buttons::bindings::canonical;
use crate::device::buttons::{BindingError, Bindings, Pull};
use crate::kiosk::schedule::{Hours, Span};
use crate::kiosk::screens::Edge;

/// Languages of the shipped pack's captions, as BCP 47 tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Chinese, simplified.
    Zh,
    /// Spanish.
    Es,
    /// French.
    Fr,
    /// German.
    De,
    /// Japanese.
    Ja,
    /// Korean.
    Ko,
    /// Portuguese.
    Pt,
    /// Russian.
    Ru,
    /// Arabic.
    Ar,
    /// Hindi.
    Hi,
    /// Italian.
    It,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 12] = [
        Language::En,
        Language::Zh,
        Language::Es,
        Language::Fr,
        Language::De,
        Language::Ja,
        Language::Ko,
        Language::Pt,
        Language::Ru,
        Language::Ar,
        Language::Hi,
        Language::It,
    ];

    /// The tag, such as `en`.
    pub fn tag(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Zh => "zh",
            Language::Es => "es",
            Language::Fr => "fr",
            Language::De => "de",
            Language::Ja => "ja",
            Language::Ko => "ko",
            Language::Pt => "pt",
            Language::Ru => "ru",
            Language::Ar => "ar",
            Language::Hi => "hi",
            Language::It => "it",
        }
    }
}

/// Which driver reads buttons on GPIO lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ButtonDriver {
    /// The character device, or `rppal` if there is none.
    #[default]
    Auto,
    /// The kernel's GPIO character device: every board.
    CharacterDevice,
    /// The `rppal` library: Raspberry Pi only.
    Rppal,
}

/// `[buttons]`: keys by name. `gpio5` is a line of the header, `KEY_ENTER` a key of a keyboard or remote control as the
/// kernel names it, `enter` a key in a window or terminal.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ButtonSettings {
    /// Keys of the first button.
    pub a: Vec<String>,
    /// Keys of the second button.
    pub b: Vec<String>,
    /// Keys of the third button.
    pub c: Vec<String>,
    /// Keys of the fourth button.
    pub d: Vec<String>,
    /// Keys that go back in a list.
    pub previous: Vec<String>,
    /// Keys that go forward in a list.
    pub next: Vec<String>,
    /// Keys that accept the selection.
    pub confirm: Vec<String>,
    /// Keys that leave the screen.
    pub back: Vec<String>,
    /// Input devices to listen to, by their files below `/dev/input`; all if the list is empty.
    pub devices: Vec<PathBuf>,
    /// Whether the kiosk grabs keyboards; by default only those of named devices.
    pub grab: Option<bool>,
    /// What reads GPIO lines.
    pub driver: ButtonDriver,
    /// `auto`, or the device file of the GPIO chip that has the header's lines.
    pub chip: String,
    /// Pull of the lines.
    pub pull: Pull,
    /// How long a line must be stable, in milliseconds, 0 to 200.
    pub debounce: u32,
    /// Length of a long press in milliseconds, 200 to 5000.
    pub long: u32,
    /// Longest time between the two presses of a double press, in milliseconds, 100 to 1000.
    pub double: u32,
    /// The two GPIO lines of a rotary encoder.
    pub encoder: Option<[u8; 2]>,
    /// GPIO line of a motion sensor (PIR), high while someone moves.
    pub motion: Option<u8>,
}

impl Default for ButtonSettings {
    fn default() -> Self {
        let keys = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            a: keys(&["gpio5", "KEY_F1", "f1"]),
            b: keys(&["gpio6", "KEY_F2", "f2"]),
            c: keys(&["gpio16", "KEY_F3", "f3"]),
            d: keys(&["gpio24", "KEY_F4", "f4"]),
            previous: keys(&["KEY_LEFT", "KEY_UP", "left", "up"]),
            next: keys(&["KEY_RIGHT", "KEY_DOWN", "right", "down"]),
            confirm: keys(&["KEY_ENTER", "enter"]),
            back: keys(&["KEY_ESC", "escape"]),
            devices: Vec::new(),
            grab: None,
            driver: ButtonDriver::Auto,
            chip: "auto".into(),
            pull: Pull::Up,
            debounce: 20,
            long: 600,
            double: 300,
            encoder: None,
            motion: None,
        }
    }
}

impl ButtonSettings {
    /// Whether the kiosk grabs keyboards.
    pub fn grabs(&self) -> bool {
        self.grab.unwrap_or(!self.devices.is_empty())
    }
}

impl TryFrom<&ButtonSettings> for Bindings {
    type Error = BindingError;

    fn try_from(settings: &ButtonSettings) -> Result<Bindings, BindingError> {
        // The kernel's name of a key and that of a window are the same key.
        let once = |keys: &Vec<String>| keys.iter().map(|key| canonical(key)).collect::<BTreeSet<_>>();
        let lists = settings.lists().into_iter();
        let table = lists.map(|(name, keys)| (name.to_owned(), once(keys).into_iter().collect()));
        Bindings::try_from(table.collect::<BTreeMap<_, _>>())
    }
}

/// Colours of everything but the pictures, on displays that have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ThemeName {
    /// Dark, as ink in the stone.
    #[default]
    Ink,
    /// Light, as paper.
    Paper,
    /// Black on white, as e-paper with colours.
    Print,
}

/// `[look]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LookSettings {
    /// Colours. E-paper always uses [`ThemeName::Print`], and monochrome panels their only colour.
    pub theme: ThemeName,
    /// The edge of the display with the four buttons and their labels.
    pub legend: Edge,
}

/// `[draw]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DrawSettings {
    /// Denoising steps, one of the pack's numbers; by default the pack's.
    pub steps: Option<usize>,
    /// Guidance; by default the pack's.
    pub guidance: Option<f32>,
    /// Styles that visitors choose from, by name; all of the pack if the list is empty.
    pub styles: Vec<String>,
    /// The initial style; by default the pack's.
    pub style: Option<String>,
    /// Pictures drawn at once: 1, or 4 to choose from.
    pub at_once: u8,
    /// Colour words that visitors choose from; by default the usual ones, none if the list is empty.
    pub colours: Option<Vec<String>>,
    /// Background of a picture: `transparent`, a colour, or two with a colon between them for a gradient. Kept pictures have it
    /// too.
    pub background: String,
    /// File of additional subjects, one per line, which replace the shipped ones.
    pub subjects: Option<PathBuf>,
    /// Seed of the first picture, for exhibitions that repeat; random by default.
    pub seed: Option<u64>,
}

impl Default for DrawSettings {
    fn default() -> Self {
        Self {
            steps: None,
            guidance: None,
            styles: Vec::new(),
            style: None,
            at_once: 1,
            colours: None,
            background: "transparent".into(),
            subjects: None,
            seed: None,
        }
    }
}

/// `[attract]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttractSettings {
    /// Seconds without a press until the slide show starts, at least 5.
    pub idle: u32,
    /// Seconds that each picture is shown, at least 1.
    pub seconds: u32,
    /// Seconds of the fade from one to the next; at most half of `seconds`.
    pub fade: f32,
    /// Whether a picture becomes the next one by a morph that is drawn ahead, instead of fading. Takes half of the processor's time for as long as
    /// 16 pictures take, per picture shown.
    pub morphs: bool,
    /// Whether only favourites are shown, once there is one.
    pub only_favourites: bool,
}

impl Default for AttractSettings {
    fn default() -> Self {
        Self {
            idle: 90,
            seconds: 20,
            fade: 2.0,
            morphs: false,
            only_favourites: false,
        }
    }
}

/// `[schedule]`: hours as `07:00-22:30`, several separated by commas, past midnight as `20:00-02:00` (they belong to the day on
/// which they begin), `always` or `never`. A single day overrides `weekdays` and `weekend`, and these `every_day`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleSettings {
    /// Hours of all days that have no hours of their own.
    pub every_day: Hours,
    /// Monday to Friday.
    pub weekdays: Option<Hours>,
    /// Saturday and Sunday.
    pub weekend: Option<Hours>,
    /// Monday.
    pub mon: Option<Hours>,
    /// Tuesday.
    pub tue: Option<Hours>,
    /// Wednesday.
    pub wed: Option<Hours>,
    /// Thursday.
    pub thu: Option<Hours>,
    /// Friday.
    pub fri: Option<Hours>,
    /// Saturday.
    pub sat: Option<Hours>,
    /// Sunday.
    pub sun: Option<Hours>,
    /// Time zone by its IANA name, such as `Asia/Shanghai`; by default the system's.
    pub time_zone: Option<String>,
    /// Minutes without motion or a press until the display sleeps within its hours, counted from the start at first; 0 for never.
    pub sleep_after: u32,
    /// Minutes for which a press wakes the kiosk outside its hours, 0 to stay asleep.
    pub wake_for: u32,
    /// Brightness by day, above 0 and up to 1.
    pub day_brightness: f32,
    /// When the display is dimmed, such as `21:00-07:00`.
    pub night: Option<Span>,
    /// Brightness at night, above 0 and up to 1.
    pub night_brightness: f32,
}

impl Default for ScheduleSettings {
    fn default() -> Self {
        Self {
            every_day: Hours::always(),
            weekdays: None,
            weekend: None,
            mon: None,
            tue: None,
            wed: None,
            thu: None,
            fri: None,
            sat: None,
            sun: None,
            time_zone: None,
            sleep_after: 0,
            wake_for: 5,
            day_brightness: 1.0,
            night: None,
            night_brightness: 0.3,
        }
    }
}

/// `[gallery]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct GallerySettings {
    /// Folder of the pictures; for the default see [`super::Settings::gallery_folder`].
    pub folder: Option<PathBuf>,
    /// The most megabytes (millions of bytes) of pictures, at least 1.
    pub max_megabytes: u32,
    /// The most pictures, at least 1.
    pub max_pictures: u32,
    /// Whether every finished picture is kept, not only those that a visitor keeps.
    pub keep_all: bool,
}

impl Default for GallerySettings {
    fn default() -> Self {
        Self {
            folder: None,
            max_megabytes: 200,
            max_pictures: 1000,
            keep_all: true,
        }
    }
}

/// `[filter]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterSettings {
    /// Whether prompts with blocked words are refused.
    pub enabled: bool,
    /// File of additional blocked words, one per line.
    pub words: Option<PathBuf>,
    /// Words that are allowed although they are in the list.
    pub allowed: Vec<String>,
}

impl Default for FilterSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            words: None,
            allowed: Vec::new(),
        }
    }
}

/// `[heat]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeatSettings {
    /// Temperature in °C above which pictures are drawn with fewer steps and pauses between them, 30 to 110.
    pub slower_above: f32,
    /// Temperature in °C above which nothing is drawn, 30 to 110.
    pub pause_above: f32,
    /// Degrees below a limit at which its effect ends, 1 to 30.
    pub margin: f32,
}

impl Default for HeatSettings {
    fn default() -> Self {
        Self {
            slower_above: 72.0,
            pause_above: 82.0,
            margin: 5.0,
        }
    }
}

/// `[battery]`: what `inkstone kiosk --once` does.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatterySettings {
    /// The prompt; by default a random subject.
    pub prompt: Option<String>,
    /// Seconds that the picture is shown before the end, on displays that need power to show it.
    pub show: u32,
}
