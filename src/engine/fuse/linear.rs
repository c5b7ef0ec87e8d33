//! Fuses a matrix product with the transposition of a picture to rows before it and, after it, an activation, a gate, the
//! transposition to a picture and the addition of a residual.

use tract_onnx::tract_core::internal::*;

use super::{Fusion, FusionBuilder, is_transpose, operator};
use crate::engine::operators::QuantizedLinear;

/// A matrix product with its neighbours; none for other nodes.
pub fn try_fuse(model: &TypedModel, node: usize) -> TractResult<Option<Fusion>> {
    let Some(linear) = operator::<QuantizedLinear>(model, node) else {
        return Ok(None);
    };
    let (mut fused, mut fusion) = (linear.clone(), FusionBuilder::of(model, node));
    if let Some(picture) = picture(model, fusion.inputs[0])? {
        (fused.from_picture, fusion.inputs[0]) = (true, picture);
    }
    fused.activation = fusion.activation();
    fused.gated = fusion.gate()?;
    fused.to_picture = fusion.picture()?;
    fused.residual = fusion.addition()?;
    Ok(Some(fusion.build(fused)))
}

/// The picture `[1, channels, places]` whose places are the rows `[1, places, channels]` of a value.
fn picture(model: &TypedModel, rows: OutletId) -> TractResult<Option<OutletId>> {
    let node = model.node(rows.node);
    let &[source] = &*node.inputs else { return Ok(None) };
    Ok(is_transpose(model, rows.node)?.then_some(source))
}
