//! Fuses layers with adjacent operators, so that intermediate results never leave the cache: a convolution with the normalization or
//! upsampling and the factors of channels before it and the activation and addition after it, a matrix product with the factors of its inputs,
//! the transpositions around it and the element-wise operators after it, a row normalization with its modulation. Values stay the same to
//! the bit.

mod convolution;
mod linear;
mod row_norm;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::binary::TypedBinOp;

use super::adapter::{Node, Operator};
use super::arithmetic::Activation;

/// What the name of a layer ends in that something was fused into.
pub const FUSED: &str = ".fused";

/// Fuses every layer of a decluttered model.
pub fn fuse(model: &mut TypedModel) -> TractResult<()> {
    for node in model.eval_order()? {
        let patch = patch(model, node).with_context(|| format!("fusing node '{}'", model.node(node).name))?;
        if let Some(patch) = patch {
            patch.apply(model)?;
        }
    }
    Ok(())
}

/// A patch that replaces a layer and its neighbours; none if there is nothing to fuse.
fn patch(model: &TypedModel, node: usize) -> TractResult<Option<TypedModelPatch>> {
    let mut found = None;
    for try_fuse in [convolution::try_fuse, linear::try_fuse, row_norm::try_fuse] {
        found = found.or(try_fuse(model, node)?);
    }
    let Some(fusion) = found else { return Ok(None) };
    if fusion.inputs == model.node(node).inputs && fusion.output.node == node {
        return Ok(None);
    }
    let mut patch = TypedModelPatch::default();
    let taps = patch.taps(model, &fusion.inputs)?;
    let wired = patch.wire_node(format!("{}{FUSED}", model.node(node).name), fusion.operator, &taps)?;
    patch.shunt_outside(model, fusion.output, wired[0])?;
    Ok(Some(patch))
}

/// A layer with all that is fused into it.
struct Fusion {
    operator: Node,
    inputs: Vec<OutletId>,
    /// The outlet that the operator replaces.
    output: OutletId,
}

/// The inputs and the output of a layer while operators are fused into it.
struct FusionBuilder<'a> {
    model: &'a TypedModel,
    inputs: Vec<OutletId>,
    output: OutletId,
}

impl<'a> FusionBuilder<'a> {
    /// A node by itself.
    fn of(model: &'a TypedModel, node: usize) -> FusionBuilder<'a> {
        FusionBuilder {
            model,
            inputs: model.node(node).inputs.clone(),
            output: OutletId::new(node, 0),
        }
    }

    /// Fuses the activation that follows, if one does.
    fn activation(&mut self) -> Option<Activation> {
        let (activated, function) = activation(self.model, self.output)?;
        self.output = activated;
        Some(function)
    }

    /// Fuses the binary operator that a search found: its output becomes the output, its other operand an input. Whether there is one.
    fn operand(&mut self, found: Option<(OutletId, OutletId)>) -> bool {
        let Some((made, operand)) = found else { return false };
        self.inputs.push(operand);
        self.output = made;
        true
    }

    /// Fuses a following multiplication by one factor a channel.
    fn gate(&mut self) -> TractResult<bool> {
        let found = by_channel(self.model, self.output, "Mul")?;
        Ok(self.operand(found))
    }

    /// Fuses a following addition of one value a channel.
    fn shift(&mut self) -> TractResult<bool> {
        let found = by_channel(self.model, self.output, "Add")?;
        Ok(self.operand(found))
    }

    /// Fuses a following addition of one value a channel to a picture.
    fn channel_shift(&mut self) -> TractResult<bool> {
        let found = by_picture_channel(self.model, self.output)?;
        Ok(self.operand(found))
    }

    /// Fuses a following transposition of rows `[1, places, channels]` to a picture `[1, channels, …]`; returns the picture's sides.
    fn picture(&mut self) -> TractResult<Option<TVec<usize>>> {
        let Some(transpose) = reader(self.model, self.output) else {
            return Ok(None);
        };
        if !is_transpose(self.model, transpose)? {
            return Ok(None);
        }
        self.output = OutletId::new(transpose, 0);
        let channels = sides(self.model, self.output)?.0;
        if let Some(reshape) = reader(self.model, self.output)
            && matches!(self.model.node(reshape).op_as(), Some(AxisOp::Reshape(..)))
            && sides(self.model, OutletId::new(reshape, 0))?.0 == channels
        {
            self.output = OutletId::new(reshape, 0);
        }
        Ok(Some(sides(self.model, self.output)?.1))
    }

    /// Fuses a following addition of a value of the same shape.
    fn addition(&mut self) -> TractResult<bool> {
        let found = addition(self.model, self.output)?;
        Ok(self.operand(found))
    }

    /// The fusion, computed by an operator.
    fn build(self, operator: impl Operator) -> Fusion {
        Fusion {
            operator: Node(Arc::new(operator)),
            inputs: self.inputs,
            output: self.output,
        }
    }
}

/// The operator of a node, if it is one of ours and of that type.
fn operator<T: Operator>(model: &TypedModel, node: usize) -> Option<&T> {
    let Node(operator) = model.node(node).op_as::<Node>()?;
    operator.downcast()
}

/// Whether one node alone reads an outlet that is no output of the model.
fn only_reader(model: &TypedModel, outlet: OutletId) -> Option<()> {
    let readers = &model.node(outlet.node).outputs[outlet.slot].successors;
    (readers.len() == 1 && !model.outputs.contains(&outlet)).then_some(())
}

/// The node that alone reads an outlet that is no output of the model.
fn reader(model: &TypedModel, outlet: OutletId) -> Option<usize> {
    only_reader(model, outlet)?;
    Some(model.node(outlet.node).outputs[outlet.slot].successors[0].node)
}

/// Whether a node transposes the last two of three dimensions, of which the first is 1.
fn is_transpose(model: &TypedModel, node: usize) -> TractResult<bool> {
    let adjacent = matches!(model.node(node).op_as(), Some(AxisOp::Move(1, 2) | AxisOp::Move(2, 1)));
    let shape = &model.node(node).outputs[0].fact.shape;
    Ok(adjacent && shape.rank() == 3 && shape[0].is_one())
}

/// Channels and sides of a picture.
fn sides(model: &TypedModel, picture: OutletId) -> TractResult<(usize, TVec<usize>)> {
    let shape = model.outlet_fact(picture)?.shape.as_concrete();
    match shape {
        Some([1, channels, sides @ ..]) => Ok((*channels, sides.into())),
        _ => Ok((0, tvec!())),
    }
}

/// The activation that alone reads an outlet.
fn activation(model: &TypedModel, outlet: OutletId) -> Option<(OutletId, Activation)> {
    let reader = reader(model, outlet)?;
    Some((OutletId::new(reader, 0), *operator::<Activation>(model, reader)?))
}

/// The binary operation that alone reads an outlet, if it has that name, and its other operand.
fn binary(model: &TypedModel, outlet: OutletId, name: &str) -> Option<(OutletId, OutletId)> {
    let reader = model.node(reader(model, outlet)?);
    let named = reader.op_as::<TypedBinOp>().is_some_and(|op| op.0.name() == name);
    let [one, other] = *reader.inputs else { return None };
    let operand = if one == outlet { other } else { one };
    (named && one != other).then(|| (OutletId::new(reader.id, 0), operand))
}

/// The value that an outlet is a product of with one constant factor for each place of an axis, and the factors.
fn scaled(model: &TypedModel, outlet: OutletId, axis: usize) -> TractResult<Option<(OutletId, OutletId)>> {
    let node = model.node(outlet.node);
    let is_product = node.op_as::<TypedBinOp>().is_some_and(|op| op.0.name() == "Mul");
    let (true, [one, other]) = (is_product, &*node.inputs) else {
        return Ok(None);
    };
    let shape = &model.outlet_fact(outlet)?.shape;
    for (value, factors) in [(*one, *other), (*other, *one)] {
        let (of_value, of_factors) = (model.outlet_fact(value)?, model.outlet_fact(factors)?);
        let one_each =
            of_factors.rank() == shape.rank() && of_factors.shape[axis] == shape[axis] && of_factors.shape.volume() == shape[axis];
        if one_each && of_factors.konst.is_some() && of_value.shape == *shape {
            return Ok(Some((value, factors)));
        }
    }
    Ok(None)
}

/// The sum that alone reads an outlet, and its other summand, where both have the outlet's shape.
fn addition(model: &TypedModel, outlet: OutletId) -> TractResult<Option<(OutletId, OutletId)>> {
    let Some((sum, added)) = binary(model, outlet, "Add") else {
        return Ok(None);
    };
    let same = model.outlet_fact(added)?.shape == model.outlet_fact(outlet)?.shape;
    Ok(same.then_some((sum, added)))
}

/// The binary operation of that name with one value a channel of the last axis that alone reads an outlet, and these values.
fn by_channel(model: &TypedModel, outlet: OutletId, name: &str) -> TractResult<Option<(OutletId, OutletId)>> {
    let Some((made, values)) = binary(model, outlet, name) else {
        return Ok(None);
    };
    let (shape, threads_for_values) = (&model.outlet_fact(outlet)?.shape, &model.outlet_fact(values)?.shape);
    let one_row = threads_for_values.last() == shape.last() && shape.last() == Some(&threads_for_values.volume());
    Ok((one_row && shape.rank() == threads_for_values.rank()).then_some((made, values)))
}

/// The sum of a picture with one value a channel that alone reads the picture, and these values.
fn by_picture_channel(model: &TypedModel, outlet: OutletId) -> TractResult<Option<(OutletId, OutletId)>> {
    let Some((made, values)) = binary(model, outlet, "Add") else {
        return Ok(None);
    };
    let (shape, threads_for_values) = (&model.outlet_fact(outlet)?.shape, &model.outlet_fact(values)?.shape);
    let one_each =
        threads_for_values.rank() == 4 && threads_for_values[1] == shape[1] && threads_for_values[1] == threads_for_values.volume();
    Ok((one_each && shape.volume() != threads_for_values.volume()).then_some((made, values)))
}
