//! Findings and the report. Depends on nothing else here.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};

/// Version of the report's schema.
const FORM: u32 = 1;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// For information.
    Note,
    /// The kiosk runs, but something does not work or will fail eventually.
    Warning,
    /// The kiosk does not run.
    Fault,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Stable name of the check.
    pub check: &'static str,
    /// How serious it is.
    pub severity: Severity,
    /// What was found.
    pub says: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// The same for programs.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub figures: Map<String, Value>,
}

impl Finding {
    /// A finding of any severity.
    pub fn new(check: &'static str, severity: Severity, says: impl Into<String>) -> Finding {
        Finding {
            check,
            severity,
            says: says.into(),
            fix: None,
            figures: Map::new(),
        }
    }

    /// As it should be.
    pub fn ok(check: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(check, Severity::Ok, says)
    }

    /// For information.
    pub fn note(check: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(check, Severity::Note, says)
    }

    /// The kiosk runs, but something does not work or will fail eventually.
    pub fn warning(check: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(check, Severity::Warning, says)
    }

    /// The kiosk does not run.
    pub fn fault(check: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(check, Severity::Fault, says)
    }

    /// Adds what to do.
    pub fn fix(self, fix: impl Into<String>) -> Finding {
        Finding {
            fix: Some(fix.into()),
            ..self
        }
    }

    /// Adds a figure.
    pub fn figure(mut self, name: &str, value: impl Into<Value>) -> Finding {
        self.figures.insert(name.to_owned(), value.into());
        self
    }
}

/// All findings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Version of this schema.
    pub doctor: u32,
    /// Version of the program.
    pub version: &'static str,
    /// Whether a kiosk would run: no finding is a fault.
    pub would_run: bool,
    /// The root folder that was examined.
    pub root: PathBuf,
    /// The pack's folder.
    pub pack: PathBuf,
    /// The findings, in the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(root: PathBuf, pack: PathBuf, findings: Vec<Finding>) -> Report {
        Report {
            doctor: FORM,
            version: env!("CARGO_PKG_VERSION"),
            would_run: findings.iter().all(|finding| finding.severity < Severity::Fault),
            root,
            pack,
            findings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_alone_keeps_a_kiosk_from_running() {
        let report = |findings| Report::new("/".into(), "pack".into(), findings).would_run;
        assert!(report(vec![
            Finding::ok("a", ""),
            Finding::note("b", ""),
            Finding::warning("c", "")
        ]));
        assert!(!report(vec![Finding::ok("a", ""), Finding::fault("b", "")]));
    }
}
