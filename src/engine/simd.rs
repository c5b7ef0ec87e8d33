//! Float loops at the processor's full width with results that do not depend on it.
//!
//! The compiler may widen element-wise loops freely, since every lane computes the same IEEE operations; sums
//! are kept in [`LANES`] partial sums by hand and folded in one fixed order. Rust never fuses a multiplication
//! and an addition by itself; where [`Fused`] does, every processor rounds once.

/// Partial sums of every reduction.
pub const LANES: usize = 16;

/// Multiplication and addition with one rounding (IEEE 754-2008 fusedMultiplyAdd).
#[derive(Clone, Copy)]
pub struct Fused {
    /// Whether one instruction does it. A constant wherever this is used, so that no branch remains.
    native: bool,
    /// Floats that all vector registers hold, a constant too.
    registers: usize,
}

impl Fused {
    /// One instruction on every 64-bit ARM processor and on 32-bit ones with VFPv4, as all Raspberry Pis since the 2 have.
    const OF_TARGET: Fused = Fused {
        native: cfg!(any(target_arch = "aarch64", all(target_arch = "arm", neon_vfp4))),
        registers: if cfg!(target_arch = "aarch64") { 32 * 4 } else { 16 * 4 },
    };

    /// Without the instruction, whatever the processor has.
    #[cfg(test)]
    pub const PORTABLE: Fused = Fused {
        native: false,
        registers: 64,
    };

    /// Floats that the vector registers hold together: more sums than that are kept in memory.
    #[inline(always)]
    pub fn floats_of_registers(self) -> usize {
        self.registers
    }

    /// `a·b + c`.
    #[inline(always)]
    pub fn add(self, a: f32, b: f32, c: f32) -> f32 {
        if self.native { a.mul_add(b, c) } else { rounded_once(a, b, c) }
    }
}

/// `a·b + c` rounded once, by way of f64: the product is exact there, and the sum is rounded to odd (Boldo and
/// Melquiond, doi 10.1109/TC.2007.70819), so that rounding it again to f32 gives what one rounding would have.
#[inline(always)]
fn rounded_once(a: f32, b: f32, c: f32) -> f32 {
    let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let sum = product + c;
    let of_c = sum - product;
    let lost = (product - (sum - of_c)) + (c - of_c);
    let bits = sum.to_bits();
    // Of an infinite sum nothing is lost: the difference is not a number, and not above 0.
    let inexact = u64::from(lost.abs() > 0.0) & !bits;
    let outwards = (lost > 0.0) == (sum > 0.0);
    let odd = if outwards { bits + (inexact & 1) } else { bits - (inexact & 1) };
    f64::from_bits(odd) as f32
}

/// Runs a closure compiled for the widest vectors of this processor, and gives it their fused multiplication.
///
/// The closure must be small enough to be inlined, with its loops inside: loops that are written out, since the
/// iterators' own (`for_each`, `fold`) may become functions for any processor, where [`Fused`] is a call.
#[inline(always)]
pub fn widest<R>(work: impl FnOnce(Fused) -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: the features were detected on this processor.
            return unsafe { avx512(work) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the features were detected on this processor.
            return unsafe { avx2(work) };
        }
    }
    work(Fused::OF_TARGET)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl")]
fn avx512<R>(work: impl FnOnce(Fused) -> R) -> R {
    work(Fused {
        native: true,
        registers: 32 * 16,
    })
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<R>(work: impl FnOnce(Fused) -> R) -> R {
    work(Fused {
        native: true,
        registers: 16 * 8,
    })
}

/// `a` where it is greater than `b`, else `b`, also where `a` is not a number. One instruction: x86 has the comparison,
/// ARM the maximum of numbers; they differ in the sign of zero alone.
#[inline(always)]
pub fn larger(a: f32, b: f32) -> f32 {
    if cfg!(target_arch = "aarch64") {
        a.max(b)
    } else if a > b {
        a
    } else {
        b
    }
}

/// `a` where it is less than `b`, else `b`, as [`larger`].
#[inline(always)]
pub fn smaller(a: f32, b: f32) -> f32 {
    if cfg!(target_arch = "aarch64") {
        a.min(b)
    } else if a < b {
        a
    } else {
        b
    }
}

/// Largest absolute value; 0 for no values. NaN is passed over.
pub fn largest_magnitude(values: &[f32]) -> f32 {
    widest(
        #[inline(always)]
        |_| {
            let mut partial = [0f32; LANES];
            let (chunks, rest) = values.as_chunks::<LANES>();
            for chunk in chunks {
                for (largest, value) in partial.iter_mut().zip(chunk) {
                    *largest = larger(value.abs(), *largest);
                }
            }
            rest.iter()
                .fold(fold_larger(partial), |largest, value| larger(value.abs(), largest))
        },
    )
}

/// Sum of all values.
pub fn sum(values: &[f32]) -> f32 {
    sum_by(
        values,
        #[inline(always)]
        |_, value, sum| sum + value,
    )
}

/// Sum of the squared distances of all values from `centre`.
pub fn squares_around(values: &[f32], centre: f32) -> f32 {
    sum_by(
        values,
        #[inline(always)]
        |fused, value, sum| fused.add(value - centre, value - centre, sum),
    )
}

#[inline(always)]
fn sum_by(values: &[f32], add: impl Fn(Fused, f32, f32) -> f32) -> f32 {
    widest(
        #[inline(always)]
        |fused| {
            let mut partial = [0f32; LANES];
            let (chunks, rest) = values.as_chunks::<LANES>();
            for chunk in chunks {
                for lane in 0..LANES {
                    partial[lane] = add(fused, chunk[lane], partial[lane]);
                }
            }
            for (sum, &value) in partial.iter_mut().zip(rest) {
                *sum = add(fused, value, *sum);
            }
            fold(partial)
        },
    )
}

/// Adds partial sums pairwise: 16 → 8 → 4 → 2 → 1. Never part of the loop before it, which the compiler would cut into pairs too.
#[inline(never)]
pub fn fold(partial: [f32; LANES]) -> f32 {
    pairwise(
        partial,
        #[inline(always)]
        |a, b| a + b,
    )
}

/// The largest of partial maxima, pairwise too: one after another would keep the loop before it out of vectors.
#[inline(always)]
pub fn fold_larger(partial: [f32; LANES]) -> f32 {
    pairwise(partial, larger)
}

#[inline(always)]
fn pairwise(mut partial: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            partial[lane] = join(partial[lane], partial[lane + width]);
        }
        width /= 2;
    }
    partial[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magnitudes_and_sums_of_every_length() {
        for length in 0..70 {
            let values: Vec<f32> = (0..length).map(|i| if i % 3 == 0 { -(i as f32) } else { i as f32 * 0.5 }).collect();
            let largest = values.iter().fold(0f32, |a, b| a.max(b.abs()));
            assert_eq!(largest_magnitude(&values), largest);
            // Halves of small integers add exactly in any order.
            assert_eq!(sum(&values), values.iter().sum::<f32>());
            let squares = values.iter().map(|v| (v - 2.0) * (v - 2.0)).sum::<f32>();
            assert_eq!(squares_around(&values, 2.0), squares);
        }
    }

    /// Bits of floats that round in every way: all exponents, few and many digits, products that almost cancel the sum.
    fn awkward(state: &mut u64) -> [f32; 3] {
        let mut next = || {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (*state >> 32) as u32
        };
        let [a, b] = [next(), next()].map(|bits| f32::from_bits(bits & if bits & 64 == 0 { 0xffff_f000 } else { u32::MAX }));
        let near = -f32::from_bits((a * b).to_bits() ^ (next() & 3));
        let far = near * f32::from_bits(((next() % 56 + 99) << 23) | (next() & 0x7f_0000));
        [a, b, [near, far, f32::from_bits(next())][next() as usize % 3]]
    }

    #[test]
    fn one_rounding_without_the_instruction_is_one_rounding() {
        let mut state = 1;
        for _ in 0..if cfg!(miri) { 2000 } else { 2_000_000 } {
            let [a, b, c] = awkward(&mut state);
            let (expected, made) = (a.mul_add(b, c), rounded_once(a, b, c));
            assert!(
                expected.to_bits() == made.to_bits() || expected.is_nan() && made.is_nan(),
                "{a:e}·{b:e} + {c:e}: {made:e}, not {expected:e}"
            );
        }
    }

    #[test]
    fn a_sum_halfway_between_two_floats_is_rounded_once() {
        // 1 + 2⁻²⁴ lies halfway; what is added to it is too small for f64 to keep.
        let power = |exponent: i32| f32::from_bits(((127 + exponent) as u32) << 23);
        let (half, tiny) = (power(-24), power(-70));
        assert_eq!(rounded_once(half, 1.0, 1.0), 1.0);
        assert_eq!(rounded_once(1.0 + half * 2.0, half, 1.0), 1.0 + half * 2.0);
        assert_eq!(rounded_once(tiny, tiny, -0.0), tiny * tiny);
        assert_eq!(rounded_once(f32::MAX, 2.0, 0.0), f32::INFINITY);
    }
}
