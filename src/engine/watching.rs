//! Reads attention weights, and what int8 layers read, while a stage runs. Owns the traits. What is told is computed a second time from the
//! operator's inputs, and only if somebody watches: other runs do no extra work, and a watched run gives the same bits.

use std::ops::Range;

use super::adapter::{Inputs, Operator};
use super::fuse::FUSED;
use super::operators::attention::Attention;
use tract_onnx::tract_core::internal::TractResult;

/// Is told the weights of the attention operators of a stage, in the order in which they run.
pub trait AttentionWatch: Send {
    /// Chooses the keys whose weights are wanted, for an attention operator with this number of queries and keys; `None` skips the operator.
    fn keys(&mut self, queries: usize, keys: usize) -> Option<Range<usize>>;

    /// The weights that each query gives to these keys, `[queries][keys]`: means over the heads. A query's weights of all keys add up to 1.
    fn weights(&mut self, queries: usize, keys: Range<usize>, weights: &[f32]);
}

/// Is told what the int8 layers of all stages read that an engine runs, for tools that quantize.
pub trait ActivationWatch: Send + Sync {
    /// The largest magnitudes of a layer's input channels in one run. The layer is named as the node of the stage's graph.
    fn magnitudes(&self, stage: &str, layer: &str, magnitudes: &[f32]);
}

/// Who watches a run.
#[derive(Default)]
pub(super) struct Watches<'a> {
    /// Is told the weights of attention.
    pub attention: Option<&'a mut dyn AttentionWatch>,
    /// Is told what int8 layers read, with the stage's name.
    pub activations: Option<(&'a dyn ActivationWatch, &'a str)>,
}

impl Watches<'_> {
    /// Whether anybody watches.
    pub fn any(&self) -> bool {
        self.attention.is_some() || self.activations.is_some()
    }

    /// Tells of the operator of a node that is about to run.
    pub fn tell(&mut self, node: &str, operator: &dyn Operator, inputs: &Inputs) -> TractResult<()> {
        if let Some(watch) = &mut self.attention {
            tell(*watch, operator, inputs)?;
        }
        if let Some((watch, stage)) = self.activations
            && let Some(magnitudes) = operator.channel_magnitudes(inputs)?
        {
            watch.magnitudes(stage, node.trim_end_matches(FUSED), &magnitudes);
        }
        Ok(())
    }
}

/// Tells a watch of an operator, if it is an attention.
fn tell(watch: &mut dyn AttentionWatch, operator: &dyn Operator, inputs: &Inputs) -> TractResult<()> {
    let Some(attention) = operator.downcast::<Attention>() else {
        return Ok(());
    };
    let (queries, keys) = (inputs.shape(0)[1], inputs.shape(1)[1]);
    let wanted = watch.keys(queries, keys).filter(|wanted| wanted.end <= keys && !wanted.is_empty());
    if let Some(wanted) = wanted {
        let weights = attention.weights(inputs, wanted.clone())?;
        watch.weights(queries, wanted, &weights);
    }
    Ok(())
}
