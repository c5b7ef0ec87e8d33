//! The engine against onnxruntime on the shipped pack's very files. The reference outputs are stored;
//! `tests/reference/make.py` makes them and says how.

use std::collections::BTreeMap;

use inkstone::engine::{Engine, Stage, Value};
use inkstone::pack::{Element, Pack};

/// Least signal-to-noise ratio in dB. Both sides compute the same int8 products, but add floats in another order, so
/// that an activation that lies half-way between two integers may go to the other one. The text encoder has few such
/// places, and a prompt that meets one loses digits; in the deep denoiser each one moves others, layer by layer, until
/// the two differ about as much as either does from f32. The operators' own tests are the exact ones; this bound says
/// that the whole is the same network.
const LEAST: f64 = 35.0;
/// The same for a prompt that meets no half-way place in the text encoder, as most of the stored ones.
const LEAST_OF_TEXT: f64 = 100.0;

/// The tensors of a safetensors file by name: the length of a header, the header in JSON, the bytes
/// (<https://huggingface.co/docs/safetensors>, Format).
fn tensors(file: &[u8]) -> BTreeMap<String, &[u8]> {
    let (length, rest) = file.split_first_chunk().unwrap();
    let (header, data) = rest.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header).unwrap();
    let place = |(name, about): (String, serde_json::Value)| {
        let [from, to] = [0, 1].map(|end| about["data_offsets"][end].as_u64());
        Some((name, &data[from? as usize..to? as usize]))
    };
    header.into_iter().filter_map(place).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect()
}

fn integers(bytes: &[u8]) -> Vec<i64> {
    bytes
        .chunks_exact(8)
        .map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap()))
        .collect()
}

fn signal_to_noise(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let signal: f64 = expected.iter().map(|value| f64::from(*value).powi(2)).sum();
    let noise: f64 = found
        .iter()
        .zip(expected)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum();
    10.0 * (signal / noise.max(1e-30)).log10()
}

#[test]
fn every_stage_gives_what_onnxruntime_gives() {
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/pictogram.safetensors")).unwrap();
    let tensors = tensors(&bytes);
    let pack = Pack::open(concat!(env!("CARGO_MANIFEST_DIR"), "/models/pictogram").as_ref()).unwrap();
    let engine = Engine::new(2).unwrap();
    let (mut compared, mut exact) = (0, 0);
    for (name, ports) in &pack.manifest().stages {
        let stage = Stage::load(&engine, &pack, name).unwrap();
        let cases = if name == "enlarger" { 1 } else { 3 };
        for case in 0..cases {
            let inputs: Vec<Value> = ports
                .inputs
                .iter()
                .map(|port| {
                    let bytes = tensors[&format!("{name}/{case}/in/{}", port.name)];
                    match port.element {
                        Element::F32 => Value::F32(floats(bytes)),
                        Element::I64 => Value::I64(integers(bytes)),
                    }
                })
                .collect();
            let outputs = stage.run(&engine, &inputs.iter().map(Value::as_input).collect::<Vec<_>>()).unwrap();
            for (port, output) in ports.outputs.iter().zip(outputs) {
                let expected = floats(tensors[&format!("{name}/{case}/out/{}", port.name)]);
                let ratio = signal_to_noise(&output.into_floats().unwrap(), &expected);
                println!("{name} {case} {}: {ratio:.1} dB", port.name);
                assert!(ratio > LEAST, "{name}, case {case}, {}: {ratio:.1} dB", port.name);
                compared += 1;
                exact += usize::from(ratio > LEAST_OF_TEXT);
            }
        }
    }
    assert_eq!(compared, 16, "three cases of three, one and one outputs, and one of one");
    assert!(
        exact >= 6,
        "{exact} outputs of the text encoder agree, of two prompts in three all should"
    );
}
