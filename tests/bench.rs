//! `inkstone bench` as an engineer runs it: the shipped pack, few pictures, trees of boards.

#![cfg(all(feature = "power", target_os = "linux"))]

mod support;

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;
use serde_json::Value;
use support::{files, inkstone};

fn tree(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees").join(name)
}

/// One step, one thread, `runs` pictures, on a board's tree.
fn bench(root: &Path, runs: &str) -> Command {
    let mut command = inkstone();
    command
        .args([
            "bench",
            "--steps",
            "1",
            "--threads",
            "1",
            "--runs",
            runs,
            "--warm-up",
            "1",
            "--idle",
            "0.5",
            "--root",
        ])
        .arg(root);
    command
}

fn report(command: &mut Command) -> Value {
    let output = command.args(["--json", "-"]).assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output).expect("valid JSON on standard output")
}

fn reasons(report: &Value) -> String {
    report["validity"]["reasons"].to_string()
}

#[test]
fn a_report_holds_what_was_asked_for() {
    let mut command = inkstone();
    command.args([
        "bench",
        "--steps",
        "1,2",
        "--threads",
        "1,2",
        "--size",
        "64",
        "--runs",
        "5",
        "--warm-up",
        "1",
    ]);
    let report = report(command.args(["--power", "none", "--seed", "9", "--prompt", "a blue fish, flat style"]));
    assert_eq!(
        (&report["schema"], &report["schema_version"]),
        (&"inkstone-bench".into(), &1.into())
    );
    assert_eq!(
        (&report["request"]["style"], &report["request"]["seed"]),
        (&"flat".into(), &9.into())
    );
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 4);
    for result in results {
        let steps = result["configuration"]["steps"].as_u64().unwrap();
        let stages: Vec<&str> = result["stages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|stage| stage["stage"].as_str().unwrap())
            .collect();
        let expected = if steps == 1 {
            vec!["text_encoder", "step 1", "decoder", "inference", "png", "picture"]
        } else {
            vec!["text_encoder", "step 1", "step 2", "decoder", "inference", "png", "picture"]
        };
        assert_eq!(stages, expected);
        for stage in result["stages"].as_array().unwrap() {
            let figures = &stage["milliseconds"];
            let number = |name: &str| figures[name].as_f64().unwrap();
            assert!(number("min") > 0.0 && number("min") <= number("median") && number("median") <= number("max"));
            assert_eq!((&figures["n"], &figures["p99"]), (&5.into(), &Value::Null));
            assert_eq!(stage["samples"].as_array().unwrap().len(), 5);
        }
        // A picture is its stages and little else; inference is all of them but the file.
        let least: Vec<f64> = result["stages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|stage| stage["milliseconds"]["min"].as_f64().unwrap())
            .collect();
        let [stages @ .., inference, png, whole] = least.as_slice() else {
            panic!()
        };
        assert!(stages.iter().sum::<f64>() <= inference * 1.001, "{least:?}");
        assert!(inference + png <= whole * 1.001, "{least:?}");
        assert!(result["pictures_per_second"].as_f64().unwrap() > 0.0);
        assert!(result["memory"]["private_bytes"].as_u64().unwrap() > 1 << 20);
        assert!(result["page_faults"]["minor"].as_f64().is_some() && result["energy"].is_null() && result["cold"].is_null());
    }
    // The same picture with one thread and two, another with another number of steps.
    let hash = |at: usize| &results[at]["picture_sha256"][0];
    assert_eq!((hash(0), hash(2)), (hash(1), hash(3)));
    assert_ne!(hash(0), hash(2));
    assert_eq!(report["pictures"].as_array().unwrap().len(), 20);
    assert!(report["command"].as_str().unwrap().contains("--prompt 'a blue fish, flat style'"));
    assert!(reasons(&report).contains("5 per configuration, 100 are needed"));
    assert_eq!(report["validity"]["valid"], false);
    assert!(report["power"]["meter"].is_null());
}

/// Every field of a real report is documented, and every documented field is there or may be absent.
#[test]
fn the_schema_documents_every_field() {
    let schema = include_str!("../src/bench/schema.md");
    let documented: Vec<(&str, bool)> = schema
        .lines()
        .filter_map(|line| {
            let (path, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
            Some((path, rest.contains("or null") || rest.contains("may be absent")))
        })
        .collect();
    assert!(documented.len() > 60, "{}", documented.len());
    let found = report(bench(&tree("zero2w"), "6").arg("--cold").arg("1"));
    let mut paths = std::collections::BTreeMap::new();
    collect(&found, String::new(), &mut paths);
    for path in paths.keys() {
        assert!(documented.iter().any(|(known, _)| known == path), "{path} is not documented");
    }
    for (path, optional) in documented {
        match paths.get(path) {
            None => assert!(optional, "{path} is documented and not there"),
            Some(null) => assert!(optional || !null, "{path} is null, which is not documented"),
        }
    }
}

/// The paths of all fields, `[]` for the elements of arrays; whether any value is null.
fn collect(value: &Value, path: String, paths: &mut std::collections::BTreeMap<String, bool>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(value, path, paths);
            }
        }
        Value::Array(values) if values.iter().any(Value::is_object) => {
            values.iter().for_each(|value| collect(value, format!("{path}[]"), paths));
        }
        other => *paths.entry(path).or_default() |= other.is_null(),
    }
}

#[test]
fn a_throttled_board_makes_the_run_invalid() {
    let report = report(bench(&tree("pi4"), "5").args(["--power", "none"]));
    assert!(
        reasons(&report).contains("throttled during the run: throttled, under-voltage"),
        "{}",
        reasons(&report)
    );
    assert_eq!(report["processor"]["before"]["celsius"], 81.303);
    let cool = self::report(bench(&tree("zero2w"), "5").args(["--power", "none"]));
    assert!(!reasons(&cool).contains("throttled"), "{}", reasons(&cool));
}

#[test]
fn energy_is_power_times_time() {
    let report = report(bench(&tree("zero2w"), "8").args(["--power", "constant:2.5"]));
    let result = &report["results"][0];
    let energy = &result["energy"];
    let blocks = energy["method"] == "blocks-of-pictures";
    let mean = result["stages"].as_array().unwrap().last().unwrap()["milliseconds"]["mean"]
        .as_f64()
        .unwrap()
        / 1e3;
    let joules = energy["gross_joules"].as_f64().unwrap();
    // Blocks also hold the time between two pictures, in which the picture's checksum is made.
    assert!(
        joules >= 2.5 * mean * 0.999 && joules < 2.5 * mean * 1.5 + 0.2,
        "{joules} J in {mean} s, blocks: {blocks}"
    );
    assert!(energy["net_joules"].as_f64().unwrap().abs() < 1e-6);
    assert!(report["power"]["meter"]["measures"].as_str().unwrap().contains("not measured"));
}

#[test]
fn each_board_finds_its_meter() {
    for (name, meter, watts) in [("zero2w", "hwmon:ina219", 1.62), ("pi5", "pmic", 1.963)] {
        let report = report(&mut bench(&tree(name), "5"));
        assert_eq!(report["power"]["meter"]["name"], meter);
        let samples = report["power"]["samples"].as_array().unwrap();
        assert!((samples[0]["watts"].as_f64().unwrap() - watts).abs() < 1e-3, "{}", samples[0]);
    }
    let empty = tempfile::tempdir().unwrap();
    let report = report(&mut bench(empty.path(), "5"));
    assert!(report["power"]["meter"].is_null() && report["results"][0]["energy"].is_null());
    assert!(!report["power"]["why_not"].as_array().unwrap().is_empty());
}

#[test]
fn cold_starts_tell_when_the_first_step_began() {
    let report = report(bench(Path::new("/"), "5").args(["--cold", "2", "--power", "none"]));
    let cold = &report["results"][0]["cold"];
    let median = |name: &str| cold[name]["median"].as_f64().unwrap();
    assert!(median("to_first_step") > 0.0 && median("to_first_step") < median("to_first_step_done"));
    assert!(median("to_first_step_done") < median("to_picture"));
    assert_eq!(cold["to_picture"]["n"], 2);
    assert!(cold["page_cache"].as_str().unwrap().contains("posix_fadvise"));
    assert!(cold["bytes"].as_u64().unwrap() > 1 << 20);
}

#[test]
fn a_time_is_kept_and_the_table_is_for_people() {
    let mut command = inkstone();
    command.args(["bench", "--steps", "1", "--threads", "1", "--seconds", "1", "--power", "none"]);
    let started = std::time::Instant::now();
    let assert = command.assert().success();
    assert!(started.elapsed().as_secs_f64() > 1.0);
    assert
        .stdout(predicate::str::contains("1 step, 1 thread, 128 px"))
        .stdout(predicate::str::contains("text_encoder"))
        .stdout(predicate::str::contains("INVALID"))
        .stdout(predicate::str::contains("peak memory"));
}

#[test]
fn memory_is_of_each_configuration_alone() {
    let mut command = inkstone();
    command.args([
        "bench",
        "--steps",
        "1",
        "--threads",
        "1",
        "--size",
        "4096,128",
        "--runs",
        "1",
        "--warm-up",
        "0",
    ]);
    let report = report(command.args(["--power", "none"]));
    let private = |at: usize| report["results"][at]["memory"]["private_bytes"].as_u64().unwrap();
    assert!(private(0) > private(1) + (64 << 20), "{} and {}", private(0), private(1));
}

#[test]
fn times_are_exported_and_a_regression_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut command = inkstone();
    command.args([
        "bench",
        "--steps",
        "1-2",
        "--threads",
        "1",
        "--runs",
        "1",
        "--warm-up",
        "0",
        "--power",
        "none",
    ]);
    let csv = command
        .args(["--csv", "-", "--markdown"])
        .arg(path("a.md"))
        .arg("--json")
        .arg(path("a.json"))
        .output()
        .unwrap();
    let csv = String::from_utf8(csv.stdout).unwrap();
    assert!(
        csv.starts_with("steps,threads,size_px,stage,n,median_ms,") && csv.contains("2,1,128,picture,1,"),
        "{csv}"
    );
    assert!(
        std::fs::read_to_string(path("a.md"))
            .unwrap()
            .contains("| 1 | 1 | 128 | inference | 1 |")
    );
    inkstone()
        .args(["bench", "--steps", "5-9"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("1, 2, 4"));
    // One picture makes no valid run.
    inkstone()
        .args(["bench", "--fail-above", "5%", "--compare"])
        .args([path("a.json"), path("a.json")])
        .assert()
        .code(1)
        .stdout(predicate::str::contains("not comparable"))
        .stderr(predicate::str::contains("the second run is worse").and(predicate::str::contains("picture: not comparable")));
    let mut valid: Value = serde_json::from_str(&std::fs::read_to_string(path("a.json")).unwrap()).unwrap();
    valid["validity"]["valid"] = true.into();
    std::fs::write(path("valid.json"), valid.to_string()).unwrap();
    inkstone()
        .args(["bench", "--fail-above", "5", "--compare"])
        .args([path("valid.json"), path("valid.json")])
        .assert()
        .success();
}

#[test]
fn reports_are_files_and_can_be_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, seed) in [("a.json", "1"), ("b.json", "2")] {
        let html = path(&name.replace("json", "html"));
        bench(&tree("zero2w"), "6")
            .args(["--seed", seed, "--json"])
            .arg(path(name))
            .arg("--html")
            .arg(html)
            .assert()
            .success()
            .stdout(predicate::str::contains("1 step"));
    }
    assert_eq!(files(folder.path()), ["a.html", "a.json", "b.html", "b.json"]);
    let mut command = inkstone();
    command.args(["bench", "--compare"]).arg(path("a.json")).arg(path("b.json"));
    command
        .assert()
        .success()
        .stdout(predicate::str::contains("seeds differ: 1 and 2"))
        .stdout(predicate::str::contains("step 1"));
    let output = command.args(["--json", "-"]).assert().success().get_output().stdout.clone();
    let comparison: Value = serde_json::from_slice(&output).unwrap();
    let figures = comparison["configurations"][0]["figures"].as_array().unwrap();
    assert!(
        figures
            .iter()
            .any(|figure| figure["name"] == "picture" && figure["ratio"].as_f64().unwrap() > 0.0)
    );
    // Nothing is written over without being asked.
    bench(&tree("zero2w"), "5")
        .arg("--json")
        .arg(path("a.json"))
        .assert()
        .code(2)
        .stderr(predicate::str::contains("--force"));
    // A page is XML with everything in it.
    let page = std::fs::read_to_string(path("a.html")).unwrap();
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..Default::default()
    };
    roxmltree::Document::parse_with_options(&page, options).expect("well-formed");
    assert!(!page.contains("http") && page.contains("ina219"));
}

#[test]
fn bad_input_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.json");
    std::fs::write(&broken, "{}").unwrap();
    let broken = broken.to_str().unwrap();
    for (arguments, words) in [
        (vec!["--steps", "3"], "3"),
        (vec!["--steps", "x"], "invalid value"),
        (vec!["--threads", "0"], "must be from"),
        (vec!["--threads", "5000"], "1024"),
        (vec!["--size", "4"], "size"),
        (vec!["--runs", "0"], "must be from"),
        (vec!["--seconds", "-1"], "must be a number of seconds"),
        (vec!["--seconds", "nan"], "must be a number of seconds"),
        (vec!["--runs", "5", "--seconds", "5"], "cannot be used with"),
        (vec!["--power", "volcano"], "known are auto"),
        (vec!["--power", "ina219,shunt=-1"], "above 0"),
        (vec!["--prompt", ""], "prompt"),
        (vec!["--style", "baroque"], "baroque"),
        (vec!["--pack", "/nonexistent"], "/nonexistent"),
        (vec!["--json", "/nonexistent/x.json"], "folder does not exist"),
        (vec!["--compare", broken, broken], "not a report"),
        (vec!["--compare", broken], "values"),
        (vec!["--compare", "/nonexistent/a", "/nonexistent/b"], "/nonexistent/a"),
    ] {
        let mut command = inkstone();
        let assert = command.arg("bench").args(&arguments).assert().code(2);
        let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    // A missing meter is not wrong usage.
    for (power, words) in [
        ("hwmon:none", "no hwmon device"),
        ("ina219:/nonexistent/i2c", "no such I2C bus"),
        ("csv:/nonexistent/x", "/nonexistent/x"),
        ("rapl:moon", "no energy counter"),
        ("pmic", "Raspberry Pi 5"),
    ] {
        bench(folder.path(), "5")
            .args(["--power", power])
            .assert()
            .code(1)
            .stderr(predicate::str::contains(words));
    }
}
