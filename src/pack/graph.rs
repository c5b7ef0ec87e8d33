//! A stage's ONNX graph as read from its file, checked against the manifest and the weights file.
//!
//! The int8 tensors of Inkstone's own operators stay in the mapping: they leave the protobuf here and are kept
//! beside it as [`ExternalTensor`]s. All other external tensors (scales, biases, gains and layers that stay f32 or f16) are
//! copied into the protobuf, f16 as f32, so that the engine needs no file any more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use half::f16;
use prost::Message as _;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::tensor_shape_proto::dimension::Value as DimensionValue;
use tract_onnx::pb::type_proto::Value as TypeValue;
use tract_onnx::pb::{GraphProto, ModelProto, TensorProto, ValueInfoProto};

use crate::bounded_file;

use super::{ALIGNMENT, Element, Limits, PackError, Port, Stage, WEIGHTS, WeightSlice, Weights};

/// Largest graph that is read, in bytes: weights lie beside it.
const LARGEST: u64 = 64 << 20;

/// Domain of Inkstone's own operators.
pub const DOMAIN: &str = "inkstone";

/// An int8 tensor in the mapping.
#[derive(Clone, Debug)]
pub struct ExternalTensor {
    /// Dimensions; their product is the slice's length.
    pub shape: Vec<usize>,
    /// The weights.
    pub data: WeightSlice,
}

#[cfg(test)]
impl ExternalTensor {
    /// A tensor in a mapped file of its own, which is gone once it is unmapped.
    pub fn of_bytes(bytes: &[u8], shape: Vec<usize>) -> ExternalTensor {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let weights = Arc::new(Weights::map(file.path(), bytes.len() as u64).unwrap());
        ExternalTensor {
            shape,
            data: WeightSlice::new(&weights, 0..bytes.len()).unwrap(),
        }
    }
}

/// A graph whose ports and tensors have been checked.
#[derive(Debug)]
pub struct Graph {
    /// The model without its int8 tensors and without function bodies.
    pub(crate) proto: ModelProto,
    /// The int8 tensors by name.
    pub tensors: BTreeMap<String, ExternalTensor>,
    /// What it may need.
    pub(crate) limits: Limits,
}

impl Graph {
    /// Reads and checks a graph. What it may need is looked at when a stage is loaded from it.
    ///
    /// # Errors
    /// If the file is not ONNX, a port differs from the manifest's, or a tensor lies outside the weights file,
    /// is not aligned or has another size than its shape.
    pub fn read(path: &Path, stage: &Stage, limits: Limits, weights: &Arc<Weights>) -> Result<Graph, PackError> {
        let bytes = bounded_file::read(path, LARGEST).map_err(|error| PackError::io(path, error))?;
        let mut proto = ModelProto::decode(&*bytes).map_err(|error| PackError::graph(path, format!("not an ONNX graph: {error}")))?;
        proto.functions.clear();
        let graph = proto
            .graph
            .as_mut()
            .ok_or_else(|| PackError::graph(path, "the file holds no graph"))?;
        check_ports(path, "input", &graph.input, &stage.inputs)?;
        check_ports(path, "output", &graph.output, &stage.outputs)?;
        check_wiring(path, graph)?;
        // Nothing reads them here, and no check has to know them.
        (graph.value_info, graph.sparse_initializer, graph.quantization_annotation) = Default::default();
        let (external, inside): (Vec<_>, Vec<_>) = std::mem::take(&mut graph.initializer).into_iter().partition(is_external);
        inside.iter().try_for_each(|tensor| check_inside(path, tensor))?;
        graph.initializer = inside;
        let mut tensors = BTreeMap::new();
        for mut tensor in external {
            let found = locate(path, &tensor, weights)?;
            if tensor.data_type == DataType::Int8 as i32 {
                tensors.insert(tensor.name, found);
            } else {
                tensor.raw_data = found.data.as_slice().iter().map(|&byte| byte as u8).collect();
                tensor.external_data.clear();
                tensor.data_location = None;
                graph.initializer.push(tensor);
            }
        }
        widen_half_floats(path, graph)?;
        graph.initializer.iter().try_for_each(|tensor| check_numbers(path, tensor))?;
        Ok(Graph { proto, tensors, limits })
    }
}

fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == Some(DataLocation::External as i32)
}

/// The place of an external tensor, checked.
fn locate(path: &Path, tensor: &TensorProto, weights: &Arc<Weights>) -> Result<ExternalTensor, PackError> {
    let fail = |problem: String| PackError::graph(path, format!("tensor '{}': {problem}", tensor.name));
    let entry = |key: &str| {
        tensor
            .external_data
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| entry.value.as_str())
    };
    if entry("location") != Some(WEIGHTS) {
        return Err(fail(format!("its data must lie in {WEIGHTS}")));
    }
    let number = |key: &str| -> Result<usize, PackError> {
        let text = entry(key).ok_or_else(|| fail(format!("it has no {key} in {WEIGHTS}")))?;
        text.parse()
            .map_err(|_| fail(format!("its {key} '{text}' is not a number of bytes")))
    };
    let (offset, length) = (number("offset")?, number("length")?);
    let shape: Vec<usize> = tensor
        .dims
        .iter()
        .map(|&size| usize::try_from(size).map_err(|_| fail(format!("its shape {:?} has a negative size", tensor.dims))))
        .collect::<Result<_, _>>()?;
    let width = element_bytes(tensor.data_type).ok_or_else(|| fail(format!("element type {} is not supported", tensor.data_type)))?;
    let expected = shape.iter().try_fold(width, |bytes, &size| bytes.checked_mul(size));
    if expected != Some(length) {
        return Err(fail(format!("{length} bytes do not hold shape {shape:?}")));
    }
    if !offset.is_multiple_of(ALIGNMENT) {
        return Err(fail(format!("its offset {offset} is not a multiple of {ALIGNMENT}")));
    }
    let data = offset
        .checked_add(length)
        .and_then(|end| WeightSlice::new(weights, offset..end))
        .ok_or_else(|| {
            fail(format!(
                "{length} bytes at offset {offset} reach past the end of {WEIGHTS} ({} bytes)",
                weights.len()
            ))
        })?;
    Ok(ExternalTensor { shape, data })
}

/// Makes f32 of f16 tensors. Graphs compute in f32, so each must be read by casts alone.
fn widen_half_floats(path: &Path, graph: &mut GraphProto) -> Result<(), PackError> {
    let half = |tensor: &&mut TensorProto| tensor.data_type == DataType::Float16 as i32;
    for tensor in graph.initializer.iter_mut().filter(half) {
        let fail = |problem: String| PackError::graph(path, format!("tensor '{}': {problem}", tensor.name));
        let mut readers = graph.node.iter().filter(|node| node.input.contains(&tensor.name));
        if let Some(node) = readers.find(|node| node.op_type != "Cast") {
            return Err(fail(format!(
                "node '{}' ({}) reads it as f16; a Cast to f32 must come before",
                node.name, node.op_type
            )));
        }
        let values: Vec<f16> = match tensor.raw_data.as_slice() {
            [] => tensor.int32_data.iter().map(|&bits| f16::from_bits(bits as u16)).collect(),
            raw => raw.as_chunks().0.iter().map(|&bytes| f16::from_le_bytes(bytes)).collect(),
        };
        let expected: Option<usize> = tensor
            .dims
            .iter()
            .try_fold(1usize, |count, &size| count.checked_mul(usize::try_from(size).ok()?));
        if expected != Some(values.len()) {
            return Err(fail(format!("{} values do not fill shape {:?}", values.len(), tensor.dims)));
        }
        tensor.data_type = DataType::Float as i32;
        tensor.raw_data = values.iter().flat_map(|value| value.to_f32().to_le_bytes()).collect();
        tensor.int32_data.clear();
    }
    Ok(())
}

/// A tensor inside the protobuf must hold as many bytes as its shape says.
fn check_inside(path: &Path, tensor: &TensorProto) -> Result<(), PackError> {
    if tensor.raw_data.is_empty() {
        return Ok(());
    }
    let expected = element_bytes(tensor.data_type).and_then(|width| {
        tensor
            .dims
            .iter()
            .try_fold(width, |bytes, &size| bytes.checked_mul(usize::try_from(size).ok()?))
    });
    if expected == Some(tensor.raw_data.len()) {
        return Ok(());
    }
    let problem = format!(
        "tensor '{}': {} bytes do not hold shape {:?}",
        tensor.name,
        tensor.raw_data.len(),
        tensor.dims
    );
    Err(PackError::graph(path, problem))
}

/// No float of a tensor may be NaN: it would spread to the whole picture.
fn check_numbers(path: &Path, tensor: &TensorProto) -> Result<(), PackError> {
    if tensor.data_type != DataType::Float as i32 {
        return Ok(());
    }
    let mut raw = tensor.raw_data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
    if !raw.any(f32::is_nan) && !tensor.float_data.iter().any(|value| value.is_nan()) {
        return Ok(());
    }
    let problem = format!(
        "tensor '{}' holds values that are not numbers (NaN): make the pack again",
        tensor.name
    );
    Err(PackError::graph(path, problem))
}

fn element_bytes(data_type: i32) -> Option<usize> {
    match DataType::try_from(data_type).ok()? {
        DataType::Int8 => Some(1),
        DataType::Float16 => Some(2),
        DataType::Float => Some(4),
        DataType::Int64 => Some(8),
        _ => None,
    }
}

/// Every value that is read must be written before, and no value twice.
fn check_wiring(path: &Path, graph: &GraphProto) -> Result<(), PackError> {
    let inputs = graph.input.iter().map(|input| input.name.as_str());
    let mut written = BTreeSet::new();
    for name in inputs.chain(graph.initializer.iter().map(|tensor| tensor.name.as_str())) {
        if name.is_empty() || !written.insert(name) {
            return Err(PackError::graph(
                path,
                format!("two inputs or tensors are named '{name}', or one has no name"),
            ));
        }
    }
    for node in &graph.node {
        if let Some(input) = node
            .input
            .iter()
            .find(|input| !input.is_empty() && !written.contains(input.as_str()))
        {
            return Err(PackError::graph(
                path,
                format!("node '{}' reads '{input}', which nothing before it writes", node.name),
            ));
        }
        if let Some(output) = node.output.iter().find(|output| !output.is_empty() && !written.insert(output)) {
            return Err(PackError::graph(
                path,
                format!("node '{}' writes '{output}', which is there already", node.name),
            ));
        }
    }
    match graph.output.iter().find(|output| !written.contains(output.name.as_str())) {
        Some(output) => Err(PackError::graph(path, format!("nothing writes the output '{}'", output.name))),
        None => Ok(()),
    }
}

/// The graph must have the manifest's ports, in the same order, with the same types and shapes.
fn check_ports(path: &Path, kind: &str, found: &[ValueInfoProto], expected: &[Port]) -> Result<(), PackError> {
    if found.len() != expected.len() {
        let problem = format!("the graph has {} {kind}s where the manifest lists {}", found.len(), expected.len());
        return Err(PackError::graph(path, problem));
    }
    for (found, expected) in found.iter().zip(expected) {
        let described = describe(found);
        let wanted = (
            expected.name.clone(),
            Some(expected.element),
            expected.shape.iter().map(|&size| size as i64).collect(),
        );
        if described != wanted {
            let problem = format!(
                "{kind} '{}' has type {:?} and shape {:?}; the manifest says '{}', {:?}, {:?}",
                described.0, described.1, described.2, wanted.0, wanted.1, wanted.2
            );
            return Err(PackError::graph(path, problem));
        }
    }
    Ok(())
}

/// Name, type and shape; a dimension without a number is -1.
fn describe(value: &ValueInfoProto) -> (String, Option<Element>, Vec<i64>) {
    let Some(TypeValue::TensorType(tensor)) = value.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return (value.name.clone(), None, Vec::new());
    };
    let element = match DataType::try_from(tensor.elem_type) {
        Ok(DataType::Float) => Some(Element::F32),
        Ok(DataType::Int64) => Some(Element::I64),
        _ => None,
    };
    let dimensions = tensor.shape.iter().flat_map(|shape| &shape.dim);
    let sizes = dimensions.map(|dimension| match dimension.value {
        Some(DimensionValue::DimValue(size)) => size,
        _ => -1,
    });
    (value.name.clone(), element, sizes.collect())
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::{NodeProto, StringStringEntryProto, TypeProto};

    use super::*;

    /// What a graph reads from a file of two halves, 1.5 and -2, and two of its own, by nodes of an operator.
    fn read(operator: &str, inline: TensorProto) -> Result<Vec<TensorProto>, PackError> {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file(WEIGHTS), [0x00, 0x3e, 0x00, 0xc0]).unwrap();
        let weights = Arc::new(Weights::map(&file(WEIGHTS), 4).unwrap());
        let entry = |(key, value): (&str, &str)| StringStringEntryProto {
            key: key.into(),
            value: value.into(),
        };
        let external = TensorProto {
            name: "mapped".into(),
            dims: vec![2],
            data_type: DataType::Float16 as i32,
            data_location: Some(DataLocation::External as i32),
            external_data: [("location", WEIGHTS), ("offset", "0"), ("length", "4")].map(entry).into(),
            ..TensorProto::default()
        };
        let node = |input: &str, output: &str| NodeProto {
            op_type: operator.into(),
            input: vec![input.into()],
            output: vec![output.into()],
            ..NodeProto::default()
        };
        let tensor = tract_onnx::pb::type_proto::Tensor {
            elem_type: DataType::Float as i32,
            shape: Some(Default::default()),
        };
        let output = ValueInfoProto {
            name: "a".into(),
            r#type: Some(TypeProto {
                value: Some(TypeValue::TensorType(tensor)),
                ..TypeProto::default()
            }),
            ..ValueInfoProto::default()
        };
        let graph = GraphProto {
            node: vec![node("mapped", "a"), node("inline", "b")],
            initializer: vec![external, inline],
            output: vec![output],
            ..GraphProto::default()
        };
        let model = ModelProto {
            graph: Some(graph),
            ..ModelProto::default()
        };
        std::fs::write(file("x.onnx"), model.encode_to_vec()).unwrap();
        let stage = "graph = 'x.onnx'\ninputs = []\noutputs = [{ name = 'a', element = 'f32', shape = [] }]";
        let graph = Graph::read(&file("x.onnx"), &toml::from_str(stage).unwrap(), Limits::default(), &weights)?;
        Ok(graph.proto.graph.unwrap().initializer)
    }

    fn inline(bits: &[i32]) -> TensorProto {
        TensorProto {
            name: "inline".into(),
            dims: vec![2],
            data_type: DataType::Float16 as i32,
            int32_data: bits.to_vec(),
            ..TensorProto::default()
        }
    }

    #[test]
    fn half_floats_are_widened() {
        let mut tensors = read("Cast", inline(&[0x3c00, 0xbc00])).unwrap();
        tensors.sort_by(|one, other| one.name.cmp(&other.name));
        let floats = |values: [f32; 2]| values.map(f32::to_le_bytes).concat();
        for (tensor, expected) in tensors.iter().zip([[1.0, -1.0], [1.5, -2.0]]) {
            assert_eq!((tensor.data_type, &tensor.raw_data), (DataType::Float as i32, &floats(expected)));
            assert!(tensor.external_data.is_empty() && tensor.int32_data.is_empty());
        }
    }

    #[test]
    fn half_floats_that_nothing_casts_or_that_are_missing_are_refused() {
        let message = read("Neg", inline(&[0, 0])).unwrap_err().to_string();
        assert!(message.contains("(Neg) reads it as f16"), "{message}");
        let message = read("Cast", inline(&[0])).unwrap_err().to_string();
        assert!(message.contains("1 values do not fill shape [2]"), "{message}");
    }
}
