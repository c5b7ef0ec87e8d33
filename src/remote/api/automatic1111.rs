//! AUTOMATIC1111's interface, `/sdapi/v1`. Its clients send dozens of fields of one program: those that mean something here are used, the rest is
//! accepted. Steps, guidance and sizes that the pack does not have become the nearest that it has; what was done is in `parameters` and `info`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{From, address, admit, apart, drawn};
use crate::picture::{Picture, parameters, png};
use crate::pipeline::Variation;
use crate::process::Memory;
use crate::remote::body::{Whole, picture_of_base64};
use crate::remote::canvas::Canvas;
use crate::remote::offer::Offer;
use crate::remote::parameters::Query;
use crate::remote::queue::{Finished, Status};
use crate::remote::refusal::{Refusal, json_response};
use crate::remote::site::Site;
use crate::remote::wish::{Wish, source};

/// A refusal in the form that its clients read.
pub struct WebUiRefusal(Refusal);

impl<E: Into<Refusal>> std::convert::From<E> for WebUiRefusal {
    fn from(error: E) -> WebUiRefusal {
        WebUiRefusal(error.into().renamed("count", "batch_size"))
    }
}

impl IntoResponse for WebUiRefusal {
    fn into_response(self) -> Response {
        let Refusal { kind, message, .. } = &self.0;
        self.0
            .response(&json!({ "error": kind, "detail": message, "body": "", "errors": message }))
    }
}

/// The size that its clients have in mind where they name none.
const SIDE: u32 = 512;

/// What a client asks for.
#[derive(Deserialize)]
#[serde(default)]
pub struct Asked {
    prompt: String,
    negative_prompt: String,
    styles: Option<Vec<String>>,
    seed: i64,
    subseed: i64,
    subseed_strength: f32,
    batch_size: u32,
    n_iter: u32,
    steps: Option<usize>,
    cfg_scale: Option<f32>,
    width: u32,
    height: u32,
    init_images: Vec<String>,
    denoising_strength: Option<f32>,
    mask: Option<String>,
    inpainting_mask_invert: Option<u8>,
    enable_hr: bool,
    send_images: bool,
}

impl Default for Asked {
    fn default() -> Asked {
        Asked {
            prompt: String::new(),
            negative_prompt: String::new(),
            styles: None,
            seed: -1,
            subseed: -1,
            subseed_strength: 0.0,
            batch_size: 1,
            n_iter: 1,
            steps: None,
            cfg_scale: None,
            width: SIDE,
            height: SIDE,
            init_images: Vec::new(),
            denoising_strength: None,
            mask: None,
            inpainting_mask_invert: None,
            enable_hr: false,
            send_images: true,
        }
    }
}

/// The nearest number of steps that the pack has.
fn nearest_steps(asked: usize, known: &[usize]) -> usize {
    known.iter().copied().min_by_key(|steps| steps.abs_diff(asked)).unwrap_or(asked)
}

impl Asked {
    /// What is drawn, on which canvas, and what differs from what was asked for.
    fn read(&self, site: &Site, is_from_picture: bool) -> Result<(Wish, Canvas, Vec<String>), Refusal> {
        let offer = site.offer().ok_or_else(|| Refusal::unavailable("the pack is not open yet"))?;
        let canvas = Canvas::new(self.width, self.height, site.settings.remote.max_size)?;
        let mut notes = Vec::new();
        let steps = self.steps.map(|steps| nearest_steps(steps, &offer.steps));
        if let (Some(asked), Some(steps)) = (self.steps, steps)
            && asked != steps
        {
            notes.push(format!("drawn in {steps} steps: this model has none of {asked}"));
        }
        let guidance = self.cfg_scale.filter(|scale| (0.0..=offer.max_guidance).contains(scale));
        if let (Some(asked), None) = (self.cfg_scale, guidance) {
            notes.push(format!(
                "drawn with a guidance of {}: this model has none of {asked}",
                offer.default_guidance
            ));
        }
        let varies = self.subseed_strength > 0.0;
        let variation = Variation::new(
            u64::try_from(self.subseed).unwrap_or_else(|_| crate::pipeline::random_seed()),
            self.subseed_strength,
        );
        let (known, unknown): (Vec<&String>, Vec<&String>) = self.styles.iter().flatten().partition(|style| offer.styles.contains(style));
        let style = known.first().copied().cloned();
        notes.extend(unknown.iter().map(|style| format!("there is no style '{}' here", short(style))));
        if self.enable_hr {
            notes.push("drawn in one pass, at width and height: there is no hires fix".to_owned());
        }
        let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut wish = Wish {
            prompt: line(&self.prompt),
            negative: Some(line(&self.negative_prompt)),
            style,
            steps,
            guidance,
            seed: Some(self.seed.max(-1).into()),
            variations: if varies { vec![variation] } else { Vec::new() },
            count: Some(self.batch_size.saturating_mul(self.n_iter)),
            size: Some(canvas.side((offer.width, offer.height))),
            // Its prompts have brackets of emphasis.
            literal: Some(false),
            show: Some(false),
            keep: Some(false),
            ..Wish::default()
        };
        if is_from_picture {
            wish.source = Some(self.source(site)?);
        }
        Ok((wish, canvas, notes))
    }

    fn source(&self, site: &Site) -> Result<crate::pipeline::Source, Refusal> {
        let [image] = self.init_images.as_slice() else {
            return Err(Refusal::invalid("init_images", "must have one picture"));
        };
        let start = source(site, "init_images", picture_of_base64("init_images", image)?, false)?;
        let start = start.strength(self.denoising_strength.unwrap_or(0.75));
        let Some(mask) = &self.mask else { return Ok(start) };
        let mask = site.smaller(picture_of_base64("mask", mask)?.picture)?;
        Ok(start.mask(if self.inpainting_mask_invert.unwrap_or(0) == 1 {
            inverted(&mask)?
        } else {
            mask
        }))
    }
}

/// The beginning of a client's text.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

fn inverted(mask: &Picture) -> Result<Picture, Refusal> {
    let pixel = |pixel: &[u8]| [255 - pixel[0], 255 - pixel[1], 255 - pixel[2], pixel[3]];
    let pixels = mask.pixels().chunks_exact(4).flat_map(pixel).collect();
    Picture::new(mask.width(), mask.height(), pixels).map_err(Refusal::internal)
}

pub async fn txt2img(site: State<Arc<Site>>, from: From, headers: HeaderMap, whole: Whole) -> Result<Response, WebUiRefusal> {
    draw(site, from, headers, whole, false).await
}

pub async fn img2img(site: State<Arc<Site>>, from: From, headers: HeaderMap, whole: Whole) -> Result<Response, WebUiRefusal> {
    draw(site, from, headers, whole, true).await
}

async fn draw(
    State(site): State<Arc<Site>>,
    from: From,
    headers: HeaderMap,
    whole: Whole,
    is_from_picture: bool,
) -> Result<Response, WebUiRefusal> {
    admit(&site, &from, &headers)?;
    let parameters: Value = whole.json()?;
    // Some clients send null for what they leave open.
    let mut given = parameters.clone();
    if let Some(fields) = given.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let asked: Asked = serde_json::from_value(given).map_err(|error| Refusal::invalid("body", error))?;
    let reading = site.clone();
    let (asked, (wish, canvas, notes)) = apart(move || {
        let read = asked.read(&reading, is_from_picture)?;
        Ok::<_, Refusal>((asked, read))
    })
    .await??;
    let status = drawn(&site, &from, &headers, wish).await?;
    let images = asked.send_images;
    let answer = apart(move || answer(&status, canvas, parameters, notes, images)).await??;
    Ok(json_response(&answer))
}

/// The answer; `info` is a text of JSON.
fn answer(status: &Status, canvas: Canvas, mut parameters: Value, mut notes: Vec<String>, has_images: bool) -> Result<Value, Refusal> {
    let mut images = Vec::new();
    let mut texts = Vec::new();
    for finished in &status.pictures {
        let (picture, provenance) = canvas.fill(&finished.picture, &finished.provenance)?;
        if has_images {
            let bytes = png::encode(&picture, Some(&provenance)).map_err(Refusal::internal)?;
            images.push(STANDARD.encode(bytes));
        }
        texts.push(parameters::write(&provenance));
        notes.extend(finished.notes.iter().filter_map(|note| note["message"].as_str()).map(str::to_owned));
    }
    // What was sent to start from is not sent back.
    if let Some(sent) = parameters.as_object_mut() {
        sent.insert("init_images".into(), Value::Null);
        sent.insert("mask".into(), Value::Null);
    }
    Ok(json!({
        "images": images,
        "parameters": parameters,
        "info": info(&status.pictures, &texts, &notes).to_string(),
    }))
}

fn info(pictures: &[Arc<Finished>], texts: &[String], notes: &[String]) -> Value {
    let records: Vec<_> = pictures.iter().map(|finished| &finished.provenance).collect();
    let first = records.first();
    let seeds: Vec<u64> = records.iter().map(|record| record.seed).collect();
    let prompts: Vec<&String> = records.iter().map(|record| &record.prompt).collect();
    json!({
        "prompt": first.map(|record| &record.prompt),
        "all_prompts": prompts,
        "negative_prompt": first.and_then(|record| record.negative.clone()).unwrap_or_default(),
        "seed": first.map(|record| record.seed),
        "all_seeds": seeds,
        "width": first.map(|record| record.size[0]),
        "height": first.map(|record| record.size[1]),
        "sampler_name": "Euler",
        "cfg_scale": first.map(|record| record.guidance),
        "steps": first.map(|record| record.steps),
        "batch_size": pictures.len(),
        "sd_model_name": first.map(|record| &record.pack_name),
        "sd_model_hash": first.map(|record| record.pack_sha256.chars().take(10).collect::<String>()),
        "infotexts": texts,
        "notes": notes,
        "version": format!("inkstone {}", env!("CARGO_PKG_VERSION")),
    })
}

#[derive(Deserialize)]
pub struct ProgressQuery {
    #[serde(default)]
    skip_current_image: bool,
}

/// How far the picture is that is being drawn. A preview comes only of one's own.
pub async fn progress(State(site): State<Arc<Site>>, from: From, headers: HeaderMap, Query(query): Query<ProgressQuery>) -> Response {
    let running = site.queue.running();
    let status = running.as_ref().map(|job| job.status());
    let count = running.as_ref().map_or(0, |job| job.order.count);
    let (at, done, of) = status.as_ref().map_or((0, 0, 0), |status| (status.at, status.done, status.of));
    let share = if of == 0 { 0.0 } else { done as f64 / of as f64 };
    let progress = if count == 0 { 0.0 } else { (at as f64 + share) / count as f64 };
    let left = site
        .queue
        .pace()
        .map_or(0.0, |pace| pace.as_secs_f64() * (1.0 - progress) * count as f64);
    let is_own = running
        .as_ref()
        .is_some_and(|job| job.order.from == address(&from) || site.access.is_owner(&headers));
    let preview = status.as_ref().and_then(|status| status.preview.as_ref());
    let preview = preview.filter(|_| is_own && !query.skip_current_image);
    json_response(&json!({
        // Clients take 0 for nothing to do.
        "progress": if count > 0 { progress.max(0.01) } else { 0.0 },
        "eta_relative": left,
        "state": {
            "skipped": false,
            "interrupted": false,
            "stopping_generation": false,
            "job": running.as_ref().map_or("", |_| "drawing"),
            "job_count": site.queue.waiting() + usize::from(running.is_some()),
            "job_timestamp": "0",
            "job_no": at,
            "sampling_step": done,
            "sampling_steps": of,
        },
        "current_image": preview.map(|png| STANDARD.encode(&**png)),
        "textinfo": status.as_ref().and_then(|status| status.reason),
    }))
}

/// Cancels what is being drawn, if this client or the owner asks.
pub async fn interrupt(State(site): State<Arc<Site>>, from: From, headers: HeaderMap) -> Result<Response, WebUiRefusal> {
    if let Some(job) = site.queue.running() {
        if job.order.from != address(&from) && !site.access.is_owner(&headers) {
            return Err(Refusal::forbidden("somebody else's picture is being drawn").into());
        }
        site.queue.cancel(&job);
    }
    Ok(json_response(&json!({})))
}

fn title(offer: &Offer) -> String {
    format!("{} [{}]", offer.pack, offer.sha256.chars().take(10).collect::<String>())
}

pub async fn options(State(site): State<Arc<Site>>) -> Response {
    let offer = site.offer();
    json_response(&json!({
        "sd_model_checkpoint": offer.as_ref().map(title),
        "sd_checkpoint_hash": offer.as_ref().map(|offer| &offer.sha256),
        "samples_format": "png",
        "CLIP_stop_at_last_layers": 1,
    }))
}

/// Nothing can be set here but the model that there is.
pub async fn set_options(State(site): State<Arc<Site>>, whole: Whole) -> Result<Response, WebUiRefusal> {
    let asked: serde_json::Map<String, Value> = whole.json()?;
    let model = asked.get("sd_model_checkpoint").and_then(Value::as_str);
    let offer = site.offer();
    let is_known = |name: &str| {
        let known = offer.as_ref().map(|offer| [offer.pack.clone(), title(offer)]);
        known.is_some_and(|known| known.iter().any(|known| known == name))
    };
    match model {
        Some(name) if !is_known(name) => {
            Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", format!("there is no model '{name}' here")).into())
        }
        _ => Ok(json_response(&Value::Null)),
    }
}

pub async fn models(State(site): State<Arc<Site>>) -> Response {
    let models: Vec<Value> = site
        .offer()
        .iter()
        .map(|offer| {
            json!({
                "title": title(offer),
                "model_name": offer.pack,
                "hash": offer.sha256.chars().take(10).collect::<String>(),
                "sha256": offer.sha256,
                "filename": offer.pack,
                "config": null,
            })
        })
        .collect();
    json_response(&models.into())
}

/// The one that the pack was made for, by the name that clients ask for first.
pub async fn samplers(State(site): State<Arc<Site>>) -> Response {
    let own = site.offer().map_or_else(|| "none".to_owned(), |offer| offer.scheduler);
    json_response(&json!([
        { "name": "Euler", "aliases": ["euler", own], "options": {} },
        { "name": "Euler a", "aliases": ["euler_a"], "options": {} },
    ]))
}

pub async fn schedulers() -> Response {
    json_response(&json!([{ "name": "automatic", "label": "Automatic", "aliases": null, "default_rho": -1, "need_inner_model": false }]))
}

/// The pack's styles.
pub async fn prompt_styles(State(site): State<Arc<Site>>) -> Response {
    let styles: Vec<Value> = site
        .offer()
        .iter()
        .flat_map(|offer| &offer.styles)
        .map(|style| json!({ "name": style, "prompt": "", "negative_prompt": "" }))
        .collect();
    json_response(&styles.into())
}

pub async fn memory() -> Response {
    let memory = Memory::now();
    json_response(&json!({ "ram": { "used": memory.map(Memory::resident_bytes) }, "cuda": {} }))
}

#[derive(Deserialize)]
pub struct PngInfo {
    image: String,
}

/// What a picture says made it.
pub async fn png_info(State(site): State<Arc<Site>>, from: From, headers: HeaderMap, whole: Whole) -> Result<Response, WebUiRefusal> {
    admit(&site, &from, &headers)?;
    let asked: PngInfo = whole.json()?;
    let read = apart(move || picture_of_base64("image", &asked.image)).await??;
    let text = read.provenance.as_ref().map(parameters::write).unwrap_or_default();
    Ok(json_response(
        &json!({ "info": text, "items": { "parameters": text }, "parameters": {} }),
    ))
}
