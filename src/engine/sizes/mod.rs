//! How large everything in a graph is, from the ports outward, found before tract reads the graph: nothing is planned, computed or
//! allocated for a graph that goes beyond its pack's limits, or those here. Owns the walk over the nodes; `rules` says what shape each
//! standard operator's outputs have, and `values` what a small constant holds. Depends on `adapter`.

mod rules;
mod values;

use std::collections::{BTreeMap, HashMap};

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as DimensionValue;
use tract_onnx::pb::type_proto::Value as TypeValue;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use tract_onnx::tract_core::internal::*;

use super::adapter::Operator;
use crate::pack::Limits;
use rules::Call;

/// Most axes of a value.
const AXES: usize = 8;
/// Most elements of the constants that are computed when a graph is loaded, beyond twice those that its file holds.
const COMPUTED: usize = 1 << 24;
/// Versions of the standard operators that are read.
const OPERATOR_SETS: std::ops::RangeInclusive<i64> = 13..=18;
/// Largest magnitude of a quantized layer's scales and biases: beyond it, sums overflow.
const LARGEST_PARAMETER: f32 = 1e9;

/// Whether graphs may use the standard operator of this name: for the quantizer's tests.
#[doc(hidden)]
pub fn is_read(operator: &str) -> bool {
    rules::find(operator).is_some()
}

/// A value of the graph.
#[derive(Clone, Debug, Default)]
struct Value {
    shape: Vec<usize>,
    /// Whether it is the same in every run.
    is_constant: bool,
    /// Its elements, where it is a small constant.
    elements: Option<values::Elements>,
    /// The input of the graph whose elements these are, unchanged.
    input: Option<usize>,
}

/// The sizes of a graph's values, node by node in the graph's order.
pub struct Sizes {
    values: HashMap<String, Value>,
    /// Values whose elements are no usual numbers of a layer, with what is wrong.
    unusual: HashMap<String, String>,
    /// The node that reads each value last.
    last_reads: HashMap<String, usize>,
    limits: Limits,
    /// What the nodes so far need.
    needs: Limits,
    node: usize,
    alive: usize,
    computed: usize,
    /// By input of the graph: rows of the smallest table that it indexes.
    rows: Vec<Option<usize>>,
}

impl Sizes {
    /// The sizes of the inputs and stored constants of a graph.
    ///
    /// # Errors
    /// If the graph has too many nodes, is of another operator set, or an input or constant is too large.
    pub fn of(model: &ModelProto, limits: Limits) -> TractResult<Sizes> {
        let graph = model.graph.as_ref().context("the file holds no graph")?;
        check_operator_set(model)?;
        ensure!(
            graph.node.len() <= limits.nodes,
            "the graph has {} nodes; the pack's limits allow {}",
            graph.node.len(),
            limits.nodes
        );
        let mut sizes = Sizes {
            values: HashMap::new(),
            unusual: HashMap::new(),
            last_reads: last_reads(graph),
            limits,
            needs: Limits {
                nodes: graph.node.len(),
                elements: 0,
                elements_at_once: 0,
            },
            node: 0,
            alive: 0,
            computed: 0,
            rows: vec![None; graph.input.len()],
        };
        for (index, input) in graph.input.iter().enumerate() {
            let shape = shape(input).with_context(|| format!("input '{}' has no fixed shape", input.name))?;
            sizes.alive += sizes.checked(&shape).with_context(|| format!("input '{}'", input.name))?;
            let value = Value {
                shape,
                input: Some(index),
                ..Value::default()
            };
            sizes.values.insert(input.name.clone(), value);
        }
        let mut stored = 0;
        for tensor in &graph.initializer {
            let value = constant(tensor).with_context(|| format!("tensor '{}'", tensor.name))?;
            stored += value.shape.iter().product::<usize>();
            sizes.unusual.extend(unusual(tensor).map(|problem| (tensor.name.clone(), problem)));
            sizes.values.insert(tensor.name.clone(), value);
        }
        // What is left of what may be computed.
        sizes.computed = COMPUTED + 2 * stored;
        Ok(sizes)
    }

    /// Takes a node with an operator of ours, built from it; `is_quantized` if it reads a mapped tensor.
    ///
    /// # Errors
    /// If the operator does not take inputs of these shapes, or something grows too large.
    pub fn own(&mut self, node: &NodeProto, operator: &dyn Operator, is_quantized: bool) -> TractResult<()> {
        check_attributes(node)?;
        let read = |name: &String| {
            self.values
                .get(name)
                .with_context(|| format!("'{name}' is not a value that it can read"))
        };
        let inputs = node.input.iter().map(read).collect::<TractResult<Vec<_>>>()?;
        let shapes: Vec<&[usize]> = inputs.iter().map(|value| &*value.shape).collect();
        ensure!(node.output.len() == 1, "it names {} outputs; it has one", node.output.len());
        ensure!(!shapes.iter().any(|shape| shape.contains(&0)), "an input is empty: {shapes:?}");
        if let Some(problem) = node.input.iter().find_map(|name| self.unusual.get(name)).filter(|_| is_quantized) {
            bail!("{problem}");
        }
        let shape = operator.output_shape(&shapes)?.to_vec();
        let workspace = operator.workspace(&shapes).saturating_add(operator.scratch(&shapes).unwrap_or(0));
        ensure!(
            workspace <= self.limits.elements,
            "it works in {workspace} floats; the pack's limits allow {}",
            self.limits.elements
        );
        let indexed = operator.indexed_rows().zip(inputs.first().and_then(|value| value.input));
        let is_constant = inputs.iter().all(|value| value.is_constant);
        if let Some((rows, input)) = indexed {
            self.index(input, rows);
        }
        let output = Value {
            shape,
            is_constant,
            ..Value::default()
        };
        self.end(node, vec![output], workspace)
    }

    /// Takes a node of a standard operator.
    ///
    /// # Errors
    /// If the operator is not among those that are read, does not take these inputs and attributes, or something grows too large.
    pub fn standard(&mut self, node: &NodeProto) -> TractResult<()> {
        check_attributes(node)?;
        let rule = rules::find(&node.op_type).with_context(|| format!("operator {} is not known to this version", node.op_type))?;
        let read = |name: &String| {
            if name.is_empty() {
                return Ok(None);
            }
            let value = self.values.get(name);
            value.map(Some).with_context(|| format!("'{name}' is not a value that it can read"))
        };
        let call = Call {
            node,
            inputs: node.input.iter().map(read).collect::<TractResult<_>>()?,
        };
        let shapes = call.outputs(rule)?;
        ensure!(
            shapes.len() == node.output.len() && node.output.iter().all(|name| !name.is_empty()),
            "{} outputs are named; {} are supported",
            node.output.len(),
            shapes.len()
        );
        let is_constant = call.inputs.iter().flatten().all(|value| value.is_constant) || values::is_of_shape(node);
        let elements = values::elements(&call, &shapes)?;
        let input = values::same_elements(node)
            .then(|| call.inputs[0].and_then(|value| value.input))
            .flatten();
        let indexed = call.indexed()?;
        let outputs = shapes.into_iter().map(|shape| Value {
            shape,
            is_constant,
            elements: elements.clone(),
            input,
        });
        let outputs = outputs.collect();
        if let Some((input, rows)) = indexed {
            self.index(input, rows);
        }
        self.end(node, outputs, 0)
    }

    /// What the graph needs, and, by input of the graph, the rows of the smallest table that its elements index.
    pub fn finish(self) -> (Limits, Vec<Option<usize>>) {
        (self.needs, self.rows)
    }

    /// Number of elements of a shape within the limits.
    fn checked(&mut self, shape: &[usize]) -> TractResult<usize> {
        let elements = elements(shape, self.limits.elements)?;
        self.needs.elements = self.needs.elements.max(elements);
        Ok(elements)
    }

    fn index(&mut self, input: usize, rows: usize) {
        let known = &mut self.rows[input];
        *known = Some(known.map_or(rows, |known| known.min(rows)));
    }

    /// Adds a node's outputs, and drops what nothing reads any more.
    fn end(&mut self, node: &NodeProto, outputs: Vec<Value>, workspace: usize) -> TractResult<()> {
        for (name, value) in node.output.iter().zip(outputs) {
            let elements = self.checked(&value.shape)?;
            if value.is_constant {
                let left = self.computed.checked_sub(elements);
                self.computed = left.context("too much would be computed before the first run: store constants instead")?;
            } else {
                self.alive += elements;
            }
            self.values.insert(name.clone(), value);
        }
        let alive = self.alive + workspace;
        ensure!(
            alive <= self.limits.elements_at_once,
            "{alive} elements would be in memory at once; the pack's limits allow {}",
            self.limits.elements_at_once
        );
        self.needs.elements_at_once = self.needs.elements_at_once.max(alive);
        let mut read: Vec<&String> = node.input.iter().chain(&node.output).collect();
        read.sort();
        read.dedup();
        for name in read {
            // Nothing reads it, or nothing after this node.
            if self.last_reads.get(name).is_none_or(|&last| last == self.node)
                && let Some(value) = self.values.get(name).filter(|value| !value.is_constant)
            {
                self.alive -= value.shape.iter().product::<usize>();
            }
        }
        self.node += 1;
        Ok(())
    }
}

fn check_operator_set(model: &ModelProto) -> TractResult<()> {
    let mut standard = model.opset_import.iter().filter(|set| matches!(&*set.domain, "" | "ai.onnx"));
    let version = standard
        .next()
        .context("the file names no version of the standard operators")?
        .version;
    ensure!(
        OPERATOR_SETS.contains(&version),
        "the graph is of operator set {version}; {OPERATOR_SETS:?} are read"
    );
    Ok(())
}

/// The node that reads each value last; the outputs are read after all nodes.
fn last_reads(graph: &GraphProto) -> HashMap<String, usize> {
    let nodes = graph.node.iter().enumerate();
    let reads = nodes.flat_map(|(index, node)| node.input.iter().map(move |name| (name.clone(), index)));
    let outputs = graph.output.iter().map(|output| (output.name.clone(), usize::MAX));
    reads.chain(outputs).collect()
}

/// Every attribute is there once, holds no graph, and its numbers are numbers.
fn check_attributes(node: &NodeProto) -> TractResult<()> {
    let mut names = BTreeMap::new();
    for attribute in &node.attribute {
        let name = &attribute.name;
        ensure!(names.insert(name, ()).is_none(), "attribute '{name}' is there twice");
        ensure!(
            attribute.g.is_none() && attribute.graphs.is_empty(),
            "attribute '{name}' holds a graph: export the model without control flow"
        );
        let floats = std::iter::once(&attribute.f).chain(&attribute.floats);
        ensure!(
            floats.into_iter().all(|value| value.is_finite()),
            "attribute '{name}' is not a finite number"
        );
        for tensor in attribute.t.iter().chain(&attribute.tensors) {
            constant(tensor).with_context(|| format!("attribute '{name}'"))?;
        }
    }
    Ok(())
}

/// Number of elements of a shape; an error if there are more than `most`, or would be if no size was 0: strides are computed of
/// shapes without elements, too.
fn elements(shape: &[usize], most: usize) -> TractResult<usize> {
    ensure!(shape.len() <= AXES, "shape {shape:?} has more than {AXES} axes");
    let filled = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size.max(1)));
    let filled = filled.filter(|&count| count <= most);
    let filled = filled.with_context(|| format!("shape {shape:?} has more than {most} elements"))?;
    Ok(if shape.contains(&0) { 0 } else { filled })
}

/// The shape of an input; `None` if an axis is not fixed.
fn shape(info: &ValueInfoProto) -> Option<Vec<usize>> {
    let Some(TypeValue::TensorType(tensor)) = info.r#type.as_ref()?.value.as_ref() else {
        return None;
    };
    let dimensions = tensor.shape.iter().flat_map(|shape| &shape.dim);
    let sizes = dimensions.map(|dimension| match dimension.value {
        Some(DimensionValue::DimValue(size)) => usize::try_from(size).ok(),
        _ => None,
    });
    sizes.collect()
}

/// A constant that the file holds.
fn constant(tensor: &TensorProto) -> TractResult<Value> {
    let sizes = tensor.dims.iter().map(|&size| usize::try_from(size).ok());
    let shape: Vec<usize> = sizes
        .collect::<Option<_>>()
        .context("its shape has a size that is negative or too large")?;
    let elements = elements(&shape, Limits::LARGEST.elements)?;
    let held = values::held(tensor);
    ensure!(
        held == Some(elements),
        "it holds {held:?} elements where shape {shape:?} has {elements}"
    );
    Ok(Value {
        elements: values::stored(tensor, elements),
        shape,
        is_constant: true,
        input: None,
    })
}

/// What keeps a tensor from being the scales or biases of a quantized layer.
fn unusual(tensor: &TensorProto) -> Option<String> {
    if tensor.data_type != DataType::Float as i32 {
        return None;
    }
    let in_range = |value: f32| value.abs() <= LARGEST_PARAMETER;
    let wrong = match tensor.raw_data.as_slice() {
        [] => tensor.float_data.iter().copied().find(|&value| !in_range(value)),
        raw => raw
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .find(|&value| !in_range(value)),
    };
    let told = |value| {
        format!(
            "'{}' holds {value}; a quantized layer's scales and biases are numbers up to {LARGEST_PARAMETER}",
            tensor.name
        )
    };
    wrong.map(told)
}

#[cfg(test)]
mod tests;
