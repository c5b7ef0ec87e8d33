//! One denoising step, one decoder pass and one whole picture of the shipped pack, at one and two threads.

use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use inkstone::diffusion::{Observer, Pipeline, Progress, PromptReader, Request};
use inkstone::engine::{Engine, Input, Residency, Stage, Value};
use inkstone::pack::Pack;

mod inputs;

struct Quiet;

impl Observer for Quiet {
    fn progress(&mut self, _: Progress) -> bool {
        true
    }
}

fn shipped() -> Pack {
    Pack::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram")).expect("the shipped pack is in the repository")
}

fn stages(criterion: &mut Criterion) {
    let pack = shipped();
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
    let pack = Arc::new(shipped());
    let pipeline = Pipeline::load(pack.clone(), Residency::All).expect("the shipped pack loads");
    let style = pack.manifest().styles.first();
    let reader = PromptReader::load(&pack).expect("the shipped pack has a tokenizer");
    let prompt = reader.read("a red apple").expect("the prompt has words");
    let negative = reader.nothing().expect("the tokenizer works");
    for (threads, steps) in [(1, 1), (1, 4), (2, 4)] {
        let engine = Engine::new(threads).expect("threads can be started");
        let request = Request {
            prompt: &prompt,
            negative: &negative,
            style,
            steps,
            guidance: 1.0,
            seed: 7,
        };
        criterion.bench_function(&format!("picture, {steps} steps, {threads} threads"), |bencher| {
            bencher.iter(|| pipeline.generate(&engine, &request, &mut Quiet).expect("the picture is drawn"));
        });
    }
}

criterion_group! { name = benches; config = Criterion::default().sample_size(20); targets = stages, picture }
criterion_main!(benches);
