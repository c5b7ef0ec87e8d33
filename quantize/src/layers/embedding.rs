//! `Gather` of table rows → `QEmbedding`.

use inkstone::engine::operators::Q_EMBEDDING;
use tract_onnx::pb::NodeProto;

use super::rows::Matrix;
use super::{Kind, Layer, Quantized, finite, layer_name};
use crate::error::Result;
use crate::graph::Graph;
use crate::proto;
use crate::tensor::Constant;

/// Smaller tables stay f32: there is nothing to save.
const LEAST_ROWS: usize = 256;

/// A large table of rows becomes int8; others stay.
pub(super) fn quantize(graph: &Graph, node: &NodeProto) -> Result<Option<Quantized>> {
    let Some(table) = graph.constant_input(node, 0) else {
        return Ok(None);
    };
    let (Some(values), &[rows, columns]) = (table.floats(), table.shape.as_slice()) else {
        return Ok(None);
    };
    if rows < LEAST_ROWS || columns == 0 || proto::int(node, "axis").unwrap_or(0) != 0 {
        return Ok(None);
    }
    let matrix = Matrix::new(values, columns);
    let quantized = finite(graph, node, matrix.quantize())?;
    let name = layer_name(graph, node, &node.input[0], None);
    let (weight, scale) = (format!("{name}.weight"), format!("{name}.scale"));
    let layer = Layer {
        name: name.clone(),
        kind: Kind::QEmbedding,
        operator: Q_EMBEDDING.name.to_owned(),
        shape: vec![rows, columns],
        products: 0,
        bytes_f32: size_of_val(values),
        bytes_pack: rows * columns + rows * size_of::<f32>(),
        sqnr_db: quantized.sqnr_db(&matrix),
        scaled: false,
    };
    let replaced = vec![node.input[0].clone()];
    let node = proto::our_node(&Q_EMBEDDING, &name, &[&node.input[1], &weight, &scale], &[&node.output[0]]);
    let constants = vec![
        (1, Constant::i8(&[rows, columns], quantized.values)),
        (2, Constant::f32(&[rows], quantized.scales)),
    ];
    Ok(Some(Quantized {
        node,
        constants,
        layer,
        replaced,
    }))
}
