//! Runs one graph again and again and prints what each run took, as JSON: by Inkstone a stage of a pack, by plain tract
//! an ONNX file. `graph.py` and `arm.py` beside this file drive it.
//!
//! Private and mapped memory are the largest readings over all runs, in bytes.

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use inkstone::engine::{Engine, Input, Stage, Value};
use inkstone::pack::Pack;
use inkstone::process::PeakMemory;
use serde_json::json;
use tract_onnx::prelude::{Framework, InferenceModelExt, IntoRunnable, TValue, TVec, Tensor, TractResult};

#[path = "../inputs/mod.rs"]
mod inputs;

use inputs::{wave, waves};

/// Where the measurements come from.
#[derive(Parser)]
struct Arguments {
    /// A pack's folder, or with `--tract` an ONNX file.
    model: PathBuf,
    /// Run plain tract.
    #[arg(long)]
    tract: bool,
    /// The pack's stage.
    #[arg(long, default_value = "model")]
    stage: String,
    /// Threads of Inkstone; plain tract has one.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Measured runs.
    #[arg(long, default_value_t = 10)]
    runs: usize,
    /// Runs before them.
    #[arg(long, default_value_t = 2)]
    warm: usize,
    /// Print what Inkstone's stage makes of its inputs as well.
    #[arg(long)]
    outputs: bool,
}

/// Milliseconds of every run, and the largest memory.
fn measure<E>(arguments: &Arguments, mut run: impl FnMut() -> Result<(), E>) -> Result<(Vec<f64>, PeakMemory), E> {
    let (mut times, mut memory) = (Vec::new(), PeakMemory::default());
    for index in 0..arguments.warm + arguments.runs {
        let started = Instant::now();
        run()?;
        if index >= arguments.warm {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        memory.sample();
    }
    Ok((times, memory))
}

fn by_inkstone(arguments: &Arguments) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let started = Instant::now();
    let pack = Pack::open(&arguments.model)?;
    let engine = Engine::new(arguments.threads)?;
    let stage = Stage::load(&engine, &pack, &arguments.stage)?;
    let ports = &pack
        .manifest()
        .stages
        .get(&arguments.stage)
        .ok_or("the pack has no such stage")?
        .inputs;
    let values = waves(ports);
    let inputs: Vec<Input> = values.iter().map(Value::as_input).collect();
    let loaded = started.elapsed();
    let (times, memory) = measure(arguments, || stage.run(&engine, &inputs).map(drop))?;
    let load = loaded.as_secs_f64() * 1e3;
    let mut report = json!({ "kernel": engine.kernel(), "threads": engine.threads(), "load_milliseconds": load, "milliseconds": times, "memory": memory.peak() });
    if arguments.outputs {
        let made = stage.run(&engine, &inputs)?.into_iter().map(Value::into_floats);
        report["outputs"] = json!(made.collect::<Vec<_>>());
    }
    Ok(report)
}

fn by_tract(arguments: &Arguments) -> TractResult<serde_json::Value> {
    let started = Instant::now();
    let model = tract_onnx::onnx().model_for_path(&arguments.model)?.into_optimized()?;
    let inputs: TVec<TValue> = model
        .input_outlets()?
        .iter()
        .map(|&outlet| {
            let fact = model.outlet_fact(outlet)?;
            let shape = fact.shape.as_concrete().map(<[usize]>::to_vec).unwrap_or_default();
            let tensor = Tensor::from_shape(&shape, &wave(shape.iter().product()))?;
            Ok(tensor.cast_to_dt(fact.datum_type)?.into_owned().into())
        })
        .collect::<TractResult<_>>()?;
    let plan = model.into_runnable()?;
    let load = started.elapsed().as_secs_f64() * 1e3;
    let (times, memory) = measure(arguments, || plan.run(inputs.clone()).map(drop))?;
    Ok(json!({ "kernel": "tract", "threads": 1, "load_milliseconds": load, "milliseconds": times, "memory": memory.peak() }))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let report = if arguments.tract {
        by_tract(&arguments).map_err(|error| format!("{error:#}"))?
    } else {
        by_inkstone(&arguments)?
    };
    println!("{report}");
    Ok(())
}
