//! A report as one self-contained HTML page with plots: it loads nothing. It is well-formed XML as well, and looks right in light
//! and dark mode, on a phone and on paper.
//!
//! The plots are ours and not the crate `plotters`': its SVG has fixed colours (black text in dark mode), whole-pixel positions,
//! and no tooltips, accessible names or style classes.

mod plots;
mod svg;
mod tables;

use std::fmt::Write;

use super::report::{Report, WHOLE};
use svg::{escape, short};

const STYLE: &str = include_str!("page.css");

/// The HTML page of a report.
pub fn page(report: &Report) -> String {
    let mut out = String::new();
    let invalid = if report.validity.valid { "" } else { "INVALID, " };
    let title = format!("{invalid}inkstone bench: {}", report.machine.board);
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <main>\n<h1>{}</h1>\n",
        escape(&title),
        escape(&report.machine.board)
    );
    let _ = writeln!(out, "<p>{}</p>", escape(&about(report)));
    verdict(&mut out, report);
    lead(&mut out, report);
    section(
        &mut out,
        "Time of a picture",
        "From the request to the written PNG file. Each dot is a picture, the box is the interquartile range, the line is the median.",
        &plots::strips(report),
    );
    out.push_str(&legend(report.results.iter().map(|result| result.configuration.to_string())));
    figure(&mut out, &plots::cumulative(report));
    section(&mut out, "Stages", "Medians, stacked.", &plots::stages(report));
    out.push_str(&legend(plots::stage_names(report).into_iter()));
    out.push_str(&tables::stages(report));
    optional(&mut out, "Over the run", timeline_words(report), plots::timeline(report));
    if let Some(energies) = tables::energy(report) {
        section(&mut out, "Energy", &energy_words(report), &energies);
    }
    optional(
        &mut out,
        "Memory",
        "Peak of each configuration; one process draws all of them. The kernel can reclaim mapped pages.".into(),
        plots::memory(report),
    );
    if report.results.iter().any(|result| result.memory.is_some()) {
        out.push_str(&legend(["private", "mapped"].map(String::from).into_iter()));
    }
    out.push_str(&tables::costs(report));
    if let Some(cold) = tables::cold(report) {
        section(&mut out, "Cold start", "Milliseconds since the start of a new process.", &cold);
    }
    optional(
        &mut out,
        "Steps and quality",
        "Quality from the model card, with int8 weights; times from this run.".into(),
        plots::quality(report),
    );
    section(&mut out, "Environment", "", &tables::environment(report));
    section(
        &mut out,
        "Repeat",
        "The command that repeats this run:",
        &format!("<pre>{}</pre>\n", escape(&report.command)),
    );
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// Program, pack, prompt and time, in one line.
fn about(report: &Report) -> String {
    format!(
        "Inkstone {}, int8 kernel {}, pack {} {}, \u{201c}{}\u{201d}; {}",
        report.version,
        report.machine.engine_kernel,
        report.pack.name,
        report.pack.version,
        report.request.prompt,
        tables::utc(report.started_unix)
    )
}

fn section(out: &mut String, title: &str, words: &str, body: &str) {
    let _ = writeln!(out, "<h2>{}</h2>", escape(title));
    if !words.is_empty() {
        let _ = writeln!(out, "<p>{}</p>", escape(words));
    }
    figure(out, body);
}

fn figure(out: &mut String, body: &str) {
    let _ = write!(out, "<figure>\n{body}</figure>\n");
}

fn optional(out: &mut String, title: &str, words: String, body: Option<String>) {
    if let Some(body) = body {
        section(out, title, &words, &body);
    }
}

fn legend(names: impl Iterator<Item = String>) -> String {
    let mut out = String::from("<ul class=\"legend\">\n");
    for (index, name) in names.enumerate() {
        let _ = writeln!(out, "<li><span class=\"key c{}\"></span>{}</li>", index % 8, escape(&name));
    }
    out.push_str("</ul>\n");
    out
}

/// The most important figures.
fn lead(out: &mut String, report: &Report) {
    let class = if report.validity.valid { "lead" } else { "lead doubtful" };
    let _ = writeln!(out, "<div class=\"{class}\">");
    let wholes = report
        .results
        .iter()
        .filter_map(|result| Some((result, &result.stage(WHOLE)?.milliseconds)));
    let Some((fastest, time)) = wholes.min_by(|left, right| left.1.median.total_cmp(&right.1.median)) else {
        out.push_str("</div>\n");
        return;
    };
    let mut tile = |value: String, words: String| {
        let _ = writeln!(out, "<div><b>{}</b><span>{}</span></div>", escape(&value), escape(&words));
    };
    tile(
        format!("{} ms", short(time.median)),
        format!("median of the fastest: {}", fastest.configuration),
    );
    if let Some(p90) = time.p90 {
        tile(format!("{} ms", short(p90)), "90th percentile".into());
    }
    if let Some(energy) = &fastest.energy {
        let words = format!("per picture, ± {}, measured by {}", short(energy.gross_error), meter(report));
        tile(format!("{} J", short(energy.gross_joules)), words);
    }
    if let Some(memory) = fastest.memory {
        tile(
            format!("{} MiB", short(memory.private_bytes as f64 / f64::from(1 << 20))),
            "peak private memory".into(),
        );
    }
    out.push_str("</div>\n");
}

fn meter(report: &Report) -> &str {
    report.power.meter.as_ref().map_or("no meter", |meter| meter.name.as_str())
}

fn verdict(out: &mut String, report: &Report) {
    let validity = &report.validity;
    let (class, word) = if validity.valid {
        ("valid", "Valid run")
    } else {
        ("invalid", "Invalid run")
    };
    let _ = writeln!(out, "<section class=\"verdict {class}\">\n<strong>{word}</strong>");
    let mut list = |items: &[String], class: &str| {
        if !items.is_empty() {
            let items: String = items.iter().map(|item| format!("<li>{}</li>\n", escape(item))).collect();
            let _ = writeln!(out, "<ul class=\"{class}\">\n{items}</ul>");
        }
    };
    list(&validity.reasons, "reasons");
    list(&validity.notes, "notes");
    out.push_str("</section>\n");
}

fn timeline_words(report: &Report) -> String {
    let mut words = "Coloured bands show when each configuration was drawing.".to_owned();
    if report.power.meter.is_some() {
        let _ = write!(
            words,
            " Power measured by {} at {} samples per second.",
            meter(report),
            short(report.power.meter.as_ref().map_or(0.0, |meter| meter.rate_hz))
        );
    }
    words
}

fn energy_words(report: &Report) -> String {
    let Some(meter) = &report.power.meter else { return String::new() };
    let accuracy = &meter.accuracy;
    let gain = accuracy
        .gain
        .map_or("not stated".into(), |gain| format!("{} %", short(gain * 100.0)));
    format!(
        "Joules per picture: the integral of power over time. {} measures {}. Its error is {gain}, according to {}. Net means above idle power.",
        meter.name, meter.measures, accuracy.stated_by
    )
}

#[cfg(test)]
mod tests {
    use super::super::report::example::report;
    use super::*;

    fn parsed(page: &str) -> roxmltree::Document<'_> {
        let options = roxmltree::ParsingOptions {
            allow_dtd: true,
            ..Default::default()
        };
        roxmltree::Document::parse_with_options(page, options).expect("the page is well-formed")
    }

    #[test]
    fn the_page_is_well_formed_and_loads_nothing() {
        let page = page(&report());
        let document = parsed(&page);
        for loads in ["http", "src=", "href", "url(", "@import", "script"] {
            assert!(!page.contains(loads), "{loads}");
        }
        let plots: Vec<_> = document.descendants().filter(|node| node.has_tag_name("svg")).collect();
        assert_eq!(plots.len(), 6);
        for plot in plots {
            let [_, _, width, height] = plot
                .attribute("viewBox")
                .unwrap()
                .split(' ')
                .map(|number| number.parse::<f64>().unwrap())
                .collect::<Vec<_>>()[..]
            else {
                panic!("no box")
            };
            for node in plot.descendants().filter(|node| node.is_element()) {
                for (name, most) in [
                    ("x", width),
                    ("cx", width),
                    ("x1", width),
                    ("x2", width),
                    ("y", height),
                    ("cy", height),
                    ("y1", height),
                    ("y2", height),
                ] {
                    let Some(value) = node.attribute(name) else { continue };
                    let value: f64 = value.parse().unwrap();
                    assert!((0.0..=most).contains(&value), "{name}={value} is outside of {most}");
                }
            }
        }
    }

    #[test]
    fn the_page_holds_the_reports_figures() {
        let report = report();
        let page = page(&report);
        let document = parsed(&page);
        let text: String = document
            .descendants()
            .filter_map(|node| if node.is_text() { node.text() } else { None })
            .collect();
        let median = report.results[1].stage(WHOLE).unwrap().milliseconds.median;
        for words in [
            "Raspberry Pi 4 Model B Rev 1.4",
            "Valid run",
            &format!("{} ms", short(median)),
            "0.5 J",
            "a <red> & \"round\" apple",
            &report.pack.sha256,
            &report.results[0].picture_sha256[0],
            "hwmon:ina219",
            "inkstone bench --steps 4",
            "idle 2 W",
            "blocks of pictures",
        ] {
            assert!(text.contains(words), "{words}");
        }
        let dots = document
            .descendants()
            .filter(|node| node.attribute("class").is_some_and(|class| class.starts_with("dot ")));
        assert_eq!(dots.count(), 200);
    }

    #[test]
    fn a_bare_report_is_a_page_too() {
        let mut report = report();
        report.validity.valid = false;
        report.validity.reasons = vec!["throttled <during> it".into()];
        report.power = Default::default();
        report.processor = Default::default();
        report.quality.clear();
        for result in &mut report.results {
            (result.memory, result.energy, result.cold, result.counts, result.page_faults) = (None, None, None, None, None);
        }
        let page = page(&report);
        assert!(parsed(&page).descendants().filter(|node| node.has_tag_name("svg")).count() == 3);
        assert!(
            page.contains("<title>INVALID") && page.contains("lead doubtful"),
            "no figure is emphasised"
        );
        assert!(page.contains("Invalid run") && page.contains("throttled &lt;during&gt; it") && !page.contains("Energy"));
    }
}
