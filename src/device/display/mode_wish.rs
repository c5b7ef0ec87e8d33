//! A size as text, with or without a rate: what is asked of a display.

use std::fmt;
use std::str::FromStr;

use embedded_graphics::prelude::Size;

/// A mode asked for, as `1280x720` or `1280x720@50`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModeWish {
    /// Width and height in pixels.
    pub size: Size,
    /// Frames a second.
    pub rate: Option<u32>,
}

/// Text that is no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no display mode; write one as 1280x720 or 1280x720@50")]
pub struct ModeWishError(String);

impl FromStr for ModeWish {
    type Err = ModeWishError;

    fn from_str(text: &str) -> Result<ModeWish, ModeWishError> {
        let parse = || {
            let (size, rate) = text.split_once('@').map_or((text, None), |(size, rate)| (size, Some(rate)));
            let (width, height) = size.split_once('x')?;
            let size = Size::new(width.parse().ok()?, height.parse().ok()?);
            let rate = rate.map(str::parse).transpose().ok()?;
            Some(ModeWish { size, rate })
        };
        parse().ok_or_else(|| ModeWishError(text.to_owned()))
    }
}

impl TryFrom<String> for ModeWish {
    type Error = ModeWishError;

    fn try_from(text: String) -> Result<ModeWish, ModeWishError> {
        text.parse()
    }
}

impl From<ModeWish> for String {
    fn from(wish: ModeWish) -> String {
        wish.to_string()
    }
}

impl fmt::Display for ModeWish {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}x{}", self.size.width, self.size.height)?;
        self.rate.map_or(Ok(()), |rate| write!(formatter, "@{rate}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_and_written() {
        for text in ["800x480", "1280x720@50"] {
            assert_eq!(text.parse::<ModeWish>().unwrap().to_string(), text);
        }
        for text in ["", "800", "800x", "x480", "800x480@", "800x480@sixty", "800×480", "-1x4"] {
            let error = text.parse::<ModeWish>().unwrap_err().to_string();
            assert!(error.contains("1280x720@50"), "{error}");
        }
    }
}
