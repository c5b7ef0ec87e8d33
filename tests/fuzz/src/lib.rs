//! What the targets share: a small pack in a folder of its own, in which the fuzzer replaces one file; and a pack of a small
//! diffusion model, changed at random, to draw with. Owns the folders; depends on Inkstone's pack, engine and pipeline, and on the quantizer.

#[path = "../../support/mutants.rs"]
pub mod mutants;

#[path = "../../../quantize/tests/support/small_latent.rs"]
mod small_latent;

use std::fmt::Display;
use std::path::Path;

use inkstone::engine::{Engine, Stage};
use inkstone::pack::{Pack, sha256_of_bytes};
use inkstone::pipeline::{Options, Pipeline, Request, check_manifest};
use inkstone_quantize::quantize;
use mutants::{Random, change_pack};

/// The stage of the seed pack.
const STAGE: &str = "model";
const MANIFEST: &str = include_str!("../seeds/manifest/seed.toml");
const GRAPH: &[u8] = include_bytes!("../seeds/graph/seed.onnx");
const WEIGHTS: &[u8] = include_bytes!("../seeds/weights.bin");

/// The seed pack on disk.
pub struct Folder {
    folder: tempfile::TempDir,
    engine: Engine,
}

impl Folder {
    /// Writes the seed pack.
    ///
    /// # Panics
    /// If the folder for temporary files cannot be written, or no thread started.
    pub fn new() -> Folder {
        let folder = Folder {
            folder: tempfile::tempdir().expect("a folder for temporary files"),
            engine: Engine::new(1).expect("a thread"),
        };
        folder.write("pack.toml", MANIFEST.as_bytes());
        folder.write("model.onnx", GRAPH);
        folder.write("weights.bin", WEIGHTS);
        folder
    }

    /// Replaces the manifest.
    pub fn set_manifest(&self, bytes: &[u8]) {
        self.write("pack.toml", bytes);
    }

    /// Replaces the graph, and its size and checksum in the manifest, so that the checks behind them are reached.
    pub fn set_graph(&self, bytes: &[u8]) {
        self.write("model.onnx", bytes);
        let manifest = MANIFEST
            .replace(&sha256_of_bytes(GRAPH), &sha256_of_bytes(bytes))
            .replace(&format!("bytes = {}", GRAPH.len()), &format!("bytes = {}", bytes.len()));
        self.set_manifest(manifest.as_bytes());
    }

    /// Loads the pack as far as it goes: every check, every stage made ready to run. Errors are what is expected.
    pub fn load(&self) {
        let Ok(pack) = Pack::open(self.folder.path()) else { return };
        let _ = pack.verify(&mut |_| ());
        let _ = check_manifest(pack.manifest(), &pack.manifest_path());
        for stage in pack.manifest().stages.keys().map(String::as_str).chain([STAGE]) {
            let _ = Stage::load(&self.engine, &pack, stage);
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path: &Path = self.folder.path();
        std::fs::write(path.join(name), bytes).expect("the folder for temporary files can be written");
    }
}

impl Default for Folder {
    fn default() -> Folder {
        Folder::new()
    }
}

/// A small pack that pictures are drawn with.
pub struct Drawn {
    folder: tempfile::TempDir,
}

impl Drawn {
    /// Makes the pack.
    ///
    /// # Panics
    /// If the folder for temporary files cannot be written.
    pub fn new() -> Drawn {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let export = folder.path().join("export");
        std::fs::create_dir(&export).expect("the folder for temporary files can be written");
        small_latent::export(&export);
        quantize(&export, &folder.path().join("pack"), &Default::default(), &mut |_, _, _| ()).expect("the export is valid");
        Drawn { folder }
    }

    /// Changes a copy at random and draws with it. Errors are what is expected.
    ///
    /// # Panics
    /// If the folder for temporary files cannot be written.
    pub fn draw(&self, seed: u64) {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let mut random = Random(seed);
        change_pack(&mut random, &self.folder.path().join("pack"), folder.path());
        let mut request = Request::new("a red cat and two dogs").seed(seed);
        request.guess = true;
        let draw = |mut pipeline: Pipeline| {
            request.steps = pipeline.capabilities().steps.first().copied();
            pipeline.generate(&request)
        };
        read(Pipeline::open_with(folder.path(), &Options::default().threads(1)).and_then(draw));
    }
}

impl Default for Drawn {
    fn default() -> Drawn {
        Drawn::new()
    }
}

/// The first bytes as a seed.
pub fn seed(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |seed, &byte| seed << 8 | u64::from(byte))
}

/// Writes an error out, as the programs do.
pub fn read<T, E: Display>(result: Result<T, E>) {
    let _ = result.map_err(|error| error.to_string());
}
