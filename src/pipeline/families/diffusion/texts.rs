//! What the denoiser is conditioned on: the text encoders' outputs, remembered for prompts that come again, with style, guidance and size.

use super::{DENOISER, Diffusion, TEXT_ENCODERS, input_of, output_of, takes_guidance};
use crate::engine::{Engine, EngineError, Residency, Value};
use crate::pack::{Port, Role};
use crate::pipeline::elementary::{exponential, logarithm, sine_and_cosine};
use crate::pipeline::families::{Values, run_stage_with};
use crate::pipeline::{PipelineError, Resolved};

/// Texts that are remembered if all stages stay in memory.
const REMEMBERED: usize = 8;
/// Texts that are remembered under a cap on memory: a prompt and a negative prompt. They are far smaller than the encoder, which would have
/// to be read again.
const REMEMBERED_UNDER_A_CAP: usize = 2;

/// What a text encoder is given: token ids, how many of them are the text's, the style, and the request's conditions as text.
type Key = (Vec<i64>, usize, i64, String);

/// What the text encoders gave, the latest first.
pub struct Texts {
    known: Vec<(Key, Values)>,
    /// How many are remembered.
    most: usize,
}

impl Texts {
    /// None yet. Nothing is remembered where every picture has to be made anew.
    pub fn new(residency: Residency, is_reused: bool) -> Texts {
        let most = match residency {
            _ if !is_reused => 0,
            Residency::All => REMEMBERED,
            Residency::OneStage => REMEMBERED_UNDER_A_CAP,
        };
        Texts { known: Vec::new(), most }
    }

    fn find(&self, key: &Key) -> Option<Values> {
        self.known.iter().find(|(known, _)| known == key).map(|(_, values)| values.clone())
    }

    fn insert(&mut self, key: Key, values: &Values) {
        if self.most > 0 {
            self.known.truncate(self.most - 1);
            self.known.insert(0, (key, values.clone()));
        }
    }
}

/// The conditions of each object, and of the negative prompt where it is needed.
pub type Encoded = (Vec<Values>, Option<Values>);

impl Diffusion {
    /// Encodes the prompts of a request.
    ///
    /// # Errors
    /// If a text encoder cannot be loaded or fails.
    pub fn encode_all(&mut self, engine: &Engine, request: &Resolved) -> Result<Encoded, PipelineError> {
        let mut texts = Vec::new();
        for (ids, &count) in request.ids().iter().zip(request.token_counts()) {
            let text = self.encode(engine, request, ids, count)?;
            texts.push(self.conditions(request, text));
        }
        if request.guidance() == 1.0 || takes_guidance(self.manifest()) {
            return Ok((texts, None));
        }
        let is_zero = request.has_empty_negative() && self.manifest().prompt.as_ref().is_some_and(|prompt| prompt.empty_is_zero);
        let negative = if is_zero {
            self.zeros()
        } else {
            self.encode(engine, request, request.negative_ids(), request.negative_token_count())?
        };
        Ok((texts, Some(self.conditions(request, negative))))
    }

    /// Whether there is a text encoder.
    pub fn has_encoders(&self) -> bool {
        self.manifest().stages.contains_key(TEXT_ENCODERS[0])
    }

    /// What the text encoders give for token ids, of which the first `count` are the text's.
    fn encode(&mut self, engine: &Engine, request: &Resolved, ids: &[i64], count: usize) -> Result<Values, EngineError> {
        let conditions = format!("{:?}", request.conditions());
        let key = (ids.to_vec(), count, request.style_id(), conditions);
        if let Some(known) = self.texts.find(&key) {
            return Ok(known);
        }
        let mut encoded = Values::new();
        for (number, name) in TEXT_ENCODERS.into_iter().enumerate() {
            if !self.manifest().stages.contains_key(name) {
                continue;
            }
            let values = Values::from([
                (Role::Ids, Value::I64(self.padded(ids, count, number))),
                (Role::Style, Value::I64(vec![request.style_id()])),
            ]);
            for (role, value) in run_stage_with(&self.stages, engine, name, &values, request.conditions())? {
                let value = match encoded.remove(&role) {
                    Some(first) => side_by_side(first, value, self.rows()),
                    None => value,
                };
                encoded.insert(role, value);
            }
        }
        self.texts.insert(key, &encoded);
        Ok(encoded)
    }

    /// The ids as the encoder of this number has them padded.
    fn padded(&self, ids: &[i64], count: usize, encoder: usize) -> Vec<i64> {
        let mut ids = ids.to_vec();
        let padding = self.manifest().prompt.as_ref().and_then(|prompt| prompt.padding_2);
        if let (1, Some(padding)) = (encoder, padding) {
            ids[count..].fill(i64::from(padding));
        }
        ids
    }

    /// Rows of the context.
    fn rows(&self) -> usize {
        let context = output_of(self.manifest(), TEXT_ENCODERS[0], Role::Context);
        context.and_then(|port| port.shape.iter().rev().nth(1).copied()).unwrap_or(1)
    }

    /// Zeros in the place of what the text encoders give.
    fn zeros(&self) -> Values {
        let ports = TEXT_ENCODERS.iter().filter_map(|name| self.manifest().stages.get(*name));
        let mut zeros = Values::new();
        for port in ports.flat_map(|stage| &stage.outputs) {
            let Some(role) = port.role else { continue };
            let before = match zeros.remove(&role) {
                Some(Value::F32(values)) => values.len(),
                _ => 0,
            };
            zeros.insert(role, Value::F32(vec![0.0; before + port.elements()]));
        }
        zeros
    }

    /// An encoded text with style, guidance and size.
    pub fn conditions(&self, request: &Resolved, mut values: Values) -> Values {
        values.insert(Role::Style, Value::I64(vec![request.style_id()]));
        let guidance = match input_of(self.manifest(), DENOISER, Role::Guidance).map_or(1, Port::elements) {
            1 => vec![request.guidance()],
            count => guidance_embedding(request.guidance(), count),
        };
        values.insert(Role::Guidance, Value::F32(guidance));
        let (width, height) = (self.picture.width as f32, self.picture.height as f32);
        values.insert(Role::Size, Value::F32(vec![height, width, 0.0, 0.0, height, width]));
        values
    }
}

/// Rows of two matrices side by side. Values of other types are not joined: the second one is kept.
fn side_by_side(first: Value, second: Value, rows: usize) -> Value {
    match (first, second) {
        (Value::F32(first), Value::F32(second)) => {
            let (left, right) = (first.len() / rows, second.len() / rows);
            let rows = first.chunks_exact(left).zip(second.chunks_exact(right));
            Value::F32(rows.flat_map(|(left, right)| [left, right].concat()).collect())
        }
        (_, second) => second,
    }
}

/// The embedding of a guidance scale that latent consistency models take: the sines of `count / 2` angles, then their cosines (Meng et
/// al., arXiv 2210.03142; `get_guidance_scale_embedding` of diffusers).
fn guidance_embedding(guidance: f32, count: usize) -> Vec<f32> {
    let (half, angle) = (count / 2, (f64::from(guidance) - 1.0) * 1000.0);
    let step = logarithm(10_000.0) / (half.max(2) - 1) as f64;
    let (sines, cosines): (Vec<f32>, Vec<f32>) = (0..half)
        .map(|index| sine_and_cosine(angle * exponential(-step * index as f64)))
        .map(|(sine, cosine)| (sine as f32, cosine as f32))
        .unzip();
    [sines, cosines].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guidance_is_embedded_as_diffusers_does_it() {
        let embedded = guidance_embedding(8.5, 8);
        // get_guidance_scale_embedding(torch.tensor([7.5]), embedding_dim=8)
        let wanted = [-0.851236, 0.562678, -0.435233, 0.681639, -0.524783, -0.826676, -0.900318, 0.731689];
        for (found, wanted) in embedded.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-3, "{embedded:?}");
        }
        assert_eq!(embedded.len(), wanted.len());
    }

    #[test]
    fn contexts_lie_side_by_side() {
        let joined = side_by_side(Value::F32(vec![1.0, 2.0]), Value::F32(vec![3.0, 4.0, 5.0, 6.0]), 2);
        assert_eq!(joined.into_floats().unwrap(), [1.0, 3.0, 4.0, 2.0, 5.0, 6.0]);
    }

    #[test]
    fn the_latest_texts_are_remembered() {
        let mut texts = Texts::new(Residency::OneStage, true);
        let value = Values::from([(Role::Pooled, Value::F32(vec![1.0]))]);
        let key = |style| (vec![1, 2], 1, style, String::new());
        for style in 0..3 {
            texts.insert(key(style), &value);
        }
        let known = [0, 1, 2].map(|style| texts.find(&key(style)).is_some());
        assert_eq!(known, [false, true, true]);
        let mut none = Texts::new(Residency::All, false);
        none.insert(key(0), &value);
        assert!(none.find(&key(0)).is_none());
    }
}
