//! The pages of documentation against the code: the blocks of `docs/reference` that are made from it, the fields of every `--json`
//! output, every relative link in every Markdown file, and the length of the README.
//!
//! `INKSTONE_WRITE_PAGES=1 cargo test --workspace --test reference_pages` writes the blocks anew.
#![cfg(all(feature = "kiosk", feature = "power", target_os = "linux"))]

#[path = "reference_pages/json.rs"]
mod json;
#[path = "support/pages.rs"]
mod pages;
#[path = "reference_pages/source.rs"]
mod source;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use inkstone::kiosk::settings::Settings;
use inkstone::pack::FORMAT;
use inkstone::pipeline::families::FAMILIES;
use inkstone::pipeline::schedulers::SCHEDULERS;
use serde_json::Value;
use source::{Item, Member, items, module_doc};

/// Most lines of the README.
const README_LINES: usize = 130;

/// Files below a folder whose names end so, sorted.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries
        .flat_map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_ours = !name.starts_with('.') && !matches!(name.as_str(), "target" | "work" | "shared" | "node_modules");
            match path.is_dir() {
                true if is_ours => files(&path, end),
                false if name.ends_with(end) => vec![path],
                _ => Vec::new(),
            }
        })
        .collect();
    found.sort();
    found
}

#[test]
fn command_line() {
    let inkstone = || Command::new(env!("CARGO_BIN_EXE_inkstone"));
    let mut text = format!("```text\n{}\n```\n", pages::help(&mut inkstone()).trim_end());
    let overview = pages::help(&mut inkstone());
    let (_, commands) = overview.split_once("Commands:\n").unwrap();
    // Two spaces before a name; further lines of its description have more.
    let lines = commands.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split(' ').next());
    let names: Vec<&str> = names.filter(|name| *name != "help").collect();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        let help = pages::help(inkstone().arg(name));
        text += &format!("\n### `inkstone {name}`\n\n```text\n{}\n```\n", help.trim_end());
    }
    pages::check("command-line.md", &[("inkstone", text)]);
}

#[test]
fn settings() {
    let root = pages::root();
    let all: Vec<Item> = ["src/kiosk", "src/device"]
        .iter()
        .flat_map(|folder| files(&root.join(folder), ".rs"))
        .flat_map(|file| items(&file))
        .collect();
    let item = |name: &str| all.iter().find(|item| item.name == name);
    let defaults = toml::Table::try_from(Settings::default()).unwrap();
    let ranges = ranges(&root.join("src/kiosk/settings/check.rs"));
    let mut known = BTreeSet::new();
    let mut row = |path: &str, member: &Member, defaults: &toml::Table| {
        known.insert(path.to_owned());
        let default = defaults.get(&member.name);
        [
            format!("`{}`", member.name),
            kind(&member.kind, default, &item),
            default.map_or_else(|| "–".into(), shown),
            ranges.get(path).cloned().unwrap_or_else(|| "–".into()),
            member.doc.clone(),
        ]
    };
    let head = ["Field", "Type", "Default", "Range", "Meaning"];
    let settings = item("Settings").unwrap();
    let is_table = |member: &&Member| member.kind.contains("Settings");
    let fields = settings.members.iter().filter(|member| !is_table(member));
    let rows: Vec<_> = fields.map(|field| row(&field.name, field, &defaults)).collect();
    let mut text = format!("### Before the first table\n\n{}", pages::table(head, &rows));
    for member in settings.members.iter().filter(is_table) {
        text += &format!("\n### `[{}]`\n\n{}\n\n", member.name, member.doc);
        if member.name == "status" {
            text += "The fields are those of `[display]`.\n";
            continue;
        }
        let defaults = defaults[&member.name].as_table().unwrap();
        let table = item(inner(&member.kind)).unwrap();
        if let Some((_, more)) = table.doc.split_once("`: ") {
            text += &format!("{}{}\n\n", more[..1].to_uppercase(), &more[1..]);
        }
        let fields = &table.members;
        let rows: Vec<_> = fields
            .iter()
            .map(|field| row(&format!("{}.{}", member.name, field.name), field, defaults))
            .collect();
        text += &pages::table(head, &rows);
    }
    let unknown: Vec<String> = paths(&defaults).into_iter().filter(|path| !known.contains(path)).collect();
    assert!(unknown.is_empty(), "fields that the page lacks: {unknown:?}");
    let ranged: Vec<&String> = ranges.keys().filter(|path| !known.contains(*path)).collect();
    assert!(ranged.is_empty() && ranges.len() > 10, "ranges of unknown fields: {ranged:?}");
    pages::check("settings.md", &[("settings", text)]);
}

/// A default as it stands in a file.
fn shown(value: &toml::Value) -> String {
    match value {
        toml::Value::Float(number) => format!("`{:?}`", *number as f32),
        value => format!("`{value}`"),
    }
}

/// Ranges by the path of their field, from the calls that check them.
fn ranges(file: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(file).unwrap();
    let calls = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("problems.range(")?.strip_suffix(");"));
    let range = |call: &str| {
        let arguments: Vec<&str> = call.split(", ").collect();
        let [_, low, high, path, unit] = arguments[..] else {
            panic!("{call}: a range has five arguments")
        };
        let path = path
            .trim_start_matches("&format!(")
            .trim_matches([')', '"'])
            .replace("{table}", "display");
        let high = if high.contains('.') && high.parse::<f64>().is_err() {
            "the pack's largest".into()
        } else {
            high.replace('_', "")
        };
        let unit = if unit.len() > 2 { unit.trim_matches('"') } else { "" };
        (path, format!("{} to {high}{unit}", low.replace('_', "")))
    };
    calls.map(range).collect()
}

/// Paths of all values that are no tables.
fn paths(table: &toml::Table) -> Vec<String> {
    let path = |(name, value): (&String, &toml::Value)| match value {
        toml::Value::Table(table) => paths(table).into_iter().map(|below| format!("{name}.{below}")).collect(),
        _ => vec![name.clone()],
    };
    table.iter().flat_map(path).collect()
}

fn inner(kind: &str) -> &str {
    kind.strip_prefix("Option<").and_then(|kind| kind.strip_suffix('>')).unwrap_or(kind)
}

/// What a file holds for a type of ours.
fn kind<'a>(of: &str, default: Option<&toml::Value>, item: &impl Fn(&str) -> Option<&'a Item>) -> String {
    let of = inner(of);
    if let Some(of) = of.strip_prefix("Vec<").and_then(|of| of.strip_suffix('>')) {
        return format!("list of {}s", kind(of, None, item));
    }
    if let Some((of, count)) = of.strip_prefix('[').and_then(|of| of.strip_suffix(']')?.split_once("; ")) {
        return format!("list of {count} {}s", kind(of, None, item));
    }
    match of {
        "bool" => "boolean".into(),
        "String" => "string".into(),
        "PathBuf" => "path".into(),
        "f32" | "f64" => "number".into(),
        "u8" | "u16" | "u32" | "u64" | "usize" | "i64" => "integer".into(),
        _ if of.starts_with("BTreeMap<") => "table".into(),
        _ => match item(of) {
            Some(words) if words.is_word() => {
                let words = words.members.iter().map(|word| format!("`{}`", words.serialized(&word.name)));
                words.collect::<Vec<_>>().join(", ")
            }
            Some(table) if table.attributes.contains("deny_unknown_fields") && !table.attributes.contains("try_from") => "table".into(),
            _ if default.is_some_and(toml::Value::is_integer) => "integer".into(),
            _ => "string".into(),
        },
    }
}

/// Tables of a manifest, as TOML has them, and their types.
const TABLES: [(&str, &str); 13] = [
    ("Before the first table", "Manifest"),
    ("`[picture]`", "PictureShape"),
    ("`[prompt]`", "Prompt"),
    ("`[sampling]`", "Sampling"),
    ("`[sampling.noise]`", "NoiseSchedule"),
    ("`[latent]`", "Latent"),
    ("`[latent.preview]`", "PreviewDecoder"),
    ("`[training]`", "Training"),
    ("`[limits]`", "Limits"),
    ("`[[styles]]`", "Style"),
    ("`[stages.NAME]`", "Stage"),
    ("`[[stages.NAME.inputs]]` and `[[stages.NAME.outputs]]`", "Port"),
    ("`[files.NAME]`", "FileRecord"),
];

#[test]
fn pack_format() {
    let root = pages::root();
    let manifest = items(&root.join("src/pack/manifest.rs"));
    let all: Vec<Item> = files(&root.join("src/picture"), ".rs")
        .iter()
        .flat_map(|file| items(file))
        .chain(manifest.clone())
        .collect();
    let item = |name: &str| all.iter().find(|item| item.name == name);
    let is_table = |item: &&Item| item.attributes.contains("deny_unknown_fields");
    for table in manifest.iter().filter(is_table) {
        assert!(TABLES.iter().any(|(_, name)| *name == table.name), "the page lacks {}", table.name);
    }
    let row = |field: &Member| {
        let is_optional = field.attributes.contains("default");
        [
            format!("`{}`", field.name),
            kind(&field.kind, None, &item),
            if is_optional { "no" } else { "yes" }.into(),
            field.doc.replace("`FORMAT`", &format!("`{FORMAT}`")),
        ]
    };
    let mut fields = String::new();
    for (heading, name) in TABLES {
        let table = item(name).unwrap();
        let rows: Vec<_> = table.members.iter().map(row).collect();
        fields += &format!(
            "### {heading}\n\n{}\n\n{}\n",
            table.doc,
            pages::table(["Field", "Type", "Required", "Meaning"], &rows)
        );
    }
    let words = |name: &str| {
        let words = item(name).unwrap();
        let row = |word: &Member| [format!("`{}`", words.serialized(&word.name)), word.doc.clone()];
        pages::table(["Value", "Meaning"], &words.members.iter().map(row).collect::<Vec<_>>())
    };
    let families: Vec<String> = FAMILIES
        .iter()
        .map(|family| {
            let name = root.join("src/pipeline/families").join(family.name.replace('-', "_"));
            let file = name.with_extension("rs");
            let doc = module_doc(&if file.is_file() { file } else { name.join("mod.rs") });
            format!("### `{}`\n\n{}\n", family.name, doc.trim())
        })
        .collect();
    let schedulers: Vec<_> = SCHEDULERS
        .iter()
        .map(|scheduler| {
            let doc = module_doc(&root.join(format!("src/pipeline/schedulers/{}.rs", scheduler.name.replace('-', "_"))));
            [format!("`{}`", scheduler.name), doc.replace('\n', " ").trim().to_owned()]
        })
        .collect();
    pages::check(
        "pack-format.md",
        &[
            ("manifest", fields),
            ("roles", words("Role")),
            ("channels", words("Channels")),
            ("predictions", words("Prediction")),
            ("resampling", words("Resampling")),
            ("families", families.join("\n")),
            ("schedulers", pages::table(["Name", "How it steps"], &schedulers)),
        ],
    );
}

#[test]
fn checks_of_doctor() {
    let doc = module_doc(&pages::root().join("src/doctor/mod.rs"));
    let table: Vec<&str> = doc.lines().filter(|line| line.starts_with('|')).collect();
    assert!(table.len() > 10);
    pages::check("json.md", &[("doctor", table.join("\n"))]);
}

/// The JSON that a command prints. It may fail: `doctor` does where a kiosk would not run.
fn json_of(arguments: &[&str]) -> Value {
    let output = support::inkstone().args(arguments).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// All values together have exactly the fields that `docs/reference/json.md` lists below a heading.
fn same_fields(heading: &str, values: &[Value]) {
    let page = std::fs::read_to_string(pages::root().join("docs/reference/json.md")).unwrap();
    let documented = json::documented(&page, heading);
    let found = json::found(values, &documented);
    let missing: Vec<_> = found.difference(&documented).collect();
    let gone: Vec<_> = documented.difference(&found).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "{heading}: not on the page: {missing:?}; not printed: {gone:?}"
    );
}

#[test]
fn json_of_generate_info_and_verify() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picture.png");
    let out = file.to_str().unwrap();
    let long = "qwxzv ".repeat(40);
    let prompts = [
        "a cat wearing a hat",
        "a werewolf",
        "harp",
        "two cats and a robot",
        &long,
        "twelve wombat cats",
        "buterfly on a lighthouse",
        "cricket",
    ];
    let draw = |prompt: &&str| {
        json_of(&[
            "generate", prompt, "--steps", "1", "--seed", "7", "--force", "--guess", "--json", "--out", out,
        ])
    };
    let mut drawn: Vec<Value> = prompts.iter().map(draw).collect();
    let small = ["--steps", "1", "--seed", "7", "--force", "--json", "--out", out];
    drawn.push(json_of(&[&["generate", "a {red|blue} cat"], &small[..]].concat()));
    drawn.push(json_of(&[&["blend", "cat:2", "dog"], &small[..]].concat()));
    let varied = folder.path().join("varied.png");
    drawn.push(json_of(&["vary", out, "-n", "1", "--json", "--out", varied.to_str().unwrap()]));
    drawn.push(json_of(&[&["generate", "cat", "--sheet", "2x1"], &small[..]].concat()));
    same_fields("`inkstone generate --json`", &drawn);
    let page = folder.path().join("page.html");
    same_fields(
        "`inkstone explain --json`",
        &[json_of(&[
            "explain",
            "blue cat",
            "--steps",
            "1",
            "--json",
            "--out",
            page.to_str().unwrap(),
        ])],
    );
    same_fields(
        "`inkstone morph --json`",
        &[json_of(&[&["morph", "buterfly", "dog", "--frames", "2"], &small[..]].concat())],
    );
    support::inkstone()
        .args([
            "generate",
            "a cat wearing a hat",
            "--steps",
            "1",
            "--guidance",
            "2",
            "--negative",
            "dog",
            "--force",
            "--out",
            out,
        ])
        .assert()
        .success();
    let foreign = folder.path().join("foreign.png");
    let mut encoder = png::Encoder::new(std::fs::File::create(&foreign).unwrap(), 1, 1);
    let text = "cat\nNegative prompt: dog\nSteps: 4, Seed: 7";
    encoder.add_itxt_chunk("parameters".into(), text.into()).unwrap();
    encoder.write_header().unwrap().write_image_data(&[1]).unwrap();
    let foreign = json_of(&["info", foreign.to_str().unwrap(), "--json"]);
    same_fields("`inkstone info PICTURE --json`", &[json_of(&["info", out, "--json"]), foreign]);
    same_fields("`inkstone verify PICTURE --json`", &[json_of(&["verify", out, "--json"])]);
}

#[test]
fn json_of_read_and_list() {
    let prompts = [
        "a cat wearing a hat",
        "two dogs and a buterfly without a flower",
        "12 cats",
        "lighthouse on a wombat",
        "wombat",
        "cricket",
    ];
    let output = support::inkstone().args(["read", "--json"]).args(prompts).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let values: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((values.len(), output.status.code()), (prompts.len(), Some(2)));
    same_fields("`inkstone read --json`", &values);
    same_fields(
        "`inkstone list subjects --json`",
        &[json_of(&["list", "subjects", "--language", "de", "--search", "Katze", "--json"])],
    );
    same_fields("`inkstone list styles --json`", &[json_of(&["list", "styles", "--json"])]);
    same_fields("`inkstone list packs --json`", &[json_of(&["list", "packs", "--json"])]);
}

#[test]
fn json_of_packs() {
    let pack = support::pack();
    let pack = pack.to_str().unwrap();
    same_fields("`inkstone info PACK --json`", &[json_of(&["info", pack, "--json"])]);
    same_fields("`inkstone verify PACK --json`", &[json_of(&["verify", pack, "--json"])]);
}

#[test]
fn json_of_doctor() {
    let tree = pages::root().join("tests/trees/pi4");
    same_fields(
        "`inkstone doctor --json`",
        &[json_of(&["doctor", "--root", tree.to_str().unwrap(), "--json"])],
    );
}

#[test]
#[cfg(target_os = "linux")]
fn json_of_a_comparison() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (first, second) = (file("a.json"), file("b.json"));
    for file in [&first, &second] {
        let rest = [
            "--steps",
            "1",
            "--threads",
            "1",
            "--runs",
            "2",
            "--warm-up",
            "0",
            "--power",
            "none",
            "--json",
            file,
        ];
        support::inkstone().arg("bench").args(rest).assert().success();
    }
    same_fields(
        "`inkstone bench --compare A.json B.json --json -`",
        &[json_of(&["bench", "--compare", &first, &second, "--json", "-"])],
    );
}

/// Markdown without what is between fences and in code spans.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fence && !fenced
    });
    lines
        .map(|line| line.split('`').step_by(2).collect::<Vec<_>>().join("code"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut anchors = BTreeSet::new();
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        let Some((_, heading)) = line
            .split_once("# ")
            .filter(|(signs, _)| !fenced && signs.chars().all(|sign| sign == '#'))
        else {
            continue;
        };
        let kept = heading
            .trim()
            .chars()
            .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
        anchors.insert(kept.collect::<String>().to_lowercase().replace(' ', "-"));
    }
    anchors
}

#[test]
fn links_lead_somewhere() {
    let root = pages::root();
    let mut broken = Vec::new();
    let mut linked = BTreeSet::new();
    let mut pages = files(&root, ".md");
    // Its links are those of the pack that it is copied into.
    pages.retain(|page| !page.ends_with("models/train/MODEL_CARD.md"));
    assert!(pages.len() > 20, "{pages:?}");
    for page in &pages {
        let text = std::fs::read_to_string(page).unwrap();
        for link in prose(&text).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap().join(path)
            };
            let exists = target.exists();
            let has_anchor = |target: &Path| anchors(&std::fs::read_to_string(target).unwrap()).contains(anchor);
            if !exists || !anchor.is_empty() && !has_anchor(&target) {
                broken.push(format!("{}: {link}", page.strip_prefix(&root).unwrap().display()));
            }
            linked.extend(target.canonicalize().ok());
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
    let unlinked: Vec<_> = files(&root.join("docs"), "")
        .into_iter()
        .filter(|page| !linked.contains(&page.canonicalize().unwrap()))
        .collect();
    assert!(unlinked.is_empty(), "files below docs that no page links to: {unlinked:?}");
}

/// The pages that name files by their paths do not outlive them.
#[test]
fn paths_exist() {
    let root = pages::root();
    let folders = [
        "src",
        "tests",
        "quantize",
        "docs",
        "models",
        "firmware-config",
        "examples",
        "benches",
        ".ci",
    ];
    let mut missing = Vec::new();
    for page in ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        for path in text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)) {
            let is_path = folders
                .iter()
                .any(|folder| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
            let program = path.split(' ').next().unwrap_or(path);
            let is_made_up = program.contains("NAME") || program.contains("target/") || program.starts_with("models/train/work");
            if is_path && !is_made_up && !root.join(program).exists() {
                missing.push(format!("{page}: {program}"));
            }
        }
    }
    assert!(missing.is_empty(), "paths that do not exist:\n{}", missing.join("\n"));
}

#[test]
fn the_readme_is_short() {
    let text = std::fs::read_to_string(pages::root().join("README.md")).unwrap();
    let lines = text.lines().count();
    assert!(
        lines <= README_LINES,
        "the README has {lines} lines; at most {README_LINES} are read"
    );
    for command in [
        "cargo run --release -- generate \"a smiling cat, 3d style\"",
        "cargo test --workspace",
    ] {
        assert!(text.contains(command), "the README lacks its first command: {command}");
    }
}
