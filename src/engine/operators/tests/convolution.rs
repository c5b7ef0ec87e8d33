//! Convolutions of int8 and of floats, alone and with what they took in.

use super::*;

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
        (window([3, 3], [2, 1]), padding(1, 1, 1, 1)),
    ]
}

#[test]
fn quantized_convolutions_are_integer_arithmetic_with_every_kernel() {
    for (precision, limit) in PRECISIONS {
        quantized_convolutions_are_integer_arithmetic(precision, limit);
    }
}

fn quantized_convolutions_are_integer_arithmetic(precision: Precision, limit: f32) {
    let mut numbers = Numbers(3);
    for (window, padding) in windows().into_iter().take(AT_MOST) {
        let shapes = [
            (8, 4, 5, 5),
            (13, 12, 7, 9),
            (3, 8, 16, 33),
            (40, 20, 9, 3),
            (11, 12, 6, 32),
            (9, 8, 4, 8),
        ];
        for (outputs, channels, height, width) in shapes.into_iter().take(AT_MOST) {
            let inputs = window.size[0] * window.size[1] * channels;
            let weights: Vec<Vec<i8>> = (0..outputs).map(|_| (0..inputs).map(|_| numbers.weight()).collect()).collect();
            let (picture, scales, biases) = (
                numbers.floats(channels * height * width),
                numbers.floats(outputs),
                numbers.floats(outputs),
            );
            let values = fake_quantized_to(&picture, limit);
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
                    precision,
                    ..QuantizedConvolution::new(matrix(&weights), window, padding, kernel)
                };
                let values = [
                    value(&[1, channels, height, width], &picture),
                    value(&[outputs], &scales),
                    value(&[outputs], &biases),
                ];
                let (found_shape, found) = run(&operator, &values);
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
    for (precision, _) in PRECISIONS {
        what_is_fused_changes_no_bit(precision);
    }
}

fn what_is_fused_changes_no_bit(precision: Precision) {
    let mut numbers = Numbers(17);
    let kernel = kernels::available()[0];
    let (channels, outputs, height, width) = (12, 8, 6, 7);
    let (window, padding) = windows()[0];
    let weights: Vec<Vec<i8>> = (0..outputs)
        .map(|_| (0..9 * channels).map(|_| numbers.weight()).collect())
        .collect();
    let plain = QuantizedConvolution {
        precision,
        ..QuantizedConvolution::new(matrix(&weights), window, padding, kernel)
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

    let (shape, normalized) = run(&norm, &[std::slice::from_ref(&picture), &parameters[..]].concat());
    let apart = run(&plain, &inputs(&value(&shape, &normalized), &[]));
    let fused_norm = Some(norm);
    let fused = QuantizedConvolution {
        norm: fused_norm.clone(),
        ..plain.clone()
    };
    assert_eq!(run(&fused, &inputs(&picture, &parameters)), apart);

    let added = numbers.floats(outputs * height * width);
    let residual = [&parameters[..], &[value(&[1, outputs, height, width], &added)]].concat();
    let fused = QuantizedConvolution { residual: true, ..fused };
    let (_, found) = run(&fused, &inputs(&picture, &residual));
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
    let apart = run(&plain, &inputs(&value(&[1, channels, height * 2, width * 2], &large), &[]));
    let activated = QuantizedConvolution {
        activation: Some(Activation::GeluTanh),
        residual: true,
        ..plain.clone()
    };
    let (_, alone) = run(&plain, &inputs(&picture, &[]));
    let residual = numbers.floats(alone.len());
    let added = value(&[1, outputs, height, width], &residual);
    let (_, found) = run(&activated, &inputs(&picture, &[added]));
    assert_eq!(found, one_after_another(&alone, Some(Activation::GeluTanh), None, Some(&residual)));

    let rectified = QuantizedConvolution {
        last_activation: Some(Activation::Relu),
        ..activated
    };
    let (_, cut) = run(&rectified, &inputs(&picture, &[value(&[1, outputs, height, width], &residual)]));
    let above = |value: &f32| if *value > 0.0 { *value } else { 0.0 };
    assert_eq!(cut, found.iter().map(above).collect::<Vec<_>>());

    let shifted = QuantizedConvolution {
        shifted: true,
        residual: true,
        ..plain.clone()
    };
    let shifts = numbers.floats(outputs);
    let more = [value(&[1, outputs, 1, 1], &shifts), value(&[1, outputs, height, width], &residual)];
    let (_, found) = run(&shifted, &inputs(&picture, &more));
    let area = height * width;
    let expected = alone.iter().zip(&residual).enumerate();
    let expected: Vec<f32> = expected
        .map(|(index, (value, added))| value + shifts[index / area] + added)
        .collect();
    assert_eq!(found, expected);

    let fused = QuantizedConvolution {
        upsample: 2,
        ..plain.clone()
    };
    assert_eq!(run(&fused, &inputs(&picture, &[])), apart);

    let factors = value(&[channels, 1, 1], &numbers.floats(channels));
    for (norm, upsample, size) in [
        (None, 1, [height, width]),
        (None, 2, [height * 2, width * 2]),
        (fused_norm, 1, [height, width]),
    ] {
        let source = match &norm {
            Some(_) => &normalized,
            None if upsample == 2 => &large,
            None => picture.try_as_plain_ram().unwrap().as_slice::<f32>().unwrap(),
        };
        let multiplied = times(source, &factors);
        let apart = run(&plain, &inputs(&value(&[1, channels, size[0], size[1]], &multiplied), &[]));
        let own = if norm.is_some() { &parameters[..] } else { &[] };
        let scaled = QuantizedConvolution {
            norm,
            upsample,
            scaled: true,
            ..plain.clone()
        };
        let more = [own, std::slice::from_ref(&factors)].concat();
        assert_eq!(run(&scaled, &inputs(&picture, &more)), apart);
        let taken = inputs(&picture, &more);
        let magnitudes = scaled.channel_magnitudes(&Inputs::of_tensors(&taken).unwrap()).unwrap().unwrap();
        let largest = |channel: &[f32]| channel.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        let expected: Vec<f32> = source.chunks_exact(size[0] * size[1]).map(largest).collect();
        assert_eq!(magnitudes, expected);
    }
}

/// The channels of a picture times a factor each.
fn times(picture: &[f32], factors: &TValue) -> Vec<f32> {
    let factors = factors.try_as_plain_ram().unwrap().as_slice::<f32>().unwrap();
    let area = picture.len() / factors.len();
    picture
        .iter()
        .enumerate()
        .map(|(index, value)| value * factors[index / area])
        .collect()
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
