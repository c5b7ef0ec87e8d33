//! Pages of documentation that are made from the code. A page is a Markdown file with blocks between `<!-- made: NAME -->` and
//! `<!-- end -->`; a test makes a block's text and compares it with the file, or writes it with `INKSTONE_WRITE_PAGES=1`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The repository's root folder, from any package in it.
#[allow(dead_code, reason = "not every test that includes this file needs it")]
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_root = package.join("quantize").is_dir();
    if is_root { package } else { package.parent().unwrap() }.to_owned()
}

/// Compares blocks of a page below `docs/reference` with the file, or writes them there.
pub fn check(page: &str, blocks: &[(&str, String)]) {
    let file = root().join("docs/reference").join(page);
    let before = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut after = before.clone();
    for (name, text) in blocks {
        after = replaced(&after, name, text).unwrap_or_else(|| panic!("{}: there is no block '{name}'", file.display()));
    }
    if std::env::var_os("INKSTONE_WRITE_PAGES").is_some() {
        std::fs::write(&file, after).unwrap();
    } else if let Some((number, (was, is))) = before.lines().zip(after.lines()).enumerate().find(|(_, (was, is))| was != is) {
        panic!(
            "{}:{}: the page is out of date:\n  page: {was}\n  code: {is}\nINKSTONE_WRITE_PAGES=1 cargo test --workspace --test reference_pages writes it anew",
            file.display(),
            number + 1
        );
    } else {
        assert_eq!(
            before.lines().count(),
            after.lines().count(),
            "{}: the page is out of date",
            file.display()
        );
    }
}

/// A page with another text in a block; `None` if it has no such block.
fn replaced(page: &str, name: &str, text: &str) -> Option<String> {
    let begin = format!("<!-- made: {name} -->\n");
    let (head, rest) = page.split_once(&begin)?;
    let (_, tail) = rest.split_once("<!-- end -->")?;
    Some(format!("{head}{begin}\n{}\n\n<!-- end -->{tail}", text.trim()))
}

/// A Markdown table.
#[allow(dead_code, reason = "not every test that includes this file needs it")]
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut text = String::new();
    let cells = |row: &[&str]| format!("| {} |\n", row.join(" | "));
    text += &cells(&head);
    text += &cells(&["---"; N]);
    for row in rows {
        let escaped: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = write!(text, "{}", cells(&escaped.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    text
}

/// What a program prints for `--help`, at a width of 100 columns.
pub fn help(program: &mut std::process::Command) -> String {
    let output = program
        .arg("--help")
        .env("COLUMNS", "100")
        .env_remove("INKSTONE_PACK")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
