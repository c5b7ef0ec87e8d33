//! `GroupNorm`, `GroupNormSilu`, `GroupNormModulateSilu`: normalization over groups of channels (Wu & He, arXiv
//! 1803.08494) with the modulation and activation that follow it, in one pass over each group.

use std::sync::Arc;

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::internal::*;

use super::check_length;
use super::table::{Built, Resources, Schema};
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::arithmetic;
use crate::engine::parallel;
use crate::engine::simd::{larger, largest_magnitude, squares_around, sum, widest};

/// The definition of a group normalization: its signature, the name of its result, and the nodes that follow.
macro_rules! definition {
    ($signature:literal, $normal:literal, $rest:literal) => {
        Some(concat!(
            $signature,
            " => (y) {
                group_count = Constant <value_int: int = @groups> ()
                front = Constant <value_ints = [0]> ()
                rest = Constant <value_ints = [-1]> ()
                groups_axis = Unsqueeze (group_count, front)
                grouped_shape = Concat <axis = 0> (front, groups_axis, rest)
                grouped = Reshape (x, grouped_shape)
                mean = ReduceMean <keepdims = 1, axes = [2]> (grouped)
                centred = Sub (grouped, mean)
                squares = Mul (centred, centred)
                variance = ReduceMean <keepdims = 1, axes = [2]> (squares)
                small = Constant <value_float: float = @epsilon> ()
                stable = Add (variance, small)
                deviation = Sqrt (stable)
                normal = Div (centred, deviation)
                channel_axis = Shape (gain)
                channel_shape = Concat <axis = 0> (front, channel_axis, rest)
                by_channel = Reshape (normal, channel_shape)
                last = Constant <value_ints = [1]> ()
                gain_column = Unsqueeze (gain, last)
                bias_column = Unsqueeze (bias, last)
                scaled = Mul (by_channel, gain_column)
                shifted = Add (scaled, bias_column)
                x_shape = Shape (x)
                ",
            $normal,
            " = Reshape (shifted, x_shape)",
            $rest,
            "
            }"
        ))
    };
}

/// `GroupNorm`.
pub static GROUP_NORM: Schema = Schema {
    name: "GroupNorm",
    doc: "Group normalization with gain and bias by channel.",
    definition: definition!("GroupNorm <groups, epsilon> (x, gain, bias)", "y", ""),
};

/// `GroupNormSilu`.
pub static GROUP_NORM_SILU: Schema = Schema {
    name: "GroupNormSilu",
    doc: "Group normalization, then Silu.",
    definition: definition!(
        "GroupNormSilu <groups, epsilon> (x, gain, bias)",
        "norm",
        "
                gate = Sigmoid (norm)
                y = Mul (norm, gate)"
    ),
};

/// `GroupNormModulateSilu`.
pub static GROUP_NORM_MODULATE_SILU: Schema = Schema {
    name: "GroupNormModulateSilu",
    doc: "Group normalization, times 1 + scale, plus shift, then Silu.",
    definition: definition!(
        "GroupNormModulateSilu <groups, epsilon> (x, gain, bias, scale, shift)",
        "norm",
        "
                one = Constant <value = float {1.0}> ()
                factor = Add (scale, one)
                product = Mul (norm, factor)
                modulated = Add (product, shift)
                gate = Sigmoid (modulated)
                y = Mul (modulated, gate)"
    ),
};

pub(super) fn plain(node: &NodeProto, _: &Resources) -> Built {
    build(node, NormActivation::None)
}

pub(super) fn silu(node: &NodeProto, _: &Resources) -> Built {
    build(node, NormActivation::Silu)
}

pub(super) fn modulate_silu(node: &NodeProto, _: &Resources) -> Built {
    build(node, NormActivation::ModulateSilu)
}

fn build(node: &NodeProto, activation: NormActivation) -> Built {
    Ok(Some(Arc::new(GroupNorm {
        groups: node.get_attr("groups")?,
        epsilon: node.get_attr("epsilon")?,
        activation,
    })))
}

/// The operators that follow the normalization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormActivation {
    /// Nothing.
    None,
    /// silu(y).
    Silu,
    /// silu(y·(1 + scale) + shift), with a scale and a shift a channel as further inputs.
    ModulateSilu,
}

/// Inputs: x `[1, C, …]`, gain `[C]`, bias `[C]` and, for modulation, scale and shift of C values each.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    /// Number of groups; C is a multiple of it.
    pub groups: usize,
    /// Added to the variance.
    pub epsilon: f32,
    /// The operators that follow.
    pub activation: NormActivation,
}

impl Operator for GroupNorm {
    fn name(&self) -> &'static str {
        match self.activation {
            NormActivation::None => GROUP_NORM.name,
            NormActivation::Silu => GROUP_NORM_SILU.name,
            NormActivation::ModulateSilu => GROUP_NORM_MODULATE_SILU.name,
        }
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let expected = 1 + self.parameters();
        ensure!(inputs.len() == expected, "{} takes {expected} inputs", self.name());
        self.check(inputs[0], &inputs[1..])?;
        Ok(inputs[0].into())
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        self.apply(inputs.floats(0)?, &Parameters::read(inputs, 1, self.activation)?, &[], output);
        Ok(())
    }
}

/// Gain and bias of every channel and, for modulation, scale and shift.
pub struct Parameters<'a> {
    gains: &'a [f32],
    biases: &'a [f32],
    modulation: Option<(&'a [f32], &'a [f32])>,
}

impl<'a> Parameters<'a> {
    /// The parameters among a node's inputs, from the input of a number on.
    pub fn read(inputs: &'a Inputs, first: usize, activation: NormActivation) -> TractResult<Parameters<'a>> {
        let modulation = match activation {
            NormActivation::ModulateSilu => Some((inputs.floats(first + 2)?, inputs.floats(first + 3)?)),
            _ => None,
        };
        Ok(Parameters {
            gains: inputs.floats(first)?,
            biases: inputs.floats(first + 1)?,
            modulation,
        })
    }

    /// The factor and the summand of a channel in a group with this mean and standard deviation.
    fn factors(&self, channel: usize, mean: f32, deviation: f32) -> [f32; 2] {
        let gain = self.gains[channel] / deviation;
        let bias = self.biases[channel] - mean * gain;
        match self.modulation {
            Some((scales, shifts)) => {
                let scale = 1.0 + scales[channel];
                [gain * scale, bias * scale + shifts[channel]]
            }
            None => [gain, bias],
        }
    }
}

impl GroupNorm {
    /// Number of parameters among the inputs.
    pub fn parameters(&self) -> usize {
        if self.activation == NormActivation::ModulateSilu { 4 } else { 2 }
    }

    /// Checks the shape of a picture, `[1, C, …]`, and of the parameters.
    pub fn check(&self, picture: &[usize], parameters: &[&[usize]]) -> TractResult<()> {
        let [1, channels, ..] = *picture else {
            bail!("{} takes one picture, not shape {picture:?}", self.name())
        };
        ensure!(
            self.groups > 0 && channels.is_multiple_of(self.groups),
            "{channels} channels do not divide into {} groups",
            self.groups
        );
        parameters
            .iter()
            .try_for_each(|shape| check_length("a channel parameter", shape, channels))
    }

    /// Normalizes `[C, …]` into `output`, times a factor a channel if there are factors; returns the largest magnitude there. Threads share
    /// the groups.
    pub fn apply(&self, values: &[f32], parameters: &Parameters, factors: &[f32], output: &mut [f32]) -> f32 {
        let channels = parameters.gains.len();
        let (per_group, area) = (channels / self.groups, values.len() / channels);
        let share = per_group * area;
        let mut largest = vec![0f32; self.groups];
        let groups = output.chunks_exact_mut(share).zip(values.chunks_exact(share)).zip(&mut largest);
        let threads = parallel::threads_for_values(values.len());
        parallel::for_each(threads, groups.enumerate(), |(group, ((output, values), largest))| {
            let (mean, deviation) = self.statistics(values);
            for (index, (output, values)) in output.chunks_exact_mut(area).zip(values.chunks_exact(area)).enumerate() {
                let channel = group * per_group + index;
                let [gain, bias] = parameters.factors(channel, mean, deviation);
                transform(output, values, gain, bias, self.activation != NormActivation::None);
                if let Some(factor) = factors.get(channel) {
                    output.iter_mut().for_each(|value| *value *= factor);
                }
            }
            *largest = largest_magnitude(output);
        });
        largest.into_iter().fold(0.0, larger)
    }

    /// Mean and standard deviation. The variance comes from a second pass over the differences, since the
    /// difference of two large sums would lose it.
    fn statistics(&self, values: &[f32]) -> (f32, f32) {
        let count = values.len() as f32;
        let mean = sum(values) / count;
        (mean, (squares_around(values, mean) / count + self.epsilon).sqrt())
    }
}

fn transform(output: &mut [f32], values: &[f32], gain: f32, bias: f32, activate: bool) {
    widest(
        #[inline(always)]
        |fused| {
            for (out, &value) in output.iter_mut().zip(values) {
                let normal = fused.add(value, gain, bias);
                *out = if activate { arithmetic::silu(normal, fused) } else { normal };
            }
        },
    );
}
