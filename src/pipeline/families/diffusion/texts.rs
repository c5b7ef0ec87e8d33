//! What the denoiser is conditioned on: the text encoders' outputs, remembered for prompts that come again, with style, guidance and size.

use super::{DENOISER, Diffusion, TEXT_ENCODERS, input_of, output_of, takes_guidance};
use crate::engine::{Engine, EngineError, Residency, Value};
use crate::pack::{Port, Role};
use crate::pipeline::elementary::{exponential, logarithm, sine_and_cosine};
use crate::pipeline::families::{Values, run_stage_with};
use crate::pipeline::resolved::Text;
use crate::pipeline::{PipelineError, Resolved};

/// Texts that are remembered if all stages stay in memory.
const REMEMBERED: usize = 8;
/// Texts that are remembered under a cap on memory: a prompt and a negative prompt. They are far smaller than the encoder, which would have
/// to be read again.
const REMEMBERED_UNDER_A_CAP: usize = 2;

/// What a text encoder is given: token ids, how many of them are the text's, the style, how strong each token is to be, and the request's
/// conditions as text.
type Key = (Vec<i64>, usize, i64, Vec<u32>, String);

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
        for object in 0..request.ids().len() {
            let text = self.encode_mixed(engine, request, request.texts(), object)?;
            texts.push(self.conditions(request, text));
        }
        if request.guidance() == 1.0 || takes_guidance(self.manifest()) {
            return Ok((texts, None));
        }
        let is_zero = request.has_empty_negative() && self.manifest().prompt.as_ref().is_some_and(|prompt| prompt.empty_is_zero);
        let negative = if is_zero {
            self.zeros()
        } else {
            self.encode_mixed(engine, request, request.negative_texts(), 0)?
        };
        Ok((texts, Some(self.conditions(request, negative))))
    }

    /// Whether there is a text encoder.
    pub fn has_encoders(&self) -> bool {
        self.manifest().stages.contains_key(TEXT_ENCODERS[0])
    }

    /// What the text encoders give for one object of all texts, added up by their weights.
    fn encode_mixed(&mut self, engine: &Engine, request: &Resolved, texts: &[Text], object: usize) -> Result<Values, EngineError> {
        if let [only] = texts {
            return self.encode(engine, request, only, object);
        }
        let mut sum = Values::new();
        for text in texts {
            for (role, value) in self.encode(engine, request, text, object)? {
                add(&mut sum, role, value, text.weight());
            }
        }
        Ok(sum)
    }

    /// What the text encoders give for one object of a text.
    fn encode(&mut self, engine: &Engine, request: &Resolved, text: &Text, object: usize) -> Result<Values, EngineError> {
        let conditions = format!("{:?}", request.conditions());
        let ids = text.ids().get(object).map_or(&[][..], Vec::as_slice);
        let count = text.token_counts().get(object).copied().unwrap_or_default();
        let emphasis = text.emphasis(object);
        let strengths = emphasis.iter().map(|strength| strength.to_bits()).collect();
        let key = (ids.to_vec(), count, text.style_id(), strengths, conditions);
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
                (Role::Style, Value::I64(vec![text.style_id()])),
            ]);
            for (role, mut value) in run_stage_with(&self.stages, engine, name, &values, request.conditions())? {
                if let (Role::Context, Value::F32(context)) = (role, &mut value) {
                    emphasise(context, self.rows(), emphasis);
                }
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

/// Adds a value to those of other texts. What is no float is that of the first text.
fn add(sum: &mut Values, role: Role, value: Value, weight: f32) {
    match (sum.get_mut(&role), value) {
        (Some(Value::F32(sum)), Value::F32(values)) => sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value * weight),
        (Some(_), _) => {}
        (None, Value::F32(values)) => {
            sum.insert(role, Value::F32(values.into_iter().map(|value| value * weight).collect()));
        }
        (None, other) => {
            sum.insert(role, other);
        }
    }
}

/// Multiplies each row of a context by the strength of its token, and all of them so that the mean stays (the AUTOMATIC1111 web interface's
/// emphasis).
fn emphasise(context: &mut [f32], rows: usize, emphasis: &[f32]) {
    if emphasis.iter().all(|strength| *strength == 1.0) {
        return;
    }
    let mean = |context: &[f32]| context.iter().map(|value| f64::from(*value)).sum::<f64>() / context.len() as f64;
    let (before, width) = (mean(context), context.len() / rows);
    for (row, strength) in context.chunks_exact_mut(width).zip(emphasis) {
        row.iter_mut().for_each(|value| *value *= strength);
    }
    let scale = (before / mean(context)) as f32;
    // A mean of nothing cannot be restored; one near to it would be by far too much.
    if (0.1..=10.0).contains(&scale) {
        context.iter_mut().for_each(|value| *value *= scale);
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
    fn texts_are_added_up_by_their_weights() {
        let mut sum = Values::new();
        add(&mut sum, Role::Context, Value::F32(vec![1.0, 2.0]), 1.5);
        add(&mut sum, Role::Context, Value::F32(vec![3.0, 0.0]), -0.5);
        add(&mut sum, Role::Ids, Value::I64(vec![1]), 1.5);
        add(&mut sum, Role::Ids, Value::I64(vec![2]), -0.5);
        let expected = Values::from([(Role::Context, Value::F32(vec![0.0, 3.0])), (Role::Ids, Value::I64(vec![1]))]);
        assert_eq!(sum, expected);
    }

    #[test]
    fn emphasised_rows_grow_and_the_mean_stays() {
        let mut context = vec![1.0, 1.0, 1.0, 3.0, 2.0, 2.0];
        emphasise(&mut context, 3, &[1.0, 2.0]);
        let scale = 10.0 / 14.0;
        assert_eq!(context, [1.0, 1.0, 2.0, 6.0, 2.0, 2.0].map(|value| value * scale));
        let before = context.clone();
        emphasise(&mut context, 3, &[1.0, 1.0, 1.0]);
        emphasise(&mut context, 3, &[]);
        assert_eq!(context, before);
        // Around a mean of nothing the rest stays as it is.
        let mut even = vec![1.0, -1.0];
        emphasise(&mut even, 2, &[2.0, 2.0]);
        assert_eq!(even, [2.0, -2.0]);
    }

    #[test]
    fn the_latest_texts_are_remembered() {
        let mut texts = Texts::new(Residency::OneStage, true);
        let value = Values::from([(Role::Pooled, Value::F32(vec![1.0]))]);
        let key = |style| (vec![1, 2], 1, style, Vec::new(), String::new());
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
