//! A graph as a list of steps, with a place for every value: floats in the arena, constants in the graph, outputs of tract's own
//! operators in tensors of their own. Owns the loop that runs the steps and, in `translation`, their planning from tract's optimized
//! model; depends on `adapter` and `arena`.

mod translation;

use std::ops::Range;
use std::sync::Arc;

use tract_onnx::tract_core::internal::*;

use super::Input;
use super::adapter::{Batched, Inputs, Operator, elements};
use super::arena::{Arena, Rest, cut, cut_all};
use super::watching::Watches;
use translation::Translation;

/// Where a value lies.
#[derive(Clone, Debug)]
enum Place {
    Constant(Arc<Tensor>),
    /// Floats of the arena.
    Floats(Range<usize>),
    /// A tensor of the run, by its number.
    Tensor(usize),
}

/// A value of the graph.
#[derive(Clone, Debug)]
struct Value {
    shape: TVec<usize>,
    place: Place,
}

enum Operation {
    Ours {
        operator: Arc<dyn Operator>,
        output: Range<usize>,
        workspace: Range<usize>,
        /// Of an operator that reads its first input before it runs.
        scratch: Option<Range<usize>>,
    },
    /// Independent operators that are computed together.
    Batch(Vec<Member<Value, Range<usize>>>),
    Tracts {
        operator: Box<dyn TypedOp>,
        outputs: Vec<usize>,
    },
}

/// An operator of a batch with what it reads and writes.
struct Member<I, O> {
    /// The node's name, for those who watch.
    name: String,
    operator: Arc<dyn Operator>,
    inputs: Vec<I>,
    output: O,
}

struct Step {
    /// The node's name, for errors.
    name: String,
    operation: Operation,
    inputs: Vec<Value>,
    /// Tensors that no later step reads.
    spent: Vec<usize>,
}

/// A graph ready to run.
pub struct Program {
    steps: Vec<Step>,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
    floats: usize,
    tensors: usize,
}

impl Program {
    /// Translates an optimized model whose shapes are all known.
    pub fn new(model: &TypedModel) -> TractResult<Program> {
        Translation::of(model)
    }

    /// Floats that the arena holds while the program runs.
    pub fn floats(&self) -> usize {
        self.floats
    }

    /// Shapes of the outputs.
    pub fn output_shapes(&self) -> impl Iterator<Item = &[usize]> {
        self.outputs.iter().map(|output| &*output.shape)
    }

    /// Runs all steps with inputs in the order of the model, of the types and numbers of elements that it has.
    pub fn run<'a>(&'a self, arena: &'a mut Arena, inputs: &[Input], mut watches: Watches) -> TractResult<Outputs<'a>> {
        let floats = arena.floats(self.floats);
        let mut tensors: Vec<Option<TValue>> = vec![None; self.tensors];
        for (value, input) in self.inputs.iter().zip(inputs) {
            match (&value.place, *input) {
                (Place::Floats(range), Input::F32(source)) => {
                    let place = &mut floats[range.clone()];
                    ensure!(
                        source.len() == place.len(),
                        "an input has {} floats; {} are needed",
                        source.len(),
                        place.len()
                    );
                    place.copy_from_slice(source);
                }
                (Place::Tensor(number), Input::F32(source)) => {
                    tensors[*number] = Some(Tensor::from_shape(&value.shape, source)?.into_tvalue());
                }
                (Place::Tensor(number), Input::I64(source)) => {
                    tensors[*number] = Some(Tensor::from_shape(&value.shape, source)?.into_tvalue());
                }
                (Place::Floats(_), Input::I64(_)) => bail!("an input has integers; floats are needed"),
                (Place::Constant(_), _) => {}
            }
        }
        self.forget_scratch();
        for (number, step) in self.steps.iter().enumerate() {
            if watches.any() {
                step.tell(&mut watches, floats, &tensors)?;
            }
            step.run(number, floats, &mut tensors)
                .with_context(|| format!("running node '{}'", step.name))?;
        }
        Ok(Outputs {
            values: &self.outputs,
            floats,
            tensors,
        })
    }

    /// Drops what tract's operators keep on this thread by the numbers of their nodes, which another program has given to others.
    fn forget_scratch(&self) {
        for (number, step) in self.steps.iter().enumerate() {
            if let Operation::Tracts { operator, .. } = &step.operation {
                operator.drop_session(context(number).session, number);
            }
        }
    }
}

/// Where tract's operators keep scratch: each must have a number of its own, as a matrix product keeps the memory layout of its output
/// there.
fn context(number: usize) -> EvalContext<'static> {
    EvalContext {
        node_id: number,
        ..EvalContext::out_of_plan()
    }
}

/// The outputs of a run.
pub struct Outputs<'a> {
    values: &'a [Value],
    floats: &'a [f32],
    tensors: Vec<Option<TValue>>,
}

impl Outputs<'_> {
    /// Lends an output, by its number in the order of the model. Integers of any width come as 64-bit ones.
    pub fn with<R>(&self, index: usize, work: impl FnOnce(Input) -> TractResult<R>) -> TractResult<R> {
        let tensor: &Tensor = match &self.values[index].place {
            Place::Floats(range) => return work(Input::F32(&self.floats[range.clone()])),
            Place::Constant(tensor) => tensor,
            Place::Tensor(number) => self.tensors[*number].as_ref().context("an output was not computed")?,
        };
        match tensor.datum_type() {
            DatumType::F32 => work(Input::F32(tensor.try_as_plain_ram()?.as_slice()?)),
            _ => work(Input::I64(tensor.cast_to::<i64>()?.try_as_plain_ram()?.as_slice()?)),
        }
    }
}

impl Step {
    /// Tells those who watch of the step, before it runs.
    fn tell(&self, watches: &mut Watches, floats: &mut [f32], tensors: &[Option<TValue>]) -> TractResult<()> {
        let (_, rest) = cut_all(floats, &[]);
        match &self.operation {
            Operation::Ours { operator, .. } => watches.tell(&self.name, &**operator, &inputs_of(&self.inputs, &rest, tensors)?),
            Operation::Batch(members) => members.iter().try_for_each(|member| {
                let inputs = inputs_of(&member.inputs, &rest, tensors)?;
                watches.tell(&member.name, &*member.operator, &inputs)
            }),
            Operation::Tracts { .. } => Ok(()),
        }
    }

    fn run(&self, number: usize, floats: &mut [f32], tensors: &mut [Option<TValue>]) -> TractResult<()> {
        match &self.operation {
            Operation::Ours {
                operator,
                output,
                workspace,
                scratch,
            } => {
                if let Some(scratch) = scratch {
                    let (scratch, workspace, rest) = cut(floats, scratch, workspace);
                    operator.prepare(&inputs_of(&self.inputs, &rest, tensors)?, scratch, workspace)?;
                }
                let (output, workspace, rest) = cut(floats, output, workspace);
                let inputs = match (scratch, self.inputs.split_first()) {
                    // Another value may lie where it was.
                    (Some(_), Some((first, others))) => {
                        let others = others.iter().map(|input| input.data(&rest, tensors));
                        let first = Ok((&*first.shape, Input::F32(&[])));
                        Inputs::new(std::iter::once(first).chain(others).collect::<TractResult<_>>()?)
                    }
                    _ => inputs_of(&self.inputs, &rest, tensors)?,
                };
                operator.run(&inputs, workspace, output)?;
            }
            Operation::Batch(members) => {
                let (outputs, rest) = cut_all(floats, &members.iter().map(|member| &member.output).collect::<TVec<_>>());
                let batch = members
                    .iter()
                    .zip(outputs)
                    .map(|(member, output)| Ok((&*member.operator, inputs_of(&member.inputs, &rest, tensors)?, output)));
                let batch: Vec<Batched> = batch.collect::<TractResult<_>>()?;
                if let Some(&(first, ..)) = batch.first() {
                    first.run_batch(batch)?;
                }
            }
            Operation::Tracts { operator, outputs } => {
                let (_, rest) = cut_all(floats, &[]);
                let inputs = self.inputs.iter().map(|input| input.tensor(&rest, tensors));
                let made = operator.eval(&context(number), inputs.collect::<TractResult<_>>()?)?;
                for (&number, made) in outputs.iter().zip(made) {
                    tensors[number] = Some(made);
                }
            }
        }
        for &number in &self.spent {
            tensors[number] = None;
        }
        Ok(())
    }
}

/// Values as inputs of one of our operators.
fn inputs_of<'a>(values: &'a [Value], rest: &Rest<'a>, tensors: &'a [Option<TValue>]) -> TractResult<Inputs<'a>> {
    let inputs = values.iter().map(|value| value.data(rest, tensors));
    Ok(Inputs::new(inputs.collect::<TractResult<_>>()?))
}

impl Value {
    /// The value as an input of one of our operators.
    fn data<'a>(&'a self, rest: &Rest<'a>, tensors: &'a [Option<TValue>]) -> TractResult<(&'a [usize], Input<'a>)> {
        let data = match &self.place {
            Place::Floats(range) => Input::F32(rest.get(range).context("a value overlaps one that is written")?),
            Place::Constant(tensor) => elements(tensor)?,
            Place::Tensor(number) => elements(tensors[*number].as_ref().context("a value is read before it is computed")?)?,
        };
        Ok((&self.shape, data))
    }

    /// The value as an input of one of tract's operators: a tensor; floats of the arena are copied.
    fn tensor(&self, rest: &Rest, tensors: &[Option<TValue>]) -> TractResult<TValue> {
        Ok(match &self.place {
            Place::Floats(range) => {
                let floats = rest.get(range).context("a value overlaps one that is written")?;
                Tensor::from_shape(&self.shape, floats)?.into_tvalue()
            }
            Place::Constant(tensor) => tensor.clone().into_tvalue(),
            Place::Tensor(number) => tensors[*number].clone().context("a value is read before it is computed")?,
        })
    }
}
