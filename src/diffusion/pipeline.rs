//! The whole way: prompt → tokens → text encoder → denoising steps → decoder → picture.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::sampler::{clean_picture, euler_step, guide};
use super::{DiffusionError, Prompt, gaussian_noise};
use crate::engine::{Engine, EngineError, Input, Residency, Stages, Value};
use crate::pack::{self, Channels, DECODER, DENOISER, MANIFEST, Pack, PackError, PictureShape, Port, Sampling, Style, TEXT_ENCODER};
use crate::picture::{Picture, PictureError, arranged};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What to draw.
    pub prompt: &'a Prompt,
    /// What to move away from where `guidance` is not 1.
    pub negative: &'a Prompt,
    /// The style; none where the pack has none.
    pub style: Option<&'a Style>,
    /// Number of denoising steps, one of the pack's schedules.
    pub steps: usize,
    /// Strength of guidance; 1 runs the denoiser once a step.
    pub guidance: f32,
    /// Seed of the noise.
    pub seed: u64,
}

/// How far a picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The text encoder has run; denoising begins.
    Text,
    /// A denoising step is done.
    Step {
        /// Steps done, those of all things that are drawn one by one together.
        done: usize,
        /// Steps in all.
        of: usize,
    },
    /// The decoder has run.
    Decoded,
}

/// Someone who watches a picture being drawn.
pub trait Observer {
    /// Called after every stage and step. Returning `false` stops the picture.
    fn progress(&mut self, progress: Progress) -> bool;

    /// Called after every step with what the denoiser has in mind, where it works on pictures; `picture` makes it.
    fn preview(&mut self, _step: usize, _picture: &dyn Fn() -> Option<Picture>) {}
}

/// Time that one stage or step took.
#[derive(Clone, Debug, PartialEq)]
pub struct StageTime {
    /// `text_encoder`, `step 1`, …, `decoder`.
    pub stage: String,
    /// Wall-clock time.
    pub time: Duration,
}

/// A drawn picture.
#[derive(Debug)]
pub struct Generation {
    /// The picture at the pack's size, which several things share.
    pub picture: Picture,
    /// Time of every stage, in order.
    pub times: Vec<StageTime>,
}

/// A pack's stages, ready to draw.
pub struct Pipeline {
    shape: PictureShape,
    sampling: Sampling,
    stages: Stages,
}

/// Values by the names of the ports that take them.
type Named = BTreeMap<String, Value>;

/// Names of the ports that the sampling loop fills by itself.
const PICTURE: &str = "picture";
const TIME: &str = "time";
const STYLE: &str = "style";
const IDS: &str = "ids";

impl Pipeline {
    /// Loads a pack's stages.
    ///
    /// # Errors
    /// If the pack makes no pictures from text, a stage cannot be loaded, or a port has a name or size that
    /// the sampling loop cannot fill.
    pub fn load(pack: Arc<Pack>, residency: Residency) -> Result<Pipeline, DiffusionError> {
        let tables = pack.text_to_picture()?;
        let (shape, sampling) = (tables.picture.clone(), tables.sampling.clone());
        let pipeline = Pipeline {
            shape,
            sampling,
            stages: Stages::load(&Engine::new(1)?, pack, residency)?,
        };
        pipeline.check_ports()?;
        Ok(pipeline)
    }

    /// The manifest's table of the text encoder or the denoiser, without which no manifest of this task is accepted, or of
    /// a stage that was found to be there.
    fn record(&self, stage: &str) -> &pack::Stage {
        &self.stages.pack().manifest().stages[stage]
    }

    fn decoder(&self) -> Option<&pack::Stage> {
        self.stages.pack().manifest().stages.get(DECODER)
    }

    /// Runs a stage; outputs by the names of their ports.
    fn run(&self, engine: &Engine, stage: &str, values: &Named) -> Result<Named, EngineError> {
        let record = self.record(stage);
        // The ports' names were checked when the pipeline was loaded.
        let inputs: Vec<Input> = record
            .inputs
            .iter()
            .filter_map(|port| values.get(&port.name).map(Value::as_input))
            .collect();
        let outputs = self.stages.get(stage)?.run(engine, &inputs)?;
        Ok(record.outputs.iter().map(|port| port.name.clone()).zip(outputs).collect())
    }

    /// Runs a stage with one float output.
    fn predict(&self, engine: &Engine, stage: &str, values: &Named) -> Result<Vec<f32>, EngineError> {
        let mut outputs = self.run(engine, stage, values)?;
        let output = outputs.remove(&self.record(stage).outputs[0].name).and_then(Value::into_floats);
        output.ok_or_else(|| EngineError::Run {
            stage: stage.to_owned(),
            problem: "the output is not of floats".into(),
        })
    }

    /// Every input must be one that the loop knows, and the sizes of what is handed on must agree.
    fn check_ports(&self) -> Result<(), PackError> {
        let pack = self.stages.pack();
        let (text_encoder, denoiser) = (self.record(TEXT_ENCODER), self.record(DENOISER));
        let fail = |stage: &str, problem: String| PackError::field(&pack.folder().join(MANIFEST), &format!("stages.{stage}"), problem);
        let elements = |port: &Port| port.shape.iter().product::<usize>();
        let sizes = |ports: &[Port]| {
            ports
                .iter()
                .map(|port| (port.name.clone(), elements(port)))
                .collect::<BTreeMap<_, _>>()
        };
        let drawn = elements(&denoiser.outputs[0]);
        let picture = self.shape.width as usize * self.shape.height as usize * self.shape.channels.count();
        let mut known = BTreeMap::from([(STYLE.to_owned(), 1), (IDS.to_owned(), pack.text_to_picture()?.prompt.max_tokens)]);
        let check = |stage: &str, ports: &[Port], known: &BTreeMap<String, usize>| {
            let wrong = ports.iter().find(|port| known.get(&port.name) != Some(&elements(port)));
            wrong.map_or(Ok(()), |port| {
                Err(fail(
                    stage,
                    format!(
                        "input '{}' of shape {:?} is not one that can be given: {known:?}",
                        port.name, port.shape
                    ),
                ))
            })
        };
        check(TEXT_ENCODER, &text_encoder.inputs, &known)?;
        known.extend(sizes(&text_encoder.outputs));
        known.extend([(PICTURE.to_owned(), drawn), (TIME.to_owned(), 1)]);
        check(DENOISER, &denoiser.inputs, &known)?;
        let last = self.decoder().unwrap_or(denoiser);
        if let Some(decoder) = self.decoder() {
            check(DECODER, &decoder.inputs, &known)?;
        }
        if elements(&last.outputs[0]) != picture {
            return Err(fail(
                DECODER,
                format!("the output of {} values is no picture of {picture}", elements(&last.outputs[0])),
            ));
        }
        Ok(())
    }

    /// The pack's sampling table.
    pub fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// Checks everything about a request that can be checked before anything runs.
    ///
    /// # Errors
    /// If the steps or the guidance are not what the pack takes.
    pub fn check(&self, request: &Request) -> Result<(), DiffusionError> {
        if self.sampling.schedule(request.steps).is_none() {
            return Err(DiffusionError::Steps {
                steps: request.steps,
                known: self.sampling.steps(),
            });
        }
        if !(0.0..=self.sampling.max_guidance).contains(&request.guidance) {
            return Err(DiffusionError::Guidance {
                guidance: request.guidance,
                most: self.sampling.max_guidance,
            });
        }
        Ok(())
    }

    /// Draws one picture.
    ///
    /// # Errors
    /// As [`Pipeline::check`]; also if a stage fails or the observer stops the picture.
    pub fn generate(&self, engine: &Engine, request: &Request, observer: &mut dyn Observer) -> Result<Generation, DiffusionError> {
        self.check(request)?;
        let mut run = Run {
            engine,
            observer,
            times: Vec::new(),
        };
        let style = request.style.map_or(0, |style| style.id);
        let (texts, other) = run.timed(TEXT_ENCODER, |_| {
            let things = request.prompt.things().iter();
            let texts: Vec<Named> = things.map(|ids| self.encode(engine, ids, style)).collect::<Result<_, _>>()?;
            let other = if request.guidance == 1.0 {
                None
            } else {
                Some(self.encode(engine, request.negative.ids(), style)?)
            };
            Ok((texts, other))
        })?;
        run.report(Progress::Text)?;
        let mut drawn = Vec::new();
        for (text, thing) in texts.into_iter().zip(0..) {
            drawn.push(self.denoise(&mut run, request, thing, text, other.clone())?);
        }
        if self.decoder().is_some() {
            drawn = run.timed(DECODER, |_| {
                drawn.into_iter().map(|picture| self.decode(engine, picture, style)).collect()
            })?;
            run.report(Progress::Decoded)?;
        }
        let pictures = drawn
            .iter()
            .map(|picture| self.to_picture(picture, self.shape.width, self.shape.height));
        Ok(Generation {
            picture: together(request.prompt.rows(), pictures.collect::<Result<_, _>>()?)?,
            times: run.times,
        })
    }

    fn decode(&self, engine: &Engine, picture: Vec<f32>, style: i64) -> Result<Vec<f32>, DiffusionError> {
        let values = Named::from([(PICTURE.into(), Value::F32(picture)), (STYLE.into(), Value::I64(vec![style]))]);
        Ok(self.predict(engine, DECODER, &values)?)
    }

    fn encode(&self, engine: &Engine, ids: &[i64], style: i64) -> Result<Named, DiffusionError> {
        let values = Named::from([(IDS.into(), Value::I64(ids.to_vec())), (STYLE.into(), Value::I64(vec![style]))]);
        let mut outputs = self.run(engine, TEXT_ENCODER, &values)?;
        outputs.insert(STYLE.into(), Value::I64(vec![style]));
        Ok(outputs)
    }

    /// Draws one of the prompt's things, each from noise of its own.
    fn denoise(
        &self,
        run: &mut Run,
        request: &Request,
        thing: u32,
        mut text: Named,
        mut other: Option<Named>,
    ) -> Result<Vec<f32>, DiffusionError> {
        let before = thing as usize * request.steps;
        let times = self.sampling.schedule(request.steps).unwrap_or_default();
        let count = self.record(DENOISER).outputs[0].shape.iter().product();
        let mut noisy = gaussian_noise(request.seed, thing, count);
        for (index, pair) in times.windows(2).enumerate() {
            let (start, end) = (pair[0], pair[1]);
            let done = before + index + 1;
            let clean = run.timed(&format!("step {done}"), |engine| {
                let mut predicted = self.predict_clean(engine, &mut text, &noisy, start)?;
                if let Some(other) = &mut other {
                    guide(&mut predicted, &self.predict_clean(engine, other, &noisy, start)?, request.guidance);
                }
                let clean = clean_picture(&noisy, &predicted, self.sampling.prediction, start);
                euler_step(&mut noisy, &predicted, self.sampling.prediction, start, end);
                Ok(clean)
            })?;
            run.observer.preview(done, &|| self.preview(&clean));
            run.report(Progress::Step {
                done,
                of: request.steps * request.prompt.things().len(),
            })?;
        }
        noisy.iter_mut().for_each(|value| *value = value.clamp(-1.0, 1.0));
        Ok(noisy)
    }

    fn predict_clean(&self, engine: &Engine, values: &mut Named, noisy: &[f32], time: f32) -> Result<Vec<f32>, DiffusionError> {
        values.insert(PICTURE.into(), Value::F32(noisy.to_vec()));
        values.insert(TIME.into(), Value::F32(vec![time]));
        Ok(self.predict(engine, DENOISER, values)?)
    }

    fn to_picture(&self, planes: &[f32], width: u32, height: u32) -> Result<Picture, DiffusionError> {
        Ok(match self.shape.channels {
            Channels::Rgb => Picture::from_rgb(planes, width, height)?,
            Channels::RgbaPremultiplied => Picture::from_premultiplied(planes, width, height)?,
        })
    }

    /// What the denoiser has in mind, at its own size; nothing where it does not work on pictures.
    fn preview(&self, clean: &[f32]) -> Option<Picture> {
        let [1, channels, height, width] = *self.record(DENOISER).outputs[0].shape else {
            return None;
        };
        let sides = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
        if channels == self.shape.channels.count() {
            self.to_picture(clean, sides.0, sides.1).ok()
        } else {
            None
        }
    }
}

/// The picture of a prompt: of its things in rows, or of the only one.
fn together(rows: &[Vec<usize>], mut pictures: Vec<Picture>) -> Result<Picture, PictureError> {
    let rows: Vec<Vec<&Picture>> = rows
        .iter()
        .map(|row| row.iter().filter_map(|&thing| pictures.get(thing)).collect())
        .collect();
    match rows.as_slice() {
        [] => pictures.pop().ok_or(PictureError::Arrangement),
        rows => arranged(rows),
    }
}

/// One picture being drawn.
struct Run<'a> {
    engine: &'a Engine,
    observer: &'a mut dyn Observer,
    times: Vec<StageTime>,
}

impl Run<'_> {
    fn timed<R>(&mut self, stage: &str, work: impl FnOnce(&Engine) -> Result<R, DiffusionError>) -> Result<R, DiffusionError> {
        let started = Instant::now();
        let result = work(self.engine)?;
        self.times.push(StageTime {
            stage: stage.to_owned(),
            time: started.elapsed(),
        });
        Ok(result)
    }

    fn report(&mut self, progress: Progress) -> Result<(), DiffusionError> {
        if self.observer.progress(progress) {
            Ok(())
        } else {
            Err(DiffusionError::Interrupted)
        }
    }
}
