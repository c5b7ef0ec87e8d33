//! The loops around minimal filtering: tiles of the image are transformed into panels, multiplied with every
//! transformed weight panel while they are in cache, and their sums turned back into floats at once.

use std::ops::Range;

use super::blocks::{Block, Outputs, each_block};
use super::lines::{Lines, lines_values};
use super::scratch::Scratch;
use super::{Image, WeightMatrix};
use crate::engine::geometry::Window;
use crate::engine::kernels::winograd::{Form, Four, TILES, Two, Winograd, outputs, panel_values};
use crate::engine::kernels::{Kernel, ROWS};
use crate::engine::lanes::widest;
use crate::engine::shares;

/// Bytes of transformed tiles that a thread makes at once, and for all of which each weight panel is transformed once:
/// they stay in its second-level cache, on x86 in its share of the third.
const BLOCK_BYTES: usize = if cfg!(target_arch = "x86_64") { 1 << 20 } else { 256 << 10 };

/// The largest tiles of which a convolution consists, if it does; few of them are left to the plain window.
pub fn fitting(kernel: &dyn Kernel, window: Window, positions: [usize; 2]) -> Option<&'static dyn Winograd> {
    if window.size != [3, 3] || window.strides != [1, 1] {
        return None;
    }
    let fits = |side: usize, least: usize| {
        let [tall, wide] = positions.map(|size| size / side);
        positions == [tall * side, wide * side] && tall * wide >= least
    };
    let all = kernel.winograd().iter().copied();
    all.into_iter()
        .find(|winograd| fits(winograd.side(), if winograd.side() == 2 { TILES } else { TILES / 2 }))
}

/// How a layer is cut for the threads.
struct Cut {
    /// Tiles of a row of tiles.
    across: usize,
    /// Rows of tiles in a block.
    block: usize,
    /// Weight rows of a share: all, unless there are too few tiles for all threads.
    rows: usize,
    /// Threads that share the rows, and the blocks.
    threads: [usize; 2],
}

impl Cut {
    fn new(side: usize, weights: &WeightMatrix, positions: [usize; 2]) -> Cut {
        let [tall, across] = positions.map(|size| size / side);
        let threads = shares::of_products([[positions[0] * positions[1], weights.rows(), weights.inputs()]]);
        let panels = weights.panels();
        let by_rows = threads > 1 && tall * across < 2 * TILES * threads && panels >= threads;
        let (row_shares, block_shares) = if by_rows { (threads, 1) } else { (1, threads) };
        let tile_bytes = panel_values(side, weights.groups() / 9) / TILES * size_of::<i16>();
        let most = (BLOCK_BYTES / (tile_bytes * across)).clamp(1, tall);
        let blocks = tall.div_ceil(most).next_multiple_of(block_shares).min(tall);
        Cut {
            across,
            block: tall.div_ceil(blocks),
            rows: panels.div_ceil(row_shares) * ROWS,
            threads: [row_shares, block_shares],
        }
    }
}

/// Convolution with a window of 3×3 by tiles that are [`fitting`]: output `[rows][positions]` of weights `[rows, (y, x,
/// channel)]` over the image.
pub fn convolve(kernel: &dyn Winograd, weights: &WeightMatrix, image: &Image, positions: [usize; 2], outputs: Outputs, output: &mut [f32]) {
    let (side, columns) = (kernel.side(), positions[0] * positions[1]);
    let cut = Cut::new(side, weights, positions);
    let layer = Layer {
        kernel,
        weights,
        image,
        outputs,
        groups: weights.groups() / 9,
        across: cut.across,
        columns,
    };
    let shares = output.chunks_mut(cut.rows * columns).enumerate();
    shares::each(cut.threads[0], shares, |(share, output)| {
        let tile_row = side * positions[1];
        each_block(cut.threads[1], output, columns, cut.block * tile_row, |(first, mut rows)| {
            let first = first / tile_row;
            let tile_rows = first..(first + cut.block).min(positions[0] / side);
            Scratch::with(|scratch| layer.block(tile_rows, share * cut.rows, &mut rows, scratch));
        });
    });
}

/// What all blocks of a layer share.
struct Layer<'a> {
    kernel: &'a dyn Winograd,
    weights: &'a WeightMatrix,
    image: &'a Image<'a>,
    outputs: Outputs<'a>,
    /// Groups of four channels.
    groups: usize,
    /// Tiles of a row of tiles.
    across: usize,
    /// Positions of the output.
    columns: usize,
}

impl Layer<'_> {
    /// Computes some rows of tiles of some weight rows, from `first_row` on. `rows` are the outputs.
    fn block(&self, tile_rows: Range<usize>, first_row: usize, rows: &mut [&mut [f32]], scratch: &mut Scratch) {
        let side = self.kernel.side();
        let count = tile_rows.len() * self.across;
        let panel_values = panel_values(side, self.groups);
        let lines_values = lines_values(side, self.across);
        let values = (count.div_ceil(TILES) + 1) * panel_values + lines_values;
        let (room, sums) = scratch.tiles(values, ROWS * outputs(side));
        let (lines, room) = room.split_at_mut(lines_values);
        let (transformed, tiles) = room.split_at_mut(panel_values);
        if side == 2 {
            self.spread::<Two, 4, 16, 4>(&tile_rows, lines, tiles);
        } else {
            self.spread::<Four, 6, 36, 16>(&tile_rows, lines, tiles);
        }
        for (index, rows) in rows.chunks_mut(ROWS).enumerate() {
            let row_panel = first_row / ROWS + index;
            self.kernel.transform(self.weights.panel(row_panel), self.groups, transformed);
            for (panel, tiles) in tiles.chunks_exact(panel_values).enumerate() {
                let taken = panel * TILES..count.min((panel + 1) * TILES);
                self.kernel.multiply(transformed, tiles, self.groups, taken.len(), sums);
                self.dequantize(sums, taken, &tile_rows, row_panel * ROWS, rows);
            }
        }
    }

    /// Transforms the image's tiles into panels.
    fn spread<F: Form<POINTS, PLACES, OUTPUTS>, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize>(
        &self,
        tile_rows: &Range<usize>,
        lines: &mut [i16],
        tiles: &mut [i16],
    ) {
        let mut lines = Lines::<F, POINTS, PLACES, OUTPUTS>::new(self.across, lines);
        for tile_row in tile_rows.clone() {
            let first = (tile_row - tile_rows.start) * self.across;
            for (group, plane) in self.image.planes().enumerate() {
                lines.fill(plane, self.image.width, tile_row);
                lines.spread(tiles, first, group, self.groups);
            }
        }
    }

    /// Turns the sums of a panel's tiles into outputs, one run of tiles side by side after another. Never part of its caller, for the
    /// sake of registers.
    #[inline(never)]
    fn dequantize(&self, sums: &[i32], tiles: Range<usize>, tile_rows: &Range<usize>, first_row: usize, rows: &mut [&mut [f32]]) {
        let side = self.kernel.side();
        let width = side * self.across;
        let runs = Runs {
            tiles: tiles.clone(),
            across: self.across,
        };
        for run in runs {
            let (tile_row, place) = (run.start / self.across, run.start % self.across);
            for line in 0..side {
                let start = (side * tile_row + line) * width + side * place;
                let block = Block {
                    columns: start..start + side * run.len(),
                    stride: outputs(side),
                    first_row,
                    residual: [self.columns, side * tile_rows.start * width + start],
                };
                let sums = &sums[side * (line * TILES + run.start - tiles.start)..];
                widest(
                    #[inline(always)]
                    |fused| block.dequantize(sums, self.image.scale, self.outputs, rows, fused),
                );
            }
        }
    }
}

/// Parts of a range of tiles that lie in one row of tiles.
struct Runs {
    tiles: Range<usize>,
    across: usize,
}

impl Iterator for Runs {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.tiles.start;
        let end = self.tiles.end.min(start - start % self.across + self.across);
        self.tiles.start = end;
        (start < end).then_some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Layout, convolve as by_windows, largest_of};
    use crate::engine::geometry::Padding;
    use super::*;
    use crate::engine::AT_MOST;
    use crate::engine::kernels::{GROUP, available};
    use crate::pack::ExternalTensor;

    const WINDOW: Window = Window {
        size: [3, 3],
        strides: [1, 1],
    };

    fn numbers(seed: usize) -> impl Iterator<Item = u8> {
        let mut state = seed as u32;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
    }

    fn weights(rows: usize, channels: usize) -> WeightMatrix {
        let shape = vec![rows.div_ceil(ROWS), 9 * channels / GROUP, ROWS, GROUP];
        let bytes: Vec<u8> = numbers(3)
            .map(|byte| if byte == 128 { 129 } else { byte })
            .take(shape.iter().product())
            .collect();
        WeightMatrix::new(&ExternalTensor::of_bytes(&bytes, shape), rows, 9 * channels).unwrap()
    }

    /// Outputs of a layer with a residual, by every kernel in a pool of threads.
    fn outputs(shape: [usize; 3], rows: usize, threads: usize) -> Vec<Vec<f32>> {
        let [channels, height, width] = shape;
        let values: Vec<f32> = numbers(5)
            .take(channels * height * width)
            .map(|byte| f32::from(byte) - 100.0)
            .collect();
        let padding = Padding {
            top: 1,
            left: 1,
            bottom: 1,
            right: 1,
        };
        let weights = weights(rows, channels);
        let columns = height * width;
        let [scales, biases] = [7, 9].map(|seed| numbers(seed).take(rows).map(f32::from).collect::<Vec<_>>());
        let residual: Vec<f32> = numbers(11).take(rows * columns).map(f32::from).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let layout = Layout {
            shape,
            enlarge: 1,
            padding,
        };
        let mut room = vec![0; layout.bytes()];
        let made = available().into_iter().map(|kernel| {
            let image = Image::quantize(&values, largest_of(&values), &layout, kernel.activation_mask(), &mut room);
            let outputs = Outputs {
                scales: &scales,
                biases: &biases,
                shifts: &[],
                activation: None,
                residual: &residual,
            };
            let mut output = vec![f32::NAN; rows * columns];
            pool.install(|| by_windows(kernel, &weights, &image, WINDOW, [height, width], outputs, &mut output));
            output
        });
        made.collect()
    }

    #[test]
    fn every_shape_gives_the_bits_of_the_plain_window() {
        let shapes = [
            [4, 8, 8],
            [8, 4, 16],
            [12, 2, 16],
            [8, 6, 10],
            [4, 16, 2],
            [20, 12, 24],
            [12, 20, 12],
            [64, 16, 16],
            [240, 8, 8],
        ];
        for shape in shapes.into_iter().take(AT_MOST) {
            for (rows, threads) in [(8, 1), (13, 2), (40, 1), (64, 3), (96, 4)].into_iter().take(AT_MOST) {
                let outputs = outputs(shape, rows, threads);
                let reference = &outputs[outputs.len() - 1];
                for (output, kernel) in outputs.iter().zip(available()) {
                    let same = output.iter().zip(reference).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{} of {shape:?}, {rows} rows, {threads} threads", kernel.name());
                }
            }
        }
    }

    #[test]
    fn only_whole_tiles_of_small_windows_fit() {
        let side = |window: Window, positions: [usize; 2]| {
            let kernel = available().into_iter().find(|kernel| !kernel.winograd().is_empty())?;
            Some(fitting(kernel, window, positions).map_or(0, Winograd::side))
        };
        let strided = Window { strides: [2, 2], ..WINDOW };
        let large = Window { size: [5, 5], ..WINDOW };
        for (window, positions, expected) in [
            (WINDOW, [8, 8], 4),
            (WINDOW, [4, 16], 4),
            (WINDOW, [6, 8], 2),
            (WINDOW, [2, 16], 2),
            (WINDOW, [4, 4], 0),
            (WINDOW, [7, 8], 0),
            (WINDOW, [8, 9], 0),
            (strided, [8, 8], 0),
            (large, [8, 8], 0),
        ] {
            assert!(
                side(window, positions).is_none_or(|side| side == expected),
                "{window:?} at {positions:?}"
            );
        }
    }

    #[test]
    fn runs_end_with_each_row_of_tiles() {
        let runs = Runs { tiles: 6..17, across: 5 };
        assert_eq!(runs.collect::<Vec<_>>(), [6..10, 10..15, 15..17]);
    }
}
