//! Replaces layers by their int8 counterparts: `QAttention`, `QConv`, `QLinear`, `QEmbedding`. `scaling` decides by what the channels of what
//! they read are multiplied, `rows` quantizes weights.

mod attention;
mod convolution;
mod embedding;
mod kept;
mod linear;
pub mod rows;
mod scaling;

use clap::ValueEnum;
use inkstone::engine::operators::{ATTENTION, Q_ATTENTION, Q_CONV, Q_CONV_16, Q_LINEAR, Q_LINEAR_16, Schema};
use serde::Serialize;
use tract_onnx::pb::{ModelProto, NodeProto};

use crate::error::Result;
use crate::graph::{Graph, Links};
use crate::proto;
use crate::shapes;
use crate::storage::Int8s;
use crate::tensor::{Constant, Values};

use scaling::Factors;
pub use scaling::Magnitudes;

/// Which layers become int8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// int8 weights and activations; small first and last convolutions stay f32.
    #[default]
    W8a8,
    /// int8 weights and activations in every layer that can have them.
    W8a8All,
    /// Nothing: a pack of the f32 model, to compare with.
    F32,
}

/// What a layer became.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// Attention with int8 products.
    QAttention,
    /// int8 convolution.
    QConv,
    /// int8 linear layer.
    QLinear,
    /// int8 embedding table.
    QEmbedding,
    /// A layer that stays f32.
    F32,
}

/// A layer with weights, or attention that became int8, for the report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    /// Name of the node.
    pub name: String,
    /// What it became.
    pub kind: Kind,
    /// Operator of the node in the pack.
    pub operator: String,
    /// Shape of the weights: `[O, kh, kw, C]`, `[M, K]` or `[V, D]`; as in the export for layers that stay f32. Queries, keys and channels
    /// of attention.
    pub shape: Vec<usize>,
    /// Products that a run computes.
    pub products: u64,
    /// Bytes of the weights as f32.
    pub bytes_f32: usize,
    /// Bytes of weights and scales in the pack.
    pub bytes_pack: usize,
    /// Signal to quantization noise of the weights in decibels; none if nothing is lost.
    pub sqnr_db: Option<f64>,
    /// Whether the channels of its input are multiplied by factors, so that one scale fits them better.
    pub scaled: bool,
}

/// A node that takes another's place, with its constants and its line in the report.
struct Quantized {
    node: NodeProto,
    constants: Vec<(usize, Constant)>,
    layer: Layer,
    /// Names of the f32 constants that they replace.
    replaced: Vec<String>,
}

/// Takes quantized weights out of memory.
pub type SetAside<'a> = &'a mut dyn FnMut(Vec<i8>) -> Result<Int8s>;

/// Replaces every layer that the scheme allows and that is not among the names in `keep`, and sets its weights aside; returns all layers with
/// weights, in the graph's order. The channels of what layers with known magnitudes read are scaled.
///
/// # Errors
/// For weights that are not finite, and if they cannot be set aside.
pub fn quantize(
    graph: &mut Graph,
    scheme: Scheme,
    keep: &[String],
    magnitudes: &Magnitudes,
    set_aside: SetAside<'_>,
) -> Result<Vec<Layer>> {
    let kept = match scheme {
        Scheme::W8a8 => kept::first_and_last(graph),
        Scheme::W8a8All | Scheme::F32 => Default::default(),
    };
    let links = Links::of(graph);
    let is_chosen = |node: &NodeProto| scheme != Scheme::F32 && !kept.contains(&node.name);
    let read = |node: &NodeProto| match node.op_type.as_str() {
        "Conv" => convolution::read(graph, node),
        _ => linear::read(graph, &links, node),
    };
    let measured = |node: &&NodeProto| is_chosen(node) && magnitudes.contains_key(&node.output[0]);
    let nodes = graph.nodes.iter().filter(measured);
    let factors = Factors::of(graph, nodes.filter_map(|node| Some((&*node.output[0], read(node)?))), magnitudes);
    let mut layers = std::collections::HashMap::new();
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        if !is_chosen(node) {
            continue;
        }
        let quantized = match node.op_type.as_str() {
            "Conv" => convolution::quantize(graph, &factors, node)?,
            "Add" | "MatMul" | "Gemm" => linear::quantize(graph, &links, &factors, node)?,
            "Gather" => embedding::quantize(graph, node)?,
            _ => attention::quantize(graph, node),
        };
        let quantized = match quantized {
            Some(Quantized { layer, .. }) if keep.contains(&layer.name) => {
                // Attention has no weights by which it would be found again.
                if layer.kind == Kind::QAttention {
                    layers.insert(node.output[0].clone(), attention::kept(layer));
                }
                continue;
            }
            quantized => quantized,
        };
        if let Some(Quantized {
            mut node,
            constants,
            mut layer,
            replaced,
        }) = quantized
        {
            layer.scaled = factors.is_read(&node.input[0]);
            // The int8 constants take the names of the f32 constants that nothing else reads.
            graph
                .constants
                .retain(|name, _| !(replaced.contains(name) && links.read_once(name)));
            for (input, mut constant) in constants {
                if let Values::I8(Int8s::Memory(values)) = &mut constant.values {
                    constant.values = Values::I8(set_aside(std::mem::take(values))?);
                }
                node.input[input] = graph.add_constant(&node.input[input], constant);
            }
            layers.insert(node.output[0].clone(), layer);
            graph.nodes[index] = node;
        }
    }
    factors.insert(graph);
    graph.sweep();
    for index in 0..graph.nodes.len() {
        if let Some(layer) = kept_layer(graph, &graph.nodes[index]) {
            graph.nodes[index].name.clone_from(&layer.name);
            layers.insert(graph.nodes[index].output[0].clone(), layer);
        }
    }
    graph.make_names_unique();
    let mut named = |node: &NodeProto| {
        let layer = layers.remove(&node.output[0])?;
        Some(Layer {
            name: node.name.clone(),
            products: products(graph, node, &layer).unwrap_or(0),
            ..layer
        })
    };
    Ok(graph.nodes.iter().filter_map(&mut named).collect())
}

/// Products of a convolution or matrix product: every weight once at every position of the output, or in every row; of attention, those with
/// keys and those with values.
fn products(graph: &Graph, node: &NodeProto, layer: &Layer) -> Option<u64> {
    if [&ATTENTION, &Q_ATTENTION].iter().any(|schema| proto::is_ours(node, schema)) {
        return u64::try_from(shapes::count(&layer.shape)?.checked_mul(2)?).ok();
    }
    let output = graph.shape(&node.output[0])?;
    let channels = match layer.operator.as_str() {
        "QConv" | "Conv" | "ConvTranspose" => output.get(1),
        "QLinear" | "MatMul" | "Gemm" => output.last(),
        _ => return None,
    };
    let positions = shapes::count(output)?.checked_div(*channels?)?;
    u64::try_from(shapes::count(&layer.shape)?.checked_mul(positions)?).ok()
}

/// Operators that have a more precise counterpart: convolutions and linear layers with activations of 16 bits, attention in f32.
pub(crate) const PRECISE: [(&Schema, &Schema); 3] = [(&Q_CONV, &Q_CONV_16), (&Q_LINEAR, &Q_LINEAR_16), (&Q_ATTENTION, &ATTENTION)];

/// Sets layers to precise (`Some(true)`) or int8 (`Some(false)`) by their names; layers with `None` stay as they are. Returns whether the graph
/// has changed.
pub(crate) fn set_precise(model: &mut ModelProto, is_precise: &dyn Fn(&str) -> Option<bool>) -> bool {
    let mut is_changed = false;
    for node in model.graph.iter_mut().flat_map(|graph| &mut graph.node) {
        let pair = PRECISE
            .iter()
            .find(|(plain, precise)| proto::is_ours(node, plain) || proto::is_ours(node, precise));
        let (Some((plain, precise)), Some(is_wanted)) = (pair, is_precise(&node.name)) else {
            continue;
        };
        let wanted = if is_wanted { precise } else { plain };
        is_changed |= node.op_type != wanted.name;
        node.op_type = wanted.name.to_owned();
    }
    is_changed
}

/// The line of a layer that stays f32.
fn kept_layer(graph: &Graph, node: &NodeProto) -> Option<Layer> {
    let name = match node.op_type.as_str() {
        "Conv" | "ConvTranspose" | "Gemm" | "MatMul" => proto::input(node, 1)?,
        "Gather" => proto::input(node, 0)?,
        _ => return None,
    };
    let weights = graph.constants.get(name)?;
    let bytes = weights.is_float().then(|| weights.len() * size_of::<f32>())?;
    Some(Layer {
        name: layer_name(graph, node, name, proto::input(node, 2)),
        kind: Kind::F32,
        operator: node.op_type.clone(),
        shape: weights.shape.clone(),
        products: 0,
        bytes_f32: bytes,
        bytes_pack: bytes,
        sqnr_db: None,
        scaled: false,
    })
}

/// Name for a layer: what its weight or bias is called in the network, otherwise the node's name.
fn layer_name(graph: &Graph, node: &NodeProto, weight: &str, bias: Option<&str>) -> String {
    let origin = |value: &str| {
        graph
            .constants
            .get(value)
            .and_then(|constant| constant.origin.clone())
            .unwrap_or_else(|| value.to_owned())
    };
    let stem = |value: &str, ending: &str| origin(value).strip_suffix(ending).map(str::to_owned);
    let by_bias = || bias.and_then(|bias| stem(bias, ".bias"));
    stem(weight, ".weight").or_else(by_bias).unwrap_or_else(|| node.name.clone())
}

/// A quantized layer with scale and bias: node inputs 1 to 3 are weights, scales, bias.
fn with_parameters(
    node: NodeProto,
    kind: Kind,
    shape: Vec<usize>,
    matrix: &rows::Matrix<'_>,
    bias: Option<&[f32]>,
    replaced: Vec<String>,
) -> std::result::Result<Quantized, rows::NotFinite> {
    let quantized = matrix.quantize()?;
    let outputs = matrix.rows();
    let weights = quantized.packed();
    let layer = Layer {
        name: node.name.clone(),
        kind,
        operator: node.op_type.clone(),
        shape,
        products: 0,
        bytes_f32: size_of_val(matrix.values()),
        bytes_pack: weights.len() + outputs * size_of::<f32>(),
        sqnr_db: quantized.sqnr_db(matrix),
        scaled: false,
    };
    let bias = bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
    let constants = vec![
        (1, Constant::i8(&quantized.packed_shape(), weights)),
        (2, Constant::f32(&[outputs], quantized.scales)),
        (3, Constant::f32(&[outputs], bias)),
    ];
    Ok(Quantized {
        node,
        constants,
        layer,
        replaced,
    })
}

/// Names of a layer's weights, scales and bias.
fn parameter_names(name: &str) -> [String; 3] {
    ["weight", "scale", "bias"].map(|part| format!("{name}.{part}"))
}

fn finite<T>(graph: &Graph, node: &NodeProto, result: std::result::Result<T, rows::NotFinite>) -> Result<T> {
    result.map_err(|error| graph.error(node, format!("{error}: check the training run and export again")))
}

/// An optional constant of floats; `Err` for a bias that is there but not constant.
fn constant_bias<'a>(graph: &'a Graph, node: &NodeProto, index: usize) -> std::result::Result<Option<&'a Constant>, ()> {
    match proto::input(node, index) {
        None => Ok(None),
        Some(name) => graph.constants.get(name).filter(|constant| constant.is_float()).map(Some).ok_or(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::WithAttribute;
    use crate::testing::{Builder, names};

    fn quantized(builder: Builder, scheme: Scheme) -> (Graph, Vec<Layer>) {
        let mut graph = builder.graph();
        crate::optimize(&mut graph).unwrap();
        let layers = quantize(&mut graph, scheme, &[], &Magnitudes::new(), &mut |values| Ok(values.into())).unwrap();
        (graph, layers)
    }

    fn linear(transposed: bool) -> Builder {
        let builder = Builder::new(17).input("x", &[3, 8]).output("y", &[3, 5]).filled("bias", &[5]);
        let gemm = proto::node("Gemm", "node", &["x", "up.weight", "bias"], &["y"]).with_int("transB", i64::from(transposed));
        builder.filled("up.weight", if transposed { &[5, 8] } else { &[8, 5] }).with(gemm)
    }

    #[test]
    fn linear_layers_of_every_spelling() {
        let (graph, layers) = quantized(linear(true), Scheme::W8a8);
        assert_eq!((names(&graph), graph.nodes[0].name.as_str()), (vec!["QLinear"], "up"));
        assert_eq!(graph.nodes[0].input, ["x", "up.weight", "up.scale", "up.bias"]);
        assert_eq!(
            (proto::ints(&graph.nodes[0], "mk"), proto::ints(&graph.nodes[0], "m8")),
            (Some(&[5, 8][..]), Some(&[8, 8][..]))
        );
        assert_eq!(graph.constant_input(&graph.nodes[0], 1).unwrap().shape, [1, 2, 8, 4]);
        assert!(layers[0].sqnr_db.unwrap() > 40.0);
        assert_eq!(quantized(linear(false), Scheme::W8a8).1[0].shape, [5, 8]);

        let product = Builder::new(17)
            .input("x", &[1, 3, 8])
            .output("y", &[1, 3, 5])
            .filled("w", &[8, 5])
            .filled("down.bias", &[5]);
        let (graph, layers) = quantized(
            product.node("MatMul", &["x", "w"], "p").node("Add", &["down.bias", "p"], "y"),
            Scheme::W8a8,
        );
        assert_eq!((names(&graph), graph.nodes[0].output[0].as_str()), (vec!["QLinear"], "y"));
        assert_eq!(layers[0].name, "down");
        assert_eq!(graph.constant_input(&graph.nodes[0], 3).unwrap().shape, [5]);
    }

    #[test]
    fn products_of_odd_width_stay() {
        let builder = Builder::new(17).input("x", &[3, 7]).output("y", &[3, 5]).filled("w", &[7, 5]);
        let (graph, layers) = quantized(builder.node("MatMul", &["x", "w"], "y"), Scheme::W8a8All);
        assert_eq!((names(&graph), layers[0].kind), (vec!["MatMul"], Kind::F32));
    }

    #[test]
    fn embedding_tables_from_256_rows() {
        for (vocabulary, operator) in [(256, "QEmbedding"), (255, "Gather")] {
            let builder = Builder::new(17)
                .typed_input("ids", &[4], tract_onnx::pb::tensor_proto::DataType::Int64)
                .output("y", &[4, 6]);
            let builder = builder
                .filled("token.weight", &[vocabulary, 6])
                .node("Gather", &["token.weight", "ids"], "y");
            let (graph, layers) = quantized(builder, Scheme::W8a8);
            assert_eq!(names(&graph), [operator]);
            assert_eq!(layers[0].shape, [vocabulary as usize, 6]);
        }
    }

    fn convolutions() -> Builder {
        let mut builder = Builder::new(17).input("x", &[1, 4, 8, 8]).output("y", &[1, 4, 8, 8]);
        builder = builder
            .filled("first.weight", &[64, 4, 1, 1])
            .filled("middle.weight", &[64, 64, 3, 3])
            .filled("last.weight", &[4, 64, 1, 1]);
        let padded = proto::node("Conv", "m", &["a", "middle.weight"], &["b"]).with_ints("pads", &[1, 1, 1, 1]);
        builder
            .node("Conv", &["x", "first.weight"], "a")
            .with(padded)
            .node("Conv", &["b", "last.weight"], "y")
    }

    #[test]
    fn small_first_and_last_convolutions_stay() {
        assert_eq!(names(&quantized(convolutions(), Scheme::W8a8).0), ["Conv", "QConv", "Conv"]);
        let (graph, layers) = quantized(convolutions(), Scheme::W8a8All);
        assert_eq!(names(&graph), ["QConv", "QConv", "QConv"]);
        assert_eq!(layers[1].shape, [64, 3, 3, 64]);
        assert_eq!(proto::ints(&graph.nodes[1], "kernel"), Some(&[64, 3, 3, 64][..]));
        assert_eq!(proto::ints(&graph.nodes[2], "pads"), Some(&[0, 0, 0, 0][..]));
    }

    #[test]
    fn layers_that_are_named_stay() {
        let (mut graph, keep) = (convolutions().graph(), ["first".to_owned(), "last".to_owned()]);
        let layers = quantize(&mut graph, Scheme::W8a8All, &keep, &Magnitudes::new(), &mut |values| {
            Ok(values.into())
        })
        .unwrap();
        assert_eq!(names(&graph), ["Conv", "QConv", "Conv"]);
        assert_eq!(layers[0].kind, Kind::F32);
    }

    #[test]
    fn weights_that_are_not_finite_are_refused() {
        let builder = Builder::new(17)
            .input("x", &[1, 4])
            .output("y", &[1, 1])
            .constant("w", &[4, 1], &[1.0, f32::NAN, 0.0, 0.0]);
        let mut graph = builder.node("MatMul", &["x", "w"], "y").graph();
        assert!(
            quantize(&mut graph, Scheme::W8a8, &[], &Magnitudes::new(), &mut |values| Ok(values.into()))
                .unwrap_err()
                .to_string()
                .contains("not finite")
        );
    }
}
