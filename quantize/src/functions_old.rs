//! Our operators, defined by standard ones: a runtime that does not know them runs these bodies.

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, FunctionProto, NodeProto, OperatorSetIdProto, TensorProto};

use crate::proto::{self, DOMAIN, OPSET, WithAttribute};

pub type Definition = fn() -> FunctionProto;

/// Every operator of our domain by name.
pub const DEFINITIONS: [(&str, Definition); 12] = [
    ("Attention", attention),
    ("Gelu", gelu),
    ("GeluTanh", gelu_tanh),
    ("GroupNorm", group_norm),
    ("GroupNormModulateSilu", group_norm_modulate_silu),
    ("GroupNormSilu", group_norm_silu),
    ("MaskedAttention", masked_attention),
    ("QConv", q_conv),
    ("QEmbedding", q_embedding),
    ("QLinear", q_linear),
    ("RmsNorm", rms_norm),
    ("Silu", silu),
];

/// The body of a function under construction. Values are written as text: `output = Operator(input, input)`.
struct Body {
    nodes: Vec<NodeProto>,
}

impl Body {
    fn new() -> Body {
        Body { nodes: Vec::new() }
    }

    fn op(&mut self, output: &str, operator: &str, inputs: &[&str]) {
        self.push(proto::node(operator, "", inputs, &[output]));
    }

    fn push(&mut self, node: NodeProto) {
        self.nodes.push(node);
    }

    fn float(&mut self, output: &str, value: f32) {
        let tensor = TensorProto {
            data_type: DataType::Float as i32,
            raw_data: value.to_le_bytes().to_vec(),
            ..TensorProto::default()
        };
        let attribute = AttributeProto {
            name: "value".to_owned(),
            r#type: AttributeType::Tensor as i32,
            t: Some(tensor),
            ..AttributeProto::default()
        };
        self.push(proto::node("Constant", "", &[], &[output]).with(attribute));
    }

    fn integers(&mut self, output: &str, values: &[i64]) {
        self.push(proto::node("Constant", "", &[], &[output]).with_ints("value_ints", values));
    }

    fn attribute(&mut self, output: &str, of: &str, kind: AttributeType) {
        let field = match kind {
            AttributeType::Int => "value_int",
            AttributeType::Float => "value_float",
            _ => "value_ints",
        };
        self.push(proto::node("Constant", "", &[], &[output]).with_reference(field, of, kind));
    }

    fn transpose(&mut self, output: &str, input: &str, order: &[i64]) {
        self.push(proto::node("Transpose", "", &[input], &[output]).with_ints("perm", order));
    }

    fn reduce(&mut self, output: &str, operator: &str, input: &str, axes: Option<i64>) {
        let node = proto::node(operator, "", &[input], &[output]).with_int("keepdims", 1);
        self.push(match axes {
            Some(axis) => node.with_ints("axes", &[axis]),
            None => node,
        });
    }

    fn with_axis(&mut self, output: &str, operator: &str, inputs: &[&str], axis: i64) {
        self.push(proto::node(operator, "", inputs, &[output]).with_int("axis", axis));
    }

    fn finish(self, name: &str, inputs: &[&str], attributes: &[&str], about: &str) -> FunctionProto {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        FunctionProto {
            name: Some(name.to_owned()),
            domain: Some(DOMAIN.to_owned()),
            doc_string: Some(about.to_owned()),
            input: owned(inputs),
            output: owned(&["y"]),
            attribute: owned(attributes),
            node: self.nodes,
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: OPSET,
            }],
        }
    }
}

/// `quantized` = `x`, rounded to int8 with one scale for all or for every row (`axis` -1), and back.
fn quantize_activations(body: &mut Body, axis: Option<i64>) {
    body.float("limit", 127.0);
    body.float("least", 1e-12);
    body.op("magnitude", "Abs", &["x"]);
    body.reduce("largest", "ReduceMax", "magnitude", axis);
    body.op("positive", "Max", &["largest", "least"]);
    body.op("step", "Div", &["positive", "limit"]);
    body.op("steps", "Div", &["x", "step"]);
    body.op("rounded", "Round", &["steps"]);
    body.op("quantized", "Mul", &["rounded", "step"]);
}

/// `rows` = the int8 weights without the rows that fill the last panel, row-major `[M, K]`.
fn unpack_weights(body: &mut Body) {
    body.transpose("panels", "w", &[0, 2, 1, 3]);
    body.attribute("padded_shape", "m8", AttributeType::Ints);
    body.op("padded", "Reshape", &["panels", "padded_shape"]);
    body.integers("zero", &[0]);
    body.op("row_count", "Shape", &["scale"]);
    body.op("rows", "Slice", &["padded", "zero", "row_count"]);
}

fn q_conv() -> FunctionProto {
    let mut body = Body::new();
    quantize_activations(&mut body, None);
    unpack_weights(&mut body);
    body.attribute("kernel_shape", "kernel", AttributeType::Ints);
    body.op("channels_last", "Reshape", &["rows", "kernel_shape"]);
    body.transpose("channels_first", "channels_last", &[0, 3, 1, 2]);
    body.with_axis("weights", "DequantizeLinear", &["channels_first", "scale"], 0);
    let convolution = proto::node("Conv", "", &["quantized", "weights", "bias"], &["y"]);
    body.push(
        convolution
            .with_reference("strides", "strides", AttributeType::Ints)
            .with_reference("pads", "pads", AttributeType::Ints),
    );
    body.finish(
        "QConv",
        &["x", "w", "scale", "bias"],
        &["kernel", "strides", "pads", "m8"],
        "Convolution of x, quantized to int8 with one scale, by int8 weights [m/8, k/4, 8, 4] with k in the order kh, kw, channel.",
    )
}

fn q_linear() -> FunctionProto {
    let mut body = Body::new();
    quantize_activations(&mut body, Some(-1));
    unpack_weights(&mut body);
    body.attribute("matrix_shape", "mk", AttributeType::Ints);
    body.op("matrix", "Reshape", &["rows", "matrix_shape"]);
    body.with_axis("weights", "DequantizeLinear", &["matrix", "scale"], 0);
    body.transpose("columns", "weights", &[1, 0]);
    body.op("product", "MatMul", &["quantized", "columns"]);
    body.op("y", "Add", &["product", "bias"]);
    body.finish(
        "QLinear",
        &["x", "w", "scale", "bias"],
        &["mk", "m8"],
        "Product of the rows of x, each quantized to int8 with a scale of its own, and int8 weights [m/8, k/4, 8, 4].",
    )
}

fn q_embedding() -> FunctionProto {
    let mut body = Body::new();
    body.with_axis("chosen", "Gather", &["table", "ids"], 0);
    body.push(proto::node("Cast", "", &["chosen"], &["values"]).with_int("to", DataType::Float as i64));
    body.with_axis("row_scale", "Gather", &["scale", "ids"], 0);
    body.integers("last", &[-1]);
    body.op("column_scale", "Unsqueeze", &["row_scale", "last"]);
    body.op("y", "Mul", &["values", "column_scale"]);
    body.finish(
        "QEmbedding",
        &["ids", "table", "scale"],
        &[],
        "Rows of an int8 table, each times its scale.",
    )
}

fn silu() -> FunctionProto {
    let mut body = Body::new();
    activate(&mut body, "x");
    body.finish("Silu", &["x"], &[], "x times its sigmoid.")
}

/// `y` = x/2·(1 + gate)
fn open_gate(body: &mut Body) {
    body.float("one", 1.0);
    body.float("half", 0.5);
    body.op("open", "Add", &["gate", "one"]);
    body.op("halved", "Mul", &["x", "half"]);
    body.op("y", "Mul", &["halved", "open"]);
}

fn gelu() -> FunctionProto {
    let mut body = Body::new();
    body.float("root", std::f32::consts::FRAC_1_SQRT_2);
    body.op("scaled", "Mul", &["x", "root"]);
    body.op("gate", "Erf", &["scaled"]);
    open_gate(&mut body);
    body.finish("Gelu", &["x"], &[], "x times the share of a normal distribution below x.")
}

fn gelu_tanh() -> FunctionProto {
    let mut body = Body::new();
    body.float("small", 0.044_715);
    body.float("root", (2.0 / std::f32::consts::PI).sqrt());
    body.op("square", "Mul", &["x", "x"]);
    body.op("cube", "Mul", &["square", "x"]);
    body.op("bend", "Mul", &["cube", "small"]);
    body.op("sum", "Add", &["x", "bend"]);
    body.op("scaled", "Mul", &["sum", "root"]);
    body.op("gate", "Tanh", &["scaled"]);
    open_gate(&mut body);
    body.finish("GeluTanh", &["x"], &[], "Gelu by a hyperbolic tangent.")
}

fn activate(body: &mut Body, value: &str) {
    body.op("gate", "Sigmoid", &[value]);
    body.op("y", "Mul", &[value, "gate"]);
}

/// `output` = `x` with zero mean and unit variance in every group of channels, times gain plus bias by channel.
fn normalize(body: &mut Body, output: &str) {
    body.attribute("group_count", "groups", AttributeType::Int);
    body.integers("front", &[0]);
    body.integers("rest", &[-1]);
    body.op("groups_axis", "Unsqueeze", &["group_count", "front"]);
    body.with_axis("grouped_shape", "Concat", &["front", "groups_axis", "rest"], 0);
    body.op("grouped", "Reshape", &["x", "grouped_shape"]);
    body.reduce("mean", "ReduceMean", "grouped", Some(2));
    body.op("centred", "Sub", &["grouped", "mean"]);
    body.op("squares", "Mul", &["centred", "centred"]);
    body.reduce("variance", "ReduceMean", "squares", Some(2));
    body.attribute("small", "epsilon", AttributeType::Float);
    body.op("stable", "Add", &["variance", "small"]);
    body.op("deviation", "Sqrt", &["stable"]);
    body.op("normal", "Div", &["centred", "deviation"]);
    body.op("channel_axis", "Shape", &["gain"]);
    body.with_axis("channel_shape", "Concat", &["front", "channel_axis", "rest"], 0);
    body.op("by_channel", "Reshape", &["normal", "channel_shape"]);
    body.integers("last", &[1]);
    body.op("gain_column", "Unsqueeze", &["gain", "last"]);
    body.op("bias_column", "Unsqueeze", &["bias", "last"]);
    body.op("scaled", "Mul", &["by_channel", "gain_column"]);
    body.op("shifted", "Add", &["scaled", "bias_column"]);
    body.op("x_shape", "Shape", &["x"]);
    body.op(output, "Reshape", &["shifted", "x_shape"]);
}

fn group_norm() -> FunctionProto {
    let mut body = Body::new();
    normalize(&mut body, "y");
    body.finish(
        "GroupNorm",
        &["x", "gain", "bias"],
        &["groups", "epsilon"],
        "Group normalization with gain and bias by channel.",
    )
}

fn group_norm_silu() -> FunctionProto {
    let mut body = Body::new();
    normalize(&mut body, "norm");
    activate(&mut body, "norm");
    body.finish(
        "GroupNormSilu",
        &["x", "gain", "bias"],
        &["groups", "epsilon"],
        "Group normalization, then Silu.",
    )
}

fn group_norm_modulate_silu() -> FunctionProto {
    let mut body = Body::new();
    normalize(&mut body, "norm");
    body.float("one", 1.0);
    body.op("factor", "Add", &["scale", "one"]);
    body.op("product", "Mul", &["norm", "factor"]);
    body.op("modulated", "Add", &["product", "shift"]);
    activate(&mut body, "modulated");
    body.finish(
        "GroupNormModulateSilu",
        &["x", "gain", "bias", "scale", "shift"],
        &["groups", "epsilon"],
        "Group normalization, times 1 + scale, plus shift, then Silu.",
    )
}

fn rms_norm() -> FunctionProto {
    let mut body = Body::new();
    body.op("squares", "Mul", &["x", "x"]);
    body.reduce("mean", "ReduceMean", "squares", Some(-1));
    body.attribute("small", "epsilon", AttributeType::Float);
    body.op("stable", "Add", &["mean", "small"]);
    body.op("root", "Sqrt", &["stable"]);
    body.op("normal", "Div", &["x", "root"]);
    body.op("y", "Mul", &["normal", "gain"]);
    body.finish(
        "RmsNorm",
        &["x", "gain"],
        &["epsilon"],
        "Every row divided by the root of its mean square, times gain by channel.",
    )
}

/// Values by head from rows; `order` says where the axes 0, T, heads, width go.
fn split_heads(body: &mut Body, rows: &str, output: &str, order: &[i64]) {
    let split = format!("{rows}_split");
    body.op(&split, "Reshape", &[rows, "split_shape"]);
    body.transpose(output, &split, order);
}

fn attend(body: &mut Body, mask: Option<&str>) {
    body.attribute("head_count", "heads", AttributeType::Int);
    body.integers("front", &[0]);
    body.integers("same", &[0, 0]);
    body.integers("rest", &[-1]);
    body.op("heads_axis", "Unsqueeze", &["head_count", "front"]);
    body.with_axis("split_shape", "Concat", &["same", "heads_axis", "rest"], 0);
    split_heads(body, "q", "queries", &[0, 2, 1, 3]);
    split_heads(body, "k", "keys", &[0, 2, 3, 1]);
    split_heads(body, "v", "values", &[0, 2, 1, 3]);
    body.attribute("factor", "scale", AttributeType::Float);
    body.op("products", "MatMul", &["queries", "keys"]);
    body.op("scores", "Mul", &["products", "factor"]);
    if let Some(mask) = mask {
        body.op("masked", "Add", &["scores", mask]);
    }
    body.with_axis("weights", "Softmax", &[if mask.is_some() { "masked" } else { "scores" }], -1);
    body.op("mixed", "MatMul", &["weights", "values"]);
    body.transpose("joined", "mixed", &[0, 2, 1, 3]);
    body.with_axis("rows_shape", "Concat", &["same", "rest"], 0);
    body.op("y", "Reshape", &["joined", "rows_shape"]);
}

fn attention() -> FunctionProto {
    let mut body = Body::new();
    attend(&mut body, None);
    body.finish(
        "Attention",
        &["q", "k", "v"],
        &["heads", "scale"],
        "Attention of rows q [1, T, C] to rows k and v [1, S, C].",
    )
}

fn masked_attention() -> FunctionProto {
    let mut body = Body::new();
    attend(&mut body, Some("bias"));
    body.finish(
        "MaskedAttention",
        &["q", "k", "v", "bias"],
        &["heads", "scale"],
        "Attention of rows q [1, T, C] to rows k and v [1, S, C], with a bias added to the scores that broadcasts to [1, heads, T, S].",
    )
}
