//! Which layers keep activations of 16 bits: decided by what the pack makes of samples, beside the f32 model.
//!
//! | file | what it owns |
//! |---|---|
//! | `samples` | what the model is run with: prompts, or inputs of a graph |
//! | `quality` | how far the results are from those of the f32 model |
//! | `search` | the fewest layers that have to be more precise |
//!
//! Depends on the library's pipeline and engine, and on [`Draft`], a pack that is complete and not yet published.

mod quality;
mod samples;
mod search;

use std::path::{Path, PathBuf};

pub use quality::{Quality, SampleQuality};

use self::quality::Results;
use self::samples::Samples;
use crate::error::{Error, Result};
use crate::report::StageReport;
use crate::write::Draft;

/// What a pack must reach.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The samples: a prompt a line or, for a graph without a family, a TOML table of inputs each; without a file, a few that are
    /// built in.
    pub samples: Option<PathBuf>,
    /// Least median peak signal-to-noise ratio of the results beside those of the f32 model, in decibels.
    pub min_psnr: Option<f64>,
    /// Least share of the difference between the pictures of two prompts that has to be left, from 0 to 1.
    pub min_conditioning: Option<f64>,
}

impl Target {
    /// Whether anything is to be measured.
    pub fn is_measured(&self) -> bool {
        self.samples.is_some() || self.min_psnr.is_some() || self.min_conditioning.is_some()
    }
}

/// Measures a pack beside that of the f32 model, and gives as few layers as possible activations of 16 bits until the pack reaches
/// the target. `progress` is told what is done, and of how much.
///
/// # Errors
/// For samples that do not fit the model, a pack that cannot be run, and a target that it does not reach; the last names the
/// layers that lose most.
pub fn calibrate(
    draft: &mut Draft,
    f32_model: &Draft,
    stages: &[StageReport],
    target: &Target,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> Result<Quality> {
    let samples = Samples::read(target.samples.as_deref(), draft.manifest())?;
    if target.min_conditioning.is_some() && !samples.are_prompts() {
        return Err(Error::usage("--min-conditioning needs a model that is given prompts"));
    }
    progress("the f32 model", 0, 1);
    let reference = Results::of(&f32_model.open()?, &samples)?;
    let mut search = search::Search::new(draft, stages, &samples, &reference);
    let wide = match target.min_psnr {
        Some(decibels) => search.run(decibels, progress)?,
        None => Vec::new(),
    };
    let measured = search.measure(&wide)?;
    let quality = Quality::new(&samples, &reference, &measured, search.named(&wide));
    check(&quality, target)?;
    Ok(quality)
}

fn check(quality: &Quality, target: &Target) -> Result<()> {
    let Some(least) = target.min_conditioning else { return Ok(()) };
    match quality.conditioning {
        Some(found) if found < least => Err(Error::usage(format!(
            "of the difference that another prompt makes in the f32 model {found:.2} is left, less than --min-conditioning {least}: \
             raise --min-psnr, so that more layers get activations of 16 bits"
        ))),
        _ => Ok(()),
    }
}

/// A file of samples, for errors.
fn sample_error(file: Option<&Path>, problem: String) -> Error {
    match file {
        Some(file) => Error::input(file, problem),
        None => Error::usage(problem),
    }
}
