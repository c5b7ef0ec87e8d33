//! The licence that a model's card states, as an SPDX expression.

use std::path::Path;

use inkstone::bounded_file;

/// The licences of the Hugging Face Hub that SPDX knows by a name of other letters; upper case makes no difference.
const SPDX: [(&str, &str); 13] = [
    ("apache-2.0", "Apache-2.0"),
    ("artistic-2.0", "Artistic-2.0"),
    ("bsd-2-clause", "BSD-2-Clause"),
    ("bsd-3-clause", "BSD-3-Clause"),
    ("cc-by-4.0", "CC-BY-4.0"),
    ("cc-by-nc-4.0", "CC-BY-NC-4.0"),
    ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"),
    ("cc-by-sa-4.0", "CC-BY-SA-4.0"),
    ("cc0-1.0", "CC0-1.0"),
    ("mit", "MIT"),
    ("mpl-2.0", "MPL-2.0"),
    ("unlicense", "Unlicense"),
    ("wtfpl", "WTFPL"),
];

/// What the card's front matter says under `license`, or `license_name` where that is "other"; `None` if it says nothing.
pub(super) fn of_card(card: &Path) -> Option<String> {
    let bytes = bounded_file::read(card, bounded_file::TEXT).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let front = text.trim_start_matches('\u{feff}').strip_prefix("---")?;
    let front = front.split("\n---").next()?;
    let value = |key: &str| {
        let line = front
            .lines()
            .find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'))?;
        let value = line.split(" #").next()?.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_lowercase())
    };
    let licence = value("license")
        .filter(|licence| licence != "other")
        .or_else(|| value("license_name"))?;
    Some(expression(&licence))
}

/// A licence of SPDX, or a reference of letters, digits, dots and hyphens.
fn expression(licence: &str) -> String {
    if let Some((_, known)) = SPDX.iter().find(|(name, _)| *name == licence) {
        return (*known).to_owned();
    }
    let allowed = |letter: char| {
        if letter.is_ascii_alphanumeric() || letter == '.' {
            letter
        } else {
            '-'
        }
    };
    format!("LicenseRef-{}", licence.chars().map(allowed).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        of_card(file.path())
    }

    #[test]
    fn licences_are_read_from_the_front_matter() {
        assert_eq!(
            of("---\nlicense: apache-2.0\ntags:\n- x\n---\n# Model").as_deref(),
            Some("Apache-2.0")
        );
        assert_eq!(of("---\r\nlicense: \"MIT\" # free\r\n---\r\n").as_deref(), Some("MIT"));
        assert_eq!(of("---\nlicense: openrail++\n---").as_deref(), Some("LicenseRef-openrail--"));
        let other = "---\nlicense: other\nlicense_name: Stability AI Community\nlicense_link: LICENSE.md\n---";
        assert_eq!(of(other).as_deref(), Some("LicenseRef-stability-ai-community"));
        for none in ["# Model\nlicense: mit", "---\ntags: x\n---\nlicense: mit", "---\nlicense:\n---", ""] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
