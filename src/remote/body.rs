//! Bodies of requests: how large they may be, how long they may take, and what they must be. Depends on [`super::refusal`].

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http_body::Body as _;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::refusal::Refusal;
use crate::picture::{Picture, PictureFile, image_file};

/// Longest body in bytes: two pictures of several megabytes in base64.
pub const LONGEST: usize = 24 << 20;
/// Longest body of a request without pictures.
pub const LONGEST_TEXT: usize = 64 << 10;
/// How long a body may take to arrive.
const TIME: Duration = Duration::from_secs(30);
/// Most pixels of a picture that is sent: 16 Mi, 64 MiB of memory.
const MAX_PIXELS: u64 = 16 << 20;

/// A whole body, or why there is none. Each interface tells the latter in its own form.
pub struct Whole(Result<Arrived, Refusal>);

/// A body, and its share of what all bodies may have together for as long as it is here.
struct Arrived {
    bytes: Bytes,
    _share: SemaphorePermit<'static>,
}

impl<S: Send + Sync> FromRequest<S> for Whole {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Whole, Infallible> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        // A page of another origin can send other types without being asked about it first.
        let is_json = kind.is_some_and(|kind| {
            kind.split(';')
                .next()
                .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
        });
        if !is_json {
            let problem = "the body must be JSON: send Content-Type: application/json";
            return Ok(Whole(Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                problem,
            ))));
        }
        Ok(Whole(whole(request.into_body(), LONGEST).await))
    }
}

impl Whole {
    /// What the JSON says.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Refusal> {
        let invalid = |problem: &dyn std::fmt::Display| {
            let message = format!("the body is not the JSON that is expected: {problem}");
            Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", message)
        };
        let arrived = self.0?;
        // A list would be taken for the fields in their order.
        if arrived.bytes.trim_ascii_start().first() == Some(&b'[') {
            return Err(invalid(&"it must be an object, { … }"));
        }
        serde_json::from_slice(&arrived.bytes).map_err(|error| invalid(&error))
    }
}

/// KiB that all bodies may have together.
const TOGETHER: usize = 72 << 10;
static ROOM: Semaphore = Semaphore::const_new(TOGETHER);
/// How long a body waits for others.
const WAIT: Duration = Duration::from_secs(5);

/// A share of the room for bodies: as much as a body says that it has, or could have.
async fn share(says: Option<usize>, longest: usize) -> Result<SemaphorePermit<'static>, Refusal> {
    if says.is_some_and(|length| length > longest) {
        return Err(too_large(longest));
    }
    let length = u32::try_from(says.unwrap_or(longest).div_ceil(1 << 10)).unwrap_or(u32::MAX);
    match tokio::time::timeout(WAIT, ROOM.acquire_many(length)).await {
        Ok(Ok(share)) => Ok(share),
        _ => Err(Refusal::unavailable("too many pictures are being sent to this server")),
    }
}

fn too_large(longest: usize) -> Refusal {
    let message = format!("the body is larger than {longest} bytes");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}

/// A whole body.
async fn whole(body: Body, longest: usize) -> Result<Arrived, Refusal> {
    let says = body.size_hint().upper().and_then(|length| usize::try_from(length).ok());
    let share = share(says, longest).await?;
    let bytes = arrived(body, longest).await?;
    Ok(Arrived { bytes, _share: share })
}

async fn arrived(body: Body, longest: usize) -> Result<Bytes, Refusal> {
    let arrived = tokio::time::timeout(TIME, to_bytes(body, longest)).await;
    match arrived {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            let is_long = std::error::Error::source(&error).is_some_and(|source| source.to_string().contains("length limit"));
            if is_long {
                Err(too_large(longest))
            } else {
                Err(Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "invalid_request",
                    "the body did not arrive whole",
                ))
            }
        }
        Err(_) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            "the body took too long to arrive",
        )),
    }
}

/// A form with files (RFC 7578): names and contents.
pub struct Form(Result<Vec<(String, Bytes)>, Refusal>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Form, Infallible> {
        Ok(Form(Form::read(request, state).await))
    }
}

/// Most fields of a form.
const MOST_FIELDS: usize = 64;

impl Form {
    async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Vec<(String, Bytes)>, Refusal> {
        let invalid =
            |error: &dyn std::fmt::Display| Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", format!("the form: {error}"));
        let (parts, body) = request.into_parts();
        let Arrived { bytes, _share } = whole(body, LONGEST).await?;
        let request = Request::from_parts(parts, Body::from(bytes));
        let mut form = Multipart::from_request(request, state).await.map_err(|error| {
            let message = format!("the body must be a form with files: {}", error.body_text());
            Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
        })?;
        let mut fields = Vec::new();
        while let Some(field) = form.next_field().await.map_err(|error| invalid(&error))? {
            let name = field.name().unwrap_or_default().to_owned();
            if fields.len() == MOST_FIELDS {
                return Err(invalid(&"it has too many fields"));
            }
            fields.push((name, field.bytes().await.map_err(|error| invalid(&error))?));
        }
        Ok(fields)
    }

    pub fn fields(self) -> Result<Vec<(String, Bytes)>, Refusal> {
        self.0
    }
}

/// A picture in base64, as it is or as a `data:` address.
pub fn picture_of_base64(field: &str, text: &str) -> Result<PictureFile, Refusal> {
    let text = match text.strip_prefix("data:") {
        Some(rest) => rest.split_once(";base64,").map(|(_, data)| data).unwrap_or_default(),
        None => text,
    };
    let text: String = text.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(&text).or_else(|_| STANDARD_NO_PAD.decode(&text));
    let bytes = bytes.map_err(|error| Refusal::invalid(field, format!("a picture must be given in base64: {error}")))?;
    picture(field, &bytes)
}

/// A picture of a file's bytes.
pub fn picture(field: &str, bytes: &[u8]) -> Result<PictureFile, Refusal> {
    image_file::from_bytes(bytes, field.as_ref(), MAX_PIXELS).map_err(|error| Refusal::picture(field, &error))
}

/// What may change of a picture, where transparent pixels of another say so (as OpenAI's masks do): white is drawn anew.
pub fn mask_of_alpha(picture: &Picture) -> Result<Picture, Refusal> {
    let pixels = picture.pixels().chunks_exact(4).flat_map(|pixel| {
        let anew = 255 - pixel[3];
        [anew, anew, anew, 255]
    });
    Picture::new(picture.width(), picture.height(), pixels.collect()).map_err(Refusal::internal)
}
