//! The owner's token: made here, shown once, and kept as a hash in a file. Depends on [`crate::atomic_file`] and the system's random numbers.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::atomic_file;

/// Name of the file with the hash.
const FILE: &str = "owner";
/// Letters of tokens and addresses: without those that look alike.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A text that cannot be guessed, of five bits a letter.
///
/// # Errors
/// If the system has no random numbers.
pub fn random(letters: usize) -> io::Result<String> {
    let mut bytes = vec![0; letters];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

/// What a token is compared with.
#[derive(Clone, Debug)]
pub struct Token {
    hash: [u8; 32],
}

impl Token {
    /// The token whose secret is this.
    pub fn of_secret(secret: &str) -> Token {
        Token {
            hash: Sha256::digest(secret).into(),
        }
    }

    /// The token of a folder, and its secret if it was made just now: where there is none yet, or a new one is wanted.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn of_folder(folder: &Path, anew: bool) -> io::Result<(Token, Option<String>)> {
        let file = folder.join(FILE);
        if !anew {
            match fs::read_to_string(&file) {
                Ok(text) => {
                    let hash = of_hex(text.trim()).ok_or_else(|| {
                        let problem = format!("{}: is not the hash of a token; delete it to get a new one", file.display());
                        io::Error::new(io::ErrorKind::InvalidData, problem)
                    })?;
                    return Ok((Token { hash }, None));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", file.display()))),
            }
        }
        let secret = random(26)?;
        let token = Token::of_secret(&secret);
        let text: String = token.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        fs::create_dir_all(folder).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
        atomic_file::write(&file, format!("{text}\n").as_bytes(), true).map_err(io::Error::other)?;
        Ok((token, Some(secret)))
    }

    /// Whether a secret is this token's. The time that it takes tells nothing of it.
    pub fn matches(&self, secret: &str) -> bool {
        let other: [u8; 32] = Sha256::digest(secret).into();
        let differences = self.hash.iter().zip(other).fold(0, |sum, (one, other)| sum | (one ^ other));
        differences == 0
    }
}

fn of_hex(text: &str) -> Option<[u8; 32]> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_told_once_and_only_its_hash_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (token, secret) = Token::of_folder(folder.path(), false).unwrap();
        let secret = secret.unwrap();
        assert!(token.matches(&secret) && !token.matches("") && !token.matches(&secret[1..]));
        let file = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!file.contains(&secret));
        let (again, told) = Token::of_folder(folder.path(), false).unwrap();
        assert!(told.is_none() && again.matches(&secret));
        let (other, told) = Token::of_folder(folder.path(), true).unwrap();
        assert!(!other.matches(&secret) && other.matches(&told.unwrap()));
        fs::write(folder.path().join(FILE), "secret").unwrap();
        let error = Token::of_folder(folder.path(), false).unwrap_err();
        assert!(error.to_string().contains("delete it"), "{error}");
    }
}
