//! Runs one stage of a pack by itself, on zeros, and prints what goes in and what comes out. A stage is one ONNX graph; this is
//! the level below [`inkstone::Pipeline`], for tools that measure or inspect a model.
//!
//! ```sh
//! cargo run --release --example run_stage -- models/pictogram decoder
//! ```

use std::sync::Arc;
use std::time::Instant;

use inkstone::engine::{Engine, Residency, Stages, Value};
use inkstone::pack::{Element, Pack, Port};
use inkstone::pipeline::families::{Values, run_stage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "models/pictogram".into());
    let name = arguments.next().unwrap_or_else(|| "decoder".into());

    let pack = Arc::new(Pack::open(folder.as_ref())?);
    let stage = pack.manifest().stages.get(&name).ok_or("the pack has no such stage")?;
    // A stage takes values by the role of its ports, whatever the graph calls them.
    let mut inputs = Values::new();
    for port in &stage.inputs {
        println!("in   {}", describe(port));
        inputs.insert(port.role.ok_or("the pack has no family: its ports have no roles")?, zeros(port));
    }

    let engine = Engine::new(0)?;
    let stages = Stages::new(pack.clone(), Residency::All);
    stages.load(&engine)?;
    let started = Instant::now();
    let outputs = run_stage(&stages, &engine, &name, &inputs)?;
    let time = started.elapsed();

    for port in &stage.outputs {
        let value = port.role.and_then(|role| outputs.get(&role));
        println!("out  {}{}", describe(port), value.map(mean).unwrap_or_default());
    }
    println!("{name}: {:.1} ms on {} threads", time.as_secs_f64() * 1e3, engine.threads());
    Ok(())
}

fn describe(port: &Port) -> String {
    let role = port.role.map_or("no role".into(), |role| role.to_string());
    format!("{:12} {role:12} {} {:?}", port.name, port.element, port.shape)
}

fn zeros(port: &Port) -> Value {
    match port.element {
        Element::F32 => Value::F32(vec![0.0; port.elements()]),
        Element::I64 => Value::I64(vec![0; port.elements()]),
    }
}

fn mean(value: &Value) -> String {
    match value {
        Value::F32(values) => format!("  mean {:.4}", values.iter().sum::<f32>() / values.len() as f32),
        Value::I64(values) => format!("  {} integers", values.len()),
    }
}
