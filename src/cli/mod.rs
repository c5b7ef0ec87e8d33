//! The command line: one file per subcommand. Owns arguments, exit codes and what is printed where: results go to standard
//! output, progress and messages to standard error. Depends on everything else.
//!
//! Not part of the library's interface: [`run`] is the program `inkstone`, and [`manual`] is shared with `inkstone-quantize`.

#[cfg(all(feature = "power", target_os = "linux"))]
mod bench;
mod doctor;
mod error;
mod generate;
mod info;
mod interrupt;
#[cfg(feature = "kiosk")]
mod kiosk;
mod locate;
pub mod manual;
mod output;
mod verify;

use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};

pub use error::CliError;

use crate::process::allocator;

/// Pictures from words on the smallest computers.
#[derive(Debug, Parser)]
#[command(name = "inkstone", version, about, propagate_version = true, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage or input, 130 interrupted.\n\
    INKSTONE_PACK names another pack, INKSTONE_KERNEL another int8 kernel, RUST_LOG=debug tells more.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Draws pictures of a prompt.
    Generate(Box<generate::Arguments>),
    /// Shows pictures on a display and draws what visitors ask for with four buttons, a touch screen or a keyboard.
    #[cfg(feature = "kiosk")]
    Kiosk(Box<kiosk::Arguments>),
    /// Measures time, memory and energy of pictures.
    #[cfg(all(feature = "power", target_os = "linux"))]
    Bench(Box<bench::Arguments>),
    /// Tells what made a picture, or what a pack is.
    Info(locate::Subject),
    /// Checks a pack's files, or a picture against its record.
    Verify(locate::Subject),
    /// Looks at this machine, its displays, settings and pack, and tells whether a kiosk would run.
    Doctor(doctor::Arguments),
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let started = Instant::now();
    allocator::limit_malloc_arenas();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("error,inkstone=warn"))
        .format_timestamp(None)
        .init();
    let arguments: Arguments = match manual::parse() {
        Ok(arguments) => arguments,
        Err(ended) => return ended,
    };
    let result = match arguments.command {
        Command::Generate(arguments) => generate::run(&arguments, started),
        #[cfg(feature = "kiosk")]
        Command::Kiosk(arguments) => kiosk::run(&arguments),
        #[cfg(all(feature = "power", target_os = "linux"))]
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Info(subject) => info::run(&subject),
        Command::Verify(subject) => verify::run(&subject),
        Command::Doctor(arguments) => doctor::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output may stop early; the work is done.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            output::message(&format!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
