//! Attention of one head without an axis of heads: products of `[1, T, C]`, as the decoders of latent diffusion have it.

use inkstone::engine::operators::ATTENTION;
use tract_onnx::pb::NodeProto;

use super::attention::is_over_keys;
use super::product::without_factors;
use super::{Made, Replacement};
use crate::graph::{Graph, Links};
use crate::proto::{self, WithAttribute};

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
    let attention = attention(&node.name, [scores.queries, &keys, values], &node.output[0], scores.scale);
    fits(graph, &scores, graph.shape(values)?).then_some(Replacement {
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
    before.push(attention(&format!("{}.rows", node.name), operands, &mixed, scores.scale).into());
    let turned = proto::node("Transpose", &node.name, &[&mixed], &[&node.output[0]]).with_ints("perm", &SWAP);
    fits(graph, &scores, &[1, rows, channels]).then_some(Replacement {
        before,
        last: turned.into(),
    })
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
        before.push(proto::node("Transpose", &rows, &[value], &[&rows]).with_ints("perm", &SWAP).into());
    }
    rows
}

fn fits(graph: &Graph, scores: &Scores, values: &[usize]) -> bool {
    let shapes = (graph.shape(scores.queries), graph.shape(scores.keys), values);
    let (Some(&[1, _, width]), Some(&[1, key_width, rows]), &[1, value_rows, channels]) = shapes else {
        return false;
    };
    width == key_width && rows == value_rows && width == channels
}

fn attention(name: &str, operands: [&str; 3], output: &str, scale: f32) -> NodeProto {
    proto::our_node(&ATTENTION, name, &operands, &[output])
        .with_int("heads", 1)
        .with_float("scale", scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuse::fuse;
    use crate::testing::{Builder, names};

    fn weights(builder: Builder) -> Builder {
        let softmax = proto::node("Softmax", "softmax", &["scaled"], &["p"]).with_int("axis", 2);
        let builder = builder.constant("scale", &[], &[0.25]).node("MatMul", &["q", "k"], "s");
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
    fn several_pictures_stay() {
        let builder = Builder::new(17)
            .input("q", &[2, 5, 8])
            .input("k", &[2, 8, 6])
            .input("v", &[2, 6, 8]);
        let graph = fused(weights(builder.output("y", &[2, 5, 8])).node("MatMul", &["p", "v"], "y"));
        assert!(!names(&graph).contains(&"Attention"));
    }
}
