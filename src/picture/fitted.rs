//! A picture of other sides with its shape kept. Owns where it is placed and cut; depends on [`super::scale`].

use super::scale::{Resampling, proportional, resize};
use super::{Picture, PictureError};

/// The whole picture, centred, with transparent margins.
///
/// # Errors
/// If a side is zero or the result exceeds [`super::MAX_PIXELS`].
pub fn within(picture: &Picture, width: u32, height: u32, resampling: Resampling) -> Result<Picture, PictureError> {
    let (own_width, own_height) = (u64::from(picture.width()), u64::from(picture.height()));
    let is_wide = own_width * u64::from(height) >= own_height * u64::from(width);
    let (wide, tall) = if is_wide {
        (width, proportional(picture.height(), width, picture.width()))
    } else {
        (proportional(picture.width(), height, picture.height()), height)
    };
    let small = resize(picture, wide.min(width), tall.min(height), resampling)?;
    let mut pixels = Picture::filled(width, height, [0; 4])?.pixels().to_vec();
    let (left, top) = ((width - small.width()) / 2, (height - small.height()) / 2);
    for (row, line) in small.rows().enumerate() {
        let start = ((top as usize + row) * width as usize + left as usize) * 4;
        pixels[start..start + line.len()].copy_from_slice(line);
    }
    Picture::new(width, height, pixels)
}

/// As much of the picture's middle as fills the whole.
///
/// # Errors
/// If a side is zero or the result exceeds [`super::MAX_PIXELS`].
pub fn over(picture: &Picture, width: u32, height: u32, resampling: Resampling) -> Result<Picture, PictureError> {
    let (own_width, own_height) = (picture.width(), picture.height());
    let is_wide = u64::from(own_width) * u64::from(height) >= u64::from(own_height) * u64::from(width);
    let (wide, tall) = if is_wide {
        (proportional(width, own_height, height).min(own_width), own_height)
    } else {
        (own_width, proportional(height, own_width, width).min(own_height))
    };
    let (left, top) = ((own_width - wide) / 2, (own_height - tall) / 2);
    let lines = picture.rows().skip(top as usize).take(tall as usize);
    let pixels = lines
        .flat_map(|line| &line[left as usize * 4..(left + wide) as usize * 4])
        .copied()
        .collect();
    resize(&Picture::new(wide, tall, pixels)?, width, height, resampling)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red on the left, blue on the right, green between.
    fn wide() -> Picture {
        let line = [[255, 0, 0, 255], [0, 255, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255]];
        Picture::new(4, 2, [line, line].concat().concat()).unwrap()
    }

    #[test]
    fn all_of_it_stands_in_the_middle() {
        let fitted = within(&wide(), 4, 4, Resampling::Smooth).unwrap();
        assert_eq!((fitted.pixel(0, 0), fitted.pixel(3, 3)), (Some([0; 4]), Some([0; 4])));
        assert_eq!(
            (fitted.pixel(0, 1), fitted.pixel(3, 2)),
            (Some([255, 0, 0, 255]), Some([0, 0, 255, 255]))
        );
        let large = within(&wide(), 1, 9, Resampling::Smooth).unwrap();
        assert_eq!((large.width(), large.height()), (1, 9));
        assert_eq!((large.pixel(0, 3).unwrap()[3], large.pixel(0, 4).unwrap()[3]), (0, 255));
    }

    #[test]
    fn its_middle_fills_the_whole() {
        let cut = over(&wide(), 2, 2, Resampling::Smooth).unwrap();
        assert!(cut.pixels().chunks_exact(4).all(|pixel| pixel == [0, 255, 0, 255]));
        let tall = over(&wide(), 3, 300, Resampling::Smooth).unwrap();
        assert_eq!((tall.width(), tall.height()), (3, 300));
        assert_eq!(over(&wide(), 4, 2, Resampling::Smooth).unwrap(), wide());
    }
}
