//! Backgrounds: transparent, a colour, or a vertical gradient between two colours.
//!
//! Owns parsing and formatting the option `--background`, and applying a background to a picture in integer arithmetic. Depends
//! on [`Picture`] and the table of colour names.

use super::{Picture, colours};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;

/// The background of a picture. Parsed from `transparent`, `COLOUR` or `TOP:BOTTOM`, where a colour is a CSS name, `#rgb` or
/// `#rrggbb`; formatted in the same form with `#rrggbb` colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Background {
    /// Transparent parts stay transparent.
    #[default]
    Transparent,
    /// One colour: red, green, blue.
    Colour([u8; 3]),
    /// A vertical gradient, linear between the two sRGB colours.
    Gradient {
        /// Red, green, blue of the first row.
        top: [u8; 3],
        /// Red, green, blue of the last row.
        bottom: [u8; 3],
    },
}

/// The accepted forms of a colour, for messages.
const COLOURS: &str = "a CSS colour name such as skyblue, #rgb or #rrggbb";

/// Why a text is not a background.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum BackgroundError {
    /// The text, or one side of the colon, is empty.
    #[error("a colour is missing in the background '{0}': expected transparent, a colour or TOP:BOTTOM, where a colour is {COLOURS}")]
    Missing(String),
    /// More than one colon.
    #[error("the background '{0}' has more than two colours: a gradient is written TOP:BOTTOM")]
    TooMany(String),
    /// Not the name of a colour.
    #[error("'{0}' is no colour: expected {COLOURS}")]
    UnknownName(String),
    /// `#` without 3 or 6 hexadecimal digits.
    #[error("'{0}' is no colour: after # come 3 or 6 hexadecimal digits, #rgb or #rrggbb")]
    BadDigits(String),
    /// `transparent` as an end of a gradient.
    #[error("a gradient cannot end in transparent ('{0}'): both ends are {COLOURS}")]
    TransparentEnd(String),
}

impl FromStr for Background {
    type Err = BackgroundError;

    fn from_str(text: &str) -> Result<Self, BackgroundError> {
        let ends: Vec<&str> = text.split(':').map(str::trim).collect();
        if ends.iter().any(|end| end.is_empty()) {
            return Err(BackgroundError::Missing(text.to_owned()));
        }
        let transparent = |end: &str| end.eq_ignore_ascii_case("transparent");
        match ends[..] {
            [one] if transparent(one) => Ok(Self::Transparent),
            [one] => Ok(Self::Colour(colour(one)?)),
            [top, bottom] if transparent(top) || transparent(bottom) => Err(BackgroundError::TransparentEnd(text.to_owned())),
            [top, bottom] => Ok(Self::Gradient {
                top: colour(top)?,
                bottom: colour(bottom)?,
            }),
            _ => Err(BackgroundError::TooMany(text.to_owned())),
        }
    }
}

impl fmt::Display for Background {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |[red, green, blue]: [u8; 3]| format!("#{red:02x}{green:02x}{blue:02x}");
        match *self {
            Self::Transparent => out.write_str("transparent"),
            Self::Colour(colour) => out.write_str(&hex(colour)),
            Self::Gradient { top, bottom } => write!(out, "{}:{}", hex(top), hex(bottom)),
        }
    }
}

impl Background {
    /// The picture on this background: opaque, or unchanged for [`Background::Transparent`].
    pub fn apply(&self, picture: &Picture) -> Picture {
        let mut pixels = Vec::with_capacity(picture.pixels.len());
        for (y, row) in (0..picture.height).zip(picture.rows()) {
            match self.row(y, picture.height) {
                None => pixels.extend_from_slice(row),
                Some(behind) => pixels.extend(row.chunks_exact(4).flat_map(|pixel| over(pixel, behind))),
            }
        }
        Picture {
            pixels: Arc::new(pixels),
            ..*picture
        }
    }

    /// The colour of row `y` of `height`; `None` if transparent.
    fn row(&self, y: u32, height: u32) -> Option<[u8; 3]> {
        match *self {
            Self::Transparent => None,
            Self::Colour(colour) => Some(colour),
            Self::Gradient { top, bottom } => {
                let (y, last) = (u64::from(y), u64::from(height.saturating_sub(1)).max(1));
                let mix = |top: u8, bottom: u8| (u64::from(top) * (last - y) + u64::from(bottom) * y + last / 2) / last;
                Some(std::array::from_fn(|channel| mix(top[channel], bottom[channel]) as u8))
            }
        }
    }
}

/// One straight RGBA pixel over an opaque colour, rounded to nearest.
fn over(pixel: &[u8], behind: [u8; 3]) -> [u8; 4] {
    let alpha = u32::from(pixel[3]);
    let mix = |channel: usize| ((u32::from(pixel[channel]) * alpha + u32::from(behind[channel]) * (255 - alpha) + 127) / 255) as u8;
    [mix(0), mix(1), mix(2), 255]
}

/// Parses a colour.
fn colour(text: &str) -> Result<[u8; 3], BackgroundError> {
    match text.strip_prefix('#') {
        Some(digits) => hexadecimal(digits).ok_or_else(|| BackgroundError::BadDigits(text.to_owned())),
        None => colours::named(text).ok_or_else(|| BackgroundError::UnknownName(text.to_owned())),
    }
}

/// Parses `rgb` or `rrggbb`.
fn hexadecimal(digits: &str) -> Option<[u8; 3]> {
    let values: Option<Vec<u8>> = digits.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
    match values?[..] {
        [red, green, blue] => Some([red * 17, green * 17, blue * 17]),
        [r1, r0, g1, g0, b1, b0] => Some([r1 * 16 + r0, g1 * 16 + g0, b1 * 16 + b0]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backgrounds_are_read_and_shown() {
        for (text, shown) in [
            ("transparent", "transparent"),
            (" Transparent ", "transparent"),
            ("SkyBlue", "#87ceeb"),
            ("#fa0", "#ffaa00"),
            ("#12aBcD", "#12abcd"),
            ("white:#000", "#ffffff:#000000"),
        ] {
            let background: Background = text.parse().unwrap();
            assert_eq!(background.to_string(), shown);
            assert_eq!(shown.parse(), Ok(background), "what is recorded reads back the same");
        }
    }

    #[test]
    fn wrong_backgrounds_say_what_is_wrong_and_what_is_accepted() {
        for (text, wrong) in [
            ("", "missing"),
            (":red", "missing"),
            ("red:", "missing"),
            ("red:green:blue", "TOP:BOTTOM"),
            ("gren", "'gren' is no colour"),
            ("red:gren", "'gren' is no colour"),
            ("#12345", "3 or 6 hexadecimal digits"),
            ("#", "3 or 6 hexadecimal digits"),
            ("#ggg", "3 or 6 hexadecimal digits"),
            ("#ééé", "3 or 6 hexadecimal digits"),
            ("#ff000080", "3 or 6 hexadecimal digits"),
            ("transparent:red", "cannot end in transparent"),
        ] {
            let message = Background::from_str(text).unwrap_err().to_string();
            assert!(message.contains(wrong), "{text:?} gave {message:?}");
        }
    }

    #[test]
    fn transparent_parts_take_the_colour() {
        let picture = Picture::new(3, 1, vec![200, 0, 0, 255, 200, 0, 0, 100, 9, 9, 9, 0]).unwrap();
        let done = Background::Colour([0, 100, 255]).apply(&picture);
        assert_eq!(done.pixels(), [200, 0, 0, 255, 78, 61, 155, 255, 0, 100, 255, 255]);
        assert_eq!(Background::Transparent.apply(&picture), picture);
    }

    #[test]
    fn a_gradient_runs_from_top_to_bottom() {
        let gradient = Background::Gradient {
            top: [0, 255, 10],
            bottom: [255, 0, 10],
        };
        let rows: Vec<[u8; 4]> = (0..3)
            .filter_map(|y| gradient.apply(&Picture::filled(1, 3, [0; 4]).unwrap()).pixel(0, y))
            .collect();
        assert_eq!(rows, [[0, 255, 10, 255], [128, 128, 10, 255], [255, 0, 10, 255]]);
        let one = gradient.apply(&Picture::filled(1, 1, [0; 4]).unwrap());
        assert_eq!(one.pixels(), [0, 255, 10, 255]);
    }
}
