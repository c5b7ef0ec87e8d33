//! The kernel of 32-bit ARM with NEON, as on every Raspberry Pi since the 2: products of two by widening
//! multiplication. `.cargo/config.toml` turns NEON on for the whole build and sets `neon_vfp4`. The weight panel is read in place.

use super::{GROUP, Kernel, ROWS, Sums};
use std::arch::asm;

/// Columns of one activation panel.
const COLUMNS: usize = 4;
/// Columns whose sums fit in the sixteen registers beside weights and activations.
const TOGETHER: usize = 2;
/// Bytes of one group of an activation panel.
const COLUMN_BYTES: usize = COLUMNS * GROUP;

/// Products of two by `vmull`, `vmlal` and `vpadal`.
#[derive(Debug)]
pub(super) struct Neon;

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

    fn multiply(&self, weights: &[i8], _row_sums: &[i32; ROWS], activations: &[u8], groups: usize, count: usize, sums: Sums) {
        super::assert_shapes(self, weights, activations, groups, count, &sums);
        for panel in 0..count {
            for column in (0..COLUMNS).step_by(TOGETHER) {
                let mut columns = [[0i32; ROWS]; TOGETHER];
                let start = panel * groups * COLUMN_BYTES + column * GROUP;
                // SAFETY: `assert_shapes` found as many groups in the weights and in each of `count` panels.
                unsafe { two_columns(weights.as_ptr(), activations.as_ptr().add(start), groups, &mut columns) };
                for row in 0..ROWS {
                    let sums = &mut sums.values[row * sums.stride + panel * COLUMNS + column..][..TOGETHER];
                    sums.copy_from_slice(&columns.map(|sums| sums[row]));
                }
            }
        }
    }
}

/// The products of one group of two columns, each of which is in a register twice: of rows 0 and 1, 2 and 3, 4 and 5,
/// 6 and 7 by turns. `$also` adds a second group's, in 16 bits, which hold 2·127·127.
macro_rules! column_products {
    ([$a:literal, $b:literal, $c:literal, $d:literal], $first:literal, $also:ident, $second:literal) => {
        concat!(
            "vmull.s8 q6, d0, ",
            $first,
            "\n",
            "vmull.s8 q7, d1, ",
            $first,
            "\n",
            $also!("d4", "d5", $second),
            "vpadal.s16 ",
            $a,
            ", q6\n",
            "vpadal.s16 ",
            $b,
            ", q7\n",
            "vmull.s8 q6, d2, ",
            $first,
            "\n",
            "vmull.s8 q7, d3, ",
            $first,
            "\n",
            $also!("d6", "d7", $second),
            "vpadal.s16 ",
            $c,
            ", q6\n",
            "vpadal.s16 ",
            $d,
            ", q7\n",
        )
    };
}

macro_rules! second_group {
    ($upper:literal, $lower:literal, $column:literal) => {
        concat!(
            "vmlal.s8 q6, ",
            $upper,
            ", ",
            $column,
            "\n",
            "vmlal.s8 q7, ",
            $lower,
            ", ",
            $column,
            "\n",
        )
    };
}

macro_rules! no_second_group {
    ($upper:literal, $lower:literal, $column:literal) => {
        ""
    };
}

/// Sums of one weight panel with two neighbouring columns, by columns; 32 instructions for 128 products.
///
/// # Safety
/// `weights` holds `groups` groups of 32 bytes and `activations` as many of 8 bytes, each 16 after the one before.
unsafe fn two_columns(weights: *const i8, activations: *const u8, groups: usize, sums: &mut [[i32; ROWS]; TOGETHER]) {
    // SAFETY: reads 32 bytes of weights and 8 of activations for each group and writes 64 bytes of sums; changes only
    // the registers named here.
    unsafe {
        asm!(
            "vmov.i32 q8, #0", "vmov.i32 q9, #0", "vmov.i32 q10, #0", "vmov.i32 q11, #0",
            "vmov.i32 q12, #0", "vmov.i32 q13, #0", "vmov.i32 q14, #0", "vmov.i32 q15, #0",
            "cmp {pairs}, #0",
            "beq 3f",
            "2:",
            "vld1.8 {{d0-d3}}, [{weights}]!",
            "vld1.8 {{d4-d7}}, [{weights}]!",
            "vld1.32 {{d8[]}}, [{activations}]!",
            "vld1.32 {{d10[]}}, [{activations}], {on}",
            "vld1.32 {{d9[]}}, [{activations}]!",
            "vld1.32 {{d11[]}}, [{activations}], {on}",
            column_products!(["q8", "q9", "q10", "q11"], "d8", second_group, "d9"),
            column_products!(["q12", "q13", "q14", "q15"], "d10", second_group, "d11"),
            "subs {pairs}, {pairs}, #1",
            "bne 2b",
            "3:",
            "tst {groups}, #1",
            "beq 4f",
            "vld1.8 {{d0-d3}}, [{weights}]!",
            "vld1.32 {{d8[]}}, [{activations}]!",
            "vld1.32 {{d10[]}}, [{activations}], {on}",
            column_products!(["q8", "q9", "q10", "q11"], "d8", no_second_group, "d9"),
            column_products!(["q12", "q13", "q14", "q15"], "d10", no_second_group, "d11"),
            "4:",
            "vpadd.i32 d0, d16, d17", "vpadd.i32 d1, d18, d19", "vpadd.i32 d2, d20, d21", "vpadd.i32 d3, d22, d23",
            "vpadd.i32 d4, d24, d25", "vpadd.i32 d5, d26, d27", "vpadd.i32 d6, d28, d29", "vpadd.i32 d7, d30, d31",
            "vst1.32 {{d0-d3}}, [{sums}]!",
            "vst1.32 {{d4-d7}}, [{sums}]!",
            weights = inout(reg) weights => _,
            activations = inout(reg) activations => _,
            pairs = inout(reg) groups / 2 => _,
            groups = in(reg) groups,
            on = in(reg) COLUMN_BYTES - GROUP,
            sums = inout(reg) sums.as_mut_ptr() => _,
            out("q0") _, out("q1") _, out("q2") _, out("q3") _, out("q4") _, out("q5") _, out("q6") _, out("q7") _,
            out("q8") _, out("q9") _, out("q10") _, out("q11") _, out("q12") _, out("q13") _, out("q14") _, out("q15") _,
            options(nostack)
        );
    }
}
