//! The parts of `docs/reference` that are `inkstone-quantize`'s; the rest is made and checked by the root package's test of the same
//! name. `INKSTONE_WRITE_PAGES=1 cargo test --workspace --test reference_pages` writes both.

#[path = "../../tests/reference_pages/json.rs"]
mod json;
#[path = "../../tests/support/pages.rs"]
mod pages;

use std::path::Path;
use std::process::Command;

use prost::Message;
use serde_json::Value;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

fn quantize() -> Command {
    Command::new(env!("CARGO_BIN_EXE_inkstone-quantize"))
}

#[test]
fn command_line() {
    let help = pages::help(&mut quantize());
    pages::check(
        "command-line.md",
        &[("inkstone-quantize", format!("```text\n{}\n```", help.trim_end()))],
    );
}

fn port(name: &str) -> ValueInfoProto {
    let dim = [3, 8].map(|size| Dimension {
        value: Some(dimension::Value::DimValue(size)),
        ..Dimension::default()
    });
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float as i32,
        shape: Some(TensorShapeProto { dim: dim.into() }),
    };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

/// A graph of one linear layer.
fn export(file: &Path) {
    let weights: Vec<u8> = (0..64)
        .flat_map(|index| ((index * 29 % 64) as f32 / 32.0 - 1.0).to_le_bytes())
        .collect();
    let graph = GraphProto {
        name: "layer".into(),
        node: vec![NodeProto {
            op_type: "MatMul".into(),
            name: "layer".into(),
            input: vec!["x".into(), "weight".into()],
            output: vec!["y".into()],
            ..NodeProto::default()
        }],
        initializer: vec![TensorProto {
            name: "weight".into(),
            dims: vec![8, 8],
            data_type: DataType::Float as i32,
            raw_data: weights,
            ..TensorProto::default()
        }],
        input: vec![port("x")],
        output: vec![port("y")],
        ..GraphProto::default()
    };
    let model = ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 18,
        }],
        graph: Some(graph),
        ..ModelProto::default()
    };
    std::fs::write(file, model.encode_to_vec()).unwrap();
}

#[test]
fn json_report() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("layer.onnx");
    export(&file);
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pipelines/latent-consistency");
    let prompts = folder.path().join("prompts");
    std::fs::write(&prompts, "a cat\nan apple\n").unwrap();
    let report = |input: &Path, options: &[&str]| -> Value {
        let pack = folder.path().join("pack");
        let output = quantize()
            .arg(input)
            .arg("--out")
            .arg(&pack)
            .args(["--json", "--force"])
            .args(options)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let decoder = model.join("vae_decoder/model.onnx");
    let measured = report(&decoder, &["--min-psnr", "0"]);
    let more = measured["quality"]["median_psnr_db"].as_f64().unwrap() + 1.0;
    let reports = [
        report(&file, &[]),
        report(&model, &["--calibrate", prompts.to_str().unwrap()]),
        report(&decoder, &["--min-psnr", &more.to_string()]),
    ];
    let page = std::fs::read_to_string(pages::root().join("docs/reference/json.md")).unwrap();
    let documented = json::documented(&page, "`inkstone-quantize --json`");
    assert_eq!(json::found(&reports, &documented), documented);
}
