//! What a client is told when it does not get what it asked for: a status, a word for programs, a sentence for people. One file for all
//! interfaces, each of which has its own form of it. Depends on the errors of the pipeline and of picture files.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::kiosk::filter::Hit;
use crate::picture::{BackgroundError, ImageFileError, SketchError};
use crate::pipeline::PipelineError;

/// Why a request is refused or failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub status: StatusCode,
    /// For programs, such as `unknown_prompt`.
    pub kind: &'static str,
    /// For people, in English.
    pub message: String,
    /// The field of the request that is at fault.
    pub field: Option<String>,
    /// When to come back.
    pub retry_after: Option<Duration>,
    /// Names of things to ask for instead.
    pub nearest: Vec<String>,
}

impl Refusal {
    pub fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            kind,
            message: message.into(),
            field: None,
            retry_after: None,
            nearest: Vec::new(),
        }
    }

    /// A request that says something impossible.
    pub fn invalid(field: &str, problem: impl std::fmt::Display) -> Refusal {
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", format!("{field}: {problem}"));
        Refusal {
            field: Some(field.to_owned()),
            ..refusal
        }
    }

    pub fn not_found(what: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "not_found", what)
    }

    pub fn forbidden(why: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, "forbidden", why)
    }

    pub fn unavailable(why: impl Into<String>) -> Refusal {
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", why);
        refusal.retry_after(Duration::from_secs(20))
    }

    pub fn internal(problem: impl std::fmt::Display) -> Refusal {
        log::error!("remote: {problem}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", problem.to_string())
    }

    /// A picture that somebody has cancelled.
    pub fn cancelled() -> Refusal {
        Refusal::new(StatusCode::CONFLICT, "cancelled", "the picture was cancelled")
    }

    /// A prompt with a word that the owner does not want.
    pub fn blocked(hit: &Hit) -> Refusal {
        let message = format!("\"{}\" is not drawn here", hit.found);
        Refusal::new(StatusCode::FORBIDDEN, "blocked_word", message).of("prompt")
    }

    /// Too much at once.
    pub fn too_many(why: impl Into<String>, wait: Duration) -> Refusal {
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", why).retry_after(wait)
    }

    /// The same where an interface has another name for a field.
    #[must_use]
    pub fn renamed(mut self, field: &str, name: &str) -> Refusal {
        if self.field.as_deref() == Some(field) {
            self.message = self.message.replacen(field, name, 1);
            self.field = Some(name.to_owned());
        }
        self
    }

    /// Names the field at fault.
    #[must_use]
    pub fn of(mut self, field: &str) -> Refusal {
        self.field = Some(field.to_owned());
        self
    }

    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Refusal {
        self.retry_after = Some(wait);
        self
    }

    pub fn to_json(&self) -> Value {
        let mut error = json!({ "kind": self.kind, "message": self.message });
        if let Some(field) = &self.field {
            error["field"] = field.as_str().into();
        }
        if let Some(wait) = self.retry_after {
            error["retry_after"] = seconds(wait).into();
        }
        if !self.nearest.is_empty() {
            error["nearest"] = self.nearest.clone().into();
        }
        json!({ "error": error })
    }

    /// A response with this body, the status, and when to come back.
    pub fn response(&self, body: &Value) -> Response {
        let mut response = (self.status, json_response(body)).into_response();
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Whole seconds, at least one.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs_f64().ceil().max(1.0) as u64
}

/// A JSON body with its type.
pub fn json_response(body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, body.to_string()).into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.response(&self.to_json())
    }
}

impl From<PipelineError> for Refusal {
    fn from(error: PipelineError) -> Refusal {
        let message = error.to_string();
        match error {
            PipelineError::Interrupted => Refusal::cancelled(),
            PipelineError::UnknownPrompt { nearest, .. } => Refusal {
                nearest,
                ..Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_prompt", message).of("prompt")
            },
            error if error.is_input_fault() => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "impossible", message),
            _ => Refusal::internal(message),
        }
    }
}

impl From<BackgroundError> for Refusal {
    fn from(error: BackgroundError) -> Refusal {
        Refusal::invalid("background", error)
    }
}

impl From<SketchError> for Refusal {
    fn from(error: SketchError) -> Refusal {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "no_sketch", error.to_string()).of("from")
    }
}

impl Refusal {
    /// A picture in a request that is none.
    pub fn picture(field: &str, error: &ImageFileError) -> Refusal {
        // The error names the field as its file.
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", error.to_string()).of(field);
        match error {
            ImageFileError::TooLarge(_) => {
                let message = format!("{field}: the picture is too large: at most 16 million pixels are accepted");
                Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message).of(field)
            }
            _ => refusal,
        }
    }
}
