//! `MatMul` (with the `Add` of a bias) and `Gemm` → `QLinear`.

use inkstone::engine::operators::Q_LINEAR;
use tract_onnx::pb::NodeProto;

use super::rows::{Matrix, PANEL_DEPTH, PANEL_ROWS};
use super::scaling::{Axis, Factors, Read, by_channel, largest_of_each};
use super::{Kind, Quantized, constant_bias, finite, layer_name, parameter_names, with_parameters};
use crate::error::Result;
use crate::fuse::both_ways;
use crate::graph::{Graph, Links};
use crate::proto::{self, WithAttribute};
use crate::tensor::Constant;

/// A linear layer, in any of its forms.
struct Linear<'a> {
    /// The node that multiplies.
    product: &'a NodeProto,
    /// Whether the weights are `[outputs, inputs]`.
    by_output: bool,
    bias: Option<&'a str>,
}

/// What a product with a constant matrix reads, if it can be int8.
pub(super) fn read(graph: &Graph, links: &Links, node: &NodeProto) -> Option<Read> {
    let linear = recognize(graph, links, node)?;
    let (weight, [outputs, inputs]) = weights(graph, &linear)?;
    let weights = if linear.by_output {
        by_channel(weight, inputs)
    } else {
        largest_of_each(weight, outputs)
    };
    Some(Read {
        value: linear.product.input[0].clone(),
        axis: Axis::Last,
        weights,
    })
}

/// A product with a constant matrix becomes int8; others stay.
pub(super) fn quantize(graph: &Graph, links: &Links, factors: &Factors, node: &NodeProto) -> Result<Option<Quantized>> {
    let Some(linear) = recognize(graph, links, node) else {
        return Ok(None);
    };
    let Some((weight, [outputs, inputs])) = weights(graph, &linear) else {
        return Ok(None);
    };
    let Some(bias) = linear
        .bias
        .map(|bias| row(graph.constants.get(bias), outputs))
        .map_or(Some(None), |bias| bias.map(Some))
    else {
        return Ok(None);
    };
    let matrix = if linear.by_output {
        Matrix::new(weight, inputs)
    } else {
        Matrix::new(transposed(weight, outputs), inputs)
    };
    let name = layer_name(graph, linear.product, &linear.product.input[1], linear.bias);
    let [weight_name, scale_name, bias_name] = parameter_names(&name);
    let (x, matrix) = factors.apply(&linear.product.input[0], Axis::Last, matrix);
    let quantized = proto::our_node(&Q_LINEAR, &name, &[&x, &weight_name, &scale_name, &bias_name], &[&node.output[0]])
        .with_ints("mk", &[outputs as i64, inputs as i64])
        .with_ints("m8", &[outputs.next_multiple_of(PANEL_ROWS) as i64, inputs as i64]);
    let replaced = std::iter::once(linear.product.input[1].as_str())
        .chain(linear.bias)
        .map(str::to_owned)
        .collect();
    finite(
        graph,
        node,
        with_parameters(quantized, Kind::QLinear, vec![outputs, inputs], &matrix, bias, replaced),
    )
    .map(Some)
}

fn recognize<'a>(graph: &'a Graph, links: &Links, node: &'a NodeProto) -> Option<Linear<'a>> {
    if proto::is(node, "Gemm") {
        let plain = [("alpha", 1.0), ("beta", 1.0)]
            .iter()
            .all(|&(name, one)| proto::float(node, name).unwrap_or(one) == one);
        let bias = constant_bias(graph, node, 2).ok()?.and(proto::input(node, 2));
        let untransposed = proto::int(node, "transA").unwrap_or(0) == 0;
        return (plain && untransposed).then(|| Linear {
            product: node,
            by_output: proto::int(node, "transB") == Some(1),
            bias,
        });
    }
    if proto::is(node, "MatMul") {
        return Some(Linear {
            product: node,
            by_output: false,
            bias: None,
        })
        .filter(|_| !is_biased(graph, links, node));
    }
    let (product, bias) = added(graph, links, node)?;
    Some(Linear {
        product,
        by_output: false,
        bias: Some(bias),
    })
}

/// The product and the bias of `Add(MatMul, bias)`; the product must be read here alone.
fn added<'a>(graph: &'a Graph, links: &Links, add: &'a NodeProto) -> Option<(&'a NodeProto, &'a str)> {
    if !proto::is(add, "Add") {
        return None;
    }
    both_ways(add)?.into_iter().find_map(|(product, bias)| {
        let product = links.made_by(graph, product, "MatMul").filter(|_| links.read_once(product))?;
        let outputs = *graph.constant_input(product, 1)?.shape.last()?;
        row(graph.constants.get(bias), outputs).map(|_| (product, bias))
    })
}

/// Whether the Add after this product makes it a layer with a bias.
fn is_biased(graph: &Graph, links: &Links, product: &NodeProto) -> bool {
    let reads = |node: &&NodeProto| node.input.contains(&product.output[0]);
    graph
        .nodes
        .iter()
        .filter(reads)
        .any(|node| added(graph, links, node).is_some_and(|(found, _)| weights_fit(graph, found)))
}

fn weights_fit(graph: &Graph, product: &NodeProto) -> bool {
    weights(
        graph,
        &Linear {
            product,
            by_output: false,
            bias: None,
        },
    )
    .is_some()
}

/// The weights with the numbers of outputs and inputs.
fn weights<'a>(graph: &'a Graph, linear: &Linear<'_>) -> Option<(&'a [f32], [usize; 2])> {
    let constant = graph.constant_input(linear.product, 1)?;
    let &[first, second] = constant.shape.as_slice() else { return None };
    let [outputs, inputs] = if linear.by_output { [first, second] } else { [second, first] };
    let fits = inputs % PANEL_DEPTH == 0 && inputs > 0 && outputs > 0 && !graph.constants.contains_key(&linear.product.input[0]);
    Some((constant.floats().filter(|_| fits)?, [outputs, inputs]))
}

/// Values of a constant that is one row of `columns`.
fn row(constant: Option<&Constant>, columns: usize) -> Option<&[f32]> {
    let constant = constant.filter(|constant| constant.shape.last() == Some(&columns) && constant.len() == columns)?;
    constant.floats()
}

fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| values.iter().skip(column).step_by(columns).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Scheme;
    use crate::testing::{Builder, names};

    #[test]
    fn columns_become_rows() {
        assert_eq!(transposed(&[1., 2., 3., 4., 5., 6.], 3), [1., 4., 2., 5., 3., 6.]);
    }

    #[test]
    fn an_add_of_something_else_stays() {
        let builder = Builder::new(17)
            .input("x", &[2, 4])
            .input("z", &[2, 4])
            .output("y", &[2, 4])
            .filled("w", &[4, 4]);
        let mut graph = builder.node("MatMul", &["x", "w"], "p").node("Add", &["p", "z"], "y").graph();
        crate::layers::quantize(&mut graph, Scheme::W8a8, &[], &Default::default(), &mut |values| Ok(values.into())).unwrap();
        assert_eq!(names(&graph), ["QLinear", "Add"]);
    }

    #[test]
    fn scaled_gemm_stays() {
        let gemm = proto::node("Gemm", "g", &["x", "w"], &["y"]).with_float("alpha", 0.5);
        let mut graph = Builder::new(17)
            .input("x", &[2, 4])
            .output("y", &[2, 4])
            .filled("w", &[4, 4])
            .with(gemm)
            .graph();
        crate::layers::quantize(&mut graph, Scheme::W8a8, &[], &Default::default(), &mut |values| Ok(values.into())).unwrap();
        assert_eq!(names(&graph), ["Gemm"]);
    }
}
