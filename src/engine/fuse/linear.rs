//! What a matrix product takes in: an activation, then a gate, then an addition.

use std::sync::Arc;

use tract_onnx::tract_core::internal::*;

use super::{Absorbed, activation, addition, by_channel, operator};
use crate::engine::adapter::Node;
use crate::engine::operators::QuantizedLinear;

/// A matrix product with what follows it; nothing where the node is none.
pub fn absorb(model: &TypedModel, node: usize) -> TractResult<Option<Absorbed>> {
    let Some(linear) = operator::<QuantizedLinear>(model, node) else {
        return Ok(None);
    };
    let mut fused = linear.clone();
    let mut inputs = model.node(node).inputs.clone();
    let mut output = OutletId::new(node, 0);
    if let Some((activated, function)) = activation(model, output) {
        (fused.activation, output) = (Some(function), activated);
    }
    if let Some((gated, gates)) = by_channel(model, output, "Mul")? {
        fused.gated = true;
        inputs.push(gates);
        output = gated;
    }
    if let Some((sum, added)) = addition(model, output)? {
        fused.residual = true;
        inputs.push(added);
        output = sum;
    }
    Ok(Some(Absorbed {
        operator: Node(Arc::new(fused)),
        inputs,
        output,
    }))
}
