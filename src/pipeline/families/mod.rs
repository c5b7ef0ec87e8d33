//! Model families: how a pack's stages make a picture from a resolved request. One file and one row of [`FAMILIES`] each.
//!
//! A family checks a manifest before anything is loaded, and then generates: it supplies each port by its role, tells [`Run`]
//! after every phase, and returns one picture for each object of the prompt. Everything around that (prompt, style, size,
//! background, notes, provenance) belongs to [`Pipeline`](super::Pipeline). Depends on the engine and the pack.

mod diffusion;
mod ports;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

pub use ports::{Supply, Values, check_indices, check_stage, run_stage, run_stage_watched, run_stage_with};

use super::attention::AttentionMaps;
use super::generated::PhaseTime;
use super::observer::{Observer, Phase, Progress};
use super::{Options, PipelineError, Resolved};
use crate::engine::{Engine, EngineError};
use crate::pack::{Element, Manifest, Pack, PackError, Port, Role};
use crate::picture::Picture;

/// A family that manifests may name.
#[derive(Clone, Copy)]
pub struct FamilyEntry {
    /// Its name in the manifest's `family`.
    pub name: &'static str,
    /// Checks that the manifest has the tables, stages and port roles that the family needs, and nothing that it does not
    /// supply. `file` is the manifest's, for errors.
    pub check: fn(manifest: &Manifest, file: &Path) -> Result<Capabilities, PackError>,
    /// The family with a checked pack. Loads no stage yet.
    pub open: OpenFamily,
}

/// Opens a family with a checked pack.
pub type OpenFamily = fn(pack: Arc<Pack>, options: &Options) -> Result<Box<dyn Family>, PackError>;

/// Every family.
pub static FAMILIES: &[FamilyEntry] = &[diffusion::ENTRY];

/// What a pack can be asked for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Numbers of steps that it can draw in, ascending; `[1]` for one-step generators.
    pub steps: Vec<usize>,
    /// The default number of steps.
    pub default_steps: usize,
    /// The default guidance.
    pub default_guidance: f32,
    /// The largest guidance; 1 for models without guidance.
    pub max_guidance: f32,
    /// Whether it reads a prompt.
    pub has_prompt: bool,
    /// Whether it draws [several texts](Resolved::texts) that are mixed.
    pub mixes_texts: bool,
    /// Whether all of its noise is [`Resolved::noise`], so that a picture can be varied.
    pub varies: bool,
    /// Whether it can start from a picture.
    pub takes_pictures: bool,
    /// Whether a guidance above 1 moves away from a negative prompt.
    pub has_negative: bool,
    /// Numbers that a request may give by name.
    pub conditions: Vec<Condition>,
    /// Width of the picture, in pixels.
    pub width: u32,
    /// Height of the picture, in pixels.
    pub height: u32,
}

impl Capabilities {
    /// Those of a one-step generator without guidance: the least that a family can do. Its fields can be changed.
    pub fn one_step(width: u32, height: u32) -> Capabilities {
        Capabilities {
            steps: vec![1],
            default_steps: 1,
            default_guidance: 1.0,
            max_guidance: 1.0,
            has_prompt: true,
            mixes_texts: false,
            varies: false,
            takes_pictures: false,
            has_negative: false,
            conditions: Vec::new(),
            width,
            height,
        }
    }
}

/// A number that a request may give by name, such as how steep a landscape is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Condition {
    /// The name.
    pub name: String,
    /// What it is by default.
    pub default: f64,
    /// The smallest and largest that the model takes, if the pack states them.
    pub range: Option<[f64; 2]>,
    /// Whether it is a whole number.
    pub is_whole: bool,
}

impl Condition {
    /// The conditions of all stages, each name once, in order.
    pub fn of_manifest(manifest: &Manifest) -> Vec<Condition> {
        let inputs = manifest.stages.values().flat_map(|stage| &stage.inputs);
        let mut found: Vec<Condition> = inputs
            .filter(|port| port.role == Some(Role::Condition))
            .map(|port| Condition {
                name: port.name.clone(),
                default: port.default.unwrap_or_default(),
                range: port.range,
                is_whole: port.element == Element::I64,
            })
            .collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found.dedup_by(|one, other| one.name == other.name);
        found
    }

    /// Checks a number that a request gives.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with its name.
    pub(super) fn check(&self, value: f64) -> Result<(), String> {
        let element = if self.is_whole { Element::I64 } else { Element::F32 };
        let port = Port {
            range: self.range,
            ..Port::new(&self.name, element, vec![1])
        };
        port.check_value(value)
    }
}

/// A family with a pack.
pub trait Family: Send {
    /// Loads the stages that every picture needs and that stay in memory, so that the first picture does not have to.
    ///
    /// # Errors
    /// If a stage cannot be loaded.
    fn load(&mut self, engine: &Engine) -> Result<(), EngineError>;

    /// The phases of a picture, in the order in which [`Run::phase`] will be called with them.
    fn phases(&self, request: &Resolved) -> Vec<Phase>;

    /// Generates one picture for each row of [`Resolved::ids`], all of one size: the pack's, or a larger one where a larger one is asked for.
    ///
    /// # Errors
    /// If a stage fails, or the observer cancels.
    fn generate(&mut self, engine: &Engine, request: &Resolved, run: &mut Run<'_>) -> Result<Vec<Picture>, PipelineError>;
}

/// A picture being generated: times its phases and tells the observer.
pub struct Run<'a> {
    observer: &'a mut dyn Observer,
    timings: Vec<PhaseTime>,
    total: usize,
    steps: usize,
}

impl<'a> Run<'a> {
    pub(super) fn new(observer: &'a mut dyn Observer, phases: &[Phase]) -> Run<'a> {
        Run {
            observer,
            timings: Vec::with_capacity(phases.len()),
            total: phases.len(),
            steps: phases.iter().filter(|phase| phase.is_step()).count(),
        }
    }

    pub(super) fn into_timings(self) -> Vec<PhaseTime> {
        self.timings
    }

    /// Whether the observer wants to see what the words are weighed with at each place.
    pub fn wants_attention(&self) -> bool {
        self.observer.wants_attention()
    }

    /// Tells the observer what the words of an object were weighed with.
    pub fn attended(&mut self, object: usize, maps: &AttentionMaps) {
        self.observer.attention(object, maps);
    }

    /// Does the work of a phase.
    ///
    /// # Errors
    /// That of the work, and [`PipelineError::Interrupted`] if the observer cancels afterwards.
    pub fn phase<R>(&mut self, phase: Phase, work: impl FnOnce() -> Result<R, PipelineError>) -> Result<R, PipelineError> {
        self.phase_with_preview(phase, work, &|_| None)
    }

    /// As [`Run::phase`], with a preview of what the work gave, which is computed only if the observer asks for it.
    ///
    /// # Errors
    /// As [`Run::phase`].
    pub fn phase_with_preview<R>(
        &mut self,
        phase: Phase,
        work: impl FnOnce() -> Result<R, PipelineError>,
        preview: &dyn Fn(&R) -> Option<Picture>,
    ) -> Result<R, PipelineError> {
        let started = Instant::now();
        let result = work()?;
        self.timings.push(PhaseTime {
            phase,
            time: started.elapsed(),
        });
        let preview = || preview(&result);
        let progress = Progress {
            phase,
            done: self.timings.len(),
            total: self.total,
            steps: self.steps,
            preview: &preview,
        };
        if self.observer.progress(&progress).is_break() {
            return Err(PipelineError::Interrupted);
        }
        Ok(result)
    }
}

/// The entry for a manifest, among `families`.
///
/// # Errors
/// If the manifest names no family or an unknown one.
pub(super) fn find<'a>(families: &'a [FamilyEntry], manifest: &Manifest, file: &Path) -> Result<&'a FamilyEntry, PackError> {
    let fail = |problem: String| PackError::field(file, "family", problem);
    let Some(name) = &manifest.family else {
        return Err(fail(
            "the pack has none: its stages can be measured, but it makes no pictures from text".into(),
        ));
    };
    families.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let known: Vec<&str> = families.iter().map(|entry| entry.name).collect();
        fail(format!("unknown family '{name}'; this version knows {}", known.join(", ")))
    })
}
