//! Matrix products, alone and with what follows them.

use super::*;

#[test]
fn quantized_linear_layers_scale_each_row_by_itself_with_every_kernel() {
    for (precision, limit) in PRECISIONS {
        quantized_linear_layers_scale_each_row_by_itself(precision, limit);
    }
}

fn quantized_linear_layers_scale_each_row_by_itself(precision: Precision, limit: f32) {
    let mut numbers = Numbers(5);
    for (tokens, rows, inputs) in [(1, 8, 4), (3, 13, 12), (49, 24, 20), (100, 5, 64)].into_iter().take(AT_MOST) {
        let weights: Vec<Vec<i8>> = (0..rows).map(|_| (0..inputs).map(|_| numbers.weight()).collect()).collect();
        let (mut x, scales, biases) = (numbers.floats(tokens * inputs), numbers.floats(rows), numbers.floats(rows));
        x[..inputs].iter_mut().for_each(|value| *value *= 1000.0);
        let mut expected = Vec::new();
        for row in x.chunks_exact(inputs) {
            let row = fake_quantized_to(row, limit);
            for ((weights, scale), bias) in weights.iter().zip(&scales).zip(&biases) {
                let sum: f64 = weights.iter().zip(&row).map(|(weight, value)| f64::from(*weight) * value).sum();
                expected.push(sum * f64::from(*scale) + f64::from(*bias));
            }
        }
        let mut all = Vec::new();
        for kernel in kernels::available() {
            let operator = QuantizedLinear {
                precision,
                ..QuantizedLinear::new(matrix(&weights), kernel)
            };
            let values = [value(&[1, tokens, inputs], &x), value(&[rows], &scales), value(&[rows], &biases)];
            let (shape, found) = run(&operator, &values);
            assert_eq!(shape, [1, tokens, rows]);
            assert_close(&found, &expected, 1e-4);
            all.push(found);
        }
        assert!(all.iter().all(|found| *found == all[0]), "kernels differ");
    }
}

#[test]
fn what_a_linear_layer_took_in_changes_no_bit() {
    for (precision, _) in PRECISIONS {
        what_a_linear_layer_took_in(precision);
    }
}

fn what_a_linear_layer_took_in(precision: Precision) {
    let mut numbers = Numbers(23);
    let functions = [None, Some(Activation::Silu), Some(Activation::Gelu), Some(Activation::GeluTanh)];
    for (tokens, rows, inputs) in [(1, 13, 12), (16, 8, 4), (17, 24, 20), (75, 5, 64)].into_iter().take(AT_MOST) {
        let weights: Vec<Vec<i8>> = (0..rows).map(|_| (0..inputs).map(|_| numbers.weight()).collect()).collect();
        let own = [(tokens * inputs, vec![1, tokens, inputs]), (rows, vec![rows]), (rows, vec![rows])]
            .map(|(count, shape)| value(&shape, &numbers.floats(count)));
        let (gates, residual) = (numbers.floats(rows), numbers.floats(tokens * rows));
        for (kernel, activation, gated, added) in kernels::available().into_iter().flat_map(|kernel| {
            let ways = [(false, false), (true, false), (false, true), (true, true)];
            functions
                .iter()
                .flat_map(move |&function| ways.map(|(gated, added)| (kernel, function, gated, added)))
        }) {
            let plain = QuantizedLinear {
                precision,
                ..QuantizedLinear::new(matrix(&weights), kernel)
            };
            let fused = QuantizedLinear {
                activation,
                gated,
                residual: added,
                ..plain.clone()
            };
            let mut taken = own.to_vec();
            taken.extend(gated.then(|| value(&[1, 1, rows], &gates)));
            taken.extend(added.then(|| value(&[1, tokens, rows], &residual)));
            let (_, unfused) = run(&plain, &own);
            let (shape, found) = run(&fused, &taken);
            let expected = one_after_another(&unfused, activation, gated.then_some(&*gates), added.then_some(&*residual));
            assert_eq!(shape, [1, tokens, rows]);
            let same = found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(
                same,
                "{tokens}×{rows}, {activation:?}, gated {gated}, added {added}, {}",
                kernel.name()
            );
        }
    }
}

#[test]
fn one_half_of_the_rows_are_the_gates_of_the_other_to_the_bit() {
    for (precision, _) in PRECISIONS {
        one_half_of_the_rows_are_the_gates_of_the_other(precision);
    }
}

fn one_half_of_the_rows_are_the_gates_of_the_other(precision: Precision) {
    let mut numbers = Numbers(29);
    for (tokens, rows, inputs) in [(1, 8, 4), (17, 24, 20), (75, 16, 64)].into_iter().take(AT_MOST) {
        let weights: Vec<Vec<i8>> = (0..2 * rows).map(|_| (0..inputs).map(|_| numbers.weight()).collect()).collect();
        let own = [
            (tokens * inputs, vec![1, tokens, inputs]),
            (2 * rows, vec![2 * rows]),
            (2 * rows, vec![2 * rows]),
        ]
        .map(|(count, shape)| value(&shape, &numbers.floats(count)));
        let (factors, residual) = (numbers.floats(rows), numbers.floats(tokens * rows));
        for kernel in kernels::available() {
            let plain = QuantizedLinear {
                precision,
                ..QuantizedLinear::new(matrix(&weights), kernel)
            };
            let fused = QuantizedLinear {
                halved: Some(Activation::Gelu),
                gated: true,
                residual: true,
                ..plain.clone()
            };
            let (_, both) = run(&plain, &own);
            let halves = both.chunks_exact(rows).collect::<Vec<_>>();
            let [firsts, gates]: [Vec<f32>; 2] =
                [0, 1].map(|half| halves.iter().skip(half).step_by(2).copied().flatten().copied().collect());
            let gates = run(&Activation::Gelu, &[value(&[gates.len()], &gates)]).1;
            let products: Vec<f32> = firsts.iter().zip(&gates).map(|(first, gate)| first * gate).collect();
            let expected = one_after_another(&products, None, Some(&factors), Some(&residual));
            let mut taken = own.to_vec();
            taken.extend([value(&[1, 1, rows], &factors), value(&[1, tokens, rows], &residual)]);
            let (shape, found) = run(&fused, &taken);
            assert_eq!(shape, [1, tokens, rows]);
            let same = found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{tokens}×{rows}, {}", kernel.name());
        }
    }
}

/// `[1, rows, columns]` with rows and columns exchanged.
fn exchanged(values: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}

#[test]
fn the_places_of_pictures_are_rows_to_the_bit() {
    let mut numbers = Numbers(31);
    let sizes = [
        ([1, 1], 8, 4),
        ([3, 5], 13, 12),
        ([7, 7], 24, 20),
        ([4, 8], 16, 64),
        ([10, 9], 5, 36),
    ];
    for (kernel, precision, ([tall, wide], rows, inputs)) in kernels::available()
        .into_iter()
        .flat_map(|kernel| sizes.iter().map(move |&size| (kernel, size)))
        .take(AT_MOST)
        .flat_map(|(kernel, size)| PRECISIONS.map(|(precision, _)| (kernel, precision, size)))
    {
        let weights: Vec<Vec<i8>> = (0..rows).map(|_| (0..inputs).map(|_| numbers.weight()).collect()).collect();
        let tokens = tall * wide;
        let (x, residual) = (numbers.floats(tokens * inputs), numbers.floats(tokens * rows));
        let parameters = [rows, rows].map(|count| value(&[count], &numbers.floats(count)));
        let plain = QuantizedLinear {
            precision,
            activation: Some(Activation::Silu),
            residual: true,
            ..QuantizedLinear::new(matrix(&weights), kernel)
        };
        let read = |from_picture: bool, to_picture: bool| {
            let operator = QuantizedLinear {
                from_picture,
                to_picture: to_picture.then(|| tvec!(tall, wide)),
                ..plain.clone()
            };
            let x = match from_picture {
                true => value(&[1, inputs, tall, wide], &exchanged(&x, [tokens, inputs])),
                false => value(&[1, tokens, inputs], &x),
            };
            let added = match to_picture {
                true => value(&[1, rows, tall, wide], &exchanged(&residual, [tokens, rows])),
                false => value(&[1, tokens, rows], &residual),
            };
            let [scales, biases] = parameters.clone();
            run(&operator, &[x, scales, biases, added])
        };
        let (_, expected) = read(false, false);
        let picture = exchanged(&expected, [tokens, rows]);
        let what = format!("{tall}×{wide}, {rows} of {inputs}, {precision:?}, {}", kernel.name());
        assert_eq!(read(true, false), (vec![1, tokens, rows], expected), "{what}");
        for from_picture in [false, true] {
            assert_eq!(read(from_picture, true), (vec![1, rows, tall, wide], picture.clone()), "{what}");
        }
    }
}

#[test]
fn factors_of_the_inputs_change_no_bit() {
    let mut numbers = Numbers(41);
    let (tokens, rows, inputs) = (37, 13, 76);
    let weights: Vec<Vec<i8>> = (0..rows).map(|_| (0..inputs).map(|_| numbers.weight()).collect()).collect();
    let (x, factors) = (numbers.floats(tokens * inputs), numbers.floats(inputs));
    let parameters = [rows, rows].map(|count| value(&[count], &numbers.floats(count)));
    let gates = value(&[1, 1, rows], &numbers.floats(rows));
    let multiplied: Vec<f32> = x.iter().zip(factors.iter().cycle()).map(|(value, factor)| value * factor).collect();
    let factors = value(&[1, 1, inputs], &factors);
    for (kernel, (precision, _)) in kernels::available()
        .into_iter()
        .take(AT_MOST)
        .flat_map(|kernel| PRECISIONS.map(|precision| (kernel, precision)))
    {
        let plain = QuantizedLinear {
            precision,
            gated: true,
            ..QuantizedLinear::new(matrix(&weights), kernel)
        };
        let [scales, biases] = parameters.clone();
        let expected = run(&plain, &[value(&[1, tokens, inputs], &multiplied), scales, biases, gates.clone()]);
        for from_picture in [false, true] {
            let x = match from_picture {
                true => value(&[1, inputs, tokens], &exchanged(&x, [tokens, inputs])),
                false => value(&[1, tokens, inputs], &x),
            };
            let scaled = QuantizedLinear {
                from_picture,
                scaled: true,
                ..plain.clone()
            };
            let [scales, biases] = parameters.clone();
            let taken = [x, scales, biases, factors.clone(), gates.clone()];
            assert_eq!(
                run(&scaled, &taken),
                expected,
                "{precision:?}, picture {from_picture}, {}",
                kernel.name()
            );
            let magnitudes = scaled.channel_magnitudes(&Inputs::of_tensors(&taken).unwrap()).unwrap().unwrap();
            assert_eq!(magnitudes.len(), inputs);
        }
    }
}

/// Layers of the same tokens and of others, of few and of many, some with more weights than a core keeps, together and one by one,
/// with one to four threads, of either precision or of both.
#[test]
fn layers_together_are_as_if_alone() {
    let mut numbers = Numbers(37);
    let kernel = kernels::available()[0];
    let layers = [(300, 1024, 20), (300, 1024, 70), (33, 64, 9), (1, 256, 600), (270, 64, 24)];
    let layers = layers.map(|(tokens, inputs, rows)| {
        let weights: Vec<Vec<i8>> = (0..rows).map(|_| (0..inputs).map(|_| numbers.weight()).collect()).collect();
        let plain = QuantizedLinear::new(matrix(&weights), kernel);
        let parameters = [rows, rows].map(|count| value(&[count], &numbers.floats(count)));
        (plain, tokens, parameters)
    });
    let tokens = layers.each_ref().map(|(layer, tokens, _)| {
        value(
            &[1, *tokens, layer.weights.inputs()],
            &numbers.floats(tokens * layer.weights.inputs()),
        )
    });
    let (narrow, wide) = (Precision::Int8, Precision::Int16);
    let ways = [
        (1, false, [narrow, narrow]),
        (2, true, [wide, wide]),
        (3, false, [wide, narrow]),
        (4, true, [narrow, narrow]),
        (1, true, [wide, wide]),
        (2, false, [narrow, wide]),
    ];
    for (threads, as_picture, precisions) in ways.into_iter().take(AT_MOST) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        // The second has the first one's tokens, and is too large to be read by every thread.
        let inputs: Vec<[TValue; 3]> = (layers.iter().enumerate())
            .map(|(index, (_, _, [scales, biases]))| [tokens[if index == 1 { 0 } else { index }].clone(), scales.clone(), biases.clone()])
            .collect();
        let mut expected = Vec::new();
        let mut together = Vec::new();
        let layers: Vec<QuantizedLinear> = (layers.iter())
            .zip(precisions.into_iter().cycle())
            .map(|((layer, tokens, _), precision)| QuantizedLinear {
                precision,
                to_picture: as_picture.then(|| tvec!(*tokens)),
                ..layer.clone()
            })
            .collect();
        for (layer, inputs) in layers.iter().zip(&inputs) {
            expected.push(run(layer, inputs).1);
            together.push(vec![f32::NAN; expected[expected.len() - 1].len()]);
        }
        pool.install(|| {
            let all = layers.iter().zip(&inputs).zip(&mut together);
            let all = all.map(|((layer, inputs), output)| (layer as &dyn Operator, Inputs::of_tensors(inputs).unwrap(), &mut output[..]));
            layers[0].run_batch(all.collect()).unwrap();
        });
        assert!(together == expected, "{threads} threads, pictures {as_picture}, {precisions:?}");
    }
}
