//! `inkstone bench`: time, memory and energy per picture.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use indicatif::ProgressBar;

use super::locate::PackArgument;
use super::{CliError, interrupt, output};
use crate::atomic_file;
use crate::bench::compare::Comparison;
use crate::bench::plan::{Amount, Configuration, Plan};
use crate::bench::report::{self, Machine, PackRecord, Report, RequestRecord};
use crate::bench::run::{Bench, Findings, Listener, NumberedMarker, RunError};
use crate::bench::{compare, export, html, table, validity};
use crate::device::power::{PowerError, PowerSource};
use crate::picture::{ScaleError, scale};
use crate::pipeline::{Capabilities, Options, Pipeline, PipelineError, Request};

/// Largest count accepted.
const MOST: u64 = 1_000_000;

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pack: PackArgument,
    /// Numbers of denoising steps, or ranges of them such as 1-4; by default the pack's.
    #[arg(long, value_delimiter = ',', value_name = "N,…")]
    steps: Vec<Steps>,
    /// Numbers of threads; one per core by default.
    #[arg(long, value_delimiter = ',', value_name = "N,…", value_parser = count)]
    threads: Vec<usize>,
    /// Longest sides of the written picture in pixels; the pack's own size by default.
    #[arg(long, value_delimiter = ',', value_name = "PX,…")]
    size: Vec<u32>,
    /// Pictures per configuration; the 99th percentile needs at least 100.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = count)]
    runs: usize,
    /// Seconds per configuration, instead of a number of pictures.
    #[arg(long, value_name = "T", conflicts_with = "runs", value_parser = seconds, allow_negative_numbers = true)]
    seconds: Option<f64>,
    /// Warm-up pictures per configuration, which are not measured.
    #[arg(long, value_name = "N", default_value_t = 2)]
    warm_up: usize,
    /// Cold starts per configuration: each is a new process, with the pack's pages dropped from memory first.
    #[arg(long, value_name = "N", num_args = 0..=1, default_value_t = 0, default_missing_value = "5")]
    cold: usize,
    /// What to draw.
    #[arg(long, default_value = "a red apple")]
    prompt: String,
    /// Drawing style. By default the prompt's words choose it, then the styles that the model has learned the object in.
    #[arg(long)]
    style: Option<String>,
    /// Seed of the noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The power meter: auto, none, or a source such as pmic, hwmon:ina219, ina219:/dev/i2c-1@0x40,shunt=0.1, rapl, supply,
    /// csv:FILE, serial:/dev/ttyUSB0,baud=115200,columns=volts/amps, constant:2.5.
    #[arg(long, value_name = "auto|none|SOURCE", default_value = "auto")]
    power: String,
    /// Seconds of idle power to measure before the first picture.
    #[arg(long, value_name = "T", default_value = "10", value_parser = seconds, allow_negative_numbers = true)]
    idle: f64,
    /// GPIO line that is high while a picture is drawn, for external meters.
    #[cfg(feature = "gpio")]
    #[arg(long, value_name = "LINE")]
    marker_pin: Option<u32>,
    /// Seed of the random order of the configurations.
    #[arg(long, value_name = "N", default_value_t = 1)]
    order_seed: u64,
    /// Write the report as JSON, to standard output with `-`.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Write the report as a self-contained HTML page with plots.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write times as comma-separated values, to standard output with `-`.
    #[arg(long, value_name = "FILE|-")]
    csv: Option<PathBuf>,
    /// Write times as a table in Markdown, to standard output with `-`.
    #[arg(long, value_name = "FILE|-")]
    markdown: Option<PathBuf>,
    /// Replace existing files.
    #[arg(long)]
    force: bool,
    /// With --compare: exit with code 1 if a figure is larger in the second report by more than this, beyond the spread, or if the
    /// reports cannot be compared.
    #[arg(long, value_name = "PERCENT", value_parser = percent, requires = "compare")]
    fail_above: Option<f64>,
    /// Compare two reports instead of measuring.
    #[arg(long, num_args = 2, value_names = ["A.json", "B.json"],
          conflicts_with_all = ["steps", "threads", "size", "runs", "seconds", "cold", "html", "csv", "markdown", "power"])]
    compare: Option<Vec<PathBuf>>,
    /// Root folder of the system's files.
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    root: PathBuf,
}

/// A number of steps, or all that the pack has in a range.
#[derive(Clone, Copy, Debug)]
enum Steps {
    One(usize),
    Range(usize, usize),
}

impl std::str::FromStr for Steps {
    type Err = String;

    fn from_str(text: &str) -> Result<Steps, String> {
        let number = |text: &str| {
            text.parse::<usize>()
                .map_err(|_| "must be a number, or a range such as 1-4".to_owned())
        };
        match text.split_once('-') {
            Some((first, last)) => Ok(Steps::Range(number(first)?, number(last)?)),
            None => Ok(Steps::One(number(text)?)),
        }
    }
}

/// A share from a percentage, with or without the sign.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').parse::<f64>().ok();
    let share = number.map(|percent| percent / 100.0).filter(|share| (0.0..=100.0).contains(share));
    share.ok_or_else(|| "must be a percentage, such as 5%".into())
}

fn count(text: &str) -> Result<usize, String> {
    let parsed = text.parse::<u64>().ok().filter(|count| (1..=MOST).contains(count));
    parsed
        .and_then(|count| usize::try_from(count).ok())
        .ok_or_else(|| format!("must be from 1 to {MOST}"))
}

fn seconds(text: &str) -> Result<f64, String> {
    let parsed = text.parse::<f64>().ok().filter(|seconds| (0.0..=1e6).contains(seconds));
    parsed.ok_or_else(|| "must be a number of seconds from 0 to 1000000".into())
}

/// Runs `bench`.
pub fn run(arguments: &Arguments) -> Result<(), CliError> {
    if let Some([first, second]) = arguments.compare.as_deref() {
        return compare_reports(first, second, arguments);
    }
    check_outputs(arguments)?;
    let source: PowerSource = arguments.power.parse().map_err(power_error)?;
    let mut pipeline = Pipeline::open_with(arguments.pack.folder(), &Options::default().reuses_texts(false))?;
    let plan = plan(arguments, pipeline.capabilities())?;
    let mut request = Request::new(&arguments.prompt).seed(arguments.seed);
    request.style.clone_from(&arguments.style);
    let resolved = pipeline.resolve(&request)?;
    resolved.notes().iter().for_each(|note| output::message(&format!("note: {note}")));
    let record = RequestRecord {
        prompt: arguments.prompt.clone(),
        style: resolved.style().map(str::to_owned),
        seed: arguments.seed,
        guidance: resolved.guidance(),
    };
    let pack = PackRecord {
        name: pipeline.pack().manifest().name.clone(),
        version: pipeline.pack().manifest().version.clone(),
        sha256: pipeline.pack().sha256().to_owned(),
        bytes: pipeline.pack().bytes(),
    };
    let quality = report::quality(pipeline.pack().folder());
    let bench = Bench {
        plan: &plan,
        pipeline,
        request,
        root: &arguments.root,
        program: &std::env::current_exe()?,
        power: source.open(&arguments.root).map_err(power_error)?,
        marker: marker(arguments)?,
    };
    interrupt::listen();
    let started = SystemTime::now();
    let mut bars = Bars(output::progress(0, "{msg:12} {bar:32} {pos}/{len} {eta} left"));
    let findings = bench.run(&mut bars).map_err(run_error);
    bars.0.finish_and_clear();
    let mut report = report(arguments, &plan, pack, record, findings?, started);
    report.quality = quality;
    report.validity = validity::judge(&report);
    show(arguments, &report)
}

fn show(arguments: &Arguments, report: &Report) -> Result<(), CliError> {
    if let Some(file) = &arguments.html {
        atomic_file::write(file, html::page(report).as_bytes(), arguments.force)?;
    }
    let json = || {
        serde_json::to_string_pretty(report)
            .map(|text| text + "\n")
            .map_err(std::io::Error::other)
    };
    let mut is_shown = true;
    for (file, text) in [
        (&arguments.json, &json as &dyn Fn() -> std::io::Result<String>),
        (&arguments.csv, &|| Ok(export::csv(report))),
        (&arguments.markdown, &|| Ok(export::markdown(report))),
    ] {
        let Some(file) = file else { continue };
        if file == Path::new("-") {
            is_shown = false;
            output::result(text()?.trim_end())?;
        } else {
            atomic_file::write(file, text()?.as_bytes(), arguments.force)?;
        }
    }
    if is_shown {
        output::result(table::text(report).trim_end())?;
    }
    Ok(())
}

fn compare_reports(first: &Path, second: &Path, arguments: &Arguments) -> Result<(), CliError> {
    let read = |path: &Path| Report::read(path).map_err(|error| CliError::Usage(error.to_string()));
    let comparison = compare::compare(&read(first)?, &read(second)?);
    show_comparison(&comparison, arguments)?;
    let failures = arguments.fail_above.map_or_else(Vec::new, |share| comparison.failures(share));
    if failures.is_empty() {
        return Ok(());
    }
    Err(CliError::Regression(failures.join("\n  ")))
}

fn show_comparison(comparison: &Comparison, arguments: &Arguments) -> Result<(), CliError> {
    match &arguments.json {
        Some(file) if file == Path::new("-") => output::json(comparison),
        Some(file) => {
            let text = serde_json::to_string_pretty(comparison).map_err(std::io::Error::other)?;
            atomic_file::write(file, (text + "\n").as_bytes(), arguments.force)?;
            output::result(table::comparison(comparison).trim_end())
        }
        None => output::result(table::comparison(comparison).trim_end()),
    }
}

/// Checks the files to write before an hour is spent on measuring.
fn check_outputs(arguments: &Arguments) -> Result<(), CliError> {
    let files = [&arguments.json, &arguments.html, &arguments.csv, &arguments.markdown];
    let on_stdout = files.iter().filter(|file| file.as_deref() == Some(Path::new("-"))).count();
    if on_stdout > 1 {
        return Err(CliError::Usage(
            "only one of --json, --csv and --markdown can be written to standard output".into(),
        ));
    }
    let mut files = files.into_iter().flatten().filter(|file| *file != Path::new("-"));
    Ok(files.try_for_each(|file| atomic_file::check(file, arguments.force))?)
}

fn plan(arguments: &Arguments, can: &Capabilities) -> Result<Plan, CliError> {
    let or = |given: &[usize], default: usize| if given.is_empty() { vec![default] } else { given.to_vec() };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let longest = can.width.max(can.height);
    let sizes = if arguments.size.is_empty() {
        vec![longest]
    } else {
        arguments.size.clone()
    };
    let mut configurations = Vec::new();
    for steps in steps(arguments, can)? {
        for &threads in &or(&arguments.threads, cores) {
            if threads > 1024 {
                return Err(CliError::Usage("--threads must be from 1 to 1024".into()));
            }
            for &size in &sizes {
                if !scale::SIZES.contains(&size) {
                    return Err(PipelineError::from(ScaleError::Size(size)).into());
                }
                let configuration = Configuration { steps, threads, size };
                if !configurations.contains(&configuration) {
                    configurations.push(configuration);
                }
            }
        }
    }
    Ok(Plan {
        configurations,
        amount: arguments.seconds.map_or(Amount::Pictures(arguments.runs), Amount::Seconds),
        warm_up: arguments.warm_up,
        cold_starts: arguments.cold,
        idle_seconds: arguments.idle,
        order_seed: arguments.order_seed,
    })
}

/// The numbers of steps that are asked for, all of which the pack has.
fn steps(arguments: &Arguments, can: &Capabilities) -> Result<Vec<usize>, CliError> {
    if arguments.steps.is_empty() {
        return Ok(vec![can.default_steps]);
    }
    let mut all = Vec::new();
    for asked in &arguments.steps {
        let (first, last) = match *asked {
            Steps::One(steps) => (steps, steps),
            Steps::Range(first, last) => (first, last),
        };
        let found: Vec<usize> = can.steps.iter().copied().filter(|steps| (first..=last).contains(steps)).collect();
        if found.is_empty() {
            let known = can.steps.clone();
            return Err(PipelineError::Steps { steps: first, known }.into());
        }
        all.extend(found);
    }
    Ok(all)
}

#[cfg(feature = "gpio")]
fn marker(arguments: &Arguments) -> Result<Option<NumberedMarker>, CliError> {
    let Some(line) = arguments.marker_pin else { return Ok(None) };
    let marker = crate::device::power::marker::GpioMarker::open(line)
        .map_err(|error| std::io::Error::other(format!("--marker-pin {line}: {error}")))?;
    Ok(Some((Box::new(marker), line)))
}

#[cfg(not(feature = "gpio"))]
fn marker(_: &Arguments) -> Result<Option<NumberedMarker>, CliError> {
    Ok(None)
}

fn power_error(error: PowerError) -> CliError {
    if error.is_input_fault() {
        CliError::Usage(error.to_string())
    } else {
        CliError::Output(std::io::Error::other(error.to_string()))
    }
}

fn run_error(error: RunError) -> CliError {
    match error {
        RunError::Pipeline(error) => error.into(),
        RunError::Png(error) => error.into(),
        RunError::System(error) => error.into(),
        RunError::Cold(_) | RunError::Marker(_) => CliError::Output(std::io::Error::other(error.to_string())),
    }
}

fn report(arguments: &Arguments, plan: &Plan, pack: PackRecord, request: RequestRecord, findings: Findings, started: SystemTime) -> Report {
    Report {
        schema: report::SCHEMA.into(),
        schema_version: report::SCHEMA_VERSION,
        version: env!("CARGO_PKG_VERSION").into(),
        command: command(std::env::args().skip(1)),
        started_unix: started.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
        seconds: findings.seconds,
        validity: Default::default(),
        pack,
        request,
        plan: plan.clone(),
        machine: Machine::read(&arguments.root, findings.engine_kernel),
        processor: findings.processor,
        power: findings.power,
        counters_absent: findings.counters_absent,
        results: findings.results,
        pictures: findings.pictures,
        quality: Vec::new(),
    }
}

/// The command line again, quoted for a shell.
fn command(arguments: impl Iterator<Item = String>) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=,./:@+".contains(letter);
    let quoted = arguments.map(|argument| {
        if !argument.is_empty() && argument.chars().all(plain) {
            argument
        } else {
            format!("'{}'", argument.replace('\'', "'\\''"))
        }
    });
    std::iter::once("inkstone".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

/// A bar for each phase.
struct Bars(ProgressBar);

impl Listener for Bars {
    fn phase(&mut self, name: &str, count: u64) {
        self.0.reset();
        self.0.set_length(count);
        self.0.set_message(name.to_owned());
    }

    fn advance(&mut self) {
        self.0.inc(1);
    }

    fn stopped(&self) -> bool {
        interrupt::requested()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted() {
        let words = ["bench", "--prompt", "it's a cat", "--steps", "1,2", ""];
        let said = command(words.into_iter().map(String::from));
        assert_eq!(said, "inkstone bench --prompt 'it'\\''s a cat' --steps 1,2 ''");
    }
}
