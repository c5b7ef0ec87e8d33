//! int8 products: mapped weight matrices, quantized activations, and the loops that bring both to the
//! micro-kernels in blocks that stay in cache.

mod activations;
mod blocks;
mod convolution;
mod layer;
mod lines;
mod pieces;
mod products;
mod scratch;
mod tiles;
mod tokens;
mod weights;
mod windows;

pub use activations::{Image, Layout, largest_of};
pub use blocks::Outputs;
pub use convolution::convolve;
pub use products::{Product, multiply};
pub use tokens::{Order, Tokens};
pub use weights::WeightMatrix;
