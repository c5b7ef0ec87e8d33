//! Where pictures go and come from: names that are not text, folders, pipes, standard input and output, and pictures of other
//! programs.

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use predicates::prelude::*;
use serde_json::Value;
use support::{files, inkstone};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// One quick picture.
fn generate(folder: &Path, prompt: &str, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = inkstone();
    command
        .current_dir(folder)
        .args(["generate", prompt, "--steps", "1", "--seed", "7"])
        .args(arguments);
    command
}

#[cfg(unix)]
#[test]
fn names_that_are_not_text_are_written_and_read() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join(OsStr::from_bytes(b"d\xe9"));
    std::fs::create_dir(&inside).unwrap();
    let name = inside.join(OsStr::from_bytes(b"caf\xe9.png"));
    generate(folder.path(), "cat", &["--json", "--out"])
        .arg(&name)
        .assert()
        .success()
        .stdout(predicate::str::contains("d\u{fffd}/caf\u{fffd}.png"));
    for command in ["info", "verify"] {
        inkstone().args([command, "--json"]).arg(&name).assert().success();
        inkstone().arg(command).arg(&name).assert().success();
    }
}

#[test]
fn missing_folders_are_made() {
    let folder = tempfile::tempdir().unwrap();
    for (out, count) in [("trees/", "1"), ("more", "2"), ("a/b/c/", "1")] {
        generate(folder.path(), "a tree", &["--count", count, "--out", out])
            .assert()
            .success();
        assert_eq!(files(&folder.path().join(out))[0], "a-tree-7.png");
    }
    assert_eq!(files(&folder.path().join("more")), ["a-tree-7.png", "a-tree-8.png"]);
    std::fs::write(folder.path().join("taken"), b"").unwrap();
    generate(folder.path(), "a tree", &["--out", "taken/"]).assert().code(2);
}

#[test]
fn names_keep_the_marks_of_their_letters() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), "बिल्ली", &["--out", "."]).assert().success();
    assert_eq!(files(folder.path()), ["बिल्ली-7.png"]);
}

#[test]
fn standard_output_and_pipes_take_one_picture() {
    let folder = tempfile::tempdir().unwrap();
    for out in ["-", "/dev/stdout"] {
        generate(folder.path(), "cat", &["--out", out])
            .assert()
            .success()
            .stdout(predicate::function(|bytes: &[u8]| bytes.starts_with(PNG)))
            .stderr(predicate::str::contains("seed 7"));
    }
    assert!(files(folder.path()).is_empty());
    for (arguments, problem) in [
        (&["--out", "-", "--count", "2"][..], "takes one picture"),
        (&["--out", "-", "--json"], "cannot take a picture and --json"),
    ] {
        generate(folder.path(), "cat", arguments)
            .assert()
            .code(2)
            .stdout("")
            .stderr(predicate::str::contains(problem));
    }
    #[cfg(unix)]
    {
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = Command::new("cat").arg(&pipe).stdout(Stdio::piped()).spawn().unwrap();
        generate(folder.path(), "cat", &["--out", "pipe"]).assert().success();
        assert!(reader.wait_with_output().unwrap().stdout.starts_with(PNG));
    }
}

#[test]
fn standard_input_is_a_prompt_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "a cat\n\nqwxzv\r\n two dogs\n";
    generate(folder.path(), "-", &["--out", "drawn"])
        .write_stdin(lines)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("line 3: nothing in \"qwxzv\" is known").and(predicate::str::contains("1 of 3 prompts")));
    assert_eq!(files(&folder.path().join("drawn")), ["a-cat-7.png", "two-dogs-7.png"]);
    generate(folder.path(), "-", &["--out", "none"])
        .write_stdin("\n")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("there is no prompt to draw"));
    assert!(!folder.path().join("none").exists());
    let output = generate(folder.path(), "-", &["--out", "n.png", "--count", "2", "--json"])
        .write_stdin("cat\ndog\n")
        .output()
        .unwrap();
    let reports = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let files: Vec<String> = reports
        .flat_map(|report| report.unwrap()["pictures"].as_array().unwrap().clone())
        .map(|picture| picture["file"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(files, ["n-1.png", "n-2.png", "n-3.png", "n-4.png"]);
}

#[test]
fn words_need_no_quotation_marks_and_seeds_may_be_random() {
    let folder = tempfile::tempdir().unwrap();
    let report = |arguments: &[&str]| -> Value {
        let mut command = inkstone();
        command.current_dir(folder.path()).args(arguments).args(["--steps", "1", "--json"]);
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    };
    let one = report(&["generate", "a", "red", "cat", "--seed", "-1"]);
    let two = report(&["generate", "a red cat", "--seed", "-1"]);
    assert_eq!((&one["prompt"], &one["read_as"]), (&"a red cat".into(), &two["read_as"]));
    assert_ne!(one["pictures"][0]["seed"], two["pictures"][0]["seed"]);
    inkstone()
        .args(["generate", "cat", "--seed", "-2"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("a seed is a number from 0").and(predicate::str::contains("tip").not()));
}

#[test]
fn a_prompt_without_a_command_is_told_how_to_draw() {
    inkstone()
        .arg("robot")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("hint: `inkstone generate \"robot\"` draws it"));
    inkstone()
        .arg("\u{1b}[2Jrobot")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("\u{1b}").not());
}

/// A PNG file with a text that another program might have written.
fn foreign(path: &Path, parameters: &str) {
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), 1, 1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.add_itxt_chunk("parameters".into(), parameters.into()).unwrap();
    encoder.write_header().unwrap().write_image_data(&[1, 2, 3]).unwrap();
}

#[test]
fn pictures_of_other_programs_are_shown_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cat.png");
    let text = "a cat\u{1b}]52;c;QUJD\u{7}\u{1b}[2J\u{202e}\nSteps: 20, Sampler: Euler a, Seed: 5, Size: 1x1, Model: dream";
    foreign(&path, text);
    let shown = predicate::str::contains("Sampler     Euler a")
        .and(predicate::str::contains("another program's"))
        .and(predicate::str::contains("guidance").not())
        .and(predicate::str::is_match("[\u{1b}\u{7}\u{202e}]").unwrap().not());
    inkstone().arg("info").arg(&path).assert().success().stdout(shown);
    let output = inkstone().args(["info", "--json"]).arg(&path).output().unwrap();
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["made_by"], Value::Null);
    assert_eq!(value["other_program"]["parameters"]["Model"], "dream");
    inkstone()
        .arg("verify")
        .arg(&path)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("whether the picture was changed is unknown"));
}

#[test]
fn several_files_are_looked_at_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), "cat", &["--out", "cat.png"]).assert().success();
    foreign(&folder.path().join("other.png"), "");
    let mut verify = inkstone();
    verify
        .current_dir(folder.path())
        .args(["verify", "other.png", "cat.png", "missing.png"]);
    let told = predicate::str::contains("other.png: there is no record")
        .and(predicate::str::contains("missing.png"))
        .and(predicate::str::contains("2 of 3 are at fault"));
    verify.assert().code(2).stdout("cat.png: clean\n").stderr(told);
}

/// The program under a limit of the shell's `ulimit`.
#[cfg(target_os = "linux")]
fn limited(folder: &Path, limit: &str, arguments: &str) -> std::process::Output {
    let program = assert_cmd::cargo::cargo_bin("inkstone");
    let script = format!("ulimit {limit}; exec \"{}\" {arguments}", program.display());
    let mut command = Command::new("sh");
    command
        .current_dir(folder)
        .args(["-c", &script])
        .env("INKSTONE_PACK", support::pack());
    command.output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn little_address_space_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let output = limited(folder.path(), "-v 400000", "generate cat --steps 1 --threads 1 --out cat.png");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn too_many_open_files_are_the_machine_s_fault() {
    let folder = tempfile::tempdir().unwrap();
    // The program itself starts with four, and fails at one of the pack's files with these.
    let codes: Vec<Option<i32>> = (4..8)
        .map(|files| {
            limited(
                folder.path(),
                &format!("-n {files}"),
                "generate cat --steps 1 --out cat.png --force",
            )
        })
        .filter(|output| String::from_utf8_lossy(&output.stderr).contains("Too many open files"))
        .map(|output| output.status.code())
        .collect();
    assert!(!codes.is_empty() && codes.iter().all(|code| *code == Some(1)), "{codes:?}");
}
