//! What is quantized: a folder with `model.toml` or of diffusers, or one graph.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use inkstone::bounded_file;
use inkstone::pack::{FileRecord, MANIFEST, Manifest, Port, Stage, WEIGHTS};
use inkstone::pipeline::check_manifest;

use crate::diffusers::{self, Imported};
use crate::error::{Error, Result};
use crate::files;
use crate::fold::complete;
use crate::graph::{Graph, Sizes};

/// The manifest of an f32 export: that of a pack without the table `files`.
pub const MODEL: &str = "model.toml";
/// Model card, copied where there is one.
const CARD: &str = "MODEL_CARD.md";
/// Folder with the card's pictures and tables, copied where there is one.
const CARD_FOLDER: &str = "card";

/// An f32 model: its manifest and where its graphs lie.
#[derive(Debug)]
pub struct Source {
    manifest: Manifest,
    folder: PathBuf,
    /// File of the manifest, for messages.
    manifest_file: PathBuf,
    /// The graph, where the input was one file.
    single: Option<Graph>,
    /// Sizes of free dimensions, and those among them that the caller gave.
    sizes: Sizes,
    given: Sizes,
    /// Those of stages whose free dimensions mean other sizes.
    own_sizes: BTreeMap<String, Sizes>,
    /// The graphs of stages, where they are not files of the folder itself.
    graphs: BTreeMap<String, PathBuf>,
    /// Files of the pack that are made, and others that are copied.
    made: BTreeMap<String, Vec<u8>>,
    copied: BTreeMap<String, PathBuf>,
    notes: Vec<String>,
}

impl Source {
    /// Opens a folder with `model.toml` or of diffusers, or an ONNX file; `sizes` gives the free dimensions of graphs.
    ///
    /// # Errors
    /// For a missing file and for wrong manifest fields.
    pub fn open(input: &Path, sizes: &Sizes) -> Result<Source> {
        match std::fs::metadata(input) {
            Ok(metadata) if metadata.is_dir() => Source::open_folder(input, sizes),
            Ok(_) => Source::open_graph(input, sizes),
            Err(error) => Err(Error::reading(input, "there is no such file or folder: check the path")(error)),
        }
    }

    fn open_folder(folder: &Path, sizes: &Sizes) -> Result<Source> {
        let file = folder.join(MODEL);
        if !file.exists() && diffusers::is_model(folder) {
            return Source::import(folder, sizes);
        }
        let missing = "there is no such file: the folder must hold an f32 export with its manifest, or a model of diffusers as ONNX";
        let text = files::text(&file, bounded_file::TEXT, missing)?;
        let manifest = parse_manifest(&text, &file)?;
        let source = Source {
            folder: folder.to_owned(),
            ..Source::of(manifest, file, sizes)
        };
        source.check_manifest()?;
        Ok(source)
    }

    /// A model of diffusers.
    fn import(folder: &Path, given: &Sizes) -> Result<Source> {
        let Imported {
            manifest,
            graphs,
            made,
            copied,
            sizes,
            own_sizes,
            notes,
        } = diffusers::import(folder, given)?;
        let source = Source {
            folder: folder.to_owned(),
            graphs,
            made,
            copied,
            sizes,
            own_sizes,
            notes,
            ..Source::of(manifest, folder.to_owned(), given)
        };
        source.check_manifest()?;
        Ok(source)
    }

    fn of(manifest: Manifest, manifest_file: PathBuf, sizes: &Sizes) -> Source {
        Source {
            manifest,
            folder: PathBuf::new(),
            manifest_file,
            single: None,
            sizes: sizes.clone(),
            given: sizes.clone(),
            own_sizes: BTreeMap::new(),
            graphs: BTreeMap::new(),
            made: BTreeMap::new(),
            copied: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    fn open_graph(file: &Path, sizes: &Sizes) -> Result<Source> {
        let graph = read(file, sizes)?;
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        let text = |part: Option<&std::ffi::OsStr>| part.and_then(std::ffi::OsStr::to_str).unwrap_or("model").to_owned();
        let stage = Stage {
            graph: "model.onnx".to_owned(),
            inputs: graph.inputs.clone(),
            outputs: graph.outputs.clone(),
        };
        let description = format!("Quantized from {}", text(file.file_name()));
        let manifest = Manifest::of_graph(text(file.file_stem()), description, stage);
        Ok(Source {
            folder,
            single: Some(graph),
            ..Source::of(manifest, file.to_owned(), sizes)
        })
    }

    /// Sets the default number of steps and guidance of the pack.
    ///
    /// # Errors
    /// For a model that is not sampled, or not in so many steps or with such a guidance.
    pub fn set_defaults(&mut self, steps: Option<usize>, guidance: Option<f32>) -> Result<()> {
        if steps.is_none() && guidance.is_none() {
            return Ok(());
        }
        let Some(sampling) = &mut self.manifest.sampling else {
            return Err(Error::usage("--steps and --guidance need a model that makes pictures in steps"));
        };
        sampling.default_steps = steps.unwrap_or(sampling.default_steps);
        sampling.default_guidance = guidance.unwrap_or(sampling.default_guidance);
        self.check_manifest()
            .map_err(|error| Error::usage(format!("--steps or --guidance: {error}")))
    }

    /// Names of the stages and their graphs' files, in the order in which they are quantized.
    pub fn stages(&self) -> impl Iterator<Item = (&str, &str)> {
        self.manifest
            .stages
            .iter()
            .map(|(name, stage)| (name.as_str(), stage.graph.as_str()))
    }

    /// Reads a stage's graph and checks that its ports are those of the manifest.
    ///
    /// # Errors
    /// For a stage that is not there, and as for [`Graph::read`] and [`complete`].
    pub fn graph(&self, stage: &str) -> Result<Graph> {
        if let Some(graph) = &self.single {
            return Ok(graph.clone());
        }
        let Some(described) = self.manifest.stages.get(stage) else {
            return Err(self.field(format!("stages.{stage}"), "there is no such stage: add it"));
        };
        let own = || self.folder.join(&described.graph);
        let sizes = self.own_sizes.get(stage).unwrap_or(&self.sizes);
        let mut graph = read(&self.graphs.get(stage).cloned().unwrap_or_else(own), sizes)?;
        if self.graphs.contains_key(stage) {
            diffusers::take_means(&mut graph, described);
            let is_used = |port: &Port| described.outputs.iter().any(|used| used.name == port.name);
            graph.outputs.retain(is_used);
            graph.sweep();
        }
        self.check_ports(&format!("stages.{stage}.inputs"), &described.inputs, &graph.inputs)?;
        self.check_ports(&format!("stages.{stage}.outputs"), &described.outputs, &graph.outputs)?;
        Ok(graph)
    }

    /// Files that are copied as they are: names in the pack and where they lie. In the order of the names.
    ///
    /// # Errors
    /// For a tokenizer or a list of words that is missing, and for anything but files and folders below `card`.
    pub fn companions(&self) -> Result<BTreeMap<String, PathBuf>> {
        let mut files = self.copied.clone();
        if self.single.is_some() {
            return Ok(files);
        }
        for (field, name) in self.manifest.companions().filter(|(_, name)| !self.made.contains_key(*name)) {
            let path = self.folder.join(name);
            if !path.is_file() {
                return Err(self.field(field, format!("there is no file {}: copy it there", path.display())));
            }
            files.insert(name.to_owned(), path);
        }
        let card = self.folder.join(CARD);
        if card.is_file() {
            files.insert(CARD.to_owned(), card);
        }
        let folder = self.folder.join(CARD_FOLDER);
        if folder.is_dir() {
            list_files(&folder, CARD_FOLDER, &mut files)?;
        }
        Ok(files)
    }

    /// Files of the pack that are made, by name.
    pub fn made(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.made
    }

    /// What the pack does otherwise than the model says of itself.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The manifest, without files.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Checks that every size that was given is one of a dimension of `free`.
    ///
    /// # Errors
    /// For the first that is not.
    pub fn check_sizes(&self, free: &BTreeSet<String>) -> Result<()> {
        match self.given.keys().find(|name| !free.contains(*name)) {
            Some(name) => {
                let known = free.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                let known = if known.is_empty() { "none".to_owned() } else { known };
                let problem = format!("no input has a free dimension `{name}` (free dimensions: {known}): correct --size");
                Err(Error::input(&self.manifest_file, problem))
            }
            None => Ok(()),
        }
    }

    fn field(&self, field: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::field(&self.manifest_file, field, problem)
    }

    /// The engine's own checks, on a manifest that lists the files that the pack will have.
    fn check_manifest(&self) -> Result<()> {
        self.check_file_names()?;
        let mut manifest = self.manifest.clone();
        let companions = self.manifest.companions().map(|(_, name)| name.to_owned());
        let names = manifest
            .stages
            .values()
            .map(|stage| stage.graph.clone())
            .chain(companions)
            .chain([WEIGHTS.to_owned()]);
        let unknown = FileRecord {
            bytes: 0,
            sha256: "0".repeat(64),
        };
        manifest.files = names.map(|name| (name, unknown.clone())).collect();
        let text = toml::to_string(&manifest).map_err(|error| Error::input(&self.manifest_file, error.to_string()))?;
        let manifest = Manifest::parse(&text, &self.manifest_file)?;
        Ok(check_manifest(&manifest, &self.manifest_file)?)
    }

    /// Every file of the pack has a name of its own, and lies in the folder itself.
    fn check_file_names(&self) -> Result<()> {
        let graphs = self
            .manifest
            .stages
            .iter()
            .map(|(name, stage)| (format!("stages.{name}.graph"), stage.graph.as_str()));
        let companions = self.manifest.companions().map(|(field, name)| (field.to_owned(), name));
        let mut taken = BTreeSet::from([MANIFEST, WEIGHTS, CARD, CARD_FOLDER]);
        for (field, name) in graphs.chain(companions) {
            let mut components = Path::new(name).components();
            let plain = matches!((components.next(), components.next()), (Some(Component::Normal(part)), None) if part == name);
            if !plain {
                return Err(self.field(field, format!("`{name}` must be the plain name of a file in this folder")));
            }
            if !taken.insert(name) {
                return Err(self.field(field, format!("`{name}` is the name of another file of the pack: choose another")));
            }
        }
        Ok(())
    }

    fn check_ports(&self, field: &str, described: &[Port], found: &[Port]) -> Result<()> {
        for (index, (described, found)) in described.iter().zip(found).enumerate() {
            let place = |part: &str| format!("{field}[{index}].{part}");
            if described.name != found.name {
                return Err(self.field(
                    place("name"),
                    format!("is `{}`, but the graph says `{}`", described.name, found.name),
                ));
            }
            if described.element != found.element {
                return Err(self.field(
                    place("element"),
                    format!("is {:?}, but the graph says {:?}", described.element, found.element),
                ));
            }
            if described.shape != found.shape {
                return Err(self.field(
                    place("shape"),
                    format!("is {:?}, but the graph says {:?}", described.shape, found.shape),
                ));
            }
        }
        if described.len() != found.len() {
            return Err(self.field(field, format!("has {} entries, but the graph has {}", described.len(), found.len())));
        }
        Ok(())
    }
}

fn read(file: &Path, sizes: &Sizes) -> Result<Graph> {
    let mut graph = Graph::read(file, sizes)?;
    complete(&mut graph)?;
    Ok(graph)
}

fn parse_manifest(text: &str, file: &Path) -> Result<Manifest> {
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| Error::input(file, error.to_string()))?;
    if table.contains_key("files") {
        return Err(Error::field(file, "files", "is written by inkstone-quantize: take it out"));
    }
    // A table at the end of the text leaves the lines in messages as they are.
    toml::from_str(&format!("{text}\n[files]\n")).map_err(|error| Error::input(file, error.to_string()))
}

fn list_files(folder: &Path, name: &str, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::machine(folder, "list"))? {
        let entry = entry.map_err(Error::machine(folder, "list"))?;
        let path = entry.path();
        let Some(part) = entry.file_name().to_str().map(|part| format!("{name}/{part}")) else {
            return Err(Error::input(&path, "has a name that is not UTF-8: rename it"));
        };
        let kind = entry.file_type().map_err(Error::machine(&path, "read"))?;
        if kind.is_dir() {
            list_files(&path, &part, files)?;
        } else if kind.is_file() {
            files.insert(part, path);
        } else {
            return Err(Error::input(
                &path,
                "is neither a file nor a folder: replace it by what it points to",
            ));
        }
    }
    Ok(())
}
