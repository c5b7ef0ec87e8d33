//! Width and height as other interfaces ask for them: our pictures have the model's shape, so a picture is drawn as large as fits and gets
//! margins. Depends on [`crate::picture`] alone.

use super::refusal::Refusal;
use super::wish::in_range;
use crate::picture::{Background, Picture, Provenance};

/// Width and height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canvas {
    pub width: u32,
    pub height: u32,
}

impl Canvas {
    /// Checks both sides.
    pub fn new(width: u32, height: u32, most: u32) -> Result<Canvas, Refusal> {
        Ok(Canvas {
            width: in_range("width", width, 8, most)?,
            height: in_range("height", height, 8, most)?,
        })
    }

    /// As `WIDTHxHEIGHT`.
    pub fn of(text: &str, most: u32) -> Result<Canvas, Refusal> {
        let sides = text
            .split_once('x')
            .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        let (width, height) = sides.ok_or_else(|| Refusal::invalid("size", "must be auto, or WIDTHxHEIGHT such as 512x512"))?;
        Canvas::new(width, height, most).map_err(|refusal| refusal.of("size"))
    }

    /// The longest side of a picture of this shape that fits.
    pub fn side(self, shape: (u32, u32)) -> u32 {
        let (width, height) = (u64::from(shape.0.max(1)), u64::from(shape.1.max(1)));
        let by_width = u64::from(self.width) * width.max(height) / width;
        let by_height = u64::from(self.height) * width.max(height) / height;
        u32::try_from(by_width.min(by_height)).unwrap_or(u32::MAX).max(8)
    }

    /// The picture with margins of its background. Its record says so.
    pub fn fill(self, picture: &Picture, provenance: &Provenance) -> Result<(Picture, Provenance), Refusal> {
        let mut provenance = provenance.clone();
        if (picture.width(), picture.height()) == (self.width, self.height) {
            return Ok((picture.clone(), provenance));
        }
        let background: Background = provenance.background.parse().unwrap_or_default();
        let empty = Picture::filled(self.width, self.height, [0; 4]).map_err(Refusal::internal)?;
        let mut pixels = background.apply(&empty).pixels().to_vec();
        let (left, top) = (
            self.width.saturating_sub(picture.width()) / 2,
            self.height.saturating_sub(picture.height()) / 2,
        );
        let (width, own) = (self.width as usize * 4, picture.width() as usize * 4);
        let used = own.min(width);
        for (index, row) in picture.pixels().chunks_exact(own).take(self.height as usize).enumerate() {
            let at = (index + top as usize) * width + left as usize * 4;
            pixels[at..at + used].copy_from_slice(&row[..used]);
        }
        let picture = Picture::new(self.width, self.height, pixels).map_err(Refusal::internal)?;
        provenance.size = [self.width, self.height];
        provenance.picture_sha256 = picture.sha256();
        Ok((picture, provenance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_fit_and_are_centred() {
        let canvas = Canvas::of("8x12", 64).unwrap();
        assert_eq!(canvas.side((128, 128)), 8);
        assert_eq!(Canvas::of("64x32", 64).unwrap().side((64, 32)), 64);
        let picture = Picture::filled(8, 8, [1, 2, 3, 255]).unwrap();
        let record = Provenance {
            background: "transparent".into(),
            ..Provenance::default()
        };
        let (filled, record) = canvas.fill(&picture, &record).unwrap();
        assert_eq!((filled.width(), filled.height(), record.size), (8, 12, [8, 12]));
        assert_eq!((filled.pixel(0, 1), filled.pixel(0, 2)), (Some([0; 4]), Some([1, 2, 3, 255])));
        assert_eq!((filled.pixel(7, 9), filled.pixel(7, 10)), (Some([1, 2, 3, 255]), Some([0; 4])));
        assert!(crate::picture::verify(&filled, &record));
        for text in ["", "8", "8x", "0x8", "8x99999", "-8x8", "8x8x8"] {
            assert!(Canvas::of(text, 64).is_err(), "{text}");
        }
    }
}
