//! `inkstone vary`: more pictures like one that there is.
//!
//! A picture that the pack made is drawn again by its record, with its noise moved a little towards that of other seeds. Any other picture is
//! what drawing starts from, with as much noise as `--amount` says.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use super::CliError;
use super::generate::{Counted, Drawing, Series, Session};
use super::sheet::Grid;
use crate::picture::provenance::{FROM, STRENGTH};
use crate::picture::{PictureFile, Provenance, image_file, verify};
use crate::pipeline::{Pipeline, Request, Source, Variation, random_seed};

/// Variations by default.
const COUNT: u32 = 4;

/// Arguments of `vary`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Picture to vary (PNG, JPEG, WebP or GIF).
    picture: PathBuf,
    /// How far variations are from it: 0 is the same picture, 1 one that has nothing of it but the prompt.
    #[arg(long, value_name = "0..1", default_value_t = Variation::STRENGTH, allow_negative_numbers = true, value_parser = super::generate::strength)]
    amount: f32,
    /// What to draw, instead of what the picture's record says.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Draw columns × rows variations onto one sheet without gaps, with a JSON file beside it that says which is where.
    #[arg(long, value_name = "COLUMNSxROWS", conflicts_with = "count")]
    sheet: Option<Grid>,
    #[command(flatten)]
    drawing: Drawing,
}

/// Runs `vary`. `started` is when the process started.
pub fn run(arguments: &Arguments, started: Instant) -> Result<(), CliError> {
    let mut session = Session::open(&arguments.drawing, started)?;
    let contents = image_file::read(&arguments.picture)?;
    let again = contents.provenance.as_ref().map(|record| session.pipeline.request_of(record));
    let mut series = match again {
        Some(Ok(request)) => by_record(arguments, &mut session, request, &contents)?,
        again => {
            let reason = again
                .and_then(Result::err)
                .map_or("the picture has no record".to_owned(), |error| error.to_string());
            session.note(&format!("{reason}; its pixels are what drawing starts from"));
            by_pixels(arguments, &mut session, contents)?
        }
    };
    series.count = arguments.drawing.count.unwrap_or(COUNT);
    if !arguments.drawing.no_prompt {
        let stem = arguments.picture.file_stem().unwrap_or_default();
        series.name = stem.to_string_lossy().into_owned();
    }
    match arguments.sheet {
        Some(grid) => session.draw_sheet_of_series(&series, grid),
        None => session.draw(&series, false),
    }
}

/// The request that made the picture, with its noise moved.
fn by_record(arguments: &Arguments, session: &mut Session, mut request: Request, contents: &PictureFile) -> Result<Series, CliError> {
    if let Some(prompt) = &arguments.prompt {
        request = Request {
            parts: Vec::new(),
            literal: false,
            prompt: prompt.clone(),
            ..request
        };
    }
    if let Some(record) = &contents.provenance {
        check_pixels(session, contents, record);
        check_source(arguments, session, record)?;
    }
    let first = arguments.drawing.seed().unwrap_or_else(random_seed);
    let counted = Counted::Variation {
        first,
        amount: arguments.amount,
    };
    Ok(Series {
        counted,
        request: arguments.drawing.complete(request),
        ..session.series(Request::new(""))
    })
}

fn check_pixels(session: &Session, contents: &PictureFile, record: &Provenance) {
    if !record.picture_sha256.is_empty() && !verify(&contents.picture, record) {
        session.note("the picture was changed after it was drawn; what is varied is the one of its record");
    }
}

/// A picture that was drawn on another one needs that one again, with its strength.
fn check_source(arguments: &Arguments, session: &mut Session, record: &Provenance) -> Result<(), CliError> {
    let Some(hash) = record.extra.get(FROM) else { return Ok(()) };
    let strength = record.extra.get(STRENGTH).and_then(|text| text.parse().ok());
    match &mut session.source {
        None => Err(CliError::Usage(format!(
            "{} was drawn on another picture (SHA-256 of its pixels {hash}): give that one as --from",
            arguments.picture.display()
        ))),
        Some(source) => {
            if arguments.drawing.strength.is_none() {
                source.strength = strength.unwrap_or(source.strength);
            }
            if source.extend.is_empty() {
                source.extend = Pipeline::margins_of(record)?;
            }
            if source.picture.sha256() != *hash {
                session.note("--from is not the picture that this one was drawn on");
            }
            Ok(())
        }
    }
}

/// A request that starts from the picture itself.
fn by_pixels(arguments: &Arguments, session: &mut Session, contents: PictureFile) -> Result<Series, CliError> {
    if arguments.drawing.from.is_some() {
        let problem = "--from: drawing starts from the picture that is varied, and cannot start from another one as well";
        return Err(CliError::Usage(problem.into()));
    }
    let record = contents.provenance.unwrap_or_default();
    let recorded = Some(literal_braces(&record.prompt)).filter(|prompt| !prompt.trim().is_empty());
    let prompt = arguments.prompt.clone().or(recorded);
    if prompt.is_none() && session.pipeline.capabilities().has_prompt {
        return Err(CliError::Usage(format!(
            "{}: nothing in the file tells what it shows; say so with --prompt",
            arguments.picture.display()
        )));
    }
    let mut request = Request::new(prompt.unwrap_or_default());
    let steps = usize::try_from(record.steps).ok();
    request.steps = steps.filter(|steps| session.pipeline.capabilities().steps.contains(steps));
    request.negative = record.negative.as_deref().map(literal_braces);
    let source = Source::new(contents.picture).strength(arguments.amount);
    session.source = Some(source.generated(contents.ai_marked && !contents.ai_composite));
    let mut series = session.series(request);
    // A record always has steps.
    series.request.seed = series.request.seed.or((record.steps > 0).then_some(record.seed));
    Ok(series)
}

/// The prompt of another program: brackets mean the same there, braces do not.
fn literal_braces(prompt: &str) -> String {
    prompt.replace('{', "\\{").replace('}', "\\}")
}
