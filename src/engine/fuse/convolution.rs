//! What a convolution takes in: the normalisation or enlargement before it, and after it a value a channel, as those that tell a
//! denoiser the time, or an activation, and an addition.

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::nn::resize::NearestUpsample;

use super::{Absorbed, Taken, only_reader, operator};
use crate::engine::operators::{GroupNorm, QuantizedConvolution};

/// A convolution with its neighbours; nothing where the node is none.
pub fn absorb(model: &TypedModel, node: usize) -> TractResult<Option<Absorbed>> {
    let Some(convolution) = operator::<QuantizedConvolution>(model, node) else {
        return Ok(None);
    };
    let (mut fused, mut taken) = (convolution.clone(), Taken::of(model, node));
    if let Some((factor, source)) = enlargement(model, taken.inputs[0]) {
        (fused.enlarge, taken.inputs[0]) = (factor, source);
    } else if let Some(norm) = only_reader(model, taken.inputs[0]).and_then(|()| operator::<GroupNorm>(model, taken.inputs[0].node)) {
        let read = &model.node(taken.inputs[0].node).inputs;
        taken.inputs[0] = read[0];
        taken.inputs.extend_from_slice(&read[1..]);
        fused.norm = Some(norm.clone());
    }
    fused.shifted = taken.channel_shift()?;
    fused.activation = if fused.shifted { None } else { taken.activation() };
    fused.residual = taken.addition()?;
    Ok(Some(taken.by(fused)))
}

/// How often a nearest enlargement repeats rows and columns alike, and what it enlarges.
fn enlargement(model: &TypedModel, outlet: OutletId) -> Option<(usize, OutletId)> {
    let NearestUpsample { scales } = model.node(outlet.node).op_as()?;
    let [1, 1, tall, wide] = **scales else { return None };
    only_reader(model, outlet)?;
    (tall == wide).then(|| (tall, model.node(outlet.node).inputs[0]))
}
