//! One graph made ready to run.

use std::path::PathBuf;
use std::sync::Arc;

use tract_onnx::prelude::Framework;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_hir::infer::InferenceModelExt;

use super::program::Program;
use super::{Engine, EngineError, adopt, bind, fuse};
use crate::pack::{Element, Pack, PackError, Weights};

/// What goes into and comes out of a stage: elements in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit integers.
    I64(Vec<i64>),
}

impl Value {
    /// The floats; nothing where the value holds integers.
    pub fn into_floats(self) -> Option<Vec<f32>> {
        match self {
            Value::F32(values) => Some(values),
            Value::I64(_) => None,
        }
    }
}

/// A graph of a pack, checked, bound to its mapped weights and ready to run.
pub struct Stage {
    name: String,
    shapes: Vec<(Element, Vec<usize>)>,
    weights: Arc<Weights>,
    /// Where in the file its weights begin.
    first_weight: Option<usize>,
    program: Program,
}

impl Stage {
    /// Loads a stage. Weights are not read, only pointed at.
    ///
    /// # Errors
    /// If the graph does not fit the manifest, the weights file or this engine.
    pub fn load(pack: &Pack, name: &str) -> Result<Stage, EngineError> {
        let mut graph = pack.graph(name)?;
        let record = &pack.manifest().stages[name];
        let file = pack.folder().join(&record.graph);
        let fail = |problem: String| EngineError::Graph {
            file: file.clone(),
            problem,
        };
        let reader = bind::reader();
        if let Some(problem) = bind::unknown_operator(&reader, &graph.proto) {
            return Err(fail(problem));
        }
        bind::detach(&mut graph);
        bind::rename_twins(&mut graph.proto);
        let prepare = || -> TractResult<Program> {
            let mut model = reader.model_for_proto_model(&graph.proto)?.into_typed()?;
            bind::bind(&mut model, &graph.tensors)?;
            model.declutter()?;
            fuse::fuse(&mut model)?;
            adopt::adopt(&mut model)?;
            Program::new(&model.into_optimized()?)
        };
        let first_weight = graph.tensors.values().map(|tensor| tensor.data.start()).min();
        let program = prepare().map_err(|error| fail(format!("{error:#}")))?;
        log::debug!("stage '{name}': {} KiB of activations", program.floats() * size_of::<f32>() / 1024);
        let stage = Stage {
            name: name.to_owned(),
            shapes: record.inputs.iter().map(|port| (port.element, port.shape.clone())).collect(),
            weights: pack.weights().clone(),
            first_weight,
            program,
        };
        stage.check_outputs(pack, name, file.clone())?;
        Ok(stage)
    }

    /// The graph's computed output shapes must be those that the manifest promises.
    fn check_outputs(&self, pack: &Pack, name: &str, file: PathBuf) -> Result<(), EngineError> {
        for (shape, port) in self.program.output_shapes().zip(&pack.manifest().stages[name].outputs) {
            if shape != port.shape {
                let problem = format!(
                    "output '{}' comes out with shape {shape:?} where the manifest says {:?}",
                    port.name, port.shape
                );
                return Err(PackError::Graph { file, problem }.into());
            }
        }
        Ok(())
    }

    /// Runs the graph once. Inputs and outputs are in the manifest's order.
    ///
    /// # Errors
    /// If an input has another type or number of elements than its port, an operator fails, or the weights file was
    /// written to since it was opened.
    pub fn run(&self, engine: &Engine, inputs: &[Value]) -> Result<Vec<Value>, EngineError> {
        self.weights.check()?;
        self.first_weight.map_or(Ok(()), |start| self.weights.read_ahead_from(start))?;
        let run = || -> TractResult<Vec<Value>> {
            ensure!(
                inputs.len() == self.shapes.len(),
                "{} inputs where {} are needed",
                inputs.len(),
                self.shapes.len()
            );
            let tensors = inputs
                .iter()
                .zip(&self.shapes)
                .map(|(value, (element, shape))| tensor(value, *element, shape));
            let tensors = tensors.collect::<TractResult<TVec<TValue>>>()?;
            engine
                .with_arena(|arena| self.program.run(arena, tensors))?
                .into_iter()
                .map(value)
                .collect()
        };
        engine.run(run).map_err(|error| EngineError::Run {
            stage: self.name.clone(),
            problem: format!("{error:#}"),
        })
    }
}

fn tensor(value: &Value, element: Element, shape: &[usize]) -> TractResult<TValue> {
    let tensor = match (value, element) {
        (Value::F32(values), Element::F32) => Tensor::from_shape(shape, values)?,
        (Value::I64(values), Element::I64) => Tensor::from_shape(shape, values)?,
        _ => bail!("an input has another element type than {element:?}"),
    };
    Ok(tensor.into_tvalue())
}

fn value(tensor: TValue) -> TractResult<Value> {
    let plain = tensor.try_as_plain_ram()?;
    match tensor.datum_type() {
        DatumType::F32 => Ok(Value::F32(plain.as_slice::<f32>()?.to_vec())),
        _ => Ok(Value::I64(tensor.cast_to::<i64>()?.try_as_plain_ram()?.as_slice::<i64>()?.to_vec())),
    }
}
