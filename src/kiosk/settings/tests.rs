use super::*;
use std::collections::BTreeSet;

fn parse(text: &str) -> Result<Settings, SettingsError> {
    Settings::parse(text, Path::new("kiosk.toml"))
}

fn message(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[track_caller]
fn accept(text: &str) -> Settings {
    parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_example_is_the_defaults() {
    assert_eq!(accept(EXAMPLE), Settings::default());
    assert_eq!(accept(""), Settings::default());
    let written = toml::to_string(&Settings::default()).unwrap();
    assert_eq!(accept(&written), Settings::default());
}

/// Every field is in the example, with a value or after a `#`; and what stands after a `#` reads.
#[test]
fn the_example_tells_of_every_field() {
    let is_field = |line: &str| {
        let name = line.split(" = ").next().unwrap_or_default();
        line.contains(" = ")
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let mut all = String::new();
    for line in EXAMPLE.lines() {
        let hidden = line.strip_prefix('#').filter(|field| is_field(field) || field.starts_with('['));
        all.push_str(hidden.unwrap_or(line));
        all.push('\n');
    }
    let settings: Settings = toml::from_str(&all).unwrap();
    let names = |text: &str| {
        let table: toml::Table = toml::from_str(text).unwrap();
        let mut names = BTreeSet::new();
        for (name, value) in table {
            match value {
                toml::Value::Table(inner) => names.extend(inner.keys().map(|key| format!("{name}.{key}"))),
                _ => drop(names.insert(name)),
            }
        }
        names
    };
    let full = toml::to_string(&settings).unwrap();
    let unset = |names: &BTreeSet<String>| {
        names
            .iter()
            .filter(|name| !name.starts_with("status."))
            .cloned()
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(unset(&names(&all)), unset(&names(&full)));
    // Serde's own list of the fields of each table, from the errors for a field that is none of them.
    let mut fields = 0;
    for table in [
        "", "display", "buttons", "draw", "attract", "schedule", "gallery", "filter", "heat", "battery", "remote", "mqtt",
    ] {
        let header = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
        let error = toml::from_str::<Settings>(&format!("{header}qqqqqqqqqqqqqqqqq = 1")).unwrap_err();
        let known: Vec<String> = error.message().split('`').skip(3).step_by(2).map(str::to_owned).collect();
        assert!(!known.is_empty(), "{error}");
        for field in known {
            let prefix = if table.is_empty() { String::new() } else { format!("{table}.") };
            let is_table = table.is_empty() && !names(&all).contains(&field);
            assert!(
                is_table || names(&all).contains(&format!("{prefix}{field}")),
                "{prefix}{field} is not in the example"
            );
            fields += 1;
        }
    }
    assert!(fields > 80, "{fields}");
    assert_eq!(settings.check(), [], "the values after # are fit to be used together");
}

#[test]
fn a_misspelt_field_is_pointed_at_and_the_nearest_is_named() {
    let text = "language = \"zh\"\n\n[display]\nkind = \"kms\"\nrotaton = 90\n";
    assert_eq!(
        message(text),
        "kiosk.toml:5:1: unknown field 'rotaton'; did you mean 'rotation'?\n  5 | rotaton = 90\n    | ^"
    );
    assert!(message("[displya]\nkind = \"kms\"").contains("did you mean 'display'?"));
    assert!(
        message("[buttons]\ndebonuce = 5").contains("did you mean 'debounce'?"),
        "letters that changed places"
    );
    let far = message("[battery]\nqqqqqqqq = 1");
    assert!(far.contains("unknown field 'qqqqqqqq'; expected one of prompt, show"), "{far}");
}

#[test]
fn a_misspelt_value_is_pointed_at_and_the_nearest_is_named() {
    assert_eq!(
        message("  language = \"cn\""),
        "kiosk.toml:1:14: unknown value 'cn'; did you mean 'en'?\n  1 |   language = \"cn\"\n    |              ^"
    );
    assert!(message("[buttons]\ndriver = \"rpal\"").contains("2:10: unknown value 'rpal'; did you mean 'rppal'?"));
    assert!(message("[display]\nkind = \"framebufer:/dev/fb1\"").contains("did you mean 'framebuffer'?"));
    assert!(message("[status]\nkind = \"ssd1309\"").contains("did you mean 'ssd1306'?"));
    assert!(message("[display]\nkind = \"hologram\"").contains("There are auto, kms, framebuffer"));
    assert!(
        message("[display]\nrotation = 45").contains("2:12: "),
        "{}",
        message("[display]\nrotation = 45")
    );
    assert!(message("[display]\nsize = \"800*480\"").contains("2:8: "));
    assert!(message("[status]\nrotation = 0").contains("status.kind: a second display is not detected"));
}

#[test]
fn what_is_no_toml_or_has_another_type_is_pointed_at() {
    let unclosed = message("[display]\nkind = \"kms\n");
    assert!(unclosed.starts_with("kiosk.toml:2:"), "{unclosed}");
    let typed = message("threads = \"four\"");
    assert!(
        typed.starts_with("kiosk.toml:1:11: ") && typed.contains("\n  1 | threads = \"four\"\n"),
        "{typed}"
    );
    let twice = message("threads = 1\nthreads = 2");
    assert!(twice.contains("kiosk.toml:2:"), "{twice}");
    let hours = message("[schedule]\n# 早上\nsat = \"09:00-09:00\"");
    assert!(
        hours.starts_with("kiosk.toml:3:7: ") && hours.contains("begins and ends at the same time"),
        "{hours}"
    );
    let order = message("[schedule]\nsat = \"14:00-18:00, 09:00-12:00\"");
    assert!(order.contains("2:7") && order.contains("in order"), "{order}");
}

#[test]
fn of_a_long_line_the_part_around_the_fault_is_shown() {
    let text = format!("threads = {}5000{}# end", " ".repeat(70_000), " ".repeat(9000));
    let told = message(&text);
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].contains(":1:70011: "), "{}", lines[0]);
    let pointed = lines[2].chars().position(|letter| letter == '^').unwrap();
    assert_eq!(lines[1].chars().skip(pointed).take(4).collect::<String>(), "5000", "{told}");
    assert!(told.chars().count() < 500 && lines[1].ends_with('…'), "{told}");
}

#[test]
fn columns_count_characters() {
    let text = message("[draw]\nstyles = [\"水墨\", 5]");
    assert!(text.starts_with("kiosk.toml:2:17: "), "{text}");
    assert!(text.ends_with("  2 | styles = [\"水墨\", 5]\n    |                 ^"), "{text}");
}

#[test]
fn lines_used_twice_are_named_with_both_places() {
    let text = "[display]\nkind = \"spi:st7789\"\ndata_command = 9\nbacklight = 13\n[buttons]\na = [\"f1\", \"gpio13\"]\nmotion = 9";
    assert_eq!(
        message(text),
        "kiosk.toml:6:12: buttons.a[1]: GPIO 13 is already the line of display.backlight; use another one\n\
         \x20 6 | a = [\"f1\", \"gpio13\"]\n    |            ^\n\
         kiosk.toml:7:10: buttons.motion: GPIO 9 is already the line of display.data_command; use another one\n\
         \x20 7 | motion = 9\n    |          ^"
    );
    let twice = message("[buttons]\na = [\"gpio5\"]\nb = [\"gpio5\"]");
    assert!(
        twice.contains("buttons.b[0]: GPIO 5 is already the line of buttons.a[0]"),
        "{twice}"
    );
    let encoder = message("[buttons]\nencoder = [22, 22]");
    assert!(encoder.contains("2:16: buttons.encoder[1]: GPIO 22 is already"), "{encoder}");
    let key = message("[buttons]\na = [\"KEY_1\"]\nb = [\"KEY_1\"]");
    assert!(key.contains("buttons.b[0]: the key 'KEY_1' is also bound by buttons.a[0]"), "{key}");
}

#[test]
fn the_keys_of_named_keyboards_go_to_the_kiosk_alone_unless_it_is_said() {
    let grabs = |text: &str| accept(&format!("[buttons]\n{text}")).buttons.grabs();
    let named = "devices = [\"/dev/input/by-id/usb-Keys-event-kbd\"]";
    assert!(!grabs("") && grabs("grab = true") && grabs(named) && !grabs(&format!("{named}\ngrab = false")));
    let wrong = message("[buttons]\ndevices = [\"/dev/input/event0\", \"event1\"]");
    assert!(
        wrong.starts_with("kiosk.toml:2:33: buttons.devices[1]: ") && wrong.contains("/dev/input/by-id"),
        "{wrong}"
    );
}

#[test]
fn lines_that_cannot_be_are_refused_with_the_reason() {
    let beyond = message("[buttons]\na = [\"gpio28\"]");
    assert!(beyond.contains("there is no GPIO 28; the header has 0 to 27"), "{beyond}");
    accept("[buttons]\na = [\"gpio96\"]\nchip = \"/dev/gpiochip3\"");
    let memory = message("[display]\nkind = \"spi:st7789\"\ndata_command = 1");
    assert!(memory.contains("GPIO 1 is reserved for the EEPROM of add-on boards"), "{memory}");
    let bus = message("[display]\nkind = \"epaper:inky\"\n[buttons]\na = [\"gpio10\"]");
    let reason = "GPIO 10 is already the data line of /dev/spidev0.0, which epaper:inky uses";
    assert!(bus.contains(reason), "{bus}");
    let select = message("[display]\nkind = \"spi:gc9a01\"\nspi = \"/dev/spidev0.1\"\ndata_command = 7");
    assert!(select.contains("GPIO 7 is already the chip select of /dev/spidev0.1"), "{select}");
    let i2c = message("[status]\nkind = \"ssd1306\"\n[buttons]\nb = [\"gpio3\"]");
    assert!(
        i2c.contains("GPIO 3 is already the clock of /dev/i2c-1, which ssd1306 uses"),
        "{i2c}"
    );
    // The same lines are free where nothing uses the bus, and where the select is another line.
    accept("[buttons]\na = [\"gpio10\"]\nb = [\"gpio3\"]");
    accept("[display]\nkind = \"epaper:inky\"\nchip_select = 8");
    let usual = message("[display]\nkind = \"epaper:waveshare-7.3-f\"\n[buttons]\nmotion = 24");
    assert!(
        usual.contains("buttons.motion: GPIO 24 is already the busy line of epaper:waveshare-7.3-f"),
        "{usual}"
    );
}

#[test]
fn usual_buttons_give_way_to_a_display() {
    let settings = accept("[display]\nkind = \"epaper:waveshare-7.3-f\"\nbusy = 24\nreset = 5\n[buttons]\nmotion = 6");
    let lists = [&settings.buttons.a, &settings.buttons.b, &settings.buttons.c, &settings.buttons.d];
    assert_eq!(lists.map(|keys| keys[0].as_str()), ["KEY_F1", "KEY_F2", "gpio16", "KEY_F4"]);
    let named = message("[display]\nkind = \"epaper:waveshare-7.3-f\"\nbusy = 24\n[buttons]\nd = [\"gpio24\"]");
    assert!(
        named.contains("buttons.d[0]: GPIO 24 is already the line of display.busy"),
        "{named}"
    );
}

#[test]
fn values_out_of_range_are_all_named() {
    let text = "threads = 5000\n[display]\nsaturation = 2.0\nspeed = 9\n[status]\naddress = 1\nkind = \"ssd1306\"\n[draw]\nat_once = 3\n\
                background = \"greyish\"\nstyles = [\"flat\"]\nstyle = \"3d\"\n[heat]\nslower_above = 80.0\npause_above = 70.0\n\
                [buttons]\nlong = 5\n[attract]\nfade = 30.0\n[schedule]\ntime_zone = \"Europe/Berlyn\"\nnight_brightness = nan";
    let SettingsError::Invalid { faults, .. } = parse(text).unwrap_err() else {
        panic!()
    };
    let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "threads",
            "display.saturation",
            "display.speed",
            "status.address",
            "buttons.long",
            "draw.at_once",
            "draw.background",
            "draw.style",
            "attract.fade",
            "schedule.night_brightness",
            "schedule.time_zone",
            "heat.pause_above"
        ]
    );
    assert!(faults.iter().all(|fault| fault.place.is_some()), "{faults:?}");
    assert_eq!(faults[1].problem, "2 is not between 0 and 1");
    assert_eq!(faults[4].problem, "5 ms is not between 200 and 5000 ms");
    assert!(
        faults[10].problem.starts_with("there is no time zone 'Europe/Berlyn'"),
        "{faults:?}"
    );
}

#[test]
fn a_file_is_named_and_its_paths_are_relative_to_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kiosk.toml");
    let missing = Settings::load(&file).unwrap_err().to_string();
    assert!(missing.contains("kiosk.toml: cannot read the settings: "), "{missing}");
    std::fs::write(
        &file,
        "pack = \"mine\"\n[gallery]\nfolder = \"/srv/pictures\"\n[filter]\nwords = \"words.txt\"",
    )
    .unwrap();
    let settings = Settings::load(&file).unwrap();
    assert_eq!(settings.pack, Some(folder.path().join("mine")));
    assert_eq!(settings.gallery_folder(), Path::new("/srv/pictures"));
    assert_eq!(settings.filter.words, Some(folder.path().join("words.txt")));
    std::fs::write(&file, [b"pack = \"", &[0xff; 4][..], b"\""].concat()).unwrap();
    assert!(Settings::load(&file).is_err());
}

#[test]
fn a_broken_file_is_an_error_with_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kiosk.toml");
    for broken in ["language = \"de", "language = \"dee\"", "[heat]\nmargin = 0.0", "\u{0}"] {
        std::fs::write(&file, broken).unwrap();
        let error = Settings::load(&file).unwrap_err();
        assert!(error.to_string().contains("kiosk.toml:"), "{error}");
    }
    std::fs::remove_file(&file).unwrap();
    Settings::load(&file).unwrap_err();
}

#[test]
fn looks_are_named() {
    let look = accept("[look]\ntheme = \"paper\"\nlegend = \"left\"").look;
    assert_eq!((look.theme, look.legend), (ThemeName::Paper, crate::kiosk::screens::Edge::Left));
    for (text, place, near) in [
        ("[look]\ntheme = \"papre\"", "kiosk.toml:2:9", "'paper'"),
        ("[look]\nlegend = \"botom\"", "kiosk.toml:2:10", "'bottom'"),
        ("[look]\nlegends = \"left\"", "kiosk.toml:2:1", "'legend'"),
        ("[loock]\ntheme = \"ink\"", "kiosk.toml:1:2", "'look'"),
    ] {
        let said = message(text);
        assert!(said.contains(place) && said.contains(&format!("did you mean {near}?")), "{said}");
    }
}

#[test]
fn a_pack_without_such_steps_or_styles_is_an_error_with_a_place() {
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram/pack.toml");
    let manifest = Manifest::parse(&std::fs::read_to_string(&pack).unwrap(), &pack).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kiosk.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Settings::load(&file).unwrap().check_pack(&manifest, Some(&file))
    };
    check("[draw]\nsteps = 2\nstyle = \"flat\"\nstyles = [\"flat\", \"ink\"]").unwrap();
    let error = check("[draw]\nsteps = 3\nstyle = \"flt\"\nguidance = 99.0")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("kiosk.toml:2:9: draw.steps: the pack pictogram has no schedule of 3 steps; it has 1, 2, 4"),
        "{error}"
    );
    assert!(
        error.contains("kiosk.toml:3:9: draw.style: there is no 'flt'; did you mean 'flat'?"),
        "{error}"
    );
    assert!(error.contains("draw.guidance: 99 is not between 0 and 4"), "{error}");
    Settings::default().check_pack(&manifest, None).unwrap();
}

#[test]
fn no_broken_file_panics() {
    let mut state = 7u32;
    let mut next = |limit: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % limit
    };
    let letters: Vec<char> = EXAMPLE.chars().collect();
    for _ in 0..300 {
        let mut text = letters.clone();
        for _ in 0..=next(4) {
            let at = next(text.len());
            match next(3) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, ['"', '\n', '[', '#', '=', '9', '红', '\u{0}'][next(8)]),
                _ => text.truncate(at + 1),
            }
        }
        if let Err(error) = parse(&text.iter().collect::<String>()) {
            assert!(error.to_string().starts_with("kiosk.toml:"), "{error}");
        }
    }
}
