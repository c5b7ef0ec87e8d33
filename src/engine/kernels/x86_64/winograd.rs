//! Minimal filtering with AVX2: `vpmaddwd` adds two products of 16 bits, where the int8 products take three
//! instructions for four.

use std::arch::x86_64::*;

use super::super::winograd::{Form, Four, TILES, Two, VALUES, Winograd, assert_panels, assert_weights, place_values};
use super::super::{GROUP, ROWS, Sums};

/// Values of a vector of 16 bits.
const LANES: usize = 16;
/// Tiles of such a vector.
const HALF: usize = LANES / GROUP;

/// Handed out by the AVX2 kernel alone, whose feature was detected.
pub(super) static ALL: [&dyn Winograd; 2] = [&Avx2Winograd::<Four, 6, 36, 16>(Four), &Avx2Winograd::<Two, 4, 16, 4>(Two)];

#[derive(Debug)]
struct Avx2Winograd<F, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize>(F);

impl<F: Form<POINTS, PLACES, OUTPUTS>, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize> Winograd
    for Avx2Winograd<F, POINTS, PLACES, OUTPUTS>
{
    fn side(&self) -> usize {
        POINTS - 2
    }

    fn transform(&self, weights: &[i8], groups: usize, transformed: &mut [i16]) {
        assert_weights(self.side(), weights, groups, transformed);
        // SAFETY: AVX2 was detected; the slices are as long as `groups` asks.
        unsafe { transform::<F, POINTS, PLACES, OUTPUTS>(weights.as_ptr(), groups, transformed.as_mut_ptr()) };
    }

    fn multiply(&self, weights: &[i16], tiles: &[i16], groups: usize, count: usize, sums: Sums) {
        assert_panels(self.side(), weights, tiles, groups, count, &sums);
        // SAFETY: AVX2 was detected; the slices are as long as `groups` asks.
        unsafe {
            let (weights, tiles, stride, sums) = (weights.as_ptr(), tiles.as_ptr(), sums.stride, sums.values.as_mut_ptr());
            multiply::<F, POINTS, PLACES, OUTPUTS>(weights, tiles, groups, count, sums, stride);
        }
    }
}

/// Every value is transformed where it lies: `[places][groups][8 rows][4 channels]`.
///
/// # Safety
/// `weights` holds nine times `groups` groups, `transformed` a panel of them.
#[target_feature(enable = "avx2")]
unsafe fn transform<F: Form<POINTS, PLACES, OUTPUTS>, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize>(
    weights: *const i8,
    groups: usize,
    transformed: *mut i16,
) {
    for vector in 0..groups * VALUES / LANES {
        let mut window = [_mm256_setzero_si256(); 9];
        for (tap, values) in window.iter_mut().enumerate() {
            // SAFETY: the vector is within each tap's groups.
            let bytes = unsafe { _mm_loadu_si128(weights.add(tap * groups * VALUES + vector * LANES).cast()) };
            *values = _mm256_cvtepi8_epi16(bytes);
        }
        let places = F::filter(window, |a, b| _mm256_add_epi16(a, b), |a, b| _mm256_sub_epi16(a, b));
        for (place, values) in places.into_iter().enumerate() {
            // SAFETY: the vector is within each place's groups.
            unsafe { _mm256_storeu_si256(transformed.add(place * place_values(groups) + vector * LANES).cast(), values) };
        }
    }
}

/// # Safety
/// `weights` and `tiles` hold a panel of `groups` groups, `sums` eight rows of outputs, whose lines lie `stride`
/// apart.
#[target_feature(enable = "avx2")]
unsafe fn multiply<F: Form<POINTS, PLACES, OUTPUTS>, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize>(
    weights: *const i16,
    tiles: *const i16,
    groups: usize,
    count: usize,
    sums: *mut i32,
    stride: usize,
) {
    let inverse = _mm256_set1_epi32(F::INVERSE);
    let mut products = [[_mm256_setzero_si256(); PLACES]; ROWS];
    for start in (0..groups).step_by(F::PART) {
        let part = F::PART.min(groups - start);
        for place in 0..PLACES {
            let start = place * place_values(groups) + start * VALUES;
            // SAFETY: each place has as many groups.
            let sums = unsafe { eight_rows(weights.add(start), tiles.add(start), part, count) };
            for (products, sum) in products.iter_mut().zip(sums) {
                products[place] = sum;
            }
        }
        for (row, &products) in products.iter().enumerate() {
            let mut whole = F::outputs(products, |a, b| _mm256_add_epi32(a, b), |a, b| _mm256_sub_epi32(a, b));
            for (whole, shift) in whole.iter_mut().zip(F::SHIFTS) {
                let scaled = if F::INVERSE == 1 {
                    *whole
                } else {
                    _mm256_mullo_epi32(*whole, inverse)
                };
                *whole = _mm256_srav_epi32(scaled, _mm256_set1_epi32(shift));
            }
            // SAFETY: `sums` has eight rows of as many lines as a tile.
            unsafe { put_row(&whole, sums.add(row * (POINTS - 2) * stride), stride, start > 0) };
        }
    }
}

/// Sums of eight rows with eight tiles, or with the first four where no more are wanted.
///
/// # Safety
/// `weights` and `tiles` hold `groups` groups.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn eight_rows(weights: *const i16, tiles: *const i16, groups: usize, count: usize) -> [__m256i; ROWS] {
    // SAFETY: the caller vouches for the groups, each of eight rows.
    unsafe {
        if count <= HALF {
            return some_rows::<ROWS, 1>(weights, tiles, groups);
        }
        let [a, b, c, d] = some_rows::<4, 2>(weights, tiles, groups);
        let [e, f, g, h] = some_rows::<4, 2>(weights.add(4 * GROUP), tiles, groups);
        [a, b, c, d, e, f, g, h]
    }
}

/// Sums of `SOME` rows with `VECTORS` × 4 tiles: as many as stay in registers.
///
/// # Safety
/// `weights` holds `SOME` rows of `groups` groups, `tiles` holds `groups` groups.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn some_rows<const SOME: usize, const VECTORS: usize>(weights: *const i16, tiles: *const i16, groups: usize) -> [__m256i; SOME] {
    let mut totals = [[_mm256_setzero_si256(); VECTORS]; SOME];
    for group in 0..groups {
        let mut four_tiles = [_mm256_setzero_si256(); VECTORS];
        for (vector, four_tiles) in four_tiles.iter_mut().enumerate() {
            // SAFETY: the group is within the caller's tiles; the read needs no alignment.
            *four_tiles = unsafe { _mm256_loadu_si256(tiles.add(group * VALUES + vector * LANES).cast()) };
        }
        for (row, totals) in totals.iter_mut().enumerate() {
            // SAFETY: the group is within the caller's weights.
            let weights = _mm256_set1_epi64x(unsafe { weights.add(group * VALUES + row * GROUP).cast::<i64>().read_unaligned() });
            for (total, four_tiles) in totals.iter_mut().zip(four_tiles) {
                *total = _mm256_add_epi32(*total, _mm256_madd_epi16(four_tiles, weights));
            }
        }
    }
    let mut sums = [_mm256_setzero_si256(); SOME];
    for (sum, totals) in sums.iter_mut().zip(totals) {
        // Each tile's two halves are added; the addition leaves tiles 0 1 4 5 2 3 6 7.
        *sum = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(totals[0], totals[VECTORS - 1]));
    }
    sums
}

/// Stores the outputs of a row, or adds them to what is there.
///
/// # Safety
/// `sums` holds the lines of eight tiles, `stride` apart.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn put_row<const OUTPUTS: usize>(whole: &[__m256i; OUTPUTS], sums: *mut i32, stride: usize, add: bool) {
    let put = |line: usize, place: usize, values: __m256i| {
        // SAFETY: the caller vouches for the length.
        unsafe {
            let place = sums.add(line * stride + place * TILES).cast();
            let values = if add {
                _mm256_add_epi32(values, _mm256_loadu_si256(place))
            } else {
                values
            };
            _mm256_storeu_si256(place, values);
        }
    };
    if OUTPUTS == 4 {
        for line in 0..2 {
            let [first, second] = pairs(whole[2 * line], whole[2 * line + 1]);
            put(line, 0, first);
            put(line, 1, second);
        }
    } else {
        for line in 0..4 {
            let line_of = &whole[4 * line..];
            let vectors = fours([line_of[0], line_of[1], line_of[2], line_of[3]]);
            for (place, values) in vectors.into_iter().enumerate() {
                put(line, place, values);
            }
        }
    }
}

/// Two outputs of each of eight tiles, tile by tile.
#[inline]
#[target_feature(enable = "avx2")]
fn pairs(left: __m256i, right: __m256i) -> [__m256i; 2] {
    let (low, high) = (_mm256_unpacklo_epi32(left, right), _mm256_unpackhi_epi32(left, right));
    [
        _mm256_permute2x128_si256::<0x20>(low, high),
        _mm256_permute2x128_si256::<0x31>(low, high),
    ]
}

/// Four outputs of each of eight tiles, tile by tile.
#[inline]
#[target_feature(enable = "avx2")]
fn fours([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    let (ab, ab_high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let (cd, cd_high) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
    // Of each half of the vectors: tiles 0 and 4, 1 and 5, 2 and 6, 3 and 7.
    let tiles = [
        _mm256_unpacklo_epi64(ab, cd),
        _mm256_unpackhi_epi64(ab, cd),
        _mm256_unpacklo_epi64(ab_high, cd_high),
        _mm256_unpackhi_epi64(ab_high, cd_high),
    ];
    [
        _mm256_permute2x128_si256::<0x20>(tiles[0], tiles[1]),
        _mm256_permute2x128_si256::<0x20>(tiles[2], tiles[3]),
        _mm256_permute2x128_si256::<0x31>(tiles[0], tiles[1]),
        _mm256_permute2x128_si256::<0x31>(tiles[2], tiles[3]),
    ]
}
