//! The kernels of 64-bit ARM. The weight panel is read in place, in both of them: a 16-byte vector holds four rows
//! of one group.

use super::{GROUP, Kernel, ROWS};
use std::arch::aarch64::*;
use std::arch::asm;

/// Columns of one activation panel: those of a vector of 32-bit sums. Narrow panels waste few columns.
const COLUMNS: usize = 4;
/// Bytes of one group of an activation panel.
const COLUMN_BYTES: usize = COLUMNS * GROUP;
/// Bytes of one group of a weight panel.
const WEIGHT_BYTES: usize = ROWS * GROUP;

/// The kernels of this processor, fastest first. Only here are they handed out: each one's [`Kernel::multiply`]
/// relies on the features tested here.
pub(super) fn available() -> Vec<&'static dyn Kernel> {
    let mut kernels: Vec<&'static dyn Kernel> = Vec::new();
    if std::arch::is_aarch64_feature_detected!("dotprod") {
        kernels.push(&NeonDotprod);
    }
    if std::arch::is_aarch64_feature_detected!("neon") {
        kernels.push(&Neon);
    }
    kernels
}

/// Products of four by `sdot`, from Cortex-A55 and Cortex-A76 on.
#[derive(Debug)]
struct NeonDotprod;

impl Kernel for NeonDotprod {
    fn name(&self) -> &'static str {
        "neon-dotprod"
    }

    fn columns(&self) -> usize {
        COLUMNS
    }

    fn activation_mask(&self) -> u8 {
        0
    }

    fn panels(&self) -> usize {
        3
    }

    fn multiply(&self, weights: &[i8], _row_sums: &[i32; ROWS], activations: &[u8], groups: usize, count: usize, sums: &mut [i32]) {
        super::assert_shapes(self, weights, activations, groups, count, sums);
        let (weights, activations, sums) = (weights.as_ptr(), activations.as_ptr().cast(), sums.as_mut_ptr());
        // SAFETY: `available` found the features; the slices are long enough for `count` panels.
        unsafe {
            match count {
                1 => neon_dotprod::<1>(weights, activations, groups, sums),
                2 => neon_dotprod::<2>(weights, activations, groups, sums),
                _ => neon_dotprod::<3>(weights, activations, groups, sums),
            }
        }
    }
}

/// Products of two by widening multiplication, for Cortex-A53 and Cortex-A72.
#[derive(Debug)]
struct Neon;

impl Kernel for Neon {
    fn name(&self) -> &'static str {
        "neon"
    }

    fn columns(&self) -> usize {
        COLUMNS
    }

    fn activation_mask(&self) -> u8 {
        0
    }

    fn multiply(&self, weights: &[i8], _row_sums: &[i32; ROWS], activations: &[u8], groups: usize, count: usize, sums: &mut [i32]) {
        super::assert_shapes(self, weights, activations, groups, count, sums);
        // SAFETY: `available` found the feature; the slices are long enough for one panel.
        unsafe { neon(weights.as_ptr(), activations.as_ptr().cast(), groups, sums.as_mut_ptr()) };
    }
}

/// A vector holds four columns of one row, and each weight group is taken as one element of its vector.
///
/// # Safety
/// `weights` holds `groups` groups, `activations` `COUNT` panels of as many, `sums` `[8][COUNT·4]`.
#[target_feature(enable = "neon,dotprod")]
unsafe fn neon_dotprod<const COUNT: usize>(weights: *const i8, activations: *const i8, groups: usize, sums: *mut i32) {
    let mut totals = [[vdupq_n_s32(0); COUNT]; ROWS];
    for group in (0..groups & !1).step_by(2) {
        // SAFETY: `group` and its successor are within the caller's weights.
        let (even, odd) = unsafe { (load_weights(weights, group), load_weights(weights, group + 1)) };
        for panel in 0..COUNT {
            // SAFETY: `panel`, `group` and its successor are within the caller's panels.
            let (first, second) = unsafe {
                let columns = activations.add((panel * groups + group) * COLUMN_BYTES);
                (vld1q_s8(columns), vld1q_s8(columns.add(COLUMN_BYTES)))
            };
            add_products(&mut totals, panel, first, even);
            add_products(&mut totals, panel, second, odd);
        }
    }
    if groups % 2 == 1 {
        let group = groups - 1;
        // SAFETY: `group` is within the caller's weights.
        let weights = unsafe { load_weights(weights, group) };
        for panel in 0..COUNT {
            // SAFETY: `panel` and `group` are within the caller's panels.
            let columns = unsafe { vld1q_s8(activations.add((panel * groups + group) * COLUMN_BYTES)) };
            add_products(&mut totals, panel, columns, weights);
        }
    }
    for (index, &total) in totals.as_flattened().iter().enumerate() {
        // SAFETY: there are 8·COUNT vectors, each of 4 sums, row by row.
        unsafe { vst1q_s32(sums.add(index * COLUMNS), total) };
    }
}

/// Adds the products of one group to one panel's sums of every row.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn add_products<const COUNT: usize>(totals: &mut [[int32x4_t; COUNT]; ROWS], panel: usize, columns: int8x16_t, weights: [int8x16_t; 2]) {
    totals[0][panel] = dot::<0>(totals[0][panel], columns, weights[0]);
    totals[1][panel] = dot::<1>(totals[1][panel], columns, weights[0]);
    totals[2][panel] = dot::<2>(totals[2][panel], columns, weights[0]);
    totals[3][panel] = dot::<3>(totals[3][panel], columns, weights[0]);
    totals[4][panel] = dot::<0>(totals[4][panel], columns, weights[1]);
    totals[5][panel] = dot::<1>(totals[5][panel], columns, weights[1]);
    totals[6][panel] = dot::<2>(totals[6][panel], columns, weights[1]);
    totals[7][panel] = dot::<3>(totals[7][panel], columns, weights[1]);
}

/// Adds to each sum the product of its column with the group of weights in element `ROW`. The intrinsic is not
/// stable yet.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot<const ROW: usize>(mut sums: int32x4_t, columns: int8x16_t, weights: int8x16_t) -> int32x4_t {
    // SAFETY: touches only the registers named here, and the processor has the instruction where this may be called.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {columns:v}.16b, {weights:v}.4b[{row}]",
            sums = inout(vreg) sums,
            columns = in(vreg) columns,
            weights = in(vreg) weights,
            row = const ROW,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}

/// Sums of one weight panel with four columns, for each column of four pairs of rows. A vector holds two partial
/// sums of each of the two rows.
type PairTotals = [[int32x4_t; ROWS / 2]; COLUMNS];

/// # Safety
/// `weights` and `activations` hold `groups` groups, `sums` `[8][4]`.
#[target_feature(enable = "neon")]
unsafe fn neon(weights: *const i8, activations: *const i8, groups: usize, sums: *mut i32) {
    let mut totals = [[vdupq_n_s32(0); ROWS / 2]; COLUMNS];
    if groups >= 2 {
        // SAFETY: the operands hold as many pairs of groups.
        unsafe { add_group_pairs(&mut totals, weights, activations, groups / 2) };
    }
    if groups % 2 == 1 {
        // SAFETY: the last group is within the caller's weights and panel.
        unsafe { add_last_group(&mut totals, weights, activations, groups - 1) };
    }
    // SAFETY: the caller vouches for the sums.
    unsafe { store_transposed(&totals, sums) };
}

/// The instructions for one column of a pair of groups, between them the loads for what comes next. The products
/// of two groups are added in 16 bits, which hold 2·127·127, then neighbours in 32. Four independent sums at a
/// time hide the latency of a multiplication from processors that keep the order of instructions.
///
/// Weights are in v0 and v1 (first group) and v2 and v3 (second group); `$load_first` may overwrite the
/// column of the first group and v0 and v1, `$load_second` that of the second group and v2 and v3.
#[rustfmt::skip] // one instruction a line
macro_rules! column_products {
    ($first:literal, $second:literal, [$a:literal, $b:literal, $c:literal, $d:literal], $load_first:expr, $load_second:expr) => {
        concat!(
            "smull v4.8h, v0.8b, ", $first, ".8b\n",
            "smull2 v5.8h, v0.16b, ", $first, ".16b\n",
            "smull v6.8h, v1.8b, ", $first, ".8b\n",
            "smull2 v7.8h, v1.16b, ", $first, ".16b\n",
            $load_first,
            "smlal v4.8h, v2.8b, ", $second, ".8b\n",
            "smlal2 v5.8h, v2.16b, ", $second, ".16b\n",
            "smlal v6.8h, v3.8b, ", $second, ".8b\n",
            "smlal2 v7.8h, v3.16b, ", $second, ".16b\n",
            $load_second,
            "sadalp ", $a, ".4s, v4.8h\n",
            "sadalp ", $b, ".4s, v5.8h\n",
            "sadalp ", $c, ".4s, v6.8h\n",
            "sadalp ", $d, ".4s, v7.8h\n",
        )
    };
}

/// The instruction that loads a group of one column four times, then moves the address.
macro_rules! load_column {
    ($register:literal, $step:literal) => {
        concat!("ld1r {{", $register, ".4s}}, [{activations}], ", $step, "\n")
    };
}

/// The instructions for the first three columns of a pair of groups. Columns alternate between v8, v9 and v10,
/// v11; the address of the activations goes to and fro between the two groups.
#[rustfmt::skip] // one column a line
macro_rules! three_columns {
    () => {
        concat!(
            column_products!("v8", "v9", ["v16", "v17", "v18", "v19"], load_column!("v10", "{on}"), load_column!("v11", "{back}")),
            column_products!("v10", "v11", ["v20", "v21", "v22", "v23"], load_column!("v8", "{on}"), load_column!("v9", "{back}")),
            column_products!("v8", "v9", ["v24", "v25", "v26", "v27"], load_column!("v10", "{on}"), load_column!("v11", "#4")),
        )
    };
}

/// The instructions for the last column of a pair of groups.
macro_rules! last_column {
    ($load_first:expr, $load_second:expr) => {
        column_products!("v10", "v11", ["v28", "v29", "v30", "v31"], $load_first, $load_second)
    };
}

/// The instructions that load the first group's weights and first column of the next pair of groups.
macro_rules! load_first {
    () => {
        concat!("ldp q0, q1, [{weights}], #32\n", load_column!("v8", "{on}"))
    };
}

/// The same of the second group.
macro_rules! load_second {
    () => {
        concat!("ldp q2, q3, [{weights}], #32\n", load_column!("v9", "{back}"))
    };
}

/// Adds the products of `pairs` pairs of groups, 3.75 instructions for 16 products. In assembly language, for the
/// compiler neither reads both halves of a broadcast in place nor keeps the sums in their registers. Each pair's
/// first operands are loaded during the pair before it; the last pair loads nothing, so no read leaves the operands.
///
/// # Safety
/// `weights` and `activations` hold `2·pairs` groups, and `pairs` is not 0.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_group_pairs(totals: &mut PairTotals, weights: *const i8, activations: *const i8, pairs: usize) {
    let [first, second, third, fourth] = totals;
    // SAFETY: reads 64 bytes of weights and 32 of activations for each pair; writes only the registers named here.
    unsafe {
        asm!(
            load_first!(),
            load_second!(),
            "cbz {left}, 3f",
            "2:",
            three_columns!(),
            last_column!(load_first!(), load_second!()),
            "subs {left}, {left}, #1",
            "b.ne 2b",
            "3:",
            three_columns!(),
            last_column!("", ""),
            weights = inout(reg) weights => _,
            activations = inout(reg) activations => _,
            left = inout(reg) pairs - 1 => _,
            on = in(reg) COLUMN_BYTES,
            back = in(reg) GROUP as isize - COLUMN_BYTES as isize,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            inout("v16") first[0], inout("v17") first[1], inout("v18") first[2], inout("v19") first[3],
            inout("v20") second[0], inout("v21") second[1], inout("v22") second[2], inout("v23") second[3],
            inout("v24") third[0], inout("v25") third[1], inout("v26") third[2], inout("v27") third[3],
            inout("v28") fourth[0], inout("v29") fourth[1], inout("v30") fourth[2], inout("v31") fourth[3],
            options(pure, readonly, nostack)
        );
    }
}

/// Adds the products of a group that has no successor.
///
/// # Safety
/// `weights` and `activations` hold more than `group` groups.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_last_group(totals: &mut PairTotals, weights: *const i8, activations: *const i8, group: usize) {
    // SAFETY: the caller vouches for the weights.
    let weights = unsafe { load_weights(weights, group) };
    for (column, totals) in totals.iter_mut().enumerate() {
        // SAFETY: the caller vouches for the activations.
        let activations = unsafe { broadcast(activations, group, column) };
        for half in 0..2 {
            let low = vmull_s8(vget_low_s8(weights[half]), vget_low_s8(activations));
            totals[2 * half] = vpadalq_s16(totals[2 * half], low);
            totals[2 * half + 1] = vpadalq_s16(totals[2 * half + 1], vmull_high_s8(weights[half], activations));
        }
    }
}

/// Folds the partial sums and stores them row by row.
///
/// # Safety
/// `sums` holds `[8][4]`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store_transposed(totals: &PairTotals, sums: *mut i32) {
    for half in 0..2 {
        let [first, second, third, fourth] = totals.map(|totals| vpaddq_s32(totals[2 * half], totals[2 * half + 1]));
        let (odd_upper, odd_lower) = (vzip1q_s32(first, third), vzip2q_s32(first, third));
        let (even_upper, even_lower) = (vzip1q_s32(second, fourth), vzip2q_s32(second, fourth));
        let rows = [
            vzip1q_s32(odd_upper, even_upper),
            vzip2q_s32(odd_upper, even_upper),
            vzip1q_s32(odd_lower, even_lower),
            vzip2q_s32(odd_lower, even_lower),
        ];
        for (row, sums_of_row) in rows.into_iter().enumerate() {
            // SAFETY: eight rows of four sums are the caller's.
            unsafe { vst1q_s32(sums.add((half * 4 + row) * COLUMNS), sums_of_row) };
        }
    }
}

/// One group of the weight panel: its upper four rows, its lower four rows.
///
/// # Safety
/// `weights` holds more than `group` groups.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load_weights(weights: *const i8, group: usize) -> [int8x16_t; 2] {
    // SAFETY: the caller vouches for the length.
    unsafe {
        [
            vld1q_s8(weights.add(group * WEIGHT_BYTES)),
            vld1q_s8(weights.add(group * WEIGHT_BYTES + 16)),
        ]
    }
}

/// One group of one column, four times.
///
/// # Safety
/// `activations` holds more than `group` groups of four columns.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn broadcast(activations: *const i8, group: usize, column: usize) -> int8x16_t {
    // SAFETY: the caller vouches for the length; the read needs no alignment.
    let lane = unsafe { activations.cast::<i32>().add(group * COLUMNS + column).read_unaligned() };
    vreinterpretq_s8_s32(vdupq_n_s32(lane))
}
