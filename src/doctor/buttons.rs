//! Input devices: GPIO lines of the header, keyboards, touch screens.
//!
//! * `/sys/bus/gpio/devices/gpiochipN/of_node/compatible`: names terminated by zero bytes (Devicetree Specification).
//! * `/sys/class/input/eventN/device/name` (the kernel's `Documentation/input/input.rst`).

use std::path::PathBuf;

use super::machine::{Access, Machine};
use super::{Finding, access};
use crate::device::buttons::bindings::pin;
use crate::kiosk::settings::Settings;

/// GPIO chips of the header of Raspberry Pi boards, by their names in the device tree
/// (`raspberrypi,rp1-gpio.yaml` and `brcm,bcm2835-gpio.txt` of the kernel's device tree bindings).
const HEADERS: [&str; 3] = ["raspberrypi,rp1-gpio", "brcm,bcm2711-gpio", "brcm,bcm2835-gpio"];

/// The header's GPIO chip and its name in the device tree, or else the first chip.
pub(super) fn header_chip(machine: &Machine) -> Option<(PathBuf, Option<&'static str>)> {
    let chips = machine.devices("/dev/gpiochip");
    let compatible = |chip: &PathBuf| -> Option<&'static str> {
        let name = chip.file_name()?.to_str()?;
        let names = machine.text(format!("sys/bus/gpio/devices/{name}/of_node/compatible"))?;
        HEADERS.into_iter().find(|header| names.split('\0').any(|name| name == *header))
    };
    let header = chips.iter().find_map(|chip| Some((chip.clone(), Some(compatible(chip)?))));
    header.or_else(|| chips.first().map(|chip| (chip.clone(), None)))
}

pub(super) fn examine(machine: &Machine, settings: &Settings) -> Finding {
    let buttons = &settings.buttons;
    let keys = buttons.lists().into_iter().flat_map(|(_, keys)| keys.iter());
    let mut lines: Vec<u32> = keys.filter_map(|key| pin(key)).collect();
    lines.extend(buttons.encoder.iter().flatten().map(|&line| u32::from(line)));
    lines.sort_unstable();
    let named = (buttons.chip != "auto").then(|| (PathBuf::from(&buttons.chip), None));
    let chip = named.or_else(|| header_chip(machine));
    let inputs = inputs(machine);
    let names: Vec<String> = inputs.iter().map(|(name, _)| name.clone()).collect();
    judged(machine, &lines, chip.as_ref(), &inputs)
        .figure("lines", lines)
        .figure("chip", chip.map(|(chip, _)| chip.display().to_string()))
        .figure("devices", names)
}

type Chip = (PathBuf, Option<&'static str>);

fn judged(machine: &Machine, lines: &[u32], chip: Option<&Chip>, inputs: &[(String, Access)]) -> Finding {
    let open: Vec<&str> = inputs
        .iter()
        .filter(|(_, access)| *access == Access::Granted)
        .map(|(name, _)| name.as_str())
        .collect();
    let heard = if open.is_empty() {
        "no keyboard or touch screen".to_owned()
    } else {
        open.join(", ")
    };
    let numbers: Vec<String> = lines.iter().map(u32::to_string).collect();
    let on = |chip: &Chip| match chip.1 {
        Some(name) => format!("{} ({name})", chip.0.display()),
        None => chip.0.display().to_string(),
    };
    let problem = match chip {
        None if lines.is_empty() => return Finding::ok("buttons", heard),
        None => return without_chip(&heard, open.is_empty()),
        Some(chip) => match machine.access(&chip.0, true) {
            Access::Granted => return Finding::ok("buttons", format!("GPIO {} of {}; {heard}", numbers.join(", "), on(chip))),
            Access::Absent => (
                format!("{} does not exist", chip.0.display()),
                "set buttons.chip to auto".to_owned(),
            ),
            Access::Denied(group) => (
                format!("{}: permission denied", chip.0.display()),
                access::advice(machine, group, "gpio"),
            ),
        },
    };
    Finding::warning("buttons", format!("{}; buttons on the header do not work; {heard}", problem.0)).fix(problem.1)
}

/// A board without a header, such as a PC.
fn without_chip(heard: &str, nothing: bool) -> Finding {
    if nothing {
        return Finding::warning(
            "buttons",
            "no GPIO lines and no keyboard: pictures are shown, but visitors cannot request any",
        )
        .fix("connect a keyboard; keys work in a window, a terminal and on KMS");
    }
    Finding::note("buttons", format!("no GPIO lines; {heard}"))
}

/// Names of the input devices, and whether this user can read them.
fn inputs(machine: &Machine) -> Vec<(String, Access)> {
    let events = machine.names("sys/class/input", "event").into_iter();
    let named = events.filter_map(|event| {
        let name = machine.text(format!("sys/class/input/{event}/device/name"))?;
        Some((name, machine.access(format!("/dev/input/{event}").as_ref(), false)))
    });
    named.collect()
}
