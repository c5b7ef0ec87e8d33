//! Matrix products: rows of activations are quantized into panels, each with its own scale, and multiplied with every weight panel.
//! Independent products are computed together, and rows that several of them read are quantized once. Owns how work and outputs are
//! split for the threads; `matmul_panel` computes.

use std::ops::Range;

use super::WeightMatrix;
use super::epilogue::{Outputs, SUMMED};
use super::matmul_panel::{Layer, Quantized};
use super::quantize::{Order, TOGETHER, Tokens};
use super::scratch::{LINE, Scratch, from_line};
use crate::engine::arithmetic::Activation;
use crate::engine::kernels::{Kernel, ROWS};
use crate::engine::parallel::{self, chunk_columns, split_columns};

/// Bytes of quantized tokens that are multiplied with every weight panel in turn: they stay in second-level cache.
const TOKEN_BYTES: usize = 256 << 10;

/// Bytes of weights that all threads read, each for tokens of its own: they stay in every core's cache. Of more, each thread reads
/// its own rows, so that none comes from memory twice.
const WEIGHT_BYTES: usize = 512 << 10;

/// A matrix product: outputs of every weight row for every token.
pub struct Product<'a> {
    /// The weights.
    pub weights: &'a WeightMatrix,
    /// Tokens, each with its own scale.
    pub tokens: Tokens<'a>,
    /// What the product becomes.
    pub outputs: Outputs<'a>,
    /// Factors of each row's outputs, after the activation; empty for none.
    pub gates: &'a [f32],
    /// The function of the second half of the rows, by whose values the first half is multiplied: half as many rows are left. None for all
    /// rows.
    pub halved: Option<Activation>,
    /// Memory order of the outputs and of the residual.
    pub order: Order,
    /// The outputs, `[tokens][rows]` or `[rows][tokens]`.
    pub output: &'a mut [f32],
}

impl Product<'_> {
    fn size(&self) -> [usize; 3] {
        [self.tokens.count(), self.weights.rows(), self.tokens.inputs]
    }
}

/// Computes products. Threads share the tokens if there are enough of them, otherwise the rows. A weight is read once for as many
/// tokens as [`TOKEN_BYTES`] hold.
pub fn multiply(kernel: &dyn Kernel, products: Vec<Product>) {
    let threads = parallel::threads_for_products(products.iter().map(Product::size));
    let mut groups = ProductGroup::of(kernel, products, threads);
    for round in 0..groups.iter().map(ProductGroup::rounds).max().unwrap_or(0) {
        let packed: Vec<Option<PackedTokens>> = groups.iter().map(|group| group.pack(kernel, round, threads)).collect();
        let mut lists: Vec<Vec<Task>> = (0..threads).map(|_| Vec::new()).collect();
        for (group, packed) in groups.iter_mut().zip(&packed) {
            match packed {
                Some(packed) => group.assign_rows(round, packed, &mut lists),
                None => group.assign_tokens(&mut lists),
            }
        }
        parallel::for_each_in_parts(
            lists,
            |shares| shares.into_iter().flat_map(Task::split).collect(),
            |share| share.compute(kernel),
        );
    }
}

/// Products of the same tokens.
struct ProductGroup<'a> {
    tokens: Tokens<'a>,
    /// Whether each thread quantizes tokens of its own and multiplies them with all rows; otherwise threads share the rows, for the same
    /// tokens.
    own_tokens: bool,
    /// Parts of the tokens: one a thread, or one a round for all threads.
    parts: Vec<Range<usize>>,
    /// Tokens that a thread quantizes at a time.
    block: usize,
    products: Vec<SplitProduct<'a>>,
}

/// A product split for the threads.
struct SplitProduct<'a> {
    layer: Layer<'a>,
    rows: Vec<Range<usize>>,
    /// The outputs of every part of the tokens and, of each, of every part of the rows; taken in their turn.
    slices: Vec<Vec<OutputSlices<'a>>>,
}

impl<'a> ProductGroup<'a> {
    /// Groups products by their tokens and splits them for `threads` threads.
    fn of(kernel: &'a dyn Kernel, products: Vec<Product<'a>>, threads: usize) -> Vec<ProductGroup<'a>> {
        let mut together: Vec<Vec<Product>> = Vec::new();
        for product in products {
            match together.iter_mut().find(|others| others[0].tokens.are(&product.tokens)) {
                Some(others) => others.push(product),
                None => together.push(vec![product]),
            }
        }
        together
            .into_iter()
            .map(|products| ProductGroup::new(kernel, products, threads))
            .collect()
    }

    fn new(kernel: &'a dyn Kernel, products: Vec<Product<'a>>, threads: usize) -> ProductGroup<'a> {
        let tokens = products[0].tokens;
        let (count, grain) = (tokens.count(), tokens.grain(kernel));
        let weights: usize = products.iter().map(|product| product.weights.rows() * tokens.inputs).sum();
        let own_tokens = threads == 1 || weights <= WEIGHT_BYTES && count > (threads - 1) * kernel.columns();
        let evenly = |parts: usize| count.div_ceil(parts).max(1).next_multiple_of(grain);
        let most = (TOKEN_BYTES / tokens.inputs / grain).max(1) * grain;
        let (part, block) = if !own_tokens {
            (evenly(1).min(most), most)
        } else if threads > 1 {
            (evenly(threads), evenly(threads * parallel::TASKS_PER_THREAD).max(SUMMED))
        } else {
            (evenly(1), most)
        };
        let (parts, threads) = (parts(count, part), if own_tokens { 1 } else { threads });
        ProductGroup {
            tokens,
            own_tokens,
            products: products
                .into_iter()
                .map(|product| SplitProduct::new(kernel, product, &parts, threads))
                .collect(),
            parts,
            block: block.min(most),
        }
    }

    /// How many times the threads synchronize for the group.
    fn rounds(&self) -> usize {
        if self.own_tokens { 1 } else { self.parts.len() }
    }

    /// The tokens of a round, quantized for all threads; none if each thread quantizes its own or no tokens are left.
    fn pack(&self, kernel: &dyn Kernel, round: usize, threads: usize) -> Option<PackedTokens> {
        let part = self.parts.get(round).filter(|_| !self.own_tokens)?;
        Some(PackedTokens::new(kernel, self.tokens, part.clone(), threads))
    }

    /// Gives every thread rows to multiply with the tokens of a round.
    fn assign_rows<'b>(&mut self, round: usize, packed: &'b PackedTokens, lists: &mut [Vec<Task<'b>>])
    where
        'a: 'b,
    {
        for cut in &mut self.products {
            let shares = cut.rows.iter().zip(std::mem::take(&mut cut.slices[round]));
            for (list, (rows, slices)) in lists.iter_mut().zip(shares) {
                list.push(Task {
                    source: Source::Packed(packed),
                    products: vec![(cut.layer, rows.clone(), slices)],
                });
            }
        }
    }

    /// Gives every thread tokens to multiply with all rows, in the first round.
    fn assign_tokens<'b>(&mut self, lists: &mut [Vec<Task<'b>>])
    where
        'a: 'b,
    {
        let all = self.products.iter_mut();
        let mut all: Vec<_> = all
            .map(|cut| (cut.layer, std::mem::take(&mut cut.slices).into_iter().flatten()))
            .collect();
        for (list, part) in lists.iter_mut().zip(self.parts.drain(..)) {
            let products = all
                .iter_mut()
                .filter_map(|(layer, slices)| Some((*layer, 0..layer.rows(), slices.next()?)));
            list.push(Task {
                products: products.collect(),
                source: Source::Own {
                    tokens: self.tokens,
                    part,
                    block: self.block,
                },
            });
        }
    }
}

/// `count` things in ranges of `length`; the last may be shorter.
fn parts(count: usize, length: usize) -> Vec<Range<usize>> {
    (0..count).step_by(length).map(|start| start..count.min(start + length)).collect()
}

impl<'a> SplitProduct<'a> {
    /// A product whose rows `threads` threads share.
    fn new(kernel: &'a dyn Kernel, product: Product<'a>, tokens: &[Range<usize>], threads: usize) -> SplitProduct<'a> {
        let layer = Layer {
            kernel,
            weights: product.weights,
            outputs: product.outputs,
            gates: product.gates,
            halved: product.halved,
            order: product.order,
            tokens: product.tokens.count(),
        };
        let rows = parts(layer.rows(), layer.rows().div_ceil(ROWS).div_ceil(threads).max(1) * ROWS);
        SplitProduct {
            slices: OutputSlices::split(product.output, product.order, tokens, &rows),
            rows,
            layer,
        }
    }
}

/// Tokens quantized for all threads.
struct PackedTokens {
    first: usize,
    bytes: Vec<u8>,
    /// Where the panels are, from the start of a cache line on.
    panels: Range<usize>,
    scales: Vec<f32>,
}

impl PackedTokens {
    /// Quantizes a part of the tokens; threads share the work.
    fn new(kernel: &dyn Kernel, tokens: Tokens, part: Range<usize>, threads: usize) -> PackedTokens {
        let (panel, length) = (kernel.columns() * tokens.inputs, tokens.panel_bytes(kernel, part.len()));
        let kinds = tokens.precision.bytes();
        let (mut bytes, mut scales) = (vec![0; kinds.len() * length + LINE], vec![0.0; part.len()]);
        let all = bytes.len();
        let room = from_line(&mut bytes);
        let start = all - room.len();
        let threads = parallel::threads_for_values(part.len() * tokens.inputs).min(threads);
        for (&byte, room) in kinds.iter().zip(room.chunks_exact_mut(length)) {
            let blocks = room
                .chunks_mut(TOGETHER / kernel.columns() * panel)
                .zip(scales.chunks_mut(TOGETHER));
            parallel::for_each(threads, blocks.enumerate(), |(index, (panels, scales))| {
                let first = part.start + index * TOGETHER;
                tokens.pack(first..first + scales.len(), byte, kernel, panels, scales);
            });
        }
        PackedTokens {
            first: part.start,
            panels: start..start + kinds.len() * length,
            bytes,
            scales,
        }
    }
}

/// A thread's unit of work: rows of products of the same tokens.
struct Task<'a> {
    source: Source<'a>,
    products: Vec<(Layer<'a>, Range<usize>, OutputSlices<'a>)>,
}

/// The tokens of a task.
enum Source<'a> {
    /// Still to be quantized, `block` at a time.
    Own {
        tokens: Tokens<'a>,
        part: Range<usize>,
        block: usize,
    },
    Packed(&'a PackedTokens),
}

impl<'a> Task<'a> {
    /// Splits into one task a block of tokens that are still to be quantized.
    fn split(self) -> Vec<Task<'a>> {
        let Source::Own { tokens, part, block } = self.source else {
            return vec![self];
        };
        let source = |blocks: Range<usize>| Source::Own {
            tokens,
            part: part.start + blocks.start..part.start + blocks.end,
            block,
        };
        let blocks = parts(part.len(), block).into_iter().map(source);
        let mut shares: Vec<Task> = blocks
            .map(|source| Task {
                source,
                products: Vec::new(),
            })
            .collect();
        for (layer, rows, slices) in self.products {
            for (share, slices) in shares.iter_mut().zip(slices.by_tokens(layer.order, block)) {
                share.products.push((layer, rows.clone(), slices));
            }
        }
        shares
    }

    fn compute(self, kernel: &dyn Kernel) {
        let Task { source, products } = self;
        let multiply = |tokens: Quantized| {
            for (layer, rows, mut slices) in products {
                layer.compute(rows, tokens, &mut slices);
            }
        };
        match source {
            Source::Packed(packed) => multiply(Quantized {
                first: packed.first,
                panels: &packed.bytes[packed.panels.clone()],
                scales: &packed.scales,
            }),
            Source::Own { tokens, part, .. } => Scratch::with(|scratch| {
                let (length, bytes) = (tokens.panel_bytes(kernel, part.len()), tokens.precision.bytes());
                let panels = scratch.packed(bytes.len() * length);
                let (first, mut scales) = (part.start, vec![0.0; part.len()]);
                for (&byte, panels) in bytes.iter().zip(panels.chunks_exact_mut(length)) {
                    tokens.pack(part.clone(), byte, kernel, panels, &mut scales);
                }
                let scales = &scales;
                multiply(Quantized { first, panels, scales });
            }),
        }
    }
}

/// Outputs of some tokens and some rows, line by line: a line is a token's outputs or, in a picture, a row's.
pub enum OutputSlices<'a> {
    /// Whole lines of a length, contiguous.
    Whole(&'a mut [f32], usize),
    /// Parts of lines.
    Parts(Vec<&'a mut [f32]>),
}

impl<'a> OutputSlices<'a> {
    /// All outputs split by parts of the tokens and, within each, by parts of the rows.
    pub fn split(output: &'a mut [f32], order: Order, tokens: &[Range<usize>], rows: &[Range<usize>]) -> Vec<Vec<OutputSlices<'a>>> {
        match order {
            Order::Rows => split_lines(output, tokens, rows),
            Order::Picture => transposed(split_lines(output, rows, tokens), tokens.len()),
        }
    }

    /// Splits further, `tokens` tokens each; the last may have fewer.
    pub fn by_tokens(self, order: Order, tokens: usize) -> Vec<OutputSlices<'a>> {
        match (order, self) {
            (Order::Rows, OutputSlices::Whole(values, line)) => values
                .chunks_mut(tokens * line)
                .map(|part| OutputSlices::Whole(part, line))
                .collect(),
            (Order::Rows, OutputSlices::Parts(mut lines)) => {
                let mut parts = Vec::new();
                while !lines.is_empty() {
                    parts.push(OutputSlices::Parts(lines.drain(..tokens.min(lines.len())).collect()));
                }
                parts
            }
            (Order::Picture, OutputSlices::Whole(values, line)) => {
                OutputSlices::Parts(values.chunks_exact_mut(line).collect()).by_tokens(order, tokens)
            }
            (Order::Picture, OutputSlices::Parts(lines)) => chunk_columns(lines, tokens).into_iter().map(OutputSlices::Parts).collect(),
        }
    }

    /// A line.
    #[inline]
    pub fn line(&mut self, index: usize) -> &mut [f32] {
        match self {
            OutputSlices::Whole(values, line) => &mut values[index * *line..][..*line],
            OutputSlices::Parts(lines) => lines[index],
        }
    }
}

/// Splits lines by parts of the lines and, within each, by parts of a line, whose length is the end of the last part.
fn split_lines<'a>(mut values: &'a mut [f32], lines: &[Range<usize>], parts: &[Range<usize>]) -> Vec<Vec<OutputSlices<'a>>> {
    let length = parts.last().map_or(0, |part| part.end);
    let mut cut = |lines: &Range<usize>| {
        let own = values.split_off_mut(..lines.len() * length).unwrap_or_default();
        match parts {
            [_] => vec![OutputSlices::Whole(own, length)],
            _ => split_columns(own, length, parts.iter().cloned())
                .into_iter()
                .map(OutputSlices::Parts)
                .collect(),
        }
    };
    lines.iter().map(&mut cut).collect()
}

/// The same with the inner parts, `inner` of them, outside.
fn transposed(by_outer: Vec<Vec<OutputSlices>>, inner: usize) -> Vec<Vec<OutputSlices>> {
    let mut by_inner: Vec<Vec<OutputSlices>> = (0..inner).map(|_| Vec::new()).collect();
    for parts in by_outer {
        for (slices, part) in by_inner.iter_mut().zip(parts) {
            slices.push(part);
        }
    }
    by_inner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_but_for_the_last() {
        assert_eq!(parts(7, 3), [0..3, 3..6, 6..7]);
        assert!(parts(0, 3).is_empty());
    }

    /// Every output is in one slice, at the place of its token and row.
    #[test]
    fn slices_are_of_their_tokens_and_rows() {
        let (all_tokens, all_rows) = (0..7, 0..13);
        let (tokens, rows) = ([0..4, 4..7], [0..8, 8..13]);
        let (tokens, rows) = (
            [&tokens[..], std::slice::from_ref(&all_tokens)],
            [&rows[..], std::slice::from_ref(&all_rows)],
        );
        let orders = [Order::Rows, Order::Picture].into_iter();
        for (order, tokens, rows) in
            orders.flat_map(|order| tokens.into_iter().flat_map(move |tokens| rows.map(|rows| (order, tokens, rows))))
        {
            let place = |token: usize, row: usize| match order {
                Order::Rows => token * 13 + row,
                Order::Picture => row * 7 + token,
            };
            let mut output: Vec<f32> = (0..7 * 13).map(|index| index as f32).collect();
            let grid = OutputSlices::split(&mut output, order, tokens, rows);
            let mut seen = 0;
            for (of_tokens, part) in grid.into_iter().zip(tokens) {
                for (slices, rows) in of_tokens.into_iter().zip(rows) {
                    for (index, mut slices) in slices.by_tokens(order, 3).into_iter().enumerate() {
                        let first = part.start + index * 3;
                        for token in first..part.end.min(first + 3) {
                            for row in rows.clone() {
                                let found = match order {
                                    Order::Rows => slices.line(token - first)[row - rows.start],
                                    Order::Picture => slices.line(row - rows.start)[token - first],
                                };
                                assert_eq!(found, place(token, row) as f32, "{order:?}, token {token}, row {row}");
                                seen += 1;
                            }
                        }
                    }
                }
            }
            assert_eq!(seen, 7 * 13);
        }
    }
}
