//! `Concat` (ONNX): one input after another along a dimension.

use tract_onnx::tract_core::internal::*;

use crate::engine::adapter::{Inputs, Operator};
use crate::engine::parallel;

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

    fn is_contiguous_concat(&self, inputs: &[&[usize]]) -> bool {
        inputs.iter().all(|shape| shape[..self.axis].iter().all(|&size| size == 1))
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let rows: usize = inputs.shape(0)[..self.axis].iter().product();
        let widths = |input: usize| Ok(inputs.floats(input)?.len().checked_div(rows).unwrap_or(0));
        let widths: Vec<usize> = (0..inputs.count()).map(widths).collect::<TractResult<_>>()?;
        // Contiguous parts of the output: where each begins, and its source.
        let mut sources = vec![];
        let mut start = 0;
        for row in 0..rows {
            for (input, &width) in widths.iter().enumerate() {
                sources.push((start, &inputs.floats(input)?[row * width..][..width]));
                start += width;
            }
        }
        let shape = self.output_shape(&(0..inputs.count()).map(|input| inputs.shape(input)).collect::<Vec<_>>())?;
        parallel::for_each_chunk(output, &shape, |start, output| copy(output, start, &sources));
        Ok(())
    }
}

/// Fills a part of the output, which begins at `start`, from the sources, each with its own start.
fn copy(mut output: &mut [f32], start: usize, sources: &[(usize, &[f32])]) {
    let mut place = start;
    let before = sources.partition_point(|(begin, _)| *begin <= place).saturating_sub(1);
    for (begin, source) in &sources[before..] {
        let source = &source[(place - begin).min(source.len())..];
        let length = source.len().min(output.len());
        if let Some(out) = output.split_off_mut(..length) {
            out.copy_from_slice(&source[..length]);
        }
        place += length;
        if output.is_empty() {
            return;
        }
    }
}
