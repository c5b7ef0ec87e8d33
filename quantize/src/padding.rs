//! Padding that an export leaves to the runtime, as numbers: `auto_pad` (TensorFlow's and PaddlePaddle's exporters write it),
//! `ceil_mode` of pooling and `output_shape` of transposed convolutions. Sizes are fixed, so the padding is, too.

use tract_onnx::pb::NodeProto;

use crate::graph::Graph;
use crate::proto::{self, WithAttribute};

/// Replaces the attributes that leave padding to the runtime by `pads`, if the size of the input is known. Other nodes stay as they are.
pub(crate) fn fix(graph: &Graph, node: &mut NodeProto) {
    let each_axis = match node.op_type.as_str() {
        "Conv" | "MaxPool" | "AveragePool" if !by_hand(node) => automatic,
        "MaxPool" | "AveragePool" if proto::int(node, "ceil_mode").unwrap_or(0) != 0 => rounded_up,
        "ConvTranspose" => transposed,
        _ => return,
    };
    let Some(pads) = pads(graph, node, each_axis) else { return };
    let mut fixed = std::mem::take(node);
    fixed
        .attribute
        .retain(|attribute| !matches!(attribute.name.as_str(), "auto_pad" | "pads" | "ceil_mode" | "output_shape"));
    *node = fixed.with_ints("pads", &pads);
}

fn by_hand(node: &NodeProto) -> bool {
    matches!(proto::string(node, "auto_pad"), None | Some("NOTSET" | ""))
}

/// Begins of all axes and then ends, as ONNX has them; `None` if there is nothing to replace, or a size is unknown.
fn pads(graph: &Graph, node: &NodeProto, each: fn(&Axis) -> Option<[i64; 2]>) -> Option<Vec<i64>> {
    let signed = |sizes: &[usize]| sizes.iter().map(|&size| i64::try_from(size).ok()).collect::<Option<Vec<_>>>();
    let sizes = signed(graph.shape(proto::input(node, 0)?)?.get(2..)?)?;
    let window = match proto::ints(node, "kernel_shape") {
        Some(window) => window.to_vec(),
        None => signed(graph.shape(proto::input(node, 1)?)?.get(2..)?)?,
    };
    let (mut begins, mut ends) = (Vec::new(), Vec::new());
    for (index, &size) in sizes.iter().enumerate() {
        let [begin, end] = each(&Axis::of(node, [index, sizes.len()], size, *window.get(index)?)?)?;
        begins.push(begin);
        ends.push(end);
    }
    begins.extend(ends);
    Some(begins)
}

/// One axis of a window that moves.
struct Axis<'a> {
    node: &'a NodeProto,
    index: usize,
    size: i64,
    stride: i64,
    /// From the window's first place to behind its last, dilation included.
    reach: i64,
    pads: [i64; 2],
}

impl Axis<'_> {
    /// The spatial axis `index` of `count`, with the size of its input and of its window; `None` for missing or too large numbers.
    fn of(node: &NodeProto, [index, count]: [usize; 2], size: i64, window: i64) -> Option<Axis<'_>> {
        let value = |name, index: usize, default| proto::ints(node, name).map_or(Some(default), |list| list.get(index).copied());
        Some(Axis {
            node,
            index,
            size,
            stride: value("strides", index, 1)?,
            reach: window.checked_sub(1)?.checked_mul(value("dilations", index, 1)?)?.checked_add(1)?,
            pads: [value("pads", index, 0)?, value("pads", index + count, 0)?],
        })
    }

    /// Padding of both sides together, split; what is odd goes to the end for `SAME_UPPER`, else to the begin.
    fn split(&self, total: i64) -> [i64; 2] {
        let (less, more) = (total / 2, total - total / 2);
        if proto::string(self.node, "auto_pad") == Some("SAME_UPPER") {
            [less, more]
        } else {
            [more, less]
        }
    }
}

/// `auto_pad`: as much as makes the size `size / stride`, rounded up, or none.
fn automatic(axis: &Axis) -> Option<[i64; 2]> {
    match proto::string(axis.node, "auto_pad")? {
        "VALID" if proto::int(axis.node, "ceil_mode").unwrap_or(0) == 0 => Some([0, 0]),
        "SAME_UPPER" | "SAME_LOWER" => {
            let places = axis.size.checked_add(axis.stride)?.checked_sub(1)?.checked_div(axis.stride)?;
            let covered = places.checked_sub(1)?.checked_mul(axis.stride)?.checked_add(axis.reach)?;
            Some(axis.split(covered.checked_sub(axis.size)?.max(0)))
        }
        _ => None,
    }
}

/// `ceil_mode`: as much more at the end as the last, truncated window needs. One that would begin in that padding is left out.
fn rounded_up(axis: &Axis) -> Option<[i64; 2]> {
    let [begin, end] = axis.pads;
    let padded = axis.size.checked_add(begin)?;
    let free = padded.checked_add(end)?.checked_sub(axis.reach).filter(|&free| free >= 0)?;
    let whole = free.checked_div(axis.stride)?;
    let mut steps = free.checked_add(axis.stride)?.checked_sub(1)?.checked_div(axis.stride)?;
    if steps.checked_mul(axis.stride)? >= padded {
        steps -= 1;
    }
    if steps == whole {
        return Some([begin, end]);
    }
    // What truncates a window is no padding, and never counts in a mean; more padding would.
    let counted = proto::int(axis.node, "count_include_pad").unwrap_or(0) != 0;
    let needed = steps.checked_mul(axis.stride)?.checked_add(axis.reach)?.checked_sub(padded)?;
    (!counted && needed >= 0).then_some([begin, needed])
}

/// `auto_pad` and `output_shape` of a transposed convolution: what is cut off what it would make without padding.
fn transposed(axis: &Axis) -> Option<[i64; 2]> {
    let node = axis.node;
    let extra = proto::ints(node, "output_padding").map_or(Some(0), |list| list.get(axis.index).copied())?;
    let steps = axis.size.checked_sub(1)?.checked_mul(axis.stride)?;
    let whole = steps.checked_add(axis.reach)?.checked_add(extra)?;
    let wanted = match (proto::ints(node, "output_shape"), proto::string(node, "auto_pad")) {
        (Some(shape), _) => *shape.get(axis.index)?,
        (None, Some("SAME_UPPER" | "SAME_LOWER")) => axis.size.checked_mul(axis.stride)?,
        (None, Some("VALID")) => whole,
        _ => return None,
    };
    whole.checked_sub(wanted).filter(|&total| total >= 0).map(|total| axis.split(total))
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

    /// `pads` of a node with one axis, and whether nothing else is left to the runtime.
    fn fixed(mut node: NodeProto, size: i64) -> Option<Vec<i64>> {
        let builder = Builder::new(17).input("x", &[1, 2, size]).output("y", &[1, 2, 1]);
        let graph = builder.filled("w", &[2, 3, 3]).with(node.clone()).graph();
        fix(&graph, &mut node);
        let left = ["auto_pad", "ceil_mode", "output_shape"];
        let left = node.attribute.iter().any(|attribute| left.contains(&attribute.name.as_str()));
        proto::ints(&node, "pads").filter(|_| !left).map(<[i64]>::to_vec)
    }

    fn pooled(operator: &str, window: i64, stride: i64, pads: [i64; 2]) -> NodeProto {
        let node = proto::node(operator, "p", &["x"], &["y"]).with_int("ceil_mode", 1);
        node.with_ints("kernel_shape", &[window])
            .with_ints("strides", &[stride])
            .with_ints("pads", &pads)
    }

    #[test]
    fn a_truncated_window_is_padded() {
        let ends = |size, window, stride, pads| fixed(pooled("MaxPool", window, stride, pads), size);
        assert_eq!(ends(8, 3, 2, [0, 0]), Some(vec![0, 1]));
        assert_eq!(ends(7, 3, 2, [0, 0]), Some(vec![0, 0]));
        assert_eq!(ends(8, 2, 2, [1, 1]), Some(vec![1, 1]));
        assert_eq!(ends(6, 3, 4, [1, 1]), Some(vec![1, 1]));
        assert_eq!(ends(7, 3, 4, [1, 1]), Some(vec![1, 1]));
        // The third window would begin in the padding.
        assert_eq!(ends(3, 2, 2, [1, 1]), Some(vec![1, 1]));
        assert_eq!(ends(2, 3, 2, [0, 0]), None);
    }

    #[test]
    fn a_window_that_does_not_fit_whole_is_dropped_without_ceil_mode() {
        for operator in ["MaxPool", "AveragePool"] {
            let node = proto::node(operator, "p", &["x"], &["y"]).with_int("ceil_mode", 0);
            let mut node = node.with_ints("kernel_shape", &[3]).with_ints("strides", &[2]);
            let graph = Builder::new(17)
                .input("x", &[1, 2, 8])
                .output("y", &[1, 2, 3])
                .with(node.clone())
                .graph();
            let before = node.clone();
            fix(&graph, &mut node);
            assert_eq!(node, before);
        }
    }

    #[test]
    fn more_padding_would_count_in_a_mean() {
        let mean = |size, counted| fixed(pooled("AveragePool", 3, 2, [1, 1]).with_int("count_include_pad", counted), size);
        assert_eq!(mean(6, 0), Some(vec![1, 2]));
        assert_eq!(mean(6, 1), None);
        assert_eq!(mean(7, 1), Some(vec![1, 1]));
    }

    #[test]
    fn a_transposed_convolution_is_cut_to_its_size() {
        let node = || proto::node("ConvTranspose", "t", &["x", "w"], &["y"]).with_ints("strides", &[2]);
        let auto = |kind: &str| AttributeProto {
            name: "auto_pad".into(),
            s: kind.as_bytes().to_vec(),
            ..Default::default()
        };
        // 2 · 4 + 3 places.
        assert_eq!(fixed(node().with(auto("SAME_UPPER")), 5), Some(vec![0, 1]));
        assert_eq!(fixed(node().with(auto("SAME_LOWER")), 5), Some(vec![1, 0]));
        assert_eq!(fixed(node().with(auto("VALID")), 5), Some(vec![0, 0]));
        assert_eq!(fixed(node().with_ints("output_shape", &[8]), 5), Some(vec![2, 1]));
        assert_eq!(fixed(node().with_ints("output_shape", &[12]), 5), None);
        assert_eq!(fixed(node(), 5), None);
        let padded = node().with_ints("pads", &[1, 1]).with_ints("output_padding", &[1]);
        assert_eq!(fixed(padded, 5), Some(vec![1, 1]));
    }
}
