//! Opening the display that the settings name, finding one where they name none, and telling what this machine has.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use super::{DisplayError, DisplayKind, DisplaySettings, Screen};

/// Files that `png` keeps: hours of a script.
const FRAMES: usize = 10_000;
/// Files that are kept where a folder is only what remains.
const LAST_RESORT_FRAMES: usize = 100;
/// The folder where none is named.
const FRAME_FOLDER: &str = "frames";

type Opened = Result<Box<dyn Screen>, DisplayError>;

/// Opens a display.
///
/// # Errors
/// If it is absent, may not be opened, or cannot be as it is wanted. For [`DisplayKind::Auto`] only if this user lacks a
/// permission and nothing else could be opened, or if not even a folder can be written.
pub fn open(settings: &DisplaySettings) -> Opened {
    match &settings.kind {
        DisplayKind::Auto => automatic(settings),
        DisplayKind::Kms(connector) => kms(settings, connector.clone()),
        DisplayKind::Framebuffer(path) => framebuffer(settings, path.as_deref()),
        DisplayKind::Window(size) => window(settings, *size),
        DisplayKind::Terminal(pictures) => terminal(*pictures),
        DisplayKind::Png(folder) => folder_of_pictures(settings, folder.as_deref(), FRAMES),
        DisplayKind::Spi(panel) => spi(settings, panel),
        DisplayKind::EPaper(model) => epaper(settings, model),
        DisplayKind::Ssd1306 => ssd1306(settings),
    }
}

/// One way to a display and the name it goes by.
type Attempt<'a> = (&'static str, Box<dyn Fn() -> Opened + 'a>);

fn automatic(settings: &DisplaySettings) -> Opened {
    let mut attempts: Vec<Attempt> = vec![
        ("kms", Box::new(|| kms(settings, None))),
        ("framebuffer", Box::new(|| framebuffer(settings, None))),
    ];
    if has_desktop() {
        attempts.push(("window", Box::new(|| window(settings, None))));
    }
    if has_terminal() {
        attempts.push(("terminal", Box::new(|| terminal(super::TerminalPictures::Auto))));
    }
    first(attempts, || folder_of_pictures(settings, None, LAST_RESORT_FRAMES))
}

/// The first that opens. What is only not permitted is not passed over in silence for a folder that nobody looks at.
fn first(attempts: Vec<Attempt>, last_resort: impl FnOnce() -> Opened) -> Opened {
    let mut forbidden = None;
    for (name, attempt) in attempts {
        match attempt() {
            Ok(screen) => return Ok(screen),
            Err(error) => {
                log::info!("display {name}: {error}");
                if matches!(error, DisplayError::Permission { .. }) {
                    forbidden.get_or_insert(error);
                }
            }
        }
    }
    forbidden.map_or_else(last_resort, Err)
}

fn has_desktop() -> bool {
    std::env::var_os("DISPLAY").is_some_and(|display| !display.is_empty())
}

fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

#[allow(dead_code, reason = "used by the displays that this program was built without")]
fn not_built(display: &str, feature: &str) -> Opened {
    let advice = format!("build it on Linux with `--features {feature}`, or choose another display");
    Err(DisplayError::absent(display, "this program was built without it", advice))
}

#[cfg(all(target_os = "linux", feature = "kms"))]
fn kms(settings: &DisplaySettings, connector: Option<String>) -> Opened {
    let wish = super::kms::Wish {
        connector,
        mode: settings.size,
        rotation: settings.rotation,
    };
    Ok(Box::new(super::kms::Kms::open(wish)?))
}

#[cfg(not(all(target_os = "linux", feature = "kms")))]
fn kms(_: &DisplaySettings, _: Option<String>) -> Opened {
    not_built("kms", "kms")
}

#[cfg(all(target_os = "linux", feature = "framebuffer"))]
fn framebuffer(settings: &DisplaySettings, path: Option<&Path>) -> Opened {
    use super::framebuffer::{DEVICE, Framebuffer};
    let path = path.unwrap_or(Path::new(DEVICE));
    Ok(Box::new(Framebuffer::open(path, settings.rotation)?))
}

#[cfg(not(all(target_os = "linux", feature = "framebuffer")))]
fn framebuffer(_: &DisplaySettings, _: Option<&Path>) -> Opened {
    not_built("framebuffer", "framebuffer")
}

#[cfg(all(target_os = "linux", feature = "window"))]
fn window(settings: &DisplaySettings, size: Option<super::ModeWish>) -> Opened {
    use super::window::{SIZE, Window};
    let size = size.map_or_else(|| settings.size_or(SIZE), |wish| wish.size);
    Ok(Box::new(Window::open(size, settings.fullscreen)?))
}

#[cfg(not(all(target_os = "linux", feature = "window")))]
fn window(_: &DisplaySettings, _: Option<super::ModeWish>) -> Opened {
    not_built("window", "window")
}

#[cfg(unix)]
fn terminal(pictures: super::TerminalPictures) -> Opened {
    Ok(Box::new(super::terminal::Terminal::open(pictures)?))
}

#[cfg(not(unix))]
fn terminal(_: super::TerminalPictures) -> Opened {
    not_built("terminal", "kiosk")
}

fn folder_of_pictures(settings: &DisplaySettings, folder: Option<&Path>, most: usize) -> Opened {
    use super::folder::{Folder, SIZE};
    let folder = folder.unwrap_or(Path::new(FRAME_FOLDER));
    Ok(Box::new(Folder::open(folder, settings.size_or(SIZE), most)?))
}

#[cfg(all(target_os = "linux", feature = "spi-tft"))]
fn spi(settings: &DisplaySettings, panel: &str) -> Opened {
    use super::spi_tft::{self, Glass, Model};
    use embedded_graphics::prelude::Point;
    let models = [Model::St7789, Model::Ili9341, Model::Gc9a01];
    let model = models.into_iter().find(|model| model.name() == panel);
    let model = model.ok_or_else(|| DisplayError::failed(format!("spi:{panel}"), "there is no such panel"))?;
    let usual = Glass::of(model);
    let place = |[x, y]: [u32; 2]| Point::new(i32::try_from(x).unwrap_or(i32::MAX), i32::try_from(y).unwrap_or(i32::MAX));
    let glass = Glass {
        size: settings.size_or(usual.size),
        offset: settings.offset.map_or(usual.offset, place),
        blue_first: settings.blue_first.unwrap_or(usual.blue_first),
        inverted: settings.inverted.unwrap_or(usual.inverted),
        rotation: settings.rotation,
        ..usual
    };
    spi_tft::open(glass, &spi_wiring(settings))
}

#[cfg(all(target_os = "linux", feature = "spi-tft"))]
fn spi_wiring(settings: &DisplaySettings) -> super::spi_tft::Wiring {
    let usual = super::spi_tft::Wiring::default();
    super::spi_tft::Wiring {
        spi: settings.spi_or_usual(),
        gpio: settings.gpio,
        chip: settings.chip.clone(),
        data_command: settings.data_command.unwrap_or(usual.data_command),
        reset: settings.reset.or(usual.reset),
        backlight: settings.backlight.or(usual.backlight),
        speed: settings.speed.unwrap_or(usual.speed),
    }
}

#[cfg(not(all(target_os = "linux", feature = "spi-tft")))]
fn spi(_: &DisplaySettings, panel: &str) -> Opened {
    not_built(&format!("spi:{panel}"), "spi-tft")
}

#[cfg(all(target_os = "linux", feature = "e-paper"))]
fn epaper(settings: &DisplaySettings, name: &str) -> Opened {
    use super::epaper::{EPaper, Options};
    let model = epaper_model(settings, name)?;
    let mut options = Options::new(model);
    options.rotation = settings.rotation;
    if let Some(saturation) = settings.saturation {
        options.dithering.saturation = saturation;
    }
    Ok(Box::new(EPaper::start(options, epaper_wiring(settings, model).open()?)?))
}

#[cfg(all(target_os = "linux", feature = "e-paper"))]
fn epaper_wiring(settings: &DisplaySettings, model: super::epaper::Model) -> super::epaper::Wiring {
    let usual = super::epaper::Wiring::of(model);
    super::epaper::Wiring {
        spi: settings.spi_or_usual(),
        chip: settings.chip.clone(),
        data_command: settings.data_command.unwrap_or(usual.data_command),
        reset: settings.reset.unwrap_or(usual.reset),
        busy: settings.busy.unwrap_or(usual.busy),
        chip_select: settings.chip_select.or(usual.chip_select),
        speed: settings.speed.unwrap_or(usual.speed),
        ..usual
    }
}

/// The model of a name; `inky` asks the panel's own memory.
#[cfg(all(target_os = "linux", feature = "e-paper"))]
fn epaper_model(settings: &DisplaySettings, name: &str) -> Result<super::epaper::Model, DisplayError> {
    use super::epaper::{Model, identify};
    let display = format!("epaper:{name}");
    if name == "inky" {
        let bus = settings.i2c_or_usual();
        return identify(&mut crate::device::i2c::open(&bus)?).ok_or_else(|| {
            let problem = format!("no Inky that is known answers on {}", bus.display());
            DisplayError::absent(display, problem, "name its model")
        });
    }
    let model = Model::ALL.into_iter().find(|model| model.name() == name);
    model.ok_or_else(|| {
        let names = Model::ALL.map(Model::name).join(", ");
        DisplayError::absent(display, "there is no such model", format!("there are {names}"))
    })
}

#[cfg(not(all(target_os = "linux", feature = "e-paper")))]
fn epaper(_: &DisplaySettings, name: &str) -> Opened {
    not_built(&format!("epaper:{name}"), "e-paper")
}

#[cfg(all(target_os = "linux", feature = "status-display"))]
fn ssd1306(settings: &DisplaySettings) -> Opened {
    use super::status::{ADDRESS, Shades, StatusDisplay};
    let bus = settings.i2c_or_usual();
    let address = settings.address.unwrap_or(ADDRESS);
    let display = StatusDisplay::open(&bus, address, settings.rotation, Shades::default())?;
    Ok(Box::new(display))
}

#[cfg(not(all(target_os = "linux", feature = "status-display")))]
fn ssd1306(_: &DisplaySettings) -> Opened {
    not_built("ssd1306", "status-display")
}

/// The GPIO lines that a display takes and what for, those included that the settings leave out. None for displays that
/// need none, and for kinds that this program was built without.
pub fn pins(settings: &DisplaySettings) -> Vec<(u32, &'static str)> {
    match &settings.kind {
        #[cfg(all(target_os = "linux", feature = "spi-tft"))]
        DisplayKind::Spi(_) => spi_wiring(settings).pins(),
        #[cfg(all(target_os = "linux", feature = "e-paper"))]
        DisplayKind::EPaper(name) => {
            // Which Inky it is makes no difference: all are wired alike.
            let named = |model: &super::epaper::Model| model.name() == name || name == "inky" && model.is_inky();
            let model = super::epaper::Model::ALL.into_iter().find(named);
            model.map(|model| epaper_wiring(settings, model).pins()).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// A display, or a bus for one, that this machine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What to write for it: `kms:HDMI-A-1`.
    pub kind: String,
    /// What is known of it: its modes, or its device file.
    pub about: String,
    /// Why it cannot be used now.
    pub problem: Option<String>,
}

/// What this machine has that pictures could be shown on, best first. Opens nothing for long and changes nothing.
pub fn list() -> Vec<Found> {
    let mut found = connectors();
    let devices = Path::new("/dev");
    found.extend(files(devices, "fb").into_iter().map(|path| device("framebuffer", path, "video")));
    if has_desktop() {
        let display = std::env::var("DISPLAY").unwrap_or_default();
        found.push(usable("window", format!("a desktop at {display}")));
    }
    if has_terminal() {
        let term = std::env::var("TERM").unwrap_or_default();
        found.push(usable("terminal", format!("a terminal ({term})")));
    }
    found.extend(
        files(devices, "spidev")
            .into_iter()
            .map(|path| device("spi or epaper", path, "spi")),
    );
    found.extend(files(devices, "i2c-").into_iter().map(|path| device("ssd1306", path, "i2c")));
    found.push(usable("png", "a folder of pictures".into()));
    found
}

fn usable(kind: &str, about: String) -> Found {
    Found {
        kind: kind.to_owned(),
        about,
        problem: None,
    }
}

#[cfg(all(target_os = "linux", feature = "kms"))]
fn connectors() -> Vec<Found> {
    let cards = files(Path::new("/dev/dri"), "card").into_iter();
    let forbidden = cards.map(|path| device("kms", path, "video")).filter(|card| card.problem.is_some());
    let connectors = super::kms::connectors().into_iter().map(|connector| Found {
        kind: format!("kms:{}", connector.name),
        about: format!("{} {}", connector.card.display(), connector.modes.join(" "))
            .trim_end()
            .to_owned(),
        problem: (!connector.connected).then(|| "nothing is connected".to_owned()),
    });
    connectors.chain(forbidden).collect()
}

#[cfg(not(all(target_os = "linux", feature = "kms")))]
fn connectors() -> Vec<Found> {
    Vec::new()
}

/// Device files by the beginning of their names, sorted.
fn files(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let numbered = |name: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(numbered))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

fn device(kind: &str, path: PathBuf, group: &str) -> Found {
    #[cfg(unix)]
    let problem = super::device_file::open(&path, group, "").err().map(|error| error.to_string());
    #[cfg(not(unix))]
    let problem = Some(format!("not on this system, which knows no group {group}"));
    Found {
        kind: kind.to_owned(),
        about: path.display().to_string(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::display::ModeWish;
    use embedded_graphics::prelude::Size;

    fn settings(kind: &str) -> DisplaySettings {
        DisplaySettings::of(kind.parse().unwrap())
    }

    #[test]
    fn a_folder_is_opened_as_wished() {
        let root = tempfile::tempdir().unwrap();
        let wanted = DisplaySettings {
            size: Some(ModeWish {
                size: Size::new(64, 48),
                rate: None,
            }),
            ..settings(&format!("png:{}", root.path().join("shots").display()))
        };
        let screen = open(&wanted).unwrap();
        assert_eq!(screen.panel().size, Size::new(64, 48));
        assert!(root.path().join("shots").is_dir());
    }

    #[test]
    fn what_is_absent_says_so_with_advice() {
        for (kind, expected) in [
            ("kms:HDMI-A-7", "kms"),
            (
                "framebuffer:/dev/fb77",
                "/dev/fb77: there is no such device; enable a display driver",
            ),
            ("spi:st7789", "spi"),
            ("epaper:none", "there is no such model; there are waveshare-7.3-f, "),
        ] {
            let error = open(&settings(kind)).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected), "{kind}: {error}");
        }
        let absent = DisplaySettings {
            i2c: Some("/nonexistent/i2c-9".into()),
            spi: Some("/nonexistent/spidev0.0".into()),
            ..settings("ssd1306")
        };
        assert!(open(&absent).err().unwrap().to_string().contains("/nonexistent/i2c-9"));
        for kind in ["epaper:waveshare-7.3-f", "epaper:inky", "spi:gc9a01"] {
            let kind = kind.parse().unwrap();
            let error = open(&DisplaySettings { kind, ..absent.clone() }).err().unwrap().to_string();
            assert!(error.contains("/nonexistent/"), "{error}");
        }
    }

    fn fails(error: DisplayError) -> Attempt<'static> {
        ("test", Box::new(move || Err(error.clone())))
    }

    #[test]
    fn the_first_that_opens_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str| folder_of_pictures(&settings("png"), Some(&root.path().join(name)), 1);
        let absent = || fails(DisplayError::absent("kms", "no card", "add one"));
        let forbidden = || {
            fails(DisplayError::Permission {
                path: "/dev/fb0".into(),
                group: "video".into(),
            })
        };
        let name = |opened: Opened| opened.map(|screen| screen.panel().name.clone());
        let good = |name: &'static str| -> Attempt { ("test", Box::new(move || folder(name))) };
        let found = name(first(vec![absent(), forbidden(), good("one"), good("two")], || folder("last")));
        assert!(found.unwrap().ends_with("one"));
        assert!(!root.path().join("two").exists());
        assert!(name(first(vec![absent()], || folder("last"))).unwrap().ends_with("last"));
        let refused = name(first(vec![absent(), forbidden()], || folder("hidden"))).unwrap_err();
        assert!(refused.to_string().contains("usermod -aG video"), "{refused}");
        assert!(!root.path().join("hidden").exists());
    }

    #[test]
    fn what_there_is_can_be_listed() {
        let found = list();
        assert_eq!(found.last().map(|found| found.kind.as_str()), Some("png"));
        let root = tempfile::tempdir().unwrap();
        for name in ["fb0", "fb1", "fbsplash", "tty0"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        let names = files(root.path(), "fb");
        assert_eq!(names, [root.path().join("fb0"), root.path().join("fb1")]);
        assert_eq!(device("framebuffer", names[0].clone(), "video").problem, None);
        assert!(device("framebuffer", root.path().join("fb9"), "video").problem.is_some());
    }
}
