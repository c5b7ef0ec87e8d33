//! Runs one ONNX graph again and again by rten and prints what each run took, as `stage.rs` does for Inkstone and
//! tract: `inkstone-compare-rten MODEL.onnx THREADS RUNS`.

use std::sync::Arc;
use std::time::Instant;

use rten::{Dimension, Model, RunOptions, ThreadPool, Value, ValueOrView};
use serde_json::json;

/// Runs before the measured ones.
const WARM: usize = 2;

/// Bytes that belong to this process alone.
fn private_bytes() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).ok_or("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// A slow wave of an input's shape, as every contestant gets.
fn wave(shape: &[usize]) -> Result<Value, Box<dyn std::error::Error>> {
    let values: Vec<f32> = (0..shape.iter().product()).map(|index: usize| (index as f32 * 0.37).sin()).collect();
    Ok(Value::from_shape(shape, values)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, model, threads, runs] = &arguments[..] else {
        return Err("usage: inkstone-compare-rten MODEL.onnx THREADS RUNS".into());
    };
    let (threads, runs): (usize, usize) = (threads.parse()?, runs.parse()?);
    let pool = Arc::new(ThreadPool::with_num_threads(threads));
    let started = Instant::now();
    let model = Model::load_file(model)?;
    let mut inputs = Vec::new();
    for &id in model.input_ids() {
        let info = model.node_info(id).ok_or("an input is not described")?;
        let shape = info.shape().ok_or("an input has no shape")?;
        let sizes = shape.iter().map(|size| match size {
            Dimension::Fixed(size) => Ok(*size),
            Dimension::Symbolic(name) => Err(format!("the input size '{name}' is not fixed")),
        });
        inputs.push((id, wave(&sizes.collect::<Result<Vec<_>, _>>()?)?));
    }
    let load = started.elapsed().as_secs_f64() * 1e3;
    let (mut times, mut memory) = (Vec::new(), 0);
    for index in 0..WARM + runs {
        let given = inputs.iter().map(|(id, value)| (*id, ValueOrView::from(value.as_view()))).collect();
        let options = RunOptions::default().with_thread_pool(Some(pool.clone()));
        let started = Instant::now();
        model.run(given, model.output_ids(), Some(options))?;
        if index >= WARM {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        memory = memory.max(private_bytes()?);
    }
    println!("{}", json!({ "threads": threads, "load_milliseconds": load, "milliseconds": times, "memory": { "private_bytes": memory } }));
    Ok(())
}
