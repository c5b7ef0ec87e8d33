//! What is fused and what is not, on graphs of a few nodes.

use tract_onnx::tract_core::ops::array::Slice;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::math;

use super::*;
use crate::engine::adapter::Operator;
use crate::engine::arithmetic::Activation;
use crate::engine::geometry::{Padding, Window};
use crate::engine::int8::WeightMatrix;
use crate::engine::kernels;
use crate::engine::operators::{GroupNorm, NormActivation, QuantizedConvolution, QuantizedLinear, RowNorm, RowNormKind};
use crate::pack::ExternalTensor;

const WIDTH: usize = 8;

/// A square matrix.
fn weights() -> WeightMatrix {
    let tensor = ExternalTensor::of_bytes(&[1; WIDTH * WIDTH], vec![WIDTH / 8, WIDTH / 4, 8, 4]);
    WeightMatrix::new(&tensor, WIDTH, WIDTH).unwrap()
}

/// A graph in the making.
struct Graph(TypedModel);

impl Graph {
    fn source(&mut self, name: &str, shape: &[usize]) -> OutletId {
        self.0.add_source(name, f32::fact(shape)).unwrap()
    }

    fn constant(&mut self, name: &str, shape: &[usize]) -> OutletId {
        let values = vec![0.5; shape.iter().product()];
        self.0.add_const(name, Tensor::from_shape(shape, &values).unwrap()).unwrap()
    }

    fn put(&mut self, name: &str, operator: impl Operator, inputs: &[OutletId]) -> OutletId {
        self.0.wire_node(name, Node(std::sync::Arc::new(operator)), inputs).unwrap()[0]
    }

    fn binary(&mut self, name: &str, operator: TypedBinOp, inputs: &[OutletId]) -> OutletId {
        self.0.wire_node(name, operator, inputs).unwrap()[0]
    }

    fn axis(&mut self, name: &str, operator: AxisOp, x: OutletId) -> OutletId {
        self.0.wire_node(name, operator, &[x]).unwrap()[0]
    }

    fn linear(&mut self, x: OutletId) -> OutletId {
        let [scale, bias] = ["scale", "bias"].map(|name| self.constant(name, &[WIDTH]));
        let linear = QuantizedLinear::new(weights(), kernels::available()[0]);
        self.put("linear", linear, &[x, scale, bias])
    }

    fn convolution(&mut self, x: OutletId) -> OutletId {
        let [scale, bias] = ["scale", "bias"].map(|name| self.constant(name, &[WIDTH]));
        let window = Window {
            size: [1, 1],
            strides: [1, 1],
        };
        let padding = Padding::default();
        let convolution = QuantizedConvolution::new(weights(), window, padding, kernels::available()[0]);
        self.put("convolution", convolution, &[x, scale, bias])
    }

    /// The fused graph without the nodes that nothing reads any more.
    fn fused(mut self, outputs: &[OutletId]) -> TypedModel {
        self.0.select_output_outlets(outputs).unwrap();
        fuse(&mut self.0).unwrap();
        self.0.compact().unwrap();
        self.0
    }
}

/// The layers of a kind, and the number of all nodes that compute something.
fn layers<T: Clone + Operator>(model: &TypedModel) -> (Vec<T>, usize) {
    let nodes = model.eval_order().unwrap().into_iter();
    let computing: Vec<usize> = nodes.filter(|&node| !model.node(node).inputs.is_empty()).collect();
    let found = computing.iter().filter_map(|&node| operator::<T>(model, node).cloned());
    (found.collect(), computing.len())
}

fn add() -> TypedBinOp {
    TypedBinOp(Box::new(math::Add), None)
}

fn multiply() -> TypedBinOp {
    TypedBinOp(Box::new(math::Mul), None)
}

#[test]
fn a_linear_layer_fuses_activation_gate_and_addition() {
    let mut graph = Graph(TypedModel::default());
    let x = graph.source("x", &[1, 5, WIDTH]);
    let gates = graph.source("gates", &[1, 1, WIDTH]);
    let linear = graph.linear(x);
    let activated = graph.put("activated", Activation::Gelu, &[linear]);
    let gated = graph.binary("gated", multiply(), &[gates, activated]);
    let sum = graph.binary("sum", add(), &[x, gated]);
    let (layers, nodes) = layers::<QuantizedLinear>(&graph.fused(&[sum]));
    assert_eq!((layers.len(), nodes), (1, 1));
    let layer = &layers[0];
    assert_eq!(
        (layer.activation, layer.gated, layer.residual),
        (Some(Activation::Gelu), true, true)
    );
}

#[test]
fn constant_factors_of_channels_are_fused_into_every_layer_that_reads_them() {
    let mut graph = Graph(TypedModel::default());
    let x = graph.source("x", &[1, 5, WIDTH]);
    let factors = graph.constant("factors", &[1, 1, WIDTH]);
    let scaled = graph.binary("scaled", multiply(), &[x, factors]);
    let [one, other] = [graph.linear(scaled), {
        let [scale, bias] = ["other scale", "other bias"].map(|name| graph.constant(name, &[WIDTH]));
        graph.put(
            "other",
            QuantizedLinear::new(weights(), kernels::available()[0]),
            &[scaled, scale, bias],
        )
    }];
    let (layers_of, nodes) = layers::<QuantizedLinear>(&graph.fused(&[one, other]));
    assert_eq!((layers_of.iter().filter(|layer| layer.scaled).count(), nodes), (2, 2));

    let mut graph = Graph(TypedModel::default());
    let picture = graph.source("picture", &[1, WIDTH, 2, 3]);
    let [gain, bias] = ["gain", "norm bias"].map(|name| graph.constant(name, &[WIDTH]));
    let norm = GroupNorm {
        groups: 2,
        epsilon: 1e-5,
        activation: NormActivation::Silu,
    };
    let normal = graph.put("norm", norm, &[picture, gain, bias]);
    let factors = graph.constant("factors", &[1, WIDTH, 1, 1]);
    let scaled = graph.binary("scaled", multiply(), &[factors, normal]);
    let convolved = graph.convolution(scaled);
    let (layers_of, nodes) = layers::<QuantizedConvolution>(&graph.fused(&[convolved]));
    assert_eq!((layers_of[0].scaled, layers_of[0].norm.is_some(), nodes), (true, true, 1));
}

#[test]
fn factors_that_are_no_constants_stay() {
    let mut graph = Graph(TypedModel::default());
    let (x, factors) = (graph.source("x", &[1, 5, WIDTH]), graph.source("factors", &[1, 1, WIDTH]));
    let scaled = graph.binary("scaled", multiply(), &[x, factors]);
    let linear = graph.linear(scaled);
    let (layers, nodes) = layers::<QuantizedLinear>(&graph.fused(&[linear]));
    assert_eq!((layers[0].scaled, nodes), (false, 2));
}

/// The outputs of a layer of twice as many rows, cut in half, with the function of the half of a number multiplied by the other.
fn halved(graph: &mut Graph, of_half: usize) -> OutletId {
    let x = graph.source("x", &[1, 5, WIDTH]);
    let tensor = ExternalTensor::of_bytes(&[1; 2 * WIDTH * WIDTH], vec![2 * WIDTH / 8, WIDTH / 4, 8, 4]);
    let weights = WeightMatrix::new(&tensor, 2 * WIDTH, WIDTH).unwrap();
    let [scale, bias] = ["scale", "bias"].map(|name| graph.constant(name, &[2 * WIDTH]));
    let linear = graph.put("linear", QuantizedLinear::new(weights, kernels::available()[0]), &[x, scale, bias]);
    let halves = [0, 1].map(|half| {
        let slice = Slice::new(2, half * WIDTH, (half + 1) * WIDTH);
        graph.0.wire_node(format!("half {half}"), slice, &[linear]).unwrap()[0]
    });
    let gate = graph.put("gate", Activation::Gelu, &[halves[of_half]]);
    graph.binary("product", multiply(), &[halves[1 - of_half], gate])
}

#[test]
fn a_linear_layer_fuses_the_gates_of_its_second_half() {
    let mut graph = Graph(TypedModel::default());
    let product = halved(&mut graph, 1);
    let model = graph.fused(&[product]);
    let (layers, nodes) = layers::<QuantizedLinear>(&model);
    assert_eq!((layers.len(), nodes, layers[0].halved), (1, 1, Some(Activation::Gelu)));
    assert_eq!(*model.output_fact(0).unwrap().shape, [1, 5, WIDTH].map(|size| size.to_dim()));
}

#[test]
fn gates_of_a_first_half_stay_apart() {
    let mut graph = Graph(TypedModel::default());
    let product = halved(&mut graph, 0);
    let (layers, nodes) = layers::<QuantizedLinear>(&graph.fused(&[product]));
    assert_eq!((nodes, layers[0].halved), (5, None));
}

#[test]
fn a_linear_layer_fuses_the_ways_from_a_picture_and_back() {
    let mut graph = Graph(TypedModel::default());
    let x = graph.source("x", &[1, WIDTH, 6]);
    let picture = graph.source("picture", &[1, WIDTH, 2, 3]);
    let rows = graph.axis("rows", AxisOp::Move(2, 1), x);
    let linear = graph.linear(rows);
    let activated = graph.put("activated", Activation::Silu, &[linear]);
    let channels = graph.axis("channels", AxisOp::Move(1, 2), activated);
    let made = graph.axis(
        "made",
        AxisOp::Reshape(2, tvec!(6.to_dim()), tvec!(2.to_dim(), 3.to_dim())),
        channels,
    );
    let sum = graph.binary("sum", add(), &[picture, made]);
    let model = graph.fused(&[sum]);
    let (layers, nodes) = layers::<QuantizedLinear>(&model);
    assert_eq!((layers.len(), nodes), (1, 1));
    let layer = &layers[0];
    assert_eq!((layer.from_picture, layer.residual), (true, true));
    assert_eq!(
        (layer.to_picture.as_deref(), layer.activation),
        (Some(&[2, 3][..]), Some(Activation::Silu))
    );
    assert_eq!(*model.output_fact(0).unwrap().shape, [1, WIDTH, 2, 3].map(|size| size.to_dim()));
}

#[test]
fn rows_of_several_pictures_and_other_ways_stay_apart() {
    let mut graph = Graph(TypedModel::default());
    let several = graph.source("several", &[2, WIDTH, 6]);
    let rows = graph.axis("rows", AxisOp::Move(2, 1), several);
    let one = graph.linear(rows);
    let turned = graph.axis("turned", AxisOp::Move(0, 1), one);
    let (layers, nodes) = layers::<QuantizedLinear>(&graph.fused(&[turned]));
    assert_eq!((layers.len(), nodes), (1, 3));
    assert!(!layers[0].from_picture && layers[0].to_picture.is_none());
}

#[test]
fn what_others_read_too_stays_apart() {
    let mut graph = Graph(TypedModel::default());
    let x = graph.source("x", &[1, 5, WIDTH]);
    let linear = graph.linear(x);
    let activated = graph.put("activated", Activation::Silu, &[linear]);
    let sum = graph.binary("sum", add(), &[linear, activated]);
    let (found, nodes) = layers::<QuantizedLinear>(&graph.fused(&[sum]));
    assert_eq!((found[0].activation, found[0].residual, nodes), (None, false, 3));

    let mut graph = Graph(TypedModel::default());
    let x = graph.source("x", &[1, 5, WIDTH]);
    let linear = graph.linear(x);
    let activated = graph.put("activated", Activation::Silu, &[linear]);
    let (found, nodes) = layers::<QuantizedLinear>(&graph.fused(&[activated, linear]));
    assert_eq!(
        (found[0].activation, nodes),
        (None, 2),
        "an output of the model is one that others read"
    );
}

#[test]
fn a_factor_a_token_is_no_gate_and_a_row_is_no_residual() {
    for (shape, operator) in [([1, 5, 1], multiply()), ([1, 1, WIDTH], add())] {
        let mut graph = Graph(TypedModel::default());
        let x = graph.source("x", &[1, 5, WIDTH]);
        let other = graph.source("other", &shape);
        let linear = graph.linear(x);
        let made = graph.binary("made", operator, &[linear, other]);
        let (found, nodes) = layers::<QuantizedLinear>(&graph.fused(&[made]));
        assert_eq!((found[0].gated, found[0].residual, nodes), (false, false, 2));
    }
}

#[test]
fn a_convolution_fuses_its_norm_an_activation_and_an_addition() {
    let mut graph = Graph(TypedModel::default());
    let shape = [1, WIDTH, 4, 4];
    let (x, added) = (graph.source("x", &shape), graph.source("added", &shape));
    let [gain, bias] = ["norm gain", "norm bias"].map(|name| graph.constant(name, &[WIDTH]));
    let norm = GroupNorm {
        groups: 2,
        epsilon: 1e-5,
        activation: NormActivation::Silu,
    };
    let normalized = graph.put("normalized", norm, &[x, gain, bias]);
    let convolution = graph.convolution(normalized);
    let activated = graph.put("activated", Activation::Silu, &[convolution]);
    let sum = graph.binary("sum", add(), &[activated, added]);
    let rectified = graph.put("rectified", Activation::Relu, &[sum]);
    let (found, nodes) = layers::<QuantizedConvolution>(&graph.fused(&[rectified]));
    assert_eq!((found[0].norm.is_some(), found[0].residual, nodes), (true, true, 1));
    assert_eq!(found[0].activation, Some(Activation::Silu));
    assert_eq!(found[0].last_activation, Some(Activation::Relu));
}

#[test]
fn a_convolution_fuses_a_value_a_channel_and_an_addition() {
    for (values, shifted) in [([1, WIDTH, 1, 1], true), ([1, 1, 4, 4], false), ([1, 1, 1, 1], false)] {
        let mut graph = Graph(TypedModel::default());
        let shape = [1, WIDTH, 4, 4];
        let (x, values, added) = (
            graph.source("x", &shape),
            graph.source("values", &values),
            graph.source("added", &shape),
        );
        let convolution = graph.convolution(x);
        let shift = graph.binary("shift", add(), &[values, convolution]);
        let sum = graph.binary("sum", add(), &[shift, added]);
        let (found, nodes) = layers::<QuantizedConvolution>(&graph.fused(&[sum]));
        let expected = if shifted { (true, true, 1) } else { (false, false, 3) };
        assert_eq!((found[0].shifted, found[0].residual, nodes), expected);
    }
}

#[test]
fn a_normalization_of_rows_fuses_its_modulation_or_nothing() {
    for shifted in [true, false] {
        let mut graph = Graph(TypedModel::default());
        let x = graph.source("x", &[1, 5, WIDTH]);
        let [factor, shift] = ["factor", "shift"].map(|name| graph.source(name, &[1, 1, WIDTH]));
        let gain = graph.constant("gain", &[WIDTH]);
        let norm = RowNorm {
            kind: RowNormKind::RootMeanSquare,
            epsilon: 1e-5,
            modulated: false,
        };
        let mut made = graph.put("norm", norm, &[x, gain]);
        made = graph.binary("scaled", multiply(), &[made, factor]);
        if shifted {
            made = graph.binary("shifted", add(), &[shift, made]);
        }
        let (found, nodes) = layers::<RowNorm>(&graph.fused(&[made]));
        assert_eq!((found[0].modulated, nodes), if shifted { (true, 1) } else { (false, 2) });
    }
}
