//! The loops around the micro-kernels for matrix products: tokens are quantized into panels, each with its own scale, and
//! multiplied with every weight panel; sums become floats, with what follows the product, at once.

use super::WeightMatrix;
use super::activations::{quantize, scale_of};
use super::blocks::{Outputs, PanelSums, SUMMED, by_blocks, shifts};
use super::scratch::{LINE, Scratch, from_line};
use crate::engine::kernels::{GROUP, Kernel, ROWS};
use crate::engine::lanes::{Fused, widest};
use crate::engine::shares;
use crate::engine::transposition::{SIDE, turn};

/// Bytes of quantized tokens that are multiplied with every weight panel in turn: they stay in second-level cache.
const TOKEN_BYTES: usize = 256 << 10;

/// Tokens whose outputs are computed together.
const TOKENS: usize = 16;

/// Bytes of weights that all threads read, each for tokens of its own: they stay in every core's cache. Of more, each thread reads
/// its own rows, so that none comes from memory twice.
const WEIGHT_BYTES: usize = 512 << 10;

/// Matrix product: output `[tokens][rows]` of tokens `[tokens][inputs]`, each token with its own scale. Threads share the tokens
/// where there are enough of them, or else the rows. A weight is read once for as many tokens as [`TOKEN_BYTES`] hold. `gates`
/// are factors of each row's outputs after the activation, none where it is empty.
pub fn multiply_rows(kernel: &dyn Kernel, weights: &WeightMatrix, tokens: &[f32], outputs: Outputs, gates: &[f32], output: &mut [f32]) {
    let (rows, inputs, columns) = (weights.rows(), weights.inputs(), kernel.columns());
    let (count, together) = (tokens.len() / inputs, (TOKEN_BYTES / inputs / columns).max(1) * columns);
    let threads = shares::of_products([count, rows, inputs]);
    let layer = Layer {
        kernel,
        weights,
        outputs,
        gates,
    };
    let by_tokens = rows * inputs <= WEIGHT_BYTES && count >= threads * columns;
    let (token_threads, row_threads) = if by_tokens { (threads, 1) } else { (1, threads) };
    let block = match token_threads {
        1 => count,
        _ => count
            .div_ceil(threads * shares::PER_THREAD)
            .max(SUMMED)
            .min(count.div_ceil(threads)),
    };
    let block = block.max(1).next_multiple_of(columns).min(together);
    let blocks = tokens.chunks(block * inputs).zip(output.chunks_mut(block * rows)).enumerate();
    shares::each(token_threads, blocks, |(index, (tokens, output))| {
        let first = index * block;
        let bytes = (tokens.len() / inputs).div_ceil(columns) * columns * inputs;
        if row_threads == 1 {
            Scratch::with(|scratch| layer.multiply(1, tokens, first, scratch.packed(bytes), output));
        } else {
            // While this thread waits for the others it may come upon work that takes its scratch.
            layer.multiply(row_threads, tokens, first, from_line(&mut vec![0; bytes + LINE]), output);
        }
    });
}

/// A product, whatever its tokens.
struct Layer<'a> {
    kernel: &'a dyn Kernel,
    weights: &'a WeightMatrix,
    outputs: Outputs<'a>,
    gates: &'a [f32],
}

impl Layer<'_> {
    /// The product with some tokens, the first of which has a number; `packed` is room for them. Threads share the rows.
    fn multiply(&self, threads: usize, tokens: &[f32], first_token: usize, packed: &mut [u8], output: &mut [f32]) {
        let (kernel, weights) = (self.kernel, self.weights);
        let (rows, inputs) = (weights.rows(), weights.inputs());
        let panels = (tokens.len() / inputs).div_ceil(kernel.columns());
        let panel_bytes = kernel.columns() * inputs;
        let packed = &mut packed[..panels * panel_bytes];
        let scales = pack_tokens(threads, packed, tokens, inputs, kernel);
        let share = weights.panels().div_ceil(threads) * ROWS;
        let row_sums = shifts(kernel, weights);
        let calls = packed.chunks(SUMMED / kernel.columns() * panel_bytes).zip(scales.chunks(SUMMED));
        let mut shares = by_blocks(output, rows, share);
        shares::each(threads, shares.iter_mut().enumerate(), |(index, tokens)| {
            let mut sums = PanelSums::new();
            for panel in 0..tokens.first().map_or(0, |rows| rows.len()).div_ceil(ROWS) {
                let row_panel = index * share / ROWS + panel;
                for (call, (activations, scales)) in calls.clone().enumerate() {
                    sums.multiply(kernel, weights, row_panel, row_sums(row_panel), activations);
                    let first = call * SUMMED;
                    let part = Part {
                        sums: &sums,
                        first_row: row_panel * ROWS,
                        first_token: first_token + first,
                    };
                    part.finish(self, scales, &mut tokens[first..], panel * ROWS);
                }
            }
        });
    }
}

/// Outputs of a panel's rows of some tokens.
type Tile = [[f32; TOKENS]; ROWS];

/// Sums of one weight panel with up to [`SUMMED`] tokens.
struct Part<'a> {
    sums: &'a PanelSums,
    first_row: usize,
    first_token: usize,
}

impl Part<'_> {
    /// Turns the sums into eight outputs of every token from `place` on, fewer at the end of the rows.
    fn finish(&self, layer: &Layer, token_scales: &[f32], tokens: &mut [&mut [f32]], place: usize) {
        for (part, (token_scales, tokens)) in token_scales.chunks(TOKENS).zip(tokens.chunks_mut(TOKENS)).enumerate() {
            let tile = widest(
                #[inline(always)]
                |fused| self.dequantize(layer, part, filled(token_scales, 0.0), fused),
            );
            let first = part * TOKENS;
            if layer.weights.rows() - self.first_row >= ROWS {
                self.store(&tile, layer, first, tokens, place);
            } else {
                self.store_last(&tile, layer, first, tokens, place);
            }
        }
    }

    /// A tile of outputs by rows, before anything is added to them. Loops are written out and run over tokens, so that they
    /// become vectors; with the rows in one loop of an unknown length the compiler does not mix them. Tokens that are not there
    /// are computed too.
    #[inline(always)]
    fn dequantize(&self, layer: &Layer, part: usize, token_scales: [f32; TOKENS], fused: Fused) -> Tile {
        let mut tile = [[0f32; TOKENS]; ROWS];
        let rows = layer.outputs.scales[self.first_row..]
            .iter()
            .zip(&layer.outputs.biases[self.first_row..]);
        for (index, ((values, sums), (&scale, &bias))) in tile.iter_mut().zip(&self.sums.0).zip(rows).enumerate() {
            let sums = sums.as_chunks::<TOKENS>().0[part];
            for token in 0..TOKENS {
                values[token] = sums[token] as f32 * (scale * token_scales[token]) + bias;
            }
            if let Some(activation) = layer.outputs.activation {
                activation.apply(values, fused);
            }
            if let Some(gate) = layer.gates.get(self.first_row + index) {
                for value in values {
                    *value *= gate;
                }
            }
        }
        tile
    }

    /// Puts a tile of whole panels where it belongs. Apart from [`Part::store_last`], so that no copy has a length that is not known
    /// here.
    fn store(&self, tile: &Tile, layer: &Layer, first: usize, tokens: &mut [&mut [f32]], place: usize) {
        let (upper, lower) = tile.split_at(SIDE);
        for (block, tokens) in tokens.chunks_mut(SIDE).enumerate() {
            let square = |rows: &[[f32; TOKENS]]| turn(std::array::from_fn(|row| rows[row].as_chunks().0[block]));
            for (index, (out, halves)) in tokens.iter_mut().zip(square(upper).into_iter().zip(square(lower))).enumerate() {
                let mut values = [0f32; ROWS];
                values[..SIDE].copy_from_slice(&halves.0);
                values[SIDE..].copy_from_slice(&halves.1);
                if let Some(added) = self.residual(layer, first + block * SIDE + index).first_chunk::<ROWS>() {
                    values = std::array::from_fn(|row| values[row] + added[row]);
                }
                out[place..place + ROWS].copy_from_slice(&values);
            }
        }
    }

    /// The same where rows end within the panel.
    fn store_last(&self, tile: &Tile, layer: &Layer, first: usize, tokens: &mut [&mut [f32]], place: usize) {
        for (token, out) in tokens.iter_mut().enumerate() {
            let residual = self.residual(layer, first + token);
            for (row, out) in out[place..].iter_mut().enumerate() {
                *out = tile[row][token];
                if let Some(added) = residual.get(row) {
                    *out += added;
                }
            }
        }
    }

    /// What is added to a token's outputs, nothing where nothing is.
    fn residual<'a>(&self, layer: &'a Layer, token: usize) -> &'a [f32] {
        let (residual, rows) = (layer.outputs.residual, layer.weights.rows());
        match residual {
            [] => residual,
            _ => &residual[(self.first_token + token) * rows..][self.first_row..rows.min(self.first_row + ROWS)],
        }
    }
}

/// The first values, something else where there are no more.
#[inline(always)]
fn filled<T: Copy, const COUNT: usize>(values: &[T], beyond: T) -> [T; COUNT] {
    if let Some(values) = values.first_chunk() {
        return *values;
    }
    let mut filled = [beyond; COUNT];
    filled[..values.len()].copy_from_slice(values);
    filled
}

/// Quantizes tokens into panels, `[columns, bytes]` each, and returns their scales.
fn pack_tokens(threads: usize, panels: &mut [u8], tokens: &[f32], inputs: usize, kernel: &dyn Kernel) -> Vec<f32> {
    let (columns, mask) = (kernel.columns(), kernel.activation_mask());
    let mut scales = vec![0.0; tokens.len() / inputs];
    let threads = shares::of_values(tokens.len()).min(threads);
    let parts = panels.chunks_mut(columns * inputs).zip(tokens.chunks(columns * inputs));
    let parts = parts.zip(scales.chunks_mut(columns));
    shares::each(threads, parts, |((panel, tokens), scales)| {
        for (column, (values, scale)) in tokens.chunks_exact(inputs).zip(scales).enumerate() {
            *scale = scale_of(values);
            pack_token(&mut panel[column * GROUP..], columns * GROUP, values, 1.0 / *scale, mask);
        }
    });
    scales
}

/// Quantizes one token into the first bytes of every `stride`, a group each.
fn pack_token(panel: &mut [u8], stride: usize, values: &[f32], inverse: f32, mask: u8) {
    const TOGETHER: usize = 64;
    let mut groups = panel.chunks_mut(stride);
    for values in values.chunks(TOGETHER) {
        let values: [f32; TOGETHER] = filled(values, 0.0);
        let mut bytes = [0; TOGETHER];
        widest(
            #[inline(always)]
            |_| {
                for (byte, &value) in bytes.iter_mut().zip(&values) {
                    *byte = quantize(value, inverse, mask);
                }
            },
        );
        for (bytes, group) in bytes.as_chunks::<GROUP>().0.iter().zip(&mut groups) {
            group[..GROUP].copy_from_slice(bytes);
        }
    }
}
