//! Minimal filtering with NEON: `smlal` adds four products of 16 bits by one element, where the int8 products take
//! three instructions for sixteen.

use std::arch::aarch64::*;

use super::super::winograd::{OUTPUTS, PLACES, TILES, VALUES, Winograd, assert_panels, assert_weights, filter, outputs, place_values};
use super::super::{GROUP, ROWS};

/// Rows of a vector of 32-bit sums.
const HALF: usize = ROWS / 2;
/// Sums of one place: a vector holds four rows of one tile.
type Totals = [[int32x4_t; 2]; TILES];

/// Handed out by [`super::available`]'s NEON kernel alone, whose feature was detected.
#[derive(Debug)]
pub(super) struct NeonWinograd;

impl Winograd for NeonWinograd {
    fn transform(&self, weights: &[i8], groups: usize, transformed: &mut [i16]) {
        assert_weights(weights, groups, transformed);
        // SAFETY: NEON was detected; the slices are as long as `groups` asks.
        unsafe { transform(weights.as_ptr(), groups, transformed.as_mut_ptr()) };
    }

    fn multiply(&self, weights: &[i16], tiles: &[i16], groups: usize, sums: &mut [i32]) {
        assert_panels(weights, tiles, groups, sums);
        // SAFETY: NEON was detected; the slices are as long as `groups` asks.
        unsafe { multiply(weights.as_ptr(), tiles.as_ptr(), groups, sums.as_mut_ptr()) };
    }
}

/// Transformed weights lie as `[16][groups][4 channels][8 rows]`.
///
/// # Safety
/// `weights` holds nine times `groups` groups, `transformed` a panel of them.
#[target_feature(enable = "neon")]
unsafe fn transform(weights: *const i8, groups: usize, transformed: *mut i16) {
    for group in 0..groups {
        // SAFETY: the group is within each tap's groups; the load parts the four channels.
        let taps: [int8x8x4_t; 9] = std::array::from_fn(|tap| unsafe { vld4_s8(weights.add((tap * groups + group) * VALUES)) });
        let channels: [fn(&int8x8x4_t) -> int8x8_t; GROUP] = [|tap| tap.0, |tap| tap.1, |tap| tap.2, |tap| tap.3];
        for (channel, of_channel) in channels.into_iter().enumerate() {
            let window = taps.each_ref().map(|tap| vmovl_s8(of_channel(tap)));
            let places = filter(window, |a, b| vaddq_s16(a, b), |a, b| vsubq_s16(a, b));
            for (place, values) in places.into_iter().enumerate() {
                // SAFETY: the channel is within each place's groups.
                unsafe {
                    vst1q_s16(
                        transformed.add(place * place_values(groups) + group * VALUES + channel * ROWS),
                        values,
                    )
                };
            }
        }
    }
}

/// # Safety
/// `weights` and `tiles` hold a panel of `groups` groups, `sums` eight rows of outputs.
#[target_feature(enable = "neon")]
unsafe fn multiply(weights: *const i16, tiles: *const i16, groups: usize, sums: *mut i32) {
    let mut products = [[[vdupq_n_s32(0); 2]; TILES]; PLACES];
    for (place, products) in products.iter_mut().enumerate() {
        let start = place * place_values(groups);
        // SAFETY: each place has as many groups.
        *products = unsafe { one_place(weights.add(start), tiles.add(start), groups) };
    }
    for half in 0..2 {
        for pair in (0..TILES).step_by(2) {
            let [left, right] = [pair, pair + 1].map(|tile| {
                let of_tile = std::array::from_fn(|place| products[place][tile][half]);
                outputs(of_tile, |a, b| vaddq_s32(a, b), |a, b| vsubq_s32(a, b)).map(|sum| vshrq_n_s32::<2>(sum))
            });
            // SAFETY: eight rows of two times sixteen sums are the caller's.
            unsafe {
                let sums = sums.add(half * HALF * OUTPUTS + 2 * pair);
                store_transposed(sums, [left[0], left[1], right[0], right[1]]);
                store_transposed(sums.add(2 * TILES), [left[2], left[3], right[2], right[3]]);
            }
        }
    }
}

/// # Safety
/// `weights` and `tiles` hold `groups` groups.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn one_place(weights: *const i16, tiles: *const i16, groups: usize) -> Totals {
    let mut totals = [[vdupq_n_s32(0); 2]; TILES];
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

/// Stores four neighbouring outputs of each of four rows.
///
/// # Safety
/// `sums` holds four rows of outputs.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store_transposed(sums: *mut i32, [a, b, c, d]: [int32x4_t; 4]) {
    let (upper, lower) = ((vzip1q_s32(a, c), vzip1q_s32(b, d)), (vzip2q_s32(a, c), vzip2q_s32(b, d)));
    let rows = [
        vzip1q_s32(upper.0, upper.1),
        vzip2q_s32(upper.0, upper.1),
        vzip1q_s32(lower.0, lower.1),
        vzip2q_s32(lower.0, lower.1),
    ];
    for (row, values) in rows.into_iter().enumerate() {
        // SAFETY: the caller vouches for four rows.
        unsafe { vst1q_s32(sums.add(row * OUTPUTS), values) };
    }
}
