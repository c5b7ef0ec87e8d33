//! The table of standard operators: what the quantizer does with each, and the shapes of its outputs. Support for another standard
//! operator is one row here.

use tract_onnx::pb::NodeProto;

use crate::decompose::{self, Decomposition};
use crate::downgrade;
use crate::error::Result;
use crate::graph::Graph;
use crate::proto;
use crate::shapes::{self, Shape};

/// A standard operator.
pub(crate) struct Operator {
    pub name: &'static str,
    pub fate: Fate,
    pub shape: Shape,
}

/// What becomes of an operator's nodes, unless [`crate::fold`], [`crate::fuse`] or [`crate::layers`] replace them.
pub(crate) enum Fate {
    /// They stay: they mean the same in every operator set that can be read.
    Kept,
    /// They are rewritten as in [`OPSET`](crate::proto::OPSET).
    Rewritten(fn(&mut Graph, NodeProto) -> Result<NodeProto>),
    /// Each becomes several nodes of older operators.
    Decomposed(fn(Decomposition) -> Result<Vec<NodeProto>>),
    /// Each becomes several simpler nodes where it can, and stays where not.
    Simplified(fn(Decomposition) -> Result<Vec<NodeProto>>),
    /// They are an error, with this advice or, without one, that of exporting with [`OPSET`](crate::proto::OPSET).
    Refused(Option<&'static str>),
}

use Fate::{Decomposed, Kept, Refused, Rewritten, Simplified};
use Shape::{Broadcast, One, Same, Several, Unknown};

const QUANTIZED: Fate = Refused(Some("the model is quantized already: give the f32 export"));
const ATTENTION: Fate = Refused(Some(
    "only attention of one picture, with q, k and v split into as many heads each, at most a float mask that broadcasts \
     to [1, heads, T, S], without softcap or a second mask is supported: export such attention with operator set 18",
));
const GROUP_NORMALIZATION: Fate = Refused(Some(
    "only constant gain and bias are supported: export the model with operator set 18",
));

const SIZED_BY_VALUES: Fate = Refused(Some(
    "the size of its output depends on values, and all sizes must be known: cut the export before this node",
));

const RECURRENT: Fate = Refused(Some("recurrent layers are not supported: cut the export before this node"));

/// All operators, by name.
static OPERATORS: [Operator; 110] = [
    row("Abs", Kept, Same),
    row("Add", Kept, Broadcast),
    row("And", Kept, Broadcast),
    row("ArgMax", Kept, One(shapes::extreme)),
    row("ArgMin", Kept, One(shapes::extreme)),
    row("Attention", ATTENTION, One(shapes::attention)),
    row("AveragePool", Kept, One(shapes::pool)),
    row("BatchNormalization", Kept, Same),
    row("Cast", Rewritten(downgrade::cast), Same),
    row("Ceil", Kept, Same),
    row("Celu", Decomposed(decompose::celu), Same),
    row("Clip", Kept, Same),
    row("Concat", Kept, One(shapes::concat)),
    row("Constant", Kept, Unknown),
    row("ConstantOfShape", Kept, One(shapes::constant_of_shape)),
    row("Conv", Kept, One(shapes::convolution)),
    row("ConvTranspose", Kept, One(shapes::transposed_convolution)),
    row("Cos", Kept, Same),
    row("CumSum", Kept, Same),
    row("DepthToSpace", Kept, One(shapes::depth_to_space)),
    row("DequantizeLinear", QUANTIZED, Unknown),
    row("Div", Kept, Broadcast),
    row("Dropout", Refused(None), Same),
    row("Einsum", Simplified(decompose::einsum), One(shapes::einsum)),
    row("Elu", Kept, Same),
    row("Equal", Kept, Broadcast),
    row("Erf", Kept, Same),
    row("Exp", Kept, Same),
    row("Expand", Kept, One(shapes::expand)),
    row("Flatten", Kept, One(shapes::flatten_node)),
    row("Floor", Kept, Same),
    row("GRU", RECURRENT, Unknown),
    row("Gather", Kept, One(shapes::gather)),
    row("GatherElements", Kept, One(shapes::gather_elements)),
    row("GatherND", Kept, Unknown),
    row("Gelu", Refused(None), Same),
    row("Gemm", Kept, One(shapes::gemm)),
    row("GlobalAveragePool", Kept, One(shapes::global_pool)),
    row("Greater", Kept, Broadcast),
    row("GreaterOrEqual", Kept, Broadcast),
    row("GroupNormalization", GROUP_NORMALIZATION, Same),
    row("HardSigmoid", Kept, Same),
    row("HardSwish", Kept, Same),
    row("Identity", Kept, Same),
    row("InstanceNormalization", Kept, Same),
    row("LSTM", RECURRENT, Unknown),
    row("LayerNormalization", Rewritten(downgrade::layer_norm), Same),
    row("LeakyRelu", Kept, Same),
    row("Less", Kept, Broadcast),
    row("LessOrEqual", Kept, Broadcast),
    row("Log", Kept, Same),
    row("LogSoftmax", Kept, Same),
    row("MatMul", Kept, One(shapes::matmul)),
    row("Max", Kept, Broadcast),
    row("MaxPool", Kept, One(shapes::pool)),
    row("Min", Kept, Broadcast),
    row("Mish", Decomposed(decompose::mish), Same),
    row("Mod", Kept, Broadcast),
    row("Mul", Kept, Broadcast),
    row("Neg", Kept, Same),
    row("NonMaxSuppression", SIZED_BY_VALUES, Unknown),
    row("NonZero", SIZED_BY_VALUES, Unknown),
    row("Not", Kept, Same),
    row("OneHot", Kept, Unknown),
    row("Or", Kept, Broadcast),
    row("PRelu", Kept, Broadcast),
    row("Pad", Rewritten(downgrade::pad), One(shapes::pad_node)),
    row("Pow", Kept, Broadcast),
    row("QuantizeLinear", QUANTIZED, Unknown),
    row("RMSNormalization", Decomposed(decompose::root_mean_square), Same),
    row("RNN", RECURRENT, Unknown),
    row("Range", Kept, Unknown),
    row("Reciprocal", Kept, Same),
    row("ReduceL1", Rewritten(downgrade::reduce), One(shapes::reduce)),
    row("ReduceL2", Rewritten(downgrade::reduce), One(shapes::reduce)),
    row("ReduceLogSum", Rewritten(downgrade::reduce), One(shapes::reduce)),
    row("ReduceLogSumExp", Rewritten(downgrade::reduce), One(shapes::reduce)),
    row("ReduceMax", Rewritten(downgrade::reduce), One(shapes::reduce)),
    row("ReduceMean", Rewritten(downgrade::reduce), One(shapes::reduce)),
    row("ReduceMin", Rewritten(downgrade::reduce), One(shapes::reduce)),
    row("ReduceProd", Rewritten(downgrade::reduce), One(shapes::reduce)),
    row("ReduceSum", Kept, One(shapes::reduce)),
    row("ReduceSumSquare", Rewritten(downgrade::reduce), One(shapes::reduce)),
    row("Relu", Kept, Same),
    row("Reshape", Rewritten(downgrade::reshape), One(shapes::reshape_node)),
    row("Resize", Rewritten(downgrade::resize), One(shapes::resize)),
    row("Round", Kept, Same),
    row("Selu", Decomposed(decompose::selu), Same),
    row("Shape", Kept, One(shapes::shape)),
    row("Sigmoid", Kept, Same),
    row("Sin", Kept, Same),
    row("Slice", Kept, One(shapes::slice)),
    row("Softmax", Kept, Same),
    row("Softplus", Kept, Same),
    row("Softsign", Decomposed(decompose::softsign), Same),
    row("SpaceToDepth", Kept, One(shapes::space_to_depth)),
    row("Split", Rewritten(downgrade::split), Several(shapes::split)),
    row("Sqrt", Kept, Same),
    row("Squeeze", Kept, One(shapes::squeeze_node)),
    row("Sub", Kept, Broadcast),
    row("Tanh", Kept, Same),
    row("ThresholdedRelu", Decomposed(decompose::thresholded_relu), Same),
    row("Tile", Kept, One(shapes::tile)),
    row("TopK", Kept, Unknown),
    row("Transpose", Kept, One(shapes::transpose_node)),
    row("Trilu", Kept, Same),
    row("Unique", SIZED_BY_VALUES, Unknown),
    row("Unsqueeze", Kept, One(shapes::unsqueeze_node)),
    row("Where", Kept, Broadcast),
    row("Xor", Kept, Broadcast),
];

const fn row(name: &'static str, fate: Fate, shape: Shape) -> Operator {
    Operator { name, fate, shape }
}

/// The operator of this name, if it is known.
pub(crate) fn find(name: &str) -> Option<&'static Operator> {
    let place = OPERATORS.binary_search_by(|operator| operator.name.cmp(name)).ok()?;
    Some(&OPERATORS[place])
}

/// Why no pack can have a node, and what to do; `None` if one may, or if the operator is not known.
pub(crate) fn advice(node: &NodeProto) -> Option<&'static str> {
    match &find(&node.op_type).filter(|operator| proto::is(node, operator.name))?.fate {
        Refused(advice) => *advice,
        _ => None,
    }
}

/// Whether definitions of our operators may use an operator.
#[cfg(test)]
pub(crate) fn is_in_opset(name: &str) -> bool {
    name == "DequantizeLinear" || find(name).is_some_and(|operator| matches!(operator.fate, Kept | Rewritten(_) | Simplified(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order() {
        assert!(OPERATORS.is_sorted_by(|one, other| one.name < other.name));
        assert!(find("Abs").is_some() && find("Xor").is_some() && find("HannWindow").is_none());
    }

    #[test]
    fn what_stays_in_graphs_is_read_by_the_engine() {
        for operator in &OPERATORS {
            let stays = matches!(operator.fate, Kept | Rewritten(_) | Simplified(_));
            assert!(!stays || inkstone::engine::is_read(operator.name), "{}", operator.name);
        }
    }
}
