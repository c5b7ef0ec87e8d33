//! Which convolutions stay f32: the first after an input and the last before an output, if they are small.

use std::collections::{HashMap, HashSet};

use inkstone::engine::operators::{ATTENTION, MASKED_ATTENTION};
use tract_onnx::pb::NodeProto;

use crate::graph::Graph;
use crate::proto;

/// Largest share of a graph's weights that a kept convolution may have.
const SMALL: f64 = 0.02;

/// Names of the convolutions that stay f32.
pub(super) fn first_and_last(graph: &Graph) -> HashSet<String> {
    let total: usize = graph.nodes.iter().filter_map(|node| weights(graph, node)).sum();
    let small = |node: &&NodeProto| weights(graph, node).is_some_and(|count| (count as f64) < SMALL * total as f64);
    let firsts = graph.inputs.iter().filter_map(|port| first(graph, &port.name));
    let lasts = graph.outputs.iter().filter_map(|port| last(graph, &port.name));
    firsts.chain(lasts).filter(small).map(|node| node.name.clone()).collect()
}

/// The first convolution that an input reaches through operators without weights.
fn first<'a>(graph: &'a Graph, input: &str) -> Option<&'a NodeProto> {
    let mut reached: HashSet<&str> = HashSet::from([input]);
    for node in graph.nodes.iter().filter(|node| proto::input(node, 0).is_some()) {
        if !node.input.iter().any(|value| reached.contains(value.as_str())) {
            continue;
        }
        if proto::is(node, "Conv") && reached.contains(node.input[0].as_str()) {
            return Some(node);
        }
        if !is_weighted(graph, node) {
            reached.extend(node.output.iter().map(String::as_str));
        }
    }
    None
}

/// The last convolution that reaches an output through operators without weights.
fn last<'a>(graph: &'a Graph, output: &str) -> Option<&'a NodeProto> {
    let position: HashMap<&str, usize> = graph
        .nodes
        .iter()
        .enumerate()
        .flat_map(|(index, node)| node.output.iter().map(move |value| (value.as_str(), index)))
        .collect();
    let mut wanted: HashSet<usize> = position.get(output).copied().into_iter().collect();
    for (index, node) in graph.nodes.iter().enumerate().rev() {
        if !wanted.contains(&index) {
            continue;
        }
        if proto::is(node, "Conv") {
            return Some(node);
        }
        if !is_weighted(graph, node) {
            wanted.extend(node.input.iter().filter_map(|value| position.get(value.as_str())));
        }
    }
    None
}

fn is_weighted(graph: &Graph, node: &NodeProto) -> bool {
    weights(graph, node).is_some()
        || proto::is(node, "Attention")
        || [&ATTENTION, &MASKED_ATTENTION].iter().any(|schema| proto::is_ours(node, schema))
}

/// Number of weights of a layer; none for other nodes.
fn weights(graph: &Graph, node: &NodeProto) -> Option<usize> {
    let index = match node.op_type.as_str() {
        "Conv" | "ConvTranspose" | "Gemm" | "MatMul" => 1,
        "Gather" => 0,
        _ => return None,
    };
    let constant = graph.constant_input(node, index)?;
    constant.floats().map(<[f32]>::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;

    #[test]
    fn conditions_reach_no_first_convolution() {
        let mut builder = Builder::new(17)
            .input("time", &[1, 4])
            .input("x", &[1, 4, 1, 1])
            .output("y", &[1, 4, 1, 1]);
        builder = builder
            .filled("w", &[4, 4])
            .filled("a.weight", &[4, 4, 1, 1])
            .filled("b.weight", &[64, 4, 1, 1]);
        builder = builder
            .filled("c.weight", &[64, 64, 3, 3])
            .filled("d.weight", &[4, 64, 1, 1])
            .integers("four", &[1, 4, 1, 1]);
        builder = builder
            .node("MatMul", &["time", "w"], "t")
            .node("Reshape", &["t", "four"], "t4")
            .node("Conv", &["x", "a.weight"], "a");
        builder = builder
            .node("Add", &["a", "t4"], "at")
            .node("Conv", &["at", "b.weight"], "b")
            .node("Conv", &["b", "c.weight"], "c");
        let graph = builder.node("Conv", &["c", "d.weight"], "d").node("Tanh", &["d"], "y").graph();
        let kept = first_and_last(&graph);
        assert_eq!(kept, ["node_a", "node_d"].map(str::to_owned).into());
    }
}
