//! Folders of diffusers and optimum: imported, quantized, drawn with, and compared with diffusers' own pictures.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use inkstone::picture::{Picture, png};
use inkstone::pipeline::Unobserved;
use inkstone::{Part, Pipeline, Request, Source};
use predicates::str::contains;
use prost::Message;
use serde_json::Value;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, type_proto};

#[allow(dead_code, reason = "its model is drawn with elsewhere")]
#[path = "support/small_latent.rs"]
mod small_latent;

fn pipelines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pipelines")
}

/// A copy of a stored model that a test may change.
fn model(name: &str, folder: &Path) -> PathBuf {
    let copy = folder.join(name);
    copy_folder(&pipelines().join(name), &copy);
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn quantize(model: &Path, pack: &Path) -> Command {
    let mut command = Command::cargo_bin("inkstone-quantize").unwrap();
    command.arg(model).arg("--out").arg(pack);
    command
}

/// Decibels between two pictures of one size.
fn psnr(one: &Picture, other: &Picture) -> f64 {
    assert_eq!((one.width(), one.height()), (other.width(), other.height()));
    let colours = |picture: &Picture| {
        picture
            .pixels()
            .chunks_exact(4)
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
            .collect::<Vec<_>>()
    };
    let (one, other) = (colours(one), colours(other));
    let error: f64 = one
        .iter()
        .zip(&other)
        .map(|(a, b)| f64::from(i32::from(*a) - i32::from(*b)).powi(2))
        .sum();
    10.0 * (255.0 * 255.0 / (error / one.len() as f64)).log10()
}

/// One of each class.
const MODELS: [&str; 6] = [
    "stable-diffusion",
    "stable-diffusion-2",
    "turbo",
    "latent-consistency",
    "taesd",
    "xl",
];

#[test]
fn pictures_are_those_of_diffusers() {
    for name in MODELS {
        let folder = tempfile::tempdir().unwrap();
        let pack = folder.path().join("pack");
        quantize(&pipelines().join(name), &pack).assert().success();
        let request = Request::new("a red cat and an apple").seed(7).steps(4).guidance(4.0);
        let drawn = Pipeline::open(&pack).unwrap().generate(&request).unwrap();
        let wanted = png::read(&pipelines().join(format!("{name}.png"))).unwrap().picture;
        let decibels = psnr(&drawn.picture, &wanted);
        assert!(decibels >= 40.0, "{name}: {decibels} dB");
        // The prompt decides: another one is another picture.
        let other = Request::new("!").seed(7).steps(4).guidance(4.0);
        let other = Pipeline::open(&pack).unwrap().generate(&other).unwrap();
        assert!(psnr(&other.picture, &wanted) < decibels - 3.0, "{name} does not look at its prompt");
    }
}

#[test]
fn prompts_are_mixed_and_emphasised_by_their_tokens() {
    for name in ["stable-diffusion", "xl"] {
        let folder = tempfile::tempdir().unwrap();
        let pack = folder.path().join("pack");
        quantize(&pipelines().join(name), &pack).assert().success();
        let mut pipeline = Pipeline::open(&pack).unwrap();
        let mut draw = |request: Request| pipeline.generate(&request.seed(7).steps(2).guidance(4.0)).unwrap().picture;
        let (cat, apple) = (draw(Request::new("a red cat")), draw(Request::new("an apple")));
        assert_eq!(draw(Request::new("a (red:1) cat")), cat, "{name}");
        let emphasised = ["a (red:1.5) cat", "a [red] cat", "a red (cat:1.5)"].map(|prompt| draw(Request::new(prompt)));
        for (index, one) in emphasised.iter().enumerate() {
            assert!(*one != cat && !emphasised[..index].contains(one), "{name}");
        }
        let mut blend = |share: f32| draw(Request::blend([Part::new("a red cat", share), Part::new("an apple", 1.0 - share)]));
        assert!(blend(1.0) == cat && blend(0.0) == apple, "{name}");
        let half = blend(0.5);
        assert!(half != cat && half != apple, "{name}");
        let resolved = pipeline.resolve(&Request::new("a (red:1.5) cat")).unwrap();
        let text = &resolved.texts()[0];
        let strong = text.emphasis(0).iter().filter(|strength| **strength == 1.5).count();
        assert!((1..text.token_counts()[0] - 2).contains(&strong), "{name}: {:?}", text.emphasis(0));
    }
}

#[test]
fn attention_to_words_is_told_and_changes_no_picture() {
    for name in ["stable-diffusion", "xl"] {
        let folder = tempfile::tempdir().unwrap();
        let pack = folder.path().join("pack");
        quantize(&pipelines().join(name), &pack).assert().success();
        let mut pipeline = Pipeline::open(&pack).unwrap();
        let request = Request::new("a red cat").seed(7).steps(2).guidance(4.0);
        let plain = pipeline.generate(&request).unwrap().picture;
        let explained = pipeline.explain_with(&request, &mut Unobserved).unwrap();
        assert_eq!(explained.generated.picture, plain, "{name}");
        // These look at the text alone, by operators of their own.
        let attention = explained.attention.unwrap();
        assert!(attention.maps >= 2 && attention.pixels < 1e-3, "{name}: {attention:?}");
        assert!(
            (attention.prompt + attention.other_rows - 1.0).abs() < 1e-3,
            "{name}: {attention:?}"
        );
        let words: Vec<_> = explained.words.iter().map(|word| word.attention.as_ref().unwrap()).collect();
        assert_eq!(words.len(), 3, "{name}");
        assert!((words.iter().map(|word| word.share).sum::<f64>() - 1.0).abs() < 1e-6, "{name}");
        for word in &words {
            assert_eq!(word.map.len(), plain.pixels().len() / 4);
            let (least, most) = (word.map.iter().min().unwrap(), word.map.iter().max().unwrap());
            assert!(*least < 40 && *most > 200, "{name}: {least} to {most}");
        }
        assert!(words[0].map != words[2].map, "{name}");
        let emphasised = Request::new("a (red:1.5) cat").seed(7).steps(1);
        let emphasised = pipeline.explain_with(&emphasised, &mut Unobserved).unwrap();
        let red = emphasised.words.iter().find(|word| word.text == "red").unwrap();
        assert!(red.attention.is_some(), "{name}");
        assert_eq!(emphasised.nearest, None, "this pack has no index");
    }
}

#[test]
fn an_empty_negative_prompt_of_sdxl_is_zeros_and_another_is_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("pack");
    quantize(&pipelines().join("xl"), &pack).assert().success();
    let mut pipeline = Pipeline::open(&pack).unwrap();
    let prompt = pipeline.pack().manifest().prompt.clone().unwrap();
    assert!(prompt.empty_is_zero && prompt.padding_2.is_some_and(|other| other != prompt.padding));
    let request = Request::new("a red cat and an apple").seed(7).steps(4).guidance(4.0);
    let without = pipeline.generate(&request).unwrap().picture;
    let with = pipeline.generate(&request.clone().negative("x")).unwrap().picture;
    assert!(psnr(&without, &with) < 40.0);
}

#[test]
fn an_encoder_that_does_not_fit_is_left_out_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let model = model("taesd", folder.path());
    // The decoder in its place: it takes a latent.
    copy_folder(&model.join("vae_decoder"), &model.join("vae_encoder"));
    let pack = folder.path().join("pack");
    let output = quantize(&model, &pack).arg("--json").assert().success().get_output().stdout.clone();
    let report: Value = serde_json::from_slice(&output).unwrap();
    let note = report["notes"][0].as_str().unwrap();
    assert!(note.contains("vae_encoder is left out") && note.contains("--encoder"), "{note}");
    assert!(!Pipeline::open(&pack).unwrap().capabilities().takes_pictures);
}

/// An encoder as optimum writes it: sizes named as the denoiser's, though they are the picture's, and the means of a latent with their
/// deviations. Each value is the mean of a square of pixels, the same in all channels.
fn encoder_of_optimum(file: &Path, shrinks: usize) {
    let free = |name: &str, axes: [&str; 4]| {
        let mut port = small_latent::port(name, DataType::Float, &[0; 4]);
        if let Some(type_proto::Value::TensorType(tensor)) = port.r#type.as_mut().and_then(|kind| kind.value.as_mut()) {
            let dimensions = tensor.shape.as_mut().unwrap().dim.iter_mut();
            dimensions
                .zip(axes)
                .for_each(|(dimension, axis)| dimension.value = Some(dimension::Value::DimParam(axis.into())));
        }
        port
    };
    let mut convolution = small_latent::node("Conv", &["sample", "w"], "latent_parameters");
    convolution.attribute.push(AttributeProto {
        name: "strides".into(),
        ints: vec![shrinks as i64; 2],
        r#type: 7,
        ..AttributeProto::default()
    });
    let count = 8 * 3 * shrinks * shrinks;
    let mean = (1.0 / (3 * shrinks * shrinks) as f32).to_le_bytes();
    let weights = TensorProto {
        name: "w".into(),
        dims: vec![8, 3, shrinks as i64, shrinks as i64],
        data_type: DataType::Float as i32,
        raw_data: mean.repeat(count),
        ..TensorProto::default()
    };
    let graph = GraphProto {
        name: "encoder".into(),
        node: vec![convolution],
        initializer: vec![weights],
        input: vec![free("sample", ["batch_size", "num_channels", "height", "width"])],
        output: vec![free("latent_parameters", ["batch_size", "num_channels_latent", "height", "width"])],
        ..GraphProto::default()
    };
    std::fs::create_dir_all(file).unwrap();
    small_latent::save(file, "model", graph);
}

#[test]
fn encoders_of_optimum_have_sizes_of_their_own_and_give_means() {
    let folder = tempfile::tempdir().unwrap();
    let model = model("stable-diffusion", folder.path());
    let plain = folder.path().join("plain");
    quantize(&model, &plain).assert().success();
    let manifest = Pipeline::open(&plain).unwrap().pack().manifest().clone();
    let (latent, picture) = (&manifest.stages["denoiser"].outputs[0].shape, manifest.picture.unwrap());
    encoder_of_optimum(&model.join("vae_encoder"), picture.width as usize / latent[3]);
    let pack = folder.path().join("pack");
    quantize(&model, &pack).assert().success();
    let mut pipeline = Pipeline::open(&pack).unwrap();
    assert!(pipeline.capabilities().takes_pictures);
    assert_eq!(pipeline.pack().manifest().stages["encoder"].outputs[0].shape, *latent);
    let mut started = |colour: [u8; 4]| {
        let source = Source::new(Picture::filled(16, 16, colour).unwrap()).strength(0.25);
        let request = Request::new("a red cat").seed(7).steps(4).source(source);
        pipeline.generate(&request).unwrap().picture
    };
    assert!(psnr(&started([255, 255, 255, 255]), &started([0, 0, 0, 255])) < 30.0);
}

/// Names the outputs of a text encoder as optimum does: rows of every layer, numbered, and the last one twice.
fn name_as_optimum(file: &Path) {
    let mut model = ModelProto::decode(&*std::fs::read(file).unwrap()).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let rename = |name: &mut String| {
        if name == "prompt_embeds" {
            *name = "hidden_states.1".into();
        }
    };
    graph.node.iter_mut().flat_map(|node| &mut node.output).for_each(rename);
    graph.node.iter_mut().flat_map(|node| &mut node.input).for_each(rename);
    let rows = graph.output.iter_mut().find(|output| output.name == "prompt_embeds").unwrap();
    rename(&mut rows.name);
    let rows = rows.clone();
    for name in ["hidden_states.0", "hidden_states.2", "last_hidden_state"] {
        graph.node.push(NodeProto {
            op_type: "Neg".into(),
            name: format!("make_{name}"),
            input: vec!["hidden_states.1".into()],
            output: vec![name.into()],
            ..NodeProto::default()
        });
        graph.output.insert(
            0,
            ValueInfoProto {
                name: name.into(),
                ..rows.clone()
            },
        );
    }
    std::fs::write(file, model.encode_to_vec()).unwrap();
}

#[test]
fn optimum_names_the_rows_of_every_layer_and_the_last_but_one_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (pipelines().join("xl"), model("xl", folder.path()));
    name_as_optimum(&theirs.join("text_encoder/model.onnx"));
    name_as_optimum(&theirs.join("text_encoder_2/model.onnx"));
    let drawn = [("ours", &ours), ("theirs", &theirs)].map(|(name, model)| {
        let pack = folder.path().join(name);
        quantize(model, &pack).assert().success();
        let request = Request::new("a red cat").seed(7).steps(1);
        Pipeline::open(&pack).unwrap().generate(&request).unwrap().picture
    });
    assert_eq!(drawn[0], drawn[1]);
    let index = theirs.join("model_index.json");
    let text = std::fs::read_to_string(&index).unwrap().replace(
        "\"force_zeros_for_empty_prompt\": true",
        "\"force_zeros_for_empty_prompt\": \"yes\"",
    );
    std::fs::write(&index, text).unwrap();
    quantize(&theirs, &folder.path().join("none"))
        .assert()
        .code(2)
        .stderr(contains("force_zeros_for_empty_prompt: \"yes\" is neither true nor false"));
}

#[test]
fn a_second_text_encoder_that_does_not_fit_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = model("xl", folder.path());
    let pack = folder.path().join("pack");
    std::fs::write(model.join("tokenizer_2/tokenizer.json"), "{").unwrap();
    quantize(&model, &pack).assert().code(2).stderr(contains("tokenizer_2"));
    std::fs::remove_dir_all(model.join("text_encoder_2")).unwrap();
    std::fs::create_dir(model.join("text_encoder_2")).unwrap();
    std::fs::copy(model.join("tokenizer/tokenizer.json"), model.join("tokenizer_2/tokenizer.json")).unwrap();
    quantize(&model, &pack).assert().code(2).stderr(contains("text_encoder_2"));
    assert!(!pack.exists());
}

#[test]
fn f32_packs_are_the_model_itself() {
    for name in MODELS {
        let folder = tempfile::tempdir().unwrap();
        let pack = folder.path().join("pack");
        quantize(&pipelines().join(name), &pack)
            .args(["--scheme", "f32"])
            .assert()
            .success();
        let request = Request::new("a red cat and an apple").seed(7).steps(4).guidance(4.0);
        let drawn = Pipeline::open(&pack).unwrap().generate(&request).unwrap();
        let wanted = png::read(&pipelines().join(format!("{name}.png"))).unwrap().picture;
        let decibels = psnr(&drawn.picture, &wanted);
        assert!(decibels >= 55.0, "{name}: {decibels} dB");
    }
}

#[test]
fn defaults_are_those_that_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("pack");
    let turbo = pipelines().join("turbo");
    quantize(&turbo, &pack)
        .args(["--steps", "3", "--guidance", "1.5"])
        .assert()
        .success();
    let pipeline = Pipeline::open(&pack).unwrap();
    assert_eq!(
        (pipeline.capabilities().default_steps, pipeline.capabilities().default_guidance),
        (3, 1.5)
    );
    for (option, value, words) in [
        ("--steps", "0", "steps"),
        ("--steps", "101", "steps"),
        ("--guidance", "99", "guidance"),
    ] {
        let other = folder.path().join("other");
        quantize(&turbo, &other)
            .args([option, value])
            .assert()
            .code(2)
            .stderr(contains(words));
        assert!(!other.exists());
    }
}

#[test]
fn what_the_folder_says_is_in_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("pack");
    let model = model("stable-diffusion", folder.path());
    std::fs::write(model.join("README.md"), "---\nlicense: openrail\n---\n# A model\n").unwrap();
    let output = quantize(&model, &pack).arg("--json").assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert!(
        report["notes"][0].as_str().unwrap().contains("PNDMScheduler"),
        "{}",
        report["notes"]
    );
    assert_eq!(report["stages"].as_array().unwrap().len(), 3);
    let manifest: toml::Table = std::fs::read_to_string(pack.join("pack.toml")).unwrap().parse().unwrap();
    assert_eq!(manifest["name"].as_str(), Some("stable-diffusion"));
    assert_eq!(manifest["licence"].as_str(), Some("LicenseRef-openrail"));
    assert_eq!(manifest["picture"]["width"].as_integer(), Some(16));
    assert_eq!(manifest["latent"]["scale"].as_float().map(|scale| scale as f32), Some(0.18215));
    assert_eq!(manifest["sampling"]["scheduler"].as_str(), Some("ddim"));
    assert_eq!(manifest["sampling"]["noise"]["betas"].as_str(), Some("scaled-linear"));
    assert_eq!(manifest["sampling"]["default_steps"].as_integer(), Some(25));
    assert_eq!(manifest["prompt"]["max_tokens"].as_integer(), Some(77));
    assert!(pack.join("MODEL_CARD.md").is_file());
}

/// The layouts that are out there make the same pack.
#[test]
fn every_layout_makes_the_same_pack() {
    let folder = tempfile::tempdir().unwrap();
    let usual = folder.path().join("usual-pack");
    quantize(&pipelines().join("latent-consistency"), &usual).assert().success();
    let picture = |pack: &Path| {
        let request = Request::new("a cat").seed(3).steps(2);
        Pipeline::open(pack).unwrap().generate(&request).unwrap().picture.sha256()
    };
    let wanted = picture(&usual);

    // Flat files, and a decoder in `vae` under a name of its own.
    let flat = model("latent-consistency", folder.path());
    std::fs::rename(flat.join("unet/model.onnx"), flat.join("unet.onnx")).unwrap();
    std::fs::rename(flat.join("unet/model.onnx_data"), flat.join("model.onnx_data")).unwrap();
    std::fs::rename(flat.join("vae_decoder"), flat.join("vae")).unwrap();
    std::fs::rename(flat.join("vae/model.onnx"), flat.join("vae/decoder_opset17.onnx")).unwrap();
    let pack = folder.path().join("flat-pack");
    quantize(&flat, &pack).assert().success();
    assert_eq!(picture(&pack), wanted);
}

/// Changes the graph of a file.
fn edit(file: &Path, change: impl FnOnce(&mut GraphProto)) {
    let mut model = ModelProto::decode(std::fs::read(file).unwrap().as_slice()).unwrap();
    change(model.graph.as_mut().unwrap());
    std::fs::write(file, model.encode_to_vec()).unwrap();
}

fn tensor_type(port: &mut ValueInfoProto) -> &mut type_proto::Tensor {
    let type_proto::Value::TensorType(tensor) = port.r#type.as_mut().unwrap().value.as_mut().unwrap();
    tensor
}

/// Gives the dimensions of a port names instead of sizes.
fn free(port: &mut ValueInfoProto, names: &[&str]) {
    let dimensions = &mut tensor_type(port).shape.as_mut().unwrap().dim;
    assert_eq!(dimensions.len(), names.len());
    for (dimension, name) in dimensions.iter_mut().zip(names) {
        dimension.value = Some(dimension::Value::DimParam((*name).into()));
    }
}

/// Sizes of exports with free dimensions, as optimum names them, follow from the configuration; token ids may be 32-bit integers.
#[test]
fn free_sizes_and_short_ids_make_the_same_picture() {
    let folder = tempfile::tempdir().unwrap();
    let model = model("stable-diffusion", folder.path());
    edit(&model.join("text_encoder/model.onnx"), |graph| {
        free(&mut graph.input[0], &["batch_size", "sequence_length"]);
        tensor_type(&mut graph.input[0]).elem_type = DataType::Int32 as i32;
        free(&mut graph.output[0], &["batch_size", "sequence_length", "width_of_rows"]);
    });
    edit(&model.join("unet/model.onnx"), |graph| {
        free(&mut graph.input[0], &["batch_size", "num_channels", "height", "width"]);
        free(&mut graph.input[1], &["steps"]);
        free(&mut graph.output[0], &["batch_size", "out_channels", "out_height", "out_width"]);
    });
    edit(&model.join("vae_decoder/model.onnx"), |graph| {
        // The names of the output are those of the latent's sizes, and mean others.
        free(&mut graph.input[0], &["batch", "channels", "height", "width"]);
        free(&mut graph.output[0], &["batch", "channels", "height", "width"]);
    });
    let picture = |model: &Path, name: &str| {
        let pack = folder.path().join(name);
        quantize(model, &pack).assert().success();
        let request = Request::new("an apple").seed(5).steps(2);
        Pipeline::open(&pack).unwrap().generate(&request).unwrap().picture.sha256()
    };
    assert_eq!(picture(&model, "free"), picture(&pipelines().join("stable-diffusion"), "fixed"));
}

/// A Hugging Face cache: a snapshot of links into `blobs`.
#[cfg(unix)]
#[test]
fn links_may_lead_into_the_cache_and_no_further() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("models--someone--small");
    let snapshot = cache.join("snapshots/0123456789abcdef0123456789abcdef01234567");
    copy_folder(&pipelines().join("latent-consistency"), &snapshot);
    let blobs = cache.join("blobs");
    std::fs::create_dir(&blobs).unwrap();
    for (index, part) in ["text_encoder", "unet", "vae_decoder"].iter().enumerate() {
        for name in ["model.onnx", "model.onnx_data"] {
            let (file, blob) = (snapshot.join(part).join(name), blobs.join(format!("{index}{name}")));
            std::fs::rename(&file, &blob).unwrap();
            std::os::unix::fs::symlink(format!("../../../blobs/{index}{name}"), file).unwrap();
        }
    }
    let pack = folder.path().join("pack");
    quantize(&snapshot, &pack).assert().success();
    let manifest = std::fs::read_to_string(pack.join("pack.toml")).unwrap();
    assert!(manifest.contains("name = \"small\""), "{manifest}");

    let outside = folder.path().join("elsewhere.onnx");
    std::fs::copy(blobs.join("2model.onnx"), &outside).unwrap();
    let link = snapshot.join("vae_decoder/model.onnx");
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&outside, &link).unwrap();
    let pack = folder.path().join("other");
    quantize(&snapshot, &pack).assert().code(2).stderr(contains("outside of the model"));
    assert!(!pack.exists());
}

/// Adds the mean of a constant of 2⁶² × 2⁶² zeros to the picture.
fn add_huge_constant(graph: &mut GraphProto) {
    let picture = graph.output[0].name.clone();
    let last = graph.node.iter_mut().find(|node| node.output[0] == picture).unwrap();
    last.output[0] = "small".into();
    let sizes = TensorProto {
        name: "huge_sizes".into(),
        dims: vec![2],
        data_type: DataType::Int64 as i32,
        int64_data: vec![1 << 62; 2],
        ..TensorProto::default()
    };
    graph.initializer.push(sizes);
    for (operator, inputs, output) in [
        ("ConstantOfShape", vec!["huge_sizes"], "huge"),
        ("ReduceMean", vec!["huge"], "mean"),
        ("Add", vec!["small", "mean"], picture.as_str()),
    ] {
        graph.node.push(NodeProto {
            op_type: operator.into(),
            name: format!("make_{output}"),
            input: inputs.into_iter().map(String::from).collect(),
            output: vec![output.to_owned()],
            ..NodeProto::default()
        });
    }
}

/// Each fault is named before work starts, and leaves nothing.
#[test]
fn what_is_missing_or_wrong_is_named() {
    type Fault = (&'static str, fn(&Path), &'static [&'static str]);
    let faults: [Fault; 14] = [
        (
            "no scheduler",
            |model| std::fs::remove_dir_all(model.join("scheduler")).unwrap(),
            &["scheduler_config.json", "no such file"],
        ),
        (
            "no tokenizer",
            |model| std::fs::remove_dir_all(model.join("tokenizer")).unwrap(),
            &["vocab.json", "copy the folder"],
        ),
        (
            "PyTorch weights",
            |model| {
                std::fs::remove_file(model.join("unet/model.onnx")).unwrap();
                std::fs::write(model.join("unet/diffusion_pytorch_model.safetensors"), "").unwrap();
            },
            &["diffusion_pytorch_model.safetensors", "models/export/export.py"],
        ),
        (
            "no network",
            |model| std::fs::remove_dir_all(model.join("unet")).unwrap(),
            &["unet/model.onnx", "no such file"],
        ),
        (
            "another pipeline",
            |model| std::fs::write(model.join("model_index.json"), "{\"_class_name\": \"FluxPipeline\"}").unwrap(),
            &["model_index.json", "_class_name", "FluxPipeline"],
        ),
        (
            "another scheduler",
            |model| std::fs::write(model.join("scheduler/scheduler_config.json"), "{\"_class_name\": \"TCDScheduler\"}").unwrap(),
            &["TCDScheduler", "EulerDiscreteScheduler"],
        ),
        (
            "cut short",
            |model| {
                let file = model.join("unet/model.onnx");
                let bytes = std::fs::read(&file).unwrap();
                std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
            },
            &["unet/model.onnx", "cut short"],
        ),
        (
            "weights cut short",
            |model| {
                let file = model.join("unet/model.onnx_data");
                let bytes = std::fs::read(&file).unwrap();
                std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
            },
            &["unet/model.onnx", "tensor"],
        ),
        (
            "sizes that do not fit",
            |model| copy_folder(&model.join("text_encoder"), &model.join("unet")),
            &["unet/model.onnx", "input_ids"],
        ),
        (
            "a configuration that is none",
            |model| std::fs::write(model.join("vae_decoder/config.json"), "[]").unwrap(),
            &["vae_decoder/config.json", "not a table"],
        ),
        (
            "a folder in a file's place",
            |model| {
                std::fs::remove_file(model.join("unet/config.json")).unwrap();
                std::fs::create_dir(model.join("unet/config.json")).unwrap();
            },
            &["unet/config.json", "folder"],
        ),
        (
            "a schedule without numbers",
            |model| {
                let file = model.join("scheduler/scheduler_config.json");
                let mut config: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
                config["timestep_scaling"] = serde_json::json!(1e308);
                std::fs::write(&file, config.to_string()).unwrap();
            },
            &["sampling", "not all numbers"],
        ),
        (
            "a constant of gigabytes",
            |model| edit(&model.join("vae_decoder/model.onnx"), add_huge_constant),
            &["vae_decoder/model.onnx"],
        ),
        (
            "channel means",
            |model| std::fs::write(model.join("vae_decoder/config.json"), "{\"latents_mean\": [0.1]}").unwrap(),
            &["vae_decoder/config.json", "mean"],
        ),
    ];
    for (what, spoil, words) in faults {
        let folder = tempfile::tempdir().unwrap();
        let model = model("latent-consistency", folder.path());
        spoil(&model);
        let pack = folder.path().join("pack");
        let mut assert = quantize(&model, &pack).assert().code(2);
        for word in words {
            assert = assert.stderr(contains(*word));
        }
        assert!(!pack.exists(), "{what}");
        let left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["latent-consistency"], "{what}");
    }
}

/// What lies outside of the model, or is a pipe, is neither read nor waited for.
#[cfg(unix)]
#[test]
fn files_that_are_not_the_models_are_not_read() {
    use std::os::unix::fs::symlink;
    type Fault = (&'static str, fn(&Path), &'static str);
    let faults: [Fault; 4] = [
        (
            "unet/model.onnx_data",
            |file| assert!(std::process::Command::new("mkfifo").arg(file).status().unwrap().success()),
            "pipe",
        ),
        (
            "unet/model.onnx_data",
            |file| symlink("/dev/zero", file).unwrap(),
            "outside of the model",
        ),
        ("README.md", |file| symlink("/etc/hostname", file).unwrap(), "outside of the model"),
        (
            "vae_decoder/config.json",
            |file| symlink("../nowhere", file).unwrap(),
            "leads nowhere",
        ),
    ];
    for (name, put, words) in faults {
        let folder = tempfile::tempdir().unwrap();
        let model = model("latent-consistency", folder.path());
        let file = model.join(name);
        let _ = std::fs::remove_file(&file);
        put(&file);
        let pack = folder.path().join("pack");
        quantize(&model, &pack)
            .timeout(std::time::Duration::from_secs(120))
            .assert()
            .code(2)
            .stderr(contains(words));
        assert!(!pack.exists(), "{name}");
    }
}

/// Padding and dropout of a tokenizer's file are not those of prompts.
#[test]
fn a_tokenizers_own_padding_and_dropout_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let picture = |model: &Path, name: &str| {
        let pack = folder.path().join(name);
        quantize(model, &pack).assert().success();
        let request = Request::new("a red apple").seed(5).steps(1);
        Pipeline::open(&pack).unwrap().generate(&request).unwrap().picture.sha256()
    };
    let model = model("latent-consistency", folder.path());
    let wanted = picture(&model, "plain");
    let file = model.join("tokenizer/tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    tokenizer["padding"] = serde_json::json!({
        "strategy": {"Fixed": 1_000_000_000}, "direction": "Left", "pad_to_multiple_of": 50, "pad_id": 3, "pad_type_id": 0, "pad_token": "$"
    });
    tokenizer["model"]["dropout"] = serde_json::json!(0.5);
    std::fs::write(&file, tokenizer.to_string()).unwrap();
    assert_eq!(picture(&model, "padded"), wanted);
}
