//! A latent diffusion model of two convolutions, 8×8 pixels and three words, as an exporter writes it: the smallest that has every stage.
//! Shared with `tests/fuzz`.

use std::path::Path;

use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
    type_proto,
};

/// Its `model.toml`.
pub const MODEL: &str = r#"
format = 2
name = "small-latent"
version = "1.0.0"
licence = "MIT"
description = "A latent diffusion model of four convolutions"
family = "diffusion"

[picture]
width = 8
height = 8
channels = "rgb"

[prompt]
tokenizer = "tokenizer.json"
max_tokens = 4
max_characters = 100
padding = 0
languages = ["en"]

[sampling]
prediction = "velocity"
scheduler = "flow-consistency"
default_steps = 2
default_guidance = 1.0
max_guidance = 3.0

[sampling.schedules]
2 = [0.0, 0.5, 1.0]

[latent]
scale = 0.25
shift = 0.5

[stages.text_encoder]
graph = "text_encoder.onnx"
inputs = [{ name = "ids", role = "ids", element = "i64", shape = [1, 4] }]
outputs = [{ name = "rows", role = "context", element = "f32", shape = [1, 4, 8] }]

[stages.denoiser]
graph = "denoiser.onnx"
inputs = [
    { name = "x", role = "noisy", element = "f32", shape = [1, 4, 8, 8] },
    { name = "rows", role = "context", element = "f32", shape = [1, 4, 8] },
]
outputs = [{ name = "v", role = "prediction", element = "f32", shape = [1, 4, 8, 8] }]

[stages.decoder]
graph = "decoder.onnx"
inputs = [{ name = "latent", role = "latent", element = "f32", shape = [1, 4, 8, 8] }]
outputs = [{ name = "rgb", role = "picture", element = "f32", shape = [1, 3, 8, 8] }]
"#;

/// Splits at spaces, knows three words, and ends every prompt with `</s>`.
const TOKENIZER: &str = r#"{
  "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
  "pre_tokenizer": { "type": "Whitespace" },
  "post_processor": {
    "type": "TemplateProcessing",
    "single": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "SpecialToken": { "id": "</s>", "type_id": 0 } }],
    "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 0 } }],
    "special_tokens": { "</s>": { "id": "</s>", "ids": [5], "tokens": ["</s>"] } }
  },
  "decoder": null,
  "model": { "type": "WordLevel", "vocab": { "<pad>": 0, "<unk>": 1, "a": 2, "red": 3, "apple": 4, "</s>": 5 }, "unk_token": "<unk>" }
}"#;

/// An input or output.
pub fn port(name: &str, kind: DataType, shape: &[i64]) -> ValueInfoProto {
    let size = |&size: &i64| Dimension {
        value: Some(dimension::Value::DimValue(size)),
        ..Dimension::default()
    };
    let tensor = type_proto::Tensor {
        elem_type: kind as i32,
        shape: Some(TensorShapeProto {
            dim: shape.iter().map(size).collect(),
        }),
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

/// A node with one output, named after it.
pub fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        name: format!("make_{output}"),
        input: inputs.iter().map(|&input| input.into()).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    }
}

/// A constant of floats between -0.5 and 0.5.
pub fn weights(name: &str, shape: &[i64]) -> TensorProto {
    let count: i64 = shape.iter().product();
    let values = (0..count).flat_map(|index| ((index * 37 % 101) as f32 / 101.0 - 0.5).to_le_bytes());
    TensorProto {
        name: name.into(),
        dims: shape.to_vec(),
        data_type: DataType::Float as i32,
        raw_data: values.collect(),
        ..TensorProto::default()
    }
}

/// Writes a graph as a file.
pub fn save(folder: &Path, name: &str, graph: GraphProto) {
    let model = ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 17,
        }],
        graph: Some(graph),
        ..ModelProto::default()
    };
    std::fs::write(folder.join(format!("{name}.onnx")), model.encode_to_vec()).unwrap();
}

/// A convolution of 1×1 from one picture to another, named and of these shapes.
pub fn convolution(name: &str, (input, from): (&str, &[i64]), (output, to): (&str, &[i64])) -> GraphProto {
    GraphProto {
        name: name.into(),
        node: vec![node("Conv", &[input, "w"], output)],
        initializer: vec![weights("w", &[to[1], from[1], 1, 1])],
        input: vec![port(input, DataType::Float, from)],
        output: vec![port(output, DataType::Float, to)],
        ..GraphProto::default()
    }
}

/// Writes the model into a folder as an exporter does.
pub fn export(folder: &Path) {
    let picture = [1, 4, 8, 8];
    let encoder = GraphProto {
        name: "text_encoder".into(),
        node: vec![node("Gather", &["table", "ids"], "rows")],
        initializer: vec![weights("table", &[6, 8])],
        input: vec![port("ids", DataType::Int64, &[1, 4])],
        output: vec![port("rows", DataType::Float, &[1, 4, 8])],
        ..GraphProto::default()
    };
    save(folder, "text_encoder", encoder);
    let axes = AttributeProto {
        name: "axes".into(),
        ints: vec![1, 2],
        r#type: 7,
        ..AttributeProto::default()
    };
    // The prompt shifts the velocity.
    let mut mean = node("ReduceMean", &["rows"], "mean");
    mean.attribute.push(axes);
    let denoiser = GraphProto {
        name: "denoiser".into(),
        node: vec![mean, node("Conv", &["x", "w"], "h"), node("Add", &["h", "mean"], "v")],
        initializer: vec![weights("w", &[4, 4, 1, 1])],
        input: vec![port("x", DataType::Float, &picture), port("rows", DataType::Float, &[1, 4, 8])],
        output: vec![port("v", DataType::Float, &picture)],
        ..GraphProto::default()
    };
    save(folder, "denoiser", denoiser);
    let decoder = convolution("decoder", ("latent", &picture), ("rgb", &[1, 3, 8, 8]));
    save(folder, "decoder", decoder);
    std::fs::write(folder.join("model.toml"), MODEL).unwrap();
    std::fs::write(folder.join("tokenizer.json"), TOKENIZER).unwrap();
}
