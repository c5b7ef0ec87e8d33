//! The light behind a panel, as Linux shows it: a folder of `/sys/class/backlight` for each, with `brightness`,
//! `max_brightness` and `bl_power` (the kernel's `Documentation/ABI/stable/sysfs-class-backlight`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where Linux shows the lights.
pub const FOLDER: &str = "/sys/class/backlight";

/// `FB_BLANK_UNBLANK` and `FB_BLANK_POWERDOWN` of `linux/fb.h`.
const POWERED: [&str; 2] = ["4", "0"];

/// One light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlight {
    folder: PathBuf,
    most: u32,
}

impl Backlight {
    /// The first light in a folder, as [`FOLDER`], that this user may set.
    pub fn find(folder: &Path) -> Option<Backlight> {
        let mut lights: Vec<PathBuf> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
        lights.sort();
        lights.into_iter().find_map(Backlight::open)
    }

    fn open(folder: PathBuf) -> Option<Backlight> {
        let most = fs::read_to_string(folder.join("max_brightness")).ok()?.trim().parse().ok()?;
        let brightness = folder.join("brightness");
        if let Err(error) = fs::OpenOptions::new().write(true).open(&brightness) {
            log::info!("{} cannot be set: {error}", brightness.display());
            return None;
        }
        (most > 0).then_some(Backlight { folder, most })
    }

    /// Sets the brightness: 1 full, above 0 at least the least that shines, 0 dark.
    ///
    /// # Errors
    /// If the file cannot be written any more.
    pub fn set(&self, brightness: f32) -> io::Result<()> {
        let brightness = brightness.clamp(0.0, 1.0);
        let level = (f64::from(self.most) * f64::from(brightness)).ceil() as u32;
        fs::write(self.folder.join("brightness"), level.to_string())
    }

    /// Switches the light on or off. Lights that cannot be switched are left as they are.
    ///
    /// # Errors
    /// If the file is there and cannot be written.
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
    fn the_first_light_that_can_be_set_is_set() {
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
