//! Convolution: by minimal filtering where kernel and picture allow it, else by the plain window.

use super::blocks::Outputs;
use super::{Image, WeightMatrix, tiles, windows};
use crate::engine::geometry::Window;
use crate::engine::kernels::Kernel;

/// Convolution: output `[rows][positions]` of weights `[rows, (y, x, channel)]` over the image.
pub fn convolve(
    kernel: &dyn Kernel,
    weights: &WeightMatrix,
    image: &Image,
    window: Window,
    positions: [usize; 2],
    outputs: Outputs,
    output: &mut [f32],
) {
    match tiles::fitting(kernel, window, positions) {
        Some(winograd) => tiles::convolve(winograd, weights, image, positions, outputs, output),
        None => windows::convolve(kernel, weights, image, window, positions, outputs, output),
    }
}
