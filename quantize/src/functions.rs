//! Definitions of our operators by standard ones, for runtimes that do not know ours: from ONNX's textual function syntax, in which
//! the engine's operator table has them, to protobuf.
//!
//! The syntax is that of `docs/Syntax.md` of the ONNX repository, as far as definitions need it:
//!
//! ```text
//! function  = name [ "<" names ">" ] "(" names ")" "=>" "(" names ")" "{" { node } "}"
//! node      = names "=" operator [ "<" attribute { "," attribute } ">" ] "(" [ names ] ")"
//! attribute = name "=" value | name ":" type "=" "@" name
//! value     = integer | float | "[" integer { "," integer } "]" | "float" "{" float "}"
//! type      = "int" | "ints" | "float"
//! names     = name { "," name }
//! ```

use inkstone::engine::operators::Schema;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, FunctionProto, NodeProto, OperatorSetIdProto, TensorProto};

use crate::error::{Error, Result};
use crate::proto::{self, DOMAIN, OPSET, WithAttribute};

/// Definitions of the operators of our domain among these nodes, in alphabetical order; `schemas` are all operators that may be.
///
/// # Errors
/// For a definition that does not follow the syntax.
pub fn used_by<'a>(nodes: &[NodeProto], schemas: impl Iterator<Item = &'a Schema>) -> Result<Vec<FunctionProto>> {
    let used = schemas.filter(|schema| nodes.iter().any(|node| proto::is_ours(node, schema)));
    let mut functions: Vec<FunctionProto> = used.map(define).collect::<Result<_>>()?;
    functions.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(functions)
}

/// The function that defines an operator.
fn define(schema: &Schema) -> Result<FunctionProto> {
    let text = schema.definition.unwrap_or_default();
    let function = Parser { rest: text }.function().map_err(|rest| Error::Definition {
        operator: schema.name,
        place: rest.lines().next().unwrap_or_default().to_owned(),
    })?;
    Ok(FunctionProto {
        doc_string: Some(schema.doc.to_owned()),
        ..function
    })
}

/// What is still to be read. Methods that read take it from the front; on an error they return what is left, which begins with what
/// does not fit.
struct Parser<'a> {
    rest: &'a str,
}

type Parsed<'a, T> = std::result::Result<T, &'a str>;

impl<'a> Parser<'a> {
    fn function(&mut self) -> Parsed<'a, FunctionProto> {
        let name = self.name()?;
        let attribute = if self.take("<") { self.names_until(">")? } else { Vec::new() };
        self.expect("(")?;
        let input = self.names_until(")")?;
        self.expect("=>")?;
        self.expect("(")?;
        let output = self.names_until(")")?;
        self.expect("{")?;
        let mut node = Vec::new();
        while !self.take("}") {
            node.push(self.node()?);
        }
        self.end()?;
        Ok(FunctionProto {
            name: Some(name.to_owned()),
            domain: Some(DOMAIN.to_owned()),
            input,
            output,
            attribute,
            node,
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: OPSET,
            }],
            ..FunctionProto::default()
        })
    }

    fn node(&mut self) -> Parsed<'a, NodeProto> {
        let output = self.names_until("=")?;
        let mut node = NodeProto {
            output,
            op_type: self.name()?.to_owned(),
            ..NodeProto::default()
        };
        if self.take("<") {
            loop {
                node = self.attribute(node)?;
                if !self.take(",") {
                    break;
                }
            }
            self.expect(">")?;
        }
        self.expect("(")?;
        if !self.take(")") {
            node.input = self.names_until(")")?;
        }
        Ok(node)
    }

    /// Adds an attribute to a node.
    fn attribute(&mut self, node: NodeProto) -> Parsed<'a, NodeProto> {
        let name = self.name()?;
        if self.take(":") {
            let kind = self.kind()?;
            self.expect("=")?;
            self.expect("@")?;
            return Ok(node.with_reference(name, self.name()?, kind));
        }
        self.expect("=")?;
        if self.take("[") {
            let mut values = vec![self.number()?];
            while self.take(",") {
                values.push(self.number()?);
            }
            self.expect("]")?;
            return Ok(node.with_ints(name, &values));
        }
        if self.take("float") {
            self.expect("{")?;
            let value = self.number()?;
            self.expect("}")?;
            return Ok(node.with(scalar(name, value)));
        }
        let before = self.rest;
        if let Ok(value) = self.number() {
            return Ok(node.with_int(name, value));
        }
        self.rest = before;
        Ok(node.with_float(name, self.number()?))
    }

    fn kind(&mut self) -> Parsed<'a, AttributeType> {
        let before = self.text();
        match self.name()? {
            "int" => Ok(AttributeType::Int),
            "ints" => Ok(AttributeType::Ints),
            "float" => Ok(AttributeType::Float),
            _ => Err(before),
        }
    }

    /// One name or more, up to `end`, which is taken too.
    fn names_until(&mut self, end: &str) -> Parsed<'a, Vec<String>> {
        let mut names = vec![self.name()?.to_owned()];
        while self.take(",") {
            names.push(self.name()?.to_owned());
        }
        self.expect(end)?;
        Ok(names)
    }

    fn name(&mut self) -> Parsed<'a, &'a str> {
        let text = self.text();
        let length = text
            .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .unwrap_or(text.len());
        if text.starts_with(|letter: char| letter.is_ascii_digit()) || length == 0 {
            return Err(text);
        }
        Ok(self.advance(length))
    }

    fn number<T: std::str::FromStr>(&mut self) -> Parsed<'a, T> {
        let text = self.text();
        let length = text
            .find(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '.' | '-' | '+'))
            .unwrap_or(text.len());
        let number = text[..length].parse().map_err(|_| text)?;
        self.advance(length);
        Ok(number)
    }

    /// Takes a mark or word if it comes next.
    fn take(&mut self, mark: &str) -> bool {
        let found = self.text().starts_with(mark);
        if found {
            self.advance(mark.len());
        }
        found
    }

    fn expect(&mut self, mark: &str) -> Parsed<'a, ()> {
        if self.take(mark) { Ok(()) } else { Err(self.text()) }
    }

    fn end(&self) -> Parsed<'a, ()> {
        if self.text().is_empty() { Ok(()) } else { Err(self.text()) }
    }

    /// What is left, without white space before it.
    fn text(&self) -> &'a str {
        self.rest.trim_start()
    }

    fn advance(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.text().split_at(length);
        self.rest = rest;
        taken
    }
}

/// A tensor of one float.
fn scalar(name: &str, value: f32) -> AttributeProto {
    let tensor = TensorProto {
        data_type: DataType::Float as i32,
        raw_data: value.to_le_bytes().to_vec(),
        ..TensorProto::default()
    };
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Tensor as i32,
        t: Some(tensor),
        ..AttributeProto::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use inkstone::engine::operators::{SILU, own_schemas};

    use super::*;
    use crate::standard;

    #[test]
    fn definitions_read_only_what_is_there() {
        for schema in own_schemas() {
            let function = define(schema).unwrap();
            assert_eq!(function.name.as_deref(), Some(schema.name));
            let mut made: HashSet<String> = function.input.iter().cloned().collect();
            let mut read = BTreeSet::new();
            for node in &function.node {
                assert!(
                    standard::is_in_opset(&node.op_type),
                    "{}: {} is not in operator set {OPSET}",
                    schema.name,
                    node.op_type
                );
                assert!(node.input.iter().all(|value| made.contains(value)), "{}: {node:?}", schema.name);
                assert!(
                    node.output.iter().all(|value| made.insert(value.clone())),
                    "{} makes a value twice: {node:?}",
                    schema.name
                );
                read.extend(node.input.iter().cloned());
                let references = node.attribute.iter().map(|attribute| &attribute.ref_attr_name);
                read.extend(references.filter(|name| !name.is_empty()).map(|name| format!("@{name}")));
            }
            let attributes = function.attribute.iter().map(|name| format!("@{name}"));
            for declared in function.input.iter().cloned().chain(attributes.clone()) {
                assert!(read.contains(&declared), "{} does not read {declared}", schema.name);
            }
            let references = read.iter().filter(|name| name.starts_with('@'));
            assert_eq!(references.count(), function.attribute.len(), "{}", schema.name);
            assert!(function.output.iter().all(|output| made.contains(output)));
        }
    }

    #[test]
    fn only_what_is_used_is_defined() {
        let nodes = [
            proto::our_node(&SILU, "a", &["x"], &["y"]),
            proto::node("Attention", "b", &["x"], &["z"]),
        ];
        let functions = used_by(&nodes, own_schemas()).unwrap();
        let names: Vec<_> = functions.into_iter().filter_map(|function| function.name).collect();
        assert_eq!(names, ["Silu"]);
    }

    static SNAKE: Schema = Schema {
        name: "Snake",
        doc: "A sine on a slope.",
        definition: Some("Snake <alpha> (x) => (y) { f = Constant <value_float: float = @alpha> () s = Mul (x, f) y = Sin (s) }"),
    };

    #[test]
    fn an_operator_that_is_not_shipped_is_defined_by_its_schema() {
        let nodes = [
            proto::our_node(&SNAKE, "a", &["x"], &["h"]).with_float("alpha", 2.0),
            proto::our_node(&SILU, "b", &["h"], &["y"]),
        ];
        let functions = used_by(&nodes, own_schemas().chain([&SNAKE])).unwrap();
        let names: Vec<_> = functions.iter().filter_map(|function| function.name.as_deref()).collect();
        assert_eq!(names, ["Silu", "Snake"]);
        let snake = &functions[1];
        assert_eq!((snake.attribute.as_slice(), snake.node.len()), (&["alpha".to_owned()][..], 3));
        let reference = &snake.node[0].attribute[0];
        assert_eq!(
            (reference.name.as_str(), reference.ref_attr_name.as_str()),
            ("value_float", "alpha")
        );
        assert_eq!(snake.doc_string.as_deref(), Some(SNAKE.doc));
    }

    #[test]
    fn every_kind_of_attribute() {
        let text = "F (x) => (y, z) { y, z = G <a = -3, b = 0.5, c = [1, -2], d = float {1e-12}, e: ints = @f> (x) }";
        let function = Parser { rest: text }.function().unwrap();
        let node = &function.node[0];
        assert_eq!((node.op_type.as_str(), node.output.len()), ("G", 2));
        assert_eq!((proto::int(node, "a"), proto::float(node, "b")), (Some(-3), Some(0.5)));
        assert_eq!(proto::ints(node, "c"), Some(&[1, -2][..]));
        let tensor = node.attribute[3].t.as_ref().unwrap();
        assert_eq!(tensor.raw_data, 1e-12f32.to_le_bytes());
        assert_eq!(node.attribute[4].r#type, AttributeType::Ints as i32);
    }

    #[test]
    fn other_syntax_is_refused_where_it_begins() {
        for (text, place) in [
            ("F (x) => (y) { y = G (x) } more", "more"),
            ("F (x) => (y) { y = G (x)", ""),
            ("F (x) => (y) { = G (x) }", "= G (x) }"),
            ("F (x) => (y) { y = G <a: tensor = @b> (x) }", "tensor = @b> (x) }"),
            ("F (x) => (y) { y = G <a = [1, b]> (x) }", "b]> (x) }"),
            ("F (x) => (y) { y = G (H (x)) }", "(x)) }"),
            ("1F (x) => (y) { }", "1F (x) => (y) { }"),
            ("F (x) -> (y) { }", "-> (y) { }"),
        ] {
            assert_eq!(Parser { rest: text }.function().unwrap_err(), place, "{text}");
        }
    }
}
