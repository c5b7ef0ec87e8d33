//! Fuses a row normalization with the modulation after it: a multiplication by, and an addition of, one value a channel each.

use tract_onnx::tract_core::internal::*;

use super::{Fusion, FusionBuilder, operator};
use crate::engine::operators::RowNorm;

/// A normalization with its modulation; none for other nodes and without modulation.
pub fn try_fuse(model: &TypedModel, node: usize) -> TractResult<Option<Fusion>> {
    let Some(norm) = operator::<RowNorm>(model, node) else {
        return Ok(None);
    };
    let mut fusion = FusionBuilder::of(model, node);
    if !(fusion.gate()? && fusion.shift()?) {
        return Ok(None);
    }
    Ok(Some(fusion.build(RowNorm {
        modulated: true,
        ..norm.clone()
    })))
}
