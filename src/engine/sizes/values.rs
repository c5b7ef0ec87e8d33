//! What small constants hold: shapes, axes and bounds that other operators read as inputs.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{NodeProto, TensorProto};
use tract_onnx::tract_core::internal::*;

use super::rules::Call;

/// Most elements of a constant that are looked at.
const SMALL: usize = 1024;

/// The elements of a small constant.
#[derive(Clone, Debug)]
pub enum Elements {
    Integers(Vec<i64>),
    Floats(Vec<f32>),
}

/// Elements that a stored tensor holds; `None` for a type that is not read.
pub fn held(tensor: &TensorProto) -> Option<usize> {
    let (width, typed) = match DataType::try_from(tensor.data_type).ok()? {
        DataType::Float => (4, tensor.float_data.len()),
        DataType::Double => (8, tensor.double_data.len()),
        DataType::Int64 => (8, tensor.int64_data.len()),
        DataType::Int32 => (4, tensor.int32_data.len()),
        DataType::Float16 => (2, tensor.int32_data.len()),
        DataType::Int8 | DataType::Uint8 | DataType::Bool => (1, tensor.int32_data.len()),
        _ => return None,
    };
    match tensor.raw_data.len() {
        0 => Some(typed),
        bytes => (bytes % width == 0).then_some(bytes / width),
    }
}

/// The elements of a stored tensor, if it is small.
pub fn stored(tensor: &TensorProto, count: usize) -> Option<Elements> {
    if count > SMALL {
        return None;
    }
    let raw = tensor.raw_data.as_slice();
    match DataType::try_from(tensor.data_type).ok()? {
        DataType::Int64 if raw.is_empty() => Some(Elements::Integers(tensor.int64_data.clone())),
        DataType::Int64 => Some(Elements::Integers(
            raw.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect(),
        )),
        DataType::Int32 if raw.is_empty() => Some(Elements::Integers(tensor.int32_data.iter().copied().map(i64::from).collect())),
        DataType::Float if raw.is_empty() => Some(Elements::Floats(tensor.float_data.clone())),
        DataType::Float => Some(Elements::Floats(
            raw.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        )),
        _ => None,
    }
}

/// Whether a node's output depends on the shape of its input alone.
pub fn is_of_shape(node: &NodeProto) -> bool {
    node.op_type == "Shape"
}

/// Whether a node's output holds the elements of its first input in their order.
pub fn same_elements(node: &NodeProto) -> bool {
    matches!(
        &*node.op_type,
        "Cast" | "Flatten" | "Identity" | "Reshape" | "Squeeze" | "Unsqueeze"
    )
}

/// The elements of a node's one output, where they are few and follow from small constants.
///
/// # Errors
/// If the node reads beyond its input.
pub fn elements(call: &Call, shapes: &[Vec<usize>]) -> TractResult<Option<Elements>> {
    let [shape] = shapes else { return Ok(None) };
    if shape
        .iter()
        .try_fold(1usize, |count, &size| count.checked_mul(size))
        .is_none_or(|count| count > SMALL)
    {
        return Ok(None);
    }
    let node = call.node;
    if same_elements(node) {
        return Ok(call.inputs.first().copied().flatten().and_then(|value| value.elements.clone()));
    }
    let integers = match &*node.op_type {
        "Constant" => {
            return Ok(call
                .attribute("value")
                .and_then(|found| stored(found.t.as_ref()?, SMALL))
                .or(listed(call)));
        }
        "Shape" => Some(call.shape_range()?.iter().map(|&size| size as i64).collect()),
        "Concat" => joined(call),
        "Gather" => gathered(call)?,
        "Slice" => sliced(call)?,
        "Add" => combined(call, i64::checked_add),
        "Sub" => combined(call, i64::checked_sub),
        "Mul" => combined(call, i64::checked_mul),
        "Div" => combined(call, i64::checked_div),
        _ => None,
    };
    Ok(integers.map(Elements::Integers))
}

/// A constant whose elements are an attribute themselves.
fn listed(call: &Call) -> Option<Elements> {
    let integers = call.attribute("value_ints").map(|found| found.ints.clone());
    let integers = integers.or(call.attribute("value_int").map(|found| vec![found.i]));
    let floats = call.attribute("value_floats").map(|found| found.floats.clone());
    let floats = floats.or(call.attribute("value_float").map(|found| vec![found.f]));
    integers.map(Elements::Integers).or(floats.map(Elements::Floats))
}

fn joined(call: &Call) -> Option<Vec<i64>> {
    let parts = (0..call.inputs.len()).map(|index| {
        call.integers(index)
            .filter(|_| call.inputs[index].is_some_and(|value| value.shape.len() == 1))
    });
    Some(parts.collect::<Option<Vec<_>>>()?.concat())
}

fn gathered(call: &Call) -> TractResult<Option<Vec<i64>>> {
    let (Some(from), Some(indices)) = (call.integers(0), call.integers(1)) else {
        return Ok(None);
    };
    if call.shape(0)?.len() != 1 {
        return Ok(None);
    }
    let place = |&index: &i64| usize::try_from(if index < 0 { index + from.len() as i64 } else { index }).ok();
    Ok(indices.iter().map(|index| from.get(place(index)?).copied()).collect())
}

fn sliced(call: &Call) -> TractResult<Option<Vec<i64>>> {
    let Some(from) = call
        .integers(0)
        .filter(|_| call.inputs[0].is_some_and(|value| value.shape.len() == 1))
    else {
        return Ok(None);
    };
    Ok(call
        .slices()?
        .first()
        .map(|range| range.places().map(|place| from[place]).collect()))
}

fn combined(call: &Call, combine: fn(i64, i64) -> Option<i64>) -> Option<Vec<i64>> {
    let (one, other) = (call.integers(0)?, call.integers(1)?);
    let count = if one.is_empty() || other.is_empty() {
        0
    } else {
        one.len().max(other.len())
    };
    // Only what broadcasts as a list and a number, or as two lists.
    if [one.len(), other.len()].iter().any(|&length| length != 1 && length != count) {
        return None;
    }
    (0..count)
        .map(|index| combine(one[index % one.len()], other[index % other.len()]))
        .collect()
}
