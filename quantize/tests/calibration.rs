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

/// Layers with activations of 8 and of 16 bits in a pack, by its report.
fn layers(report: &Value) -> [u64; 2] {
    [["QConv", "QLinear"], ["QConv16", "QLinear16"]].map(|names| {
        let stages = report["stages"].as_array().unwrap().iter();
        let count = |stage: &Value, name| stage["operators"][format!("inkstone.{name}")].as_u64().unwrap_or(0);
        stages.flat_map(|stage| names.map(|name| count(stage, name))).sum()
    })
}

#[test]
fn pictures_are_compared_by_prompts() {
    let folder = tempfile::tempdir().unwrap();
    let (pack, prompts) = (
        folder.path().join("pack"),
        samples(folder.path(), "a red cat\n# not this\n\nan apple"),
    );
    let found = report(quantize(
        &model(),
        &pack,
        &["--calibrate", &prompts, "--min-psnr", "30", "--min-conditioning", "0.8"],
    ));
    let quality = &found["quality"];
    assert_eq!(quality["samples"][1]["sample"], "an apple");
    assert_eq!((quality["samples"].as_array().unwrap().len(), layers(&found)[1]), (2, 0));
    assert!((0.8..1.2).contains(&quality["conditioning"].as_f64().unwrap()), "{quality}");
    assert!((30.0..70.0).contains(&quality["lowest_psnr_db"].as_f64().unwrap()), "{quality}");
    // What is measured is what the pack draws.
    let drawn = Pipeline::open(&pack)
        .unwrap()
        .generate(&Request::new("a red apple").seed(7).steps(1));
    assert_eq!(found["picture_sha256"], drawn.unwrap().provenance.picture_sha256);
    let one = samples(folder.path(), "a red cat");
    quantize(&model(), &pack, &["--calibrate", &one, "--min-conditioning", "0.5", "--force"])
        .assert()
        .code(2)
        .stderr(contains("--min-conditioning needs two prompts"));
}

#[test]
fn layers_get_16_bits_until_the_results_are_close() {
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("pack");
    let measured = report(quantize(&decoder(), &pack, &["--min-psnr", "20"]));
    assert_eq!(
        (measured["quality"]["conditioning"].clone(), layers(&measured)[1]),
        (Value::Null, 0)
    );
    let before = measured["quality"]["median_psnr_db"].as_f64().unwrap();
    let manifest: toml::Table = std::fs::read_to_string(pack.join("pack.toml")).unwrap().parse().unwrap();
    let input = manifest["stages"]["model"]["inputs"][0]["name"].as_str().unwrap().to_owned();

    let wanted = (before + 2.0).to_string();
    let page = folder.path().join("page.html");
    let options = ["--min-psnr", &wanted, "--force", "--report", page.to_str().unwrap()];
    let raised = report(quantize(&decoder(), &pack, &options));
    let quality = &raised["quality"];
    assert!(quality["median_psnr_db"].as_f64().unwrap() >= before + 2.0, "{quality}");
    let [narrow, wide] = layers(&raised);
    assert_eq!(narrow + wide, layers(&measured)[0]);
    assert_eq!(quality["precise_layers"].as_array().unwrap().len() as u64, wide);
    assert!(wide > 0 && narrow > 0 && (0.0..1.0).contains(&quality["precise_share"].as_f64().unwrap()));
    assert_eq!(quality["sensitivity"].as_array().unwrap().len() as u64, narrow + wide);
    let html = std::fs::read_to_string(&page).unwrap();
    assert_eq!(
        (
            html.matches("data:image/png").count(),
            html.matches("<i class=\"wide\"").count() as u64
        ),
        (12, wide)
    );
    assert_eq!(report(quantize(&decoder(), &pack, &options)), raised);
    assert_eq!(std::fs::read_to_string(&page).unwrap(), html);

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
fn linear_layers_get_16_bits_too() {
    let folder = tempfile::tempdir().unwrap();
    let (encoder, pack) = (model().join("text_encoder/model.onnx"), folder.path().join("pack"));
    let ids = samples(folder.path(), "[[sample]]\ninput_ids = 5\n\n[[sample]]\ninput_ids = 150\n");
    let measured = report(quantize(&encoder, &pack, &["--calibrate", &ids]));
    let before = measured["quality"]["median_psnr_db"].as_f64().unwrap();
    let wanted = (before + 1.0).to_string();
    let raised = report(quantize(&encoder, &pack, &["--calibrate", &ids, "--min-psnr", &wanted, "--force"]));
    assert!(raised["quality"]["median_psnr_db"].as_f64().unwrap() >= before + 1.0);
    assert!(raised["stages"][0]["operators"]["inkstone.QLinear16"].as_u64().unwrap() > 0);
}

#[test]
fn what_is_not_reached_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("new/packs/pack");
    quantize(&decoder(), &pack, &["--min-psnr", "99"])
        .assert()
        .code(2)
        .stderr(contains("the layers that lose most are").and(contains("model/")));
    let problem = "activations of 16 bits in every convolution and linear layer";
    quantize(&model().join("text_encoder/model.onnx"), &pack, &["--min-psnr", "99"])
        .assert()
        .code(2)
        .stderr(contains(problem).and(contains("the layers that lose most are")));
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
    quantize(&decoder(), &pack, &["--report", "/nowhere/page.html"])
        .assert()
        .code(2)
        .stderr(contains("/nowhere/page.html cannot be written: its folder does not exist"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
