//! `inkstone generate`: prompt → pictures on disk and in the terminal. Owns what the other commands that draw share with it: [`Drawing`], their
//! options, and [`Session`].

mod sheets;

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
use super::sheet::Grid;
use super::signing::Signing;
use super::terminal::{Album, Preview};
use super::{CliError, interrupt, output};
use crate::engine::Residency;
use crate::picture::{Background, Margins, Picture, image_file, png};
use crate::pipeline::{Generated, Note, Observer, Options, Phase, Pipeline, Progress, Request, Resolved, Source, Variation, label};
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
    /// File with prompts, one a line.
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    prompts: Option<PathBuf>,
    /// Draw columns × rows pictures as one sprite sheet without gaps, with a JSON file beside it that game engines read; the seed counts up, or
    /// prompts from standard input or a file fill the cells.
    #[arg(long, value_name = "COLUMNSxROWS", conflicts_with = "count")]
    sheet: Option<Grid>,
    #[command(flatten)]
    drawing: Drawing,
}

/// Options of all commands that draw.
#[derive(Debug, Args)]
pub struct Drawing {
    #[command(flatten)]
    pub pack: PackArgument,
    /// Drawing style. By default the prompt's words choose it, then the styles that the model has learned the object in.
    #[arg(short, long)]
    style: Option<String>,
    /// Denoising steps; by default the pack's. More steps are slower and better.
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = whole::<usize>)]
    steps: Option<usize>,
    /// Seed of the noise; random by default, and with -1. The same seed draws the same picture.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<Seed>,
    /// Another seed, and how far the noise is moved towards that of it: `vary` writes these into its pictures. May be repeated.
    #[arg(long = "variation", value_name = "SEED:STRENGTH")]
    variations: Vec<Variation>,
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
    pub from: Option<PathBuf>,
    /// Share of the steps that are done on a picture: 0 gives it back, 1 draws as if there were none; 0.6 by default.
    #[arg(long, value_name = "0..1", requires = "from", conflicts_with = "extend", allow_negative_numbers = true, value_parser = strength)]
    pub strength: Option<f32>,
    /// Take the picture to start from for a sketch, lines on paper: shadows, specks and what lies around the paper are removed, the drawing is
    /// moved to the middle, its lines thickened and what they enclose filled. The strength is 0.75 by default then.
    #[arg(long, requires = "from", conflicts_with_all = ["mask", "extend"])]
    sketch: bool,
    /// Picture that says what may change of the one that is started from: white is drawn anew, black is kept to the pixel.
    #[arg(long, value_name = "PICTURE", requires = "from")]
    mask: Option<PathBuf>,
    /// Side of the picture to start from, left, right, top, bottom or all, and how many pixels are drawn beyond it; may be repeated. The picture
    /// itself is kept to the pixel.
    #[arg(long, num_args = 2, allow_negative_numbers = true, value_names = ["SIDE", "PX"], requires = "from", conflicts_with = "mask")]
    extend: Vec<String>,
    /// Folder of word lists: `{animal}` in a prompt takes a line of its animal.txt.
    #[arg(long, value_name = "DIR")]
    words: Option<PathBuf>,
    /// Leave prompts out of the pictures' records and names.
    #[arg(long)]
    pub no_prompt: bool,
    /// Language that the prompt is taken for where its words do not tell; by default that of LANG.
    #[arg(long, value_name = "TAG")]
    pub language: Option<Language>,
    /// Draw a prompt of which nothing is known all the same, as the model takes it.
    #[arg(long)]
    guess: bool,
    /// Number of pictures; the seed counts up. 1 by default, 4 for `vary`.
    #[arg(short = 'n', long, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub count: Option<u32>,
    /// Longest side in pixels, 8 to 4096; the pack's own size by default.
    #[arg(long, value_name = "PX", allow_negative_numbers = true, value_parser = whole::<u32>)]
    size: Option<u32>,
    /// What is put behind the picture: transparent, which is the default, a colour, or two for a gradient from top to bottom.
    #[arg(long, value_name = "transparent|COLOUR|COLOUR:COLOUR")]
    pub background: Option<Background>,
    /// File (.png, .jpg or .webp) or folder to write; by default a file named after the prompt. A missing folder is made; `-`
    /// writes a PNG to standard output.
    #[arg(short, long, value_name = "FILE|DIR|-", allow_hyphen_values = true)]
    pub out: Option<PathBuf>,
    /// Replace existing files.
    #[arg(long)]
    pub force: bool,
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
    /// Sign each picture with a key that `inkstone key` has made: Content Credentials (C2PA), which say that a model made it, and show whether it was
    /// changed since.
    #[cfg(feature = "content-credentials")]
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
    /// Print JSON: files, seeds, checksums, notes, times and memory.
    #[arg(long)]
    pub json: bool,
    /// Print no notes and no progress.
    #[arg(short, long)]
    quiet: bool,
}

impl Drawing {
    /// A request with what the options say, and where they say nothing with what it says itself. Its seed stays.
    pub fn complete(&self, mut request: Request) -> Request {
        request.background = self.background.unwrap_or(request.background);
        request.private = self.no_prompt;
        request.words.clone_from(&self.words);
        request.style = self.style.clone().or(request.style);
        request.steps = self.steps.or(request.steps);
        request.guidance = self.guidance.or(request.guidance);
        request.negative = self.negative.clone().or(request.negative);
        request.size = self.size.or(request.size);
        request.language = self.language.or(request.language);
        request.guess |= self.guess;
        request.variations.extend(&self.variations);
        request.conditions.extend(self.inputs.iter().cloned());
        request
    }

    /// The seed; nothing for a random one.
    pub fn seed(&self) -> Option<u64> {
        self.seed.and_then(|Seed(seed)| seed)
    }

    /// The picture to start from.
    fn source(&self) -> Result<Option<Source>, CliError> {
        let Some(file) = &self.from else { return Ok(None) };
        let (contents, margins) = (image_file::read(file)?, margins(&self.extend)?);
        let source = if self.sketch {
            Source::of_sketch(&contents.picture).map_err(|error| CliError::Usage(format!("{}: {error}", file.display())))?
        } else if margins.is_empty() {
            Source::new(contents.picture)
        } else {
            Source::new(contents.picture).strength(1.0).extend(margins)
        };
        let usual = source.strength;
        let source = source
            .strength(self.strength.unwrap_or(usual))
            .generated(contents.ai_marked && !contents.ai_composite);
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
pub struct Seed(pub Option<u64>);

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

/// What the pairs of `--extend` add up to.
fn margins(pairs: &[String]) -> Result<Margins, CliError> {
    let mut margins = Margins::default();
    for pair in pairs.chunks_exact(2) {
        let wrong = |problem: String| CliError::Usage(format!("--extend {} {}: {problem}", pair[0], pair[1]));
        let pixels: u32 = whole(&pair[1]).map_err(wrong)?;
        let sides = match pair[0].as_str() {
            "left" => vec![&mut margins.left],
            "right" => vec![&mut margins.right],
            "top" => vec![&mut margins.top],
            "bottom" => vec![&mut margins.bottom],
            "all" => vec![&mut margins.left, &mut margins.right, &mut margins.top, &mut margins.bottom],
            _ => return Err(wrong("the side must be left, right, top, bottom or all".into())),
        };
        for side in sides {
            *side = side.saturating_add(pixels);
        }
    }
    if margins.is_empty() && !pairs.is_empty() {
        return Err(CliError::Usage("--extend: there is nothing to draw: PX must be at least 1".into()));
    }
    Ok(margins)
}

/// A share.
pub fn strength(text: &str) -> Result<f32, String> {
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
    let mut session = Session::open(&arguments.drawing, started)?;
    if let Some(file) = &arguments.prompts {
        let prompts = Prompts::of_file("--prompts", file)?;
        return match arguments.sheet {
            Some(grid) => session.draw_sheet_of_lines(prompts, grid),
            None => session.draw_lines(prompts),
        };
    }
    if arguments.prompt.is_empty() && session.pipeline.capabilities().has_prompt {
        return Err(CliError::Usage(
            "the prompt is missing; say what to draw, for example \"a smiling cat\"".into(),
        ));
    }
    match (arguments.prompt.as_slice(), arguments.sheet) {
        ([one], None) if one == STANDARD_INPUT => session.draw_lines(Prompts::of_stdin()),
        ([one], Some(grid)) if one == STANDARD_INPUT => session.draw_sheet_of_lines(Prompts::of_stdin(), grid),
        (words, None) => session.draw(&session.series(Request::new(words.join(" "))), false),
        (words, Some(grid)) => session.draw_sheet(&words.join(" "), &vec![words.join(" "); grid.cells()], grid),
    }
}

/// Pictures of one request, which differ in a number that counts up.
pub struct Series {
    /// What all of them have in common.
    pub request: Request,
    /// What their names begin with.
    pub name: String,
    /// What tells them apart.
    pub counted: Counted,
    /// How many they are.
    pub count: u32,
}

/// What counts up.
pub enum Counted {
    /// The seed of the noise.
    Seed,
    /// The seed that the noise is moved towards, from the first one on, and how far.
    Variation { first: u64, amount: f32 },
}

impl Series {
    /// The number of the first picture.
    fn first(&self, resolved: &Resolved) -> u64 {
        match self.counted {
            Counted::Seed => resolved.seed(),
            Counted::Variation { first, .. } => first,
        }
    }

    /// The request of a picture.
    fn request(&self, number: u64) -> Request {
        match self.counted {
            Counted::Seed => self.request.clone().seed(number),
            Counted::Variation { amount, .. } => self.request.clone().variation(number, amount),
        }
    }

    /// The prompts as they were given.
    fn prompt(&self) -> String {
        match self.request.parts.as_slice() {
            [] => self.request.prompt.clone(),
            parts => label(parts),
        }
    }
}

/// Prompts that are drawn one after another.
pub struct Session<'a> {
    arguments: &'a Drawing,
    pub pipeline: Pipeline,
    destination: Destination,
    /// What signs pictures.
    pub signing: Signing,
    /// The picture to start from.
    pub source: Option<Source>,
    /// Pictures of earlier prompts.
    written: u64,
    started: Instant,
}

impl<'a> Session<'a> {
    /// Opens the pack and the picture to start from.
    ///
    /// # Errors
    /// If one of them cannot be read, or standard output would have to take pictures and JSON.
    pub fn open(arguments: &'a Drawing, started: Instant) -> Result<Session<'a>, CliError> {
        let session = Session {
            pipeline: Pipeline::open_with(arguments.pack.folder(), &arguments.options())?,
            destination: Destination::of(arguments.out.as_deref()),
            signing: Signing::of(arguments)?,
            source: arguments.source()?,
            written: 0,
            arguments,
            started,
        };
        if session.destination.is_stdout() && arguments.json {
            return Err(CliError::Usage("--out -: standard output cannot take a picture and --json".into()));
        }
        session.warn_of_threads();
        Ok(session)
    }

    /// Pictures of prompts, with what the options say; the seed counts up.
    pub fn series(&self, mut prompts: Request) -> Series {
        prompts.seed = self.arguments.seed();
        prompts.language = self.arguments.language.or_else(locate::language);
        let mut series = Series {
            request: self.arguments.complete(prompts),
            name: String::new(),
            counted: Counted::Seed,
            count: self.arguments.count.unwrap_or(1),
        };
        if !self.arguments.no_prompt {
            series.name = series.prompt();
        }
        series
    }

    /// Tells the user something that is no error.
    pub fn note(&self, text: &str) {
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
            match self.draw(&self.series(Request::new(prompt)), true) {
                Err(error) if error.exit_code() == INPUT_FAULT => {
                    failed += 1;
                    output::message(&format!("error: {}: {error}", prompts.place()));
                }
                drawn => drawn?,
            }
        }
        match (all, failed) {
            (0, _) => Err(CliError::Usage("there is no prompt to draw".into())),
            (_, 0) => Ok(()),
            _ => Err(CliError::Usage(format!("{failed} of {all} prompts were not drawn"))),
        }
    }

    /// Draws a series. `is_one_of_several` is whether further series are written to the same destination.
    pub fn draw(&mut self, series: &Series, is_one_of_several: bool) -> Result<(), CliError> {
        let arguments = self.arguments;
        let is_several = is_one_of_several || series.count > 1;
        let mut memory = PeakMemory::default();
        let resolved = self.pipeline.resolve(&self.started_from(series.request.clone()))?;
        memory.sample();
        self.destination.prepare(series.request.background, is_several)?;
        let first = series.first(&resolved);
        let files = self.files(series, first, is_several)?;
        let mut notes = Vec::new();
        self.tell_notes(resolved.notes(), &mut notes);
        let mut watch = Watch::new(arguments, series.count, memory, self.started)?;
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
            let request = self.started_from(series.request(first.wrapping_add(index as u64)));
            let drawing = Instant::now();
            let generated = self.pipeline.generate_with(&request, &mut watch)?;
            let drawn = drawing.elapsed();
            self.destination
                .write(file, &generated.picture, &generated.provenance, &self.signing, arguments.force)?;
            self.written += 1;
            self.tell_notes(&generated.notes, &mut notes);
            let mut record = record(file, &generated, drawn);
            if generated.prompt != series.prompt() {
                record["prompt"] = generated.prompt.into();
            }
            if let Counted::Variation { .. } = series.counted {
                record["variation"] = first.wrapping_add(index as u64).into();
            }
            records.push(record);
            album.add(&generated.picture)?;
            watch.memory.sample();
        }
        watch.finish();
        warn_above(arguments, &watch.memory);
        if arguments.json {
            return output::json(&report(series, &resolved, &self.pipeline, &watch, (records, notes)));
        }
        album.show()?;
        files.iter().zip(&records).try_for_each(|(file, record)| self.tell(file, record))
    }

    /// What watches `count` pictures being drawn.
    ///
    /// # Errors
    /// If the folder for previews cannot be made.
    pub fn watch(&mut self, count: u32) -> Result<Watch, CliError> {
        self.pipeline.load()?;
        interrupt::listen();
        Watch::new(self.arguments, count, PeakMemory::default(), self.started)
    }

    /// A request with the picture to start from.
    fn started_from(&self, mut request: Request) -> Request {
        request.source.clone_from(&self.source);
        request
    }

    /// Tells notes that were not told before, and remembers them.
    fn tell_notes(&self, notes: &[Note], told: &mut Vec<Note>) {
        for note in notes {
            if !told.contains(note) {
                self.note(&note.to_string());
                told.push(note.clone());
            }
        }
    }

    /// Names of a prompt's pictures, all of which can be written.
    fn files(&self, series: &Series, first: u64, is_several: bool) -> Result<Vec<PathBuf>, CliError> {
        let name = |index: u64| {
            let number = is_several.then_some(self.written + index + 1);
            self.destination.name(&series.name, first.wrapping_add(index), number)
        };
        let files: Vec<PathBuf> = (0..series.count.into()).map(name).collect();
        files
            .iter()
            .try_for_each(|file| self.destination.check(file, self.arguments.force))?;
        Ok(files)
    }

    fn tell(&self, file: &Path, record: &Value) -> Result<(), CliError> {
        let prompt = record["prompt"].as_str().map_or(String::new(), |prompt| format!(": {prompt}"));
        let text = format!(
            "{}{prompt} ({}, {:.0} ms)",
            file.display(),
            seed_of(record),
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

/// The number that tells a picture from the others, for people.
fn seed_of(record: &Value) -> String {
    match &record["variation"] {
        Value::Null => format!("seed {}", record["seed"]),
        number => format!("variation {number}"),
    }
}

fn warn_above(arguments: &Drawing, memory: &PeakMemory) {
    let peak = memory.peak().resident_bytes().div_ceil(1 << 20);
    if let Some(cap) = arguments.memory_cap.filter(|&cap| peak > cap) {
        let needs = match &arguments.from {
            Some(_) => "this pack and the picture to start from need",
            None => "this pack needs",
        };
        log::warn!("memory reached {peak} MiB, above the cap of {cap} MiB: {needs} that much");
    }
}

/// The folder for previews, which is made if it is missing.
fn previews(arguments: &Drawing) -> Result<Option<PathBuf>, CliError> {
    let Preview::Folder(folder) = &arguments.preview else {
        return Ok(None);
    };
    make_folder("--preview", folder)?;
    Ok(Some(folder.clone()))
}

/// A time in milliseconds, to a microsecond.
pub fn milliseconds(time: Duration) -> f64 {
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

fn report(series: &Series, resolved: &Resolved, pipeline: &Pipeline, watch: &Watch, (records, notes): (Vec<Value>, Vec<Note>)) -> Value {
    let (pack, manifest) = (pipeline.pack(), pipeline.pack().manifest());
    let notes: Vec<Value> = notes.iter().map(Note::to_json).collect();
    json!({
        "prompt": series.prompt(), "blend": series.request.parts, "read_as": resolved.read_as(), "nearest": resolved.nearest(), "unread": resolved.unread(), "language": resolved.reading().language,
        "objects": resolved.objects(), "rows": resolved.rows(), "notes": notes, "negative": series.request.negative,
        "style": resolved.style(), "steps": resolved.steps(), "guidance": resolved.guidance(), "inputs": resolved.conditions(),
        "background": series.request.background.to_string(), "pictures": records,
        "start_to_first_step_milliseconds": watch.first_step.map(milliseconds),
        "memory": watch.memory.peak(), "threads": pipeline.threads(), "kernel": pipeline.kernel(),
        "pack": { "name": manifest.name, "version": manifest.version, "sha256": pack.sha256(), "bytes": pack.bytes() },
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// Watches pictures being generated: progress bar, memory, Ctrl-C, previews.
pub struct Watch {
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
    fn new(arguments: &Drawing, count: u32, memory: PeakMemory, started: Instant) -> Result<Watch, CliError> {
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
            pictures: count.into(),
            finished: 0,
            before: 0,
            is_several: count > 1,
            folder: previews(arguments)?,
            force: arguments.force,
        })
    }

    /// Takes the progress bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
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
        self.finished += u64::from(progress.done == progress.total);
        if interrupt::requested() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}
