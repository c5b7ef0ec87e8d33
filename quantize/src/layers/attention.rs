//! Attention to many keys becomes `QAttention`, whose products are int8.

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

#[cfg(test)]
mod tests {
    use crate::layers::{Kind, Scheme, quantize};
    use crate::proto;
    use crate::testing::{Builder, names};

    #[test]
    fn attention_to_many_keys_becomes_int8() {
        for (keys, scheme, operator) in [
            (512, Scheme::W8a8, "QAttention"),
            (511, Scheme::W8a8, "Attention"),
            (512, Scheme::F32, "Attention"),
        ] {
            let mut builder = Builder::new(17).input("q", &[1, 3, 8]).output("y", &[1, 3, 8]);
            for name in ["k", "v"] {
                builder = builder.input(name, &[1, keys, 8]);
            }
            let mut graph = builder.node("Identity", &["q"], "y").graph();
            graph.nodes[0] = proto::our_node(&super::ATTENTION, "mix", &["q", "k", "v"], &["y"]);
            let layers = quantize(&mut graph, scheme, &[], &mut |values| Ok(values.into())).unwrap();
            assert_eq!(names(&graph), [operator]);
            let found: Vec<_> = layers
                .iter()
                .map(|layer| (layer.kind, layer.shape.as_slice(), layer.products))
                .collect();
            match operator {
                "QAttention" => assert_eq!(found, [(Kind::QAttention, &[3, 512, 8][..], 2 * 3 * 512 * 8)]),
                _ => assert!(found.is_empty()),
            }
        }
    }
}
