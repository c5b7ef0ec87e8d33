//! What a model is run with to measure it.

use std::collections::BTreeMap;
use std::path::Path;

use inkstone::engine::Value;
use inkstone::pack::{Element, Manifest, Port};
use inkstone::pipeline::families::Condition;
use inkstone::pipeline::{Request, gaussian_noise};
use serde::Deserialize;

use super::sample_error;
use crate::error::{Error, Result};
use crate::files;

/// Prompts for models that are measured without a file of samples.
const PROMPTS: [&str; 4] = ["a red apple", "a cat", "a house in the mountains", "a portrait of an old man"];
/// The seed of every prompt's picture: what differs between two of them is what the prompt does.
const SEED: u64 = 7;
/// Samples of a graph that is measured without a file.
const RANDOM: u64 = 4;
/// Most samples of a file.
const MOST: usize = 100;
/// Largest file of samples, in bytes: a picture of 512×512 pixels is 6 MB of numbers.
const LARGEST: u64 = 32 << 20;

/// Everything that a model is run with.
#[derive(Debug)]
pub(super) enum Samples {
    /// Requests to the pipeline.
    Prompts(Vec<Request>),
    /// Inputs of the only stage, in the order of its ports, with a name for the report.
    Inputs(Vec<(String, Vec<Value>)>),
}

impl Samples {
    /// Those of a file, or those that are built in.
    ///
    /// # Errors
    /// For a file that cannot be read or does not fit the model.
    pub fn read(file: Option<&Path>, manifest: &Manifest) -> Result<Samples> {
        let missing = "there is no such file: give a file of samples, or leave out --calibrate";
        let text = file.map(|file| files::text(file, LARGEST, missing)).transpose()?;
        if manifest.family.is_some() && manifest.prompt.is_none() {
            return conditions(file, text.as_deref(), &Condition::of_manifest(manifest)).map(Samples::Prompts);
        }
        if manifest.family.is_some() {
            let prompts = match &text {
                Some(text) => lines(text),
                None => PROMPTS.to_vec(),
            };
            check_count(file, prompts.len())?;
            let request = |prompt: &&str| Request::new(*prompt).seed(SEED).guess(true);
            return Ok(Samples::Prompts(prompts.iter().map(request).collect()));
        }
        let mut stages = manifest.stages.values();
        let (Some(stage), None) = (stages.next(), stages.next()) else {
            return Err(Error::usage(
                "only a model with a family, or one graph, can be compared with the f32 model: leave out the options for it",
            ));
        };
        let ports = &stage.inputs;
        let tables = match &text {
            Some(text) => parse(file, text)?,
            None => (0..RANDOM).map(|seed| random(ports, seed)).collect(),
        };
        check_count(file, tables.len())?;
        let inputs = tables.iter().enumerate().map(|(index, table)| {
            let values = inputs(ports, table).map_err(|problem| sample_error(file, format!("sample[{index}].{problem}")))?;
            Ok((format!("{}", index + 1), values))
        });
        Ok(Samples::Inputs(inputs.collect::<Result<_>>()?))
    }

    /// At most `most` of them, spread evenly.
    pub fn some(&self, most: usize) -> Samples {
        fn spread<T: Clone>(all: &[T], most: usize) -> Vec<T> {
            let count = all.len().min(most);
            (0..count).map(|index| all[index * all.len() / count].clone()).collect()
        }
        match self {
            Samples::Prompts(requests) => Samples::Prompts(spread(requests, most)),
            Samples::Inputs(inputs) => Samples::Inputs(spread(inputs, most)),
        }
    }

    /// The same with pictures made in this number of steps.
    pub fn in_steps(mut self, steps: usize) -> Samples {
        if let Samples::Prompts(requests) = &mut self {
            requests.iter_mut().for_each(|request| request.steps = Some(steps));
        }
        self
    }

    /// Whether they are prompts.
    pub fn are_prompts(&self) -> bool {
        matches!(self, Samples::Prompts(requests) if requests.iter().any(|request| !request.prompt.is_empty()))
    }

    /// A name for each: the prompt, the numbers that are given by name, or the sample's own number.
    pub fn names(&self) -> Vec<String> {
        match self {
            Samples::Prompts(requests) => requests.iter().enumerate().map(|(index, request)| named(index, request)).collect(),
            Samples::Inputs(inputs) => inputs.iter().map(|(name, _)| name.clone()).collect(),
        }
    }
}

fn named(index: usize, request: &Request) -> String {
    if !request.prompt.is_empty() {
        return request.prompt.clone();
    }
    let given: Vec<String> = request.conditions.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if given.is_empty() {
        format!("{}", index + 1)
    } else {
        given.join(" ")
    }
}

/// Requests to a model that reads no prompt, each with noise of its own: of a file, `NAME=NUMBER` for what is given by name, a sample a
/// line; or a few with all numbers at their lowest, at their highest and between.
fn conditions(file: Option<&Path>, text: Option<&str>, known: &[Condition]) -> Result<Vec<Request>> {
    let request = |index: usize| Request::new("").seed(SEED + index as u64);
    let Some(text) = text else {
        let samples = RANDOM as usize;
        let between = |index: usize, condition: &Condition| {
            let [low, high] = condition.range.unwrap_or([condition.default; 2]);
            let value = low + (high - low) * index as f64 / (samples - 1) as f64;
            if condition.is_whole { value.round() } else { value }
        };
        let with = |index, request: Request, condition: &Condition| request.condition(&condition.name, between(index, condition));
        let all = (0..samples).map(|index| {
            known
                .iter()
                .fold(request(index), |request, condition| with(index, request, condition))
        });
        return Ok(all.collect());
    };
    let lines = lines(text);
    check_count(file, lines.len())?;
    let parsed = lines.iter().enumerate().map(|(index, line)| {
        line.split_whitespace().try_fold(request(index), |request, word| {
            let pair = word
                .split_once('=')
                .and_then(|(name, number)| Some((name, number.parse::<f64>().ok()?)));
            let problem = || sample_error(file, format!("`{word}` is not a name, `=` and a number, such as difficulty=30"));
            pair.map(|(name, number)| request.condition(name, number)).ok_or_else(problem)
        })
    });
    parsed.collect()
}

/// Prompts, one a line, without empty lines and comments.
fn lines(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

fn check_count(file: Option<&Path>, count: usize) -> Result<()> {
    match count {
        0 => Err(sample_error(
            file,
            "holds no samples: write a prompt a line or, for a graph, `[[sample]]` tables".to_owned(),
        )),
        1..=MOST => Ok(()),
        _ => Err(sample_error(file, format!("holds {count} samples; at most {MOST} are supported"))),
    }
}

/// A file of inputs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sample: Vec<BTreeMap<String, Filling>>,
}

/// How an input is filled.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "must be a number, a list of numbers, or noise such as { normal = 1.0, seed = 7 }"
)]
enum Filling {
    /// Every element is this.
    Number(f64),
    /// All elements, in row-major order.
    Numbers(Vec<f64>),
    /// Gaussian noise.
    Noise(Noise),
}

/// Gaussian noise of a standard deviation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Noise {
    normal: f64,
    #[serde(default)]
    seed: u64,
}

fn parse(file: Option<&Path>, text: &str) -> Result<Vec<BTreeMap<String, Filling>>> {
    let file_of_samples: File = toml::from_str(text).map_err(|error| sample_error(file, error.to_string()))?;
    Ok(file_of_samples.sample)
}

/// Gaussian noise for floats, zeros for integers.
fn random(ports: &[Port], seed: u64) -> BTreeMap<String, Filling> {
    let filling = |port: &Port| match port.element {
        Element::F32 => Filling::Noise(Noise { normal: 1.0, seed }),
        Element::I64 => Filling::Number(0.0),
    };
    ports.iter().map(|port| (port.name.clone(), filling(port))).collect()
}

/// The inputs in the order of the ports, or what is wrong with one.
fn inputs(ports: &[Port], table: &BTreeMap<String, Filling>) -> std::result::Result<Vec<Value>, String> {
    if let Some(name) = table.keys().find(|name| ports.iter().all(|port| port.name != **name)) {
        let known = ports.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(format!("{name}: the graph has no such input (inputs: {known})"));
    }
    let streams = ports.iter().zip(0u32..);
    streams
        .map(|(port, stream)| {
            let filling = table.get(&port.name).ok_or_else(|| format!("{}: is missing", port.name))?;
            fill(port, stream, filling).map_err(|problem| format!("{}: {problem}", port.name))
        })
        .collect()
}

fn fill(port: &Port, stream: u32, filling: &Filling) -> std::result::Result<Value, String> {
    let count = port.elements();
    let numbers = match filling {
        Filling::Number(number) => vec![*number; count],
        Filling::Numbers(numbers) if numbers.len() == count => numbers.clone(),
        Filling::Numbers(numbers) => return Err(format!("has {} numbers; {count} are needed", numbers.len())),
        Filling::Noise(Noise { normal, seed }) => {
            let noise = gaussian_noise(*seed, stream, count);
            noise.into_iter().map(|value| f64::from(value) * normal).collect()
        }
    };
    if let Some(number) = numbers.iter().find(|number| !(**number as f32).is_finite()) {
        return Err(format!("{number} is not a number that fits"));
    }
    match port.element {
        Element::F32 => Ok(Value::F32(numbers.into_iter().map(|number| number as f32).collect())),
        Element::I64 if numbers.iter().all(|number| number.fract() == 0.0) => {
            Ok(Value::I64(numbers.into_iter().map(|number| number as i64).collect()))
        }
        Element::I64 => Err("takes whole numbers".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkstone::pack::Stage;

    fn graph() -> Manifest {
        let ports = vec![
            Port::new("noisy", Element::F32, vec![1, 2, 3]),
            Port::new("steps", Element::I64, vec![1]),
        ];
        let stage = Stage {
            graph: "model.onnx".into(),
            inputs: ports,
            outputs: Vec::new(),
        };
        Manifest::of_graph("m".into(), String::new(), stage)
    }

    fn read(text: &str) -> std::result::Result<Samples, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Samples::read(Some(file.path()), &graph()).map_err(|error| error.to_string())
    }

    #[test]
    fn inputs_are_filled_in_the_order_of_the_ports() {
        let samples = read("[[sample]]\nsteps = 30\nnoisy = { normal = 80, seed = 3 }\n[[sample]]\nnoisy = 0.5\nsteps = [1]").unwrap();
        let Samples::Inputs(inputs) = samples else { panic!() };
        let noise: Vec<f32> = gaussian_noise(3, 0, 6).into_iter().map(|value| value * 80.0).collect();
        let [Value::F32(floats), Value::I64(integers)] = inputs[0].1.as_slice() else {
            panic!()
        };
        assert_eq!((inputs.len(), integers.as_slice()), (2, &[30][..]));
        assert_eq!(Samples::Inputs(inputs.clone()).some(1).names(), ["1"]);
        assert!(
            floats
                .iter()
                .zip(&noise)
                .all(|(one, other)| (one - other).abs() <= other.abs() * 1e-6)
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (text, problem) in [
            ("[[sample]]\nsteps = 1", "sample[0].noisy: is missing"),
            (
                "[[sample]]\nsteps = 1\nnoisy = 1\nsigma = 2",
                "sigma: the graph has no such input (inputs: noisy, steps)",
            ),
            ("[[sample]]\nsteps = 1.5\nnoisy = 1", "steps: takes whole numbers"),
            ("[[sample]]\nsteps = 1\nnoisy = [1, 2]", "noisy: has 2 numbers; 6 are needed"),
            ("[[sample]]\nsteps = 1\nnoisy = inf", "is not a number that fits"),
            (
                "[[sample]]\nsteps = 1\nnoisy = { normal = 1, sed = 2 }",
                "must be a number, a list of numbers, or noise",
            ),
            ("sample = []", "holds no samples"),
            ("a prompt", "TOML"),
        ] {
            let found = read(text).unwrap_err();
            assert!(found.contains(problem), "{text}: {found}");
        }
    }

    #[test]
    fn prompts_are_lines() {
        assert_eq!(lines("a cat\n\n# comment\n  two dogs \r\n"), ["a cat", "two dogs"]);
    }
}
