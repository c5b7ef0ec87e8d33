//! `Silu`, `Gelu`, `GeluTanh`, `Relu`: activation functions, element by element.

use std::sync::Arc;

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::internal::*;

use super::table::{Built, Resources, Schema};
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::arithmetic::{self, Activation};
use crate::engine::parallel;
use crate::engine::simd::{Fused, widest};

/// `Silu`.
pub static SILU: Schema = Schema {
    name: "Silu",
    doc: "x times its sigmoid.",
    definition: Some(
        "Silu (x) => (y) {
            gate = Sigmoid (x)
            y = Mul (x, gate)
        }",
    ),
};

/// `Gelu`.
pub static GELU: Schema = Schema {
    name: "Gelu",
    doc: "x times the share of a normal distribution below x.",
    definition: Some(
        "Gelu (x) => (y) {
            root = Constant <value = float {0.70710677}> ()
            scaled = Mul (x, root)
            gate = Erf (scaled)
            one = Constant <value = float {1.0}> ()
            half = Constant <value = float {0.5}> ()
            open = Add (gate, one)
            halved = Mul (x, half)
            y = Mul (halved, open)
        }",
    ),
};

/// `GeluTanh`.
pub static GELU_TANH: Schema = Schema {
    name: "GeluTanh",
    doc: "Gelu by a hyperbolic tangent.",
    definition: Some(
        "GeluTanh (x) => (y) {
            small = Constant <value = float {0.044715}> ()
            root = Constant <value = float {0.79788452}> ()
            square = Mul (x, x)
            cube = Mul (square, x)
            bend = Mul (cube, small)
            sum = Add (x, bend)
            scaled = Mul (sum, root)
            gate = Tanh (scaled)
            one = Constant <value = float {1.0}> ()
            half = Constant <value = float {0.5}> ()
            open = Add (gate, one)
            halved = Mul (x, half)
            y = Mul (halved, open)
        }",
    ),
};

/// `Relu`.
pub static RELU: Schema = Schema {
    name: "Relu",
    doc: "x, or 0 for what is less.",
    definition: None,
};

pub(super) fn silu(_: &NodeProto, _: &Resources) -> Built {
    Ok(Some(Arc::new(Activation::Silu)))
}

pub(super) fn gelu(_: &NodeProto, _: &Resources) -> Built {
    Ok(Some(Arc::new(Activation::Gelu)))
}

pub(super) fn gelu_tanh(_: &NodeProto, _: &Resources) -> Built {
    Ok(Some(Arc::new(Activation::GeluTanh)))
}

pub(super) fn relu(_: &NodeProto, _: &Resources) -> Built {
    Ok(Some(Arc::new(Activation::Relu)))
}

impl Operator for Activation {
    fn name(&self) -> &'static str {
        match self {
            Activation::Silu => SILU.name,
            Activation::Gelu => GELU.name,
            Activation::GeluTanh => GELU_TANH.name,
            Activation::Relu => RELU.name,
        }
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        ensure!(inputs.len() == 1, "{} takes one input", self.name());
        Ok(inputs[0].into())
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let values = inputs.floats(0)?;
        match self {
            Activation::Silu => apply(values, inputs.shape(0), output, arithmetic::silu),
            Activation::Gelu => apply(values, inputs.shape(0), output, arithmetic::gelu),
            Activation::GeluTanh => apply(values, inputs.shape(0), output, arithmetic::gelu_tanh),
            Activation::Relu => apply(values, inputs.shape(0), output, arithmetic::relu),
        }
        Ok(())
    }
}

#[inline(always)]
fn apply(values: &[f32], shape: &[usize], output: &mut [f32], function: impl Fn(f32, Fused) -> f32 + Sync) {
    parallel::for_each_chunk(output, shape, |start, output| {
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
