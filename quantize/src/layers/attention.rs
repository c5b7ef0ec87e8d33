//! Attention to many keys becomes `QAttention`, which multiplies int8.

use inkstone::engine::operators::{ATTENTION, Q_ATTENTION};
use tract_onnx::pb::NodeProto;

use super::{Kind, Layer, Quantized};
use crate::graph::Graph;
use crate::proto;

/// Fewest keys: with fewer, products take little of a model's time, and each weight more of the result.
const KEYS: usize = 512;

/// The node's counterpart, if it is attention without a mask to as many keys.
pub(super) fn quantize(graph: &Graph, node: &NodeProto) -> Option<Quantized> {
    if !proto::is_ours(node, &ATTENTION) {
        return None;
    }
    let (&[1, queries, channels], &[1, keys, _]) = (graph.shape(&node.input[0])?, graph.shape(&node.input[1])?) else {
        return None;
    };
    let layer = Layer {
        name: node.name.clone(),
        kind: Kind::QAttention,
        operator: Q_ATTENTION.name.to_owned(),
        shape: vec![queries, keys, channels],
        products: 0,
        bytes_f32: 0,
        bytes_pack: 0,
        sqnr_db: None,
        scaled: false,
    };
    let node = NodeProto {
        op_type: Q_ATTENTION.name.to_owned(),
        ..node.clone()
    };
    (keys >= KEYS).then(|| Quantized {
        node,
        constants: Vec::new(),
        layer,
        replaced: Vec::new(),
    })
}

/// The line of attention that could be int8 and stays f32.
pub(super) fn kept(layer: Layer) -> Layer {
    Layer {
        kind: Kind::F32,
        operator: ATTENTION.name.to_owned(),
        ..layer
    }
}

#[cfg(test)]
mod tests {
    use crate::layers::{Kind, Scheme, quantize};
    use crate::proto;
    use crate::testing::{Builder, names};

    /// The node's operator, and the report's layers: kind, shape, products.
    fn quantized(keys: i64, scheme: Scheme, keep: &[String]) -> (String, Vec<Line>) {
        let mut builder = Builder::new(17).input("q", &[1, 3, 8]).output("y", &[1, 3, 8]);
        for name in ["k", "v"] {
            builder = builder.input(name, &[1, keys, 8]);
        }
        let mut graph = builder.node("Identity", &["q"], "y").graph();
        graph.nodes[0] = proto::our_node(&super::ATTENTION, "mix", &["q", "k", "v"], &["y"]);
        let layers = quantize(&mut graph, scheme, keep, &Default::default(), &mut |values| Ok(values.into())).unwrap();
        let layers = layers.into_iter().map(|layer| (layer.kind, layer.shape, layer.products));
        (names(&graph).concat(), layers.collect())
    }

    type Line = (Kind, Vec<usize>, u64);

    #[test]
    fn attention_to_many_keys_becomes_int8_unless_it_is_kept() {
        let line = |kind| vec![(kind, vec![3, 512, 8], 2 * 3 * 512 * 8)];
        let kept = ["mix".to_owned()];
        for (keys, scheme, keep, operator, lines) in [
            (512, Scheme::W8a8, &[][..], "QAttention", line(Kind::QAttention)),
            (512, Scheme::W8a8, &kept, "Attention", line(Kind::F32)),
            (511, Scheme::W8a8, &[], "Attention", vec![]),
            (512, Scheme::F32, &[], "Attention", vec![]),
        ] {
            assert_eq!(quantized(keys, scheme, keep), (operator.to_owned(), lines));
        }
    }
}
