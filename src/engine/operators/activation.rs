//! `Silu`, `Gelu`, `GeluTanh`: activation functions, element by element.

use tract_onnx::tract_core::internal::*;

use crate::engine::adapter::{Inputs, Operator};
use crate::engine::arithmetic::{Activation, gelu, gelu_tanh, silu};
use crate::engine::lanes::{Fused, widest};
use crate::engine::shares;

impl Operator for Activation {
    fn name(&self) -> &'static str {
        match self {
            Activation::Silu => "Silu",
            Activation::Gelu => "Gelu",
            Activation::GeluTanh => "GeluTanh",
        }
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        ensure!(inputs.len() == 1, "{} takes one input", self.name());
        Ok(inputs[0].into())
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let values = inputs.floats(0)?;
        match self {
            Activation::Silu => apply(values, inputs.shape(0), output, silu),
            Activation::Gelu => apply(values, inputs.shape(0), output, gelu),
            Activation::GeluTanh => apply(values, inputs.shape(0), output, gelu_tanh),
        }
        Ok(())
    }
}

#[inline(always)]
fn apply(values: &[f32], shape: &[usize], output: &mut [f32], function: impl Fn(f32, Fused) -> f32 + Sync) {
    shares::each_piece(output, shape, |start, output| {
        widest(
            #[inline(always)]
            |fused| {
                for (out, &value) in output.iter_mut().zip(&values[start..]) {
                    *out = function(value, fused);
                }
            },
        );
    });
}
