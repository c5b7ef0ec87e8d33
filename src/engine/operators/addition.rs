//! `Add` (ONNX) of two pictures, or of a picture and one value a channel.

use rayon::prelude::*;
use tract_onnx::tract_core::internal::*;

use crate::engine::adapter::{Inputs, Operator};
use crate::engine::lanes::widest;
use crate::engine::shares;

/// Inputs: a, and b of a's shape or with ones instead of its last dimensions, for all of which each of b's values stands;
/// output a + b, of a's shape.
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
        if a.len() == b.len() {
            let parts = output.par_chunks_mut(shares::VALUES).zip(a.par_chunks(shares::VALUES));
            parts.zip(b.par_chunks(shares::VALUES)).for_each(|((output, a), b)| {
                widest(
                    #[inline(always)]
                    |_| {
                        for ((out, a), b) in output.iter_mut().zip(a).zip(b) {
                            *out = a + b;
                        }
                    },
                );
            });
            return Ok(());
        }
        let area = a.len().checked_div(b.len()).unwrap_or(0).max(1);
        let channels = output.par_chunks_mut(area).zip(a.par_chunks(area)).zip(b);
        channels.with_min_len(shares::items(area)).for_each(|((output, a), &b)| {
            widest(
                #[inline(always)]
                |_| {
                    for (out, a) in output.iter_mut().zip(a) {
                        *out = a + b;
                    }
                },
            );
        });
        Ok(())
    }
}
