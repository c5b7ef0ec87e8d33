//! Arrangements: several pictures on one page, in rows, each smaller. Depends on [`Picture`] and [`super::scale`] only.

use super::scale::{Resampling, resize, sides};
use super::{Picture, PictureError};

/// Maximum number of rows, and of pictures in a row.
pub const MOST: usize = 3;

/// Into how many columns and rows a page is divided: two, or three if there are three rows or three pictures in a row.
pub fn across<T>(rows: &[Vec<T>]) -> u32 {
    let is_thirds = rows.len() == MOST || rows.iter().any(|row| row.len() == MOST);
    if is_thirds { 3 } else { 2 }
}

/// Places pictures in rows, centred, on a page with their aspect ratio whose longest side has `size` pixels. Each picture is a half or a third
/// as wide and high as the page, see [`across`]. The page has the colour of the first picture's first corner: transparent for cut-out pictures.
///
/// # Errors
/// If the pictures have different sizes, if there are no rows, more than [`MOST`] rows or pictures in a row, or if a picture
/// would be smaller than a pixel.
pub fn arranged(rows: &[Vec<&Picture>], size: u32) -> Result<Picture, PictureError> {
    let first = rows.first().and_then(|row| row.first()).ok_or(PictureError::Arrangement)?;
    let own = (first.width, first.height);
    let fits = |row: &Vec<&Picture>| {
        let alike = row.iter().all(|picture| (picture.width, picture.height) == own);
        (1..=MOST).contains(&row.len()) && alike
    };
    if rows.len() > MOST || !rows.iter().all(fits) {
        return Err(PictureError::Arrangement);
    }
    let (width, height) = sides(own, size);
    let across = across(rows);
    let (wide, high) = (width / across, height / across);
    let mut page = Picture::filled(width, height, first.pixel(0, 0).unwrap_or_default())?;
    let top = (height - high * rows.len() as u32) / 2;
    for (row, line) in rows.iter().zip(0..) {
        let left = (width - wide * row.len() as u32) / 2;
        for (picture, column) in row.iter().zip(0..) {
            // The mean of whole pixels preserves sprites.
            let small = if (wide, high) == (own.0 / 2, own.1 / 2) {
                halved(picture)?
            } else {
                resize(picture, wide, high, Resampling::Smooth)?
            };
            page.put(&small, left + column * wide, top + line * high);
        }
    }
    Ok(page)
}

/// The picture at half its size.
fn halved(picture: &Picture) -> Result<Picture, PictureError> {
    let (width, height) = (picture.width / 2, picture.height / 2);
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (2 * x, 2 * y)));
    let pixels = places.flat_map(|(x, y)| {
        let at = |(across, down): (u32, u32)| picture.pixel(x + across, y + down).unwrap_or_default();
        mean([(0, 0), (1, 0), (0, 1), (1, 1)].map(at))
    });
    Picture::new(width, height, pixels.collect())
}

impl Picture {
    /// Copies a picture that fits to a position.
    fn put(&mut self, other: &Picture, left: u32, top: u32) {
        let bytes = other.width as usize * 4;
        for (row, y) in other.rows().zip(top..) {
            let start = (y as usize * self.width as usize + left as usize) * 4;
            self.pixels_mut()[start..start + bytes].copy_from_slice(row);
        }
    }
}

/// The mean of four pixels with straight alpha, colours weighted by alpha.
fn mean(pixels: [[u8; 4]; 4]) -> [u8; 4] {
    let opacity: u32 = pixels.iter().map(|pixel| u32::from(pixel[3])).sum();
    let channel = |channel: usize| {
        let weighted: u32 = pixels.iter().map(|pixel| u32::from(pixel[channel]) * u32::from(pixel[3])).sum();
        (weighted + opacity / 2).checked_div(opacity).unwrap_or(0) as u8
    };
    [channel(0), channel(1), channel(2), ((opacity + 2) / 4) as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: [u8; 4] = [255, 0, 0, 255];
    const BLUE: [u8; 4] = [0, 0, 255, 255];
    const CLEAR: [u8; 4] = [0, 0, 0, 0];

    /// A square of 8×8 in one colour with a transparent border of two pixels.
    fn square(colour: [u8; 4]) -> Picture {
        let inside = |index: u32| (2..10).contains(&(index % 12)) && (2..10).contains(&(index / 12));
        let pixels = (0..144).flat_map(|index| if inside(index) { colour } else { CLEAR }).collect();
        Picture::new(12, 12, pixels).unwrap()
    }

    fn colours_at(picture: &Picture, places: &[[u32; 2]]) -> Vec<[u8; 4]> {
        places.iter().map(|[x, y]| picture.pixel(*x, *y).unwrap()).collect()
    }

    #[test]
    fn rows_are_centred() {
        let (red, blue) = (square(RED), square(BLUE));
        for (rows, places, colours) in [
            (
                vec![vec![&red, &blue]],
                vec![[3, 6], [8, 6], [3, 2], [3, 9]],
                vec![RED, BLUE, CLEAR, CLEAR],
            ),
            (
                vec![vec![&red], vec![&blue]],
                vec![[6, 3], [6, 8], [2, 3], [9, 8]],
                vec![RED, BLUE, CLEAR, CLEAR],
            ),
            (
                vec![vec![&red], vec![&blue, &red]],
                vec![[6, 3], [3, 8], [8, 8], [6, 8]],
                vec![RED, BLUE, RED, CLEAR],
            ),
            (
                vec![vec![&red, &blue], vec![&blue, &red]],
                vec![[3, 3], [8, 3], [3, 8], [8, 8]],
                vec![RED, BLUE, BLUE, RED],
            ),
            (vec![vec![&red]], vec![[6, 6], [2, 6], [6, 9]], vec![RED, CLEAR, CLEAR]),
            // A third of their size, four pixels apart.
            (
                vec![vec![&red, &blue], vec![&blue, &red, &blue]],
                vec![[3, 3], [7, 3], [1, 7], [5, 7], [9, 7], [5, 10], [0, 3]],
                vec![RED, BLUE, BLUE, RED, BLUE, CLEAR, CLEAR],
            ),
            (
                vec![vec![&red], vec![&blue], vec![&red]],
                vec![[5, 1], [5, 5], [5, 9], [1, 5]],
                vec![RED, BLUE, RED, CLEAR],
            ),
        ] {
            let page = arranged(&rows, 12).unwrap();
            assert_eq!((page.width(), page.height()), (12, 12));
            assert_eq!(colours_at(&page, &places), colours, "{} rows", rows.len());
        }
    }

    #[test]
    fn clear_pixels_do_not_darken_an_edge() {
        let pixels = [[201, 10, 0, 255], CLEAR, [101, 20, 0, 255], CLEAR];
        assert_eq!(mean(pixels), [151, 15, 0, 128]);
        assert_eq!(mean([CLEAR; 4]), CLEAR);
        assert_eq!(mean([RED; 4]), RED);
    }

    #[test]
    fn opaque_pictures_keep_their_background() {
        let ground = Picture::filled(6, 5, BLUE).unwrap();
        let page = arranged(&[vec![&ground]], ground.width()).unwrap();
        assert!((0..30).all(|index| page.pixel(index % 6, index / 6) == Some(BLUE)));
    }

    #[test]
    fn on_a_page_of_twice_their_size_pictures_keep_their_pixels() {
        let (red, blue) = (square(RED), square(BLUE));
        let page = arranged(&[vec![&red], vec![&blue, &red]], 24).unwrap();
        assert_eq!((page.width(), page.height()), (24, 24));
        for (picture, left, top) in [(&red, 6, 0), (&blue, 0, 12), (&red, 12, 12)] {
            let places = (0..12).flat_map(|y| (0..12).map(move |x| (x, y)));
            assert!(
                places
                    .into_iter()
                    .all(|(x, y)| page.pixel(left + x, top + y) == picture.pixel(x, y))
            );
        }
        let thirds = arranged(&[vec![&red, &blue, &red]], 18).unwrap();
        assert_eq!((thirds.width(), thirds.height()), (18, 18));
        assert_eq!(colours_at(&thirds, &[[3, 9], [9, 9], [15, 9], [9, 3]]), [RED, BLUE, RED, CLEAR]);
    }

    #[test]
    fn invalid_arrangements_are_refused() {
        let (picture, other) = (square(RED), Picture::filled(4, 4, RED).unwrap());
        for rows in [
            vec![],
            vec![vec![]],
            vec![vec![&picture], vec![]],
            vec![vec![&picture; 4]],
            vec![vec![&picture]; 4],
            vec![vec![&picture, &other]],
        ] {
            assert_eq!(arranged(&rows, 12).unwrap_err(), PictureError::Arrangement);
        }
        let dot = Picture::filled(1, 1, RED).unwrap();
        assert!(matches!(arranged(&[vec![&dot, &dot]], 1), Err(PictureError::Empty { .. })));
    }
}
