//! Attention, with masks and without.

use super::*;

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

/// What attention in f64 makes of q `[T][channels]`, k and v `[S][channels]`.
fn exact(rows: [&[f32]; 3], channels: usize, heads: usize, scale: f32) -> Vec<f64> {
    let [queries, keys, values] = rows.map(|rows| {
        rows.chunks_exact(channels)
            .map(|row| row.iter().copied().map(f64::from).collect::<Vec<_>>())
    });
    let (keys, values, width) = (keys.collect::<Vec<_>>(), values.collect::<Vec<_>>(), channels / heads);
    let mut outputs = Vec::new();
    for query in queries {
        for place in (0..channels).step_by(width) {
            let product = |key: &Vec<f64>| (place..place + width).map(|at| query[at] * key[at]).sum::<f64>() * f64::from(scale);
            let scores: Vec<f64> = keys.iter().map(product).collect();
            let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
            let total: f64 = weights.iter().sum();
            outputs.extend((place..place + width).map(|at| {
                weights
                    .iter()
                    .zip(&values)
                    .map(|(weight, value)| weight / total * value[at])
                    .sum::<f64>()
            }));
        }
    }
    outputs
}

/// Signal to noise in decibels.
fn ratio(found: &[f32], expected: &[f64]) -> f64 {
    let noise: f64 = found
        .iter()
        .zip(expected)
        .map(|(found, exact)| (f64::from(*found) - exact).powi(2))
        .sum();
    let mean = expected.iter().sum::<f64>() / expected.len() as f64;
    10.0 * (expected.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / noise).log10()
}

/// Normally distributed numbers, nearly.
fn normal(numbers: &mut Numbers, count: usize, mean: f32) -> Vec<f32> {
    let mut one = || (0..6).map(|_| numbers.float()).sum::<f32>() * std::f32::consts::FRAC_1_SQRT_2 + mean;
    (0..count).map(|_| one()).collect()
}

/// Scores that differ little, much, and so much that few keys have nearly all of the weight. The checksum is that of every processor.
#[test]
fn int8_attention_is_close_and_the_same_everywhere() {
    let (mut numbers, mut checksum) = (Numbers(23), 0u64);
    let sizes = [(1, 1, 1, 4), (5, 3, 2, 8), (3, 257, 2, 10), (50, 300, 2, 40), (49, 1030, 1, 64)];
    for ((queries, keys, heads, width), (sharpness, least)) in sizes
        .into_iter()
        .take(AT_MOST)
        .flat_map(|size| [(0.3, 38.0), (3.0, 30.0), (20.0, 27.0)].map(|sharpness| (size, sharpness)))
    {
        let channels = heads * width;
        let [q, k, v] = [(queries, 0.0), (keys, 4.0), (keys, -2.0)].map(|(rows, mean)| normal(&mut numbers, rows * channels, mean));
        let inputs = [(&q, queries), (&k, keys), (&v, keys)].map(|(values, rows)| value(&[1, rows, channels], values));
        let scale = sharpness / (width as f32).sqrt();
        let found: Vec<Vec<f32>> = kernels::available()
            .into_iter()
            .map(|kernel| run(&QuantizedAttention { heads, scale, kernel }, &inputs).1)
            .collect();
        assert!(found.iter().all(|other| *other == found[0]));
        for value in &found[0] {
            checksum = (checksum.rotate_left(5) ^ u64::from(value.to_bits())).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        let decibels = ratio(&found[0], &exact([&q, &k, &v], channels, heads, scale));
        assert!(
            decibels > least,
            "{queries} queries, {keys} keys, {heads} heads of {width}, {sharpness}: {decibels:.1} dB"
        );
    }
    if !cfg!(miri) {
        assert_eq!(checksum, 8_370_718_150_293_424_873);
    }
}

/// What is not finite gives something, and only where it has an influence.
#[test]
fn int8_attention_survives_what_is_not_finite() {
    let mut numbers = Numbers(31);
    let (queries, keys, width) = (50, 270, 8);
    for (number, of) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX]
        .into_iter()
        .flat_map(|number| [(number, 0), (number, 1), (number, 2)])
    {
        let mut rows = [queries, keys, keys].map(|rows| numbers.floats(rows * width));
        rows[of][width] = number;
        let counts = [queries, keys, keys];
        let inputs: Vec<_> = counts
            .iter()
            .zip(&rows)
            .map(|(count, rows)| value(&[1, *count, width], rows))
            .collect();
        let operator = QuantizedAttention {
            heads: 1,
            scale: 0.4,
            kernel: kernels::available()[0],
        };
        let found = run(&operator, &inputs).1;
        if of == 0 {
            assert!(
                found[..width].iter().chain(&found[2 * width..]).all(|value| value.is_finite()),
                "{number}"
            );
        }
    }
}

#[test]
fn int8_attention_refuses_what_attention_does() {
    let operator = QuantizedAttention {
        heads: 2,
        scale: 1.0,
        kernel: kernels::available()[0],
    };
    let refused = |shapes: &[&[usize]]| operator.output_shape(shapes).is_err();
    assert!(!refused(&[&[1, 3, 8], &[1, 5, 8], &[1, 5, 8]]));
    assert!(refused(&[&[1, 3, 8], &[1, 5, 8]]));
    assert!(refused(&[&[1, 3, 8], &[1, 5, 8], &[1, 4, 8]]));
    assert!(refused(&[&[1, 3, 9], &[1, 5, 9], &[1, 5, 9]]), "9 channels of 2 heads");
    assert!(refused(&[&[1, 0, 8], &[1, 5, 8], &[1, 5, 8]]));
}
