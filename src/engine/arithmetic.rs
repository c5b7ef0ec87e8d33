//! The float functions that differ between C libraries and vector units, written out: the same bits everywhere.

use super::lanes::{Fused, larger, smaller};

/// 1.5·2²³: adding and subtracting it rounds to the nearest integer, ties to even, for magnitudes below 2²².
pub const ROUNDING: f32 = 12_582_912.0;

/// eˣ with a relative error below 2·10⁻⁷; 0 below -87 and at most e⁸⁸.
///
/// Range reduction by ln 2 in two parts and the polynomial of Cephes' `expf` (Moshier).
#[inline(always)]
pub fn exp(x: f32, fused: Fused) -> f32 {
    let x = smaller(x, 88.0);
    let clamped = larger(x, -87.0);
    let shifted = fused.add(clamped, std::f32::consts::LOG2_E, ROUNDING);
    let exponent = shifted - ROUNDING;
    let r = fused.add(exponent, 2.121_944_4e-4, fused.add(exponent, -0.693_359_4, clamped));
    // Estrin's scheme: the terms do not wait for each other.
    let square = r * r;
    let low = fused.add(1.666_666_5e-1, r, 0.5);
    let middle = fused.add(8.333_452e-3, r, 4.166_579_6e-2);
    let high = fused.add(1.987_569_1e-4, r, 1.398_2e-3);
    let p = fused.add(square * square, high, fused.add(square, middle, low));
    let fraction = fused.add(p, square, r + 1.0);
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    if x > -87.0 { fraction * scale } else { 0.0 }
}

/// x·sigmoid(x), the activation of Elfwing et al. (arXiv 1702.03118).
#[inline(always)]
pub fn silu(x: f32, fused: Fused) -> f32 {
    x / (1.0 + exp(-x, fused))
}

/// x times the share of a normal distribution that lies below x (Hendrycks and Gimpel, arXiv 1606.08415), with an error below
/// 10⁻⁷·|x|: the error function by formula 7.1.26 of Abramowitz and Stegun.
#[inline(always)]
pub fn gelu(x: f32, fused: Fused) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / fused.add(z, 0.327_591_1, 1.0);
    let p = fused.add(t, 1.061_405_4, -1.453_152);
    let p = fused.add(t, p, 1.421_413_7);
    let p = fused.add(t, p, -0.284_496_74);
    let p = fused.add(t, p, 0.254_829_6);
    // The share beyond |x|.
    let beyond = 0.5 * (p * t) * exp(-(z * z), fused);
    x * if x < 0.0 { beyond } else { 1.0 - beyond }
}

/// The same by x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))), written as x·sigmoid of twice the argument.
#[inline(always)]
pub fn gelu_tanh(x: f32, fused: Fused) -> f32 {
    let cube = x * x * x;
    let argument = fused.add(cube, 0.044_715, x) * 1.595_769;
    x / (1.0 + exp(-argument, fused))
}

/// A function of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// [`silu`].
    Silu,
    /// [`gelu`].
    Gelu,
    /// [`gelu_tanh`].
    GeluTanh,
}

impl Activation {
    /// The function of every value, in place.
    #[inline(always)]
    pub fn apply(self, values: &mut [f32], fused: Fused) {
        match self {
            Activation::Silu => each(values, fused, silu),
            Activation::Gelu => each(values, fused, gelu),
            Activation::GeluTanh => each(values, fused, gelu_tanh),
        }
    }
}

#[inline(always)]
fn each(values: &mut [f32], fused: Fused, function: impl Fn(f32, Fused) -> f32) {
    for value in values {
        *value = function(*value, fused);
    }
}

#[cfg(test)]
mod tests {
    use super::super::lanes::widest;
    use super::*;

    #[test]
    fn exp_is_close_over_its_range() {
        for step in (-8700..=8800).step_by(if cfg!(miri) { 50 } else { 1 }) {
            let x = step as f32 * 0.01;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x, Fused::PORTABLE)) - exact).abs() / exact;
            assert!(error < 2e-7 || x <= -87.0, "exp({x}): relative error {error}");
        }
        assert_eq!(exp(0.0, Fused::PORTABLE), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY, Fused::PORTABLE), 0.0);
    }

    #[test]
    fn silu_has_its_limits() {
        let silu = |x| silu(x, Fused::PORTABLE);
        assert_eq!(silu(0.0), 0.0);
        assert_eq!(silu(200.0), 200.0);
        assert!(silu(-200.0).abs() < 1e-30);
        assert!((silu(1.0) - 0.731_058_6).abs() < 1e-6);
    }

    /// The share of a normal distribution below x: Simpson's rule over its density.
    fn share_below(x: f64) -> f64 {
        let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let (from, pieces) = (-12.0, 2000);
        let step = (x - from) / f64::from(pieces);
        let at = |index: i32| density(from + step * f64::from(index)) * if index % 2 == 0 { 2.0 } else { 4.0 };
        (density(from) + density(x) + (1..pieces).map(at).sum::<f64>()) * step / 3.0
    }

    #[test]
    fn gelus_are_close() {
        for step in (-800..=800).step_by(if cfg!(miri) { 400 } else { 10 }) {
            let x = step as f32 * 0.01;
            let wide = f64::from(x);
            let error = (f64::from(gelu(x, Fused::PORTABLE)) - wide * share_below(wide)).abs();
            assert!(error <= 4e-7 * wide.abs().max(1e-3), "gelu({x}): error {error}");
            let by_tanh = wide / 2.0 * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (wide + 0.044_715 * wide.powi(3))).tanh());
            let error = (f64::from(gelu_tanh(x, Fused::PORTABLE)) - by_tanh).abs();
            assert!(error <= 4e-7 * wide.abs().max(1e-3), "gelu_tanh({x}): error {error}");
        }
        for function in [gelu, gelu_tanh] {
            assert_eq!((function(200.0, Fused::PORTABLE), function(0.0, Fused::PORTABLE)), (200.0, 0.0));
            assert!(function(-200.0, Fused::PORTABLE).abs() < 1e-30);
        }
    }

    #[test]
    fn wide_and_narrow_loops_give_the_same_bits() {
        let values: Vec<f32> = (0..1000).map(|i| (i as f32 - 500.0) * 0.037).collect();
        #[inline(always)]
        fn check(values: &[f32], function: impl Fn(f32, Fused) -> f32) {
            let mut wide = values.to_vec();
            widest(|fused| wide.iter_mut().for_each(|v| *v = function(*v, fused)));
            for (x, y) in values.iter().zip(&wide) {
                assert_eq!(function(*x, Fused::PORTABLE).to_bits(), y.to_bits());
            }
        }
        check(&values, silu);
        check(&values, gelu);
        check(&values, gelu_tanh);
    }
}
