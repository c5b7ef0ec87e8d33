//! The build script: tells the program which compiler builds it, and for which profile, for the reports of `inkstone bench`. The commit comes from the
//! environment variable INKSTONE_COMMIT, which packages set.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rerun-if-env-changed=INKSTONE_COMMIT");
    let profile = std::env::var("PROFILE").unwrap_or_default();
    println!("cargo::rustc-env=INKSTONE_PROFILE={profile}");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    let version = output.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    if let Some(version) = version {
        println!("cargo::rustc-env=INKSTONE_COMPILER={}", version.trim());
    }
}
