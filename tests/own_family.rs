//! A model family that is not shipped, added by this one file: a one-step generator that runs the shipped pack's decoder on
//! noise, and keeps count of its pictures between runs. Everything around it (prompt, styles, size, notes, provenance) comes
//! from [`Pipeline`]; the benchmark measures it without knowing it.

mod support;

use std::path::Path;
use std::sync::Arc;

use inkstone::engine::{Engine, EngineError, Residency, Stages, Value};
use inkstone::pack::{Manifest, Pack, PackError, Role};
use inkstone::picture::Picture;
use inkstone::pipeline::families::{Capabilities, FAMILIES, Family, FamilyEntry, Run, Supply, Values, check_stage, run_stage};
use inkstone::pipeline::{Options, Phase, Pipeline, PipelineError, Resolved, gaussian_noise};
use inkstone::{Progress, Request};

const ONE_STEP: FamilyEntry = FamilyEntry {
    name: "one-step",
    check,
    open: |pack, options| {
        Ok(Box::new(OneStep {
            stages: Stages::new(pack, options.residency),
            pictures: 0,
        }))
    },
};
static TABLE: &[FamilyEntry] = &[ONE_STEP];

fn check(manifest: &Manifest, file: &Path) -> Result<Capabilities, PackError> {
    let supplied = [
        (Role::Picture, Supply::floats(4 * 32 * 32)),
        (Role::Style, Supply::integers(1).within(1.0, 9.0)),
    ];
    check_stage(manifest, file, "decoder", &supplied.into())?;
    let shape = manifest.picture.as_ref().unwrap();
    Ok(Capabilities::one_step(shape.width, shape.height))
}

struct OneStep {
    stages: Stages,
    pictures: u64,
}

impl Family for OneStep {
    fn load(&mut self, engine: &Engine) -> Result<(), EngineError> {
        self.stages.load(engine)
    }

    fn phases(&self, _: &Resolved) -> Vec<Phase> {
        vec![Phase::Step(1)]
    }

    fn generate(&mut self, engine: &Engine, request: &Resolved, run: &mut Run<'_>) -> Result<Vec<Picture>, PipelineError> {
        self.pictures += 1;
        let noise = gaussian_noise(request.seed() + self.pictures, 0, 4 * 32 * 32);
        let values = Values::from([
            (Role::Picture, Value::F32(noise)),
            (Role::Style, Value::I64(vec![request.style_id()])),
        ]);
        let mut drawn = run.phase(Phase::Step(1), || Ok(run_stage(&self.stages, engine, "decoder", &values)?))?;
        let planes = drawn.remove(&Role::Picture).and_then(Value::into_floats).unwrap();
        Ok(vec![Picture::from_premultiplied(&planes, 128, 128)?])
    }
}

/// The shipped pack as one of this family: without text encoder, denoiser, prompt and sampling.
fn pack() -> (tempfile::TempDir, std::path::PathBuf) {
    let (folder, pack) = support::copied_pack();
    let file = pack.join("pack.toml");
    let mut table: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    table.insert("family".into(), "one-step".into());
    for name in ["sampling", "prompt"] {
        table.remove(name);
    }
    for stage in ["text_encoder", "denoiser"] {
        table["stages"].as_table_mut().unwrap().remove(stage);
    }
    std::fs::write(&file, table.to_string()).unwrap();
    (folder, pack)
}

#[test]
fn a_family_is_added_by_one_file() {
    let (_folder, pack) = pack();
    let shipped = Pipeline::open(&pack).err().unwrap().to_string();
    assert!(shipped.contains("unknown family 'one-step'"), "{shipped}");

    let mut pipeline = Pipeline::open_with(&pack, &Options::default().threads(1).families(TABLE)).unwrap();
    let mut phases = Vec::new();
    let mut watch = |progress: &Progress| {
        phases.push((progress.phase, progress.done, progress.total));
        std::ops::ControlFlow::Continue(())
    };
    let request = Request::new("anything").style("pixel").size(256).seed(3);
    let generated = pipeline.generate_with(&request, &mut watch).unwrap();
    assert_eq!(phases, [(Phase::Step(1), 1, 1)]);
    assert_eq!(
        (generated.picture.width(), generated.provenance.style.as_deref()),
        (256, Some("pixel"))
    );
    // A sprite is resized by whole pixels, as the manifest says.
    let pixel = |x, y| generated.picture.pixel(x, y);
    assert!((0..256).all(|y| (0..256).all(|x| pixel(x, y) == pixel(x / 2 * 2, y / 2 * 2))));
    let next = pipeline.generate(&request).unwrap();
    assert_ne!(next.picture, generated.picture, "the family keeps state between pictures");
    let error = pipeline.generate(&request.steps(4)).unwrap_err().to_string();
    assert!(error.contains("draws in 1 steps"), "{error}");
}

#[test]
fn families_have_names_of_their_own() {
    for entry in FAMILIES {
        assert_eq!(FAMILIES.iter().filter(|other| other.name == entry.name).count(), 1);
    }
}

#[cfg(all(feature = "power", target_os = "linux"))]
#[test]
fn the_benchmark_measures_it() {
    use inkstone::bench::plan::{Amount, Configuration, Plan};
    use inkstone::bench::run::{Bench, Listener};
    use inkstone::device::power::PowerSource;

    struct Silent;
    impl Listener for Silent {
        fn phase(&mut self, _: &str, _: u64) {}
        fn advance(&mut self) {}
        fn stopped(&self) -> bool {
            false
        }
    }

    let (_folder, pack) = pack();
    let pack = Arc::new(Pack::open(&pack).unwrap());
    let options = Options::default().residency(Residency::OneStage).families(TABLE);
    let configuration = Configuration {
        steps: 1,
        threads: 1,
        size: 64,
    };
    let bench = Bench {
        plan: &Plan {
            configurations: vec![configuration],
            amount: Amount::Pictures(2),
            warm_up: 0,
            cold_starts: 0,
            idle_seconds: 0.0,
            order_seed: 1,
        },
        pipeline: Pipeline::of_pack(pack, &options).unwrap(),
        request: Request::new("anything").seed(1),
        root: Path::new("/"),
        program: Path::new("/nonexistent"),
        power: PowerSource::Constant(1.0).open(Path::new("/")).unwrap(),
        marker: None,
    };
    let findings = bench.run(&mut Silent).unwrap();
    let stages: Vec<&str> = findings.results[0].stages.iter().map(|stage| stage.stage.as_str()).collect();
    assert_eq!(stages, ["step 1", "inference", "png", "picture"]);
}
