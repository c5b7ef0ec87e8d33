//! Contact sheets: several pictures in a grid, to compare variations and for model cards.
//!
//! Depends on [`Picture`] and [`Background`].

use super::{Background, MAX_PIXELS, Picture};
use thiserror::Error;

/// Why pictures cannot be placed on a sheet.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum SheetError {
    /// No picture or no column.
    #[error("a contact sheet needs at least one picture and one column")]
    Empty,
    /// More than [`MAX_PIXELS`].
    #[error("a contact sheet of this many pictures is too large: at most {} million pixels are possible", MAX_PIXELS / (1024 * 1024))]
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

/// Copies a picture's pixels into a larger one.
fn paste(sheet: &mut Picture, picture: &Picture, left: usize, top: usize) {
    let (line, offset) = (sheet.width as usize * 4, left * 4);
    for (row, place) in picture.rows().zip(sheet.pixels.chunks_exact_mut(line).skip(top)) {
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
    fn invalid_sheets_are_refused() {
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
