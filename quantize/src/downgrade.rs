//! Rewrites operators of other operator sets as those of [`OPSET`], and refuses what has no counterpart or what the engine
//! cannot run.

use tract_onnx::pb::NodeProto;

use crate::error::Result;
use crate::graph::Graph;
use crate::proto::{self, DOMAIN, OPSET, WithAttribute};
use crate::tensor::Constant;
use crate::{shapes, spell_out};

/// Standard operators that mean the same in every operator set that can be read, once [`downgrade`] has seen them.
const KNOWN: [&str; 77] = [
    "Abs",
    "Add",
    "And",
    "ArgMax",
    "ArgMin",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Ceil",
    "Clip",
    "Concat",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "Cos",
    "CumSum",
    "DepthToSpace",
    "Div",
    "Einsum",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gemm",
    "GlobalAveragePool",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "InstanceNormalization",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mod",
    "Mul",
    "Neg",
    "Not",
    "OneHot",
    "Or",
    "PRelu",
    "Pad",
    "Pow",
    "Range",
    "Reciprocal",
    "Relu",
    "Reshape",
    "Resize",
    "Round",
    "Shape",
    "Sigmoid",
    "Sin",
    "Slice",
    "Softmax",
    "Softplus",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "Tile",
    "Transpose",
    "Unsqueeze",
];
const MORE: [&str; 4] = ["TopK", "Trilu", "Where", "Xor"];

/// Rewrites nodes one by one; operators that [`crate::fuse`] replaces stay as they are.
///
/// # Errors
/// For attributes without a counterpart.
pub fn downgrade(graph: &mut Graph) -> Result<()> {
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for index in 0..graph.nodes.len() {
        let node = graph.nodes[index].clone();
        if let Some(spelled) = spell_out::spell_out(graph, &node)? {
            nodes.extend(spelled);
            continue;
        }
        nodes.push(match node.op_type.as_str() {
            "Split" => split(graph, node)?,
            "Reshape" => reshape(graph, node)?,
            "Resize" => resize(graph, node)?,
            "Pad" => pad(graph, node)?,
            "Cast" => without(node, &["saturate"]),
            "LayerNormalization" => layer_norm(graph, node),
            operator if operator.starts_with("Reduce") && operator != "ReduceSum" => reduce(graph, node)?,
            _ => node,
        });
    }
    graph.nodes = nodes;
    graph.sweep();
    Ok(())
}

/// Checks that a finished graph holds only operators of [`OPSET`] and ours, and draws one picture.
///
/// # Errors
/// For the first operator that is neither, or that is given several pictures.
pub fn check(graph: &Graph) -> Result<()> {
    for node in &graph.nodes {
        let operator = node.op_type.as_str();
        let known = node.domain == DOMAIN || KNOWN.contains(&operator) || MORE.contains(&operator) || operator.starts_with("Reduce");
        if !known {
            return Err(graph.error(node, advice(operator)));
        }
        let pictures = node.input.first().and_then(|input| graph.shape(input)).and_then(<[usize]>::first);
        if ["Conv", "QConv"].contains(&operator) && pictures.is_some_and(|&pictures| pictures != 1) {
            return Err(graph.error(node, "the engine draws one picture at a time: export the model with a batch of one"));
        }
    }
    Ok(())
}

fn advice(operator: &str) -> String {
    match operator {
        "Attention" => {
            "only attention of one picture, with q, k and v split into as many heads each, at most a float mask that broadcasts \
                        to [1, heads, T, S], without softcap or a second mask is supported: export such attention with operator set 18"
                .to_owned()
        }
        "GroupNormalization" => "only constant gain and bias are supported: export the model with operator set 18".to_owned(),
        "QuantizeLinear" | "DequantizeLinear" => "the model is quantized already: give the f32 export".to_owned(),
        _ => format!("this operator has no counterpart in operator set {OPSET}: export the model with operator set {OPSET}"),
    }
}

fn without(mut node: NodeProto, names: &[&str]) -> NodeProto {
    node.attribute.retain(|attribute| !names.contains(&attribute.name.as_str()));
    node
}

/// Over the last axis, and with a bias: the form that the engine has a kernel for.
fn layer_norm(graph: &mut Graph, node: NodeProto) -> NodeProto {
    let rank = node.input.first().and_then(|x| graph.shape(x)).map_or(0, <[usize]>::len);
    let last = proto::int(&node, "axis")
        .and_then(|axis| shapes::axis(axis, rank))
        .is_some_and(|axis| axis + 1 == rank);
    let mut norm = if last {
        without(node, &["axis"]).with_int("axis", -1)
    } else {
        node
    };
    if norm.input.len() == 2
        && let Some(gain) = graph.constant_input(&norm, 1)
    {
        let zeros = Constant::f32(&gain.shape, vec![0.0; gain.len()]);
        let bias = graph.add_constant(&format!("{}.bias", norm.name), zeros);
        norm.input.push(bias);
    }
    norm
}

fn split(graph: &mut Graph, node: NodeProto) -> Result<NodeProto> {
    if proto::int(&node, "num_outputs").is_none() {
        return Ok(node);
    }
    let Some(sizes) = shapes::split_sizes(graph, &node) else {
        return Err(graph.error(
            &node,
            "attribute `num_outputs` needs an input of known shape: export the model with operator set 17",
        ));
    };
    let values: Vec<i64> = sizes.iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX)).collect();
    let name = format!("{}.split", node.name);
    let name = graph.add_constant(&name, Constant::i64(&[values.len()], values));
    Ok(shapes::split_with_sizes(&node, &name))
}

fn reshape(graph: &Graph, node: NodeProto) -> Result<NodeProto> {
    let shape = graph.constant_input(&node, 1).and_then(|shape| shape.integers());
    if proto::int(&node, "allowzero") == Some(1) && shape.is_none_or(|shape| shape.contains(&0)) {
        return Err(graph.error(
            &node,
            "attribute `allowzero` with empty or unknown shapes is not supported: export with fixed shapes",
        ));
    }
    Ok(without(node, &["allowzero"]))
}

fn resize(graph: &Graph, node: NodeProto) -> Result<NodeProto> {
    if proto::int(&node, "antialias").unwrap_or(0) != 0 {
        return Err(graph.error(&node, "attribute `antialias` is not supported: export the model with antialias = 0"));
    }
    if proto::ints(&node, "axes").is_some() {
        return Err(graph.error(&node, "attribute `axes` is not supported: export the model with operator set 17"));
    }
    let policy = proto::string(&node, "keep_aspect_ratio_policy").unwrap_or("stretch");
    if policy != "stretch" || proto::string(&node, "coordinate_transformation_mode") == Some("half_pixel_symmetric") {
        return Err(graph.error(
            &node,
            "only stretching without half_pixel_symmetric is supported: export with operator set 17",
        ));
    }
    Ok(without(node, &["antialias", "keep_aspect_ratio_policy"]))
}

fn pad(graph: &Graph, node: NodeProto) -> Result<NodeProto> {
    if proto::string(&node, "mode") == Some("wrap") || proto::input(&node, 3).is_some() {
        return Err(graph.error(
            &node,
            "mode `wrap` and the input `axes` are not supported: export the model with operator set 17",
        ));
    }
    Ok(node)
}

fn reduce(graph: &Graph, node: NodeProto) -> Result<NodeProto> {
    let Some(axes) = proto::input(&node, 1) else {
        if proto::int(&node, "noop_with_empty_axes").unwrap_or(0) != 0 {
            return Err(graph.error(
                &node,
                "attribute `noop_with_empty_axes` is not supported: export with operator set 17",
            ));
        }
        return Ok(without(node, &["noop_with_empty_axes"]));
    };
    let Some(axes) = graph.constants.get(axes).and_then(|axes| axes.integers()) else {
        return Err(graph.error(&node, "the axes must be constant: export the model with operator set 17"));
    };
    let mut reduced = without(node, &["noop_with_empty_axes"]).with_ints("axes", axes);
    reduced.input.truncate(1);
    Ok(reduced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;

    #[test]
    fn split_and_reduce_take_the_older_form() {
        let split = NodeProto {
            output: vec!["a".into(), "b".into()],
            ..proto::node("Split", "s", &["x"], &[])
        };
        let split = split.with_int("axis", 1).with_int("num_outputs", 2);
        let builder = Builder::new(18)
            .input("x", &[1, 7])
            .output("y", &[1, 1])
            .output("b", &[1, 3])
            .integers("axes", &[1])
            .with(split);
        let mut graph = builder.node("ReduceMean", &["a", "axes"], "y").graph();
        downgrade(&mut graph).unwrap();
        assert_eq!(graph.constants[&graph.nodes[0].input[1]].integers().unwrap(), [4, 3]);
        assert_eq!(proto::int(&graph.nodes[0], "num_outputs"), None);
        assert_eq!(
            (proto::ints(&graph.nodes[1], "axes"), graph.nodes[1].input.len()),
            (Some(&[1][..]), 1)
        );
        check(&graph).unwrap();
    }

    #[test]
    fn layer_norms_get_a_bias_and_the_last_axis() {
        let norm = proto::node("LayerNormalization", "n", &["x", "gain"], &["y"]).with_int("axis", 1);
        let builder = Builder::new(17)
            .input("x", &[2, 4])
            .output("y", &[2, 4])
            .constant("gain", &[4], &[1.0; 4]);
        let mut graph = builder.with(norm).graph();
        downgrade(&mut graph).unwrap();
        assert_eq!(proto::int(&graph.nodes[0], "axis"), Some(-1));
        assert_eq!(graph.constants[&graph.nodes[0].input[2]].floats().unwrap(), [0.0; 4]);
    }

    #[test]
    fn what_has_no_counterpart_names_the_node() {
        let antialias = proto::node("Resize", "shrink", &["x", "", "scales"], &["y"]).with_int("antialias", 1);
        let builder = Builder::new(18)
            .input("x", &[1, 1, 4, 4])
            .output("y", &[1, 1, 2, 2])
            .constant("scales", &[4], &[1., 1., 0.5, 0.5]);
        let error = downgrade(&mut builder.with(antialias).graph()).unwrap_err();
        assert!(error.is_input() && error.to_string().contains("`shrink` (Resize): attribute `antialias`"));
        let window = Builder::new(20)
            .input("x", &[1])
            .output("y", &[1])
            .node("HannWindow", &["x"], "y")
            .graph();
        assert!(check(&window).unwrap_err().to_string().contains("node_y"));
    }

    #[test]
    fn several_pictures_are_refused() {
        let builder = Builder::new(17).input("x", &[2, 4, 8, 8]).output("y", &[2, 4, 8, 8]);
        let graph = builder.filled("w", &[4, 4, 1, 1]).node("Conv", &["x", "w"], "y").graph();
        assert!(check(&graph).unwrap_err().to_string().contains("batch of one"));
    }
}
