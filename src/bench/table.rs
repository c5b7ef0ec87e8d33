//! A report as text.

use std::fmt::Write;

use super::compare::Comparison;
use super::report::{ColdResult, ConfigurationResult, EnergyMethod, EnergyResult, Report, WHOLE};
use super::statistics::Summary;

const STAGE_WIDTH: usize = 15;
/// Longest line of prose, in characters.
const LINE: usize = 80;

/// The report of a run.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    let machine = &report.machine;
    let kernel = machine.kernel.as_deref().unwrap_or("unknown");
    line(
        &mut out,
        &format!(
            "{}, {} cores, {}, kernel {kernel}",
            machine.board, machine.cores, machine.architecture
        ),
    );
    line(
        &mut out,
        &format!(
            "inkstone {} ({}), pack {} {} {}, seed {}, \"{}\"",
            report.version,
            machine.engine_kernel,
            report.pack.name,
            report.pack.version,
            &report.pack.sha256.get(..12).unwrap_or_default(),
            report.request.seed,
            report.request.prompt
        ),
    );
    if let Some(meter) = &report.power.meter {
        line(
            &mut out,
            &format!("power: {} at {:.1} Hz: {}", meter.name, meter.rate_hz, meter.measures),
        );
    }
    for result in &report.results {
        out.push('\n');
        configuration(&mut out, result);
    }
    out.push('\n');
    verdict(&mut out, report);
    out
}

/// A line of prose, which goes on below if it is too long, further in.
fn line(out: &mut String, text: &str) {
    let indent = text.len() - text.trim_start().len();
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > LINE {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent + 2));
            width = indent + 2;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        } else {
            out.extend(std::iter::repeat_n(' ', indent));
            width = indent;
        }
        out.push_str(word);
        width += length;
    }
    out.push('\n');
}

fn configuration(out: &mut String, result: &ConfigurationResult) {
    line(out, &result.configuration.to_string());
    header(out, "ms");
    for stage in &result.stages {
        row(out, &stage.stage, &stage.milliseconds);
    }
    let whole = result.stage(WHOLE).and_then(|stage| stage.milliseconds.median_range);
    if let Some([low, high]) = whole {
        line(out, &format!("  median of a picture between {low:.2} and {high:.2} ms (95 %)"));
    }
    if let Some(rate) = result.pictures_per_second {
        line(out, &format!("  {rate:.2} pictures a second"));
    }
    if let Some(cold) = &result.cold {
        cold_rows(out, cold);
    }
    if let Some(memory) = result.memory {
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let faults = result.page_faults.map_or(String::new(), |faults| {
            format!(", page faults per picture {:.1} minor, {:.1} major", faults.minor, faults.major)
        });
        let (private, mapped) = (mebibytes(memory.private_bytes), mebibytes(memory.mapped_bytes));
        line(
            out,
            &format!("  peak memory {private:.1} MiB private, {mapped:.1} MiB mapped{faults}"),
        );
    }
    if let Some(counts) = result.counts {
        let rate = counts.instructions / counts.cycles.max(1.0);
        line(
            out,
            &format!(
                "  per picture {:.1} M instructions, {:.1} M cycles, {rate:.2} instructions per cycle",
                counts.instructions / 1e6,
                counts.cycles / 1e6
            ),
        );
    }
    if let Some(energy) = &result.energy {
        line(out, &format!("  {}", energy_words(energy)));
    }
    line(out, &format!("  picture {}", result.picture_sha256.join(" and ")));
}

/// An energy with its error and the method.
pub fn energy_words(energy: &EnergyResult) -> String {
    let figures = |joules: f64, error: f64| format!("{joules:.3} ± {error:.3} J");
    let net = energy
        .net_joules
        .zip(energy.net_error)
        .map_or(String::new(), |(joules, error)| format!(", net of idle {}", figures(joules, error)));
    let how = match energy.method {
        EnergyMethod::EachPicture => "each picture measured separately",
        EnergyMethod::BlocksOfPictures => "measured over blocks of pictures, because the meter is too slow",
    };
    format!(
        "energy per picture {}{net} ({} samples over {} pictures, {how})",
        figures(energy.gross_joules, energy.gross_error),
        energy.samples,
        energy.pictures
    )
}

fn header(out: &mut String, unit: &str) {
    let _ = writeln!(
        out,
        "  {unit:STAGE_WIDTH$} {:>5} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "n", "median", "p90", "p99", "min", "max", "IQR"
    );
}

fn row(out: &mut String, name: &str, summary: &Summary) {
    let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.2}"));
    let Summary {
        n,
        median,
        p90,
        p99,
        min,
        max,
        ..
    } = *summary;
    let _ = writeln!(
        out,
        "  {name:STAGE_WIDTH$} {n:>5} {median:>8.2} {:>8} {:>8} {min:>8.2} {max:>8.2} {:>8.2}",
        number(p90),
        number(p99),
        summary.interquartile_range
    );
}

fn cold_rows(out: &mut String, cold: &ColdResult) {
    line(out, "  cold start, since the start of the process:");
    row(out, "to first step", &cold.to_first_step);
    row(out, "first step done", &cold.to_first_step_done);
    row(out, "picture written", &cold.to_picture);
    line(out, &format!("  page cache: {}", cold.page_cache));
}

fn verdict(out: &mut String, report: &Report) {
    if report.validity.valid {
        line(out, "valid");
    } else {
        line(out, "INVALID:");
        for reason in &report.validity.reasons {
            line(out, &format!("  - {reason}"));
        }
    }
    for note in &report.validity.notes {
        line(out, &format!("  note: {note}"));
    }
}

/// The comparison of two runs.
pub fn comparison(comparison: &Comparison) -> String {
    let mut out = String::new();
    for warning in &comparison.warnings {
        line(&mut out, &format!("warning: {warning}"));
    }
    for configuration in &comparison.configurations {
        line(&mut out, &format!("{}", configuration.configuration));
        let _ = writeln!(
            out,
            "  {:STAGE_WIDTH$} {:>8} {:>8} {:>6} {:>11} {:>8}",
            "", "first", "second", "ratio", "95 % range", "p"
        );
        for figure in &configuration.figures {
            let range = figure.ratio_range.map_or("-".into(), |[low, high]| format!("{low:.3}–{high:.3}"));
            let p = figure.p_value.map_or("-".into(), |p| format!("{p:.2e}"));
            let _ = writeln!(
                out,
                "  {:STAGE_WIDTH$} {:>8.2} {:>8.2} {:>6.3} {range:>11} {p:>8} {}",
                figure.name, figure.first, figure.second, figure.ratio, figure.verdict
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::report::example::report;
    use super::*;

    #[test]
    fn a_table_holds_the_figures() {
        let mut report = report();
        let table = text(&report);
        for words in [
            "Raspberry Pi 4 Model B Rev 1.4, 4 cores",
            "4 steps, 1 thread, 128 px",
            "energy per picture 0.500 ± 0.012 J, net of idle 0.300 ± 0.008 J",
            "peak memory 30.0 MiB private, 24.0 MiB mapped",
            "blocks of pictures",
            "posix",
        ] {
            assert_eq!(table.contains(words), words != "posix", "{words}: {table}");
        }
        assert!(table.lines().any(|line| line.trim() == "valid"));
        let widest = table.lines().max_by_key(|line| line.chars().count()).unwrap();
        assert!(widest.chars().count() <= LINE, "{widest}");
        report.validity.valid = false;
        report.validity.reasons.push("throttled".into());
        assert!(text(&report).contains("INVALID:\n  - throttled"));
    }

    #[test]
    fn comparisons_fit_a_terminal() {
        let text = comparison(&super::super::compare::compare(&report(), &report()));
        let widest = text.lines().max_by_key(|line| line.chars().count()).unwrap();
        assert!(widest.chars().count() <= LINE && text.contains("within spread"), "{widest}");
    }

    #[test]
    fn no_percentile_is_a_dash() {
        let mut out = String::new();
        row(&mut out, "png", &Summary::of(&[1.0, 2.0]).unwrap());
        assert_eq!(
            out.split_whitespace().collect::<Vec<_>>(),
            ["png", "2", "1.50", "-", "-", "1.00", "2.00", "0.50"]
        );
    }
}
