//! `inkstone read` and `list`, and what `generate` says of prompts that it cannot draw.

mod support;

use predicates::prelude::*;
use support::inkstone;

#[test]
fn prompts_are_shown_in_columns() {
    let text = "\
zwei rote Äpfel auf einem Bett (de)
  zwei   number    2      exact
  rote   colour    red    exact
  Äpfel  object    apple  exact
  auf    relation  on     exact
  einem  number    1      exact
  Bett   object    bed    exact
  drawn: two red apples on bed
  style: 3d
";
    inkstone()
        .args(["read", "zwei rote Äpfel auf einem Bett"])
        .assert()
        .success()
        .stdout(text);
}

#[test]
fn words_that_name_several_things_are_told() {
    for (prompt, note) in [
        ("cricket", "drew \"cricket\" as cricket; it may also mean cricket bat"),
        ("zwei rote Drachen", "drew \"Drachen\" as Drache; it may also mean Flugdrachen"),
    ] {
        let told = predicate::str::contains(format!("  note: {note}\n"));
        inkstone().args(["read", prompt]).assert().success().stdout(told);
    }
    let output = inkstone().args(["read", "--json", "zwei rote Drachen"]).output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let meanings = &value["ambiguity"]["meanings"];
    assert_eq!(
        (&meanings[0]["prompt"], &meanings[1]["prompt"]),
        (&"zwei rote Drache".into(), &"zwei rote Flugdrachen".into())
    );
    // An eye is one of two eyes, and a book is a book.
    inkstone()
        .args(["read", "eyes", "book", "cat"])
        .assert()
        .success()
        .stdout(predicate::str::contains("note").not());
}

#[test]
fn standard_input_is_read_line_by_line() {
    let lines = |input: &[u8]| inkstone().args(["read", "--json"]).write_stdin(input.to_vec()).assert();
    let many: String = (0..3000).map(|number| format!("{} cats\n\r\n", number % 9 + 1)).collect();
    let output = lines(many.as_bytes()).success().get_output().stdout.clone();
    let values: Vec<serde_json::Value> = String::from_utf8(output)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(values.len(), 3000);
    assert_eq!(
        (&values[1]["prompt"], &values[1]["objects"][0]["count"]),
        (&"2 cats".into(), &2.into())
    );
    lines(b"cat\n\xff\xfe\n")
        .code(2)
        .stderr(predicate::str::contains("line 2: it is not UTF-8"));
    let long = "a".repeat(70_000);
    lines(long.as_bytes())
        .code(2)
        .stderr(predicate::str::contains("line 1: it is longer than 65536 bytes"));
    lines(b"cat\nqwxzv\n")
        .code(2)
        .stderr(predicate::str::contains("one prompt cannot be drawn"));
    lines(b"").success().stdout("");
}

#[test]
fn the_language_is_that_of_the_option_then_of_the_environment() {
    let language = |arguments: &[&str], lang: &str| {
        let output = inkstone()
            .args(["read", "--json"])
            .args(arguments)
            .env("LC_ALL", lang)
            .output()
            .unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["language"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(language(&["gato"], "pt_BR.UTF-8"), "pt");
    assert_eq!(language(&["gato"], "C"), "es");
    assert_eq!(language(&["gato", "--language", "pt-PT"], "es_ES.UTF-8"), "pt");
    assert_eq!(language(&["ein roter Apfel"], "fr_FR.UTF-8"), "de");
    let wrong = inkstone().args(["read", "gato", "--language", "tlh"]).assert().code(2);
    wrong.stderr(predicate::str::contains(
        "prompts are read in en, zh, es, fr, de, ja, ko, pt, ru, ar, hi, it",
    ));
}

#[test]
fn what_is_known_is_listed() {
    let list = |arguments: &[&str]| {
        let output = inkstone()
            .arg("list")
            .args(arguments)
            .assert()
            .success()
            .get_output()
            .stdout
            .clone();
        String::from_utf8(output).unwrap()
    };
    assert!(
        list(&["subjects", "--language", "ja", "--search", "ねこ"])
            .lines()
            .any(|name| name == "猫")
    );
    assert!(list(&["subjects", "--language", "en"]).lines().count() > 1000);
    assert_eq!(list(&["styles"]), "3d (default)\nflat\nink\nnoto\nblob\nfx\none\nline\npixel\n");
}

#[test]
fn unknown_prompts_are_refused_with_advice_and_guessed_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picture.png");
    let generate = |prompt: &str| {
        let mut command = inkstone();
        command.args(["generate", prompt, "--steps", "1", "--out"]).arg(&file);
        command
    };
    for (prompt, problem) in [
        ("wombat", "nothing in \"wombat\" is known to this model; nearest: kangaroo, koala"),
        ("lighthouse", "not learned yet: lighthouse"),
        ("red", "\"red\" names nothing to draw"),
        (".", "nothing in \".\" is known"),
    ] {
        let refused = generate(prompt).assert().code(2);
        refused.stderr(predicate::str::contains(problem).and(predicate::str::contains("hint: ")));
        assert!(!file.exists(), "{prompt}");
    }
    let guessed = generate("wombat").arg("--guess").assert().success();
    guessed.stderr(predicate::str::contains(
        "note: guessed: nothing in \"wombat\" is known to this model",
    ));
    assert!(file.exists());
}

#[test]
fn packs_can_be_named() {
    let (folder, copy) = support::copied_pack();
    std::fs::create_dir(folder.path().join("models")).unwrap();
    let installed = folder.path().join("models/2026-11");
    std::fs::rename(copy, &installed).unwrap();
    let manifest = installed.join("pack.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("name = \"pictogram\"\n", "name = \"mine\"\n")).unwrap();
    let styles = |pack: &str| {
        let mut command = inkstone();
        command.current_dir(folder.path()).args(["list", "styles", "--pack", pack]);
        command.assert()
    };
    styles("mine").success().stdout(predicate::str::contains("(default)"));
    // A path is one even if a pack has its last part for a name.
    styles("./mine").code(2).stderr(predicate::str::contains("./mine: no pack here"));
    styles("nobody").code(2).stderr(predicate::str::contains("inkstone list packs"));
    // A folder comes before a name.
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    styles("mine").success();
    std::fs::write(folder.path().join("mine/pack.toml"), "name = \"broken\"").unwrap();
    styles("mine").code(2).stderr(predicate::str::contains("pack.toml"));
}
