//! The constants of a graph: shape and values.

use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};

use crate::storage::{Bytes, ExternalFiles, Floats, Half, Int8s};

/// Values of a constant, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Floats: 32-bit ones, and 16-bit ones widened.
    F32(Floats),
    /// 64-bit signed integers.
    I64(Vec<i64>),
    /// 8-bit signed integers: quantized weights.
    I8(Int8s),
    /// Any other type, copied unchanged.
    Other(DataType, Vec<u8>),
}

/// A constant of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// Dimensions; empty for a scalar.
    pub shape: Vec<usize>,
    /// As many values as the shape says.
    pub values: Values,
    /// Name of the initializer that this was folded from, if it was a single one.
    pub origin: Option<String>,
}

impl Constant {
    /// A float constant; `values` must have as many elements as the shape says.
    pub fn f32(shape: &[usize], values: Vec<f32>) -> Constant {
        Constant {
            shape: shape.to_vec(),
            values: Values::F32(values.into()),
            origin: None,
        }
    }

    /// An integer constant; `values` must have as many elements as the shape says.
    pub fn i64(shape: &[usize], values: Vec<i64>) -> Constant {
        Constant {
            shape: shape.to_vec(),
            values: Values::I64(values),
            origin: None,
        }
    }

    /// An int8 constant; `values` must have as many elements as the shape says.
    pub fn i8(shape: &[usize], values: Vec<i8>) -> Constant {
        Constant {
            shape: shape.to_vec(),
            values: Values::I8(values.into()),
            origin: None,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values, if they are floats.
    pub fn floats(&self) -> Option<&[f32]> {
        match &self.values {
            Values::F32(values) => Some(values),
            _ => None,
        }
    }

    /// Whether the values are floats; reads none of them.
    pub fn is_float(&self) -> bool {
        matches!(self.values, Values::F32(_))
    }

    /// The values, if they are 64-bit integers.
    pub fn integers(&self) -> Option<&[i64]> {
        match &self.values {
            Values::I64(values) => Some(values),
            _ => None,
        }
    }

    /// The values, if they are truth values.
    pub fn truths(&self) -> Option<impl Iterator<Item = bool>> {
        match &self.values {
            Values::Other(DataType::Bool, values) => Some(values.iter().map(|&value| value != 0)),
            _ => None,
        }
    }

    /// The one float of a constant with one element.
    pub fn scalar(&self) -> Option<f32> {
        match &self.values {
            Values::F32(values) if values.count() == 1 => values.first().copied(),
            _ => None,
        }
    }

    /// Element type in ONNX.
    pub fn data_type(&self) -> DataType {
        match &self.values {
            Values::F32(_) => DataType::Float,
            Values::I64(_) => DataType::Int64,
            Values::I8(_) => DataType::Int8,
            Values::Other(data_type, _) => *data_type,
        }
    }

    /// The values as little-endian bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match &self.values {
            Values::F32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Values::I64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Values::I8(values) => values.iter().map(|&value| value.cast_unsigned()).collect(),
            Values::Other(_, bytes) => bytes.clone(),
        }
    }

    /// Decodes a tensor, which may lie in one of the files beside its graph.
    ///
    /// # Errors
    /// What is wrong with the tensor, or the system's error when reading fails.
    pub fn decode(mut tensor: TensorProto, files: &mut ExternalFiles) -> Result<Constant, DecodeError> {
        let shape = dimensions(&tensor)?;
        let data_type = DataType::try_from(tensor.data_type).unwrap_or(DataType::Undefined);
        let width = width(data_type).ok_or_else(|| format!("has the element type {}, which is not supported", data_type.as_str_name()))?;
        let bytes = shape
            .iter()
            .try_fold(width, |total, &dimension| total.checked_mul(dimension))
            .ok_or_else(|| format!("has the impossible shape {shape:?}"))?;
        let raw = match tensor.data_location {
            Some(location) if location == DataLocation::External as i32 => read_external(&tensor, files, bytes)?,
            _ if !tensor.raw_data.is_empty() => Bytes::Memory(std::mem::take(&mut tensor.raw_data)),
            _ => Bytes::Memory(typed_bytes(&tensor, data_type)),
        };
        if raw.len() != bytes {
            return Err(format!("has {} bytes of data, but the shape {shape:?} needs {bytes}", raw.len()).into());
        }
        Ok(Constant {
            shape,
            values: values(data_type, raw),
            origin: None,
        })
    }
}

/// Why a tensor could not be decoded.
#[derive(Debug)]
pub enum DecodeError {
    /// The tensor or its file is invalid.
    Tensor(String),
    /// The external file is missing.
    Missing(String),
    /// The machine failed to read.
    Machine(std::io::Error),
}

impl From<String> for DecodeError {
    fn from(problem: String) -> DecodeError {
        DecodeError::Tensor(problem)
    }
}

impl From<std::io::Error> for DecodeError {
    fn from(error: std::io::Error) -> DecodeError {
        DecodeError::Machine(error)
    }
}

fn dimensions(tensor: &TensorProto) -> Result<Vec<usize>, String> {
    let convert = |&dimension: &i64| usize::try_from(dimension).map_err(|_| format!("has the negative dimension {dimension}"));
    tensor.dims.iter().map(convert).collect()
}

fn width(data_type: DataType) -> Option<usize> {
    match data_type {
        DataType::Bool | DataType::Int8 | DataType::Uint8 => Some(1),
        DataType::Float16 | DataType::Bfloat16 | DataType::Int16 | DataType::Uint16 => Some(2),
        DataType::Float | DataType::Int32 | DataType::Uint32 => Some(4),
        DataType::Double | DataType::Int64 | DataType::Uint64 => Some(8),
        _ => None,
    }
}

fn values(data_type: DataType, raw: Bytes) -> Values {
    match data_type {
        DataType::Float16 => Values::F32(Floats::of_half(raw, Half::F16)),
        DataType::Bfloat16 => Values::F32(Floats::of_half(raw, Half::Bf16)),
        DataType::Float => Values::F32(Floats::of_bytes(raw)),
        DataType::Int64 => Values::I64(raw.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect()),
        DataType::Int8 => Values::I8(raw.iter().map(|&value| value.cast_signed()).collect::<Vec<_>>().into()),
        _ => Values::Other(data_type, raw.into_vec()),
    }
}

/// Small integers and half floats share the field `int32_data`, one element an entry.
fn typed_bytes(tensor: &TensorProto, data_type: DataType) -> Vec<u8> {
    let narrow = |width: usize| {
        tensor
            .int32_data
            .iter()
            .flat_map(move |value| value.to_le_bytes().into_iter().take(width))
            .collect()
    };
    match data_type {
        DataType::Float => tensor.float_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        DataType::Double => tensor.double_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        DataType::Int64 => tensor.int64_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        DataType::Uint64 => tensor.uint64_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        DataType::Uint32 => tensor
            .uint64_data
            .iter()
            .flat_map(|value| value.to_le_bytes().into_iter().take(4))
            .collect(),
        _ => narrow(width(data_type).unwrap_or(0)),
    }
}

fn external<'a>(tensor: &'a TensorProto, key: &str) -> Option<&'a str> {
    tensor
        .external_data
        .iter()
        .find(|entry| entry.key == key)
        .map(|entry| entry.value.as_str())
}

fn external_number(tensor: &TensorProto, key: &str) -> Result<Option<u64>, String> {
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| format!("has external data with the {key} `{text}`, which is no number"))
    };
    external(tensor, key).map(parse).transpose()
}

fn read_external(tensor: &TensorProto, files: &mut ExternalFiles, bytes: usize) -> Result<Bytes, DecodeError> {
    let location = external(tensor, "location").ok_or_else(|| "has external data without a location".to_owned())?;
    let offset = external_number(tensor, "offset")?.unwrap_or(0);
    let length = external_number(tensor, "length")?.unwrap_or(bytes as u64);
    if length != bytes as u64 {
        return Err(format!("has {length} bytes of external data, but its shape needs {bytes}").into());
    }
    files.read(location, offset, bytes)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn decode(tensor: &TensorProto) -> Result<Constant, DecodeError> {
        Constant::decode(tensor.clone(), &mut ExternalFiles::new(Path::new("")))
    }

    #[test]
    fn typed_and_raw_fields_decode_alike() {
        let typed = TensorProto {
            dims: vec![2],
            data_type: DataType::Float as i32,
            float_data: vec![1.5, -2.0],
            ..TensorProto::default()
        };
        let raw = TensorProto {
            dims: vec![2],
            data_type: DataType::Float as i32,
            raw_data: [1.5f32, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect(),
            ..TensorProto::default()
        };
        assert_eq!(decode(&typed).unwrap(), decode(&raw).unwrap());
        let boolean = TensorProto {
            dims: vec![3],
            data_type: DataType::Bool as i32,
            int32_data: vec![1, 0, 1],
            ..TensorProto::default()
        };
        assert_eq!(decode(&boolean).unwrap().bytes(), [1, 0, 1]);
    }

    #[test]
    fn half_floats_become_floats() {
        let floats = [1.5, -0.0, 65504.0, 2f32.powi(-24), f32::INFINITY];
        for (data_type, bits) in [
            (DataType::Float16, [0x3e00, 0x8000, 0x7bff, 1, 0x7c00]),
            (DataType::Bfloat16, [0x3fc0, 0x8000, 0x4780, 0x3380, 0x7f80]),
        ] {
            let tensor = TensorProto {
                dims: vec![5],
                data_type: data_type as i32,
                ..TensorProto::default()
            };
            let raw = TensorProto {
                raw_data: bits.iter().flat_map(|bits: &u16| bits.to_le_bytes()).collect(),
                ..tensor.clone()
            };
            let typed = TensorProto {
                int32_data: bits.map(i32::from).to_vec(),
                ..tensor
            };
            let mut expected = floats;
            if data_type == DataType::Bfloat16 {
                expected[2] = 65536.0;
            }
            for tensor in [raw, typed] {
                let constant = decode(&tensor).unwrap();
                let found = constant.floats().unwrap().iter().map(|value| value.to_bits());
                assert!(found.eq(expected.iter().map(|value| value.to_bits())), "{constant:?}");
            }
        }
    }

    #[test]
    fn wrong_sizes_are_refused() {
        let short = TensorProto {
            dims: vec![3],
            data_type: DataType::Float as i32,
            raw_data: vec![0; 8],
            ..TensorProto::default()
        };
        let negative = TensorProto {
            dims: vec![-1],
            data_type: DataType::Float as i32,
            ..TensorProto::default()
        };
        let huge = TensorProto {
            dims: vec![i64::MAX, 9],
            data_type: DataType::Float as i32,
            ..TensorProto::default()
        };
        for tensor in [short, negative, huge] {
            assert!(matches!(decode(&tensor), Err(DecodeError::Tensor(_))));
        }
    }
}
