//! `QLinear` and `QLinear16`: matrix product with mapped int8 weights; each row of the input is quantized with its own scale, to 8 or to 16
//! bits. Adjacent operators can be fused into it: constant factors of the inputs, transpositions from a picture to rows and back, an activation, gates, a residual.

use std::sync::Arc;

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::internal::*;

use super::attributes::sizes;
use super::check_length;
use super::table::{Built, Resources, Schema};
use crate::engine::adapter::{Batched, Inputs, Operator};
use crate::engine::arithmetic::Activation;
use crate::engine::int8::{Order, Outputs, Precision, Product, Tokens, WeightMatrix, multiply};
use crate::engine::kernels::Kernel;
use crate::engine::simd::{larger, largest_magnitude};

/// The definition of a product of values quantized to integers up to a limit.
macro_rules! definition {
    ($name:literal, $limit:literal) => {
        concat!(
            $name,
            " <mk, m8> (x, w, scale, bias) => (y) {
            limit = Constant <value = float {",
            $limit,
            "}> ()
            least = Constant <value = float {1e-12}> ()
            magnitude = Abs (x)
            largest = ReduceMax <keepdims = 1, axes = [-1]> (magnitude)
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
            matrix_shape = Constant <value_ints: ints = @mk> ()
            matrix = Reshape (rows, matrix_shape)
            weights = DequantizeLinear <axis = 0> (matrix, scale)
            columns = Transpose <perm = [1, 0]> (weights)
            product = MatMul (quantized, columns)
            y = Add (product, bias)
        }"
        )
    };
}

/// `QLinear`.
pub static Q_LINEAR: Schema = Schema {
    name: "QLinear",
    doc: "Product of the rows of x, each quantized to int8 with a scale of its own, and int8 weights [m/8, k/4, 8, 4].",
    definition: Some(definition!("QLinear", "127.0")),
};

/// `QLinear16`.
pub static Q_LINEAR_16: Schema = Schema {
    name: "QLinear16",
    doc: "Product of the rows of x, each quantized to 16 bits with a scale of its own, and int8 weights [m/8, k/4, 8, 4].",
    definition: Some(definition!("QLinear16", "32385.0")),
};

pub(super) fn of_8_bits(node: &NodeProto, resources: &Resources) -> Built {
    Ok(Some(Arc::new(build(node, resources)?)))
}

pub(super) fn of_16_bits(node: &NodeProto, resources: &Resources) -> Built {
    Ok(Some(Arc::new(QuantizedLinear {
        precision: Precision::Int16,
        ..build(node, resources)?
    })))
}

fn build(node: &NodeProto, resources: &Resources) -> TractResult<QuantizedLinear> {
    let [rows, inputs] = sizes(node, "mk")?;
    let weights = WeightMatrix::mapped(resources.tensor, rows, inputs)?;
    Ok(QuantizedLinear::new(weights, resources.kernel))
}

/// Inputs: x `[…, K]` or a picture `[1, K, …]`, scale `[M]`, bias `[M]`, K factors if scaled, M factors if gated, and a residual of the output's shape if
/// there is one; output `[…, M]`, of a picture `[1, T, M]`, or a picture `[1, M, …]`. If the second half of the rows are gates of the first,
/// M is half of the weights' rows, except for scale and bias.
#[derive(Clone, Debug)]
pub struct QuantizedLinear {
    /// The weights, M rows of K inputs.
    pub weights: Arc<WeightMatrix>,
    /// The micro-kernel.
    pub kernel: &'static dyn Kernel,
    /// Precision of the input.
    pub precision: Precision,
    /// Whether each row's K values are multiplied by factors before they are quantized.
    pub scaled: bool,
    /// Whether the input is a picture, whose T pixels are the rows.
    pub from_picture: bool,
    /// Sides of the output picture, whose pixels are the rows; none if the output is rows.
    pub to_picture: Option<TVec<usize>>,
    /// Function of every output.
    pub activation: Option<Activation>,
    /// The function of the second half of the rows, by whose values the first half is multiplied (GEGLU and SwiGLU of Shazeer, arXiv
    /// 2002.05202); none if every row is an output.
    pub halved: Option<Activation>,
    /// Whether the outputs are multiplied by an input's factors, one a row of the weights, after the activation.
    pub gated: bool,
    /// Whether the last input is added to the output.
    pub residual: bool,
}

impl QuantizedLinear {
    /// Number of inputs before the factors and the residual.
    pub const OWN_INPUTS: usize = 3;

    /// A product that no other operator is fused into.
    pub fn new(weights: WeightMatrix, kernel: &'static dyn Kernel) -> QuantizedLinear {
        QuantizedLinear {
            weights: Arc::new(weights),
            kernel,
            precision: Precision::default(),
            scaled: false,
            from_picture: false,
            to_picture: None,
            activation: None,
            halved: None,
            gated: false,
            residual: false,
        }
    }

    /// The number of the input of gates.
    fn gates(&self) -> usize {
        Self::OWN_INPUTS + usize::from(self.scaled)
    }

    /// Rows of the output.
    fn rows(&self) -> usize {
        self.weights.rows() / if self.halved.is_some() { 2 } else { 1 }
    }

    /// Shape of the output by rows, for that of x.
    fn rows_shape(&self, x: &[usize]) -> TractResult<TVec<usize>> {
        if self.from_picture {
            let [1, channels, places @ ..] = x else {
                bail!("x has shape {x:?}; it must be a picture [1, channels, …]")
            };
            ensure!(
                *channels == self.weights.inputs(),
                "x has {channels} channels, not {}",
                self.weights.inputs()
            );
            return Ok(tvec!(1, places.iter().product(), self.rows()));
        }
        let Some((last, rows)) = x.split_last() else {
            bail!("x is a scalar")
        };
        ensure!(
            *last == self.weights.inputs(),
            "x has shape {x:?} where the last axis must be {}",
            self.weights.inputs()
        );
        Ok(rows.iter().copied().chain([self.rows()]).collect())
    }

    /// The product to compute.
    fn product<'a>(&'a self, inputs: &'a Inputs, output: &'a mut [f32]) -> TractResult<Product<'a>> {
        let order = |picture| if picture { Order::Picture } else { Order::Rows };
        Ok(Product {
            weights: &self.weights,
            tokens: Tokens {
                values: inputs.floats(0)?,
                inputs: self.weights.inputs(),
                order: order(self.from_picture),
                precision: self.precision,
                factors: if self.scaled { inputs.floats(Self::OWN_INPUTS)? } else { &[] },
            },
            outputs: Outputs {
                scales: inputs.floats(1)?,
                biases: inputs.floats(2)?,
                shifts: &[],
                activation: self.activation,
                residual: if self.residual { inputs.floats(inputs.count() - 1)? } else { &[] },
                last_activation: None,
            },
            gates: if self.gated { inputs.floats(self.gates())? } else { &[] },
            halved: self.halved,
            order: order(self.to_picture.is_some()),
            output,
        })
    }
}

impl Operator for QuantizedLinear {
    fn name(&self) -> &'static str {
        match self.precision {
            Precision::Int8 => Q_LINEAR.name,
            Precision::Int16 => Q_LINEAR_16.name,
        }
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let expected = self.gates() + usize::from(self.gated) + usize::from(self.residual);
        ensure!(inputs.len() == expected, "QLinear takes {expected} inputs beside its weights");
        let mut shape = self.rows_shape(inputs[0])?;
        inputs[1..Self::OWN_INPUTS]
            .iter()
            .try_for_each(|shape| check_length("a row parameter", shape, self.weights.rows()))?;
        if self.scaled {
            check_length("a factor of each input", inputs[Self::OWN_INPUTS], self.weights.inputs())?;
        }
        inputs[self.gates()..expected - usize::from(self.residual)]
            .iter()
            .try_for_each(|shape| check_length("a factor of each row", shape, self.rows()))?;
        if let Some(sides) = &self.to_picture {
            let picture = [1, self.rows()].into_iter().chain(sides.iter().copied()).collect::<TVec<_>>();
            ensure!(
                shape.iter().product::<usize>() == picture.iter().product::<usize>(),
                "outputs of shape {shape:?} do not form a picture of {sides:?}"
            );
            shape = picture;
        }
        ensure!(
            !self.residual || inputs.last() == Some(&&*shape),
            "the residual has shape {:?}, not {shape:?}",
            inputs.last()
        );
        Ok(shape)
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        multiply(self.kernel, vec![self.product(inputs, output)?]);
        Ok(())
    }

    fn channel_magnitudes(&self, inputs: &Inputs) -> TractResult<Option<Vec<f32>>> {
        let (values, width) = (inputs.floats(0)?, self.weights.inputs());
        if self.from_picture {
            let places = values.len() / width;
            return Ok(Some(values.chunks_exact(places.max(1)).map(largest_magnitude).collect()));
        }
        let mut largest = vec![0f32; width];
        for row in values.chunks_exact(width) {
            largest
                .iter_mut()
                .zip(row)
                .for_each(|(largest, value)| *largest = larger(value.abs(), *largest));
        }
        Ok(Some(largest))
    }

    fn can_batch(&self) -> bool {
        true
    }

    fn run_batch(&self, mut batch: Vec<Batched>) -> TractResult<()> {
        let products = batch.iter_mut().map(|(operator, inputs, output)| {
            let layer: &QuantizedLinear = operator.downcast().context("a batch of QLinear has another operator")?;
            layer.product(inputs, output)
        });
        multiply(self.kernel, products.collect::<TractResult<_>>()?);
        Ok(())
    }
}
