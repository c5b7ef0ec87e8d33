//! Our own interface, `/api/v1`: jobs with progress, the gallery, the panel, other frames. `openapi.json` beside this file describes it, which a test
//! compares with the routes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{From, address, admit, apart, submit as submit_wish};
use crate::kiosk::language::Language;
use crate::kiosk::state::{FinishedPicture, Scene, Shown};
use crate::picture::image_file::{self, Format};
use crate::picture::{Picture, Provenance};
use crate::pipeline::random_seed;
use crate::remote::body::Whole;
use crate::remote::frames::pass_on;
use crate::remote::offer::Offer;
use crate::remote::parameters::{Path, Query};
use crate::remote::queue::{Finished, Job, Status};
use crate::remote::refusal::{Refusal, json_response};
use crate::remote::site::Site;
use crate::remote::wish::{MOST_PARTS, Wish, in_range};

/// The description of this interface.
pub const OPENAPI: &str = include_str!("openapi.json");
/// Pictures of the gallery that are listed at once.
const PAGE: usize = 60;
/// The shortest time between two events of a stream: a fast machine makes more steps than anybody can see.
const BETWEEN: Duration = Duration::from_millis(200);
/// Streams of a job after which that time doubles, then triples, and so on: many streams do not slow the drawing down.
const CROWD: usize = 64;
/// How often a client that watches hears that the server is there.
const ALIVE: Duration = Duration::from_secs(15);

/// What this server is and draws.
pub async fn about(State(site): State<Arc<Site>>) -> Response {
    let offer = site.offer();
    let (remote, waiting) = (&site.settings.remote, site.queue.waiting());
    json_response(&json!({
        "name": site.name,
        "version": env!("CARGO_PKG_VERSION"),
        "url": site.place.url(),
        "has_display": site.kiosk.is_some(),
        "language": site.settings.language.tag(),
        "style_names": offer.as_ref().map(style_names),
        "offer": offer,
        "waiting": waiting,
        "seconds_a_picture": site.queue.pace().map(|pace| pace.as_secs_f64()),
        "limits": {
            "at_once": remote.at_once,
            "per_minute": remote.per_minute,
            "max_size": remote.max_size,
            "waiting": remote.waiting,
            "visitors": remote.visitors,
        },
    }))
}

/// What the styles are called, by language and style.
fn style_names(offer: &Offer) -> Value {
    let of = |language: Language| {
        offer
            .styles
            .iter()
            .map(|style| (style.clone(), language.name(style).into()))
            .collect::<Map<_, Value>>()
    };
    Language::ALL
        .into_iter()
        .map(|language| (language.tag().to_owned(), of(language).into()))
        .collect::<Map<_, Value>>()
        .into()
}

pub async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// Asks for pictures.
pub async fn submit(State(site): State<Arc<Site>>, from: From, headers: HeaderMap, body: Whole) -> Result<Response, Refusal> {
    admit(&site, &from, &headers)?;
    let job = submit_wish(&site, &from, &headers, body.json()?).await?;
    let place = format!("/api/v1/jobs/{}", job.id);
    let answer = json_response(&job_json(&site, &job, &job.status()));
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)], answer).into_response())
}

pub async fn job(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let job = site.queue.find(&id)?;
    Ok(json_response(&job_json(&site, &job, &job.status())))
}

pub async fn cancel(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let job = site.queue.find(&id)?;
    site.queue.cancel(&job);
    Ok(json_response(&job_json(&site, &job, &job.status())))
}

/// A job as it is told.
pub fn job_json(site: &Site, job: &Job, status: &Status) -> Value {
    let pictures: Vec<Value> = status
        .pictures
        .iter()
        .enumerate()
        .map(|(index, finished)| picture_json(job, index, finished))
        .collect();
    let waits = site.queue.pace().map(|pace| pace.as_secs_f64() * status.position as f64);
    json!({
        "id": job.id,
        "state": status.state.name(),
        "reason": status.reason,
        "position": status.position,
        "seconds_until_begun": (!status.state.is_over() && status.position > 0).then_some(waits),
        "count": job.order.count,
        "picture": status.at,
        "step": status.done,
        "steps": status.of,
        "pictures": pictures,
        "notes": status.notes,
        "error": status.refusal.as_ref().map(|refusal| refusal.to_json()["error"].clone()),
    })
}

fn picture_json(job: &Job, index: usize, finished: &Finished) -> Value {
    let record = &finished.provenance;
    json!({
        "url": format!("/api/v1/jobs/{}/pictures/{index}", job.id),
        "width": finished.picture.width(),
        "height": finished.picture.height(),
        "prompt": record.prompt,
        "style": record.style,
        "steps": record.steps,
        "seed": record.seed,
        "sha256": record.picture_sha256,
        "notes": finished.notes,
        "number": finished.number,
    })
}

/// How far a job is, as events, until it is over.
pub async fn events(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let job = site.queue.find(&id)?;
    let mut watch = job.watch();
    watch.mark_changed();
    let steps = unfold(Some((site, job, watch, Instant::now())), |watching| async move {
        let (site, job, mut watch, due) = watching?;
        watch.changed().await.ok()?;
        // The end is told at once.
        tokio::time::timeout_at(due, watch.wait_for(|status| status.state.is_over()))
            .await
            .ok();
        let (is_over, version) = {
            let status = watch.borrow_and_update();
            (status.state.is_over(), status.version)
        };
        let text = job.told(version, |status| event_text(&site, &job, status));
        let event = Event::default().event("status").data(&*text);
        let next = (!is_over).then(|| {
            let crowd = u32::try_from(job.watchers() / CROWD).unwrap_or(u32::MAX);
            (site, job, watch, Instant::now() + BETWEEN * crowd.saturating_add(1))
        });
        Some((Ok(event), next))
    });
    Ok(Sse::new(steps).keep_alive(KeepAlive::new().interval(ALIVE)))
}

fn event_text(site: &Site, job: &Job, status: &Status) -> String {
    let mut value = job_json(site, job, status);
    if let Some(preview) = &status.preview {
        value["preview"] = data_address(preview).into();
    }
    value.to_string()
}

fn data_address(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

/// In which format a picture is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureQuery {
    format: Option<String>,
    background: Option<String>,
}

pub async fn picture(
    State(site): State<Arc<Site>>,
    Path((id, index)): Path<(String, usize)>,
    Query(query): Query<PictureQuery>,
) -> Result<Response, Refusal> {
    let job = site.queue.find(&id)?;
    let finished = finished(&job, index)?;
    if query.format.is_none() && query.background.is_none() {
        return Ok(file(Format::Png, finished.file.clone(), &finished.provenance));
    }
    apart(move || in_format(&finished.picture, &finished.provenance, &query)).await?
}

fn finished(job: &Job, index: usize) -> Result<Arc<Finished>, Refusal> {
    let pictures = job.status().pictures;
    let found = pictures.get(index).cloned();
    found.ok_or_else(|| Refusal::not_found("this picture is not drawn yet, or there is none"))
}

fn in_format(picture: &Picture, provenance: &Provenance, query: &PictureQuery) -> Result<Response, Refusal> {
    let name = query.format.as_deref().unwrap_or("png");
    let format = Format::for_writing(format!("picture.{name}").as_ref())
        .map_err(|_| Refusal::invalid("format", format!("'{name}' is not png, jpeg or webp")))?;
    let mut drawn = picture.clone();
    let mut provenance = provenance.clone();
    // JPEG has no transparency.
    let white = (!format.has_alpha()).then(|| "white".to_owned());
    if let Some(background) = query.background.clone().or(white) {
        let background: crate::picture::Background = background.parse()?;
        drawn = background.apply(picture);
        provenance.background = background.to_string();
        provenance.picture_sha256 = drawn.sha256();
    }
    let bytes = image_file::to_bytes(&drawn, format, Some(&provenance)).map_err(Refusal::internal)?;
    Ok(file(format, bytes, &provenance))
}

/// A picture's file, whose name is letters and digits of the prompt alone.
fn file(format: Format, bytes: Vec<u8>, provenance: &Provenance) -> Response {
    let name: String = provenance
        .prompt
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == ' ')
        .collect();
    let name: String = name.split_whitespace().collect::<Vec<_>>().join("-").chars().take(60).collect();
    let name = if name.is_empty() { "picture".to_owned() } else { name };
    let kind = format.media_type();
    let extension = kind.rsplit('/').next().unwrap_or("png");
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("inline; filename=\"{name}.{extension}\"")),
    ];
    (headers, bytes).into_response()
}

/// Shows a picture of a job on the panel: whoever asked for several chooses one.
pub async fn show(State(site): State<Arc<Site>>, Path((id, index)): Path<(String, usize)>) -> Result<StatusCode, Refusal> {
    let job = site.queue.find(&id)?;
    let finished = finished(&job, index)?;
    show_on_panel(&site, crate::remote::queue::shown(&finished), finished.number)
}

/// Shows a picture on the panel, unless that would interrupt somebody.
pub fn show_on_panel(site: &Site, picture: FinishedPicture, number: Option<u64>) -> Result<StatusCode, Refusal> {
    let kiosk = site.kiosk.as_ref().ok_or_else(no_display)?;
    let view = kiosk.subscribe().latest();
    if view.is_some_and(|view| !view.scene.gives_way()) {
        let message = "the picture was not shown: somebody is using the panel, or it is off";
        return Err(Refusal::new(StatusCode::CONFLICT, "panel_busy", message));
    }
    let sent = kiosk.show(picture, number);
    sent.map_err(|error| Refusal::unavailable(error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Keeps a picture of a job in the gallery, if it is not there yet.
pub async fn keep(State(site): State<Arc<Site>>, Path((id, index)): Path<(String, usize)>) -> Result<Response, Refusal> {
    let job = site.queue.find(&id)?;
    let finished = finished(&job, index)?;
    let keeping = site.clone();
    let number = apart(move || job.keep(index, &finished, &keeping.gallery)).await??;
    if let Some(kiosk) = &site.kiosk {
        kiosk.gallery_changed().ok();
    }
    Ok(json_response(&json!({ "number": number })))
}

pub fn no_display() -> Refusal {
    Refusal::new(StatusCode::CONFLICT, "no_display", "this server has no display")
}

/// Which pictures of the gallery.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GalleryQuery {
    before: Option<u64>,
    limit: Option<usize>,
    #[serde(default)]
    favourites: bool,
}

pub async fn gallery(State(site): State<Arc<Site>>, Query(query): Query<GalleryQuery>) -> Result<Response, Refusal> {
    let most = in_range("limit", query.limit.unwrap_or(PAGE), 1, PAGE)?;
    let pictures = site.gallery.clone();
    let (count, listed) = apart(move || pictures.list(query.before, most, query.favourites)).await?;
    Ok(json_response(&json!({ "count": count, "pictures": listed })))
}

pub async fn kept(State(site): State<Arc<Site>>, Path(number): Path<u64>) -> Result<Response, Refusal> {
    let pictures = site.gallery.clone();
    let bytes = apart(move || pictures.file(number)).await??;
    // A number may be given to another picture after the gallery was emptied.
    let headers = [(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "private, max-age=600")];
    Ok((headers, bytes).into_response())
}

/// A picture that a visitor takes home.
pub async fn take_home(State(site): State<Arc<Site>>, Path(code): Path<String>) -> Result<Response, Refusal> {
    let waiting = site.links.find(&code);
    let waiting = waiting.ok_or_else(|| Refusal::not_found("this address no longer works: scan a new code on the panel"))?;
    apart(move || {
        let bytes = crate::picture::png::encode(&waiting.picture, Some(&waiting.provenance)).map_err(Refusal::internal)?;
        Ok(file(Format::Png, bytes, &waiting.provenance))
    })
    .await?
}

/// What the panel shows.
pub async fn panel(State(site): State<Arc<Site>>) -> Result<Response, Refusal> {
    let kiosk = site.kiosk.as_ref().ok_or_else(no_display)?;
    let view = kiosk.subscribe().latest();
    let shown = view.as_ref().and_then(|view| shown(&view.scene));
    Ok(json_response(&json!({
        "scene": view.as_ref().map(|view| scene_name(&view.scene)),
        "title": shown.map(|shown| &shown.title),
        "style": shown.map(|shown| &shown.style),
        "legends": view.as_ref().map(|view| &view.legends),
        "notice": view.as_ref().and_then(|view| view.notice.as_ref()),
        "picture": shown.map(|_| "/api/v1/panel/picture"),
    })))
}

pub async fn panel_picture(State(site): State<Arc<Site>>) -> Result<Response, Refusal> {
    let kiosk = site.kiosk.as_ref().ok_or_else(no_display)?;
    let view = kiosk.subscribe().latest();
    let picture = view.as_ref().and_then(|view| shown(&view.scene)).map(|shown| shown.picture.clone());
    let picture = picture.ok_or_else(|| Refusal::not_found("the panel shows no picture"))?;
    apart(move || {
        let bytes = crate::picture::png::encode(&picture, None).map_err(Refusal::internal)?;
        Ok(([(header::CONTENT_TYPE, "image/png")], bytes).into_response())
    })
    .await?
}

/// The main picture of a scene.
pub fn shown(scene: &Scene) -> Option<&Shown> {
    match scene {
        Scene::Attract { shown, coming, .. } => coming.as_ref().map(|(shown, _)| shown).or(shown.as_ref()),
        Scene::Choose { sketch, .. } => sketch.as_ref().map(|(shown, _)| shown),
        Scene::Drawing { pictures, at, .. } => pictures.get(*at)?.as_ref(),
        Scene::Four { pictures, at, .. } => pictures.get(at.unwrap_or(0)),
        Scene::Picture { shown, .. } => Some(shown),
        _ => None,
    }
}

fn scene_name(scene: &Scene) -> &'static str {
    match scene {
        Scene::Dark => "asleep",
        Scene::Attract { .. } => "slide show",
        Scene::Drawing { .. } => "drawing",
        Scene::Four { .. } | Scene::Picture { .. } => "picture",
        Scene::Code(_) => "code",
        Scene::Message { .. } => "message",
        _ => "choosing",
    }
}

pub async fn frames(State(site): State<Arc<Site>>) -> Response {
    json_response(&json!({ "frames": site.frames.list() }))
}

/// A wish for several frames: the same on all, or one picture that goes over all of them in a row.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FramesWish {
    wish: serde_json::Map<String, Value>,
    /// Their names from left to right; all by default.
    frames: Option<Vec<String>>,
    #[serde(default)]
    panorama: bool,
}

pub async fn submit_to_frames(State(site): State<Arc<Site>>, from: From, headers: HeaderMap, body: Whole) -> Result<Response, Refusal> {
    // Counted and checked once for all, before any of them is asked.
    admit(&site, &from, &headers)?;
    let asked: FramesWish = body.json()?;
    let known = site.frames.list();
    let chosen = match &asked.frames {
        None => known.clone(),
        Some(names) => {
            let find = |name: &String| {
                let found = known.iter().find(|frame| frame.name == *name).cloned();
                found.ok_or_else(|| Refusal::invalid("frames", format!("there is no frame '{name}'")))
            };
            names.iter().map(find).collect::<Result<_, _>>()?
        }
    };
    let most = if asked.panorama { MOST_PARTS as usize } else { known.len() };
    in_range("frames", chosen.len(), 1, most)?;
    if let Some(twice) = chosen.iter().enumerate().find(|(index, frame)| chosen[..*index].contains(frame)) {
        return Err(Refusal::invalid("frames", format!("'{}' is there twice", twice.1.name)));
    }
    let mut wish = asked.wish;
    // All frames draw the same.
    wish.entry("seed").or_insert_with(|| random_seed().into());
    let own: Wish = serde_json::from_value(wish.clone().into()).map_err(|error| Refusal::invalid("wish", error))?;
    let (is_owner, asking) = (site.access.is_owner(&headers), address(&from));
    let checking = site.clone();
    let check = own.clone();
    apart(move || check.order(&checking, asking, is_owner)).await??;
    let mut answers = Vec::new();
    for (index, frame) in chosen.iter().enumerate() {
        if asked.panorama {
            wish.insert("part".into(), (index + 1).into());
            wish.insert("of".into(), chosen.len().into());
        }
        let value = Value::from(wish.clone());
        let answer = match frame.address {
            Some(address) => pass_on(address, "/api/v1/jobs", &value).await,
            None => {
                let wish: Wish = serde_json::from_value(value).map_err(|error| Refusal::invalid("wish", error))?;
                let job = submit_wish(&site, &from, &headers, wish).await;
                job.map(|job| job_json(&site, &job, &job.status()))
                    .map_err(|refusal| refusal.message)
            }
        };
        answers.push(match answer {
            Ok(job) => json!({ "frame": frame, "job": job }),
            Err(problem) => json!({ "frame": frame, "error": problem }),
        });
    }
    let is_asked = answers.iter().any(|answer| answer["error"].is_null());
    let status = if is_asked { StatusCode::ACCEPTED } else { StatusCode::BAD_GATEWAY };
    Ok((status, json_response(&json!({ "frames": answers }))).into_response())
}
