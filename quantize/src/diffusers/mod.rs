//! Folders of Stable Diffusion class models as ONNX, in the layout of diffusers and optimum: what such a folder says of itself becomes a
//! manifest. `layout` finds the files, `sampling` reads the scheduler, `tokenizer` makes a `tokenizer.json` where there is none, `licence` reads the
//! card.
//! Depends on the pack's manifest and on graphs.

mod layout;
mod licence;
mod sampling;
mod tokenizer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use inkstone::pack::{Channels, Latent, Manifest, PictureShape, Port, Prompt, Role, Stage};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::fold::complete;
use crate::graph::{Graph, Sizes};
use layout::{Layout, Part};

/// The tokenizer's name in the pack.
const TOKENIZER: &str = "tokenizer.json";
/// Longest prompt of an imported model, in characters.
const MAX_CHARACTERS: usize = 2000;
/// Largest guidance of an imported model.
const MAX_GUIDANCE: f32 = 30.0;
/// Tokens of a text encoder whose tokenizer does not say how many.
const TOKENS: usize = 77;

/// What a folder is imported as.
#[derive(Debug)]
pub struct Imported {
    /// The manifest, without files.
    pub manifest: Manifest,
    /// The graph of each stage.
    pub graphs: BTreeMap<String, PathBuf>,
    /// Files of the pack that are made, by name.
    pub made: BTreeMap<String, Vec<u8>>,
    /// Files of the pack that are copied, by name.
    pub copied: BTreeMap<String, PathBuf>,
    /// Sizes of free dimensions, those that follow from the configuration included.
    pub sizes: Sizes,
    /// What the pack does otherwise than the folder says.
    pub notes: Vec<String>,
}

/// Whether a folder looks like a model of diffusers.
pub fn is_model(folder: &Path) -> bool {
    layout::is_model(folder)
}

/// Reads a folder. `sizes` gives free dimensions; others follow from the configuration.
///
/// # Errors
/// For a part that is missing or of a kind that is not supported, before any weights are read.
pub fn import(folder: &Path, sizes: &Sizes) -> Result<Imported> {
    let layout = Layout::find(folder)?;
    let (tokenizer, max_tokens, padding) = tokenizer::read(&layout.tokenizer)?;
    let sizes = all_sizes(sizes, &layout, max_tokens);
    let (inputs, outputs) = ports(&layout.text_encoder, &sizes)?;
    let text_encoder = Stage {
        graph: "text_encoder.onnx".to_owned(),
        inputs: with_roles(&layout.text_encoder, inputs, &TEXT_INPUTS)?,
        outputs: with_roles(&layout.text_encoder, outputs, &TEXT_OUTPUTS)?,
    };
    let (inputs, outputs) = ports(&layout.denoiser, &sizes)?;
    let denoiser = Stage {
        graph: "denoiser.onnx".to_owned(),
        inputs: with_roles(&layout.denoiser, inputs, &DENOISER_INPUTS)?,
        outputs: with_only_role(&layout.denoiser, outputs, Role::Prediction)?,
    };
    let (inputs, outputs) = ports(&layout.decoder, &sizes)?;
    let decoder = Stage {
        graph: "decoder.onnx".to_owned(),
        inputs: with_only_role(&layout.decoder, inputs, Role::Latent)?,
        outputs: with_only_role(&layout.decoder, outputs, Role::Picture)?,
    };
    let has_guidance = denoiser.inputs.iter().any(|port| port.role == Some(Role::Guidance));
    let (sampling, notes) = sampling::read(&layout.scheduler, has_guidance, MAX_GUIDANCE)?;
    let description = format!("{}, imported", layout.class);
    let mut manifest = Manifest::of_graph(name(folder), description, text_encoder.clone());
    manifest.family = Some("diffusion".to_owned());
    if let Some(licence) = layout.card.as_deref().and_then(licence::of_card) {
        manifest.licence = licence;
    }
    manifest.picture = Some(picture(&layout.decoder, &decoder.outputs[0])?);
    manifest.prompt = Some(Prompt {
        tokenizer: TOKENIZER.to_owned(),
        lexicon: None,
        max_tokens,
        max_characters: MAX_CHARACTERS,
        padding,
        languages: vec!["en".to_owned()],
    });
    manifest.sampling = Some(sampling);
    manifest.latent = Some(latent(&layout.decoder)?);
    let stages = [
        ("text_encoder", text_encoder, layout.text_encoder),
        ("denoiser", denoiser, layout.denoiser),
        ("decoder", decoder, layout.decoder),
    ];
    let mut graphs = BTreeMap::new();
    manifest.stages.clear();
    for (name, stage, part) in stages {
        manifest.stages.insert(name.to_owned(), stage);
        graphs.insert(name.to_owned(), part.graph);
    }
    Ok(Imported {
        manifest,
        graphs,
        made: BTreeMap::from([(TOKENIZER.to_owned(), tokenizer)]),
        copied: layout.card.map(|card| ("MODEL_CARD.md".to_owned(), card)).into_iter().collect(),
        sizes,
        notes,
    })
}

/// The ports of a network; its weights are read only if the file leaves out shapes of outputs.
fn ports(part: &Part, sizes: &Sizes) -> Result<(Vec<Port>, Vec<Port>)> {
    let (inputs, outputs) = Graph::ports(&part.graph, sizes)?;
    if outputs.iter().all(|port| !port.shape.is_empty()) {
        return Ok((inputs, outputs));
    }
    let mut graph = Graph::read(&part.graph, sizes)?;
    complete(&mut graph)?;
    Ok((graph.inputs, graph.outputs))
}

/// What the ports of these exports mean, by name.
type Roles = [(&'static str, Role)];
const TEXT_INPUTS: [(&str, Role); 1] = [("input_ids", Role::Ids)];
const TEXT_OUTPUTS: [(&str, Role); 4] = [
    ("last_hidden_state", Role::Context),
    ("pooler_output", Role::Pooled),
    ("text_embeds", Role::Pooled),
    ("prompt_embeds", Role::Context),
];
const DENOISER_INPUTS: [(&str, Role); 7] = [
    ("sample", Role::Noisy),
    ("timestep", Role::Time),
    ("encoder_hidden_states", Role::Context),
    ("timestep_cond", Role::Guidance),
    ("text_embeds", Role::Pooled),
    ("time_ids", Role::Size),
    ("latent_model_input", Role::Noisy),
];

fn with_roles(part: &Part, ports: Vec<Port>, roles: &Roles) -> Result<Vec<Port>> {
    let role = |port: Port| match roles.iter().find(|(name, _)| *name == port.name) {
        Some((_, role)) => Ok(Port { role: Some(*role), ..port }),
        None => {
            let known = roles.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            let problem = format!(
                "`{}` is an unknown input or output; known are {known}: export the model with models/export/export.py",
                port.name
            );
            Err(Error::input(&part.graph, problem))
        }
    };
    ports.into_iter().map(role).collect()
}

/// The only port, whatever its name.
fn with_only_role(part: &Part, mut ports: Vec<Port>, role: Role) -> Result<Vec<Port>> {
    if ports.len() != 1 {
        let names = ports.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", ");
        let problem = format!(
            "has {} ports ({names}) where one of role '{role}' is expected: export the model with models/export/export.py",
            ports.len()
        );
        return Err(Error::input(&part.graph, problem));
    }
    ports[0].role = Some(role);
    Ok(ports)
}

/// Free dimensions by the names that exporters give them. What the caller gives comes first.
fn all_sizes(given: &Sizes, layout: &Layout, tokens: usize) -> Sizes {
    let number = |config: &Value, field: &str| config[field].as_u64().and_then(|value| usize::try_from(value).ok());
    let side = number(&layout.denoiser.config, "sample_size").unwrap_or(64);
    let channels = number(&layout.denoiser.config, "in_channels").unwrap_or(4);
    let mut sizes = Sizes::new();
    for (names, size) in [
        (["batch", "batch_size", "steps"].as_slice(), 1),
        (&["sequence", "sequence_length"], tokens),
        (
            &["height", "width", "latent_height", "latent_width", "height_latent", "width_latent"],
            side,
        ),
        (&["channels", "num_channels", "latent_channels", "num_channels_latent"], channels),
    ] {
        sizes.extend(names.iter().map(|name| ((*name).to_owned(), size)));
    }
    sizes.extend(given.clone());
    sizes
}

fn picture(part: &Part, port: &Port) -> Result<PictureShape> {
    let side = |size: usize| u32::try_from(size).ok();
    let shape = match *port.shape {
        [1, 3, height, width] => side(height).zip(side(width)),
        _ => None,
    };
    let (height, width) = shape.ok_or_else(|| {
        let problem = format!(
            "output `{}` has shape {:?}, which is not one RGB picture: export the decoder with fixed sizes",
            port.name, port.shape
        );
        Error::input(&part.graph, problem)
    })?;
    Ok(PictureShape {
        width,
        height,
        channels: Channels::Rgb,
    })
}

/// How latents are scaled. A missing scale has the default of its class: older files leave it out.
fn latent(decoder: &Part) -> Result<Latent> {
    let config = &decoder.config;
    let is_tiny = config["_class_name"].as_str() == Some("AutoencoderTiny");
    if !config["latents_mean"].is_null() || !config["latents_std"].is_null() {
        let problem = "has a mean and deviation for each channel of latents, which are not supported";
        return Err(Error::input(&decoder.config_file, problem));
    }
    let number = |field: &str, missing: f32| match &config[field] {
        Value::Null => Ok(missing),
        value => {
            let number = value.as_f64().map(|value| value as f32).filter(|value| value.is_finite());
            number.ok_or_else(|| Error::field(&decoder.config_file, field, "is not a number"))
        }
    };
    let scale = number("scaling_factor", if is_tiny { 1.0 } else { 0.18215 })?;
    if scale == 0.0 {
        return Err(Error::field(&decoder.config_file, "scaling_factor", "must not be 0"));
    }
    Ok(Latent {
        scale,
        // An AutoencoderTiny's shift is that of its own encoder, not of latents.
        shift: if is_tiny { 0.0 } else { number("shift_factor", 0.0)? },
    })
}

/// The folder's name, without what the names of a cache's folders begin with and those of exports end with.
fn name(folder: &Path) -> String {
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let parts = absolute.iter().rev().filter_map(std::ffi::OsStr::to_str);
    let is_name = |part: &&str| *part != "snapshots" && !(part.len() == 40 && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let part = parts.into_iter().find(is_name).unwrap_or("model");
    let name = part
        .strip_prefix("models--")
        .map_or(part, |name| name.rsplit("--").next().unwrap_or(name));
    name.strip_suffix("-onnx").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_people_gave() {
        for (folder, expected) in [
            ("/models/sd-turbo", "sd-turbo"),
            ("/models/sd-turbo-onnx", "sd-turbo"),
            (
                "/hub/models--stabilityai--sd-turbo/snapshots/b261bac6fd2cf515557d5d0707481eafa0485ec2",
                "sd-turbo",
            ),
        ] {
            assert_eq!(name(Path::new(folder)), expected);
        }
    }
}
