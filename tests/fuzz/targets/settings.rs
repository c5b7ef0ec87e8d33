//! Reads the fuzzer's bytes, and an example that was changed as they say, as settings of the kiosk.
#![no_main]

use inkstone::kiosk::settings::{EXAMPLE, Settings};
use inkstone_fuzz::mutants::{Random, change_text};
use inkstone_fuzz::{read, seed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let parse = |text: &str| read(Settings::parse(text, "kiosk.toml".as_ref()));
    parse(&String::from_utf8_lossy(bytes));
    parse(&change_text(&mut Random(seed(bytes)), EXAMPLE));
});
