//! The parts of `docs/reference` that are `inkstone-quantize`'s; the rest is made and checked by the root package's test of the same
//! name. `INKSTONE_WRITE_PAGES=1 cargo test --workspace --test reference_pages` writes both.

#[path = "../../tests/reference_pages/json.rs"]
mod json;
#[path = "../../tests/support/pages.rs"]
mod pages;

use std::path::Path;
use std::process::Command;

use prost::Message;
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
    let (file, pack) = (folder.path().join("layer.onnx"), folder.path().join("pack"));
    export(&file);
    let output = quantize().arg(&file).arg("--out").arg(&pack).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(pages::root().join("docs/reference/json.md")).unwrap();
    let documented = json::documented(&page, "`inkstone-quantize --json`");
    let found = json::found(&[serde_json::from_slice(&output.stdout).unwrap()], &documented);
    assert_eq!(found, documented);
}
