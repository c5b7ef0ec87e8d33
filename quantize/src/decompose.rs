//! Decomposes operators that are newer than [`OPSET`](crate::proto::OPSET) into several nodes of older ones.

use tract_onnx::pb::NodeProto;

use crate::error::Result;
use crate::fold::learn_shapes;
use crate::graph::Graph;
use crate::proto::{self, WithAttribute};
use crate::shapes;
use crate::tensor::Constant;

/// Several nodes that take the place of one.
pub(crate) struct Decomposition<'a> {
    graph: &'a mut Graph,
    node: &'a NodeProto,
    made: Vec<NodeProto>,
}

impl<'a> Decomposition<'a> {
    pub(crate) fn new(graph: &'a mut Graph, node: &'a NodeProto) -> Decomposition<'a> {
        let made = Vec::new();
        Decomposition { graph, node, made }
    }

    fn input(&self) -> &'a str {
        &self.node.input[0]
    }

    fn scalar(&mut self, value: f32) -> String {
        self.graph.add_constant(&value.to_string(), Constant::f32(&[], vec![value]))
    }

    /// An intermediate value, named after what it is.
    fn step(&mut self, what: &str, operator: &str, inputs: &[&str]) -> String {
        self.push(what, proto::node(operator, "", inputs, &[]))
    }

    fn push(&mut self, what: &str, mut node: NodeProto) -> String {
        let value = self.graph.free_value(&format!("{}.{what}", self.node.output[0]));
        node.name = format!("{}.{what}", self.node.name);
        node.output = vec![value.clone()];
        learn_shapes(self.graph, &node);
        self.made.push(node);
        value
    }

    /// All nodes, with the one that makes the output.
    fn end(mut self, operator: &str, inputs: &[&str]) -> Vec<NodeProto> {
        self.made
            .push(proto::node(operator, &self.node.name, inputs, &[&self.node.output[0]]));
        self.made
    }
}

/// `x · tanh(softplus(x))` (Misra, arXiv 1908.08681).
pub(crate) fn mish(mut decomposition: Decomposition) -> Result<Vec<NodeProto>> {
    let x = decomposition.input();
    let soft = decomposition.step("softplus", "Softplus", &[x]);
    let gate = decomposition.step("tanh", "Tanh", &[&soft]);
    Ok(decomposition.end("Mul", &[x, &gate]))
}

/// `x / √(mean x² + ε) · gain` over the axes from `axis` on (Zhang and Sennrich, arXiv 1910.07467).
pub(crate) fn root_mean_square(mut decomposition: Decomposition) -> Result<Vec<NodeProto>> {
    let (x, node) = (decomposition.input(), decomposition.node);
    let first = proto::int(node, "axis").unwrap_or(-1);
    let rank = decomposition.graph.shape(x).map(<[usize]>::len);
    let axes: Vec<i64> = match rank.and_then(|rank| Some((shapes::axis(first, rank)?, rank))) {
        Some((first, rank)) => (first as i64..rank as i64).collect(),
        None if first == -1 => vec![-1],
        None => {
            return Err(decomposition.graph.error(
                node,
                "attribute `axis` needs an input of known shape: export the model with operator set 17",
            ));
        }
    };
    let square = decomposition.step("square", "Mul", &[x, x]);
    let mean = proto::node("ReduceMean", "", &[&square], &[])
        .with_ints("axes", &axes)
        .with_int("keepdims", 1);
    let mean = decomposition.push("mean", mean);
    let epsilon = decomposition.scalar(proto::float(node, "epsilon").unwrap_or(1e-5));
    let stable = decomposition.step("stable", "Add", &[&mean, &epsilon]);
    let root = decomposition.step("root", "Sqrt", &[&stable]);
    let normal = decomposition.step("normal", "Div", &[x, &root]);
    Ok(decomposition.end("Mul", &[&normal, &node.input[1]]))
}

#[cfg(test)]
mod tests {
    use crate::downgrade::{check, downgrade};
    use crate::graph::Graph;
    use crate::proto::{self, WithAttribute};
    use crate::testing::{Builder, names};

    fn decomposed(operator: &str, about: impl Fn(tract_onnx::pb::NodeProto) -> tract_onnx::pb::NodeProto) -> Graph {
        let node = about(proto::node(operator, "newer", &["x", "gain"], &["y"]));
        let builder = Builder::new(23)
            .input("x", &[2, 3, 4])
            .output("y", &[2, 3, 4])
            .constant("gain", &[4], &[1.0; 4]);
        let mut graph = builder.with(node).graph();
        downgrade(&mut graph).unwrap();
        check(&graph).unwrap();
        assert_eq!(graph.nodes.last().unwrap().output, ["y"]);
        graph
    }

    #[test]
    fn mish_is_a_gate() {
        assert_eq!(names(&decomposed("Mish", |node| node)), ["Softplus", "Tanh", "Mul"]);
    }

    #[test]
    fn root_mean_squares_over_the_last_axes() {
        let graph = decomposed("RMSNormalization", |node| node.with_int("axis", 1).with_float("epsilon", 0.5));
        assert_eq!(names(&graph), ["Mul", "ReduceMean", "Add", "Sqrt", "Div", "Mul"]);
        assert_eq!(proto::ints(&graph.nodes[1], "axes"), Some(&[1, 2][..]));
        assert_eq!(graph.shape(&graph.nodes[1].output[0]), Some(&[2, 1, 1][..]));
        assert_eq!(graph.constants[&graph.nodes[2].input[1]].scalar(), Some(0.5));
    }

    #[test]
    fn two_of_a_kind_share_their_constants_and_no_values() {
        let mut builder = Builder::new(23)
            .input("x", &[2])
            .output("y", &[2])
            .constant("gain", &[2], &[1.0, 2.0]);
        for (from, to) in [("x", "h"), ("h", "y")] {
            builder = builder.node("RMSNormalization", &[from, "gain"], to);
        }
        let mut graph = builder.graph();
        downgrade(&mut graph).unwrap();
        assert_eq!((graph.nodes.len(), graph.constants.len()), (12, 2));
        let mut made: Vec<&String> = graph.nodes.iter().flat_map(|node| &node.output).collect();
        made.sort();
        made.dedup();
        assert_eq!(made.len(), 12);
    }
}
