//! One denoising step, one decoder pass and one whole picture of the shipped pack, at one and two threads.

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use inkstone::engine::{Engine, Input, Stage, Value};
use inkstone::pack::Pack;
use inkstone::{Pipeline, Request};

mod inputs;

const PACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/pictogram");

fn stages(criterion: &mut Criterion) {
    let pack = Pack::open(Path::new(PACK)).expect("the shipped pack is in the repository");
    for name in ["text_encoder", "denoiser", "decoder"] {
        let values = inputs::waves(&pack.manifest().stages[name].inputs);
        let inputs: Vec<Input> = values.iter().map(Value::as_input).collect();
        for threads in [1, 2] {
            let engine = Engine::new(threads).expect("threads can be started");
            let stage = Stage::load(&engine, &pack, name).expect("the shipped pack loads");
            criterion.bench_function(&format!("{name}, {threads} threads"), |bencher| {
                bencher.iter(|| stage.run(&engine, &inputs).expect("the stage runs"));
            });
        }
    }
}

fn picture(criterion: &mut Criterion) {
    let mut pipeline = Pipeline::open(PACK).expect("the shipped pack is in the repository");
    for (threads, steps) in [(1, 1), (1, 4), (2, 4)] {
        pipeline.set_threads(threads).expect("threads can be started");
        let request = Request::new("a red apple").steps(steps).seed(7);
        criterion.bench_function(&format!("picture, {steps} steps, {threads} threads"), |bencher| {
            bencher.iter(|| pipeline.generate(&request).expect("the picture is generated"));
        });
    }
}

criterion_group! { name = benches; config = Criterion::default().sample_size(20); targets = stages, picture }
criterion_main!(benches);
