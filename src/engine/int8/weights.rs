//! A mapped weight matrix, by panels of eight rows.

use std::sync::OnceLock;

use tract_onnx::tract_core::internal::*;

use crate::engine::kernels::{GROUP, ROWS};
use crate::pack::{ExternalTensor, WeightSlice};

/// int8 weights `[rows, inputs]`, symmetric in [-127, 127], as `[rows/8][inputs/4][8][4]` in the mapping. Rows
/// beyond the last are zero.
#[derive(Debug)]
pub struct WeightMatrix {
    slice: WeightSlice,
    rows: usize,
    inputs: usize,
    row_sums: OnceLock<Vec<[i32; ROWS]>>,
}

impl WeightMatrix {
    /// The matrix that a node reads.
    ///
    /// # Errors
    /// If the node reads no mapped tensor, or as [`WeightMatrix::new`].
    pub fn mapped(tensor: Option<&ExternalTensor>, rows: usize, inputs: usize) -> TractResult<WeightMatrix> {
        WeightMatrix::new(
            tensor.context("the weights are not an int8 tensor of the weights file")?,
            rows,
            inputs,
        )
    }

    /// The matrix in a mapped tensor of shape `[rows/8, inputs/4, 8, 4]`.
    ///
    /// # Errors
    /// If the tensor has another shape, or holds nothing.
    pub fn new(tensor: &ExternalTensor, rows: usize, inputs: usize) -> TractResult<WeightMatrix> {
        let expected = [rows.div_ceil(ROWS), inputs / GROUP, ROWS, GROUP];
        ensure!(rows > 0 && inputs > 0, "weights of {rows} rows of {inputs} inputs");
        ensure!(inputs.is_multiple_of(GROUP), "{inputs} inputs are not a multiple of {GROUP}");
        ensure!(
            tensor.shape == expected,
            "weights have shape {:?} where {expected:?} is needed",
            tensor.shape
        );
        Ok(WeightMatrix {
            slice: tensor.data.clone(),
            rows,
            inputs,
            row_sums: OnceLock::new(),
        })
    }

    /// Rows, which are outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs of a row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Groups of four inputs.
    pub fn groups(&self) -> usize {
        self.inputs / GROUP
    }

    /// Panels of eight rows.
    pub fn panels(&self) -> usize {
        self.rows.div_ceil(ROWS)
    }

    /// One panel, `[groups][8][4]`.
    pub fn panel(&self, panel: usize) -> &[i8] {
        let bytes = ROWS * self.inputs;
        &self.slice.as_slice()[panel * bytes..][..bytes]
    }

    /// Sums of each row's weights by panels, computed at the first call: kernels with shifted activations take
    /// the shift out with them.
    pub fn row_sums(&self) -> &[[i32; ROWS]] {
        self.row_sums
            .get_or_init(|| (0..self.panels()).map(|panel| sums(self.panel(panel))).collect())
    }
}

fn sums(panel: &[i8]) -> [i32; ROWS] {
    let mut sums = [0; ROWS];
    for group in panel.chunks_exact(ROWS * GROUP) {
        for (sum, weights) in sums.iter_mut().zip(group.chunks_exact(GROUP)) {
            *sum += weights.iter().map(|&weight| i32::from(weight)).sum::<i32>();
        }
    }
    sums
}
