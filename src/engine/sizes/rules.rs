//! The standard operators that graphs may use, and the shapes of their outputs. Whatever an operator's attributes and constant inputs
//! say about axes, sizes and pads is checked here.

use tract_onnx::pb::{AttributeProto, NodeProto};
use tract_onnx::tract_core::internal::*;

use crate::pack::Limits;

use super::Value;
use super::values::Elements;

type Shape = Vec<usize>;

/// What follows from a node's inputs and attributes.
pub enum Rule {
    /// The one output has the shape of the first input.
    Same,
    /// The same; an `axis` must be one of the input's.
    Along,
    /// The same; the other inputs have one element a channel, which is axis 1.
    ByChannel,
    /// The one output has the shape that all inputs broadcast to.
    Broadcast,
    /// The one output has this shape.
    One(fn(&Call) -> TractResult<Shape>),
    /// The outputs have these shapes.
    Several(fn(&Call) -> TractResult<Vec<Shape>>),
}

use Rule::{Along, Broadcast, ByChannel, One, Same, Several};

/// All standard operators that are read, by name.
static RULES: [(&str, Rule); 92] = [
    ("Abs", Same),
    ("Add", Broadcast),
    ("And", Broadcast),
    ("ArgMax", One(arg)),
    ("ArgMin", One(arg)),
    ("AveragePool", One(pool)),
    ("BatchNormalization", ByChannel),
    ("Cast", Same),
    ("Ceil", Same),
    ("Clip", Same),
    ("Concat", One(concat)),
    ("Constant", One(constant)),
    ("ConstantOfShape", One(constant_of_shape)),
    ("Conv", One(convolution)),
    ("ConvTranspose", One(transposed_convolution)),
    ("Cos", Same),
    ("CumSum", One(cumulative_sum)),
    ("DepthToSpace", One(depth_to_space)),
    ("Div", Broadcast),
    ("Einsum", One(einsum)),
    ("Elu", Same),
    ("Equal", Broadcast),
    ("Erf", Same),
    ("Exp", Same),
    ("Expand", One(expand)),
    ("Flatten", One(flatten)),
    ("Floor", Same),
    ("Gather", One(gather)),
    ("GatherElements", One(gather_elements)),
    ("GatherND", One(gather_nd)),
    ("Gemm", One(gemm)),
    ("GlobalAveragePool", One(global_pool)),
    ("Greater", Broadcast),
    ("GreaterOrEqual", Broadcast),
    ("HardSigmoid", Same),
    ("HardSwish", Same),
    ("Identity", Same),
    ("InstanceNormalization", ByChannel),
    ("LayerNormalization", One(layer_norm)),
    ("LeakyRelu", Same),
    ("Less", Broadcast),
    ("LessOrEqual", Broadcast),
    ("Log", Same),
    ("LogSoftmax", Along),
    ("MatMul", One(product)),
    ("Max", Broadcast),
    ("MaxPool", One(pool)),
    ("Min", Broadcast),
    ("Mod", Broadcast),
    ("Mul", Broadcast),
    ("Neg", Same),
    ("Not", Same),
    ("OneHot", One(one_hot)),
    ("Or", Broadcast),
    ("PRelu", Broadcast),
    ("Pad", One(pad)),
    ("Pow", Broadcast),
    ("Range", One(range)),
    ("Reciprocal", Same),
    ("ReduceL1", One(reduce)),
    ("ReduceL2", One(reduce)),
    ("ReduceLogSum", One(reduce)),
    ("ReduceLogSumExp", One(reduce)),
    ("ReduceMax", One(reduce)),
    ("ReduceMean", One(reduce)),
    ("ReduceMin", One(reduce)),
    ("ReduceProd", One(reduce)),
    ("ReduceSum", One(reduce)),
    ("ReduceSumSquare", One(reduce)),
    ("Relu", Same),
    ("Reshape", One(reshape)),
    ("Resize", One(resize)),
    ("Round", Same),
    ("Shape", One(shape)),
    ("Sigmoid", Same),
    ("Sin", Same),
    ("Slice", One(slice)),
    ("Softmax", Along),
    ("Softplus", Same),
    ("SpaceToDepth", One(space_to_depth)),
    ("Split", Several(split)),
    ("Sqrt", Same),
    ("Squeeze", One(squeeze)),
    ("Sub", Broadcast),
    ("Tanh", Same),
    ("Tile", One(tile)),
    ("TopK", Several(top_k)),
    ("Transpose", One(transpose)),
    ("Trilu", One(triangle)),
    ("Unsqueeze", One(unsqueeze)),
    ("Where", Broadcast),
    ("Xor", Broadcast),
];

/// The rule of an operator, if it is read.
pub fn find(operator: &str) -> Option<&'static Rule> {
    let place = RULES.binary_search_by(|(name, _)| (*name).cmp(operator)).ok()?;
    Some(&RULES[place].1)
}

/// The names of all operators that are read.
#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name)
}

/// A node with what is known of its inputs; missing optional ones are none.
pub struct Call<'a> {
    pub node: &'a NodeProto,
    pub inputs: Vec<Option<&'a Value>>,
}

/// The elements of a slice along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    first: usize,
    count: usize,
    step: isize,
}

impl Places {
    /// The places one after another.
    pub fn places(self) -> impl Iterator<Item = usize> {
        (0..self.count).map(move |index| self.first.saturating_add_signed(self.step.saturating_mul(index as isize)))
    }
}

impl<'a> Call<'a> {
    /// Shapes of the outputs.
    pub fn outputs(&self, rule: &Rule) -> TractResult<Vec<Shape>> {
        Ok(vec![match rule {
            Same => self.shape(0)?.to_vec(),
            Along => {
                let shape = self.shape(0)?;
                axis(self.int("axis", -1), shape.len())?;
                shape.to_vec()
            }
            ByChannel => self.by_channel()?,
            Broadcast => {
                let shapes = (0..self.inputs.len()).map(|index| self.shape(index));
                shapes
                    .collect::<TractResult<Vec<_>>>()?
                    .into_iter()
                    .try_fold(vec![], |joined, shape| broadcast(&joined, shape))?
            }
            One(rule) => rule(self)?,
            Several(rule) => return rule(self),
        }])
    }

    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// Shape of an input.
    pub fn shape(&self, index: usize) -> TractResult<&'a [usize]> {
        let value = self.inputs.get(index).copied().flatten();
        Ok(&value.with_context(|| format!("input {index} is missing"))?.shape)
    }

    /// The elements of an input that is a small constant of integers.
    pub fn integers(&self, index: usize) -> Option<&'a [i64]> {
        match &self.inputs.get(index).copied().flatten()?.elements {
            Some(Elements::Integers(integers)) => Some(integers),
            _ => None,
        }
    }

    /// What a Gather reads a table by: the input of the graph, and the rows of the table.
    pub fn indexed(&self) -> TractResult<Option<(usize, usize)>> {
        if self.node.op_type != "Gather" {
            return Ok(None);
        }
        let table = self.shape(0)?;
        let rows = table[axis(self.int("axis", 0), table.len())?];
        let input = self.inputs.get(1).copied().flatten().and_then(|value| value.input);
        Ok(input.map(|input| (input, rows)))
    }

    /// The sizes that a Shape gives.
    pub fn shape_range(&self) -> TractResult<&'a [usize]> {
        let shape = self.shape(0)?;
        let rank = i64::try_from(shape.len())?;
        let place = |at: i64| usize::try_from(if at < 0 { at.saturating_add(rank) } else { at }.clamp(0, rank));
        let (start, end) = (place(self.int("start", 0))?, place(self.int("end", rank))?);
        shape.get(start..end).with_context(|| format!("start {start} is behind end {end}"))
    }

    /// What a Slice takes of each axis.
    pub fn slices(&self) -> TractResult<Vec<Places>> {
        let shape = self.shape(0)?;
        let (starts, ends) = (self.known(1, "starts")?, self.known(2, "ends")?);
        let all: Vec<i64> = (0..i64::try_from(starts.len())?).collect();
        let axes = self.optional(3, "axes")?.unwrap_or(&all);
        let ones = vec![1; starts.len()];
        let steps = self.optional(4, "steps")?.unwrap_or(&ones);
        ensure!(
            [ends.len(), axes.len(), steps.len()].iter().all(|&length| length == starts.len()),
            "starts, ends, axes and steps differ in length"
        );
        let mut places: Vec<Places> = shape.iter().map(|&count| Places { first: 0, count, step: 1 }).collect();
        for (index, &along) in axes.iter().enumerate() {
            let along = axis(along, shape.len())?;
            places[along] = taken(shape[along], starts[index], ends[index], steps[index])?;
        }
        Ok(places)
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.i)
    }

    fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attribute(name).map(|attribute| &*attribute.ints)
    }

    fn text(&self, name: &str) -> &'a str {
        self.attribute(name)
            .and_then(|attribute| std::str::from_utf8(&attribute.s).ok())
            .unwrap_or_default()
    }

    fn is_there(&self, index: usize) -> bool {
        self.inputs.get(index).copied().flatten().is_some()
    }

    /// An input that must be a small constant of integers.
    fn known(&self, index: usize, what: &str) -> TractResult<&'a [i64]> {
        self.integers(index)
            .with_context(|| format!("its {what} are not constant: make the pack with inkstone-quantize, which stores them"))
    }

    /// The same for an input that may be missing.
    fn optional(&self, index: usize, what: &str) -> TractResult<Option<&'a [i64]>> {
        if self.is_there(index) {
            self.known(index, what).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A constant input of sizes.
    fn sizes(&self, index: usize, what: &str) -> TractResult<Shape> {
        let sizes = self.known(index, what)?.iter().map(|&size| {
            let fault = if size < 0 { "negative" } else { "too large" };
            usize::try_from(size).map_err(|_| format_err!("one of its {what} is {fault}: {size}"))
        });
        sizes.collect()
    }

    /// Axes from an input or, as before operator set 18, from an attribute.
    fn axes(&self, index: usize) -> TractResult<Option<&'a [i64]>> {
        Ok(self.optional(index, "axes")?.or(self.ints("axes")))
    }

    fn by_channel(&self) -> TractResult<Shape> {
        let shape = self.shape(0)?;
        ensure!(shape.len() >= 2, "shape {shape:?} has no channels");
        for index in 1..self.inputs.len() {
            let parameter = self.shape(index)?;
            ensure!(
                *parameter == shape[1..2],
                "input {index} has shape {parameter:?} where one element a channel is needed"
            );
        }
        Ok(shape.to_vec())
    }
}

/// An axis counted from the front.
fn axis(axis: i64, rank: usize) -> TractResult<usize> {
    let from_front = if axis < 0 {
        axis.checked_add(i64::try_from(rank)?)
    } else {
        Some(axis)
    };
    let found = from_front.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < rank);
    found.with_context(|| format!("there is no axis {axis} among {rank}"))
}

/// Different axes counted from the front.
fn distinct(axes: &[i64], rank: usize) -> TractResult<Vec<usize>> {
    let mut found: Vec<usize> = axes.iter().map(|&index| axis(index, rank)).collect::<TractResult<_>>()?;
    found.sort_unstable();
    ensure!(found.windows(2).all(|pair| pair[0] != pair[1]), "axes {axes:?} name one twice");
    Ok(found)
}

fn times(one: usize, other: usize) -> TractResult<usize> {
    one.checked_mul(other).with_context(|| format!("{one} × {other} is too large"))
}

fn volume(sizes: &[usize]) -> TractResult<usize> {
    sizes.iter().try_fold(1, |count, &size| times(count, size))
}

/// Shape that two shapes broadcast to.
fn broadcast(left: &[usize], right: &[usize]) -> TractResult<Shape> {
    let rank = left.len().max(right.len());
    let at = |shape: &[usize], index: usize| (index + shape.len()).checked_sub(rank).map_or(1, |index| shape[index]);
    let joined = (0..rank).map(|index| match (at(left, index), at(right, index)) {
        (a, b) if a == b || b == 1 => Ok(a),
        (1, b) => Ok(b),
        _ => bail!("shapes {left:?} and {right:?} do not broadcast"),
    });
    joined.collect()
}

/// Sizes with the axes replaced by 1, or left out.
fn without(shape: &[usize], axes: &[usize], keep: bool) -> Shape {
    let sizes = shape.iter().enumerate();
    sizes
        .filter_map(|(index, &size)| match axes.contains(&index) {
            true => keep.then_some(1),
            false => Some(size),
        })
        .collect()
}

fn arg(call: &Call) -> TractResult<Shape> {
    let shape = call.shape(0)?;
    let along = axis(call.int("axis", 0), shape.len())?;
    Ok(without(shape, &[along], call.int("keepdims", 1) != 0))
}

fn reduce(call: &Call) -> TractResult<Shape> {
    let shape = call.shape(0)?;
    let keep = call.int("keepdims", 1) != 0;
    match call.axes(1)? {
        Some([]) | None if call.int("noop_with_empty_axes", 0) != 0 => Ok(shape.to_vec()),
        Some([]) | None => Ok(without(shape, &(0..shape.len()).collect::<Vec<_>>(), keep)),
        Some(axes) => Ok(without(shape, &distinct(axes, shape.len())?, keep)),
    }
}

fn concat(call: &Call) -> TractResult<Shape> {
    let mut joined = call.shape(0)?.to_vec();
    let along = axis(call.int("axis", 0), joined.len())?;
    for index in 1..call.inputs.len() {
        let shape = call.shape(index)?;
        let alike = shape.len() == joined.len() && (0..shape.len()).all(|axis| axis == along || shape[axis] == joined[axis]);
        ensure!(alike, "shapes {joined:?} and {shape:?} differ beside axis {along}");
        joined[along] += shape[along];
    }
    Ok(joined)
}

fn constant(call: &Call) -> TractResult<Shape> {
    let attribute = call.node.attribute.first().context("it holds nothing")?;
    let tensor = |found: &AttributeProto| {
        let sizes = found
            .t
            .as_ref()
            .map(|tensor| tensor.dims.iter().map(|&size| usize::try_from(size).unwrap_or_default()).collect());
        sizes.context("its value is no tensor")
    };
    match &*attribute.name {
        "value" => tensor(attribute),
        "value_float" | "value_int" => Ok(vec![]),
        "value_floats" => Ok(vec![attribute.floats.len()]),
        "value_ints" => Ok(vec![attribute.ints.len()]),
        other => bail!("attribute '{other}' is not supported"),
    }
}

fn constant_of_shape(call: &Call) -> TractResult<Shape> {
    if let Some(tensor) = call.attribute("value").and_then(|value| value.t.as_ref()) {
        ensure!(*tensor.dims == [1], "its value has shape {:?}, not [1]", tensor.dims);
    }
    call.sizes(0, "sizes")
}

/// A window over a picture: sizes, strides, dilations and pads by axis.
struct Moves {
    sizes: Shape,
    strides: Shape,
    dilations: Shape,
    pads: Vec<[usize; 2]>,
    is_automatic: bool,
}

impl Moves {
    fn of(call: &Call, sizes: &[usize]) -> TractResult<Moves> {
        let axes = sizes.len();
        let list = |name: &str, count: usize, default: usize| -> TractResult<Shape> {
            let Some(values) = call.ints(name) else {
                return Ok(vec![default; count]);
            };
            let found: Shape = values
                .iter()
                .filter_map(|&value| usize::try_from(value).ok().filter(|&value| value < 1 << 16))
                .collect();
            ensure!(
                found.len() == count,
                "attribute '{name}' is {values:?}; it must be {count} sizes below 65536"
            );
            Ok(found)
        };
        let (strides, dilations, pads) = (list("strides", axes, 1)?, list("dilations", axes, 1)?, list("pads", 2 * axes, 0)?);
        if call.ints("kernel_shape").is_some() {
            ensure!(list("kernel_shape", axes, 0)? == sizes, "its kernel_shape differs from its weights");
        }
        ensure!(
            !strides.contains(&0) && !dilations.contains(&0),
            "strides and dilations must not be 0"
        );
        ensure!(!sizes.contains(&0), "the window {sizes:?} is empty");
        let moves = Moves {
            is_automatic: call.text("auto_pad").starts_with("SAME"),
            pads: (0..axes).map(|axis| [pads[axis], pads[axes + axis]]).collect(),
            sizes: sizes.to_vec(),
            strides,
            dilations,
        };
        let wide = (0..axes).find(|&axis| moves.pads[axis].iter().any(|&pad| pad > moves.reach(axis)));
        ensure!(wide.is_none(), "pads {pads:?} are wider than the window {sizes:?}");
        Ok(moves)
    }

    /// Elements that the window covers along an axis, gaps included.
    fn reach(&self, axis: usize) -> usize {
        (self.sizes[axis] - 1).saturating_mul(self.dilations[axis]).saturating_add(1)
    }

    /// Positions over a picture of these sides.
    fn positions(&self, sides: &[usize], round_up: bool) -> TractResult<Shape> {
        let position = |(axis, &side): (usize, &usize)| {
            let stride = self.strides[axis];
            if self.is_automatic {
                return Ok(side.div_ceil(stride));
            }
            let padded = self.pads[axis].iter().sum::<usize>().saturating_add(side);
            let free = padded.checked_sub(self.reach(axis));
            let free = free.with_context(|| format!("the window {:?} is larger than the picture {sides:?}", self.sizes))?;
            Ok(if round_up { free.div_ceil(stride) } else { free / stride } + 1)
        };
        sides.iter().enumerate().map(position).collect()
    }

    /// Checks that the picture with its pads is of a size that can be made.
    fn check_padded(&self, front: &[usize], sides: &[usize]) -> TractResult<()> {
        let padded = sides.iter().zip(&self.pads).map(|(&side, pads)| side + pads[0] + pads[1]);
        let padded: Shape = front.iter().copied().chain(padded).collect();
        super::elements(&padded, Limits::LARGEST.elements)
            .map(drop)
            .context("with its pads")
    }
}

fn convolution(call: &Call) -> TractResult<Shape> {
    let (x, weights) = (call.shape(0)?, call.shape(1)?);
    let ([n, channels, sides @ ..], [outputs, inner, window @ ..]) = (x, weights) else {
        bail!("it takes pictures, not shapes {x:?} and {weights:?}")
    };
    let groups = usize::try_from(call.int("group", 1)).unwrap_or_default();
    ensure!(
        !sides.is_empty() && sides.len() == window.len() && groups > 0 && outputs.is_multiple_of(groups),
        "weights {weights:?} in {groups} groups do not fit {x:?}"
    );
    ensure!(
        Some(*channels) == inner.checked_mul(groups) && *channels > 0 && *outputs > 0,
        "weights {weights:?} in {groups} groups do not fit {x:?}"
    );
    if call.is_there(2) {
        let bias = call.shape(2)?;
        ensure!(*bias == [*outputs], "the bias has shape {bias:?}, not [{outputs}]");
    }
    let moves = Moves::of(call, window)?;
    moves.check_padded(&x[..2], sides)?;
    Ok([&[*n, *outputs], &*moves.positions(sides, false)?].concat())
}

fn transposed_convolution(call: &Call) -> TractResult<Shape> {
    let (x, weights) = (call.shape(0)?, call.shape(1)?);
    let ([n, channels, sides @ ..], [inner, per_group, window @ ..]) = (x, weights) else {
        bail!("it takes pictures, not shapes {x:?} and {weights:?}")
    };
    let groups = usize::try_from(call.int("group", 1)).unwrap_or_default();
    ensure!(
        channels == inner && *channels > 0 && groups > 0 && channels.is_multiple_of(groups) && sides.len() == window.len(),
        "weights {weights:?} in {groups} groups do not fit {x:?}"
    );
    ensure!(
        call.attribute("output_shape").is_none() && !call.text("auto_pad").starts_with("SAME"),
        "output_shape and auto_pad are not supported: export explicit pads"
    );
    let moves = Moves::of(call, window)?;
    let mut shape = vec![*n, times(*per_group, groups)?];
    for (axis, &side) in sides.iter().enumerate() {
        let extra = call.ints("output_padding").and_then(|extra| extra.get(axis)).copied().unwrap_or(0);
        let extra = usize::try_from(extra)
            .ok()
            .filter(|&extra| extra < 1 << 16)
            .context("output_padding is out of range")?;
        let whole = times(side.saturating_sub(1), moves.strides[axis])?
            .saturating_add(moves.reach(axis))
            .saturating_add(extra);
        let size = whole
            .checked_sub(moves.pads[axis].iter().sum())
            .filter(|&size| size > 0 && side > 0);
        shape.push(size.context("its pads leave nothing")?);
    }
    Ok(shape)
}

fn pool(call: &Call) -> TractResult<Shape> {
    let x = call.shape(0)?;
    let [n, channels, sides @ ..] = x else {
        bail!("it takes pictures, not shape {x:?}")
    };
    let window = call.ints("kernel_shape").context("it has no kernel_shape")?;
    let window: Shape = window
        .iter()
        .filter_map(|&size| usize::try_from(size).ok().filter(|&size| size < 1 << 16))
        .collect();
    ensure!(window.len() == sides.len(), "its kernel_shape does not fit shape {x:?}");
    let moves = Moves::of(call, &window)?;
    moves.check_padded(&x[..2], sides)?;
    Ok([&[*n, *channels], &*moves.positions(sides, call.int("ceil_mode", 0) != 0)?].concat())
}

fn global_pool(call: &Call) -> TractResult<Shape> {
    let x = call.shape(0)?;
    ensure!(x.len() > 2 && !x.contains(&0), "it takes pictures, not shape {x:?}");
    Ok(without(x, &(2..x.len()).collect::<Vec<_>>(), true))
}

fn cumulative_sum(call: &Call) -> TractResult<Shape> {
    let shape = call.shape(0)?;
    let &[along] = call.known(1, "axis")? else {
        bail!("its axis is no number")
    };
    axis(along, shape.len())?;
    Ok(shape.to_vec())
}

fn block_size(call: &Call) -> TractResult<usize> {
    let size = call.int("blocksize", 0);
    let found = usize::try_from(size).ok().filter(|size| (1..1 << 12).contains(size));
    found.with_context(|| format!("blocksize {size} is out of range"))
}

fn depth_to_space(call: &Call) -> TractResult<Shape> {
    let (shape, block) = (call.shape(0)?, block_size(call)?);
    let &[n, c, h, w] = shape else {
        bail!("it takes pictures, not shape {shape:?}")
    };
    ensure!(c.is_multiple_of(block * block), "{c} channels do not divide into blocks of {block}");
    Ok(vec![n, c / (block * block), times(h, block)?, times(w, block)?])
}

fn space_to_depth(call: &Call) -> TractResult<Shape> {
    let (shape, block) = (call.shape(0)?, block_size(call)?);
    let &[n, c, h, w] = shape else {
        bail!("it takes pictures, not shape {shape:?}")
    };
    ensure!(
        h.is_multiple_of(block) && w.is_multiple_of(block),
        "{h}×{w} does not divide into blocks of {block}"
    );
    Ok(vec![n, times(c, block * block)?, h / block, w / block])
}

/// Products and sums by letters, such as `bij,bjk->bik`.
fn einsum(call: &Call) -> TractResult<Shape> {
    let equation: String = call.text("equation").chars().filter(|letter| !letter.is_whitespace()).collect();
    let (from, to) = equation.split_once("->").context("its equation names no output")?;
    let mut sizes = std::collections::BTreeMap::new();
    let terms: Vec<&str> = from.split(',').collect();
    ensure!(
        terms.len() == call.inputs.len(),
        "equation '{equation}' does not fit {} inputs",
        call.inputs.len()
    );
    for (index, term) in terms.into_iter().enumerate() {
        let shape = call.shape(index)?;
        ensure!(
            term.len() == shape.len() && term.bytes().all(|letter| letter.is_ascii_alphabetic()),
            "equation '{equation}' does not fit shape {shape:?}"
        );
        for (letter, &size) in term.bytes().zip(shape) {
            let known = *sizes.entry(letter).or_insert(size);
            ensure!(known == size, "equation '{equation}' gives one letter the sizes {known} and {size}");
        }
    }
    let size = |letter| sizes.get(&letter).copied();
    let shape: Option<Shape> = to.bytes().map(size).collect();
    shape.with_context(|| format!("equation '{equation}' has an output that no input has"))
}

fn expand(call: &Call) -> TractResult<Shape> {
    broadcast(call.shape(0)?, &call.sizes(1, "sizes")?)
}

fn flatten(call: &Call) -> TractResult<Shape> {
    let (shape, at) = (call.shape(0)?, call.int("axis", 1));
    let at = if usize::try_from(at) == Ok(shape.len()) {
        shape.len()
    } else {
        axis(at, shape.len())?
    };
    Ok(vec![volume(&shape[..at])?, volume(&shape[at..])?])
}

fn gather(call: &Call) -> TractResult<Shape> {
    let (table, indices) = (call.shape(0)?, call.shape(1)?);
    let along = axis(call.int("axis", 0), table.len())?;
    let rows = i64::try_from(table[along])?;
    let outside = call
        .integers(1)
        .and_then(|indices| indices.iter().find(|&&index| !(-rows..rows).contains(&index)));
    ensure!(outside.is_none(), "index {outside:?} is not in a table of {rows} rows");
    Ok([&table[..along], indices, &table[along + 1..]].concat())
}

fn gather_elements(call: &Call) -> TractResult<Shape> {
    let (table, indices) = (call.shape(0)?, call.shape(1)?);
    axis(call.int("axis", 0), table.len())?;
    ensure!(
        table.len() == indices.len(),
        "the indices have shape {indices:?}, the table {table:?}"
    );
    Ok(indices.to_vec())
}

fn gather_nd(call: &Call) -> TractResult<Shape> {
    let (table, indices) = (call.shape(0)?, call.shape(1)?);
    let batch = usize::try_from(call.int("batch_dims", 0)).ok();
    let (Some(batch), Some((&depth, front))) = (batch, indices.split_last()) else {
        bail!("its indices have no axis, or batch_dims is negative")
    };
    let inner = batch
        .checked_add(depth)
        .filter(|&inner| inner <= table.len() && batch <= front.len());
    let inner = inner.with_context(|| format!("indices {indices:?} do not fit a table {table:?}"))?;
    Ok([front, &table[inner..]].concat())
}

fn gemm(call: &Call) -> TractResult<Shape> {
    let (&[a0, a1], &[b0, b1]) = (call.shape(0)?, call.shape(1)?) else {
        bail!("it takes matrices")
    };
    let turned = |name: &str, one, other| if call.int(name, 0) != 0 { (other, one) } else { (one, other) };
    let ((rows, inner), (other, columns)) = (turned("transA", a0, a1), turned("transB", b0, b1));
    ensure!(inner == other, "matrices of {inner} columns and {other} rows have no product");
    if call.is_there(2) {
        let added = call.shape(2)?;
        ensure!(
            broadcast(added, &[rows, columns])? == [rows, columns],
            "{added:?} does not broadcast to {rows}×{columns}"
        );
    }
    Ok(vec![rows, columns])
}

fn layer_norm(call: &Call) -> TractResult<Shape> {
    let shape = call.shape(0)?;
    let from = axis(call.int("axis", -1), shape.len())?;
    for index in (1..call.inputs.len()).filter(|&index| call.is_there(index)) {
        let parameter = call.shape(index)?;
        ensure!(
            *parameter == shape[from..],
            "input {index} has shape {parameter:?}, not {:?}",
            &shape[from..]
        );
    }
    Ok(shape.to_vec())
}

fn product(call: &Call) -> TractResult<Shape> {
    let (a, b) = (call.shape(0)?, call.shape(1)?);
    let ([a_rest @ .., rows, inner], [b_rest @ .., other, columns]) = (a, b) else {
        bail!("it takes matrices, not shapes {a:?} and {b:?}")
    };
    ensure!(inner == other, "shapes {a:?} and {b:?} have no product");
    Ok([&*broadcast(a_rest, b_rest)?, &[*rows, *columns]].concat())
}

fn one_hot(call: &Call) -> TractResult<Shape> {
    let indices = call.shape(0)?;
    let &[depth] = &*call.sizes(1, "depth")? else {
        bail!("its depth is no number")
    };
    let along = axis(call.int("axis", -1), indices.len() + 1)?;
    Ok([&indices[..along], &[depth], &indices[along..]].concat())
}

fn pad(call: &Call) -> TractResult<Shape> {
    let (shape, pads) = (call.shape(0)?, call.known(1, "pads")?);
    let all: Vec<i64> = (0..i64::try_from(shape.len())?).collect();
    let axes = distinct(call.optional(3, "axes")?.unwrap_or(&all), shape.len())?;
    ensure!(pads.len() == 2 * axes.len(), "{} pads do not fit shape {shape:?}", pads.len());
    let mut padded = shape.to_vec();
    for (index, &axis) in axes.iter().enumerate() {
        let (before, after) = (pads[index], pads[axes.len() + index]);
        let limit = if matches!(call.text("mode"), "" | "constant") {
            i64::MAX
        } else {
            i64::try_from(shape[axis])?
        };
        ensure!(before < limit && after < limit, "pads {pads:?} are wider than shape {shape:?}");
        let size = i64::try_from(shape[axis])?
            .checked_add(before)
            .and_then(|size| size.checked_add(after));
        let size = size.and_then(|size| usize::try_from(size).ok());
        padded[axis] = size.with_context(|| format!("pads {pads:?} do not fit shape {shape:?}"))?;
    }
    Ok(padded)
}

fn range(call: &Call) -> TractResult<Shape> {
    let number = |index| match call.known(index, "bounds")? {
        &[number] => Ok(number),
        other => bail!("bound {other:?} is no number"),
    };
    let (start, limit, step) = (number(0)?, number(1)?, number(2)?);
    ensure!(step != 0, "its step is 0");
    let distance = if step > 0 {
        limit.checked_sub(start)
    } else {
        start.checked_sub(limit)
    };
    let distance = distance.context("its bounds are too far apart")?.max(0);
    Ok(vec![usize::try_from(distance.unsigned_abs().div_ceil(step.unsigned_abs()))?])
}

fn reshape(call: &Call) -> TractResult<Shape> {
    let (from, wanted) = (call.shape(0)?, call.known(1, "sizes")?);
    let allow_zero = call.int("allowzero", 0) != 0;
    let fail = || format!("{from:?} has no shape {wanted:?}");
    let mut free = None;
    let mut shape = Vec::with_capacity(wanted.len());
    for (index, &size) in wanted.iter().enumerate() {
        shape.push(match size {
            -1 if free.is_none() => {
                free = Some(index);
                1
            }
            0 if !allow_zero => *from.get(index).with_context(fail)?,
            size => usize::try_from(size).ok().with_context(fail)?,
        });
    }
    let (total, known) = (volume(from)?, volume(&shape)?);
    if let Some(index) = free {
        shape[index] = total.checked_div(known).with_context(fail)?;
    }
    ensure!(volume(&shape)? == total, "{}", fail());
    Ok(shape)
}

fn resize(call: &Call) -> TractResult<Shape> {
    let shape = call.shape(0)?;
    ensure!(!shape.contains(&0), "its input {shape:?} is empty");
    if call.is_there(3) {
        let sizes = call.sizes(3, "sizes")?;
        ensure!(
            sizes.len() == shape.len() && !sizes.contains(&0),
            "sizes {sizes:?} do not fit shape {shape:?}"
        );
        return Ok(sizes);
    }
    let Some(Elements::Floats(scales)) = call.inputs.get(2).copied().flatten().and_then(|value| value.elements.as_ref()) else {
        bail!("its scales are not constant")
    };
    ensure!(
        scales.len() == shape.len() && scales.iter().all(|scale| (1e-4..=1e4).contains(scale)),
        "scales {scales:?} do not fit shape {shape:?}"
    );
    let size = |(&size, &scale): (&usize, &f32)| ((size as f64 * f64::from(scale)) as usize).max(1);
    Ok(shape.iter().zip(scales).map(size).collect())
}

fn shape(call: &Call) -> TractResult<Shape> {
    Ok(vec![call.shape_range()?.len()])
}

/// The elements from `start` up to `end`, which count from the end if negative and are clamped to `size`.
fn taken(size: usize, start: i64, end: i64, step: i64) -> TractResult<Places> {
    let size = i64::try_from(size)?;
    let place = |position: i64| if position < 0 { position.saturating_add(size) } else { position };
    let (start, end) = match step {
        1.. => (place(start).clamp(0, size), place(end).clamp(0, size)),
        ..0 => (place(start).clamp(-1, size - 1), place(end).clamp(-1, size - 1)),
        0 => bail!("a step is 0"),
    };
    let distance = if step > 0 { end - start } else { start - end };
    let count = usize::try_from(distance.max(0))?.div_ceil(usize::try_from(step.unsigned_abs())?);
    Ok(Places {
        first: usize::try_from(start.max(0))?,
        count,
        step: isize::try_from(step)?,
    })
}

fn slice(call: &Call) -> TractResult<Shape> {
    Ok(call.slices()?.iter().map(|places| places.count).collect())
}

fn split(call: &Call) -> TractResult<Vec<Shape>> {
    let (shape, parts) = (call.shape(0)?, call.node.output.len().max(1));
    let along = axis(call.int("axis", 0), shape.len())?;
    let sizes = if call.is_there(1) {
        call.sizes(1, "sizes")?
    } else {
        let part = shape[along].div_ceil(parts);
        (0..parts)
            .map(|index| part.min(shape[along].saturating_sub(index * part)))
            .collect()
    };
    let whole = sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size));
    ensure!(
        whole == Some(shape[along]) && sizes.len() == parts && !sizes.contains(&0),
        "parts {sizes:?} do not make up axis {along} of {shape:?}"
    );
    let part = |size| {
        let mut part = shape.to_vec();
        part[along] = size;
        part
    };
    Ok(sizes.into_iter().map(part).collect())
}

fn squeeze(call: &Call) -> TractResult<Shape> {
    let shape = call.shape(0)?;
    let ones = || (0..shape.len()).filter(|&axis| shape[axis] == 1).collect();
    let axes: Vec<usize> = call.axes(1)?.map_or_else(|| Ok(ones()), |axes| distinct(axes, shape.len()))?;
    ensure!(
        axes.iter().all(|&axis| shape[axis] == 1),
        "axes {axes:?} of {shape:?} are not all 1"
    );
    Ok(without(shape, &axes, false))
}

fn tile(call: &Call) -> TractResult<Shape> {
    let (shape, repeats) = (call.shape(0)?, call.sizes(1, "repeats")?);
    ensure!(shape.len() == repeats.len(), "{} repeats do not fit shape {shape:?}", repeats.len());
    shape.iter().zip(repeats).map(|(&size, repeat)| times(size, repeat)).collect()
}

fn top_k(call: &Call) -> TractResult<Vec<Shape>> {
    let mut shape = call.shape(0)?.to_vec();
    let along = axis(call.int("axis", -1), shape.len())?;
    let &[count] = &*call.sizes(1, "count")? else {
        bail!("its count is no number")
    };
    ensure!(count <= shape[along], "{count} of {} cannot be chosen", shape[along]);
    shape[along] = count;
    Ok(vec![shape.clone(), shape])
}

fn transpose(call: &Call) -> TractResult<Shape> {
    let shape = call.shape(0)?;
    let Some(order) = call.ints("perm") else {
        return Ok(shape.iter().rev().copied().collect());
    };
    ensure!(
        order.len() == shape.len() && distinct(order, shape.len()).is_ok() && order.iter().all(|&axis| axis >= 0),
        "perm {order:?} is no order of the axes of {shape:?}"
    );
    order.iter().map(|&index| Ok(shape[axis(index, shape.len())?])).collect()
}

fn triangle(call: &Call) -> TractResult<Shape> {
    let shape = call.shape(0)?;
    ensure!(shape.len() >= 2, "it takes matrices, not shape {shape:?}");
    if let Some(diagonal) = call.optional(1, "diagonal")? {
        let limit = i64::try_from(Limits::LARGEST.elements)?;
        ensure!(
            matches!(diagonal, [number] if (-limit..=limit).contains(number)),
            "its diagonal is {diagonal:?}"
        );
    }
    Ok(shape.to_vec())
}

fn unsqueeze(call: &Call) -> TractResult<Shape> {
    let shape = call.shape(0)?;
    let axes = call.axes(1)?.context("it names no axes")?;
    let rank = shape.len() + axes.len();
    let axes = distinct(axes, rank)?;
    let mut rest = shape.iter();
    let sizes = (0..rank).map(|index| if axes.contains(&index) { Some(1) } else { rest.next().copied() });
    sizes.collect::<Option<_>>().context("its axes do not fit")
}
