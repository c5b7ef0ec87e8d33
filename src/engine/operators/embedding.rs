//! `QEmbedding`: rows of a mapped int8 table, each with its own scale.

use std::sync::Arc;

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::internal::*;

use super::check_length;
use super::table::{Built, Resources, Schema};
use crate::engine::adapter::{Inputs, Operator};
use crate::pack::WeightSlice;

/// `QEmbedding`.
pub static Q_EMBEDDING: Schema = Schema {
    name: "QEmbedding",
    doc: "Rows of an int8 table, each times its scale.",
    definition: Some(
        "QEmbedding (ids, table, scale) => (y) {
            chosen = Gather <axis = 0> (table, ids)
            values = Cast <to = 1> (chosen)
            row_scale = Gather <axis = 0> (scale, ids)
            last = Constant <value_ints = [-1]> ()
            column_scale = Unsqueeze (row_scale, last)
            y = Mul (values, column_scale)
        }",
    ),
};

pub(super) fn build(_: &NodeProto, resources: &Resources) -> Built {
    let table = resources.tensor.context("the table is not an int8 tensor of the weights file")?;
    let [rows, width] = *table.shape else {
        bail!("the table has shape {:?}; it must have two dimensions", table.shape)
    };
    ensure!(rows > 0 && width > 0, "the table has shape {:?}; it is empty", table.shape);
    Ok(Some(Arc::new(QuantizedEmbedding {
        rows,
        width,
        table: table.data.clone(),
    })))
}

/// Inputs: ids `[…]` (i64), scale `[V]`; output `[…, D]`.
#[derive(Clone, Debug)]
pub struct QuantizedEmbedding {
    /// V, the rows of the table.
    pub rows: usize,
    /// D, the width of a row.
    pub width: usize,
    /// The table, `[V, D]`.
    pub table: WeightSlice,
}

impl Operator for QuantizedEmbedding {
    fn name(&self) -> &'static str {
        Q_EMBEDDING.name
    }

    fn indexed_rows(&self) -> Option<usize> {
        Some(self.rows)
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        ensure!(inputs.len() == 2, "QEmbedding takes ids, its table and a scale");
        check_length("the scale", inputs[1], self.rows)?;
        Ok(inputs[0].iter().copied().chain([self.width]).collect())
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let scales = inputs.floats(1)?;
        for (out, &id) in output.chunks_exact_mut(self.width).zip(inputs.integers(0)?) {
            let row = usize::try_from(id).ok().filter(|&row| row < self.rows);
            let row = row.with_context(|| format!("id {id} is not in a table of {} rows", self.rows))?;
            let weights = &self.table.as_slice()[row * self.width..][..self.width];
            out.iter_mut()
                .zip(weights)
                .for_each(|(out, &weight)| *out = f32::from(weight) * scales[row]);
        }
        Ok(())
    }
}
