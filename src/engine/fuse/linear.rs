//! Fuses a matrix product with constant factors of its inputs and the transposition of a picture to rows before it and, after it, an
//! activation or the multiplication of one half by a function of the other, a gate, the transposition to a picture and the addition of a
//! residual.

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::Slice;

use super::{Fusion, FusionBuilder, activation, binary, is_transpose, only_reader, operator, scaled};
use crate::engine::arithmetic::Activation;
use crate::engine::kernels::ROWS;
use crate::engine::operators::QuantizedLinear;

/// A matrix product with its neighbours; none for other nodes.
pub fn try_fuse(model: &TypedModel, node: usize) -> TractResult<Option<Fusion>> {
    let Some(linear) = operator::<QuantizedLinear>(model, node) else {
        return Ok(None);
    };
    let (mut fused, mut fusion) = (linear.clone(), FusionBuilder::of(model, node));
    let last = model.outlet_fact(fusion.inputs[0])?.rank() - 1;
    let mut factors = scaled(model, fusion.inputs[0], last)?;
    if let Some((source, _)) = factors {
        fusion.inputs[0] = source;
    }
    if let Some(picture) = picture(model, fusion.inputs[0])? {
        (fused.from_picture, fusion.inputs[0]) = (true, picture);
        if factors.is_none() {
            factors = scaled(model, picture, 1)?;
            fusion.inputs[0] = factors.map_or(picture, |(source, _)| source);
        }
    }
    if let Some((_, factors)) = factors {
        fused.scaled = true;
        fusion.inputs.push(factors);
    }
    match halves(model, fusion.output, fused.weights.rows())? {
        Some((product, function)) => (fused.halved, fusion.output) = (Some(function), product),
        None => fused.activation = fusion.activation(),
    }
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

/// The product of the first half of `rows` outputs with a function of the second half, if nothing else reads them, and the function.
fn halves(model: &TypedModel, output: OutletId, rows: usize) -> TractResult<Option<(OutletId, Activation)>> {
    let readers = &model.node(output.node).outputs[output.slot].successors;
    let &[one, other] = &readers[..] else { return Ok(None) };
    if model.outputs.contains(&output) || !rows.is_multiple_of(2 * ROWS) {
        return Ok(None);
    }
    let (half, axis) = (rows / 2, model.outlet_fact(output)?.rank() - 1);
    let part = |node: usize| {
        let slice = model.node(node).op_as::<Slice>().filter(|slice| slice.axis == axis)?;
        Some((slice.start.to_usize().ok()?, slice.end.to_usize().ok()?))
    };
    let (first, second) = match (part(one.node), part(other.node)) {
        (Some((0, end)), Some((start, last))) if end == half && start == half && last == rows => (one.node, other.node),
        (Some((start, last)), Some((0, end))) if end == half && start == half && last == rows => (other.node, one.node),
        _ => return Ok(None),
    };
    let Some((gate, function)) = activation(model, OutletId::new(second, 0)) else {
        return Ok(None);
    };
    let product = binary(model, gate, "Mul").filter(|(_, operand)| *operand == OutletId::new(first, 0));
    let is_only = only_reader(model, OutletId::new(first, 0)).is_some();
    Ok(product.filter(|_| is_only).map(|(product, _)| (product, function)))
}
