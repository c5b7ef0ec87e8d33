//! The loops around minimal filtering: tiles of the image are transformed into panels, multiplied with every
//! transformed weight panel while they are in cache, and their sums turned back into floats at once.

use std::ops::Range;

use rayon::prelude::*;

use super::product::{Block, by_blocks};
use super::scratch::Scratch;
use super::{Image, Outputs, WeightMatrix, Window};
use crate::engine::kernels::winograd::{MOST_GROUPS, OUTPUTS, TILES, VALUES, Winograd, panel_values, place_values};
use crate::engine::kernels::{GROUP, ROWS};
use crate::engine::lanes::widest;
use crate::engine::shares;

/// Bytes of transformed tiles that a thread makes at once, and for all of which each weight panel is transformed once:
/// they stay in its second-level cache, on x86 in its share of the third.
const BLOCK_BYTES: usize = if cfg!(target_arch = "x86_64") { 1 << 20 } else { 256 << 10 };

/// Whether a convolution consists of whole tiles whose sums fit.
pub fn fit(weights: &WeightMatrix, window: Window, positions: [usize; 2]) -> bool {
    let even = positions.iter().all(|size| size.is_multiple_of(2));
    let many = positions[0] * positions[1] >= 4 * TILES;
    window.size == [3, 3] && window.strides == [1, 1] && even && many && weights.groups() <= 9 * MOST_GROUPS
}

/// How a layer is cut for the threads.
struct Cut {
    /// Tiles of a row of tiles.
    across: usize,
    /// Rows of tiles in a block.
    block: usize,
    /// Weight rows of a share: all, unless there are too few tiles for all threads.
    rows: usize,
    /// Blocks that a thread takes one after another.
    least: usize,
}

impl Cut {
    fn new(weights: &WeightMatrix, positions: [usize; 2]) -> Cut {
        let [tall, across] = positions.map(|size| size / 2);
        let threads = shares::threads(positions[0] * positions[1] * weights.rows() * weights.inputs());
        let panels = weights.panels();
        let by_rows = threads > 1 && tall * across < 2 * TILES * threads && panels >= threads;
        let (row_shares, block_shares) = if by_rows { (threads, 1) } else { (1, threads) };
        let tile_bytes = panel_values(weights.groups() / 9) / TILES * size_of::<i16>();
        let most = (BLOCK_BYTES / (tile_bytes * across)).clamp(1, tall);
        let blocks = tall.div_ceil(most).next_multiple_of(block_shares).min(tall);
        Cut {
            across,
            block: tall.div_ceil(blocks),
            rows: panels.div_ceil(row_shares) * ROWS,
            least: blocks.div_ceil(block_shares),
        }
    }
}

/// Convolution with a window of 3×3 that [`fit`]s: output `[rows][positions]` of weights `[rows, (y, x, channel)]` over
/// the image.
pub fn convolve(kernel: &dyn Winograd, weights: &WeightMatrix, image: &Image, positions: [usize; 2], outputs: Outputs, output: &mut [f32]) {
    let columns = positions[0] * positions[1];
    let cut = Cut::new(weights, positions);
    let layer = Layer {
        kernel,
        weights,
        image,
        outputs,
        groups: weights.groups() / 9,
        across: cut.across,
        columns,
    };
    output.par_chunks_mut(cut.rows * columns).enumerate().for_each(|(share, output)| {
        let block_columns = cut.block * 2 * positions[1];
        by_blocks(output, columns, block_columns)
            .into_par_iter()
            .enumerate()
            .with_min_len(cut.least)
            .for_each(|(index, mut rows)| {
                let first = index * cut.block;
                let tile_rows = first..(first + cut.block).min(positions[0] / 2);
                Scratch::with(|scratch| layer.block(tile_rows, share * cut.rows, &mut rows, scratch));
            });
    });
}

/// What all blocks of a layer share.
struct Layer<'a> {
    kernel: &'a dyn Winograd,
    weights: &'a WeightMatrix,
    image: &'a Image,
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
        let count = tile_rows.len() * self.across;
        let panel_values = panel_values(self.groups);
        let lines_values = Lines::values(self.across);
        let values = (count.div_ceil(TILES) + 1) * panel_values + lines_values;
        let (room, sums) = scratch.tiles(values, ROWS * OUTPUTS);
        let (lines, room) = room.split_at_mut(lines_values);
        let (transformed, tiles) = room.split_at_mut(panel_values);
        for tile_row in tile_rows.clone() {
            let first = (tile_row - tile_rows.start) * self.across;
            for (group, plane) in self.image.planes().enumerate() {
                let mut lines = Lines {
                    across: self.across,
                    values: lines,
                };
                lines.fill(plane, self.image.width, tile_row);
                lines.spread(tiles, first, group, self.groups);
            }
        }
        for (index, rows) in rows.chunks_mut(ROWS).enumerate() {
            let row_panel = first_row / ROWS + index;
            self.kernel.transform(self.weights.panel(row_panel), self.groups, transformed);
            for (panel, tiles) in tiles.chunks_exact(panel_values).enumerate() {
                self.kernel.multiply(transformed, tiles, self.groups, sums);
                let taken = panel * TILES..count.min((panel + 1) * TILES);
                self.dequantize(sums, taken, &tile_rows, row_panel * ROWS, rows);
            }
        }
    }

    /// Turns the sums of a panel's tiles into outputs, one run of tiles side by side after another.
    fn dequantize(&self, sums: &[i32], tiles: Range<usize>, tile_rows: &Range<usize>, first_row: usize, rows: &mut [&mut [f32]]) {
        let width = 2 * self.across;
        let runs = Runs {
            tiles: tiles.clone(),
            across: self.across,
        };
        for run in runs {
            let (tile_row, place) = (run.start / self.across, run.start % self.across);
            for lower in 0..2 {
                let start = (2 * tile_row + lower) * width + 2 * place;
                let block = Block {
                    columns: start..start + 2 * run.len(),
                    stride: OUTPUTS,
                    first_row,
                    residual: [self.columns, 2 * tile_rows.start * width + start],
                };
                let sums = &sums[lower * 2 * TILES + 2 * (run.start - tiles.start)..];
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

/// Four lines of a plane, transformed from line to line: Bᵀ·d. In `values`, even pixels lie apart from odd ones, so
/// that the values of neighbouring tiles lie side by side: `[4][even, odd][across + 1][4 channels]`.
struct Lines<'a> {
    across: usize,
    values: &'a mut [i16],
}

impl Lines<'_> {
    fn values(across: usize) -> usize {
        4 * 2 * (across + 1) * GROUP
    }

    /// Values of the even or the odd pixels of a line.
    fn half(&self) -> usize {
        (self.across + 1) * GROUP
    }

    /// Transforms the four lines of a row of tiles.
    fn fill(&mut self, plane: &[u8], width: usize, tile_row: usize) {
        let half = self.half();
        let line = |index: usize| {
            plane[(2 * tile_row + index) * width * GROUP..][..2 * half]
                .as_chunks::<{ 2 * GROUP }>()
                .0
        };
        let lines: [&[[u8; 2 * GROUP]]; 4] = std::array::from_fn(line);
        let mut halves = self.values.chunks_exact_mut(half);
        let mut halves: [&mut [[i16; GROUP]]; 8] = std::array::from_fn(|_| halves.next().unwrap_or_default().as_chunks_mut().0);
        widest(
            #[inline(always)]
            |_| {
                for index in 0..lines[0].len() {
                    // Whole vectors at every step: the compiler finds none in a loop over the lanes of all four lines.
                    let [a, b, c, d] = [0, 1, 2, 3].map(|line| wide(&lines[line][index]));
                    let mut transformed = [[0; 2 * GROUP]; 4];
                    for lane in 0..2 * GROUP {
                        transformed[0][lane] = a[lane] - c[lane];
                        transformed[1][lane] = b[lane] + c[lane];
                        transformed[2][lane] = c[lane] - b[lane];
                        transformed[3][lane] = b[lane] - d[lane];
                    }
                    for (halves, pixels) in halves.as_chunks_mut::<2>().0.iter_mut().zip(transformed) {
                        halves[0][index].copy_from_slice(&pixels[..GROUP]);
                        halves[1][index].copy_from_slice(&pixels[GROUP..]);
                    }
                }
            },
        );
    }

    /// Transforms along the lines, d·B, into the panels of tiles, of which this row's begin with tile `first`.
    fn spread(&self, panels: &mut [i16], first: usize, group: usize, groups: usize) {
        let (panel_values, place_values) = (panel_values(groups), place_values(groups));
        let mut tile = first;
        while tile < first + self.across {
            let (panel, lane) = (tile / TILES, tile % TILES);
            let count = (TILES - lane).min(first + self.across - tile);
            let start = panel * panel_values + group * VALUES + lane * GROUP;
            let part = &mut panels[start..(panel + 1) * panel_values];
            let from = (tile - first) * GROUP;
            match count {
                8 => self.spread_tiles::<{ 8 * GROUP }>(part, place_values, from),
                4 => self.spread_tiles::<{ 4 * GROUP }>(part, place_values, from),
                _ => (0..count).for_each(|next| self.spread_tiles::<GROUP>(&mut part[next * GROUP..], place_values, from + next * GROUP)),
            }
            tile += count;
        }
    }

    /// [`Lines::spread`] for `COUNT` values of tiles side by side, whose places lie `place_values` apart.
    fn spread_tiles<const COUNT: usize>(&self, part: &mut [i16], place_values: usize, from: usize) {
        let half = self.half();
        for line in 0..4 {
            let [even, odd] = [0, half].map(|start| &self.values[2 * line * half + start + from..]);
            let (Some(a), Some(b), Some(c), Some(d)) = (
                even.first_chunk::<COUNT>(),
                odd.first_chunk::<COUNT>(),
                even[GROUP..].first_chunk::<COUNT>(),
                odd[GROUP..].first_chunk::<COUNT>(),
            ) else {
                return;
            };
            let mut put = |place: usize, values: [i16; COUNT]| part[(4 * line + place) * place_values..][..COUNT].copy_from_slice(&values);
            put(0, std::array::from_fn(|index| a[index] - c[index]));
            put(1, std::array::from_fn(|index| b[index] + c[index]));
            put(2, std::array::from_fn(|index| c[index] - b[index]));
            put(3, std::array::from_fn(|index| b[index] - d[index]));
        }
    }
}

/// Two pixels of four channels.
#[inline(always)]
fn wide(bytes: &[u8; 2 * GROUP]) -> [i16; 2 * GROUP] {
    let mut values = [0; 2 * GROUP];
    for (value, &byte) in values.iter_mut().zip(bytes) {
        *value = i16::from(byte as i8);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::super::{Padding, convolve as by_windows};
    use super::*;
    use crate::engine::AT_MOST;
    use crate::engine::kernels::available;
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
        assert!(fit(&weights, WINDOW, [height, width]));
        let columns = height * width;
        let [scales, biases] = [7, 9].map(|seed| numbers(seed).take(rows).map(f32::from).collect::<Vec<_>>());
        let residual: Vec<f32> = numbers(11).take(rows * columns).map(f32::from).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let made = available().into_iter().map(|kernel| {
            let image = Image::quantize(&values, shape, 1, padding, kernel.activation_mask());
            let outputs = Outputs {
                scales: &scales,
                biases: &biases,
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
            [64, 16, 16],
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
        let weights = weights(8, 4);
        assert!(fit(&weights, WINDOW, [8, 8]));
        assert!(!fit(&weights, WINDOW, [7, 8]) && !fit(&weights, WINDOW, [8, 9]) && !fit(&weights, WINDOW, [4, 4]));
        let strided = Window { strides: [2, 2], ..WINDOW };
        let large = Window { size: [5, 5], ..WINDOW };
        assert!(!fit(&weights, strided, [8, 8]) && !fit(&weights, large, [8, 8]));
    }

    #[test]
    fn runs_end_with_each_row_of_tiles() {
        let runs = Runs { tiles: 6..17, across: 5 };
        assert_eq!(runs.collect::<Vec<_>>(), [6..10, 10..15, 15..17]);
    }
}
