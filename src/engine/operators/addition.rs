//! `Add` (ONNX) of two values of the same shape, or of a picture and one value a channel.

use tract_onnx::tract_core::internal::*;

use crate::engine::adapter::{Inputs, Operator};
use crate::engine::parallel;
use crate::engine::simd::widest;

/// Inputs: a, and b of a's shape or with ones instead of its last dimensions, along which it is broadcast; output a + b, of a's shape.
#[derive(Clone, Debug)]
pub struct Addition;

impl Addition {
    /// Whether b can be added to a.
    pub fn fits(a: &[usize], b: &[usize]) -> bool {
        let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        a.len() == b.len() && b[same..].iter().all(|&size| size == 1)
    }
}

impl Operator for Addition {
    fn name(&self) -> &'static str {
        "Add"
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let [a, b] = *inputs else { bail!("Add takes two inputs") };
        ensure!(Addition::fits(a, b), "{b:?} cannot be added to {a:?}");
        Ok(a.into())
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let (a, b) = (inputs.floats(0)?, inputs.floats(1)?);
        // Values of a to which each value of b is added.
        let each = a.len().checked_div(b.len()).unwrap_or(1);
        parallel::for_each_chunk(output, inputs.shape(0), |start, output| {
            let a = &a[start..][..output.len()];
            if each == 1 {
                add(output, a, &b[start..]);
            } else {
                add_one_each(output, a, b, each, start);
            }
        });
        Ok(())
    }
}

fn add(output: &mut [f32], a: &[f32], b: &[f32]) {
    widest(
        #[inline(always)]
        |_| {
            for ((out, a), b) in output.iter_mut().zip(a).zip(b) {
                *out = a + b;
            }
        },
    );
}

/// Adds one value of b to each `each` values of a, from place `start` on.
fn add_one_each(mut output: &mut [f32], mut a: &[f32], b: &[f32], each: usize, start: usize) {
    let mut place = start;
    while !output.is_empty() {
        let length = (each - place % each).min(output.len());
        let (out, values, value) = (&mut output[..length], &a[..length], b[place / each]);
        widest(
            #[inline(always)]
            |_| {
                for (out, a) in out.iter_mut().zip(values) {
                    *out = a + value;
                }
            },
        );
        (output, a, place) = (&mut output[length..], &a[length..], place + length);
    }
}
