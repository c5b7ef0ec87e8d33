//! `Concat` (ONNX): one input after another along a dimension.

use rayon::prelude::*;
use tract_onnx::tract_core::internal::*;

use crate::engine::adapter::{Inputs, Operator};
use crate::engine::shares;

/// Inputs: any number, of the same shape but for one dimension; output: all of them along it.
#[derive(Clone, Debug)]
pub struct Concatenation {
    /// The dimension.
    pub axis: usize,
}

impl Operator for Concatenation {
    fn name(&self) -> &'static str {
        "Concat"
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let first = inputs.first().context("Concat takes at least one input")?;
        ensure!(self.axis < first.len(), "shape {first:?} has no dimension {}", self.axis);
        let mut output: TVec<usize> = (*first).into();
        output[self.axis] = 0;
        for shape in inputs {
            let alike = shape.len() == first.len()
                && (0..shape.len()).all(|dimension| dimension == self.axis || shape[dimension] == first[dimension]);
            ensure!(alike, "{shape:?} and {first:?} differ beside dimension {}", self.axis);
            output[self.axis] += shape[self.axis];
        }
        Ok(output)
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let rows: usize = inputs.shape(0)[..self.axis].iter().product();
        let values = output.len().checked_div(rows).unwrap_or(0);
        let mut start = 0;
        for input in 0..inputs.count() {
            let source = inputs.floats(input)?;
            let width = source.len().checked_div(rows).unwrap_or(0);
            if width == 0 {
                continue;
            }
            for (output, source) in output.chunks_exact_mut(values).zip(source.chunks_exact(width)) {
                let parts = output[start..start + width].par_chunks_mut(shares::VALUES);
                parts
                    .zip(source.par_chunks(shares::VALUES))
                    .for_each(|(output, source)| output.copy_from_slice(source));
            }
            start += width;
        }
        Ok(())
    }
}
