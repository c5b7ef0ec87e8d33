//! `Conv` of the standard ONNX domain in f32, for the few small layers that are not quantized: products are
//! added in the order of the weights, so that the sum is the same on every processor.

use rayon::prelude::*;
use tract_onnx::tract_core::internal::*;

use crate::engine::adapter::{Inputs, Operator};
use crate::engine::int8::{Padding, Window};
use crate::engine::lanes::widest;

/// Inputs: x `[1, C, H, W]`, weights `[O, C, kh, kw]` and optionally bias `[O]`; output `[1, O, H', W']`.
#[derive(Clone, Debug)]
pub struct FloatConvolution {
    /// Rows and columns from one position to the next.
    pub strides: [usize; 2],
    /// Zeros around the input.
    pub padding: Padding,
}

impl FloatConvolution {
    fn positions(&self, picture: &[usize], weights: &[usize]) -> TractResult<[usize; 2]> {
        let padding = self.padding;
        let window = Window {
            size: [weights[2], weights[3]],
            strides: self.strides,
        };
        window
            .positions(picture[2] + padding.top + padding.bottom, picture[3] + padding.left + padding.right)
            .with_context(|| format!("window {:?} does not fit a picture of {}×{}", window.size, picture[2], picture[3]))
    }
}

impl Operator for FloatConvolution {
    fn name(&self) -> &'static str {
        "Conv"
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        ensure!((2..=3).contains(&inputs.len()), "Conv takes a picture, weights and possibly a bias");
        let ([1, channels, _, _], [outputs, inner, _, _]) = (inputs[0], inputs[1]) else {
            bail!(
                "Conv takes one picture and four-dimensional weights, not {:?} and {:?}",
                inputs[0],
                inputs[1]
            )
        };
        ensure!(
            channels == inner,
            "the picture has {channels} channels where the weights have {inner}"
        );
        if let Some(bias) = inputs.get(2) {
            super::check_length("the bias", bias, *outputs)?;
        }
        let [height, width] = self.positions(inputs[0], inputs[1])?;
        Ok(tvec!(1, *outputs, height, width))
    }

    fn run(&self, inputs: &Inputs, output: &mut [f32]) -> TractResult<()> {
        let (picture, shape) = (inputs.floats(0)?, inputs.shape(1));
        let [height, width] = self.positions(inputs.shape(0), shape)?;
        let (padded, padded_shape) = pad(picture, inputs.shape(0), self.padding);
        let weights = inputs.floats(1)?;
        let biases = if inputs.count() > 2 { inputs.floats(2)? } else { &[] };
        let per_output = shape[1] * shape[2] * shape[3];
        output
            .par_chunks_mut(height * width)
            .zip(weights.par_chunks(per_output))
            .enumerate()
            .for_each(|(output, (plane, weights))| {
                plane.fill(biases.get(output).copied().unwrap_or(0.0));
                widest(
                    #[inline(always)]
                    || convolve_plane(plane, width, weights, [shape[2], shape[3]], &padded, padded_shape, self.strides),
                );
            });
        Ok(())
    }
}

/// Adds one output channel's products, weight by weight in their order.
#[inline(always)]
fn convolve_plane(
    plane: &mut [f32],
    width: usize,
    weights: &[f32],
    window: [usize; 2],
    padded: &[f32],
    shape: [usize; 2],
    strides: [usize; 2],
) {
    let channels = padded.chunks_exact(shape[0] * shape[1]);
    for (channel, weights) in channels.zip(weights.chunks_exact(window[0] * window[1])) {
        for (place, &weight) in weights.iter().enumerate() {
            let (y, x) = (place / window[1], place % window[1]);
            for (row, out) in plane.chunks_exact_mut(width).enumerate() {
                let source = &channel[(row * strides[0] + y) * shape[1] + x..];
                if strides[1] == 1 {
                    out.iter_mut().zip(source).for_each(|(out, value)| *out += value * weight);
                } else {
                    out.iter_mut()
                        .zip(source.iter().step_by(strides[1]))
                        .for_each(|(out, value)| *out += value * weight);
                }
            }
        }
    }
}

/// The picture with zeros around it, `[C, height, width]`, and its height and width.
fn pad(picture: &[f32], shape: &[usize], padding: Padding) -> (Vec<f32>, [usize; 2]) {
    let (height, width) = (shape[2], shape[3]);
    let (tall, wide) = (height + padding.top + padding.bottom, width + padding.left + padding.right);
    let mut padded = vec![0.0; shape[1] * tall * wide];
    for (padded, channel) in padded.chunks_exact_mut(tall * wide).zip(picture.chunks_exact(height * width)) {
        for (row, values) in channel.chunks_exact(width).enumerate() {
            padded[(row + padding.top) * wide + padding.left..][..width].copy_from_slice(values);
        }
    }
    (padded, [tall, wide])
}
