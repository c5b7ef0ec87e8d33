//! `inkstone doctor`: whether a kiosk would run on this machine, and what to fix.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;

use super::locate::PackArgument;
use super::{CliError, output};
use crate::doctor::{Examination, Finding, Report, Severity, examine};

/// Width of the column with the checks' names.
const NAME: usize = 15;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 a kiosk would run, 1 it would not. Run it as the user that the kiosk runs as: permissions are checked for that user."
)]
pub struct Arguments {
    #[command(flatten)]
    pack: PackArgument,
    /// Settings of the kiosk; by default /etc/inkstone/kiosk.toml, if it exists.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Root folder of another system to look at.
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    root: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `doctor`.
pub fn run(arguments: &Arguments) -> Result<(), CliError> {
    let examination = Examination {
        root: arguments.root.clone(),
        asked_pack: arguments.pack.pack.clone(),
        usual_pack: arguments.pack.folder(),
        config: arguments.config.clone(),
    };
    let bar = output::progress(0, "{bar:32} {bytes}/{total_bytes} of the pack checked");
    let report = examine(&examination, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    if arguments.json {
        output::json(&report)?;
    } else {
        table(&report)?;
    }
    if report.would_run { Ok(()) } else { Err(CliError::Unfit) }
}

fn table(report: &Report) -> Result<(), CliError> {
    let is_coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    for finding in &report.findings {
        output::result(&line(finding, is_coloured))?;
        if let Some(fix) = finding.fix.as_ref().filter(|_| finding.severity > Severity::Ok) {
            output::result(&format!("{:8} {:NAME$} → {}", "", "", indented(fix)))?;
        }
    }
    output::result(&verdict(report))
}

fn verdict(report: &Report) -> String {
    let warnings = report
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Warning)
        .count();
    match (report.would_run, warnings) {
        (false, _) => "A kiosk would not run.".into(),
        (true, 0) => "A kiosk would run.".into(),
        (true, 1) => "A kiosk would run; the warning above says what to mend.".into(),
        (true, _) => format!("A kiosk would run; the {warnings} warnings above say what to mend."),
    }
}

fn line(finding: &Finding, is_coloured: bool) -> String {
    let (word, colour) = match finding.severity {
        Severity::Ok => ("ok", 32),
        Severity::Note => ("note", 36),
        Severity::Warning => ("warning", 33),
        Severity::Fault => ("FAULT", 31),
    };
    let (begin, end) = if is_coloured {
        (format!("\x1b[{colour}m"), "\x1b[0m")
    } else {
        (String::new(), "")
    };
    format!("{begin}{word:8}{end} {:NAME$} {}", finding.check, indented(&finding.says))
}

/// Aligns further lines with the first.
fn indented(text: &str) -> String {
    text.replace('\n', &format!("\n{:width$}", "", width = 8 + 1 + NAME + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals() {
        let finding = Finding::warning("storage", "one\ntwo");
        assert_eq!(
            line(&finding, false),
            format!("warning  storage         one\n{}two", " ".repeat(25))
        );
        assert!(line(&finding, true).starts_with("\x1b[33mwarning \x1b[0m storage"));
    }
}
