//! The operators, one a file: each computes one float output from slices and knows nothing of graphs. The
//! names in brackets are those of the pack's graphs, in ONNX domain `inkstone` unless said otherwise.

mod activation;
mod addition;
mod attention;
mod concatenation;
mod embedding;
mod float_convolution;
mod group_norm;
mod move_axis;
mod quantized_convolution;
mod quantized_linear;
mod row_norm;
#[cfg(test)]
mod tests;
mod weighted_sums;

pub use addition::Addition;
pub use attention::Attention;
pub use concatenation::Concatenation;
pub use embedding::QuantizedEmbedding;
pub use float_convolution::FloatConvolution;
pub use group_norm::{GroupNorm, NormActivation, Parameters};
pub use move_axis::MoveAxis;
pub use quantized_convolution::QuantizedConvolution;
pub use quantized_linear::QuantizedLinear;
pub use row_norm::{RowNorm, RowNormKind};

use tract_onnx::tract_core::internal::*;

/// Checks a per-channel parameter's length.
fn check_length(what: &str, shape: &[usize], expected: usize) -> TractResult<()> {
    ensure!(
        shape.iter().product::<usize>() == expected,
        "{what} has shape {shape:?} where {expected} values are needed"
    );
    Ok(())
}
