//! Group normalization, alone and with the activation or modulation that follows it.

use inkstone::engine::operators::{GROUP_NORM, GROUP_NORM_MODULATE_SILU, GROUP_NORM_SILU, SILU};
use tract_onnx::pb::NodeProto;

use super::{Made, Replacement, both_ways};
use crate::graph::{Graph, Links};
use crate::proto::{self, WithAttribute};
use crate::tensor::Constant;

const EPSILON: f32 = 1e-5;

/// The standard `GroupNormalization`: gain and bias by channel since operator set 21, by group before.
pub(super) fn standard(graph: &Graph, _: &Links, node: &NodeProto) -> Option<Replacement> {
    if !proto::is(node, "GroupNormalization") {
        return None;
    }
    let groups = usize::try_from(proto::int(node, "num_groups")?).ok()?;
    let x = proto::input(node, 0)?;
    let channels = *graph.shape(x)?.get(1)?;
    let each = if graph.opset < 21 { channels.checked_div(groups)? } else { 1 };
    let spread = |index| Some(repeat(graph.constant_input(node, index)?.floats()?, each));
    let parameters = Parameters {
        x,
        groups,
        epsilon: proto::float(node, "epsilon").unwrap_or(EPSILON),
        gain: spread(1)?,
        bias: spread(2)?,
    };
    parameters.norm(graph, node, channels, proto::input(node, 1), proto::input(node, 2))
}

/// Reshape → InstanceNormalization → Reshape → Mul → Add, as exports before operator set 21 write it.
pub(super) fn by_instances(graph: &Graph, links: &Links, node: &NodeProto) -> Option<Replacement> {
    let (scaled, bias) = with_constant(graph, node, "Add")?;
    let (back, gain) = with_constant(graph, links.made_by(graph, scaled, "Mul")?, "Mul")?;
    let normal = &links.made_by(graph, back, "Reshape")?.input[0];
    let instances = links.made_by(graph, normal, "InstanceNormalization")?;
    let x = links.made_by(graph, &instances.input[0], "Reshape")?.input[0].as_str();
    let (shape, grouped) = (graph.shape(x)?, graph.shape(&instances.input[0])?);
    let (&[batch, channels, ..], &[grouped_batch, groups, _]) = (shape, grouped) else {
        return None;
    };
    if batch != grouped_batch || graph.shape(back)? != shape || groups == 0 || !channels.is_multiple_of(groups) {
        return None;
    }
    let inner = |index| Some(repeat(graph.constant_input(instances, index)?.floats()?, channels / groups));
    let (inner_gain, inner_bias) = (inner(1)?, inner(2)?);
    let (outer_gain, outer_bias) = (
        by_channel(&graph.constants[gain], shape)?,
        by_channel(&graph.constants[bias], shape)?,
    );
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<f32>>();
    let bias_values = product(&inner_bias, outer_gain)
        .iter()
        .zip(outer_bias)
        .map(|(a, b)| a + b)
        .collect();
    let epsilon = proto::float(instances, "epsilon").unwrap_or(EPSILON);
    let parameters = Parameters {
        x,
        groups,
        epsilon,
        gain: product(&inner_gain, outer_gain),
        bias: bias_values,
    };
    let origin = |name: &str| graph.constants[name].origin.clone().unwrap_or_else(|| name.to_owned());
    parameters.norm(graph, node, channels, Some(&origin(gain)), Some(&origin(bias)))
}

struct Parameters<'a> {
    x: &'a str,
    groups: usize,
    epsilon: f32,
    gain: Vec<f32>,
    bias: Vec<f32>,
}

impl Parameters<'_> {
    fn norm(self, graph: &Graph, node: &NodeProto, channels: usize, gain: Option<&str>, bias: Option<&str>) -> Option<Replacement> {
        let fits = self.gain.len() == channels && self.bias.len() == channels && self.groups > 0 && channels.is_multiple_of(self.groups);
        if !fits || graph.shape(self.x)?.len() < 3 {
            return None;
        }
        let groups = i64::try_from(self.groups).ok()?;
        let node = proto::our_node(&GROUP_NORM, &node.name, &[self.x, gain?, bias?], &[&node.output[0]])
            .with_int("groups", groups)
            .with_float("epsilon", self.epsilon);
        let constants = vec![
            (1, Constant::f32(&[channels], self.gain)),
            (2, Constant::f32(&[channels], self.bias)),
        ];
        Some(Made { node, constants }.into())
    }
}

fn repeat(values: &[f32], each: usize) -> Vec<f32> {
    values.iter().flat_map(|&value| std::iter::repeat_n(value, each)).collect()
}

/// The variable operand and the name of the constant one.
fn with_constant<'a>(graph: &Graph, node: &'a NodeProto, operator: &str) -> Option<(&'a str, &'a str)> {
    if !proto::is(node, operator) {
        return None;
    }
    both_ways(node)?
        .into_iter()
        .find(|&(variable, constant)| graph.constants.contains_key(constant) && !graph.constants.contains_key(variable))
}

/// Values of a constant that varies along the channel axis of `shape` only.
fn by_channel<'a>(constant: &'a Constant, shape: &[usize]) -> Option<&'a [f32]> {
    let mut wanted = vec![1; shape.len()];
    wanted[1] = shape[1];
    let fits = constant.shape == wanted || constant.shape == wanted[1..];
    constant.floats().filter(|_| fits)
}

/// A GroupNorm that only this value's reader reads.
fn norm<'a>(graph: &'a Graph, links: &Links, value: &str) -> Option<&'a NodeProto> {
    links
        .producer(graph, value)
        .filter(|node| proto::is_ours(node, &GROUP_NORM) && links.read_once(value))
}

/// GroupNorm → Silu.
pub(super) fn activated(graph: &Graph, links: &Links, node: &NodeProto) -> Option<Replacement> {
    if !proto::is_ours(node, &SILU) {
        return None;
    }
    let norm = norm(graph, links, &node.input[0])?;
    let fused = NodeProto {
        op_type: GROUP_NORM_SILU.name.to_owned(),
        output: node.output.clone(),
        ..norm.clone()
    };
    Some(fused.into())
}

/// GroupNorm → Mul by 1 + scale → Add shift → Silu, with scale and shift `[1, C, 1, 1]`.
pub(super) fn modulated(graph: &Graph, links: &Links, node: &NodeProto) -> Option<Replacement> {
    if !proto::is_ours(node, &SILU) || !links.read_once(&node.input[0]) {
        return None;
    }
    let add = links.made_by(graph, &node.input[0], "Add")?;
    both_ways(add)?.into_iter().find_map(|(product, shift)| {
        let mul = links.made_by(graph, product, "Mul").filter(|_| links.read_once(product))?;
        both_ways(mul)?.into_iter().find_map(|(normal, factor)| {
            let norm = norm(graph, links, normal)?;
            let scale = one_plus(graph, links, factor)?;
            let channels = *graph.shape(&norm.input[0])?.get(1)?;
            let wanted = [1, channels, 1, 1];
            if graph.shape(scale)? != wanted || graph.shape(shift)? != wanted {
                return None;
            }
            let mut fused = NodeProto {
                op_type: GROUP_NORM_MODULATE_SILU.name.to_owned(),
                output: node.output.clone(),
                ..norm.clone()
            };
            fused.input.extend([scale.to_owned(), shift.to_owned()]);
            Some(fused.into())
        })
    })
}

/// The `scale` of `1 + scale`.
fn one_plus<'a>(graph: &'a Graph, links: &Links, value: &str) -> Option<&'a str> {
    let add = links.made_by(graph, value, "Add")?;
    let is_one = |name: &str| graph.scalar(name) == Some(1.0);
    both_ways(add)?.into_iter().find(|&(_, one)| is_one(one)).map(|(scale, _)| scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuse::fuse;
    use crate::testing::{Builder, names};

    fn norm_node(opset: i64, parameters: usize) -> Builder {
        let norm = proto::node("GroupNormalization", "norm", &["x", "norm.weight", "norm.bias"], &["n"]);
        let shape = [parameters as i64];
        let builder = Builder::new(opset)
            .input("x", &[1, 8, 4, 4])
            .filled("norm.weight", &shape)
            .filled("norm.bias", &shape);
        builder.with(norm.with_int("num_groups", 2).with_float("epsilon", 1e-5))
    }

    #[test]
    fn standard_norms_and_their_activation() {
        let builder = norm_node(21, 8).output("y", &[1, 8, 4, 4]);
        let mut graph = builder.node("Sigmoid", &["n"], "s").node("Mul", &["n", "s"], "y").graph();
        fuse(&mut graph);
        assert_eq!(names(&graph), ["GroupNormSilu"]);
        assert_eq!(graph.nodes[0].input, ["x", "norm.weight", "norm.bias"]);
        assert_eq!(proto::int(&graph.nodes[0], "groups"), Some(2));
    }

    #[test]
    fn parameters_by_group_are_spread() {
        let mut graph = norm_node(18, 2).output("y", &[1, 8, 4, 4]).node("Neg", &["n"], "y").graph();
        fuse(&mut graph);
        assert_eq!(names(&graph), ["GroupNorm", "Neg"]);
        let gain = graph.constant_input(&graph.nodes[0], 1).unwrap().floats().unwrap();
        assert_eq!(gain, [-1.0, -1.0, -1.0, -1.0, -0.26, -0.26, -0.26, -0.26]);
    }

    #[test]
    fn instance_norms_become_group_norms() {
        let mut builder = Builder::new(17)
            .input("x", &[1, 8, 4, 4])
            .output("y", &[1, 8, 4, 4])
            .integers("split", &[0, 2, -1]);
        builder = builder
            .integers("join", &[1, 8, 4, 4])
            .constant("ones", &[2], &[1., 2.])
            .constant("zeros", &[2], &[0., 3.]);
        builder = builder
            .filled("gain", &[8, 1, 1])
            .filled("bias", &[1, 8, 1, 1])
            .node("Reshape", &["x", "split"], "r");
        builder = builder
            .node("InstanceNormalization", &["r", "ones", "zeros"], "i")
            .node("Reshape", &["i", "join"], "b");
        let mut graph = builder.node("Mul", &["gain", "b"], "m").node("Add", &["m", "bias"], "y").graph();
        crate::fold::fold(&mut graph).unwrap();
        fuse(&mut graph);
        assert_eq!(names(&graph), ["GroupNorm"]);
        let gain = graph.constant_input(&graph.nodes[0], 1).unwrap().floats().unwrap();
        let bias = graph.constant_input(&graph.nodes[0], 2).unwrap().floats().unwrap();
        assert_eq!((gain[0], gain[4]), (-1.0, -0.12));
        assert!((bias[4] - (3.0 * -0.06 - 0.06)).abs() < 1e-6);
    }

    fn modulated_graph(scale_shape: &[i64]) -> Graph {
        let mut builder = norm_node(21, 8)
            .input("scale", scale_shape)
            .input("shift", &[1, 8, 1, 1])
            .output("y", &[1, 8, 4, 4]);
        builder = builder
            .constant("one", &[], &[1.0])
            .node("Add", &["one", "scale"], "factor")
            .node("Mul", &["n", "factor"], "m");
        builder = builder
            .node("Add", &["m", "shift"], "a")
            .node("Sigmoid", &["a"], "s")
            .node("Mul", &["a", "s"], "y");
        let mut graph = builder.graph();
        fuse(&mut graph);
        graph
    }

    #[test]
    fn modulation_is_folded_with_its_one() {
        let graph = modulated_graph(&[1, 8, 1, 1]);
        assert_eq!(names(&graph), ["GroupNormModulateSilu"]);
        assert_eq!(graph.nodes[0].input[3..], ["scale", "shift"]);
    }

    #[test]
    fn modulation_by_pixel_stays() {
        assert_eq!(names(&modulated_graph(&[1, 8, 4, 4])), ["GroupNorm", "Add", "Mul", "Add", "Silu"]);
    }
}
