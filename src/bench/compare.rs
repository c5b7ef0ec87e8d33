//! Comparison of two reports: ratios, and whether differences are significant.
//!
//! A stage is faster or slower if all of these hold:
//!
//! 1. the two-sided Mann–Whitney test gives p < 0.01;
//! 2. the 95 % bootstrap interval of the ratio of medians excludes 1;
//! 3. the ranges of both runs' round medians do not overlap, if both have three rounds or more. Consecutive samples are
//!    correlated (heat, clock, other load), so the first two alone would take drift for a difference.
//!
//! Energies differ if the difference is larger than the root of the sum of their squared errors.

use serde::Serialize;

use super::plan::Configuration;
use super::report::{ConfigurationResult, Report, StageResult};
use super::statistics::{mann_whitney, ratio_range};
use crate::process::Memory;

/// Significance level.
const SIGNIFICANT: f64 = 0.01;
/// Minimum number of rounds for a spread.
const FEWEST_ROUNDS: usize = 3;

/// The comparison of two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Why the runs may not be comparable.
    pub warnings: Vec<String>,
    /// Configurations that both have.
    pub configurations: Vec<ConfigurationComparison>,
}

/// One configuration of both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfigurationComparison {
    /// The configuration.
    pub configuration: Configuration,
    /// Stages, then energy and memory if both have them.
    pub figures: Vec<FigureComparison>,
}

/// One figure of both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FigureComparison {
    /// The stage (in milliseconds), or a figure with its unit.
    pub name: String,
    /// The first run's, medians for stages.
    pub first: f64,
    /// The second run's.
    pub second: f64,
    /// Second to first.
    pub ratio: f64,
    /// 95 % confidence interval of the ratio.
    pub ratio_range: Option<[f64; 2]>,
    /// p-value of the Mann–Whitney test.
    pub p_value: Option<f64>,
    /// Whether the difference is significant.
    pub verdict: Verdict,
}

/// Whether a difference is significant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The second is smaller.
    Less,
    /// The second is larger.
    More,
    /// The difference is within the spread.
    WithinSpread,
    /// One of the runs is invalid, so that its figures prove nothing.
    NotComparable,
    /// Unknown: there is no spread to compare with.
    NotTold,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Verdict::Less => "less",
            Verdict::More => "more",
            Verdict::WithinSpread => "within spread",
            Verdict::NotComparable => "not comparable",
            Verdict::NotTold => "",
        })
    }
}

/// Compares two runs.
pub fn compare(first: &Report, second: &Report) -> Comparison {
    let pairs = first.results.iter().filter_map(|left| {
        let right = second.results.iter().find(|right| right.configuration == left.configuration)?;
        Some(configuration(left, right))
    });
    let mut configurations: Vec<ConfigurationComparison> = pairs.collect();
    if !first.validity.valid || !second.validity.valid {
        let figures = configurations.iter_mut().flat_map(|configuration| &mut configuration.figures);
        figures.for_each(|figure| figure.verdict = Verdict::NotComparable);
    }
    Comparison {
        warnings: warnings(first, second),
        configurations,
    }
}

impl Comparison {
    /// The figures that are larger in the second run by more than a share of the first run's, such as 0.05, beyond their spread; and
    /// those that cannot be compared. Nothing in common is a failure too.
    pub fn failures(&self, share: f64) -> Vec<String> {
        let mut failures = Vec::new();
        for configuration in &self.configurations {
            for figure in &configuration.figures {
                let name = format!("{}: {}", configuration.configuration, figure.name);
                match figure.verdict {
                    Verdict::More if figure.ratio > 1.0 + share => failures.push(format!("{name}: {:.3} times the first", figure.ratio)),
                    Verdict::NotComparable => failures.push(format!("{name}: not comparable")),
                    _ => {}
                }
            }
        }
        if self.configurations.is_empty() {
            failures.push("the runs have no configuration in common".into());
        }
        failures
    }
}

fn configuration(first: &ConfigurationResult, second: &ConfigurationResult) -> ConfigurationComparison {
    let stages = first.stages.iter().filter_map(|left| Some(stage(left, second.stage(&left.stage)?)));
    let energies = first.energy.as_ref().zip(second.energy.as_ref()).map(|(left, right)| {
        let difference = right.gross_joules - left.gross_joules;
        let error = left.gross_error.hypot(right.gross_error);
        plain("energy, J", left.gross_joules, right.gross_joules, difference.abs() > error)
    });
    let megabytes = |memory: Option<Memory>| memory.map(|memory| memory.private_bytes as f64 / f64::from(1 << 20));
    let memories = megabytes(first.memory)
        .zip(megabytes(second.memory))
        .map(|(left, right)| FigureComparison {
            verdict: Verdict::NotTold,
            ..plain("private, MiB", left, right, false)
        });
    ConfigurationComparison {
        configuration: first.configuration,
        figures: stages.chain(energies).chain(memories).collect(),
    }
}

fn plain(name: &str, first: f64, second: f64, differs: bool) -> FigureComparison {
    FigureComparison {
        name: name.into(),
        first,
        second,
        ratio: second / first,
        ratio_range: None,
        p_value: None,
        verdict: verdict(first, second, differs),
    }
}

fn verdict(first: f64, second: f64, differs: bool) -> Verdict {
    match (differs, second < first) {
        (false, _) => Verdict::WithinSpread,
        (true, true) => Verdict::Less,
        (true, false) => Verdict::More,
    }
}

fn stage(first: &StageResult, second: &StageResult) -> FigureComparison {
    let p_value = mann_whitney(&first.samples, &second.samples);
    let range = ratio_range(&first.samples, &second.samples);
    let leaves_out_one = range.is_some_and(|[low, high]| low > 1.0 || high < 1.0);
    let differs = p_value < SIGNIFICANT && leaves_out_one && rounds_apart(&first.round_medians, &second.round_medians);
    FigureComparison {
        ratio_range: range,
        p_value: Some(p_value),
        ..plain(&first.stage, first.milliseconds.median, second.milliseconds.median, differs)
    }
}

/// Whether the ranges of two runs' rounds do not overlap.
fn rounds_apart(first: &[f64], second: &[f64]) -> bool {
    if first.len() < FEWEST_ROUNDS || second.len() < FEWEST_ROUNDS {
        return true;
    }
    let least = |rounds: &[f64]| rounds.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |rounds: &[f64]| rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    least(first) > most(second) || least(second) > most(first)
}

fn warnings(first: &Report, second: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut differs = |what: &str, left: String, right: String| {
        if left != right {
            warnings.push(format!("{what} differ: {left} and {right}"));
        }
    };
    let machine = |report: &Report| format!("{}, {} cores", report.machine.board, report.machine.cores);
    differs("machines", machine(first), machine(second));
    let kernel = |report: &Report| report.machine.kernel.clone().unwrap_or_default();
    differs("kernels", kernel(first), kernel(second));
    differs("packs", first.pack.sha256.clone(), second.pack.sha256.clone());
    differs("prompts", first.request.prompt.clone(), second.request.prompt.clone());
    differs("seeds", first.request.seed.to_string(), second.request.seed.to_string());
    let meter = |report: &Report| report.power.meter.as_ref().map_or("none".into(), |meter| meter.name.clone());
    differs("power meters", meter(first), meter(second));
    let governors = |report: &Report| report.processor.before.governors.join(", ");
    differs("governors", governors(first), governors(second));
    for (which, report) in [("first", first), ("second", second)] {
        if !report.validity.valid {
            warnings.push(format!("the {which} run is invalid: {}", report.validity.reasons.join("; ")));
        }
    }
    let pictures = |report: &Report| {
        report
            .results
            .iter()
            .map(|result| (result.configuration, result.picture_sha256.clone()))
            .collect::<Vec<_>>()
    };
    let (left, right) = (pictures(first), pictures(second));
    let other = left
        .iter()
        .find(|(configuration, hashes)| right.iter().any(|(other, others)| other == configuration && others != hashes));
    if let Some((configuration, _)) = other {
        warnings.push(format!("{configuration}: the runs gave different pictures"));
    }
    if !left
        .iter()
        .any(|(configuration, _)| right.iter().any(|(other, _)| other == configuration))
    {
        warnings.push("the runs have no configuration in common".into());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::super::report::WHOLE;
    use super::super::report::example::{report, stage as example_stage};
    use super::*;

    fn figure<'a>(comparison: &'a Comparison, name: &str) -> &'a FigureComparison {
        comparison.configurations[0]
            .figures
            .iter()
            .find(|figure| figure.name == name)
            .unwrap()
    }

    #[test]
    fn a_run_is_like_itself() {
        let comparison = compare(&report(), &report());
        assert_eq!((comparison.warnings.len(), comparison.configurations.len()), (0, 2));
        for figure in &comparison.configurations[0].figures {
            assert!((figure.ratio - 1.0).abs() < 1e-12);
            assert!(matches!(figure.verdict, Verdict::WithinSpread | Verdict::NotTold), "{figure:?}");
        }
    }

    #[test]
    fn a_difference_is_found_where_it_is() {
        let (first, mut second) = (report(), report());
        let stages = &mut second.results[0].stages;
        stages[1] = example_stage("step 1", 48.0);
        *stages.last_mut().unwrap() = example_stage(WHOLE, 130.0);
        second.results[0].energy.as_mut().unwrap().gross_joules = 0.6;
        let comparison = compare(&first, &second);
        assert_eq!(figure(&comparison, "step 1").verdict, Verdict::Less);
        assert!((figure(&comparison, "step 1").ratio - 0.8).abs() < 1e-9);
        let [low, high] = figure(&comparison, WHOLE).ratio_range.unwrap();
        assert!(low <= 1.3 && high >= 1.3 && low > 1.25 && high < 1.35);
        assert_eq!(figure(&comparison, WHOLE).verdict, Verdict::More);
        assert_eq!(figure(&comparison, "decoder").verdict, Verdict::WithinSpread);
        assert_eq!(figure(&comparison, "energy, J").verdict, Verdict::More);
    }

    #[test]
    fn a_drift_within_the_rounds_is_no_difference() {
        let mut first = report();
        let mut drifted = example_stage("step 1", 61.0);
        // As different as it was, but one round of the first run was slower still.
        first.results[0].stages[1].round_medians[4] = 62.0;
        drifted.round_medians = vec![61.0; 5];
        let mut second = report();
        second.results[0].stages[1] = drifted;
        let step = compare(&first, &second);
        assert!(figure(&step, "step 1").p_value.unwrap() < SIGNIFICANT);
        assert_eq!(figure(&step, "step 1").verdict, Verdict::WithinSpread);
    }

    #[test]
    fn what_differs_otherwise_is_warned_of() {
        let (first, mut second) = (report(), report());
        second.machine.board = "another".into();
        second.pack.sha256 = "cd".into();
        second.request.seed = 2;
        second.validity.valid = false;
        second.validity.reasons = vec!["throttled".into()];
        second.results[0].picture_sha256 = vec!["other".into()];
        let warnings = compare(&first, &second).warnings.join("\n");
        for words in [
            "machines differ",
            "packs differ",
            "seeds differ: 1 and 2",
            "second run is invalid: throttled",
            "different pictures",
        ] {
            assert!(warnings.contains(words), "{words}: {warnings}");
        }
        let comparison = compare(&first, &second);
        let mut figures = comparison.configurations.iter().flat_map(|configuration| &configuration.figures);
        assert!(figures.all(|figure| figure.verdict == Verdict::NotComparable));
        second.results.clear();
        assert_eq!(
            compare(&first, &second).failures(0.05),
            ["the runs have no configuration in common"]
        );
        assert!(compare(&first, &second).warnings.join("").contains("no configuration in common"));
    }
}
