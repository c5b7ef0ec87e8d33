//! Replaces the many nodes into which exports decompose an operator by one node of our domain.
//!
//! A pattern is matched from the last node of what it replaces. The replacement computes the same values, so nodes that others still
//! read simply stay.

mod attention;
mod attention_alone;
mod attention_packed;
mod gelu;
mod group_norm;
mod product;
mod rms_norm;
mod silu;

use tract_onnx::pb::NodeProto;

use crate::fold::learn_shapes;
use crate::graph::{Graph, Links};
use crate::tensor::Constant;

/// A new node and its new constants, by the number of the input.
#[derive(Debug)]
pub(crate) struct Made {
    pub node: NodeProto,
    pub constants: Vec<(usize, Constant)>,
}

impl From<NodeProto> for Made {
    fn from(node: NodeProto) -> Made {
        let constants = Vec::new();
        Made { node, constants }
    }
}

impl Made {
    /// Adds the constants to the graph; returns the node.
    fn settle(mut self, graph: &mut Graph) -> NodeProto {
        for (input, constant) in self.constants {
            self.node.input[input] = graph.add_constant(&self.node.input[input], constant);
        }
        self.node
    }
}

/// What replaces a node.
#[derive(Debug)]
pub(crate) struct Replacement {
    /// Nodes before `last`, in order.
    pub before: Vec<Made>,
    /// The node that computes the replaced node's outputs.
    pub last: Made,
}

impl<T: Into<Made>> From<T> for Replacement {
    fn from(last: T) -> Replacement {
        Replacement {
            before: Vec::new(),
            last: last.into(),
        }
    }
}

type Pattern = fn(&Graph, &Links, &NodeProto) -> Option<Replacement>;

/// Every pattern in the order in which they build on one another.
const PATTERNS: [(&str, Pattern); 15] = [
    ("GroupNorm", group_norm::standard),
    ("GroupNorm", group_norm::by_instances),
    ("Silu", silu::silu),
    ("Gelu", gelu::standard),
    ("Gelu", gelu::decomposed),
    ("RmsNorm", rms_norm::decomposed),
    ("GroupNormModulateSilu", group_norm::modulated),
    ("GroupNormSilu", group_norm::activated),
    ("parts of packed rows", attention_packed::part),
    ("Attention", attention::standard),
    ("Attention", attention::by_rows),
    ("Attention", attention::decomposed),
    ("Attention of one head", attention_alone::of_rows),
    ("Attention of one head", attention_alone::of_columns),
    ("Attention of heads of channels", attention_alone::of_heads),
];

/// Applies every pattern.
pub fn fuse(graph: &mut Graph) {
    for (name, pattern) in PATTERNS {
        let count = apply(graph, pattern);
        log::debug!("{}: {count} × {name}", graph.file.display());
    }
}

/// Applies a pattern wherever it fits; returns how often.
pub(crate) fn apply(graph: &mut Graph, pattern: Pattern) -> usize {
    let links = Links::of(graph);
    let mut before = Vec::new();
    for index in 0..graph.nodes.len() {
        if let Some(replacement) = pattern(graph, &links, &graph.nodes[index]) {
            let nodes: Vec<NodeProto> = replacement.before.into_iter().map(|made| made.settle(graph)).collect();
            nodes.iter().for_each(|node| learn_shapes(graph, node));
            graph.nodes[index] = replacement.last.settle(graph);
            before.push((index, nodes));
        }
    }
    let count = before.len();
    for (index, nodes) in before.into_iter().rev() {
        graph.nodes.splice(index..index, nodes);
    }
    graph.sweep();
    count
}

/// The two operands in both orders.
pub(crate) fn both_ways(node: &NodeProto) -> Option<[(&str, &str); 2]> {
    let [a, b] = node.input.as_slice() else { return None };
    Some([(a, b), (b, a)])
}
