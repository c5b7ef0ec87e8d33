//! What this family needs of a manifest: its tables, its stages, and the roles, types and sizes of their ports. Depends on the pack and the
//! schedulers.

use std::collections::BTreeMap;
use std::path::Path;

use super::enlarging::{ENLARGER, FACTORS};
use super::start::takes_pictures;
use super::tiles::Tiling;
use super::{DECODER, DENOISER, ENCODER, TEXT_ENCODERS, input_of, output_of, takes_guidance};
use crate::pack::{Element, Manifest, PackError, PictureShape, Port, Prompt, Role, Sampling};
use crate::pipeline::families::{Capabilities, Condition, Supply, check_stage};
use crate::pipeline::schedulers::{self, SchedulerEntry};

/// The manifest's tables that this family needs.
pub struct Tables<'a> {
    pub picture: &'a PictureShape,
    /// Absent for a model without a text encoder.
    pub prompt: Option<&'a Prompt>,
    pub sampling: &'a Sampling,
    pub scheduler: &'static SchedulerEntry,
}

/// The tables, checked.
///
/// # Errors
/// If one is missing, or the scheduler is unknown or does not take what the model predicts.
pub fn tables<'a>(manifest: &'a Manifest, file: &Path) -> Result<Tables<'a>, PackError> {
    let missing = |field: &str| PackError::field(file, field, "is required for the family 'diffusion'".into());
    let picture = manifest.picture.as_ref().ok_or_else(|| missing("picture"))?;
    let sampling = manifest.sampling.as_ref().ok_or_else(|| missing("sampling"))?;
    let has_encoder = TEXT_ENCODERS.iter().any(|name| manifest.stages.contains_key(*name));
    if has_encoder && manifest.prompt.is_none() {
        return Err(missing("prompt"));
    }
    let scheduler = schedulers::find(&sampling.scheduler).ok_or_else(|| {
        let known: Vec<&str> = schedulers::SCHEDULERS.iter().map(|entry| entry.name).collect();
        let problem = format!(
            "unknown scheduler '{}'; this version knows {}",
            sampling.scheduler,
            known.join(", ")
        );
        PackError::field(file, "sampling.scheduler", problem)
    })?;
    check_sampling(sampling, scheduler, file)?;
    Ok(Tables {
        picture,
        prompt: manifest.prompt.as_ref(),
        sampling,
        scheduler,
    })
}

/// The scheduler has the schedule that it needs, and takes what the model predicts.
fn check_sampling(sampling: &Sampling, scheduler: &SchedulerEntry, file: &Path) -> Result<(), PackError> {
    let name = scheduler.name;
    let fail = |field: &str, problem: String| Err(PackError::field(file, field, problem));
    if !scheduler.predictions.contains(&sampling.prediction) {
        return fail(
            "sampling.prediction",
            format!("the scheduler '{name}' does not take this prediction"),
        );
    }
    if scheduler.needs_noise_schedule && sampling.noise.is_none() {
        return fail("sampling.noise", format!("is required for the scheduler '{name}'"));
    }
    if (scheduler.sampler)(sampling, sampling.default_steps).is_none() {
        let problem = format!("the scheduler '{name}' has no schedule of {} steps", sampling.default_steps);
        return fail("sampling.default_steps", problem);
    }
    Ok(())
}

/// Checks a manifest, and says what its pack can be asked for.
///
/// # Errors
/// For the first table or port that does not fit.
pub fn check(manifest: &Manifest, file: &Path) -> Result<Capabilities, PackError> {
    let tables = tables(manifest, file)?;
    check_stages(manifest, file, &tables)?;
    let Tables {
        picture,
        prompt,
        sampling,
        scheduler,
    } = tables;
    Ok(Capabilities {
        steps: scheduler.steps(sampling),
        default_steps: sampling.default_steps,
        default_guidance: sampling.default_guidance,
        max_guidance: sampling.max_guidance,
        has_prompt: prompt.is_some(),
        mixes_texts: prompt.is_some(),
        varies: true,
        takes_pictures: takes_pictures(manifest),
        has_negative: prompt.is_some() && !takes_guidance(manifest),
        conditions: Condition::of_manifest(manifest),
        width: picture.width,
        height: picture.height,
    })
}

fn check_stages(manifest: &Manifest, file: &Path, tables: &Tables) -> Result<(), PackError> {
    // A pack without styles is given style 0.
    let ids = || manifest.styles.iter().map(|style| style.id);
    let (lowest, highest) = (ids().min().unwrap_or(0), ids().max().unwrap_or(0));
    let style = Supply::integers(1).within(lowest as f64, highest as f64);
    let mut supplied = check_text_encoders(manifest, file, tables.prompt, style)?;
    let denoised = output_of(manifest, DENOISER, Role::Prediction).map_or(0, Port::elements);
    supplied.extend(for_denoiser(manifest, tables.sampling, denoised));
    let given = check_stage(manifest, file, DENOISER, &supplied)?;
    let is_prediction = |supply: &Supply| supply.element == Element::F32 && supply.elements == denoised;
    if given.len() != 1 || !given.get(&Role::Prediction).is_some_and(is_prediction) {
        let problem = "must have one output, of role 'prediction' and type f32".into();
        return Err(fail(file, DENOISER, problem));
    }
    check_encoder(manifest, file, denoised)?;
    let drawn = check_decoders(manifest, file, style)?.unwrap_or(denoised);
    if drawn != tables.picture.elements() {
        let problem = format!(
            "the last stage gives {drawn} values, but the picture has {}",
            tables.picture.elements()
        );
        return Err(fail(file, DECODER, problem));
    }
    check_enlarger(manifest, file, tables.picture)
}

fn fail(file: &Path, stage: &str, problem: String) -> PackError {
    PackError::field(file, &format!("stages.{stage}"), problem)
}

/// What the text encoders give together: their contexts side by side, everything else from one of them.
fn check_text_encoders(
    manifest: &Manifest,
    file: &Path,
    prompt: Option<&Prompt>,
    style: Supply,
) -> Result<BTreeMap<Role, Supply>, PackError> {
    let mut all: BTreeMap<Role, Supply> = BTreeMap::from([(Role::Style, style)]);
    let Some(prompt) = prompt else { return Ok(all) };
    let supplied = BTreeMap::from([(Role::Ids, Supply::integers(prompt.max_tokens)), (Role::Style, style)]);
    let mut rows = None;
    for (number, name) in TEXT_ENCODERS.into_iter().enumerate() {
        if number > 0 && !manifest.stages.contains_key(name) {
            continue;
        }
        for (role, supply) in check_stage(manifest, file, name, &supplied)? {
            let Some(other) = all.get_mut(&role) else {
                all.insert(role, supply);
                continue;
            };
            if role != Role::Context {
                let problem = format!("gives '{role}', which another text encoder gives as well");
                return Err(fail(file, name, problem));
            }
            other.elements += supply.elements;
            other.range = None;
        }
        let given = output_of(manifest, name, Role::Context).and_then(|port| port.shape.iter().rev().nth(1).copied());
        if given.is_some() && rows.is_some() && rows != given {
            return Err(fail(file, name, "gives another number of rows than the first text encoder".into()));
        }
        rows = rows.or(given);
    }
    Ok(all)
}

/// What the denoiser is supplied with beside the text.
fn for_denoiser(manifest: &Manifest, sampling: &Sampling, denoised: usize) -> [(Role, Supply); 4] {
    let port = |role| input_of(manifest, DENOISER, role);
    let guidance = match port(Role::Guidance).map_or(1, Port::elements) {
        1 => Supply::floats(1).within(0.0, f64::from(sampling.max_guidance)),
        embedded if embedded % 2 == 0 => Supply::floats(embedded).within(-1.0, 1.0),
        _ => Supply::floats(1),
    };
    let largest = sampling.sigmas.values().flatten().copied().fold(1.0, f32::max);
    let last = sampling.noise.map_or(f64::from(largest), |noise| (noise.train_steps - 1) as f64);
    let time = Supply {
        // Trained times are whole numbers, which exports take as either type.
        element: port(Role::Time)
            .filter(|_| sampling.noise.is_some())
            .map_or(Element::F32, |port| port.element),
        ..Supply::floats(1).within(0.0, last)
    };
    [
        (Role::Noisy, Supply::floats(denoised)),
        (Role::Time, time),
        (Role::Guidance, guidance),
        (Role::Size, Supply::floats(6)),
    ]
}

/// An encoder takes a picture of the model's channels and gives what the denoiser starts from.
fn check_encoder(manifest: &Manifest, file: &Path, denoised: usize) -> Result<(), PackError> {
    if !manifest.stages.contains_key(ENCODER) {
        return Ok(());
    }
    let taken = input_of(manifest, ENCODER, Role::Picture);
    let supplied = BTreeMap::from([(Role::Picture, Supply::floats(taken.map_or(0, Port::elements)))]);
    let given = check_stage(manifest, file, ENCODER, &supplied)?;
    let channels = manifest.picture.as_ref().map_or(0, |picture| picture.channels.count());
    let is_picture = taken.is_some_and(|port| matches!(*port.shape, [1, planes, _, _] if planes == channels));
    let is_latent = |supply: &Supply| *supply == Supply::floats(denoised);
    if manifest.latent.is_none() || !is_picture || !given.get(&Role::Latent).is_some_and(is_latent) {
        let problem = format!("must turn a picture of {channels} channels into the {denoised} values of a latent");
        return Err(fail(file, ENCODER, problem));
    }
    Ok(())
}

/// An enlarger takes the picture or parts of it and gives one of the same channels, by a whole number larger.
fn check_enlarger(manifest: &Manifest, file: &Path, picture: &PictureShape) -> Result<(), PackError> {
    if !manifest.stages.contains_key(ENLARGER) {
        return Ok(());
    }
    let tiling = Tiling::over(picture.planes(), manifest, ENLARGER, Role::Picture).map_err(|problem| fail(file, ENLARGER, problem))?;
    let taken = input_of(manifest, ENLARGER, Role::Picture).map_or(0, Port::elements);
    let given = check_stage(manifest, file, ENLARGER, &BTreeMap::from([(Role::Picture, Supply::floats(taken))]))?;
    let factor = tiling.scale();
    let is_picture = || given.get(&Role::Picture) == Some(&Supply::floats(taken * factor * factor));
    if FACTORS.contains(&factor) && is_picture() {
        return Ok(());
    }
    let problem = format!(
        "must give a picture of the same channels that is {} to {} times as large",
        FACTORS.start(),
        FACTORS.end()
    );
    Err(fail(file, ENLARGER, problem))
}

/// How many values the decoder gives for all tiles together; nothing if there is none.
fn check_decoders(manifest: &Manifest, file: &Path, style: Supply) -> Result<Option<usize>, PackError> {
    let (role, is_latent) = match manifest.latent {
        Some(_) => (Role::Latent, true),
        None => (Role::Picture, false),
    };
    if !manifest.stages.contains_key(DECODER) {
        let missing = is_latent.then(|| fail(file, DECODER, "is required to turn latents into pictures".into()));
        return missing.map_or(Ok(None), Err);
    }
    let preview = manifest.latent.as_ref().and_then(|latent| latent.preview.as_ref());
    let mut drawn = 0;
    let preview = preview.map(|preview| preview.stage.as_str()).filter(|name| *name != DECODER);
    for name in preview.into_iter().chain([DECODER]) {
        let clean = input_of(manifest, name, role).map_or(0, Port::elements);
        let supplied = BTreeMap::from([(role, Supply::floats(clean)), (Role::Style, style)]);
        let given = check_stage(manifest, file, name, &supplied)?;
        if !given.contains_key(&Role::Picture) {
            return Err(fail(file, name, "must have an output of role 'picture'".into()));
        }
        let tiling = Tiling::of(manifest, name, role).map_err(|problem| fail(file, name, problem))?;
        drawn = tiling.picture_elements();
    }
    Ok(Some(drawn))
}
