//! A small latent diffusion model, exported, quantized and run: the pack has a family, so the quantizer generates a picture with
//! it; the library generates the same one, and treats latents as latents.

#[path = "support/small_latent.rs"]
mod small_latent;

use std::ops::ControlFlow;
use std::path::Path;

use assert_cmd::Command;
use inkstone::picture::Picture;
use inkstone::pipeline::{NoAttention, Options, Unobserved};
use inkstone::{Pipeline, Progress, Request, Source};
use predicates::str::contains;
use small_latent::{MODEL, convolution, export, node, port, save, weights};
use tract_onnx::pb::GraphProto;
use tract_onnx::pb::tensor_proto::DataType;

fn quantize(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("inkstone-quantize").unwrap();
    command.arg(folder.join("f32")).arg("--out").arg(folder.join("pack"));
    command
}

#[test]
fn a_latent_model_becomes_a_pack_that_generates() {
    let folder = tempfile::tempdir().unwrap();
    let (f32, pack) = (folder.path().join("f32"), folder.path().join("pack"));
    std::fs::create_dir(&f32).unwrap();
    export(&f32);
    let output = quantize(folder.path()).arg("--json").assert().success().get_output().stdout.clone();
    let report: serde_json::Value = serde_json::from_slice(&output).unwrap();

    let mut pipeline = Pipeline::open(&pack).unwrap();
    let request = Request::new("a red apple").steps(2).seed(7);
    let mut previews = 0;
    let mut watch = |progress: &Progress| {
        previews += usize::from(progress.preview().is_some());
        ControlFlow::Continue(())
    };
    let generated = pipeline.generate_with(&request, &mut watch).unwrap();
    assert_eq!(previews, 0, "latents are not pictures");
    assert_eq!(report["picture_sha256"].as_str(), Some(generated.picture.sha256().as_str()));
    assert_eq!((generated.picture.width(), generated.picture.height()), (8, 8));

    let other = pipeline.generate(&request.clone().guidance(2.0)).unwrap();
    assert_ne!(other.picture, generated.picture, "guidance takes effect");
    let explained = pipeline.explain_with(&request, &mut Unobserved).unwrap();
    assert_eq!((explained.attention, explained.nearest), (Err(NoAttention::Absent), None));

    // Three words and the end token fit; a longer prompt keeps the end token and is told.
    let resolved = pipeline.resolve(&Request::new("a red apple apple red")).unwrap();
    assert_eq!(resolved.ids(), [[2, 3, 4, 5]]);
    assert_eq!(resolved.notes()[0].to_string(), "the prompt is too long: read its first 4 tokens");
    assert_eq!(pipeline.resolve(&Request::new("apple")).unwrap().ids(), [[4, 5, 0, 0]]);
}

#[test]
fn a_decoder_for_a_part_of_the_latent_draws_in_tiles() {
    let pictures = ["8, 8", "4, 4", "3, 8"].map(|tile| {
        let folder = tempfile::tempdir().unwrap();
        let f32 = folder.path().join("f32");
        std::fs::create_dir(&f32).unwrap();
        export(&f32);
        let sides: Vec<i64> = tile.split(", ").map(|side| side.parse().unwrap()).collect();
        let shape = |channels: i64| [1, channels, sides[0], sides[1]];
        let decoder = convolution("decoder", ("latent", &shape(4)), ("rgb", &shape(3)));
        save(&f32, "decoder", decoder);
        let (head, decoder) = MODEL.split_once("[stages.decoder]").unwrap();
        let decoder = decoder.replace("8, 8]", &format!("{tile}]"));
        std::fs::write(f32.join("model.toml"), format!("{head}[stages.decoder]{decoder}")).unwrap();
        quantize(folder.path()).args(["--scheme", "f32"]).assert().success();
        let mut pipeline = Pipeline::open(folder.path().join("pack")).unwrap();
        pipeline.generate(&Request::new("a red apple").seed(7)).unwrap().picture
    });
    assert_eq!((pictures[1].width(), pictures[1].height()), (8, 8));
    for tiled in &pictures[1..] {
        let difference = |(one, other): (&u8, &u8)| one.abs_diff(*other);
        let worst = tiled.pixels().iter().zip(pictures[0].pixels()).map(difference).max().unwrap();
        assert!(worst <= 1, "{worst}");
    }
}

#[test]
fn a_prompt_that_comes_again_draws_the_same_and_is_not_encoded_again() {
    let folder = tempfile::tempdir().unwrap();
    let f32 = folder.path().join("f32");
    std::fs::create_dir(&f32).unwrap();
    export(&f32);
    quantize(folder.path()).assert().success();
    let open = |reuses_texts| Pipeline::open_with(folder.path().join("pack"), &Options::default().reuses_texts(reuses_texts)).unwrap();
    let (mut reusing, mut encoding) = (open(true), open(false));
    let request = |prompt: &str| Request::new(prompt).seed(7).guidance(2.0);
    for prompt in ["a red apple", "apple", "a red apple", "a red apple"] {
        let pictures = [&mut reusing, &mut encoding].map(|pipeline| pipeline.generate(&request(prompt)).unwrap().picture);
        assert_eq!(pictures[0], pictures[1], "{prompt}");
    }
}

/// The ports of an encoder that shrinks nothing.
const ENCODER: &str = r#"
[stages.encoder]
graph = "encoder.onnx"
inputs = [{ name = "rgb", role = "picture", element = "f32", shape = [1, 3, 8, 8] }]
outputs = [{ name = "latent", role = "latent", element = "f32", shape = [1, 4, 8, 8] }]
"#;

#[test]
fn pictures_are_started_from_where_there_is_an_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let (f32, pack) = (folder.path().join("f32"), folder.path().join("pack"));
    std::fs::create_dir(&f32).unwrap();
    export(&f32);
    quantize(folder.path()).assert().success();
    let picture = Picture::new(8, 8, (0..64).flat_map(|index| [index * 3, 255 - index * 2, index, 255]).collect()).unwrap();
    let request = Request::new("a red apple").seed(7).steps(2);
    let from = |strength| request.clone().source(Source::new(picture.clone()).strength(strength));
    let error = Pipeline::open(&pack).unwrap().generate(&from(0.5)).unwrap_err().to_string();
    assert!(error.contains("no encoder"), "{error}");

    let encoder = convolution("encoder", ("rgb", &[1, 3, 8, 8]), ("latent", &[1, 4, 8, 8]));
    save(&f32, "encoder", encoder);
    std::fs::write(f32.join("model.toml"), format!("{MODEL}{ENCODER}")).unwrap();
    quantize(folder.path()).arg("--force").assert().success();
    let mut pipeline = Pipeline::open(&pack).unwrap();
    let mut draw = |request: &Request| pipeline.generate(request).unwrap();
    let (unchanged, half, most) = (draw(&from(0.0)), draw(&from(0.5)), draw(&from(1.0)));
    assert_eq!([&unchanged, &half, &most].map(|drawn| drawn.timings.len()), [2, 3, 4]);
    assert_eq!(unchanged.picture, picture);
    assert_ne!(draw(&from(0.5).seed(8)).picture, half.picture);
    assert!(half.picture != unchanged.picture && half.picture != most.picture);
    assert_eq!(half.provenance.extra["from"], picture.sha256());

    // Black is kept to the byte, white is what is drawn.
    let mask = Picture::new(
        8,
        8,
        (0..64)
            .flat_map(|index| [if index % 8 < 4 { 0 } else { 255 }; 3].into_iter().chain([255]))
            .collect(),
    );
    let masked = draw(
        &request
            .clone()
            .source(Source::new(picture.clone()).strength(0.5).mask(mask.unwrap())),
    )
    .picture;
    let mut changed = 0;
    for (place, (kept, drawn)) in picture
        .pixels()
        .as_chunks::<4>()
        .0
        .iter()
        .zip(masked.pixels().as_chunks::<4>().0)
        .enumerate()
    {
        assert!(place % 8 >= 4 || kept == drawn, "{place}");
        changed += usize::from(kept != drawn);
    }
    assert!(changed > 16, "{changed}");
    let narrow = Picture::filled(8, 4, [255; 4]).unwrap();
    for (source, words) in [
        (Source::new(picture.clone()).strength(1.5), "invalid strength: 1.5"),
        (Source::new(picture.clone()).strength(f32::NAN), "invalid strength"),
        (
            Source::new(picture.clone()).mask(narrow),
            "the mask has 8×4 pixels, the picture 8×8",
        ),
    ] {
        let error = Pipeline::open(&pack)
            .unwrap()
            .generate(&request.clone().source(source))
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{error}");
    }
    std::fs::write(
        f32.join("model.toml"),
        format!("{MODEL}{}", ENCODER.replace("role = \"latent\"", "role = \"context\"")),
    )
    .unwrap();
    quantize(folder.path())
        .arg("--force")
        .assert()
        .code(2)
        .stderr(contains("stages.encoder"));
}

/// A one-step consistency model of one convolution that reads no prompt, with a number that shifts its picture.
const UNCONDITIONAL: &str = r#"
format = 2
name = "terrain"
version = "1.0.0"
licence = "MIT"
description = "A height map"
family = "diffusion"

[picture]
width = 8
height = 8
channels = "gray"

[sampling]
prediction = "picture"
scheduler = "consistency"
default_steps = 1
default_guidance = 1.0
max_guidance = 1.0

[sampling.sigmas]
1 = [80.0]
2 = [80.0, 24.5]

[stages.denoiser]
graph = "denoiser.onnx"
inputs = [
    { name = "noisy", role = "noisy", element = "f32", shape = [1, 1, 8, 8] },
    { name = "sigma", role = "time", element = "f32", shape = [1] },
    { name = "height", role = "condition", element = "f32", shape = [1], range = [-1, 1], default = 0.0 },
]
outputs = [{ name = "denoised", role = "prediction", element = "f32", shape = [1, 1, 8, 8] }]
"#;

fn export_unconditional(folder: &Path) {
    let picture = [1, 1, 8, 8];
    let denoiser = GraphProto {
        name: "denoiser".into(),
        node: vec![
            node("Div", &["noisy", "sigma"], "scaled"),
            node("Conv", &["scaled", "w"], "drawn"),
            node("Add", &["drawn", "height"], "denoised"),
        ],
        initializer: vec![weights("w", &[1, 1, 1, 1])],
        input: vec![
            port("noisy", DataType::Float, &picture),
            port("sigma", DataType::Float, &[1]),
            port("height", DataType::Float, &[1]),
        ],
        output: vec![port("denoised", DataType::Float, &picture)],
        ..GraphProto::default()
    };
    save(folder, "denoiser", denoiser);
    std::fs::write(folder.join("model.toml"), UNCONDITIONAL).unwrap();
}

#[test]
fn numbers_are_given_by_name_and_a_model_needs_no_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let (f32, pack) = (folder.path().join("f32"), folder.path().join("pack"));
    std::fs::create_dir(&f32).unwrap();
    export_unconditional(&f32);
    quantize(folder.path()).assert().success();
    let mut pipeline = Pipeline::open(&pack).unwrap();
    let can = pipeline.capabilities();
    assert!(!can.has_prompt && !can.has_negative);
    assert_eq!(
        (can.steps.as_slice(), can.conditions[0].name.as_str()),
        ([1, 2].as_slice(), "height")
    );
    let request = Request::new("").seed(3);
    let usual = pipeline.generate(&request).unwrap();
    let gray = usual.picture.pixel(3, 4).unwrap();
    assert!(gray[0] == gray[1] && gray[1] == gray[2] && gray[3] == 255, "{gray:?}");
    let same = pipeline.generate(&request.clone().condition("height", 0.0)).unwrap();
    assert_eq!(same.picture, usual.picture);
    let higher = pipeline.generate(&request.clone().condition("height", 0.5)).unwrap();
    let sum = |picture: &inkstone::picture::Picture| picture.pixels().iter().map(|&value| u64::from(value)).sum::<u64>();
    assert!(sum(&higher.picture) > sum(&usual.picture) + 64 * 3 * 40);
    assert_eq!(higher.provenance.extra["inputs"], "height=0.5");
    let unread = pipeline.generate(&Request::new("a mountain").seed(3)).unwrap();
    assert_eq!(unread.picture, usual.picture);
    assert!(unread.notes[0].to_string().contains("reads no prompt"), "{:?}", unread.notes);
    for (name, value, words) in [
        ("depth", 0.0, "unknown input 'depth'; this pack takes height"),
        ("height", 2.0, "input 'height': 2 is not between -1 and 1"),
        ("height", f64::NAN, "is not a finite number"),
    ] {
        let error = pipeline.generate(&request.clone().condition(name, value)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    for (from, to, words) in [
        (", default = 0.0", "", "has the role 'condition' and no default"),
        ("default = 0.0", "default = 3.0", "is not between -1 and 1"),
        (
            "role = \"time\"",
            "role = \"time\", default = 1.0",
            "only inputs of role 'condition'",
        ),
        ("2 = [80.0, 24.5]", "2 = [24.5, 80.0]", "must descend"),
        ("1 = [80.0]", "3 = [80.0]", "as many as steps"),
    ] {
        std::fs::write(f32.join("model.toml"), UNCONDITIONAL.replace(from, to)).unwrap();
        quantize(folder.path()).arg("--force").assert().code(2).stderr(contains(words));
    }
}

#[test]
fn a_model_that_does_not_fit_its_family_is_refused_before_anything_is_written() {
    for (from, to, words) in [
        (
            "role = \"latent\"",
            "role = \"picture\"",
            "has role 'picture', which is not supplied",
        ),
        ("role = \"noisy\"", "role = \"mask\"", "has role 'mask', which is not supplied"),
        ("max_tokens = 4", "max_tokens = 5", "5 elements are supplied"),
        ("scale = 0.25", "scale = 0", "scale not 0"),
        ("width = 8", "width = 16", "the picture has 384"),
        ("\"flow-consistency\"", "\"heun\"", "unknown scheduler 'heun'"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let f32 = folder.path().join("f32");
        std::fs::create_dir(&f32).unwrap();
        export(&f32);
        std::fs::write(f32.join("model.toml"), MODEL.replace(from, to)).unwrap();
        quantize(folder.path()).assert().code(2).stderr(contains(words));
        assert!(!folder.path().join("pack").exists(), "{to}");
    }
}
