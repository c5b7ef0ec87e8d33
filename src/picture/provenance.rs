//! The record of what made a picture.
//!
//! Owns [`Provenance`], its JSON form, and the comparison of a record with a picture. Depends on [`Picture`] for its checksum. The
//! modules `parameters` (plain text) and `xmp` write the same facts for other programs.

use super::Picture;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What made a picture. Stored as JSON in the file; unknown fields are ignored when reading, so records of newer versions can be
/// read.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// The prompt, unchanged.
    pub prompt: String,
    /// The negative prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative: Option<String>,
    /// The style.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<String>,
    /// Denoising steps, at least 1.
    pub steps: u32,
    /// Seed of the noise.
    pub seed: u64,
    /// Guidance scale, finite; 1 means no guidance.
    pub guidance: f32,
    /// Width and height of the picture in the file, in pixels.
    pub size: [u32; 2],
    /// The background, as formatted by [`super::Background`].
    pub background: String,
    /// Name of the pack.
    pub pack_name: String,
    /// Version of the pack.
    pub pack_version: String,
    /// SHA-256 of the pack, 64 hexadecimal digits; only the first ten if read from a `parameters` text.
    pub pack_sha256: String,
    /// [`Picture::sha256`] of the picture in the file; empty in lossy files, or if read from a
    /// `parameters` text.
    pub picture_sha256: String,
    /// Name of the program.
    pub software: String,
    /// Version of that program.
    pub software_version: String,
    /// Time of creation in UTC, in the format of RFC 3339 (`2026-11-23T13:00:00Z`). Absent in reproducible files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Further inputs, such as the strength of a sketch or the parts of a blend.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, String>,
}

/// Key of [`Provenance::extra`] for [`Provenance::drawn_as`].
pub(crate) const DRAWN_AS: &str = "drawn as";
/// Key of [`Provenance::extra`] for numbers that were given by name, as `NAME=NUMBER` with spaces between.
pub(crate) const INPUTS: &str = "inputs";
/// Key of [`Provenance::extra`] for the SHA-256 of the pixels of a picture that was started from, of its strength, and of its mask.
pub(crate) const FROM: &str = "from";
pub(crate) const STRENGTH: &str = "strength";
pub(crate) const MASK: &str = "mask";
/// Key of [`Provenance::extra`] for the IPTC's term for where the picture comes from, if a model did not make all of it.
pub(crate) const SOURCE_TYPE: &str = "digital source type";
/// That term for a picture that a trained model made in part.
pub(crate) const COMPOSITE: &str = "compositeWithTrainedAlgorithmicMedia";
/// Key of [`Provenance::extra`] for prompts that were mixed: a JSON array of objects with `prompt`, `weight` and, if it is one of its own, `style`.
pub(crate) const BLEND: &str = "blend";
/// Key of [`Provenance::extra`] for a prompt before its choices were taken.
pub(crate) const TEMPLATE: &str = "template";
/// Key of [`Provenance::extra`] for the seeds that the noise was moved towards, as `SEED:STRENGTH` with spaces between.
pub(crate) const VARIATIONS: &str = "variations";
/// Key of [`Provenance::extra`] for the language that the prompt was taken for, where it is not English.
pub(crate) const LANGUAGE: &str = "language";
/// Key of [`Provenance::extra`] for an animation whose pictures become one another: a JSON object with `prompts`, `to_seed`, `to_style`, `frames`
/// and `loop`. The rest of the record is that of the first picture.
pub(crate) const MORPH: &str = "morph";
/// Key of [`Provenance::extra`] if the brackets of the prompt mean nothing.
pub(crate) const LITERAL: &str = "literal";
/// Key of [`Provenance::extra`] if the prompts are left out.
pub(crate) const PRIVATE: &str = "private";
/// Key of [`Provenance::extra`] for the pixels that were drawn beyond each side of a picture.
pub(crate) const EXTEND: &str = "extend";
/// Key of [`Provenance::extra`] for the columns and rows of a sprite sheet, `COLUMNSxROWS`; the seed is that of its first picture.
pub(crate) const SHEET: &str = "sheet";

impl Provenance {
    /// The record as one line of JSON; the same record always gives the same bytes.
    ///
    /// # Errors
    /// If `guidance` is infinite or NaN, which JSON cannot represent.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        if !self.guidance.is_finite() {
            return Err(serde::ser::Error::custom("guidance is not a finite number"));
        }
        serde_json::to_string(self)
    }

    /// Parses the JSON written by [`Provenance::to_json`] of this or a newer version.
    ///
    /// # Errors
    /// If the text is not JSON, a field is missing, or a field has the wrong type or range.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// What was drawn, if a part of the prompt was dropped or approximated.
    pub fn drawn_as(&self) -> Option<&str> {
        self.extra.get(DRAWN_AS).map(String::as_str)
    }

    /// Whether a model made the picture in part alone: it was drawn on a picture that may be a person's.
    pub fn is_composite(&self) -> bool {
        self.extra.get(SOURCE_TYPE).is_some_and(|term| term == COMPOSITE)
    }

    /// Whether the record is of this program. Another program's has its fields in [`Provenance::extra`], as they are named there.
    pub fn is_own(&self) -> bool {
        self.software == env!("CARGO_PKG_NAME")
    }

    /// Whether its prompt, style and seed do not draw it: it is several pictures, was drawn on another or mixed of several prompts, or does not
    /// tell its prompt.
    #[cfg(feature = "kiosk")]
    pub(crate) fn needs_more_than_words(&self) -> bool {
        [FROM, MORPH, BLEND, SHEET, PRIVATE].iter().any(|key| self.extra.contains_key(*key))
    }

    /// The program's name and version, such as `inkstone 0.1.0`.
    pub fn creator(&self) -> String {
        format!("{} {}", self.software, self.software_version).trim().to_owned()
    }
}

/// Whether the picture is the one of the record, pixel for pixel.
pub fn verify(picture: &Picture, provenance: &Provenance) -> bool {
    picture.sha256().eq_ignore_ascii_case(&provenance.picture_sha256)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A record with all fields, and text that needs escaping in JSON, XML and plain text.
    pub(in super::super) fn example(picture: &Picture) -> Provenance {
        Provenance {
            prompt: "a \"red\" <apple> & 红苹果,\nSteps: none 🍎 \u{202e}\u{7}\\".into(),
            negative: Some("blur, 'noise' ]]> </rdf:li>".into()),
            style: Some("flat, bold".into()),
            steps: 4,
            seed: u64::MAX,
            guidance: 1.1,
            size: [picture.width(), picture.height()],
            background: "#ffffff:#87ceeb".into(),
            pack_name: "pictogram".into(),
            pack_version: "1.0".into(),
            pack_sha256: "0123456789abcdef".repeat(4),
            picture_sha256: picture.sha256(),
            software: "inkstone".into(),
            software_version: "0.1.0".into(),
            created: Some("2026-11-23T13:00:00Z".into()),
            extra: BTreeMap::from([("strength".into(), "0.5".into())]),
        }
    }

    fn dot() -> Picture {
        Picture::filled(1, 1, [1, 2, 3, 255]).unwrap()
    }

    #[test]
    fn a_record_survives_json_exactly() {
        for seed in [0, 7, (1 << 53) + 1, u64::MAX] {
            let record = Provenance {
                seed,
                guidance: 0.1 + seed as f32,
                ..example(&dot())
            };
            assert_eq!(Provenance::from_json(&record.to_json().unwrap()).unwrap(), record);
        }
        let bare = Provenance {
            guidance: 1.0,
            ..Provenance::default()
        };
        let json = bare.to_json().unwrap();
        assert!(!json.contains("null") && !json.contains("created"), "{json}");
        assert_eq!(Provenance::from_json(&json).unwrap(), bare);
    }

    #[test]
    fn newer_records_read_and_broken_ones_do_not() {
        let json = example(&dot()).to_json().unwrap();
        let newer = json.replacen('{', r#"{"brush":{"width":3},"#, 1);
        assert_eq!(Provenance::from_json(&newer).unwrap(), example(&dot()));
        for broken in [
            "",
            "{}",
            "[]",
            &json[1..],
            &json.replace("18446744073709551615", "-1"),
            &json.replace("\"steps\"", "\"stairs\""),
        ] {
            assert!(Provenance::from_json(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn guidance_has_to_be_a_number() {
        for guidance in [f32::NAN, f32::INFINITY] {
            let message = Provenance {
                guidance,
                ..Provenance::default()
            }
            .to_json()
            .unwrap_err()
            .to_string();
            assert!(message.contains("guidance"), "{message}");
        }
    }

    #[test]
    fn a_changed_picture_is_noticed() {
        let record = example(&dot());
        assert!(verify(&dot(), &record));
        assert!(!verify(&Picture::filled(1, 1, [1, 2, 4, 255]).unwrap(), &record));
        assert!(!verify(&dot(), &Provenance::default()), "without a fingerprint nothing is verified");
    }
}
