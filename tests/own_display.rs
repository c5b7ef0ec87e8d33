//! A display that does not ship, added by this one file: a matrix of LEDs behind MAX7219 drivers on SPI. It is registered,
//! parsed from settings' text, opened, drawn on, listed, and checked by `doctor` like those that ship.

#![cfg(all(target_os = "linux", feature = "kiosk"))]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use embedded_graphics::mono_font::{MonoTextStyle, ascii::FONT_5X7};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Baseline, Text};
use inkstone::device::display::{
    Colours, Detail, Device, DisplayError, DisplaySettings, Driver, Drivers, Found, Frame, Panel, Presence, Screen,
};
use inkstone::doctor::{self, Severity};

/// Modules of 8×8 LEDs beside each other, unless the detail says otherwise.
const MODULES: u32 = 4;

static MAX7219: Driver = Driver::new(
    "max7219",
    open,
    Presence::DeviceFiles {
        prefix: "/dev/spidev",
        group: "spi",
    },
)
.with_about("LED matrices behind MAX7219 drivers")
.with_detail(Detail::Text {
    placeholder: "MODULES",
    required: false,
    example: "4",
    check: |text| modules(text).map(drop),
})
.with_devices(|settings| vec![Device::Spi(settings.spi_bus())])
.with_pins(|settings| vec![(settings.chip_select.unwrap_or(25), "chip select")]);

fn modules(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=16).contains(number));
    number.ok_or_else(|| format!("'{text}' is not a number of modules from 1 to 16"))
}

fn open(settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
    let path = settings.spi_bus();
    let bus = OpenOptions::new().append(true).open(&path);
    let bus = bus.map_err(|error| DisplayError::absent(path.display().to_string(), error, "switch SPI on"))?;
    let modules = settings.kind.detail().map_or(Ok(MODULES), modules);
    let modules = modules.map_err(|problem| DisplayError::failed("max7219", problem))?;
    let panel = Panel::new("max7219", Size::new(modules * 8, 8)).with_colours(Colours::Mono);
    Ok(Box::new(Matrix { bus, panel }))
}

struct Matrix {
    bus: File,
    panel: Panel,
}

impl Matrix {
    /// Writes a register of every module: its number and a byte for each.
    fn send(&mut self, register: u8, values: &[u8]) -> Result<(), DisplayError> {
        let message: Vec<u8> = values.iter().flat_map(|&value| [register, value]).collect();
        self.bus
            .write_all(&message)
            .map_err(|error| DisplayError::failed(&self.panel.name, error))
    }
}

impl Screen for Matrix {
    fn panel(&self) -> &Panel {
        &self.panel
    }

    fn present(&mut self, frame: &Frame, _damage: Rectangle) -> Result<(), DisplayError> {
        let lit = |x: u32, y: u8| frame.colour(Point::new(x as i32, y.into())).is_some_and(|colour| colour.g() >= 128);
        for y in 0..8 {
            let byte = |module: u32| (0..8).fold(0, |byte, x| byte << 1 | u8::from(lit(module * 8 + x, y)));
            let row: Vec<u8> = (0..self.panel.size.width / 8).map(byte).collect();
            self.send(y + 1, &row)?;
        }
        Ok(())
    }

    /// The register 12 turns the modules off.
    fn sleep(&mut self) -> Result<(), DisplayError> {
        let off = vec![0; self.panel.size.width as usize / 8];
        self.send(12, &off)
    }
}

fn drivers() -> Drivers {
    Drivers::shipped().with(&MAX7219)
}

fn settings(kind: &str) -> DisplaySettings {
    DisplaySettings::new(drivers().parse(kind).unwrap())
}

#[test]
fn its_kind_is_parsed_like_those_that_ship() {
    assert_eq!(MAX7219.syntax(), "max7219[:MODULES]");
    assert!(drivers().syntax().ends_with(", max7219[:MODULES]"));
    for text in ["max7219", "max7219:8", "png:frames", "auto"] {
        assert_eq!(drivers().parse(text).unwrap().to_string(), text);
    }
    for (text, expected) in [
        ("max7119", "did you mean 'max7219'?"),
        ("max7219:99", "'99' is not a number of modules"),
        ("max7219:", "nothing follows the colon"),
        ("hologram", "png, max7219"),
    ] {
        let error = drivers().parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert!(
        "max7219".parse::<inkstone::device::display::DisplayKind>().is_err(),
        "only those that ship are known everywhere"
    );
}

/// The rows of LEDs that the bytes on the bus light.
fn rows(bytes: &[u8], modules: usize) -> Vec<Vec<bool>> {
    let messages = bytes.chunks(2 * modules).enumerate();
    messages
        .map(|(row, message)| {
            assert!(message.chunks(2).all(|pair| usize::from(pair[0]) == row + 1), "the row's register");
            message
                .chunks(2)
                .flat_map(|pair| (0..8).rev().map(|bit| pair[1] >> bit & 1 == 1))
                .collect()
        })
        .collect()
}

#[test]
fn a_frame_lights_its_leds() {
    let folder = tempfile::tempdir().unwrap();
    let bus = folder.path().join("spidev0.0");
    fs::write(&bus, "").unwrap();
    let settings = DisplaySettings {
        spi: Some(bus.clone()),
        ..settings("max7219:3")
    };
    let mut screen = drivers().open(&settings).unwrap();
    assert_eq!(screen.panel().size, Size::new(24, 8));
    assert!(!screen.has_input() && !screen.panel().has_slow_refresh());

    let mut frame = Frame::new(screen.panel().size);
    let style = MonoTextStyle::new(&FONT_5X7, Rgb888::WHITE);
    Text::with_baseline("Ink", Point::new(1, 0), style, Baseline::Top)
        .draw(&mut frame)
        .unwrap();
    // A picture is mixed in by its alpha: a corner that is lit, and one that is transparent.
    frame.blend(&[[255; 4], [255, 255, 255, 0]].concat(), 2, Point::new(22, 7));
    screen.present(&frame, frame.bounding_box()).unwrap();

    let shown = rows(&fs::read(&bus).unwrap(), 3);
    assert_eq!(shown.len(), 8);
    for (y, row) in shown.iter().enumerate() {
        for (x, &lit) in row.iter().enumerate() {
            let colour = frame.colour(Point::new(x as i32, y as i32)).unwrap();
            assert_eq!(lit, colour == Rgb888::WHITE, "{x},{y}");
        }
    }
    assert!(shown[7][22] && !shown[7][23]);
    assert!(shown.iter().flatten().filter(|lit| **lit).count() > 20, "text was drawn");

    screen.sleep().unwrap();
    assert!(fs::read(&bus).unwrap().ends_with(&[12, 0, 12, 0, 12, 0]));
    let absent = DisplaySettings {
        spi: Some(folder.path().join("spidev1.0")),
        ..settings
    };
    assert!(drivers().open(&absent).err().unwrap().to_string().contains("switch SPI on"));
}

#[test]
fn its_pins_and_devices_are_those_of_its_row() {
    let default = settings("max7219");
    assert_eq!(default.pins(), [(25, "chip select")]);
    assert_eq!(default.devices(), [Device::Spi("/dev/spidev0.0".into())]);
    let other = DisplaySettings {
        chip_select: Some(7),
        spi: Some("/dev/spidev1.2".into()),
        ..default
    };
    assert_eq!(other.pins(), [(7, "chip select")]);
    assert_eq!(other.devices(), [Device::Spi("/dev/spidev1.2".into())]);
}

/// What `doctor` says of the display on a machine with these device files.
fn examined(files: &[&str]) -> (Vec<Found>, doctor::Finding) {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("dev")).unwrap();
    for file in files {
        fs::write(root.path().join(Path::new(file).strip_prefix("/").unwrap()), "").unwrap();
    }
    let mut findings = doctor::examine_display(root.path(), &settings("max7219"), &drivers());
    let display = findings.pop().unwrap();
    let found = findings[0].figures["found"].as_array().unwrap().iter().map(|found| Found {
        kind: found["kind"].as_str().unwrap().to_owned(),
        about: found["about"].as_str().unwrap().to_owned(),
        problem: found["problem"].as_str().map(str::to_owned),
    });
    (found.collect(), display)
}

#[test]
fn doctor_lists_and_checks_it() {
    let (found, display) = examined(&["/dev/spidev0.0", "/dev/gpiochip0"]);
    let listed = found.iter().find(|found| found.about == "/dev/spidev0.0").unwrap();
    assert!(listed.kind.ends_with("max7219") && listed.problem.is_none(), "{listed:?}");
    assert_eq!((display.check, display.severity), ("display", Severity::Ok), "{display:?}");
    assert!(display.says.contains("/dev/spidev0.0, /dev/gpiochip0"), "{display:?}");
    assert_eq!(display.figures["kind"], "max7219");

    let (_, without) = examined(&["/dev/gpiochip0"]);
    assert_eq!(without.severity, Severity::Fault);
    assert!(without.says.contains("/dev/spidev0.0: there is no such device"), "{without:?}");
    assert!(without.fix.unwrap().contains("dtparam=spi=on"));
    let (_, without) = examined(&["/dev/spidev0.0"]);
    assert!(without.says.contains("/dev/gpiochip0"), "{without:?}");
    assert!(
        drivers().list().iter().any(|found| found.kind == "png"),
        "this machine's displays are listed, too"
    );
}
