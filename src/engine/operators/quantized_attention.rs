//! `QAttention`: softmax(scale·q·kᵀ)·v by heads with int8 products, where there are many keys.

use std::sync::Arc;

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::internal::*;

use super::attention::{BY_INT8, check_rows};
use super::table::{Built, Resources, Schema};
use crate::engine::adapter::{Inputs, Operator};
use crate::engine::int8;
use crate::engine::kernels::Kernel;

/// `QAttention`.
pub static Q_ATTENTION: Schema = Schema {
    name: "QAttention",
    doc: "Attention of rows q [1, T, C] to rows k and v [1, S, C], which Inkstone computes with int8 products.",
    definition: BY_INT8,
};

pub(super) fn build(node: &NodeProto, resources: &Resources) -> Built {
    Ok(Some(Arc::new(QuantizedAttention {
        heads: node.get_attr("heads")?,
        scale: node.get_attr("scale")?,
        kernel: resources.kernel,
    })))
}

/// Inputs: q `[1, T, C]`, k and v `[1, S, C]`; output `[1, T, C]`.
#[derive(Clone, Debug)]
pub struct QuantizedAttention {
    /// Number of heads; C is a multiple of it.
    pub heads: usize,
    /// Factor of the scores.
    pub scale: f32,
    /// The micro-kernel.
    pub kernel: &'static dyn Kernel,
}

impl Operator for QuantizedAttention {
    fn name(&self) -> &'static str {
        Q_ATTENTION.name
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let [q, k, v] = *inputs else {
            bail!("{} takes 3 inputs", self.name())
        };
        check_rows(self.name(), [q, k, v], self.heads)?;
        Ok(q.into())
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        let rows = int8::AttentionRows {
            queries: inputs.floats(0)?,
            keys: inputs.floats(1)?,
            values: inputs.floats(2)?,
            channels: inputs.shape(0)[2],
            heads: self.heads,
            scale: self.scale,
        };
        int8::attend(self.kernel, &rows, output);
        Ok(())
    }
}
