//! The kernels of x86-64. In all of them a vector holds columns, and each weight group of a row is broadcast to
//! every column.

mod winograd;
mod winograd_vnni;

use super::winograd::Winograd;
use super::{GROUP, InPlace, Kernel, ROWS, Sums, Windows};
use std::arch::x86_64::*;

/// Columns of a 512-bit vector of 32-bit sums.
const WIDE_COLUMNS: usize = 16;
/// Columns of a 256-bit vector of 32-bit sums.
const COLUMNS: usize = 8;
/// Groups that are fetched into the first-level cache before they are multiplied: panels lie in the second.
const AHEAD: usize = 12;

/// The kernels of this processor, fastest first. Only here are they handed out: each one's [`Kernel::multiply`]
/// relies on the features tested here.
pub(super) fn available() -> Vec<&'static dyn Kernel> {
    let mut kernels: Vec<&'static dyn Kernel> = Vec::new();
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni") {
        kernels.push(&Avx512Vnni);
    }
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni") {
        kernels.push(&AvxVnni);
    }
    if is_x86_feature_detected!("avx2") {
        kernels.push(&Avx2);
    }
    kernels
}

/// Products of four by `vpdpbusd`, 16 columns at once.
#[derive(Debug)]
struct Avx512Vnni;

impl Kernel for Avx512Vnni {
    fn name(&self) -> &'static str {
        "avx512-vnni"
    }

    fn columns(&self) -> usize {
        WIDE_COLUMNS
    }

    fn activation_mask(&self) -> u8 {
        0x80
    }

    fn panels(&self) -> usize {
        3
    }

    fn in_place(&self) -> Option<&dyn InPlace> {
        Some(self)
    }

    fn winograd(&self) -> &'static [&'static dyn Winograd] {
        &winograd_vnni::ALL
    }

    fn multiply(&self, weights: &[i8], row_sums: &[i32; ROWS], activations: &[u8], groups: usize, count: usize, sums: Sums) {
        super::assert_shapes(self, weights, activations, groups, count, &sums);
        let panels = std::array::from_fn(|panel| activations.as_ptr().wrapping_add(panel * groups * WIDE_COLUMNS * GROUP));
        let steps = Steps {
            pixels: &[0],
            planes: groups,
            plane: WIDE_COLUMNS * GROUP,
        };
        // SAFETY: `available` found the features; the slices are long enough for `count` panels.
        unsafe { avx512_vnni_panels::<AHEAD>(weights, row_sums, panels, count, steps, sums) };
    }
}

impl InPlace for Avx512Vnni {
    fn multiply_in_place(&self, weights: &[i8], row_sums: &[i32; ROWS], windows: Windows, panels: &[usize], sums: Sums) {
        self.assert_windows(weights, windows, panels, &sums);
        let starts = std::array::from_fn(|panel| windows.image.as_ptr().wrapping_add(panels.get(panel).copied().unwrap_or(0)));
        let steps = Steps {
            pixels: windows.pixels,
            planes: windows.planes[0],
            plane: windows.planes[1],
        };
        // SAFETY: `available` found the features; the windows of all panels lie in the image.
        unsafe { avx512_vnni_panels::<0>(weights, row_sums, starts, panels.len(), steps, sums) };
    }
}

/// Where the groups of a panel follow each other, in bytes from the first one on: for every pixel, planes so far apart.
#[derive(Clone, Copy)]
struct Steps<'a> {
    pixels: &'a [usize],
    planes: usize,
    plane: usize,
}

/// # Safety
/// See [`avx512_vnni`], of which this takes the first `count` of three panels.
unsafe fn avx512_vnni_panels<const AHEAD: usize>(
    weights: &[i8],
    row_sums: &[i32; ROWS],
    panels: [*const u8; 3],
    count: usize,
    steps: Steps,
    sums: Sums,
) {
    let (weights, stride, sums) = (weights.as_ptr(), sums.stride, sums.values.as_mut_ptr());
    let (corrections, [first, second, _]) = (corrections(row_sums), panels);
    // SAFETY: the caller vouches for everything.
    unsafe {
        match count {
            1 => avx512_vnni::<1, AHEAD>(weights, &corrections, [first], steps, sums, stride),
            2 => avx512_vnni::<2, AHEAD>(weights, &corrections, [first, second], steps, sums, stride),
            _ => avx512_vnni::<3, AHEAD>(weights, &corrections, panels, steps, sums, stride),
        }
    }
}

/// Products of four by the 256-bit `vpdpbusd` of processors without AVX-512.
#[derive(Debug)]
struct AvxVnni;

impl Kernel for AvxVnni {
    fn name(&self) -> &'static str {
        "avx-vnni"
    }

    fn columns(&self) -> usize {
        COLUMNS
    }

    fn activation_mask(&self) -> u8 {
        0x80
    }

    fn panels(&self) -> usize {
        3
    }

    fn multiply(&self, weights: &[i8], row_sums: &[i32; ROWS], activations: &[u8], groups: usize, count: usize, sums: Sums) {
        super::assert_shapes(self, weights, activations, groups, count, &sums);
        let (weights, activations, stride, sums) = (weights.as_ptr(), activations.as_ptr(), sums.stride, sums.values.as_mut_ptr());
        let corrections = corrections(row_sums);
        // SAFETY: `available` found the features; the slices are long enough for `count` panels.
        unsafe {
            match count {
                1 => avx_vnni::<8, 1>(weights, &corrections, activations, groups, sums, stride),
                2 => avx_vnni::<4, 2>(weights, &corrections, activations, groups, sums, stride),
                _ => avx_vnni::<4, 3>(weights, &corrections, activations, groups, sums, stride),
            }
        }
    }
}

/// Products of two by `vpmaddubsw`, without VNNI.
#[derive(Debug)]
struct Avx2;

impl Kernel for Avx2 {
    fn name(&self) -> &'static str {
        "avx2"
    }

    fn columns(&self) -> usize {
        COLUMNS
    }

    fn panels(&self) -> usize {
        2
    }

    fn winograd(&self) -> &'static [&'static dyn Winograd] {
        &winograd::ALL
    }

    fn multiply(&self, weights: &[i8], _row_sums: &[i32; ROWS], activations: &[u8], groups: usize, count: usize, sums: Sums) {
        super::assert_shapes(self, weights, activations, groups, count, &sums);
        let (weights, activations, stride, sums) = (weights.as_ptr(), activations.as_ptr(), sums.stride, sums.values.as_mut_ptr());
        // SAFETY: `available` found the feature; the slices are long enough for `count` panels.
        unsafe {
            match count {
                1 => avx2::<8, 1>(weights, activations, groups, sums, stride),
                _ => avx2::<4, 2>(weights, activations, groups, sums, stride),
            }
        }
    }
}

/// What the sums start from, so that activations shifted up by 128 leave no trace. The arithmetic wraps, as that
/// of `vpdpbusd` does: only the final sums need fit 32 bits.
fn corrections(row_sums: &[i32; ROWS]) -> [i32; ROWS] {
    row_sums.map(|sum| sum.wrapping_mul(-128))
}

/// The four weights of one row as one 32-bit lane.
///
/// # Safety
/// `weights` holds more than `group` groups.
#[inline]
unsafe fn weight_lane(weights: *const i8, group: usize, row: usize) -> i32 {
    // SAFETY: the caller vouches for the length; the read needs no alignment.
    unsafe { weights.cast::<i32>().add(group * ROWS + row).read_unaligned() }
}

/// Fetches the groups of panels that lie `AHEAD` steps on into the first-level cache.
///
/// # Safety
/// `weights` holds as many groups as there are `steps`, from each of `panels` on as many groups of 16 columns can be read, and `sums`
/// holds eight rows of `COUNT·16`, each `stride` after the one before.
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn avx512_vnni<const COUNT: usize, const AHEAD: usize>(
    mut weights: *const i8,
    corrections: &[i32; ROWS],
    panels: [*const u8; COUNT],
    steps: Steps,
    sums: *mut i32,
    stride: usize,
) {
    // Written out: a function of the array would be called, with all of it in memory.
    let mut totals = [[_mm512_setzero_si512(); COUNT]; ROWS];
    for (totals, &correction) in totals.iter_mut().zip(corrections) {
        *totals = [_mm512_set1_epi32(correction); COUNT];
    }
    for &pixel in steps.pixels {
        for plane in 0..steps.planes {
            let mut columns = [_mm512_setzero_si512(); COUNT];
            for (panel, columns) in panels.iter().zip(&mut columns) {
                let group = panel.wrapping_add(pixel + plane * steps.plane);
                // SAFETY: the caller vouches for all steps of all panels.
                *columns = unsafe { _mm512_loadu_si512(group.cast()) };
                if AHEAD > 0 {
                    // What lies behind the panels is never read.
                    _mm_prefetch::<_MM_HINT_T0>(group.wrapping_add(AHEAD * steps.plane).cast());
                }
            }
            for (row, totals) in totals.iter_mut().enumerate() {
                // SAFETY: the caller vouches for the weights of all steps.
                let weights = _mm512_set1_epi32(unsafe { weight_lane(weights, 0, row) });
                for (total, columns) in totals.iter_mut().zip(columns) {
                    *total = _mm512_dpbusd_epi32(*total, columns, weights);
                }
            }
            weights = weights.wrapping_add(ROWS * GROUP);
        }
    }
    for (row, totals) in totals.iter().enumerate() {
        for (panel, &total) in totals.iter().enumerate() {
            // SAFETY: each of the eight rows has COUNT vectors of 16 sums.
            unsafe { _mm512_storeu_si512(sums.add(row * stride + panel * WIDE_COLUMNS).cast(), total) };
        }
    }
}

/// Goes over the rows in passes of `PASS`, so that the sums of a pass stay in the 16 registers.
///
/// # Safety
/// `weights` holds `groups` groups, `activations` `COUNT` panels of as many, `sums` eight rows of `COUNT·8`, each `stride`
/// after the one before.
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn avx_vnni<const PASS: usize, const COUNT: usize>(
    weights: *const i8,
    corrections: &[i32; ROWS],
    activations: *const u8,
    groups: usize,
    sums: *mut i32,
    stride: usize,
) {
    let (passes, _) = corrections.as_chunks::<PASS>();
    for (pass, corrections) in passes.iter().enumerate() {
        let mut totals = corrections.map(|correction| [_mm256_set1_epi32(correction); COUNT]);
        for group in 0..groups {
            // SAFETY: `group` is within the caller's panels.
            let columns = unsafe { load_columns::<COUNT>(activations, groups, group) };
            for (row, totals) in totals.iter_mut().enumerate() {
                // SAFETY: `group` is within the caller's weights.
                let weights = _mm256_set1_epi32(unsafe { weight_lane(weights, group, pass * PASS + row) });
                for (total, columns) in totals.iter_mut().zip(columns) {
                    *total = _mm256_dpbusd_avx_epi32(*total, columns, weights);
                }
            }
        }
        // SAFETY: `sums` holds every row, so also those of this pass.
        unsafe { store_totals(&totals, sums.add(pass * PASS * stride), stride) };
    }
}

/// Multiplies magnitudes of activations by weights that took over the activations' signs: `vpmaddubsw` adds two
/// products in 16 bits, which hold 2·127·127.
///
/// # Safety
/// `weights` holds `groups` groups, `activations` `COUNT` panels of as many, `sums` eight rows of `COUNT·8`, each `stride`
/// after the one before.
#[target_feature(enable = "avx2")]
unsafe fn avx2<const PASS: usize, const COUNT: usize>(
    weights: *const i8,
    activations: *const u8,
    groups: usize,
    sums: *mut i32,
    stride: usize,
) {
    let ones = _mm256_set1_epi16(1);
    for first_row in (0..ROWS).step_by(PASS) {
        let mut totals = [[_mm256_setzero_si256(); COUNT]; PASS];
        for group in 0..groups {
            // SAFETY: `group` is within the caller's panels.
            let columns = unsafe { load_columns::<COUNT>(activations, groups, group) };
            for (row, totals) in totals.iter_mut().enumerate() {
                // SAFETY: `group` is within the caller's weights.
                let weights = _mm256_set1_epi32(unsafe { weight_lane(weights, group, first_row + row) });
                for (total, columns) in totals.iter_mut().zip(columns) {
                    let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(columns), _mm256_sign_epi8(weights, columns));
                    *total = _mm256_add_epi32(*total, _mm256_madd_epi16(pairs, ones));
                }
            }
        }
        // SAFETY: `sums` holds every row, so also those of this pass.
        unsafe { store_totals(&totals, sums.add(first_row * stride), stride) };
    }
}

/// One group of every panel.
///
/// # Safety
/// `activations` holds `COUNT` panels of `groups` groups, and `group` is less than `groups`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load_columns<const COUNT: usize>(activations: *const u8, groups: usize, group: usize) -> [__m256i; COUNT] {
    let mut columns = [_mm256_setzero_si256(); COUNT];
    for (panel, columns) in columns.iter_mut().enumerate() {
        // SAFETY: the caller vouches for the length.
        *columns = unsafe { _mm256_loadu_si256(activations.add((panel * groups + group) * COLUMNS * GROUP).cast()) };
    }
    columns
}

/// # Safety
/// `sums` holds `PASS` rows of `COUNT·8`, each `stride` after the one before.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store_totals<const PASS: usize, const COUNT: usize>(totals: &[[__m256i; COUNT]; PASS], sums: *mut i32, stride: usize) {
    for (row, totals) in totals.iter().enumerate() {
        for (panel, &total) in totals.iter().enumerate() {
            // SAFETY: each of the rows has COUNT vectors of 8 sums.
            unsafe { _mm256_storeu_si256(sums.add(row * stride + panel * COLUMNS).cast(), total) };
        }
    }
}
