//! What a normalisation of rows takes in: the modulation after it, a product and a sum with one value a channel each.

use tract_onnx::tract_core::internal::*;

use super::{Absorbed, Taken, operator};
use crate::engine::operators::RowNorm;

/// A normalisation with its modulation; nothing where the node is none or is not modulated.
pub fn absorb(model: &TypedModel, node: usize) -> TractResult<Option<Absorbed>> {
    let Some(norm) = operator::<RowNorm>(model, node) else {
        return Ok(None);
    };
    let mut taken = Taken::of(model, node);
    if !(taken.gate()? && taken.shift()?) {
        return Ok(None);
    }
    Ok(Some(taken.by(RowNorm {
        modulated: true,
        ..norm.clone()
    })))
}
