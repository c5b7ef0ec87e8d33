//! Turns an f32 ONNX export into an Inkstone pack: int8 weights in one mappable file beside standard-valid graphs.
//!
//! A guided tour, in the order in which a model passes through:
//!
//! 1. [`source`] reads a folder with `model.toml`, a model folder of [`diffusers`], or one graph, and checks that manifest and graphs agree.
//! 2. [`graph`] holds one graph in a form that is easy to edit; [`tensor`] holds its constants, whose values may lie in files
//!    ([`storage`]), [`proto`] its nodes.
//! 3. [`fold`] computes what depends on constants alone, with the shapes of `shapes`, and makes padding and equations explicit (`padding`, `equation`); [`downgrade`] rewrites what
//!    [`OPSET`](proto::OPSET) does not know, some of it as several nodes (`decompose`). `standard` is the table of standard operators.
//! 4. [`fuse`] finds normalizations, activations and attention, and replaces them by one node each.
//! 5. [`layers`] replaces convolutions, linear layers and embedding tables by their int8 counterparts.
//! 6. [`functions`] writes the definitions of our operators by standard ones, so that any runtime opens the graphs.
//! 7. [`write`](mod@write) writes the pack: whole or not at all.
//! 8. [`calibration`] compares its pictures with those of the f32 model and, where that is asked for, has the pack made again with scaled channels
//!    and makes layers more precise.
//! 9. [`report`] lists what every layer became, and [`cli`] is the command line.
//!
//! [`quantize`] does all of it.

pub mod calibration;
pub mod cli;
mod decompose;
pub mod diffusers;
pub mod downgrade;
mod equation;
pub mod error;
mod files;
pub mod fold;
pub mod functions;
pub mod fuse;
pub mod graph;
pub mod layers;
pub mod lexicon;
mod padding;
pub mod proto;
pub mod report;
mod shapes;
pub mod source;
mod standard;
pub mod storage;
pub mod tensor;
#[cfg(test)]
mod testing;
pub mod write;

use std::collections::BTreeSet;
use std::path::Path;

pub use error::{Error, Result};
pub use graph::Sizes;
pub use layers::Scheme;
pub use report::Report;

/// Is told what is being done, how much of it is done, and of how much.
pub type Progress<'a> = dyn FnMut(&str, usize, usize) + 'a;

/// How a model is quantized.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which layers become int8.
    pub scheme: Scheme,
    /// Names of layers that stay f32 whatever the scheme, as the report has them.
    pub keep: Vec<String>,
    /// Sizes of dimensions that the export leaves free.
    pub sizes: Sizes,
    /// Default number of steps of the pack, in place of what the model suggests.
    pub steps: Option<usize>,
    /// Default guidance of the pack, in place of what the model suggests.
    pub guidance: Option<f32>,
    /// Whether a pack that is there already is replaced.
    pub force: bool,
    /// What the pack must reach beside the f32 model; by default nothing is measured.
    pub target: calibration::Target,
}

/// Quantizes the model at `input` (a folder with `model.toml` or of diffusers, or one ONNX graph) and writes the pack `target`.
///
/// The same input gives the same bytes. A pack is written only if the engine can run it and it reaches what is asked for.
/// `progress` is told what is done, and of how much.
///
/// # Errors
/// [`Error::is_input`] tells wrong input (which the caller can correct) from a failing machine.
pub fn quantize(input: &Path, target: &Path, options: &Options, progress: &mut Progress) -> Result<Report> {
    write::check_target(target, options.force)?;
    let mut source = source::Source::open(input, &options.sizes)?;
    source.set_defaults(options.steps, options.guidance)?;
    options.target.check(source.manifest())?;
    let none = calibration::StageMagnitudes::new();
    let (mut draft, mut report) = draft(&source, target, options.scheme, options, &none, progress)?;
    check_kept(&options.keep, &report, input)?;
    if options.target.is_measured() {
        let (f32_model, _) = self::draft(&source, target, Scheme::F32, options, &none, progress)?;
        let remake = &mut |magnitudes: &calibration::StageMagnitudes, progress: &mut Progress| {
            self::draft(&source, target, options.scheme, options, magnitudes, progress)
        };
        (draft, report) = calibration::calibrate((draft, report), f32_model, &options.target, remake, progress)?;
    }
    report.finish(draft.publish()?);
    Ok(report)
}

/// A pack of a model's graphs with the layers of a scheme, and its report. The channels of what layers with known magnitudes read are scaled.
fn draft(
    source: &source::Source,
    target: &Path,
    scheme: Scheme,
    options: &Options,
    magnitudes: &calibration::StageMagnitudes,
    progress: &mut Progress,
) -> Result<(write::Draft, Report)> {
    let mut pack = write::PackWriter::new(target, options.force)?;
    let (mut report, mut free) = (Report::new(target), BTreeSet::new());
    report.notes = source.notes().to_vec();
    let count = source.stages().count();
    for (index, (stage, file)) in source.stages().enumerate() {
        progress(stage, index, count);
        let mut graph = source.graph(stage)?;
        free.append(&mut graph.free);
        optimize(&mut graph)?;
        let of_stage = magnitudes.iter().filter(|((of, _), _)| of == stage);
        let magnitudes = of_stage.map(|((_, made), magnitudes)| (made.clone(), magnitudes.clone())).collect();
        let layers = layers::quantize(&mut graph, scheme, &options.keep, &magnitudes, &mut |values| pack.set_aside(values))?;
        downgrade::check(&graph)?;
        report.add(stage, &graph, layers);
        pack.add_graph(file, &graph)?;
    }
    source.check_sizes(&free)?;
    for (name, path) in source.companions()? {
        pack.copy(&name, &path)?;
    }
    for (name, bytes) in source.made() {
        pack.write(name, bytes)?;
    }
    Ok((pack.complete(source.manifest().clone())?, report))
}

/// Every layer that is to stay f32 is there.
fn check_kept(keep: &[String], report: &Report, input: &Path) -> Result<()> {
    let is_missing = |name: &&String| {
        !report
            .stages
            .iter()
            .flat_map(|stage| &stage.layers)
            .any(|layer| layer.name == **name)
    };
    keep.iter().find(is_missing).map_or(Ok(()), |name| {
        let problem = format!("no layer is named '{name}'; the report of a run without --keep lists them");
        Err(Error::input(input, problem))
    })
}

/// Folds, downgrades and fuses a graph; its values stay f32.
///
/// # Errors
/// For operators and attributes without a counterpart.
pub fn optimize(graph: &mut graph::Graph) -> Result<()> {
    fold::fold(graph)?;
    downgrade::downgrade(graph)?;
    fuse::fuse(graph);
    Ok(())
}
