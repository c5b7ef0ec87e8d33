//! The tables of a report.

use std::fmt::Write;

use super::svg::{escape, short};
use crate::bench::report::{EnergyMethod, Report};
use crate::bench::statistics::Summary;
use crate::device::processor::State;

/// A table of escaped cells; the first cell of a row is its name.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut out = String::from("<div class=\"scroll\"><table>\n<thead><tr>");
    for name in head {
        let _ = write!(out, "<th>{}</th>", escape(name));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            let tag = if index == 0 { "th" } else { "td" };
            let _ = write!(out, "<{tag}>{}</{tag}>", escape(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
    out
}

fn figures(summary: &Summary) -> Vec<String> {
    let or_dash = |value: Option<f64>| value.map_or("–".into(), short);
    vec![
        summary.n.to_string(),
        short(summary.median),
        or_dash(summary.p90),
        or_dash(summary.p99),
        short(summary.min),
        short(summary.max),
        short(summary.interquartile_range),
    ]
}

const FIGURES: [&str; 7] = ["n", "median", "p90", "p99", "min", "max", "IQR"];

/// All stages of all configurations.
pub fn stages(report: &Report) -> String {
    let mut out = String::new();
    for result in &report.results {
        let mut head = vec!["ms"];
        head.extend(FIGURES);
        let rows = result.stages.iter().map(|stage| {
            let mut row = vec![stage.stage.clone()];
            row.extend(figures(&stage.milliseconds));
            row
        });
        let _ = write!(
            out,
            "<details open=\"open\"><summary>{}</summary>\n{}</details>\n",
            result.configuration,
            table(&head, rows)
        );
    }
    out
}

/// Cold starts, if measured.
pub fn cold(report: &Report) -> Option<String> {
    let mut out = String::new();
    for result in &report.results {
        let Some(cold) = &result.cold else { continue };
        let parts = [
            ("to the first step", &cold.to_first_step),
            ("first step done", &cold.to_first_step_done),
            ("picture written, process ended", &cold.to_picture),
        ];
        let mut head = vec!["ms"];
        head.extend(FIGURES);
        let rows = parts.into_iter().map(|(name, summary)| {
            let mut row = vec![name.to_owned()];
            row.extend(figures(summary));
            row
        });
        let page_cache = escape(&cold.page_cache);
        let _ = write!(
            out,
            "<p class=\"caption\">{}: {page_cache}</p>\n{}",
            result.configuration,
            table(&head, rows)
        );
    }
    (!out.is_empty()).then_some(out)
}

/// Energy, if measured.
pub fn energy(report: &Report) -> Option<String> {
    let rows: Vec<Vec<String>> = report
        .results
        .iter()
        .filter_map(|result| {
            let energy = result.energy.as_ref()?;
            let method = match energy.method {
                EnergyMethod::EachPicture => "each picture",
                EnergyMethod::BlocksOfPictures => "blocks of pictures",
            };
            let with_error = |joules: f64, error: f64| format!("{} ± {}", short(joules), short(error));
            Some(vec![
                result.configuration.to_string(),
                with_error(energy.gross_joules, energy.gross_error),
                energy
                    .net_joules
                    .zip(energy.net_error)
                    .map_or("–".into(), |(joules, error)| with_error(joules, error)),
                energy.pictures.to_string(),
                energy.samples.to_string(),
                method.into(),
            ])
        })
        .collect();
    let head = ["J per picture", "gross", "net of idle", "pictures", "samples", "integral over"];
    (!rows.is_empty()).then(|| table(&head, rows.into_iter()))
}

/// Memory, page faults, instructions and cycles.
pub fn costs(report: &Report) -> String {
    let rows = report.results.iter().map(|result| {
        let mebibytes = |bytes: u64| short(bytes as f64 / f64::from(1 << 20));
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".into());
        vec![
            result.configuration.to_string(),
            or_dash(result.memory.map(|memory| mebibytes(memory.private_bytes))),
            or_dash(result.memory.map(|memory| mebibytes(memory.mapped_bytes))),
            or_dash(result.page_faults.map(|faults| short(faults.minor))),
            or_dash(result.page_faults.map(|faults| short(faults.major))),
            or_dash(result.counts.map(|counts| short(counts.instructions / 1e6))),
            or_dash(result.counts.map(|counts| short(counts.cycles / 1e6))),
        ]
    });
    let head = [
        "per picture",
        "private MiB",
        "mapped MiB",
        "minor faults",
        "major faults",
        "M instructions",
        "M cycles",
    ];
    table(&head, rows)
}

fn state(state: &State) -> String {
    let mut parts = Vec::new();
    parts.extend(state.megahertz.map(|clock| format!("{clock:.0} MHz")));
    if !state.governors.is_empty() {
        parts.push(format!("governor {}", state.governors.join(", ")));
    }
    parts.extend(state.celsius.map(|celsius| format!("{celsius:.1} °C")));
    parts.extend(state.fan_rpm.map(|fan| format!("fan {fan:.0} rpm")));
    parts.extend(state.throttling.map(|throttling| match throttling {
        crate::device::processor::Throttling::Firmware { bits } => format!("throttling flags 0x{bits:x}"),
        crate::device::processor::Throttling::Events { count } => format!("{count} throttling events"),
    }));
    parts.extend(
        state
            .load_averages
            .map(|[one, five, fifteen]| format!("load {one} {five} {fifteen}")),
    );
    if parts.is_empty() {
        "not available on this system".into()
    } else {
        parts.join(", ")
    }
}

/// The environment of the run.
pub fn environment(report: &Report) -> String {
    let machine = &report.machine;
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".into());
    let others = report.processor.others.map_or("unknown".into(), |others| {
        format!(
            "{:.1} % other processes, {:.1} % other machines",
            others.processes * 100.0,
            others.stolen * 100.0
        )
    });
    let hashes = report.results.iter().map(|result| {
        let name = format!("picture SHA-256, {}", result.configuration);
        vec![name, result.picture_sha256.join(" and ")]
    });
    let plan = &report.plan;
    let rows = [
        ("board", machine.board.clone()),
        (
            "processor",
            format!(
                "{}, {}, {} cores",
                or_unknown(&machine.processor),
                machine.architecture,
                machine.cores
            ),
        ),
        (
            "memory",
            machine
                .memory_bytes
                .map_or("unknown".into(), |bytes| format!("{} MiB", bytes >> 20)),
        ),
        ("kernel", or_unknown(&machine.kernel)),
        ("before", state(&report.processor.before)),
        ("after", state(&report.processor.after)),
        ("other load", others),
        ("inkstone", format!("{}, int8 kernel {}", report.version, machine.engine_kernel)),
        (
            "pack",
            format!(
                "{} {}, {:.1} MiB",
                report.pack.name,
                report.pack.version,
                report.pack.bytes as f64 / f64::from(1 << 20)
            ),
        ),
        ("pack SHA-256", report.pack.sha256.clone()),
        ("prompt", report.request.prompt.clone()),
        (
            "style, seed, guidance",
            format!(
                "{}, {}, {}",
                report.request.style.as_deref().unwrap_or("none"),
                report.request.seed,
                report.request.guidance
            ),
        ),
        (
            "plan",
            format!(
                "{} warm-up pictures, blocks in random order (seed {})",
                plan.warm_up, plan.order_seed
            ),
        ),
        (
            "instructions",
            report
                .counters_absent
                .clone()
                .unwrap_or_else(|| "counted by the processor, user mode only".into()),
        ),
        ("started", format!("{}; took {:.0} s", utc(report.started_unix), report.seconds)),
    ];
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    table(&["", ""], rows.chain(hashes)).replacen("<table>", "<table class=\"facts\">", 1)
}

/// Seconds since 1970 as date and time in UTC. A cycle of the Gregorian calendar has 400 years or 146,097 days; years start in March.
pub fn utc(seconds: u64) -> String {
    let (days, minutes) = (seconds / 86_400 + 719_468, seconds % 86_400 / 60);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + u64::from(month < 3);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `date -u -d @SECONDS` writes them.
    #[test]
    fn times_are_dates() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59 UTC"),
            (1_767_225_599, "2025-12-31 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(utc(seconds), expected);
        }
    }
}
