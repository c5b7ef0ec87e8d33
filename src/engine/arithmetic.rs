//! The float functions that differ between C libraries and vector units, written out: the same bits everywhere.

use super::simd::{Fused, larger, smaller};

/// 1.5·2²³: adding and subtracting it rounds to the nearest integer, ties to even, for magnitudes below 2²².
pub const ROUNDING: f32 = 12_582_912.0;

/// eˣ with a relative error below 2.5·10⁻⁷ within ±30 and below 4·10⁻⁷ beyond; 0 below -87, at most e⁸⁸, and that for what is not
/// a number.
#[inline(always)]
pub fn exp(x: f32, fused: Fused) -> f32 {
    let x = smaller(x, 88.0);
    let power = exp_between(larger(x, -87.0), fused);
    if x > -87.0 { power } else { 0.0 }
}

/// The same with e⁻⁸⁷ for everything below -87.
#[inline(always)]
fn exp_at_least(x: f32, fused: Fused) -> f32 {
    exp_between(larger(smaller(x, 88.0), -87.0), fused)
}

/// eˣ of -87 to 88.
///
/// Range reduction by ln 2 and 1 + r + r²·p(r), p of degree three with the least largest relative error on ±ln 2 / 2 (Lawson's
/// iteration; 1.05·10⁻⁷).
#[inline(always)]
fn exp_between(x: f32, fused: Fused) -> f32 {
    let shifted = fused.add(x, std::f32::consts::LOG2_E, ROUNDING);
    let r = fused.add(shifted - ROUNDING, -std::f32::consts::LN_2, x);
    // Estrin's scheme: the terms do not wait for each other.
    let square = r * r;
    let low = fused.add(1.666_711_4e-1, r, 4.999_923e-1);
    let high = fused.add(8.312_521e-3, r, 4.189_015_5e-2);
    let fraction = fused.add(fused.add(high, square, low), square, r + 1.0);
    // In this range the exponent of the product is that of a normal number.
    f32::from_bits(fraction.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// x·sigmoid(x), the activation of Elfwing et al. (arXiv 1702.03118).
#[inline(always)]
pub fn silu(x: f32, fused: Fused) -> f32 {
    x / (1.0 + exp_at_least(-x, fused))
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
    let beyond = 0.5 * (p * t) * exp_at_least(-(z * z), fused);
    x * if x < 0.0 { beyond } else { 1.0 - beyond }
}

/// The same by x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))), written as x·sigmoid of twice the argument.
#[inline(always)]
pub fn gelu_tanh(x: f32, fused: Fused) -> f32 {
    let cube = x * x * x;
    let argument = fused.add(cube, 0.044_715, x) * 1.595_769;
    x / (1.0 + exp_at_least(-argument, fused))
}

/// x, or 0 for what is less.
#[inline(always)]
pub fn relu(x: f32, _: Fused) -> f32 {
    larger(x, 0.0)
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
    /// [`relu`].
    Relu,
}

impl Activation {
    /// The function of every value, in place.
    #[inline(always)]
    pub fn apply(self, values: &mut [f32], fused: Fused) {
        match self {
            Activation::Silu => each(values, fused, silu),
            Activation::Gelu => each(values, fused, gelu),
            Activation::GeluTanh => each(values, fused, gelu_tanh),
            Activation::Relu => each(values, fused, relu),
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
    use super::super::simd::widest;
    use super::*;

    #[test]
    fn exp_is_close_over_its_range() {
        for step in (-8700..=8800).step_by(if cfg!(miri) { 50 } else { 1 }) {
            let x = step as f32 * 0.01;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x, Fused::PORTABLE)) - exact).abs() / exact;
            let limit = if x.abs() < 30.0 { 2.5e-7 } else { 4e-7 };
            assert!(error < limit || x <= -87.0, "exp({x}): relative error {error}");
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
        check(&values, relu);
    }
}
