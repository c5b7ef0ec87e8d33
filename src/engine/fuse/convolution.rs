//! Fuses a convolution with constant factors of its channels and the normalization or upsampling before it and, after it, the addition of
//! a value a channel (as a time embedding is added) or an activation, the addition of a residual, and an activation of the sum.

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::nn::resize::NearestUpsample;

use super::{Fusion, FusionBuilder, only_reader, operator, scaled};
use crate::engine::operators::{GroupNorm, QuantizedConvolution};

/// A convolution with its neighbours; none for other nodes.
pub fn try_fuse(model: &TypedModel, node: usize) -> TractResult<Option<Fusion>> {
    let Some(convolution) = operator::<QuantizedConvolution>(model, node) else {
        return Ok(None);
    };
    let (mut fused, mut fusion) = (convolution.clone(), FusionBuilder::of(model, node));
    let scaled = scaled(model, fusion.inputs[0], 1)?;
    // A normalization is computed once for all that read it.
    let mut is_alone = only_reader(model, fusion.inputs[0]).is_some();
    if let Some((source, _)) = scaled {
        fusion.inputs[0] = source;
        is_alone &= only_reader(model, source).is_some();
    }
    if let Some((factor, source)) = upsampling(model, fusion.inputs[0]).filter(|_| is_alone) {
        (fused.upsample, fusion.inputs[0]) = (factor, source);
    } else if let Some(norm) = operator::<GroupNorm>(model, fusion.inputs[0].node).filter(|_| is_alone) {
        let read = &model.node(fusion.inputs[0].node).inputs;
        fusion.inputs[0] = read[0];
        fusion.inputs.extend_from_slice(&read[1..]);
        fused.norm = Some(norm.clone());
    }
    if let Some((_, factors)) = scaled {
        fused.scaled = true;
        fusion.inputs.push(factors);
    }
    fused.shifted = fusion.channel_shift()?;
    fused.activation = if fused.shifted { None } else { fusion.activation() };
    fused.residual = fusion.addition()?;
    fused.last_activation = if fused.residual { fusion.activation() } else { None };
    Ok(Some(fusion.build(fused)))
}

/// The factor of a nearest-neighbour upsampling that is the same in both directions, and what it upsamples.
fn upsampling(model: &TypedModel, outlet: OutletId) -> Option<(usize, OutletId)> {
    let NearestUpsample { scales } = model.node(outlet.node).op_as()?;
    let [1, 1, tall, wide] = **scales else { return None };
    (tall == wide).then(|| (tall, model.node(outlet.node).inputs[0]))
}
