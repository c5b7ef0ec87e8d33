//! Statistics: quantiles and spread of one set of samples, and whether two sets differ.

use serde::{Deserialize, Serialize};

/// Minimum number of samples for a 90th percentile: with fewer it is close to the maximum.
const FEWEST_P90: usize = 10;
/// Minimum number of samples for a 99th percentile.
pub const FEWEST_P99: usize = 100;
/// Resamples of the bootstrap.
const RESAMPLES: usize = 2000;
/// Seed of the bootstrap, so that its results are reproducible.
const SEED: u64 = 0x1A5E_ED00;

/// Summary of a set of samples, in their unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of samples.
    pub n: usize,
    /// Minimum.
    pub min: f64,
    /// Median.
    pub median: f64,
    /// 95 % confidence interval of the median by order statistics; `None` with fewer than 6 samples.
    #[serde(default)]
    pub median_range: Option<[f64; 2]>,
    /// 90th percentile; `None` with fewer than 10 samples.
    pub p90: Option<f64>,
    /// 99th percentile; `None` with fewer than 100 samples.
    pub p99: Option<f64>,
    /// Maximum.
    pub max: f64,
    /// Mean.
    pub mean: f64,
    /// Sample standard deviation (with n − 1).
    pub standard_deviation: f64,
    /// Interquartile range.
    pub interquartile_range: f64,
}

impl Summary {
    /// Summarises samples; `None` if there are none.
    pub fn of(samples: &[f64]) -> Option<Summary> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let n = sorted.len();
        let mean = sorted.iter().sum::<f64>() / n as f64;
        let squares = sorted.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>();
        Some(Summary {
            n,
            min,
            median: quantile(&sorted, 0.5),
            median_range: median_range(&sorted),
            p90: (n >= FEWEST_P90).then(|| quantile(&sorted, 0.9)),
            p99: (n >= FEWEST_P99).then(|| quantile(&sorted, 0.99)),
            max,
            mean,
            standard_deviation: if n > 1 { (squares / (n - 1) as f64).sqrt() } else { 0.0 },
            interquartile_range: quantile(&sorted, 0.75) - quantile(&sorted, 0.25),
        })
    }
}

/// A quantile of sorted samples, interpolated linearly: definition 7 of Hyndman and Fan, *Sample
/// quantiles in statistical packages*, The American Statistician 50 (1996). 0 without samples.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = share.clamp(0.0, 1.0) * last as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64)
}

/// The shortest interval between two of the sorted samples, equally far from the ends, that holds the median with a probability of at
/// least 95 %: Conover, *Practical Nonparametric Statistics*, 3.2. For more than 1,000 samples by the normal approximation.
fn median_range(sorted: &[f64]) -> Option<[f64; 2]> {
    const OUTSIDE: f64 = 0.05;
    const MOST_EXACT: usize = 1000;
    let n = sorted.len();
    let mut below = 0;
    if n > MOST_EXACT {
        below = ((n as f64 - 1.96 * (n as f64).sqrt()) / 2.0).floor() as usize;
    } else {
        // The probability that at most `below` of the samples are smaller than the median.
        let mut term = 0.5_f64.powi(i32::try_from(n).ok()?);
        let mut sum = term;
        while 2.0 * sum <= OUTSIDE {
            below += 1;
            term *= (n + 1 - below) as f64 / below as f64;
            sum += term;
        }
    }
    Some([*sorted.get(below.checked_sub(1)?)?, *sorted.get(n - below)?])
}

/// The median of samples in any order; 0 without samples.
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

/// The p-value of the two-sided Mann–Whitney test
/// (*On a test of whether one of two random variables is stochastically larger than the other*, 1947) by its normal
/// approximation, with corrections for ties and continuity. 1 if a set is empty or all samples are equal.
pub fn mann_whitney(first: &[f64], second: &[f64]) -> f64 {
    let (a, b) = (first.len() as f64, second.len() as f64);
    let mut all: Vec<(f64, bool)> = first.iter().map(|&sample| (sample, true)).collect();
    all.extend(second.iter().map(|&sample| (sample, false)));
    all.sort_by(|left, right| left.0.total_cmp(&right.0));
    let (mut ranks, mut ties, mut before) = (0.0, 0.0, 0.0);
    for group in all.chunk_by(|left, right| left.0 == right.0) {
        let count = group.len() as f64;
        let rank = before + f64::midpoint(1.0, count);
        ranks += rank * group.iter().filter(|(_, of_first)| *of_first).count() as f64;
        ties += count.powi(3) - count;
        before += count;
    }
    let n = a + b;
    let variance = a * b / 12.0 * ((n + 1.0) - ties / (n * (n - 1.0)));
    if variance.is_nan() || variance <= 0.0 {
        return 1.0;
    }
    let distance = (ranks - a * (a + 1.0) / 2.0 - a * b / 2.0).abs();
    let z = (distance - 0.5).max(0.0) / variance.sqrt();
    2.0 * normal_tail(z)
}

/// The upper tail of the standard normal distribution at `z` ≥ 0: Abramowitz and Stegun, *Handbook of Mathematical Functions*, 26.2.17;
/// its error is below 7.5e-8.
fn normal_tail(z: f64) -> f64 {
    const B: [f64; 5] = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let polynomial = B.iter().rev().fold(0.0, |sum, factor| (sum + factor) * t);
    ((-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt() * polynomial).clamp(0.0, 0.5)
}

/// The 95 % confidence interval of the ratio of medians (second to first): the percentile bootstrap (Efron,
/// *Bootstrap methods: another look at the jackknife*, The Annals of Statistics 7, 1979). `None` if a set is empty or
/// its median is not positive.
pub fn ratio_range(first: &[f64], second: &[f64]) -> Option<[f64; 2]> {
    if first.is_empty() || second.is_empty() || first.iter().chain(second).any(|&sample| sample <= 0.0) {
        return None;
    }
    let mut random = SplitMix(SEED);
    let mut resampled = |samples: &[f64]| {
        let chosen: Vec<f64> = samples.iter().map(|_| samples[random.below(samples.len())]).collect();
        median(&chosen)
    };
    let mut ratios: Vec<f64> = (0..RESAMPLES).map(|_| 1.0 / resampled(first) * resampled(second)).collect();
    ratios.sort_by(f64::total_cmp);
    Some([quantile(&ratios, 0.025), quantile(&ratios, 0.975)])
}

/// Random numbers by SplitMix64 (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, 2014).
#[derive(Clone, Debug)]
pub struct SplitMix(pub u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// The numbers 0..count in a random order (Fisher and Yates).
    pub fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f64, right: f64, within: f64) {
        assert!((left - right).abs() <= within, "{left} {right}");
    }

    #[test]
    fn a_summary_as_by_hand() {
        let summary = Summary::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((summary.n, summary.min, summary.max), (4, 1.0, 4.0));
        assert_eq!((summary.median, summary.mean, summary.p90, summary.p99), (2.5, 2.5, None, None));
        // Squares of ±0.5 and ±1.5 over 3; quartiles 1.75 and 3.25.
        close(summary.standard_deviation, (5.0f64 / 3.0).sqrt(), 1e-12);
        close(summary.interquartile_range, 1.5, 1e-12);
        assert_eq!(Summary::of(&[]), None);
        assert_eq!(Summary::of(&[7.0]).unwrap().standard_deviation, 0.0);
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        let summary = Summary::of(&hundred).unwrap();
        // 99 intervals: 0.9 × 99 = 89.1 → 90.1; 0.99 × 99 = 98.01 → 99.01.
        close(summary.p90.unwrap(), 90.1, 1e-9);
        close(summary.p99.unwrap(), 99.01, 1e-9);
        assert_eq!(Summary::of(&hundred[..99]).unwrap().p99, None);
    }

    #[test]
    fn the_normal_tail_as_in_tables() {
        for (z, tail) in [(0.0, 0.5), (1.0, 0.158_655_25), (1.959_964, 0.025), (3.0, 0.001_349_90)] {
            close(normal_tail(z), tail, 1e-7);
        }
    }

    #[test]
    fn mann_whitney_as_by_hand() {
        // U = 0 of 4 × 4: variance 12, z = (8 − 0.5)/√12 = 2.16506, p = 0.030383.
        close(mann_whitney(&[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0]), 0.030_383, 1e-5);
        // Ranks 1.5, 1.5, 3.5 and 3.5, 5, 6 of 1 1 2 | 2 3 4: U = 0.5, ties 6 + 6, variance 9/12 × (7 − 12/30) = 4.95,
        // z = (4 − 0.5)/√4.95 = 1.57313, p = 0.115689.
        close(mann_whitney(&[1.0, 1.0, 2.0], &[2.0, 3.0, 4.0]), 0.115_689, 1e-5);
        assert_eq!(mann_whitney(&[1.0, 1.0], &[1.0, 1.0]), 1.0);
        assert_eq!(mann_whitney(&[], &[1.0]), 1.0);
    }

    #[test]
    fn the_ratio_of_medians_is_in_its_range() {
        let mut random = SplitMix(1);
        let mut samples = |middle: f64| -> Vec<f64> { (0..200).map(|_| middle * (0.95 + 1e-3 * random.below(100) as f64)).collect() };
        let (first, same, slower) = (samples(10.0), samples(10.0), samples(12.0));
        let [low, high] = ratio_range(&first, &slower).unwrap();
        assert!(low > 1.15 && high < 1.25 && low < 1.2 && high > 1.19, "{low} {high}");
        let [low, high] = ratio_range(&first, &same).unwrap();
        assert!(low < 1.0 + 0.01 && high > 1.0 - 0.01 && high - low < 0.05, "{low} {high}");
        assert!(mann_whitney(&first, &slower) < 1e-9);
        assert_eq!(ratio_range(&[], &first), None);
        assert_eq!(ratio_range(&[0.0], &first), None);
    }

    #[test]
    fn orders_hold_everything_once_and_differ() {
        let mut random = SplitMix(7);
        let (first, second) = (random.order(20), random.order(20));
        assert_ne!(first, second);
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
        assert!(random.order(0).is_empty());
    }

    #[test]
    fn a_median_s_interval_is_the_tabled_one() {
        // Ranks of Conover's table A3 for p = 1/2, and of the normal approximation.
        for (n, ranks) in [
            (5, None),
            (6, Some([1, 6])),
            (10, Some([2, 9])),
            (25, Some([8, 18])),
            (100, Some([40, 61])),
            (10_000, Some([4902, 5099])),
        ] {
            let samples: Vec<f64> = (1..=n).map(f64::from).collect();
            let range = Summary::of(&samples).unwrap().median_range;
            assert_eq!(range, ranks.map(|ranks: [i32; 2]| ranks.map(f64::from)), "{n}");
        }
    }
}
