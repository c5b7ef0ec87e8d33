//! The record of a picture as the plain text `parameters` that galleries and web interfaces read: the prompt, the negative prompt,
//! and a last line `Steps: 4, Seed: 7, …`.
//!
//! Owns writing that text, and reading it from files that have no better record. Depends on [`Provenance`].

use super::Provenance;
use super::provenance::VARIATIONS;
use std::fmt::Write;

/// Prefix of the line with the negative prompt.
const NEGATIVE: &str = "Negative prompt: ";

/// Fields of the web interface for a seed that the noise is moved towards, and how far. They have room for one.
const VARIATION_SEED: &str = "Variation seed";
const VARIATION_STRENGTH: &str = "Variation seed strength";

/// Guidance, and what older versions called it.
const GUIDANCE: [&str; 2] = ["CFG scale", "Guidance"];

/// The text for a record.
pub(crate) fn write(record: &Provenance) -> String {
    let mut text = plain(&record.prompt);
    if let Some(negative) = &record.negative {
        let _ = write!(text, "\n{NEGATIVE}{}", plain(negative));
    }
    let [width, height] = record.size;
    let _ = write!(
        text,
        "\nSteps: {}, {}: {}, Seed: {}, Size: {width}x{height}",
        record.steps, GUIDANCE[0], record.guidance, record.seed
    );
    let [varied_to, varied_by] = variation(record);
    let model_hash = record.pack_sha256.chars().take(10).collect();
    let fields = [
        ("Style", record.style.clone()),
        ("Background", Some(record.background.clone())),
        ("Model", Some(record.pack_name.clone())),
        ("Model hash", Some(model_hash)),
        (VARIATION_SEED, varied_to),
        (VARIATION_STRENGTH, varied_by),
        ("Version", Some(record.creator())),
    ];
    for (name, value) in fields {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = write!(text, ", {name}: {}", quoted(&plain(&value)));
        }
    }
    text
}

/// Parses the text; missing fields are empty. `None` without steps or seed.
pub(super) fn read(text: &str) -> Option<Provenance> {
    let (words, last) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim()));
    let fields = fields(last);
    let field = |name: &str| {
        fields
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    };
    let (prompt, negative) = split_words(words);
    let (software, software_version) = field("Version").map_or(("", ""), |version| version.rsplit_once(' ').unwrap_or((version, "")));
    let is_own = software == env!("CARGO_PKG_NAME");
    Some(Provenance {
        extra: if is_own {
            let varied = field(VARIATION_SEED).zip(field(VARIATION_STRENGTH));
            let variations = varied.map(|(seed, strength)| (VARIATIONS.to_owned(), format!("{seed}:{strength}")));
            variations.into_iter().collect()
        } else {
            fields.iter().cloned().collect()
        },
        prompt: prompt.to_owned(),
        negative: negative.map(str::to_owned),
        style: field("Style").map(str::to_owned),
        steps: field("Steps")?.parse().ok()?,
        seed: field("Seed")?.parse().ok()?,
        guidance: GUIDANCE
            .iter()
            .find_map(|name| field(name))
            .and_then(|value| value.parse().ok())
            .unwrap_or(1.0),
        size: field("Size").and_then(size).unwrap_or_default(),
        background: field("Background").unwrap_or_default().to_owned(),
        pack_name: field("Model").unwrap_or_default().to_owned(),
        pack_sha256: field("Model hash").unwrap_or_default().to_owned(),
        software: software.to_owned(),
        software_version: software_version.to_owned(),
        ..Provenance::default()
    })
}

/// The seed that the noise was moved towards, and how far; nothing if there are none or several, which the fields cannot say.
fn variation(record: &Provenance) -> [Option<String>; 2] {
    let only = record.extra.get(VARIATIONS).filter(|text| !text.contains(' '));
    let parts = only.and_then(|text| text.split_once(':'));
    parts.map_or([None, None], |(seed, strength)| [seed, strength].map(|part| Some(part.to_owned())))
}

/// The prompt and the negative prompt.
fn split_words(words: &str) -> (&str, Option<&str>) {
    match words.strip_prefix(NEGATIVE) {
        Some(negative) => ("", Some(negative)),
        None => words
            .split_once(&format!("\n{NEGATIVE}"))
            .map_or((words, None), |(prompt, negative)| (prompt, Some(negative))),
    }
}

/// Splits `Name: value, Name: "quoted, value"`, up to the first syntax error.
fn fields(mut line: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    while let Some((name, rest)) = line.split_once(": ") {
        let (value, after) = value(rest);
        fields.push((name.trim().to_owned(), value));
        line = after.trim_start_matches([',', ' ']);
    }
    fields
}

/// A value and the rest of the text.
fn value(text: &str) -> (String, &str) {
    if text.starts_with('"') {
        let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
        if let Some(Ok(value)) = strings.next() {
            return (value, text.get(strings.byte_offset()..).unwrap_or_default());
        }
    }
    let (value, after) = text.split_once(", ").unwrap_or((text, ""));
    (value.trim().to_owned(), after)
}

/// `128x96` as numbers.
fn size(text: &str) -> Option<[u32; 2]> {
    let (width, height) = text.split_once('x')?;
    Some([width.parse().ok()?, height.parse().ok()?])
}

/// The text without control characters other than line breaks, which are invalid in PNG.
fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() && letter != '\n' { ' ' } else { letter })
        .collect()
}

/// Quotes a value if it contains a comma, a colon, a quotation mark or a line break.
fn quoted(value: &str) -> String {
    if value.contains([',', ':', '"', '\n']) {
        serde_json::Value::from(value).to_string()
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Picture, provenance};
    use super::*;

    fn example() -> Provenance {
        provenance::tests::example(&Picture::filled(128, 96, [0; 4]).unwrap())
    }

    #[test]
    fn the_text_has_the_usual_form() {
        let record = Provenance {
            prompt: "red apple".into(),
            negative: Some("blur".into()),
            seed: 7,
            guidance: 1.0,
            ..example()
        };
        let text = "red apple\nNegative prompt: blur\nSteps: 4, CFG scale: 1, Seed: 7, Size: 128x96, Style: \"flat, bold\", \
                    Background: \"#ffffff:#87ceeb\", Model: pictogram, Model hash: 0123456789, Version: inkstone 0.1.0";
        assert_eq!(write(&record), text);
    }

    #[test]
    fn what_the_text_holds_comes_back() {
        let record = Provenance {
            prompt: "two\nlines, Seed: 3".into(),
            ..example()
        };
        let known = Provenance {
            pack_sha256: "0123456789".into(),
            picture_sha256: String::new(),
            pack_version: String::new(),
            created: None,
            extra: Default::default(),
            ..record.clone()
        };
        assert_eq!(read(&write(&record)), Some(known));
        let bare = Provenance {
            steps: 1,
            guidance: 2.5,
            software: "inkstone".into(),
            ..Provenance::default()
        };
        assert_eq!(read(&write(&bare)), Some(bare));
        let older = read("a cat\nSteps: 4, Seed: 7, Guidance: 2.5, Size: 128x96").unwrap();
        assert_eq!((older.guidance, older.seed), (2.5, 7));
    }

    #[test]
    fn a_variation_has_the_fields_of_the_web_interface() {
        let varied = |variations: &str| Provenance {
            extra: [(VARIATIONS.to_owned(), variations.to_owned())].into(),
            ..example()
        };
        let text = write(&varied("12:0.35"));
        assert!(text.contains(", Variation seed: 12, Variation seed strength: 0.35, "), "{text}");
        assert_eq!(read(&text).unwrap().extra[VARIATIONS], "12:0.35");
        // Of several the fields could only tell a part, which would draw another picture.
        assert!(!write(&varied("12:0.35 13:0.5")).contains("Variation"));
        let foreign = "a cat\nSteps: 20, Seed: 12, Variation seed: 3, Variation seed strength: 0.2, Version: v1.9";
        let read = read(foreign).unwrap();
        assert_eq!(
            (read.extra["Variation seed"].as_str(), read.extra.contains_key(VARIATIONS)),
            ("3", false)
        );
    }

    #[test]
    fn a_stranger_s_text_is_understood() {
        let text =
            "a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 12, Size: 512x768, Model: sd, Version: v1.9";
        let record = read(text).unwrap();
        assert_eq!((record.prompt.as_str(), record.negative.as_deref()), ("a cat", Some("dog")));
        assert_eq!((record.steps, record.seed, record.guidance, record.size), (20, 12, 7.5, [512, 768]));
        assert_eq!((record.software.as_str(), record.software_version.as_str()), ("v1.9", ""));
        assert!(!record.is_own());
        assert_eq!((record.extra.len(), record.extra["Sampler"].as_str()), (7, "Euler a"));
    }

    #[test]
    fn other_texts_tell_nothing() {
        for text in [
            "",
            "a cat",
            "Steps: 4",
            "Seed: 4",
            "x\nSteps: many, Seed: 1",
            "x\nSteps: 4, Seed: -1",
            "\": \": \"",
            "Steps: \"4, Seed: 1",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_file() {
        let text = write(&Provenance {
            prompt: "a\0b\u{1b}[31m\r\nc".into(),
            ..example()
        });
        assert!(text.starts_with("a b [31m \nc\n"), "{text:?}");
    }
}
