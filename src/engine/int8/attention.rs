//! Attention with int8 products. Keys and values lose their means, which softmax does not see and which are added again; then queries and
//! keys are quantized row by row and values channel by channel (SageAttention, Zhang et al., arXiv 2410.02367). Keys are scored a block
//! at a time with a running maximum (FlashAttention, Dao et al., arXiv 2205.14135), and the weights of a block are integers from 0 to 254.
//!
//! Each key has its own rounding threshold, from a low-discrepancy sequence: many small weights keep their sum, where rounding to the
//! nearest integer would make all of them 0. Depends on the micro-kernels' panels: queries are columns, keys and then channels are rows.

use std::ops::Range;

use super::quantize::{quantize, scale_for, scale_of};
use crate::engine::arithmetic::{ROUNDING, exp};
use crate::engine::kernels::{GROUP, Kernel, ROWS, Sums};
use crate::engine::parallel;
use crate::engine::simd::{Fused, LANES, larger, largest_magnitude, widest};

/// Queries that are computed together: whole vectors, and whole panels of every kernel.
const QUERIES: usize = 48;
/// Keys of a block, a multiple of [`ROWS`]. Their scores for [`QUERIES`] queries stay in second-level cache.
const BLOCK: usize = 256;
/// The largest weight.
const LARGEST: f32 = 254.0;
/// What is subtracted from weights, so that they are signed bytes.
const CENTRE: i32 = 127;

/// Rows of queries, keys and values. Each head has its own channels.
pub struct Rows<'a> {
    /// `[T][channels]`.
    pub queries: &'a [f32],
    /// `[S][channels]`.
    pub keys: &'a [f32],
    /// `[S][channels]`.
    pub values: &'a [f32],
    /// Channels of all heads.
    pub channels: usize,
    /// Number of heads.
    pub heads: usize,
    /// Factor of the scores.
    pub scale: f32,
}

/// softmax(scale·q·kᵀ)·v by heads, `[T][channels]`.
pub fn attend(kernel: &dyn Kernel, rows: &Rows, output: &mut [f32]) {
    let thresholds: Vec<f32> = (0..rows.keys.len() / rows.channels).map(threshold).collect();
    attend_with(kernel, rows, &thresholds, output);
}

/// The same with a rounding threshold for each key.
fn attend_with(kernel: &dyn Kernel, rows: &Rows, thresholds: &[f32], output: &mut [f32]) {
    let (channels, width) = (rows.channels, rows.channels / rows.heads);
    let mut heads: Vec<Option<Head>> = (0..rows.heads).map(|_| None).collect();
    let threads = parallel::threads_for_values(rows.keys.len());
    parallel::for_each(threads, heads.iter_mut().enumerate(), |(index, head)| {
        *head = Some(Head::new(rows, index * width..(index + 1) * width));
    });
    let heads: Vec<Head> = heads.into_iter().flatten().collect();
    let count = output.len() / channels;
    let threads = parallel::threads_for_products([[count, rows.keys.len() / channels, channels]]);
    let share = count.div_ceil(threads * parallel::TASKS_PER_THREAD).next_multiple_of(QUERIES);
    let parts = output.chunks_mut(share * channels).zip(rows.queries.chunks(share * channels));
    parallel::for_each(threads, parts, |(output, queries)| {
        let mut block = Block::new(kernel, width);
        for (index, head) in heads.iter().enumerate() {
            let places = index * width..(index + 1) * width;
            let blocks = output.chunks_mut(QUERIES * channels).zip(queries.chunks(QUERIES * channels));
            for (output, queries) in blocks {
                block.attend(head, thresholds, queries, channels, places.clone());
                block.write(head, output, channels, places.clone());
            }
        }
    });
}

/// What is added to the weight of a key before it is rounded to the nearest integer: multiples of the golden ratio, less what is whole, from
/// -1/2 to 1/2.
fn threshold(key: usize) -> f32 {
    const GOLDEN: u32 = 2_654_435_769;
    let fraction = (key as u32).wrapping_mul(GOLDEN) >> 9;
    (2 * fraction + 1) as f32 * (1.0 / (1 << 24) as f32) - 0.5
}

/// Quantized keys and values of a head.
struct Head {
    /// Groups of a key's channels.
    groups: usize,
    /// `[keys/8][groups][8][4]`; keys beyond the last are zero.
    keys: Vec<i8>,
    /// By panel.
    key_sums: Vec<[i32; ROWS]>,
    /// Times the factor of the scores; one a key.
    key_scales: Vec<f32>,
    /// For every block `[channels/8][keys/4][8][4]`.
    values: Vec<i8>,
    /// By block, and of each by panel.
    value_sums: Vec<[i32; ROWS]>,
    value_scales: Vec<f32>,
    value_means: Vec<f32>,
}

impl Head {
    fn new(rows: &Rows, places: Range<usize>) -> Head {
        let (groups, count) = (places.len().div_ceil(GROUP), rows.keys.len() / rows.channels);
        let mut head = Head {
            groups,
            keys: vec![0; count.next_multiple_of(ROWS) * groups * GROUP],
            key_sums: vec![[0; ROWS]; count.div_ceil(ROWS)],
            key_scales: vec![0.0; count],
            values: vec![0; count.next_multiple_of(ROWS) * places.len().next_multiple_of(ROWS)],
            value_sums: Vec::new(),
            value_scales: Vec::new(),
            value_means: means(rows.values, rows.channels, places.clone()),
        };
        head.take_keys(rows, places.clone());
        head.take_values(rows.values, rows.channels, places);
        head
    }

    fn take_keys(&mut self, rows: &Rows, places: Range<usize>) {
        let means = means(rows.keys, rows.channels, places.clone());
        let mut centred = vec![0f32; self.groups * GROUP];
        let panel = self.groups * ROWS * GROUP;
        for (index, row) in rows.keys.chunks_exact(rows.channels).enumerate() {
            centre(&mut centred, &row[places.clone()], &means);
            let scale = scale_of(&centred);
            self.key_scales[index] = scale * rows.scale;
            let (number, line) = (index / ROWS, index % ROWS);
            let groups = self.keys[number * panel..][..panel].chunks_exact_mut(ROWS * GROUP);
            for (out, values) in groups.zip(centred.as_chunks::<GROUP>().0) {
                let bytes = values.map(|value| quantize(value, 1.0 / scale, 0) as i8);
                out[line * GROUP..][..GROUP].copy_from_slice(&bytes);
                self.key_sums[number][line] += bytes.iter().map(|&byte| i32::from(byte)).sum::<i32>();
            }
        }
    }

    fn take_values(&mut self, values: &[f32], channels: usize, places: Range<usize>) {
        let width = places.len();
        let mut largest = vec![0f32; width];
        let mut centred = vec![0f32; width];
        for row in values.chunks_exact(channels) {
            centre(&mut centred, &row[places.clone()], &self.value_means);
            for (largest, value) in largest.iter_mut().zip(&centred) {
                *largest = larger(value.abs(), *largest);
            }
        }
        self.value_scales = largest.into_iter().map(scale_for).collect();
        let inverses: Vec<f32> = self.value_scales.iter().map(|scale| 1.0 / scale).collect();
        let (panels, mut rest) = (width.div_ceil(ROWS), self.values.as_mut_slice());
        for block in values.chunks(BLOCK * channels) {
            let keys = (block.len() / channels).next_multiple_of(ROWS);
            let (bytes, after) = rest.split_at_mut(panels * ROWS * keys);
            let mut sums = vec![[0; ROWS]; panels];
            for (index, row) in block.chunks_exact(channels).enumerate() {
                centre(&mut centred, &row[places.clone()], &self.value_means);
                for (channel, (value, inverse)) in centred.iter().zip(&inverses).enumerate() {
                    let (panel, line) = (channel / ROWS, channel % ROWS);
                    let byte = quantize(*value, *inverse, 0) as i8;
                    bytes[panel * ROWS * keys + index / GROUP * (ROWS * GROUP) + line * GROUP + index % GROUP] = byte;
                    sums[panel][line] += i32::from(byte);
                }
            }
            self.value_sums.append(&mut sums);
            rest = after;
        }
    }
}

/// Means of some channels over all rows. They need not be exact, but the same everywhere: rows are added in their order.
fn means(rows: &[f32], channels: usize, places: Range<usize>) -> Vec<f32> {
    let mut sums = vec![0f32; places.len()];
    for row in rows.chunks_exact(channels) {
        for (sum, value) in sums.iter_mut().zip(&row[places.clone()]) {
            *sum += value;
        }
    }
    let share = 1.0 / (rows.len() / channels) as f32;
    sums.into_iter().map(|sum| sum * share).collect()
}

fn centre(centred: &mut [f32], row: &[f32], means: &[f32]) {
    for ((out, value), mean) in centred.iter_mut().zip(row).zip(means) {
        *out = value - mean;
    }
}

/// One value for each query of a block.
type OfQueries<T> = [T; QUERIES];

/// Up to [`QUERIES`] queries of a head on their way through the keys.
struct Block<'a> {
    kernel: &'a dyn Kernel,
    /// Panels of queries, `[groups][columns][4]` each.
    queries: Vec<u8>,
    scales: OfQueries<f32>,
    /// Sums of products, and then scores before the query's scale as the bits of floats.
    scores: Vec<OfQueries<i32>>,
    /// The largest score so far.
    largest: OfQueries<f32>,
    /// Panels of weights, a word for the four keys of a group.
    weights: Vec<u32>,
    /// Sums of the weights.
    totals: OfQueries<f32>,
    /// Sums of values by channels, before their scales.
    mixed: Vec<OfQueries<f32>>,
    products: [OfQueries<i32>; ROWS],
}

impl<'a> Block<'a> {
    fn new(kernel: &'a dyn Kernel, width: usize) -> Block<'a> {
        Block {
            kernel,
            queries: vec![0; width.next_multiple_of(GROUP) * QUERIES],
            scales: [0.0; QUERIES],
            scores: vec![[0; QUERIES]; BLOCK],
            largest: [0.0; QUERIES],
            weights: vec![0; BLOCK / GROUP * QUERIES],
            totals: [0.0; QUERIES],
            mixed: vec![[0.0; QUERIES]; width.next_multiple_of(ROWS)],
            products: [[0; QUERIES]; ROWS],
        }
    }

    /// Computes the sums for some queries, `[queries][channels]`. `places` are the head's channels.
    fn attend(&mut self, head: &Head, thresholds: &[f32], queries: &[f32], channels: usize, places: Range<usize>) {
        self.take_queries(queries, channels, places);
        self.largest = [f32::NEG_INFINITY; QUERIES];
        self.totals = [0.0; QUERIES];
        self.mixed.fill([0.0; QUERIES]);
        let panel = head.groups * ROWS * GROUP;
        let mut values = head.values.as_slice();
        let mut value_sums = head.value_sums.as_slice();
        let keys = head.keys.chunks(BLOCK / ROWS * panel).zip(head.key_sums.chunks(BLOCK / ROWS));
        let keys = keys.zip(head.key_scales.chunks(BLOCK).zip(thresholds.chunks(BLOCK)));
        for ((keys, sums), (scales, thresholds)) in keys {
            self.multiply_keys(keys, sums, head.groups);
            let count = sums.len() * ROWS;
            let faded = widest(
                #[inline(always)]
                |fused| self.score(scales, count, fused),
            );
            self.weigh(thresholds, count, faded);
            let (own, rest) = values.split_at(count * self.mixed.len());
            let (own_sums, rest_sums) = value_sums.split_at(self.mixed.len() / ROWS);
            self.multiply_values(own, own_sums, count / GROUP, &faded);
            (values, value_sums) = (rest, rest_sums);
        }
    }

    /// Quantizes queries; those that are missing are zeros.
    fn take_queries(&mut self, queries: &[f32], channels: usize, places: Range<usize>) {
        let (mask, columns) = (self.kernel.activation_mask(), self.kernel.columns());
        let groups = places.len().div_ceil(GROUP);
        self.queries.fill(mask);
        self.scales = [0.0; QUERIES];
        for (index, row) in queries.chunks_exact(channels).enumerate() {
            let row = &row[places.clone()];
            let scale = scale_for(largest_magnitude(row));
            self.scales[index] = scale;
            let panel = &mut self.queries[index / columns * columns * groups * GROUP..];
            for (group, values) in row.chunks(GROUP).enumerate() {
                for (out, value) in panel[(group * columns + index % columns) * GROUP..].iter_mut().zip(values) {
                    *out = quantize(*value, 1.0 / scale, mask);
                }
            }
        }
    }

    fn multiply_keys(&mut self, keys: &[i8], sums: &[[i32; ROWS]], groups: usize) {
        let panels = keys.chunks_exact(groups * ROWS * GROUP).zip(sums);
        for ((panel, sums), scores) in panels.zip(self.scores.chunks_exact_mut(ROWS)) {
            products(self.kernel, panel, sums, &self.queries, groups, scores);
        }
    }

    /// Turns sums of products into scores. Returns the factor of the sums over earlier keys: the largest score may have grown.
    #[inline(always)]
    fn score(&mut self, scales: &[f32], count: usize, fused: Fused) -> OfQueries<f32> {
        let before = self.largest;
        let mut largest = before;
        for (scores, scale) in self.scores.iter_mut().zip(scales) {
            for lane in 0..QUERIES {
                let score = scores[lane] as f32 * scale;
                largest[lane] = larger(score, largest[lane]);
                scores[lane] = score.to_bits() as i32;
            }
        }
        for scores in &mut self.scores[scales.len()..count] {
            *scores = [f32::NEG_INFINITY.to_bits() as i32; QUERIES];
        }
        self.largest = largest;
        let mut faded = [0f32; QUERIES];
        for lane in 0..QUERIES {
            faded[lane] = exp((before[lane] - largest[lane]) * self.scales[lane], fused);
        }
        faded
    }

    /// Turns scores into panels of weights, and adds these to the totals.
    fn weigh(&mut self, thresholds: &[f32], count: usize, faded: OfQueries<f32>) {
        match self.kernel.columns() {
            4 => self.weigh_by::<4>(thresholds, count, faded),
            8 => self.weigh_by::<8>(thresholds, count, faded),
            columns => {
                debug_assert_eq!(columns, LANES);
                self.weigh_by::<LANES>(thresholds, count, faded);
            }
        }
    }

    fn weigh_by<const COLUMNS: usize>(&mut self, thresholds: &[f32], count: usize, faded: OfQueries<f32>) {
        let (groups, mask) = (count / GROUP, u32::from_ne_bytes([self.kernel.activation_mask(); GROUP]));
        for first in (0..QUERIES).step_by(LANES) {
            let of_lanes = |values: &OfQueries<f32>| -> [f32; LANES] { std::array::from_fn(|lane| values[first + lane]) };
            let (largest, scales) = (of_lanes(&self.largest), of_lanes(&self.scales));
            let panels = &mut self.weights[first * groups..][..LANES * groups];
            let scores = &self.scores[..count];
            let totals = widest(
                #[inline(always)]
                |fused| {
                    let mut totals = [0i32; LANES];
                    for (group, keys) in scores.as_chunks::<GROUP>().0.iter().enumerate() {
                        let mut words = [0u32; LANES];
                        for (key, scores) in keys.iter().enumerate() {
                            let threshold = thresholds.get(group * GROUP + key).copied().unwrap_or(0.0) - CENTRE as f32;
                            let scores = scores.as_chunks::<LANES>().0[first / LANES];
                            for lane in 0..LANES {
                                let score = f32::from_bits(scores[lane] as u32);
                                let weight = exp((score - largest[lane]) * scales[lane], fused);
                                let rounded = fused.add(weight, LARGEST, threshold) + ROUNDING;
                                totals[lane] = totals[lane].wrapping_add(rounded.to_bits().wrapping_sub(ROUNDING.to_bits()) as i32);
                                words[lane] |= (rounded.to_bits() & 0xff) << (8 * key);
                            }
                        }
                        for (index, words) in words.as_chunks::<COLUMNS>().0.iter().enumerate() {
                            let out = &mut panels[(index * groups + group) * COLUMNS..][..COLUMNS];
                            for (out, word) in out.iter_mut().zip(words) {
                                *out = (word ^ mask).to_le();
                            }
                        }
                    }
                    totals
                },
            );
            for (lane, total) in totals.into_iter().enumerate() {
                let query = first + lane;
                self.totals[query] = self.totals[query] * faded[query] + total.wrapping_add(CENTRE * count as i32) as f32;
            }
        }
    }

    fn multiply_values(&mut self, values: &[i8], sums: &[[i32; ROWS]], groups: usize, faded: &OfQueries<f32>) {
        let weights = bytemuck::cast_slice(&self.weights[..groups * QUERIES]);
        let panels = values.chunks_exact(groups * ROWS * GROUP).zip(sums);
        for ((panel, sums), mixed) in panels.zip(self.mixed.chunks_exact_mut(ROWS)) {
            products(self.kernel, panel, sums, weights, groups, &mut self.products);
            let products = &self.products;
            widest(
                #[inline(always)]
                |fused| {
                    for ((mixed, products), sum) in mixed.iter_mut().zip(products).zip(sums) {
                        for lane in 0..QUERIES {
                            let product = products[lane].wrapping_add(CENTRE.wrapping_mul(*sum)) as f32;
                            mixed[lane] = fused.add(mixed[lane], faded[lane], product);
                        }
                    }
                },
            );
        }
    }

    /// Writes the outputs of the queries that there are.
    fn write(&self, head: &Head, output: &mut [f32], channels: usize, places: Range<usize>) {
        for (query, row) in output.chunks_exact_mut(channels).enumerate() {
            let share = 1.0 / self.totals[query];
            let parameters = head.value_scales.iter().zip(&head.value_means);
            for ((out, mixed), (scale, mean)) in row[places.clone()].iter_mut().zip(&self.mixed).zip(parameters) {
                *out = mixed[query] * share * scale + mean;
            }
        }
    }
}

/// Sums of products of a panel of weights with all panels of a block's queries.
fn products(kernel: &dyn Kernel, panel: &[i8], row_sums: &[i32; ROWS], queries: &[u8], groups: usize, sums: &mut [OfQueries<i32>]) {
    let (columns, sums) = (kernel.columns(), sums.as_flattened_mut());
    let at_once = kernel.panels().min(QUERIES / columns);
    for first in (0..QUERIES / columns).step_by(at_once) {
        let count = at_once.min(QUERIES / columns - first);
        let queries = &queries[first * groups * columns * GROUP..];
        let values = &mut sums[first * columns..];
        kernel.multiply(panel, row_sums, queries, groups, count, Sums { values, stride: QUERIES });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels;

    /// Waves over the rows and the channels.
    fn waves(rows: usize, width: usize, speed: f32) -> Vec<f32> {
        let value = |row: usize, channel: usize| {
            let place = row as f32 * speed / (channel + 1) as f32;
            place.sin() + 0.5 * (row as f32 * 12.9898 + channel as f32 * 78.233).sin()
        };
        (0..rows * width).map(|index| value(index / width, index % width)).collect()
    }

    /// Softmax in f64.
    fn exact(rows: &Rows) -> Vec<f64> {
        let wide = |values: &[f32]| -> Vec<f64> { values.iter().copied().map(f64::from).collect() };
        let [queries, keys, values] = [rows.queries, rows.keys, rows.values].map(wide);
        let mut outputs = Vec::new();
        for query in queries.chunks_exact(rows.channels) {
            let score = |key: &[f64]| f64::from(rows.scale) * query.iter().zip(key).map(|(a, b)| a * b).sum::<f64>();
            let weights: Vec<f64> = keys.chunks_exact(rows.channels).map(|key| score(key).exp()).collect();
            let total: f64 = weights.iter().sum();
            let mut sums = vec![0.0; rows.channels];
            for (row, weight) in values.chunks_exact(rows.channels).zip(&weights) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight / total * value);
            }
            outputs.append(&mut sums);
        }
        outputs
    }

    /// One key has most of the weight of any, but all others together as much, each less than half of a 254th of its.
    #[test]
    fn many_small_weights_are_not_lost() {
        let (width, count) = (8, 2048);
        let (mut queries, mut keys, values) = (waves(20, width, 0.9), waves(count, width, 0.01), waves(count, width, 0.03));
        for row in queries.chunks_exact_mut(width) {
            row.iter_mut().for_each(|value| *value *= 0.2);
            row[0] = 1.0;
        }
        for (index, row) in keys.chunks_exact_mut(width).enumerate() {
            row[0] = if index == 0 { 8.0 } else { 0.0 };
        }
        let rows = Rows {
            queries: &queries,
            keys: &keys,
            values: &values,
            channels: width,
            heads: 1,
            scale: 1.0,
        };
        let exact = exact(&rows);
        let error = |thresholds: &[f32]| {
            let mut output = vec![0f32; queries.len()];
            attend_with(kernels::available()[0], &rows, thresholds, &mut output);
            output
                .iter()
                .zip(&exact)
                .map(|(found, exact)| (f64::from(*found) - exact).powi(2))
                .sum::<f64>()
        };
        let own: Vec<f32> = (0..count).map(threshold).collect();
        let (spread, nearest) = (error(&own), error(&vec![0.0; own.len()]));
        assert!(spread * 100.0 < nearest, "{spread} instead of {nearest}");
    }

    #[test]
    fn thresholds_are_spread_evenly() {
        for count in [10, 100, 1000] {
            let mut thresholds: Vec<f32> = (0..count).map(threshold).collect();
            thresholds.sort_by(f32::total_cmp);
            for (index, threshold) in thresholds.iter().enumerate() {
                let even = (index as f32 + 0.5) / count as f32 - 0.5;
                assert!(
                    (threshold - even).abs() < 2.0 / count as f32 && threshold.abs() < 0.5,
                    "{count}: {threshold} at {index}"
                );
            }
        }
    }
}
