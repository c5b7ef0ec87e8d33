//! Reads the fuzzer's bytes, and a script that was changed as they say, as a script of presses.
#![no_main]

use inkstone::device::buttons::Script;
use inkstone_fuzz::mutants::{Random, change_text};
use inkstone_fuzz::{read, seed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let parse = |text: &str| read(Script::parse(text, "demo.txt"));
    parse(&String::from_utf8_lossy(bytes));
    parse(&change_text(&mut Random(seed(bytes)), include_str!("../../kiosk/demo.txt")));
});
