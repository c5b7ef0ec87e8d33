//! Convolution by Winograd's minimal filtering: tiles of the picture are transformed, line by line and then along the lines, into
//! panels, multiplied with every transformed weight panel while they are in cache, and their sums turned into floats at once.

use std::marker::PhantomData;
use std::ops::{Add, Range, Sub};

use super::epilogue::{Block, Outputs, each_block};
use super::scratch::Scratch;
use super::{Image, WeightMatrix};
use crate::engine::geometry::Window;
use crate::engine::kernels::i16x8::{COUNT, I16x8};
use crate::engine::kernels::winograd::{Form, Four, TILES, Two, VALUES, Winograd, outputs, panel_values, place_values};
use crate::engine::kernels::{GROUP, Kernel, ROWS, Sums};
use crate::engine::parallel;
use crate::engine::simd::widest;

/// Bytes of transformed tiles that a thread makes at once, and for all of which each weight panel is transformed once:
/// they stay in its second-level cache, on x86 in its share of the third.
const BLOCK_BYTES: usize = if cfg!(target_arch = "x86_64") { 4 << 20 } else { 256 << 10 };

/// Panels whose sums become floats together: long enough pieces of every line, and short enough for the cache.
const TOGETHER: usize = 4;

/// The largest tiles of which a convolution consists, if it does; few of them are left to the plain window.
pub fn fitting(kernel: &dyn Kernel, weights: &WeightMatrix, window: Window, positions: [usize; 2]) -> Option<&'static dyn Winograd> {
    if window.size != [3, 3] || window.strides != [1, 1] {
        return None;
    }
    let fits = |winograd: &dyn Winograd| {
        let side = winograd.side();
        let [tall, wide] = positions.map(|size| size / side);
        positions == [tall * side, wide * side] && winograd.pays(tall * wide, weights.rows(), weights.groups() / 9)
    };
    kernel.winograd().iter().copied().find(|winograd| fits(*winograd))
}

/// How a layer is split for the threads.
struct Split {
    /// Tiles of a row of tiles.
    across: usize,
    /// Rows of tiles in a block.
    block: usize,
    /// Weight rows of a share: all, unless there are too few tiles for all threads.
    rows: usize,
    /// Threads that share the rows, and the blocks.
    threads: [usize; 2],
}

impl Split {
    fn new(side: usize, weights: &WeightMatrix, positions: [usize; 2]) -> Split {
        let [tall, across] = positions.map(|size| size / side);
        let threads = parallel::threads_for_products([[positions[0] * positions[1], weights.rows(), weights.inputs()]]);
        let panels = weights.panels();
        let by_rows = threads > 1 && tall * across < 2 * TILES * threads && panels >= threads;
        let (row_shares, block_shares) = if by_rows { (threads, 1) } else { (1, threads) };
        let tile_bytes = panel_values(side, weights.groups() / 9) / TILES * size_of::<i16>();
        let most = (BLOCK_BYTES / (tile_bytes * across)).clamp(1, tall);
        let blocks = tall.div_ceil(most).next_multiple_of(block_shares).min(tall);
        Split {
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
    let cut = Split::new(side, weights, positions);
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
    parallel::for_each(cut.threads[0], shares, |(share, output)| {
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
        let tile_row_values = tile_row_values(side, self.across);
        let values = (count.div_ceil(TILES) + 1) * panel_values + tile_row_values;
        let (room, sums) = scratch.tiles(values, TOGETHER * ROWS * outputs(side));
        let (lines, room) = room.split_at_mut(tile_row_values);
        let (transformed, tiles) = room.split_at_mut(panel_values);
        if side == 2 {
            self.spread::<Two, 4, 16, 4>(&tile_rows, lines, tiles);
        } else {
            self.spread::<Four, 6, 36, 16>(&tile_rows, lines, tiles);
        }
        for (index, rows) in rows.chunks_mut(ROWS).enumerate() {
            let row_panel = first_row / ROWS + index;
            self.kernel.transform(self.weights.panel(row_panel), self.groups, transformed);
            for (first, tiles) in (0..count).step_by(TOGETHER * TILES).zip(tiles.chunks(TOGETHER * panel_values)) {
                let taken = first..count.min(first + TOGETHER * TILES);
                for (panel, tiles) in tiles.chunks_exact(panel_values).enumerate() {
                    let wanted = taken.len().saturating_sub(panel * TILES).min(TILES);
                    let sums = Sums {
                        values: &mut sums[panel * side * TILES..],
                        stride: TOGETHER * side * TILES,
                    };
                    self.kernel.multiply(transformed, tiles, self.groups, wanted, sums);
                }
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
        let mut lines = TileRow::<F, POINTS, PLACES, OUTPUTS>::new(self.across, lines);
        for tile_row in tile_rows.clone() {
            let first = (tile_row - tile_rows.start) * self.across;
            for (group, plane) in self.image.planes().enumerate() {
                lines.fill(plane, self.image.width, tile_row);
                lines.spread(tiles, first, group, self.groups);
            }
        }
    }

    /// Turns the sums of some tiles into outputs, one run of tiles side by side after another. Never part of its caller, for the
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
                    stride: TOGETHER * outputs(side),
                    first_row,
                    residual: [self.columns, side * tile_rows.start * width + start],
                };
                let sums = &sums[side * (line * TOGETHER * TILES + run.start - tiles.start)..];
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

/// Values of a [`TileRow`] of `across` tiles.
pub fn tile_row_values(side: usize, across: usize) -> usize {
    (side + 2) * side * (across + 1) * GROUP
}

/// A row of tiles, transformed vertically: Bᵀ·d. In `values` the pixels at the same place of their tiles are together, so that the
/// values of neighbouring tiles are adjacent: `[lines][side][across + 1][4
/// channels]`; the tile behind the last begins with the last one's last two pixels.
pub struct TileRow<'a, F, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize> {
    across: usize,
    values: &'a mut [i16],
    form: PhantomData<F>,
}

impl<'a, F: Form<POINTS, PLACES, OUTPUTS>, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize>
    TileRow<'a, F, POINTS, PLACES, OUTPUTS>
{
    const SIDE: usize = POINTS - 2;

    /// A row of `across` tiles, in [`tile_row_values`] values.
    pub fn new(across: usize, values: &'a mut [i16]) -> Self {
        TileRow {
            across,
            values,
            form: PhantomData,
        }
    }

    /// Values of the pixels in one place of all tiles of a line.
    fn place(&self) -> usize {
        (self.across + 1) * GROUP
    }

    /// Transforms the lines of a row of tiles.
    pub fn fill(&mut self, plane: &[u8], width: usize, tile_row: usize) {
        let bytes = (self.across * Self::SIDE + 2) * GROUP;
        let lines = std::array::from_fn(|index| &plane[(Self::SIDE * tile_row + index) * width * GROUP..][..bytes]);
        match Self::SIDE {
            2 => self.fill_tiles::<1>(lines),
            _ => self.fill_tiles::<2>(lines),
        }
    }

    /// [`TileRow::fill`] for tiles of `PAIRS` pairs of pixels a line. Never part of its caller, where the compiler would run out of
    /// registers.
    #[inline(never)]
    fn fill_tiles<const PAIRS: usize>(&mut self, lines: [&[u8]; POINTS]) {
        let across = self.across;
        let pairs = lines.map(|line| line.as_chunks::<COUNT>().0);
        let tiles: [&[[[u8; COUNT]; PAIRS]]; POINTS] = pairs.map(|pairs| &pairs.as_chunks().0[..across]);
        for pair in 0..PAIRS {
            // Split to the length of the loop, which leaves nothing to check in it.
            let mut places = self.places_of(pair).map(|places| places.map(|place| &mut place[..across]));
            widest(
                #[inline(always)]
                |_| {
                    for tile in 0..across {
                        put(
                            &mut places,
                            tile,
                            transformed::<F, POINTS, PLACES, OUTPUTS>(tiles.map(|tiles| &tiles[tile][pair])),
                        );
                    }
                },
            );
        }
        let last = pairs.map(|pairs| &pairs[PAIRS * across]);
        put(&mut self.places_of(0), across, transformed::<F, POINTS, PLACES, OUTPUTS>(last));
    }

    /// For every line the places of the two pixels of a pair.
    fn places_of(&mut self, pair: usize) -> [[&mut [[i16; GROUP]]; 2]; POINTS] {
        let place = self.place();
        let mut lines = self.values.chunks_exact_mut(Self::SIDE * place);
        std::array::from_fn(|_| {
            let line = lines.next().unwrap_or_default();
            let (first, second) = line[2 * pair * place..][..2 * place].split_at_mut(place);
            [first, second].map(|place| place.as_chunks_mut().0)
        })
    }

    /// Transforms along the lines, d·B, into the panels of tiles, of which this row's begin with tile `first`.
    /// Never part of its caller, for the sake of registers.
    #[inline(never)]
    pub fn spread(&self, panels: &mut [i16], first: usize, group: usize, groups: usize) {
        let (panel_values, place_values) = (panel_values(Self::SIDE, groups), place_values(groups));
        let mut tile = first;
        while tile < first + self.across {
            let (panel, lane) = (tile / TILES, tile % TILES);
            let count = (TILES - lane).min(first + self.across - tile);
            let start = panel * panel_values + group * VALUES + lane * GROUP;
            let part = &mut panels[start..(panel + 1) * panel_values];
            self.spread_tiles(part, place_values, (tile - first) * GROUP, count);
            tile += count;
        }
    }

    /// [`TileRow::spread`] for `count` tiles side by side, two at a time, whose places lie `place_values` apart.
    fn spread_tiles(&self, part: &mut [i16], place_values: usize, from: usize, count: usize) {
        let (place, pairs) = (self.place(), count / 2);
        let mut places = part.chunks_mut(place_values);
        for line in 0..POINTS {
            let pixels: [&[i16]; POINTS] = std::array::from_fn(|pixel| {
                let start = (line * Self::SIDE + pixel % Self::SIDE) * place + pixel / Self::SIDE * GROUP + from;
                &self.values[start..][..count * GROUP]
            });
            let mut places: [&mut [i16]; POINTS] = std::array::from_fn(|_| &mut places.next().unwrap_or_default()[..count * GROUP]);
            // Split to the length of the loop, which leaves nothing to check in it.
            let of_pairs = pixels.map(|pixels| &pixels.as_chunks::<COUNT>().0[..pairs]);
            let mut to_pairs = places.each_mut().map(|places| &mut places.as_chunks_mut::<COUNT>().0[..pairs]);
            for index in 0..pairs {
                let transformed = F::inputs(of_pairs.map(|pixels| I16x8::load(&pixels[index])), Add::add, Sub::sub);
                for (places, values) in to_pairs.iter_mut().zip(transformed) {
                    values.store(&mut places[index]);
                }
            }
            if !count.is_multiple_of(2) {
                self.spread_last(
                    pixels.map(|pixels| &pixels[2 * pairs * GROUP..]),
                    places.map(|places| &mut places[2 * pairs * GROUP..]),
                );
            }
        }
    }

    /// The same for one tile's line.
    fn spread_last(&self, pixels: [&[i16]; POINTS], places: [&mut [i16]; POINTS]) {
        let doubled = pixels.map(|pixels| I16x8::load(&std::array::from_fn(|lane| pixels[lane % GROUP])));
        for (place, values) in places.into_iter().zip(F::inputs(doubled, Add::add, Sub::sub)) {
            let mut twice = [0; COUNT];
            values.store(&mut twice);
            place.copy_from_slice(&twice[..GROUP]);
        }
    }
}

/// The same pair of pixels of all lines, from line to line.
#[inline(always)]
fn transformed<F: Form<POINTS, PLACES, OUTPUTS>, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize>(
    pairs: [&[u8; COUNT]; POINTS],
) -> [I16x8; POINTS] {
    F::inputs(pairs.map(I16x8::widened), Add::add, Sub::sub)
}

/// Puts the pixels of a tile's pairs into their places.
#[inline(always)]
fn put<const POINTS: usize>(places: &mut [[&mut [[i16; GROUP]]; 2]; POINTS], tile: usize, pairs: [I16x8; POINTS]) {
    for ([first, second], pair) in places.iter_mut().zip(pairs) {
        pair.store_halves([&mut first[tile], &mut second[tile]]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Byte, Layout, convolve as by_windows, image_mask, largest_scaled};
    use super::*;
    use crate::engine::AT_MOST;
    use crate::engine::geometry::Padding;
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
            upsample: 1,
            padding,
        };
        let mut room = vec![0; layout.bytes()];
        let made = available().into_iter().map(|kernel| {
            let image = Image::quantize(
                &values,
                &[],
                largest_scaled(&values, &[]),
                Byte::Only,
                &layout,
                image_mask(kernel, &weights, WINDOW, [height, width]),
                &mut room,
            );
            let outputs = Outputs {
                scales: &scales,
                biases: &biases,
                shifts: &[],
                activation: None,
                residual: &residual,
                last_activation: None,
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
            [36, 32, 36],
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
            let kernel = available().into_iter().find(|kernel| kernel.winograd().len() == 2)?;
            Some(fitting(kernel, &weights(8, 4), window, positions).map_or(0, Winograd::side))
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
