//! The command line: one file per subcommand. Owns arguments, exit codes and what is printed where: results go to standard
//! output, progress and messages to standard error. Depends on everything else.
//!
//! Not part of the library's interface: [`run`] is the program `inkstone`, and [`manual`] is shared with `inkstone-quantize`.

#[cfg(all(feature = "power", target_os = "linux"))]
mod bench;
mod blend;
mod destination;
mod doctor;
mod error;
mod explain;
mod generate;
mod info;
mod interrupt;
#[cfg(feature = "content-credentials")]
mod key;
#[cfg(feature = "kiosk")]
mod kiosk;
mod list;
mod locate;
pub mod manual;
mod morph;
mod output;
mod prompts;
mod read;
#[cfg(feature = "remote")]
mod serve;
mod sheet;
mod signing;
mod terminal;
mod vary;
mod verify;

use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};

pub use error::CliError;
pub use interrupt::report_file_size_limit;
pub use output::{log_to_stderr, progress};

use crate::process::allocator;
use crate::process::panics::{self, caught};

/// Pictures from words on the smallest computers.
#[derive(Debug, Parser)]
#[command(name = "inkstone", version, about, propagate_version = true, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage or input, 130 interrupted.\n\
    Environment: INKSTONE_PACK is another pack, INKSTONE_KERNEL the name of another int8 kernel; RUST_LOG=debug \
    prints more messages.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Generate pictures from a prompt.
    Generate(Box<generate::Arguments>),
    /// Generate pictures from several prompts that are mixed.
    Blend(Box<blend::Arguments>),
    /// Generate variations of a picture.
    Vary(Box<vary::Arguments>),
    /// Generate an animation of pictures that become one another.
    Morph(Box<morph::Arguments>),
    /// Run the kiosk: show pictures on a display, and draw what visitors ask for by buttons, touch or keyboard.
    #[cfg(feature = "kiosk")]
    Kiosk(Box<kiosk::Arguments>),
    /// Draw for phones and programs in the network, without a display.
    #[cfg(feature = "remote")]
    Serve(Box<serve::Arguments>),
    /// Measure time, memory and energy per picture.
    #[cfg(all(feature = "power", target_os = "linux"))]
    Bench(Box<bench::Arguments>),
    /// Show which pixels each word of a prompt decides.
    Explain(explain::Arguments),
    /// Show how prompts are read: which words are known, and what would be drawn.
    Read(read::Arguments),
    /// List what can be asked for.
    List(list::Arguments),
    /// Show what made pictures, or what packs contain.
    Info(locate::Subjects),
    /// Check packs' files, or pictures against their records.
    Verify(locate::Subjects),
    /// Make a key of your own, with which pictures are signed.
    #[cfg(feature = "content-credentials")]
    Key(key::Arguments),
    /// Check whether a kiosk would run on this machine, and what to fix.
    Doctor(doctor::Arguments),
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let started = Instant::now();
    allocator::limit_malloc_arenas();
    output::log_to_stderr("error,inkstone=warn");
    report_file_size_limit();
    let arguments: Arguments = match manual::parse() {
        Ok(arguments) => arguments,
        Err(ended) => return ended,
    };
    panics::log_them();
    match caught(|| carry_out(arguments.command, started)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        // Whoever reads the output may stop early; the work is done.
        Ok(Err(error)) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            output::message(&format!("error: {error}"));
            if let Some(hint) = error.hint() {
                output::message(&format!("hint: {hint}"));
            }
            ExitCode::from(error.exit_code())
        }
        Err(problem) => {
            output::message(&format!("error: {problem}; please report it, with what RUST_LOG=debug prints"));
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Command, started: Instant) -> Result<(), CliError> {
    match command {
        Command::Generate(arguments) => generate::run(&arguments, started),
        Command::Blend(arguments) => blend::run(&arguments, started),
        Command::Vary(arguments) => vary::run(&arguments, started),
        Command::Morph(arguments) => morph::run(&arguments, started),
        #[cfg(feature = "kiosk")]
        Command::Kiosk(arguments) => kiosk::run(&arguments),
        #[cfg(feature = "remote")]
        Command::Serve(arguments) => serve::run(&arguments),
        #[cfg(all(feature = "power", target_os = "linux"))]
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Read(arguments) => read::run(&arguments),
        Command::List(arguments) => list::run(&arguments),
        Command::Info(subjects) => info::run(&subjects),
        Command::Verify(subjects) => verify::run(&subjects),
        #[cfg(feature = "content-credentials")]
        Command::Key(arguments) => key::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
    }
}
