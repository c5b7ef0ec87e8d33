//! The fewest precise layers that reach a quality: convolutions and linear layers with activations of 16 bits, attention in f32.
//!
//! Each layer's part in the error is measured on the final result, with all others precise; errors of layers add up nearly, as
//! they are independent. So layers are measured together first, and one by one only where a group's error matters to the target. Layers are
//! made precise in the order of error for each product that they compute, and how many have to be is found by bisection with the pack itself.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use inkstone::pipeline::{Options, Pipeline};

use super::magnitudes::{Recorder, StageMagnitudes};
use super::quality::{Results, Sensitivity, decibels, median};
use super::samples::Samples;
use crate::Progress;
use crate::error::{Error, Result};
use crate::layers::Kind;
use crate::report::StageReport;
use crate::write::Draft;

/// Layers that an error names.
const NAMED: usize = 5;
/// Samples by which the layers are compared with one another, and by which many are.
const COMPARED: [usize; 2] = [4, 1];
/// Precise layers of the most products that are tried without.
const HEAVIEST: usize = 8;
/// How many layers are many.
const MANY: usize = 100;
/// Layers that are measured together first.
const GROUP: usize = 8;
/// A group's error matters if it is more than this share of what its layers would have, if all that the target allows were spread evenly.
const MATTERS: f64 = 0.25;

/// A layer that can be made precise.
struct Candidate {
    stage: String,
    layer: String,
    products: u64,
}

/// The search for the layers of a pack that have to be precise.
pub(super) struct Search<'a> {
    draft: Draft,
    candidates: Vec<Candidate>,
    /// Products of all int8 layers.
    products: u64,
    samples: &'a Samples,
    reference: &'a Results,
    sensitivity: Vec<Sensitivity>,
    /// What was measured last, with these layers precise.
    last: Option<(Vec<usize>, Results)>,
}

impl<'a> Search<'a> {
    pub fn new(draft: Draft, stages: &[StageReport], samples: &'a Samples, reference: &'a Results) -> Search<'a> {
        let layers = || stages.iter().flat_map(|stage| stage.layers.iter().map(move |layer| (stage, layer)));
        let candidates = layers()
            .filter(|(_, layer)| [Kind::QConv, Kind::QLinear, Kind::QAttention].contains(&layer.kind))
            .map(|(stage, layer)| Candidate {
                stage: stage.stage.clone(),
                layer: layer.name.clone(),
                products: layer.products,
            });
        Search {
            draft,
            candidates: candidates.collect(),
            products: layers()
                .filter(|(_, layer)| layer.kind != Kind::F32)
                .map(|(_, layer)| layer.products)
                .sum(),
            samples,
            reference,
            sensitivity: Vec::new(),
            last: None,
        }
    }

    /// The search in this pack in place of another.
    #[must_use]
    pub fn replacing(mut self, other: Search) -> Search<'a> {
        self.draft = self.draft.replacing(other.draft);
        self
    }

    /// The pack, with those layers precise that were measured last.
    pub fn into_draft(self) -> Draft {
        self.draft
    }

    fn all(&self) -> Vec<usize> {
        (0..self.candidates.len()).collect()
    }

    /// The median ratio with all candidates precise.
    pub fn best(&mut self) -> Result<f64> {
        let all = self.all();
        Ok(median(&self.reference.psnr(&self.measure(&all)?)))
    }

    /// How large the channels become that the layers read, with all candidates precise.
    pub fn magnitudes(&mut self) -> Result<StageMagnitudes> {
        let all = self.all();
        self.set_precise(&all)?;
        let recorder = Arc::new(Recorder::default());
        let results = Results::watched(&self.draft.open()?, self.samples, Some(&recorder))?;
        self.last = Some((all, results));
        let layers = recorder.largest();
        Ok(layers
            .into_iter()
            .filter_map(|((stage, layer), magnitudes)| Some(((stage.clone(), self.draft.made_by(&stage, &layer)?), magnitudes)))
            .collect())
    }

    /// The layers that have to be made precise for a median ratio of `least` decibels, by their numbers.
    pub fn run(&mut self, least: f64, progress: &mut Progress) -> Result<Vec<usize>> {
        progress("the pack with int8 in all layers", 0, 1);
        if self.reaches(&[], least)? {
            return Ok(Vec::new());
        }
        let most = self.best()?;
        let order = self.by_sensitivity(least, progress)?;
        if most < least {
            return Err(self.out_of_reach(least, most, &order));
        }
        // `few` do not reach it, `many` do.
        let (mut few, mut many) = (0, order.len());
        let steps = order.len().max(1).ilog2() as usize + 1;
        for step in 0.. {
            if many - few <= 1 {
                break;
            }
            progress("how many layers have to be precise", step, steps);
            let middle = few.midpoint(many);
            if self.reaches(&order[..middle], least)? {
                many = middle;
            } else {
                few = middle;
            }
        }
        self.without_heavy(order[..many].to_vec(), least, progress)
    }

    /// The layers without those of the most products that the target does not need after all.
    fn without_heavy(&mut self, mut precise: Vec<usize>, least: f64, progress: &mut Progress) -> Result<Vec<usize>> {
        let mut heaviest = precise.clone();
        heaviest.sort_by_key(|&index| std::cmp::Reverse(self.candidates[index].products));
        heaviest.truncate(HEAVIEST);
        for (done, index) in heaviest.iter().enumerate() {
            progress("which layers need not be precise", done, heaviest.len());
            let fewer: Vec<usize> = precise.iter().copied().filter(|other| other != index).collect();
            if self.reaches(&fewer, least)? {
                precise = fewer;
            }
        }
        Ok(precise)
    }

    /// Runs the pack with these layers precise.
    pub fn measure(&mut self, precise: &[usize]) -> Result<Results> {
        self.set_precise(precise)?;
        if let Some((_, results)) = self.last.as_ref().filter(|(last, _)| last == precise) {
            return Ok(results.clone());
        }
        let results = Results::of(&self.draft.open()?, self.samples)?;
        self.last = Some((precise.to_vec(), results.clone()));
        Ok(results)
    }

    fn measure_with(&mut self, precise: &[usize], samples: &Samples) -> Result<Results> {
        self.set_precise(precise)?;
        Results::of(&self.draft.open()?, samples)
    }

    fn set_precise(&mut self, precise: &[usize]) -> Result<()> {
        let mut chosen: BTreeMap<(&str, &str), bool> = self
            .candidates
            .iter()
            .map(|candidate| ((candidate.stage.as_str(), candidate.layer.as_str()), false))
            .collect();
        for &index in precise {
            let Candidate { stage, layer, .. } = &self.candidates[index];
            chosen.insert((stage, layer), true);
        }
        self.draft.set_precise(&|stage, layer| chosen.get(&(stage, layer)).copied())
    }

    /// What each layer loses, if that was measured.
    pub fn sensitivity(&mut self) -> Vec<Sensitivity> {
        std::mem::take(&mut self.sensitivity)
    }

    /// Their names, and their share of the products.
    pub fn named(&self, precise: &[usize]) -> (Vec<String>, f64) {
        let precise: BTreeSet<usize> = precise.iter().copied().collect();
        let products: u64 = precise.iter().map(|&index| self.candidates[index].products).sum();
        let share = if self.products == 0 {
            0.0
        } else {
            products as f64 / self.products as f64
        };
        (precise.into_iter().map(|index| self.name(index)).collect(), share)
    }

    fn name(&self, index: usize) -> String {
        let Candidate { stage, layer, .. } = &self.candidates[index];
        format!("{stage}/{layer}")
    }

    /// Whether the pack reaches a median ratio of `least` decibels with these layers precise.
    pub fn reaches(&mut self, precise: &[usize], least: f64) -> Result<bool> {
        let measured = self.measure(precise)?;
        Ok(median(&self.reference.psnr(&measured)) >= least)
    }

    /// All of them, those first that lose most for each product.
    fn by_sensitivity(&mut self, least: f64, progress: &mut Progress) -> Result<Vec<usize>> {
        let (count, [few, one]) = (self.candidates.len(), COMPARED);
        let mut samples = self.samples.some(if count < MANY { few } else { one });
        if let Some(steps) = self.fewest_steps() {
            samples = samples.in_steps(steps);
        }
        let precise = self.measure_with(&(0..count).collect::<Vec<_>>(), &samples)?;
        let allowed = MATTERS * 10f64.powf(least / -10.0) / count.max(1) as f64;
        let mut losses = Vec::with_capacity(count);
        // Groups that are still to be measured, the first on top.
        let mut groups: Vec<Range<usize>> = (0..count).step_by(GROUP).map(|first| first..count.min(first + GROUP)).collect();
        groups.reverse();
        while let Some(group) = groups.pop() {
            progress("what each layer loses", losses.len(), count);
            let others: Vec<usize> = (0..count).filter(|other| !group.contains(other)).collect();
            let errors = precise.errors(&self.measure_with(&others, &samples)?);
            let share = errors.iter().sum::<f64>() / errors.len().max(1) as f64 / group.len() as f64;
            // What is not a number matters.
            if group.len() == 1 || share <= allowed {
                losses.extend(group.map(|index| (share / self.candidates[index].products.max(1) as f64, share, index)));
            } else {
                let middle = group.start.midpoint(group.end);
                groups.extend([middle..group.end, group.start..middle]);
            }
        }
        // What is not a number is worst.
        losses.sort_by(|(one, ..), (other, ..)| other.total_cmp(one));
        let sensitivity = losses.iter().map(|&(_, mean, index)| Sensitivity {
            layer: self.name(index),
            psnr_db: decibels(mean),
        });
        self.sensitivity = sensitivity.collect();
        Ok(losses.into_iter().map(|(.., index)| index).collect())
    }

    /// The fewest steps that the pack makes pictures in, in which layers are compared: a step costs the same for each of them.
    fn fewest_steps(&self) -> Option<usize> {
        self.draft.manifest().family.as_ref()?;
        let pipeline = Pipeline::of_pack(self.draft.open().ok()?, &Options::default().threads(1)).ok()?;
        pipeline.capabilities().steps.first().copied()
    }

    fn out_of_reach(&self, least: f64, most: f64, order: &[usize]) -> Error {
        if order.is_empty() {
            return Error::usage(format!(
                "the results reach {most:.1} dB of the f32 model, less than --min-psnr {least}, and there is no convolution, linear \
                 layer or attention that could be more precise: give a lower --min-psnr, or leave it out and look at the pictures"
            ));
        }
        let worst: Vec<String> = order.iter().take(NAMED).map(|&index| self.name(index)).collect();
        Error::usage(format!(
            "with activations of 16 bits in every convolution and linear layer and attention in f32 the results reach {most:.1} dB of the f32 model, less than --min-psnr \
             {least}; the layers that lose most are {}: give a lower --min-psnr, or leave it out and look at the pictures",
            worst.join(", ")
        ))
    }
}
