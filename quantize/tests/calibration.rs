//! Packs that are compared with the f32 model, and made more precise until they are as close as is asked for.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use inkstone::Pipeline;
use inkstone::pipeline::Request;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

/// A latent consistency model with random weights.
fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pipelines/latent-consistency")
}

/// A graph of it.
fn decoder() -> PathBuf {
    model().join("vae_decoder/model.onnx")
}

fn quantize(input: &Path, pack: &Path, options: &[&str]) -> Command {
    let mut command = Command::cargo_bin("inkstone-quantize").unwrap();
    command.arg(input).arg("--out").arg(pack).args(options);
    command
}

fn report(mut command: Command) -> Value {
    let output = command.arg("--json").assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

fn samples(folder: &Path, text: &str) -> String {
    let file = folder.join("samples");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// How often each operator of convolutions stands in the pack, by its report.
fn convolutions(report: &Value) -> [u64; 2] {
    ["inkstone.QConv", "inkstone.QConv16"].map(|name| {
        let stages = report["stages"].as_array().unwrap().iter();
        stages.filter_map(|stage| stage["operators"][name].as_u64()).sum()
    })
}

#[test]
fn layers_get_16_bits_until_the_pictures_are_close() {
    let folder = tempfile::tempdir().unwrap();
    let (pack, prompts) = (
        folder.path().join("pack"),
        samples(folder.path(), "a red cat\n# not this\n\nan apple"),
    );
    let measured = report(quantize(&model(), &pack, &["--calibrate", &prompts]));
    let quality = &measured["quality"];
    let before = quality["median_psnr_db"].as_f64().unwrap();
    assert_eq!(quality["samples"][1]["sample"], "an apple");
    assert_eq!((quality["samples"].as_array().unwrap().len(), convolutions(&measured)[1]), (2, 0));
    assert!(
        before > 30.0 && (0.8..1.2).contains(&quality["conditioning"].as_f64().unwrap()),
        "{quality}"
    );

    let wanted = (before + 1.0).to_string();
    let options = [
        "--calibrate",
        &prompts,
        "--min-psnr",
        &wanted,
        "--min-conditioning",
        "0.8",
        "--force",
    ];
    let raised = report(quantize(&model(), &pack, &options));
    let quality = &raised["quality"];
    assert!(quality["median_psnr_db"].as_f64().unwrap() >= before + 1.0, "{quality}");
    let [narrow, wide] = convolutions(&raised);
    assert_eq!(narrow + wide, convolutions(&measured)[0]);
    assert_eq!(quality["int16_layers"].as_array().unwrap().len() as u64, wide);
    assert!(wide > 0 && narrow > 0 && (0.0..1.0).contains(&quality["int16_share"].as_f64().unwrap()));

    // What is measured is what the pack draws.
    let drawn = Pipeline::open(&pack)
        .unwrap()
        .generate(&Request::new("a red apple").seed(7).steps(1));
    assert_eq!(raised["picture_sha256"], drawn.unwrap().provenance.picture_sha256);
    assert_eq!(report(quantize(&model(), &pack, &options)), raised);
}

#[test]
fn graphs_are_measured_by_their_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("pack");
    let input = {
        let found = report(quantize(&decoder(), &pack, &["--min-psnr", "20"]));
        assert_eq!(
            (found["quality"]["conditioning"].clone(), convolutions(&found)[1]),
            (Value::Null, 0)
        );
        let manifest: toml::Table = std::fs::read_to_string(pack.join("pack.toml")).unwrap().parse().unwrap();
        manifest["stages"]["model"]["inputs"][0]["name"].as_str().unwrap().to_owned()
    };
    let given = samples(folder.path(), &format!("[[sample]]\n{input} = {{ normal = 2, seed = 5 }}\n"));
    let found = report(quantize(&decoder(), &pack, &["--force", "--calibrate", &given]));
    assert_eq!(found["quality"]["samples"].as_array().unwrap().len(), 1);
    let wrong = samples(folder.path(), "[[sample]]\nlatents = 1\n");
    let problem = format!("sample[0].latents: the graph has no such input (inputs: {input})");
    quantize(&decoder(), &pack, &["--force", "--calibrate", &wrong])
        .assert()
        .code(2)
        .stderr(contains(problem));
}

#[test]
fn what_is_not_reached_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("pack");
    let prompts = samples(folder.path(), "a red cat");
    quantize(&model(), &pack, &["--calibrate", &prompts, "--min-psnr", "99"])
        .assert()
        .code(2)
        .stderr(contains("the layers that lose most are").and(contains("denoiser/")));
    quantize(&decoder(), &pack, &["--min-conditioning", "0.5"])
        .assert()
        .code(2)
        .stderr(contains("needs a model that is given prompts"));
    quantize(&model(), &pack, &["--calibrate", "/nowhere"])
        .assert()
        .code(2)
        .stderr(contains("/nowhere"));
    quantize(&model(), &pack, &["--min-psnr", "NaN"])
        .assert()
        .code(2)
        .stderr(contains("from 0 to 100"));
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["samples"]);
}
