//! Gaussian noise from a counter-based generator: element i of seed s is the same number on every board, with
//! any number of threads, and without drawing the elements before it.

use super::elementary::{arc_cosine, logarithm, sine_and_cosine};

/// Multipliers and key increments of Philox 4×32 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
/// 2011).
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const INCREMENTS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// Four random words of a counter and a key.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        let wide = [0, 2].map(|word| u64::from(counter[word]) * u64::from(MULTIPLIERS[word / 2]));
        let (high, low) = (wide.map(|product| (product >> 32) as u32), wide.map(|product| product as u32));
        counter = [high[1] ^ counter[1] ^ key[0], low[1], high[0] ^ counter[3] ^ key[1], low[0]];
        key = [key[0].wrapping_add(INCREMENTS[0]), key[1].wrapping_add(INCREMENTS[1])];
    }
    counter
}

/// Random words of a seed that have nothing to do with its noise. `stream` separates uses of one seed.
pub(super) fn random_words(seed: u64, stream: u32, number: u32) -> [u32; 4] {
    philox([number, 0, stream, 1], [seed as u32, (seed >> 32) as u32])
}

/// `count` numbers of the standard normal distribution. `stream` separates uses of one seed.
pub fn gaussian_noise(seed: u64, stream: u32, count: usize) -> Vec<f32> {
    let key = [seed as u32, (seed >> 32) as u32];
    let mut numbers = Vec::with_capacity(count.next_multiple_of(4));
    for block in 0..count.div_ceil(4) as u64 {
        let words = philox([block as u32, (block >> 32) as u32, stream, 0], key);
        numbers.extend(words.map(|word| normal_quantile((f64::from(word) + 0.5) / 4_294_967_296.0) as f32));
    }
    numbers.truncate(count);
    numbers
}

/// Noise between two noises: the point at a `share`, 0 to 1, of the way from one to the other on the sphere that both are near ("slerp",
/// Shoemake, "Animating rotation with quaternion curves", 1985; for noise White, arXiv 1609.04468). It is as large as they are, as the mean
/// of them would not be. At the ends it is one of them, bit for bit.
pub(super) fn between(from: Vec<f32>, to: Vec<f32>, share: f32) -> Vec<f32> {
    if share <= 0.0 {
        return from;
    }
    if share >= 1.0 {
        return to;
    }
    let product =
        |one: &[f32], other: &[f32]| -> f64 { one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum() };
    let angle = arc_cosine(product(&from, &to) / (product(&from, &from) * product(&to, &to)).sqrt());
    let share = f64::from(share);
    let whole = sine_and_cosine(angle).0;
    // Noises that point the same way, or straight away from one another.
    let (first, second) = if whole < 1e-4 {
        (1.0 - share, share)
    } else {
        (
            sine_and_cosine((1.0 - share) * angle).0 / whole,
            sine_and_cosine(share * angle).0 / whole,
        )
    };
    let pairs = from.iter().zip(&to);
    pairs
        .map(|(from, to)| (first * f64::from(*from) + second * f64::from(*to)) as f32)
        .collect()
}

/// The number below which a standard normal variable lies with a probability between 0 and 1: Wichura's
/// algorithm AS 241, PPND7 (1988), accurate to seven digits.
fn normal_quantile(probability: f64) -> f64 {
    let centred = probability - 0.5;
    if centred.abs() <= 0.425 {
        let r = 0.180_625 - centred * centred;
        let above = ((59.109_374_720 * r + 159.291_132_02) * r + 50.434_271_938) * r + 3.387_132_717_9;
        let below = ((67.187_563_600 * r + 78.757_757_664) * r + 17.895_169_469) * r + 1.0;
        return centred * above / below;
    }
    let tail = if centred < 0.0 { probability } else { 1.0 - probability };
    let root = (-logarithm(tail)).sqrt();
    let (above, below) = if root <= 5.0 {
        let r = root - 1.6;
        (
            ((0.170_238_211_03 * r + 1.306_728_481_6) * r + 2.756_815_390_0) * r + 1.423_437_277_7,
            (0.120_211_329_75 * r + 0.737_001_642_5) * r + 1.0,
        )
    } else {
        let r = root - 5.0;
        (
            ((0.017_337_203_997 * r + 0.428_682_943_37) * r + 3.081_226_386_0) * r + 6.657_905_115_0,
            (0.012_258_202_635 * r + 0.241_978_942_25) * r + 1.0,
        )
    };
    if centred < 0.0 { -above / below } else { above / below }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_published_words() {
        // Known answers of the Random123 library's `kat_vectors`.
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
    }

    #[test]
    fn quantiles_are_the_tabled_ones() {
        for (probability, quantile) in [
            (0.5, 0.0),
            (0.975, 1.959_964),
            (0.001, -3.090_232),
            (1e-9, -5.997_807),
            (0.84, 0.994_457_9),
        ] {
            assert!(
                (normal_quantile(probability) - quantile).abs() < 2e-6,
                "{probability}: {}",
                normal_quantile(probability)
            );
        }
    }

    #[test]
    fn noise_between_two_is_as_large_as_they_are() {
        let [one, other] = [7, 8].map(|seed| gaussian_noise(seed, 0, 4096));
        let size = |noise: &[f32]| noise.iter().map(|value| value * value).sum::<f32>().sqrt();
        let distance = |noise: &[f32]| size(&noise.iter().zip(&one).map(|(value, first)| value - first).collect::<Vec<_>>());
        let mut last = 0.0;
        for share in [0.1, 0.5, 0.9] {
            let noise = between(one.clone(), other.clone(), share);
            assert!((size(&noise) / 64.0 - 1.0).abs() < 0.03, "{share}: {}", size(&noise));
            assert!(distance(&noise) > last, "{share}");
            last = distance(&noise);
        }
        assert_eq!(between(one.clone(), other.clone(), 0.0), one);
        assert_eq!(between(one.clone(), other.clone(), 1.0), other);
        assert_eq!(between(one.clone(), one.clone(), 0.5), one);
    }

    #[test]
    fn noise_is_normal_and_a_prefix_of_longer_noise() {
        let noise = gaussian_noise(7, 0, 40_001);
        let mean = noise.iter().sum::<f32>() / noise.len() as f32;
        let variance = noise.iter().map(|value| (value - mean) * (value - mean)).sum::<f32>() / noise.len() as f32;
        assert!(
            mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03,
            "mean {mean}, variance {variance}"
        );
        assert_eq!(gaussian_noise(7, 0, 1001), noise[..1001]);
        assert_ne!(gaussian_noise(7, 1, 4), noise[..4]);
        assert_ne!(gaussian_noise(8, 0, 4), noise[..4]);
    }
}
