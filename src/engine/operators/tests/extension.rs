//! An operator that is not shipped: one file with its schema, its arithmetic and how it is built, and one row.

use std::sync::Arc;

use tract_onnx::pb::{AttributeProto, NodeProto};

use crate::engine::operators::table::{Built, Resources, Row, Schema, TABLE, row};
use crate::engine::testing::{node, port, stage};
use crate::engine::{Engine, EngineError, Input, Stage, Value};
use crate::pack::DOMAIN;

use super::*;

static SNAKE: Schema = Schema {
    name: "Snake",
    doc: "x plus the square of the sine of alpha times x, divided by alpha (Ziyin et al., arXiv 2006.08195).",
    definition: Some(
        "Snake <alpha> (x) => (y) {
            factor = Constant <value_float: float = @alpha> ()
            scaled = Mul (x, factor)
            wave = Sin (scaled)
            square = Mul (wave, wave)
            bend = Div (square, factor)
            y = Add (x, bend)
        }",
    ),
};

static ROW: Row = row(&SNAKE, build);

fn build(node: &NodeProto, _: &Resources) -> Built {
    let alpha = node.get_attr("alpha")?;
    Ok(Some(Arc::new(Snake { alpha })))
}

#[derive(Debug)]
struct Snake {
    alpha: f32,
}

impl Operator for Snake {
    fn name(&self) -> &'static str {
        SNAKE.name
    }

    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let [x] = *inputs else { bail!("Snake takes one input") };
        Ok(x.into())
    }

    fn run(&self, inputs: &Inputs, _: &mut [f32], output: &mut [f32]) -> TractResult<()> {
        for (y, x) in output.iter_mut().zip(inputs.floats(0)?) {
            *y = x + (self.alpha * x).sin().powi(2) / self.alpha;
        }
        Ok(())
    }
}

/// A graph with the operator between two of the standard ones.
fn graph(engine: &Engine, table: impl Iterator<Item = &'static Row> + Clone) -> Result<Stage, EngineError> {
    let alpha = AttributeProto {
        name: "alpha".into(),
        f: 2.0,
        r#type: 1,
        ..AttributeProto::default()
    };
    let snake = NodeProto {
        domain: DOMAIN.into(),
        attribute: vec![alpha],
        ..node("Snake", &["sum"], "bent")
    };
    let nodes = vec![node("Add", &["x", "x"], "sum"), snake, node("Neg", &["bent"], "y")];
    let ports = ["x", "y"].map(|name| vec![port(name, "f32", &[1, 4])]);
    stage(engine, nodes, ports, table)
}

#[test]
fn an_operator_is_added_by_a_row() {
    let engine = Engine::new(1).unwrap();
    let message = graph(&engine, TABLE.iter()).err().unwrap().to_string();
    assert!(message.contains("operator inkstone.Snake is not known"), "{message}");
    let x = [-1.5, 0.0, 0.25, 3.0];
    let stage = graph(&engine, TABLE.iter().chain([&ROW])).unwrap();
    let outputs = stage.run(&engine, &[Input::F32(&x)]).unwrap();
    let expected = x.map(|x: f32| -(2.0 * x + (4.0 * x).sin().powi(2) / 2.0));
    let [Value::F32(found)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_close(found, &expected.map(f64::from), 1e-6);
}

#[test]
fn rows_are_in_order_and_named_once() {
    assert!(TABLE.iter().is_sorted_by(|one, other| one.schema.name < other.schema.name));
}
