//! The fields of a JSON value, and those that a page lists.

use std::collections::BTreeSet;

use serde_json::Value;

/// The fields in the tables of fields below a heading of a page: `pictures[].seed`. `*` stands for any name.
pub fn documented(page: &str, heading: &str) -> BTreeSet<String> {
    let (_, rest) = page
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("the page has no heading '{heading}'"));
    let section = rest.split("\n## ").next().unwrap();
    let tables = section.split("\n\n").filter(|part| part.trim_start().starts_with("| field |"));
    let rows = tables.flat_map(str::lines);
    let cells = rows.filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    cells.map(|(field, _)| field.to_owned()).collect()
}

/// The fields of values, as a page lists them. Empty arrays, objects and null say nothing of what would be in them.
pub fn found(values: &[Value], documented: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    values.iter().for_each(|value| collect(value, "", documented, &mut found));
    found
}

fn collect(value: &Value, path: &str, documented: &BTreeSet<String>, found: &mut BTreeSet<String>) {
    if documented.contains(path) {
        found.insert(path.to_owned());
        return;
    }
    let is_empty = match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    let has_below = |sign: &str| {
        documented
            .iter()
            .any(|field| field.strip_prefix(path).is_some_and(|rest| rest.starts_with(sign)))
    };
    match value {
        _ if is_empty && (has_below(".") || has_below("[].")) => {}
        Value::Array(values) if !is_empty && values.iter().all(Value::is_object) => {
            let path = format!("{path}[]");
            values.iter().for_each(|value| collect(value, &path, documented, found));
        }
        Value::Object(fields) if !is_empty => {
            let any = has_below(".*");
            for (name, value) in fields {
                let name = if any { "*" } else { name };
                let path = if path.is_empty() {
                    name.to_owned()
                } else {
                    format!("{path}.{name}")
                };
                collect(value, &path, documented, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}
