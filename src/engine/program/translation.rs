//! From tract's optimized model to steps. Values that are concatenated are written in place, and independent operators that can be
//! computed together are one step. Owns the plan until all lifetimes are known.

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::Slice;
use tract_onnx::tract_core::ops::change_axes::IntoShape;
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::source::TypedSource;

use super::{Member, Operation, Place, Program, Step, Value};
use crate::engine::adapter::{Node, Operator};
use crate::engine::arena::{Lifetime, plan};

/// How many steps ago, at most, a value was computed that is concatenated in place, or a product that another joins.
const JUST_BEFORE: usize = 8;

/// Floats of an output that may be computed long before it is read.
const LITTLE: usize = 1 << 12;

/// The moment of a step at which operators that have scratch read their first input.
fn start(step: usize) -> usize {
    2 * step
}

/// The moment of a step at which those write, and which the values of all others are needed until.
fn end(step: usize) -> usize {
    2 * step + 1
}

/// A program under construction. Until all lifetimes are known, the place of a value counts from the start of its block.
#[derive(Default)]
pub struct Translation {
    values: HashMap<OutletId, Value>,
    /// The block of each value in the arena.
    blocks: HashMap<OutletId, usize>,
    /// The step that completes each value; constants and inputs are complete before the first step.
    made: HashMap<OutletId, usize>,
    lifetimes: Vec<Lifetime>,
    /// The last step that reads each tensor.
    tensor_reads: Vec<usize>,
    steps: Vec<Draft>,
}

/// A step whose places are not yet planned.
struct Draft {
    name: String,
    inputs: Vec<OutletId>,
    operation: Planned,
}

enum Planned {
    Ours {
        operator: Arc<dyn Operator>,
        /// The value that it writes.
        output: OutletId,
        workspace: Option<usize>,
        scratch: Option<usize>,
    },
    Batch(Vec<Member<OutletId, OutletId>>),
    Tracts {
        operator: Box<dyn TypedOp>,
        outputs: Vec<usize>,
    },
}

impl Translation {
    /// Translates an optimized model whose shapes are all known.
    pub fn of(model: &TypedModel) -> TractResult<Program> {
        let mut translation = Translation::default();
        let inputs = model.inputs.iter().map(|input| input.node);
        let operators = model
            .eval_order()?
            .into_iter()
            .filter(|&node| !model.node(node).op_is::<TypedSource>());
        for node in inputs.chain(operators) {
            let node = model.node(node);
            translation.node(node).with_context(|| format!("planning node '{}'", node.name))?;
        }
        translation.finish(model)
    }

    fn node(&mut self, node: &TypedNode) -> TractResult<()> {
        let output = OutletId::new(node.id, 0);
        if let Some(constant) = node.op_as::<Const>() {
            self.put(output, shape(node, 0)?, Place::Constant(constant.val().clone()));
        } else if node.op_is::<TypedSource>() {
            // Inputs are there before the first step.
            self.make(node, 0, 0)?;
        } else if let Some((source, range)) = self.part(node)? {
            let block = self.blocks[&source];
            self.put(output, shape(node, 0)?, Place::Floats(range));
            self.blocks.insert(output, block);
            self.made.insert(output, self.made[&source]);
        } else {
            self.step(node)?;
        }
        Ok(())
    }

    fn put(&mut self, outlet: OutletId, shape: TVec<usize>, place: Place) {
        self.values.insert(outlet, Value { shape, place });
    }

    /// A place for an output that a step writes: in the arena if it is floats and the step is not one of tract's.
    fn make(&mut self, node: &TypedNode, slot: usize, step: usize) -> TractResult<()> {
        let outlet = OutletId::new(node.id, slot);
        let shape = shape(node, slot)?;
        let ours = node.op_is::<Node>() || node.op_is::<TypedSource>();
        let place = if ours && node.outputs[slot].fact.datum_type == f32::datum_type() {
            let floats = shape.iter().product();
            let block = self.block(floats, start(step)..=end(step));
            self.blocks.insert(outlet, block);
            Place::Floats(0..floats)
        } else {
            self.tensor_reads.push(step);
            Place::Tensor(self.tensor_reads.len() - 1)
        };
        self.put(outlet, shape, place);
        self.made.insert(outlet, step);
        Ok(())
    }

    /// A new block of the arena.
    fn block(&mut self, floats: usize, moments: RangeInclusive<usize>) -> usize {
        self.lifetimes.push(Lifetime {
            floats,
            born: *moments.start(),
            dies: *moments.end(),
        });
        self.lifetimes.len() - 1
    }

    /// For a node whose output is a contiguous part of its input: the input, and that part of its block.
    fn part(&self, node: &TypedNode) -> TractResult<Option<(OutletId, Range<usize>)>> {
        let Some(&source) = node.inputs.first() else { return Ok(None) };
        let Some(Value {
            shape: of_source,
            place: Place::Floats(floats),
        }) = self.values.get(&source)
        else {
            return Ok(None);
        };
        if node.op_is::<IntoShape>() {
            return Ok(Some((source, floats.clone())));
        }
        let Some(slice) = node.op_as::<Slice>() else { return Ok(None) };
        let rows: usize = of_source[..slice.axis].iter().product();
        let values: usize = of_source[slice.axis + 1..].iter().product();
        let (start, end) = (slice.start.to_usize()? * values, slice.end.to_usize()? * values);
        Ok((rows == 1).then_some((source, floats.start + start..floats.start + end)))
    }

    fn step(&mut self, node: &TypedNode) -> TractResult<()> {
        if let Some(Node(operator)) = node.op_as::<Node>()
            && operator.is_contiguous_concat(&self.shapes(node))
        {
            return self.concatenate_in_place(node, operator);
        }
        if let Some(Node(operator)) = node.op_as::<Node>()
            && operator.can_batch()
        {
            return self.batch(node, operator);
        }
        let number = self.number();
        for slot in 0..node.outputs.len() {
            self.make(node, slot, number)?;
        }
        let operation = if let Some(Node(operator)) = node.op_as::<Node>() {
            self.ours(node, operator, number)
        } else {
            let outputs = (0..node.outputs.len()).map(|slot| match self.values[&OutletId::new(node.id, slot)].place {
                Place::Tensor(number) => Ok(number),
                _ => bail!("an output of tract's operators must be a tensor"),
            });
            let outputs = outputs.collect::<TractResult<_>>()?;
            for input in &node.inputs {
                self.read(*input, number);
            }
            Planned::Tracts {
                operator: node.op.clone(),
                outputs,
            }
        };
        self.steps.push(Draft {
            name: node.name.clone(),
            inputs: node.inputs.to_vec(),
            operation,
        });
        Ok(())
    }

    /// One of our operators as a step of its own.
    fn ours(&mut self, node: &TypedNode, operator: &Arc<dyn Operator>, number: usize) -> Planned {
        let output = OutletId::new(node.id, 0);
        let shapes = self.shapes(node);
        let (workspace, scratch) = (operator.workspace(&shapes), operator.scratch(&shapes));
        for (index, input) in node.inputs.iter().enumerate() {
            let is_read_before = index == 0 && scratch.is_some();
            self.read_until(*input, if is_read_before { start(number) } else { end(number) });
        }
        if scratch.is_some() {
            self.lifetimes[self.blocks[&output]].born = end(number);
        }
        Planned::Ours {
            operator: operator.clone(),
            output,
            workspace: (workspace > 0).then(|| self.block(workspace, start(number)..=end(number))),
            scratch: scratch.map(|scratch| self.block(scratch, start(number)..=start(number))),
        }
    }

    /// An operator that is computed with others: part of an earlier batch if all its inputs are computed before, otherwise a new batch.
    fn batch(&mut self, node: &TypedNode, operator: &Arc<dyn Operator>) -> TractResult<()> {
        let floats = shape(node, 0)?.iter().product();
        let step = self.batch_to_join(operator.name(), &node.inputs, floats).unwrap_or(self.number());
        for input in &node.inputs {
            self.read(*input, step);
        }
        self.make(node, 0, step)?;
        let member = Member {
            name: node.name.clone(),
            operator: operator.clone(),
            inputs: node.inputs.to_vec(),
            output: OutletId::new(node.id, 0),
        };
        match self.steps.get_mut(step - 1) {
            Some(Draft {
                name,
                operation: Planned::Batch(members),
                ..
            }) => {
                *name = format!("{name}', '{}", node.name);
                members.push(member);
            }
            _ => self.steps.push(Draft {
                name: node.name.clone(),
                inputs: vec![],
                operation: Planned::Batch(vec![member]),
            }),
        }
        Ok(())
    }

    /// The batch that an operator may join, preferably one that reads the same first input: its inputs are computed before, and its output is
    /// not kept for long, unless it is small and the first input is the same.
    fn batch_to_join(&self, operator: &str, inputs: &[OutletId], floats: usize) -> Option<usize> {
        let there = inputs
            .iter()
            .filter_map(|input| self.made.get(input))
            .max()
            .map_or(1, |made| made + 1);
        let batch = |step: usize| match &self.steps[step - 1].operation {
            Planned::Batch(members) if members.iter().all(|member| member.operator.name() == operator) => {
                Some((step, members.iter().any(|member| member.inputs.first() == inputs.first())))
            }
            _ => None,
        };
        let steps = || (there..self.number()).rev().filter_map(batch);
        let near = |step: usize| step + JUST_BEFORE >= self.number();
        let same = steps().find(|&(step, same)| same && (near(step) || floats <= LITTLE));
        same.or_else(|| steps().find(|&(step, _)| near(step))).map(|(step, _)| step)
    }

    /// The number of the next step. Inputs are copied in at step 0.
    fn number(&self) -> usize {
        self.steps.len() + 1
    }

    fn shapes(&self, node: &TypedNode) -> Vec<&[usize]> {
        node.inputs.iter().map(|input| &*self.values[input].shape).collect()
    }

    /// Concatenates inputs: those that were computed just before are written in place, others are copied.
    fn concatenate_in_place(&mut self, node: &TypedNode, operator: &Arc<dyn Operator>) -> TractResult<()> {
        let (output, number) = (OutletId::new(node.id, 0), self.number());
        self.make(node, 0, number)?;
        let (whole, mut start) = (self.blocks[&output], 0);
        for (index, input) in node.inputs.iter().enumerate() {
            let floats = self.values[input].shape.iter().product::<usize>();
            if !self.join(*input, whole, start) {
                // Beyond the node's own outputs: a part of its value.
                let part = OutletId::new(node.id, 1 + index);
                self.put(part, self.values[input].shape.clone(), Place::Floats(start..start + floats));
                self.blocks.insert(part, whole);
                self.read(*input, self.number());
                self.steps.push(Draft {
                    name: node.name.clone(),
                    inputs: vec![*input],
                    operation: Planned::Ours {
                        operator: operator.clone(),
                        output: part,
                        workspace: None,
                        scratch: None,
                    },
                });
            }
            start += floats;
        }
        self.made.insert(output, self.number() - 1);
        self.read(output, self.number());
        Ok(())
    }

    /// Moves a value, and all that are parts of it, into another block at an offset, unless it was computed long ago: the block would be
    /// allocated unused for that long. Returns whether it was moved.
    fn join(&mut self, outlet: OutletId, into: usize, start: usize) -> bool {
        let Some(&block) = self.blocks.get(&outlet) else { return false };
        let Lifetime { floats, born, dies } = self.lifetimes[block];
        let is_whole = matches!(&self.values[&outlet].place, Place::Floats(range) if *range == (0..floats));
        if block == into || !is_whole || born / 2 + JUST_BEFORE < self.number() {
            return false;
        }
        for (part, of) in self.blocks.iter_mut().filter(|(_, of)| **of == block) {
            *of = into;
            if let Some(Value {
                place: Place::Floats(range),
                ..
            }) = self.values.get_mut(part)
            {
                *range = range.start + start..range.end + start;
            }
        }
        self.lifetimes[block].floats = 0;
        let lifetime = &mut self.lifetimes[into];
        (lifetime.born, lifetime.dies) = (lifetime.born.min(born), lifetime.dies.max(dies));
        true
    }

    /// Extends a value's lifetime to a step.
    fn read(&mut self, outlet: OutletId, step: usize) {
        self.read_until(outlet, end(step));
    }

    /// Extends a value's lifetime to a moment.
    fn read_until(&mut self, outlet: OutletId, moment: usize) {
        if let Some(&block) = self.blocks.get(&outlet) {
            let dies = &mut self.lifetimes[block].dies;
            *dies = moment.max(*dies);
        } else if let Some(Value {
            place: Place::Tensor(number),
            ..
        }) = self.values.get(&outlet)
        {
            let read = &mut self.tensor_reads[*number];
            *read = (moment / 2).max(*read);
        }
    }

    /// Plans the arena.
    fn finish(mut self, model: &TypedModel) -> TractResult<Program> {
        let last = self.steps.len() + 1;
        for &output in &model.outputs {
            self.read(output, last);
        }
        let (starts, floats) = plan(&self.lifetimes);
        let mut spent: Vec<Vec<usize>> = vec![vec![]; last + 1];
        for (tensor, &step) in self.tensor_reads.iter().enumerate() {
            spent[step].push(tensor);
        }
        let steps = self.steps.iter().zip(spent.into_iter().skip(1)).map(|(draft, spent)| {
            Ok(Step {
                name: draft.name.clone(),
                operation: self.operation(&draft.operation, &starts)?,
                inputs: self.places(&draft.inputs, &starts)?,
                spent,
            })
        });
        Ok(Program {
            steps: steps.collect::<TractResult<_>>()?,
            inputs: self.places(&model.inputs, &starts)?,
            outputs: self.places(&model.outputs, &starts)?,
            floats,
            tensors: self.tensor_reads.len(),
        })
    }

    /// A step's operation, given the starts of all blocks.
    fn operation(&self, planned: &Planned, starts: &[usize]) -> TractResult<Operation> {
        Ok(match planned {
            Planned::Ours {
                operator,
                output,
                workspace,
                scratch,
            } => {
                let output = self.written(output, starts)?;
                let whole = |block: usize| starts[block]..starts[block] + self.lifetimes[block].floats;
                Operation::Ours {
                    operator: operator.clone(),
                    workspace: workspace.map_or(output.end..output.end, whole),
                    scratch: scratch.map(whole),
                    output,
                }
            }
            Planned::Batch(members) => {
                let members = members.iter().map(|member| {
                    Ok(Member {
                        name: member.name.clone(),
                        operator: member.operator.clone(),
                        inputs: self.places(&member.inputs, starts)?,
                        output: self.written(&member.output, starts)?,
                    })
                });
                Operation::Batch(members.collect::<TractResult<_>>()?)
            }
            Planned::Tracts { operator, outputs } => Operation::Tracts {
                operator: operator.clone(),
                outputs: outputs.clone(),
            },
        })
    }

    /// The places of values.
    fn places(&self, outlets: &[OutletId], starts: &[usize]) -> TractResult<Vec<Value>> {
        outlets.iter().map(|outlet| self.place(outlet, starts)).collect()
    }

    fn place(&self, outlet: &OutletId, starts: &[usize]) -> TractResult<Value> {
        let mut value = self.values.get(outlet).context("a value has no place")?.clone();
        if let Place::Floats(range) = &mut value.place {
            let start = starts[self.blocks[outlet]];
            *range = start + range.start..start + range.end;
        }
        Ok(value)
    }

    /// The floats that an operator writes.
    fn written(&self, output: &OutletId, starts: &[usize]) -> TractResult<Range<usize>> {
        match self.place(output, starts)?.place {
            Place::Floats(range) => Ok(range),
            _ => bail!("an output of our operators must be in the arena"),
        }
    }
}

fn shape(node: &TypedNode, slot: usize) -> TractResult<TVec<usize>> {
    let fact = &node.outputs[slot].fact;
    let shape = fact.shape.as_concrete().context("a shape depends on the values of inputs")?;
    Ok(shape.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Input;
    use crate::engine::arena::Arena;
    use crate::engine::arithmetic::Activation;
    use crate::engine::geometry::{Padding, Window};
    use crate::engine::int8::WeightMatrix;
    use crate::engine::kernels;
    use crate::engine::operators::{Concatenation, QuantizedConvolution, QuantizedLinear};
    use crate::engine::watching::Watches;
    use crate::pack::ExternalTensor;

    const SHAPE: [usize; 4] = [1, 2, 2, 2];

    fn floats(first: usize) -> Tensor {
        let values: Vec<f32> = (0..8).map(|index| (first + index) as f32 / 4.0 - 2.0).collect();
        Tensor::from_shape(&SHAPE, &values).unwrap()
    }

    fn put(model: &mut TypedModel, name: &str, operator: impl Operator, inputs: &[OutletId]) -> OutletId {
        model.wire_node(name, Node(Arc::new(operator)), inputs).unwrap()[0]
    }

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec()
    }

    /// The outputs for one input.
    fn run(program: &Program, input: &[f32]) -> Vec<Vec<f32>> {
        let mut arena = Arena::default();
        let outputs = program.run(&mut arena, &[Input::F32(input)], Watches::default()).unwrap();
        let output = |index| outputs.with(index, |value| Ok(value.to_value().into_floats()));
        (0..program.outputs.len()).map(|index| output(index).unwrap().unwrap()).collect()
    }

    /// Values that were computed just before and long ago, one of them twice, a constant and an input, concatenated twice.
    #[test]
    fn what_is_concatenated_in_place_is_as_if_copied() {
        let mut model = TypedModel::default();
        let source = model.add_source("source", f32::fact(SHAPE)).unwrap();
        let constant = model.add_const("constant", floats(3)).unwrap();
        let old = put(&mut model, "old", Activation::Silu, &[source]);
        let mut new = old;
        for index in 0..JUST_BEFORE {
            new = put(&mut model, &format!("gelu{index}"), Activation::Gelu, &[new]);
        }
        let other = put(&mut model, "other", Activation::Silu, &[new]);
        let first = [new, other, constant, new, old, source];
        let joined = put(&mut model, "joined", Concatenation { axis: 1 }, &first);
        let after = put(&mut model, "after", Activation::GeluTanh, &[other]);
        let outer = put(&mut model, "outer", Concatenation { axis: 1 }, &[after, joined, new]);
        let outputs = [outer, joined, new, other, after, old];
        model.select_output_outlets(&outputs).unwrap();
        let program = Program::new(&model).unwrap();
        let copies = program
            .steps
            .iter()
            .filter(|step| ["joined", "outer"].contains(&step.name.as_str()));
        assert_eq!(
            copies.count(),
            4 + 1,
            "the constant, the input, what is old, and what is there twice, each time"
        );
        let [outer, joined, new, other, after, old] = run(&program, &values(&floats(0))).try_into().unwrap();
        let parts = [&new, &other, &values(&floats(3)), &new, &old, &values(&floats(0))];
        assert_eq!(joined, parts.map(Vec::clone).concat());
        assert_eq!(outer, [after, joined, new].concat());
        assert!(old.iter().zip(&other).all(|(old, other)| old != other));
    }

    const WIDTH: usize = 8;

    /// A layer whose weights are all the same number.
    fn linear(model: &mut TypedModel, name: &str, weight: u8, x: OutletId) -> OutletId {
        let weights = ExternalTensor::of_bytes(&[weight; WIDTH * WIDTH], vec![1, WIDTH / 4, 8, 4]);
        let weights = WeightMatrix::new(&weights, WIDTH, WIDTH).unwrap();
        let layer = QuantizedLinear::new(weights, kernels::available()[0]);
        let ones = Tensor::from_shape(&[WIDTH], &[0.125f32; WIDTH]).unwrap();
        let [scale, bias] = ["scale", "bias"].map(|what| model.add_const(format!("{name}.{what}"), ones.clone()).unwrap());
        put(model, name, layer, &[x, scale, bias])
    }

    /// A convolution of single pixels whose weights are all the same number.
    fn convolution(model: &mut TypedModel, name: &str, weight: u8, x: OutletId) -> OutletId {
        let weights = ExternalTensor::of_bytes(&[weight; WIDTH * WIDTH], vec![1, WIDTH / 4, 8, 4]);
        let window = Window {
            size: [1, 1],
            strides: [1, 1],
        };
        let weights = WeightMatrix::new(&weights, WIDTH, WIDTH).unwrap();
        let layer = QuantizedConvolution::new(weights, window, Padding::default(), kernels::available()[0]);
        let ones = Tensor::from_shape(&[WIDTH], &[0.125f32; WIDTH]).unwrap();
        let [scale, bias] = ["scale", "bias"].map(|what| model.add_const(format!("{name}.{what}"), ones.clone()).unwrap());
        put(model, name, layer, &[x, scale, bias])
    }

    #[test]
    fn convolutions_write_over_what_they_read() {
        let sides = [1, WIDTH, 32, 32];
        let mut model = TypedModel::default();
        let source = model.add_source("source", f32::fact(sides)).unwrap();
        let mut last = source;
        for weight in 1..4 {
            last = convolution(&mut model, &format!("convolution{weight}"), weight, last);
        }
        model.select_output_outlets(&[last]).unwrap();
        let program = Program::new(&model).unwrap();
        let picture: usize = sides.iter().product();
        let (least, most) = (picture, 2 * picture);
        assert!(
            (least..most).contains(&program.floats()),
            "{} floats for pictures of {picture}",
            program.floats()
        );
        let input: Vec<f32> = (0..picture).map(|index| (index % 37) as f32 / 8.0 - 2.0).collect();
        let made = run(&program, &input);
        let input = tvec!(Tensor::from_shape(&sides, &input).unwrap().into_tvalue());
        let expected = model.into_runnable().unwrap().run(input).unwrap();
        assert_eq!(made[0], values(&expected[0]));
    }

    /// Products with a source and with each other's outputs, near and far, concatenated and not.
    #[test]
    fn products_that_do_not_wait_for_each_other_are_one_step() {
        let mut model = TypedModel::default();
        let source = model.add_source("source", f32::fact([1, 2, WIDTH])).unwrap();
        let key = linear(&mut model, "key", 1, source);
        let first = put(&mut model, "first", Activation::Silu, &[source]);
        let of_first = linear(&mut model, "of_first", 2, first);
        let value = linear(&mut model, "value", 3, source);
        let joined = put(&mut model, "joined", Concatenation { axis: 1 }, &[key, value]);
        let of_joined = linear(&mut model, "of_joined", 2, joined);
        let mut last = of_joined;
        for index in 0..JUST_BEFORE {
            last = put(&mut model, &format!("gelu{index}"), Activation::Gelu, &[last]);
        }
        let late = linear(&mut model, "late", 5, source);
        let of_last = linear(&mut model, "of_last", 2, last);
        let outputs = [key, value, of_first, joined, of_joined, late, of_last];
        model.select_output_outlets(&outputs).unwrap();
        let program = Program::new(&model).unwrap();
        let sizes = program.steps.iter().filter_map(|step| match &step.operation {
            Operation::Batch(members) => Some(members.len()),
            _ => None,
        });
        let mut sizes: Vec<usize> = sizes.collect();
        sizes.sort();
        assert_eq!(sizes, [1, 1, 1, 3], "those of the source are together, whatever lies between");
        let input: Vec<f32> = (0..2 * WIDTH).map(|index| index as f32 / 8.0 - 1.0).collect();
        let made = run(&program, &input);
        let input = tvec!(Tensor::from_shape(&[1, 2, WIDTH], &input).unwrap().into_tvalue());
        let expected = model.into_runnable().unwrap().run(input).unwrap();
        for (made, expected) in made.iter().zip(&expected) {
            assert_eq!(*made, values(expected));
        }
    }
}
