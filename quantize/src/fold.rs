//! Constant folding: evaluates nodes that depend on constants and fixed shapes alone, fixes padding and equations,
//! and removes nodes that change nothing.

use std::collections::{HashMap, HashSet};

use inkstone::pack::Element;
use tract_onnx::pb::NodeProto;
use tract_onnx::pb::tensor_proto::DataType;

use crate::equation;
use crate::error::Result;
use crate::graph::Graph;
use crate::padding;
use crate::proto;
use crate::shapes;
use crate::storage::ExternalFiles;
use crate::tensor::{Constant, Values};

/// Folds constants, infers the shapes of values and removes what is no longer needed.
///
/// # Errors
/// For a graph whose nodes cannot be ordered.
pub fn fold(graph: &mut Graph) -> Result<()> {
    let nodes = std::mem::take(&mut graph.nodes);
    let mut renamed: HashMap<String, String> = HashMap::new();
    let mut known = Known::of(graph);
    for mut node in nodes {
        for value in &mut node.input {
            if let Some(name) = renamed.get(value) {
                value.clone_from(name);
            }
        }
        padding::fix(graph, &mut node);
        equation::write_out(graph, &mut node);
        let is_output = node
            .output
            .iter()
            .any(|output| graph.outputs.iter().any(|port| port.name == *output));
        if !is_output && let Some(same) = unchanged(graph, &known, &node) {
            renamed.insert(node.output[0].clone(), node.input[same].clone());
            continue;
        }
        if !is_output && let Some(constant) = evaluate(graph, &node) {
            graph.constants.insert(node.output[0].clone(), constant);
            continue;
        }
        learn_shapes(graph, &node);
        known.learn(graph, &node);
        graph.nodes.push(node);
    }
    graph.sweep();
    graph.sort()
}

/// Infers the shapes of a graph's outputs; folds the graph if the file lacks some.
///
/// # Errors
/// As for [`fold`] and [`Graph::complete_outputs`].
pub fn complete(graph: &mut Graph) -> Result<()> {
    if graph.outputs.iter().any(|port| graph.shape(&port.name).is_none()) {
        fold(graph)?;
    }
    graph.complete_outputs()
}

/// Records the shapes of a node's outputs, as far as they can be inferred.
pub(crate) fn learn_shapes(graph: &mut Graph, node: &NodeProto) {
    let shapes = shapes::outputs(graph, node).unwrap_or_default();
    for (output, shape) in node.output.iter().zip(shapes) {
        graph.shapes.entry(output.clone()).or_insert(shape);
    }
}

/// What is known of values beside their shapes.
struct Known {
    /// Values of floats.
    floats: HashSet<String>,
    /// Values that are zeros and too large to be constants.
    zeros: HashSet<String>,
}

impl Known {
    fn of(graph: &Graph) -> Known {
        let floats = graph.inputs.iter().filter(|port| port.element == Element::F32);
        Known {
            floats: floats.map(|port| port.name.clone()).collect(),
            zeros: HashSet::new(),
        }
    }

    fn learn(&mut self, graph: &Graph, node: &NodeProto) {
        let outputs = || node.output.iter().filter(|output| !output.is_empty()).cloned();
        if self.makes_floats(graph, node) {
            self.floats.extend(outputs());
        }
        if self.makes_zeros(graph, node) {
            self.zeros.extend(outputs());
        }
    }

    fn is_float(&self, graph: &Graph, value: &str) -> bool {
        self.floats.contains(value) || graph.constants.get(value).is_some_and(Constant::is_float)
    }

    /// Whether the outputs of a node are floats; false where that is not known.
    fn makes_floats(&self, graph: &Graph, node: &NodeProto) -> bool {
        let input = |index| proto::input(node, index).is_some_and(|value| self.is_float(graph, value));
        match node.op_type.as_str() {
            "Cast" => proto::int(node, "to").is_some_and(is_float_type),
            "Where" => input(1),
            "ConstantOfShape" => filled(node, vec![1]).is_some_and(|value| value.is_float()),
            "ArgMax" | "ArgMin" | "Shape" | "Size" | "NonZero" | "TopK" | "OneHot" | "IsNaN" | "IsInf" => false,
            "And" | "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "Not" | "Or" | "Xor" => false,
            _ => input(0),
        }
    }

    fn makes_zeros(&self, graph: &Graph, node: &NodeProto) -> bool {
        let zero = |index| proto::input(node, index).is_some_and(|value| self.zeros.contains(value));
        match node.op_type.as_str() {
            "ConstantOfShape" => filled(node, vec![1]).is_some_and(|value| is_all(&value, 0.0)),
            "Cast" => zero(0),
            "Mul" => (zero(0) && finite_constant(graph, node, 1)) || (zero(1) && finite_constant(graph, node, 0)),
            _ => false,
        }
    }

    fn is_all(&self, graph: &Graph, value: &str, number: f32) -> bool {
        let is_zeros = number == 0.0 && self.zeros.contains(value);
        is_zeros || graph.constants.get(value).is_some_and(|constant| is_all(constant, number))
    }
}

fn is_float_type(data_type: i64) -> bool {
    [DataType::Float, DataType::Float16, DataType::Bfloat16]
        .iter()
        .any(|float| data_type == *float as i64)
}

fn is_all(constant: &Constant, number: f32) -> bool {
    constant
        .floats()
        .is_some_and(|values| !values.is_empty() && values.iter().all(|&value| value == number))
}

fn finite_constant(graph: &Graph, node: &NodeProto, index: usize) -> bool {
    let floats = graph.constant_input(node, index).and_then(|constant| constant.floats());
    floats.is_some_and(|values| values.iter().all(|value| value.is_finite()))
}

/// The number of the input that the output is the same as, if the node changes nothing.
fn unchanged(graph: &Graph, known: &Known, node: &NodeProto) -> Option<usize> {
    let is_same = match node.op_type.as_str() {
        "Identity" => true,
        "Dropout" => node.output.len() == 1 && node.input.len() < 3,
        // A Reshape to the shape that is there already.
        "Reshape" => {
            let from = graph.shape(&node.input[0]);
            let to = shapes::outputs(graph, node).and_then(|shapes| shapes.into_iter().next());
            from.is_some() && from == to.as_deref() && !graph.constants.contains_key(&node.input[0])
        }
        "Cast" => {
            let varies = !graph.constants.contains_key(&node.input[0]);
            varies && known.is_float(graph, &node.input[0]) && proto::int(node, "to").is_some_and(is_float_type)
        }
        "Add" => return neutral(graph, known, node, 0.0, &[1, 0]),
        "Sub" => return neutral(graph, known, node, 0.0, &[1]),
        "Mul" => return neutral(graph, known, node, 1.0, &[1, 0]),
        "Div" => return neutral(graph, known, node, 1.0, &[1]),
        _ => false,
    };
    is_same.then_some(0)
}

/// The other operand, if one of the places holds nothing but the neutral element and makes the result no larger. One value a channel is
/// left as it is: it belongs to a normalization.
fn neutral(graph: &Graph, known: &Known, node: &NodeProto, element: f32, places: &[usize]) -> Option<usize> {
    let result = shapes::outputs(graph, node)?.pop()?;
    places.iter().find_map(|&place| {
        let other = &node.input[1 - place];
        let is_same = graph.shape(other) == Some(&result) && !graph.constants.contains_key(other);
        let constant = graph.constants.get(&node.input[place]);
        let is_by_channel = constant.is_some_and(|constant| constant.len() > 1 && constant.shape != result);
        (is_same && !is_by_channel && known.is_all(graph, &node.input[place], element)).then_some(1 - place)
    })
}

/// The node's value, if all of its inputs are constants or it only needs their shapes.
fn evaluate(graph: &Graph, node: &NodeProto) -> Option<Constant> {
    if node.op_type == "Shape" {
        return shape_of(graph, node);
    }
    if node.input.is_empty()
        || node
            .input
            .iter()
            .any(|value| !value.is_empty() && !graph.constants.contains_key(value))
    {
        return None;
    }
    let first = graph.constant_input(node, 0)?;
    let origin = || first.origin.clone().or_else(|| node.input.first().cloned());
    let reshaped = |shape: Vec<usize>| Constant {
        shape,
        values: first.values.clone(),
        origin: origin(),
    };
    match node.op_type.as_str() {
        "Reshape" | "Unsqueeze" | "Squeeze" | "Flatten" => Some(reshaped(shapes::outputs(graph, node)?.pop()?)),
        "Transpose" => Some(Constant {
            origin: origin(),
            ..transpose(first, proto::ints(node, "perm"))?
        }),
        "Cast" => cast(first, proto::int(node, "to")?),
        "Sqrt" => map(first, f32::sqrt),
        "Neg" => map(first, |value| -value),
        "Exp" => map(first, f32::exp),
        "Reciprocal" => map(first, f32::recip),
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" => combine(&node.op_type, first, graph.constant_input(node, 1)?),
        "Equal" | "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" => compare(&node.op_type, first, graph.constant_input(node, 1)?),
        "And" | "Or" | "Xor" => logic(&node.op_type, first, graph.constant_input(node, 1)?),
        "Not" => Some(truth(first.shape.clone(), first.truths()?.map(|value| !value))),
        "Where" => choose(first, graph.constant_input(node, 1)?, graph.constant_input(node, 2)?),
        "Expand" => expand(first, graph.constant_input(node, 1)?),
        "Range" => range(first, graph.constant_input(node, 1)?, graph.constant_input(node, 2)?),
        "ConstantOfShape" => filled(node, shapes::outputs(graph, node)?.pop()?),
        "Concat" => concat(graph, node),
        "Slice" => slice(graph, node, first),
        "Gather" => gather(first, graph.constant_input(node, 1)?, proto::int(node, "axis").unwrap_or(0)),
        _ => None,
    }
}

fn shape_of(graph: &Graph, node: &NodeProto) -> Option<Constant> {
    let shape = graph.shape(node.input.first()?)?;
    let rank = i64::try_from(shape.len()).ok()?;
    let bound = |name: &str, default: i64| {
        let position = proto::int(node, name).unwrap_or(default);
        usize::try_from((if position < 0 { position + rank } else { position }).clamp(0, rank)).ok()
    };
    let sizes = shape.get(bound("start", 0)?..bound("end", rank)?)?;
    let values: Vec<i64> = sizes.iter().map(|&size| i64::try_from(size).ok()).collect::<Option<_>>()?;
    Some(Constant::i64(&[values.len()], values))
}

/// A constant of zeros, or of the node's value.
fn filled(node: &NodeProto, shape: Vec<usize>) -> Option<Constant> {
    let count = shapes::count(&shape).filter(|&count| count <= LARGEST)?;
    let value = node
        .attribute
        .iter()
        .find(|attribute| attribute.name == "value")
        .and_then(|value| value.t.as_ref());
    let Some(value) = value else {
        return Some(Constant::f32(&shape, vec![0.0; count]));
    };
    let value = Constant::decode(value.clone(), &mut ExternalFiles::new(std::path::Path::new(""))).ok()?;
    match &value.values {
        Values::F32(values) => Some(Constant::f32(&shape, vec![*values.first()?; count])),
        Values::I64(values) => Some(Constant::i64(&shape, vec![*values.first()?; count])),
        _ => None,
    }
}

fn map(constant: &Constant, function: impl Fn(f32) -> f32) -> Option<Constant> {
    let values = constant.floats()?.iter().map(|&value| function(value)).collect();
    Some(Constant::f32(&constant.shape, values))
}

fn cast(constant: &Constant, to: i64) -> Option<Constant> {
    let to = DataType::try_from(i32::try_from(to).ok()?).ok()?;
    match (&constant.values, to) {
        // Floats of any width are held, and computed with, as 32-bit ones.
        (Values::F32(_), DataType::Float | DataType::Float16 | DataType::Bfloat16) | (Values::I64(_), DataType::Int64) => {
            Some(constant.clone())
        }
        // ONNX rounds toward zero, and to the nearest float, as Rust does.
        (Values::F32(values), DataType::Int64) => Some(Constant::i64(&constant.shape, values.iter().map(|&value| value as i64).collect())),
        (Values::I64(values), DataType::Float) => Some(Constant::f32(&constant.shape, values.iter().map(|&value| value as f32).collect())),
        (Values::F32(values), DataType::Bool) => Some(truth(constant.shape.clone(), values.iter().map(|&value| value != 0.0))),
        (Values::I64(values), DataType::Bool) => Some(truth(constant.shape.clone(), values.iter().map(|&value| value != 0))),
        (Values::I64(values), DataType::Int32) => short(&constant.shape, values),
        (Values::Other(DataType::Int32, _), DataType::Int32) => Some(constant.clone()),
        (Values::Other(DataType::Int32, _), DataType::Int64) => Some(Constant::i64(&constant.shape, widened(constant)?)),
        (Values::Other(DataType::Int32, _), DataType::Float) => {
            let values = widened(constant)?.into_iter().map(|value| value as f32).collect();
            Some(Constant::f32(&constant.shape, values))
        }
        (_, DataType::Bool) => constant.truths().map(|values| truth(constant.shape.clone(), values)),
        (_, DataType::Float) => Some(Constant::f32(&constant.shape, constant.truths()?.map(f32::from).collect())),
        (_, DataType::Int64) => Some(Constant::i64(&constant.shape, constant.truths()?.map(i64::from).collect())),
        _ => None,
    }
}

/// A constant of 32-bit integers, as some exports compute sizes in; `None` for values that do not fit.
fn short(shape: &[usize], values: &[i64]) -> Option<Constant> {
    let bytes = values.iter().map(|&value| Some(i32::try_from(value).ok()?.to_le_bytes()));
    Some(Constant {
        shape: shape.to_vec(),
        values: Values::Other(DataType::Int32, bytes.collect::<Option<Vec<_>>>()?.concat()),
        origin: None,
    })
}

/// The values of 32-bit integers.
fn widened(constant: &Constant) -> Option<Vec<i64>> {
    match &constant.values {
        Values::Other(DataType::Int32, bytes) => Some(bytes.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes).into()).collect()),
        _ => None,
    }
}

/// For every element of `shape`, the place of its source in a constant: the sum of `along(axis, index)`.
fn places(shape: &[usize], along: impl Fn(usize, usize) -> usize) -> Vec<usize> {
    let mut places = vec![0];
    for (axis, &size) in shape.iter().enumerate() {
        let along = &along;
        places = places
            .iter()
            .flat_map(|&place| (0..size).map(move |index| place + along(axis, index)))
            .collect();
    }
    places
}

fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for index in (1..shape.len()).rev() {
        strides[index - 1] = strides[index] * shape[index];
    }
    strides
}

/// The elements at `places`, in a new shape; `None` if a place is out of range.
fn pick(constant: &Constant, shape: Vec<usize>, places: &[usize]) -> Option<Constant> {
    fn take<T: Copy>(values: &[T], places: &[usize]) -> Option<Vec<T>> {
        places.iter().map(|&place| values.get(place).copied()).collect()
    }
    let values = match &constant.values {
        Values::F32(values) => Values::F32(take(values, places)?.into()),
        Values::I64(values) => Values::I64(take(values, places)?),
        Values::I8(values) => Values::I8(take(values, places)?.into()),
        Values::Other(DataType::Bool, values) => Values::Other(DataType::Bool, take(values, places)?),
        Values::Other(DataType::Int32, values) => Values::Other(DataType::Int32, take(values.as_chunks::<4>().0, places)?.concat()),
        Values::Other(..) => return None,
    };
    Some(Constant {
        shape,
        values,
        origin: None,
    })
}

fn transpose(constant: &Constant, order: Option<&[i64]>) -> Option<Constant> {
    let shape = shapes::transpose(&constant.shape, order)?;
    let from = shapes::transpose(&strides(&constant.shape), order)?;
    let places = places(&shape, |axis, index| index * from[axis]);
    pick(constant, shape, &places)
}

fn slice(graph: &Graph, node: &NodeProto, constant: &Constant) -> Option<Constant> {
    let ranges = shapes::slice_ranges(graph, node, &constant.shape)?;
    let shape: Vec<usize> = ranges.iter().map(|range| range.count).collect();
    let from = strides(&constant.shape);
    let places = places(&shape, |axis, index| {
        let range = ranges[axis];
        range.first.wrapping_add_signed(range.step * index as isize) * from[axis]
    });
    pick(constant, shape, &places)
}

fn gather(data: &Constant, indices: &Constant, along: i64) -> Option<Constant> {
    let along = shapes::axis(along, data.shape.len())?;
    let rows = i64::try_from(data.shape[along]).ok()?;
    let chosen = indices
        .integers()?
        .iter()
        .map(|&index| usize::try_from(if index < 0 { index + rows } else { index }).ok());
    let chosen: Vec<usize> = chosen.collect::<Option<_>>()?;
    if chosen.iter().any(|&index| index >= data.shape[along]) {
        return None;
    }
    let (inner, outer) = (
        data.shape[along + 1..].iter().product::<usize>(),
        data.shape[..along].iter().product::<usize>(),
    );
    let row = data.shape[along] * inner;
    let mut places = Vec::with_capacity(outer * chosen.len() * inner);
    for outer in 0..outer {
        for index in &chosen {
            places.extend((0..inner).map(|inner_index| outer * row + index * inner + inner_index));
        }
    }
    pick(
        data,
        [&data.shape[..along], &indices.shape, &data.shape[along + 1..]].concat(),
        &places,
    )
}

fn concat(graph: &Graph, node: &NodeProto) -> Option<Constant> {
    let parts: Vec<&Constant> = node.input.iter().map(|value| graph.constants.get(value)).collect::<Option<_>>()?;
    // Exports join lists of sizes; anything wider is left to the runtime.
    if parts.iter().any(|part| part.shape.len() != 1) {
        return None;
    }
    if let Some(values) = parts.iter().map(|part| widened(part)).collect::<Option<Vec<_>>>() {
        let values = values.concat();
        return short(&[values.len()], &values);
    }
    let values: Vec<i64> = parts.iter().map(|part| part.integers()).collect::<Option<Vec<_>>>()?.concat();
    Some(Constant::i64(&[values.len()], values))
}

fn combine(operator: &str, left: &Constant, right: &Constant) -> Option<Constant> {
    let shape = joint(&[left, right])?;
    let pairs = aligned(left, &shape).into_iter().zip(aligned(right, &shape));
    match (&left.values, &right.values) {
        (Values::F32(a), Values::F32(b)) => {
            let values = pairs.map(|(i, j)| float(operator, a[i], b[j])).collect::<Option<_>>()?;
            Some(Constant::f32(&shape, values))
        }
        (Values::I64(a), Values::I64(b)) => {
            let values = pairs.map(|(i, j)| integer(operator, a[i], b[j])).collect::<Option<_>>()?;
            Some(Constant::i64(&shape, values))
        }
        (Values::Other(DataType::Int32, _), Values::Other(DataType::Int32, _)) => {
            let (a, b) = (widened(left)?, widened(right)?);
            let values: Vec<i64> = pairs.map(|(i, j)| integer(operator, a[i], b[j])).collect::<Option<_>>()?;
            short(&shape, &values)
        }
        _ => None,
    }
}

/// Most elements of a constant that is computed.
const LARGEST: usize = 1 << 24;

/// The shape that constants broadcast to, unless it is too large.
fn joint(constants: &[&Constant]) -> Option<Vec<usize>> {
    let shapes = constants.iter().map(|constant| constant.shape.as_slice());
    let shape = shapes
        .into_iter()
        .try_fold(Vec::new(), |shape, other| shapes::broadcast(&shape, other))?;
    (shapes::count(&shape)? <= LARGEST).then_some(shape)
}

/// For every element of a shape that a constant broadcasts to, the place of its source.
fn aligned(constant: &Constant, shape: &[usize]) -> Vec<usize> {
    let mut steps = vec![0; shape.len() - constant.shape.len()];
    let sizes = strides(&constant.shape).into_iter().zip(&constant.shape);
    steps.extend(sizes.map(|(stride, &size)| if size == 1 { 0 } else { stride }));
    places(shape, |axis, index| index * steps[axis])
}

/// A constant of truth values.
fn truth(shape: Vec<usize>, values: impl Iterator<Item = bool>) -> Constant {
    Constant {
        shape,
        values: Values::Other(DataType::Bool, values.map(u8::from).collect()),
        origin: None,
    }
}

fn compare(operator: &str, left: &Constant, right: &Constant) -> Option<Constant> {
    fn holds<T: PartialOrd>(operator: &str, a: T, b: T) -> bool {
        match operator {
            "Equal" => a == b,
            "Less" => a < b,
            "LessOrEqual" => a <= b,
            "Greater" => a > b,
            _ => a >= b,
        }
    }
    let shape = joint(&[left, right])?;
    let pairs = aligned(left, &shape).into_iter().zip(aligned(right, &shape));
    let values: Vec<bool> = match (&left.values, &right.values) {
        (Values::F32(a), Values::F32(b)) => pairs.map(|(i, j)| holds(operator, a[i], b[j])).collect(),
        (Values::I64(a), Values::I64(b)) => pairs.map(|(i, j)| holds(operator, a[i], b[j])).collect(),
        _ => return None,
    };
    Some(truth(shape, values.into_iter()))
}

fn logic(operator: &str, left: &Constant, right: &Constant) -> Option<Constant> {
    let shape = joint(&[left, right])?;
    let (a, b): (Vec<bool>, Vec<bool>) = (left.truths()?.collect(), right.truths()?.collect());
    let pairs = aligned(left, &shape).into_iter().zip(aligned(right, &shape));
    let values: Vec<bool> = pairs
        .map(|(i, j)| match operator {
            "And" => a[i] && b[j],
            "Or" => a[i] || b[j],
            _ => a[i] != b[j],
        })
        .collect();
    Some(truth(shape, values.into_iter()))
}

/// Where.
fn choose(condition: &Constant, yes: &Constant, no: &Constant) -> Option<Constant> {
    let shape = joint(&[condition, yes, no])?;
    let holds: Vec<bool> = condition.truths()?.collect();
    let holds = aligned(condition, &shape).into_iter().map(|place| holds[place]);
    let places = aligned(yes, &shape).into_iter().zip(aligned(no, &shape));
    let all = holds.zip(places);
    match (&yes.values, &no.values) {
        (Values::F32(a), Values::F32(b)) => {
            let values = all.map(|(holds, (i, j))| if holds { a[i] } else { b[j] });
            Some(Constant::f32(&shape, values.collect()))
        }
        (Values::I64(a), Values::I64(b)) => {
            let values = all.map(|(holds, (i, j))| if holds { a[i] } else { b[j] });
            Some(Constant::i64(&shape, values.collect()))
        }
        _ => None,
    }
}

fn expand(constant: &Constant, sizes: &Constant) -> Option<Constant> {
    let sizes: Vec<usize> = sizes
        .integers()?
        .iter()
        .map(|&size| usize::try_from(size).ok())
        .collect::<Option<_>>()?;
    let wanted = truth(sizes, std::iter::empty());
    let shape = joint(&[constant, &wanted])?;
    let places = aligned(constant, &shape);
    pick(constant, shape, &places)
}

fn range(start: &Constant, limit: &Constant, step: &Constant) -> Option<Constant> {
    let whole = |constant: &Constant| constant.integers().filter(|values| values.len() == 1).map(|values| values[0]);
    if let (Some(start), Some(limit), Some(step)) = (whole(start), whole(limit), whole(step)) {
        let count = if step == 0 {
            return None;
        } else {
            (limit.checked_sub(start)? as f64 / step as f64).ceil().max(0.0) as usize
        };
        let value = |index: usize| start.checked_add(step.checked_mul(i64::try_from(index).ok()?)?);
        let values = (count <= LARGEST).then(|| (0..count).map(value).collect::<Option<Vec<_>>>())??;
        return Some(Constant::i64(&[values.len()], values));
    }
    let (start, limit, step) = (start.scalar()?, limit.scalar()?, step.scalar()?);
    let count = ((limit - start) / step).ceil().max(0.0) as usize;
    let values: Vec<f32> = (count <= LARGEST).then(|| (0..count).map(|index| start + step * index as f32).collect())?;
    Some(Constant::f32(&[values.len()], values))
}

fn float(operator: &str, a: f32, b: f32) -> Option<f32> {
    match operator {
        "Add" => Some(a + b),
        "Sub" => Some(a - b),
        "Mul" => Some(a * b),
        "Div" => Some(a / b),
        "Pow" => Some(a.powf(b)),
        _ => None,
    }
}

fn integer(operator: &str, a: i64, b: i64) -> Option<i64> {
    match operator {
        "Add" => a.checked_add(b),
        "Sub" => a.checked_sub(b),
        "Mul" => a.checked_mul(b),
        "Div" => a.checked_div(b),
        // The remainder has the sign of the divisor.
        "Mod" => a
            .checked_rem(b)
            .map(|rest| if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Sizes;
    use crate::proto::WithAttribute;
    use crate::testing::{Builder, free_dimension, names};

    #[test]
    fn neutral_elements_and_casts_of_floats_change_nothing() {
        let cast = |from: &str, to: &str| proto::node("Cast", to, &[from], &[to]).with_int("to", 1);
        let builder = Builder::new(17)
            .input("x", &[2, 3])
            .typed_input("ids", &[2, 3], DataType::Int64)
            .output("y", &[2, 3])
            .constant("one", &[], &[1.0])
            .constant("zeros", &[2, 3], &[0.0; 6])
            .constant("row of ones", &[4, 1, 1], &[1.0; 4])
            .constant("gains", &[3], &[1.0; 3]);
        let builder = builder
            .with(cast("x", "a"))
            .node("Div", &["a", "one"], "b")
            .node("Add", &["zeros", "b"], "c")
            .node("Relu", &["c"], "d")
            .with(cast("ids", "e"))
            .node("Add", &["d", "e"], "f")
            .node("Sub", &["zeros", "f"], "g")
            .node("Mul", &["gains", "g"], "i")
            .node("Mul", &["i", "row of ones"], "h")
            .node("ReduceSum", &["h"], "y");
        let mut graph = builder.graph();
        fold(&mut graph).unwrap();
        let names: Vec<&str> = graph.nodes.iter().map(|node| node.op_type.as_str()).collect();
        assert_eq!(names, ["Relu", "Cast", "Add", "Sub", "Mul", "Mul", "ReduceSum"]);
        assert_eq!(graph.nodes[0].input, ["x"]);
    }

    #[test]
    fn sizes_of_32_bits_are_folded() {
        let cast = |from: &str, to: &str, kind: DataType| proto::node("Cast", to, &[from], &[to]).with_int("to", kind as i64);
        let builder = Builder::new(17)
            .input("x", &[1, 200, 1, 1])
            .output("y", &[1, 200])
            .integers("zero", &[0])
            .integers("one", &[1])
            .integers("minus", &[-1])
            .node("Shape", &["x"], "shape")
            .with(cast("shape", "short", DataType::Int32))
            .node("Slice", &["short", "zero", "one"], "first")
            .with(cast("minus", "rest", DataType::Int32))
            .node("Mul", &["rest", "first"], "free")
            .with(proto::node("Concat", "all", &["first", "free"], &["all"]).with_int("axis", -1))
            .with(cast("all", "wanted", DataType::Int64))
            .node("Reshape", &["x", "wanted"], "y");
        let mut graph = builder.graph();
        fold(&mut graph).unwrap();
        assert_eq!(graph.constants[&graph.nodes[0].input[1]].integers(), Some(&[1, -1][..]));
        assert_eq!(short(&[1], &[1 << 40]).map(|constant| constant.shape), None);
    }

    #[test]
    fn zeros_need_not_be_constants() {
        let builder = Builder::new(17)
            .input("x", &[8, 4096, 4096])
            .output("y", &[8, 4096, 4096])
            .constant("none", &[], &[0.0])
            .integers("sizes", &[8, 4096, 4096])
            .node("ConstantOfShape", &["sizes"], "empty")
            .node("Mul", &["empty", "none"], "zeros")
            .node("Add", &["zeros", "x"], "scores")
            .node("Relu", &["scores"], "y");
        let mut graph = builder.graph();
        fold(&mut graph).unwrap();
        assert_eq!(graph.nodes.len(), 1);
        assert_eq!(graph.nodes[0].input, ["x"]);
    }

    #[test]
    fn reshapes_of_weights_are_folded() {
        let transposed = proto::node("Transpose", "t", &["w"], &["wt"]).with_ints("perm", &[1, 0]);
        let builder = Builder::new(17)
            .input("x", &[1, 2])
            .output("y", &[1, 3])
            .constant("w", &[3, 2], &[1., 2., 3., 4., 5., 6.]);
        let mut graph = builder.with(transposed).node("MatMul", &["x", "wt"], "y").graph();
        fold(&mut graph).unwrap();
        assert_eq!(names(&graph), ["MatMul"]);
        let constant = &graph.constants["wt"];
        assert_eq!(constant.floats().unwrap(), [1., 3., 5., 2., 4., 6.]);
        assert_eq!(constant.origin.as_deref(), Some("w"));
        assert!(!graph.constants.contains_key("w"));
    }

    #[test]
    fn shape_arithmetic_of_older_exports_is_folded() {
        let mut builder = Builder::new(17)
            .input("x", &[2, 6])
            .output("y", &[12])
            .integers("one", &[1])
            .integers("two", &[2]);
        builder = builder.integers("zero", &[0]).integers("end", &[i64::MAX]);
        builder = builder
            .node("Shape", &["x"], "shape")
            .node("Slice", &["shape", "one", "end", "zero"], "last");
        builder = builder
            .node("Mul", &["last", "two"], "all")
            .node("Reshape", &["x", "all"], "flat")
            .node("Neg", &["flat"], "y");
        let mut graph = builder.graph();
        fold(&mut graph).unwrap();
        assert_eq!(names(&graph), ["Reshape", "Neg"]);
        assert_eq!(graph.constants["all"].integers().unwrap(), [12]);
        assert_eq!(graph.shape("flat"), Some(&[12][..]));
    }

    #[test]
    fn pads_written_backwards_are_folded() {
        // What the older exporter makes of `F.pad(x, (0, 1, 0, 1))`.
        let mut builder = Builder::new(17).input("x", &[1, 3, 4, 4]).output("y", &[1, 3, 5, 5]);
        for (name, values) in [("wanted", &[0, 1, 0, 1][..]), ("rest", &[4]), ("pairs", &[-1, 2]), ("first", &[0])] {
            builder = builder.integers(name, values);
        }
        builder = builder.integers("last", &[-1]).integers("before", &[i64::MIN + 1]);
        let zeros = proto::node("ConstantOfShape", "zeros", &["rest"], &["zeros"]).with(tract_onnx::pb::AttributeProto {
            name: "value".to_owned(),
            t: Some(tract_onnx::pb::TensorProto {
                dims: vec![1],
                data_type: DataType::Int64 as i32,
                int64_data: vec![0],
                ..Default::default()
            }),
            ..Default::default()
        });
        let mut graph = builder
            .with(zeros)
            .with(proto::node("Concat", "all", &["wanted", "zeros"], &["all"]).with_int("axis", 0))
            .node("Reshape", &["all", "pairs"], "rows")
            .node("Slice", &["rows", "last", "before", "first", "last"], "turned")
            .with(proto::node("Transpose", "t", &["turned"], &["columns"]).with_ints("perm", &[1, 0]))
            .node("Reshape", &["columns", "last"], "pads")
            .node("Pad", &["x", "pads"], "y")
            .graph();
        fold(&mut graph).unwrap();
        assert_eq!(names(&graph), ["Pad"]);
        assert_eq!(graph.constants["pads"].integers().unwrap(), [0, 0, 0, 0, 0, 0, 1, 1]);
    }

    #[test]
    fn free_dimensions_are_given_or_follow() {
        let builder = || {
            let model = Builder::new(17)
                .input("x", &[1, 4, 8])
                .output("y", &[1, 4, 8])
                .node("Neg", &["x"], "y");
            let mut model = model.model();
            let graph = model.graph.as_mut().unwrap();
            free_dimension(&mut graph.input[0], 2, "rows");
            free_dimension(&mut graph.output[0], 2, "Neg_rows");
            model
        };
        let file = std::path::Path::new("test.onnx");
        let error = Graph::from_model(builder(), file, &Sizes::new()).unwrap_err();
        assert!(error.to_string().contains("`rows`: give its size with --size rows=N"), "{error}");
        let mut graph = Graph::from_model(builder(), file, &Sizes::from([("rows".to_owned(), 6)])).unwrap();
        complete(&mut graph).unwrap();
        assert_eq!(
            (graph.inputs[0].shape.as_slice(), graph.outputs[0].shape.as_slice()),
            (&[1, 4, 6][..], &[1, 4, 6][..])
        );
        assert!(graph.free.contains("rows"));
    }

    #[test]
    fn an_output_that_does_not_follow_is_refused() {
        for (operator, problem) in [
            ("GatherND", "output `y` has a free dimension that does not follow"),
            ("NonZero", "node `node_y` (NonZero): the size of its output depends on values"),
            ("LSTM", "node `node_y` (LSTM): recurrent layers are not supported"),
        ] {
            let builder = Builder::new(17).input("x", &[2]).output("y", &[2]);
            let mut model = builder.node(operator, &["x", "x"], "y").model();
            free_dimension(&mut model.graph.as_mut().unwrap().output[0], 0, "found");
            let mut graph = Graph::from_model(model, std::path::Path::new("test.onnx"), &Sizes::new()).unwrap();
            let error = complete(&mut graph).unwrap_err();
            assert!(error.is_input() && error.to_string().contains(problem), "{error}");
        }
    }

    #[test]
    fn identities_vanish_but_outputs_keep_their_names() {
        let builder = Builder::new(17).input("x", &[2]).output("y", &[2]);
        let mut graph = builder
            .node("Identity", &["x"], "same")
            .node("Neg", &["same"], "z")
            .node("Identity", &["z"], "y")
            .graph();
        fold(&mut graph).unwrap();
        assert_eq!(names(&graph), ["Neg", "Identity"]);
        assert_eq!(graph.nodes[0].input, ["x"]);
    }

    #[test]
    fn sizes_that_are_chosen_are_folded() {
        // What the older exporter makes of `timestep.expand(sample.shape[0])`.
        let ones = proto::node("ConstantOfShape", "ones", &["one"], &["ones"]).with(tract_onnx::pb::AttributeProto {
            name: "value".to_owned(),
            t: Some(tract_onnx::pb::TensorProto {
                dims: vec![1],
                data_type: DataType::Int64 as i32,
                int64_data: vec![1],
                ..Default::default()
            }),
            ..Default::default()
        });
        let builder = Builder::new(17).input("x", &[1]).output("y", &[3]);
        let mut graph = builder
            .integers("one", &[1])
            .integers("minus", &[-1])
            .integers("sizes", &[3])
            .with(ones)
            .node("Mul", &["ones", "minus"], "unknown")
            .node("Equal", &["sizes", "unknown"], "is_unknown")
            .node("Where", &["is_unknown", "ones", "sizes"], "wanted")
            .node("Expand", &["x", "wanted"], "y")
            .graph();
        fold(&mut graph).unwrap();
        assert_eq!(names(&graph), ["Expand"]);
        assert_eq!(graph.constants["wanted"].integers().unwrap(), [3]);
    }

    #[test]
    fn choices_ranges_and_truths_match_by_hand() {
        let column = Constant::i64(&[3, 1], vec![0, 1, 2]);
        let row = range(
            &Constant::i64(&[], vec![0]),
            &Constant::i64(&[], vec![5]),
            &Constant::i64(&[], vec![2]),
        )
        .unwrap();
        assert_eq!(row.integers().unwrap(), [0, 2, 4]);
        let above = compare("Greater", &row, &column).unwrap();
        assert_eq!(above.shape, [3, 3]);
        let truths = |constant: &Constant| constant.truths().unwrap().map(u8::from).collect::<Vec<_>>();
        assert_eq!(truths(&above), [0, 1, 1, 0, 1, 1, 0, 0, 1]);
        let not = logic("Xor", &above, &truth(vec![], [true].into_iter())).unwrap();
        assert_eq!(truths(&not), [1, 0, 0, 1, 0, 0, 1, 1, 0]);
        let (nothing, far) = (Constant::f32(&[], vec![0.0]), Constant::f32(&[], vec![-9.0]));
        assert_eq!(choose(&above, &far, &nothing).unwrap().floats().unwrap()[..3], [0.0, -9.0, -9.0]);
        assert_eq!(
            cast(&above, i64::from(DataType::Int64 as i32)).unwrap().integers().unwrap()[..3],
            [0, 1, 1]
        );
        let expanded = expand(&column, &Constant::i64(&[2], vec![1, 2])).unwrap();
        assert_eq!(
            (expanded.shape.as_slice(), expanded.integers().unwrap()),
            (&[3, 2][..], &[0, 0, 1, 1, 2, 2][..])
        );
        let down = range(
            &Constant::f32(&[], vec![1.0]),
            &Constant::f32(&[], vec![0.0]),
            &Constant::f32(&[], vec![-0.5]),
        )
        .unwrap();
        assert_eq!(down.floats().unwrap(), [1.0, 0.5]);
        assert!(
            range(
                &Constant::i64(&[], vec![0]),
                &Constant::i64(&[], vec![i64::MAX]),
                &Constant::i64(&[], vec![1])
            )
            .is_none()
        );
    }

    #[test]
    fn broadcasting_and_gathering_match_by_hand() {
        let row = Constant::f32(&[1, 3], vec![1., 2., 3.]);
        let column = Constant::f32(&[2, 1], vec![10., 20.]);
        let sum = combine("Add", &row, &column).unwrap();
        assert_eq!(
            (sum.shape.as_slice(), sum.floats().unwrap()),
            (&[2, 3][..], &[11., 12., 13., 21., 22., 23.][..])
        );
        let last = gather(&sum, &Constant::i64(&[1], vec![-1]), 1).unwrap();
        assert_eq!((last.shape.as_slice(), last.floats().unwrap()), (&[2, 1][..], &[13., 23.][..]));
        assert_eq!(integer("Mod", -7, 3), Some(2));
    }
}
