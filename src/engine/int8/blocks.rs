//! What both ways to compute a convolution and the product with tokens share: outputs cut into blocks, and sums turned into
//! floats.

use super::WeightMatrix;
use crate::engine::arithmetic::Activation;
use crate::engine::kernels::{Kernel, ROWS};
use crate::engine::lanes::Fused;

/// What a product becomes: `activation(sum·scale·input scale + bias) + residual`.
#[derive(Clone, Copy)]
pub struct Outputs<'a> {
    /// Scale of each weight row.
    pub scales: &'a [f32],
    /// Bias of each row.
    pub biases: &'a [f32],
    /// Function of every output, before anything is added to it.
    pub activation: Option<Activation>,
    /// Added to the outputs, of their shape; nothing where it is empty.
    pub residual: &'a [f32],
}

/// A picture's rows `[rows][columns]` cut into blocks of columns: for each block its part of every row.
pub fn by_blocks(output: &mut [f32], columns: usize, block_columns: usize) -> Vec<Vec<&mut [f32]>> {
    let rows = output.len() / columns;
    let mut blocks: Vec<_> = (0..columns.div_ceil(block_columns)).map(|_| Vec::with_capacity(rows)).collect();
    for row in output.chunks_exact_mut(columns) {
        for (block, part) in blocks.iter_mut().zip(row.chunks_mut(block_columns)) {
            block.push(part);
        }
    }
    blocks
}

/// Which outputs a call of the kernel made sums of.
pub struct Block {
    /// Columns within the block.
    pub columns: std::ops::Range<usize>,
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
        for (index, out) in rows.iter_mut().enumerate() {
            let row = self.first_row + index;
            let (scale, bias) = (outputs.scales[row] * scale, outputs.biases[row]);
            let (out, sums) = (&mut out[self.columns.clone()], &sums[index * self.stride..]);
            let residual = outputs
                .residual
                .get(row * self.residual[0] + self.residual[1]..)
                .unwrap_or_default();
            match outputs.activation {
                None if residual.is_empty() => {
                    for (out, &sum) in out.iter_mut().zip(sums) {
                        *out = fused.add(sum as f32, scale, bias);
                    }
                }
                None => {
                    for ((out, &sum), residual) in out.iter_mut().zip(sums).zip(residual) {
                        *out = fused.add(sum as f32, scale, bias) + residual;
                    }
                }
                Some(activation) => {
                    for (out, &sum) in out.iter_mut().zip(sums) {
                        *out = fused.add(sum as f32, scale, bias);
                    }
                    activation.apply(out, fused);
                    for (out, residual) in out.iter_mut().zip(residual) {
                        *out += residual;
                    }
                }
            }
        }
    }
}

/// The sums of a weight panel's rows, where the kernel needs them.
pub fn shifts<'a>(kernel: &dyn Kernel, weights: &'a WeightMatrix) -> impl Fn(usize) -> &'a [i32; ROWS] + Sync {
    const NONE: [i32; ROWS] = [0; ROWS];
    let sums: &'a [[i32; ROWS]] = if kernel.activation_mask() == 0 { &[] } else { weights.row_sums() };
    move |panel| sums.get(panel).unwrap_or(&NONE)
}
