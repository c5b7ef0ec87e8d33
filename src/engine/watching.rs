//! Reads the attention weights of a stage while it runs. Owns the trait. The weights are computed a second time from the operator's inputs, and
//! only if somebody watches: other runs do no extra work, and a watched run gives the same bits.

use std::ops::Range;

use super::adapter::{Inputs, Operator};
use super::operators::attention::Attention;
use tract_onnx::tract_core::internal::TractResult;

/// Is told the weights of the attention operators of a stage, in the order in which they run.
pub trait AttentionWatch: Send {
    /// Chooses the keys whose weights are wanted, for an attention operator with this number of queries and keys; `None` skips the operator.
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
