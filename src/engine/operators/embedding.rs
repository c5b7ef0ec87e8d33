//! `QEmbedding`: rows of a mapped int8 table, each with its own scale.

use std::collections::BTreeMap;
use std::sync::Arc;

use tract_onnx::tract_core::internal::*;

use super::check_length;
use crate::engine::adapter::{Inputs, Operator};
use crate::pack::{ExternalTensor, WeightSlice};

/// Inputs: ids `[…]` (i64), scale `[V]`; output `[…, D]`.
#[derive(Clone, Debug)]
pub struct QuantizedEmbedding {
    /// Name of the table among the mapped tensors.
    pub tensor: String,
    /// V, the rows of the table.
    pub rows: usize,
    /// D, the width of a row.
    pub width: usize,
    /// The table, once bound.
    pub table: Option<WeightSlice>,
}

impl Operator for QuantizedEmbedding {
    fn name(&self) -> &'static str {
        "QEmbedding"
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        ensure!(inputs.len() == 2, "QEmbedding takes ids, its table and a scale");
        check_length("the scale", inputs[1], self.rows)?;
        Ok(inputs[0].iter().copied().chain([self.width]).collect())
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let table = self.table.as_ref().context("QEmbedding is not bound to its table")?;
        let scales = inputs.floats(1)?;
        for (out, &id) in output.chunks_exact_mut(self.width).zip(inputs.integers(0)?) {
            let row = usize::try_from(id).ok().filter(|&row| row < self.rows);
            let row = row.with_context(|| format!("id {id} is not in a table of {} rows", self.rows))?;
            let weights = &table.as_slice()[row * self.width..][..self.width];
            out.iter_mut()
                .zip(weights)
                .for_each(|(out, &weight)| *out = f32::from(weight) * scales[row]);
        }
        Ok(())
    }

    fn bind(&self, tensors: &BTreeMap<String, ExternalTensor>) -> TractResult<Option<Arc<dyn Operator>>> {
        let tensor = tensors
            .get(&self.tensor)
            .with_context(|| format!("there is no mapped table '{}'", self.tensor))?;
        Ok(Some(Arc::new(QuantizedEmbedding {
            table: Some(tensor.data.clone()),
            ..self.clone()
        })))
    }
}
