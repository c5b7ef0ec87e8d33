//! The examples run, and draw what the command line draws. `cargo test` builds them; `cargo test --test examples` alone does not,
//! so that a missing one is built here.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// An example's program.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let program = profile.join("examples").join(name);
    if !program.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--workspace", "--example", name]);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success());
    }
    program
}

/// Runs an example in the repository's root, where it finds the shipped pack.
fn run(name: &str, arguments: &[&Path]) -> Output {
    let output = Command::new(example(name))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn draw_gives_the_command_lines_picture() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("example.png");
    let said = text(&run("draw", &[&file]));
    let output = support::generate("a red apple", &folder.path().join("command.png"))
        .args(["--style", "flat", "--json"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let sha256 = report["pictures"][0]["sha256"].as_str().unwrap();
    assert!(said.contains(sha256), "the example drew another picture than {sha256}: {said}");
    support::inkstone().arg("verify").arg(&file).assert().success();
}

#[test]
fn progress_keeps_previews_and_stops_after_a_step() {
    let folder = tempfile::tempdir().unwrap();
    let said = text(&run("progress", &[folder.path()]));
    assert!(said.contains("drawn: SHA-256"), "{said}");
    assert_eq!(
        support::files(folder.path()),
        ["step-1.png", "step-2.png", "step-3.png", "step-4.png"]
    );
    let folder = tempfile::tempdir().unwrap();
    let said = text(&run("progress", &[folder.path(), Path::new("2")]));
    assert!(said.ends_with("cancelled\n"), "{said}");
    assert_eq!(support::files(folder.path()), ["step-1.png", "step-2.png"]);
}

#[test]
fn a_stage_runs_by_itself() {
    let said = text(&run("run_stage", &[&support::pack(), Path::new("decoder")]));
    assert!(said.contains("[1, 4, 128, 128]") && said.contains("mean"), "{said}");
}
