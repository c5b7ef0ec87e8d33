//! Signed Content Credentials ([C2PA](https://c2pa.org)): who vouches for a picture file, and whether it was changed since. Owns keys,
//! signing and checking; depends on [`crate::picture`] for formats and records and on [`crate::atomic_file`]. Everything is done offline: nothing is
//! fetched, no time is stamped, and a certificate of one's own is on no trust list.

mod certificate;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use c2pa::validation_results::ValidationState;
use c2pa::{Builder, Context, Reader, SigningAlg, create_signer};
use serde_json::json;
use thiserror::Error;

use crate::atomic_file::{self, WriteError};
use crate::bounded_file;
use crate::picture::{Format, Provenance};

/// Where the IPTC's terms for sources are.
const SOURCE_TYPES: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/";

/// C2PA's code for a certificate that is on no trust list.
pub const UNTRUSTED: &str = "signingCredential.untrusted";

/// Why something cannot be signed, or a key cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The key's file exists.
    #[error("{} exists already, and a key is never replaced: name another file", .0.display())]
    Exists(PathBuf),
    /// The key's file cannot be written.
    #[error(transparent)]
    Write(WriteError),
    /// The key's file cannot be read.
    #[error("{}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is no key of ours.
    #[error("{}: {problem}; make a key with `inkstone key FILE --name \"YOUR NAME\"`", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is missing.
        problem: &'static str,
    },
    /// A name that a certificate cannot hold.
    #[error("a name has 1 to 64 characters, none of them a control character")]
    Name,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// A picture cannot be signed.
    #[error("the picture cannot be signed: {0}")]
    Sign(String),
}

impl CredentialsError {
    /// Whether the input is at fault and not the machine: exit code 2 rather than 1.
    pub fn is_input_fault(&self) -> bool {
        match self {
            CredentialsError::Write(error) => error.is_input_fault(),
            CredentialsError::Read { source, .. } => bounded_file::is_input_fault(source),
            CredentialsError::Exists(_) | CredentialsError::Key { .. } | CredentialsError::Name => true,
            CredentialsError::Random(_) | CredentialsError::Sign(_) => false,
        }
    }
}

impl From<WriteError> for CredentialsError {
    fn from(error: WriteError) -> CredentialsError {
        match error {
            WriteError::Exists(file) => CredentialsError::Exists(file),
            other => CredentialsError::Write(other),
        }
    }
}

/// A key with its certificate.
pub struct Key {
    private: String,
    certificate: String,
}

impl Key {
    /// Makes a new key with a certificate for a name, which it signs itself, and writes both to a file that only the user may read. A file that
    /// exists is never replaced.
    ///
    /// # Errors
    /// If the name is none, or the file exists or cannot be written.
    pub fn create(file: &Path, name: &str) -> Result<(), CredentialsError> {
        if !(1..=64).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(CredentialsError::Name);
        }
        atomic_file::check(file, false)?;
        let (mut seed, mut serial) = ([0; 32], [0; 16]);
        for bytes in [&mut seed[..], &mut serial] {
            getrandom::fill(bytes).map_err(|error| CredentialsError::Random(error.to_string()))?;
        }
        let text = certificate::pem(&seed, &serial, name);
        Ok(atomic_file::write_private(file, text.as_bytes())?)
    }

    /// Reads a key and its certificate.
    ///
    /// # Errors
    /// If the file cannot be read or has no key or certificate.
    pub fn read(file: &Path) -> Result<Key, CredentialsError> {
        let text = bounded_file::read_text(file, bounded_file::TEXT).map_err(|source| CredentialsError::Read {
            file: file.to_owned(),
            source,
        })?;
        let missing = |problem| CredentialsError::Key {
            file: file.to_owned(),
            problem,
        };
        Ok(Key {
            private: certificate::block(&text, certificate::PRIVATE_KEY).ok_or_else(|| missing("it holds no private key"))?,
            certificate: certificate::block(&text, certificate::CERTIFICATE).ok_or_else(|| missing("it holds no certificate"))?,
        })
    }

    /// The picture file with a signed manifest, which says that a trained model made it, or a part of it, and with which program. Prompts are not in
    /// the manifest.
    ///
    /// # Errors
    /// If the certificate is not valid now (the system's clock may be wrong), or the file is none of its format.
    pub fn sign(&self, file: &[u8], format: Format, made: &Provenance) -> Result<Vec<u8>, CredentialsError> {
        let failed = |error: c2pa::Error| CredentialsError::Sign(error.to_string());
        let signer = create_signer::from_keys(self.certificate.as_bytes(), self.private.as_bytes(), SigningAlg::Ed25519, None);
        let context = Context::new().with_settings(settings()).map_err(failed)?;
        let mut builder = Builder::from_context(context).with_definition(manifest(made)).map_err(failed)?;
        let mut signed = Cursor::new(Vec::new());
        builder
            .sign(&*signer.map_err(failed)?, media_type(format), &mut Cursor::new(file), &mut signed)
            .map_err(failed)?;
        Ok(signed.into_inner())
    }
}

/// What a file's manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// Whether the file is as it was signed, and by whom.
    pub state: State,
    /// The name on the certificate.
    pub signed_by: Option<String>,
    /// What is wrong, by C2PA's own codes, such as `assertion.dataHash.mismatch`.
    pub faults: Vec<String>,
}

/// Whether a signed file can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// The file or its manifest was changed after it was signed.
    Tampered,
    /// Unchanged, signed with a certificate that is on no trust list: anybody can make one with any name.
    Untrusted,
    /// Unchanged, and the certificate is on a trust list.
    Trusted,
}

/// Checks the manifest of a picture file; nothing if it has none.
pub fn check(file: &[u8], format: Format) -> Option<Checked> {
    let read = Context::new()
        .with_settings(settings())
        .and_then(|context| Reader::from_context(context).with_stream(media_type(format), Cursor::new(file)));
    let reader = match read {
        Ok(reader) => reader,
        Err(c2pa::Error::JumbfNotFound | c2pa::Error::UnsupportedType) => return None,
        Err(error) => {
            return Some(Checked {
                state: State::Tampered,
                signed_by: None,
                faults: vec![error.to_string()],
            });
        }
    };
    let statuses = reader.validation_status().unwrap_or_default();
    Some(Checked {
        state: match reader.validation_state() {
            ValidationState::Trusted => State::Trusted,
            ValidationState::Valid => State::Untrusted,
            _ => State::Tampered,
        },
        signed_by: reader.active_manifest().and_then(c2pa::Manifest::common_name),
        faults: statuses.iter().map(|status| status.code().to_owned()).collect(),
    })
}

/// Nothing is fetched.
fn settings() -> &'static str {
    r#"{ "verify": { "remote_manifest_fetch": false, "ocsp_fetch": false } }"#
}

fn media_type(format: Format) -> &'static str {
    match format {
        Format::Png => "image/png",
        Format::Jpeg => "image/jpeg",
        Format::WebP => "image/webp",
        Format::Gif => "image/gif",
    }
}

/// What is signed.
fn manifest(made: &Provenance) -> serde_json::Value {
    let source = if made.is_composite() {
        "compositeWithTrainedAlgorithmicMedia"
    } else {
        "trainedAlgorithmicMedia"
    };
    let program = json!({ "name": made.software, "version": made.software_version });
    json!({
        "claim_generator_info": [program],
        "assertions": [{
            "label": "c2pa.actions.v2",
            "data": { "actions": [{
                "action": "c2pa.created", "digitalSourceType": format!("{SOURCE_TYPES}{source}"), "softwareAgent": program,
            }] },
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Picture, image_file};

    fn key() -> Key {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        Key::create(&file, "Ada Lovelace").unwrap();
        Key::read(&file).unwrap()
    }

    fn made() -> Provenance {
        Provenance {
            software: "inkstone".into(),
            software_version: "0.1.0".into(),
            ..Provenance::default()
        }
    }

    #[test]
    fn a_signed_file_is_intact_until_it_is_changed() {
        let key = key();
        let picture = Picture::filled(64, 48, [200, 30, 30, 255]).unwrap();
        for (format, name) in [(Format::Png, "a.png"), (Format::Jpeg, "a.jpg"), (Format::WebP, "a.webp")] {
            let plain = image_file::encode(&picture, Path::new(name), Some(&made())).unwrap();
            assert_eq!(check(&plain, format), None, "{name}");
            let signed = key.sign(&plain, format, &made()).unwrap();
            let checked = check(&signed, format).unwrap();
            assert_eq!(
                (checked.state, checked.signed_by.as_deref()),
                (State::Untrusted, Some("Ada Lovelace")),
                "{checked:?}"
            );
            // A pixel, and the manifest itself.
            let mut changed = signed.clone();
            let last = changed.len() - if format == Format::Png { 20 } else { 6 };
            changed[last] ^= 1;
            assert_eq!(check(&changed, format).unwrap().state, State::Tampered, "{name}");
            let place = signed.windows(7).position(|bytes| bytes == b"created").unwrap();
            let mut changed = signed.clone();
            changed[place] ^= 1;
            assert_eq!(check(&changed, format).unwrap().state, State::Tampered, "{name}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        for name in ["", "a\nb", &"x".repeat(65)] {
            assert!(matches!(Key::create(&file, name), Err(CredentialsError::Name)));
        }
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        let error = Key::read(&file).err().unwrap().to_string();
        assert!(error.contains("no private key") && error.contains("inkstone key"), "{error}");
        assert!(
            matches!(Key::create(&file, "Ada"), Err(CredentialsError::Exists(_))),
            "it is never replaced"
        );
    }
}
