//! `Conv` of the standard ONNX domain in f32, for the few small layers that are not quantized: products are
//! added in the order of the weights, so that the sum is the same on every processor; a few output channels are computed
//! together.

use std::ops::Range;
use std::sync::Arc;

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::internal::*;

use super::attributes::{padding, strides};
use super::table::{Built, Resources, Schema};
use super::weighted_sums::{TOGETHER, fits};
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::geometry::{Padding, Window};
use crate::engine::parallel;
use crate::engine::simd::{Fused, widest};

/// `Conv`, two-dimensional, neither grouped nor dilated.
pub static CONV: Schema = Schema {
    name: "Conv",
    doc: "Convolution.",
    definition: None,
};

pub(super) fn build(node: &NodeProto, _: &Resources) -> Built {
    let grouped = node.get_attr_opt::<i64>("group")?.unwrap_or(1) != 1;
    let dilated = node
        .get_attr_opt_vec::<i64>("dilations")?
        .is_some_and(|dilations| dilations.iter().any(|&dilation| dilation != 1));
    let automatic = node.get_attr_opt::<String>("auto_pad")?.is_some_and(|kind| kind != "NOTSET");
    let flat = node
        .get_attr_opt_vec::<i64>("kernel_shape")?
        .is_some_and(|kernel| kernel.len() == 2);
    if grouped || dilated || automatic || !flat {
        return Ok(None);
    }
    Ok(Some(Arc::new(FloatConvolution {
        strides: strides(node)?,
        padding: padding(node)?,
    })))
}

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
        let window = Window {
            size: [weights[2], weights[3]],
            strides: self.strides,
        };
        let padded = self.padding.around([picture[1], picture[2], picture[3]], &window);
        padded
            .and_then(|[height, width]| window.positions(height, width))
            .with_context(|| format!("window {:?} does not fit a picture of {}×{}", window.size, picture[2], picture[3]))
    }
}

impl Operator for FloatConvolution {
    fn name(&self) -> &'static str {
        CONV.name
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
        let weights = inputs.floats(1)?;
        let biases = if inputs.count() > 2 { inputs.floats(2)? } else { &[] };
        let (area, per_output) = (height * width, shape[1] * shape[2] * shape[3]);
        let threads = parallel::threads_for_values(output.len() * per_output).min(height);
        let strips: Vec<Range<usize>> = parallel::split_evenly(height, threads).collect();
        let places = strips.iter().map(|rows| rows.start * width..rows.end * width);
        let mut planes = parallel::split_columns(output, area, places);
        parallel::for_each(threads, planes.iter_mut().zip(&strips), |(planes, rows)| {
            let read = rows.start * self.strides[0]..(rows.end - 1) * self.strides[0] + shape[2];
            let (padded, wide) = pad(picture, inputs.shape(0), self.padding, &read);
            let lines = (0..shape[1]).flat_map(|channel| (0..shape[2]).map(move |y| (channel, y)));
            let starts = lines.map(|(channel, y)| (channel * read.len() + y) * wide);
            let places: Vec<usize> = starts.flat_map(|start| start..start + shape[3]).collect();
            let blocks = planes.chunks_mut(TOGETHER).zip(weights.chunks(TOGETHER * per_output));
            for (block, (planes, weights)) in blocks.enumerate() {
                for (index, plane) in planes.iter_mut().enumerate() {
                    plane.fill(biases.get(block * TOGETHER + index).copied().unwrap_or(0.0));
                }
                let taps = Taps {
                    weights: &together(weights, per_output),
                    places: &places,
                    padded: &padded,
                    strides: [self.strides[0] * wide, self.strides[1]],
                };
                widest(
                    #[inline(always)]
                    |fused| taps.add_to(planes, width, fused),
                );
            }
        });
        Ok(())
    }
}

/// `[up to 4][n]` → `[n][4]`, zeros for missing channels.
fn together(weights: &[f32], per_output: usize) -> Vec<[f32; TOGETHER]> {
    let mut taps = vec![[0.0; TOGETHER]; per_output];
    for (output, weights) in weights.chunks_exact(per_output).enumerate() {
        for (tap, &weight) in taps.iter_mut().zip(weights) {
            tap[output] = weight;
        }
    }
    taps
}

/// The weights and inputs of a few output channels.
#[derive(Clone, Copy)]
struct Taps<'a> {
    /// `[C, kh, kw]`, one weight a channel of the output.
    weights: &'a [[f32; TOGETHER]],
    /// Where in the padded picture each of them meets it first.
    places: &'a [usize],
    /// `[C, height, width]`, padded.
    padded: &'a [f32],
    /// Values from one row of positions to the next, and from one position to the next.
    strides: [usize; 2],
}

impl Taps<'_> {
    /// Adds the products to channels of the output, weight by weight in their order.
    #[inline(always)]
    fn add_to(self, planes: &mut [&mut [f32]], width: usize, fused: Fused) {
        for row in 0..planes.first().map_or(0, |plane| plane.len() / width) {
            let mut first = 0;
            if self.strides[1] == 1 {
                first = self.add_blocks::<64>(planes, [row, width], first, fused);
                first = self.add_blocks::<32>(planes, [row, width], first, fused);
                first = self.add_blocks::<16>(planes, [row, width], first, fused);
                first = self.add_blocks::<8>(planes, [row, width], first, fused);
            }
            for column in first..width {
                self.add_one(
                    planes,
                    row * width + column,
                    row * self.strides[0] + column * self.strides[1],
                    fused,
                );
            }
        }
    }

    /// The same for columns of a row from `first` on, `WIDE` at a time while their sums fit the registers. Returns the column
    /// behind.
    #[inline(always)]
    fn add_blocks<const WIDE: usize>(self, planes: &mut [&mut [f32]], [row, width]: [usize; 2], first: usize, fused: Fused) -> usize {
        let mut start = first;
        while fits(WIDE, fused) && start + WIDE <= width {
            let (place, source) = (row * width + start, &self.padded[row * self.strides[0] + start..]);
            let mut sums = [[0f32; WIDE]; TOGETHER];
            for (sums, plane) in sums.iter_mut().zip(&*planes) {
                sums.copy_from_slice(&plane[place..][..WIDE]);
            }
            // One array a channel: the compiler keeps these in registers.
            let [mut a, mut b, mut c, mut d] = sums;
            for (&[of_a, of_b, of_c, of_d], &tap) in self.weights.iter().zip(self.places) {
                let values = &source[tap..][..WIDE];
                for lane in 0..WIDE {
                    a[lane] = fused.add(values[lane], of_a, a[lane]);
                    b[lane] = fused.add(values[lane], of_b, b[lane]);
                    c[lane] = fused.add(values[lane], of_c, c[lane]);
                    d[lane] = fused.add(values[lane], of_d, d[lane]);
                }
            }
            for (sums, plane) in [a, b, c, d].iter().zip(&mut *planes) {
                plane[place..][..WIDE].copy_from_slice(sums);
            }
            start += WIDE;
        }
        start
    }

    /// The same for one position.
    #[inline(always)]
    fn add_one(self, planes: &mut [&mut [f32]], place: usize, source: usize, fused: Fused) {
        for (index, plane) in planes.iter_mut().enumerate() {
            let mut sum = plane[place];
            for (weights, tap) in self.weights.iter().zip(self.places) {
                sum = fused.add(self.padded[source + tap], weights[index], sum);
            }
            plane[place] = sum;
        }
    }
}

/// Some rows of the picture with zeros around it, `[C, rows, width]`, and its width.
fn pad(picture: &[f32], shape: &[usize], padding: Padding, rows: &Range<usize>) -> (Vec<f32>, usize) {
    let (height, width) = (shape[2], shape[3]);
    let wide = width + padding.left + padding.right;
    let mut padded = vec![0.0; shape[1] * rows.len() * wide];
    for (padded, channel) in padded.chunks_exact_mut(rows.len() * wide).zip(picture.chunks_exact(height * width)) {
        for (row, line) in rows.clone().zip(padded.chunks_exact_mut(wide)) {
            let values = row.checked_sub(padding.top).filter(|&row| row < height);
            if let Some(row) = values {
                line[padding.left..][..width].copy_from_slice(&channel[row * width..][..width]);
            }
        }
    }
    (padded, wide)
}
