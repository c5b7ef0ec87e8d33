//! A key and the certificate that it signs itself, in the distinguished encoding of ASN.1 (X.690) and as text (RFC 7468). Owns these bytes.
//!
//! The certificate is what C2PA asks of a signer (version 3, RFC 5280): an Ed25519 key (RFC 8410) for digital signatures and the protection of
//! e-mail, which is no authority for others. It is valid from 2020 to 2049, since small boards have no clock of their own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

/// Labels of the two blocks of text.
pub const PRIVATE_KEY: &str = "PRIVATE KEY";
pub const CERTIFICATE: &str = "CERTIFICATE";

/// Tags.
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const TEXT: u8 = 0x0c;
const TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const KEY_IDENTIFIER: u8 = 0x80;

/// Object identifiers.
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
const SUBJECT_KEY: &[u8] = &[0x55, 0x1d, 0x0e];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const AUTHORITY_KEY: &[u8] = &[0x55, 0x1d, 0x23];
const EXTENDED_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const EMAIL_PROTECTION: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x04];

/// The key of a seed and a certificate for a name, one after the other.
pub fn pem(seed: &[u8; 32], serial: &[u8; 16], name: &str) -> String {
    let key = SigningKey::from_bytes(seed);
    text(PRIVATE_KEY, &private(seed)) + &text(CERTIFICATE, &certificate(&key, serial, name))
}

/// The block of a label, with its first and last line.
pub fn block(pem: &str, label: &str) -> Option<String> {
    let (first, last) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let start = pem.find(&first)?;
    let end = start + pem[start..].find(&last)? + last.len();
    Some(format!("{}\n", &pem[start..end]))
}

fn text(label: &str, bytes: &[u8]) -> String {
    let encoded = STANDARD.encode(bytes);
    let lines: Vec<String> = encoded
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A value with its tag and length.
fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match length {
        0..128 => bytes.push(length as u8),
        128..256 => bytes.extend([0x81, length as u8]),
        _ => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    bytes.extend_from_slice(content);
    bytes
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    value(SEQUENCE, &parts.concat())
}

/// Bits without unused ones at the end.
fn bits(content: &[u8]) -> Vec<u8> {
    value(BITS, &[&[0], content].concat())
}

fn algorithm() -> Vec<u8> {
    sequence(&[value(OBJECT, ED25519)])
}

/// The seed as PKCS #8 (RFC 5958).
fn private(seed: &[u8; 32]) -> Vec<u8> {
    sequence(&[value(INTEGER, &[0]), algorithm(), value(OCTETS, &value(OCTETS, seed))])
}

fn certificate(key: &SigningKey, serial: &[u8; 16], name: &str) -> Vec<u8> {
    let public = key.verifying_key().to_bytes();
    let mut serial = *serial;
    // A positive number without a leading zero.
    serial[0] = serial[0] & 0x3f | 0x40;
    let attribute = |kind: &[u8]| value(SET, &sequence(&[value(OBJECT, kind), value(TEXT, name.as_bytes())]));
    let name = sequence(&[attribute(ORGANIZATION), attribute(COMMON_NAME)]);
    let signed = sequence(&[
        value(VERSION, &value(INTEGER, &[2])),
        value(INTEGER, &serial),
        algorithm(),
        name.clone(),
        sequence(&[value(TIME, b"200101000000Z"), value(TIME, b"491231235959Z")]),
        name,
        sequence(&[algorithm(), bits(&public)]),
        value(EXTENSIONS, &sequence(&extensions(&public))),
    ]);
    let signature = key.sign(&signed).to_bytes();
    sequence(&[signed, algorithm(), bits(&signature)])
}

fn extensions(public: &[u8]) -> Vec<Vec<u8>> {
    let identifier = &Sha256::digest(public)[..20];
    let critical = || value(BOOLEAN, &[0xff]);
    let extension = |kind: &[u8], content: Vec<u8>| sequence(&[value(OBJECT, kind), value(OCTETS, &content)]);
    let needed = |kind: &[u8], content: Vec<u8>| sequence(&[value(OBJECT, kind), critical(), value(OCTETS, &content)]);
    vec![
        needed(CONSTRAINTS, sequence(&[])),
        // The first bit: digital signatures. Seven are unused.
        needed(KEY_USAGE, value(BITS, &[7, 0x80])),
        extension(EXTENDED_USAGE, sequence(&[value(OBJECT, EMAIL_PROTECTION)])),
        extension(SUBJECT_KEY, value(OCTETS, identifier)),
        extension(AUTHORITY_KEY, sequence(&[value(KEY_IDENTIFIER, identifier)])),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_as_short_as_possible() {
        assert_eq!(value(OCTETS, &[7]), [4, 1, 7]);
        assert_eq!(value(OCTETS, &[7; 200])[..4], [4, 0x81, 200, 7]);
        assert_eq!(value(OCTETS, &[7; 300])[..5], [4, 0x82, 1, 44, 7]);
    }

    #[test]
    fn the_blocks_come_back() {
        let pem = pem(&[1; 32], &[2; 16], "Ada");
        let (private, certificate) = (block(&pem, PRIVATE_KEY).unwrap(), block(&pem, CERTIFICATE).unwrap());
        assert_eq!(private.clone() + &certificate, pem);
        assert_eq!(private.lines().count(), 3);
        assert_eq!(block(&pem, "PUBLIC KEY"), None);
    }
}
