//! Minimal filtering with AVX-512: `vpdpwssd` adds two products of 16 bits to each of sixteen sums. It takes half of the products of
//! `vpdpbusd` at once, for a quarter of them, and pays for large pictures only: there the weights, which grow eightfold, are used often.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::super::winograd::{Form, Four, VALUES, Winograd, assert_panels, assert_weights, place_values};
use super::super::{GROUP, ROWS, Sums};

/// Side, places and outputs of a tile.
const SIDE: usize = 4;
const PLACES: usize = 36;
const OUTPUTS: usize = 16;
/// Sums of a vector.
const LANES: usize = 16;

/// Handed out by the AVX-512 kernel alone, whose features were detected.
pub(super) static ALL: [&dyn Winograd; 1] = [&VnniWinograd];

#[derive(Debug)]
struct VnniWinograd;

impl Winograd for VnniWinograd {
    fn side(&self) -> usize {
        SIDE
    }

    fn pays(&self, tiles: usize, rows: usize, groups: usize) -> bool {
        tiles >= 64 && rows >= 32 && groups >= 8
    }

    fn transform(&self, weights: &[i8], groups: usize, transformed: &mut [i16]) {
        assert_weights(SIDE, weights, groups, transformed);
        // SAFETY: the features were detected; the slices are as long as `groups` asks.
        unsafe { transform(weights.as_ptr(), groups, transformed.as_mut_ptr()) };
    }

    fn multiply(&self, weights: &[i16], tiles: &[i16], groups: usize, count: usize, sums: Sums) {
        assert_panels(SIDE, weights, tiles, groups, count, &sums);
        // SAFETY: the features were detected; the slices are as long as `groups` asks.
        unsafe { multiply(weights.as_ptr(), tiles.as_ptr(), groups, sums.values.as_mut_ptr(), sums.stride) };
    }
}

/// Every value is transformed where it lies: `[places][groups][8 rows][4 channels]`.
///
/// # Safety
/// `weights` holds nine times `groups` groups, `transformed` a panel of them.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn transform(weights: *const i8, groups: usize, transformed: *mut i16) {
    for group in 0..groups {
        let mut window = [_mm512_setzero_si512(); 9];
        for (tap, values) in window.iter_mut().enumerate() {
            // SAFETY: the group is one of each tap's.
            *values = _mm512_cvtepi8_epi16(unsafe { _mm256_loadu_si256(weights.add((tap * groups + group) * VALUES).cast()) });
        }
        let places: [_; PLACES] = Four::filter(window, |a, b| _mm512_add_epi16(a, b), |a, b| _mm512_sub_epi16(a, b));
        for (place, values) in places.into_iter().enumerate() {
            // SAFETY: the group is one of each place's.
            unsafe { _mm512_storeu_si512(transformed.add(place * place_values(groups) + group * VALUES).cast(), values) };
        }
    }
}

/// # Safety
/// `weights` and `tiles` hold a panel of `groups` groups, `sums` eight rows of outputs, whose lines lie `stride`
/// apart.
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn multiply(weights: *const i16, tiles: *const i16, groups: usize, sums: *mut i32, stride: usize) {
    let inverse = _mm512_set1_epi32(Four::INVERSE);
    // Every place is written before it is read; zeros would cost as much as a fourth of the products of a few channels.
    let mut products = [[MaybeUninit::<__m512i>::uninit(); PLACES]; ROWS / 2];
    for start in (0..groups).step_by(Four::PART) {
        let part = Four::PART.min(groups - start);
        for place in 0..PLACES {
            let start = place * place_values(groups) + start * VALUES;
            // SAFETY: each place has as many groups.
            let sums = unsafe { eight_rows(weights.add(start), tiles.add(start), part) };
            for (products, sum) in products.iter_mut().zip(sums) {
                products[place].write(sum);
            }
        }
        for (pair, products) in products.iter().enumerate() {
            // SAFETY: the loop above wrote all places.
            let products = products.map(|sum| unsafe { sum.assume_init() });
            let mut whole: [_; OUTPUTS] = Four::outputs(products, |a, b| _mm512_add_epi32(a, b), |a, b| _mm512_sub_epi32(a, b));
            for (whole, shift) in whole.iter_mut().zip(Four::SHIFTS) {
                *whole = _mm512_srav_epi32(_mm512_mullo_epi32(*whole, inverse), _mm512_set1_epi32(shift));
            }
            // SAFETY: `sums` has eight rows of `SIDE` lines.
            unsafe { put_rows(&whole, sums.add(2 * pair * SIDE * stride), stride, start > 0) };
        }
    }
}

/// Sums of eight rows with eight tiles, two rows in a vector: of each pair of tiles, both of one row and both of the next.
///
/// # Safety
/// `weights` and `tiles` hold `groups` groups.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn eight_rows(weights: *const i16, tiles: *const i16, groups: usize) -> [__m512i; ROWS / 2] {
    let mut totals = [_mm512_setzero_si512(); ROWS];
    for group in 0..groups {
        // SAFETY: the group is within the caller's tiles and weights; the reads need no alignment.
        let (eight_tiles, weights) = unsafe { (_mm512_loadu_si512(tiles.add(group * VALUES).cast()), weights.add(group * VALUES)) };
        for (row, total) in totals.iter_mut().enumerate() {
            // SAFETY: a group has eight rows.
            let weights = _mm512_set1_epi64(unsafe { weights.add(row * GROUP).cast::<i64>().read_unaligned() });
            *total = _mm512_dpwssd_epi32(*total, eight_tiles, weights);
        }
    }
    let mut pairs = [_mm512_setzero_si512(); ROWS / 2];
    for (index, pair) in pairs.iter_mut().enumerate() {
        let (one, other) = (_mm512_castsi512_ps(totals[2 * index]), _mm512_castsi512_ps(totals[2 * index + 1]));
        let (even, odd) = (
            _mm512_shuffle_ps::<0b10_00_10_00>(one, other),
            _mm512_shuffle_ps::<0b11_01_11_01>(one, other),
        );
        *pair = _mm512_add_epi32(_mm512_castps_si512(even), _mm512_castps_si512(odd));
    }
    pairs
}

/// Stores the outputs of two rows tile by tile, or adds them to what is there.
///
/// # Safety
/// `sums` holds two rows of `SIDE` lines that lie `stride` apart.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn put_rows(whole: &[__m512i; OUTPUTS], sums: *mut i32, stride: usize, add: bool) {
    let first_half = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    let second_half = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    for line in 0..SIDE {
        let [a, b, c, d] = [0, 1, 2, 3].map(|column| whole[line * SIDE + column]);
        let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
        let (ab_next, cd_next) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
        for (row, (left, right)) in [(ab, cd), (ab_next, cd_next)].into_iter().enumerate() {
            // The four outputs of the first, and of the second, of every pair of tiles.
            let (even, odd) = (_mm512_unpacklo_epi64(left, right), _mm512_unpackhi_epi64(left, right));
            for (half, order) in [first_half, second_half].into_iter().enumerate() {
                let values = _mm512_permutex2var_epi64(even, order, odd);
                // SAFETY: a line has four outputs of eight tiles, two vectors.
                unsafe {
                    let place: *mut __m512i = sums.add((row * SIDE + line) * stride + half * LANES).cast();
                    let values = if add {
                        _mm512_add_epi32(values, _mm512_loadu_si512(place))
                    } else {
                        values
                    };
                    _mm512_storeu_si512(place, values);
                }
            }
        }
    }
}
