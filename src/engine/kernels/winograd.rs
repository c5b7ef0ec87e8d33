//! Windows of 3×3 by minimal filtering, F(2×2, 3×3) and F(4×4, 3×3) of Lavin and Gray (arXiv 1509.09308): four outputs of
//! sixteen products where the window itself takes 36, and sixteen outputs of 36 where it takes 144.
//!
//! In whole numbers, with transforms scaled so that no fraction occurs (as Meng and Brothers, arXiv 1901.01965): the sums
//! come out too large by a known factor and are divided exactly, so every bit is that of the plain sums. Activations grow
//! to 100·127 and weights to 49·127, which both fit 16 bits, for products of 16 bits that processors without an int8 dot
//! product have.
//!
//! The sums wrap in 32 bits. F(4×4) makes them up to 576 = 9·64 times too large: multiplied by the inverse of 9 modulo 2³²
//! they are 64 times too large whatever wrapped before, and a shift gives the sum itself if that fits 26 bits. More groups
//! than [`Form::PART`] are therefore summed in parts.

use super::{GROUP, ROWS, Sums};

/// Tiles in one panel.
pub const TILES: usize = 8;
/// Values of one group and place: of a weight panel's rows as of a panel's tiles.
pub const VALUES: usize = ROWS * GROUP;

/// Places of a transformed tile of `side`·`side` outputs, which takes two inputs more in each direction.
pub const fn places(side: usize) -> usize {
    (side + 2) * (side + 2)
}

/// Outputs of one row of a panel: `side` lines of `side` outputs for each tile.
pub const fn outputs(side: usize) -> usize {
    side * side * TILES
}

/// Values from one place of a panel to the next, for `groups` groups of channels: an odd number of cache lines, since
/// all places are written together and would share a few sets of the cache at a power of two.
pub const fn place_values(groups: usize) -> usize {
    (groups | 1) * VALUES
}

/// Values of a panel of transformed weights or tiles, for `groups` groups of channels.
pub const fn panel_values(side: usize, groups: usize) -> usize {
    places(side) * place_values(groups)
}

/// The products of transformed weights and tiles of one size on one kind of processor.
pub trait Winograd: Send + Sync + std::fmt::Debug {
    /// Outputs of a tile in each direction: 2 or 4.
    fn side(&self) -> usize;

    /// Whether minimal filtering is faster than [`Kernel::multiply`](super::Kernel::multiply) for a picture of `tiles` tiles and weights of
    /// `rows` rows and `groups` groups of channels.
    fn pays(&self, tiles: usize, _rows: usize, _groups: usize) -> bool {
        tiles >= if self.side() == 2 { TILES } else { TILES / 2 }
    }

    /// Transforms a weight panel, `[3][3][groups][8][4]` int8, into `[places][groups][32]` of an order that only
    /// [`Winograd::multiply`] knows; places are [`place_values`] apart.
    ///
    /// # Panics
    /// If a slice is shorter than its shape.
    fn transform(&self, weights: &[i8], groups: usize, transformed: &mut [i16]);

    /// Sums of products of a transformed weight panel with a panel of transformed tiles, `[places][groups][8][4]` with
    /// places [`place_values`] apart: the convolution's outputs, `[8 rows][side][8·side]` for the lines of all tiles, each line
    /// [`Sums::stride`] after the one before. Only the first `count` of the eight tiles are wanted; the outputs of others may be anything.
    ///
    /// # Panics
    /// If a slice is shorter than its shape, or `count` is more than eight.
    fn multiply(&self, weights: &[i16], tiles: &[i16], groups: usize, count: usize, sums: Sums);
}

/// Panics if the operands of [`Winograd::transform`] are shorter than their shapes.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) fn assert_weights(side: usize, weights: &[i8], groups: usize, transformed: &[i16]) {
    assert!(
        groups <= weights.len() / (9 * VALUES),
        "{} weights for {groups} groups",
        weights.len()
    );
    assert!(
        panel_values(side, groups) <= transformed.len(),
        "{} transformed weights for {groups} groups",
        transformed.len()
    );
}

/// Panics if the operands of [`Winograd::multiply`] are shorter than their shapes.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) fn assert_panels(side: usize, weights: &[i16], tiles: &[i16], groups: usize, count: usize, sums: &Sums) {
    let length = weights.len().min(tiles.len());
    let most = length / (places(side) * VALUES);
    assert!(
        groups <= most && panel_values(side, groups) <= length,
        "operands of {length} values for {groups} groups"
    );
    assert!(count <= TILES, "{count} tiles of a panel");
    let (line, lines, room) = (side * TILES, ROWS * side, sums.values.len());
    assert!(
        line <= sums.stride && line <= room && sums.stride <= (room - line) / (lines - 1),
        "room for {room} sums, {} a line",
        sums.stride
    );
}

/// The transforms of one size of tiles. Each is generic over the values and how to add and subtract them, so that it runs on whole
/// vectors.
pub trait Form<const POINTS: usize, const PLACES: usize, const OUTPUTS: usize>: Send + Sync + std::fmt::Debug + 'static {
    /// Groups of channels whose sums come out whole.
    const PART: usize;
    /// What the sums are multiplied by, modulo 2³², before they are shifted.
    const INVERSE: i32;
    /// How far each output is shifted to the right.
    const SHIFTS: [i32; OUTPUTS];

    /// Bᵀ·d of the inputs of a tile in one direction.
    fn inputs<V: Copy>(inputs: [V; POINTS], add: impl Fn(V, V) -> V, subtract: impl Fn(V, V) -> V) -> [V; POINTS];

    /// G·g·Gᵀ of a window g.
    fn filter<V: Copy>(window: [V; 9], add: impl Fn(V, V) -> V, subtract: impl Fn(V, V) -> V) -> [V; PLACES];

    /// Aᵀ·m·A of the products m of a tile: its outputs, line by line, too large.
    fn outputs<V: Copy>(products: [V; PLACES], add: impl Fn(V, V) -> V, subtract: impl Fn(V, V) -> V) -> [V; OUTPUTS];
}

/// Tiles of 2×2 outputs; sums are four times too large.
#[derive(Debug)]
pub struct Two;

impl Form<4, 16, 4> for Two {
    const PART: usize = part(1 << 29);
    const INVERSE: i32 = 1;
    const SHIFTS: [i32; 4] = [2; 4];

    #[inline(always)]
    fn inputs<V: Copy>([a, b, c, d]: [V; 4], add: impl Fn(V, V) -> V, subtract: impl Fn(V, V) -> V) -> [V; 4] {
        [subtract(a, c), add(b, c), subtract(c, b), subtract(b, d)]
    }

    #[inline(always)]
    fn filter<V: Copy>(window: [V; 9], add: impl Fn(V, V) -> V, subtract: impl Fn(V, V) -> V) -> [V; 16] {
        both_ways_of_window(
            window,
            #[inline(always)]
            |a, b, c| {
                let ends = add(a, c);
                [add(a, a), add(ends, b), subtract(ends, b), add(c, c)]
            },
        )
    }

    #[inline(always)]
    fn outputs<V: Copy>(products: [V; 16], add: impl Fn(V, V) -> V, subtract: impl Fn(V, V) -> V) -> [V; 4] {
        both_ways_of_products(
            products,
            #[inline(always)]
            |[a, b, c, d]: [V; 4]| [add(add(a, b), c), subtract(subtract(b, c), d)],
        )
    }
}

/// Tiles of 4×4 outputs. The transforms are those of Lavin and Gray with the rows of G multiplied by 24, -6, -6, 24, 24 and 6, so that
/// they are whole, and the rows of Aᵀ accordingly: the outputs of one direction are 24, 12, 6 and 6 times too large.
#[derive(Debug)]
pub struct Four;

impl Form<6, 36, 16> for Four {
    const PART: usize = part(1 << 25);
    const INVERSE: i32 = 0x38e3_8e39;
    const SHIFTS: [i32; 16] = [6, 5, 4, 4, 5, 4, 3, 3, 4, 3, 2, 2, 4, 3, 2, 2];

    #[inline(always)]
    fn inputs<V: Copy>([a, b, c, d, e, f]: [V; 6], add: impl Fn(V, V) -> V, subtract: impl Fn(V, V) -> V) -> [V; 6] {
        let (outer, inner) = (subtract(e, c), subtract(d, b));
        let (even, odd) = (subtract(e, twice(&add, twice(&add, c))), subtract(d, twice(&add, twice(&add, b))));
        [
            add(twice(&add, twice(&add, subtract(a, c))), outer),
            add(even, odd),
            subtract(even, odd),
            add(outer, twice(&add, inner)),
            subtract(outer, twice(&add, inner)),
            subtract(subtract(f, d), twice(&add, twice(&add, inner))),
        ]
    }

    #[inline(always)]
    fn filter<V: Copy>(window: [V; 9], add: impl Fn(V, V) -> V, subtract: impl Fn(V, V) -> V) -> [V; 36] {
        both_ways_of_window(
            window,
            #[inline(always)]
            |a, b, c| {
                let (ends, far) = (add(a, c), add(a, twice(&add, twice(&add, c))));
                [
                    twice(&add, add(a, twice(&add, a))),
                    add(ends, b),
                    subtract(ends, b),
                    add(far, twice(&add, b)),
                    subtract(far, twice(&add, b)),
                    twice(&add, add(c, twice(&add, c))),
                ]
            },
        )
    }

    #[inline(always)]
    fn outputs<V: Copy>(products: [V; 36], add: impl Fn(V, V) -> V, subtract: impl Fn(V, V) -> V) -> [V; 16] {
        both_ways_of_products(
            products,
            #[inline(always)]
            |[a, b, c, d, e, f]: [V; 6]| {
                let (near, near_apart) = (add(b, c), subtract(c, b));
                let (far, far_apart) = (add(d, e), subtract(d, e));
                [
                    add(subtract(a, twice(&add, twice(&add, near))), far),
                    add(twice(&add, near_apart), far_apart),
                    subtract(far, near),
                    add(add(near_apart, twice(&add, far_apart)), f),
                ]
            },
        )
    }
}

/// Groups of channels whose plain sums stay below `bound`, at 4·9·127² for each.
const fn part(bound: usize) -> usize {
    (bound - 1) / (GROUP * 9 * 127 * 127)
}

#[inline(always)]
fn twice<V: Copy>(add: &impl Fn(V, V) -> V, value: V) -> V {
    add(value, value)
}

// Loops rather than functions of arrays, whose bodies the compiler may put into functions for any processor.

/// Spreads the columns of a window, then the rows of that.
#[inline(always)]
fn both_ways_of_window<V: Copy, const POINTS: usize, const PLACES: usize>(
    window: [V; 9],
    spread: impl Fn(V, V, V) -> [V; POINTS],
) -> [V; PLACES] {
    let [a, b, c, d, e, f, g, h, i] = window;
    let (left, middle, right) = (spread(a, d, g), spread(b, e, h), spread(c, f, i));
    let mut places = [a; PLACES];
    for row in 0..POINTS {
        places[row * POINTS..][..POINTS].copy_from_slice(&spread(left[row], middle[row], right[row]));
    }
    places
}

/// Folds the columns of products, then the rows of that.
#[inline(always)]
fn both_ways_of_products<V: Copy, const POINTS: usize, const SIDE: usize, const PLACES: usize, const OUTPUTS: usize>(
    products: [V; PLACES],
    fold: impl Fn([V; POINTS]) -> [V; SIDE],
) -> [V; OUTPUTS] {
    let first = products[0];
    let mut lines = [[first; POINTS]; SIDE];
    for column in 0..POINTS {
        let mut of_column = [first; POINTS];
        for row in 0..POINTS {
            of_column[row] = products[row * POINTS + column];
        }
        let folded = fold(of_column);
        for line in 0..SIDE {
            lines[line][column] = folded[line];
        }
    }
    let mut outputs = [first; OUTPUTS];
    for line in 0..SIDE {
        outputs[line * SIDE..][..SIDE].copy_from_slice(&fold(lines[line]));
    }
    outputs
}

#[cfg(test)]
mod tests {
    use super::super::{available, tests::Numbers};
    use super::*;
    use crate::engine::AT_MOST;

    /// Weights `[3][3][groups][8][4]` and the pixels of eight tiles, `[groups][8][side + 2][side + 2][4 channels]`.
    struct Problem {
        side: usize,
        groups: usize,
        weights: Vec<i8>,
        pixels: Vec<i8>,
    }

    /// Bᵀ of both sizes of tiles (Lavin and Gray).
    const OF_TWO: [[i32; 4]; 4] = [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]];
    const OF_FOUR: [[i32; 6]; 6] = [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ];

    /// G of tiles of four, but for positive factors of its rows.
    const G_OF_FOUR: [[i32; 3]; 6] = [[1, 0, 0], [1, 1, 1], [1, -1, 1], [1, 2, 4], [1, -2, 4], [0, 0, 1]];

    impl Problem {
        fn new(side: usize, groups: usize, mut bytes: impl FnMut(usize) -> Vec<i8>) -> Problem {
            Problem {
                side,
                groups,
                weights: bytes(9 * groups * VALUES),
                pixels: bytes(groups * TILES * places(side) * GROUP),
            }
        }

        fn pixel(&self, group: usize, tile: usize, [y, x]: [usize; 2], channel: usize) -> i32 {
            let points = self.side + 2;
            i32::from(self.pixels[(((group * TILES + tile) * points + y) * points + x) * GROUP + channel])
        }

        fn weight(&self, group: usize, row: usize, tap: usize, channel: usize) -> i32 {
            i32::from(self.weights[((tap * self.groups + group) * ROWS + row) * GROUP + channel])
        }

        /// An element of Bᵀ.
        fn factor(&self, row: usize, column: usize) -> i32 {
            if self.side == 2 {
                OF_TWO[row][column]
            } else {
                OF_FOUR[row][column]
            }
        }

        /// Bᵀ·d·B of every tile, from the matrix itself.
        fn tiles(&self) -> Vec<i16> {
            let points = self.side + 2;
            let mut tiles = vec![0; panel_values(self.side, self.groups)];
            for place in 0..places(self.side) {
                for at in 0..self.groups * VALUES {
                    let (group, tile, channel) = (at / VALUES, at % VALUES / GROUP, at % GROUP);
                    let parts = (0..places(self.side)).map(|pixel| {
                        let (y, x) = (pixel / points, pixel % points);
                        let factor = self.factor(place / points, y) * self.factor(place % points, x);
                        factor * self.pixel(group, tile, [y, x], channel)
                    });
                    tiles[place * place_values(self.groups) + at] = i16::try_from(parts.sum::<i32>()).unwrap();
                }
            }
            tiles
        }

        /// The sum at an index of `[8 rows][side][8·side]` by its definition, and its tile.
        fn sum(&self, index: usize) -> (i32, usize) {
            let (row, line) = (index / outputs(self.side), index % outputs(self.side) / (self.side * TILES));
            let (tile, column) = (index % (self.side * TILES) / self.side, index % self.side);
            let parts = (0..9 * self.groups * GROUP).map(|at| {
                let (tap, group, channel) = (at / (self.groups * GROUP), at / GROUP % self.groups, at % GROUP);
                let place = [line + tap / 3, column + tap % 3];
                self.weight(group, row, tap, channel) * self.pixel(group, tile, place, channel)
            });
            (parts.sum(), tile)
        }

        fn assert_equal(&self) {
            let tiles = self.tiles();
            let length = ROWS * outputs(self.side);
            let expected: Vec<_> = (0..length).map(|index| self.sum(index)).collect();
            for winograd in of_side(self.side) {
                let mut transformed = vec![0; panel_values(self.side, self.groups)];
                winograd.transform(&self.weights, self.groups, &mut transformed);
                for count in 1..=TILES {
                    let mut sums = vec![0x5a5a_5a5a; length + 8];
                    let to = Sums {
                        values: &mut sums,
                        stride: self.side * TILES,
                    };
                    winograd.multiply(&transformed, &tiles, self.groups, count, to);
                    let same = sums
                        .iter()
                        .zip(&expected)
                        .all(|(sum, (right, tile))| *tile >= count || sum == right);
                    assert!(same, "{winograd:?} with {} groups, {count} tiles", self.groups);
                    assert_eq!(sums[length..], [0x5a5a_5a5a; 8], "{winograd:?} writes behind its sums");
                }
            }
        }
    }

    fn of_side(side: usize) -> impl Iterator<Item = &'static dyn Winograd> {
        let all = available().into_iter().flat_map(|kernel| kernel.winograd().iter().copied());
        all.filter(move |winograd| winograd.side() == side)
    }

    #[test]
    fn sums_are_those_of_the_window_on_random_operands() {
        let mut numbers = Numbers::new(7);
        for side in [2, 4] {
            for groups in [1, 2, 3, 4, 5, 12, 33, 57, 58, 115].into_iter().take(AT_MOST) {
                Problem::new(side, groups, |length| numbers.bytes(length)).assert_equal();
            }
        }
    }

    /// The sums are as large as can be with 57 groups: one more, in one part, would not fit.
    #[test]
    fn sums_are_those_of_the_window_on_extreme_operands() {
        for side in [2, 4] {
            for [weight, pixel] in [[127, 127], [-127, 127], [-127, -127], [0, 127], [127, 0]] {
                for groups in if cfg!(miri) { 1..=1 } else { 57..=60 } {
                    let mut values = [weight, pixel].into_iter();
                    Problem::new(side, groups, |length| vec![values.next().unwrap(); length]).assert_equal();
                }
            }
        }
    }

    /// Pixels and weights that every transform adds up with one sign grow most.
    #[test]
    fn operands_with_the_signs_of_the_transforms_fit() {
        for place in (0..places(4)).take(AT_MOST) {
            let mut problem = Problem::new(4, 3, |length| vec![127; length]);
            let sign = |product: i32, value: &mut i8| *value = if product < 0 { -127 } else { 127 };
            for (index, pixel) in problem.pixels.iter_mut().enumerate() {
                let [y, x] = [index / GROUP % 36 / 6, index / GROUP % 6];
                sign(OF_FOUR[place / 6][y] * OF_FOUR[place % 6][x], pixel);
            }
            for (index, weight) in problem.weights.iter_mut().enumerate() {
                let tap = index / (3 * VALUES);
                sign(G_OF_FOUR[place / 6][tap / 3] * G_OF_FOUR[place % 6][tap % 3], weight);
            }
            problem.assert_equal();
        }
    }

    #[test]
    fn the_largest_parts_come_out_whole() {
        let largest = 4 * 9 * 127 * 127;
        for (part, bits) in [(Two::PART, 29), (Four::PART, 25)] {
            assert!(largest * part < 1 << bits && largest * (part + 1) >= 1 << bits);
        }
        assert_eq!(Four::INVERSE.wrapping_mul(9), 1);
    }

    #[test]
    fn short_operands_panic() {
        for side in [2, 4] {
            for winograd in of_side(side) {
                let panics = |work: &mut dyn FnMut()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err();
                let (groups, enough, weights) = (3, panel_values(side, 3), 9 * VALUES * 3);
                for [weights, transformed] in [[weights - 1, enough], [weights, enough - 1]] {
                    let mut transformed = vec![0; transformed];
                    assert!(panics(&mut || winograd.transform(&vec![0; weights], groups, &mut transformed)));
                }
                let sums = ROWS * outputs(side);
                for [weights, tiles, sums] in [[enough - 1, enough, sums], [enough, enough - 1, sums], [enough, enough, sums - 1]] {
                    let (weights, tiles, mut sums) = (vec![0; weights], vec![0; tiles], vec![0; sums]);
                    assert!(panics(&mut || {
                        let to = Sums {
                            values: &mut sums,
                            stride: side * TILES,
                        };
                        winograd.multiply(&weights, &tiles, groups, TILES, to);
                    }));
                }
            }
        }
    }
}
