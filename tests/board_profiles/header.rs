//! The 40-pin header of Raspberry Pi boards: which pin is which, and a picture and a table of what is wired to it.

use std::collections::BTreeMap;
use std::fmt::Write;

/// What each pin is, from 1 on: a line by its number, or a supply (Raspberry Pi documentation, *GPIO and the 40-pin
/// header*).
const PINS: [Pin; 40] = {
    use Pin::{Five, Ground, Line, Three};
    [
        Three,
        Five,
        Line(2),
        Five,
        Line(3),
        Ground,
        Line(4),
        Line(14),
        Ground,
        Line(15),
        Line(17),
        Line(18),
        Line(27),
        Ground,
        Line(22),
        Line(23),
        Three,
        Line(24),
        Line(10),
        Ground,
        Line(9),
        Line(25),
        Line(11),
        Line(8),
        Ground,
        Line(7),
        Line(0),
        Line(1),
        Line(5),
        Ground,
        Line(6),
        Line(12),
        Line(13),
        Ground,
        Line(19),
        Line(16),
        Line(26),
        Line(20),
        Ground,
        Line(21),
    ]
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pin {
    Three,
    Five,
    Ground,
    Line(u32),
}

/// What is wired to a line, in words, and whether it is a button.
pub struct Use {
    pub line: u32,
    pub purpose: String,
    pub is_button: bool,
}

/// The pin of a line, if the header has it.
pub fn pin(line: u32) -> Option<usize> {
    PINS.iter().position(|&pin| pin == Pin::Line(line)).map(|index| index + 1)
}

/// A line a wire: what, line, pin.
pub fn table(title: &str, uses: &[Use], supplies: &[(usize, &str)]) -> String {
    let mut rows: BTreeMap<usize, (String, String)> = BTreeMap::new();
    for wired in uses {
        let number = pin(wired.line).unwrap_or_else(|| panic!("the header has no line {}", wired.line));
        rows.insert(number, (format!("GPIO {}", wired.line), wired.purpose.clone()));
    }
    rows.extend(
        supplies
            .iter()
            .map(|&(number, purpose)| (number, (supply(number).to_owned(), purpose.to_owned()))),
    );
    let mut text = format!("# {title}\n\n![wiring](wiring.svg)\n\n| pin | header | goes to |\n|---|---|---|\n");
    for (number, (name, purpose)) in rows {
        let _ = writeln!(text, "| {number} | {name} | {purpose} |");
    }
    text.push_str("\nWritten from `kiosk.toml` by the test `board_profiles`. Never wired up by this project.\n");
    text
}

fn supply(number: usize) -> &'static str {
    match PINS[number - 1] {
        Pin::Three => "3.3 V",
        Pin::Five => "5 V",
        Pin::Ground => "ground",
        Pin::Line(_) => panic!("pin {number} is no supply"),
    }
}

const ROW: usize = 26;
const TOP: usize = 60;

/// The header from above, as it lies on a board whose pin 1 is at the top left.
pub fn picture(title: &str, uses: &[Use], supplies: &[(usize, &str)]) -> String {
    let height = TOP + 20 * ROW + 50;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>{title}</title>\n<rect width=\"640\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"320\" y=\"32\" text-anchor=\"middle\" font-size=\"18\">{title}</text>\n\
         <rect x=\"286\" y=\"{}\" width=\"68\" height=\"{}\" rx=\"6\" fill=\"#2b2b2b\"/>\n",
        TOP - 6,
        20 * ROW + 8
    );
    for (index, pin) in PINS.iter().enumerate() {
        draw(&mut svg, index, *pin, uses, supplies);
    }
    let y = height - 16;
    svg.push_str(&format!(
        "<circle cx=\"110\" cy=\"{0}\" r=\"7\" fill=\"#1f77b4\"/><text x=\"122\" y=\"{1}\">display</text>\n\
         <circle cx=\"210\" cy=\"{0}\" r=\"7\" fill=\"#2ca02c\"/><text x=\"222\" y=\"{1}\">button, to ground</text>\n\
         <circle cx=\"360\" cy=\"{0}\" r=\"7\" fill=\"#d62728\"/><text x=\"372\" y=\"{1}\">supply</text>\n\
         <circle cx=\"450\" cy=\"{0}\" r=\"7\" fill=\"#7f7f7f\"/><text x=\"462\" y=\"{1}\">ground</text>\n</svg>\n",
        y - 4,
        y
    ));
    svg
}

fn draw(svg: &mut String, index: usize, pin: Pin, uses: &[Use], supplies: &[(usize, &str)]) {
    let is_left = index.is_multiple_of(2);
    let (x, y) = (if is_left { 303 } else { 337 }, TOP + index / 2 * ROW + 12);
    let wired = uses.iter().find(|wired| pin == Pin::Line(wired.line));
    let supplied = supplies.iter().find(|(number, _)| *number == index + 1);
    let name = match pin {
        Pin::Line(line) => format!("GPIO {line}"),
        _ => supply(index + 1).to_owned(),
    };
    let purpose = wired.map(|wired| wired.purpose.as_str()).or(supplied.map(|(_, purpose)| *purpose));
    let colour = match (pin, wired) {
        (_, Some(wired)) if wired.is_button => "#2ca02c",
        (_, Some(_)) => "#1f77b4",
        (Pin::Ground, None) if purpose.is_some() => "#7f7f7f",
        (Pin::Three | Pin::Five, None) if purpose.is_some() => "#d62728",
        _ => "#e8e8e8",
    };
    let (ink, weight) = if purpose.is_some() {
        ("#000000", "bold")
    } else {
        ("#9a9a9a", "normal")
    };
    let text_colour = if purpose.is_some() { "#ffffff" } else { "#2b2b2b" };
    let (label, anchor) = if is_left { (278, "end") } else { (362, "start") };
    let said = match (purpose, is_left) {
        (Some(purpose), true) => format!("{purpose} · {name}"),
        (Some(purpose), false) => format!("{name} · {purpose}"),
        (None, _) => name,
    };
    let _ = writeln!(
        svg,
        "<circle cx=\"{x}\" cy=\"{y}\" r=\"11\" fill=\"{colour}\"/><text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" font-size=\"10\" \
         fill=\"{text_colour}\">{}</text><text x=\"{label}\" y=\"{}\" text-anchor=\"{anchor}\" fill=\"{ink}\" font-weight=\"{weight}\">{said}</text>",
        y + 4,
        index + 1,
        y + 5
    );
}
