//! Rewrites operators of other operator sets as those of [`OPSET`], and refuses what has no counterpart or what the engine
//! cannot run.

use inkstone::engine::operators::{Q_CONV, own_schemas};
use tract_onnx::pb::NodeProto;
use tract_onnx::pb::tensor_proto::DataType;

use crate::decompose::Decomposition;
use crate::error::Result;
use crate::graph::Graph;
use crate::proto::{self, OPSET, WithAttribute};
use crate::shapes;
use crate::standard::{self, Fate, Operator};
use crate::tensor::Constant;

/// Rewrites nodes one by one; operators that [`crate::fuse`] replaces stay as they are.
///
/// # Errors
/// For attributes without a counterpart.
pub fn downgrade(graph: &mut Graph) -> Result<()> {
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for index in 0..graph.nodes.len() {
        let node = graph.nodes[index].clone();
        match standard::find(&node.op_type).filter(|operator| proto::is(&node, operator.name)) {
            Some(Operator {
                fate: Fate::Rewritten(rewrite),
                ..
            }) => nodes.push(rewrite(graph, node)?),
            Some(Operator {
                fate: Fate::Decomposed(decompose) | Fate::Simplified(decompose),
                ..
            }) => nodes.extend(decompose(Decomposition::new(graph, &node))?),
            _ => nodes.push(node),
        }
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
        if let Some(advice) = refusal(node) {
            return Err(graph.error(node, advice));
        }
        let pictures = node.input.first().and_then(|input| graph.shape(input)).and_then(<[usize]>::first);
        let convolution = proto::is(node, "Conv") || proto::is_ours(node, &Q_CONV);
        if convolution && pictures.is_some_and(|&pictures| pictures != 1) {
            return Err(graph.error(node, "the engine draws one picture at a time: export the model with a batch of one"));
        }
    }
    Ok(())
}

/// Why a node may not be in a pack, and what to do; `None` if it may.
fn refusal(node: &NodeProto) -> Option<String> {
    if own_schemas().any(|schema| proto::is_ours(node, schema)) {
        return None;
    }
    if let Some(advice) = standard::advice(node) {
        return Some(advice.to_owned());
    }
    let operator = standard::find(&node.op_type).filter(|operator| proto::is(node, operator.name));
    match operator.map(|operator| &operator.fate) {
        Some(Fate::Kept | Fate::Rewritten(_) | Fate::Simplified(_)) => None,
        Some(_) => Some(format!(
            "this operator has no counterpart in operator set {OPSET}: export the model with operator set {OPSET}"
        )),
        None => Some(format!(
            "this operator is not supported: export the model with operator set {OPSET} if it is newer, or with simpler operators in its place"
        )),
    }
}

fn without(mut node: NodeProto, names: &[&str]) -> NodeProto {
    node.attribute.retain(|attribute| !names.contains(&attribute.name.as_str()));
    node
}

/// To 32-bit floats instead of narrower ones: a pack's graphs compute in f32. `saturate` matters for 8-bit floats alone.
pub(crate) fn cast(_: &mut Graph, node: NodeProto) -> Result<NodeProto> {
    let narrow = [DataType::Float16, DataType::Bfloat16].map(|narrow| narrow as i64);
    match proto::int(&node, "to") {
        Some(to) if narrow.contains(&to) => Ok(without(node, &["saturate", "to"]).with_int("to", DataType::Float as i64)),
        _ => Ok(without(node, &["saturate"])),
    }
}

/// Over the last axis, and with a bias: the form that the engine has a kernel for.
pub(crate) fn layer_norm(graph: &mut Graph, node: NodeProto) -> Result<NodeProto> {
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
    Ok(norm)
}

pub(crate) fn split(graph: &mut Graph, node: NodeProto) -> Result<NodeProto> {
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

pub(crate) fn reshape(graph: &mut Graph, node: NodeProto) -> Result<NodeProto> {
    let shape = graph.constant_input(&node, 1).and_then(|shape| shape.integers());
    if proto::int(&node, "allowzero") == Some(1) && shape.is_none_or(|shape| shape.contains(&0)) {
        return Err(graph.error(
            &node,
            "attribute `allowzero` with empty or unknown shapes is not supported: export with fixed shapes",
        ));
    }
    Ok(without(node, &["allowzero"]))
}

pub(crate) fn resize(graph: &mut Graph, node: NodeProto) -> Result<NodeProto> {
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

pub(crate) fn pad(graph: &mut Graph, node: NodeProto) -> Result<NodeProto> {
    if proto::string(&node, "mode") == Some("wrap") || proto::input(&node, 3).is_some() {
        return Err(graph.error(
            &node,
            "mode `wrap` and the input `axes` are not supported: export the model with operator set 17",
        ));
    }
    Ok(node)
}

pub(crate) fn reduce(graph: &mut Graph, node: NodeProto) -> Result<NodeProto> {
    let axes: &[i64] = match proto::input(&node, 1) {
        None => &[],
        Some(axes) => match graph.constants.get(axes).and_then(|axes| axes.integers()) {
            Some(axes) => axes,
            None => return Err(graph.error(&node, "the axes must be constant: export the model with operator set 17")),
        },
    };
    let changes_nothing = axes.is_empty() && proto::int(&node, "noop_with_empty_axes").unwrap_or(0) != 0;
    // Of the others, such as ReduceL1, ONNX's versions differ on what is computed then.
    if changes_nothing && !matches!(node.op_type.as_str(), "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceProd") {
        return Err(graph.error(
            &node,
            "attribute `noop_with_empty_axes` is not supported: export with operator set 17",
        ));
    }
    let mut reduced = without(node, &["noop_with_empty_axes"]);
    if changes_nothing {
        reduced.op_type = "Identity".to_owned();
        reduced.attribute.clear();
    } else if !axes.is_empty() {
        reduced = reduced.with_ints("axes", axes);
    }
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
    fn no_axes_are_all_or_none() {
        let reduced = |operator: &str, inputs: &[&str], noop: i64| {
            let node = proto::node(operator, "n", inputs, &["y"]).with_int("noop_with_empty_axes", noop);
            let builder = Builder::new(18)
                .input("x", &[1, 2, 3])
                .output("y", &[1, 1, 1])
                .integers("axes", &[]);
            let mut graph = builder.with(node).graph();
            let shape = crate::shapes::reduce(&graph, &graph.nodes[0]).unwrap();
            downgrade(&mut graph).map(|()| (graph.nodes[0].op_type.clone(), graph.nodes[0].clone(), shape))
        };
        for inputs in [&["x", "axes"][..], &["x"], &["x", ""]] {
            let (operator, node, shape) = reduced("ReduceMean", inputs, 0).unwrap();
            assert_eq!((operator.as_str(), node.input.len(), shape), ("ReduceMean", 1, vec![1, 1, 1]));
            assert_eq!((proto::ints(&node, "axes"), node.attribute.len()), (None, 0));
            let (operator, node, shape) = reduced("ReduceMean", inputs, 1).unwrap();
            assert_eq!((operator.as_str(), node.attribute.len(), shape), ("Identity", 0, vec![1, 2, 3]));
            let (operator, _, shape) = reduced("ReduceSum", inputs, 1).unwrap();
            assert_eq!((operator.as_str(), shape), ("ReduceSum", vec![1, 2, 3]));
            assert!(
                reduced("ReduceL2", inputs, 1)
                    .unwrap_err()
                    .to_string()
                    .contains("noop_with_empty_axes")
            );
        }
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
    fn graphs_of_half_floats_compute_in_f32() {
        let half = |name: &str| proto::node("Cast", name, &["x"], &["h"]).with_int("to", DataType::Float16 as i64);
        let back = proto::node("Cast", "back", &["h"], &["y"]).with_int("to", DataType::Float as i64);
        let builder = Builder::new(17).typed_input("x", &[4], DataType::Float16).output("y", &[4]);
        let mut graph = builder.with(half("narrow")).with(back).graph();
        assert_eq!(graph.inputs[0].element, inkstone::pack::Element::F32);
        downgrade(&mut graph).unwrap();
        assert!(
            graph
                .nodes
                .iter()
                .all(|node| proto::int(node, "to") == Some(DataType::Float as i64))
        );
    }

    #[test]
    fn several_pictures_are_refused() {
        let builder = Builder::new(17).input("x", &[2, 4, 8, 8]).output("y", &[2, 4, 8, 8]);
        let graph = builder.filled("w", &[4, 4, 1, 1]).node("Conv", &["x", "w"], "y").graph();
        assert!(check(&graph).unwrap_err().to_string().contains("batch of one"));
    }
}
