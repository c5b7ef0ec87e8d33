//! Loads the seed pack with the fuzzer's bytes as its manifest.
#![no_main]

use inkstone_fuzz::Folder;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static FOLDER: Folder = Folder::new();
}

fuzz_target!(|bytes: &[u8]| {
    FOLDER.with(|folder| {
        folder.set_manifest(bytes);
        folder.load();
    });
});
