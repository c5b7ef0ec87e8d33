//! tract's operator traits for Inkstone's operators: the only file that implements them.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_hir::internal::{Expansion, InferenceOp, Solver, TensorProxy, expand};

use super::Input;

/// An operator with one float output.
pub trait Operator: Any + Debug + Send + Sync {
    /// Name in logs and errors.
    fn name(&self) -> &'static str;

    /// Shape of the output for shapes of the inputs.
    fn output_shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>>;

    /// Floats of workspace that it needs, for shapes of the inputs.
    fn workspace(&self, _inputs: &[&[usize]]) -> usize {
        0
    }

    /// Rows of the table that the first input indexes, if it indexes one.
    fn indexed_rows(&self) -> Option<usize> {
        None
    }

    /// Whether the output is the concatenation of the inputs as they are in memory.
    fn is_contiguous_concat(&self, _inputs: &[&[usize]]) -> bool {
        false
    }

    /// Floats of scratch for [`Operator::prepare`], if it reads the first input so that [`Operator::run`] does not: the output may then lie
    /// where that input was.
    fn scratch(&self, _inputs: &[&[usize]]) -> Option<usize> {
        None
    }

    /// Reads the first input into the workspace, before [`Operator::run`] and only if there is scratch. Scratch and workspace hold arbitrary
    /// values at first; what is written to the workspace stays.
    fn prepare(&self, _inputs: &Inputs, _scratch: &mut [f32], _workspace: &mut [f32]) -> TractResult<()> {
        Ok(())
    }

    /// Computes the output. `output` has as many elements as its shape, all of which must be written; `workspace` has as many as
    /// [`Operator::workspace`] says. Both hold arbitrary values at first, except for what [`Operator::prepare`] wrote.
    fn run(&self, inputs: &Inputs, workspace: &mut [f32], output: &mut [f32]) -> TractResult<()>;

    /// The largest magnitude of each channel of what an int8 layer reads, before any factors; none for other operators.
    fn channel_magnitudes(&self, _inputs: &Inputs) -> TractResult<Option<Vec<f32>>> {
        Ok(None)
    }

    /// Whether independent operators of this name are computed together, by [`Operator::run_batch`]. They have no workspace.
    fn can_batch(&self) -> bool {
        false
    }

    /// Computes independent operators of this name.
    fn run_batch(&self, batch: Vec<Batched>) -> TractResult<()> {
        batch
            .into_iter()
            .try_for_each(|(operator, inputs, output)| operator.run(&inputs, &mut [], output))
    }
}

/// An operator of a batch with its inputs and its output.
pub type Batched<'a> = (&'a (dyn Operator + 'static), Inputs<'a>, &'a mut [f32]);

impl dyn Operator {
    /// Prepares and runs it in memory of its own.
    pub fn compute(&self, inputs: &Inputs, output: &mut [f32]) -> TractResult<()> {
        let shapes: TVec<&[usize]> = (0..inputs.count()).map(|input| inputs.shape(input)).collect();
        let mut workspace = vec![f32::NAN; self.workspace(&shapes)];
        let Some(scratch) = self.scratch(&shapes) else {
            return self.run(inputs, &mut workspace, output);
        };
        self.prepare(inputs, &mut vec![f32::NAN; scratch], &mut workspace)?;
        self.run(&inputs.without_first(), &mut workspace, output)
    }

    /// The operator as a `T`, if it is one.
    pub fn downcast<T: Operator>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }
}

/// The elements of a tensor of floats or 64-bit integers.
pub fn elements(tensor: &Tensor) -> TractResult<Input<'_>> {
    let plain = tensor.try_as_plain_ram()?;
    match tensor.datum_type() {
        DatumType::F32 => Ok(Input::F32(plain.as_slice()?)),
        DatumType::I64 => Ok(Input::I64(plain.as_slice()?)),
        other => bail!("Inkstone's operators read f32 and i64, not {other:?}"),
    }
}

/// The values that an operator reads.
pub struct Inputs<'a>(TVec<(&'a [usize], Input<'a>)>);

impl<'a> Inputs<'a> {
    /// The shapes and elements of the inputs in the node's order.
    pub fn new(values: TVec<(&'a [usize], Input<'a>)>) -> Inputs<'a> {
        Inputs(values)
    }

    /// Tensors as inputs.
    pub fn of_tensors(tensors: &'a [TValue]) -> TractResult<Inputs<'a>> {
        let values = tensors.iter().map(|tensor| Ok((tensor.shape(), elements(tensor)?)));
        Ok(Inputs(values.collect::<TractResult<_>>()?))
    }

    /// The same without the elements of the first input.
    pub fn without_first(&self) -> Inputs<'a> {
        let mut values = self.0.clone();
        if let Some((_, elements)) = values.first_mut() {
            *elements = Input::F32(&[]);
        }
        Inputs(values)
    }

    /// Number of inputs.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// An input's shape.
    pub fn shape(&self, input: usize) -> &'a [usize] {
        self.0[input].0
    }

    /// A float input's elements, row-major.
    pub fn floats(&self, input: usize) -> TractResult<&'a [f32]> {
        match self.0[input].1 {
            Input::F32(floats) => Ok(floats),
            Input::I64(_) => bail!("input {input} has integers; floats are needed"),
        }
    }

    /// An integer input's elements, row-major.
    pub fn integers(&self, input: usize) -> TractResult<&'a [i64]> {
        match self.0[input].1 {
            Input::I64(integers) => Ok(integers),
            Input::F32(_) => bail!("input {input} has floats; integers are needed"),
        }
    }
}

/// An operator as a tract node.
#[derive(Clone, Debug)]
pub struct Node(pub Arc<dyn Operator>);

impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Node {}

impl Op for Node {
    fn name(&self) -> StaticName {
        self.0.name().into()
    }

    op_as_typed_op!();
}

impl EvalOp for Node {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let shapes: TVec<&[usize]> = inputs.iter().map(|input| input.shape()).collect();
        let shape = self.0.output_shape(&shapes)?;
        let mut output = Tensor::zero::<f32>(&shape)?;
        let mut plain = output.try_as_plain_ram_mut()?;
        self.0.compute(&Inputs::of_tensors(&inputs)?, plain.as_slice_mut::<f32>()?)?;
        Ok(tvec!(output.into_tvalue()))
    }
}

impl TypedOp for Node {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let shapes: TVec<&[usize]> = inputs
            .iter()
            .map(|fact| fact.shape.as_concrete().context("Inkstone's operators take fixed shapes"))
            .collect::<TractResult<_>>()?;
        Ok(tvec!(f32::fact(&*self.0.output_shape(&shapes)?)))
    }

    as_op!();
}

impl Expansion for Node {
    fn name(&self) -> StaticName {
        self.0.name().into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> TractResult<()> {
        solver.equals(&outputs[0].datum_type, f32::datum_type())?;
        solver.given_all(inputs.iter().map(|input| &input.shape), move |solver, shapes| {
            let concrete: Option<TVec<TVec<usize>>> = shapes
                .iter()
                .map(|shape| shape.iter().map(|size| size.to_usize().ok()).collect())
                .collect();
            let Some(concrete) = concrete else { return Ok(()) };
            let shapes: TVec<&[usize]> = concrete.iter().map(|shape| &**shape).collect();
            let shape: TVec<TDim> = self.0.output_shape(&shapes)?.iter().map(|size| size.to_dim()).collect();
            solver.equals(&outputs[0].shape, shape)
        })
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        model.wire_node(prefix, self.clone(), inputs)
    }
}

/// The operator as tract's reader takes it.
pub fn inference(operator: Arc<dyn Operator>) -> Box<dyn InferenceOp> {
    expand(Node(operator))
}
