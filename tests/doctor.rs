//! `inkstone doctor` as it is run: on trees of four machines, with each thing missing or broken in turn, and on this one.
//!
//! The trees in `tests/trees` were written from the documented formats; they are not recordings.

#![cfg(all(
    target_os = "linux",
    feature = "kms",
    feature = "spi-tft",
    feature = "e-paper",
    feature = "status-display"
))]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{copied_pack, inkstone};
use tempfile::TempDir;

/// A user of no machine, so that no file of a tree is his.
const STRANGER: &str = "Uid:\t4242\t4242\t4242\t4242\nGid:\t4242\t4242\t4242\t4242\nGroups:\t4242\n";

/// A copy of a tree in which everything may be opened, and settings that it is looked at with.
struct Machine {
    root: TempDir,
    settings: String,
    pack: PathBuf,
}

impl Machine {
    fn new(name: &str) -> Machine {
        let root = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees").join(name);
        copy(&from, root.path());
        let machine = Machine {
            root,
            settings: "[gallery]\nfolder = \"/var/lib/inkstone/gallery\"\nmax_megabytes = 1\n".into(),
            pack: support::pack(),
        };
        for node in ["dev", "dev/dri", "dev/input", "var/lib/inkstone"] {
            for entry in fs::read_dir(machine.root.path().join(node)).into_iter().flatten().flatten() {
                machine.allow(&entry.path(), if entry.path().is_dir() { 0o777 } else { 0o666 });
            }
        }
        machine.allow(&machine.root.path().join("var/lib/inkstone"), 0o777);
        machine
    }

    fn display(mut self, kind: &str) -> Machine {
        self.settings.push_str(&format!("[display]\nkind = \"{kind}\"\n"));
        self
    }

    fn allow(&self, path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn remove(self, path: &str) -> Machine {
        fs::remove_file(self.root.path().join(path)).unwrap();
        self
    }

    fn write(self, path: &str, text: &str) -> Machine {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Looked at by somebody who is in no group, with these device files closed to him.
    fn closed(self, nodes: &[&str]) -> Machine {
        for node in nodes {
            self.allow(&self.root.path().join(node), 0o660);
        }
        self.write("proc/self/status", STRANGER).write("etc/group", "root:x:0:\n")
    }

    /// The report, after checking that its verdict is the exit code's.
    fn report(&self) -> Report {
        let config = self.root.path().join("kiosk.toml");
        fs::write(&config, &self.settings).unwrap();
        let mut command = inkstone();
        command.env_remove("DISPLAY").args(["doctor", "--json", "--config"]).arg(&config);
        command.arg("--root").arg(self.root.path()).arg("--pack").arg(&self.pack);
        let output = command.output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
        });
        assert_eq!(report["doctor"], 1);
        assert_eq!(output.status.code(), Some(if report["would_run"] == true { 0 } else { 1 }));
        Report(report)
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

struct Report(Value);

impl Report {
    fn finding(&self, check: &str) -> &Value {
        let findings = self.0["findings"].as_array().unwrap();
        findings
            .iter()
            .find(|finding| finding["check"] == check)
            .unwrap_or_else(|| panic!("no {check} in {}", self.0))
    }

    /// Severity of a check; its words are in what it says or in the fix.
    fn expect(&self, check: &str, severity: &str, words: &[&str]) {
        let finding = self.finding(check);
        assert_eq!(finding["severity"], severity, "{finding}");
        let said = format!(
            "{} {}",
            finding["says"].as_str().unwrap(),
            finding["fix"].as_str().unwrap_or_default()
        );
        for word in words {
            assert!(said.contains(word), "no '{word}' in: {said}");
        }
    }

    fn would_run(&self) -> bool {
        self.0["would_run"] == true
    }
}

#[test]
fn a_zero_2_w_with_a_panel_on_spi() {
    let report = Machine::new("zero2w").display("spi:st7789").report();
    assert!(report.would_run(), "{}", report.0);
    report.expect("board", "ok", &["Raspberry Pi Zero 2 W Rev 1.0", "BCM2837", "416 MiB"]);
    report.expect("processor", "ok", &["4 × Cortex-A53", "asimd"]);
    report.expect("kernel", "ok", &["neon, the fastest for a processor with asimd"]);
    report.expect("memory", "ok", &["of 416 MiB", "weights 21"]);
    report.expect("swap", "ok", &["zram"]);
    report.expect("storage", "note", &["SD card mmcblk0 (ext4)"]);
    report.expect("display", "ok", &["/dev/spidev0.0", "/dev/gpiochip0"]);
    report.expect("displays", "ok", &["kms:HDMI-A-1 (nothing is connected)"]);
    report.expect("buttons", "ok", &["GPIO 5, 6, 16, 24 of /dev/gpiochip0 (brcm,bcm2835-gpio)"]);
    report.expect("permissions", "ok", &["pi can open"]);
    report.expect("clock", "note", &["no real-time clock"]);
    report.expect("gallery", "ok", &["/var/lib/inkstone/gallery"]);
    assert_eq!(report.finding("board")["figures"]["revision"], "902120");
}

#[test]
fn a_pi_4_with_a_screen() {
    let report = Machine::new("pi4").report();
    assert!(report.would_run(), "{}", report.0);
    report.expect("board", "ok", &["Raspberry Pi 4 Model B", "BCM2711"]);
    report.expect("processor", "ok", &["4 × Cortex-A72"]);
    report.expect("kernel", "ok", &["neon,"]);
    report.expect("swap", "note", &["wears out memory cards"]);
    report.expect("display", "ok", &["kms:HDMI-A-1", "1920x1080"]);
    report.expect("buttons", "ok", &["brcm,bcm2711-gpio", "USB Keyboard"]);
    report.expect("clock", "ok", &["synchronized over the network"]);
}

#[test]
fn a_pi_5_has_its_header_on_rp1() {
    let report = Machine::new("pi5").display("kms:DSI-2").report();
    assert!(report.would_run(), "{}", report.0);
    report.expect("processor", "ok", &["4 × Cortex-A76", "asimddp"]);
    report.expect("kernel", "ok", &["neon-dotprod, the fastest for a processor with asimddp"]);
    report.expect("storage", "note", &["NVMe disk nvme0n1"]);
    report.expect("buttons", "ok", &["/dev/gpiochip0 (raspberrypi,rp1-gpio)", "TouchScreen"]);
    report.expect("display", "ok", &["kms:DSI-2", "720x1280"]);
    assert_eq!(report.finding("clock")["figures"]["has_rtc"], true);
    // Earlier kernels gave the header another number.
    let earlier = Machine::new("pi5").remove("dev/gpiochip0").write("dev/gpiochip4", "");
    let earlier = earlier.write("sys/bus/gpio/devices/gpiochip4/of_node/compatible", "raspberrypi,rp1-gpio\0");
    earlier.allow(&earlier.root.path().join("dev/gpiochip4"), 0o666);
    earlier.report().expect("buttons", "ok", &["/dev/gpiochip4 (raspberrypi,rp1-gpio)"]);
}

#[test]
fn a_pc_has_no_header() {
    let report = Machine::new("pc").report();
    assert!(report.would_run(), "{}", report.0);
    report.expect("board", "ok", &["i5-12400"]);
    report.expect("processor", "ok", &["12 × 12th Gen"]);
    report.expect("kernel", "ok", &["avx-vnni"]);
    report.expect("buttons", "note", &["no GPIO lines", "keyboard"]);
    report.expect("storage", "note", &["solid-state disk sda"]);
    assert_eq!(report.finding("board")["figures"]["is_raspberry_pi"], false);
}

#[test]
fn missing_permissions_name_the_groups() {
    let nodes = ["dev/dri/card0", "dev/gpiochip0", "dev/spidev0.0", "dev/spidev0.1", "dev/i2c-1"];
    let report = Machine::new("zero2w").display("spi:st7789").closed(&nodes).report();
    assert!(!report.would_run());
    report.expect(
        "display",
        "fault",
        &["/dev/spidev0.0: permission denied", "sudo usermod -aG spi 4242"],
    );
    report.expect(
        "buttons",
        "warning",
        &["/dev/gpiochip0: permission denied", "usermod -aG gpio 4242"],
    );
    report.expect(
        "permissions",
        "warning",
        &["/dev/dri/card*", "sudo usermod -aG video,gpio,spi,i2c 4242, then log in again"],
    );

    let screen = Machine::new("pi4").closed(&["dev/dri/card0", "dev/dri/card1", "dev/fb0"]).report();
    assert!(!screen.would_run());
    screen.expect("display", "fault", &["/dev/dri/card1: permission denied", "usermod -aG video"]);
}

#[test]
fn what_is_not_switched_on_names_the_line() {
    let report = Machine::new("pi4").display("epaper:waveshare-7.3-e").report();
    assert!(!report.would_run());
    report.expect(
        "display",
        "fault",
        &[
            "/dev/spidev0.0: there is no such device",
            "add the line dtparam=spi=on to /boot/firmware/config.txt",
        ],
    );
    let waits = Machine::new("zero2w").display("epaper:inky").remove("dev/i2c-1").report();
    waits.expect(
        "display",
        "fault",
        &["/dev/i2c-1", "has the line dtparam=i2c_arm=on already: restart"],
    );
    let unknown = Machine::new("zero2w").display("epaper:inky-9").report();
    unknown.expect("display", "fault", &["there is no such model", "waveshare-7.3-f"]);
    let dark = Machine::new("zero2w").report();
    assert!(dark.would_run());
    dark.expect("display", "warning", &["nobody looks"]);
    let unplugged = Machine::new("zero2w").display("kms").report();
    unplugged.expect("display", "fault", &["nothing is connected", "kms:HDMI-A-1"]);
}

#[test]
fn a_second_display_that_is_absent_is_left_out() {
    let mut machine = Machine::new("pi4");
    machine.settings.push_str("[status]\nkind = \"ssd1306\"\n");
    let report = machine.report();
    assert!(report.would_run(), "{}", report.0);
    report.expect("status-display", "warning", &["/dev/i2c-1", "dtparam=i2c_arm=on"]);
}

#[test]
fn a_broken_pack_is_a_fault() {
    let (_folder, pack) = copied_pack();
    let file = pack.join("weights.bin");
    let mut bytes = fs::read(&file).unwrap();
    bytes[12_345] ^= 1;
    fs::write(&file, bytes).unwrap();
    let mut machine = Machine::new("pi4");
    machine.pack = pack.clone();
    let report = machine.report();
    assert!(!report.would_run());
    report.expect("pack", "fault", &["weights.bin: SHA-256", "copy the pack again"]);
    assert!(
        report.0["findings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|finding| finding["check"] != "self-test")
    );
    fs::remove_file(pack.join("pack.toml")).unwrap();
    machine.report().expect("pack", "fault", &["no pack here"]);
}

#[test]
fn bad_settings_are_a_fault_with_their_place() {
    let mut machine = Machine::new("pi4");
    machine.settings = "[display]\nknd = \"kms\"\n".into();
    let report = machine.report();
    assert!(!report.would_run());
    report.expect("settings", "fault", &["kiosk.toml", "knd"]);
    machine.settings = "[draw]\nsteps = 3\n".into();
    machine
        .report()
        .expect("settings", "fault", &["draw.steps", "no schedule of 3 steps"]);
    machine.settings = "font = \"absent.ttf\"\n".into();
    machine.report().expect("settings", "fault", &["absent.ttf"]);
    machine.settings = "[draw]\nsubjects = \"absent.txt\"\n".into();
    machine.report().expect("settings", "fault", &["absent.txt"]);
}

#[test]
fn little_memory_heat_a_weak_supply_and_a_read_only_root_are_told() {
    let machine = Machine::new("zero2w").display("spi:st7789");
    let machine = machine.write("proc/meminfo", "MemTotal:  426980 kB\nMemAvailable:  9000 kB\nSwapTotal: 0 kB\n");
    let machine = machine.write("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n");
    let machine = machine
        .write("sys/class/thermal/thermal_zone0/temp", "81000\n")
        .write("proc/self/mountinfo", "20 1 0:20 / / rw - overlay overlayroot rw\n")
        .write("proc/swaps", "Filename\n");
    let report = machine.report();
    report.expect("memory", "warning", &["8 of 416 MiB are free", "close other programs"]);
    report.expect("supply", "warning", &["now: under-voltage, throttled", "power supply"]);
    report.expect("sensors", "warning", &["81 °C", "heat sink"]);
    report.expect("gallery", "warning", &["on overlay", "own partition"]);
    report.expect("swap", "note", &["none"]);
    assert_eq!(report.finding("supply")["figures"]["flags"], "0x50005");
    assert!(report.would_run(), "{}", report.0);
}

/// This machine, whatever it is: the picture is drawn and is the stored one, and the table says what the JSON does.
#[test]
fn this_machine_draws_the_stored_picture() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("kiosk.toml");
    let frames = folder.path().join("frames");
    fs::write(
        &config,
        format!("[display]\nkind = \"png:{}\"\n[gallery]\nfolder = \"gallery\"\n", frames.display()),
    )
    .unwrap();
    let run = |json: bool, kernel: Option<&str>| {
        let mut command = inkstone();
        command.args(["doctor", "--config"]).arg(&config).args(json.then_some("--json"));
        command.envs(kernel.map(|kernel| ("INKSTONE_KERNEL", kernel))).output().unwrap()
    };
    let output = run(true, None);
    let report = Report(serde_json::from_slice(&output.stdout).unwrap());
    assert!(report.would_run() && output.status.success(), "{}", report.0);
    let test = report.finding("self-test");
    assert!(
        test["severity"] == "ok" && test["figures"]["compared"] == "golden hash" || test["severity"] == "note",
        "{test}"
    );
    assert!(
        report.finding("storage")["figures"]["read_mib_per_second"]
            .as_f64()
            .is_some_and(|rate| rate > 0.0)
    );
    assert!(!frames.exists(), "looking changes nothing");

    let text = String::from_utf8(run(false, Some("portable")).stdout).unwrap();
    assert!(
        text.contains("warning  kernel          portable, selected by INKSTONE_KERNEL") && text.contains("→ unset INKSTONE_KERNEL"),
        "{text}"
    );
    assert!(
        text.ends_with(" above say what to mend.\n") || text.ends_with(" above says what to mend.\n"),
        "{text}"
    );
    assert!(text.contains("\nA kiosk would run; the ") && !text.contains('\x1b'), "{text}");
    let wrong = run(false, Some("abacus"));
    assert_eq!(wrong.status.code(), Some(1));
    let text = String::from_utf8(wrong.stdout).unwrap();
    assert!(
        text.contains("FAULT    kernel") && text.ends_with("A kiosk would not run.\n"),
        "{text}"
    );
}
