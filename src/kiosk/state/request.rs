//! A whole request for a picture, from a program, a phone or a broker instead of the buttons.

use super::shared::LONGEST;

/// A picture to draw. By default the prompt or the pack chooses the style, the settings the steps, and the seed is new.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrawRequest {
    prompt: String,
    style: Option<String>,
    steps: Option<usize>,
    seed: Option<u64>,
}

/// A prompt that no visitor could type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is nothing in it.
    #[error("the prompt is empty")]
    Empty,
    /// It is too long.
    #[error("the prompt has {0} characters; at most {LONGEST} are allowed")]
    TooLong(usize),
    /// It contains a control character, such as a line break.
    #[error("the prompt contains a control character (U+{:04X})", u32::from(*.0))]
    Control(char),
}

impl DrawRequest {
    /// A request for this prompt. Space around it is left out.
    ///
    /// # Errors
    /// If the prompt is empty, longer than 120 characters, or contains a control character.
    pub fn new(prompt: &str) -> Result<DrawRequest, RequestError> {
        let prompt = prompt.trim();
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
        Ok(DrawRequest {
            prompt: prompt.to_owned(),
            style: None,
            steps: None,
            seed: None,
        })
    }

    /// Sets the style by its name. The kiosk refuses a style that the pack or the settings do not offer.
    #[must_use]
    pub fn style(mut self, style: impl Into<String>) -> DrawRequest {
        self.style = Some(style.into());
        self
    }

    /// Sets the number of denoising steps, one of the pack's.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> DrawRequest {
        self.steps = Some(steps);
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> DrawRequest {
        self.seed = Some(seed);
        self
    }

    pub(super) fn prompt(&self) -> &str {
        &self.prompt
    }

    pub(super) fn style_name(&self) -> Option<&str> {
        self.style.as_deref()
    }

    pub(super) fn steps_or(&self, default: usize) -> usize {
        self.steps.unwrap_or(default)
    }

    pub(super) fn seed_or(&self, default: impl FnOnce() -> u64) -> u64 {
        self.seed.unwrap_or_else(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_what_a_visitor_could_type() {
        assert_eq!(DrawRequest::new("  red fox ").unwrap().prompt(), "red fox");
        assert_eq!(DrawRequest::new(" \n "), Err(RequestError::Empty));
        assert_eq!(DrawRequest::new("red\u{1b}[2J"), Err(RequestError::Control('\u{1b}')));
        assert!(DrawRequest::new(&"狐".repeat(LONGEST)).is_ok());
        let error = DrawRequest::new(&"狐".repeat(LONGEST + 1)).unwrap_err();
        assert_eq!(error.to_string(), "the prompt has 121 characters; at most 120 are allowed");
    }
}
