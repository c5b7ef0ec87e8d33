//! `vcgencmd`, the program that queries the Raspberry Pi firmware for clocks, temperatures, throttling and the power chip's
//! readings (Raspberry Pi documentation, *vcgencmd*).
//!
//! Owns finding the program below a root folder, running it and parsing its answers. Depends on nothing.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Raspberry Pi OS installs it.
const PROGRAM: &str = "usr/bin/vcgencmd";

/// Why the firmware could not be queried.
#[derive(Debug, thiserror::Error)]
pub enum VcgencmdError {
    /// The program cannot be started.
    #[error("{}: {problem}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What happened.
        problem: String,
    },
    /// The program reported an error.
    #[error("{}: `{arguments}` failed: {problem}; if permission is denied: sudo usermod -aG video $USER", program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: String,
        /// Its message.
        problem: String,
    },
}

/// The installed program.
#[derive(Clone, Debug)]
pub struct Vcgencmd {
    program: PathBuf,
}

impl Vcgencmd {
    /// Looks for `usr/bin/vcgencmd` below `root`, `/` on a board.
    pub fn find(root: &Path) -> Option<Vcgencmd> {
        let program = root.join(PROGRAM);
        program.is_file().then_some(Vcgencmd { program })
    }

    /// Runs one command; returns its answer without the trailing newline.
    ///
    /// # Errors
    /// If the program cannot be started, exits with a code other than 0, or answers with an error.
    pub fn ask(&self, arguments: &[&str]) -> Result<String, VcgencmdError> {
        let output = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| VcgencmdError::Start {
                program: self.program.clone(),
                problem: match error.kind() {
                    ErrorKind::PermissionDenied => "permission denied".into(),
                    _ => error.to_string(),
                },
            })?;
        let answer = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        // Errors of the firmware are on standard output, with exit code 0.
        if output.status.success() && !answer.starts_with("error=") {
            return Ok(answer);
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(VcgencmdError::Failed {
            program: self.program.clone(),
            arguments: arguments.join(" "),
            problem: if said.is_empty() { answer } else { said },
        })
    }

    /// The bits of `get_throttled`, answered as `throttled=0x50000`.
    ///
    /// # Errors
    /// As [`Vcgencmd::ask`], and if the answer is malformed.
    pub fn throttled(&self) -> Result<u32, VcgencmdError> {
        let answer = self.ask(&["get_throttled"])?;
        let bits = answer.strip_prefix("throttled=0x");
        bits.and_then(|bits| u32::from_str_radix(bits, 16).ok())
            .ok_or_else(|| VcgencmdError::Failed {
                program: self.program.clone(),
                arguments: "get_throttled".into(),
                problem: format!("unexpected answer '{answer}'"),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn with(script: &str) -> (tempfile::TempDir, Vcgencmd) {
        let root = tempfile::tempdir().unwrap();
        let program = root.path().join(PROGRAM);
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let found = Vcgencmd::find(root.path()).unwrap();
        (root, found)
    }

    #[test]
    fn answers_and_errors_are_distinguished() {
        assert!(Vcgencmd::find("/nonexistent".as_ref()).is_none());
        let (_root, found) = with("#!/bin/sh\necho throttled=0x50005\n");
        assert_eq!(found.throttled().unwrap(), 0x50005);
        let (_root, found) = with("#!/bin/sh\necho 'error=1 error_msg=\"Command not registered\"'\n");
        let error = found.throttled().unwrap_err().to_string();
        assert!(
            error.contains("`get_throttled` failed") && error.contains("not registered"),
            "{error}"
        );
        let (_root, found) = with("#!/bin/sh\necho 'Can\\047t open device file: /dev/vcio' >&2\nexit 255\n");
        let error = found.ask(&["pmic_read_adc"]).unwrap_err().to_string();
        assert!(error.contains("/dev/vcio") && error.contains("usermod -aG video"), "{error}");
        let (_root, found) = with("#!/bin/sh\necho throttled=zz\n");
        assert!(found.throttled().unwrap_err().to_string().contains("unexpected answer"));
    }
}
