//! What a matrix product takes in: before it the way from a picture to its rows; after it an activation, a gate, the way to a
//! picture and an addition.

use tract_onnx::tract_core::internal::*;

use super::{Absorbed, Taken, exchanges, operator};
use crate::engine::operators::QuantizedLinear;

/// A matrix product with its neighbours; nothing where the node is none.
pub fn absorb(model: &TypedModel, node: usize) -> TractResult<Option<Absorbed>> {
    let Some(linear) = operator::<QuantizedLinear>(model, node) else {
        return Ok(None);
    };
    let (mut fused, mut taken) = (linear.clone(), Taken::of(model, node));
    if let Some(picture) = picture(model, taken.inputs[0])? {
        (fused.from_picture, taken.inputs[0]) = (true, picture);
    }
    fused.activation = taken.activation();
    fused.gated = taken.gate()?;
    fused.to_picture = taken.picture()?;
    fused.residual = taken.addition()?;
    Ok(Some(taken.by(fused)))
}

/// The picture `[1, channels, places]` whose places are the rows `[1, places, channels]` of a value.
fn picture(model: &TypedModel, rows: OutletId) -> TractResult<Option<OutletId>> {
    let node = model.node(rows.node);
    let &[source] = &*node.inputs else { return Ok(None) };
    Ok(exchanges(model, rows.node)?.then_some(source))
}
