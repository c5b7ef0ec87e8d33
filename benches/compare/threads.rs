//! What more threads gain: runs a stage of a pack in turn by one thread, by one thread on every core at the same time, each for
//! itself, and by all threads together, and prints medians as JSON. Cores that slow each other down, by heat, memory or
//! whoever else is there, do so in the second as in the third: their ratio is what is lost to sharing.

use std::path::PathBuf;
use std::sync::Barrier;
use std::time::Instant;

use clap::Parser;
use inkstone::engine::{Engine, EngineError, Input, Stage, Value};
use inkstone::pack::Pack;
use serde_json::json;

#[path = "../inputs/mod.rs"]
mod inputs;

/// What is measured.
#[derive(Parser)]
struct Arguments {
    /// A pack's folder.
    pack: PathBuf,
    /// Its stage.
    #[arg(long, default_value = "model")]
    stage: String,
    /// Threads that share a run.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Rounds, each of all three.
    #[arg(long, default_value_t = 100)]
    rounds: usize,
}

/// Runs of each kind in a round; the first is not counted, since its values lie in other caches.
const RUNS: usize = 4;

/// Milliseconds of a round's run.
fn round(stage: &Stage, engine: &Engine, inputs: &[Input]) -> Result<f64, EngineError> {
    let mut started = Instant::now();
    for run in 0..RUNS {
        if run == 1 {
            started = Instant::now();
        }
        stage.run(engine, inputs)?;
    }
    Ok(started.elapsed().as_secs_f64() * 1e3 / (RUNS - 1) as f64)
}

/// The same on every engine at the same time: milliseconds in which one run is done on the average.
fn side_by_side(stage: &Stage, engines: &[Engine], inputs: &[Input]) -> Result<f64, EngineError> {
    let barrier = Barrier::new(engines.len());
    let times = std::thread::scope(|scope| {
        let start = |engine| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                round(stage, engine, inputs)
            })
        };
        let started: Vec<_> = engines.iter().map(start).collect();
        let ended = started
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.collect::<Result<Vec<f64>, _>>()
    })?;
    Ok(1.0 / times.iter().map(|time| 1.0 / time).sum::<f64>())
}

fn quartiles(mut values: Vec<f64>) -> serde_json::Value {
    values.sort_by(f64::total_cmp);
    let at = |part: usize| values[(values.len() - 1) * part / 4];
    json!({ "median": at(2), "quartiles": [at(1), at(3)] })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let pack = Pack::open(&arguments.pack)?;
    let alone = (0..arguments.threads).map(|_| Engine::new(1)).collect::<Result<Vec<_>, _>>()?;
    let together = Engine::new(arguments.threads)?;
    let stage = Stage::load(&together, &pack, &arguments.stage)?;
    let values = inputs::waves(&pack.manifest().stages[&arguments.stage].inputs);
    let inputs: Vec<Input> = values.iter().map(Value::as_input).collect();
    let [mut one, mut apart, mut shared, mut gain, mut kept] = [const { Vec::new() }; 5];
    for _ in 0..arguments.rounds.max(1) {
        one.push(round(&stage, &alone[0], &inputs)?);
        apart.push(side_by_side(&stage, &alone, &inputs)?);
        shared.push(round(&stage, &together, &inputs)?);
        let last = one.len() - 1;
        gain.push(one[last] / shared[last]);
        kept.push(apart[last] / shared[last]);
    }
    let report = json!({
        "stage": arguments.stage, "threads": arguments.threads, "kernel": together.kernel(),
        "one_thread_milliseconds": quartiles(one), "apart_milliseconds": quartiles(apart), "together_milliseconds": quartiles(shared),
        "gain": quartiles(gain), "of_apart": quartiles(kept),
    });
    println!("{report}");
    Ok(())
}
