//! The pack: every file against its checksum, and a picture drawn and compared.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Finding;
use super::memory::{Need, mebibytes};
use crate::pack::{Pack, PackError};
use crate::pipeline::{Generated, Observer, Options, Pipeline, PipelineError, Progress, Request};
use crate::process::PeakMemory;

/// Pictures of the shipped pack and their hashes; the seed of all of them is [`SEED`].
const GOLDEN: &str = include_str!("../../tests/golden/pictures.toml");
const SEED: u64 = 7;
/// What is drawn with packs that no hash is known of.
const PROMPT: &str = "a red apple";
/// No drawing begins or goes on after this.
const LONGEST: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Golden {
    pack_sha256: String,
    pictures: Vec<GoldenPicture>,
}

#[derive(Deserialize)]
struct GoldenPicture {
    prompt: String,
    style: String,
    steps: usize,
    sha256: String,
}

/// The pack if all of it is as its manifest says, and the finding.
pub(super) fn check(folder: &Path, progress: &mut dyn FnMut(u64, u64)) -> (Option<Arc<Pack>>, Finding) {
    match verified(folder, progress) {
        Ok(pack) => {
            let manifest = pack.manifest();
            let (files, size) = (manifest.files.len(), mebibytes(pack.bytes()));
            let says = format!(
                "{} {}: all {files} files ({size} MiB) are as the manifest says",
                manifest.name, manifest.version
            );
            let finding = Finding::ok("pack", says)
                .figure("name", manifest.name.as_str())
                .figure("version", manifest.version.as_str())
                .figure("sha256", pack.sha256())
                .figure("bytes", pack.bytes());
            (Some(pack), finding)
        }
        Err(error) => {
            let fix = match error {
                PackError::NoPack { .. } => "install the package `inkstone`, which holds one, or name a folder with --pack",
                _ => "copy the pack again, then `inkstone verify` it",
            };
            (None, Finding::fault("pack", error.to_string()).fix(fix))
        }
    }
}

fn verified(folder: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Arc<Pack>, PackError> {
    let pack = Pack::open(folder)?;
    let (mut done, all) = (0, pack.bytes());
    pack.verify(&mut |bytes| {
        done += bytes;
        progress(done, all);
    })?;
    Ok(Arc::new(pack))
}

/// Draws: with a pack whose hashes are known one of those pictures, else one picture twice, with all threads and with one.
pub(super) fn draw(pack: &Arc<Pack>, threads: usize) -> (Finding, Need) {
    let mut test = SelfTest {
        start: Instant::now(),
        memory: PeakMemory::default(),
    };
    let finding = test.run(pack, threads).unwrap_or_else(|error| match error {
        PipelineError::Interrupted => Finding::note(
            "self-test",
            format!(
                "a picture takes more than {} s here; none was finished to compare",
                LONGEST.as_secs()
            ),
        ),
        error => Finding::fault("self-test", error.to_string()).fix("see what `inkstone verify` says of the pack"),
    });
    let need = Need {
        weights: pack.weights().len() as u64,
        private: test.memory.peak().private_bytes,
    };
    (finding, need)
}

struct SelfTest {
    start: Instant,
    memory: PeakMemory,
}

impl Observer for SelfTest {
    fn progress(&mut self, _: &Progress<'_>) -> ControlFlow<()> {
        self.memory.sample();
        if self.start.elapsed() < LONGEST {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

impl SelfTest {
    fn run(&mut self, pack: &Arc<Pack>, threads: usize) -> Result<Finding, PipelineError> {
        let mut pipeline = Pipeline::of_pack(pack.clone(), &Options::default().threads(threads))?;
        let known = golden(pack.sha256());
        let can = pipeline.capabilities();
        let (usual_steps, fewest) = (can.default_steps, can.steps.first().copied().unwrap_or(can.default_steps));
        let request = match &known {
            Some(known) => Request::new(&known.prompt).style(&known.style).steps(known.steps),
            None => Request::new(PROMPT).steps(fewest),
        };
        let request = request.seed(SEED);
        pipeline.resolve(&request)?;
        pipeline.load()?;
        let (first, time) = self.timed(&mut pipeline, &request)?;
        let hash = first.picture.sha256();
        let finding = match known {
            Some(known) => compared(hash == known.sha256, "golden hash", &first, time),
            None => {
                pipeline.set_threads(1)?;
                match self.timed(&mut pipeline, &request) {
                    Ok((second, _)) => compared(hash == second.picture.sha256(), "second drawing", &first, time),
                    Err(PipelineError::Interrupted) => {
                        Finding::note("self-test", format!("{}; no time was left for a second", took(&first, time)))
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        Ok(with_times(finding, &first, time, usual_steps).figure("picture_sha256", hash))
    }

    fn timed(&mut self, pipeline: &mut Pipeline, request: &Request) -> Result<(Generated, Duration), PipelineError> {
        let begun = Instant::now();
        let drawn = pipeline.generate_with(request, self)?;
        Ok((drawn, begun.elapsed()))
    }
}

/// The quickest of the pictures that are known of this pack.
fn golden(pack: &str) -> Option<GoldenPicture> {
    let golden: Golden = toml::from_str(GOLDEN).ok()?;
    let pictures = golden.pictures.into_iter().filter(|_| golden.pack_sha256 == pack);
    pictures.min_by_key(|picture| picture.steps)
}

fn took(drawn: &Generated, time: Duration) -> String {
    let picture = &drawn.picture;
    format!(
        "a picture of {}×{} was drawn in {:.0} ms",
        picture.width(),
        picture.height(),
        milliseconds(time)
    )
}

fn compared(alike: bool, with: &'static str, drawn: &Generated, time: Duration) -> Finding {
    let finding = if alike {
        Finding::ok("self-test", format!("{}; it equals the {with}", took(drawn, time)))
    } else {
        Finding::fault(
            "self-test",
            format!("{}; it differs from the {with}: this machine calculates wrongly", took(drawn, time)),
        )
        .fix("look at supply and heat below, take back overclocking, and try INKSTONE_KERNEL=portable; if that mends it, please report it")
    };
    finding.figure("compared", with)
}

fn with_times(finding: Finding, drawn: &Generated, time: Duration, usual_steps: usize) -> Finding {
    let sum = |steps: bool| -> f64 {
        let timings = drawn.timings.iter().filter(|timing| timing.phase.is_step() == steps);
        timings.map(|timing| milliseconds(timing.time)).sum()
    };
    let steps = drawn.timings.iter().filter(|timing| timing.phase.is_step()).count().max(1);
    let usual = sum(false) + sum(true) / steps as f64 * usual_steps as f64;
    let timings = drawn.timings.iter();
    let stages = timings.map(|timing| (timing.phase.to_string(), milliseconds(timing.time).into()));
    let says = format!("{}; {usual_steps} steps take about {usual:.0} ms", finding.says);
    Finding { says, ..finding }
        .figure("milliseconds", milliseconds(time))
        .figure("stages", serde_json::Map::from_iter(stages))
        .figure("usual_milliseconds", usual.round())
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_of_one_pack() {
        let table: Golden = toml::from_str(GOLDEN).unwrap();
        let quickest = golden(&table.pack_sha256).unwrap();
        assert!(table.pictures.iter().all(|picture| picture.steps >= quickest.steps));
        assert!(golden("another").is_none());
    }

    #[test]
    fn a_picture_that_differs_is_a_fault() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram");
        let request = Request::new("cat").steps(1).seed(SEED);
        let drawn = Pipeline::open(folder).unwrap().generate(&request).unwrap();
        let finding = compared(false, "golden hash", &drawn, Duration::from_millis(5));
        assert_eq!(finding.severity, crate::doctor::Severity::Fault);
        assert!(finding.says.contains("differs from the golden hash"), "{}", finding.says);
    }
}
