//! The fewest layers with activations of 16 bits that reach a quality.
//!
//! Each layer's part in the error is measured on the final result, with all others at 16 bits; errors of layers add up nearly, as
//! they are independent. Layers are raised in the order of error for each product that they compute, and how many have to be is found
//! by bisection with the pack itself.

use std::collections::BTreeSet;

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

/// A convolution of the pack.
struct Convolution {
    stage: String,
    layer: String,
    products: u64,
}

/// A pack whose convolutions are to be made more precise.
pub(super) struct Search<'a> {
    draft: &'a mut Draft,
    convolutions: Vec<Convolution>,
    /// Products of all int8 layers.
    products: u64,
    samples: &'a Samples,
    reference: &'a Results,
    sensitivity: Vec<Sensitivity>,
}

impl<'a> Search<'a> {
    pub fn new(draft: &'a mut Draft, stages: &[StageReport], samples: &'a Samples, reference: &'a Results) -> Search<'a> {
        let layers = || stages.iter().flat_map(|stage| stage.layers.iter().map(move |layer| (stage, layer)));
        let convolutions = layers()
            .filter(|(_, layer)| layer.kind == Kind::QConv)
            .map(|(stage, layer)| Convolution {
                stage: stage.stage.clone(),
                layer: layer.name.clone(),
                products: layer.products,
            });
        Search {
            draft,
            convolutions: convolutions.collect(),
            products: layers()
                .filter(|(_, layer)| layer.kind != Kind::F32)
                .map(|(_, layer)| layer.products)
                .sum(),
            samples,
            reference,
            sensitivity: Vec::new(),
        }
    }

    /// The convolutions that have to be raised for a median ratio of `least` decibels, by their numbers.
    pub fn run(&mut self, least: f64, progress: &mut dyn FnMut(&str, usize, usize)) -> Result<Vec<usize>> {
        progress("the pack with activations of 8 bits", 0, 1);
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
            progress("how many layers need 16 bits", step, steps);
            let middle = few.midpoint(many);
            if self.reaches(&order[..middle], least)? {
                many = middle;
            } else {
                few = middle;
            }
        }
        Ok(order[..many].to_vec())
    }

    /// Runs the pack with these convolutions raised.
    pub fn measure(&mut self, wide: &[usize]) -> Result<Results> {
        self.measure_with(wide, self.samples)
    }

    fn measure_with(&mut self, wide: &[usize], samples: &Samples) -> Result<Results> {
        let chosen: BTreeSet<(&str, &str)> = wide
            .iter()
            .map(|&index| (self.convolutions[index].stage.as_str(), self.convolutions[index].layer.as_str()))
            .collect();
        self.draft.set_wide(&|stage, layer| chosen.contains(&(stage, layer)))?;
        Results::of(&self.draft.open()?, samples)
    }

    /// What each layer loses, if that was measured.
    pub fn sensitivity(&mut self) -> Vec<Sensitivity> {
        std::mem::take(&mut self.sensitivity)
    }

    /// Their names, and their share of the products.
    pub fn named(&self, wide: &[usize]) -> (Vec<String>, f64) {
        let wide: BTreeSet<usize> = wide.iter().copied().collect();
        let products: u64 = wide.iter().map(|&index| self.convolutions[index].products).sum();
        let share = if self.products == 0 {
            0.0
        } else {
            products as f64 / self.products as f64
        };
        (wide.into_iter().map(|index| self.name(index)).collect(), share)
    }

    fn name(&self, index: usize) -> String {
        let Convolution { stage, layer, .. } = &self.convolutions[index];
        format!("{stage}/{layer}")
    }

    fn reaches(&mut self, wide: &[usize], least: f64) -> Result<bool> {
        let measured = self.measure(wide)?;
        Ok(median(&self.reference.psnr(&measured)) >= least)
    }

    /// All convolutions, those first that lose most for each product.
    fn by_sensitivity(&mut self, progress: &mut dyn FnMut(&str, usize, usize)) -> Result<Vec<usize>> {
        let (count, mut samples) = (self.convolutions.len(), self.samples.some(COMPARED));
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
            losses.push((mean / self.convolutions[index].products.max(1) as f64, mean, index));
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
                "the results reach {most:.1} dB of the f32 model, less than --min-psnr {least}, and there is no convolution whose activations \
                 could get 16 bits: give a lower --min-psnr, or leave it out and look at the pictures"
            ));
        }
        let worst: Vec<String> = order.iter().take(NAMED).map(|&index| self.name(index)).collect();
        Error::usage(format!(
            "with activations of 16 bits in every convolution the results reach {most:.1} dB of the f32 model, less than --min-psnr \
             {least}; the layers that lose most are {}: give a lower --min-psnr, or leave it out and look at the pictures",
            worst.join(", ")
        ))
    }
}
