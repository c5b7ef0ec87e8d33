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
use crate::pipeline::{Explanation, Nearest, Observer, Pipeline, PipelineError, Progress, Request, WordEffect};
use crate::words::Language;

/// Colour of what a word decides.
const LIGHT: [u8; 3] = [230, 0, 90];
/// Side of the pictures on a PNG, and the gap between them, in pixels.
const CELL: u32 = 160;
const GAP: u32 = 6;

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(
    after_help = "Each word is left out once and the picture drawn again from the same noise; what differs is what the word decided. Beside it stands where \
    pixels looked at the word while they were denoised (attention), which need not be the same. The nearest training pictures are those that are alike in \
    colours and shape at 16×16 pixels, by an index in the pack; that says nothing of what the model learned from them."
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
    /// Print JSON: each word's shares, what pixels looked at, and the nearest training pictures.
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
    tell_attention(&explained)?;
    explained.nearest.iter().try_for_each(tell_nearest)?;
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
    let attention = word.attention.as_ref().map_or(String::new(), |attention| {
        format!("; {:.0} % of the attention to words", 100.0 * attention.share)
    });
    output::result(&format!(
        "{:3.0} %  {}  (changes {:.0} % of the picture; without it: {without}{attention})",
        100.0 * word.share,
        word.text,
        100.0 * word.changed
    ))
}

fn tell_attention(explained: &Explanation) -> Result<(), CliError> {
    output::result(&match &explained.attention {
        Ok(attention) => format!("attention: {}", page::where_to(attention)),
        Err(reason) => format!("attention: {reason}"),
    })
}

fn tell_nearest(nearest: &Nearest) -> Result<(), CliError> {
    output::result(&format!("nearest of {} training pictures:", nearest.among))?;
    nearest.pictures.iter().try_for_each(|picture| {
        let (id, name) = (&picture.id, &picture.name);
        output::result(&format!(
            "  {:.2}  {id}  {name} ({}, {})",
            picture.similarity, picture.source, picture.licence
        ))
    })
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
                "attention": word.attention.as_ref().map(|attention| rounded(attention.share)),
            })
        })
        .collect();
    let attention = explained.attention.as_ref().ok().map(|attention| {
        json!({
            "maps": attention.maps, "prompt": rounded(attention.prompt), "other_rows": rounded(attention.other_rows),
            "pixels": rounded(attention.pixels),
        })
    });
    let missing = explained.attention.as_ref().err().map(ToString::to_string);
    json!({
        "file": output::path(file), "prompt": explained.generated.prompt, "style": made.style, "steps": made.steps, "seed": made.seed,
        "sha256": made.picture_sha256, "estimates": explained.estimates.len(), "words": words, "attention": attention, "attention_missing": missing,
        "nearest": explained.nearest.as_ref().map(nearest_report),
    })
}

fn nearest_report(nearest: &Nearest) -> Value {
    let rounded = |number: f64| (number * 1e3).round() / 1e3;
    let pictures = nearest.pictures.iter().map(|picture| {
        json!({
            "id": picture.id, "name": picture.name, "source": picture.source, "licence": picture.licence,
            "similarity": rounded(picture.similarity),
        })
    });
    json!({ "among": nearest.among, "ordinary": rounded(nearest.ordinary), "pictures": pictures.collect::<Vec<_>>() })
}

/// Makes small differences visible.
const DIFFERENCE: u32 = 3;
/// Attention maps are already stretched from 0 to 255.
const ATTENTION: u32 = 1;

/// A map as a layer of light over the picture; `strength` multiplies its opacity.
fn light(explained: &Explanation, map: &[u8], strength: u32) -> Result<Picture, CliError> {
    let picture = &explained.generated.picture;
    let pixels = map.iter().flat_map(|&value| {
        let alpha = (u32::from(value) * strength).min(170);
        [LIGHT[0], LIGHT[1], LIGHT[2], alpha as u8]
    });
    Ok(Picture::new(picture.width(), picture.height(), pixels.collect()).map_err(PipelineError::from)?)
}

/// The picture on white, paler, with the light of a map.
fn lit(explained: &Explanation, map: &[u8], strength: u32) -> Result<Picture, CliError> {
    let (below, above) = (
        Background::Colour([255; 3]).apply(&explained.generated.picture),
        light(explained, map, strength)?,
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

/// The estimates and the picture in the first row; then, eight words at a time in their order, what each decided, and below it where pixels
/// looked at it.
fn side_by_side(explained: &Explanation) -> Result<Picture, CliError> {
    let cell = |picture: &Picture, kind: Resampling| scale::scale(picture, CELL, kind).map_err(PipelineError::from);
    let mut first = Vec::new();
    for estimate in &explained.estimates {
        first.push(cell(estimate, Resampling::Nearest)?);
    }
    first.push(cell(&explained.generated.picture, Resampling::Smooth)?);
    let columns = first.len().max(explained.words.len().min(8)).max(1);
    let blank = Picture::filled(CELL, CELL, [0; 4]).map_err(PipelineError::from)?;
    let mut cells = filled_up(first, columns, &blank);
    for words in explained.words.chunks(columns) {
        let shown = |map: &[u8], strength| cell(&lit(explained, map, strength)?, Resampling::Smooth).map_err(CliError::from);
        let decided: Result<Vec<_>, _> = words.iter().map(|word| shown(&word.map, DIFFERENCE)).collect();
        cells.extend(filled_up(decided?, columns, &blank));
        if explained.attention.is_ok() {
            let looked = words.iter().map(|word| match &word.attention {
                Some(attention) => shown(&attention.map, ATTENTION),
                None => Ok(blank.clone()),
            });
            cells.extend(filled_up(looked.collect::<Result<_, _>>()?, columns, &blank));
        }
    }
    let columns = u32::try_from(columns).unwrap_or(u32::MAX);
    Ok(contact_sheet(&cells, columns, GAP, &Background::Colour([255; 3]))?)
}

/// A row of cells with empty ones up to its end.
fn filled_up(mut row: Vec<Picture>, columns: usize, blank: &Picture) -> Vec<Picture> {
    row.resize(columns, blank.clone());
    row
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
