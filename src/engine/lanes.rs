//! Float loops at the processor's full width with results that do not depend on it.
//!
//! The compiler may widen element-wise loops freely, since every lane computes the same IEEE operations; sums
//! are kept in [`LANES`] partial sums by hand and folded in one fixed order. Rust never fuses a multiplication
//! and an addition by itself, so no processor rounds differently.

/// Partial sums of every reduction.
pub const LANES: usize = 16;

/// Runs a closure compiled for the widest vectors of this processor.
///
/// The closure must be small enough to be inlined, with its loops inside.
#[inline(always)]
pub fn widest<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: the features were detected on this processor.
            return unsafe { avx512(work) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature was detected on this processor.
            return unsafe { avx2(work) };
        }
    }
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl")]
fn avx512<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Largest absolute value; 0 for no values. NaN is passed over.
pub fn largest_magnitude(values: &[f32]) -> f32 {
    widest(
        #[inline(always)]
        || {
            let mut partial = [0f32; LANES];
            let (chunks, rest) = values.as_chunks::<LANES>();
            for chunk in chunks {
                for (largest, value) in partial.iter_mut().zip(chunk) {
                    let magnitude = value.abs();
                    *largest = if magnitude > *largest { magnitude } else { *largest };
                }
            }
            rest.iter()
                .map(|value| value.abs())
                .chain(partial)
                .fold(0f32, |a, b| if b > a { b } else { a })
        },
    )
}

/// Sum of a function of every value.
#[inline(always)]
pub fn sum_of(values: &[f32], function: impl Fn(f32) -> f32) -> f32 {
    widest(
        #[inline(always)]
        || {
            let mut partial = [0f32; LANES];
            let (chunks, rest) = values.as_chunks::<LANES>();
            for chunk in chunks {
                for lane in 0..LANES {
                    partial[lane] += function(chunk[lane]);
                }
            }
            for (sum, &value) in partial.iter_mut().zip(rest) {
                *sum += function(value);
            }
            fold(partial)
        },
    )
}

/// Adds partial sums pairwise: 16 → 8 → 4 → 2 → 1.
#[inline(always)]
pub fn fold(mut partial: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            partial[lane] += partial[lane + width];
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
            assert_eq!(sum_of(&values, |v| v), values.iter().sum::<f32>());
            assert_eq!(sum_of(&values, |v| v * v), values.iter().map(|v| v * v).sum::<f32>());
        }
    }
}
