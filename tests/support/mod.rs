//! What the end-to-end tests share: the binary, the shipped pack, and copies of it to break.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use tempfile::TempDir;

#[cfg(feature = "remote")]
#[allow(dead_code, reason = "not every test file asks a server")]
pub mod http;

/// The shipped pack.
pub fn pack() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram")
}

/// The binary, without the surroundings of whoever runs the tests.
pub fn inkstone() -> Command {
    let mut command = Command::cargo_bin("inkstone").expect("cargo builds the binary for its tests");
    for name in ["INKSTONE_KERNEL", "LC_ALL", "LC_MESSAGES", "LANG"] {
        command.env_remove(name);
    }
    command.env("INKSTONE_PACK", pack());
    command
}

/// `inkstone generate` of a prompt into a file.
#[allow(dead_code, reason = "not every test file draws")]
pub fn generate(prompt: &str, out: &Path) -> Command {
    let mut command = inkstone();
    command.args(["generate", prompt, "--seed", "7", "--out"]).arg(out);
    command
}

/// A copy of the shipped pack in a temporary folder.
#[allow(dead_code, reason = "not every test file breaks packs")]
pub fn copied_pack() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("pack");
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(pack()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        } else {
            copy_folder(&entry.path(), &copy.join(entry.file_name()));
        }
    }
    (folder, copy)
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Names of the files in a folder, sorted.
#[allow(dead_code, reason = "not every test file looks into folders")]
pub fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
