//! `inkstone verify`: a pack's files against their checksums and the engine, or a picture against its record.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::locate::Subjects;
use super::{CliError, output};
use crate::engine::{Engine, EngineError, Stage};
use crate::pack::Pack;
use crate::picture::{image_file, verify};
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

fn picture(path: &Path, as_json: bool) -> Result<(), CliError> {
    let contents = image_file::read(path)?;
    if let Some(fault) = &contents.record_fault {
        let problem = format!("{}: the record of what made this picture is invalid: {fault}", path.display());
        return Err(CliError::Mismatch(problem));
    }
    let Some(provenance) = &contents.provenance else {
        return Err(CliError::Mismatch(format!(
            "{}: there is no record of what made this picture",
            path.display()
        )));
    };
    if !provenance.is_own() {
        return Err(CliError::Mismatch(format!(
            "{}: its record is another program's, without a checksum of the pixels: whether the picture was changed is unknown",
            path.display()
        )));
    }
    if provenance.picture_sha256.is_empty() {
        return Err(CliError::Mismatch(format!(
            "{}: the record has no checksum of the pixels, as in every JPEG picture: whether the picture was changed is unknown",
            path.display()
        )));
    }
    let genuine = verify(&contents.picture, provenance);
    if as_json {
        output::json(&json!({
            "file": output::path(path), "clean": genuine && contents.ai_marked, "picture_matches_record": genuine,
            "marked_as_generated": contents.ai_marked, "sha256": contents.picture.sha256(),
        }))?;
    }
    if !genuine {
        return Err(CliError::Mismatch(format!(
            "{}: the pixels differ from the record; the picture was changed",
            path.display()
        )));
    }
    if !contents.ai_marked {
        return Err(CliError::Mismatch(format!(
            "{}: the mark of a generated picture (IPTC) was removed",
            path.display()
        )));
    }
    if as_json {
        Ok(())
    } else {
        output::result(&format!("{}: clean", path.display()))
    }
}
