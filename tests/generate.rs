//! `inkstone generate`, `info` and `verify` as a user runs them.

mod support;

use inkstone::picture::Picture;
use predicates::prelude::*;
use serde_json::Value;
use support::{files, generate, inkstone};

fn json(output: &[u8]) -> Value {
    serde_json::from_slice(output).expect("valid JSON on standard output")
}

/// What a command that draws reports.
fn reported(command: &mut assert_cmd::Command) -> Value {
    json(&command.arg("--json").assert().success().get_output().stdout)
}

/// The names of a picture's stages, in order.
fn stages(picture: &Value) -> Vec<&str> {
    let stages = picture["stages"].as_array().unwrap();
    stages.iter().map(|stage| stage["stage"].as_str().unwrap()).collect()
}

/// What `info` tells about a picture or a pack.
fn info(path: &std::path::Path) -> Value {
    json(&inkstone().args(["info", "--json"]).arg(path).assert().success().get_output().stdout)
}

/// The report of a picture drawn with more arguments.
fn report(arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    reported(generate("red apple", &folder.path().join("apple.png")).args(arguments))
}

#[test]
fn under_a_memory_cap_stages_take_turns_and_the_picture_is_the_same() {
    let (all, one) = (report(&[]), report(&["--memory-cap", "1024"]));
    assert_eq!(all["pictures"][0]["sha256"], one["pictures"][0]["sha256"]);
    let mapped = |report: &Value| report["memory"]["mapped_bytes"].as_u64().unwrap();
    // The text encoder's weights are gone when the denoiser runs, and the denoiser's when the decoder does.
    assert!(
        mapped(&one) + (4 << 20) < mapped(&all),
        "{} and {} bytes",
        mapped(&one),
        mapped(&all)
    );
}

#[test]
fn a_memory_cap_that_cannot_be_kept_is_said() {
    let folder = tempfile::tempdir().unwrap();
    generate("red apple", &folder.path().join("apple.png"))
        .args(["--memory-cap", "1", "--steps", "1"])
        .assert()
        .success()
        .stderr(predicate::str::contains("above the cap of 1 MiB"));
}

#[test]
fn draws_a_picture_that_tells_what_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cat.png");
    let report = reported(&mut generate("a smiling cat, 3d style", &file));
    let picture = &report["pictures"][0];
    assert_eq!(
        (&report["style"], &report["steps"], &picture["seed"]),
        (&"3d".into(), &4.into(), &7.into())
    );
    assert_eq!((&picture["width"], &picture["height"]), (&128.into(), &128.into()));
    assert_eq!(stages(picture), ["text_encoder", "step 1", "step 2", "step 3", "step 4", "decoder"]);
    assert!(report["memory"]["private_bytes"].as_u64().unwrap() > 0);
    assert!(report["start_to_first_step_milliseconds"].as_f64().unwrap() > 0.0);

    let info = info(&file);
    assert_eq!(info["sha256"], picture["sha256"]);
    assert_eq!(info["made_by"]["prompt"], "a smiling cat, 3d style");
    assert_eq!(info["made_by"]["pack_sha256"], report["pack"]["sha256"]);
    assert_eq!(
        (&info["picture_matches_record"], &info["marked_as_generated"]),
        (&true.into(), &true.into())
    );
    inkstone()
        .arg("verify")
        .arg(&file)
        .assert()
        .success()
        .stdout(predicate::str::contains("clean"));
    assert_eq!(files(folder.path()), ["cat.png"]);
}

#[test]
fn pictures_are_neither_empty_nor_alike() {
    let folder = tempfile::tempdir().unwrap();
    let out = format!("{}/", folder.path().display());
    inkstone()
        .args(["generate", "red apple", "--count", "2", "--seed", "5", "--out", &out])
        .assert()
        .success();
    inkstone()
        .args(["generate", "tree", "--seed", "5", "--style", "ink", "--out", &out])
        .assert()
        .success();
    assert_eq!(files(folder.path()), ["red-apple-5.png", "red-apple-6.png", "tree-5.png"]);
    let read = |name: &str| inkstone::picture::png::read(&folder.path().join(name)).unwrap().picture;
    let pictures = ["red-apple-5.png", "red-apple-6.png", "tree-5.png"].map(read);
    for picture in &pictures {
        let seen = picture.pixels().chunks_exact(4).filter(|pixel| pixel[3] > 127).count();
        assert!(seen > 500, "only {seen} pixels can be seen");
    }
    assert_ne!(pictures[0].sha256(), pictures[1].sha256());
    // The apple is red.
    let sums = pictures[0]
        .pixels()
        .chunks_exact(4)
        .filter(|pixel| pixel[3] > 127)
        .fold([0u64; 3], |mut sums, pixel| {
            (0..3).for_each(|channel| sums[channel] += u64::from(pixel[channel]));
            sums
        });
    assert!(
        sums[0] > sums[1] + sums[1] / 4 && sums[0] > sums[2] + sums[2] / 4,
        "red, green, blue: {sums:?}"
    );
}

#[test]
fn options_reach_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sun.png");
    let previews = folder.path().join("steps");
    generate("sun", &file)
        .args([
            "--steps",
            "2",
            "--size",
            "96",
            "--background",
            "navy:#fff",
            "--style",
            "flat",
            "--preview",
        ])
        .arg(&previews)
        .assert()
        .success();
    let contents = inkstone::picture::png::read(&file).unwrap();
    assert_eq!((contents.picture.width(), contents.picture.height()), (96, 96));
    assert!(
        contents.picture.pixels().chunks_exact(4).all(|pixel| pixel[3] == 255),
        "the background fills the picture"
    );
    // The corner is navy, but for what the picture itself leaves there.
    let corner = contents.picture.pixel(0, 0).unwrap();
    assert!(
        corner.iter().zip([0u8, 0, 128, 255]).all(|(found, navy)| found.abs_diff(navy) < 24),
        "{corner:?}"
    );
    let made = contents.provenance.unwrap();
    assert_eq!((made.steps, made.style.as_deref(), made.size), (2, Some("flat"), [96, 96]));
    assert_eq!(files(&previews), ["step-1.png", "step-2.png"]);
}

#[test]
fn the_same_request_gives_the_same_bytes_on_any_number_of_threads_and_any_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let kernels = inkstone::engine::kernels();
    let mut made = Vec::new();
    for (index, kernel) in kernels.iter().enumerate() {
        for threads in ["1", "3"] {
            let file = folder.path().join(format!("{index}-{threads}.png"));
            generate("rocket", &file)
                .args(["--steps", "1", "--threads", threads])
                .env("INKSTONE_KERNEL", kernel)
                .assert()
                .success();
            made.push((kernel, threads, std::fs::read(&file).unwrap()));
        }
    }
    for (kernel, threads, bytes) in &made {
        assert!(*bytes == made[0].2, "{kernel} with {threads} threads differs from {}", made[0].0);
    }
}

#[test]
fn guidance_and_negative_words_change_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let hash = |name: &str, arguments: &[&str]| {
        let file = folder.path().join(name);
        generate("grinning face", &file)
            .args(["--steps", "1"])
            .args(arguments)
            .assert()
            .success();
        inkstone::picture::png::read(&file).unwrap().picture.sha256()
    };
    let plain = hash("1.png", &[]);
    let guided = hash("2.png", &["--guidance", "2"]);
    let negative = hash("3.png", &["--guidance", "2", "--negative", "yellow"]);
    assert!(plain != guided && guided != negative && plain != negative);
    assert_eq!(
        plain,
        hash("4.png", &["--negative", "yellow"]),
        "negative words take effect with guidance alone"
    );
}

#[test]
fn several_things_are_drawn_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picture.png");
    let previews = folder.path().join("steps");
    let arguments = ["--style", "flat", "--steps", "2"];
    let mut command = generate("a cat and two red apples, please", &file);
    let report = reported(command.args(arguments).arg("--preview").arg(&previews));
    assert_eq!(report["objects"], serde_json::json!(["cat", "red apple"]));
    assert_eq!(report["rows"], serde_json::json!([[0], [1, 1]]));
    assert_eq!(
        stages(&report["pictures"][0]),
        ["text_encoder", "step 1", "step 2", "step 3", "step 4", "decoder"]
    );
    assert_eq!(files(&previews).len(), 4);
    let picture = inkstone::picture::png::read(&file).unwrap().picture;
    let shown = |x: std::ops::Range<u32>, y: std::ops::Range<u32>| {
        let all = x.flat_map(|x| y.clone().map(move |y| (x, y)));
        all.filter(|&(x, y)| picture.pixel(x, y).is_some_and(|pixel| pixel[3] > 127))
            .count()
    };
    // Nothing stands beside the cat, and both apples are the same.
    assert_eq!([shown(0..32, 0..64), shown(96..128, 0..64)], [0, 0]);
    assert!(shown(32..96, 0..64) > 500);
    assert!(shown(0..64, 64..128) > 500);
    assert_eq!(shown(0..64, 64..128), shown(64..128, 64..128));
    // The first thing is the picture that it is by itself.
    let alone = folder.path().join("cat.png");
    generate("cat", &alone).args(arguments).assert().success();
    let cat = inkstone::picture::png::read(&alone).unwrap().picture;
    let small = inkstone::picture::arranged(&[vec![&cat]]).unwrap();
    assert!((0..64).all(|y| (32..96).all(|x| picture.pixel(x, y) == small.pixel(x, y + 32))));
    // Each thing is encoded, drawn and decoded while its stage is in memory.
    let mut command = generate("cat and two red apples", &folder.path().join("capped.png"));
    let capped = reported(command.args(arguments).args(["--memory-cap", "1024"]));
    assert_eq!(report["pictures"][0]["sha256"], capped["pictures"][0]["sha256"]);
}

#[test]
fn what_was_learned_in_other_styles_alone_is_drawn_in_one_of_them() {
    let folder = tempfile::tempdir().unwrap();
    for (prompt, options, style) in [
        ("harp", &[][..], "noto"),
        ("two red harps", &[], "noto"),
        ("a long sword, please", &[], "pixel"),
        ("harp", &["--style", "3d"], "3d"),
        ("harp, flat style", &[], "flat"),
        ("cat", &[], "3d"),
    ] {
        let mut command = generate(prompt, &folder.path().join("picture.png"));
        let output = command.args(["--steps", "1", "--force", "--json"]).args(options).assert().success();
        let told = String::from_utf8_lossy(&output.get_output().stderr).contains(&format!("note: drew in the style '{style}'"));
        let unasked = options.is_empty() && ["noto", "pixel"].contains(&style);
        assert_eq!(
            (json(&output.get_output().stdout)["style"].as_str(), told),
            (Some(style), unasked),
            "{prompt}"
        );
    }
}

#[test]
fn words_that_ask_for_nothing_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let draw = |prompt: &str| {
        let output = generate(prompt, &folder.path().join("picture.png"))
            .args(["--steps", "1", "--style", "flat", "--force", "--json"])
            .assert()
            .success()
            .get_output()
            .clone();
        let report = json(&output.stdout);
        let read = report["read_as"].as_str().unwrap().to_owned();
        let unread = report["unread"].as_array().unwrap().len();
        let notes = String::from_utf8(output.stderr).unwrap();
        let told = notes.matches("cannot combine it with").count() + notes.matches("left out").count();
        assert_eq!(unread, told, "{prompt}");
        (report["pictures"][0]["sha256"].as_str().unwrap().to_owned(), read, unread)
    };
    for (plain, read, around, unread) in [
        ("red cat", "red cat", "Please draw me a cute picture of a red cat!", 0),
        ("house", "house", "a house in the snow", 1),
        ("猫", "cat", "画一只可爱的猫", 0),
        ("gato", "cat", "una foto de un gato, por favor", 0),
        ("apple", "red apple", "exquisitely xylographed apples", 1),
        ("hot beverage", "hot beverage", "a steaming cup of coffee, please", 0),
        ("blue wolf", "blue wolf", "a blue werewolf", 0),
    ] {
        let (picture, as_read, _) = draw(plain);
        assert_eq!(as_read, read);
        assert_eq!(draw(around), (picture, read.to_owned(), unread), "{around}");
    }
    let known = "man in tuxedo";
    assert_eq!(draw(known).1, known);
}

#[test]
fn other_picture_formats_carry_the_record_too() {
    let folder = tempfile::tempdir().unwrap();
    for (name, background, is_lossless) in [("sun.webp", "transparent", true), ("sun.jpg", "white", false)] {
        let file = folder.path().join(name);
        let report = reported(generate("sun", &file).args(["--steps", "1", "--background", background]));
        let info = info(&file);
        assert_eq!(info["made_by"]["seed"], 7, "{name}");
        assert_eq!(info["marked_as_generated"], true, "{name}");
        assert_eq!(info["sha256"] == report["pictures"][0]["sha256"], is_lossless, "{name}");
    }
}

#[test]
fn other_languages_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("apple.png");
    generate("红苹果", &file).args(["--steps", "1"]).assert().success();
    inkstone()
        .arg("info")
        .arg(&file)
        .assert()
        .success()
        .stdout(predicate::str::contains("红苹果"));
}

#[test]
fn a_changed_picture_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sun.png");
    generate("sun", &file)
        .args(["--steps", "1", "--background", "white"])
        .assert()
        .success();
    let contents = inkstone::picture::png::read(&file).unwrap();
    let mut pixels = contents.picture.pixels().to_vec();
    pixels[0] ^= 1;
    let changed = inkstone::picture::Picture::new(128, 128, pixels).unwrap();
    inkstone::picture::png::write(&changed, &file, contents.provenance.as_ref(), true).unwrap();
    inkstone()
        .arg("verify")
        .arg(&file)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("was changed"));
    inkstone()
        .arg("info")
        .arg(&file)
        .assert()
        .success()
        .stdout(predicate::str::contains("NO, the pixels differ"));
}

#[test]
fn the_shipped_pack_is_clean() {
    inkstone()
        .arg("verify")
        .arg(support::pack())
        .assert()
        .success()
        .stdout(predicate::str::contains("clean"));
    let info = info(&support::pack());
    assert_eq!(info["manifest"]["name"], "pictogram");
    assert_eq!(info["manifest"]["styles"].as_array().unwrap().len(), 9);
}

/// Runs a command line in a pseudo-terminal and returns what it wrote.
#[cfg(target_os = "linux")]
fn in_a_terminal(folder: &std::path::Path, terminal: &str, options: &str) -> String {
    let binary = assert_cmd::cargo::cargo_bin("inkstone");
    let line = format!(
        "{} generate sun --steps 1 --force {options} --out {}/sun.png",
        binary.display(),
        folder.display()
    );
    let output = std::process::Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", terminal)
        .env("COLORTERM", "truecolor")
        .env("INKSTONE_PACK", support::pack())
        .env_remove("TMUX")
        .env_remove("STY")
        .env_remove("KITTY_WINDOW_ID")
        .env_remove("TERM_PROGRAM")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("`script` of util-linux makes the pseudo-terminal");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_shows_the_picture_as_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let (blocks, kitty) = ("\u{2584}", "\u{1b}_G");
    let plain = in_a_terminal(folder.path(), "xterm-256color", "");
    assert!(
        (plain.contains(blocks) || plain.contains('\u{2580}')) && !plain.contains(kitty),
        "{plain}"
    );
    assert!(in_a_terminal(folder.path(), "xterm-kitty", "").contains(kitty));
    assert!(
        in_a_terminal(folder.path(), "foot-sixel", "").contains("\u{1b}P"),
        "a Sixel picture begins with DCS"
    );
    for (terminal, options) in [("dumb", ""), ("xterm-kitty", "--preview none"), ("xterm-kitty", "--json")] {
        let text = in_a_terminal(folder.path(), terminal, options);
        assert!(
            !text.contains(kitty) && !text.contains('\u{2580}') && text.contains("sun.png"),
            "{terminal} {options}: {text}"
        );
    }
}

#[test]
fn a_picture_is_started_from_and_a_mask_keeps_its_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (cat, mask) = (file("cat.png"), file("mask.png"));
    generate("cat", &cat).args(["--background", "white"]).assert().success();
    // Black on the left.
    let pixels = (0..128 * 128).flat_map(|place| [if place % 128 < 64 { 0 } else { 255 }; 3].into_iter().chain([255]));
    Picture::new(128, 128, pixels.collect()).unwrap().save(&mask, None).unwrap();
    let from = |name: &str, strength: &str, more: &[&str]| {
        let mut command = generate("dog", &file(name));
        command.args(["--strength", strength, "--from"]).arg(&cat).args(more);
        reported(&mut command)
    };
    let half = from("half.png", "0.5", &[]);
    assert_eq!(stages(&half["pictures"][0]), ["text_encoder", "step 1", "step 2", "decoder"]);
    let mask = mask.to_str().unwrap();
    from("masked.png", "1", &["--mask", mask]);
    let (own, drawn) = (Picture::open(&cat).unwrap(), Picture::open(file("masked.png")).unwrap());
    let differing = |columns: std::ops::Range<u32>| {
        let places = columns.flat_map(|x| (0..128).map(move |y| (x, y)));
        places.filter(|&(x, y)| own.pixel(x, y) != drawn.pixel(x, y)).count()
    };
    assert_eq!(differing(0..64), 0);
    assert!(differing(64..128) > 1000);
    // A mask of another size keeps what it covers with black, too, and nothing is changed with a strength of 0.
    let large = file("large.png");
    let pixels = (0..512 * 512).flat_map(|place| [if place % 512 < 256 { 0 } else { 255 }; 3].into_iter().chain([255]));
    Picture::new(512, 512, pixels.collect()).unwrap().save(&large, None).unwrap();
    from("large-mask.png", "1", &["--mask", large.to_str().unwrap()]);
    let drawn_anew = Picture::open(file("large-mask.png")).unwrap();
    assert_eq!(drawn_anew, drawn);
    from("kept.png", "0", &[]);
    assert_eq!(Picture::open(file("kept.png")).unwrap(), own);
    let record = info(&file("masked.png"));
    assert_eq!(record["made_by"]["extra"]["from"].as_str(), Some(own.sha256().as_str()));
    assert_eq!(record["picture_matches_record"], true);

    for (arguments, words) in [
        (vec!["--strength", "0.5"], "--from"),
        (vec!["--from", "missing.png"], "missing.png"),
        (
            vec!["--from", cat.to_str().unwrap(), "--strength", "2"],
            "'--strength <0..1>': must be a number from 0 to 1",
        ),
    ] {
        let mut command = generate("dog", &file("none.png"));
        command.args(arguments).assert().code(2).stderr(predicate::str::contains(words));
    }
    generate("two dogs and a cat", &file("none.png"))
        .arg("--from")
        .arg(&cat)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("but this one asks for 3: ask for one, such as"));
    assert!(!file("none.png").exists());
}
