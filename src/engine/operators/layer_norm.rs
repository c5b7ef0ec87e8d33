//! `LayerNormalization` of the standard ONNX domain over the last axis (Ba et al., arXiv 1607.06450).

use rayon::prelude::*;
use tract_onnx::tract_core::internal::*;

use super::check_length;
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::lanes::{squares_around, sum, widest};
use crate::engine::shares;

/// Inputs: x `[…, C]`, gain `[C]`, bias `[C]`.
#[derive(Debug)]
pub struct LayerNorm {
    /// Added to the variance.
    pub epsilon: f32,
}

impl Operator for LayerNorm {
    fn name(&self) -> &'static str {
        "LayerNormalization"
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        ensure!(inputs.len() == 3, "LayerNormalization takes x, a gain and a bias");
        let Some(&width) = inputs[0].last() else {
            bail!("LayerNormalization takes at least one axis")
        };
        inputs[1..]
            .iter()
            .try_for_each(|shape| check_length("a channel parameter", shape, width))?;
        Ok(inputs[0].into())
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let (values, gains, biases) = (inputs.floats(0)?, inputs.floats(1)?, inputs.floats(2)?);
        let width = gains.len();
        output
            .par_chunks_mut(width)
            .zip(values.par_chunks(width))
            .with_min_len(shares::items(width))
            .for_each(|(output, values)| {
                let mean = sum(values) / width as f32;
                let variance = squares_around(values, mean) / width as f32;
                let factor = 1.0 / (variance + self.epsilon).sqrt();
                widest(
                    #[inline(always)]
                    |fused| {
                        for (((out, value), &gain), &bias) in output.iter_mut().zip(values).zip(gains).zip(biases) {
                            *out = fused.add((value - mean) * factor, gain, bias);
                        }
                    },
                );
            });
        Ok(())
    }
}
