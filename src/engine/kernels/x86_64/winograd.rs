//! Minimal filtering with AVX2: `vpmaddwd` adds two products of 16 bits, where the int8 products take three
//! instructions for four.

use std::arch::x86_64::*;

use super::super::winograd::{OUTPUTS, PLACES, TILES, VALUES, Winograd, assert_panels, assert_weights, filter, outputs, place_values};
use super::super::{GROUP, ROWS};

/// Values of a vector of 16 bits.
const LANES: usize = 16;
/// Rows whose sums are kept in registers together.
const PASS: usize = 4;

/// Handed out by [`super::available`]'s AVX2 kernel alone, whose features were detected.
#[derive(Debug)]
pub(super) struct Avx2Winograd;

impl Winograd for Avx2Winograd {
    fn transform(&self, weights: &[i8], groups: usize, transformed: &mut [i16]) {
        assert_weights(weights, groups, transformed);
        // SAFETY: AVX2 was detected; the slices are as long as `groups` asks.
        unsafe { transform(weights.as_ptr(), groups, transformed.as_mut_ptr()) };
    }

    fn multiply(&self, weights: &[i16], tiles: &[i16], groups: usize, sums: &mut [i32]) {
        assert_panels(weights, tiles, groups, sums);
        // SAFETY: AVX2 was detected; the slices are as long as `groups` asks.
        unsafe { multiply(weights.as_ptr(), tiles.as_ptr(), groups, sums.as_mut_ptr()) };
    }
}

/// Every value is transformed where it lies: `[16][groups][8 rows][4 channels]`.
///
/// # Safety
/// `weights` holds nine times `groups` groups, `transformed` a panel of them.
#[target_feature(enable = "avx2")]
unsafe fn transform(weights: *const i8, groups: usize, transformed: *mut i16) {
    for vector in 0..groups * VALUES / LANES {
        let window = std::array::from_fn(|tap| {
            // SAFETY: the vector is within each tap's groups.
            unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(weights.add(tap * groups * VALUES + vector * LANES).cast())) }
        });
        let places = filter(window, |a, b| _mm256_add_epi16(a, b), |a, b| _mm256_sub_epi16(a, b));
        for (place, values) in places.into_iter().enumerate() {
            // SAFETY: the vector is within each place's groups.
            unsafe { _mm256_storeu_si256(transformed.add(place * place_values(groups) + vector * LANES).cast(), values) };
        }
    }
}

/// # Safety
/// `weights` and `tiles` hold a panel of `groups` groups, `sums` eight rows of outputs.
#[target_feature(enable = "avx2")]
unsafe fn multiply(weights: *const i16, tiles: *const i16, groups: usize, sums: *mut i32) {
    let mut products = [[_mm256_setzero_si256(); PLACES]; ROWS];
    for place in 0..PLACES {
        let start = place * place_values(groups);
        for (pass, products) in products.as_chunks_mut::<PASS>().0.iter_mut().enumerate() {
            // SAFETY: each place has as many groups.
            let sums = unsafe { four_rows(weights.add(start + pass * PASS * GROUP), tiles.add(start), groups) };
            for (products, sum) in products.iter_mut().zip(sums) {
                products[place] = sum;
            }
        }
    }
    for (row, products) in products.into_iter().enumerate() {
        let [a, b, c, d] =
            outputs(products, |a, b| _mm256_add_epi32(a, b), |a, b| _mm256_sub_epi32(a, b)).map(|sum| _mm256_srai_epi32::<2>(sum));
        // SAFETY: a row has two times sixteen sums.
        unsafe {
            store_interleaved(sums.add(row * OUTPUTS), a, b);
            store_interleaved(sums.add(row * OUTPUTS + 2 * TILES), c, d);
        }
    }
}

/// Sums of four rows with eight tiles.
///
/// # Safety
/// `weights` holds four rows of `groups` groups, `tiles` as many groups.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn four_rows(weights: *const i16, tiles: *const i16, groups: usize) -> [__m256i; PASS] {
    let mut totals = [[_mm256_setzero_si256(); 2]; PASS];
    for group in 0..groups {
        // SAFETY: the group is within the caller's tiles and weights; the reads need no alignment.
        let (four, next) = unsafe {
            let tiles = tiles.add(group * VALUES);
            (_mm256_loadu_si256(tiles.cast()), _mm256_loadu_si256(tiles.add(LANES).cast()))
        };
        for (row, totals) in totals.iter_mut().enumerate() {
            // SAFETY: as above.
            let weights = _mm256_set1_epi64x(unsafe { weights.add(group * VALUES + row * GROUP).cast::<i64>().read_unaligned() });
            totals[0] = _mm256_add_epi32(totals[0], _mm256_madd_epi16(four, weights));
            totals[1] = _mm256_add_epi32(totals[1], _mm256_madd_epi16(next, weights));
        }
    }
    // Each tile's two halves are added; the addition leaves tiles 0 1 4 5 2 3 6 7.
    totals.map(|[four, next]| _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(four, next)))
}

/// Stores left and right outputs of eight tiles by turns.
///
/// # Safety
/// `sums` holds sixteen.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store_interleaved(sums: *mut i32, left: __m256i, right: __m256i) {
    let (low, high) = (_mm256_unpacklo_epi32(left, right), _mm256_unpackhi_epi32(left, right));
    // SAFETY: the caller vouches for the length.
    unsafe {
        _mm256_storeu_si256(sums.cast(), _mm256_permute2x128_si256::<0x20>(low, high));
        _mm256_storeu_si256(sums.add(TILES).cast(), _mm256_permute2x128_si256::<0x31>(low, high));
    }
}
