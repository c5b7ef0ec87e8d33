//! The loops around the micro-kernels: blocks of columns are packed into panels, multiplied with every weight
//! panel while they are in cache, and turned back into floats at once.

use rayon::prelude::*;

use super::scratch::Scratch;
use super::{Image, WeightMatrix, quantize_group, scale_of, tiles};
use crate::engine::kernels::{GROUP, Kernel, ROWS};
use crate::engine::lanes::{Fused, widest};
use crate::engine::shares;

/// Bytes of activation panels that a thread packs at once: stays in its share of the second-level cache.
const BLOCK_BYTES: usize = 128 << 10;
/// Columns whose panels are packed together.
const STRIP: usize = 32;

/// What a product becomes: `sum·scale·input scale + bias + residual`.
#[derive(Clone, Copy)]
pub struct Outputs<'a> {
    /// Scale of each weight row.
    pub scales: &'a [f32],
    /// Bias of each row.
    pub biases: &'a [f32],
    /// Added to a convolution's outputs, of their shape; nothing where it is empty.
    pub residual: &'a [f32],
}

/// A window that moves over a padded image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width of the window.
    pub size: [usize; 2],
    /// Rows and columns from one position to the next.
    pub strides: [usize; 2],
}

impl Window {
    /// Height and width of the output for a padded image of a size; nothing where the window does not fit.
    pub fn positions(&self, height: usize, width: usize) -> Option<[usize; 2]> {
        Some([
            height.checked_sub(self.size[0])? / self.strides[0] + 1,
            width.checked_sub(self.size[1])? / self.strides[1] + 1,
        ])
    }
}

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
    if let Some(winograd) = tiles::fitting(kernel, window, positions) {
        return tiles::convolve(winograd, weights, image, positions, outputs, output);
    }
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
        let (packed, sums) = scratch.panels(count * panel_bytes, ROWS * kernel.panels() * panel_columns);
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
            for start in (0..count).step_by(kernel.panels()) {
                let together = kernel.panels().min(count - start);
                let activations = &packed[start * panel_bytes..][..together * panel_bytes];
                let sums = &mut sums[..ROWS * together * panel_columns];
                kernel.multiply(
                    weights.panel(row_panel),
                    row_sums(row_panel),
                    activations,
                    weights.groups(),
                    together,
                    sums,
                );
                let column = start * panel_columns;
                let block = Block {
                    columns: column..(end - first).min(column + together * panel_columns),
                    stride: together * panel_columns,
                    first_row: row_panel * ROWS,
                    residual: [columns, first + column],
                };
                widest(
                    #[inline(always)]
                    |fused| block.dequantize(sums, image.scale, outputs, rows, fused),
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

/// A picture's rows `[rows][columns]` cut into blocks of columns: for each block its part of every row.
pub(super) fn by_blocks(output: &mut [f32], columns: usize, block_columns: usize) -> Vec<Vec<&mut [f32]>> {
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
pub(super) struct Block {
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
    pub(super) fn dequantize(&self, sums: &[i32], scale: f32, outputs: Outputs, rows: &mut [&mut [f32]], fused: Fused) {
        for (index, out) in rows.iter_mut().enumerate() {
            let row = self.first_row + index;
            let (scale, bias) = (outputs.scales[row] * scale, outputs.biases[row]);
            let (out, sums) = (&mut out[self.columns.clone()], &sums[index * self.stride..]);
            if outputs.residual.is_empty() {
                for (out, &sum) in out.iter_mut().zip(sums) {
                    *out = fused.add(sum as f32, scale, bias);
                }
            } else {
                let residual = &outputs.residual[row * self.residual[0] + self.residual[1]..][..self.columns.len()];
                for ((out, &sum), residual) in out.iter_mut().zip(sums).zip(residual) {
                    *out = fused.add(sum as f32, scale, bias) + residual;
                }
            }
        }
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

/// Bytes of quantized tokens that are multiplied with every weight panel in turn: they stay in second-level cache.
const TOKEN_BYTES: usize = 256 << 10;

/// Matrix product: output `[tokens][rows]` of tokens `[tokens][inputs]`, each token with its own scale. Threads share
/// the rows, so each weight is read by one of them, once for as many tokens as [`TOKEN_BYTES`] hold.
pub fn multiply_rows(kernel: &dyn Kernel, weights: &WeightMatrix, tokens: &[f32], outputs: Outputs, output: &mut [f32]) {
    let (rows, inputs) = (weights.rows(), weights.inputs());
    let together = (TOKEN_BYTES / inputs / kernel.columns()).max(1) * kernel.columns();
    for (tokens, output) in tokens.chunks(together * inputs).zip(output.chunks_mut(together * rows)) {
        multiply_tokens(kernel, weights, tokens, outputs, output);
    }
}

fn multiply_tokens(kernel: &dyn Kernel, weights: &WeightMatrix, tokens: &[f32], outputs: Outputs, output: &mut [f32]) {
    let (rows, inputs) = (weights.rows(), weights.inputs());
    let panels = (tokens.len() / inputs).div_ceil(kernel.columns());
    let panel_bytes = kernel.columns() * inputs;
    let mut packed = vec![0; panels * panel_bytes];
    let scales = pack_tokens(&mut packed, tokens, inputs, kernel);
    let threads = shares::threads(panels * kernel.columns() * rows * inputs);
    let share = weights.panels().div_ceil(threads) * ROWS;
    let row_sums = shifts(kernel, weights);
    let calls = packed
        .chunks(kernel.panels() * panel_bytes)
        .zip(scales.chunks(kernel.panels() * kernel.columns()));
    by_blocks(output, rows, share)
        .into_par_iter()
        .enumerate()
        .for_each(|(index, mut tokens)| {
            Scratch::with(|scratch| {
                let (_, sums) = scratch.panels(0, ROWS * kernel.panels() * kernel.columns());
                for panel in 0..tokens.first().map_or(0, |rows| rows.len()).div_ceil(ROWS) {
                    let row_panel = index * share / ROWS + panel;
                    for (call, (activations, scales)) in calls.clone().enumerate() {
                        let count = activations.len() / panel_bytes;
                        kernel.multiply(
                            weights.panel(row_panel),
                            row_sums(row_panel),
                            activations,
                            weights.groups(),
                            count,
                            sums,
                        );
                        let part = Part {
                            sums,
                            columns: count * kernel.columns(),
                            first_row: row_panel * ROWS,
                        };
                        let first = call * kernel.panels() * kernel.columns();
                        part.dequantize(scales, outputs, &mut tokens[first..], panel * ROWS);
                    }
                }
            });
        });
}

/// Sums of one weight panel with the tokens of a call, `[8][columns]`.
struct Part<'a> {
    sums: &'a [i32],
    columns: usize,
    first_row: usize,
}

impl Part<'_> {
    /// Turns the sums into eight outputs of every token from `place` on, fewer at the end of the rows.
    fn dequantize(&self, token_scales: &[f32], outputs: Outputs, tokens: &mut [&mut [f32]], place: usize) {
        let width = ROWS.min(outputs.scales.len() - self.first_row);
        let of_rows = |values: &[f32]| {
            let values = &values[self.first_row..];
            values.first_chunk().copied().unwrap_or_else(|| {
                let mut eight = [0f32; ROWS];
                eight[..width].copy_from_slice(&values[..width]);
                eight
            })
        };
        let (scales, biases) = (of_rows(outputs.scales), of_rows(outputs.biases));
        let sums: [&[i32]; ROWS] = std::array::from_fn(|row| &self.sums[row * self.columns..][..self.columns]);
        for (token, (out, token_scale)) in tokens.iter_mut().zip(token_scales).enumerate() {
            let values: [f32; ROWS] = std::array::from_fn(|row| sums[row][token] as f32 * (scales[row] * token_scale) + biases[row]);
            let out = &mut out[place..];
            match out.first_chunk_mut() {
                Some(out) => *out = values,
                None => out[..width].copy_from_slice(&values[..width]),
            }
        }
    }
}

/// Quantizes tokens into panels, `[columns, bytes]` each, and returns their scales.
fn pack_tokens(panels: &mut [u8], tokens: &[f32], inputs: usize, kernel: &dyn Kernel) -> Vec<f32> {
    let (columns, mask) = (kernel.columns(), kernel.activation_mask());
    let mut scales = vec![0.0; tokens.len() / inputs];
    panels
        .par_chunks_mut(columns * inputs)
        .zip(tokens.par_chunks(columns * inputs))
        .zip(scales.par_chunks_mut(columns))
        .with_min_len(shares::items(columns * inputs))
        .for_each(|((panel, tokens), scales)| {
            for (column, (values, scale)) in tokens.chunks_exact(inputs).zip(scales).enumerate() {
                *scale = scale_of(values);
                let inverse = 1.0 / *scale;
                let groups = panel.chunks_exact_mut(columns * GROUP);
                for (out, values) in groups.zip(values.as_chunks::<GROUP>().0) {
                    out[column * GROUP..][..GROUP].copy_from_slice(&quantize_group(*values, inverse, mask));
                }
            }
        });
    scales
}

/// The sums of a weight panel's rows, where the kernel needs them.
fn shifts<'a>(kernel: &dyn Kernel, weights: &'a WeightMatrix) -> impl Fn(usize) -> &'a [i32; ROWS] + Sync {
    const NONE: [i32; ROWS] = [0; ROWS];
    let sums: &'a [[i32; ROWS]] = if kernel.activation_mask() == 0 { &[] } else { weights.row_sums() };
    move |panel| sums.get(panel).unwrap_or(&NONE)
}
