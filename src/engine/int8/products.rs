//! Matrix products: tokens are quantized into panels, each with its own scale, and multiplied with every weight panel. Products
//! that do not wait for each other are computed together, and the same tokens are quantized once for all of them.

use std::ops::Range;

use super::WeightMatrix;
use super::blocks::{Outputs, SUMMED};
use super::layer::{Layer, Quantized};
use super::pieces::Pieces;
use super::scratch::{LINE, Scratch, from_line};
use super::tokens::{Order, TOGETHER, Tokens};
use crate::engine::kernels::{Kernel, ROWS};
use crate::engine::shares;

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
    /// Factors of each row's outputs after the activation, none where it is empty.
    pub gates: &'a [f32],
    /// How the outputs lie, and what is added to them.
    pub order: Order,
    /// The outputs, `[tokens][rows]` or `[rows][tokens]`.
    pub output: &'a mut [f32],
}

impl Product<'_> {
    fn size(&self) -> [usize; 3] {
        [self.tokens.count(), self.weights.rows(), self.tokens.inputs]
    }
}

/// Computes products. Threads share the tokens where there are enough of them, or else the rows. A weight is read once for as
/// many tokens as [`TOKEN_BYTES`] hold.
pub fn multiply(kernel: &dyn Kernel, products: Vec<Product>) {
    let threads = shares::of_products(products.iter().map(Product::size));
    let mut groups = Group::of(kernel, products, threads);
    for round in 0..groups.iter().map(Group::rounds).max().unwrap_or(0) {
        let packed: Vec<Option<Packed>> = groups.iter().map(|group| group.pack(kernel, round, threads)).collect();
        let mut lists: Vec<Vec<Share>> = (0..threads).map(|_| Vec::new()).collect();
        for (group, packed) in groups.iter_mut().zip(&packed) {
            match packed {
                Some(packed) => group.share_rows(round, packed, &mut lists),
                None => group.share_tokens(&mut lists),
            }
        }
        shares::each_of_parts(
            lists,
            |shares| shares.into_iter().flat_map(Share::split).collect(),
            |share| share.compute(kernel),
        );
    }
}

/// Products of the same tokens.
struct Group<'a> {
    tokens: Tokens<'a>,
    /// Whether a thread quantizes the tokens that it multiplies with all rows; else threads share the rows, for the same tokens.
    own_tokens: bool,
    /// Parts of the tokens: each thread's own, or what all threads multiply with at a time.
    parts: Vec<Range<usize>>,
    /// Tokens that a thread quantizes at a time.
    block: usize,
    products: Vec<Cut<'a>>,
}

/// A product cut for the threads.
struct Cut<'a> {
    layer: Layer<'a>,
    rows: Vec<Range<usize>>,
    /// Of every part of the tokens what belongs to every part of the rows; taken when it is their turn.
    pieces: Vec<Vec<Pieces<'a>>>,
}

impl<'a> Group<'a> {
    /// Products by their tokens, cut for so many threads.
    fn of(kernel: &'a dyn Kernel, products: Vec<Product<'a>>, threads: usize) -> Vec<Group<'a>> {
        let mut together: Vec<Vec<Product>> = Vec::new();
        for product in products {
            match together.iter_mut().find(|others| others[0].tokens.are(&product.tokens)) {
                Some(others) => others.push(product),
                None => together.push(vec![product]),
            }
        }
        together.into_iter().map(|products| Group::new(kernel, products, threads)).collect()
    }

    fn new(kernel: &'a dyn Kernel, products: Vec<Product<'a>>, threads: usize) -> Group<'a> {
        let tokens = products[0].tokens;
        let (count, grain) = (tokens.count(), tokens.grain(kernel));
        let weights: usize = products.iter().map(|product| product.weights.rows() * tokens.inputs).sum();
        let own_tokens = threads == 1 || weights <= WEIGHT_BYTES && count > (threads - 1) * kernel.columns();
        let evenly = |parts: usize| count.div_ceil(parts).max(1).next_multiple_of(grain);
        let most = (TOKEN_BYTES / tokens.inputs / grain).max(1) * grain;
        let (part, block) = if !own_tokens {
            (evenly(1).min(most), most)
        } else if threads > 1 {
            (evenly(threads), evenly(threads * shares::PER_THREAD).max(SUMMED))
        } else {
            (evenly(1), most)
        };
        let (parts, threads) = (parts(count, part), if own_tokens { 1 } else { threads });
        Group {
            tokens,
            own_tokens,
            products: products
                .into_iter()
                .map(|product| Cut::new(kernel, product, &parts, threads))
                .collect(),
            parts,
            block: block.min(most),
        }
    }

    /// How many times threads come together for the group.
    fn rounds(&self) -> usize {
        if self.own_tokens { 1 } else { self.parts.len() }
    }

    /// The tokens of a round, quantized for all threads; nothing where each does its own or none are left.
    fn pack(&self, kernel: &dyn Kernel, round: usize, threads: usize) -> Option<Packed> {
        let part = self.parts.get(round).filter(|_| !self.own_tokens)?;
        Some(Packed::new(kernel, self.tokens, part.clone(), threads))
    }

    /// Gives every thread rows to multiply with the tokens of a round.
    fn share_rows<'b>(&mut self, round: usize, packed: &'b Packed, lists: &mut [Vec<Share<'b>>])
    where
        'a: 'b,
    {
        for cut in &mut self.products {
            let shares = cut.rows.iter().zip(std::mem::take(&mut cut.pieces[round]));
            for (list, (rows, pieces)) in lists.iter_mut().zip(shares) {
                list.push(Share {
                    source: Source::Packed(packed),
                    products: vec![(cut.layer, rows.clone(), pieces)],
                });
            }
        }
    }

    /// Gives every thread tokens to multiply with all rows, unless it has them.
    fn share_tokens<'b>(&mut self, lists: &mut [Vec<Share<'b>>])
    where
        'a: 'b,
    {
        let all = self.products.iter_mut();
        let mut all: Vec<_> = all
            .map(|cut| (cut.layer, std::mem::take(&mut cut.pieces).into_iter().flatten()))
            .collect();
        for (list, part) in lists.iter_mut().zip(self.parts.drain(..)) {
            let products = all
                .iter_mut()
                .filter_map(|(layer, pieces)| Some((*layer, 0..layer.weights.rows(), pieces.next()?)));
            list.push(Share {
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

/// A number of things in parts of a length, the last of which may be shorter.
fn parts(count: usize, length: usize) -> Vec<Range<usize>> {
    (0..count).step_by(length).map(|start| start..count.min(start + length)).collect()
}

impl<'a> Cut<'a> {
    /// A product whose rows so many threads share.
    fn new(kernel: &'a dyn Kernel, product: Product<'a>, tokens: &[Range<usize>], threads: usize) -> Cut<'a> {
        let rows = parts(product.weights.rows(), product.weights.panels().div_ceil(threads).max(1) * ROWS);
        Cut {
            pieces: Pieces::cut(product.output, product.order, tokens, &rows),
            rows,
            layer: Layer {
                kernel,
                weights: product.weights,
                outputs: product.outputs,
                gates: product.gates,
                order: product.order,
                tokens: product.tokens.count(),
            },
        }
    }
}

/// Tokens quantized for all threads.
struct Packed {
    first: usize,
    bytes: Vec<u8>,
    /// Where the panels begin, at the start of a cache line.
    start: usize,
    scales: Vec<f32>,
}

impl Packed {
    /// A part of the tokens; threads share them.
    fn new(kernel: &dyn Kernel, tokens: Tokens, part: Range<usize>, threads: usize) -> Packed {
        let (panel, length) = (kernel.columns() * tokens.inputs, tokens.panel_bytes(kernel, part.len()));
        let (mut bytes, mut scales) = (vec![0; length + LINE], vec![0.0; part.len()]);
        let room = from_line(&mut bytes);
        let start = length + LINE - room.len();
        let threads = shares::of_values(part.len() * tokens.inputs).min(threads);
        let blocks = room[..length]
            .chunks_mut(TOGETHER / kernel.columns() * panel)
            .zip(scales.chunks_mut(TOGETHER));
        shares::each(threads, blocks.enumerate(), |(index, (panels, scales))| {
            let first = part.start + index * TOGETHER;
            tokens.pack(first..first + scales.len(), kernel, panels, scales);
        });
        Packed {
            first: part.start,
            bytes,
            start,
            scales,
        }
    }
}

/// What a thread computes at a time: rows of products of the same tokens.
struct Share<'a> {
    source: Source<'a>,
    products: Vec<(Layer<'a>, Range<usize>, Pieces<'a>)>,
}

/// The tokens of a share.
enum Source<'a> {
    /// Still to be quantized, so many at a time.
    Own {
        tokens: Tokens<'a>,
        part: Range<usize>,
        block: usize,
    },
    Packed(&'a Packed),
}

impl<'a> Share<'a> {
    /// As many shares as there are blocks of tokens still to be quantized.
    fn split(self) -> Vec<Share<'a>> {
        let Source::Own { tokens, part, block } = self.source else {
            return vec![self];
        };
        let source = |blocks: Range<usize>| Source::Own {
            tokens,
            part: part.start + blocks.start..part.start + blocks.end,
            block,
        };
        let blocks = parts(part.len(), block).into_iter().map(source);
        let mut shares: Vec<Share> = blocks
            .map(|source| Share {
                source,
                products: Vec::new(),
            })
            .collect();
        for (layer, rows, pieces) in self.products {
            for (share, pieces) in shares.iter_mut().zip(pieces.by_tokens(layer.order, block)) {
                share.products.push((layer, rows.clone(), pieces));
            }
        }
        shares
    }

    fn compute(self, kernel: &dyn Kernel) {
        let Share { source, products } = self;
        let multiply = |tokens: Quantized| {
            for (layer, rows, mut pieces) in products {
                layer.compute(rows, tokens, &mut pieces);
            }
        };
        match source {
            Source::Packed(packed) => multiply(Quantized {
                first: packed.first,
                panels: &packed.bytes[packed.start..],
                scales: &packed.scales,
            }),
            Source::Own { tokens, part, .. } => Scratch::with(|scratch| {
                let panels = scratch.packed(tokens.panel_bytes(kernel, part.len()));
                let (first, mut scales) = (part.start, vec![0.0; part.len()]);
                tokens.pack(part, kernel, panels, &mut scales);
                let scales = &scales;
                multiply(Quantized { first, panels, scales });
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_but_for_the_last() {
        assert_eq!(parts(7, 3), [0..3, 3..6, 6..7]);
        assert!(parts(0, 3).is_empty());
    }
}
