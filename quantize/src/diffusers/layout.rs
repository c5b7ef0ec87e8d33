//! Where the parts of a model folder are. Names differ between exporters; files of a Hugging Face cache are links into its `blobs`.

use std::path::{Path, PathBuf};

use inkstone::bounded_file;
use serde_json::Value;

use crate::error::{Error, Result};

/// What a folder holds that is not ONNX.
const PYTORCH: [&str; 3] = ["safetensors", "bin", "ckpt"];
/// Pipelines whose parts are those of [`Layout`].
const CLASSES: [&str; 6] = [
    "StableDiffusionPipeline",
    "OnnxStableDiffusionPipeline",
    "StableDiffusionOnnxPipeline",
    "ORTStableDiffusionPipeline",
    "LatentConsistencyModelPipeline",
    "ORTLatentConsistencyModelPipeline",
];
const INDEX: &str = "model_index.json";

/// A network: its graph and configuration.
#[derive(Debug)]
pub struct Part {
    /// The ONNX file.
    pub graph: PathBuf,
    /// `config.json`; an empty object if there is none.
    pub config: Value,
    /// The configuration's file, for messages.
    pub config_file: PathBuf,
}

/// The files of a model.
#[derive(Debug)]
pub struct Layout {
    /// The pipeline's class in diffusers.
    pub class: String,
    pub text_encoder: Part,
    pub denoiser: Part,
    pub decoder: Part,
    /// Folder of the tokenizer.
    pub tokenizer: PathBuf,
    /// The scheduler's configuration.
    pub scheduler: PathBuf,
    /// `README.md`, the model card.
    pub card: Option<PathBuf>,
}

/// Whether a folder looks like one.
pub fn is_model(folder: &Path) -> bool {
    folder.join(INDEX).is_file() || ["unet", "unet.onnx"].iter().any(|name| folder.join(name).exists())
}

impl Layout {
    /// Finds the parts of a model.
    ///
    /// # Errors
    /// For the first that is missing, or lies outside of the model.
    pub fn find(folder: &Path) -> Result<Layout> {
        let class = class(folder)?;
        let files = Files {
            folder,
            root: root(folder)?,
        };
        let tokenizer = folder.join("tokenizer");
        let tokenizer = if tokenizer.is_dir() { tokenizer } else { folder.to_owned() };
        let scheduler = folder.join("scheduler/scheduler_config.json");
        if !scheduler.is_file() {
            let problem =
                "there is no such file, which says how the model was trained: copy the folder `scheduler` of the original model here";
            return Err(Error::input(&scheduler, problem));
        }
        Ok(Layout {
            class,
            text_encoder: files.part(&["text_encoder"])?,
            denoiser: files.part(&["unet"])?,
            decoder: files.part(&["vae_decoder", "vae"])?,
            tokenizer,
            scheduler,
            card: Some(folder.join("README.md")).filter(|card| card.is_file()),
        })
    }
}

/// The class of a pipeline. Folders without an index are taken for the first one.
fn class(folder: &Path) -> Result<String> {
    let file = folder.join(INDEX);
    if !file.is_file() {
        return Ok(CLASSES[0].to_owned());
    }
    let index = json(&file)?;
    let class = index["_class_name"].as_str().unwrap_or_default();
    if !CLASSES.contains(&class) {
        let problem = format!(
            "`{class}` is not a pipeline that can be imported; those that can are {}",
            CLASSES.join(", ")
        );
        return Err(Error::field(&file, "_class_name", problem));
    }
    Ok(class.to_owned())
}

/// A JSON file of bounded size.
///
/// # Errors
/// If it cannot be read or is not JSON.
pub fn json(file: &Path) -> Result<Value> {
    let missing = "there is no such file: copy it from the original model";
    let bytes = bounded_file::read(file, bounded_file::TEXT).map_err(Error::reading(file, missing))?;
    serde_json::from_slice(&bytes).map_err(|error| Error::input(file, format!("is not JSON: {error}")))
}

/// What links may lead to: the model's own folder, or the cache that it is part of.
fn root(folder: &Path) -> Result<PathBuf> {
    let own = folder.canonicalize().map_err(Error::machine(folder, "find"))?;
    let is_snapshot = own.parent().is_some_and(|parent| parent.ends_with("snapshots"));
    let cache = own.ancestors().nth(2).filter(|_| is_snapshot);
    Ok(cache.unwrap_or(&own).to_owned())
}

struct Files<'a> {
    folder: &'a Path,
    root: PathBuf,
}

impl Files<'_> {
    /// The network in the first of these folders that has one.
    fn part(&self, names: &[&str]) -> Result<Part> {
        let graph = names.iter().find_map(|name| self.graph(name));
        let Some(graph) = graph else {
            return Err(self.missing(names));
        };
        let target = graph.canonicalize().map_err(Error::machine(&graph, "find"))?;
        if !target.starts_with(&self.root) {
            let problem = format!("leads to {}, outside of the model: copy the file here", target.display());
            return Err(Error::input(&graph, problem));
        }
        let configs = names.iter().map(|name| self.folder.join(name).join("config.json"));
        let config_file = configs.clone().find(|file| file.is_file());
        let config = match &config_file {
            Some(file) => json(file)?,
            None => Value::Object(serde_json::Map::new()),
        };
        Ok(Part {
            graph,
            config,
            config_file: config_file.unwrap_or_else(|| self.folder.join(names[0]).join("config.json")),
        })
    }

    /// `NAME/model.onnx`, `NAME.onnx`, or the only ONNX file in `NAME`.
    fn graph(&self, name: &str) -> Option<PathBuf> {
        let folder = self.folder.join(name);
        let usual = [folder.join("model.onnx"), self.folder.join(format!("{name}.onnx"))];
        if let Some(file) = usual.into_iter().find(|file| file.is_file()) {
            return Some(file);
        }
        let mut found = with_extension(&folder, &["onnx"]);
        (found.len() == 1).then(|| found.remove(0))
    }

    fn missing(&self, names: &[&str]) -> Error {
        let (first, pytorch) = (
            self.folder.join(names[0]),
            names
                .iter()
                .flat_map(|name| with_extension(&self.folder.join(name), &PYTORCH))
                .next(),
        );
        match pytorch {
            Some(file) => Error::input(
                &file,
                "holds PyTorch weights, and there is no ONNX graph: export the model with models/export/export.py first",
            ),
            None => Error::input(
                &first.join("model.onnx"),
                "there is no such file: a model has text_encoder, unet and vae_decoder",
            ),
        }
    }
}

/// The files of a folder with one of some extensions, in order.
fn with_extension(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect::<Vec<_>>());
    let mut files = entries.unwrap_or_default();
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
    });
    files.sort();
    files
}
