//! The `inkstone-quantize` binary, nothing else.

fn main() -> std::process::ExitCode {
    inkstone_quantize::cli::run()
}
