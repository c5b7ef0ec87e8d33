//! `inkstone verify`: a pack's files against their checksums and the engine, or a picture against its record.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::locate::Subjects;
use super::signing::Credentials;
use super::{CliError, output};
use crate::engine::{Engine, EngineError, Stage};
use crate::pack::Pack;
use crate::picture::{PictureFile, image_file, verify};
use crate::pipeline::{Options, Pipeline, PipelineError, Request};

/// Runs `verify`.
pub fn run(subjects: &Subjects) -> Result<(), CliError> {
    subjects.each(|path| match path.is_dir() {
        true => pack(path, subjects.json),
        false => picture(path, subjects.json),
    })
}

fn pack(folder: &Path, as_json: bool) -> Result<(), CliError> {
    let pack = Arc::new(Pack::open(folder)?);
    let bar = output::progress(pack.bytes(), "{bar:32} {bytes}/{total_bytes} checked, {eta} left");
    pack.verify(&mut |bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    let manifest = pack.manifest();
    if manifest.family.is_some() {
        let mut pipeline = Pipeline::of_pack(pack.clone(), &Options::default())?;
        let fewest = pipeline.capabilities().steps.first().copied();
        let mut request = Request::new("cat").seed(1);
        request.steps = fewest;
        pipeline.generate(&request)?;
    } else {
        let load = |engine: Engine| -> Result<(), EngineError> {
            let mut stages = manifest.stages.keys();
            stages.try_for_each(|stage| Stage::load(&engine, &pack, stage).map(drop))
        };
        Engine::new(1).and_then(load).map_err(PipelineError::from)?;
    }
    if as_json {
        return output::json(&json!({
            "folder": output::path(folder), "clean": true, "name": manifest.name, "version": manifest.version, "sha256": pack.sha256(),
            "files": manifest.files.len(), "bytes": pack.bytes(), "stages": manifest.stages.keys().collect::<Vec<_>>(),
        }));
    }
    output::result(&format!(
        "{}: clean ({} {}, {} files, {:.1} MiB, {} stages)",
        folder.display(),
        manifest.name,
        manifest.version,
        manifest.files.len(),
        pack.bytes() as f64 / 1048576.0,
        manifest.stages.len()
    ))
}

/// What there is to say about a picture's record: whether its pixels are those, or why that is unknown.
struct Record {
    genuine: Option<bool>,
    problem: Option<String>,
}

fn of_record(contents: &PictureFile) -> Record {
    let unknown = |problem: &str| Record {
        genuine: None,
        problem: Some(problem.to_owned()),
    };
    if let Some(fault) = &contents.record_fault {
        return unknown(&format!("the record of what made this picture is invalid: {fault}"));
    }
    let Some(provenance) = &contents.provenance else {
        return unknown("there is no record of what made this picture");
    };
    if !provenance.is_own() {
        return unknown("its record is another program's, without a checksum of the pixels: whether the picture was changed is unknown");
    }
    if provenance.picture_sha256.is_empty() {
        return unknown(
            "the record has no checksum of the pixels, as in JPEG and GIF pictures: whether the picture was changed is unknown",
        );
    }
    let genuine = verify(&contents.picture, provenance);
    let problem = match (genuine, contents.ai_marked) {
        (false, _) => Some("the pixels differ from the record; the picture was changed"),
        (true, false) => Some("the mark of a generated picture (IPTC) was removed"),
        (true, true) => None,
    };
    Record {
        genuine: Some(genuine),
        problem: problem.map(str::to_owned),
    }
}

fn picture(path: &Path, as_json: bool) -> Result<(), CliError> {
    let contents = image_file::read(path)?;
    let record = of_record(&contents);
    let credentials = Credentials::of(path)?;
    // A signature of the whole file tells what a record without a checksum cannot.
    let is_vouched_for = credentials.is_intact() && record.genuine.is_none() && contents.record_fault.is_none();
    let problem = credentials.problem().or(record.problem.filter(|_| !is_vouched_for));
    if as_json && (record.genuine.is_some() || credentials.are_there()) {
        let mut report = json!({
            "file": output::path(path), "clean": problem.is_none(), "picture_matches_record": record.genuine,
            "marked_as_generated": contents.ai_marked, "sha256": contents.picture.sha256(), "animated": contents.animated,
        });
        credentials.report(&mut report);
        output::json(&report)?;
    }
    if let Some(problem) = problem {
        return Err(CliError::Mismatch(format!("{}: {problem}", path.display())));
    }
    if as_json {
        return Ok(());
    }
    let covered = if contents.animated && !credentials.is_intact() {
        "; the record covers the first frame alone"
    } else {
        ""
    };
    output::result(&format!("{}: clean{}{covered}", path.display(), credentials.in_words()))
}
