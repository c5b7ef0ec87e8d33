//! Small graphs for tests.

use std::path::Path;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

use crate::error::Result;
use crate::graph::{Graph, Sizes};
use crate::proto;

/// Builds a model a line at a time.
pub struct Builder {
    model: ModelProto,
    graph: GraphProto,
}

impl Builder {
    pub fn new(opset: i64) -> Builder {
        let set = OperatorSetIdProto {
            domain: String::new(),
            version: opset,
        };
        let model = ModelProto {
            ir_version: 8,
            opset_import: vec![set],
            ..ModelProto::default()
        };
        Builder {
            model,
            graph: GraphProto {
                name: "test".to_owned(),
                ..GraphProto::default()
            },
        }
    }

    pub fn input(self, name: &str, shape: &[i64]) -> Builder {
        self.typed_input(name, shape, DataType::Float)
    }

    pub fn typed_input(mut self, name: &str, shape: &[i64], data_type: DataType) -> Builder {
        self.graph.input.push(info(name, shape, data_type));
        self
    }

    pub fn output(mut self, name: &str, shape: &[i64]) -> Builder {
        self.graph.output.push(info(name, shape, DataType::Float));
        self
    }

    pub fn node(self, operator: &str, inputs: &[&str], output: &str) -> Builder {
        self.with(proto::node(operator, &format!("node_{output}"), inputs, &[output]))
    }

    pub fn with(mut self, node: NodeProto) -> Builder {
        self.graph.node.push(node);
        self
    }

    pub fn constant(mut self, name: &str, shape: &[i64], values: &[f32]) -> Builder {
        self.graph.initializer.push(TensorProto {
            name: name.to_owned(),
            dims: shape.to_vec(),
            data_type: DataType::Float as i32,
            float_data: values.to_vec(),
            ..TensorProto::default()
        });
        self
    }

    pub fn filled(self, name: &str, shape: &[i64]) -> Builder {
        let count: i64 = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|index| ((index * 37 % 101) as f32 - 50.0) / 50.0).collect();
        self.constant(name, shape, &values)
    }

    pub fn integers(self, name: &str, values: &[i64]) -> Builder {
        self.shaped_integers(name, &[values.len() as i64], values)
    }

    pub fn scalar(self, name: &str, value: i64) -> Builder {
        self.shaped_integers(name, &[], &[value])
    }

    fn shaped_integers(mut self, name: &str, shape: &[i64], values: &[i64]) -> Builder {
        self.graph.initializer.push(TensorProto {
            name: name.to_owned(),
            dims: shape.to_vec(),
            data_type: DataType::Int64 as i32,
            int64_data: values.to_vec(),
            ..TensorProto::default()
        });
        self
    }

    pub fn model(mut self) -> ModelProto {
        self.model.graph = Some(self.graph);
        self.model
    }

    pub fn read(self) -> Result<Graph> {
        Graph::from_model(self.model(), Path::new("test.onnx"), &Sizes::new())
    }

    pub fn graph(self) -> Graph {
        self.read().unwrap()
    }
}

fn info(name: &str, shape: &[i64], data_type: DataType) -> ValueInfoProto {
    let dim = shape
        .iter()
        .map(|&size| Dimension {
            value: Some(dimension::Value::DimValue(size)),
            ..Dimension::default()
        })
        .collect();
    let tensor = type_proto::Tensor {
        elem_type: data_type as i32,
        shape: Some(TensorShapeProto { dim }),
    };
    let r#type = Some(TypeProto {
        value: Some(type_proto::Value::TensorType(tensor)),
        ..TypeProto::default()
    });
    ValueInfoProto {
        name: name.to_owned(),
        r#type,
        ..ValueInfoProto::default()
    }
}

/// Gives a dimension a name instead of its size.
pub fn free_dimension(info: &mut ValueInfoProto, axis: usize, name: &str) {
    let Some(TypeProto {
        value: Some(type_proto::Value::TensorType(type_proto::Tensor { shape: Some(shape), .. })),
        ..
    }) = &mut info.r#type
    else {
        panic!("{info:?} has no shape");
    };
    shape.dim[axis].value = Some(dimension::Value::DimParam(name.to_owned()));
}

/// Operators of a graph in order.
pub fn names(graph: &Graph) -> Vec<&str> {
    graph.nodes.iter().map(|node| node.op_type.as_str()).collect()
}
