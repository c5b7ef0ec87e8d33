//! From a graph's nodes to operators: which ONNX node becomes which operator, and what its attributes say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use tract_onnx::Onnx;
use tract_onnx::model::ParsingContext;
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto};
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_hir::internal::InferenceOp;

use super::adapter::{Node, inference};
use super::arithmetic::Activation;
use super::int8::{Padding, Window};
use super::kernels::{GROUP, select};
use super::operators::{
    Attention, FloatConvolution, GroupNorm, NormActivation, QuantizedConvolution, QuantizedEmbedding, QuantizedLinear, RowNorm, RowNormKind,
};
use crate::pack::{DOMAIN, ExternalTensor, Graph};

type Built = TractResult<(Box<dyn InferenceOp>, Vec<String>)>;

/// ONNX type of an attribute that holds text, and of one that holds integers.
const STRING: i32 = 3;
const INTEGERS: i32 = 7;

/// tract's ONNX reader with Inkstone's operators.
pub fn reader() -> Onnx {
    let mut reader = tract_onnx::onnx();
    let register = &mut reader.op_register;
    register.insert("QConv", quantized_convolution);
    register.insert("QLinear", quantized_linear);
    register.insert("QEmbedding", quantized_embedding);
    register.insert("Silu", |context, node| activation(context, node, Activation::Silu));
    register.insert("Gelu", |context, node| activation(context, node, Activation::Gelu));
    register.insert("GeluTanh", |context, node| activation(context, node, Activation::GeluTanh));
    register.insert("GroupNorm", |_, node| group_norm(node, NormActivation::None));
    register.insert("GroupNormSilu", |_, node| group_norm(node, NormActivation::Silu));
    register.insert("GroupNormModulateSilu", |_, node| group_norm(node, NormActivation::ModulateSilu));
    register.insert("Attention", |context, node| attention(context, node, false));
    register.insert("MaskedAttention", |context, node| attention(context, node, true));
    register.insert("LayerNormalization", layer_norm);
    register.insert("RmsNorm", |_, node| rms_norm(node));
    register.insert("Conv", float_convolution);
    reader
}

/// The first node whose operator no one knows, with what is wrong.
pub fn unknown_operator(reader: &Onnx, proto: &ModelProto) -> Option<String> {
    let nodes = proto.graph.as_ref().map_or(&[][..], |graph| &graph.node);
    let known = |node: &NodeProto| {
        let domain = matches!(&*node.domain, "" | "ai.onnx" | DOMAIN);
        domain && reader.op_register.0.contains_key(&node.op_type)
    };
    nodes.iter().find(|node| !known(node)).map(|node| {
        let domain = if node.domain.is_empty() { "ai.onnx" } else { &node.domain };
        format!(
            "node '{}': operator {domain}.{} is not known to this version",
            node.name, node.op_type
        )
    })
}

/// Takes the mapped tensors out of the nodes' inputs, so that tract never sees them: a node keeps its tensor's
/// name and shape as attributes.
pub fn detach(graph: &mut Graph) {
    let nodes = graph.proto.graph.iter_mut().flat_map(|graph| &mut graph.node);
    for node in nodes.filter(|node| node.domain == DOMAIN) {
        let Some(place) = node.input.iter().position(|input| graph.tensors.contains_key(input)) else {
            continue;
        };
        let name = node.input.remove(place);
        let shape = graph.tensors[&name].shape.iter().map(|&size| size as i64).collect();
        node.attribute.push(AttributeProto {
            name: "tensor".into(),
            s: name.into_bytes(),
            r#type: STRING,
            ..Default::default()
        });
        node.attribute.push(AttributeProto {
            name: "tensor_shape".into(),
            ints: shape,
            r#type: INTEGERS,
            ..Default::default()
        });
    }
}

/// ONNX lets a node have the name of an input or of another node; tract does not.
pub fn rename_twins(proto: &mut ModelProto) {
    let Some(graph) = proto.graph.as_mut() else { return };
    let values = graph
        .input
        .iter()
        .map(|input| &input.name)
        .chain(graph.initializer.iter().map(|tensor| &tensor.name));
    let mut taken: BTreeSet<String> = values.cloned().collect();
    for (index, node) in graph.node.iter_mut().enumerate() {
        if node.name.is_empty() || !taken.insert(node.name.clone()) {
            node.name = format!("{}#{index}", node.name);
            taken.insert(node.name.clone());
        }
    }
}

/// Gives every operator its weights.
pub fn bind(model: &mut TypedModel, tensors: &BTreeMap<String, ExternalTensor>) -> TractResult<()> {
    for node in model.nodes_mut() {
        let name = node.name.clone();
        if let Some(Node(operator)) = node.op_as_mut::<Node>()
            && let Some(bound) = operator.bind(tensors).with_context(|| format!("node '{name}'"))?
        {
            *operator = bound;
        }
    }
    Ok(())
}

fn quantized_convolution(_: &ParsingContext, node: &NodeProto) -> Built {
    let [outputs, height, width, channels] = sizes(node, "kernel")?;
    ensure!(
        channels.is_multiple_of(GROUP),
        "{channels} input channels are not a multiple of {GROUP}"
    );
    let window = Window {
        size: [height, width],
        strides: strides(node)?,
    };
    let tensor = node
        .get_attr::<String>("tensor")
        .context("the weights are not an int8 tensor of the weights file")?;
    let operator = QuantizedConvolution::new(tensor, [outputs, channels], window, padding(node)?, select()?);
    Ok((inference(operator), vec![]))
}

fn quantized_linear(_: &ParsingContext, node: &NodeProto) -> Built {
    let [rows, inputs] = sizes(node, "mk")?;
    let tensor = node
        .get_attr::<String>("tensor")
        .context("the weights are not an int8 tensor of the weights file")?;
    Ok((inference(QuantizedLinear::new(tensor, [rows, inputs], select()?)), vec![]))
}

fn quantized_embedding(_: &ParsingContext, node: &NodeProto) -> Built {
    let tensor = node
        .get_attr::<String>("tensor")
        .context("the table is not an int8 tensor of the weights file")?;
    let [rows, width] = sizes(node, "tensor_shape")?;
    Ok((
        inference(QuantizedEmbedding {
            tensor,
            rows,
            width,
            table: None,
        }),
        vec![],
    ))
}

fn group_norm(node: &NodeProto, activation: NormActivation) -> Built {
    let (groups, epsilon) = (node.get_attr::<usize>("groups")?, node.get_attr::<f32>("epsilon")?);
    Ok((
        inference(GroupNorm {
            groups,
            epsilon,
            activation,
        }),
        vec![],
    ))
}

fn activation(context: &ParsingContext, node: &NodeProto, activation: Activation) -> Built {
    if node.domain != DOMAIN {
        return standard(context, node);
    }
    Ok((inference(activation), vec![]))
}

fn attention(context: &ParsingContext, node: &NodeProto, masked: bool) -> Built {
    if node.domain != DOMAIN {
        return standard(context, node);
    }
    let (heads, scale) = (node.get_attr::<usize>("heads")?, node.get_attr::<f32>("scale")?);
    Ok((inference(Attention { heads, scale, masked }), vec![]))
}

fn layer_norm(context: &ParsingContext, node: &NodeProto) -> Built {
    let last_axis = node.get_attr_opt::<i64>("axis")?.unwrap_or(-1) == -1;
    if !last_axis || node.input.len() != 3 || node.output.len() != 1 {
        return standard(context, node);
    }
    Ok((
        inference(RowNorm {
            kind: RowNormKind::Layer,
            epsilon: node.get_attr_opt("epsilon")?.unwrap_or(1e-5),
            modulated: false,
        }),
        vec![],
    ))
}

fn rms_norm(node: &NodeProto) -> Built {
    Ok((
        inference(RowNorm {
            kind: RowNormKind::RootMeanSquare,
            epsilon: node.get_attr("epsilon")?,
            modulated: false,
        }),
        vec![],
    ))
}

fn float_convolution(context: &ParsingContext, node: &NodeProto) -> Built {
    let grouped = node.get_attr_opt::<i64>("group")?.unwrap_or(1) != 1;
    let dilated = node
        .get_attr_opt_vec::<i64>("dilations")?
        .is_some_and(|dilations| dilations.iter().any(|&dilation| dilation != 1));
    let automatic = node.get_attr_opt::<String>("auto_pad")?.is_some_and(|kind| kind != "NOTSET");
    let flat = node
        .get_attr_opt_vec::<i64>("kernel_shape")?
        .is_some_and(|kernel| kernel.len() == 2);
    if grouped || dilated || automatic || !flat {
        return standard(context, node);
    }
    Ok((
        inference(FloatConvolution {
            strides: strides(node)?,
            padding: padding(node)?,
        }),
        vec![],
    ))
}

/// tract's own operator.
fn standard(context: &ParsingContext, node: &NodeProto) -> Built {
    static STANDARD: OnceLock<Onnx> = OnceLock::new();
    let register = &STANDARD.get_or_init(tract_onnx::onnx).op_register;
    let builder = register
        .0
        .get(&node.op_type)
        .with_context(|| format!("operator {} is not known", node.op_type))?;
    builder(context, node)
}

fn strides(node: &NodeProto) -> TractResult<[usize; 2]> {
    let strides = if has(node, "strides") { sizes(node, "strides")? } else { [1, 1] };
    ensure!(!strides.contains(&0), "strides must not be 0");
    Ok(strides)
}

fn padding(node: &NodeProto) -> TractResult<Padding> {
    let [top, left, bottom, right] = if has(node, "pads") { sizes(node, "pads")? } else { [0; 4] };
    Ok(Padding { top, left, bottom, right })
}

fn has(node: &NodeProto, attribute: &str) -> bool {
    node.attribute.iter().any(|found| found.name == attribute)
}

/// An attribute of a fixed number of sizes, each below 65,536.
fn sizes<const COUNT: usize>(node: &NodeProto, attribute: &str) -> TractResult<[usize; COUNT]> {
    let values = node.get_attr_vec::<i64>(attribute)?;
    let sizes: Vec<usize> = values
        .iter()
        .filter_map(|&value| usize::try_from(value).ok())
        .filter(|&size| size < 1 << 16)
        .collect();
    <[usize; COUNT]>::try_from(sizes).map_err(|_| format_err!("attribute '{attribute}' is {values:?} where {COUNT} sizes are needed"))
}
