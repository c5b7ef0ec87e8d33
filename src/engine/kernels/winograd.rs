//! Windows of 3×3 by minimal filtering: F(2×2, 3×3) of Lavin and Gray (arXiv 1509.09308), which makes four outputs of
//! sixteen products where the window itself takes 36.
//!
//! In whole numbers, with the transformed weights doubled in each direction so that no half occurs (as Meng and
//! Brothers, arXiv 1901.01965): the sums come out four times too large and are divided exactly, so every bit is that of
//! the plain sums. Activations grow to 4·127 and weights to 9·127, which both fit 16 bits, for products of 16 bits that
//! processors without an int8 dot product have.

use super::{GROUP, ROWS};

/// Places of a transformed window.
pub const PLACES: usize = 16;
/// Tiles of 2×2 outputs in one panel.
pub const TILES: usize = 8;
/// Outputs of one row of a panel: two rows, one after the other, of two for each tile.
pub const OUTPUTS: usize = 4 * TILES;
/// Values of one group and place: of a weight panel's rows as of a panel's tiles.
pub const VALUES: usize = ROWS * GROUP;
/// Values from one place of a panel to the next, for so many groups of channels: an odd number of cache lines, since
/// all sixteen places are written together and would share a few sets of the cache at a power of two.
pub const fn place_values(groups: usize) -> usize {
    (groups | 1) * VALUES
}

/// Values of a panel of transformed weights or tiles, for so many groups of channels.
pub const fn panel_values(groups: usize) -> usize {
    PLACES * place_values(groups)
}

/// Most groups of channels whose sums fit 32 bits: 4·4·9·127² for each.
pub const MOST_GROUPS: usize = (i32::MAX / (16 * 9 * 127 * 127)) as usize;

/// The products of transformed weights and tiles on one kind of processor.
pub trait Winograd: Send + Sync + std::fmt::Debug {
    /// Transforms a weight panel, `[3][3][groups][8][4]` int8, into `[16][groups][32]` of an order that only
    /// [`Winograd::multiply`] knows; places are [`place_values`] apart.
    ///
    /// # Panics
    /// If a slice is shorter than its shape.
    fn transform(&self, weights: &[i8], groups: usize, transformed: &mut [i16]);

    /// Sums of products of a transformed weight panel with a panel of transformed tiles, `[16][groups][8][4]` with
    /// places [`place_values`] apart: the convolution's outputs, `[8 rows][2][2·8]` for the upper and the lower outputs of all tiles.
    ///
    /// # Panics
    /// If a slice is shorter than its shape, or there are more than [`MOST_GROUPS`].
    fn multiply(&self, weights: &[i16], tiles: &[i16], groups: usize, sums: &mut [i32]);
}

/// Panics where the operands of [`Winograd::transform`] are shorter than their shapes.
pub(super) fn assert_weights(weights: &[i8], groups: usize, transformed: &[i16]) {
    assert!(
        groups <= weights.len() / (9 * VALUES),
        "{} weights for {groups} groups",
        weights.len()
    );
    assert!(
        panel_values(groups) <= transformed.len(),
        "{} transformed weights for {groups} groups",
        transformed.len()
    );
}

/// Panics where the operands of [`Winograd::multiply`] are shorter than their shapes.
pub(super) fn assert_panels(weights: &[i16], tiles: &[i16], groups: usize, sums: &[i32]) {
    let length = weights.len().min(tiles.len());
    assert!(groups <= MOST_GROUPS, "{groups} groups, where sums of {MOST_GROUPS} fit");
    assert!(panel_values(groups) <= length, "operands of {length} values for {groups} groups");
    assert!(ROWS * OUTPUTS <= sums.len(), "{} sums", sums.len());
}

/// 2G·g·(2G)ᵀ of a window g, for as many windows at once as a vector has lanes.
#[inline(always)]
pub(super) fn filter<V: Copy>(window: [V; 9], add: impl Fn(V, V) -> V, subtract: impl Fn(V, V) -> V) -> [V; PLACES] {
    let spread = |a: V, b: V, c: V| {
        let ends = add(a, c);
        [add(a, a), add(ends, b), subtract(ends, b), add(c, c)]
    };
    let [a, b, c, d, e, f, g, h, i] = window;
    let (left, middle, right) = (spread(a, d, g), spread(b, e, h), spread(c, f, i));
    let rows: [[V; 4]; 4] = std::array::from_fn(|row| spread(left[row], middle[row], right[row]));
    std::array::from_fn(|place| rows[place / 4][place % 4])
}

/// Aᵀ·m·A of the products m of a tile: its outputs, the upper two, then the lower two, four times too large.
#[inline(always)]
pub(super) fn outputs<V: Copy>(products: [V; PLACES], add: impl Fn(V, V) -> V, subtract: impl Fn(V, V) -> V) -> [V; 4] {
    let fold = |a: V, b: V, c: V, d: V| [add(add(a, b), c), subtract(subtract(b, c), d)];
    let [top, second, third, bottom]: [[V; 2]; 4] = std::array::from_fn(|row| {
        let products = &products[row * 4..];
        fold(products[0], products[1], products[2], products[3])
    });
    let (left, right) = (
        fold(top[0], second[0], third[0], bottom[0]),
        fold(top[1], second[1], third[1], bottom[1]),
    );
    [left[0], right[0], left[1], right[1]]
}

#[cfg(test)]
mod tests {
    use super::super::{available, tests::Numbers};
    use super::*;
    use crate::engine::AT_MOST;

    /// Inputs of a tile along one side.
    const SIDE: usize = 4;

    /// Weights `[3][3][groups][8][4]` and the pixels of eight tiles, `[groups][8][4][4][4 channels]`.
    struct Problem {
        groups: usize,
        weights: Vec<i8>,
        pixels: Vec<i8>,
    }

    impl Problem {
        fn new(groups: usize, mut bytes: impl FnMut(usize) -> Vec<i8>) -> Problem {
            Problem {
                groups,
                weights: bytes(9 * groups * VALUES),
                pixels: bytes(groups * TILES * SIDE * SIDE * GROUP),
            }
        }

        fn pixel(&self, group: usize, tile: usize, [y, x]: [usize; 2], channel: usize) -> i32 {
            i32::from(self.pixels[(((group * TILES + tile) * SIDE + y) * SIDE + x) * GROUP + channel])
        }

        fn weight(&self, group: usize, row: usize, tap: usize, channel: usize) -> i32 {
            i32::from(self.weights[((tap * self.groups + group) * ROWS + row) * GROUP + channel])
        }

        /// Bᵀ·d·B of every tile, from the matrix itself.
        fn tiles(&self) -> Vec<i16> {
            const B: [[i32; SIDE]; SIDE] = [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]];
            let mut tiles = vec![0; panel_values(self.groups)];
            for place in 0..PLACES {
                for at in 0..self.groups * VALUES {
                    let (group, tile, channel) = (at / VALUES, at % VALUES / GROUP, at % GROUP);
                    let parts = (0..SIDE * SIDE).map(|pixel| {
                        let (y, x) = (pixel / SIDE, pixel % SIDE);
                        B[place / SIDE][y] * B[place % SIDE][x] * self.pixel(group, tile, [y, x], channel)
                    });
                    tiles[place * place_values(self.groups) + at] = i16::try_from(parts.sum::<i32>()).unwrap();
                }
            }
            tiles
        }

        /// The sums by their definition.
        fn sums(&self) -> Vec<i32> {
            let mut sums = vec![0; ROWS * OUTPUTS];
            for (index, sum) in sums.iter_mut().enumerate() {
                let (row, lower, column) = (index / OUTPUTS, index % OUTPUTS / (2 * TILES), index % (2 * TILES));
                for at in 0..9 * self.groups * GROUP {
                    let (tap, group, channel) = (at / (self.groups * GROUP), at / GROUP % self.groups, at % GROUP);
                    let place = [lower + tap / 3, column % 2 + tap % 3];
                    *sum += self.weight(group, row, tap, channel) * self.pixel(group, column / 2, place, channel);
                }
            }
            sums
        }

        fn assert_equal(&self) {
            let (tiles, expected) = (self.tiles(), self.sums());
            for kernel in available() {
                let Some(winograd) = kernel.winograd() else { continue };
                let mut transformed = vec![0; panel_values(self.groups)];
                winograd.transform(&self.weights, self.groups, &mut transformed);
                let mut sums = vec![0x5a5a_5a5a; ROWS * OUTPUTS + 8];
                winograd.multiply(&transformed, &tiles, self.groups, &mut sums);
                assert!(sums[..ROWS * OUTPUTS] == expected, "{winograd:?} with {} groups", self.groups);
                assert_eq!(sums[ROWS * OUTPUTS..], [0x5a5a_5a5a; 8], "{winograd:?} writes behind its sums");
            }
        }
    }

    #[test]
    fn sums_are_those_of_the_window_on_random_operands() {
        let mut numbers = Numbers::new(7);
        for groups in [1, 2, 3, 4, 5, 12, 33].into_iter().take(AT_MOST) {
            Problem::new(groups, |length| numbers.bytes(length)).assert_equal();
        }
    }

    #[test]
    fn sums_are_those_of_the_window_on_extreme_operands() {
        for [weight, pixel] in [[127, 127], [-127, 127], [-127, -127], [0, 127], [127, 0]] {
            let mut values = [weight, pixel].into_iter();
            Problem::new(if cfg!(miri) { 2 } else { 9 }, |length| vec![values.next().unwrap(); length]).assert_equal();
        }
    }

    #[test]
    fn the_most_groups_fill_32_bits() {
        let largest = 4 * 9 * 127 * 127 * GROUP as i64;
        assert!(largest * MOST_GROUPS as i64 <= i64::from(i32::MAX));
        assert!(largest * (MOST_GROUPS as i64 + 1) > i64::from(i32::MAX));
    }

    #[test]
    fn short_operands_panic() {
        for kernel in available() {
            let Some(winograd) = kernel.winograd() else { continue };
            let panics = |work: &mut dyn FnMut()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err();
            let (groups, enough) = (3, panel_values(3));
            assert!(panics(&mut || winograd.transform(
                &[0; 9 * VALUES * 3 - 1],
                groups,
                &mut vec![0; enough]
            )));
            assert!(panics(&mut || winograd.transform(
                &[0; 9 * VALUES * 3],
                groups,
                &mut vec![0; enough - 1]
            )));
            let mut sums = vec![0; ROWS * OUTPUTS];
            assert!(panics(&mut || winograd.multiply(
                &vec![0; enough - 1],
                &vec![0; enough],
                groups,
                &mut sums
            )));
            assert!(panics(&mut || winograd.multiply(
                &vec![0; enough],
                &vec![0; enough - 1],
                groups,
                &mut sums
            )));
            assert!(panics(&mut || winograd.multiply(
                &vec![0; enough],
                &vec![0; enough],
                groups,
                &mut sums[1..]
            )));
        }
    }
}
