//! Few-step diffusion, in pictures or latents: text encoder → denoising steps → optional decoder.
//!
//! | stage | is supplied | must give |
//! |---|---|---|
//! | `text_encoder` | `ids`, `style` | anything: what it gives goes to the denoiser by role |
//! | `denoiser` | `noisy`, `time`, `style`, `guidance`, `size`, and what the text encoder gives | `prediction` |
//! | `decoder` | `latent` with a `[latent]` table, else `picture`; `style` | `picture` |
//!
//! A denoiser with a port for `guidance` runs once a step whatever the guidance: it takes the number, or, where the port has more elements,
//! its embedding, as latent consistency models do (`timestep_cond` in diffusers). `size` is SDXL's: height and width of the training
//! picture, where it was cropped, height and width of the picture.
//!
//! Without a `[latent]` table the denoiser works on pictures in -1..=1, which are clamped and can be previewed; latents are
//! neither. Several objects are generated from noise of their own, stage by stage, so that one stage at a time has to be in
//! memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Capabilities, Family, FamilyEntry, Run, Supply, Values, check_indices, check_stage, run_stage};
use crate::engine::{Engine, EngineError, Residency, Stages, Value};
use crate::pack::{Channels, Element, Manifest, Pack, PackError, PictureShape, Port, Role, Sampling};
use crate::picture::Picture;
use crate::pipeline::elementary::{exponential, logarithm, sine_and_cosine};
use crate::pipeline::noise::gaussian_noise;
use crate::pipeline::observer::Phase;
use crate::pipeline::schedulers::{self, Sampler, SchedulerEntry, guide};
use crate::pipeline::{PipelineError, Resolved};

/// This family's row.
pub const ENTRY: FamilyEntry = FamilyEntry {
    name: "diffusion",
    check,
    open,
};

/// Turns token ids into what the denoiser is conditioned on.
const TEXT_ENCODER: &str = "text_encoder";
/// Predicts the clean picture or the velocity from a noisy one.
const DENOISER: &str = "denoiser";
/// Turns what was denoised into the picture.
const DECODER: &str = "decoder";

/// The manifest's tables that this family needs.
struct Tables<'a> {
    picture: &'a PictureShape,
    max_tokens: usize,
    sampling: &'a Sampling,
    scheduler: &'static SchedulerEntry,
}

fn tables<'a>(manifest: &'a Manifest, file: &Path) -> Result<Tables<'a>, PackError> {
    let missing = |field: &str| PackError::field(file, field, "is required for the family 'diffusion'".into());
    let picture = manifest.picture.as_ref().ok_or_else(|| missing("picture"))?;
    let prompt = manifest.prompt.as_ref().ok_or_else(|| missing("prompt"))?;
    let sampling = manifest.sampling.as_ref().ok_or_else(|| missing("sampling"))?;
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
        max_tokens: prompt.max_tokens,
        sampling,
        scheduler,
    })
}

/// Whether the denoiser has a port for the guidance, and runs once a step.
fn takes_guidance(manifest: &Manifest) -> bool {
    let denoiser = manifest.stages.get(DENOISER);
    denoiser.is_some_and(|denoiser| denoiser.inputs.iter().any(|port| port.role == Some(Role::Guidance)))
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

fn check(manifest: &Manifest, file: &Path) -> Result<Capabilities, PackError> {
    let tables = tables(manifest, file)?;
    check_stages(manifest, file, &tables)?;
    let Tables {
        picture,
        sampling,
        scheduler,
        ..
    } = tables;
    Ok(Capabilities {
        steps: scheduler.steps(sampling),
        default_steps: sampling.default_steps,
        default_guidance: sampling.default_guidance,
        max_guidance: sampling.max_guidance,
        has_negative: !takes_guidance(manifest),
        width: picture.width,
        height: picture.height,
    })
}

fn check_stages(manifest: &Manifest, file: &Path, tables: &Tables) -> Result<(), PackError> {
    let Tables {
        picture,
        max_tokens,
        sampling,
        ..
    } = *tables;
    let fail = |stage: &str, problem: String| PackError::field(file, &format!("stages.{stage}"), problem);
    // A pack without styles is given style 0.
    let ids = || manifest.styles.iter().map(|style| style.id);
    let (lowest, highest) = (ids().min().unwrap_or(0), ids().max().unwrap_or(0));
    let style = Supply::integers(1).within(lowest as f64, highest as f64);
    let mut supplied = BTreeMap::from([(Role::Ids, Supply::integers(max_tokens)), (Role::Style, style)]);
    supplied.extend(check_stage(manifest, file, TEXT_ENCODER, &supplied)?);
    supplied.remove(&Role::Ids);
    let denoiser = manifest.stages.get(DENOISER);
    let denoised = denoiser.map_or(0, |denoiser| denoiser.outputs[0].elements());
    let port = |role| denoiser.and_then(|denoiser| denoiser.inputs.iter().find(|port| port.role == Some(role)));
    let guidance = match port(Role::Guidance).map_or(1, Port::elements) {
        1 => Supply::floats(1).within(0.0, f64::from(sampling.max_guidance)),
        embedded if embedded % 2 == 0 => Supply::floats(embedded).within(-1.0, 1.0),
        _ => Supply::floats(1),
    };
    let last = sampling.noise.map_or(1.0, |noise| (noise.train_steps - 1) as f64);
    let time = Supply {
        // Trained times are whole numbers, which exports take as either type.
        element: port(Role::Time)
            .filter(|_| sampling.noise.is_some())
            .map_or(Element::F32, |port| port.element),
        ..Supply::floats(1).within(0.0, last)
    };
    supplied.extend([
        (Role::Noisy, Supply::floats(denoised)),
        (Role::Time, time),
        (Role::Guidance, guidance),
        (Role::Size, Supply::floats(6)),
    ]);
    let given = check_stage(manifest, file, DENOISER, &supplied)?;
    let is_prediction = |supply: &Supply| supply.element == Element::F32 && supply.elements == denoised;
    if given.len() != 1 || !given.get(&Role::Prediction).is_some_and(is_prediction) {
        return Err(fail(DENOISER, "must have one output, of role 'prediction' and type f32".into()));
    }
    let clean = Supply::floats(denoised);
    let (role, is_latent) = match manifest.latent {
        Some(_) => (Role::Latent, true),
        None => (Role::Picture, false),
    };
    let drawn = if manifest.stages.contains_key(DECODER) {
        let supplied = BTreeMap::from([(role, clean), (Role::Style, style)]);
        let given = check_stage(manifest, file, DECODER, &supplied)?;
        given.get(&Role::Picture).map_or(0, |given| given.elements)
    } else if is_latent {
        return Err(fail(DECODER, "is required to turn latents into pictures".into()));
    } else {
        denoised
    };
    if drawn != picture.elements() {
        return Err(fail(
            DECODER,
            format!("the last stage gives {drawn} values, but the picture has {}", picture.elements()),
        ));
    }
    Ok(())
}

fn open(pack: Arc<Pack>, residency: Residency) -> Result<Box<dyn Family>, PackError> {
    let tables = tables(pack.manifest(), &pack.manifest_path())?;
    Ok(Box::new(Diffusion {
        picture: tables.picture.clone(),
        sampling: tables.sampling.clone(),
        scheduler: tables.scheduler,
        stages: Stages::new(pack, residency),
    }))
}

struct Diffusion {
    picture: PictureShape,
    sampling: Sampling,
    scheduler: &'static SchedulerEntry,
    stages: Stages,
}

impl Family for Diffusion {
    fn load(&mut self, engine: &Engine) -> Result<(), EngineError> {
        self.stages.load(engine)?;
        Ok(check_indices(&self.stages)?)
    }

    fn phases(&self, request: &Resolved) -> Vec<Phase> {
        let steps = (1..=request.steps() * request.ids().len()).map(Phase::Step);
        let decode = self.has_decoder().then_some(Phase::Decode);
        std::iter::once(Phase::Encode).chain(steps).chain(decode).collect()
    }

    fn generate(&mut self, engine: &Engine, request: &Resolved, run: &mut Run<'_>) -> Result<Vec<Picture>, PipelineError> {
        let (texts, negative) = run.phase(Phase::Encode, || self.encode_all(engine, request))?;
        let mut drawn = Vec::new();
        for (object, text) in texts.into_iter().enumerate() {
            drawn.push(self.denoise(engine, request, object, text, negative.clone(), run)?);
        }
        if self.has_decoder() {
            drawn = run.phase(Phase::Decode, || {
                let decoded = drawn.into_iter().map(|clean| self.decode(engine, request, clean));
                Ok(decoded.collect::<Result<_, EngineError>>()?)
            })?;
        }
        let shape = &self.picture;
        let pictures = drawn
            .iter()
            .map(|planes| picture(shape.channels, planes, shape.width, shape.height));
        pictures.collect()
    }
}

impl Diffusion {
    fn manifest(&self) -> &Manifest {
        self.stages.pack().manifest()
    }

    fn has_decoder(&self) -> bool {
        self.manifest().stages.contains_key(DECODER)
    }

    fn encode_all(&self, engine: &Engine, request: &Resolved) -> Result<(Vec<Values>, Option<Values>), PipelineError> {
        let objects = request.ids().iter();
        let texts = objects
            .map(|ids| self.encode(engine, request, ids))
            .collect::<Result<Vec<_>, _>>()?;
        let guided = request.guidance() != 1.0 && !takes_guidance(self.manifest());
        let negative = guided.then(|| self.encode(engine, request, request.negative_ids()));
        Ok((texts, negative.transpose()?))
    }

    /// What the denoiser is conditioned on.
    fn encode(&self, engine: &Engine, request: &Resolved, ids: &[i64]) -> Result<Values, EngineError> {
        let style = Value::I64(vec![request.style_id()]);
        let values = Values::from([(Role::Ids, Value::I64(ids.to_vec())), (Role::Style, style.clone())]);
        let mut outputs = run_stage(&self.stages, engine, TEXT_ENCODER, &values)?;
        outputs.insert(Role::Style, style);
        let guidance = match self.denoiser_port(Role::Guidance).map_or(1, Port::elements) {
            1 => vec![request.guidance()],
            count => guidance_embedding(request.guidance(), count),
        };
        outputs.insert(Role::Guidance, Value::F32(guidance));
        let (width, height) = (self.picture.width as f32, self.picture.height as f32);
        outputs.insert(Role::Size, Value::F32(vec![height, width, 0.0, 0.0, height, width]));
        Ok(outputs)
    }

    fn denoiser_port(&self, role: Role) -> Option<&Port> {
        let inputs = &self.manifest().stages[DENOISER].inputs;
        inputs.iter().find(|port| port.role == Some(role))
    }

    /// Denoises one object from noise of its own.
    fn denoise(
        &self,
        engine: &Engine,
        request: &Resolved,
        object: usize,
        mut text: Values,
        mut negative: Option<Values>,
        run: &mut Run<'_>,
    ) -> Result<Vec<f32>, PipelineError> {
        let sampler = (self.scheduler.sampler)(&self.sampling, request.steps()).ok_or_else(|| PipelineError::Steps {
            steps: request.steps(),
            known: self.scheduler.steps(&self.sampling),
        })?;
        let count = self.manifest().stages[DENOISER].outputs[0].elements();
        let stream = |step: usize| u32::try_from(object | step << 16).unwrap_or(u32::MAX);
        let mut noisy = gaussian_noise(request.seed(), stream(0), count);
        multiply(&mut noisy, sampler.noise_scale());
        for index in 0..request.steps() {
            let number = object * request.steps() + index + 1;
            let work = || {
                let mut predicted = self.predict(engine, &mut text, &noisy, (&*sampler, index))?;
                if let Some(negative) = &mut negative {
                    guide(
                        &mut predicted,
                        &self.predict(engine, negative, &noisy, (&*sampler, index))?,
                        request.guidance(),
                    );
                }
                let estimate = sampler.clean(index, &noisy, &predicted);
                let mut fresh = || gaussian_noise(request.seed(), stream(index + 1), count);
                sampler.step(index, &mut noisy, &predicted, &mut fresh);
                Ok(estimate)
            };
            run.phase_with_preview(Phase::Step(number), work, &|estimate| self.preview(estimate))?;
        }
        match self.manifest().latent {
            Some(latent) => noisy.iter_mut().for_each(|value| *value = *value / latent.scale + latent.shift),
            None => noisy.iter_mut().for_each(|value| *value = value.clamp(-1.0, 1.0)),
        }
        if noisy.iter().all(|value| value.is_finite()) {
            return Ok(noisy);
        }
        let file = self.stages.pack().manifest_path();
        let problem = format!(
            "what the scheduler '{}' gives are not all numbers: its schedule or the scale of latents is wrong",
            self.scheduler.name
        );
        Err(PackError::field(&file, "sampling", problem).into())
    }

    fn predict(
        &self,
        engine: &Engine,
        values: &mut Values,
        noisy: &[f32],
        (sampler, step): (&dyn Sampler, usize),
    ) -> Result<Vec<f32>, EngineError> {
        let mut input = noisy.to_vec();
        multiply(&mut input, sampler.input_scale(step));
        values.insert(Role::Noisy, Value::F32(input));
        let time = sampler.time(step);
        let time = match self.denoiser_port(Role::Time).map(|port| port.element) {
            Some(Element::I64) => Value::I64(vec![time as i64]),
            _ => Value::F32(vec![time]),
        };
        values.insert(Role::Time, time);
        let outputs = run_stage(&self.stages, engine, DENOISER, values)?;
        floats(DENOISER, outputs, Role::Prediction)
    }

    fn decode(&self, engine: &Engine, request: &Resolved, clean: Vec<f32>) -> Result<Vec<f32>, EngineError> {
        let role = self.manifest().latent.map_or(Role::Picture, |_| Role::Latent);
        let style = Value::I64(vec![request.style_id()]);
        let values = Values::from([(role, Value::F32(clean)), (Role::Style, style)]);
        let outputs = run_stage(&self.stages, engine, DECODER, &values)?;
        floats(DECODER, outputs, Role::Picture)
    }

    /// The estimate as a picture, at the denoiser's size; `None` for latents.
    fn preview(&self, estimate: &[f32]) -> Option<Picture> {
        if self.manifest().latent.is_some() {
            return None;
        }
        let channels = self.picture.channels;
        let [1, planes, height, width] = *self.manifest().stages[DENOISER].outputs[0].shape else {
            return None;
        };
        let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
        (planes == channels.count())
            .then(|| picture(channels, estimate, width, height).ok())
            .flatten()
    }
}

fn multiply(values: &mut [f32], factor: f32) {
    if factor != 1.0 {
        values.iter_mut().for_each(|value| *value *= factor);
    }
}

/// The embedding of a guidance scale that latent consistency models take: the sines of `count / 2` angles, then their cosines (Meng et
/// al., arXiv 2210.03142; `get_guidance_scale_embedding` of diffusers).
fn guidance_embedding(guidance: f32, count: usize) -> Vec<f32> {
    let (half, angle) = (count / 2, (f64::from(guidance) - 1.0) * 1000.0);
    let step = logarithm(10_000.0) / (half.max(2) - 1) as f64;
    let (sines, cosines): (Vec<f32>, Vec<f32>) = (0..half)
        .map(|index| sine_and_cosine(angle * exponential(-step * index as f64)))
        .map(|(sine, cosine)| (sine as f32, cosine as f32))
        .unzip();
    [sines, cosines].concat()
}

fn floats(stage: &str, mut outputs: Values, role: Role) -> Result<Vec<f32>, EngineError> {
    let fail = |problem: String| EngineError::Run {
        stage: stage.to_owned(),
        problem,
    };
    let floats = outputs.remove(&role).and_then(Value::into_floats);
    let floats = floats.ok_or_else(|| fail(format!("it gives no floats of role '{role}'")))?;
    if floats.iter().all(|value| value.is_finite()) {
        return Ok(floats);
    }
    let problem =
        format!("what it gives as '{role}' are not all numbers: the pack's weights are damaged or too large; copy or make it again");
    Err(fail(problem))
}

fn picture(channels: Channels, planes: &[f32], width: u32, height: u32) -> Result<Picture, PipelineError> {
    Ok(match channels {
        Channels::Rgb => Picture::from_rgb(planes, width, height)?,
        Channels::RgbaPremultiplied => Picture::from_premultiplied(planes, width, height)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guidance_is_embedded_as_diffusers_does_it() {
        let embedded = guidance_embedding(8.5, 8);
        // get_guidance_scale_embedding(torch.tensor([7.5]), embedding_dim=8)
        let wanted = [-0.851236, 0.562678, -0.435233, 0.681639, -0.524783, -0.826676, -0.900318, 0.731689];
        for (found, wanted) in embedded.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-3, "{embedded:?}");
        }
        assert_eq!(embedded.len(), wanted.len());
    }

    #[test]
    fn what_is_no_number_is_no_picture() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let outputs = Values::from([(Role::Picture, Value::F32(vec![0.5, value]))]);
            let error = floats(DECODER, outputs, Role::Picture).unwrap_err().to_string();
            assert!(error.contains("stage 'decoder' failed: what it gives as 'picture'"), "{error}");
        }
        let outputs = Values::from([(Role::Picture, Value::F32(vec![0.5]))]);
        assert_eq!(floats(DECODER, outputs, Role::Picture).unwrap(), [0.5]);
    }
}
