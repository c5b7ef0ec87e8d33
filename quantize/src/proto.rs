//! Short ways to read and build the protobuf types of [`tract_onnx::pb`].

use inkstone::engine::operators::Schema;
/// The domain of our operators, version 1.
pub use inkstone::pack::DOMAIN;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, NodeProto};

/// Version of the default operator set in packs.
pub const OPSET: i64 = 17;

/// Whether the node is the standard operator `operator`.
pub fn is(node: &NodeProto, operator: &str) -> bool {
    node.op_type == operator && (node.domain.is_empty() || node.domain == "ai.onnx")
}

/// Whether the node is our operator `operator`.
pub fn is_ours(node: &NodeProto, operator: &Schema) -> bool {
    node.op_type == operator.name && node.domain == DOMAIN
}

/// The input with this number, if the node has one.
pub fn input(node: &NodeProto, index: usize) -> Option<&str> {
    node.input.get(index).map(String::as_str).filter(|name| !name.is_empty())
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

/// An integer attribute.
pub fn int(node: &NodeProto, name: &str) -> Option<i64> {
    attribute(node, name).map(|attribute| attribute.i)
}

/// A float attribute.
pub fn float(node: &NodeProto, name: &str) -> Option<f32> {
    attribute(node, name).map(|attribute| attribute.f)
}

/// An attribute with a list of integers.
pub fn ints<'a>(node: &'a NodeProto, name: &str) -> Option<&'a [i64]> {
    attribute(node, name).map(|attribute| attribute.ints.as_slice())
}

/// A string attribute; empty if it is not UTF-8.
pub fn string<'a>(node: &'a NodeProto, name: &str) -> Option<&'a str> {
    attribute(node, name).map(|attribute| std::str::from_utf8(&attribute.s).unwrap_or_default())
}

/// Builds a node of the default domain.
pub fn node(operator: &str, name: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: operator.to_owned(),
        name: name.to_owned(),
        input: inputs.iter().map(|&input| input.to_owned()).collect(),
        output: outputs.iter().map(|&output| output.to_owned()).collect(),
        ..NodeProto::default()
    }
}

/// Builds a node of our domain.
pub fn our_node(operator: &Schema, name: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        domain: DOMAIN.to_owned(),
        ..node(operator.name, name, inputs, outputs)
    }
}

/// Adds attributes to a node under construction.
pub trait WithAttribute: Sized {
    /// Adds any attribute.
    fn with(self, attribute: AttributeProto) -> Self;

    /// Adds an integer.
    fn with_int(self, name: &str, value: i64) -> Self {
        self.with(AttributeProto {
            i: value,
            ..empty(name, AttributeType::Int)
        })
    }

    /// Adds a float.
    fn with_float(self, name: &str, value: f32) -> Self {
        self.with(AttributeProto {
            f: value,
            ..empty(name, AttributeType::Float)
        })
    }

    /// Adds a list of integers.
    fn with_ints(self, name: &str, values: &[i64]) -> Self {
        self.with(AttributeProto {
            ints: values.to_vec(),
            ..empty(name, AttributeType::Ints)
        })
    }

    /// Adds an attribute whose value is the attribute `of` of the function that the node belongs to.
    fn with_reference(self, name: &str, of: &str, kind: AttributeType) -> Self {
        self.with(AttributeProto {
            ref_attr_name: of.to_owned(),
            ..empty(name, kind)
        })
    }
}

impl WithAttribute for NodeProto {
    fn with(mut self, attribute: AttributeProto) -> NodeProto {
        self.attribute.push(attribute);
        self
    }
}

fn empty(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: kind as i32,
        ..AttributeProto::default()
    }
}
