//! A short description of a picture by which similar ones are found: its colours and its shape in 16×16 cells. Owns these numbers; depends
//! on [`Picture`] only. `models/train/pictogram/similar.py` computes the same.

use super::Picture;

/// Cells along a side.
pub const SIDE: usize = 16;
/// Numbers of a descriptor: red, green and blue multiplied by alpha, and alpha, of each cell.
pub const NUMBERS: usize = SIDE * SIDE * 4;

/// Means from 0 to 255 over the picture's cells, in rows from the top. Pictures of any sides are divided into as many cells; a picture with
/// fewer pixels than cells has some of them in several.
pub fn descriptor(picture: &Picture) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(NUMBERS);
    for row in 0..SIDE {
        let rows = part(picture.height(), row);
        for column in 0..SIDE {
            let columns = part(picture.width(), column);
            numbers.extend(mean(picture, rows.clone(), columns));
        }
    }
    numbers
}

/// The pixels of a side that a cell covers, one at least.
fn part(side: u32, cell: usize) -> std::ops::Range<u32> {
    let border = |cell: usize| (u64::from(side) * cell as u64 / SIDE as u64) as u32;
    let start = border(cell).min(side - 1);
    start..border(cell + 1).max(start + 1)
}

fn mean(picture: &Picture, rows: std::ops::Range<u32>, columns: std::ops::Range<u32>) -> [f32; 4] {
    let count = f64::from(rows.len() as u32) * f64::from(columns.len() as u32) * 255.0;
    let mut sums = [0u64; 4];
    for y in rows {
        for x in columns.clone() {
            let [red, green, blue, alpha] = picture.pixel(x, y).unwrap_or_default().map(u64::from);
            for (sum, value) in sums.iter_mut().zip([red, green, blue, 255]) {
                *sum += value * alpha;
            }
        }
    }
    sums.map(|sum| (sum as f64 / count) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_means_of_what_is_seen() {
        let mut pixels = vec![0; 32 * 32 * 4];
        for (x, y, alpha) in [(0, 0, 255), (1, 0, 255), (0, 1, 255), (1, 1, 255), (2, 0, 0), (4, 0, 255)] {
            let at = (y * 32 + x) * 4;
            pixels[at..at + 4].copy_from_slice(&[200, 100, 0, alpha]);
        }
        let found = descriptor(&Picture::new(32, 32, pixels).unwrap());
        assert_eq!(found.len(), NUMBERS);
        assert_eq!(found[..12], [200.0, 100.0, 0.0, 255.0, 0.0, 0.0, 0.0, 0.0, 50.0, 25.0, 0.0, 63.75]);
    }

    #[test]
    fn pictures_of_any_sides_have_a_descriptor() {
        for (width, height) in [(1, 1), (3, 40), (17, 16), (128, 128)] {
            let picture = Picture::filled(width, height, [10, 20, 30, 255]).unwrap();
            for cell in descriptor(&picture).chunks(4) {
                assert_eq!(cell, [10.0, 20.0, 30.0, 255.0], "{width}×{height}");
            }
        }
    }
}
