//! `Silu`: x·sigmoid(x), element by element.

use rayon::prelude::*;
use tract_onnx::tract_core::internal::*;

use crate::engine::adapter::{Inputs, Operator};
use crate::engine::arithmetic::silu;
use crate::engine::lanes::widest;
use crate::engine::shares;

/// x·sigmoid(x).
#[derive(Debug)]
pub struct Silu;

impl Operator for Silu {
    fn name(&self) -> &'static str {
        "Silu"
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        ensure!(inputs.len() == 1, "Silu takes one input");
        Ok(inputs[0].into())
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let values = inputs.floats(0)?;
        output
            .par_chunks_mut(shares::VALUES)
            .zip(values.par_chunks(shares::VALUES))
            .for_each(|(output, values)| {
                widest(
                    #[inline(always)]
                    |fused| {
                        for (out, &value) in output.iter_mut().zip(values) {
                            *out = silu(value, fused);
                        }
                    },
                );
            });
        Ok(())
    }
}
