//! Every kind of bad input: a clear error that names what is wrong, exit code 2, and nothing left behind.

mod support;

use std::path::Path;

use predicates::prelude::*;
use support::{copied_pack, files, generate, inkstone};

/// Runs `generate` with a pack and expects exit code 2, the words in the message, and no file.
fn refused(pack: &Path, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let mut assert = generate("cat", &folder.path().join("cat.png"))
        .env("INKSTONE_PACK", pack)
        .assert()
        .code(2);
    for word in words {
        assert = assert.stderr(predicate::str::contains(*word));
    }
    assert.stdout("").stderr(predicate::str::contains("panicked").not());
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

/// Changes a file of a copied pack and, where `resign`, makes the manifest's size and checksum fit again, so that
/// the checks behind the checksum are reached.
fn change(pack: &Path, name: &str, resign: bool, edit: impl FnOnce(&mut Vec<u8>)) {
    let file = pack.join(name);
    let mut bytes = std::fs::read(&file).unwrap();
    edit(&mut bytes);
    std::fs::write(&file, &bytes).unwrap();
    if resign {
        let manifest = pack.join("pack.toml");
        let mut table: toml::Table = std::fs::read_to_string(&manifest).unwrap().parse().unwrap();
        let record = table["files"][name].as_table_mut().unwrap();
        record.insert("bytes".into(), toml::Value::Integer(bytes.len() as i64));
        record.insert("sha256".into(), toml::Value::String(inkstone::pack::sha256_of_bytes(&bytes)));
        std::fs::write(&manifest, table.to_string()).unwrap();
    }
}

fn change_manifest(pack: &Path, edit: impl FnOnce(&mut toml::Table)) {
    let file = pack.join("pack.toml");
    let mut table: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    edit(&mut table);
    std::fs::write(&file, table.to_string()).unwrap();
}

/// Decodes a graph, edits it, and writes it back with a fitting manifest.
fn change_graph(pack: &Path, name: &str, edit: impl FnOnce(&mut tract_onnx::pb::ModelProto)) {
    use prost::Message;
    change(pack, name, true, |bytes| {
        let mut model = tract_onnx::pb::ModelProto::decode(&bytes[..]).unwrap();
        edit(&mut model);
        *bytes = model.encode_to_vec();
    });
}

#[test]
fn no_pack() {
    let folder = tempfile::tempdir().unwrap();
    refused(&folder.path().join("nowhere"), &["no pack here", "--pack"]);
    refused(folder.path(), &["no pack here"]);
    std::fs::write(folder.path().join("pack.toml"), "name = ").unwrap();
    refused(folder.path(), &["pack.toml", "line 1"]);
    std::fs::write(folder.path().join("pack.toml"), [0xff, 0xfe]).unwrap();
    refused(folder.path(), &["pack.toml", "UTF-8"]);
}

#[test]
fn manifest_with_a_missing_extra_or_wrong_field() {
    type Edit = fn(&mut toml::Table);
    let cases: [(Edit, &[&str]); 16] = [
        (|table| drop(table.remove("licence")), &["licence"]),
        (|table| drop(table.insert("colour".into(), "red".into())), &["colour"]),
        (|table| drop(table.insert("format".into(), 99.into())), &["field 'format'", "99"]),
        (|table| drop(table.insert("name".into(), 3.into())), &["name", "string"]),
        (|table| drop(table.remove("sampling")), &["sampling", "required"]),
        (
            |table| drop(table.insert("format".into(), 1.into())),
            &["format", "inkstone-quantize"],
        ),
        (|table| drop(table.remove("family")), &["family", "makes no pictures"]),
        (
            |table| drop(table.insert("family".into(), "oracle".into())),
            &["field 'family'", "oracle", "diffusion"],
        ),
        (
            |table| drop(table["sampling"].as_table_mut().unwrap().insert("scheduler".into(), "magic".into())),
            &["sampling.scheduler", "magic", "flow-euler"],
        ),
        // A latent needs a decoder that takes it.
        (
            |table| drop(table.insert("latent".into(), toml::toml! { scale = 0.18215 }.into())),
            &["stages.decoder", "role 'picture'", "latent"],
        ),
        (
            |table| drop(table.insert("latent".into(), toml::toml! { scale = 0.0 }.into())),
            &["field 'latent'"],
        ),
        (
            |table| drop(table["sampling"].as_table_mut().unwrap().insert("default_steps".into(), 3.into())),
            &["default_steps"],
        ),
        (
            |table| drop(table["picture"].as_table_mut().unwrap().insert("width".into(), 0.into())),
            &["picture.width"],
        ),
        (
            |table| drop(table["picture"].as_table_mut().unwrap().insert("width".into(), 64.into())),
            &["decoder"],
        ),
        (
            |table| drop(table["stages"].as_table_mut().unwrap().remove("denoiser")),
            &["denoiser"],
        ),
        (
            |table| drop(table["files"].as_table_mut().unwrap().insert("../x".into(), table_of_file())),
            &["../x"],
        ),
    ];
    for (edit, words) in cases {
        let (_folder, pack) = copied_pack();
        change_manifest(&pack, edit);
        refused(&pack, words);
    }
}

/// Roles, element types, sizes and ranges of ports are checked against what really is supplied when the pack is opened.
#[test]
fn ports_that_are_not_supplied() {
    type Edit = fn(&mut toml::Table);
    let cases: [(&str, &str, Edit, &[&str]); 10] = [
        (
            "enlarger",
            "picture",
            |port| drop(port.insert("role".into(), "noisy".into())),
            &["stages.enlarger", "must have ports of shape"],
        ),
        (
            "enlarger",
            "picture",
            |port| drop(port.insert("shape".into(), vec![1, 4, 256, 256].into())),
            &["stages.enlarger", "larger than the 128×128"],
        ),
        (
            "enlarger",
            "picture",
            |port| drop(port.insert("shape".into(), vec![1, 4, 32, 32].into())),
            &["stages.enlarger", "2 to 4 times"],
        ),
        (
            "decoder",
            "picture",
            |port| drop(port.insert("role".into(), "context".into())),
            &["stages.decoder.inputs", "role 'context'", "not supplied"],
        ),
        (
            "decoder",
            "style",
            |port| drop(port.insert("role".into(), "time".into())),
            &["stages.decoder", "time"],
        ),
        (
            "denoiser",
            "draft",
            |port| drop(port.insert("role".into(), "ids".into())),
            &["stages.denoiser", "ids"],
        ),
        (
            "denoiser",
            "draft",
            |port| drop(port.insert("role".into(), "mood".into())),
            &["mood", "pooled"],
        ),
        (
            "denoiser",
            "draft",
            |port| drop(port.insert("role".into(), "noisy".into())),
            &["another port"],
        ),
        ("denoiser", "draft", |port| drop(port.remove("role")), &["'draft' has no role"]),
        (
            "denoiser",
            "time",
            |port| drop(port.insert("range".into(), vec![0.0, 0.5].into())),
            &["'time'", "from 0 to 0.5"],
        ),
    ];
    for (stage, name, edit, words) in cases {
        let (_folder, pack) = copied_pack();
        change_manifest(&pack, |table| {
            let ports = table["stages"][stage]["inputs"].as_array_mut().unwrap();
            let port = ports.iter_mut().find(|port| port["name"].as_str() == Some(name)).unwrap();
            edit(port.as_table_mut().unwrap());
        });
        refused(&pack, words);
    }
}

fn table_of_file() -> toml::Value {
    toml::toml! { bytes = 1
    sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
    .into()
}

#[test]
fn weights_cut_by_one_byte() {
    let (_folder, pack) = copied_pack();
    change(&pack, "weights.bin", false, |bytes| bytes.truncate(bytes.len() - 1));
    refused(&pack, &["weights.bin", "bytes where the manifest says"]);
}

#[test]
fn weights_cut_with_a_manifest_that_agrees() {
    let (_folder, pack) = copied_pack();
    change(&pack, "weights.bin", true, |bytes| bytes.truncate(bytes.len() / 2));
    refused(&pack, &["reach past the end of weights.bin"]);
}

#[test]
fn one_changed_byte_of_the_weights_is_found_by_verify() {
    let (_folder, pack) = copied_pack();
    change(&pack, "weights.bin", false, |bytes| bytes[12_345] ^= 1);
    inkstone()
        .arg("verify")
        .arg(&pack)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("weights.bin: SHA-256"));
}

#[test]
fn one_changed_byte_of_a_graph_is_found_on_load() {
    for name in ["denoiser.onnx", "tokenizer.json", "words.lexicon"] {
        let (_folder, pack) = copied_pack();
        change(&pack, name, false, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        });
        refused(&pack, &[name, "SHA-256"]);
    }
}

#[test]
fn missing_files() {
    for name in ["weights.bin", "denoiser.onnx", "tokenizer.json", "words.lexicon"] {
        let (_folder, pack) = copied_pack();
        std::fs::remove_file(pack.join(name)).unwrap();
        refused(&pack, &[name]);
    }
}

#[test]
fn an_index_of_training_pictures_is_checked_by_those_who_read_it() {
    let explain = |pack: &Path, problem: &str| {
        let mut command = inkstone();
        command.env("INKSTONE_PACK", pack).args(["explain", "cat", "--steps", "1", "--out"]);
        let refused = command.arg(pack.join("cat.html")).assert();
        refused.code(2).stderr(predicate::str::contains(problem));
    };
    let (_folder, pack) = copied_pack();
    change(&pack, "training.index", false, |bytes| bytes[5000] ^= 1);
    explain(&pack, "training.index: SHA-256");
    inkstone().arg("verify").arg(&pack).assert().code(2);
    let (_folder, pack) = copied_pack();
    change(&pack, "training.index", true, |bytes| bytes.truncate(100_000));
    explain(&pack, "training.index: this is no index of training pictures: it is too short");
}

#[test]
fn a_lexicon_that_is_none() {
    type Edit = fn(&mut Vec<u8>);
    let edits: [(Edit, &str); 3] = [
        (|bytes| bytes.truncate(1000), "in the middle of a section"),
        (|bytes| bytes[0] = b'x', "it does not begin as one"),
        (|bytes| bytes[5000] ^= 1, "its map is damaged"),
    ];
    for (edit, problem) in edits {
        let (_folder, pack) = copied_pack();
        change(&pack, "words.lexicon", true, edit);
        refused(&pack, &["words.lexicon: the lexicon cannot be used", problem]);
    }
}

#[test]
fn offset_past_the_end_or_out_of_line() {
    for (offset, words) in [
        ("99999999936", "reach past the end"),
        ("18446744073709551552", "reach past the end"),
        ("63", "multiple of 64"),
        ("x", "not a number"),
    ] {
        let (_folder, pack) = copied_pack();
        change_graph(&pack, "denoiser.onnx", |model| {
            let tensor = model
                .graph
                .as_mut()
                .unwrap()
                .initializer
                .iter_mut()
                .find(|tensor| !tensor.external_data.is_empty())
                .unwrap();
            tensor.external_data.iter_mut().find(|entry| entry.key == "offset").unwrap().value = offset.into();
        });
        refused(&pack, &["denoiser.onnx", "tensor", words]);
    }
}

#[test]
fn data_outside_the_weights_file() {
    let (_folder, pack) = copied_pack();
    change_graph(&pack, "denoiser.onnx", |model| {
        let tensor = model
            .graph
            .as_mut()
            .unwrap()
            .initializer
            .iter_mut()
            .find(|tensor| !tensor.external_data.is_empty())
            .unwrap();
        tensor.external_data.iter_mut().find(|entry| entry.key == "location").unwrap().value = "/etc/passwd".into();
    });
    refused(&pack, &["must lie in weights.bin"]);
}

#[test]
fn unknown_operator() {
    let (_folder, pack) = copied_pack();
    change_graph(&pack, "denoiser.onnx", |model| {
        model.graph.as_mut().unwrap().node[3].op_type = "Teleport".into()
    });
    refused(&pack, &["denoiser.onnx", "Teleport", "not known"]);
}

#[test]
fn wrong_input_shape() {
    let (_folder, pack) = copied_pack();
    change_manifest(&pack, |table| {
        let port = &mut table["stages"]["denoiser"]["inputs"].as_array_mut().unwrap()[0];
        port.as_table_mut().unwrap().insert("shape".into(), vec![1, 4, 16, 64].into());
    });
    refused(&pack, &["denoiser.onnx", "input", "shape"]);
    change_manifest(&pack, |table| {
        let port = &mut table["stages"]["denoiser"]["inputs"].as_array_mut().unwrap()[0];
        port.as_table_mut().unwrap().insert("shape".into(), vec![1, 4, 16, 16].into());
    });
    refused(&pack, &["pack.toml", "stages.denoiser.inputs", "1024 elements", "4096"]);
}

#[test]
fn weights_of_another_shape() {
    let (_folder, pack) = copied_pack();
    change_graph(&pack, "denoiser.onnx", |model| {
        let node = model
            .graph
            .as_mut()
            .unwrap()
            .node
            .iter_mut()
            .find(|node| node.op_type == "QConv")
            .unwrap();
        node.attribute.iter_mut().find(|attribute| attribute.name == "kernel").unwrap().ints[0] += 8;
    });
    refused(&pack, &["denoiser.onnx"]);
}

#[test]
fn graphs_with_broken_wiring() {
    type Edit = fn(&mut tract_onnx::pb::GraphProto);
    let edits: [Edit; 4] = [
        |graph| graph.node[5].input[0] = "nothing".into(),
        |graph| graph.output[0].name = "nothing".into(),
        |graph| graph.node.truncate(10),
        |graph| graph.node.iter_mut().for_each(|node| node.attribute.clear()),
    ];
    for edit in edits {
        let (_folder, pack) = copied_pack();
        change_graph(&pack, "denoiser.onnx", |model| edit(model.graph.as_mut().unwrap()));
        refused(&pack, &["denoiser.onnx"]);
    }
}

#[test]
fn graphs_that_are_no_graphs() {
    for bytes in [&b""[..], b"not a graph at all", &[0xff; 300]] {
        let (_folder, pack) = copied_pack();
        change(&pack, "denoiser.onnx", true, |graph| *graph = bytes.to_vec());
        refused(&pack, &["denoiser.onnx"]);
    }
}

#[test]
fn numbers_that_the_pack_does_not_take() {
    let folder = tempfile::tempdir().unwrap();
    for (option, words) in [
        ("difficulty=3", "unknown input 'difficulty'; this pack takes none"),
        ("difficulty", "must be a name, `=` and a number"),
        ("=3", "must be a name, `=` and a number"),
        ("difficulty=high", "'high' is not a number"),
    ] {
        let mut command = generate("cat", &folder.path().join("cat.png"));
        command
            .args(["--input", option])
            .assert()
            .code(2)
            .stderr(predicate::str::contains(words));
    }
    inkstone()
        .current_dir(folder.path())
        .arg("generate")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("the prompt is missing"));
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[test]
fn prompts_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("x.png");
    generate("", &out)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("prompt is empty"));
    generate(" \t\n", &out)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("prompt is empty"));
    generate(&"x".repeat(100_000), &out)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("100000 characters"));
    let bytes: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"caf\xe9");
    inkstone()
        .arg("generate")
        .arg(bytes)
        .arg("--out")
        .arg(&out)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("UTF-8"));
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[test]
fn options_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("x.png");
    for (arguments, words) in [
        (&["--style", "oil"][..], "3d, flat, ink, noto, blob, fx, one, line, pixel"),
        (&["--steps", "0"], "invalid number of steps: 0"),
        (&["--steps", "-1"], "must be a whole number"),
        (&["--size", "1.5"], "must be a whole number"),
        (&["--count", "-2"], "1..=10000"),
        (&["--steps", "3"], "1, 2, 4"),
        (&["--guidance", "1000"], "guidance"),
        (&["--guidance", "NaN"], "guidance"),
        (&["--size", "1"], "8 to 4096"),
        (&["--background", "octarine"], "octarine"),
        (&["--count", "0"], "count"),
        (&["--threads", "0"], "threads"),
        (&["--seed", "18446744073709551616"], "seed"),
        (&["--nonsense"], "nonsense"),
    ] {
        generate("cat", &out)
            .args(arguments)
            .assert()
            .code(2)
            .stderr(predicate::str::contains(words));
    }
    inkstone()
        .args(["generate", "cat", "--out"])
        .arg(folder.path().join("x.gif"))
        .assert()
        .code(2)
        .stderr(predicate::str::contains(".png"));
    inkstone()
        .args(["generate", "cat", "--out"])
        .arg(folder.path().join("x.jpg"))
        .assert()
        .code(2)
        .stderr(predicate::str::contains("JPEG has no transparency; choose a background"));
    generate("cat", &out)
        .env("INKSTONE_KERNEL", "abacus")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("portable"));
    inkstone().assert().code(2);
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[test]
fn outputs_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("cat.png");
    std::fs::write(&out, "mine").unwrap();
    generate("cat", &out).assert().code(2).stderr(predicate::str::contains("--force"));
    assert_eq!(std::fs::read(&out).unwrap(), b"mine");
    generate("cat", &out).args(["--force", "--steps", "1"]).assert().success();
    assert_ne!(std::fs::read(&out).unwrap(), b"mine");
    generate("cat", &folder.path().join("missing/cat.png"))
        .args(["--steps", "1"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("missing"));
    generate("cat", &out.join("cat.png")).args(["--steps", "1"]).assert().code(2);
    assert_eq!(files(folder.path()), ["cat.png"]);
}

/// A full disk, as the kernel reports it when a file may not grow any more.
#[test]
fn a_limit_of_file_sizes_leaves_no_half_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("cat.png");
    let binary = assert_cmd::cargo::cargo_bin("inkstone");
    let script = "ulimit -f 1; exec \"$@\"";
    assert_cmd::Command::new("bash")
        .args(["-c", script, "limited"])
        .arg(binary)
        .args(["generate", "cat", "--steps", "1", "--size", "512", "--out"])
        .arg(&out)
        .env("INKSTONE_PACK", support::pack())
        .assert()
        .code(1)
        .stderr(predicate::str::contains("files may not be as large as that here (ulimit -f)"));
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[test]
fn files_that_are_no_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.png");
    for command in ["info", "verify"] {
        inkstone()
            .arg(command)
            .arg(&file)
            .assert()
            .code(2)
            .stderr(predicate::str::contains("x.png"));
    }
    std::fs::write(&file, "not a picture").unwrap();
    for command in ["info", "verify"] {
        inkstone()
            .arg(command)
            .arg(&file)
            .assert()
            .code(2)
            .stderr(predicate::str::contains("supported are PNG, JPEG"));
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_within_a_step() {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(assert_cmd::cargo::cargo_bin("inkstone"))
        .args(["generate", "cat", "--count", "10000", "--seed", "1", "--preview"])
        .arg(folder.path().join("steps"))
        .arg("--out")
        .arg(format!("{}/", folder.path().display()))
        .env("INKSTONE_PACK", support::pack())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first step's picture shows that drawing has begun.
    let first = folder.path().join("steps/picture-1-step-1.png");
    for _ in 0..600 {
        if first.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(first.exists());
    assert!(
        Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        files(folder.path()).iter().all(|name| name == "steps" || name.ends_with(".png")),
        "no half file"
    );
}

/// What `verify` and `generate` say of a pack that neither may take.
fn refused_by_all(pack: &Path, words: &[&str]) {
    refused(pack, words);
    let mut assert = inkstone().arg("verify").arg(pack).assert().code(2);
    for word in words {
        assert = assert.stderr(predicate::str::contains(*word));
    }
}

#[test]
fn numbers_that_no_table_has() {
    type Edit = fn(&mut toml::Table);
    let edits: [(Edit, &[&str]); 4] = [
        (
            |table| drop(table["styles"][0].as_table_mut().unwrap().insert("id".into(), 255.into())),
            &["pack.toml: field 'styles'", "'3d' has the id 255", "rows"],
        ),
        (
            |table| drop(table["styles"][0].as_table_mut().unwrap().insert("id".into(), (-1).into())),
            &["pack.toml: field 'styles'", "'3d' has the id -1"],
        ),
        (
            |table| {
                drop(
                    table["prompt"]
                        .as_table_mut()
                        .unwrap()
                        .insert("padding".into(), 4_294_967_295_i64.into()),
                )
            },
            &["pack.toml: field 'prompt.padding'", "4294967295"],
        ),
        (
            |table| {
                drop(
                    table["prompt"]
                        .as_table_mut()
                        .unwrap()
                        .insert("padding".into(), (1_i64 << 33).into()),
                )
            },
            &["pack.toml", "padding"],
        ),
    ];
    for (edit, words) in edits {
        let (_folder, pack) = copied_pack();
        change_manifest(&pack, edit);
        refused_by_all(&pack, words);
    }
}

fn attribute(name: &str, value: i64) -> tract_onnx::pb::AttributeProto {
    tract_onnx::pb::AttributeProto {
        name: name.into(),
        r#type: tract_onnx::pb::attribute_proto::AttributeType::Int as i32,
        i: value,
        ..Default::default()
    }
}

fn node(operator: &str, inputs: &[&str], output: &str) -> tract_onnx::pb::NodeProto {
    tract_onnx::pb::NodeProto {
        op_type: operator.into(),
        input: inputs.iter().map(|&input| input.into()).collect(),
        output: vec![output.into()],
        ..Default::default()
    }
}

fn integers(graph: &mut tract_onnx::pb::GraphProto, name: &str, values: &[i64]) {
    graph.initializer.push(tract_onnx::pb::TensorProto {
        name: name.into(),
        dims: vec![values.len() as i64],
        data_type: 7,
        int64_data: values.to_vec(),
        ..Default::default()
    });
}

fn of_operator<'a>(graph: &'a mut tract_onnx::pb::GraphProto, operator: &str) -> &'a mut tract_onnx::pb::NodeProto {
    graph.node.iter_mut().find(|node| node.op_type == operator).unwrap()
}

/// Each took gigabytes, hours or the whole program before a limit was checked.
#[test]
fn graphs_that_ask_for_too_much() {
    type Edit = fn(&mut tract_onnx::pb::GraphProto);
    let edits: [(&str, Edit, &[&str]); 9] = [
        (
            "text_encoder.onnx",
            |graph| of_operator(graph, "QEmbedding").attribute.push(attribute("tensor", 1)),
            &["QEmbedding", "no attribute 'tensor'"],
        ),
        (
            "text_encoder.onnx",
            |graph| {
                let node = of_operator(graph, "LayerNormalization");
                node.attribute.retain(|attribute| attribute.name != "axis");
                node.attribute.push(attribute("axis", i64::MAX));
            },
            &["LayerNormalization", "no axis 9223372036854775807"],
        ),
        (
            "text_encoder.onnx",
            |graph| {
                let node = of_operator(graph, "LayerNormalization");
                node.attribute.retain(|attribute| attribute.name != "axis");
                node.attribute.push(attribute("axis", i64::from(i32::MIN)));
            },
            &["LayerNormalization", "no axis -2147483648"],
        ),
        (
            "denoiser.onnx",
            |graph| {
                integers(graph, "size", &[1 << 28]);
                graph.node.insert(0, node("ConstantOfShape", &["size"], "zeros"));
            },
            &["ConstantOfShape", "more than 134217728 elements"],
        ),
        (
            "decoder.onnx",
            |graph| {
                integers(graph, "repeats", &[1, 16_384, 1, 1]);
                integers(graph, "start", &[0]);
                integers(graph, "end", &[4]);
                integers(graph, "axis", &[1]);
                let output = graph.output[0].name.clone();
                graph.node.iter_mut().for_each(|node| {
                    node.output
                        .iter_mut()
                        .filter(|name| **name == output)
                        .for_each(|name| *name = "before".into());
                });
                graph.node.push(node("Tile", &["before", "repeats"], "tiled"));
                graph.node.push(node("Slice", &["tiled", "start", "end", "axis"], &output));
            },
            &["Tile", "more than 134217728 elements"],
        ),
        (
            "denoiser.onnx",
            |graph| {
                let convolution = of_operator(graph, "Conv");
                convolution.attribute.retain(|attribute| attribute.name != "pads");
                let mut pads = attribute("pads", 0);
                pads.r#type = tract_onnx::pb::attribute_proto::AttributeType::Ints as i32;
                pads.ints = vec![20_000; 4];
                convolution.attribute.push(pads);
            },
            &["Conv", "does not fit"],
        ),
        (
            "denoiser.onnx",
            |graph| {
                let first = graph.input[0].name.clone();
                let name = |index: usize| if index == 0 { first.clone() } else { format!("link{index}") };
                let links: Vec<_> = (0..10_000).map(|index| node("Neg", &[&name(index)], &name(index + 1))).collect();
                graph.node.splice(0..0, links);
            },
            &["nodes; the pack's limits allow 8192"],
        ),
        (
            "decoder.onnx",
            |graph| {
                let places: Vec<usize> = (0..graph.initializer.len())
                    .filter(|&at| graph.initializer[at].data_type == 1)
                    .collect();
                let (first, last) = (places[0], places[places.len() - 1]);
                let name = graph.initializer[first].name.clone();
                graph.initializer[first].name = std::mem::replace(&mut graph.initializer[last].name, name);
            },
            &["decoder.onnx", "node '"],
        ),
        (
            "decoder.onnx",
            |graph| of_operator(graph, "Conv").op_type = "Loop".into(),
            &["decoder.onnx", "Loop"],
        ),
    ];
    for (name, edit, words) in edits {
        let (_folder, pack) = copied_pack();
        change_graph(&pack, name, |model| edit(model.graph.as_mut().unwrap()));
        refused_by_all(&pack, words);
    }
}

/// Where the scales of the first quantized layer lie in the weights file.
fn place_of_a_scale(pack: &Path) -> usize {
    use prost::Message;
    let bytes = std::fs::read(pack.join("denoiser.onnx")).unwrap();
    let graph = tract_onnx::pb::ModelProto::decode(&bytes[..]).unwrap().graph.unwrap();
    let layer = graph.node.iter().find(|node| node.op_type == "QConv").unwrap();
    let scale = graph.initializer.iter().find(|tensor| tensor.name == layer.input[2]).unwrap();
    let offset = scale.external_data.iter().find(|entry| entry.key == "offset").unwrap();
    offset.value.parse().unwrap()
}

#[test]
fn scales_that_are_no_numbers_or_too_large() {
    for (scale, words) in [
        (f32::NAN, &["denoiser.onnx: tensor '", "not numbers (NaN)"][..]),
        (f32::INFINITY, &["denoiser.onnx", "QConv", "holds inf"]),
        (1e38, &["denoiser.onnx", "QConv", "quantized layer's scales"]),
    ] {
        let (_folder, pack) = copied_pack();
        let place = place_of_a_scale(&pack);
        change(&pack, "weights.bin", true, |bytes| {
            bytes[place..place + 4].copy_from_slice(&scale.to_le_bytes());
        });
        refused_by_all(&pack, words);
    }
}

/// Links to endless files, pipes and folders in place of the files that are read whole.
#[cfg(unix)]
#[test]
fn files_that_are_no_regular_files() {
    type Put = fn(&Path);
    let puts: [Put; 3] = [
        |path| std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        |path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
        |path| std::fs::create_dir(path).unwrap(),
    ];
    for put in puts {
        for name in ["pack.toml", "tokenizer.json", "words.lexicon", "weights.bin"] {
            let (_folder, pack) = copied_pack();
            std::fs::remove_file(pack.join(name)).unwrap();
            put(&pack.join(name));
            refused(&pack, &[name]);
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        put(&file);
        for option in ["--config", "--script"] {
            inkstone()
                .args(["kiosk", "--display", "png:frames", option])
                .arg(&file)
                .current_dir(folder.path())
                .timeout(std::time::Duration::from_secs(60))
                .assert()
                .code(2)
                .stderr(predicate::str::contains("file"));
        }
    }
}

#[test]
fn settings_with_a_line_of_any_length() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kiosk.toml");
    for text in [
        format!("threads = {}5000\n", " ".repeat(70_000)),
        format!("language = \"{}\"\n", "é".repeat(70_000)),
        format!("threads = \"{}", "x".repeat(70_000)),
    ] {
        std::fs::write(&file, text).unwrap();
        let kiosk = inkstone()
            .args(["kiosk", "--display", "png:x", "--config"])
            .arg(&file)
            .assert()
            .code(2);
        let said = String::from_utf8(kiosk.get_output().stderr.clone()).unwrap();
        assert!(said.contains("kiosk.toml:1:") && said.contains('…'), "{said:.400}");
        let doctor = inkstone().args(["doctor", "--config"]).arg(&file).assert().code(1);
        doctor.stdout(predicate::str::contains("kiosk.toml:1:"));
    }
}
