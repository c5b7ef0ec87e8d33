//! `inkstone generate`: prompt → pictures on disk and in the terminal.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::locate::{self, PackArgument};
use super::{CliError, interrupt, output};
use crate::atomic_file;
use crate::engine::Residency;
use crate::picture::image_file::{self, Format};
use crate::picture::{Background, ImageFileError, file_name, png};
use crate::pipeline::{Generated, Note, Observer, Options, Phase, Pipeline, Progress, Request, Resolved};
use crate::process::PeakMemory;
use crate::words::Language;

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to draw, such as "a smiling cat, 3d style".
    prompt: String,
    #[command(flatten)]
    pack: PackArgument,
    /// Drawing style. By default the prompt's words choose it, then the styles that the model has learned the object in.
    #[arg(short, long)]
    style: Option<String>,
    /// Denoising steps; by default the pack's. More steps are slower and better.
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    steps: Option<usize>,
    /// Seed of the noise; random by default. The same seed draws the same picture.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How strongly to follow the prompt; values other than 1 take twice the time.
    #[arg(long, allow_negative_numbers = true, value_name = "G")]
    guidance: Option<f32>,
    /// What the picture should not show; only has an effect with a guidance above 1.
    #[arg(long, value_name = "TEXT")]
    negative: Option<String>,
    /// Language that the prompt is taken for where its words do not tell; by default that of LANG.
    #[arg(long, value_name = "TAG")]
    language: Option<Language>,
    /// Draw a prompt of which nothing is known all the same, as the model takes it.
    #[arg(long)]
    guess: bool,
    /// Number of pictures; the seed counts up.
    #[arg(short = 'n', long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Longest side in pixels, 8 to 4096; the pack's own size by default.
    #[arg(long, value_name = "PX")]
    size: Option<u32>,
    /// What is put behind the picture: transparent, a colour, or two for a gradient from top to bottom.
    #[arg(long, value_name = "transparent|COLOUR|COLOUR:COLOUR", default_value = "transparent")]
    background: Background,
    /// File (.png, .jpg or .webp) or folder to write; by default a file named after the prompt.
    #[arg(short, long, value_name = "FILE|DIR")]
    out: Option<PathBuf>,
    /// Replace existing files.
    #[arg(long)]
    force: bool,
    /// `auto` shows the picture in the terminal, `none` does not, a folder also receives a preview of every step.
    #[arg(long, value_name = "auto|none|DIR", default_value = "auto")]
    preview: String,
    /// Number of threads; one per core by default.
    #[arg(long, value_parser = threads)]
    threads: Option<usize>,
    /// Try to keep private memory and mapped weights together below MIB mebibytes, by loading one stage at a time, which takes
    /// longer.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    memory_cap: Option<u64>,
    /// Print JSON: files, seeds, checksums, notes, times and memory.
    #[arg(long)]
    json: bool,
    /// Print no notes and no progress.
    #[arg(short, long)]
    quiet: bool,
}

impl Arguments {
    fn request(&self) -> Request {
        let mut request = Request::new(&self.prompt).background(self.background);
        request.style.clone_from(&self.style);
        request.steps = self.steps;
        request.guidance = self.guidance;
        request.negative.clone_from(&self.negative);
        request.seed = self.seed;
        request.size = self.size;
        request.language = self.language.or_else(locate::language);
        request.guess = self.guess;
        request
    }

    fn options(&self) -> Options {
        let residency = match self.memory_cap {
            Some(_) => Residency::OneStage,
            None => Residency::All,
        };
        Options::default().threads(self.threads.unwrap_or(0)).residency(residency)
    }
}

fn threads(text: &str) -> Result<usize, String> {
    text.parse::<usize>()
        .ok()
        .filter(|threads| (1..=1024).contains(threads))
        .ok_or_else(|| "must be from 1 to 1024".into())
}

/// Runs `generate`. `started` is when the process started.
pub fn run(arguments: &Arguments, started: Instant) -> Result<(), CliError> {
    let mut pipeline = Pipeline::open_with(arguments.pack.folder(), &arguments.options())?;
    let mut memory = PeakMemory::default();
    let request = arguments.request();
    let resolved = pipeline.resolve(&request)?;
    memory.sample();
    let files = files(arguments, resolved.seed())?;
    if !arguments.quiet {
        resolved.notes().iter().for_each(|note| output::message(&format!("note: {note}")));
    }
    let mut watch = Watch::new(arguments, memory, started)?;
    pipeline.load()?;
    interrupt::listen();
    let (mut records, mut shown) = (Vec::new(), Vec::new());
    for (index, file) in files.iter().enumerate() {
        let request = request.clone().seed(resolved.seed().wrapping_add(index as u64));
        let drawing = Instant::now();
        let generated = pipeline.generate_with(&request, &mut watch)?;
        let drawn = drawing.elapsed();
        image_file::write(&generated.picture, file, Some(&generated.provenance), arguments.force)?;
        records.push(record(file, &generated, drawn));
        shown.push(generated.picture);
        watch.memory.sample();
        watch.finished += 1;
    }
    watch.bar.finish_and_clear();
    warn_above(arguments.memory_cap, &watch.memory);
    if arguments.json {
        return output::json(&report(arguments, &resolved, &pipeline, &watch, records));
    }
    if arguments.preview != "none" {
        output::show(&shown)?;
    }
    files.iter().zip(&records).try_for_each(|(file, record)| {
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
        log::warn!("memory reached {peak} MiB, above the cap of {cap} MiB: this pack needs that much");
    }
}

/// The files to write, checked before anything is drawn: their format can be written, and none exists without `--force`.
fn files(arguments: &Arguments, first_seed: u64) -> Result<Vec<PathBuf>, CliError> {
    let count = arguments.count as usize;
    let out = arguments.out.clone().unwrap_or_default();
    let is_folder = arguments.out.is_none() || out.is_dir() || out.as_os_str().as_encoded_bytes().ends_with(b"/");
    let files: Vec<PathBuf> = if is_folder {
        let name = |seed: u64| format!("{}-{seed}.png", file_name(&arguments.prompt));
        (0..count)
            .map(|index| out.join(name(first_seed.wrapping_add(index as u64))))
            .collect()
    } else {
        check_format(&out, arguments.background)?;
        let extension = out.extension().unwrap_or_default().to_string_lossy();
        let stem = out.file_stem().unwrap_or_default().to_string_lossy();
        let numbered = |index: usize| out.with_file_name(format!("{stem}-{}.{extension}", index + 1));
        if count == 1 {
            vec![out.clone()]
        } else {
            (0..count).map(numbered).collect()
        }
    };
    if is_folder && arguments.out.is_some() {
        make_folder("--out", &out)?;
    }
    files.iter().try_for_each(|file| atomic_file::check(file, arguments.force))?;
    Ok(files)
}

fn make_folder(option: &str, folder: &Path) -> Result<(), CliError> {
    if folder.is_file() {
        let problem = format!("{option} {}: this is a file; a folder is needed", folder.display());
        return Err(CliError::Usage(problem));
    }
    std::fs::create_dir_all(folder).map_err(|error| CliError::Usage(format!("{option} {}: {error}", folder.display())))
}

/// Whether pictures on this background can be written under this name.
fn check_format(file: &Path, background: Background) -> Result<(), CliError> {
    if !Format::for_writing(file)?.has_alpha() && background == Background::Transparent {
        return Err(ImageFileError::Transparent(file.to_owned()).into());
    }
    Ok(())
}

/// The folder for previews, which is made if it is missing.
fn previews(arguments: &Arguments) -> Result<Option<PathBuf>, CliError> {
    if matches!(arguments.preview.as_str(), "auto" | "none") {
        return Ok(None);
    }
    let folder = PathBuf::from(&arguments.preview);
    make_folder("--preview", &folder)?;
    Ok(Some(folder))
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn record(file: &Path, generated: &Generated, drawn: Duration) -> Value {
    let stage = |timing: &crate::pipeline::PhaseTime| json!({ "stage": timing.phase, "milliseconds": milliseconds(timing.time) });
    let stages: Vec<Value> = generated.timings.iter().map(stage).collect();
    let (picture, made) = (&generated.picture, &generated.provenance);
    json!({
        "file": file, "seed": made.seed, "width": picture.width(), "height": picture.height(), "sha256": made.picture_sha256,
        "milliseconds": milliseconds(drawn), "stages": stages,
    })
}

fn report(arguments: &Arguments, resolved: &Resolved, pipeline: &Pipeline, watch: &Watch, records: Vec<Value>) -> Value {
    let (pack, manifest) = (pipeline.pack(), pipeline.pack().manifest());
    let notes: Vec<Value> = resolved.notes().iter().map(Note::to_json).collect();
    json!({
        "prompt": arguments.prompt, "read_as": resolved.read_as(), "nearest": resolved.nearest(), "unread": resolved.unread(), "language": resolved.reading().language,
        "objects": resolved.objects(), "rows": resolved.rows(), "notes": notes, "negative": arguments.negative,
        "style": resolved.style(), "steps": resolved.steps(), "guidance": resolved.guidance(),
        "background": arguments.background.to_string(), "pictures": records,
        "start_to_first_step_milliseconds": watch.first_step.map(milliseconds),
        "memory": watch.memory.peak(), "threads": pipeline.threads(), "kernel": pipeline.kernel(),
        "pack": { "name": manifest.name, "version": manifest.version, "sha256": pack.sha256(), "bytes": pack.bytes() },
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// Watches pictures being generated: progress bar, memory, Ctrl-C, previews.
struct Watch {
    bar: ProgressBar,
    memory: PeakMemory,
    /// From the start of the process until the first step began.
    first_step: Option<Duration>,
    started: Instant,
    pictures: u64,
    finished: u64,
    folder: Option<PathBuf>,
    force: bool,
}

impl Watch {
    fn new(arguments: &Arguments, memory: PeakMemory, started: Instant) -> Result<Watch, CliError> {
        let bar = if arguments.quiet {
            ProgressBar::hidden()
        } else {
            output::progress(0, "{bar:32} {msg} {eta} left")
        };
        Ok(Watch {
            bar,
            memory,
            first_step: None,
            started,
            pictures: arguments.count.into(),
            finished: 0,
            folder: previews(arguments)?,
            force: arguments.force,
        })
    }

    fn keep_preview(&self, progress: &Progress) {
        let (Some(folder), Phase::Step(step)) = (&self.folder, progress.phase) else {
            return;
        };
        let Some(picture) = progress.preview() else { return };
        let name = match self.pictures {
            1 => format!("step-{step}.png"),
            _ => format!("picture-{}-step-{step}.png", self.finished + 1),
        };
        if let Err(error) = png::write(&picture, &folder.join(name), None, self.force) {
            log::warn!("{error}");
        }
    }
}

impl Observer for Watch {
    fn progress(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
        self.first_step.get_or_insert_with(|| self.started.elapsed());
        self.bar.set_length(progress.total as u64 * self.pictures);
        self.bar.set_message(format!("{},", progress.phase));
        self.bar.inc(1);
        self.memory.sample();
        self.keep_preview(progress);
        if interrupt::requested() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}
