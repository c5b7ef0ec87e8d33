//! `LayerNormalization` of the standard ONNX domain over the last axis (Ba et al., arXiv 1607.06450) and `RmsNorm` (Zhang and
//! Sennrich, arXiv 1910.07467), with the modulation that follows them in diffusion transformers.

use std::sync::Arc;

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::internal::*;

use super::check_length;
use super::table::{Built, Resources, Schema};
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::parallel;
use crate::engine::simd::{squares_around, sum, widest};

/// `LayerNormalization`, over the last axis with a bias.
pub static LAYER_NORMALIZATION: Schema = Schema {
    name: "LayerNormalization",
    doc: "Layer normalization over the last axis.",
    definition: None,
};

/// `RmsNorm`.
pub static RMS_NORM: Schema = Schema {
    name: "RmsNorm",
    doc: "Every row divided by the root of its mean square, times gain by channel.",
    definition: Some(
        "RmsNorm <epsilon> (x, gain) => (y) {
            squares = Mul (x, x)
            mean = ReduceMean <keepdims = 1, axes = [-1]> (squares)
            small = Constant <value_float: float = @epsilon> ()
            stable = Add (mean, small)
            root = Sqrt (stable)
            normal = Div (x, root)
            y = Mul (normal, gain)
        }",
    ),
};

pub(super) fn layer(node: &NodeProto, _: &Resources) -> Built {
    let last_axis = node.get_attr_opt::<i64>("axis")?.unwrap_or(-1) == -1;
    if !last_axis || node.input.len() != 3 || node.output.len() != 1 {
        return Ok(None);
    }
    build(RowNormKind::Layer, node.get_attr_opt("epsilon")?.unwrap_or(1e-5))
}

pub(super) fn root_mean_square(node: &NodeProto, _: &Resources) -> Built {
    build(RowNormKind::RootMeanSquare, node.get_attr("epsilon")?)
}

fn build(kind: RowNormKind, epsilon: f32) -> Built {
    Ok(Some(Arc::new(RowNorm {
        kind,
        epsilon,
        modulated: false,
    })))
}

/// What a row is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowNormKind {
    /// Its standard deviation, after its mean was taken from it: a bias is among the inputs.
    Layer,
    /// The root of its mean square.
    RootMeanSquare,
}

/// Inputs: x `[…, C]`, gain `[C]`, for [`RowNormKind::Layer`] bias `[C]`, and where modulated a factor and a shift of C values
/// each.
#[derive(Clone, Debug)]
pub struct RowNorm {
    /// What a row is divided by.
    pub kind: RowNormKind,
    /// Added to the variance or mean square.
    pub epsilon: f32,
    /// Whether what comes out is multiplied by a factor, and a shift added.
    pub modulated: bool,
}

impl RowNorm {
    /// Inputs before factor and shift.
    fn own_inputs(&self) -> usize {
        if self.kind == RowNormKind::Layer { 3 } else { 2 }
    }
}

impl Operator for RowNorm {
    fn name(&self) -> &'static str {
        match self.kind {
            RowNormKind::Layer => LAYER_NORMALIZATION.name,
            RowNormKind::RootMeanSquare => RMS_NORM.name,
        }
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let expected = self.own_inputs() + if self.modulated { 2 } else { 0 };
        ensure!(inputs.len() == expected, "{} takes {expected} inputs", self.name());
        let Some(&width) = inputs[0].last() else {
            bail!("{} takes at least one axis", self.name())
        };
        inputs[1..]
            .iter()
            .try_for_each(|shape| check_length("a channel parameter", shape, width))?;
        Ok(inputs[0].into())
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let (values, gains) = (inputs.floats(0)?, inputs.floats(1)?);
        let biases = match self.kind {
            RowNormKind::Layer => Some(inputs.floats(2)?),
            RowNormKind::RootMeanSquare => None,
        };
        let modulation = match self.modulated {
            true => Some((inputs.floats(self.own_inputs())?, inputs.floats(self.own_inputs() + 1)?)),
            false => None,
        };
        let width = gains.len();
        if width == 0 {
            return Ok(());
        }
        let threads = parallel::threads_for_values(values.len());
        let share = (values.len() / width).div_ceil(threads) * width;
        let parts = output.chunks_mut(share).zip(values.chunks(share));
        parallel::for_each(threads, parts, |(output, values)| {
            for (output, values) in output.chunks_exact_mut(width).zip(values.chunks_exact(width)) {
                let mean = if biases.is_some() { sum(values) / width as f32 } else { 0.0 };
                let variance = squares_around(values, mean) / width as f32;
                let factor = 1.0 / (variance + self.epsilon).sqrt();
                match biases {
                    Some(biases) => centred(output, values, [mean, factor], gains, biases),
                    None => scaled(output, values, factor, gains),
                }
                if let Some((factors, shifts)) = modulation {
                    modulate(output, factors, shifts);
                }
            }
        });
        Ok(())
    }
}

fn centred(output: &mut [f32], values: &[f32], [mean, factor]: [f32; 2], gains: &[f32], biases: &[f32]) {
    widest(
        #[inline(always)]
        |fused| {
            for (((out, value), &gain), &bias) in output.iter_mut().zip(values).zip(gains).zip(biases) {
                *out = fused.add((value - mean) * factor, gain, bias);
            }
        },
    );
}

fn scaled(output: &mut [f32], values: &[f32], factor: f32, gains: &[f32]) {
    widest(
        #[inline(always)]
        |_| {
            for ((out, value), gain) in output.iter_mut().zip(values).zip(gains) {
                *out = value * factor * gain;
            }
        },
    );
}

fn modulate(output: &mut [f32], factors: &[f32], shifts: &[f32]) {
    widest(
        #[inline(always)]
        |_| {
            for ((out, factor), shift) in output.iter_mut().zip(factors).zip(shifts) {
                *out = *out * factor + shift;
            }
        },
    );
}
