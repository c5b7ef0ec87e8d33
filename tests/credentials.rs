//! Pictures are signed with a key of one's own, and `verify` tells whether they were changed since.

#![cfg(feature = "content-credentials")]

mod support;

use std::fs;
use std::path::Path;

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use support::{generate, inkstone};

fn key(file: &Path) -> assert_cmd::Command {
    let mut command = inkstone();
    command.arg("key").arg(file).args(["--name", "Ada Lovelace"]);
    command
}

fn verify(file: &Path) -> assert_cmd::Command {
    let mut command = inkstone();
    command.arg("verify").arg(file);
    command
}

#[test]
fn a_key_is_the_users_alone_and_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    key(&file).assert().success();
    let first = fs::read_to_string(&file).unwrap();
    assert!(first.contains("PRIVATE KEY") && first.contains("CERTIFICATE"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    key(&file).assert().code(2).stderr(contains("never replaced"));
    assert_eq!(fs::read_to_string(&file).unwrap(), first);
    let other = folder.path().join("other.pem");
    key(&other).assert().success();
    assert_ne!(fs::read_to_string(&other).unwrap(), first);
    let nameless = inkstone()
        .arg("key")
        .arg(folder.path().join("none.pem"))
        .args(["--name", ""])
        .assert();
    nameless.code(2).stderr(contains("1 to 64 characters"));
}

#[test]
fn signed_pictures_are_intact_until_they_are_changed() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    key(&file("key.pem")).assert().success();
    for name in ["apple.png", "apple.jpg", "apple.webp"] {
        let mut draw = generate("red apple", &file(name));
        draw.args(["--steps", "1", "--background", "white", "--sign"]).arg(file("key.pem"));
        draw.assert().success();
        // Also where the record has no checksum: the signature is of the whole file.
        verify(&file(name))
            .assert()
            .success()
            .stdout(contains("signed by Ada Lovelace").and(contains("no trust list")));
        let report = verify(&file(name)).arg("--json").assert().success().get_output().stdout.clone();
        let report: Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(
            (&report["clean"], &report["content_credentials"]["state"]),
            (&true.into(), &"untrusted".into()),
            "{report}"
        );
        // The record of what made it is still there.
        inkstone()
            .arg("info")
            .arg(file(name))
            .assert()
            .success()
            .stdout(contains("red apple"));
        let mut bytes = fs::read(file(name)).unwrap();
        let place = bytes.windows(7).position(|bytes| bytes == b"created").unwrap();
        bytes[place] ^= 1;
        let changed = file(&format!("changed-{name}"));
        fs::write(&changed, bytes).unwrap();
        verify(&changed).assert().code(2).stderr(contains("changed after it was signed"));
    }
    // Pictures that nobody has signed are checked as ever.
    generate("red apple", &file("plain.png")).args(["--steps", "1"]).assert().success();
    let plain = verify(&file("plain.png")).assert().success().get_output().stdout.clone();
    assert!(!String::from_utf8(plain).unwrap().contains("signed"));
}

#[test]
fn what_cannot_be_signed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (out, none) = (folder.path().join("apple.png"), folder.path().join("none.pem"));
    generate("red apple", &out)
        .arg("--sign")
        .arg(&none)
        .assert()
        .code(2)
        .stderr(contains("none.pem"));
    fs::write(&none, "no key").unwrap();
    generate("red apple", &out)
        .arg("--sign")
        .arg(&none)
        .assert()
        .code(2)
        .stderr(contains("it holds no private key"));
    assert!(!out.exists());
    let good = folder.path().join("key.pem");
    key(&good).assert().success();
    let mut morph = inkstone();
    morph
        .args(["morph", "cat", "dog", "--out"])
        .arg(folder.path().join("a.png"))
        .arg("--sign")
        .arg(&good);
    morph.assert().code(2).stderr(contains("animations are not signed"));
}
