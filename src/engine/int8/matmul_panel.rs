//! Matrix products of quantized tokens, panel by panel: integer sums become floats at once, with the bias, activation, gate and
//! residual that follow the product.

use std::ops::Range;

use super::WeightMatrix;
use super::epilogue::{Outputs, PanelSums, SUMMED, shifts};
use super::matmul::OutputSlices;
use super::quantize::{BASE, Order, TOGETHER, filled};
use crate::engine::arithmetic::Activation;
use crate::engine::kernels::{Kernel, ROWS};
use crate::engine::simd::{Fused, widest};
use crate::engine::transpose::{SIDE, transpose_square};

/// A product without its tokens.
#[derive(Clone, Copy)]
pub struct Layer<'a> {
    /// The micro-kernel.
    pub kernel: &'a dyn Kernel,
    /// The weights.
    pub weights: &'a WeightMatrix,
    /// What the sums become.
    pub outputs: Outputs<'a>,
    /// Factors of each row's outputs, after the activation; empty for none.
    pub gates: &'a [f32],
    /// The function of the second half of the rows, by whose values the first half is multiplied; none for all rows.
    pub halved: Option<Activation>,
    /// Memory order of the outputs and of the residual.
    pub order: Order,
    /// Number of all tokens.
    pub tokens: usize,
}

/// Some quantized tokens.
#[derive(Clone, Copy)]
pub struct Quantized<'a> {
    /// Number of the first.
    pub first: usize,
    /// Their panels, `[groups][columns][4]` each: those of the only or low byte of their values, then those of the high byte if there is one.
    pub panels: &'a [u8],
    /// The scale of every token.
    pub scales: &'a [f32],
}

impl Layer<'_> {
    /// Rows of the outputs.
    pub fn rows(&self) -> usize {
        self.weights.rows() / if self.halved.is_some() { 2 } else { 1 }
    }

    /// Computes the outputs of rows, which begin with a panel.
    pub fn compute(&self, rows: Range<usize>, tokens: Quantized, slices: &mut OutputSlices) {
        let (row_sums, inputs, columns) = (shifts(self.kernel, self.weights), self.weights.inputs(), self.kernel.columns());
        let (low, high) = tokens.panels.split_at(tokens.scales.len().next_multiple_of(columns) * inputs);
        let calls = low.chunks(SUMMED * inputs).zip(tokens.scales.chunks(SUMMED));
        let [mut sums, mut gate_sums] = [const { ValueSums::new() }; 2];
        for row in rows.clone().step_by(ROWS) {
            for (call, (low, scales)) in calls.clone().enumerate() {
                let high = high.chunks(SUMMED * inputs).nth(call);
                let multiply = |sums: &mut ValueSums, panel| sums.multiply(self, panel, row_sums(panel), [Some(low), high]);
                multiply(&mut sums, row / ROWS);
                if self.halved.is_some() {
                    multiply(&mut gate_sums, (row + self.rows()) / ROWS);
                }
                let part = PanelSlice {
                    layer: self,
                    sums: [&sums, &gate_sums],
                    row,
                    token: tokens.first + call * SUMMED,
                    place: [row - rows.start, call * SUMMED],
                };
                part.finish(scales, slices);
            }
        }
    }
}

/// Sums of one weight panel with up to [`SUMMED`] tokens.
struct ValueSums {
    /// Those of the only or low byte of the tokens' values.
    low: PanelSums,
    /// Those of the high byte.
    high: PanelSums,
    is_wide: bool,
}

impl ValueSums {
    const fn new() -> ValueSums {
        ValueSums {
            low: PanelSums::new(),
            high: PanelSums::new(),
            is_wide: false,
        }
    }

    /// Makes them of the panels of low and high bytes.
    fn multiply(&mut self, layer: &Layer, panel: usize, row_sums: &[i32; ROWS], activations: [Option<&[u8]>; 2]) {
        self.is_wide = activations[1].is_some();
        for (sums, activations) in [&mut self.low, &mut self.high].into_iter().zip(activations) {
            if let Some(activations) = activations {
                sums.multiply(layer.kernel, layer.weights, panel, row_sums, activations);
            }
        }
    }

    /// Those of a row and the tokens of a part, as floats.
    #[inline(always)]
    fn floats(&self, row: usize, part: usize) -> [f32; TOGETHER] {
        let (low, high) = (&self.low.0[row], &self.high.0[row]);
        let (low, high) = (&low.as_chunks::<TOGETHER>().0[part], &high.as_chunks::<TOGETHER>().0[part]);
        let mut floats = [0f32; TOGETHER];
        for token in 0..TOGETHER {
            floats[token] = low[token] as f32;
        }
        if self.is_wide {
            for token in 0..TOGETHER {
                floats[token] += high[token] as f32 * BASE;
            }
        }
        floats
    }
}

/// Outputs of a panel's rows of some tokens.
type Tile = [[f32; TOGETHER]; ROWS];

/// Outputs of one weight panel and up to [`SUMMED`] tokens.
struct PanelSlice<'a> {
    layer: &'a Layer<'a>,
    /// The sums of the rows and, where there are any, of their gates.
    sums: [&'a ValueSums; 2],
    /// The first row and token.
    row: usize,
    token: usize,
    /// Where they are in the slices.
    place: [usize; 2],
}

impl PanelSlice<'_> {
    /// Turns the sums into outputs.
    fn finish(&self, scales: &[f32], slices: &mut OutputSlices) {
        let whole = self.layer.rows() - self.row >= ROWS;
        for (part, scales) in scales.chunks(TOGETHER).enumerate() {
            let tile = widest(
                #[inline(always)]
                |fused| self.dequantize(part, filled(scales, 0.0), fused),
            );
            let tokens = part * TOGETHER..part * TOGETHER + scales.len();
            match self.layer.order {
                Order::Rows if whole => self.store(&tile, tokens, slices),
                Order::Rows => self.store_last(&tile, tokens, slices),
                Order::Picture => self.store_picture(&tile, tokens, slices),
            }
        }
    }

    /// A tile of outputs by rows, without the residual. The loops run over all tokens of a tile, also missing ones, so that their length
    /// is known and they are vectorized.
    #[inline(always)]
    fn dequantize(&self, part: usize, token_scales: [f32; TOGETHER], fused: Fused) -> Tile {
        let Layer {
            outputs, gates, halved, ..
        } = self.layer;
        let mut tile = self.scaled(self.sums[0], self.row, part, token_scales);
        if let Some(activation) = halved {
            let mut gates = self.scaled(self.sums[1], self.layer.rows() + self.row, part, token_scales);
            activation.apply(gates.as_flattened_mut(), fused);
            for (value, gate) in tile.as_flattened_mut().iter_mut().zip(gates.as_flattened()) {
                *value *= gate;
            }
        }
        for (index, values) in tile.iter_mut().enumerate() {
            if let Some(activation) = outputs.activation {
                activation.apply(values, fused);
            }
            if let Some(gate) = gates.get(self.row + index) {
                for value in values {
                    *value *= gate;
                }
            }
        }
        tile
    }

    /// Sums of rows from `first` on, scaled, with the bias.
    #[inline(always)]
    fn scaled(&self, sums: &ValueSums, first: usize, part: usize, token_scales: [f32; TOGETHER]) -> Tile {
        let outputs = &self.layer.outputs;
        let mut tile = [[0f32; TOGETHER]; ROWS];
        let rows = outputs.scales[first..].iter().zip(&outputs.biases[first..]);
        for (row, (values, (&scale, &bias))) in tile.iter_mut().zip(rows).enumerate() {
            let sums = sums.floats(row, part);
            for token in 0..TOGETHER {
                values[token] = sums[token] * (scale * token_scales[token]) + bias;
            }
        }
        tile
    }

    /// Stores a tile of a whole panel. Apart from [`PanelSlice::store_last`], so that every copy has a length known when compiled.
    fn store(&self, tile: &Tile, tokens: Range<usize>, slices: &mut OutputSlices) {
        let (upper, lower) = tile.split_at(SIDE);
        for (block, first) in tokens.clone().step_by(SIDE).enumerate() {
            let square = |rows: &[[f32; TOGETHER]]| transpose_square(std::array::from_fn(|row| rows[row].as_chunks().0[block]));
            let halves = square(upper).into_iter().zip(square(lower));
            for (token, (upper, lower)) in (first..tokens.end).zip(halves) {
                let mut values = [0f32; ROWS];
                values[..SIDE].copy_from_slice(&upper);
                values[SIDE..].copy_from_slice(&lower);
                if let Some(added) = self.residual(token).first_chunk::<ROWS>() {
                    values = std::array::from_fn(|row| values[row] + added[row]);
                }
                self.line(token, slices)[..ROWS].copy_from_slice(&values);
            }
        }
    }

    /// The same where rows end within the panel.
    fn store_last(&self, tile: &Tile, tokens: Range<usize>, slices: &mut OutputSlices) {
        for (lane, token) in tokens.enumerate() {
            let residual = self.residual(token);
            for (row, out) in self.line(token, slices).iter_mut().enumerate() {
                *out = tile[row][lane];
                if let Some(added) = residual.get(row) {
                    *out += added;
                }
            }
        }
    }

    /// The same for a picture, whole or not.
    fn store_picture(&self, tile: &Tile, tokens: Range<usize>, slices: &mut OutputSlices) {
        let PanelSlice { layer, place, .. } = *self;
        let rows = self.row..layer.rows().min(self.row + ROWS);
        for (index, (row, values)) in rows.zip(tile).enumerate() {
            let added = match layer.outputs.residual {
                [] => &[],
                residual => &residual[row * layer.tokens + self.token..][tokens.clone()],
            };
            put(&mut slices.line(place[0] + index)[place[1]..][tokens.clone()], values, added);
        }
    }

    /// A token's outputs from the part's rows on.
    fn line<'b>(&self, token: usize, slices: &'b mut OutputSlices) -> &'b mut [f32] {
        &mut slices.line(self.place[1] + token)[self.place[0]..]
    }

    /// What is added to a token's outputs; empty for none.
    fn residual(&self, token: usize) -> &[f32] {
        let (residual, rows) = (self.layer.outputs.residual, self.layer.rows());
        match residual {
            [] => residual,
            _ => &residual[(self.token + token) * rows..][self.row..rows.min(self.row + ROWS)],
        }
    }
}

/// Stores the first values of a tile's row, with the residual added.
fn put(out: &mut [f32], values: &[f32; TOGETHER], added: &[f32]) {
    match (out.first_chunk_mut(), added.first_chunk::<TOGETHER>()) {
        (Some(out), Some(added)) => *out = std::array::from_fn(|lane| values[lane] + added[lane]),
        (Some(out), None) => *out = *values,
        _ => {
            out.copy_from_slice(&values[..out.len()]);
            out.iter_mut().zip(added).for_each(|(out, added)| *out += added);
        }
    }
}
