//! Attributes of nodes that several operators read.

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::internal::*;

use crate::engine::geometry::Padding;

/// `strides`: rows and columns; 1 by default.
pub fn strides(node: &NodeProto) -> TractResult<[usize; 2]> {
    let strides = if has(node, "strides") { sizes(node, "strides")? } else { [1, 1] };
    ensure!(!strides.contains(&0), "strides must not be 0");
    Ok(strides)
}

/// `pads`; none by default.
pub fn padding(node: &NodeProto) -> TractResult<Padding> {
    let [top, left, bottom, right] = if has(node, "pads") { sizes(node, "pads")? } else { [0; 4] };
    Ok(Padding { top, left, bottom, right })
}

fn has(node: &NodeProto, attribute: &str) -> bool {
    node.attribute.iter().any(|found| found.name == attribute)
}

/// An attribute of `COUNT` sizes, each below 65,536.
pub fn sizes<const COUNT: usize>(node: &NodeProto, attribute: &str) -> TractResult<[usize; COUNT]> {
    let values = node.get_attr_vec::<i64>(attribute)?;
    let sizes: Vec<usize> = values
        .iter()
        .filter_map(|&value| usize::try_from(value).ok())
        .filter(|&size| size < 1 << 16)
        .collect();
    <[usize; COUNT]>::try_from(sizes).map_err(|_| format_err!("attribute '{attribute}' is {values:?}; it must be {COUNT} sizes"))
}
