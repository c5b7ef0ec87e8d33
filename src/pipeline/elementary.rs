//! Elementary functions that give the same number on every system: C libraries differ in the last bit of theirs. They use additions,
//! multiplications and divisions only. Depends on nothing.

use std::f64::consts::{FRAC_PI_2, LN_2, PI};

/// Natural logarithm of a positive normal number.
pub fn logarithm(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = ((bits >> 52) as i64 - 1023) as f64;
    let mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    // atanh as a series; ratio is below 1/3, so the 16th term is below 10⁻¹⁶.
    let mut sum = 0.0;
    for term in (0..16).rev() {
        sum = sum * square + 1.0 / f64::from(2 * term + 1);
    }
    exponent * LN_2 + 2.0 * ratio * sum
}

/// e to the power of `x`, from -700 to 700.
pub fn exponential(x: f64) -> f64 {
    let doublings = (x / LN_2).round();
    let rest = x - doublings * LN_2;
    // |rest| is below 0.35, so the 18th term is below 10⁻²².
    let sum = (1..18).rev().fold(1.0, |sum, term| 1.0 + sum * rest / f64::from(term));
    sum * f64::from_bits(((doublings as i64 + 1023) as u64) << 52)
}

/// Sine and cosine of an angle up to some millions, in radians.
pub fn sine_and_cosine(x: f64) -> (f64, f64) {
    /// What π/2 has beyond the precision of [`FRAC_PI_2`].
    const REST: f64 = 6.123_233_995_736_766e-17;
    let quarters = (x / FRAC_PI_2).round();
    let rest = (x - quarters * FRAC_PI_2) - quarters * REST;
    let square = rest * rest;
    // |rest| is at most π/4, so that the next terms are below 10⁻¹⁷.
    let series = |first: u32| {
        (0..9).rev().fold(0.0, |sum, term| {
            let at = f64::from(2 * term + first);
            1.0 - sum * square / ((at + 1.0) * (at + 2.0))
        })
    };
    let (sine, cosine) = (rest * series(1), series(0));
    match (quarters as i64).rem_euclid(4) {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

/// The angle from 0 to π whose cosine this is.
pub fn arc_cosine(x: f64) -> f64 {
    let x = x.clamp(-1.0, 1.0);
    // Newton's method, which is slow near the ends; by the sine of half the angle they are not near them.
    if x > 0.9 {
        return PI - 2.0 * arc_cosine(((1.0 - x) / 2.0).sqrt());
    }
    if x < -0.9 {
        return PI - arc_cosine(-x);
    }
    let mut angle = FRAC_PI_2 - x;
    for _ in 0..6 {
        let (sine, cosine) = sine_and_cosine(angle);
        angle += (cosine - x) / sine;
    }
    angle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_close_to_those_of_the_system() {
        for x in [1e-10, 0.001, 0.5, 1.0, 1.5, 1.999_999, 2.0, 12345.678] {
            assert!((logarithm(x) - f64::ln(x)).abs() < 1e-14 * f64::ln(x).abs().max(1.0), "{x}");
        }
        for x in [-700.0, -9.21, -1.0, -0.3, 0.0, 0.2, 1.0, 5.5, 700.0] {
            assert!((exponential(x) / f64::exp(x) - 1.0).abs() < 1e-13, "{x}");
        }
        for x in [-1.0, -0.999, -0.95, -0.9, -0.3, 0.0, 0.5, 0.9, 0.901, 0.999_999, 1.0] {
            assert!((arc_cosine(x) - f64::acos(x)).abs() < 1e-13, "{x}");
        }
        for x in [
            -7000.0, -3.0, -0.7, 0.0, 0.1, 0.785, 0.786, 1.57, 2.0, 3.15, 4.7, 6.3, 999.5, 123_456.7,
        ] {
            let (sine, cosine) = sine_and_cosine(x);
            assert!((sine - f64::sin(x)).abs() < 1e-11 && (cosine - f64::cos(x)).abs() < 1e-11, "{x}");
        }
    }
}
