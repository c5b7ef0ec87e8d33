//! Minimal filtering with NEON: `smlal` adds four products of 16 bits by one element, where the int8 products take
//! three instructions for sixteen.

use std::arch::aarch64::*;

use super::super::winograd::{Form, Four, TILES, Two, VALUES, Winograd, assert_panels, assert_weights, place_values};
use super::super::{GROUP, ROWS, Sums};

/// Rows of a vector of 32-bit sums.
const HALF: usize = ROWS / 2;
/// Sums of some tiles at one place: a vector holds four rows of one tile.
type Totals<const COUNT: usize> = [[int32x4_t; 2]; COUNT];

/// Handed out by the NEON kernel alone, whose feature was detected.
pub(super) static ALL: [&dyn Winograd; 2] = [&NeonWinograd::<Four, 6, 36, 16>(Four), &NeonWinograd::<Two, 4, 16, 4>(Two)];

#[derive(Debug)]
struct NeonWinograd<F, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize>(F);

impl<F: Form<POINTS, PLACES, OUTPUTS>, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize> Winograd
    for NeonWinograd<F, POINTS, PLACES, OUTPUTS>
{
    fn side(&self) -> usize {
        POINTS - 2
    }

    fn transform(&self, weights: &[i8], groups: usize, transformed: &mut [i16]) {
        assert_weights(self.side(), weights, groups, transformed);
        // SAFETY: NEON was detected; the slices are as long as `groups` asks.
        unsafe { transform::<F, POINTS, PLACES, OUTPUTS>(weights.as_ptr(), groups, transformed.as_mut_ptr()) };
    }

    fn multiply(&self, weights: &[i16], tiles: &[i16], groups: usize, count: usize, sums: Sums) {
        assert_panels(self.side(), weights, tiles, groups, count, &sums);
        // SAFETY: NEON was detected; the slices are as long as `groups` asks.
        unsafe {
            let (weights, tiles, stride, sums) = (weights.as_ptr(), tiles.as_ptr(), sums.stride, sums.values.as_mut_ptr());
            multiply::<F, POINTS, PLACES, OUTPUTS>(weights, tiles, groups, count, sums, stride);
        }
    }
}

/// Transformed weights lie as `[places][groups][4 channels][8 rows]`.
///
/// # Safety
/// `weights` holds nine times `groups` groups, `transformed` a panel of them.
#[target_feature(enable = "neon")]
unsafe fn transform<F: Form<POINTS, PLACES, OUTPUTS>, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize>(
    weights: *const i8,
    groups: usize,
    transformed: *mut i16,
) {
    for group in 0..groups {
        let taps: [[int8x8_t; GROUP]; 9] = std::array::from_fn(|tap| {
            // SAFETY: the group is within each tap's groups; the load parts the four channels.
            let int8x8x4_t(a, b, c, d) = unsafe { vld4_s8(weights.add((tap * groups + group) * VALUES)) };
            [a, b, c, d]
        });
        for channel in 0..GROUP {
            let window = taps.each_ref().map(|tap| vmovl_s8(tap[channel]));
            let places = F::filter(window, |a, b| vaddq_s16(a, b), |a, b| vsubq_s16(a, b));
            for (place, values) in places.into_iter().enumerate() {
                let to = place * place_values(groups) + group * VALUES + channel * ROWS;
                // SAFETY: the channel is within each place's groups.
                unsafe { vst1q_s16(transformed.add(to), values) };
            }
        }
    }
}

/// # Safety
/// `weights` and `tiles` hold a panel of `groups` groups, `sums` eight rows of outputs, whose lines lie `stride`
/// apart.
#[target_feature(enable = "neon")]
unsafe fn multiply<F: Form<POINTS, PLACES, OUTPUTS>, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize>(
    weights: *const i16,
    tiles: *const i16,
    groups: usize,
    count: usize,
    sums: *mut i32,
    stride: usize,
) {
    let mut products = [[[vdupq_n_s32(0); 2]; TILES]; PLACES];
    for start in (0..groups).step_by(F::PART) {
        let part = F::PART.min(groups - start);
        for (place, products) in products.iter_mut().enumerate() {
            let start = place * place_values(groups) + start * VALUES;
            // SAFETY: each place has as many groups.
            unsafe { one_place(weights.add(start), tiles.add(start), part, count, products) };
        }
        for half in 0..2 {
            for pair in (0..count).step_by(2) {
                let whole = [pair, pair + 1].map(|tile| {
                    let of_tile = std::array::from_fn(|place| products[place][tile][half]);
                    divided::<F, POINTS, PLACES, OUTPUTS>(of_tile)
                });
                // SAFETY: eight rows of the outputs of eight tiles are the caller's.
                unsafe { put_pair(&whole, sums.add(half * HALF * (POINTS - 2) * stride), stride, pair, start > 0) };
            }
        }
    }
}

/// The outputs of four rows of a tile.
#[inline]
#[target_feature(enable = "neon")]
fn divided<F: Form<POINTS, PLACES, OUTPUTS>, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize>(
    products: [int32x4_t; PLACES],
) -> [int32x4_t; OUTPUTS] {
    let inverse = vdupq_n_s32(F::INVERSE);
    let whole = F::outputs(products, |a, b| vaddq_s32(a, b), |a, b| vsubq_s32(a, b));
    std::array::from_fn(|output| {
        let scaled = if F::INVERSE == 1 {
            whole[output]
        } else {
            vmulq_s32(whole[output], inverse)
        };
        vshlq_s32(scaled, vdupq_n_s32(-F::SHIFTS[output]))
    })
}

/// Stores four rows' outputs of two tiles side by side, or adds them to what is there.
///
/// # Safety
/// `sums` holds four rows of the outputs of eight tiles, of which `pair` is the first of two; their lines lie `stride` apart.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn put_pair<const OUTPUTS: usize>(whole: &[[int32x4_t; OUTPUTS]; 2], sums: *mut i32, stride: usize, pair: usize, add: bool) {
    let [left, right] = whole;
    // SAFETY: the caller vouches for the rows.
    unsafe {
        if OUTPUTS == 4 {
            for line in 0..2 {
                let columns = [left[2 * line], left[2 * line + 1], right[2 * line], right[2 * line + 1]];
                put_transposed(sums.add(line * stride + 2 * pair), 2 * stride, columns, add);
            }
        } else {
            for (tile, of_tile) in whole.iter().enumerate() {
                for line in 0..4 {
                    let columns = std::array::from_fn(|column| of_tile[4 * line + column]);
                    put_transposed(sums.add(line * stride + 4 * (pair + tile)), 4 * stride, columns, add);
                }
            }
        }
    }
}

/// Sums of one place of eight tiles, or of the first four where no more are wanted.
///
/// # Safety
/// `weights` and `tiles` hold `groups` groups.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn one_place(weights: *const i16, tiles: *const i16, groups: usize, count: usize, sums: &mut Totals<TILES>) {
    // SAFETY: the caller vouches for the groups.
    unsafe {
        if count <= TILES / 2 {
            sums[..TILES / 2].copy_from_slice(&some_tiles::<{ TILES / 2 }>(weights, tiles, groups));
        } else {
            *sums = some_tiles(weights, tiles, groups);
        }
    }
}

/// # Safety
/// `weights` and `tiles` hold `groups` groups.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn some_tiles<const COUNT: usize>(weights: *const i16, tiles: *const i16, groups: usize) -> Totals<COUNT> {
    let mut totals = [[vdupq_n_s32(0); 2]; COUNT];
    for group in 0..groups {
        // SAFETY: the group is within the caller's operands.
        let (weights, tiles) = unsafe { (load_group(weights.add(group * VALUES)), load_group(tiles.add(group * VALUES))) };
        for (pair, tiles) in totals.as_chunks_mut::<2>().0.iter_mut().zip(tiles) {
            add_channel::<0, 4>(pair, weights[0], tiles);
            add_channel::<1, 5>(pair, weights[1], tiles);
            add_channel::<2, 6>(pair, weights[2], tiles);
            add_channel::<3, 7>(pair, weights[3], tiles);
        }
    }
    totals
}

/// # Safety
/// `values` holds 32.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load_group(values: *const i16) -> [int16x8_t; 4] {
    // SAFETY: the caller vouches for the length.
    std::array::from_fn(|vector| unsafe { vld1q_s16(values.add(vector * 8)) })
}

/// Adds the products of one channel's eight rows with two tiles, which lie at two elements.
#[inline]
#[target_feature(enable = "neon")]
fn add_channel<const FIRST: i32, const SECOND: i32>(totals: &mut [[int32x4_t; 2]; 2], rows: int16x8_t, tiles: int16x8_t) {
    let [first, second] = totals;
    first[0] = vmlal_laneq_s16::<FIRST>(first[0], vget_low_s16(rows), tiles);
    first[1] = vmlal_high_laneq_s16::<FIRST>(first[1], rows, tiles);
    second[0] = vmlal_laneq_s16::<SECOND>(second[0], vget_low_s16(rows), tiles);
    second[1] = vmlal_high_laneq_s16::<SECOND>(second[1], rows, tiles);
}

/// Stores four neighbouring outputs of each of four rows, or adds them to what is there.
///
/// # Safety
/// `sums` holds four rows that lie `stride` apart.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn put_transposed(sums: *mut i32, stride: usize, [a, b, c, d]: [int32x4_t; 4], add: bool) {
    let (upper, lower) = ((vzip1q_s32(a, c), vzip1q_s32(b, d)), (vzip2q_s32(a, c), vzip2q_s32(b, d)));
    let rows = [
        vzip1q_s32(upper.0, upper.1),
        vzip2q_s32(upper.0, upper.1),
        vzip1q_s32(lower.0, lower.1),
        vzip2q_s32(lower.0, lower.1),
    ];
    for (row, values) in rows.into_iter().enumerate() {
        // SAFETY: the caller vouches for four rows.
        unsafe {
            let place = sums.add(row * stride);
            vst1q_s32(place, if add { vaddq_s32(values, vld1q_s32(place)) } else { values });
        }
    }
}
