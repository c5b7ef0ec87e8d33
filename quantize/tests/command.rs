//! The whole way from an export to a pack, through the binary.

use std::collections::BTreeMap;
use std::path::Path;

use assert_cmd::Command;
use inkstone::pack::{MANIFEST, Manifest, WEIGHTS};
use predicates::str::contains;
use prost::Message;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, type_proto,
};

const MODEL: &str = r#"
format = 2
name = "small"
version = "1.0.0"
licence = "MIT"
description = "Two linear layers"

[[stages.body.inputs]]
name = "x"
element = "f32"
shape = [3, 8]

[[stages.body.outputs]]
name = "y"
element = "f32"
shape = [3, 8]
"#;

fn info(name: &str) -> ValueInfoProto {
    let dim = [3, 8]
        .map(|size| Dimension {
            value: Some(dimension::Value::DimValue(size)),
            ..Dimension::default()
        })
        .into();
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float as i32,
        shape: Some(TensorShapeProto { dim }),
    };
    let r#type = Some(TypeProto {
        value: Some(type_proto::Value::TensorType(tensor)),
        ..TypeProto::default()
    });
    ValueInfoProto {
        name: name.into(),
        r#type,
        ..ValueInfoProto::default()
    }
}

fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    let input = inputs.iter().map(|&input| input.into()).collect();
    NodeProto {
        op_type: operator.into(),
        name: format!("node_{output}"),
        input,
        output: vec![output.into()],
        ..NodeProto::default()
    }
}

/// x → MatMul with external weights → MatMul → y.
fn export(folder: &Path) {
    let values: Vec<u8> = (0..64)
        .flat_map(|index| ((index * 29 % 64) as f32 / 32.0 - 1.0).to_le_bytes())
        .collect();
    let inside = TensorProto {
        name: "down.weight".into(),
        dims: vec![8, 8],
        data_type: DataType::Float as i32,
        raw_data: values.clone(),
        ..TensorProto::default()
    };
    let outside = TensorProto {
        name: "up.weight".into(),
        dims: vec![8, 8],
        data_type: DataType::Float as i32,
        data_location: Some(DataLocation::External as i32),
        external_data: vec![StringStringEntryProto {
            key: "location".into(),
            value: "body.onnx.data".into(),
        }],
        ..TensorProto::default()
    };
    let graph = GraphProto {
        name: "body".into(),
        node: vec![node("MatMul", &["x", "up.weight"], "h"), node("MatMul", &["h", "down.weight"], "y")],
        initializer: vec![inside, outside],
        input: vec![info("x")],
        output: vec![info("y")],
        ..GraphProto::default()
    };
    let opset_import = vec![OperatorSetIdProto {
        domain: String::new(),
        version: 18,
    }];
    let model = ModelProto {
        ir_version: 8,
        opset_import,
        graph: Some(graph),
        ..ModelProto::default()
    };
    std::fs::write(folder.join("body.onnx"), model.encode_to_vec()).unwrap();
    std::fs::write(folder.join("body.onnx.data"), values).unwrap();
    write_manifest(folder, MODEL);
    std::fs::write(folder.join("MODEL_CARD.md"), "# Card").unwrap();
    std::fs::create_dir_all(folder.join("card/deep")).unwrap();
    std::fs::write(folder.join("card/deep/sheet.png"), [1, 2, 3]).unwrap();
}

fn write_manifest(folder: &Path, text: &str) {
    let text = text.replace(
        "[[stages.body.inputs]]",
        "[stages.body]\ngraph = \"body.onnx\"\n\n[[stages.body.inputs]]",
    );
    std::fs::write(folder.join("model.toml"), text).unwrap();
}

fn quantize(input: &Path, target: &Path) -> Command {
    let mut command = Command::cargo_bin("inkstone-quantize").unwrap();
    command.arg(input).arg("--out").arg(target);
    command
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(
                    path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(),
                    std::fs::read(&path).unwrap(),
                );
            }
        }
    }
    found
}

fn exported() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("f32")).unwrap();
    export(&folder.path().join("f32"));
    folder
}

#[test]
fn a_pack_is_complete_and_the_same_every_time() {
    let folder = exported();
    let (input, first, second) = (folder.path().join("f32"), folder.path().join("first"), folder.path().join("second"));
    quantize(&input, &first).assert().success().stdout(contains("QLinear"));
    quantize(&input, &second).assert().success();
    assert_eq!(files(&first), files(&second));
    let names: Vec<String> = files(&first).into_keys().collect();
    assert_eq!(
        names,
        ["MODEL_CARD.md", "body.onnx", "card/deep/sheet.png", "pack.toml", "weights.bin"]
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        3,
        "temporary folders stay behind"
    );
    let pack = inkstone::pack::Pack::open(&first).unwrap();
    pack.verify(&mut |_| {}).unwrap();
    pack.graph("body").unwrap();
}

#[test]
fn tensors_in_the_weights_file_are_aligned() {
    let folder = exported();
    let target = folder.path().join("pack");
    quantize(&folder.path().join("f32"), &target).assert().success();
    let model = ModelProto::decode(std::fs::read(target.join("body.onnx")).unwrap().as_slice()).unwrap();
    let size = std::fs::metadata(target.join(WEIGHTS)).unwrap().len();
    let graph = model.graph.unwrap();
    let external: Vec<_> = graph.initializer.iter().filter(|tensor| !tensor.external_data.is_empty()).collect();
    assert_eq!(external.len(), 2);
    for tensor in external {
        let number = |key: &str| {
            tensor
                .external_data
                .iter()
                .find(|entry| entry.key == key)
                .unwrap()
                .value
                .parse::<u64>()
                .unwrap()
        };
        assert_eq!(number("offset") % 64, 0);
        assert!(number("offset") + number("length") <= size);
    }
    assert_eq!(graph.node.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["up", "down"]);
    assert_eq!(model.functions.len(), 1);
}

#[test]
fn one_graph_becomes_a_pack_without_family() {
    let folder = exported();
    let target = folder.path().join("deep/er/pack");
    let json = quantize(&folder.path().join("f32/body.onnx"), &target)
        .arg("--json")
        .assert()
        .success();
    let report: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!(report["stages"][0]["layers"][0]["kind"], "QLinear");
    let manifest: Manifest = toml::from_str(&std::fs::read_to_string(target.join(MANIFEST)).unwrap()).unwrap();
    assert_eq!((manifest.name.as_str(), &manifest.family), ("body", &None));
    assert_eq!(manifest.stages["model"].inputs[0].shape, [3, 8]);
    inkstone::pack::Pack::open(&target).unwrap();
}

/// Rows of `body.onnx` without a number, called `rows`.
fn free_the_rows(folder: &Path) {
    let file = folder.join("body.onnx");
    let mut model = ModelProto::decode(std::fs::read(&file).unwrap().as_slice()).unwrap();
    let graph = model.graph.as_mut().unwrap();
    for info in graph.input.iter_mut().chain(&mut graph.output) {
        let Some(type_proto::Value::TensorType(tensor)) = &mut info.r#type.as_mut().unwrap().value else {
            panic!("{info:?} is no tensor");
        };
        tensor.shape.as_mut().unwrap().dim[0].value = Some(dimension::Value::DimParam("rows".into()));
    }
    std::fs::write(file, model.encode_to_vec()).unwrap();
}

#[test]
fn free_dimensions_get_a_size() {
    let folder = exported();
    let (input, target) = (folder.path().join("f32/body.onnx"), folder.path().join("pack"));
    free_the_rows(&folder.path().join("f32"));
    quantize(&input, &target).assert().code(2).stderr(contains("--size rows=N"));
    let sized = |size: &str| {
        let mut command = quantize(&input, &target);
        command.args(["--size", size]);
        command.assert()
    };
    for size in ["rows", "rows=", "rows=0", "rows=-1", "=3"] {
        sized(size).code(2).stderr(contains("NAME=N"));
    }
    quantize(&input, &target)
        .args(["--size", "rows=5", "--size", "row=5"])
        .assert()
        .code(2)
        .stderr(contains("`row` (free dimensions: rows)"));
    quantize(&input, &target)
        .args(["--size", "rows=5", "--size", "rows=4"])
        .assert()
        .code(2)
        .stderr(contains("rows is given twice"));
    assert!(!target.exists());
    sized("rows=5").success();
    let pack = inkstone::pack::Pack::open(&target).unwrap();
    let stage = &pack.manifest().stages["model"];
    assert_eq!(
        (stage.inputs[0].shape.as_slice(), stage.outputs[0].shape.as_slice()),
        (&[5, 8][..], &[5, 8][..])
    );
    inkstone::engine::Stage::load(&inkstone::engine::Engine::new(1).unwrap(), &pack, "model").unwrap();
}

#[test]
fn targets_are_kept_unless_forced() {
    let folder = exported();
    let (input, target) = (folder.path().join("f32"), folder.path().join("pack"));
    quantize(&input, &target).assert().success();
    std::fs::write(target.join("note"), "old").unwrap();
    quantize(&input, &target).assert().code(2).stderr(contains("--force"));
    assert!(target.join("note").exists());
    quantize(&input, &target).arg("--force").assert().success();
    assert!(!target.join("note").exists());
    quantize(&input, &input)
        .arg("--force")
        .assert()
        .code(2)
        .stderr(contains("not a pack"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

/// Runs on a changed export; the command must fail with code 2, say this and leave nothing behind.
fn refused(change: impl Fn(&Path), wanted: &str) {
    let folder = exported();
    let (input, target) = (folder.path().join("f32"), folder.path().join("pack"));
    change(&input);
    quantize(&input, &target).assert().code(2).stderr(contains(wanted));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "{wanted}: something stays behind"
    );
}

#[test]
fn bad_graphs_are_refused() {
    let cut = |folder: &Path| {
        let bytes = std::fs::read(folder.join("body.onnx")).unwrap();
        std::fs::write(folder.join("body.onnx"), &bytes[..bytes.len() / 2]).unwrap();
    };
    refused(cut, "body.onnx: is not an ONNX model, or is cut short");
    refused(
        |folder| std::fs::write(folder.join("body.onnx"), "").unwrap(),
        "is not an ONNX model",
    );
    refused(
        |folder| std::fs::remove_file(folder.join("body.onnx")).unwrap(),
        "body.onnx: there is no such file",
    );
    refused(
        |folder| std::fs::remove_file(folder.join("body.onnx.data")).unwrap(),
        "body.onnx.data: is missing",
    );
    refused(
        |folder| std::fs::write(folder.join("body.onnx.data"), [0; 9]).unwrap(),
        "copy the file again",
    );
    // Eight columns of `down` cannot be added to three rows.
    let unfit = |folder: &Path| {
        let file = folder.join("body.onnx");
        let mut model = ModelProto::decode(std::fs::read(&file).unwrap().as_slice()).unwrap();
        let graph = model.graph.as_mut().unwrap();
        graph.node[0].output[0] = "half".into();
        graph.node.insert(
            1,
            NodeProto {
                attribute: vec![],
                ..node("Transpose", &["half"], "h")
            },
        );
        std::fs::write(file, model.encode_to_vec()).unwrap();
    };
    refused(unfit, "body.onnx: the engine cannot run this graph");
}

#[test]
fn bad_manifests_are_refused() {
    let changed = |from: &'static str, to: &'static str| move |folder: &Path| write_manifest(folder, &MODEL.replace(from, to));
    refused(changed("licence", "license"), "license");
    refused(
        changed("shape = [3, 8]", "shape = [3, 9]"),
        "stages.body.inputs[0].shape: is [3, 9], but the graph says [3, 8]",
    );
    refused(changed("name = \"y\"", "name = \"z\""), "stages.body.outputs[0].name");
    refused(changed("format = 2", "format = 7"), "format");
    refused(
        changed("licence", "family = \"diffusion\"\nlicence"),
        "field 'picture': is required",
    );
    refused(
        changed("licence", "family = \"oracle\"\nlicence"),
        "unknown family 'oracle'; this version knows diffusion",
    );
    refused(|folder| write_manifest(folder, &format!("{MODEL}\n[files]\n")), "files");
    refused(
        |folder| std::fs::remove_file(folder.join("model.toml")).unwrap(),
        "model.toml: there is no such file",
    );
    refused(
        |folder| {
            let text = std::fs::read_to_string(folder.join("model.toml")).unwrap();
            std::fs::write(folder.join("model.toml"), text.replace("\"body.onnx\"", "\"../body.onnx\"")).unwrap();
        },
        "stages.body.graph",
    );
}

#[test]
fn missing_input_and_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    quantize(&folder.path().join("none.onnx"), &folder.path().join("pack"))
        .assert()
        .code(2)
        .stderr(contains("none.onnx"));
    Command::cargo_bin("inkstone-quantize")
        .unwrap()
        .arg("model.onnx")
        .assert()
        .code(2)
        .stderr(contains("--out"));
}

#[test]
fn options_for_models_are_refused_beside_a_table_of_words() {
    let folder = tempfile::tempdir().unwrap();
    let (table, lexicon) = (folder.path().join("words.tsv"), folder.path().join("words.lexicon"));
    std::fs::write(&table, "").unwrap();
    for options in [&["--scheme", "f32"][..], &["--size", "rows=5"], &["--steps", "2"], &["--json"]] {
        quantize(&table, &lexicon)
            .args(options)
            .assert()
            .code(2)
            .stderr(contains(format!("{} is for models", options[0])));
        assert!(!lexicon.exists());
    }
}

#[cfg(unix)]
#[test]
fn a_failing_machine_is_no_usage_error() {
    let folder = exported();
    // A file where the folder above the target should be.
    std::fs::write(folder.path().join("file"), "").unwrap();
    quantize(&folder.path().join("f32"), &folder.path().join("file/pack"))
        .assert()
        .code(1);
}
