//! Several pictures in a grid: contact sheets, to compare variations and for model cards, and sprite sheets, for game engines.
//!
//! Depends on [`Picture`], [`Background`] and [`bleed`].

use super::{Background, MAX_PIXELS, Picture, bleed};
use serde::Serialize;
use thiserror::Error;

/// Why pictures cannot be placed on a sheet.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum SheetError {
    /// No picture or no column.
    #[error("a contact sheet needs at least one picture and one column")]
    Empty,
    /// More pictures than cells.
    #[error("the sheet has no cell left for another picture")]
    Full,
    /// A picture of a sprite sheet is not as large as a cell.
    #[error("a picture of {width}×{height} pixels does not fit the sheet's cells exactly")]
    Cell {
        /// The picture's width in pixels.
        width: u32,
        /// The picture's height in pixels.
        height: u32,
    },
    /// More than [`MAX_PIXELS`].
    #[error("a sheet of this many pictures is too large: at most {} million pixels are possible", MAX_PIXELS / (1024 * 1024))]
    TooLarge,
}

/// Places pictures in reading order, `columns` per row, with `gap` pixels between and around them, on a background.
///
/// All cells have the width of the widest and the height of the tallest picture; smaller pictures are centred. There are never more
/// columns than pictures.
///
/// # Errors
/// If there is no picture or no column, or if the sheet would exceed [`MAX_PIXELS`].
pub fn contact_sheet(pictures: &[Picture], columns: u32, gap: u32, background: &Background) -> Result<Picture, SheetError> {
    let grid = Grid::new(pictures, columns, gap).ok_or(SheetError::Empty)?;
    let (width, height) = grid.sides().ok_or(SheetError::TooLarge)?;
    let mut sheet = Picture::filled(width, height, [0; 4]).map_err(|_| SheetError::TooLarge)?;
    for (at, picture) in pictures.iter().enumerate() {
        let (left, top) = grid.corner(at, picture);
        paste(&mut sheet, picture, left, top);
    }
    Ok(background.apply(&sheet))
}

/// The number of columns, at least 1, for a roughly square sheet of `count` pictures.
pub fn square_columns(count: usize) -> u32 {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let root = count.isqrt();
    if root * root < count { root + 1 } else { root.max(1) }
}

/// The layout of the cells; sizes in pixels.
struct Grid {
    columns: usize,
    rows: usize,
    cell: (usize, usize),
    gap: usize,
}

impl Grid {
    fn new(pictures: &[Picture], columns: u32, gap: u32) -> Option<Self> {
        let columns = pictures.len().min(columns as usize);
        let cell = (
            pictures.iter().map(|one| one.width as usize).max()?,
            pictures.iter().map(|one| one.height as usize).max()?,
        );
        (columns > 0).then(|| Self {
            columns,
            rows: pictures.len().div_ceil(columns),
            cell,
            gap: gap as usize,
        })
    }

    /// Width and height of the sheet.
    fn sides(&self) -> Option<(u32, u32)> {
        let side = |cells: usize, cell: usize| cell.checked_add(self.gap)?.checked_mul(cells)?.checked_add(self.gap);
        let (width, height) = (side(self.columns, self.cell.0)?, side(self.rows, self.cell.1)?);
        Some((width.try_into().ok()?, height.try_into().ok()?))
    }

    /// The top left corner of picture number `at`, centred in its cell.
    fn corner(&self, at: usize, picture: &Picture) -> (usize, usize) {
        let place = |cell: usize, size: usize, own: u32| self.gap + cell * (size + self.gap) + (size - own as usize) / 2;
        (
            place(at % self.columns, self.cell.0, picture.width),
            place(at / self.columns, self.cell.1, picture.height),
        )
    }
}

/// Where a picture lies on a sprite sheet, in pixels from the top left corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// Pixels to its left.
    pub x: u32,
    /// Pixels above it.
    pub y: u32,
    /// Its width.
    pub w: u32,
    /// Its height.
    pub h: u32,
}

/// Pictures of one size side by side without gaps, in reading order, each in a cell of exactly its size. Colours of transparent pixels are
/// those of their neighbours ([`bleed`]), within the cell, so that a texture has no halos.
#[derive(Clone, Debug)]
pub struct SpriteSheet {
    columns: u32,
    rows: u32,
    cell: (u32, u32),
    taken: u32,
    sheet: Picture,
}

impl SpriteSheet {
    /// An empty sheet: the number of cells across and down, and the width and height of each.
    ///
    /// # Errors
    /// If it has no cells, or would exceed [`MAX_PIXELS`].
    pub fn new(columns: u32, rows: u32, (width, height): (u32, u32)) -> Result<SpriteSheet, SheetError> {
        if columns == 0 || rows == 0 {
            return Err(SheetError::Empty);
        }
        let sides = width
            .checked_mul(columns)
            .zip(height.checked_mul(rows))
            .ok_or(SheetError::TooLarge)?;
        Ok(SpriteSheet {
            columns,
            rows,
            cell: (width, height),
            taken: 0,
            sheet: Picture::filled(sides.0, sides.1, [0; 4]).map_err(|_| SheetError::TooLarge)?,
        })
    }

    /// Puts a picture into the next cell, and returns where that is.
    ///
    /// # Errors
    /// If there is no cell left, or the picture is not as large as a cell.
    pub fn add(&mut self, picture: &Picture) -> Result<Frame, SheetError> {
        let (width, height) = (picture.width, picture.height);
        if self.taken == self.columns * self.rows {
            return Err(SheetError::Full);
        }
        if (width, height) != self.cell {
            return Err(SheetError::Cell { width, height });
        }
        let frame = Frame {
            x: self.taken % self.columns * width,
            y: self.taken / self.columns * height,
            w: width,
            h: height,
        };
        paste(&mut self.sheet, &bleed(picture), frame.x as usize, frame.y as usize);
        self.taken += 1;
        Ok(frame)
    }

    /// The sheet; cells that are left are transparent.
    pub fn into_picture(self) -> Picture {
        self.sheet
    }
}

/// Copies a picture's pixels into a larger one.
fn paste(sheet: &mut Picture, picture: &Picture, left: usize, top: usize) {
    let (line, offset) = (sheet.width as usize * 4, left * 4);
    for (row, place) in picture.rows().zip(sheet.pixels_mut().chunks_exact_mut(line).skip(top)) {
        if let Some(place) = place.get_mut(offset..offset + row.len()) {
            place.copy_from_slice(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(width: u32, height: u32, red: u8) -> Picture {
        Picture::filled(width, height, [red, 0, 0, 255]).unwrap()
    }

    #[test]
    fn pictures_are_in_reading_order() {
        let sheet = contact_sheet(
            &[block(2, 2, 1), block(2, 2, 2), block(2, 2, 3)],
            2,
            1,
            &Background::Colour([9, 9, 9]),
        )
        .unwrap();
        let reds: Vec<u8> = sheet.pixels().chunks(4).map(|pixel| pixel[0]).collect();
        #[rustfmt::skip]
        assert_eq!(reds, [
            9, 9, 9, 9, 9, 9, 9,
            9, 1, 1, 9, 2, 2, 9,
            9, 1, 1, 9, 2, 2, 9,
            9, 9, 9, 9, 9, 9, 9,
            9, 3, 3, 9, 9, 9, 9,
            9, 3, 3, 9, 9, 9, 9,
            9, 9, 9, 9, 9, 9, 9,
        ]);
    }

    #[test]
    fn smaller_pictures_are_centred() {
        let sheet = contact_sheet(&[block(5, 3, 1), block(1, 1, 2)], 9, 0, &Background::Transparent).unwrap();
        assert_eq!((sheet.width(), sheet.height()), (10, 3));
        assert_eq!(sheet.pixel(7, 1), Some([2, 0, 0, 255]));
        assert_eq!(sheet.pixels().chunks(4).filter(|pixel| pixel[0] == 2).count(), 1);
        assert_eq!(sheet.pixel(5, 0), Some([0; 4]));
    }

    #[test]
    fn sprites_lie_in_exact_cells() {
        let mut sheet = SpriteSheet::new(2, 2, (3, 2)).unwrap();
        let frames = [1, 2, 3].map(|red| sheet.add(&block(3, 2, red)).unwrap());
        assert_eq!(
            frames.map(|frame| (frame.x, frame.y, frame.w, frame.h)),
            [(0, 0, 3, 2), (3, 0, 3, 2), (0, 2, 3, 2)]
        );
        assert_eq!(sheet.add(&block(2, 2, 4)), Err(SheetError::Cell { width: 2, height: 2 }));
        sheet.add(&block(3, 2, 4)).unwrap();
        assert_eq!(sheet.add(&block(3, 2, 5)), Err(SheetError::Full));
        let picture = sheet.into_picture();
        for (frame, red) in frames.into_iter().zip(1..) {
            let cell = (frame.y..frame.y + frame.h).flat_map(|y| (frame.x..frame.x + frame.w).map(move |x| (x, y)));
            assert!(cell.into_iter().all(|(x, y)| picture.pixel(x, y) == Some([red, 0, 0, 255])));
        }
    }

    #[test]
    fn colours_do_not_bleed_into_the_next_cell() {
        let mut sheet = SpriteSheet::new(2, 1, (2, 1)).unwrap();
        let half = |red| Picture::new(2, 1, vec![0, 0, 0, 0, red, 0, 0, 255]).unwrap();
        sheet.add(&half(10)).unwrap();
        sheet.add(&half(20)).unwrap();
        let picture = sheet.into_picture();
        assert_eq!(
            (picture.pixel(0, 0), picture.pixel(2, 0)),
            (Some([10, 0, 0, 0]), Some([20, 0, 0, 0]))
        );
    }

    #[test]
    fn invalid_sheets_are_refused() {
        for (columns, rows, cell) in [(0, 1, (1, 1)), (1, 0, (1, 1))] {
            assert_eq!(SpriteSheet::new(columns, rows, cell).unwrap_err(), SheetError::Empty);
        }
        for (columns, cell) in [(u32::MAX, (2, 1)), (100_000, (1, 1000))] {
            assert_eq!(SpriteSheet::new(columns, 1, cell).unwrap_err(), SheetError::TooLarge);
        }
        assert_eq!(contact_sheet(&[], 3, 1, &Background::Transparent), Err(SheetError::Empty));
        assert_eq!(
            contact_sheet(&[block(1, 1, 1)], 0, 1, &Background::Transparent),
            Err(SheetError::Empty)
        );
        for gap in [5000, u32::MAX] {
            let pictures = vec![block(1, 1, 1); 4];
            assert_eq!(
                contact_sheet(&pictures, 2, gap, &Background::Transparent),
                Err(SheetError::TooLarge),
                "{gap}"
            );
        }
    }

    #[test]
    fn squares_have_as_many_columns_as_rows() {
        let counts = [0, 1, 2, 4, 5, 9, 10, 16, 17];
        assert_eq!(counts.map(square_columns), [1, 1, 2, 2, 3, 3, 4, 4, 5]);
        assert_eq!(square_columns(usize::MAX), 65536);
    }
}
