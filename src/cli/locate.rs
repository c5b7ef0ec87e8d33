//! Where the pack is: the one asked for, or the shipped one.

use std::path::{Component, Path, PathBuf};

use clap::Args;

use super::{CliError, output};
use crate::pack::{MANIFEST, Pack};
use crate::words::Language;

/// Name of the shipped pack's folder.
const SHIPPED: &str = "pictogram";

/// The pack to use.
#[derive(Clone, Debug, Args)]
pub struct PackArgument {
    /// Folder of the pack, or the name of one that `inkstone list packs` shows; the shipped one by default.
    #[arg(long, value_name = "DIR|NAME", env = "INKSTONE_PACK")]
    pub pack: Option<PathBuf>,
}

impl PackArgument {
    /// The pack's folder.
    pub fn folder(&self) -> PathBuf {
        match &self.pack {
            Some(given) => installed(given).unwrap_or_else(|| given.clone()),
            None => shipped(),
        }
    }
}

/// The folder of the installed pack of this name. `None` if a folder at this path is a pack, or no pack has the name.
fn installed(name: &Path) -> Option<PathBuf> {
    let mut parts = name.components();
    let (Some(Component::Normal(text)), None) = (parts.next(), parts.next()) else {
        return None;
    };
    if name.join(MANIFEST).is_file() {
        return None;
    }
    let is_named = |folder: &PathBuf| Pack::open(folder).is_ok_and(|pack| text == pack.manifest().name.as_str());
    packs().into_iter().find(is_named)
}

/// The shipped pack: below the current folder, below a folder that holds the program (as in a checkout), or
/// where packages install it.
fn shipped() -> PathBuf {
    let mut packs = model_folders().into_iter().map(|folder| folder.join(SHIPPED));
    packs
        .find(|pack| pack.join(MANIFEST).is_file())
        .unwrap_or_else(|| Path::new("models").join(SHIPPED))
}

/// Folders that may hold packs.
fn model_folders() -> Vec<PathBuf> {
    let program = std::env::current_exe().ok();
    let beside = program.iter().flat_map(|program| program.ancestors().skip(1));
    let places = std::iter::once(Path::new("")).chain(beside);
    places
        .flat_map(|place| [place.join("models"), place.join("share/inkstone/models")])
        .collect()
}

/// The language of the environment: of the first of LC_ALL, LC_MESSAGES and LANG that is set.
pub fn language() -> Option<Language> {
    let mut set = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok());
    Language::of(&set.find(|locale| !locale.is_empty())?)
}

/// The folders of all packs that are found without being named: below the current folder, below a folder that holds the program,
/// and where packages install them.
pub fn packs() -> Vec<PathBuf> {
    let subfolders = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let mut packs: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.join(MANIFEST).is_file())
            .collect();
        packs.sort();
        packs
    };
    let mut seen = std::collections::BTreeSet::new();
    let found = model_folders().into_iter().flat_map(subfolders);
    found
        .filter(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())))
        .collect()
}

/// What `info` and `verify` look at.
#[derive(Debug, Args)]
pub struct Subjects {
    /// Picture files and packs' folders.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Print JSON; one value after the other if there are several paths.
    #[arg(long)]
    pub json: bool,
}

impl Subjects {
    /// Looks at each path in turn. One that is at fault is told and does not keep the others from being looked at.
    ///
    /// # Errors
    /// The path's own error if there is one path, else how many were at fault.
    pub fn each(&self, look: impl Fn(&Path) -> Result<(), CliError>) -> Result<(), CliError> {
        if let [path] = self.paths.as_slice() {
            return look(path);
        }
        let mut codes = Vec::new();
        for path in &self.paths {
            match look(path) {
                Err(error) if error.is_closed_pipe() => return Err(error),
                Err(error) => {
                    output::message(&format!("error: {error}"));
                    codes.push(error.exit_code());
                }
                Ok(()) => {}
            }
        }
        match codes.iter().min() {
            None => Ok(()),
            Some(&code) => Err(CliError::Several {
                failed: codes.len(),
                all: self.paths.len(),
                code,
            }),
        }
    }
}
