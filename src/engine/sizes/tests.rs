//! Graphs that ask for too much, or whose nodes do not fit, each refused before anything is planned.

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, OperatorSetIdProto};

use super::*;
use crate::engine::testing::{info, node, port};

/// Stored lists of integers by name.
type Constants<'a> = &'a [(&'a str, &'a [i64])];

fn model(nodes: Vec<NodeProto>, constants: Constants) -> ModelProto {
    let set = OperatorSetIdProto {
        version: 17,
        ..OperatorSetIdProto::default()
    };
    let tensor = |&(name, values): &(&str, &[i64])| TensorProto {
        name: name.into(),
        dims: vec![values.len() as i64],
        data_type: DataType::Int64 as i32,
        int64_data: values.to_vec(),
        ..TensorProto::default()
    };
    let inputs = [
        port("x", "f32", &[1, 4, 8, 8]),
        port("ids", "i64", &[2]),
        port("rows", "f32", &[1, 6, 16]),
    ];
    let graph = GraphProto {
        node: nodes,
        input: inputs.iter().map(info).collect(),
        output: vec![info(&port("y", "f32", &[1]))],
        initializer: constants.iter().map(tensor).collect(),
        ..GraphProto::default()
    };
    ModelProto {
        opset_import: vec![set],
        graph: Some(graph),
        ..ModelProto::default()
    }
}

fn with(mut node: NodeProto, name: &str, ints: &[i64]) -> NodeProto {
    let is_list = ints.len() > 1;
    node.attribute.push(AttributeProto {
        name: name.into(),
        r#type: if is_list { AttributeType::Ints } else { AttributeType::Int } as i32,
        i: if is_list { 0 } else { ints[0] },
        ints: if is_list { ints.to_vec() } else { vec![] },
        ..AttributeProto::default()
    });
    node
}

/// The shape of the last node's first output.
fn walk(nodes: Vec<NodeProto>, constants: Constants) -> TractResult<Vec<usize>> {
    let model = model(nodes.clone(), constants);
    let mut sizes = Sizes::of(&model, Limits::default())?;
    nodes.iter().try_for_each(|node| sizes.standard(node))?;
    Ok(sizes.values[&nodes[nodes.len() - 1].output[0]].shape.clone())
}

#[test]
fn rules_are_in_order_and_known_to_tract() {
    let standard = tract_onnx::onnx();
    for name in ["Abs", "Where", "Xor", "LayerNormalization", "Split"] {
        assert!(rules::find(name).is_some() && standard.op_register.0.contains_key(name), "{name}");
    }
    assert!(
        ["If", "Loop", "Scan", "HannWindow", "NonZero"]
            .iter()
            .all(|name| rules::find(name).is_none())
    );
    assert!(rules::names().is_sorted() && rules::names().all(|name| standard.op_register.0.contains_key(name)));
}

#[test]
fn shapes_follow_from_the_inputs() {
    let cases: [(NodeProto, Constants, &[usize]); 14] = [
        (node("Silu", &["x"], "y"), &[], &[]),
        (node("Add", &["x", "x"], "y"), &[], &[1, 4, 8, 8]),
        (with(node("Flatten", &["x"], "y"), "axis", &[2]), &[], &[4, 64]),
        (with(node("Transpose", &["x"], "y"), "perm", &[0, 2, 3, 1]), &[], &[1, 8, 8, 4]),
        (node("Reshape", &["x", "s"], "y"), &[("s", &[0, -1])], &[1, 256]),
        (node("Tile", &["x", "s"], "y"), &[("s", &[1, 2, 1, 3])], &[1, 8, 8, 24]),
        (node("Expand", &["ids", "s"], "y"), &[("s", &[3, 1])], &[3, 2]),
        (node("ReduceSum", &["x", "s"], "y"), &[("s", &[-1, 1])], &[1, 1, 8, 1]),
        (node("Unsqueeze", &["x", "s"], "y"), &[("s", &[0, -1])], &[1, 1, 4, 8, 8, 1]),
        (with(node("Gather", &["rows", "ids"], "y"), "axis", &[1]), &[], &[1, 2, 16]),
        (with(node("DepthToSpace", &["x"], "y"), "blocksize", &[2]), &[], &[1, 1, 16, 16]),
        (node("Pad", &["x", "s"], "y"), &[("s", &[0, 0, 1, 2, 0, 0, 1, -2])], &[1, 4, 10, 8]),
        (
            node("Slice", &["x", "from", "to", "axis", "step"], "y"),
            &[("from", &[-1]), ("to", &[i64::MIN + 1]), ("axis", &[-1]), ("step", &[-3])],
            &[1, 4, 8, 3],
        ),
        (
            node("Range", &["from", "to", "step"], "y"),
            &[("from", &[5]), ("to", &[0]), ("step", &[-2])],
            &[3],
        ),
    ];
    for (node, constants, expected) in cases {
        let operator = node.op_type.clone();
        match walk(vec![node], constants) {
            Ok(shape) => assert_eq!(shape, expected, "{operator}"),
            // Not a standard operator.
            Err(error) => assert!(operator == "Silu", "{operator}: {error:#}"),
        }
    }
}

/// Sizes that are computed from shapes, as exports do where nothing was folded.
#[test]
fn sizes_may_be_computed_from_shapes() {
    let nodes = vec![
        node("Shape", &["x"], "shape"),
        node("Slice", &["shape", "two", "four"], "sides"),
        node("Mul", &["sides", "two"], "twice"),
        node("Gather", &["shape", "two"], "side"),
        with(node("Concat", &["side", "twice"], "wanted"), "axis", &[0]),
        node("ConstantOfShape", &["wanted"], "y"),
    ];
    assert_eq!(walk(nodes, &[("two", &[2]), ("four", &[4])]).unwrap(), [8, 16, 16]);
}

#[test]
fn what_is_too_large_or_does_not_fit_is_refused() {
    const HUGE: i64 = i64::MAX;
    let window = |name: &str, values: &[i64]| with(with(node("MaxPool", &["x"], "y"), "kernel_shape", &[2, 2]), name, values);
    let cases: Vec<(NodeProto, Constants, &str)> = vec![
        (node("ConstantOfShape", &["s"], "y"), &[("s", &[1 << 28])], "more than"),
        (
            node("ConstantOfShape", &["s"], "y"),
            &[("s", &[1 << 26])],
            "computed before the first run",
        ),
        (node("ConstantOfShape", &["s"], "y"), &[("s", &[-1])], "negative"),
        (
            node("ConstantOfShape", &["s"], "y"),
            &[("s", &[7, 0, 1 << 26, 1 << 30, 1 << 20])],
            "more than",
        ),
        (node("Tile", &["x", "s"], "y"), &[("s", &[1, 16384, 1, 1024])], "more than"),
        (node("Tile", &["x", "s"], "y"), &[("s", &[HUGE, HUGE, HUGE, HUGE])], "too large"),
        (node("Expand", &["x", "s"], "y"), &[("s", &[1 << 20, 1, 4, 8, 8])], "more than"),
        (
            node("Range", &["a", "b", "c"], "y"),
            &[("a", &[i64::MIN]), ("b", &[HUGE]), ("c", &[1])],
            "too far",
        ),
        (
            with(node("LayerNormalization", &["rows", "g"], "y"), "axis", &[HUGE]),
            &[("g", &[1; 16])],
            "no axis",
        ),
        (
            with(node("LayerNormalization", &["rows", "g"], "y"), "axis", &[-1 << 31]),
            &[("g", &[1; 16])],
            "no axis",
        ),
        (
            with(node("LayerNormalization", &["rows", "g"], "y"), "axis", &[1]),
            &[("g", &[1; 16])],
            "input 1 has shape",
        ),
        (with(node("Softmax", &["x"], "y"), "axis", &[4]), &[], "no axis 4"),
        (with(node("Transpose", &["x"], "y"), "perm", &[0, 1, 1, 2]), &[], "no order"),
        (
            with(node("Gather", &["rows", "s"], "y"), "axis", &[1]),
            &[("s", &[6])],
            "not in a table of 6",
        ),
        (node("Reshape", &["x", "s"], "y"), &[("s", &[7, -1])], "has no shape"),
        (node("MatMul", &["x", "rows"], "y"), &[], "no product"),
        (node("Add", &["x", "rows"], "y"), &[], "do not broadcast"),
        (with(node("Concat", &["x", "rows"], "y"), "axis", &[0]), &[], "differ"),
        (with(node("Split", &["x"], "y"), "axis", &[7]), &[], "no axis 7"),
        (
            with(node("DepthToSpace", &["x"], "y"), "blocksize", &[1 << 32]),
            &[],
            "out of range",
        ),
        (window("pads", &[20000, 0, 0, 0]), &[], "wider than the window"),
        (window("strides", &[0, 1]), &[], "must not be 0"),
        (window("kernel_shape", &[2, 2]), &[], "twice"),
        (node("Unsqueeze", &["x", "s"], "y"), &[("s", &[0, 1, 2, 3, 4])], "more than 8 axes"),
        (node("Neg", &["nothing"], "y"), &[], "'nothing'"),
        (node("Loop", &["x"], "y"), &[], "not known"),
    ];
    for (node, constants, words) in cases {
        let operator = node.op_type.clone();
        let error = walk(vec![node], constants).expect_err(words);
        assert!(format!("{error:#}").contains(words), "{operator}: {error:#}");
    }
}

#[test]
fn nodes_and_memory_have_limits() {
    let chain = |length: usize| -> Vec<NodeProto> {
        let name = |index: usize| if index == 0 { "x".to_owned() } else { format!("v{index}") };
        (0..length).map(|index| node("Neg", &[&name(index)], &name(index + 1))).collect()
    };
    assert!(walk(chain(8192), &[]).is_ok());
    assert!(walk(chain(8193), &[]).unwrap_err().to_string().contains("8193 nodes"));
    // Each is within the limits, and all are read at the end.
    let mut nodes: Vec<NodeProto> = (0..5).map(|index| node("Tile", &["x", "s"], &format!("v{index}"))).collect();
    nodes.push(node("Max", &["v0", "v1", "v2", "v3", "v4"], "y"));
    let error = walk(nodes, &[("s", &[1, 1 << 10, 1 << 8, 1])]).unwrap_err();
    assert!(error.to_string().contains("in memory at once"), "{error}");
}

#[test]
fn a_pack_may_ask_for_more_or_less() {
    // [1, 4, 8, 8] becomes 2²⁸ elements, which the defaults do not allow.
    let nodes = vec![node("Tile", &["x", "s"], "big"), node("Neg", &["big"], "y")];
    let times: Constants = &[("s", &[1, 1 << 10, 1 << 10, 1])];
    let model = model(nodes.clone(), times);
    let walk = |limits| {
        let mut sizes = Sizes::of(&model, limits)?;
        nodes.iter().try_for_each(|node| sizes.standard(node))?;
        TractResult::Ok(sizes.finish().0)
    };
    let large = Limits {
        elements: 1 << 28,
        elements_at_once: 1 << 30,
        ..Limits::default()
    };
    let needs = walk(large).unwrap();
    let wanted = Limits {
        nodes: 2,
        elements: 1 << 28,
        elements_at_once: 2 << 28,
    };
    // The other inputs are in memory as well, since nothing reads them.
    assert_eq!(
        needs,
        Limits {
            elements_at_once: wanted.elements_at_once + 98,
            ..wanted
        }
    );
    assert!(walk(needs).is_ok());
    let errors = [
        (Limits::default(), "more than 134217728 elements"),
        (Limits { nodes: 1, ..large }, "2 nodes; the pack's limits allow 1"),
        (
            Limits {
                elements_at_once: needs.elements_at_once - 1,
                ..large
            },
            "in memory at once",
        ),
    ];
    for (limits, words) in errors {
        let error = walk(limits).expect_err(words);
        assert!(format!("{error:#}").contains(words), "{error:#}");
    }
}

#[test]
fn tables_that_an_input_indexes_are_found() {
    let nodes = vec![
        node("Unsqueeze", &["ids", "zero"], "row"),
        with(node("Gather", &["rows", "row"], "one"), "axis", &[2]),
        with(node("Gather", &["rows", "ids"], "other"), "axis", &[1]),
        node("Neg", &["ids"], "changed"),
        node("Gather", &["rows", "changed"], "y"),
    ];
    let model = model(nodes.clone(), &[("zero", &[0])]);
    let mut sizes = Sizes::of(&model, Limits::default()).unwrap();
    nodes.iter().try_for_each(|node| sizes.standard(node)).unwrap();
    assert_eq!(sizes.finish().1, [None, Some(6), None]);
}
