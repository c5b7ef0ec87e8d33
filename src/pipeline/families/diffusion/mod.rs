//! Few-step diffusion, in pictures or latents: text encoders → denoising steps → optional decoder.
//!
//! | stage | is supplied | must give |
//! |---|---|---|
//! | `text_encoder`, `text_encoder_2` | `ids`, `style` | anything: what they give goes to the denoiser by role, their contexts side by side |
//! | `denoiser` | `noisy`, `time`, `style`, `guidance`, `size`, and what the text encoders give | `prediction` |
//! | `encoder`, optional, for latents alone | `picture` | `latent` |
//! | `decoder`, and the stage that `latent.preview` names | `latent` with a `[latent]` table, else `picture`; `style` | `picture` |
//! | `enlarger`, optional | `picture` | `picture`, two to four times as large |
//!
//! A model without a `[prompt]` table has no text encoder. Any stage may have ports of role `condition`, which are given what the request
//! says under their names. `text_encoder_2` is SDXL's second one, whose prompts may be padded otherwise (`prompt.padding_2`). A decoder for a
//! smaller latent than the denoiser's is run on tiles, and so is an enlarger, which pictures go through as often as the requested size asks for.
//!
//! A denoiser with a port for `guidance` runs once a step whatever the guidance: it takes the number, or, where the port has more elements,
//! its embedding, as latent consistency models do (`timestep_cond` in diffusers). `size` is SDXL's: height and width of the training
//! picture, where it was cropped, height and width of the picture.
//!
//! Without a `[latent]` table the denoiser works on pictures in -1..=1, which are clamped and can be previewed; latents are not clamped, and
//! previewed by a decoder that is fast enough. Several objects are generated from noise of their own, stage by stage, so that one stage at a time has to be in
//! memory.

mod check;
mod enlarging;
mod start;
mod texts;
mod tiles;

use std::sync::Arc;

use super::{Family, FamilyEntry, Run, Values, check_indices, run_stage_watched, run_stage_with};
use crate::engine::{AttentionWatch, Engine, EngineError, Residency, Stages, Value};
use crate::pack::{Channels, Element, Manifest, Pack, PackError, PictureShape, Port, Role, Sampling};
use crate::picture::Picture;
use crate::pipeline::attention::AttentionMaps;
use crate::pipeline::observer::Phase;
use crate::pipeline::schedulers::{Sampler, SchedulerEntry, guide};
use crate::pipeline::{Options, PipelineError, Resolved};
use check::{check, tables};
use enlarging::ENLARGER;
use texts::Texts;
use tiles::Tiling;

/// This family's row.
pub const ENTRY: FamilyEntry = FamilyEntry {
    name: "diffusion",
    check,
    open,
};

/// Turn token ids into what the denoiser is conditioned on. The first is required where there is a prompt.
const TEXT_ENCODERS: [&str; 2] = ["text_encoder", "text_encoder_2"];
/// Predicts the clean picture or the velocity from a noisy one.
const DENOISER: &str = "denoiser";
/// Turns what was denoised into the picture.
const DECODER: &str = "decoder";
/// Turns a picture into a latent.
const ENCODER: &str = "encoder";

/// Whether the denoiser has a port for the guidance, and runs once a step.
fn takes_guidance(manifest: &Manifest) -> bool {
    input_of(manifest, DENOISER, Role::Guidance).is_some()
}

/// A stage's input of a role.
fn input_of<'a>(manifest: &'a Manifest, stage: &str, role: Role) -> Option<&'a Port> {
    let inputs = &manifest.stages.get(stage)?.inputs;
    inputs.iter().find(|port| port.role == Some(role))
}

/// A stage's output of a role.
fn output_of<'a>(manifest: &'a Manifest, stage: &str, role: Role) -> Option<&'a Port> {
    let outputs = &manifest.stages.get(stage)?.outputs;
    outputs.iter().find(|port| port.role == Some(role))
}

fn open(pack: Arc<Pack>, options: &Options) -> Result<Box<dyn Family>, PackError> {
    let tables = tables(pack.manifest(), &pack.manifest_path())?;
    Ok(Box::new(Diffusion {
        picture: tables.picture.clone(),
        sampling: tables.sampling.clone(),
        scheduler: tables.scheduler,
        texts: Texts::new(options.residency, options.reuses_texts),
        has_previews: options.residency == Residency::All,
        stages: Stages::new(pack, options.residency),
    }))
}

struct Diffusion {
    picture: PictureShape,
    sampling: Sampling,
    scheduler: &'static SchedulerEntry,
    texts: Texts,
    /// Whether latents are previewed: not where the decoder would take the denoiser's place in memory after every step.
    has_previews: bool,
    stages: Stages,
}

impl Family for Diffusion {
    fn load(&mut self, engine: &Engine) -> Result<(), EngineError> {
        self.stages.load_if(engine, |name| name != ENLARGER)?;
        Ok(check_indices(&self.stages)?)
    }

    fn phases(&self, request: &Resolved) -> Vec<Phase> {
        let steps = (1..=request.steps_done() * request.ids().len()).map(Phase::Step);
        let decode = self.has_decoder().then_some(Phase::Decode);
        let encode = self.has_encoders().then_some(Phase::Encode);
        let enlarge = (1..=self.parts(request) * request.ids().len()).map(Phase::Enlarge);
        encode.into_iter().chain(steps).chain(decode).chain(enlarge).collect()
    }

    fn generate(&mut self, engine: &Engine, request: &Resolved, run: &mut Run<'_>) -> Result<Vec<Picture>, PipelineError> {
        let (texts, negative) = if self.has_encoders() {
            run.phase(Phase::Encode, || self.encode_all(engine, request))?
        } else {
            (vec![self.conditions(request, Values::new())], None)
        };
        let mut drawn = Vec::new();
        for (object, text) in texts.into_iter().enumerate() {
            drawn.push(self.denoise(engine, request, object, text, negative.clone(), run)?);
        }
        if self.has_decoder() {
            drawn = run.phase(Phase::Decode, || {
                let decoded = drawn.into_iter().map(|clean| self.decode(engine, request, DECODER, clean));
                Ok(decoded.collect::<Result<_, EngineError>>()?)
            })?;
        }
        let shape = &self.picture;
        let pictures = drawn.iter().zip(0..).map(|(planes, object)| {
            let drawn = picture(shape.channels, planes, shape.width, shape.height)?;
            let restored = self.restore(request, drawn)?;
            self.enlarge(engine, request, restored, object, run)
        });
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
        let noise = || request.noise(stream(0), count);
        let start = self.start(engine, request, noise)?;
        let first = request.steps() - request.steps_done();
        let mut noisy = match &start {
            Some(start) => start.noisy(&*sampler, first),
            None => scaled(noise(), sampler.noise_scale()),
        };
        let mut maps = run.wants_attention().then(|| self.attention_maps()).flatten();
        for index in first..request.steps() {
            let number = object * request.steps_done() + index - first + 1;
            let work = || {
                let mut predicted = self.predict(engine, request, &mut text, &noisy, (&*sampler, index), maps.as_mut())?;
                if let Some(negative) = &mut negative {
                    guide(
                        &mut predicted,
                        &self.predict(engine, request, negative, &noisy, (&*sampler, index), None)?,
                        request.guidance(),
                    );
                }
                let estimate = sampler.clean(index, &noisy, &predicted);
                let mut fresh = || request.noise(stream(index + 1), count);
                sampler.step(index, &mut noisy, &predicted, &mut fresh);
                if let Some(start) = &start {
                    let next = Some(index + 1).filter(|next| *next < request.steps());
                    start.put_back(&*sampler, next, &mut noisy);
                }
                Ok(estimate)
            };
            run.phase_with_preview(Phase::Step(number), work, &|estimate| self.preview(engine, request, estimate))?;
        }
        if let Some(maps) = maps {
            run.attended(object, &maps);
        }
        self.finish(&mut noisy);
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

    /// Turns what was denoised into what the decoder takes, or a picture's values.
    fn finish(&self, clean: &mut [f32]) {
        match &self.manifest().latent {
            Some(latent) => rescale(clean, latent.scale, latent.shift),
            None => clean.iter_mut().for_each(|value| *value = value.clamp(-1.0, 1.0)),
        }
    }

    fn predict(
        &self,
        engine: &Engine,
        request: &Resolved,
        values: &mut Values,
        noisy: &[f32],
        (sampler, step): (&dyn Sampler, usize),
        mut maps: Option<&mut AttentionMaps>,
    ) -> Result<Vec<f32>, EngineError> {
        let input = scaled(noisy.to_vec(), sampler.input_scale(step));
        values.insert(Role::Noisy, Value::F32(input));
        let time = sampler.time(step);
        let time = match input_of(self.manifest(), DENOISER, Role::Time).map(|port| port.element) {
            Some(Element::I64) => Value::I64(vec![time as i64]),
            _ => Value::F32(vec![time]),
        };
        values.insert(Role::Time, time);
        self.over_styles(request, DENOISER, |style| {
            values.insert(Role::Style, Value::I64(vec![style]));
            let watch = maps.as_mut().map(|maps| &mut **maps as &mut dyn AttentionWatch);
            let outputs = run_stage_watched(&self.stages, engine, DENOISER, values, request.conditions(), watch)?;
            floats(DENOISER, outputs, Role::Prediction)
        })
    }

    /// Maps of what pixels look at, of nothing yet; none for a denoiser that is given no rows of a text.
    fn attention_maps(&self) -> Option<AttentionMaps> {
        let context = input_of(self.manifest(), DENOISER, Role::Context)?;
        let noisy = input_of(self.manifest(), DENOISER, Role::Noisy)?;
        let ([.., rows, _], [.., height, width]) = (context.shape.as_slice(), noisy.shape.as_slice()) else {
            return None;
        };
        Some(AttentionMaps::new(*rows, *width, *height))
    }

    /// What a stage gives in the request's style; if styles are mixed and the stage knows them, the mean of what it gives in each.
    fn over_styles(
        &self,
        request: &Resolved,
        stage: &str,
        mut run: impl FnMut(i64) -> Result<Vec<f32>, EngineError>,
    ) -> Result<Vec<f32>, EngineError> {
        let shares = request.style_shares();
        if let [(style, _)] = shares.as_slice() {
            return run(*style);
        }
        if input_of(self.manifest(), stage, Role::Style).is_none() {
            return run(request.style_id());
        }
        let mut mean: Vec<f32> = Vec::new();
        for (style, share) in shares {
            let values = run(style)?;
            mean.resize(values.len(), 0.0);
            mean.iter_mut().zip(values).for_each(|(mean, value)| *mean += value * share);
        }
        Ok(mean)
    }

    /// Draws what was denoised, tile by tile where the decoder takes less than all of it.
    fn decode(&self, engine: &Engine, request: &Resolved, decoder: &str, clean: Vec<f32>) -> Result<Vec<f32>, EngineError> {
        let role = self.manifest().latent.as_ref().map_or(Role::Picture, |_| Role::Latent);
        let tiling = Tiling::of(self.manifest(), decoder, role).map_err(|problem| EngineError::Run {
            stage: decoder.to_owned(),
            problem,
        })?;
        tiling.decode(clean, |part| {
            let mut values = Values::from([(role, Value::F32(part))]);
            self.over_styles(request, decoder, |style| {
                values.insert(Role::Style, Value::I64(vec![style]));
                let outputs = run_stage_with(&self.stages, engine, decoder, &values, request.conditions())?;
                floats(decoder, outputs, Role::Picture)
            })
        })
    }

    /// The estimate as a picture: at the denoiser's size, or of latents what the decoder for previews makes of them.
    fn preview(&self, engine: &Engine, request: &Resolved, estimate: &[f32]) -> Option<Picture> {
        let (channels, manifest) = (self.picture.channels, self.manifest());
        let Some(latent) = &manifest.latent else {
            let [1, planes, height, width] = *manifest.stages[DENOISER].outputs[0].shape else {
                return None;
            };
            let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
            let drawn = (planes == channels.count()).then(|| picture(channels, estimate, width, height));
            return drawn?.ok();
        };
        let decoder = latent.preview.as_ref().filter(|_| self.has_previews)?;
        let mut clean = estimate.to_vec();
        rescale(&mut clean, decoder.scale, decoder.shift);
        let drawn = self.decode(engine, request, &decoder.stage, clean).ok()?;
        let [height, width] = Tiling::of(manifest, &decoder.stage, Role::Latent).ok()?.picture_sides();
        picture(channels, &drawn, u32::try_from(width).ok()?, u32::try_from(height).ok()?).ok()
    }
}

/// Turns latents into what a decoder takes.
fn rescale(latent: &mut [f32], scale: f32, shift: f32) {
    latent.iter_mut().for_each(|value| *value = *value / scale + shift);
}

fn scaled(mut values: Vec<f32>, factor: f32) -> Vec<f32> {
    if factor != 1.0 {
        values.iter_mut().for_each(|value| *value *= factor);
    }
    values
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

/// The values of a picture, as stages take them.
fn planes(picture: &Picture, channels: Channels) -> Vec<f32> {
    match channels {
        Channels::Gray => picture.to_gray(),
        Channels::Rgb => picture.to_rgb(),
        Channels::RgbaPremultiplied => picture.to_premultiplied(),
    }
}

fn picture(channels: Channels, planes: &[f32], width: u32, height: u32) -> Result<Picture, PipelineError> {
    Ok(match channels {
        Channels::Gray => Picture::from_gray(planes, width, height)?,
        Channels::Rgb => Picture::from_rgb(planes, width, height)?,
        Channels::RgbaPremultiplied => Picture::from_premultiplied(planes, width, height)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
