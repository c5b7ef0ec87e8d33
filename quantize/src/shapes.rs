//! Shape inference for the standard operators of exports.

use tract_onnx::pb::NodeProto;

use crate::equation::Equation;
use crate::graph::Graph;
use crate::proto::{self, WithAttribute};
use crate::standard;

/// How the shapes of an operator's outputs are inferred.
pub(crate) enum Shape {
    /// They are not.
    Unknown,
    /// The one output has the shape of the first input.
    Same,
    /// The one output has the shape that all inputs broadcast to.
    Broadcast,
    /// The one output has this shape.
    One(fn(&Graph, &NodeProto) -> Option<Vec<usize>>),
    /// The outputs have these shapes.
    Several(fn(&Graph, &NodeProto) -> Option<Vec<Vec<usize>>>),
}

/// Shapes of the node's outputs in order; `None` if they are not known.
pub(crate) fn outputs(graph: &Graph, node: &NodeProto) -> Option<Vec<Vec<usize>>> {
    let one = match standard::find(&node.op_type)?.shape {
        Shape::Unknown => return None,
        Shape::Same => input(graph, node, 0)?.to_vec(),
        Shape::Broadcast => (1..node.input.len()).try_fold(input(graph, node, 0)?.to_vec(), |joined, index| {
            broadcast(&joined, input(graph, node, index)?)
        })?,
        Shape::One(shape) => shape(graph, node)?,
        Shape::Several(shapes) => return shapes(graph, node),
    };
    Some(vec![one])
}

/// Shape of an input.
fn input<'a>(graph: &'a Graph, node: &NodeProto, index: usize) -> Option<&'a [usize]> {
    graph.shape(proto::input(node, index)?)
}

/// A constant input as a list of sizes.
fn sizes(graph: &Graph, node: &NodeProto, index: usize) -> Option<Vec<usize>> {
    let sizes = graph.constant_input(node, index)?.integers()?;
    sizes.iter().map(|&size| usize::try_from(size).ok()).collect()
}

pub(crate) fn expand(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    broadcast(input(graph, node, 0)?, &sizes(graph, node, 1)?)
}

pub(crate) fn constant_of_shape(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    sizes(graph, node, 0)
}

pub(crate) fn reshape_node(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let allow_zero = proto::int(node, "allowzero") == Some(1);
    reshape(input(graph, node, 0)?, graph.constant_input(node, 1)?.integers()?, allow_zero)
}

pub(crate) fn transpose_node(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    transpose(input(graph, node, 0)?, proto::ints(node, "perm"))
}

pub(crate) fn unsqueeze_node(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    unsqueeze(input(graph, node, 0)?, graph.constant_input(node, 1)?.integers()?)
}

/// Without a list of axes, all of size one.
pub(crate) fn squeeze_node(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let from = input(graph, node, 0)?;
    let listed = match proto::input(node, 1) {
        Some(axes) => Some(graph.constants.get(axes)?.integers()?),
        None => proto::ints(node, "axes"),
    };
    match listed {
        Some(axes) => squeeze(from, axes),
        None => Some(from.iter().copied().filter(|&size| size != 1).collect()),
    }
}

pub(crate) fn flatten_node(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    flatten(input(graph, node, 0)?, proto::int(node, "axis").unwrap_or(1))
}

pub(crate) fn pad_node(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    pad(input(graph, node, 0)?, graph.constant_input(node, 1)?.integers()?)
}

pub(crate) fn shape(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    Some(vec![input(graph, node, 0)?.len()])
}

/// An axis counted from the front; `None` if there is no such axis.
pub(crate) fn axis(axis: i64, rank: usize) -> Option<usize> {
    let from_front = if axis < 0 { axis + i64::try_from(rank).ok()? } else { axis };
    usize::try_from(from_front).ok().filter(|&axis| axis < rank)
}

/// Shape that two shapes broadcast to.
pub(crate) fn broadcast(left: &[usize], right: &[usize]) -> Option<Vec<usize>> {
    let rank = left.len().max(right.len());
    let at = |shape: &[usize], index: usize| (index + shape.len()).checked_sub(rank).map_or(1, |index| shape[index]);
    let joined = (0..rank).map(|index| match (at(left, index), at(right, index)) {
        (a, b) if a == b || b == 1 => Some(a),
        (1, b) => Some(b),
        _ => None,
    });
    joined.collect()
}

/// Number of elements; `None` if it does not fit.
pub(crate) fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size))
}

/// Target of a Reshape with this shape constant.
pub(crate) fn reshape(from: &[usize], wanted: &[i64], allow_zero: bool) -> Option<Vec<usize>> {
    let mut shape = Vec::with_capacity(wanted.len());
    let mut free = None;
    for (index, &size) in wanted.iter().enumerate() {
        match size {
            -1 if free.is_none() => {
                free = Some(index);
                shape.push(1);
            }
            0 if !allow_zero => shape.push(*from.get(index)?),
            size => shape.push(usize::try_from(size).ok()?),
        }
    }
    let (total, known) = (count(from)?, count(&shape)?);
    if let Some(index) = free {
        shape[index] = total.checked_div(known)?;
    }
    (count(&shape)? == total).then_some(shape)
}

/// Shape with its axes in another order; reversed without an order.
pub(crate) fn transpose(from: &[usize], order: Option<&[i64]>) -> Option<Vec<usize>> {
    match order {
        Some(order) => order.iter().map(|&index| from.get(usize::try_from(index).ok()?).copied()).collect(),
        None => Some(from.iter().rev().copied().collect()),
    }
}

/// Shape with axes of size one inserted.
pub(crate) fn unsqueeze(from: &[usize], axes: &[i64]) -> Option<Vec<usize>> {
    let rank = from.len() + axes.len();
    let axes: Vec<usize> = axes.iter().map(|&index| axis(index, rank)).collect::<Option<_>>()?;
    let mut rest = from.iter();
    (0..rank)
        .map(|index| if axes.contains(&index) { Some(1) } else { rest.next().copied() })
        .collect()
}

/// Shape without these axes.
pub(crate) fn squeeze(from: &[usize], axes: &[i64]) -> Option<Vec<usize>> {
    let axes: Vec<usize> = axes.iter().map(|&index| axis(index, from.len())).collect::<Option<_>>()?;
    Some(
        from.iter()
            .enumerate()
            .filter(|(index, _)| !axes.contains(index))
            .map(|(_, &size)| size)
            .collect(),
    )
}

/// Two axes, split before `at`.
pub(crate) fn flatten(from: &[usize], at: i64) -> Option<Vec<usize>> {
    let at = if at == i64::try_from(from.len()).ok()? {
        from.len()
    } else {
        axis(at, from.len())?
    };
    Some(vec![count(&from[..at])?, count(&from[at..])?])
}

pub(crate) fn convolution(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    convolved(node, input(graph, node, 0)?, input(graph, node, 1)?)
}

fn convolved(node: &NodeProto, x: &[usize], w: &[usize]) -> Option<Vec<usize>> {
    let spatial = w.len().checked_sub(2).filter(|&spatial| x.len() == spatial + 2)?;
    if proto::string(node, "auto_pad").is_some_and(|pad| pad.starts_with("SAME")) {
        return None;
    }
    let list = |name: &str, index: usize, default: i64| proto::ints(node, name).map_or(Some(default), |list| list.get(index).copied());
    let mut shape = vec![x[0], w[0]];
    for index in 0..spatial {
        let wide = |name: &str, index: usize, default: i64| list(name, index, default).map(i128::from);
        let pads = wide("pads", index, 0)? + wide("pads", index + spatial, 0)?;
        let reach = (i128::try_from(w[index + 2]).ok()? - 1).checked_mul(wide("dilations", index, 1)?)? + 1;
        let free = i128::try_from(x[index + 2]).ok()? + pads - reach;
        shape.push(usize::try_from(free.checked_div(wide("strides", index, 1)?)? + 1).ok()?);
    }
    Some(shape)
}

/// `(size - 1) · stride - pads + reach + output_padding`, of `[C, O / group, …]` weights.
pub(crate) fn transposed_convolution(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let (x, w) = (input(graph, node, 0)?, input(graph, node, 1)?);
    let spatial = w.len().checked_sub(2).filter(|&spatial| x.len() == spatial + 2)?;
    let by_hand = matches!(proto::string(node, "auto_pad"), None | Some("NOTSET" | ""));
    if !by_hand || proto::ints(node, "output_shape").is_some() {
        return None;
    }
    let groups = usize::try_from(proto::int(node, "group").unwrap_or(1)).ok()?;
    let mut shape = vec![x[0], w[1].checked_mul(groups)?];
    for index in 0..spatial {
        let value = |name: &str, index: usize, default: i64| {
            proto::ints(node, name)
                .map_or(Some(default), |list| list.get(index).copied())
                .map(i128::from)
        };
        let [size, window] = [x[index + 2], w[index + 2]].map(|size| i128::try_from(size).ok());
        let reach = (window? - 1).checked_mul(value("dilations", index, 1)?)? + 1;
        let steps = (size? - 1).checked_mul(value("strides", index, 1)?)?;
        let pads = value("pads", index, 0)? + value("pads", index + spatial, 0)?;
        shape.push(usize::try_from(steps + reach - pads + value("output_padding", index, 0)?).ok()?);
    }
    Some(shape)
}

pub(crate) fn global_pool(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let x = input(graph, node, 0)?;
    let places = x.len().checked_sub(2)?;
    Some([&x[..2], vec![1; places].as_slice()].concat())
}

/// Places of extremes along one axis.
pub(crate) fn extreme(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let from = input(graph, node, 0)?;
    let along = proto::int(node, "axis").unwrap_or(0);
    if proto::int(node, "keepdims") == Some(0) {
        return squeeze(from, &[along]);
    }
    let mut shape = from.to_vec();
    shape[axis(along, from.len())?] = 1;
    Some(shape)
}

pub(crate) fn tile(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let (from, repeats) = (input(graph, node, 0)?, sizes(graph, node, 1)?);
    let tiled = from.iter().zip(&repeats).map(|(size, &repeats)| size.checked_mul(repeats));
    (from.len() == repeats.len()).then(|| tiled.collect())?
}

/// The shape of the indices.
pub(crate) fn gather_elements(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    Some(input(graph, node, 1)?.to_vec())
}

pub(crate) fn pool(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    pooled(node, input(graph, node, 0)?)
}

/// A window of `kernel_shape` that moves over a picture, as [`convolved`] by weights of one channel; `None` if the last
/// window may be truncated.
fn pooled(node: &NodeProto, x: &[usize]) -> Option<Vec<usize>> {
    if proto::int(node, "ceil_mode").unwrap_or(0) != 0 {
        return None;
    }
    let window = proto::ints(node, "kernel_shape")?.iter().map(|&size| usize::try_from(size).ok());
    let weights: Vec<usize> = [Some(*x.get(1)?), Some(1)].into_iter().chain(window).collect::<Option<_>>()?;
    convolved(node, x, &weights)
}

fn pad(from: &[usize], pads: &[i64]) -> Option<Vec<usize>> {
    let (before, after) = (pads.get(..from.len())?, pads.get(from.len()..2 * from.len())?);
    let sides = from.iter().zip(before).zip(after);
    sides
        .map(|((&size, &before), &after)| usize::try_from(i64::try_from(size).ok()?.checked_add(before)?.checked_add(after)?).ok())
        .collect()
}

pub(crate) fn gemm(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let (&[a0, a1], &[b0, b1]) = (input(graph, node, 0)?, input(graph, node, 1)?) else {
        return None;
    };
    let rows = if proto::int(node, "transA") == Some(1) { a1 } else { a0 };
    Some(vec![rows, if proto::int(node, "transB") == Some(1) { b0 } else { b1 }])
}

pub(crate) fn matmul(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let ([a_rest @ .., rows, inner], [b_rest @ .., other, columns]) = (input(graph, node, 0)?, input(graph, node, 1)?) else {
        return None;
    };
    let mut shape = broadcast(a_rest, b_rest).filter(|_| inner == other)?;
    shape.extend([rows, columns]);
    Some(shape)
}

pub(crate) fn einsum(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let equation = Equation::of(node)?;
    let operands = equation.operands.iter().enumerate();
    let sizes: Vec<(char, usize)> = operands
        .map(|(index, labels)| {
            let shape = input(graph, node, index).filter(|shape| shape.len() == labels.len())?;
            Some(labels.iter().copied().zip(shape.iter().copied()))
        })
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect();
    let size = |label: &char| sizes.iter().find(|(other, _)| other == label).map(|&(_, size)| size);
    equation.output.iter().map(size).collect()
}

pub(crate) fn concat(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let mut shape = graph.shape(node.input.first()?)?.to_vec();
    let along = axis(proto::int(node, "axis")?, shape.len())?;
    for value in &node.input[1..] {
        shape[along] = shape[along].checked_add(*graph.shape(value)?.get(along)?)?;
    }
    Some(shape)
}

pub(crate) fn gather(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let (data, indices) = (input(graph, node, 0)?, input(graph, node, 1)?);
    let along = axis(proto::int(node, "axis").unwrap_or(0), data.len())?;
    Some([&data[..along], indices, &data[along + 1..]].concat())
}

/// The range of a slice along one axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub first: usize,
    pub count: usize,
    /// From one element to the next; negative for backwards.
    pub step: isize,
}

/// The ranges of a slice, by axis.
pub(crate) fn slice_ranges(graph: &Graph, node: &NodeProto, shape: &[usize]) -> Option<Vec<Range>> {
    let list = |index| graph.constant_input(node, index).and_then(|constant| constant.integers());
    let (starts, ends) = (list(1)?, list(2)?);
    let all: Vec<i64> = (0..i64::try_from(starts.len()).ok()?).collect();
    let axes = if node.input.len() > 3 { list(3)? } else { &all };
    let whole = |&count| Range { first: 0, count, step: 1 };
    let mut ranges: Vec<Range> = shape.iter().map(whole).collect();
    for (index, &along) in axes.iter().enumerate() {
        let along = axis(along, shape.len())?;
        let step = if node.input.len() > 4 { *list(4)?.get(index)? } else { 1 };
        ranges[along] = range(shape[along], *starts.get(index)?, *ends.get(index)?, step)?;
    }
    Some(ranges)
}

/// The elements from `start` up to `end`, which count from the end if negative and are clamped to `size`.
fn range(size: usize, start: i64, end: i64, step: i64) -> Option<Range> {
    let size = i64::try_from(size).ok()?;
    let place = |position: i64| if position < 0 { position.saturating_add(size) } else { position };
    let (start, end) = match step {
        1.. => (place(start).clamp(0, size), place(end).clamp(0, size)),
        ..0 => (place(start).clamp(-1, size - 1), place(end).clamp(-1, size - 1)),
        0 => return None,
    };
    let distance = if step > 0 { end - start } else { start - end };
    Some(Range {
        first: usize::try_from(start.max(0)).ok()?,
        count: usize::try_from(distance.max(0))
            .ok()?
            .div_ceil(usize::try_from(step.unsigned_abs()).ok()?),
        step: isize::try_from(step).ok()?,
    })
}

pub(crate) fn slice(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let ranges = slice_ranges(graph, node, graph.shape(node.input.first()?)?)?;
    Some(ranges.into_iter().map(|range| range.count).collect())
}

/// Sizes of a Split's outputs along its axis.
pub(crate) fn split_sizes(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    if graph.constant_input(node, 1).is_some() {
        return sizes(graph, node, 1);
    }
    let shape = graph.shape(node.input.first()?)?;
    let size = shape[axis(proto::int(node, "axis").unwrap_or(0), shape.len())?];
    let count = node.output.len().max(1);
    let part = size.div_ceil(count);
    Some((0..count).map(|index| part.min(size.saturating_sub(index * part))).collect())
}

pub(crate) fn split(graph: &Graph, node: &NodeProto) -> Option<Vec<Vec<usize>>> {
    let shape = graph.shape(node.input.first()?)?;
    let along = axis(proto::int(node, "axis").unwrap_or(0), shape.len())?;
    let part = |size| {
        let mut part = shape.to_vec();
        part[along] = size;
        part
    };
    Some(split_sizes(graph, node)?.into_iter().map(part).collect())
}

pub(crate) fn depth_to_space(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let (&[n, c, h, w], block) = (input(graph, node, 0)?, block_size(node)?) else {
        return None;
    };
    Some(vec![n, c.checked_div(block * block)?, h * block, w * block])
}

fn block_size(node: &NodeProto) -> Option<usize> {
    usize::try_from(proto::int(node, "blocksize")?).ok()
}

pub(crate) fn space_to_depth(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let (&[n, c, h, w], block) = (input(graph, node, 0)?, block_size(node)?) else {
        return None;
    };
    Some(vec![n, c * block * block, h.checked_div(block)?, w.checked_div(block)?])
}

pub(crate) fn resize(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let from = input(graph, node, 0)?;
    if graph.constant_input(node, 3).is_some() {
        return sizes(graph, node, 3);
    }
    let scales = graph
        .constant_input(node, 2)?
        .floats()
        .filter(|scales| scales.len() == from.len())?;
    // Sizes and scales are small and positive, so the product is a valid size.
    Some(
        from.iter()
            .zip(scales)
            .map(|(&size, &scale)| (size as f32 * scale) as usize)
            .collect(),
    )
}

pub(crate) fn attention(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let (&[n, heads, rows, _], &[_, _, _, width]) = (input(graph, node, 0)?, input(graph, node, 2)?) else {
        return None;
    };
    Some(vec![n, heads, rows, width])
}

pub(crate) fn reduce(graph: &Graph, node: &NodeProto) -> Option<Vec<usize>> {
    let from = input(graph, node, 0)?;
    let listed = match proto::input(node, 1) {
        Some(_) => graph.constant_input(node, 1)?.integers()?,
        None => proto::ints(node, "axes").unwrap_or_default(),
    };
    if listed.is_empty() && proto::int(node, "noop_with_empty_axes").unwrap_or(0) != 0 {
        return Some(from.to_vec());
    }
    let all: Vec<i64> = (0..i64::try_from(from.len()).ok()?).collect();
    let axes = if listed.is_empty() { all.as_slice() } else { listed };
    if proto::int(node, "keepdims") == Some(0) {
        return squeeze(from, axes);
    }
    let mut shape = from.to_vec();
    for &index in axes {
        shape[axis(index, from.len())?] = 1;
    }
    Some(shape)
}

/// A Split with its sizes as an input, as in operator set 17.
pub(crate) fn split_with_sizes(node: &NodeProto, sizes: &str) -> NodeProto {
    let along = proto::int(node, "axis").unwrap_or(0);
    let split = NodeProto {
        attribute: Vec::new(),
        ..node.clone()
    }
    .with_int("axis", along);
    NodeProto {
        input: vec![node.input[0].clone(), sizes.to_owned()],
        ..split
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_go_both_ways() {
        let taken = |start, end, step| {
            let Range { first, count, step } = range(5, start, end, step).unwrap();
            (first, count, step)
        };
        assert_eq!(taken(1, i64::MAX, 2), (1, 2, 2));
        assert_eq!(taken(-2, 5, 1), (3, 2, 1));
        assert_eq!(taken(-1, i64::MIN + 1, -1), (4, 5, -1));
        assert_eq!(taken(3, 0, -2), (3, 2, -2));
        assert_eq!(taken(4, 2, 1).1, 0);
        assert_eq!(range(5, 0, 5, 0), None);
    }

    #[test]
    fn pads_and_pools_change_the_picture() {
        assert_eq!(pad(&[1, 3, 5, 6], &[0, 0, 1, 0, 0, 0, 2, -1]), Some(vec![1, 3, 8, 5]));
        assert_eq!(pad(&[1], &[-2, 0]), None);
        let halved = proto::node("MaxPool", "", &["x"], &["y"])
            .with_ints("kernel_shape", &[2, 2])
            .with_ints("strides", &[2, 2]);
        assert_eq!(pooled(&halved, &[1, 8, 7, 6]), Some(vec![1, 8, 3, 3]));
        assert_eq!(pooled(&halved.with_int("ceil_mode", 1), &[1, 8, 7, 6]), None);
    }

    #[test]
    fn shapes_of_rarer_operators() {
        use crate::testing::Builder;
        let shape = |node: NodeProto| {
            let builder = Builder::new(17)
                .input("x", &[1, 6, 5, 7])
                .input("places", &[1, 2, 5, 7])
                .output("y", &[1]);
            let builder = builder.filled("w", &[6, 4, 3, 2]).integers("twice", &[1, 1, 2, 3]);
            outputs(&builder.graph(), &node).and_then(|mut shapes| shapes.pop())
        };
        let node = |operator, inputs: &[&str]| proto::node(operator, "n", inputs, &["y"]);
        let enlarged = node("ConvTranspose", &["x", "w"])
            .with_ints("strides", &[2, 3])
            .with_ints("pads", &[1, 0, 1, 0]);
        assert_eq!(shape(enlarged.clone()), Some(vec![1, 4, 9, 20]));
        let grouped = enlarged
            .with_int("group", 2)
            .with_ints("output_padding", &[1, 0])
            .with_ints("dilations", &[1, 2]);
        assert_eq!(shape(grouped), Some(vec![1, 8, 10, 21]));
        assert_eq!(shape(node("ConvTranspose", &["x", "w"]).with_ints("output_shape", &[9, 9])), None);
        assert_eq!(shape(node("GlobalAveragePool", &["x"])), Some(vec![1, 6, 1, 1]));
        assert_eq!(shape(node("ArgMax", &["x"]).with_int("axis", -1)), Some(vec![1, 6, 5, 1]));
        assert_eq!(
            shape(node("ArgMin", &["x"]).with_int("axis", 1).with_int("keepdims", 0)),
            Some(vec![1, 5, 7])
        );
        assert_eq!(shape(node("Tile", &["x", "twice"])), Some(vec![1, 6, 10, 21]));
        assert_eq!(shape(node("GatherElements", &["x", "places"])), Some(vec![1, 2, 5, 7]));
    }

    #[test]
    fn reshape_follows_zero_and_minus_one() {
        assert_eq!(reshape(&[1, 48, 32, 32], &[0, 12, -1], false), Some(vec![1, 12, 4096]));
        assert_eq!(reshape(&[2, 3], &[4, -1], false), None);
        assert_eq!(reshape(&[2, 0], &[0, 0], true), Some(vec![0, 0]));
    }

    #[test]
    fn broadcasting_aligns_last_axes() {
        assert_eq!(broadcast(&[2, 1, 4], &[3, 1]), Some(vec![2, 3, 4]));
        assert_eq!(broadcast(&[2], &[3]), None);
    }

    #[test]
    fn axes_are_inserted_and_dropped() {
        assert_eq!(unsqueeze(&[5], &[1, -1]), Some(vec![5, 1, 1]));
        assert_eq!(squeeze(&[5, 1, 1], &[-1]), Some(vec![5, 1]));
        assert_eq!(flatten(&[2, 3, 4], 1), Some(vec![2, 12]));
    }
}
