//! The operators, one a file: each computes one float output from slices and knows nothing of graphs. `table` lists those that
//! packs' graphs name, with what ONNX files say about them.

mod activation;
mod addition;
pub(in crate::engine) mod attention;
mod attributes;
mod concatenation;
mod embedding;
mod float_convolution;
mod group_norm;
mod move_axis;
mod quantized_attention;
mod quantized_convolution;
mod quantized_linear;
mod row_norm;
mod table;
#[cfg(test)]
mod tests;
mod weighted_sums;

pub use activation::{GELU, GELU_TANH, SILU};
pub use attention::{ATTENTION, MASKED_ATTENTION};
pub use embedding::Q_EMBEDDING;
pub use group_norm::{GROUP_NORM, GROUP_NORM_MODULATE_SILU, GROUP_NORM_SILU};
pub use quantized_attention::Q_ATTENTION;
pub use quantized_convolution::{Q_CONV, Q_CONV_16};
pub use quantized_linear::{Q_LINEAR, Q_LINEAR_16};
pub use row_norm::RMS_NORM;
pub use table::{Schema, own_schemas};

pub(super) use addition::Addition;
#[cfg(test)]
pub(super) use attention::Attention;
pub(super) use concatenation::Concatenation;
#[cfg(test)]
pub(super) use embedding::QuantizedEmbedding;
#[cfg(test)]
pub(super) use float_convolution::FloatConvolution;
#[cfg(test)]
pub(super) use group_norm::NormActivation;
pub(super) use group_norm::{GroupNorm, Parameters};
pub(super) use move_axis::MoveAxis;
#[cfg(test)]
pub(super) use quantized_attention::QuantizedAttention;
pub(super) use quantized_convolution::QuantizedConvolution;
pub(super) use quantized_linear::QuantizedLinear;
pub(super) use row_norm::RowNorm;
#[cfg(test)]
pub(super) use row_norm::RowNormKind;
pub(super) use table::{Resources, Row, TABLE};

use tract_onnx::tract_core::internal::*;

/// Checks a per-channel parameter's length.
fn check_length(what: &str, shape: &[usize], expected: usize) -> TractResult<()> {
    ensure!(
        shape.iter().product::<usize>() == expected,
        "{what} has shape {shape:?} where {expected} values are needed"
    );
    Ok(())
}
