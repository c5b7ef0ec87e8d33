//! The common end of convolutions and matrix products: outputs split into blocks, sums of more panels than a kernel takes at once,
//! and the epilogue that turns sums into floats: dequantization, bias, activation and residual.

use std::ops::Range;

use super::WeightMatrix;
use crate::engine::arithmetic::Activation;
use crate::engine::kernels::{GROUP, InPlace, Kernel, ROWS, Sums, Windows};
use crate::engine::parallel;
use crate::engine::simd::Fused;

/// What a product becomes: `last activation(activation(sum·scale·input scale + bias + shift) + residual)`.
/// A product of 16-bit activations is two of bytes, the second of which continues from what the first left in the output.
#[derive(Clone, Copy)]
pub struct Outputs<'a> {
    /// Scale of each weight row.
    pub scales: &'a [f32],
    /// Bias of each row; empty to continue from the values of the output.
    pub biases: &'a [f32],
    /// Added to each row's outputs after the bias; empty for none.
    pub shifts: &'a [f32],
    /// Function of every output, before the residual is added.
    pub activation: Option<Activation>,
    /// Added to the outputs, of their shape; empty for none.
    pub residual: &'a [f32],
    /// Function of every output, after the residual is added.
    pub last_activation: Option<Activation>,
}

impl Outputs<'_> {
    /// The first of two products: only scaled, with the bias.
    pub fn without_epilogue(self) -> Self {
        Outputs {
            shifts: &[],
            activation: None,
            residual: &[],
            last_activation: None,
            ..self
        }
    }

    /// The second of two products, which continues from the first.
    pub fn continuing(self) -> Self {
        Outputs { biases: &[], ..self }
    }
}

/// A block of columns of a picture: the first of them, and its part of every row.
pub type Columns<'a> = (usize, Vec<&'a mut [f32]>);

/// Does work on blocks of `block` columns of an output `[rows][columns]`, in `threads` threads.
pub fn each_block(threads: usize, output: &mut [f32], columns: usize, block: usize, work: impl Fn(Columns) + Sync) {
    let blocks = columns.div_ceil(block);
    let places: Vec<Range<usize>> = parallel::split_evenly(blocks, threads.min(blocks))
        .map(|blocks| columns.min(blocks.start * block)..columns.min(blocks.end * block))
        .collect();
    let firsts = places.iter().map(|places| places.start);
    let parts: Vec<Columns> = firsts
        .zip(parallel::split_columns(output, columns, places.iter().cloned()))
        .collect();
    parallel::for_each_in_parts(
        parts,
        |(first, rows)| (first..).step_by(block).zip(parallel::chunk_columns(rows, block)).collect(),
        work,
    );
}

/// Outputs of a row that are computed together: whole vectors on every processor.
const WIDE: usize = 16;

/// Which outputs a call of the kernel made sums of.
pub struct Block {
    /// Columns within the block.
    pub columns: Range<usize>,
    /// Sums of one row.
    pub stride: usize,
    /// Row of the weights that the first sums belong to.
    pub first_row: usize,
    /// Values from one row of what is added to the next, and the first column there.
    pub residual: [usize; 2],
}

impl Block {
    /// Turns the sums of a panel's rows into outputs.
    #[inline(always)]
    pub fn dequantize(&self, sums: &[i32], scale: f32, outputs: Outputs, rows: &mut [&mut [f32]], fused: Fused) {
        let count = self.columns.len();
        for (index, out) in rows.iter_mut().enumerate() {
            let row = self.first_row + index;
            let (scale, bias) = (outputs.scales[row] * scale, outputs.biases.get(row));
            let shift = outputs.shifts.get(row);
            let (out, sums) = (&mut out[self.columns.start..][..count], &sums[index * self.stride..][..count]);
            let ((wide_out, out), (wide_sums, sums)) = (out.as_chunks_mut::<WIDE>(), sums.as_chunks::<WIDE>());
            let residual = match outputs.residual {
                [] => &[],
                residual => &residual[row * self.residual[0] + self.residual[1]..][..count],
            };
            let (wide_residual, residual) = residual.as_chunks::<WIDE>();
            for (index, (out, sums)) in wide_out.iter_mut().zip(wide_sums).enumerate() {
                let mut values = bias.map_or(*out, |&bias| [bias; WIDE]);
                for lane in 0..WIDE {
                    values[lane] = fused.add(sums[lane] as f32, scale, values[lane]);
                }
                if let Some(shift) = shift {
                    values.iter_mut().for_each(|value| *value += shift);
                }
                if let Some(activation) = outputs.activation {
                    activation.apply(&mut values, fused);
                }
                if let Some(residual) = wide_residual.get(index) {
                    for lane in 0..WIDE {
                        values[lane] += residual[lane];
                    }
                }
                if let Some(activation) = outputs.last_activation {
                    activation.apply(&mut values, fused);
                }
                *out = values;
            }
            for (index, (out, &sum)) in out.iter_mut().zip(sums).enumerate() {
                let mut value = [fused.add(sum as f32, scale, bias.copied().unwrap_or(*out))];
                if let Some(shift) = shift {
                    value[0] += shift;
                }
                if let Some(activation) = outputs.activation {
                    activation.apply(&mut value, fused);
                }
                value[0] += residual.get(index).copied().unwrap_or(0.0);
                if let Some(activation) = outputs.last_activation {
                    activation.apply(&mut value, fused);
                }
                *out = value[0];
            }
        }
    }
}

/// Columns whose sums of a weight panel are made before they become floats: a multiple of what every kernel takes at once, long
/// enough for whole vectors and short enough for first-level cache.
pub const SUMMED: usize = 48;

/// Sums of a weight panel's rows, at the start of a cache line.
#[repr(align(64))]
pub struct PanelSums(pub [[i32; SUMMED]; ROWS]);

impl PanelSums {
    /// No sums yet.
    pub const fn new() -> PanelSums {
        PanelSums([[0; SUMMED]; ROWS])
    }

    /// Those of a weight panel with up to [`SUMMED`] columns of activations, by as many calls of the kernel as that takes.
    pub fn multiply(&mut self, kernel: &dyn Kernel, weights: &WeightMatrix, panel: usize, row_sums: &[i32; ROWS], activations: &[u8]) {
        let panel_bytes = kernel.columns() * weights.groups() * GROUP;
        for (call, activations) in activations.chunks(kernel.panels() * panel_bytes).enumerate() {
            let sums = Sums {
                values: &mut self.0.as_flattened_mut()[call * kernel.panels() * kernel.columns()..],
                stride: SUMMED,
            };
            let count = activations.len() / panel_bytes;
            kernel.multiply(weights.panel(panel), row_sums, activations, weights.groups(), count, sums);
        }
    }

    /// The same with windows where they lie, each panel of which begins at a byte of the first plane.
    pub fn multiply_in_place(&mut self, kernel: &dyn InPlace, weights: &[i8], row_sums: &[i32; ROWS], windows: Windows, panels: &[usize]) {
        for (call, panels) in panels.chunks(kernel.panels()).enumerate() {
            let sums = Sums {
                values: &mut self.0.as_flattened_mut()[call * kernel.panels() * kernel.columns()..],
                stride: SUMMED,
            };
            kernel.multiply_in_place(weights, row_sums, windows, panels, sums);
        }
    }
}

/// The sums of a weight panel's rows, where the kernel needs them.
pub fn shifts<'a>(kernel: &dyn Kernel, weights: &'a WeightMatrix) -> impl Fn(usize) -> &'a [i32; ROWS] + Sync {
    const NONE: [i32; ROWS] = [0; ROWS];
    let sums: &'a [[i32; ROWS]] = if kernel.activation_mask() == 0 { &[] } else { weights.row_sums() };
    move |panel| sums.get(panel).unwrap_or(&NONE)
}
