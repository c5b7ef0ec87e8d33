//! A report as a table for other programs: comma-separated values and Markdown.

use std::fmt::Write;

use super::report::{ConfigurationResult, Report, StageResult};

/// The columns of a row.
const COLUMNS: [&str; 14] = [
    "steps",
    "threads",
    "size_px",
    "stage",
    "n",
    "median_ms",
    "median_low_ms",
    "median_high_ms",
    "p90_ms",
    "p99_ms",
    "min_ms",
    "max_ms",
    "mean_ms",
    "standard_deviation_ms",
];

/// All stages of all configurations as comma-separated values (RFC 4180), with a header. What is unknown is empty.
pub fn csv(report: &Report) -> String {
    let mut out = COLUMNS.join(",") + "\r\n";
    for (result, stage) in rows(report) {
        out.push_str(&cells(result, stage, 6).join(","));
        out.push_str("\r\n");
    }
    out
}

/// The machine, and all stages of all configurations as a table in Markdown.
pub fn markdown(report: &Report) -> String {
    let machine = &report.machine;
    let mut out = format!(
        "{}, {} cores, {}; inkstone {} ({}), pack {} {}\n\n",
        machine.board, machine.cores, machine.architecture, report.version, machine.engine_kernel, report.pack.name, report.pack.version
    );
    let shown = |cells: Vec<String>| {
        let chosen = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|column: usize| cells[column].clone());
        format!("| {} |\n", chosen.join(" | "))
    };
    out.push_str(&shown(COLUMNS.map(str::to_owned).to_vec()));
    out.push_str("|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|\n");
    for (result, stage) in rows(report) {
        out.push_str(&shown(cells(result, stage, 2)));
    }
    if !report.validity.valid {
        let _ = write!(out, "\nInvalid: {}\n", report.validity.reasons.join("; "));
    }
    out
}

fn rows(report: &Report) -> impl Iterator<Item = (&ConfigurationResult, &StageResult)> {
    report
        .results
        .iter()
        .flat_map(|result| result.stages.iter().map(move |stage| (result, stage)))
}

fn cells(result: &ConfigurationResult, stage: &StageResult, digits: usize) -> Vec<String> {
    let (configuration, times) = (result.configuration, &stage.milliseconds);
    let number = |value: f64| format!("{value:.digits$}");
    let or_empty = |value: Option<f64>| value.map_or_else(String::new, number);
    let [low, high] = times.median_range.map_or([None; 2], |range| range.map(Some));
    vec![
        configuration.steps.to_string(),
        configuration.threads.to_string(),
        configuration.size.to_string(),
        stage.stage.clone(),
        times.n.to_string(),
        number(times.median),
        or_empty(low),
        or_empty(high),
        or_empty(times.p90),
        or_empty(times.p99),
        number(times.min),
        number(times.max),
        number(times.mean),
        number(times.standard_deviation),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::report::example::report;
    use super::*;

    #[test]
    fn every_row_has_every_column() {
        let text = csv(&report());
        assert!(text.lines().count() > 5);
        for line in text.lines() {
            assert_eq!(line.split(',').count(), COLUMNS.len(), "{line}");
        }
        assert!(text.contains("4,1,128,picture,100,"), "{text}");
    }

    #[test]
    fn markdown_is_a_table() {
        let mut report = report();
        let text = markdown(&report);
        let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert!(
            table.len() > 5 && table.iter().all(|line| line.matches('|').count() == 11),
            "{text}"
        );
        report.validity.valid = false;
        report.validity.reasons = vec!["throttled".into()];
        assert!(markdown(&report).ends_with("Invalid: throttled\n"));
    }
}
