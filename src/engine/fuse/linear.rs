//! What a matrix product takes in: an activation, then a gate, then an addition.

use tract_onnx::tract_core::internal::*;

use super::{Absorbed, Taken, operator};
use crate::engine::operators::QuantizedLinear;

/// A matrix product with what follows it; nothing where the node is none.
pub fn absorb(model: &TypedModel, node: usize) -> TractResult<Option<Absorbed>> {
    let Some(linear) = operator::<QuantizedLinear>(model, node) else {
        return Ok(None);
    };
    let (mut fused, mut taken) = (linear.clone(), Taken::of(model, node));
    fused.activation = taken.activation();
    fused.gated = taken.gate()?;
    fused.residual = taken.addition()?;
    Ok(Some(taken.by(fused)))
}
