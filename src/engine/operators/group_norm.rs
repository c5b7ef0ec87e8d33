//! `GroupNorm`, `GroupNormSilu`, `GroupNormModulateSilu`: normalisation over groups of channels (Wu & He, arXiv
//! 1803.08494) with the modulation and activation that follow it, in one pass over each group.

use tract_onnx::tract_core::internal::*;

use super::check_length;
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::arithmetic::silu;
use crate::engine::lanes::{larger, largest_magnitude, squares_around, sum, widest};
use crate::engine::shares;

/// What follows the normalisation.
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
    /// What follows.
    pub activation: NormActivation,
}

impl Operator for GroupNorm {
    fn name(&self) -> &'static str {
        match self.activation {
            NormActivation::None => "GroupNorm",
            NormActivation::Silu => "GroupNormSilu",
            NormActivation::ModulateSilu => "GroupNormModulateSilu",
        }
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let expected = 1 + self.parameters();
        ensure!(inputs.len() == expected, "{} takes {expected} inputs", self.name());
        self.check(inputs[0], &inputs[1..])?;
        Ok(inputs[0].into())
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        self.apply(inputs.floats(0)?, &Parameters::read(inputs, 1, self.activation)?, output);
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

    /// By what a channel's values are multiplied, and what is added to them, in a group of a mean and standard deviation.
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

    /// Normalises `[C, …]` into `output`; returns the largest magnitude there. Threads share the groups.
    pub fn apply(&self, values: &[f32], parameters: &Parameters, output: &mut [f32]) -> f32 {
        let channels = parameters.gains.len();
        let (per_group, area) = (channels / self.groups, values.len() / channels);
        let share = per_group * area;
        let mut largest = vec![0f32; self.groups];
        let groups = output.chunks_exact_mut(share).zip(values.chunks_exact(share)).zip(&mut largest);
        let threads = shares::of_values(values.len());
        shares::each(threads, groups.enumerate(), |(group, ((output, values), largest))| {
            let (mean, deviation) = self.statistics(values);
            for (index, (output, values)) in output.chunks_exact_mut(area).zip(values.chunks_exact(area)).enumerate() {
                let [gain, bias] = parameters.factors(group * per_group + index, mean, deviation);
                transform(output, values, gain, bias, self.activation != NormActivation::None);
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
                *out = if activate { silu(normal, fused) } else { normal };
            }
        },
    );
}
