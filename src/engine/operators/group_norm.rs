//! `GroupNorm`, `GroupNormSilu`, `GroupNormModulateSilu`: normalisation over groups of channels (Wu & He, arXiv
//! 1803.08494) with the modulation and activation that follow it, in one pass over each group.

use rayon::prelude::*;
use tract_onnx::tract_core::internal::*;

use super::check_length;
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::arithmetic::silu;
use crate::engine::lanes::{sum_of, widest};

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
#[derive(Debug)]
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
        let expected = if self.activation == NormActivation::ModulateSilu { 5 } else { 3 };
        ensure!(inputs.len() == expected, "{} takes {expected} inputs", self.name());
        let [1, channels, ..] = *inputs[0] else {
            bail!("{} takes one picture, not shape {:?}", self.name(), inputs[0])
        };
        ensure!(
            self.groups > 0 && channels.is_multiple_of(self.groups),
            "{channels} channels do not divide into {} groups",
            self.groups
        );
        inputs[1..]
            .iter()
            .try_for_each(|shape| check_length("a channel parameter", shape, channels))?;
        Ok(inputs[0].into())
    }

    fn run(&self, inputs: &Inputs, output: &mut [f32]) -> TractResult<()> {
        let channels = inputs.shape(0)[1];
        let (values, gains, biases) = (inputs.floats(0)?, inputs.floats(1)?, inputs.floats(2)?);
        let modulation = match self.activation {
            NormActivation::ModulateSilu => Some((inputs.floats(3)?, inputs.floats(4)?)),
            _ => None,
        };
        let (per_group, area) = (channels / self.groups, values.len() / channels);
        let share = per_group * area;
        output
            .par_chunks_mut(share)
            .zip(values.par_chunks(share))
            .enumerate()
            .for_each(|(group, (output, values))| {
                let (mean, deviation) = self.statistics(values);
                for (index, (output, values)) in output.chunks_exact_mut(area).zip(values.chunks_exact(area)).enumerate() {
                    let channel = group * per_group + index;
                    let mut gain = gains[channel] / deviation;
                    let mut bias = biases[channel] - mean * gain;
                    if let Some((scales, shifts)) = modulation {
                        let scale = 1.0 + scales[channel];
                        (gain, bias) = (gain * scale, bias * scale + shifts[channel]);
                    }
                    transform(output, values, gain, bias, self.activation != NormActivation::None);
                }
            });
        Ok(())
    }
}

impl GroupNorm {
    /// Mean and standard deviation. The variance comes from a second pass over the differences, since the
    /// difference of two large sums would lose it.
    fn statistics(&self, values: &[f32]) -> (f32, f32) {
        let count = values.len() as f32;
        let mean = sum_of(values, |value| value) / count;
        (
            mean,
            (sum_of(values, |value| (value - mean) * (value - mean)) / count + self.epsilon).sqrt(),
        )
    }
}

fn transform(output: &mut [f32], values: &[f32], gain: f32, bias: f32, activate: bool) {
    widest(
        #[inline(always)]
        || {
            if activate {
                output
                    .iter_mut()
                    .zip(values)
                    .for_each(|(out, &value)| *out = silu(value * gain + bias));
            } else {
                output.iter_mut().zip(values).for_each(|(out, &value)| *out = value * gain + bias);
            }
        },
    );
}
