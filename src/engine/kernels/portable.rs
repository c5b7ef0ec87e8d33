//! The scalar reference: what every other kernel must equal bit for bit.

use super::{GROUP, Kernel, ROWS, Sums};

const COLUMNS: usize = 8;

/// Plain loops, for processors without a kernel of their own.
#[derive(Debug)]
pub(super) struct Portable;

impl Kernel for Portable {
    fn name(&self) -> &'static str {
        "portable"
    }

    fn columns(&self) -> usize {
        COLUMNS
    }

    fn multiply(&self, weights: &[i8], _row_sums: &[i32; ROWS], activations: &[u8], groups: usize, count: usize, sums: Sums) {
        super::assert_shapes(self, weights, activations, groups, count, &sums);
        let tile = multiply_panel(weights, activations, groups);
        for (sums, row) in sums.values.chunks_mut(sums.stride).zip(tile) {
            sums[..COLUMNS].copy_from_slice(&row);
        }
    }
}

fn multiply_panel(weights: &[i8], activations: &[u8], groups: usize) -> [[i32; COLUMNS]; ROWS] {
    let mut tile = [[0; COLUMNS]; ROWS];
    let (weights, _) = weights.as_chunks::<GROUP>();
    let (activations, _) = activations.as_chunks::<GROUP>();
    for (weights, activations) in weights.chunks_exact(ROWS).zip(activations.chunks_exact(COLUMNS)).take(groups) {
        for (row, weights) in tile.iter_mut().zip(weights) {
            for (sum, activations) in row.iter_mut().zip(activations) {
                *sum += dot(weights, activations);
            }
        }
    }
    tile
}

fn dot(weights: &[i8; GROUP], activations: &[u8; GROUP]) -> i32 {
    weights
        .iter()
        .zip(activations)
        .map(|(&weight, &activation)| i32::from(weight) * i32::from(activation as i8))
        .sum()
}
