//! `QConv`: convolution with mapped int8 weights; the input is quantized with one scale.

use std::collections::BTreeMap;
use std::sync::Arc;

use tract_onnx::tract_core::internal::*;

use super::check_length;
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::int8::{Image, Outputs, Padding, WeightMatrix, Window, convolve};
use crate::engine::kernels::Kernel;
use crate::pack::ExternalTensor;

/// Inputs: x `[1, C, H, W]`, scale `[O]`, bias `[O]`; output `[1, O, H', W']`.
#[derive(Clone, Debug)]
pub struct QuantizedConvolution {
    /// Name of the weights among the mapped tensors.
    pub tensor: String,
    /// Output channels.
    pub outputs: usize,
    /// Input channels.
    pub channels: usize,
    /// The window's size and strides.
    pub window: Window,
    /// Zeros around the input.
    pub padding: Padding,
    /// The micro-kernel.
    pub kernel: &'static dyn Kernel,
    /// The weights, once bound.
    pub weights: Option<Arc<WeightMatrix>>,
}

impl QuantizedConvolution {
    fn positions(&self, height: usize, width: usize) -> TractResult<[usize; 2]> {
        let padding = self.padding;
        self.window
            .positions(height + padding.top + padding.bottom, width + padding.left + padding.right)
            .with_context(|| format!("window {:?} does not fit a picture of {height}×{width}", self.window.size))
    }
}

impl Operator for QuantizedConvolution {
    fn name(&self) -> &'static str {
        "QConv"
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        ensure!(inputs.len() == 3, "QConv takes x, its weights, a scale and a bias");
        let [1, channels, height, width] = *inputs[0] else {
            bail!("QConv takes one picture, not shape {:?}", inputs[0])
        };
        ensure!(
            channels == self.channels,
            "the picture has {channels} channels where the weights have {}",
            self.channels
        );
        inputs[1..]
            .iter()
            .try_for_each(|shape| check_length("a channel parameter", shape, self.outputs))?;
        let [tall, wide] = self.positions(height, width)?;
        Ok(tvec!(1, self.outputs, tall, wide))
    }

    fn run(&self, inputs: &Inputs, output: &mut [f32]) -> TractResult<()> {
        let weights = self.weights.as_ref().context("QConv is not bound to its weights")?;
        let shape = [inputs.shape(0)[1], inputs.shape(0)[2], inputs.shape(0)[3]];
        let image = Image::quantize(inputs.floats(0)?, shape, self.padding, self.kernel.activation_mask());
        let outputs = Outputs {
            scales: inputs.floats(1)?,
            biases: inputs.floats(2)?,
        };
        convolve(
            self.kernel,
            weights,
            &image,
            self.window,
            self.positions(shape[1], shape[2])?,
            outputs,
            output,
        );
        Ok(())
    }

    fn bind(&self, tensors: &BTreeMap<String, ExternalTensor>) -> TractResult<Option<Arc<dyn Operator>>> {
        let tensor = tensors
            .get(&self.tensor)
            .with_context(|| format!("there are no mapped weights '{}'", self.tensor))?;
        let inputs = self.window.size[0] * self.window.size[1] * self.channels;
        let weights = Some(Arc::new(WeightMatrix::new(tensor, self.outputs, inputs)?));
        Ok(Some(Arc::new(QuantizedConvolution { weights, ..self.clone() })))
    }
}
