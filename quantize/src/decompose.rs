//! Decomposes operators that are newer than [`OPSET`](crate::proto::OPSET), and activations that few models have, into several nodes of
//! others, and sums of products into matrix products.

use tract_onnx::pb::NodeProto;

use crate::equation::Equation;
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

    /// A value with its axes in this order.
    fn reordered(&mut self, what: &str, value: &str, order: &[i64]) -> String {
        if is_in_order(order) {
            return value.to_owned();
        }
        self.push(what, proto::node("Transpose", "", &[value], &[]).with_ints("perm", order))
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

/// `scale · Elu(x)` (Klambauer et al., arXiv 1706.02515).
pub(crate) fn selu(mut decomposition: Decomposition) -> Result<Vec<NodeProto>> {
    let (x, node) = (decomposition.input(), decomposition.node);
    let alpha = proto::float(node, "alpha").unwrap_or(1.673_263_2);
    let scale = decomposition.scalar(proto::float(node, "gamma").unwrap_or(1.050_701));
    let elu = decomposition.push("elu", proto::node("Elu", "", &[x], &[]).with_float("alpha", alpha));
    Ok(decomposition.end("Mul", &[&elu, &scale]))
}

/// `α · Elu(x / α)` (Barron, arXiv 1704.07483).
pub(crate) fn celu(mut decomposition: Decomposition) -> Result<Vec<NodeProto>> {
    let (x, node) = (decomposition.input(), decomposition.node);
    let alpha = decomposition.scalar(proto::float(node, "alpha").unwrap_or(1.0));
    let scaled = decomposition.step("scaled", "Div", &[x, &alpha]);
    let elu = decomposition.push("elu", proto::node("Elu", "", &[&scaled], &[]).with_float("alpha", 1.0));
    Ok(decomposition.end("Mul", &[&elu, &alpha]))
}

/// `x / (1 + |x|)`.
pub(crate) fn softsign(mut decomposition: Decomposition) -> Result<Vec<NodeProto>> {
    let x = decomposition.input();
    let one = decomposition.scalar(1.0);
    let magnitude = decomposition.step("magnitude", "Abs", &[x]);
    let divisor = decomposition.step("divisor", "Add", &[&magnitude, &one]);
    Ok(decomposition.end("Div", &[x, &divisor]))
}

/// `x` above the threshold, and 0 below.
pub(crate) fn thresholded_relu(mut decomposition: Decomposition) -> Result<Vec<NodeProto>> {
    let (x, node) = (decomposition.input(), decomposition.node);
    let threshold = decomposition.scalar(proto::float(node, "alpha").unwrap_or(1.0));
    let zero = decomposition.scalar(0.0);
    let above = decomposition.step("above", "Greater", &[x, &threshold]);
    Ok(decomposition.end("Where", &[&above, x, &zero]))
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

/// A product of two matrices, or of lists of them, in any order of their axes: as a MatMul that Transposes surround, so that
/// attention is found in it. Other sums stay.
pub(crate) fn einsum(mut decomposition: Decomposition) -> Result<Vec<NodeProto>> {
    let node = decomposition.node;
    let Some(product) = Equation::of(node).and_then(|equation| Product::of(&equation)) else {
        return Ok(vec![node.clone()]);
    };
    let operands: Vec<String> = [("left", &product.left), ("right", &product.right)]
        .into_iter()
        .zip(&node.input)
        .map(|((what, order), value)| decomposition.reordered(what, value, order))
        .collect();
    let is_last = is_in_order(&product.output);
    if is_last {
        return Ok(decomposition.end("MatMul", &[&operands[0], &operands[1]]));
    }
    let made = decomposition.step("product", "MatMul", &[&operands[0], &operands[1]]);
    let mut nodes = decomposition.end("Transpose", &[&made]);
    if let Some(last) = nodes.pop() {
        nodes.push(last.with_ints("perm", &product.output));
    }
    Ok(nodes)
}

/// An Einsum as one MatMul: the orders of the axes of its operands before it and of its result after it.
struct Product {
    left: Vec<i64>,
    right: Vec<i64>,
    output: Vec<i64>,
}

impl Product {
    fn of(equation: &Equation) -> Option<Product> {
        let [left, right] = equation.operands.as_slice() else { return None };
        let output = &equation.output;
        let (mut batch, mut inner, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for &label in left {
            let place = match (right.contains(&label), output.contains(&label)) {
                (true, true) => &mut batch,
                (true, false) => &mut inner,
                (false, true) => &mut rows,
                (false, false) => return None,
            };
            place.push(label);
        }
        let columns: Vec<char> = right.iter().copied().filter(|label| !left.contains(label)).collect();
        if [&inner, &rows, &columns].iter().any(|labels| labels.len() != 1) {
            return None;
        }
        let order = |from: &[char], to: [&[char]; 3]| -> Option<Vec<i64>> {
            let to = to.concat();
            let places = to
                .iter()
                .map(|label| from.iter().position(|other| other == label).map(|place| place as i64));
            (to.len() == from.len()).then(|| places.collect())?
        };
        let product = [batch.as_slice(), &rows, &columns].concat();
        Some(Product {
            left: order(left, [&batch, &rows, &inner])?,
            right: order(right, [&batch, &inner, &columns])?,
            output: order(&product, [output, &[], &[]])?,
        })
    }
}

fn is_in_order(order: &[i64]) -> bool {
    order.iter().enumerate().all(|(index, &place)| place == index as i64)
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
    fn rare_activations_are_made_of_others() {
        for (operator, made) in [
            ("Selu", &["Elu", "Mul"][..]),
            ("Celu", &["Div", "Elu", "Mul"]),
            ("Softsign", &["Abs", "Add", "Div"]),
            ("ThresholdedRelu", &["Greater", "Where"]),
        ] {
            assert_eq!(names(&decomposed(operator, |node| node)), made);
        }
        let celu = decomposed("Celu", |node| node.with_float("alpha", 0.5));
        assert_eq!(celu.constants[&celu.nodes[0].input[1]].scalar(), Some(0.5));
        assert_eq!(proto::float(&celu.nodes[1], "alpha"), Some(1.0));
        let selu = decomposed("Selu", |node| node.with_float("alpha", 2.0).with_float("gamma", 3.0));
        assert_eq!(proto::float(&selu.nodes[0], "alpha"), Some(2.0));
        assert_eq!(selu.constants[&selu.nodes[1].input[1]].scalar(), Some(3.0));
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
    fn sums_of_products_are_matrix_products() {
        let einsum = |equation: &str, shapes: [&[i64]; 3]| {
            let mut node = proto::node("Einsum", "sum", &["a", "b"], &["y"]);
            node.attribute.push(tract_onnx::pb::AttributeProto {
                name: "equation".into(),
                s: equation.as_bytes().to_vec(),
                ..Default::default()
            });
            let [a, b, y] = shapes;
            let mut graph = Builder::new(18).input("a", a).input("b", b).output("y", y).with(node).graph();
            crate::fold::fold(&mut graph).unwrap();
            let inferred = graph
                .shape("y")
                .map(|shape| shape.iter().map(|&size| size as i64).collect::<Vec<_>>());
            assert_eq!(inferred.as_deref(), Some(y), "{equation}");
            downgrade(&mut graph).unwrap();
            check(&graph).unwrap();
            graph
        };
        let scores = einsum("bct, bcs -> bts", [&[2, 8, 5], &[2, 8, 6], &[2, 5, 6]]);
        assert_eq!(names(&scores), ["Transpose", "MatMul"]);
        let mixed = einsum("bts,bcs->bct", [&[2, 5, 6], &[2, 8, 6], &[2, 8, 5]]);
        assert_eq!(names(&mixed), ["Transpose", "MatMul", "Transpose"]);
        assert_eq!(proto::ints(&mixed.nodes[0], "perm"), Some(&[0, 2, 1][..]));
        assert_eq!(names(&einsum("ij,jk->ik", [&[2, 3], &[3, 4], &[2, 4]])), ["MatMul"]);
        assert_eq!(names(&einsum("ij,j->i", [&[2, 3], &[3], &[2]])), ["Einsum"]);
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
