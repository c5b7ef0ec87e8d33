//! The command line.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use inkstone::cli::manual;
use inkstone::process::panics;

use inkstone::pack::MOST_STEPS;

use crate::calibration::Target;
use crate::diffusers::MAX_GUIDANCE;
use crate::error::{Error, Result};
use crate::{Options, Report, Scheme, Sizes};

/// Turns an f32 ONNX export into an Inkstone pack with int8 weights.
#[derive(Debug, Parser)]
#[command(version, about, after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage or input.")]
pub struct Arguments {
    /// Folder with model.toml, graphs, tokenizer and card; a Stable Diffusion class model of diffusers as ONNX; one ONNX graph; or a table of words,
    /// of which a lexicon is made
    #[arg(value_name = "FOLDER|MODEL.onnx|WORDS.tsv")]
    pub input: PathBuf,
    /// Folder to write the pack to, or file to write the lexicon to
    #[arg(long, value_name = "PACK|LEXICON")]
    pub out: PathBuf,
    /// Which layers become int8
    #[arg(long, value_enum, default_value_t)]
    pub scheme: Scheme,
    /// Name of a layer that stays f32 all the same, as the report has it; may be repeated
    #[arg(long, value_name = "LAYER")]
    pub keep: Vec<String>,
    /// Size of a dimension that the export leaves free, such as batch=1; may be repeated
    #[arg(long = "size", value_name = "NAME=N", value_parser = size)]
    pub sizes: Vec<(String, usize)>,
    /// Default number of denoising steps of the pack; without the option what is usual for the model's scheduler
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = steps)]
    pub steps: Option<usize>,
    /// Default guidance of the pack; without the option what is usual for the model's scheduler
    #[arg(long, value_name = "G", allow_negative_numbers = true, value_parser = guidance)]
    pub guidance: Option<f32>,
    /// Samples to compare the pack with the f32 model by: a text file with a prompt a line or, for one graph, `[[sample]]` tables of
    /// its inputs in TOML; without the option, a few that are built in
    #[arg(long, value_name = "FILE")]
    pub calibrate: Option<PathBuf>,
    /// Least median PSNR beside the f32 model, in decibels: where int8 does not reach it, input channels are scaled, and the
    /// layers that lose most get activations of 16 bits, or attention in f32
    #[arg(long, value_name = "DB", value_parser = decibels)]
    pub min_psnr: Option<f64>,
    /// Least share, from 0 to 1, of the difference that another prompt makes in the f32 model
    #[arg(long, value_name = "X", value_parser = share)]
    pub min_conditioning: Option<f64>,
    /// Write the comparison with the f32 model to an HTML page: pictures side by side, and what each layer loses
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Replace a pack that is there already
    #[arg(long)]
    pub force: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

fn size(text: &str) -> std::result::Result<(String, usize), String> {
    let (name, size) = text.split_once('=').ok_or("must be NAME=N")?;
    match size.parse() {
        Ok(size) if size > 0 && !name.is_empty() => Ok((name.to_owned(), size)),
        _ => Err("must be NAME=N with a whole number from 1".to_owned()),
    }
}

fn steps(text: &str) -> std::result::Result<usize, String> {
    let steps = text.parse().ok().filter(|steps| (1..=MOST_STEPS).contains(steps));
    steps.ok_or_else(|| format!("must be a whole number from 1 to {MOST_STEPS}"))
}

fn guidance(text: &str) -> std::result::Result<f32, String> {
    let guidance = text.parse().ok().filter(|guidance| (0.0..=MAX_GUIDANCE).contains(guidance));
    guidance.ok_or_else(|| format!("must be a number from 0 to {MAX_GUIDANCE}"))
}

fn decibels(text: &str) -> std::result::Result<f64, String> {
    let decibels = text.parse().ok().filter(|decibels| (0.0..=100.0).contains(decibels));
    decibels.ok_or_else(|| "must be a number from 0 to 100".to_owned())
}

fn share(text: &str) -> std::result::Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "must be a number from 0 to 1".to_owned())
}

/// Runs the command line; returns the exit code of [`Error::exit_code`], or 2 for wrong usage.
pub fn run() -> ExitCode {
    inkstone::cli::log_to_stderr("warn");
    inkstone::cli::report_file_size_limit();
    let arguments: Arguments = match manual::parse() {
        Ok(arguments) => arguments,
        Err(ended) => return ended,
    };
    panics::log_them();
    match panics::caught(|| carry_out(arguments)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("inkstone-quantize: {error}");
            ExitCode::from(error.exit_code())
        }
        Err(problem) => {
            eprintln!("inkstone-quantize: {problem}; please report it, with what RUST_LOG=debug prints");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(arguments: Arguments) -> Result<()> {
    if arguments.input.extension().is_some_and(|extension| extension == "tsv") {
        return make_lexicon(&arguments);
    }
    let options = Options {
        scheme: arguments.scheme,
        keep: arguments.keep,
        sizes: sizes(arguments.sizes)?,
        steps: arguments.steps,
        guidance: arguments.guidance,
        force: arguments.force,
        target: Target {
            samples: arguments.calibrate,
            min_psnr: arguments.min_psnr,
            min_conditioning: arguments.min_conditioning,
            page: arguments.report,
        },
    };
    let bar = inkstone::cli::progress(0, "{msg} {wide_bar} {pos}/{len} {eta}");
    let report = crate::quantize(&arguments.input, &arguments.out, &options, &mut |what, done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        bar.set_message(what.to_owned());
    });
    bar.finish_and_clear();
    print(&report?, arguments.json)
}

/// Each size by its name.
fn sizes(given: Vec<(String, usize)>) -> Result<Sizes> {
    let mut sizes = Sizes::new();
    for (name, size) in given {
        let twice = format!("--size: {name} is given twice");
        if sizes.insert(name, size).is_some_and(|earlier| earlier != size) {
            return Err(Error::usage(twice));
        }
    }
    Ok(sizes)
}

/// Makes a lexicon of a table of words, which has nothing that the other options could apply to.
fn make_lexicon(arguments: &Arguments) -> Result<()> {
    let of_models = [
        ("--scheme", arguments.scheme != Scheme::default()),
        ("--keep", !arguments.keep.is_empty()),
        ("--size", !arguments.sizes.is_empty()),
        ("--steps", arguments.steps.is_some()),
        ("--guidance", arguments.guidance.is_some()),
        ("--calibrate", arguments.calibrate.is_some()),
        ("--min-psnr", arguments.min_psnr.is_some()),
        ("--min-conditioning", arguments.min_conditioning.is_some()),
        ("--report", arguments.report.is_some()),
        ("--json", arguments.json),
    ];
    match of_models.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(Error::usage(format!(
            "{option} is for models; a table of words takes --out and --force"
        ))),
        None => crate::lexicon::make(&arguments.input, &arguments.out, arguments.force),
    }
}

fn print(report: &Report, json: bool) -> Result<()> {
    let mut output = std::io::stdout().lock();
    let text = if json {
        serde_json::to_string_pretty(report).map_err(std::io::Error::from)
    } else {
        Ok(report.to_string())
    };
    match text.and_then(|text| writeln!(output, "{text}")) {
        // Whoever reads the report may stop early; the pack is complete.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::machine(Path::new("standard output"), "write")(error)),
        _ => Ok(()),
    }
}
