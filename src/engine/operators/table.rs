//! The operator table: one row for every operator that the engine implements under a name of ONNX. The reader builds nodes by it,
//! the quantizer takes names and definitions from it. A new operator is one file beside this one and one row here.

use std::sync::Arc;

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::internal::TractResult;

use super::{
    activation, attention, embedding, float_convolution, group_norm, quantized_attention, quantized_convolution, quantized_linear, row_norm,
};
use crate::engine::adapter::Operator;
use crate::engine::kernels::Kernel;
use crate::pack::ExternalTensor;

/// What ONNX files say about an operator.
#[derive(Debug)]
pub struct Schema {
    /// The `op_type` of its nodes.
    pub name: &'static str,
    /// One sentence for whoever reads the file.
    pub doc: &'static str,
    /// For an operator of the domain `inkstone`, its definition by standard operators: a function in ONNX's textual syntax
    /// (`docs/Syntax.md` of the ONNX repository) from its name to the closing brace, which names all attributes and inputs. None
    /// for a standard operator.
    pub definition: Option<&'static str>,
}

/// A row of the table.
pub struct Row {
    /// What ONNX files say about the operator.
    pub schema: &'static Schema,
    /// Builds the operator from a node.
    pub build: Build,
}

/// Builds the operator of a node; none leaves a node of a standard operator to tract.
pub type Build = fn(&NodeProto, &Resources) -> Built;

/// The operator of a node.
pub type Built = TractResult<Option<Arc<dyn Operator>>>;

/// What a node's operator is built from beside the node itself.
pub struct Resources<'a> {
    /// The mapped int8 tensor among the node's inputs.
    pub tensor: Option<&'a ExternalTensor>,
    /// The micro-kernel of the engine.
    pub kernel: &'static dyn Kernel,
}

/// All operators, by name.
pub static TABLE: [Row; 18] = [
    row(&attention::ATTENTION, attention::plain),
    row(&float_convolution::CONV, float_convolution::build),
    row(&activation::GELU, activation::gelu),
    row(&activation::GELU_TANH, activation::gelu_tanh),
    row(&group_norm::GROUP_NORM, group_norm::plain),
    row(&group_norm::GROUP_NORM_MODULATE_SILU, group_norm::modulate_silu),
    row(&group_norm::GROUP_NORM_SILU, group_norm::silu),
    row(&row_norm::LAYER_NORMALIZATION, row_norm::layer),
    row(&attention::MASKED_ATTENTION, attention::masked),
    row(&quantized_attention::Q_ATTENTION, quantized_attention::build),
    row(&quantized_convolution::Q_CONV, quantized_convolution::of_8_bits),
    row(&quantized_convolution::Q_CONV_16, quantized_convolution::of_16_bits),
    row(&embedding::Q_EMBEDDING, embedding::build),
    row(&quantized_linear::Q_LINEAR, quantized_linear::of_8_bits),
    row(&quantized_linear::Q_LINEAR_16, quantized_linear::of_16_bits),
    row(&activation::RELU, activation::relu),
    row(&row_norm::RMS_NORM, row_norm::root_mean_square),
    row(&activation::SILU, activation::silu),
];

/// A row.
pub const fn row(schema: &'static Schema, build: Build) -> Row {
    Row { schema, build }
}

/// The operators of the domain `inkstone`, by name.
pub fn own_schemas() -> impl Iterator<Item = &'static Schema> {
    TABLE.iter().map(|row| row.schema).filter(|schema| schema.definition.is_some())
}
