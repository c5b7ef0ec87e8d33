//! Makes what stands around a quantized convolution part of it: the normalisation or enlargement before it and the
//! addition after it, so that their results never leave the cache. Values do not change by a bit.

use std::any::Any;
use std::sync::Arc;

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::nn::resize::NearestUpsample;

use super::adapter::Node;
use super::operators::{GroupNorm, QuantizedConvolution};

/// Fuses around every convolution of a decluttered model.
pub fn fuse(model: &mut TypedModel) -> TractResult<()> {
    let convolutions: Vec<usize> = model
        .eval_order()?
        .into_iter()
        .filter(|&node| operator::<QuantizedConvolution>(model, node).is_some())
        .collect();
    convolutions.into_iter().try_for_each(|node| {
        let patch = absorb(model, node).with_context(|| format!("fusing around node '{}'", model.node(node).name))?;
        patch.map_or(Ok(()), |patch| patch.apply(model))
    })
}

/// A patch that replaces a convolution and its neighbours; nothing where there is nothing to take in.
fn absorb(model: &TypedModel, node: usize) -> TractResult<Option<TypedModelPatch>> {
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
    if let Some((sum, added)) = addition(model, output)? {
        fused.residual = true;
        inputs.push(added);
        output = sum;
    }
    if inputs == model.node(node).inputs {
        return Ok(None);
    }
    let mut patch = TypedModelPatch::default();
    let taps = patch.taps(model, &inputs)?;
    let wired = patch.wire_node(format!("{}.fused", model.node(node).name), Node(Arc::new(fused)), &taps)?;
    patch.shunt_outside(model, output, wired[0])?;
    Ok(Some(patch))
}

/// The operator of a node, if it is one of ours and of that type.
fn operator<T: 'static>(model: &TypedModel, node: usize) -> Option<&T> {
    let Node(operator) = model.node(node).op_as::<Node>()?;
    (&**operator as &dyn Any).downcast_ref()
}

/// Whether one node alone reads an outlet that is no output of the model.
fn only_reader(model: &TypedModel, outlet: OutletId) -> Option<()> {
    let readers = &model.node(outlet.node).outputs[outlet.slot].successors;
    (readers.len() == 1 && !model.outputs.contains(&outlet)).then_some(())
}

/// How often a nearest enlargement repeats rows and columns alike, and what it enlarges.
fn enlargement(model: &TypedModel, outlet: OutletId) -> Option<(usize, OutletId)> {
    let NearestUpsample { scales } = model.node(outlet.node).op_as()?;
    let [1, 1, tall, wide] = **scales else { return None };
    only_reader(model, outlet)?;
    (tall == wide).then(|| (tall, model.node(outlet.node).inputs[0]))
}

/// The sum that alone reads an outlet, and its other summand, where both have the outlet's shape.
fn addition(model: &TypedModel, outlet: OutletId) -> TractResult<Option<(OutletId, OutletId)>> {
    if only_reader(model, outlet).is_none() {
        return Ok(None);
    }
    let reader = model.node(model.node(outlet.node).outputs[outlet.slot].successors[0].node);
    let adds = reader.op_as::<TypedBinOp>().is_some_and(|op| op.0.name() == "Add");
    let [one, other] = *reader.inputs else { return Ok(None) };
    let added = if one == outlet { other } else { one };
    let same = model.outlet_fact(added)?.shape == model.outlet_fact(outlet)?.shape;
    Ok((adds && same && one != other).then(|| (OutletId::new(reader.id, 0), added)))
}
