//! `Conv` → `QConv`.

use inkstone::engine::operators::Q_CONV;
use tract_onnx::pb::NodeProto;

use super::rows::{Matrix, PANEL_DEPTH, PANEL_ROWS};
use super::scaling::{Axis, Factors, Read, by_channel, largest_of_each};
use super::{Kind, Quantized, constant_bias, finite, layer_name, parameter_names, with_parameters};
use crate::error::Result;
use crate::graph::Graph;
use crate::proto::{self, WithAttribute};

/// Weights and their shape, if the node is a plain two-dimensional convolution that can be int8.
fn weights<'a>(graph: &'a Graph, node: &NodeProto) -> Option<(&'a [f32], [usize; 4])> {
    let weight = graph.constant_input(node, 1)?;
    let shape: [usize; 4] = weight.shape.as_slice().try_into().ok()?;
    let fits = proto::is(node, "Conv") && shape[1].is_multiple_of(PANEL_DEPTH) && shape[1] > 0 && is_plain(node);
    constant_bias(graph, node, 2).ok()?;
    Some((weight.floats().filter(|_| fits)?, shape))
}

/// What such a convolution reads.
pub(super) fn read(graph: &Graph, node: &NodeProto) -> Option<Read> {
    let (values, [_, channels, height, width]) = weights(graph, node)?;
    Some(Read {
        value: node.input[0].clone(),
        axis: Axis::Second,
        weights: by_channel(&largest_of_each(values, height * width), channels),
    })
}

/// A plain two-dimensional convolution with constant weights becomes int8; others stay.
pub(super) fn quantize(graph: &Graph, factors: &Factors, node: &NodeProto) -> Result<Option<Quantized>> {
    let Some((values, [outputs, channels, height, width])) = weights(graph, node) else {
        return Ok(None);
    };
    let bias = constant_bias(graph, node, 2).ok().flatten();
    let columns = channels * height * width;
    let matrix = Matrix::new(channels_last(values, channels, height * width), columns);
    let (x, matrix) = factors.apply(&node.input[0], Axis::Second, matrix);
    let name = layer_name(graph, node, &node.input[1], proto::input(node, 2));
    let [weight_name, scale_name, bias_name] = parameter_names(&name);
    let list = |name: &str, default: &[i64]| proto::ints(node, name).map_or_else(|| default.to_vec(), <[i64]>::to_vec);
    let sizes = |sizes: &[usize]| sizes.iter().map(|&size| size as i64).collect::<Vec<_>>();
    let quantized = proto::our_node(&Q_CONV, &name, &[&x, &weight_name, &scale_name, &bias_name], &[&node.output[0]])
        .with_ints("kernel", &sizes(&[outputs, height, width, channels]))
        .with_ints("strides", &list("strides", &[1, 1]))
        .with_ints("pads", &list("pads", &[0, 0, 0, 0]))
        .with_ints("m8", &sizes(&[outputs.next_multiple_of(PANEL_ROWS), columns]));
    let bias = bias.and_then(|bias| bias.floats());
    let shape = vec![outputs, height, width, channels];
    finite(
        graph,
        node,
        with_parameters(quantized, Kind::QConv, shape, &matrix, bias, node.input[1..].to_vec()),
    )
    .map(Some)
}

fn is_plain(node: &NodeProto) -> bool {
    let padded_by_hand = matches!(proto::string(node, "auto_pad"), None | Some("NOTSET" | "VALID" | ""));
    let dense = proto::ints(node, "dilations").is_none_or(|dilations| dilations.iter().all(|&dilation| dilation == 1));
    dense && padded_by_hand && proto::int(node, "group").unwrap_or(1) == 1
}

/// `[O, C, kh·kw]` → `[O, kh·kw, C]`.
fn channels_last(values: &[f32], channels: usize, taps: usize) -> Vec<f32> {
    let mut moved = Vec::with_capacity(values.len());
    for output in values.chunks_exact(channels * taps) {
        for tap in 0..taps {
            moved.extend((0..channels).map(|channel| output[channel * taps + tap]));
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Scheme;
    use crate::testing::{Builder, names};

    #[test]
    fn channels_come_last() {
        assert_eq!(channels_last(&[1., 2., 3., 4., 5., 6.], 3, 2), [1., 3., 5., 2., 4., 6.]);
    }

    #[test]
    fn grouped_dilated_and_narrow_convolutions_stay() {
        let plain = || proto::node("Conv", "c", &["x", "w"], &["y"]);
        let cases = [
            (plain().with_int("group", 2), 8, 4),
            (plain().with_ints("dilations", &[2, 2]), 8, 8),
            (plain(), 6, 6),
            (
                plain().with(tract_onnx::pb::AttributeProto {
                    name: "auto_pad".into(),
                    s: b"SAME_UPPER".to_vec(),
                    ..Default::default()
                }),
                8,
                8,
            ),
        ];
        for (node, channels, inner) in cases {
            let builder = Builder::new(17)
                .input("x", &[1, channels, 1, 1])
                .output("y", &[1, 8, 1, 1])
                .filled("w", &[8, inner, 1, 1]);
            let mut graph = builder.with(node).graph();
            let none = Default::default();
            crate::layers::quantize(&mut graph, Scheme::W8a8All, &[], &none, &mut |values| Ok(values.into())).unwrap();
            assert_eq!(names(&graph), ["Conv"]);
        }
    }
}
