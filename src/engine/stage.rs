//! One graph made ready to run, and the values that it keeps from run to run.

use std::path::Path;
use std::sync::Arc;

use tract_onnx::tract_core::internal::*;

use super::kernels::Kernel;
use super::operators::{Row, TABLE};
use super::program::Program;
use super::reader::{self, Read};
use super::watching::Watches;
use super::{AttentionWatch, Engine, EngineError, Input, Value, fuse, lower};
use crate::pack::{Element, Graph, Limits, Pack, PackError, Port, Weights};
use crate::process::panics::caught;

/// A graph of a pack, checked, with its mapped weights and ready to run. It uses the micro-kernel of the engine that loaded it; any
/// engine can run it.
///
/// ```no_run
/// use inkstone::engine::{Engine, Input, Stage};
/// use inkstone::pack::Pack;
///
/// let engine = Engine::new(2)?;
/// let pack = Pack::open("models/pictogram".as_ref())?;
/// let encoder = Stage::load(&engine, &pack, "text_encoder")?;
/// let ids = vec![0; 32];
/// let outputs = encoder.run(&engine, &[Input::I64(&ids)])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Stage {
    name: String,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    weights: Arc<Weights>,
    /// Where in the weights file the stage's tensors begin.
    first_weight: Option<usize>,
    /// By input: rows of the smallest table that it indexes.
    rows: Vec<Option<usize>>,
    /// What it needs of its pack's limits.
    needs: Limits,
    program: Program,
}

/// Values that one run of a stage hands to the next, such as the keys and values of an autoregressive network: each is fed back from
/// an output to an input. Made by [`Stage::state`]; all zeros before the first run.
///
/// ```no_run
/// # use inkstone::engine::{Engine, EngineError, Input, Stage};
/// # fn generate(engine: &Engine, decoder: &Stage) -> Result<(), EngineError> {
/// let mut state = decoder.state(&[("keys_out", "keys_in"), ("values_out", "values_in")])?;
/// for token in [[1], [7], [3]] {
///     // Neither keys nor values are among the inputs and outputs.
///     let logits = decoder.run_with(engine, &[Input::I64(&token)], &mut state)?;
/// }
/// state.reset();
/// # Ok(())
/// # }
/// ```
pub struct State {
    carried: Vec<Carried>,
}

/// A value of a [`State`].
struct Carried {
    /// Numbers of the stage's ports.
    output: usize,
    input: usize,
    value: Value,
}

impl State {
    /// Makes all values zeros again, as for the next picture.
    pub fn reset(&mut self) {
        for carried in &mut self.carried {
            match &mut carried.value {
                Value::F32(values) => values.fill(0.0),
                Value::I64(values) => values.fill(0),
            }
        }
    }

    fn has_input(&self, input: usize) -> bool {
        self.carried.iter().any(|carried| carried.input == input)
    }

    fn output(&mut self, output: usize) -> Option<&mut Value> {
        let mut carried = self.carried.iter_mut();
        Some(&mut carried.find(|carried| carried.output == output)?.value)
    }
}

impl Stage {
    /// Loads a stage of a pack for an engine. Weights are mapped, not read.
    ///
    /// # Errors
    /// If the graph does not fit the manifest, the weights file or this engine.
    pub fn load(engine: &Engine, pack: &Pack, name: &str) -> Result<Stage, EngineError> {
        Stage::with_kernel(engine.kernel, pack, name)
    }

    /// The same, given the engine's kernel.
    pub(super) fn with_kernel(kernel: &'static dyn Kernel, pack: &Pack, name: &str) -> Result<Stage, EngineError> {
        let graph = pack.graph(name)?;
        let record = &pack.manifest().stages[name];
        let ports = [record.inputs.clone(), record.outputs.clone()];
        let file = pack.folder().join(&record.graph);
        Stage::new(kernel, name, &file, graph, ports, pack.weights().clone(), TABLE.iter())
    }

    /// A stage of a checked graph with inputs and outputs, whose operators are those of a table.
    pub(super) fn new<'a>(
        kernel: &'static dyn Kernel,
        name: &str,
        file: &Path,
        graph: Graph,
        [inputs, outputs]: [Vec<Port>; 2],
        weights: Arc<Weights>,
        table: impl Iterator<Item = &'a Row> + Clone,
    ) -> Result<Stage, EngineError> {
        let first_weight = graph.tensors.values().map(|tensor| tensor.data.start()).min();
        let most = graph.limits.elements_at_once;
        let prepare = || -> TractResult<(Program, Limits, Vec<Option<usize>>)> {
            let Read {
                mut model,
                mut needs,
                rows,
            } = reader::read(graph, table, kernel)?;
            model.declutter()?;
            fuse::fuse(&mut model)?;
            lower::lower(&mut model)?;
            let program = Program::new(&model.into_optimized()?)?;
            let floats = program.floats();
            ensure!(floats <= most, "a run needs {floats} floats; the pack's limits allow {most}");
            needs.elements_at_once = needs.elements_at_once.max(floats);
            Ok((program, needs, rows))
        };
        let fail = |problem| EngineError::Graph {
            file: file.to_path_buf(),
            problem,
        };
        let (program, needs, rows) = caught(prepare).map_err(fail)?.map_err(|error| fail(format!("{error:#}")))?;
        log::debug!("stage '{name}': {} KiB of activations", program.floats() * size_of::<f32>() / 1024);
        let stage = Stage {
            name: name.to_owned(),
            inputs,
            outputs,
            weights,
            first_weight,
            rows,
            needs,
            program,
        };
        stage.check_outputs(file)?;
        Ok(stage)
    }

    /// The graph's computed output shapes must be those that the manifest promises.
    fn check_outputs(&self, file: &Path) -> Result<(), EngineError> {
        for (shape, port) in self.program.output_shapes().zip(&self.outputs) {
            if shape != port.shape {
                let problem = format!("output '{}' has shape {shape:?}; the manifest says {:?}", port.name, port.shape);
                return Err(PackError::Graph {
                    file: file.to_path_buf(),
                    problem,
                }
                .into());
            }
        }
        Ok(())
    }

    /// What the graph needs: the smallest limits that its pack's manifest may state.
    pub fn needs(&self) -> Limits {
        self.needs
    }

    /// A state that feeds outputs back to inputs, each given by the names of its ports: `(output, input)`.
    ///
    /// # Errors
    /// If there is no such port, an output and its input differ in type or shape, or a port is named twice.
    pub fn state(&self, wiring: &[(&str, &str)]) -> Result<State, EngineError> {
        let fail = |problem: String| EngineError::State {
            stage: self.name.clone(),
            problem,
        };
        let find = |ports: &[Port], kind: &str, name: &str| {
            let found = ports.iter().position(|port| port.name == name);
            found.ok_or_else(|| fail(format!("there is no {kind} '{name}'")))
        };
        let mut state = State { carried: Vec::new() };
        for &(output_name, input_name) in wiring {
            let (output, input) = (
                find(&self.outputs, "output", output_name)?,
                find(&self.inputs, "input", input_name)?,
            );
            let (from, to) = (&self.outputs[output], &self.inputs[input]);
            if (from.element, &from.shape) != (to.element, &to.shape) {
                return Err(fail(format!(
                    "output '{output_name}' is {:?} {:?}, but input '{input_name}' is {:?} {:?}",
                    from.element, from.shape, to.element, to.shape
                )));
            }
            if state.has_input(input) || state.output(output).is_some() {
                return Err(fail(format!("'{output_name}' or '{input_name}' is named twice")));
            }
            let count = to.shape.iter().product();
            let value = match to.element {
                Element::F32 => Value::F32(vec![0.0; count]),
                Element::I64 => Value::I64(vec![0; count]),
            };
            state.carried.push(Carried { output, input, value });
        }
        Ok(state)
    }

    /// Runs the graph once. Inputs and outputs are in the manifest's order.
    ///
    /// # Errors
    /// If an input has another type or number of elements than its port, an operator fails, or the weights file was
    /// written to since it was opened.
    pub fn run(&self, engine: &Engine, inputs: &[Input]) -> Result<Vec<Value>, EngineError> {
        self.run_with(engine, inputs, &mut State { carried: Vec::new() })
    }

    /// Runs the graph once with what the last run left in the state. Inputs and outputs are those that the state does not hold,
    /// in the manifest's order.
    ///
    /// # Errors
    /// As [`Stage::run`]; the state is then as it was. Also if the state is not one of this stage.
    pub fn run_with(&self, engine: &Engine, inputs: &[Input], state: &mut State) -> Result<Vec<Value>, EngineError> {
        self.run_any(engine, inputs, state, None)
    }

    /// As [`Stage::run`], and tells a watch what the graph's attention weighs. The outputs are the same.
    ///
    /// # Errors
    /// As [`Stage::run`].
    pub fn run_watched(&self, engine: &Engine, inputs: &[Input], watch: &mut dyn AttentionWatch) -> Result<Vec<Value>, EngineError> {
        self.run_any(engine, inputs, &mut State { carried: Vec::new() }, Some(watch))
    }

    fn run_any<'a>(
        &'a self,
        engine: &'a Engine,
        inputs: &[Input],
        state: &mut State,
        watch: Option<&'a mut (dyn AttentionWatch + 'a)>,
    ) -> Result<Vec<Value>, EngineError> {
        self.weights.check()?;
        self.first_weight.map_or(Ok(()), |start| self.weights.read_ahead_from(start))?;
        let watches = Watches {
            attention: watch,
            activations: engine.activations().map(|watch| (watch, &*self.name)),
        };
        let run = || -> TractResult<Vec<Value>> {
            engine.with_arena(|arena| {
                let outputs = self.program.run(arena, &self.all_inputs(inputs, state)?, watches)?;
                let mut given = Vec::new();
                for index in 0..self.outputs.len() {
                    outputs.with(index, |value| match state.output(index) {
                        Some(held) => replace(held, value),
                        None => {
                            given.push(value.to_value());
                            Ok(())
                        }
                    })?;
                }
                Ok(given)
            })
        };
        let fail = |problem| EngineError::Run {
            stage: self.name.clone(),
            problem,
        };
        let outputs = caught(|| engine.run(run)).map_err(fail)?;
        outputs.map_err(|error| fail(format!("{error:#}")))
    }

    /// Its name in the manifest.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Rows of the smallest table that an input indexes, by its number in the manifest's order, if it indexes one.
    pub fn indexed_rows(&self, input: usize) -> Option<usize> {
        self.rows.get(input).copied().flatten()
    }

    fn check_rows(&self, input: usize, values: &[i64]) -> TractResult<()> {
        let Some(rows) = self.indexed_rows(input) else { return Ok(()) };
        let outside = values.iter().find(|&&value| usize::try_from(value).map_or(true, |row| row >= rows));
        match outside {
            Some(value) => bail!(
                "input '{}' holds {value}; it indexes a table of {rows} rows",
                self.inputs[input].name
            ),
            None => Ok(()),
        }
    }

    /// The graph's inputs, from the caller and from the state, checked against the ports.
    fn all_inputs<'a>(&self, given: &[Input<'a>], state: &'a State) -> TractResult<Vec<Input<'a>>> {
        let needed = self.inputs.len().saturating_sub(state.carried.len());
        ensure!(given.len() == needed, "{} inputs were given; {needed} are needed", given.len());
        let mut given = given.iter().copied();
        let mut next = |(index, port): (usize, &Port)| {
            let held = state.carried.iter().find(|carried| carried.input == index);
            let input = held.map(|carried| carried.value.as_input()).or_else(|| given.next());
            let count: usize = port.shape.iter().product();
            match (input, port.element) {
                (Some(Input::F32(values)), Element::F32) if values.len() == count => Ok(Input::F32(values)),
                (Some(Input::I64(values)), Element::I64) if values.len() == count => {
                    self.check_rows(index, values)?;
                    Ok(Input::I64(values))
                }
                _ => bail!("input '{}' must be {:?} with {count} elements", port.name, port.element),
            }
        };
        self.inputs.iter().enumerate().map(&mut next).collect()
    }
}

/// Copies an output into a state.
fn replace(held: &mut Value, value: Input) -> TractResult<()> {
    match (held, value) {
        (Value::F32(held), Input::F32(values)) if held.len() == values.len() => held.copy_from_slice(values),
        (Value::I64(held), Input::I64(values)) if held.len() == values.len() => held.copy_from_slice(values),
        _ => bail!("the state belongs to another stage"),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
