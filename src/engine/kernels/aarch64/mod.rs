//! The kernels of 64-bit ARM. The weight panel is read in place, in both of them: a 16-byte vector holds four rows
//! of one group.

mod winograd;

use super::winograd::Winograd;
use super::{GROUP, Kernel, ROWS, Sums};
use std::arch::aarch64::*;
use std::arch::asm;

/// Columns of one activation panel: those of a vector of 32-bit sums. Narrow panels waste few columns.
const COLUMNS: usize = 4;
/// Panels whose sums [`three_panels`] keeps in registers.
const DOTPROD_PANELS: usize = 3;
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

    fn panels(&self) -> usize {
        2 * DOTPROD_PANELS
    }

    fn multiply(&self, weights: &[i8], _row_sums: &[i32; ROWS], activations: &[u8], groups: usize, count: usize, sums: Sums) {
        super::assert_shapes(self, weights, activations, groups, count, &sums);
        let (weights, stride) = (weights.as_ptr(), sums.stride);
        let threes = count / DOTPROD_PANELS * DOTPROD_PANELS;
        // SAFETY: `available` found the features; the slices are long enough for `count` panels.
        unsafe {
            let panel = |index: usize| activations.as_ptr().cast::<i8>().add(index * groups * COLUMN_BYTES);
            let sums = sums.values.as_mut_ptr();
            for first in (0..threes).step_by(DOTPROD_PANELS) {
                three_panels(weights, panel(first), groups, sums.add(first * COLUMNS), stride);
            }
            for last in threes..count {
                one_panel(weights, panel(last), groups, sums.add(last * COLUMNS), stride);
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

    fn panels(&self) -> usize {
        4
    }

    fn winograd(&self) -> &'static [&'static dyn Winograd] {
        &winograd::ALL
    }

    fn multiply(&self, weights: &[i8], _row_sums: &[i32; ROWS], activations: &[u8], groups: usize, count: usize, sums: Sums) {
        super::assert_shapes(self, weights, activations, groups, count, &sums);
        for panel in 0..count {
            // SAFETY: `available` found the feature; the slices are long enough for `count` panels.
            unsafe {
                let activations = activations.as_ptr().cast::<i8>().add(panel * groups * COLUMN_BYTES);
                let place = sums.values.as_mut_ptr().add(panel * COLUMNS);
                neon(weights.as_ptr(), activations, groups, place, sums.stride);
            }
        }
    }
}

/// Sums of one weight panel with `COUNT` activation panels: a vector holds four columns of one row.
type RowTotals<const COUNT: usize> = [[int32x4_t; ROWS]; COUNT];

/// # Safety
/// `weights` holds `groups` groups, `activations` three panels of as many, `sums` eight rows of twelve sums, each
/// `stride` after the one before.
#[target_feature(enable = "neon,dotprod")]
unsafe fn three_panels(weights: *const i8, activations: *const i8, groups: usize, sums: *mut i32, stride: usize) {
    let mut totals: RowTotals<DOTPROD_PANELS> = [[vdupq_n_s32(0); ROWS]; DOTPROD_PANELS];
    if groups >= 2 {
        // SAFETY: the operands hold as many pairs of groups.
        unsafe { add_three_panels(&mut totals, weights, activations, groups) };
    }
    if groups % 2 == 1 {
        let group = groups - 1;
        let [first, second, third] = &mut totals;
        // SAFETY: the group is within the caller's weights and panels.
        unsafe {
            add_products(first, weights, activations, group);
            add_products(second, weights, activations.add(groups * COLUMN_BYTES), group);
            add_products(third, weights, activations.add(2 * groups * COLUMN_BYTES), group);
        }
    }
    for (panel, totals) in totals.iter().enumerate() {
        // SAFETY: each of the eight rows has three vectors of four sums.
        unsafe { store_rows(totals, sums.add(panel * COLUMNS), stride) };
    }
}

/// The same of one panel, `sums` eight rows of four.
///
/// # Safety
/// See [`three_panels`].
#[target_feature(enable = "neon,dotprod")]
unsafe fn one_panel(weights: *const i8, activations: *const i8, groups: usize, sums: *mut i32, stride: usize) {
    let mut totals = [vdupq_n_s32(0); ROWS];
    for group in 0..groups {
        // SAFETY: the group is within the caller's weights and panel.
        unsafe { add_products(&mut totals, weights, activations, group) };
    }
    // SAFETY: the caller vouches for the sums.
    unsafe { store_rows(&totals, sums, stride) };
}

/// # Safety
/// `sums` holds eight rows of four, each `stride` after the one before.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store_rows(totals: &[int32x4_t; ROWS], sums: *mut i32, stride: usize) {
    for (row, &total) in totals.iter().enumerate() {
        // SAFETY: the caller vouches for the sums.
        unsafe { vst1q_s32(sums.add(row * stride), total) };
    }
}

/// The instructions for a pair of groups of one panel, whose address moves on by both. The weights are in v0 and v1
/// (first group) and v2 and v3 (second group).
#[rustfmt::skip] // one row a line
macro_rules! panel_products {
    ($address:literal, [$a:literal, $b:literal, $c:literal, $d:literal, $e:literal, $f:literal, $g:literal, $h:literal]) => {
        concat!(
            "ldp q4, q5, [", $address, "], #32\n",
            "sdot ", $a, ".4s, v4.16b, v0.4b[0]\n",
            "sdot ", $b, ".4s, v4.16b, v0.4b[1]\n",
            "sdot ", $c, ".4s, v4.16b, v0.4b[2]\n",
            "sdot ", $d, ".4s, v4.16b, v0.4b[3]\n",
            "sdot ", $e, ".4s, v4.16b, v1.4b[0]\n",
            "sdot ", $f, ".4s, v4.16b, v1.4b[1]\n",
            "sdot ", $g, ".4s, v4.16b, v1.4b[2]\n",
            "sdot ", $h, ".4s, v4.16b, v1.4b[3]\n",
            "sdot ", $a, ".4s, v5.16b, v2.4b[0]\n",
            "sdot ", $b, ".4s, v5.16b, v2.4b[1]\n",
            "sdot ", $c, ".4s, v5.16b, v2.4b[2]\n",
            "sdot ", $d, ".4s, v5.16b, v2.4b[3]\n",
            "sdot ", $e, ".4s, v5.16b, v3.4b[0]\n",
            "sdot ", $f, ".4s, v5.16b, v3.4b[1]\n",
            "sdot ", $g, ".4s, v5.16b, v3.4b[2]\n",
            "sdot ", $h, ".4s, v5.16b, v3.4b[3]\n",
        )
    };
}

/// Adds the products of all pairs of groups of three panels, 55 instructions for 768 products. In assembly language,
/// for not every level of optimisation keeps the sums in their registers.
///
/// # Safety
/// `weights` holds `groups` groups, of which there are two or more, and `activations` three panels of as many.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn add_three_panels(totals: &mut RowTotals<DOTPROD_PANELS>, weights: *const i8, activations: *const i8, groups: usize) {
    let panel = groups * COLUMN_BYTES;
    let [one, two, three] = totals;
    // SAFETY: reads 64 bytes of weights and 32 of each panel for each pair; writes only the registers named here.
    unsafe {
        asm!(
            "2:",
            "ldp q0, q1, [{weights}], #32",
            "ldp q2, q3, [{weights}], #32",
            panel_products!("{one}", ["v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15"]),
            panel_products!("{two}", ["v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23"]),
            panel_products!("{three}", ["v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31"]),
            "subs {left}, {left}, #1",
            "b.ne 2b",
            weights = inout(reg) weights => _,
            one = inout(reg) activations => _,
            two = inout(reg) activations.add(panel) => _,
            three = inout(reg) activations.add(2 * panel) => _,
            left = inout(reg) groups / 2 => _,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
            inout("v8") one[0], inout("v9") one[1], inout("v10") one[2], inout("v11") one[3],
            inout("v12") one[4], inout("v13") one[5], inout("v14") one[6], inout("v15") one[7],
            inout("v16") two[0], inout("v17") two[1], inout("v18") two[2], inout("v19") two[3],
            inout("v20") two[4], inout("v21") two[5], inout("v22") two[6], inout("v23") two[7],
            inout("v24") three[0], inout("v25") three[1], inout("v26") three[2], inout("v27") three[3],
            inout("v28") three[4], inout("v29") three[5], inout("v30") three[6], inout("v31") three[7],
            options(pure, readonly, nostack)
        );
    }
}

/// Adds the products of one group to one panel's sums of every row.
///
/// # Safety
/// `weights` and `activations` hold more than `group` groups.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn add_products(totals: &mut [int32x4_t; ROWS], weights: *const i8, activations: *const i8, group: usize) {
    // SAFETY: the caller vouches for the lengths.
    let (weights, columns) = unsafe { (load_weights(weights, group), vld1q_s8(activations.add(group * COLUMN_BYTES))) };
    totals[0] = dot::<0>(totals[0], columns, weights[0]);
    totals[1] = dot::<1>(totals[1], columns, weights[0]);
    totals[2] = dot::<2>(totals[2], columns, weights[0]);
    totals[3] = dot::<3>(totals[3], columns, weights[0]);
    totals[4] = dot::<0>(totals[4], columns, weights[1]);
    totals[5] = dot::<1>(totals[5], columns, weights[1]);
    totals[6] = dot::<2>(totals[6], columns, weights[1]);
    totals[7] = dot::<3>(totals[7], columns, weights[1]);
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
/// `weights` and `activations` hold `groups` groups, `sums` eight rows of four, each `stride` after the one before.
#[target_feature(enable = "neon")]
unsafe fn neon(weights: *const i8, activations: *const i8, groups: usize, sums: *mut i32, stride: usize) {
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
    unsafe { store_transposed(&totals, sums, stride) };
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
/// `sums` holds eight rows of four, each `stride` after the one before.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store_transposed(totals: &PairTotals, sums: *mut i32, stride: usize) {
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
            unsafe { vst1q_s32(sums.add((half * 4 + row) * stride), sums_of_row) };
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
