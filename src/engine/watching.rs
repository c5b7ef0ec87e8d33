//! Looking at what a stage's attention weighs while it runs. Owns the trait; the weights are computed again from the operator's inputs,
//! for those who ask alone, so that a run that nobody watches does nothing for it and a watched one gives the same bits.

use std::ops::Range;

use super::adapter::{Inputs, Operator};
use super::operators::attention::Attention;
use tract_onnx::tract_core::internal::TractResult;

/// Is told the weights of the attention operators of a stage, in the order in which they run.
pub trait AttentionWatch: Send {
    /// Of an attention of so many queries to so many keys, the keys whose weights are wanted; nothing to pass over it.
    fn keys(&mut self, queries: usize, keys: usize) -> Option<Range<usize>>;

    /// The weights that each query gives to these keys, `[queries][keys]`: means over the heads. A query's weights of all keys add up to 1.
    fn weights(&mut self, queries: usize, keys: Range<usize>, weights: &[f32]);
}

/// Tells a watch of an operator that has run, if it is an attention.
pub(super) fn tell(watch: &mut dyn AttentionWatch, operator: &dyn Operator, inputs: &Inputs) -> TractResult<()> {
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
