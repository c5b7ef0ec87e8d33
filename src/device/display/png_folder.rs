//! A folder of PNG files in place of a panel: every new frame becomes `frame-0001.png` and so on. For scripts, for
//! documentation, and for machines without a display.

use std::collections::VecDeque;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::{Auto, Detail, DisplayError, DisplaySettings, Driver, Frame, Panel, Presence, Screen};
use crate::atomic_file;
use ::png as codec;

/// The default size of frames.
pub const SIZE: Size = Size::new(800, 480);

/// The default folder.
const DEFAULT_FOLDER: &str = "frames";
/// How many files are kept: hours of a script.
const KEPT_FILES: usize = 10_000;
/// How many files are kept if no display was found.
const KEPT_FILES_OF_AUTO: usize = 100;

/// The row of the driver table.
pub(super) const DRIVER: Driver = Driver::new("png", open, Presence::Folder(folder))
    .with_about("a folder of pictures")
    .with_detail(Detail::optional("DIR"))
    .with_auto(Auto::LastResort);

fn folder(settings: &DisplaySettings) -> PathBuf {
    settings.kind.detail().unwrap_or(DEFAULT_FOLDER).into()
}

fn open(settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
    let kept = if settings.kind.is_auto() { KEPT_FILES_OF_AUTO } else { KEPT_FILES };
    Ok(Box::new(PngFolder::open(&folder(settings), settings.size_or(SIZE), kept)?))
}

/// A folder that frames are written to.
pub struct PngFolder {
    path: PathBuf,
    panel: Panel,
    /// Hash of the last frame that was written.
    shown: Option<u64>,
    number: u32,
    /// How many of the files written by this run are kept.
    kept: usize,
    written: VecDeque<PathBuf>,
}

impl PngFolder {
    /// Creates the folder if it does not exist. Numbering continues after the highest number in it. Of the files that this run
    /// writes, the last `kept` are kept.
    ///
    /// # Errors
    /// If the folder cannot be created or read.
    pub fn open(path: &Path, size: Size, kept: usize) -> Result<PngFolder, DisplayError> {
        let failed = |error| DisplayError::failed(path.display().to_string(), error);
        fs::create_dir_all(path).map_err(failed)?;
        let names = fs::read_dir(path).map_err(failed)?.flatten().map(|entry| entry.file_name());
        let highest = names.filter_map(|name| number(name.to_str()?)).max();
        let panel = Panel::new(format!("pictures in {}", path.display()), size);
        Ok(PngFolder {
            path: path.to_owned(),
            panel,
            shown: None,
            number: highest.unwrap_or(0),
            kept: kept.max(1),
            written: VecDeque::new(),
        })
    }

    fn write(&mut self, frame: &Frame) -> Result<(), DisplayError> {
        let path = self.path.join(format!("frame-{:04}.png", self.number + 1));
        let failed = |error: &dyn std::fmt::Display| DisplayError::failed(path.display().to_string(), error);
        let encoded = encode(frame).map_err(|error| failed(&error))?;
        atomic_file::write(&path, &encoded, true).map_err(|error| failed(&error))?;
        self.number += 1;
        self.written.push_back(path);
        while self.written.len() > self.kept {
            if let Some(Err(error)) = self.written.pop_front().map(fs::remove_file) {
                log::debug!("cannot delete an old frame in {}: {error}", self.path.display());
            }
        }
        Ok(())
    }
}

/// A frame as a PNG without transparency.
fn encode(frame: &Frame) -> Result<Vec<u8>, codec::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = codec::Encoder::new(&mut bytes, frame.size().width, frame.size().height);
    encoder.set_color(codec::ColorType::Rgb);
    encoder.set_depth(codec::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(frame.bytes())?;
    writer.finish()?;
    Ok(bytes)
}

/// The number in `frame-0001.png`.
fn number(name: &str) -> Option<u32> {
    name.strip_prefix("frame-")?.strip_suffix(".png")?.parse().ok()
}

impl Screen for PngFolder {
    fn panel(&self) -> &Panel {
        &self.panel
    }

    fn present(&mut self, frame: &Frame, _: Rectangle) -> Result<(), DisplayError> {
        let mut hasher = DefaultHasher::new();
        (frame.size(), frame.bytes()).hash(&mut hasher);
        let hash = hasher.finish();
        if self.shown != Some(hash) {
            self.write(frame)?;
            self.shown = Some(hash);
        }
        Ok(())
    }

    /// Writes a black frame.
    fn sleep(&mut self) -> Result<(), DisplayError> {
        let black = Frame::new(self.panel.size);
        self.present(&black, black.bounding_box())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::display::test_pattern;
    use crate::picture::png;
    use embedded_graphics::pixelcolor::Rgb888;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn frames_that_differ_become_files() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        let mut folder = PngFolder::open(&path, Size::new(40, 30), 100).unwrap();
        let mut frame = test_pattern(folder.panel().size);
        folder.present(&frame, frame.bounding_box()).unwrap();
        folder.present(&frame, frame.bounding_box()).unwrap();
        let picture = png::read(&path.join("frame-0001.png")).unwrap().picture;
        assert_eq!((picture.width(), picture.height()), (40, 30));
        for point in frame.bounding_box().points() {
            let colour = frame.colour(point).unwrap();
            assert_eq!(
                picture.pixel(point.x as u32, point.y as u32),
                Some([colour.r(), colour.g(), colour.b(), 255])
            );
        }
        frame.draw_iter([Pixel(Point::new(5, 5), Rgb888::RED)]).unwrap();
        folder.present(&frame, Rectangle::zero()).unwrap();
        folder.sleep().unwrap();
        folder.sleep().unwrap();
        assert_eq!(names(&path), ["frame-0001.png", "frame-0002.png", "frame-0003.png"]);
    }

    #[test]
    fn the_oldest_files_go_and_others_stay() {
        let root = tempfile::tempdir().unwrap();
        for name in ["frame-0007.png", "frame-x.png", "notes.txt"] {
            fs::write(root.path().join(name), "mine").unwrap();
        }
        let mut folder = PngFolder::open(root.path(), Size::new(4, 4), 2).unwrap();
        for shade in 0..5 {
            let mut frame = Frame::new(Size::new(4, 4));
            frame.clear(Rgb888::new(shade, 0, 0)).unwrap();
            folder.present(&frame, frame.bounding_box()).unwrap();
        }
        assert_eq!(
            names(root.path()),
            ["frame-0007.png", "frame-0011.png", "frame-0012.png", "frame-x.png", "notes.txt"]
        );
    }

    #[test]
    fn a_folder_that_cannot_be_created_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let error = PngFolder::open(&root.path().join("file/below"), SIZE, 1).err().unwrap().to_string();
        assert!(error.contains("file/below"), "{error}");
    }
}
