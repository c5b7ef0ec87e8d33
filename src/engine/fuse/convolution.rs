//! What a convolution takes in: the normalisation or enlargement before it, the activation and addition after it.

use std::sync::Arc;

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::nn::resize::NearestUpsample;

use super::{Absorbed, activation, addition, only_reader, operator};
use crate::engine::adapter::Node;
use crate::engine::operators::{GroupNorm, QuantizedConvolution};

/// A convolution with its neighbours; nothing where the node is none.
pub fn absorb(model: &TypedModel, node: usize) -> TractResult<Option<Absorbed>> {
    let Some(convolution) = operator::<QuantizedConvolution>(model, node) else {
        return Ok(None);
    };
    let mut fused = convolution.clone();
    let mut inputs = model.node(node).inputs.clone();
    let mut output = OutletId::new(node, 0);
    if let Some((factor, source)) = enlargement(model, inputs[0]) {
        (fused.enlarge, inputs[0]) = (factor, source);
    } else if let Some(norm) = only_reader(model, inputs[0]).and_then(|()| operator::<GroupNorm>(model, inputs[0].node)) {
        let taken = &model.node(inputs[0].node).inputs;
        inputs[0] = taken[0];
        inputs.extend_from_slice(&taken[1..]);
        fused.norm = Some(norm.clone());
    }
    if let Some((activated, function)) = activation(model, output) {
        (fused.activation, output) = (Some(function), activated);
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

/// How often a nearest enlargement repeats rows and columns alike, and what it enlarges.
fn enlargement(model: &TypedModel, outlet: OutletId) -> Option<(usize, OutletId)> {
    let NearestUpsample { scales } = model.node(outlet.node).op_as()?;
    let [1, 1, tall, wide] = **scales else { return None };
    only_reader(model, outlet)?;
    (tall == wide).then(|| (tall, model.node(outlet.node).inputs[0]))
}
