//! Packs that were changed at random, with checksums that fit, are refused or drawn; settings, scripts and pictures are refused or read:
//! nothing panics, hangs or takes the machine's memory. `INKSTONE_MUTANTS=SECONDS cargo test --test mutants -- --ignored --nocapture`
//! goes on with other seeds and prints how many there were; the last one is in `inkstone-last-mutant` in the folder for temporary files.

#![cfg(feature = "kiosk")]

mod support;

#[path = "support/mutants.rs"]
mod mutants;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use inkstone::device::buttons::Script;
use inkstone::engine::{Engine, Input, Stage};
use inkstone::kiosk::settings::{EXAMPLE, Settings};
use inkstone::pack::{Element, Pack};
use inkstone::picture::{Picture, Provenance, image_file};
use inkstone::pipeline::{Options, Pipeline, Request};
use mutants::{Random, change_bytes, change_pack, change_text, change_weights, changed_graph, put};
use tempfile::TempDir;

/// What became of a mutant: refused, drawn or read, or the message of a panic.
type Outcome = Result<&'static str, String>;

/// A kind of input: makes the mutant of a seed in a folder and uses it.
type Kind = fn(&Path, u64) -> Outcome;

const KINDS: [(&str, Kind, u64); 5] = [
    ("graphs run", seed_pack, 100),
    ("packs drawn", shipped_pack, 10),
    ("settings", settings, 300),
    ("scripts", script, 300),
    ("pictures", picture, 100),
];

/// Longest that one may take; the machines that test are slow, and the engine is hardly optimised there.
const PATIENCE: Duration = Duration::from_secs(60);

fn outcome<T, E: std::fmt::Display>(result: Result<T, E>) -> Outcome {
    match result.map_err(|error| error.to_string()) {
        Ok(_) => Ok("used"),
        Err(message) if message.contains("internal error") => Err(message),
        Err(_) => Ok("refused"),
    }
}

/// A small U-Net, loaded and run.
fn seed_pack(folder: &Path, seed: u64) -> Outcome {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    for (from, to) in [
        ("manifest/seed.toml", "pack.toml"),
        ("graph/seed.onnx", "model.onnx"),
        ("weights.bin", "weights.bin"),
    ] {
        std::fs::copy(seeds.join(from), folder.join(to)).unwrap();
    }
    let random = &mut Random(seed);
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    if random.below(6) == 0 {
        let mut weights = read("weights.bin");
        let places = weights.len();
        change_weights(random, &mut weights, places);
        put(folder, "weights.bin", &weights);
    } else {
        let graph = changed_graph(random, &read("model.onnx"));
        put(folder, "model.onnx", &graph);
    }
    let run = || -> Result<(), Box<dyn std::error::Error>> {
        let (pack, engine) = (Pack::open(folder)?, Engine::new(1)?);
        let stage = Stage::load(&engine, &pack, "model")?;
        let floats: Vec<Vec<f32>> = pack.manifest().stages["model"]
            .inputs
            .iter()
            .map(|port| vec![0.5; port.elements()])
            .collect();
        assert!(
            pack.manifest().stages["model"]
                .inputs
                .iter()
                .all(|port| port.element == Element::F32)
        );
        let inputs: Vec<Input> = floats.iter().map(|floats| Input::F32(floats)).collect();
        stage.run(&engine, &inputs)?;
        Ok(())
    };
    outcome(run())
}

/// The shipped pack, opened and drawn with.
fn shipped_pack(folder: &Path, seed: u64) -> Outcome {
    change_pack(&mut Random(seed), &support::pack(), folder);
    let mut request = Request::new("a red cat and two dogs").seed(seed);
    request.guess = true;
    let draw = |mut pipeline: Pipeline| {
        request.steps = pipeline.capabilities().steps.first().copied();
        pipeline.generate(&request)
    };
    outcome(Pipeline::open_with(folder, &Options::default().threads(1)).and_then(draw))
}

fn settings(_: &Path, seed: u64) -> Outcome {
    let text = change_text(&mut Random(seed), EXAMPLE);
    outcome(Settings::parse(&text, "kiosk.toml".as_ref()))
}

fn script(_: &Path, seed: u64) -> Outcome {
    let text = change_text(&mut Random(seed), include_str!("kiosk/demo.txt"));
    outcome(Script::parse(&text, "demo.txt"))
}

/// A small picture with its record, in each format that is written.
fn picture(folder: &Path, seed: u64) -> Outcome {
    let random = &mut Random(seed);
    let file = folder.join(random.word(&["x.png", "x.jpg", "x.webp"]));
    let plain = Picture::filled(24, 16, [200, 30, 60, 255]).unwrap();
    let record = Provenance {
        prompt: "a red cat".into(),
        ..Provenance::default()
    };
    image_file::write(&plain, &file, Some(&record), true).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    change_bytes(random, &mut bytes);
    std::fs::write(&file, &bytes).unwrap();
    outcome(image_file::read(&file))
}

/// Makes and uses one mutant.
fn one(name: &str, kind: Kind, seed: u64) -> Outcome {
    let folder = TempDir::new().unwrap();
    let started = Instant::now();
    let used = std::panic::catch_unwind(|| kind(folder.path(), seed));
    assert!(started.elapsed() < PATIENCE, "{name}, seed {seed}: {:?}", started.elapsed());
    used.unwrap_or_else(|_| Err("a panic that nothing caught".into()))
}

#[test]
fn stored_seeds_are_refused_or_used() {
    for (name, kind, count) in KINDS {
        let mut outcomes = BTreeMap::<_, usize>::new();
        for seed in 0..count {
            match one(name, kind, seed) {
                Ok(outcome) => *outcomes.entry(outcome).or_default() += 1,
                Err(problem) => panic!("{name}, seed {seed}: {problem}"),
            }
        }
        assert!(
            outcomes.len() == 2,
            "{name}: {outcomes:?}: the changes are too small or too large to show anything"
        );
    }
}

#[test]
#[ignore = "as long as INKSTONE_MUTANTS says, in seconds"]
fn other_seeds_for_as_long_as_there_is_time() {
    let seconds = std::env::var("INKSTONE_MUTANTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(60);
    let first: u64 = std::env::var("INKSTONE_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000);
    let last = std::env::temp_dir().join("inkstone-last-mutant");
    let mut problems = Vec::new();
    for (name, kind, _) in KINDS {
        let (started, mut outcomes, mut seed) = (Instant::now(), BTreeMap::<String, usize>::new(), first);
        while started.elapsed() < Duration::from_secs(seconds) / KINDS.len() as u32 {
            // Told before it could end the program.
            std::fs::write(&last, format!("{name} {seed}\n")).unwrap();
            let outcome = one(name, kind, seed);
            if let Err(problem) = &outcome {
                problems.push(format!("{name}, seed {seed}: {problem}"));
            }
            *outcomes
                .entry(outcome.map_or_else(|_| "panicked".into(), str::to_owned))
                .or_default() += 1;
            seed += 1;
        }
        println!("{name}: {outcomes:?}");
    }
    std::fs::remove_file(&last).unwrap();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
