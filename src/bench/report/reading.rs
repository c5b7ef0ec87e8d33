//! Reading a report.

use std::path::Path;

use super::{Report, SCHEMA, SCHEMA_VERSION};
use crate::bounded_file;

/// Largest report that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// A report that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file cannot be read.
    #[error("{file}: {problem}")]
    File {
        /// The file.
        file: String,
        /// What happened.
        problem: String,
    },
    /// It is not a report.
    #[error("{file}: not a report of `inkstone bench --json`: {problem}")]
    Form {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// It has another schema version.
    #[error("{file}: the report has schema version {found}, but this program reads version {SCHEMA_VERSION}; measure again")]
    Version {
        /// The file.
        file: String,
        /// Its version.
        found: u64,
    },
}

impl Report {
    /// Reads a report.
    ///
    /// # Errors
    /// If the file cannot be read, is not a report, or has another version.
    pub fn read(path: &Path) -> Result<Report, ReportError> {
        let file = path.display().to_string();
        let text = bounded_file::read_text(path, LARGEST).map_err(|error| ReportError::File {
            file: file.clone(),
            problem: error.to_string(),
        })?;
        let form = |problem: String| ReportError::Form {
            file: file.clone(),
            problem,
        };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| form(error.to_string()))?;
        if value["schema"] != SCHEMA {
            return Err(form(format!("'schema' is not '{SCHEMA}'")));
        }
        let version = value["schema_version"].as_u64().unwrap_or_default();
        if version != u64::from(SCHEMA_VERSION) {
            return Err(ReportError::Version { file, found: version });
        }
        serde_json::from_value(value).map_err(|error| form(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        for (text, words) in [
            ("{", "not a report"),
            ("[1]", "'schema' is not"),
            ("{\"schema\":\"inkstone-bench\",\"schema_version\":9}", "version 9"),
            ("{\"schema\":\"inkstone-bench\",\"schema_version\":1}", "missing field"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Report::read(&path).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("x.json"), "{error}");
        }
        assert!(Report::read(&folder.path().join("absent")).is_err());
    }
}
