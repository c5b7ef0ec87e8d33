//! Draws with a pack that was changed as the fuzzer's bytes say, with checksums that fit.
#![no_main]

use inkstone_fuzz::{Drawn, seed};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static DRAWN: Drawn = Drawn::new();
}

fuzz_target!(|bytes: &[u8]| DRAWN.with(|drawn| drawn.draw(seed(bytes))));
