//! GPIO lines by the kernel's character device (`include/uapi/linux/gpio.h`, version 2).
//!
//! Owns finding the chip behind a board's pin header, requesting lines, and the errors of both. Depends on nothing else
//! here. Lines go back to the kernel when their request is dropped, also when the process is killed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gpiocdev::request::Builder;
use gpiocdev::{Chip, Request};

/// The chips behind the 40 pins of Raspberry Pi boards, by the label that the kernel gives them
/// (`drivers/pinctrl/bcm/pinctrl-bcm2835.c`, `drivers/pinctrl/pinctrl-rp1.c`). The number of the chip is no guide: on
/// the Pi 5 it was 4 and became 0 in later kernels.
const HEADER_LABELS: [&str; 3] = ["pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835"];

/// Name by which the kernel lists our lines.
const CONSUMER: &str = "inkstone";

/// The rule that lets a group use GPIO chips.
const UDEV_RULE: &str = r#"SUBSYSTEM=="gpio", GROUP="gpio", MODE="0660""#;

/// GPIO that cannot be used.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum LineError {
    /// The board has no chip, or none that this user sees.
    #[error("there is no GPIO chip (/dev/gpiochip*): on boards without pins use a keyboard, a touch screen or a script")]
    NoChips,
    /// There is no chip of that name.
    #[error("{chip}: there is no such GPIO chip; there is {found}")]
    NoChip {
        /// The chip asked for.
        chip: PathBuf,
        /// Those that are there.
        found: String,
    },
    /// The file is no GPIO chip.
    #[error("{0}: this is no GPIO chip")]
    OtherFile(PathBuf),
    /// The file may not be opened.
    #[error(
        "{chip}: permission denied; add this user to the group 'gpio' (`sudo usermod -aG gpio $USER`, then log in again); where the \
         group does not own the chip, put `{UDEV_RULE}` into /etc/udev/rules.d/60-gpio.rules and restart"
    )]
    Permission {
        /// The chip.
        chip: PathBuf,
    },
    /// The chip has fewer lines.
    #[error("{chip}: there is no line {line}: it has the lines 0 to {last}")]
    NoLine {
        /// The chip.
        chip: PathBuf,
        /// The line.
        line: u32,
        /// Its last line.
        last: u32,
    },
    /// Something else uses the line.
    #[error("{chip}: line {line} is used by {by}; use another pin, or end that (`gpioinfo` lists all)")]
    InUse {
        /// The chip.
        chip: PathBuf,
        /// The line.
        line: u32,
        /// By whom, as far as the kernel tells.
        by: String,
    },
    /// Anything else.
    #[error("{chip}: {problem}")]
    Failed {
        /// The chip.
        chip: PathBuf,
        /// What happened.
        problem: String,
    },
}

impl LineError {
    /// What an error of the library means.
    pub(crate) fn new(chip: &Path, error: &gpiocdev::Error) -> LineError {
        let chip = chip.to_owned();
        let number = if let gpiocdev::Error::Os(number) = error {
            Some(number.0)
        } else {
            None
        };
        match number {
            Some(libc::ENOENT | libc::ENXIO | libc::ENODEV) => LineError::NoChip { chip, found: found() },
            Some(libc::EACCES | libc::EPERM) => LineError::Permission { chip },
            _ if matches!(error, gpiocdev::Error::GpioChip(..)) => LineError::OtherFile(chip),
            _ => LineError::Failed {
                chip,
                problem: error.to_string(),
            },
        }
    }
}

/// The chips that are there, for messages.
fn found() -> String {
    let names: Vec<String> = chips().keys().map(|path| path.display().to_string()).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// The chips that can be opened, with their labels and numbers of lines.
fn chips() -> BTreeMap<PathBuf, (String, u32)> {
    let paths = gpiocdev::chip::chips().unwrap_or_default();
    let described = |path: PathBuf| {
        let info = Chip::from_path(&path).and_then(|chip| chip.info()).ok()?;
        Some((path, (info.label, info.num_lines)))
    };
    paths.into_iter().filter_map(described).collect()
}

/// The chip behind the board's pin header: that of a Raspberry Pi, else the one with the most lines.
///
/// # Errors
/// If there is none or it may not be opened.
pub fn header_chip() -> Result<PathBuf, LineError> {
    let chips = chips();
    if let Some(path) = choose(&chips) {
        return Ok(path);
    }
    match gpiocdev::chip::chips().unwrap_or_default().first() {
        Some(chip) => match Chip::from_path(chip) {
            Err(error) => Err(LineError::new(chip, &error)),
            Ok(_) => Ok(chip.clone()),
        },
        None => Err(LineError::NoChips),
    }
}

fn choose(chips: &BTreeMap<PathBuf, (String, u32)>) -> Option<PathBuf> {
    let labelled = |wanted: &&str| chips.iter().find(|(_, (label, _))| label == wanted);
    let largest = || chips.iter().rev().max_by_key(|(_, (_, lines))| *lines);
    HEADER_LABELS
        .iter()
        .find_map(labelled)
        .or_else(largest)
        .map(|(path, _)| path.clone())
}

/// Requests lines of a chip, configured by a function of the library's builder.
///
/// # Errors
/// If the chip is absent or may not be opened, a line is absent or in use, or the kernel refuses.
pub fn request(chip: &Path, lines: &[u32], configure: impl FnOnce(&mut Builder)) -> Result<Request, LineError> {
    let opened = Chip::from_path(chip).map_err(|error| LineError::new(chip, &error))?;
    let info = opened.info().map_err(|error| LineError::new(chip, &error))?;
    if let Some(&line) = lines.iter().find(|&&line| line >= info.num_lines) {
        return Err(LineError::NoLine {
            chip: chip.into(),
            line,
            last: info.num_lines.saturating_sub(1),
        });
    }
    let mut builder = Request::builder();
    builder.on_chip(chip).with_consumer(CONSUMER);
    configure(&mut builder);
    builder
        .request()
        .map_err(|error| in_use(&opened, chip, lines).unwrap_or_else(|| LineError::new(chip, &error)))
}

/// Which of the lines is in use, if one is, and by whom.
fn in_use(opened: &Chip, chip: &Path, lines: &[u32]) -> Option<LineError> {
    let info = lines
        .iter()
        .find_map(|&line| opened.line_info(line).ok().filter(|info| info.used))?;
    let by = if info.consumer.is_empty() {
        "the kernel or another program".into()
    } else {
        format!("'{}'", info.consumer)
    };
    Some(LineError::InUse {
        chip: chip.into(),
        line: info.offset,
        by,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(chips: &[(&str, &str, u32)]) -> BTreeMap<PathBuf, (String, u32)> {
        chips
            .iter()
            .map(|&(path, label, lines)| (path.into(), (label.to_owned(), lines)))
            .collect()
    }

    #[test]
    fn the_header_is_found_by_its_label() {
        let newer = described(&[
            ("/dev/gpiochip0", "pinctrl-rp1", 54),
            ("/dev/gpiochip10", "gpio-brcmstb@107d508500", 32),
            ("/dev/gpiochip11", "gpio-brcmstb@107d517c00", 15),
        ]);
        assert_eq!(choose(&newer), Some("/dev/gpiochip0".into()));
        let older = described(&[
            ("/dev/gpiochip0", "gpio-brcmstb@107d508500", 32),
            ("/dev/gpiochip4", "pinctrl-rp1", 54),
        ]);
        assert_eq!(choose(&older), Some("/dev/gpiochip4".into()));
        let pi_4 = described(&[
            ("/dev/gpiochip0", "pinctrl-bcm2711", 58),
            ("/dev/gpiochip1", "raspberrypi-exp-gpio", 8),
        ]);
        assert_eq!(choose(&pi_4), Some("/dev/gpiochip0".into()));
        let other = described(&[
            ("/dev/gpiochip0", "small", 8),
            ("/dev/gpiochip1", "large", 96),
            ("/dev/gpiochip2", "as large", 96),
        ]);
        assert_eq!(choose(&other), Some("/dev/gpiochip1".into()));
        assert_eq!(choose(&described(&[])), None);
    }

    #[test]
    fn files_that_are_no_chips_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("gpiochip7");
        let error = request(&absent, &[1], |_| {}).unwrap_err();
        assert!(matches!(&error, LineError::NoChip { chip, .. } if *chip == absent), "{error}");
        std::fs::write(&absent, "").unwrap();
        let error = request(&absent, &[1], |_| {}).unwrap_err().to_string();
        assert!(error.contains("gpiochip7: this is no GPIO chip"), "{error}");
    }

    #[test]
    fn permission_names_the_group_and_the_rule() {
        let error = LineError::Permission {
            chip: "/dev/gpiochip0".into(),
        }
        .to_string();
        assert!(
            error.contains("group 'gpio'") && error.contains("SUBSYSTEM==\"gpio\", GROUP=\"gpio\", MODE=\"0660\""),
            "{error}"
        );
    }
}
