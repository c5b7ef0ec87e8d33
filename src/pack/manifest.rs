//! The pack's `pack.toml`: what the model is, how to run it, and which files it consists of.
//!
//! This file checks every value by itself. Which tables and ports a model needs depends on its family and is checked by
//! [`crate::pipeline`]. Unknown fields are errors, so that a misspelt field is not a silent default.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::PackError;
use crate::picture::Resampling;

/// The pack format that this version reads and writes.
pub const FORMAT: u32 = 2;
/// The manifest's file name in a pack's folder.
pub const MANIFEST: &str = "pack.toml";
/// The file with all graphs' external data.
pub const WEIGHTS: &str = "weights.bin";
/// Most steps of a picture with a noise schedule.
pub const MOST_STEPS: usize = 100;
/// Alignment of every tensor in the weights file, in bytes.
pub const ALIGNMENT: usize = 64;

/// A pack's manifest.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Manifest {
    /// Version of the pack format, [`FORMAT`].
    pub format: u32,
    /// Short name, also the usual name of the folder.
    pub name: String,
    /// Version of the model, as `major.minor.patch`.
    pub version: String,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// One sentence for `inkstone info`.
    pub description: String,
    /// The model family, such as `diffusion`: which stages, tables and port roles it needs. Absent for graphs that are only
    /// run stage by stage, for example to be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// The final picture; required by every family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<PictureShape>,
    /// How a prompt becomes tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Prompt>,
    /// How pictures are sampled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
    /// How latents become the decoder's input; absent for models that denoise pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latent: Option<Latent>,
    /// What the model was trained on; absent if the pack does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// What the graphs may need; absent for the defaults.
    #[serde(default, skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
    /// Drawing styles; empty if the model has none.
    #[serde(default)]
    pub styles: Vec<Style>,
    /// Graphs by stage; the family says which stages there are.
    pub stages: BTreeMap<String, Stage>,
    /// Every other file of the pack by its name.
    pub files: BTreeMap<String, FileRecord>,
}

impl Manifest {
    /// The manifest of one graph that belongs to no family, with the stage `model` and without files.
    pub fn of_graph(name: String, description: String, stage: Stage) -> Manifest {
        Manifest {
            format: FORMAT,
            name,
            version: "0.0.0".to_owned(),
            licence: "NOASSERTION".to_owned(),
            description,
            family: None,
            picture: None,
            prompt: None,
            sampling: None,
            latent: None,
            training: None,
            limits: Limits::default(),
            styles: Vec::new(),
            stages: BTreeMap::from([("model".to_owned(), stage)]),
            files: BTreeMap::new(),
        }
    }
}

/// Size and meaning of the decoded picture.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PictureShape {
    /// Width in pixels, 1 to 8192.
    pub width: u32,
    /// Height in pixels, 1 to 8192.
    pub height: u32,
    /// Channels and their meaning.
    pub channels: Channels,
}

impl PictureShape {
    /// Number of channels, height and width.
    pub fn planes(&self) -> [usize; 3] {
        [self.channels.count(), self.height as usize, self.width as usize]
    }
}

/// Meaning of the picture's channels; every channel is in [-1, 1].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// Brightness.
    Gray,
    /// Red, green, blue.
    Rgb,
    /// Red, green and blue multiplied by alpha, and alpha.
    RgbaPremultiplied,
}

impl Channels {
    /// Number of channels.
    pub fn count(self) -> usize {
        match self {
            Channels::Gray => 1,
            Channels::Rgb => 3,
            Channels::RgbaPremultiplied => 4,
        }
    }
}

/// How a prompt becomes the text encoder's input.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// File in the Hugging Face `tokenizers` format.
    pub tokenizer: String,
    /// The lexicon, by which prompts are read: a file that `inkstone-quantize` makes. Without one, prompts are encoded as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lexicon: Option<String>,
    /// Tokens that the text encoder takes, special tokens included (1 to 4096); longer prompts are truncated.
    pub max_tokens: usize,
    /// Longest prompt accepted, in characters.
    pub max_characters: usize,
    /// Token id that pads shorter prompts.
    pub padding: u32,
    /// Token id that pads shorter prompts for the stage `text_encoder_2`; `padding` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding_2: Option<u32>,
    /// Whether an empty negative prompt is not encoded but stands for zeros: `force_zeros_for_empty_prompt` in diffusers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_is_zero: bool,
    /// Languages of the training captions, as BCP 47 tags.
    pub languages: Vec<String>,
}

/// How pictures are sampled.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// What the denoiser predicts.
    pub prediction: Prediction,
    /// The scheduler that turns predictions into the next noisy picture or latent, such as `flow-euler`.
    pub scheduler: String,
    /// Default number of steps: one of the schedules, or any up to 100 with a noise schedule.
    pub default_steps: usize,
    /// Default guidance; 1 runs the denoiser once a step.
    pub default_guidance: f32,
    /// Largest guidance accepted; 1 where the model has no empty prompt.
    pub max_guidance: f32,
    /// For flows: times from 0 (noise) to 1 (picture), by number of steps: one more than there are steps, ascending.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schedules: BTreeMap<String, Vec<f32>>,
    /// For consistency models: standard deviations of the noise at each step, by number of steps, descending. The time that the model
    /// takes is this number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sigmas: BTreeMap<String, Vec<f32>>,
    /// For the other schedulers: how the model was trained, from which the times of any number of steps follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<NoiseSchedule>,
}

/// How much noise the model saw at each time while it was trained, and which times are used, as in the `scheduler_config.json` of
/// diffusers.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseSchedule {
    /// Times that the model was trained for, 1 to 10,000: `num_train_timesteps`.
    pub train_steps: usize,
    /// β of the first time, above 0 and below 1.
    pub beta_start: f64,
    /// β of the last time, from `beta_start` to below 1.
    pub beta_end: f64,
    /// How β grows between them.
    pub betas: Betas,
    /// Which times are used.
    pub spacing: Spacing,
    /// What is added to each time with leading spacing: `steps_offset`.
    #[serde(default)]
    pub offset: usize,
    /// Whether nothing of the noise is left behind the last step, not what the first time has: `set_alpha_to_one`.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub final_alpha_one: bool,
    /// Whether the last time is made pure noise: `rescale_betas_zero_snr` (Lin et al., arXiv 2305.08891).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub zero_terminal_snr: bool,
    /// Largest absolute value of an estimate, which is clipped to it: `clip_sample_range` where `clip_sample` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<f32>,
    /// Times of the model that a consistency model was distilled from, among which its own are chosen: `original_inference_steps`.
    #[serde(default = "NoiseSchedule::usual_original_steps")]
    pub original_steps: usize,
    /// Scale of the time in a consistency model's boundary condition: `timestep_scaling`.
    #[serde(default = "NoiseSchedule::usual_time_scaling")]
    pub time_scaling: f64,
}

/// How β grows over the times of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Betas {
    /// Evenly.
    Linear,
    /// Its square root grows evenly, as in Stable Diffusion.
    ScaledLinear,
    /// So that what is left of the picture follows a squared cosine (Nichol & Dhariwal, arXiv 2102.09672); `beta_start` and `beta_end` are
    /// not used.
    Cosine,
}

/// Which times of training are used in fewer steps (Lin et al., arXiv 2305.08891, table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// From 0 on, at equal distances, the last of training left out.
    Leading,
    /// From the last of training backwards, at equal distances.
    Trailing,
    /// The first and the last of training, and others evenly between them.
    Linspace,
}

/// What the denoiser predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prediction {
    /// The clean picture or latent (x-prediction; `sample` in diffusers).
    Picture,
    /// The velocity from noise to picture, for straight-line flows.
    Velocity,
    /// The noise (ε-prediction; Ho et al., arXiv 2006.11239).
    Epsilon,
    /// v: noise minus picture, each weighted by the other's share (Salimans & Ho, arXiv 2202.00512).
    V,
}

/// How the denoiser's latents relate to what the decoder takes: `decoder input = latent / scale + shift`, as in diffusers'
/// `scaling_factor` and `shift_factor`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Latent {
    /// Scaling factor, finite and not 0; 0.18215 for Stable Diffusion 1.x.
    pub scale: f32,
    /// Shift, finite; 0 for most models.
    #[serde(default)]
    pub shift: f32,
    /// The decoder for previews; without one there are none. A small decoder, such as TAESD, can be that and `decoder`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<PreviewDecoder>,
}

/// The stage that turns a step's estimate into a preview, with how its input relates to latents, as in [`Latent`].
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PreviewDecoder {
    /// The stage.
    pub stage: String,
    /// Scaling factor, finite and not 0.
    pub scale: f32,
    /// Shift, finite.
    #[serde(default)]
    pub shift: f32,
}

/// What the model was trained on.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// The index of training pictures, by which `inkstone explain` finds the nearest ones: a file of at most 8 MiB that
    /// `models/train/pictogram/similar.py` makes and describes. Its checksum is checked when it is read, not whenever the pack is opened.
    pub index: String,
}

/// What the graphs of a pack may need. A graph that needs more is refused when it is loaded, before anything is planned or allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Nodes of a graph, 1 to 65,536; 8,192 by default.
    #[serde(default = "Limits::default_nodes")]
    pub nodes: usize,
    /// Elements of a port, and of any other value of a graph, 1 to 2²⁹; 2²⁷ by default.
    #[serde(default = "Limits::default_elements")]
    pub elements: usize,
    /// Elements in memory at the same time while a stage runs, weights aside, 1 to 2³⁰; 2²⁸ (1 GiB of floats) by default.
    #[serde(default = "Limits::default_elements_at_once")]
    pub elements_at_once: usize,
}

/// A drawing style that prompts may name.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Style {
    /// Name for `--style`.
    pub name: String,
    /// Number that stages take at ports of role `style`.
    pub id: i64,
    /// Phrases that choose the style when a prompt contains them, such as `3d style`.
    #[serde(default)]
    pub words: Vec<String>,
    /// How pictures of this style are resized.
    #[serde(default, skip_serializing_if = "is_smooth")]
    pub resampling: Resampling,
    /// Whether this is the default style; true for one style at most.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
}

/// One graph of the pack.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The graph's file.
    pub graph: String,
    /// Inputs in the graph's order.
    pub inputs: Vec<Port>,
    /// Outputs in the graph's order.
    pub outputs: Vec<Port>,
}

/// An input or output of a graph.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Name in the graph.
    pub name: String,
    /// What the port means to the family; required in packs that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Element type.
    pub element: Element,
    /// Shape; all dimensions are fixed.
    pub shape: Vec<usize>,
    /// Smallest and largest value that the port takes or gives, inclusive; absent if there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
    /// What an input of role `condition` is given where a request does not name it; only for these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<f64>,
}

impl Port {
    /// A port without role, range and default.
    pub fn new(name: impl Into<String>, element: Element, shape: Vec<usize>) -> Port {
        Port {
            name: name.into(),
            role: None,
            element,
            shape,
            range: None,
            default: None,
        }
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// What a port means. An input is given the value of the same role that the request or an earlier stage supplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Role {
    /// Token ids of the prompt.
    Ids,
    /// The style's number.
    Style,
    /// The noisy picture or latent of a denoising step.
    Noisy,
    /// The time of a denoising step.
    Time,
    /// One row a token of the encoded text, for cross-attention.
    Context,
    /// The encoded text as one vector.
    Pooled,
    /// A first estimate of the picture, made by the text encoder.
    Draft,
    /// Strength of guidance, for models that take it as an input.
    Guidance,
    /// Size conditioning, as of SDXL.
    Size,
    /// A number that a request may give by the port's name. The only role that several ports of a stage may have.
    Condition,
    /// The mask of the part to be drawn.
    Mask,
    /// What a denoiser predicts.
    Prediction,
    /// A clean latent.
    Latent,
    /// A picture.
    Picture,
    /// The token before, of an autoregressive model.
    Token,
    /// Scores of the next token, of an autoregressive model.
    Logits,
    /// Keys and values, or other state that a stage hands on to its next run.
    State,
}

impl std::fmt::Display for Role {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(out)
    }
}

/// Element type of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// 32-bit float.
    F32,
    /// 64-bit signed integer.
    I64,
}

impl std::fmt::Display for Element {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(out)
    }
}

/// Size and checksum of one file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// Reads a manifest and checks every field. `file` is named in errors.
    ///
    /// # Errors
    /// If the text is not TOML, or a field is missing, unknown, mistyped or out of range.
    pub fn parse(text: &str, file: &Path) -> Result<Manifest, PackError> {
        let manifest: Manifest = toml::from_str(text).map_err(|error| PackError::Manifest {
            file: file.to_path_buf(),
            problem: error.to_string(),
        })?;
        manifest
            .check()
            .map_err(|(field, problem)| PackError::field(file, &field, problem))?;
        Ok(manifest)
    }

    /// The files that are read beside graphs and weights, by the manifest's field.
    pub fn companions(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let index = self.training.iter().map(|training| ("training.index", training.index.as_str()));
        self.prompt.iter().flat_map(Prompt::files).chain(index)
    }

    /// The first field with an invalid value, and what is wrong with it.
    fn check(&self) -> Result<(), Problem> {
        require(self.format == FORMAT, "format", || {
            format!(
                "{} is not {FORMAT}, the only format that this version reads; make the pack again with inkstone-quantize",
                self.format
            )
        })?;
        require(!self.name.trim().is_empty(), "name", || "must not be empty".into())?;
        self.limits.check()?;
        self.check_files()?;
        self.check_stages()?;
        self.check_styles()?;
        self.picture.as_ref().map_or(Ok(()), PictureShape::check)?;
        self.check_prompt()?;
        self.sampling.as_ref().map_or(Ok(()), Sampling::check)?;
        self.latent.as_ref().map_or(Ok(()), Latent::check)
    }

    fn check_files(&self) -> Result<(), Problem> {
        require(self.files.contains_key(WEIGHTS), "files", || format!("{WEIGHTS} is not listed"))?;
        for (name, record) in &self.files {
            let field = format!("files.{name}");
            let plain = Path::new(name)
                .components()
                .all(|part| matches!(part, std::path::Component::Normal(_)));
            require(plain && !name.is_empty(), &field, || {
                "must be a file name inside the pack's folder".into()
            })?;
            let digits = record.sha256.len() == 64 && record.sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            require(digits, &format!("{field}.sha256"), || {
                "must be 64 lower-case hexadecimal digits".into()
            })?;
        }
        Ok(())
    }

    fn check_listed(&self, name: &str, field: &str) -> Result<(), Problem> {
        require(self.files.contains_key(name), field, || {
            format!("'{name}' is not listed under files")
        })
    }

    fn check_stages(&self) -> Result<(), Problem> {
        require(!self.stages.is_empty(), "stages", || "there must be at least one".into())?;
        for (name, stage) in &self.stages {
            self.check_listed(&stage.graph, &format!("stages.{name}.graph"))?;
            for (kind, ports) in [("inputs", &stage.inputs), ("outputs", &stage.outputs)] {
                let field = format!("stages.{name}.{kind}");
                require(!ports.is_empty(), &field, || "there must be at least one".into())?;
                for port in ports {
                    let elements = port.shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
                    let most = self.limits.elements;
                    let fits = elements.is_some_and(|count| (1..=most).contains(&count));
                    require(fits, &field, || format!("'{}' must have 1 to {most} elements", port.name))?;
                    let ordered = port
                        .range
                        .is_none_or(|[low, high]| low.is_finite() && high.is_finite() && low <= high);
                    require(ordered, &field, || {
                        format!("the range of '{}' must be two finite numbers, the smaller first", port.name)
                    })?;
                    port.check_default(kind == "inputs")
                        .map_err(|problem| (field.clone(), format!("'{}' {problem}", port.name)))?;
                }
            }
        }
        Ok(())
    }

    fn check_styles(&self) -> Result<(), Problem> {
        let mut names = BTreeSet::new();
        for style in &self.styles {
            require(names.insert(style.name.to_lowercase()), "styles", || {
                format!("'{}' is listed twice", style.name)
            })?;
        }
        let defaults = self.styles.iter().filter(|style| style.default).count();
        require(defaults <= 1, "styles", || "more than one style is the default".into())
    }

    /// The prompt's limits, and that the files beside the graphs are listed.
    fn check_prompt(&self) -> Result<(), Problem> {
        for (field, name) in self.companions() {
            self.check_listed(name, field)?;
        }
        let Some(prompt) = &self.prompt else { return Ok(()) };
        require((1..=4096).contains(&prompt.max_tokens), "prompt.max_tokens", || {
            "must be between 1 and 4096".into()
        })?;
        require(prompt.max_characters >= 1, "prompt.max_characters", || "must be at least 1".into())
    }
}

impl Limits {
    /// The most that a manifest can ask for: what 64-bit and 32-bit systems can address.
    pub const LARGEST: Limits = Limits {
        nodes: 1 << 16,
        elements: if cfg!(target_pointer_width = "64") { 1 << 29 } else { 1 << 27 },
        elements_at_once: if cfg!(target_pointer_width = "64") { 1 << 30 } else { 1 << 28 },
    };

    fn default_nodes() -> usize {
        Limits::default().nodes
    }

    fn default_elements() -> usize {
        Limits::default().elements
    }

    fn default_elements_at_once() -> usize {
        Limits::default().elements_at_once
    }

    /// Whether these are the limits of a manifest that names none.
    pub fn is_default(&self) -> bool {
        *self == Limits::default()
    }

    /// The larger of each limit, so that graphs with these needs are accepted.
    #[must_use]
    pub fn including(self, needs: Limits) -> Limits {
        Limits {
            nodes: self.nodes.max(needs.nodes),
            elements: self.elements.max(needs.elements),
            elements_at_once: self.elements_at_once.max(needs.elements_at_once),
        }
    }

    fn check(&self) -> Result<(), Problem> {
        let fields = [
            ("nodes", self.nodes, Limits::LARGEST.nodes),
            ("elements", self.elements, Limits::LARGEST.elements),
            ("elements_at_once", self.elements_at_once, Limits::LARGEST.elements_at_once),
        ];
        fields.into_iter().try_for_each(|(field, value, most)| {
            require((1..=most).contains(&value), &format!("limits.{field}"), || {
                format!("must be between 1 and {most} on this system")
            })
        })
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            nodes: 8192,
            elements: 1 << 27,
            elements_at_once: 1 << 28,
        }
    }
}

impl PictureShape {
    /// Number of values: width × height × channels.
    pub fn elements(&self) -> usize {
        self.width as usize * self.height as usize * self.channels.count()
    }

    fn check(&self) -> Result<(), Problem> {
        for (field, side) in [("picture.width", self.width), ("picture.height", self.height)] {
            require((1..=8192).contains(&side), field, || format!("{side} is not between 1 and 8192"))?;
        }
        Ok(())
    }
}

impl Latent {
    fn check(&self) -> Result<(), Problem> {
        let preview = self
            .preview
            .as_ref()
            .map(|preview| ("latent.preview", preview.scale, preview.shift));
        for (field, scale, shift) in [("latent", self.scale, self.shift)].into_iter().chain(preview) {
            let valid = scale.is_finite() && scale != 0.0 && shift.is_finite();
            require(valid, field, || "scale and shift must be finite, and scale not 0".into())?;
        }
        Ok(())
    }
}

impl Port {
    /// A default belongs to inputs of role `condition`, which take it.
    fn check_default(&self, is_input: bool) -> Result<(), String> {
        let is_condition = is_input && self.role == Some(Role::Condition);
        match self.default {
            Some(default) if is_condition => self.check_value(default).map_err(|problem| format!("has a default that {problem}")),
            Some(_) => Err("has a default, which only inputs of role 'condition' have".to_owned()),
            None if is_condition => Err("has the role 'condition' and no default".to_owned()),
            None => Ok(()),
        }
    }

    /// Checks a number that all elements of the port are to have.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with the number's name.
    pub fn check_value(&self, value: f64) -> Result<(), String> {
        if !value.is_finite() {
            return Err("is not a finite number".to_owned());
        }
        if self.element == Element::I64 && value.fract() != 0.0 {
            return Err("is not a whole number".to_owned());
        }
        match self.range {
            Some([low, high]) if !(low..=high).contains(&value) => Err(format!("is not between {low} and {high}")),
            _ => Ok(()),
        }
    }
}

impl Prompt {
    /// The files that are read for a prompt, by the manifest's field.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let lexicon = self.lexicon.as_deref().map(|name| ("prompt.lexicon", name));
        std::iter::once(("prompt.tokenizer", self.tokenizer.as_str())).chain(lexicon)
    }
}

impl Sampling {
    /// The times of a number of steps, if the pack has such a schedule.
    pub fn schedule(&self, steps: usize) -> Option<&[f32]> {
        self.schedules.get(&steps.to_string()).map(Vec::as_slice)
    }

    /// The standard deviations of a number of steps, if the pack has such a schedule.
    pub fn sigmas(&self, steps: usize) -> Option<&[f32]> {
        self.sigmas.get(&steps.to_string()).map(Vec::as_slice)
    }

    /// The numbers of steps that the pack has schedules for, ascending; none with a noise schedule.
    pub fn steps(&self) -> Vec<usize> {
        let names = self.schedules.keys().chain(self.sigmas.keys());
        let mut steps: Vec<usize> = names.filter_map(|steps| steps.parse().ok()).collect();
        steps.sort_unstable();
        steps.dedup();
        steps
    }

    fn check(&self) -> Result<(), Problem> {
        for (steps, times) in &self.schedules {
            let field = format!("sampling.schedules.{steps}");
            require(step_count(steps, &field)? + 1 == times.len(), &field, || {
                "there must be one more time than steps".into()
            })?;
            let ascending = times.windows(2).all(|pair| pair[0] < pair[1]);
            let whole = times.first() == Some(&0.0) && times.last() == Some(&1.0);
            require(ascending && whole, &field, || "times must ascend from 0 to 1".into())?;
        }
        for (steps, sigmas) in &self.sigmas {
            let field = format!("sampling.sigmas.{steps}");
            require(step_count(steps, &field)? == sigmas.len(), &field, || {
                "there must be as many as steps".into()
            })?;
            let descending = sigmas.windows(2).all(|pair| pair[0] > pair[1]);
            let positive = sigmas.iter().all(|sigma| sigma.is_finite() && *sigma > 0.0);
            require(descending && positive, &field, || "must descend and be above 0".into())?;
        }
        let has_steps = self.schedule(self.default_steps).or(self.sigmas(self.default_steps)).is_some();
        let known = has_steps || self.noise.is_some() && (1..=MOST_STEPS).contains(&self.default_steps);
        require(known, "sampling.default_steps", || {
            format!("there is no schedule of {} steps", self.default_steps)
        })?;
        self.noise.as_ref().map_or(Ok(()), NoiseSchedule::check)?;
        let guidance = self.max_guidance.is_finite() && (0.0..=self.max_guidance).contains(&self.default_guidance);
        require(guidance, "sampling.default_guidance", || {
            "must be between 0 and max_guidance".into()
        })
    }
}

impl NoiseSchedule {
    fn usual_original_steps() -> usize {
        50
    }

    fn usual_time_scaling() -> f64 {
        10.0
    }

    fn check(&self) -> Result<(), Problem> {
        let steps = (1..=10_000).contains(&self.train_steps);
        require(steps, "sampling.noise.train_steps", || "must be between 1 and 10000".into())?;
        let betas = 0.0 < self.beta_start && self.beta_start <= self.beta_end && self.beta_end < 1.0;
        require(betas, "sampling.noise.beta_start", || {
            "must be above 0 and at most beta_end, and that below 1".into()
        })?;
        require(self.offset < self.train_steps, "sampling.noise.offset", || {
            "must be below train_steps".into()
        })?;
        let clip = self.clip.is_none_or(|clip| clip.is_finite() && clip > 0.0);
        require(clip, "sampling.noise.clip", || "must be a finite number above 0".into())?;
        let original = (1..=self.train_steps).contains(&self.original_steps);
        require(original, "sampling.noise.original_steps", || {
            "must be between 1 and train_steps".into()
        })?;
        let scaling = self.time_scaling.is_finite() && self.time_scaling > 0.0;
        require(scaling, "sampling.noise.time_scaling", || "must be a finite number above 0".into())
    }
}

fn yes() -> bool {
    true
}

fn is_smooth(resampling: &Resampling) -> bool {
    *resampling == Resampling::Smooth
}

/// The number of steps that a schedule is named by.
fn step_count(name: &str, field: &str) -> Result<usize, Problem> {
    let count = name.parse::<usize>().ok().filter(|&count| count > 0 && count.to_string() == name);
    count.ok_or_else(|| (field.to_owned(), "a schedule's name is its number of steps".into()))
}

/// A field's path and what is wrong with it.
type Problem = (String, String);

fn require(holds: bool, field: &str, problem: impl FnOnce() -> String) -> Result<(), Problem> {
    if holds { Ok(()) } else { Err((field.to_owned(), problem())) }
}
