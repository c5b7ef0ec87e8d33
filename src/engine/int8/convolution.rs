//! Convolution of quantized pictures: by Winograd's minimal filtering where kernel and picture allow it, otherwise by the window itself.
//! Blocks of columns are packed into panels (im2col), or read in place, multiplied with every weight panel while they are in cache,
//! and turned into floats at once.

use std::ops::Range;

use super::epilogue::{Block, Outputs, PanelSums, SUMMED, each_block, shifts};
use super::scratch::Scratch;
use super::{Image, WeightMatrix, winograd};
use crate::engine::geometry::Window;
use crate::engine::kernels::{GROUP, InPlace, Kernel, ROWS, Windows};
use crate::engine::parallel;
use crate::engine::simd::widest;

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
    match winograd::fitting(kernel, weights, window, positions) {
        Some(tiles) => winograd::convolve(tiles, weights, image, positions, outputs, output),
        None => im2col(kernel, weights, image, window, positions, outputs, output),
    }
}

/// The mask of the bytes of an image that [`convolve`] is given with these arguments.
pub fn image_mask(kernel: &dyn Kernel, weights: &WeightMatrix, window: Window, positions: [usize; 2]) -> u8 {
    match winograd::fitting(kernel, weights, window, positions) {
        Some(_) => 0,
        None => kernel.activation_mask(),
    }
}

/// Convolution by im2col. Threads share the positions; if there are more rows than positions, they share the rows, so that none reads
/// all weights.
fn im2col(
    kernel: &dyn Kernel,
    weights: &WeightMatrix,
    image: &Image,
    window: Window,
    positions: [usize; 2],
    outputs: Outputs,
    output: &mut [f32],
) {
    let columns = positions[0] * positions[1];
    let threads = parallel::threads_for_products([[columns, weights.rows(), weights.inputs()]]);
    let by_rows = weights.rows() > columns;
    let (row_threads, block_threads) = if by_rows { (threads, 1) } else { (1, threads) };
    let layer = Layer {
        kernel,
        weights,
        image,
        window,
        positions,
        outputs,
    };
    let block = layer.panels_of_block(block_threads) * kernel.columns();
    let rows = weights.panels().div_ceil(row_threads) * ROWS;
    let shares = output.chunks_mut(rows * columns).enumerate();
    parallel::for_each(row_threads, shares, |(share, output)| {
        each_block(block_threads, output, columns, block, |(first, mut parts)| {
            let columns = first..columns.min(first + block);
            Scratch::with(|scratch| layer.block(columns, share * rows / ROWS, &mut parts, scratch));
        });
    });
}

/// What all blocks of a layer share.
struct Layer<'a> {
    kernel: &'a dyn Kernel,
    weights: &'a WeightMatrix,
    image: &'a Image<'a>,
    window: Window,
    positions: [usize; 2],
    outputs: Outputs<'a>,
}

impl Layer<'_> {
    fn columns(&self) -> usize {
        self.positions[0] * self.positions[1]
    }

    /// Bytes of a panel of activations.
    fn panel_bytes(&self) -> usize {
        self.weights.inputs() * self.kernel.columns()
    }

    /// Panels that a thread packs at once: few enough to stay in cache, and the same number for every thread.
    fn panels_of_block(&self, threads: usize) -> usize {
        let (panels, together) = (self.columns().div_ceil(self.kernel.columns()), self.kernel.panels());
        let cached = BLOCK_BYTES / self.panel_bytes();
        let shared = if threads > 1 {
            panels.div_ceil(threads * parallel::TASKS_PER_THREAD)
        } else {
            panels
        };
        let blocks = panels.div_ceil(cached.min(shared).max(together)).next_multiple_of(threads);
        let even = panels.div_ceil(blocks);
        let whole = even.next_multiple_of(together);
        // Calls of the kernel are at their best with as many panels as it takes, if that leaves no thread idle.
        if panels.div_ceil(whole) == panels.div_ceil(even) {
            whole
        } else {
            even
        }
    }

    /// Computes some columns of some weight rows, the first of which are those of a panel. `rows` are the outputs.
    fn block(&self, columns: Range<usize>, first_panel: usize, rows: &mut [&mut [f32]], scratch: &mut Scratch) {
        if let Some(kernel) = self.kernel.in_place().filter(|_| self.lie_side_by_side()) {
            return self.block_in_place(kernel, columns, first_panel, rows);
        }
        let (kernel, panel_bytes) = (self.kernel, self.panel_bytes());
        let panels = columns.len().div_ceil(kernel.columns());
        let together = self.panels_of_call(panels);
        let packed = scratch.packed(panels * panel_bytes);
        self.pack(&columns, packed);
        let calls = packed.chunks(together * panel_bytes);
        self.multiply(columns, first_panel, rows, together, calls, |sums, panel, row_sums, activations| {
            sums.multiply(kernel, self.weights, panel, row_sums, activations);
        });
    }

    /// The same where the columns of every panel lie side by side in the image.
    fn block_in_place(&self, kernel: &dyn InPlace, columns: Range<usize>, first_panel: usize, rows: &mut [&mut [f32]]) {
        let (line, plane) = (self.image.width * GROUP, self.image.plane);
        let [height, width] = self.window.size;
        let pixels: Vec<usize> = (0..height).flat_map(|y| (0..width).map(move |x| y * line + x * GROUP)).collect();
        let windows = Windows {
            image: self.image.bytes(),
            planes: [self.weights.groups() / pixels.len(), plane],
            pixels: &pixels,
        };
        let start = |column: usize| column / self.positions[1] * self.window.strides[0] * line + column % self.positions[1] * GROUP;
        let panels: Vec<usize> = columns.clone().step_by(self.kernel.columns()).map(start).collect();
        let together = self.panels_of_call(panels.len());
        let calls = panels.chunks(together);
        self.multiply(columns, first_panel, rows, together, calls, |sums, panel, row_sums, panels| {
            sums.multiply_in_place(kernel, self.weights.panel(panel), row_sums, windows, panels);
        });
    }

    /// Whether the columns of every panel do.
    fn lie_side_by_side(&self) -> bool {
        let ([_, width], [down, across], columns) = (self.positions, self.window.strides, self.kernel.columns());
        let lines_meet = width == self.image.width && down == 1;
        across == 1 && self.columns().is_multiple_of(columns) && (lines_meet || width.is_multiple_of(columns))
    }

    /// Panels whose sums become floats together. Where the kernel makes all these sums at once, each call has about as much: few columns
    /// cost it nearly as much as many.
    fn panels_of_call(&self, panels: usize) -> usize {
        let most = SUMMED / self.kernel.columns();
        if self.kernel.panels() == most {
            panels.div_ceil(panels.div_ceil(most))
        } else {
            most
        }
    }

    /// Makes sums of weight panels with some columns, `together` panels of them at once, and turns them into outputs.
    fn multiply<T>(
        &self,
        columns: Range<usize>,
        first_panel: usize,
        rows: &mut [&mut [f32]],
        together: usize,
        calls: impl Iterator<Item = T> + Clone,
        multiply: impl Fn(&mut PanelSums, usize, &[i32; ROWS], T),
    ) {
        let (row_sums, mut sums) = (shifts(self.kernel, self.weights), PanelSums::new());
        let width = together * self.kernel.columns();
        for (panel, rows) in (first_panel..).zip(rows.chunks_mut(ROWS)) {
            for (call, activations) in calls.clone().enumerate() {
                multiply(&mut sums, panel, row_sums(panel), activations);
                let column = call * width;
                let block = Block {
                    columns: column..columns.len().min(column + width),
                    stride: SUMMED,
                    first_row: panel * ROWS,
                    residual: [self.columns(), columns.start + column],
                };
                widest(
                    #[inline(always)]
                    |fused| block.dequantize(sums.0.as_flattened(), self.image.scale, self.outputs, rows, fused),
                );
            }
        }
    }

    /// Packs the windows of some columns into panels.
    fn pack(&self, columns: &Range<usize>, packed: &mut [u8]) {
        let (panel_columns, panel_bytes) = (self.kernel.columns(), self.panel_bytes());
        let strip_panels = (STRIP / panel_columns).max(1);
        for (index, strip) in packed.chunks_mut(strip_panels * panel_bytes).enumerate() {
            let start = columns.start + index * strip_panels * panel_columns;
            let end = columns.end.min(start + strip_panels * panel_columns);
            let runs = runs(start..end, self.positions[1], self.window.strides, self.image.width);
            gather(strip, [panel_columns, panel_bytes], self.image, self.window, &runs);
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
        Some(16) => gather_runs::<64>(strip, panel, image, window, runs),
        Some(8) => gather_runs::<32>(strip, panel, image, window, runs),
        Some(4) => gather_runs::<16>(strip, panel, image, window, runs),
        _ => gather_runs::<GROUP>(strip, panel, image, window, runs),
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
                    let chunks = plane[source..][..panels * BYTES].as_chunks::<BYTES>().0;
                    for (panel, chunk) in target.chunks_exact_mut(panel_bytes).zip(chunks) {
                        panel[group..][..BYTES].copy_from_slice(chunk);
                    }
                    group += BYTES;
                }
            }
        }
    }
}

/// [`gather`] for runs that can be cut into chunks of `BYTES`.
fn gather_runs<const BYTES: usize>(strip: &mut [u8], panel: [usize; 2], image: &Image, window: Window, runs: &[Run]) {
    let chunks: Vec<[usize; 2]> = runs.iter().flat_map(|run| run.chunks(BYTES / GROUP, panel)).collect();
    let group_bytes = panel[0] * GROUP;
    let mut group = 0;
    for y in 0..window.size[0] {
        for x in 0..window.size[1] {
            let offset = (y * image.width + x) * GROUP;
            for plane in image.planes() {
                let (from, to) = (&plane[offset..], &mut strip[group * group_bytes..]);
                for &[source, target] in &chunks {
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
    /// Whether the run can be split into chunks of `pixels` columns, none of them in two panels.
    fn fits(&self, pixels: usize) -> bool {
        self.length.is_multiple_of(pixels) && self.target.is_multiple_of(pixels)
    }

    /// Byte offsets of chunks of `pixels` columns, in a plane and in a strip of panels of `[columns, bytes]`.
    fn chunks(&self, pixels: usize, panel: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
        (0..self.length).step_by(pixels).map(move |place| {
            let column = self.target + place;
            let target = column / panel[0] * panel[1] + column % panel[0] * GROUP;
            [(self.source + place) * GROUP, target]
        })
    }
}

fn runs(columns: Range<usize>, width: usize, strides: [usize; 2], image_width: usize) -> Vec<Run> {
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
