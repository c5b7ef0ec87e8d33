//! Writes a pack: in a folder beside the target, which takes the target's name when everything is on the disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inkstone::bounded_file;
use inkstone::engine::operators::own_schemas;
use inkstone::engine::{Engine, EngineError, Stage};
use inkstone::pack::{ALIGNMENT, Element, FileRecord, Limits, MANIFEST, Manifest, Pack, Port, WEIGHTS, WeightSlice, Weights};
use inkstone::pipeline::{Options, Pipeline, PipelineError, Request};
use prost::Message;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
    type_proto,
};

use crate::error::{Error, Result};
use crate::functions;
use crate::graph::Graph;
use crate::layers;
use crate::proto::{DOMAIN, OPSET};
use crate::storage::Int8s;
use crate::tensor::{Constant, Values};

/// The version of ONNX's format that knows functions and [`OPSET`].
const IR_VERSION: i64 = 8;
/// Largest file that is copied into a pack, in bytes.
const LARGEST_COPY: u64 = 64 << 20;
/// Fewest quantized weights that are kept in a file, in bytes.
const LEAST_SET_ASIDE: usize = 1 << 16;
/// Longest float constant that stays in the graph.
const INLINE: usize = 16;

/// How the names of folders begin in which packs are made, and the file in them that is locked meanwhile.
const UNDER_CONSTRUCTION: &str = ".inkstone-quantize-";
const LOCK: &str = "lock";

/// Prompt and seed of the picture that a finished pack has to generate, in its fewest steps.
const TEST_PICTURE: (&str, u64) = ("a red apple", 7);

/// A pack that was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its files by name, without the manifest.
    pub files: BTreeMap<String, FileRecord>,
    /// SHA-256 of the picture that it generates for "a red apple" with seed 7 in its fewest steps; `None` for packs without a
    /// family.
    pub picture_sha256: Option<String>,
}

/// Checks that a pack may be written to `target`.
///
/// # Errors
/// For a target that exists, unless it is a pack and `force` is given.
pub fn check_target(target: &Path, force: bool) -> Result<()> {
    let fail = |problem: &str| {
        Err(Error::Target {
            path: target.to_owned(),
            problem: problem.to_owned(),
        })
    };
    if target.file_name().is_none() {
        return fail("is not the name of a folder: give the name of the pack's folder");
    }
    if std::fs::symlink_metadata(target).is_err() {
        return Ok(());
    }
    if !force {
        return fail("exists already: choose another name, or replace it with --force");
    }
    if !target.join(MANIFEST).is_file() || target.is_symlink() {
        return fail("exists and is not a pack, so --force does not replace it: choose another name");
    }
    Ok(())
}

/// A pack under construction. Dropped before [`Draft::publish`], it leaves nothing behind.
#[derive(Debug)]
pub struct PackWriter {
    target: PathBuf,
    force: bool,
    /// Holds the pack under construction and, for a moment, the pack that it replaces.
    temporary: TempDir,
    /// Declared after what lies in them: fields are dropped in their order.
    made: MadeFolders,
    /// Held for as long as the pack is under construction.
    _lock: Option<File>,
    weights: WeightsWriter,
    files: BTreeMap<String, FileRecord>,
    /// The graphs by file.
    models: BTreeMap<String, ModelProto>,
    /// The files that the graphs were made from, by the names that these have in the pack.
    origins: BTreeMap<String, PathBuf>,
}

impl PackWriter {
    /// Starts a pack that will be `target`; folders above it are made, and removed if nothing comes of it.
    ///
    /// # Errors
    /// For a folder that cannot be written.
    pub fn new(target: &Path, force: bool) -> Result<PackWriter> {
        let parent = parent(target);
        let made = MadeFolders::above(&parent);
        std::fs::create_dir_all(&parent).map_err(Error::machine(&parent, "make the folder"))?;
        remove_left_over(&parent);
        let builder = tempfile::Builder::new().prefix(UNDER_CONSTRUCTION).tempdir_in(&parent);
        let temporary = builder.map_err(Error::machine(&parent, "write in"))?;
        let lock = lock(temporary.path());
        let folder = temporary.path().join("pack");
        std::fs::create_dir(&folder).map_err(Error::machine(&folder, "make the folder"))?;
        let weights = WeightsWriter::new(&folder.join(WEIGHTS))?;
        Ok(PackWriter {
            target: target.to_owned(),
            force,
            temporary,
            made,
            _lock: lock,
            weights,
            files: BTreeMap::new(),
            models: BTreeMap::new(),
            origins: BTreeMap::new(),
        })
    }

    fn folder(&self) -> PathBuf {
        self.temporary.path().join("pack")
    }

    /// Writes a graph as `file`, and its large constants to the weights.
    ///
    /// # Errors
    /// If the disk is full or fails.
    pub fn add_graph(&mut self, file: &str, graph: &Graph) -> Result<()> {
        let model = model(graph, &mut self.weights)?;
        self.origins.insert(file.to_owned(), graph.file.clone());
        self.write(file, &model.encode_to_vec())?;
        self.models.insert(file.to_owned(), model);
        Ok(())
    }

    /// Keeps quantized weights in a file until their graph is written, so that those of a large model do not fill the memory.
    ///
    /// # Errors
    /// If the disk is full or fails.
    pub fn set_aside(&mut self, values: Vec<i8>) -> Result<Int8s> {
        if values.len() < LEAST_SET_ASIDE {
            return Ok(values.into());
        }
        let path = self.temporary.path().join("weights-aside");
        let bytes: Vec<u8> = values.into_iter().map(i8::cast_unsigned).collect();
        std::fs::write(&path, &bytes).map_err(Error::machine(&path, "write"))?;
        let file = Arc::new(Weights::map(&path, bytes.len() as u64)?);
        // The mapping keeps it until the graph is written.
        std::fs::remove_file(&path).map_err(Error::machine(&path, "remove"))?;
        WeightSlice::new(&file, 0..bytes.len())
            .map(Int8s::File)
            .ok_or_else(|| Error::input(&path, "is shorter than it was written"))
    }

    /// Copies a file into the pack; `name` may have folders.
    ///
    /// # Errors
    /// For a file that cannot be read or written.
    pub fn copy(&mut self, name: &str, from: &Path) -> Result<()> {
        let bytes = bounded_file::read(from, LARGEST_COPY).map_err(Error::reading(from, "there is no such file: copy it there"))?;
        self.write(name, &bytes)
    }

    /// Writes a file of the pack.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        write_synced(&self.folder().join(name), bytes)?;
        self.files.insert(
            name.to_owned(),
            FileRecord {
                bytes: bytes.len() as u64,
                sha256: hexadecimal(&Sha256::digest(bytes)),
            },
        );
        Ok(())
    }

    /// Writes weights and manifest.
    ///
    /// # Errors
    /// If the disk is full or fails, or the engine cannot run a graph.
    pub fn complete(mut self, mut manifest: Manifest) -> Result<Draft> {
        self.files.insert(WEIGHTS.to_owned(), self.weights.finish()?);
        manifest.files.clone_from(&self.files);
        let limits = manifest.limits;
        manifest.limits = Limits::LARGEST;
        self.write_manifest(&manifest)?;
        manifest.limits = self.with_needs(limits, &manifest)?;
        self.write_manifest(&manifest)?;
        Ok(Draft { writer: self, manifest })
    }

    fn write_manifest(&self, manifest: &Manifest) -> Result<()> {
        let path = self.folder().join(MANIFEST);
        let text = toml::to_string(manifest).map_err(|error| Error::input(&path, format!("cannot be written: {error}")))?;
        write_synced(&path, text.as_bytes())
    }

    /// Limits that include what the pack's stages need, each of which is loaded.
    fn with_needs(&self, limits: Limits, manifest: &Manifest) -> Result<Limits> {
        let pack = Pack::open(&self.folder())?;
        let engine = Engine::new(1).map_err(|error| self.engine_error(error))?;
        manifest.stages.keys().try_fold(limits, |limits, name| {
            let stage = Stage::load(&engine, &pack, name).map_err(|error| self.engine_error(error))?;
            Ok(limits.including(stage.needs()))
        })
    }

    /// Generates [`TEST_PICTURE`] if the pack has a family; returns that picture's SHA-256.
    fn check_picture(&self, manifest: &Manifest) -> Result<Option<String>> {
        if manifest.family.is_none() {
            return Ok(None);
        }
        let pack = Arc::new(Pack::open(&self.folder())?);
        let generate = || -> std::result::Result<_, PipelineError> {
            let mut pipeline = Pipeline::of_pack(pack, &Options::default().threads(1))?;
            let (prompt, seed) = TEST_PICTURE;
            let mut request = Request::new(prompt).seed(seed);
            request.steps = pipeline.capabilities().steps.first().copied();
            pipeline.generate(&request)
        };
        let generated = generate().map_err(|error| match error {
            PipelineError::Engine(error) => self.engine_error(error),
            PipelineError::Pack(error) => error.into(),
            error => Error::Generate(error.to_string()),
        })?;
        Ok(Some(generated.provenance.picture_sha256))
    }

    /// An error of the engine, by the name of the file that a graph was made from.
    fn engine_error(&self, error: EngineError) -> Error {
        match error {
            EngineError::Graph { file, problem } => {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                let origin = self.origins.get(&*name).unwrap_or(&file);
                Error::input(origin, format!("the engine cannot run this graph: {problem}"))
            }
            other => Error::Engine(other),
        }
    }

    fn sync_folders(&self) -> Result<()> {
        let folder = self.folder();
        let folders: BTreeSet<PathBuf> = self
            .files
            .keys()
            .flat_map(|name| {
                Path::new(name)
                    .ancestors()
                    .skip(1)
                    .map(|part| folder.join(part))
                    .collect::<Vec<_>>()
            })
            .collect();
        folders.iter().try_for_each(|folder| sync_folder(folder))
    }

    /// Gives the finished folder its name, in exchange with an old pack, so that there is a pack at any time. Where the system
    /// cannot exchange two names, the old pack is moved aside first, and moved back if that fails.
    fn publish(&self) -> Result<()> {
        check_target(&self.target, self.force)?;
        if self.target.exists() && exchange(&self.folder(), &self.target) {
            return sync_folder(&parent(&self.target));
        }
        let aside = self.temporary.path().join("replaced");
        let replaces = self.target.exists();
        if replaces {
            std::fs::rename(&self.target, &aside).map_err(Error::machine(&self.target, "move aside"))?;
        }
        let renamed = std::fs::rename(self.folder(), &self.target);
        if renamed.is_err()
            && replaces
            && let Err(error) = std::fs::rename(&aside, &self.target)
        {
            log::error!("{}: cannot put the old pack back: {error}", self.target.display());
        }
        renamed.map_err(Error::machine(&self.target, "put the pack at"))?;
        sync_folder(&parent(&self.target))
    }
}

/// Folders that are made for a pack; those that stay empty are removed.
#[derive(Debug)]
struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    /// Those of a path that do not exist yet, the innermost first.
    fn above(folder: &Path) -> MadeFolders {
        let missing = folder.ancestors().take_while(|folder| std::fs::symlink_metadata(folder).is_err());
        let named = missing.filter(|folder| !folder.as_os_str().is_empty());
        MadeFolders(named.map(Path::to_owned).collect())
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for folder in &self.0 {
            // What holds a pack is not empty, and stays.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// A pack that is complete and can be opened, and has not yet its name. Dropped before [`Draft::publish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    writer: PackWriter,
    manifest: Manifest,
}

impl Draft {
    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Takes another draft's place: what is left of that is removed with this one.
    #[must_use]
    pub fn replacing(mut self, mut other: Draft) -> Draft {
        self.writer.made.0.append(&mut other.writer.made.0);
        self
    }

    /// Opens it as a pack.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn open(&self) -> Result<Arc<Pack>> {
        Ok(Arc::new(Pack::open(&self.writer.folder())?))
    }

    /// The value that a layer of a stage makes.
    pub fn made_by(&self, stage: &str, layer: &str) -> Option<String> {
        let model = self.writer.models.get(&self.manifest.stages.get(stage)?.graph)?;
        let mut nodes = model.graph.iter().flat_map(|graph| &graph.node);
        nodes.find(|node| node.name == layer).and_then(|node| node.output.first().cloned())
    }

    /// Sets layers to precise (`Some(true)`) or int8 (`Some(false)`) by stage and layer; layers with `None` stay as they are.
    ///
    /// # Errors
    /// If a graph cannot be written.
    pub fn set_precise(&mut self, is_precise: &dyn Fn(&str, &str) -> Option<bool>) -> Result<()> {
        for (stage, described) in &self.manifest.stages {
            let file = &described.graph;
            let Some(model) = self.writer.models.get_mut(file) else { continue };
            if layers::set_precise(model, &|layer| is_precise(stage, layer)) {
                let nodes = model.graph.as_ref().map_or(&[][..], |graph| &graph.node);
                model.functions = functions::used_by(nodes, own_schemas())?;
                let bytes = model.encode_to_vec();
                self.writer.write(file, &bytes)?;
            }
        }
        self.manifest.files.clone_from(&self.writer.files);
        self.writer.write_manifest(&self.manifest)
    }

    /// Waits for the disk and gives the pack its name.
    ///
    /// # Errors
    /// If the disk is full or fails, or the pack generates no picture; the target is then as it was.
    pub fn publish(self) -> Result<Written> {
        self.writer.sync_folders()?;
        let picture_sha256 = self.writer.check_picture(&self.manifest)?;
        self.writer.publish()?;
        Ok(Written {
            files: self.writer.files,
            picture_sha256,
        })
    }
}

/// Exchanges two folders (`renameat2`); returns whether the system could.
fn exchange(one: &Path, other: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
            Ok(()) => return true,
            Err(error) => log::debug!("{}: names are not exchanged: {error}", other.display()),
        }
    }
    let _ = (one, other);
    false
}

/// Locks a folder until the file is closed; `None` where the file system has no locks.
fn lock(folder: &Path) -> Option<File> {
    let file = File::create(folder.join(LOCK)).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

/// Removes what killed runs have left: folders that are locked by nobody.
fn remove_left_over(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().as_encoded_bytes().starts_with(UNDER_CONSTRUCTION.as_bytes());
        let lock = File::open(entry.path().join(LOCK)).ok().filter(|_| is_ours);
        if lock.is_some_and(|lock| lock.try_lock().is_ok())
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            log::warn!("{}: cannot remove what an earlier run has left: {error}", entry.path().display());
        }
    }
}

fn parent(target: &Path) -> PathBuf {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::machine(folder, "make the folder"))?;
    }
    let mut file = File::create(path).map_err(Error::machine(path, "write"))?;
    file.write_all(bytes).map_err(Error::machine(path, "write"))?;
    file.sync_all().map_err(Error::machine(path, "write"))
}

fn sync_folder(folder: &Path) -> Result<()> {
    inkstone::atomic_file::sync_folder(folder).map_err(Error::machine(folder, "write"))
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The weights file under construction; equal tensors are stored once.
#[derive(Debug)]
struct WeightsWriter {
    path: PathBuf,
    file: BufWriter<File>,
    length: u64,
    places: HashMap<[u8; 32], u64>,
}

impl WeightsWriter {
    fn new(path: &Path) -> Result<WeightsWriter> {
        let file = File::create(path).map_err(Error::machine(path, "write"))?;
        Ok(WeightsWriter {
            path: path.to_owned(),
            file: BufWriter::new(file),
            length: 0,
            places: HashMap::new(),
        })
    }

    /// Writes a tensor and zeros up to the next aligned place; returns where the tensor begins.
    fn add(&mut self, bytes: &[u8]) -> Result<u64> {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        if let Some(&offset) = self.places.get(&digest) {
            return Ok(offset);
        }
        let offset = self.length;
        let padding = bytes.len().next_multiple_of(ALIGNMENT) - bytes.len();
        let written = self
            .file
            .write_all(bytes)
            .and_then(|()| self.file.write_all(&[0; ALIGNMENT][..padding]));
        written.map_err(Error::machine(&self.path, "write"))?;
        self.length += (bytes.len() + padding) as u64;
        self.places.insert(digest, offset);
        Ok(offset)
    }

    fn finish(&mut self) -> Result<FileRecord> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(Error::machine(&self.path, "write"))?;
        let mut file = File::open(&self.path).map_err(Error::machine(&self.path, "read"))?;
        let (mut hasher, mut block) = (Sha256::new(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut block).map_err(Error::machine(&self.path, "read"))? {
                0 => break,
                count => hasher.update(&block[..count]),
            }
        }
        Ok(FileRecord {
            bytes: self.length,
            sha256: hexadecimal(&hasher.finalize()),
        })
    }
}

fn model(graph: &Graph, weights: &mut WeightsWriter) -> Result<ModelProto> {
    let set = |domain: &str, version| OperatorSetIdProto {
        domain: domain.to_owned(),
        version,
    };
    Ok(ModelProto {
        ir_version: IR_VERSION,
        producer_name: env!("CARGO_PKG_NAME").to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        opset_import: vec![set("", OPSET), set(DOMAIN, 1)],
        functions: functions::used_by(&graph.nodes, own_schemas())?,
        graph: Some(GraphProto {
            name: graph.name.clone(),
            node: graph.nodes.clone(),
            initializer: initializers(graph, weights)?,
            input: graph.inputs.iter().map(info).collect(),
            output: graph.outputs.iter().map(info).collect(),
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    })
}

/// Constants in the order in which the nodes read them, so that a run reads the weights file from front to back. All others come before
/// the int8 weights: they are copied when a stage is loaded, and between the weights they would make the system read those ahead.
fn initializers(graph: &Graph, weights: &mut WeightsWriter) -> Result<Vec<TensorProto>> {
    let mut seen = BTreeSet::new();
    let outputs = graph.outputs.iter().map(|port| &port.name);
    let names = graph.nodes.iter().flat_map(|node| &node.input).chain(outputs);
    let read = names.filter_map(|name| {
        graph
            .constants
            .get(name)
            .filter(|_| seen.insert(name))
            .map(|constant| (name, constant))
    });
    let (mapped, copied): (Vec<_>, Vec<_>) = read.partition(|(_, constant)| matches!(constant.values, Values::I8(_)));
    let in_order = copied.into_iter().chain(mapped);
    in_order.map(|(name, constant)| tensor(name, constant, weights)).collect()
}

fn tensor(name: &str, constant: &Constant, weights: &mut WeightsWriter) -> Result<TensorProto> {
    let bytes = constant.bytes();
    let mut tensor = TensorProto {
        name: name.to_owned(),
        dims: constant.shape.iter().map(|&size| size as i64).collect(),
        data_type: constant.data_type() as i32,
        ..TensorProto::default()
    };
    let external = match &constant.values {
        Values::F32(values) => values.count() > INLINE,
        Values::I8(_) => true,
        Values::I64(_) | Values::Other(..) => false,
    };
    if !external {
        tensor.raw_data = bytes;
        return Ok(tensor);
    }
    let offset = weights.add(&bytes)?;
    let entries = [
        ("location", WEIGHTS.to_owned()),
        ("offset", offset.to_string()),
        ("length", bytes.len().to_string()),
    ];
    tensor.data_location = Some(DataLocation::External as i32);
    tensor.external_data = entries
        .map(|(key, value)| StringStringEntryProto {
            key: key.to_owned(),
            value,
        })
        .into();
    Ok(tensor)
}

fn info(port: &Port) -> ValueInfoProto {
    let dimension = |&size: &usize| Dimension {
        value: Some(dimension::Value::DimValue(size as i64)),
        ..Dimension::default()
    };
    let elem_type = match port.element {
        Element::F32 => DataType::Float,
        Element::I64 => DataType::Int64,
    } as i32;
    let tensor = type_proto::Tensor {
        elem_type,
        shape: Some(TensorShapeProto {
            dim: port.shape.iter().map(dimension).collect(),
        }),
    };
    let r#type = Some(TypeProto {
        value: Some(type_proto::Value::TensorType(tensor)),
        ..TypeProto::default()
    });
    ValueInfoProto {
        name: port.name.clone(),
        r#type,
        ..ValueInfoProto::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto;

    #[test]
    fn tensors_are_aligned_padded_and_shared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.bin");
        let mut weights = WeightsWriter::new(&path).unwrap();
        assert_eq!(weights.add(&[1; 3]).unwrap(), 0);
        assert_eq!(weights.add(&[2; 64]).unwrap(), 64);
        assert_eq!(weights.add(&[1; 3]).unwrap(), 0);
        assert_eq!(weights.add(&[3; 65]).unwrap(), 128);
        let record = weights.finish().unwrap();
        let bytes = std::fs::read(path).unwrap();
        assert_eq!((record.bytes, bytes.len()), (256, 256));
        assert!(bytes[3..64].iter().chain(&bytes[193..]).all(|&byte| byte == 0));
        assert_eq!(record.sha256, hexadecimal(&Sha256::digest(&bytes)));
    }

    /// One layer after another, each with int8 weights and a scale an output.
    fn two_layers() -> Graph {
        let constant = |values| Constant {
            shape: vec![32],
            values,
            origin: None,
        };
        let constants = [
            ("first", Values::I8(vec![1; 32].into())),
            ("first scale", Values::F32(vec![0.5; 32].into())),
            ("second", Values::I8(vec![2; 32].into())),
            ("second scale", Values::F32(vec![0.25; 32].into())),
        ];
        Graph {
            file: PathBuf::new(),
            name: "layers".to_owned(),
            opset: OPSET,
            nodes: vec![
                proto::node("QLinear", "one", &["x", "first", "first scale"], &["y"]),
                proto::node("QLinear", "two", &["y", "second", "second scale"], &["z"]),
            ],
            constants: constants.map(|(name, values)| (name.to_owned(), constant(values))).into(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            shapes: HashMap::new(),
            free: BTreeSet::new(),
        }
    }

    #[test]
    fn what_is_copied_at_loading_comes_before_the_weights() {
        let folder = tempfile::tempdir().unwrap();
        let mut weights = WeightsWriter::new(&folder.path().join("weights.bin")).unwrap();
        let tensors = initializers(&two_layers(), &mut weights).unwrap();
        let offset = |tensor: &TensorProto| tensor.external_data[1].value.parse::<u64>().unwrap();
        let places: Vec<_> = tensors.iter().map(|tensor| (tensor.name.as_str(), offset(tensor))).collect();
        assert_eq!(places, [("first scale", 0), ("second scale", 128), ("first", 256), ("second", 320)]);
    }

    #[test]
    fn only_packs_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("pack");
        check_target(&target, false).unwrap();
        std::fs::create_dir(&target).unwrap();
        assert!(check_target(&target, false).unwrap_err().to_string().contains("exists already"));
        assert!(check_target(&target, true).unwrap_err().to_string().contains("not a pack"));
        std::fs::write(target.join(MANIFEST), "").unwrap();
        check_target(&target, true).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn folders_are_exchanged() {
        let folder = tempfile::tempdir().unwrap();
        let inside = |name: &str| folder.path().join(name);
        for name in ["old", "new"] {
            std::fs::create_dir(inside(name)).unwrap();
            std::fs::write(inside(name).join("file"), name).unwrap();
        }
        assert!(exchange(&inside("new"), &inside("old")));
        assert_eq!(std::fs::read_to_string(inside("old").join("file")).unwrap(), "new");
        assert_eq!(std::fs::read_to_string(inside("new").join("file")).unwrap(), "old");
        assert!(!exchange(&inside("new"), &inside("missing")));
    }

    #[test]
    fn what_killed_runs_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let inside = |name: &str| folder.path().join(name);
        for name in [
            ".inkstone-quantize-dead",
            ".inkstone-quantize-alive",
            ".inkstone-quantize-other",
            "pack",
        ] {
            std::fs::create_dir(inside(name)).unwrap();
        }
        std::fs::write(inside(".inkstone-quantize-dead").join(LOCK), b"").unwrap();
        std::fs::write(inside("pack").join(LOCK), b"").unwrap();
        let held = lock(&inside(".inkstone-quantize-alive")).unwrap();
        remove_left_over(folder.path());
        let left = [
            ".inkstone-quantize-dead",
            ".inkstone-quantize-alive",
            ".inkstone-quantize-other",
            "pack",
        ]
        .map(|name| inside(name).exists());
        assert_eq!(left, [false, true, true, true]);
        drop(held);
    }
}
