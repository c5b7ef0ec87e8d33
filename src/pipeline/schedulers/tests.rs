//! The table, and what diffusers does step by step: `tests/reference/schedulers.json`, written by `schedulers.py` beside it.

use std::path::Path;

use serde::Deserialize;

use super::*;
use crate::pack::NoiseSchedule;

/// A table without schedules.
pub fn sampling(scheduler: &str, prediction: Prediction) -> Sampling {
    Sampling {
        prediction,
        scheduler: scheduler.into(),
        default_steps: 1,
        default_guidance: 1.0,
        max_guidance: 1.0,
        schedules: Default::default(),
        sigmas: Default::default(),
        noise: None,
    }
}

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    scheduler: String,
    prediction: Prediction,
    noise: NoiseSchedule,
    first: Vec<f32>,
    steps: Vec<Walked>,
}

#[derive(Deserialize)]
struct Walked {
    time: f32,
    input: Vec<f32>,
    predicted: Vec<f32>,
    noise: Vec<f32>,
    result: Vec<f32>,
}

fn assert_close(found: &[f32], wanted: &[f32], before: &[f32], what: &str) {
    // What is computed from large numbers has their rounding: a step from pure noise begins at 4096 times the noise.
    let rounding = before.iter().fold(0f32, |largest, value| largest.max(value.abs())) * f32::EPSILON;
    for (found, wanted) in found.iter().zip(wanted) {
        let close = (found - wanted).abs() <= 1e-4 * wanted.abs().max(0.1) + rounding;
        assert!(close && found.is_finite(), "{what}: {found} where diffusers has {wanted}");
    }
    assert_eq!(found.len(), wanted.len(), "{what}");
}

#[test]
fn every_step_is_that_of_diffusers() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/schedulers.json");
    let reference: Reference = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for case in &reference.cases {
        let what = format!("{} {:?} {:?} in {}", case.scheduler, case.prediction, case.noise, case.steps.len());
        let entry = find(&case.scheduler).unwrap();
        assert!(entry.predictions.contains(&case.prediction), "{what}");
        let sampling = Sampling {
            noise: Some(case.noise),
            ..sampling(&case.scheduler, case.prediction)
        };
        let sampler = (entry.sampler)(&sampling, case.steps.len()).unwrap();
        let mut noisy: Vec<f32> = case.first.iter().map(|value| value * sampler.noise_scale()).collect();
        for (index, step) in case.steps.iter().enumerate() {
            let what = format!("{what}, step {index}");
            assert_close(&[sampler.time(index)], &[step.time], &[], &what);
            let input: Vec<f32> = noisy.iter().map(|value| value * sampler.input_scale(index)).collect();
            assert_close(&input, &step.input, &[], &format!("{what}, input"));
            let before = noisy.clone();
            let mut asked = false;
            sampler.step(index, &mut noisy, &step.predicted, &mut || {
                asked = true;
                step.noise.clone()
            });
            // diffusers draws noise even where it is multiplied by 0.
            assert!(!asked || !step.noise.is_empty(), "{what}");
            assert_close(&noisy, &step.result, &before, &what);
            noisy.copy_from_slice(&step.result);
        }
        seen.insert((case.scheduler.clone(), format!("{:?} {:?}", case.prediction, case.noise.spacing)));
    }
    for entry in SCHEDULERS.iter().filter(|entry| entry.needs_noise_schedule) {
        assert!(seen.iter().any(|(name, _)| name == entry.name), "{} has no reference", entry.name);
    }
    assert!(seen.len() > 25, "{seen:?}");
}

#[test]
fn names_are_found_and_unique() {
    for entry in SCHEDULERS {
        assert!(find(entry.name).is_some());
        assert_eq!(SCHEDULERS.iter().filter(|other| other.name == entry.name).count(), 1);
    }
    assert!(find("euler-a").is_none());
}

#[test]
fn numbers_of_steps_are_listed_as_ranges() {
    assert_eq!(list(&[1, 2, 4]), "1, 2, 4");
    assert_eq!(list(&[1, 2, 3, 4, 50]), "1 to 4, 50");
    assert_eq!(list(&[]), "");
}

#[test]
fn a_table_without_a_schedule_has_no_steps() {
    for entry in SCHEDULERS {
        let sampling = sampling(entry.name, Prediction::Picture);
        assert!((entry.sampler)(&sampling, 1).is_none(), "{}", entry.name);
        assert!(entry.steps(&sampling).is_empty());
    }
}

#[test]
fn estimates_of_the_last_step_are_its_result() {
    let noise: NoiseSchedule =
        toml::from_str("train_steps = 1000\nbeta_start = 0.00085\nbeta_end = 0.012\nbetas = 'scaled-linear'\nspacing = 'trailing'")
            .unwrap();
    for entry in SCHEDULERS.iter().filter(|entry| entry.needs_noise_schedule) {
        for &prediction in entry.predictions {
            let sampling = Sampling {
                noise: Some(noise),
                ..sampling(entry.name, prediction)
            };
            let sampler = (entry.sampler)(&sampling, 2).unwrap();
            let mut noisy = vec![0.5, -1.5];
            let estimate = sampler.clean(1, &noisy, &[0.25, 0.75]);
            sampler.step(1, &mut noisy, &[0.25, 0.75], &mut || vec![1.0; 2]);
            assert_close(&noisy, &estimate, &[], entry.name);
        }
    }
}

#[test]
fn guidance_of_one_changes_nothing() {
    let mut with = vec![0.25, -0.5];
    guide(&mut with, &[9.0, 9.0], 1.0);
    assert_eq!(with, [0.25, -0.5]);
    guide(&mut with, &[0.0, 0.0], 2.0);
    assert_eq!(with, [0.5, -1.0]);
}
