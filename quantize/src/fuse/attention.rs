//! Attention of one picture, from rows `[1, T, C]` to rows `[1, T, C]`.

use inkstone::engine::operators::{ATTENTION, MASKED_ATTENTION};
use tract_onnx::pb::NodeProto;

use super::product::without_factors;
use super::{Made, Replacement, both_ways};
use crate::graph::{Graph, Links};
use crate::proto::{self, WithAttribute};
use crate::tensor::Constant;

const TO_HEADS: [i64; 4] = [0, 2, 1, 3];

/// Rows and how they are split into heads.
#[derive(Clone, Copy, PartialEq)]
struct Heads<'a> {
    rows: &'a str,
    heads: usize,
    width: usize,
}

/// The standard `Attention` between Reshape and Transpose on every side.
pub(super) fn standard(graph: &Graph, links: &Links, node: &NodeProto) -> Option<Replacement> {
    let attention = links
        .made_by(graph, joined(graph, links, node)?, "Attention")
        .filter(|attention| is_plain(attention))?;
    let split = |index| split_heads(graph, links, proto::input(attention, index)?);
    let operands = [split(0)?, split(1)?, split(2)?];
    let scale = proto::float(attention, "scale").unwrap_or((operands[0].width as f32).sqrt().recip());
    build(graph, links, node, operands, scale, Mask::of(attention)?)
}

/// The standard `Attention` that splits rows `[1, T, C]` into heads itself.
pub(super) fn by_rows(graph: &Graph, links: &Links, node: &NodeProto) -> Option<Replacement> {
    if !proto::is(node, "Attention") || !is_plain(node) {
        return None;
    }
    let rows = |index, heads: &str| {
        let rows = proto::input(node, index)?;
        let (&[1, _, channels], heads) = (graph.shape(rows)?, usize::try_from(proto::int(node, heads)?).ok()?) else {
            return None;
        };
        Some(Heads {
            rows,
            heads,
            width: channels.checked_div(heads)?,
        })
    };
    let operands = [rows(0, "q_num_heads")?, rows(1, "kv_num_heads")?, rows(2, "kv_num_heads")?];
    let scale = proto::float(node, "scale").unwrap_or((operands[0].width as f32).sqrt().recip());
    build(graph, links, node, operands, scale, Mask::of(node)?)
}

/// MatMul → (Add mask) → Softmax → MatMul, with the scale before, between or after.
pub(super) fn decomposed(graph: &Graph, links: &Links, node: &NodeProto) -> Option<Replacement> {
    let mixed = links.made_by(graph, by_head(graph, links, joined(graph, links, node)?), "MatMul")?;
    let softmax = links.made_by(graph, &mixed.input[0], "Softmax")?;
    if !is_over_keys(graph, softmax) {
        return None;
    }
    let scores = &softmax.input[0];
    let unmasked = |mask: Option<&str>, scores: &str| {
        let (scores, outer) = without_factors(graph, links, scores);
        let product = links.made_by(graph, scores, "MatMul")?;
        let (query, query_factor) = without_factors(graph, links, &product.input[0]);
        let (key, key_factor) = without_factors(graph, links, &product.input[1]);
        let whole = untransposed(graph, links, key).and_then(|key| split_heads(graph, links, by_head(graph, links, key)));
        let key = whole.or_else(|| transposed_heads(graph, links, by_head(graph, links, key)))?;
        let split = |value| split_heads(graph, links, by_head(graph, links, value));
        let operands = [split(query)?, key, split(&mixed.input[1])?];
        let mask = mask.map_or(Mask::None, Mask::Value);
        build(graph, links, node, operands, outer * query_factor * key_factor, mask)
    };
    match links.made_by(graph, scores, "Add") {
        Some(add) => both_ways(add)?.into_iter().find_map(|(scores, mask)| unmasked(Some(mask), scores)),
        None => unmasked(None, scores),
    }
}

fn is_plain(attention: &NodeProto) -> bool {
    let zero = |name: &str| proto::int(attention, name).unwrap_or(0) == 0;
    let alone = attention.output.iter().skip(1).all(String::is_empty) && attention.input.iter().skip(4).all(String::is_empty);
    alone && zero("qk_matmul_output_mode") && proto::float(attention, "softcap").unwrap_or(0.0) == 0.0
}

/// Whether the softmax is over the last axis.
pub(super) fn is_over_keys(graph: &Graph, softmax: &NodeProto) -> bool {
    let last = |rank: usize| i64::try_from(rank).ok().map(|rank| rank - 1);
    match proto::int(softmax, "axis") {
        None | Some(-1) => true,
        axis => axis == graph.shape(&softmax.input[0]).and_then(|shape| last(shape.len())),
    }
}

/// Without the Reshape between `[1, heads, rows, width]` and `[heads, rows, width]`, which some exports put around products.
fn by_head<'a>(graph: &'a Graph, links: &Links, value: &'a str) -> &'a str {
    let merged = || {
        let from = links.made_by(graph, value, "Reshape")?.input[0].as_str();
        let same = |four: &[usize], three: &[usize]| four.len() == 4 && four[0] == 1 && four[1..] == *three;
        let (from_shape, to_shape) = (graph.shape(from)?, graph.shape(value)?);
        (same(from_shape, to_shape) || same(to_shape, from_shape)).then_some(from)
    };
    merged().unwrap_or(value)
}

/// What a Reshape → `[1, T, C]` ← Transpose joins.
fn joined<'a>(graph: &'a Graph, links: &Links, node: &'a NodeProto) -> Option<&'a str> {
    if !proto::is(node, "Reshape") {
        return None;
    }
    let transpose = links
        .made_by(graph, &node.input[0], "Transpose")
        .filter(|node| proto::ints(node, "perm") == Some(&TO_HEADS))?;
    let (&[1, rows, heads, width], &[1, joined_rows, channels]) = (graph.shape(&node.input[0])?, graph.shape(&node.output[0])?) else {
        return None;
    };
    (rows == joined_rows && heads * width == channels).then_some(transpose.input[0].as_str())
}

fn split_heads<'a>(graph: &'a Graph, links: &Links, value: &str) -> Option<Heads<'a>> {
    let transpose = links
        .made_by(graph, value, "Transpose")
        .filter(|node| proto::ints(node, "perm") == Some(&TO_HEADS))?;
    reshaped(graph, links, &transpose.input[0])
}

/// Keys that go from rows to `[1, heads, width, rows]` in one Transpose.
fn transposed_heads<'a>(graph: &'a Graph, links: &Links, value: &str) -> Option<Heads<'a>> {
    let transpose = links
        .made_by(graph, value, "Transpose")
        .filter(|node| proto::ints(node, "perm") == Some(&[0, 2, 3, 1]))?;
    reshaped(graph, links, &transpose.input[0])
}

fn reshaped<'a>(graph: &'a Graph, links: &Links, value: &str) -> Option<Heads<'a>> {
    let rows = links.made_by(graph, value, "Reshape")?.input[0].as_str();
    let (&[1, count, channels], &[1, split_count, heads, width]) = (graph.shape(rows)?, graph.shape(value)?) else {
        return None;
    };
    (count == split_count && channels == heads * width).then_some(Heads { rows, heads, width })
}

/// What is transposed in its last two axes: by one Transpose, or by one between two Reshapes.
fn untransposed<'a>(graph: &'a Graph, links: &Links, value: &str) -> Option<&'a str> {
    let swap = |value: &str, order: &[i64]| {
        links
            .made_by(graph, value, "Transpose")
            .filter(|node| proto::ints(node, "perm") == Some(order))
    };
    if let Some(transpose) = swap(value, &[0, 1, 3, 2]).or_else(|| swap(value, &[0, 2, 1])) {
        return Some(&transpose.input[0]);
    }
    let reshape = links.made_by(graph, value, "Reshape")?;
    let transpose = swap(&reshape.input[0], &[0, 2, 1])?;
    let merged = links.made_by(graph, &transpose.input[0], "Reshape")?;
    let (from, to) = (graph.shape(&merged.input[0])?, graph.shape(value)?);
    let (&[1, heads, rows, width], merged_shape) = (from, graph.shape(&transpose.input[0])?) else {
        return None;
    };
    (merged_shape == [heads, rows, width] && to == [1, heads, width, rows]).then_some(merged.input[0].as_str())
}

/// What is added to the scores.
enum Mask<'a> {
    None,
    Value(&'a str),
    /// Nothing for a query's own key and those before it, minus infinity for those after it.
    Causal,
}

/// Most values of a causal mask that a pack is to hold.
const CAUSAL_VALUES: usize = 1 << 20;

impl<'a> Mask<'a> {
    /// The mask of the standard operator; `None` where it has two.
    fn of(attention: &'a NodeProto) -> Option<Mask<'a>> {
        match (proto::input(attention, 3), proto::int(attention, "is_causal").unwrap_or(0)) {
            (None, 0) => Some(Mask::None),
            (Some(mask), 0) => Some(Mask::Value(mask)),
            (None, _) => Some(Mask::Causal),
            (Some(_), _) => None,
        }
    }
}

/// `[queries, keys]`
fn causal(queries: usize, keys: usize) -> Constant {
    let row = |query: usize| (0..keys).map(move |key| if key <= query { 0.0 } else { f32::NEG_INFINITY });
    Constant::f32(&[queries, keys], (0..queries).flat_map(row).collect())
}

fn build(graph: &Graph, links: &Links, node: &NodeProto, operands: [Heads; 3], scale: f32, mask: Mask) -> Option<Replacement> {
    let [query, key, value] = operands;
    let (&[_, query_rows, channels], &[_, rows, _], &[_, value_rows, _]) =
        (graph.shape(query.rows)?, graph.shape(key.rows)?, graph.shape(value.rows)?)
    else {
        return None;
    };
    let alike = [key, value]
        .iter()
        .all(|other| (other.heads, other.width) == (query.heads, query.width));
    if !alike || rows != value_rows || channels != query.heads * query.width {
        return None;
    }
    let zero = |mask: &str| {
        graph
            .constants
            .get(mask)
            .and_then(|mask| mask.floats())
            .is_some_and(|values| values.iter().all(|&value| value == 0.0))
    };
    let causal_name = format!("{}.causal", node.name);
    let (mut inputs, mut constants) = (vec![query.rows, key.rows, value.rows], Vec::new());
    match mask {
        Mask::Value(mask) if zero(mask) => {}
        Mask::Value(mask) if broadcasts(graph.shape(mask)?, [query.heads, query_rows, rows]) && is_float(graph, links, mask) => {
            inputs.push(mask);
        }
        Mask::Causal if query_rows * rows <= CAUSAL_VALUES => {
            constants.push((inputs.len(), causal(query_rows, rows)));
            inputs.push(&causal_name);
        }
        Mask::Value(_) | Mask::Causal => return None,
        Mask::None => {}
    }
    let operator = if inputs.len() == 3 { &ATTENTION } else { &MASKED_ATTENTION };
    let node = proto::our_node(operator, &node.name, &inputs, &[&node.output[0]])
        .with_int("heads", i64::try_from(query.heads).ok()?)
        .with_float("scale", scale);
    Some(Made { node, constants }.into())
}

/// Whether a mask of this shape is a bias of the engine's attention.
fn broadcasts(mask: &[usize], [heads, queries, keys]: [usize; 3]) -> bool {
    let from_last = |place: usize| mask.len().checked_sub(place).map_or(1, |index| mask[index]);
    mask.len() <= 4
        && from_last(1) == keys
        && [1, queries].contains(&from_last(2))
        && [1, heads].contains(&from_last(3))
        && from_last(4) == 1
}

/// Masks may be boolean too; what makes those is known.
fn is_float(graph: &Graph, links: &Links, mask: &str) -> bool {
    if let Some(constant) = graph.constants.get(mask) {
        return constant.is_float();
    }
    let Some(node) = links.producer(graph, mask) else { return true };
    match node.op_type.as_str() {
        "Cast" => proto::int(node, "to") == Some(1),
        "Unsqueeze" | "Squeeze" | "Reshape" | "Expand" | "Transpose" | "Slice" | "Gather" | "Concat" => {
            is_float(graph, links, &node.input[0])
        }
        "Where" => is_float(graph, links, &node.input[1]),
        operator => ![
            "Equal",
            "Not",
            "And",
            "Or",
            "Xor",
            "Less",
            "Greater",
            "LessOrEqual",
            "GreaterOrEqual",
        ]
        .contains(&operator),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuse::fuse;
    use crate::testing::{Builder, names};

    fn split(builder: Builder, value: &str, order: &[i64]) -> Builder {
        let (split, heads) = (format!("{value}.split"), format!("{value}.heads"));
        let transpose = proto::node("Transpose", &heads, &[&split], &[&heads]).with_ints("perm", order);
        builder.node("Reshape", &[value, "heads"], &split).with(transpose)
    }

    fn prepared(opset: i64, key_order: &[i64]) -> Builder {
        let mut builder = Builder::new(opset)
            .output("y", &[1, 6, 8])
            .integers("heads", &[1, 6, 2, 4])
            .integers("rows", &[1, 6, 8]);
        for (value, order) in [("q", &TO_HEADS[..]), ("k", key_order), ("v", &TO_HEADS[..])] {
            builder = split(builder.input(value, &[1, 6, 8]), value, order);
        }
        builder
    }

    fn finish(builder: Builder) -> Graph {
        let join = proto::node("Transpose", "join", &["mixed"], &["joined"]).with_ints("perm", &TO_HEADS);
        let mut graph = builder.with(join).node("Reshape", &["joined", "rows"], "y").graph();
        crate::fold::fold(&mut graph).unwrap();
        fuse(&mut graph);
        graph
    }

    fn scale(graph: &Graph) -> f32 {
        proto::float(&graph.nodes[0], "scale").unwrap()
    }

    #[test]
    fn the_standard_operator() {
        let graph = finish(prepared(23, &TO_HEADS).node("Attention", &["q.heads", "k.heads", "v.heads"], "mixed"));
        assert_eq!(names(&graph), ["Attention"]);
        assert_eq!(
            (graph.nodes[0].input.as_slice(), scale(&graph)),
            (&["q".to_owned(), "k".into(), "v".into()][..], 0.5)
        );
    }

    #[test]
    fn masks_that_broadcast() {
        let shapes: [(&[i64], &str); 8] = [
            (&[1, 1, 1, 6], "MaskedAttention"),
            (&[1, 1, 6, 6], "MaskedAttention"),
            (&[6, 6], "MaskedAttention"),
            (&[1, 2, 6, 6], "MaskedAttention"),
            (&[6], "MaskedAttention"),
            (&[1, 1, 6, 1], "Reshape"),
            (&[1, 3, 6, 6], "Reshape"),
            (&[2, 1, 1, 6], "Reshape"),
        ];
        for (shape, operator) in shapes {
            let builder = prepared(23, &TO_HEADS).input("mask", shape);
            let graph = finish(builder.node("Attention", &["q.heads", "k.heads", "v.heads", "mask"], "mixed"));
            assert_eq!(graph.nodes[0].op_type, operator);
        }
    }

    #[test]
    fn a_mask_of_zeros_is_none() {
        for (value, operator) in [(0.0, "Attention"), (-1.0, "MaskedAttention")] {
            let builder = prepared(23, &TO_HEADS).constant("mask", &[6, 6], &[value; 36]);
            let graph = finish(builder.node("Attention", &["q.heads", "k.heads", "v.heads", "mask"], "mixed"));
            assert_eq!(graph.nodes[0].op_type, operator);
        }
    }

    #[test]
    fn causal_attention_gets_its_mask() {
        let causal = proto::node("Attention", "causal", &["q.heads", "k.heads", "v.heads"], &["mixed"]).with_int("is_causal", 1);
        let graph = finish(prepared(23, &TO_HEADS).with(causal));
        assert_eq!(names(&graph), ["MaskedAttention"]);
        let mask = graph.constants[&graph.nodes[0].input[3]].floats().unwrap();
        assert_eq!((mask.len(), mask[6], mask[7], mask[8]), (36, 0.0, 0.0, f32::NEG_INFINITY));
    }

    #[test]
    fn attention_with_a_soft_cap_stays_and_is_refused() {
        let capped = proto::node("Attention", "capped", &["q.heads", "k.heads", "v.heads"], &["mixed"]).with_float("softcap", 30.0);
        let graph = finish(prepared(23, &TO_HEADS).with(capped));
        assert!(
            crate::downgrade::check(&graph)
                .unwrap_err()
                .to_string()
                .contains("`capped` (Attention)")
        );
    }

    #[test]
    fn decomposed_by_products_of_rank_three() {
        let mut builder = prepared(17, &TO_HEADS)
            .constant("scale", &[], &[0.5])
            .integers("merged", &[2, 6, 4]);
        builder = builder.integers("apart", &[1, 2, 6, 4]);
        for value in ["q", "k", "v"] {
            builder = builder.node("Reshape", &[&format!("{value}.heads"), "merged"], &format!("{value}.merged"));
        }
        let softmax = proto::node("Softmax", "softmax", &["scaled"], &["p"]).with_int("axis", 2);
        let swap = proto::node("Transpose", "swap", &["k.merged"], &["kt"]).with_ints("perm", &[0, 2, 1]);
        builder = builder
            .with(swap)
            .node("MatMul", &["q.merged", "kt"], "s")
            .node("Mul", &["s", "scale"], "scaled");
        builder = builder.with(softmax).node("MatMul", &["p", "v.merged"], "m");
        let graph = finish(builder.node("Reshape", &["m", "apart"], "mixed"));
        assert_eq!(names(&graph), ["Attention"]);
        assert_eq!((&graph.nodes[0].input[1], scale(&graph)), (&"k".to_owned(), 0.5));
    }

    #[test]
    fn decomposed_with_the_scale_on_both_sides() {
        let mut builder = prepared(18, &[0, 2, 3, 1])
            .constant("root", &[1], &[0.5])
            .input("mask", &[1, 1, 1, 6]);
        builder = builder
            .node("Mul", &["q.heads", "root"], "qs")
            .node("Mul", &["k.heads", "root"], "ks")
            .node("MatMul", &["qs", "ks"], "s");
        builder = builder.node("Add", &["s", "mask"], "masked").node("Softmax", &["masked"], "p");
        let graph = finish(builder.node("MatMul", &["p", "v.heads"], "mixed"));
        assert_eq!(names(&graph), ["MaskedAttention"]);
        assert_eq!(scale(&graph), 0.25);
    }
}
