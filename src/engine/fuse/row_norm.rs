//! What a normalisation of rows takes in: the modulation after it, a product and a sum with one value a channel each.

use std::sync::Arc;

use tract_onnx::tract_core::internal::*;

use super::{Absorbed, by_channel, operator};
use crate::engine::adapter::Node;
use crate::engine::operators::RowNorm;

/// A normalisation with its modulation; nothing where the node is none or is not modulated.
pub fn absorb(model: &TypedModel, node: usize) -> TractResult<Option<Absorbed>> {
    let Some(norm) = operator::<RowNorm>(model, node) else {
        return Ok(None);
    };
    let Some((product, factors)) = by_channel(model, OutletId::new(node, 0), "Mul")? else {
        return Ok(None);
    };
    let Some((output, shifts)) = by_channel(model, product, "Add")? else {
        return Ok(None);
    };
    let mut inputs = model.node(node).inputs.clone();
    inputs.extend([factors, shifts]);
    let fused = RowNorm {
        modulated: true,
        ..norm.clone()
    };
    Ok(Some(Absorbed {
        operator: Node(Arc::new(fused)),
        inputs,
        output,
    }))
}
