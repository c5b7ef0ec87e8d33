//! A picture on a larger canvas, whose new border is filled part by part. Owns what of the canvas is there already, what a part of it shows,
//! and the seam: only pixels that were not there change. Depends on [`Picture`] only.

use std::collections::VecDeque;

use super::{Picture, PictureError};

/// How many pixels a picture gets on each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margins {
    /// On the left.
    pub left: u32,
    /// On the right.
    pub right: u32,
    /// Above.
    pub top: u32,
    /// Below.
    pub bottom: u32,
}

impl Margins {
    /// Width and height of a picture of these sides with the margins; `None` if that is no number.
    pub fn around(&self, (width, height): (u32, u32)) -> Option<(u32, u32)> {
        let side = |own: u32, before: u32, after: u32| own.checked_add(before)?.checked_add(after);
        side(width, self.left, self.right).zip(side(height, self.top, self.bottom))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Margins::default()
    }
}

/// A part of a canvas, in pixels. It may reach beyond the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Pixels of the canvas to its left.
    pub left: i64,
    /// Pixels of the canvas above it.
    pub top: i64,
    /// Its width.
    pub width: u32,
    /// Its height.
    pub height: u32,
}

/// A picture with margins, some of which are filled.
#[derive(Clone, Debug)]
pub struct Canvas {
    picture: Picture,
    is_filled: Vec<bool>,
}

/// What a window shows, and for each of its pixels whether it is there already or how far the next one is that is.
struct View {
    picture: Picture,
    /// 0 for what is there, else the distance in pixels.
    distance: Vec<u32>,
}

impl Canvas {
    /// A picture with margins that are yet to be filled.
    ///
    /// # Errors
    /// If the canvas would exceed [`super::MAX_PIXELS`].
    pub fn new(picture: &Picture, margins: Margins) -> Result<Canvas, PictureError> {
        let sides = margins.around((picture.width, picture.height)).unwrap_or((u32::MAX, u32::MAX));
        let mut canvas = Picture::filled(sides.0, sides.1, [0; 4])?;
        let mut is_filled = vec![false; canvas.pixels.len() / 4];
        for (row, line) in picture.rows().enumerate() {
            let start = (row + margins.top as usize) * sides.0 as usize + margins.left as usize;
            canvas.pixels_mut()[start * 4..start * 4 + line.len()].copy_from_slice(line);
            is_filled[start..start + line.len() / 4].fill(true);
        }
        Ok(Canvas {
            picture: canvas,
            is_filled,
        })
    }

    /// What a window shows, where what is not there yet has the colour of the nearest pixel that is, and a mask that is white there and black
    /// elsewhere. Both are as large as the window.
    ///
    /// # Errors
    /// If the window is empty or exceeds [`super::MAX_PIXELS`].
    pub fn show(&self, window: Window) -> Result<(Picture, Picture), PictureError> {
        let view = self.view(window)?;
        let mask = view.distance.iter().flat_map(|&distance| match distance {
            0 => [0, 0, 0, 255],
            _ => [255; 4],
        });
        let mask = Picture::new(window.width, window.height, mask.collect())?;
        Ok((view.picture, mask))
    }

    /// Fills what is not there yet of a window with a picture as large as it. Over the first `seam` pixels it fades in from what is there.
    ///
    /// # Errors
    /// If the picture is not as large as the window.
    pub fn fill(&mut self, window: Window, drawn: &Picture, seam: u32) -> Result<(), PictureError> {
        super::check_length(window.width, window.height, 4, drawn.pixels.len())?;
        let view = self.view(window)?;
        for (index, &distance) in view.distance.iter().enumerate().filter(|(_, distance)| **distance > 0) {
            let Some(place) = self.place(window, index) else { continue };
            let [before, after] = [&view.picture, drawn].map(|picture| picture.pixels.as_chunks::<4>().0[index]);
            let pixel = mixed(before, after, distance.min(seam + 1), seam + 1);
            self.picture.pixels_mut()[place * 4..place * 4 + 4].copy_from_slice(&pixel);
            self.is_filled[place] = true;
        }
        Ok(())
    }

    /// The canvas; what was not filled is transparent.
    pub fn into_picture(self) -> Picture {
        self.picture
    }

    /// The canvas's pixel under a window's pixel, if it is not beyond the canvas.
    fn place(&self, window: Window, index: usize) -> Option<usize> {
        let (width, height) = (i64::from(self.picture.width), i64::from(self.picture.height));
        let x = window.left + index as i64 % i64::from(window.width);
        let y = window.top + index as i64 / i64::from(window.width);
        ((0..width).contains(&x) && (0..height).contains(&y)).then_some((y * width + x) as usize)
    }

    /// Colours spread from what is there over the rest of the window, a pixel at a time.
    fn view(&self, window: Window) -> Result<View, PictureError> {
        let mut picture = Picture::filled(window.width, window.height, [0; 4])?;
        let (width, height) = (window.width as usize, window.height as usize);
        let mut distance = vec![u32::MAX; width * height];
        let mut reached = VecDeque::new();
        for (index, distance) in distance.iter_mut().enumerate() {
            if let Some(place) = self.place(window, index).filter(|&place| self.is_filled[place]) {
                picture.pixels_mut()[index * 4..index * 4 + 4].copy_from_slice(&self.picture.pixels[place * 4..place * 4 + 4]);
                *distance = 0;
                reached.push_back(index);
            }
        }
        while let Some(index) = reached.pop_front() {
            let (x, y) = (index % width, index / width);
            let beside = [
                (x > 0).then(|| index - 1),
                (x + 1 < width).then_some(index + 1),
                (y > 0).then(|| index - width),
                (y + 1 < height).then_some(index + width),
            ];
            for next in beside
                .into_iter()
                .flatten()
                .filter(|&next| distance[next] == u32::MAX)
                .collect::<Vec<_>>()
            {
                distance[next] = distance[index] + 1;
                picture.pixels_mut().copy_within(index * 4..index * 4 + 4, next * 4);
                reached.push_back(next);
            }
        }
        Ok(View { picture, distance })
    }
}

/// `part` of `whole` of one pixel, the rest of another, so that colours of what is transparent do not count.
fn mixed(before: [u8; 4], after: [u8; 4], part: u32, whole: u32) -> [u8; 4] {
    if part >= whole {
        return after;
    }
    let weights = [u32::from(before[3]) * (whole - part), u32::from(after[3]) * part];
    let sum = weights[0] + weights[1];
    if sum == 0 {
        return [0; 4];
    }
    let colour = |channel: usize| {
        let products = u32::from(before[channel]) * weights[0] + u32::from(after[channel]) * weights[1];
        ((products + sum / 2) / sum) as u8
    };
    [colour(0), colour(1), colour(2), ((sum + whole / 2) / whole) as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(left: i64, top: i64, width: u32, height: u32) -> Window {
        Window { left, top, width, height }
    }

    fn right(right: u32) -> Margins {
        Margins {
            right,
            ..Margins::default()
        }
    }

    #[test]
    fn what_is_there_stays() {
        let picture = Picture::new(2, 1, vec![9, 8, 7, 0, 1, 2, 3, 200]).unwrap();
        let margins = Margins {
            left: 1,
            right: 2,
            top: 3,
            bottom: 4,
        };
        let mut canvas = Canvas::new(&picture, margins).unwrap();
        let all = window(0, 0, 5, 8);
        canvas.fill(all, &Picture::filled(5, 8, [50, 60, 70, 255]).unwrap(), 0).unwrap();
        let whole = canvas.into_picture();
        assert_eq!((whole.width(), whole.height()), (5, 8));
        assert_eq!((whole.pixel(1, 3), whole.pixel(2, 3)), (Some([9, 8, 7, 0]), Some([1, 2, 3, 200])));
        let drawn = whole.pixels().chunks(4).filter(|pixel| *pixel == [50, 60, 70, 255]).count();
        assert_eq!(drawn, 38);
    }

    #[test]
    fn a_window_shows_the_nearest_colours_and_what_is_missing() {
        let canvas = Canvas::new(&Picture::filled(2, 2, [10, 20, 30, 255]).unwrap(), right(2)).unwrap();
        let (shown, mask) = canvas.show(window(1, -1, 3, 4)).unwrap();
        assert!(shown.pixels().chunks(4).all(|pixel| pixel == [10, 20, 30, 255]));
        let white: Vec<bool> = mask.pixels().chunks(4).map(|pixel| pixel[0] == 255).collect();
        #[rustfmt::skip]
        assert_eq!(white, [
            true, true, true,
            false, true, true,
            false, true, true,
            true, true, true,
        ]);
        let (nothing, mask) = canvas.show(window(10, 10, 2, 2)).unwrap();
        assert!(nothing.pixels().iter().all(|&byte| byte == 0) && mask.pixels().iter().all(|&byte| byte == 255));
    }

    #[test]
    fn the_seam_is_on_the_new_side() {
        let mut canvas = Canvas::new(&Picture::filled(1, 1, [0, 0, 0, 255]).unwrap(), right(5)).unwrap();
        let drawn = Picture::filled(6, 1, [200, 200, 200, 255]).unwrap();
        canvas.fill(window(0, 0, 6, 1), &drawn, 3).unwrap();
        let reds: Vec<u8> = canvas.into_picture().pixels().chunks(4).map(|pixel| pixel[0]).collect();
        assert_eq!(reds, [0, 50, 100, 150, 200, 200]);
    }

    #[test]
    fn transparent_pixels_lend_no_colour_to_the_seam() {
        assert_eq!(mixed([9, 9, 9, 0], [200, 100, 0, 255], 1, 2), [200, 100, 0, 128]);
        assert_eq!(mixed([9, 9, 9, 0], [7, 7, 7, 0], 1, 2), [0; 4]);
    }

    #[test]
    fn later_windows_see_what_earlier_ones_drew() {
        let mut canvas = Canvas::new(&Picture::filled(2, 1, [1, 1, 1, 255]).unwrap(), right(4)).unwrap();
        canvas
            .fill(window(1, 0, 3, 1), &Picture::filled(3, 1, [2, 2, 2, 255]).unwrap(), 0)
            .unwrap();
        let (shown, mask) = canvas.show(window(3, 0, 3, 1)).unwrap();
        assert_eq!((shown.pixel(0, 0), mask.pixel(0, 0)), (Some([2, 2, 2, 255]), Some([0, 0, 0, 255])));
        assert_eq!(mask.pixel(1, 0), Some([255; 4]));
    }

    #[test]
    fn canvases_that_are_too_large_are_refused() {
        let picture = Picture::filled(2, 2, [0; 4]).unwrap();
        for margin in [u32::MAX, 1 << 30] {
            assert!(matches!(Canvas::new(&picture, right(margin)), Err(PictureError::TooLarge { .. })));
        }
    }
}
