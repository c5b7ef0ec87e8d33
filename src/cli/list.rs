//! `inkstone list`: what a pack can be asked for.

use std::io::{BufWriter, Write};

use clap::{Args, Subcommand};
use serde_json::json;

use super::locate::{self, PackArgument};
use super::{CliError, output};
use crate::pack::{Pack, Style};
use crate::pipeline::PipelineError;
use crate::words::{Concept, Language, Reader};

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Things that the model has learned, by name.
    Subjects(SubjectArguments),
    /// Drawing styles.
    Styles {
        #[command(flatten)]
        pack: PackArgument,
        /// Only styles whose name or words have this text.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Packs that are found without being named: below `models` and `share/inkstone/models`.
    Packs {
        /// Only packs whose name or description has this text.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct SubjectArguments {
    #[command(flatten)]
    pack: PackArgument,
    /// Language of the names; by default that of LANG, or English.
    #[arg(long, value_name = "TAG")]
    language: Option<Language>,
    /// Only things whose name has this text, or that are called so.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `list`.
pub fn run(arguments: &Arguments) -> Result<(), CliError> {
    match &arguments.what {
        What::Subjects(arguments) => subjects(arguments),
        What::Styles { pack, search, json } => styles(&Pack::open(&pack.folder())?, search.as_deref(), *json),
        What::Packs { search, json } => packs(search.as_deref(), *json),
    }
}

/// The packs that can be opened; others are told.
fn packs(search: Option<&str>, as_json: bool) -> Result<(), CliError> {
    let mut found = Vec::new();
    for folder in locate::packs() {
        match Pack::open(&folder) {
            Ok(pack) => found.push(pack),
            Err(error) => log::warn!("{error}"),
        }
    }
    found.retain(|pack| {
        let manifest = pack.manifest();
        search.is_none_or(|text| contains(&manifest.name, text) || contains(&manifest.description, text))
    });
    if as_json {
        let row = |pack: &Pack| {
            let manifest = pack.manifest();
            json!({
                "name": manifest.name, "version": manifest.version, "description": manifest.description,
                "family": manifest.family, "folder": output::path(pack.folder()), "bytes": pack.bytes(),
            })
        };
        return output::json(&found.iter().map(row).collect::<Vec<_>>());
    }
    if found.is_empty() {
        output::message("no pack was found; --pack DIR or INKSTONE_PACK names one elsewhere");
    }
    found.iter().try_for_each(|pack| {
        let manifest = pack.manifest();
        output::result(&format!("{} {}  {}", manifest.name, manifest.version, pack.folder().display()))
    })
}

fn styles(pack: &Pack, search: Option<&str>, as_json: bool) -> Result<(), CliError> {
    let matches = |style: &&Style| {
        let has = |text: &str| contains(&style.name, text) || style.words.iter().any(|word| contains(word, text));
        search.is_none_or(has)
    };
    let styles: Vec<&Style> = pack.manifest().styles.iter().filter(matches).collect();
    if as_json {
        let rows: Vec<_> = styles
            .iter()
            .map(|style| json!({ "name": style.name, "words": style.words, "default": style.default }))
            .collect();
        return output::json(&rows);
    }
    styles
        .iter()
        .try_for_each(|style| output::result(&format!("{}{}", style.name, if style.default { " (default)" } else { "" })))
}

fn subjects(arguments: &SubjectArguments) -> Result<(), CliError> {
    let pack = Pack::open(&arguments.pack.folder())?;
    let Some(name) = pack.manifest().prompt.as_ref().and_then(|prompt| prompt.lexicon.as_ref()) else {
        return Err(CliError::Usage(format!(
            "{}: this pack has no lexicon, and so no list of subjects",
            pack.folder().display()
        )));
    };
    let reader = Reader::open(&pack.folder().join(name)).map_err(PipelineError::from)?;
    let language = arguments.language.or_else(locate::language).unwrap_or(Language::ENGLISH);
    let called: Vec<&str> = arguments
        .search
        .iter()
        .flat_map(|text| reader.meanings(text, language))
        .map(|concept| concept.id)
        .collect();
    let found = reader.named(language).filter(|(concept, name)| {
        let matches = |text: &String| contains(name, text) || called.contains(&concept.id);
        arguments.search.as_ref().is_none_or(matches)
    });
    let mut found: Vec<(Concept, &str)> = found.collect();
    found.sort_by_key(|(_, name)| name.to_lowercase());
    if arguments.json {
        let rows: Vec<_> = found
            .iter()
            .map(|(concept, name)| json!({ "id": concept.id, "name": name, "english": concept.plain }))
            .collect();
        return output::json(&rows);
    }
    if let (Some(text), true) = (&arguments.search, found.is_empty()) {
        output::message(&format!("nothing is called \"{text}\" in this language ({language})"));
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    found.iter().try_for_each(|(_, name)| writeln!(out, "{name}"))?;
    Ok(out.flush()?)
}

fn contains(name: &str, text: &str) -> bool {
    name.to_lowercase().contains(&text.to_lowercase())
}
