//! `x · sigmoid(x)`.

use inkstone::engine::operators::SILU;
use tract_onnx::pb::NodeProto;

use super::{Replacement, both_ways};
use crate::graph::{Graph, Links};
use crate::proto;

/// `Mul(x, Sigmoid(x))` → `Silu(x)`.
pub(super) fn silu(graph: &Graph, links: &Links, node: &NodeProto) -> Option<Replacement> {
    if !proto::is(node, "Mul") {
        return None;
    }
    let is_gate = |&(x, gate): &(&str, &str)| links.made_by(graph, gate, "Sigmoid").is_some_and(|sigmoid| sigmoid.input[0] == x);
    let (x, _) = both_ways(node)?.into_iter().find(is_gate)?;
    Some(proto::our_node(&SILU, &node.name, &[x], &[&node.output[0]]).into())
}

#[cfg(test)]
mod tests {
    use crate::fuse::fuse;
    use crate::testing::{Builder, names};

    #[test]
    fn either_order_is_found() {
        for operands in [["x", "gate"], ["gate", "x"]] {
            let builder = Builder::new(17).input("x", &[2]).output("y", &[2]);
            let mut graph = builder.node("Sigmoid", &["x"], "gate").node("Mul", &operands, "y").graph();
            fuse(&mut graph);
            assert_eq!(names(&graph), ["Silu"]);
            assert_eq!(
                (&graph.nodes[0].input[0], &graph.nodes[0].output[0]),
                (&"x".to_owned(), &"y".to_owned())
            );
        }
    }

    #[test]
    fn gates_of_something_else_stay() {
        let builder = Builder::new(17).input("x", &[2]).input("z", &[2]).output("y", &[2]);
        let mut graph = builder.node("Sigmoid", &["z"], "gate").node("Mul", &["x", "gate"], "y").graph();
        fuse(&mut graph);
        assert_eq!(names(&graph), ["Sigmoid", "Mul"]);
    }
}
