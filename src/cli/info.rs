//! `inkstone info`: what made a picture, or what a pack contains.

use std::path::Path;

use serde_json::{Value, json};

use super::locate::Subjects;
use super::{CliError, output};
use crate::pack::{Manifest, Pack};
use crate::picture::{PictureFile, Provenance, image_file, verify};
use crate::pipeline::families::Condition;
use crate::pipeline::schedulers;

/// Runs `info`.
pub fn run(subjects: &Subjects) -> Result<(), CliError> {
    subjects.each(|path| match path.is_dir() {
        true => pack(&Pack::open(path)?, subjects.json),
        false => picture(path, &image_file::read(path)?, subjects.json),
    })
}

fn picture(path: &Path, contents: &PictureFile, as_json: bool) -> Result<(), CliError> {
    let PictureFile {
        picture,
        provenance,
        record_fault,
        ai_marked,
        ai_composite,
        animated,
    } = contents;
    // Lossy files do not hold the pixels that were hashed.
    let hashed = provenance.as_ref().filter(|provenance| !provenance.picture_sha256.is_empty());
    let genuine = hashed.map(|provenance| verify(picture, provenance));
    if as_json {
        return output::json(&json!({
            "file": output::path(path), "width": picture.width(), "height": picture.height(), "sha256": picture.sha256(),
            "made_by": provenance.as_ref().filter(|made| made.is_own()), "other_program": provenance.as_ref().filter(|made| !made.is_own()).map(foreign), "record_fault": record_fault,
            "picture_matches_record": genuine, "marked_as_generated": ai_marked,
        }));
    }
    output::result(&format!("{}: {}×{} pixels", path.display(), picture.width(), picture.height()))?;
    if let Some(fault) = record_fault {
        output::result(&format!("record:     invalid ({fault})"))?;
    }
    let Some(made) = provenance else {
        return output::result("no record of what made this picture");
    };
    if !made.is_own() {
        return foreign_lines(made);
    }
    let mut lines = vec![("prompt", made.prompt.clone())];
    lines.extend(made.negative.clone().map(|text| ("negative", text)));
    lines.extend(made.style.clone().map(|text| ("style", text)));
    lines.push(("steps", made.steps.to_string()));
    lines.push(("seed", made.seed.to_string()));
    lines.push(("guidance", made.guidance.to_string()));
    lines.push(("background", made.background.clone()));
    lines.push((
        "pack",
        format!("{} {} (sha256 {})", made.pack_name, made.pack_version, made.pack_sha256),
    ));
    lines.push(("made by", made.creator()));
    lines.extend(made.created.clone().map(|text| ("created", text)));
    lines.extend(made.extra.iter().map(|(name, text)| (name.as_str(), text.clone())));
    lines.push((
        "unchanged",
        match genuine {
            Some(true) if *animated => "yes, the pixels of the first frame match the record",
            Some(true) => "yes, the pixels match the record",
            Some(false) => "NO, the pixels differ from the record",
            None => "unknown, the record has no checksum of the pixels",
        }
        .into(),
    ));
    lines.push((
        "marked",
        match (ai_marked, ai_composite) {
            (false, _) => "not as generated",
            (true, false) => "trainedAlgorithmicMedia (IPTC)",
            (true, true) => "compositeWithTrainedAlgorithmicMedia (IPTC)",
        }
        .into(),
    ));
    lines.iter().try_for_each(|(name, text)| line(name, text))
}

/// What another program says of its picture.
fn foreign(made: &Provenance) -> Value {
    json!({ "prompt": made.prompt, "negative": made.negative, "parameters": made.extra })
}

fn foreign_lines(made: &Provenance) -> Result<(), CliError> {
    line("prompt", &made.prompt)?;
    made.negative.iter().try_for_each(|text| line("negative", text))?;
    made.extra.iter().try_for_each(|(name, text)| line(name, text))?;
    output::result("this record is another program's, which Inkstone cannot check")
}

fn line(name: &str, text: &str) -> Result<(), CliError> {
    output::result(&format!("{:<11} {}", printable(name), printable(text)))
}

/// A text from somebody's file without the control characters that a terminal would obey.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

fn pack(pack: &Pack, as_json: bool) -> Result<(), CliError> {
    let manifest = pack.manifest();
    if as_json {
        return output::json(
            &json!({ "folder": output::path(pack.folder()), "sha256": pack.sha256(), "bytes": pack.bytes(), "manifest": manifest }),
        );
    }
    output::result(&format!("{} {}: {}", manifest.name, manifest.version, manifest.description))?;
    let mut lines = vec![
        ("licence", manifest.licence.clone()),
        ("size", format!("{:.1} MiB", pack.bytes() as f64 / 1048576.0)),
    ];
    lines.push(("sha256", pack.sha256().to_owned()));
    lines.extend(manifest.family.clone().map(|family| ("family", family)));
    lines.extend(about_pictures(manifest));
    lines.push(("stages", manifest.stages.keys().cloned().collect::<Vec<_>>().join(", ")));
    lines
        .iter()
        .try_for_each(|(name, text)| output::result(&format!("{name:<11} {text}")))
}

/// A named input: "steepness (0 to 1, 0.5 by default)".
fn described(condition: &Condition) -> String {
    let range = condition.range.map_or(String::new(), |[low, high]| format!("{low} to {high}, "));
    format!("{} ({range}{} by default)", condition.name, condition.default)
}

fn about_pictures(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    lines.extend(
        manifest
            .picture
            .as_ref()
            .map(|picture| ("picture", format!("{}×{} pixels", picture.width, picture.height))),
    );
    let styles: Vec<&str> = manifest.styles.iter().map(|style| style.name.as_str()).collect();
    lines.extend((!styles.is_empty()).then(|| ("styles", styles.join(", "))));
    lines.extend(manifest.prompt.as_ref().map(|prompt| ("languages", prompt.languages.join(", "))));
    if let Some(sampling) = &manifest.sampling {
        let steps = schedulers::find(&sampling.scheduler).map_or_else(|| sampling.steps(), |entry| entry.steps(sampling));
        lines.push((
            "steps",
            format!("{}; {} by default", schedulers::list(&steps), sampling.default_steps),
        ));
        lines.push((
            "guidance",
            format!("{} by default, at most {}", sampling.default_guidance, sampling.max_guidance),
        ));
        lines.push(("scheduler", sampling.scheduler.clone()));
    }
    let inputs = Condition::of_manifest(manifest)
        .iter()
        .map(described)
        .collect::<Vec<_>>()
        .join(", ");
    lines.extend((!inputs.is_empty()).then_some(("inputs", inputs)));
    lines
}
