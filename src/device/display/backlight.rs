//! Backlights of Linux: a folder in `/sys/class/backlight` for each, with the files `brightness`, `max_brightness` and
//! `bl_power` (the kernel's `Documentation/ABI/stable/sysfs-class-backlight`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of all backlights.
pub const FOLDER: &str = "/sys/class/backlight";

/// `FB_BLANK_UNBLANK` and `FB_BLANK_POWERDOWN` of `linux/fb.h`.
const POWERED: [&str; 2] = ["4", "0"];

/// A backlight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlight {
    folder: PathBuf,
    max: u32,
}

impl Backlight {
    /// The first backlight in a folder such as [`FOLDER`] that this user may set.
    pub fn find(folder: &Path) -> Option<Backlight> {
        let mut lights: Vec<PathBuf> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
        lights.sort();
        lights.into_iter().find_map(Backlight::open)
    }

    fn open(folder: PathBuf) -> Option<Backlight> {
        let max = fs::read_to_string(folder.join("max_brightness")).ok()?.trim().parse().ok()?;
        let brightness = folder.join("brightness");
        if let Err(error) = fs::OpenOptions::new().write(true).open(&brightness) {
            log::info!("cannot set {}: {error}", brightness.display());
            return None;
        }
        (max > 0).then_some(Backlight { folder, max })
    }

    /// Sets the brightness from 0 (off) to 1 (full); anything above 0 is at least the lowest level.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn set(&self, brightness: f32) -> io::Result<()> {
        let brightness = brightness.clamp(0.0, 1.0);
        let level = (f64::from(self.max) * f64::from(brightness)).ceil() as u32;
        fs::write(self.folder.join("brightness"), level.to_string())
    }

    /// Switches the backlight on or off. Backlights without a switch are left as they are.
    ///
    /// # Errors
    /// If the file exists and cannot be written.
    pub fn power(&self, on: bool) -> io::Result<()> {
        let file = self.folder.join("bl_power");
        if file.exists() {
            fs::write(file, POWERED[usize::from(on)])
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_usable_backlight_is_set() {
        let root = tempfile::tempdir().unwrap();
        for (name, most) in [("10-0045", "31\n"), ("broken", "much\n"), ("00-none", "0\n")] {
            let folder = root.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("max_brightness"), most).unwrap();
            fs::write(folder.join("brightness"), "7\n").unwrap();
            fs::write(folder.join("bl_power"), "0\n").unwrap();
        }
        let light = Backlight::find(root.path()).unwrap();
        let read = |file: &str| fs::read_to_string(root.path().join("10-0045").join(file)).unwrap();
        for (brightness, level) in [(1.0, "31"), (0.5, "16"), (0.001, "1"), (0.0, "0"), (9.0, "31"), (-1.0, "0")] {
            light.set(brightness).unwrap();
            assert_eq!(read("brightness"), level);
        }
        light.power(false).unwrap();
        assert_eq!(read("bl_power"), "4");
        light.power(true).unwrap();
        assert_eq!(read("bl_power"), "0");
        fs::remove_file(root.path().join("10-0045/bl_power")).unwrap();
        light.power(false).unwrap();
        assert_eq!(Backlight::find(&root.path().join("nowhere")), None);
    }
}
