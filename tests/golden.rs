//! The hashes of a few pictures, stored: the same request gives the same picture on every board, kernel and number
//! of threads, and no change of the code changes one by accident.
//!
//! A new pack changes them: `INKSTONE_WRITE_GOLDEN=1 cargo test --test golden` writes the file anew.

mod support;

use serde_json::Value;
use support::{generate, inkstone};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/pictures.toml");

fn sha256(picture: &toml::Table, threads: usize) -> String {
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str| picture[name].as_str().unwrap();
    let steps = picture["steps"].to_string();
    let output = generate(text("prompt"), &folder.path().join("x.png"))
        .args([
            "--style",
            text("style"),
            "--steps",
            &steps,
            "--threads",
            &threads.to_string(),
            "--json",
        ])
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    serde_json::from_slice::<Value>(&output).unwrap()["pictures"][0]["sha256"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn pictures_are_the_stored_ones() {
    let mut table: toml::Table = std::fs::read_to_string(FILE).unwrap().parse().unwrap();
    let info = inkstone().args(["info", "--json"]).arg(support::pack()).output().unwrap();
    let pack = serde_json::from_slice::<Value>(&info.stdout).unwrap()["sha256"]
        .as_str()
        .unwrap()
        .to_owned();
    let write = std::env::var_os("INKSTONE_WRITE_GOLDEN").is_some();
    if !write {
        assert_eq!(
            table["pack_sha256"].as_str(),
            Some(pack.as_str()),
            "the stored hashes are of another pack"
        );
    }
    let pictures = table["pictures"].as_array_mut().unwrap();
    assert!(pictures.len() >= 3);
    for (index, picture) in pictures.iter_mut().enumerate() {
        let picture = picture.as_table_mut().unwrap();
        let found = sha256(picture, index % 4 + 1);
        if write {
            picture.insert("sha256".into(), found.into());
        } else {
            assert_eq!(picture["sha256"].as_str(), Some(found.as_str()), "{}", picture["prompt"]);
        }
    }
    if write {
        table.insert("pack_sha256".into(), pack.into());
        std::fs::write(FILE, toml::to_string(&table).unwrap()).unwrap();
    }
}
