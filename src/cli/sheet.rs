//! `generate --sheet` and `vary --sheet`: how many cells, and the file beside the picture that tells a game engine where they are. Depends on [`crate::picture`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{CliError, output};
use crate::atomic_file;
use crate::picture::provenance::VARIATIONS;
use crate::picture::{Format, Frame, Picture, Provenance, file_name};

/// Most columns, and most rows.
const MOST: u32 = 1000;

/// What `--sheet` names: columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    pub columns: u32,
    pub rows: u32,
}

impl Grid {
    /// Number of cells.
    pub fn cells(self) -> usize {
        self.columns as usize * self.rows as usize
    }
}

impl std::str::FromStr for Grid {
    type Err = String;

    fn from_str(text: &str) -> Result<Grid, String> {
        let side = |text: &str| text.parse().ok().filter(|side| (1..=MOST).contains(side));
        let sides = text.split_once(['x', 'X', '×']);
        let grid = sides.and_then(|(columns, rows)| {
            Some(Grid {
                columns: side(columns)?,
                rows: side(rows)?,
            })
        });
        grid.ok_or_else(|| format!("must be columns and rows with an x between, such as 4x3, each from 1 to {MOST}"))
    }
}

/// The files of a sheet, its cells, and where they are.
pub struct Description {
    /// The picture.
    pub file: PathBuf,
    names: BTreeSet<String>,
    frames: Frames,
    /// Whether prompts are left out.
    is_private: bool,
}

/// Sprites by name, in reading order: the JSON hash of TexturePacker and Aseprite, which game engines read.
#[derive(Default)]
struct Frames(Vec<(String, Value)>);

impl Serialize for Frames {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, sprite)| (name, sprite)))
    }
}

#[derive(Serialize)]
struct Text<'a> {
    frames: &'a Frames,
    meta: Value,
}

impl Description {
    /// An empty one for the picture's file, with or without prompts.
    pub fn new(file: PathBuf, is_private: bool) -> Description {
        Description {
            file,
            names: BTreeSet::new(),
            frames: Frames::default(),
            is_private,
        }
    }

    /// The description's own file: that of the picture, but `.json`.
    pub fn own_file(&self) -> PathBuf {
        self.file.with_extension("json")
    }

    /// Checks that both can be written, before anything is drawn.
    ///
    /// # Errors
    /// If the picture's format is lossy, or one of the files exists and may not be replaced.
    pub fn check(&self, force: bool) -> Result<(), CliError> {
        if !Format::for_writing(&self.file)?.is_lossless() {
            let problem = format!("--sheet {}: sprites need every pixel; write PNG or WebP", self.file.display());
            return Err(CliError::Usage(problem));
        }
        atomic_file::check(&self.file, force)?;
        Ok(atomic_file::check(&self.own_file(), force)?)
    }

    /// Adds a picture of a number that tells it from others, its seed or that of its variation, and returns its name on the sheet: that of the
    /// file that it would be in, numbered if the name is taken.
    pub fn add(&mut self, frame: Frame, prompt: &str, number: u64, made: &Provenance) -> String {
        let prompt = if self.is_private { "" } else { prompt };
        let stem = format!("{}-{number}", file_name(prompt));
        let numbered = (2..).map(|number| format!("{stem}-{number}"));
        let mut free = std::iter::once(stem.clone())
            .chain(numbered)
            .filter(|name| !self.names.contains(name));
        let name = free.next().unwrap_or(stem);
        self.names.insert(name.clone());
        let size = json!({ "w": frame.w, "h": frame.h });
        let sprite = json!({
            "frame": frame, "rotated": false, "trimmed": false, "spriteSourceSize": { "x": 0, "y": 0, "w": frame.w, "h": frame.h },
            "sourceSize": size, "prompt": prompt, "seed": made.seed, "style": made.style,
            "variations": made.extra.get(VARIATIONS),
        });
        self.frames.0.push((name.clone(), sprite));
        name
    }

    /// The sheet's entry in the report of a run.
    pub fn to_json(&self, sheet: &Picture, grid: Grid) -> Value {
        json!({
            "file": output::path(&self.file), "description": output::path(&self.own_file()), "columns": grid.columns, "rows": grid.rows,
            "width": sheet.width(), "height": sheet.height(), "sha256": sheet.sha256(),
        })
    }

    /// Writes the description of the whole sheet.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, sheet: &Picture, force: bool) -> Result<(), CliError> {
        let image = self.file.file_name().map(Path::new).map(output::path);
        let meta = json!({
            "app": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION"), "image": image, "format": "RGBA8888",
            "size": { "w": sheet.width(), "h": sheet.height() }, "scale": "1",
        });
        let text = Text {
            frames: &self.frames,
            meta,
        };
        let text = serde_json::to_string_pretty(&text).map_err(std::io::Error::other)?;
        Ok(atomic_file::write(&self.own_file(), format!("{text}\n").as_bytes(), force)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_are_columns_and_rows() {
        assert_eq!("4x3".parse(), Ok(Grid { columns: 4, rows: 3 }));
        assert_eq!("10×1".parse::<Grid>().unwrap().cells(), 10);
        for text in [
            "",
            "4",
            "x",
            "4x",
            "0x3",
            "4x0",
            "-1x2",
            "4x3x2",
            "1001x1",
            "4 x 3",
            "99999999999x1",
        ] {
            let error = text.parse::<Grid>().unwrap_err();
            assert!(error.contains("such as 4x3"), "{text}: {error}");
        }
    }

    #[test]
    fn names_on_a_sheet_differ() {
        let mut description = Description::new("a.png".into(), false);
        let frame = Frame { x: 0, y: 0, w: 8, h: 8 };
        let made = Provenance {
            seed: 7,
            ..Provenance::default()
        };
        let names = ["a cat", "a cat", "dog"].map(|prompt| description.add(frame, prompt, 7, &made));
        assert_eq!(names, ["a-cat-7", "a-cat-7-2", "dog-7"]);
        assert_eq!(description.own_file(), Path::new("a.json"));
    }
}
