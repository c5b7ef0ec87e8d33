//! Finds what exports spell out in many nodes and replaces it by one node of our domain.
//!
//! A pattern looks at the last node of what it replaces. The replacement makes the same values, so nodes that something
//! else still reads simply stay.

mod attention;
mod group_norm;
mod silu;

use tract_onnx::pb::NodeProto;

use crate::graph::{Graph, Links};
use crate::tensor::Constant;

/// What takes a node's place.
#[derive(Debug)]
pub(crate) struct Replacement {
    /// Makes the same outputs.
    pub node: NodeProto,
    /// Constants that it reads, by the input's number.
    pub constants: Vec<(usize, Constant)>,
}

impl From<NodeProto> for Replacement {
    fn from(node: NodeProto) -> Replacement {
        Replacement {
            node,
            constants: Vec::new(),
        }
    }
}

type Pattern = fn(&Graph, &Links, &NodeProto) -> Option<Replacement>;

/// Every pattern in the order in which they build on one another.
const PATTERNS: [(&str, Pattern); 8] = [
    ("GroupNorm", group_norm::standard),
    ("GroupNorm", group_norm::by_instances),
    ("Silu", silu::silu),
    ("GroupNormModulateSilu", group_norm::modulated),
    ("GroupNormSilu", group_norm::activated),
    ("Attention", attention::standard),
    ("Attention", attention::by_rows),
    ("Attention", attention::spelled_out),
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
    let mut count = 0;
    for index in 0..graph.nodes.len() {
        if let Some(Replacement { mut node, constants }) = pattern(graph, &links, &graph.nodes[index]) {
            for (input, constant) in constants {
                node.input[input] = graph.add_constant(&node.input[input], constant);
            }
            graph.nodes[index] = node;
            count += 1;
        }
    }
    graph.sweep();
    count
}

/// The two operands in both orders.
pub(crate) fn both_ways(node: &NodeProto) -> Option<[(&str, &str); 2]> {
    let [a, b] = node.input.as_slice() else { return None };
    Some([(a, b), (b, a)])
}
