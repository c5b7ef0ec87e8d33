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
    let small = inkstone::picture::arranged(&[vec![&cat]], 128).unwrap();
    assert!((0..64).all(|y| (32..96).all(|x| picture.pixel(x, y) == small.pixel(x, y + 32))));
    // On a page of twice the size it has all of its pixels.
    let large = folder.path().join("large.png");
    let mut command = generate("cat and two red apples", &large);
    command.args(arguments).args(["--size", "256"]).assert().success();
    let large = inkstone::picture::png::read(&large).unwrap().picture;
    assert!((0..128).all(|y| (0..128).all(|x| large.pixel(x + 64, y) == cat.pixel(x, y))));
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

#[test]
fn a_sheet_has_exact_cells_and_a_description() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cats.png");
    let report = reported(generate("cat", &file).args(["--sheet", "2x2", "--steps", "1"]));
    assert_eq!(files(folder.path()), ["cats.json", "cats.png"]);
    let sheet = Picture::open(&file).unwrap();
    assert_eq!((sheet.width(), sheet.height()), (256, 256));
    assert_eq!(
        (&report["sheet"]["sha256"], &report["sheet"]["columns"]),
        (&sheet.sha256().into(), &2.into())
    );
    let described = json(&std::fs::read(folder.path().join("cats.json")).unwrap());
    assert_eq!(
        (&described["meta"]["image"], &described["meta"]["size"]["w"]),
        (&"cats.png".into(), &256.into())
    );
    let names = ["cat-7", "cat-8", "cat-9", "cat-10"];
    assert_eq!(described["frames"].as_object().unwrap().len(), 4);
    for (place, name) in names.into_iter().enumerate() {
        let sprite = &described["frames"][name];
        let (x, y) = (place as u64 % 2 * 128, place as u64 / 2 * 128);
        assert_eq!(sprite["frame"], serde_json::json!({ "x": x, "y": y, "w": 128, "h": 128 }), "{name}");
        assert_eq!((&sprite["prompt"], &sprite["seed"]), (&"cat".into(), &(7 + place as u64).into()));
        // What is visible of a cell is what the prompt and the seed draw by themselves.
        let alone = folder.path().join(format!("{name}.png"));
        let seed = (7 + place).to_string();
        let drawn = inkstone()
            .args(["generate", "cat", "--steps", "1", "--seed", &seed, "--out"])
            .arg(&alone)
            .assert();
        drawn.success();
        let alone = Picture::open(&alone).unwrap();
        for (row, column) in (0..128).flat_map(|row| (0..128).map(move |column| (row, column))) {
            let (found, wanted) = (
                sheet.pixel(x as u32 + column, y as u32 + row).unwrap(),
                alone.pixel(column, row).unwrap(),
            );
            assert_eq!(found[3], wanted[3]);
            assert!(wanted[3] == 0 || found == wanted, "{name} at {column}, {row}");
        }
    }
    let made = info(&file);
    assert_eq!(
        (&made["made_by"]["prompt"], &made["made_by"]["extra"]["sheet"]),
        (&"cat".into(), &"2x2".into())
    );
    assert_eq!(made["picture_matches_record"], true);
}

#[test]
fn prompts_from_standard_input_fill_a_sheet() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = |grid: &str, prompts: &str| {
        let mut command = generate("-", &folder.path().join("icons.png"));
        command
            .args(["--sheet", grid, "--steps", "1", "--size", "32"])
            .write_stdin(prompts)
            .assert()
    };
    sheet("3x1", "cat\nred apple\nhouse\nkey\n")
        .code(2)
        .stderr(predicate::str::contains("line 4: a sheet of 3x1 has room for 3 prompts"));
    sheet("3x1", "cat\nqwxzkj\n")
        .code(2)
        .stderr(predicate::str::contains("prompt 2 of the sheet"));
    sheet("3x1", "\n")
        .code(2)
        .stderr(predicate::str::contains("no prompt for the sheet"));
    sheet("1000x1000", "cat\n").code(2).stderr(predicate::str::contains("too large"));
    sheet("0x3", "cat\n").code(2).stderr(predicate::str::contains("such as 4x3"));
    assert!(files(folder.path()).is_empty());
    sheet("2x2", "cat\nred apple\nhouse\n").success();
    let picture = Picture::open(folder.path().join("icons.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (64, 64));
    assert!(
        (32..64).all(|y| (32..64).all(|x| picture.pixel(x, y) == Some([0; 4]))),
        "the last cell is empty"
    );
    let described = std::fs::read_to_string(folder.path().join("icons.json")).unwrap();
    let places = ["\"cat-7\"", "\"red-apple-7\"", "\"house-7\""].map(|name| described.find(name).unwrap());
    assert!(places.is_sorted(), "sprites are in reading order");
    sheet("2x2", "cat\n").code(2).stderr(predicate::str::contains("exists already"));
    generate("cat", std::path::Path::new("-"))
        .args(["--sheet", "2x2"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("takes one file"));
    generate("cat", &folder.path().join("cat.jpg"))
        .args(["--sheet", "2x2", "--background", "white"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("write PNG or WebP"));
}

#[test]
fn a_picture_is_extended_and_itself_stays_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (cat, wide) = (folder.path().join("cat.png"), folder.path().join("wide.png"));
    generate("cat", &cat).args(["--steps", "1"]).assert().success();
    let extended = |file: &std::path::Path, arguments: &[&str]| {
        let mut command = generate("house", file);
        command.args(["--steps", "1", "--from"]).arg(&cat).args(arguments);
        command
    };
    let report = reported(&mut extended(&wide, &["--extend", "right", "150", "--extend", "top", "20"]));
    let (before, after) = (Picture::open(&cat).unwrap(), Picture::open(&wide).unwrap());
    assert_eq!((after.width(), after.height()), (278, 148));
    for (x, y) in (0..128).flat_map(|y| (0..128).map(move |x| (x, y))) {
        assert_eq!(after.pixel(x, y + 20), before.pixel(x, y), "at {x}, {y}");
    }
    let is_new = |x: u32, y: u32| x >= 128 || y < 20;
    let places = (0..148).flat_map(|y| (0..278).map(move |x| (x, y)));
    let seen = places.filter(|&(x, y)| is_new(x, y) && after.pixel(x, y).unwrap()[3] > 127).count();
    assert!(seen > 500, "only {seen} new pixels can be seen");
    // Two windows to the right, three above, each of which has all phases.
    let drawn = stages(&report["pictures"][0])
        .into_iter()
        .filter(|stage| *stage == "decoder")
        .count();
    assert_eq!(drawn, 5);
    let made = info(&wide);
    assert_eq!(made["made_by"]["extra"]["extend"], "left=0 right=150 top=20 bottom=0");
    assert_eq!(made["picture_matches_record"], true);
    let again = reported(&mut extended(
        &folder.path().join("again.png"),
        &["--extend", "right", "150", "--extend", "top", "20"],
    ));
    assert_eq!(report["pictures"][0]["sha256"], again["pictures"][0]["sha256"]);

    let none = folder.path().join("none.png");
    for (arguments, problem) in [
        (["--extend", "east", "8"].as_slice(), "must be left, right, top, bottom or all"),
        (&["--extend", "left", "-8"], "a whole number"),
        (&["--extend", "left", "0"], "at least 1"),
        (&["--extend", "left", "8", "--strength", "0.5"], "cannot be used with"),
        (&["--extend", "left", "4294967295"], "cannot be extended"),
        (&["--extend", "left"], "2 values required"),
    ] {
        let failed = extended(&none, arguments).assert();
        failed.code(2).stderr(predicate::str::contains(problem));
    }
    generate("house", &none).args(["--extend", "left", "8"]).assert().code(2);
    assert!(!none.exists());
}

#[test]
fn a_sketch_is_cleaned_before_it_is_drawn_on() {
    let folder = tempfile::tempdir().unwrap();
    let (sketch, blank) = (folder.path().join("sketch.png"), folder.path().join("blank.png"));
    // A circle on shaded paper, and paper alone.
    let paper = |x: i64, y: i64| 225 - (x / 8 + y / 10) as u8;
    let circle = |x: i64, y: i64| ((x - 260) * (x - 260) + (y - 200) * (y - 200) - 120 * 120).abs() < 1000;
    for (file, is_drawn) in [(&sketch, true), (&blank, false)] {
        let places = (0..400).flat_map(|y| (0..500).map(move |x| (x, y)));
        let grey = |(x, y)| if is_drawn && circle(x, y) { 50 } else { paper(x, y) };
        let pixels = places.flat_map(|place| [[grey(place); 3].as_slice(), &[255]].concat());
        let picture = Picture::new(500, 400, pixels.collect()).unwrap();
        inkstone::picture::png::write(&picture, file, None, false).unwrap();
    }
    let out = folder.path().join("apple.png");
    let draw = |from: &std::path::Path, arguments: &[&str]| {
        let mut command = generate("red apple", &out);
        command.args(["--force", "--from"]).arg(from).args(arguments).assert()
    };
    draw(&sketch, &["--sketch"]).success();
    let drawn = Picture::open(&out).unwrap();
    assert_eq!(drawn.pixel(2, 2).unwrap()[3], 0, "the paper is gone");
    let [red, green, _, alpha] = drawn.pixel(64, 70).unwrap();
    assert!(alpha > 200 && red > 150 && green < 120, "the apple is red: {red} {green} {alpha}");
    assert_eq!(info(&out)["made_by"]["extra"]["strength"], "0.75");
    draw(&blank, &["--sketch"])
        .code(2)
        .stderr(predicate::str::contains("no lines are found"));
    draw(&sketch, &["--sketch", "--extend", "left", "8"]).code(2);
}

#[test]
fn words_are_explained_by_what_is_drawn_without_them() {
    let folder = tempfile::tempdir().unwrap();
    let explain = |subject: &str, out: &str| {
        let mut command = inkstone();
        command
            .args(["explain", subject, "--steps", "1", "--seed", "7", "--out"])
            .arg(folder.path().join(out));
        command
    };
    let report = reported(&mut explain("a blue cat, flat style", "cat.html"));
    let words = report["words"].as_array().unwrap();
    let texts: Vec<&str> = words.iter().map(|word| word["text"].as_str().unwrap()).collect();
    assert!(texts.contains(&"blue") && texts.contains(&"cat"), "{texts:?}");
    let word = |text: &str| words.iter().find(|word| word["text"] == text).unwrap();
    assert!(word("cat")["changed"].as_f64() > Some(0.2), "{}", word("cat"));
    assert!(word("blue")["changed"].as_f64() > Some(0.02), "{}", word("blue"));
    assert_eq!((&word("cat")["without"], &word("blue")["without"]), (&Value::Null, &"cat".into()));
    let sum: f64 = words.iter().map(|word| word["share"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 0.01, "{sum}");

    // Pixels look at each other, at the words and at the style.
    let attention = &report["attention"];
    let parts = ["prompt", "other_rows", "pixels"].map(|part| attention[part].as_f64().unwrap());
    assert!(
        (parts.iter().sum::<f64>() - 1.0).abs() < 0.01 && parts.iter().all(|part| *part > 0.01),
        "{parts:?}"
    );
    let looked: Vec<f64> = words.iter().filter_map(|word| word["attention"].as_f64()).collect();
    assert_eq!(looked.len(), 3, "a, blue and cat: {words:?}");
    assert!((looked.iter().sum::<f64>() - 1.0).abs() < 0.01, "{looked:?}");
    // What was drawn looks like the cats that the model has seen.
    let nearest = report["nearest"]["pictures"].as_array().unwrap();
    assert!(report["nearest"]["among"].as_u64() > Some(11_000) && nearest.len() == 8);
    let similarity: Vec<f64> = nearest.iter().map(|picture| picture["similarity"].as_f64().unwrap()).collect();
    assert!(
        similarity[0] > 0.7 && similarity.is_sorted_by(|one, other| one >= other),
        "{similarity:?}"
    );
    let is_cat = |picture: &Value| picture["name"].as_str().unwrap().contains("cat");
    assert!(nearest.iter().filter(|picture| is_cat(picture)).count() >= 2, "{nearest:?}");

    let page = std::fs::read_to_string(folder.path().join("cat.html")).unwrap();
    assert!(!page.contains("http:") && !page.contains("https:"), "nothing comes from elsewhere");
    assert_eq!(page.matches("<button").count(), words.len());
    assert!(page.matches("data:image/png;base64,").count() > words.len());
    explain("cat <script>alert(1)</script>", "escaped.html").assert().success();
    let escaped = std::fs::read_to_string(folder.path().join("escaped.html")).unwrap();
    assert!(!escaped.contains("<script>alert") && escaped.contains("&lt;script&gt;"));

    // The same from a picture's record, as a picture.
    let picture = folder.path().join("cat.png");
    let mut drawn = generate("blue cat", &picture);
    drawn.args(["--steps", "1"]).assert().success();
    let again = reported(&mut explain(picture.to_str().unwrap(), "explained.png"));
    assert_eq!(
        (&again["prompt"], &again["sha256"]),
        (&"blue cat".into(), &Picture::open(&picture).unwrap().sha256().into())
    );
    assert!(Picture::open(folder.path().join("explained.png")).unwrap().width() > 300);

    explain("cat", "cat.txt").assert().code(2).stderr(predicate::str::contains(".html"));
    explain("cat", "cat.html")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("exists already"));
    explain("qwxzkj", "none.html").assert().code(2);
    let foreign = folder.path().join("foreign.png");
    inkstone::picture::png::write(&Picture::filled(8, 8, [1, 2, 3, 255]).unwrap(), &foreign, None, false).unwrap();
    let refused = explain(foreign.to_str().unwrap(), "none.html").assert();
    refused.code(2).stderr(predicate::str::contains("does not say how"));
    assert!(!folder.path().join("none.html").exists());
}

#[test]
fn large_pictures_are_drawn_by_the_enlarger_and_are_the_same_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let draw = |style: &str, size: &str, arguments: &[&str]| {
        let file = folder.path().join(format!("{style}-{size}.png"));
        let mut command = generate("red apple", &file);
        command
            .args(["--steps", "1", "--force", "--style", style, "--size", size])
            .args(arguments);
        (reported(&mut command)["pictures"][0].clone(), Picture::open(&file).unwrap())
    };
    let parts = |picture: &Value| stages(picture).into_iter().filter(|stage| stage.starts_with("enlarger")).count();
    // One tile to 256 pixels, nine more to 512.
    let (large, picture) = draw("flat", "400", &["--threads", "1"]);
    assert_eq!(parts(&large), 10);
    assert_eq!((picture.width(), picture.height()), (400, 400));
    assert_eq!(stages(&large).last(), Some(&"enlarger 10"));
    assert_eq!(large["sha256"], draw("flat", "400", &["--threads", "2"]).0["sha256"]);
    assert_eq!(large["sha256"], draw("flat", "400", &["--memory-cap", "1024"]).0["sha256"]);
    let file = folder.path().join("portable.png");
    let mut portable = generate("red apple", &file);
    portable
        .env("INKSTONE_KERNEL", "portable")
        .args(["--steps", "1", "--style", "flat", "--size", "400"]);
    assert_eq!(large["sha256"], reported(&mut portable)["pictures"][0]["sha256"]);
    // Pictures of the pack's own size and sprites do not need it.
    for (style, size) in [("flat", "128"), ("flat", "64"), ("pixel", "512")] {
        assert_eq!(parts(&draw(style, size, &[]).0), 0, "{style} at {size}");
    }
    // Edges are sharper than those of a picture that is scaled: fewer pixels are half transparent.
    let (_, small) = draw("flat", "128", &[]);
    let scaled = inkstone::picture::scale::scale(&small, 400, inkstone::picture::Resampling::Smooth).unwrap();
    let soft = |picture: &Picture| picture.pixels().chunks(4).filter(|pixel| (20..235).contains(&pixel[3])).count();
    assert!(soft(&picture) * 4 < soft(&scaled) * 3, "{} and {}", soft(&picture), soft(&scaled));
    assert_eq!(picture.pixel(2, 2), Some([0; 4]), "what is transparent is so to the byte");
}
