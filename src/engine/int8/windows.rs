//! The loops around the micro-kernels for convolutions: blocks of columns are packed into panels, multiplied with every
//! weight panel while they are in cache, and turned back into floats at once.

use rayon::prelude::*;

use super::blocks::{Block, Outputs, PanelSums, SUMMED, by_blocks, shifts};
use super::scratch::Scratch;
use super::{Image, WeightMatrix, Window};
use crate::engine::kernels::{GROUP, Kernel, ROWS};
use crate::engine::lanes::widest;
use crate::engine::shares;

/// Bytes of activation panels that a thread packs at once: stays in its share of the second-level cache.
const BLOCK_BYTES: usize = 128 << 10;
/// Columns whose panels are packed together.
const STRIP: usize = 32;

/// Convolution: output `[rows][positions]` of weights `[rows, (y, x, channel)]` over the image.
pub fn convolve(
    kernel: &dyn Kernel,
    weights: &WeightMatrix,
    image: &Image,
    window: Window,
    positions: [usize; 2],
    outputs: Outputs,
    output: &mut [f32],
) {
    let columns = positions[0] * positions[1];
    let panel_columns = kernel.columns();
    let panel_bytes = weights.inputs() * panel_columns;
    let row_sums = shifts(kernel, weights);
    let threads = shares::threads(columns * weights.rows() * weights.inputs());
    let block_panels = panels_of_block(columns.div_ceil(panel_columns), panel_bytes, kernel.panels(), threads);
    let block_columns = block_panels * panel_columns;
    let blocks = by_blocks(output, columns, block_columns);
    let least = blocks.len().div_ceil(threads);
    let work = |index: usize, mut rows: Vec<&mut [f32]>, scratch: &mut Scratch| {
        let first = index * block_columns;
        let end = columns.min(first + block_columns);
        let count = (end - first).div_ceil(panel_columns);
        let (packed, mut sums) = (scratch.packed(count * panel_bytes), PanelSums::new());
        let strip_panels = (STRIP / panel_columns).max(1);
        for (index, strip) in packed.chunks_mut(strip_panels * panel_bytes).enumerate() {
            let start = first + index * strip_panels * panel_columns;
            let runs = runs(
                start..end.min(start + strip_panels * panel_columns),
                positions[1],
                window.strides,
                image.width,
            );
            gather(strip, [panel_columns, panel_bytes], image, window, &runs);
        }
        for (row_panel, rows) in rows.chunks_mut(ROWS).enumerate() {
            for (call, activations) in packed.chunks(SUMMED / panel_columns * panel_bytes).enumerate() {
                sums.multiply(kernel, weights, row_panel, row_sums(row_panel), activations);
                let column = call * SUMMED;
                let block = Block {
                    columns: column..(end - first).min(column + SUMMED),
                    stride: SUMMED,
                    first_row: row_panel * ROWS,
                    residual: [columns, first + column],
                };
                widest(
                    #[inline(always)]
                    |fused| block.dequantize(sums.0.as_flattened(), image.scale, outputs, rows, fused),
                );
            }
        }
    };
    blocks
        .into_par_iter()
        .enumerate()
        .with_min_len(least)
        .for_each(|(index, rows)| Scratch::with(|scratch| work(index, rows, scratch)));
}

/// Panels that a thread packs at once: so many that they stay in cache and that every thread gets as much.
fn panels_of_block(panels: usize, panel_bytes: usize, together: usize, threads: usize) -> usize {
    let most = (BLOCK_BYTES / panel_bytes).max(together);
    let blocks = panels.div_ceil(most).next_multiple_of(threads);
    let even = panels.div_ceil(blocks);
    let whole = even.next_multiple_of(together);
    // Calls of the kernel are at their best with as many panels as it takes, if that leaves no thread idle.
    if panels.div_ceil(whole) == panels.div_ceil(even) {
        whole
    } else {
        even
    }
}

/// Fills some panels of `[columns, bytes]`: for each column, the window's groups in the order of the weights (y, x,
/// channel).
fn gather(strip: &mut [u8], panel: [usize; 2], image: &Image, window: Window, runs: &[Run]) {
    // Copies of a length that the compiler knows are a few vector instructions; calls cost more than they move.
    if runs.iter().all(|run| run.fits(panel[0])) {
        match panel[0] {
            4 => return gather_panels::<16>(strip, panel[1], image, window, runs),
            8 => return gather_panels::<32>(strip, panel[1], image, window, runs),
            16 => return gather_panels::<64>(strip, panel[1], image, window, runs),
            _ => {}
        }
    }
    let whole = |pixels: usize| panel[0].is_multiple_of(pixels) && runs.iter().all(|run| run.fits(pixels));
    match [16, 8, 4].into_iter().find(|&pixels| whole(pixels)) {
        Some(16) => gather_pieces::<64>(strip, panel, image, window, runs),
        Some(8) => gather_pieces::<32>(strip, panel, image, window, runs),
        Some(4) => gather_pieces::<16>(strip, panel, image, window, runs),
        _ => gather_pieces::<GROUP>(strip, panel, image, window, runs),
    }
}

/// [`gather`] for runs that fill whole panels, `BYTES` of each group.
fn gather_panels<const BYTES: usize>(strip: &mut [u8], panel_bytes: usize, image: &Image, window: Window, runs: &[Run]) {
    for run in runs {
        let panels = run.length * GROUP / BYTES;
        let target = &mut strip[run.target * GROUP / BYTES * panel_bytes..][..panels * panel_bytes];
        let mut group = 0;
        for y in 0..window.size[0] {
            for x in 0..window.size[1] {
                let source = (run.source + y * image.width + x) * GROUP;
                for plane in image.planes() {
                    let pieces = plane[source..][..panels * BYTES].as_chunks::<BYTES>().0;
                    for (panel, piece) in target.chunks_exact_mut(panel_bytes).zip(pieces) {
                        panel[group..][..BYTES].copy_from_slice(piece);
                    }
                    group += BYTES;
                }
            }
        }
    }
}

/// [`gather`] for runs that can be cut into pieces of `BYTES`.
fn gather_pieces<const BYTES: usize>(strip: &mut [u8], panel: [usize; 2], image: &Image, window: Window, runs: &[Run]) {
    let pieces: Vec<[usize; 2]> = runs.iter().flat_map(|run| run.pieces(BYTES / GROUP, panel)).collect();
    let group_bytes = panel[0] * GROUP;
    let mut group = 0;
    for y in 0..window.size[0] {
        for x in 0..window.size[1] {
            let offset = (y * image.width + x) * GROUP;
            for plane in image.planes() {
                let (from, to) = (&plane[offset..], &mut strip[group * group_bytes..]);
                for &[source, target] in &pieces {
                    if let (Some(out), Some(pixels)) = (to.get_mut(target..target + BYTES), from.get(source..source + BYTES)) {
                        out.copy_from_slice(pixels);
                    }
                }
                group += 1;
            }
        }
    }
}

/// Columns whose pixels lie side by side in the image.
struct Run {
    /// First column in the strip.
    target: usize,
    /// Its pixel in the image for the window's first place.
    source: usize,
    /// Columns.
    length: usize,
}

impl Run {
    /// Whether the run can be cut into pieces of so many columns, none of them in two panels.
    fn fits(&self, pixels: usize) -> bool {
        self.length.is_multiple_of(pixels) && self.target.is_multiple_of(pixels)
    }

    /// Where pieces of so many columns lie in a plane and in a strip of panels of `[columns, bytes]`, in bytes.
    fn pieces(&self, pixels: usize, panel: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
        (0..self.length).step_by(pixels).map(move |place| {
            let column = self.target + place;
            let target = column / panel[0] * panel[1] + column % panel[0] * GROUP;
            [(self.source + place) * GROUP, target]
        })
    }
}

fn runs(columns: std::ops::Range<usize>, width: usize, strides: [usize; 2], image_width: usize) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut column = columns.start;
    while column < columns.end {
        let (y, x) = (column / width, column % width);
        let length = if strides[1] == 1 {
            (width - x).min(columns.end - column)
        } else {
            1
        };
        let source = y * strides[0] * image_width + x * strides[1];
        runs.push(Run {
            target: column - columns.start,
            source,
            length,
        });
        column += length;
    }
    runs
}
