//! `Transpose` (ONNX) that moves one dimension to another place, as from pictures `[C, H·W]` to rows `[H·W, C]`.

use std::ops::Range;

use tract_onnx::tract_core::internal::*;

use crate::engine::adapter::{Inputs, Operator};
use crate::engine::parallel;
use crate::engine::transpose::transpose;

/// Rows of the output that are written at once: every cache line that is read is used completely.
const TOGETHER: usize = 16;

/// Input: any shape; output: the same with dimension `from` at place `to`, the others in their order.
#[derive(Clone, Debug)]
pub struct MoveAxis {
    /// The dimension that moves.
    pub from: usize,
    /// Its place in the output.
    pub to: usize,
}

impl MoveAxis {
    /// The input as `[outer, rows, columns, inner]` of which rows and columns are transposed.
    fn transposed(&self, shape: &[usize]) -> [usize; 4] {
        let (low, high) = (self.from.min(self.to), self.from.max(self.to));
        let middle = if self.from < self.to { low + 1 } else { high };
        let product = |range: std::ops::Range<usize>| shape[range].iter().product();
        [
            product(0..low),
            product(low..middle),
            product(middle..high + 1),
            product(high + 1..shape.len()),
        ]
    }
}

impl Operator for MoveAxis {
    fn name(&self) -> &'static str {
        "Transpose"
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let [shape] = *inputs else { bail!("Transpose takes one input") };
        ensure!(
            self.from.max(self.to) < shape.len(),
            "shape {shape:?} has no dimension {}",
            self.from.max(self.to)
        );
        let mut output: TVec<usize> = shape.into();
        let size = output.remove(self.from);
        output.insert(self.to, size);
        Ok(output)
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let [_, rows, columns, inner] = self.transposed(inputs.shape(0));
        let picture = rows * columns * inner;
        if output.is_empty() {
            return Ok(());
        }
        let (source, width) = (inputs.floats(0)?, rows * inner);
        let threads = parallel::threads_for_values(output.len()).min(columns);
        let parts: Vec<Range<usize>> = parallel::split_evenly(columns, threads).collect();
        let places = parts.iter().map(|part| part.start * width..part.end * width);
        let mut strips = parallel::split_columns(output, picture, places);
        parallel::for_each(threads, strips.iter_mut().zip(&parts), |(strip, part)| {
            for (output, source) in strip.iter_mut().zip(source.chunks_exact(picture)) {
                for (output, first) in output.chunks_mut(TOGETHER * width).zip(part.clone().step_by(TOGETHER)) {
                    transpose_strip(output, source, [rows, columns, inner], first);
                }
            }
        });
        Ok(())
    }
}

/// Columns of `[rows, columns, inner]`, from one of them on, as rows of `output`.
fn transpose_strip(output: &mut [f32], source: &[f32], [rows, columns, inner]: [usize; 3], first: usize) {
    let width = output.len() / (rows * inner);
    if inner == 1 {
        return transpose(&source[first..], columns, output, rows, [rows, width]);
    }
    for row in 0..rows {
        let source = &source[(row * columns + first) * inner..][..width * inner];
        for (output, values) in output.chunks_exact_mut(rows * inner).zip(source.chunks_exact(inner)) {
            output[row * inner..][..inner].copy_from_slice(values);
        }
    }
}
