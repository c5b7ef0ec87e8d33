//! `inkstone generate`: prompt → pictures on disk and in the terminal.

use std::io::BufRead;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::destination::{Destination, make_folder};
use super::error::INPUT_FAULT;
use super::locate::{self, PackArgument};
use super::prompts::Prompts;
use super::terminal::{Album, Preview};
use super::{CliError, interrupt, output};
use crate::engine::Residency;
use crate::picture::{Background, Picture, png};
use crate::pipeline::{Generated, Note, Observer, Options, Phase, Pipeline, Progress, Request, Resolved, Source};
use crate::process::PeakMemory;
use crate::words::Language;

/// The prompt that stands for prompts from standard input.
const STANDARD_INPUT: &str = "-";

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to draw, such as "a smiling cat, 3d style"; `-` reads prompts from standard input, one a line. Required unless the pack reads no
    /// prompt.
    prompt: Vec<String>,
    #[command(flatten)]
    pack: PackArgument,
    /// Drawing style. By default the prompt's words choose it, then the styles that the model has learned the object in.
    #[arg(short, long)]
    style: Option<String>,
    /// Denoising steps; by default the pack's. More steps are slower and better.
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = whole::<usize>)]
    steps: Option<usize>,
    /// Seed of the noise; random by default, and with -1. The same seed draws the same picture.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<Seed>,
    /// How strongly to follow the prompt; values other than 1 take twice the time.
    #[arg(long, allow_negative_numbers = true, value_name = "G")]
    guidance: Option<f32>,
    /// What the picture should not show; only has an effect with a guidance above 1.
    #[arg(long, value_name = "TEXT")]
    negative: Option<String>,
    /// A number that the pack takes by name (`inkstone info` lists them); may be repeated.
    #[arg(long = "input", value_name = "NAME=NUMBER", value_parser = named_number)]
    inputs: Vec<(String, f64)>,
    /// Picture to start from (PNG, JPEG, WebP or GIF); what is drawn keeps its shapes and colours, the more the lower the strength.
    #[arg(long, value_name = "PICTURE")]
    from: Option<PathBuf>,
    /// Share of the steps that are done on a picture: 0 keeps it, 1 keeps next to nothing; 0.6 by default.
    #[arg(long, value_name = "0..1", requires = "from", allow_negative_numbers = true, value_parser = strength)]
    strength: Option<f32>,
    /// Picture that says what may change of the one that is started from: white is drawn anew, black is kept to the pixel.
    #[arg(long, value_name = "PICTURE", requires = "from")]
    mask: Option<PathBuf>,
    /// Language that the prompt is taken for where its words do not tell; by default that of LANG.
    #[arg(long, value_name = "TAG")]
    language: Option<Language>,
    /// Draw a prompt of which nothing is known all the same, as the model takes it.
    #[arg(long)]
    guess: bool,
    /// Number of pictures; the seed counts up.
    #[arg(short = 'n', long, default_value_t = 1, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Longest side in pixels, 8 to 4096; the pack's own size by default.
    #[arg(long, value_name = "PX", allow_negative_numbers = true, value_parser = whole::<u32>)]
    size: Option<u32>,
    /// What is put behind the picture: transparent, a colour, or two for a gradient from top to bottom.
    #[arg(long, value_name = "transparent|COLOUR|COLOUR:COLOUR", default_value = "transparent")]
    background: Background,
    /// File (.png, .jpg or .webp) or folder to write; by default a file named after the prompt. A missing folder is made; `-`
    /// writes a PNG to standard output.
    #[arg(short, long, value_name = "FILE|DIR|-", allow_hyphen_values = true)]
    out: Option<PathBuf>,
    /// Replace existing files.
    #[arg(long)]
    force: bool,
    /// `auto` shows the picture in a terminal that can, `none` does not; `kitty`, `iterm`, `sixel` and `blocks` name the protocol.
    /// A folder also receives a preview of every step.
    #[arg(long, value_name = "auto|none|PROTOCOL|DIR", default_value = "auto")]
    preview: Preview,
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
    fn request(&self, prompt: &str) -> Request {
        let mut request = Request::new(prompt).background(self.background);
        request.style.clone_from(&self.style);
        request.steps = self.steps;
        request.guidance = self.guidance;
        request.negative.clone_from(&self.negative);
        request.seed = self.seed.and_then(|Seed(seed)| seed);
        request.size = self.size;
        request.language = self.language.or_else(locate::language);
        request.guess = self.guess;
        request.conditions = self.inputs.iter().cloned().collect();
        request
    }

    /// The picture to start from.
    fn source(&self) -> Result<Option<Source>, CliError> {
        let Some(file) = &self.from else { return Ok(None) };
        let source = Source::new(Picture::open(file)?).strength(self.strength.unwrap_or(Source::STRENGTH));
        Ok(Some(match &self.mask {
            Some(mask) => source.mask(Picture::open(mask)?),
            None => source,
        }))
    }

    fn options(&self) -> Options {
        let residency = match self.memory_cap {
            Some(_) => Residency::OneStage,
            None => Residency::All,
        };
        Options::default().threads(self.threads.unwrap_or(0)).residency(residency)
    }
}

/// A seed; nothing for a random one.
#[derive(Clone, Copy, Debug)]
struct Seed(Option<u64>);

impl std::str::FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Seed, String> {
        if text == "-1" {
            return Ok(Seed(None));
        }
        let problem = || format!("a seed is a number from 0 to {}, or -1 for a random one", u64::MAX);
        text.parse().map(|seed| Seed(Some(seed))).map_err(|_| problem())
    }
}

/// A number without a sign or a fraction.
fn whole<Number: std::str::FromStr>(text: &str) -> Result<Number, String> {
    text.parse()
        .map_err(|_| "must be a whole number that is not negative, and not too large".into())
}

/// A name and its number, with `=` between.
fn named_number(text: &str) -> Result<(String, f64), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, number) = parts.ok_or("must be a name, `=` and a number, such as difficulty=30")?;
    let number = number.parse().map_err(|_| format!("'{number}' is not a number"))?;
    Ok((name.to_owned(), number))
}

fn strength(text: &str) -> Result<f32, String> {
    let strength = text.parse().ok().filter(|strength| (0.0..=1.0).contains(strength));
    strength.ok_or_else(|| "must be a number from 0 to 1".into())
}

fn threads(text: &str) -> Result<usize, String> {
    text.parse::<usize>()
        .ok()
        .filter(|threads| (1..=1024).contains(threads))
        .ok_or_else(|| "must be from 1 to 1024".into())
}

/// Runs `generate`. `started` is when the process started.
pub fn run(arguments: &Arguments, started: Instant) -> Result<(), CliError> {
    let mut session = Session {
        pipeline: Pipeline::open_with(arguments.pack.folder(), &arguments.options())?,
        destination: Destination::of(arguments.out.as_deref()),
        source: arguments.source()?,
        written: 0,
        arguments,
        started,
    };
    if session.destination.is_stdout() && arguments.json {
        return Err(CliError::Usage("--out -: standard output cannot take a picture and --json".into()));
    }
    session.warn_of_threads();
    if arguments.prompt.is_empty() && session.pipeline.capabilities().has_prompt {
        return Err(CliError::Usage(
            "the prompt is missing; say what to draw, for example \"a smiling cat\"".into(),
        ));
    }
    match arguments.prompt.as_slice() {
        [one] if one == STANDARD_INPUT => session.draw_lines(Prompts::new(std::io::stdin().lock())),
        words => session.draw(&words.join(" "), arguments.count > 1),
    }
}

/// Prompts that are drawn one after another.
struct Session<'a> {
    arguments: &'a Arguments,
    pipeline: Pipeline,
    destination: Destination,
    source: Option<Source>,
    /// Pictures of earlier prompts.
    written: u64,
    started: Instant,
}

impl Session<'_> {
    fn note(&self, text: &str) {
        if !self.arguments.quiet {
            output::message(&format!("note: {text}"));
        }
    }

    fn warn_of_threads(&self) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        if let Some(threads) = self.arguments.threads.filter(|&threads| threads > cores) {
            self.note(&format!(
                "{threads} threads share {cores} processor cores, which is slower than one thread a core"
            ));
        }
    }

    /// Draws a prompt a line. One that cannot be drawn is told and does not end the others.
    fn draw_lines(&mut self, mut prompts: Prompts<impl BufRead>) -> Result<(), CliError> {
        let (mut all, mut failed) = (0, 0);
        while let Some(prompt) = prompts.next_line()? {
            all += 1;
            match self.draw(&prompt, true) {
                Err(error) if error.exit_code() == INPUT_FAULT => {
                    failed += 1;
                    output::message(&format!("error: standard input, line {}: {error}", prompts.number()));
                }
                drawn => drawn?,
            }
        }
        match failed {
            0 => Ok(()),
            _ => Err(CliError::Usage(format!("{failed} of {all} prompts were not drawn"))),
        }
    }

    /// Draws a prompt as often as asked for. `is_several` is whether further pictures are written to the same destination.
    fn draw(&mut self, prompt: &str, is_several: bool) -> Result<(), CliError> {
        let arguments = self.arguments;
        let mut memory = PeakMemory::default();
        let mut request = arguments.request(prompt);
        request.source.clone_from(&self.source);
        let resolved = self.pipeline.resolve(&request)?;
        memory.sample();
        self.destination.prepare(arguments.background, is_several)?;
        let files = self.files(prompt, resolved.seed(), is_several)?;
        resolved.notes().iter().for_each(|note| self.note(&note.to_string()));
        let mut watch = Watch::new(arguments, memory, self.started)?;
        (watch.is_several, watch.before) = (is_several, self.written);
        self.pipeline.load()?;
        interrupt::listen();
        let preview = if self.destination.is_stdout() || arguments.json {
            &Preview::None
        } else {
            &arguments.preview
        };
        let mut album = Album::new(preview);
        let mut records = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let request = request.clone().seed(resolved.seed().wrapping_add(index as u64));
            let drawing = Instant::now();
            let generated = self.pipeline.generate_with(&request, &mut watch)?;
            let drawn = drawing.elapsed();
            self.destination
                .write(file, &generated.picture, &generated.provenance, arguments.force)?;
            self.written += 1;
            records.push(record(file, &generated, drawn));
            album.add(&generated.picture)?;
            watch.memory.sample();
            watch.finished += 1;
        }
        watch.bar.finish_and_clear();
        warn_above(arguments.memory_cap, &watch.memory);
        if arguments.json {
            return output::json(&report(prompt, arguments, &resolved, &self.pipeline, &watch, records));
        }
        album.show()?;
        files.iter().zip(&records).try_for_each(|(file, record)| self.tell(file, record))
    }

    /// Names of a prompt's pictures, all of which can be written.
    fn files(&self, prompt: &str, first_seed: u64, is_several: bool) -> Result<Vec<PathBuf>, CliError> {
        let name = |index: u64| {
            let number = is_several.then_some(self.written + index + 1);
            self.destination.name(prompt, first_seed.wrapping_add(index), number)
        };
        let files: Vec<PathBuf> = (0..self.arguments.count.into()).map(name).collect();
        files
            .iter()
            .try_for_each(|file| self.destination.check(file, self.arguments.force))?;
        Ok(files)
    }

    fn tell(&self, file: &Path, record: &Value) -> Result<(), CliError> {
        let text = format!(
            "{} (seed {}, {:.0} ms)",
            file.display(),
            record["seed"],
            record["milliseconds"].as_f64().unwrap_or_default()
        );
        if !self.destination.is_stdout() {
            return output::result(&text);
        }
        if !self.arguments.quiet {
            output::message(&text);
        }
        Ok(())
    }
}

fn warn_above(cap: Option<u64>, memory: &PeakMemory) {
    let peak = memory.peak().resident_bytes().div_ceil(1 << 20);
    if let Some(cap) = cap.filter(|&cap| peak > cap) {
        log::warn!("memory reached {peak} MiB, above the cap of {cap} MiB: this pack needs that much");
    }
}

/// The folder for previews, which is made if it is missing.
fn previews(arguments: &Arguments) -> Result<Option<PathBuf>, CliError> {
    let Preview::Folder(folder) = &arguments.preview else {
        return Ok(None);
    };
    make_folder("--preview", folder)?;
    Ok(Some(folder.clone()))
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn record(file: &Path, generated: &Generated, drawn: Duration) -> Value {
    let stage = |timing: &crate::pipeline::PhaseTime| json!({ "stage": timing.phase, "milliseconds": milliseconds(timing.time) });
    let stages: Vec<Value> = generated.timings.iter().map(stage).collect();
    let (picture, made) = (&generated.picture, &generated.provenance);
    json!({
        "file": output::path(file), "seed": made.seed, "width": picture.width(), "height": picture.height(), "sha256": made.picture_sha256,
        "milliseconds": milliseconds(drawn), "stages": stages,
    })
}

fn report(prompt: &str, arguments: &Arguments, resolved: &Resolved, pipeline: &Pipeline, watch: &Watch, records: Vec<Value>) -> Value {
    let (pack, manifest) = (pipeline.pack(), pipeline.pack().manifest());
    let notes: Vec<Value> = resolved.notes().iter().map(Note::to_json).collect();
    json!({
        "prompt": prompt, "read_as": resolved.read_as(), "nearest": resolved.nearest(), "unread": resolved.unread(), "language": resolved.reading().language,
        "objects": resolved.objects(), "rows": resolved.rows(), "notes": notes, "negative": arguments.negative,
        "style": resolved.style(), "steps": resolved.steps(), "guidance": resolved.guidance(), "inputs": resolved.conditions(),
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
    /// Pictures of earlier prompts, and whether there are others than this one.
    before: u64,
    is_several: bool,
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
            before: 0,
            is_several: arguments.count > 1,
            folder: previews(arguments)?,
            force: arguments.force,
        })
    }

    fn keep_preview(&self, progress: &Progress) {
        let (Some(folder), Phase::Step(step)) = (&self.folder, progress.phase) else {
            return;
        };
        let Some(picture) = progress.preview() else { return };
        let name = if self.is_several {
            format!("picture-{}-step-{step}.png", self.before + self.finished + 1)
        } else {
            format!("step-{step}.png")
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
