//! Inputs and states of a stage that adds up what it is given.

use super::*;
use crate::engine::testing::{node, port, stage};

/// total = x + past and twice = 2·total, and a count of integers.
fn adder(engine: &Engine) -> Stage {
    let nodes = vec![
        node("Add", &["x", "past"], "total"),
        node("Add", &["total", "total"], "twice"),
        node("Add", &["count", "step"], "next"),
    ];
    let inputs = vec![
        port("past", "f32", &[1, 3]),
        port("x", "f32", &[1, 3]),
        port("count", "i64", &[2]),
        port("step", "i64", &[2]),
    ];
    let outputs = vec![
        port("total", "f32", &[1, 3]),
        port("twice", "f32", &[1, 3]),
        port("next", "i64", &[2]),
    ];
    stage(engine, nodes, [inputs, outputs], TABLE.iter()).unwrap()
}

const WIRING: [(&str, &str); 2] = [("next", "count"), ("total", "past")];

#[test]
fn a_state_carries_outputs_to_the_inputs_of_the_next_run() {
    let engine = Engine::new(1).unwrap();
    let stage = adder(&engine);
    let mut state = stage.state(&WIRING).unwrap();
    for _ in 0..2 {
        let (mut past, mut count) = (Value::F32(vec![0.0; 3]), Value::I64(vec![0; 2]));
        for run in 1..4u8 {
            let (x, step) = ([1.0, f32::from(run), -0.5], [1, i64::from(run)]);
            let (x, step) = (Input::F32(&x), Input::I64(&step));
            let outputs = stage.run(&engine, &[past.as_input(), x, count.as_input(), step]).unwrap();
            let [total, twice, next] = outputs.try_into().unwrap();
            assert_eq!(stage.run_with(&engine, &[x, step], &mut state).unwrap(), [twice]);
            (past, count) = (total, next);
        }
        assert_eq!((past, count), (Value::F32(vec![3.0, 6.0, -1.5]), Value::I64(vec![3, 6])));
        state.reset();
    }
}

#[test]
fn a_run_that_fails_leaves_the_state_as_it_was() {
    let engine = Engine::new(1).unwrap();
    let stage = adder(&engine);
    let mut state = stage.state(&[("total", "past")]).unwrap();
    let numbers = Input::I64(&[1, 1]);
    let mut run = |x: &[f32]| stage.run_with(&engine, &[Input::F32(x), numbers, numbers], &mut state);
    run(&[1.0; 3]).unwrap();
    let message = run(&[1.0; 2]).unwrap_err().to_string();
    assert!(message.contains("input 'x' must be F32 with 3 elements"), "{message}");
    assert_eq!(run(&[1.0; 3]).unwrap()[0], Value::F32(vec![4.0; 3]));
}

#[test]
fn wrong_inputs_and_states_are_refused() {
    let engine = Engine::new(1).unwrap();
    let stage = adder(&engine);
    for (wiring, words) in [
        (&[("sum", "past")][..], "no output 'sum'"),
        (&[("total", "y")], "no input 'y'"),
        (&[("total", "count")], "output 'total' is F32"),
        (&[("total", "past"), ("total", "x")], "named twice"),
        (&[("total", "past"), ("twice", "past")], "named twice"),
    ] {
        let error = stage.state(wiring).err().unwrap();
        assert!(error.is_input_fault() && error.to_string().contains(words), "{error}");
    }
    let (x, count) = (Input::F32(&[0.0; 3]), Input::I64(&[0; 2]));
    for inputs in [&[x, x, count][..], &[x, x, count, x], &[x, count, x, count], &[]] {
        assert!(stage.run(&engine, inputs).is_err());
    }
    let other = self::stage(
        &engine,
        vec![node("Add", &["a", "a"], "b")],
        [vec![port("a", "f32", &[2])], vec![port("b", "f32", &[2])]],
        TABLE.iter(),
    );
    let mut state = other.unwrap().state(&[("b", "a")]).unwrap();
    assert!(stage.run_with(&engine, &[x, count, count], &mut state).is_err());
}
