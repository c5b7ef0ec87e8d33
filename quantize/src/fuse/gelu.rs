//! `Gelu` and its form with a hyperbolic tangent.

use inkstone::engine::operators::{GELU, GELU_TANH, Schema};
use tract_onnx::pb::NodeProto;

use super::product::Product;
use super::{Replacement, both_ways};
use crate::graph::{Graph, Links};
use crate::proto;

/// Largest relative error of a constant.
const CLOSE: f32 = 1e-3;

/// The operator of set 20.
pub(super) fn standard(_: &Graph, _: &Links, node: &NodeProto) -> Option<Replacement> {
    let operator = match proto::string(node, "approximate") {
        Some("tanh") => &GELU_TANH,
        None | Some("none") => &GELU,
        Some(_) => return None,
    };
    proto::is(node, "Gelu").then(|| proto::our_node(operator, &node.name, &[&node.input[0]], &[&node.output[0]]).into())
}

/// x · ½ · (1 + erf(x/√2)) or x · ½ · (1 + tanh(√(2/π)·(x + 0.044715·x³))), multiplied in any order.
pub(super) fn decomposed(graph: &Graph, links: &Links, node: &NodeProto) -> Option<Replacement> {
    if !proto::is(node, "Mul") {
        return None;
    }
    let product = Product::of(graph, links, &node.output[0]);
    let &[one, other] = product.values.as_slice() else { return None };
    let half = is_close(product.factor, 0.5);
    let (x, operator) = [(one, other), (other, one)]
        .into_iter()
        .filter(|_| half)
        .find_map(|(x, gate)| Some((x, gated(graph, links, x, gate)?)))?;
    Some(proto::our_node(operator, &node.name, &[x], &[&node.output[0]]).into())
}

/// Which function's gate `1 + …` of x a value is.
fn gated(graph: &Graph, links: &Links, x: &str, value: &str) -> Option<&'static Schema> {
    let add = links.made_by(graph, value, "Add")?;
    let (gate, _) = both_ways(add)?
        .into_iter()
        .find(|(_, one)| graph.scalar(one).is_some_and(|one| is_close(one, 1.0)))?;
    let argument = |operator| Some(Product::of(graph, links, &links.made_by(graph, gate, operator)?.input[0]));
    if let Some(Product { values, factor }) = argument("Erf") {
        return (values == [x] && is_close(factor, std::f32::consts::FRAC_1_SQRT_2)).then_some(&GELU);
    }
    let Product { values, factor } = argument("Tanh")?;
    let &[sum] = values.as_slice() else { return None };
    let bent = is_close(factor, (2.0 / std::f32::consts::PI).sqrt()) && is_bent(graph, links, x, sum);
    bent.then_some(&GELU_TANH)
}

/// Whether a value is x + 0.044715·x³.
fn is_bent(graph: &Graph, links: &Links, x: &str, sum: &str) -> bool {
    let cube = |value: &str| {
        let Product { values, factor } = Product::of(graph, links, value);
        is_close(factor, 0.044_715) && values == [x; 3]
    };
    let terms = links.made_by(graph, sum, "Add").and_then(both_ways);
    terms.is_some_and(|ways| ways.into_iter().any(|(linear, bend)| linear == x && cube(bend)))
}

fn is_close(value: f32, wanted: f32) -> bool {
    (value - wanted).abs() <= CLOSE * wanted.abs()
}

#[cfg(test)]
mod tests {
    use crate::fuse::fuse;
    use crate::testing::{Builder, names};

    fn builder() -> Builder {
        let mut builder = Builder::new(17).input("x", &[2, 3]).output("y", &[2, 3]);
        for (name, value) in [
            ("one", 1.0),
            ("half", 0.5),
            ("root2", std::f32::consts::SQRT_2),
            ("inverse", std::f32::consts::FRAC_1_SQRT_2),
        ] {
            builder = builder.constant(name, &[], &[value]);
        }
        for (name, value) in [("small", 0.044_715), ("factor", 0.797_884_6), ("three", 3.0), ("two", 2.0)] {
            builder = builder.constant(name, &[], &[value]);
        }
        builder
    }

    fn fused(builder: Builder) -> Vec<String> {
        let mut graph = builder.graph();
        fuse(&mut graph);
        assert_eq!(graph.nodes.last().unwrap().output, ["y"]);
        names(&graph).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn by_the_error_function_in_two_spellings() {
        let divided = builder()
            .node("Div", &["x", "root2"], "s")
            .node("Erf", &["s"], "e")
            .node("Add", &["e", "one"], "o");
        let last = divided.node("Mul", &["x", "o"], "p").node("Mul", &["p", "half"], "y");
        assert_eq!(fused(last), ["Gelu"]);
        let multiplied = builder()
            .node("Mul", &["x", "inverse"], "s")
            .node("Erf", &["s"], "e")
            .node("Add", &["one", "e"], "o");
        let first = multiplied.node("Mul", &["half", "x"], "h").node("Mul", &["h", "o"], "y");
        assert_eq!(fused(first), ["Gelu"]);
    }

    #[test]
    fn by_the_tangent_with_a_power_and_with_products() {
        for power in [true, false] {
            let cubed = match power {
                true => builder().node("Pow", &["x", "three"], "c"),
                false => builder().node("Mul", &["x", "x"], "q").node("Mul", &["q", "x"], "c"),
            };
            let sum = cubed.node("Mul", &["c", "small"], "b").node("Add", &["x", "b"], "s");
            let gate = sum
                .node("Mul", &["s", "factor"], "a")
                .node("Tanh", &["a"], "t")
                .node("Add", &["t", "one"], "o");
            let whole = gate.node("Mul", &["x", "half"], "h").node("Mul", &["h", "o"], "y");
            assert_eq!(fused(whole), ["GeluTanh"]);
        }
    }

    #[test]
    fn other_gates_stay() {
        // Of another value, with another factor, without the half.
        let gate = |input: &str, factor: &str| {
            let gate = builder()
                .input("z", &[2, 3])
                .node("Mul", &[input, factor], "s")
                .node("Erf", &["s"], "e");
            gate.node("Add", &["e", "one"], "o").node("Mul", &["x", "o"], "p")
        };
        assert!(fused(gate("z", "inverse").node("Mul", &["p", "half"], "y")).contains(&"Erf".to_owned()));
        assert!(fused(gate("x", "half").node("Mul", &["p", "half"], "y")).contains(&"Erf".to_owned()));
        assert!(fused(gate("x", "inverse").node("Mul", &["p", "one"], "y")).contains(&"Erf".to_owned()));
    }

    #[test]
    fn the_standard_operator() {
        assert_eq!(
            fused(Builder::new(20).input("x", &[2]).output("y", &[2]).node("Gelu", &["x"], "y")),
            ["Gelu"]
        );
    }
}
