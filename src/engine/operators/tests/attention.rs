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
