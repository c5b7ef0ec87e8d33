//! Sums of rows weighted by a few weights at a time: the inner loop of attention, where rows are keys or values. Owns the
//! order of its additions, which no processor changes: from row to row, one rounding each.

use crate::engine::simd::Fused;

/// Weights that share each load of a row.
pub const TOGETHER: usize = 4;

/// Rows `[count][stride]`, of which values from `start` on are added.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// All values.
    pub values: &'a [f32],
    /// Values from one row to the next.
    pub stride: usize,
    /// First value of each row.
    pub start: usize,
}

impl Rows<'_> {
    fn of_width<const WIDTH: usize>(&self) -> impl Iterator<Item = &[f32; WIDTH]> {
        self.values
            .chunks_exact(self.stride)
            .filter_map(|row| row.get(self.start..)?.first_chunk())
    }
}

/// For each of [`TOGETHER`] lists of weights, one a row, the weighted sum of `WIDTH` values of every row, added to `sums` in the order of
/// the rows. As many sums as fit this processor's registers are fast: see [`fits`].
#[inline(always)]
pub fn weighted_sums<const WIDTH: usize>(
    sums: [[f32; WIDTH]; TOGETHER],
    weights: [&[f32]; TOGETHER],
    rows: Rows,
    fused: Fused,
) -> [[f32; WIDTH]; TOGETHER] {
    #[cfg(target_arch = "aarch64")]
    match WIDTH {
        16 => return neon::weighted_sums::<WIDTH, 4>(sums, weights, rows),
        8 => return neon::weighted_sums::<WIDTH, 2>(sums, weights, rows),
        _ => {}
    }
    portable(sums, weights, rows, fused)
}

/// Whether [`TOGETHER`] times `width` sums, and a row of `width` values, stay in registers.
#[inline(always)]
pub fn fits(width: usize, fused: Fused) -> bool {
    width <= fused.floats_of_registers() / (TOGETHER + 1)
}

#[inline(always)]
fn portable<const WIDTH: usize>(
    sums: [[f32; WIDTH]; TOGETHER],
    weights: [&[f32]; TOGETHER],
    rows: Rows,
    fused: Fused,
) -> [[f32; WIDTH]; TOGETHER] {
    // One array a weight: the compiler keeps these in registers, and an array of arrays in memory.
    let [mut a, mut b, mut c, mut d] = sums;
    let [of_a, of_b, of_c, of_d] = weights;
    let weights = of_a.iter().zip(of_b).zip(of_c).zip(of_d);
    for (row, (((&of_a, &of_b), &of_c), &of_d)) in rows.of_width::<WIDTH>().zip(weights) {
        for lane in 0..WIDTH {
            a[lane] = fused.add(of_a, row[lane], a[lane]);
            b[lane] = fused.add(of_b, row[lane], b[lane]);
            c[lane] = fused.add(of_c, row[lane], c[lane]);
            d[lane] = fused.add(of_d, row[lane], d[lane]);
        }
    }
    [a, b, c, d]
}

/// The compiler loads each weight into a register of its own; the instruction takes it out of one that holds those of four rows.
#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::*;

    use super::{Rows, TOGETHER};

    /// Weights that one register holds.
    const LANES: usize = 4;

    /// `VECTORS` times four values are `WIDTH`.
    #[inline(always)]
    pub fn weighted_sums<const WIDTH: usize, const VECTORS: usize>(
        mut sums: [[f32; WIDTH]; TOGETHER],
        weights: [&[f32]; TOGETHER],
        rows: Rows,
    ) -> [[f32; WIDTH]; TOGETHER] {
        let shortest = weights.iter().map(|weights| weights.len()).min().unwrap_or(0);
        let count = shortest.min(rows.values.len() / rows.stride);
        assert!(WIDTH == 4 * VECTORS && rows.start + WIDTH <= rows.stride);
        // SAFETY: NEON is part of every 64-bit ARM. `count` rows and weights exist, and `WIDTH` values from `start` on lie
        // within a row; so do all loads. Sums are read from and stored to `WIDTH` values each.
        unsafe {
            let mut partial = [[vdupq_n_f32(0.0); VECTORS]; TOGETHER];
            for (sums, partial) in sums.iter().zip(&mut partial) {
                for (vector, values) in partial.iter_mut().enumerate() {
                    *values = vld1q_f32(sums.as_ptr().add(4 * vector));
                }
            }
            let row = |index: usize| rows.values.as_ptr().add(index * rows.stride + rows.start);
            for index in (0..count / LANES * LANES).step_by(LANES) {
                let weights = weights.map(|weights| vld1q_f32(weights.as_ptr().add(index)));
                add::<0, VECTORS>(&mut partial, row(index), weights);
                add::<1, VECTORS>(&mut partial, row(index + 1), weights);
                add::<2, VECTORS>(&mut partial, row(index + 2), weights);
                add::<3, VECTORS>(&mut partial, row(index + 3), weights);
            }
            for index in count / LANES * LANES..count {
                add::<0, VECTORS>(
                    &mut partial,
                    row(index),
                    weights.map(|weights| vdupq_n_f32(*weights.get_unchecked(index))),
                );
            }
            for (sums, partial) in sums.iter_mut().zip(partial) {
                for (vector, values) in partial.into_iter().enumerate() {
                    vst1q_f32(sums.as_mut_ptr().add(4 * vector), values);
                }
            }
        }
        sums
    }

    /// Adds a row, weighted by a lane of each list's weights.
    ///
    /// # Safety
    ///
    /// Four times `VECTORS` values of the row are readable.
    #[inline(always)]
    unsafe fn add<const LANE: i32, const VECTORS: usize>(
        sums: &mut [[float32x4_t; VECTORS]; TOGETHER],
        row: *const f32,
        weights: [float32x4_t; TOGETHER],
    ) {
        for vector in 0..VECTORS {
            // SAFETY: the values are readable.
            unsafe {
                let values = vld1q_f32(row.add(4 * vector));
                for (sums, weights) in sums.iter_mut().zip(weights) {
                    sums[vector] = vfmaq_laneq_f32::<LANE>(sums[vector], values, weights);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::simd::widest;

    fn check<const WIDTH: usize>(count: usize, stride: usize, start: usize) {
        let values: Vec<f32> = (0..count * stride).map(|index| (index as f32 * 0.7).sin()).collect();
        let weights: [Vec<f32>; TOGETHER] =
            std::array::from_fn(|index| (0..count).map(|row| (row as f32 + 0.3 * index as f32).cos()).collect());
        let rows = Rows {
            values: &values,
            stride,
            start,
        };
        let sums = widest(
            #[inline(always)]
            |fused| weighted_sums([[0.5f32; WIDTH]; TOGETHER], weights.each_ref().map(Vec::as_slice), rows, fused),
        );
        for (index, sums) in sums.iter().enumerate() {
            for (place, sum) in sums.iter().enumerate() {
                let products = weights[index].iter().zip(values.chunks_exact(stride));
                let expected = products.fold(0.5f32, |sum, (weight, row)| weight.mul_add(row[start + place], sum));
                assert_eq!(
                    sum.to_bits(),
                    expected.to_bits(),
                    "{count} rows of {stride} from {start}: {index}, {place}"
                );
            }
        }
    }

    #[test]
    fn sums_are_those_of_one_row_after_another() {
        for count in [0, 1, 2, 7, 40] {
            check::<8>(count, 8, 0);
            check::<8>(count, 13, 5);
            check::<16>(count, 16, 0);
            check::<16>(count, 50, 3);
            check::<32>(count, 48, 16);
        }
    }
}
