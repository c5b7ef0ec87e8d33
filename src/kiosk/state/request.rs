//! Whole requests for pictures, from a program, a phone or a broker instead of the buttons: which ones the kiosk accepts.

use super::shared::LONGEST;
use crate::picture::Background;
use crate::pipeline::Request;

/// A [`Request`] that the kiosk accepts: its prompt could have been typed, and it leaves to the owner's settings what only they
/// decide. By default the prompt or the pack chooses the style, the settings the steps, and the seed is new. A style that the
/// pack or the settings do not offer is refused when it is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawRequest(Box<Request>);

/// Why the kiosk does not accept a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The prompt has no words.
    #[error("the prompt is empty")]
    Empty,
    /// The prompt is too long.
    #[error("the prompt has {0} characters; at most {LONGEST} are allowed")]
    TooLong(usize),
    /// The prompt contains a control character, such as a line break.
    #[error("the prompt contains a control character (U+{:04X})", u32::from(*.0))]
    Control(char),
    /// It sets something that the kiosk's settings decide.
    #[error("a request to the kiosk cannot set {0}: its settings do")]
    Fixed(&'static str),
}

impl TryFrom<&Request> for DrawRequest {
    type Error = RequestError;

    /// Checks a request. Space around its prompt is left out.
    fn try_from(request: &Request) -> Result<DrawRequest, RequestError> {
        let prompt = request.prompt.trim();
        let length = prompt.chars().count();
        if length == 0 {
            return Err(RequestError::Empty);
        }
        if length > LONGEST {
            return Err(RequestError::TooLong(length));
        }
        if let Some(control) = prompt.chars().find(|letter| letter.is_control()) {
            return Err(RequestError::Control(control));
        }
        let fixed = [
            ("the guidance", request.guidance.is_some()),
            ("a negative prompt", request.negative.is_some()),
            ("the size", request.size.is_some()),
            ("the background", request.background != Background::Transparent),
            ("several prompts", !request.parts.is_empty()),
            ("a variation", !request.variations.is_empty()),
            ("a picture to start from", request.source.is_some()),
        ];
        if let Some((field, _)) = fixed.into_iter().find(|(_, is_set)| *is_set) {
            return Err(RequestError::Fixed(field));
        }
        let mut request = request.clone();
        request.prompt = prompt.to_owned();
        Ok(DrawRequest(Box::new(request)))
    }
}

impl DrawRequest {
    pub(super) fn prompt(&self) -> &str {
        &self.0.prompt
    }

    pub(super) fn style_name(&self) -> Option<&str> {
        self.0.style.as_deref()
    }

    pub(super) fn steps_or(&self, default: usize) -> usize {
        self.0.steps.unwrap_or(default)
    }

    pub(super) fn seed_or(&self, default: impl FnOnce() -> u64) -> u64 {
        self.0.seed.unwrap_or_else(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: Request) -> Result<DrawRequest, RequestError> {
        DrawRequest::try_from(&request)
    }

    #[test]
    fn prompts_are_what_a_visitor_could_type() {
        assert_eq!(check(Request::new("  red fox ")).unwrap().prompt(), "red fox");
        assert_eq!(check(Request::new(" \n ")), Err(RequestError::Empty));
        assert_eq!(check(Request::new("red\u{1b}[2J")), Err(RequestError::Control('\u{1b}')));
        assert!(check(Request::new("狐".repeat(LONGEST))).is_ok());
        let error = check(Request::new("狐".repeat(LONGEST + 1))).unwrap_err();
        assert_eq!(error.to_string(), "the prompt has 121 characters; at most 120 are allowed");
    }

    #[test]
    fn what_the_settings_decide_cannot_be_requested() {
        for request in [
            Request::new("fox").guidance(2.0),
            Request::new("fox").negative("red"),
            Request::new("fox").size(512),
            Request::new("fox").background(Background::Colour([0; 3])),
            Request::new("fox").variation(3, 0.5),
        ] {
            assert!(matches!(check(request), Err(RequestError::Fixed(_))));
        }
    }
}
