//! One graph in a form that is easy to edit: nodes in order, constants by name, known shapes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use inkstone::pack::{Element, Port, Weights};
use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, type_proto};

use crate::error::{Error, Result};
use crate::proto;
use crate::standard;
use crate::storage::ExternalFiles;
use crate::tensor::{Constant, DecodeError};

/// Largest model that is read, in bytes: that of any protobuf file.
const LARGEST: u64 = 1 << 31;

/// Sizes of the dimensions that an export names instead of giving a number, such as `batch` or `height`.
pub type Sizes = BTreeMap<String, usize>;

/// Operator sets of the default domain that can be read.
pub const OPSETS: std::ops::RangeInclusive<i64> = 13..=23;

/// A graph that can be edited. Nodes are in topological order.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The file that the graph was read from, for messages.
    pub file: PathBuf,
    /// Name of the graph.
    pub name: String,
    /// Version of the default operator set that the nodes follow.
    pub opset: i64,
    /// Nodes, each after those that it reads from.
    pub nodes: Vec<NodeProto>,
    /// Constants by the name of their value.
    pub constants: BTreeMap<String, Constant>,
    /// Inputs, without those that have a constant as default.
    pub inputs: Vec<Port>,
    /// Outputs.
    pub outputs: Vec<Port>,
    /// Shapes of values as far as they are known.
    pub shapes: HashMap<String, Vec<usize>>,
    /// Dimensions of inputs that the file names instead of giving a number.
    pub free: BTreeSet<String>,
}

impl Graph {
    /// Reads a graph and its external data; `sizes` gives the free dimensions of its inputs.
    ///
    /// # Errors
    /// For a file that is missing, not ONNX, of another operator set, or with dimensions that stay free.
    pub fn read(file: &Path, sizes: &Sizes) -> Result<Graph> {
        Graph::from_model(Graph::model(file)?, file, sizes)
    }

    fn model(file: &Path) -> Result<ModelProto> {
        let missing = Error::reading(file, "there is no such file: check the path");
        let bytes = inkstone::bounded_file::check(file, LARGEST).map_err(missing)?;
        // Mapped, so that a graph with all of its weights is not in memory twice.
        let mapped = Weights::map(file, bytes)?;
        let bytes = usize::try_from(bytes).ok().and_then(|bytes| mapped.bytes(0..bytes));
        ModelProto::decode(bytes.unwrap_or_default())
            .map_err(|error| Error::input(file, format!("is not an ONNX model, or is cut short ({error}): export it again")))
    }

    /// The graph of a model; `file` is for messages and its folder for external data.
    ///
    /// # Errors
    /// As for [`Graph::read`].
    pub fn from_model(model: ModelProto, file: &Path, sizes: &Sizes) -> Result<Graph> {
        let opset = check_model(&model, file)?;
        let Some(proto) = model.graph else {
            return Err(Error::input(file, "is not an ONNX model: it has no graph"));
        };
        check_nodes(&proto, file)?;
        let mut graph = Graph {
            file: file.to_owned(),
            name: proto.name.clone(),
            opset,
            nodes: Vec::with_capacity(proto.node.len()),
            constants: BTreeMap::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            shapes: HashMap::new(),
            free: proto.input.iter().flat_map(named_dimensions).map(str::to_owned).collect(),
        };
        let mut files = ExternalFiles::new(file.parent().unwrap_or(Path::new("")));
        for tensor in proto.initializer {
            let name = tensor.name.clone();
            graph.add_tensor(&name, tensor, &mut files)?;
        }
        graph.take_nodes(proto.node, &mut files)?;
        graph.shapes.extend(
            proto
                .value_info
                .iter()
                .filter_map(|info| Some((info.name.clone(), fixed_shape(info, sizes)?))),
        );
        graph.take_inputs(&proto.input, sizes)?;
        graph.sort()?;
        graph.take_outputs(&proto.output, sizes)?;
        Ok(graph)
    }

    /// The ports of a graph, without its weights; `sizes` gives the free dimensions. Outputs whose shapes the file leaves out have none.
    ///
    /// # Errors
    /// For a file that is missing or not ONNX, and for ports with dimensions that stay free or other elements than those of packs.
    pub fn ports(file: &Path, sizes: &Sizes) -> Result<(Vec<Port>, Vec<Port>)> {
        let mut model = Graph::model(file)?;
        check_model(&model, file)?;
        let Some(proto) = &mut model.graph else {
            return Err(Error::input(file, "is not an ONNX model: it has no graph"));
        };
        proto.node.clear();
        let stored: HashSet<String> = proto.initializer.drain(..).map(|tensor| tensor.name).collect();
        proto.input.retain(|input| !stored.contains(&input.name));
        proto.value_info.clear();
        let mut graph = Graph::from_model(model, file, sizes)?;
        for output in &mut graph.outputs {
            output.shape = graph.shapes.get(&output.name).cloned().unwrap_or_default();
        }
        Ok((graph.inputs, graph.outputs))
    }

    fn take_inputs(&mut self, infos: &[ValueInfoProto], sizes: &Sizes) -> Result<()> {
        for info in infos {
            if self.constants.contains_key(&info.name) {
                continue;
            }
            let Some(shape) = fixed_shape(info, sizes) else {
                let unknown = named_dimensions(info).find(|name| !sizes.contains_key(*name));
                let problem = match unknown {
                    Some(name) => format!("has the free dimension `{name}`: give its size with --size {name}=N"),
                    None => "has a free dimension without a name: export the model with fixed shapes".to_owned(),
                };
                return Err(self.port_error("input", info, problem));
            };
            let port = self.port("input", info, shape)?;
            self.shapes.insert(port.name.clone(), port.shape.clone());
            self.inputs.push(port);
        }
        Ok(())
    }

    /// Outputs without a known shape get theirs by [`Graph::complete_outputs`].
    fn take_outputs(&mut self, infos: &[ValueInfoProto], sizes: &Sizes) -> Result<()> {
        for info in infos {
            // A name that an input has too may mean another size here.
            let shape = fixed_shape(info, &Sizes::new());
            self.shapes.extend(shape.map(|shape| (info.name.clone(), shape)));
            let port = self.port("output", info, fixed_shape(info, sizes).unwrap_or_default())?;
            self.outputs.push(port);
        }
        Ok(())
    }

    /// Gives outputs the shapes inferred from those of the inputs: exports may leave them out.
    ///
    /// # Errors
    /// For an output whose shape is not known.
    pub fn complete_outputs(&mut self) -> Result<()> {
        for index in 0..self.outputs.len() {
            let name = &self.outputs[index].name;
            let shape = self.shape(name).map(<[usize]>::to_vec);
            let named = Some(&self.outputs[index].shape).filter(|shape| !shape.is_empty()).cloned();
            let Some(shape) = shape.or(named) else {
                let lost = self.first_without_shape();
                if let Some((node, advice)) = lost.and_then(|node| Some((node, standard::advice(node)?))) {
                    return Err(self.error(node, advice));
                }
                let lost = lost.map(|node| format!(" (sizes are lost at node `{}`, {})", node.name, node.op_type));
                let lost = lost.unwrap_or_default();
                let problem = format!("has a free dimension that does not follow from those of the inputs{lost}");
                return Err(Error::input(
                    &self.file,
                    format!("output `{name}` {problem}: export the model with fixed shapes"),
                ));
            };
            self.outputs[index].shape = shape;
        }
        Ok(())
    }

    /// The first node whose inputs have known shapes and whose output has not.
    fn first_without_shape(&self) -> Option<&NodeProto> {
        let is_known = |value: &String| value.is_empty() || self.shape(value).is_some();
        let nodes = self.nodes.iter();
        nodes
            .filter(|node| node.input.iter().all(is_known))
            .find(|node| !node.output.iter().all(is_known))
    }

    fn add_tensor(&mut self, name: &str, tensor: TensorProto, files: &mut ExternalFiles) -> Result<()> {
        let constant = Constant::decode(tensor, files).map_err(|error| match error {
            DecodeError::Tensor(problem) => Error::input(&self.file, format!("tensor `{name}` {problem}")),
            DecodeError::Missing(location) => {
                let problem = format!(
                    "is missing; {} keeps its weights there: copy both files together",
                    self.file.display()
                );
                Error::input(&self.file.with_file_name(location), problem)
            }
            DecodeError::Machine(source) => Error::Machine {
                path: self.file.clone(),
                action: "read the external data of",
                source,
            },
        })?;
        self.constants.insert(name.to_owned(), constant);
        Ok(())
    }

    /// Constant nodes become constants.
    fn take_nodes(&mut self, nodes: Vec<NodeProto>, files: &mut ExternalFiles) -> Result<()> {
        for (index, mut node) in nodes.into_iter().enumerate() {
            if node.name.is_empty() {
                node.name = format!("{}_{index}", node.op_type);
            }
            if !proto::is(&node, "Constant") {
                self.nodes.push(node);
                continue;
            }
            let attribute = (!node.attribute.is_empty()).then(|| node.attribute.swap_remove(0));
            let (Some(output), Some(attribute)) = (node.output.first(), attribute) else {
                return Err(self.error(&node, "has no value: export the model again"));
            };
            match (attribute.name.as_str(), attribute.t) {
                ("value", Some(tensor)) => self.add_tensor(output, tensor, files)?,
                ("value_float", _) => self.set(output, Constant::f32(&[], vec![attribute.f])),
                ("value_int", _) => self.set(output, Constant::i64(&[], vec![attribute.i])),
                ("value_floats", _) => self.set(output, Constant::f32(&[attribute.floats.len()], attribute.floats.clone())),
                ("value_ints", _) => self.set(output, Constant::i64(&[attribute.ints.len()], attribute.ints.clone())),
                (other, _) => return Err(self.error(&node, format!("attribute `{other}` is not supported"))),
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &str, constant: Constant) {
        self.constants.insert(name.to_owned(), constant);
    }

    fn port_error(&self, kind: &str, info: &ValueInfoProto, problem: String) -> Error {
        Error::input(&self.file, format!("{kind} `{}` {problem}", info.name))
    }

    fn port(&self, kind: &str, info: &ValueInfoProto, shape: Vec<usize>) -> Result<Port> {
        let data_type = tensor_type(info)
            .and_then(|tensor| DataType::try_from(tensor.elem_type).ok())
            .unwrap_or(DataType::Undefined);
        let element = match data_type {
            // Half floats become f32 throughout the graph.
            DataType::Float | DataType::Float16 | DataType::Bfloat16 => Element::F32,
            DataType::Int64 => Element::I64,
            // Token ids of older exports: what reads them takes integers of either width.
            DataType::Int32 if kind == "input" => Element::I64,
            other => {
                let problem = format!("is {}: export the model with f32 and int64 ports", other.as_str_name());
                return Err(self.port_error(kind, info, problem));
            }
        };
        Ok(Port::new(&info.name, element, shape))
    }

    /// An error at a node of this graph.
    pub fn error(&self, node: &NodeProto, problem: impl Into<String>) -> Error {
        Error::Node {
            path: self.file.clone(),
            node: node.name.clone(),
            operator: node.op_type.clone(),
            problem: problem.into(),
        }
    }

    /// The constant that a node reads at `index`.
    pub fn constant_input(&self, node: &NodeProto, index: usize) -> Option<&Constant> {
        self.constants.get(proto::input(node, index)?)
    }

    /// The value of a constant of one element.
    pub fn scalar(&self, value: &str) -> Option<f32> {
        self.constants.get(value).and_then(Constant::scalar)
    }

    /// Shape of a value, if it is known.
    pub fn shape(&self, value: &str) -> Option<&[usize]> {
        match self.constants.get(value) {
            Some(constant) => Some(&constant.shape),
            None => self.shapes.get(value).map(Vec::as_slice),
        }
    }

    /// Adds a constant under the name `wanted` or, if that is taken, under a name derived from it.
    pub fn add_constant(&mut self, wanted: &str, constant: Constant) -> String {
        let taken = |name: &str| {
            self.constants
                .get(name)
                .is_some_and(|other| other.shape != constant.shape || other.values != constant.values)
        };
        let name = free_name(wanted, |name| taken(name) || self.shapes.contains_key(name));
        self.constants.insert(name.clone(), constant);
        name
    }

    /// `wanted` or, if a value has that name, a name derived from it.
    pub fn free_value(&self, wanted: &str) -> String {
        free_name(wanted, |name| {
            self.shapes.contains_key(name)
                || self.is_given(name)
                || self.nodes.iter().any(|node| node.output.iter().any(|output| output == name))
        })
    }

    /// Renames nodes that have the name of an earlier one, of an input or of a constant: tract makes nodes of all of them.
    pub fn make_names_unique(&mut self) {
        let inputs = self.inputs.iter().map(|port| &port.name);
        let mut taken: HashSet<String> = inputs.chain(self.constants.keys()).cloned().collect();
        for node in &mut self.nodes {
            node.name = free_name(&node.name, |name| taken.contains(name));
            taken.insert(node.name.clone());
        }
    }

    /// Removes nodes and constants that no output depends on.
    pub fn sweep(&mut self) {
        let mut needed: HashSet<String> = self.outputs.iter().map(|port| port.name.clone()).collect();
        let mut kept: Vec<NodeProto> = Vec::with_capacity(self.nodes.len());
        for node in self.nodes.drain(..).rev() {
            if node.output.iter().any(|output| needed.contains(output)) {
                needed.extend(node.input.iter().cloned());
                kept.push(node);
            }
        }
        kept.reverse();
        self.nodes = kept;
        self.constants.retain(|name, _| needed.contains(name));
    }

    /// Puts every node after those that it reads from, otherwise in the order of the file.
    ///
    /// # Errors
    /// For a value that no node produces, or that depends on itself.
    pub fn sort(&mut self) -> Result<()> {
        let links = Links::of(self);
        let mut waiting = vec![0usize; self.nodes.len()];
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for value in node.input.iter().filter(|value| !value.is_empty() && !self.is_given(value)) {
                let Some(&producer) = links.producers.get(value) else {
                    return Err(self.error(node, format!("reads `{value}`, which no node produces: export the model again")));
                };
                waiting[index] += 1;
                readers[producer].push(index);
            }
        }
        let mut ready: BTreeSet<usize> = (0..waiting.len()).filter(|&index| waiting[index] == 0).collect();
        let mut order = Vec::with_capacity(self.nodes.len());
        while let Some(index) = ready.pop_first() {
            order.push(index);
            for &reader in &readers[index] {
                waiting[reader] -= 1;
                if waiting[reader] == 0 {
                    ready.insert(reader);
                }
            }
        }
        if let Some(stuck) = waiting.iter().position(|&count| count > 0) {
            return Err(self.error(&self.nodes[stuck], "depends on itself: export the model again"));
        }
        self.nodes = order.into_iter().map(|index| std::mem::take(&mut self.nodes[index])).collect();
        Ok(())
    }

    fn is_given(&self, value: &str) -> bool {
        self.constants.contains_key(value) || self.inputs.iter().any(|port| port.name == value)
    }
}

/// The producer of every value and the number of its readers, as of one moment.
#[derive(Debug)]
pub struct Links {
    producers: HashMap<String, usize>,
    uses: HashMap<String, usize>,
}

impl Links {
    /// Links of the graph as it is now.
    pub fn of(graph: &Graph) -> Links {
        let mut links = Links {
            producers: HashMap::new(),
            uses: HashMap::new(),
        };
        for (index, node) in graph.nodes.iter().enumerate() {
            links.producers.extend(node.output.iter().map(|output| (output.clone(), index)));
            for input in &node.input {
                *links.uses.entry(input.clone()).or_default() += 1;
            }
        }
        for port in &graph.outputs {
            *links.uses.entry(port.name.clone()).or_default() += 1;
        }
        links
    }

    /// The node that makes a value; none for constants and graph inputs.
    pub fn producer<'a>(&self, graph: &'a Graph, value: &str) -> Option<&'a NodeProto> {
        self.producers.get(value).and_then(|&index| graph.nodes.get(index))
    }

    /// The standard operator `operator` that makes a value.
    pub fn made_by<'a>(&self, graph: &'a Graph, value: &str, operator: &str) -> Option<&'a NodeProto> {
        self.producer(graph, value).filter(|node| proto::is(node, operator))
    }

    /// Whether exactly one node or output reads the value.
    pub fn read_once(&self, value: &str) -> bool {
        self.uses.get(value) == Some(&1)
    }
}

fn free_name(wanted: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut name = wanted.to_owned();
    let mut number = 1;
    while taken(&name) {
        number += 1;
        name = format!("{wanted}.{number}");
    }
    name
}

fn check_model(model: &ModelProto, file: &Path) -> Result<i64> {
    if model.opset_import.iter().any(|set| set.domain == proto::DOMAIN) {
        return Err(Error::input(file, "is a graph of a pack already: give the f32 export"));
    }
    if let Some(function) = model.functions.first() {
        let name = function.name.as_deref().unwrap_or_default();
        return Err(Error::input(
            file,
            format!("has the function `{name}`: export the model with functions inlined"),
        ));
    }
    let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let Some(opset) = model.opset_import.iter().find(|set| standard(&set.domain)).map(|set| set.version) else {
        return Err(Error::input(file, "is not an ONNX model: it names no operator set"));
    };
    if !OPSETS.contains(&opset) {
        let problem = format!(
            "uses operator set {opset}: export with one from {} to {}",
            OPSETS.start(),
            OPSETS.end()
        );
        return Err(Error::input(file, problem));
    }
    Ok(opset)
}

fn check_nodes(graph: &GraphProto, file: &Path) -> Result<()> {
    let fail = |node: &NodeProto, problem: String| {
        Err(Error::Node {
            path: file.to_owned(),
            node: node.name.clone(),
            operator: node.op_type.clone(),
            problem,
        })
    };
    if !graph.sparse_initializer.is_empty() {
        return Err(Error::input(file, "has sparse weights: export the model with dense ones"));
    }
    for node in &graph.node {
        if !node.domain.is_empty() && node.domain != "ai.onnx" {
            return fail(
                node,
                format!("belongs to the domain `{}`: export the model with standard operators", node.domain),
            );
        }
        if node
            .attribute
            .iter()
            .any(|attribute| attribute.g.is_some() || !attribute.graphs.is_empty())
        {
            return fail(node, "has branches or loops: export the model without control flow".to_owned());
        }
    }
    Ok(())
}

fn tensor_type(info: &ValueInfoProto) -> Option<&type_proto::Tensor> {
    let type_proto::Value::TensorType(tensor) = info.r#type.as_ref()?.value.as_ref()?;
    Some(tensor)
}

/// Names of a value's free dimensions, as far as they have names.
fn named_dimensions(info: &ValueInfoProto) -> impl Iterator<Item = &str> {
    let shape = tensor_type(info).and_then(|tensor| tensor.shape.as_ref());
    let dimensions = shape.map_or(&[][..], |shape| &shape.dim);
    dimensions.iter().filter_map(|dimension| match &dimension.value {
        Some(dimension::Value::DimParam(name)) if !name.is_empty() => Some(name.as_str()),
        _ => None,
    })
}

fn fixed_shape(info: &ValueInfoProto, sizes: &Sizes) -> Option<Vec<usize>> {
    let fixed = |dim: &dimension::Value| match dim {
        dimension::Value::DimValue(value) => usize::try_from(*value).ok(),
        dimension::Value::DimParam(name) => sizes.get(name).copied(),
    };
    tensor_type(info)?
        .shape
        .as_ref()?
        .dim
        .iter()
        .map(|dim| dim.value.as_ref().and_then(fixed))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::{Builder, names};

    #[test]
    fn nodes_are_sorted_and_dead_ones_swept() {
        let mut builder = Builder::new(17).input("x", &[2]).output("y", &[2]);
        builder = builder
            .node("Relu", &["middle"], "y")
            .node("Neg", &["x"], "middle")
            .node("Neg", &["x"], "dead");
        let mut graph = builder.constant("unused", &[1], &[1.0]).graph();
        graph.sweep();
        assert_eq!(names(&graph), ["Neg", "Relu"]);
        assert!(graph.constants.is_empty());
    }

    #[test]
    fn node_names_differ_from_one_another_and_from_inputs() {
        let builder = Builder::new(17).input("x", &[2]).output("y", &[2]);
        let named = |name: &str, input: &str, output: &str| crate::proto::node("Neg", name, &[input], &[output]);
        let mut graph = builder
            .with(named("x", "x", "a"))
            .with(named("n", "a", "b"))
            .with(named("n", "b", "y"))
            .graph();
        graph.make_names_unique();
        let names: Vec<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["x.2", "n", "n.2"]);
    }

    #[test]
    fn cycles_and_missing_values_are_refused() {
        let cycle = Builder::new(17)
            .input("x", &[2])
            .output("y", &[2])
            .node("Add", &["x", "y"], "y")
            .read();
        assert!(cycle.unwrap_err().to_string().contains("depends on itself"));
        let missing = Builder::new(17)
            .input("x", &[2])
            .output("y", &[2])
            .node("Add", &["x", "z"], "y")
            .read();
        assert!(missing.unwrap_err().to_string().contains("`z`, which no node produces"));
    }

    #[test]
    fn unknown_operator_sets_are_refused() {
        let error = Builder::new(99)
            .input("x", &[2])
            .output("y", &[2])
            .node("Neg", &["x"], "y")
            .read()
            .unwrap_err();
        assert!(error.is_input() && error.to_string().contains("operator set 99"));
    }
}
