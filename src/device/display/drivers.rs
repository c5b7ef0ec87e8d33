//! The table of display drivers, and what is done with all of them: parsing a kind of display, opening one, finding those
//! that this machine has.
//!
//! A display that ships is a file that exports its row, the `mod` line in `mod.rs` and a line of [`SHIPPED`]. One that does
//! not ship is a [`Driver`] of another crate, added to the table by [`Drivers::with`].

use std::fs;
use std::path::PathBuf;

use super::driver::{Auto, Driver, Found, Presence};
use super::{DisplayError, DisplayKind, DisplayKindError, DisplaySettings, Screen};
use crate::suggest::nearest;

/// The row of a driver, or one that names the Cargo feature that it needs if it was not built.
macro_rules! row {
    ($name:literal, $feature:literal, $module:ident) => {
        row!($name, $feature, $module, DRIVER)
    };
    ($name:literal, $feature:literal, $module:ident, $row:ident) => {{
        #[cfg(all(target_os = "linux", feature = $feature))]
        {
            super::$module::$row
        }
        #[cfg(not(all(target_os = "linux", feature = $feature)))]
        {
            Driver::not_built($name, $feature)
        }
    }};
}

/// The drivers that ship, in the order in which `auto` tries them and help lists them.
static SHIPPED: [Driver; 9] = [
    row!("kms", "kms", kms),
    row!("framebuffer", "framebuffer", framebuffer),
    row!("window", "window", window),
    #[cfg(unix)]
    super::terminal::DRIVER,
    #[cfg(not(unix))]
    Driver::not_built("terminal", "kiosk"),
    row!("spi", "spi-tft", spi_tft),
    row!("epaper", "e-paper", epaper),
    row!("epaper-preview", "e-paper", epaper, PREVIEW),
    row!("ssd1306", "status-display", ssd1306),
    super::png_folder::DRIVER,
];

/// Display drivers: those that ship, and others that a program adds.
///
/// ```
/// use inkstone::device::display::{DisplaySettings, Drivers};
///
/// let drivers = Drivers::shipped();
/// let settings = DisplaySettings::new(drivers.parse("png:frames")?);
/// # let folder = tempfile::tempdir()?;
/// # let settings = DisplaySettings::new(drivers.parse(&format!("png:{}", folder.path().display()))?);
/// let screen = drivers.open(&settings)?;
/// assert_eq!(screen.panel().size.width, 800);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Drivers(Vec<&'static Driver>);

impl Default for Drivers {
    fn default() -> Drivers {
        Drivers::shipped()
    }
}

impl Drivers {
    /// The drivers that ship with Inkstone, those included that this program was built without.
    pub fn shipped() -> Drivers {
        Drivers(SHIPPED.iter().collect())
    }

    /// With another driver. It replaces one of the same name.
    #[must_use]
    pub fn with(mut self, driver: &'static Driver) -> Drivers {
        match self.0.iter_mut().find(|known| known.name() == driver.name()) {
            Some(known) => *known = driver,
            None => self.0.push(driver),
        }
        self
    }

    /// All drivers, in the order in which `auto` tries them.
    pub fn iter(&self) -> impl Iterator<Item = &'static Driver> {
        self.0.iter().copied()
    }

    /// Every kind of display as it is written in settings, `auto` first: `auto, kms[:CONNECTOR], …`.
    pub fn syntax(&self) -> String {
        let drivers = self.iter().map(Driver::syntax);
        std::iter::once(DisplayKind::AUTO_NAME.to_owned())
            .chain(drivers)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Reads a kind of display: `auto`, or a driver's name that a colon and a detail may follow.
    ///
    /// # Errors
    /// If there is no driver of that name, or the driver does not accept the detail.
    pub fn parse(&self, text: &str) -> Result<DisplayKind, DisplayKindError> {
        let (name, detail) = text.split_once(':').map_or((text, None), |(name, detail)| (name, Some(detail)));
        let invalid = |problem| DisplayKindError::Detail {
            given: text.to_owned(),
            problem,
        };
        if name == DisplayKind::AUTO_NAME {
            return match detail {
                None => Ok(DisplayKind::default()),
                Some(_) => Err(invalid("'auto' takes nothing after a colon".into())),
            };
        }
        let Some(driver) = self.iter().find(|driver| driver.name() == name) else {
            return Err(self.unknown(text, name));
        };
        driver.detail().check(name, detail).map_err(invalid)?;
        Ok(DisplayKind::new(driver, detail))
    }

    fn unknown(&self, text: &str, name: &str) -> DisplayKindError {
        let names: Vec<&str> = std::iter::once(DisplayKind::AUTO_NAME)
            .chain(self.iter().map(Driver::name))
            .collect();
        DisplayKindError::Unknown {
            given: text.to_owned(),
            nearest: nearest(name, names.iter().copied()).map(str::to_owned),
            known: names.join(", "),
        }
    }

    /// Opens a display.
    ///
    /// # Errors
    /// If it is absent, may not be opened, or does not support the settings. For `auto` only if this user lacks a permission
    /// and nothing else could be opened, or if not even a folder can be written.
    pub fn open(&self, settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
        match settings.kind.driver() {
            Some(driver) => driver.open(settings),
            None => self.open_first(settings),
        }
    }

    /// The first display that opens. A missing permission is reported rather than falling back to a folder that nobody looks
    /// at.
    fn open_first(&self, settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
        let mut denied = None;
        for driver in self
            .iter()
            .filter(|driver| matches!(driver.auto(), Auto::If(condition) if condition()))
        {
            match driver.open(settings) {
                Ok(screen) => return Ok(screen),
                Err(error) => {
                    log::info!("display {}: {error}", driver.name());
                    if matches!(error, DisplayError::Permission { .. }) {
                        denied.get_or_insert(error);
                    }
                }
            }
        }
        if let Some(error) = denied {
            return Err(error);
        }
        let last = self.iter().find(|driver| matches!(driver.auto(), Auto::LastResort));
        let nothing = || DisplayError::absent("auto", "no display was found", "name one in [display] of the settings");
        last.ok_or_else(nothing)?.open(settings)
    }

    /// The displays, and the buses for displays, that this machine has, in the order of the table. Opens nothing for long
    /// and changes nothing.
    pub fn list(&self) -> Vec<Found> {
        let found = self.listed().into_iter().map(|(kind, driver)| match driver.presence() {
            Presence::Connectors(find) | Presence::Session { find, .. } | Presence::Terminal(find) => find(),
            Presence::DeviceFiles { prefix, group } => numbered(prefix).into_iter().map(|path| device(&kind, path, group)).collect(),
            Presence::Folder(_) => vec![Found::usable(kind, driver.about())],
            Presence::Unknown => Vec::new(),
        });
        found.flatten().collect()
    }

    /// The drivers with the kinds that they are listed under: `spi or epaper` for those that share a bus, of which the first
    /// stands for all.
    pub(crate) fn listed(&self) -> Vec<(String, &'static Driver)> {
        let mut listed: Vec<(String, &'static Driver)> = Vec::new();
        for driver in self.iter() {
            let same = |other: &&mut (String, &'static Driver)| {
                matches!((driver.presence(), other.1.presence()),
                    (Presence::DeviceFiles { prefix, .. }, Presence::DeviceFiles { prefix: before, .. }) if prefix == before)
            };
            match listed.iter_mut().find(same) {
                Some((kind, _)) => *kind = format!("{kind} or {}", driver.name()),
                None => listed.push((driver.name().to_owned(), driver)),
            }
        }
        listed
    }
}

/// Opens a display with the drivers that ship: [`Drivers::open`].
///
/// # Errors
/// As [`Drivers::open`].
pub fn open(settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
    Drivers::shipped().open(settings)
}

/// Device files whose names begin so and go on with a digit, sorted.
fn numbered(prefix: &str) -> Vec<PathBuf> {
    let (folder, beginning) = prefix.rsplit_once('/').unwrap_or(("", prefix));
    let matches = |name: &str| {
        name.strip_prefix(beginning)
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(matches))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

fn device(kind: &str, path: PathBuf, group: &str) -> Found {
    #[cfg(unix)]
    let problem = super::device_file::open(&path, group, "").err().map(|error| error.to_string());
    #[cfg(not(unix))]
    let problem = Some(format!("this system has no group {group}"));
    Found {
        kind: kind.to_owned(),
        about: path.display().to_string(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Frame, ModeRequest, Panel};
    use super::*;
    use embedded_graphics::prelude::Size;
    use embedded_graphics::primitives::Rectangle;

    fn settings(kind: &str) -> DisplaySettings {
        DisplaySettings::new(kind.parse().unwrap())
    }

    #[test]
    fn kinds_are_parsed_and_formatted() {
        for text in [
            "auto",
            "kms",
            "kms:HDMI-A-1",
            "framebuffer",
            "framebuffer:/dev/fb1",
            "window",
            "window:480x800",
            "terminal",
            "terminal:sixel",
            "terminal:kitty",
            "terminal:blocks",
            "png",
            "png:some/folder:1",
            "spi:st7789",
            "spi:ili9341",
            "spi:gc9a01",
            "epaper:inky",
            "epaper:waveshare-7.3-f",
            "ssd1306",
        ] {
            assert_eq!(text.parse::<DisplayKind>().unwrap().to_string(), text);
        }
        let known = Drivers::shipped().syntax();
        assert!(known.starts_with("auto, kms"), "{known}");
    }

    #[test]
    #[cfg(all(
        target_os = "linux",
        feature = "window",
        feature = "spi-tft",
        feature = "e-paper",
        feature = "status-display"
    ))]
    fn misspelt_kinds_are_corrected() {
        let message = |text: &str| text.parse::<DisplayKind>().unwrap_err().to_string();
        for (text, expected) in [
            ("kmss", "did you mean 'kms'?"),
            ("framebufer:/dev/fb1", "did you mean 'framebuffer'?"),
            ("windows", "did you mean 'window'?"),
            ("", "There are auto, kms, framebuffer"),
            ("tty", "There are auto, kms, framebuffer"),
            ("spi:st7735", "did you mean 'spi:st7789'?"),
            ("spi:gc9a1", "did you mean 'spi:gc9a01'?"),
            ("spi", "as in 'spi:st7789'"),
            ("epaper", "as in 'epaper:inky'"),
            ("window:wide", "'wide' is not a display mode"),
            ("kms:", "nothing follows the colon"),
            ("ssd1306:0", "takes nothing after a colon"),
            ("auto:kms", "takes nothing after a colon"),
            ("terminal:sixels", "did you mean 'terminal:sixel'?"),
        ] {
            assert!(message(text).contains(expected), "{text}: {}", message(text));
        }
    }

    #[test]
    fn a_driver_that_was_not_built_names_its_feature() {
        static ABSENT: Driver = Driver::not_built("hologram", "holography");
        let drivers = Drivers::shipped().with(&ABSENT);
        for kind in ["hologram", "hologram:blue"] {
            let settings = DisplaySettings::new(drivers.parse(kind).unwrap());
            let error = drivers.open(&settings).err().unwrap().to_string();
            assert!(error.contains(kind) && error.contains("--features holography"), "{error}");
        }
    }

    #[test]
    fn a_folder_is_opened_with_the_requested_size() {
        let root = tempfile::tempdir().unwrap();
        let requested = DisplaySettings {
            size: Some(ModeRequest {
                size: Size::new(64, 48),
                rate: None,
            }),
            ..settings(&format!("png:{}", root.path().join("shots").display()))
        };
        let screen = open(&requested).unwrap();
        assert_eq!(screen.panel().size, Size::new(64, 48));
        assert!(root.path().join("shots").is_dir());
    }

    #[test]
    #[cfg(all(
        target_os = "linux",
        feature = "kms",
        feature = "framebuffer",
        feature = "spi-tft",
        feature = "e-paper",
        feature = "status-display"
    ))]
    fn absent_displays_come_with_advice() {
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

    /// A screen of which only the name matters.
    struct Named(Panel);

    impl Screen for Named {
        fn panel(&self) -> &Panel {
            &self.0
        }

        fn present(&mut self, _: &Frame, _: Rectangle) -> Result<(), DisplayError> {
            Ok(())
        }

        fn sleep(&mut self) -> Result<(), DisplayError> {
            Ok(())
        }
    }

    const fn always(name: &'static str, open: super::super::driver::Open) -> Driver {
        Driver::new(name, open, Presence::Unknown).with_auto(Auto::If(|| true))
    }

    #[test]
    fn auto_takes_the_first_display_that_opens() {
        static ABSENT: Driver = always("absent", |_| Err(DisplayError::absent("kms", "no card", "add one")));
        static DENIED: Driver = always("denied", |_| {
            Err(DisplayError::Permission {
                path: "/dev/fb0".into(),
                group: "video".into(),
            })
        });
        static ONE: Driver = always("one", |_| Ok(Box::new(Named(Panel::new("one", Size::zero())))));
        static TWO: Driver = always("two", |_| Ok(Box::new(Named(Panel::new("two", Size::zero())))));
        static OFF: Driver = ONE.with_auto(Auto::If(|| false));
        static LAST: Driver =
            Driver::new("last", |_| Ok(Box::new(Named(Panel::new("last", Size::zero())))), Presence::Unknown).with_auto(Auto::LastResort);
        let opened = |drivers: Vec<&'static Driver>| {
            let screen = Drivers(drivers).open(&DisplaySettings::default());
            screen.map(|screen| screen.panel().name.clone()).map_err(|error| error.to_string())
        };
        assert_eq!(opened(vec![&LAST, &ABSENT, &DENIED, &ONE, &TWO]).as_deref(), Ok("one"));
        assert_eq!(opened(vec![&LAST, &OFF, &TWO]).as_deref(), Ok("two"));
        assert_eq!(opened(vec![&LAST, &ABSENT]).as_deref(), Ok("last"));
        let refused = opened(vec![&ABSENT, &DENIED, &LAST]).unwrap_err();
        assert!(refused.contains("usermod -aG video"), "{refused}");
        assert!(opened(vec![&ABSENT]).unwrap_err().contains("no display was found"));
    }

    #[test]
    fn displays_of_this_machine_are_listed() {
        let found = Drivers::shipped().list();
        assert_eq!(found.last(), Some(&Found::usable("png", "a folder of pictures")));
        let root = tempfile::tempdir().unwrap();
        for name in ["fb0", "fb1", "fbsplash", "tty0"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        let names = numbered(root.path().join("fb").to_str().unwrap());
        assert_eq!(names, [root.path().join("fb0"), root.path().join("fb1")]);
        assert_eq!(device("framebuffer", names[0].clone(), "video").problem, None);
        assert!(device("framebuffer", root.path().join("fb9"), "video").problem.is_some());
    }

    #[test]
    fn drivers_on_one_bus_are_listed_together() {
        const BUS: Presence = Presence::DeviceFiles {
            prefix: "/dev/spidev",
            group: "spi",
        };
        static TFT: Driver = Driver::new("tft", |_| unreachable!(), BUS);
        static INK: Driver = Driver::new("ink", |_| unreachable!(), BUS);
        static OTHER: Driver = Driver::new("other", |_| unreachable!(), Presence::Unknown);
        let listed = Drivers(vec![&TFT, &OTHER, &INK]).listed();
        let kinds: Vec<&str> = listed.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["tft or ink", "other"]);
    }
}
