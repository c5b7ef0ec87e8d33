//! `QConv`: convolution with mapped int8 weights; the input is quantized with one scale. What stands before and
//! after it in a graph can be made part of it: a group normalisation, a nearest enlargement, an activation, an addition.

use std::collections::BTreeMap;
use std::sync::Arc;

use tract_onnx::tract_core::internal::*;

use super::{GroupNorm, Parameters, check_length};
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::arithmetic::Activation;
use crate::engine::int8::{Image, Layout, Outputs, Padding, WeightMatrix, Window, convolve, largest_of};
use crate::engine::kernels::Kernel;
use crate::pack::ExternalTensor;

/// Inputs: x `[1, C, H, W]`, scale `[O]`, bias `[O]`, the parameters of the normalisation where there is one, where shifted O
/// values, and where something is added a picture of the output's shape; output `[1, O, H', W']`.
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
    /// Normalisation of the input.
    pub norm: Option<GroupNorm>,
    /// How often each row and column of the input is repeated, after the normalisation.
    pub enlarge: usize,
    /// Whether a value a channel is added to the output, apart from the bias.
    pub shifted: bool,
    /// Function of every output.
    pub activation: Option<Activation>,
    /// Whether the last input is added to the output, after the activation.
    pub residual: bool,
}

impl QuantizedConvolution {
    /// Inputs before the parameters of the normalisation.
    pub const OWN_INPUTS: usize = 3;

    /// A layer that took in nothing yet and is not bound to its weights, `[outputs, (y, x, channel)]`.
    pub fn new(
        tensor: String,
        [outputs, channels]: [usize; 2],
        window: Window,
        padding: Padding,
        kernel: &'static dyn Kernel,
    ) -> QuantizedConvolution {
        QuantizedConvolution {
            tensor,
            outputs,
            channels,
            window,
            padding,
            kernel,
            weights: None,
            norm: None,
            enlarge: 1,
            shifted: false,
            activation: None,
            residual: false,
        }
    }

    fn parameters(&self) -> usize {
        self.norm.as_ref().map_or(0, GroupNorm::parameters)
    }

    /// How the picture of a shape, `[1, C, H, W]`, is quantized.
    fn layout(&self, picture: &[usize]) -> Layout {
        Layout {
            shape: [picture[1], picture[2], picture[3]],
            enlarge: self.enlarge,
            padding: self.padding,
        }
    }

    /// Quantizes the picture with what belongs before, in room for the normalised and the quantized picture.
    fn quantize<'a>(&self, inputs: &Inputs, workspace: &'a mut [f32]) -> TractResult<Image<'a>> {
        let (layout, mask) = (self.layout(inputs.shape(0)), self.kernel.activation_mask());
        let (normalised, quantized) = workspace.split_at_mut(workspace.len() - layout.bytes() / size_of::<f32>());
        let quantized = bytemuck::cast_slice_mut(quantized);
        let picture = inputs.floats(0)?;
        let Some(norm) = &self.norm else {
            return Ok(Image::quantize(picture, largest_of(picture), &layout, mask, quantized));
        };
        let parameters = Parameters::read(inputs, Self::OWN_INPUTS, norm.activation)?;
        let largest = norm.apply(picture, &parameters, normalised);
        Ok(Image::quantize(normalised, largest, &layout, mask, quantized))
    }

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
        let (shift, parameters) = (Self::OWN_INPUTS + self.parameters(), usize::from(self.shifted));
        let expected = shift + parameters + usize::from(self.residual);
        ensure!(inputs.len() == expected, "QConv takes {expected} inputs beside its weights");
        let [1, channels, height, width] = *inputs[0] else {
            bail!("QConv takes one picture, not shape {:?}", inputs[0])
        };
        ensure!(
            channels == self.channels,
            "the picture has {channels} channels where the weights have {}",
            self.channels
        );
        inputs[1..Self::OWN_INPUTS]
            .iter()
            .chain(&inputs[shift..shift + parameters])
            .try_for_each(|shape| check_length("a channel parameter", shape, self.outputs))?;
        if let Some(norm) = &self.norm {
            norm.check(inputs[0], &inputs[Self::OWN_INPUTS..][..self.parameters()])?;
        }
        let [tall, wide] = self.positions(height * self.enlarge, width * self.enlarge)?;
        let output = tvec!(1, self.outputs, tall, wide);
        ensure!(
            !self.residual || inputs.last() == Some(&&*output),
            "what is added has shape {:?}, not {output:?}",
            inputs.last()
        );
        Ok(output)
    }

    fn workspace(&self, inputs: &[&[usize]]) -> usize {
        let normalised = if self.norm.is_some() { inputs[0].iter().product() } else { 0 };
        normalised + self.layout(inputs[0]).bytes() / size_of::<f32>()
    }

    fn run(&self, inputs: &Inputs, workspace: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let weights = self.weights.as_ref().context("QConv is not bound to its weights")?;
        let (shape, image) = (inputs.shape(0), self.quantize(inputs, workspace)?);
        let outputs = Outputs {
            scales: inputs.floats(1)?,
            biases: inputs.floats(2)?,
            shifts: if self.shifted {
                inputs.floats(Self::OWN_INPUTS + self.parameters())?
            } else {
                &[]
            },
            activation: self.activation,
            residual: if self.residual { inputs.floats(inputs.count() - 1)? } else { &[] },
        };
        let positions = self.positions(shape[2] * self.enlarge, shape[3] * self.enlarge)?;
        convolve(self.kernel, weights, &image, self.window, positions, outputs, output);
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
