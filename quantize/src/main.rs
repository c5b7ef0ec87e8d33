//! Maps a result to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    match inkstone_quantize::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("inkstone-quantize: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
