//! Reads the fuzzer's bytes as a picture file, of any format.
#![no_main]

use std::path::PathBuf;

use inkstone::picture::image_file;
use inkstone_fuzz::read;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a folder for temporary files");
}

fuzz_target!(|bytes: &[u8]| {
    let file: PathBuf = FOLDER.with(|folder| folder.path().join("picture"));
    std::fs::write(&file, bytes).expect("the folder for temporary files can be written");
    read(image_file::read(&file));
});
