//! int8 arithmetic: mapped weight matrices, quantized activations, and the loops that bring both to the micro-kernels in blocks
//! that stay in cache. Depends on `kernels`, `simd` and `parallel`.

mod attention;
mod convolution;
mod epilogue;
mod matmul;
mod matmul_panel;
mod quantize;
mod scratch;
mod weights;
mod winograd;

pub use attention::{Rows as AttentionRows, attend};
pub use convolution::{convolve, image_mask};
pub use epilogue::Outputs;
pub use matmul::{Product, multiply};
pub use quantize::{Byte, Image, Layout, Order, Precision, Tokens, largest_scaled};
pub use weights::WeightMatrix;
