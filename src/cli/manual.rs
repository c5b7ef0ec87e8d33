//! The option `--manual DIR`: manual pages and shell completions, generated from the table of arguments, so that they
//! always match the program. Packages install them. Used by both programs; depends on `clap`, its generators, and
//! [`crate::atomic_file`].

use std::fs;
use std::io::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Parser, value_parser};
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use super::error::INPUT_FAULT;
use super::{CliError, output};
use crate::atomic_file;

/// Name of the option, which excludes all other arguments.
const OPTION: &str = "manual";

/// Path and contents of a file to write.
type Text = (PathBuf, Vec<u8>);

/// Parses the command line of this process.
///
/// # Errors
/// The exit code, if there is nothing more to do: the usage was wrong, or help, the version or the manual was asked for. That is
/// then printed or written.
pub fn parse<Arguments: Parser>() -> Result<Arguments, ExitCode> {
    let command = Arguments::command();
    let matches = with_option(command.clone()).try_get_matches().map_err(ended)?;
    let Some(folder) = matches.get_one::<PathBuf>(OPTION) else {
        return Arguments::from_arg_matches(&matches).map_err(|error| ended(error.format(&mut with_option(command))));
    };
    let written = write(&command, folder);
    let printed = written.and_then(|files| files.iter().try_for_each(|file| output::result(&file.display().to_string())));
    Err(match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            output::message(&format!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    })
}

/// Prints wrong usage, or the help or version that was asked for, and returns the exit code.
fn ended(mut error: clap::Error) -> ExitCode {
    // "To pass '-x' as a value, use '-- -x'" is no help where no value begins with a hyphen.
    if error.kind() == ErrorKind::UnknownArgument {
        error.remove(ContextKind::Suggested);
    }
    let text = error.render().to_string();
    if output::printable(&text) == text {
        // Help that was asked for may be cut short by whoever reads it.
        let _ = error.print();
    } else {
        output::message(text.trim_end());
    }
    if let (ErrorKind::InvalidSubcommand, Some(ContextValue::String(word))) = (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
        output::message(&format!("hint: `inkstone generate \"{word}\"` draws it"));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(INPUT_FAULT))
}

fn with_option(command: Command) -> Command {
    let folder = Arg::new(OPTION).long(OPTION).value_name("DIR").value_parser(value_parser!(PathBuf));
    let help = "Write manual pages, and completions for bash, zsh and fish, into a folder laid out like /usr/share";
    command.subcommand_required(false).arg(folder.help(help).exclusive(true))
}

/// Writes a manual page for a program and each of its subcommands, and completions for bash, zsh and fish, into a folder
/// laid out like `/usr/share` (Filesystem Hierarchy Standard 3.0, 4.11). Replaces existing files. Returns the paths written.
fn write(command: &Command, folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut texts = completions(command);
    let mut root = command.clone().disable_help_subcommand(true);
    root.build();
    pages(&root, &mut texts)?;
    texts
        .into_iter()
        .map(|(file, text)| {
            let file = folder.join(file);
            make_folder_of(&file)?;
            atomic_file::write(&file, &text, true)?;
            Ok(file)
        })
        .collect()
}

fn make_folder_of(file: &Path) -> Result<(), Error> {
    let folder = file.parent().ok_or(std::io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder).map_err(|error| Error::new(error.kind(), format!("{}: {error}", folder.display())))
}

/// A program's completions, each where its shell looks for them.
fn completions(command: &Command) -> Vec<Text> {
    let program = command.get_name();
    let shells = [
        (Shell::Bash, format!("bash-completion/completions/{program}")),
        (Shell::Zsh, format!("zsh/vendor-completions/_{program}")),
        (Shell::Fish, format!("fish/vendor_completions.d/{program}.fish")),
    ];
    let script = |(shell, file): (Shell, String)| {
        let mut text = Vec::new();
        generate(shell, &mut command.clone(), program, &mut text);
        (file.into(), text)
    };
    shells.into_iter().map(script).collect()
}

/// The manual pages of a command and of its subcommands.
fn pages(command: &Command, texts: &mut Vec<Text>) -> Result<(), Error> {
    let page = Man::new(command.clone()).manual("Inkstone");
    let mut text = Vec::new();
    page.render(&mut text)?;
    texts.push((Path::new("man/man1").join(page.get_filename()), text));
    command.get_subcommands().try_for_each(|command| pages(command, texts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Command {
        let flag = Arg::new("loud").long("loud").help("Says it aloud");
        Command::new("teller")
            .version("1.0")
            .about("Tells")
            .subcommand_required(true)
            .subcommand(Command::new("story").about("Tells a story").arg(flag))
    }

    #[test]
    fn every_command_has_a_page_and_the_shells_know_it() {
        let folder = tempfile::tempdir().unwrap();
        let files = write(&program(), folder.path()).unwrap();
        let names: Vec<&Path> = files.iter().map(|file| file.strip_prefix(folder.path()).unwrap()).collect();
        let expected = [
            "bash-completion/completions/teller",
            "zsh/vendor-completions/_teller",
            "fish/vendor_completions.d/teller.fish",
            "man/man1/teller.1",
            "man/man1/teller-story.1",
        ];
        assert_eq!(names, expected.map(Path::new));
        for file in &files {
            let text = fs::read_to_string(file).unwrap();
            assert!(text.contains("story") && !text.contains(OPTION), "{}: {text}", file.display());
        }
        let page = fs::read_to_string(&files[4]).unwrap();
        assert!(page.contains("loud") && page.contains("Says it aloud"), "{page}");
    }

    #[test]
    fn an_invalid_folder_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = write(&program(), file.path()).unwrap_err().to_string();
        assert!(error.contains(&file.path().display().to_string()), "{error}");
    }

    #[test]
    fn the_option_excludes_all_others() {
        let input = Arg::new("input").required(true);
        for command in [program(), Command::new("program").arg(input)] {
            let name = command.get_name().to_owned();
            let command = with_option(command);
            let matches = command.clone().try_get_matches_from([&name, "--manual", "folder"]).unwrap();
            assert_eq!(matches.get_one::<PathBuf>(OPTION).map(PathBuf::as_path), Some(Path::new("folder")));
            assert!(command.try_get_matches_from([&name, "story", "--manual", "folder"]).is_err());
        }
    }

    #[test]
    fn our_own_arguments_are_valid() {
        use clap::CommandFactory;
        with_option(crate::cli::Arguments::command()).debug_assert();
    }
}
