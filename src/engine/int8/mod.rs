//! int8 products: mapped weight matrices, quantized activations, and the loops that bring both to the
//! micro-kernels in blocks that stay in cache.

mod activations;
mod lines;
mod product;
mod scratch;
mod tiles;
mod weights;

pub use activations::{Image, Padding, quantize_group, scale_of};
pub use product::{Outputs, Window, convolve, multiply_rows};
pub use weights::WeightMatrix;
