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
        let plane = |output: usize, out: &mut [f32]| {
            out.fill(biases.get(output).copied().unwrap_or(0.0));
            let mut weights = weights[output * per_output..][..per_output].iter();
            for channel in padded.chunks_exact(padded_shape[0] * padded_shape[1]) {
                for (y, x) in (0..shape[2]).flat_map(|y| (0..shape[3]).map(move |x| (y, x))) {
                    let Some(&weight) = weights.next() else { return };
                    for (row, out) in out.chunks_exact_mut(width).enumerate() {
                        let source = &channel[(row * self.strides[0] + y) * padded_shape[1] + x..];
                        add_scaled(out, source, self.strides[1], weight);
                    }
                }
            }
        };
        output
            .par_chunks_mut(height * width)
            .enumerate()
            .for_each(|(output, out)| plane(output, out));
        Ok(())
    }
}

fn add_scaled(out: &mut [f32], source: &[f32], stride: usize, weight: f32) {
    widest(
        #[inline(always)]
        || {
            if stride == 1 {
                out.iter_mut().zip(source).for_each(|(out, value)| *out += value * weight);
            } else {
                out.iter_mut()
                    .zip(source.iter().step_by(stride))
                    .for_each(|(out, value)| *out += value * weight);
            }
        },
    );
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
