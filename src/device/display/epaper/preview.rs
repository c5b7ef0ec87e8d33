//! What a panel would show, as PNG files in a folder: to choose colours and words for e-paper without having one. Owns the row of the
//! driver table and the conversion of frames to inks; the files are those of [`PngFolder`].

use std::path::PathBuf;
use std::time::Duration;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::models::Model;
use super::screen::Options;
use crate::device::display::png_folder::PngFolder;
use crate::device::display::{Detail, DisplayError, DisplaySettings, Driver as Row, Frame, Panel, Presence, Screen};
use crate::picture::dither::{Appearance, Ditherer};

/// The default folder.
const DEFAULT_FOLDER: &str = "frames";
/// How many files are kept.
const KEPT_FILES: usize = 1_000;

/// The row of the driver table.
pub(in crate::device::display) const DRIVER: Row = Row::new("epaper-preview", open, Presence::Folder(folder))
    .with_about("what a model of e-paper would show, as a folder of pictures")
    .with_detail(Detail::Text {
        placeholder: "MODEL[:DIR]",
        required: true,
        example: "inky-impression-7.3",
        check: |_| Ok(()),
    })
    .with_check(|settings| parts(settings).map(drop));

/// The model and the folder of the detail.
fn parts(settings: &DisplaySettings) -> Result<(Model, PathBuf), DisplayError> {
    let detail = settings.kind.detail().unwrap_or_default();
    let (name, folder) = detail.split_once(':').unwrap_or((detail, DEFAULT_FOLDER));
    match Model::ALL.into_iter().find(|model| model.name() == name) {
        Some(model) => Ok((model, folder.into())),
        None => {
            let advice = format!("there are {}", Model::ALL.map(Model::name).join(", "));
            Err(DisplayError::absent(settings.kind.to_string(), "there is no such model", advice))
        }
    }
}

fn folder(settings: &DisplaySettings) -> PathBuf {
    parts(settings).map_or_else(|_| DEFAULT_FOLDER.into(), |(_, folder)| folder)
}

fn open(settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
    let (model, folder) = parts(settings)?;
    let mut options = Options::new(model);
    options.rotation = settings.rotation;
    if let Some(saturation) = settings.saturation {
        options.dithering.saturation = saturation;
    }
    // Nothing wears out.
    options.minimum_interval = Duration::ZERO;
    let panel = options.panel();
    Ok(Box::new(Preview {
        folder: PngFolder::open(&folder, panel.size, KEPT_FILES)?,
        panel,
        ditherer: Ditherer::new(options.palette, options.dithering),
    }))
}

/// A panel of paper and ink that is a folder.
struct Preview {
    panel: Panel,
    folder: PngFolder,
    ditherer: Ditherer,
}

impl Screen for Preview {
    fn panel(&self) -> &Panel {
        &self.panel
    }

    fn present(&mut self, frame: &Frame, _damage: Rectangle) -> Result<(), DisplayError> {
        self.panel.check_size(frame)?;
        let dithered = self.ditherer.rgb(frame.size().width, frame.bytes());
        let inked = dithered
            .preview(self.ditherer.palette(), Appearance::Adapted)
            .map_err(|error| DisplayError::failed(&self.panel.name, error))?;
        let mut shown = Frame::new(frame.size());
        shown.blend(inked.pixels(), inked.width(), Point::zero());
        self.folder.present(&shown, shown.bounding_box())
    }

    /// Paper keeps its picture.
    fn sleep(&mut self) -> Result<(), DisplayError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::display::{DisplayKind, test_pattern};
    use crate::picture::png;

    #[test]
    fn a_folder_shows_the_inks_of_a_model() {
        let folder = tempfile::tempdir().unwrap();
        for (model, inks) in [(Model::Inky73, 6), (Model::Waveshare75V2, 2)] {
            let place = folder.path().join(model.name());
            let kind: DisplayKind = format!("epaper-preview:{}:{}", model.name(), place.display()).parse().unwrap();
            let mut screen = crate::device::display::open(&DisplaySettings::new(kind)).unwrap();
            let (panel, options) = (screen.panel().clone(), Options::new(model));
            assert!(panel.has_slow_refresh());
            assert_eq!(panel.size, model.size());
            let frame = test_pattern(panel.size);
            screen.present(&frame, frame.bounding_box()).unwrap();
            screen.sleep().unwrap();
            let shown = png::read(&place.join("frame-0001.png")).unwrap().picture;
            let colours: std::collections::BTreeSet<&[u8]> = shown.pixels().chunks_exact(4).collect();
            assert!(
                (2..=inks).contains(&colours.len()),
                "{} has {} colours",
                model.name(),
                colours.len()
            );
            let adapted = options.palette.adapted();
            assert!(colours.iter().all(|colour| adapted.iter().any(|ink| ink[..] == colour[..3])));
            assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1);
        }
        let kind: DisplayKind = "epaper-preview:paper".parse().unwrap();
        let error = crate::device::display::open(&DisplaySettings::new(kind)).err().unwrap().to_string();
        assert!(error.contains("inky"), "{error}");
    }
}
