//! `inkstone generate`: prompt → pictures on disk and in the terminal.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::locate::PackArgument;
use super::{CliError, interrupt, output};
use crate::bench::PeakMemory;
use crate::diffusion::{Generation, Observer, Pipeline, Progress, Prompt, PromptReader, Request, choose_style};
use crate::engine::{Engine, Residency};
use crate::pack::Pack;
use crate::picture::{Background, Picture, PngError, Provenance, Resampling, file_name, png, scale};

/// Styles whose pictures are enlarged by whole pixels.
const SPRITES: &str = "pixel";

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to draw, such as "a smiling cat, 3d style".
    prompt: String,
    #[command(flatten)]
    pack: PackArgument,
    /// Drawing style; where nothing is said the prompt's words decide, then which styles the pack has learned the thing in.
    #[arg(long)]
    style: Option<String>,
    /// Denoising steps: more is slower and better.
    #[arg(long, allow_negative_numbers = true)]
    steps: Option<usize>,
    /// Seed of the noise; a random one where nothing is said. The same seed draws the same picture.
    #[arg(long)]
    seed: Option<u64>,
    /// How strongly to follow the prompt; other values than 1 take twice the time.
    #[arg(long, allow_negative_numbers = true)]
    guidance: Option<f32>,
    /// What the picture should not show; takes effect with a guidance above 1.
    #[arg(long, value_name = "TEXT")]
    negative: Option<String>,
    /// Number of pictures; the seed counts up.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Longest side in pixels, 8 to 4096; the pack's own size where nothing is said.
    #[arg(long, value_name = "PX")]
    size: Option<u32>,
    /// What lies behind the picture: transparent, a colour, or two for a gradient from top to bottom.
    #[arg(long, value_name = "transparent|COLOUR|COLOUR:COLOUR", default_value = "transparent")]
    background: Background,
    /// File (.png) or folder to write; a file named after the prompt where nothing is said.
    #[arg(long, value_name = "FILE|DIR")]
    out: Option<PathBuf>,
    /// Replace files that exist.
    #[arg(long)]
    force: bool,
    /// `auto` shows the picture in the terminal, `none` does not, a folder also receives each step's picture.
    #[arg(long, value_name = "auto|none|DIR", default_value = "auto")]
    preview: String,
    /// Threads; as many as there are cores where nothing is said.
    #[arg(long, value_parser = threads)]
    threads: Option<usize>,
    /// Keep private memory and mapped weights together below so many MiB, if that can be: stages are loaded one after
    /// another, which takes longer.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    memory_cap: Option<u64>,
    /// Print JSON: files, seeds, checksums, times and memory.
    #[arg(long)]
    json: bool,
}

fn threads(text: &str) -> Result<usize, String> {
    text.parse::<usize>()
        .ok()
        .filter(|threads| (1..=1024).contains(threads))
        .ok_or_else(|| "must be between 1 and 1024".into())
}

/// A request with everything decided.
struct Plan {
    prompt: Prompt,
    negative: Prompt,
    style: Option<crate::pack::Style>,
    steps: usize,
    guidance: f32,
    first_seed: u64,
    files: Vec<PathBuf>,
}

/// Runs `generate`. `started` is when the process did.
pub fn run(arguments: &Arguments, started: Instant) -> Result<(), CliError> {
    let pack = Arc::new(arguments.pack.open()?);
    let engine = Engine::new(arguments.threads.unwrap_or(0))?;
    let mut memory = PeakMemory::default();
    let plan = plan(arguments, &pack, &mut memory)?;
    let residency = if arguments.memory_cap.is_some() {
        Residency::OneStage
    } else {
        Residency::All
    };
    let pipeline = Pipeline::load(pack.clone(), residency)?;
    pipeline.check(&request(&plan, plan.first_seed))?;
    interrupt::listen();
    let bar = output::progress(
        (plan.files.len() * (plan.steps * plan.prompt.things().len() + 2)) as u64,
        "{bar:32} {msg} {eta} left",
    );
    let mut watch = Watch {
        bar,
        memory,
        first_step: None,
        started,
        folder: previews(arguments)?,
    };
    let mut records = Vec::new();
    let mut shown = Vec::new();
    for (index, file) in plan.files.iter().enumerate() {
        let seed = plan.first_seed.wrapping_add(index as u64);
        let request = request(&plan, seed);
        let drawing = Instant::now();
        let generation = pipeline.generate(&engine, &request, &mut watch)?;
        let drawn = drawing.elapsed();
        let picture = finish(&generation.picture, arguments, &plan)?;
        png::write(
            &picture,
            file,
            Some(&provenance(arguments, &plan, &pack, &picture, seed)),
            arguments.force,
        )?;
        records.push(record(file, seed, &picture, &generation, drawn));
        shown.push(picture);
        watch.memory.sample();
    }
    watch.bar.finish_and_clear();
    warn_above(arguments.memory_cap, &watch.memory);
    if arguments.json {
        return output::json(&report(arguments, &plan, &pack, &engine, &watch, records));
    }
    if arguments.preview != "none" {
        output::show(&shown)?;
    }
    plan.files.iter().zip(&records).try_for_each(|(file, record)| {
        output::result(&format!(
            "{} (seed {}, {:.0} ms)",
            file.display(),
            record["seed"],
            record["milliseconds"].as_f64().unwrap_or_default()
        ))
    })
}

fn warn_above(cap: Option<u64>, memory: &PeakMemory) {
    let peak = memory.peak().resident_bytes().div_ceil(1 << 20);
    if let Some(cap) = cap.filter(|&cap| peak > cap) {
        log::warn!("memory reached {peak} MiB, above the cap of {cap} MiB: this pack needs as much");
    }
}

/// Decides everything that can be decided before the stages are loaded.
fn plan(arguments: &Arguments, pack: &Pack, memory: &mut PeakMemory) -> Result<Plan, CliError> {
    let styles = &pack.manifest().styles;
    let chosen = choose_style(styles, arguments.style.as_deref(), &arguments.prompt)?;
    let sampling = pack.text_to_picture()?.sampling;
    let reader = PromptReader::load(pack)?;
    let negative = arguments.negative.as_deref().filter(|text| !text.is_empty());
    let prompt = reader.read(&chosen.prompt)?;
    let mut plan = Plan {
        style: prompt.style(styles, &chosen).cloned(),
        prompt,
        negative: negative.map_or_else(|| reader.nothing(), |text| reader.read(text))?,
        steps: arguments.steps.unwrap_or(sampling.default_steps),
        guidance: arguments.guidance.unwrap_or(sampling.default_guidance),
        first_seed: arguments.seed.unwrap_or_else(random_seed),
        files: Vec::new(),
    };
    memory.sample();
    if let Some(size) = arguments.size
        && !scale::SIZES.contains(&size)
    {
        return Err(scale::ScaleError::Size(size).into());
    }
    plan.files = files(arguments, &plan)?;
    Ok(plan)
}

fn request(plan: &Plan, seed: u64) -> Request<'_> {
    Request {
        prompt: &plan.prompt,
        negative: &plan.negative,
        style: plan.style.as_ref(),
        steps: plan.steps,
        guidance: plan.guidance,
        seed,
    }
}

/// A seed that is short enough to be typed again.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish() & 0xffff_ffff
}

/// The files to write, checked before anything is drawn: they are PNG files and none exists without `--force`.
fn files(arguments: &Arguments, plan: &Plan) -> Result<Vec<PathBuf>, CliError> {
    let count = arguments.count as usize;
    let out = arguments.out.clone().unwrap_or_default();
    let is_folder = arguments.out.is_none() || out.is_dir() || out.as_os_str().as_encoded_bytes().ends_with(b"/");
    let files: Vec<PathBuf> = if is_folder {
        let name = |seed: u64| format!("{}-{seed}.png", file_name(&arguments.prompt));
        (0..count)
            .map(|index| out.join(name(plan.first_seed.wrapping_add(index as u64))))
            .collect()
    } else {
        let extension = out.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !extension.eq_ignore_ascii_case("png") {
            return Err(CliError::Usage(format!(
                "{}: pictures are written as PNG; give a name that ends in .png, or a folder",
                out.display()
            )));
        }
        let numbered = |index: usize| {
            out.with_file_name(format!(
                "{}-{}.png",
                out.file_stem().unwrap_or_default().to_string_lossy(),
                index + 1
            ))
        };
        if count == 1 {
            vec![out.clone()]
        } else {
            (0..count).map(numbered).collect()
        }
    };
    match files.iter().find(|file| !arguments.force && file.symlink_metadata().is_ok()) {
        Some(file) => Err(PngError::Exists(file.clone()).into()),
        None => Ok(files),
    }
}

/// The folder for each step's picture, made where it is missing.
fn previews(arguments: &Arguments) -> Result<Option<PathBuf>, CliError> {
    if matches!(arguments.preview.as_str(), "auto" | "none") {
        return Ok(None);
    }
    let folder = PathBuf::from(&arguments.preview);
    std::fs::create_dir_all(&folder).map_err(|error| CliError::Usage(format!("--preview {}: {error}", folder.display())))?;
    Ok(Some(folder))
}

/// Size and background.
fn finish(picture: &Picture, arguments: &Arguments, plan: &Plan) -> Result<Picture, CliError> {
    let sprite = plan.style.as_ref().is_some_and(|style| style.name == SPRITES);
    let resampling = if sprite { Resampling::Pixels } else { Resampling::Smooth };
    let scaled = match arguments.size {
        Some(size) => scale::scale(picture, size, resampling)?,
        None => picture.clone(),
    };
    Ok(arguments.background.apply(&scaled))
}

fn provenance(arguments: &Arguments, plan: &Plan, pack: &Pack, picture: &Picture, seed: u64) -> Provenance {
    let manifest = pack.manifest();
    Provenance {
        prompt: arguments.prompt.clone(),
        negative: arguments.negative.clone(),
        style: plan.style.as_ref().map(|style| style.name.clone()),
        steps: u32::try_from(plan.steps).unwrap_or(u32::MAX),
        seed,
        guidance: plan.guidance,
        size: [picture.width(), picture.height()],
        background: arguments.background.to_string(),
        pack_name: manifest.name.clone(),
        pack_version: manifest.version.clone(),
        pack_sha256: pack.sha256().to_owned(),
        picture_sha256: picture.sha256(),
        software: env!("CARGO_PKG_NAME").into(),
        software_version: env!("CARGO_PKG_VERSION").into(),
        // Left out, so that the same request writes the same bytes; the file's own time tells when.
        created: None,
        extra: Default::default(),
    }
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn record(file: &Path, seed: u64, picture: &Picture, generation: &Generation, drawn: Duration) -> Value {
    let stages: Vec<Value> = generation
        .times
        .iter()
        .map(|time| json!({ "stage": time.stage, "milliseconds": milliseconds(time.time) }))
        .collect();
    json!({
        "file": file, "seed": seed, "width": picture.width(), "height": picture.height(), "sha256": picture.sha256(),
        "milliseconds": milliseconds(drawn), "stages": stages,
    })
}

fn report(arguments: &Arguments, plan: &Plan, pack: &Pack, engine: &Engine, watch: &Watch, records: Vec<Value>) -> Value {
    json!({
        "prompt": arguments.prompt, "read_as": plan.prompt.text(), "nearest": plan.prompt.nearest(), "unread": plan.prompt.unread(),
        "things": plan.prompt.names_of_things(), "rows": plan.prompt.rows(), "negative": arguments.negative, "style": plan.style.as_ref().map(|style| &style.name),
        "steps": plan.steps, "guidance": plan.guidance, "background": arguments.background.to_string(), "pictures": records,
        "start_to_first_step_milliseconds": watch.first_step.map(milliseconds),
        "memory": watch.memory.peak(), "threads": engine.threads(), "kernel": engine.kernel(),
        "pack": { "name": pack.manifest().name, "version": pack.manifest().version, "sha256": pack.sha256(), "bytes": pack.bytes() },
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// Watches pictures being drawn: progress bar, memory, Ctrl-C, each step's picture.
struct Watch {
    bar: ProgressBar,
    memory: PeakMemory,
    first_step: Option<Duration>,
    started: Instant,
    folder: Option<PathBuf>,
}

impl Observer for Watch {
    fn progress(&mut self, progress: Progress) -> bool {
        self.bar.inc(1);
        self.memory.sample();
        match progress {
            Progress::Text => {
                self.first_step.get_or_insert_with(|| self.started.elapsed());
                self.bar.set_message("text encoded,");
            }
            Progress::Step { done, of } => self.bar.set_message(format!("step {done} of {of},")),
            Progress::Decoded => self.bar.set_message("decoded,"),
        }
        !interrupt::asked()
    }

    fn preview(&mut self, step: usize, picture: &dyn Fn() -> Option<Picture>) {
        let Some(folder) = &self.folder else { return };
        let Some(picture) = picture() else { return };
        let file = folder.join(format!("step-{step}.png"));
        if let Err(error) = png::write(&picture, &file, None, true) {
            log::warn!("{error}");
        }
    }
}
