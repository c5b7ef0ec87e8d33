//! Which layers are more precise than int8: decided by what the pack makes of samples, beside the f32 model.
//!
//! | file | what it owns |
//! |---|---|
//! | `samples` | what the model is run with: prompts, or inputs of a graph |
//! | `quality` | how far the results are from those of the f32 model |
//! | `magnitudes` | how large the channels become that layers read |
//! | `search` | the fewest layers that have to be more precise |
//! | `page` | all of it as an HTML page |
//!
//! Depends on the library's pipeline and engine, and on [`Draft`], a pack that is complete and not yet published.

mod magnitudes;
mod page;
mod quality;
mod samples;
mod search;

use std::path::{Path, PathBuf};

use inkstone::atomic_file;
use inkstone::pack::Manifest;

pub use quality::{Quality, SampleQuality, Sensitivity};

pub(crate) use self::magnitudes::StageMagnitudes;
use self::quality::Results;
use self::samples::Samples;
use self::search::Search;
use crate::Progress;
use crate::error::{Error, Result};
use crate::report::Report;
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
    /// File to write the comparison to as an HTML page; one that is there already is replaced.
    pub page: Option<PathBuf>,
}

impl Target {
    /// Whether anything is to be measured.
    pub fn is_measured(&self) -> bool {
        self.samples.is_some() || self.min_psnr.is_some() || self.min_conditioning.is_some() || self.page.is_some()
    }

    /// Checks the samples and the page's place before anything is computed for them.
    ///
    /// # Errors
    /// For samples that do not fit the model of this manifest, and a page that may not be written.
    pub fn check(&self, manifest: &Manifest) -> Result<()> {
        if !self.is_measured() {
            return Ok(());
        }
        let samples = Samples::read(self.samples.as_deref(), manifest)?;
        if self.min_conditioning.is_some() && !samples.are_prompts() {
            return Err(Error::usage("--min-conditioning needs a model that is given prompts"));
        }
        self.page.as_ref().map_or(Ok(()), |file| Ok(atomic_file::check(file, true)?))
    }
}

/// A pack with the report on it.
pub(crate) type Made = (Draft, Report);

/// Measures a pack beside that of the f32 model. Where it does not reach the target, the channels of what its layers read are scaled, for which
/// `remake` makes it once more, and as few layers as possible become more precise: convolutions and linear layers by activations of 16 bits,
/// attention by f32. What was measured is added to the report. `progress` is told what is done, and of how much.
///
/// # Errors
/// As [`Target::check`]. For a pack that cannot be run, and a target that it does not reach, with the names of the layers that lose
/// most. If the page cannot be written.
pub(crate) fn calibrate(
    (draft, mut report): Made,
    f32_model: Draft,
    target: &Target,
    remake: &mut dyn FnMut(&StageMagnitudes, &mut Progress) -> Result<Made>,
    progress: &mut Progress,
) -> Result<Made> {
    let samples = Samples::read(target.samples.as_deref(), draft.manifest())?;
    progress("the f32 model", 0, 1);
    let reference = Results::of(&f32_model.open()?, &samples)?;
    // It is as large as the export.
    drop(f32_model);
    let mut search = Search::new(draft, &report.stages, &samples, &reference);
    let mut precise = Vec::new();
    if let Some(least) = target.min_psnr {
        progress("the pack with int8 in all layers", 0, 1);
        if !search.reaches(&[], least)? {
            progress("the channels' magnitudes", 0, 1);
            let magnitudes = search.magnitudes()?;
            let (scaled, its_report) = remake(&magnitudes, progress)?;
            let mut other = Search::new(scaled, &its_report.stages, &samples, &reference);
            // Larger weights may lose more than activations gain.
            if other.best()? >= least.min(search.best()?) {
                (search, report) = (other.replacing(search), its_report);
            }
        }
        precise = search.run(least, progress)?;
    }
    let measured = search.measure(&precise)?;
    let mut quality = Quality::new(&samples, &reference, &measured, search.named(&precise), search.sensitivity());
    quality.scaled_layers = report
        .stages
        .iter()
        .flat_map(|stage| &stage.layers)
        .filter(|layer| layer.scaled)
        .count();
    check(&quality, target)?;
    report.set_quality(quality.clone());
    if let Some(file) = &target.page {
        let page = page::page(&report, &quality, &reference, &measured);
        atomic_file::write(file, page.as_bytes(), true)?;
    }
    Ok((search.into_draft(), report))
}

fn check(quality: &Quality, target: &Target) -> Result<()> {
    let Some(least) = target.min_conditioning else { return Ok(()) };
    match quality.conditioning {
        Some(found) if found >= least => Ok(()),
        Some(found) => Err(Error::usage(format!(
            "of the difference that another prompt makes in the f32 model {found:.2} is left, less than --min-conditioning {least}: \
             raise --min-psnr, so that more layers are precise"
        ))),
        None => Err(Error::usage(
            "--min-conditioning needs two prompts whose pictures differ: add some to the file of samples",
        )),
    }
}

/// A file of samples, for errors.
fn sample_error(file: Option<&Path>, problem: String) -> Error {
    match file {
        Some(file) => Error::input(file, problem),
        None => Error::usage(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_prompt_is_enough_or_told() {
        let checked = |conditioning| {
            let quality = Quality {
                median_psnr_db: 40.0,
                lowest_psnr_db: 40.0,
                conditioning,
                samples: Vec::new(),
                precise_layers: Vec::new(),
                precise_share: 0.0,
                scaled_layers: 0,
                sensitivity: Vec::new(),
            };
            let target = Target {
                min_conditioning: Some(0.5),
                ..Target::default()
            };
            check(&quality, &target).map_err(|error| error.to_string())
        };
        checked(Some(0.5)).unwrap();
        assert!(
            checked(Some(0.25))
                .unwrap_err()
                .contains("0.25 is left, less than --min-conditioning 0.5")
        );
        assert!(checked(Some(f64::NAN)).is_err());
        assert!(checked(None).unwrap_err().contains("two prompts"));
    }
}
