//! The plots of a report.

use super::svg::{Anchor, Drawing, Scale, short};
use crate::bench::energy::Interval;
use crate::bench::report::{ConfigurationResult, INFERENCE, Report, WHOLE};
use crate::bench::statistics::quantile;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 745.0;
/// Width of the row names.
const NAMES: f64 = 205.0;
/// Half the width of the widest label of a median.
const HALF_LABEL: f64 = 32.0;
/// Number of colour classes, which repeat.
const COLOURS: usize = 8;
/// Maximum number of points of a line: more than a page has pixels.
const MOST_POINTS: usize = 1200;
/// Blocks of one configuration with smaller gaps are one band, in seconds.
const GAP: f64 = 0.5;

fn colour(index: usize) -> String {
    format!("c{}", index % COLOURS)
}

fn wholes(report: &Report) -> impl Iterator<Item = (usize, &ConfigurationResult, &[f64])> {
    let results = report.results.iter().enumerate();
    results.filter_map(|(index, result)| Some((index, result, result.stage(WHOLE)?.samples.as_slice())))
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Each picture as a dot in its configuration's row, with a box from the 25th to the 75th percentile and a line at the median, which is
/// told above it.
pub fn strips(report: &Report) -> String {
    const ROW: f64 = 60.0;
    let rows = report.results.len() as f64;
    let (top, bottom) = (10.0, 10.0 + ROW * rows);
    let longest = wholes(report).flat_map(|(_, _, samples)| samples).copied().fold(0.0, f64::max);
    let scale = Scale::nice(0.0, longest, NAMES, RIGHT - 10.0, 7);
    let mut drawing = Drawing::new(WIDTH, bottom + 40.0);
    drawing.bottom_axis(&scale, top, bottom, "milliseconds per picture");
    for (index, result, samples) in wholes(report) {
        let middle = top + ROW * (index as f64 + 0.5);
        drawing.text("row", (NAMES - 10.0, middle + 4.0), Anchor::End, &result.configuration.to_string());
        let step = samples.len().div_ceil(MOST_POINTS).max(1);
        for (at, &sample) in samples.iter().enumerate().step_by(step) {
            // Deterministic jitter, so that dots of equal times do not overlap.
            let aside = ((at * 7) % 19) as f64 - 9.0;
            drawing.dot(&format!("dot {}", colour(index)), (scale.at(sample), middle + aside), 2.2);
        }
        let ordered = sorted(samples);
        let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(&ordered, share));
        let title = format!(
            "{}: median {} ms, quartiles {} and {} ms",
            result.configuration,
            short(median),
            short(low),
            short(high)
        );
        let (x, width) = (scale.at(low), scale.at(high) - scale.at(low));
        drawing.rectangle(
            &format!("quarters {}", colour(index)),
            (x, middle - 13.0),
            (width.max(1.0), 26.0),
            &title,
        );
        drawing.line("median", (scale.at(median), middle - 16.0), (scale.at(median), middle + 16.0));
        let label = format!("{} ms", short(median));
        let at = scale.at(median).clamp(NAMES + HALF_LABEL, RIGHT - HALF_LABEL);
        drawing.text("value", (at, middle - 20.0), Anchor::Middle, &label);
    }
    drawing.finish("time of every picture, by configuration")
}

/// The cumulative distribution of times.
pub fn cumulative(report: &Report) -> String {
    let (top, bottom) = (28.0, 250.0);
    let all: Vec<f64> = sorted(&wholes(report).flat_map(|(_, _, samples)| samples.to_vec()).collect::<Vec<_>>());
    let (least, most) = (all.first().copied().unwrap_or(0.0), all.last().copied().unwrap_or(1.0));
    let x = Scale::nice(if least < most / 2.0 { 0.0 } else { least }, most, LEFT, RIGHT - 10.0, 7);
    let y = Scale::new(0.0, 100.0, bottom, top);
    let mut drawing = Drawing::new(WIDTH, bottom + 40.0);
    drawing.bottom_axis(&x, top, bottom, "milliseconds per picture");
    drawing.left_axis(&y, LEFT, RIGHT - 10.0, 5, "% of pictures finished within");
    for (index, _, samples) in wholes(report) {
        let ordered = sorted(samples);
        let count = ordered.len() as f64;
        let step = ordered.len().div_ceil(MOST_POINTS).max(1);
        let mut points = vec![(x.at(ordered[0]), y.at(0.0))];
        for (at, &sample) in ordered.iter().enumerate().step_by(step) {
            let before = points.last().map_or(y.at(0.0), |point| point.1);
            points.push((x.at(sample), before));
            points.push((x.at(sample), y.at(100.0 * (at + 1) as f64 / count)));
        }
        points.push((x.at(ordered[ordered.len() - 1]), y.at(100.0)));
        drawing.path(&format!("curve {}", colour(index)), points.into_iter());
    }
    drawing.finish("cumulative distribution of picture times, by configuration")
}

/// Names of all stages except sums of others, in order of first appearance.
pub fn stage_names(report: &Report) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let longest = report.results.iter().max_by_key(|result| result.stages.len());
    let stages = longest.into_iter().chain(&report.results).flat_map(|result| &result.stages);
    for stage in stages.filter(|stage| ![WHOLE, INFERENCE].contains(&stage.stage.as_str())) {
        if !names.contains(&stage.stage) {
            names.push(stage.stage.clone());
        }
    }
    names
}

/// Stacked bars, one row per configuration.
fn stacks(report: &Report, rows: &[Vec<(usize, String, f64)>], unit: &str, label: &str) -> String {
    const ROW: f64 = 34.0;
    let (top, bottom) = (10.0, 10.0 + ROW * rows.len() as f64);
    let sum = |row: &[(usize, String, f64)]| row.iter().map(|part| part.2).sum::<f64>();
    let scale = Scale::nice(0.0, rows.iter().map(|row| sum(row)).fold(0.0, f64::max), NAMES, RIGHT - 70.0, 7);
    let mut drawing = Drawing::new(WIDTH, bottom + 40.0);
    drawing.bottom_axis(&scale, top, bottom, unit);
    for (index, (row, result)) in rows.iter().zip(&report.results).enumerate() {
        let y = top + ROW * index as f64 + 6.0;
        drawing.text("row", (NAMES - 10.0, y + 15.0), Anchor::End, &result.configuration.to_string());
        let mut reached = 0.0;
        for (which, name, value) in row {
            let (x, end) = (scale.at(reached), scale.at(reached + value));
            let title = format!("{name}: {} {unit}", short(*value));
            drawing.rectangle(&colour(*which), (x, y), (end - x - 0.5, ROW - 12.0), &title);
            reached += value;
        }
        drawing.text("value", (scale.at(reached) + 6.0, y + 15.0), Anchor::Start, &short(reached));
    }
    drawing.finish(label)
}

/// Medians of the stages, stacked.
pub fn stages(report: &Report) -> String {
    let names = stage_names(report);
    let row = |result: &ConfigurationResult| {
        let each = names.iter().enumerate();
        each.filter_map(|(index, name)| Some((index, name.clone(), result.stage(name)?.milliseconds.median)))
            .collect()
    };
    let rows: Vec<Vec<_>> = report.results.iter().map(row).collect();
    stacks(report, &rows, "milliseconds (medians)", "median of every stage, by configuration")
}

/// Private and mapped memory, if known.
pub fn memory(report: &Report) -> Option<String> {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let row = |result: &ConfigurationResult| {
        let memory = result.memory?;
        let parts = [("private", memory.private_bytes), ("mapped", memory.mapped_bytes)];
        let each = parts.into_iter().enumerate();
        Some(
            each.map(|(index, (name, bytes))| (index, name.to_owned(), mebibytes(bytes)))
                .collect(),
        )
    };
    let rows: Option<Vec<Vec<_>>> = report.results.iter().map(row).collect();
    rows.map(|rows| stacks(report, &rows, "MiB", "peak memory, by configuration"))
}

/// One panel of the timeline.
struct Panel {
    points: Vec<(f64, f64)>,
    name: String,
    from_zero: bool,
}

/// Power, temperature and clock over the run, with bands for the configurations; `None` if none of them is known.
pub fn timeline(report: &Report) -> Option<String> {
    const HEIGHT: f64 = 120.0;
    const BETWEEN: f64 = 34.0;
    let panels = panels(report);
    if panels.is_empty() {
        return None;
    }
    let first = panels
        .iter()
        .filter_map(|panel| Some(panel.points.first()?.0))
        .fold(f64::INFINITY, f64::min);
    let height = (HEIGHT + BETWEEN) * panels.len() as f64;
    let x = Scale::new(first.min(report.seconds), report.seconds, LEFT, RIGHT - 10.0);
    let mut drawing = Drawing::new(WIDTH, height + 44.0);
    for (configuration, band) in bands(report) {
        let name = report.results.get(configuration).map(|result| result.configuration.to_string());
        let (start, end) = (x.at(band.start), x.at(band.end));
        let class = format!("band {}", colour(configuration));
        drawing.rectangle(
            &class,
            (start, BETWEEN),
            ((end - start).max(0.5), height - BETWEEN),
            &name.unwrap_or_default(),
        );
    }
    for (index, panel) in panels.iter().enumerate() {
        let top = BETWEEN + (HEIGHT + BETWEEN) * index as f64;
        let values = || panel.points.iter().map(|point| point.1);
        let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let y = Scale::nice(if panel.from_zero { low.min(0.0) } else { low }, high, top + HEIGHT, top, 4);
        drawing.left_axis(&y, LEFT, RIGHT - 10.0, 4, &panel.name);
        let step = panel.points.len().div_ceil(MOST_POINTS).max(1);
        let points = panel.points.iter().step_by(step);
        drawing.path("curve ink", points.map(|&(seconds, value)| (x.at(seconds), y.at(value))));
        if index == 0
            && let Some(idle) = report.power.idle
        {
            drawing.line("idle", (LEFT, y.at(idle.watts)), (RIGHT - 10.0, y.at(idle.watts)));
            let words = format!("idle {} W", short(idle.watts));
            drawing.text("value", (RIGHT - 12.0, y.at(idle.watts) - 5.0), Anchor::End, &words);
        }
    }
    drawing.bottom_axis(&x, height, height, "seconds since the start of the run");
    Some(drawing.finish("power, temperature and clock over the run"))
}

fn panels(report: &Report) -> Vec<Panel> {
    let mut panels = Vec::new();
    let mut add = |points: Vec<(f64, f64)>, name: String, from_zero| {
        if points.len() > 1 {
            panels.push(Panel { points, name, from_zero });
        }
    };
    let meter = report
        .power
        .meter
        .as_ref()
        .map_or(String::new(), |meter| format!("W ({})", meter.name));
    add(
        report.power.samples.iter().map(|sample| (sample.seconds, sample.watts)).collect(),
        meter,
        true,
    );
    let moments = || report.processor.timeline.iter();
    add(
        moments().filter_map(|moment| Some((moment.seconds, moment.celsius?))).collect(),
        "°C".into(),
        false,
    );
    add(
        moments().filter_map(|moment| Some((moment.seconds, moment.megahertz?))).collect(),
        "MHz".into(),
        true,
    );
    panels
}

/// When each configuration was drawing, with adjacent blocks merged.
fn bands(report: &Report) -> Vec<(usize, Interval)> {
    let mut bands: Vec<(usize, Interval)> = Vec::new();
    for picture in &report.pictures {
        match bands.last_mut() {
            Some((configuration, band)) if *configuration == picture.configuration && picture.window.start - band.end < GAP => {
                band.end = picture.window.end;
            }
            _ => bands.push((picture.configuration, picture.window)),
        }
    }
    bands
}

/// Retrieval by number of steps, from the model card, with the times measured in this run; `None` without a card.
pub fn quality(report: &Report) -> Option<String> {
    let (top, bottom) = (28.0, 210.0);
    let points = |figure: fn(&crate::bench::report::Quality) -> Option<f64>| {
        let each = report.quality.iter().enumerate();
        each.filter_map(move |(index, quality)| Some((index, 100.0 * figure(quality)?)))
            .collect::<Vec<_>>()
    };
    let curves = [
        ("own caption ranked first", points(|quality| quality.retrieval_at_1)),
        ("own caption in the top five", points(|quality| quality.retrieval_at_5)),
    ];
    if curves.iter().all(|(_, points)| points.is_empty()) {
        return None;
    }
    let x = Scale::new(-0.5, report.quality.len() as f64 - 0.2, LEFT, RIGHT - 110.0);
    let y = Scale::new(0.0, 100.0, bottom, top);
    let mut drawing = Drawing::new(WIDTH, bottom + 50.0);
    drawing.left_axis(&y, LEFT, RIGHT - 110.0, 5, "R@1 and R@5, %");
    for (index, quality) in report.quality.iter().enumerate() {
        let at = x.at(index as f64);
        let plural = if quality.steps == 1 { "" } else { "s" };
        drawing.text(
            "tick",
            (at, bottom + 16.0),
            Anchor::Middle,
            &format!("{} step{plural}", quality.steps),
        );
        let times = wholes(report).filter(|(_, result, _)| result.configuration.steps == quality.steps);
        let fastest = times.map(|(_, _, samples)| quantile(&sorted(samples), 0.5)).reduce(f64::min);
        let words = fastest.map_or("not measured".into(), |time| format!("{} ms in this run", short(time)));
        drawing.text("name", (at, bottom + 32.0), Anchor::Middle, &words);
    }
    for (index, (name, points)) in curves.iter().enumerate() {
        let places: Vec<(f64, f64)> = points.iter().map(|&(at, value)| (x.at(at as f64), y.at(value))).collect();
        drawing.path(&format!("curve {}", colour(index)), places.iter().copied());
        for (&place, (_, value)) in places.iter().zip(points) {
            drawing.dot(&colour(index), place, 4.0);
            drawing.text("value", (place.0, place.1 - 9.0), Anchor::Middle, &short(*value));
        }
        if let Some(&(_, height)) = places.last() {
            drawing.text("tick", (RIGHT - 104.0, height + 4.0), Anchor::Start, name);
        }
    }
    Some(drawing.finish("retrieval of pictures by steps"))
}
