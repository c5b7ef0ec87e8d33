//! Padding that an export leaves to the runtime (`auto_pad`), as numbers: TensorFlow's and PaddlePaddle's exporters write it so. Sizes are
//! fixed, so the padding is, too.

use tract_onnx::pb::NodeProto;

use crate::graph::Graph;
use crate::proto::{self, WithAttribute};

/// Replaces `auto_pad` of a convolution or pooling by `pads`, if the size of its input is known. Other nodes stay as they are.
pub(crate) fn fix(graph: &Graph, node: &mut NodeProto) {
    if !matches!(node.op_type.as_str(), "Conv" | "MaxPool" | "AveragePool") {
        return;
    }
    let Some(pads) = pads(graph, node) else { return };
    let mut fixed = std::mem::take(node);
    fixed
        .attribute
        .retain(|attribute| !matches!(attribute.name.as_str(), "auto_pad" | "pads"));
    *node = fixed.with_ints("pads", &pads);
}

/// Begins of all axes and then ends, as ONNX has them; `None` if the node has numbers already, or a size is unknown.
fn pads(graph: &Graph, node: &NodeProto) -> Option<Vec<i64>> {
    let kind = proto::string(node, "auto_pad")?;
    let sizes = graph.shape(proto::input(node, 0)?)?.get(2..)?;
    let window = match proto::ints(node, "kernel_shape") {
        Some(window) => window.to_vec(),
        None => graph
            .shape(proto::input(node, 1)?)?
            .get(2..)?
            .iter()
            .map(|&size| i64::try_from(size).ok())
            .collect::<Option<_>>()?,
    };
    let (mut begins, mut ends) = (Vec::new(), Vec::new());
    for (index, &size) in sizes.iter().enumerate() {
        let total = match kind {
            "VALID" => 0,
            "SAME_UPPER" | "SAME_LOWER" => same(node, index, i64::try_from(size).ok()?, *window.get(index)?)?,
            _ => return None,
        };
        let (less, more) = (total / 2, total - total / 2);
        begins.push(if kind == "SAME_LOWER" { more } else { less });
        ends.push(if kind == "SAME_LOWER" { less } else { more });
    }
    begins.extend(ends);
    Some(begins)
}

/// What an axis is padded by on both sides together, so that its size becomes `size / stride`, rounded up.
fn same(node: &NodeProto, axis: usize, size: i64, window: i64) -> Option<i64> {
    let value = |name| proto::ints(node, name).map_or(Some(1), |list| list.get(axis).copied());
    let (stride, dilation) = (value("strides")?, value("dilations")?);
    let reach = window.checked_sub(1)?.checked_mul(dilation)?.checked_add(1)?;
    let places = size.checked_add(stride)?.checked_sub(1)?.checked_div(stride)?;
    let covered = places.checked_sub(1)?.checked_mul(stride)?.checked_add(reach)?;
    Some(covered.checked_sub(size)?.max(0))
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::AttributeProto;

    use super::*;
    use crate::testing::Builder;

    fn padded(kind: &str, size: i64, window: i64, stride: i64, dilation: i64) -> Option<Vec<i64>> {
        let auto = AttributeProto {
            name: "auto_pad".into(),
            s: kind.as_bytes().to_vec(),
            ..Default::default()
        };
        let node = proto::node("Conv", "c", &["x", "w"], &["y"]).with(auto);
        let mut node = node.with_ints("strides", &[stride]).with_ints("dilations", &[dilation]);
        let builder = Builder::new(17).input("x", &[1, 2, size]).output("y", &[1, 3, 1]);
        let graph = builder.filled("w", &[3, 2, window]).with(node.clone()).graph();
        fix(&graph, &mut node);
        assert_eq!(proto::string(&node, "auto_pad").is_some(), proto::ints(&node, "pads").is_none());
        proto::ints(&node, "pads").map(<[i64]>::to_vec)
    }

    #[test]
    fn an_odd_number_of_places_is_more_on_one_side() {
        assert_eq!(padded("SAME_UPPER", 5, 2, 1, 1), Some(vec![0, 1]));
        assert_eq!(padded("SAME_LOWER", 5, 2, 1, 1), Some(vec![1, 0]));
        assert_eq!(padded("SAME_UPPER", 8, 3, 2, 1), Some(vec![0, 1]));
        assert_eq!(padded("SAME_LOWER", 8, 4, 2, 1), Some(vec![1, 1]));
    }

    #[test]
    fn strides_and_dilations_count() {
        assert_eq!(padded("SAME_UPPER", 7, 3, 2, 1), Some(vec![1, 1]));
        assert_eq!(padded("SAME_UPPER", 7, 3, 1, 2), Some(vec![2, 2]));
        // A window that is narrower than the stride needs none.
        assert_eq!(padded("SAME_UPPER", 7, 1, 3, 1), Some(vec![0, 0]));
        assert_eq!(padded("VALID", 7, 3, 1, 1), Some(vec![0, 0]));
    }

    #[test]
    fn what_is_not_understood_stays() {
        assert_eq!(padded("SAME_UPPER", 7, 3, 0, 1), None);
        assert_eq!(padded("NOTSET", 7, 3, 1, 1), None);
        assert_eq!(padded("SAME_UPPER", 7, 3, 1, i64::MAX), None);
    }
}
