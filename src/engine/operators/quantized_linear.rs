//! `QLinear`: matrix product with mapped int8 weights; each row of the input is quantized with its own scale. What stands
//! after it in a graph can be made part of it: an activation, a gate, an addition.

use std::collections::BTreeMap;
use std::sync::Arc;

use tract_onnx::tract_core::internal::*;

use super::check_length;
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::arithmetic::Activation;
use crate::engine::int8::{Outputs, WeightMatrix, multiply_rows};
use crate::engine::kernels::Kernel;
use crate::pack::ExternalTensor;

/// Inputs: x `[…, K]`, scale `[M]`, bias `[M]`, where gated M factors, and where something is added a value of the output's
/// shape; output `[…, M]`.
#[derive(Clone, Debug)]
pub struct QuantizedLinear {
    /// Name of the weights among the mapped tensors.
    pub tensor: String,
    /// M, the width of the output.
    pub rows: usize,
    /// K, the width of the input.
    pub inputs: usize,
    /// The micro-kernel.
    pub kernel: &'static dyn Kernel,
    /// The weights, once bound.
    pub weights: Option<Arc<WeightMatrix>>,
    /// Function of every output.
    pub activation: Option<Activation>,
    /// Whether the outputs are multiplied by an input's factors, one a row of the weights, after the activation.
    pub gated: bool,
    /// Whether the last input is added to the output.
    pub residual: bool,
}

impl QuantizedLinear {
    /// Inputs before the factors and what is added.
    pub const OWN_INPUTS: usize = 3;
}

impl Operator for QuantizedLinear {
    fn name(&self) -> &'static str {
        "QLinear"
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let expected = Self::OWN_INPUTS + usize::from(self.gated) + usize::from(self.residual);
        ensure!(inputs.len() == expected, "QLinear takes {expected} inputs beside its weights");
        ensure!(
            inputs[0].last() == Some(&self.inputs),
            "x has shape {:?} where the last axis must be {}",
            inputs[0],
            self.inputs
        );
        inputs[1..expected - usize::from(self.residual)]
            .iter()
            .try_for_each(|shape| check_length("a row parameter", shape, self.rows))?;
        let mut shape: TVec<usize> = inputs[0].into();
        if let Some(last) = shape.last_mut() {
            *last = self.rows;
        }
        ensure!(
            !self.residual || inputs.last() == Some(&&*shape),
            "what is added has shape {:?}, not {shape:?}",
            inputs.last()
        );
        Ok(shape)
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let weights = self.weights.as_ref().context("QLinear is not bound to its weights")?;
        let outputs = Outputs {
            scales: inputs.floats(1)?,
            biases: inputs.floats(2)?,
            shifts: &[],
            activation: self.activation,
            residual: if self.residual { inputs.floats(inputs.count() - 1)? } else { &[] },
        };
        let gates = if self.gated { inputs.floats(Self::OWN_INPUTS)? } else { &[] };
        multiply_rows(self.kernel, weights, inputs.floats(0)?, outputs, gates, output);
        Ok(())
    }

    fn bind(&self, tensors: &BTreeMap<String, ExternalTensor>) -> TractResult<Option<Arc<dyn Operator>>> {
        let tensor = tensors
            .get(&self.tensor)
            .with_context(|| format!("there are no mapped weights '{}'", self.tensor))?;
        let weights = Some(Arc::new(WeightMatrix::new(tensor, self.rows, self.inputs)?));
        Ok(Some(Arc::new(QuantizedLinear { weights, ..self.clone() })))
    }
}
