//! The fewest precise layers that reach a quality: convolutions with activations of 16 bits, attention in f32.
//!
//! Each layer's part in the error is measured on the final result, with all others precise; errors of layers add up nearly, as
//! they are independent. Layers are made precise in the order of error for each product that they compute, and how many have to be is found
//! by bisection with the pack itself.

use std::collections::{BTreeMap, BTreeSet};

use inkstone::pipeline::{Options, Pipeline};

use super::quality::{Results, Sensitivity, decibels, median};
use super::samples::Samples;
use crate::error::{Error, Result};
use crate::layers::Kind;
use crate::report::StageReport;
use crate::write::Draft;

/// Layers that an error names.
const NAMED: usize = 5;
/// Samples by which the layers are compared with one another.
const COMPARED: usize = 4;

/// A layer that can be made precise.
struct Candidate {
    stage: String,
    layer: String,
    products: u64,
}

/// The search for the layers of a pack that have to be precise.
pub(super) struct Search<'a> {
    draft: &'a mut Draft,
    candidates: Vec<Candidate>,
    /// Products of all int8 layers.
    products: u64,
    samples: &'a Samples,
    reference: &'a Results,
    sensitivity: Vec<Sensitivity>,
}

impl<'a> Search<'a> {
    pub fn new(draft: &'a mut Draft, stages: &[StageReport], samples: &'a Samples, reference: &'a Results) -> Search<'a> {
        let layers = || stages.iter().flat_map(|stage| stage.layers.iter().map(move |layer| (stage, layer)));
        let candidates = layers()
            .filter(|(_, layer)| [Kind::QConv, Kind::QAttention].contains(&layer.kind))
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
        }
    }

    /// The layers that have to be made precise for a median ratio of `least` decibels, by their numbers.
    pub fn run(&mut self, least: f64, progress: &mut dyn FnMut(&str, usize, usize)) -> Result<Vec<usize>> {
        progress("the pack with int8 in all layers", 0, 1);
        if self.reaches(&[], least)? {
            return Ok(Vec::new());
        }
        let order = self.by_sensitivity(progress)?;
        let most = median(&self.reference.psnr(&self.measure(&order)?));
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
        Ok(order[..many].to_vec())
    }

    /// Runs the pack with these layers precise.
    pub fn measure(&mut self, precise: &[usize]) -> Result<Results> {
        self.measure_with(precise, self.samples)
    }

    fn measure_with(&mut self, precise: &[usize], samples: &Samples) -> Result<Results> {
        let mut chosen: BTreeMap<(&str, &str), bool> = self
            .candidates
            .iter()
            .map(|candidate| ((candidate.stage.as_str(), candidate.layer.as_str()), false))
            .collect();
        for &index in precise {
            let Candidate { stage, layer, .. } = &self.candidates[index];
            chosen.insert((stage, layer), true);
        }
        self.draft.set_precise(&|stage, layer| chosen.get(&(stage, layer)).copied())?;
        Results::of(&self.draft.open()?, samples)
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

    fn reaches(&mut self, precise: &[usize], least: f64) -> Result<bool> {
        let measured = self.measure(precise)?;
        Ok(median(&self.reference.psnr(&measured)) >= least)
    }

    /// All of them, those first that lose most for each product.
    fn by_sensitivity(&mut self, progress: &mut dyn FnMut(&str, usize, usize)) -> Result<Vec<usize>> {
        let (count, mut samples) = (self.candidates.len(), self.samples.some(COMPARED));
        if let Some(steps) = self.fewest_steps() {
            samples = samples.in_steps(steps);
        }
        let precise = self.measure_with(&(0..count).collect::<Vec<_>>(), &samples)?;
        let mut losses = Vec::with_capacity(count);
        for index in 0..count {
            progress("what each layer loses", index, count);
            let others: Vec<usize> = (0..count).filter(|&other| other != index).collect();
            let errors = precise.errors(&self.measure_with(&others, &samples)?);
            let mean = errors.iter().sum::<f64>() / errors.len().max(1) as f64;
            losses.push((mean / self.candidates[index].products.max(1) as f64, mean, index));
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
                "the results reach {most:.1} dB of the f32 model, less than --min-psnr {least}, and there is no convolution or attention \
                 that could be more precise: give a lower --min-psnr, or leave it out and look at the pictures"
            ));
        }
        let worst: Vec<String> = order.iter().take(NAMED).map(|&index| self.name(index)).collect();
        Error::usage(format!(
            "with activations of 16 bits in every convolution and attention in f32 the results reach {most:.1} dB of the f32 model, less than --min-psnr \
             {least}; the layers that lose most are {}: give a lower --min-psnr, or leave it out and look at the pictures",
            worst.join(", ")
        ))
    }
}
