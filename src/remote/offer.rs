//! What the pack offers, as clients are told. Depends on the pipeline and the kiosk's drawing settings.

use serde::Serialize;

use crate::kiosk::drawing_worker::WorkerSettings;
use crate::pipeline::Pipeline;

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Offer {
    /// Name of the pack.
    pub pack: String,
    pub version: String,
    /// SHA-256 of its manifest.
    pub sha256: String,
    pub styles: Vec<String>,
    /// The style where neither request nor prompt chooses one.
    pub style: Option<String>,
    pub steps: Vec<usize>,
    pub default_steps: usize,
    pub default_guidance: f32,
    pub max_guidance: f32,
    pub width: u32,
    pub height: u32,
    /// Whether it draws on pictures.
    pub takes_pictures: bool,
    pub has_negative: bool,
    pub has_prompt: bool,
    /// The scheduler.
    pub scheduler: String,
}

impl Offer {
    pub fn of(pipeline: &Pipeline, settings: &WorkerSettings) -> Offer {
        let (manifest, can) = (pipeline.pack().manifest(), pipeline.capabilities());
        let is_offered = |name: &&str| settings.styles.is_empty() || settings.styles.iter().any(|style| style == name);
        let names = pipeline.styles().iter().map(|style| style.name.as_str()).filter(is_offered);
        let default = pipeline.styles().iter().find(|style| style.default).map(|style| style.name.clone());
        Offer {
            pack: manifest.name.clone(),
            version: manifest.version.clone(),
            sha256: pipeline.pack().sha256().to_owned(),
            styles: names.map(str::to_owned).collect(),
            style: settings.style.clone().or(default),
            steps: can.steps.clone(),
            default_steps: settings.steps.unwrap_or(can.default_steps),
            default_guidance: settings.guidance.unwrap_or(can.default_guidance),
            max_guidance: can.max_guidance,
            width: can.width,
            height: can.height,
            takes_pictures: can.takes_pictures,
            has_negative: can.has_negative,
            has_prompt: can.has_prompt,
            scheduler: scheduler(pipeline),
        }
    }
}

fn scheduler(pipeline: &Pipeline) -> String {
    let sampling = pipeline.pack().manifest().sampling.as_ref();
    sampling.map_or_else(|| "none".into(), |sampling| sampling.scheduler.to_string())
}
