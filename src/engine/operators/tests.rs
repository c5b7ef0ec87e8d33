//! Every operator against a plain reference in f64, on shapes with odd sizes, strides and uneven padding.

use tract_onnx::tract_core::internal::*;

use super::*;
use crate::engine::AT_MOST;
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::arithmetic::Activation;
use crate::engine::geometry::{Padding, Window};
use crate::engine::int8::{Precision, WeightMatrix};
use crate::engine::kernels::{self, GROUP, ROWS};
use crate::pack::ExternalTensor;

mod attention;
mod convolution;
mod extension;
mod linear;
mod movement;

/// A small generator of test numbers (Marsaglia's xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float()).collect()
    }

    fn weight(&mut self) -> i8 {
        ((self.next() % 255) as i32 - 127) as i8
    }
}

fn value(shape: &[usize], values: &[f32]) -> TValue {
    Tensor::from_shape(shape, values).unwrap().into_tvalue()
}

/// The output's shape and values.
fn run(operator: &dyn Operator, inputs: &[TValue]) -> (Vec<usize>, Vec<f32>) {
    let shapes: Vec<&[usize]> = inputs.iter().map(|input| input.shape()).collect();
    let shape = operator.output_shape(&shapes).unwrap();
    // NaN shows every place that is not written.
    let mut output = vec![f32::NAN; shape.iter().product()];
    operator.compute(&Inputs::of_tensors(inputs).unwrap(), &mut output).unwrap();
    (shape.to_vec(), output)
}

fn assert_close(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(
            error <= tolerance * expected.abs().max(1.0),
            "value {index} is {found}, not {expected}"
        );
    }
}

/// Weights `[rows][inputs]` as the mapped panels of the pack format.
fn mapped(weights: &[Vec<i8>]) -> ExternalTensor {
    let (rows, inputs) = (weights.len(), weights[0].len());
    let panels = rows.div_ceil(ROWS);
    let mut bytes = vec![0u8; panels * ROWS * inputs];
    for (row, values) in weights.iter().enumerate() {
        for (input, &weight) in values.iter().enumerate() {
            let place = ((row / ROWS * (inputs / GROUP) + input / GROUP) * ROWS + row % ROWS) * GROUP + input % GROUP;
            bytes[place] = weight as u8;
        }
    }
    ExternalTensor::of_bytes(&bytes, vec![panels, inputs / GROUP, ROWS, GROUP])
}

/// The same as a weight matrix.
fn matrix(weights: &[Vec<i8>]) -> WeightMatrix {
    WeightMatrix::new(&mapped(weights), weights.len(), weights[0].len()).unwrap()
}

/// The precisions with the largest integer of each.
const PRECISIONS: [(Precision, f32); 2] = [(Precision::Int8, 127.0), (Precision::Int16, 32_385.0)];

/// The values that integers up to a limit stand for, with the scale of the values' largest magnitude.
fn fake_quantized_to(values: &[f32], limit: f32) -> Vec<f64> {
    let scale = values.iter().fold(1e-12f32, |largest, value| largest.max(value.abs())) / limit;
    let inverse = 1.0 / scale;
    values
        .iter()
        .map(|value| f64::from((value * inverse).round_ties_even()) * f64::from(scale))
        .collect()
}

/// The operators that a linear layer can take in, one after another.
fn one_after_another(plain: &[f32], activation: Option<Activation>, gates: Option<&[f32]>, residual: Option<&[f32]>) -> Vec<f32> {
    let shape = [plain.len()];
    let mut values = plain.to_vec();
    if let Some(activation) = activation {
        values = run(&activation, &[value(&shape, &values)]).1;
    }
    if let Some(gates) = gates {
        values.iter_mut().zip(gates.iter().cycle()).for_each(|(value, gate)| *value *= gate);
    }
    if let Some(residual) = residual {
        values.iter_mut().zip(residual).for_each(|(value, added)| *value += added);
    }
    values
}

#[test]
fn group_norms_with_and_without_what_follows() {
    let mut numbers = Numbers(11);
    let (channels, groups, epsilon) = (12, 4, 1e-5);
    for (height, width) in [(1, 1), (3, 5), (8, 8)] {
        let area = height * width;
        // A large mean must not cost accuracy.
        let x: Vec<f32> = numbers.floats(channels * area).iter().map(|value| value + 100.0).collect();
        let parameters: Vec<Vec<f32>> = (0..4).map(|_| numbers.floats(channels)).collect();
        for activation in [NormActivation::None, NormActivation::Silu, NormActivation::ModulateSilu] {
            let mut expected = Vec::new();
            for (channel, values) in x.chunks_exact(area).enumerate() {
                let share = channels / groups * area;
                let group: Vec<f64> = x[channel * area / share * share..][..share]
                    .iter()
                    .copied()
                    .map(f64::from)
                    .collect();
                let mean = group.iter().sum::<f64>() / share as f64;
                let variance = group.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / share as f64;
                let [gain, bias, scale, shift] = [0, 1, 2, 3].map(|index: usize| f64::from(parameters[index][channel]));
                for value in values {
                    let mut y = (f64::from(*value) - mean) / (variance + epsilon).sqrt() * gain + bias;
                    if activation == NormActivation::ModulateSilu {
                        y = y * (1.0 + scale) + shift;
                    }
                    expected.push(if activation == NormActivation::None {
                        y
                    } else {
                        y / (1.0 + (-y).exp())
                    });
                }
            }
            let mut inputs = vec![
                value(&[1, channels, height, width], &x),
                value(&[channels], &parameters[0]),
                value(&[channels], &parameters[1]),
            ];
            if activation == NormActivation::ModulateSilu {
                inputs.extend([2, 3].map(|index: usize| value(&[1, channels, 1, 1], &parameters[index])));
            }
            let operator = GroupNorm {
                groups,
                epsilon: epsilon as f32,
                activation,
            };
            assert_close(&run(&operator, &inputs).1, &expected, 2e-4);
        }
    }
}

/// A row less its centre, divided by the root of what is left's mean square.
fn normalized(row: &[f32], centred: bool) -> Vec<f64> {
    let count = row.len() as f64;
    let mean = if centred {
        row.iter().map(|v| f64::from(*v)).sum::<f64>() / count
    } else {
        0.0
    };
    let square = row.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / count;
    row.iter().map(|v| (f64::from(*v) - mean) / (square + 1e-5).sqrt()).collect()
}

#[test]
fn rows_are_normalized_and_modulated() {
    let mut numbers = Numbers(13);
    let kinds = [RowNormKind::Layer, RowNormKind::RootMeanSquare];
    for (width, kind, modulated) in [1, 7, 16, 50]
        .into_iter()
        .flat_map(|width| kinds.map(|kind| (width, kind)))
        .flat_map(|(width, kind)| [false, true].map(|modulated| (width, kind, modulated)))
    {
        let x = numbers.floats(3 * width);
        let [gain, bias, factor, shift] = [(); 4].map(|()| numbers.floats(width));
        let layer = kind == RowNormKind::Layer;
        let mut expected = Vec::new();
        for row in x.chunks_exact(width) {
            for (place, normal) in normalized(row, layer).into_iter().enumerate() {
                let of = |values: &[f32]| f64::from(values[place]);
                let made = normal * of(&gain) + if layer { of(&bias) } else { 0.0 };
                expected.push(if modulated { made * of(&factor) + of(&shift) } else { made });
            }
        }
        let mut inputs = vec![value(&[1, 3, width], &x), value(&[width], &gain)];
        inputs.extend(layer.then(|| value(&[width], &bias)));
        inputs.extend(
            [&factor, &shift]
                .into_iter()
                .filter(|_| modulated)
                .map(|values| value(&[1, 1, width], values)),
        );
        let norm = RowNorm {
            kind,
            epsilon: 1e-5,
            modulated,
        };
        assert_close(&run(&norm, &inputs).1, &expected, 1e-4);
    }
}

#[test]
fn embeddings_are_scaled_rows_and_refuse_foreign_ids() {
    let table: Vec<u8> = (0..5 * 3).map(|value: u8| value.wrapping_sub(7)).collect();
    let operator = QuantizedEmbedding {
        rows: 5,
        width: 3,
        table: ExternalTensor::of_bytes(&table, vec![5, 3]).data,
    };
    let scales = value(&[5], &[0.5, 1.0, 2.0, 4.0, 8.0]);
    let ids = |ids: &[i64]| Tensor::from_shape(&[1, ids.len()], ids).unwrap().into_tvalue();
    let (shape, found) = run(&operator, &[ids(&[4, 0]), scales.clone()]);
    assert_eq!(shape, [1, 2, 3]);
    assert_eq!(found, [5.0 * 8.0, 6.0 * 8.0, 7.0 * 8.0, -7.0 * 0.5, -6.0 * 0.5, -5.0 * 0.5]);
    for id in [5, -1] {
        let inputs = [ids(&[id]), scales.clone()];
        assert!(operator.run(&Inputs::of_tensors(&inputs).unwrap(), &mut [], &mut [0.0; 3]).is_err());
    }
}

#[test]
fn wrong_shapes_are_refused() {
    let window = Window {
        size: [3, 3],
        strides: [1, 1],
    };
    let weights = matrix(&vec![vec![1; 9 * 4]; 8]);
    let convolution = QuantizedConvolution::new(weights, window, Padding::default(), kernels::available()[0]);
    assert!(
        convolution.output_shape(&[&[1, 4, 2, 9], &[8], &[8]]).is_err(),
        "the window is taller than the picture"
    );
    assert!(convolution.output_shape(&[&[2, 4, 9, 9], &[8], &[8]]).is_err());
    assert!(convolution.output_shape(&[&[1, 4, 9, 9], &[7], &[8]]).is_err());
    let short = ExternalTensor::of_bytes(&[0; 64], vec![1, 2, 8, 4]);
    assert!(WeightMatrix::new(&short, 8, 36).is_err());
    assert!(WeightMatrix::mapped(None, 8, 36).is_err());
    for ([rows, inputs], shape) in [([8, 0], [1, 0, 8, 4]), ([0, 4], [0, 1, 8, 4])] {
        let nothing = ExternalTensor::of_bytes(&[0; 32], shape.to_vec());
        assert!(WeightMatrix::new(&nothing, rows, inputs).is_err(), "{rows} rows of {inputs}");
    }
    let norm = GroupNorm {
        groups: 5,
        epsilon: 1e-5,
        activation: NormActivation::Silu,
    };
    assert!(norm.output_shape(&[&[1, 12, 2, 2], &[12], &[12]]).is_err());
}
