//! Stages of a few nodes for tests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto};

use super::operators::Row;
use super::{Engine, EngineError, Stage};
use crate::pack::{Element, Graph, Limits, Port, Weights};

/// A port from a few words of a manifest.
pub fn port(name: &str, element: &str, shape: &[usize]) -> Port {
    toml::from_str(&format!("name = '{name}'\nelement = '{element}'\nshape = {shape:?}")).unwrap()
}

/// A node.
pub fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        input: inputs.iter().map(|&input| input.into()).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    }
}

/// A stage called `test` of these nodes, with the operators of a table.
pub fn stage<'a>(
    engine: &Engine,
    nodes: Vec<NodeProto>,
    ports: [Vec<Port>; 2],
    table: impl Iterator<Item = &'a Row> + Clone,
) -> Result<Stage, EngineError> {
    let set = OperatorSetIdProto {
        version: 17,
        ..OperatorSetIdProto::default()
    };
    let graph = GraphProto {
        node: nodes,
        input: ports[0].iter().map(info).collect(),
        output: ports[1].iter().map(info).collect(),
        ..GraphProto::default()
    };
    let proto = ModelProto {
        opset_import: vec![set],
        graph: Some(graph),
        ..ModelProto::default()
    };
    let tensors = BTreeMap::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), [0]).unwrap();
    let weights = Arc::new(Weights::map(file.path(), 1).unwrap());
    let graph = Graph {
        proto,
        tensors,
        limits: Limits::default(),
    };
    Stage::new(engine.kernel, "test", Path::new("test.onnx"), graph, ports, weights, table)
}

/// A port as a graph names it.
pub fn info(port: &Port) -> ValueInfoProto {
    let size = |&size: &usize| Dimension {
        value: Some(dimension::Value::DimValue(size as i64)),
        ..Dimension::default()
    };
    let element = match port.element {
        Element::F32 => DataType::Float,
        Element::I64 => DataType::Int64,
    };
    let tensor = type_proto::Tensor {
        elem_type: element as i32,
        shape: Some(TensorShapeProto {
            dim: port.shape.iter().map(size).collect(),
        }),
    };
    ValueInfoProto {
        name: port.name.clone(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}
