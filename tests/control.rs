//! Prompts that are mixed, emphasised, chosen by the seed, and pictures that are varied.

mod support;

use std::fs;
use std::path::Path;

use inkstone::picture::{Picture, image_file};
use inkstone::{Part, Pipeline, PipelineError, Request};
use predicates::prelude::*;
use serde_json::Value;
use support::{files, generate, inkstone, pack};

fn pipeline() -> Pipeline {
    Pipeline::open(pack()).unwrap()
}

/// The hash of a picture in one step.
fn hash(pipeline: &mut Pipeline, request: Request) -> String {
    pipeline.generate(&request.steps(1).seed(7)).unwrap().picture.sha256()
}

fn json(command: &mut assert_cmd::Command) -> Value {
    let output = command.arg("--json").assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output).unwrap()
}

/// How far two pictures are from one another: the mean difference of a channel.
fn distance(one: &Picture, other: &Picture) -> f64 {
    let pairs = one.pixels().iter().zip(other.pixels());
    pairs.map(|(one, other)| f64::from(one.abs_diff(*other))).sum::<f64>() / one.pixels().len() as f64
}

#[test]
fn a_blend_of_one_prompt_is_that_prompt() {
    let mut pipeline = pipeline();
    let cat = hash(&mut pipeline, Request::new("a smiling cat"));
    for parts in [
        vec![Part::new("a smiling cat", 0.3)],
        vec![Part::new("a smiling cat", 1.0), Part::new("dog", 0.0)],
        vec![Part::new("nothing that is known", 0.0), Part::new("a smiling cat", 2.0)],
    ] {
        assert_eq!(hash(&mut pipeline, Request::blend(parts)), cat);
    }
    let folder = tempfile::tempdir().unwrap();
    let draw = |command: &mut assert_cmd::Command, name: &str| {
        let file = folder.path().join(name);
        command.args(["--steps", "1", "--seed", "7", "--out"]).arg(&file).assert().success();
        fs::read(file).unwrap()
    };
    let single = draw(inkstone().args(["generate", "cat"]), "single.png");
    assert_eq!(
        draw(inkstone().args(["blend", "cat:1", "dog:0"]), "blend.png"),
        single,
        "with the same record"
    );
}

#[test]
fn a_blend_lies_between_its_prompts() {
    let mut pipeline = pipeline();
    let mut draw = |request: Request| pipeline.generate(&request.style("flat").seed(7)).unwrap();
    let [cat, apple] = ["cat", "red apple"].map(|prompt| draw(Request::new(prompt)).picture);
    let blend = |weight: f32| Request::blend([Part::new("cat", 1.0 - weight), Part::new("red apple", weight)]);
    let mut last = 0.0;
    for weight in [0.2, 0.5, 0.8] {
        let mixed = draw(blend(weight));
        let from_cat = distance(&mixed.picture, &cat);
        assert!(
            from_cat > last && distance(&mixed.picture, &apple) > 0.0,
            "{weight}: {from_cat} after {last}"
        );
        last = from_cat;
    }
    // The weights' sum does not matter, and neither does who mixes.
    let mixed = draw(blend(0.5));
    assert_eq!(
        draw(Request::blend([Part::new("cat", 3.0), Part::new("red apple", 3.0)])).picture,
        mixed.picture
    );
    assert_eq!(mixed.provenance.prompt, "cat:0.5 AND red apple:0.5");
    assert_eq!(
        mixed.provenance.extra["blend"],
        r#"[{"prompt":"cat","weight":0.5},{"prompt":"red apple","weight":0.5}]"#
    );
    let folder = tempfile::tempdir().unwrap();
    let report = json(
        inkstone()
            .args([
                "blend",
                "cat:0.5",
                "red apple:0.5",
                "--style",
                "flat",
                "--seed",
                "7",
                "--threads",
                "1",
                "--out",
            ])
            .arg(folder.path()),
    );
    assert_eq!(report["pictures"][0]["sha256"], mixed.picture.sha256());
    assert_eq!(files(folder.path()), ["cat-0-5-and-red-apple-0-5-7.png"]);
}

#[test]
fn a_blend_is_drawn_in_the_style_of_its_first_prompt_unless_one_is_asked_for() {
    let mut pipeline = pipeline();
    let blend = || Request::blend([Part::new("cat, pixel art", 1.0), Part::new("dog", 1.0)]);
    let style = |pipeline: &mut Pipeline, request: &Request| pipeline.resolve(request).unwrap().style().unwrap().to_owned();
    assert_eq!(style(&mut pipeline, &blend()), "pixel");
    assert_eq!(style(&mut pipeline, &blend().style("ink")), "ink");
    // A part's own style is its own: two decoders' pictures are mixed.
    let own = Request::blend([Part::new("cat", 1.0).style("flat"), Part::new("cat", 1.0).style("ink")]);
    assert_eq!(pipeline.resolve(&own).unwrap().style_shares(), [(2, 0.5), (3, 0.5)]);
    let mixed = hash(&mut pipeline, own);
    for style in ["flat", "ink"] {
        assert_ne!(hash(&mut pipeline, Request::new("cat").style(style)), mixed);
    }
}

#[test]
fn what_cannot_be_mixed_is_told() {
    let mut pipeline = pipeline();
    let mut problem = |parts: &[(&str, f32)]| {
        let parts = parts.iter().map(|(prompt, weight)| Part::new(*prompt, *weight));
        let error = pipeline.generate(&Request::blend(parts)).unwrap_err();
        assert!(error.is_input_fault());
        error.to_string()
    };
    assert!(problem(&[("cat", -1.0), ("dog", 1.0)]).contains("invalid weight: \"cat\" has -1"));
    assert!(problem(&[("cat", f32::NAN)]).contains("invalid weight"));
    assert!(problem(&[("cat", 0.0), ("dog", 0.0)]).contains("one of them must be above 0"));
    assert!(problem(&[("two cats and a robot", 1.0), ("dog", 1.0)]).contains("as many in the same places"));
    assert!(problem(&[("cat", 1.0), ("xyzzyx", 1.0)]).contains("nothing in \"xyzzyx\""));
    assert!(problem(&[("cat", 1.0); 65]).contains("65 prompts"));
    // As many things in the same places are mixed one by one.
    let pairs = Request::blend([Part::new("two cats", 1.0), Part::new("two dogs", 1.0)]);
    assert_eq!(pipeline.resolve(&pairs).unwrap().rows(), [[0, 0]]);
    inkstone()
        .args(["blend", "cat:0", "dog:0"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("invalid weight"));
    inkstone().arg("blend").assert().code(2);
}

#[test]
fn emphasis_changes_what_is_drawn_and_no_emphasis_does_not() {
    let mut pipeline = pipeline();
    // What has no syntax is drawn as it is without any.
    for text in ["a red cat :)", "a red cat)", "(-: red cat", "red cat [", "a ()cat", "1:2 cat"] {
        let literal = hash(&mut pipeline, Request::new(text).literal(true));
        assert_eq!(hash(&mut pipeline, Request::new(text)), literal, "{text}");
    }
    let mut hash = |prompt: &str| hash(&mut pipeline, Request::new(prompt));
    let plain = hash("a red cat");
    assert_eq!(hash("a (red:1) cat"), plain);
    let emphasised = ["a (red) cat", "a (red:1.5) cat", "a [red] cat", "a red (cat:0.7)"].map(&mut hash);
    for (index, one) in emphasised.iter().enumerate() {
        assert!(*one != plain && !emphasised[..index].contains(one));
    }
    assert_eq!(hash("a ((red)) cat"), hash("a (red:1.21) cat"));
}

#[test]
fn a_stronger_colour_is_more_of_it() {
    let mut pipeline = pipeline();
    let mut blue = |prompt: &str| {
        let picture = pipeline.generate(&Request::new(prompt).style("flat").seed(3)).unwrap().picture;
        let pixels = picture.pixels().chunks_exact(4).filter(|pixel| pixel[3] > 127);
        let excess: Vec<f64> = pixels.map(|pixel| f64::from(pixel[2]) - f64::from(pixel[0])).collect();
        excess.iter().sum::<f64>() / excess.len() as f64
    };
    let strengths = [0.3, 0.7, 1.0, 1.5].map(|weight| blue(&format!("a (blue:{weight}) cat")));
    assert!(strengths.is_sorted(), "{strengths:?}");
    assert!(strengths[3] > strengths[0] + 10.0, "{strengths:?}");
}

#[test]
fn emphasis_without_effect_is_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let report = json(generate("cat (wearing a hat:2)", &folder.path().join("cat.png")).args(["--steps", "1"]));
    let note = |report: &Value| report["notes"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(note(&report)["kind"], "emphasis_unused");
    assert_eq!(note(&report)["text"], "wearing a hat");
    let several = json(generate("(two cats:2) and a robot", &folder.path().join("cats.png")).args(["--steps", "1"]));
    assert_eq!(note(&several)["kind"], "emphasis_unused");
}

#[test]
fn the_seed_takes_the_choices() {
    let template = "a {red|blue|green|yellow} {cat|dog|{big|small} robot}";
    let mut pipeline = pipeline();
    let mut drawn = |seed| {
        let resolved = pipeline.resolve(&Request::new(template).seed(seed)).unwrap();
        assert_eq!(resolved.template(), Some(template));
        resolved.prompt()
    };
    let prompts: Vec<String> = (0..8).map(&mut drawn).collect();
    assert_eq!(prompts, (0..8).map(drawn).collect::<Vec<_>>());
    assert!(prompts.iter().any(|prompt| *prompt != prompts[0]));
    // What is drawn is the prompt that was chosen, and the record tells both.
    let folder = tempfile::tempdir().unwrap();
    let report = json(
        inkstone()
            .args(["generate", template, "--seed", "0", "-n", "3", "--steps", "1", "--out"])
            .arg(folder.path()),
    );
    assert_eq!(report["prompt"], template);
    for (picture, prompt) in report["pictures"].as_array().unwrap().iter().zip(&prompts) {
        assert_eq!(picture["prompt"], **prompt);
        let made = image_file::read(Path::new(picture["file"].as_str().unwrap()))
            .unwrap()
            .provenance
            .unwrap();
        assert_eq!((made.prompt.as_str(), made.extra["template"].as_str()), (prompt.as_str(), template));
        let plain = Request::new(prompt).seed(made.seed).steps(1);
        assert_eq!(picture["sha256"], pipeline_hash(&plain));
    }
}

fn pipeline_hash(request: &Request) -> String {
    pipeline().generate(request).unwrap().picture.sha256()
}

#[test]
fn word_lists_are_read_from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("animal.txt"), "# animals\ncat\n").unwrap();
    fs::write(folder.path().join("a.txt"), "{b}").unwrap();
    fs::write(folder.path().join("b.txt"), "x\n{a}").unwrap();
    let draw = |prompt: &str| {
        let mut command = generate(prompt, &folder.path().join("x.png"));
        command.args(["--steps", "1", "--force", "--words"]).arg(folder.path());
        command
    };
    let report = json(&mut draw("a {animal}"));
    assert_eq!(report["pictures"][0]["prompt"], "a cat");
    let refused = |command: &mut assert_cmd::Command, words: &str| {
        command.assert().code(2).stderr(predicate::str::contains(words));
    };
    refused(&mut draw("{a}"), "the list leads back to itself: a → b → a");
    refused(&mut draw("{missing}"), "missing.txt");
    refused(&mut generate("a {animal}", Path::new("never.png")), "--words DIR names the folder");
    refused(
        &mut generate("a {red cat", Path::new("never.png")),
        "the prompt, character 3: '{' is not closed",
    );
    refused(
        &mut generate("a red} cat", Path::new("never.png")),
        "a backslash makes a bracket or brace part of the text",
    );
    refused(&mut generate("a (cat:99)", Path::new("never.png")), "must be a number from 0 to 10");
}

#[test]
fn ten_thousand_alternatives_are_read_from_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let many: Vec<&str> = std::iter::repeat_n("cat", 10_000).collect();
    let prompts = folder.path().join("prompts.txt");
    fs::write(&prompts, format!("a {{{}}}\n\nred apple\n", many.join("|"))).unwrap();
    let out = folder.path().join("out");
    inkstone()
        .args(["generate", "--steps", "1", "--seed", "7", "--prompts"])
        .arg(&prompts)
        .arg("--out")
        .arg(&out)
        .assert()
        .success()
        .stdout(predicate::str::contains(": a cat (seed 7"));
    assert_eq!(files(&out).len(), 2);
    inkstone()
        .args(["generate", "--prompts", "missing.txt"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("--prompts missing.txt"));
    inkstone()
        .args(["generate", "cat", "--prompts"])
        .arg(&prompts)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("cannot be used with"));
}

#[test]
fn literal_prompts_have_no_syntax() {
    let mut pipeline = pipeline();
    let plain = hash(&mut pipeline, Request::new("red cat"));
    let literal = pipeline
        .generate(&Request::new("{red} (cat:9)").literal(true).steps(1).seed(7))
        .unwrap();
    assert_eq!(literal.provenance.prompt, "{red} (cat:9)");
    assert_eq!(literal.provenance.extra["literal"], "yes");
    let request = pipeline.request_of(&literal.provenance).unwrap();
    let again = pipeline.generate(&request).unwrap();
    assert!(
        again.picture == literal.picture && again.provenance == literal.provenance,
        "the record draws it again"
    );
    assert!(matches!(
        pipeline.generate(&Request::new("{red cat")),
        Err(PipelineError::Syntax { .. })
    ));
    assert_eq!(hash(&mut pipeline, Request::new("red cat").literal(true)), plain);
}

#[test]
fn private_words_are_not_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    inkstone()
        .args([
            "generate",
            "a buterfly in the snow",
            "--negative",
            "blue",
            "--steps",
            "1",
            "--seed",
            "7",
            "--no-prompt",
            "--out",
        ])
        .arg(folder.path())
        .assert()
        .success();
    assert_eq!(files(folder.path()), ["picture-7.png"]);
    let bytes = fs::read(folder.path().join("picture-7.png")).unwrap();
    for word in ["buterfly", "butterfly", "snow", "blue"] {
        assert!(
            !bytes.windows(word.len()).any(|window| window == word.as_bytes()),
            "{word} is in the file"
        );
    }
    inkstone()
        .args(["info"])
        .arg(folder.path().join("picture-7.png"))
        .assert()
        .success()
        .stdout(predicate::str::contains("prompts are not recorded"));
    let made = image_file::read(&folder.path().join("picture-7.png")).unwrap();
    assert!(inkstone::picture::verify(&made.picture, &made.provenance.clone().unwrap()));
    let error = pipeline().request_of(&made.provenance.unwrap()).unwrap_err().to_string();
    assert!(error.contains("its prompt is not recorded"), "{error}");
}

#[test]
fn a_record_draws_its_picture_again() {
    let mut pipeline = pipeline();
    for request in [
        Request::new("harp"),
        Request::new("a dragon, pixel art").size(256),
        Request::new("chat").language(inkstone::words::Language::of("fr").unwrap()),
        Request::new("a {red|blue} (cat:1.3)"),
        Request::new("two cats and a robot").style("flat"),
        Request::new("cat")
            .guidance(2.0)
            .negative("(blue:1.2)")
            .background("navy:#fff".parse().unwrap()),
        Request::new("cat").variation(3, 0.3).variation(u64::MAX, 0.125),
        Request::blend([Part::new("cat", 0.6).style("flat"), Part::new("dog", 0.4).style("ink")]),
        Request::new("wombat").guess(true),
    ] {
        let first = pipeline.generate(&request.steps(1).seed(7)).unwrap();
        let again = pipeline.request_of(&first.provenance).unwrap();
        let again = pipeline.generate(&again).unwrap();
        assert_eq!(again.picture, first.picture, "{}", first.provenance.prompt);
        let facts = |generated: &inkstone::Generated| (generated.provenance.prompt.clone(), generated.provenance.extra.clone());
        let (mut before, after) = (facts(&first), facts(&again));
        before.1.remove("template");
        assert_eq!(before, after);
    }
}

#[test]
fn a_picture_that_a_person_made_is_marked_as_a_part() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    Picture::filled(64, 64, [200, 60, 40, 255])
        .unwrap()
        .save(inside("photo.png"), None)
        .unwrap();
    let draw = |from: &str, to: &str| {
        generate("cat", &inside(to))
            .args(["--steps", "4", "--strength", "0.5", "--from"])
            .arg(inside(from))
            .assert()
            .success();
        image_file::read(&inside(to)).unwrap()
    };
    let of_person = draw("photo.png", "one.png");
    assert!(of_person.ai_marked && of_person.ai_composite);
    // What comes of it stays a person's in part.
    assert!(draw("one.png", "two.png").ai_composite);
    generate("dog", &inside("dog.png")).args(["--steps", "1"]).assert().success();
    let of_model = draw("dog.png", "three.png");
    assert!(of_model.ai_marked && !of_model.ai_composite);
    inkstone()
        .arg("info")
        .arg(inside("one.png"))
        .assert()
        .success()
        .stdout(predicate::str::contains("compositeWithTrainedAlgorithmicMedia (IPTC)"));
}

/// `inkstone vary` of a picture into a folder.
fn vary(picture: &Path, out: &Path) -> assert_cmd::Command {
    let mut command = inkstone();
    command.arg("vary").arg(picture).arg("--out").arg(out);
    command
}

#[test]
fn variations_resemble_their_picture_the_less_the_further_they_go() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("cat.png"), folder.path().join("out"));
    generate("a (smiling:1.2) cat", &file)
        .args(["--steps", "2", "--style", "flat", "--size", "96"])
        .assert()
        .success();
    let original = Picture::open(&file).unwrap();
    let mut last = 0.0;
    for amount in ["0", "0.3", "0.7", "1"] {
        let report = json(vary(&file, &out).args(["--amount", amount, "-n", "1", "--seed", "100", "--force"]));
        let picture = Picture::open(out.join("cat-100.png")).unwrap();
        assert_eq!(
            (report["steps"].as_u64(), report["style"].as_str(), picture.width()),
            (Some(2), Some("flat"), 96)
        );
        let from_original = distance(&picture, &original);
        assert!((amount == "0") == (picture == original), "{amount}");
        assert!(from_original >= last, "{amount}: {from_original} after {last}");
        last = from_original;
    }
    // Four by default, each from a seed of its own; a variation can be varied in turn, and made again.
    vary(&file, &out).args(["--force", "--seed", "100"]).assert().success();
    assert_eq!(files(&out), ["cat-100.png", "cat-101.png", "cat-102.png", "cat-103.png"]);
    let first = image_file::read(&out.join("cat-101.png")).unwrap().provenance.unwrap();
    assert_eq!((first.seed, first.extra["variations"].as_str()), (7, "101:0.5"));
    vary(&out.join("cat-101.png"), &out)
        .args(["-n", "1", "--seed", "5", "--amount", "0.25"])
        .assert()
        .success();
    let second = image_file::read(&out.join("cat-101-5.png")).unwrap().provenance.unwrap();
    assert_eq!(second.extra["variations"], "101:0.5 5:0.25");
    vary(&out.join("cat-101-5.png"), &out)
        .args(["-n", "1", "--amount", "0", "--seed", "6"])
        .assert()
        .success();
    assert_eq!(
        Picture::open(out.join("cat-101-5-6.png")).unwrap(),
        Picture::open(out.join("cat-101-5.png")).unwrap()
    );
}

/// A PNG file without its chunks of a keyword.
fn without_chunk(file: &[u8], keyword: &str) -> Vec<u8> {
    let (mut kept, mut rest) = (file[..8].to_vec(), &file[8..]);
    while let Some((length, _)) = rest.split_first_chunk::<4>() {
        let (chunk, behind) = rest.split_at(12 + u32::from_be_bytes(*length) as usize);
        if !chunk[8..].starts_with(format!("{keyword}\0").as_bytes()) {
            kept.extend_from_slice(chunk);
        }
        rest = behind;
    }
    kept
}

#[test]
fn a_variation_is_told_in_the_fields_of_web_interfaces_and_read_from_them() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("cat.png"), folder.path().join("out"));
    generate("cat", &file).args(["--steps", "1", "--style", "flat"]).assert().success();
    vary(&file, &out)
        .args(["-n", "1", "--seed", "100", "--amount", "0.25"])
        .assert()
        .success();
    let whole = fs::read(out.join("cat-100.png")).unwrap();
    let text = String::from_utf8_lossy(&whole);
    assert!(text.contains("Variation seed: 100, Variation seed strength: 0.25"), "{text}");
    // A gallery that keeps this text alone loses nothing of it.
    let bare = folder.path().join("bare.png");
    fs::write(&bare, without_chunk(&whole, "inkstone")).unwrap();
    let info = json(inkstone().arg("info").arg(&bare));
    assert_eq!(info["made_by"]["extra"]["variations"], "100:0.25");
    vary(&bare, &out)
        .args(["-n", "1", "--seed", "1", "--amount", "0"])
        .assert()
        .success();
    let again = Picture::open(out.join("bare-1.png")).unwrap();
    assert_eq!(again, Picture::open(out.join("cat-100.png")).unwrap());
}

#[test]
fn variations_are_drawn_onto_a_sheet() {
    let folder = tempfile::tempdir().unwrap();
    let (file, sheet) = (folder.path().join("cat.png"), folder.path().join("sheet.png"));
    generate("cat", &file).args(["--steps", "1", "--size", "64"]).assert().success();
    let report = json(vary(&file, &sheet).args(["--sheet", "3x2", "--seed", "100", "--amount", "1"]));
    let drawn = Picture::open(&sheet).unwrap();
    assert_eq!((drawn.width(), drawn.height()), (192, 128));
    let numbers: Vec<u64> = (0..6)
        .map(|index| report["pictures"][index]["variation"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [100, 101, 102, 103, 104, 105]);
    let description: Value = serde_json::from_slice(&fs::read(folder.path().join("sheet.json")).unwrap()).unwrap();
    let last = &description["frames"]["cat-105"];
    assert_eq!(
        (&last["frame"]["x"], &last["frame"]["y"], &last["variations"]),
        (&128.into(), &64.into(), &"105:1".into())
    );
    // Each is what it is by itself.
    let out = folder.path().join("out");
    vary(&file, &out)
        .args(["-n", "1", "--seed", "104", "--amount", "1"])
        .assert()
        .success();
    let alone = Picture::open(out.join("cat-104.png")).unwrap();
    for y in 0..64 {
        for x in 0..64 {
            let (cell, own) = (drawn.pixel(64 + x, 64 + y).unwrap(), alone.pixel(x, y).unwrap());
            assert!(cell == own || (cell[3], own[3]) == (0, 0), "{x} {y}: {cell:?} {own:?}");
        }
    }
    vary(&file, &sheet).args(["--sheet", "3x2", "-n", "4"]).assert().code(2);
}

#[test]
fn options_change_what_is_varied() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cat.png");
    generate("cat", &file).args(["--steps", "1"]).assert().success();
    let report = json(vary(&file, &folder.path().join("out")).args([
        "-n",
        "1",
        "--style",
        "ink",
        "--seed",
        "100",
        "--prompt",
        "dog",
        "--no-prompt",
    ]));
    assert_eq!(
        (&report["style"], &report["steps"], &report["read_as"]),
        (&"ink".into(), &1.into(), &"dog".into())
    );
    assert_eq!(files(&folder.path().join("out")), ["picture-100.png"]);
}

#[test]
fn pictures_of_others_are_what_drawing_starts_from() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    generate("red apple", &inside("apple.png"))
        .args(["--steps", "1"])
        .assert()
        .success();
    let apple = Picture::open(inside("apple.png")).unwrap();
    apple.save(inside("bare.png"), None).unwrap();
    let out = inside("out");
    vary(&inside("bare.png"), &out).assert().code(2).stderr(predicate::str::contains(
        "nothing in the file tells what it shows; say so with --prompt",
    ));
    let report = json(vary(&inside("bare.png"), &out).args(["--prompt", "tomato", "-n", "1", "--seed", "100", "--amount", "0.5"]));
    assert_eq!(report["prompt"], "tomato");
    let varied = image_file::read(&out.join("bare-100.png")).unwrap();
    assert!(varied.ai_composite, "without a record it may be a person's");
    assert_eq!(varied.provenance.unwrap().extra["strength"], "0.5");
    assert!(distance(&varied.picture, &apple) > 0.0);
    vary(&inside("bare.png"), &out)
        .args(["--prompt", "tomato", "--amount", "0", "--seed", "1", "-n", "1"])
        .assert()
        .success();
    assert_eq!(Picture::open(out.join("bare-1.png")).unwrap(), apple);
    // Another program's text tells the prompt and the steps.
    let made = inkstone::picture::Provenance {
        prompt: "a (red:1.2) {apple".into(),
        steps: 2,
        seed: 3,
        guidance: 7.0,
        software: "webui".into(),
        pack_sha256: "0123456789".into(),
        ..Default::default()
    };
    apple.save(inside("foreign.png"), &made).unwrap();
    let report = json(vary(&inside("foreign.png"), &out).args(["-n", "1"]));
    assert_eq!((report["read_as"].as_str(), report["steps"].as_u64()), (Some("red apple"), Some(2)));
    vary(&inside("foreign.png"), &out)
        .args(["--from"])
        .arg(inside("apple.png"))
        .assert()
        .code(2)
        .stderr(predicate::str::contains("cannot start from another one"));
    // A picture that was drawn on another one needs it again.
    generate("dog", &inside("dog.png"))
        .args(["--steps", "2", "--strength", "0.5", "--from"])
        .arg(inside("bare.png"))
        .assert()
        .success();
    vary(&inside("dog.png"), &out)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("give that one as --from"));
    vary(&inside("dog.png"), &out)
        .args(["-n", "1", "--amount", "0", "--seed", "100", "--from"])
        .arg(inside("bare.png"))
        .assert()
        .success();
    assert_eq!(
        Picture::open(out.join("dog-100.png")).unwrap(),
        Picture::open(inside("dog.png")).unwrap()
    );
    // What was drawn beyond its sides is drawn there again.
    generate("red apple", &inside("wide.png"))
        .args(["--steps", "1", "--extend", "right", "32", "--from"])
        .arg(inside("bare.png"))
        .assert()
        .success();
    vary(&inside("wide.png"), &out)
        .args(["-n", "1", "--amount", "0", "--seed", "100", "--from"])
        .arg(inside("bare.png"))
        .assert()
        .success();
    let wide = Picture::open(out.join("wide-100.png")).unwrap();
    assert!(wide.width() == 160 && wide == Picture::open(inside("wide.png")).unwrap());
    inkstone().args(["vary", "missing.png"]).assert().code(2);
}

/// All pictures of an animated PNG file, and their times in milliseconds.
fn frames(file: &Path) -> Vec<(Vec<u8>, u32)> {
    let mut reader = png::Decoder::new(std::io::BufReader::new(fs::File::open(file).unwrap()))
        .read_info()
        .unwrap();
    let count = reader.info().animation_control().unwrap().num_frames;
    let mut frame = |_| {
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        (pixels, u32::from(reader.info().frame_control().unwrap().delay_num))
    };
    (0..count).map(&mut frame).collect()
}

#[test]
fn the_ends_of_a_morph_are_the_single_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("morph.png");
    let arguments = [
        "morph",
        "cat",
        "red apple",
        "a house, pixel art",
        "--steps",
        "1",
        "--seed",
        "3",
        "--to-seed",
        "9",
        "--frames",
        "8",
    ];
    let report = json(inkstone().args(arguments).args(["--fps", "10", "--out"]).arg(&file));
    let frames = frames(&file);
    assert_eq!((frames.len(), report["frames"].as_array().unwrap().len()), (8, 8));
    let mut pipeline = pipeline();
    let mut single = |request: Request| pipeline.generate(&request.steps(1)).unwrap().picture.pixels().to_vec();
    assert!(frames[0].0 == single(Request::new("cat").seed(3)));
    assert!(frames[7].0 == single(Request::new("a house, pixel art").seed(9)));
    assert!(
        frames
            .iter()
            .any(|(pixels, _)| *pixels == single(Request::new("red apple").seed(3).variation(9, 0.5)))
    );
    let times: Vec<u32> = frames.iter().map(|(_, time)| *time).collect();
    assert!(
        times.iter().sum::<u32>().abs_diff(800) < 8 && times.iter().all(|time| *time > 0),
        "{times:?}"
    );
    let verified = inkstone().arg("verify").arg(&file).assert().success();
    verified.stdout(predicate::str::contains("the first frame alone"));
    // The file's record is that of the first picture, and tells of the morph.
    let contents = image_file::read(&file).unwrap();
    let made = contents.provenance.unwrap();
    assert!(inkstone::picture::verify(&contents.picture, &made));
    assert!(
        contents.ai_marked && made.extra["morph"].contains(r#""prompts":["cat","red apple","a house, pixel art"]"#),
        "{made:?}"
    );
    let again = folder.path().join("again.png");
    inkstone()
        .args(arguments)
        .args(["--fps", "10", "--threads", "1", "--out"])
        .arg(&again)
        .assert()
        .success();
    assert!(
        fs::read(&file).unwrap() == fs::read(&again).unwrap(),
        "the same request is the same file"
    );
}

#[test]
fn frames_are_spread_evenly_over_what_changes() {
    let mut pipeline = pipeline();
    let mut morph = inkstone::pipeline::morph::Morph::new(["cat", "red apple"].map(String::from));
    morph.request = Request::new("").steps(1).style("flat").seed(7);
    morph.frames = 12;
    let drawn = pipeline.morph(&morph, &mut inkstone::pipeline::Unobserved).unwrap();
    let largest = |pictures: &[Picture]| pictures.windows(2).map(|pair| distance(&pair[0], &pair[1])).fold(0.0, f64::max);
    let placed: Vec<Picture> = drawn.frames.iter().map(|frame| frame.picture.clone()).collect();
    let mut even = |index: u8| {
        let weight = f32::from(index) / 11.0;
        let request = Request::blend([Part::new("cat", 1.0 - weight), Part::new("red apple", weight)]);
        pipeline.generate(&request.steps(1).style("flat").seed(7)).unwrap().picture
    };
    let even: Vec<Picture> = (0..12).map(&mut even).collect();
    assert!(placed[0] == even[0] && placed[11] == even[11]);
    assert!(largest(&placed) < largest(&even), "{} against {}", largest(&placed), largest(&even));
}

#[test]
fn morphs_are_written_as_gif_and_into_folders_and_closed() {
    let folder = tempfile::tempdir().unwrap();
    let morph = |more: &[&str], out: &Path| {
        let mut command = inkstone();
        command.args([
            "morph",
            "cat",
            "--to-seed",
            "9",
            "--to-style",
            "ink",
            "--style",
            "flat",
            "--steps",
            "1",
            "--seed",
            "3",
            "--frames",
            "4",
        ]);
        command.args(more).arg("--out").arg(out);
        command
    };
    let gif = folder.path().join("a.gif");
    morph(&["--loop"], &gif).assert().success();
    let contents = image_file::read(&gif).unwrap();
    assert!(contents.ai_marked && contents.provenance.unwrap().extra["morph"].contains("\"loop\":true"));
    let out = folder.path().join("frames");
    morph(&[], &out).assert().success();
    assert_eq!(
        files(&out),
        [
            "frame-0001.png",
            "frame-0002.png",
            "frame-0003.png",
            "frame-0004.png",
            "frames.ffconcat"
        ]
    );
    let mut pipeline = pipeline();
    for (name, request) in [
        ("frame-0001.png", Request::new("cat").style("flat").seed(3)),
        ("frame-0004.png", Request::new("cat").style("ink").seed(9)),
    ] {
        assert_eq!(
            Picture::open(out.join(name)).unwrap(),
            pipeline.generate(&request.steps(1)).unwrap().picture
        );
    }
    // Each frame can be made again by its own record.
    let frame = image_file::read(&out.join("frame-0002.png")).unwrap();
    let request = pipeline.request_of(&frame.provenance.unwrap()).unwrap();
    assert_eq!(pipeline.generate(&request).unwrap().picture, frame.picture);
    let refused = |command: &mut assert_cmd::Command, words: &str| {
        command.assert().code(2).stderr(predicate::str::contains(words));
    };
    refused(&mut morph(&[], &out), "exists already");
    refused(&mut morph(&[], &folder.path().join("a.jpg")), "animated .png or .gif");
    refused(&mut morph(&["-n", "2"], &folder.path().join("b.png")), "--frames is the number");
    refused(
        inkstone().args(["morph", "cat", "dog", "--size", "4096", "--out", "never.png"]),
        "30 frames of 4096 pixels need too much memory: at most 4 are possible",
    );
    refused(
        inkstone().args(["morph", "cat", "--out", "never.png"]),
        "a second prompt is missing",
    );
    refused(
        inkstone().args(["morph", "cat", "dog", "tree", "--frames", "2", "--out", "never.png"]),
        "one for each",
    );
    refused(
        inkstone().args(["morph", "cat", "two dogs", "--out", "never.png"]),
        "as many in the same places",
    );
    refused(
        inkstone().args(["morph", "cat", "dog", "--frames", "100000", "--out", "never.png"]),
        "--frames",
    );
    assert!(!Path::new("never.png").exists());
}
