//! Every operator against a plain reference in f64, on shapes with odd sizes, strides and uneven padding.

use std::collections::BTreeMap;
use std::sync::Arc;

use tract_onnx::tract_core::internal::*;

use super::*;
use crate::engine::AT_MOST;
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::arithmetic::Activation;
use crate::engine::int8::{Padding, Window};
use crate::engine::kernels::{self, GROUP, Kernel, ROWS};
use crate::pack::ExternalTensor;

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
    let mut workspace = vec![f32::NAN; operator.workspace(&shapes)];
    operator
        .run(&Inputs::of_tensors(inputs).unwrap(), &mut workspace, &mut output)
        .unwrap();
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

fn bound(operator: &dyn Operator, tensor: ExternalTensor) -> Arc<dyn Operator> {
    operator.bind(&BTreeMap::from([("w".to_owned(), tensor)])).unwrap().unwrap()
}

/// The value that int8 stands for, with the scale of the values' largest magnitude.
fn fake_quantized(values: &[f32]) -> Vec<f64> {
    let scale = values.iter().fold(1e-12f32, |largest, value| largest.max(value.abs())) / 127.0;
    let inverse = 1.0 / scale;
    values
        .iter()
        .map(|value| f64::from((value * inverse).round_ties_even()) * f64::from(scale))
        .collect()
}

struct Picture<'a> {
    values: &'a [f64],
    channels: usize,
    height: usize,
    width: usize,
}

/// Convolution as its definition says; `weight(output, channel, y, x)`.
fn reference_convolution(
    picture: Picture,
    outputs: usize,
    window: Window,
    padding: Padding,
    weight: impl Fn(usize, usize, usize, usize) -> f64,
) -> (Vec<usize>, Vec<f64>) {
    let tall = (picture.height + padding.top + padding.bottom - window.size[0]) / window.strides[0] + 1;
    let wide = (picture.width + padding.left + padding.right - window.size[1]) / window.strides[1] + 1;
    let mut result = Vec::new();
    for output in 0..outputs {
        for (row, column) in (0..tall).flat_map(|row| (0..wide).map(move |column| (row, column))) {
            let mut sum = 0.0;
            for (channel, y, x) in
                (0..picture.channels).flat_map(|c| (0..window.size[0]).flat_map(move |y| (0..window.size[1]).map(move |x| (c, y, x))))
            {
                let from_y = (row * window.strides[0] + y)
                    .checked_sub(padding.top)
                    .filter(|&y| y < picture.height);
                let from_x = (column * window.strides[1] + x)
                    .checked_sub(padding.left)
                    .filter(|&x| x < picture.width);
                if let (Some(from_y), Some(from_x)) = (from_y, from_x) {
                    sum += weight(output, channel, y, x) * picture.values[(channel * picture.height + from_y) * picture.width + from_x];
                }
            }
            result.push(sum);
        }
    }
    (vec![1, outputs, tall, wide], result)
}

/// Windows, strides and paddings that networks have, and some that they do not.
fn windows() -> Vec<(Window, Padding)> {
    let window = |size, strides| Window { size, strides };
    let padding = |top, left, bottom, right| Padding { top, left, bottom, right };
    vec![
        (window([3, 3], [1, 1]), padding(1, 1, 1, 1)),
        (window([1, 1], [1, 1]), padding(0, 0, 0, 0)),
        (window([3, 3], [2, 2]), padding(1, 1, 1, 1)),
        (window([2, 5], [1, 3]), padding(0, 4, 1, 2)),
    ]
}

#[test]
fn quantized_convolutions_are_integer_arithmetic_with_every_kernel() {
    let mut numbers = Numbers(3);
    for (window, padding) in windows().into_iter().take(AT_MOST) {
        let shapes = [(8, 4, 5, 5), (13, 12, 7, 9), (3, 8, 16, 33), (40, 20, 9, 3)];
        for (outputs, channels, height, width) in shapes.into_iter().take(AT_MOST) {
            let inputs = window.size[0] * window.size[1] * channels;
            let weights: Vec<Vec<i8>> = (0..outputs).map(|_| (0..inputs).map(|_| numbers.weight()).collect()).collect();
            let (picture, scales, biases) = (
                numbers.floats(channels * height * width),
                numbers.floats(outputs),
                numbers.floats(outputs),
            );
            let values = fake_quantized(&picture);
            let reference = Picture {
                values: &values,
                channels,
                height,
                width,
            };
            let place = |channel: usize, y: usize, x: usize| (y * window.size[1] + x) * channels + channel;
            let (shape, mut expected) = reference_convolution(reference, outputs, window, padding, |o, c, y, x| {
                f64::from(weights[o][place(c, y, x)])
            });
            let area = shape[2] * shape[3];
            expected
                .iter_mut()
                .enumerate()
                .for_each(|(i, sum)| *sum = *sum * f64::from(scales[i / area]) + f64::from(biases[i / area]));
            let mut all = Vec::new();
            for kernel in kernels::available() {
                let operator = QuantizedConvolution {
                    tensor: "w".into(),
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
                };
                let values = [
                    value(&[1, channels, height, width], &picture),
                    value(&[outputs], &scales),
                    value(&[outputs], &biases),
                ];
                let (found_shape, found) = run(&*bound(&operator, mapped(&weights)), &values);
                assert_eq!(found_shape, shape);
                assert_close(&found, &expected, 1e-4);
                all.push(found);
            }
            assert!(all.iter().all(|found| *found == all[0]), "kernels differ");
        }
    }
}

#[test]
fn what_is_fused_into_a_convolution_changes_no_bit() {
    let mut numbers = Numbers(17);
    let kernel = kernels::available()[0];
    let (channels, outputs, height, width) = (12, 8, 6, 7);
    let (window, padding) = windows()[0];
    let weights: Vec<Vec<i8>> = (0..outputs)
        .map(|_| (0..9 * channels).map(|_| numbers.weight()).collect())
        .collect();
    let plain = QuantizedConvolution {
        tensor: "w".into(),
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
    };
    let norm = GroupNorm {
        groups: 3,
        epsilon: 1e-5,
        activation: NormActivation::ModulateSilu,
    };
    let picture = value(&[1, channels, height, width], &numbers.floats(channels * height * width));
    let parameters: Vec<TValue> = (0..4).map(|_| value(&[channels], &numbers.floats(channels))).collect();
    let own = [
        value(&[outputs], &numbers.floats(outputs)),
        value(&[outputs], &numbers.floats(outputs)),
    ];
    let inputs = |picture: &TValue, more: &[TValue]| [std::slice::from_ref(picture), &own[..], more].concat();

    let (shape, normalised) = run(&norm, &[std::slice::from_ref(&picture), &parameters[..]].concat());
    let apart = run(&*bound(&plain, mapped(&weights)), &inputs(&value(&shape, &normalised), &[]));
    let fused = QuantizedConvolution {
        norm: Some(norm),
        ..plain.clone()
    };
    assert_eq!(run(&*bound(&fused, mapped(&weights)), &inputs(&picture, &parameters)), apart);

    let added = numbers.floats(outputs * height * width);
    let residual = [&parameters[..], &[value(&[1, outputs, height, width], &added)]].concat();
    let fused = QuantizedConvolution { residual: true, ..fused };
    let (_, found) = run(&*bound(&fused, mapped(&weights)), &inputs(&picture, &residual));
    assert!(
        found
            .iter()
            .zip(&apart.1)
            .zip(&added)
            .all(|((found, apart), added)| *found == apart + added)
    );

    let large: Vec<f32> = (0..channels * height * 2 * width * 2)
        .map(|i| (i / (width * 2), i % (width * 2)))
        .map(|(row, x)| {
            picture.try_as_plain_ram().unwrap().as_slice::<f32>().unwrap()
                [row / (height * 2) * height * width + row % (height * 2) / 2 * width + x / 2]
        })
        .collect();
    let apart = run(
        &*bound(&plain, mapped(&weights)),
        &inputs(&value(&[1, channels, height * 2, width * 2], &large), &[]),
    );
    let activated = QuantizedConvolution {
        activation: Some(Activation::GeluTanh),
        residual: true,
        ..plain.clone()
    };
    let (_, alone) = run(&*bound(&plain, mapped(&weights)), &inputs(&picture, &[]));
    let residual = numbers.floats(alone.len());
    let added = value(&[1, outputs, height, width], &residual);
    let (_, found) = run(&*bound(&activated, mapped(&weights)), &inputs(&picture, &[added]));
    assert_eq!(found, one_after_another(&alone, Some(Activation::GeluTanh), None, Some(&residual)));

    let shifted = QuantizedConvolution {
        shifted: true,
        residual: true,
        ..plain.clone()
    };
    let shifts = numbers.floats(outputs);
    let more = [value(&[1, outputs, 1, 1], &shifts), value(&[1, outputs, height, width], &residual)];
    let (_, found) = run(&*bound(&shifted, mapped(&weights)), &inputs(&picture, &more));
    let area = height * width;
    let expected = alone.iter().zip(&residual).enumerate();
    let expected: Vec<f32> = expected
        .map(|(index, (value, added))| value + shifts[index / area] + added)
        .collect();
    assert_eq!(found, expected);

    let fused = QuantizedConvolution { enlarge: 2, ..plain };
    assert_eq!(run(&*bound(&fused, mapped(&weights)), &inputs(&picture, &[])), apart);
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
fn float_convolutions_are_their_definition() {
    let mut numbers = Numbers(7);
    for (window, padding) in windows().into_iter().take(AT_MOST) {
        for (outputs, channels, height, width) in [(1, 1, 5, 5), (5, 3, 7, 20), (6, 2, 5, 131)] {
            let weights = numbers.floats(outputs * channels * window.size[0] * window.size[1]);
            let (picture, biases) = (numbers.floats(channels * height * width), numbers.floats(outputs));
            let values: Vec<f64> = picture.iter().copied().map(f64::from).collect();
            let at = |o: usize, c: usize, y: usize, x: usize| ((o * channels + c) * window.size[0] + y) * window.size[1] + x;
            let reference = Picture {
                values: &values,
                channels,
                height,
                width,
            };
            let (shape, mut expected) =
                reference_convolution(reference, outputs, window, padding, |o, c, y, x| f64::from(weights[at(o, c, y, x)]));
            let area = shape[2] * shape[3];
            expected
                .iter_mut()
                .enumerate()
                .for_each(|(i, sum)| *sum += f64::from(biases[i / area]));
            let operator = FloatConvolution {
                strides: window.strides,
                padding,
            };
            let kernel_shape = [outputs, channels, window.size[0], window.size[1]];
            let inputs = [
                value(&[1, channels, height, width], &picture),
                value(&kernel_shape, &weights),
                value(&[outputs], &biases),
            ];
            let (found_shape, found) = run(&operator, &inputs);
            assert_eq!(found_shape, shape);
            assert_close(&found, &expected, 1e-5);
        }
    }
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
fn normalised(row: &[f32], centred: bool) -> Vec<f64> {
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
fn rows_are_normalised_and_modulated() {
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
            for (place, normal) in normalised(row, layer).into_iter().enumerate() {
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
fn queries_whose_keys_are_all_masked_get_nothing() {
    let (queries, keys, width) = (3, 20, 8);
    let mut numbers = Numbers(29);
    let mut inputs: Vec<_> = [queries, keys, keys]
        .map(|rows| value(&[1, rows, width], &numbers.floats(rows * width)))
        .into();
    let mut mask = vec![0.0; queries * keys];
    mask[keys..2 * keys].fill(f32::NEG_INFINITY);
    inputs.push(value(&[1, 1, queries, keys], &mask));
    let operator = Attention {
        heads: 1,
        scale: 0.5,
        masked: true,
    };
    let found = run(&operator, &inputs).1;
    assert_eq!(found[width..2 * width], [0.0; 8]);
    assert!(found.iter().all(|value| value.is_finite()) && found[0] != 0.0);
}

#[test]
fn attention_with_and_without_a_mask() {
    let mut numbers = Numbers(17);
    for (queries, keys, heads, width) in [(1, 1, 1, 4), (5, 3, 2, 8), (6, 37, 3, 32), (9, 16, 1, 50)]
        .into_iter()
        .take(AT_MOST)
    {
        let channels = heads * width;
        let [q, k, v] = [queries, keys, keys].map(|rows| numbers.floats(rows * channels));
        // None, by key, by query and key, by head, query and key.
        for bias in [None, Some([1, 1]), Some([1, queries]), Some([heads, queries]), Some([heads, 1])] {
            let [mask_heads, mask_rows] = bias.unwrap_or([1, 1]);
            let rows = mask_heads * mask_rows;
            let mask: Vec<f32> = (0..rows * keys)
                .map(|place| match (place % keys, place / keys) {
                    (0, row) => 0.25 * row as f32,
                    (key, row) if (key + row) % 3 == 1 => f32::NEG_INFINITY,
                    (key, row) => 0.5 * key as f32 - 0.125 * row as f32,
                })
                .collect();
            let masked = bias.is_some();
            let added = |head: usize, query: usize, key: usize| {
                let row = if mask_heads > 1 { head * mask_rows } else { 0 } + if mask_rows > 1 { query } else { 0 };
                if masked { f64::from(mask[row * keys + key]) } else { 0.0 }
            };
            let scale = 0.7;
            let mut expected = vec![0.0; queries * channels];
            for (query, head) in (0..queries).flat_map(|query| (0..heads).map(move |head| (query, head))) {
                let row = |values: &[f32], index: usize| -> Vec<f64> {
                    values[index * channels + head * width..][..width]
                        .iter()
                        .copied()
                        .map(f64::from)
                        .collect()
                };
                let scores: Vec<f64> = (0..keys)
                    .map(|key| {
                        let product: f64 = row(&q, query).iter().zip(row(&k, key)).map(|(a, b)| a * b).sum();
                        product * scale + added(head, query, key)
                    })
                    .collect();
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
                for (key, score) in scores.iter().enumerate() {
                    for (place, value) in row(&v, key).iter().enumerate() {
                        expected[query * channels + head * width + place] += (score - largest).exp() / total * value;
                    }
                }
            }
            let mut inputs = vec![
                value(&[1, queries, channels], &q),
                value(&[1, keys, channels], &k),
                value(&[1, keys, channels], &v),
            ];
            if masked {
                inputs.push(value(&[1, mask_heads, mask_rows, keys], &mask));
            }
            let operator = Attention {
                heads,
                scale: scale as f32,
                masked,
            };
            assert_close(&run(&operator, &inputs).1, &expected, 1e-5);
        }
    }
}

#[test]
fn embeddings_are_scaled_rows_and_refuse_foreign_ids() {
    let table: Vec<u8> = (0..5 * 3).map(|value: u8| value.wrapping_sub(7)).collect();
    let operator = QuantizedEmbedding {
        tensor: "w".into(),
        rows: 5,
        width: 3,
        table: None,
    };
    let operator = bound(&operator, ExternalTensor::of_bytes(&table, vec![5, 3]));
    let scales = value(&[5], &[0.5, 1.0, 2.0, 4.0, 8.0]);
    let ids = |ids: &[i64]| Tensor::from_shape(&[1, ids.len()], ids).unwrap().into_tvalue();
    let (shape, found) = run(&*operator, &[ids(&[4, 0]), scales.clone()]);
    assert_eq!(shape, [1, 2, 3]);
    assert_eq!(found, [5.0 * 8.0, 6.0 * 8.0, 7.0 * 8.0, -7.0 * 0.5, -6.0 * 0.5, -5.0 * 0.5]);
    for id in [5, -1] {
        let inputs = [ids(&[id]), scales.clone()];
        assert!(operator.run(&Inputs::of_tensors(&inputs).unwrap(), &mut [], &mut [0.0; 3]).is_err());
    }
}

#[test]
fn wrong_shapes_are_refused() {
    let kernel: &'static dyn Kernel = kernels::available()[0];
    let window = Window {
        size: [3, 3],
        strides: [1, 1],
    };
    let padding = Padding {
        top: 0,
        left: 0,
        bottom: 0,
        right: 0,
    };
    let convolution = QuantizedConvolution {
        tensor: "w".into(),
        outputs: 8,
        channels: 4,
        window,
        padding,
        kernel,
        weights: None,
        norm: None,
        enlarge: 1,
        shifted: false,
        activation: None,
        residual: false,
    };
    assert!(
        convolution.output_shape(&[&[1, 4, 2, 9], &[8], &[8]]).is_err(),
        "the window is taller than the picture"
    );
    assert!(convolution.output_shape(&[&[2, 4, 9, 9], &[8], &[8]]).is_err());
    assert!(convolution.output_shape(&[&[1, 4, 9, 9], &[7], &[8]]).is_err());
    let short = ExternalTensor::of_bytes(&[0; 64], vec![1, 2, 8, 4]);
    assert!(convolution.bind(&BTreeMap::from([("w".to_owned(), short)])).is_err());
    assert!(convolution.bind(&BTreeMap::new()).is_err());
    let norm = GroupNorm {
        groups: 5,
        epsilon: 1e-5,
        activation: NormActivation::Silu,
    };
    assert!(norm.output_shape(&[&[1, 12, 2, 2], &[12], &[12]]).is_err());
}
