//! The door of the library: a [`Request`] goes in, a [`Generated`] picture comes out.
//!
//! [`Pipeline::open`] opens a pack, [`Pipeline::generate`] does everything else: it reads the prompt, chooses the style, runs
//! the model, resizes, puts the background behind, and tells what was dropped, approximated or chosen. The command line, the
//! kiosk, the benchmark and `doctor` all go through here and put no picture together themselves.
//!
//! ```no_run
//! use inkstone::{Pipeline, Request};
//!
//! let mut pipeline = Pipeline::open("models/pictogram")?;
//! let generated = pipeline.generate(&Request::new("a red apple").style("flat").seed(7))?;
//! generated.picture.save("apple.png", &generated.provenance)?;
//! for note in &generated.notes {
//!     eprintln!("note: {note}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | file | what it owns |
//! |---|---|
//! | `request` | what is asked for |
//! | `resolved` | the same with everything decided |
//! | `generated` | the picture, notes and timings |
//! | `explaining`, `attention`, `attended`, `nearest` | which pixels each word of a prompt decides, where pixels look, similar training pictures |
//! | `extending` | drawing beyond the sides of a picture |
//! | `observer` | progress, previews, cancelling |
//! | [`morph`] | pictures that become one another |
//! | [`families`] | how a kind of model makes a picture; one file each |
//! | [`schedulers`] | how a denoising step is made; one file each |
//! | `wording` | from a request's prompts to the texts that are encoded |
//! | `template`, `emphasis` | [what braces and brackets mean](#prompts) |
//! | `prompt`, `styles` | token ids; which style is asked for |
//! | `record` | the record of a picture, and the request that draws it again |
//! | `noise`, `elementary` | the same noise, and the same functions, on every processor |
//!
//! # Prompts
//!
//! | in a prompt | means |
//! |---|---|
//! | `(red:1.3) cat` | "red" is drawn 1.3 times as strongly; `(red)` 1.1 times, `[red]` 1/1.1; brackets may be nested, and multiply |
//! | `{red\|blue\|2::green} cat` | one of them, green twice as often as each other; the seed chooses; choices may be nested |
//! | `{animal}`, `__animal__` | a line of the word list `animal.txt` in [`Request::words`] |
//! | `\(`, `\{` | the bracket itself |
//!
//! Round and square brackets without a partner are text; braces without one are an error. [`Request::literal`] takes all of them as text.
//!
//! Depends on [`crate::pack`], [`crate::engine`], [`crate::words`] and [`crate::picture`].

mod attended;
mod attention;
mod elementary;
mod emphasis;
mod error;
mod explaining;
mod extending;
pub mod families;
mod generated;
pub mod morph;
mod nearest;
mod noise;
mod observer;
mod prompt;
mod record;
mod request;
mod resolved;
pub mod schedulers;
mod styles;
mod template;
mod wording;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub use attended::{Attention, NoAttention, WordAttention};
pub use attention::AttentionMaps;
pub use error::PipelineError;
pub use explaining::{Explanation, WordEffect};
pub use families::Capabilities;
pub use generated::{Generated, Note, PhaseTime};
pub use nearest::{Nearest, Neighbour};
pub use noise::gaussian_noise;
pub use observer::{Observer, Phase, Progress, UnknownPhase, Unobserved};
pub use request::{Part, Request, Source, Variation};
pub use resolved::{Resolved, Text, label};

use extending::Extension;
use families::{FAMILIES, Family, FamilyEntry, Run};
use prompt::Prompt;
use styles::Chosen;
use wording::Wording;

use crate::engine::{ActivationWatch, Engine, Residency};
use crate::pack::{Manifest, Pack, PackError, Style};
use crate::picture::{Picture, PictureError, ScaleError, arranged, arrangement, scale};
use crate::process::panics::caught;
use crate::words::{Ambiguity, Language, Reader, Reading, Remark};

/// Prompts that are remembered, so that drawing one again reads no tokenizer.
const REMEMBERED: usize = 32;
/// Most variations of a picture, one upon another: each is noise that has to be made.
const MOST_VARIATIONS: usize = 64;

/// A prompt, and the language that it is taken for; nothing for what is not read.
type PromptKey = (String, Option<Option<Language>>);

/// How a pipeline is opened.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Options {
    /// Threads; 0 for one a core.
    pub threads: usize,
    /// Which stages stay in memory between pictures.
    pub residency: Residency,
    /// The families that manifests may name, [`FAMILIES`] by default.
    pub families: &'static [FamilyEntry],
    /// Whether a prompt that comes again is not encoded again, which is so by default; measurements want every picture to take what the
    /// first one takes.
    pub reuses_texts: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            threads: 0,
            residency: Residency::All,
            families: FAMILIES,
            reuses_texts: true,
        }
    }
}

impl Options {
    /// Sets the number of threads; 0 for one a core.
    #[must_use]
    pub fn threads(self, threads: usize) -> Options {
        Options { threads, ..self }
    }

    /// Sets which stages stay in memory.
    #[must_use]
    pub fn residency(self, residency: Residency) -> Options {
        Options { residency, ..self }
    }

    /// Sets the families that manifests may name, for programs that bring their own.
    #[must_use]
    pub fn families(self, families: &'static [FamilyEntry]) -> Options {
        Options { families, ..self }
    }

    /// Sets whether a prompt that comes again is not encoded again.
    #[must_use]
    pub fn reuses_texts(self, reuses_texts: bool) -> Options {
        Options { reuses_texts, ..self }
    }
}

/// A pack that is ready to generate pictures.
pub struct Pipeline {
    pack: Arc<Pack>,
    capabilities: Capabilities,
    family: Box<dyn Family>,
    /// By number of threads. Those that were used before keep their memory.
    engines: BTreeMap<usize, Engine>,
    threads: usize,
    prompts: Vec<(PromptKey, Prompt)>,
}

impl Pipeline {
    /// Opens the pack in a folder, with one thread a core. Stages are loaded when they are first needed, or by
    /// [`Pipeline::load`].
    ///
    /// # Errors
    /// If the folder is no pack, or its manifest does not fit its family.
    pub fn open(folder: impl AsRef<Path>) -> Result<Pipeline, PipelineError> {
        Pipeline::open_with(folder, &Options::default())
    }

    /// As [`Pipeline::open`], with options.
    ///
    /// # Errors
    /// As [`Pipeline::open`]; also if threads cannot be started or `INKSTONE_KERNEL` names no kernel of this processor.
    pub fn open_with(folder: impl AsRef<Path>, options: &Options) -> Result<Pipeline, PipelineError> {
        let folder = folder.as_ref();
        let open = || Pipeline::of_pack(Arc::new(Pack::open(folder)?), options);
        caught(open).unwrap_or_else(|problem| Err(panicked(folder, problem)))
    }

    /// A pipeline for a pack that is open already.
    ///
    /// # Errors
    /// As [`Pipeline::open_with`].
    pub fn of_pack(pack: Arc<Pack>, options: &Options) -> Result<Pipeline, PipelineError> {
        let (manifest, file) = (pack.manifest(), pack.manifest_path());
        let entry = families::find(options.families, manifest, &file)?;
        let capabilities = (entry.check)(manifest, &file)?;
        let engine = Engine::new(options.threads)?;
        Ok(Pipeline {
            family: (entry.open)(pack.clone(), options)?,
            capabilities,
            threads: engine.threads(),
            engines: BTreeMap::from([(engine.threads(), engine)]),
            prompts: Vec::new(),
            pack,
        })
    }

    /// Loads the stages now, so that the first picture does not have to wait for them. Without effect on stages that take
    /// turns in memory.
    ///
    /// # Errors
    /// If a graph does not fit the manifest, the weights file or the engine.
    pub fn load(&mut self) -> Result<(), PipelineError> {
        Ok(self.family.load(&self.engines[&self.threads])?)
    }

    /// The pack.
    pub fn pack(&self) -> &Pack {
        &self.pack
    }

    /// What the pack can be asked for.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The pack's styles; empty if it has none.
    pub fn styles(&self) -> &[Style] {
        &self.pack.manifest().styles
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Name of the int8 kernel in use.
    pub fn kernel(&self) -> &'static str {
        self.engines[&self.threads].kernel()
    }

    /// Uses another number of threads from now on; 0 for one a core. Thread pools that were used before are kept.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn set_threads(&mut self, threads: usize) -> Result<(), PipelineError> {
        if !self.engines.contains_key(&threads) {
            let engine = Engine::new(threads)?;
            self.threads = engine.threads();
            self.engines.entry(self.threads).or_insert(engine);
        } else {
            self.threads = threads;
        }
        Ok(())
    }

    /// Tells a watch what the int8 layers of all stages read, for tools that quantize. Thread pools of other sizes that are started later are not
    /// watched.
    pub fn watch_activations(&mut self, watch: &Arc<dyn ActivationWatch>) {
        self.engines.values_mut().for_each(|engine| engine.watch_activations(watch.clone()));
    }

    /// Generates a picture.
    ///
    /// # Errors
    /// If the request is invalid or asks for what the pack cannot do, or a stage cannot be loaded or fails.
    pub fn generate(&mut self, request: &Request) -> Result<Generated, PipelineError> {
        self.generate_with(request, &mut Unobserved)
    }

    /// Generates a picture and tells an observer after every phase.
    ///
    /// # Errors
    /// As [`Pipeline::generate`], and [`PipelineError::Interrupted`] if the observer cancels.
    pub fn generate_with(&mut self, request: &Request, observer: &mut dyn Observer) -> Result<Generated, PipelineError> {
        let pack = self.pack.clone();
        // After a panic, engines and prompts are as after the last picture: each is changed by a step of its own.
        caught(|| self.generate_unguarded(request, observer)).unwrap_or_else(|problem| Err(panicked(pack.folder(), problem)))
    }

    fn generate_unguarded(&mut self, request: &Request, observer: &mut dyn Observer) -> Result<Generated, PipelineError> {
        let mut resolved = self.decide(request)?;
        self.load()?;
        let (drawn, timings) = self.draw(&mut resolved, observer)?;
        let picture = finish(drawn, &resolved)?;
        Ok(Generated {
            provenance: self.provenance(request, &resolved, &picture),
            prompt: resolved.prompt(),
            picture,
            timings,
            notes: resolved.notes,
        })
    }

    /// The picture at the size that the family or the extended picture has, and how long its phases took.
    fn draw(&mut self, resolved: &mut Resolved, observer: &mut dyn Observer) -> Result<(Picture, Vec<PhaseTime>), PipelineError> {
        let (engine, family) = (&self.engines[&self.threads], &mut *self.family);
        let Some(source) = resolved.source.take_if(|source| !source.extend.is_empty()) else {
            let mut run = Run::new(observer, &family.phases(resolved));
            let pictures = family.generate(engine, resolved, &mut run)?;
            return Ok((together(resolved.rows(), pictures, resolved.size_of_page())?, run.into_timings()));
        };
        let extension = Extension::of(&source, (self.capabilities.width, self.capabilities.height));
        let mut run = Run::new(observer, &extension.phases(family, resolved, &source)?);
        let picture = extension.draw(family, engine, resolved, &source, &mut run)?;
        resolved.source = Some(source);
        Ok((picture, run.into_timings()))
    }

    /// Decides everything about a request without generating anything: reads the prompt, chooses style, steps and seed, and
    /// checks that the pack can do it. The prompt's reading is remembered for [`Pipeline::generate`].
    ///
    /// # Errors
    /// If the request is invalid or asks for what the pack cannot do, or the tokenizer cannot be read.
    pub fn resolve(&mut self, request: &Request) -> Result<Resolved, PipelineError> {
        let pack = self.pack.clone();
        caught(|| self.decide(request)).unwrap_or_else(|problem| Err(panicked(pack.folder(), problem)))
    }

    fn decide(&mut self, request: &Request) -> Result<Resolved, PipelineError> {
        let pack = self.pack.clone();
        let styles = &pack.manifest().styles;
        let (steps, guidance) = self.check(request)?;
        let seed = request.seed.unwrap_or_else(random_seed);
        let wording = Wording::of(request, seed, !self.capabilities.has_prompt)?;
        let read = self.read(&wording, request, styles)?;
        self.check_source(request, &read.prompt)?;
        let mut notes = read.notes;
        notes.extend(unused(&read.negative, guidance, self.capabilities().has_negative));
        notes.extend(self.prompt_unused(request));
        Ok(Resolved {
            notes,
            prompt: read.prompt,
            parts: wording.parts,
            template: wording.template,
            texts: read.texts,
            negative_prompt: wording.negative,
            negative: read.negative,
            conditions: request.conditions.clone(),
            source: request.source.clone(),
            style: read.style.cloned(),
            steps,
            guidance,
            seed,
            variations: request
                .variations
                .iter()
                .copied()
                .filter(|variation| variation.strength > 0.0)
                .collect(),
            size: request.size,
            background: request.background,
        })
    }

    /// Steps and guidance of a request.
    fn check(&self, request: &Request) -> Result<(usize, f32), PipelineError> {
        let can = &self.capabilities;
        let steps = request.steps.unwrap_or(can.default_steps);
        if !can.steps.contains(&steps) {
            return Err(PipelineError::Steps {
                steps,
                known: can.steps.clone(),
            });
        }
        let guidance = request.guidance.unwrap_or(can.default_guidance);
        if !(0.0..=can.max_guidance).contains(&guidance) {
            return Err(PipelineError::Guidance {
                guidance,
                max: can.max_guidance,
            });
        }
        self.check_conditions(request)?;
        self.check_variations(request)?;
        match request.size {
            Some(size) if !scale::SIZES.contains(&size) => Err(ScaleError::Size(size).into()),
            _ => Ok((steps, guidance)),
        }
    }

    /// A picture to start from.
    fn check_source(&self, request: &Request, prompt: &Prompt) -> Result<(), PipelineError> {
        let Some(source) = &request.source else { return Ok(()) };
        if !self.capabilities.takes_pictures {
            return Err(PipelineError::NoPictures);
        }
        if !(0.0..=1.0).contains(&source.strength) {
            return Err(PipelineError::Strength(source.strength));
        }
        if let Some(arrangement) = &prompt.reading.arrangement {
            return Err(PipelineError::SeveralObjects {
                count: arrangement.rows.iter().map(Vec::len).sum(),
                first: arrangement.objects.first().cloned().unwrap_or_default(),
            });
        }
        source.extended_sides().map_err(PipelineError::Extended)?;
        if !source.extend.is_empty() && source.mask.is_some() {
            return Err(PipelineError::ExtendedMask);
        }
        let sides = |picture: &Picture| [picture.width(), picture.height()];
        let picture = sides(&source.picture);
        match source.mask.as_ref().map(sides) {
            Some(mask) if u64::from(mask[0]) * u64::from(picture[1]) != u64::from(mask[1]) * u64::from(picture[0]) => {
                Err(PipelineError::Mask { mask, picture })
            }
            _ => Ok(()),
        }
    }

    fn check_variations(&self, request: &Request) -> Result<(), PipelineError> {
        let variations = &request.variations;
        if !variations.is_empty() && !self.capabilities.varies {
            return Err(PipelineError::NoVariation);
        }
        if variations.len() > MOST_VARIATIONS {
            let problem = format!(
                "there are {} of one picture, and at most {MOST_VARIATIONS} are possible",
                variations.len()
            );
            return Err(PipelineError::Variation(problem));
        }
        match variations.iter().find(|variation| !(0.0..=1.0).contains(&variation.strength)) {
            None => Ok(()),
            Some(wrong) => Err(PipelineError::Variation(format!(
                "its strength {} is not between 0 and 1",
                wrong.strength
            ))),
        }
    }

    fn prompt_unused(&self, request: &Request) -> Option<Note> {
        let is_unused = !self.capabilities.has_prompt && !request.prompt.is_empty();
        is_unused.then(|| Note::PromptUnused {
            text: request.prompt.clone(),
        })
    }

    fn check_conditions(&self, request: &Request) -> Result<(), PipelineError> {
        let known = &self.capabilities.conditions;
        for (name, value) in &request.conditions {
            let condition = known.iter().find(|condition| condition.name == *name);
            let condition = condition.ok_or_else(|| PipelineError::UnknownCondition {
                name: name.clone(),
                known: known.iter().map(|condition| condition.name.clone()).collect(),
            })?;
            condition.check(*value).map_err(|problem| PipelineError::Condition {
                name: name.clone(),
                value: *value,
                problem,
            })?;
        }
        Ok(())
    }
}

/// Checks that a manifest fits its family: its tables, stages, and the roles, types, sizes and ranges of its ports. A manifest
/// without a family passes. `file` is named in errors.
///
/// # Errors
/// For the first field that does not fit.
pub fn check_manifest(manifest: &Manifest, file: &Path) -> Result<(), PackError> {
    match manifest.family {
        Some(_) => (families::find(FAMILIES, manifest, file)?.check)(manifest, file).map(drop),
        None => Ok(()),
    }
}

fn panicked(pack: &Path, problem: String) -> PipelineError {
    PipelineError::Panic {
        pack: pack.to_path_buf(),
        problem,
    }
}

/// A seed that is short enough to be typed again.
#[doc(hidden)]
pub fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish() & 0xffff_ffff
}

/// A prompt as it would be drawn, without anything being loaded but the lexicon.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PromptReading {
    /// How its words were read.
    pub reading: Reading,
    /// The style that it would be drawn in; `None` if the pack has none.
    pub style: Option<String>,
    /// What there is to say about it.
    pub notes: Vec<Note>,
    /// Names of things to ask for instead, if nothing of it can be drawn.
    pub suggestions: Vec<String>,
    /// A word that names several things, with the prompts that ask for each.
    pub ambiguity: Option<Ambiguity>,
}

/// Reads a prompt as [`Pipeline::generate`] does, by a lexicon that is open.
///
/// # Errors
/// If the lexicon is damaged.
pub fn read_prompt(manifest: &Manifest, reader: &Reader, text: &str, language: Option<Language>) -> Result<PromptReading, PipelineError> {
    let limits = manifest.prompt.as_ref();
    limits.map_or(Ok(()), |limits| prompt::check_length(text, limits))?;
    let styles = &manifest.styles;
    let text = &emphasis::parse(text)?.text;
    let chosen = styles::choose(styles, None, text)?;
    let reading = reader.read(&chosen.prompt, language)?;
    let suggestions = if reading.is_known() {
        Vec::new()
    } else {
        reader.suggestions(&reading, language)
    };
    let prompt = Prompt {
        ambiguity: reader.ambiguity(&chosen.prompt, &reading, language)?,
        ..Prompt::of(reading)
    };
    let (style, learned) = style_of(styles, chosen, &prompt.reading);
    Ok(PromptReading {
        notes: notes(&prompt, style, learned),
        style: style.map(|style| style.name.clone()),
        suggestions,
        ambiguity: prompt.ambiguity,
        reading: prompt.reading,
    })
}

/// The style to draw in, and again if it is one that only the model's training asks for.
fn style_of<'a>(styles: &'a [Style], chosen: Chosen<'a>, reading: &Reading) -> (Option<&'a Style>, Option<&'a Style>) {
    let chosen = chosen.or_asked(styles, reading.style.as_ref().map(|asked| asked.name.as_str()));
    let style = chosen.or_learned(styles, reading.learned_style.as_deref());
    (style, style.filter(|style| chosen.style != Some(style)))
}

/// A prompt without its marks of emphasis.
///
/// # Errors
/// If they are invalid.
pub fn without_emphasis(prompt: &str) -> Result<String, PipelineError> {
    Ok(emphasis::parse(prompt)?.text)
}

/// The error for a prompt of which nothing can be drawn.
fn unknown_prompt(text: &str, prompt: Prompt) -> PipelineError {
    let learned = prompt.reading.remarks.iter().find_map(|remark| match remark {
        Remark::NotLearned { text, .. } => Some(text.clone()),
        _ => None,
    });
    let remarks = &prompt.reading.remarks;
    PipelineError::UnknownPrompt {
        prompt: text.to_owned(),
        is_known: !prompt.reading.spans.is_empty() && !remarks.iter().any(|remark| matches!(remark, Remark::Unknown { .. })),
        name: learned,
        nearest: prompt.suggested,
    }
}

/// What there is to say about a negative prompt that has no effect.
fn unused(negative: &[Text], guidance: f32, has_negative: bool) -> Option<Note> {
    let text = &negative.first()?.prompt.reading.text;
    ((guidance <= 1.0 || !has_negative) && !text.is_empty()).then(|| Note::NegativeUnused { text: text.clone() })
}

/// What there is to say about a prompt, and about a style that nobody asked for.
fn notes(prompt: &Prompt, style: Option<&Style>, learned: Option<&Style>) -> Vec<Note> {
    let reading = &prompt.reading;
    let remarks = reading.remarks.iter().map(Note::of);
    let missing = reading
        .style
        .as_ref()
        .filter(|asked| style.is_none_or(|style| style.name != asked.name));
    let missing = missing.filter(|_| reading.is_known()).map(|asked| Note::Dropped {
        text: asked.text.clone(),
        drawn: reading.text.clone(),
    });
    let guessed = prompt.is_guess.then(|| Note::Guessed {
        text: reading.text.clone(),
    });
    let ambiguous = prompt.ambiguity.as_ref().and_then(Note::of_ambiguity);
    let style = learned.map(|style| Note::StyleChosen { style: style.name.clone() });
    let truncated = prompt.truncated.map(|tokens| Note::Truncated { tokens });
    guessed
        .into_iter()
        .chain(remarks)
        .chain(ambiguous)
        .chain(missing)
        .chain(style)
        .chain(truncated)
        .collect()
}

/// The picture of a prompt: of its objects in rows, or of the only one. Objects get as many pixels of a page of this size as they have; without a
/// size the page is as large as one of them.
fn together(rows: &[Vec<usize>], mut pictures: Vec<Picture>, size: Option<u32>) -> Result<Picture, PictureError> {
    if rows.is_empty() {
        return pictures.pop().ok_or(PictureError::Arrangement);
    }
    let own = pictures.first().map_or(1, |picture| picture.width().max(picture.height()));
    let size = size.map_or(own, |size| size.clamp(own, own * arrangement::across(rows)));
    let rows: Vec<Vec<&Picture>> = rows
        .iter()
        .map(|row| row.iter().filter_map(|&object| pictures.get(object)).collect())
        .collect();
    arranged(&rows, size)
}

/// Size and background.
fn finish(picture: Picture, resolved: &Resolved) -> Result<Picture, PipelineError> {
    let scaled = match resolved.size {
        Some(size) => scale::scale(&picture, size, resolved.resampling())?,
        None => picture,
    };
    Ok(resolved.background.apply(&scaled))
}
