//! `inkstone morph`: an animation of pictures that become one another.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use super::destination::make_folder;
use super::generate::{Drawing, Seed, Session, milliseconds};
use super::{CliError, locate, output};
use crate::atomic_file;
use crate::picture::animation::{self, Timed};
use crate::picture::{Background, file_name, image_file};
use crate::pipeline::Note;
use crate::pipeline::Request;
use crate::pipeline::morph::{Frame, Morph, Morphed};

/// What a GIF's soft edges are put on without a background.
const MATTE: [u8; 3] = [255; 3];
/// The name of the list of a folder's frames and their times.
const LIST: &str = "frames.ffconcat";

/// Arguments of `morph`.
#[derive(Debug, Args)]
#[command(
    after_help = "--out NAME.png writes an animated PNG, NAME.gif a GIF, and a folder a PNG a frame with frames.ffconcat, which ffmpeg makes a \
                  video of: ffmpeg -i DIR/frames.ffconcat NAME.mp4"
)]
pub struct Arguments {
    /// What to draw, in order; one prompt will do with --to-seed or --to-style.
    #[arg(required = true, value_name = "PROMPT")]
    prompts: Vec<String>,
    /// Number of pictures.
    #[arg(long, value_name = "N", default_value_t = 30, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(2..=1000))]
    frames: u16,
    /// Pictures a second, on average: those that differ more from the next are shown longer.
    #[arg(long, value_name = "N", default_value_t = 15.0, allow_negative_numbers = true, value_parser = rate)]
    fps: f64,
    /// Seed of the last picture; by default that of the first.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    to_seed: Option<Seed>,
    /// Style of the last picture; by default that of the first.
    #[arg(long, value_name = "STYLE")]
    to_style: Option<String>,
    /// Go back to the first picture at the end.
    #[arg(long = "loop")]
    closed: bool,
    #[command(flatten)]
    drawing: Drawing,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.1..=100.0).contains(rate));
    rate.ok_or_else(|| "must be a number from 0.1 to 100".into())
}

/// Where the pictures go.
enum Target {
    Png(PathBuf),
    Gif(PathBuf),
    Folder(PathBuf),
}

impl Target {
    fn of(arguments: &Arguments) -> Result<Target, CliError> {
        let drawing = &arguments.drawing;
        let name = if drawing.no_prompt {
            String::new()
        } else {
            arguments.prompts.join(" ")
        };
        let default = || PathBuf::from(format!("{}.png", file_name(&name)));
        let out = drawing.out.clone().unwrap_or_else(default);
        let extension = out
            .extension()
            .and_then(|extension| extension.to_str())
            .map(str::to_ascii_lowercase);
        match extension.as_deref() {
            _ if out.is_dir() => Ok(Target::Folder(out)),
            Some("png" | "apng") => Ok(Target::Png(out)),
            Some("gif") => Ok(Target::Gif(out)),
            None if out != Path::new("-") => Ok(Target::Folder(out)),
            _ => Err(CliError::Usage(format!(
                "--out {}: a morph is written as an animated .png or .gif, or into a folder",
                out.display()
            ))),
        }
    }

    /// Names of all files that are written, in order.
    fn files(&self, frames: usize) -> Vec<PathBuf> {
        match self {
            Target::Png(file) | Target::Gif(file) => vec![file.clone()],
            Target::Folder(folder) => {
                let pictures = (1..=frames).map(|number| folder.join(format!("frame-{number:04}.png")));
                pictures.chain([folder.join(LIST)]).collect()
            }
        }
    }
}

/// Runs `morph`. `started` is when the process started.
pub fn run(arguments: &Arguments, started: Instant) -> Result<(), CliError> {
    let drawing = &arguments.drawing;
    if drawing.count.is_some() {
        return Err(CliError::Usage(
            "--count: a morph is one animation; --frames is the number of its pictures".into(),
        ));
    }
    let target = Target::of(arguments)?;
    let mut session = Session::open(drawing, started)?;
    if session.signing.is_wanted() {
        return Err(CliError::Usage("--sign: animations are not signed; sign single pictures".into()));
    }
    let files = target.files(arguments.frames.into());
    if let Target::Folder(folder) = &target {
        make_folder("--out", folder)?;
    }
    files.iter().try_for_each(|file| atomic_file::check(file, drawing.force))?;
    let mut morph = Morph::new(arguments.prompts.iter().cloned());
    morph.request = drawing.complete(Request::new(""));
    morph.request.seed = drawing.seed();
    morph.request.language = drawing.language.or_else(locate::language);
    morph.request.source.clone_from(&session.source);
    morph.frames = arguments.frames.into();
    morph.to_seed = arguments.to_seed.and_then(|Seed(seed)| seed);
    morph.to_style.clone_from(&arguments.to_style);
    morph.closed = arguments.closed;
    let mut watch = session.watch(arguments.frames.into())?;
    let drawing_began = Instant::now();
    let morphed = session.pipeline.morph(&morph, &mut watch)?;
    let drawn = drawing_began.elapsed();
    watch.finish();
    morphed.notes.iter().for_each(|note| session.note(&note.to_string()));
    let times = times(&morphed.frames, arguments.fps);
    write(
        &target,
        &files,
        &morphed,
        &times,
        drawing.background.unwrap_or_default(),
        drawing.force,
    )?;
    tell(arguments, &target, &morphed, &times, drawn)
}

/// How long each frame is shown, in whole milliseconds.
fn times(frames: &[Frame], rate: f64) -> Vec<Duration> {
    let whole = frames.len() as f64 / rate * 1000.0;
    frames
        .iter()
        .map(|frame| Duration::from_millis((frame.share * whole).round().max(1.0) as u64))
        .collect()
}

fn write(
    target: &Target,
    files: &[PathBuf],
    morphed: &Morphed,
    times: &[Duration],
    background: Background,
    force: bool,
) -> Result<(), CliError> {
    let timed: Vec<Timed> = morphed
        .frames
        .iter()
        .map(|frame| &frame.picture)
        .zip(times.iter().copied())
        .collect();
    let record = Some(&morphed.provenance);
    match target {
        Target::Png(file) => Ok(atomic_file::write(file, &animation::encode_png(&timed, record)?, force)?),
        Target::Gif(file) => {
            let matte = match background {
                Background::Colour(colour) => colour,
                _ => MATTE,
            };
            Ok(atomic_file::write(file, &animation::encode_gif(&timed, matte, record)?, force)?)
        }
        Target::Folder(folder) => {
            for (frame, file) in morphed.frames.iter().zip(files) {
                image_file::write(&frame.picture, file, Some(&frame.provenance), force)?;
            }
            Ok(atomic_file::write(&folder.join(LIST), list(times).as_bytes(), force)?)
        }
    }
}

/// The frames of a folder and their times, as ffmpeg reads them.
fn list(times: &[Duration]) -> String {
    let mut text = "ffconcat version 1.0\n".to_owned();
    for (number, time) in (1..).zip(times) {
        text.push_str(&format!("file frame-{number:04}.png\nduration {:.3}\n", time.as_secs_f64()));
    }
    // The time of the last file alone is not read.
    text.push_str(&format!("file frame-{:04}.png\n", times.len()));
    text
}

fn tell(arguments: &Arguments, target: &Target, morphed: &Morphed, times: &[Duration], drawn: Duration) -> Result<(), CliError> {
    let (Target::Png(path) | Target::Gif(path) | Target::Folder(path)) = target;
    let shown: Duration = times.iter().sum();
    if arguments.drawing.json {
        let frame = |(frame, time): (&Frame, &Duration)| json!({ "sha256": frame.provenance.picture_sha256, "milliseconds": time.as_millis() as u64 });
        let frames: Vec<_> = morphed.frames.iter().zip(times).map(frame).collect();
        let notes: Vec<_> = morphed.notes.iter().map(Note::to_json).collect();
        return output::json(&json!({
            "file": output::path(path), "prompts": arguments.prompts, "seed": morphed.provenance.seed, "to_seed": arguments.to_seed.and_then(|Seed(seed)| seed),
            "loop": arguments.closed, "frames": frames, "seconds": shown.as_secs_f64(), "milliseconds": milliseconds(drawn), "notes": notes,
        }));
    }
    output::result(&format!(
        "{} ({} frames, {:.1} s, seed {}, {:.0} ms)",
        path.display(),
        morphed.frames.len(),
        shown.as_secs_f64(),
        morphed.provenance.seed,
        milliseconds(drawn)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_listed_with_their_times() {
        let times = [Duration::from_millis(40), Duration::from_millis(1500)];
        let lines = "file frame-0001.png\nduration 0.040\nfile frame-0002.png\nduration 1.500\nfile frame-0002.png\n";
        assert_eq!(list(&times), format!("ffconcat version 1.0\n{lines}"));
    }
}
