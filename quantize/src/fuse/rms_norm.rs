//! Rows divided by the root of their mean square.

use inkstone::engine::operators::RMS_NORM;
use tract_onnx::pb::NodeProto;

use super::product::Product;
use super::{Made, Replacement, both_ways};
use crate::graph::{Graph, Links};
use crate::proto::{self, WithAttribute};
use crate::shapes;
use crate::tensor::Constant;

/// `x / √(mean x² + ε) · gain` over the last axis, however the root is inverted.
pub(super) fn decomposed(graph: &Graph, links: &Links, node: &NodeProto) -> Option<Replacement> {
    if !proto::is(node, "Mul") {
        return None;
    }
    let gained = |(normal, gain): (&str, &str)| {
        let (x, stable) = divided(graph, links, normal)?;
        Some((x.to_owned(), epsilon(graph, links, x, stable)?, gain.to_owned()))
    };
    let (x, epsilon, gain) = both_ways(node)?.into_iter().find_map(gained)?;
    let (gains, width) = (graph.constants.get(&gain)?, *graph.shape(&x)?.last()?);
    let values = gains
        .floats()
        .filter(|values| values.len() == width && gains.shape.last() == Some(&width))?;
    let node = proto::our_node(&RMS_NORM, &node.name, &[&x, &gain], &[&node.output[0]]).with_float("epsilon", epsilon);
    let constants = vec![(1, Constant::f32(&[width], values.to_vec()))];
    Some(Made { node, constants }.into())
}

/// For a quotient x/√s, x and s.
fn divided<'a>(graph: &'a Graph, links: &Links, value: &str) -> Option<(&'a str, &'a str)> {
    let root = |value: &str| Some(links.made_by(graph, value, "Sqrt")?.input[0].as_str());
    if let Some(quotient) = links.made_by(graph, value, "Div") {
        return Some((&quotient.input[0], root(&quotient.input[1])?));
    }
    let inverse_root = |value: &str| {
        if let Some(reciprocal) = links.made_by(graph, value, "Reciprocal") {
            return root(&reciprocal.input[0]);
        }
        if let Some(power) = links.made_by(graph, value, "Pow") {
            return (graph.scalar(&power.input[1]) == Some(-0.5)).then_some(power.input[0].as_str());
        }
        let quotient = links.made_by(graph, value, "Div")?;
        (graph.scalar(&quotient.input[0]) == Some(1.0)).then(|| root(&quotient.input[1]))?
    };
    let product = links.made_by(graph, value, "Mul")?;
    both_ways(product)?
        .into_iter()
        .find_map(|(x, inverse)| Some((x, inverse_root(inverse)?)))
}

/// ε of a sum of the mean square of x's rows and ε.
fn epsilon(graph: &Graph, links: &Links, x: &str, sum: &str) -> Option<f32> {
    let add = links.made_by(graph, sum, "Add")?;
    let (mean, epsilon) = both_ways(add)?
        .into_iter()
        .find_map(|(mean, epsilon)| Some((mean, graph.scalar(epsilon)?)))?;
    let mean = links.made_by(graph, mean, "ReduceMean")?;
    let &[axis] = proto::ints(mean, "axes")? else { return None };
    let rank = graph.shape(x)?.len();
    let last = shapes::axis(axis, rank)? + 1 == rank && proto::int(mean, "keepdims").unwrap_or(1) == 1;
    let Product { values, factor } = Product::of(graph, links, &mean.input[0]);
    (last && values == [x; 2] && factor == 1.0).then_some(epsilon)
}

#[cfg(test)]
mod tests {
    use crate::fuse::fuse;
    use crate::proto::{self, WithAttribute};
    use crate::testing::{Builder, names};

    /// A mean square of `x` over an axis, with what makes the square.
    fn stable(square: &str, axis: i64) -> Builder {
        let builder = Builder::new(17).input("x", &[2, 3, 4]).output("y", &[2, 3, 4]);
        let builder = builder
            .constant("gain", &[4], &[1.0, 2.0, 3.0, 4.0])
            .constant("half down", &[], &[-0.5]);
        let builder = builder
            .constant("small", &[], &[0.25])
            .constant("one", &[], &[1.0])
            .constant("two", &[], &[2.0]);
        let builder = match square {
            "power" => builder.node("Pow", &["x", "two"], "square"),
            _ => builder.node("Mul", &["x", "x"], "square"),
        };
        let mean = proto::node("ReduceMean", "mean", &["square"], &["mean"])
            .with_ints("axes", &[axis])
            .with_int("keepdims", 1);
        builder.with(mean).node("Add", &["mean", "small"], "stable")
    }

    fn fused(builder: Builder) -> (Vec<String>, Option<f32>) {
        let mut graph = builder.graph();
        fuse(&mut graph);
        assert_eq!(graph.nodes.last().unwrap().output, ["y"]);
        let epsilon = proto::float(graph.nodes.last().unwrap(), "epsilon");
        (names(&graph).into_iter().map(str::to_owned).collect(), epsilon)
    }

    #[test]
    fn every_way_to_invert_the_root() {
        let quotient = stable("product", -1)
            .node("Sqrt", &["stable"], "root")
            .node("Div", &["x", "root"], "normal");
        let reciprocal = stable("power", 2)
            .node("Sqrt", &["stable"], "root")
            .node("Reciprocal", &["root"], "inverse")
            .node("Mul", &["inverse", "x"], "normal");
        let one_over = stable("product", -1)
            .node("Sqrt", &["stable"], "root")
            .node("Div", &["one", "root"], "inverse")
            .node("Mul", &["x", "inverse"], "normal");
        let power = stable("power", -1)
            .node("Pow", &["stable", "half down"], "inverse")
            .node("Mul", &["x", "inverse"], "normal");
        for builder in [quotient, reciprocal, one_over, power] {
            let (names, epsilon) = fused(builder.node("Mul", &["gain", "normal"], "y"));
            assert_eq!(names, ["RmsNorm"]);
            assert_eq!(epsilon, Some(0.25));
        }
    }

    #[test]
    fn other_axes_and_other_values_stay() {
        let other_axis = stable("product", 1)
            .node("Sqrt", &["stable"], "root")
            .node("Div", &["x", "root"], "normal");
        let (names, _) = fused(other_axis.node("Mul", &["normal", "gain"], "y"));
        assert!(names.contains(&"Sqrt".to_owned()));
        let other_value = stable("product", -1).input("z", &[2, 3, 4]);
        let other_value = other_value.node("Sqrt", &["stable"], "root").node("Div", &["z", "root"], "normal");
        let (names, _) = fused(other_value.node("Mul", &["normal", "gain"], "y"));
        assert!(names.contains(&"Sqrt".to_owned()));
    }
}
