//! Where the parts of a model folder are. Names differ between exporters; files of a Hugging Face cache are links into its `blobs`.

use std::path::{Path, PathBuf};

use inkstone::bounded_file;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files;

/// What a folder holds that is not ONNX.
const PYTORCH: [&str; 3] = ["safetensors", "bin", "ckpt"];
/// Pipelines whose parts are those of [`Layout`].
const CLASSES: [&str; 8] = [
    "StableDiffusionPipeline",
    "OnnxStableDiffusionPipeline",
    "StableDiffusionOnnxPipeline",
    "ORTStableDiffusionPipeline",
    "LatentConsistencyModelPipeline",
    "ORTLatentConsistencyModelPipeline",
    "StableDiffusionXLPipeline",
    "ORTStableDiffusionXLPipeline",
];
const INDEX: &str = "model_index.json";
/// Whether an empty negative prompt stands for zeros.
const FORCE_ZEROS: &str = "force_zeros_for_empty_prompt";
/// What a tokenizer's folder may have.
const TOKENIZER_FILES: [&str; 5] = [
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
];

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
    /// The second text encoder, which SDXL has.
    pub text_encoder_2: Option<Part>,
    pub denoiser: Part,
    pub decoder: Part,
    /// The encoder, with which pictures can be started from.
    pub encoder: Option<Part>,
    /// A decoder that is fast enough for previews, where there is one beside.
    pub preview_decoder: Option<Part>,
    /// Folders of the tokenizers, one for each text encoder.
    pub tokenizers: Vec<PathBuf>,
    /// Whether an empty negative prompt stands for zeros.
    pub empty_is_zero: bool,
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
        let files = Files {
            folder,
            root: files::root(folder)?,
        };
        let index = files.index()?;
        let is_xl = files.has("text_encoder_2");
        let mut tokenizers = vec![folder.join("tokenizer")];
        if !tokenizers[0].is_dir() {
            folder.clone_into(&mut tokenizers[0]);
        }
        if is_xl {
            tokenizers.push(folder.join("tokenizer_2"));
        }
        let scheduler = folder.join("scheduler/scheduler_config.json");
        if !files::is_there(&scheduler) {
            let problem =
                "there is no such file, which says how the model was trained: copy the folder `scheduler` of the original model here";
            return Err(Error::input(&scheduler, problem));
        }
        files::check(&scheduler, &files.root)?;
        for (tokenizer, name) in tokenizers.iter().flat_map(|folder| TOKENIZER_FILES.map(|name| (folder, name))) {
            files.optional(tokenizer.join(name))?;
        }
        let optional = |name: &str, is_there: bool| is_there.then(|| files.part(&[name])).transpose();
        Ok(Layout {
            text_encoder: files.part(&["text_encoder"])?,
            text_encoder_2: optional("text_encoder_2", is_xl)?,
            denoiser: files.part(&["unet"])?,
            decoder: files.part(&["vae_decoder", "vae"])?,
            encoder: optional("vae_encoder", files.has("vae_encoder"))?,
            preview_decoder: optional("preview_decoder", files.has("preview_decoder"))?,
            tokenizers,
            // What diffusers does where the index does not say.
            empty_is_zero: is_xl && index.force_zeros.unwrap_or(true),
            class: index.class,
            scheduler,
            card: files.optional(folder.join("README.md"))?,
        })
    }
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

struct Files<'a> {
    folder: &'a Path,
    root: PathBuf,
}

/// A field that is true, false or not there.
fn flag(file: &Path, values: &Value, field: &str) -> Result<Option<bool>> {
    match &values[field] {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(*flag)),
        other => Err(Error::field(file, field, format!("{other} is neither true nor false"))),
    }
}

/// What `model_index.json` says.
struct Index {
    class: String,
    force_zeros: Option<bool>,
}

impl Files<'_> {
    /// The index of a pipeline. Folders without one are taken for the first class.
    fn index(&self) -> Result<Index> {
        let Some(file) = self.optional(self.folder.join(INDEX))? else {
            return Ok(Index {
                class: CLASSES[0].to_owned(),
                force_zeros: None,
            });
        };
        let index = json(&file)?;
        let class = index["_class_name"].as_str();
        match class.filter(|class| CLASSES.contains(class)) {
            Some(class) => Ok(Index {
                class: class.to_owned(),
                force_zeros: flag(&file, &index, FORCE_ZEROS)?,
            }),
            None => {
                let named = class.map_or("it names no pipeline".to_owned(), |class| format!("`{class}` is not supported"));
                let problem = format!("{named}; supported pipelines are {}", CLASSES.join(", "));
                Err(Error::field(&file, "_class_name", problem))
            }
        }
    }

    /// Whether there is a network, or a folder for it.
    fn has(&self, name: &str) -> bool {
        self.folder.join(name).is_dir() || self.graph(name).is_some()
    }

    /// A file, checked, or nothing if there is none of this name.
    fn optional(&self, file: PathBuf) -> Result<Option<PathBuf>> {
        if !files::is_there(&file) {
            return Ok(None);
        }
        files::check(&file, &self.root)?;
        Ok(Some(file))
    }

    /// The network in the first of these folders that has one.
    fn part(&self, names: &[&str]) -> Result<Part> {
        let graph = names.iter().find_map(|name| self.graph(name));
        let Some(graph) = graph else {
            return Err(self.missing(names));
        };
        files::check(&graph, &self.root)?;
        let mut config_file = None;
        for name in names {
            let found = self.optional(self.folder.join(name).join("config.json"))?;
            config_file = config_file.or(found);
        }
        let config = match &config_file {
            Some(file) => json(file)?,
            None => Value::Object(serde_json::Map::new()),
        };
        if let (false, Some(file)) = (config.is_object(), &config_file) {
            return Err(Error::input(file, "is not a table of settings"));
        }
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
        if let Some(file) = usual.into_iter().find(|file| files::is_there(file)) {
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
            None => {
                let several = names
                    .iter()
                    .map(|name| with_extension(&self.folder.join(name), &["onnx"]))
                    .find(|found| found.len() > 1);
                let problem = match several {
                    Some(found) => format!("there is no such file, and {} others: name the right one model.onnx", found.len()),
                    None => format!(
                        "there is no such file: a model with {} needs its graph there; others have text_encoder, unet and vae_decoder",
                        names[0]
                    ),
                };
                Error::input(&first.join("model.onnx"), problem)
            }
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
