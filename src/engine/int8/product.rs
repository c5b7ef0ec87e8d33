//! The loops around the micro-kernels: blocks of columns are packed into panels, multiplied with every weight
//! panel while they are in cache, and turned back into floats at once.

use rayon::prelude::*;

use super::{Image, WeightMatrix, quantize_group, scale_of};
use crate::engine::kernels::{GROUP, Kernel, ROWS};
use crate::engine::lanes::{Fused, widest};

/// Bytes of activation panels that are packed at once: stays in a core's second-level cache.
const BLOCK_BYTES: usize = 192 << 10;
/// Columns whose panels one thread packs together.
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
    let columns = positions[0] * positions[1];
    let panel_columns = kernel.columns();
    let panel_bytes = weights.inputs() * panel_columns;
    let block_panels = (BLOCK_BYTES / panel_bytes / kernel.panels() * kernel.panels()).max(kernel.panels());
    let panels = columns.div_ceil(panel_columns);
    let row_sums = shifts(kernel, weights);
    let mut packed = vec![0u8; block_panels.min(panels) * panel_bytes];
    for first in (0..panels).step_by(block_panels) {
        let count = block_panels.min(panels - first);
        let block = &mut packed[..count * panel_bytes];
        let strip_panels = (STRIP / panel_columns).max(1);
        block
            .par_chunks_mut(strip_panels * panel_bytes)
            .enumerate()
            .for_each(|(index, strip)| {
                let start = (first + index * strip_panels) * panel_columns;
                let end = columns.min(start + strip.len() / panel_bytes * panel_columns);
                let runs = runs(start..end, positions[1], window.strides, image.width);
                gather(strip, [panel_columns, panel_bytes], image, window, &runs);
            });
        let block = &*block;
        output.par_chunks_mut(ROWS * columns).enumerate().for_each(|(row_panel, rows)| {
            let mut sums = vec![0i32; ROWS * kernel.panels() * panel_columns];
            for start in (0..count).step_by(kernel.panels()) {
                let together = kernel.panels().min(count - start);
                let activations = &block[start * panel_bytes..][..together * panel_bytes];
                let sums = &mut sums[..ROWS * together * panel_columns];
                kernel.multiply(
                    weights.panel(row_panel),
                    row_sums(row_panel),
                    activations,
                    weights.groups(),
                    together,
                    sums,
                );
                let column = (first + start) * panel_columns;
                let block = Block {
                    columns: column..columns.min(column + together * panel_columns),
                    stride: together * panel_columns,
                    first_row: row_panel * ROWS,
                };
                widest(
                    #[inline(always)]
                    |fused| block.dequantize(sums, image.scale, outputs, rows, columns, fused),
                );
            }
        });
    }
}

/// Which columns of the output a block of sums is.
struct Block {
    /// Columns of the output.
    columns: std::ops::Range<usize>,
    /// Sums of one row.
    stride: usize,
    /// Row of the weights that the first sums belong to.
    first_row: usize,
}

impl Block {
    /// Turns the sums of a panel's rows into outputs.
    #[inline(always)]
    fn dequantize(&self, sums: &[i32], scale: f32, outputs: Outputs, rows: &mut [f32], columns: usize, fused: Fused) {
        for (index, out) in rows.chunks_exact_mut(columns).enumerate() {
            let row = self.first_row + index;
            let (scale, bias) = (outputs.scales[row] * scale, outputs.biases[row]);
            let (out, sums) = (&mut out[self.columns.clone()], &sums[index * self.stride..]);
            if outputs.residual.is_empty() {
                for (out, &sum) in out.iter_mut().zip(sums) {
                    *out = fused.add(sum as f32, scale, bias);
                }
            } else {
                let residual = &outputs.residual[row * columns..][self.columns.clone()];
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

/// Matrix product: output `[tokens][rows]` of tokens `[tokens][inputs]`, each token with its own scale.
pub fn multiply_rows(kernel: &dyn Kernel, weights: &WeightMatrix, tokens: &[f32], outputs: Outputs, output: &mut [f32]) {
    let (rows, inputs) = (weights.rows(), weights.inputs());
    let together = kernel.panels() * kernel.columns();
    let row_sums = shifts(kernel, weights);
    output
        .par_chunks_mut(together * rows)
        .zip(tokens.par_chunks(together * inputs))
        .for_each(|(output, tokens)| {
            let count = tokens.len() / inputs;
            let panels = count.div_ceil(kernel.columns());
            let mut activations = vec![0u8; panels * kernel.columns() * inputs];
            let scales = pack_tokens(&mut activations, tokens, inputs, kernel);
            let columns = panels * kernel.columns();
            let mut sums = vec![0i32; ROWS * columns];
            for panel in 0..weights.panels() {
                kernel.multiply(
                    weights.panel(panel),
                    row_sums(panel),
                    &activations,
                    weights.groups(),
                    panels,
                    &mut sums,
                );
                let part = Part {
                    sums: &sums,
                    columns,
                    first_row: panel * ROWS,
                };
                part.dequantize(&scales, outputs, output, rows);
            }
        });
}

/// Sums of one weight panel with all tokens of a share, `[8][columns]`.
struct Part<'a> {
    sums: &'a [i32],
    columns: usize,
    first_row: usize,
}

impl Part<'_> {
    /// Turns the sums into eight outputs of every token, fewer at the end of the rows.
    fn dequantize(&self, token_scales: &[f32], outputs: Outputs, output: &mut [f32], rows: usize) {
        let width = ROWS.min(rows - self.first_row);
        let of_rows = |values: &[f32]| {
            let mut eight = [0f32; ROWS];
            eight[..width].copy_from_slice(&values[self.first_row..][..width]);
            eight
        };
        let (scales, biases) = (of_rows(outputs.scales), of_rows(outputs.biases));
        let sums: [&[i32]; ROWS] = std::array::from_fn(|row| &self.sums[row * self.columns..][..self.columns]);
        for (token, (out, token_scale)) in output.chunks_exact_mut(rows).zip(token_scales).enumerate() {
            let values: [f32; ROWS] = std::array::from_fn(|row| sums[row][token] as f32 * (scales[row] * token_scale) + biases[row]);
            let out = &mut out[self.first_row..];
            match out.first_chunk_mut() {
                Some(out) => *out = values,
                None => out[..width].copy_from_slice(&values[..width]),
            }
        }
    }
}

/// Quantizes tokens into panels and returns their scales.
fn pack_tokens(panels: &mut [u8], tokens: &[f32], inputs: usize, kernel: &dyn Kernel) -> Vec<f32> {
    let (columns, mask) = (kernel.columns(), kernel.activation_mask());
    let place = |token: usize| (token / columns * columns * inputs, token % columns);
    let scales = tokens.chunks_exact(inputs).enumerate().map(|(token, values)| {
        let scale = scale_of(values);
        let inverse = 1.0 / scale;
        let (panel, column) = place(token);
        let groups = panels[panel..].chunks_exact_mut(columns * GROUP);
        for (out, values) in groups.zip(values.as_chunks::<GROUP>().0) {
            out[column * GROUP..][..GROUP].copy_from_slice(&quantize_group(*values, inverse, mask));
        }
        scale
    });
    scales.collect()
}

/// The sums of a weight panel's rows, where the kernel needs them.
fn shifts<'a>(kernel: &dyn Kernel, weights: &'a WeightMatrix) -> impl Fn(usize) -> &'a [i32; ROWS] + Sync {
    const NONE: [i32; ROWS] = [0; ROWS];
    let sums: &'a [[i32; ROWS]] = if kernel.activation_mask() == 0 { &[] } else { weights.row_sums() };
    move |panel| sums.get(panel).unwrap_or(&NONE)
}
