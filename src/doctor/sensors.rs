//! Temperature, power meters and motion.
//!
//! * `/sys/class/hwmon/hwmonN/name` (the kernel's `Documentation/hwmon/sysfs-interface.rst`), `/sys/class/power_supply`,
//!   `/sys/class/powercap/intel-rapl:N`; and `vcgencmd`, which on a Raspberry Pi 5 reads its power chip.

use super::Finding;
use super::machine::Machine;
use crate::device::board::{Board, Revision};
use crate::kiosk::heat::Thermometer;
use crate::kiosk::settings::Settings;

/// Power meters with a `hwmon` driver.
const METERS: [&str; 4] = ["ina219", "ina226", "ina260", "ina2xx"];

pub(super) fn examine(machine: &Machine, settings: &Settings) -> Finding {
    let celsius = Thermometer::new(machine.root()).read().celsius;
    let (power, motion) = (power(machine), settings.buttons.motion);
    let heat = celsius.map_or("no temperature sensor".to_owned(), |celsius| format!("{celsius:.0} °C"));
    let meters = if power.is_empty() {
        "no power meter".to_owned()
    } else {
        format!("power by {}", power.join(", "))
    };
    let sees = motion.map_or("no motion sensor configured".to_owned(), |line| format!("motion on GPIO {line}"));
    let says = format!("{heat}; {meters}; {sees}");
    let slower = settings.heat.slower_above;
    let finding = match celsius {
        Some(celsius) if celsius > slower => Finding::warning("sensors", says).fix(format!(
            "improve the cooling (heat sink, air flow): above {slower} °C pictures are drawn slower"
        )),
        None if Board::read(machine.root()).is_raspberry_pi() => Finding::note("sensors", says)
            .fix("check /sys/class/thermal: without a temperature the kiosk does not slow down when it is hot"),
        _ => Finding::ok("sensors", says),
    };
    finding
        .figure("celsius", celsius.map(|celsius| (f64::from(celsius) * 10.0).round() / 10.0))
        .figure("power", power)
        .figure("motion_line", motion)
}

fn power(machine: &Machine) -> Vec<String> {
    let chips = machine.names("sys/class/hwmon", "hwmon").into_iter();
    let names = chips.filter_map(|chip| machine.text(format!("sys/class/hwmon/{chip}/name")));
    let mut found: Vec<String> = names.filter(|name| METERS.contains(&name.as_str())).collect();
    found.extend(
        machine
            .names("sys/class/power_supply", "")
            .into_iter()
            .map(|name| format!("power_supply {name}")),
    );
    found.extend(
        machine
            .names("sys/class/powercap", "intel-rapl:")
            .first()
            .map(|_| "RAPL".to_owned()),
    );
    let is_5 = Board::read(machine.root()).revision.and_then(Revision::chip) == Some("BCM2712");
    found.extend((is_5 && machine.path("usr/bin/vcgencmd").exists()).then(|| "vcgencmd pmic_read_adc".to_owned()));
    found
}
