//! Where the pack is: the one asked for, or the shipped one.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::pack::MANIFEST;
use crate::words::Language;

/// Name of the shipped pack's folder.
const SHIPPED: &str = "pictogram";

/// The pack to use.
#[derive(Clone, Debug, Args)]
pub struct PackArgument {
    /// Folder of the pack; the shipped one by default.
    #[arg(long, value_name = "DIR", env = "INKSTONE_PACK")]
    pub pack: Option<PathBuf>,
}

impl PackArgument {
    /// The pack's folder.
    pub fn folder(&self) -> PathBuf {
        self.pack.clone().unwrap_or_else(shipped)
    }
}

/// The shipped pack: below the current folder, below a folder that holds the program (as in a checkout), or
/// where packages install it.
fn shipped() -> PathBuf {
    let program = std::env::current_exe().ok();
    let beside = program.iter().flat_map(|program| program.ancestors().skip(1));
    let places = std::iter::once(Path::new("")).chain(beside);
    let mut packs = places.flat_map(|place| {
        [
            place.join("models").join(SHIPPED),
            place.join("share/inkstone/models").join(SHIPPED),
        ]
    });
    packs
        .find(|pack| pack.join(MANIFEST).is_file())
        .unwrap_or_else(|| Path::new("models").join(SHIPPED))
}

/// The language of the environment: of the first of LC_ALL, LC_MESSAGES and LANG that is set.
pub fn language() -> Option<Language> {
    let mut set = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok());
    Language::of(&set.find(|locale| !locale.is_empty())?)
}

/// What `info` and `verify` look at.
#[derive(Debug, Args)]
pub struct Subject {
    /// A picture file or a pack's folder.
    pub path: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
