//! Attention by products of matrices of channels: of one head as `[1, T, C]`, as the decoders of latent diffusion have it, and of
//! several as `[heads, C, T]`, as guided diffusion's U-Nets have it (Dhariwal and Nichol, arXiv 2105.05233).

use inkstone::engine::operators::ATTENTION;
use tract_onnx::pb::NodeProto;

use super::attention::is_over_keys;
use super::product::without_factors;
use super::{Made, Replacement};
use crate::graph::{Graph, Links};
use crate::proto::{self, WithAttribute};
use crate::tensor::Constant;

const SWAP: [i64; 3] = [0, 2, 1];

/// Scores `[1, T, S]` under a softmax: queries `[1, T, C]`, keys `[1, C, S]`, scale.
struct Scores<'a> {
    queries: &'a str,
    keys: &'a str,
    scale: f32,
}

/// softmax(q·k)·v with v of `[1, S, C]`.
pub(super) fn of_rows(graph: &Graph, links: &Links, node: &NodeProto) -> Option<Replacement> {
    let [weights, values] = factors(graph, node)?;
    let scores = scores(graph, links, weights)?;
    let mut before: Vec<Made> = Vec::new();
    let keys = swapped(graph, links, scores.keys, &mut before);
    let attention = attention(&node.name, [scores.queries, &keys, values], &node.output[0], 1, scores.scale);
    let rows = graph.shape(values).filter(|shape| shape[0] == 1)?;
    fits(graph, &scores, rows).then_some(Replacement {
        before,
        last: attention.into(),
    })
}

/// v·softmax(q·k)ᵀ with v of `[1, C, S]`: the same, turned.
pub(super) fn of_columns(graph: &Graph, links: &Links, node: &NodeProto) -> Option<Replacement> {
    let [values, weights] = factors(graph, node)?;
    let scores = scores(graph, links, swap(graph, links, weights)?)?;
    let &[1, channels, rows] = graph.shape(values)? else { return None };
    let mut before = Vec::new();
    let [keys, values] = [scores.keys, values].map(|value| swapped(graph, links, value, &mut before));
    let mixed = graph.free_value(&format!("{}.rows", node.output[0]));
    let operands = [scores.queries, &keys, &values];
    before.push(attention(&format!("{}.rows", node.name), operands, &mixed, 1, scores.scale).into());
    let turned = transpose(&node.name, &mixed, &node.output[0]);
    fits(graph, &scores, &[1, rows, channels]).then_some(Replacement {
        before,
        last: turned.into(),
    })
}

/// softmax(q·k)·v of several heads, or the same turned, where one head lies behind the other as the channels of one picture.
pub(super) fn of_heads(graph: &Graph, links: &Links, node: &NodeProto) -> Option<Replacement> {
    let [left, right] = factors(graph, node)?;
    let (weights, values, is_turned) = match swap(graph, links, right) {
        Some(weights) if scores(graph, links, weights).is_some() => (weights, left, true),
        _ => (left, swap(graph, links, right)?, false),
    };
    let scores = scores(graph, links, weights)?;
    let (queries, &[heads, channels, rows]) = (swap(graph, links, scores.queries)?, graph.shape(values)?) else {
        return None;
    };
    let &[_, count, _] = graph.shape(scores.queries)? else {
        return None;
    };
    let mut before = Vec::new();
    let operands = [queries, scores.keys, values].map(|value| joined_rows(graph, value, &mut before));
    let [mixed, picture, turned] = ["rows", "picture", "heads"].map(|what| graph.free_value(&format!("{}.{what}", node.output[0])));
    let operands = operands.each_ref().map(String::as_str);
    before.push(attention(&mixed, operands, &mixed, heads, scores.scale).into());
    before.push(transpose(&picture, &mixed, &picture).into());
    let shape = [heads, channels, count];
    let last = if is_turned {
        reshape(&node.name, &picture, &node.output[0], &shape)
    } else {
        before.push(reshape(&turned, &picture, &turned, &shape));
        transpose(&node.name, &turned, &node.output[0]).into()
    };
    let last = Replacement { before, last };
    fits(graph, &scores, &[heads, rows, channels]).then_some(last)
}

/// `[heads, C, T]` as rows `[1, T, heads · C]`.
fn joined_rows(graph: &Graph, value: &str, before: &mut Vec<Made>) -> String {
    let [picture, rows] = ["picture", "rows"].map(|what| graph.free_value(&format!("{value}.{what}")));
    let made = before.iter().any(|made| made.node.output[0] == rows);
    if let (false, Some(&[heads, channels, count])) = (made, graph.shape(value)) {
        before.push(reshape(&picture, value, &picture, &[1, heads * channels, count]));
        before.push(transpose(&rows, &picture, &rows).into());
    }
    rows
}

fn transpose(name: &str, from: &str, to: &str) -> NodeProto {
    proto::node("Transpose", name, &[from], &[to]).with_ints("perm", &SWAP)
}

fn reshape(name: &str, from: &str, to: &str, shape: &[usize]) -> Made {
    let sizes: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
    Made {
        node: proto::node("Reshape", name, &[from, &format!("{to}.shape")], &[to]),
        constants: vec![(1, Constant::i64(&[sizes.len()], sizes))],
    }
}

fn factors<'a>(graph: &Graph, node: &'a NodeProto) -> Option<[&'a str; 2]> {
    let [left, right] = node.input.as_slice() else { return None };
    let varying = ![left, right].iter().any(|value| graph.constants.contains_key(*value));
    (proto::is(node, "MatMul") && varying).then_some([left, right])
}

fn scores<'a>(graph: &'a Graph, links: &Links, weights: &str) -> Option<Scores<'a>> {
    let softmax = links
        .made_by(graph, weights, "Softmax")
        .filter(|softmax| is_over_keys(graph, softmax))?;
    let (product, outer) = without_factors(graph, links, &softmax.input[0]);
    let product = links.made_by(graph, product, "MatMul")?;
    let [queries, keys] = factors(graph, product)?;
    let ((queries, query_factor), (keys, key_factor)) = (without_factors(graph, links, queries), without_factors(graph, links, keys));
    Some(Scores {
        queries,
        keys,
        scale: outer * query_factor * key_factor,
    })
}

/// What a Transpose of the last two axes turns.
fn swap<'a>(graph: &'a Graph, links: &Links, value: &str) -> Option<&'a str> {
    let transpose = links.made_by(graph, value, "Transpose")?;
    (proto::ints(transpose, "perm") == Some(&SWAP)).then_some(transpose.input[0].as_str())
}

/// The value with its last two axes swapped: what it was before it was swapped, or the output of one more Transpose.
fn swapped(graph: &Graph, links: &Links, value: &str, before: &mut Vec<Made>) -> String {
    if let Some(original) = swap(graph, links, value) {
        return original.to_owned();
    }
    let rows = graph.free_value(&format!("{value}.rows"));
    let turned = |made: &Made| made.node.output[0] == rows;
    if !before.iter().any(turned) {
        before.push(transpose(&rows, value, &rows).into());
    }
    rows
}

fn fits(graph: &Graph, scores: &Scores, values: &[usize]) -> bool {
    let shapes = (graph.shape(scores.queries), graph.shape(scores.keys), values);
    let (Some(&[heads, _, width]), Some(&[key_heads, key_width, rows]), &[value_heads, value_rows, channels]) = shapes else {
        return false;
    };
    [heads, width, rows] == [key_heads, key_width, value_rows] && [heads, width] == [value_heads, channels]
}

fn attention(name: &str, operands: [&str; 3], output: &str, heads: usize, scale: f32) -> NodeProto {
    proto::our_node(&ATTENTION, name, &operands, &[output])
        .with_int("heads", heads as i64)
        .with_float("scale", scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuse::fuse;
    use crate::testing::{Builder, names};

    fn weights(builder: Builder) -> Builder {
        scaled(builder, "q")
    }

    fn scaled(builder: Builder, queries: &str) -> Builder {
        let softmax = proto::node("Softmax", "softmax", &["scaled"], &["p"]).with_int("axis", 2);
        let builder = builder.constant("scale", &[], &[0.25]).node("MatMul", &[queries, "k"], "s");
        builder.node("Mul", &["s", "scale"], "scaled").with(softmax)
    }

    fn fused(builder: Builder) -> Graph {
        let mut graph = builder.graph();
        crate::fold::fold(&mut graph).unwrap();
        fuse(&mut graph);
        graph
    }

    #[test]
    fn values_as_rows() {
        let builder = Builder::new(17)
            .input("q", &[1, 5, 8])
            .input("k", &[1, 8, 6])
            .input("v", &[1, 6, 8]);
        let graph = fused(weights(builder.output("y", &[1, 5, 8])).node("MatMul", &["p", "v"], "y"));
        assert_eq!(names(&graph), ["Transpose", "Attention"]);
        let attention = &graph.nodes[1];
        assert_eq!(
            (proto::int(attention, "heads"), proto::float(attention, "scale")),
            (Some(1), Some(0.25))
        );
        assert_eq!(graph.shape(&attention.input[1]), Some(&[1, 6, 8][..]));
    }

    #[test]
    fn values_as_columns() {
        let builder = Builder::new(17)
            .input("q", &[1, 5, 8])
            .input("k", &[1, 8, 6])
            .input("v", &[1, 8, 6]);
        let turn = proto::node("Transpose", "turn", &["p"], &["pt"]).with_ints("perm", &SWAP);
        let graph = fused(
            weights(builder.output("y", &[1, 8, 5]))
                .with(turn)
                .node("MatMul", &["v", "pt"], "y"),
        );
        assert_eq!(names(&graph), ["Transpose", "Transpose", "Attention", "Transpose"]);
        assert_eq!(graph.nodes[3].output, ["y"]);
    }

    #[test]
    fn heads_as_channels() {
        let shape = [3, 8, 5];
        let builder = || Builder::new(17).input("q", &shape).input("k", &shape).input("v", &shape);
        let turned = scaled(builder().output("y", &shape).with(transpose("qt", "q", "qt")), "qt");
        let turned = turned.with(transpose("pt", "p", "pt")).node("MatMul", &["v", "pt"], "y");
        let rows = scaled(builder().output("y", &[3, 5, 8]).with(transpose("qt", "q", "qt")), "qt");
        let rows = rows.with(transpose("vt", "v", "vt")).node("MatMul", &["p", "vt"], "y");
        for builder in [turned, rows] {
            let graph = fused(builder);
            let attention = graph.nodes.iter().find(|node| node.op_type == "Attention").unwrap();
            let values = graph.shape(&attention.input[2]);
            assert_eq!((proto::int(attention, "heads"), values), (Some(3), Some(&[1, 5, 24][..])));
            assert!(!names(&graph).contains(&"Softmax"));
        }
    }

    #[test]
    fn several_pictures_stay() {
        let builder = Builder::new(17)
            .input("q", &[2, 5, 8])
            .input("k", &[2, 8, 6])
            .input("v", &[2, 6, 8]);
        let graph = fused(weights(builder.output("y", &[2, 5, 8])).node("MatMul", &["p", "v"], "y"));
        assert!(!names(&graph).contains(&"Attention"));
    }
}
