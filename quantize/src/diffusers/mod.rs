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

use inkstone::pack::{Channels, Latent, Manifest, PictureShape, Port, PreviewDecoder, Prompt, Role, Stage};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::fold::complete;
use crate::graph::{Graph, Sizes};
use crate::proto::node;
use crate::tensor::Constant;
use layout::{Layout, Part};

/// The tokenizer's name in the pack.
const TOKENIZER: &str = "tokenizer.json";
/// Longest prompt of an imported model, in characters.
const MAX_CHARACTERS: usize = 2000;
/// Largest guidance of an imported model.
pub const MAX_GUIDANCE: f32 = 30.0;
/// Scales of latents: those of models that people use are between 0.1 and 2.
const SCALES: std::ops::RangeInclusive<f32> = 1e-3..=1e3;
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
    /// The same for stages whose free dimensions mean other sizes.
    pub own_sizes: BTreeMap<String, Sizes>,
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
    let tokenizer = tokenizer::read(&layout.tokenizers)?;
    let sizes = all_sizes(sizes, &layout, tokenizer.max_tokens);
    let mut stages = stages(&layout, &sizes)?;
    let picture = picture(&layout, &stages["denoiser"], &stages["decoder"])?;
    let (mut notes, mut own_sizes) = (Vec::new(), BTreeMap::new());
    if let Some(part) = &layout.encoder {
        let sizes = encoder_sizes(&sizes, &picture);
        match encoder(part, &stages["denoiser"].outputs[0], &sizes) {
            Ok(encoder) => {
                stages.insert(ENCODER.to_owned(), encoder);
                own_sizes.insert(ENCODER.to_owned(), sizes);
            }
            Err(error) => notes.push(format!("vae_encoder is left out, so that no pictures can be started from: {error}")),
        }
    }
    let denoiser = &stages["denoiser"];
    let has_guidance = denoiser.inputs.iter().any(|port| port.role == Some(Role::Guidance));
    let (sampling, mut of_scheduler) = sampling::read(&layout.scheduler, has_guidance, MAX_GUIDANCE)?;
    notes.append(&mut of_scheduler);
    let description = format!("{}, imported", layout.class);
    let mut manifest = Manifest::of_graph(name(folder), description, denoiser.clone());
    manifest.family = Some("diffusion".to_owned());
    if let Some(licence) = layout.card.as_deref().and_then(licence::of_card) {
        manifest.licence = licence;
    }
    manifest.picture = Some(picture);
    manifest.prompt = Some(Prompt {
        tokenizer: TOKENIZER.to_owned(),
        lexicon: None,
        max_tokens: tokenizer.max_tokens,
        max_characters: MAX_CHARACTERS,
        padding: tokenizer.padding,
        padding_2: tokenizer.padding_2,
        empty_is_zero: layout.empty_is_zero,
        languages: vec!["en".to_owned()],
    });
    manifest.sampling = Some(sampling);
    manifest.latent = Some(latent(&layout)?);
    manifest.stages = stages;
    let encoder = layout.encoder.as_ref().map(|part| (ENCODER, part));
    let all = parts(&layout).chain(encoder);
    let used = all.filter(|(name, _)| manifest.stages.contains_key(*name));
    let graphs = used.map(|(name, part)| (name.to_owned(), part.graph.clone())).collect();
    Ok(Imported {
        manifest,
        graphs,
        made: BTreeMap::from([(TOKENIZER.to_owned(), tokenizer.json)]),
        copied: layout.card.map(|card| ("MODEL_CARD.md".to_owned(), card)).into_iter().collect(),
        sizes,
        own_sizes,
        notes,
    })
}

/// The networks by the names of their stages, without the encoder, which a model can do without.
fn parts(layout: &Layout) -> impl Iterator<Item = (&'static str, &Part)> {
    let optional = [
        ("text_encoder_2", layout.text_encoder_2.as_ref()),
        ("preview_decoder", layout.preview_decoder.as_ref()),
    ];
    [
        ("text_encoder", &layout.text_encoder),
        ("denoiser", &layout.denoiser),
        ("decoder", &layout.decoder),
    ]
    .into_iter()
    .chain(optional.into_iter().filter_map(|(name, part)| Some((name, part?))))
}

/// The stages, with the roles of their ports.
fn stages(layout: &Layout, sizes: &Sizes) -> Result<BTreeMap<String, Stage>> {
    let is_xl = layout.text_encoder_2.is_some();
    let mut stages = BTreeMap::new();
    for (name, part) in parts(layout) {
        let (inputs, outputs) = ports(part, sizes)?;
        let (inputs, outputs) = match name {
            "denoiser" => (
                with_roles(part, inputs, &DENOISER_INPUTS)?,
                with_only_role(part, outputs, Role::Prediction)?,
            ),
            "decoder" | "preview_decoder" => (
                with_only_role(part, inputs, Role::Latent)?,
                with_only_role(part, outputs, Role::Picture)?,
            ),
            _ => (
                with_roles(part, inputs, &TEXT_INPUTS)?,
                text_outputs(part, outputs, is_xl, name == "text_encoder_2")?,
            ),
        };
        let graph = format!("{name}.onnx");
        stages.insert(name.to_owned(), Stage { graph, inputs, outputs });
    }
    Ok(stages)
}

/// Sizes of an encoder's free dimensions. Exporters give them the names of the denoiser's, though they are those of the picture.
fn encoder_sizes(sizes: &Sizes, picture: &PictureShape) -> Sizes {
    let mut own = sizes.clone();
    for (name, size) in [
        ("height", picture.height as usize),
        ("width", picture.width as usize),
        ("channels", 3),
        ("num_channels", 3),
    ] {
        own.insert(name.to_owned(), size);
    }
    own
}

/// The encoder, if it gives a latent or the means and deviations of one, of which the means are used.
fn encoder(part: &Part, latent: &Port, sizes: &Sizes) -> Result<Stage> {
    let mut graph = Graph::read(&part.graph, sizes)?;
    complete(&mut graph)?;
    let mut stage = Stage {
        graph: "encoder.onnx".to_owned(),
        inputs: with_only_role(part, graph.inputs, Role::Picture)?,
        outputs: with_only_role(part, graph.outputs, Role::Latent)?,
    };
    let given = stage.outputs[0].shape.clone();
    let (is_latent, is_both) = match (&given[..], &latent.shape[..]) {
        (&[one, both, tall, wide], &[_, channels, height, width]) if [one, tall, wide] == [1, height, width] => {
            (both == channels, both == 2 * channels)
        }
        _ => (false, false),
    };
    if is_both {
        stage.outputs[0] = Port {
            name: MEANS.to_owned(),
            shape: latent.shape.clone(),
            ..stage.outputs[0].clone()
        };
    }
    if (is_latent || is_both) && matches!(*stage.inputs[0].shape, [1, 3, _, _]) {
        return Ok(stage);
    }
    let problem = format!(
        "gives {given:?} and not a latent of {:?}; models/export/export.py --encoder exports one that does",
        latent.shape
    );
    Err(Error::input(&part.graph, problem))
}

/// Ends an encoder that gives means and deviations with its means, if those are what its stage is described to give.
pub fn take_means(graph: &mut Graph, stage: &Stage) {
    let ([described], [given]) = (&stage.outputs[..], &graph.outputs[..]) else {
        return;
    };
    let &[_, channels, ..] = &described.shape[..] else { return };
    if described.name != MEANS || given.name == MEANS {
        return;
    }
    let both = given.name.clone();
    let [start, end, axis] = [("start", 0), ("end", channels as i64), ("axis", 1)]
        .map(|(name, value)| graph.add_constant(&format!("{MEANS}.{name}"), Constant::i64(&[1], vec![value])));
    graph.nodes.push(node("Slice", MEANS, &[&both, &start, &end, &axis], &[MEANS]));
    graph.shapes.insert(MEANS.to_owned(), described.shape.clone());
    graph.outputs = vec![Port {
        role: None,
        ..described.clone()
    }];
}

/// What is used of a text encoder's outputs. SDXL's denoiser reads the rows before the last layer, and the second encoder's projected text.
fn text_outputs(part: &Part, ports: Vec<Port>, is_xl: bool, is_second: bool) -> Result<Vec<Port>> {
    let names = ports.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", ");
    let missing = |wanted: &str| {
        let problem = format!("has no output {wanted} (its outputs are {names}): export the model with models/export/export.py");
        Error::input(&part.graph, problem)
    };
    let layer = |port: &Port| port.name.strip_prefix(HIDDEN)?.parse::<usize>().ok();
    let last = ports.iter().filter_map(layer).max();
    let is_context = |port: &&Port| match (is_xl, last) {
        (true, Some(last)) => layer(port) == last.checked_sub(1),
        (true, None) => port.name == "prompt_embeds",
        (false, _) => ["last_hidden_state", "prompt_embeds"].contains(&port.name.as_str()),
    };
    let wanted = if is_xl {
        "`hidden_states.N` or `prompt_embeds`"
    } else {
        "`last_hidden_state`"
    };
    let context = ports.iter().find(is_context).ok_or_else(|| missing(wanted))?;
    let with_role = |port: &Port, role| Port {
        role: Some(role),
        ..port.clone()
    };
    let mut used = vec![with_role(context, Role::Context)];
    if is_second {
        let pooled = ports
            .iter()
            .find(|port| port.name == "text_embeds")
            .ok_or_else(|| missing("`text_embeds`"))?;
        used.push(with_role(pooled, Role::Pooled));
    }
    // In the graph's order.
    used.sort_by_key(|used| ports.iter().position(|port| port.name == used.name));
    Ok(used)
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
/// The encoder's stage, and the output for its means.
const ENCODER: &str = "encoder";
const MEANS: &str = "latent_means";
/// Outputs of a text encoder's layers, numbered from 0.
const HIDDEN: &str = "hidden_states.";
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

/// The size of pictures: that of the denoiser's latents, enlarged as the decoder enlarges what it takes.
fn picture(layout: &Layout, denoiser: &Stage, decoder: &Stage) -> Result<PictureShape> {
    let (latent, taken, given) = (&denoiser.outputs[0], &decoder.inputs[0], &decoder.outputs[0]);
    let shape = match (&*latent.shape, &*taken.shape, &*given.shape) {
        (&[1, _, height, width], &[1, _, down, across], &[1, 3, tall, wide]) if down > 0 && across > 0 => {
            let side = |size: usize| u32::try_from(size).ok();
            side(height * (tall / down)).zip(side(width * (wide / across)))
        }
        _ => None,
    };
    let (height, width) = shape.ok_or_else(|| {
        let problem = format!(
            "output `{}` has shape {:?}, which is not one RGB picture: export the decoder with fixed sizes",
            given.name, given.shape
        );
        Error::input(&layout.decoder.graph, problem)
    })?;
    Ok(PictureShape {
        width,
        height,
        channels: Channels::Rgb,
    })
}

/// How latents are scaled for the decoder, and for one that draws previews.
fn latent(layout: &Layout) -> Result<Latent> {
    let (scale, shift) = scaling(&layout.decoder)?;
    let preview = match &layout.preview_decoder {
        Some(part) => Some(("preview_decoder", scaling(part)?)),
        None => is_tiny(&layout.decoder).then_some(("decoder", (scale, shift))),
    };
    let preview = preview.map(|(stage, (scale, shift))| PreviewDecoder {
        stage: stage.to_owned(),
        scale,
        shift,
    });
    Ok(Latent { scale, shift, preview })
}

/// Whether a decoder is small enough to draw every step.
fn is_tiny(decoder: &Part) -> bool {
    decoder.config["_class_name"].as_str() == Some("AutoencoderTiny")
}

/// Scale and shift of a decoder's latents. A missing scale has the default of its class: older files leave it out.
fn scaling(decoder: &Part) -> Result<(f32, f32)> {
    let (config, is_tiny) = (&decoder.config, is_tiny(decoder));
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
    if !SCALES.contains(&scale) {
        let problem = format!("{scale} is not between {} and {}", SCALES.start(), SCALES.end());
        return Err(Error::field(&decoder.config_file, "scaling_factor", problem));
    }
    // An AutoencoderTiny's shift is that of its own encoder, not of latents.
    Ok((scale, if is_tiny { 0.0 } else { number("shift_factor", 0.0)? }))
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
