//! A `scheduler_config.json` as the manifest's `[sampling]`. A key that is missing has the default of the file's class in diffusers.

use std::path::Path;

use inkstone::pack::{Betas, NoiseSchedule, Prediction, Sampling, Spacing};
use serde_json::Value;

use super::layout::json;
use crate::error::{Error, Result};

/// A class of diffusers.
struct Class {
    name: &'static str,
    /// Our scheduler.
    scheduler: &'static str,
    /// Whether ours does the same, step by step.
    is_exact: bool,
    spacing: Spacing,
    /// First and last β, and how it grows.
    betas: (f64, f64, &'static str),
    /// Whether estimates are clipped.
    clips: bool,
}

impl Class {
    const fn new(name: &'static str, scheduler: &'static str, spacing: Spacing) -> Class {
        Class {
            name,
            scheduler,
            is_exact: true,
            spacing,
            betas: (0.0001, 0.02, "linear"),
            clips: false,
        }
    }

    /// A solver of higher order, in whose place a simpler one is taken.
    const fn like(name: &'static str, scheduler: &'static str, spacing: Spacing) -> Class {
        Class {
            is_exact: false,
            ..Class::new(name, scheduler, spacing)
        }
    }
}

const CLASSES: [Class; 12] = [
    Class::new("EulerDiscreteScheduler", "euler", Spacing::Linspace),
    Class::new("EulerAncestralDiscreteScheduler", "euler-ancestral", Spacing::Linspace),
    Class {
        clips: true,
        ..Class::new("DDIMScheduler", "ddim", Spacing::Leading)
    },
    Class {
        betas: (0.00085, 0.012, "scaled_linear"),
        ..Class::new("LCMScheduler", "lcm", Spacing::Leading)
    },
    Class::like("PNDMScheduler", "ddim", Spacing::Leading),
    Class::like("DPMSolverMultistepScheduler", "euler", Spacing::Linspace),
    Class::like("DPMSolverSinglestepScheduler", "euler", Spacing::Linspace),
    Class::like("DEISMultistepScheduler", "euler", Spacing::Linspace),
    Class::like("UniPCMultistepScheduler", "euler", Spacing::Linspace),
    Class::like("HeunDiscreteScheduler", "euler", Spacing::Linspace),
    Class::like("LMSDiscreteScheduler", "euler", Spacing::Linspace),
    Class::like("KDPM2DiscreteScheduler", "euler", Spacing::Linspace),
];

/// Settings that change which pictures come out and are not supported, with the value at which they change nothing.
const IGNORED: [(&str, &str); 6] = [
    ("use_karras_sigmas", "false"),
    ("use_exponential_sigmas", "false"),
    ("use_beta_sigmas", "false"),
    ("final_sigmas_type", "zero"),
    ("interpolation_type", "linear"),
    ("timestep_type", "discrete"),
];

/// How pictures are sampled, and what of the file is done otherwise. `has_guidance` is whether the denoiser takes the guidance itself.
///
/// # Errors
/// For a class that is not known, and values that are not supported or out of range.
pub fn read(file: &Path, has_guidance: bool, max_guidance: f32) -> Result<(Sampling, Vec<String>)> {
    let config = Config { file, values: json(file)? };
    let name = config.values["_class_name"].as_str().unwrap_or_default();
    let class = CLASSES.iter().find(|class| class.name == name).ok_or_else(|| {
        let known: Vec<&str> = CLASSES.iter().map(|class| class.name).collect();
        let named = if name.is_empty() {
            "it names no scheduler".to_owned()
        } else {
            format!("`{name}` is not supported")
        };
        let problem = format!("{named}; supported schedulers are {}", known.join(", "));
        Error::field(file, "_class_name", problem)
    })?;
    let prediction = config.word("prediction_type", "epsilon", &PREDICTIONS)?;
    let noise = noise_schedule(&config, class)?;
    check(&config, &noise)?;
    if noise.zero_terminal_snr && prediction == Prediction::Epsilon && matches!(class.scheduler, "ddim" | "lcm") {
        let problem = "cannot be used with epsilon prediction, which says nothing where all is noise";
        return Err(config.fail("rescale_betas_zero_snr", problem));
    }
    let (default_steps, default_guidance) = defaults(class, &noise, has_guidance);
    let sampling = Sampling {
        prediction,
        scheduler: class.scheduler.to_owned(),
        default_steps: default_steps.min(noise.train_steps),
        default_guidance,
        max_guidance,
        schedules: Default::default(),
        sigmas: Default::default(),
        noise: Some(noise),
    };
    Ok((sampling, notes(&config, class)))
}

const PREDICTIONS: [(&str, Prediction); 3] = [
    ("epsilon", Prediction::Epsilon),
    ("v_prediction", Prediction::V),
    ("sample", Prediction::Picture),
];
const BETAS: [(&str, Betas); 3] = [
    ("linear", Betas::Linear),
    ("scaled_linear", Betas::ScaledLinear),
    ("squaredcos_cap_v2", Betas::Cosine),
];
const SPACINGS: [(&str, Spacing); 3] = [
    ("leading", Spacing::Leading),
    ("trailing", Spacing::Trailing),
    ("linspace", Spacing::Linspace),
];

fn noise_schedule(config: &Config, class: &Class) -> Result<NoiseSchedule> {
    if !config.values["trained_betas"].is_null() {
        return Err(config.fail("trained_betas", "a list of betas is not supported"));
    }
    if config.flag("thresholding", false)? {
        return Err(config.fail("thresholding", "dynamic thresholding is not supported"));
    }
    let (start, end, betas) = class.betas;
    let spacing = SPACINGS
        .iter()
        .find(|(_, spacing)| *spacing == class.spacing)
        .map_or("leading", |(word, _)| *word);
    let clip = match class.scheduler {
        "ddim" | "lcm" => config.flag("clip_sample", class.clips)?,
        _ => false,
    };
    let range = config.number("clip_sample_range", 1.0)? as f32;
    let train_steps = config.count("num_train_timesteps", 1000)?;
    Ok(NoiseSchedule {
        train_steps,
        beta_start: config.number("beta_start", start)?,
        beta_end: config.number("beta_end", end)?,
        betas: config.word("beta_schedule", betas, &BETAS)?,
        spacing: config.word("timestep_spacing", spacing, &SPACINGS)?,
        offset: config.count("steps_offset", 0)?,
        // PNDM's default is the opposite of the others'.
        final_alpha_one: config.flag("set_alpha_to_one", class.name != "PNDMScheduler")?,
        zero_terminal_snr: config.flag("rescale_betas_zero_snr", false)?,
        clip: clip.then_some(range),
        original_steps: config.count("original_inference_steps", 50.min(train_steps))?,
        time_scaling: config.number("timestep_scaling", 10.0)?,
    })
}

/// The ranges of a manifest, by the names of the file.
fn check(config: &Config, noise: &NoiseSchedule) -> Result<()> {
    let steps = noise.train_steps;
    let checks = [
        ((1..=10_000).contains(&steps), "num_train_timesteps", "must be between 1 and 10000"),
        (
            0.0 < noise.beta_start && noise.beta_start <= noise.beta_end,
            "beta_start",
            "must be above 0 and at most beta_end",
        ),
        (noise.beta_end < 1.0, "beta_end", "must be below 1"),
        (noise.offset < steps, "steps_offset", "must be below num_train_timesteps"),
        (
            noise.clip.is_none_or(|clip| clip.is_finite() && clip > 0.0),
            "clip_sample_range",
            "must be a finite number above 0",
        ),
        (
            (1..=steps).contains(&noise.original_steps),
            "original_inference_steps",
            "must be between 1 and num_train_timesteps",
        ),
        (
            noise.time_scaling.is_finite() && noise.time_scaling > 0.0,
            "timestep_scaling",
            "must be a finite number above 0",
        ),
    ];
    match checks.into_iter().find(|(holds, ..)| !holds) {
        Some((_, field, problem)) => Err(config.fail(field, problem)),
        None => Ok(()),
    }
}

/// Usual steps and guidance, which no file says: trailing spacing is of models that were distilled to a few steps without guidance.
fn defaults(class: &Class, noise: &NoiseSchedule, has_guidance: bool) -> (usize, f32) {
    match (class.scheduler, noise.spacing) {
        ("lcm", _) if has_guidance => (4, 8.0),
        ("lcm", _) => (4, 1.0),
        (_, Spacing::Trailing) => (1, 1.0),
        _ => (25, 7.5),
    }
}

fn notes(config: &Config, class: &Class) -> Vec<String> {
    let solver = (!class.is_exact).then(|| {
        format!(
            "{} falls back to the scheduler '{}' at the same timesteps: pictures differ a little from those of diffusers",
            class.name, class.scheduler
        )
    });
    let ignored = IGNORED.iter().filter_map(|(field, harmless)| {
        let value = &config.values[*field];
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let differs = !value.is_null() && text != *harmless;
        differs.then(|| format!("the scheduler's `{field}` = {text} is not supported, and has no effect"))
    });
    solver.into_iter().chain(ignored).collect()
}

/// The values of a configuration.
struct Config<'a> {
    file: &'a Path,
    values: Value,
}

impl Config<'_> {
    fn fail(&self, field: &str, problem: impl Into<String>) -> Error {
        Error::field(self.file, field, problem)
    }

    fn number(&self, field: &str, missing: f64) -> Result<f64> {
        match &self.values[field] {
            Value::Null => Ok(missing),
            value => value.as_f64().ok_or_else(|| self.fail(field, format!("{value} is not a number"))),
        }
    }

    fn count(&self, field: &str, missing: usize) -> Result<usize> {
        match &self.values[field] {
            Value::Null => Ok(missing),
            value => {
                let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
                count.ok_or_else(|| self.fail(field, format!("{value} is not a whole number from 0")))
            }
        }
    }

    fn flag(&self, field: &str, missing: bool) -> Result<bool> {
        match &self.values[field] {
            Value::Null => Ok(missing),
            value => value
                .as_bool()
                .ok_or_else(|| self.fail(field, format!("{value} is neither true nor false"))),
        }
    }

    fn word<Word: Copy>(&self, field: &str, missing: &str, words: &[(&str, Word)]) -> Result<Word> {
        let text = match &self.values[field] {
            Value::Null => missing,
            value => value.as_str().unwrap_or_default(),
        };
        words.iter().find(|(word, _)| *word == text).map(|(_, word)| *word).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.fail(
                field,
                format!("{} is not supported; supported are {}", self.values[field], known.join(", ")),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> std::result::Result<(Sampling, Vec<String>), String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scheduler_config.json");
        std::fs::write(&file, text).unwrap();
        read(&file, false, 30.0).map_err(|error| error.to_string())
    }

    #[test]
    fn a_missing_key_has_the_default_of_its_class() {
        let noise = |class: &str| of(&format!("{{\"_class_name\": \"{class}\"}}")).unwrap().0.noise.unwrap();
        let euler = noise("EulerDiscreteScheduler");
        assert_eq!(
            (euler.beta_start, euler.beta_end, euler.betas, euler.spacing),
            (0.0001, 0.02, Betas::Linear, Spacing::Linspace)
        );
        let lcm = noise("LCMScheduler");
        assert_eq!(
            (lcm.beta_start, lcm.betas, lcm.spacing, lcm.original_steps, lcm.clip),
            (0.00085, Betas::ScaledLinear, Spacing::Leading, 50, None)
        );
        let ddim = noise("DDIMScheduler");
        assert_eq!((ddim.spacing, ddim.clip, ddim.final_alpha_one), (Spacing::Leading, Some(1.0), true));
        assert!(!noise("PNDMScheduler").final_alpha_one);
    }

    #[test]
    fn files_of_models_are_read() {
        let turbo = r#"{"_class_name": "EulerDiscreteScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
            "prediction_type": "epsilon", "timestep_spacing": "trailing", "steps_offset": 1, "trained_betas": null}"#;
        let (sampling, notes) = of(turbo).unwrap();
        assert_eq!(
            (sampling.scheduler.as_str(), sampling.default_steps, sampling.default_guidance),
            ("euler", 1, 1.0)
        );
        assert!(notes.is_empty());
        let stable = r#"{"_class_name": "PNDMScheduler", "prediction_type": "v_prediction", "use_karras_sigmas": true}"#;
        let (sampling, notes) = of(stable).unwrap();
        assert_eq!(
            (sampling.scheduler.as_str(), sampling.prediction, sampling.default_steps),
            ("ddim", Prediction::V, 25)
        );
        assert_eq!(notes.len(), 2);
        assert!(
            notes[0].contains("PNDMScheduler") && notes[1].contains("use_karras_sigmas"),
            "{notes:?}"
        );
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (text, words) in [
            (
                "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\"}",
                "EulerAncestralDiscreteScheduler",
            ),
            ("{}", "_class_name"),
            ("[", "is not JSON"),
            ("{\"_class_name\": \"DDIMScheduler\", \"beta_start\": 0}", "beta_start"),
            (
                "{\"_class_name\": \"DDIMScheduler\", \"num_train_timesteps\": 0}",
                "num_train_timesteps",
            ),
            (
                "{\"_class_name\": \"DDIMScheduler\", \"rescale_betas_zero_snr\": true}",
                "rescale_betas_zero_snr",
            ),
            (
                "{\"_class_name\": \"DDIMScheduler\", \"prediction_type\": \"flow\"}",
                "v_prediction",
            ),
            ("{\"_class_name\": \"DDIMScheduler\", \"beta_start\": \"low\"}", "beta_start"),
            ("{\"_class_name\": \"DDIMScheduler\", \"steps_offset\": -1}", "whole number"),
            ("{\"_class_name\": \"DDIMScheduler\", \"trained_betas\": [0.1]}", "trained_betas"),
            ("{\"_class_name\": \"DDIMScheduler\", \"thresholding\": true}", "thresholding"),
            ("{\"_class_name\": \"DDIMScheduler\", \"clip_sample\": 1}", "neither true nor false"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
