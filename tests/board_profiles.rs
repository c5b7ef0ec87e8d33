//! The files of `firmware-config/boards`: every fragment of config.txt is one that the firmware reads, every joined settings
//! file one that the kiosk reads, no pin has two purposes, and pictures and tables of the wiring are those of the settings.
//!
//! `INKSTONE_WRITE_WIRING=1 cargo test --test board_profiles` writes pictures and tables anew.

#![cfg(all(
    target_os = "linux",
    feature = "kms",
    feature = "spi-tft",
    feature = "e-paper",
    feature = "status-display"
))]

#[path = "board_profiles/header.rs"]
mod header;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use header::Use;
use inkstone::device::buttons::bindings::pin;
use inkstone::device::display::{Device, DisplaySettings};
use inkstone::kiosk::settings::Settings;

const BOARDS: [&str; 5] = ["zero2w", "pi3", "pi4", "pi5", "generic"];
const DISPLAYS: [&str; 8] = [
    "hdmi",
    "dsi",
    "st7789",
    "ili9341",
    "gc9a01",
    "inky-impression",
    "waveshare-7.3",
    "waveshare-7.5",
];
const STATUS: &str = "ssd1306";

/// The longest line that the firmware reads (Raspberry Pi documentation, *config.txt*, file format).
const LONGEST_LINE: usize = 98;
/// The sections, keys, parameters and overlays that the fragments may use, by the documentation's names (*config.txt*;
/// `overlays/README` of the firmware), and our own overlay. A misspelt one is passed over by the firmware in silence.
const SECTIONS: [&str; 7] = ["all", "none", "pi02", "pi3", "pi3+", "pi4", "pi5"];
const KEYS: [&str; 8] = [
    "arm_64bit",
    "arm_boost",
    "camera_auto_detect",
    "disable_overscan",
    "disable_splash",
    "display_auto_detect",
    "dtoverlay",
    "dtparam",
];
const MORE_KEYS: [&str; 2] = ["max_framebuffers", "include"];
const PARAMETERS: [(&str, &[&str]); 6] = [
    ("audio", &["on", "off"]),
    ("i2c_arm", &["on", "off"]),
    ("i2c_arm_baudrate", &["100000", "400000"]),
    ("rtc_bbat_vchg", &["3000000"]),
    ("spi", &["on", "off"]),
    ("watchdog", &["on", "off"]),
];
const OVERLAYS: [&str; 7] = [
    "disable-bt",
    "i2c-rtc",
    "inkstone-buttons",
    "spi0-1cs",
    "vc4-kms-dsi-7inch",
    "vc4-kms-dsi-ili9881-7inch",
    "vc4-kms-v3d",
];
/// Words of the kernel's command line (`Documentation/admin-guide/kernel-parameters.rst`), by what stands before `=`.
const WORDS: [&str; 7] = [
    "cgroup_enable",
    "consoleblank",
    "logo.nologo",
    "loglevel",
    "quiet",
    "spidev.bufsiz",
    "vt.global_cursor_default",
];

fn boards() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-config/boards")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = boards().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What is wrong with a fragment.
fn faults(fragment: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, line) in fragment.lines().enumerate() {
        let mut wrong = |what: &str| faults.push(format!("line {}: {what}: {line}", index + 1));
        if line.len() > LONGEST_LINE {
            wrong("longer than the firmware reads");
        }
        // What is only offered has to be right too.
        let offered = line.strip_prefix('#').filter(|rest| rest.starts_with("dt"));
        let line = offered.unwrap_or(line).trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if !SECTIONS.contains(&section) {
                wrong("no such section");
            }
            continue;
        }
        match line.split_once('=') {
            Some(("dtparam", value)) if !is_parameter(value) => wrong("no such parameter"),
            Some(("dtoverlay", value)) if !OVERLAYS.contains(&value.split(',').next().unwrap_or(value)) => wrong("no such overlay"),
            Some((key, value)) if !KEYS.contains(&key) && !MORE_KEYS.contains(&key) || value.trim() != value => wrong("no such key"),
            Some((key, value)) if !key.starts_with("dt") && value.parse::<u32>().is_err() => wrong("no number"),
            Some(_) => {}
            None => wrong("neither a section nor a setting"),
        }
    }
    faults
}

fn is_parameter(text: &str) -> bool {
    let Some((name, value)) = text.split_once('=') else { return false };
    PARAMETERS.iter().any(|(known, values)| *known == name && values.contains(&value))
}

/// The settings in force of a fragment.
fn active(fragment: &str) -> Vec<&str> {
    fragment
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains('='))
        .collect()
}

/// Lines that the functions switched on in config.txt take, on the header.
fn taken(fragment: &str) -> Vec<u32> {
    let active = active(fragment);
    let is_on = |line: &str| active.contains(&line);
    let mut taken = Vec::new();
    if is_on("dtparam=spi=on") {
        taken.extend([7, 8, 9, 10, 11]);
    }
    if is_on("dtparam=i2c_arm=on") {
        taken.extend([2, 3]);
    }
    taken
}

struct Profile {
    name: String,
    /// config.txt; nothing on boards without that firmware.
    config: Option<String>,
    cmdline: String,
    settings: Settings,
}

fn profile(board: &str, display: &str, status: bool) -> Profile {
    let mut parts = vec![format!("board/{board}"), format!("display/{display}")];
    parts.extend(status.then(|| format!("status/{STATUS}")));
    let join = |file: &str| {
        parts
            .iter()
            .map(|part| read(format!("{part}/{file}")))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let name = parts.join(" + ");
    let settings = Settings::parse(&join("kiosk.toml"), Path::new(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    Profile {
        config: boards().join(&parts[0]).join("config.txt").exists().then(|| join("config.txt")),
        cmdline: join("cmdline.txt"),
        settings,
        name,
    }
}

fn profiles() -> Vec<Profile> {
    let pairs = BOARDS.iter().flat_map(|board| DISPLAYS.iter().map(move |display| (board, display)));
    pairs
        .flat_map(|(board, display)| [false, true].map(|status| profile(board, display, status)))
        .collect()
}

/// Lines of a bus that a display uses.
fn bus(display: &DisplaySettings) -> Vec<(u32, &'static str)> {
    let spi = [(11, "clock (SCK)"), (10, "data (MOSI, DIN)"), (8, "chip select (CS)")];
    let i2c = [(2, "data (SDA)"), (3, "clock (SCL)")];
    let lines = |device: &Device| match device {
        Device::Spi(_) => spi.to_vec(),
        Device::I2c(_) => i2c.to_vec(),
        Device::File { .. } => Vec::new(),
    };
    display.devices().iter().flat_map(lines).collect()
}

/// Whether a display is driven through SPI.
fn is_on_spi(display: &DisplaySettings) -> bool {
    display.devices().iter().any(|device| matches!(device, Device::Spi(_)))
}

/// Everything on the header: what displays and buttons use.
fn uses(displays: &[&DisplaySettings], settings: Option<&Settings>) -> Vec<Use> {
    let mut uses = Vec::new();
    for display in displays {
        let lines = bus(display).into_iter().chain(display.pins());
        uses.extend(lines.map(|(line, purpose)| Use {
            line,
            purpose: purpose.to_owned(),
            is_button: false,
        }));
    }
    for (name, keys) in settings.iter().flat_map(|settings| settings.buttons.lists()) {
        uses.extend(keys.iter().filter_map(|key| pin(key)).map(|line| Use {
            line,
            purpose: format!("button {}", name.to_uppercase()),
            is_button: true,
        }));
    }
    uses
}

#[test]
fn fragments_are_what_the_firmware_reads() {
    for (kind, names) in [("board", &BOARDS[..]), ("display", &DISPLAYS[..]), ("status", &[STATUS][..])] {
        let mut found: Vec<String> = fs::read_dir(boards().join(kind))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        let mut expected = names.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{kind}");
        for name in names {
            let folder = format!("{kind}/{name}");
            if *name != "generic" {
                assert_eq!(faults(&read(format!("{folder}/config.txt"))), Vec::<String>::new(), "{folder}");
            }
            let words = read(format!("{folder}/cmdline.txt"));
            assert!(words.lines().count() <= 1, "{folder}: the kernel's command line is one line");
            for word in words.split_whitespace() {
                assert!(WORDS.contains(&word.split('=').next().unwrap()), "{folder}: {word}");
            }
        }
    }
}

#[test]
fn what_the_firmware_would_pass_over_is_found() {
    let long = format!("# {}\n", "x".repeat(LONGEST_LINE));
    for (fragment, fault) in [
        ("[pi6]\n", "no such section"),
        ("dtparm=spi=on\n", "no such key"),
        ("dtparam=spi=yes\n", "no such parameter"),
        ("#dtparam=sip=on\n", "no such parameter"),
        ("dtoverlay=vc4-kms-v3\n", "no such overlay"),
        ("arm_boost=yes\n", "no number"),
        ("spi on\n", "neither a section"),
        (long.as_str(), "longer than"),
    ] {
        let found = faults(fragment);
        assert!(found.len() == 1 && found[0].contains(fault), "{fragment}: {found:?}");
    }
}

#[test]
fn every_board_with_every_display_is_consistent() {
    let profiles = profiles();
    assert_eq!(profiles.len(), 80);
    for Profile {
        name,
        config,
        cmdline,
        settings,
    } in profiles
    {
        let displays: Vec<&DisplaySettings> = std::iter::once(&settings.display).chain(&settings.status).collect();
        let uses = uses(&displays, Some(&settings));
        for (index, wired) in uses.iter().enumerate() {
            assert!(header::pin(wired.line).is_some(), "{name}: the header has no GPIO {}", wired.line);
            // An I²C bus is for several.
            let mut before = uses[..index]
                .iter()
                .filter(|other| other.line == wired.line && !matches!(other.line, 2 | 3));
            if let Some(other) = before.next() {
                panic!("{name}: GPIO {} is {} and {}", wired.line, wired.purpose, other.purpose);
            }
        }
        let buttons = uses.iter().filter(|wired| wired.is_button).count();
        assert_eq!(buttons, 4, "{name}: a line that something else has was taken from the buttons");
        let Some(config) = config else { continue };
        let buses: Vec<u32> = displays.iter().flat_map(|display| bus(display)).map(|(line, _)| line).collect();
        let taken = taken(&config);
        for wired in &uses {
            let is_bus = buses.contains(&wired.line);
            assert_eq!(
                taken.contains(&wired.line),
                is_bus,
                "{name}: GPIO {} ({})",
                wired.line,
                wired.purpose
            );
        }
        let on_spi = is_on_spi(&settings.display);
        assert_eq!(cmdline.contains("spidev.bufsiz=65536"), on_spi, "{name}: large blocks on SPI");
        assert!(cmdline.contains("cgroup_enable=memory"), "{name}: systemd's memory limits");
        let on_kms = settings.display.kind.name() == "kms";
        assert_eq!(active(&config).contains(&"dtoverlay=vc4-kms-v3d"), on_kms, "{name}");
    }
}

/// Settings that a display's files spell out are those that the drivers take by themselves.
#[test]
fn wirings_are_the_drivers_own() {
    for display in DISPLAYS {
        let written = profile("generic", display, false).settings.display;
        let usual = DisplaySettings::new(written.kind.clone());
        let sorted = |display: &DisplaySettings| {
            let mut pins = display.pins();
            pins.sort_unstable();
            pins
        };
        assert_eq!(sorted(&written), sorted(&usual), "{display}");
    }
}

fn title(name: &str) -> String {
    let names = [
        ("hdmi", "Four buttons beside a monitor on HDMI"),
        ("dsi", "Four buttons beside a panel on the ribbon connector"),
        ("st7789", "ST7789 on SPI and four buttons"),
        ("ili9341", "ILI9341 on SPI and four buttons"),
        ("gc9a01", "GC9A01 on SPI and four buttons"),
        ("inky-impression", "Inky Impression (sits on the header) and its buttons"),
        ("waveshare-7.3", "Waveshare e-paper 7.3 inch and four buttons"),
        ("waveshare-7.5", "Waveshare e-paper 7.5 inch V2 and four buttons"),
        ("ssd1306", "SSD1306 on I²C, a second display"),
    ];
    names.iter().find(|(known, _)| *known == name).unwrap().1.to_owned()
}

/// Pins of supplies: for modules with wires, and ground for the buttons.
fn supplies(display: &DisplaySettings, name: &str) -> Vec<(usize, &'static str)> {
    let buttons = (39, "buttons");
    match display.kind.name() {
        "ssd1306" => vec![(1, "supply (VCC)"), (9, "ground (GND)")],
        "epaper" if name.starts_with("inky") => vec![(1, "supply"), (2, "supply"), (6, "ground")],
        "spi" | "epaper" => vec![(17, "supply (VCC)"), (20, "ground (GND)"), buttons],
        _ => vec![buttons],
    }
}

#[test]
fn pictures_and_tables_are_those_of_the_settings() {
    let write = std::env::var_os("INKSTONE_WRITE_WIRING").is_some();
    let folders = DISPLAYS.iter().map(|name| ("display", *name)).chain([("status", STATUS)]);
    for (kind, name) in folders {
        let folder = boards().join(kind).join(name);
        let settings = Settings::parse(&read(format!("{kind}/{name}/kiosk.toml")), Path::new(name)).unwrap();
        let is_status = kind == "status";
        let display = if is_status {
            settings.status.as_ref().unwrap()
        } else {
            &settings.display
        };
        let uses = uses(&[display], (!is_status).then_some(&settings));
        let supplies = supplies(display, name);
        let files = [
            ("wiring.svg", header::picture(&title(name), &uses, &supplies)),
            ("wiring.md", header::table(&title(name), &uses, &supplies)),
        ];
        roxmltree::Document::parse(&files[0].1).unwrap();
        for (file, text) in files {
            if write {
                fs::write(folder.join(file), &text).unwrap();
            }
            let stored = fs::read_to_string(folder.join(file)).unwrap_or_default();
            assert!(
                stored == text,
                "{kind}/{name}/{file} is not that of the settings; INKSTONE_WRITE_WIRING=1 writes it anew"
            );
        }
    }
}

fn join(arguments: &[&str]) -> std::process::Output {
    Command::new("sh").arg(boards().join("join")).args(arguments).output().unwrap()
}

#[test]
fn joining_writes_a_boot_partition_and_can_be_repeated() {
    let boot = tempfile::tempdir().unwrap();
    let path = boot.path();
    let folder = path.to_str().unwrap();
    fs::write(path.join("config.txt"), "dtparam=audio=on\ndtoverlay=vc4-kms-v3d\n").unwrap();
    fs::write(path.join("cmdline.txt"), "console=tty1 root=PARTUUID=0-02 rootwait quiet\n").unwrap();
    for _ in 0..2 {
        let output = join(&["pi4", "hdmi", "ssd1306", folder]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let config = fs::read_to_string(path.join("config.txt")).unwrap();
        assert_eq!(config.matches("include inkstone.txt").count(), 1);
        let included = fs::read_to_string(path.join("inkstone.txt")).unwrap();
        assert!(
            included.contains("\n# (in config.txt already) dtoverlay=vc4-kms-v3d\n"),
            "{included}"
        );
        assert!(
            included.contains("\ndtparam=i2c_arm=on\n") && faults(&included).is_empty(),
            "{included}"
        );
        let words = fs::read_to_string(path.join("cmdline.txt")).unwrap();
        assert_eq!(
            words,
            "console=tty1 root=PARTUUID=0-02 rootwait quiet cgroup_enable=memory consoleblank=0 vt.global_cursor_default=0 logo.nologo loglevel=3\n"
        );
        let settings = Settings::load(&path.join("inkstone/kiosk.toml")).unwrap();
        assert_eq!(settings.status.unwrap().kind.name(), "ssd1306");
        assert!(path.join("inkstone/wiring-ssd1306.svg").exists() && path.join("inkstone/wiring-hdmi.svg").exists());
    }
    // Another display takes the place of the first.
    assert!(join(&["pi4", "st7789", folder]).status.success());
    let settings = Settings::load(&path.join("inkstone/kiosk.toml")).unwrap();
    assert_eq!((settings.display.kind.to_string().as_str(), settings.status), ("spi:st7789", None));
    assert!(fs::read_to_string(path.join("inkstone.txt")).unwrap().contains("dtparam=spi=on"));
}

#[test]
fn joining_every_pair_gives_settings_that_can_be_read() {
    for board in BOARDS {
        for display in DISPLAYS {
            let folder = tempfile::tempdir().unwrap();
            let output = join(&[board, display, STATUS, folder.path().to_str().unwrap()]);
            assert!(
                output.status.success(),
                "{board} {display}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            Settings::load(&folder.path().join("inkstone/kiosk.toml")).unwrap();
            assert_eq!(folder.path().join("inkstone.txt").exists(), board != "generic");
            let expected = profile(board, display, true)
                .cmdline
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
                .join(" ");
            assert_eq!(
                fs::read_to_string(folder.path().join("inkstone/cmdline.txt")).unwrap().trim(),
                expected
            );
        }
    }
}

#[test]
fn wrong_names_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    for (arguments, words) in [
        (
            vec!["pi9", "hdmi", folder],
            "there is no board 'pi9'; board: generic pi3 pi4 pi5 zero2w",
        ),
        (vec!["pi5", "hdmi", folder, folder], "usage"),
        (vec!["pi5", "crt", folder], "there is no display 'crt'"),
        (vec!["pi5", "hdmi", "lamp", folder], "there is no status 'lamp'"),
        (vec!["pi5", "hdmi", "/nonexistent"], "/nonexistent: there is no such folder"),
        (vec!["pi5"], "usage"),
    ] {
        let output = join(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(words), "{arguments:?}: {said}");
    }
}

/// Every board and display is listed with a sentence of its own, on a line that a terminal shows whole.
#[test]
fn what_there_is_is_listed_and_in_the_manual_page() {
    let lists = [&[][..], &["--help"], &["--manual"]].map(|arguments| String::from_utf8(join(arguments).stdout).unwrap());
    let names = BOARDS.into_iter().chain(DISPLAYS).chain([STATUS]);
    for name in names {
        let line = lists[0].lines().find(|line| line.split_whitespace().next() == Some(name));
        let (line, about) = line.map(|line| (line, line.trim_start().trim_start_matches(name).trim())).unwrap();
        assert!(about.ends_with('.') && about.len() > 20 && line.chars().count() < 120, "{line}");
        assert!(lists[1].contains(line) && lists[2].contains(about), "{about}");
    }
    assert!(lists[2].starts_with(".TH inkstone-board 1\n"), "{}", lists[2]);
}

/// As the package lays it out: the program in `bin`, the files in `share`; and a picture of the wiring that is no more used
/// is gone after another display was joined.
#[test]
fn the_installed_program_finds_its_files() {
    let tree = tempfile::tempdir().unwrap();
    let (bin, share, boot) = (
        tree.path().join("bin"),
        tree.path().join("share/inkstone"),
        tree.path().join("boot"),
    );
    for folder in [&bin, &share, &boot] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::copy(boards().join("join"), bin.join("inkstone-board")).unwrap();
    std::os::unix::fs::symlink(boards(), share.join("boards")).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(bin.join("inkstone-board"))
            .args(arguments)
            .arg(&boot)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["zero2w", "st7789", "ssd1306"]);
    assert!(boot.join("inkstone/wiring-st7789.svg").exists() && boot.join("inkstone/wiring-ssd1306.svg").exists());
    run(&["zero2w", "hdmi"]);
    assert!(boot.join("inkstone/wiring-hdmi.svg").exists() && !boot.join("inkstone/wiring-st7789.svg").exists());
    Settings::load(&boot.join("inkstone/kiosk.toml")).unwrap();
}

/// The overlay compiles, and its lines and keys are those of the kiosk's usual buttons.
#[test]
fn our_overlay_is_the_usual_buttons() {
    let source = boards().join("overlays/inkstone-buttons-overlay.dts");
    let text = fs::read_to_string(&source).unwrap();
    let usual = Settings::default().buttons;
    for (index, (name, keys)) in usual.lists().into_iter().take(4).enumerate() {
        let line = keys.iter().find_map(|key| pin(key)).unwrap();
        let node = text
            .split(&format!("button_{name}: {name} {{"))
            .nth(1)
            .unwrap()
            .split('}')
            .next()
            .unwrap();
        assert!(node.contains(&format!("gpios = <&gpio {line} 0x11>")), "{node}");
        // KEY_F1 is 59 in input-event-codes.h, and the next ones follow.
        assert!(
            keys.contains(&format!("KEY_F{}", index + 1)) && node.contains(&format!("linux,code = <{}>", 59 + index)),
            "{node}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let compiled = folder.path().join("inkstone-buttons.dtbo");
    let compiler = Command::new("dtc")
        .args(["-@", "-I", "dts", "-O", "dtb", "-o"])
        .arg(&compiled)
        .arg(&source)
        .output();
    let Ok(output) = compiler else {
        eprintln!("not compiled: dtc is not installed (apt-get install device-tree-compiler)");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    // The magic number of a flattened device tree (Devicetree Specification, 5.2).
    assert_eq!(fs::read(compiled).unwrap()[..4], [0xD0, 0x0D, 0xFE, 0xED]);
}

/// The image's layer offers the boards and displays that are here, and its settings have their words of the command line.
#[test]
fn the_image_knows_the_same_boards_and_displays() {
    let image = boards().join("../image");
    let layer = fs::read_to_string(image.join("layer/inkstone.yaml")).unwrap();
    let keywords = |name: &str| {
        let line = layer
            .lines()
            .find_map(|line| line.strip_prefix(&format!("# X-Env-Var-{name}-Valid: keywords:")));
        line.unwrap().split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(keywords("board"), BOARDS[..4], "all with Raspberry Pi's firmware");
    assert_eq!(keywords("display"), DISPLAYS);
    let config = fs::read_to_string(image.join("config/inkstone-zero2w-hdmi.yaml")).unwrap();
    let words = config.lines().find_map(|line| line.trim().strip_prefix("cmdline_extra: ")).unwrap();
    let expected = profile("zero2w", "hdmi", false).cmdline;
    assert_eq!(
        words.split(' ').collect::<Vec<_>>(),
        expected.split_whitespace().collect::<Vec<_>>()
    );
}
