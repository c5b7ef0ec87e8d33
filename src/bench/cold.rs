//! New processes of this program that draw one picture and end: cold starts, with the pack's pages dropped before each, and the
//! memory that one picture takes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use super::page_cache;
use super::plan::Configuration;
use super::report::ColdResult;
use super::statistics::Summary;
use crate::pack::Pack;
use crate::pipeline::{Phase, Request};
use crate::process::Memory;

/// A process that did not end well.
#[derive(Debug, thiserror::Error)]
#[error("a process that draws one picture failed: {0}")]
pub struct ColdError(String);

/// Where time went in one start, in milliseconds since the process began.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Start {
    to_first_step: f64,
    to_first_step_done: f64,
    to_picture: f64,
}

/// Starts `program` `count` times. `pack` must not have been read through its mapping, since pages that a process has mapped
/// stay in memory. `done` is called after each start; it returns `false` to stop.
///
/// # Errors
/// If a process cannot be started, fails, or reports something else than `generate --json` does.
pub fn starts(
    program: &Path,
    pack: &Pack,
    request: &Request,
    configuration: Configuration,
    count: usize,
    done: &mut dyn FnMut() -> bool,
) -> Result<Option<ColdResult>, ColdError> {
    let folder = tempfile::tempdir().map_err(|error| ColdError(error.to_string()))?;
    let picture = folder.path().join("picture.png");
    let (mut found, mut cache) = (Vec::new(), Dropped::default());
    for _ in 0..count {
        cache.drop_pack(pack);
        found.push(start(program, pack, request, configuration, &picture)?);
        if !done() {
            break;
        }
    }
    let summary = |part: fn(&Start) -> f64| Summary::of(&found.iter().map(part).collect::<Vec<_>>());
    let parts = summary(|start| start.to_first_step)
        .zip(summary(|start| start.to_first_step_done))
        .zip(summary(|start| start.to_picture));
    Ok(parts.map(|((to_first_step, to_first_step_done), to_picture)| ColdResult {
        page_cache: cache.words(),
        bytes: cache.bytes,
        resident_bytes: cache.resident,
        to_first_step,
        to_first_step_done,
        to_picture,
    }))
}

/// What became of the pack's pages.
#[derive(Debug, Default)]
struct Dropped {
    bytes: u64,
    resident: u64,
    problem: Option<String>,
}

impl Dropped {
    fn drop_pack(&mut self, pack: &Pack) {
        let (mut bytes, mut resident) = (0, 0);
        for name in pack.manifest().files.keys() {
            match page_cache::drop_file(&pack.folder().join(name)) {
                Ok(cached) => {
                    bytes += cached.bytes;
                    resident += cached.resident;
                }
                Err(error) => {
                    self.problem.get_or_insert_with(|| format!("{name}: {error}"));
                }
            }
        }
        self.bytes = bytes;
        self.resident = self.resident.max(resident);
    }

    fn words(&self) -> String {
        let what = "posix_fadvise(DONTNEED) on the pack's files before each start; the program's own pages stay";
        match &self.problem {
            Some(problem) => format!("{what}; failed for {problem}"),
            None if self.resident > 0 => format!("{what}; {} KiB of the pack stayed too", self.resident >> 10),
            None => what.into(),
        }
    }
}

/// Peak memory of a process that draws one picture; `None` where the system does not tell it.
///
/// # Errors
/// As [`starts`].
pub fn memory(program: &Path, pack: &Pack, request: &Request, configuration: Configuration) -> Result<Option<Memory>, ColdError> {
    let folder = tempfile::tempdir().map_err(|error| ColdError(error.to_string()))?;
    let report = generate(program, pack, request, configuration, &folder.path().join("picture.png"))?;
    let memory = serde_json::from_value(report["memory"].clone()).map_err(|error| ColdError(error.to_string()))?;
    Ok(Some(memory).filter(|memory| *memory != Memory::default()))
}

fn start(program: &Path, pack: &Pack, request: &Request, configuration: Configuration, picture: &Path) -> Result<Start, ColdError> {
    let started = Instant::now();
    let report = generate(program, pack, request, configuration, picture)?;
    let to_picture = started.elapsed().as_secs_f64() * 1e3;
    let stages = report["pictures"][0]["stages"].as_array().into_iter().flatten();
    let mut first = stages
        .filter(|stage| stage["stage"] == Phase::Step(1).to_string())
        .filter_map(|stage| stage["milliseconds"].as_f64());
    let to_first_step = report["start_to_first_step_milliseconds"].as_f64();
    match (to_first_step, first.next()) {
        (Some(to_first_step), Some(step)) => Ok(Start {
            to_first_step,
            to_first_step_done: to_first_step + step,
            to_picture,
        }),
        _ => Err(ColdError("its report names no first step".into())),
    }
}

/// What `generate --json` reports in a process of its own.
fn generate(program: &Path, pack: &Pack, request: &Request, configuration: Configuration, picture: &Path) -> Result<Value, ColdError> {
    let mut command = Command::new(program);
    command
        .arg("generate")
        .args(["--preview", "none", "--json", "--force"])
        .args(["--steps", &configuration.steps.to_string()])
        .args(["--threads", &configuration.threads.to_string()])
        .args(["--size", &configuration.size.to_string()])
        .arg("--pack")
        .arg(pack.folder())
        .arg("--out")
        .arg(picture);
    if let Some(seed) = request.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    if let Some(guidance) = request.guidance {
        command.args(["--guidance", &guidance.to_string()]);
    }
    if let Some(style) = &request.style {
        command.args(["--style", style]);
    }
    // After the options, so that a prompt that begins with a dash is a prompt.
    command.args(["--", &request.prompt]).stdin(Stdio::null());
    let output = command
        .output()
        .map_err(|error| ColdError(format!("{}: {error}", program.display())))?;
    if !output.status.success() {
        return Err(ColdError(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| ColdError(error.to_string()))
}
