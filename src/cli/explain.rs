//! `inkstone explain`: which pixels each word of a prompt decides, as a page, a picture or JSON.

mod page;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::locate::{self, PackArgument};
use super::{CliError, interrupt, output};
use crate::atomic_file;
use crate::picture::provenance::{FROM, MORPH, SHEET};
use crate::picture::{Background, Picture, Resampling, contact_sheet, file_name, image_file, png, scale};
use crate::pipeline::{Explanation, Observer, Pipeline, PipelineError, Progress, Request, WordEffect};
use crate::words::Language;

/// Colour of what a word decides.
const LIGHT: [u8; 3] = [230, 0, 90];
/// Side of the pictures on a PNG, and the gap between them, in pixels.
const CELL: u32 = 160;
const GAP: u32 = 6;

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(
    after_help = "Each word is left out once and the picture drawn again from the same noise; what differs is what the word decided. Attention maps are not \
    shown: the model attends to pixels and words in one operator that keeps no weights."
)]
pub struct Arguments {
    /// A prompt, or a picture that Inkstone drew, whose record has the prompt and everything else.
    #[arg(required = true, value_name = "PROMPT|PICTURE")]
    subject: Vec<String>,
    #[command(flatten)]
    pack: PackArgument,
    /// Drawing style, as for `generate`.
    #[arg(short, long)]
    style: Option<String>,
    /// Denoising steps; by default the pack's.
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Seed of the noise; random by default.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Language that the prompt is taken for where its words do not tell; by default that of LANG.
    #[arg(long, value_name = "TAG")]
    language: Option<Language>,
    /// File to write: a page (.html) on which pointing at a word lights its pixels, or a picture (.png) with the same side by side; by default
    /// a page named after the prompt.
    #[arg(short, long, value_name = "FILE.html|FILE.png")]
    out: Option<PathBuf>,
    /// Replace an existing file.
    #[arg(long)]
    force: bool,
    /// Print JSON: each word's share.
    #[arg(long)]
    json: bool,
    /// Print no progress.
    #[arg(short, long)]
    quiet: bool,
}

/// Runs `explain`.
pub fn run(arguments: &Arguments) -> Result<(), CliError> {
    let mut pipeline = Pipeline::open(arguments.pack.folder())?;
    let request = match arguments.subject.as_slice() {
        [one] if Path::new(one).is_file() => of_picture(Path::new(one), &mut pipeline)?,
        words => Request::new(words.join(" ")),
    };
    let request = arguments.complete(request);
    let resolved = pipeline.resolve(&request)?;
    let seed = resolved.seed();
    let usual = || PathBuf::from(format!("{}-{seed}-explained.html", file_name(&resolved.prompt())));
    let file = arguments.out.clone().unwrap_or_else(usual);
    let kind = Kind::of(&file)?;
    atomic_file::check(&file, arguments.force)?;
    interrupt::listen();
    let mut watch = Watch(if arguments.quiet {
        ProgressBar::hidden()
    } else {
        output::progress(0, "{spinner} {pos} phases, {msg}")
    });
    let explained = pipeline.explain_with(&request.seed(seed), &mut watch)?;
    watch.0.finish_and_clear();
    match kind {
        Kind::Page => atomic_file::write(&file, page::write(&explained)?.as_bytes(), arguments.force)?,
        Kind::Picture => image_file::write(&side_by_side(&explained)?, &file, None, arguments.force)?,
    }
    if arguments.json {
        return output::json(&report(&file, &explained));
    }
    explained.words.iter().try_for_each(tell)?;
    output::result(&file.display().to_string())
}

impl Arguments {
    /// The request with what the options say.
    fn complete(&self, mut request: Request) -> Request {
        request.style = self.style.clone().or(request.style);
        request.steps = self.steps.or(request.steps);
        request.seed = self.seed.or(request.seed);
        request.language = self.language.or_else(locate::language);
        request
    }
}

/// What is written.
enum Kind {
    Page,
    Picture,
}

impl Kind {
    fn of(file: &Path) -> Result<Kind, CliError> {
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "html" | "htm" => Ok(Kind::Page),
            "png" => Ok(Kind::Picture),
            _ => {
                let problem = format!("--out {}: a page ends in .html, a picture in .png", file.display());
                Err(CliError::Usage(problem))
            }
        }
    }
}

/// The request that a picture's record tells.
fn of_picture(file: &Path, pipeline: &mut Pipeline) -> Result<Request, CliError> {
    let wrong = |problem: &str| CliError::Usage(format!("{}: {problem}; give a prompt instead", file.display()));
    let record = image_file::read(file)?.provenance;
    let made = record.ok_or_else(|| wrong("this file does not say how Inkstone drew it"))?;
    if [FROM, SHEET, MORPH].iter().any(|key| made.extra.contains_key(*key)) {
        return Err(wrong("it was drawn from another picture, or is several"));
    }
    let request = pipeline.request_of(&made).map_err(|error| wrong(&error.to_string()))?;
    if request.parts.len() > 1 {
        return Err(wrong("it was mixed of several prompts"));
    }
    Ok(request)
}
fn tell(word: &WordEffect) -> Result<(), CliError> {
    let without = word.without.as_deref().map_or("nothing".to_owned(), |read| format!("\"{read}\""));
    output::result(&format!(
        "{:3.0} %  {}  (changes {:.0} % of the picture; without it: {without})",
        100.0 * word.share,
        word.text,
        100.0 * word.changed
    ))
}

fn report(file: &Path, explained: &Explanation) -> Value {
    let made = &explained.generated.provenance;
    let rounded = |share: f64| (share * 1e4).round() / 1e4;
    let words: Vec<Value> = explained
        .words
        .iter()
        .map(|word| {
            json!({
                "text": word.text, "start": word.place.start, "end": word.place.end, "share": rounded(word.share),
                "changed": rounded(word.changed), "without": word.without,
            })
        })
        .collect();
    json!({
        "file": output::path(file), "prompt": explained.generated.prompt, "style": made.style, "steps": made.steps, "seed": made.seed,
        "sha256": made.picture_sha256, "estimates": explained.estimates.len(), "words": words,
    })
}

/// What a word decides, as light that lies on the picture.
fn light(explained: &Explanation, word: &WordEffect) -> Result<Picture, CliError> {
    let picture = &explained.generated.picture;
    let pixels = word.map.iter().flat_map(|&difference| {
        // Small differences are seen as well.
        let alpha = (u32::from(difference) * 3).min(170);
        [LIGHT[0], LIGHT[1], LIGHT[2], alpha as u8]
    });
    Ok(Picture::new(picture.width(), picture.height(), pixels.collect()).map_err(PipelineError::from)?)
}

/// The picture on white, paler, with a word's light.
fn lit(explained: &Explanation, word: &WordEffect) -> Result<Picture, CliError> {
    let (below, above) = (
        Background::Colour([255; 3]).apply(&explained.generated.picture),
        light(explained, word)?,
    );
    let pairs = below.pixels().as_chunks::<4>().0.iter().zip(above.pixels().as_chunks::<4>().0);
    let pixels = pairs.flat_map(|(below, above)| {
        let mix = |channel: usize| {
            let (pale, alpha) = (u32::from(below[channel]) / 2 + 127, u32::from(above[3]));
            ((pale * (255 - alpha) + u32::from(above[channel]) * alpha + 127) / 255) as u8
        };
        [mix(0), mix(1), mix(2), 255]
    });
    Ok(Picture::new(below.width(), below.height(), pixels.collect()).map_err(PipelineError::from)?)
}

/// The estimates and the picture in the first row, then the words in their order.
fn side_by_side(explained: &Explanation) -> Result<Picture, CliError> {
    let cell = |picture: &Picture, kind: Resampling| scale::scale(picture, CELL, kind).map_err(PipelineError::from);
    let white = Background::Colour([255; 3]);
    let mut first = Vec::new();
    for estimate in &explained.estimates {
        first.push(cell(estimate, Resampling::Nearest)?);
    }
    first.push(cell(&explained.generated.picture, Resampling::Smooth)?);
    let columns = first.len().max(explained.words.len().min(8)).max(1);
    let blank = Picture::filled(CELL, CELL, [0; 4]).map_err(PipelineError::from)?;
    first.resize(columns, blank);
    for word in &explained.words {
        first.push(cell(&lit(explained, word)?, Resampling::Smooth)?);
    }
    Ok(contact_sheet(&first, u32::try_from(columns).unwrap_or(u32::MAX), GAP, &white)?)
}

/// A progress bar, and Ctrl-C.
struct Watch(ProgressBar);

impl Observer for Watch {
    fn progress(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
        self.0.set_message(progress.phase.to_string());
        self.0.inc(1);
        if interrupt::requested() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// A picture's PNG file as a `data:` URL.
fn data_url(picture: &Picture) -> Result<String, CliError> {
    use base64::Engine;
    let file = png::encode(picture, None)?;
    Ok(format!(
        "data:image/png;base64,{}",
        base64::engine::general_purpose::STANDARD.encode(file)
    ))
}
