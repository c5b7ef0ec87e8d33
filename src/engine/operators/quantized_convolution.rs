//! `QConv` and `QConv16`: convolution with mapped int8 weights; the input is quantized with one scale, to 8 or to 16 bits. Adjacent
//! operators can be fused into it: a group normalization or a nearest-neighbour upsampling, constant factors of the input's channels, an
//! activation, a residual, an activation of the sum.

use std::sync::Arc;

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::internal::*;

use super::attributes::{padding, sizes, strides};
use super::table::{Built, Resources, Schema};
use super::{GroupNorm, Parameters, check_length};
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::arithmetic::Activation;
use crate::engine::geometry::{Padding, Window};
use crate::engine::int8::{Byte, Image, Layout, Outputs, Precision, WeightMatrix, convolve, image_mask, largest_scaled};
use crate::engine::kernels::{GROUP, Kernel};
use crate::engine::simd::largest_magnitude;

/// The definition of a convolution of values quantized to integers up to a limit.
macro_rules! definition {
    ($name:literal, $limit:literal) => {
        concat!(
            $name,
            " <kernel, strides, pads, m8> (x, w, scale, bias) => (y) {
            limit = Constant <value = float {",
            $limit,
            "}> ()
            least = Constant <value = float {1e-12}> ()
            magnitude = Abs (x)
            largest = ReduceMax <keepdims = 1> (magnitude)
            positive = Max (largest, least)
            step = Div (positive, limit)
            steps = Div (x, step)
            rounded = Round (steps)
            quantized = Mul (rounded, step)
            panels = Transpose <perm = [0, 2, 1, 3]> (w)
            padded_shape = Constant <value_ints: ints = @m8> ()
            padded = Reshape (panels, padded_shape)
            zero = Constant <value_ints = [0]> ()
            row_count = Shape (scale)
            rows = Slice (padded, zero, row_count)
            kernel_shape = Constant <value_ints: ints = @kernel> ()
            channels_last = Reshape (rows, kernel_shape)
            channels_first = Transpose <perm = [0, 3, 1, 2]> (channels_last)
            weights = DequantizeLinear <axis = 0> (channels_first, scale)
            y = Conv <strides: ints = @strides, pads: ints = @pads> (quantized, weights, bias)
        }"
        )
    };
}

/// `QConv`.
pub static Q_CONV: Schema = Schema {
    name: "QConv",
    doc: "Convolution of x, quantized to int8 with one scale, by int8 weights [m/8, k/4, 8, 4] with k in the order kh, kw, channel.",
    definition: Some(definition!("QConv", "127.0")),
};

/// `QConv16`.
pub static Q_CONV_16: Schema = Schema {
    name: "QConv16",
    doc: "Convolution of x, quantized to 16 bits with one scale, by int8 weights [m/8, k/4, 8, 4] with k in the order kh, kw, channel.",
    definition: Some(definition!("QConv16", "32385.0")),
};

pub(super) fn of_8_bits(node: &NodeProto, resources: &Resources) -> Built {
    Ok(Some(Arc::new(build(node, resources)?)))
}

pub(super) fn of_16_bits(node: &NodeProto, resources: &Resources) -> Built {
    Ok(Some(Arc::new(QuantizedConvolution {
        precision: Precision::Int16,
        ..build(node, resources)?
    })))
}

fn build(node: &NodeProto, resources: &Resources) -> TractResult<QuantizedConvolution> {
    let [outputs, height, width, channels] = sizes(node, "kernel")?;
    ensure!(
        channels.is_multiple_of(GROUP),
        "{channels} input channels are not a multiple of {GROUP}"
    );
    let window = Window {
        size: [height, width],
        strides: strides(node)?,
    };
    let inputs = height.checked_mul(width).and_then(|area| area.checked_mul(channels));
    let weights = WeightMatrix::mapped(resources.tensor, outputs, inputs.context("the window is too large")?)?;
    Ok(QuantizedConvolution::new(weights, window, padding(node)?, resources.kernel))
}

/// Inputs: x `[1, C, H, W]`, scale `[O]`, bias `[O]`, the parameters of a fused normalization, C factors if scaled, O values if shifted, and
/// a residual of the output's shape; output `[1, O, H', W']`.
#[derive(Clone, Debug)]
pub struct QuantizedConvolution {
    /// The weights, `[outputs, (y, x, channel)]`.
    pub weights: Arc<WeightMatrix>,
    /// The window's size and strides.
    pub window: Window,
    /// Zeros around the input.
    pub padding: Padding,
    /// The micro-kernel.
    pub kernel: &'static dyn Kernel,
    /// Precision of the input.
    pub precision: Precision,
    /// Normalization of the input.
    pub norm: Option<GroupNorm>,
    /// Whether the input's channels are multiplied by factors before they are quantized.
    pub scaled: bool,
    /// How often each row and column of the input is repeated.
    pub upsample: usize,
    /// Whether a value a channel is added to the output, apart from the bias.
    pub shifted: bool,
    /// Function of every output.
    pub activation: Option<Activation>,
    /// Whether the last input is added to the output, after the activation.
    pub residual: bool,
    /// Function of every output, after the residual is added.
    pub last_activation: Option<Activation>,
}

impl QuantizedConvolution {
    /// Number of inputs before the parameters of the normalization.
    pub const OWN_INPUTS: usize = 3;

    /// A convolution that no other operator is fused into.
    pub fn new(weights: WeightMatrix, window: Window, padding: Padding, kernel: &'static dyn Kernel) -> QuantizedConvolution {
        QuantizedConvolution {
            weights: Arc::new(weights),
            window,
            padding,
            kernel,
            precision: Precision::default(),
            norm: None,
            scaled: false,
            upsample: 1,
            shifted: false,
            activation: None,
            residual: false,
            last_activation: None,
        }
    }

    /// Input channels.
    fn channels(&self) -> usize {
        self.weights.inputs() / (self.window.size[0] * self.window.size[1])
    }

    fn parameters(&self) -> usize {
        self.norm.as_ref().map_or(0, GroupNorm::parameters)
    }

    /// The number of the input of shifts.
    fn shift(&self) -> usize {
        Self::OWN_INPUTS + self.parameters() + usize::from(self.scaled)
    }

    /// Factors of the input's channels; empty for none.
    fn factors<'a>(&self, inputs: &Inputs<'a>) -> TractResult<&'a [f32]> {
        if self.scaled { inputs.floats(self.shift() - 1) } else { Ok(&[]) }
    }

    /// How the picture of a shape, `[1, C, H, W]`, is quantized.
    fn layout(&self, picture: &[usize]) -> Layout {
        Layout {
            shape: [picture[1], picture[2], picture[3]],
            upsample: self.upsample,
            padding: self.padding,
        }
    }

    /// Normalizes the picture, if a normalization is fused, in scratch. Returns it, the factors by which its channels are still to be
    /// multiplied, and the largest magnitude after that.
    fn normalize<'a>(&self, inputs: &'a Inputs, scratch: &'a mut [f32]) -> TractResult<(&'a [f32], &'a [f32], f32)> {
        let (picture, factors) = (inputs.floats(0)?, self.factors(inputs)?);
        let Some(norm) = &self.norm else {
            return Ok((picture, factors, largest_scaled(picture, factors)));
        };
        let parameters = Parameters::read(inputs, Self::OWN_INPUTS, norm.activation)?;
        let largest = norm.apply(picture, &parameters, factors, scratch);
        Ok((scratch, &[], largest))
    }

    /// Height and width of the output for the picture's shape.
    fn output_size(&self, shape: &[usize]) -> TractResult<[usize; 2]> {
        self.positions(shape[2] * self.upsample, shape[3] * self.upsample)
    }

    fn positions(&self, height: usize, width: usize) -> TractResult<[usize; 2]> {
        let padded = self.padding.around([self.channels(), height, width], &self.window);
        padded
            .and_then(|[height, width]| self.window.positions(height, width))
            .with_context(|| format!("window {:?} does not fit a picture of {height}×{width}", self.window.size))
    }
}

impl Operator for QuantizedConvolution {
    fn name(&self) -> &'static str {
        match self.precision {
            Precision::Int8 => Q_CONV.name,
            Precision::Int16 => Q_CONV_16.name,
        }
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let (shift, parameters) = (self.shift(), usize::from(self.shifted));
        let expected = shift + parameters + usize::from(self.residual);
        ensure!(inputs.len() == expected, "QConv takes {expected} inputs beside its weights");
        let [1, channels, height, width] = *inputs[0] else {
            bail!("QConv takes one picture, not shape {:?}", inputs[0])
        };
        ensure!(
            channels == self.channels(),
            "the picture has {channels} channels where the weights have {}",
            self.channels()
        );
        inputs[1..Self::OWN_INPUTS]
            .iter()
            .chain(&inputs[shift..shift + parameters])
            .try_for_each(|shape| check_length("a channel parameter", shape, self.weights.rows()))?;
        if self.scaled {
            check_length("a factor of each channel", inputs[shift - 1], channels)?;
        }
        if let Some(norm) = &self.norm {
            norm.check(inputs[0], &inputs[Self::OWN_INPUTS..][..self.parameters()])?;
        }
        let [tall, wide] = self.positions(height * self.upsample, width * self.upsample)?;
        let output = tvec!(1, self.weights.rows(), tall, wide);
        ensure!(
            !self.residual || inputs.last() == Some(&&*output),
            "the residual has shape {:?}, not {output:?}",
            inputs.last()
        );
        Ok(output)
    }

    /// The quantized pictures, and their largest magnitude.
    fn workspace(&self, inputs: &[&[usize]]) -> usize {
        self.precision.bytes().len() * self.layout(inputs[0]).bytes() / size_of::<f32>() + 1
    }

    /// The normalized picture.
    fn scratch(&self, inputs: &[&[usize]]) -> Option<usize> {
        Some(if self.norm.is_some() { inputs[0].iter().product() } else { 0 })
    }

    fn prepare(&self, inputs: &Inputs, scratch: &mut [f32], workspace: &mut [f32]) -> TractResult<()> {
        let (shape, layout) = (inputs.shape(0), self.layout(inputs.shape(0)));
        let (picture, factors, magnitude) = self.normalize(inputs, scratch)?;
        let mask = image_mask(self.kernel, &self.weights, self.window, self.output_size(shape)?);
        let Some((largest, quantized)) = workspace.split_last_mut() else {
            bail!("QConv has no workspace")
        };
        *largest = magnitude;
        let images = bytemuck::cast_slice_mut(quantized).chunks_exact_mut(layout.bytes());
        for (byte, image) in self.precision.bytes().iter().zip(images) {
            Image::quantize(picture, factors, magnitude, *byte, &layout, mask, image);
        }
        Ok(())
    }

    fn channel_magnitudes(&self, inputs: &Inputs) -> TractResult<Option<Vec<f32>>> {
        let picture = inputs.floats(0)?;
        let mut normal = Vec::new();
        let values = match &self.norm {
            Some(norm) => {
                normal.resize(picture.len(), 0.0);
                norm.apply(
                    picture,
                    &Parameters::read(inputs, Self::OWN_INPUTS, norm.activation)?,
                    &[],
                    &mut normal,
                );
                &normal
            }
            None => picture,
        };
        let area = values.len() / self.channels();
        Ok(Some(values.chunks_exact(area.max(1)).map(largest_magnitude).collect()))
    }

    fn run(&self, inputs: &Inputs, workspace: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let (shape, layout) = (inputs.shape(0), self.layout(inputs.shape(0)));
        let positions = self.output_size(shape)?;
        let Some((largest, quantized)) = workspace.split_last() else {
            bail!("QConv has no workspace")
        };
        let outputs = Outputs {
            scales: inputs.floats(1)?,
            biases: inputs.floats(2)?,
            shifts: if self.shifted { inputs.floats(self.shift())? } else { &[] },
            activation: self.activation,
            residual: if self.residual { inputs.floats(inputs.count() - 1)? } else { &[] },
            last_activation: self.last_activation,
        };
        let images = bytemuck::cast_slice(quantized).chunks_exact(layout.bytes());
        for (byte, bytes) in self.precision.bytes().iter().zip(images) {
            let image = Image::of(bytes, *largest, *byte, &layout);
            let outputs = match byte {
                Byte::Only => outputs,
                Byte::Low => outputs.without_epilogue(),
                Byte::High => outputs.continuing(),
            };
            convolve(self.kernel, &self.weights, &image, self.window, positions, outputs, output);
        }
        Ok(())
    }
}
