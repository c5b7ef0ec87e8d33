//! Queries, keys and values that one linear layer makes together: rows `[1, T, parts·heads·width]`.
//!
//! Exports split them after they were cut into heads. Here every part becomes rows of its own first, as the patterns of
//! attention want them.

use tract_onnx::pb::NodeProto;

use super::{Made, Replacement};
use crate::graph::{Graph, Links};
use crate::proto::{self, WithAttribute};
use crate::tensor::Constant;

/// The axis of the parts in `[1, T, parts, heads, width]`.
const PARTS: usize = 2;

/// Part `index` of `[1, T, parts, heads, width]`, whose axes are in the order `order` before that of the parts goes.
struct Part<'a> {
    rows: &'a str,
    shape: [usize; 5],
    index: usize,
    order: Vec<usize>,
}

/// Reshape (→ Transpose) → one part → Squeeze, or Gather, becomes Slice → Reshape → Transpose.
pub(super) fn part(graph: &Graph, links: &Links, node: &NodeProto) -> Option<Replacement> {
    let (packed, axis, index) = chosen(graph, links, node)?;
    let Part { rows, shape, index, order } = find(graph, links, packed, axis, index)?;
    let [_, count, _, heads, width] = shape;
    let channels = heads * width;
    let output = &node.output[0];
    let [cut, split] = ["rows", "heads"].map(|what| graph.free_value(&format!("{output}.{what}")));
    let order: Vec<i64> = order
        .iter()
        .map(|&axis| i64::try_from(if axis > PARTS { axis - 1 } else { axis }))
        .collect::<Result<_, _>>()
        .ok()?;
    let integers = |values: &[usize]| {
        let values: Vec<i64> = values.iter().map(|&value| i64::try_from(value).ok()).collect::<Option<_>>()?;
        Some(Constant::i64(&[values.len()], values))
    };
    let names = ["start", "end", "axis", "shape"].map(|what| format!("{output}.{what}"));
    let [start, end, axis, shape] = names.each_ref().map(String::as_str);
    let slice = Made {
        node: proto::node("Slice", &format!("{}.rows", node.name), &[rows, start, end, axis], &[&cut]),
        constants: vec![
            (1, integers(&[index * channels])?),
            (2, integers(&[(index + 1) * channels])?),
            (3, integers(&[PARTS])?),
        ],
    };
    let reshape = Made {
        node: proto::node("Reshape", &format!("{}.heads", node.name), &[&cut, shape], &[&split]),
        constants: vec![(1, integers(&[1, count, heads, width])?)],
    };
    let transpose = proto::node("Transpose", &node.name, &[&split], &[output]).with_ints("perm", &order);
    Some(Replacement {
        before: vec![slice, reshape],
        last: transpose.into(),
    })
}

/// What a node takes one part of, along which axis, and which.
fn chosen<'a>(graph: &'a Graph, links: &Links, node: &'a NodeProto) -> Option<(&'a str, usize, usize)> {
    let number = |value: i64| usize::try_from(value).ok();
    if proto::is(node, "Gather") {
        let indices = graph.constant_input(node, 1).filter(|indices| indices.shape.is_empty())?;
        let axis = number(proto::int(node, "axis").unwrap_or(0))?;
        return Some((&node.input[0], axis, number(*indices.integers()?.first()?)?));
    }
    if !proto::is(node, "Squeeze") {
        return None;
    }
    let &[axis] = graph.constant_input(node, 1)?.integers()? else {
        return None;
    };
    let maker = links.producer(graph, &node.input[0])?;
    if proto::is(maker, "Split") && proto::int(maker, "axis").unwrap_or(0) == axis {
        let index = maker.output.iter().position(|output| *output == node.input[0])?;
        let alike = maker.output.iter().all(|output| {
            graph
                .shape(output)
                .is_some_and(|shape| number(axis).and_then(|axis| shape.get(axis)) == Some(&1))
        });
        return alike.then_some((maker.input[0].as_str(), number(axis)?, index));
    }
    let only = |index| match graph.constant_input(maker, index)?.integers()? {
        &[value] => Some(value),
        _ => None,
    };
    let plain = proto::is(maker, "Slice") && maker.input.len() == 4 && only(3)? == axis && only(2)? == only(1)? + 1;
    plain.then_some((maker.input[0].as_str(), number(axis)?, number(only(1)?)?))
}

fn find<'a>(graph: &'a Graph, links: &Links, packed: &'a str, axis: usize, index: usize) -> Option<Part<'a>> {
    let (split, mut order) = match links.made_by(graph, packed, "Transpose") {
        Some(transpose) => {
            let order = proto::ints(transpose, "perm")?.iter().map(|&axis| usize::try_from(axis).ok());
            (transpose.input[0].as_str(), order.collect::<Option<Vec<_>>>()?)
        }
        None => (packed, (0..5).collect()),
    };
    let rows = links.made_by(graph, split, "Reshape")?.input[0].as_str();
    let (&[1, count, channels], &[1, split_count, parts, heads, width]) = (graph.shape(rows)?, graph.shape(split)?) else {
        return None;
    };
    let fits = count == split_count && channels == parts * heads * width && order.get(axis) == Some(&PARTS) && index < parts;
    order.retain(|&axis| axis != PARTS);
    fits.then_some(Part {
        rows,
        shape: [1, count, parts, heads, width],
        index,
        order,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuse::fuse;
    use crate::testing::{Builder, names};

    /// Rows of 3·2·4 channels, cut and turned; then the parts by `take`, and attention.
    fn attention(order: &[i64], take: impl Fn(Builder, usize, &str) -> Builder) -> Graph {
        let turned = proto::node("Transpose", "turn", &["cut"], &["turned"]).with_ints("perm", order);
        let mut builder = Builder::new(17)
            .input("x", &[1, 6, 24])
            .output("y", &[1, 6, 8])
            .integers("packed", &[1, 6, 3, 2, 4])
            .integers("joined", &[1, 6, 8])
            .integers("zero", &[0])
            .constant("root", &[], &[0.5]);
        builder = builder.node("Reshape", &["x", "packed"], "cut").with(turned);
        for (index, part) in ["q", "k", "v"].into_iter().enumerate() {
            builder = take(builder, index, part);
        }
        let swap = proto::node("Transpose", "swap", &["k"], &["kt"]).with_ints("perm", &[0, 1, 3, 2]);
        let back = proto::node("Transpose", "back", &["m"], &["rows"]).with_ints("perm", &[0, 2, 1, 3]);
        builder = builder
            .with(swap)
            .node("MatMul", &["q", "kt"], "s")
            .node("Mul", &["s", "root"], "scaled");
        builder = builder.node("Softmax", &["scaled"], "p").node("MatMul", &["p", "v"], "m");
        let mut graph = builder.with(back).node("Reshape", &["rows", "joined"], "y").graph();
        crate::fold::fold(&mut graph).unwrap();
        fuse(&mut graph);
        graph
    }

    fn check(graph: &Graph) {
        assert_eq!(names(graph), ["Slice", "Slice", "Slice", "Attention"]);
        let starts = graph.nodes[..3]
            .iter()
            .map(|node| graph.constants[&node.input[1]].integers().unwrap()[0]);
        assert_eq!(starts.collect::<Vec<_>>(), [0, 8, 16]);
        assert_eq!(
            graph.nodes[3].input,
            graph.nodes[..3].iter().map(|node| node.output[0].clone()).collect::<Vec<_>>()
        );
    }

    #[test]
    fn taken_by_number() {
        check(&attention(&[2, 0, 3, 1, 4], |builder, index, part| {
            let name = format!("{part}.index");
            let builder = builder.scalar(&name, index as i64);
            builder.with(proto::node("Gather", part, &["turned", &name], &[part]).with_int("axis", 0))
        }));
    }

    #[test]
    fn taken_by_slices() {
        check(&attention(&[2, 0, 3, 1, 4], |builder, index, part| {
            let [start, end, cut] = ["start", "end", "cut"].map(|what| format!("{part}.{what}"));
            builder
                .integers(&start, &[index as i64])
                .integers(&end, &[index as i64 + 1])
                .node("Slice", &["turned", &start, &end, "zero"], &cut)
                .node("Squeeze", &[&cut, "zero"], part)
        }));
    }

    #[test]
    fn parts_of_heads_stay() {
        // Channels in the order heads, parts, width: the parts are not rows.
        let graph = attention(&[2, 0, 1, 3, 4], |builder, index, part| {
            let name = format!("{part}.index");
            let builder = builder.scalar(&name, index as i64);
            builder.with(proto::node("Gather", part, &["turned", &name], &[part]).with_int("axis", 1))
        });
        assert!(!names(&graph).contains(&"Attention"));
    }
}
