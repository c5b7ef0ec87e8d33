//! A display mode as text: a size, with or without a refresh rate.

use std::fmt;
use std::str::FromStr;

use embedded_graphics::prelude::Size;

/// A requested display mode: `1280x720`, or `1280x720@50` with a refresh rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModeRequest {
    /// Width and height in pixels.
    pub size: Size,
    /// Refresh rate in Hz; any if absent.
    pub rate: Option<u32>,
}

/// Largest width and height, in pixels: a frame of both takes 768 MiB.
const MAX_SIDE: u32 = 16_384;

/// Text that is not a display mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a display mode; write 1280x720 or 1280x720@50, with sides from 1 to {MAX_SIDE} pixels")]
pub struct ModeRequestError(String);

impl FromStr for ModeRequest {
    type Err = ModeRequestError;

    fn from_str(text: &str) -> Result<ModeRequest, ModeRequestError> {
        let parse = || {
            let (size, rate) = text.split_once('@').map_or((text, None), |(size, rate)| (size, Some(rate)));
            let (width, height) = size.split_once('x')?;
            let side = |text: &str| text.parse().ok().filter(|side| (1..=MAX_SIDE).contains(side));
            let size = Size::new(side(width)?, side(height)?);
            let rate = rate.map(str::parse).transpose().ok()?;
            Some(ModeRequest { size, rate })
        };
        parse().ok_or_else(|| ModeRequestError(text.to_owned()))
    }
}

impl TryFrom<String> for ModeRequest {
    type Error = ModeRequestError;

    fn try_from(text: String) -> Result<ModeRequest, ModeRequestError> {
        text.parse()
    }
}

impl From<ModeRequest> for String {
    fn from(request: ModeRequest) -> String {
        request.to_string()
    }
}

impl fmt::Display for ModeRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}x{}", self.size.width, self.size.height)?;
        self.rate.map_or(Ok(()), |rate| write!(formatter, "@{rate}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_parsed_and_formatted() {
        for text in ["800x480", "1280x720@50"] {
            assert_eq!(text.parse::<ModeRequest>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "800",
            "800x",
            "x480",
            "800x480@",
            "800x480@sixty",
            "800×480",
            "-1x4",
            "0x0",
            "800x0",
            "16385x1",
        ] {
            let error = text.parse::<ModeRequest>().unwrap_err().to_string();
            assert!(error.contains("1280x720@50"), "{error}");
        }
    }
}
