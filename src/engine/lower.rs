//! Lowers tract's operators that only add or move floats to ours, so that their values lie in the arena too. Values stay the
//! same to the bit.

use std::sync::Arc;

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::TypedConcat;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::change_axes::AxisOp;

use super::adapter::{Node, Operator};
use super::operators::{Addition, Concatenation, MoveAxis};

/// Lowers every node of a decluttered model that has a counterpart.
pub fn lower(model: &mut TypedModel) -> TractResult<()> {
    for node in model.eval_order()? {
        let node = model.node(node);
        if let Some((operator, inputs)) = ours(model, node)? {
            TypedModelPatch::replace_single_op(model, node, &inputs, Node(operator))?.apply(model)?;
        }
    }
    Ok(())
}

/// An operator with its inputs.
type Wired = (Arc<dyn Operator>, Vec<OutletId>);

/// The operator that replaces a node of tract's, with its inputs.
fn ours(model: &TypedModel, node: &TypedNode) -> TractResult<Option<Wired>> {
    let facts = model.node_input_facts(node.id)?;
    let shapes: Option<Vec<&[usize]>> = facts.iter().map(|fact| fact.shape.as_concrete()).collect();
    let floats = facts.iter().all(|fact| fact.datum_type == f32::datum_type());
    let Some(shapes) = shapes.filter(|_| floats) else { return Ok(None) };
    let inputs = node.inputs.clone();
    if let Some(&AxisOp::Move(from, to)) = node.op_as() {
        return Ok(Some((Arc::new(MoveAxis { from, to }), inputs)));
    }
    if let Some(&TypedConcat { axis }) = node.op_as() {
        return Ok(Some((Arc::new(Concatenation { axis }), inputs)));
    }
    let adds = node.op_as::<TypedBinOp>().is_some_and(|op| op.0.name() == "Add");
    let ([a, b], [of_a, of_b]) = (&*inputs, &*shapes) else {
        return Ok(None);
    };
    let order = match adds {
        true if Addition::fits(of_a, of_b) => vec![*a, *b],
        true if Addition::fits(of_b, of_a) => vec![*b, *a],
        _ => return Ok(None),
    };
    Ok(Some((Arc::new(Addition), order)))
}
