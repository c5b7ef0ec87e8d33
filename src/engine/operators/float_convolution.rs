//! `Conv` of the standard ONNX domain in f32, for the few small layers that are not quantized: products are
//! added in the order of the weights, so that the sum is the same on every processor.

use rayon::prelude::*;
use tract_onnx::tract_core::internal::*;

use crate::engine::adapter::{Inputs, Operator};
use crate::engine::int8::{Padding, Window};
use crate::engine::lanes::{Fused, widest};
use crate::engine::shares;

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

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let (picture, shape) = (inputs.floats(0)?, inputs.shape(1));
        let [height, width] = self.positions(inputs.shape(0), shape)?;
        let (padded, padded_shape) = pad(picture, inputs.shape(0), self.padding);
        let weights = inputs.floats(1)?;
        let biases = if inputs.count() > 2 { inputs.floats(2)? } else { &[] };
        let per_output = shape[1] * shape[2] * shape[3];
        output
            .par_chunks_mut(height * width)
            .zip(weights.par_chunks(per_output))
            .with_min_len(shares::items(height * width * per_output))
            .enumerate()
            .for_each(|(output, (plane, weights))| {
                plane.fill(biases.get(output).copied().unwrap_or(0.0));
                let taps = Taps {
                    weights,
                    window: [shape[2], shape[3]],
                    padded: &padded,
                    shape: padded_shape,
                    strides: self.strides,
                };
                widest(
                    #[inline(always)]
                    |fused| taps.add_to(plane, width, fused),
                );
            });
        Ok(())
    }
}

/// What one output channel is made of.
#[derive(Clone, Copy)]
struct Taps<'a> {
    /// `[C, kh, kw]`
    weights: &'a [f32],
    /// kh and kw.
    window: [usize; 2],
    /// `[C, height, width]`, padded.
    padded: &'a [f32],
    /// Height and width of it.
    shape: [usize; 2],
    /// Rows and columns from one position to the next.
    strides: [usize; 2],
}

impl Taps<'_> {
    /// Adds the products to one channel of the output, weight by weight in their order.
    #[inline(always)]
    fn add_to(self, plane: &mut [f32], width: usize, fused: Fused) {
        for (row, out) in plane.chunks_exact_mut(width).enumerate() {
            let mut first = 0;
            if self.strides[1] == 1 {
                first = self.add_blocks::<64>(out, row, first, fused);
                first = self.add_blocks::<32>(out, row, first, fused);
                first = self.add_blocks::<16>(out, row, first, fused);
            }
            let rest = &mut out[first..];
            if rest.is_empty() {
                continue;
            }
            self.each(row, |line, weight| {
                let source = line[first * self.strides[1]..].iter().step_by(self.strides[1]);
                for (out, &value) in rest.iter_mut().zip(source) {
                    *out = fused.add(value, weight, *out);
                }
            });
        }
    }

    /// The same for columns from `first` on, `WIDE` at a time: their sums stay in registers. Returns the column behind.
    #[inline(always)]
    fn add_blocks<const WIDE: usize>(self, out: &mut [f32], row: usize, first: usize, fused: Fused) -> usize {
        let blocks = out[first..].as_chunks_mut::<WIDE>().0;
        let behind = first + blocks.len() * WIDE;
        for (index, out) in blocks.iter_mut().enumerate() {
            let mut sums = *out;
            self.each(row, |line, weight| {
                if let Some(source) = line[first + index * WIDE..].first_chunk::<WIDE>() {
                    for lane in 0..WIDE {
                        sums[lane] = fused.add(source[lane], weight, sums[lane]);
                    }
                }
            });
            *out = sums;
        }
        behind
    }

    /// Every weight in its order, with the line of the picture that it meets first in a row of the output.
    #[inline(always)]
    fn each(self, row: usize, mut visit: impl FnMut(&[f32], f32)) {
        let channels = self.padded.chunks_exact(self.shape[0] * self.shape[1]);
        for (channel, weights) in channels.zip(self.weights.chunks_exact(self.window[0] * self.window[1])) {
            for (y, weights) in weights.chunks_exact(self.window[1]).enumerate() {
                let line = &channel[(row * self.strides[0] + y) * self.shape[1]..];
                for (x, &weight) in weights.iter().enumerate() {
                    visit(&line[x..], weight);
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
