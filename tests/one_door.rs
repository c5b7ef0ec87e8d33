//! The same request gives the same pixels from the library, the command line, the benchmark, the kiosk and `doctor`.

mod support;

use std::path::Path;

use inkstone::{Pipeline, Request};
use serde_json::Value;
use support::{inkstone, pack};

/// Requests that callers once drew differently: a style that only the model's training suggests, one that the words ask for, a
/// sprite that is enlarged, several objects, a word that is approximated.
fn requests() -> [Request; 5] {
    [
        Request::new("harp").steps(1).seed(7),
        Request::new("pixel art dragon").steps(1).seed(3),
        Request::new("dragon").style("pixel").steps(1).seed(3).size(256),
        Request::new("two cats and a robot").steps(1).seed(5),
        Request::new("a blue werewolf in the snow").steps(2).seed(11),
    ]
}

/// The hash that a program of ten lines gets.
fn by_library(request: &Request) -> String {
    let mut pipeline = Pipeline::open(pack()).unwrap();
    let generated = pipeline.generate(request).unwrap();
    assert_eq!(generated.provenance.picture_sha256, generated.picture.sha256());
    generated.picture.sha256()
}

/// Options of a request as `generate` and `bench` take them.
fn options(request: &Request) -> Vec<String> {
    let mut options = Vec::new();
    let mut add = |name: &str, value: Option<String>| options.extend(value.map(|value| format!("--{name}={value}")));
    add("style", request.style.clone());
    add("steps", request.steps.map(|steps| steps.to_string()));
    add("seed", request.seed.map(|seed| seed.to_string()));
    add("size", request.size.map(|size| size.to_string()));
    options
}

fn json(command: &mut assert_cmd::Command) -> Value {
    let output = command.assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output).unwrap()
}

fn by_command_line(request: &Request) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = inkstone();
    command.arg("generate").arg(&request.prompt).arg("--json").args(options(request));
    let report = json(command.arg("--out").arg(folder.path().join("picture.png")));
    report["pictures"][0]["sha256"].as_str().unwrap().to_owned()
}

#[cfg(all(feature = "power", target_os = "linux"))]
fn by_bench(request: &Request) -> String {
    let mut command = inkstone();
    command.args(["bench", "--json=-", "--runs=1", "--warm-up=0", "--power=none", "--threads=1"]);
    let report = json(command.args(options(request)).arg("--prompt").arg(&request.prompt));
    let hashes = report["results"][0]["picture_sha256"].as_array().unwrap().clone();
    assert_eq!(hashes.len(), 1);
    hashes[0].as_str().unwrap().to_owned()
}

#[test]
fn the_same_request_gives_the_same_pixels() {
    for request in requests() {
        let library = by_library(&request);
        assert_eq!(by_command_line(&request), library, "{request:?}");
        #[cfg(all(feature = "power", target_os = "linux"))]
        assert_eq!(by_bench(&request), library, "{request:?}");
    }
}

/// `doctor` compares what it draws with a stored hash; the library draws the same.
#[test]
fn doctor_draws_what_the_library_draws() {
    let golden: toml::Table = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pictures.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let quickest = golden["pictures"]
        .as_array()
        .unwrap()
        .iter()
        .min_by_key(|picture| picture["steps"].as_integer());
    let quickest = quickest.unwrap();
    let request = Request::new(quickest["prompt"].as_str().unwrap())
        .style(quickest["style"].as_str().unwrap())
        .steps(quickest["steps"].as_integer().unwrap() as usize)
        .seed(7);
    // On a busy machine doctor gives up a picture that takes too long.
    let drawn = (0..10).find_map(|_| self_test_hash()).expect("doctor finishes one of ten pictures");
    assert_eq!(drawn, by_library(&request));
}

/// The hash of doctor's picture, if it finished one.
fn self_test_hash() -> Option<String> {
    let output = inkstone().args(["doctor", "--json"]).output().unwrap().stdout;
    let report: Value = serde_json::from_slice(&output).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let test = findings.iter().find(|finding| finding["check"] == "self-test").unwrap();
    test["figures"]["picture_sha256"].as_str().map(str::to_owned)
}
