//! What stages are given when they are measured: a slow wave, so that no value is special.

use inkstone::engine::Value;
use inkstone::pack::{Element, Port};

/// `count` floats.
pub fn wave(count: usize) -> Vec<f32> {
    (0..count).map(|index| (index as f32 * 0.37).sin()).collect()
}

/// One value for each port.
pub fn waves(ports: &[Port]) -> Vec<Value> {
    ports
        .iter()
        .map(|port| {
            let count = port.shape.iter().product();
            match port.element {
                Element::F32 => Value::F32(wave(count)),
                Element::I64 => Value::I64(vec![1; count]),
            }
        })
        .collect()
}
