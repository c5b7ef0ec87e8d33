//! `Attention` and `MaskedAttention`: softmax(scale·q·kᵀ + bias)·v by heads (Vaswani et al., arXiv 1706.03762).
//! A few queries at a time are scored against all keys, so heads×T×S scores are never kept.

use std::ops::Range;
use std::sync::Arc;

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::internal::*;

use super::table::{Built, Resources, Schema};
use super::weighted_sums::{Rows, TOGETHER, fits, weighted_sums};
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::arithmetic::exp;
use crate::engine::parallel;
use crate::engine::simd::{Fused, LANES, fold, fold_larger, larger, widest};
use crate::engine::transpose::transpose;

/// The definition of attention: its signature, the node that adds the bias, and the name of the scores after it.
macro_rules! definition {
    ($signature:literal, $bias:literal, $scores:literal) => {
        Some(concat!(
            $signature,
            " => (y) {
                head_count = Constant <value_int: int = @heads> ()
                front = Constant <value_ints = [0]> ()
                same = Constant <value_ints = [0, 0]> ()
                rest = Constant <value_ints = [-1]> ()
                heads_axis = Unsqueeze (head_count, front)
                split_shape = Concat <axis = 0> (same, heads_axis, rest)
                q_split = Reshape (q, split_shape)
                queries = Transpose <perm = [0, 2, 1, 3]> (q_split)
                k_split = Reshape (k, split_shape)
                keys = Transpose <perm = [0, 2, 3, 1]> (k_split)
                v_split = Reshape (v, split_shape)
                values = Transpose <perm = [0, 2, 1, 3]> (v_split)
                factor = Constant <value_float: float = @scale> ()
                products = MatMul (queries, keys)
                scores = Mul (products, factor)
                ",
            $bias,
            "weights = Softmax <axis = -1> (",
            $scores,
            ")
                mixed = MatMul (weights, values)
                joined = Transpose <perm = [0, 2, 1, 3]> (mixed)
                rows_shape = Concat <axis = 0> (same, rest)
                y = Reshape (joined, rows_shape)
            }"
        ))
    };
}

/// `Attention`.
pub static ATTENTION: Schema = Schema {
    name: "Attention",
    doc: "Attention of rows q [1, T, C] to rows k and v [1, S, C].",
    definition: definition!("Attention <heads, scale> (q, k, v)", "", "scores"),
};

/// `MaskedAttention`.
pub static MASKED_ATTENTION: Schema = Schema {
    name: "MaskedAttention",
    doc: "Attention of rows q [1, T, C] to rows k and v [1, S, C], with a bias added to the scores that broadcasts to [1, heads, T, S].",
    definition: definition!(
        "MaskedAttention <heads, scale> (q, k, v, bias)",
        "masked = Add (scores, bias) ",
        "masked"
    ),
};

/// The definition of `QAttention`, which rounds what it multiplies but is the same function.
pub(super) const BY_INT8: Option<&str> = definition!("QAttention <heads, scale> (q, k, v)", "", "scores");

pub(super) fn plain(node: &NodeProto, _: &Resources) -> Built {
    build(node, false)
}

pub(super) fn masked(node: &NodeProto, _: &Resources) -> Built {
    build(node, true)
}

fn build(node: &NodeProto, masked: bool) -> Built {
    Ok(Some(Arc::new(Attention {
        heads: node.get_attr("heads")?,
        scale: node.get_attr("scale")?,
        masked,
    })))
}

/// Queries that are scored together.
const QUERIES: usize = TOGETHER;
/// Groups of queries that take turns with a few keys or values, which stay in first-level cache meanwhile.
const GROUPS: usize = 4;
/// Queries of all groups.
const BLOCK: usize = GROUPS * QUERIES;
/// Values that the groups take turns with.
const VALUES: usize = 64;

/// Inputs: q `[1, T, C]`, k and v `[1, S, C]` and, if masked, a bias `[1, 1 or heads, 1 or T, S]`, of which leading ones may
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
        if self.masked { MASKED_ATTENTION.name } else { ATTENTION.name }
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let count = if self.masked { 4 } else { 3 };
        ensure!(inputs.len() == count, "{} takes {count} inputs", self.name());
        check_rows(self.name(), [inputs[0], inputs[1], inputs[2]], self.heads)?;
        if let Some(bias) = inputs.get(3) {
            self.bias_rows(bias, inputs[0][1], inputs[1][1])?;
        }
        Ok(inputs[0].into())
    }

    fn workspace(&self, inputs: &[&[usize]]) -> usize {
        key_stride(inputs[1][1]) * inputs[1][2]
    }

    fn run(&self, inputs: &Inputs, workspace: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let (channels, keys) = (inputs.shape(0)[2], inputs.shape(1)[1]);
        let (queries, values) = (inputs.floats(0)?, inputs.floats(2)?);
        let padded = keys.next_multiple_of(LANES);
        by_channels(inputs.floats(1)?, [keys, channels], key_stride(keys), self.scale, workspace);
        let heads = Heads {
            channels,
            width: channels / self.heads,
            keys: workspace,
            stride: key_stride(keys),
            padded,
            values,
            bias: &self.bias(inputs, padded)?,
            nothing: &vec![0f32; channels],
        };
        let count = output.len() / channels;
        let threads = parallel::threads_for_values(count * padded * self.heads);
        let share = count.div_ceil(threads * parallel::TASKS_PER_THREAD).next_multiple_of(QUERIES);
        let block = share.min(BLOCK);
        let parts = output.chunks_mut(share * channels).zip(queries.chunks(share * channels));
        parallel::for_each(threads, parts.enumerate(), |(part, (output, queries))| {
            let mut scores = vec![0f32; block * padded];
            let blocks = output.chunks_mut(block * channels).zip(queries.chunks(block * channels));
            for (index, (output, queries)) in blocks.enumerate() {
                heads.attend(part * share + index * block, queries, &mut scores, output);
            }
        });
        Ok(())
    }
}

/// Checks the shapes of q, k and v for an operator of this name and number of heads.
pub(super) fn check_rows(name: &str, [q, k, v]: [&[usize]; 3], heads: usize) -> TractResult<()> {
    let ([1, _, channels], [1, _, inner]) = (q, k) else {
        bail!("{name} takes q [1, T, C] and k [1, S, C], not {q:?} and {k:?}")
    };
    ensure!(!q.contains(&0) && !k.contains(&0), "{name} has an empty input: {q:?} and {k:?}");
    ensure!(channels == inner && k == v, "q, k and v have shapes {q:?}, {k:?}, {v:?}");
    ensure!(
        heads > 0 && channels.is_multiple_of(heads),
        "{channels} channels do not divide into {heads} heads"
    );
    Ok(())
}

/// Keys and values of all heads, and what is added to the scores.
struct Heads<'a> {
    channels: usize,
    /// Channels of a head.
    width: usize,
    /// `[channels][stride]`, times the scale.
    keys: &'a [f32],
    stride: usize,
    /// Keys, and zeros up to whole vectors.
    padded: usize,
    /// `[keys][channels]`.
    values: &'a [f32],
    bias: &'a Bias,
    /// A query of zeros.
    nothing: &'a [f32],
}

impl Heads<'_> {
    /// Outputs of up to [`BLOCK`] queries from number `first` on. Missing ones of a group are computed as zeros, so that the inner loops
    /// always have the same shape.
    fn attend(&self, first: usize, queries: &[f32], scores: &mut [f32], output: &mut [f32]) {
        let query = |index: usize| {
            queries
                .get(index * self.channels..(index + 1) * self.channels)
                .unwrap_or(self.nothing)
        };
        let groups = (queries.len() / self.channels).div_ceil(QUERIES);
        let scores = &mut scores[..groups * QUERIES * self.padded];
        for head in 0..self.channels / self.width {
            let place = head * self.width;
            let of_groups: [[&[f32]; QUERIES]; GROUPS] =
                std::array::from_fn(|group| std::array::from_fn(|index| &query(group * QUERIES + index)[place..][..self.width]));
            let keys = &self.keys[place * self.stride..][..self.width * self.stride];
            widest(
                #[inline(always)]
                |fused| score(scores, &of_groups, keys, [self.padded, self.stride], fused),
            );
            let mut factors = [[0f32; QUERIES]; GROUPS];
            let rows = scores.chunks_exact_mut(self.padded).zip(factors.as_flattened_mut());
            for (index, (row, factor)) in rows.enumerate() {
                let bias = self.bias.row(head, first + index);
                *factor = widest(
                    #[inline(always)]
                    |fused| exponentials(row, bias, fused),
                );
            }
            let mixed = Mixed {
                weights: scores,
                padded: self.padded,
                factors,
                values: self.values,
                channels: self.channels,
            };
            widest(
                #[inline(always)]
                |fused| mixed.blend(output, place..place + self.width, fused),
            );
        }
    }
}

impl Attention {
    /// The weights that each query gives to some of the keys, `[T][keys]`: means over the heads, computed from the operator's inputs by
    /// themselves. They are for people to look at; nothing that is drawn depends on them.
    ///
    /// # Errors
    /// If an input has another type or shape than the operator takes.
    pub fn weights(&self, inputs: &Inputs, wanted: Range<usize>) -> TractResult<Vec<f32>> {
        let (channels, count) = (inputs.shape(0)[2], inputs.shape(1)[1]);
        let (queries, keys) = (inputs.floats(0)?, inputs.floats(1)?);
        let padded = count.next_multiple_of(LANES);
        let bias = self.bias(inputs, padded)?;
        let width = channels / self.heads;
        let mut scores = vec![0f32; padded];
        let mut means = vec![0f32; queries.len() / channels * wanted.len()];
        let rows = queries.chunks_exact(channels).zip(means.chunks_exact_mut(wanted.len()));
        for (index, (query, means)) in rows.enumerate() {
            for head in 0..self.heads {
                let place = head * width..(head + 1) * width;
                let query = &query[place.clone()];
                for (score, key) in scores.iter_mut().zip(keys.chunks_exact(channels)) {
                    *score = product(query, &key[place.clone()]) * self.scale;
                }
                scores[count..].fill(0.0);
                let bias = bias.row(head, index);
                let factor = widest(
                    #[inline(always)]
                    |fused| exponentials(&mut scores, bias, fused),
                );
                for (mean, score) in means.iter_mut().zip(&scores[wanted.clone()]) {
                    *mean += score * factor / self.heads as f32;
                }
            }
        }
        Ok(means)
    }

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

    /// The bias, or zeros for the keys, and minus infinity behind them.
    fn bias(&self, inputs: &Inputs, padded: usize) -> TractResult<Bias> {
        let (queries, keys) = (inputs.shape(0)[1], inputs.shape(1)[1]);
        if !self.masked && keys == padded {
            return Ok(Bias::default());
        }
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
            last: queries - 1,
        })
    }
}

/// The sum of products, in as many sums as a vector has lanes.
fn product(one: &[f32], other: &[f32]) -> f32 {
    let ((ones, one_rest), (others, other_rest)) = (one.as_chunks::<LANES>(), other.as_chunks::<LANES>());
    let mut sums = [0f32; LANES];
    for (one, other) in ones.iter().zip(others) {
        for lane in 0..LANES {
            sums[lane] += one[lane] * other[lane];
        }
    }
    let rest = one_rest.iter().zip(other_rest).map(|(one, other)| one * other);
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

/// What is added to scores: rows of S values, and minus infinity up to `padded`; no rows if nothing is added.
#[derive(Default)]
struct Bias {
    rows: Vec<f32>,
    padded: usize,
    /// Rows from one head to the next, and from one query to the next.
    by_head: usize,
    by_query: usize,
    /// The last query.
    last: usize,
}

impl Bias {
    /// The row of a head and a query; queries beyond the last one have the last one's.
    fn row(&self, head: usize, query: usize) -> &[f32] {
        let index = head * self.by_head + query.min(self.last) * self.by_query;
        &self.rows[index * self.padded..][..self.padded]
    }
}

/// Values from one channel of the keys to the next: a cache line more than whole vectors, since the same keys of all channels, which are
/// read together, would share a few sets of the cache at a power of two.
fn key_stride(keys: usize) -> usize {
    keys.next_multiple_of(LANES) + if keys > VALUES { 16 } else { 0 }
}

/// `[S, C]` → `[C, padded]` times the scale, zeros beyond S.
fn by_channels(keys: &[f32], [count, channels]: [usize; 2], padded: usize, scale: f32, columns: &mut [f32]) {
    let threads = parallel::threads_for_values(keys.len());
    let share = channels.div_ceil(threads);
    parallel::for_each(threads, columns.chunks_mut(share * padded).enumerate(), |(index, columns)| {
        let wide = columns.len() / padded;
        transpose(&keys[index * share..], channels, columns, padded, [count, wide]);
        for column in columns.chunks_exact_mut(padded) {
            for value in &mut column[..count] {
                *value *= scale;
            }
            column[count..].fill(0.0);
        }
    });
}

/// Scores of groups of queries against all keys `[channels][stride]`; channels are added in their order.
#[inline(always)]
fn score(scores: &mut [f32], queries: &[[&[f32]; QUERIES]; GROUPS], keys: &[f32], [padded, stride]: [usize; 2], fused: Fused) {
    let mut rows = Rows {
        values: keys,
        stride,
        start: 0,
    };
    while fits(64, fused) && rows.start + 64 <= padded {
        score_part::<64>(scores, queries, rows, padded, fused);
        rows.start += 64;
    }
    while fits(32, fused) && rows.start + 32 <= padded {
        score_part::<32>(scores, queries, rows, padded, fused);
        rows.start += 32;
    }
    while fits(16, fused) && rows.start + 16 <= padded {
        score_part::<16>(scores, queries, rows, padded, fused);
        rows.start += 16;
    }
    while rows.start < padded {
        score_part::<8>(scores, queries, rows, padded, fused);
        rows.start += 8;
    }
}

#[inline(always)]
fn score_part<const WIDTH: usize>(scores: &mut [f32], queries: &[[&[f32]; QUERIES]; GROUPS], keys: Rows, padded: usize, fused: Fused) {
    for (scores, queries) in scores.chunks_exact_mut(QUERIES * padded).zip(queries) {
        let sums = weighted_sums([[0f32; WIDTH]; QUERIES], *queries, keys, fused);
        for (scores, sums) in scores.chunks_exact_mut(padded).zip(sums) {
            scores[keys.start..][..WIDTH].copy_from_slice(&sums);
        }
    }
}

/// Exponentials of the scores; returns the factor by which they add up to 1. If every key is masked all are 0.
#[inline(always)]
fn exponentials(scores: &mut [f32], bias: &[f32], fused: Fused) -> f32 {
    let mut largest = [f32::NEG_INFINITY; LANES];
    for (scores, bias) in scores.as_chunks_mut::<LANES>().0.iter_mut().zip(bias.as_chunks::<LANES>().0) {
        // Copies, which the compiler knows to lie apart.
        let (mut sums, bias) = (*scores, *bias);
        for lane in 0..LANES {
            sums[lane] += bias[lane];
        }
        *scores = sums;
    }
    for scores in scores.as_chunks::<LANES>().0 {
        for lane in 0..LANES {
            largest[lane] = larger(scores[lane], largest[lane]);
        }
    }
    let largest = larger(fold_larger(largest), f32::MIN);
    let mut sums = [0f32; LANES];
    for chunk in scores.as_chunks_mut::<LANES>().0 {
        for lane in 0..LANES {
            chunk[lane] = exp(chunk[lane] - largest, fused);
            sums[lane] += chunk[lane];
        }
    }
    let sum = fold(sums);
    if sum > 0.0 { 1.0 / sum } else { 0.0 }
}

/// Values to be mixed for groups of queries.
struct Mixed<'a> {
    /// `[queries][padded]`.
    weights: &'a [f32],
    padded: usize,
    /// What each query's sums are multiplied by.
    factors: [[f32; QUERIES]; GROUPS],
    /// `[keys][channels]`.
    values: &'a [f32],
    channels: usize,
}

impl Mixed<'_> {
    /// The weighted sums of the channels of a head; `output` may hold fewer queries than there are weights of.
    #[inline(always)]
    fn blend(&self, output: &mut [f32], places: Range<usize>, fused: Fused) {
        let mut start = places.start;
        while fits(64, fused) && start + 64 <= places.end {
            self.blend_part::<64>(output, start, fused);
            start += 64;
        }
        while fits(32, fused) && start + 32 <= places.end {
            self.blend_part::<32>(output, start, fused);
            start += 32;
        }
        while fits(16, fused) && start + 16 <= places.end {
            self.blend_part::<16>(output, start, fused);
            start += 16;
        }
        while start + 8 <= places.end {
            self.blend_part::<8>(output, start, fused);
            start += 8;
        }
        while start < places.end {
            self.blend_part::<1>(output, start, fused);
            start += 1;
        }
    }

    #[inline(always)]
    fn blend_part<const WIDTH: usize>(&self, output: &mut [f32], start: usize, fused: Fused) {
        let mut sums = [[[0f32; WIDTH]; QUERIES]; GROUPS];
        for (block, values) in self.values.chunks(VALUES * self.channels).enumerate() {
            let rows = Rows {
                values,
                stride: self.channels,
                start,
            };
            let (from, count) = (block * VALUES, values.len() / self.channels);
            for (sums, weights) in sums.iter_mut().zip(self.weights.chunks_exact(QUERIES * self.padded)) {
                let weights = std::array::from_fn(|index| &weights[index * self.padded + from..][..count]);
                *sums = weighted_sums(*sums, weights, rows, fused);
            }
        }
        let sums = sums.as_flattened_mut().iter_mut().zip(self.factors.as_flattened());
        for (out, (sums, factor)) in output.chunks_exact_mut(self.channels).zip(sums) {
            for sum in sums.iter_mut() {
                *sum *= factor;
            }
            out[start..][..WIDTH].copy_from_slice(sums);
        }
    }
}
