//! Structs, enums and their doc comments, read from our own sources. It knows what rustfmt writes, and no more of Rust.

use std::path::Path;

/// A struct with its fields, or an enum with its variants.
#[derive(Clone, Debug, Default)]
pub struct Item {
    pub name: String,
    pub doc: String,
    /// All attributes in one string.
    pub attributes: String,
    pub members: Vec<Member>,
}

/// A field or a variant.
#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    /// The type of a field; empty for a variant.
    pub kind: String,
    pub doc: String,
    pub attributes: String,
}

impl Item {
    /// The name that serde gives a variant.
    pub fn serialized(&self, variant: &str) -> String {
        let kebab = self.attributes.contains("rename_all = \"kebab-case\"");
        let mut name = String::new();
        for letter in variant.chars() {
            if kebab && letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }

    /// Whether it is an enum that files hold as the names of its variants.
    pub fn is_word(&self) -> bool {
        self.attributes.contains("Deserialize") && self.attributes.contains("rename_all")
    }
}

/// Public structs and enums of a file, in their order.
pub fn items(file: &Path) -> Vec<Item> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let (mut items, mut open) = (Vec::new(), None::<Item>);
    let (mut doc, mut attributes) = (Vec::new(), String::new());
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(text) = trimmed.strip_prefix("///") {
            doc.push(text.trim().to_owned());
            continue;
        }
        if trimmed.starts_with("#[") {
            attributes.push_str(trimmed);
            continue;
        }
        let (doc, attributes) = (prose(&std::mem::take(&mut doc)), std::mem::take(&mut attributes));
        match &mut open {
            Some(item) if line == "}" => items.push(std::mem::take(item)),
            Some(item) => item.members.extend(member(line, doc, attributes)),
            None => {
                let head = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub enum "));
                if let Some(name) = head.and_then(|head| head.strip_suffix(" {")) {
                    open = Some(Item {
                        name: name.to_owned(),
                        doc,
                        attributes,
                        members: Vec::new(),
                    });
                }
            }
        }
        if line == "}" {
            open = None;
        }
    }
    items
}

/// A field or variant at the first level of an item.
fn member(line: &str, doc: String, attributes: String) -> Option<Member> {
    let line = line.strip_prefix("    ").filter(|line| !line.starts_with(' '))?;
    let (name, kind) = match line.strip_prefix("pub ") {
        Some(field) => field.strip_suffix(',')?.split_once(": ")?,
        None => (line.split(['(', ' ', ',']).next()?, ""),
    };
    let named = name.starts_with(char::is_alphabetic);
    named.then(|| Member {
        name: name.to_owned(),
        kind: kind.to_owned(),
        doc,
        attributes,
    })
}

/// The first lines of a file, its module's documentation, without what leads to other items.
pub fn module_doc(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    without_links(&lines.join("\n"))
}

/// Lines of a doc comment up to the first empty one, as one paragraph.
fn prose(lines: &[String]) -> String {
    let lines: Vec<&str> = lines.iter().map(String::as_str).take_while(|line| !line.is_empty()).collect();
    without_links(&lines.join(" "))
}

/// Links to items become their names: "[`super::Thing`]" and "[`Thing`](path)" are "`Thing`".
fn without_links(text: &str) -> String {
    let mut parts = text.split("[`");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((path, rest)) = part.split_once("`]") else {
            result += "[`";
            result += part;
            continue;
        };
        let name = path.rsplit("::").next().unwrap_or(path);
        let rest = match rest.strip_prefix('(') {
            Some(target) => target.split_once(')').map_or("", |(_, rest)| rest),
            None => rest,
        };
        result += &format!("`{name}`{rest}");
    }
    result
}
