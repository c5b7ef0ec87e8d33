//! `Attention` and `MaskedAttention`: softmax(scale·q·kᵀ + bias)·v by heads (Vaswani et al., arXiv 1706.03762).
//! A few queries at a time are scored against all keys, so heads×T×S scores are never kept.

use rayon::prelude::*;
use tract_onnx::tract_core::internal::*;

use super::weighted_sums::{Rows, TOGETHER, fits, weighted_sums};
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::arithmetic::exp;
use crate::engine::lanes::{Fused, LANES, fold, fold_larger, larger, widest};
use crate::engine::shares;

/// Queries that are scored together.
const QUERIES: usize = TOGETHER;

/// Inputs: q `[1, T, C]`, k and v `[1, S, C]` and, where masked, a bias `[1, 1 or heads, 1 or T, S]`, of which leading ones may
/// be missing; output `[1, T, C]`.
#[derive(Clone, Debug)]
pub struct Attention {
    /// Number of heads; C is a multiple of it.
    pub heads: usize,
    /// Factor of the scores.
    pub scale: f32,
    /// Whether there is a bias.
    pub masked: bool,
}

impl Operator for Attention {
    fn name(&self) -> &'static str {
        if self.masked { "MaskedAttention" } else { "Attention" }
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let count = if self.masked { 4 } else { 3 };
        ensure!(inputs.len() == count, "{} takes {count} inputs", self.name());
        let ([1, _, channels], [1, keys, inner]) = (inputs[0], inputs[1]) else {
            bail!(
                "{} takes q [1, T, C] and k [1, S, C], not {:?} and {:?}",
                self.name(),
                inputs[0],
                inputs[1]
            )
        };
        ensure!(
            !inputs[0].contains(&0) && !inputs[1].contains(&0),
            "{} of nothing: {:?} and {:?}",
            self.name(),
            inputs[0],
            inputs[1]
        );
        ensure!(
            channels == inner && inputs[1] == inputs[2],
            "q, k and v have shapes {:?}, {:?}, {:?}",
            inputs[0],
            inputs[1],
            inputs[2]
        );
        ensure!(
            self.heads > 0 && channels.is_multiple_of(self.heads),
            "{channels} channels do not divide into {} heads",
            self.heads
        );
        if let Some(bias) = inputs.get(3) {
            self.bias_rows(bias, inputs[0][1], *keys)?;
        }
        Ok(inputs[0].into())
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let (channels, keys) = (inputs.shape(0)[2], inputs.shape(1)[1]);
        let (queries, values) = (inputs.floats(0)?, inputs.floats(2)?);
        let width = channels / self.heads;
        let padded = keys.next_multiple_of(LANES);
        let transposed = transpose(inputs.floats(1)?, keys, channels, padded);
        let bias = self.bias(inputs, padded)?;
        let share = QUERIES * channels;
        let nothing = vec![0f32; channels];
        output
            .par_chunks_mut(share)
            .zip(queries.par_chunks(share))
            .enumerate()
            .with_min_len(shares::items(QUERIES * padded * self.heads))
            .for_each(|(block, (output, queries))| {
                // A block of fewer queries is filled up, so that the inner loops always have the same shape.
                let query = |index: usize| queries.get(index * channels..(index + 1) * channels).unwrap_or(&nothing);
                let mut together = vec![[0f32; QUERIES]; width.max(padded)];
                let mut scores = vec![0f32; QUERIES * padded];
                for head in 0..self.heads {
                    let place = head * width;
                    interleave(&mut together, std::array::from_fn(|index| &query(index)[place..][..width]));
                    let keys = &transposed[place * padded..][..width * padded];
                    widest(
                        #[inline(always)]
                        |fused| score(&mut scores, &together[..width], keys, padded, self.scale, fused),
                    );
                    for (index, row) in scores.chunks_exact_mut(padded).enumerate() {
                        let bias = bias.row(head, block * QUERIES + index);
                        widest(
                            #[inline(always)]
                            |fused| softmax(row, bias, fused),
                        );
                    }
                    interleave(&mut together, std::array::from_fn(|index| &scores[index * padded..][..padded]));
                    widest(
                        #[inline(always)]
                        |fused| blend(output, &together[..padded], values, [channels, place, width], fused),
                    );
                }
            });
        Ok(())
    }
}

impl Attention {
    /// Whether a bias of this shape has rows of their own for heads and for queries.
    fn bias_rows(&self, shape: &[usize], queries: usize, keys: usize) -> TractResult<[bool; 2]> {
        let mut whole = [1; 4];
        let known = shape.len() <= whole.len();
        if known {
            whole[4 - shape.len()..].copy_from_slice(shape);
        }
        let [1, heads, rows, columns] = whole else {
            bail!("the bias has shape {shape:?}")
        };
        ensure!(
            known && columns == keys && [1, self.heads].contains(&heads) && [1, queries].contains(&rows),
            "the bias has shape {shape:?} where [1, 1 or {}, 1 or {queries}, {keys}] is needed",
            self.heads
        );
        Ok([heads > 1, rows > 1])
    }

    /// The bias, or zeros where there is none.
    fn bias(&self, inputs: &Inputs, padded: usize) -> TractResult<Bias> {
        let (queries, keys) = (inputs.shape(0)[1], inputs.shape(1)[1]);
        let zeros = vec![0f32; keys];
        let (values, by) = match self.masked {
            true => (inputs.floats(3)?, self.bias_rows(inputs.shape(3), queries, keys)?),
            false => (zeros.as_slice(), [false; 2]),
        };
        let mut rows = vec![f32::NEG_INFINITY; values.len() / keys * padded];
        for (row, values) in rows.chunks_exact_mut(padded).zip(values.chunks_exact(keys)) {
            row[..keys].copy_from_slice(values);
        }
        let [by_head, by_query] = by.map(usize::from);
        Ok(Bias {
            rows,
            padded,
            by_head: by_head * if by_query > 0 { queries } else { 1 },
            by_query,
            queries,
        })
    }
}

/// What is added to scores: rows of S values and minus infinity up to `padded`.
struct Bias {
    rows: Vec<f32>,
    padded: usize,
    /// Rows from one head to the next, and from one query to the next.
    by_head: usize,
    by_query: usize,
    queries: usize,
}

impl Bias {
    /// The row of a head and a query; queries beyond the last one have the last one's.
    fn row(&self, head: usize, query: usize) -> &[f32] {
        let index = head * self.by_head + query.min(self.queries - 1) * self.by_query;
        &self.rows[index * self.padded..][..self.padded]
    }
}

/// `[S, C]` → `[C, padded]`, zeros beyond S.
fn transpose(rows: &[f32], count: usize, channels: usize, padded: usize) -> Vec<f32> {
    let mut columns = vec![0f32; channels * padded];
    for (index, row) in rows.chunks_exact(channels).take(count).enumerate() {
        for (channel, &value) in row.iter().enumerate() {
            columns[channel * padded + index] = value;
        }
    }
    columns
}

/// `[QUERIES][n]` → `[n][QUERIES]`, so that one load gives what all queries multiply a row with.
fn interleave(together: &mut [[f32; QUERIES]], queries: [&[f32]; QUERIES]) {
    let [a, b, c, d] = queries;
    for ((((out, a), b), c), d) in together.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *out = [*a, *b, *c, *d];
    }
}

/// Scores of [`QUERIES`] queries against all keys `[channels][padded]`; channels are added in their order.
#[inline(always)]
fn score(scores: &mut [f32], queries: &[[f32; QUERIES]], keys: &[f32], padded: usize, scale: f32, fused: Fused) {
    let mut rows = Rows {
        values: keys,
        stride: padded,
        start: 0,
    };
    while fits(64, fused) && rows.start + 64 <= padded {
        score_part::<64>(scores, queries, rows, scale, fused);
        rows.start += 64;
    }
    while fits(32, fused) && rows.start + 32 <= padded {
        score_part::<32>(scores, queries, rows, scale, fused);
        rows.start += 32;
    }
    while fits(16, fused) && rows.start + 16 <= padded {
        score_part::<16>(scores, queries, rows, scale, fused);
        rows.start += 16;
    }
    while rows.start < padded {
        score_part::<8>(scores, queries, rows, scale, fused);
        rows.start += 8;
    }
}

#[inline(always)]
fn score_part<const WIDTH: usize>(scores: &mut [f32], queries: &[[f32; QUERIES]], keys: Rows, scale: f32, fused: Fused) {
    let sums = weighted_sums::<WIDTH>(queries, keys, fused);
    for (scores, sums) in scores.chunks_exact_mut(keys.stride).zip(sums) {
        let scores = scores[keys.start..].iter_mut();
        scores.zip(sums).for_each(|(score, sum)| *score = sum * scale);
    }
}

/// Scores to weights that add up to 1.
#[inline(always)]
fn softmax(scores: &mut [f32], bias: &[f32], fused: Fused) {
    let mut largest = [f32::NEG_INFINITY; LANES];
    for (scores, bias) in scores.as_chunks_mut::<LANES>().0.iter_mut().zip(bias.as_chunks::<LANES>().0) {
        // Copies, which the compiler knows to lie apart.
        let (mut sums, bias) = (*scores, *bias);
        for lane in 0..LANES {
            sums[lane] += bias[lane];
            largest[lane] = larger(sums[lane], largest[lane]);
        }
        *scores = sums;
    }
    let largest = fold_larger(largest);
    let mut sums = [0f32; LANES];
    for chunk in scores.as_chunks_mut::<LANES>().0 {
        for lane in 0..LANES {
            chunk[lane] = exp(chunk[lane] - largest, fused);
            sums[lane] += chunk[lane];
        }
    }
    let factor = 1.0 / fold(sums);
    scores.iter_mut().for_each(|score| *score *= factor);
}

/// Weighted sums of one head's values, for [`QUERIES`] queries; `output` may hold fewer.
#[inline(always)]
fn blend(output: &mut [f32], weights: &[[f32; QUERIES]], values: &[f32], [channels, place, width]: [usize; 3], fused: Fused) {
    let end = place + width;
    let mut rows = Rows {
        values,
        stride: channels,
        start: place,
    };
    while fits(64, fused) && rows.start + 64 <= end {
        blend_part::<64>(output, weights, rows, fused);
        rows.start += 64;
    }
    while fits(32, fused) && rows.start + 32 <= end {
        blend_part::<32>(output, weights, rows, fused);
        rows.start += 32;
    }
    while fits(16, fused) && rows.start + 16 <= end {
        blend_part::<16>(output, weights, rows, fused);
        rows.start += 16;
    }
    while rows.start + 8 <= end {
        blend_part::<8>(output, weights, rows, fused);
        rows.start += 8;
    }
    while rows.start < end {
        blend_part::<1>(output, weights, rows, fused);
        rows.start += 1;
    }
}

#[inline(always)]
fn blend_part<const WIDTH: usize>(output: &mut [f32], weights: &[[f32; QUERIES]], values: Rows, fused: Fused) {
    let sums = weighted_sums::<WIDTH>(weights, values, fused);
    for (out, sums) in output.chunks_exact_mut(values.stride).zip(sums) {
        out[values.start..][..WIDTH].copy_from_slice(&sums);
    }
}
