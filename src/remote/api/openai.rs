//! OpenAI's interface: `/v1/images/generations`, `/v1/images/edits`, `/v1/models`. Fields that it has and a model here has no use for (`quality`,
//! `moderation`, `user`, …) are accepted; values that would change the result and cannot be had are refused.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{From, admit, apart, awaited, drawn};
use crate::picture::image_file::{self, Format};
use crate::remote::body::{Form, Whole, mask_of_alpha, picture};
use crate::remote::canvas::Canvas;
use crate::remote::parameters::Path;
use crate::remote::queue::{Finished, Status};
use crate::remote::refusal::{Refusal, json_response};
use crate::remote::site::{AwaitedJob, Site};
use crate::remote::wish::{Wish, source};

/// A refusal in the form that OpenAI's clients read.
pub struct OpenAiRefusal(Refusal);

impl<E: Into<Refusal>> std::convert::From<E> for OpenAiRefusal {
    fn from(error: E) -> OpenAiRefusal {
        let refusal = error.into().renamed("count", "n");
        OpenAiRefusal(refusal.renamed("width", "size").renamed("height", "size"))
    }
}

impl IntoResponse for OpenAiRefusal {
    fn into_response(self) -> Response {
        self.0.response(&body(&self.0))
    }
}

fn body(refusal: &Refusal) -> Value {
    let kind = match refusal.status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    };
    json!({ "error": {
        "message": refusal.message,
        "type": kind,
        "param": refusal.field,
        "code": refusal.kind,
    }})
}

/// What a client asks for. Unknown fields are those of other models.
#[derive(Deserialize)]
pub struct Generation {
    prompt: String,
    n: Option<u32>,
    size: Option<String>,
    background: Option<String>,
    output_format: Option<String>,
    response_format: Option<String>,
    style: Option<String>,
    #[serde(default)]
    stream: bool,
    partial_images: Option<u32>,
    /// Not OpenAI's: other servers of this interface take them.
    seed: Option<i64>,
    steps: Option<usize>,
    negative_prompt: Option<String>,
    strength: Option<f32>,
}

/// How the pictures are sent.
#[derive(Clone)]
struct Answer {
    format: Format,
    canvas: Option<Canvas>,
    as_url: bool,
    background: &'static str,
}

impl Generation {
    /// What is drawn, and how it is sent.
    fn read(&self, site: &Site) -> Result<(Wish, Answer), Refusal> {
        let name = self.output_format.as_deref().unwrap_or("png");
        let format = match name {
            "png" => Format::Png,
            "jpeg" => Format::Jpeg,
            "webp" => Format::WebP,
            other => return Err(Refusal::invalid("output_format", format!("'{other}' is not png, jpeg or webp"))),
        };
        let background = match self.background.as_deref().unwrap_or("auto") {
            "transparent" if format.has_alpha() => "transparent",
            "transparent" => return Err(Refusal::invalid("background", "JPEG has no transparency: use png or webp")),
            "opaque" => "opaque",
            "auto" if format.has_alpha() => "transparent",
            "auto" => "opaque",
            other => {
                return Err(Refusal::invalid(
                    "background",
                    format!("'{other}' is not transparent, opaque or auto"),
                ));
            }
        };
        let as_url = match self.response_format.as_deref() {
            None | Some("b64_json") => false,
            Some("url") => true,
            Some(other) => return Err(Refusal::invalid("response_format", format!("'{other}' is not url or b64_json"))),
        };
        let canvas = match self.size.as_deref().filter(|size| *size != "auto") {
            Some(size) => Some(Canvas::of(size, site.settings.remote.max_size)?),
            None => None,
        };
        let offer = site.offer();
        let shape = offer.as_ref().map_or((1, 1), |offer| (offer.width, offer.height));
        // `vivid` and `natural` are styles of a model of OpenAI's.
        let is_ours = |style: &&String| offer.as_ref().is_some_and(|offer| offer.styles.contains(style));
        let wish = Wish {
            prompt: self.prompt.split_whitespace().collect::<Vec<_>>().join(" "),
            style: self.style.as_ref().filter(is_ours).cloned(),
            count: Some(self.n.unwrap_or(1)),
            size: canvas.map(|canvas| canvas.side(shape)),
            background: (background == "opaque").then(|| "white".to_owned()),
            seed: self.seed.map(i128::from),
            steps: self.steps,
            negative: self.negative_prompt.clone(),
            show: Some(false),
            keep: Some(false),
            ..Wish::default()
        };
        let answer = Answer {
            format,
            canvas,
            as_url,
            background,
        };
        Ok((wish, answer))
    }
}

pub async fn generations(State(site): State<Arc<Site>>, from: From, headers: HeaderMap, whole: Whole) -> Result<Response, OpenAiRefusal> {
    admit(&site, &from, &headers)?;
    let asked: Generation = whole.json()?;
    let (wish, answer) = asked.read(&site)?;
    if asked.stream {
        let partial = asked.partial_images.unwrap_or(0);
        let awaited = awaited(&site, &from, &headers, wish).await?;
        return Ok(stream(awaited, answer, partial, "image_generation").into_response());
    }
    let status = drawn(&site, &from, &headers, wish).await?;
    Ok(answered(&site, &status, answer).await?)
}

/// A picture that is changed: all of it, or where a mask is transparent.
pub async fn edits(State(site): State<Arc<Site>>, from: From, headers: HeaderMap, form: Form) -> Result<Response, OpenAiRefusal> {
    admit(&site, &from, &headers)?;
    let (wish, answer) = {
        let (site, fields) = (site.clone(), form.fields()?);
        apart(move || edit(&site, &fields)).await??
    };
    let status = drawn(&site, &from, &headers, wish).await?;
    Ok(answered(&site, &status, answer).await?)
}

fn edit(site: &Site, fields: &[(String, Bytes)]) -> Result<(Wish, Answer), Refusal> {
    let mut values = serde_json::Map::new();
    let (mut image, mut mask) = (None, None);
    for (name, bytes) in fields {
        match name.as_str() {
            "image" | "image[]" if image.is_some() => return Err(Refusal::invalid("image", "one picture is changed at a time")),
            "image" | "image[]" => image = Some(picture("image", bytes)?),
            "mask" => mask = Some(picture("mask", bytes)?),
            _ => {
                let text = std::str::from_utf8(bytes).map_err(|_| Refusal::invalid(name, "is not UTF-8 text"))?;
                // Numbers of a form are texts.
                let value = match name.as_str() {
                    "n" | "seed" | "steps" | "strength" | "partial_images" | "stream" => {
                        serde_json::from_str(text).map_err(|_| Refusal::invalid(name, format!("'{text}' is no number")))?
                    }
                    _ => Value::from(text),
                };
                values.insert(name.clone(), value);
            }
        }
    }
    let image = image.ok_or_else(|| Refusal::invalid("image", "is missing"))?;
    let asked: Generation = serde_json::from_value(values.into()).map_err(|error| Refusal::invalid("form", error))?;
    if asked.stream {
        return Err(Refusal::invalid("stream", "edits are not streamed"));
    }
    let (wish, answer) = asked.read(site)?;
    let start = source(site, "image", image, false)?;
    let start = match mask {
        Some(mask) => start
            .strength(asked.strength.unwrap_or(1.0))
            .mask(mask_of_alpha(&site.smaller(mask.picture)?)?),
        None => {
            let usual = start.strength;
            start.strength(asked.strength.unwrap_or(usual))
        }
    };
    let wish = Wish {
        source: Some(start),
        ..wish
    };
    Ok((wish, answer))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

async fn answered(site: &Arc<Site>, status: &Status, answer: Answer) -> Result<Response, Refusal> {
    let (site, pictures) = (site.clone(), status.pictures.clone());
    let data = apart(move || {
        let entry = |finished: &Arc<Finished>| entry(&site, finished, &answer);
        let data: Vec<Value> = pictures.iter().map(entry).collect::<Result<_, _>>()?;
        Ok::<_, Refusal>(json!({
            "created": now(),
            "data": data,
            "background": answer.background,
            "output_format": answer.format.media_type().trim_start_matches("image/"),
        }))
    });
    Ok(json_response(&data.await??))
}

fn entry(site: &Site, finished: &Finished, answer: &Answer) -> Result<Value, Refusal> {
    let drawn_as = finished.provenance.drawn_as();
    let mut entry = json!({});
    if let Some(drawn) = drawn_as {
        entry["revised_prompt"] = drawn.into();
    }
    if answer.as_url {
        let path = site.links.path(&crate::remote::queue::shown(finished));
        let path = path.ok_or_else(|| Refusal::internal("no address could be made"))?;
        entry["url"] = format!("{}{path}", site.place.url()).into();
    } else {
        entry["b64_json"] = STANDARD.encode(file(finished, answer)?).into();
    }
    Ok(entry)
}

fn file(finished: &Finished, answer: &Answer) -> Result<Vec<u8>, Refusal> {
    let whole = match answer.canvas {
        Some(canvas) => Some(canvas.fill(&finished.picture, &finished.provenance)?),
        None => None,
    };
    let (picture, provenance) = match &whole {
        Some((picture, provenance)) => (picture, provenance),
        None => (&*finished.picture, &*finished.provenance),
    };
    image_file::to_bytes(picture, answer.format, Some(provenance)).map_err(Refusal::internal)
}

/// Pictures as they are drawn, as events: `partial` estimates of each, then the picture.
fn stream(awaited: AwaitedJob, answer: Answer, partial: u32, kind: &'static str) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    struct Streaming {
        _awaited: AwaitedJob,
        watch: tokio::sync::watch::Receiver<Status>,
        answer: Answer,
        left: u32,
        sent: usize,
        index: u32,
        is_over: bool,
    }
    let event = |name: String, value: &Value| Ok(Event::default().event(name).data(value.to_string()));
    let mut watch = awaited.job().watch();
    watch.mark_changed();
    let streaming = Streaming {
        _awaited: awaited,
        watch,
        answer,
        left: partial.min(3),
        sent: 0,
        index: 0,
        is_over: false,
    };
    let events = unfold(streaming, move |mut own| async move {
        loop {
            if own.is_over {
                return None;
            }
            own.watch.changed().await.ok()?;
            let status = own.watch.borrow_and_update().clone();
            if let Some(finished) = status.pictures.get(own.sent).cloned() {
                own.sent += 1;
                // Later pictures may be there already.
                own.watch.mark_changed();
                let bytes = file(&finished, &own.answer);
                let value = match bytes {
                    Ok(bytes) => json!({
                        "type": format!("{kind}.completed"),
                        "b64_json": STANDARD.encode(bytes),
                        "created_at": now(),
                        "background": own.answer.background,
                        "output_format": own.answer.format.media_type().trim_start_matches("image/"),
                    }),
                    Err(refusal) => body(&refusal),
                };
                return Some((event(format!("{kind}.completed"), &value), own));
            }
            if let Some(refusal) = &status.refusal {
                own.is_over = true;
                let value = body(refusal);
                return Some((event("error".into(), &value), own));
            }
            if status.state.is_over() {
                return None;
            }
            if let Some(preview) = status.preview.filter(|_| own.left > 0) {
                own.left -= 1;
                let value = json!({
                    "type": format!("{kind}.partial_image"),
                    "b64_json": STANDARD.encode(&*preview),
                    "created_at": now(),
                    "partial_image_index": own.index,
                    "background": own.answer.background,
                    "output_format": "png",
                });
                own.index += 1;
                return Some((event(format!("{kind}.partial_image"), &value), own));
            }
        }
    });
    Sse::new(events)
}

pub async fn models(State(site): State<Arc<Site>>) -> Response {
    let models: Vec<Value> = site.offer().iter().map(|offer| model_json(&offer.pack)).collect();
    json_response(&json!({ "object": "list", "data": models }))
}

pub async fn model(State(site): State<Arc<Site>>, Path(name): Path<String>) -> Result<Response, OpenAiRefusal> {
    match site.offer().filter(|offer| offer.pack == name) {
        Some(offer) => Ok(json_response(&model_json(&offer.pack))),
        None => Err(Refusal::not_found("there is no such model here").into()),
    }
}

fn model_json(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": 0, "owned_by": "inkstone" })
}
