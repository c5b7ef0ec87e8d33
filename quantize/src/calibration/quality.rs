//! How far the results of a pack are from those of the f32 model.

use std::sync::Arc;

use inkstone::engine::{ActivationWatch, Engine, Input, Stage, Value};
use inkstone::pack::{Element, Pack};
use inkstone::picture::Picture;
use inkstone::pipeline::{Options, Pipeline};
use serde::Serialize;

use super::magnitudes::Recorder;
use super::samples::Samples;
use crate::error::{Error, Result};

/// Decibels of results that are the same.
const SAME: f64 = 120.0;

/// What a model makes of every sample: the pixels of a picture, from -1 to 1, or the first output of a graph.
#[derive(Clone, Debug)]
pub(super) struct Results {
    values: Vec<Vec<f32>>,
    /// Channels, height and width, where the values are those of a picture.
    shape: Option<[usize; 3]>,
    /// The range of a picture's values; that of a graph's outputs is their own.
    range: Option<f32>,
}

impl Results {
    /// Runs a pack with every sample.
    pub fn of(pack: &Arc<Pack>, samples: &Samples) -> Result<Results> {
        Results::watched(pack, samples, None)
    }

    /// The same, and tells a recorder what the int8 layers read.
    pub fn watched(pack: &Arc<Pack>, samples: &Samples, recorder: Option<&Arc<Recorder>>) -> Result<Results> {
        let watch = recorder.map(|recorder| recorder.clone() as Arc<dyn ActivationWatch>);
        match samples {
            Samples::Prompts(requests) => {
                let failed = |error: inkstone::PipelineError| Error::Generate(error.to_string());
                let mut pipeline = Pipeline::of_pack(pack.clone(), &Options::default()).map_err(failed)?;
                if let Some(watch) = &watch {
                    pipeline.watch_activations(watch);
                }
                let pictures: Vec<Picture> = requests
                    .iter()
                    .map(|request| Ok(pipeline.generate(request).map_err(failed)?.picture))
                    .collect::<Result<_>>()?;
                let first = pictures.first();
                Ok(Results {
                    values: pictures.iter().map(Picture::to_premultiplied).collect(),
                    shape: first.map(|picture| [4, picture.height() as usize, picture.width() as usize]),
                    range: Some(2.0),
                })
            }
            Samples::Inputs(inputs) => {
                let mut engine = Engine::new(0).map_err(Error::Engine)?;
                if let Some(watch) = watch {
                    engine.watch_activations(watch);
                }
                let name = pack.manifest().stages.keys().next().cloned().unwrap_or_default();
                let stage = Stage::load(&engine, pack, &name).map_err(Error::Engine)?;
                let outputs = &pack.manifest().stages[&name].outputs;
                let shape = outputs.iter().find(|port| port.element == Element::F32).map(|port| &*port.shape);
                let shape = match shape {
                    Some(&[1, channels, height, width]) => Some([channels, height, width]),
                    _ => None,
                };
                let outputs = inputs.iter().map(|(_, values)| {
                    let inputs: Vec<Input> = values.iter().map(Value::as_input).collect();
                    let outputs = stage.run(&engine, &inputs).map_err(Error::Engine)?;
                    let floats = outputs.into_iter().find_map(Value::into_floats);
                    floats.ok_or_else(|| Error::usage("the graph has no output of floats to compare"))
                });
                Ok(Results {
                    values: outputs.collect::<Result<_>>()?,
                    shape,
                    range: None,
                })
            }
        }
    }

    /// A result as a picture, if it is one; the values of graphs fill the range of those of `scale`.
    pub fn picture(&self, index: usize, scale: &Results) -> Option<Picture> {
        let (values, [channels, height, width]) = (self.values.get(index)?, self.shape?);
        let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
        if self.range.is_some() {
            return Picture::from_premultiplied(values, width, height).ok();
        }
        let (least, most) = extremes(scale.values.get(index)?);
        let spread = (most - least).max(f32::MIN_POSITIVE);
        let values: Vec<f32> = values.iter().map(|value| (value - least) / spread * 2.0 - 1.0).collect();
        opaque(&values, channels, width, height)
    }

    /// The difference from another result as a picture, `gain` times as bright.
    pub fn difference(&self, other: &Results, index: usize, gain: f32) -> Option<Picture> {
        let (own, [channels, height, width]) = (self.values.get(index)?, self.shape?);
        let range = self.range.unwrap_or_else(|| range(own)).max(f32::MIN_POSITIVE);
        let pairs = own.iter().zip(other.values.get(index)?);
        let values: Vec<f32> = pairs.map(|(a, b)| (a - b).abs() / range * gain * 2.0 - 1.0).collect();
        opaque(&values, channels, u32::try_from(width).ok()?, u32::try_from(height).ok()?)
    }

    /// Mean squared difference from other results of every sample, relative to the square of the range of these.
    pub fn errors(&self, others: &Results) -> Vec<f64> {
        self.values
            .iter()
            .zip(&others.values)
            .map(|(own, other)| self.error(own, other))
            .collect()
    }

    fn error(&self, own: &[f32], other: &[f32]) -> f64 {
        let range = f64::from(self.range.unwrap_or_else(|| range(own)));
        let squares: f64 = own.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        if squares == 0.0 {
            return 0.0;
        }
        squares / own.len().max(1) as f64 / (range * range)
    }

    /// Peak signal-to-noise ratio of other results, of every sample in decibels.
    pub fn psnr(&self, others: &Results) -> Vec<f64> {
        self.errors(others).into_iter().map(decibels).collect()
    }

    /// How much of what one sample differs from the next here is left in other results: their differences projected on these.
    fn conditioning(&self, others: &Results) -> Option<f64> {
        let (mut kept, mut all) = (0.0, 0.0);
        for (own, other) in self.values.windows(2).zip(others.values.windows(2)) {
            for place in 0..own[0].len() {
                let difference = f64::from(own[1][place] - own[0][place]);
                kept += difference * f64::from(other[1][place] - other[0][place]);
                all += difference * difference;
            }
        }
        (all > 0.0).then(|| kept / all)
    }
}

/// The first three channels as colours, or the first one as grey.
fn opaque(values: &[f32], channels: usize, width: u32, height: u32) -> Option<Picture> {
    let plane = width as usize * height as usize;
    let of = |channel: usize| values.get(channel * plane..(channel + 1) * plane);
    let colours = if channels < 3 {
        [of(0)?; 3].concat()
    } else {
        [of(0)?, of(1)?, of(2)?].concat()
    };
    Picture::from_rgb(&colours, width, height).ok()
}

fn extremes(values: &[f32]) -> (f32, f32) {
    let wider = |(least, most): (f32, f32), &value: &f32| (least.min(value), most.max(value));
    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), wider)
}

fn range(values: &[f32]) -> f32 {
    let (least, most) = extremes(values);
    most - least
}

/// Decibels of an error relative to the range; the worst for what is not a number.
pub(super) fn decibels(error: f64) -> f64 {
    if error.is_nan() {
        f64::NEG_INFINITY
    } else {
        (-10.0 * error.log10()).min(SAME)
    }
}

/// The middle of some numbers; that of an even count is the lower of the two.
pub(super) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len().max(1) - 1) / 2).copied().unwrap_or(f64::NAN)
}

/// A pack's results beside those of the f32 model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// Median of the peak signal-to-noise ratios, in decibels; at most 120.
    pub median_psnr_db: f64,
    /// The lowest of them.
    pub lowest_psnr_db: f64,
    /// How much of the difference that another prompt makes in the f32 model is left: 1 for all of it. `null` for models without
    /// prompts, and for one prompt.
    pub conditioning: Option<f64>,
    /// Every sample.
    pub samples: Vec<SampleQuality>,
    /// Convolutions and linear layers with activations of 16 bits and attention in f32, as `stage/layer`.
    pub precise_layers: Vec<String>,
    /// Their share of all products of int8 layers, each stage run once.
    pub precise_share: f64,
    /// Layers whose input's channels are multiplied by factors, so that one scale fits them better.
    pub scaled_layers: usize,
    /// What each layer loses, in the order in which they are made precise; empty if that was not measured. Up to eight layers that lose little
    /// together have the same share of it.
    pub sensitivity: Vec<Sensitivity>,
}

/// What the results lose by int8 in one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sensitivity {
    /// The layer, as `stage/layer`.
    pub layer: String,
    /// Peak signal-to-noise ratio beside the results with all of these layers precise, in decibels.
    pub psnr_db: f64,
}

/// A sample's result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SampleQuality {
    /// The prompt, the numbers that are given by name, or the number of the sample in its file.
    pub sample: String,
    /// Peak signal-to-noise ratio, in decibels.
    pub psnr_db: f64,
}

impl Quality {
    pub(super) fn new(
        samples: &Samples,
        reference: &Results,
        measured: &Results,
        (layers, share): (Vec<String>, f64),
        sensitivity: Vec<Sensitivity>,
    ) -> Quality {
        let ratios = reference.psnr(measured);
        let named = samples
            .names()
            .into_iter()
            .zip(&ratios)
            .map(|(name, &psnr_db)| SampleQuality { sample: name, psnr_db });
        Quality {
            median_psnr_db: median(&ratios),
            lowest_psnr_db: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            conditioning: reference.conditioning(measured).filter(|_| samples.are_prompts()),
            samples: named.collect(),
            precise_layers: layers,
            precise_share: share,
            scaled_layers: 0,
            sensitivity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(values: &[&[f32]], range: Option<f32>) -> Results {
        Results {
            values: values.iter().map(|values| values.to_vec()).collect(),
            shape: None,
            range,
        }
    }

    #[test]
    fn ratios_are_of_the_range() {
        let (own, other) = (results(&[&[0.0, 10.0]], None), results(&[&[0.1, 9.9]], None));
        assert!((own.psnr(&other)[0] - 40.0).abs() < 1e-4);
        assert_eq!(own.psnr(&own), [SAME]);
        let flat = results(&[&[3.0, 3.0]], None);
        assert_eq!((flat.psnr(&flat), flat.psnr(&own)), (vec![SAME], vec![f64::NEG_INFINITY]));
        let broken = results(&[&[f32::NAN, 0.0]], None);
        assert_eq!(own.psnr(&broken), [f64::NEG_INFINITY]);
        assert!((results(&[&[0.0]], Some(2.0)).psnr(&results(&[&[0.2]], Some(2.0)))[0] - 20.0).abs() < 1e-4);
    }

    #[test]
    fn what_a_prompt_does_is_projected() {
        let own = results(&[&[0.0, 0.0], &[2.0, 0.0]], Some(2.0));
        assert_eq!(own.conditioning(&results(&[&[5.0, 5.0], &[6.0, 9.0]], Some(2.0))), Some(0.5));
        assert_eq!(own.conditioning(&results(&[&[1.0, 1.0], &[1.0, 1.0]], Some(2.0))), Some(0.0));
        assert_eq!(results(&[&[1.0]], None).conditioning(&results(&[&[1.0]], None)), None);
    }

    #[test]
    fn medians_are_middles() {
        assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 2.0, 3.0])), (2.0, 2.0));
    }
}
