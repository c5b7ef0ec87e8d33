//! Matrix products, alone and with what follows them.

use super::*;

/// A layer that took in nothing yet.
fn alone(rows: usize, inputs: usize, kernel: &'static dyn kernels::Kernel) -> QuantizedLinear {
    QuantizedLinear {
        tensor: "w".into(),
        rows,
        inputs,
        kernel,
        weights: None,
        activation: None,
        gated: false,
        residual: false,
    }
}

#[test]
fn quantized_linear_layers_scale_each_row_by_itself_with_every_kernel() {
    let mut numbers = Numbers(5);
    for (tokens, rows, inputs) in [(1, 8, 4), (3, 13, 12), (49, 24, 20), (100, 5, 64)].into_iter().take(AT_MOST) {
        let weights: Vec<Vec<i8>> = (0..rows).map(|_| (0..inputs).map(|_| numbers.weight()).collect()).collect();
        let (mut x, scales, biases) = (numbers.floats(tokens * inputs), numbers.floats(rows), numbers.floats(rows));
        x[..inputs].iter_mut().for_each(|value| *value *= 1000.0);
        let mut expected = Vec::new();
        for row in x.chunks_exact(inputs) {
            let row = fake_quantized(row);
            for ((weights, scale), bias) in weights.iter().zip(&scales).zip(&biases) {
                let sum: f64 = weights.iter().zip(&row).map(|(weight, value)| f64::from(*weight) * value).sum();
                expected.push(sum * f64::from(*scale) + f64::from(*bias));
            }
        }
        let mut all = Vec::new();
        for kernel in kernels::available() {
            let operator = alone(rows, inputs, kernel);
            let values = [value(&[1, tokens, inputs], &x), value(&[rows], &scales), value(&[rows], &biases)];
            let (shape, found) = run(&*bound(&operator, mapped(&weights)), &values);
            assert_eq!(shape, [1, tokens, rows]);
            assert_close(&found, &expected, 1e-4);
            all.push(found);
        }
        assert!(all.iter().all(|found| *found == all[0]), "kernels differ");
    }
}

#[test]
fn what_a_linear_layer_took_in_changes_no_bit() {
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
            let plain = alone(rows, inputs, kernel);
            let fused = QuantizedLinear {
                activation,
                gated,
                residual: added,
                ..plain.clone()
            };
            let mut taken = own.to_vec();
            taken.extend(gated.then(|| value(&[1, 1, rows], &gates)));
            taken.extend(added.then(|| value(&[1, tokens, rows], &residual)));
            let (_, unfused) = run(&*bound(&plain, mapped(&weights)), &own);
            let (shape, found) = run(&*bound(&fused, mapped(&weights)), &taken);
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
