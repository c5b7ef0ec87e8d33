//! Whether a run can be trusted: reasons that make it invalid, and notes.

use super::energy::Interval;
use super::report::{ProcessorSample, Report, Validity, WHOLE};
use super::statistics::FEWEST_P99;

/// Maximum fraction of all cores' time used by other processes.
const MOST_OTHERS: f64 = 0.05;
/// Maximum fraction of it taken by the hypervisor.
const MOST_STOLEN: f64 = 0.01;
/// Maximum variation of the clock, as a fraction of its maximum.
const MOST_CLOCK: f64 = 0.05;

/// Judges a report; reads all of its fields except `validity`.
pub fn judge(report: &Report) -> Validity {
    let mut reasons = Vec::new();
    reasons.extend(throttled(report));
    reasons.extend(few_samples(report));
    reasons.extend(others(report));
    reasons.extend(clock(report));
    reasons.extend(differing_pictures(report));
    Validity {
        valid: reasons.is_empty(),
        reasons,
        notes: notes(report),
    }
}

fn throttled(report: &Report) -> Option<String> {
    let processor = &report.processor;
    let before = processor.before.throttling?;
    let during = processor.timeline.iter().filter_map(|moment| moment.throttling);
    let mut happened: Vec<String> = during
        .chain(processor.after.throttling)
        .flat_map(|later| later.since(before))
        .collect();
    happened.sort();
    happened.dedup();
    (!happened.is_empty()).then(|| format!("throttled during the run: {}", happened.join(", ")))
}

fn few_samples(report: &Report) -> Option<String> {
    let counts = report.results.iter().filter_map(|result| Some(result.stage(WHOLE)?.milliseconds.n));
    let fewest = counts.min().unwrap_or(0);
    (fewest < FEWEST_P99).then(|| format!("too few pictures for a 99th percentile: {fewest} per configuration, {FEWEST_P99} are needed"))
}

fn others(report: &Report) -> Vec<String> {
    let Some(others) = report.processor.others else { return Vec::new() };
    let mut reasons = Vec::new();
    if others.processes > MOST_OTHERS {
        reasons.push(format!(
            "other load: other processes used {:.0} % of all cores' time",
            others.processes * 100.0
        ));
    }
    if others.stolen > MOST_STOLEN {
        reasons.push(format!(
            "other load: other virtual machines took {:.1} % of all cores' time",
            others.stolen * 100.0
        ));
    }
    reasons
}

/// Samples taken while pictures were drawn; an idle clock is no problem.
fn busy<'a>(report: &'a Report) -> impl Iterator<Item = &'a ProcessorSample> {
    let mut windows = report.pictures.iter().map(|picture| picture.window);
    let all: Option<Interval> = windows.next().map(|first| {
        windows.fold(first, |sum, window| Interval {
            start: sum.start.min(window.start),
            end: sum.end.max(window.end),
        })
    });
    let is_busy = move |moment: &&'a ProcessorSample| all.is_some_and(|all| moment.seconds > all.start && moment.seconds < all.end);
    report.processor.timeline.iter().filter(is_busy)
}

fn clock(report: &Report) -> Option<String> {
    let clocks: Vec<f64> = busy(report).filter_map(|moment| moment.megahertz).collect();
    let fastest = clocks.iter().copied().reduce(f64::max)?;
    let slowest = clocks.iter().copied().reduce(f64::min)?;
    (slowest < fastest * (1.0 - MOST_CLOCK)).then(|| format!("the clock varied between {slowest:.0} and {fastest:.0} MHz"))
}

fn differing_pictures(report: &Report) -> Vec<String> {
    let mut reasons = Vec::new();
    for result in report.results.iter().filter(|result| result.picture_sha256.len() > 1) {
        let kinds = result.picture_sha256.len();
        reasons.push(format!(
            "{}: the same request gave {kinds} different pictures",
            result.configuration
        ));
    }
    for first in &report.results {
        let (of, hash) = (first.configuration, first.picture_sha256.first());
        let differs = report.results.iter().find(|other| {
            let with = other.configuration;
            with.threads > of.threads && (with.steps, with.size) == (of.steps, of.size) && other.picture_sha256.first() != hash
        });
        if let Some(other) = differs {
            reasons.push(format!("{of} and {} gave different pictures", other.configuration));
        }
    }
    reasons
}

fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    let processor = &report.processor;
    if processor.before.throttling.is_none() {
        notes.push("unknown whether the processor was throttled: this system does not report it".into());
    }
    if processor.before.megahertz.is_none() {
        notes.push("unknown whether the clock varied: this system does not report it".into());
    }
    if processor.others.is_none() {
        notes.push("unknown whether there was other load: this system does not report it, or the run was too short".into());
    }
    if let Some(governor) = processor.before.governors.iter().find(|governor| *governor != "performance") {
        notes.push(format!("the governor is '{governor}'; 'performance' would keep the clock constant"));
    }
    if let Some(why) = &report.counters_absent {
        notes.push(format!("instructions and cycles were not counted: {why}"));
    }
    match &report.power.meter {
        None => notes.push("no power meter: energy was not measured".into()),
        Some(meter) => {
            notes.extend(meter.accuracy.gain.is_none().then(|| {
                format!(
                    "the error of {} is not specified, so errors of energies do not include it",
                    meter.name
                )
            }));
            if meter.failures > 0 {
                let why = meter.first_failure.as_deref().unwrap_or("unknown");
                notes.push(format!("{} readings of {} failed, the first: {why}", meter.failures, meter.name));
            }
            if report.results.iter().any(|result| result.energy.is_none()) {
                notes.push(format!(
                    "{} gave too few readings for the energy of every configuration",
                    meter.name
                ));
            }
        }
    }
    if option_env!("INKSTONE_PROFILE") == Some("debug") {
        notes.push("this is a debug build; a release build is faster".into());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::super::report::PictureTime;
    use super::super::report::example::report;
    use super::*;
    use crate::device::processor::Throttling;
    use crate::device::processor::load::OtherLoad;

    /// The only reason that a change of a good report gives.
    fn reason(change: impl FnOnce(&mut Report)) -> String {
        let mut report = report();
        assert_eq!(judge(&report).reasons, Vec::<String>::new());
        change(&mut report);
        let validity = judge(&report);
        assert!(!validity.valid);
        assert_eq!(validity.reasons.len(), 1, "{:?}", validity.reasons);
        validity.reasons[0].clone()
    }

    #[test]
    fn each_fault_has_its_reason() {
        assert!(reason(|report| report.results[0].stages.last_mut().unwrap().milliseconds.n = 99).contains("99 per configuration"));
        let busy = |processes, stolen| Some(OtherLoad { processes, stolen });
        assert!(reason(|report| report.processor.others = busy(0.2, 0.0)).contains("20 %"));
        assert!(reason(|report| report.processor.others = busy(0.0, 0.03)).contains("virtual machines took 3.0 %"));
        assert!(reason(|report| report.results[0].picture_sha256.push("b".into())).contains("2 different pictures"));
        assert!(reason(|report| report.results[1].picture_sha256 = vec!["c".into()]).contains("gave different pictures"));
    }

    #[test]
    fn throttling_counts_where_it_happened_during_the_run() {
        let firmware = |bits| Some(Throttling::Firmware { bits });
        let during = reason(|report| {
            report.processor.before.throttling = firmware(0);
            report.processor.timeline[1].throttling = firmware(0x4_0004);
        });
        assert_eq!(during, "throttled during the run: throttled");
        let mut before = report();
        before.processor.before.throttling = firmware(0x5_0000);
        before.processor.after.throttling = firmware(0x5_0000);
        assert!(judge(&before).valid);
    }

    #[test]
    fn the_clock_may_vary_when_idle_only() {
        let moved = reason(|report| report.processor.timeline[1].megahertz = Some(1200.0));
        assert!(moved.contains("between 1200 and 1500 MHz"), "{moved}");
        let mut idle = report();
        idle.processor.timeline.push(ProcessorSample {
            seconds: 1e6,
            megahertz: Some(600.0),
            ..ProcessorSample::default()
        });
        assert!(judge(&idle).valid);
        idle.pictures.push(PictureTime {
            window: Interval { start: 0.0, end: 2e6 },
            ..idle.pictures[0]
        });
        assert!(!judge(&idle).valid);
    }

    #[test]
    fn unknown_values_are_noted() {
        let mut report = report();
        report.power.meter = None;
        report.counters_absent = Some("permission denied".into());
        let notes = judge(&report).notes.join("\n");
        for words in [
            "whether the processor was throttled",
            "not counted: permission denied",
            "no power meter",
            "governor is 'ondemand'",
        ] {
            assert!(notes.contains(words), "{words}: {notes}");
        }
    }
}
